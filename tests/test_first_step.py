"""The first-step theorem against independent solvers, its corollaries, and the paper's Lemma 3."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, lambertw

from unlearning.theory import first_step

FRACTION = st.floats(0.001, 0.9)
ASCENT = st.floats(0.1, 5)


def logistic(seed: int, dim: int, ridge: float):
    """A random logistic regression: (w_D, w_R, g_F, g_R, averaged Hessian of L_R, f, step by finite differences)."""
    rng = np.random.default_rng(seed)
    n, k = 60, int(rng.integers(2, 30))
    z = rng.normal(size=(n, dim)) * rng.uniform(0.3, 2, dim) + rng.normal(size=dim)
    z[:k] += rng.normal(size=dim) * rng.choice([0, 1])

    def mean(w, rows):
        return np.mean(np.logaddexp(0, -z[rows] @ w))

    def slope(w, rows):
        return -expit(-z[rows] @ w) @ z[rows] / len(z[rows])

    def train(rows):
        def value(w):
            return mean(w, rows) + ridge / 2 * w @ w

        return minimize(value, np.zeros(dim), jac=lambda w: slope(w, rows) + ridge * w, tol=1e-13).x

    forget, retain, whole = slice(0, k), slice(k, n), slice(0, n)
    w_d, w_r = train(whole), train(retain)
    nodes, shares = np.polynomial.legendre.leggauss(40)
    bent = np.zeros((dim, dim))
    for t, share in zip((nodes + 1) / 2, shares / 2, strict=True):
        w = w_d + t * (w_r - w_d)
        c = expit(z[retain] @ w) * expit(-z[retain] @ w)
        bent += share * (z[retain].T * c) @ z[retain] / (n - k)
    step = -(
        slope(w_d, retain) - slope(w_d, forget) + ridge * w_d
    )  # −∇L_DA, as the paper defines it
    return w_d, w_r, slope(w_d, forget), slope(w_d, retain), bent + ridge * np.eye(dim), k / n, step


@pytest.mark.parametrize("dim", [1, 2, 5, 20])
@pytest.mark.parametrize("ridge", [0.01, 0.3, 3.0])
def test_the_theorem_on_random_logistic_regressions(dim, ridge):
    for seed in range(12):
        w_d, w_r, g_f, g_r, bent, f, step = logistic(seed, dim, ridge)
        np.testing.assert_allclose(first_step.step(g_f, g_r, f), step, atol=1e-6)
        i = {
            (a, b): x @ np.linalg.solve(bent, y)
            for a, x in (("F", g_f), ("R", g_r))
            for b, y in (("F", g_f), ("R", g_r))
        }
        rate = first_step.away(i["F", "F"], i["F", "R"], i["R", "R"], f)
        assert -(w_r - w_d) @ step == pytest.approx(f * rate, abs=2e-6)
        if abs(f * rate) > 1e-5:
            assert (rate > 0) == ((w_r - w_d) @ step < 0)


@given(f=FRACTION, ascent=ASCENT, u=st.floats(0.001, 5))
def test_below_the_threshold_no_first_step_is_wrong(f, ascent, u):
    limit = float(first_step.cosine_threshold(f, ascent))
    assert 0 < limit < 1
    assert first_step.away(u * u, (limit - 1e-9) * u, 1.0, f, ascent) <= 0
    best = np.sqrt(f / (ascent + f))  # the ratio at which the threshold is attained
    assert first_step.away(best**2, (limit + 1e-6) * best, 1.0, f, ascent) > 0


@given(f=FRACTION, ascent=ASCENT, cosine=st.floats(-1, 1))
def test_wrong_ratios_are_where_the_sign_changes(f, ascent, cosine):
    low, high = first_step.wrong_ratios(cosine, f, ascent)
    if np.isnan(low):
        grid = np.linspace(0.001, 3, 400)
        assert np.all(first_step.away(grid**2, cosine * grid, 1.0, f, ascent) <= 1e-12)
    else:
        middle = np.sqrt(low * high)
        assert first_step.away(middle**2, cosine * middle, 1.0, f, ascent) >= -1e-12
        for u in (low * 0.99, high * 1.01):
            assert first_step.away(u * u, cosine * u, 1.0, f, ascent) < 0


def test_at_cosine_one_it_is_lemma_3_in_any_dimension():
    n_r, n_f, r, ridge = 900, 100, 100, 0.1
    f = n_f / (n_r + n_f)
    low, high = first_step.wrong_ratios(1.0, f)
    # one coordinate: g_F / g_R = α |R| / |F|; Lemma 3's ends in α
    assert low * n_f / n_r == pytest.approx(n_f**2 / (n_r * (2 * n_f + n_r)))
    assert high * n_f / n_r == pytest.approx(n_f / n_r)
    for alpha in (0.005, 0.0100, 0.0102, 0.05, 0.11, 0.112, 0.3):
        w_d = lambertw((1 + alpha) * r / (ridge * 1000)).real
        w_r = lambertw(r / (ridge * n_r)).real
        step = r * np.exp(-w_d) * (1 / n_r - alpha / n_f) - ridge * w_d
        g_r, g_f = -r / n_r * np.exp(-w_d), -alpha * r / n_f * np.exp(-w_d)
        rate = first_step.away(g_f**2, g_f * g_r, g_r**2, f)
        assert (rate > 0) == ((w_r - w_d) * step < 0) == (low < alpha * n_r / n_f < high)


def test_pure_ascent_is_the_limit_of_a_large_ascent_weight():
    f, big = 0.1, 1e9
    assert first_step.away(1.0, 1.5, 3.0, f, big) / big == pytest.approx(1.5 - 1.0, rel=1e-6)


@settings(max_examples=50)
@given(f=FRACTION, g=st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_without_a_ridge_the_first_step_is_never_wrong(f, g):
    g_f = np.array(g)
    g_r = -f / (1 - f) * g_f  # trained to the end without a ridge
    assert first_step.away(g_f @ g_f, g_f @ g_r, g_r @ g_r, f) <= 0


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: first_step.step([1.0], [1.0], 0),
        lambda: first_step.step([1.0], [1.0], 1.0),
        lambda: first_step.away(-1, 0, 1, 0.1),
        lambda: first_step.away(1, np.nan, 1, 0.1),
        lambda: first_step.away(1, 1, 1, 0.1, ascent=0),
        lambda: first_step.cosine_threshold(0.1, ascent=np.inf),
        lambda: first_step.cosine_threshold([0.1, 1.2]),
        lambda: first_step.wrong_ratios(1.1, 0.1),
    ],
)
def test_hostile_input_is_refused_with_a_sentence(wrong):
    with pytest.raises(ValueError, match="give"):
        wrong()
