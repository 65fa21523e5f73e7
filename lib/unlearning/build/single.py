"""One chapter with other parameters (`unlearning run`), and the README's picture."""

import argparse
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
from unlearning.build.edition import edition, provenance
from unlearning.build.execute import (
    TIMEOUT,
    ChapterFailed,
    add_timeout,
    checked_timeout,
    execute,
    prepare_environment,
)
from unlearning.build.figure_pack import figures_of
from unlearning.build.record import contents, meanings, pictures, warned
from unlearning.build.render import configuration, render, save, stage
from unlearning.build.values import read_values
from unlearning.errors import Refused
from unlearning.files import ROOT, new_folder, numbered

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
        done, record = carry_out(
            name, notebook, parameters, values, part, root, progress.cell, timeout
        )
        page(name, done, parameters, root, Path(scratch)).rename(part / "html")
    return record


def carry_out(
    name: str,
    notebook: NotebookNode,
    parameters: dict[str, object],
    values: dict[str, object],
    folder: Path,
    root: Path = ROOT,
    report: Callable[[str], None] = lambda name: None,
    timeout: float = TIMEOUT,
) -> tuple[NotebookNode, dict]:
    """Execute a chapter in `folder`; write NAME.ipynb, figures/ and results.json; return the notebook and the record.

    parameters: all of them; values: those that differ from the defaults; report(name) is called before each code cell;
    timeout: seconds for the chapter. The record: chapter, parameters, numbers, verdicts; `meaning` of parameters and
    numbers, with units; figures (name -> file, caption); warnings of cells; provenance. Raises ChapterFailed as
    `execute` does; what ran is then in NAME.ipynb.
    """
    try:
        done = _started(name, notebook, values, folder, report, timeout)
    except ChapterFailed as error:
        save(error.notebook, folder / f"{name}.ipynb")
        raise
    save(done, folder / f"{name}.ipynb")
    record = {"chapter": name, "parameters": parameters, **contents(name, done)}
    known = chapters.parameters(chapters.path_of(name, root))
    record["meaning"] = meanings(done, record["numbers"], known)
    record["figures"] = _figures(name, done, folder)
    record |= {"warnings": warned(done), "provenance": provenance(root)}
    (folder / "results.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    return done, record


def _figures(name: str, executed: NotebookNode, folder: Path) -> dict[str, dict[str, str]]:
    """Writes each figure to folder/figures/NAME.svg: figure's name -> its file and caption."""
    found = {}
    for key, (svg, caption) in figures_of(name, executed).items():
        file = f"figures/{re.sub(r'[^A-Za-z0-9_-]', '_', key)}.svg"
        (folder / "figures").mkdir(exist_ok=True)
        (folder / file).write_text(svg)
        found[key] = {"file": file, "caption": caption}
    return found


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
            return execute(name, notebook, values, folder, began, timeout, strict=False)
        except RuntimeError as error:
            if isinstance(error, ChapterFailed) or begun or not str(error).startswith("Kernel"):
                raise
            if not left:
                text = f"chapter {name}, before its first cell: {error}"
                raise ChapterFailed(text, notebook) from None


def with_banner(
    executed: NotebookNode, parameters: dict[str, object], usual: dict[str, object], told: str
) -> NotebookNode:
    """The notebook with a note below its title: that it is a run, with which values, of which edition (`told`).

    The comments on a page are written for the defaults (`usual`): whoever reads a run must know where it differs.
    """
    other = [
        f"`{key} = {value!r}` instead of `{usual[key]!r}`"
        for key, value in parameters.items()
        if key in usual and value != usual[key]
    ]
    values = "; ".join(other) + ". The comments were written for the defaults."
    text = (
        "```{admonition} A run of this chapter, not a page of the book\n:class: warning\n"
        f"{values if other else 'Run with the default values.'} {told}.\n```"
    )
    note = nbformat.v4.new_markdown_cell(text, id="run")
    return nbformat.from_dict({**executed, "cells": [executed.cells[0], note, *executed.cells[1:]]})


def page(
    name: str, executed: NotebookNode, parameters: dict[str, object], root: Path, scratch: Path
) -> Path:
    """The folder of HTML pages of one executed chapter, rendered below `scratch`. Raises Failed.

    parameters: those that it was executed with; the page says which differ from the defaults.
    """
    usual, told = chapters.defaults(name, root), edition(root).told()
    noted = with_banner(executed, parameters, usual, told)
    staged = stage({name: noted}, root, scratch / "stage", strict=False)
    return render(staged, strict=False)


def code_cells(notebook: NotebookNode) -> int:
    """Number of code cells."""
    return len([cell for cell in notebook.cells if cell.cell_type == "code"])


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
    names = [name for name, _ in arguments.pairs]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise Refused(f"-p {twice[0]} is given twice: give each parameter one value")
    # The command line wins over files; a minus sign came with a space, so that it is not taken for an option.
    values |= {
        name: value[1:] if value.startswith(" -") else value for name, value in arguments.pairs
    }
    source, timeout = chapters.path_of(arguments.chapter), checked_timeout(arguments.timeout)
    out = Path(arguments.out) if arguments.out else numbered(Path("runs"), source.stem)
    try:
        record = run(source.stem, values, out, timeout=timeout)
    finally:
        if not arguments.out:
            with suppress(OSError):  # the number is free again if nothing came of it
                out.rmdir()
    for line in record["warnings"]:
        print(f"warned in {line}")
    for fact in record["verdicts"]:
        print(f"{fact['id']}: {fact['verdict']}")
    print(f"{out}/{source.stem}.ipynb, {out}/html/book/{source.stem}.html, {out}/results.json")
    return 0
