"""Methods and networks of a chapter's own, run beside the live experiment and judged as its records are.

An ensemble is a list of stacks (`stack.stack`), or of single models; what is scored of it is a dictionary as
`layout.load` returns it: margins and hits, both (times, models, scored points).
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from torch import nn

from unlearning import klom, methods, stack, training, uncertainty
from unlearning.experiment import layout, work
from unlearning.experiment.layout import Context
from unlearning.methods import Checkpoints, Config, Points
from unlearning.page import criteria

Ensemble = list[nn.Module]
Scored = dict[str, np.ndarray]
Own = Callable[[nn.Module, Points, Points, Config], Checkpoints]  # a method


def pretrained(context: Context) -> Ensemble:
    """The live experiment's pretrained models, in stacks as they were trained."""
    p = context.preset
    singles = [layout.load_weights(context, i, context.build()) for i in range(p.models)]
    return [stack.stack(singles[k : k + p.stack]) for k in range(0, p.models, p.stack)]


def train(
    build: Callable[[], nn.Module], context: Context, without: str = "", **changes
) -> Ensemble:
    """As many models of another network, trained by the live recipe on D, or on what the forget set `without` leaves.

    build must give layers that `stack.stack` takes; changes: fields of the recipe.
    """
    p, points = context.preset, np.arange(len(context.data.labels))
    if without:
        points = np.setdiff1d(points, context.forget(without))
    recipe = replace(p.recipe, **changes)
    seeds = [training.seed_of(p.seed, f"{without}/{build.__name__}", i) for i in range(p.models)]
    parts = [seeds[k : k + p.stack] for k in range(0, p.models, p.stack)]
    return [training.train_stack(build, context.data, points, recipe, part) for part in parts]


def given(context: Context, forget_set: str) -> tuple[Points, Points]:
    """(F, R) as methods take them."""
    forget, data = context.forget(forget_set), context.data
    retain = np.setdiff1d(np.arange(len(data.labels)), forget)
    return work.points_of(data, forget), work.points_of(data, retain)


def state(model: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """All parameters of a model, and BatchNorm's running statistics, as two vectors."""
    weights = torch.cat([p.detach().flatten() for p in model.parameters()])
    running = [b.flatten() for name, b in model.named_buffers() if "running" in name]
    return weights.clone(), torch.cat(running).clone() if running else weights[:0]


def unlearn(
    method: Own,
    ensemble: Iterable[nn.Module],
    context: Context,
    forget_set: str,
    config: Config,
) -> Scored:
    """A method's checkpoints of every model, scored on F, then retain, then validation points of the live experiment."""
    data, (forget, retain) = context.data, given(context, forget_set)
    at = torch.from_numpy(np.concatenate(list(context.scored(forget_set).values())))
    images = torch.cat([data.images, data.val_images])[at]
    labels = torch.cat([data.labels, data.val_labels])[at]
    found = []
    for models in ensemble:
        times = method(models, forget, retain, config)
        found.append([training.score(now, data, images, labels) for _, now in times])
    parts = [[np.stack(x) for x in zip(*times, strict=True)] for times in found]
    margins, hits = (np.concatenate(x, axis=1) for x in zip(*parts, strict=True))
    return {"margins": margins, "hits": hits}


def nothing(ensemble: Iterable[nn.Module], context: Context, forget_set: str) -> Scored:
    """The models as they are: the starts of a table, or its oracles."""
    return unlearn(methods.do_nothing, ensemble, context, forget_set, Config("nothing"))


def oracles(context: Context, forget_set: str) -> Scored:
    """The live experiment's oracles on its scored points."""
    at = np.concatenate(list(context.scored(forget_set).values()))
    found = layout.load(f"{forget_set}/oracle", context)
    return {k: found[k][:, :, at] for k in ("margins", "hits")}


def compare(
    context: Context,
    forget_set: str,
    trials: dict[str, tuple[Own, Config]],
    starts: Ensemble | None = None,
    retrained: Ensemble | None = None,
) -> pd.DataFrame:
    """The `table` of some trials, name -> (method, configuration), which hand out the same epochs.

    starts, retrained: models to start from and oracles, where they are not the live experiment's own.
    """
    starts = starts or pretrained(context)
    runs = {
        name: unlearn(method, starts, context, forget_set, config)
        for name, (method, config) in trials.items()
    }
    oracle = nothing(retrained, context, forget_set) if retrained else oracles(context, forget_set)
    epochs = next(iter(trials.values()))[1].epochs
    return table(context, forget_set, nothing(starts, context, forget_set), oracle, runs, epochs)


def table(
    context: Context, forget_set: str, start: Scored, oracle: Scored, runs: dict[str, Scored],
    epochs: tuple[int, ...],
) -> pd.DataFrame:  # fmt: skip
    """One judged row for each name in `runs` and epoch, and one for the start (method "nothing").

    Columns: forget_set, method (the name), epoch, models, size; for G of forget, retain, val: G, G_low, G_high,
    G_floor, G_reverse, G_robust (nats), G_collapsed, G_accuracy, G_oracle_accuracy; average; and those of `criteria.judged`.
    """
    sizes = [len(members) for members in context.scored(forget_set).values()]
    ends = np.cumsum([0, *sizes])
    groups = {g: slice(*ends[k : k + 2]) for k, g in enumerate(("forget", "retain", "val"))}
    rows = []
    for name, scored in {"nothing": start, **runs}.items():
        for k, epoch in enumerate(epochs if name != "nothing" else (0,)):
            row = {"forget_set": forget_set, "method": name, "epoch": epoch, "size": sizes[0]}
            row["models"] = context.preset.models
            for g, part in groups.items():
                phi, right = scored["margins"][k][:, part], scored["hits"][k][:, part]
                row |= _summary(phi, oracle["margins"][0][:, part], g, context)
                row[f"{g}_accuracy"] = float(right.mean())
                row[f"{g}_oracle_accuracy"] = float(oracle["hits"][0][:, part].mean())
            rows.append(row | {"average": np.mean([row[g] for g in groups])})
    return criteria.judged(pd.DataFrame(rows))


def _summary(phi: np.ndarray, oracle: np.ndarray, group: str, context: Context) -> dict:
    """KLoM's P95 with its interval and floor, and in the other direction, under the names of a table."""
    # margins of a broken model may be NaN, which counts as the lowest
    u, o = (torch.from_numpy(np.nan_to_num(x, nan=-100.0)) for x in (phi, oracle))
    (splits, subsets), seed = context.preset.resamples, context.preset.seed
    told = uncertainty.summarize(u, o, splits=splits, subsets=subsets, seed=seed)
    other = klom.klom(u, o, direction=klom.DIRECTIONS[1])
    return {
        group: told.p95, f"{group}_low": told.low, f"{group}_high": told.high, f"{group}_floor": told.floor,
        f"{group}_reverse": float(np.percentile(other, 95)), f"{group}_robust": told.robust_p95,
        f"{group}_collapsed": told.collapsed,
    }  # fmt: skip
