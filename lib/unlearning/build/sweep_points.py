"""What a sweep runs: points in a chapter's parameters from `-p NAME=VALUES`, `--zip` and `--from grid.csv`.

    -p lam=1e-3,1e-2        two values                  -p "steps=[1,2],[1,2,3]"   two values of a list parameter
    -p seed=0..9            ten whole numbers           -p seed=0..4,10            six of them

Everything is typed and checked here, before anything runs.
"""

import csv
import itertools
import json
import math
import re
from pathlib import Path

from unlearning.build.chapters import named
from unlearning.build.values import Parameter, coerce
from unlearning.errors import Refused

LIMIT = 500  # points of one sweep: an index of more rows (10 MB) is no longer read
LARGEST = 10**7  # bytes of a table: a thousand points need far less
_LISTS = re.compile(r"\s*\[[^\[\]]*\]\s*(,\s*\[[^\[\]]*\]\s*)*")


def points(
    chapter: str,
    known: list[Parameter],
    axes: list[str],
    zipped: bool = False,
    table: Path | None = None,
) -> list[dict[str, object]]:
    """All parameters of every point, in order: every row of `table` with every combination of `axes`.

    axes: `NAME=VALUES` each; zipped: the values are paired one by one instead of combined. Raises Refused for unknown
    or repeated names, values that the chapter does not accept, nothing to vary, unequal lengths, the same point twice,
    and more than LIMIT points.
    """
    if zipped and table:
        raise Refused(
            "--zip pairs the values of -p, and the rows of --from are points already: leave one out"
        )
    rows = [{}] if table is None else _rows(table, known, chapter)
    values: dict[str, list[object]] = {}
    for text in axes:
        name, found = axis(text, known, chapter)
        if name in values or name in rows[0]:
            raise Refused(f"{name} is given twice: name each parameter once, with all its values")
        values[name] = found
    if not values and table is None:
        raise Refused(
            f"nothing to vary: give -p NAME=VALUE,VALUE,… or --from grid.csv; {chapter} has: "
            + (", ".join(p.name for p in known) or "no parameters")
        )
    lengths = {name: len(found) for name, found in values.items()}
    if zipped and len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {count}" for name, count in lengths.items())
        raise Refused(f"--zip pairs values one by one, but the lists differ in length: {told}")
    _limited(max(lengths.values()) if zipped else len(rows) * math.prod(lengths.values()))
    combined = zip(*values.values(), strict=True) if zipped else itertools.product(*values.values())
    chosen = [dict(zip(values, combination, strict=True)) for combination in combined]
    defaults = {p.name: p.default for p in known}
    return _distinct([defaults | row | choice for row in rows for choice in chosen], defaults)


def axis(text: str, known: list[Parameter], chapter: str) -> tuple[str, list[object]]:
    """`NAME=VALUES` as the name and its typed values."""
    name, equals, given = text.partition("=")
    if not equals:
        raise Refused(f"-p {text!r}: write -p NAME=VALUE,VALUE,… (e.g. -p seed=0..9)")
    parameter = named(name.strip(), known, chapter)
    pieces = _pieces(parameter, given)
    _limited(sum(map(len, pieces)))
    return parameter.name, [coerce(parameter, value) for piece in pieces for value in piece]


def _pieces(parameter: Parameter, given: str) -> list[list[str] | range]:
    """The values between the commas, still texts; a range of whole numbers stays a range until it is known to be short."""
    name = parameter.name
    if not given.strip():
        raise Refused(f"{name} has no value: write -p {name}=VALUE,VALUE,…")
    if parameter.type.startswith("list"):
        if not _LISTS.fullmatch(given):
            example = json.dumps(parameter.default).replace(" ", "")
            raise Refused(
                f'{name}={given}: {name} is a {parameter.type}, so put each value in brackets: -p "{name}={example},…"'
            )
        return [re.findall(r"\[[^\[\]]*\]", given)]
    parts = [part.strip() for part in given.split(",")]
    if "" in parts:
        raise Refused(f"{name}={given}: an empty value; write one between every two commas")
    if parameter.type == "str":
        return [parts]
    return [_range(parameter, part) if ".." in part else [part] for part in parts]


def _range(parameter: Parameter, text: str) -> range:
    """`FIRST..LAST`, both included."""
    if parameter.type != "int":
        raise Refused(
            f"{parameter.name}={text}: ranges are for whole numbers and {parameter.name} is a {parameter.type}; "
            "list its values"
        )
    match = re.fullmatch(r"([+-]?\d{1,18})\s*\.\.\s*([+-]?\d{1,18})", text)
    if not match or int(match[1]) > int(match[2]):
        raise Refused(
            f"{parameter.name}={text}: a bad range; write FIRST..LAST with FIRST not above LAST, e.g. 0..9"
        )
    return range(int(match[1]), int(match[2]) + 1)


def _rows(path: Path, known: list[Parameter], chapter: str) -> list[dict[str, object]]:
    """The points of a CSV file: names in its first line, one point in every other line."""
    if not path.is_file() or path.stat().st_size > LARGEST:
        raise Refused(
            f"--from {path}: no file of at most {LARGEST:,} bytes; give CSV with names in its first line"
        )
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file, strict=True)
            read = [(lines.line_num, line) for line in lines if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Refused(f"--from {path}: cannot be read as CSV in UTF-8: {error}") from None
    if len(read) < 2:
        raise Refused(f"--from {path}: names in the first line and at least one line of values")
    names = [name.strip() for name in read[0][1]]
    if len(names) == 1 and re.search("[;\t]", names[0]):
        raise Refused(f"--from {path}: separate the columns by commas")
    columns = [named(name, known, chapter) for name in names]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Refused(f"--from {path}: {', '.join(twice)} is given twice: keep one column")
    _limited(len(read) - 1)
    found = []
    for number, line in read[1:]:
        if len(line) != len(columns) or not all(cell.strip() for cell in line):
            raise Refused(
                f"--from {path}, line {number}: give one value for each of {', '.join(names)}"
            )
        try:
            cells = zip(columns, line, strict=True)
            found.append({column.name: coerce(column, cell.strip()) for column, cell in cells})
        except Refused as error:
            raise Refused(f"--from {path}, line {number}: {error}") from None
    return found


def _limited(count: int) -> None:
    if count > LIMIT:
        raise Refused(
            f"{count:,} points: a sweep has at most {LIMIT:,}; give fewer values, or sweep in parts, each with an --out "
            "of its own"
        )


def _distinct(found: list[dict], defaults: dict[str, object]) -> list[dict]:
    """The points themselves; Refused when two are the same."""
    seen = set()
    for point in found:
        text = json.dumps(point)
        if text in seen:
            raise Refused(f"the point {said(point, defaults)} is given twice: name each point once")
        seen.add(text)
    return found


def said(point: dict[str, object], defaults: dict[str, object]) -> str:
    """A point in a few words: what differs from the defaults."""
    differ = [f"{name} = {value}" for name, value in point.items() if value != defaults[name]]
    return ", ".join(differ) or "with all defaults"
