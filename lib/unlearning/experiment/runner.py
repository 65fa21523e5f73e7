"""Runs what is missing of an experiment, unit by unit, and records what is complete: `unlearning experiment`.

    unlearning experiment --preset laptop --out runs/laptop --dry-run
    unlearning experiment --preset laptop --out runs/laptop --time-budget 3600
    unlearning experiment --preset laptop --method nothing       the pretrained models alone
    unlearning experiment --preset laptop --shard 3/8            one of a job array's; see `experiment.shards`

What a unit found is on the disk before the next one starts there, so a killed run is simply started again."""

import argparse
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from unlearning import datasets, files, forget_sets, methods, training
from unlearning.errors import Failed, Refused, one_line
from unlearning.experiment import layout, measure, on_ray, plan, shards
from unlearning.experiment.layout import Context, open_context
from unlearning.experiment.local import Workers, default_workers
from unlearning.experiment.plan import Unit
from unlearning.experiment.presets import PRESETS, Preset, preset, staged
from unlearning.methods import Config

# --- running the plan ------------------------------------------------------------------------------------------------


# what a run says that was asked for no forget set
ALONE = "the pretrained models alone: no forget set was asked for, so no oracle and no record; --forget-set adds them"
# where units are done: a context manager with count, submit(unit) -> future, result(future) -> seconds
BACKENDS: dict[str, Callable] = {"local": Workers, "ray": on_ray.Workers}


def backend(on: str) -> Callable:
    """The backend that `on` names: a key of BACKENDS, or ray=ADDRESS. Raises Refused for others, and without Ray."""
    name = on.partition("=")[0]
    if name == "ray":
        on_ray.address_of(on)
        return partial(BACKENDS[name], on=on)
    if on not in BACKENDS:
        raise Refused(f"--on {on}: choose from {', '.join(BACKENDS)}, ray=ADDRESS")
    return BACKENDS[on]


def run(
    p: Preset,
    out: str | Path,
    *,
    root: str | None = None,
    device: str = "cpu",
    workers: int | None = None,
    time_budget: float | None = None,
    report: Callable[[str], None] | None = print,
    wait: bool = False,
    on: str = "local",
    shard: shards.Shard | None = None,
) -> list[dict]:
    """Runs what is missing of an experiment in the folder `out`, and returns the records that now stand for it.

    workers: processes (default: CPU cores; 1 on a GPU; all of a Ray cluster's), each with one thread; 1 works in this
    process. time_budget:
    seconds after which no unit is started that would not end in time. report: called with one line per unit. wait: for
    another run in this folder to end, instead of refusing. on: key of BACKENDS, or ray=ADDRESS. shard: (i, n), do only the i-th of n
    parts and make no records (`experiment.merge` makes them).
    Raises Refused for a request that cannot be served, training.Diverged, OSError (full disk, …); what was recorded
    before stays. The numbers on a CPU do not depend on workers, interruptions or the order of units.
    """
    report = report or (lambda line: None)
    deadline = time.monotonic() + time_budget if time_budget is not None else None
    workers_of = backend(on)
    out = Path(out)
    with files.only_one(out, wait):
        context = replace(open_context(p, out, root, device), shard=shard)
        stages = [replace(context, preset=part) for part in staged(p).values()]
        for stage in stages:
            _check(stage)
        shards.settle(p, out, shard)
        layout.settle_identity(context)
        layout.check_forget_sets(stages)
        for line in layout.set_aside_damaged(context):
            report(line)
        if shard:
            shards.note(p, out, shard)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with workers_of(context, workers) as pool:
                for stage in stages:
                    if not _run_all(stage, pool, deadline, report):
                        break
        finally:
            torch.set_num_threads(threads)
    return [record for stage in stages for record in measure.current(stage)]


def _run_all(
    context: Context, pool: "Workers", deadline: float | None, report: Callable[[str], None]
) -> bool:
    """False when the time budget ends it early, or a shard's forget sets are not chosen yet."""
    todo = plan.units(context)
    clock = Clock(todo, context.device, pool.count, report)
    training = [u for u in todo if u.role == "pretrained"]
    if not drain(training, pool, clock, deadline, lambda unit: None):
        return False
    if context.shard and (sets := shards.unchosen(context.preset, context.out)):
        report(
            f"this shard's pretrained models are done; {', '.join(sets)} can only be chosen by those of all shards: "
            "`unlearning merge` all shards, then run the same command again"
        )
        return False
    layout.settle_forget_sets(context)
    if not context.shard:
        measure.record(context)

    def done(unit: Unit) -> None:
        if context.shard:
            return
        measure.record(context, unit.forget_set, "" if unit.kind == "oracle" else unit.role)

    return drain([u for u in todo if u.role != "pretrained"], pool, clock, deadline, done)


def drain(
    todo: list[Unit],
    pool: "Workers",
    clock: "Clock",
    deadline: float | None,
    done: Callable[[Unit], None],
) -> bool:
    """Runs units in order, as many at a time as there are workers; False when the time budget ends it early.

    Where the backend says that only this unit failed, the others go on; then Failed lists those that did.
    """
    waiting, running, failed = list(todo), {}, []
    stopped = False
    while waiting or running:
        while waiting and len(running) < pool.count and not stopped:
            expected = clock.expected(waiting[0].kind, waiting[0].flops)
            if deadline is not None and time.monotonic() + expected > deadline:
                stopped = True
                clock.report(
                    f"time budget: {len(waiting)} units of this stage are left; the next one would take about "
                    f"{expected:.0f} s. Run the same command again to go on"
                )
                break
            unit = waiting.pop(0)
            running[pool.submit(unit)] = unit
        if not running:
            break
        for future in wait(list(running), return_when=FIRST_COMPLETED).done:
            unit = running.pop(future)
            try:
                seconds = pool.result(future)
            except on_ray.UnitFailed as error:
                failed.append(f"{unit.role} models {unit.first}-{unit.last}: {one_line(error)}")
                clock.report(f"FAILED {failed[-1]}")
                continue
            clock.finished(unit, seconds)
            done(unit)
    if failed:
        raise Failed(
            f"{len(failed)} of {len(todo)} units failed ({'; '.join(failed)}); the same command tries them again"
        )
    return not stopped


class Clock:
    """Rates so far, and what they say about the time left."""

    def __init__(self, todo: list[Unit], device: str, workers: int, report: Callable[[str], None]):
        self.rates: dict[str, list[float]] = {}  # kind -> [FLOP, seconds]
        self.assumed = plan.ASSUMED_RATE[device.split(":")[0]]
        self.left: dict[str, float] = {}  # kind -> FLOP
        for unit in todo:
            self.left[unit.kind] = self.left.get(unit.kind, 0.0) + unit.flops
        self.total, self.done, self.workers, self.report = len(todo), 0, workers, report

    def expected(self, kind: str, flops: float) -> float:
        """Seconds that work will take: by the measured rate of its kind, else of all kinds, else by assumption."""
        known = (
            self.rates.get(kind)
            or [sum(x) for x in zip(*self.rates.values(), strict=True)]
            or (self.assumed, 1.0)
        )
        return flops * known[1] / known[0]

    def finished(self, unit: Unit, seconds: float) -> None:
        """Learns from a unit and prints its line."""
        rate = self.rates.setdefault(unit.kind, [0.0, 0.0])
        rate[0], rate[1] = rate[0] + unit.flops, rate[1] + seconds
        self.left[unit.kind] -= unit.flops
        self.done += 1
        left = sum(self.expected(kind, flops) for kind, flops in self.left.items()) / self.workers
        self.report(
            f"[{self.done}/{self.total}] {unit.role} models {unit.first}-{unit.last}  {seconds:.1f} s  "
            f"{seconds / unit.models:.2f} s/model  {unit.flops / seconds / 1e9:.1f} GFLOP/s  "
            f"about {left / 60:.1f} min left"
        )


def _check(context: Context) -> None:
    """Refused for anything in the preset that could only fail later."""
    p, n = context.preset, len(context.data.labels)
    if not 2 <= p.models <= layout.MODELS:
        raise Refused(
            f"{p.models} models: a distribution of margins needs at least 2, allowed are {layout.MODELS}"
        )
    for name in p.forget_sets:
        if name.startswith("pc"):
            forget_sets.forget_set(
                name, n, np.random.default_rng(0).normal(size=(3, n))
            )  # its form and size
        else:
            forget_sets.forget_set(name, n, root=context.root)
    for config in p.configs:
        methods.checked(config)
    if context.data.images.shape[-1] < 16:  # then BatchNorm's last layer sees one pixel per image
        for name in p.forget_sets:
            size = layout.size_of(name, context)
            ascents = [
                c.batch if c.method == "ga" else c.forget_batch
                for c in p.configs
                if c.batchnorm == "train"
            ]
            steps = (
                [(size, b) for b in ascents]
                + [(n - size, b) for b in (64, p.recipe.batch)]
                + [(n, p.recipe.batch)]
            )
            if any(training.last_batch(*step) == 1 for step in steps):
                raise Refused(
                    f"{name}: {size} of {n} points leave a last batch of one image, which BatchNorm cannot "
                    "normalise; take one point more or less"
                )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `unlearning experiment`."""
    add = parser.add_argument
    add("--preset", required=True, help=f"the size: {', '.join(PRESETS)}")
    add(
        "--stage",
        nargs="+",
        metavar="S",
        help="only these of the preset's stages, in the preset's order (default: all)",
    )
    add(
        "--forget-set",
        nargs="+",
        metavar="K",
        help=f"instead of the preset's: {forget_sets.FORGET_SETS}",
    )
    add(
        "--method",
        nargs="+",
        metavar="M",
        help=f"only these of the preset's configurations: {', '.join([*methods.METHODS, 'retrain'])}; or one of your "
        "own: path/to/file.py:function. `nothing` alone trains the pretrained models and no oracle, unless "
        "--forget-set names the sets on which doing nothing is to be scored",
    )
    add(
        "--lr",
        type=float,
        nargs="+",
        metavar="R",
        help="step sizes of a method of your own (default: 0.01)",
    )
    add("--epochs", type=int, nargs="+", metavar="E", help="epochs that it hands out (default: 1)")
    add("--models", type=int, metavar="N", help="models in each ensemble")
    add(
        "--seed",
        type=int,
        metavar="S",
        help="another seed of everything (default: 0): an experiment of its own, in an --out of its own",
    )
    add(
        "--time-budget",
        type=float,
        metavar="SECONDS",
        help="stop cleanly before so many seconds are over",
    )
    add("--device", default="cpu", help="cpu (default), cuda, cuda:INDEX")
    add(
        "--workers",
        type=int,
        metavar="W",
        help="processes of one thread each (default: CPU cores; 1 on a GPU; with --on ray, all of the cluster's)",
    )
    add("--on", default="local", metavar="ray[=ADDRESS]", help=on_ray.HELP)
    add(
        "--shard",
        metavar="i/n",
        help="only the i-th of n parts, e.g. of a job array, in an --out of its own; then `unlearning merge`",
    )
    add("--out", metavar="DIR", help="output folder (default runs/PRESET); a used one is continued")
    add(
        "--data",
        metavar="DIR",
        help=f"folder of the data files (default: ${datasets.ROOT_VARIABLE}, else ./data)",
    )
    add(
        "--dry-run",
        action="store_true",
        help="print the work, its FLOPs and an estimate; do nothing",
    )


def main(arguments: argparse.Namespace) -> int:
    """Exit status 0: done, or stopped by the time budget. Refused before anything ran; Failed, OSError while it ran."""
    if arguments.time_budget is not None and not 0 <= arguments.time_budget < math.inf:
        raise Refused(f"a time budget of {arguments.time_budget} s: give a number from 0")
    p = chosen(arguments)
    alone = not any(stage.forget_sets for stage in staged(p).values())
    shard = shards.parsed(arguments.shard, p) if arguments.shard else None
    part = f"-{shard[0]}-of-{shard[1]}" if shard else ""
    seed = f"-seed{p.seed}" if p.seed else ""
    out = Path(arguments.out or f"runs/{p.name}{seed}{part}")
    backend(arguments.on)
    if arguments.dry_run:
        workers = arguments.workers or default_workers(arguments.device)
        context = replace(open_context(p, out, arguments.data, arguments.device), shard=shard)
        stages = {k: replace(context, preset=part) for k, part in staged(p).items()}
        for stage in stages.values():
            _check(stage)
        layout.check_forget_sets(list(stages.values()))
        for name, stage in stages.items():
            print(f"stage {name}\n" * bool(name) + plan.describe(stage, workers))
        print(f"{ALONE}\n" * alone, end="")
        return 0
    try:
        records = run(
            p,
            out,
            root=arguments.data,
            device=arguments.device,
            workers=arguments.workers,
            on=arguments.on,
            time_budget=arguments.time_budget,
            shard=shard,
            report=lambda line: print(line, flush=True),
        )
    except torch.OutOfMemoryError as error:
        raise Failed(one_line(error)) from None
    if shard:
        print(
            f"shard {arguments.shard} in {out}; records: unlearning merge --from ALL SHARDS --out DIR"
        )
    elif not alone:
        print(f"{len(records)} records in {out / 'results.jsonl'}")
    print(f"{ALONE}\n" * alone, end="")
    return 0


def chosen(arguments: argparse.Namespace) -> Preset:
    """The preset with the command line's choices."""
    p = _with_stages(preset(arguments.preset), arguments)
    if arguments.models is not None:
        p = replace(p, models=preset(p.name, models=arguments.models).models)
    if arguments.seed is not None:
        if not 0 <= arguments.seed < 2**31:
            raise Refused(f"seed {arguments.seed}: give a whole number from 0 to {2**31 - 1}")
        p = replace(p, seed=arguments.seed)
    if arguments.forget_set:
        p = replace(p, forget_sets=tuple(dict.fromkeys(arguments.forget_set)))
    if arguments.method:
        known = [name for name in arguments.method if ":" not in name]
        for name in known:
            if name not in (*methods.METHODS, "retrain"):
                allowed = ", ".join([*methods.METHODS, "retrain"])
                raise Refused(
                    f"unknown method {name!r}; choose from {allowed}, or give path/to/file.py:function"
                )
        p = replace(
            p,
            configs=tuple(c for c in p.configs if c.method in known) + _own_configs(p, arguments),
            retrain_epochs=p.retrain_epochs if "retrain" in known else (),
        )
        if set(arguments.method) == {"nothing"} and not arguments.forget_set:
            p = replace(p, forget_sets=())  # no score is asked for, so no oracle is needed
    elif arguments.lr or arguments.epochs:
        raise Refused(
            "--lr and --epochs are for a method of your own: give --method path/to/file.py:function"
        )
    return p


def _own_configs(p: Preset, arguments: argparse.Namespace) -> tuple[Config, ...]:
    """Trajectories of methods in files of the caller's own."""
    specs = [name for name in arguments.method if ":" in name]
    if not specs and (arguments.lr or arguments.epochs):
        raise Refused(
            "--lr and --epochs are for a method of your own: give --method path/to/file.py:function"
        )
    out = Path(arguments.out or f"runs/{p.name}")
    epochs = tuple(sorted(set(arguments.epochs or [1])))
    names = [layout.keep_method(spec, out) for spec in specs]
    return tuple(Config(name, lr, epochs) for name in names for lr in rates(arguments.lr or [0.01]))


def rates(given: Sequence[float]) -> list[float]:
    """The step sizes, each once; Refused for one that is not finite."""
    for rate in given:
        if not math.isfinite(rate):
            raise Refused(f"lr {rate}; give a finite number from 0")
    return list(dict.fromkeys(given))


def _with_stages(p: Preset, arguments: argparse.Namespace) -> Preset:
    """The preset cut to the stages asked for; any other choice makes one stage of its own, so it excludes --stage."""
    if arguments.stage is None:
        other = arguments.models is not None or arguments.forget_set or arguments.method
        return replace(p, stages=()) if other else p
    names = [s.name for s in p.stages]
    for name in arguments.stage:
        if name not in names:
            raise Refused(f"unknown stage {name!r}: {p.name} has {', '.join(names) or 'none'}")
    if arguments.models is not None or arguments.forget_set or arguments.method:
        raise Refused(
            "--stage fixes models, forget sets and methods: leave out --models, --forget-set and --method"
        )
    return replace(p, stages=tuple(s for s in p.stages if s.name in arguments.stage))
