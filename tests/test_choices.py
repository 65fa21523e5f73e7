"""Other criteria on one table: what each choice asks, and which answers it turns round."""

import numpy as np
import pandas as pd
import pytest

from panels import choices as panels
from unlearning.page import choices, criteria, evidence

RUNS = evidence.distinct(evidence.load("laptop"))
FEW = "random-10"


@pytest.fixture(scope="module")
def table():
    return choices.answers(RUNS, FEW, [0.25, 2.0])


def test_our_own_choice_gives_the_chapters_answers(table):
    """The first row is what the chapters on C1 to C3 decide from the same records."""
    ours = table.loc[choices.OURS]
    assert [ours["C1"]] == list(criteria.c1(RUNS[RUNS.kind == "pc1"]).values())
    assert [ours["C2a"], ours["C2b"]] == list(criteria.c2(RUNS[RUNS.forget_set == FEW]).values())
    assert [ours[f"C3{k}"] for k in "abc"] == list(criteria.c3(RUNS).values())
    assert all(v is None or isinstance(v, (bool, np.bool_)) for v in table.to_numpy().ravel())


def test_each_choice_changes_what_it_says():
    judge = choices.variants([0.25, 2.0])
    ours = judge[choices.OURS](RUNS)
    strict, lax = judge["damage from 0.25 sd"](RUNS), judge["damage from 2 sd"](RUNS)
    whole = [f.intact.fillna(False).sum() for f in (strict, ours, lax)]
    assert whole[0] <= whole[1] <= whole[2] and whole[0] < whole[2]
    partly = [
        judge[f"a gap of {p} may be left"](RUNS).partial.fillna(False).sum() for p in ("25%", "75%")
    ]
    assert partly[0] < ours.partial.fillna(False).sum() < partly[1]
    unasked = judge["accuracy is not asked"](RUNS)
    assert unasked.intact.fillna(False).sum() > whole[1]
    assert judge["no intervals"](RUNS)[["intact", "partial"]].notna().all(axis=None), (
        "nothing is open"
    )
    other = judge["the other direction"](RUNS)
    start = RUNS[RUNS.method == "nothing"].set_index("forget_set").iloc[0]
    row = RUNS[(RUNS.method == "ga") & (RUNS.forget_set == start.name)].iloc[-1]
    q = (row.forget_reverse - row.forget_floor) / (start.forget_reverse - start.forget_floor)
    assert other[(other.method == "ga") & (other.forget_set == start.name)].iloc[
        -1
    ].q == pytest.approx(q)


def test_flips_by_hand():
    table = pd.DataFrame(
        {"a": [True, False, None, True], "b": [None, None, True, False]},
        index=[choices.OURS, "x", "y", "z"], dtype=object,
    )  # fmt: skip
    assert choices.flips(table).to_numpy().tolist() == [[0, 0], [2, 0], [1, 1], [0, 1]]
    words = panels.words(table).set_index("choice")
    assert words.loc["x"].tolist() == ["a", "none"] and words.loc["y"].tolist() == ["none", "a, b"]


def test_the_picture_has_a_mark_for_every_answer(table):
    (ax,) = panels.index(table).axes
    marks = [t.get_text() for t in ax.texts if t.get_text() in "✓✗○"]
    assert len(marks) == table.size == len(ax.patches)
    wanted = {True: "✓", False: "✗", None: "○"}
    assert marks == [wanted[v] for v in table.to_numpy().ravel()]
    framed = sum(p.get_edgecolor()[3] > 0 for p in ax.patches)
    assert framed == (choices.flips(table) > 0).to_numpy().sum()


def test_without_records_everything_is_open():
    empty = evidence.distinct(evidence.load("paper"))
    found = choices.answers(empty, "", [0.5])
    assert all(v is None for v in found.to_numpy().ravel()) and len(found) > 5
