"""Two correlated coordinates of ridge-regularised logistic regression: the problem and its three solutions.

r retain samples at v = (1, ε) and α r forget samples at u = (ε, 1), all with label +1; the margins of a weight vector
w are x = w·v (retain) and y = w·u (forget). Each objective is A·e^{-x} + B·e^{-y} + (λ/2)‖w‖²  (Section 4, App. G-J):

    D:  A = r/|D|, B =  αr/|D|        R:  A = r/|R|, B = 0        DA:  A = r/|R|, B = −αr/|F|

At a stationary point λw = A·e^{-x} v + B·e^{-y} u. With P = A·e^{-x}/λ and Q = |B|·e^{-y}/λ this is w = P v ± Q u, and
the equation for x alone gives P from Q by Lambert's W. One equation in Q remains; it is solved by bracketing ln Q.
Every function takes numbers or arrays, which broadcast; weights have shape (..., 2).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize.elementwise import find_root
from scipy.special import wrightomega

from unlearning.theory.one_dimension import (
    OBJECTIVES,
    OneCoordinate,
    require,
    stationary,
    validate,
)


@dataclass(frozen=True)
class TwoCoordinates:
    """Two correlated coordinates; ValueError for values outside the ranges below."""

    n_retain: ArrayLike  # |R|, size of the retain set (samples, > 0)
    n_forget: ArrayLike  # |F|, size of the forget set (samples, > 0)
    r: ArrayLike  # retain samples at (1, ε) (samples, 0 < r <= |R|)
    alpha: ArrayLike  # α, forget samples at (ε, 1) per retain sample at (1, ε) (0 <= α r <= |F|)
    lam: ArrayLike  # λ, ridge coefficient (dimensionless, > 0)
    epsilon: ArrayLike  # ε, overlap of the two directions (0 <= ε < 1)

    def __post_init__(self):
        validate(self)
        require(
            (self.epsilon >= 0) & (self.epsilon < 1), "epsilon", self.epsilon, "0 <= epsilon < 1"
        )
        with np.errstate(over="ignore"):
            pull = self.r / (self.lam * self.n_retain)
        require(
            np.isfinite(pull), "lam", self.lam, "large enough for r/(λ|R|) to be a finite double"
        )

    @property
    def n_train(self):
        """|D| = |R| + |F|."""
        return self.n_retain + self.n_forget

    @property
    def b(self):
        """b = r/(λ|D|), the pull of the samples at (1, ε) in L_D, in units of the ridge."""
        return self.r / (self.lam * self.n_train)

    @property
    def c(self):
        """c = r/(λ|R|), the same in L_R and L_DA."""
        return self.r / (self.lam * self.n_retain)

    @property
    def square(self):
        """s = 1 + ε², the squared length of either direction."""
        return 1 + self.epsilon**2

    @property
    def share(self):
        """t = 2ε/(1+ε²), the cosine of the angle between the two directions."""
        return 2 * self.epsilon / self.square

    @property
    def delta(self):
        """δ = (1−ε²)²/(1+ε²) = s(1−t²), without cancellation as ε → 1."""
        return np.square((1 - self.epsilon) * (1 + self.epsilon)) / self.square

    @property
    def relative_alpha(self):
        """α|R|/|F|: 1 where the one-coordinate problem loses its global minimum."""
        return self.alpha * self.n_retain / self.n_forget


def pulls(problem: TwoCoordinates, objective: str) -> tuple[NDArray, NDArray]:
    """The coefficients (A, B) of e^{-x} and e^{-y} in an objective; ValueError for an unknown one."""
    p = problem
    if objective == "D":
        return p.r / p.n_train, p.alpha * p.r / p.n_train
    if objective == "R":
        return p.r / p.n_retain, 0.0 * p.alpha
    if objective == "DA":
        return p.r / p.n_retain, -p.alpha * p.r / p.n_forget
    raise ValueError(f"unknown objective {objective!r}: choose from {', '.join(OBJECTIVES)}")


def combine(problem: TwoCoordinates, along_v: ArrayLike, along_u: ArrayLike) -> NDArray:
    """along_v · (1, ε) + along_u · (ε, 1), shape (..., 2)."""
    e = problem.epsilon
    return np.stack(np.broadcast_arrays(along_v + e * along_u, e * along_v + along_u), axis=-1)


def margins(problem: TwoCoordinates, w: NDArray) -> tuple[NDArray, NDArray]:
    """(x, y) = (w1 + ε w2, ε w1 + w2), the margins of a retain and of a forget sample; w has shape (..., 2)."""
    return w[..., 0] + problem.epsilon * w[..., 1], problem.epsilon * w[..., 0] + w[..., 1]


def loss(problem: TwoCoordinates, w: NDArray, objective: str) -> NDArray:
    """A·e^{-x} + B·e^{-y} + (λ/2)‖w‖², shape (...)."""
    (a, b), (x, y) = pulls(problem, objective), margins(problem, w)
    return a * np.exp(-x) + b * np.exp(-y) + problem.lam / 2 * np.square(w).sum(-1)


def gradient(problem: TwoCoordinates, w: NDArray, objective: str) -> NDArray:
    """Gradient of `loss`: λw − A·e^{-x} v − B·e^{-y} u, shape (..., 2)."""
    (a, b), (x, y) = pulls(problem, objective), margins(problem, w)
    return np.asarray(problem.lam)[..., None] * w - combine(problem, a * np.exp(-x), b * np.exp(-y))


def oracle(problem: TwoCoordinates) -> NDArray:
    """The minimiser of L_R (Lemma 6): x_R = W0(c(1+ε²)), y_R = 2ε/(1+ε²)·x_R; shape (..., 2)."""
    square = 1 + problem.epsilon**2
    x = wrightomega(np.log(problem.c * square)) + 0 * problem.alpha
    return combine(problem, x / square, 0.0)


def pretrained(problem: TwoCoordinates) -> NDArray:
    """The minimiser of L_D (unique: L_D is strictly convex), shape (..., 2).

    In t = ln Q stationarity is H(t) = ln(bα) − t − (1+ε²)e^t − 2ε·P = 0 with P = W0(b(1+ε²)e^{−2εe^t})/(1+ε²). H falls
    with slope below −1, so that the root lies in [T − |H(T)|, T] where e^T = W0(bα(1+ε²))/(1+ε²) (Lemma 7).
    """
    p = problem
    log_forget = np.log(np.maximum(p.b * p.alpha, 1e-300))  # α = 0 is set right below
    arguments = np.broadcast_arrays(p.epsilon, p.b, log_forget)

    def along_v(t, e, pull):
        return wrightomega(np.log(pull * (1 + e**2)) - 2 * e * np.exp(t)) / (1 + e**2)

    def equation(t, e, pull, forget):
        return forget - t - (1 + e**2) * np.exp(t) - 2 * e * along_v(t, e, pull)

    square = 1 + p.epsilon**2
    top = np.log(wrightomega(log_forget + np.log(square)) / square)
    t = _root(equation, top - np.abs(equation(top, *arguments)) - 1e-9, top + 1e-9, arguments)
    w = combine(p, along_v(t, p.epsilon, p.b), np.exp(t))
    without = combine(p, wrightomega(np.log(p.b * square)) / square, 0.0)
    return np.where((p.alpha == 0)[..., None], without, w)


def _root(
    function: Callable[..., NDArray], low: NDArray, high: NDArray, arguments: list[NDArray]
) -> NDArray:
    """Elementwise root of function(t, *arguments) between `low` and `high`; NaN where the sign does not change."""
    found = find_root(function, (low, high), args=tuple(arguments))
    return np.where(found.success, found.x, np.nan)


def da_stationary(problem: TwoCoordinates) -> tuple[NDArray, NDArray]:
    """The stationary points of L_DA: its local minimiser and its saddle, each (..., 2), both NaN where there is none.

    In τ = ln Q stationarity is G(τ) = ln(cα|R|/|F|) − τ + sQ − 2εP = 0 with ω = sP = W0(cs·e^{2εQ}) and s = 1 + ε². The
    difference sQ − 2εP cancels as ε → 1; it equals δQ − (2ε/s) ln(cs/ω), which does not. The Hessian at a root is
    positive definite exactly where G falls. G falls, turns once and rises (proved in the chapter), so there are two
    roots, one double root, or none; it turns where 1/s <= Q <= s/(1−ε²)². For α = 0 the minimiser is the oracle and
    there is no saddle. For α > 0 and ε < 1 L_DA is unbounded below (let y → −∞ at fixed x): no minimum is global.
    """
    p = problem
    log_forget = np.log(np.maximum(p.c * p.relative_alpha, 1e-300))  # α = 0 is set below
    arguments = np.broadcast_arrays(
        p.epsilon, p.square, p.delta, np.log(p.c * p.square), log_forget
    )

    def omega(t, e, s, delta, pull, forget):  # sP, which solves the x-equation for given Q
        return wrightomega(pull + 2 * e * np.exp(t))

    def equation(t, e, s, delta, pull, forget):
        away = pull - np.log(omega(t, e, s, delta, pull, forget))
        return forget - t + delta * np.exp(t) - 2 * e / s * away

    def slope(t, e, s, delta, pull, forget):
        rest = 4 * e**2 / s / (1 + omega(t, e, s, delta, pull, forget))
        return -1 + np.exp(t) * (delta + rest)

    narrow, wide = -np.log(p.square), -np.log(p.delta)
    turn = _root(slope, narrow - 1e-9, wide + 1e-9, arguments)
    before = np.minimum(turn, 0)
    along = omega(before, *arguments) / p.square
    low = np.minimum(log_forget - 2 * p.epsilon * along, before) - 1  # G > 0, as P grows
    high = turn + 1
    while np.any(still := equation(high, *arguments) <= 0):  # G → +∞
        high = np.where(still, high + 1, high)
    exists = (equation(turn, *arguments) <= 0) & (p.alpha > 0)

    def point(t):
        w = combine(p, omega(t, *arguments) / p.square, -np.exp(t))
        return np.where(exists[..., None], w, np.nan)

    minimum, saddle = (
        point(_root(equation, *ends, arguments)) for ends in ((low, turn), (turn, high))
    )
    return np.where((p.alpha == 0)[..., None], oracle(p), minimum), saddle


def merging(d: float, lam: float, epsilon: ArrayLike) -> tuple[NDArray, NDArray]:
    """App. J: w1 + w2 of pretrained model, oracle and DA, and their limits as ε → 1: shapes (3, ...) and (3,).

    One retain sample at (1, ε), one forget sample at (ε, 1), d − 2 samples elsewhere: |R| = d − 1, |F| = r = α = 1. The
    limits are the one-coordinate solutions with half the ridge; NaN where DA has none. Raises ValueError as the problem.
    """
    pair = TwoCoordinates(d - 1, 1, 1, 1.0, lam, epsilon)
    models = pretrained(pair), oracle(pair), da_stationary(pair)[0]
    line = OneCoordinate(d - 1, 1, 1, 1.0, lam / 2)
    ends = [stationary(line, objective) for objective in OBJECTIVES]
    return np.stack([w.sum(-1) for w in models]), np.array(ends)
