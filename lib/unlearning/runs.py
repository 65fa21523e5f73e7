"""An output folder: what its models are, which margins it holds, and the records made of them. Explained in CONTRIBUTING.md.

    run.json                                       what a model of this folder is; another request is refused
    weights/INDEX.pt                               the pretrained models
    margins/pretrained/FIRST-LAST.npz              margins and hits (1, models, all points)
    margins/SET/oracle/…, margins/SET/METHOD/…     the same; methods: (epochs, models, scored points)
    forget_sets/SET.json                           indices; those of the retain points nearest to them
    results.jsonl                                  one record per (set, configuration, epoch)
"""
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from unlearning import data as data_module
from unlearning import ensemble, influence, klom, methods, models, results
from unlearning.data import BadInput, Data
from unlearning.methods import Config
from unlearning.presets import WORK, Preset


@dataclass(frozen=True)
class Context:
    """What every unit needs; made once in each process."""

    preset: Preset
    out: Path
    data: Data  # on the device
    device: str
    root: str | None  # folder of the data files

    def build(self) -> torch.nn.Module:
        return models.resnet9(self.preset.width, self.data.images.shape[1], self.data.classes)

    def folder(self, role: str) -> Path:
        return self.out / "margins" / role

    def forget(self, name: str) -> np.ndarray:
        return np.array(json.loads((self.out / "forget_sets" / f"{name}.json").read_text())["indices"])

    def scored(self, name: str) -> dict[str, np.ndarray]:
        p, told = self.preset, json.loads((self.out / "forget_sets" / f"{name}.json").read_text())
        near = np.array(told["near"]) if p.scored_near else None
        return data_module.scored_points(self.data, self.forget(name), p.scored_retain, p.scored_val, p.seed, near)


def open_context(p: Preset, out: Path, root: str | None, device: str) -> Context:
    """Loads the data on the device; BadInput for a device that is not there."""
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise BadInput(f"unknown device {device!r}; choose cpu, cuda or cuda:INDEX")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise BadInput(f"device {device}: no usable GPU here; use --device cpu, or a machine with one")
    if device.startswith("cuda:") and int(device[5:]) >= torch.cuda.device_count():
        raise BadInput(f"device {device}: this machine has cuda:0 to cuda:{torch.cuda.device_count() - 1}")
    loaded = data_module.load(p.dataset, root, train=p.train_images, val=p.val_images, pool=p.pool, seed=p.seed)
    return Context(p, out, loaded.to(device), device, root)


def present(folder: Path) -> dict[int, Path]:
    """Index of each model whose margins the folder holds -> its file."""
    files = sorted(folder.glob("*.npz"))
    spans = [(re.fullmatch(r"(\d+)-(\d+)\.npz", f.name), f) for f in files]
    return {i: f for match, f in spans if match for i in range(int(match[1]), int(match[2]) + 1)}


def whole(folder: Path) -> int:
    """Number of models 0, 1, 2, … that the folder holds without a gap."""
    have = present(folder)
    return next(i for i in range(len(have) + 1) if i not in have)


def size_of(name: str, context: Context) -> int:
    """Points in a forget set, from its name alone."""
    if name.startswith("published"):
        return len(data_module.forget_set(name, len(context.data.labels), root=context.root))
    return int(name.rpartition("-")[2])


# --- what a folder is -----------------------------------------------------------------------------------------------


def identity(context: Context) -> dict:
    """What decides a model of this folder: the preset without its choice of work, the training code, the device."""
    kept = asdict(context.preset)
    for choice in WORK:
        del kept[choice]
    return json.loads(json.dumps(kept | {"device": context.device.split(":")[0],
                                         "training_code": results.code_hash(results.TRAINING_CODE)}))  # fmt: skip


def settle_identity(context: Context) -> None:
    """Writes run.json, or compares with it: a folder holds models of one kind, made by one version of the code."""
    path, now = context.out / "run.json", identity(context)
    if not path.exists():
        results.write_whole(path, lambda file: file.write(json.dumps(now, indent=1).encode()))
        return
    before = json.loads(path.read_text())
    differ = [k for k in now if before.get(k) != now[k]]
    if differ:
        told = "; ".join(f"{k} {before.get(k)!r}, now {now[k]!r}" for k in differ)
        raise BadInput(f"{context.out} holds results of another experiment or other code ({told}); choose a new --out "
                       "folder, or go back to that code")


def settle_forget_sets(context: Context) -> None:
    """Writes the forget sets that are missing; sets by principal components come from all pretrained models so far.

    So do the points near a set. `models` is the number of pretrained models that had a say.
    """
    n, p = len(context.data.labels), context.preset
    for name in p.forget_sets:
        path = context.out / "forget_sets" / f"{name}.json"
        if path.exists():
            continue
        margins = None
        if name.startswith("pc") or p.scored_near:
            every = replace(context, preset=replace(p, models=whole(context.folder("pretrained"))))
            margins = load("pretrained", every)["margins"][0][:, :n]
        indices = data_module.forget_set(name, n, margins, context.root)
        told = {"indices": indices.tolist(), "models": 0 if margins is None else len(margins)}
        if p.scored_near:
            told["near"] = influence.nearest(margins, indices, p.scored_near).tolist()
        results.write_whole(path, lambda file, t=told: file.write(json.dumps(t).encode()))


# --- records ---------------------------------------------------------------------------------------------------------


def load(role: str, context: Context) -> dict[str, np.ndarray]:
    """The arrays of models 0 … N - 1 of a role, joined along models; KeyError when one is missing."""
    have = present(context.folder(role))
    parts, wall, taken = [], 0.0, {have[i] for i in range(context.preset.models)}
    for file in sorted(taken):
        with np.load(file) as arrays:
            parts.append({k: arrays[k] for k in arrays.files})
            wall += float(parts[-1]["wall"])
    n = context.preset.models
    joined = {k: np.concatenate([part[k] for part in parts], 1)[:, :n] for k in ("margins", "hits")}
    codes = sorted({str(part["method_code"]) for part in parts if "method_code" in part})
    return joined | {"seconds": sum(part["seconds"] for part in parts), "wall": wall, "method_code": codes}


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
    complete = [stage for stage in stages(context)
                if forget_set in ("", stage[0]) and only in ("", stage[1])
                and all(wanted <= set(present(context.folder(r))) for r in (stage[1], f"{stage[0]}/oracle"))]  # fmt: skip
    if not complete:  # the file is long at paper scale: read it only when there is something to add
        return
    known = {results.identity(r) for r in results.read(path)
             if r["provenance"]["scoring_code"] == results.code_hash(results.SCORING_CODE)}  # fmt: skip
    for name, role, config, epochs in complete:
        for one in _measure(context, name, role, config, epochs, known):
            results.append(path, one)


def _measure(context: Context, name: str, role: str, config: Config | None, epochs: int,
             known: set[str]) -> Iterator[dict]:  # fmt: skip
    """The records of one role on one forget set that are not known yet, one for each epoch handed out."""
    p, n = context.preset, len(context.data.labels)
    told = config.parameters() if config else {"method": "retrain"}
    at = config.epochs if config else (epochs,)
    heads = [{"dataset": p.dataset, "preset": p.name, "forget_set": name, "method": told["method"],
              "configuration": {k: v for k, v in told.items() if k != "method"}, "epoch": e, "models": p.models}
             for e in at]  # fmt: skip
    if all(results.identity(head) in known for head in heads):
        return
    groups = context.scored(name)
    positions = np.concatenate(list(groups.values()))
    oracle, unlearned = load(f"{name}/oracle", context), load(role, context)
    sizes = {"forget": len(groups["forget"]), "retain": n - len(groups["forget"]), "val": len(context.data.val_labels)}
    counted = config or Config("finetune")  # retraining visits R, as fine-tuning does
    for k, (head, epoch) in enumerate(zip(heads, at)):
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
                "accuracy": float(hits[:, part].mean()), "oracle_accuracy": float(oracle["hits"][0][:, members].mean())}
        relative = methods.cost(counted, epoch, sizes["forget"], sizes["retain"], sizes["val"], p.recipe.epochs)
        yield head | {
            "groups": scores, "cost": relative, "seconds": float(unlearned["seconds"][k]) / p.models,
            "seconds_retrain": float(oracle["seconds"][0]) / p.models, "wall_seconds": unlearned["wall"],
            "clock": "wall" if context.device.startswith("cuda") else "cpu",  # of seconds and seconds_retrain (a model)
            "forget_size": sizes["forget"], "retain_size": sizes["retain"], "train_size": n, "val_size": sizes["val"],
            "last_batch": {"pretrained": ensemble.last_batch(n, p.recipe.batch),
                           "oracle": ensemble.last_batch(sizes["retain"], p.recipe.batch)},
            "recipe": asdict(p.recipe), "network": {"name": "resnet9", "width": p.width}, "pool": p.pool,
            "seed": p.seed, "stack": p.stack, "resamples": p.resamples,
            "provenance": results.provenance(context.device) | {"method_code": " and ".join(unlearned["method_code"])},
        }  # fmt: skip


def _group(unlearned: np.ndarray, oracle: np.ndarray, context: Context) -> dict:
    """KLoM of one group of points, in the paper's direction, and with fewer resamples in the other one."""
    a, b = (torch.from_numpy(np.ascontiguousarray(x)).to(context.device) for x in (unlearned, oracle))
    p, (splits, subsets) = context.preset, context.preset.resamples
    paper, other = klom.DIRECTIONS
    fewer = {"splits": max(1, splits // 5), "subsets": max(3, subsets // 5)}
    return {paper: asdict(klom.summarize(a, b, direction=paper, splits=splits, subsets=subsets, seed=p.seed)),
            other: asdict(klom.summarize(a, b, direction=other, **fewer, seed=p.seed))}  # fmt: skip


def current(context: Context) -> list[dict]:
    """The latest record of each thing that the preset asks for."""
    wanted = {(name, role_config.method if role_config else "retrain",
               json.dumps(role_config.parameters()) if role_config else "", e)
              for name, _, role_config, epochs in stages(context)
              for e in (role_config.epochs if role_config else (epochs,))}  # fmt: skip

    def key(r: dict) -> tuple:
        told = "" if r["method"] == "retrain" else json.dumps({"method": r["method"]} | r["configuration"])
        return r["forget_set"], r["method"], told, r["epoch"]

    found = results.latest(results.read(context.out / "results.jsonl"))
    return [r for r in found if key(r) in wanted and r["models"] == context.preset.models]
