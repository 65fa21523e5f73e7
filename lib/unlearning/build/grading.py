"""Grades submissions: one, a class (`unlearning grade`), or the one in a Gradescope container (`python -m …grading`).

The student's cells run in a confined process (`sandbox`), one after the other; an error, a loop or a crash in one cell
does not stop the next. The hidden tests stay in this process: they call the student's functions by message, get plain
values back and judge them beside the values of the master's own solution on the same seed. So no file, and no memory
that a submission can reach, holds a test or an expected value, and nothing that a submission does to Python, numpy or
its own objects changes a judgement.
"""

import argparse
import hashlib
import json
import math
import os
import re
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from unlearning.build import assignments, sandbox, submission
from unlearning.build.assignments import Assignment
from unlearning.build.sandbox import CodeError, Ended, Limits
from unlearning.errors import Refused
from unlearning.files import only_one, write_whole

RESTARTS = 3  # new processes for a submission whose code ends its own; the cell that did it is then left out
_PLAIN = {
    "BlockingIOError": "more processes than allowed",
    "MemoryError": "more memory than allowed",
}
LARGEST = 20 << 20  # bytes of a submission's file


@dataclass(frozen=True)
class Mark:
    """One hidden test."""

    question: str  # "q1"
    test: str  # what it looks at: its docstring
    points: float  # that it is worth
    earned: float  # 0 or points
    message: str  # for the student; "" if passed


@dataclass(frozen=True)
class Result:
    """One submission, graded."""

    login: str
    file: str  # name of the file; "" if there was none
    status: str  # "graded", "refused" (nothing could be run) or "missing"
    reason: str  # in plain words what was unusual; "" if nothing was
    marks: tuple[Mark, ...]
    written: dict[str, str]  # question -> the student's words
    key: str = ""  # digest of all that the result depends on

    @property
    def total(self) -> float:
        return sum(mark.earned for mark in self.marks)


def same(found: object, expected: object, tolerance: float = 1e-9) -> bool:
    """Whether two values agree: numbers and arrays to a relative and absolute tolerance and in shape; NaN equals NaN."""
    if isinstance(expected, str | bool | None):
        return type(found) is type(expected) and found == expected
    try:
        one, other = np.asarray(found), np.asarray(expected)
    except (TypeError, ValueError):
        return False
    if one.dtype.kind not in "biufc":
        return False
    return one.shape == other.shape and bool(
        np.allclose(one, other, rtol=tolerance, atol=tolerance, equal_nan=True)
    )


class Reference:
    """The master's own solution on one seed: `reference.margins(…)`, `reference["my_threshold"]`."""

    def __init__(self, assignment: Assignment, seed: int):
        self._main = {"__name__": "reference", "print": lambda *_, **__: None}
        for cell in assignment.of("seed", "given", "answer"):
            source = assignments.with_seed(cell.source, seed)
            exec(compile(source, f"{assignment.name}, {cell.tag}", "exec"), self._main)
        self._probes = self._main | {"answers": type("answers", (), {k: staticmethod(v) if callable(v) else v
                                                                     for k, v in self._main.items()})}  # fmt: skip
        self._known: dict[
            tuple, str
        ] = {}  # (function, arguments) -> value: a class asks the same again and again
        for cell in assignment.of("probe"):
            exec(compile(cell.source, f"{assignment.name}, probe", "exec"), self._probes)

    def __getattr__(self, name: str):
        def ask(*args):
            asked = name, json.dumps(submission.encode(list(args)))
            if asked not in self._known:
                value = self._probes[name](*submission.decode(json.loads(asked[1])))
                self._known[asked] = json.dumps(submission.encode(value))
            return submission.decode(json.loads(self._known[asked]))

        return ask

    def __getitem__(self, name: str) -> object:
        return submission.decode(json.loads(json.dumps(submission.encode(self._main[name]))))


class Student:
    """A submission that runs: `student.margins(…)`, `student["my_threshold"]`. Starts again without what ended it."""

    def __init__(
        self, assignment: Assignment, cells: list[str], seed: int, limits: Limits, how: str
    ):
        self._cells, self._limits, self._how = cells, limits, how
        self._tests = {cell.source.strip() for cell in assignment.of("public-test")}
        self._probes = []
        if assignment.of(
            "probe"
        ):  # with the helpers as they were given, whatever the student made of them
            needed = assignment.of("seed", "given", "probe")
            self._probes = [assignments.with_seed(cell.source, seed) for cell in needed]
        self._until = time.monotonic() + limits.seconds
        self._session, self._left = None, RESTARTS
        self._left_out: dict[int, str] = {}  # cell -> how it ended the process
        self.notes: dict[str, None] = {}  # unusual things, in order, each once
        self.printed = 0

    def _start(self) -> None:
        while self._session is None:
            if self._left < 0:
                raise self._noted("its code ended Python again and again")
            self._left -= 1
            seconds = self._until - time.monotonic()
            if seconds <= 0:
                raise self._noted(f"stopped after {self._limits.seconds:g} s")
            self._session = sandbox.Session(replace(self._limits, seconds=seconds), self._how)
            for at, source in enumerate(self._cells, 1):
                if at not in self._left_out and not self._run(at, source):
                    break
            else:
                for source in self._probes:
                    self._session.ask(probe=source)

    def _run(self, at: int, source: str) -> bool:
        """Runs one cell; False if the process ended in it."""
        try:
            self._session.ask(run=source, name=f"cell {at}")
        except CodeError as error:
            expected = (
                error.kind in ("NotImplementedError", "AssertionError")
                or source.strip() in self._tests
            )
            if (
                not expected
            ):  # neither an answer that is not there yet nor one that a public test refuses
                told = _PLAIN.get(error.kind, error.message)
                self.notes[_printable(f"code cell {at}: {error.kind}: {told}")] = None
        except Ended as error:
            self.stop()
            if time.monotonic() > self._until:
                raise self._noted(f"stopped after {self._limits.seconds:g} s") from None
            self._left_out[at] = str(error)
            self.notes[f"code cell {at}: {error}; graded without it"] = None
            return False
        return True

    def _ask(self, **request) -> object:
        self._start()
        try:
            return self._session.ask(**request)
        except Ended as error:
            self.stop()
            if time.monotonic() > self._until:
                raise self._noted(f"stopped after {self._limits.seconds:g} s") from None
            self.notes[f"{request.get('call', 'a value')}: {error}"] = None
            raise

    def __getattr__(self, name: str):
        return lambda *args: self._ask(call=name, args=submission.encode(list(args)))

    def __getitem__(self, name: str) -> object:
        return self._ask(get=name)

    def _noted(self, reason: str) -> Ended:
        self.notes[reason] = None
        return Ended(reason)

    def stop(self) -> None:
        """Ends the process."""
        if self._session:
            self._session.close()
            self.printed = max(self.printed, self._session.printed)
            self._session = None


@lru_cache(maxsize=128)
def _reference(assignment: Assignment, seed: int) -> Reference:
    return Reference(assignment, seed)


def grade(
    assignment: Assignment, cells: list[str], seed: int, limits: Limits, how: str
) -> tuple[tuple[Mark, ...], list[str]]:
    """All hidden tests on a submission's code cells: their marks, and what was unusual.

    A test passes unless it raises; the text of an AssertionError is for the student.
    """
    drawn = {
        cell.source.strip() for cell in assignment.of("plot")
    }  # only shows: no points, and takes time
    cells = ["" if source.strip() in drawn else source for source in cells]
    student, reference = Student(assignment, cells, seed, limits, how), _reference(assignment, seed)
    names: dict = {}
    for cell in assignment.of("hidden"):
        exec(compile(cell.source, f"{assignment.name}, hidden", "exec"), names)
    marks = []
    try:
        for cell in assignment.of("hidden-test"):
            own = dict(names)
            exec(compile(cell.source, f"{assignment.name}, {cell.question}", "exec"), own)
            test = next(v for k, v in own.items() if k.startswith("test_"))
            message = _message(test, student, reference, seed)
            told = " ".join((test.__doc__ or test.__name__).split())
            marks.append(
                Mark(cell.question, told, cell.points, 0.0 if message else cell.points, message)
            )
    finally:
        student.stop()
    notes = list(student.notes)
    if student.printed > limits.output:
        notes.append(f"printed {student.printed / 1e6:.1f} MB; {limits.output >> 10} kB were kept")
    return tuple(marks), notes


def _message(test, student: Student, reference: Reference, seed: int) -> str:
    """What a student reads about one test; "" if it passed."""
    try:
        test(student, reference, seed)
    except AssertionError as error:
        return _printable(str(error) or "not what it should be")
    except CodeError as error:
        unanswered = error.kind == "NotImplementedError"
        return _printable(
            error.message if unanswered else f"your code raised {error.kind}: {error.message}"
        )
    except Ended as error:
        return f"your code could not be asked: {error}"
    except (
        Exception
    ) as error:  # a value that no test expects, such as None or a text in place of an array
        told = f"{type(error).__name__}: {error}"
        return _printable(f"your code returned something of another kind than asked for ({told})")
    return ""


def _printable(text: str) -> str:
    """A text that submissions had a hand in, on one line, of limited length, without codes for a terminal."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= 600 else text[:600] + " …"


def read_submission(data: bytes, suffix: str) -> list[tuple[str, str]]:
    """(kind, source) of the cells of an .ipynb or a py:percent file, whatever its metadata. ValueError in plain words."""
    if len(data) > LARGEST:
        raise ValueError(f"the file has {len(data) >> 20} MB; at most {LARGEST >> 20}")
    try:
        text = data.decode("utf-8-sig")
        if suffix == ".py":
            return _cells_of_py(text)
        cells = json.loads(text)["cells"]
        found = [(cell.get("cell_type", "code"), cell["source"]) for cell in cells]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError("not a notebook") from None
    return [(str(kind), s if isinstance(s, str) else "".join(map(str, s))) for kind, s in found]


def _cells_of_py(text: str) -> list[tuple[str, str]]:
    found = []
    for part in re.split(r"^(?=# %%)", text, flags=re.M):
        head, _, body = part.partition("\n") if part.startswith("# %%") else ("", "", part)
        if "[markdown]" in head:
            found.append(("markdown", re.sub(r"^# ?", "", body, flags=re.M).strip("\n")))
        elif body.strip():
            found.append(("code", body))
    return found


def words_of(cells: list[tuple[str, str]], assignment: Assignment) -> dict[str, str]:
    """Question -> what the student wrote, for the questions marked by hand."""
    found = {}
    for cell in assignment.of("written"):
        head = cell.source.split("\n\n")[0].strip()
        texts = [
            text for kind, text in cells if kind == "markdown" and text.strip().startswith(head)
        ]
        found[cell.question] = texts[0].strip()[len(head) :].strip() if texts else ""
    return found


def _declared(cells: list[tuple[str, str]]) -> tuple[str, int | None]:
    """ASSIGNMENT and SEED as a submission states them; "" and None where it does not."""
    code = "\n".join(source for kind, source in cells if kind == "code")
    name, seed = (
        re.search(r"^ASSIGNMENT = \W(\w+)", code, re.M),
        re.search(r"^SEED = (\d{1,12})\b", code, re.M),
    )
    return name[1] if name else "", int(seed[1]) if seed else None


def grade_file(
    assignment: Assignment, login: str, path: Path, seed: int | None, limits: Limits, how: str
) -> Result:
    """One submission's file, graded. `seed`: the student's own; None: the one that the file states."""
    empty = Result(
        login, path.name, "refused", "", _nothing(assignment, "nothing could be run"), {}
    )
    if path.is_symlink() or not path.is_file():
        return replace(empty, reason="not a file")
    try:
        cells = read_submission(path.read_bytes(), path.suffix)
    except ValueError as error:
        return replace(empty, reason=str(error))
    name, stated = _declared(cells)
    if name and name != assignment.name:
        return replace(empty, reason=f"this is {name}, not {assignment.name}")
    code = [source for kind, source in cells if kind == "code"]
    if not code:
        return replace(empty, reason="no code in it")
    marks, notes = grade(assignment, code, seed if seed is not None else stated or 1, limits, how)
    if seed is not None and stated != seed:
        notes.insert(0, f"SEED is {stated}, this student's is {seed}")
    return Result(login, path.name, "graded", "; ".join(notes), marks, words_of(cells, assignment))


def _nothing(assignment: Assignment, message: str) -> tuple[Mark, ...]:
    """No points in any test."""
    marks = []
    for cell in assignment.of("hidden-test"):
        told = re.search(r'"""(.*?)"""', cell.source, re.S)
        marks.append(
            Mark(
                cell.question, " ".join(told[1].split()) if told else "", cell.points, 0.0, message
            )
        )
    return tuple(marks)


def find(folder: Path, name: str, logins: list[str]) -> dict[str, Path]:
    """login -> file, for DIR/LOGIN.ipynb, DIR/LOGIN_anything.ipynb and DIR/LOGIN/anything.ipynb.

    With a roster a login is recognised among the words of the file's name, or of the folder's, also with the number
    that Canvas adds to a second submission (LOGIN-1); otherwise the name before the first "_" is it. Of several files
    of one student the newest counts. Refused if there are none.
    """
    if not folder.is_dir():
        raise Refused(f"{folder} is no folder: give the one with the submissions")
    found: dict[str, Path] = {}
    for path in sorted(p for p in folder.iterdir() if not p.name.startswith((".", "_"))):
        if path.is_dir() and not path.is_symlink():
            inside = sorted(p for p in path.iterdir() if not p.name.startswith((".", "_")))
            order = [f"{name}.ipynb", f"{name}.py"]
            inside.sort(key=lambda p: (p.name not in order, p.suffix not in (".ipynb", ".py")))
            if not inside:
                continue
            login = _login(path.name, logins) or _login(inside[0].stem, logins) or path.name
            path = inside[0]
        else:
            first = path.stem if logins else re.split(r"[_\s]+", path.stem)[0]
            login = _login(path.stem, logins) or first
        login = re.sub(r"[^\w.@+-]", "-", login)
        if login not in found or path.lstat().st_mtime > found[login].lstat().st_mtime:
            found[login] = path
    if not found:
        raise Refused(
            f"{folder} is empty: put one notebook a student there, named LOGIN.ipynb, or a folder a student"
        )
    return found


def _login(stem: str, logins: list[str]) -> str:
    """The longest login that a file's name has as a word or begins with; "" without one."""
    words = [stem, *re.split(r"[_\s]+", stem)]
    words += [re.sub(r"-\d+$", "", word) for word in words]
    known = [n for n in logins if n in words or stem.startswith(f"{n}_")]
    return max(known, key=len, default="")


def grade_class(
    assignment: Assignment, found: dict[str, Path], seeds: dict[str, int], out: Path,
    limits: Limits, how: str, jobs: int, report=print,
) -> list[Result]:  # fmt: skip
    """Grades what is not graded yet, `jobs` at a time; each result is written to out/results as soon as it is there.

    A result counts as there if the submission, the master, the seed, the limits and the grader are the same.
    """
    stop, done = threading.Event(), []

    def one(login: str) -> Result:
        path, seed = found[login], seeds.get(login)
        target = out / "results" / f"{login}.json"
        key = _key(assignment, path, seed, limits, how)
        result = _stored(target, key)
        if result is None and not stop.is_set():
            result = replace(grade_file(assignment, login, path, seed, limits, how), key=key)
            if stop.is_set():
                raise KeyboardInterrupt
            text = json.dumps(asdict(result), indent=1, ensure_ascii=False)
            write_whole(target, lambda file: file.write(text.encode()))
        done.append(login)
        if result:
            said = f"{result.total:g} points" + f" · {result.reason}"[:120] * bool(result.reason)
            report(f"{len(done)} of {len(found)} · {login}: {said}")
        return result

    with ThreadPoolExecutor(max_workers=jobs) as pool:
        futures = [pool.submit(one, login) for login in found]
        try:
            return [future.result() for future in futures]
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            sandbox.end_all()
            raise


def _key(assignment: Assignment, path: Path, seed: int | None, limits: Limits, how: str) -> str:
    data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
    code = [Path(module.__file__).read_text() for module in (sandbox, submission)]
    code.append(Path(__file__).read_text())
    told = json.dumps([assignments.to_json(assignment), path.name, seed, asdict(limits), how, code])
    return hashlib.sha256(data + told.encode()).hexdigest()


def _stored(target: Path, key: str) -> Result | None:
    try:
        told = json.loads(target.read_text())
        if told["key"] == key:
            return Result(**told | {"marks": tuple(Mark(**mark) for mark in told["marks"])})
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `unlearning grade`."""
    limits, add = Limits(), parser.add_argument
    add("name", help="a1, a2, …")
    add(
        "submissions",
        metavar="DIR",
        help="LOGIN.ipynb, LOGIN_….ipynb or LOGIN/….ipynb (or .py), one a student",
    )
    add("--out", metavar="DIR", help="default: grades/NAME")
    add(
        "--roster",
        metavar="CSV",
        help="a column `login`; its other columns go to the table (default: seeds.csv)",
    )
    add("--seeds", metavar="CSV", help="default: assignments/NAME/seeds.csv if it is there")
    add(
        "--canvas", metavar="CSV", help="Canvas's gradebook: also write canvas.csv, ready to import"
    )
    add(
        "--jobs",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="submissions at a time (default: cores)",
    )
    add(
        "--timeout",
        type=float,
        default=limits.seconds,
        metavar="S",
        help=f"default: {limits.seconds:g} s a submission",
    )
    add(
        "--memory",
        type=int,
        default=limits.memory >> 20,
        metavar="MB",
        help=f"default: {limits.memory >> 20} MB",
    )
    add(
        "--unconfined",
        action="store_true",
        help="grade although not every limit holds on this machine",
    )


def main(arguments: argparse.Namespace) -> int:
    """Exit status 0; refusals and failures are raised."""
    from unlearning.build import report

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if arguments.jobs < 1 or not 1 <= arguments.timeout < math.inf or arguments.memory < 256:
        raise Refused("--jobs must be at least 1, --timeout at least 1 s, --memory at least 256 MB")
    assignment = assignments.load(arguments.name)
    seeds = report.read_seeds(arguments.seeds, Path("assignments") / assignment.name / "seeds.csv")
    roster = [{"login": login} for login in seeds]
    if arguments.roster:
        roster = assignments.read_roster(Path(arguments.roster))
    found = find(Path(arguments.submissions), assignment.name, [row["login"] for row in roster])
    limits = Limits(seconds=arguments.timeout, memory=arguments.memory << 20)
    out, how = Path(arguments.out or Path("grades") / assignment.name), sandbox.best()
    held = sandbox.measure(how, assignments.names()[assignment.name], limits)
    print(f"limits on this machine, measured ({how}):")
    for promise, holds in held.items():
        print(f"  {'yes' if holds else 'NO '}  {promise}")
    if not all(held.values()) and not arguments.unconfined:
        raise Refused(
            "not every limit holds, and submissions are code of others: install bubblewrap (Debian, Ubuntu: "
            "apt-get install bubblewrap; Fedora: dnf install bubblewrap), or accept it with --unconfined"
        )
    start = time.monotonic()
    with only_one(out):
        results = grade_class(
            assignment,
            found,
            seeds,
            out,
            limits,
            how,
            arguments.jobs,
            lambda line: print(line, flush=True),
        )
        files = report.write(assignment, results, roster, held, out, arguments.canvas)
    print(f"{len(results)} submissions in {time.monotonic() - start:.0f} s")
    for path in files:
        print(path)
    return 0


def gradescope(home: Path) -> None:
    """Grades the one submission in a Gradescope container and writes results/results.json as Gradescope reads it.

    Hidden tests' messages appear when the grades are published.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    assignment = assignments.from_json((home / "source" / "assignment.json").read_text())
    path = next(iter(find(home / "submission", assignment.name, []).values()))
    result = grade_file(assignment, "submission", path, None, Limits(), sandbox.best())
    tests = [
        {
            "name": f"{mark.question}: {mark.test}", "score": mark.earned, "max_score": mark.points,
            "output": mark.message, "visibility": "after_published",
        }
        for mark in result.marks
    ]  # fmt: skip
    told = {"tests": tests, "output": result.reason, "visibility": "visible"}
    write_whole(
        home / "results" / "results.json",
        lambda file: file.write(json.dumps(told, indent=1).encode()),
    )


if __name__ == "__main__":
    gradescope(Path(sys.argv[1] if len(sys.argv) > 1 else "/autograder"))
