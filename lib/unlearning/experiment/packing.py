"""An experiment's ensembles as a few small files, so that anyone can score a method without training an oracle.

    unlearning pack --from runs/laptop                          into runs/laptop/packs
    unlearning pack --from runs/laptop --out results/margins    to those that come with the repository

    OUT/PRESET/SET.npz           oracle (N, points) float16: margins; points, source (points,) int32; meta: JSON text;
                                 of a set of up to ten points also ga (step sizes, epochs, N', points of F) float16
    OUT/PRESET/pretrained.npz    pretrained (N, points) float16 on the points of all sets; points; meta

Both have sha256, the checksum of their other arrays (`files.digest`). A pack takes the place of one with the same
models and perhaps fewer of them; any other one is replaced only when asked to.

Points stand in the order forget, retain, val. `points` are positions in the run's training points followed by its
validation points; `source` are indices in the whole data set's own training list (forget, retain) or test list (val).
Plain NumPy reads them: numpy.load(FILE)["oracle"].
"""

import argparse
import hashlib
import io
import json
import math
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch

from unlearning import datasets, files, forget_sets, klom
from unlearning.errors import Failed, Refused, short
from unlearning.experiment import layout, provenance, results, starts, stopped
from unlearning.experiment.layout import Context, open_context
from unlearning.experiment.presets import Preset, preset
from unlearning.files import ROOT, Damaged
from unlearning.methods import Config
from unlearning.training import Recipe

FOLDER = ROOT / "results" / "margins"  # the packs that come with the repository
POINTS = 2000  # retain points in a pack at most, and as many validation points
FORGET = 1000  # forget points in a pack at most: a larger set is represented by so many of it
PATH_POINTS, PATH_MODELS = 10, 20  # a set of so few points carries the paths of single points
SET_LIMIT, TOTAL_LIMIT = (
    1_000_000,
    10_000_000,
)  # bytes of one set's file, and of all packs in a folder
SIZES = (50, 100, 200, 300, 500, 1000, 2000, 5000)  # points in `subsample`'s table
CLIP = 100.0  # margins beyond ± this are equal to KLoM; float16 ends at 65,504


@dataclass(frozen=True)
class Pack:
    """The oracles of one forget set, and the models that a method starts from, on the same points."""

    name: str  # PRESET/SET
    oracle: np.ndarray  # (N, points) float32: margins, as float16 holds them
    oracle_hits: (
        np.ndarray | None
    )  # (N, points) bool: right predictions; None in packs of earlier versions
    pretrained: np.ndarray  # (N', points) float32
    points: (
        np.ndarray
    )  # (points,) positions in the run's training points, followed by its validation points
    source: np.ndarray  # (points,) indices in the whole data set's own training or test list
    meta: dict  # what the models are and where they come from; "groups": points of each group, in order
    sealed: bool = False  # whether both files had checksums, which were found right
    # (step sizes, epochs, N'', points of F) float32: margins along gradient ascent; meta["ga"] names the first two axes
    paths: np.ndarray | None = None

    def groups(self) -> dict[str, slice]:
        """Columns of each group: forget, retain, near (if the run has that group), val."""
        ends = np.cumsum([0, *self.meta["groups"].values()]).tolist()
        return {name: slice(*ends[i : i + 2]) for i, name in enumerate(self.meta["groups"])}


def rounded(margins: np.ndarray) -> np.ndarray:
    """Margins as a pack holds them: clipped to ±CLIP, float16 (off by at most 1/256 below 16); NaN stays.

    Only packed margins are rounded, not those that are compared with them: a diverged model's are far off, where
    float16 is coarse.
    """
    return np.clip(margins, -CLIP, CLIP).astype(np.float16)


def subsample(
    scores: np.ndarray, sizes: tuple[int, ...] = SIZES, draws: int = 1000, seed: int = 0
) -> list[dict]:
    """How far a sub-sample of points moves the 95th percentile: one row for each size below len(scores).

    scores (points,): KLoM of each point, nats. `draws` times, `points` of them are drawn without replacement; mean,
    low and high are the mean and the 2.5th and 97.5th percentiles of their 95th percentiles, nats.
    """
    generator, rows = np.random.default_rng(seed), []
    for size in (k for k in sizes if k < len(scores)):
        drawn = [
            np.percentile(generator.choice(scores, size, replace=False, shuffle=False), 95)
            for _ in range(draws)
        ]
        low, high = np.percentile(drawn, [2.5, 97.5])
        rows.append(
            {"points": size, "mean": float(np.mean(drawn)), "low": float(low), "high": float(high)}
        )
    return rows


# --- writing ---------------------------------------------------------------------------------------------------------


def pack(
    run: Path, out: Path, root: str | None = None, replace_others: bool = False
) -> list[tuple[Path, dict]]:
    """Packs every forget set of an experiment's folder that has oracles: (file, meta) of each file written.

    Without an oracle only the pretrained models are packed, on retain and validation points that every set of the
    preset shares: enough to compare two trainings. root: folder of the data files. replace_others: overwrite packs that hold other models, or more of them. Nothing is
    written unless everything fits. Raises Refused for a folder that is no run or holds fewer than 2 pretrained models, for packs
    in the way, and for files above SET_LIMIT or TOTAL_LIMIT; Damaged for margins that are not what the run wrote.
    """
    context = _open_run(run, root)
    counts = {
        name: layout.whole(context.folder(f"{name}/oracle")) for name in context.preset.forget_sets
    }
    names, models = (
        [name for name, count in counts.items() if count > 1],
        layout.whole(context.folder("pretrained")),
    )
    if models < 2:
        raise Refused(
            f"{run}: {models} pretrained models; a pack needs at least 2: let the experiment go on first"
        )
    pretrained, pretrained_hits, verified = _margins(context, "pretrained", models)
    head = {
        "dataset": context.preset.dataset,
        "preset": context.preset.name,
        "train_size": len(context.data.labels),
        "val_size": len(context.data.val_labels),
        "run": files.load_json(run / "run.json"),
        "packed_by": provenance.provenance("cpu"),
    }
    source = _source(context)
    packs, used = {}, set()
    if not names:
        alone = forget_sets.scored_points(context.data, np.array([], int), *_kept(context), context.preset.seed)  # fmt: skip
        used.update(np.concatenate([alone["retain"], alone["val"]]).tolist())
    for name in names:
        groups = _points(context, name)
        oracle, hits, sure = _margins(context, f"{name}/oracle", counts[name])
        points = np.concatenate(list(groups.values())).astype(np.int32)
        used.update(points.tolist())
        meta = head | {
            "forget_set": name,
            "models": counts[name],
            "forget_size": len(context.forget(name)),
            "groups": {k: len(v) for k, v in groups.items()},
            "sha256": _digest(oracle),
            "verified": sure and verified,  # every file of margins had its checksum
            "trained": _trained(context, name),
            "subsample": _subsamples(pretrained, oracle, groups, head["train_size"]),
        }
        paths, told = _paths(context, name)
        meta |= told
        packs[f"{name}.npz"] = paths | {
            "oracle": rounded(oracle[:, points]),
            "oracle_hits": np.packbits(hits[:, points]),
            "points": points,
            "source": source[points],
            "meta": np.array(json.dumps(meta)),
        }
    points = np.array(sorted(used), np.int32)
    meta = head | {"models": models, "sha256": _digest(pretrained), "verified": verified}
    packs["pretrained.npz"] = {
        "pretrained": rounded(pretrained[:, points]),
        "pretrained_hits": np.packbits(pretrained_hits[:, points]),
        "points": points,
        "meta": np.array(json.dumps(meta)),
    }
    return _write(out, context.preset.name, packs, replace_others)


def _open_run(run: Path, root: str | None) -> Context:
    """The run's own preset and data: everything that run.json says, and the forget sets found there."""
    try:
        told = files.load_json(run / "run.json")
        usual = preset(told["name"])
        own = {
            f.name: told[f.name]
            for f in fields(Preset)
            if f.name in told and f.name not in ("name", "recipe")
        }
        if wrong := [k for k, v in own.items() if not _fits(v, getattr(usual, k))]:
            raise ValueError(f"{wrong[0]} = {short(own[wrong[0]], 40)}")
        found = replace(usual, **own, recipe=Recipe(**told["recipe"]))
    except (Damaged, ValueError, KeyError, TypeError) as error:
        raise Refused(
            f"{run}: no run of `unlearning experiment` (run.json: {error}); give its --out folder"
        ) from None
    sets = tuple(sorted(path.stem for path in (run / "forget_sets").glob("*.json")))
    try:
        return open_context(replace(found, forget_sets=sets), run, root, "cpu")
    except (RuntimeError, OverflowError, ValueError) as error:  # torch's, of sizes that cannot be
        if isinstance(error, (Failed, Refused)):
            raise
        raise Refused(f"{run}: run.json describes no data ({short(error, 100)})") from None


def _fits(value: object, usual: object) -> bool:
    """Whether a field of run.json has a form that a preset's field may have."""
    if isinstance(usual, str):
        return isinstance(value, str)
    if isinstance(usual, float):
        return type(value) is float and 0 <= value < math.inf
    return value is None if value is usual is None else type(value) is int and value >= 0


def _margins(context: Context, role: str, models: int) -> tuple[np.ndarray, np.ndarray, bool]:
    """Margins and right predictions (models, all points), float32 and bool; whether checksums vouch for them."""
    some = replace(context, preset=replace(context.preset, models=models))
    found = layout.load(role, some)
    return found["margins"][0], found["hits"][0], found["verified"]


def _unpacked(bits: np.ndarray | None, shape: tuple[int, int]) -> np.ndarray | None:
    """Right predictions as a pack holds them, eight to a byte."""
    return (
        None
        if bits is None
        else np.unpackbits(bits, count=math.prod(shape)).reshape(shape).astype(bool)
    )


def _points(context: Context, name: str) -> dict[str, np.ndarray]:
    """Positions of the packed points by group: those on which the run scores its methods, within the limits."""
    p, forget = context.preset, context.forget(name)
    near = context.scored(name).get("near")
    groups = forget_sets.scored_points(context.data, forget, *_kept(context), p.seed, near)
    if len(forget) > FORGET:
        groups["forget"] = np.sort(
            np.random.default_rng([p.seed, len(forget)]).choice(forget, FORGET, replace=False)
        )
    return groups


def _paths(context: Context, name: str) -> tuple[dict[str, np.ndarray], dict]:
    """Margins on F along gradient ascent as published, of a small set; ({}, {}) without them or for a larger set."""
    forget = context.forget(name)
    found = [c for c in stopped.paths(context.preset.configs) if _has_path(context, name, c)]
    if not found or len(forget) > PATH_POINTS or len({c.epochs for c in found}) > 1:
        return {}, {}
    some = replace(context, preset=replace(context.preset, models=PATH_MODELS))
    paths = [layout.load(f"{name}/{c.label()}", some)["margins"] for c in found]
    told = {"rates": [c.lr for c in found], "epochs": list(found[0].epochs)}
    told["labels"] = context.data.labels[torch.from_numpy(forget)].tolist()
    return {"ga": rounded(np.stack(paths)[..., : len(forget)])}, {"ga": told}


def _has_path(context: Context, name: str, config: Config) -> bool:
    """Whether enough models went along the path, with the preset's own epochs (a run may have had others)."""
    role = f"{name}/{config.label()}"
    if layout.whole(context.folder(role)) < PATH_MODELS:
        return False
    first = layout.read(layout.present(context.folder(role))[0], role, context)
    return first["epochs"].tolist() == list(config.epochs)


def _kept(context: Context) -> tuple[int, int]:
    """Retain and validation points in a pack."""
    p = context.preset
    return min(POINTS, p.scored_retain or POINTS), min(POINTS, p.scored_val or POINTS)


def _source(context: Context) -> np.ndarray:
    """(all points,) int32: where `data.load` took each point from, in the whole data set's own lists."""
    p = context.preset
    cut = p.train_images is not None or p.val_images is not None
    whole = datasets.load(p.dataset, context.root) if cut else context.data
    kept = (
        datasets._subset(len(whole.labels), p.train_images, p.seed, "training"),
        datasets._subset(len(whole.val_labels), p.val_images, p.seed + 1, "validation"),
    )
    return torch.cat(kept).numpy().astype(np.int32)


def _digest(margins: np.ndarray) -> str:
    """SHA-256 of all margins of an ensemble in float32: ties a pack to the run that it was made of."""
    return hashlib.sha256(np.ascontiguousarray(margins, np.float32).tobytes()).hexdigest()


def _trained(context: Context, name: str) -> dict | None:
    """Provenance (commit, code, versions, device) of the run's latest record on this set; None without one."""
    found = [r for r in results.read(context.out / "results.jsonl") if r["forget_set"] == name]
    return found[-1]["provenance"] if found else None


def _subsamples(
    pretrained: np.ndarray, oracle: np.ndarray, groups: dict[str, np.ndarray], n: int
) -> dict:
    """What the choice of points does to the P95 of doing nothing, for retain and val: all, the packed, drawn ones."""
    models = min(len(pretrained), len(oracle))
    scores = klom.klom(
        torch.from_numpy(pretrained[:models]), torch.from_numpy(oracle[:models])
    ).numpy()
    every = {
        "retain": np.setdiff1d(np.arange(n), groups["forget"]),
        "val": np.arange(n, len(scores)),
    }
    return {
        g: {
            "points": len(members),
            "p95": float(np.percentile(scores[members], 95)),
            "packed": len(groups[g]),
            "packed_p95": float(np.percentile(scores[groups[g]], 95)),
            "drawn": subsample(scores[members]),
        }
        for g, members in every.items()
    }


def _write(
    out: Path, name: str, packs: dict[str, dict[str, np.ndarray]], replace_others: bool = False
) -> list[tuple[Path, dict]]:
    folder, made = out / name, {}
    in_the_way = sorted(path.name for path in folder.glob("*.npz") if path.name not in packs)
    if in_the_way:
        raise Refused(
            f"{folder}: {', '.join(in_the_way)} belong to no set of this run; remove them, or choose "
            "another --out"
        )
    for file, arrays in packs.items():
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays, **{files.SHA: np.array(files.digest(arrays))})
        made[folder / file] = buffer.getvalue()
        if file != "pretrained.npz" and len(made[folder / file]) > SET_LIMIT:
            raise Refused(
                f"{file}: {len(made[folder / file])} bytes, allowed {SET_LIMIT}; pack fewer models"
            )
    others = sum(path.stat().st_size for path in out.rglob("*.npz") if path not in made)
    total = others + sum(map(len, made.values()))
    if total > TOTAL_LIMIT:
        raise Refused(
            f"{out}: {total} bytes with these packs, allowed {TOTAL_LIMIT}; remove packs that nobody needs"
        )
    with files.only_one(folder, told="somebody else packs there; wait for that to end"):
        for file, arrays in packs.items():
            if (folder / file).exists() and not replace_others:
                _check_replaced(folder / file, arrays)
        # pretrained models first: it serves the packs that were there as well, should this end here
        for path, content in reversed(made.items()):
            files.write_whole(path, lambda file, c=content: file.write(c))
    return [(folder / file, json.loads(str(arrays["meta"]))) for file, arrays in packs.items()]


def _check_replaced(path: Path, new: dict[str, np.ndarray]) -> None:
    """Refused unless the pack at `path` holds the first of the same models, on the same points or some of them."""
    name = "oracle" if "oracle" in new else "pretrained"
    try:
        old = files.load(path)
        had, models = len(old[name]), len(new[name])
        at = [list(new["points"]).index(point) for point in old["points"]]
        same = name == "pretrained" or len(at) == len(new["points"])
        same = same and np.array_equal(old[name], new[name][:had, at], equal_nan=True)
    except (Damaged, KeyError, ValueError, IndexError, TypeError):
        had, models, same = "?", len(new[name]), False
    if not same:
        raise Refused(
            f"{path} holds {had} models that are not all among these {models}; --replace overwrites it, another "
            "--out keeps it"
        )


# --- reading ---------------------------------------------------------------------------------------------------------


def available(folder: Path = FOLDER) -> list[str]:
    """Names of the packs below a folder: PRESET/SET."""
    found = (path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.npz"))
    return sorted(name for name in found if not name.endswith("pretrained"))


def read(name: str, folder: Path = FOLDER) -> Pack:
    """The pack PRESET/SET below `folder`, or that of a path ending in .npz. Refused if it is missing or damaged."""
    if not name.endswith(".npz") and name not in available(folder):
        raise Refused(
            f"unknown pack {name!r}; choose from {', '.join(available(folder)) or 'none in'} ({folder}), or "
            "give the path of a .npz file that `unlearning pack` wrote"
        )
    path = Path(name) if name.endswith(".npz") else folder / f"{name}.npz"
    own, shared = arrays_of(path), arrays_of(path.with_name("pretrained.npz"))
    try:
        meta, points = json.loads(str(own["meta"])), own["points"]
        at = np.searchsorted(shared["points"], points)
        found = Pack(
            f"{meta['preset']}/{meta['forget_set']}",
            own["oracle"].astype(np.float32),
            _unpacked(own.get("oracle_hits"), own["oracle"].shape),
            shared["pretrained"][:, at].astype(np.float32),
            points,
            own["source"],
            meta,
            files.SHA in own and files.SHA in shared,
            own["ga"].astype(np.float32) if "ga" in own else None,
        )
        sound = (
            _is_meta(meta)
            and found.oracle.shape[1:] == points.shape == found.source.shape
            and own["oracle"].dtype.kind == shared["pretrained"].dtype.kind == "f"
            and points.dtype.kind == found.source.dtype.kind == "i"
            and (shared["points"][at] == points).all()
            and sum(meta["groups"].values()) == len(points)
            and 1 < min(len(found.oracle), len(found.pretrained))
            and ("ga" not in own or own["ga"].dtype.kind == "f")
            and _are_paths(found)
            and max(len(found.oracle), len(found.pretrained)) <= layout.MODELS
        )
    except (KeyError, IndexError, ValueError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise Refused(
            f"{path}: this file and pretrained.npz beside it are no pack; pack the run again"
        )
    return found


def _are_paths(pack: Pack) -> bool:
    """Whether the paths have the shape that their description says; a pack needs none."""
    if pack.paths is None:
        return "ga" not in pack.meta
    told, size = pack.meta["ga"], pack.groups()["forget"].stop
    named = len(told["rates"]), len(told["epochs"])
    return pack.paths.shape[:2] == named and pack.paths.shape[3:] == (size,) == (len(told["labels"]),)  # fmt: skip


def validation(name: str, folder: Path = FOLDER) -> np.ndarray | None:
    """(models, points) float32: packed margins of a preset's pretrained models on validation points; None without a pack."""
    path = folder / name / "pretrained.npz"
    if not path.exists():
        return None
    found = arrays_of(path)
    try:
        val = found["points"] >= json.loads(str(found["meta"]))["train_size"]
        return found["pretrained"][:, val].astype(np.float32)
    except (KeyError, IndexError, ValueError, TypeError):
        raise Refused(f"{path}: these are no packed models; pack the run again") from None


def _is_meta(meta: dict) -> bool:
    """Whether a pack's `meta` says everything that is asked of it, in the right form."""
    run, groups = meta["run"], meta["groups"]
    names = [meta[k] for k in ("dataset", "preset", "forget_set", "sha256")]
    sizes = [*groups.values(), *(meta[k] for k in ("models", "forget_size", "train_size"))]
    sizes += [run[k] for k in ("width", "pool", "seed")]
    cuts = [run[k] for k in ("train_images", "val_images")]
    return (
        "forget" in groups
        and all(isinstance(name, str) for name in names)
        and all(type(size) is int and size >= 0 for size in sizes)
        and all(cut is None or type(cut) is int for cut in cuts)
        and "trained" in meta
    )


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a .npz file; no pickle is ever loaded. Refused if it cannot be read, or its checksum is another."""
    try:
        return files.load(path)
    except Damaged as error:
        raise Refused(str(error)) from None


# --- the command -----------------------------------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `unlearning pack`."""
    parser.add_argument(
        "--from", required=True, metavar="RUN", dest="run", help="output folder of an experiment"
    )
    parser.add_argument(
        "--out", metavar="DIR", help="folder of packs (default: RUN/packs, beside the run)"
    )
    parser.add_argument(
        "--weights",
        type=int,
        metavar="N",
        help="instead: the first N pretrained models, in float16, into --out FILE.npz (see `unlearning restore`)",
    )
    parser.add_argument(
        "--replace",
        action="store_true",
        help="overwrite packs that hold other models, or more of them; and a file of --weights",
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        help=f"folder of the data files (default: ${datasets.ROOT_VARIABLE}, else ./data)",
    )


def main(arguments: argparse.Namespace) -> int:
    """Exit status 0; refusals and errors of the disk are raised."""
    run = Path(arguments.run)
    if arguments.weights is not None:
        if not (arguments.out or "").endswith(".npz"):
            raise Refused("--weights: give --out FILE.npz, the file that the models go into")
        if Path(arguments.out).exists() and not arguments.replace:
            raise Refused(
                f"{arguments.out} is there: trials may rest on its models; choose another name, or add --replace"
            )
        starts.write(_open_run(run, arguments.data), Path(arguments.out), arguments.weights)
        print(
            f"{arguments.out}  {Path(arguments.out).stat().st_size / 1e6:.3f} MB  {arguments.weights} models"
        )
        return 0
    out = Path(arguments.out) if arguments.out else run / "packs"
    for path, meta in pack(run, out, arguments.data, arguments.replace):
        told = (
            ", ".join(f"{count} {group}" for group, count in meta.get("groups", {}).items())
            or "the same points"
        )
        told += (
            "" if meta["verified"] else "; margins without checksums (an older version): unverified"
        )
        print(f"{path}  {path.stat().st_size / 1e6:.3f} MB  {meta['models']} models on {told}")
    return 0
