"""Chapters and their parameters: what `book/` holds, and which values a chapter accepts. Explained in CONTRIBUTING.md
("Add a chapter").

A chapter is a jupytext py:percent file. Its cell tagged `parameters` holds annotated literals only, one per line:

    lam: float = 0.01  # ridge coefficient (dimensionless) [1e-6, 10]
    side: str = "left"  # which side to draw {left, right}

The comment gives meaning and unit, the closing brackets the allowed range (of each element, for a list) or the choices.
"""

import ast
import difflib
import io
import math
import re
import tokenize
from dataclasses import dataclass
from pathlib import Path

import jupytext
import yaml
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]  # of the repository: book/, _toc.yml and results/ lie here
TYPES = {"int": int, "float": float, "bool": bool, "str": str}  # and list[...] of int, float, str


class Refused(ValueError):
    """A request that cannot be met as stated; its text says what was given, what is allowed, and what to do."""


@dataclass(frozen=True)
class Parameter:
    """One line of a chapter's parameters cell."""

    name: str
    type: str  # "int", "float", "bool", "str" or "list[...]" of int, float, str
    default: object  # the literal in the cell
    meaning: str  # from the comment, with its unit
    low: float | None  # smallest allowed value (of each element), None without a range
    high: float | None  # largest allowed value (of each element), None without a range
    choices: tuple[str, ...]  # allowed texts, empty without choices

    @property
    def allowed(self) -> str:
        """The allowed values, for people."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.low is not None:
            return f"{self.low:g} to {self.high:g}" + (" each" if self.type.startswith("list") else "")
        return f"any {self.type}"


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
        raise Refused(f"there is no book/ with chapters in {root}: run from a clone of the repository")
    name = chapter.removeprefix("./").removeprefix("book/").removesuffix(".py")
    if name not in known:
        raise Refused(f"unknown chapter {chapter!r}{_nearest(name, known)}; chapters: {', '.join(known)}")
    return root / "book" / f"{name}.py"


def read(source: Path) -> NotebookNode:
    """The chapter as a notebook without outputs (jupytext, py:percent). Raises Refused when it does not parse."""
    notebook = jupytext.read(source, fmt="py:percent")
    if sum("parameters" in cell.metadata.get("tags", []) for cell in notebook.cells) != 1:
        raise Refused(f"{source.name} needs exactly one cell tagged parameters (an empty one is allowed)")
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
    return [_declared(node, comments.get(node.end_lineno, ""), source.name) for node in ast.parse(code).body]


def _declared(node: ast.stmt, comment: str, where: str) -> Parameter:
    line = ast.unparse(node)
    if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value):
        raise Refused(f"{where}: {line!r} in the parameters cell: write `name: type = literal  # meaning [low, high]`")
    try:
        default = ast.literal_eval(node.value)
    except ValueError:
        raise Refused(f"{where}: the default in {line!r} is not a literal: compute it in a later cell") from None
    kind = ast.unparse(node.annotation)
    if kind not in (*TYPES, "list[int]", "list[float]", "list[str]"):
        raise Refused(f"{where}: type {kind!r} in {line!r}: use int, float, bool, str or list[int|float|str]")
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
    known = {p.name: p for p in parameters(source)}
    result = {}
    for name, value in given.items():
        if name not in known:
            listing = ", ".join(known) or "none"
            raise Refused(f"{source.stem} has no parameter {name!r}{_nearest(str(name), known)}; it has: {listing}")
        typed = coerce(known[name], value)
        if typed != known[name].default:
            result[name] = typed
    return result


def coerce(parameter: Parameter, value: object) -> object:
    """`value` as the parameter's type and inside its range: '1e-3' is a float, 'true' a bool, '[1, 3]' or '1,3' a list.

    Raises Refused otherwise, with the allowed values.
    """
    if not parameter.type.startswith("list"):
        return _element(parameter, parameter.type, value)
    if isinstance(value, str):
        text = value.strip()
        inner = text[1:-1] if text[:1] == "[" and text[-1:] == "]" else text
        value = [part.strip().strip("'\"") for part in inner.split(",")] if inner.strip() else []
    if not isinstance(value, list) or not value:
        raise _refusal(parameter, value, f"a list, e.g. {parameter.default}")
    return [_element(parameter, parameter.type[5:-1], element) for element in value]


def _element(parameter: Parameter, kind: str, value: object) -> object:
    try:
        typed = _SCALARS[kind](value)
    except (ValueError, TypeError, OverflowError):
        raise _refusal(parameter, value, _EXAMPLES[kind]) from None
    if parameter.choices and str(typed) not in parameter.choices:
        raise _refusal(parameter, value, parameter.allowed)
    if parameter.low is not None and not parameter.low <= typed <= parameter.high:
        raise _refusal(parameter, value, parameter.allowed)
    return typed


def _refusal(parameter: Parameter, value: object, wanted: str) -> Refused:
    return Refused(
        f"{parameter.name} = {value!r} is not allowed: {parameter.type}, {wanted} ({parameter.meaning}; "
        f"allowed: {parameter.allowed}; default {parameter.default!r})"
    )


def _int(value: object) -> int:
    if isinstance(value, str):
        number = float(value) if re.search(r"[eE.]", value) else int(value)
    else:
        number = value
    if isinstance(number, bool) or not isinstance(number, int | float) or number != int(number):
        raise ValueError
    return int(number)


def _float(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float) or not math.isfinite(float(value)):
        raise ValueError
    return float(value)


def _bool(value: object) -> bool:
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value.strip().lower() not in words:
        raise ValueError
    return words[value.strip().lower()]


def _str(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


_SCALARS = {"int": _int, "float": _float, "bool": _bool, "str": _str}
_EXAMPLES = {"int": "a whole number", "float": "a finite number", "bool": "true or false", "str": "a text"}


def read_values(path: Path) -> dict[str, object]:
    """The mapping name: value of a YAML file, safely loaded. Raises Refused for anything else, and for a name twice."""
    try:
        text = path.read_text()
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Refused(f"cannot read {path} as YAML: {' '.join(str(error).split())}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise Refused(f"{path} holds a {type(values).__name__}: write one `name: value` per line")
    names = [key.value for key, _ in tree.value]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise Refused(f"{path} gives {', '.join(twice)} twice: keep one")
    return values


def _nearest(name: str, known) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
    return f" (did you mean {close[0]!r}?)" if close else ""
