"""The index of a sweep: one HTML file without any request, and the same table as CSV. Pure functions of the runs."""

import base64
import csv
import html
import io
import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from unlearning.build.values import Parameter

LARGEST_THUMBNAIL = 60_000  # bytes; a picture that stays larger is only linked
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Run:
    """One point of a sweep that ran, as the index shows it."""

    folder: str  # its folder's name
    parameters: dict[str, object]  # all of them
    numbers: dict[str, object]  # glued values by name; empty for a failed run
    verdicts: list[dict]  # facts as in results.json
    failure: str  # cell and exception; "" for a complete run
    page: bool  # whether there is an HTML page
    thumbnail: str  # the first figure as a small SVG, "" without one


@dataclass(frozen=True)
class Column:
    """One column of the table of runs."""

    name: str  # in index.csv
    title: str  # in index.html
    kind: str  # "parameter", "claim", "check" or "number"


@dataclass(frozen=True)
class Table:
    """What both files show: the runs, the default parameters' run first, and a value for each run and column."""

    columns: list[Column]
    runs: list[Run]
    values: list[dict[str, object]]  # of each run, by column name; absent where there is none
    flips: list[set[str]]  # of each run: the claims and checks that differ from the default's
    sound: bool  # whether the first run is the default's and complete: without it nothing flips
    reference: bool  # whether the default run is there for comparison only, no point of the sweep


def number(value: object) -> float | int | bool | None:
    """A glued value as a number; texts count if they read as one ("0.71", "2,274,880"), others are None."""
    if isinstance(value, bool | int | float):
        return value
    try:
        return float(str(value).replace(",", "")) if isinstance(value, str) else None
    except ValueError:
        return None


def conclusions(verdicts: list[dict]) -> dict[str, object]:
    """Column name -> value: "C8" -> its verdict's words, and "C8: check" -> True, False or "open"."""
    found: dict[str, object] = {}
    for fact in verdicts:
        checks = {
            f"{fact['id']}: {n}": "open" if ok is None else ok for n, ok in fact["checks"].items()
        }
        words = (
            [found[fact["id"]]] if fact["id"] in found else []
        )  # decided more than once in a chapter
        found |= checks | {fact["id"]: " · ".join(dict.fromkeys([*words, fact["verdict"]]))}
    return found


def tabulate(
    chapter: str,
    known: list[Parameter],
    runs: list[Run],
    named: Collection[str] = (),
    reference: bool = False,
) -> Table:
    """The table of runs. Parameters are shown that vary between runs, and those in `named` (the sweep's own)."""
    defaults = {p.name: p.default for p in known}
    runs = sorted(runs, key=lambda run: run.parameters != defaults)  # stable: the default first
    swept = [
        p.name
        for p in known
        if p.name in named or any(r.parameters[p.name] != p.default for r in runs)
    ]
    decided = [conclusions(run.verdicts) for run in runs]
    ordered = list(dict.fromkeys(name for one in decided for name in one))
    claims = [name for name in ordered if any(f"{name}: " == n[: len(name) + 2] for n in ordered)]
    columns = [Column(name, name, "parameter") for name in swept]
    for claim in claims:
        columns.append(Column(claim, claim, "claim"))
        checks = [name for name in ordered if name.startswith(f"{claim}: ")]
        columns += [Column(n, f"{claim}.{i}", "check") for i, n in enumerate(checks, 1)]
    taken = {*ordered, *defaults}
    numbers = [
        {f"glued {n}" if n in taken else n: number(v) for n, v in run.numbers.items()}
        for run in runs
    ]
    numbers = [{n: v for n, v in one.items() if v is not None} for one in numbers]
    for name in dict.fromkeys(name for one in numbers for name in one):
        columns.append(Column(name, name.removeprefix(f"{chapter}_"), "number"))
    values = [
        {n: run.parameters[n] for n in swept} | verdicts | shown
        for run, verdicts, shown in zip(runs, decided, numbers, strict=True)
    ]
    sound = bool(runs) and runs[0].parameters == defaults and not runs[0].failure
    base = decided[0] if sound else None
    flips = [
        {n for n in one if base is not None and n in base and one[n] != base[n]} for one in decided
    ]
    return Table(columns, runs, values, flips, sound, reference)


# --- index.csv -------------------------------------------------------------------------------------------------------


def as_csv(table: Table) -> str:
    """One line for each run: folder, state, links, what is shown, which conclusions flip, and why it failed."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(
        ["run", "state", *(c.name for c in table.columns), "flips", "failure", "parameters"]
    )
    for run, values, flips in zip(table.runs, table.values, table.flips, strict=True):
        writer.writerow(
            [
                run.folder,
                "failed" if run.failure else "complete",
                *(_plain(values[c.name]) if c.name in values else "" for c in table.columns),
                "; ".join(c.name for c in table.columns if c.name in flips and c.kind == "claim"),
                run.failure,
                json.dumps(run.parameters),
            ]
        )
    return buffer.getvalue()


def _plain(value: object) -> str:
    """A value in full: numbers with all their digits, true or false, lists as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


# --- index.html ------------------------------------------------------------------------------------------------------


def as_html(
    table: Table, chapter: str, title: str, known: list[Parameter], notes: list[str]
) -> str:
    """The whole page: what depends on the parameters, a chart, all runs. notes: lines for the head (how far it is)."""
    swept = [c.name for c in table.columns if c.kind == "parameter"]
    fixed = [f"{p.name} = {_short(p.default)}" for p in known if p.name not in swept]
    aside = " (not in the means)" if table.reference else ""
    head = (
        [*notes, f"The same at their default in all runs: {', '.join(fixed)}."] if fixed else notes
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sweep: {html.escape(title)}</title><link rel="icon" href="data:,">
<style>{(_HERE / "sweep_index.css").read_text()}</style></head><body><main>
<h1>Sweep: {html.escape(title)}</h1>
{"".join(f"<p>{html.escape(line)}</p>" for line in head)}
<p><a href="index.csv" download>This table as CSV</a></p>
<h2>Which conclusions depend on the parameters?</h2>
{_conclusions(table)}
<section id="chart" hidden><h2>A number against a parameter</h2>
<p class="choices"><label>number <select id="number"></select></label>
<label>against <select id="parameter"></select></label></p><div id="plot"></div>
<p>One dot for each run; the line joins their means. Ring: default parameters{aside}. Orange: a verdict flips.</p></section>
<h2>All runs</h2>
<p class="choices" id="sorting" hidden><label>sorted by <select id="order"></select></label>
<label><input type="checkbox" id="descending"> largest first</label></p>
{_runs(table, chapter)}
</main><script type="application/json" id="data">{_data(table, chapter)}</script>
<script>{(_HERE / "sweep_index.js").read_text()}</script></body></html>
"""


def _conclusions(table: Table) -> str:
    """For each claim and check: what the default gives, and in how many runs it is the same."""
    shown = [c for c in table.columns if c.kind in ("claim", "check")]
    if not shown:
        return "<p>This chapter decides no claim: read its numbers below.</p>"
    rows = []
    for column in shown:
        name, told = column.name, [v[column.name] for v in table.values if column.name in v]
        changed = sum(name in flips for flips in table.flips)
        known = table.sound and name in table.values[0]
        default = _verdict(table.values[0][name]) if known else "…"
        text = "" if column.kind == "claim" else " " + html.escape(name.partition(": ")[2])
        count = f"{len(told) - changed} of {len(told)}" if known else "…"
        holds = f"{told.count(True)} of {len(told)}" if column.kind == "check" else ""
        rows.append(
            f'<tr class="{column.kind}{" flips" * (changed > 0)}"><th scope="row"><b>{html.escape(column.title)}</b>'
            f"{text}</th><td>{default}</td><td>{count}{' · depends' * (changed > 0)}</td><td>{holds}</td></tr>"
        )
    return (
        '<div class="wide"><table class="conclusions"><thead><tr><th scope="col">claim, check</th>'
        '<th scope="col">default</th><th scope="col">as by default in</th><th scope="col">holds in</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _runs(table: Table, chapter: str) -> str:
    """The table of runs; on a phone each row becomes a card, so every cell carries its label."""
    heads = "".join(
        f'<th scope="col" role="columnheader" aria-sort="none" class="{c.kind}" title="{html.escape(c.name)}">'
        f'<button type="button">{html.escape(c.title)}</button></th>'
        for c in table.columns
    )
    rows = "".join(_row(table, at, chapter) for at in range(len(table.runs)))
    return (
        '<div class="wide" tabindex="0" role="region" aria-label="Table of runs"><table class="runs" id="runs" '
        'role="table"><thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader">run</th>'
        f'{heads}</tr></thead><tbody role="rowgroup">{rows}</tbody></table></div>'
    )


def _row(table: Table, at: int, chapter: str) -> str:
    run, values, flips = table.runs[at], table.values[at], table.flips[at]
    turned = any(c.name in flips for c in table.columns if c.kind == "claim")
    default = at == 0 and table.sound
    notebook = f"{run.folder}/{chapter}.ipynb"
    page = f"{run.folder}/html/book/{chapter}.html"
    picture = re.sub(r"\bf[0-9a-f]{8}-", f"r{at}-", run.thumbnail)
    links = [f'<a href="{page}">page</a>'] * run.page + [f'<a href="{notebook}">notebook</a>']
    told = "default " * default + "flips " * turned + "failed" * bool(run.failure)
    words = "".join(f"<strong>{word}</strong> " for word in told.split())
    cells = "".join(_cell(c, values, flips) for c in table.columns)
    link = page if run.page else notebook
    seen = f'<a class="thumbnail" href="{link}" aria-label="run {run.folder}">{picture}</a>' * bool(
        picture
    )
    why = f'<div class="why">{html.escape(run.failure)}</div>' * bool(run.failure)
    return (
        f'<tr role="row" class="{told.strip()}"><th scope="row" role="rowheader">{seen}{words}{" · ".join(links)}'
        f"{why}</th>{cells}</tr>"
    )


def _cell(column: Column, values: dict[str, object], flips: set[str]) -> str:
    value = values.get(column.name)
    turned = column.name in flips
    shown = _verdict(value) if column.kind in ("claim", "check") else html.escape(_short(value))
    key = "" if value is None else _plain(int(value) if isinstance(value, bool) else value)
    label = column.name if column.kind == "check" else column.title
    return (
        f'<td role="cell" class="{column.kind}{" flip" * turned}" data-label="{html.escape(label)}" '
        f'data-value="{html.escape(key)}">{shown}{" <small>flips</small>" * turned}</td>'
    )


MARKS = {"True": ("holds", "✓"), "False": ("fails", "✗"), "open": ("open", "○")}


def _verdict(value: object) -> str:
    """A tick, a cross, a ring for an open check, or a verdict's words."""
    if str(value) in MARKS:
        word, mark = MARKS[str(value)]
        return f'<span class="{word}" role="img" aria-label="{word}">{mark}</span>'
    return html.escape(str(value)) if value is not None else ""


def _short(value: object) -> str:
    """A value for a cell: four significant digits."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)


def _data(table: Table, chapter: str) -> str:
    """What the chart needs, as JSON that cannot end its script element."""
    columns = {k: [c for c in table.columns if c.kind == k] for k in ("parameter", "number")}
    runs = [
        {
            "default": at == 0 and table.sound,
            "asked": at > 0 or not (table.sound and table.reference),
            "flips": any(c.name in table.flips[at] for c in table.columns if c.kind == "claim"),
            "values": {
                c.name: _finite(table.values[at].get(c.name))
                for c in columns["parameter"] + columns["number"]
            },
        }
        for at in range(len(table.runs))
    ]
    told = {k: [{"name": c.name, "title": c.title} for c in found] for k, found in columns.items()}
    return json.dumps(told | {"runs": runs}, allow_nan=False).replace("<", "\\u003c")


def _finite(value: object) -> object:
    """A value as JSON knows it: no NaN, no infinity; lists as their text, to stand on an axis."""
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return None
    return json.dumps(value) if isinstance(value, list) else value


# --- thumbnails ------------------------------------------------------------------------------------------------------


def thumbnail(svg: str) -> str:
    """A figure thinned to what is seen at 160 px: no text, coordinates to a tenth of a point; "" if it stays large."""
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    try:
        tree = ElementTree.fromstring(svg)
    except ElementTree.ParseError:
        return ""
    for parent in list(tree.iter()):
        for child in list(parent):
            unseen = re.search(r"(^|-)text_\d+$", child.get("id", ""))
            if unseen or child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}script"):
                parent.remove(child)
    used = set(re.findall(r"#([\w-]+)", ElementTree.tostring(tree, encoding="unicode")))
    for element in tree.iter():
        if element.get("id") not in used:
            element.attrib.pop("id", None)
        for name in ("d", "x", "y", "points"):
            if name in element.attrib:
                element.set(name, _rounded(element.get(name)))
    text = ElementTree.tostring(tree, encoding="unicode")
    text = re.sub(r"(?<=data:image/png;base64,)[^\"]+", _smaller, text)
    return text if len(text) <= LARGEST_THUMBNAIL else ""


def _smaller(encoded: re.Match) -> str:
    """A PNG in base64, scaled down to at most 200 pixels a side: the SVG says how large it is drawn."""
    with Image.open(io.BytesIO(base64.b64decode(encoded[0]))) as picture:
        picture = picture.convert("RGBA")
        picture.thumbnail((200, 200))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def _rounded(numbers: str) -> str:
    """Every decimal number of a text to one decimal; line breaks as blanks."""
    short = re.sub(
        r"-?\d+\.\d+", lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), numbers
    )
    return " ".join(short.split())
