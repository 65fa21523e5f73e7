"""What an executed chapter says: numbers with their meaning, figures, verdicts and errata, warnings."""

import ast
import re

from nbformat import NotebookNode

from unlearning.build.values import Parameter
from unlearning.errors import short
from unlearning.page import ledger

_GLUED = re.compile(r"\{glue:(?:text|md)?\}`([^`:]+)(?::([^`]*))?`")


def contents(name: str, executed: NotebookNode) -> dict:
    """The numbers of an executed chapter: glued values by name, verdicts and errata."""
    glued = {}
    for cell in executed.cells:
        for output in cell.get("outputs", []):
            book = output.get("metadata", {}).get("scrapbook", {})
            if "name" in book:
                text = next(v for k, v in output.data.items() if k.endswith("text/plain"))
                try:
                    glued[book["name"]] = ast.literal_eval(text)
                except (ValueError, SyntaxError):
                    glued[book["name"]] = text
    return {"numbers": glued, "verdicts": ledger.facts(name, executed)}


def meanings(executed: NotebookNode, numbers: dict, known: list[Parameter]) -> dict[str, str]:
    """Name -> what it means, with its unit: of a parameter its comment and range, of a number the sentence it stands in.

    Texts come before captions. A number that neither shows is left out.
    """
    found = {p.name: f"{p.meaning}; allowed: {p.allowed}" for p in known}
    texts = [cell.source for cell in executed.cells if cell.cell_type == "markdown"]
    figures = [cell.metadata.get("mystnb", {}).get("figure", {}) for cell in executed.cells]
    for text in [*texts, *(figure.get("caption", "") for figure in figures)]:
        for sentence in re.split(r"(?<=[.:?!])\s+(?=[^a-z])|\n\s*\n", text):
            for name, _ in _GLUED.findall(sentence):
                if name in numbers:
                    found.setdefault(name, plain(sentence, numbers))
    return found


def plain(text: str, numbers: dict) -> str:
    """A text on one line without roles: glued numbers in place, references by their names."""

    def number(found: re.Match) -> str:
        try:
            return format(numbers[found[1]], found[2] or "")
        except (KeyError, ValueError, TypeError):
            return found[1]

    text = _GLUED.sub(number, " ".join(text.split()))
    text = re.sub(r"\{[\w:]+\}`([^`<]*?)\s*(?:<[^`]*>)?`", r"\1", text)
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)


def warned(executed: NotebookNode) -> list[str]:
    """What cells wrote to stderr, one line each."""
    return [
        f"cell {at}: {short(output.text, 300)}"
        for at, cell in enumerate(executed.cells, 1)
        for output in cell.get("outputs", [])
        if output.get("name") == "stderr"
    ]


def pictures(executed: NotebookNode) -> list[str]:
    """All SVG panels of an executed chapter, in order, each a document of its own."""
    outputs = (
        o
        for cell in executed.cells
        for o in cell.get("outputs", [])
        if "text/html" in o.get("data", {})
    )
    return [
        svg for o in outputs for svg in re.findall(r"<svg.*?</svg>", o.data["text/html"], re.DOTALL)
    ]
