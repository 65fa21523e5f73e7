"""Chapters and their parameters: what `book/` holds, and which values a chapter accepts.

A chapter is a jupytext py:percent file. Its cell tagged `parameters` holds annotated literals only, one per line:

    lam: float = 0.01  # ridge coefficient (dimensionless) [1e-6, 10]
    side: str = "left"  # which side to draw {left, right}

The comment gives meaning and unit, the closing brackets the allowed range (of each element, for a list) or the choices.
"""

import ast
import io
import re
import tokenize
from pathlib import Path

import jupytext
import yaml
from nbformat import NotebookNode

from unlearning.build.values import TYPES, Parameter, coerce, nearest
from unlearning.errors import Refused
from unlearning.files import ROOT


def in_toc(root: Path = ROOT) -> list[str]:
    """The chapters' names in the reader's order, from `_toc.yml`; pages that are not chapters (`.md`) are left out."""
    toc = yaml.safe_load((root / "_toc.yml").read_text())
    files = [toc["root"]] + [c["file"] for p in toc.get("parts", []) for c in p["chapters"]]
    return [Path(file).name for file in files if not (root / f"{file}.md").exists()]


def path_of(chapter: str, root: Path = ROOT) -> Path:
    """The source of a chapter given as `one_dimension`, `one_dimension.py` or `book/one_dimension.py`.

    Raises Refused for anything that is not the name of a chapter in `book/`: a name never leads to another folder.
    """
    known = sorted(p.stem for p in (root / "book").glob("*.py"))
    if not known:
        raise Refused(
            f"there is no book/ with chapters in {root}: run from a clone of the repository"
        )
    name = chapter.removeprefix("./").removeprefix("book/").removesuffix(".py")
    if name not in known:
        raise Refused(
            f"unknown chapter {chapter!r}{nearest(name, known)}; chapters: {', '.join(known)}"
        )
    return root / "book" / f"{name}.py"


def read(source: Path) -> NotebookNode:
    """The chapter as a notebook without outputs (jupytext, py:percent). Raises Refused when it does not parse."""
    notebook = jupytext.read(source, fmt="py:percent")
    if sum("parameters" in cell.metadata.get("tags", []) for cell in notebook.cells) != 1:
        raise Refused(
            f"{source.name} needs exactly one cell tagged parameters (an empty one is allowed)"
        )
    return notebook


def parameters(source: Path) -> list[Parameter]:
    """The parameters of a chapter, in order. Raises Refused when its parameters cell breaks the rules above."""
    cells = [c for c in read(source).cells if "parameters" in c.metadata.get("tags", [])]
    code = cells[0].source
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(code).readline)
        if token.type == tokenize.COMMENT
    }
    return [
        _declared(node, comments.get(node.end_lineno, ""), source.name)
        for node in ast.parse(code).body
    ]


def _declared(node: ast.stmt, comment: str, where: str) -> Parameter:
    line = ast.unparse(node)
    if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value):
        raise Refused(
            f"{where}: {line!r} in the parameters cell: write `name: type = literal  # meaning [low, high]`"
        )
    try:
        default = ast.literal_eval(node.value)
    except ValueError:
        raise Refused(
            f"{where}: the default in {line!r} is not a literal: compute it in a later cell"
        ) from None
    kind = ast.unparse(node.annotation)
    if kind not in (*TYPES, "list[int]", "list[float]", "list[str]"):
        raise Refused(
            f"{where}: type {kind!r} in {line!r}: use int, float, bool, str or list[int|float|str]"
        )
    low = high = None
    choices: tuple[str, ...] = ()
    if found := re.search(r"\[([^\[\],]+),([^\[\],]+)\]\s*$", comment):
        low, high = (float(bound) for bound in found.groups())
    elif found := re.search(r"\{([^{}]+)\}\s*$", comment):
        choices = tuple(part.strip() for part in found[1].split(","))
    meaning = comment[: found.start()].strip() if found else comment.strip()
    if not meaning:
        raise Refused(f"{where}: {node.target.id} has no comment: give its meaning, unit and range")
    parameter = Parameter(node.target.id, kind, default, meaning, low, high, choices)
    if coerce(parameter, default) != default:
        raise Refused(f"{where}: the default {default!r} of {parameter.name} is not {kind}")
    return parameter


def overrides(source: Path, given: dict[str, object]) -> dict[str, object]:
    """The given values as the chapter's types, those equal to their default left out.

    Values may be texts (command line) or YAML values. Raises Refused for an unknown name (with the nearest known one),
    a value that is not of the annotated type, or one outside its documented range.
    """
    known = parameters(source)
    found = [(named(name, known, source.stem), value) for name, value in given.items()]
    typed = [(parameter, coerce(parameter, value)) for parameter, value in found]
    return {parameter.name: value for parameter, value in typed if value != parameter.default}


def named(name: str, known: list[Parameter], chapter: str) -> Parameter:
    """The parameter of that name. Raises Refused, with the nearest known one."""
    found = next((p for p in known if p.name == name), None)
    if found is None:
        names = [p.name for p in known]
        raise Refused(
            f"{chapter} has no parameter {name!r}{nearest(str(name), names)}; it has: {', '.join(names) or 'none'}"
        )
    return found


def defaults(name: str, root: Path = ROOT) -> dict[str, object]:
    """All parameters of a chapter with their defaults."""
    return {p.name: p.default for p in parameters(path_of(name, root))}
