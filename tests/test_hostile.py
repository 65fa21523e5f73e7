"""Hostile input and faults: nothing executes, hangs, is lost, or ends in a traceback; a refusal is one clear line.

Every reader of something that a person may bring is driven here, with forms that were tried by hand and with mutations
of genuine files: YAML values, values on the command line, chapters, settings, packs, margins, weights, forget sets,
records, executed notebooks.
"""

import gzip
import io
import json
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from test_walls import bare
from unlearning import datasets, files
from unlearning.__main__ import main
from unlearning.build import book, browser, chapters, notebooks, single, values
from unlearning.errors import Failed, Refused, lines, one_line, short
from unlearning.experiment import layout, packing, presets, results, runner, score
from unlearning.files import ROOT, Damaged
from unlearning.methods import Config

pytestmark = pytest.mark.hostile

TINY = replace(
    presets.SMOKE,
    models=3,
    forget_sets=("random-5", "pc1-top-5"),
    configs=(Config("ga", 0.05, (1, 2)),),
    retrain_epochs=(),
)
FEW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Evil:
    """Unpickled, it makes a folder."""

    def __reduce__(self):
        return exec, ("import os; os.mkdir(os.environ['EVIL_FOLDER'])",)


@pytest.fixture(autouse=True)
def nothing_executes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The folder that every payload of this file would make is not there after any test."""
    monkeypatch.setenv("EVIL_FOLDER", str(tmp_path / "pwned"))
    yield
    assert not (tmp_path / "pwned").exists()


def one_clear_line(text: str) -> bool:
    """Of bounded length, and without characters that would control a terminal."""
    return text.count("\n") <= 1 and len(text) < 1500 and text.rstrip("\n").isprintable()


@pytest.fixture
def ends(capsys: pytest.CaptureFixture) -> Callable:
    """ends(status, words, told): the command ends so, with one line that holds `told`."""

    def check(status: int, words: list[object], told: str) -> None:
        assert main([str(word) for word in words]) == status
        error = capsys.readouterr().err
        assert error.startswith("unlearning: ") and one_clear_line(error), error
        assert told in error, error

    return check


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def loop(path: Path) -> None:
    path.symlink_to(path.name)


ODD = (
    pipe,
    device,
    loop,
    Path.mkdir,
)  # in place of a file; an absent one is tested where it matters


# --- values of parameters --------------------------------------------------------------------------------------------

CELL = """lam: float = 0.01  # ridge coefficient [1e-6, 10]
steps: int = 20  # number of steps [1, 1000]
alphas: list[float] = [0.1, 0.5]  # fractions [0, 1]
side: str = "left"  # which side {left, right, on, no}
fast: bool = False  # take the short way
note: str = "a"  # a text"""
HEADER = "# ---\n# jupyter:\n#   kernelspec:\n#     display_name: Python 3\n#     language: python\n#     name: python3\n# ---\n\n"


def chapter(folder: Path, cell: str = CELL, code: str = "print(1)", name: str = "toy") -> Path:
    path = folder / f"{name}.py"
    path.write_text(
        f'{HEADER}# %% [markdown]\n# # T\n\n# %% tags=["parameters"]\n{cell}\n\n# %%\n{code}\n'
    )
    return path


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("steps: 010", {"steps": 10}),
        ("steps: 0100", {"steps": 100}),
        ("steps: +7", {"steps": 7}),
        ("side: on", {"side": "on"}),
        ("side: no", {"side": "no"}),
        ("fast: yes", {"fast": True}),
        ("note: 2001-01-01", {"note": "2001-01-01"}),
        ("note: 010", {"note": "010"}),
        ("note: '~'", {"note": "~"}),
        ("note: =", {"note": "="}),
        ("alphas: [1e-1, .5]", {}),
        ("alphas: '0.1, 1'", {"alphas": [0.1, 1.0]}),
        ("{lam: 1e-3, steps: 1e2}", {"lam": 1e-3, "steps": 100}),
    ],
)
def test_a_value_in_a_file_is_what_it_is_on_the_command_line(text: str, found: dict, tmp_path):
    (tmp_path / "v.yml").write_text(text)
    read = values.read_values(tmp_path / "v.yml")
    assert chapters.overrides(chapter(tmp_path), read) == found
    plain = {k: v for k, v in read.items() if isinstance(v, str)}
    assert chapters.overrides(chapter(tmp_path), plain).items() <= found.items()


BOMB = "a: &a [x, x]\n" + "\n".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("steps: 1:40", "a whole number"),
        ("steps: 0x10", "a whole number"),
        ("steps: 0o10", "a whole number"),
        ("steps: 1_000", "a whole number"),
        ("steps: ٣", "a whole number"),
        ("steps: on", "a whole number"),
        ("steps:", "a whole number"),
        ("steps: null", "a whole number"),
        ("note: ~", "a text"),
        ("steps: " + "9" * 500_000, "a whole number"),
        ("lam: .inf", "a finite number"),
        ("lam: .nan", "a finite number"),
        ("lam: 1e999", "a finite number"),
        ("side: left\0", "cannot read"),
        ("alphas: {a: 1}", "a list"),
        ("alphas: [[1], [2]]", "a finite number"),
        ("alphas: [" + "0.5," * 2000 + "1]", "a list"),
        ("alphas: []", "a list"),
        ("<<: {lam: 1}", "no parameter '<<'"),
        ("? [1, 2]\n: 3", "a name must be a text"),
        ("lam: &a 0.1\nsteps: *a", "without &"),
        ("lam: *a", "without &"),
        ("alphas: &a [*a]", "without &"),
        (BOMB, "without &"),
        ("lam: !!float 1", "without &"),
        ("lam: !!python/object/apply:os.mkdir ['pwned']", "without &"),
        ("!!python/object/new:os.mkdir ['pwned']", "without &"),
        ("lam: !<tag:yaml.org,2002:python/name:os.system>", "without &"),
        ("alphas: " + "[" * 3000, "nested deeper"),
        ("alphas: " + "{a: " * 3000, "nested deeper"),
        ("- " * 3000 + "1", "nested deeper"),
        ("lam: 1\nlam: 2", "gives lam twice"),
        ("lam: 1\n---\nlam: 2", "holds 2 documents"),
        ("- 1", "holds a list"),
        ("lam", "holds a text"),
        ("lam: [1", "cannot read"),
        ("lam: '1", "cannot read"),
        ("%YAML 9.9\n---\nlam: 1", "cannot read"),
        ("\t lam: 1", "cannot read"),
        ("note: " + "x" * (2 << 20), "bytes, allowed"),
        ("lam\x1b[31m: 1", "cannot read"),
    ],
)
def test_a_file_of_values_that_is_refused(text: str, told: str, tmp_path: Path):
    (tmp_path / "v.yml").write_text(text)
    with pytest.raises(Refused) as caught:
        chapters.overrides(chapter(tmp_path), values.read_values(tmp_path / "v.yml"))
    assert told in str(caught.value) and one_clear_line(str(caught.value))


@pytest.mark.parametrize("make", ODD)
def test_what_is_no_file_of_values(make: Callable, tmp_path: Path):
    make(tmp_path / "v.yml")
    with pytest.raises(Refused, match="cannot read .*v.yml"):
        values.read_values(tmp_path / "v.yml")


def test_bytes_that_are_no_text(tmp_path: Path):
    for content in (b"\xff\xfe\0l", b"lam: \x80", b"\x93NUMPY", pickle.dumps(Evil())):
        (tmp_path / "v.yml").write_bytes(content)
        with pytest.raises(Refused, match="cannot read"):
            values.read_values(tmp_path / "v.yml")


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@FEW
def test_any_bytes_are_values_or_refused(tmp_path: Path, content: bytes):
    (tmp_path / "v.yml").write_bytes(content)
    toy = chapter(tmp_path)
    try:
        chapters.overrides(toy, values.read_values(tmp_path / "v.yml"))
    except Refused as error:
        assert one_clear_line(short(error, 1400))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(name=st.sampled_from(["lam", "steps", "alphas", "side", "fast", "note"]), value=ANYTHING)
@settings(max_examples=200, deadline=None)
def test_any_python_value_is_taken_as_its_type_or_refused(name: str, value: object):
    kinds = {"lam": float, "steps": int, "alphas": list, "side": str, "fast": bool, "note": str}
    parameter = next(p for p in PARAMETERS if p.name == name)
    try:
        assert type(values.coerce(parameter, value)) is kinds[name]
    except Refused as error:
        assert one_clear_line(short(error, 1400))


PARAMETERS = [
    values.Parameter("lam", "float", 0.01, "m", 1e-6, 10.0, ()),
    values.Parameter("steps", "int", 20, "m", 1.0, 1000.0, ()),
    values.Parameter("alphas", "list[float]", [0.1], "m", 0.0, 1.0, ()),
    values.Parameter("side", "str", "left", "m", None, None, ("left", "right")),
    values.Parameter("fast", "bool", False, "m", None, None, ()),
    values.Parameter("note", "str", "a", "m", None, None, ()),
]


@pytest.mark.parametrize(
    "value",
    [
        "9" * 5000,
        "1e400",
        "[[1]]",
        "__import__('os')",
        "\x1b]0;x\x07",
        "0\0",
        "é" * 4000,
        "-",
        "+",
        "",
    ],
)
def test_values_on_the_command_line_that_are_refused(value: str, ends: Callable, tmp_path: Path):
    out = tmp_path / "out"
    ends(2, ["run", "question", "-p", "forget", value, "--out", out], "forget = ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run", "question", "-p", "rate", "1", "-p", "rate", "2"], "-p rate is given twice"),
        (["run", "question", "--out", "a", "--out", "b"], "--out is given twice"),
        (["sweep", "question", "-p", "rate=1,2", "--out=a", "--out=b"], "--out is given twice"),
        (
            ["experiment", "--preset", "smoke", "--method", "ga", "--method", "gda"],
            "--method is given twice: give it once, with all its values after it",
        ),
        (["experiment", "--preset", "smoke", "--preset", "laptop"], "--preset is given twice"),
        (["experiment", "--preset", "smoke", "--seed", "1", "--seed", "1"], "--seed is given"),
        (["pack", "--from", "a", "--from", "b"], "--from is given twice"),
        (["build", "--timeout", "3", "--timeout", "4"], "--timeout is given twice"),
    ],
)
def test_a_second_value_never_replaces_the_first(words, told: str, ends: Callable):
    ends(2, words, told)


@pytest.mark.parametrize("value", ["-5,-10", "-5", "-.5", "-1e-3,2", "[-5,-10]", "-inf", "-NaN"])
def test_values_that_begin_with_a_minus_sign_are_values(value: str, ends: Callable, tmp_path: Path):
    told = "a finite number" if value[1:].isalpha() else "models = 'x' is not allowed"
    ends(2, ["run", "traps", "-p", "broken", value, "-p", "models", "x"], told)


def test_a_number_of_too_many_digits_is_refused_as_a_python_value_too():
    with pytest.raises(Refused, match="steps = a int of too many digits"):
        values.coerce(PARAMETERS[1], 10**5000)


@pytest.mark.parametrize(
    "name", ["../home", "/etc/passwd", "home\0", "book/../../x", "\x1b[31m", "x" * 5000, "."]
)
def test_names_that_are_no_chapters(name: str, ends: Callable):
    ends(2, ["params", name], "unknown chapter")


# --- chapters and settings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "code", "told"),
    [
        (CELL, "x = (1", "toy.py, cell 3, line 1"),
        (CELL, "x = 1\ny = = 2", "toy.py, cell 3, line 2: invalid syntax"),
        (CELL, "\tx = 1\n  y = 2", "toy.py, cell 3"),
        (CELL, "%matplotlib inline\nx = 1; !ls", "toy.py, cell 3"),
        (CELL, "x = " + "(" * 500 + ")" * 500, "toy.py, cell 3"),
        ("a: int = 1  # what [a, b]", "", "toy.py: a: [a, b] is no range: give two numbers"),
        ("a: int = 1  # what [3, 1]", "", "toy.py: a: [3, 1] is no range: the smaller"),
        ("a: int = 1  # what [nan, 1]", "", "toy.py: a: [nan, 1] is no range"),
        ("a: int = 9  # what [1, 3]", "", "toy.py: the default is outside its own range"),
        ("a: int = 1  # what\na: int = 2  # what", "", "a stands twice"),
        ("a: int = open('/x')  # what", "", "not a literal"),
        ("a: str = 'x' * 10**9  # what", "", "not a literal"),
        ("a: int = " + "-" * 300 + "1  # what", "", "toy.py"),
        ("for", "", "toy.py"),
    ],
)
def test_chapters_that_break_the_rules_are_named(cell: str, code: str, told: str, tmp_path: Path):
    with pytest.raises(Refused) as caught:
        chapters.parameters(chapter(tmp_path, cell, code))
    assert told in str(caught.value) and one_clear_line(str(caught.value))


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"# %% tags=[\n1", b"\0", b"# ---\n# a: [\n# ---\n"]
)
def test_what_is_no_chapter(content: bytes, tmp_path: Path):
    (tmp_path / "toy.py").write_bytes(content)
    with pytest.raises(Refused, match="toy.py"):
        chapters.parameters(tmp_path / "toy.py")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A clone with a book of one chapter."""
    root = tmp_path / "clone"
    (root / "book").mkdir(parents=True)
    shutil.copytree(
        ROOT / "lib", root / "lib", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
    )
    shutil.copytree(ROOT / "book" / "_static", root / "book" / "_static")
    (root / "results").mkdir()
    (root / "book" / "references.bib").write_text("")
    for file in ("_config.yml", "requirements.txt", "Makefile"):
        shutil.copy(ROOT / file, root)
    (root / "_toc.yml").write_text("format: jb-book\nroot: book/toy\n")
    chapter(root / "book", "n: int = 2  # how many [1, 9]", "print(n)")
    return root


@pytest.mark.parametrize("file", ["_toc.yml", "_config.yml"])
@pytest.mark.parametrize(
    "content", [b"", b"- a\n", b"text", b"a: [", b"\xff\xfe\0", b"a: !!python/name:os.system\n"]
)
def test_settings_that_are_none(file: str, content: bytes, small: Path):
    (small / file).write_bytes(content)
    with pytest.raises(Refused, match=file):
        book.build(small)
    assert not (small / "_build" / "executed").exists()


@pytest.mark.parametrize(
    "content",
    ["root: 3", "root: [a]", "parts: []", "root: book/toy\nparts: 3", "root: book/toy\nparts: [3]",
     "root: book/toy\nparts: [{chapters: [x]}]", "root: book/gone"],
)  # fmt: skip
def test_contents_that_name_no_chapters(content: str, small: Path):
    (small / "_toc.yml").write_text(content)
    with pytest.raises(Refused, match="_toc.yml|unknown chapter"):
        book.build(small)


# --- executed notebooks ----------------------------------------------------------------------------------------------


def executed() -> nbformat.NotebookNode:
    cell = nbformat.v4.new_code_cell("1", outputs=[nbformat.v4.new_output("stream", text="one")])
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook.metadata["unlearning"] = {"chapter": "toy", "key": "k", "seconds": 1.0}
    return book._sealed(notebook)


def edited(change: Callable[[dict], None]) -> Callable[[str], bytes]:
    def to_bytes(text: str) -> bytes:
        told = json.loads(text)
        change(told)
        return json.dumps(told).encode()

    return to_bytes


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: b"",
        lambda text: text.encode()[:-20],
        lambda text: b"{}",
        lambda text: b"[]",
        lambda text: b"null",
        lambda text: b"\x80\x04\x95",
        lambda text: b"[" * 100_000,
        lambda text: text.replace("one", "two").encode(),
        lambda text: pickle.dumps(Evil()),
        edited(lambda told: told["metadata"].pop("unlearning")),
        edited(lambda told: told["metadata"]["unlearning"].pop("sha256")),
        edited(lambda told: told["metadata"].update(unlearning=[])),
        edited(lambda told: told["metadata"]["unlearning"].update(key="other")),
        edited(lambda told: told["cells"].clear()),
    ],
)
def test_damaged_executed_notebooks_are_cleared_away(damage: Callable, tmp_path: Path):
    from unlearning.build.render import save

    path = tmp_path / "toy.ipynb"
    save(executed(), path)
    assert book._key_of(path) == "k"
    path.write_bytes(damage(path.read_text()))
    assert book._key_of(path) is None
    book._clear(tmp_path, ["toy"])
    assert not path.exists()


@given(at=st.integers(0, 10_000), byte=st.integers(0, 255), keep=st.booleans())
@FEW
def test_a_changed_byte_is_seen_or_changes_nothing(tmp_path: Path, at: int, byte: int, keep: bool):
    from unlearning.build.render import save

    path = tmp_path / "toy.ipynb"
    save(executed(), path)
    genuine = json.loads(path.read_text())
    raw = bytearray(path.read_bytes())
    raw[at % len(raw)] = byte
    path.write_bytes(raw if keep else raw[: at % len(raw)])
    assert book._key_of(path) is None or json.loads(path.read_text()) == genuine


# --- an experiment's folder ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("hostile") / "run"
    runner.run(TINY, out, workers=1, report=None)
    return out


@pytest.fixture
def out(finished: Path, tmp_path: Path) -> Path:
    """A copy of a finished run of TINY."""
    return shutil.copytree(finished, tmp_path / "run")


@pytest.fixture(scope="module")
def context(finished: Path) -> layout.Context:
    return layout.open_context(TINY, finished, None, "cpu")


def arrays_in(folder: Path) -> dict[str, bytes]:
    found = {}
    for path in sorted((folder / "margins").rglob("*.npz")):
        with np.load(path) as arrays:
            found[str(path.relative_to(folder))] = (
                arrays["margins"].tobytes() + arrays["hits"].tobytes()
            )
    return found


ORACLE, METHOD = (
    "margins/random-5/oracle/0000-0001.npz",
    "margins/random-5/ga,lr=0.05/0000-0001.npz",
)


def rewritten(change: Callable[[dict], dict], sealed: bool = True) -> Callable[[Path], None]:
    """Writes a file of margins anew with other arrays, with its old checksum or, as an older version, with none."""

    def write(path: Path) -> None:
        with np.load(path) as file:
            arrays = dict(file)
        if not sealed:
            del arrays["sha256"]
        np.savez(path, **(arrays | change(arrays)))

    return write


def flipped(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    for quarter in (1, 2, 3):  # one of them may lie where nothing is told
        raw[len(raw) * quarter // 4] ^= 1
    path.write_bytes(raw)


def other(file: str) -> Callable[[Path], None]:
    return lambda path: shutil.copy(path.parents[3] / file, path)


DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:300]),
    "flipped": flipped,
    "text": lambda path: path.write_text("margins"),
    "pickle": lambda path: path.write_bytes(pickle.dumps(Evil())),
    "one model": rewritten(lambda a: {k: a[k][:, :1] for k in ("margins", "hits")}),
    "one model, no checksum": rewritten(lambda a: {k: a[k][:, :1] for k in ("margins", "hits")}, False),
    "one point, no checksum": rewritten(lambda a: {k: a[k][..., :1] for k in ("margins", "hits")}, False),
    "other numbers": rewritten(lambda a: {"margins": a["margins"] + 5}),
    "NaN": rewritten(lambda a: {"margins": a["margins"] * np.nan}),
    "objects": rewritten(lambda a: {"margins": np.array([[Evil()]], object)}),
    "no margins": lambda path: np.savez(path, a=np.zeros(3)),
    "of integers, no checksum": rewritten(lambda a: {"margins": a["margins"].astype(int)}, False),
    "flat, no checksum": rewritten(lambda a: {"margins": a["margins"].ravel()}, False),
    "wall of text, no checksum": rewritten(lambda a: {"wall": np.array("x")}, False),
    "another set's": other("margins/pc1-top-5/oracle/0000-0001.npz"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_margins_are_never_used(damage: Callable, out: Path, context: layout.Context):
    """Reading them is an error that names the file; the next run sets them aside, and has the old numbers again."""
    damage(out / ORACLE)
    here = replace(context, out=out)
    with pytest.raises(Damaged, match="0000-0001.npz: .*run the experiment again") as caught:
        layout.load("random-5/oracle", here)
    assert one_clear_line(str(caught.value))
    told = layout.set_aside_damaged(here)
    assert len(told) == 1 and "set aside" in told[0] and not (out / ORACLE).exists()


@pytest.mark.parametrize("file", [ORACLE, METHOD, "margins/pretrained/0000-0001.npz"])
def test_what_was_damaged_is_done_again_with_the_same_numbers(file: str, out: Path, finished: Path):
    flipped(out / file)
    told: list[str] = []
    runner.run(TINY, out, workers=1, report=told.append)
    assert "set aside as 0000-0001.npz.damaged" in told[0] and len(told) == 2
    assert arrays_in(out) == arrays_in(finished)
    assert results.read(out / "results.jsonl") == results.read(finished / "results.jsonl")


def test_not_finite_margins_of_trained_models_are_damage_even_without_a_checksum(out, context):
    rewritten(lambda a: {"margins": a["margins"] * np.nan}, sealed=False)(out / ORACLE)
    with pytest.raises(Damaged, match="not finite"):
        layout.load("random-5/oracle", replace(context, out=out))


def test_margins_of_an_older_version_are_read_and_called_unverified(
    out: Path, tmp_path: Path, capsys
):
    before = arrays_in(out)
    for path in (out / "margins").rglob("*.npz"):
        rewritten(lambda a: {}, sealed=False)(path)
    told: list[str] = []
    runner.run(TINY, out, workers=1, report=told.append)
    assert len(told) == 1 and "without a checksum: used unverified" in told[0]
    assert arrays_in(out) == before
    assert main(["pack", "--from", str(out)]) == 0 and "unverified" in capsys.readouterr().out
    assert not packing.read(str(out / "packs/smoke/random-5.npz")).meta["verified"]


def test_what_a_killed_run_was_writing_is_removed(out: Path, context: layout.Context):
    begun = out / "margins/random-5/oracle/.0000-0001.npz.12-345.part"
    begun.write_bytes(b"half")
    (out / "margins/.mine.part").write_bytes(b"somebody's")
    assert layout.set_aside_damaged(replace(context, out=out)) == []
    assert not begun.exists() and (out / "margins/.mine.part").exists()


def test_margins_that_overlap_are_not_joined(out: Path, context: layout.Context):
    arrays = files.load(out / ORACLE)
    files.save(
        out / "margins/random-5/oracle/0001-0002.npz",
        **{k: v for k, v in arrays.items() if k != "sha256"},
    )
    with pytest.raises(Damaged, match="overlaps"):
        layout.load("random-5/oracle", replace(context, out=out))


def test_names_that_are_no_spans_are_no_models(tmp_path: Path):
    for name in ("0000-99999999999.npz", "0-1.npz", "x.npz", "0003-0001.npz", "٠٠٠٠-٠٠٠١.npz"):
        (tmp_path / name).write_bytes(b"")
    assert layout.present(tmp_path) == {} and layout.whole(tmp_path) == 0


def test_epochs_of_another_preset_are_not_taken_for_this_ones(out: Path, context: layout.Context):
    later = replace(TINY, configs=(Config("ga", 0.05, (2, 3)),))
    with pytest.raises(Failed, match=r"after epochs \[1, 2\], this preset asks for \[2, 3\]"):
        layout.load("random-5/ga,lr=0.05", replace(context, out=out, preset=later))


@given(at=st.integers(0, 100_000), byte=st.integers(0, 255), keep=st.booleans())
@FEW
def test_a_changed_byte_of_margins_is_seen_or_changes_nothing(
    tmp_path: Path, finished: Path, context: layout.Context, at: int, byte: int, keep: bool
):
    genuine, path = files.load(finished / ORACLE), tmp_path / "0000-0001.npz"
    raw = bytearray((finished / ORACLE).read_bytes())
    raw[at % len(raw)] = byte
    path.write_bytes(raw if keep else raw[: at % len(raw)])
    try:
        found = layout.read(path, "random-5/oracle", context)
    except Damaged as error:
        assert one_clear_line(str(error))
    else:
        assert files.digest(found) == files.digest(genuine)


@given(st.binary(max_size=300))
@FEW
def test_any_bytes_are_no_margins(tmp_path: Path, content: bytes):
    path = tmp_path / "0000-0001.npz"
    path.write_bytes(content)
    try:
        assert files.load(path) == {}  # an empty archive
    except Damaged as error:
        assert one_clear_line(str(error))


@pytest.mark.parametrize("make", ODD)
def test_what_is_no_file_is_not_waited_for(make: Callable, tmp_path: Path):
    make(tmp_path / "x")
    for read in (files.content, files.load, files.load_json, files.load_arrays):
        with pytest.raises(Damaged, match="x: "):
            read(tmp_path / "x")


WEIGHTS = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:2000]),
    "flipped": flipped,
    "another model's": lambda path: shutil.copy(path.with_name("0001.pt"), path),
    "pickle": lambda path: path.write_bytes(pickle.dumps(Evil())),
    "pickle in torch": lambda path: torch.save(Evil(), path),
    "list": lambda path: torch.save([1, 2], path),
    "missing": Path.unlink,
    "pipe": lambda path: (path.unlink(), pipe(path)),
}


@pytest.mark.parametrize(
    ("damage", "sealed"),
    [(name, True) for name in WEIGHTS]
    + [(name, False) for name in WEIGHTS if name != "another model's"],  # nothing could tell
)
def test_damaged_weights_are_named(damage: str, sealed: bool, out: Path, context: layout.Context):
    """sealed: whether the margins keep the weights' checksums; those of an older version do not."""
    if not sealed:
        margins = out / "margins/pretrained/0000-0001.npz"
        with np.load(margins) as file:
            arrays = {k: file[k] for k in file.files if k not in ("weights", "sha256")}
        np.savez(margins, **arrays)
    WEIGHTS[damage](out / "weights/0000.pt")
    here = replace(context, out=out)
    with pytest.raises(Refused, match="0000.pt.*bring weights/ back") as caught:
        layout.load_weights(here, 0, here.build())
    assert one_clear_line(str(caught.value)) and "weights_only" not in str(caught.value)
    layout.load_weights(here, 2, here.build())


SMOKE = ["experiment", "--preset", "smoke", "--method", "ga", "--workers", "1", "--models", "3"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "no run.json, which says what they are"),
        (b"", "damaged: not JSON"),
        (b'{"name": "smo', "damaged: not JSON"),
        (b"[1, 2]", "not a JSON object"),
        (b"{}", "holds results of another experiment"),
        (b'{"name": "demo"}', "holds results of another experiment"),
        (b"[" * 200_000, "damaged: not JSON"),
        (b"\x80\x04", "damaged: not JSON"),
    ],
)
def test_a_folder_that_cannot_say_what_it_is_is_refused(
    content, told: str, out: Path, ends: Callable
):
    before = arrays_in(out)
    (out / "run.json").unlink()
    if content is not None:
        (out / "run.json").write_bytes(content)
    ends(2, [*SMOKE, "--out", out], told)
    assert arrays_in(out) == before
    if content is not None and content != b'{"name": "demo"}':
        ends(2, ["pack", "--from", out], "no run of `unlearning experiment`")


def resealed(change: Callable[[dict], dict]) -> Callable[[dict], bytes]:
    """Another content with a checksum that fits: somebody meant it."""

    def write(told: dict) -> bytes:
        now = {**told, **change(told)}
        return json.dumps({**now, "sha256": files.digest_json(now)}).encode()

    return write


@pytest.mark.parametrize(
    "content",
    [
        lambda told: b"",
        lambda told: b'{"indices": [1, 2',
        lambda told: b"[1, 2]",
        lambda told: json.dumps({**told, "indices": [1, 2, 3, 4, 5]}).encode(),  # an old checksum
        resealed(lambda told: {"indices": [1, 2, 3, 4, 5]}),
        resealed(lambda told: {"indices": [-1, *told["indices"][1:]]}),
        resealed(lambda told: {"indices": [10**30]}),
        resealed(lambda told: {"indices": [96]}),
        resealed(lambda told: {"indices": [1, 1]}),
        resealed(lambda told: {"indices": []}),
        resealed(lambda told: {"indices": [[1], [2, 3]]}),
        resealed(lambda told: {"indices": "abc"}),
        resealed(lambda told: {"indices": {"a": 1}}),
        resealed(lambda told: {"models": "three"}),
    ],
)
def test_a_forget_set_that_was_not_written_so_is_refused(
    content: Callable, out: Path, ends: Callable
):
    path = out / "forget_sets/random-5.json"
    before = arrays_in(out)
    path.write_bytes(content(json.loads(path.read_text())))
    ends(1, [*SMOKE, "--out", out], "random-5.json: damaged")
    assert arrays_in(out) == before


def test_a_pilot_decides_no_set_of_a_larger_run(out: Path, ends: Callable):
    five = replace(TINY, models=5, forget_sets=("pc1-top-5",), configs=())
    before = arrays_in(out)
    words = [*SMOKE[:-1], "5", "--out", out]
    ends(2, words, "pc1-top-5.json was chosen by 3 models, this run would choose by 5")
    ends(2, [*words, "--dry-run"], "was chosen by 3 models")
    assert arrays_in(out) == before
    (out / "forget_sets/pc1-top-5.json").unlink()
    shutil.rmtree(out / "margins/pc1-top-5")
    runner.run(five, out, workers=1, report=None)
    fresh = out.with_name("fresh")
    runner.run(five, fresh, workers=1, report=None)
    sets = [json.loads((f / "forget_sets/pc1-top-5.json").read_text()) for f in (out, fresh)]
    assert sets[0] == sets[1] and sets[0]["models"] == 5


def test_stages_with_more_models_later_keep_the_set_of_the_first(tmp_path: Path):
    """What an undisturbed run of a staged preset chooses is no pilot's choice."""
    stages = (
        presets.Stage("few", 3, ("pc1-top-5",)),
        presets.Stage("more", 4, ("pc1-top-5",)),
    )
    p = replace(TINY, stages=stages)
    runner.run(p, tmp_path, workers=1, report=None)
    assert runner.run(p, tmp_path, workers=1, report=None)
    assert json.loads((tmp_path / "forget_sets/pc1-top-5.json").read_text())["models"] == 3


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"rubbish", "line 1 is not a JSON object"),
        (b"[1]", "line 1 is not a JSON object"),
        (b'{"a": NaN}', "line 1 is not a JSON object"),
        (b"[" * 200_000, "line 1 is not a JSON object"),
        (b"\xff\xfe", "line 1 is not a JSON object"),
        (b'{"a": 1}', "line 1 is no record, it lacks dataset"),
        (lambda r: {k: v for k, v in r.items() if k != "provenance"}, "it lacks provenance"),
        (lambda r: r | {"provenance": 3}, "it lacks provenance"),
        (lambda r: r | {"configuration": []}, "it lacks configuration"),
    ],
)
def test_lines_that_are_no_records_are_named_and_kept(line, told: str, out: Path, ends: Callable):
    path = out / "results.jsonl"
    first, *rest = path.read_bytes().splitlines(keepends=True)
    bad = line if isinstance(line, bytes) else json.dumps(line(json.loads(first))).encode()
    path.write_bytes(b"".join([bad + b"\n", *rest]))
    before = path.read_bytes()
    (out / METHOD).unlink()  # something to record
    ends(2, [*SMOKE, "--out", out], told)
    assert path.read_bytes() == before


def test_missing_evidence_is_an_error_not_a_smaller_experiment(tmp_path: Path):
    with pytest.raises(Refused, match="recorded results is missing"):
        results.collect(tmp_path / "results")
    (tmp_path / "results").mkdir()
    (tmp_path / "results/laptop.jsonl").write_bytes(b"")
    with pytest.raises(Refused, match="laptop.jsonl: no record in it"):
        results.collect(tmp_path / "results")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--models", "99999999999"], "99999999999 models"),
        (["--models", "-1"], "-1 models"),
        (["--models", "2"], "give at least 3 --models, not 2"),
        (["--models", "2", "--forget-set", "pc2-top-5"], "give at least 3 --models, not 2"),
        (["--time-budget", "nan"], "a time budget of nan"),
        (["--seed", "-1"], "seed -1: give a whole number from 0"),
        (["--seed", "9" * 30], "give a whole number from 0"),
        (["--time-budget", "-1"], "a time budget of -1"),
        (["--time-budget", "inf"], "a time budget of inf"),
        (["--workers", "1000000000"], "give 1 to 1024"),
        (["--workers", "-3"], "give 1 to 1024"),
        (["--forget-set", "random-" + "9" * 5000], "random-999"),
        (["--forget-set", "../../x"], "unknown forget set"),
    ],
)
def test_requests_that_cannot_be_served_are_refused_at_once(
    words: list[str], told: str, tmp_path, ends
):
    ends(2, ["experiment", "--preset", "smoke", *words, "--out", tmp_path / "out"], told)
    if words[0] != "--workers":
        ends(2, ["experiment", "--preset", "smoke", *words, "--dry-run", "--out", tmp_path], told)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(data=st.data())
@FEW
def test_any_run_json_is_the_runs_own_or_refused(tmp_path: Path, finished: Path, data):
    """A genuine one with some fields replaced by anything."""
    told = json.loads((finished / "run.json").read_text())
    change = data.draw(st.dictionaries(st.sampled_from(sorted(told)), JSON, min_size=1, max_size=3))
    (tmp_path / "run.json").write_text(json.dumps(told | change))
    with pytest.raises((Refused, Failed)) as caught:
        packing.pack(tmp_path, tmp_path / "packs")
    assert one_clear_line(short(caught.value, 1400))


@pytest.mark.parametrize(
    "change",
    [{"pool": 50}, {"pool": 10**30}, {"seed": -1}, {"width": "8"}, {"dataset": "x"}, {"train_images": 10**30},
     {"train_images": [1]}, {"recipe": []}, {"recipe": {}}, {"name": []}, {"name": "x"}],
)  # fmt: skip
def test_impossible_runs_are_refused(change: dict, out: Path, ends: Callable):
    told = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps(told | change))
    ends(2, ["pack", "--from", out], "")


@given(told=JSON | st.fixed_dictionaries({"indices": JSON, "models": JSON}))
@FEW
def test_any_json_is_a_forget_set_or_damaged(tmp_path: Path, context: layout.Context, told):
    here = replace(context, out=tmp_path)
    (tmp_path / "forget_sets").mkdir(exist_ok=True)
    (tmp_path / "forget_sets/pc1-top-5.json").write_text(json.dumps(told))
    try:
        found = layout.read_set("pc1-top-5", here)
    except Damaged as error:
        assert one_clear_line(short(error, 1400))
    else:
        assert len(found["indices"]) and max(found["indices"]) < 96 and min(found["indices"]) >= 0


@given(st.lists(st.binary(max_size=60) | JSON.map(lambda v: json.dumps(v).encode()), max_size=4))
@FEW
def test_any_lines_are_records_or_refused(tmp_path: Path, content: list[bytes]):
    path = tmp_path / "r.jsonl"
    path.write_bytes(b"\n".join(content))
    try:
        assert all(isinstance(record["provenance"], dict) for record in results.read(path))
    except Refused as error:
        assert one_clear_line(short(error, 1400))


# --- data sets -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["data_batch_1", "train-images-idx3-ubyte.gz"])
@pytest.mark.parametrize(
    "make",
    [
        *ODD,
        lambda path: path.write_bytes(pickle.dumps(Evil())),
        lambda path: path.write_bytes(gzip.compress(b"\0" * (300 << 20), 1)),
        lambda path: path.write_bytes(gzip.compress(b"\0" * 1000)[:-6]),
        lambda path: None,
    ],
)
def test_data_files_that_are_none_are_refused(make: Callable, name: str, tmp_path: Path):
    kind, folder = ("cifar10", "cifar-10-batches-py") if "batch" in name else ("mnist", "MNIST/raw")
    (tmp_path / folder).mkdir(parents=True)
    make(tmp_path / folder / name)
    with pytest.raises(Refused, match=name.removesuffix(".gz")) as caught:
        datasets.load(kind, tmp_path)
    told = str(caught.value)
    assert one_clear_line(told) and ("UNLEARNING_DATA" in told or "download it again" in told)


# --- packs -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def packs(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile_packs")
    packing.pack(finished, folder)
    return folder


@pytest.fixture
def pack(packs: Path, tmp_path: Path) -> Path:
    return shutil.copytree(packs, tmp_path / "packs") / "smoke/random-5.npz"


def test_packs_lie_beside_the_run_unless_asked_otherwise(out: Path):
    committed = {path: path.read_bytes() for path in packing.FOLDER.rglob("*.npz")}
    assert main(["pack", "--from", str(out)]) == 0
    assert (out / "packs/smoke/random-5.npz").exists()
    assert committed == {path: path.read_bytes() for path in packing.FOLDER.rglob("*.npz")}


def test_a_pack_is_never_replaced_by_fewer_or_other_models(
    pack: Path, finished: Path, tmp_path, ends
):
    before = {path: path.read_bytes() for path in pack.parent.glob("*.npz")}
    folder = pack.parents[1]
    packing.pack(finished, folder)  # the same again
    pilot = replace(TINY, models=2, forget_sets=("random-5",), configs=())
    runner.run(pilot, tmp_path / "pilot", workers=1, report=None)
    (folder / "smoke/pc1-top-5.npz").unlink()
    ends(
        2,
        ["pack", "--from", tmp_path / "pilot", "--out", folder],
        "holds 3 models that are not all among",
    )
    seed = replace(TINY, seed=1, forget_sets=("random-5",), configs=())
    runner.run(seed, tmp_path / "seed", workers=1, report=None)
    ends(2, ["pack", "--from", tmp_path / "seed", "--out", folder], "--replace overwrites it")
    assert pack.read_bytes() == before[pack]
    assert main(["pack", "--from", str(tmp_path / "seed"), "--out", str(folder), "--replace"]) == 0
    assert packing.read(str(pack)).meta["run"]["seed"] == 1
    packing.pack(tmp_path / "pilot", tmp_path / "own")
    runner.run(replace(pilot, models=3), tmp_path / "pilot", workers=1, report=None)
    packing.pack(tmp_path / "pilot", tmp_path / "own")  # the same models and one more
    assert packing.read("smoke/random-5", tmp_path / "own").meta["models"] == 3


def meta(change: Callable[[dict], object]) -> Callable[[dict], dict]:
    def changed(arrays: dict) -> dict:
        told = json.loads(str(arrays["meta"]))
        return {"meta": np.array(json.dumps(change(told)))}

    return changed


FORGED = {
    "no groups": meta(lambda m: {k: v for k, v in m.items() if k != "groups"}),
    "negative groups": meta(lambda m: m | {"groups": {"forget": -5, "retain": 35, "val": 35}}),
    "groups of text": meta(lambda m: m | {"groups": {"forget": "5"}}),
    "groups as a list": meta(lambda m: m | {"groups": [5, 30, 30]}),
    "no forget group": meta(lambda m: m | {"groups": {"retain": 65}}),
    "a run of text": meta(lambda m: m | {"run": "smoke"}),
    "a width of text": meta(lambda m: m | {"run": m["run"] | {"width": "8"}}),
    "a name that is none": meta(lambda m: m | {"preset": 3}),
    "a list": meta(lambda m: [m]),
    "null": meta(lambda m: None),
    "no JSON": lambda a: {"meta": np.array("{")},
    "deep JSON": lambda a: {"meta": np.array("[" * 50_000)},
    "one model": lambda a: {"oracle": a["oracle"][:1]},
    "no model": lambda a: {"oracle": a["oracle"][:0]},
    "too many models": lambda a: {"oracle": np.zeros((20_000, 65), np.float16)},
    "text for margins": lambda a: {"oracle": a["oracle"].astype(str)},
    "points of text": lambda a: {"points": a["points"].astype(str)},
    "points of floats": lambda a: {"points": a["points"].astype(float)},
    "points elsewhere": lambda a: {"points": a["points"] + 10_000},
    "points of NaN": lambda a: {"points": a["points"] * np.nan},
}


@pytest.mark.parametrize("change", FORGED.values(), ids=FORGED)
def test_forged_packs_are_refused(change: Callable, pack: Path, ends: Callable):
    """With no checksum, as if by an older version: what is in the file alone must show it."""
    with np.load(pack) as file:
        arrays = {k: file[k] for k in file.files if k != "sha256"}
    np.savez(pack, **(arrays | change(arrays)))
    ends(2, ["score", pack], "are no pack; pack the run again")


def test_a_changed_pack_is_refused(pack: Path, ends: Callable):
    rewritten(lambda a: {"oracle": a["oracle"] + 1})(pack)
    ends(2, ["score", pack], "its checksum is another")


def test_a_pack_of_an_older_version_is_called_unverified(pack: Path, capsys):
    assert main(["score", str(pack)]) == 0 and "unverified" not in capsys.readouterr().out
    rewritten(lambda a: {}, sealed=False)(pack)
    assert main(["score", str(pack)]) == 0 and "no checksum" in capsys.readouterr().out


@pytest.mark.parametrize("make", ODD)
def test_what_is_no_pack_is_not_waited_for(make: Callable, pack: Path, ends: Callable):
    pack.unlink()
    make(pack)
    ends(2, ["score", pack], "random-5.npz: ")


@given(at=st.integers(0, 100_000), byte=st.integers(0, 255), keep=st.booleans())
@FEW
def test_a_changed_byte_of_a_pack_is_seen_or_changes_nothing(packs, tmp_path, at, byte, keep):
    shutil.copytree(packs / "smoke", tmp_path / "smoke", dirs_exist_ok=True)
    path = tmp_path / "smoke/random-5.npz"
    raw = bytearray(path.read_bytes())
    raw[at % len(raw)] = byte
    path.write_bytes(raw if keep else raw[: at % len(raw)])
    try:
        found, genuine = packing.read(str(path)), packing.read("smoke/random-5", packs)
    except Refused as error:
        assert one_clear_line(short(error, 1400))
    else:
        assert (found.oracle == genuine.oracle).all() and found.meta == genuine.meta


# --- margins to score ------------------------------------------------------------------------------------------------


def npy(shape: object, kind: str = "<f4", rest: bytes = b"\0" * 64) -> bytes:
    """A .npy file with any header."""
    header = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header + rest


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def bomb() -> bytes:
    """9 GB of zeros in 9 MB; their true size is in the archive's list."""
    content = archive(**{"margins.npy": npy("(2, 65)", rest=b"\0" * 10_000_000)})
    return content.replace((10_000_128).to_bytes(4, "little"), (2**32 - 2).to_bytes(4, "little"))


MARGINS = {
    "negative shape": ("mine.npy", npy("(-1, 65)")),
    "shape of one number": ("mine.npy", npy("65")),
    "shape of floats": ("mine.npy", npy("(2.5, 65)")),
    "a shape beyond memory": ("mine.npy", npy("(10**0, 1)".replace("10**0", "9" * 30))),
    "a shape beyond the file": ("mine.npy", npy("(1000000, 65)")),
    "two million models": ("mine.npy", None),
    "objects": ("mine.npy", npy("(2, 65)", "|O", pickle.dumps(Evil()))),
    "a header that is code": ("mine.npy", npy("__import__('os').mkdir('pwned')")),
    "a header without an end": ("mine.npy", b"\x93NUMPY\x01\0\xff\xff{"),
    "a header of brackets": ("mine.npy", npy("(" * 3000)),
    "format 9": ("mine.npy", b"\x93NUMPY\x09\0" + npy("(2, 65)")[8:]),
    "pickle": ("mine.npy", pickle.dumps(Evil())),
    "empty": ("mine.npy", b""),
    "a text in an archive": ("mine.npz", archive(**{"margins.npy": b"1, 2, 3"})),
    "an archive of texts": ("mine.npz", archive(a=b"b", c=b"d")),
    "objects in an archive": ("mine.npz", archive(margins=npy("(2, 65)", "|O", pickle.dumps(Evil())))),
    "negative shape in an archive": ("mine.npz", archive(margins=npy("(-1, 65)"))),
    "a lie in an archive": ("mine.npz", archive(margins=npy("(10000000, 65)"))),
    "a bomb": ("mine.npz", bomb()),
    "no archive": ("mine.npz", b"PK\3\4"),
    "empty archive": ("mine.npz", archive()),
    "a record type": ("mine.npy", npy("(2,)", "V260", b"\0" * 520)),
}  # fmt: skip


@pytest.mark.parametrize(("name", "content"), MARGINS.values(), ids=MARGINS)
def test_what_are_no_margins_is_refused_at_once(
    name, content, pack: Path, tmp_path, ends: Callable
):
    path = tmp_path / name
    if content is None:
        path.write_bytes(npy("(2000000, 65)", rest=b""))
        os.truncate(path, path.stat().st_size + 2_000_000 * 65 * 4)  # sparse: no disk, no memory
    else:
        path.write_bytes(content)
    ends(2, ["score", pack, path], "mine.np")


def test_no_advice_to_load_what_is_refused(pack: Path, tmp_path: Path, capsys):
    np.save(tmp_path / "mine.npy", np.array([[Evil()]], object), allow_pickle=True)
    torch.save(Evil(), tmp_path / "a.pt")
    (tmp_path / "b.pt").write_bytes(pickle.dumps(Evil()))
    for name in ("mine.npy", "a.pt", "b.pt"):
        path = tmp_path / name
        words = [path] if name == "mine.npy" else [path, path]
        assert main(["score", str(pack), *map(str, words)]) == 2
        error = capsys.readouterr().err
        assert "allow_pickle" not in error and "weights_only" not in error and "unsafe" not in error


@pytest.mark.parametrize("make", ODD[:3])
@pytest.mark.parametrize("name", ["mine.npy", "mine.npz"])
def test_margins_that_are_no_file_are_not_waited_for(name, make, pack: Path, tmp_path, ends):
    make(tmp_path / name)
    ends(2, ["score", pack, tmp_path / name], name)


def test_more_models_than_can_be_scored_are_refused(pack: Path):
    with pytest.raises(Refused, match="100000 models; .* allowed are 2000"):
        score.checked(np.zeros((100_000, 65), np.float32), packing.read(str(pack)), "mine")


# --- what belongs to somebody ----------------------------------------------------------------------------------------


def test_a_folder_with_the_name_of_a_part_is_left_alone(tmp_path: Path):
    (tmp_path / "thesis.part").mkdir()
    (tmp_path / "thesis.part/c.tex").write_text("t")
    with files.new_folder(tmp_path / "thesis") as part:
        (part / "a").write_text("a")
        assert part.name == "thesis.part-2"
    assert (tmp_path / "thesis.part/c.tex").read_text() == "t"
    assert [p.name for p in (tmp_path / "thesis").iterdir()] == ["a"]


def test_a_folder_that_failed_is_kept_and_named(tmp_path: Path):
    with pytest.raises(Failed) as caught, files.new_folder(tmp_path / "out") as part:
        (part / "a").write_text("a")
        raise Failed("chapter x, cell 3: ZeroDivisionError")
    assert lines(caught.value).splitlines()[-1] == f"what was written is in {tmp_path}/out.part"
    assert (tmp_path / "out.part/a").exists() and not (tmp_path / "out").exists()
    with pytest.raises(Failed), files.new_folder(tmp_path / "other"):
        raise Failed("nothing was written")
    assert [p.name for p in tmp_path.iterdir()] == ["out.part"]


@pytest.mark.parametrize(
    "make", [lambda out: out.write_text("x"), lambda out: (out / "a").mkdir(parents=True)]
)
@pytest.mark.parametrize("late", [False, True])
def test_a_folder_that_somebody_has_is_never_replaced(make: Callable, late: bool, tmp_path: Path):
    out = tmp_path / "out"
    if not late:
        make(out)
    with pytest.raises(Failed if late else Refused, match="out"), files.new_folder(out) as part:
        (part / "mine").write_text("x")
        make(out)
    assert out.is_file() or (out / "a").is_dir()
    assert late == (tmp_path / "out.part/mine").exists()


def test_two_at_once_get_two_folders(tmp_path: Path):
    found, ready = [], threading.Barrier(8)

    def take() -> None:
        ready.wait()
        for _ in range(20):
            found.append(files.numbered(tmp_path, "question"))

    threads = [threading.Thread(target=take) for _ in range(8)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert len(set(found)) == 160 and {p.name for p in found} == {
        f"question-{i}" for i in range(1, 161)
    }


def test_a_notebook_that_somebody_changed_is_kept_and_named(
    small: Path, tmp_path, capsys, monkeypatch
):
    folder = tmp_path / "notebooks"
    chapter(small / "book", name="other")
    (small / "_toc.yml").write_text("root: book/toy\nparts: [{chapters: [{file: book/other}]}]")
    assert notebooks.write(folder, small) == [folder / "toy.ipynb", folder / "other.ipynb"]
    toy = nbformat.read(folder / "toy.ipynb", 4)
    toy.cells.append(nbformat.v4.new_markdown_cell("MY ANSWER"))
    nbformat.write(toy, folder / "toy.ipynb")
    untouched = nbformat.read(folder / "other.ipynb", 4)
    untouched.metadata["language_info"] = {"name": "python"}  # Jupyter opened and saved it
    nbformat.write(untouched, folder / "other.ipynb")
    chapter(small / "book", code="print('new')", name="other")
    assert notebooks.write(folder, small) == [folder / "other.ipynb"]
    assert "MY ANSWER" in (folder / "toy.ipynb").read_text()
    assert "new" in (folder / "other.ipynb").read_text()
    (folder / "other.ipynb").write_text("not JSON")
    assert notebooks.write(folder, small) == []
    monkeypatch.setattr(notebooks, "write", lambda f: [folder / "home.ipynb"])
    assert main(["notebooks", str(folder)]) == 0
    assert "kept, because they were changed or run" in capsys.readouterr().err


def test_an_executed_notebook_is_somebodys_work(small: Path, tmp_path: Path):
    (path,) = notebooks.write(tmp_path / "n", small)
    notebook = nbformat.read(path, 4)
    code = next(cell for cell in notebook.cells if cell.cell_type == "code")
    code.outputs = [nbformat.v4.new_output("stream", text="a night's work")]
    nbformat.write(notebook, path)
    assert notebooks.write(tmp_path / "n", small) == [] and "a night's work" in path.read_text()


def test_make_clean_spares_what_people_wrote(small: Path):
    for name in ("notebooks", "runs", "_build", ".venv"):
        (small / name).mkdir()
        (small / name / "x").write_text("x")
    subprocess.run(["make", "-s", "clean"], cwd=small, check=True)
    left = {name for name in ("notebooks", "runs", "_build", ".venv") if (small / name).exists()}
    assert left == {"notebooks", "runs", ".venv"}


def injected(**values: object) -> str:
    return "# Parameters\n" + "".join(f"{name} = {value!r}\n" for name, value in values.items())


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ([CELL, injected(lam=-5)], "lam = -5 is not allowed: float, 1e-06 to 10"),
        ([CELL, injected(alphas=[0.5, 2])], "alphas = 2 is not allowed"),
        ([CELL, injected(side="up")], "one of left, right, on, no"),
        ([CELL, injected(steps="many")], "steps = 'many' is not allowed: int, a whole number"),
        ([CELL, injected(step=3)], "no parameter 'step' (did you mean 'steps'?)"),
        ([CELL.replace("= 20", "= 0")], "steps = 0 is not allowed: int, 1 to 1000"),  # in Jupyter
        ([CELL, "lam = float('nan')"], "lam = nan is not allowed"),
        ([], "run the parameters cell first"),
        (["#", "print(1)", "lam: float = 1"], "run the parameters cell first"),
    ],
)
def test_a_notebook_refuses_what_the_command_refuses(cells: list[str], told: str):
    values: dict = {}
    for code in cells:
        exec(code, values)
    with pytest.raises(Refused) as refused:
        chapters.in_range(["", *cells, "in_range(In, globals())"], values)
    assert told in str(refused.value) and one_clear_line(f"unlearning: {refused.value}\n")


@pytest.mark.parametrize("code", ["x = (", "'''", "\0", "x: int = 1  # a (", "", "\\"])
def test_odd_cells_in_a_notebooks_history_are_no_parameters(code: str):
    values: dict = {}
    exec(CELL, values)
    assert chapters.in_range(["", CELL, code, "in_range"], values)["lam"] == 0.01


def test_a_notebooks_values_are_of_the_annotated_types():
    values: dict = {}
    for code in (CELL, given := injected(steps="1e2", alphas="[0, 1]", lam="2", fast="yes")):
        exec(code, values)
    history = ["", CELL, "%matplotlib inline", given, "# Parameters of mine"]
    found = chapters.in_range(history, values)
    assert {k: found[k] for k in ("steps", "alphas", "lam", "side", "fast")} == {
        "steps": 100, "alphas": [0, 1], "lam": 2, "side": "left", "fast": True,
    }  # fmt: skip


@pytest.mark.slow
def test_plain_papermill_refuses_what_the_command_refuses(small: Path, tmp_path: Path):
    chapter(small / "book", code="print('ran with', lam, alphas)")
    notebooks.write(tmp_path, small)

    def papermill(*words: str) -> tuple[subprocess.CompletedProcess, nbformat.NotebookNode]:
        line = [sys.executable, "-m", "papermill", "toy.ipynb", "out.ipynb", "--no-progress-bar"]
        ran = subprocess.run([*line, *words], cwd=tmp_path, capture_output=True, text=True)
        return ran, nbformat.read(tmp_path / "out.ipynb", 4)

    ran, notebook = papermill("-p", "lam", "-5")
    said = [line for line in ran.stderr.splitlines() if line.strip()]
    assert ran.returncode == 1 and said[-1].startswith("Refused: lam = -5 is not allowed: float,")
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    assert [o.output_type for o in outputs] == ["error"] and len(outputs[0].traceback) == 1
    ran, notebook = papermill("-p", "lam", "1e-3", "-p", "alphas", "[0.25, 1]")
    assert ran.returncode == 0 and "ran with 0.001 [0.25, 1.0]" in str(notebook.cells[-1].outputs)


# --- how commands end ------------------------------------------------------------------------------------------------


def test_messages_are_cut_and_cannot_control_a_terminal():
    told = short("a\nb\x1b[31m\x07 " + "x" * 100_000)
    assert len(told) < 600 and told.isprintable() and told.startswith("a b")
    many = lines(Failed("\n".join(f"line {i}" for i in range(1000))))
    assert many.count("\n") == 40 and many.endswith("and 960 more lines")
    error = shutil.Error([("a" * 100, "b" * 100, "[Errno 28] No space left on device")] * 500)
    assert one_line(error) == "[Errno 28] No space left on device (and 499 more files)"


ENV = os.environ | {"OMP_NUM_THREADS": "1"}


def command(*words: object, root: Path = ROOT, **more: object) -> subprocess.Popen:
    paths = os.pathsep.join([str(root / "lib"), str(root / "book")])
    return subprocess.Popen(
        [sys.executable, "-m", "unlearning", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **{"env": ENV | {"PYTHONPATH": paths}, **more},
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["experiment", "--preset", "smoke", "--models", "2", "--dry-run"],
            "scikit-learn, which is not installed",
        ),
        (
            ["experiment", "--preset", "laptop", "--data", "none", "--forget-set", "pc2-top-50"],
            "none/cifar-10",
        ),
    ],
)
def test_refusals_of_a_machine_with_torch_numpy_and_scipy_alone(words, told: str, tmp_path: Path):
    done = bare(*words, cwd=tmp_path)
    assert done.returncode == 2 and told in done.stderr and one_clear_line(done.stderr), done.stderr


def test_a_terminal_without_greek_letters():
    paths = os.pathsep.join([str(ROOT / "lib"), str(ROOT / "book")])
    ran = command(
        "params", "one_dimension", env=ENV | {"PYTHONPATH": paths, "PYTHONIOENCODING": "ascii"}
    )
    out, error = ran.communicate(timeout=60)
    assert ran.returncode == 0 and error == "" and "lam: float" in out and "?" in out


def test_a_reader_that_stops_reading():
    code = f"{sys.executable} -m unlearning params one_dimension | true; echo ${{PIPESTATUS[0]}}"
    ran = subprocess.run(
        ["bash", "-c", code],
        capture_output=True,
        text=True,
        env=ENV | {"PYTHONPATH": os.pathsep.join([str(ROOT / "lib"), str(ROOT / "book")])},
    )
    assert ran.stderr == "" and ran.stdout.strip() in ("0", "141")


def test_memory_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch, ends: Callable):
    def hungry(*_: object) -> None:
        raise MemoryError("Unable to allocate 9 EiB")

    monkeypatch.setattr(packing, "read", hungry)
    ends(1, ["score", "laptop/random-10"], "out of memory: Unable to allocate 9 EiB")


def test_a_full_disk_leaves_no_half_file(tmp_path: Path):
    code = (
        "import resource, sys; from pathlib import Path; import numpy as np; from unlearning import files\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))\n"
        "try: files.save(Path(sys.argv[1]), a=np.zeros(10_000))\n"
        "except OSError as error: print(type(error).__name__)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.npz")],
        capture_output=True,
        text=True,
        env=ENV | {"PYTHONPATH": str(ROOT / "lib")},
    )
    assert ran.stdout == "OSError\n" and not list(tmp_path.iterdir()), ran.stderr
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 500


# --- everything stops when told, and nothing stays -------------------------------------------------------------------

needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into /proc")
LOOP = "import time\nwhile True:\n    time.sleep(0.1)"


def alive(mark: str) -> list[str]:
    """Command lines of the processes that have a mark in their environment, this one left out."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text().replace("\0", " "))
    return found


class Watched:
    """A command, and every process that it started, found by a mark in their environment."""

    def __init__(self, root: Path, *words: object):
        paths = os.pathsep.join([str(root / "lib"), str(root / "book")])
        self.mark = f"HOSTILE_{os.getpid()}_{time.monotonic_ns()}"
        more = {"PYTHONPATH": paths, self.mark: "1", "PYTHONUNBUFFERED": "1"}
        self.process = command(*words, env=ENV | more, cwd=root, start_new_session=True)

    def until(self, told: str) -> None:
        """Reads what it prints, up to a line with `told`."""
        for line in self.process.stdout:
            if told in line:
                return
        raise AssertionError(self.process.stderr.read())

    def ended(self, seconds: float = 60) -> tuple[int, str]:
        """(exit status, what it said on stderr)."""
        _, error = self.process.communicate(timeout=seconds)
        return self.process.returncode, error

    def left(self, seconds: float = 15) -> list[str]:
        """What still runs after at most so many seconds."""
        until = time.monotonic() + seconds
        while (found := alive(self.mark)) and time.monotonic() < until:
            time.sleep(0.1)
        return found

    def running(self, told: str) -> None:
        """Waits until one of its processes has `told` in its command line."""
        until = time.monotonic() + 60
        while not any(told in line for line in alive(self.mark)):
            assert time.monotonic() < until and self.process.poll() is None
            time.sleep(0.05)


@needs_proc
@pytest.mark.slow
def test_ctrl_c_ends_a_build_of_several_chapters(small: Path):
    for name in ("toy", "second", "third", "fourth"):
        chapter(small / "book", "n: int = 2  # how many [1, 9]", LOOP, name)
    rest = ", ".join(f"{{file: book/{name}}}" for name in ("second", "third", "fourth"))
    (small / "_toc.yml").write_text(
        f"format: jb-book\nroot: book/toy\nparts: [{{chapters: [{rest}]}}]"
    )
    build = Watched(small, "build")
    build.until("cell 2 of 2")
    build.process.send_signal(signal.SIGINT)
    status, error = build.ended()
    assert status == 130 and error.startswith("unlearning: interrupted") and error.count("\n") == 1
    assert build.left(5) == [] and not list((small / "_build").glob("render-*"))


@needs_proc
@pytest.mark.slow
def test_a_killed_build_takes_its_kernel_with_it_and_the_next_one_goes_on(small: Path):
    chapter(small / "book", "n: int = 2  # how many [1, 9]", LOOP)
    build = Watched(small, "build")
    build.until("cell 2 of 2")
    build.process.kill()
    build.ended()
    assert build.left() == []
    again = Watched(small, "build", "--timeout", "4")  # the lock ended with its holder
    status, error = again.ended()
    assert status == 1 and again.left(5) == []
    assert "chapter toy, cell 3 (import time): not finished after 4 s; --timeout" in error
    assert one_clear_line(error.splitlines()[0])


@needs_proc
@pytest.mark.slow
def test_a_killed_rendering_leaves_no_renderer_and_is_cleaned_up(small: Path):
    """The chapter leaves a process of its own behind, too."""
    code = "import subprocess\nleft = subprocess.Popen(['sleep', '600'])"
    chapter(small / "book", "n: int = 2  # how many [1, 9]", code)
    build = Watched(small, "build")
    build.until("rendering")
    build.running("jupyter_book")
    assert not any("sleep 600" in line for line in alive(build.mark))
    build.process.kill()
    build.ended()
    assert build.left() == [] and list((small / "_build").glob("render-*"))

    page = book.build(small)  # what is damaged of an earlier build heals
    assert not list((small / "_build").glob("render-*"))
    genuine = page.read_text()
    page.write_text("")
    (small / "_build/executed/toy.ipynb").write_bytes(b"{}")
    assert book.build(small).read_text() == genuine
    made = page.stat().st_ino
    assert book.build(small).stat().st_ino == made


ENDS = [
    ("import ctypes\nctypes.string_at(0)", "the kernel died"),
    (
        "while True:\n    print('x' * 10_000)",
        "shows more than 10000000 characters; print or draw less",
    ),
    ("while True:\n    pass", "not finished after 2 s; --timeout gives it more"),
    ("raise ValueError('a\\n' + 'b' * 100_000)", "ValueError: a bbb"),
    ("print('\\x1b[31m'); raise KeyError('\\x1b[31m')", "KeyError"),
    pytest.param("import input_that_is_not_there", "ModuleNotFoundError", marks=pytest.mark.long),
    ("input()", "StdinNotImplementedError"),
    pytest.param("import sys\nsys.exit(3)", "SystemExit: 3", marks=pytest.mark.long),
    ("import sys\nsys.exit(0)", "SystemExit: 0"),
]


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize(("code", "told"), ENDS)
def test_a_chapter_that_cannot_go_on_is_named_with_its_cell(
    code, told, small, tmp_path, monkeypatch
):
    mark = f"HOSTILE_{os.getpid()}_{time.monotonic_ns()}"
    monkeypatch.setenv(mark, "1")
    chapter(small / "book", "n: int = 2  # how many [1, 9]", code)
    limit = 2 if "2 s" in told else 100
    with pytest.raises(Failed) as caught:
        single.run("toy", {}, tmp_path / "out", root=small, timeout=limit)
    first, second = lines(caught.value).splitlines()
    assert first.startswith("chapter toy, cell 3 (") and told in first and one_clear_line(first)
    assert second == f"what was written is in {tmp_path.resolve()}/out.part"
    assert (tmp_path / "out.part/toy.ipynb").exists() and not (tmp_path / "out").exists()
    assert alive(mark) == []


def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on, tmp_path is no temporary folder: only its folder `temporary` is."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))


WRITES = """
import os, pathlib, shutil, tempfile
root = pathlib.Path({root!r})
pathlib.Path("mine.txt").write_text("allowed")
tempfile.NamedTemporaryFile().close()
changes = [
    lambda: (root / "results/zz.jsonl").write_text("{{}}"),
    lambda: (root / "_toc.yml").open("a"),
    lambda: os.remove(root / "requirements.txt"),
    lambda: os.rename("mine.txt", root / "mine.txt"),
    lambda: shutil.rmtree(root / "results"),
    lambda: (root / "results/new").mkdir(),
]
refused = []
for change in changes:
    try:
        change()
    except PermissionError as error:
        refused.append(error)
print(len(refused), "of", len(changes), "refused")
raise refused[0]
"""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["run", "build"])
def test_a_chapter_writes_in_its_own_folders_only(way, small, tmp_path, monkeypatch):
    before = {path: path.read_bytes() for path in small.rglob("*") if path.is_file()}
    outside(tmp_path, monkeypatch)
    code = WRITES.format(root=str(small))
    chapter(small / "book", "n: int = 2  # how many [1, 9]", code)
    before[small / "book/toy.py"] = (small / "book/toy.py").read_bytes()
    with pytest.raises(Failed, match="PermissionError: .*a chapter writes in the folder it runs"):
        single.run("toy", {}, tmp_path / "out", root=small) if way == "run" else book.build(small)
    failed = tmp_path / "out.part/toy.ipynb" if way == "run" else small / "_build/failed/toy.ipynb"
    assert "6 of 6 refused" in failed.read_text()
    assert {
        path: path.read_bytes()
        for path in small.rglob("*")
        if path.is_file() and "_build" not in path.parts and "__pycache__" not in path.parts
    } == before


@pytest.mark.slow
def test_a_warning_fails_the_book_and_is_named_by_a_run(small: Path, tmp_path: Path):
    code = "import gc\n\n\ndef leak():\n    open('x', 'w')\n\n\nleak()\ngc.collect()\nprint(n)"
    chapter(small / "book", "n: int = 2  # how many [1, 9]", code)
    with pytest.raises(Failed, match="toy, cell 3 .* wrote to stderr: .*ResourceWarning"):
        book.build(small)
    record = single.run("toy", {}, tmp_path / "out", root=small)
    assert (
        len(record["warnings"]) == 1 and "ResourceWarning: unclosed file" in record["warnings"][0]
    )
    assert (tmp_path / "out/html/book/toy.html").exists()


@pytest.mark.slow
def test_what_a_chapter_shouts_is_cut(small: Path, tmp_path: Path):
    code = "import sys\nprint('x' * 100_000, file=sys.stderr)"
    chapter(small / "book", "n: int = 2  # how many [1, 9]", code)
    with pytest.raises(Failed) as caught:
        book.build(small)
    first = lines(caught.value).splitlines()[0]
    assert "cell 3 (import sys) wrote to stderr: xxx" in first and one_clear_line(first)
    record = single.run("toy", {}, tmp_path / "out", root=small)
    assert one_clear_line(record["warnings"][0])


@needs_proc
@pytest.mark.slow
def test_a_dead_kernel_is_one_line_of_the_command(small: Path):
    chapter(small / "book", "n: int = 2  # how many [1, 9]", "import os\nos._exit(3)")
    run = Watched(small, "run", "toy", "--out", "out")
    status, error = run.ended()
    first, second = error.splitlines()
    assert status == 1 and second.startswith("what was written is in ") and run.left(5) == []
    assert first.startswith("unlearning: chapter toy, cell 3 (import os): the kernel died")


@pytest.mark.slow
def test_a_run_on_a_full_disk_is_one_line_that_says_what_is_left(small: Path):
    """No file may grow beyond 4 kB: the chapter runs, its page cannot be made."""
    paths = os.pathsep.join([str(small / "lib"), str(small / "book")])
    run = command(
        "run", "toy", "--out", "out",
        cwd=small,
        env=ENV | {"PYTHONPATH": paths},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )  # fmt: skip
    _, error = run.communicate(timeout=120)
    assert run.returncode == 1 and one_clear_line(error), error
    assert (
        "File too large" in error and f"what was written is in {small.resolve()}/out.part" in error
    )
    assert json.loads((small / "out.part/results.json").read_text())["parameters"] == {"n": 2}


@needs_proc
@pytest.mark.slow
def test_two_runs_at_once_and_ctrl_c(small: Path):
    chapter(small / "book", "n: int = 2  # how many [1, 9]", LOOP)
    runs = [Watched(small, "run", "toy") for _ in range(2)]
    [run.until("cell 2 of 2") for run in runs]
    assert {p.name for p in (small / "runs").iterdir()} == {
        "toy-1", "toy-2", "toy-1.part", "toy-2.part",
    }  # fmt: skip
    for run in runs:
        run.process.send_signal(signal.SIGINT)
    for run in runs:
        status, error = run.ended()
        assert status == 130 and error.count("\n") == 1 and run.left(5) == []
    assert not list((small / "runs").iterdir()), (
        "nothing was written, so the numbers are free again"
    )


@needs_proc
@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(browser.find() is None, reason="needs a Chromium")
def test_ctrl_c_ends_the_printing_of_the_book_and_its_browser(small: Path):
    html = small / "_build" / "html"
    (html / "book").mkdir(parents=True)
    endless = "<script>window.MathJax = {}; while (true);</script>"
    page = f'<html><head>{endless}</head><article class="bd-article"><h1>T</h1></article></html>'
    (html / "book" / "toy.html").write_text(page)
    files.save_json(html / book.STAMP, {"key": "0", "files": {}})
    run = Watched(small, "pdf")
    run.running("--headless")
    time.sleep(1)
    os.killpg(run.process.pid, signal.SIGINT)
    status, error = run.ended()
    assert status == 130 and error.count("\n") == 1 and error.startswith("unlearning: interrupted")
    assert run.left(5) == [] and not list((small / "_build").glob("print-*"))
    assert (html / "book" / "toy.html").read_text() == page and not (html / "book.pdf").exists()


LONG = ("experiment", "--preset", "smoke", "--models", 400, "--method", "nothing", "--out")


@needs_proc
@pytest.mark.slow
def test_ctrl_c_ends_an_experiment_and_its_workers(tmp_path: Path):
    run = Watched(ROOT, *LONG, tmp_path / "out", "--workers", 2)
    run.until("[1/")
    time.sleep(0.5)
    os.killpg(run.process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    status, error = run.ended()
    assert status == 130 and error.startswith("unlearning: interrupted") and error.count("\n") == 1
    assert run.left(5) == []


@needs_proc
@pytest.mark.slow
def test_a_worker_that_is_killed_is_one_line(tmp_path: Path):
    run = Watched(ROOT, *LONG, tmp_path / "out", "--workers", 2)
    run.until("[1/")
    children = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children").read_text().split()
    commands = {c: Path(f"/proc/{c}/cmdline").read_text() for c in children}
    os.kill(int(next(c for c, told in commands.items() if "spawn_main" in told)), signal.SIGKILL)
    status, error = run.ended()
    assert status == 1 and "a worker process ended abruptly (out of memory?)" in error
    assert error.count("\n") == 1 and run.left(5) == []
