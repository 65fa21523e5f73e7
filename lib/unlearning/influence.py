"""Principal components of an ensemble's margins, and forget sets made of them. Explained in `principal_components`."""

import numpy as np
from numpy.typing import ArrayLike


def principal_components(margins: ArrayLike, k: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """First k principal components of a matrix of margins, one score for each training point (reference: Appendix K).

    margins (runs, points): row = one trained model, entry = its margin at a training point (logits, any unit).
    The column means are taken off; the components are the first right singular vectors of what is left, each of length
    1. Returns (scores (k, points), share (k,)), share = the fraction of the total variance along the component.
    The sign of a singular vector is free: here the entry of largest size (the first of them) is positive.
    Raises ValueError for a matrix that is not two-dimensional and finite, that has fewer than 2 runs or whose columns
    are all constant, and for k outside 1..min(runs - 1, points).
    """
    margins = np.asarray(margins, dtype=float)
    if margins.ndim != 2 or margins.shape[0] < 2 or margins.shape[1] < 1 or not np.all(np.isfinite(margins)):
        raise ValueError(f"margins has shape {margins.shape}: give a finite matrix (runs, points) of 2 runs or more")
    most = min(margins.shape[0] - 1, margins.shape[1])  # centring takes one rank away
    if isinstance(k, bool) or int(k) != k or not 1 <= k <= most:
        raise ValueError(f"k = {k!r}: give a whole number from 1 to {most}")
    centred = margins - margins.mean(axis=0)
    _, singular, vectors = np.linalg.svd(centred, full_matrices=False)
    # below this all differences between runs are rounding
    if singular[0] <= 1e-12 * max(1.0, np.abs(margins).max()):
        raise ValueError("all runs have the same margins: give an ensemble whose models differ")
    scores = vectors[:k]
    largest = np.argmax(np.abs(scores), axis=1)
    return scores * np.sign(scores[np.arange(k), largest])[:, None], singular[:k] ** 2 / np.sum(singular**2)


def select_points(scores: ArrayLike, top: int = 0, bottom: int = 0) -> np.ndarray:
    """Indices of the `top` highest and the `bottom` lowest scores, ascending, each index once: a forget set.

    scores (points,): one component of `principal_components`. Equal scores are taken in the order of their indices.
    Raises ValueError when scores is not a finite vector, or for counts below 0 or of together 0 or more than there are.
    """
    scores = np.asarray(scores, dtype=float)
    if scores.ndim != 1 or not np.all(np.isfinite(scores)):
        raise ValueError(f"scores has shape {scores.shape}: give one finite score for each point")
    if any(isinstance(c, bool) or int(c) != c or c < 0 for c in (top, bottom)) or not 0 < top + bottom <= scores.size:
        raise ValueError(f"top = {top!r}, bottom = {bottom!r}: give counts of together 1 to {scores.size}")
    highest = np.argsort(-scores, kind="stable")[: int(top)]
    rest = np.setdiff1d(np.arange(scores.size), highest)  # ascending, so equal scores keep the order of indices
    lowest = rest[np.argsort(scores[rest], kind="stable")[: int(bottom)]]
    return np.sort(np.concatenate([highest, lowest]))


def nearest(margins: ArrayLike, forget: np.ndarray, count: int) -> np.ndarray:
    """Indices of the `count` retain points whose margins go most with the forget set's, ascending.

    margins (runs, points) as above. Every point's margins are standardised over runs; a retain point is as near as its
    correlation with the forget points' mean is high. (Training points that depend on each other rise and fall together
    from run to run: the sets of principal components are chosen by the same covariance.) A constant column counts as
    uncorrelated. Raises ValueError for a matrix as `principal_components` does, and for a count outside 1..|R|.
    """
    margins = np.asarray(margins, dtype=float)
    if margins.ndim != 2 or margins.shape[0] < 3 or not np.all(np.isfinite(margins)):
        raise ValueError(f"margins has shape {margins.shape}: give a finite matrix (runs, points) of 3 runs or more")
    retain = np.setdiff1d(np.arange(margins.shape[1]), forget)
    if isinstance(count, bool) or int(count) != count or not 1 <= count <= retain.size:
        raise ValueError(f"count = {count!r}: give a whole number from 1 to {retain.size}")
    spread = margins.std(axis=0)
    standard = (margins - margins.mean(axis=0)) / np.where(spread > 0, spread, np.inf)
    with_forget = standard[:, forget].mean(axis=1) @ standard[:, retain]
    return np.sort(retain[np.argsort(-with_forget, kind="stable")[:count]])
