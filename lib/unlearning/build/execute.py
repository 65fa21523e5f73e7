"""Executes one chapter through papermill: within a time limit, and with nothing left running afterwards.

Papermill works in a thread. The caller's thread watches the chapter's kernel and everything that it started (one
process group), and kills that group when the time is over, a cell shows too much, or Ctrl-C is pressed.
"""

import argparse
import logging
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from jupyter_core.paths import jupyter_runtime_dir
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode

from unlearning.build import guard
from unlearning.errors import Failed, Refused, short
from unlearning.files import BUILD, write_whole

TIMEOUT = 3600.0  # seconds that a chapter may take, unless stated otherwise
OUTPUT = 10_000_000  # characters that one cell may show
SIGN_OF_LIFE = 60.0  # seconds in one cell, after which a line says that it is still at work

# What a reader's own configuration must not change: which kernel runs, start-up files, plot styles, thread counts.
_ENVIRONMENT = {
    "JUPYTER_PREFER_ENV_PATH": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONWARNINGS": "default",
    "OMP_NUM_THREADS": "1",  # sums in one order; two chapters run side by side instead
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # the kernel's debugger would warn on stderr about frozen modules
}


def add_timeout(parser: argparse.ArgumentParser) -> None:
    """The option --timeout."""
    told = f"seconds that a chapter may take (default {TIMEOUT:g})"
    parser.add_argument("--timeout", type=float, default=TIMEOUT, metavar="SECONDS", help=told)


def checked_timeout(seconds: float) -> float:
    """The seconds, or Refused."""
    if not 0 < seconds < math.inf:
        raise Refused(f"a timeout of {seconds:g} s: give a number of seconds above 0")
    return seconds


class ChapterFailed(Failed):
    """A chapter did not run through: the text names chapter, cell and exception; `notebook` holds what ran."""

    def __init__(self, text: str, notebook: NotebookNode):
        super().__init__(text)
        self.notebook = notebook


# What papermill and nbclient say of a chapter's end ("Kernel died …") is said here, with chapter and cell.
logging.getLogger("papermill").addHandler(logging.NullHandler())


@dataclass
class _Running:
    """A chapter at work: written by papermill's thread, read by the one that watches."""

    report: Callable[[], None] | None  # called before each code cell
    managers: list[AsyncKernelManager] = field(
        default_factory=list
    )  # the kernel's, once there is one
    group: int | None = None  # process group of the kernel and of what it starts
    at: int = 0  # index of the cell
    cell: NotebookNode | None = None  # the cell, with what it has shown so far
    since: float = field(default_factory=time.monotonic)  # when the cell began

    def kernel_manager(self) -> type:
        """nbclient's kernel manager, known to this object as soon as it is made."""
        managers = self.managers

        class Manager(AsyncKernelManager):
            def __init__(self, **options: object):
                super().__init__(**options)
                managers.append(self)

        return Manager

    def begins(self, cell: NotebookNode, cell_index: int) -> None:
        """Called by nbclient before each cell."""
        self.at, self.cell, self.since = cell_index, cell, time.monotonic()
        if self.report and cell.cell_type == "code":
            self.report()

    def shown(self) -> int:
        """Characters that the cell has shown."""
        outputs = list(self.cell.get("outputs", [])) if self.cell else []
        texts = (part for o in outputs for part in (o.get("text", ""), *o.get("data", {}).values()))
        return sum(len(text) if isinstance(text, str) else len(str(text)) for text in texts)

    def where(self) -> str:
        """The cell, for a message."""
        return f"cell {self.at + 1} ({_first_line(self.cell.source if self.cell else '')})"

    def signal(self, number: int) -> bool:
        """Sends a signal to the kernel and all that it started; False when nothing is there (yet, or any more)."""
        found = (m.provisioner.pgid for m in self.managers if m.provisioner is not None)
        self.group = self.group or next(found, None)
        with suppress(ProcessLookupError, PermissionError):
            if self.group:
                os.killpg(self.group, number)
                return True
        return False


def prepare_environment(scratch: Path) -> None:
    """Set the environment that kernels inherit: the same on every machine, with a configuration folder in `scratch`.

    In these kernels a chapter writes nowhere but where `guard` says.
    """
    os.environ.update(_ENVIRONMENT)
    for name, home in (("IPYTHONDIR", scratch), ("MPLCONFIGDIR", BUILD / "scratch")):
        (home / name.lower()).mkdir(parents=True, exist_ok=True)
        os.environ[name] = str(home / name.lower())
    if not any((BUILD / "scratch" / "mplconfigdir").glob("fontlist-*.json")):
        # Once for all chapters: a slow machine would warn on the page of the first that draws.
        subprocess.run(
            [sys.executable, "-c", "import matplotlib.font_manager"], capture_output=True
        )
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    data = (
        os.environ.get("UNLEARNING_DATA") or scratch
    )  # datasets.ROOT_VARIABLE: that room takes a second to import
    allowed = [scratch, BUILD, tempfile.gettempdir(), jupyter_runtime_dir(), caches, data]
    begin = scratch / "ipythondir" / "profile_default" / "startup" / "00-guard.py"
    code = guard.startup([*map(str, allowed), "/dev", "/proc"]).encode()
    write_whole(begin, lambda file: file.write(code))
    # The kernel "python3" is found beside the interpreter that runs this, not on the reader's PATH.
    os.environ["PATH"] = str(Path(sys.executable).parent) + os.pathsep + os.environ.get("PATH", "")


def execute(
    name: str,
    notebook: NotebookNode,
    values: dict,
    cwd: Path,
    report: Callable[[], None] | None = None,
    timeout: float = TIMEOUT,
    stop: threading.Event | None = None,
    strict: bool = True,
) -> NotebookNode:
    """Run a chapter's notebook with `values` injected (those that differ from the defaults) in folder `cwd`.

    timeout: seconds for all of it. stop: ends it when set, from another thread. strict: a cell that writes to stderr
    fails (a warning on a page of the book is an error). Returns the executed notebook without papermill's timestamps
    and paths. Raises ChapterFailed on an exception in a cell, when the kernel dies or is ended by a limit; after
    Ctrl-C, KeyboardInterrupt. In every case nothing that the chapter started runs on.
    """
    running = _Running(report)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / f"{name}.ipynb", Path(folder) / f"{name}.out.ipynb"
        nbformat.write(notebook, source)

        def work() -> None:
            papermill.execute_notebook(
                source,
                target,
                parameters=values,
                kernel_name="python3",
                progress_bar=False,
                start_timeout=120,
                resources={"metadata": {"path": str(cwd)}},
                kernel_manager_class=running.kernel_manager(),
                on_cell_start=running.begins,
                extra_arguments=["--IPKernelApp.log_level=50"],
            )

        ended, error = _watch(work, name, running, timeout, stop or threading.Event())
        done = without_traces(nbformat.read(target, 4) if target.exists() else notebook)
    if ended:
        raise ChapterFailed(f"chapter {name}, {running.where()}: {ended}", done)
    if isinstance(error, papermill.PapermillExecutionError):
        where = f"cell {error.cell_index + 1} ({_first_line(error.source)})"
        told = f"{error.ename}: {short(error.evalue, 300)}"
        raise ChapterFailed(f"chapter {name}, {where}: {told}", done)
    if isinstance(error, DeadKernelError):
        told = "the kernel died (out of memory, a crash in compiled code, or os._exit)"
        raise ChapterFailed(f"chapter {name}, {running.where()}: {told}", done)
    if error is not None:
        raise error
    for at, cell in enumerate(done.cells):
        where = f"chapter {name}, cell {at + 1} ({_first_line(cell.source)})"
        for output in cell.get("outputs", []):
            if strict and output.get("name") == "stderr":
                raise ChapterFailed(f"{where} wrote to stderr: {short(output.text, 300)}", done)
            allowed = "raises-exception" in cell.metadata.get("tags", [])
            if output.output_type == "error" and not allowed:  # papermill overlooks SystemExit(0)
                raise ChapterFailed(f"{where}: {output.ename}: {short(output.evalue, 300)}", done)
    return done


def _watch(
    work: Callable[[], None], name: str, running: _Running, timeout: float, stop: threading.Event
) -> tuple[str, Exception | None]:
    """Runs work() in a thread: (why it was ended, "" if nobody did; the exception that it raised)."""
    raised: list[Exception] = []

    def guarded() -> None:
        try:
            work()
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=guarded, name=name, daemon=True)
    begun = told = time.monotonic()
    why = ""
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.2)
            now = time.monotonic()
            if now - begun > timeout:
                why = why or f"not finished after {timeout:g} s; --timeout gives it more"
            if running.shown() > OUTPUT:
                why = why or f"shows more than {OUTPUT} characters; print or draw less"
            if stop.is_set():
                why = why or "interrupted"
            if why:
                running.signal(signal.SIGKILL)
            if now - max(running.since, told) > SIGN_OF_LIFE:
                told = now
                print(
                    f"{name}: still in {running.where()}, {now - running.since:.0f} s", flush=True
                )
    finally:
        while thread.is_alive():  # only after Ctrl-C
            running.signal(signal.SIGKILL)
            thread.join(0.2)
        _end(running)
    return why, raised[0] if raised else None


def _end(running: _Running) -> None:
    """What the chapter started has two seconds to end by itself."""
    until = time.monotonic() + 2
    while running.signal(0) and time.monotonic() < until:
        time.sleep(0.05)
    running.signal(signal.SIGKILL)


def without_traces(notebook: NotebookNode) -> NotebookNode:
    """The notebook without papermill's marks: timestamps, durations and this machine's paths, and its error banner."""
    notebook.cells = [
        c for c in notebook.cells if "papermill-error-cell-tag" not in c.metadata.get("tags", [])
    ]
    for part in (notebook, *notebook.cells):
        part.metadata.pop("papermill", None)
        part.metadata.pop("execution", None)
    return notebook


def _first_line(code: str) -> str:
    lines = [line for line in code.splitlines() if line.strip()]
    return lines[0].strip()[:60] if lines else ""
