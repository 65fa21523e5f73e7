"""Two coordinates: where descent-ascent sets out, how its gradient flow runs, and how near it ever comes."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unlearning.theory.correlated import (
    TwoCoordinates,
    gradient,
    margins,
    oracle,
    pretrained,
    pulls,
)


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


def highest_rise(problem: TwoCoordinates, steps: int = 600) -> NDArray:
    """The largest x(τ) − x_D or y(τ) − y_D on DA's gradient flow from the pretrained model, over 1 + x_D; (...).

    Negative or zero means that no stopping time brings either margin nearer to an oracle whose margins are larger
    (`windows.stopping_window`). The flow is followed by `flow_step` for `steps` steps; its start is left out.
    """
    w = pretrained(problem)
    start = np.stack(margins(problem, w))
    highest = np.full(np.broadcast(*start).shape, -np.inf)
    for _ in range(steps):
        w = flow_step(problem, w, "DA")
        highest = np.maximum(highest, (np.stack(margins(problem, w)) - start).max(axis=0))
    return highest / (1 + start[0])
