"""Pictures of one dimension: what they must show at the page's values and at the corners of its parameters."""

import numpy as np
import pandas as pd
import pytest

from panels import one_dimension as panels
from unlearning.theory import one_dimension
from unlearning.theory.one_dimension import OneCoordinate

BASE = OneCoordinate(900, 100, 100, 0.0, 0.1)
CORNERS = [(200, 1, 100, 1.0), (2000, 100, 1, 0.01), (200, 100, 100, 0.01), (2000, 1, 1, 1.0)]


def test_lambert_draws_both_branches_from_the_lowest_point():
    left, right = panels.lambert()
    curve, lower = (line.get_xydata() for line in right.axes[0].lines[:2])
    np.testing.assert_allclose(curve[:, 1] * np.exp(curve[:, 1]), curve[:, 0], atol=1e-12)
    assert curve[:, 1].min() == pytest.approx(-1, abs=0.02) and lower[:, 1].max() <= -1


def test_regimes_draw_the_closed_forms():
    left, right = panels.regimes(BASE)
    curve = next(line for line in left.axes[0].lines if line.get_label().startswith("DA"))
    alpha, w = curve.get_xydata().T
    seen = np.isfinite(w)
    assert alpha[seen].max() == pytest.approx(one_dimension.last_alpha(BASE), rel=0.01)
    assert w[0] == one_dimension.stationary(BASE, "R")
    numbers = {text.get_text() for text in left.axes[0].texts}
    assert {"I", "II", "III", "Lemma 3"} <= numbers


@pytest.mark.parametrize("sizes", CORNERS)
def test_every_picture_at_the_corners(sizes):
    base = OneCoordinate(*sizes[:3], 0.0, sizes[3])
    panels.regimes(base)
    pictures, labels = panels.landscapes(base)
    assert len(pictures) == len(labels) >= 5
    assert labels[0].endswith("global minimum") and "nan" not in " ".join(labels)


def test_the_landscapes_pass_through_all_three_regimes_in_order():
    _, labels = panels.landscapes(BASE)
    kinds = [one_dimension.REGIMES.index(label.split(": ")[1]) for label in labels]
    assert kinds == sorted(kinds) and set(kinds) == {0, 1, 2}
    alphas = [float(label.split(":")[0]) for label in labels]
    assert alphas == sorted(alphas)


def test_tables_of_checks():
    check = pd.DataFrame({"closed form": ["0.5"], "Newton": [1.2e-12], "descent": [-3e-10]})
    told = panels.minimisers(check).iloc[0]
    assert (told["Newton minus it"], told["descent minus it"]) == ("1e-12", "-3e-10")
    where = np.array(["below", "inside", "inside"])
    order = {
        "below": ("a ≤ b", np.array([True, False, False])),
        "inside": ("b ≤ a", np.array([True, True, False])),
    }
    found = panels.orders(order, where)
    assert found["problems"].tolist() == [1, 2] and found["violations"].tolist() == [0, 1]
