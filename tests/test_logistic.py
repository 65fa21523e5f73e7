"""Closed forms, bounds and solvers of `logistic` and `correlated` against independent solvers and random problems."""

import subprocess
import sys
from dataclasses import replace

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import brentq, minimize
from scipy.special import lambertw, wrightomega

from unlearning.theory import correlated, one_dimension
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
    return correlated.random_problems(np.random.default_rng(2), N)


# One coordinate ------------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(one_coordinate())
def test_closed_forms_agree_with_a_root_finder(problem):
    """brentq on the derivative; for a negative coefficient it turns at w = −1, which brackets both roots."""
    for objective in one_dimension.OBJECTIVES:
        a = float(one_dimension.pull(problem, objective)) / problem.lam

        def residual(w, a=a):
            return w - a * np.exp(-w)

        w = one_dimension.stationary(problem, objective)
        if a >= 0:
            assert w == pytest.approx(
                brentq(residual, -1e-3, max(a, 1e-3) + 1e-3, xtol=1e-13), rel=1e-9, abs=1e-11
            )
            assert np.isnan(one_dimension.stationary(problem, objective, branch=-1))
        elif a < -np.exp(-1):
            assert (
                np.isnan(w) and residual(-1.0) > 0
            )  # the smallest value of the residual is positive: no root
        elif a > -np.exp(-1) + 1e-9:
            assert w == pytest.approx(brentq(residual, -1, 0, xtol=1e-13), abs=1e-6)
            lower = one_dimension.stationary(problem, objective, branch=-1)
            if a < -1e-250:
                assert lower == pytest.approx(brentq(residual, -600, -1, xtol=1e-13), rel=1e-6)


@pytest.mark.parametrize("lam", [1e-320, 1e-300, 1e-12, 1e-6, 1e-2, 10.0])
def test_extreme_ridges_agree_with_high_precision(lam):
    problem = OneCoordinate(**{**GOOD, "lam": lam})
    coefficients = {
        "D": mpmath.mpf("1.05") / 10,
        "R": mpmath.mpf(1) / 9,
        "DA": mpmath.mpf(1) / 9 - mpmath.mpf("0.05"),
    }
    for objective, coefficient in coefficients.items():
        with mpmath.workdps(50):
            exact = mpmath.lambertw(coefficient / mpmath.mpf(lam))
        assert float(one_dimension.stationary(problem, objective)) == pytest.approx(
            float(exact), rel=1e-13
        )


def test_branch_point_is_a_double_root():
    """λ|R|/(e r) chosen so that A/λ = −1/e up to rounding: both branches give −1, or none exists a hair further."""
    problem = OneCoordinate(900, 100, 100, 1.0, 0.1)
    at = replace(problem, alpha=one_dimension.last_alpha(problem))
    assert one_dimension.stationary(
        replace(at, alpha=at.alpha * (1 - 1e-12)), "DA"
    ) == pytest.approx(-1, abs=1e-5)
    assert one_dimension.stationary(
        replace(at, alpha=at.alpha * (1 - 1e-12)), "DA", -1
    ) == pytest.approx(-1, abs=1e-5)
    assert np.isnan(one_dimension.stationary(replace(at, alpha=at.alpha * (1 + 1e-9)), "DA"))


def test_gradient_and_curvature_agree_with_differences(lines):
    w, h = np.random.default_rng(3).uniform(-3, 5, N), 1e-5
    for objective in one_dimension.OBJECTIVES:
        slope = (
            one_dimension.loss(lines, w + h, objective)
            - one_dimension.loss(lines, w - h, objective)
        ) / (2 * h)
        np.testing.assert_allclose(
            one_dimension.gradient(lines, w, objective), slope, rtol=1e-6, atol=1e-8
        )
        bend = (
            one_dimension.gradient(lines, w + h, objective)
            - one_dimension.gradient(lines, w - h, objective)
        ) / (2 * h)
        np.testing.assert_allclose(
            one_dimension.curvature(lines, w, objective), bend, rtol=1e-6, atol=1e-8
        )


def test_loss_is_the_mean_over_samples():
    """Against the definition: explicit block-orthogonal samples on three coordinates, every weight but one at zero."""
    problem = OneCoordinate(8, 6, 4, 0.5, 0.3)
    retain = np.repeat(np.eye(3), [4, 3, 1], axis=0)
    forget = np.repeat(np.eye(3), [2, 3, 1], axis=0)
    weight = np.array([0.7, 0.0, 0.0])
    ridge = 0.15 * weight @ weight
    means = {
        "D": np.exp(-np.vstack([retain, forget]) @ weight).mean(),
        "R": np.exp(-retain @ weight).mean(),
        "DA": np.exp(-retain @ weight).mean() - np.exp(-forget @ weight).mean(),
    }
    for objective, mean in means.items():
        others = {"D": 8 / 14, "R": 4 / 8, "DA": 4 / 8 - 4 / 6}[
            objective
        ]  # e^0 on the other coordinates
        assert one_dimension.loss(problem, 0.7, objective) == pytest.approx(mean - others + ridge)


@settings(max_examples=60, deadline=None)
@given(one_coordinate(), st.sampled_from(one_dimension.OBJECTIVES))
def test_stationary_point_is_where_a_minimiser_stops(problem, objective):
    problem = replace(problem, lam=max(problem.lam, 1e-3))
    w = one_dimension.stationary(problem, objective)
    if np.isnan(w) or 1 + w < 0.05:
        return
    found = minimize(
        lambda v: one_dimension.loss(problem, v[0], objective) / problem.lam,
        [max(w, 0) + 0.3],
        method="BFGS",
        jac=lambda v: one_dimension.gradient(problem, v, objective) / problem.lam,
        options={"gtol": 1e-10},
    )
    assert found.x[0] == pytest.approx(w, abs=1e-6)


def test_regimes_by_counting_roots_and_signs(lines):
    """Regime 0: one root of positive curvature. Regime 1: two, W0 the minimum, W−1 the maximum. Regime 2: none."""
    kind = one_dimension.regime(lines)
    w0, lower = one_dimension.stationary(lines, "DA"), one_dimension.stationary(lines, "DA", -1)
    assert set(kind) == {0, 1, 2}
    np.testing.assert_array_equal(
        np.isfinite(w0).astype(int) + np.isfinite(lower), np.choose(kind, [1, 2, 0])
    )
    limit = lines.n_forget / lines.n_retain
    np.testing.assert_array_equal(kind == 2, lines.alpha > one_dimension.last_alpha(lines))
    assert np.all((kind == 0) | (lines.alpha > limit * (1 - 1e-12)))
    two = kind == 1
    assert np.all((w0[two] > -1) & (w0[two] < 0) & (lower[two] < -1))
    assert np.all(one_dimension.curvature(lines, w0, "DA")[two] > 0)
    assert np.all(one_dimension.curvature(lines, lower, "DA")[two] < 0)


def test_lemma_3_is_exact_on_its_range_and_reversed_below_it(lines):
    low, high = one_dimension.lemma3_range(lines)
    w_d, w_r, w_da = (one_dimension.stationary(lines, o) for o in one_dimension.OBJECTIVES)
    inside, below, above = (
        (lines.alpha >= low) & (lines.alpha <= high),
        lines.alpha < low,
        lines.alpha > high,
    )
    assert inside.sum() > 500 and below.sum() > 100 and above.sum() > 100
    room = EPS * (1 + np.abs(w_d))
    assert np.all(w_da[inside] <= w_d[inside] + room[inside]) and np.all(
        w_d[inside] <= w_r[inside] + room[inside]
    )
    assert np.all(w_d[below] <= w_da[below] + room[below]) and np.all(
        w_da[below] <= w_r[below] + room[below]
    )
    assert np.all(w_d[above] >= w_r[above] - room[above])


def test_lemma_4_and_5(lines):
    w_d, w_r, w_da = (one_dimension.stationary(lines, o) for o in one_dimension.OBJECTIVES)
    assert np.all(np.abs(w_d - w_r) <= one_dimension.lemma4_bound(lines) * (1 + EPS) + 1e-12)
    exists = (lines.alpha >= lines.n_forget / lines.n_retain) & np.isfinite(w_da)
    assert exists.sum() > 50
    assert np.all((w_r - w_da)[exists] >= one_dimension.lemma5_bound(lines)[exists] - 1e-12)
    edge = replace(
        lines, alpha=np.minimum(lines.n_forget / lines.n_retain, lines.n_forget / lines.r)
    )
    gap = w_r - one_dimension.stationary(edge, "DA")
    np.testing.assert_allclose(gap, one_dimension.lemma5_bound(edge), rtol=1e-5, atol=1e-9)


def test_corollary_1():
    """As λ → 0 with α → |F|/|R| the first gap vanishes and the second grows without bound."""
    lam = 10.0 ** -np.arange(1, 13)
    problem = OneCoordinate(900, 100, 100, 100 / 900 * (1 - lam), lam)
    w_d, w_r, w_da = (one_dimension.stationary(problem, o) for o in one_dimension.OBJECTIVES)
    assert np.all(np.diff(np.abs(w_r - w_d)) < 0) and abs(w_r - w_d)[-1] < 1e-11
    assert np.all(np.diff(w_r - w_da) > 0) and (w_r - w_da)[-1] > 20


def test_alternating_step_is_two_half_steps_and_doubles_the_ridge(lines):
    """Against explicit half-steps; and the distance to the simultaneous step with ridge 2λ is exactly second order."""
    rng = np.random.default_rng(4)
    w = rng.uniform(-1, 3, N)
    p, q = lines.r / lines.n_retain, lines.alpha * lines.r / lines.n_forget
    half = w + 0.3 * p * np.exp(-w) - 0.3 * lines.lam * w
    np.testing.assert_allclose(
        one_dimension.alternating_step(lines, w, 0.3),
        half - 0.3 * q * np.exp(-half) - 0.3 * lines.lam * half,
        rtol=1e-12,
    )
    doubled = replace(lines, lam=2 * lines.lam)
    eta = 1e-4
    gap = one_dimension.alternating_step(lines, w, eta) - one_dimension.simultaneous_step(
        doubled, w, eta
    )
    second = (lines.lam - q * np.exp(-w)) * (lines.lam * w - p * np.exp(-w))
    np.testing.assert_allclose(gap / eta**2, second, rtol=1e-2, atol=1e-2 * np.abs(second).max())


def test_alternating_iterates_respect_their_floor_where_simultaneous_ones_escape(lines):
    safe = replace(lines, lam=np.minimum(lines.lam, 1.9))
    for eta in (0.01, 0.5):
        floor = one_dimension.alternating_floor(safe, eta)
        for start in (-30.0, 0.0, 30.0):
            path = one_dimension.iterate(
                lambda w: one_dimension.alternating_step(safe, w, eta), np.full(N, start), 50
            )
            assert np.all(path[1:] >= floor - 1e-9 * (1 + np.abs(floor)))
    gone = OneCoordinate(900, 100, 100, 0.5, 0.01)
    assert one_dimension.regime(gone) == 2
    path = one_dimension.iterate(
        lambda w: one_dimension.simultaneous_step(gone, w, 0.5),
        one_dimension.stationary(gone, "D"),
        500,
    )
    assert path[-1] == -np.inf


def test_gradient_descent_reaches_the_closed_forms():
    problem = OneCoordinate(900, 100, 100, np.array([0.005, 0.05, 0.11, 0.125]), 0.1)
    np.testing.assert_array_equal(one_dimension.regime(problem), [0, 0, 0, 1])
    start = one_dimension.stationary(problem, "D")
    path = one_dimension.iterate(
        lambda w: one_dimension.simultaneous_step(problem, w, 1.0), start, 2000
    )
    np.testing.assert_allclose(path[-1], one_dimension.stationary(problem, "DA"), atol=1e-10)


# Two correlated coordinates -------------------------------------------------------------------------------------------


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
    problem = correlated.random_problems(np.random.default_rng(5), 2000)
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


def test_lemmas_6_7_12(planes):
    x_d, y_d = correlated.margins(planes, correlated.pretrained(planes))
    w_r = correlated.oracle(planes)
    assert _residual(planes, w_r, "R").max() < 1e-12
    x_r, y_r = correlated.margins(planes, w_r)
    np.testing.assert_allclose(y_r, 2 * planes.epsilon / (1 + planes.epsilon**2) * x_r, rtol=1e-12)
    ok = planes.alpha <= 1
    assert ok.sum() > 2000
    bounds = {name: value[ok] for name, value in correlated.lemma7_bounds(planes).items()}
    x, y = x_d[ok], y_d[ok]
    room = EPS * (1 + np.abs(x))
    assert np.all(y <= x + room)
    assert np.all(x >= bounds["x_low"] - room) and np.all(x <= bounds["x_high"] + room)
    assert np.all(x <= bounds["x_sharp"] + room)
    assert np.all(y >= bounds["y_low"] - room) and np.all(y <= bounds["y_high"] + room)


def test_lemmas_8_9(planes):
    minimum, saddle = correlated.da_stationary(planes)
    x_d, y_d = correlated.margins(planes, correlated.pretrained(planes))
    limit_x, limit_y = correlated.lemma8_bounds(planes)
    exists = np.isfinite(minimum[:, 0])
    assert exists.sum() > 1000
    assert not np.any((np.isnan(limit_x) | np.isnan(limit_y)) & exists)
    inside = exists & (planes.alpha >= correlated.lemma9_alpha(planes)) & (planes.alpha <= 1)
    assert inside.sum() > 200
    for w in (minimum, saddle):
        x, y = correlated.margins(planes, w)
        room = EPS * (1 + np.linalg.norm(w, axis=-1))
        with np.errstate(invalid="ignore"):
            assert np.all((x <= limit_x + room)[exists]) and np.all((y <= limit_y + room)[exists])
            assert np.all((x <= x_d + room)[inside]) and np.all((y <= y_d + room)[inside])


def test_lemma_10_and_the_window(planes):
    x_d, y_d = correlated.margins(planes, correlated.pretrained(planes))
    x_r, y_r = correlated.margins(planes, correlated.oracle(planes))
    low, high = correlated.harmful_window(planes)
    alpha_x, alpha_y = correlated.lemma10_alphas(planes)
    ok = planes.alpha <= np.minimum(alpha_y, 1)
    np.testing.assert_array_equal(ok, planes.alpha <= high)
    assert ok.sum() > 500 and (planes.alpha <= np.minimum(alpha_x, high)).sum() > 300
    room = EPS * (1 + np.abs(x_r))
    assert np.all((x_d <= x_r + room)[ok]) and np.all((y_d <= y_r + room)[ok])
    inside = ok & (planes.alpha >= low)
    minimum = correlated.da_stationary(planes)[0]
    far = np.linalg.norm(minimum - correlated.oracle(planes), axis=-1)
    near = np.linalg.norm(correlated.pretrained(planes) - correlated.oracle(planes), axis=-1)
    exists = inside & np.isfinite(far)
    assert exists.sum() > 100 and np.all(far[exists] > near[exists])


def test_alpha_x_is_where_the_bound_reaches_the_oracle():
    problem = TwoCoordinates(900, 100, 100, 0.0, 0.01, np.array([0.3, 0.6, 0.9]))
    at = replace(problem, alpha=correlated.lemma10_alphas(problem)[0])
    x_r, _ = correlated.margins(at, correlated.oracle(at))
    np.testing.assert_allclose(correlated.lemma7_bounds(at)["x_high"], x_r, rtol=1e-10)


def test_known_example():
    """|R| = 900, |F| = 100, r = 100, λ = 0.01, ε = 0.95: window [0.101, 0.108], no minimiser from 0.106 on."""
    problem = TwoCoordinates(900, 100, 100, np.array([0.105, 0.106]), 0.01, 0.95)
    low, high = correlated.harmful_window(problem)
    assert low == pytest.approx(0.101, abs=5e-4) and high == pytest.approx(0.108, abs=5e-4)
    assert np.isfinite(correlated.da_stationary(problem)[0][:, 0]).tolist() == [True, False]


def test_first_step_sign_is_what_a_small_step_does(planes):
    """Negative exactly where a tiny simultaneous step from the pretrained model moves away from the oracle."""
    start, target = correlated.pretrained(planes), correlated.oracle(planes)
    cosine = correlated.first_step(planes)
    gradient = correlated.gradient(planes, start, "DA")
    way = np.linalg.norm(start - target, axis=-1)
    step = 1e-6 * way / np.linalg.norm(gradient, axis=-1)
    change = np.linalg.norm(start - step[:, None] * gradient - target, axis=-1) - way
    clear = (np.abs(cosine) > 1e-3) & (way > 1e-6)
    assert clear.sum() > 2000
    np.testing.assert_array_equal(cosine[clear] < 0, change[clear] > 0)


def test_gradient_flow_ends_at_the_minimiser_and_stopping_early_is_measured():
    """From the pretrained model the flow reaches the minimiser, so that 'the limit of DA' means what the book says."""
    rng = np.random.default_rng(6)
    alpha, lam, epsilon = (
        rng.uniform(0.05, 1, 200) / 9,
        10 ** rng.uniform(-1.5, 0.5, 200),
        rng.uniform(0, 0.95, 200),
    )
    problem = TwoCoordinates(900, 100, 100, alpha, lam, epsilon)
    minimum, saddle = correlated.da_stationary(problem)
    w = correlated.pretrained(problem)
    for _ in range(6000):
        w = correlated.flow_step(problem, w, "DA")
    settled = (
        np.linalg.norm(minimum - saddle, axis=-1) > 0.5
    )  # away from the double root, where flow is slow
    assert settled.sum() > 50
    np.testing.assert_allclose(w[settled], minimum[settled], atol=1e-5)
    ratio = correlated.closest_approach(problem, 500)
    assert np.all(ratio <= 1)
    assert np.all(ratio[correlated.first_step(problem) > 0.05] < 1)


@pytest.mark.parametrize(("alpha", "epsilon"), [(0.05, 0.2), (0.09, 0.6), (0.02, 0.9), (0.1, 0.95)])
def test_closest_approach_agrees_with_an_ode_solver(alpha, epsilon):
    problem = TwoCoordinates(900, 100, 100, alpha, 0.1, epsilon)
    start, target = correlated.pretrained(problem), correlated.oracle(problem)
    flow = solve_ivp(
        lambda t, w: -correlated.gradient(problem, w, "DA"),
        (0, 400),
        start,
        rtol=1e-9,
        atol=1e-12,
        max_step=0.5,
    )
    ratio = np.linalg.norm(flow.y.T - target, axis=-1).min() / np.linalg.norm(start - target)
    assert correlated.closest_approach(problem, 2000) == pytest.approx(ratio, abs=0.02)


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


# Hostile input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("lam", -0.01, "lam = -0.01.*> 0"),
        ("lam", 0.0, "lam = 0"),
        ("lam", float("nan"), "lam = nan.*finite"),
        ("lam", float("inf"), "finite"),
        ("r", 901, "r = 901.*at most n_retain = 900"),
        ("r", 0, "r = 0"),
        ("alpha", 1.01, r"alpha \* r = 101.*at most n_forget = 100"),
        ("alpha", -0.1, "alpha = -0.1.*>= 0"),
        ("n_forget", 0, "n_forget = 0"),
        ("n_retain", -5, "n_retain = -5"),
        ("alpha", "0.1", "alpha is '0.1'"),
        ("alpha", None, "alpha is None"),
        ("alpha", [0.01, 5.0], r"alpha \* r = 500"),
        ("r", True, "r is True"),
    ],
)
def test_impossible_problems_are_refused(field, value, said):
    with pytest.raises(ValueError, match=said):
        OneCoordinate(**{**GOOD, field: value})
    with pytest.raises(ValueError, match=said):
        TwoCoordinates(**{**GOOD, field: value}, epsilon=0.5)


@pytest.mark.parametrize("epsilon", [-0.1, 1.0, 1.5, float("nan")])
def test_impossible_overlaps_are_refused(epsilon):
    with pytest.raises(ValueError, match="epsilon"):
        TwoCoordinates(**GOOD, epsilon=epsilon)


def test_unknown_objectives_branches_and_steps_are_refused():
    line, plane = OneCoordinate(**GOOD), TwoCoordinates(**GOOD, epsilon=0.5)
    with pytest.raises(ValueError, match="unknown objective 'GDA': choose from D, R, DA"):
        one_dimension.pull(line, "GDA")
    with pytest.raises(ValueError, match="unknown objective 'd'"):
        correlated.pulls(plane, "d")
    with pytest.raises(ValueError, match="branch 1"):
        one_dimension.stationary(line, "D", branch=1)
    with pytest.raises(ValueError, match=r"eta \* lam = 1.0.*< 1"):
        one_dimension.alternating_floor(line, 100.0)


def test_importing_the_theory_does_not_import_torch():
    code = "import sys, unlearning.theory.one_dimension, unlearning.theory.correlated; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
