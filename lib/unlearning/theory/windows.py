"""Two coordinates: the paper's bounds on the margins (Lemmas 7-10), its window of α, and the exact one (ours)."""

from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import lambertw, wrightomega

from unlearning.theory.correlated import TwoCoordinates, margins, oracle
from unlearning.theory.one_dimension import random_problems as one_coordinate_problems


def lemma7_bounds(problem: TwoCoordinates) -> dict[str, NDArray]:
    """Lemma 7: bounds on the pretrained margins for α <= 1: keys x_low, x_high, x_sharp, y_low, y_high.

    x_low = W0(b(1+ε²+2αε)), y_low = W0(bα(1+ε²)), y_high = W0(b(2ε+α(1+ε²))). x_high puts y_low into the x-equation:
    x_high = K + W0(b(1+ε²)e^{-K}) with K = 2ε/(1+ε²)·y_low. x_sharp is ours: it removes e^{-y} with the y-equation and
    then puts in y_high: x_sharp = K + W0(b(1−ε²)²/(1+ε²)·e^{-K}) with K = 2ε/(1+ε²)·y_high.
    """
    p, square, share = problem, problem.square, problem.share
    y_low = _w0(p.b * p.alpha * square)
    y_high = _w0(p.b * (2 * p.epsilon + p.alpha * square))
    log_free = np.log(p.b) + np.log(p.delta)
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
    p, square = problem, problem.square
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
    p, square = problem, problem.square
    common = p.n_forget / (p.n_retain * (p.n_train + p.n_forget))
    with np.errstate(divide="ignore", over="ignore"):
        first = square / (2 * p.epsilon) * p.n_forget
    return common * np.maximum(first, 2 * p.epsilon / square * p.n_train) + 0 * p.lam


def lemma10_alphas(problem: TwoCoordinates) -> tuple[NDArray, NDArray]:
    """Lemma 10: (α_x, α_y); for α <= min(α_x, α_y, 1) x_R >= x_D and y_R >= y_D.

    α_y = (y_R e^{y_R}/b − 2ε)/(1+ε²). α_x is where Lemma 7's x_high reaches x_R; there K = x_R|F|/|D|, so
    y_low = K(1+ε²)/(2ε) and α_x = y_low e^{y_low}/(b(1+ε²)).
    """
    p, square = problem, problem.square
    x_r, y_r = margins(p, oracle(p))
    with np.errstate(over="ignore", divide="ignore"):
        y_low = x_r * p.n_forget / p.n_train * square / (2 * p.epsilon)
        return y_low * np.exp(y_low) / (p.b * square), (
            y_r * np.exp(y_r) / p.b - 2 * p.epsilon
        ) / square


def paper_window(problem: TwoCoordinates, with_x: bool = True) -> tuple[NDArray, NDArray]:
    """The α from Lemma 9's lower end to Lemma 10's upper end min(α_x, α_y, 1); empty where the ends cross.

    with_x: whether α_x counts, as Lemma 10 is stated. It is superfluous (ours): y_D <= y_R already gives x_D <= x_R,
    because x_D = t·y_D + bδe^{-x_D}, x_R = t·y_R + cδe^{-x_R} and b < c. The problem's own α does not enter.
    """
    alpha_x, alpha_y = lemma10_alphas(problem)
    high = np.minimum(alpha_y, 1.0)
    return lemma9_alpha(problem), np.minimum(alpha_x, high) if with_x else high


def explicit_lower_end(problem: TwoCoordinates) -> NDArray:
    """κ = |F|²/(t|R|(|D|+|F|)), t = 2ε/(1+ε²) (ours): from this α up to 1 no margin ever rises above its start.

    It is Lemma 9's first condition; the second is not needed. As ε → 1 it is the lower end of Lemma 3. ∞ at ε = 0.
    """
    p = problem
    with np.errstate(divide="ignore", over="ignore"):
        common = np.asarray(p.n_forget**2 / (p.n_retain * (p.n_train + p.n_forget)))
        return (common / np.asarray(p.share))[()]


def stopping_window(problem: TwoCoordinates) -> tuple[NDArray, NDArray]:
    """The exact range of α in which DA's flow harms both margins at every stopping time (ours): (low, high).

    For low <= α <= high, and for no other α, x(τ) <= x_D <= x_R and y(τ) <= y_D <= y_R at all times τ of the gradient
    flow of L_DA from the pretrained model, whether or not it has a limit. With κ = `explicit_lower_end`:

        low  = κ exp(−x (1−ε)²(1−κ)/(s + 2εκ)),   x = W0(b (s + 2εκ))
        high = t e^{y_R − x_R} (|F|/|R| − (e^{x_R − x*} − 1)),   x* = t y_R + W0(bδ e^{−t y_R})

    Proof in the chapter. At ε = 0 it is empty: (∞, 0). The problem's own α does not enter.
    """
    p, t = problem, problem.share
    kappa = explicit_lower_end(p)
    finite = np.where(np.isfinite(kappa), kappa, 1.0)
    weight = p.square + 2 * p.epsilon * finite
    x = wrightomega(np.log(p.b) + np.log(weight))
    with np.errstate(over="ignore"):
        low = finite * np.exp(-x * np.square(1 - p.epsilon) * (1 - finite) / weight)
    x_r = wrightomega(np.log(p.c * p.square))
    y_r = t * x_r
    x_star = t * y_r + wrightomega(np.log(p.b) + np.log(p.delta) - t * y_r)
    high = t * np.exp(y_r - x_r) * (p.n_forget / p.n_retain - np.expm1(x_r - x_star))
    return np.where(np.isfinite(kappa), low, np.inf)[()], np.where(t > 0, high, 0.0)[()]


def subset(problem: TwoCoordinates, chosen: NDArray) -> TwoCoordinates:
    """The chosen ones of an array of problems (a mask or indices)."""
    return type(problem)(*(getattr(problem, field.name)[chosen] for field in fields(problem)))


def random_problems(rng: np.random.Generator, n: int) -> TwoCoordinates:
    """n random problems as in `one_dimension.random_problems`, with ε uniform on (0, 1) or, for a third, close to 1.

    One in three is moved to a whole number αr of forget samples in the paper's window (without α_x), where one lies
    there and no more than |F| are needed, so that its lemmas are tried in earnest.
    """
    base = one_coordinate_problems(rng, n)
    close = 1 - 10 ** rng.uniform(-4, -0.5, n)
    epsilon = np.where(rng.random(n) < 2 / 3, rng.uniform(0, 1, n), close)
    problem = TwoCoordinates(base.n_retain, base.n_forget, base.r, base.alpha, base.lam, epsilon)
    low, high = (end * problem.r for end in paper_window(problem, with_x=False))
    first, last = np.ceil(low), np.floor(np.minimum(high, problem.n_forget))
    move = (first <= last) & (first > 0) & (rng.random(n) < 1 / 3)
    with np.errstate(invalid="ignore"):
        count = first + np.floor(rng.random(n) * (last - first + 1))
    return replace(problem, alpha=np.where(move, count / problem.r, problem.alpha))
