"""What a person may type for a chapter's parameter: texts and YAML values as the annotated type, inside the range."""

import difflib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from unlearning.errors import Refused

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
    if (
        isinstance(value, bool)
        or not isinstance(value, str | int | float)
        or not math.isfinite(float(value))
    ):
        raise ValueError
    return float(value)


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


def nearest(name: str, known: Iterable[str]) -> str:
    """(did you mean …?)" for the known name most like `name`; "" when none is."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
    return f" (did you mean {close[0]!r}?)" if close else ""
