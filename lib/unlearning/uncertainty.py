"""What a KLoM score is read against: floors, intervals over models and over points, and all of it in one row.

Margins come in (models, points) tensors as in `klom`; scores in nats."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import beta, norm
from torch import Tensor

from unlearning.klom import ceiling, check_ensembles, count_nan, klom, occupancy, robust_klom


def permutation_floor(
    unlearned: Tensor, oracle: Tensor, *, splits: int = 20, seed: int = 0, **options
) -> Tensor:
    """Scores of `splits` random re-divisions of the pooled models, (splits, points) nats: KLoM if nothing had differed.

    Whole models are exchanged, so the dependence between points stays. Read one percentile per row, or one column as a
    point's null distribution. The pool keeps the outliers of both ensembles: it cannot show a collapsed range, which
    `gaussian_floor` and `occupancy` do. **options go to `klom`. The seed gives the same splits on every device.
    """
    check_ensembles(unlearned, oracle)
    if splits < 1:
        raise ValueError(f"splits must be at least 1, got {splits}")
    pool = torch.cat([unlearned, oracle])
    generator = torch.Generator().manual_seed(seed)
    orders = [torch.randperm(len(pool), generator=generator).to(pool.device) for _ in range(splits)]
    n = len(unlearned)
    return torch.stack([klom(pool[order[:n]], pool[order[n:]], **options) for order in orders])


def gaussian_floor(
    models: int, oracles: int | None = None, *, points: int = 4000, seed: int = 0, **options
) -> Tensor:
    """Scores of two simulated ensembles with the same Gaussian margins at every point, (points,) nats.

    KLoM does not change when all margins of a point are shifted or scaled together (inside the clip), so one table over
    the number of models serves every mean and variance. **options go to `klom`.
    """
    generator = torch.Generator().manual_seed(seed)
    draws = (
        torch.randn(n, points, generator=generator)
        for n in (models, models if oracles is None else oracles)
    )
    return klom(*draws, **options)


def point_interval(
    scores: Tensor, *, percent: float = 95.0, level: float = 0.95
) -> tuple[float, float]:
    """Bootstrap interval of a percentile over points: what another sample of points would change.

    Models fixed, points exchangeable. Resampling is not needed: an order statistic's bootstrap distribution is a beta
    distribution of its rank (Efron 1979 computes it exactly). Where the percentile lies between two order statistics,
    the outer one gives each end. No interval of n points can reach beyond their largest score, which lies below the
    population's 95th percentile with probability 0.95^n: print it for n >= 59 only, where that is less than 5%.
    """
    ranked = np.sort(scores.cpu().numpy())
    n, rank, tail = len(ranked), percent / 100 * (len(ranked) - 1), (1 - level) / 2
    below, above = math.floor(rank) + 1, math.ceil(rank) + 1
    first = math.ceil(n * beta.ppf(tail, below, n + 1 - below))
    last = math.ceil(n * beta.ppf(1 - tail, above, n + 1 - above))
    return float(ranked[max(first, 1) - 1]), float(ranked[min(last, n) - 1])


def model_interval(
    unlearned: Tensor,
    oracle: Tensor,
    *,
    percent: float = 95.0,
    level: float = 0.95,
    subsets: int = 40,
    seed: int = 0,
    **options,
) -> tuple[float, float]:
    """Interval of the percentile over points if both ensembles were trained again with other seeds, points fixed.

    Delete-d jackknife (Shao and Wu 1989): random subsets of each ensemble without its d = N/3 models; their variance
    times (N − d)/d; a normal interval around the full score. Its width against the ideal one, in simulations with the
    covariance of recorded margins: 1.4 to 2.4 times at the floor, 0.9 to 1.7 for a shift of half a standard deviation,
    0.8 to 1 near the ceiling, where it covered 88% to 93% instead of 95%. The ordinary bootstrap fails here: its
    resamples repeat models, so they score like smaller ensembles, far above the score that they should surround.
    Needs at least 2 models in each ensemble. **options go to `klom`.
    """
    check_ensembles(unlearned, oracle)
    if min(len(unlearned), len(oracle)) < 2:
        raise ValueError(
            f"an interval needs at least 2 models in each ensemble, got {len(unlearned)}, {len(oracle)}"
        )
    generator = torch.Generator().manual_seed(seed)
    kept = [len(x) - max(1, len(x) // 3) for x in (unlearned, oracle)]
    values = []
    for _ in range(subsets):
        parts = (
            x[torch.randperm(len(x), generator=generator)[:n].to(x.device)]
            for x, n in zip((unlearned, oracle), kept, strict=True)
        )
        values.append(_percentile(klom(*parts, **options), percent))
    scale = max(n / (len(x) - n) for x, n in zip((unlearned, oracle), kept, strict=True))
    error = math.sqrt(scale * np.var(values, ddof=1)) * norm.ppf((1 + level) / 2)
    centre = _percentile(klom(unlearned, oracle, **options), percent)
    return max(0.0, float(centre - error)), float(centre + error)


def _percentile(scores: Tensor, percent: float) -> float:
    return float(np.percentile(scores.cpu().numpy(), percent))


@dataclass(frozen=True)
class Summary:
    """KLoM of one group of points with everything it must be read against. Nats unless stated otherwise."""

    p95: float  # 95th percentile over points of the score: the paper's statistic
    low: float  # lower end of its 95% interval over models (`model_interval`)
    high: float  # upper end
    points_low: float  # lower end of its 95% interval over points (`point_interval`)
    points_high: float  # upper end
    mean: float  # mean over points
    robust_p95: float  # 95th percentile of `robust_klom`
    floor: (
        float  # P95 that the pooled models score, re-divided at random: mean of `permutation_floor`
    )
    gaussian_floor: float  # P95 of two equal Gaussian ensembles of these sizes
    ceiling: float  # 95th percentile of `ceiling`: the score cannot exceed it
    collapsed: float  # fraction of points where far-out models take more than half of the range (`occupancy` < 1/2)
    nan: int  # NaN margins in both ensembles, counted as −clip
    models: int  # unlearned models N
    oracles: int  # oracles
    points: int  # points in the group


def summarize(
    unlearned: Tensor,
    oracle: Tensor,
    *,
    splits: int = 20,
    subsets: int = 40,
    seed: int = 0,
    **options,
) -> Summary:
    """`Summary` of one group: (models, points) margins of at least 2 models per ensemble and 1 point.

    splits, subsets: how many random divisions the floor and the interval use. **options go to `klom`.
    """
    check_ensembles(unlearned, oracle, warn=False)
    if not oracle.shape[1]:
        raise ValueError("a group needs at least one point, got none")
    clip = options.get("clip", 100.0)
    nan = count_nan(unlearned, oracle)
    unlearned, oracle = (
        unlearned.nan_to_num(nan=-clip),
        oracle.nan_to_num(nan=-clip),
    )  # reported in the summary
    scores = klom(unlearned, oracle, **options)
    low, high = model_interval(unlearned, oracle, subsets=subsets, seed=seed, **options)
    points_low, points_high = point_interval(scores)
    null = permutation_floor(unlearned, oracle, splits=splits, seed=seed, **options)
    gaussian = gaussian_floor(len(unlearned), len(oracle), seed=seed, **options)
    robust = robust_klom(unlearned, oracle, **{k: v for k, v in options.items() if k != "drop_max"})
    return Summary(
        p95=_percentile(scores, 95),
        low=low,
        high=high,
        points_low=points_low,
        points_high=points_high,
        mean=float(scores.mean()),
        robust_p95=_percentile(robust, 95),
        floor=float(np.mean([_percentile(row, 95) for row in null])),
        gaussian_floor=_percentile(gaussian, 95),
        ceiling=_percentile(ceiling(unlearned, oracle, **options), 95),
        collapsed=float((occupancy(unlearned, oracle, clip=clip) < 0.5).double().mean()),
        nan=nan,
        models=len(unlearned),
        oracles=len(oracle),
        points=oracle.shape[1],
    )
