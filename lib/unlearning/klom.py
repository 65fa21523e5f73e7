"""KLoM: the KL divergence between the margin distributions of unlearned models and of oracles.

Margins come in (models, points) tensors, on any device; scores come back as (points,) float64 tensors in nats. The
definition is that of the paper's experiments (Section 3 and the published evaluation code), with its choices made
visible as arguments.

Order of reading: `margins`; `klom` and its three steps (edges, counts, divergence); what shows that a score cannot be
trusted (`ceiling`, `robust_klom`, `occupancy`). Floors and intervals are in `uncertainty`.
"""

import math
import warnings
from collections.abc import Iterator

import torch
from torch import Tensor

DIRECTIONS = ("oracle_to_unlearned", "unlearned_to_oracle")
FENCE = 3.0  # "far out" in Tukey's box plot: 3 interquartile ranges beyond a quartile (2 in a million, if Gaussian)
CHUNK = {
    "cpu": 1 << 20,
    "cuda": 1 << 25,
}  # margins per chunk: small enough for a CPU's cache, large enough for a GPU


def margins(logits: Tensor, labels: Tensor) -> Tensor:
    """Margin of the true class: φ(x, y) = z_y − log Σ_{j≠y} exp z_j. Large means confident and right.

    logits: (..., classes), raw, from a model in eval mode; labels: integers that broadcast to the leading dimensions.
    Returns (...), float32 or wider (half precision is widened first). ValueError on bad shapes or labels.
    """
    if logits.ndim < 1 or logits.shape[-1] < 2:
        raise ValueError(
            f"logits need a last dimension of at least 2 classes, got shape {tuple(logits.shape)}"
        )
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise ValueError(f"labels must be integers (class indices), got {labels.dtype}")
    if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < logits.shape[-1]:
        low, high = int(labels.min()), int(labels.max())
        raise ValueError(f"labels must lie in 0..{logits.shape[-1] - 1}, got {low}..{high}")
    if not logits.is_floating_point() or logits.dtype.itemsize < 4:
        logits = logits.float()
    try:
        index = labels.long().to(logits.device).expand(logits.shape[:-1]).unsqueeze(-1)
    except RuntimeError as error:
        shapes = f"{tuple(labels.shape)} and {tuple(logits.shape)}"
        raise ValueError(
            f"labels must broadcast to the leading dimensions of logits, got shapes {shapes}"
        ) from error
    others = logits.scatter(-1, index, -torch.inf)
    return logits.gather(-1, index).squeeze(-1) - others.logsumexp(-1)


@torch.no_grad()
def klom(
    unlearned: Tensor,
    oracle: Tensor,
    *,
    direction: str = "oracle_to_unlearned",
    bins: int = 20,
    eps: float = 1e-5,
    clip: float = 100.0,
    drop_max: bool = True,
) -> Tensor:
    """Per-point KL divergence Σ_k P_k ln(P_k / Q'_k) between two histograms of margins, in nats, shape (points,).

    unlearned, oracle: (models, points) margins; the numbers of models may differ. Both are clipped to [−clip, clip] and
    counted in `bins` equal bins between their joint minimum and maximum, edges as `numpy.linspace` gives them (if all
    values are equal, the range is one wide). P is the oracles' normalised histogram and Q the unlearned models', or the
    reverse with direction="unlearned_to_oracle". Q' = max(Q, eps) where P > 0, Q elsewhere, normalised again.

    drop_max: the published code's last bin is half-open, so a sample equal to the joint maximum is not counted. Where
    this would leave one of the histograms empty, the last bin is closed for that point, for both ensembles.
    Infinite margins are clipped; a NaN counts as −clip, and a RuntimeWarning says how many there were: the result is
    always finite. ValueError on wrong shapes, no models, or options outside their range.
    """
    check_ensembles(unlearned, oracle)
    _check_options(direction, bins, eps, clip)
    scores = [
        _divergence(p, q, eps)
        for p, q in _histograms(unlearned, oracle, direction, bins, clip, drop_max)
    ]
    return _joined(scores, oracle)


def check_ensembles(unlearned: Tensor, oracle: Tensor, warn: bool = True) -> None:
    for name, x in (("unlearned", unlearned), ("oracle", oracle)):
        if x.ndim != 2 or x.shape[0] < 1 or not x.is_floating_point():
            raise ValueError(
                f"{name} must be a (models, points) tensor of floats with at least one model, "
                f"got shape {tuple(x.shape)}, {x.dtype}"
            )
    if unlearned.shape[1] != oracle.shape[1] or unlearned.device != oracle.device:
        raise ValueError(
            f"both ensembles must score the same points on one device, got {tuple(unlearned.shape)} on "
            f"{unlearned.device} and {tuple(oracle.shape)} on {oracle.device}"
        )
    if warn and (nan := count_nan(unlearned, oracle)):
        total = unlearned.numel() + oracle.numel()
        warnings.warn(
            f"{nan} of {total} margins are NaN and count as -clip", RuntimeWarning, stacklevel=4
        )


def _check_options(direction: str, bins: int, eps: float, clip: float) -> None:
    if direction not in DIRECTIONS:
        raise ValueError(f"unknown direction {direction!r}; choose one of {', '.join(DIRECTIONS)}")
    if bins < 1 or int(bins) != bins:
        raise ValueError(f"bins must be a whole number of at least 1, got {bins}")
    if not 0 < eps < 1:
        raise ValueError(f"eps must lie between 0 and 1, got {eps}")
    if not 0 < clip < math.inf:
        raise ValueError(f"clip must be positive and finite, got {clip}")


def count_nan(*ensembles: Tensor) -> int:
    """Number of NaN margins. A sum is NaN if any term is (or if both infinities occur): only then look closely."""
    return sum(int(x.isnan().sum()) for x in ensembles if x.sum().isnan())


def _joined(chunks: list[Tensor], like: Tensor) -> Tensor:
    return torch.cat(chunks) if chunks else torch.zeros(0, dtype=torch.float64, device=like.device)


def _histograms(
    unlearned: Tensor,
    oracle: Tensor,
    direction: str,
    bins: int,
    clip: float,
    drop_max: bool,
    robust: bool = False,
) -> Iterator[tuple[Tensor, Tensor]]:
    """P and Q, each (bins, chunk) float64 with columns that sum to 1, chunk by chunk of points."""
    for u, o in _chunks(unlearned, oracle, clip):
        p, q = (o, u) if direction == "oracle_to_unlearned" else (u, o)
        edges = _edges(*(_whiskers(p, q) if robust else _joint_range(p, q)), bins, p.dtype)
        above_p, above_q = (
            _above(p, edges),
            _above(q, edges),
        )  # the last rows hold the samples at the joint maximum
        kept = (above_p[-1] < len(p)) & (above_q[-1] < len(q)) & (drop_max and not robust)
        for above in (above_p, above_q):
            above[-1] *= kept  # 0 closes the last bin
        yield _shares(above_p), _shares(above_q)


def _chunks(unlearned: Tensor, oracle: Tensor, clip: float) -> Iterator[tuple[Tensor, Tensor]]:
    """Both ensembles by blocks of points, in one dtype (at least float32), finite and clipped; always new tensors."""
    dtype = torch.promote_types(torch.promote_types(unlearned.dtype, oracle.dtype), torch.float32)
    models = max(len(unlearned), len(oracle))
    size = max(1, CHUNK.get(oracle.device.type, CHUNK["cpu"]) // models)
    for u, o in zip(unlearned.split(size, 1), oracle.split(size, 1), strict=True):
        yield tuple(
            x.to(dtype).nan_to_num(nan=-clip).clamp_(-clip, clip) for x in (u, o)
        )  # nan_to_num copies


def _joint_range(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return torch.minimum(a.amin(0), b.amin(0)), torch.maximum(a.amax(0), b.amax(0))


def _edges(low: Tensor, high: Tensor, bins: int, dtype: torch.dtype) -> Tensor:
    """(bins + 1, points) edges, bit for bit those of numpy.linspace(low, high, bins + 1) in float64.

    For float32 margins each edge is rounded up to the next float32: x ≥ edge holds for exactly the same x.
    """
    low, high = low.double(), high.double()
    high = torch.where(low < high, high, low + 1)
    k = torch.arange(bins + 1, dtype=torch.float64, device=low.device)[:, None]
    width = high - low
    step = width / bins
    edges = (
        torch.where(step > 0, k * step, k / bins * width) + low
    )  # the second form: step underflows, as in numpy
    edges[-1] = high
    if dtype == torch.float64:
        return edges
    rounded = edges.to(dtype)
    return torch.where(
        rounded < edges, torch.nextafter(rounded, rounded.new_tensor(torch.inf)), rounded
    )


def _above(x: Tensor, edges: Tensor) -> Tensor:
    """Number of samples at or above each edge, (bins + 1, points). One compare and one sum per edge take less time than
    one search per sample, and no index is ever built. All samples count as above the first edge: it is open below."""
    above, flags = (
        torch.empty(edges.shape, dtype=torch.float64, device=x.device),
        torch.empty_like(x),
    )
    above[0] = len(x)
    for k in range(1, len(edges)):
        above[k] = torch.ge(x, edges[k], out=flags).sum(
            0
        )  # 0.0 and 1.0 in x's dtype: exact up to 2^24 models
    return above


def _shares(above: Tensor) -> Tensor:
    return (above[:-1] - above[1:]) / (above[0] - above[-1])


def _divergence(p: Tensor, q: Tensor, eps: float) -> Tensor:
    q = torch.where(p > 0, q.clamp_min(eps), q)
    ratio = torch.where(p > 0, p / (q / q.sum(0)), 1.0)
    return (p * ratio.log()).sum(0).clamp_min(0)  # never negative but for the last bit of a sum


@torch.no_grad()
def ceiling(
    unlearned: Tensor,
    oracle: Tensor,
    *,
    direction: str = "oracle_to_unlearned",
    bins: int = 20,
    eps: float = 1e-5,
    clip: float = 100.0,
    drop_max: bool = True,
) -> Tensor:
    """Largest score that each point's P allows: ln(1/eps + K) − H(P) nats, (points,); K is the number of bins P uses.

    It is reached when no sample of Q falls in a bin of P: Q' is then eps in those K bins and sums to 1 + K·eps before
    it is normalised. H(P) is the entropy of P. The usual short form ln(1/eps) − H(P) is smaller by at most K·eps.
    """
    check_ensembles(unlearned, oracle)
    _check_options(direction, bins, eps, clip)
    tops = [
        ((p > 0).double().sum(0) + 1 / eps).log() + torch.special.xlogy(p, p).sum(0)
        for p, _ in _histograms(unlearned, oracle, direction, bins, clip, drop_max)
    ]
    return _joined(tops, oracle)


@torch.no_grad()
def robust_klom(
    unlearned: Tensor,
    oracle: Tensor,
    *,
    direction: str = "oracle_to_unlearned",
    bins: int = 20,
    eps: float = 1e-5,
    clip: float = 100.0,
) -> Tensor:
    """KLoM whose bins a few diverged models cannot stretch, (points,) nats.

    The bins divide the joint range of the *whiskers*: each ensemble's samples within FENCE interquartile ranges of its
    own quartiles. The outer bins are open, so every sample still counts. With no sample beyond the fences the score is
    exactly `klom(..., drop_max=False)`, on the same scale with the same floor and ceiling; up to a quarter of either
    ensemble may diverge before the range follows. (Quantile bins would be as robust, but change scale and floor.)
    """
    check_ensembles(unlearned, oracle)
    _check_options(direction, bins, eps, clip)
    pairs = _histograms(unlearned, oracle, direction, bins, clip, drop_max=False, robust=True)
    return _joined([_divergence(p, q, eps) for p, q in pairs], oracle)


def _whiskers(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Lowest and highest sample, per point, that is not far out in its own ensemble."""
    ranges = []
    for x in (a, b):
        ranked, place = x.sort(0).values, (len(x) - 1) / 4
        lower, upper = math.floor(place), math.ceil(place)
        first = torch.lerp(
            ranked[lower], ranked[upper], place - lower
        )  # quartiles as numpy.percentile has them
        third = torch.lerp(ranked[-1 - lower], ranked[-1 - upper], place - lower)
        reach = FENCE * (third - first)
        inside = (x >= first - reach) & (x <= third + reach)
        ranges.append((x.where(inside, torch.inf).amin(0), x.where(inside, -torch.inf).amax(0)))
    return torch.minimum(ranges[0][0], ranges[1][0]), torch.maximum(ranges[0][1], ranges[1][1])


@torch.no_grad()
def occupancy(unlearned: Tensor, oracle: Tensor, *, clip: float = 100.0) -> Tensor:
    """Share of the joint range that is left without far-out samples, (points,), in [0, 1]; 1 if there are none.

    The bins shrink to this share of their number. A low occupancy means a collapsed range: `klom` is then too small.
    """
    check_ensembles(unlearned, oracle)
    shares = []
    for u, o in _chunks(unlearned, oracle, clip):
        low, high, bottom, top = (x.double() for x in (*_whiskers(u, o), *_joint_range(u, o)))
        shares.append(torch.where(bottom < top, (high - low) / (top - bottom), 1.0))
    return _joined(shares, oracle)
