"""Gradient ascent stopped without an oracle, each model by itself: the rule of Lemma 1, which desk's protocol asks (H4).

On a random forget set an oracle is as accurate as on fresh data (Lemma 1). So a path stops when its accuracy on F has
fallen to the validation accuracy that the same model had before ascent; of the step sizes the one with the highest
validation accuracy at its stop is taken. A model that no step size brings there stays as it was.
"""

import numpy as np

from unlearning.methods import Config

NAME = "ga_stopped"  # the method in a record


def paths(configs: tuple[Config, ...]) -> tuple[Config, ...]:
    """Gradient ascent as published, at every positive step size of a preset: what the rule chooses from."""
    return tuple(c for c in configs if c.lr > 0 and c == Config("ga", c.lr, c.epochs))


def first_reached(accuracy: np.ndarray, level: float | np.ndarray) -> np.ndarray:
    """Where each single model stops: index of the first time at which its accuracy is at most `level`, (models,).

    accuracy: (times, models), fractions; level: one for all or (models,). A model that never gets there has the number
    of times as its index.
    """
    reached = accuracy <= level
    return np.where(reached.any(0), reached.argmax(0), len(accuracy))


def choose(forget: np.ndarray, val: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(index of the step size, index of the time) that each model takes, (models,) each; time -1: the rule never fires.

    forget, val: (step sizes, times, models), accuracy on F and on validation points; start: (models,), validation
    accuracy before ascent; fractions all. Equal validation accuracies: the smaller index.
    """
    rates, times, models = forget.shape
    at = np.stack([first_reached(path, start) for path in forget])
    there = np.take_along_axis(val, np.minimum(at, times - 1)[:, None], axis=1)[:, 0]
    best = np.where(at < times, there, -1.0).argmax(0)
    stop = at[best, np.arange(models)]
    return best, np.where(stop < times, stop, -1)
