"""Sweeps: which points, what a run's folder holds, what survives a kill, what the index says, and what is refused."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import nbformat
import psutil
import pytest
import yaml

from unlearning import files
from unlearning.__main__ import main
from unlearning.build import chapters, single, sweep, sweep_index, sweep_points
from unlearning.build.execute import ChapterFailed
from unlearning.build.sweep_index import Run
from unlearning.build.values import Parameter
from unlearning.errors import Failed, Refused
from unlearning.files import ROOT

HEADER = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A toy <b>& co</b>
#
# Some prose, $x$.

# %% tags=["parameters"]
"""
PARAMETERS = """n: int = 2  # how many (pieces) [1, 9]
rate: float = 0.1  # how fast (1/s) [0, 1]
sizes: list[int] = [1, 2]  # sizes (pieces) [1, 9]
side: str = "left"  # which side {left, right}
fast: bool = False  # the short way"""
# n = 5 and more turn a check, n = 7 raises, n = 8 kills its kernel, n = 4 and more wait for the file GATE
CODE = """import os
import time
from pathlib import Path

from IPython.display import display

from unlearning.page import verdicts

while n >= 4 and not Path({gate!r}).exists():
    time.sleep(0.05)
if n == 7:
    raise KeyError("gone")
if n == 8:
    os._exit(1)
numbers = {{"third": n / 3, "square": n**2, "word": "many", "text": "1,234", "bad": float("nan"), "n": -n}}
for name, value in numbers.items():
    display({{"text/plain": repr(value)}}, raw=True, metadata={{"scrapbook": {{"name": f"toy_{{name}}" if name != "n" else name}}}})
svg = (
    '<svg viewBox="0 0 100 60" xmlns="http://www.w3.org/2000/svg"><g id="f01234567-text_1"><path d="M 0 0"/></g>'
    f'<path d="M 0.123456 1 L 90.5 {{n * 5.55555}}" stroke="currentColor"/></svg>'
)
display({{"text/html": f'<div class="panels" role="img" aria-label="a line">{{svg}}</div>'}}, raw=True)
verdicts.decide(
    "C1", evidence="seen", scale="exact", checks={{"n is small": n < 5, "n is positive": n > 0}}
)
verdicts.decide("C7", evidence="seen", scale="exact", checks={{"<always>": True}})"""


@pytest.fixture(scope="module", autouse=True)
def library():
    """Kernels start in other folders: they find this library by an absolute path."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{ROOT / 'lib'}{os.pathsep}{ROOT / 'book'}")
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A repository with one small chapter."""
    folder = tmp_path_factory.mktemp("root")
    (folder / "book").mkdir()
    (folder / "results").mkdir()
    shutil.copytree(ROOT / "book" / "_static", folder / "book" / "_static")
    (folder / "book" / "references.bib").write_text("")
    for file in ("_config.yml", "requirements.txt"):
        shutil.copy(ROOT / file, folder)
    (folder / "_toc.yml").write_text(yaml.safe_dump({"format": "jb-book", "root": "book/toy"}))
    write_toy(folder)
    (folder / "GATE").touch()
    return folder


def write_toy(root: Path, more: str = "") -> None:
    code = CODE.format(gate=str(root / "GATE")) + more
    (root / "book" / "toy.py").write_text(HEADER + PARAMETERS + "\n\n# %%\n" + code + "\n")


@pytest.fixture
def own_root(root, tmp_path) -> Path:
    """A copy of it with a gate of its own, closed."""
    shutil.copytree(root, tmp_path / "root", ignore=shutil.ignore_patterns("GATE"))
    write_toy(tmp_path / "root")
    return tmp_path / "root"


def points(root: Path, *axes: str) -> list[dict]:
    chapter = sweep.opened("toy", root)
    return sweep_points.points("toy", chapter.known, list(axes))


def run(root: Path, out: Path, *axes: str, **options) -> list[Run]:
    options = {"html": False, "report": lambda line: None} | options
    return sweep.sweep(sweep.opened("toy", root), points(root, *axes), out, **options)


@pytest.fixture(scope="module")
def swept(root, tmp_path_factory):
    """A finished sweep of n = 1, 2, 6, 7 with pages: (its folder, its runs by n, its lines)."""
    out, lines = tmp_path_factory.mktemp("sweep") / "a b#%20é", []
    runs = run(root, out, "n=1,2,6,7", html=True, jobs=2, report=lines.append)
    return out, {r.parameters["n"]: r for r in runs}, lines


# --- which points ----------------------------------------------------------------------------------------------------

KNOWN = [
    Parameter("n", "int", 2, "m", 1, 99, ()),
    Parameter("rate", "float", 0.1, "m", 0, 1, ()),
    Parameter("sizes", "list[int]", [1, 2], "m", 1, 9, ()),
    Parameter("side", "str", "left", "m", None, None, ("left", "right", "l..r")),
    Parameter("fast", "bool", False, "m", None, None, ()),
]
DEFAULTS = {p.name: p.default for p in KNOWN}


@pytest.mark.parametrize(
    ("axes", "zipped", "expected"),
    [
        (["n=1,3"], False, [{"n": 1}, {"n": 3}]),
        (["n=3..5"], False, [{"n": 3}, {"n": 4}, {"n": 5}]),
        (["n=4..4"], False, [{"n": 4}]),
        ([" n = 1 .. 2, 9"], False, [{"n": 1}, {"n": 2}, {"n": 9}]),
        (["rate=1e-3,1"], False, [{"rate": 0.001}, {"rate": 1.0}]),
        (["fast=true,no"], False, [{"fast": True}, {"fast": False}]),
        (["side=l..r,right"], False, [{"side": "l..r"}, {"side": "right"}]),
        (["sizes=[1,2],[1, 2,3]"], False, [{"sizes": [1, 2]}, {"sizes": [1, 2, 3]}]),
        (["sizes=[7]"], False, [{"sizes": [7]}]),
        (
            ["n=1,2", "rate=0,0.5"],
            False,
            [{"n": 1, "rate": 0.0}, {"n": 1, "rate": 0.5}, {"n": 2, "rate": 0.0}, {"n": 2, "rate": 0.5}],
        ),
        (["n=1,1", "rate=0,0.5"], True, [{"n": 1, "rate": 0.0}, {"n": 1, "rate": 0.5}]),
    ],
)  # fmt: skip
def test_points(axes, zipped, expected):
    found = sweep_points.points("toy", KNOWN, axes, zipped)
    assert found == [DEFAULTS | one for one in expected]
    for point in found:
        assert all(type(point[name]) is type(DEFAULTS[name]) for name in point)


HOSTILE = [
    ([], False, "nothing to vary"),
    (["n"], False, "write -p NAME=VALUE"),
    (["=3"], False, "no parameter ''"),
    (["N=3"], False, "no parameter 'N'; it has: n, rate"),
    (["sise=3"], False, "did you mean 'side'"),
    (["n=1", "n=2"], False, "n is given twice"),
    (["n=1,2,1"], False, "n = 1 is given twice"),
    (["rate=0.5,5e-1"], False, "rate = 0.5 is given twice"),
    (["n="], False, "n has no value"),
    (["n= "], False, "n has no value"),
    (["n=1,,2"], False, "an empty value"),
    (["n=1,"], False, "an empty value"),
    (["side=,"], False, "an empty value"),
    (["n=9..1"], False, "a bad range"),
    (["n=1.."], False, "a bad range"),
    (["n=..5"], False, "a bad range"),
    (["n=1...5"], False, "a bad range"),
    (["n=1..2..3"], False, "a bad range"),
    (["n=0.5..2"], False, "a bad range"),
    (["n=" + "9" * 5000 + "..1"], False, "a bad range"),
    (["n=95..100"], False, "n = '?100'? is not allowed"),
    (["n=0..999999999999999999"], False, "1,000,000,000,000,000,000 points: a sweep has at most 500"),
    (["rate=0..1"], False, "ranges are for whole numbers"),
    (["rate=nan"], False, "a finite number"),
    (["n=2.5"], False, "a whole number"),
    (["n=1e999"], False, "a whole number"),
    (["n=" + "1" * 5000], False, "is not allowed"),
    (["side=up"], False, "one of left, right"),
    (["sizes=1,2"], False, "put each value in brackets"),
    (["sizes=[1,2],3"], False, "put each value in brackets"),
    (["sizes=[1,2"], False, "put each value in brackets"),
    (["sizes=[[1,2],[3]]"], False, "put each value in brackets"),
    (["sizes=[1][2]"], False, "put each value in brackets"),
    (["sizes=[]"], False, "a list, e.g."),
    (["sizes=[1,x]"], False, "a whole number"),
    (["n=1..99", "rate=0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1"], False, "1,089 points: a sweep has at most 500"),
    (["n=1,2,3", "rate=0,1"], True, "differ in length: n 3, rate 2"),
    ([], True, "nothing to vary"),
]  # fmt: skip


@pytest.mark.parametrize(("axes", "zipped", "said"), HOSTILE)
def test_points_that_are_refused(axes, zipped, said):
    with pytest.raises(Refused, match=said) as refused:
        sweep_points.points("toy", KNOWN, axes, zipped)
    assert "\n" not in str(refused.value)


def test_a_chapter_without_parameters_cannot_be_swept():
    with pytest.raises(Refused, match="bare has: no parameters"):
        sweep_points.points("bare", [], [])


def test_points_from_a_table(tmp_path):
    table = tmp_path / "grid.csv"
    table.write_bytes('\ufeffn, rate,sizes\r\n1,0.5,"[1,2]"\r\n\r\n3,1,"4,5"\r\n'.encode())
    rows = [{"n": 1, "rate": 0.5, "sizes": [1, 2]}, {"n": 3, "rate": 1.0, "sizes": [4, 5]}]
    assert sweep_points.points("toy", KNOWN, [], table=table) == [DEFAULTS | row for row in rows]
    crossed = sweep_points.points("toy", KNOWN, ["fast=true,false"], table=table)
    assert crossed == [DEFAULTS | row | {"fast": f} for row in rows for f in (True, False)]


@pytest.mark.parametrize(
    ("content", "axes", "zipped", "said"),
    [
        (None, [], False, "give CSV"),
        (b"", [], False, "names in the first line"),
        (b"n\n", [], False, "at least one line of values"),
        (b"n,m\n1,2\n", [], False, "no parameter 'm'"),
        (b"n,n\n1,2\n", [], False, "n is given twice"),
        (b"n;rate\n1;2\n", [], False, "separate the columns by commas"),
        (b"n,rate\n1\n", [], False, "line 2: give one value for each of n, rate"),
        (b"n,rate\n1,0,5\n", [], False, "line 2: give one value"),
        (b"n,rate\n1,\n", [], False, "line 2: give one value"),
        (b"n\n1\n200\n", [], False, "line 3: n = '200' is not allowed"),
        (b"n\n1\n1\n", [], False, "n = 1 is given twice"),
        (b"n\n\xff\n", [], False, "cannot be read as CSV in UTF-8"),
        (b"n\n\x00\n", [], False, "line 2|cannot be read"),
        (b'n\n"1\n', [], False, "cannot be read as CSV"),
        (b"n\n" + b"1\n" * 501, [], False, "501 points"),
        (b"n\n" + b"1\n" * 6_000_000, [], False, "at most 10,000,000 bytes"),
        (b"n\n1\n", ["n=2"], False, "n is given twice"),
        (b"n\n1\n", ["rate=0,1"], True, "leave one out"),
    ],
)
def test_tables_that_are_refused(content, axes, zipped, said, tmp_path):
    table = tmp_path / "grid.csv"
    if content is not None:
        table.write_bytes(content)
    with pytest.raises(Refused, match=said) as refused:
        sweep_points.points("toy", KNOWN, axes, zipped, table)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere", "-p", "n=1"], "unknown chapter"),
        (["../README", "-p", "n=1"], "unknown chapter"),
        (["question"], "nothing to vary"),
        (["question", "-p", "forgett=3"], "did you mean 'forget'"),
        (["question", "-p", "forget=10,100000"], "5 to 600"),
        (["question", "-p", "seed=0..9", "-p", "seed=3"], "seed is given twice"),
        (["question", "-p", "seed=0..9", "-p", "rate=1", "--zip"], "differ in length"),
        (["question", "-p", "seed=0..1000000"], "at most 500"),
        (["question", "--from", "nowhere.csv"], "give CSV"),
        (["question", "-p", "seed=1", "--jobs", "0"], "give at least 1"),
        (["question", "-p", "seed=1", "--jobs", "-2"], "give at least 1"),
        (["question", "-p", "seed=1", "--jobs", "0", "--dry-run"], "give at least 1"),
    ],
)
def test_refusals_come_before_anything_is_written(words, said, tmp_path, capsys):
    assert main(["sweep", *words, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and error.startswith("unlearning: ")
    assert not list(tmp_path.iterdir())


def test_folders_that_are_refused(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "sweep.json").write_text('{"chapter": "klom"}')
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "sweep.json").write_text('{"chap')
    for name, said in (
        ("file", "holds no sweep"),
        ("mine", "holds no sweep"),
        ("other", "a sweep of klom, not of question"),
        ("torn", "cannot be read"),
    ):
        before = sorted(tmp_path.rglob("*"))
        for dry in ([], ["--dry-run"]):
            words = ["sweep", "question", "-p", "seed=1", "--out", str(tmp_path / name), *dry]
            assert main(words) == 2
            error = capsys.readouterr().err
            assert said in error and error.count("\n") == 1
        assert sorted(tmp_path.rglob("*")) == before


def test_a_dry_run_lists_the_points_and_writes_nothing(tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["sweep", "question", "-p", "seed=0..2", "--dry-run", "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and "with all defaults" in lines[0] and "seed = 2" in lines[2]
    assert lines[-1].startswith("3 runs") and lines[-1].endswith("3 would run")
    assert not list(tmp_path.iterdir())


# --- what a run's folder holds ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_is_what_unlearning_run_makes(root, swept, tmp_path):
    out, runs, _ = swept
    record = single.run("toy", {"n": 6}, tmp_path / "single", root=root)
    folder = out / runs[6].folder
    assert json.loads((folder / "results.json").read_text()) == record
    one, other = (nbformat.read(f / "toy.ipynb", 4) for f in (folder, tmp_path / "single"))
    assert [c.get("outputs") for c in one.cells] == [c.get("outputs") for c in other.cells]
    assert "n = 6" in (folder / "html" / "book" / "toy.html").read_text().replace("</span>", "").replace(
        '<span class="n">', ""
    ).replace('<span class="o">', "").replace('<span class="mi">', "")  # fmt: skip


@pytest.mark.slow
def test_runs_share_their_assets(swept):
    """One copy of styles and scripts; every file that a page names is there; a run is small."""
    out, runs, _ = swept
    assert not list(out.glob("*/html/_static")) and (out / "_static" / "book.css").exists()
    for n in (1, 2, 6):
        folder = out / runs[n].folder
        assert sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) < 300_000
        for page in folder.rglob("*.html"):
            named = re.findall(r'(?:href|src)="([^"#?:]+)[#?"]', page.read_text())
            for name in named:
                assert (page.parent / unquote(name)).exists(), (page, name)
    page = (out / runs[6].folder / "html" / "book" / "toy.html").read_text()
    assert 'href="../../toy.ipynb"' in page


@pytest.mark.slow
def test_a_failed_run_keeps_its_cell_and_exception_and_stops_nobody(swept):
    out, runs, lines = swept
    folder = out / runs[7].folder
    assert "chapter toy, cell" in runs[7].failure and "KeyError: 'gone'" in runs[7].failure
    cells = nbformat.read(folder / "toy.ipynb", 4).cells
    errors = [o for c in cells for o in c.get("outputs", []) if o.output_type == "error"]
    assert [e.ename for e in errors] == ["KeyError"]
    assert not (folder / "results.json").exists() and not (folder / "html").exists()
    assert [bool(runs[n].failure) for n in (1, 2, 6, 7)] == [False, False, False, True]
    assert len(lines) == 5 and sum("FAILED" in line for line in lines) == 1
    assert all("s a run" in line and "s left" in line for line in lines[1:])


@pytest.mark.slow
def test_a_second_call_skips_what_is_there(root, swept, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(swept[0], out)
    (out / "index.html").unlink()
    before = {p: p.stat().st_ino for p in out.glob("*/toy.ipynb")}
    lines = []
    again = run(root, out, "n=1,2,6,7", html=True, report=lines.append)
    assert len(lines) == 1 and " 0 to do" in lines[0]
    assert {p: p.stat().st_ino for p in out.glob("*/toy.ipynb")} == before
    assert (out / "index.html").exists() and again[0] == swept[1][2]

    run(root, out, "n=1,2,6,7", html=True, retry=True, report=lines.append)
    changed = {p for p in before if p.stat().st_ino != before[p]}
    assert changed == {out / swept[1][7].folder / "toy.ipynb"}, "only what failed is tried again"

    damaged = out / swept[1][1].folder / "results.json"
    damaged.write_text('{"chapter": "to')
    run(root, out, "n=1")
    assert json.loads(damaged.read_text())["numbers"]["toy_square"] == 1


@pytest.mark.slow
def test_pages_come_later_without_running_again(root, tmp_path):
    out = tmp_path / "out"
    (first,) = run(root, out, "n=2")
    assert not first.page and not (out / "_static").exists()
    before = (out / first.folder / "toy.ipynb").stat().st_ino
    (second,) = run(root, out, "n=2", html=True)
    assert second.page and (out / first.folder / "toy.ipynb").stat().st_ino == before
    assert f'href="{first.folder}/html/book/toy.html"' in (out / "index.html").read_text()


@pytest.mark.slow
def test_other_code_makes_other_runs(own_root, tmp_path):
    out = tmp_path / "out"
    first = run(own_root, out, "n=1")
    write_toy(own_root, "\nprint('edited')")
    second = run(own_root, out, "n=1")
    assert not {r.folder for r in first} & {r.folder for r in second}
    page = (out / "index.html").read_text()
    assert "2 runs made by other versions of the chapter or library are not shown" in page
    assert first[0].folder not in page and all((out / r.folder).exists() for r in first)


@pytest.mark.slow
def test_a_kernel_that_dies_is_a_failed_run(own_root, tmp_path):
    (own_root / "GATE").touch()
    runs = run(own_root, tmp_path / "out", "n=8,9")
    assert [r.parameters["n"] for r in runs if r.failure] == [8]
    assert "chapter toy, cell 4 (import os): the kernel died" in runs[1].failure
    assert (tmp_path / "out" / runs[1].folder / "toy.ipynb").exists()


@pytest.mark.parametrize(("failures", "tried"), [(2, 3), (3, 3)])
def test_a_kernel_that_does_not_start_is_tried_again(failures, tried, root, tmp_path, monkeypatch):
    """Jupyter's ports are chosen before they are taken: side by side, one kernel may find its port gone."""
    calls = []

    def execute(name, notebook, *_, strict):
        calls.append(name)
        if len(calls) <= failures:
            raise RuntimeError("Kernel died before replying to kernel_info")
        return notebook

    monkeypatch.setattr(single, "execute", execute)
    notebook = sweep.opened("toy", root).notebook
    if failures == 3:
        with pytest.raises(ChapterFailed, match="chapter toy, before its first cell: Kernel died"):
            single.carry_out("toy", notebook, {}, {}, tmp_path, root)
    else:
        assert single.carry_out("toy", notebook, {}, {}, tmp_path, root)[1]["numbers"] == {}
    assert len(calls) == tried and (tmp_path / "toy.ipynb").exists()


# --- killed, interrupted, side by side -------------------------------------------------------------------------------

SCRIPT = """import sys
from pathlib import Path
from unlearning.__main__ import main
from unlearning.build import sweep
root, genuine = Path(sys.argv[1]), sweep.opened
sweep.opened = lambda name: genuine(name, root)
if __name__ == "__main__":
    sys.exit(main(["sweep", "toy", *sys.argv[2:]]))
"""


@pytest.fixture
def started(own_root, tmp_path):
    """A function that starts `unlearning sweep toy …` as a command; what still runs at the end is killed."""
    (tmp_path / "script.py").write_text(SCRIPT)
    made = []

    def start(*words: str) -> subprocess.Popen:
        command = [sys.executable, str(tmp_path / "script.py"), str(own_root), *words]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
        )
        made.append(process)
        return process

    yield start
    for process in made:
        if process.poll() is None:
            process.kill()
        process.communicate()


def until(condition) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def in_flight(process: subprocess.Popen, out: Path, complete: int) -> list[psutil.Process]:
    """Wait until so many runs are complete and another one's kernel waits at the gate; its processes."""

    def kernels() -> list[psutil.Process]:
        found = psutil.Process(process.pid).children(recursive=True)
        return [p for p in found if any("ipykernel" in word for word in p.cmdline())]

    until(
        lambda: (
            len(list(out.glob("*/results.json"))) == complete
            and list(out.glob("*.part"))
            and kernels()
        )
    )
    time.sleep(1)
    return psutil.Process(process.pid).children(recursive=True)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run: an orphan whose new parent has not asked for its end is a zombie."""
    found = [p for p in processes if p.is_running()]
    return [p for p in found if p.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.slow
def test_killed_in_the_middle_it_goes_on_from_there(started, own_root, tmp_path):
    out = tmp_path / "out"
    words = ("-p", "n=1,4", "--no-html", "--jobs", "2", "--out", "out")  # a relative folder
    process = started(*words)
    children = in_flight(process, out, complete=2)  # n = 2, the default, and n = 1
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list(out.glob("*.part")), "the run in flight"
    assert "2 runs complete" in (out / "index.html").read_text()
    until(lambda: not alive(children))  # kernels look for their parent every second
    before = {p: p.stat().st_ino for p in out.glob("*/toy.ipynb")}
    assert len(before) == 2 and len(list(out.glob("*/results.json"))) == 2

    (own_root / "GATE").touch()
    process = started(*words)
    said, errors = process.communicate(timeout=90)
    assert process.returncode == 0, errors
    assert "3 runs" in said and "1 to do" in said and not list(out.glob("*.part"))
    assert all(p.stat().st_ino == inode for p, inode in before.items())
    assert sorted(read_numbers(out, "toy_square")) == [1, 4, 16]


def read_numbers(out: Path, name: str) -> list[float]:
    return [json.loads(p.read_text())["numbers"][name] for p in out.glob("*/results.json")]


@pytest.mark.slow
def test_interrupted_it_ends_its_kernels_and_records_no_failure(started, own_root, tmp_path):
    out = tmp_path / "out"
    process = started("-p", "n=4", "--no-html", "--jobs", "1", "--out", str(out))
    children = in_flight(process, out, complete=1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and errors.startswith("unlearning: interrupted")
    assert errors.count("\n") == 1
    psutil.wait_procs(
        children, timeout=10
    )  # multiprocessing's own helper ends a moment after its parent
    assert not alive(children) and not list(out.glob("*.part"))
    assert not list(out.glob("*/failure.json")) and len(list(out.glob("*/results.json"))) == 1


@pytest.mark.slow
def test_two_sweeps_of_one_folder(started, own_root, tmp_path):
    out = tmp_path / "out"
    first = started("-p", "n=4", "--no-html", "--out", str(out))
    in_flight(first, out, complete=1)
    second = started("-p", "n=3", "--no-html", "--out", str(out))
    said, errors = second.communicate(timeout=60)
    assert second.returncode == 2 and "another run is writing there" in errors and not said
    (own_root / "GATE").touch()
    assert first.wait(timeout=60) == 0
    assert sorted(read_numbers(out, "toy_square")) == [4, 16]


@pytest.mark.slow
def test_code_that_changes_meanwhile_ends_it(started, own_root, tmp_path):
    out = tmp_path / "out"
    process = started("-p", "n=4", "--no-html", "--jobs", "1", "--out", str(out))
    in_flight(process, out, complete=1)
    write_toy(own_root, "\nprint('edited')")
    (own_root / "GATE").touch()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and "changed while it ran; start the sweep again" in errors
    assert len(list(out.glob("*/results.json"))) == 1


@pytest.mark.slow
def test_a_lost_worker_and_a_full_disk_end_it_in_one_line(own_root, tmp_path, monkeypatch):
    def full(path, write):
        raise OSError(28, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(sweep, "write_whole", full)
        with pytest.raises(OSError, match="No space left"):
            run(own_root, tmp_path / "full", "n=1")
    (own_root / "book" / "toy.py").write_text(
        HEADER + PARAMETERS + "\n\n# %%\nimport os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n"
    )
    with pytest.raises(Failed, match="a worker process ended abruptly"):
        run(own_root, tmp_path / "lost", "n=1")
    with files.only_one(tmp_path / "lost"):
        pass


# --- what the index says ---------------------------------------------------------------------------------------------


class Cells(HTMLParser):
    """The rows of the table of runs: class, and (label, value, class) of each cell; and all links."""

    def __init__(self, text: str):
        super().__init__()
        self.rows, self.links, self.inside = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        told = {k: v or "" for k, v in attributes}
        if tag == "a":
            self.links.append(told["href"])
        self.inside = told["id"] == "runs" if tag == "table" and "id" in told else self.inside
        if self.inside and tag == "tr":
            self.rows.append({"class": told.get("class", ""), "cells": {}})
        if self.inside and tag == "td":
            self.rows[-1]["cells"][told["data-label"]] = (told["data-value"], told["class"])


@pytest.mark.slow
def test_the_index_tells_each_runs_numbers(swept):
    """HTML and CSV against results.json, value by value."""
    out, runs, _ = swept
    found = Cells((out / "index.html").read_text())
    rows = {row["cells"]["n"][0]: row for row in found.rows[1:]}
    lines = {line["n"]: line for line in csv.DictReader((out / "index.csv").open(encoding="utf-8"))}
    assert list(rows) == list(lines) == ["2", "1", "6", "7"], "the default first, then as asked"
    for n in (1, 2, 6):
        record = json.loads((out / runs[n].folder / "results.json").read_text())
        cells, line = rows[str(n)]["cells"], lines[str(n)]
        assert (
            float(cells["third"][0]) == record["numbers"]["toy_third"] == float(line["toy_third"])
        )
        assert float(cells["square"][0]) == n**2 == float(line["toy_square"])
        assert float(cells["text"][0]) == 1234 == float(line["toy_text"])
        assert float(cells["glued n"][0]) == -n == float(line["glued n"])
        assert cells["bad"][0] == line["toy_bad"] == "NaN" and "word" not in cells
        checks = {
            f"{f['id']}: {k}": ok for f in record["verdicts"] for k, ok in f["checks"].items()
        }
        assert set(checks) == {"C1: n is small", "C1: n is positive", "C7: <always>"}
        for name, ok in checks.items():
            assert cells[name][0] == str(int(ok)) and line[name] == str(ok).lower()
        verdict = {f["id"]: f["verdict"] for f in record["verdicts"]}
        assert cells["C1"][0] == verdict["C1"] == line["C1"]
        assert line["run"] == runs[n].folder and line["state"] == "complete"
    assert (
        rows["7"]["class"] == lines["7"]["state"] == "failed"
        and rows["7"]["cells"]["third"][0] == ""
    )
    assert (
        "KeyError" in lines["7"]["failure"]
        and "KeyError: &#x27;gone&#x27;" in (out / "index.html").read_text()
    )
    for link in found.links:
        assert (out / link).exists()


@pytest.mark.slow
def test_rows_are_highlighted_where_a_verdict_flips(swept):
    out, _, _ = swept
    rows = {r["cells"]["n"][0]: r for r in Cells((out / "index.html").read_text()).rows[1:]}
    assert {n: row["class"] for n, row in rows.items()} == {
        "1": "", "2": "default", "6": "flips", "7": "failed"
    }  # fmt: skip
    turned = {
        n: {k for k, (_, kind) in row["cells"].items() if "flip" in kind} for n, row in rows.items()
    }
    assert turned == {"1": set(), "2": set(), "6": {"C1", "C1: n is small"}, "7": set()}
    lines = {line["n"]: line for line in csv.DictReader((out / "index.csv").open(encoding="utf-8"))}
    assert [lines[n]["flips"] for n in ("1", "2", "6", "7")] == ["", "", "C1", ""]


def made(n: int, checks: dict[str, bool], numbers: dict | None = None, **more) -> Run:
    fact = {"kind": "claim", "id": "C1", "verdict": "?", "checks": checks}
    return Run(f"{n:016x}", DEFAULTS | {"n": n}, numbers or {}, [fact] * bool(checks), **(
        {"failure": "", "page": False, "thumbnail": ""} | more))  # fmt: skip


def test_nothing_flips_without_a_complete_default_run():
    runs = [made(3, {"a": True}), made(4, {"a": False})]
    assert sweep_index.tabulate("toy", KNOWN, runs).flips == [set(), set()]
    failed = made(2, {}, failure="broken")
    assert sweep_index.tabulate("toy", KNOWN, [failed, *runs]).flips == [set()] * 3
    page = sweep_index.as_html(
        sweep_index.tabulate("toy", KNOWN, [failed, *runs]), "toy", "T", KNOWN, []
    )
    assert "depends" not in page and 'class="flips"' not in page


def test_a_check_may_turn_and_the_verdict_stay():
    """'differs' with one failing check or with another: the check is marked, the row is not."""
    default = made(2, {"a": True, "b": False, "only here": True})
    other = made(3, {"a": False, "b": True, "only there": True})
    table = sweep_index.tabulate("toy", KNOWN, [other, default])
    assert [r.parameters["n"] for r in table.runs] == [2, 3]
    assert table.flips == [set(), {"C1: a", "C1: b"}]
    rows = Cells(sweep_index.as_html(table, "toy", "T", KNOWN, [])).rows
    assert rows[2]["class"] == "" and "flip" in rows[2]["cells"]["C1: a"][1]


def test_a_claim_decided_twice_and_a_check_that_is_open():
    facts = [
        {"kind": "claim", "id": "C1", "verdict": "agrees", "checks": {"a": True}},
        {"kind": "claim", "id": "C1", "verdict": "cannot decide", "checks": {"b": None}},
        {"kind": "erratum", "id": "slip", "verdict": "not shown", "checks": {"c": False}},
    ]
    found = sweep_index.conclusions(facts)
    assert found == {
        "C1: a": True, "C1: b": "open", "slip: c": False, "C1": "agrees · cannot decide", "slip": "not shown"
    }  # fmt: skip
    runs = [made(2, {"a": True}), made(3, {"a": None})]
    table = sweep_index.tabulate("toy", KNOWN, runs)
    page = sweep_index.as_html(table, "toy", "T", KNOWN, [])
    assert table.flips[1] == {"C1: a"} and 'aria-label="open">○' in page
    assert Cells(page).rows[2]["cells"]["C1: a"][0] == "open" and "<td>1 of 2</td></tr>" in page
    assert list(csv.DictReader(sweep_index.as_csv(table).splitlines()))[1]["C1: a"] == "open"


def test_what_a_chapter_says_cannot_break_the_page():
    evil = "</script><script>alert(1)</script>"
    runs = [made(2, {evil: True}, {f"toy_{evil}": 1.0}), made(3, {evil: False}, {}, failure=evil)]
    page = sweep_index.as_html(sweep_index.tabulate("toy", KNOWN, runs), "toy", evil, KNOWN, [evil])
    assert evil not in page and page.count("<script") == 2 and page.count("</script>") == 2


def test_numbers_that_are_texts():
    told = {"0.71": 0.71, "2,274,880": 2274880.0, "All": None, "": None, "1 to 2": None}
    assert {text: sweep_index.number(text) for text in told} == told
    assert sweep_index.number([1.0]) is None and sweep_index.number(True) is True


def test_a_thumbnail_is_the_figure_without_its_text():
    from unlearning.page import figures

    with figures.style():
        figure, axes = figures.panel()
        axes.plot(range(100), range(100), label="a long label")
        axes.imshow([[0, 1], [1, 0]])
        axes.legend()
    whole = figures.svg(figure)
    small = sweep_index.thumbnail(whole)
    assert "text_" in whole and "text_" not in small and len(small) < len(whole) / 3
    assert small.count("<image") == 1 and "<use" not in small or "#" in small
    for target in re.findall(r"url\(#([\w-]+)\)|href=\"#([\w-]+)\"", small):
        assert f'id="{"".join(target)}"' in small, "what is referred to is kept"
    assert sweep_index.thumbnail("<svg") == ""
    assert (
        sweep_index.thumbnail(whole.replace("</svg>", f"<desc>{'x' * 70_000}</desc></svg>")) == ""
    )


@pytest.fixture
def opened(swept, chromium):
    """The index in a browser: (page, requests, complaints)."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page, requests, complaints = context.new_page(), [], []
    page.on("request", lambda r: requests.append(r.url))
    page.on("console", lambda m: complaints.append(m.text))
    page.on("pageerror", lambda e: complaints.append(str(e)))
    page.goto((swept[0] / "index.html").as_uri(), wait_until="load")
    yield page, requests, complaints
    context.close()


COLUMN = """name => [...document.querySelectorAll('#runs tbody tr')].map(
    row => [...row.cells].find(c => c.dataset.label === name).dataset.value)"""


@pytest.mark.browser
@pytest.mark.slow
def test_the_index_in_a_browser(opened):
    page, requests, complaints = opened
    head = page.locator("#runs thead th", has_text="third")
    assert head.get_attribute("aria-sort") == "none"
    for want, order in (
        ("ascending", ["0.3333333333333333", "0.6666666666666666", "2.0", ""]),
        ("descending", ["2.0", "0.6666666666666666", "0.3333333333333333", ""]),
    ):
        head.locator("button").click()
        assert page.evaluate(COLUMN, "third") == order, "numbers by size; no value comes last"
        assert head.get_attribute("aria-sort") == want
    assert page.locator("#runs thead th[aria-sort=descending]").count() == 1
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    page.select_option("#order", "0")
    assert page.evaluate(COLUMN, "n") == ["2", "1", "6", "7"]

    page.select_option("#number", "toy_square")
    dots = page.locator("#plot circle")
    assert dots.count() == 3 and page.locator("#plot circle.flips").count() == 1
    at = dots.evaluate_all(
        "dots => dots.map(d => [Number(d.getAttribute('cx')), Number(d.getAttribute('cy'))])"
    )
    (x2, y2), (x1, y1), (x6, y6) = at
    assert (x6 - x1) / (x2 - x1) == pytest.approx(5) and (y6 - y1) / (y2 - y1) == pytest.approx(
        35 / 3
    )
    assert "toy_square".removeprefix("toy_") in page.locator("#plot svg").get_attribute(
        "aria-label"
    )
    page.select_option("#number", "toy_third")
    assert page.locator("#plot circle title").last.text_content() == "n 6: 2 (flips)"

    assert page.locator("th:not([scope])").count() == 0
    assert page.locator(".thumbnail svg").count() == 3
    assert len(requests) == 1 and not complaints, "the file alone, and nothing to complain about"


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_index_on_a_phone(opened, theme):
    page, _, complaints = opened
    page.set_viewport_size({"width": 390, "height": 800})
    page.emulate_media(color_scheme=theme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    sideways = page.evaluate(
        "[...document.querySelectorAll('.wide')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
    )
    assert sideways == 0, "nor does any part of it scroll sideways"
    assert contrast(page, "main h1") > 7 and contrast(page, "tr.flips td.claim") > 4.5
    assert contrast(page, ".why") > 4.5 and contrast(page, "#runs a") > 4.5
    dark = luminance(page.evaluate("getComputedStyle(document.body).backgroundColor")) < 0.1
    assert dark == (theme == "dark")
    page.select_option("#order", label="third")
    page.check("#descending")
    assert page.evaluate(COLUMN, "n") == ["6", "2", "1", "7"]
    assert not complaints


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2) of "rgb(r, g, b)"."""
    parts = [int(x) / 255 for x in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(page, selector: str) -> float:
    """Contrast (WCAG 2) of an element's text with the nearest background behind it."""
    ink, paper = page.locator(selector).first.evaluate(
        """e => { let b = e; while (getComputedStyle(b).backgroundColor === 'rgba(0, 0, 0, 0)') b = b.parentElement;
        return [getComputedStyle(e).color, getComputedStyle(b).backgroundColor] }"""
    )
    light, dark = sorted((luminance(ink), luminance(paper)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.browser
@pytest.mark.slow
def test_a_runs_page_finds_its_styles_formulas_and_search(swept, chromium):
    out, runs, _ = swept
    page = chromium.new_page()
    failed = []  # a search reads pages for their summaries, which no browser allows without a server
    page.on("requestfailed", lambda r: r.resource_type != "fetch" and failed.append(r.url))
    page.goto((out / runs[6].folder / "html" / "book" / "toy.html").as_uri(), wait_until="load")
    page.wait_for_selector("mjx-container")
    page.goto((out / runs[6].folder / "html" / "search.html").as_uri() + "?q=prose")
    page.wait_for_selector("#search-results li a", timeout=20_000)
    page.click("#search-results li a")
    page.wait_for_selector("mjx-container")
    assert not failed
    page.close()


# --- a chapter of the book -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_chapter_of_the_book(tmp_path):
    """Two points of `question` through the command, one of them against `unlearning run`."""
    small = {"splits": 2, "steps": 8}
    axes = [w for k, v in small.items() for w in ("-p", f"{k}={v}")]
    command = [sys.executable, "-m", "unlearning"]
    ran = subprocess.run(
        [*command, "sweep", "question", "-p", "forget=20,30", *axes, "--jobs", "1", "--out", str(tmp_path / "s")],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == f"{tmp_path}/s/index.html"
    record = single.run("question", small | {"forget": 30}, tmp_path / "run")
    lines = list(csv.DictReader((tmp_path / "s" / "index.csv").open()))
    assert [line["forget"] for line in lines] == ["100", "20", "30"]
    numbers = [n for n in lines[2] if n.startswith("question_")]
    assert {n: float(lines[2][n]) for n in numbers} == record["numbers"]
    for line in lines:
        folder = tmp_path / "s" / line["run"]
        assert sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) < 2_000_000
    parameters = json.loads(lines[1]["parameters"])
    assert parameters == chapters.defaults("question") | small | {"forget": 20}
