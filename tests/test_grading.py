"""Grading: hostile submissions end with a reason and stop nobody; a class's table, page, feedback; Gradescope."""

import csv
import json
import os
import sys
import time
import zipfile
from pathlib import Path

import nbformat
import psutil
import pytest

from unlearning.__main__ import main
from unlearning.build import assignments, grading, report, sandbox, submission
from unlearning.build.sandbox import Limits
from unlearning.errors import Refused
from unlearning.files import ROOT

QUICK = Limits(seconds=25.0, cell_seconds=2.0, memory=1 << 30)
SECRET = ROOT / "book" / "assignments" / "a1_lambert.py"


@pytest.fixture(scope="module", params=["bwrap", "none"])
def how(request) -> str:
    """Each way to confine a submission that this machine offers."""
    if request.param == "bwrap" and sandbox.best() != "bwrap":
        if os.environ.get("REQUIRE_SANDBOX"):
            pytest.fail("bubblewrap does not work here")
        pytest.skip(
            "bubblewrap is not installed or not allowed here (Debian: apt-get install bubblewrap)"
        )
    return request.param


def solved(name: str = "a1", seed: int = 1) -> list[assignments.Cell]:
    """A perfect submission: the master without what only teachers see."""
    cells = [c for c in assignments.load(name).cells if c.tag not in assignments.TEACHERS]
    return [
        assignments.Cell(c.kind, c.tag, assignments.with_seed(c.source, seed), c.question)
        for c in cells
    ]


def with_code(code: str, before: bool = False) -> list[str]:
    """A perfect submission's code cells, with one more after the first question or as its first."""
    cells = [c.source for c in solved() if c.kind == "code"]
    return [code, *cells] if before else [*cells[:3], code, *cells[3:]]


def grade(cells: list[str], how: str, limits: Limits = QUICK) -> tuple[float, str]:
    """Points of 13, and what was unusual."""
    marks, notes = grading.grade(assignments.load("a1"), cells, 1, limits, how)
    return sum(mark.earned for mark in marks), "; ".join(notes)


@pytest.fixture(autouse=True)
def nobody_left():
    """After each test no process of a submission runs any more, and no scratch folder is left."""
    yield
    left = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("UNLEARNING_SUBMISSION"):
                left.append(process.cmdline()[:2])
        except psutil.Error:
            pass
    assert not left
    assert not sandbox._ALIVE


HOSTILE = {
    "a loop": ("while True: pass", 13, "code cell 4: TimeUp: stopped after 2 s"),
    "a loop that catches everything": (
        "import time\nwhile True:\n    try:\n        time.sleep(9)\n    except BaseException: pass", 13, "code cell 4: stopped after 7 s; graded without it",
    ),
    "a syntax error": ("def broken(:", 13, "code cell 4: SyntaxError"),
    "sys.exit": ("import sys; sys.exit()", 13, "SystemExit"),
    "os._exit": ("import os; os._exit(0)", 13, "code cell 4: Python ended"),
    "a crash": ("import ctypes; ctypes.string_at(0)", 13, "code cell 4: Python ended"),
    "killing itself": ("import os; os.kill(os.getpid(), 9)", 13, "code cell 4: Python ended"),
    "100 MB printed": ("for _ in range(100): print('x' * 10**6)", 13, "printed 100.0 MB; 64 kB were kept"),
    "100 MB printed from below": ("import os\nfor _ in range(100): os.write(1, b'x' * 10**6)", 13, "kB were kept"),
    "much memory": ("hoard = bytearray(3 << 30)", 13, "MemoryError"),
    "input": ("name = input('your name? ')", 13, "EOFError"),
    "sleeping children": (
        "import subprocess, sys\nfor _ in range(5): subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)'], start_new_session=True)", 13, "",
    ),
    "a fork that goes on": ("import os; os.fork()", 13, ""),
    "garbage for the grader": ("import os\nfor fd in range(3, 9):\n    try: os.write(fd, b'{\"value\": 1}\\n' * 3)\n    except OSError: pass", 13, "unreadable|"),
    "deep answer": ("import json\n\ndef pulls(*a):\n    x = []\n    for _ in range(10**5): x = [x]\n    return x", 11, ""),
    "a large answer": ("def pulls(*a):\n    import numpy\n    return numpy.zeros(3 * 10**6)", 11, "returned more than 16 MB"),
    "an object that equals everything": (
        "class Yes:\n    def __eq__(self, other): return True\n    __lt__ = __gt__ = __le__ = __ge__ = __eq__\n\ndef pulls(*a): return Yes()", 11, "",
    ),
    "numpy that lies": ("import numpy as np\nnp.allclose = np.isclose = np.array_equal = lambda *a, **k: True", 13, ""),
    "magics": ("%matplotlib inline\n!pip install nothing\nx = 1", 13, ""),
    "a cell magic": ("%%bash\nrm -rf /", 13, ""),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_cells_stop_nobody(kind, how):
    """One more cell after question 1's given code; the rest is answered, and graded."""
    code, points, words = HOSTILE[kind]
    if kind in (
        "deep answer",
        "a large answer",
        "an object that equals everything",
    ):  # replaces the answer to q1
        cells = [c.source for c in solved() if c.kind == "code"]
        cells = [code if "def pulls" in source else source for source in cells]
        cells = [*cells[:2], *cells[2:]]
        found, notes = grade(cells, how)
        # q4 and what builds on it ask the student's own pulls, too; they are lost as well
        assert found <= points - 2
    else:
        found, notes = grade(with_code(code), how)
        if kind != "garbage for the grader":  # may only harm itself
            assert found == points, notes
    assert any(part in notes for part in words.split("|")), notes


def test_fork_bomb_under_the_limit(how):
    code = "import os, time\nfor _ in range(40):\n    if os.fork() == 0:\n        time.sleep(60)\n        os._exit(0)"
    found, _ = grade(with_code(code), how)
    assert found == 13


@pytest.mark.slow
def test_fork_bomb_without_end(how):
    if how == "none":
        pytest.skip(
            "without bubblewrap root's processes are not counted, and others' only with all of the user's"
        )
    code = "import os\nwhile True: os.fork()"
    found, notes = grade(with_code(code), how)
    assert notes and 0 <= found <= 13


def test_looping_function_costs_its_own_points_only(how):
    cells = [c.source for c in solved() if c.kind == "code"]
    loop = "\n\ndef alpha_star(*_):\n    while True: pass"
    found, _ = grade([*cells, loop], how)
    assert found == 11


def test_all_time_used(how):
    code = (
        "import time\nwhile True:\n    try:\n        time.sleep(9)\n    except BaseException: pass"
    )
    found, notes = grade([code] * 6, how, Limits(seconds=6.0, cell_seconds=1.0))
    assert found == 0 and "stopped after 6 s" in notes


def test_what_a_submission_cannot_do():
    """Measured by a program that tries."""
    if sandbox.best() != "bwrap":
        pytest.skip("bubblewrap is not installed or not allowed here")
    held = sandbox.measure("bwrap", SECRET, Limits(memory=512 << 20))
    assert all(held.values()) and len(held) == 7, held


def test_the_measurement_can_fail():
    """Without confinement the same program gets through: the measurement measures."""
    held = sandbox.measure("none", SECRET, Limits(memory=512 << 20))
    assert not held["hidden tests cannot be read"] and not held["no network"]
    assert not held["writes only in its own folder"]
    assert held["memory: 512 MB"] and held["nothing keeps running afterwards"]


def test_looking_for_the_tests():
    """A submission that reads all it can finds neither the hidden tests nor another submission."""
    if sandbox.best() != "bwrap":
        pytest.skip("bubblewrap is not installed or not allowed here")
    code = f"""
import os, sys
found = []
ours = ("/proc", "/sys", "/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc", "/dev", sys.prefix, sys.base_prefix)
for path, folders, files in os.walk("/"):
    folders[:] = [f for f in folders if os.path.join(path, f) not in ours]
    found += [os.path.join(path, f) for f in files]
found += [path for path in ({str(SECRET)!r}, "../a1_lambert.py", "../../book") if os.path.exists(path)]
with open("/proc/self/cmdline", "rb") as file: found += ["secret"] if b"test_pulls" in file.read() else []
found += ["secret"] if any("test_pulls" in str(v) for v in os.environ.values()) else []
import gc
found += ["secret"] if any(isinstance(o, str) and "test_" + "alpha_star" in o for o in gc.get_objects()) else []
"""
    with sandbox.Session(Limits(), "bwrap") as session:
        session.ask(run=code, name="cell")
        assert session.ask(get="found") == []


def test_values_survive_the_message():
    import numpy as np
    import torch

    values = [None, True, 3, -2.5, float("inf"), "ü", [1, [2]], {"a": 1, "b": [2.0]}, np.arange(6.0).reshape(2, 3),
              np.array([1 + 2j]), np.array([], int), np.array([True, False])]  # fmt: skip
    back = submission.decode(json.loads(json.dumps(submission.encode(values))))
    for value, one in zip(values, back, strict=True):
        if isinstance(value, np.ndarray):
            assert one.dtype == value.dtype and np.array_equal(one, value)
        else:
            assert one == value
    tensor = submission.decode(submission.encode(torch.arange(3.0, requires_grad=True)))
    assert np.array_equal(tensor, [0, 1, 2])
    assert submission.encode(np.float64(2)) == 2.0 and np.isnan(
        submission.encode(np.float64("nan"))
    )
    for bad in (object(), {1: 2}, np.array([object()]), {1, 2}, b"x"):
        with pytest.raises(TypeError):
            submission.encode(bad)
    for bad in ({"array": ["|O", [1], "AAAA"]}, {"array": ["<f8", [5], "AAAA"]}):
        with pytest.raises(ValueError):
            submission.decode(bad)


@pytest.mark.parametrize(
    "one, other, agree",
    [
        (1.0, 1, True), ([1, 2.0], (1, 2), True), (float("nan"), float("nan"), True), (1.0, 1.1, False), (None, 1.0, False),
        ("a", "a", True), (1, True, False), (True, True, True), ("1", 1.0, False), ([1, 2], [1, 2, 3], False), ([[1], [2, 3]], [1, 2], False),
        ({"a": 1}, 1.0, False), (1 + 0j, 1.0, True), (1 + 1j, 1.0, False),
    ],
)  # fmt: skip
def test_same(one, other, agree):
    assert grading.same(one, other) is agree


# --- A class ---


def notebook(cells: list[assignments.Cell], name: str = "a1") -> bytes:
    return assignments.notebook(cells, name, 1)


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory) -> Path:
    """A folder with a class's submissions, good and bad, and a roster beside it."""
    folder = tmp_path_factory.mktemp("class")
    (folder / "roster.csv").write_text("login,name,group\n" + "".join(
        f"{n},{n.title()},1\n" for n in ("ann", "bob", "cem", "dan", "eve", "fay", "gil", "hal", "ida", "jon", "kim"))
    )  # fmt: skip
    rows = assignments.read_roster(folder / "roster.csv")
    seeds = {row["login"]: assignments.seed_of("unlearning", row["login"]) for row in rows}
    with open(folder / "seeds.csv", "w") as file:
        file.write("login,seed\n" + "".join(f"{n},{s}\n" for n, s in seeds.items()))
    to = folder / "in"
    to.mkdir()
    (to / "ann.ipynb").write_bytes(notebook(solved(seed=seeds["ann"])))
    (to / "bob_12345_a1-2.ipynb").write_bytes(
        notebook([c for c in solved(seed=seeds["bob"]) if c.question != "q6"])
    )
    (to / "cem").mkdir()
    (to / "cem" / "a1.py").write_bytes(assignments.percent(solved(seed=seeds["cem"])))
    told = json.loads(notebook(solved(seed=seeds["dan"])))
    told["metadata"] = {
        "kernelspec": {"name": "julia-1.10", "language": "julia", "display_name": "Julia"}
    }
    (to / "dan.ipynb").write_text(json.dumps(told))
    told = json.loads(notebook(solved(seed=seeds["eve"])))
    del told["metadata"], told["nbformat"], told["nbformat_minor"]
    for cell in told["cells"]:
        cell["metadata"] = {}
    (to / "eve.ipynb").write_text(json.dumps(told))
    (to / "fay.ipynb").write_bytes(b"%PDF-1.7 not a notebook")
    (to / "gil.ipynb").write_bytes(notebook([c for c in solved("a2")], "a2"))
    (to / "hal.ipynb").write_bytes(notebook(solved(seed=seeds["ann"])))  # ann's copy
    ida = [*solved(seed=seeds["ida"])]
    ida.insert(3, assignments.Cell("code", "", 'raise ValueError("<script>alert(1)</script>")'))
    (to / "ida.ipynb").write_bytes(notebook(ida))
    (to / "jon.ipynb").symlink_to("/etc/passwd")
    (to / "zed.ipynb").write_bytes(notebook(solved()))
    return folder


def run(folder: Path, out: Path, *more: str) -> dict[str, dict]:
    """`unlearning grade a1` on the class; the table by login."""
    words = [
        "grade",
        "a1",
        str(folder / "in"),
        "--out",
        str(out),
        "--roster",
        str(folder / "roster.csv"),
    ]
    words += ["--seeds", str(folder / "seeds.csv"), "--unconfined", "--jobs", "2", *more]
    assert main(words) == 0
    with open(out / "grades.csv") as file:
        return {row["login"]: row for row in csv.DictReader(file)}


@pytest.mark.slow
def test_a_class(handed_in, tmp_path, capsys):
    table = run(handed_in, tmp_path / "out")
    assert list(table) == sorted(table) and len(table) == 12
    totals = {login: float(row["total"]) for login, row in table.items()}
    assert totals == {
        "ann": 13, "bob": 11, "cem": 13, "dan": 13, "eve": 13, "fay": 0, "gil": 0, "hal": 12,
        "ida": 13, "jon": 0, "kim": 0, "zed": 13,
    }  # fmt: skip
    reasons = {login: row["reason"] for login, row in table.items()}
    assert reasons["ann"] == reasons["cem"] == reasons["dan"] == reasons["eve"] == ""
    assert reasons["fay"] == "not a notebook" and reasons["gil"] == "this is a2, not a1"
    assert "this student's is" in reasons["hal"] and table["hal"]["q5"] == "1.0"
    assert reasons["jon"] == "not a file" and reasons["kim"] == "no submission"
    assert "not in the roster" in reasons["zed"] and "<script>" in reasons["ida"]
    assert {row["status"] for row in table.values()} == {"graded", "refused", "missing"}
    assert table["bob"]["q6"] == "0.0" and "closed form" in table["bob"]["failed tests"]
    assert (
        table["ann"]["name"] == "Ann"
        and table["ann"]["possible"] == "13.0"
        and table["ann"]["percent"] == "100.0"
    )

    page = (tmp_path / "out" / "report.html").read_text()
    assert "<script>" not in page and "&lt;script&gt;" in page and "http" not in page
    assert "11 submissions" in page and "the closed form of the border" in page
    text = (tmp_path / "out" / "feedback" / "bob.txt").read_text()
    assert (
        "11 of 13 points" in text and "q6: 0 of 2" in text and "`alpha_star` is not defined" in text
    )
    assert not (tmp_path / "out" / "feedback" / "kim.txt").exists()

    # again: nothing is graded twice; a changed submission is
    stored = tmp_path / "out" / "results"
    before = {path.name: path.stat().st_mtime_ns for path in stored.iterdir()}
    (handed_in / "in" / "bob_12345_a1-2.ipynb").write_bytes(
        notebook(solved(seed=assignments.seed_of("unlearning", "bob")))
    )
    (stored / "cem.json").write_text("{ cut")
    table = run(handed_in, tmp_path / "out")
    changed = {p.name for p in stored.iterdir() if p.stat().st_mtime_ns != before[p.name]}
    assert changed == {"bob.json", "cem.json"} and float(table["bob"]["total"]) == 13
    assert float(table["cem"]["total"]) == 13


def result(login: str, points: float = 2.0, reason: str = "", words: str = "") -> grading.Result:
    marks = (
        grading.Mark("q1", "the drift", 1.0, 1.0, ""),
        grading.Mark("q1", "=evil", 1.0, points - 1, "look"),
    )
    return grading.Result(login, f"{login}.ipynb", "graded", reason, marks, {"q6": words})


def test_points_by_hand_are_kept(tmp_path):
    a4 = assignments.load("a4")
    results = [result("ann", words="<b>my words</b>"), result("bob", 1.0)]
    report.write(a4, results, [], {"no network": False}, tmp_path)
    hand = tmp_path / "written.csv"
    assert hand.read_text().splitlines() == [
        "login,question,points,comment",
        "ann,q6,,",
        "bob,q6,,",
    ]
    hand.write_text('login,question,points,comment\nann,q6,"3,5",good\n')
    report.write(a4, [*results, result("cem")], [], {}, tmp_path)
    lines = hand.read_text().splitlines()
    assert lines[1] == 'ann,q6,"3,5",good' and lines[2:] == ["bob,q6,,", "cem,q6,,"]
    rows = {row["login"]: row for row in csv.DictReader(open(tmp_path / "grades.csv"))}
    assert rows["ann"]["q6"] == "3.5" and rows["ann"]["total"] == "5.5" and rows["bob"]["q6"] == ""
    assert "q6: 3.5 of 4" in (tmp_path / "feedback" / "ann.txt").read_text()
    page = (tmp_path / "written.html").read_text()
    assert "&lt;b&gt;my words" in page and "Rubric" in page
    hand.write_text("login,question,points\nann,q6,5\n")
    with pytest.raises(Refused, match="0 to 4"):
        report.write(a4, results, [], {}, tmp_path)


def test_no_formula_reaches_a_spreadsheet(tmp_path):
    report.write(
        assignments.load("a1"), [result("ann", 1.0, "=cmd|' /C calc'!A0")], [], {}, tmp_path
    )
    (row,) = csv.DictReader(open(tmp_path / "grades.csv"))
    assert row["reason"].startswith("'=")


def test_canvas(tmp_path):
    book = tmp_path / "gradebook.csv"
    book.write_text(
        "Student,ID,SIS User ID,SIS Login ID,Section,Homework (1)\n"
        '    Points Possible,,,,,10\n"Lee, Ann",7,u7,ann,S1,4\n"Poe, Bob",8,u8,bob,S1,\n"Sue",9,u9,sue,S1,\n'
    )
    report.write(
        assignments.load("a1"), [result("ann"), result("bob", 1.0)], [], {}, tmp_path, str(book)
    )
    rows = list(csv.reader(open(tmp_path / "canvas.csv")))
    assert (
        rows[0][:5] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
        and len(rows[0]) == 6
    )
    assert rows[0][5] == assignments.load("a1").title
    assert [row[3] for row in rows[1:]] == ["", "ann", "bob", "sue"]
    assert [row[5] for row in rows[1:]] == ["13.0", "2.0", "1.0", ""]
    with pytest.raises(Refused, match="SIS Login ID"):
        report.write(assignments.load("a1"), [], [], {}, tmp_path, str(tmp_path / "grades.csv"))


@pytest.mark.parametrize(
    "data, suffix, words",
    [
        (b"{}", ".ipynb", "not a notebook"), (b"[" * 100_000, ".ipynb", "not a notebook"), (b"\xff\xfe", ".ipynb", "not a notebook"),
        (b'{"cells": 3}', ".ipynb", "not a notebook"), (b'{"cells": [{"cell_type": "code"}]}', ".ipynb", "not a notebook"),
        (b"x" * (21 << 20), ".py", "21 MB"),
    ],
    ids=["empty", "deep", "binary", "number", "cell", "large"],
)  # fmt: skip
def test_what_is_no_notebook(data, suffix, words):
    with pytest.raises(ValueError, match=words):
        grading.read_submission(data, suffix)


def test_no_code_for_a_terminal_reaches_the_teacher(how):
    code = "raise ValueError('\\x1b[2J' + 'x' * 9999 + chr(10))"
    cells = [c.source for c in solved() if c.kind == "code"]
    cells = [s if "def pulls" not in s else f"def pulls(*_):\n    {code}" for s in cells]
    marks, notes = grading.grade(assignments.load("a1"), [code, *cells], 1, QUICK, how)
    told = [notes[0], marks[0].message]
    assert all("ValueError" in text and text.isprintable() and len(text) < 700 for text in told), (
        told
    )


def test_finding_submissions(tmp_path):
    for name in ("ann.ipynb", "bob_9_1_a1.ipynb", ".DS_Store", "bo_2.ipynb", "late_cem.ipynb"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "dan").mkdir()
    for name in ("notes.txt", "a1.ipynb"):
        (tmp_path / "dan" / name).write_text("{}")
    (tmp_path / "empty").mkdir()
    found = grading.find(tmp_path, "a1", ["ann", "bo", "bob", "cem", "dan"])
    assert {login: path.name for login, path in found.items()} == {
        "ann": "ann.ipynb", "bob": "bob_9_1_a1.ipynb", "bo": "bo_2.ipynb", "cem": "late_cem.ipynb", "dan": "a1.ipynb",
    }  # fmt: skip
    (tmp_path / "ann_new.ipynb").write_text("{}")
    os.utime(tmp_path / "ann_new.ipynb", (2e9, 2e9))
    assert grading.find(tmp_path, "a1", ["ann"])["ann"].name == "ann_new.ipynb"
    handed = (
        tmp_path / "handed_in"
    )  # as Canvas and Moodle name them: who, numbers, the student's own file name
    (handed / "Eve Ek_88_assignsubmission_file_").mkdir(parents=True)
    for name in (
        "ekeve_7_8_ann-2.ipynb",
        "Eve Ek_88_assignsubmission_file_/eve.ipynb",
        "ox_LATE_1_2_x-1.ipynb",
    ):
        (handed / name).write_text("{}")
    found = grading.find(handed, "a1", ["ann", "eve", "x", "x-1"])
    assert {n: path.name for n, path in found.items()} == {
        "ann": "ekeve_7_8_ann-2.ipynb", "eve": "eve.ipynb", "x-1": "ox_LATE_1_2_x-1.ipynb",
    }  # fmt: skip
    with pytest.raises(Refused, match="is empty"):
        grading.find(tmp_path / "empty", "a1", [])
    with pytest.raises(Refused, match="is no folder"):
        grading.find(tmp_path / "nowhere", "a1", [])


def test_refusals(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ann.ipynb").write_bytes(notebook(solved()))
    for more in (
        ["--jobs", "0"],
        ["--timeout", "nan"],
        ["--memory", "3"],
        ["--seeds", str(tmp_path / "none.csv")],
    ):
        assert (
            main(["grade", "a1", str(tmp_path / "in"), "--out", str(tmp_path / "out"), *more]) == 2
        )
    assert main(["grade", "a1", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.count("unlearning: ") == 5
    assert not (tmp_path / "out").exists()


def test_a_machine_that_confines_nothing_is_refused(tmp_path, capsys, monkeypatch):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ann.ipynb").write_bytes(notebook(solved()))
    monkeypatch.setattr(sandbox, "best", lambda: "none")
    words = ["grade", "a1", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    assert main(words) == 2
    told = capsys.readouterr()
    assert "install bubblewrap" in told.err and "NO   no network" in told.out
    assert main([*words, "--unconfined"]) == 0
    assert "did not hold" in (tmp_path / "out" / "report.html").read_text()


def test_stopped_by_the_teacher(tmp_path, how):
    """Ctrl-C: what is graded stays, nothing wrong is recorded, no process is left."""
    to = tmp_path / "in"
    to.mkdir()
    (to / "ann.ipynb").write_bytes(notebook(solved()))
    slow = [*solved()]
    slow.insert(3, assignments.Cell("code", "", "import time; time.sleep(60)"))
    (to / "bob.ipynb").write_bytes(notebook(slow))

    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    found = grading.find(to, "a1", [])
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        grading.grade_class(
            assignments.load("a1"), found, {}, tmp_path / "out", Limits(), how, 2, interrupt
        )
    assert time.monotonic() - start < 30
    assert [path.name for path in (tmp_path / "out" / "results").iterdir()] == ["ann.json"]


def test_gradescope(tmp_path, monkeypatch):
    """The zip, unpacked as Gradescope does, run as its script runs it, without the repository."""
    import subprocess

    files = assignments.make(assignments.load("a1"), tmp_path / "made", None, "c")
    home = tmp_path / "autograder"
    zipfile.ZipFile(next(p for p in files if p.suffix == ".zip")).extractall(home / "source")
    (home / "submission").mkdir()
    cells = [c for c in solved() if c.question != "q6"]
    (home / "submission" / "my homework.ipynb").write_bytes(notebook(cells))
    done = subprocess.run(
        [sys.executable, "-m", "unlearning.build.grading", str(home)],
        capture_output=True,
        text=True,
        cwd=home,
        env=os.environ | {"PYTHONPATH": str(home / "source")},
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    told = json.loads((home / "results" / "results.json").read_text())
    assert sum(test["score"] for test in told["tests"]) == 11
    assert sum(test["max_score"] for test in told["tests"]) == 13
    assert {test["visibility"] for test in told["tests"]} == {"after_published"}


def test_the_hand_in_opens_as_handed_out(tmp_path):
    """A copy that a student only opened and saved with nbformat is still recognised."""
    path = tmp_path / "x.ipynb"
    path.write_bytes(
        assignments.notebook(assignments.student(assignments.load("a2"), 77), "a2", 77)
    )
    nbformat.write(nbformat.read(path, 4), path)
    assert grading._declared(grading.read_submission(path.read_bytes(), ".ipynb")) == ("a2", 77)
