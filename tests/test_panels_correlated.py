"""Pictures of correlated coordinates: the models where the solver puts them, windows where they are open."""

import numpy as np
import pytest

from panels import correlated as panels
from unlearning.theory import correlated, windows
from unlearning.theory.correlated import TwoCoordinates


@pytest.mark.parametrize(("epsilon", "lam"), [(0.0, 0.3), (0.9, 0.3), (0.6, 0.01)])
def test_a_landscape_shows_the_three_models(epsilon, lam):
    problem = TwoCoordinates(900, 100, 100, 0.6 / 9, lam, epsilon)
    whole, close = panels.landscape(problem)
    drawn = {line.get_label(): line.get_xydata() for line in whole.axes[0].lines}
    np.testing.assert_allclose(drawn["pretrained"][0], correlated.pretrained(problem))
    np.testing.assert_allclose(drawn["oracle"][0], correlated.oracle(problem))
    np.testing.assert_allclose(drawn["descent-ascent"][0], correlated.pretrained(problem))


def test_figure_4_draws_bands_only_where_a_window_is_open():
    epsilon = np.linspace(0.005, 0.995, 300)
    family = {0.3: TwoCoordinates(700, 300, 100, 0.0, 0.01, epsilon)}
    picture = panels.figure4(family, "small ridge")
    pale, dark = picture.axes[0].collections
    low, high = windows.paper_window(family[0.3], with_x=False)
    assert len(dark.get_paths()) == 0 and len(pale.get_paths()) == 1
    left = pale.get_paths()[0].vertices[:, 0].min()
    assert left == pytest.approx(epsilon[low < high].min())
    open_one = {0.3: TwoCoordinates(700, 300, 100, 0.0, 2.0, epsilon)}
    assert len(panels.figure4(open_one, "").axes[0].collections[1].get_paths()) == 1


def test_figure_4_without_any_window():
    epsilon = np.linspace(0.01, 0.3, 20)
    panels.figure4({0.01: TwoCoordinates(990, 10, 100, 0.0, 0.01, epsilon)}, "none")


def test_merging_draws_values_and_their_limits():
    gap = np.geomspace(0.5, 1e-6, 10)
    sums, limits = correlated.merging(12, 8.0, 1 - gap)
    only = panels.merging(gap, sums, limits)
    for k in range(3):
        np.testing.assert_array_equal(only.axes[0].lines[2 * k].get_ydata(), sums[k])
        assert only.axes[0].lines[2 * k + 1].get_ydata()[0] == limits[k]
