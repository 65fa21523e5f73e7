"""Reads back what the chapters decided, from their executed notebooks."""

from pathlib import Path

import nbformat
from nbformat import NotebookNode

from unlearning.files import ROOT
from unlearning.page.verdicts import KEY, judge

EXECUTED = ROOT / "_build" / "executed"  # where the build keeps executed chapters


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


def verdict_of(claim: str, collected: list[dict]) -> str:
    """The verdict on a claim from all checks of all chapters that decided it; "not yet run" when none did."""
    checks = {
        f"{f['chapter']}: {name}": ok
        for f in collected
        if f.get("id") == claim and f["kind"] == "claim"
        for name, ok in f["checks"].items()
    }
    return judge(checks) if checks else "not yet run"
