"""Records that survive: append-only JSON lines, arrays written whole or not at all, provenance.

One record is one line: (data set, forget set, method, configuration, number of models) and everything measured for it.

Explained in CONTRIBUTING.md.
"""
import ast
import errno
import fcntl
import functools
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from unlearning.data import BadInput

TRAINING_CODE = ("data", "models", "ensemble", "klom.margins")  # what decides a trained model's margins, given F
METHOD_CODE = ("methods",)  # what a method makes of trained models
SCORING_CODE = (*TRAINING_CODE, *METHOD_CODE, "klom")  # and what turns margins into a record
IDENTITY = ("dataset", "preset", "forget_set", "method", "configuration", "epoch", "models")  # what a record is about


def append(path: Path, record: dict) -> None:
    """Adds one line to a JSON-lines file: one write, flushed to the disk, under a lock; earlier lines are untouched.

    A last line that a crash cut short is removed first (it never was a record). Raises OSError on a full disk, with
    the file as it was, and ValueError for values that JSON does not know (NaN).
    """
    line = (json.dumps(record, allow_nan=False) + "\n").encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+b", buffering=0) as file:  # unbuffered: after a failure nothing is left to be written later
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        existing = file.read()
        tail = existing.rpartition(b"\n")[2]
        if tail and _parsed(tail) is None:
            file.truncate(len(existing) - len(tail))
        elif tail:
            line = b"\n" + line
        start = file.seek(0, os.SEEK_END)
        try:
            if file.write(line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            os.fsync(file.fileno())
        except OSError:
            file.truncate(start)
            raise


def read(path: Path) -> list[dict]:
    """All records of a JSON-lines file, oldest first; a torn last line is left out, any other bad line is an error."""
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    records = [_parsed(line) for line in lines[:-1]]
    if None in records:
        raise BadInput(f"{path}: line {records.index(None) + 1} is not a JSON object; remove or repair that line")
    last = _parsed(lines[-1]) if lines and lines[-1] else None
    return records + ([last] if last is not None else [])


def _parsed(line: bytes) -> dict | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def identity(record: dict) -> str:
    """What a record is about, as text: two records with one identity measure the same thing."""
    return json.dumps([record.get(name) for name in IDENTITY], sort_keys=True)


def latest(records: Iterable[dict]) -> list[dict]:
    """The last record of each identity, in order of first appearance."""
    return list({identity(r): r for r in records}.values())


def collect(folder: Path, **wanted: object) -> list[dict]:
    """The latest records of all .jsonl files below `folder` whose fields equal `wanted` (dataset="cifar10", …)."""
    found = latest(record for path in sorted(Path(folder).rglob("*.jsonl")) for record in read(path))
    return [r for r in found if all(r.get(name) == value for name, value in wanted.items())]


def save(path: Path, **arrays: np.ndarray) -> None:
    """Writes arrays to one .npz file by way of a temporary file that is renamed: `path` is whole or absent."""
    def write(file: object) -> None:
        np.savez(file, **arrays)

    write_whole(path, write)


def write_whole(path: Path, write: object) -> None:
    """Calls write(file) on a temporary file beside `path`, flushes it to the disk and renames it to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(temporary, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def only_one(folder: Path, wait: bool = False) -> Iterator[None]:
    """Holds the folder's lock. It ends with its process, however that ends.

    While another process holds it: BadInput, or a wait for that process to end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise BadInput(f"{folder}: another run is writing there; wait for it or choose another --out") from None
        yield


@functools.cache
def code_hash(modules: tuple[str, ...]) -> str:
    """First 12 hexadecimal digits of the SHA-256 of the modules' code; comments, docstrings and layout do not count."""
    digest = hashlib.sha256()
    for name in modules:
        module, _, only = name.partition(".")  # "klom.margins": that function alone
        tree = ast.parse((Path(__file__).parent / f"{module}.py").read_text())
        tree.body = [node for node in tree.body if not only or getattr(node, "name", "") == only]
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
                node.body = node.body[1:] or [ast.Pass()]
        digest.update(f"{name}\n{ast.unparse(tree)}\n".encode())
    return digest.hexdigest()[:12]


@functools.cache
def provenance(device: str) -> dict[str, str | bool]:
    """Where a number comes from: code, versions, machine."""
    import torch

    folder = Path(__file__).resolve().parent
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else platform.machine()
    return {"commit": _git(folder, "rev-parse", "HEAD") or "unknown",
            "modified": bool(_git(folder, "status", "--porcelain", "--", str(folder))),
            "training_code": code_hash(TRAINING_CODE), "method_code": code_hash(METHOD_CODE),
            "scoring_code": code_hash(SCORING_CODE),
            "python": platform.python_version(), "numpy": np.__version__, "torch": torch.__version__,
            "cuda": torch.version.cuda if device.startswith("cuda") else "none",
            "device": f"{device} {name}", "system": sys.platform,
            "precision": f"methods {'TF32 convolutions' if device.startswith('cuda') else 'float32'}, scoring float32",
            }  # fmt: skip


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
