"""The doctor with one thing missing at a time: it names it, says whether the book needs it, and how to mend it."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections import namedtuple

import pytest

from unlearning.__main__ import main
from unlearning.build import browser, doctor
from unlearning.files import ROOT


@pytest.fixture
def whole(tmp_path, monkeypatch):
    """A machine that has everything but a GPU, as seen from a repository in tmp_path."""
    (tmp_path / ".venv").mkdir()
    (tmp_path / "_build" / "html").mkdir(parents=True)
    (tmp_path / "_build" / "html" / "index.html").write_text("")
    (tmp_path / "requirements.txt").write_text("# by make lock\nnumpy==1.2.3\ntorch==2.0\nappnope==1.0 ; sys_platform == 'x'\n")  # fmt: skip
    data = tmp_path / "data"
    for folder in ("cifar-10-batches-py", "MNIST/raw", "FashionMNIST/raw", "forget_sets/cifar10"):
        (data / folder).mkdir(parents=True)
    for k in range(4, 11):
        (data / "forget_sets" / "cifar10" / f"forget_set_{k}.npy").touch()
    monkeypatch.setenv("UNLEARNING_DATA", str(data))
    monkeypatch.setattr(doctor, "version", {"numpy": "1.2.3", "torch": "2.0+cpu"}.__getitem__)  # fmt: skip
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if name == "make" else None)
    monkeypatch.setattr(browser, "find", lambda: "/bin/chromium")
    return tmp_path


def states(root) -> dict[str, doctor.Found]:
    return {one.what: one for one in doctor.diagnose(root)}


def test_nothing_is_missing(whole):
    found = states(whole)
    assert {what for what, one in found.items() if one.state is not True} <= {"GPU"}
    assert all(one.state is None or not one.mend for one in found.values())
    assert "2 of 2" in found["packages"].told
    assert doctor.report(list(found.values())).endswith("the book can be built here")


def absent(version):
    def ask(name):
        if name == "torch":
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    return ask


Usage = namedtuple("Usage", "total used free")
FAULTS = {
    "Python": (lambda m, r: m.setattr(sys, "version_info", (3, 9, 1)), False, "python3.12"),
    "make": (lambda m, r: m.setattr(shutil, "which", lambda name: None), None, "apt-get install make"),
    "disk": (lambda m, r: m.setattr(shutil, "disk_usage", lambda p: Usage(1, 1, 10)), False, "space"),
    "packages": (lambda m, r: m.setattr(doctor, "version", absent("1.2.3")), False, "pip install -r"),
    "book": (lambda m, r: shutil.rmtree(r / "_build"), None, "make book"),
    "browser": (lambda m, r: m.setattr(browser, "find", lambda: None), None, "chromium"),
    "mnist": (lambda m, r: shutil.rmtree(r / "data" / "MNIST"), None, "load('mnist')"),
    "forget sets": (lambda m, r: (r / "data/forget_sets/cifar10/forget_set_7.npy").unlink(), None, "huggingface_hub"),
}  # fmt: skip


@pytest.mark.parametrize("what", FAULTS)
def test_one_thing_is_missing(what, whole, monkeypatch):
    fault, state, mend = FAULTS[what]
    before = states(whole)
    with monkeypatch.context() as patch:
        fault(patch, whole)
        after = states(whole)
    assert before[what].state is True
    assert after[what].state is state and mend in after[what].mend, after[what]
    assert "\n" not in after[what].mend + after[what].told
    others = {k for k in after if k not in (what, "GPU")}
    assert all(after[k].state is True for k in others), "one fault has one line"
    report = doctor.report(list(after.values()))
    assert f"→ {after[what].mend}" in report
    assert report.endswith(f"to mend first: {what}" if state is False else "can be built here")


def test_another_version_is_told_and_stops_nobody(whole, monkeypatch):
    monkeypatch.setattr(doctor, "version", {"numpy": "1.3", "torch": "2.0"}.get)
    found = states(whole)["packages"]
    assert found.state is None and "numpy 1.3 instead of 1.2.3" in found.told and found.mend


def test_before_the_environment_is_made(whole, monkeypatch):
    shutil.rmtree(whole / ".venv")
    monkeypatch.setattr(doctor, "version", absent("1.2.3"))
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    found = states(whole)
    assert found["packages"].mend.startswith("make book") and "9 GB" in found["disk"].told


def test_exit_status(whole, monkeypatch, capsys):
    monkeypatch.setattr(doctor.diagnose, "__defaults__", (whole,))
    assert main(["doctor"]) == 0
    monkeypatch.setattr(sys, "version_info", (3, 10, 0))
    assert main(["doctor"]) == 1
    assert "to mend first: Python" in capsys.readouterr().out


def test_python_alone_is_enough(tmp_path):
    """Without site packages nothing can be imported but the standard library."""
    code = "import runpy, sys; sys.argv = ['unlearning', 'doctor']; runpy.run_module('unlearning', run_name='__main__')"
    ran = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT / "lib")},
    )  # fmt: skip
    assert ran.returncode == 1 and "Traceback" not in ran.stderr, ran.stderr
    assert "✗ packages" in ran.stdout and "torch is missing" in ran.stdout
    assert not list(tmp_path.iterdir())
