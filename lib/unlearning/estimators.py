"""How far unlearned models are from oracles: estimators that need fewer models than KLoM, and what each can detect.

What margins, oracles and floors are is explained in `klom`; all functions here take the same (models, points) tensors.
An estimator is a function (unlearned, oracle) -> (points,) float64 scores and one entry of `ESTIMATORS`.

Order of reading: `oq5`, `geb`, `knn_kl`, `energy` and their table; what a score is read against (`floor`, `jackknife`,
`detectable_shift`); last `ulira`, an attack on the same margins.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.special import digamma, polygamma
from scipy.stats import norm
from torch import Tensor

from unlearning.klom import DIRECTIONS, _chunks, _joined, check_ensembles, klom

RESOLUTION = float(
    np.spacing(np.float32(100))
)  # float32 margins near the clip of 100 cannot be closer than this
REACH = 8.0  # Gaussian estimates count a margin, and a mean, as at most this many standard deviations away
DEFAULT_CLIP = 100.0


@torch.no_grad()
def oq5(
    unlearned: Tensor,
    oracle: Tensor,
    *,
    direction: str = "oracle_to_unlearned",
    cells: int = 5,
    clip: float = DEFAULT_CLIP,
) -> Tensor:
    """KL divergence Σ_k P_k ln(P_k / Q_k) over quantile cells of the reference ensemble, in nats, (points,).

    unlearned, oracle: (models, points) margins; the numbers of models may differ. The reference, P, is the oracles;
    direction="unlearned_to_oracle" exchanges the roles fully. Its quantiles divide the line into `cells` cells, and
    P_k = (n_k + 1/2) / (N + cells/2), Q_k likewise (Krichevsky and Trofimov 1981: add half to every count). A quantile
    is the interval between two neighbouring order statistics (or one of them): a margin inside counts half on either
    side. So any strictly monotone map of all margins of a point leaves its score as it was.

    Robust: however many of the M unlearned models diverge, the score is at most
    (1 − 1/K) ln((2M + K)/K) + (1/K) ln((2M + K)/(K (2M + 1))), K = cells, if the oracles have no ties at a quantile.
    Unlike KLoM it rises when the unlearned models are merely more spread out. NaN and clip as in `klom`. ValueError
    on wrong shapes, no models, or options outside their range. Source: the N = 20 study of this project.
    """
    check_ensembles(unlearned, oracle)
    _check_options(direction, clip)
    if cells < 2 or int(cells) != cells:
        raise ValueError(f"cells must be a whole number of at least 2, got {cells}")
    p, q = _from_to(unlearned, oracle, direction)
    return _joined([_quantile_divergence(*pair, cells) for pair in _chunks(p, q, clip)], oracle)


def _check_options(direction: str, clip: float) -> None:
    if direction not in DIRECTIONS:
        raise ValueError(f"unknown direction {direction!r}; choose one of {', '.join(DIRECTIONS)}")
    if not 0 < clip < math.inf:
        raise ValueError(f"clip must be positive and finite, got {clip}")


def _check_models(name: str, least: int, unlearned: Tensor, oracle: Tensor) -> None:
    if min(len(unlearned), len(oracle)) < least:
        raise ValueError(
            f"{name} needs at least {least} models in each ensemble, "
            f"got {len(unlearned)} unlearned models and {len(oracle)} oracles"
        )


def _from_to(unlearned: Tensor, oracle: Tensor, direction: str) -> tuple[Tensor, Tensor]:
    """P's ensemble, then Q's."""
    return (oracle, unlearned) if direction == "oracle_to_unlearned" else (unlearned, oracle)


def _quantile_divergence(p: Tensor, q: Tensor, cells: int) -> Tensor:
    ranked, k = p.sort(0).values, torch.arange(1, cells, device=p.device) * len(p)
    low, high = (
        ranked[(k + cells - 1) // cells - 1],
        ranked[k // cells],
    )  # equal unless cells divides k · models
    p, q = (_smoothed_shares(x, low, high, cells) for x in (p, q))
    return (p * (p / q).log()).sum(0)


def _smoothed_shares(x: Tensor, low: Tensor, high: Tensor, cells: int) -> Tensor:
    above = (
        (x > low[:, None]).sum(1) + (x >= high[:, None]).sum(1)
    ).double() / 2  # (cells − 1, points)
    above = torch.nn.functional.pad(above, (0, 0, 1, 1))  # nothing lies above the last cell
    above[0] = len(x)
    return (above[:-1] - above[1:] + 0.5) / (len(x) + cells / 2)


@torch.no_grad()
def geb(
    unlearned: Tensor,
    oracle: Tensor,
    *,
    direction: str = "oracle_to_unlearned",
    clip: float = DEFAULT_CLIP,
) -> Tensor:
    """Gaussian KL divergence by empirical Bayes, in nats, (points,): an estimator for a *group* of points.

    The points of a call lend each other their variances, so a point's score depends on its group, and the group's mean
    is what is nearly unbiased: single scores may be negative. With l = ln(s_u / s_o) and δ² = (difference of means)²:
        KL(oracle ‖ unlearned) = [l + (1 + δ²/s_o) e^−l − 1] / 2,   KL(unlearned ‖ oracle) = [e^l + δ²/s_o − l − 1] / 2.
    Both ensembles are winsorised first, each at its own median ± REACH IQR-standard deviations. s_o: the oracles'
    variance, shrunk over the points (`_shrunk_variance`); l: shrunk to the group's mean (`_log_variance_ratio`), with
    e^±l corrected for the noise that is left; δ²: without its bias s_o/N_o + s_u/N_u, at most REACH² s_o.

    Shapes, NaN and clip as in `klom`. Always finite. ValueError on wrong shapes, fewer than 4 models (1/s has no mean
    then), or options outside their range. Source: Smyth 2004 for the variances; the rest is this project's.
    """
    check_ensembles(unlearned, oracle)
    _check_options(direction, clip)
    _check_models("geb", 4, unlearned, oracle)
    if not oracle.shape[1]:
        return torch.zeros(0, dtype=torch.float64, device=oracle.device)
    u, o = (_winsorised(x) for x in _finite(unlearned, oracle, clip))
    ratio, noise = _log_variance_ratio(u, o)
    scale, unbias = _shrunk_variance(o)
    reach = REACH * scale.sqrt()
    difference = (u.mean(0) - o.mean(0)).clamp(-reach, reach)
    bias = u.var(0).minimum(REACH**2 * scale) / len(u) + o.var(0) / len(o)
    square = (difference.square() - bias) / scale * unbias
    if direction == "oracle_to_unlearned":
        return (ratio + (1 + square) * (noise - ratio).exp() - 1) / 2
    return ((noise + ratio).exp() + square - ratio - 1) / 2


def _finite(unlearned: Tensor, oracle: Tensor, clip: float) -> tuple[Tensor, Tensor]:
    return tuple(x.double().nan_to_num(nan=-clip).clamp(-clip, clip) for x in (unlearned, oracle))


def _winsorised(x: Tensor) -> Tensor:
    """x with every margin at most REACH robust standard deviations from its point's median (as it is if IQR = 0)."""
    ranked, places = x.sort(0).values, [share * (len(x) - 1) for share in (0.25, 0.5, 0.75)]
    first, median, third = (
        torch.lerp(ranked[math.floor(i)], ranked[math.ceil(i)], i % 1) for i in places
    )
    reach = REACH * (third - first) / (2 * norm.ppf(0.75))
    reach = torch.where(reach > 0, reach, torch.inf)
    return x.clamp(median - reach, median + reach)


def _log_bias(freedom: float) -> float:
    """E ln s − ln σ² of a variance s with so many degrees of freedom, if margins are Gaussian."""
    return float(digamma(freedom / 2) - math.log(freedom / 2))


def _variances(x: Tensor) -> Tensor:
    """Variances that have a logarithm: a constant column counts as hardly varying (limma offsets them likewise)."""
    variances = x.var(0)
    return variances.clamp_min(max(1e-5 * float(variances.median()), RESOLUTION**2))


def _log_variance_ratio(u: Tensor, o: Tensor) -> tuple[Tensor, Tensor]:
    """ln(s_u / s_o), unbiased and shrunk to its mean over the points, (points,), and a correction c, ().

    Weight of a point's own value: w = t²/(t² + v) where v is the variance of its noise and t² that of the truth over
    the points, by moments. Shrinking makes the mean of e^±l too small, and the noise of the mean makes it too large:
    exp(c ± l), c = (w − 1/points) v/2, has the right one. A single point gets its own value.
    """
    free_u, free_o = len(u) - 1, len(o) - 1
    raw = _variances(u).log() - _variances(o).log() - _log_bias(free_u) + _log_bias(free_o)
    raw = raw.clamp(-2 * math.log(REACH), 2 * math.log(REACH))
    noise = float(polygamma(1, free_u / 2) + polygamma(1, free_o / 2))
    spread = raw.var().sub(noise).clamp_min(0) if len(raw) > 1 else raw.new_zeros(())
    weight = spread / (spread + noise)
    return torch.lerp(raw.mean(), raw, weight), (weight - 1 / len(raw)) * noise / 2


def _shrunk_variance(x: Tensor) -> tuple[Tensor, float]:
    """Variances over models, (points,), shrunk over the points (Smyth 2004), and the factor that unbiases σ²/s.

    σ² over the points is taken as s_0 d_0/χ²(d_0); d_0 and s_0 are those that match mean and variance of ln s. Then
    s = (d_0 s_0 + d s_raw)/(d_0 + d) and E[σ²/s] = (d_0 + d)/(d_0 + d − 2). A single point keeps its own variance.
    """
    raw, free = _variances(x), len(x) - 1
    if len(raw) == 1:
        return raw, (free - 2) / free
    logs = raw.log() - _log_bias(free)
    excess = float(logs.var()) - float(polygamma(1, free / 2))
    if excess <= 0:  # no more spread than equal variances would show
        return raw.mean().expand_as(raw), 1.0
    prior = 2 * _trigamma_inverse(excess)
    centre = math.exp(float(logs.mean()) + _log_bias(prior))
    return (prior * centre + free * raw) / (prior + free), (prior + free - 2) / (prior + free)


def _trigamma_inverse(y: float) -> float:
    """x with ψ'(x) = y, for any y > 0: 1/x + 1/(2x²) < ψ'(x) < 1/x + 1/x² brackets it."""
    low, high = ((1 + math.sqrt(1 + c * y)) / (2 * y) for c in (2, 4))
    return high if y < 1e-6 else brentq(lambda x: float(polygamma(1, x)) - y, low, high)


@torch.no_grad()
def knn_kl(
    unlearned: Tensor,
    oracle: Tensor,
    *,
    direction: str = "oracle_to_unlearned",
    k: int = 5,
    clip: float = DEFAULT_CLIP,
) -> Tensor:
    """KL divergence (1/N) Σ_i ln(ν_i/ρ_i) + ln(M/(N − 1)) from nearest neighbours, in nats, (points,).

    N samples of P (the oracles, or the unlearned models with direction="unlearned_to_oracle") and M of Q; for sample i
    of P, ρ_i is the distance to its k-th nearest among the others of P, ν_i to the k-th nearest of Q. No shape is
    assumed, and the estimate may be negative. Distances below RESOLUTION count as RESOLUTION: ties stay finite.
    Shapes, NaN and clip as in `klom`. ValueError on wrong shapes, fewer than k + 1 models, or options outside their
    range. Source: Wang, Kulkarni and Verdú 2009.
    """
    check_ensembles(unlearned, oracle)
    _check_options(direction, clip)
    if k < 1 or int(k) != k:
        raise ValueError(f"k must be a whole number of at least 1, got {k}")
    _check_models(f"knn_kl with k = {k}", k + 1, unlearned, oracle)
    scores = []
    for p, q in _chunks(*_from_to(unlearned, oracle, direction), clip):
        p, q = (
            x.double().T.contiguous().sort().values for x in (p, q)
        )  # (points, models): searchsorted needs rows
        ratio = _kth_distance(p, q, k) / _kth_distance(
            p, p, k + 1
        )  # the nearest of all is the sample itself
        scores.append(ratio.log().mean(1) + math.log(q.shape[1] / (p.shape[1] - 1)))
    return _joined(scores, oracle)


def _kth_distance(x: Tensor, ranked: Tensor, k: int) -> Tensor:
    """Distance of each x, (points, n), to its k-th nearest in `ranked`, (points, m), whose rows are sorted.

    The k nearest are neighbours in the ranking, so one of the k + 1 windows of length k around x holds them.
    """
    place, distance = torch.searchsorted(ranked, x), torch.full_like(x, torch.inf)
    for shift in range(k + 1):
        first = (place - shift).clamp(0, ranked.shape[1] - k)
        farther = torch.maximum(
            (x - ranked.gather(1, first)).abs(), (ranked.gather(1, first + k - 1) - x).abs()
        )
        distance = torch.minimum(distance, farther)
    return distance.clamp_min(RESOLUTION)


@torch.no_grad()
def energy(unlearned: Tensor, oracle: Tensor, *, clip: float = DEFAULT_CLIP) -> Tensor:
    """Energy distance (2 E|U − O| − E|U − U'| − E|O − O'|) / sd(O), in oracle standard deviations, (points,).

    U, U' and O, O' are *different* models of each ensemble (the U-statistic): its mean is 0 if the ensembles do not
    differ, and a score may be negative. Not a KL divergence and without direction; linear in a large shift. It is not
    robust: one diverged oracle makes sd(O) large and the score small. Shapes, NaN and clip as in `klom`. ValueError on
    wrong shapes, fewer than 2 models, or a clip out of range. Source: Székely and Rizzo 2013.
    """
    check_ensembles(unlearned, oracle)
    _check_options(DIRECTIONS[0], clip)
    _check_models("energy", 2, unlearned, oracle)
    scores = []
    for u, o in _chunks(unlearned, oracle, clip):
        u, o = u.double(), o.double()
        n, m, within_u, within_o = len(u), len(o), _pairs(u), _pairs(o)
        between = _pairs(torch.cat([u, o])) - within_u - within_o
        distance = 2 * (between / (n * m) - within_u / (n * (n - 1)) - within_o / (m * (m - 1)))
        scores.append(distance / o.std(0).clamp_min(RESOLUTION))
    return _joined(scores, oracle)


def _pairs(x: Tensor) -> Tensor:
    """Σ |x_i − x_j| over the unordered pairs of models, (points,), from the ranks."""
    rank = torch.arange(1, len(x) + 1, dtype=x.dtype, device=x.device)[:, None]
    return ((2 * rank - len(x) - 1) * x.sort(0).values).sum(0)


@dataclass(frozen=True)
class Estimator:
    """One way to score points. `function` takes (unlearned, oracle, **options) and returns (points,)."""

    function: Callable[..., Tensor]
    title: str  # for a table or an axis
    unit: str
    source: str
    directed: bool  # takes `direction`: the two ensembles are not exchangeable
    increases_with_spread: bool  # rises if the unlearned models are only more spread out
    grouped: bool = False  # a point's score depends on the other points of its group


ESTIMATORS = {
    "klom": Estimator(
        klom, "KLoM", "nats", "20 equal bins of the joint range; the paper", True, False
    ),
    "oq5": Estimator(
        oq5, "Quintile KL", "nats", "cells at P's quintiles, counts + 1/2", True, True
    ),
    "geb": Estimator(
        geb, "Gaussian KL", "nats", "empirical Bayes, Smyth 2004", True, True, grouped=True
    ),
    "knn": Estimator(
        knn_kl, "Nearest-neighbour KL", "nats", "Wang, Kulkarni and Verdú 2009", True, True
    ),
    "energy": Estimator(
        energy, "Energy distance", "oracle sd", "Székely and Rizzo 2013", False, True
    ),
}


def estimator(name: str) -> Estimator:
    """The entry of `ESTIMATORS`; ValueError with the known names for another one."""
    if name not in ESTIMATORS:
        raise ValueError(f"unknown estimator {name!r}; choose one of {', '.join(ESTIMATORS)}")
    return ESTIMATORS[name]


def floor(
    name: str,
    models: int,
    oracles: int | None = None,
    *,
    points: int = 4000,
    seed: int = 0,
    **options,
) -> Tensor:
    """Scores of two simulated ensembles with the same Gaussian margins, (points,): read mean or P95 from them.

    None of the estimators changes when all margins are shifted or scaled together (inside the clip), so one table over
    the numbers of models serves every mean and variance. **options go to the estimator. ValueError as it raises.
    """
    generator = torch.Generator().manual_seed(seed)
    pair = [
        _gaussian(generator, n, points) for n in (models, models if oracles is None else oracles)
    ]
    return estimator(name).function(*pair, **options)


def _gaussian(
    generator: torch.Generator, models: int, points: int, correlation: float = 0.0
) -> Tensor:
    """(models, points) standard Gaussian margins; any two points of a model have this correlation."""
    own, common = (torch.randn(models, n, generator=generator) for n in (points, 1))
    return math.sqrt(1 - correlation) * own + math.sqrt(correlation) * common


def jackknife(
    statistic: Callable[[Tensor, Tensor], float],
    unlearned: Tensor,
    oracle: Tensor,
    *,
    splits: int = 50,
    seed: int = 0,
) -> tuple[float, float]:
    """(value, standard error over models) of a statistic such as `lambda u, o: float(oq5(u, o).mean())`, points fixed.

    Delete-half jackknife (Shao and Wu 1989), two samples: `splits` times, each ensemble in turn is cut at random into
    blocks of d = N // 2 models, which are left out one after the other while the other ensemble stays whole. The
    variance over these, times (N − d)/d, is that ensemble's part; the two parts add, whatever the numbers of models.

    Measured ratio to the true spread, mean of `oq5` at N = 20, 10 to 300 points: RATIO. Deleting single models
    gives up to 2.5: a quantile cell is no smooth function of one model. ValueError on wrong shapes or fewer than
    2 models.
    """
    check_ensembles(unlearned, oracle, warn=False)
    _check_models("jackknife", 2, unlearned, oracle)
    generator = torch.Generator().manual_seed(seed)
    parts = [
        (unlearned, lambda kept: statistic(kept, oracle)),
        (oracle, lambda kept: statistic(unlearned, kept)),
    ]
    variance = 0.0
    for x, value in parts:
        deleted = len(x) // 2
        values = [
            value(x[kept.to(x.device)])
            for kept in _without_blocks(len(x), deleted, splits, generator)
        ]
        variance += (len(x) - deleted) / deleted * float(np.var(values))
    return float(statistic(unlearned, oracle)), math.sqrt(variance)


def _without_blocks(
    models: int, size: int, splits: int, generator: torch.Generator
) -> list[Tensor]:
    """Indices of the models that stay, for every block of `size` models of every random order."""
    orders = [torch.randperm(models, generator=generator) for _ in range(splits)]
    return [
        torch.cat([order[:start], order[start + size :]])
        for order in orders
        for start in range(0, models - size + 1, size)
    ]


STATISTICS = {"mean": np.mean, "p95": lambda scores: np.percentile(scores, 95)}


def detectable_shift(
    name: str,
    models: int,
    points: int,
    *,
    oracles: int | None = None,
    statistic: str = "mean",
    power: float = 0.8,
    level: float = 0.05,
    correlation: float = 0.0,
    repeats: int = 100,
    seed: int = 0,
    **options,
) -> float:
    """Smallest shift of every point's mean that a statistic over the group detects, in oracle standard deviations.

    Detected: E[S | shift] − E[S | 0] ≥ z_(1 − level/2) sd[S | 0] + z_power sd[S | shift], S = "mean" or "p95" of the
    scores (2.8 standard deviations for the defaults, if both are equal). Means and deviations come from `repeats`
    simulated pairs of Gaussian ensembles; any two points of a model have the given correlation. Returns math.inf if
    32 standard deviations are not detected. **options go to the estimator. ValueError on unknown names or values.
    """
    if statistic not in STATISTICS:
        raise ValueError(f"unknown statistic {statistic!r}; choose one of {', '.join(STATISTICS)}")
    for label, value in (("power", power), ("level", level)):
        if not 0 < value < 1:
            raise ValueError(f"{label} must lie between 0 and 1, got {value}")
    if not 0 <= correlation <= 1:
        raise ValueError(f"correlation must lie in 0..1, got {correlation}")
    if min(models, points) < 1 or repeats < 2:
        raise ValueError(
            f"need at least 1 model, 1 point and 2 repeats, got {models}, {points}, {repeats}"
        )
    generator, score = torch.Generator().manual_seed(seed), estimator(name).function
    sizes = (models, models if oracles is None else oracles)
    pairs = [[_gaussian(generator, n, points, correlation) for n in sizes] for _ in range(repeats)]

    def moments(shift: float) -> tuple[float, float]:
        values = [STATISTICS[statistic](score(u + shift, o, **options).numpy()) for u, o in pairs]
        return float(np.mean(values)), float(np.std(values, ddof=1))

    mean, deviation = moments(0.0)

    def shortfall(shift: float) -> float:
        shifted, spread = moments(shift)
        return norm.ppf(1 - level / 2) * deviation + norm.ppf(power) * spread - (shifted - mean)

    high = next((2.0**i for i in range(-3, 6) if shortfall(2.0**i) <= 0), math.inf)
    return high if math.isinf(high) else float(brentq(shortfall, 0.0, high, xtol=0.005))


@dataclass(frozen=True)
class ULiRA:
    """What an attacker sees who is given one model and must say which ensemble it is from."""

    accuracy: Tensor  # (points,) share of models told right, each ensemble counting half; 1/2: indistinguishable
    mean: float  # of the accuracies
    tpr: float  # share of unlearned models recognised, all points pooled, at ...
    fpr: float  # ... this share, at most, of oracles taken for unlearned


@torch.no_grad()
def ulira(
    unlearned: Tensor, oracle: Tensor, *, fpr: float = 0.01, clip: float = DEFAULT_CLIP
) -> ULiRA:
    """U-LiRA, the per-point likelihood-ratio attack: can a model's margin tell unlearned models from oracles?

    Score of a held-out model with margin x: ln N(x; m_u, s_u) − ln N(x; m_o, s_o), Gaussians fitted to the other
    models. The held-out model is never in the fit; one model of the other ensemble is left out with it (the i-th, or
    i modulo its number), so that with equal numbers both fits are alike and the accuracy under no difference is 1/2
    exactly on average. A score above 0 says "unlearned"; 0 counts half. Raising the threshold until at most `fpr` of
    all oracles' scores lie above it gives tpr.

    unlearned, oracle: (models, points) margins; NaN and clip as in `klom`. ValueError on wrong shapes, fewer than
    3 models, no points or an fpr outside 0..1. Source: Hayes et al. 2024 (leave-one-out in place of shadow models).
    """
    check_ensembles(unlearned, oracle)
    _check_options(DIRECTIONS[0], clip)
    _check_models("ulira", 3, unlearned, oracle)
    if not oracle.shape[1]:
        raise ValueError("ulira needs at least one point, got none")
    if not 0 <= fpr < 1:
        raise ValueError(f"fpr must be at least 0 and below 1, got {fpr}")
    u, o = _finite(unlearned, oracle, clip)
    rest_u, rest_o = _leave_one_out(u), _leave_one_out(o)
    from_u, from_o = (
        _log_ratio(
            x,
            *(
                tuple(part[torch.arange(len(x)) % len(part)] for part in rest)
                for rest in (rest_u, rest_o)
            ),
        )
        for x in (u, o)
    )
    told = [((s > 0).double() + (s == 0).double() / 2).mean(0) for s in (from_u, -from_o)]
    accuracy = (told[0] + told[1]) / 2
    oracles = from_o.flatten().sort(descending=True).values
    threshold = oracles[int(fpr * len(oracles))]
    return ULiRA(accuracy, float(accuracy.mean()), float((from_u > threshold).double().mean()), fpr)


def _leave_one_out(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of the other models, for each model and point: two (models, points) tensors."""
    n, apart = len(x), x - x.mean(0)
    squares = apart.square().sum(0) - apart.square() * n / (n - 1)
    return x.mean(0) - apart / (n - 1), (squares / (n - 2)).clamp_min(RESOLUTION**2)


def _log_ratio(
    x: Tensor, unlearned: tuple[Tensor, Tensor], oracle: tuple[Tensor, Tensor]
) -> Tensor:
    first, second = (
        (x - mean).square() / variance + variance.log() for mean, variance in (unlearned, oracle)
    )
    return (second - first) / 2
