"""Executes one chapter through papermill, with a progress report per cell."""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import nbformat
import papermill
from nbformat import NotebookNode
from papermill.engines import NBClientEngine, papermill_engines

from unlearning.errors import Failed

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


class ChapterFailed(Failed):
    """A chapter did not run through: the text names chapter, cell and exception; `notebook` holds what ran."""

    def __init__(self, text: str, notebook: NotebookNode):
        super().__init__(text)
        self.notebook = notebook


class _ReportingEngine(NBClientEngine):
    """Papermill's own engine, calling `report()` before each code cell."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, report=None, **options):
        start = nb_man.cell_start

        def cell_start(cell, cell_index=None, **more):
            if report and cell.cell_type == "code":
                report()
            return start(cell, cell_index, **more)

        nb_man.cell_start = cell_start
        return super().execute_managed_notebook(nb_man, kernel_name, **options)


papermill_engines.register("unlearning", _ReportingEngine)


def prepare_environment(scratch: Path) -> None:
    """Set the environment that kernels inherit: the same on every machine, with configuration folders in `scratch`."""
    os.environ.update(_ENVIRONMENT)
    for name in ("IPYTHONDIR", "MPLCONFIGDIR"):
        (scratch / name.lower()).mkdir(parents=True, exist_ok=True)
        os.environ[name] = str(scratch / name.lower())
    # The kernel "python3" is found beside the interpreter that runs this, not on the reader's PATH.
    os.environ["PATH"] = str(Path(sys.executable).parent) + os.pathsep + os.environ.get("PATH", "")


def execute(
    name: str,
    notebook: NotebookNode,
    values: dict,
    cwd: Path,
    report: Callable[[], None] | None = None,
) -> NotebookNode:
    """Run a chapter's notebook with `values` injected (those that differ from the defaults) in folder `cwd`.

    Returns the executed notebook without papermill's timestamps and paths. Raises ChapterFailed on an exception in a
    cell and when a cell writes to stderr: a warning on a page is an error.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / f"{name}.ipynb", Path(folder) / f"{name}.out.ipynb"
        nbformat.write(notebook, source)
        try:
            papermill.execute_notebook(
                source,
                target,
                parameters=values,
                engine_name="unlearning",
                kernel_name="python3",
                cwd=cwd,
                progress_bar=False,
                report=report,
                start_timeout=120,
                extra_arguments=["--IPKernelApp.log_level=40"],
            )
        except papermill.PapermillExecutionError as error:
            done = without_traces(nbformat.read(target, as_version=4))
            at = error.cell_index
            text = f"chapter {name}, cell {at + 1} ({_first_line(error.source)}): {error.ename}: {error.evalue}"
            raise ChapterFailed(text, done) from None
        done = without_traces(nbformat.read(target, as_version=4))
    for at, cell in enumerate(done.cells):
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                text = f"chapter {name}, cell {at + 1} ({_first_line(cell.source)}) wrote to stderr: {output.text.strip()}"
                raise ChapterFailed(text, done)
    return done


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
