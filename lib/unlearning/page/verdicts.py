"""Verdicts and errata: decided by checks that a chapter computed, shown on its page, carried in its executed notebook.

A verdict has two fields and never one word: what was found at the paper's own scale, and what was found here, on a scale
that is named. `decide` and `erratum` display a box; the same facts ride along in the output's metadata, so that the page
and the verdict table can never disagree. `ledger.collect` reads them back.
"""

import html
from dataclasses import dataclass

from IPython.display import display

from unlearning.page.claims import BY_ID


@dataclass(frozen=True)
class Scale:
    """What checks were computed on."""

    text: str  # for people
    papers: bool  # whether it is the paper's own scale: theorems are, cut-down experiments are not
    weak: str = (
        ""  # why nothing found on this scale may decide a claim about deep networks; "": it may
    )


SCALES = {  # from the smallest to the paper's own
    "digits": Scale(
        "scikit-learn digits", False, "digits and a small network are not the paper's subject"
    ),
    "laptop": Scale(
        "690 images of 16×16, a network of an eighth of the paper's width",
        False,
        "forget sets of 1 to 7% of the data and 300 scored points outside them: a criterion hangs on single points",
    ),
    "mnist-laptop": Scale(
        "2,540 images each of MNIST and FashionMNIST at 14×14, a ResNet-9 of an eighth of the width",
        False,
        "few images leave more to memorise than all, and the smallest forget set is a single image",
    ),
    "desk": Scale("all of CIFAR-10 at 16×16, a quarter of the width", False),
    "mnist-desk": Scale(
        "all of MNIST and FashionMNIST at 14×14, a ResNet-9 of an eighth of the width", False
    ),
    "simulation": Scale("simulated data", True),
    "exact": Scale("closed forms and numerical solutions", True),
    "paper": Scale("the paper's own scale", True),
}
HERE = ("agrees", "cannot decide", "disagrees")
AT_PAPERS_SCALE = {
    "agrees": "reproduced",
    "cannot decide": "cannot decide",
    "disagrees": "contradicted",
}
NOT_RUN = "not run"
KEY = "unlearning"  # of the output metadata
MARKS = {True: ("holds", "✓"), None: ("open", "○"), False: ("fails", "✗")}


def judge(checks: dict[str, bool | None]) -> str:
    """'agrees' when every check holds, 'disagrees' when one fails, 'cannot decide' when some are open and none fails.

    A check is True, False, or None: open, because an interval crosses its criterion or its data are not there. A check
    may only be False where the data *exclude* the claim. Raises ValueError without a check and TypeError when a check
    is not a plain bool or None (a number would always "hold").
    """
    if not checks:
        raise ValueError("no checks were given: a verdict needs at least one computed check")
    for name, holds in checks.items():
        if not isinstance(holds, bool) and holds is not None:
            raise TypeError(
                f"check {name!r} is {holds!r}: give a bool, e.g. bool(worst < 1e-8), or None for open"
            )
    if False in checks.values():
        return "disagrees"
    return "agrees" if all(checks.values()) else "cannot decide"


def papers(verdict: str, scale: str) -> str:
    """The field "at the paper's scale" of a verdict that was found on `scale`."""
    return AT_PAPERS_SCALE[verdict] if SCALES[scale].papers else NOT_RUN


def badge(verdict: str) -> str:
    """A verdict's word as a coloured mark (HTML)."""
    return f'<span class="badge-verdict {verdict.replace(" ", "-")}">{verdict}</span>'


def _box(title: str, badges: str, lines: list[str], checks: dict[str, bool | None]) -> str:
    rows = "".join(
        f'<li class="{MARKS[holds][0]}">{MARKS[holds][1]} {html.escape(name)}{" (open)" * (holds is None)}</li>'
        for name, holds in checks.items()
    )
    text = "".join(f"<p>{html.escape(line)}</p>" for line in lines)
    return f'<div class="verdict"><p><strong>{html.escape(title)}</strong> {badges}</p>{text}<ul>{rows}</ul></div>'


def decide(claim: str, *, evidence: str, checks: dict[str, bool | None], scale: str) -> None:
    """Decide claim C1-C14 by `checks` (name: True, False or None for open), computed on `scale`; display the verdict.

    evidence: one sentence with the number, its interval and its unit. Raises ValueError for an unknown claim or scale,
    an empty evidence text or no checks.
    """
    if claim not in BY_ID:
        raise ValueError(f"unknown claim {claim!r}: choose from {', '.join(BY_ID)}")
    if scale not in SCALES:
        raise ValueError(f"unknown scale {scale!r}: choose from {', '.join(SCALES)}")
    if not evidence.strip():
        raise ValueError(
            f"no evidence was given for {claim}: say in one sentence what was computed, with its number"
        )
    weak = SCALES[scale].weak
    here = "cannot decide" if weak and judge(checks) else judge(checks)
    paper = papers(here, scale)
    lines = [f"The claim: {BY_ID[claim].text}", f"Evidence ({SCALES[scale].text}): {evidence}"]
    lines += [f"This scale cannot decide the claim: {weak}."] * bool(weak)
    fact = {"kind": "claim", "id": claim, "paper": paper, "verdict": here, "evidence": evidence, "scale": scale,
            "checks": checks}  # fmt: skip
    badges = f"at the paper's scale: {badge(paper)}; here: {badge(here)}"
    body = _box(claim, badges, lines, checks)
    plain = f"{claim}: {paper} at the paper's scale; {here} here. {evidence}"
    display({"text/html": body, "text/plain": plain}, raw=True, metadata={KEY: fact})


def erratum(
    id: str, *, where: str, printed: str, ours: str, shown_by: str, checks: dict[str, bool]
) -> None:
    """Record a slip in the paper's text: what is printed, what we use, and the computation that shows it.

    `checks` must hold for the erratum to count as shown; otherwise it is listed as not shown. Raises as `decide`.
    """
    verdict = "shown" if judge(checks) == "agrees" else "not shown"
    lines = [f"Printed: {printed}", f"We use: {ours}", shown_by]
    fact = {"kind": "erratum", "id": id, "where": where, "printed": printed, "ours": ours, "shown_by": shown_by,
            "verdict": verdict, "checks": checks}  # fmt: skip
    body = _box(f"Erratum, {where}", badge(verdict), lines, checks)
    display(
        {"text/html": body, "text/plain": f"erratum {id}: {verdict}. {shown_by}"},
        raw=True,
        metadata={KEY: fact},
    )
