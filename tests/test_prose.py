"""The words of the chapters: no typed numbers, the same opening everywhere, every library function explained somewhere."""

import re
import shlex

import nbformat
import pytest

from unlearning.build import chapters
from unlearning.files import ROOT

NAMES = chapters.in_toc()


def prose(name: str) -> list[str]:
    """The chapter's markdown without what may hold literal numbers.

    Left out: code, formulas, glue and cross-references, references, and the paper's own statements.
    """
    texts = []
    for cell in chapters.read(chapters.path_of(name)).cells:
        if cell.cell_type == "markdown":
            text = re.sub(
                r"(`{3,})\{admonition\} (?:The paper claims|At a glance).*?\1",
                "",
                cell.source,
                flags=re.DOTALL,
            )
            text = re.sub(
                r"```.*?```",
                lambda m: m[0] if m[0].startswith("```{") else "",
                text,
                flags=re.DOTALL,
            )
            text = re.sub(
                r"^`{3,}.*$", "", text, flags=re.M
            )  # the fences themselves, which are no inline code
            text = re.sub(
                r"\$\$.*?\$\$(?: \([\w-]+\))?|\$[^$]*\$|\{[\w:]+\}`[^`]*`|`[^`]*`|\]\([^)]*\)",
                "",
                text,
                flags=re.DOTALL,
            )
            texts.append(
                re.sub(r"95% (?:bootstrap )?(?:interval|margin)s?|Section \d\.\d", "", text)
            )  # no measurements
    return texts


@pytest.mark.parametrize("name", NAMES)
def test_no_measured_number_is_typed(name):
    """Decimals and percentages in the prose come from cells (glue): typed ones would not follow the parameters."""
    for text in prose(name):
        typed = re.findall(r"(?<![\w.])\d+\.\d+(?![\w.])|\d+(?:\.\d+)? ?%|\d[\d.]*e-?\d+", text)
        assert not typed, f"{typed} in: {text[:300]}"


@pytest.mark.parametrize("name", NAMES)
def test_every_chapter_opens_with_the_same_block(name):
    cells = chapters.read(chapters.path_of(name)).cells
    assert cells[0].source.startswith("# ")
    opening = cells[0].source + cells[1].source
    block = re.search(
        r"```\{admonition\} At a glance\n:class: glance\n(.*?)\n```", opening, re.DOTALL
    )
    assert block
    for entry in ("You will see", "In the paper", "Runtime", "Parameters", "Rerun"):
        assert f"**{entry}**" in block[1], entry
    assert f"`unlearning run {name} " in block[1]


@pytest.mark.parametrize("name", NAMES)
def test_the_rerun_line_works(name):
    """The values in the opening block's rerun line are accepted."""
    line = re.search(
        r"`unlearning run (\w+) ([^`]*)`",
        chapters.read(chapters.path_of(name)).cells[0].source.replace("\n", " "),
    )
    words = shlex.split(line[2])
    pairs = {words[i + 1]: words[i + 2] for i, word in enumerate(words) if word == "-p"}
    assert pairs
    assert chapters.overrides(chapters.path_of(name), pairs), "the example should change something"


@pytest.mark.parametrize("name", NAMES)
def test_labels_carry_the_chapters_name(name):
    text = chapters.path_of(name).read_text()
    labels = re.findall(r"^# \(([\w-]+)\)=", text, re.M) + re.findall(r":label: (\S+)", text)
    labels += re.findall(r"\$\$ \(([\w-]+)\)", text) + re.findall(r'"name": "([\w-]+)"\}\}', text)
    assert all(label.startswith(f"{name}-") for label in labels), labels


@pytest.mark.parametrize("name", NAMES)
def test_figures_have_captions_and_names(name):
    notebook = chapters.read(chapters.path_of(name))
    for cell in notebook.cells:
        if cell.cell_type == "code" and re.search(r"\bfigures\.(show|frames)\(", cell.source):
            figure = cell.metadata.get("mystnb", {}).get("figure", {})
            assert len(figure.get("caption", "")) > 40 and figure.get("name"), cell.source[:80]
            assert len(re.findall(r"^\s*figures\.(?:show|frames)\(", cell.source, re.M)) == 1, (
                "one figure per cell"
            )


def test_glued_numbers_are_used_and_exist(book):
    """Every {glue:text} in a chapter has its value in the executed notebook, and no value is made for nothing."""
    for name in NAMES:
        executed = nbformat.read(ROOT / "_build" / "executed" / f"{name}.ipynb", 4)
        text = "\n".join(c.source for c in executed.cells if c.cell_type == "markdown")
        text += "\n".join(str(c.metadata.get("mystnb", {})) for c in executed.cells)
        used = {m.split(":")[0] for m in re.findall(r"\{glue:text\}`([^`]+)`", text)}
        made = {
            o.metadata["scrapbook"]["name"]
            for c in executed.cells
            for o in c.get("outputs", [])
            if "scrapbook" in o.get("metadata", {})
        }
        assert used <= made, f"{name}: {used - made} is pasted but never glued"
        assert made <= used, f"{name}: {made - used} is glued but never used"
        assert all(key.startswith(name) for key in made)
