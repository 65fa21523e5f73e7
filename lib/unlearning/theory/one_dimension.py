"""One coordinate of ridge-regularised logistic regression with exponential loss: closed forms by Lambert's W.

Symbols (Section 4 of the paper): D training set, F forget set, R = D∖F retain set. The data are block-orthogonal:
a sample lives on one coordinate only and has y·x = 1 there. With r retain and α r forget samples on a coordinate, each
objective is A·e^{-w} + (λ/2) w² in that coordinate's weight w, and only A differs:

    A_D  = (1 + α) r / |D|        pretraining on D
    A_R  = r / |R|                the oracle: retraining on R
    A_DA = (1/|R| − α/|F|) r      descent on R with ascent on F; negative for α > |F|/|R|

Every function takes numbers or arrays; arrays broadcast.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import lambertw, wrightomega

OBJECTIVES = ("D", "R", "DA")
REGIMES = ("global minimum", "local minimum", "no stationary point")


@dataclass(frozen=True)
class OneCoordinate:
    """One coordinate of the block-orthogonal problem; ValueError for values outside the ranges below."""

    n_retain: ArrayLike  # |R|, size of the retain set (samples, > 0)
    n_forget: ArrayLike  # |F|, size of the forget set (samples, > 0)
    r: ArrayLike  # retain samples on this coordinate (samples, 0 < r <= |R|)
    alpha: ArrayLike  # α, forget samples per retain sample on this coordinate (0 <= α r <= |F|)
    lam: ArrayLike  # λ, ridge coefficient (dimensionless, > 0)

    def __post_init__(self):
        validate(self)

    @property
    def n_train(self):
        """|D| = |R| + |F|."""
        return self.n_retain + self.n_forget


def validate(problem) -> None:
    """Turn the fields of a frozen problem into floats or float arrays and check the ranges shared by all problems.

    Raises ValueError naming the field, the first value that is out of range, and what is allowed.
    """
    for field in fields(problem):
        given = getattr(problem, field.name)
        array = np.asarray(given)
        if array.dtype.kind not in "iuf":
            raise ValueError(f"{field.name} is {given!r}: give a number or an array of numbers")
        object.__setattr__(
            problem, field.name, array.astype(float)[()]
        )  # [()]: a plain scalar stays a scalar
        require(np.isfinite(getattr(problem, field.name)), field.name, given, "a finite number")
    for name in ("n_retain", "n_forget", "r", "lam"):
        require(getattr(problem, name) > 0, name, getattr(problem, name), "a number > 0")
    require(problem.alpha >= 0, "alpha", problem.alpha, "a number >= 0")
    require(problem.r <= problem.n_retain, "r", problem.r, f"at most n_retain = {problem.n_retain}")
    most = problem.n_forget * (
        1 + 1e-12
    )  # rounding in α = |F|/r must not count as too many samples
    require(
        problem.alpha * problem.r <= most,
        "alpha * r",
        problem.alpha * problem.r,
        f"at most n_forget = {problem.n_forget} (that many forget samples exist)",
    )


def require(holds: NDArray, name: str, given: ArrayLike, allowed: str) -> None:
    """Raise ValueError, showing the first value of `given` for which `holds` is false and what is allowed."""
    if not np.all(holds):
        first = np.broadcast_to(given, np.shape(holds))[~np.asarray(holds)].flat[0]
        raise ValueError(f"{name} = {first}: allowed is {allowed}")


def pull(problem: OneCoordinate, objective: str) -> NDArray:
    """The coefficient A of e^{-w} in an objective ("D", "R" or "DA"), as defined at the top of this file.

    Raises ValueError for another objective.
    """
    p = problem
    if objective == "D":
        return (1 + p.alpha) * p.r / p.n_train
    if objective == "R":
        return p.r / p.n_retain
    if objective == "DA":
        return (1 / p.n_retain - p.alpha / p.n_forget) * p.r
    raise ValueError(f"unknown objective {objective!r}: choose from {', '.join(OBJECTIVES)}")


def loss(problem: OneCoordinate, w: ArrayLike, objective: str) -> NDArray:
    """A·e^{-w} + (λ/2) w²: the coordinate's share of an objective (other coordinates add a constant)."""
    return pull(problem, objective) * np.exp(-w) + problem.lam / 2 * np.square(w)


def gradient(problem: OneCoordinate, w: ArrayLike, objective: str) -> NDArray:
    """Derivative of `loss` with respect to w: −A·e^{-w} + λ w."""
    return -pull(problem, objective) * np.exp(-w) + problem.lam * w


def curvature(problem: OneCoordinate, w: ArrayLike, objective: str) -> NDArray:
    """Second derivative of `loss`: A·e^{-w} + λ, which equals λ (1 + w) at a stationary point."""
    return pull(problem, objective) * np.exp(-w) + problem.lam


def stationary(problem: OneCoordinate, objective: str, branch: int = 0) -> NDArray:
    """Where the derivative of an objective vanishes: w = W(A/λ), W Lambert's function on branch 0 or −1.

    NaN where that branch has no real value: branch 0 needs A/λ >= −1/e, branch −1 needs −1/e <= A/λ < 0. For A > 0
    W is evaluated as Wright's ω(ln A − ln λ), which neither overflows nor loses digits as λ → 0.
    Raises ValueError for another branch.
    """
    if branch not in (0, -1):
        raise ValueError(f"branch {branch!r}: Lambert's W is real on branches 0 and -1 only")
    a = pull(problem, objective)
    positive = a > 0
    with np.errstate(over="ignore"):
        z = np.where(positive, 0.0, a / problem.lam)  # the positive case goes through the logarithm
    exists = (z >= -np.exp(-1)) if branch == 0 else (z >= -np.exp(-1)) & (z < 0)
    w = lambertw(np.where(exists, z, -0.1), branch).real
    w = np.where(
        exists, np.where(np.isnan(w), -1.0, w), np.nan
    )  # SciPy gives NaN at −1/e itself, where W = −1
    if branch == 0:
        log_z = np.log(np.where(positive, a, 1.0)) - np.log(problem.lam)
        w = np.where(positive, wrightomega(log_z), w)
    return w[()]


def lemma3_range(problem: OneCoordinate) -> tuple[NDArray, NDArray]:
    """The α between which w_DA <= w_D <= w_R (Lemma 3): |F|²/(|R|(|F|+|D|)) and |F|/|R|."""
    p = problem
    return p.n_forget**2 / (p.n_retain * (p.n_forget + p.n_train)), p.n_forget / p.n_retain


def last_alpha(problem: OneCoordinate) -> NDArray:
    """The largest α for which L_DA has a stationary point: |F|/|R| + λ|F|/(e r)."""
    p = problem
    return p.n_forget / p.n_retain + p.lam * p.n_forget / (np.e * p.r)


def regime(problem: OneCoordinate) -> NDArray:
    """Index into `REGIMES` of L_DA at the problem's α: 0 up to |F|/|R|, 1 up to `last_alpha`, 2 beyond."""
    z = pull(problem, "DA") / problem.lam
    return np.where(z >= 0, 0, np.where(z >= -np.exp(-1), 1, 2))[()]


def lemma4_bound(problem: OneCoordinate) -> NDArray:
    """Lemma 4: |w_D − w_R| <= |ln((1+α)|R|/|D|)| whatever the ridge."""
    return np.abs(np.log1p(problem.alpha) + np.log(problem.n_retain / problem.n_train))


def lemma5_bound(problem: OneCoordinate) -> NDArray:
    """Lemma 5: |w_R − w_DA| >= W0(r/(λ|R|)) for α >= |F|/|R| (where a stationary w_DA exists); this is w_R itself."""
    return stationary(problem, "R")


def simultaneous_step(problem: OneCoordinate, w: ArrayLike, eta: ArrayLike) -> NDArray:
    """One gradient step of size η on L_DA: descent on R and ascent on F from the same point."""
    return w - eta * gradient(problem, w, "DA")


def alternating_step(problem: OneCoordinate, w: ArrayLike, eta: ArrayLike) -> NDArray:
    """Iterative descent-ascent (App. D.3): a descent half-step on R, then an ascent half-step on F from where it ended.

    Both half-steps carry the ridge: w' = w − η(−(r/|R|)e^{-w} + λw), then w'' = w' − η((αr/|F|)e^{-w'} + λw').
    """
    half = w - eta * gradient(problem, w, "R")
    ascent = problem.alpha * problem.r / problem.n_forget * np.exp(-half)
    return half - eta * (ascent + problem.lam * half)


def alternating_floor(problem: OneCoordinate, eta: ArrayLike) -> NDArray:
    """A value that no iterate of `alternating_step` falls below after the first step, from any start.

    With k = 1 − ηλ: the first half-step ends at k·w + η(r/|R|)e^{-w} >= m = k(1 + ln(η r/(|R| k))), and the second,
    which is increasing in w', then ends at or above k·m − η(αr/|F|)e^{-m}. Raises ValueError unless ηλ < 1.
    """
    keep = 1 - np.asarray(eta * problem.lam)
    require(keep > 0, "eta * lam", eta * problem.lam, "a number < 1")
    lowest_half = keep * (1 + np.log(eta * problem.r / (problem.n_retain * keep)))
    return (
        keep * lowest_half
        - eta * problem.alpha * problem.r / problem.n_forget * np.exp(-lowest_half)
    )[()]


def iterate(step: Callable[[NDArray], NDArray], start: ArrayLike, steps: int) -> NDArray:
    """The trajectory start, step(start), step(step(start)), …: shape (steps + 1, *start.shape).

    A weight below −700 counts as escaped and stays at −inf: beyond it e^{-w} leaves the range of double precision.
    """
    path = np.empty((steps + 1, *np.shape(start)))
    path[0] = w = np.asarray(start, dtype=float)
    for k in range(steps):
        w = step(np.maximum(w, -700.0))
        path[k + 1] = w = np.where((path[k] < -700) | (w < -700), -np.inf, w)
    return path


def random_problems(rng: np.random.Generator, n: int) -> OneCoordinate:
    """n random problems: |R| 10 to 10⁵, |F| <= |R|, whole r, λ 10⁻⁸ to 10; α from 10⁻³ to 10 times |F|/|R|.

    Half of the α are uniform up to 1.2 |F|/|R|, where the regimes meet; the rest are log-uniform.
    """
    n_retain = np.floor(10 ** rng.uniform(1, 5, n))
    n_forget = np.ceil(n_retain * 10 ** rng.uniform(-3, 0, n))
    r = np.ceil(n_retain ** rng.uniform(0, 1, n))
    relative = np.where(rng.random(n) < 0.5, rng.uniform(0, 1.2, n), 10 ** rng.uniform(-3, 1, n))
    alpha = np.minimum(relative * n_forget / n_retain, n_forget / r)
    return OneCoordinate(n_retain, n_forget, r, alpha, 10 ** rng.uniform(-8, 1, n))
