"""Margins into records: one for each (forget set, configuration, epoch) that is complete and not yet recorded."""

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import chain

import numpy as np
import torch

from unlearning import klom, methods, training, uncertainty
from unlearning.experiment import estimates, layout, provenance, results, stopped
from unlearning.experiment.layout import Context
from unlearning.methods import METHODS, Config


def stages(context: Context) -> Iterator[tuple[str, str, Config | None, int]]:
    """(forget set, role of the unlearned models, configuration, retraining epochs) of every record there could be."""
    p = context.preset
    for name in p.forget_sets:
        yield name, "pretrained", Config("nothing"), 0
    for config in p.configs:
        for name in p.forget_sets:
            yield name, f"{name}/{config.label()}", config, 0
    for epochs in p.retrain_epochs:
        for name in p.forget_sets:
            yield name, f"{name}/retrain-{epochs}", None, epochs


def record(context: Context, forget_set: str = "", only: str = "") -> None:
    """Appends the records that are complete and not yet there: all, or one forget set's, or one role's on it."""
    path, wanted = context.out / "results.jsonl", set(range(context.preset.models))
    complete = [
        stage
        for stage in stages(context)
        if forget_set in ("", stage[0])
        and only in ("", stage[1])
        and all(
            wanted <= set(layout.present(context.folder(r)))
            for r in (stage[1], f"{stage[0]}/oracle")
        )
    ]
    if not complete:  # the file is long at paper scale: read it only when there is something to add
        return
    known = {
        results.identity(r)
        for r in results.read(path)
        if r["provenance"].get("scoring_code") == provenance.code_hash(provenance.SCORING_CODE)
    }
    made = [_measure(context, *stage, known) for stage in complete]
    made += [
        _stopped(context, name, known) for name in _stoppable(context, {s[0] for s in complete})
    ]
    for one in chain.from_iterable(made):
        results.append(path, one)


def _measure(
    context: Context, name: str, role: str, config: Config | None, epochs: int, known: set[str]
) -> Iterator[dict]:
    """The records of one role on one forget set that are not known yet, one for each epoch handed out."""
    p = context.preset
    told = config.parameters() if config else {"method": "retrain"}
    at = config.epochs if config else (epochs,)
    heads = [
        {
            "dataset": p.dataset,
            "preset": p.name,
            "forget_set": name,
            "method": told["method"],
            "configuration": {k: v for k, v in told.items() if k != "method"},
            "epoch": e,
            "models": p.models,
        }
        for e in at
    ]
    if all(results.identity(head) in known for head in heads):
        return
    oracle, unlearned = layout.load(f"{name}/oracle", context), layout.load(role, context)
    counted = config or Config("finetune")  # retraining visits R, as fine-tuning does
    own = config and METHODS[config.method].passes is None
    for k, (head, epoch) in enumerate(zip(heads, at, strict=True)):
        if results.identity(head) in known:
            continue
        phi, hits = (_scored(context, name, unlearned[x][k]) for x in ("margins", "hits"))
        visited = int(unlearned["visited"][k]) if own else None
        yield head | _scores(context, name, phi, hits, oracle) | {
            "paired": _paired(context, name, config, epoch, phi, hits, oracle, context.scored(name))
            if p.estimates
            else {},
            "cost": methods.cost(counted, epoch, *_sizes(context, name), p.recipe.epochs, visited),
            "seconds": float(unlearned["seconds"][k]) / p.models,
            "wall_seconds": unlearned["wall"],
        } | _circumstances(context, name, oracle, unlearned["method_code"])  # fmt: skip


def _stoppable(context: Context, names: set[str]) -> list[str]:
    """The forget sets on which every path of gradient ascent is there: what single models stop on."""
    found = stopped.paths(context.preset.configs) if context.preset.estimates else ()
    wanted = set(range(context.preset.models))
    return [
        name
        for name in context.preset.forget_sets
        if name in names
        and found
        and all(wanted <= set(layout.present(context.folder(f"{name}/{c.label()}"))) for c in found)
    ]


def _stopped(context: Context, name: str, known: set[str]) -> Iterator[dict]:
    """The record of the models that stop by themselves (`stopped`): what reading all paths to their ends costs.

    stops: how many models take each step size ("never": none of them), and the mean epoch at which these stop.
    """
    p, found = context.preset, stopped.paths(context.preset.configs)
    head = {
        "dataset": p.dataset,
        "preset": p.name,
        "forget_set": name,
        "method": stopped.NAME,
        "configuration": {"rule": "Lemma 1", "rates": [c.lr for c in found]},
        "epoch": max(c.epochs[-1] for c in found),
        "models": p.models,
    }
    if results.identity(head) in known:
        return
    oracle = layout.load(f"{name}/oracle", context)
    start = layout.load("pretrained", context)
    trajectories = [layout.load(f"{name}/{c.label()}", context) for c in found]
    phi, hits = (_scored(context, name, start[x][0]) for x in ("margins", "hits"))
    of_f, *_, of_val = _parts(context.scored(name))
    accuracies = [np.stack([t["hits"][:, :, part].mean(2) for t in trajectories]) for part in (of_f, of_val)]  # fmt: skip
    rates, times = stopped.choose(*accuracies, hits[:, of_val].mean(1))
    for m in np.flatnonzero(times >= 0):
        phi[m], hits[m] = (trajectories[rates[m]][x][times[m], m] for x in ("margins", "hits"))
    costs = [methods.cost(c, c.epochs[-1], *_sizes(context, name), p.recipe.epochs) for c in found]
    epochs = [found[rates[m]].epochs[times[m]] for m in np.flatnonzero(times >= 0)]
    yield head | _scores(context, name, phi, hits, oracle) | {
        "stops": {f"{c.lr:g}": int(((rates == k) & (times >= 0)).sum()) for k, c in enumerate(found)}
        | {"never": int((times < 0).sum()), "epoch": float(np.mean(epochs)) if epochs else None},
        "paired": {},
        "cost": {kind: sum(cost[kind] for cost in costs) for kind in ("paper", "true")},
        "seconds": sum(float(t["seconds"][-1]) for t in trajectories) / p.models,
        "wall_seconds": sum(t["wall"] for t in trajectories),
    } | _circumstances(context, name, oracle, trajectories[0]["method_code"])  # fmt: skip


def _scored(context: Context, name: str, values: np.ndarray) -> np.ndarray:
    """(models, scored points), in the order of the groups; an ensemble scored on all points is cut to them."""
    positions = np.concatenate(list(context.scored(name).values()))
    return values.copy() if values.shape[1] == len(positions) else values[:, positions]


def _sizes(context: Context, name: str) -> tuple[int, int, int]:
    """|F|, |R| and the number of validation points."""
    n, forget = len(context.data.labels), len(context.forget(name))
    return forget, n - forget, len(context.data.val_labels)


def _scores(
    context: Context, name: str, phi: np.ndarray, hits: np.ndarray, oracle: dict
) -> dict[str, dict | list]:
    """All scores of an ensemble, group by group, and of its blocks of models."""
    groups = context.scored(name)
    scores = {
        group: group_scores(phi[:, part], oracle["margins"][0][:, members], context)
        | estimates.accuracy(hits[:, part], oracle["hits"][0][:, members])
        for (group, members), part in zip(groups.items(), _parts(groups), strict=True)
    }
    blocks = _blocks(phi, hits, oracle, groups) if context.preset.estimates else []
    return {"groups": scores, "blocks": blocks}


def _circumstances(context: Context, name: str, oracle: dict, method_code: list[str]) -> dict:
    """What a record says about its experiment: sizes, recipe, network, provenance."""
    p, (forget, retain, val) = context.preset, _sizes(context, name)
    return {
        "seconds_retrain": float(oracle["seconds"][0]) / p.models,
        "clock": "wall"
        if context.device.startswith("cuda")
        else "cpu",  # of seconds and seconds_retrain (a model)
        "forget_size": forget,
        "retain_size": retain,
        "train_size": forget + retain,
        "val_size": val,
        "last_batch": {
            "pretrained": training.last_batch(forget + retain, p.recipe.batch),
            "oracle": training.last_batch(retain, p.recipe.batch),
        },
        "recipe": asdict(p.recipe),
        "network": {"name": p.network, "width": p.width},
        "label_noise": p.label_noise,
        "pool": p.pool,
        "seed": p.seed,
        "stack": p.stack,
        "resamples": p.resamples,
        "provenance": provenance.provenance(context.device)
        | {"recorded": provenance.now(), "protocol": provenance.protocol(p.name)}
        | {"method_code": " and ".join(method_code)},
    }


def group_scores(unlearned: np.ndarray, oracle: np.ndarray, context: Context) -> dict:
    """KLoM of one group of points, in the paper's direction, and with fewer resamples in the other one."""
    a, b = (
        torch.from_numpy(np.ascontiguousarray(x)).to(context.device) for x in (unlearned, oracle)
    )
    p, (splits, subsets) = context.preset, context.preset.resamples
    paper, other = klom.DIRECTIONS
    fewer = {"splits": max(1, splits // 5), "subsets": max(3, subsets // 5)}
    return (estimates.group(a, b) if p.estimates else {}) | {
        paper: asdict(
            uncertainty.summarize(
                a, b, direction=paper, splits=splits, subsets=subsets, seed=p.seed
            )
        ),
        other: asdict(uncertainty.summarize(a, b, direction=other, **fewer, seed=p.seed)),
    }


def _parts(groups: dict[str, np.ndarray]) -> list[slice]:
    """Columns of each group in the scored points."""
    ends = np.cumsum([0, *map(len, groups.values())]).tolist()
    return [slice(*pair) for pair in zip(ends[:-1], ends[1:], strict=True)]


def _tensor(margins: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(margins))


def _blocks(
    phi: np.ndarray, hits: np.ndarray, oracle: dict, groups: dict[str, np.ndarray]
) -> list[dict]:
    """The same numbers for disjoint blocks of models, each against its own block of oracles, group by group.

    An ensemble smaller than a block is one block.
    """
    found = []
    for first in range(0, max(len(phi) - estimates.BLOCK, 0) + 1, estimates.BLOCK):
        block = slice(first, min(first + estimates.BLOCK, len(phi)))
        found.append({"first": first, "last": block.stop - 1} | {
            group: estimates.group(_tensor(phi[block, part]), _tensor(oracle["margins"][0][block][:, members]))
            | estimates.accuracy(hits[block, part], oracle["hits"][0][block][:, members])
            for (group, members), part in zip(groups.items(), _parts(groups), strict=True)
        })  # fmt: skip
    return found


def _baseline(config: Config | None) -> Config | None:
    """What a configuration is compared with, model by model: GA with step size 0 (drift), GDA with fine-tuning."""
    if config is None or config.method not in ("ga", "gda"):
        return None
    if config.method == "ga":
        return (
            replace(config, lr=0.0, batchnorm="train")
            if config.lr or config.batchnorm != "train"
            else None
        )
    return replace(
        config, method="finetune", ascent_epochs=0, forget_batch=Config("finetune").forget_batch
    )


def _paired(
    context: Context,
    name: str,
    config: Config | None,
    epoch: int,
    phi: np.ndarray,
    hits: np.ndarray,
    oracle: dict,
    groups: dict[str, np.ndarray],
) -> dict:
    """Differences to the baseline at the same epoch, group by group; {} when it has none or it is not there."""
    wanted = _baseline(config)
    found = next(
        (c for c in context.preset.configs if wanted and c.label() == wanted.label()), None
    )
    if found is None or epoch not in found.epochs:
        return {}
    role = f"{name}/{found.label()}"
    if not set(range(context.preset.models)) <= set(layout.present(context.folder(role))):
        return {}
    other = layout.load(role, context)
    k = found.epochs.index(epoch)
    return {"baseline": found.label()} | {
        group: estimates.paired(
            *(
                _tensor(x)
                for x in (
                    phi[:, part],
                    other["margins"][k][:, part],
                    oracle["margins"][0][:, members],
                )
            ),
            hits[:, part],
            other["hits"][k][:, part],
        )
        for (group, members), part in zip(groups.items(), _parts(groups), strict=True)
    }


def current(context: Context) -> list[dict]:
    """The latest record of each thing that the preset asks for."""
    wanted = {
        (
            name,
            role_config.method if role_config else "retrain",
            json.dumps(role_config.parameters()) if role_config else "",
            e,
        )
        for name, _, role_config, epochs in stages(context)
        for e in (role_config.epochs if role_config else (epochs,))
    }

    def key(r: dict) -> tuple:
        told = (
            ""
            if r["method"] == "retrain"
            else json.dumps({"method": r["method"]} | r["configuration"])
        )
        return r["forget_set"], r["method"], told, r["epoch"]

    found = results.latest(results.read(context.out / "results.jsonl"))
    return [r for r in found if key(r) in wanted and r["models"] == context.preset.models]
