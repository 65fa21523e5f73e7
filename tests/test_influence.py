"""Influence by autograd and conjugate gradients against dense matrices, scikit-learn and finite differences."""

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression
from torch.nn.functional import cross_entropy

from unlearning import influence
from unlearning.errors import Failed
from unlearning.theory import first_step

N, DIM, CLASSES = 40, 5, 3
GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(N, DIM, generator=GENERATOR, dtype=torch.float64)
Y = torch.randint(0, CLASSES, (N,), generator=GENERATOR)
THETA = torch.randn(DIM * CLASSES, generator=GENERATOR, dtype=torch.float64)
SETS = torch.zeros(3, N, dtype=torch.bool)
SETS[0, :5], SETS[1, 7:20], SETS[2, 39] = True, True, True
RIDGE = 0.2


def linear(theta):
    return X @ theta.view(DIM, CLASSES)


def network(theta):
    hidden = torch.tanh(X @ theta[: DIM * 4].view(DIM, 4))
    return hidden @ theta[DIM * 4 :].view(4, CLASSES)


def mean_loss(theta, rows):
    return cross_entropy(linear(theta)[rows], Y[rows])


def dense(rows):
    return torch.func.hessian(lambda t: mean_loss(t, rows))(THETA) + RIDGE * torch.eye(
        len(THETA), dtype=torch.float64
    )


def test_gauss_newton_is_the_hessian_of_softmax_regression():
    weights = (~SETS).double() / (~SETS).sum(1, keepdim=True)
    v = torch.randn(3, len(THETA), generator=GENERATOR, dtype=torch.float64)
    found = influence.gauss_newton(linear, THETA, weights, RIDGE)(v)
    for k in range(3):
        torch.testing.assert_close(found[k], dense(~SETS[k]) @ v[k])
    own = influence.gauss_newton(linear, THETA.expand(3, -1), weights, RIDGE)(v)
    torch.testing.assert_close(own, found)


def test_gauss_newton_of_a_network_is_j_transposed_s_j():
    theta = torch.randn(DIM * 4 + 4 * CLASSES, generator=GENERATOR, dtype=torch.float64)
    weights = torch.rand(2, N, generator=GENERATOR, dtype=torch.float64)
    v = torch.randn(2, len(theta), generator=GENERATOR, dtype=torch.float64)
    jacobian, p = torch.func.jacrev(network)(theta), network(theta).softmax(1)
    bend = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    for k in range(2):
        matrix = torch.einsum("n,nap,nab,nbq->pq", weights[k], jacobian, bend, jacobian)
        expected = matrix @ v[k] + 0.1 * v[k]
        found = influence.gauss_newton(network, theta, weights, 0.1)(v)[k]
        torch.testing.assert_close(found, expected)


def test_influences_and_norm_match_dense_linear_algebra():
    found = influence.influence(linear, THETA, Y, SETS, RIDGE, tolerance=1e-10, rounds=60)
    each = torch.func.jacrev(lambda t: cross_entropy(linear(t), Y, reduction="none"))(THETA)
    for k, inside in enumerate(SETS):
        inverse = torch.linalg.inv(dense(~inside))
        g_f, g_r = each[inside].mean(0), each[~inside].mean(0)
        block = each[inside] @ inverse @ each[~inside].T / N
        torch.testing.assert_close(found.forget[k], g_f @ inverse @ g_f)
        torch.testing.assert_close(found.cross[k], g_f @ inverse @ g_r)
        torch.testing.assert_close(found.retain[k], g_r @ inverse @ g_r)
        # the signed I_FR is n times the block's mean entry: the norm has lost the sign
        torch.testing.assert_close(found.cross[k], N * block.mean())
        assert float(found.norm[k]) == pytest.approx(
            float(torch.linalg.matrix_norm(block, 2)), rel=1e-3
        )


def test_gradients_and_changes_match_finite_differences():
    weights = torch.rand(2, N, generator=GENERATOR, dtype=torch.float64)
    v, h = torch.randn(1, len(THETA), generator=GENERATOR, dtype=torch.float64), 1e-6
    up, down = (cross_entropy(linear(THETA + s * h * v[0]), Y, reduction="none") for s in (1, -1))
    change = influence.loss_changes(linear, THETA, Y, v)[0]
    torch.testing.assert_close(change, (up - down) / (2 * h), atol=1e-7, rtol=1e-6)
    gradients = influence.set_gradients(linear, THETA, Y, weights)
    torch.testing.assert_close(gradients @ v[0], weights @ change)


def test_newton_finds_what_scikit_learn_finds():
    weights = torch.zeros(2, N, dtype=torch.float64)
    weights[0, :] = 1 / N
    weights[1, :25] = 1 / 25
    found = influence.newton(linear, Y, weights, RIDGE, torch.zeros_like(THETA))
    for k, rows in enumerate((slice(0, N), slice(0, 25))):
        m = len(X[rows])
        reference = LogisticRegression(
            C=1 / (RIDGE * m), fit_intercept=False, tol=1e-10, max_iter=5000
        )
        reference.fit(X[rows].numpy(), Y[rows].numpy())
        np.testing.assert_allclose(
            found[k].view(DIM, CLASSES).numpy(), reference.coef_.T, atol=1e-5
        )


def test_the_measured_rate_is_the_slope_of_the_squared_distance():
    one = torch.full((1, N), 1 / N, dtype=torch.float64)
    start = torch.zeros_like(THETA)
    theta = influence.newton(linear, Y, one, RIDGE, start)[0]
    weights = (~SETS).double() / (~SETS).sum(1, keepdim=True)
    oracles = influence.newton(linear, Y, weights, RIDGE, start)
    found = influence.measured_rate(linear, theta, Y, SETS, oracles, RIDGE)
    bounds = influence.influence(linear, theta, Y, SETS, RIDGE, tolerance=1e-10)
    f = SETS.double().mean(1).numpy()
    for k, inside in enumerate(SETS):
        w = theta.clone().requires_grad_()
        (mean_loss(w, ~inside) - mean_loss(w, inside) + RIDGE / 2 * w @ w).backward()
        moved = theta - 1e-6 * w.grad
        change = ((moved - oracles[k]) ** 2).sum() - ((theta - oracles[k]) ** 2).sum()
        assert float(found[k]) == pytest.approx(float(change) / 2e-6 / f[k], rel=1e-3)
    theory = first_step.away(bounds.forget, bounds.cross, bounds.retain, f)
    # the influence approximation: exact to first order in f
    assert float(found[2]) == pytest.approx(theory[2], rel=0.1)


def test_newton_starts_far_away_and_still_arrives():
    one = torch.full((1, N), 1 / N, dtype=torch.float64)
    near = influence.newton(linear, Y, one, 1e-3, torch.zeros_like(THETA))
    far = influence.newton(linear, Y, one, 1e-3, 30 * THETA)
    torch.testing.assert_close(near, far, atol=1e-5, rtol=1e-5)


def test_conjugate_gradients_solve_or_say_that_they_did_not():
    matrix = torch.diag(torch.logspace(0, 12, 30, dtype=torch.float64))
    b = torch.ones(2, 30, dtype=torch.float64)
    b[1] = 0  # a row that is solved from the start
    easy = influence.conjugate_gradients(
        lambda v: v @ (matrix / 1e12 + torch.eye(30, dtype=torch.float64)), b
    )
    assert torch.all(easy[1] == 0) and torch.isfinite(easy).all()
    with pytest.raises(Failed, match="residual .* give more damping"):
        influence.conjugate_gradients(lambda v: v @ matrix, b, tolerance=1e-12, most=5)


def test_rank_correlation_against_scipy_and_the_partial_formula():
    rng = np.random.default_rng(0)
    c = rng.normal(size=50)
    a, b = c + rng.normal(size=50), c + rng.normal(size=50)
    value, low, high = influence.rank_correlation(a, b)
    assert value == pytest.approx(stats.spearmanr(a, b).statistic) and low < value < high
    r = stats.spearmanr(np.column_stack([a, b, c])).statistic
    partial = (r[0, 1] - r[0, 2] * r[1, 2]) / np.sqrt((1 - r[0, 2] ** 2) * (1 - r[1, 2] ** 2))
    assert influence.rank_correlation(a, b, c)[0] == pytest.approx(partial)
    # what hangs on c alone is gone when c is partialled out
    low, high = influence.rank_correlation(c + 0.01 * rng.normal(size=50), a, c)[1:]
    assert low < 0 < high
    assert np.isnan(influence.rank_correlation([1, 1, 1, 1], [1, 2, 3, 4])).all()  # nothing varies


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: influence.gauss_newton(linear, THETA, torch.ones(1, N), 0),
        lambda: influence.influence(linear, THETA, Y, torch.zeros(1, N, dtype=torch.bool), RIDGE),
        lambda: influence.influence(linear, THETA, Y, torch.ones(1, N, dtype=torch.bool), RIDGE),
        lambda: influence.influence(linear, THETA, Y, SETS.double(), RIDGE),
        lambda: influence.rank_correlation([1, 2, 3], [1, 2, 3]),
        lambda: influence.rank_correlation([1, 2, 3, np.nan], [1, 2, 3, 4]),
    ],
)
def test_hostile_input_is_refused_with_a_sentence(wrong):
    with pytest.raises(ValueError, match="give"):
        wrong()
