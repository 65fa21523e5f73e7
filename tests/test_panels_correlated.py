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


def test_lemmas_in_a_row_end_where_the_solved_models_say():
    """Lemma 9 by hand; Lemma 8 by its own bounds; the exact ends by the solver: x stands still, y_D meets y_R."""
    sizes = (900, 100, 100)
    by_hand = panels.lemma_ranges(TwoCoordinates(*sizes, 0.0, 0.1, 0.5))["9: DA below D"]
    assert by_hand == pytest.approx((8 / 99, 1))
    one = TwoCoordinates(*sizes, 0.0, 3.0, 0.8)
    ranges = panels.lemma_ranges(one)
    at = lambda alpha: TwoCoordinates(*sizes, alpha, 3.0, 0.8)  # noqa: E731
    none = ranges["8: no limit"][0]
    assert not np.isnan(windows.lemma8_bounds(at(none * 0.999))).any()
    assert np.isnan(windows.lemma8_bounds(at(none * 1.001))).any()
    low, high = ranges["exact (ours)"]
    start = correlated.pretrained(at(low))
    turned = correlated.gradient(at(low), start, "DA")
    assert turned[..., 0] + 0.8 * turned[..., 1] == pytest.approx(0, abs=1e-12)
    trained = correlated.margins(one, correlated.pretrained(at(high)))
    assert trained[1] == pytest.approx(correlated.margins(one, correlated.oracle(one))[1])
    assert low < ranges["9 and 10"][0] < ranges["9 and 10"][1] < high


def test_a_lemma_without_a_range_is_drawn_as_empty():
    picture = panels.lemmas_in_a_row({"a": TwoCoordinates(900, 100, 100, 0.0, 0.1, 0.5)})[0]
    texts = [text.get_text() for text in picture.axes[0].texts]
    ranges = panels.lemma_ranges(TwoCoordinates(900, 100, 100, 0.0, 0.1, 0.5))
    assert texts == ["empty"] * sum(low >= high for low, high in ranges.values()) and texts
