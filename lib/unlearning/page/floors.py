"""What no difference scores, and how many models it takes: the sums behind claim C6.

Scores in nats; margins (models, points) as in `klom`.
"""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from unlearning.klom import klom

STATED = (20, 50, 80, 100)  # the numbers of models that Appendix K names


def p95(scores: Tensor) -> float:
    """The paper's statistic of a group of points: the 95th percentile of their scores."""
    return float(np.percentile(scores.cpu().numpy(), 95))


def from_empty_bins(unlearned: Tensor, oracle: Tensor, bins: int = 20, eps: float = 1e-5) -> float:
    """Share of the mean score that comes from bins with oracles and without unlearned models, in [0, 1].

    Such a bin adds P ln(P / eps), no matter how few models are behind it; the last bin is half-open as in `klom`. Both
    ensembles must differ somewhere, or there is no score to share.
    """
    both = torch.cat([unlearned, oracle])
    low, width = both.amin(0), both.amax(0) - both.amin(0)
    shares = []
    for x in (oracle, unlearned):
        place = ((x - low) / width * bins).floor().long()  # the maximum falls into bin K, dropped
        counts = torch.zeros(bins + 1, x.shape[1]).scatter_add_(0, place, torch.ones_like(x))
        shares.append(counts[:bins] / counts[:bins].sum(0))
    p, q = shares
    empty = torch.where((p > 0) & (q == 0), p * (p / eps).log(), 0.0).sum()
    return float(empty / klom(unlearned, oracle, bins=bins, eps=eps).sum())


def observed(null: Mapping[int, float], shifted: float, printed: float) -> dict[str, bool]:
    """Claim C6 as an observation, by name of the check.

    null: P95 of two ensembles of one distribution by their number of models (STATED). shifted: P95 of a real shift of
    half a standard deviation with 100 models, the yardstick. printed: the largest retain or validation P95 that the
    authors print for their pretrained models with N = 100, where it should be low.
    """
    return {
        "with 20 models no difference scores more than the shift does with 100": null[20] > shifted,
        "with 50 models no difference scores more than the shift does with 100": null[50] > shifted,
        "with 100 models no difference scores less than the shift": null[100] < shifted,
        "so do the authors' own retain and validation scores with 100 models": printed < shifted,
    }


def exponents(null: Mapping[int, float]) -> dict[tuple[int, int], float]:
    """d ln P95 / d ln N between neighbouring numbers of models: 0 once a score is stable, -1 for an error like 1/N."""
    sizes = sorted(null)
    return {
        (a, b): math.log(null[b] / null[a]) / math.log(b / a)
        for a, b in zip(sizes[:-1], sizes[1:], strict=True)
    }


def settled(null: Mapping[int, float], after: int = 80) -> dict[str, bool]:
    """Our question beside C6: do the distributions settle, or does the estimator's error shrink?

    null: as in `observed`, with at least two sizes from `after` on. The two halves cannot both hold.
    """
    late = [e for (a, _), e in exponents(null).items() if a >= after]
    return {
        f"from {after} models on the score of no difference is stable (falls more slowly than 1/√N)": min(
            late
        )
        > -0.5,
        f"from {after} models on it falls on, as fast as 1/N or faster": max(late) <= -1.0,
    }


def implied(score: float, curve: Mapping[float, float]) -> float:
    """The x at which a curve {x: P95 in nats} has the value `score`; NaN if it never has.

    The curve must rise or fall throughout; between its points ln P95 is interpolated linearly. With the floor by number
    of models this answers: two equal ensembles of how many models would score that?
    """
    x, y = np.array(sorted(curve.items()), dtype=float).T
    order = np.argsort(y)
    return float(np.interp(np.log(score), np.log(y[order]), x[order], left=np.nan, right=np.nan))
