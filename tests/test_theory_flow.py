"""Two coordinates: first steps and gradient flow against finite steps and an ODE solver."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from unlearning.theory import correlated, flow, windows
from unlearning.theory.correlated import TwoCoordinates

GOOD = {"n_retain": 900, "n_forget": 100, "r": 100, "alpha": 0.05, "lam": 0.01}
N = 3000  # random problems per lemma
EPS = 1e-9  # relative room for rounding


@pytest.fixture(scope="module")
def planes():
    return windows.random_problems(np.random.default_rng(2), N)


def test_first_step_sign_is_what_a_small_step_does(planes):
    """Negative exactly where a tiny simultaneous step from the pretrained model moves away from the oracle."""
    start, target = correlated.pretrained(planes), correlated.oracle(planes)
    cosine = flow.first_step(planes)
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
        w = flow.flow_step(problem, w, "DA")
    settled = (
        np.linalg.norm(minimum - saddle, axis=-1) > 0.5
    )  # away from the double root, where flow is slow
    assert settled.sum() > 50
    np.testing.assert_allclose(w[settled], minimum[settled], atol=1e-5)
    ratio = flow.closest_approach(problem, 500)
    assert np.all(ratio <= 1)
    assert np.all(ratio[flow.first_step(problem) > 0.05] < 1)


@pytest.mark.parametrize(("alpha", "epsilon"), [(0.05, 0.2), (0.09, 0.6), (0.02, 0.9), (0.1, 0.95)])
def test_closest_approach_agrees_with_an_ode_solver(alpha, epsilon):
    problem = TwoCoordinates(900, 100, 100, alpha, 0.1, epsilon)
    start, target = correlated.pretrained(problem), correlated.oracle(problem)
    path = solve_ivp(
        lambda t, w: -correlated.gradient(problem, w, "DA"),
        (0, 400),
        start,
        rtol=1e-9,
        atol=1e-12,
        max_step=0.5,
    )
    ratio = np.linalg.norm(path.y.T - target, axis=-1).min() / np.linalg.norm(start - target)
    assert flow.closest_approach(problem, 2000) == pytest.approx(ratio, abs=0.02)


def test_a_wrong_first_step_can_still_come_near():
    """E5: a problem whose first step points away and whose path later comes nearer than its start (ODE solver)."""
    one = TwoCoordinates(374, 219, 316, 52 / 316, 1.465e-8, 0.90108)
    assert -0.02 < flow.first_step(one) < 0
    start, target = correlated.pretrained(one), correlated.oracle(one)
    w, nearest = start, 1.0
    for _ in range(4000):
        w = flow.flow_step(one, w, "DA", longest=0.005)
        nearest = min(nearest, np.linalg.norm(w - target) / np.linalg.norm(start - target))
    assert nearest == pytest.approx(0.913, abs=0.01)
