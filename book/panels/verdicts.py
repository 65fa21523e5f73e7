"""Tables of the verdict page: claims with evidence, the calibration of the checks, errata."""

import html

import pandas as pd

from unlearning.page import ledger, verdicts
from unlearning.page.claims import CLAIMS

SHOWN = ("all", "decided", "open")  # which claims a table lists


def link(chapter: str, known: list[str]) -> str:
    """The chapter's name as a link if the book has it, else as plain text."""
    title = chapter.replace("_", " ")
    return f'<a href="{chapter}.html">{title}</a>' if chapter in known else f"({title})"


def evidence(claim: str, facts: list[dict]) -> str:
    """All evidence on a claim with its scale, and the checks that are open or failed (HTML)."""
    lines = []
    for fact in facts:
        if fact["kind"] == "claim" and fact["id"] == claim:
            scale = verdicts.SCALES[fact["scale"]].text
            lines.append(html.escape(f"{fact['evidence']} ({scale})"))
            lines += [
                f"{verdicts.MARKS[holds][1]} {html.escape(name)}"
                for name, holds in fact["checks"].items()
                if holds is not True
            ]
    return "<br>".join(lines) or "–"


def claims(facts: list[dict], known: list[str], show: str) -> pd.DataFrame:
    """One row for each claim: words and place, both fields of the verdict, scale, chapter, evidence (HTML)."""
    rows = []
    for claim in CLAIMS:
        verdict = ledger.verdict_of(claim.id, facts)
        decided = verdict.here in ("agrees", "disagrees")
        if show == "all" or decided == (show == "decided"):
            by = sorted({f["chapter"] for f in facts if f.get("id") == claim.id}) or [claim.chapter]
            scale = f" ({verdict.scale})" * bool(verdict.scale)
            rows.append({
                "Claim, and where": f"<strong>{claim.id}</strong> {html.escape(claim.text)}<br><em>{html.escape(claim.where)}</em>",
                "At the paper's scale": verdicts.badge(verdict.paper),
                "Here": f"{verdicts.badge(verdict.here)}{scale}<br>{'<br>'.join(link(c, known) for c in by)}",
                "Evidence": evidence(claim.id, facts),
            })  # fmt: skip
    return pd.DataFrame(rows)


def calibration(found: pd.DataFrame) -> pd.DataFrame:
    """`criteria.calibration` for people: claim, check, and a mark for whether it holds on the authors' numbers."""
    marks = [verdicts.MARKS[holds][1] for holds in found.holds]
    return pd.DataFrame(
        {"claim": found.claim, "check": found.check, "on the authors' numbers": marks}
    )


def errata(facts: list[dict], known: list[str]) -> pd.DataFrame:
    """One row for each slip in the paper's text (HTML)."""
    rows = [
        {
            "Where": f"{html.escape(f['where'])}<br>{link(f['chapter'], known)}",
            "Printed": html.escape(f["printed"]),
            "We use": html.escape(f["ours"]),
            "Shown by": f"{html.escape(f['shown_by'])} ({f['verdict']})",
        }
        for f in facts
        if f["kind"] == "erratum"
    ]
    return pd.DataFrame(rows, columns=["Where", "Printed", "We use", "Shown by"])
