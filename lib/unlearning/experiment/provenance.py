"""Where a number comes from: hashes of the code that decides it, versions, machine."""

import ast
import functools
import hashlib
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from unlearning.files import ROOT

PACKAGE = Path(__file__).resolve().parents[1]
# Modules below the package; "klom:margins" is that function alone
TRAINING_CODE = (
    "datasets",
    "networks",
    "stack",
    "training",
    "klom:margins",
)  # what decides a trained model's margins
METHOD_CODE = (
    "methods/__init__",
    "methods/steps",
    "methods/ascent",
    "methods/scrub",
)  # what a method makes of a model
SCORING_CODE = (
    "klom",
    "uncertainty",
    "estimators",
    "experiment/estimates",
)  # what turns margins into a record


@functools.cache
def code_hash(modules: tuple[str, ...]) -> str:
    """First 12 hexadecimal digits of the SHA-256 of the modules' code; comments, docstrings and layout do not count."""
    digest = hashlib.sha256()
    for name in modules:
        module, _, only = name.partition(":")
        tree = ast.parse((PACKAGE / f"{module}.py").read_text())
        tree.body = [node for node in tree.body if not only or getattr(node, "name", "") == only]
        for node in ast.walk(tree):
            if (
                isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
                and ast.get_docstring(node) is not None
            ):
                node.body = node.body[1:] or [ast.Pass()]
        digest.update(f"{name}\n{ast.unparse(tree)}\n".encode())
    return digest.hexdigest()[:12]


@functools.cache
def provenance(device: str) -> dict[str, str | bool]:
    """Where a number comes from: code, versions, machine."""
    import torch

    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else platform.machine()
    return {
        "commit": git(PACKAGE, "rev-parse", "HEAD") or "unknown",
        "modified": bool(git(PACKAGE, "status", "--porcelain", "--", str(PACKAGE))),
        "training_code": code_hash(TRAINING_CODE),
        "method_code": code_hash(METHOD_CODE),
        "scoring_code": code_hash(SCORING_CODE),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "cuda": torch.version.cuda if device.startswith("cuda") else "none",
        "device": f"{device} {name}",
        "system": sys.platform,
        "precision": f"methods {'TF32 convolutions' if device.startswith('cuda') else 'float32'}, scoring float32",
    }


def now() -> str:
    """Date and time, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def protocol(preset: str) -> str | None:
    """SHA-256 of the protocol written before a preset's data (results/protocol-PRESET.toml); None without one."""
    path = ROOT / "results" / f"protocol-{preset}.toml"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


def history(path: Path) -> list[tuple[str, str, str]]:
    """(commit, date and time, subject) of every commit that touched a file, oldest first; dates are UTC, as `now` gives them.

    Empty where the repository's history is not at hand.
    """
    told = git(path.parent, "log", "--reverse", "--format=%h%x09%ct%x09%s", "--", path.name)
    found = [line.split("\t", 2) for line in told.splitlines()]
    return [(c, datetime.fromtimestamp(int(t), UTC).isoformat(), s) for c, t, s in found]


def git(folder: Path, *arguments: str) -> str:
    """What git says of a folder; "" when it is not there or the folder is in no repository."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
