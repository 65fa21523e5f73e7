"""The theory chapters at the corners of their parameters: every cell runs, without a warning, and lemmas still hold."""

import contextlib
import io
import itertools
import warnings
from unittest import mock

import numpy as np
import pytest

from unlearning.build import chapters
from unlearning.page import source
from unlearning.theory import certify, weights

# Eight rows in which every pair of the first seven columns takes all four combinations of its two ends: an orthogonal
# array. An eighth column can only be the opposite of one of them.
ROWS = [
    (a, b, c, a ^ b, a ^ c, b ^ c, a ^ b ^ c, 1 - a)
    for a, b, c in itertools.product((0, 1), repeat=3)
]
CHEAP = {"problems": 2000, "resolution": 11, "trials": 10, "depth": 5, "seed": 1}
CORNERED = {
    "one_dimension": ("n_retain", "n_forget", "r", "lam"),
    "threshold": ("n_retain", "n_forget", "r", "lam"),
    "alternating": ("n_retain", "n_forget", "r", "lam", "etas", "horizon"),
    "correlated": (
        "n_train",
        "r",
        "fraction",
        "relative",
        "landscape_lam",
        "merging_lam",
        "d",
        "lam",
    ),
    "bounds": ("n_train", "r", "lam", "fractions", "d"),
    "harm_map": ("n_train", "r", "lam", "fraction", "fractions"),
    "weights_map": ("n_train", "r", "lam", "fraction", "ridges"),
}


def run(name: str, values: dict, out: io.StringIO | None = None) -> dict:
    """Execute a chapter's code cells in this process, with `values` in place of its parameters; its variables."""
    space: dict = {"__name__": "chapter"}
    out, err = out or io.StringIO(), io.StringIO()
    quiet = mock.patch.object(source, "show_source")  # printed code may say "nan"
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), quiet:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for cell in chapters.read(chapters.path_of(name)).cells:
                if cell.cell_type == "code":
                    exec(compile(cell.source, f"{name}: {cell.source[:60]!r}", "exec"), space)
                    if "parameters" in cell.metadata.get("tags", []):
                        space |= values
    assert not err.getvalue()
    assert "nan" not in out.getvalue().lower(), "no NaN without a word"
    return space


def corners(name: str) -> list[dict]:
    """The chapter's parameters at the eight corners of ROWS; a list parameter holds its one end."""
    known = {p.name: p for p in chapters.parameters(chapters.path_of(name))}
    found = []
    for row in ROWS:
        values = {k: v for k, v in CHEAP.items() if k in known}
        for which, parameter in zip(row, CORNERED[name], strict=False):
            known_one = known[parameter]
            end = (known_one.low, known_one.high)[which]
            end = int(end) if known_one.type.endswith(("int", "int]")) else end
            values[parameter] = [end] if known_one.type.startswith("list") else end
        found.append(chapters.overrides(chapters.path_of(name), values) | values)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "row"), [(name, row) for name in CORNERED for row in range(len(ROWS))]
)
def test_a_chapter_at_a_corner(name, row):
    space = run(name, corners(name)[row])
    for variable in ("wrong3", "wrong4", "wrong5", "exact", "below_floor"):
        if isinstance(space.get(variable), int):
            assert space[variable] == 0, (name, row, variable)
    if name == "harm_map":
        assert np.array_equal(space["window"], space["defined"])
        assert space["contradictions"](space["proved"]) == 0
    if name == "weights_map":
        assert not any(space["contradictions"](space["proved"]).values())
    if name == "alternating":
        assert space["farther"], "every resting point is farther than the start"


@pytest.mark.parametrize("name", CORNERED)
def test_every_parameter_is_moved_or_only_costs_time(name):
    known = {p.name for p in chapters.parameters(chapters.path_of(name))}
    assert known - set(CHEAP) == set(CORNERED[name]) and len(CORNERED[name]) <= len(ROWS[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["harm_map", "weights_map"])
def test_without_the_solvers_the_record_is_shown_and_the_page_says_so(name, monkeypatch):
    monkeypatch.setattr(certify, "available", lambda package: False)
    monkeypatch.setattr(certify, "prove_map", None)  # would fail if it were called
    monkeypatch.setattr(certify, "prove_cores", None)
    monkeypatch.setattr(weights, "prove_map", None)
    said = io.StringIO()
    values = {k: CHEAP[k] for k in ("problems", "resolution", "seed")}
    space = run(name, values, said)
    assert "here" in said.getvalue() and "no python-flint" in said.getvalue()
    if name == "harm_map":
        assert "no z3" in said.getvalue() and space["contradictions"](space["proved"]) == 0
    else:
        assert "recorded" in said.getvalue() and space["proved"].area("away") > 0.2
