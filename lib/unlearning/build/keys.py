"""When an executed chapter is out of date: a key over everything its outputs could depend on.

The key of a chapter covers its source, its parameter values, every module of `lib/unlearning` that its imports reach,
the pinned versions, the Python version, the recorded results (if it can read them) and the other chapters' verdicts
(if it can read those). A chapter is executed again exactly when its key changes, and the pages are rendered again
exactly when anything they are made of does.
"""

import ast
import hashlib
import json
import platform
from functools import cache
from pathlib import Path

from nbformat import NotebookNode

PACKAGE = Path(__file__).resolve().parents[1]
_OPAQUE = {"importlib", "runpy", "subprocess", "os"}  # ways to code that imports do not show


@cache  # a build asks for every module once per chapter
def imports(code: str) -> frozenset[str]:
    """The modules of this package that `code` may name in imports ('klom', 'page.figures'), '*' for the whole package.

    `from unlearning.page import figures` may mean a module or a name in one: both 'page' and 'page.figures' are given.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                head, _, rest = alias.name.partition(".")
                if head == "unlearning":
                    found.add(rest or "*")
                elif head == "panels":
                    found.add(alias.name)
        elif isinstance(node, ast.ImportFrom):
            head, _, rest = (
                ("unlearning." * bool(node.level) + (node.module or "")).strip(".").partition(".")
            )
            if head == "unlearning":
                found |= {rest} - {""} | {
                    ".".join(filter(None, [rest, alias.name])) for alias in node.names
                }
            elif head == "panels":
                found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


@cache
def opaque(code: str) -> bool:
    """Whether a chapter's code can reach other code by a way that imports do not show (a process, a name as a text).

    Modules of the package are held to imports instead: they start no code of the package in any other way.
    """
    for node in ast.walk(ast.parse(code)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += (
            [node.id]
            if isinstance(node, ast.Name) and node.id in ("__import__", "eval", "exec")
            else []
        )
        if any(name.split(".")[0] in _OPAQUE | {"__import__", "eval", "exec"} for name in names):
            return True
    return False


def modules(package: Path = PACKAGE) -> dict[str, Path]:
    """Dotted name below the package -> file, for every module; a folder's name stands for its __init__.

    The chapters' panels count as the package's own: 'panels.NAME' is book/panels/NAME.py.
    """
    panels = package.parents[1] / "book" / "panels"
    found = {f"panels.{path.stem}": path for path in sorted(panels.glob("*.py"))}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)] = path
    return found


def closure(code: str, package: Path = PACKAGE) -> list[str]:
    """Names of all modules of the package that running a chapter's `code` can reach, sorted: all of them if in doubt."""
    every = modules(package)
    todo, reached = {"__init__", *imports(code), *(["*"] if opaque(code) else [])}, set()
    while todo:
        name = todo.pop()
        if name == "*":
            return sorted(every)
        if name in every and name not in reached:
            reached.add(name)
            todo |= imports(every[name].read_text()) | {name.rpartition(".")[0]}
    return sorted(reached)


def code_of(notebook: NotebookNode) -> str:
    """All code of a chapter, one cell after the other."""
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")


def reads_verdicts(notebook: NotebookNode, package: Path = PACKAGE) -> bool:
    """Whether the chapter can read the other chapters' verdicts: it is then executed after all of them."""
    return "page.ledger" in closure(code_of(notebook), package)


def key(
    source: str,
    notebook: NotebookNode,
    values: dict,
    root: Path,
    verdicts: list,
    package: Path = PACKAGE,
) -> str:
    """The key of one chapter: hexadecimal SHA-256 over everything listed at the top of this file.

    source: the chapter file's text; values: all its parameters; verdicts: what the other chapters decided (used only
    if this chapter can read them).
    """
    reached, files = closure(code_of(notebook), package), modules(package)
    parts = {
        "source": source,
        "values": values,
        "modules": {name: _digest(files[name]) for name in reached},
        "versions": _digest(root / "requirements.txt"),
        "python": platform.python_version(),
    }
    if "panels.interactive" in reached:  # the scripts that live pictures carry
        scripts = sorted((root / "book" / "panels").glob("*.js"))
        parts["scripts"] = {path.name: _digest(path) for path in scripts}
    if "experiment.results" in reached:
        parts["results"] = {str(p.relative_to(root)): _digest(p) for p in _files(root / "results")}
    if "page.ledger" in reached:
        parts["verdicts"] = verdicts
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def render_key(stage: Path, root: Path, package: Path = PACKAGE) -> str:
    """The key of a rendered book: SHA-256 over every file laid out for it, the pinned versions and the build's code."""
    files = {str(path.relative_to(stage)): _digest(path) for path in _files(stage)}
    parts = [
        files,
        _digest(root / "requirements.txt"),
        _digest(package / "build" / "render.py"),
        platform.python_version(),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
