"""The metric chapter's panels: what they draw is what they were given."""

import numpy as np
import pandas as pd
import pytest

import independent
from panels import klom as panels


def lines(figure) -> dict:
    return {line.get_label(): line for ax in figure.axes for line in ax.lines}


def test_the_terms_add_up_to_the_score():
    rng = np.random.default_rng(0)
    oracle, unlearned = rng.normal(size=60), rng.normal(0.5, size=60)
    terms = panels.contributions(oracle, unlearned, 20)
    expected = independent.klom(unlearned[:, None], oracle[:, None])[0]
    assert terms["term"].sum() == pytest.approx(expected, abs=1e-12)
    assert terms["P"].sum() == pytest.approx(1) and terms["Q"].sum() == pytest.approx(1)
    assert (terms["empty"] == ((terms["P"] > 0) & (terms["Q"] == 0))).all() and terms["empty"].any()
    assert (terms["term"][terms["empty"]] > 0.05).all()


def test_bins_and_bars():
    pair = np.random.default_rng(1).normal(size=(2, 50))
    figure = panels.histograms(pair, 20, "a digit")
    assert figure.axes[0].get_title() == "a digit"
    left, right = panels.bin_by_bin(panels.contributions(*pair, 20))
    assert len(left.axes[0].patches) == 40 and len(right.axes[0].patches) == 20


def test_directions_as_text():
    table = panels.directions({"same": [0.123, 4.567]})
    assert table.to_dict("records") == [
        {"unlearned models": "same", "P95 of KL(oracle ‖ unlearned)": "0.12", "P95 of KL(unlearned ‖ oracle)": "4.57"}
    ]  # fmt: skip


def test_floor_curves_hold_both_ensembles():
    floors = pd.DataFrame(
        {"P95": [5.0, 0.7], "mean": [3.0, 0.3], "empty": [0.9, 0.6]}, index=[20, 100]
    )
    left, right = panels.floor_curves(floors, pd.Series({20: 4.9}), 20)
    drawn = lines(left)
    assert list(drawn["P95, Gaussian"].get_ydata()) == [5.0, 0.7]
    assert list(drawn["$(K-1)/N$"].get_ydata()) == [19 / 20, 19 / 100]
    assert list(drawn["P95, digit networks"].get_xdata()) == [20]
    assert list(right.axes[0].lines[0].get_ydata()) == [90.0, 60.0]


def test_the_climb_names_the_ceilings_ensemble():
    curves = {20: [5.0, 9.0], 50: [1.7, 8.0], 100: [0.7, 7.0]}
    figure = panels.climb([0, 3], curves, {n: c[0] for n, c in curves.items()}, [9.1, 9.5])
    drawn = lines(figure)
    assert list(drawn["$N = 50$"].get_ydata()) == [1.7, 8.0]
    assert list(drawn["ceiling, $N = 100$"].get_ydata()) == [9.1, 9.5]
