"""Forget sets as index arrays: by name, by principal components of an ensemble's margins; and which points are scored.

Published index files lie in ROOT/forget_sets/cifar10/ below the data folder (`datasets.find_root`)."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from unlearning.datasets import Data, checked_file, find_root
from unlearning.errors import Refused, short

FORGET_SETS = (
    "random-K, pc1-top-K, pc2-top-K, pc1-ends-K, pc2-ends-K, "
    "or (full CIFAR-10 only) published-1 … published-10"
)
# the benchmark's index files: md5 of forget_set_1.npy … forget_set_10.npy
_PUBLISHED_MD5 = (
    "1d3ba7ff45bf384f0f2071017b2e98e6",
    "55e3088577f27033ebac4021c56264d1",
    "3836708d34f8202010453191fe729fd1",
    "58203402959fdd344a0f6675d375dcde",
    "bb985b1d36d7072d9c1d48e1cc3ec9fc",
    "836f3a3df3443b10ad4130049b30b8fb",
    "e8d72563773423fbacb9833b735aa574",
    "851efc9a7934601c693ecb5cd7ce7802",
    "14c501cd6c982092a29ecc0cb8793b11",
    "f95d745ab5498778e5615872ddbf0358",
)


def checked_indices(indices: np.ndarray, points: int, name: str = "forget set") -> np.ndarray:
    """A forget set as sorted int64 indices into `points` training points.

    Raises Refused when it is empty, not whole numbers, out of range, has duplicates or is the whole training set.
    """
    indices = np.asarray(indices)
    if indices.ndim != 1 or indices.size == 0 or not np.issubdtype(indices.dtype, np.integer):
        raise Refused(
            f"{name}: shape {indices.shape}, type {indices.dtype}; give a vector of at least one "
            "whole number"
        )
    if indices.min() < 0 or indices.max() >= points:
        raise Refused(
            f"{name}: indices {indices.min()} to {indices.max()}; the training set has 0 to {points - 1}"
        )
    found = np.unique(indices).astype(np.int64)
    if found.size < indices.size:
        raise Refused(
            f"{name}: {indices.size - found.size} duplicate indices; name each point once"
        )
    if found.size > points - 2:
        raise Refused(
            f"{name}: {found.size} of {points} training points; at least two must be retained"
        )
    return found


def forget_set(
    name: str, points: int, margins: np.ndarray | None = None, root: str | Path | None = None
) -> np.ndarray:
    """Indices of a forget set, ascending int64.

    random-K: K points by NumPy's legacy generator, with seed 0, 1, 2 for K = 10, 100, 1000, which gives exactly the
    published sets 1-3 on 50,000 points, and seed K otherwise. pc1-top-K: the K points with the highest score on the
    first principal component of the ensemble's margin matrix `margins` (models, points); pc1-ends-K: K/2 highest and
    K/2 lowest. published-K: the benchmark's index files for CIFAR-10. Raises Refused for anything else.
    """
    if match := re.fullmatch(r"published-([1-9]|10)", name):
        if points != 50_000:
            raise Refused(
                f"{name}: the published sets index all of CIFAR-10's 50,000 images, this run has {points}"
            )
        return checked_indices(_published(int(match[1]), root), points, name)
    match = re.fullmatch(r"(random|pc1-top|pc2-top|pc1-ends|pc2-ends)-([1-9][0-9]{0,8})", name)
    if not match:
        raise Refused(f"unknown forget set {short(name, 60)!r}; choose {FORGET_SETS}")
    kind, size = match[1], int(match[2])
    if size > points - 2:
        raise Refused(f"{name}: {size} of {points} training points; at least two must be retained")
    if kind == "random":
        return checked_indices(_random(size, points), points, name)
    if margins is None:
        raise Refused(f"{name}: needs the margins of a trained ensemble")
    scores = principal_components(margins, 2)[0][0 if kind.startswith("pc1") else 1]
    top, bottom = (size, 0) if kind.endswith("top") else (size - size // 2, size // 2)
    return checked_indices(select_points(scores, top, bottom), points, name)


def _random(size: int, points: int) -> np.ndarray:
    seed = {10: 0, 100: 1, 1000: 2}.get(size, size)  # the first three are the benchmark's
    return np.sort(np.random.RandomState(seed).choice(points, size, replace=False))


def _published(k: int, root: str | Path | None) -> np.ndarray:
    if k <= 3:
        return _random(10**k, 50_000)
    path = find_root(root) / "forget_sets" / "cifar10" / f"forget_set_{k}.npy"
    if not path.exists():
        try:
            from huggingface_hub import hf_hub_download  # only a connected machine has it

            path = Path(
                hf_hub_download(
                    "royrin/KLOM-models",
                    f"forget_set_indices/CIFAR10/forget_set_{k}.npy",
                    repo_type="dataset",
                )
            )
        except (
            Exception
        ) as error:  # the hub raises many kinds; all mean that the file cannot be had
            raise Refused(
                f"published-{k}: {path} is missing, and huggingface_hub cannot fetch it ({type(error).__name__}); put "
                f"forget_set_{k}.npy there (of the hub's data set royrin/KLOM-models, folder "
                "forget_set_indices/CIFAR10), install huggingface_hub, or use a random or pc set"
            ) from None
    checked_file(path, _PUBLISHED_MD5[k - 1])
    return np.load(path)


def scored_points(
    data: Data,
    forget: np.ndarray,
    retain: int | None,
    val: int | None,
    seed: int,
    near: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Which points are scored: {"forget", "retain", "near", "val"}, positions in training then validation points.

    The retain and validation points are drawn by `seed` alone (the same for every forget set, apart from points that
    the set takes away); None = all of them. near: the retain points that resemble the forget set (`nearest`),
    a group of its own because a percentile over a mixture hangs on the mixture's shares; None = no such group.
    """
    n, v = len(data.labels), len(data.val_labels)
    generator = np.random.default_rng([seed, n, v])
    order, val_order = generator.permutation(n), generator.permutation(v)
    kept = order[~np.isin(order, forget)]
    groups = {"forget": forget, "retain": np.sort(kept[:retain])} | (
        {} if near is None else {"near": near}
    )
    return groups | {"val": n + np.sort(val_order[:val])}


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
    if (
        margins.ndim != 2
        or margins.shape[0] < 2
        or margins.shape[1] < 1
        or not np.all(np.isfinite(margins))
    ):
        raise ValueError(
            f"margins has shape {margins.shape}: give a finite matrix (runs, points) of 2 runs or more"
        )
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
    return scores * np.sign(scores[np.arange(k), largest])[:, None], singular[:k] ** 2 / np.sum(
        singular**2
    )


def select_points(scores: ArrayLike, top: int = 0, bottom: int = 0) -> np.ndarray:
    """Indices of the `top` highest and the `bottom` lowest scores, ascending, each index once: a forget set.

    scores (points,): one component of `principal_components`. Equal scores are taken in the order of their indices.
    Raises ValueError when scores is not a finite vector, or for counts below 0 or of together 0 or more than there are.
    """
    scores = np.asarray(scores, dtype=float)
    if scores.ndim != 1 or not np.all(np.isfinite(scores)):
        raise ValueError(f"scores has shape {scores.shape}: give one finite score for each point")
    if (
        any(isinstance(c, bool) or int(c) != c or c < 0 for c in (top, bottom))
        or not 0 < top + bottom <= scores.size
    ):
        raise ValueError(
            f"top = {top!r}, bottom = {bottom!r}: give counts of together 1 to {scores.size}"
        )
    highest = np.argsort(-scores, kind="stable")[: int(top)]
    rest = np.setdiff1d(
        np.arange(scores.size), highest
    )  # ascending, so equal scores keep the order of indices
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
        raise ValueError(
            f"margins has shape {margins.shape}: give a finite matrix (runs, points) of 3 runs or more"
        )
    retain = np.setdiff1d(np.arange(margins.shape[1]), forget)
    if isinstance(count, bool) or int(count) != count or not 1 <= count <= retain.size:
        raise ValueError(f"count = {count!r}: give a whole number from 1 to {retain.size}")
    spread = margins.std(axis=0)
    standard = (margins - margins.mean(axis=0)) / np.where(spread > 0, spread, np.inf)
    with_forget = standard[:, forget].mean(axis=1) @ standard[:, retain]
    return np.sort(retain[np.argsort(-with_forget, kind="stable")[:count]])
