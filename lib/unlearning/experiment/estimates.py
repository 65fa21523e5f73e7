"""What a record holds beside KLoM: estimators that need fewer models, with errors, ensemble by ensemble and paired.

Margins are (models, points) tensors as in `klom`. All numbers of oq5 and GEB are in nats, without their floors taken off
(`estimators.floor` gives these for any number of models).
"""

import math

import numpy as np
import torch
from torch import Tensor

from unlearning.estimators import geb, jackknife, oq5
from unlearning.klom import DIRECTIONS, klom

BLOCK = 20  # models in a block: disjoint small ensembles, to choose on one and test on another
GEB_MODELS = 4  # a variance of fewer models says nothing
SPLITS = 5  # random divisions behind a standard error


def group(unlearned: Tensor, oracle: Tensor) -> dict[str, float]:
    """oq5 and GEB of one group of points: means and 95th percentiles over points, both directions, errors over models."""
    found = {}
    for direction, prefix in zip(DIRECTIONS, ("", "reverse_"), strict=True):
        small = oq5(unlearned, oracle, direction=direction)
        found |= {f"{prefix}oq5_mean": _mean(small), f"{prefix}oq5_p95": _p95(small)}
        if min(len(unlearned), len(oracle)) >= GEB_MODELS:
            gauss = geb(unlearned, oracle, direction=direction)
            found |= {f"{prefix}geb_mean": _mean(gauss), f"{prefix}geb_p95": _p95(gauss)}
    for name, read in (("mean", _mean), ("p95", _p95)):
        _, error = jackknife(
            lambda u, o, read=read: read(oq5(u, o)), unlearned, oracle, splits=SPLITS
        )
        found[f"oq5_{name}_error"] = error
    return found | {"klom_p95": _p95(klom(unlearned, oracle))}


def accuracy(hits: np.ndarray, oracle_hits: np.ndarray) -> dict[str, float]:
    """Accuracy of both ensembles on a group of points (fractions), with standard errors over models."""
    found = {}
    for name, right in (("accuracy", hits), ("oracle_accuracy", oracle_hits)):
        each = right.mean(1, dtype=np.float64)
        found |= {name: float(right.mean()), f"{name}_error": _standard_error(each)}
    return found


def paired(
    unlearned: Tensor, baseline: Tensor, oracle: Tensor, hits: np.ndarray, baseline_hits: np.ndarray
) -> dict:
    """Difference to another method that started from the same models: of mean oq5 (nats) and of accuracy (fraction).

    Errors over models leave out the same model of both methods at a time.
    """
    points = unlearned.shape[1]

    def difference(both: Tensor, oracles: Tensor) -> float:
        scores = oq5(both, oracles)
        return _mean(scores[:points]) - _mean(scores[points:])

    together, twice = torch.cat([unlearned, baseline], 1), torch.cat([oracle, oracle], 1)
    value, error = jackknife(difference, together, twice, splits=SPLITS)
    each = hits.mean(1, dtype=np.float64) - baseline_hits.mean(1, dtype=np.float64)
    return {
        "oq5_mean": value,
        "oq5_mean_error": error,
        "accuracy": float(each.mean()),
        "accuracy_error": _standard_error(each),
    }


def _standard_error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan


def _mean(scores: Tensor) -> float:
    return float(scores.mean())


def _p95(scores: Tensor) -> float:
    return float(np.percentile(scores.cpu().numpy(), 95))
