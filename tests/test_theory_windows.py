"""Two coordinates: the paper's bounds, its window, and the exact window of harm at every stopping time."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from unlearning.theory import correlated, flow, one_dimension, windows
from unlearning.theory.correlated import TwoCoordinates
from unlearning.theory.one_dimension import OneCoordinate

GOOD = {"n_retain": 900, "n_forget": 100, "r": 100, "alpha": 0.05, "lam": 0.01}
N = 3000  # random problems per lemma
EPS = 1e-9  # relative room for rounding


@pytest.fixture(scope="module")
def planes():
    return windows.random_problems(np.random.default_rng(2), N)


def _residual(problem, w, objective):
    """‖gradient‖ over λ‖w‖ plus the larger pull: 0 at a stationary point, 1 far from one."""
    (a, b), (x, y) = correlated.pulls(problem, objective), correlated.margins(problem, w)
    scale = problem.lam * np.linalg.norm(w, axis=-1) + a * np.exp(-x) + np.abs(b) * np.exp(-y)
    return np.linalg.norm(correlated.gradient(problem, w, objective), axis=-1) / scale


def test_lemmas_6_7_12(planes):
    x_d, y_d = correlated.margins(planes, correlated.pretrained(planes))
    w_r = correlated.oracle(planes)
    assert _residual(planes, w_r, "R").max() < 1e-12
    x_r, y_r = correlated.margins(planes, w_r)
    np.testing.assert_allclose(y_r, 2 * planes.epsilon / (1 + planes.epsilon**2) * x_r, rtol=1e-12)
    ok = planes.alpha <= 1
    assert ok.sum() > 2000
    bounds = {name: value[ok] for name, value in windows.lemma7_bounds(planes).items()}
    x, y = x_d[ok], y_d[ok]
    room = EPS * (1 + np.abs(x))
    assert np.all(y <= x + room)
    assert np.all(x >= bounds["x_low"] - room) and np.all(x <= bounds["x_high"] + room)
    assert np.all(x <= bounds["x_sharp"] + room)
    assert np.all(y >= bounds["y_low"] - room) and np.all(y <= bounds["y_high"] + room)


def test_lemmas_8_9(planes):
    minimum, saddle = correlated.da_stationary(planes)
    x_d, y_d = correlated.margins(planes, correlated.pretrained(planes))
    limit_x, limit_y = windows.lemma8_bounds(planes)
    exists = np.isfinite(minimum[:, 0])
    assert exists.sum() > 1000
    assert not np.any((np.isnan(limit_x) | np.isnan(limit_y)) & exists)
    inside = exists & (planes.alpha >= windows.lemma9_alpha(planes)) & (planes.alpha <= 1)
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
    low, high = windows.paper_window(planes, with_x=False)
    alpha_x, alpha_y = windows.lemma10_alphas(planes)
    ok = planes.alpha <= np.minimum(alpha_y, 1)
    np.testing.assert_array_equal(ok, planes.alpha <= high)
    assert ok.sum() > 500 and (planes.alpha <= np.minimum(alpha_x, high)).sum() > 250
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
    at = replace(problem, alpha=windows.lemma10_alphas(problem)[0])
    x_r, _ = correlated.margins(at, correlated.oracle(at))
    np.testing.assert_allclose(windows.lemma7_bounds(at)["x_high"], x_r, rtol=1e-10)


def test_known_example():
    """|R| = 900, |F| = 100, r = 100, λ = 0.01, ε = 0.95: window [0.101, 0.108], no minimiser from 0.106 on."""
    problem = TwoCoordinates(900, 100, 100, np.array([0.105, 0.106]), 0.01, 0.95)
    low, high = windows.paper_window(problem, with_x=False)
    assert low == pytest.approx(0.101, abs=5e-4) and high == pytest.approx(0.108, abs=5e-4)
    assert np.isfinite(correlated.da_stationary(problem)[0][:, 0]).tolist() == [True, False]


def direct(problem):
    """From the definition: is each margin's velocity at w_D <= 0, and each margin of w_D at most the oracle's?"""
    start = correlated.pretrained(problem)
    (x, y), (x_r, y_r) = (
        correlated.margins(problem, w) for w in (start, correlated.oracle(problem))
    )
    fall_x, fall_y = correlated.margins(problem, -correlated.gradient(problem, start, "DA"))
    return (fall_x <= 0) & (fall_y <= 0) & (x <= x_r) & (y <= y_r)


def test_the_stopping_window_is_the_definition(planes):
    low, high = windows.stopping_window(planes)
    clear = (np.abs(planes.alpha / low - 1) > 1e-9) & (np.abs(planes.alpha / high - 1) > 1e-9)
    inside = (planes.alpha >= low) & (planes.alpha <= high)
    assert inside.sum() > 500 and (~inside).sum() > 500 and clear.sum() > 2900
    np.testing.assert_array_equal(inside[clear], direct(planes)[clear])


def test_no_margin_ever_rises_inside_and_one_rises_outside(planes):
    low, high = windows.stopping_window(planes)
    inside = (planes.alpha >= low) & (planes.alpha <= high)
    rise = flow.highest_rise(windows.subset(planes, inside), 400)
    assert np.all(rise < 0)
    below = (planes.alpha < low * (1 - 1e-6)) & (planes.alpha > 0) & (planes.alpha <= 1)
    assert below.sum() > 200
    assert np.all(flow.highest_rise(windows.subset(planes, below), 50) > 0)


def test_no_margin_rises_along_an_ode_solution():
    """20 problems in the window, some without a limit, followed by an independent integrator."""
    rng = np.random.default_rng(11)
    ended = 0
    for _ in range(20):
        line = TwoCoordinates(900, 100, 100, 0.0, 10 ** rng.uniform(-3, 0), rng.uniform(0.5, 0.95))
        low, high = windows.stopping_window(line)
        one = replace(line, alpha=low + rng.uniform(0.02, 0.98) * (high - low))
        start = correlated.pretrained(one)

        def escaped(t, w):
            return min(correlated.margins(one, w)) + 8

        escaped.terminal = True
        path = solve_ivp(
            lambda t, w: -correlated.gradient(one, w, "DA"),
            (0, 30 / one.lam),
            start,
            method="LSODA",
            rtol=1e-9,
            atol=1e-11,
            events=escaped,
        ).y.T
        ended += np.isfinite(correlated.da_stationary(one)[0]).all()
        x, y = correlated.margins(one, path)
        assert x.max() <= x[0] + 1e-8 and y.max() <= y[0] + 1e-8
    assert 0 < ended < 20


def test_windows_lie_inside_each_other(planes):
    printed, wider = (windows.paper_window(planes, with_x=flag) for flag in (True, False))
    low, high = windows.stopping_window(planes)
    explicit = windows.explicit_lower_end(planes)
    some = wider[0] <= wider[1]
    assert some.sum() > 300 and np.all(printed[1] <= wider[1])
    room = 1 + 1e-9
    assert np.all((low <= wider[0] * room)[some]) and np.all((wider[1] <= high * room)[some])
    assert np.all((low <= explicit * room)[explicit <= 1])


def test_ends_of_the_stopping_window():
    """As ε → 1 it becomes Lemma 3's range; at ε = 0 it is empty."""
    close = TwoCoordinates(900, 100, 100, 0.0, 0.01, 1 - 1e-13)
    line = OneCoordinate(900, 100, 100, 0.0, 0.01)
    np.testing.assert_allclose(
        windows.stopping_window(close), one_dimension.lemma3_range(line), rtol=1e-10
    )
    assert windows.stopping_window(replace(close, epsilon=0.0)) == (np.inf, 0.0)


def test_lemma_8_proves_that_there_is_none(planes):
    limit_x, limit_y = windows.lemma8_bounds(planes)
    impossible = np.isnan(limit_x) | np.isnan(limit_y)
    minimum, saddle = correlated.da_stationary(planes)
    assert impossible.sum() > 100
    assert np.isnan(minimum[impossible]).all() and np.isnan(saddle[impossible]).all()


def test_the_printed_window_is_empty_at_the_default_and_opens_with_the_ridge():
    """E4: with α_x nothing is left at λ = 0.01 for the fractions drawn; near λ = 1 and above it opens."""
    epsilon = np.linspace(0.005, 0.995, 991)
    for share in (0.05, 0.1, 0.2, 0.3):
        sizes = (1000 * (1 - share), 1000 * share, 100, 0.0)
        low, high = windows.paper_window(TwoCoordinates(*sizes, 0.01, epsilon))
        assert not np.any(low < high)
        low, high = windows.paper_window(TwoCoordinates(*sizes, 0.01, epsilon), with_x=False)
        assert np.any(low < high)
        low, high = windows.paper_window(TwoCoordinates(*sizes, 2.0, epsilon))
        assert np.any(low < high)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 10**6), st.integers(1, 10**6), st.floats(0, 1), st.floats(-12, 3),
    st.one_of(st.sampled_from([0.0, 1e-300, 1e-12, 1 - 1e-12, np.nextafter(1, 0)]), st.floats(0, 0.9999)),
)  # fmt: skip
def test_no_window_is_nan(n_retain, n_forget, part, log_lam, epsilon):
    r = 1 + int(part * (n_retain - 1))
    one = TwoCoordinates(n_retain, n_forget, r, 0.0, 10**log_lam, epsilon)
    ends = [
        *windows.stopping_window(one),
        *windows.paper_window(one),
        windows.explicit_lower_end(one),
    ]
    assert not np.isnan(ends).any(), (one, ends)
    assert not any(np.isnan(bound) for bound in windows.lemma7_bounds(one).values())
