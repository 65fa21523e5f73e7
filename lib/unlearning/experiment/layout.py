"""An output folder: what its models are, which margins it holds, which sets. The only room that knows a run's files.

run.json                                       what a model of this folder is; another request is refused
weights/INDEX.pt                               the pretrained models
margins/pretrained/FIRST-LAST.npz              margins and hits (1, models, all points)
margins/SET/oracle/…, margins/SET/METHOD/…     the same; methods: (epochs, models, scored points)
forget_sets/SET.json                           indices; those of the retain points nearest to them
results.jsonl                                  one record per (set, configuration, epoch)
"""

import json
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from unlearning import datasets, files, forget_sets, networks
from unlearning.datasets import Data
from unlearning.errors import Refused
from unlearning.experiment import provenance
from unlearning.experiment.presets import WORK, Preset


@dataclass(frozen=True)
class Context:
    """What every unit needs; made once in each process."""

    preset: Preset
    out: Path
    data: Data  # on the device
    device: str
    root: str | None  # folder of the data files
    shard: tuple[int, int] | None = None  # (i, n): the i-th of n shards; None: undivided

    def build(self) -> torch.nn.Module:
        return networks.resnet9(self.preset.width, self.data.images.shape[1], self.data.classes)

    def folder(self, role: str) -> Path:
        return self.out / "margins" / role

    def forget(self, name: str) -> np.ndarray:
        return np.array(
            json.loads((self.out / "forget_sets" / f"{name}.json").read_text())["indices"]
        )

    def scored(self, name: str) -> dict[str, np.ndarray]:
        p, told = self.preset, json.loads((self.out / "forget_sets" / f"{name}.json").read_text())
        near = np.array(told["near"]) if p.scored_near else None
        return forget_sets.scored_points(
            self.data, self.forget(name), p.scored_retain, p.scored_val, p.seed, near
        )


def open_context(p: Preset, out: Path, root: str | None, device: str) -> Context:
    """Loads the data on the device; Refused for a device that is not there."""
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise Refused(f"unknown device {device!r}; choose cpu, cuda or cuda:INDEX")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise Refused(
            f"device {device}: no usable GPU here; use --device cpu, or a machine with one"
        )
    if device.startswith("cuda:") and int(device[5:]) >= torch.cuda.device_count():
        raise Refused(
            f"device {device}: this machine has cuda:0 to cuda:{torch.cuda.device_count() - 1}"
        )
    loaded = datasets.load(
        p.dataset, root, train=p.train_images, val=p.val_images, pool=p.pool, seed=p.seed
    )
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
        return len(forget_sets.forget_set(name, len(context.data.labels), root=context.root))
    return int(name.rpartition("-")[2])


# --- what a folder is -----------------------------------------------------------------------------------------------


def identity(context: Context) -> dict:
    """What decides a model of this folder: the preset without its choice of work, the training code, the device."""
    kept = asdict(context.preset)
    for choice in WORK:
        del kept[choice]
    return json.loads(
        json.dumps(
            kept
            | {
                "device": context.device.split(":")[0],
                "training_code": provenance.code_hash(provenance.TRAINING_CODE),
            }
        )
    )


def settle_identity(context: Context) -> None:
    """Writes run.json, or compares with it: a folder holds models of one kind, made by one version of the code."""
    path, now = context.out / "run.json", identity(context)
    if not path.exists():
        files.write_whole(path, lambda file: file.write(json.dumps(now, indent=1).encode()))
        return
    before = json.loads(path.read_text())
    differ = [k for k in now if before.get(k) != now[k]]
    if differ:
        told = "; ".join(f"{k} {before.get(k)!r}, now {now[k]!r}" for k in differ)
        raise Refused(
            f"{context.out} holds results of another experiment or other code ({told}); choose a new --out "
            "folder, or go back to that code"
        )


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
        indices = forget_sets.forget_set(name, n, margins, context.root)
        told = {"indices": indices.tolist(), "models": 0 if margins is None else len(margins)}
        if p.scored_near:
            told["near"] = forget_sets.nearest(margins, indices, p.scored_near).tolist()
        files.write_whole(path, lambda file, t=told: file.write(json.dumps(t).encode()))


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
    return joined | {
        "seconds": sum(part["seconds"] for part in parts),
        "wall": wall,
        "method_code": codes,
    }
