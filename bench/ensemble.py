"""Small ensembles on a CPU: the plain loop against the form that the experiment uses. Prints one JSON line per figure.

The demo preset's nets. Both forms get the same cores and are timed in turn, best of several rounds: the loop trains
one model after the other with one thread per core; the fast form trains a stack of models in each of as many processes.
"""

import json
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import numpy as np
import torch

from unlearning import datasets, networks, training
from unlearning.experiment import presets

ROUNDS = 5
DEMO = presets.preset("demo")
ONE_EPOCH = replace(DEMO.recipe, epochs=1)
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def build() -> torch.nn.Module:
    return networks.resnet9(DEMO.width, 1)


def build_double() -> torch.nn.Module:
    return networks.resnet9(DEMO.width, 1).double()


def build_nudged() -> torch.nn.Module:
    """The same net with weights changed by one part in a million: how far rounding alone carries in one epoch."""
    model = build()
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(1 + 1e-6 * torch.randn_like(p))
    return model


def load() -> datasets.Data:
    return datasets.load(DEMO.dataset, train=DEMO.train_images, val=DEMO.val_images)


def loop(d: datasets.Data, seeds: list[int], make: object = build) -> np.ndarray:
    """Margins (models, validation points) after one epoch, one model after the other."""
    trained = [
        training.train_one(make, d, np.arange(len(d.labels)), ONE_EPOCH, seed) for seed in seeds
    ]
    return np.concatenate([training.score(m, d, d.val_images, d.val_labels)[0] for m in trained])


def stack(d: datasets.Data, seeds: list[int], make: object = build) -> np.ndarray:
    """The same, side by side."""
    trained = training.train_stack(make, d, np.arange(len(d.labels)), ONE_EPOCH, seeds)
    return training.score(trained, d, d.val_images, d.val_labels, 1024 // len(seeds))[0]


def worker_stack(seeds: list[int]) -> float:
    """One stack in a worker process with one thread."""
    torch.set_num_threads(1)
    return float(stack(load(), seeds)[0, 0])


def seconds(work: object) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(slow: object, fast: object) -> tuple[float, float]:
    """Best seconds of two forms, timed in turn so that a busy machine hurts both."""
    slow(), fast()
    times = [(seconds(slow), seconds(fast)) for _ in range(ROUNDS)]
    return min(t[0] for t in times), min(t[1] for t in times)


def show(figure: str, **values: object) -> None:
    print(json.dumps({"bench": "ensemble", "figure": figure} | values), flush=True)


def main() -> None:
    d, seeds = load(), list(range(DEMO.stack))
    torch.set_num_threads(1)
    double = replace(d, mean=d.mean.double(), std=d.std.double())
    exact = np.abs(
        loop(double, seeds[:4], build_double) - stack(double, seeds[:4], build_double)
    ).max()
    plain = loop(d, seeds[:4])
    show(
        "largest margin difference after one epoch, stack against loop",
        float64=float(exact),
        goal=1e-4,
        reached=bool(exact <= 1e-4),
        float32=float(np.abs(plain - stack(d, seeds[:4])).max()),
        float32_loop_with_weights_changed_by_1e_6=float(
            np.abs(plain - loop(d, seeds[:4], build_nudged)).max()
        ),
    )
    slow, fast = compare(lambda: loop(d, seeds), lambda: stack(d, seeds))
    n = len(seeds)
    show(
        "one epoch of one model and its scores, one thread",
        loop_s=slow / n,
        stack_s=fast / n,
        ratio=slow / fast,
    )
    if CORES == 1:
        return
    shares = [[s + n * k for s in seeds] for k in range(CORES)]
    with ProcessPoolExecutor(CORES, multiprocessing.get_context("spawn")) as pool:

        def plain() -> None:
            torch.set_num_threads(CORES)
            loop(d, sum(shares, []))

        slow, fast = compare(plain, lambda: list(pool.map(worker_stack, shares)))
    n *= CORES
    show(
        "one epoch of one model and its scores, all cores",
        cores=CORES,
        loop_s=slow / n,
        stack_s=fast / n,
        ratio=slow / fast,
        goal=2.0,
        reached=bool(slow / fast >= 2),
    )


if __name__ == "__main__":
    main()
