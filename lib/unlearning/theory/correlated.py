"""Two correlated coordinates of ridge-regularised logistic regression: solutions, bounds and the harmful window of α.

r retain samples at v = (1, ε) and α r forget samples at u = (ε, 1), all with label +1; the margins of a weight vector
w are x = w·v (retain) and y = w·u (forget). Each objective is A·e^{-x} + B·e^{-y} + (λ/2)‖w‖²  (Section 4, App. G-J):

    D:  A = r/|D|, B =  αr/|D|        R:  A = r/|R|, B = 0        DA:  A = r/|R|, B = −αr/|F|

At a stationary point λw = A·e^{-x} v + B·e^{-y} u. With P = A·e^{-x}/λ and Q = |B|·e^{-y}/λ this is w = P v ± Q u, and
the equation for x alone gives P from Q by Lambert's W. One equation in Q remains; it is solved by bracketing ln Q.
Every function takes numbers or arrays, which broadcast; weights have shape (..., 2).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize.elementwise import find_root
from scipy.special import lambertw, wrightomega

from unlearning.theory.one_dimension import OBJECTIVES, require, validate
from unlearning.theory.one_dimension import random_problems as one_coordinate_problems


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

    In t = ln Q stationarity is G(t) = ln(cα|R|/|F|) − t + (1+ε²)e^t − 2ε·P = 0, P = W0(c(1+ε²)e^{2εe^t})/(1+ε²), and
    the Hessian at a root is positive definite exactly where G falls. G falls, turns once and rises (proved in the
    chapter), so there are two roots, one double root, or none; the turning point lies where
    1/(1+ε²) <= e^t <= (1+ε²)/(1−ε²)². For α = 0 the minimiser is the oracle and there is no saddle. For α > 0 and ε < 1
    L_DA is unbounded below (let y → −∞ at fixed x): the minimiser is never global.
    """
    p = problem
    log_forget = np.log(np.maximum(p.c * p.relative_alpha, 1e-300))  # α = 0 is set below
    arguments = np.broadcast_arrays(p.epsilon, p.c, log_forget)

    def along_v(t, e, pull):  # P, which solves the x-equation for given Q
        return wrightomega(np.log(pull * (1 + e**2)) + 2 * e * np.exp(t)) / (1 + e**2)

    def equation(t, e, pull, forget):
        return forget - t + (1 + e**2) * np.exp(t) - 2 * e * along_v(t, e, pull)

    def slope(t, e, pull, forget):
        along = along_v(t, e, pull)
        return -1 + np.exp(t) * (1 + e**2 - 4 * e**2 * along / (1 + (1 + e**2) * along))

    narrow, wide = -np.log1p(p.epsilon**2), np.log1p(p.epsilon**2) - 2 * np.log1p(-(p.epsilon**2))
    turn = _root(slope, narrow - 1e-9, wide + 1e-9, arguments)
    before = np.minimum(turn, 0)
    low = (
        np.minimum(log_forget - 2 * p.epsilon * along_v(before, p.epsilon, p.c), before) - 1
    )  # G > 0, as P grows
    high = turn + 1
    while np.any(still := equation(high, *arguments) <= 0):  # G → +∞
        high = np.where(still, high + 1, high)
    exists = (equation(turn, *arguments) <= 0) & (p.alpha > 0)

    def point(t):
        return np.where(
            exists[..., None], combine(p, along_v(t, p.epsilon, p.c), -np.exp(t)), np.nan
        )

    minimum, saddle = (
        point(_root(equation, *ends, arguments)) for ends in ((low, turn), (turn, high))
    )
    return np.where((p.alpha == 0)[..., None], oracle(p), minimum), saddle


def lemma7_bounds(problem: TwoCoordinates) -> dict[str, NDArray]:
    """Lemma 7: bounds on the pretrained margins for α <= 1: keys x_low, x_high, x_sharp, y_low, y_high.

    x_low = W0(b(1+ε²+2αε)), y_low = W0(bα(1+ε²)), y_high = W0(b(2ε+α(1+ε²))). x_high puts y_low into the x-equation:
    x_high = K + W0(b(1+ε²)e^{-K}) with K = 2ε/(1+ε²)·y_low. x_sharp is ours: it removes e^{-y} with the y-equation and
    then puts in y_high: x_sharp = K + W0(b(1−ε²)²/(1+ε²)·e^{-K}) with K = 2ε/(1+ε²)·y_high.
    """
    p, square = problem, 1 + problem.epsilon**2
    y_low = _w0(p.b * p.alpha * square)
    y_high = _w0(p.b * (2 * p.epsilon + p.alpha * square))
    share = 2 * p.epsilon / square
    log_free = np.log(p.b / square) + 2 * np.log1p(-(p.epsilon**2))
    return {
        "x_low": _w0(p.b * (square + 2 * p.alpha * p.epsilon)),
        "x_high": share * y_low + wrightomega(np.log(p.b * square) - share * y_low),
        "x_sharp": share * y_high + wrightomega(log_free - share * y_high),
        "y_low": y_low,
        "y_high": y_high,
    }


def lemma8_bounds(problem: TwoCoordinates) -> tuple[NDArray, NDArray]:
    """Lemma 8: upper bounds (x, y) on the margins at every stationary point of L_DA.

    x <= W0(c(1+ε²−2εα|R|/|F|)) and y <= W0(c(2ε−α(1+ε²)|R|/|F|)); NaN where the argument is below −1/e, which proves
    that L_DA has no stationary point.
    """
    p, square = problem, 1 + problem.epsilon**2
    return (
        _w0(p.c * (square - 2 * p.epsilon * p.relative_alpha)),
        _w0(p.c * (2 * p.epsilon - square * p.relative_alpha)),
    )


def _w0(z: NDArray) -> NDArray:
    """Lambert's W0(z), NaN below −1/e; through ω(ln z) for z > 0, where W0 of a huge z would overflow."""
    z = np.asarray(z, dtype=float)
    small = np.clip(z, -np.exp(-1) + 1e-16, 0)
    w = np.where(z > 0, wrightomega(np.log(np.where(z > 0, z, 1.0))), lambertw(small).real)
    return np.where(z >= -np.exp(-1), w, np.nan)[()]


def lemma9_alpha(problem: TwoCoordinates) -> NDArray:
    """Lemma 9: from this α on x_D >= x_DA and y_D >= y_DA (for α <= 1, if L_DA has a stationary point); ∞ at ε = 0."""
    p, square = problem, 1 + problem.epsilon**2
    common = p.n_forget / (p.n_retain * (p.n_train + p.n_forget))
    with np.errstate(divide="ignore"):
        first = square / (2 * p.epsilon) * p.n_forget
    return common * np.maximum(first, 2 * p.epsilon / square * p.n_train) + 0 * p.lam


def lemma10_alphas(problem: TwoCoordinates) -> tuple[NDArray, NDArray]:
    """Lemma 10: (α_x, α_y); for α <= min(α_x, α_y, 1) x_R >= x_D and y_R >= y_D.

    α_y = (y_R e^{y_R}/b − 2ε)/(1+ε²). α_x is where Lemma 7's x_high reaches x_R; there K = x_R|F|/|D|, so
    y_low = K(1+ε²)/(2ε) and α_x = y_low e^{y_low}/(b(1+ε²)).
    """
    p, square = problem, 1 + problem.epsilon**2
    x_r, y_r = margins(p, oracle(p))
    with np.errstate(over="ignore", divide="ignore"):
        y_low = x_r * p.n_forget / p.n_train * square / (2 * p.epsilon)
        return y_low * np.exp(y_low) / (p.b * square), (
            y_r * np.exp(y_r) / p.b - 2 * p.epsilon
        ) / square


def harmful_window(problem: TwoCoordinates) -> tuple[NDArray, NDArray]:
    """The α range of Fig. 4, from Lemma 9's lower end to Lemma 10's upper end min(α_y, 1); empty where they cross.

    α_x is left out because y_R >= y_D already gives x_R >= x_D: with δ = (1−ε²)²/(1+ε²) the equations read
    x_D = 2ε/(1+ε²)·y_D + bδe^{-x_D} and x_R = 2ε/(1+ε²)·y_R + cδe^{-x_R}, b < c. The problem's own α does not enter.
    """
    return lemma9_alpha(problem), np.minimum(lemma10_alphas(problem)[1], 1.0)


def first_step(problem: TwoCoordinates) -> NDArray:
    """Cosine of the angle between the first simultaneous DA step from the pretrained model and the way to the oracle.

    −∇L_DA(w_D)·(w_R − w_D) / (‖∇L_DA(w_D)‖ ‖w_R − w_D‖): negative when even a small first step increases the distance
    to the oracle; NaN where the step or the way is zero.
    """
    start = pretrained(problem)
    step, way = -gradient(problem, start, "DA"), oracle(problem) - start
    with np.errstate(invalid="ignore"):
        return (step * way).sum(-1) / (np.linalg.norm(step, axis=-1) * np.linalg.norm(way, axis=-1))


def flow_step(
    problem: TwoCoordinates, w: NDArray, objective: str, longest: ArrayLike = np.inf
) -> NDArray:
    """One small Euler step of gradient flow on an objective, at most `longest` long.

    Its size is 0.2 over a bound of the Hessian's norm. A point with a margin below −300 has escaped and stays.
    """
    (a, b), (x, y) = pulls(problem, objective), margins(problem, w)
    escaped = np.minimum(x, y) < -300
    safe = np.where(escaped[..., None], 0.0, w)
    x, y = margins(problem, safe)
    slope = gradient(problem, safe, objective)
    bound = problem.lam + (1 + problem.epsilon**2) * (a * np.exp(-x) + np.abs(b) * np.exp(-y))
    size = np.minimum(0.2 / bound, longest / np.maximum(np.linalg.norm(slope, axis=-1), 1e-300))
    return np.where(escaped[..., None], w, w - size[..., None] * slope)


def closest_approach(problem: TwoCoordinates, steps: int = 1000) -> NDArray:
    """Smallest distance to the oracle on DA's gradient flow from the pretrained model, over the distance at the start.

    1 means that stopping early cannot help. The flow is followed for `steps` steps, each at most 5% of the distance
    that is left.
    """
    target, w = oracle(problem), pretrained(problem)
    first = nearest = left = np.linalg.norm(w - target, axis=-1)
    for _ in range(steps):
        w = flow_step(problem, w, "DA", longest=0.05 * left)
        left = np.linalg.norm(w - target, axis=-1)
        nearest = np.minimum(nearest, left)
    return nearest / first


def random_problems(rng: np.random.Generator, n: int) -> TwoCoordinates:
    """n random problems as in `logistic.random_problems`, with ε uniform on (0, 1) or, for a third, close to 1.

    Where `harmful_window` is not empty, one α in three is moved into it, so that its lemmas are tried in earnest.
    """
    base = one_coordinate_problems(rng, n)
    epsilon = np.where(
        rng.random(n) < 2 / 3, rng.uniform(0, 1, n), 1 - 10 ** rng.uniform(-4, -0.5, n)
    )
    problem = TwoCoordinates(base.n_retain, base.n_forget, base.r, base.alpha, base.lam, epsilon)
    low, high = harmful_window(problem)
    inside = low + rng.random(n) * (high - low)
    move = (low < high) & (inside <= problem.n_forget / problem.r) & (rng.random(n) < 1 / 3)
    return replace(problem, alpha=np.where(move, inside, problem.alpha))
