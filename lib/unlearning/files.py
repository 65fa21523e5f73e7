"""Files that are whole or absent, folders that one command makes or holds at a time, and reading what may be damaged."""

import hashlib
import itertools
import json
import math
import os
import re
import stat
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from filelock import FileLock, Timeout

from unlearning.errors import Failed, Refused

CLONE = Path(__file__).resolve().parents[2]  # of the repository: book/, _toc.yml, results/
COPY = (
    Path(__file__).resolve().parent / "repository"
)  # what an installed package took along from it (setup.py)
ROOT = COPY if COPY.exists() else CLONE
# What pages train is kept here. Beside the notebook where the package is installed, or where UNLEARNING_BUILD says.
KEPT = Path(os.environ.get("UNLEARNING_BUILD") or "_build").absolute()
BUILD = KEPT if COPY.exists() else CLONE / "_build"
LIMIT = 4 << 30  # bytes read of one file at most, and of the arrays in it
SHA = "sha256"  # name of the checksum in what is written here


class Damaged(Failed):
    """A file that cannot be read, or is not what was written; `reason` says why."""

    def __init__(self, path: Path, reason: str):
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path, reason

    def __reduce__(self) -> tuple:  # it may come out of a worker process
        return Damaged, (self.path, self.reason)


# --- writing ---------------------------------------------------------------------------------------------------------


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Calls write(file) on a temporary file beside `path`, flushes it to the disk and renames it to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with open(temporary, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def clear_leftovers(folder: Path) -> None:
    """Removes what `write_whole` had begun below a folder when its process was killed; nobody may be writing there."""
    for path in folder.rglob(".*.part"):
        if re.fullmatch(r"\..+\.\d+(-\d+)?\.part", path.name):
            path.unlink(missing_ok=True)


def save(path: Path, **arrays: np.ndarray) -> None:
    """Writes arrays and their checksum (`digest`, as the array `sha256`) to one .npz file that is whole or absent."""
    sealed = {**arrays, SHA: np.array(digest(arrays))}
    write_whole(path, lambda file: np.savez(file, **sealed))


def save_json(path: Path, told: dict) -> None:
    """Writes a JSON object and its checksum (key `sha256`) to a file that is whole or absent."""
    sealed = {**told, SHA: digest_json(told)}
    write_whole(path, lambda file: file.write(json.dumps(sealed).encode()))


def digest(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256, hexadecimal, over name, type, shape and content of all arrays but the one named `sha256`."""
    found = hashlib.sha256()
    for name in sorted(set(arrays) - {SHA}):
        array = np.asarray(arrays[name])
        found.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def digest_json(told: Mapping[str, object]) -> str:
    """SHA-256, hexadecimal, of a JSON object without its key `sha256`: of its text with sorted keys."""
    kept = {k: v for k, v in told.items() if k != SHA}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


# --- reading: anything may be in a file -------------------------------------------------------------------------------


def content(path: Path, limit: int = LIMIT) -> bytes:
    """The bytes of a plain file. Damaged if it cannot be read, is no plain file, or has more than `limit` bytes."""
    with opened(path, limit) as file:
        return file.read(limit + 1)


@contextmanager
def opened(path: Path, limit: int = LIMIT) -> Iterator[BinaryIO]:
    """The open file, if it is a plain one: a pipe or a device is not waited for. Raises Damaged."""
    try:
        file = open(path, "rb", opener=lambda p, flags: os.open(p, flags | os.O_NONBLOCK))
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        raise Damaged(path, getattr(error, "strerror", None) or str(error)) from None
    with file:
        told = os.fstat(file.fileno())
        if not stat.S_ISREG(told.st_mode):
            raise Damaged(path, "not a plain file")
        if told.st_size > limit:
            raise Damaged(path, f"{told.st_size} bytes, allowed {limit}")
        yield file


def load_json(path: Path, limit: int = 1 << 28) -> dict:
    """The JSON object in a file; a checksum in it, if any, was found right. Raises Damaged otherwise."""
    try:
        told = json.loads(content(path, limit))
        same = not isinstance(told, dict) or SHA not in told or told[SHA] == digest_json(told)
    except (ValueError, RecursionError):
        raise Damaged(path, "damaged: not JSON") from None
    if not isinstance(told, dict):
        raise Damaged(path, "damaged: not a JSON object")
    if not same:
        raise Damaged(path, "damaged: its checksum is another")
    return told


def load(path: Path) -> dict[str, np.ndarray]:
    """The arrays that `save` wrote; a checksum in them, if any, was found right. Raises Damaged otherwise.

    A file without the array `sha256` comes from an older version: nothing vouches for it.
    """
    found = load_arrays(path)
    if SHA in found and str(found[SHA]) != digest(found):
        raise Damaged(path, "damaged: its checksum is another")
    return found


def load_arrays(path: Path, limit: int = LIMIT) -> dict[str, np.ndarray]:
    """All arrays of an .npz file. Nothing in it is ever executed. Raises Damaged.

    Each array's header is held against the bytes that are there before memory is taken for it.
    """
    with opened(path, limit) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                entries = archive.infolist()
                if sum(entry.file_size for entry in entries) > limit:
                    raise ValueError(f"its arrays have more than {limit} bytes")
                found = {}
                for entry in entries:
                    with archive.open(entry) as member:
                        found[entry.filename.removesuffix(".npy")] = _array(member, entry.file_size)
                return found
        # The readers of zip and npy raise about a dozen kinds of errors; here all of them mean the same.
        except Exception as error:
            told = " ".join(str(error).split())[:120]
            raise Damaged(path, f"not a .npz file of plain arrays ({told})") from None


def check_array_header(file: BinaryIO, size: int) -> tuple[tuple[int, ...], np.dtype]:
    """(shape, type) in the header of an array of `size` bytes, header included (format .npy).

    Raises ValueError for an array of Python objects, and for a shape that does not fit the size; other errors for
    what is no such header.
    """
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"format {version} of .npy; 1.0 and 2.0 are read")
    header = np.lib.format.read_array_header_1_0, np.lib.format.read_array_header_2_0
    shape, _, kind = header[version[0] - 1](file)
    if kind.hasobject:
        raise ValueError("it holds Python objects, which are never loaded")
    if min(shape, default=0) < 0 or file.tell() + math.prod(shape) * kind.itemsize != size:
        raise ValueError(f"shape {shape} of {kind} does not fit {size} bytes")
    return shape, kind


def _array(file: BinaryIO, size: int) -> np.ndarray:
    check_array_header(file, size)
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


# --- folders ---------------------------------------------------------------------------------------------------------


@contextmanager
def only_one(
    folder: Path,
    wait: bool = False,
    told: str = "another run is writing there; wait for it or choose another --out",
) -> Iterator[None]:
    """Holds the folder's lock. It ends with its process, however that ends.

    While another process holds it: Refused with `told`, or a wait for that process to end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        raise Refused(f"{folder}: {told}") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A new folder beside `out`, renamed to `out` when the block ends well: `out` is whole or absent.

    It is OUT.part, or OUT.part-2, …: what is there already is touched by nobody. When the block fails, the folder
    stays and the error tells its name (`add_note`); an empty one is removed. Raises Refused if `out` is in use, and
    Failed if it is so at the end of the block.
    """
    told, out = out, Path(os.path.realpath(out))
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Refused(
            f"{told} is not empty: choose another --out, or remove it (results are never overwritten)"
        )
    part = first_free(f"{out}.part{end}" for end in _endings())
    try:
        yield part
        try:
            part.rename(out)  # replaces an empty folder, and nothing else
        except OSError as error:
            raise Failed(f"{told} cannot be made: {error.strerror}") from None
    except BaseException as error:
        with suppress(OSError):
            part.rmdir()
        if part.exists():
            error.add_note(f"what was written is in {part}")
        raise


def _endings() -> Iterator[str]:
    return itertools.chain([""], (f"-{i}" for i in itertools.count(2)))


def first_free(names: Iterator[str]) -> Path:
    """Makes the first of these folders that is not there yet: two commands at once get two folders."""
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise Failed("no free name for a folder")


def numbered(parent: Path, stem: str) -> Path:
    """A new, empty folder PARENT/STEM-N with the first free number from 1."""
    return first_free(str(parent / f"{stem}-{i}") for i in itertools.count(1))
