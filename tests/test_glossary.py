"""The glossary: every linked word is in it, every word in it is used in the book, and the main pages lead there."""

import re

from unlearning.build import chapters
from unlearning.files import ROOT

TEXT = (ROOT / "book" / "glossary.md").read_text()
TERMS = re.findall(r"^(\S[^\n]*)\n  \S", TEXT[TEXT.index("{glossary}") :], re.M)
PAGES = {name: chapters.path_of(name).read_text() for name in chapters.in_toc()}


def linked(text: str) -> set[str]:
    return {m.split("<")[-1].strip(" >") for m in re.findall(r"\{term\}`([^`]+)`", text)}


def test_links_lead_to_terms():
    assert set().union(*map(linked, PAGES.values())) <= set(TERMS)
    assert len(linked(PAGES["home"])) >= 5 and linked(PAGES["ascent_fails"])


def test_terms_are_the_books_words_and_stand_once():
    assert len(TERMS) == len(set(TERMS)) >= 20
    prose = re.sub(r"[\s#*]+", " ", " ".join(PAGES.values())).lower()
    stems = {term: term.lower().removesuffix("s") for term in TERMS}
    assert not [term for term, stem in stems.items() if stem not in prose]


def test_every_term_has_a_short_text():
    for term, text in re.findall(r"^(\S[^\n]*)\n((?:  [^\n]+\n)+)", TEXT, re.M):
        assert 6 <= len(text.split()) <= 60, term
