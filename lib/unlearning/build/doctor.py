"""`unlearning doctor`: what this machine has, what is missing, and the one command that mends it.

It needs nothing but Python, so it also runs before anything is installed: PYTHONPATH=lib python3 -m unlearning doctor
(or make doctor). It asks no other host and changes nothing.
"""

import argparse
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from unlearning.build import browser

ROOT = Path(__file__).resolve().parents[3]  # `files.ROOT`, without what that module imports
PYTHON = (3, 11)
ENVIRONMENT = 8e9  # bytes that .venv takes on Linux (5.7 GB, measured), with room for its downloads
BOOK = 1e9  # bytes for a built book and a small experiment


@dataclass(frozen=True)
class Found:
    """One line of the report."""

    what: str
    state: (
        bool | None
    )  # True: there; False: the book needs it; None: missing, and only some things need it
    told: str  # what was found
    mend: str = ""  # one command


def diagnose(root: Path = ROOT) -> list[Found]:
    """Everything that is looked at, in the order in which it should be mended."""
    checks = (_python, _make, _disk, _packages, _book, _browser, _data, _published, _gpu)
    return [found for check in checks for found in check(root)]


def _python(root: Path) -> Iterator[Found]:
    here = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= PYTHON
    mend = "" if good else "install Python 3.12, then: make PYTHON=python3.12 book"
    yield Found("Python", good, f"{here} ({sys.executable}); 3.11 or newer is needed", mend)


def _make(root: Path) -> Iterator[Found]:
    path = shutil.which("make")
    mend = "" if path else "apt-get install make (macOS: xcode-select --install)"
    yield Found(
        "make", True if path else None, path or "missing; `unlearning build` does without it", mend
    )


def _disk(root: Path) -> Iterator[Found]:
    there = (root / ".venv").is_dir() or sys.prefix != sys.base_prefix
    needed, free = BOOK + (0 if there else ENVIRONMENT), shutil.disk_usage(root).free
    told = f"{free / 1e9:.1f} GB free in {root}; about {needed / 1e9:.0f} GB are needed"
    yield Found(
        "disk", free >= needed, told, "" if free >= needed else "make clean, or free some space"
    )


def _packages(root: Path) -> Iterator[Found]:
    missing, other, every = [], [], 0
    for name, pinned in _pinned(root / "requirements.txt"):
        every += 1
        try:
            have = version(name)
        except PackageNotFoundError:
            missing.append(name)
        else:
            if have.partition("+")[0] != pinned:  # torch 2.11.0+cpu is torch 2.11.0
                other.append(f"{name} {have} instead of {pinned}")
    told = f"{every - len(missing) - len(other)} of {every} in the pinned versions"
    told += "".join(f"; {what}: {', '.join(names[:5])}" + f" and {len(names) - 5} more" * (len(names) > 5)
                    for what, names in (("missing", missing), ("others", other)) if names)  # fmt: skip
    mend = "" if not missing + other else f"{_run(root)} -m pip install -r requirements.txt"
    if missing and not (root / ".venv").is_dir():
        mend = "make book (makes .venv, downloads about 3 GB on Linux)"
    yield Found("packages", not missing if not other or missing else None, told, mend)


def _pinned(path: Path) -> Iterator[tuple[str, str]]:
    """(name, version) of requirements that this machine needs; those with a condition are left to pip."""
    for line in path.read_text().splitlines() if path.exists() else ():
        if found := re.fullmatch(r"([\w.-]+)==(\S+)", line.strip()):
            yield found[1], found[2]


def _run(root: Path) -> str:
    return ".venv/bin/python" if (root / ".venv").is_dir() else "python3"


def _book(root: Path) -> Iterator[Found]:
    index = root / "_build" / "html" / "index.html"
    there = index.exists()
    told = str(index) if there else "not built yet"
    yield Found("book", True if there else None, told, "" if there else "make book")


def _browser(root: Path) -> Iterator[Found]:
    path = browser.find()
    told = path or "none; `unlearning pdf`, PNG in `unlearning figures` and some tests need one"
    mend = (
        "apt-get install chromium (macOS: brew install --cask chromium; or set CHROMIUM to a path)"
    )
    yield Found("browser", True if path else None, told, "" if path else mend)


def _data(root: Path) -> Iterator[Found]:
    try:
        from unlearning import datasets
    except ImportError as error:
        yield Found("data sets", None, f"cannot be asked: {error}", "mend the packages first")
        return
    folder = datasets.find_root()
    for name, one in datasets.DATASETS.items():
        if one.folder:
            there = (folder / one.folder).is_dir()
            told = (
                str(folder / one.folder)
                if there
                else f"no {folder / one.folder}; the book needs none"
            )
            load = f"{_run(root)} -c \"from unlearning.datasets import load; load('{name}')\""
            named = os.environ.get(datasets.ROOT_VARIABLE)
            mend = (
                f"unset {datasets.ROOT_VARIABLE}; {load} (downloads to ./data)" if named else load
            )
            yield Found(name, True if there else None, told, "" if there else mend)


def _published(root: Path) -> Iterator[Found]:
    try:
        from unlearning import datasets
    except ImportError:
        return
    folder = datasets.find_root() / "forget_sets" / "cifar10"
    held = sum((folder / f"forget_set_{k}.npy").exists() for k in range(4, 11))
    told = f"{held} of 7 index files in {folder}; presets with published sets need them"
    mend = f"{_run(root)} -m pip install huggingface_hub (fetched when an experiment asks for them)"
    yield Found("forget sets", True if held == 7 else None, told, "" if held == 7 else mend)


def _gpu(root: Path) -> Iterator[Found]:
    try:
        import torch
    except ImportError:
        yield Found("GPU", None, "cannot be asked: torch is missing", "mend the packages first")
        return
    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count()))
        yield Found("GPU", True, names)
        return
    driver = shutil.which("nvidia-smi")
    told = f"none that torch {torch.__version__} sees; everything but the preset paper runs on {os.cpu_count()} cores"
    mend = (
        f"{_run(root)} -m pip install --force-reinstall -r requirements.txt (then see nvidia-smi)"
    )
    yield Found("GPU", None, told, mend if driver else "")


def report(found: list[Found]) -> str:
    """One line for each finding, and below it what mends it."""
    wide = max(len(one.what) for one in found)
    marks = {True: "✓", False: "✗", None: "–"}
    lines = [
        f"{marks[one.state]} {one.what:{wide}}  {one.told}"
        + (f"\n  {'':{wide}}  → {one.mend}" if one.mend else "")
        for one in found
    ]
    bad = [one.what for one in found if one.state is False]
    last = f"to mend first: {', '.join(bad)}" if bad else "the book can be built here"
    return "\n".join([*lines, last])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options."""


def main(arguments: argparse.Namespace) -> int:
    """Exit status 0 when nothing that the book needs is missing, else 1."""
    found = diagnose()
    print(report(found))
    return int(any(one.state is False for one in found))
