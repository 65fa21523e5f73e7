"""Margins into records: one for each (forget set, configuration, epoch) that is complete and not yet recorded."""

import json
from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
import torch

from unlearning import klom, methods, training, uncertainty
from unlearning.experiment import layout, provenance, results
from unlearning.experiment.layout import Context
from unlearning.methods import Config


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
    for name, role, config, epochs in complete:
        for one in _measure(context, name, role, config, epochs, known):
            results.append(path, one)


def _measure(
    context: Context, name: str, role: str, config: Config | None, epochs: int, known: set[str]
) -> Iterator[dict]:
    """The records of one role on one forget set that are not known yet, one for each epoch handed out."""
    p, n = context.preset, len(context.data.labels)
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
    groups = context.scored(name)
    positions = np.concatenate(list(groups.values()))
    oracle, unlearned = layout.load(f"{name}/oracle", context), layout.load(role, context)
    sizes = {
        "forget": len(groups["forget"]),
        "retain": n - len(groups["forget"]),
        "val": len(context.data.val_labels),
    }
    counted = config or Config("finetune")  # retraining visits R, as fine-tuning does
    for k, (head, epoch) in enumerate(zip(heads, at, strict=True)):
        if results.identity(head) in known:
            continue
        phi, hits = (unlearned[x][k] for x in ("margins", "hits"))
        if phi.shape[1] != len(positions):  # an ensemble scored on all points
            phi, hits = phi[:, positions], hits[:, positions]
        scores, start = {}, 0
        for group, members in groups.items():
            part = slice(start, start + len(members))
            start += len(members)
            scores[group] = _group(phi[:, part], oracle["margins"][0][:, members], context) | {
                "accuracy": float(hits[:, part].mean()),
                "oracle_accuracy": float(oracle["hits"][0][:, members].mean()),
            }
        relative = methods.cost(
            counted, epoch, sizes["forget"], sizes["retain"], sizes["val"], p.recipe.epochs
        )
        yield head | {
            "groups": scores,
            "cost": relative,
            "seconds": float(unlearned["seconds"][k]) / p.models,
            "seconds_retrain": float(oracle["seconds"][0]) / p.models,
            "wall_seconds": unlearned["wall"],
            "clock": "wall"
            if context.device.startswith("cuda")
            else "cpu",  # of seconds and seconds_retrain (a model)
            "forget_size": sizes["forget"],
            "retain_size": sizes["retain"],
            "train_size": n,
            "val_size": sizes["val"],
            "last_batch": {
                "pretrained": training.last_batch(n, p.recipe.batch),
                "oracle": training.last_batch(sizes["retain"], p.recipe.batch),
            },
            "recipe": asdict(p.recipe),
            "network": {"name": "resnet9", "width": p.width},
            "pool": p.pool,
            "seed": p.seed,
            "stack": p.stack,
            "resamples": p.resamples,
            "provenance": provenance.provenance(context.device)
            | {"method_code": " and ".join(unlearned["method_code"])},
        }


def _group(unlearned: np.ndarray, oracle: np.ndarray, context: Context) -> dict:
    """KLoM of one group of points, in the paper's direction, and with fewer resamples in the other one."""
    a, b = (
        torch.from_numpy(np.ascontiguousarray(x)).to(context.device) for x in (unlearned, oracle)
    )
    p, (splits, subsets) = context.preset, context.preset.resamples
    paper, other = klom.DIRECTIONS
    fewer = {"splits": max(1, splits // 5), "subsets": max(3, subsets // 5)}
    return {
        paper: asdict(
            uncertainty.summarize(
                a, b, direction=paper, splits=splits, subsets=subsets, seed=p.seed
            )
        ),
        other: asdict(uncertainty.summarize(a, b, direction=other, **fewer, seed=p.seed)),
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
