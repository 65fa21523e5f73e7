"""The panels of the chapter on many models."""

import numpy as np
import pytest

from panels import many_models as panels
from unlearning.experiment import presets


def test_three_points_by_rule():
    phi = np.array([[5.0, 1.0, -3.0, 2.0], [7.0, -1.0, -2.0, 2.0]])
    hits = (phi > 0).mean(0)
    assert panels.three(phi, hits) == {"easy": 0, "ambiguous": 1, "hard": 2}


def test_points_have_a_panel_each_and_one_for_all():
    rng = np.random.default_rng(0)
    phi = rng.normal(size=(6, 9))
    hits, images = (phi > 0).mean(0), rng.integers(0, 240, size=(9, 1, 12, 12))
    chosen = panels.three(phi, hits)
    found = panels.points(chosen, phi, hits, images, np.arange(9))
    assert len(found) == 4 and found[0].axes[0].get_title().endswith(f"a {chosen['easy']}")
    counts = [patch.get_height() for patch in found[0].axes[1].patches]
    assert sum(counts) == 6
    np.testing.assert_allclose(found[3].axes[0].lines[0].get_ydata(), phi.std(0, ddof=1))


def test_accuracies_as_text():
    [row] = panels.accuracies({"validation": np.array([0.8, 1.0])}).to_dict("records")
    assert (row["accuracy, mean"], row["worst"], row["best"]) == ("90.0%", "80.0%", "100.0%")


def test_drift_draws_the_diagonal_in_proportion():
    moved = np.array([[1e-9, 1e-3], [2e-9, 2e-3]])
    rounding = {"float32": np.array([0.0, 1e-5]), "float64": np.array([0.0, 1e-14])}
    left, right = panels.drift([1e-9, 1e-4], moved, moved, rounding)
    drawn = {line.get_label(): line for line in right.axes[0].lines}
    assert list(drawn["proportion"].get_ydata()) == pytest.approx([2e-9, 2e-4])
    assert min(left.axes[0].lines[1].get_ydata()) == panels.TINY  # an exact zero is drawn


def test_a_second_training_in_words():
    [row] = panels.again([(np.array([0.0, 0.02]), np.ones(2), np.full(2, 3.0))]).to_dict("records")
    assert list(row.values()) == [0, "0.01", "0.02", "1.00", "3.00"]


def test_rates_are_positive_and_told_in_gigaflop():
    found = panels.rates(presets.preset("smoke"), (1, 12, 12), steps=1)
    assert set(found) == {"float32", "bfloat16"} and min(found.values()) > 1e6
    assert panels.matrix_rate(64) > 1e6
    [row] = panels.speeds({"desk": {"float32": 6e10, "bfloat16": 12e10}}, 24e10).to_dict("records")
    assert list(row.values()) == ["desk", "60", "120", "2.0", "240", "50%"]
