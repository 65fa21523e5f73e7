"""Verdicts and errata: decided by checks that a chapter computed, shown on its page, carried in its executed notebook.

`decide` and `erratum` display a box; the same facts ride along in the output's metadata, so that the page and the
verdict table can never disagree. `ledger.collect` reads them back.
"""

import html

from IPython.display import display

from unlearning.page.claims import BY_ID

SCALES = {
    "exact": "closed forms and numerical solutions",
    "simulation": "simulated data",
    "digits": "scikit-learn digits",
    "laptop": "real data cut to a laptop",
    "paper": "the paper's own scale",
}
KEY = "unlearning"  # of the output metadata


def judge(checks: dict[str, bool]) -> str:
    """'reproduced' when every check holds, 'differs' when some do, 'not reproduced' when none does.

    Raises ValueError without a check and TypeError when a check is not a plain bool (a number would always "hold").
    """
    if not checks:
        raise ValueError("no checks were given: a verdict needs at least one computed check")
    for name, holds in checks.items():
        if not isinstance(holds, bool):
            raise TypeError(f"check {name!r} is {holds!r}: give a bool, e.g. bool(worst < 1e-8)")
    return (
        "reproduced"
        if all(checks.values())
        else "differs"
        if any(checks.values())
        else "not reproduced"
    )


def _box(title: str, verdict: str, lines: list[str], checks: dict[str, bool]) -> str:
    rows = "".join(
        f'<li class="{"holds" if ok else "fails"}">{"✓" if ok else "✗"} {html.escape(name)}</li>'
        for name, ok in checks.items()
    )
    text = "".join(f"<p>{html.escape(line)}</p>" for line in lines)
    badge = f'<span class="badge-verdict {verdict.replace(" ", "-")}">{verdict}</span>'
    return f'<div class="verdict"><p><strong>{html.escape(title)}</strong> {badge}</p>{text}<ul>{rows}</ul></div>'


def decide(claim: str, *, evidence: str, checks: dict[str, bool], scale: str) -> None:
    """Decide claim C1-C14 by `checks` (name: does it hold), computed on `scale`, and display the verdict.

    Raises ValueError for an unknown claim or scale, an empty evidence text or no checks.
    """
    if claim not in BY_ID:
        raise ValueError(f"unknown claim {claim!r}: choose from {', '.join(BY_ID)}")
    if scale not in SCALES:
        raise ValueError(f"unknown scale {scale!r}: choose from {', '.join(SCALES)}")
    if not evidence.strip():
        raise ValueError(
            f"no evidence was given for {claim}: say in one sentence what was computed, with its number"
        )
    verdict = judge(checks)
    lines = [f"The claim: {BY_ID[claim].text}", f"Evidence ({SCALES[scale]}): {evidence}"]
    fact = {
        "kind": "claim",
        "id": claim,
        "verdict": verdict,
        "evidence": evidence,
        "scale": scale,
        "checks": checks,
    }
    body = _box(f"{claim}", verdict, lines, checks)
    display(
        {"text/html": body, "text/plain": f"{claim}: {verdict}. {evidence}"},
        raw=True,
        metadata={KEY: fact},
    )


def erratum(
    id: str, *, where: str, printed: str, ours: str, shown_by: str, checks: dict[str, bool]
) -> None:
    """Record a slip in the paper's text: what is printed, what we use, and the computation that shows it.

    `checks` must hold for the erratum to count as shown; otherwise it is listed as not shown. Raises as `decide`.
    """
    verdict = "shown" if judge(checks) == "reproduced" else "not shown"
    lines = [f"Printed: {printed}", f"We use: {ours}", shown_by]
    fact = {
        "kind": "erratum",
        "id": id,
        "where": where,
        "printed": printed,
        "ours": ours,
        "shown_by": shown_by,
        "verdict": verdict,
        "checks": checks,
    }
    body = _box(f"Erratum, {where}", verdict, lines, checks)
    display(
        {"text/html": body, "text/plain": f"erratum {id}: {verdict}. {shown_by}"},
        raw=True,
        metadata={KEY: fact},
    )
