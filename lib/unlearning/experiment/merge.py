"""`unlearning merge --from A B … --out DIR`: the shards of an experiment as one ordinary experiment with its records.

The plan of the undivided experiment is run in DIR, in its order; a unit that would train or unlearn takes the files of
the shard that did it. So DIR is what one machine would have made: it can be continued, packed and merged again.
"""

import argparse
import filecmp
import json
import os
import shutil
import time
import zipfile
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from unlearning import datasets, files
from unlearning.errors import Refused
from unlearning.experiment import layout, measure, plan, runner, shards
from unlearning.experiment.layout import Context, open_context
from unlearning.experiment.plan import Unit
from unlearning.experiment.presets import Preset, Stage, staged
from unlearning.methods import Config
from unlearning.training import Recipe


@dataclass(frozen=True)
class Parts:
    """Shards that belong together, in order."""

    folders: list[Path]  # of shards 1 … n
    preset: Preset  # what all of them were asked for
    device: str  # kind of device that made them: cpu or cuda

    def of(self, index: int) -> Path:
        """The folder of the shard that has model `index`."""
        return self.folders[shards.owner(index, self.preset.stack, len(self.folders)) - 1]


def merge(folders: list[Path], out: Path, root: str | None = None) -> tuple[list[dict], list[str]]:
    """Merge shards into `out`: (the records that now stand for the experiment, forget sets that were chosen just now).

    root: folder of the data files. If sets were chosen, they are written into every shard's folder, which then has work
    left: run the shards again, then merge again. Nothing is written unless the shards belong together and are complete
    as far as they could be. Raises Refused otherwise, and when a shard is running.
    """
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise Refused("--from names a folder twice: name each shard once")
    with ExitStack() as held:
        for folder in folders:
            if not (folder / "run.json").exists() or shards.read(folder) is None:
                raise Refused(
                    f"{folder} is no shard of an experiment: give --out folders of --shard runs"
                )
            held.enter_context(files.only_one(folder))
        parts = together(folders)
        if out.exists() and shards.read(out):
            raise Refused(f"{out} is a shard itself: give --out another folder")
        stages = list(staged(parts.preset).values())
        ready = _ready(parts, stages)
        _same_as(out, parts)
        held.enter_context(files.only_one(out))
        _take_methods(parts, out)
        context = open_context(parts.preset, out, root, parts.device)
        layout.settle_identity(context)
        contexts = [replace(context, preset=stage) for stage in stages]
        pool = Copies(parts, out)
        _take_sets(parts, out)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # as in an undivided run: sums in the same order
        try:
            for stage in contexts[:ready]:
                runner._run_all(stage, pool, None, lambda line: None)
            chosen = _choose(contexts[ready], parts, pool) if ready < len(contexts) else []
        finally:
            torch.set_num_threads(threads)
    return [r for stage in contexts[:ready] for r in measure.current(stage)], chosen


# --- whether they belong together ------------------------------------------------------------------------------------


def together(folders: list[Path]) -> Parts:
    """The shards in order. Raises Refused unless they are all of one experiment, each once, with their own models only."""
    told = {folder: shards.read(folder) for folder in folders}
    first, count = folders[0], told[folders[0]]["of"]
    runs = {folder: _run(folder) for folder in folders}
    for folder in folders[1:]:
        differ = [
            k for k in runs[first] | runs[folder] if runs[first].get(k) != runs[folder].get(k)
        ]
        if told[folder]["of"] != count:
            raise Refused(
                f"{first} is one of {count} shards, {folder} one of {told[folder]['of']}: merge shards of one division"
            )
        if differ:
            raise Refused(
                f"{first} and {folder} hold different experiments: {', '.join(differ)} differ (run.json)"
            )
        asked = told[first]["preset"], told[folder]["preset"]
        if differ := [k for k in asked[0] if asked[0][k] != asked[1].get(k)]:
            raise Refused(
                f"{first} and {folder} were asked for different work: {', '.join(differ)} differ (shard.json); run both "
                "with the same options"
            )
    numbers = {told[folder]["shard"]: folder for folder in folders}
    if len(numbers) < len(folders):
        raise Refused("--from names two folders of one shard: name each shard once")
    if missing := [f"{i}/{count}" for i in range(1, count + 1) if i not in numbers]:
        raise Refused(f"shards {', '.join(missing)} are missing: name the folders of all {count}")
    parts = Parts(
        [numbers[i] for i in range(1, count + 1)],
        preset_of(told[first]["preset"]),
        runs[first]["device"],
    )
    _disjoint(parts)
    if parts.device == "cuda" and not torch.cuda.is_available():
        raise Refused("these shards were made on a GPU: merge them on a machine with one")
    return parts


def _run(folder: Path) -> dict:
    """What run.json says."""
    try:
        told = json.loads((folder / "run.json").read_text())
        return told | {"device": told["device"]}
    except (ValueError, KeyError, TypeError):
        raise Refused(
            f"{folder / 'run.json'} cannot be read: run that shard again elsewhere"
        ) from None


def preset_of(told: dict) -> Preset:
    """The preset that shard.json describes. Raises Refused when other code wrote it."""

    def configs(found: list[dict]) -> tuple[Config, ...]:
        return tuple(Config(**c | {"epochs": tuple(c["epochs"])}) for c in found)

    def tuples(found: dict) -> dict:
        return {k: tuple(v) if isinstance(v, list) else v for k, v in found.items()}

    try:
        stages = [Stage(**tuples(s) | {"configs": configs(s["configs"])}) for s in told["stages"]]
        parts = {"recipe": Recipe(**told["recipe"]), "configs": configs(told["configs"])}
        return Preset(**tuples(told) | parts | {"stages": tuple(stages)})
    except (TypeError, KeyError):
        raise Refused(
            "shard.json was written by other code: go back to that code, or run the shards again"
        ) from None


def _disjoint(parts: Parts) -> None:
    """Refused when a shard holds another one's models or a torn file, or when two forget different points."""
    for folder in parts.folders:
        margins = sorted((folder / "margins").rglob("*.npz"))
        for path in margins:
            if not zipfile.is_zipfile(path):
                raise Refused(f"{path} is cut short: copy the shard again")
        for role in {path.parent for path in margins}:
            for index in layout.present(role):
                if parts.of(index) != folder:
                    name = role.relative_to(folder / "margins")
                    raise Refused(
                        f"{folder} holds model {index} of {name}, which belongs to {parts.of(index)}: the shards are not "
                        "disjoint"
                    )
    sets: dict[str, Path] = {}
    for path in (p for folder in parts.folders for p in folder.glob("forget_sets/*.json")):
        other = sets.setdefault(path.name, path)
        if other.read_bytes() != path.read_bytes():
            raise Refused(f"{other} and {path} differ: the shards did not forget the same points")


def _ready(parts: Parts, stages: list[Preset]) -> int:
    """Number of stages that are complete in the shards; the next one waits for its forget sets to be chosen.

    Raises Refused, naming a shard, when anything is missing for another reason.
    """
    for at, stage in enumerate(stages):
        _complete(parts, ["pretrained"], stage.models)
        if any(shards.unchosen(stage, folder) for folder in parts.folders):
            return at
        told = [f"{name}/oracle" for name in stage.forget_sets]
        told += [role for _, role, _, _ in measure.stages(_named(stage)) if role != "pretrained"]
        _complete(parts, told, stage.models)
    return len(stages)


def _named(stage: Preset) -> Context:
    """A context that only its preset is asked of."""
    return Context(stage, Path(), None, "cpu", None)


def _complete(parts: Parts, roles: list[str], models: int) -> None:
    lacking: dict[Path, list[str]] = {}
    for role in roles:
        have = {folder: layout.present(folder / "margins" / role) for folder in parts.folders}
        for index in range(models):
            if index not in have[parts.of(index)]:
                lacking.setdefault(parts.of(index), []).append(f"model {index} of {role}")
    for folder, missing in lacking.items():
        number = parts.folders.index(folder) + 1
        raise Refused(
            f"{folder} (shard {number}/{len(parts.folders)}) is not complete: {len(missing)} margins are missing, the "
            f"first is {missing[0]}; run that shard again"
        )


def _same_as(out: Path, parts: Parts) -> None:
    """Refused when `out` already holds something else under the name of a shard's file."""
    for folder in parts.folders:
        for kind in ("margins", "forget_sets"):
            for path in (p for p in (folder / kind).rglob("*") if p.is_file()):
                there = out / path.relative_to(folder)
                if there.exists() and not filecmp.cmp(path, there):
                    raise Refused(f"{there} and {path} differ: merge into a new --out folder")


# --- taking what they did --------------------------------------------------------------------------------------------


class Copies:
    """In the place of worker processes: a unit is done by taking its files from the shard that did it."""

    count = 1

    def __init__(self, parts: Parts, out: Path):
        self.parts, self.out = parts, out

    def submit(self, unit: Unit) -> Future:
        """Links or copies the unit's margins, and the weights of pretrained models."""
        start = time.perf_counter()
        shard = self.parts.of(unit.first)  # a unit lies within one stack, so within one shard
        have = layout.present(shard / "margins" / unit.role)
        wanted = {have[i] for i in range(unit.first, unit.last + 1)}
        if unit.role == "pretrained":
            names = [f"{i:04d}.pt" for i in range(unit.first, unit.last + 1)]
            wanted |= {p for p in (shard / "weights" / n for n in names) if p.exists()}
        for path in sorted(wanted):
            take(path, self.out / path.relative_to(shard))
        future: Future = Future()
        future.set_result(time.perf_counter() - start)
        return future

    def result(self, future: Future) -> float:
        return future.result()


def take(path: Path, target: Path) -> None:
    """The file at `target`, too: a second name where the file system allows it, else a whole copy. Files never change."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, target)
    except OSError:
        with path.open("rb") as source:
            files.write_whole(target, lambda file: shutil.copyfileobj(source, file))


def _take_sets(parts: Parts, out: Path) -> None:
    for folder in parts.folders:
        for path in folder.glob("forget_sets/*.json"):
            take(path, out / "forget_sets" / path.name)


def _take_methods(parts: Parts, out: Path) -> None:
    """Methods in files of the caller's own, which a run keeps in its folder."""
    for folder in parts.folders:
        for path in folder.glob("methods/*.py"):
            take(path, out / "methods" / path.name)


def _choose(context: Context, parts: Parts, pool: Copies) -> list[str]:
    """Choose a stage's forget sets from all pretrained models, for all shards; the names of those that were missing."""
    chosen = sorted(
        {n for folder in parts.folders for n in shards.unchosen(context.preset, folder)}
    )
    for unit in plan.units(context):
        if unit.role == "pretrained":
            pool.submit(unit)
    layout.settle_forget_sets(context)
    for folder in parts.folders:
        for name in chosen:
            path = context.out / "forget_sets" / f"{name}.json"
            take(path, folder / "forget_sets" / path.name)
    return chosen


# --- the command -----------------------------------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `unlearning merge`."""
    add = parser.add_argument
    add(
        "--from",
        nargs="+",
        required=True,
        type=Path,
        metavar="DIR",
        dest="folders",
        help="the --out folders of all shards",
    )
    add(
        "--out",
        required=True,
        type=Path,
        metavar="DIR",
        help="the experiment's folder; a former merge is gone on with",
    )
    add(
        "--data",
        metavar="DIR",
        help=f"folder of the data files (default: ${datasets.ROOT_VARIABLE}, else ./data)",
    )


def main(arguments: argparse.Namespace) -> int:
    """Exit status 0: merged, or forget sets chosen for the shards to go on with; refusals are raised."""
    records, chosen = merge(arguments.folders, arguments.out, arguments.data)
    if records or not chosen:
        told = f"{len(records)} records in {arguments.out / 'results.jsonl'}"
        print(told if records else runner.ALONE)
    if chosen:
        print(
            f"chosen by all pretrained models and written to every shard: {', '.join(chosen)}. Run the shards again with "
            "the same options, then merge again"
        )
    return 0
