"""Walls and taste: which room may import which, lint and format, and what a bare GPU machine needs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from unlearning.files import ROOT

BIN = Path(sys.executable).parent
# Stands in for a machine that has torch, numpy and scipy: everything else that a person would install is refused.
BARE = """
import importlib.abc, sys
REFUSED = {refused!r}
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in REFUSED:
            raise ModuleNotFoundError(f"{{name}} is not on this machine", name=name)
sys.meta_path.insert(0, Refuse())
sys.argv = ["unlearning", *sys.argv[1:]]
import runpy
runpy.run_module("unlearning", run_name="__main__")
"""
REFUSED = (
    "IPython", "ipykernel", "jupyter_book", "jupytext", "matplotlib", "myst_nb", "nbformat", "pandas", "papermill",
    "PIL", "playwright", "plotly", "seaborn", "sklearn", "sphinx", "torchvision", "yaml",
)  # fmt: skip


def test_no_room_imports_one_above_it():
    """The layers are written once, in pyproject.toml."""
    done = subprocess.run(
        [BIN / "lint-imports"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": "lib"},
    )
    assert done.returncode == 0 and " 0 broken" in done.stdout, done.stdout[-3000:]


@pytest.mark.parametrize("words", [["check"], ["format", "--check"]], ids=["lint", "format"])
def test_ruff_has_nothing_to_say(words: list[str]):
    done = subprocess.run(
        [BIN / "ruff", *words, "-q", "lib", "tests", "bench"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:]


def bare(*words: str, cwd: Path, data: Path | None = None) -> subprocess.CompletedProcess:
    """`unlearning WORDS` with torch, numpy and scipy alone."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "lib"), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", BARE.format(refused=REFUSED), *words],
        cwd=cwd, env=environment, capture_output=True, text=True,
    )  # fmt: skip


def test_the_stand_in_refuses(tmp_path: Path):
    done = bare("params", "home", cwd=tmp_path)
    assert done.returncode == 1 and "is not on this machine" in done.stderr


def test_torch_numpy_and_scipy_are_enough(tmp_path: Path):
    """experiment, pack and score, and klom by name; a pack made here is scored here."""
    from unlearning.experiment import presets, runner

    smoke = presets.preset(
        "smoke", models=3, forget_sets=("random-5",), configs=(), retrain_epochs=()
    )
    runner.run(
        smoke, tmp_path / "run", workers=1, report=None
    )  # the digits themselves come from scikit-learn
    done = bare(
        "experiment",
        "--preset",
        "desk",
        "--stage",
        "P",
        "--out",
        "x",
        "--data",
        "none",
        cwd=tmp_path,
    )
    assert done.returncode == 2 and "none/cifar-10-batches-py" in done.stderr, done.stderr
    done = bare("score", cwd=tmp_path)
    assert done.returncode == 0 and "laptop/random-10" in done.stdout, done.stderr
    code = "from unlearning.klom import klom, margins; print(klom.__name__, margins.__name__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "lib")},
    )
    assert done.stdout.split() == ["klom", "margins"], done.stderr
