"""How far the accuracy on a random forget set may lie from the test accuracy (Lemma 1)."""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

# Accuracies are counts divided by n. "At least t" is decided on counts, and two counts closer than this are equal:
# 0.95 + 0.05 is 1.0 on paper and need not be in floating point.
_TIE = 1e-9


def _size(name: str, value: int) -> int:
    if isinstance(value, bool) or int(value) != value or value < 1:
        raise ValueError(f"{name} = {value!r}: give a whole number of points, 1 or more")
    return int(value)


def _distance(t: ArrayLike) -> np.ndarray:
    t = np.asarray(t, dtype=float)
    if not np.all(t >= 0):  # also refuses nan
        raise ValueError(f"t = {t!r}: give distances between two accuracies, 0 or above")
    return t


def _open_unit(name: str, value: float) -> float:
    if not 0 < value < 1:
        raise ValueError(f"{name} = {value!r}: give a probability between 0 and 1, both excluded")
    return float(value)


def hoeffding_bound(n: int, t: ArrayLike, test_points: int | None = None) -> np.ndarray:
    """Upper bound on P(|Acc_F - Acc_T| ≥ t): min(1, 2 exp(-2 n t²)) (Lemma 1, from Hoeffding 1963, Theorem 1).

    n = |F| (points); t ≥ 0 (fraction), any shape, returned shape the same. With `test_points` = m, Acc_T is itself a
    mean over m independent points; 1/n becomes 1/n + 1/m: min(1, 2 exp(-2 t² / (1/n + 1/m))) (Hoeffding 1963, (2.6)).
    Raises ValueError for n or m below 1, or t below 0.
    """
    inverse = 1 / _size("n", n) + (
        0 if test_points is None else 1 / _size("test_points", test_points)
    )
    return np.minimum(1.0, 2 * np.exp(-2 * _distance(t) ** 2 / inverse))


def hoeffding_margin(n: int, delta: float, test_points: int | None = None) -> float:
    """The distance t at which `hoeffding_bound` equals delta: sqrt((1/n [+ 1/m]) ln(2/delta) / 2) (fraction).

    Raises ValueError for sizes below 1 or delta outside (0, 1).
    """
    inverse = 1 / _size("n", n) + (
        0 if test_points is None else 1 / _size("test_points", test_points)
    )
    return float(np.sqrt(inverse * np.log(2 / _open_unit("delta", delta)) / 2))


def binomial_tail(n: int, p: float, t: ArrayLike) -> np.ndarray:
    """The exact P(|K/n - p| ≥ t) for K ~ Binomial(n, p), which Lemma 1 bounds; shape of t.

    n = |F| (points); p = Acc_T (fraction in [0, 1]); t ≥ 0 (fraction). Raises ValueError outside these ranges.
    """
    n, t = _size("n", n), _distance(t)
    if not 0 <= p <= 1:
        raise ValueError(f"p = {p!r}: give an accuracy between 0 and 1")
    high = np.ceil(n * (p + t) - _TIE)  # smallest count far enough above
    low = np.floor(n * (p - t) + _TIE)  # largest count far enough below
    tail = stats.binom.sf(high - 1, n, p) + stats.binom.cdf(low, n, p)
    return np.where(
        low >= high, 1.0, np.minimum(1.0, tail)
    )  # at t = 0 the two sides may share a count


def binomial_margin(n: int, p: float, delta: float) -> float:
    """The smallest attainable distance t = |k/n - p| with P(|K/n - p| > t) ≤ delta, exact counterpart of Hoeffding's.

    So |Acc_F - Acc_T| ≤ t with probability 1 - delta at least. Raises ValueError as `binomial_tail`, and for delta.
    """
    n, delta = _size("n", n), _open_unit("delta", delta)
    if not 0 <= p <= 1:
        raise ValueError(f"p = {p!r}: give an accuracy between 0 and 1")
    distance = np.abs(np.arange(n + 1) / n - p)
    order = np.argsort(distance, kind="stable")
    within = np.cumsum(stats.binom.pmf(np.arange(n + 1), n, p)[order])
    # two counts at the same distance belong together, so look for the first distance that suffices
    return float(distance[order][min(np.searchsorted(within, 1 - delta - 1e-12), n)])


def split_tail(n: int, m: int, correct: int, t: ArrayLike) -> np.ndarray:
    """The exact P(|Acc_F - Acc_T| ≥ t) when n + m points, `correct` of them right, are split at random into F and T.

    Acc_F and Acc_T are the two accuracies (n and m points). Given the model and the points that it was not trained on,
    the number of right ones in F is hypergeometric. t ≥ 0 (fraction), shape kept.
    Raises ValueError for sizes below 1, t below 0, or correct outside 0..n+m.
    """
    n, m, t = _size("n", n), _size("m", m), _distance(t)
    if int(correct) != correct or not 0 <= correct <= n + m:
        raise ValueError(f"correct = {correct!r}: give a whole number from 0 to n + m = {n + m}")
    counts = np.arange(n + 1)
    distance = np.abs(counts / n - (correct - counts) / m)
    weight = stats.hypergeom.pmf(counts, n + m, correct, n)
    return np.sum(weight * (distance >= t[..., None] - _TIE / (n * m)), axis=-1)


def exceedance(deviations: ArrayLike, t: float, level: float = 0.99) -> tuple[float, float, float]:
    """How often a simulated |deviation| is t or more: (frequency, low, high), Clopper-Pearson interval at `level`.

    deviations: one Acc_F - Acc_T a repeat (fractions), shape (repeats,). Raises ValueError when it is empty or not
    finite, for t below 0 or level outside (0, 1).
    """
    deviations = np.abs(np.asarray(deviations, dtype=float))
    if deviations.ndim != 1 or deviations.size == 0 or not np.all(np.isfinite(deviations)):
        raise ValueError(
            f"deviations has shape {deviations.shape}: give one finite number for each repeat"
        )
    count = int(np.sum(deviations >= _distance(t) - 1e-12))
    interval = stats.binomtest(count, deviations.size).proportion_ci(
        _open_unit("level", level), method="exact"
    )
    return count / deviations.size, float(interval.low), float(interval.high)
