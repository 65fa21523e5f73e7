"""One confined process for a submission, how it is confined on this machine, and a measurement of what really holds.

Three ways, the best first:

    bwrap   bubblewrap (Linux): the process sees the interpreter and the system's libraries, read-only, and an empty scratch
            folder in memory; no network, no other processes, nothing outlives it
    user    without it, if the grader is root: a user of its own, who cannot read what root keeps for itself
    none    only limits on time, memory, processes and output: code of a stranger then runs with the teacher's rights

Nothing is taken on trust: `measure` runs a program that tries to break each promise and reports which ones held.
"""

import contextlib
import functools
import io
import itertools
import json
import os
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import psutil

from unlearning.build import submission

_USERS = (
    itertools.count()
)  # a number for each process, so that two that run side by side are two users
_END_ALL = "import os, sys; os.setuid(int(sys.argv[1])); os.kill(-1, 9)"
_ALIVE: set = set()  # the sessions that run
_MARK = "UNLEARNING_SUBMISSION"  # environment variable by which left-over processes are found


@dataclass(frozen=True)
class Limits:
    """What one submission may use."""

    seconds: float = 60.0  # all of it, start to end
    cell_seconds: float = 20.0  # one cell or one call of one function
    memory: int = 2 << 30  # bytes of data of each of its processes
    processes: int = 64  # processes and threads
    scratch: int = 256 << 20  # bytes in its scratch folder; also of each file
    output: int = 64 << 10  # bytes kept of what it prints; the rest is read and dropped
    answer: int = 16 << 20  # bytes of one answer to the grader


class CodeError(Exception):
    """The submission's code raised; `kind` is the exception's name."""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind, self.message = kind, message


class Ended(Exception):
    """The submission's process is gone; the text says why, in plain words."""


@functools.cache
def best() -> str:
    """ "bwrap", "user" or "none": the best way that works here, tried once."""
    if sys.platform == "linux" and shutil.which("bwrap"):
        tried = subprocess.run([*_bubble(1 << 20), "true"], capture_output=True)
        if tried.returncode == 0:
            return "bwrap"
    if os.geteuid() == 0:  # an interpreter in root's own folder is of no use to another user
        with contextlib.suppress(CodeError, Ended), Session(Limits(), "user") as session:
            session.ask(run="import numpy", name="try")
            return "user"
    return "none"


def _bubble(scratch: int) -> list[str]:
    """The bwrap command line: an empty world with the interpreter and the system's libraries."""
    system = (
        "/usr",
        "/bin",
        "/sbin",
        "/lib",
        "/lib32",
        "/lib64",
        "/etc/ld.so.cache",
        "/etc/alternatives",
    )
    python = {sys.prefix, sys.base_prefix, str(Path(sys.executable).resolve().parents[1])}
    words = [
        "bwrap",
        "--die-with-parent",
        "--unshare-net",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
    ]
    words += [] if os.geteuid() == 0 else ["--unshare-user"]
    for parent in sorted({str(p) for folder in python for p in Path(folder).parents} - {"/"}):
        words += ["--perms", "0755", "--dir", parent]  # made by bwrap for itself only, otherwise
    for folder in (*system, *sorted(python)):
        words += ["--ro-bind-try", folder, folder]
    words += ["--proc", "/proc", "--dev", "/dev", "--size", str(scratch), "--tmpfs", "/dev/shm"]
    words += ["--remount-ro", "/dev", "--size", str(scratch), "--tmpfs", "/student"]
    return [*words, "--chdir", "/student", "--"]


class Session:
    """One confined process. `ask` talks to it; `close` ends it and everything it started. A context manager."""

    def __init__(self, limits: Limits, how: str):
        self.limits, self.how = limits, how
        self.printed, self.output = 0, b""  # bytes printed; the first of them
        self.deadline = time.monotonic() + limits.seconds
        self.mark = uuid.uuid4().hex
        self.uid = _free_user() if how != "none" and os.geteuid() == 0 else None
        others = 0 if how != "none" else _threads()  # the limit counts them, too
        program = Path(submission.__file__).read_text()
        command = [sys.executable, "-I", "-c", program, str(limits.cell_seconds)]
        rights = {
            "memory": limits.memory,
            "processes": limits.processes + others,
            "file": limits.scratch,
            "uid": self.uid,
        }
        self.folder = Path(tempfile.mkdtemp(prefix="submission-"))
        self.process = subprocess.Popen(
            [*(_bubble(limits.scratch) if how == "bwrap" else []), *command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
            cwd=self.folder, start_new_session=True, env=self._environment(),
        )  # fmt: skip
        _ALIVE.add(self)
        try:
            os.set_blocking(self.process.stdin.fileno(), False)
            self.ask(confine=rights)
        except BaseException:
            self.close()
            raise

    def _environment(self) -> dict[str, str]:
        home = "/student" if self.how == "bwrap" else str(self.folder)
        threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")}
        return threads | {
            "HOME": home, "TMPDIR": home, "MPLCONFIGDIR": home, "MPLBACKEND": "Agg", "LANG": "C.UTF-8",
            "USER": "student", "LOGNAME": "student",  # PyTorch asks, and the user has no entry in a list of users
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONHASHSEED": "0", _MARK: self.mark,
        }  # fmt: skip

    def ask(self, **request) -> object:
        """The answer to one request of `submission`. CodeError if the code raised, Ended if the process is gone."""
        if self.process.poll() is not None:
            raise Ended("Python had ended before")
        line = self._exchange((json.dumps(request) + "\n").encode())
        try:
            answer = json.loads(line)
            if "error" in answer:
                kind, message = answer["error"]
                raise CodeError(str(kind), str(message))
            return submission.decode(answer["value"])
        except (ValueError, KeyError, TypeError, RecursionError, AttributeError):
            self._give_up("wrote something unreadable where its answers belong")

    def _exchange(self, data: bytes) -> bytes:
        """Sends a line, reads one; meanwhile takes in what is printed."""
        sent, got, printed = self.process.stdin, self.process.stdout, self.process.stderr
        patience = time.monotonic() + self.limits.cell_seconds + 5  # its own alarm rings before
        answer = bytearray()
        with selectors.DefaultSelector() as ready:
            ready.register(sent, selectors.EVENT_WRITE)
            ready.register(got, selectors.EVENT_READ)
            ready.register(printed, selectors.EVENT_READ)
            while not answer.endswith(b"\n"):
                if time.monotonic() > self.deadline:
                    self._give_up(f"stopped after {self.limits.seconds:g} s")
                if time.monotonic() > patience:
                    self._give_up(f"stopped after {self.limits.cell_seconds + 5:g} s")
                if len(answer) > self.limits.answer:
                    self._give_up(f"returned more than {self.limits.answer >> 20} MB")
                for key, _ in ready.select(0.2):
                    if key.fileobj is sent:
                        data = data[_write(sent, data) :]
                        if not data:
                            ready.unregister(sent)
                    elif key.fileobj is got:
                        part = os.read(got.fileno(), 1 << 16)
                        if not part:
                            self._give_up(
                                "Python ended (os._exit, a crash, or more memory than allowed)"
                            )
                        answer += part
                    elif not self._take_in(os.read(printed.fileno(), 1 << 16)):
                        ready.unregister(printed)
        return bytes(answer)

    def _take_in(self, part: bytes) -> bytes:
        """Counts what was printed and keeps the first of it."""
        self.printed += len(part)
        self.output += part[: max(0, self.limits.output - len(self.output))]
        return part

    def _give_up(self, reason: str) -> None:
        self.close()
        raise Ended(reason)

    def close(self) -> None:
        """Ends the process and all that it started, waits until they are gone, and removes the scratch folder."""
        _ALIVE.discard(self)
        if self.how == "user":  # all of them at one stroke, as that user
            subprocess.run([sys.executable, "-I", "-S", "-c", _END_ALL, str(self.uid)], check=False)
        for _ in range(20):  # what is killed may have started more in the meantime
            if not _kill([*_descendants(self.process.pid), *self._marked()]):
                break
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        _kill(self._marked())
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _marked(self) -> list[psutil.Process]:
        """Processes of this session wherever they are (bwrap's first one takes the others along, but not at once)."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                theirs = self.uid is not None and process.uids().real == self.uid
                theirs = theirs or process.environ().get(_MARK) == self.mark
                if theirs and process.pid != self.process.pid and _runs(process):
                    found.append(process)
        return found

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_):
        self.close()


def _write(stream: io.RawIOBase, data: bytes) -> int:
    """How many bytes the pipe took; all of them if nobody reads it any more."""
    try:
        return os.write(stream.fileno(), data[:65536])
    except BlockingIOError:
        return 0
    except BrokenPipeError:
        return len(data)


def end_all() -> None:
    """Ends the processes of all sessions, whichever thread they belong to; those threads then see Ended."""
    for session in list(_ALIVE):
        _kill(_descendants(session.process.pid))
        with contextlib.suppress(ProcessLookupError):
            session.process.kill()


def _free_user() -> int:
    """A user id that belongs to nobody and runs nothing, for one session (a range that Linux systems leave unused)."""
    busy = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            busy.add(process.uids().real)
    while True:
        uid = 60600 + (os.getpid() + next(_USERS)) % 500
        if uid not in busy:
            return uid


def _kill(processes: list[psutil.Process]) -> bool:
    """Kills them and waits until they are gone; False if there were none."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
    patience = time.monotonic() + 5
    while any(map(_runs, processes)) and time.monotonic() < patience:
        time.sleep(0.01)
    return bool(processes)


def _descendants(pid: int) -> list[psutil.Process]:
    found = []
    with contextlib.suppress(psutil.Error):
        found = psutil.Process(pid).children(recursive=True)
    return [process for process in found if _runs(process)]


def _runs(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def _threads() -> int:
    """How many threads this user runs."""
    count = 0
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            count += process.num_threads() if process.uids().real == os.getuid() else 0
    return count


# What `measure` lets a confined process try; each function returns True if it got through.
_ATTEMPTS = """
import os, socket, subprocess, sys, time

def reads(path):
    try:
        return bool(open(path, "rb").read(1))
    except OSError:
        return False

def connects(port):
    try:
        socket.create_connection(("127.0.0.1", port), 2).close()
        return True
    except OSError:
        return False

def writes(folder):
    try:
        open(os.path.join(folder, "written"), "w").close()
        return True
    except OSError:
        return False

def signals(pid):
    try:
        os.kill(pid, 0)
        return True
    except OSError:
        return False

def allocates(size):
    try:
        return len(bytearray(size)) == size
    except MemoryError:
        return False

def forks(most):
    made = []
    try:
        while len(made) <= most:
            made.append(os.fork())
            if not made[-1]:
                time.sleep(30)
                os._exit(0)
    except OSError:
        pass
    for pid in made:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    return len(made) > most

def leaves_behind(mark):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", mark], start_new_session=True)
    return True
"""


def measure(how: str, secret: Path, limits: Limits = Limits()) -> dict[str, bool]:
    """Promise -> whether it held against a program that tries to break it. `secret`: a file with hidden tests."""
    mark = uuid.uuid4().hex
    with tempfile.TemporaryDirectory() as outside, socket.create_server(("127.0.0.1", 0)) as server:
        os.chmod(outside, 0o755)
        with Session(limits, how) as session:
            session.ask(probe=_ATTEMPTS)
            tries = {
                "hidden tests cannot be read": ("reads", str(secret.resolve())),
                "no network": ("connects", server.getsockname()[1]),
                "writes only in its own folder": ("writes", outside),
                "cannot reach the grader or other submissions": ("signals", os.getpid()),
                f"memory: {limits.memory >> 20} MB": ("allocates", limits.memory + (64 << 20)),
                f"processes: {limits.processes}": ("forks", limits.processes + 1),
            }
            held = {
                promise: not session.ask(call=n, args=[given])
                for promise, (n, given) in tries.items()
            }
            session.ask(call="leaves_behind", args=[mark])
    lines = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            lines.append(process.cmdline())
    return held | {"nothing keeps running afterwards": not any(mark in line for line in lines)}
