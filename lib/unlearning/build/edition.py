"""Which edition of the book something comes from: version, commit, date."""

import platform
import sys
import tomllib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from unlearning.experiment.provenance import git

DECIDING = ("numpy", "scipy", "scikit-learn", "torch", "torchvision", "pandas", "matplotlib")


@dataclass(frozen=True)
class Edition:
    """What a folder with the book holds."""

    version: str  # of the package, from pyproject.toml; "unknown" without one
    commit: str  # 40 hexadecimal digits; "" outside a git repository
    date: str  # of the commit, YYYY-MM-DD; ""
    modified: bool  # whether tracked or new files differ from the commit

    def told(self) -> str:
        """In a few words, for under a page."""
        commit = f", commit {self.commit[:7]} of {self.date}" if self.commit else ""
        return f"Version {self.version}{commit}{', modified' * self.modified}"


def edition(root: Path) -> Edition:
    """The edition in a folder; of a folder that merely lies inside another repository, the version alone."""
    top = git(root, "rev-parse", "--show-toplevel")
    if not top or Path(top) != root.resolve():
        return Edition(_version(root), "", "", False)
    commit, _, date = git(root, "log", "-1", "--format=%H %cs").partition(" ")
    return Edition(_version(root), commit, date, bool(git(root, "status", "--porcelain")))


def provenance(root: Path) -> dict[str, str | bool]:
    """For a record of a run: the edition, and the versions of what computes."""
    found = edition(root)
    told = {"version": found.version, "commit": found.commit or "unknown"}
    told |= {"modified": found.modified, "python": platform.python_version()}
    return told | {name: _installed(name) for name in DECIDING} | {"system": sys.platform}


def _version(root: Path) -> str:
    try:
        return tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    except (OSError, ValueError, KeyError, TypeError):
        return _installed("unlearning")


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
