"""Builds the book: executes the chapters that are out of date, renders all of them, swaps the result into place.

`_build/executed` holds one executed notebook per chapter, each with the key of `keys` it was executed under and its own
checksum; `_build/html` is the last good book, with the key it was rendered under and the checksum of every file, and is
replaced only by a whole new one. What does not fit its checksum is made again."""

import argparse
import hashlib
import json
import os
import shutil
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from unlearning import files
from unlearning.build import chapters, glance, keys
from unlearning.build.execute import (
    TIMEOUT,
    ChapterFailed,
    add_timeout,
    checked_timeout,
    execute,
    prepare_environment,
)
from unlearning.build.render import configuration, render, save, stage
from unlearning.errors import Failed, Refused
from unlearning.files import ROOT, Damaged
from unlearning.page import ledger

STAMP = ".rendered"  # in the built book: the key of everything it was rendered from, and the checksums of its files


class Progress:
    """Prints one line per cell: chapter i of n, cell, elapsed, remaining. Counts code cells; safe between threads."""

    def __init__(self, cells: dict[str, int]):
        self.cells, self.begun = cells, dict.fromkeys(cells, 0)
        self.start, self.lock = time.monotonic(), threading.Lock()

    def cell(self, name: str) -> None:
        """Report that the next code cell of a chapter begins."""
        with self.lock:
            elapsed, done = time.monotonic() - self.start, sum(self.begun.values())
            left = (
                f"about {elapsed * (sum(self.cells.values()) - done) / done:.0f} s left"
                if done
                else "…"
            )
            self.begun[name] += 1
            at = f"chapter {list(self.cells).index(name) + 1} of {len(self.cells)}, {name}"
            print(
                f"{at}: cell {self.begun[name]} of {self.cells[name]} · {elapsed:.0f} s · {left}",
                flush=True,
            )


def build(root: Path = ROOT, workers: int | None = None, timeout: float = TIMEOUT) -> Path:
    """Bring the book up to date and return the path of its first page.

    timeout: seconds that a chapter may take. Raises Refused while another build of this folder runs, and for chapters
    or settings that cannot be read; Failed with one line per failure. `_build/html` is then as it was.
    """
    home, told = (
        root / "_build",
        "another build of this folder is running: wait for it, then build again",
    )
    configuration(root)
    names = chapters.in_toc(root)
    with files.only_one(home, told=told):
        for left in (*home.glob("render-*"), *home.glob("print-*")):  # of what was killed
            shutil.rmtree(left, ignore_errors=True)
        prepare_environment(home / "scratch")
        sources = {name: chapters.path_of(name, root).read_text() for name in names}
        notebooks = {name: chapters.read(chapters.path_of(name, root)) for name in names}
        _clear(home / "executed", names)
        late = [name for name in names if keys.reads_verdicts(notebooks[name])]
        for group in ([name for name in names if name not in late], late):
            chosen = {name: (sources[name], notebooks[name]) for name in group}
            _refresh(root, chosen, workers, timeout)
        executed = {name: nbformat.read(home / "executed" / f"{name}.ipynb", 4) for name in names}
        with tempfile.TemporaryDirectory(dir=home, prefix="render-") as folder:
            staged = stage(executed, root, Path(folder) / "stage", strict=True)
            key = keys.render_key(staged, root)
            if not _is_rendered(home / "html", key):
                print(f"rendering {len(names)} pages", flush=True)
                html = render(staged, strict=True)
                files.save_json(html / STAMP, {"key": key, "files": sums(html)})
                if (home / "html").exists():
                    (home / "html").rename(Path(folder) / "old")
                html.rename(home / "html")
    return home / "html" / "book" / f"{names[0]}.html"


def _clear(folder: Path, names: list[str]) -> None:
    """Remove executed notebooks of chapters that are gone, and those that are not what a build wrote."""
    for path in sorted(folder.glob("*.ipynb")):
        if path.stem in names and _key_of(path) is None:
            print(f"{path.name} of the last build is damaged: the chapter is executed again")
        if path.stem not in names or _key_of(path) is None:
            path.unlink()


def _is_rendered(html: Path, key: str) -> bool:
    """Whether the book is the one of this key, and whole."""
    try:
        told = files.load_json(html / STAMP)
        return told["key"] == key and told["files"].items() <= sums(html).items()
    except (Damaged, KeyError, AttributeError, OSError):
        return False


def sums(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below a folder but the stamp."""
    every = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in every.items()
        if name != STAMP
    }


def _refresh(
    root: Path, group: dict[str, tuple[str, NotebookNode]], workers: int | None, timeout: float
) -> None:
    """Execute the chapters of a group whose key changed, side by side; raise Failed if one fails."""
    folder = root / "_build" / "executed"
    verdicts = [fact for fact in ledger.collect(folder) if fact["chapter"] not in group]

    def key(name: str) -> str:
        source, notebook = group[name]
        return keys.key(source, notebook, chapters.defaults(name, root), root, verdicts)

    now = {name: key(name) for name in group}
    todo = [name for name in group if _key_of(folder / f"{name}.ipynb") != now[name]]
    if todo:
        print(told(folder, {name: group[name][1] for name in todo}, workers), flush=True)
    progress = Progress(
        {name: len([c for c in group[name][1].cells if c.cell_type == "code"]) for name in todo}
    )

    stop = threading.Event()  # set by Ctrl-C

    def one(name: str) -> None:
        notebook = group[name][1]
        cwd = root / "_build" / "work" / name
        shutil.rmtree(cwd, ignore_errors=True)
        cwd.mkdir(parents=True)
        start = time.monotonic()
        try:
            done = execute(name, notebook, {}, cwd, lambda: progress.cell(name), timeout, stop)
        except ChapterFailed as error:
            save(error.notebook, root / "_build" / "failed" / f"{name}.ipynb")
            raise
        if now[name] != key(name):
            raise Failed(
                f"chapter {name}: the library or the results changed while it ran; build again"
            )
        done.metadata["unlearning"] = {
            "chapter": name,
            "key": now[name],
            "seconds": round(time.monotonic() - start, 1),
        }
        save(_sealed(done), folder / f"{name}.ipynb")

    pool = ThreadPoolExecutor(max_workers=workers or os.cpu_count())
    try:
        errors = [future.exception() for future in [pool.submit(one, name) for name in todo]]
    finally:
        stop.set()  # after Ctrl-C: the chapters' kernels end, and no other chapter begins
        pool.shutdown(cancel_futures=True)
    for error in errors:
        if error is not None and not isinstance(error, (Failed, Refused, OSError)):
            raise error
    if failures := [str(error) for error in errors if error is not None]:
        raise Failed(
            "\n".join(failures) + "\nwhat ran is in _build/failed; the last good book is untouched"
        )


def told(folder: Path, todo: dict[str, NotebookNode], workers: int | None = None) -> str:
    """What a build is about to do, before it does it: chapters, minutes (as the last build took, or as they state).

    folder: of the last build's executed notebooks; todo: the chapters to execute.
    """
    seconds = []
    for name, notebook in todo.items():
        try:
            seconds.append(
                files.load_json(folder / f"{name}.ipynb")["metadata"]["unlearning"]["seconds"]
            )
        except (Damaged, OSError, KeyError, TypeError):
            seconds.append(glance.stated_seconds(notebook))
    side_by_side = min(workers or os.cpu_count(), len(todo))
    minutes = max(sum(seconds) / side_by_side, *seconds, 0) / 60
    return (
        f"executing {len(todo)} chapters, {side_by_side} at a time: about {max(1, round(minutes))} min; "
        "nothing is downloaded"
    )


def _sealed(notebook: NotebookNode) -> NotebookNode:
    """The executed notebook with its checksum: of its JSON without the checksum, in metadata.unlearning.sha256."""
    facts = notebook.metadata["unlearning"]
    facts.pop(files.SHA, None)
    facts[files.SHA] = files.digest_json(json.loads(nbformat.writes(notebook, 4)))
    return notebook


def _key_of(path: Path) -> str | None:
    """The key an executed notebook was made under; None when there is none, or it is not what a build wrote."""
    try:
        told = files.load_json(path)
        facts = told["metadata"]["unlearning"]
        return facts["key"] if facts.pop(files.SHA) == files.digest_json(told) else None
    except (Damaged, KeyError, TypeError, AttributeError):
        return None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `unlearning build`."""
    add_timeout(parser)


def main(arguments: argparse.Namespace) -> int:
    """Exit status 0; failures are raised."""
    print(f"the book is built: open {build(timeout=checked_timeout(arguments.timeout))}")
    return 0
