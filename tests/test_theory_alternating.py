"""One coordinate step by step: alternating and simultaneous descent-ascent, its floor, its resting points."""

from dataclasses import replace

import numpy as np
import pytest

from unlearning.theory import alternating, one_dimension
from unlearning.theory.one_dimension import OneCoordinate

GOOD = {"n_retain": 900, "n_forget": 100, "r": 100, "alpha": 0.05, "lam": 0.01}
N = 3000  # random problems per lemma
EPS = 1e-9  # relative room for rounding


@pytest.fixture(scope="module")
def lines():
    return one_dimension.random_problems(np.random.default_rng(1), N)


def test_alternating_step_is_two_half_steps_and_doubles_the_ridge(lines):
    """Against explicit half-steps; and the distance to the simultaneous step with ridge 2λ is exactly second order."""
    rng = np.random.default_rng(4)
    w = rng.uniform(-1, 3, N)
    p, q = lines.r / lines.n_retain, lines.alpha * lines.r / lines.n_forget
    half = w + 0.3 * p * np.exp(-w) - 0.3 * lines.lam * w
    np.testing.assert_allclose(
        alternating.alternating_step(lines, w, 0.3),
        half - 0.3 * q * np.exp(-half) - 0.3 * lines.lam * half,
        rtol=1e-12,
    )
    doubled = replace(lines, lam=2 * lines.lam)
    eta = 1e-4
    gap = alternating.alternating_step(lines, w, eta) - alternating.simultaneous_step(
        doubled, w, eta
    )
    second = (lines.lam - q * np.exp(-w)) * (lines.lam * w - p * np.exp(-w))
    np.testing.assert_allclose(gap / eta**2, second, rtol=1e-2, atol=1e-2 * np.abs(second).max())


def test_alternating_iterates_respect_their_floor_where_simultaneous_ones_escape(lines):
    safe = replace(lines, lam=np.minimum(lines.lam, 1.9))
    for eta in (0.01, 0.5):
        floor = alternating.alternating_floor(safe, eta)
        for start in (-30.0, 0.0, 30.0):
            path = alternating.iterate(
                lambda w: alternating.alternating_step(safe, w, eta), np.full(N, start), 50
            )
            assert np.all(path[1:] >= floor - 1e-9 * (1 + np.abs(floor)))
    gone = OneCoordinate(900, 100, 100, 0.5, 0.01)
    assert one_dimension.regime(gone) == 2
    path = alternating.iterate(
        lambda w: alternating.simultaneous_step(gone, w, 0.5),
        one_dimension.stationary(gone, "D"),
        500,
    )
    assert path[-1] == -np.inf


def test_gradient_descent_reaches_the_closed_forms():
    problem = OneCoordinate(900, 100, 100, np.array([0.005, 0.05, 0.11, 0.125]), 0.1)
    np.testing.assert_array_equal(one_dimension.regime(problem), [0, 0, 0, 1])
    start = one_dimension.stationary(problem, "D")
    path = alternating.iterate(
        lambda w: alternating.simultaneous_step(problem, w, 1.0), start, 2000
    )
    np.testing.assert_allclose(path[-1], one_dimension.stationary(problem, "DA"), atol=1e-10)


def test_the_expansion_has_the_remainder_of_its_order(lines):
    """The step minus its first k terms shrinks like η^(k+1): against the exact step at two step sizes."""
    w = np.random.default_rng(9).uniform(-1, 2, N)
    for k in (1, 2, 3):
        rest = [
            alternating.alternating_step(lines, w, eta)
            - w
            - alternating.expansion(lines, w, eta)[:k].sum(axis=0)
            for eta in (1e-2, 5e-3)
        ]
        clear = np.abs(rest[0]) > 1e-10
        assert clear.sum() > 100
        assert np.median(np.log2(np.abs(rest[0] / rest[1]))[clear]) == pytest.approx(k + 1, abs=0.1)


def test_orders_of_the_expansion_do_not_brake():
    """At w = −8 the three orders alternate and grow, while the exact step is small and points up (E7)."""
    line = OneCoordinate(900, 1, 100, 0.01, 0.1)  # p = 1/9, q = 1
    orders = alternating.expansion(line, -8.0, 0.1)
    assert orders[0] < 0 < orders[1] and orders[2] < -10 * orders[1] < 0
    step = alternating.alternating_step(line, -8.0, 0.1) + 8
    assert 30 < step < 36


@pytest.mark.parametrize("eta", [0.001, 0.5])
@pytest.mark.parametrize("sizes", [(900, 100, 100), (900, 50, 10)])
def test_every_resting_point_is_farther_than_the_start(sizes, eta):
    """Beyond the last stationary point, whatever the horizon; among them the corner |F| = 50, r = 10 (E8)."""
    line = OneCoordinate(*sizes, 0.0, 0.1)
    last, most = one_dimension.last_alpha(line), line.n_forget / line.r
    for alpha in np.linspace(last * 1.001, most, 7):
        one = replace(line, alpha=float(alpha))
        points = alternating.resting_points(one, eta)
        assert len(points) >= 1
        np.testing.assert_allclose(
            alternating.alternating_step(one, points, eta), points, atol=1e-9
        )
        start, oracle = (one_dimension.stationary(one, o) for o in ("D", "R"))
        assert np.all(np.abs(points - oracle) > abs(start - oracle))


def test_the_iterates_of_the_pages_own_corner_never_settle():
    """α = 1, η = 0.5: the fixed point repels, and the iterates bounce around it for ever."""
    line = OneCoordinate(900, 100, 100, 1.0, 0.1)
    [point] = alternating.resting_points(line, 0.5)
    path = alternating.iterate(
        lambda w: alternating.alternating_step(line, w, 0.5),
        one_dimension.stationary(line, "D"),
        3000,
    )[-500:]
    assert np.ptp(path) > 3 and path.min() < point < path.max()


@pytest.mark.parametrize("start", [-701.0, float("nan"), -float("inf")])
def test_starts_out_of_range_are_refused(start):
    with pytest.raises(ValueError, match="start.*>= -700"):
        alternating.iterate(lambda w: w, start, 3)
