"""`unlearning notebooks [DIR]`: every chapter as a notebook without outputs, for papermill or Jupyter.

A cell below the parameters refuses values outside their ranges, as `unlearning run` does.
The folder is a place to work in: a notebook that somebody changed or ran there is kept, and named.
"""

import argparse
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from unlearning import files
from unlearning.build import chapters
from unlearning.build.render import save, with_ranges
from unlearning.files import ROOT, Damaged


def write(folder: Path, root: Path = ROOT) -> list[Path]:
    """Write every chapter of the contents page to `folder`; return the files that were written or were up to date.

    A file that is neither a chapter as it is now nor one as it was written here before is somebody's work: it stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name in chapters.in_toc(root):
        notebook = with_ranges(chapters.read(chapters.path_of(name, root)))
        path = folder / f"{name}.ipynb"
        notebook.metadata["unlearning"] = {files.SHA: _digest(notebook)}
        if not path.exists() or _is_untouched(path):
            save(notebook, path)
            made.append(path)
    return made


def _is_untouched(path: Path) -> bool:
    """Whether a notebook is as `write` left it, as far as cells and outputs go."""
    try:
        told = files.load_json(path)
        notebook = nbformat.from_dict(told)
        return told["metadata"]["unlearning"][files.SHA] == _digest(notebook)
    except (Damaged, KeyError, TypeError, AttributeError, ValueError, RecursionError):
        return False


def _digest(notebook: NotebookNode) -> str:
    """Of the cells' kinds, texts and outputs: Jupyter changes the rest when it only opens and saves a notebook."""
    cells = [
        [cell["cell_type"], "".join(cell["source"]), list(cell.get("outputs", []))]
        for cell in notebook["cells"]
    ]
    return files.digest_json({"cells": cells})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `unlearning notebooks`."""
    parser.add_argument("folder", nargs="?", default="notebooks")


def main(arguments: argparse.Namespace) -> int:
    """Exit status 0; notebooks that were kept because somebody changed them are named on stderr."""
    folder = Path(arguments.folder)
    made = write(folder)
    for path in made:
        print(path)
    every = [folder / f"{name}.ipynb" for name in chapters.in_toc()]
    if kept := [str(path) for path in every if path not in made]:
        print(
            f"kept, because they were changed or run: {', '.join(kept)}\nrename one, or give another folder, to have "
            "the chapter as it is now",
            file=sys.stderr,
        )
    return 0
