"""What a teacher gets from a graded class: grades.csv, one page of HTML, a text for each student, marks by hand, Canvas."""

import csv
import html
import io
from collections import Counter, defaultdict
from pathlib import Path

from unlearning.build.assignments import Assignment
from unlearning.build.grading import Mark, Result
from unlearning.errors import Refused
from unlearning.files import write_whole

CANVAS = (
    "Student",
    "ID",
    "SIS User ID",
    "SIS Login ID",
    "Section",
)  # the columns by which Canvas knows a student
STYLE = """
:root { color-scheme: light dark } body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .3rem .6rem; vertical-align: top; border-bottom: 1px solid #8886 }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap } td { overflow-wrap: anywhere }
.bar { display: inline-block; height: .8em; background: #d55e00 } .bar.ok { background: #0173b2 }
pre { white-space: pre-wrap; overflow-wrap: anywhere } .quiet { opacity: .7 }
"""


def read_seeds(given: str | None, usual: Path) -> dict[str, int]:
    """login -> seed from a seeds.csv that `unlearning assignment --roster` wrote; empty without one."""
    path = Path(given) if given else usual
    if not given and not path.exists():
        return {}
    rows = _rows(path)
    try:
        return {row["login"]: int(row["seed"]) for row in rows}
    except (KeyError, ValueError, TypeError):
        raise Refused(
            f"{path}: give columns login and seed, as `unlearning assignment --roster` writes them"
        ) from None


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Refused(f"cannot read {path}: {error}") from None


def write(
    assignment: Assignment, results: list[Result], roster: list[dict], held: dict[str, bool],
    out: Path, canvas: str | None = None,
) -> list[Path]:  # fmt: skip
    """Writes everything below `out`; returns the files. Points given by hand are read from written.csv, never changed."""
    logins = {result.login for result in results}
    missing = [row["login"] for row in roster if row["login"] not in logins]
    results = sorted(
        [*results, *(Result(n, "", "missing", "no submission", (), {}) for n in missing)],
        key=lambda r: r.login,
    )
    hand = by_hand(assignment, results, out)
    table = grades(assignment, results, roster, hand)
    files = {"grades.csv": _csv(table), "report.html": page(assignment, results, held, hand)}
    if assignment.by_hand():
        files["written.html"] = written(assignment, results)
    if canvas:
        files["canvas.csv"] = canvas_table(assignment, table, Path(canvas))
    for result in results:
        if result.status != "missing":
            files[f"feedback/{result.login}.txt"] = feedback(assignment, result, hand)
    for name, text in files.items():
        write_whole(out / name, lambda file, text=text: file.write(text.encode()))
    shown = [name for name in files if not name.startswith("feedback")]
    return [out / name for name in shown] + [out / "feedback"]


def by_hand(
    assignment: Assignment, results: list[Result], out: Path
) -> dict[tuple[str, str], float]:
    """(login, question) -> points from out/written.csv. Lines that are missing there are added, empty; none is changed."""
    path, questions = out / "written.csv", assignment.by_hand()
    if not questions:
        return {}
    rows = _rows(path) if path.exists() else []
    there = {(row.get("login"), row.get("question")) for row in rows}
    new = [
        {"login": result.login, "question": question, "points": "", "comment": ""}
        for result in results if result.status == "graded"
        for question in questions if (result.login, question) not in there
    ]  # fmt: skip
    if new:
        header = list(rows[0]) if rows else ["login", "question", "points", "comment"]
        text = _csv(
            [header, *([row.get(name, "") or "" for name in header] for row in [*rows, *new])]
        )
        write_whole(path, lambda file: file.write(text.encode()))
    found = {}
    for row in rows:
        if (row.get("points") or "").strip():
            most = assignment.points().get(row.get("question"), 0.0)
            try:
                points = float(row["points"].replace(",", "."))
            except ValueError:
                points = -1.0
            if not 0 <= points <= most:
                raise Refused(
                    f"{path}: {row.get('login')}, {row.get('question')}: {row['points']!r}; give 0 to {most:g}"
                )
            found[row["login"], row["question"]] = points
    return found


def grades(
    assignment: Assignment, results: list[Result], roster: list[dict], hand: dict
) -> list[list]:
    """The table: login, the roster's columns, points per question, total, possible, percent, status, reason, failed tests.

    A question that is still to be marked by hand is empty and counts nothing yet.
    """
    points, told = assignment.points(), {row["login"]: row for row in roster}
    extra = [name for name in (roster[0] if roster else {}) if name and name != "login"]
    possible = sum(points.values())
    header = [
        "login",
        *extra,
        *points,
        "total",
        "possible",
        "percent",
        "status",
        "reason",
        "failed tests",
    ]
    table = [header]
    for result in results:
        earned = defaultdict(float)
        for mark in result.marks:
            earned[mark.question] += mark.earned
        cells = []
        for question in points:
            marked = (
                hand.get((result.login, question), "") if question in assignment.by_hand() else None
            )
            cells.append(round(earned[question], 6) if marked is None else marked)
        total = sum(cell for cell in cells if cell != "")
        failed = "; ".join(f"{m.question}: {m.test}" for m in result.marks if m.earned < m.points)
        reason = (
            result.reason
            if not roster or result.login in told
            else f"not in the roster; {result.reason}".rstrip("; ")
        )
        known = [told.get(result.login, {}).get(name) or "" for name in extra]
        table.append(
            [
                result.login,
                *known,
                *cells,
                total,
                possible,
                round(100 * total / possible, 1),
                result.status,
                reason,
                failed,
            ]
        )
    return table


def _csv(table: list[list]) -> str:
    """As CSV. A text that a spreadsheet would read as a formula gets a quotation mark in front."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in table:
        writer.writerow(
            [
                f"'{c}"
                if isinstance(c, str) and c.startswith(("=", "+", "-", "@", "\t", "\r"))
                else c
                for c in row
            ]
        )
    return text.getvalue()


def canvas_table(assignment: Assignment, table: list[list], gradebook: Path) -> str:
    """Canvas's identity columns, unchanged, and one column with the totals. Refused if the file has no login column.

    Students are matched by "SIS Login ID"; those without a submission keep an empty cell.
    """
    rows = _rows(gradebook)
    columns = [name for name in (rows[0] if rows else {}) if name in CANVAS]
    if "SIS Login ID" not in columns:
        raise Refused(
            f"{gradebook}: no column 'SIS Login ID'; give the file that Canvas exports as its gradebook"
        )
    where = table[0].index("total"), table[0].index("status")
    totals = {row[0]: row[where[0]] for row in table[1:] if row[where[1]] != "missing"}
    lines = [[*columns, assignment.title]]
    for row in rows:
        if "points possible" in (row["Student"] or "").lower():
            lines.append(
                [*(row[name] or "" for name in columns), sum(assignment.points().values())]
            )
        else:
            lines.append(
                [*(row[name] or "" for name in columns), totals.get(row["SIS Login ID"], "")]
            )
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)  # what Canvas wrote goes back as it was
    return text.getvalue()


def feedback(assignment: Assignment, result: Result, hand: dict) -> str:
    """What one student reads."""
    points = assignment.points()
    total = result.total + sum(v for (login, _), v in hand.items() if login == result.login)
    lines = [
        f"{assignment.title} · {result.login}",
        f"{total:g} of {sum(points.values()):g} points",
    ]
    lines += [f"Note: {result.reason}"] * bool(result.reason)
    for question, most in points.items():
        marks = [mark for mark in result.marks if mark.question == question]
        if question in assignment.by_hand():
            given = hand.get((result.login, question))
            lines.append(
                f"\n{question}: "
                + (f"{given:g} of {most:g}" if given is not None else "marked by hand")
            )
            continue
        lines.append(f"\n{question}: {sum(m.earned for m in marks):g} of {most:g}")
        lines += [
            f"  {'ok ' if m.earned else 'no '} {m.test}" + f"\n      {m.message}" * bool(m.message)
            for m in marks
        ]
    return "\n".join(lines) + "\n"


def page(assignment: Assignment, results: list[Result], held: dict[str, bool], hand: dict) -> str:
    """One page for the teacher: distribution, tests that fail most with the message read most, who, and the limits."""
    e = html.escape
    graded = [r for r in results if r.status != "missing"]
    possible = sum(
        assignment.points()[q] for q in assignment.points() if q not in assignment.by_hand()
    )
    parts = [f"<h1>{e(assignment.title)}</h1>", _distribution([r.total for r in graded], possible)]
    parts.append(
        "<h2>Tests that fail most</h2><p>Of the submissions that could be run. Beside each: the two sentences that most of those students read.</p>"
    )
    run = [r for r in graded if r.status == "graded"]
    rows = "".join(_failing(marks, len(run)) for marks in _by_test(run))
    parts.append(
        f'<table><tr><th>question</th><th>test</th><th class="n">fail</th><th>most read</th></tr>{rows}</table>'
    )
    odd = [r for r in results if r.reason or r.status != "graded"]
    parts.append(f"<h2>Unusual ({len(odd)})</h2>")
    rows = "".join(
        f'<tr><td>{e(r.login)}</td><td>{r.status}</td><td class="n">{r.total:g}</td><td>{e(r.reason)}</td></tr>'
        for r in odd
    )
    parts.append(
        f'<table><tr><th>login</th><th>status</th><th class="n">points</th><th>reason</th></tr>{rows}</table>'
    )
    if assignment.by_hand():
        waiting = sum(
            (r.login, q) not in hand
            for r in results
            if r.status == "graded"
            for q in assignment.by_hand()
        )
        parts.append(
            f"<p>Marked by hand: {', '.join(assignment.by_hand())} (written.html, written.csv); {waiting} to do.</p>"
        )
    limits = "".join(
        f"<li>{'held' if ok else '<strong>did not hold</strong>'}: {e(p)}</li>"
        for p, ok in held.items()
    )
    parts.append(f"<h2>Limits on this machine, measured before grading</h2><ul>{limits}</ul>")
    return _document(assignment.title, "\n".join(parts))


def _document(title: str, body: str) -> str:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{html.escape(title)}</title>'
    return f'<!doctype html><html lang="en"><head>{head}<style>{STYLE}</style></head><body>{body}</body></html>\n'


def _distribution(totals: list[float], possible: float) -> str:
    """Mean, median and how many students in each tenth of the points."""
    if not totals or not possible:
        return "<p>No submissions.</p>"
    ranked = sorted(totals)
    middle = (ranked[(len(ranked) - 1) // 2] + ranked[len(ranked) // 2]) / 2
    tenths = Counter(min(int(10 * total / possible), 9) for total in totals)
    rows = "".join(
        f'<tr><td class="n">{10 * k}–{10 * k + 10} %</td><td style="width:75%"><span class="bar ok" '
        f'style="width:{90 * tenths[k] / max(tenths.values()):.0f}%"></span> {tenths[k] or ""}</td></tr>'
        for k in range(10)
    )
    said = f"{len(totals)} submissions · {possible:g} points by machine · mean {sum(totals) / len(totals):.1f} · median {middle:g}"
    return f"<p>{said}</p><h2>Distribution</h2><table>{rows}</table>"


def _by_test(results: list[Result]) -> list[list[Mark]]:
    """The marks of each test that somebody failed, those failed most first."""
    by_test: dict[tuple, list[Mark]] = defaultdict(list)
    for result in results:
        for mark in result.marks:
            by_test[mark.question, mark.test].append(mark)
    failing = [marks for marks in by_test.values() if any(m.earned < m.points for m in marks)]
    return sorted(failing, key=lambda marks: -sum(m.earned < m.points for m in marks))


def _failing(marks: list[Mark], of: int) -> str:
    failed, e = [m for m in marks if m.earned < m.points], html.escape
    said = "<br>".join(
        f'{e(message[:400])} <span class="quiet">({times}×)</span>'
        for message, times in Counter(m.message for m in failed).most_common(2)
    )
    bar = f'<span class="bar" style="width:{4 * len(failed) / of:.2f}rem"></span> {len(failed)}'
    told = f"<td>{e(marks[0].question)}</td><td>{e(marks[0].test)}</td>"
    return f'<tr>{told}<td class="n">{bar}</td><td>{said}</td></tr>'


def written(assignment: Assignment, results: list[Result]) -> str:
    """All written answers, under the rubric, on one page."""
    e, parts = html.escape, [f"<h1>{html.escape(assignment.title)}: written answers</h1>"]
    parts.append("<p>Give the points in written.csv, then run the same command again.</p>")
    parts += [f"<pre>{e(cell.source)}</pre>" for cell in assignment.of("rubric")]
    for result in results:
        for question, text in result.written.items():
            parts.append(
                f"<h2>{e(result.login)} · {e(question)}</h2><pre>{e(text) or '(nothing)'}</pre>"
            )
    return _document(assignment.title, "\n".join(parts))
