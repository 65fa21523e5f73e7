"""The panels of `principal_components`, `random_sets` and `lemmas`, and the identities behind the first."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from panels import lemmas, principal_components, random_sets
from unlearning.page import figures


@pytest.fixture(autouse=True)
def style():
    with figures.style():
        yield


def test_leaving_out_with_the_mean_over_the_rest_takes_off_the_mean_gradient():
    """The page's two formulas against retraining with SciPy: E1, the convention that decides the result."""
    rng = np.random.default_rng(0)
    z, lam, n = rng.normal(size=(80, 2)) + [1, 0.3], 2.0, 80

    def train(omega):
        def value(s):
            return omega @ np.logaddexp(0, -z @ s) + lam / 2 * s @ s

        return minimize(
            value, [0, 0], jac=lambda s: -(omega * expit(-z @ s)) @ z + lam * s, tol=1e-13
        ).x

    full = train(np.full(n, 1 / n))
    slopes = -expit(-z @ full)[:, None] * z
    bend = expit(z @ full) * expit(-z @ full) / n
    inverse = np.linalg.inv((z.T * bend) @ z + lam * np.eye(2))
    for rest, moved in ((False, slopes / n), (True, (slopes - slopes.mean(0)) / (n - 1))):
        for i in (0, 17, 40):
            omega = np.full(n, 1 / (n - 1) if rest else 1 / n)
            omega[i] = 0
            np.testing.assert_allclose(train(omega) - full, inverse @ moved[i], atol=2e-4)
    # and the two differ by far more than a hundredth
    assert np.linalg.norm(slopes.mean(0)) > 0.5 * np.linalg.norm(slopes, axis=1).mean()


def test_intervals_and_tables():
    mean, low, high = principal_components.interval(np.arange(20))
    assert mean == 9.5 and low < 9.5 < high
    assert principal_components.text((1, 0.5, 1.5)) == "1.00 [0.50, 1.50]"
    rows = [
        {"data": d, "set": s, "rate": r, "end": e, "relative": e, "best": e}
        for d in range(4) for r in (0.1, 0.2) for s, e in (("PC1", 3 - 20 * (r > 0.15)), ("PC2", d), ("random", 1.5))
    ]  # fmt: skip
    outcomes = pd.DataFrame(rows)
    table = principal_components.harder(outcomes)
    assert table["PC1, end"].tolist() == ["4", "0"] and table["PC2, end"].tolist() == ["2", "2"]
    assert len(principal_components.harm(outcomes)) == 2
    sweep = pd.DataFrame(
        {
            "matrix": ["fixed", "rest", "ensemble"] * 4,
            "lam": [1.0] * 6 + [2.0] * 6,
            "cosine": np.linspace(0, 1, 12),
        }
    )
    assert principal_components.sweep(sweep, 2.0).axes[0].get_title() == "axis ratio 2"
    assert principal_components.agreement(np.eye(3), np.eye(3), "t").axes[0].get_title() == "t"


def test_random_set_panels():
    table = random_sets.margins_table([10, 100], 0.92, 0.05)
    assert table["|F|"].tolist() == ["10", "100"]
    assert random_sets.tails([10], 0.9).axes
    exact = random_sets.averaged_binomial(10, np.array([0.9, 0.9, 0.8]))
    assert 0 <= exact(np.array([0.3]))[0] <= 1
    split = random_sets.averaged_split(10, 20, np.array([25.0, 25.0]))
    assert split(np.array([0.0]))[0] == pytest.approx(1)
    assert random_sets.exceedance(10, np.array([0.1, -0.2]), exact, []).axes
    paths = np.random.default_rng(0).uniform(0.5, 1, (3, 4, 2))
    assert random_sets.plane("GA", paths, paths[:, 0], paths[:, 1], 0.1).axes
    below = random_sets.places_table({"x": np.array([[0.9, 0.5], [0.9, 0.9]])}, 0.1)
    assert below["below the band"].tolist() == ["1 of 2"]


def test_the_lemma_table_takes_its_verdicts_from_the_counts():
    row = {
        "statement": "L",
        "words": "a < b",
        "proof": "in full",
        "chapter": "bounds",
        "check": "k",
    }
    read = lambda results, **more: lemmas.table([row | more], results, ["bounds"]).iloc[0]  # noqa: E731
    assert "holds" in read({"k": (0, 5)})["Verdict"] and "a &lt; b" in read({})["In our words"]
    assert "contradicted" in read({"k": (1, 5)})["Verdict"]
    assert "open" in read({"k": (0, 0)})["Verdict"] and read({})["Violations"] == "–"
    assert 'href="bounds.html"' in read({})["Proof"]
    assert "href" not in read({}, chapter="elsewhere")["Proof"]


def test_an_interval_that_holds_the_criterion_is_open():
    assert [principal_components.above(low, low + 1, 0.0) for low in (0.1, -1.1, -0.5, 0.0)] == [True, False, None, None]  # fmt: skip


def test_tables_of_hundreds_of_oracles():
    rng = np.random.default_rng(0)
    right = rng.binomial(50, 0.9, 300) / 50
    found = random_sets.known_table(
        {50: np.c_[right - 0.9, np.full(300, 0.9), np.zeros(300)]}, 0.05
    )
    one = found.iloc[0]
    assert one["mean"] == pytest.approx((right - 0.9).mean()) and one.bounded and one.outside < 0.05
    assert one.error == pytest.approx(right.std(ddof=1) / np.sqrt(300))
    far = random_sets.known_table({50: np.c_[np.full(300, 0.5), right, right]}, 0.05).iloc[0]
    assert not far.bounded and far.outside == 1
    split = random_sets.split_table(
        {50: np.c_[right - 0.9, np.full(300, 0.9), right]}, 400, 0.05
    ).iloc[0]
    assert split.bounded and split["inside the naive margin"] > 0.9
