"""Builds the book: executes the chapters that are out of date, renders all of them, swaps the result into place.

`_build/executed` holds one executed notebook per chapter, each with the key of `keys` it was executed under;
`_build/html` is the last good book, with the key it was rendered under, and is replaced only by a whole new one."""

import argparse
import fcntl
import os
import shutil
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from unlearning.build import chapters, keys
from unlearning.build.execute import ChapterFailed, execute, prepare_environment
from unlearning.build.render import render, save, stage
from unlearning.errors import Failed
from unlearning.files import ROOT
from unlearning.page import ledger

STAMP = ".rendered"  # file in the built book: the key of everything it was rendered from


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


def build(root: Path = ROOT, workers: int | None = None) -> Path:
    """Bring the book up to date and return the path of its first page.

    Raises Failed with one line per failure; `_build/html` is then as it was.
    """
    home = root / "_build"
    home.mkdir(exist_ok=True)
    with _alone(home / "lock"):
        prepare_environment(home / "scratch")
        names = chapters.in_toc(root)
        sources = {name: chapters.path_of(name, root).read_text() for name in names}
        notebooks = {name: chapters.read(chapters.path_of(name, root)) for name in names}
        for old in (home / "executed").glob("*.ipynb"):
            if old.stem not in names:
                old.unlink()
        late = [name for name in names if keys.reads_verdicts(notebooks[name])]
        for group in ([name for name in names if name not in late], late):
            _refresh(root, {name: (sources[name], notebooks[name]) for name in group}, workers)
        executed = {name: nbformat.read(home / "executed" / f"{name}.ipynb", 4) for name in names}
        with tempfile.TemporaryDirectory(dir=home, prefix="render-") as folder:
            staged = stage(executed, root, Path(folder) / "stage", strict=True)
            key = keys.render_key(staged, root)
            if not (home / "html" / STAMP).exists() or (home / "html" / STAMP).read_text() != key:
                print(f"rendering {len(names)} pages", flush=True)
                html = render(staged, strict=True)
                (html / STAMP).write_text(key)
                if (home / "html").exists():
                    (home / "html").rename(Path(folder) / "old")
                html.rename(home / "html")
    return home / "html" / "book" / f"{names[0]}.html"


@contextmanager
def _alone(lock: Path):
    """Hold the lock file, so that two builds of one folder cannot mix. Raises Failed when another holds it."""
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failed(
                "another build of this folder is running: wait for it, then build again"
            ) from None
        yield


def _refresh(root: Path, group: dict[str, tuple[str, NotebookNode]], workers: int | None) -> None:
    """Execute the chapters of a group whose key changed, side by side; raise Failed if one fails."""
    folder = root / "_build" / "executed"
    verdicts = [fact for fact in ledger.collect(folder) if fact["chapter"] not in group]

    def key(name: str) -> str:
        source, notebook = group[name]
        return keys.key(source, notebook, chapters.defaults(name, root), root, verdicts)

    now = {name: key(name) for name in group}
    todo = [name for name in group if _key_of(folder / f"{name}.ipynb") != now[name]]
    progress = Progress(
        {name: len([c for c in group[name][1].cells if c.cell_type == "code"]) for name in todo}
    )

    def one(name: str) -> None:
        notebook = group[name][1]
        cwd = root / "_build" / "work" / name
        shutil.rmtree(cwd, ignore_errors=True)
        cwd.mkdir(parents=True)
        start = time.monotonic()
        try:
            done = execute(name, notebook, {}, cwd, lambda: progress.cell(name))
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
        save(done, folder / f"{name}.ipynb")

    with ThreadPoolExecutor(max_workers=workers or os.cpu_count()) as pool:
        futures = [pool.submit(one, name) for name in todo]
        failures = [str(e) for e in (f.exception() for f in futures) if e is not None]
    if failures:
        raise Failed(
            "\n".join(failures) + "\nwhat ran is in _build/failed; the last good book is untouched"
        )


def _key_of(path: Path) -> str | None:
    """The key an executed notebook was made under; None when there is none or it cannot be read."""
    try:
        return nbformat.read(path, 4).metadata["unlearning"]["key"]
    except (OSError, KeyError, nbformat.reader.NotJSONError, nbformat.ValidationError):
        return None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`unlearning build` has no options."""


def main(arguments: argparse.Namespace) -> int:
    """Exit status 0; failures are raised."""
    print(f"the book is built: open {build()}")
    return 0
