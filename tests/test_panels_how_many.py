"""Panels of the chapter on the number of models, on numbers made by hand."""

import numpy as np
import pandas as pd
import pytest

from panels import how_many as panels
from unlearning.klom import DIRECTIONS

GRID = [10, 20, 100]
POWER = pd.DataFrame(
    {("klom", "p95"): [1.5, 0.8, 0.33], ("oq5", "mean"): [0.5, 0.35, 0.15]}, index=GRID
)


def lines(panel) -> dict[str, tuple[list, list]]:
    return {x.get_label(): tuple(map(list, x.get_data())) for x in panel.axes[0].get_lines()}


def test_fifths_are_equal_for_the_oracles():
    oracle = np.arange(20.0)
    left, right = panels.fifths(oracle, np.full(20, 100.0))
    heights = [bar.get_height() for bar in right.axes[0].patches]
    assert heights[:5] == pytest.approx([4.5 / 22.5] * 5)
    assert heights[5:] == pytest.approx([0.5 / 22.5] * 4 + [20.5 / 22.5])
    assert len(left.axes[0].get_lines()) == 2 + 4


def test_floors_and_power_draw_their_tables():
    p95 = pd.DataFrame({"klom": [8.0, 5.0, 0.7], "oq5": [0.5, 0.4, 0.1]}, index=GRID)
    drawn = lines(panels.floors(p95))
    assert drawn["KLoM"] == (GRID, [8.0, 5.0, 0.7]) and drawn["oq5"][1] == [0.5, 0.4, 0.1]
    drawn = lines(panels.power(POWER))
    assert drawn["P95 of KLoM"][1] == [1.5, 0.8, 0.33] and drawn["mean of oq5"][0] == GRID
    assert any(y == [0.33, 0.33] for _, y in drawn.values())  # what KLoM sees with all models


def test_both_histograms_hold_every_experiment():
    told = {"P95 of KLoM": (np.array([4.0, 4.5, 5.0]), np.array([4.2, 4.8, 6.0]))}
    [panel] = panels.blind(told, 0.5)
    ax = panel.axes[0]
    assert sum(bar.get_height() for bar in ax.patches[:14]) == 3
    assert ax.get_xlabel() == "P95 of KLoM (nats)"


def rows(blocks: int = 2) -> pd.DataFrame:
    return pd.DataFrame(
        [(f"c{i}", g, d, b, i + b, 2.0 * i) for b in range(blocks) for g in ("retain", "val")
         for d in DIRECTIONS for i in range(3)],
        columns=["cell", "group", "direction", "block", "small", "large"],
    )  # fmt: skip


def test_ranking_draws_the_first_block_and_says_not_run():
    one, other = panels.ranking(
        {"klom": rows(), "oq5": rows()[:0]}, {"klom": (1.0, 2.0), "oq5": (1.0, 2.0)}, "hand"
    )
    assert lines(one)["retain"] == ([0, 1, 2], [0.0, 2.0, 4.0]) and "validation" in lines(one)
    assert [text.get_text() for text in other.axes[0].texts] == ["not run"]


def test_the_attack_splits_its_groups():
    index = pd.MultiIndex.from_product([["a", "b"], ["forget", "val"]])
    mean, right = (pd.Series(x, index=index) for x in ([1.0, 0.2, 1.3, 0.3], [0.9, 0.5, 1.0, 0.6]))
    groups = pd.Series(["forget", "val"] * 2, index=index)
    drawn = lines(panels.attack(mean, right, groups))
    assert drawn["forget"] == ([1.0, 1.3], [0.9, 1.0])
    assert drawn["validation"] == ([0.2, 0.3], [0.5, 0.6])


def test_tables_as_text():
    [row] = panels.symptoms({"oq5": {"nothing differs": 0.404}}).to_dict("records")
    assert row == {"P95 of": "oq5", "nothing differs": "0.40"}
    told = pd.DataFrame(
        {"retain": [0.9, 0.8, 1.0], "val": [0.5, 0.6, 0.7], "same": [0.9, 0.95, 1.0]}
    )
    first, second = panels.ranked({("oq5", 20): told, ("klom", 20): told[:0]}).to_dict("records")
    assert first["ρ, retain points"] == "0.90 [0.80, 1.00]" and first["ensembles"] == 3
    assert first["same judgement"] == "95% [90%, 100%]" and second["same judgement"] == "not run"
    words = panels.hypothesis({"a": True, "b": False, "c": None})["desk"]
    assert list(words) == ["holds", "fails", "open: not run"]


def test_costs_count_both_ensembles():
    told = pd.DataFrame({"retain": [1.0], "val": [1.0], "same": [0.9]})
    table = panels.costs(POWER, {("oq5", 20): told, ("klom", 20): told[:0]}, {"laptop": 3.0})
    assert list(table["trainings"]) == [20, 40, 200]
    assert list(table["minutes, laptop"]) == ["1.00", "2.00", "10.00"]
    assert list(table["oq5 judges alike"]) == ["", "90%", ""]
    assert list(table["KLoM judges alike"]) == ["", "", ""]
    assert list(table["seen by oq5 (sd)"]) == ["0.50", "0.35", "0.15"]
