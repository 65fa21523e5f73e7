"""The numbers of each figure as a file beside its page, and a link to it under the picture."""

from pathlib import Path

import nbformat
from nbformat import NotebookNode

from unlearning.page.figures import DATA

FOLDER = "figure_data"  # beside the pages


def with_data(name: str, executed: NotebookNode, book: Path) -> NotebookNode:
    """The notebook of chapter `name` with a link under each figure that carries data; writes book/figure_data/KEY.csv.

    KEY is the figure's name in its cell's header, or the chapter's and a number. What the notebook carried is in the
    file then and no longer in the notebook. A name that would lead to another folder loses its slashes.
    """
    made = nbformat.from_dict(executed)
    for cell in made.cells:
        for output in cell.get("outputs", []):
            text = output.get("metadata", {}).pop(DATA, "")
            if text and "text/html" in output.get("data", {}):
                told = cell.metadata.get("mystnb", {}).get("figure", {}).get("name", "")
                (book / FOLDER).mkdir(exist_ok=True)
                key = told.replace("/", "-") or f"{name}-{len(list((book / FOLDER).iterdir())) + 1}"
                (book / FOLDER / f"{key}.csv").write_text(text)
                words = "data of this figure (CSV)" if told else "all rows (CSV)"
                link = f'<a href="{FOLDER}/{key}.csv" download>{words}</a>'
                output.data["text/html"] += f'<p class="figure-data">{link}</p>'
    return made
