"""One coordinate: closed forms, regimes, lemmas and the threshold of harm against independent solvers."""

import subprocess
import sys
from dataclasses import replace

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize

from unlearning.theory import alternating, correlated, one_dimension
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


@pytest.fixture(scope="module")
def lines():
    return one_dimension.random_problems(np.random.default_rng(1), N)


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


def test_unknown_objectives_branches_and_steps_are_refused():
    line, plane = OneCoordinate(**GOOD), TwoCoordinates(**GOOD, epsilon=0.5)
    with pytest.raises(ValueError, match="unknown objective 'GDA': choose from D, R, DA"):
        one_dimension.pull(line, "GDA")
    with pytest.raises(ValueError, match="unknown objective 'd'"):
        correlated.pulls(plane, "d")
    with pytest.raises(ValueError, match="branch 1"):
        one_dimension.stationary(line, "D", branch=1)
    with pytest.raises(ValueError, match=r"eta \* lam = 1.0.*< 1"):
        alternating.alternating_floor(line, 100.0)


def test_importing_the_theory_does_not_import_torch():
    code = "import sys, unlearning.theory.one_dimension, unlearning.theory.correlated; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_borders_belong_where_they_are_written():
    """At exactly |F|/|R| the regime is I and w_DA = 0; at exactly the last α it is II and w_DA = −1 (whole numbers)."""
    n_retain, n_forget, r = np.meshgrid([7, 30, 90, 131, 900, 99991], [3, 7, 10, 49, 100], [3, 7])
    line = OneCoordinate(n_retain, n_forget, r, 0.0 * r, 0.07)
    border = replace(line, alpha=np.minimum(n_forget / n_retain, n_forget / r))
    assert np.all(one_dimension.regime(border) == 0)
    assert np.all(one_dimension.stationary(border, "DA") == 0)
    last = replace(line, alpha=np.minimum(one_dimension.last_alpha(line), n_forget / r))
    fits = one_dimension.last_alpha(line) <= n_forget / r
    assert fits.sum() > 30 and np.all(one_dimension.regime(last)[fits] == 1)
    np.testing.assert_allclose(one_dimension.stationary(last, "DA")[fits], -1, atol=1e-6)
    np.testing.assert_allclose(one_dimension.stationary(last, "DA", -1)[fits], -1, atol=1e-6)


def test_random_problems_have_whole_counts_and_reach_every_regime(lines):
    count = lines.alpha * lines.r
    np.testing.assert_allclose(count, np.rint(count), rtol=1e-12)
    assert count.min() > 1 - 1e-12 and np.all(count <= lines.n_forget * (1 + 1e-12))
    assert np.all(lines.r == np.rint(lines.r))
    assert np.bincount(one_dimension.regime(lines), minlength=3).min() > 50


@settings(max_examples=150, deadline=None)
@given(one_coordinate(), st.floats(1, 20))
def test_logistic_minimiser_agrees_with_high_precision(problem, weight):
    for objective in one_dimension.OBJECTIVES:
        z = mpmath.mpf(float(one_dimension.pull(problem, objective, weight))) / problem.lam
        w = one_dimension.stationary_logistic(problem, objective, weight)
        assert np.isfinite(w)
        with mpmath.workdps(40):
            at = mpmath.mpf(float(w))
            residual = at * (1 + mpmath.exp(at)) - z
            slope = 1 + mpmath.exp(at) * (1 + at)
            assert abs(residual / slope) < 1e-12 * (1 + abs(at))


LOSSES = {  # −φ′ of convex, strictly decreasing losses
    "exponential": lambda w: np.exp(-w),
    "logistic": lambda w: 1 / (1 + np.exp(w)),
    "Student": lambda w: 1 - w / np.sqrt(1 + w**2),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_da_ends_farther_exactly_above_the_threshold(loss):
    """Against brentq on λw = A ψ(w), for three losses and ascent weights 1 to 5; −∞ where there is no root above −30."""
    rng = np.random.default_rng(8)
    psi, sides = LOSSES[loss], []
    for _ in range(400):
        n_retain, n_forget = rng.integers(10, 1000), rng.integers(1, 200)
        r = rng.integers(1, n_retain + 1)
        weight = rng.choice([1.0, rng.uniform(1, 5)])
        line = OneCoordinate(n_retain, n_forget, r, 0.0, 10 ** rng.uniform(-4, 1))
        star = one_dimension.harm_threshold(line, weight)
        line = replace(line, alpha=min(star * 10 ** rng.uniform(-1, 1.5), n_forget / r))

        def end(objective):
            a = float(one_dimension.pull(line, objective, weight))
            grid = np.linspace(0, -30, 601) if a < 0 else np.array([0.0, 100.0])
            force = line.lam * grid - a * psi(grid)
            turn = np.flatnonzero(force[1:] * force[:-1] <= 0)
            if len(turn) == 0:
                return -np.inf
            low, high = sorted(grid[turn[0] : turn[0] + 2])
            return brentq(lambda w: line.lam * w - a * psi(w), low, high, xtol=1e-14)

        d, oracle, da = end("D"), end("R"), end("DA")
        if abs(line.alpha / star - 1) < 1e-6:
            continue
        sides.append(line.alpha > star)
        assert (abs(da - oracle) > abs(d - oracle)) == sides[-1], (line, weight)
    assert 50 < sum(sides) < len(sides) - 50


def test_threshold_by_the_two_closed_forms(lines):
    low, _ = one_dimension.lemma3_range(lines)
    np.testing.assert_array_equal(one_dimension.harm_threshold(lines), low)
    clear = np.abs(lines.alpha / low - 1) > 1e-9
    for weight in (1.0, 3.0):
        star = one_dimension.harm_threshold(lines, weight)
        clear = np.abs(lines.alpha / star - 1) > 1e-6
        for solve in (one_dimension.stationary, one_dimension.stationary_logistic):
            d, oracle = solve(lines, "D"), solve(lines, "R")
            da = solve(lines, "DA", weight=weight)
            farther = np.abs(np.where(np.isnan(da), -np.inf, da) - oracle) > np.abs(d - oracle)
            tiny = np.abs(d - oracle) < 1e-12 * (1 + oracle)  # a difference below rounding
            wrong = (farther != (lines.alpha > star)) & clear & ~tiny
            assert wrong.sum() == 0


def test_every_small_step_of_lemma_3_moves_away(lines):
    """On the whole way from w_D down to w_DA the derivative of L_DA is positive: each small step points away."""
    low, high = one_dimension.lemma3_range(lines)
    inside = (lines.alpha > low * (1 + 1e-9)) & (lines.alpha <= high)
    d, da = (one_dimension.stationary(lines, o) for o in ("D", "DA"))
    for part in np.linspace(0.001, 1, 50):
        w = da + part * (d - da)
        assert np.all((one_dimension.gradient(lines, w, "DA") > 0)[inside & (d - da > 1e-9)])


def test_corollary_1_is_a_double_limit():
    """The distance of DA grows in 1/λ and in κ = α|R|/|F| separately: so every path into the corner diverges."""
    lam, kappa = np.meshgrid(
        10.0 ** -np.arange(0, 13.0), 1 - 10.0 ** -np.arange(0.5, 12), indexing="ij"
    )
    grid = OneCoordinate(900, 100, 100, kappa * 100 / 900, lam)
    gap = one_dimension.stationary(grid, "R") - one_dimension.stationary(grid, "DA")
    assert np.all(np.diff(gap, axis=0) > 0) and np.all(np.diff(gap, axis=1) > 0)
    assert gap[-1, -1] > 20
    near = np.abs(one_dimension.stationary(grid, "R") - one_dimension.stationary(grid, "D"))
    assert near[-1, -1] < 1e-10


def test_lemma_5_holds_on_the_lower_branch_too(lines):
    two = one_dimension.regime(lines) == 1
    gap = one_dimension.stationary(lines, "R") - one_dimension.stationary(lines, "DA", -1)
    assert two.sum() > 50 and np.all(gap[two] > one_dimension.lemma5_bound(lines)[two])


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan")])
def test_impossible_ascent_weights_are_refused(weight):
    line = OneCoordinate(**GOOD)
    with pytest.raises(ValueError, match="weight"):
        one_dimension.pull(line, "DA", weight)
    with pytest.raises(ValueError, match="weight = 0.5.*>= 1"):
        one_dimension.harm_threshold(line, 0.5)
