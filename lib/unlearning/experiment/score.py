"""Scores a method's unlearned models against packed oracles. Needs torch, numpy and scipy. (See results/margins/README.md.)

unlearning score                                   which packs there are
unlearning score laptop/random-10                  which points margins are needed for; what doing nothing scores
unlearning score laptop/random-10 margins.npy      margins (N, points) of N unlearned models, .npy or .npz
unlearning score laptop/random-10 checkpoints/     N state dicts of the pack's ResNet-9, *.pt; needs the data set
"""

import argparse
import io
import json
import warnings
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from unlearning import datasets, files, klom, networks, training, uncertainty
from unlearning.errors import Refused, short
from unlearning.experiment import packing, provenance
from unlearning.experiment.packing import Pack
from unlearning.files import Damaged

MODELS = 2_000  # models scored at once: a minute's work on one core, twenty times the paper's N

UNSEALED = "The pack carries no checksum (it is of an older version): it is used unverified."
_COLUMNS = "{:>9}{:>9}{:>16}{:>8}{:>9}{:>8}{:>11}{:>8}"
HEADINGS = ("P95", "95% interval", "floor", "ceiling", "robust", "collapsed", "mean")


def compare(
    pack: Pack,
    margins: np.ndarray | None,
    *,
    method: str = "yours",
    splits: int = 20,
    subsets: int = 40,
    seed: int = 0,
) -> dict:
    """A record of KLoM between a method's margins and the pack's oracles, beside two marks to read it against.

    margins (N, points), checked by `checked`; None: only the marks. "groups": {group: {direction: uncertainty.Summary}} of
    the method; the same in "nothing" (min(N, N') pretrained models against all oracles) and "oracle_split" (the first
    min(N, half) oracles against the other ones: fewer models, so a higher floor).
    correlation: of the points' mean margins with the oracles'; near zero or below, the points are in another order.
    """
    n = len(pack.oracle) if margins is None else len(margins)
    split = min(n, len(pack.oracle) // 2)
    pairs = {"nothing": (pack.pretrained[:n], pack.oracle)}
    if split > 1:
        pairs["oracle_split"] = pack.oracle[:split], pack.oracle[split:]
    if margins is not None:
        pairs = {"groups": (margins, pack.oracle)} | pairs

    def summaries(unlearned: np.ndarray, oracle: np.ndarray) -> dict:
        return {
            group: {
                direction: asdict(
                    uncertainty.summarize(
                        *(
                            torch.from_numpy(np.ascontiguousarray(x[:, columns]))
                            for x in (unlearned, oracle)
                        ),
                        direction=direction,
                        splits=splits,
                        subsets=subsets,
                        seed=seed,
                    )
                )
                for direction in klom.DIRECTIONS
            }
            for group, columns in pack.groups().items()
            if columns.start < columns.stop
        }

    meta = pack.meta
    record = {
        "dataset": meta["dataset"],
        "preset": meta["preset"],
        "forget_set": meta["forget_set"],
        "method": method,
        "models": n,
        "oracles": len(pack.oracle),
        "forget_size": meta["forget_size"],
    }
    if margins is not None:
        record["correlation"] = _correlation(np.nan_to_num(margins, nan=-packing.CLIP), pack.oracle)
    return (
        record
        | {name: summaries(*pair) for name, pair in pairs.items()}
        | {
            "seed": seed,
            "pack": {"sha256": meta["sha256"], "trained": meta["trained"]},
            "provenance": provenance.provenance("cpu"),
        }
    )


def _correlation(margins: np.ndarray, oracle: np.ndarray) -> float | None:
    """Of the points' mean margins (clipped); None where one of them does not vary."""
    means = [
        np.clip(x, -packing.CLIP, packing.CLIP).mean(0, dtype=np.float64) for x in (margins, oracle)
    ]
    return float(np.corrcoef(*means)[0, 1]) if min(np.ptp(m) for m in means) > 0 else None


# --- what a user brings ----------------------------------------------------------------------------------------------


def checked(margins: np.ndarray, pack: Pack, name: str) -> np.ndarray:
    """The margins in float32, or Refused that says what they must look like."""
    wanted = " + ".join(f"{count} {group}" for group, count in pack.meta["groups"].items())
    shape, points = margins.shape, len(pack.points)
    if margins.ndim != 2 or margins.dtype.kind != "f":
        raise Refused(
            f"{name}: shape {shape}, type {margins.dtype}; give floats of shape (N, {points}): one row for "
            f"each model, one column for each of the pack's points ({wanted})"
        )
    if shape[1] != points:
        raise Refused(
            f"{name}: {shape[1]} points, the pack {pack.name} has {points} ({wanted}, in this order); "
            f"`unlearning score {pack.name}` says which they are"
        )
    if not 2 <= shape[0] <= MODELS:
        raise Refused(
            f"{name}: {shape[0]} models; a distribution of margins needs at least 2, allowed are {MODELS}"
        )
    if np.isnan(margins).all():
        raise Refused(
            f"{name}: every margin is NaN; check the models and how the margins were computed"
        )
    return np.clip(margins, -packing.CLIP, packing.CLIP).astype(np.float32)


def read_margins(path: Path, pack: Pack) -> np.ndarray:
    """(N, points) float32 from a .npy file or from a .npz file with one array, or one named margins."""
    if path.suffix == ".npz":
        found = packing.arrays_of(path)
        if "margins" not in found and len(found) != 1:
            raise Refused(
                f"{path}: arrays {', '.join(found) or 'none'}; give one array, or name it margins"
            )
        return checked(found.get("margins", next(iter(found.values()))), pack, str(path))
    try:
        with files.opened(path) as file:
            files.check_array_header(file, path.stat().st_size)
        margins = np.load(
            path, mmap_mode="r", allow_pickle=False
        )  # refused unread where it does not fit
    except Damaged as error:
        raise Refused(str(error)) from None
    # the reader of .npy headers raises about ten kinds of errors; here all of them mean the same
    except Exception as error:
        raise Refused(
            f"{path}: cannot be read as a .npy file of numbers ({short(error, 120)})"
        ) from None
    return checked(margins, pack, str(path))


@torch.no_grad()
def checkpoint_margins(paths: list[Path], pack: Pack, root: str | None = None) -> np.ndarray:
    """(N, points) float32 from N files with the state dict of the pack's ResNet-9, scored on the pack's points."""
    told = pack.meta["run"]
    loaded = datasets.load(
        pack.meta["dataset"],
        root,
        train=told["train_images"],
        val=told["val_images"],
        pool=told["pool"],
        seed=told["seed"],
    )
    at = torch.from_numpy(pack.points.astype(np.int64))
    images, labels = (
        torch.cat(pair)[at]
        for pair in ((loaded.images, loaded.val_images), (loaded.labels, loaded.val_labels))
    )
    network = told.get("network", "resnet9")  # packs of earlier runs hold no name
    model = networks.build(
        network, told["width"], images.shape[1], loaded.classes, images.shape[-1]
    )
    advice = "save model.state_dict() with torch.save"
    found = []
    for path in paths:
        try:
            raw = io.BytesIO(files.content(path))
            with warnings.catch_warnings(action="ignore"):  # of files that are then refused
                state = torch.load(raw, map_location="cpu", weights_only=True)
            model.load_state_dict(state)
        except Damaged as error:
            raise Refused(f"{error}; {advice}") from None
        # torch raises about ten kinds of errors, some with advice to load what should not be loaded
        except Exception as error:
            layers = "state_dict" in str(error)
            fits = "its layers are not the network's" if layers else "not readable as plain tensors"
            raise Refused(
                f"{path}: no state dict of ResNet-9 of width {told['width']} ({fits}); {advice}"
            ) from None
        found.append(training.score(model.float(), loaded, images, labels)[0][0])
    return checked(np.stack(found), pack, f"{len(paths)} checkpoints")


def read(paths: list[Path], pack: Pack, root: str | None = None) -> np.ndarray:
    """One file of margins, or checkpoints: a folder of *.pt and *.pth files, or at least 2 such files."""
    if len(paths) == 1 and paths[0].suffix in (".npy", ".npz"):
        return read_margins(paths[0], pack)
    if len(paths) == 1 and paths[0].is_dir():
        paths = sorted(path for path in paths[0].iterdir() if path.suffix in (".pt", ".pth"))
    if not all(path.suffix in (".pt", ".pth") for path in paths):
        names = ", ".join(map(str, paths[:3]))
        raise Refused(
            f"{names}: give one .npy or .npz file of margins, a folder of checkpoints, or .pt files"
        )
    if not 2 <= len(paths) <= MODELS:
        raise Refused(
            f"{len(paths)} checkpoints (*.pt, *.pth); a distribution of margins needs at least 2, allowed are {MODELS}"
        )
    return checkpoint_margins(paths, pack, root)


# --- what is printed -------------------------------------------------------------------------------------------------


def described(pack: Pack, name: str) -> str:
    """Which points the margins must be for."""
    meta, told = pack.meta, pack.meta["run"]
    counts = ", ".join(f"{count} {group}" for group, count in meta["groups"].items())
    some = (
        f" ({meta['groups']['forget']} of them packed)"
        if meta["groups"]["forget"] < meta["forget_size"]
        else ""
    )
    cut = (
        "; every image averaged over {0} x {0} pixels".format(told["pool"])
        if told["pool"] > 1
        else ""
    )
    size = f"{meta['forget_size']}{some}"
    return (
        f"{pack.name}: {meta['dataset']}, {meta['train_size']} training images{cut}\n"
        f"|F| = {size}, {meta['models']} oracles, ResNet-9 of width {told['width']}\n"
        f"margins (N, {len(pack.points)}) must be for these points, in this order: {counts}. With file =\n"
        f"numpy.load({str(name)!r})\nfile['source'] has their indices in the data set's own training list (forget, "
        "retain) and test list (val)." + ("" if pack.sealed else f"\n{UNSEALED}")
    )


def table(record: dict) -> str:
    """The record as text: for each direction and group the method, doing nothing, and oracles against oracles."""
    rows = {
        "groups": record["method"],
        "nothing": "doing nothing",
        "oracle_split": "oracles, split",
    }
    rows = {key: label for key, label in rows.items() if key in record}
    width, lines = max(map(len, rows.values())), []
    names = ("KL(oracle || unlearned), the paper's direction", "KL(unlearned || oracle)")
    for direction, told in zip(klom.DIRECTIONS, names, strict=True):
        lines.append(
            f"KLoM in nats, {told}\n{'':<{width + 14}}" + _COLUMNS.format("models", *HEADINGS)
        )
        for group, scores in record["nothing"].items():
            heads = [group, f"{scores[direction]['points']} points", ""]
            for head, (key, label) in zip(heads, rows.items(), strict=False):
                s = record[key][group][direction]
                lines.append(
                    f"{head:<12}{label:<{width + 2}}"
                    + _COLUMNS.format(
                        f"{s['models']} | {s['oracles']}",
                        f"{s['p95']:.3f}",
                        f"{s['low']:.2f} to {s['high']:.2f}",
                        f"{s['floor']:.2f}",
                        f"{s['ceiling']:.2f}",
                        f"{s['robust_p95']:.3f}",
                        f"{s['collapsed']:.0%}",
                        f"{s['mean']:.3f}",
                    )
                )
        lines.append("")
    lines.append(
        "Read each P95 against its own row's floor (its value if nothing differed) and against doing nothing."
    )
    return "\n".join(lines + (_warnings(record) if "groups" in record else []))


def _warnings(record: dict) -> list[str]:
    """What could make the numbers mean something else than they seem to."""
    found, scores = [], [s for group in record["groups"].values() for s in group.values()]
    if record["correlation"] is None or record["correlation"] < 0.5:
        shown = "none" if record["correlation"] is None else f"{record['correlation']:.2f}"
        found.append(
            f"Beware: correlation of the points' mean margins with the oracles': {shown}. Are the points in "
            "the pack's order?"
        )
    if nan := sum(group[klom.DIRECTIONS[0]]["nan"] for group in record["groups"].values()):
        found.append(f"Beware: {nan} margins are NaN and count as {-packing.CLIP:g}.")
    if any(s["collapsed"] > 0 or s["high"] < s["floor"] for s in scores):
        found.append(
            "Beware: a few far-out models stretch the bins (collapsed above 0), or a P95 lies below its "
            "floor: read `robust`."
        )
    return found


# --- the command -----------------------------------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `unlearning score`."""
    add = parser.add_argument
    add(
        "pack",
        nargs="?",
        help="PRESET/SET below results/margins, or the path of a pack; left out: lists them",
    )
    add(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="margins (.npy, .npz), a folder of checkpoints, or .pt files",
    )
    add("--json", action="store_true", help="print one record as a line of JSON instead of a table")
    add(
        "--method",
        default="yours",
        metavar="NAME",
        help="the method's name in the table and in the record",
    )
    add(
        "--data",
        metavar="DIR",
        help="for checkpoints: folder of the data files "
        f"(default: ${datasets.ROOT_VARIABLE}, else ./data)",
    )


def main(arguments: argparse.Namespace) -> int:
    """Exit status 0; refusals are raised."""
    if arguments.pack is None:
        print("\n".join(packing.available()) or f"no packs in {packing.FOLDER}")
        return 0
    pack = packing.read(arguments.pack)
    margins = read(arguments.files, pack, arguments.data) if arguments.files else None
    record = compare(pack, margins, method=arguments.method)
    if arguments.json:
        print(json.dumps(record, allow_nan=False))
        return 0
    path = (
        arguments.pack
        if arguments.pack.endswith(".npz")
        else packing.FOLDER / f"{arguments.pack}.npz"
    )
    print(f"{described(pack, path)}\n\n{table(record)}")
    return 0
