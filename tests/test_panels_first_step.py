"""The panels of `first_step` and `predicting_damage`: what is drawn is what was given."""

import numpy as np
import pandas as pd
import pytest

from panels import first_step as panels
from panels import predicting_damage
from unlearning.page import figures


@pytest.fixture(autouse=True)
def style():
    with figures.style():
        yield


@pytest.mark.parametrize(
    "ratio, angle, title", [(0.5, 90, "right"), (0.45, 25, "wrong"), (1.15, 25, "right")]
)
def test_the_title_is_computed(ratio, angle, title):
    retain = -np.array([0.85, 0.0])
    turn = np.deg2rad(angle)
    forget = ratio * retain[0] * np.array([np.cos(turn), np.sin(turn)])
    assert panels.arrows(forget, retain, 0.1, 1.0).axes[0].get_title() == title


def test_threshold_and_signs():
    left, right = panels.threshold((0.01, 0.2), 1.0)
    assert len(left.axes[0].lines) == 2
    drawn = np.concatenate(
        [line.get_ydata() for line in right.axes[0].lines if len(line.get_ydata())]
    )
    assert np.nanmin(drawn) > 0 and np.nanmax(drawn) <= 1 + 1e-9
    measured = np.array([-1.0, 0.5, -0.2])
    shown = [
        line for line in panels.signs(measured, measured).axes[0].lines if line.get_marker() == "o"
    ]
    assert [len(line.get_xdata()) for line in shown] == [1, 2]  # leaving, approaching


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    columns = {
        c: rng.normal(size=8)
        for c in (
            "rate",
            "measured",
            "norm",
            "i_fr",
            "i_ff",
            "end",
            "best",
            "cosine",
            "ratio",
            "start",
        )
    }
    return pd.DataFrame({"model": ["m"] * 4 + ["n"] * 4, "kind": ["a", "b"] * 4} | columns)


def test_damage_panels_and_tables():
    results = frame()
    assert len(predicting_damage.rates(results)) == 2
    assert len(predicting_damage.damage(results, {"norm": "n", "i_ff": "f"}, "m")) == 2
    table = predicting_damage.kinds(results)
    assert len(table) == 4
    first = results[(results.model == "m") & (results.kind == "a")]
    assert table["away"][0] == f"{int((first.measured > 0).sum())} of 2"
    found = {("m", "end"): {"norm": (0.5, 0.1, 0.9)}}
    assert predicting_damage.correlations(found)["norm"][0] == "+0.50 [+0.10, +0.90]"
