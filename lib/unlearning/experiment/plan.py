"""What there is to do, in order, and what it costs: the experiment as a list of units of work.

A unit trains one stack of models and scores it, or takes one method's trajectory through one stack."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from unlearning import networks
from unlearning.experiment import layout, measure, shards
from unlearning.experiment.layout import Context
from unlearning.methods import METHODS, Config

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
    have = layout.present(folder)
    for start in range(0, count, stack):
        run: list[int] = []
        for i in range(start, min(start + stack, count) + 1):
            if i < min(start + stack, count) and i not in have:
                run.append(i)
            elif run:
                yield run[0], run[-1]
                run = []


def units(context: Context) -> list[Unit]:
    """Everything that is missing, in order: pretrained, all oracles, then each configuration on every forget set.

    Of a shard: what is its own.
    """
    p, found = context.preset, []
    forward = networks.forward_flops(context.build(), tuple(context.data.images.shape[1:]))
    everything = len(context.data.labels) + len(context.data.val_labels)
    fixed = OVERHEAD[context.device.split(":")[0]]

    def add(
        kind: str, name: str, config: Config | None, epochs: int, flops: float, steps: int
    ) -> None:
        one = Unit(kind, name, config, epochs, 0, 0, 0.0)
        for first, last in missing(context.folder(one.role), p.models, p.stack):
            if context.shard and shards.owner(first, p.stack, context.shard[1]) != context.shard[0]:
                continue
            found.append(
                replace(
                    one, first=first, last=last, flops=flops * (last - first + 1) + fixed * steps
                )
            )

    def add_training(kind: str, name: str, points: int, epochs: int) -> None:
        flops = 3 * forward * points * epochs + forward * everything
        add(kind, name, None, epochs, flops, epochs * -(-points // p.recipe.batch))

    add_training("train", "", len(context.data.labels), p.recipe.epochs)
    for name in p.forget_sets:
        add_training(
            "oracle",
            name,
            len(context.data.labels) - layout.size_of(name, context),
            p.recipe.epochs,
        )
    for config in p.configs:
        for name in p.forget_sets:
            size, n = layout.size_of(name, context), len(context.data.labels)
            visited, steps = _visits(config, size, n - size)
            scored = min(everything, size + (p.scored_retain or n) + (p.scored_val or everything))
            add(
                config.method,
                name,
                config,
                0,
                forward * (visited + scored * len(config.epochs)),
                steps,
            )
    for epochs in p.retrain_epochs:
        for name in p.forget_sets:
            add_training(
                f"retrain-{epochs}",
                name,
                len(context.data.labels) - layout.size_of(name, context),
                epochs,
            )
    return found


def _visits(config: Config, forget: int, retain: int) -> tuple[float, int]:
    """Forward passes' worth of arithmetic on points (backward = 2), and optimiser steps, of one whole trajectory."""
    method = METHODS[config.method]
    unknown = (
        config.epochs[-1],
        config.epochs[-1],
    )  # of a method of somebody's own: a guess for the clock only
    ascent, descent = method.passes(config, config.epochs[-1]) if method.passes else unknown
    forget_batch = config.batch if descent == 0 else config.forget_batch
    steps = ascent * -(-forget // forget_batch) + descent * -(-retain // config.batch)
    return (3 if method.backward else 1) * (ascent * forget + descent * retain), steps


# --- the command -----------------------------------------------------------------------------------------------------


def describe(context: Context, workers: int) -> str:
    """The work that is missing: one line for each kind and forget set, FLOPs, and an estimate by assumed rates."""
    todo = units(context)
    rate = ASSUMED_RATE[context.device.split(":")[0]]
    by_role: dict[str, tuple[int, float]] = {}
    for unit in todo:
        count, flops = by_role.get(unit.role, (0, 0.0))
        by_role[unit.role] = count + unit.models, flops + unit.flops
    lines = [
        f"{role:<60} {count:>5} models {flops / 1e12:>10.2f} TFLOP {flops / rate / workers / 60:>7.1f} min"
        for role, (count, flops) in by_role.items()
    ]
    total = sum(unit.flops for unit in todo)
    records = sum(
        len(config.epochs) if config else 1 for _, _, config, _ in measure.stages(context)
    )
    lines.append(
        f"{len(todo)} units missing, {total / 1e12:.2f} TFLOP, about {total / rate / workers / 60:.1f} min "
        f"with {workers} workers at an assumed {rate / 1e9:.0f} GFLOP/s each; {records} records when complete"
    )
    return "\n".join(lines)
