"""Distances of unlearned models from oracles that need fewer models than KLoM, and their power.

Margins, oracles and floors are explained in `klom`; every function takes the same (models, points)
tensors. An estimator is a function (unlearned, oracle) -> (points,) and one entry of `ESTIMATORS`.

Order of reading: `oq5`, `geb`, `knn_kl`, `energy`, their table; what a score is read against
(`floor`, `jackknife`, `detectable_shift`); last `ulira`, an attack on the same margins.
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

REACH = 8.0  # for `geb`, no margin and no mean is more than this many standard deviations away
RESOLUTION = float(np.spacing(np.float32(100)))  # spacing of float32 margins next to the clip


def oq5(
    unlearned: Tensor,
    oracle: Tensor,
    *,
    direction: str = DIRECTIONS[0],
    cells: int = 5,
    clip: float = 100.0,
) -> Tensor:
    """KL divergence Σ_k P_k ln(P_k / Q_k) over quantile cells of P's ensemble, (points,) nats.

    unlearned, oracle: (models, points) margins; the numbers of models may differ. P is the oracles
    and Q the unlearned models; direction="unlearned_to_oracle" exchanges the roles fully.
    P's own quantiles divide the line into K = `cells` cells; P_k = (n_k + 1/2)/(N + K/2), Q_k
    likewise (Krichevsky and Trofimov 1981). A quantile is the whole interval between two order
    statistics of P, or a single one; a margin inside, or on that one, counts half on either side.
    So no strictly monotone map of a point's margins, common to both ensembles, changes its score.

    However many of Q's M models diverge, the score is at most
    (1 − 1/K) ln((2M + K)/K) + (1/K) ln((2M + K)/(K (2M + 1))) if K divides N and P has no ties.
    Unlike KLoM it rises when the unlearned models are merely more spread out.
    NaN and clip as in `klom`. ValueError on wrong shapes, no models, options outside their range.
    """
    p, q = _from_to(*_checked(unlearned, oracle, "oq5", 1, direction, clip), direction)
    _check_whole("cells", cells, 2)
    return _joined([_quantile_divergence(*pair, cells) for pair in _chunks(p, q, clip)], p)


def _checked(
    unlearned: Tensor, oracle: Tensor, name: str, least: int, direction: str, clip: float
) -> tuple[Tensor, Tensor]:
    """Both ensembles, without gradients, if they and the options are fit to be scored."""
    check_ensembles(unlearned, oracle)
    if min(len(unlearned), len(oracle)) < least:
        raise ValueError(
            f"{name} needs at least {least} models in each ensemble, "
            f"got {len(unlearned)} unlearned and {len(oracle)} oracle models"
        )
    if direction not in DIRECTIONS:
        raise ValueError(f"unknown direction {direction!r}; choose one of {', '.join(DIRECTIONS)}")
    if not 0 < clip < math.inf:
        raise ValueError(f"clip must be positive and finite, got {clip}")
    return unlearned.detach(), oracle.detach()


def _check_whole(name: str, value: int, least: int) -> None:
    if value < least or int(value) != value:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value}")


def _from_to(unlearned: Tensor, oracle: Tensor, direction: str) -> tuple[Tensor, Tensor]:
    """P's ensemble, then Q's."""
    return (oracle, unlearned) if direction == DIRECTIONS[0] else (unlearned, oracle)


def _quantile_divergence(p: Tensor, q: Tensor, cells: int) -> Tensor:
    ranked, k = p.sort(0).values, torch.arange(1, cells, device=p.device) * len(p)
    low, high = ranked[(k + cells - 1) // cells - 1], ranked[k // cells]  # (cells − 1, points)
    p, q = (_smoothed_shares(x, low, high, cells) for x in (p, q))
    return (p * (p / q).log()).sum(0)


def _smoothed_shares(x: Tensor, low: Tensor, high: Tensor, cells: int) -> Tensor:
    above = ((x > low[:, None]).sum(1) + (x >= high[:, None]).sum(1)).double() / 2
    above = torch.nn.functional.pad(above, (0, 0, 1, 1))  # none above the last cell, and ...
    above[0] = len(x)  # ... all above the lower end of the first
    return (above[:-1] - above[1:] + 0.5) / (len(x) + cells / 2)


def geb(
    unlearned: Tensor, oracle: Tensor, *, direction: str = DIRECTIONS[0], clip: float = 100.0
) -> Tensor:
    """Gaussian KL divergence by empirical Bayes, (points,) nats: an estimator for a *group*.

    With l = ln(s_u/s_o) and δ the difference of the means, KL(oracle ‖ unlearned) is
    [l + (1 + δ²/s_o) e^−l − 1]/2 and KL(unlearned ‖ oracle) is [e^l + δ²/s_o − l − 1]/2.
    The points of a call lend each other their variances: s_o is shrunk over the points
    (`_shrunk_variance`) and l to its mean (`_log_variance_ratio`); δ² comes without its bias
    s_u/N_u + s_o/N_o. So a score depends on its group, the group's mean is what is nearly
    unbiased, and single scores may be negative. Each ensemble is winsorised first, at its own
    median ± REACH robust standard deviations; δ and e^l are kept within the same reach, so that
    every score is finite (unlearned models that all agree, far away, score about 2,100 nats).

    Shapes, NaN and clip as in `klom`. ValueError on wrong shapes, fewer than 4 models (1/s has no
    mean then), options outside their range. Variances: Smyth 2004; the rest is this project's.
    """
    u, o = _checked(unlearned, oracle, "geb", 4, direction, clip)
    if not o.shape[1]:
        return torch.zeros(0, dtype=torch.float64, device=o.device)
    u, o = (_winsorised(_finite(x, clip)) for x in (u, o))
    ratio, noise = _log_variance_ratio(u, o)
    scale, unbias = _shrunk_variance(o)
    reach = REACH * scale.sqrt()
    delta = (u.mean(0) - o.mean(0)).clamp(-reach, reach)
    bias = u.var(0).minimum(reach.square()) / len(u) + o.var(0) / len(o)
    square = unbias * (delta.square() - bias) / scale
    if direction == DIRECTIONS[0]:
        return (ratio + (1 + square) * (noise - ratio).exp() - 1) / 2
    return ((noise + ratio).exp() + square - ratio - 1) / 2


def _finite(x: Tensor, clip: float) -> Tensor:
    return x.double().nan_to_num(nan=-clip).clamp(-clip, clip)


def _winsorised(x: Tensor) -> Tensor:
    """Margins moved to within REACH robust standard deviations of the median, unless IQR = 0."""
    ranked, places = x.sort(0).values, [(len(x) - 1) * share for share in (0.25, 0.5, 0.75)]
    first, median, third = (
        torch.lerp(ranked[math.floor(i)], ranked[math.ceil(i)], i % 1) for i in places
    )
    reach = REACH * (third - first) / float(2 * norm.ppf(0.75))
    reach = torch.where(reach > 0, reach, torch.inf)
    return x.clamp(median - reach, median + reach)


def _variances(x: Tensor) -> Tensor:
    """Variances, (points,), that have a logarithm: a constant counts as hardly varying."""
    variances = x.var(0)
    return variances.clamp_min(max(1e-5 * float(variances.median()), RESOLUTION**2))


def _log_bias(freedom: float) -> float:
    """E ln s − ln σ² of a Gaussian sample's variance s with so many degrees of freedom."""
    return float(digamma(freedom / 2)) - math.log(freedom / 2)


def _log_variance_ratio(u: Tensor, o: Tensor) -> tuple[Tensor, Tensor]:
    """l = ln(s_u/s_o), unbiased and shrunk to its mean over the points, (points,); c, ().

    A point's own value weighs w = t²/(t² + v): v is the variance of its noise, t² that of the truth
    over the points (by moments). Shrinking makes the mean of e^±l too small and the noise of the
    mean makes it too large; that of exp(c ± l), c = (w − 1/points) v/2, is right.
    """
    free_u, free_o = len(u) - 1, len(o) - 1
    raw = _variances(u).log() - _log_bias(free_u) - _variances(o).log() + _log_bias(free_o)
    raw = raw.clamp(-2 * math.log(REACH), 2 * math.log(REACH))
    noise = float(polygamma(1, free_u / 2) + polygamma(1, free_o / 2))
    truth = (raw.var() - noise).clamp_min(0) if len(raw) > 1 else raw.new_zeros(())
    weight = truth / (truth + noise)
    return torch.lerp(raw.mean(), raw, weight), (weight - 1 / len(raw)) * noise / 2


def _shrunk_variance(x: Tensor) -> tuple[Tensor, float]:
    """s, the variances over models shrunk over the points (Smyth 2004), (points,); 1/E[σ²/s].

    The σ² of the points are taken as d_0 s_0/χ²(d_0), with the d_0 and s_0 that match mean and
    variance of ln s_raw. Then s = (d_0 s_0 + d s_raw)/(d_0 + d), d = models − 1, and
    E[σ²/s] = (d_0 + d)/(d_0 + d − 2). A single point keeps its own variance.
    """
    raw, free = _variances(x), len(x) - 1
    if len(raw) == 1:
        return raw, (free - 2) / free
    logs = raw.log() - _log_bias(free)
    excess = float(logs.var()) - float(polygamma(1, free / 2))
    if excess <= 0:  # no more spread than equal variances show
        return raw.mean().expand_as(raw), 1.0
    prior = 2 * _trigamma_inverse(excess)
    centre = math.exp(float(logs.mean()) + _log_bias(prior))
    total = prior + free
    return (prior * centre + free * raw) / total, (total - 2) / total


def _trigamma_inverse(y: float) -> float:
    """x > 0 with ψ'(x) = y > 0; 1/x + 1/(2x²) < ψ'(x) < 1/x + 1/x² brackets it."""
    low, high = ((1 + math.sqrt(1 + c * y)) / (2 * y) for c in (2, 4))
    return high if y < 1e-6 else brentq(lambda x: float(polygamma(1, x)) - y, low, high)


def knn_kl(
    unlearned: Tensor,
    oracle: Tensor,
    *,
    direction: str = DIRECTIONS[0],
    k: int = 5,
    clip: float = 100.0,
) -> Tensor:
    """KL divergence (1/N) Σ_i ln(ν_i/ρ_i) + ln(M/(N − 1)) by nearest neighbours, (points,) nats.

    N models are P's (the oracles, or by direction="unlearned_to_oracle" the unlearned ones), M are
    Q's. For model i of P, ρ_i is the distance of its margin to the k-th nearest of P's others, ν_i
    to Q's k-th nearest. It assumes no shape and may be negative. A distance counts as at least
    RESOLUTION: ties stay finite. Shapes, NaN and clip as in `klom`. ValueError on wrong shapes,
    fewer than k + 1 models, options outside their range. Source: Wang, Kulkarni and Verdú 2009.
    """
    _check_whole("k", k, 1)
    u, o = _checked(unlearned, oracle, f"knn_kl with k = {k}", k + 1, direction, clip)
    scores = []
    for p, q in _chunks(*_from_to(u, o, direction), clip):
        p, q = (x.double().T.contiguous().sort().values for x in (p, q))  # (points, models)
        ratio = _kth_distance(p, q, k) / _kth_distance(p, p, k + 1)  # its nearest in P is itself
        scores.append(ratio.log().mean(1) + math.log(q.shape[1] / (p.shape[1] - 1)))
    return _joined(scores, o)


def _kth_distance(x: Tensor, ranked: Tensor, k: int) -> Tensor:
    """Distance of each x, (points, n), to the k-th nearest in its row of `ranked`, (points, m).

    The k nearest are neighbours in the ranking: one of the k + 1 windows of length k around x.
    """
    place, distance = torch.searchsorted(ranked, x), torch.full_like(x, torch.inf)
    for shift in range(k + 1):
        first = (place - shift).clamp(0, ranked.shape[1] - k)
        ends = (ranked.gather(1, first + step) for step in (0, k - 1))
        distance = distance.minimum(torch.maximum(*((x - end).abs() for end in ends)))
    return distance.clamp_min(RESOLUTION)


def energy(unlearned: Tensor, oracle: Tensor, *, clip: float = 100.0) -> Tensor:
    """(2 E|U − O| − E|U − U'| − E|O − O'|) / sd(O), (points,), in oracle standard deviations.

    U and U', O and O' are *different* models of an ensemble (U-statistics): the numerator's mean is
    0 if nothing differs, and a score may be negative. No KL divergence, and the same both ways
    but for its unit. Not robust: one diverged oracle makes sd(O) large and the score small. Shapes,
    NaN and clip as in `klom`. ValueError on wrong shapes, fewer than 2 models, a clip out of range.
    Source: Székely and Rizzo 2013 (the square of what scipy.stats.energy_distance returns).
    """
    u, o = _checked(unlearned, oracle, "energy", 2, DIRECTIONS[0], clip)
    scores = []
    for x, y in _chunks(u, o, clip):
        x, y = x.double(), y.double()
        n, m, within_x, within_y = len(x), len(y), _pairs(x), _pairs(y)
        between = _pairs(torch.cat([x, y])) - within_x - within_y
        distance = between / (n * m) - within_x / (n * (n - 1)) - within_y / (m * (m - 1))
        variance = (y - y.mean(0)).square().sum(0) / (m - 1)
        scores.append(2 * distance / variance.sqrt().clamp_min(RESOLUTION))
    return _joined(scores, o)


def _pairs(x: Tensor) -> Tensor:
    """Sum of |x_i − x_j| over the unordered pairs of models, (points,)."""
    rank = torch.arange(1, len(x) + 1, dtype=x.dtype, device=x.device)[:, None]
    return ((2 * rank - len(x) - 1) * x.sort(0).values).sum(0)


@dataclass(frozen=True)
class Estimator:
    """One way to score points: `function` takes (unlearned, oracle, **options)."""

    function: Callable[..., Tensor]
    title: str  # for a table or an axis
    unit: str
    source: str
    directed: bool  # takes a direction
    increases_with_spread: bool  # by the default direction, if only the spread of Q grows
    grouped: bool = False  # a score depends on the other points of its group


ESTIMATORS = {
    "klom": Estimator(klom, "KLoM", "nats", "equal bins; the paper", True, False),
    "oq5": Estimator(oq5, "quintile KL", "nats", "P's quintiles, counts + 1/2", True, True),
    "geb": Estimator(geb, "Gaussian KL", "nats", "empirical Bayes; Smyth 2004", True, True, True),
    "knn": Estimator(knn_kl, "nearest-neighbour KL", "nats", "Wang et al. 2009", True, True),
    "energy": Estimator(
        energy, "energy distance", "oracle sd", "Székely and Rizzo 2013", False, True
    ),
}


def estimator(name: str) -> Estimator:
    """Entry of `ESTIMATORS`. ValueError with the known names if there is none."""
    return _entry("estimator", name, ESTIMATORS)


def _entry(kind: str, name: str, table: dict):
    if name not in table:
        raise ValueError(f"unknown {kind} {name!r}; choose one of {', '.join(table)}")
    return table[name]


def floor(
    name: str,
    models: int,
    oracles: int | None = None,
    *,
    points: int = 4000,
    seed: int = 0,
    **options,
) -> Tensor:
    """Scores of two simulated ensembles with equal Gaussian margins, (points,): its mean, its P95.

    No estimator changes when all margins are shifted or scaled together, inside the clip: one table
    over the numbers of models serves every mean and variance. **options go to the estimator.
    """
    generator = torch.Generator().manual_seed(seed)
    pair = [_gaussian(generator, n, points) for n in _sizes(models, oracles)]
    return estimator(name).function(*pair, **options)


def _sizes(models: int, oracles: int | None) -> tuple[int, int]:
    return models, models if oracles is None else oracles


def _gaussian(
    generator: torch.Generator, models: int, points: int, correlation: float = 0.0
) -> Tensor:
    """(models, points) standard Gaussian margins; any two points correlate so over the models."""
    own, common = (torch.randn(models, n, generator=generator) for n in (points, 1))
    return math.sqrt(1 - correlation) * own + math.sqrt(correlation) * common


def jackknife(
    statistic: Callable[[Tensor, Tensor], float],
    unlearned: Tensor,
    oracle: Tensor,
    *,
    splits: int = 20,
    seed: int = 0,
) -> tuple[float, float]:
    """(value, its standard error over models) of a statistic, `lambda u, o: oq5(u, o).mean()`.

    Delete-d jackknife (Shao and Wu 1989) of two samples: `splits` times each ensemble of N models
    is cut at random into blocks of d = N // 4 (at least 1), left out in turn while the other one is
    whole. The variance over the blocks times (N − d)/d is that ensemble's part; both parts add.

    Measured for the mean of `oq5` at N = 20, as a ratio to the true spread over new models: 0.9 to
    1.2 for shifts of 0.5 to 2 sd if points correlate (0.1; if not, up to 1.35); 1.4 for a spread
    times 1.5; 1.6 where nothing differs: read that from `floor`. Leaving out one model at a time
    gives up to 2.5, since no edge of a cell is smooth in one model; half of the models, 0.7 to 1.3.
    ValueError on wrong shapes, fewer than 2 models, splits below 1.
    """
    u, o = _checked(unlearned, oracle, "jackknife", 2, DIRECTIONS[0], 1.0)
    _check_whole("splits", splits, 1)
    generator, variance = torch.Generator().manual_seed(seed), 0.0
    for x, value in ((u, lambda part: statistic(part, o)), (o, lambda part: statistic(u, part))):
        deleted = max(1, len(x) // 4)
        parts = (x[kept.to(x.device)] for kept in _without(len(x), deleted, splits, generator))
        variance += (len(x) - deleted) / deleted * float(np.var([float(value(p)) for p in parts]))
    return float(statistic(u, o)), math.sqrt(variance)


def _without(models: int, size: int, splits: int, generator: torch.Generator) -> list[Tensor]:
    """Indices of the models that stay, for every whole block of `splits` random orders."""
    orders = [torch.randperm(models, generator=generator) for _ in range(splits)]
    starts = range(0, models - size + 1, size)
    return [torch.cat([order[:i], order[i + size :]]) for order in orders for i in starts]


STATISTICS = {"mean": torch.mean, "p95": lambda scores: np.percentile(scores.numpy(), 95)}


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
    """Smallest shift of all points' means that a group's statistic detects, in oracle sd.

    S is the "mean" or "p95" of the scores, and a shift is detected if it moves the mean of S by
    z_(1 − level/2) sd[S | none] + z_power sd[S | shift]: 2.8 sd by default, if both are equal.
    `repeats` simulated pairs of Gaussian ensembles give means and sd; any two points of a model
    have the given correlation. Returns inf if not even 32 sd are detected. **options go to the
    estimator. ValueError on unknown names and values out of range.
    """
    score, summary = estimator(name).function, _entry("statistic", statistic, STATISTICS)
    for label, value in (("power", power), ("level", level), ("correlation", correlation)):
        if not 0 < value < 1 and not (label == "correlation" and value == 0):
            raise ValueError(f"{label} must lie between 0 and 1, got {value}")
    _check_whole("points", points, 1)
    _check_whole("repeats", repeats, 2)
    generator, sizes = torch.Generator().manual_seed(seed), _sizes(models, oracles)
    pairs = [[_gaussian(generator, n, points, correlation) for n in sizes] for _ in range(repeats)]

    def moments(shift: float) -> tuple[float, float]:
        values = [float(summary(score(u + shift, o, **options))) for u, o in pairs]
        return float(np.mean(values)), float(np.std(values, ddof=1))

    def shortfall(shift: float) -> float:
        mean, sd = moments(shift)
        return norm.ppf(1 - level / 2) * null_sd + norm.ppf(power) * sd - (mean - null_mean)

    null_mean, null_sd = moments(0.0)
    high = next((2.0**i for i in range(-3, 6) if shortfall(2.0**i) < 0), math.inf)
    return high if math.isinf(high) else float(brentq(shortfall, 0.0, high, xtol=0.005))


@dataclass(frozen=True)
class ULiRA:
    """How well an attacker tells, from one margin, an unlearned model from an oracle."""

    accuracy: Tensor  # (points,) share of models told right, each ensemble half; 1/2 = by chance
    mean: float  # of the accuracies over the points
    tpr: float  # share of the unlearned models recognised, over all points together, while ...
    fpr: float  # ... at most this share of the oracles is taken for unlearned


def ulira(unlearned: Tensor, oracle: Tensor, *, fpr: float = 0.01, clip: float = 100.0) -> ULiRA:
    """U-LiRA: can a margin tell an unlearned model from an oracle, point by point? (Hayes 2024)

    A held-out model with margin x scores ln N(x; m_u, s_u) − ln N(x; m_o, s_o), with means and
    variances of the other models. It is never in the fit; model i (modulo their number) of the
    other ensemble stays out with the i-th, so with equal numbers both fits have as many models and
    the accuracy is 1/2 on average if nothing differs. A score above 0 says "unlearned"; tpr is the
    share above the lowest threshold that keeps to `fpr`.

    Leaving one out replaces the source's shadow models. Shapes, NaN and clip as in `klom`.
    ValueError on wrong shapes, fewer than 3 models, no points, options outside their range.
    """
    u, o = _checked(unlearned, oracle, "ulira", 3, DIRECTIONS[0], clip)
    if not o.shape[1]:
        raise ValueError("ulira needs at least one point, got none")
    if not 0 <= fpr < 1:
        raise ValueError(f"fpr must be at least 0 and less than 1, got {fpr}")
    u, o = (_finite(x, clip) for x in (u, o))
    fits = [_leave_one_out(x) for x in (u, o)]
    scores = [_log_density(x, *fits[0]) - _log_density(x, *fits[1]) for x in (u, o)]
    right, wrong = ((s > 0).double().mean(0) for s in scores)
    accuracy = (right + 1 - wrong) / 2
    oracles = scores[1].flatten().sort(descending=True).values
    recognised = scores[0] > oracles[int(fpr * len(oracles))]
    return ULiRA(accuracy, float(accuracy.mean()), float(recognised.double().mean()), fpr)


def _leave_one_out(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of all models but one, for each left out: two (models, points) tensors."""
    n, apart = len(x), x - x.mean(0)
    squares = apart.square().sum(0) - apart.square() * n / (n - 1)
    return x.mean(0) - apart / (n - 1), (squares / (n - 2)).clamp_min(RESOLUTION**2)


def _log_density(x: Tensor, means: Tensor, variances: Tensor) -> Tensor:
    """ln N(x_i; mean_i, variance_i) without its constant; i is taken modulo the number of fits."""
    i = torch.arange(len(x), device=x.device) % len(means)
    return -((x - means[i]).square() / variances[i] + variances[i].log()) / 2
