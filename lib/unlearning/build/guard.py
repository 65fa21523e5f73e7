"""Where a chapter may write. `watch` runs inside the chapter's kernel, before its first cell.

A guard against accidents: it sees what Python itself opens, removes and renames; not what compiled code and other
processes do.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {
    event: (0,)
    for event in ("os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod", "os.chown")
}
_CHANGES |= {"shutil.rmtree": (0,), "os.rename": (0, 1), "os.link": (1,), "os.symlink": (1,)}
# event -> which of its arguments are the paths that change


def watch(allowed: list[str]) -> None:
    """From now on, changing a file outside the current folder and `allowed` raises PermissionError, for good."""
    here = os.getcwd()
    roots = tuple(os.path.realpath(folder) + os.sep for folder in (here, *allowed))

    def hook(event: str, given: tuple) -> None:
        if event == "open" and isinstance(given[2], int) and given[2] & _WRITING:
            refuse(given[0], os.path.realpath)
        for at in _CHANGES.get(event, ()):
            if not (
                event == "os.mkdir" and os.path.isdir(given[0])
            ):  # it is there: nothing changes
                refuse(given[at], _named)

    def refuse(path: object, resolved: Callable[[str], str]) -> None:
        if isinstance(path, int):
            return  # an open file
        real = resolved(os.fsdecode(path))
        if not f"{real}{os.sep}".startswith(roots) and "__pycache__" not in real:
            raise PermissionError(
                f"{os.fsdecode(path)}: a chapter writes in the folder it runs in, in _build and in temporary folders only"
            )

    sys.addaudithook(hook)


def _named(path: str) -> str:
    """The path itself, links in its folder followed: a link is removed or renamed, not what it leads to."""
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.join(os.path.realpath(folder), name)


def startup(allowed: list[str]) -> str:
    """Code for a kernel's start-up file: calls `watch`, and leaves no name behind."""
    here = str(Path(__file__).resolve())
    return f"import runpy\nrunpy.run_path({here!r})['watch']({allowed!r})\ndel runpy\n"
