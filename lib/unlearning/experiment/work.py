"""One unit of work done: models trained or unlearned, scored, and their margins written."""

import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from unlearning import files, methods, stack, training
from unlearning.datasets import Data
from unlearning.errors import Failed, Refused, one_line, short
from unlearning.experiment import layout, provenance
from unlearning.experiment.layout import Context
from unlearning.experiment.plan import Unit

# --- doing it --------------------------------------------------------------------------------------------------------


def perform(unit: Unit, context: Context) -> float:
    """Runs one unit and writes what it found; returns its wall seconds."""
    start = time.perf_counter()
    arrays = _train(unit, context) if unit.config is None else _unlearn(unit, context)
    if context.device.startswith("cuda"):
        torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    path = context.folder(unit.role) / f"{unit.first:04d}-{unit.last:04d}.npz"
    files.save(
        path,
        **arrays,
        role=np.array(unit.role),
        wall=np.array(seconds),
        flops=np.array(unit.flops),
    )
    return seconds


def _train(unit: Unit, context: Context) -> dict[str, np.ndarray]:
    """Models from scratch on D (pretrained) or R (oracles; retraining cut short); scored on all points."""
    p, data = context.preset, context.data
    points = np.arange(len(data.labels))
    if unit.forget_set:
        points = np.setdiff1d(points, context.forget(unit.forget_set))
    # a shorter training has the whole schedule in less time: cut off, it would end on its way up
    recipe = replace(
        p.recipe, epochs=unit.epochs, peak_epoch=p.recipe.peak_epoch * unit.epochs / p.recipe.epochs
    )
    seeds = [training.seed_of(p.seed, unit.role, i) for i in range(unit.first, unit.last + 1)]
    now = _clock(context.device)
    start = now()
    if p.stack == 1:
        trained = training.train_one(context.build, data, points, recipe, seeds[0])
        states = [trained.state_dict()]
    else:
        trained = training.train_stack(context.build, data, points, recipe, seeds)
        states = stack.unstack(trained, unit.models)
    seconds = now() - start
    noted = {}
    if unit.role == "pretrained":
        sums = [
            layout.save_weights(context, unit.first + i, state) for i, state in enumerate(states)
        ]
        noted = {"weights": np.array(sums)}
    images, labels = (
        torch.cat([data.images, data.val_images]),
        torch.cat([data.labels, data.val_labels]),
    )
    margins, hits = training.score(trained, data, images, labels, max(1, 1024 // unit.models))
    return {"margins": margins[None], "hits": hits[None], "seconds": np.array([seconds])} | noted


def _unlearn(unit: Unit, context: Context) -> dict[str, np.ndarray]:
    """One method's trajectory through pretrained models, scored at each of its epochs."""
    data = context.data
    forget = context.forget(unit.forget_set)
    positions = torch.from_numpy(np.concatenate(list(context.scored(unit.forget_set).values()))).to(
        data.labels.device
    )
    images = torch.cat([data.images, data.val_images])[positions]
    labels = torch.cat([data.labels, data.val_labels])[positions]
    model = _pretrained(unit, context)
    visits, visited = methods.Visits(model), []
    clock, margins, hits, seconds, used = _clock(context.device), [], [], [], 0.0
    retain = np.setdiff1d(np.arange(len(data.labels)), forget)
    start = clock()
    for now in _steps(model, points_of(data, forget), points_of(data, retain), unit.config):
        used += clock() - start  # scoring is no part of a method's time
        phi, right = training.score(now, data, images, labels, max(1, 1024 // unit.models))
        margins.append(phi), hits.append(right), seconds.append(used), visited.append(visits.points)
        start = clock()
    return {
        "margins": np.stack(margins),
        "hits": np.stack(hits),
        "seconds": np.array(seconds),
        "visited": np.array(visited),  # points in forward passes with gradients, of each model
        "epochs": np.array(unit.config.epochs),
        "method_code": np.array(_method_code(unit.config.method)),
    }


def _steps(
    model: torch.nn.Module, forget: methods.Points, retain: methods.Points, config: methods.Config
) -> Iterator[torch.nn.Module]:
    """A method's model after each epoch that is asked for. Raises Failed when one of somebody's own does anything else.

    What its code raises is told on one line, with the line of its file.
    """
    own = methods.METHODS[config.method].passes is None
    name, steps = config.method.partition("@")[0], iter(())
    for epoch in (*config.epochs, None):
        try:
            if epoch == config.epochs[0]:
                steps = iter(methods.run(model, forget, retain, config))
            told = next(steps, None)
            at, now = (None, None) if told is None else told
        except (Exception, SystemExit) as error:
            if not own or isinstance(error, (Refused, Failed, MemoryError, torch.OutOfMemoryError)):
                raise
            frames = traceback.extract_tb(error.__traceback__)
            lines = [f.lineno for f in frames if Path(f.filename).stem == config.method]
            where = f", line {lines[-1]}" if lines else ""
            raise Failed(
                f"method {name}{where}: {type(error).__name__}: {one_line(error)}"
            ) from None
        if at != epoch or not (epoch is None or isinstance(now, torch.nn.Module)):
            raise Failed(
                f"method {name}: hands out {short((at, type(now).__name__), 100) if told else 'nothing more'} where "
                f"{'nothing more' if epoch is None else f'({epoch}, the model)'} is due: yield (epoch, model) after epochs "
                f"{', '.join(map(str, config.epochs))}"
            )
        if epoch is not None:
            yield now


def _method_code(name: str) -> str:
    """Hash of the method's code: the library's, or that of a file of somebody's own, which its name carries."""
    return name.partition("@")[2] or provenance.code_hash(provenance.METHOD_CODE)


def _clock(device: str) -> Callable[[], float]:
    """Seconds of this process's CPU time, which other programs hardly lengthen; on a GPU, wall seconds once it is idle."""
    if not device.startswith("cuda"):
        return time.process_time

    def wall() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return wall


def _pretrained(unit: Unit, context: Context) -> torch.nn.Module:
    """The pretrained models of a unit, as one module on the device."""
    loaded = [
        layout.load_weights(context, i, context.build()) for i in range(unit.first, unit.last + 1)
    ]
    model = loaded[0] if context.preset.stack == 1 else stack.stack(loaded)
    return model.to(context.device, memory_format=torch.channels_last)


def points_of(data: Data, indices: np.ndarray) -> methods.Points:
    """The training points with these indices (n,), as methods take them: normalised images and labels."""
    chosen = torch.from_numpy(indices).to(data.labels.device)
    images = data.normalised(data.images[chosen]).contiguous(memory_format=torch.channels_last)
    return methods.Points(images, data.labels[chosen])
