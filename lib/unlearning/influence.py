"""Influence without a Hessian: gradients and Gauss-Newton products by autograd, inverses by conjugate gradients.

A model is a function logits(θ): (p,) -> (n, classes) of one flat vector of weights, on fixed inputs. Losses are
cross-entropies; a set of points is a row of weights over the n points that sums to 1 (the mean over the set). Stacks of
k weightings share one θ. Nothing of size p × p or n × n is ever formed. For softmax regression the Gauss-Newton matrix
is the Hessian; for a network it is the part of it that is never negative (Martens 2020; Koh and Liang 2017 damp it too).
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.stats import rankdata
from torch import Tensor
from torch.func import jvp, vjp, vmap
from torch.nn.functional import cross_entropy

from unlearning.errors import Failed

Logits = Callable[[Tensor], Tensor]

with (
    warnings.catch_warnings()
):  # torch's first forward-mode derivative warns about torch's own use of torch.jit
    warnings.simplefilter("ignore", DeprecationWarning)
    jvp(torch.sin, (torch.zeros(1),), (torch.ones(1),))


def _rows(theta: Tensor) -> int | None:
    """vmap's axis of theta: one vector for all rows (p,), or one for each (k, p)."""
    return 0 if theta.ndim == 2 else None


def set_gradients(logits: Logits, theta: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Gradients (k, p) of Σ_i weights[k, i] ℓ_i, without any ridge; theta (p,) or (k, p), labels (n,), weights (k, n)."""

    def one(t: Tensor, w: Tensor) -> Tensor:
        pull = vjp(lambda u: cross_entropy(logits(u), labels, reduction="none"), t)[1]
        return pull(w)[0]

    return vmap(one, in_dims=(_rows(theta), 0))(theta, weights)


def loss_changes(logits: Logits, theta: Tensor, labels: Tensor, directions: Tensor) -> Tensor:
    """First-order changes (k, n) of every point's loss at theta (p,) along directions (k, p)."""

    def losses(t: Tensor) -> Tensor:
        return cross_entropy(logits(t), labels, reduction="none")

    return vmap(lambda v: jvp(losses, (theta,), (v,))[1])(directions)


def gauss_newton(
    logits: Logits, theta: Tensor, weights: Tensor, damping: float
) -> Callable[[Tensor], Tensor]:
    """The product v -> Σ_i w_i J_iᵀ (diag p_i − p_i p_iᵀ) J_i v + damping · v for stacks v (k, p).

    theta (p,) or (k, p); weights (k, n): one weighting for each row of v. damping: the ridge, plus what makes a flat
    network invertible; raises ValueError unless above 0.
    """
    if not damping > 0:
        raise ValueError(f"damping = {damping}: give a number above 0")

    def one(t: Tensor, v: Tensor, w: Tensor) -> Tensor:
        z, moved = jvp(logits, (t,), (v,))
        probability = z.softmax(-1)
        bent = probability * (moved - (probability * moved).sum(-1, keepdim=True))
        return vjp(logits, t)[1](w[:, None] * bent)[0] + damping * v

    return lambda v: vmap(one, in_dims=(_rows(theta), 0, 0))(theta, v, weights)


def conjugate_gradients(
    product: Callable[[Tensor], Tensor], b: Tensor, tolerance: float = 1e-6, most: int = 1000
) -> Tensor:
    """x with product(x) = b for a stack b (k, p), product linear, symmetric and positive definite row by row.

    Hestenes and Stiefel's method; stops when every residual is below tolerance · ‖b‖. Raises Failed after `most` steps.
    """
    x, r = torch.zeros_like(b), b.clone()
    d, rr = r.clone(), (r * r).sum(-1, keepdim=True)
    goal = tolerance**2 * rr
    for _ in range(most):
        if bool((rr <= goal).all()):
            return x
        image = product(d)
        curvature = (d * image).sum(-1, keepdim=True)
        # a row that has arrived exactly stands still
        alpha = torch.where(curvature > 0, rr / curvature, torch.zeros_like(rr))
        x, r = x + alpha * d, r - alpha * image
        before, rr = rr, (r * r).sum(-1, keepdim=True)
        d = r + torch.where(before > 0, rr / before, torch.zeros_like(rr)) * d
    worst = float((rr / goal.clamp_min(torch.finfo(b.dtype).tiny)).max().sqrt()) * tolerance
    raise Failed(
        f"conjugate gradients: residual {worst:.1e} after {most} steps, {tolerance:.1e} was asked for; "
        "give more damping, a larger tolerance or more steps"
    )


def newton(
    logits: Logits,
    labels: Tensor,
    weights: Tensor,
    ridge: float,
    start: Tensor,
    tolerance: float = 1e-9,
    most: int = 50,
) -> Tensor:
    """Minimisers (k, p) of the convex losses Σ_i weights[k, i] ℓ_i + ridge ‖θ‖² / 2, all k at once.

    logits must be linear in θ. Newton's method from start (p,), each step by conjugate gradients and halved until the
    loss falls. Stops when every gradient is below tolerance; raises Failed after `most` steps.
    """
    theta = start.expand(len(weights), -1).clone()

    def values(t: Tensor) -> Tensor:
        each = vmap(lambda u: cross_entropy(logits(u), labels, reduction="none"))(t)
        return (weights * each).sum(1) + ridge / 2 * (t * t).sum(1)

    for _ in range(most):
        gradient = set_gradients(logits, theta, labels, weights) + ridge * theta
        worst = float(gradient.norm(dim=1).max())
        if worst <= tolerance:
            return theta
        product = gauss_newton(logits, theta, weights, ridge)
        change = conjugate_gradients(product, gradient, tolerance=min(0.1, worst))
        now, length = values(theta), torch.ones(len(theta), 1, dtype=theta.dtype)
        for _ in range(30):
            rises = values(theta - length * change) > now + 1e-12 * now.abs()
            if not bool(rises.any()):
                break
            length = torch.where(rises[:, None], length / 2, length)
        theta = theta - length * change
    raise Failed(f"Newton's method: gradient {worst:.1e} after {most} steps; give a larger ridge")


@dataclass(frozen=True)
class Influence:
    """T3's quantities for k forget sets; H = Gauss-Newton matrix of the mean loss on R, plus damping."""

    forget: Tensor  # I_FF = g_Fᵀ H⁻¹ g_F, shape (k,)
    cross: Tensor  # I_FR, signed
    retain: Tensor  # I_RR
    norm: Tensor  # spectral norm of the block ∇ℓ_iᵀ H⁻¹ ∇ℓ_j / n, i in F, j in R (Appendix A's conjecture)


def influence(
    logits: Logits,
    theta: Tensor,
    labels: Tensor,
    forget: Tensor,
    damping: float,
    *,
    tolerance: float = 1e-6,
    rounds: int = 5,
    seed: int = 0,
) -> Influence:
    """I_FF, I_FR, I_RR and the cross-influence norm of k forget sets at theta (p,).

    forget (k, n) bool: the points of each set; R = the others. damping: ridge plus extra (> 0). The norm comes from
    `rounds` steps of power iteration, each with two solves. Raises ValueError for an empty F or R.
    """
    if forget.ndim != 2 or forget.dtype != torch.bool:
        raise ValueError(
            f"forget has shape {tuple(forget.shape)}, type {forget.dtype}: give (k, n) bool"
        )
    if not bool(forget.any(1).all() and (~forget).any(1).all()):
        raise ValueError("a forget set or its retain set is empty: give at least one point of each")
    inside, outside = forget.to(theta.dtype), (~forget).to(theta.dtype)
    mean_f, mean_r = (m / m.sum(1, keepdim=True) for m in (inside, outside))
    g_f, g_r = (set_gradients(logits, theta, labels, m) for m in (mean_f, mean_r))
    product = gauss_newton(logits, theta, mean_r, damping)
    solved = conjugate_gradients(product, g_f, tolerance)
    i_rr = (g_r * conjugate_gradients(product, g_r, tolerance)).sum(1)
    generator = torch.Generator().manual_seed(seed)
    u = inside * torch.rand(inside.shape, generator=generator, dtype=theta.dtype)
    size = torch.zeros(len(inside), dtype=theta.dtype)
    for _ in range(rounds):
        u = u / u.norm(dim=1, keepdim=True).clamp_min(torch.finfo(u.dtype).tiny)
        for source, target in ((inside, outside), (outside, inside)):
            pulled = set_gradients(logits, theta, labels, source * u)
            moved = conjugate_gradients(product, pulled, max(tolerance, 1e-2))
            u = target * loss_changes(logits, theta, labels, moved) / inside.shape[1]
        size = u.norm(dim=1).sqrt()
    return Influence((g_f * solved).sum(1), (g_r * solved).sum(1), i_rr, size)


def measured_rate(
    logits: Logits,
    theta: Tensor,
    labels: Tensor,
    forget: Tensor,
    oracles: Tensor,
    ridge: float,
    ascent: float = 1.0,
) -> Tensor:
    """−(θ_R − θ_D)ᵀ(−∇L_DA(θ_D)) / f for k sets, (k,): above 0 iff the first step of descent-ascent leaves the oracle.

    theta (p,) the trained weights, oracles (k, p) retrained ones, forget (k, n) bool, ascent the weight ρ. What
    `theory.first_step.away` predicts, with no Hessian and no assumption in it.
    """
    inside, outside = forget.to(theta.dtype), (~forget).to(theta.dtype)
    mean_f, mean_r = (m / m.sum(1, keepdim=True) for m in (inside, outside))
    start = theta.expand(len(forget), -1)
    step = set_gradients(logits, start, labels, ascent * mean_f - mean_r) - ridge * start
    return -((oracles - start) * step).sum(1) / inside.mean(1)


def rank_correlation(
    x: ArrayLike,
    y: ArrayLike,
    given: ArrayLike | None = None,
    *,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Spearman's rank correlation of x and y (m,), with `given` (m,) partialled out: (value, low, high).

    Partial: the correlation of the ranks of x and y after their least-squares line on the ranks of `given` is taken off.
    The interval is the percentile bootstrap over the m cases (Efron 1979). A constant x or y has no rank correlation:
    (nan, nan, nan), as in scipy. Raises ValueError for fewer than 4 cases or values that are not finite.
    """
    columns = [np.asarray(v, dtype=float) for v in (x, y) + (() if given is None else (given,))]
    if any(
        c.shape != columns[0].shape or c.ndim != 1 or not np.all(np.isfinite(c)) for c in columns
    ):
        raise ValueError("give finite vectors of one length")
    if len(columns[0]) < 4:
        raise ValueError(f"give at least 4 cases, not {len(columns[0])}")
    if any(np.ptp(c) == 0 for c in columns[:2]):
        return np.nan, np.nan, np.nan

    m = len(columns[0])
    picked = np.random.default_rng(seed).integers(0, m, (draws, m))
    picked[0] = np.arange(m)  # the cases themselves
    ranks = [rankdata(c[picked], axis=1) for c in columns]
    ranks = [r - r.mean(axis=1, keepdims=True) for r in ranks]
    if given is not None:
        own = (ranks[2] ** 2).sum(axis=1, keepdims=True)
        ranks = [
            r - ranks[2] * (r * ranks[2]).sum(axis=1, keepdims=True) / np.where(own > 0, own, 1)
            for r in ranks[:2]
        ]
    size = np.sqrt((ranks[0] ** 2).sum(axis=1) * (ranks[1] ** 2).sum(axis=1))
    defined = size > 1e-9 * m**3  # else all ranks are tied, or explained by `given`
    values = (ranks[0] * ranks[1]).sum(axis=1)[defined] / size[defined]
    if not defined[0]:
        raise ValueError("x or y is a function of `given` alone: give cases that differ beside it")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(values[0]), float(low), float(high)
