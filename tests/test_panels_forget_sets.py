"""The panels of the chapter on forget sets."""

import numpy as np
import pytest
from scipy import stats

from panels import forget_sets as panels


def test_the_spectrum_and_its_band():
    share, noise = np.array([0.5, 0.2]), np.array([[0.1, 0.1], [0.2, 0.05]])
    left, right = panels.spectrum(share, noise, np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    assert list(left.axes[0].lines[0].get_ydata()) == [50.0, 20.0]
    band = left.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == pytest.approx(5) and band.max() == pytest.approx(20)
    assert list(right.axes[0].lines[0].get_ydata()) == [3.0, 4.0]


def test_the_gallery_shows_at_most_ten():
    images, labels = np.zeros((12, 1, 12, 12)), np.arange(12)
    [panel] = panels.gallery({"top": np.arange(12)}, images, labels)
    assert [ax.get_title() for ax in panel.axes] == [str(i) for i in range(10)]


def test_ends_and_all_points():
    phi, labels = np.array([[0.0, 2.0, 4.0], [2.0, 2.0, 8.0]]), np.array([7, 7, 1])
    first, last = panels.ends({"top": np.array([0, 2])}, phi, labels).to_dict("records")
    assert (
        set(first["classes"].split(", ")) == {"7: 50%", "1: 50%"} and first["mean margin"] == "3.50"
    )
    assert last["spread"] == f"{phi.std(0, ddof=1).mean():.2f}"


def test_halves_beyond_chance():
    """Two halvings of PC1 that share 8 and 1 of 10 points of 384, cosines 0.9 and -0.5; PC2 shares none."""
    found = np.array([[[8, 0.9], [0, 0.1]], [[1, -0.5], [0, 0.3]]])
    table = panels.halves(found, stats.hypergeom(384, 10, 10), 10).set_index("component")
    assert table["shared, mean"]["PC1"] == "4.5 of 10" and table["beyond chance"]["PC1"] == "50%"
    assert table["ends swapped"]["PC1"] == "50%" and table["|cosine| of scores"]["PC1"] == "0.70"
    assert table["beyond chance"]["PC2"] == "0%" and table["by chance"]["PC2"] == "0.26"


def test_near_and_far():
    scored = {"laptop/pc1-top-5": (np.array([4.0, 1.0, 3.0]), np.array([0]), np.array([1, 2]))}
    [row] = panels.near_and_far(scored, 0.67).to_dict("records")
    assert list(row.values()) == ["pc1-top-5", "4.00", "4.00", "2.90", "2.00", "0.67"]
    found = np.tile(np.arange(101.0), (2, 1))
    ax = panels.mixture(
        np.array([0.0, 0.5]), {"laptop/a": found, "b/c": found, "d/e": found}, 0.67
    ).axes[0]
    assert list(ax.lines[0].get_ydata()) == [50, 50] and list(ax.lines[0].get_xdata()) == [0, 50]
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (5, 95)
