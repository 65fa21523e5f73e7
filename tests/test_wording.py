"""Rows of tables in words."""

import pandas as pd
import pytest

from unlearning.page import wording

ROW = {
    "forget_set": "random-10", "models": 100, "method": "ga", "lr": 0.05, "epoch": 3.0, "batchnorm": "train",
    "momentum": 0.0, "shuffle": -1, "ascent_epochs": 0, "q": 0.07, "outcome": "breaks",
}  # fmt: skip
for g in ("forget", "retain", "val"):
    ROW |= {g: 1.0, f"{g}_low": 0.5, f"{g}_high": 1.5, f"{g}_robust": 2.0, f"{g}_collapsed": 0.0}
    ROW |= {f"{g}_reverse": 3.0, f"{g}_floor": 0.7, f"{g}_ceiling": 9.5}
    ROW |= {f"{g}_accuracy": 0.9, f"{g}_oracle_accuracy": 0.95}


def row(**changes) -> pd.Series:
    return pd.Series(ROW | changes)


@pytest.mark.parametrize(
    ("rate", "text"),
    [(0.05, "5e-2"), (1e-5, "1e-5"), (0.0, "0"), (0.1, "0.1"), (0.3, "0.3"), (0.03, "3e-2")],
)
def test_step_sizes(rate: float, text: str):
    assert wording.sci(rate) == text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "GA 5e-2, epoch 3"),
        ({"batchnorm": "frozen"}, "GA 5e-2, epoch 3, BatchNorm frozen"),
        ({"momentum": 0.9, "shuffle": 0}, "GA 5e-2, epoch 3, momentum, shuffled"),
        ({"method": "gda", "ascent_epochs": 5}, "GDA 5e-2, epoch 3, 5 ascents"),
        ({"method": "retrain", "lr": float("nan")}, "short retraining, 3 epochs"),
        ({"method": "nothing"}, "pretrained"),
    ],
)
def test_configurations(changes: dict, text: str):
    assert wording.short(row(**changes)) == text


def test_a_score_has_its_interval_and_a_collapsed_one_its_robust_form():
    assert wording.scored(row(), "forget") == "1.00 [0.50, 1.50]"
    assert wording.scored(row(val_collapsed=0.2), "val") == "1.00 [0.50, 1.50] (robust 2.00)"


def test_the_listing_has_a_line_for_each_row():
    text = wording.listing(pd.DataFrame([ROW, ROW | {"method": "nothing"}]))
    assert text.configuration.tolist() == ["GA 5e-2, epoch 3", "pretrained"]
    assert "90% (95%), 90% (95%), 90% (95%)" in text.iloc[0].to_list()
    assert wording.listing(pd.DataFrame([])).iloc[0, 0] == "not run"
