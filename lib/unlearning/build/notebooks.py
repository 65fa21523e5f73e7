"""`unlearning notebooks [DIR]`: every chapter as a notebook without outputs, for papermill or Jupyter."""

import argparse
from pathlib import Path

import nbformat

from unlearning.build import chapters
from unlearning.files import ROOT


def write(folder: Path, root: Path = ROOT) -> list[Path]:
    """Write every chapter of the contents page to `folder`; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name in chapters.in_toc(root):
        nbformat.write(chapters.read(chapters.path_of(name, root)), folder / f"{name}.ipynb")
        made.append(folder / f"{name}.ipynb")
    return made


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `unlearning notebooks`."""
    parser.add_argument("folder", nargs="?", default="notebooks")


def main(arguments: argparse.Namespace) -> int:
    """Exit status 0."""
    for path in write(Path(arguments.folder)):
        print(path)
    return 0
