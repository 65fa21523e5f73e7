"""The program inside a submission's own process: it runs cells and answers calls, as JSON lines.

Its text is handed to the interpreter (`python -c`), so the process needs to see no file of this package; only the
standard library is imported here, numpy when a value asks for it. Requests come on standard input:

    {"confine": {…}}            give up rights and set limits; first of all
    {"run": source}             execute a cell in the student's namespace
    {"probe": source}           execute the grader's helpers in a namespace of their own, where `answers` is the student's
    {"call": name, "args": […]} call a probe or else a function of the student's
    {"get": name}               the value of a student's variable

and each is answered by {"value": …} or {"error": [exception, message]}. What the student prints goes to standard error.
"""

import base64
import json
import os
import re
import resource
import signal
import sys
import types


class TimeUp(BaseException):
    """A cell or a call took longer than it may. No Exception, so that `except Exception` does not swallow it."""


def encode(value: object) -> object:
    """A value as JSON: numbers, texts, None, lists, dicts with text keys, arrays and tensors. TypeError otherwise."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [encode(part) for part in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {key: encode(part) for key, part in value.items()}}
    if type(value).__module__.split(".")[0] == "torch" and hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    import numpy as np

    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufc":
        if value.ndim == 0 and value.dtype.kind != "c":
            return value.item()
        value = np.ascontiguousarray(value)
        return {"array": [value.dtype.str, value.shape, base64.b64encode(value).decode()]}
    raise TypeError(f"a {type(value).__name__} is neither a number, a text nor an array of numbers")


def decode(value: object) -> object:
    """The inverse of `encode`; lists for tuples, numpy arrays for tensors. ValueError for anything it did not write."""
    if isinstance(value, list):
        return [decode(part) for part in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"dict"}:
        return {str(key): decode(part) for key, part in value["dict"].items()}
    import numpy as np

    kind, shape, data = value["array"]
    if not re.fullmatch(r"[<>|=]?[biufc]\d+", kind):
        raise ValueError(f"dtype {kind!r}")
    return np.frombuffer(base64.b64decode(data), np.dtype(kind)).reshape(shape).copy()


def plain(source: str) -> str:
    """A notebook cell as Python: lines for the notebook or the shell (%…, !…) become `pass`, cell magics an empty cell.

    %%time and %%capture only wrap code, which stays. A cell that is Python already is left as it is.
    """
    try:
        compile(source, "cell", "exec")
        return source
    except SyntaxError:
        lines = source.split("\n")
        first = next((i for i, line in enumerate(lines) if line.strip()), 0)
        if lines[first].startswith("%%"):
            wrapper = re.match(r"%%(time|timeit|capture)\b", lines[first])
            lines = ["", *lines[first + 1 :]] if wrapper else []
        return "\n".join(re.sub(r"^(\s*)[%!].*", r"\1pass", line) for line in lines)


def confine(memory: int, processes: int, file: int, uid: int | None) -> None:
    """Limits of this process and its children: bytes of data each, processes, bytes per file; another user if root."""
    if uid is not None:
        os.chown(".", uid, uid)
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    wanted = [("RLIMIT_CORE", 0), ("RLIMIT_FSIZE", file), ("RLIMIT_NPROC", processes)]
    for name, most in [
        *wanted,
        ("RLIMIT_DATA" if sys.platform == "linux" else "RLIMIT_AS", memory),
    ]:
        try:
            resource.setrlimit(getattr(resource, name), (most, most))
        except (
            ValueError,
            OSError,
            AttributeError,
        ):  # the grader measures what holds: sandbox.measure
            pass


class Program:
    """The student's namespace, the probes', and how each request is met."""

    def __init__(self, seconds: float):
        self.seconds = seconds  # most that one cell or call may take
        self.main = types.ModuleType("__main__")
        self.main.display = print
        sys.modules["__main__"] = self.main  # where classes, dataclasses and pickles look
        self.probes: dict = {"__name__": "probes", "answers": self.main}

    def meet(self, request: dict) -> object:
        if "confine" in request:
            return confine(**request["confine"])
        signal.signal(signal.SIGALRM, self._stop)
        signal.setitimer(
            signal.ITIMER_REAL, self.seconds, 1.0
        )  # again and again: `except:` is no way out
        try:
            if "run" in request:
                exec(compile(plain(request["run"]), request["name"], "exec"), self.main.__dict__)
                return None
            if "probe" in request:
                exec(compile(request["probe"], "probe", "exec"), self.probes)
                return None
            if "get" in request:
                return encode(self._of(request["get"]))
            function = self.probes.get(request["call"]) or self._of(request["call"])
            if not callable(function):
                raise TypeError(
                    f"`{request['call']}` is a {type(function).__name__}, no function any more"
                )
            return encode(function(*decode(request["args"])))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _of(self, name: str) -> object:
        if not hasattr(self.main, name):
            raise NotImplementedError(f"`{name}` is not defined")
        value = getattr(self.main, name)
        if value is ...:
            raise NotImplementedError(f"`{name}` is not answered yet")
        return value

    def _stop(self, *_):
        raise TimeUp(f"stopped after {self.seconds:g} s")


def main() -> None:
    me, requests, answers = os.getpid(), os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    program = Program(float(sys.argv[1]))
    for line in requests:
        try:
            answer = {"value": program.meet(json.loads(line))}
        except (
            BaseException
        ) as error:  # SystemExit, too: a cell that ends Python politely only ends itself
            answer = {"error": [type(error).__name__, str(error)[:2000]]}
        try:
            sys.stdout.flush()
        except Exception:  # the student's own stream, or a closed one
            pass
        if os.getpid() != me:  # a copy that the student's code made with fork must not answer
            os._exit(0)
        try:
            text = json.dumps(answer)
        except (ValueError, RecursionError) as error:
            text = json.dumps({"error": [type(error).__name__, str(error)[:2000]]})
        answers.write(text + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
