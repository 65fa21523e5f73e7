"""Builds the book: executes the chapters that are out of date, renders all of them, swaps the result into place.

Explained in CONTRIBUTING.md ("A build"). `_build/executed` holds one executed notebook per chapter, each with the key of
`staleness` it was executed under; `_build/html` is the last good book, with the key it was rendered under, and is
replaced only by a whole new one.
"""

import ast
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode

from unlearning import chapters, ledger, staleness
from unlearning.chapters import ROOT, Refused
from unlearning.execute import ChapterFailed, execute, prepare_environment


STAMP = ".rendered"  # file in the built book: the key of everything it was rendered from


class BuildFailed(RuntimeError):
    """The book could not be built; the last good one is still in place."""


class Progress:
    """Prints one line per cell: chapter i of n, cell, elapsed, remaining. Counts code cells; safe between threads."""

    def __init__(self, cells: dict[str, int]):
        self.cells, self.begun = cells, dict.fromkeys(cells, 0)
        self.start, self.lock = time.monotonic(), threading.Lock()

    def cell(self, name: str) -> None:
        """Report that the next code cell of a chapter begins."""
        with self.lock:
            elapsed, done = time.monotonic() - self.start, sum(self.begun.values())
            left = f"about {elapsed * (sum(self.cells.values()) - done) / done:.0f} s left" if done else "…"
            self.begun[name] += 1
            at = f"chapter {list(self.cells).index(name) + 1} of {len(self.cells)}, {name}"
            print(f"{at}: cell {self.begun[name]} of {self.cells[name]} · {elapsed:.0f} s · {left}", flush=True)


def build(root: Path = ROOT, workers: int | None = None) -> Path:
    """Bring the book up to date and return the path of its first page.

    Raises BuildFailed with one line per failure; `_build/html` is then as it was.
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
        late = [name for name in names if staleness.reads_verdicts(notebooks[name])]
        for group in ([name for name in names if name not in late], late):
            _refresh(root, {name: (sources[name], notebooks[name]) for name in group}, workers)
        executed = {name: nbformat.read(home / "executed" / f"{name}.ipynb", 4) for name in names}
        with tempfile.TemporaryDirectory(dir=home, prefix="render-") as folder:
            staged = stage(executed, root, Path(folder) / "stage", strict=True)
            key = staleness.render_key(staged, root)
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
    """Hold the lock file, so that two builds of one folder cannot mix. Raises BuildFailed when another holds it."""
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BuildFailed("another build of this folder is running: wait for it, then build again") from None
        yield


def _refresh(root: Path, group: dict[str, tuple[str, NotebookNode]], workers: int | None) -> None:
    """Execute the chapters of a group whose key changed, side by side; raise BuildFailed if one fails."""
    folder = root / "_build" / "executed"
    verdicts = [fact for fact in ledger.collect(folder) if fact["chapter"] not in group]

    def key(name: str) -> str:
        source, notebook = group[name]
        return staleness.key(source, notebook, defaults(name, root), root, verdicts)

    keys = {name: key(name) for name in group}
    todo = [name for name in group if _key_of(folder / f"{name}.ipynb") != keys[name]]
    progress = Progress({name: len([c for c in group[name][1].cells if c.cell_type == "code"]) for name in todo})

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
        if keys[name] != key(name):
            raise BuildFailed(f"chapter {name}: the library or the results changed while it ran; build again")
        done.metadata["unlearning"] = {
            "chapter": name, "key": keys[name], "seconds": round(time.monotonic() - start, 1),
        }  # fmt: skip
        save(done, folder / f"{name}.ipynb")

    with ThreadPoolExecutor(max_workers=workers or os.cpu_count()) as pool:
        futures = [pool.submit(one, name) for name in todo]
        failures = [str(e) for e in (f.exception() for f in futures) if e is not None]
    if failures:
        raise BuildFailed("\n".join(failures) + "\nwhat ran is in _build/failed; the last good book is untouched")


def defaults(name: str, root: Path = ROOT) -> dict[str, object]:
    """All parameters of a chapter with their defaults."""
    return {p.name: p.default for p in chapters.parameters(chapters.path_of(name, root))}


def _key_of(path: Path) -> str | None:
    """The key an executed notebook was made under; None when there is none or it cannot be read."""
    try:
        return nbformat.read(path, 4).metadata["unlearning"]["key"]
    except (OSError, KeyError, nbformat.reader.NotJSONError, nbformat.ValidationError):
        return None


def save(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook so that a reader of `path` sees the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    nbformat.write(notebook, part)
    part.replace(path)


def stage(executed: dict[str, NotebookNode], root: Path, folder: Path, strict: bool) -> Path:
    """Lay out in `folder` all that a rendering reads: executed notebooks, text, styles, settings; return the folder.

    strict: a whole book; otherwise one chapter alone, which gets its own list of references.
    """
    shutil.copytree(root / "book", folder / "book", ignore=shutil.ignore_patterns("*.py", "*.ipynb", "__pycache__"))
    config = configuration(root)
    (folder / "_config.yml").write_text(yaml.safe_dump(config))
    toc = yaml.safe_load((root / "_toc.yml").read_text())
    if not strict:
        toc = {"format": toc["format"], "root": f"book/{next(iter(executed))}"}
        executed = {name: with_references(notebook) for name, notebook in executed.items()}
    (folder / "_toc.yml").write_text(yaml.safe_dump(toc))
    for name, notebook in executed.items():
        save(with_setup(notebook, config.get("repository", {}).get("url")), folder / "book" / f"{name}.ipynb")
    return folder


def render(staged: Path, strict: bool) -> Path:
    """Render what `stage` laid out in `staged` with jupyter-book; return the folder of HTML pages.

    strict: every warning is an error; otherwise links to pages that are not there stay plain text (one chapter alone).
    Raises BuildFailed with what the renderer said.
    """
    scratch = staged.parent
    options = ["-W", "-n", "--keep-going"] if strict else []
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(staged)]
    ran = subprocess.run([*command, "--path-output", str(scratch), *options], capture_output=True, text=True)
    if ran.returncode or not (scratch / "_build" / "html").exists():
        said = re.sub(r"\x1b\[[0-9;]*m", "", ran.stderr + ran.stdout).replace(f"{staged}/", "").splitlines()
        telling = [line for line in said if re.search(r"WARNING|ERROR|CRITICAL|Error:", line)]
        raise BuildFailed("rendering failed:\n" + "\n".join(telling or said))
    html = scratch / "_build" / "html"
    for page in html.rglob("*.html"):  # live kernels (thebe) come with Jupyter Book; they would need another host
        text = page.read_text()
        text = re.sub(r"<script>const THEBE_JS_URL.*?</script>", "", text, flags=re.DOTALL)
        page.write_text(re.sub(r'<script[^>]*sphinx-thebe\.js[^>]*></script>', "", text))
    return html


def configuration(root: Path = ROOT) -> dict:
    """`_config.yml`, without the parts that need the repository's address as long as it is not set there.

    Colab opens notebooks from a branch: the published book's, where the executed notebooks lie under `_sources`.
    """
    config = yaml.safe_load((root / "_config.yml").read_text())
    if config["repository"].get("url"):
        config["repository"] |= {"branch": "gh-pages", "path_to_book": "_sources"}
        config["launch_buttons"] = {"colab_url": "https://colab.research.google.com"}
        config["html"]["use_repository_button"] = True
    else:
        del config["repository"]
    return config


def with_setup(notebook: NotebookNode, repository: str | None) -> NotebookNode:
    """The notebook with a first cell that installs this library where it is missing (Colab); none without an address.

    The cell is not rendered on the page; it is there for readers who download the notebook or open it elsewhere.
    """
    if not repository:
        return notebook
    code = (
        "import importlib.util\nimport subprocess\nimport sys\n\n"
        'if importlib.util.find_spec("unlearning") is None:  # not in the book\'s own environment: install its library\n'
        f'    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "git+{repository}"], check=True)'
    )
    cell = nbformat.v4.new_code_cell(code, metadata={"tags": ["remove-cell"]}, id="setup")
    return nbformat.from_dict({**notebook, "cells": [cell, *notebook.cells]})


def with_references(notebook: NotebookNode) -> NotebookNode:
    """The notebook with the works it cites listed at its end: a chapter alone has no references page."""
    cell = nbformat.v4.new_markdown_cell("## References\n\n```{bibliography}\n:filter: docname in docnames\n```", id="refs")
    return nbformat.from_dict({**notebook, "cells": [*notebook.cells, cell]})


def run(name: str, values: dict[str, object], out: Path, root: Path = ROOT) -> dict:
    """Execute one chapter with other parameters; write notebook, HTML, figures and numbers to `out`; return the numbers.

    `out` must be new or empty. It appears when everything is done; what a failed run had written stays in `OUT.part`.
    """
    source = chapters.path_of(name, root)
    notebook, values = chapters.read(source), chapters.overrides(source, values)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Refused(f"{out} is not empty: choose another --out, or remove it (results are never overwritten)")
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    progress = Progress({name: len([c for c in notebook.cells if c.cell_type == "code"]) + bool(values)})
    with tempfile.TemporaryDirectory() as scratch:
        prepare_environment(Path(scratch))
        try:
            done = execute(name, notebook, values, part, lambda: progress.cell(name))
        except ChapterFailed as error:
            save(error.notebook, part / f"{name}.ipynb")
            raise
        save(done, part / f"{name}.ipynb")
        record = {"chapter": name, "parameters": defaults(name, root) | values, **contents(name, done)}
        (part / "results.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
        for at, picture in enumerate(pictures(done), 1):
            (part / "figures").mkdir(exist_ok=True)
            (part / "figures" / f"{at:02d}.svg").write_text(picture)
        staged = stage({name: done}, root, Path(scratch) / "stage", strict=False)
        shutil.move(render(staged, strict=False), part / "html")
    if out.exists():
        out.rmdir()
    part.rename(out)
    return record


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
    outputs = (o for cell in executed.cells for o in cell.get("outputs", []) if "text/html" in o.get("data", {}))
    return [svg for o in outputs for svg in re.findall(r"<svg.*?</svg>", o.data["text/html"], re.DOTALL)]


def overview(root: Path = ROOT) -> Path:
    """Write the README's picture from the first figure of the built first page; return its path.

    The panels stand side by side on a white card, because a picture in a README cannot follow the reader's theme.
    """
    executed = nbformat.read(root / "_build" / "executed" / f"{chapters.in_toc(root)[0]}.ipynb", 4)
    panels = []
    for at, panel in enumerate(pictures(executed)[:2]):
        x0, y0, width, height = re.search(r'viewBox="(\S+) (\S+) (\S+) (\S+)"', panel).groups()
        panels.append(f'<g transform="translate({at * float(width):g} 0)">{panel}</g>'.replace(
            'style="width:100%;height:auto"', f'width="{width}" height="{height}"'))  # fmt: skip
    size = f'viewBox="0 0 {2 * float(width):g} {height}" width="{2 * float(width):g}" height="{height}"'
    card = f'<svg {size} xmlns="http://www.w3.org/2000/svg" color="#222"><rect width="100%" height="100%" fill="#fff"/>'
    target = root / "book" / "_static" / "overview.svg"
    target.write_text(card + "".join(panels) + "</svg>\n")
    return target
