"""The table of the chapter `lemmas`: every numbered statement with its proof's place, its check and its verdict."""

import html

import pandas as pd


def table(rows: list[dict], results: dict[str, tuple[int, int]], chapters: list[str]) -> pd.DataFrame:
    """One row for each statement, cells with HTML.

    rows: statement, words, proof (text), chapter (name or ""), check (a key of results or ""); results: key ->
    (violations, cases). A statement without a check is "open" unless its row names a verdict of its own.
    """
    lines = []
    for row in rows:
        violations, cases = results.get(row["check"], (0, 0))
        verdict = row.get("verdict") or ("open" if not cases else "holds" if not violations else "contradicted")
        badge = {"holds": "reproduced", "contradicted": "not-reproduced"}.get(verdict, "not-yet-run")
        name = row["chapter"]
        link = f'<a href="{name}.html">{name.replace("_", " ")}</a>' if name in chapters else html.escape(name or "–")
        lines.append([
            f"<strong>{html.escape(row['statement'])}</strong>", html.escape(row["words"]),
            f"{html.escape(row['proof'])}<br>{link}", f"{violations} of {cases:,}" if cases else "–",
            f'<span class="badge-verdict {badge}">{verdict}</span>',
        ])  # fmt: skip
    return pd.DataFrame(lines, columns=["Statement", "In our words", "Proof", "Violations", "Verdict"])
