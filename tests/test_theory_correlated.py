"""Two coordinates: the three solutions against independent solvers and brute force."""

from dataclasses import replace

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import lambertw, wrightomega

from unlearning.theory import correlated, one_dimension, windows
from unlearning.theory.correlated import TwoCoordinates
from unlearning.theory.one_dimension import OneCoordinate

GOOD = {"n_retain": 900, "n_forget": 100, "r": 100, "alpha": 0.05, "lam": 0.01}
N = 3000  # random problems per lemma
EPS = 1e-9  # relative room for rounding


@st.composite
def one_coordinate(draw):
    """A single problem anywhere in the allowed range, λ from 1e-12 to 10."""
    n_retain = draw(st.integers(1, 10**6))
    n_forget = draw(st.integers(1, 10**6))
    r = draw(st.integers(1, n_retain))
    alpha = draw(st.floats(0, 1)) * n_forget / r
    return OneCoordinate(n_retain, n_forget, r, alpha, 10 ** draw(st.floats(-12, 1)))


@st.composite
def two_coordinates(draw):
    base = draw(one_coordinate())
    epsilon = draw(st.one_of(st.floats(0, 0.999), st.sampled_from([0.0, 0.9999])))
    return TwoCoordinates(base.n_retain, base.n_forget, base.r, base.alpha, base.lam, epsilon)


@pytest.fixture(scope="module")
def lines():
    return one_dimension.random_problems(np.random.default_rng(1), N)


@pytest.fixture(scope="module")
def planes():
    return windows.random_problems(np.random.default_rng(2), N)


def _residual(problem, w, objective):
    """‖gradient‖ over λ‖w‖ plus the larger pull: 0 at a stationary point, 1 far from one."""
    (a, b), (x, y) = correlated.pulls(problem, objective), correlated.margins(problem, w)
    scale = problem.lam * np.linalg.norm(w, axis=-1) + a * np.exp(-x) + np.abs(b) * np.exp(-y)
    return np.linalg.norm(correlated.gradient(problem, w, objective), axis=-1) / scale


@settings(max_examples=100, deadline=None)
@given(two_coordinates(), st.sampled_from(["D", "R"]))
def test_convex_minimisers_agree_with_newton(problem, objective):
    """scipy's Newton method on the loss over its ridge, from a start that knows nothing of the answer."""
    problem = replace(problem, lam=max(problem.lam, 1e-6))
    w = {"D": correlated.pretrained, "R": correlated.oracle}[objective](problem)
    assert _residual(problem, w, objective) < 1e-12

    def hessian(v):
        (a, b), (x, y) = correlated.pulls(problem, objective), correlated.margins(problem, v)
        along, across = np.array([1, problem.epsilon]), np.array([problem.epsilon, 1])
        pulls = a * np.exp(-x) * np.outer(along, along) + b * np.exp(-y) * np.outer(across, across)
        return np.eye(2) + pulls / problem.lam

    found = minimize(
        lambda v: correlated.loss(problem, v, objective) / problem.lam,
        [0.0, 0.0],
        method="trust-exact",
        jac=lambda v: correlated.gradient(problem, v, objective) / problem.lam,
        hess=hessian,
        options={"gtol": 1e-9},
    )
    np.testing.assert_allclose(w, found.x, atol=1e-6 * (1 + np.abs(w).max()))


def _newton_roots(problem, starts):
    """Stationary points of L_DA found by damped Newton from many starts: an independent brute force."""
    w, e = starts.copy(), problem.epsilon
    along, across = np.array([1, e]), np.array([e, 1])
    (a, b) = correlated.pulls(problem, "DA")
    for _ in range(200):
        x, y = correlated.margins(problem, w)
        hessian = (
            problem.lam * np.eye(2)
            + (a * np.exp(-x))[:, None, None] * np.outer(along, along)
            + (b * np.exp(-y))[:, None, None] * np.outer(across, across)
        )
        step = np.linalg.solve(hessian, correlated.gradient(problem, w, "DA")[..., None])[..., 0]
        w = w - step / np.maximum(1, np.linalg.norm(step, axis=-1))[:, None]
        w = np.clip(w, -60, 60)
    return np.unique(np.round(w[_residual(problem, w, "DA") < 1e-10], 5), axis=0)


@pytest.mark.parametrize("seed", range(6))
def test_da_stationary_points_agree_with_many_newton_starts(seed):
    """Same number of stationary points (0 or 2, our uniqueness proof) in the same places; the first is the minimum."""
    rng = np.random.default_rng(seed)
    starts = rng.uniform(-12, 12, (400, 2))
    count = []
    for _ in range(12):
        problem = TwoCoordinates(
            900, 100, 100, rng.uniform(0, 1.3) / 9, 10 ** rng.uniform(-2, 1), rng.uniform(0, 0.97)
        )
        minimum, saddle = correlated.da_stationary(problem)
        roots = _newton_roots(problem, starts)
        count.append(len(roots))
        ours = np.array([w for w in (minimum, saddle) if np.isfinite(w).all()])
        if len(ours) and np.linalg.norm(minimum - saddle) < 1e-2:
            continue  # next to the double root Newton's residual test cannot count
        assert len(roots) == len(ours), (problem, roots, ours)
        for root in roots:
            assert np.abs(ours - root).max(axis=1).min() < 1e-4
        if len(ours):
            bumps = np.array(
                [[0.01, 0], [-0.01, 0], [0, 0.01], [0, -0.01], [0.01, -0.01], [-0.01, 0.01]]
            )
            bumps = bumps * min(1, np.linalg.norm(minimum - saddle) / 0.1)
            assert np.all(
                correlated.loss(problem, minimum + bumps, "DA")
                > correlated.loss(problem, minimum, "DA")
            )
    assert 2 in count


def test_da_equation_turns_once():
    """The proof's claim, by brute force on a fine grid: the slope of G changes sign once, from − to +."""
    problem = windows.random_problems(np.random.default_rng(5), 2000)
    square, e = 1 + problem.epsilon**2, problem.epsilon
    t = np.linspace(-3, np.log(square) - 2 * np.log1p(-(e**2)) + 3, 3000)
    omega = wrightomega(np.log(problem.c * square) + 2 * e * np.exp(t))
    slope = -1 + np.exp(t) * (square - 4 * e**2 / square * omega / (1 + omega))
    signs = slope > 0
    assert np.all((signs[1:] != signs[:-1]).sum(axis=0) == 1) and np.all(signs[-1])


def test_without_ascent_da_is_the_oracle():
    problem = TwoCoordinates(900, 100, 100, np.array([0.0, 0.0]), 0.01, np.array([0.0, 0.9]))
    minimum, saddle = correlated.da_stationary(problem)
    np.testing.assert_array_equal(minimum, correlated.oracle(problem))
    assert np.isnan(saddle).all()
    assert np.all(_residual(problem, correlated.pretrained(problem), "D") < 1e-12)


def test_uncorrelated_coordinates_are_two_one_coordinate_problems(lines):
    """ε = 0: x is a coordinate without forget samples, y one with forget samples only."""
    sizes = (lines.n_retain, lines.n_forget, lines.r)
    flat = TwoCoordinates(*sizes, np.maximum(lines.alpha, 1e-6), lines.lam, np.zeros(N))
    w = correlated.pretrained(flat)
    np.testing.assert_allclose(w[:, 0], lambertw(flat.b).real, rtol=1e-9)
    np.testing.assert_allclose(w[:, 1], lambertw(flat.b * flat.alpha).real, rtol=1e-9, atol=1e-12)
    minimum, _ = correlated.da_stationary(flat)
    z = -flat.c * flat.relative_alpha
    exists, clear = z > -np.exp(-1) + 1e-9, np.abs(z + np.exp(-1)) > 1e-9
    np.testing.assert_array_equal(np.isfinite(minimum[clear, 1]), exists[clear])
    np.testing.assert_allclose(minimum[exists, 1], lambertw(z[exists]).real, rtol=1e-6)


def test_limit_of_equal_directions_is_one_coordinate_with_half_the_ridge():
    """App. J: ε → 1, one sample each way and d − 2 others; w1 + w2 tends to the one-coordinate solution with λ/2."""
    d, lam = 12, 8.0
    line = OneCoordinate(d - 1, 1, 1, 1.0, lam / 2)
    problem = TwoCoordinates(d - 1, 1, 1, 1.0, lam, 1 - 1e-7)
    solutions = (
        correlated.pretrained(problem),
        correlated.oracle(problem),
        correlated.da_stationary(problem)[0],
    )
    sums = [w.sum() for w in solutions]
    np.testing.assert_allclose(
        sums, [one_dimension.stationary(line, o) for o in ("D", "R", "DA")], atol=1e-5
    )


@pytest.mark.parametrize("epsilon", [-0.1, 1.0, 1.5, float("nan")])
def test_impossible_overlaps_are_refused(epsilon):
    with pytest.raises(ValueError, match="epsilon"):
        TwoCoordinates(**GOOD, epsilon=epsilon)


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-9, 1e-12, 1e-15])
@pytest.mark.parametrize("lam", [1e-2, 8.0, 30.0])
def test_directions_that_nearly_agree(gap, lam):
    """E12: 1 − ε down to the last bit; the minimiser exists exactly where the merged problem has one, and is near it."""
    line = OneCoordinate(11, 1, 1, 1.0, lam / 2)
    minimum, saddle = correlated.da_stationary(TwoCoordinates(11, 1, 1, 1.0, lam, 1 - gap))
    merged = one_dimension.stationary(line, "DA")
    assert np.isfinite(minimum).all() == np.isfinite(merged)
    if np.isfinite(merged):
        assert minimum.sum() == pytest.approx(merged, abs=20 * gap + 1e-9)
        assert np.isfinite(saddle).all()


@settings(max_examples=60, deadline=None)
@given(two_coordinates(), st.sampled_from([1e-4, 1e-8, 1e-12]))
def test_the_minimiser_near_equal_directions_in_high_precision(problem, gap):
    """Whatever comes back is a stationary point to 50 digits, in Q and P, where nothing cancels."""
    problem = replace(problem, epsilon=1 - gap, lam=max(problem.lam, 1e-6))
    minimum, _ = correlated.da_stationary(problem)
    if problem.alpha == 0 or np.isnan(minimum).any():
        return
    with mpmath.workdps(50):
        e = mpmath.mpf(float(problem.epsilon))
        x = mpmath.mpf(float(minimum[0])) + e * mpmath.mpf(float(minimum[1]))
        y = e * mpmath.mpf(float(minimum[0])) + mpmath.mpf(float(minimum[1]))
        p = mpmath.mpf(float(problem.c)) * mpmath.exp(-x)
        q = mpmath.mpf(float(problem.c * problem.relative_alpha)) * mpmath.exp(-y)
        size = abs(p) + abs(q) + abs(x) + abs(y)
        assert abs(x - (1 + e * e) * p + 2 * e * q) < 1e-6 * size
        assert abs(y - 2 * e * p + (1 + e * e) * q) < 1e-6 * size


def test_a_ridge_too_small_for_doubles_is_refused():
    with pytest.raises(ValueError, match="lam = 1e-320.*r/"):
        TwoCoordinates(**{**GOOD, "lam": 1e-320}, epsilon=0.5)
