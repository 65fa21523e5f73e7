"""Executed chapters as pages: a staging folder beside copies of the configuration, and Jupyter Book on it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode

from unlearning.errors import Failed
from unlearning.files import ROOT


def stage(executed: dict[str, NotebookNode], root: Path, folder: Path, strict: bool) -> Path:
    """Lay out in `folder` all that a rendering reads: executed notebooks, text, styles, settings; return the folder.

    strict: a whole book; otherwise one chapter alone, which gets its own list of references.
    """
    shutil.copytree(
        root / "book",
        folder / "book",
        ignore=shutil.ignore_patterns("*.py", "*.ipynb", "__pycache__"),
    )
    config = configuration(root)
    (folder / "_config.yml").write_text(yaml.safe_dump(config))
    toc = yaml.safe_load((root / "_toc.yml").read_text())
    if not strict:
        toc = {"format": toc["format"], "root": f"book/{next(iter(executed))}"}
        executed = {name: with_references(notebook) for name, notebook in executed.items()}
    (folder / "_toc.yml").write_text(yaml.safe_dump(toc))
    for name, notebook in executed.items():
        save(
            with_setup(notebook, config.get("repository", {}).get("url")),
            folder / "book" / f"{name}.ipynb",
        )
    return folder


def render(staged: Path, strict: bool) -> Path:
    """Render what `stage` laid out in `staged` with jupyter-book; return the folder of HTML pages.

    strict: every warning is an error; otherwise links to pages that are not there stay plain text (one chapter alone).
    Raises Failed with what the renderer said.
    """
    scratch = staged.parent
    options = ["-W", "-n", "--keep-going"] if strict else []
    command = [
        sys.executable,
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        str(staged),
    ]
    ran = subprocess.run(
        [*command, "--path-output", str(scratch), *options], capture_output=True, text=True
    )
    if ran.returncode or not (scratch / "_build" / "html").exists():
        said = (
            re.sub(r"\x1b\[[0-9;]*m", "", ran.stderr + ran.stdout)
            .replace(f"{staged}/", "")
            .splitlines()
        )
        telling = [line for line in said if re.search(r"WARNING|ERROR|CRITICAL|Error:", line)]
        raise Failed("rendering failed:\n" + "\n".join(telling or said))
    html = scratch / "_build" / "html"
    for page in html.rglob(
        "*.html"
    ):  # live kernels (thebe) come with Jupyter Book; they would need another host
        text = page.read_text()
        text = re.sub(r"<script>const THEBE_JS_URL.*?</script>", "", text, flags=re.DOTALL)
        page.write_text(re.sub(r"<script[^>]*sphinx-thebe\.js[^>]*></script>", "", text))
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
    cell = nbformat.v4.new_markdown_cell(
        "## References\n\n```{bibliography}\n:filter: docname in docnames\n```", id="refs"
    )
    return nbformat.from_dict({**notebook, "cells": [*notebook.cells, cell]})


def save(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook so that a reader of `path` sees the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    nbformat.write(notebook, part)
    part.replace(path)
