"""Scores a method's unlearned models against packed oracles. Needs torch, numpy and scipy. (See results/margins/README.md.)

unlearning score                                   which packs there are
unlearning score laptop/random-10                  which points margins are needed for; what doing nothing scores
unlearning score laptop/random-10 margins.npy      margins (N, points) of N unlearned models, .npy or .npz
unlearning score laptop/random-10 checkpoints/     N state dicts of the pack's ResNet-9, *.pt; needs the data set
"""

import argparse
import io
import json
import sys
import textwrap
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from unlearning import datasets, estimators, files, klom, networks, training, uncertainty
from unlearning.errors import Refused, short
from unlearning.experiment import estimates, packing, provenance, results, stopped
from unlearning.experiment.limits import SHIFT, shifted
from unlearning.experiment.packing import Pack
from unlearning.files import ROOT, Damaged
from unlearning.methods import METHODS

MODELS = 2_000  # models scored at once: a minute's work on one core, twenty times the paper's N
ENOUGH = 20  # models with which oq5 sees what KLoM's P95 sees with 100: the chapter how_many
ROWS = {"groups": "yours", "nothing": "doing nothing", "oracle_split": "oracles, split"}

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
    report: Callable[[str], None] | None = None,
) -> dict:
    """A record of KLoM between a method's margins and the pack's oracles, beside two marks to read it against.

    margins (N, points), checked by `checked`; None: only the marks. "groups": {group: {direction: uncertainty.Summary}} of
    the method; the same in "nothing" (min(N, N') pretrained models against all oracles) and "oracle_split" (the first
    min(N, half) oracles against the other ones: fewer models, so a higher floor).
    estimates: the same three, {group: oq5 and GEB} as `estimated` has them.     warnings: what could make the numbers mean
    something else. meaning: one sentence. recorded: `placed` among the recorded runs, None where there are none.
    correlation: of the points' mean margins with the oracles'; near zero or below, the points are in another order.
    report: is told what is being scored.
    """
    n = len(pack.oracle) if margins is None else len(margins)
    split = min(n, len(pack.oracle) // 2)
    pairs = {"nothing": (pack.pretrained[:n], pack.oracle)}
    if split > 1:
        pairs["oracle_split"] = pack.oracle[:split], pack.oracle[split:]
    if margins is not None:
        pairs = {"groups": (margins, pack.oracle)} | pairs

    told = {name: {} for name in pairs}
    small = {name: {} for name in pairs}
    wanted = {group: c for group, c in pack.groups().items() if c.start < c.stop}
    for k, (name, group) in enumerate((name, group) for name in pairs for group in wanted):
        if report:
            row = method if name == "groups" else ROWS[name]
            report(f"scoring {row} on {group} points, {k + 1} of {len(pairs) * len(wanted)}")
        both = [torch.from_numpy(np.ascontiguousarray(x[:, wanted[group]])) for x in pairs[name]]
        options = {"splits": splits, "subsets": subsets, "seed": seed}
        told[name][group] = {
            direction: asdict(uncertainty.summarize(*both, direction=direction, **options))
            for direction in klom.DIRECTIONS
        }
        small[name][group] = estimated(*both)

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
    record |= told | {"estimates": small}
    if margins is not None:
        record["recorded"] = placed(record, recorded(pack, n))
        record["warnings"] = _warnings(record) + _copies(margins, pack)
        record["meaning"] = meaning(record)
    return record | {
        "seed": seed,
        "pack": {"sha256": meta["sha256"], "trained": meta["trained"]},
        "provenance": provenance.provenance("cpu"),
    }


def _correlation(margins: np.ndarray, oracle: np.ndarray) -> float | None:
    """Of the points' mean margins (clipped); None where one of them does not vary."""
    means = [
        np.clip(x, -packing.CLIP, packing.CLIP).mean(0, dtype=np.float64) for x in (margins, oracle)
    ]
    return float(np.corrcoef(*means)[0, 1]) if min(np.ptp(m) for m in means) > 0 else None


def estimated(unlearned: torch.Tensor, oracle: torch.Tensor) -> dict[str, float]:
    """`estimates.group` with what oq5 is read against: floors (of its mean, of its P95), and where damage begins.

    limit, reverse_limit: P95 of oq5 for a uniform shift of SHIFT oracle standard deviations. All simulated for these
    numbers of models, with Gaussian margins. NaN margins count as -CLIP.
    """
    found = estimates.group(*(x.nan_to_num(nan=-packing.CLIP) for x in (unlearned, oracle)))
    null = estimators.floor("oq5", len(unlearned), len(oracle)).numpy()
    found |= {"floor_mean": float(null.mean()), "floor_p95": float(np.percentile(null, 95))}
    for direction, name in zip(klom.DIRECTIONS, ("limit", "reverse_limit"), strict=True):
        found[name] = shifted("oq5", len(unlearned), len(oracle), direction=direction)[0]
    return found


# --- among the recorded methods --------------------------------------------------------------------------------------


def recorded(pack: Pack, models: int) -> list[dict]:
    """Records on the pack's forget set by its own training code, doing nothing first; N as near to `models` as there is.

    Empty without doing nothing: everything is read against it.
    """
    folder = ROOT / "results"
    if not folder.is_dir():  # an installed package alone
        return []
    meta, code = pack.meta, pack.meta["run"].get("training_code")
    found = [
        r
        for r in results.collect(folder, preset=meta["preset"], forget_set=meta["forget_set"])
        if code in (None, r["provenance"].get("training_code")) and r["method"] != stopped.NAME
    ]
    known = {r["models"] for r in found if r["method"] == "nothing"}
    nearest = min(known, key=lambda n: abs(n - models), default=None)
    same = [r for r in found if r["models"] == nearest]
    return sorted(same, key=lambda r: r["method"] != "nothing")


def placed(record: dict, records: list[dict]) -> dict | None:
    """Where the method stands among recorded runs, by KLoM's P95 above its floor; None where there are none.

    records: as `recorded` has them. left: share of doing nothing's forget score (with as many models) that is left.
    damage: the largest score on other points, in either direction, over what a shift of SHIFT scores with so many
    models: up to 1 counts as none. better: runs with less left and no more damage. methods: of each method the run with
    the least left among those with no more damage than this one; None where every run does more.
    """
    runs = records[1:]
    if not runs or _height(records[0]["groups"]) <= 0 or _height(record["nothing"]) <= 0:
        return None
    left, damage = _place(record["groups"], _height(record["nothing"]))
    methods, better = {r["method"]: None for r in runs}, 0
    for r in runs:
        run_left, run_damage = _place(r["groups"], _height(records[0]["groups"]))
        if run_damage > max(damage, 1):
            continue
        better += run_left < left
        if methods[r["method"]] is None or run_left < methods[r["method"]]["left"]:
            lr, batchnorm = (r["configuration"].get(k) for k in ("lr", "batchnorm"))
            told = {"lr": lr, "epoch": r["epoch"], "frozen": batchnorm == "frozen"}
            methods[r["method"]] = told | {"left": run_left, "damage": run_damage}
    return {"runs": len(runs), "models": runs[0]["models"], "left": left, "damage": damage,
            "better": better, "methods": methods}  # fmt: skip


def _height(groups: dict, group: str = "forget", direction: str = klom.DIRECTIONS[0]) -> float:
    return groups[group][direction]["p95"] - groups[group][direction]["floor"]


def _place(groups: dict, whole: float) -> tuple[float, float]:
    damage = 0.0
    for group in (g for g in groups if g != "forget"):
        for direction in klom.DIRECTIONS:
            sizes = (groups[group][direction][k] for k in ("models", "oracles"))
            unit = np.subtract(*shifted("klom", *sizes, direction=direction))
            damage = max(damage, float(_height(groups, group, direction) / unit))
    return _height(groups) / whole, damage


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
    for k, path in enumerate(paths):
        if k and k % 10 == 0:
            _progress(f"checkpoint {k} of {len(paths)}")
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
    rows = {key: ROWS[key] for key in ROWS if key in record}
    rows |= {"groups": record["method"]} if "groups" in record else {}
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
    lines += ["", *_estimates_table(record, rows, width)]
    if "groups" in record:
        lines += ["", *_placing(record), "", textwrap.fill(record["meaning"], 118)]
        lines += record["warnings"]
    return "\n".join(lines)


def _estimates_table(record: dict, rows: dict[str, str], width: int) -> list[str]:
    """oq5 and GEB, which need fewer models (the chapter how_many)."""
    form = "{:>12}{:>8}{:>9}{:>8}{:>13}{:>11}"
    heads = ("mean", "floor", "P95", "limit", "other P95", "GEB mean")
    lines = [
        f"oq5 and GEB in nats, KL(oracle || unlearned); other P95: KL(unlearned || oracle)\n{'':<{width + 14}}"
        + form.format(*heads)
    ]
    for group in record["estimates"]["nothing"]:
        for k, (key, label) in enumerate(rows.items()):
            e = record["estimates"][key][group]
            gauss = f"{e['geb_mean']:.3f}" if "geb_mean" in e else "-"
            values = (f"{e['oq5_mean']:.2f}±{1.96 * e['oq5_mean_error']:.2f}", f"{e['floor_mean']:.2f}",
                      f"{e['oq5_p95']:.2f}", f"{e['limit']:.2f}", f"{e['reverse_oq5_p95']:.2f}", gauss)  # fmt: skip
            lines.append(f"{'' if k else group:<12}{label:<{width + 2}}" + form.format(*values))
    return [
        *lines,
        f"limit: P95 of oq5 if every mean were shifted by {SHIFT} oracle standard deviations.",
    ]


def _placing(record: dict) -> list[str]:
    """The recorded runs that do no more damage, method by method."""
    name, place = record["method"], record["recorded"]
    if place is None:
        return [
            f"No unlearning runs on {record['preset']}/{record['forget_set']} are recorded beside it."
        ]
    head = (
        f"Among {place['runs']} recorded runs on this forget set (N = {place['models']}), by KLoM's P95 above floors: "
        f"{name} leaves {place['left']:.0%} of doing nothing's forget score, with damage {place['damage']:.2f} (up to 1: "
        f"none; 1: a shift of {SHIFT} oracle standard deviations). {place['better']} runs leave less and do no more damage. "
        "The best run of each method that does no more:"
    )
    lines = [textwrap.fill(head, 118)]
    titles = {m: METHODS[m].title for m in METHODS} | {"retrain": "short retraining"}
    for method, best in place["methods"].items():
        told = "every run does more damage"
        if best:
            lr = "" if best["lr"] is None else f"step size {best['lr']:g}, "
            frozen = ", BatchNorm frozen" if best["frozen"] else ""
            told = f"leaves {best['left']:.0%}, damage {best['damage']:.2f} ({lr}epoch {best['epoch']}{frozen})"
        lines.append(f"  {titles.get(method, method):<22}{told}")
    return lines


def meaning(record: dict) -> str:
    """One sentence: how much of the gap on the forget set is closed, by oq5, and whether other points are damaged."""
    name, mine, before = record["method"], *(record["estimates"][k] for k in ("groups", "nothing"))
    start, end = before["forget"], mine["forget"]
    gap, reach = (start["oq5_mean"] - start["floor_mean"], 1.96 * start["oq5_mean_error"])
    if gap <= reach:
        told = "cannot be judged on the forget set, where doing nothing is within chance of the oracles,"
    else:
        left = (end["oq5_mean"] - end["floor_mean"]) / gap
        off = 1.96 * end["oq5_mean_error"] / gap
        between = f"between {1 - left - off:.0%} and {1 - left + off:.0%}"
        told = f"closes {1 - left:.0%} of the gap between doing nothing and the oracles on the forget set ({between})"
        if left - off > 1:
            told = f"is worse than doing nothing: on the forget set it is {left:.1f} times as far from the oracles"
    harmed = [
        f"{group} ({value:.2f}, limit {limit:.2f})"
        for group, e in mine.items()
        if group != "forget"
        for value, limit in [max(((e["oq5_p95"], e["limit"]), (e["reverse_oq5_p95"], e["reverse_limit"])),
                                 key=lambda pair: pair[0] - pair[1])]
        if value > limit
    ]  # fmt: skip
    damage = (
        f"damages {', '.join(harmed)}" if harmed else "leaves the other points within the limit"
    )
    return f"In one sentence: by oq5, {name} {told} and {damage}."


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
    if (n := min(record["models"], record["oracles"])) < ENOUGH:
        floor = max(g[klom.DIRECTIONS[0]]["gaussian_floor"] for g in record["groups"].values())
        found.append(
            f"Beware: N = {n} is small: KLoM's P95 is {floor:.1f} nats if nothing differs. Read oq5, and give at "
            f"least {ENOUGH} models."
        )
    return found


def _copies(margins: np.ndarray, pack: Pack) -> list[str]:
    """Models that are no models of their own: equal to each other, to pretrained models or to oracles (as float16)."""

    def keys(ensemble: np.ndarray) -> list[bytes]:
        return [row.tobytes() for row in packing.rounded(ensemble) + np.float16(0)]  # -0 equals 0

    mine, found = keys(margins), []
    if twice := sum(count for count in Counter(mine).values() if count > 1):
        found.append(
            f"Beware: {twice} of {len(mine)} models have equal margins: copies of one model are no ensemble."
        )
    whose = {
        "pretrained models: was anything unlearned?": pack.pretrained,
        "oracles: these are no unlearned models.": pack.oracle,
    }
    for told, others in whose.items():
        known = set(keys(others))
        if same := sum(key in known for key in mine):
            found.append(
                f"Beware: {same} of {len(mine)} models have the margins of the pack's {told}"
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


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: argparse.Namespace) -> int:
    """Exit status 0; refusals are raised."""
    if arguments.pack is None:
        print("\n".join(packing.available()) or f"no packs in {packing.FOLDER}")
        return 0
    pack = packing.read(arguments.pack)
    margins = read(arguments.files, pack, arguments.data) if arguments.files else None
    record = compare(pack, margins, method=arguments.method, report=_progress)
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
