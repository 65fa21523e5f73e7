"""Stopping rules on trajectories made by hand."""

import pandas as pd
import pytest

from unlearning.page import rules

START = pd.Series({"forget_accuracy": 1.0, "val_accuracy": 0.8})


def path(forget: list[float], val: list[float], lr: float = 0.01) -> pd.DataFrame:
    epochs = range(1, len(forget) + 1)
    return pd.DataFrame({"lr": lr, "epoch": epochs, "forget_accuracy": forget, "val_accuracy": val})


FALLING = path([0.95, 0.80, 0.70, 0.2], [0.79, 0.78, 0.75, 0.4])


@pytest.mark.parametrize(
    ("rule", "budget", "epoch"),
    [("level", 0.01, 3), ("Lemma 1", 0.01, 2), ("budget", 0.015, 1), ("budget", 0.03, 2)],
)
def test_where_each_rule_stops(rule: str, budget: float, epoch: int):
    assert rules.stop(FALLING, START, rule, budget).epoch == epoch


def test_a_rule_may_never_stop():
    flat = path([1.0, 1.0], [0.7, 0.7])
    assert rules.stop(flat, START, "level", 0.01) is None
    assert rules.stop(flat, START, "Lemma 1", 0.01) is None
    assert rules.stop(flat, START, "budget", 0.01) is None, "lost at the first checkpoint"
    assert rules.stop(flat, START, "budget", 0.5).epoch == 2


def test_lost_once_is_lost_for_good():
    """Validation accuracy that comes back does not re-open the budget."""
    back = path([0.9, 0.9, 0.9], [0.8, 0.7, 0.8])
    assert rules.stop(back, START, "budget", 0.05).epoch == 1


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="unknown rule 'luck'.*level, budget, Lemma 1"):
        rules.stop(FALLING, START, "luck", 0.01)


def test_the_choice_among_step_sizes():
    slow = path([1.0, 0.9, 0.85, 0.79], [0.8, 0.8, 0.795, 0.794], lr=0.001)
    stops, chosen = rules.choose(pd.concat([FALLING, slow]), START, "Lemma 1", 0.01)
    assert {rate: row.epoch for rate, row in stops.items()} == {0.001: 4, 0.01: 2}
    assert chosen.lr == 0.001, "the higher validation accuracy where it stopped"
    stops, chosen = rules.choose(pd.concat([FALLING, slow]), START, "budget", 0.015)
    assert chosen.lr == 0.001, "the lower accuracy on F for the same budget"
    stops, chosen = rules.choose(path([1.0], [0.5]), START, "level", 0.01)
    assert stops == {0.01: None} and chosen is None


def test_rows_in_any_order():
    mixed = FALLING.sample(frac=1, random_state=1)
    assert rules.choose(mixed, START, "Lemma 1", 0.01)[1].epoch == 2
