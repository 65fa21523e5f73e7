"""A method tried on the models that come with the repository: minutes instead of a training.

    unlearning try my_method.py:my_function --forget-set published-5
    unlearning try ga --lr 1e-2 --epochs 1 3 5 --forget-set published-1

The preset `desk` (all of CIFAR-10 at 16x16) is there in two parts: its first pretrained models in results/models, and the
oracles' margins on the scored points in results/margins. A trial unlearns these models and scores them on these points, as
the preset's own records are made, and says where the method stands among them. Its start is the shipped models, whose
weights are rounded to float16: their own scores are computed with the method's.
"""

import argparse
import hashlib
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from unlearning import datasets, files, methods
from unlearning.errors import Refused
from unlearning.experiment import (
    estimates,
    layout,
    measure,
    packing,
    plan,
    provenance,
    results,
    runner,
    starts,
)
from unlearning.experiment.layout import Context
from unlearning.experiment.local import default_workers
from unlearning.experiment.packing import Pack
from unlearning.experiment.presets import DESK, Preset
from unlearning.files import ROOT
from unlearning.methods import METHODS, Config
from unlearning.page import criteria, evidence
from unlearning.page.wording import short

SUFFIX = (
    "-try"  # of the preset's name in a trial's folder and records: never taken for the preset's own
)
COMMUNITY = ROOT / "results" / "community"  # where `--submit` puts records that others may see


def starts_of(preset: str) -> Path:
    """The file of a preset's pretrained models."""
    return ROOT / "results" / "models" / f"{preset}.npz"


def prepare(base: Preset, pack: Pack, models: int, configs: tuple[Config, ...], out: Path, root: str | None,
            start: Path) -> Context:  # fmt: skip
    """A folder in which the methods can run: the first `models` pretrained models of `start` and the pack's points.

    Refused where there are fewer models, where the data here give other points than the pack's, and where the folder
    holds other models.
    """
    _, states = starts.read(start)
    most = min(len(states), len(pack.oracle))
    if not 4 <= models <= most:
        raise Refused(f"{models} models: give 4 to {most}, the models in {start.name} and the pack")
    name = pack.meta["forget_set"]
    p = replace(base, name=base.name + SUFFIX, models=models, forget_sets=(name,), configs=configs,
                retrain_epochs=(), stages=(), estimates=True)  # fmt: skip
    context = layout.open_context(p, out, root, "cpu")
    layout.settle_identity(context)
    groups = {g: pack.points[columns].tolist() for g, columns in pack.groups().items()}
    told = {"indices": groups["forget"], "models": len(pack.pretrained)}
    layout.keep_set(name, told | {"near": groups.get("near", [])}, context)
    if not np.array_equal(np.concatenate(list(context.scored(name).values())), pack.points):
        raise Refused(
            f"{pack.name}: its points are not those of this data set; is the data whole? unlearning doctor"
        )
    for i, state in enumerate(states[:models]):
        if not (out / "weights" / f"{i:04d}.pt").exists():
            layout.save_weights(context, i, state)
        held = layout.load_weights(context, i, context.build()).state_dict()
        if any(not torch.equal(value, state[key]) for key, value in held.items()):
            raise Refused(f"{out}: its model {i} is not that of {start}; choose a new --out folder")
    return context


def work(context: Context, workers: int, report: Callable[[str], None]) -> None:
    """Runs the methods that are missing in the folder, as the experiment does."""
    todo = [unit for unit in plan.units(context) if unit.config]
    clock = runner.Clock(todo, context.device, workers, report)
    with runner.BACKENDS["local"](context, workers) as pool:
        runner.drain(todo, pool, clock, None, lambda unit: None)


def records(context: Context, pack: Pack, start: Path, seconds_retrain: float) -> Iterator[dict]:
    """One record for each configuration and epoch, in the form of the preset's own.

    seconds_retrain: of one oracle's training, from the preset's records.
    """
    p, n = context.preset, len(context.data.labels)
    columns = pack.groups()
    size, val = columns["forget"].stop, len(context.data.val_labels)
    used = sources(start, pack, p.models)
    for config in p.configs:
        found = layout.load(f"{p.forget_sets[0]}/{config.label()}", context)
        told = config.parameters()
        for k, epoch in enumerate(config.epochs):
            phi, hits = found["margins"][k], found["hits"][k]
            own = METHODS[config.method].passes is None
            yield {
                "dataset": p.dataset,
                "preset": p.name,
                "forget_set": p.forget_sets[0],
                "method": told["method"],
                "configuration": {key: v for key, v in told.items() if key != "method"},
                "epoch": epoch,
                "models": p.models,
                "seed": p.seed,
                "groups": {
                    g: measure.group_scores(phi[:, part], pack.oracle[: p.models, part], context)
                    | estimates.accuracy(hits[:, part], pack.oracle_hits[: p.models, part])
                    for g, part in columns.items()
                },
                "cost": methods.cost(config, epoch, size, n - size, val, p.recipe.epochs,
                                     int(found["visited"][k]) if own else None),
                "seconds": float(found["seconds"][k]) / p.models,
                "seconds_retrain": seconds_retrain,
                "forget_size": size,
                "sources": used,
                "provenance": provenance.provenance(context.device)
                | {"recorded": provenance.now(), "method_code": " and ".join(found["method_code"])},
            }  # fmt: skip


def sources(start: Path, pack: Pack, models: int) -> dict[str, str]:
    """SHA-256 of the models that a trial starts from, and of the oracles' packed margins that it is compared with."""
    oracle = np.ascontiguousarray(pack.oracle[:models], np.float32)
    return {
        "models": hashlib.sha256(files.content(start)).hexdigest(),
        "oracles": hashlib.sha256(oracle.tobytes()).hexdigest(),
    }


def told(found: pd.DataFrame, recorded: pd.DataFrame) -> list[str]:
    """The trial in words: one line for each stopping time, and its place among the recorded methods.

    found: the judged rows of the trial; recorded: `evidence.load` on the same set.
    """
    lines = []
    for _, r in found[found.method != "nothing"].iterrows():
        lost = {g: 100 * (r[f"{g}_oracle_accuracy"] - r[f"{g}_accuracy"]) for g in criteria.DAMAGE}
        lines.append(
            f"{short(r)}: {r.outcome.upper()}. {left(r)}; damage on retain "
            f"{r.retain:.2f}, validation {r.val:.2f} (1 is the limit), {lost['retain']:+.1f} and {lost['val']:+.1f} points of "
            f"accuracy lost; right on F {r.forget_accuracy:.0%} (oracles {r.forget_oracle_accuracy:.0%}); KLoM P95 "
            f"{r.forget_klom:.1f}, {r.retain_klom:.1f}, {r.val_klom:.1f} (floor {r.val_klom_floor:.1f}); cost {r.cost_true:.2%} of a "
            f"retraining's points, {r.seconds:.1f} s a model"
        )
    lines.append(
        "Among the recorded methods (of each its unbroken run that gets furthest, then the broken ones):"
    )
    every = pd.concat(
        [
            place(found[found.method != "nothing"]).assign(own=True),
            place(recorded).assign(own=False),
        ]
    )
    for _, r in every.sort_values(["broken", "q"]).iterrows():
        lines.append(f"  {left(r):<42} {r.outcome:<8} {short(r)}{'   <- yours' * r.own}")
    return lines


def left(row: pd.Series) -> str:
    """Share of the gap that is left on F, with its interval."""
    if math.isnan(row.q):
        return "no gap: doing nothing is at the floor"
    return f"{row.q:.0%} of the gap left [{row.q_low:.0%}, {row.q_high:.0%}]"


def place(frame: pd.DataFrame) -> pd.DataFrame:
    """Of each method the row that gets furthest without breaking the model; where all break it, the one of lowest q."""
    rows = frame.assign(broken=frame.intact.eq(False).fillna(False))
    return rows.sort_values(["broken", "q"]).groupby("method", sort=False).head(1)


def checked(record: dict) -> dict:
    """A record that others may see; Refused unless it is a trial on the models and oracles that come with the repository."""
    base = record["preset"].removesuffix(SUFFIX)
    pack = packing.read(f"{base}/{record['forget_set']}")
    wanted = sources(starts_of(base), pack, record["models"])
    if not record["preset"].endswith(SUFFIX) or record.get("sources") != wanted:
        raise Refused(
            f"a record of {record['method']} from other models or oracles than those in results/: try it again"
        )
    criteria.judged(
        evidence.quintiles([record, record | {"method": "nothing", "epoch": 0}])
    )  # every field is there
    return record


def submitted(path: Path) -> set[str]:
    """Identities of the records in a file of submitted trials; Refused for a file that holds anything else."""
    records = results.read(path)
    if other := sorted(
        {str(r["preset"]) for r in records if not str(r["preset"]).endswith(SUFFIX)}
    ):
        raise Refused(
            f"--submit {path}: holds records of {', '.join(other)}; give a file of trials, or a new one"
        )
    return {results.identity(r) for r in records}


def submit(found: list[dict], path: Path) -> int:
    """Adds the records that are not in the file yet and returns how many; none is added if one of them cannot be."""
    there = submitted(path)
    new = [checked(record) for record in found if results.identity(record) not in there]
    try:
        json.dumps(new, allow_nan=False)
    except ValueError:
        raise Refused(
            f"a record of {new[-1]['method']} has numbers that are not finite: nothing to compare"
        ) from None
    for record in new:
        results.append(path, record)
    return len(new)


# --- the command -----------------------------------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `unlearning try`."""
    add = parser.add_argument
    add(
        "method",
        help=f"path/to/file.py:function, or one of {', '.join(m for m in METHODS if m != 'nothing')}",
    )
    add(
        "--forget-set",
        default="published-5",
        metavar="SET",
        help="published-K with a pack (default published-5)",
    )
    add(
        "--lr", type=float, nargs="+", default=[0.01], metavar="R", help="step sizes (default 0.01)"
    )
    add(
        "--epochs",
        type=int,
        nargs="+",
        default=[1, 3, 5],
        metavar="E",
        help="epochs that it hands out (default 1 3 5)",
    )
    add(
        "--ascent-epochs",
        type=int,
        default=0,
        metavar="A",
        help="epochs of ascent, of gda and scrub",
    )
    add("--models", type=int, default=20, metavar="N", help="models to unlearn (default 20)")
    add(
        "--workers", type=int, metavar="W", help="processes of one thread each (default: CPU cores)"
    )
    add(
        "--out",
        metavar="DIR",
        help="folder of the trial (default runs/try-SET); a used one is continued",
    )
    add(
        "--submit",
        type=Path,
        metavar="FILE",
        help="add the records to results/community/NAME.jsonl, for a pull request",
    )
    add(
        "--data",
        metavar="DIR",
        help=f"folder of the data files (default: ${datasets.ROOT_VARIABLE}, else ./data)",
    )


def main(arguments: argparse.Namespace) -> int:
    """Exit status 0; refusals are raised before anything runs."""
    if arguments.submit and arguments.submit.suffix != ".jsonl":
        raise Refused(f"--submit {arguments.submit}: give a file named NAME.jsonl")
    if arguments.submit:
        submitted(arguments.submit)
    found = trial(
        DESK,
        arguments.method,
        arguments.forget_set,
        Path(arguments.out or f"runs/try-{arguments.forget_set}"),
        lr=tuple(arguments.lr),
        epochs=tuple(arguments.epochs),
        ascent_epochs=arguments.ascent_epochs,
        models=arguments.models,
        workers=default_workers("cpu") if arguments.workers is None else arguments.workers,
        root=arguments.data,
        report=lambda line: print(line, flush=True),
    )
    frame = criteria.judged(evidence.quintiles(found))
    recorded = evidence.load(DESK.name)
    print("\n".join(told(frame, recorded[recorded.forget_set == arguments.forget_set])))
    if arguments.submit:
        new = submit(found, arguments.submit)
        print(f"{new} records added to {arguments.submit}, {len(found) - new} were there already")
    return 0


def trial(
    base: Preset,
    method: str,
    forget_set: str,
    out: Path,
    *,
    lr: tuple[float, ...] = (0.01,),
    epochs: tuple[int, ...] = (1, 3, 5),
    ascent_epochs: int = 0,
    models: int = 20,
    workers: int = 1,
    root: str | None = None,
    report: Callable[[str], None] = print,
    start: Path | None = None,
    pack: str | None = None,
) -> list[dict]:
    """The records of a trial, doing nothing first. method: a key of METHODS or path/to/file.py:function.

    start, pack: other files than those that come with the repository (for tests). Raises Refused as the command does.
    """
    known = [name for name in METHODS if name != "nothing"]  # doing nothing is scored with each
    if ":" not in method and method not in known:
        raise Refused(
            f"unknown method {method!r}; choose from {', '.join(known)}, or give path/to/file.py:function"
        )
    packed, start = packing.read(pack or f"{base.name}/{forget_set}"), start or starts_of(base.name)
    if packed.oracle_hits is None:
        raise Refused(
            f"{packed.name}: an older pack, without the oracles' predictions; pack the run again"
        )
    reference = evidence.recorded(preset=base.name, forget_set=forget_set, method="nothing")
    if not reference and pack is None:
        raise Refused(
            f"{forget_set}: no record of preset {base.name}, nothing to compare with; choose a set that has one"
        )
    name = layout.keep_method(method, out) if ":" in method else method
    kept = tuple(sorted(set(epochs)))
    own = tuple(Config(name, rate, kept, ascent_epochs=ascent_epochs) for rate in runner.rates(lr))
    configs = (Config("nothing"), *map(methods.checked, own))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with files.only_one(out):
            context = prepare(base, packed, models, configs, out, root, start)
            for line in layout.set_aside_damaged(context):
                report(line)
            work(context, workers, report)
    finally:
        torch.set_num_threads(threads)
    retrain = reference[-1]["seconds_retrain"] if reference else math.inf
    return list(records(context, packed, start, retrain))
