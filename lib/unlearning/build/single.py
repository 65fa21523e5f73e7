"""One chapter with other parameters (`unlearning run`), and the README's picture."""

import argparse
import ast
import json
import re
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from unlearning.build import chapters
from unlearning.build.book import Progress
from unlearning.build.execute import (
    TIMEOUT,
    ChapterFailed,
    add_timeout,
    checked_timeout,
    execute,
    prepare_environment,
)
from unlearning.build.render import configuration, render, save, stage
from unlearning.build.values import read_values
from unlearning.files import ROOT, new_folder, numbered
from unlearning.page import ledger

STARTS = 3  # attempts to start a kernel


def run(
    name: str,
    values: dict[str, object],
    out: Path,
    root: Path = ROOT,
    timeout: float = TIMEOUT,
) -> dict:
    """Execute one chapter with other parameters; write notebook, HTML, figures and numbers to `out`; return the numbers.

    `out` must be new or empty. It appears when everything is done; what a failed run had written stays in a folder
    OUT.part, which the error names. timeout: seconds that the chapter may take.
    """
    source = chapters.path_of(name, root)
    notebook, values = chapters.read(source), chapters.overrides(source, values)
    configuration(root)
    progress = Progress({name: code_cells(notebook) + bool(values)})
    with (
        new_folder(out) as part,
        tempfile.TemporaryDirectory(dir=part, prefix="scratch-") as scratch,
    ):
        prepare_environment(Path(scratch))
        parameters = chapters.defaults(name, root) | values
        done, record = carry_out(name, notebook, parameters, values, part, progress.cell, timeout)
        for at, picture in enumerate(pictures(done), 1):
            (part / "figures").mkdir(exist_ok=True)
            (part / "figures" / f"{at:02d}.svg").write_text(picture)
        page(name, with_banner(done, name, values, root), root, Path(scratch)).rename(part / "html")
    return record


def carry_out(
    name: str,
    notebook: NotebookNode,
    parameters: dict[str, object],
    values: dict[str, object],
    folder: Path,
    report: Callable[[str], None] = lambda name: None,
    timeout: float = TIMEOUT,
) -> tuple[NotebookNode, dict]:
    """Execute a chapter in `folder`, write NAME.ipynb and results.json there; return the notebook and the record.

    parameters: all of them; values: those that differ from the defaults; report(name) is called before each code cell;
    timeout: seconds for the chapter. Raises ChapterFailed as `execute` does; what ran is then in NAME.ipynb.
    """
    try:
        done = _started(name, notebook, values, folder, report, timeout)
    except ChapterFailed as error:
        save(error.notebook, folder / f"{name}.ipynb")
        raise
    save(done, folder / f"{name}.ipynb")
    record = {"chapter": name, "parameters": parameters, **contents(name, done)}
    (folder / "results.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    return done, record


def _started(
    name: str,
    notebook: NotebookNode,
    values: dict[str, object],
    folder: Path,
    report: Callable[[str], None],
    timeout: float,
) -> NotebookNode:
    """`execute`, tried again when no kernel came up: two that start at one moment may choose the same port."""
    begun: list[str] = []

    def began() -> None:
        begun.append(name)
        report(name)

    for left in reversed(range(STARTS)):
        try:
            return execute(name, notebook, values, folder, began, timeout)
        except RuntimeError as error:
            if isinstance(error, ChapterFailed) or begun or not str(error).startswith("Kernel"):
                raise
            if not left:
                text = f"chapter {name}, before its first cell: {error}"
                raise ChapterFailed(text, notebook) from None


def with_banner(
    executed: NotebookNode, name: str, values: dict[str, object], root: Path
) -> NotebookNode:
    """The notebook with a note below its title that says which values it was run with; none for the defaults.

    The comments on a page are written for the defaults: whoever reads a page with other values must know.
    """
    if not values:
        return executed
    usual = chapters.defaults(name, root)
    told = "; ".join(
        f"`{key} = {value!r}` instead of `{usual[key]!r}`" for key, value in values.items()
    )
    text = f"```{{admonition}} Run with other values\n:class: warning\n{told}. The comments were written for the defaults.\n```"
    note = nbformat.v4.new_markdown_cell(text, id="other-values")
    return nbformat.from_dict({**executed, "cells": [executed.cells[0], note, *executed.cells[1:]]})


def page(name: str, executed: NotebookNode, root: Path, scratch: Path) -> Path:
    """The folder of HTML pages of one executed chapter, rendered below `scratch`. Raises Failed."""
    staged = stage({name: executed}, root, scratch / "stage", strict=False)
    return render(staged, strict=False)


def code_cells(notebook: NotebookNode) -> int:
    """Number of code cells."""
    return len([cell for cell in notebook.cells if cell.cell_type == "code"])


def contents(name: str, executed: NotebookNode) -> dict:
    """The numbers of an executed chapter: glued values by name, verdicts and errata."""
    glued = {}
    for cell in executed.cells:
        for output in cell.get("outputs", []):
            book = output.get("metadata", {}).get("scrapbook", {})
            if "name" in book:
                text = next(v for k, v in output.data.items() if k.endswith("text/plain"))
                try:
                    glued[book["name"]] = ast.literal_eval(text)
                except (ValueError, SyntaxError):
                    glued[book["name"]] = text
    return {"numbers": glued, "verdicts": ledger.facts(name, executed)}


def pictures(executed: NotebookNode) -> list[str]:
    """All SVG panels of an executed chapter, in order, each a document of its own."""
    outputs = (
        o
        for cell in executed.cells
        for o in cell.get("outputs", [])
        if "text/html" in o.get("data", {})
    )
    return [
        svg for o in outputs for svg in re.findall(r"<svg.*?</svg>", o.data["text/html"], re.DOTALL)
    ]


def overview(root: Path = ROOT) -> Path:
    """Write the README's picture from the first figure of the built first page; return its path.

    The panels stand side by side on a white card, because a picture in a README cannot follow the reader's theme.
    """
    executed = nbformat.read(root / "_build" / "executed" / f"{chapters.in_toc(root)[0]}.ipynb", 4)
    panels = []
    for at, panel in enumerate(pictures(executed)[:2]):
        x0, y0, width, height = re.search(r'viewBox="(\S+) (\S+) (\S+) (\S+)"', panel).groups()
        panels.append(
            f'<g transform="translate({at * float(width):g} 0)">{panel}</g>'.replace(
                'style="width:100%;height:auto"', f'width="{width}" height="{height}"'
            )
        )
    size = f'viewBox="0 0 {2 * float(width):g} {height}" width="{2 * float(width):g}" height="{height}"'
    card = f'<svg {size} xmlns="http://www.w3.org/2000/svg" color="#222"><rect width="100%" height="100%" fill="#fff"/>'
    target = root / "book" / "_static" / "overview.svg"
    target.write_text(card + "".join(panels) + "</svg>\n")
    return target


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `unlearning run`."""
    add = parser.add_argument
    add("chapter")
    add(
        "-p",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        dest="pairs",
        help="may be repeated",
    )
    add(
        "-f",
        metavar="FILE.yml",
        dest="files",
        action="append",
        default=[],
        help="name: value per line; -p wins",
    )
    add("--out", metavar="DIR", help="a new folder (default: the next free runs/CHAPTER-N)")
    add_timeout(parser)


def main(arguments: argparse.Namespace) -> int:
    """Exit status 0; refusals and failures are raised."""
    values: dict[str, object] = {}
    for file in arguments.files:
        values |= read_values(Path(file))
    for name, value in arguments.pairs:  # the command line wins over files
        values[name] = value
    source, timeout = chapters.path_of(arguments.chapter), checked_timeout(arguments.timeout)
    out = Path(arguments.out) if arguments.out else numbered(Path("runs"), source.stem)
    try:
        record = run(source.stem, values, out, timeout=timeout)
    finally:
        if not arguments.out:
            with suppress(OSError):  # the number is free again if nothing came of it
                out.rmdir()
    for fact in record["verdicts"]:
        print(f"{fact['id']}: {fact['verdict']}")
    print(f"{out}/{source.stem}.ipynb, {out}/html/book/{source.stem}.html, {out}/results.json")
    return 0
