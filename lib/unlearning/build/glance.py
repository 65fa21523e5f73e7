"""What a chapter asks of its reader: minutes of reading, seconds of running. Computed from its text, not typed."""

import re

import nbformat
from nbformat import NotebookNode

WORDS = 200  # of prose that a reader takes in per minute
LINES = 25  # of code per minute
PICTURE = 0.25  # minutes for a figure or a table
HIDDEN = {"hide-input", "hide-cell", "remove-input", "remove-cell"}


def reading_minutes(notebook: NotebookNode) -> int:
    """Minutes to read a chapter: prose, visible code, figures and tables; folded cells and solutions are not counted."""
    words = lines = pictures = 0
    text = "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    text = re.sub(r"(`{3,})\{solution[^\n]*\n.*?\n\1", "", text, flags=re.S)
    text = re.sub(r"<[^>]+>|^`{3,}.*$|^:.*$", "", text, flags=re.M)
    words = len(re.findall(r"[^\W\d_]{2,}", text))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            if not HIDDEN & set(cell.metadata.get("tags", [])):
                lines += sum(bool(line.strip()) for line in cell.source.splitlines())
            pictures += len(
                re.findall(r"\b(?:figures|interactive)\.(?:show|frames|table)\(", cell.source)
            )
    return max(1, round(words / WORDS + lines / LINES + PICTURE * pictures))


def with_reading(notebook: NotebookNode) -> NotebookNode:
    """The notebook with the reading time before the runtime in its opening block; as it was without such a block."""
    told = f"**Reading** about {reading_minutes(notebook)} min. **Runtime**"
    made = nbformat.from_dict(notebook)
    for cell in made.cells[:2]:
        cell.source = cell.source.replace("**Runtime**", told, 1)
    return made


def stated_seconds(notebook: NotebookNode) -> float:
    """Seconds that the chapter's opening block states as its runtime on one core; 20 where it states none."""
    text = "\n".join(cell.source for cell in notebook.cells[:2])
    found = re.search(r"\*\*Runtime\*\*[^.]*?\b(a|\d+) (second|s|min|minute)s?\b", text)
    if not found:
        return 20.0
    return (1 if found[1] == "a" else int(found[1])) * (60 if found[2].startswith("m") else 1)
