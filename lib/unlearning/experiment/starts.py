"""The pretrained models of a run as one small file, so that methods can start from them on another machine.

    unlearning restore --from results/models/desk.npz --out runs/desk

FILE.npz holds every weight and buffer of models 0 … N - 1, stacked along the first dimension, floats as float16 (relative
rounding 5e-4), and `meta`: JSON with the run's preset, recipe and training code. A restored model is the rounded one: its
margins are computed again, and the restored run is a run of these models.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import torch

from unlearning import files, training
from unlearning.errors import Refused
from unlearning.experiment import layout, provenance
from unlearning.experiment.layout import Context
from unlearning.experiment.presets import Preset, preset
from unlearning.training import Recipe


def write(context: Context, path: Path, models: int) -> None:
    """Write models 0 … models - 1 of a run's folder to `path` (whole or absent). Refused if one is missing."""
    have = layout.whole(context.folder("pretrained"))
    if not 1 <= models <= have:
        raise Refused(
            f"{context.out}: {have} pretrained models, {models} asked for; let the experiment go on first"
        )
    states = [layout.load_weights(context, i, context.build()).state_dict() for i in range(models)]
    arrays = {k: np.stack([_small(s[k]) for s in states]) for k in states[0]}
    meta = {"run": json.loads((context.out / "run.json").read_text()), "models": models}
    meta |= {"written_by": provenance.provenance("cpu") | {"recorded": provenance.now()}}
    files.save(path, **arrays, meta=np.array(json.dumps(meta)))


def _small(value: torch.Tensor) -> np.ndarray:
    array = value.cpu().numpy()
    return array.astype(np.float16) if array.dtype.kind == "f" else array


def read(path: Path) -> tuple[dict, list[dict[str, torch.Tensor]]]:
    """(meta, state dictionaries in float32) of a file that `write` made; Damaged or Refused for anything else."""
    arrays = files.load(path)
    try:
        meta = json.loads(str(arrays.pop("meta")))
        models, _ = meta["models"], (meta["run"]["name"], meta["run"]["recipe"])
        weights = {k: v for k, v in arrays.items() if k != files.SHA}
        if not weights or {len(v) for v in weights.values()} != {models}:
            raise ValueError
        if not all(v.dtype.kind in "fi" and np.isfinite(v).all() for v in weights.values()):
            raise ValueError
    except (KeyError, ValueError, TypeError):
        raise Refused(f"{path}: holds no models that `unlearning pack --weights` wrote") from None
    states = [
        {k: torch.from_numpy(np.array(v[i])).to(torch.float32 if v.dtype.kind == "f" else torch.int64)
         for k, v in weights.items()}
        for i in range(models)
    ]  # fmt: skip
    return meta, states


def restore(
    path: Path,
    out: Path,
    root: str | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> int:
    """Enter the models of `path` into a run's folder, scored on all points; returns how many were new.

    A new folder becomes a run of the file's own preset; a used one must be of the same kind. Models that are there
    already stay as they are. report: called with one line per model.
    """
    meta, states = read(path)
    told = meta["run"]
    own = {
        f.name: told[f.name]
        for f in fields(Preset)
        if f.name in told and f.name not in ("name", "recipe")
    }
    try:
        p = replace(preset(told["name"]), **own, recipe=Recipe(**told["recipe"]))
    except TypeError:
        raise Refused(
            f"{path}: models of a run that this code does not know; go back to its code"
        ) from None
    new = 0
    with files.only_one(out):
        context = layout.open_context(p, out, root, "cpu")
        layout.settle_identity(context)
        have = layout.present(context.folder("pretrained"))
        data = context.data
        images, labels = (
            torch.cat([data.images, data.val_images]),
            torch.cat([data.labels, data.val_labels]),
        )
        for i, state in enumerate(states):
            if i in have:
                continue
            model = context.build()
            try:
                model.load_state_dict(state)
            except RuntimeError:
                raise Refused(f"{path}: its models are no {p.network} of width {p.width}") from None
            margins, hits = training.score(model, data, images, labels)
            digest = layout.save_weights(context, i, model.state_dict())
            arrays = {
                "margins": margins[None],
                "hits": hits[None],
                "seconds": np.zeros(1),
                "wall": np.array(0.0),
            }
            where = context.folder("pretrained") / f"{i:04d}-{i:04d}.npz"
            files.save(
                where,
                **arrays,
                flops=np.array(0.0),
                weights=np.array([digest]),
                restored=np.array(path.name),
            )
            new += 1
            report(f"model {i} of {len(states)} restored")
    return new


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `unlearning restore`."""
    add = parser.add_argument
    add(
        "--from",
        required=True,
        type=Path,
        metavar="FILE",
        dest="file",
        help="written by `unlearning pack --weights`",
    )
    add(
        "--out",
        required=True,
        type=Path,
        metavar="DIR",
        help="output folder of an experiment, new or used",
    )
    add(
        "--data",
        metavar="DIR",
        help="folder of the data files (default: $UNLEARNING_DATA, else ./data)",
    )


def main(arguments: argparse.Namespace) -> int:
    """Exit status 0; refusals are raised."""
    new = restore(
        arguments.file, arguments.out, arguments.data, lambda line: print(line, flush=True)
    )
    print(f"{new} models restored to {arguments.out}")
    return 0
