"""What a person may type for a chapter's parameter: texts and YAML values as the annotated type, inside the range.

A value means the same on the command line and in a file: both are texts until the parameter's type is known. So 010 is
ten, 1:40 is no number, and on, off, yes and no are true or false for a bool and nothing but texts otherwise (YAML 1.2).
"""

import difflib
import math
import re
import reprlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from unlearning.errors import Refused
from unlearning.files import Damaged, content

FILE, DEPTH, LENGTH = (
    1 << 20,
    8,
    1000,
)  # at most: bytes of a file, nesting in it, elements of a list
TYPES = {"int": int, "float": float, "bool": bool, "str": str}  # and list[...] of int, float, str


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
            return f"{self.low:g} to {self.high:g}" + (
                " each" if self.type.startswith("list") else ""
            )
        return f"any {self.type}"


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
    if not isinstance(value, list) or not 0 < len(value) <= LENGTH:
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
    usual = "" if _shown(value) == _shown(parameter.default) else f"; default {parameter.default!r}"
    return Refused(
        f"{parameter.name} = {_shown(value)} is not allowed: {parameter.type}, {wanted} ({parameter.meaning}; "
        f"allowed: {parameter.allowed}{usual})"
    )


def _shown(value: object) -> str:
    """A value for people, cut: whatever was in a file may come here."""
    short = reprlib.Repr()
    short.maxstring = short.maxlong = short.maxother = 60
    try:
        return short.repr(value)
    except ValueError:  # Python writes no whole number of more than 4300 digits
        return f"a {type(value).__name__} of too many digits"


_NUMBER = re.compile(r"\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*", re.ASCII)


def _int(value: object) -> int:
    number = value
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise ValueError
        number = float(value) if re.search(r"[eE.]", value) else int(value)
    if isinstance(number, bool) or not isinstance(number, int | float) or number != int(number):
        raise ValueError
    return int(number)


def _float(value: object) -> float:
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise ValueError
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError
    if not math.isfinite(number := float(value)):
        raise ValueError
    return number


def _bool(value: object) -> bool:
    words = {
        "true": True,
        "yes": True,
        "on": True,
        "1": True,
        "false": False,
        "no": False,
        "off": False,
        "0": False,
    }
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


_EXAMPLES = {
    "int": "a whole number",
    "float": "a finite number",
    "bool": "true or false",
    "str": "a text",
}


def read_values(path: Path) -> dict[str, object]:
    """The mapping name: value of a YAML file: values are texts, lists and mappings of them, or None for null.

    Nothing is built but these, so that nothing in the file can be run. Raises Refused for a file that is no such
    mapping, has a name twice, tags, anchors or aliases, or is longer or deeper than FILE and DEPTH.
    """
    try:
        events = yaml.parse(content(path, FILE).decode(), Loader=yaml.SafeLoader)
        found = [
            _value(event, events, path, 0) for event in events if not isinstance(event, _FRAME)
        ]
    except (Damaged, UnicodeDecodeError, yaml.YAMLError) as error:
        told = error.reason if isinstance(error, Damaged) else " ".join(str(error).split())
        raise Refused(f"cannot read {path} as YAML: {told}") from None
    if len(found) > 1:
        raise Refused(f"{path} holds {len(found)} documents: write one `name: value` per line")
    if not found or found == [None]:
        return {}
    if not isinstance(found[0], dict):
        kind = "list" if isinstance(found[0], list) else "text"
        raise Refused(f"{path} holds a {kind}: write one `name: value` per line")
    return found[0]


_FRAME = (
    yaml.StreamStartEvent,
    yaml.StreamEndEvent,
    yaml.DocumentStartEvent,
    yaml.DocumentEndEvent,
)


def _value(event: yaml.Event, events: Iterator[yaml.Event], path: Path, depth: int) -> object:
    """What begins with `event`: a text, a list, a mapping, or None."""
    if event.anchor or getattr(event, "tag", None):
        raise Refused(f"cannot read {path} as YAML: write values out, without &, * and !")
    if depth > DEPTH:
        raise Refused(f"cannot read {path} as YAML: nested deeper than {DEPTH} levels")
    if isinstance(event, yaml.ScalarEvent):
        plain = event.implicit[0] and event.value in ("", "~", "null", "Null", "NULL")
        return None if plain else event.value
    if isinstance(event, yaml.SequenceStartEvent):
        elements = []
        while not isinstance(element := next(events), yaml.SequenceEndEvent):
            elements.append(_value(element, events, path, depth + 1))
        return elements
    found: dict[str, object] = {}
    while not isinstance(key := next(events), yaml.MappingEndEvent):
        name = _value(key, events, path, depth + 1)
        if not isinstance(name, str):
            raise Refused(f"cannot read {path} as YAML: a name must be a text")
        if name in found:
            raise Refused(f"{path} gives {name} twice: keep one")
        found[name] = _value(next(events), events, path, depth + 1)
    return found


def nearest(name: str, known: Iterable[str]) -> str:
    """(did you mean …?)" for the known name most like `name`; "" when none is."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
    return f" (did you mean {close[0]!r}?)" if close else ""
