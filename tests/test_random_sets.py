"""Lemma 1's bound and its exact counterparts against enumeration, scipy and simulation."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.linear_model import RidgeClassifier

from unlearning.theory import random_sets


def enumerated_tail(n: int, p: Fraction, t: Fraction) -> float:
    """P(|K/n - p| >= t) in exact arithmetic."""
    return float(
        sum(
            comb(n, k) * p**k * (1 - p) ** (n - k)
            for k in range(n + 1)
            if abs(Fraction(k, n) - p) >= t
        )
    )


@settings(max_examples=150, deadline=None)
@given(n=st.integers(1, 40), p=st.integers(0, 20), t=st.integers(0, 22))
def test_binomial_tail_equals_exact_arithmetic_ties_included(n, p, t):
    exact = enumerated_tail(n, Fraction(p, 20), Fraction(t, 20))
    assert random_sets.binomial_tail(n, p / 20, t / 20) == pytest.approx(exact, abs=1e-12)


@settings(max_examples=200, deadline=None)
@given(n=st.integers(1, 2000), p=st.floats(0, 1), t=st.floats(0, 1))
def test_lemma_1_the_exact_tail_never_exceeds_the_bound(n, p, t):
    assert random_sets.binomial_tail(n, p, t) <= random_sets.hoeffding_bound(n, t) + 1e-12


@settings(max_examples=100, deadline=None)
@given(n=st.integers(1, 60), m=st.integers(1, 60), t=st.integers(0, 12), share=st.floats(0, 1))
def test_split_tail_equals_exact_arithmetic_and_obeys_the_bound(n, m, t, share):
    correct, t = round(share * (n + m)), Fraction(t, 12)
    exact = Fraction(0)
    for k in range(max(0, correct - m), min(n, correct) + 1):
        if abs(Fraction(k, n) - Fraction(correct - k, m)) >= t:
            exact += Fraction(comb(n, k) * comb(m, correct - k), comb(n + m, correct))
    assert random_sets.split_tail(n, m, correct, float(t)) == pytest.approx(float(exact), abs=1e-10)
    assert exact <= random_sets.hoeffding_bound(n, float(t), test_points=m) + 1e-12


@pytest.mark.parametrize("n, p", [(10, 0.93), (100, 0.93), (1000, 0.93), (37, 0.5), (5, 1.0)])
def test_binomial_margin_is_the_smallest_that_suffices(n, p):
    margin = random_sets.binomial_margin(n, p, 0.05)
    grid = np.abs(np.arange(n + 1) / n - p)
    above, smaller = grid[grid > margin + 1e-9], grid[grid < margin - 1e-9]
    assert np.isclose(grid, margin).any()
    assert above.size == 0 or random_sets.binomial_tail(n, p, above.min()) <= 0.05
    assert smaller.size == 0 or 1 - random_sets.binomial_tail(n, p, margin) < 0.95


def test_hoeffding_margin_inverts_the_bound():
    for m in (None, 397):
        t = random_sets.hoeffding_margin(250, 0.05, m)
        assert random_sets.hoeffding_bound(250, t, m) == pytest.approx(0.05)
    assert random_sets.hoeffding_margin(250, 0.05) == pytest.approx(np.sqrt(np.log(40) / 500))


def test_shapes_are_kept_and_the_bound_is_a_probability():
    t = np.linspace(0, 1, 12).reshape(3, 4)
    for values in (
        random_sets.hoeffding_bound(9, t),
        random_sets.binomial_tail(9, 0.7, t),
        random_sets.split_tail(9, 5, 11, t),
    ):
        assert values.shape == t.shape and values.max() <= 1 + 1e-12 and values.min() >= 0
        assert np.all(np.diff(values.ravel()) <= 1e-12)
    assert random_sets.binomial_tail(9, 0.7, 0) == 1 and random_sets.hoeffding_bound(9, 0) == 1


def test_brute_force_simulation_of_both_tails():
    rng = np.random.default_rng(0)
    known = rng.binomial(100, 0.9, 200_000) / 100 - 0.9
    right = np.arange(150) < 131
    pools = [rng.permutation(right) for _ in range(20_000)]
    split = np.array([pool[:50].mean() - pool[50:].mean() for pool in pools])
    for t in (0.02, 0.05, 0.08):
        assert np.mean(np.abs(known) >= t - 1e-12) == pytest.approx(
            float(random_sets.binomial_tail(100, 0.9, t)), abs=0.005
        )
        assert np.mean(np.abs(split) >= t - 1e-12) == pytest.approx(
            float(random_sets.split_tail(50, 100, 131, t)), abs=0.015
        )


def test_lemma_1_holds_for_trained_models_and_fails_for_points_the_model_has_seen():
    # a population of 600 points known in full, D drawn from it, one model a repeat: labels are noise, so a model
    # with 60 weights learns its own 100 points by heart and the rest at chance
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(600, 60)), rng.integers(0, 2, 600)
    unseen, seen = [], []
    for _ in range(300):
        rows = rng.integers(0, 600, 150)
        model = RidgeClassifier(alpha=1e-3).fit(x[rows[:100]], y[rows[:100]])
        everyone = model.score(x, y)
        unseen.append(model.score(x[rows[100:]], y[rows[100:]]) - everyone)
        seen.append(model.score(x[rows[:50]], y[rows[:50]]) - everyone)
    t = random_sets.hoeffding_margin(50, 0.05)
    assert random_sets.exceedance(unseen, t)[0] <= 0.05 < random_sets.exceedance(seen, t)[1]
    assert abs(np.mean(unseen)) < 4 * np.std(unseen) / np.sqrt(300)


def test_exceedance_counts_and_brackets():
    frequency, low, high = random_sets.exceedance([0.1, -0.2, 0.3, 0.0], 0.2, level=0.95)
    assert frequency == 0.5
    # Clopper-Pearson by its definition with the beta distribution
    assert (low, high) == pytest.approx((stats.beta.ppf(0.025, 2, 3), stats.beta.ppf(0.975, 3, 2)))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: random_sets.hoeffding_bound(0, 0.1),
        lambda: random_sets.hoeffding_bound(2.5, 0.1),
        lambda: random_sets.hoeffding_bound(True, 0.1),
        lambda: random_sets.hoeffding_bound(10, -0.1),
        lambda: random_sets.hoeffding_bound(10, np.nan),
        lambda: random_sets.hoeffding_bound(10, 0.1, test_points=0),
        lambda: random_sets.hoeffding_margin(10, 0),
        lambda: random_sets.hoeffding_margin(10, 1.0),
        lambda: random_sets.binomial_tail(10, 1.1, 0.1),
        lambda: random_sets.binomial_tail(10, np.nan, 0.1),
        lambda: random_sets.binomial_margin(10, -0.1, 0.05),
        lambda: random_sets.split_tail(10, 10, 21, 0.1),
        lambda: random_sets.split_tail(10, 10, -1, 0.1),
        lambda: random_sets.exceedance([], 0.1),
        lambda: random_sets.exceedance([0.1, np.nan], 0.1),
        lambda: random_sets.exceedance([0.1], 0.1, level=1.0),
    ],
)
def test_hostile_input_is_refused_with_a_sentence(wrong):
    with pytest.raises(ValueError, match="give"):
        wrong()
