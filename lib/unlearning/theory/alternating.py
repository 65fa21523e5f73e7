"""One coordinate, step by step: simultaneous and alternating descent-ascent, the brake, where iterates come to rest.

With p = r/|R| and q = αr/|F| the simultaneous step descends λw + (q − p) e^{-w}; the alternating one takes a descent
half-step on R and, from where that ended, an ascent half-step on F, each with the ridge (App. D.3).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from unlearning.theory.one_dimension import OneCoordinate, gradient, require, stationary


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
    Raises ValueError for a start that is not finite or already below −700.
    """
    path = np.empty((steps + 1, *np.shape(start)))
    path[0] = w = np.asarray(start, dtype=float)
    require(np.isfinite(w) & (w >= -700), "start", start, "a finite number >= -700")
    for k in range(steps):
        w = step(np.maximum(w, -700.0))
        path[k + 1] = w = np.where((path[k] < -700) | (w < -700), -np.inf, w)
    return path


def expansion(problem: OneCoordinate, w: ArrayLike, eta: ArrayLike) -> NDArray:
    """The terms of orders η, η² and η³ of `alternating_step` at w: shape (3, ...).

    With g = λw − p e^{-w} and h = λw + q e^{-w} the step is −η[g + h(w − ηg)], so that
    −η (g + h),  +η² g h',  −η³ g² h''/2  with h' = λ − q e^{-w}, h'' = q e^{-w}.
    """
    descent = gradient(problem, w, "R")
    q = problem.alpha * problem.r / problem.n_forget
    ascent = problem.lam * w + q * np.exp(-w)
    slope, bend = problem.lam - q * np.exp(-w), q * np.exp(-w)
    return np.stack(
        np.broadcast_arrays(
            -eta * (descent + ascent), eta**2 * descent * slope, -(eta**3) * descent**2 * bend / 2
        )
    )


def resting_points(problem: OneCoordinate, eta: float, samples: int = 4001) -> NDArray:
    """Every fixed point of `alternating_step` between its floor and w_D, in ascending order; one problem, no arrays.

    The interval is scanned at `samples` weights, dense towards w_D, and each change of sign of step(w) − w is
    bracketed. There is always at least one where α >= |F|/|R| or in Lemma 3's range, because there the step from w_D
    points down and from the floor it does not. A pair of roots closer than the scan is missed.
    """
    top = float(stationary(problem, "D"))
    bottom = max(float(alternating_floor(problem, eta)), -700.0)  # e^{-w} must stay finite

    def change(w):
        return alternating_step(problem, w, eta) - w

    grid = np.linspace(min(bottom, top - 1) - 1e-9, top, samples)
    grid = np.union1d(grid, top - np.geomspace(1e-6, top - grid[0], samples))
    sign = change(grid) > 0
    turns = np.flatnonzero(sign[1:] != sign[:-1])
    return np.array([brentq(change, grid[k], grid[k + 1], xtol=1e-13) for k in turns])
