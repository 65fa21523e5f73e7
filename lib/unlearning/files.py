"""Files that are whole or absent, a folder that one run holds at a time, and where the repository lies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from unlearning.errors import Refused

ROOT = (
    Path(__file__).resolve().parents[2]
)  # of the repository: book/, _toc.yml and results/ lie here


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

    While another process holds it: Refused, or a wait for that process to end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise Refused(
                f"{folder}: another run is writing there; wait for it or choose another --out"
            ) from None
        yield
