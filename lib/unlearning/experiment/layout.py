"""An output folder: what its models are, which margins it holds, which sets. The only room that knows a run's files.

run.json                                       what a model of this folder is; another request is refused
weights/INDEX.pt                               the pretrained models
margins/pretrained/FIRST-LAST.npz              margins and hits (1, models, all points); the weights' checksums
margins/SET/oracle/…, margins/SET/METHOD/…     the same; methods: (epochs, models, scored points)
forget_sets/SET.json                           indices; those of the retain points nearest to them
methods/FUNCTION@HASH.py                       methods of your own
results.jsonl                                  one record per (set, configuration, epoch)

What is read is what was written: margins and sets carry their own SHA-256, margins that of the weights. Files of older
versions have none; they are read as far as their shapes and values can be right, and are called unverified.
"""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from unlearning import datasets, files, forget_sets, networks
from unlearning.datasets import Data
from unlearning.errors import Failed, Refused
from unlearning.experiment import provenance
from unlearning.experiment.presets import PRESETS, WORK, Preset
from unlearning.files import Damaged
from unlearning.methods import own

MODELS = 10_000  # models in an ensemble at most: a hundred times the paper's
TRAINED = (
    "oracle",
    "retrain-",
)  # beginnings of the roles whose models are trained, and scored on all points
ADVICE = "bring back a copy, or delete it together with margins/{0} and run again: {0} is then trained again"


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
        p, (_, channels, side, _) = self.preset, self.data.images.shape
        return networks.build(p.network, p.width, channels, self.data.classes, side)

    def folder(self, role: str) -> Path:
        return self.out / "margins" / role

    def forget(self, name: str) -> np.ndarray:
        return np.array(read_set(name, self)["indices"])

    def scored(self, name: str) -> dict[str, np.ndarray]:
        p, told = self.preset, read_set(name, self)
        near = np.array(told["near"]) if p.scored_near else None
        return forget_sets.scored_points(
            self.data, np.array(told["indices"]), p.scored_retain, p.scored_val, p.seed, near
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
    for path in sorted((out / "methods").glob("*@*.py")):
        own.register(path)
    loaded = datasets.load(
        p.dataset,
        root,
        train=p.train_images,
        val=p.val_images,
        pool=p.pool,
        label_noise=p.label_noise,
        seed=p.seed,
    )
    return Context(p, out, loaded.to(device), device, root)


def present(folder: Path) -> dict[int, Path]:
    """Index of each model whose margins the folder holds -> its file."""
    spans = {file: span(file) for file in sorted(folder.glob("*.npz"))}
    return {i: file for file, models in spans.items() for i in models}


def span(file: Path) -> range:
    """The models of a file of margins, from its name FIRST-LAST.npz; none for any other name."""
    match = re.fullmatch(r"(\d{4,5})-(\d{4,5})\.npz", file.name, re.ASCII)
    return range(int(match[1]), int(match[2]) + 1) if match else range(0)


def whole(folder: Path) -> int:
    """Number of models 0, 1, 2, … that the folder holds without a gap."""
    have = present(folder)
    return next(i for i in range(len(have) + 1) if i not in have)


def size_of(name: str, context: Context) -> int:
    """Points in a forget set, from its name alone."""
    if name.startswith("published"):
        return len(forget_sets.forget_set(name, len(context.data.labels), root=context.root))
    return int(name.rpartition("-")[2])


def keep_method(spec: str, out: Path) -> str:
    """Copy a method of your own (FILE.py:FUNCTION) into the run's folder, enter it into METHODS, return its name."""
    name, code = own.named(spec)
    path = out / "methods" / f"{name}.py"
    if not path.exists():
        files.write_whole(path, lambda file: file.write(code))
    return own.register(path)


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
        made = [k for k in ("weights", "margins", "forget_sets") if (context.out / k).exists()]
        if made or (context.out / "results.jsonl").exists():
            raise Refused(
                f"{context.out} holds {', '.join([*made, 'results'])} but no run.json, which says what they are; "
                "bring it back, or choose a new --out folder"
            )
        files.write_whole(path, lambda file: file.write(json.dumps(now, indent=1).encode()))
        return
    try:
        before = files.load_json(path)
    except Damaged as error:
        raise Refused(
            f"{error}; it says what the models of this folder are: bring back a copy, or choose a new --out folder"
        ) from None
    differ = [k for k in now if before.get(k) != now[k]]
    if differ:
        told = "; ".join(f"{k} {before.get(k)!r}, now {now[k]!r}" for k in differ)
        raise Refused(
            f"{context.out} holds results of another experiment or other code ({told}); choose a new --out "
            "folder, or go back to that code"
        )


# --- forget sets -----------------------------------------------------------------------------------------------------


def choosers(preset: str, name: str) -> int:
    """Pretrained models that choose a set in a preset with stages: those there are at the first stage that needs it."""
    most = 0
    for stage in PRESETS[preset].stages:
        most = max(most, stage.models)
        if name in stage.forget_sets:
            return most
    return 0


def check_forget_sets(stages: Sequence[Context]) -> None:
    """Refused where margins of fewer models than these stages bring would decide a set or its near points.

    Too few models have no components; and what a pilot chose, with a few of them, is not what the whole run would
    choose. The first stage that needs a set chooses it, for the later ones too. A set that is there already is checked
    here, too (Damaged).
    """
    most, chosen = 0, set()
    for stage in stages:
        most = max(most, stage.preset.models)  # pretrained models when this stage chooses its sets
        for name in stage.preset.forget_sets:
            if name in chosen or not (name.startswith("pc") or stage.preset.scored_near):
                continue
            chosen.add(name)
            needed = min(most, choosers(stage.preset.name, name) or most)
            if needed < 3:
                raise Refused(
                    f"{name}: chosen by the margins of the pretrained models; give at least 3 --models, not {needed}"
                )
            if not _set_file(name, stage).exists():
                continue
            if (had := read_set(name, stage)["models"]) < needed:
                raise Refused(
                    f"{_set_file(name, stage)} was chosen by {had} models, this run would choose by {needed}; choose a "
                    f"new --out folder, or delete that file and margins/{name}: they are then made again"
                )


def settle_forget_sets(context: Context) -> None:
    """Writes the forget sets that are missing; sets by principal components come from all pretrained models so far.

    So do the points near a set. `models` is the number of pretrained models that had a say.
    """
    n, p = len(context.data.labels), context.preset
    for name in p.forget_sets:
        if _set_file(name, context).exists():
            read_set(name, context)
            continue
        margins = None
        if name.startswith("pc") or p.scored_near:
            every = replace(context, preset=replace(p, models=whole(context.folder("pretrained"))))
            margins = load("pretrained", every)["margins"][0][:, :n]
        indices = forget_sets.forget_set(name, n, margins, context.root)
        told = {"indices": indices.tolist(), "models": 0 if margins is None else len(margins)}
        if p.scored_near:
            told["near"] = forget_sets.nearest(margins, indices, p.scored_near).tolist()
        keep_set(name, told, context)


def keep_set(name: str, told: dict, context: Context) -> None:
    """Writes a forget set: told holds indices, models (that chose it or its near points) and, where wanted, near."""
    files.save_json(_set_file(name, context), told)


def _set_file(name: str, context: Context) -> Path:
    return context.out / "forget_sets" / f"{name}.json"


def read_set(name: str, context: Context) -> dict:
    """A forget set of this folder: indices, models, near. Raises Damaged for what cannot have been written as it is."""
    path, n, p = _set_file(name, context), len(context.data.labels), context.preset
    try:
        told = files.load_json(path)
        indices = forget_sets.checked_indices(told["indices"], n, name)
        near = forget_sets.checked_indices(told["near"], n, "near") if p.scored_near else []
        sound = isinstance(told["models"], int) and not set(near) & set(indices.tolist())
        if name.startswith("random-"):
            sound = sound and np.array_equal(indices, forget_sets.forget_set(name, n))
        if not sound:
            raise Damaged(path, "damaged: not the points of this set")
    except (Damaged, Refused, KeyError, TypeError, ValueError, OverflowError) as error:
        told = error.reason if isinstance(error, Damaged) else f"damaged: {error}"
        raise Damaged(path, f"{told}; {ADVICE.format(name)}") from None
    return told


# --- margins and weights ---------------------------------------------------------------------------------------------


def read(file: Path, role: str, context: Context) -> dict[str, np.ndarray]:
    """The arrays of one file of margins, held against its checksum, its name and the points. Raises Damaged."""
    arrays = files.load(file)
    try:
        margins, hits, seconds = (arrays[k] for k in ("margins", "hits", "seconds"))
        float(arrays["wall"])
    except (KeyError, TypeError, ValueError):
        raise Damaged(file, "damaged: not margins, hits, seconds and wall") from None
    kinds = margins.dtype.kind, hits.dtype.kind, seconds.dtype.kind
    points, models = _points(role, context), len(span(file))
    if margins.ndim != 3 or hits.shape != margins.shape or seconds.shape != margins.shape[:1]:
        wrong = f"shapes {margins.shape}, {hits.shape}, {seconds.shape}"
    elif kinds != ("f", "b", "f"):
        wrong = f"types {margins.dtype}, {hits.dtype}, {seconds.dtype}"
    elif margins.shape[1] != models or points not in (None, margins.shape[2]):
        wrong = (
            f"{margins.shape[1]} models and {margins.shape[2]} points, not {models} and {points}"
        )
    elif str(arrays.get("role", role)) != role:
        wrong = f"margins of {arrays['role']}"
    elif files.SHA not in arrays and _is_trained(role) and not np.isfinite(margins).all():
        wrong = "margins that are not finite"
    else:
        return arrays
    raise Damaged(file, f"damaged: {wrong}")


def _is_trained(role: str) -> bool:
    return role == "pretrained" or role.rpartition("/")[2].startswith(TRAINED)


def _points(role: str, context: Context) -> int | None:
    """Points of each model of a role: all of them, or those on which methods are scored; None if the set is not there."""
    if _is_trained(role):
        return len(context.data.labels) + len(context.data.val_labels)
    name = role.partition("/")[0]
    if not _set_file(name, context).exists():
        return None
    return sum(len(members) for members in context.scored(name).values())


def set_aside_damaged(context: Context) -> list[str]:
    """Renames every damaged file of margins to FILE.damaged, so that its models are done again; one line for each.

    One more line counts the files that carry no checksum. What a killed run was writing is removed.
    """
    lines, every = [], [f for f in sorted((context.out / "margins").rglob("*.npz")) if span(f)]
    sets = list((context.out / "forget_sets").glob("*.json"))
    sealed = sum(_is_sealed(file) for file in sets)
    for file in every:
        role = file.parent.relative_to(context.out / "margins").as_posix()
        try:
            sealed += files.SHA in read(file, role, context)
        except Damaged as error:
            if error.path != file:
                raise
            file.rename(file.with_name(f"{file.name}.damaged"))
            lines.append(f"{error}; set aside as {file.name}.damaged, its models are done again")
    if old := len(every) + len(sets) - len(lines) - sealed:
        lines.append(
            f"{context.out}: {old} of {len(every) + len(sets)} files of margins and sets are of an older version, "
            "without a checksum: used unverified"
        )
    for part in ("margins", "weights", "forget_sets"):
        files.clear_leftovers(context.out / part)
    return lines


def _is_sealed(path: Path) -> bool:
    try:
        return files.SHA in files.load_json(path)
    except Damaged:  # told when the set is read
        return True


def load(role: str, context: Context) -> dict[str, np.ndarray]:
    """The arrays of models 0 … N - 1 of a role, joined along models; KeyError when one is missing.

    `verified`: whether checksums vouch for all of them. Raises Damaged for a file that is not what was written; the
    next run of the experiment makes it anew.
    """
    n, have = context.preset.models, present(context.folder(role))
    taken = sorted({have[i] for i in range(n)})
    try:
        parts = [read(file, role, context) for file in taken]
        if [i for file in taken for i in span(file)][:n] != list(range(n)):
            raise Damaged(taken[0], "overlaps with another file there: keep one of them")
        if len({part["margins"].shape[::2] for part in parts}) > 1:
            raise Damaged(taken[0], "other epochs or points than the files beside it")
    except Damaged as error:
        if error.path not in taken:
            raise
        raise Damaged(
            error.path, f"{error.reason}; run the experiment again: it makes the file anew"
        ) from None
    for config in (c for c in context.preset.configs if role.endswith(f"/{c.label()}")):
        for file, part in zip(taken, parts, strict=True):
            if part.get("epochs", np.array(config.epochs)).tolist() != list(config.epochs):
                raise Failed(
                    f"{file}: handed out after epochs {part['epochs'].tolist()}, this preset asks for "
                    f"{list(config.epochs)}; choose a new --out folder"
                )
    joined = {k: np.concatenate([part[k] for part in parts], 1)[:, :n] for k in ("margins", "hits")}
    codes = sorted({str(part["method_code"]) for part in parts if "method_code" in part})
    visited = parts[0].get("visited")  # the same for every model: their batches have the same sizes
    return joined | {
        "visited": visited,
        "seconds": sum(part["seconds"] for part in parts),
        "wall": sum(float(part["wall"]) for part in parts),
        "method_code": codes,
        "verified": all(files.SHA in part for part in parts),
    }


def _weights_file(context: Context, index: int) -> Path:
    return context.out / "weights" / f"{index:04d}.pt"


def save_weights(context: Context, index: int, state: dict[str, torch.Tensor]) -> str:
    """Writes a pretrained model's state dict and returns the file's SHA-256, which its margins keep."""
    buffer = io.BytesIO()  # a full disk is then an OSError of write, not an error inside torch
    torch.save({k: v.cpu().contiguous() for k, v in state.items()}, buffer)
    files.write_whole(_weights_file(context, index), lambda file: file.write(buffer.getbuffer()))
    return hashlib.sha256(buffer.getbuffer()).hexdigest()


def load_weights(context: Context, index: int, into: torch.nn.Module) -> torch.nn.Module:
    """The module with a pretrained model's state; Refused for a file that is missing, damaged or another model's."""
    path, first = _weights_file(context, index), present(context.folder("pretrained")).get(index)
    advice = "methods start from the pretrained models; bring weights/ back, or choose a new --out"
    if not path.exists():
        raise Refused(f"{path} is missing: {advice}")
    try:
        raw = files.content(path)
        noted = files.load(first).get("weights") if first else None  # absent in older versions
        if noted is not None:
            noted = noted[index - span(first)[0]]
            if hashlib.sha256(raw).hexdigest() != noted:
                raise Damaged(path, "damaged: its checksum is another")
        elif zipfile.ZipFile(io.BytesIO(raw)).testzip():  # torch itself checks nothing
            raise Damaged(path, "damaged")
        into.load_state_dict(torch.load(io.BytesIO(raw), weights_only=True))
    except Damaged as error:
        raise Refused(f"{error}: {advice}") from None
    # torch raises about ten kinds of errors for a damaged file of an older version, which has no checksum
    except Exception:
        raise Refused(f"{path} is damaged: no state of the preset's network; {advice}") from None
    return into
