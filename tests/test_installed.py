"""What an installed package brings along: a notebook runs with it alone, wherever it is opened."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest

from conftest import install
from unlearning.build import keys
from unlearning.build.chapters import in_toc, path_of, read
from unlearning.files import ROOT

PROVERS = {"flint", "z3"}  # the extra `proof`: without them pages show the recorded certificates
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("installed"))


def asked(installed: Path, cwd: Path, code: str, **more: str) -> str:
    """What Python code prints in folder `cwd` with the installed package."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd, env={"PYTHONPATH": str(installed)} | more, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_carries_records_and_contents_and_writes_beside_the_notebook(installed, tmp_path):
    code = """
from unlearning.build.chapters import in_toc
from unlearning.files import BUILD, ROOT
from unlearning.page import evidence, ledger
from unlearning.experiment import packing
print(len(evidence.recorded()), len(evidence.published()), len(in_toc()), ledger.collect())
print(ROOT, BUILD, sorted(path.name for path in packing.FOLDER.iterdir())[0], sep="\\n")
"""
    from unlearning.experiment import packing
    from unlearning.page import evidence

    told, root, build, pack = asked(installed, tmp_path, code).splitlines()
    here = len(evidence.recorded()), len(evidence.published()), len(in_toc()), []
    assert told == " ".join(map(str, here))
    assert Path(root) == installed / "unlearning" / "repository"
    assert Path(build) == tmp_path / "_build", "nothing is written among installed files"
    code = "from unlearning.files import BUILD; print(BUILD)"
    assert asked(installed, tmp_path, code, UNLEARNING_BUILD="/kept").strip() == "/kept"
    assert pack == sorted(path.name for path in packing.FOLDER.iterdir())[0]


def test_every_file_of_the_results_is_there(installed):
    copy = installed / "unlearning" / "repository" / "results"
    for path in (ROOT / "results").rglob("*"):
        if path.is_file() and path.name != "lock":
            assert (copy / path.relative_to(ROOT / "results")).read_bytes() == path.read_bytes()
    scripts = [p.relative_to(ROOT / "lib") for p in (ROOT / "lib/unlearning").rglob("*.[jc]s*")]
    assert [path for path in scripts if not (installed / path).exists()] == []


def distributions(names: list[str]) -> set[str]:
    """The distributions and all that they need, by normalised name."""
    found, todo = set(), list(names)
    while todo:
        name = re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", todo.pop())[0]).lower()
        if name not in found:
            found.add(name)
            try:
                todo += [need for need in requires(name) or [] if "extra ==" not in need]
            except ModuleNotFoundError:  # of another system
                continue
    return found


def test_what_chapters_import_is_a_dependency_of_the_package():
    """Of all modules that a chapter's imports reach, every import that is not Python's own."""
    every, reached, todo = keys.modules(), set(), set()
    codes = [keys.code_of(read(path_of(name))) for name in in_toc()]
    for code in codes:
        todo |= keys.imports(code)
    while todo:
        name = todo.pop()
        if name in every and name not in reached:
            reached.add(name)
            codes.append(every[name].read_text())
            todo |= keys.imports(codes[-1])
    named = {
        (name if isinstance(node, ast.Import) else node.module or "").partition(".")[0]
        for code in codes
        for node in ast.walk(ast.parse(code))
        if isinstance(node, (ast.Import, ast.ImportFrom)) and not getattr(node, "level", 0)
        for name in [alias.name for alias in node.names]
    }
    foreign = named - set(sys.stdlib_module_names) - {"unlearning", "panels", ""} - PROVERS
    assert {"numpy", "torch", "jupytext"} <= foreign, "the reader of imports sees them"
    known, allowed = packages_distributions(), distributions(PROJECT["dependencies"])
    lost = {
        name
        for name in foreign
        - {"huggingface_hub", "ray"}  # where asked for, with a message of their own
        if not {re.sub(r"[-_.]+", "-", d).lower() for d in known.get(name, [])} & allowed
    }
    assert lost == set()
