"""The training chapter's panels."""

import numpy as np
import pandas as pd
import pytest

from panels import training as panels
from unlearning.experiment import presets


def test_layers_as_text():
    table = panels.layers(pd.DataFrame([{"layer": "first", "parameters": 12345, "flop": 2.5e6}]))
    assert table.to_dict("records") == [{"layer": "first", "parameters": "12,345", "MFLOP": "2.5"}]


def test_recipes_are_the_presets():
    chosen = [presets.preset(name) for name in ("demo", "desk", "paper")]
    rows = panels.recipes(chosen).set_index("preset").to_dict("index")
    assert rows["paper"]["last batch"] == 336 and rows["paper"]["steps"] == "2,352"
    assert rows["desk"]["last batch"] == 250 and rows["desk"]["precision"] == "bfloat16"
    assert rows["demo"]["images"] == "384" and rows["demo"]["last batch"] == 64


def test_the_triangle_is_the_formula():
    paper, demo = presets.preset("paper"), presets.preset("demo")
    ax = panels.triangle([paper, demo]).axes[0]
    epoch, rate = ax.lines[0].get_data()
    np.testing.assert_allclose(rate, 0.4 * np.interp(epoch, [0, 5, 24], [0, 1, 0]), atol=1e-12)
    assert ax.lines[1].get_xdata()[-1] == demo.recipe.epochs


def test_margins_are_cumulative():
    ax = panels.margins({"a": np.array([1.0, 2.0]), "b": np.zeros(3), "c": np.ones(4)}).axes[0]
    curves = {line.get_label(): line for line in ax.lines}
    assert {"a", "b", "c"} <= set(curves) and curves["a"].get_ydata()[-1] == pytest.approx(1)
    table = panels.one_model({"a": 0.5}, {"a": 1.234})
    assert list(table.loc[0]) == ["a", "50.0%", "1.23"]
