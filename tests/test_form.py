"""The form of a chapter: one idea, short, its code visible, its panels elsewhere. CONTRIBUTING says why."""

import ast
import re

import pytest

from unlearning.build import chapters
from unlearning.files import ROOT

NAMES = chapters.in_toc()
PAGES = {"home", "verdicts", "rerun", "lemmas", "claims", "choices"}  # README-like: may be shorter
HIDDEN = {"hide-input", "hide-cell", "remove-input", "remove-cell"}


def shortcomings(name: str) -> list[str]:
    """What a chapter's form lacks, in words."""
    source = chapters.path_of(name).read_text()
    cells = [c for c in chapters.read(chapters.path_of(name)).cells if c.cell_type == "code"]
    visible = [c for c in cells if not HIDDEN & set(c.metadata.get("tags", []))]
    lines = {id(c): [line for line in c.source.splitlines() if line.strip()] for c in cells}
    share = sum(len(lines[id(c)]) for c in visible) / max(1, sum(map(len, lines.values())))
    own = sum(
        isinstance(node, ast.FunctionDef) for c in cells for node in ast.walk(ast.parse(c.source))
    )
    found = []
    length = len(source.splitlines())
    if length > 450 or (length < 250 and name not in PAGES):
        found.append(f"{length} lines: 250 to 450")
    if share < 0.7:
        found.append(f"{share:.0%} of its code is visible: 70% at least")
    if own > 5:
        found.append(f"{own} functions of its own: 5 at most")
    found += [
        f"a visible cell of {len(lines[id(c)])} lines: 25 at most"
        for c in visible
        if len(lines[id(c)]) > 25
    ]
    # a parameter's line holds its meaning and its range
    others = [c for c in visible if "parameters" not in c.metadata.get("tags", [])]
    wide = [line for c in others for line in c.source.splitlines() if len(line) > 80]
    found += [f"{len(wide)} visible lines wider than 80 columns"] * bool(wide)
    if re.search(r"^# #{4,} ", source, re.M):
        found.append("a heading more than two sizes below the title")
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_chapter_can_be_read_in_one_sitting(name: str):
    found = shortcomings(name)
    assert not found, f"{name}: " + "; ".join(found)


def test_the_first_page_leads_to_its_picture_and_to_what_was_found_before_any_code():
    cells = chapters.read(chapters.path_of(NAMES[0])).cells
    first = next(at for at, cell in enumerate(cells) if cell.cell_type == "code")
    opening = "".join(cell.source for cell in cells[:first])
    assert "<home-figure>" in opening and "<home-found>" in opening
    figures = [cell.metadata.get("mystnb", {}).get("figure", {}).get("name") for cell in cells]
    assert next(filter(None, figures)) == "home-figure"


def test_no_chapter_draws_by_itself():
    """Plots stand in book/panels, where they are tested."""
    for name in NAMES:
        assert "figures.panel(" not in chapters.path_of(name).read_text(), name


def test_every_chapters_panels_exist():
    for name in NAMES:
        for module in re.findall(
            r"^from panels import (\w+)", chapters.path_of(name).read_text(), re.M
        ):
            assert (ROOT / "book" / "panels" / f"{module}.py").exists(), module
