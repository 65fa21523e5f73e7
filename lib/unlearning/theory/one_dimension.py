"""One coordinate of ridge-regularised logistic regression: closed forms by Lambert's W, bounds, the threshold of harm.

Symbols (Section 4 of the paper): D training set, F forget set, R = D∖F retain set. The data are block-orthogonal:
a sample lives on one coordinate only and has y·x = 1 there. With r retain and α r forget samples on a coordinate, each
objective is A·e^{-w} + (λ/2) w² in that coordinate's weight w, and only A differs:

    A_D  = (1 + α) r / |D|        pretraining on D
    A_R  = r / |R|                the oracle: retraining on R
    A_DA = (|F|/|R| − ρα) r/|F|   descent on R with ascent on F; the paper's ascent weight is ρ = 1

The loss is exponential, as in the paper, but for `stationary_logistic`: there e^{-w} gives way to ln(1 + e^{-w}).
Every function takes numbers or arrays; arrays broadcast.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize.elementwise import find_root
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


def pull(problem: OneCoordinate, objective: str, weight: ArrayLike = 1.0) -> NDArray:
    """The coefficient A of e^{-w} in an objective ("D", "R" or "DA"), as defined at the top of this file.

    weight: ρ, how much the ascent counts beside the descent (dimensionless, > 0; DA only). A_DA is a multiple of
    |F|/|R| − ρα, so that it is exactly 0 at that border. Raises ValueError for another objective or weight.
    """
    p = problem
    require(np.asarray(weight) > 0, "weight", weight, "a number > 0")
    if objective == "D":
        return (1 + p.alpha) * p.r / p.n_train
    if objective == "R":
        return p.r / p.n_retain
    if objective == "DA":
        return (p.n_forget / p.n_retain - weight * p.alpha) * (p.r / p.n_forget)
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


def stationary(
    problem: OneCoordinate, objective: str, branch: int = 0, weight: ArrayLike = 1.0
) -> NDArray:
    """Where the derivative of an objective vanishes: w = W(A/λ), W Lambert's function on branch 0 or −1.

    NaN where that branch has no real value: branch 0 needs A/λ >= −1/e (for DA: α up to `last_alpha`, where w = −1),
    branch −1 needs −1/e <= A/λ < 0. For A > 0 W is evaluated as Wright's ω(ln A − ln λ), which neither overflows nor
    loses digits as λ → 0. weight: ρ as in `pull`. Raises ValueError for another branch.
    """
    if branch not in (0, -1):
        raise ValueError(f"branch {branch!r}: Lambert's W is real on branches 0 and -1 only")
    a = pull(problem, objective, weight)
    positive = a > 0
    with np.errstate(over="ignore"):
        z = np.where(positive, 0.0, a / problem.lam)  # the positive case goes through the logarithm
    exists = z >= -np.exp(-1)
    if (
        objective == "DA"
    ):  # decided on α itself: A/λ near −1/e is the difference of two rounded numbers
        exists = weight * problem.alpha <= last_alpha(problem)
    z = np.maximum(z, -np.exp(-1))
    with np.errstate(divide="ignore"):
        w = lambertw(z, branch).real
    w = np.where(np.isnan(w), -1.0, w)  # SciPy gives NaN at −1/e itself, where W = −1
    if branch == 0:
        log_z = np.log(np.where(positive, a, 1.0)) - np.log(problem.lam)
        return np.where(exists, np.where(positive, wrightomega(log_z), w), np.nan)[()]
    return np.where(exists & (z < 0), w, np.nan)[()]


def stationary_logistic(problem: OneCoordinate, objective: str, weight: ArrayLike = 1.0) -> NDArray:
    """The one minimiser of A·ln(1 + e^{-w}) + (λ/2) w²: the root of w (1 + e^w) = z with z = A/λ.

    The left side increases everywhere (its slope is at least 1 − e^{-2}), so that each z has exactly one root. For
    z > 0 it lies between W0(z/2) and W0(z) and is found from ln w + ln(1 + e^w) = ln z; for z <= 0 between z and z/2.
    """
    a = pull(problem, objective, weight)
    log_z = np.log(np.where(a > 0, a, 1.0)) - np.log(problem.lam)
    z = np.where(a > 0, 0.0, a) / problem.lam
    ends = wrightomega(log_z - np.log(2)) * (1 - 1e-9), wrightomega(log_z) * (1 + 1e-9)
    high = find_root(lambda w, level: np.log(w) + np.logaddexp(0, w) - level, ends, args=(log_z,))
    span = z - 1e-300, z / 2 + 1e-300  # an interval for z = 0 too
    low = find_root(lambda w, level: w * (1 + np.exp(w)) - level, span, args=(z,))
    return np.where(a > 0, high.x, np.where(a == 0, 0.0, low.x))[()]


def harm_threshold(problem: OneCoordinate, weight: ArrayLike = 1.0) -> NDArray:
    """α* = |F|²/(|R|(|F| + ρ|D|)): DA ends farther from the oracle than the pretrained weight iff α > α* (ours).

    "Ends" is a stationary point of L_DA, or −∞ where there is none. It holds for every convex, strictly decreasing
    loss, every λ and r, and every ascent weight ρ >= 1; proof in the chapter. The problem's own α does not enter.
    Raises ValueError for a weight below 1.
    """
    p = problem
    require(np.asarray(weight) >= 1, "weight", weight, "a number >= 1")
    return p.n_forget**2 / (p.n_retain * (p.n_forget + weight * p.n_train)) + 0 * p.alpha


def lemma3_range(problem: OneCoordinate) -> tuple[NDArray, NDArray]:
    """The α between which w_DA <= w_D <= w_R (Lemma 3): |F|²/(|R|(|F|+|D|)) and |F|/|R|."""
    p = problem
    return p.n_forget**2 / (p.n_retain * (p.n_forget + p.n_train)), p.n_forget / p.n_retain


def last_alpha(problem: OneCoordinate) -> NDArray:
    """The largest α for which L_DA has a stationary point: |F|/|R| + λ|F|/(e r)."""
    p = problem
    return p.n_forget / p.n_retain + p.lam * p.n_forget / (np.e * p.r)


def regime(problem: OneCoordinate) -> NDArray:
    """Index into `REGIMES` of L_DA at the problem's α: 0 up to |F|/|R|, 1 up to `last_alpha`, 2 beyond.

    α is compared with the borders themselves, not a difference with 0, so that the borders belong where they should.
    """
    p = problem
    return np.where(
        p.alpha <= p.n_forget / p.n_retain, 0, np.where(p.alpha <= last_alpha(p), 1, 2)
    )[()]


def lemma4_bound(problem: OneCoordinate) -> NDArray:
    """Lemma 4: |w_D − w_R| <= |ln((1+α)|R|/|D|)| whatever the ridge."""
    return np.abs(np.log1p(problem.alpha) + np.log(problem.n_retain / problem.n_train))


def lemma5_bound(problem: OneCoordinate) -> NDArray:
    """Lemma 5: |w_R − w_DA| >= W0(r/(λ|R|)) for α >= |F|/|R| (where a stationary w_DA exists); this is w_R itself."""
    return stationary(problem, "R")


def random_problems(rng: np.random.Generator, n: int) -> OneCoordinate:
    """n random problems: |R| 10 to 10⁵, |F| <= |R|, λ 10⁻⁸ to 10; whole r and αr; α around |F|/|R| times 10⁻³ to 10.

    The expected number of forget samples on the coordinate, r|F|/|R|, is log-uniform from 1 to |F|. Half of the
    counts αr are uniform up to 1.2 times that number, where the regimes meet; the rest are log-uniform; 1 at least.
    """
    n_retain = np.floor(10 ** rng.uniform(1, 5, n))
    n_forget = np.ceil(n_retain * 10 ** rng.uniform(-3, 0, n))
    expected = n_forget ** rng.uniform(0, 1, n)
    r = np.clip(np.rint(expected * n_retain / n_forget), 1, n_retain)
    relative = np.where(rng.random(n) < 0.5, rng.uniform(0, 1.2, n), 10 ** rng.uniform(-3, 1, n))
    count = np.clip(np.rint(relative * r * n_forget / n_retain), 1, n_forget)
    return OneCoordinate(n_retain, n_forget, r, count / r, 10 ** rng.uniform(-8, 1, n))
