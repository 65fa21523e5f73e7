"""Executed chapters as pages: a staging folder beside copies of the configuration, and Jupyter Book on it."""

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode

from unlearning.build import figure_files, glance
from unlearning.build.chapters import settings
from unlearning.build.edition import Edition, edition
from unlearning.errors import Failed, Refused
from unlearning.files import ROOT, write_whole


def stage(executed: dict[str, NotebookNode], root: Path, folder: Path, strict: bool) -> Path:
    """Lay out in `folder` all that a rendering reads: executed notebooks, text, styles, settings; return the folder.

    strict: a whole book; otherwise one chapter alone, which gets its own list of references.
    """
    shutil.copytree(
        root / "book",
        folder / "book",
        ignore=shutil.ignore_patterns("*.py", "*.ipynb", "__pycache__"),
    )
    config = with_edition(configuration(root), edition(root))
    (folder / "_config.yml").write_text(yaml.safe_dump(config))
    toc = settings(root / "_toc.yml")
    chapters = {path.stem for path in (root / "book").glob("*.py")}
    if strict:
        absent = chapters - set(executed)
        executed = {name: without_links(notebook, absent) for name, notebook in executed.items()}
        for path in (folder / "book").glob("*.md"):
            path.write_text(unlinked(path.read_text(), absent))
    else:
        toc = {"format": toc["format"], "root": f"book/{next(iter(executed))}"}
        executed = {name: with_references(notebook) for name, notebook in executed.items()}
    (folder / "_toc.yml").write_text(yaml.safe_dump(toc))
    source = address(config, root)
    for name, notebook in executed.items():
        notebook = figure_files.with_data(name, glance.with_reading(notebook), folder / "book")
        save(with_setup(with_ranges(notebook), source), folder / "book" / f"{name}.ipynb")
    return folder


def render(staged: Path, strict: bool) -> Path:
    """Render what `stage` laid out in `staged` with jupyter-book; return the folder of HTML pages.

    strict: every warning is an error; otherwise links to pages that are not there stay plain text (one chapter alone).
    Raises Failed with what the renderer said.
    """
    scratch = staged.parent
    options = ["-W", "-n", "--keep-going"] if strict else []
    status, said = _alone(["build", str(staged), "--path-output", str(scratch), *options])
    if status or not (scratch / "_build" / "html").exists():
        said = re.sub(r"\x1b\[[0-9;]*m", "", said).replace(f"{staged}/", "").splitlines()
        telling = [line for line in said if re.search(r"WARNING|ERROR|CRITICAL|Error:", line)]
        raise Failed("rendering failed:\n" + "\n".join(telling or said))
    html = scratch / "_build" / "html"
    if (staged / "book" / figure_files.FOLDER).exists():
        shutil.copytree(staged / "book" / figure_files.FOLDER, html / "book" / figure_files.FOLDER)
    for page in html.rglob(
        "*.html"
    ):  # live kernels (thebe) come with Jupyter Book; they would need another host
        text = page.read_text()
        text = re.sub(r"<script>const THEBE_JS_URL.*?</script>", "", text, flags=re.DOTALL)
        page.write_text(re.sub(r"<script[^>]*sphinx-thebe\.js[^>]*></script>", "", text))
    return html


# Jupyter Book, in a process group that kills itself when the pipe, whose other end the build holds, is closed.
_JUPYTER_BOOK = """
import os, sys, threading
pipe = int(sys.argv.pop())
threading.Thread(target=lambda: (os.read(pipe, 1), os.killpg(0, 9)), daemon=True).start()
from jupyter_book.cli.main import main
main()
"""


def _alone(words: list[str]) -> tuple[int, str]:
    """Runs `jupyter-book WORDS`: (exit status, what it said). It never outlives this call, nor this process."""
    theirs, ours = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", _JUPYTER_BOOK, *words, str(theirs)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        pass_fds=[theirs],
        start_new_session=True,
    )
    os.close(theirs)
    try:
        said, _ = process.communicate()
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(ours)
    return process.returncode, said


def configuration(root: Path = ROOT) -> dict:
    """`_config.yml`, without the parts that need the repository's address as long as it is not set there.

    Colab opens notebooks from a branch: the published book's, where the executed notebooks lie under `_sources`.
    """
    config = settings(root / "_config.yml")
    for name in ("repository", "html"):
        if not isinstance(config.get(name), dict):
            raise Refused(
                f"{root / '_config.yml'}: needs {name}, a mapping (git checkout _config.yml)"
            )
    if config["repository"].get("url"):
        config["repository"] |= {"branch": "gh-pages", "path_to_book": "_sources"}
        config["launch_buttons"] = {"colab_url": "https://colab.research.google.com"}
        config["html"]["use_repository_button"] = True
    else:
        del config["repository"]
    return config


def with_edition(config: dict, found: Edition) -> dict:
    """The configuration with a footer that names the edition: version, commit and date on every page."""
    html = config["html"]
    footer = f'{html.get("extra_footer", "")}<p class="edition">{found.told()}.</p>'
    return {**config, "html": {**html, "extra_footer": footer}}


def address(config: dict, root: Path) -> str:
    """What pip installs the library from, at the commit the pages are made from; "" without a repository's address."""
    url, found = config.get("repository", {}).get("url"), edition(root)
    exact = f"@{found.commit}" if found.commit and not found.modified else ""
    return f"git+{url}{exact}" if url else ""


def with_setup(notebook: NotebookNode, source: str) -> NotebookNode:
    """The notebook with a first cell that installs this library where it is missing (Colab), from `source`.

    Without a source the cell says what to do. It is not rendered on the page; it is there for readers who download the
    notebook or open it elsewhere.
    """
    install = (
        f'subprocess.run([sys.executable, "-m", "pip", "install", "-q", "{source}"], check=True)'
    )
    advice = 'raise ModuleNotFoundError("install the book\'s library first: pip install PATH_OF_ITS_REPOSITORY") from None'
    code = (
        "import importlib.util\nimport subprocess\nimport sys\n\n"
        'if importlib.util.find_spec("unlearning") is None:  # not in the book\'s own environment\n'
        f"    {install if source else advice}"
    )
    cell = nbformat.v4.new_code_cell(code, metadata={"tags": ["remove-cell"]}, id="setup")
    return nbformat.from_dict({**notebook, "cells": [cell, *notebook.cells]})


def with_ranges(notebook: NotebookNode) -> NotebookNode:
    """The notebook with a cell below its parameters, and those that were injected, that refuses what `run` refuses.

    It is not rendered on the page; papermill and Jupyter run it before anything is computed.
    """
    tags = [set(cell.metadata.get("tags", [])) for cell in notebook.cells]
    at = max(i for i, own in enumerate(tags) if own & {"parameters", "injected-parameters"}) + 1
    code = (
        "# values outside the ranges above are refused, as by `unlearning run`\n"
        "from unlearning.build.chapters import in_range\n\n"
        "globals().update(in_range(In, globals()))"
    )
    cell = nbformat.v4.new_code_cell(code, metadata={"tags": ["remove-cell"]}, id="ranges")
    return nbformat.from_dict(
        {**notebook, "cells": [*notebook.cells[:at], cell, *notebook.cells[at:]]}
    )


def without_links(notebook: NotebookNode, absent: set[str]) -> NotebookNode:
    """The notebook in whose texts and captions nothing links to the chapters `absent`, which were cut from the book."""
    if not absent:
        return notebook
    cells = []
    for cell in notebook.cells:
        told = cell.metadata.get("mystnb", {}).get("figure", {})
        if cell.cell_type == "markdown":
            cell = {**cell, "source": unlinked(cell.source, absent)}
        elif "caption" in told:
            figure = {**told, "caption": unlinked(told["caption"], absent)}
            more = {**cell.metadata, "mystnb": {**cell.metadata["mystnb"], "figure": figure}}
            cell = {**cell, "metadata": more}
        cells.append(cell)
    return nbformat.from_dict({**notebook, "cells": cells})


def unlinked(text: str, absent: set[str]) -> str:
    """A text in which links and references to chapters `absent`, or to labels in them, are their words alone.

    A reference without words of its own becomes the chapter's name. Labels begin with the name of their chapter.
    """
    if not absent:
        return text
    name = "|".join(sorted(absent, key=len, reverse=True))
    target = rf"#?(?:{name})(?:\.ipynb|\.html|\.md|(?=[-#)>`]))[^)>`\s]*"
    text = re.sub(rf"\[([^\]]*)\]\({target}\)", r"\1", text)
    text = re.sub(rf"\{{[\w:]+\}}`([^`<]+?)\s*<{target}>`", r"\1", text)
    return re.sub(rf"\{{(?:eq|ref|numref|doc|prf:ref)\}}`({name})(?:-[^`]*)?`", r"*\1*", text)


def with_references(notebook: NotebookNode) -> NotebookNode:
    """The notebook with the works it cites listed at its end: a chapter alone has no references page."""
    cell = nbformat.v4.new_markdown_cell(
        "## References\n\n```{bibliography}\n:filter: docname in docnames\n```", id="refs"
    )
    return nbformat.from_dict({**notebook, "cells": [*notebook.cells, cell]})


def save(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook so that a reader of `path` sees the old file or the whole new one, after a power cut, too."""
    text = nbformat.writes(notebook, version=nbformat.NO_CONVERT) + "\n"
    write_whole(path, lambda file: file.write(text.encode()))
