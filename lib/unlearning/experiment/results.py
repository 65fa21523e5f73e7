"""Records as JSON lines that are only ever added to.

One record is one line: (data set, forget set, method, configuration, number of models) and everything measured for it."""

import errno
import fcntl
import json
import os
from collections.abc import Iterable
from pathlib import Path

from unlearning import files
from unlearning.errors import Refused

IDENTITY = (
    "dataset",
    "preset",
    "forget_set",
    "method",
    "configuration",
    "epoch",
    "models",
)  # what a record is about


def append(path: Path, record: dict) -> None:
    """Adds one line to a JSON-lines file: one write, flushed to the disk, under a lock; earlier lines are untouched.

    A last line that a crash cut short is removed first (it never was a record). Raises OSError on a full disk, with
    the file as it was, and ValueError for values that JSON does not know (NaN).
    """
    line = (json.dumps(record, allow_nan=False) + "\n").encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(
        path, "a+b", buffering=0
    ) as file:  # unbuffered: after a failure nothing is left to be written later
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
    """All records of a JSON-lines file, oldest first; a torn last line is left out, any other bad line is an error.

    A record is a JSON object that says what it is about (IDENTITY) and where it comes from (provenance).
    """
    lines = files.content(path).split(b"\n") if path.exists() else []
    records = [_parsed(line) for line in lines[:-1]]
    if None in records:
        raise Refused(
            f"{path}: line {records.index(None) + 1} is not a JSON object; remove or repair that line"
        )
    last = _parsed(lines[-1]) if lines and lines[-1] else None
    records += [last] if last is not None else []
    for at, record in enumerate(records, 1):
        if lost := _lacking(record):
            raise Refused(
                f"{path}: line {at} is no record, it lacks {', '.join(lost)}; remove or repair that line"
            )
    return records


def _lacking(record: dict) -> list[str]:
    """Fields without which an object is no record."""
    lost = [k for k in IDENTITY if k not in record]
    parts = [k for k in ("configuration", "provenance") if not isinstance(record.get(k), dict)]
    return list(dict.fromkeys([*lost, *parts]))


def _parsed(line: bytes) -> dict | None:
    try:
        found = json.loads(line, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number in JSON")


def identity(record: dict) -> str:
    """What a record is about, as text: two records with one identity measure the same thing."""
    return json.dumps([record.get(name) for name in IDENTITY], sort_keys=True)


def latest(records: Iterable[dict]) -> list[dict]:
    """The last record of each identity and seed, in order of first appearance: another seed replaces nothing."""
    return list({(identity(r), r.get("seed")): r for r in records}.values())


def collect(folder: Path, **wanted: object) -> list[dict]:
    """The latest records of all .jsonl files below `folder` whose fields equal `wanted` (dataset="cifar10", …).

    Records are only ever added to: Refused for a folder that is not there, and for a file without a record.
    """
    if not folder.is_dir():
        raise Refused(
            f"{folder} with the recorded results is missing: bring it back (git checkout)"
        )
    every = {path: read(path) for path in sorted(folder.rglob("*.jsonl"))}
    if empty := [str(path) for path, records in every.items() if not records]:
        raise Refused(f"{', '.join(empty)}: no record in it; bring the file back (git checkout)")
    found = latest(record for records in every.values() for record in records)
    return [r for r in found if all(r.get(name) == value for name, value in wanted.items())]
