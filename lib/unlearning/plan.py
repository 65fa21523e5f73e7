"""The experiment as an ordered list of units of work, run by several processes. Explained in CONTRIBUTING.md.

    unlearning experiment --preset laptop --out runs/laptop --dry-run
    unlearning experiment --preset laptop --out runs/laptop --time-budget 3600

A unit trains one stack of models and scores it, or takes one method's trajectory through one stack. What a unit found
is on the disk before the next one starts there, so a killed run is simply started again. `runs` says what lies in
an output folder.
"""
import argparse
import io
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from unlearning import data as data_module
from unlearning import ensemble, methods, models, results, runs
from unlearning.data import BadInput, Data
from unlearning.methods import Config
from unlearning.presets import PRESETS, Preset, preset, staged
from unlearning.runs import Context, open_context

ASSUMED_RATE = {"cpu": 2.2e10, "cuda": 2e14}  # FLOP/s of one worker before anything was measured
OVERHEAD = {"cpu": 2e8, "cuda": 5e11}  # FLOP-equivalents of one optimiser step's fixed cost


@dataclass(frozen=True)
class Unit:
    """One piece of work: models first … last of one role."""

    kind: str  # "train", or the method's name
    forget_set: str  # "" for pretrained models
    config: Config | None  # of a method
    epochs: int  # of a training; 0 for a method
    first: int  # index of the first model
    last: int  # index of the last one
    flops: float  # floating-point operations, fixed costs included

    @property
    def role(self) -> str:
        """Name of the ensemble: its folder below margins/ and, for trained models, its seeds."""
        if self.config:
            return f"{self.forget_set}/{self.config.label()}"
        return f"{self.forget_set}/{self.kind}" if self.forget_set else "pretrained"

    @property
    def models(self) -> int:
        return self.last - self.first + 1


# --- what there is to do ---------------------------------------------------------------------------------------------


def missing(folder: Path, count: int, stack: int) -> Iterator[tuple[int, int]]:
    """(first, last) of each run of missing models that lies within one stack."""
    have = runs.present(folder)
    for start in range(0, count, stack):
        run: list[int] = []
        for i in range(start, min(start + stack, count) + 1):
            if i < min(start + stack, count) and i not in have:
                run.append(i)
            elif run:
                yield run[0], run[-1]
                run = []


def units(context: Context) -> list[Unit]:
    """Everything that is missing, in order: pretrained, all oracles, then each configuration on every forget set."""
    p, found = context.preset, []
    forward = models.forward_flops(context.build(), tuple(context.data.images.shape[1:]))
    everything = len(context.data.labels) + len(context.data.val_labels)
    fixed = OVERHEAD[context.device.split(":")[0]]

    def add(kind: str, name: str, config: Config | None, epochs: int, flops: float, steps: int) -> None:
        one = Unit(kind, name, config, epochs, 0, 0, 0.0)
        for first, last in missing(context.folder(one.role), p.models, p.stack):
            found.append(replace(one, first=first, last=last, flops=flops * (last - first + 1) + fixed * steps))

    def add_training(kind: str, name: str, points: int, epochs: int) -> None:
        flops = 3 * forward * points * epochs + forward * everything
        add(kind, name, None, epochs, flops, epochs * -(-points // p.recipe.batch))

    add_training("train", "", len(context.data.labels), p.recipe.epochs)
    for name in p.forget_sets:
        add_training("oracle", name, len(context.data.labels) - runs.size_of(name, context), p.recipe.epochs)
    for config in p.configs:
        for name in p.forget_sets:
            size, n = runs.size_of(name, context), len(context.data.labels)
            visited, steps = _visits(config, size, n - size)
            scored = min(everything, size + (p.scored_retain or n) + (p.scored_val or everything))
            add(config.method, name, config, 0, forward * (visited + scored * len(config.epochs)), steps)
    for epochs in p.retrain_epochs:
        for name in p.forget_sets:
            add_training(f"retrain-{epochs}", name, len(context.data.labels) - runs.size_of(name, context), epochs)
    return found


def _visits(config: Config, forget: int, retain: int) -> tuple[float, int]:
    """Forward passes' worth of arithmetic on points (backward = 2), and optimiser steps, of one whole trajectory."""
    last = config.epochs[-1]
    ascent = last if config.method == "ga" else min(last, config.ascent_epochs)
    descent = 0 if config.method in ("ga", "nothing") else last
    price = 1 if config.method == "scrub_published" else 3  # forward, and twice that for backward
    forget_batch = config.batch if config.method == "ga" else config.forget_batch
    steps = ascent * -(-forget // forget_batch) + descent * -(-retain // config.batch)
    return price * (ascent * forget + descent * retain), steps


# --- doing it --------------------------------------------------------------------------------------------------------


def perform(unit: Unit, context: Context) -> float:
    """Runs one unit and writes what it found; returns its wall seconds."""
    start = time.perf_counter()
    arrays = _train(unit, context) if unit.config is None else _unlearn(unit, context)
    if context.device.startswith("cuda"):
        torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    path = context.folder(unit.role) / f"{unit.first:04d}-{unit.last:04d}.npz"
    results.save(path, **arrays, wall=np.array(seconds), flops=np.array(unit.flops))
    return seconds


def _train(unit: Unit, context: Context) -> dict[str, np.ndarray]:
    """Models from scratch on D (pretrained) or R (oracles; retraining cut short); scored on all points."""
    p, data = context.preset, context.data
    points = np.arange(len(data.labels))
    if unit.forget_set:
        points = np.setdiff1d(points, context.forget(unit.forget_set))
    # a shorter training has the whole schedule in less time: cut off, it would end on its way up
    recipe = replace(p.recipe, epochs=unit.epochs, peak_epoch=p.recipe.peak_epoch * unit.epochs / p.recipe.epochs)
    seeds = [ensemble.seed_of(p.seed, unit.role, i) for i in range(unit.first, unit.last + 1)]
    now = _clock(context.device)
    start = now()
    if p.stack == 1:
        trained = ensemble.train_one(context.build, data, points, recipe, seeds[0])
        states = [trained.state_dict()]
    else:
        trained = ensemble.train_stack(context.build, data, points, recipe, seeds)
        states = models.unstack(trained, unit.models)
    seconds = now() - start
    if unit.role == "pretrained":
        for i, state in enumerate(states):
            on_cpu = {k: v.cpu().contiguous() for k, v in state.items()}
            buffer = io.BytesIO()  # a full disk is then an OSError of write, not an error inside torch
            torch.save(on_cpu, buffer)
            results.write_whole(_weights(context, unit.first + i), lambda file, b=buffer: file.write(b.getbuffer()))
    images, labels = torch.cat([data.images, data.val_images]), torch.cat([data.labels, data.val_labels])
    margins, hits = ensemble.score(trained, data, images, labels, max(1, 1024 // unit.models))
    return {"margins": margins[None], "hits": hits[None], "seconds": np.array([seconds])}


def _unlearn(unit: Unit, context: Context) -> dict[str, np.ndarray]:
    """One method's trajectory through pretrained models, scored at each of its epochs."""
    p, data = context.preset, context.data
    forget = context.forget(unit.forget_set)
    positions = torch.from_numpy(np.concatenate(list(context.scored(unit.forget_set).values()))).to(data.labels.device)
    images = torch.cat([data.images, data.val_images])[positions]
    labels = torch.cat([data.labels, data.val_labels])[positions]
    model = _pretrained(unit, context)
    clock, margins, hits, seconds, used = _clock(context.device), [], [], [], 0.0
    retain = np.setdiff1d(np.arange(len(data.labels)), forget)
    start = clock()
    for _, now in methods.run(model, _points(data, forget), _points(data, retain), unit.config):
        used += clock() - start  # scoring is no part of a method's time
        phi, right = ensemble.score(now, data, images, labels, max(1, 1024 // unit.models))
        margins.append(phi), hits.append(right), seconds.append(used)
        start = clock()
    return {"margins": np.stack(margins), "hits": np.stack(hits), "seconds": np.array(seconds),
            "method_code": np.array(results.code_hash(results.METHOD_CODE))}  # fmt: skip


def _clock(device: str) -> Callable[[], float]:
    """Seconds of this process's CPU time, which other programs hardly lengthen; on a GPU, wall seconds once it is idle.
    """
    if not device.startswith("cuda"):
        return time.process_time

    def wall() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return wall


def _weights(context: Context, index: int) -> Path:
    return context.out / "weights" / f"{index:04d}.pt"


def _pretrained(unit: Unit, context: Context) -> torch.nn.Module:
    """The pretrained models of a unit, as one module on the device."""
    loaded = []
    for i in range(unit.first, unit.last + 1):
        model, path = context.build(), _weights(context, i)
        if not path.exists():
            raise BadInput(f"{path} is missing: methods start from the pretrained models; bring weights/ back, or "
                           "choose a new --out")  # fmt: skip
        model.load_state_dict(torch.load(path, weights_only=True))
        loaded.append(model)
    model = loaded[0] if context.preset.stack == 1 else models.stack(loaded)
    return model.to(context.device, memory_format=torch.channels_last)


def _points(data: Data, indices: np.ndarray) -> methods.Points:
    chosen = torch.from_numpy(indices).to(data.labels.device)
    images = data.normalised(data.images[chosen]).contiguous(memory_format=torch.channels_last)
    return methods.Points(images, data.labels[chosen])


_CONTEXT: list[Context] = []  # of a worker process: filled once, by _start_worker


def _start_worker(arguments: tuple) -> None:
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _CONTEXT.append(open_context(*arguments))


def _end_with_parent() -> None:
    """A run that is killed takes its workers with it: they would wait for work for ever."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _perform_in_worker(unit: Unit) -> float:
    return perform(unit, _CONTEXT[0])


# --- running the plan ------------------------------------------------------------------------------------------------


def run(p: Preset, out: str | Path, *, root: str | None = None, device: str = "cpu", workers: int | None = None,
        time_budget: float | None = None, report: Callable[[str], None] | None = print,
        wait: bool = False) -> list[dict]:  # fmt: skip
    """Runs what is missing of an experiment in the folder `out`, and returns the records that now stand for it.

    workers: processes (default: CPU cores; 1 on a GPU), each with one thread; 1 works in this process. time_budget:
    seconds after which no unit is started that would not end in time. report: called with one line per unit. wait: for
    another run in this folder to end, instead of refusing.
    Raises BadInput for a request that cannot be served, ensemble.Diverged, OSError (full disk, …); what was recorded
    before stays. The numbers on a CPU do not depend on workers, interruptions or the order of units.
    """
    report = report or (lambda line: None)
    deadline = time.monotonic() + time_budget if time_budget is not None else None
    workers = default_workers(device) if workers is None else workers
    out = Path(out)
    with results.only_one(out, wait):
        context = open_context(p, out, root, device)
        stages = [replace(context, preset=part) for part in staged(p).values()]
        for stage in stages:
            _check(stage)
        runs.settle_identity(context)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with _Workers(context, workers) as pool:
                for stage in stages:
                    if not _run_all(stage, pool, deadline, report):
                        break
        finally:
            torch.set_num_threads(threads)
    return [record for stage in stages for record in runs.current(stage)]


def default_workers(device: str) -> int:
    """One process for each CPU core, or one for a GPU."""
    return 1 if device.startswith("cuda") else len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def _run_all(context: Context, pool: "_Workers", deadline: float | None, report: Callable[[str], None]) -> bool:
    """False when the time budget ends it early."""
    todo = units(context)
    clock = Clock(todo, context.device, pool.count, report)
    training = [u for u in todo if u.role == "pretrained"]
    if not _drain(training, pool, clock, deadline, lambda unit: None):
        return False
    runs.settle_forget_sets(context)
    runs.record(context)

    def done(unit: Unit) -> None:
        runs.record(context, unit.forget_set, "" if unit.kind == "oracle" else unit.role)

    return _drain([u for u in todo if u.role != "pretrained"], pool, clock, deadline, done)


def _drain(todo: list[Unit], pool: "_Workers", clock: "Clock", deadline: float | None,
           done: Callable[[Unit], None]) -> bool:  # fmt: skip
    """Runs units in order, as many at a time as there are workers; False when the time budget ends it early."""
    waiting, running = list(todo), {}
    stopped = False
    while waiting or running:
        while waiting and len(running) < pool.count and not stopped:
            expected = clock.expected(waiting[0].kind, waiting[0].flops)
            if deadline is not None and time.monotonic() + expected > deadline:
                stopped = True
                clock.report(f"time budget: {len(waiting)} units of this stage are left; the next one would take about "
                             f"{expected:.0f} s. Run the same command again to go on")
                break
            unit = waiting.pop(0)
            running[pool.submit(unit)] = unit
        if not running:
            break
        for future in wait(list(running), return_when=FIRST_COMPLETED).done:
            unit = running.pop(future)
            clock.finished(unit, pool.result(future))
            done(unit)
    return not stopped


class WorkerLost(RuntimeError):
    """A worker process ended without an answer."""


class _Workers:
    """Worker processes; one worker means this process. A thin shell so that both look alike."""

    def __init__(self, context: Context, count: int):
        if count < 1:
            raise BadInput(f"{count} workers: give at least 1")
        self.count, self.context = count, context
        self.arguments = (context.preset, context.out, context.root, context.device)
        self.pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "_Workers":
        return self

    def submit(self, unit: Unit) -> object:
        from concurrent.futures import Future

        if self.count > 1 and self.pool is None:  # started at the first unit: a finished run starts none
            spawn = multiprocessing.get_context("spawn")
            self.pool = ProcessPoolExecutor(self.count, spawn, _start_worker, (self.arguments,))
        if self.pool:
            return self.pool.submit(_perform_in_worker, unit)
        future: Future = Future()
        future.set_result(perform(unit, self.context))
        return future

    def result(self, future: object) -> float:
        try:
            return future.result()
        except BrokenProcessPool:
            raise WorkerLost("a worker process ended abruptly (out of memory?); use fewer --workers and run the same "
                             "command again") from None

    def __exit__(self, *_: object) -> None:
        if self.pool:
            self.pool.shutdown(cancel_futures=True)


class Clock:
    """Rates so far, and what they say about the time left."""

    def __init__(self, todo: list[Unit], device: str, workers: int, report: Callable[[str], None]):
        self.rates: dict[str, list[float]] = {}  # kind -> [FLOP, seconds]
        self.assumed = ASSUMED_RATE[device.split(":")[0]]
        self.left: dict[str, float] = {}  # kind -> FLOP
        for unit in todo:
            self.left[unit.kind] = self.left.get(unit.kind, 0.0) + unit.flops
        self.total, self.done, self.workers, self.report = len(todo), 0, workers, report

    def expected(self, kind: str, flops: float) -> float:
        """Seconds that work will take: by the measured rate of its kind, else of all kinds, else by assumption."""
        known = self.rates.get(kind) or [sum(x) for x in zip(*self.rates.values())] or (self.assumed, 1.0)
        return flops * known[1] / known[0]

    def finished(self, unit: Unit, seconds: float) -> None:
        """Learns from a unit and prints its line."""
        rate = self.rates.setdefault(unit.kind, [0.0, 0.0])
        rate[0], rate[1] = rate[0] + unit.flops, rate[1] + seconds
        self.left[unit.kind] -= unit.flops
        self.done += 1
        left = sum(self.expected(kind, flops) for kind, flops in self.left.items()) / self.workers
        self.report(f"[{self.done}/{self.total}] {unit.role} models {unit.first}-{unit.last}  {seconds:.1f} s  "
                    f"{seconds / unit.models:.2f} s/model  {unit.flops / seconds / 1e9:.1f} GFLOP/s  "
                    f"about {left / 60:.1f} min left")


def _check(context: Context) -> None:
    """BadInput for anything in the preset that could only fail later."""
    p, n = context.preset, len(context.data.labels)
    if p.models < 2:
        raise BadInput(f"{p.models} models: a distribution of margins needs at least 2")
    for name in p.forget_sets:
        if name.startswith("pc"):
            data_module.forget_set(name, n, np.random.default_rng(0).normal(size=(3, n)))  # its form and size
        else:
            data_module.forget_set(name, n, root=context.root)
    for config in p.configs:
        methods.checked(config)
    if context.data.images.shape[-1] < 16:  # then BatchNorm's last layer sees one pixel per image
        for name in p.forget_sets:
            size = runs.size_of(name, context)
            ascents = [c.batch if c.method == "ga" else c.forget_batch for c in p.configs if c.batchnorm == "train"]
            steps = [(size, b) for b in ascents] + [(n - size, b) for b in (64, p.recipe.batch)] + [(n, p.recipe.batch)]
            if any(ensemble.last_batch(*step) == 1 for step in steps):
                raise BadInput(f"{name}: {size} of {n} points leave a last batch of one image, which BatchNorm cannot "
                               "normalise; take one point more or less")


# --- the command -----------------------------------------------------------------------------------------------------


def describe(context: Context, workers: int) -> str:
    """The work that is missing: one line for each kind and forget set, FLOPs, and an estimate by assumed rates."""
    todo = units(context)
    rate = ASSUMED_RATE[context.device.split(":")[0]]
    by_role: dict[str, tuple[int, float]] = {}
    for unit in todo:
        count, flops = by_role.get(unit.role, (0, 0.0))
        by_role[unit.role] = count + unit.models, flops + unit.flops
    lines = [f"{role:<60} {count:>5} models {flops / 1e12:>10.2f} TFLOP {flops / rate / workers / 60:>7.1f} min"
             for role, (count, flops) in by_role.items()]  # fmt: skip
    total = sum(unit.flops for unit in todo)
    records = sum(len(config.epochs) if config else 1 for _, _, config, _ in runs.stages(context))
    lines.append(f"{len(todo)} units missing, {total / 1e12:.2f} TFLOP, about {total / rate / workers / 60:.1f} min "
                 f"with {workers} workers at an assumed {rate / 1e9:.0f} GFLOP/s each; {records} records when complete")
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `unlearning experiment`."""
    add = parser.add_argument
    add("--preset", required=True, help=f"the size: {', '.join(PRESETS)}")
    add("--stage", nargs="+", metavar="S", help="only these of the preset's stages, in the preset's order (default: all)")
    add("--forget-set", nargs="+", metavar="K", help=f"instead of the preset's: {data_module.FORGET_SETS}")
    add("--method", nargs="+", metavar="M",
        help=f"only these of the preset's configurations: {', '.join([*methods.METHODS, 'retrain'])}")
    add("--models", type=int, metavar="N", help="models in each ensemble")
    add("--time-budget", type=float, metavar="SECONDS", help="stop cleanly before so many seconds are over")
    add("--device", default="cpu", help="cpu (default), cuda, cuda:INDEX")
    add("--workers", type=int, metavar="W", help="processes of one thread each (default: CPU cores; 1 on a GPU)")
    add("--out", metavar="DIR", help="output folder (default runs/PRESET); a used one is continued")
    add("--data", metavar="DIR", help=f"folder of the data files (default: ${data_module.ROOT_VARIABLE}, else ./data)")
    add("--dry-run", action="store_true", help="print the work, its FLOPs and an estimate; do nothing")


def main(arguments: argparse.Namespace) -> int:
    """Exit status: 0 done or stopped by the time budget, 1 something failed while running, 2 refused before it ran."""
    try:
        p = chosen(arguments)
        out = Path(arguments.out or f"runs/{p.name}")
        workers = default_workers(arguments.device) if arguments.workers is None else arguments.workers
        if arguments.dry_run:
            context = open_context(p, out, arguments.data, arguments.device)
            for name, part in staged(p).items():
                stage = replace(context, preset=part)
                _check(stage)
                print(f"stage {name}\n" * bool(name) + describe(stage, workers))
            return 0
        records = run(p, out, root=arguments.data, device=arguments.device, workers=workers,
                      time_budget=arguments.time_budget, report=lambda line: print(line, flush=True))
        print(f"{len(records)} records in {out / 'results.jsonl'}")
        return 0
    except (BadInput, ensemble.Diverged, WorkerLost, OSError, torch.OutOfMemoryError) as error:
        print(f"unlearning: {' '.join(str(error).split())}", file=sys.stderr)
        return 2 if isinstance(error, BadInput) else 1
    except KeyboardInterrupt:
        print("unlearning: interrupted; run the same command again to go on", file=sys.stderr)
        return 130


def chosen(arguments: argparse.Namespace) -> Preset:
    """The preset with the command line's choices."""
    p = _with_stages(preset(arguments.preset), arguments)
    if arguments.models is not None:
        p = replace(p, models=preset(p.name, models=arguments.models).models)
    if arguments.forget_set:
        p = replace(p, forget_sets=tuple(dict.fromkeys(arguments.forget_set)))
    if arguments.method:
        allowed = [*methods.METHODS, "retrain"]
        for name in arguments.method:
            if name not in allowed:
                raise BadInput(f"unknown method {name!r}; choose from {', '.join(allowed)}")
        p = replace(p, configs=tuple(c for c in p.configs if c.method in arguments.method),
                    retrain_epochs=p.retrain_epochs if "retrain" in arguments.method else ())  # fmt: skip
    return p


def _with_stages(p: Preset, arguments: argparse.Namespace) -> Preset:
    """The preset cut to the stages asked for; any other choice makes one stage of its own, so it excludes --stage."""
    if arguments.stage is None:
        other = arguments.models is not None or arguments.forget_set or arguments.method
        return replace(p, stages=()) if other else p
    names = [s.name for s in p.stages]
    for name in arguments.stage:
        if name not in names:
            raise BadInput(f"unknown stage {name!r}: {p.name} has {', '.join(names) or 'none'}")
    if arguments.models is not None or arguments.forget_set or arguments.method:
        raise BadInput("--stage fixes models, forget sets and methods: leave out --models, --forget-set and --method")
    return replace(p, stages=tuple(s for s in p.stages if s.name in arguments.stage))
