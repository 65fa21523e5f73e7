"""Reads back what the chapters decided, from their executed notebooks."""

from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from unlearning.files import BUILD
from unlearning.page.verdicts import KEY, NOT_RUN, SCALES, judge, papers

EXECUTED = BUILD / "executed"  # where the build keeps executed chapters


def facts(chapter: str, notebook: NotebookNode) -> list[dict]:
    """The verdicts and errata recorded in one executed notebook, in order, each with its chapter's name."""
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", []))
    return [
        {"chapter": chapter, **o.metadata[KEY]} for o in outputs if KEY in o.get("metadata", {})
    ]


def collect(folder: Path = EXECUTED) -> list[dict]:
    """All facts of the executed chapters in `folder` (by default the last build's), chapter by chapter.

    A chapter that was not executed there has no facts: its claims count as "not yet run".
    """
    return [
        fact
        for path in sorted(folder.glob("*.ipynb"))
        for fact in facts(path.stem, nbformat.read(path, 4))
    ]


@dataclass(frozen=True)
class Verdict:
    """What the book found about one claim."""

    paper: str  # at the paper's own scale: reproduced, contradicted, cannot decide or not run
    here: str  # on the largest scale on which it was tested: agrees, disagrees, cannot decide or not run
    scale: str  # that scale, a key of verdicts.SCALES; "" if it was not run


def verdict_of(claim: str, collected: list[dict]) -> Verdict:
    """The verdict on a claim from all checks of all chapters that decided it, on the largest scale they used."""
    facts = [f for f in collected if f.get("id") == claim and f["kind"] == "claim"]
    if not facts:
        return Verdict(NOT_RUN, NOT_RUN, "")
    scale = max((f["scale"] for f in facts), key=list(SCALES).index)
    checks = {
        f"{f['chapter']}: {name}": holds
        for f in facts
        if f["scale"] == scale
        for name, holds in f["checks"].items()
    }
    here = "cannot decide" if SCALES[scale].weak else judge(checks)
    return Verdict(papers(here, scale), here, scale)
