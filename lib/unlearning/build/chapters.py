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
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import jupytext
import yaml
from nbformat import NotebookNode

from unlearning.build.values import TYPES, Parameter, coerce, nearest
from unlearning.errors import Refused, short
from unlearning.files import ROOT, Damaged, content


def in_toc(root: Path = ROOT) -> list[str]:
    """The chapters' names in the reader's order, from `_toc.yml`; pages that are not chapters (`.md`) are left out."""
    toc = settings(root / "_toc.yml")
    try:
        parts = [c["file"] for p in toc.get("parts", []) for c in p["chapters"]]
        files = [Path(file) for file in (toc["root"], *parts)]
    except (KeyError, TypeError, AttributeError):
        raise Refused(
            f"{root / '_toc.yml'}: needs root, and parts with a list of chapters, each `- file: book/NAME`"
        ) from None
    return [file.name for file in files if not (root / f"{file}.md").exists()]


def settings(path: Path) -> dict:
    """The mapping in `_toc.yml` or `_config.yml`. Raises Refused for a file that holds none."""
    try:
        found = yaml.safe_load(content(path).decode())
    except (Damaged, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        told = error.reason if isinstance(error, Damaged) else short(error, 200)
        raise Refused(f"cannot read {path} as YAML: {told}") from None
    if not isinstance(found, dict):
        raise Refused(f"{path} is empty or no mapping: bring it back (git checkout {path.name})")
    return found


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
    try:
        notebook = jupytext.reads(content(source).decode(), fmt="py:percent")
    except (Damaged, UnicodeDecodeError, yaml.YAMLError) as error:
        told = error.reason if isinstance(error, Damaged) else short(error, 200)
        raise Refused(f"{source.name}: cannot be read as a chapter ({told})") from None
    for at, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "code":
            parsed(cell.source, f"{source.name}, cell {at}")
    if sum("parameters" in cell.metadata.get("tags", []) for cell in notebook.cells) != 1:
        raise Refused(
            f"{source.name} needs exactly one cell tagged parameters (an empty one is allowed)"
        )
    return notebook


def parsed(code: str, where: str) -> ast.Module:
    """The code's syntax tree. Raises Refused that names `where` and the line."""
    try:
        with warnings.catch_warnings(action="ignore"):  # they are shown when the code runs
            return ast.parse(code)
    except SyntaxError as error:
        raise Refused(f"{where}, line {error.lineno}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:  # a NUL; nested too deeply
        raise Refused(f"{where}: no Python code ({short(error, 100)})") from None


def parameters(source: Path) -> list[Parameter]:
    """The parameters of a chapter, in order. Raises Refused when its parameters cell breaks the rules above."""
    cells = [c for c in read(source).cells if "parameters" in c.metadata.get("tags", [])]
    found = declared(cells[0].source, source.name)
    for parameter in found:
        try:
            same = coerce(parameter, parameter.default) == parameter.default
        except Refused as error:
            told = f"{source.name}: the default is outside its own range or type: {error}"
            raise Refused(told) from None
        if not same:
            told = f"the default {parameter.default!r} of {parameter.name} is not {parameter.type}"
            raise Refused(f"{source.name}: {told}")
    return found


def declared(code: str, where: str) -> list[Parameter]:
    """The parameters that a parameters cell declares, in order. Raises Refused for a line that breaks the rules above."""
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(code).readline)
        if token.type == tokenize.COMMENT
    }
    found = [
        _declared(node, comments.get(node.end_lineno, ""), where)
        for node in parsed(code, where).body
    ]
    names = [parameter.name for parameter in found]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise Refused(f"{where}: {', '.join(twice)} stands twice in the parameters cell")
    return found


def _declared(node: ast.stmt, comment: str, where: str) -> Parameter:
    line = ast.unparse(node)
    if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value):
        raise Refused(
            f"{where}: {line!r} in the parameters cell: write `name: type = literal  # meaning [low, high]`"
        )
    try:
        default = ast.literal_eval(node.value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
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
        low, high = _range(found, f"{where}: {node.target.id}")
    elif found := re.search(r"\{([^{}]+)\}\s*$", comment):
        choices = tuple(part.strip() for part in found[1].split(","))
    meaning = comment[: found.start()].strip() if found else comment.strip()
    if not meaning:
        raise Refused(f"{where}: {node.target.id} has no comment: give its meaning, unit and range")
    return Parameter(node.target.id, kind, default, meaning, low, high, choices)


def _range(found: re.Match, where: str) -> tuple[float, float]:
    try:
        low, high = (float(bound) for bound in found.groups())
    except ValueError:
        raise Refused(f"{where}: {found[0].strip()} is no range: give two numbers") from None
    if not low <= high:
        raise Refused(f"{where}: {found[0].strip()} is no range: the smaller number comes first")
    return low, high


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


def in_range(history: list[str], values: Mapping[str, object]) -> dict[str, object]:
    """A notebook's parameters as their types, for a cell below them: history is IPython's `In`, values its globals().

    The ranges are those in the comments of the parameters cell that ran last. Raises Refused as `overrides` does, for a
    name that papermill injected and the cell does not have, too; and when no parameters cell ran.
    """
    where = "the parameters cell"
    for at in reversed(range(len(history))):
        with suppress(Refused, tokenize.TokenError):
            known = declared(history[at], where)
            if known and all(parameter.name in values for parameter in known):
                break
    else:
        raise Refused("run the parameters cell first: name: type = value  # meaning [low, high]")
    for code in history[at + 1 :]:
        if code.startswith("# Parameters\n"):  # papermill's own cell
            for node in ast.walk(parsed(code, "the injected parameters")):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    named(node.id, known, where)
    return {parameter.name: coerce(parameter, values[parameter.name]) for parameter in known}
