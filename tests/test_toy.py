"""The two-parameter network against finite differences, a grid, an ODE solver, and the published minima."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.ndimage import minimum_filter
from scipy.optimize import approx_fprime

from unlearning.theory import toy_minima

FORGOTTEN = (0, 0, 0, 2)
OBJECTIVES = {
    "D": toy_minima.Objective(toy_minima.COPIES),
    "R": toy_minima.descent_ascent(FORGOTTEN, rate=0),
    "DA": toy_minima.descent_ascent(FORGOTTEN),
}
GOOD, WRONG = (-1, 1, 1, 1), (-1, 1, -1, -1)
# (a, b), value, predicted signs: an independent multi-start, printed to the digits given
TABLE = {
    "D": [((2.51, -0.52), 4.859, GOOD), ((2.27, -1.14), 16.978, WRONG)],
    "R": [((2.46, -0.54), 4.813, GOOD), ((2.28, -1.15), 8.982, WRONG)],
    "DA": [((2.28, -1.16), 0.986, WRONG)],
}


def found(objective, seed=0, **kwargs):
    return toy_minima.minima(objective, np.random.default_rng(seed), **kwargs)


def test_multiplicities_of_section_5_2():
    assert OBJECTIVES["R"].copies == (5, 4, 1, 2) and OBJECTIVES["DA"].copies == (5, 4, 1, 0)
    assert toy_minima.descent_ascent((0, 0, 0, 1), rate=2).copies == (5, 4, 1, 1)


@pytest.mark.parametrize("name", TABLE)
def test_minima_reproduce_the_table(name):
    minima = found(OBJECTIVES[name])
    assert len(minima) == len(TABLE[name])
    for minimum, (theta, value, signs) in zip(minima, TABLE[name], strict=True):
        # half a unit of the last digit printed, and a hair for the digit's own rounding
        np.testing.assert_allclose(minimum.theta, theta, atol=0.0055)
        assert minimum.value == pytest.approx(value, abs=0.00055)
        assert minimum.signs == signs


@pytest.mark.parametrize("name", TABLE)
def test_minima_agree_with_a_brute_force_grid(name):
    side = np.linspace(-6, 6, 1201)
    theta = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1)
    values = toy_minima.loss(theta, OBJECTIVES[name])
    # the middle point of a 9 x 9 neighbourhood: narrow diagonal valleys make false minima on smaller ones
    lowest = (values == minimum_filter(values, size=9)) & (np.abs(theta) < 5.9).all(axis=-1)
    on_grid = sorted(zip(values[lowest], theta[lowest].tolist(), strict=True))
    minima = found(OBJECTIVES[name])
    assert len(on_grid) == len(minima)
    for (value, point), minimum in zip(on_grid, minima, strict=True):
        assert np.abs(np.array(point) - minimum.theta).max() < 0.03
        assert minimum.value <= value < minimum.value + 0.02


@pytest.mark.parametrize("name", TABLE)
def test_minima_do_not_depend_on_seed_or_box(name):
    reference = found(OBJECTIVES[name])
    for other in (
        found(OBJECTIVES[name], seed=7),
        found(OBJECTIVES[name], seed=1, box=15.0, starts=150),
    ):
        assert len(other) == len(reference)
        for a, b in zip(other, reference, strict=True):
            np.testing.assert_allclose(a.theta, b.theta, atol=1e-5)


@settings(max_examples=200, deadline=None)
@given(
    theta=st.tuples(st.floats(-6, 6), st.floats(-6, 6)),
    copies=st.tuples(*[st.floats(-5, 5)] * 4),
    ridge=st.floats(1e-3, 2),
    activation=st.sampled_from(list(toy_minima.ACTIVATIONS)),
)
def test_gradient_matches_finite_differences(theta, copies, ridge, activation):
    objective = toy_minima.Objective(copies, ridge, activation)
    numeric = approx_fprime(np.array(theta), lambda t: float(toy_minima.loss(t, objective)), 1e-7)
    np.testing.assert_allclose(toy_minima.gradient(theta, objective), numeric, rtol=1e-4, atol=1e-3)


def test_hessian_matches_second_differences_of_the_loss():
    h, unit = 1e-4, np.eye(2)
    for theta in np.random.default_rng(0).normal(size=(20, 2)):

        def f(i, j, a, b):
            return toy_minima.loss(theta + h * (a * unit[i] + b * unit[j]), OBJECTIVES["R"])

        numeric = [
            [
                (f(i, j, 1, 1) - f(i, j, 1, -1) - f(i, j, -1, 1) + f(i, j, -1, -1)) / (4 * h * h)
                for j in range(2)
            ]
            for i in range(2)
        ]
        np.testing.assert_allclose(
            toy_minima.hessian(theta, OBJECTIVES["R"]), numeric, rtol=1e-4, atol=1e-3
        )


def test_batches_equal_single_points():
    theta = np.random.default_rng(0).normal(size=(3, 5, 2))
    for function in (toy_minima.loss, toy_minima.gradient, toy_minima.predict, toy_minima.signs):
        whole = function(theta, OBJECTIVES["R"])
        assert np.allclose(whole[1, 2], function(theta[1, 2], OBJECTIVES["R"]))


def test_activations_are_the_two_formulas():
    z = np.linspace(-9, 9, 101)
    np.testing.assert_allclose(
        toy_minima.ACTIVATIONS["symmetric"][0](z), 2 / (1 + np.exp(-(1 + z))) - 1, atol=1e-14
    )
    np.testing.assert_allclose(
        toy_minima.ACTIVATIONS["printed"][0](z), 1 / (1 + np.exp(-(1 + z) / 2)), atol=1e-14
    )


@pytest.mark.parametrize("name", TABLE)
def test_printed_activation_calls_everything_positive(name):
    objective = toy_minima.Objective(OBJECTIVES[name].copies, activation="printed")
    theta = np.random.default_rng(0).normal(scale=3, size=(10_000, 2))
    assert (toy_minima.signs(theta, objective) == 1).all()
    assert all(m.signs == (1, 1, 1, 1) for m in found(objective))


def test_descent_stays_in_the_wrong_basin_and_the_flow_agrees():
    (start,) = found(OBJECTIVES["DA"])
    best, worse = found(OBJECTIVES["R"])
    path = toy_minima.descend(start.theta, OBJECTIVES["R"], step=5e-3, steps=10_000)
    np.testing.assert_allclose(path[-1], worse.theta, atol=1e-6)
    assert np.all(np.diff(toy_minima.loss(path, OBJECTIVES["R"])) <= 1e-12)
    flow = solve_ivp(
        lambda t, x: -toy_minima.gradient(x, OBJECTIVES["R"]),
        (0, 50),
        start.theta,
        method="LSODA",
        rtol=1e-8,
    )
    np.testing.assert_allclose(flow.y[:, -1], worse.theta, atol=1e-4)


def test_short_descent_steps_follow_the_gradient_flow():
    start = np.array([1.0, -1.0])
    path = toy_minima.descend(start, OBJECTIVES["D"], step=1e-4, steps=2000)
    flow = solve_ivp(
        lambda t, x: -toy_minima.gradient(x, OBJECTIVES["D"]),
        (0, 0.2),
        start,
        method="LSODA",
        rtol=1e-9,
    )
    np.testing.assert_allclose(path[-1], flow.y[:, -1], atol=2e-3)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: toy_minima.Objective((1, 2, 3)),
        lambda: toy_minima.Objective((1, 2, 3, np.nan)),
        lambda: toy_minima.Objective(toy_minima.COPIES, ridge=0),
        lambda: toy_minima.Objective(toy_minima.COPIES, ridge=np.inf),
        lambda: toy_minima.Objective(toy_minima.COPIES, activation="sigmoid"),
        lambda: toy_minima.descent_ascent((0, 0, 0, 5)),
        lambda: toy_minima.descent_ascent((0, 0, 0, -1)),
        lambda: toy_minima.descent_ascent((0, 0, 0)),
        lambda: toy_minima.descent_ascent(FORGOTTEN, rate=-1),
        lambda: toy_minima.loss([1, 2, 3], OBJECTIVES["D"]),
        lambda: toy_minima.gradient([np.nan, 1], OBJECTIVES["D"]),
        lambda: found(OBJECTIVES["D"], starts=0),
        lambda: found(OBJECTIVES["D"], box=-1),
        lambda: toy_minima.descend([1, 1], OBJECTIVES["D"], step=0, steps=5),
        lambda: toy_minima.descend([1, 1], OBJECTIVES["D"], step=0.1, steps=0),
        lambda: toy_minima.descend([1, 1], OBJECTIVES["D"], step=1e3, steps=500),
    ],
)
def test_hostile_input_is_refused_with_a_sentence(wrong):
    with pytest.raises(ValueError, match=r"give|above 0|allowed"):
        wrong()
