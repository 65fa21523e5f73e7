"""Where damage begins: what a uniform shift of all margins scores, by any estimator and for any number of models."""

from functools import cache

import numpy as np
import torch

from unlearning.estimators import estimator
from unlearning.klom import DIRECTIONS

SHIFT = 0.84  # uniform shift that counts as damage (oracle sd): one nat of KLoM's P95 at N = 100
POINTS = 4000  # simulated


@cache
def shifted(
    name: str,
    models: int,
    oracles: int | None = None,
    shift_sd: float = SHIFT,
    direction: str = DIRECTIONS[0],
) -> tuple[float, float]:
    """P95 of an estimator where every mean is shifted by `shift_sd` oracle standard deviations, and where nothing differs.

    Both in the estimator's unit. Simulated: POINTS points with Gaussian margins, a fixed seed. name: key of
    `estimators.ESTIMATORS`, of a directed one; oracles: as many as `models` if not given. ValueError for other names.
    """
    score, generator = estimator(name).function, torch.Generator().manual_seed(0)
    counts = models, models if oracles is None else oracles
    u, o = (torch.randn(n, POINTS, generator=generator) for n in counts)
    both = (score(x, o, direction=direction).numpy() for x in (u + shift_sd, u))
    return tuple(float(np.percentile(scores, 95)) for scores in both)
