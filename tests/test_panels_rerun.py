"""The tables of the page on rerunning."""

import pandas as pd
import pytest

from panels import rerun as panels
from unlearning.experiment import presets
from unlearning.page import evidence, ladder


def test_sizes_state_the_cost():
    p = presets.preset("smoke")
    cost = ladder.cost(p)
    [row] = panels.sizes({"smoke": p}, {"smoke": cost}).to_dict("records")
    assert float(row["all"]) == pytest.approx(cost.whole, rel=0.06) and row["images"] == "96"
    assert (row["sets"], row["N"], row["pixels"]) == (2, 4, 12)


def test_records_of_doing_nothing():
    frame = evidence.table(evidence.recorded(preset="laptop", method="nothing"))
    table = panels.recorded(frame).set_index("forget set")
    assert table["scored F / R / val"]["random-10"] == "10 / 300 / 300"
    assert float(table["s / oracle"]["random-10"]) > 0 and len(table) == 4
    assert isinstance(table, pd.DataFrame) and table["pretrained, val"].str.endswith("%").all()


@pytest.mark.parametrize(("seconds", "told"), [(60, "1 min"), (7199, "120 min"), (7200, "2.0 h")])
def test_durations(seconds: float, told: str):
    assert panels.duration(seconds) == told


def test_steps_and_stages():
    [row] = panels.steps({"a": (1200, 3.6e15)}, {"slow": 1e12}).to_dict("records")
    assert list(row.values()) == ["a", "1,200", "4", "60 min"]
    p = presets.preset("smoke")
    [row] = panels.stages({"P": p}, {"P": (40, 1000, 3.6e14)}, 100.0).to_dict("records")
    assert row["core-hours"] == "1.0" and row["trajectories"] == "1,000" and row["N"] == 4
