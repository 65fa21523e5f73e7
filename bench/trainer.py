"""The trainer of `desk` on one CPU core: its rate beside what the machine's bfloat16 convolutions reach. One JSON line.

The machine's rate is that of the network's own middle convolutions (3 x 3, 64 channels on 8 x 8 pixels, forward and
backward), the part of the work that a CPU does best; the trainer also has the first and the strided layer, batch
normalisation, pooling, the optimiser and the data. Both are taken in turn, best of several rounds.
"""

import json
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from unlearning import networks, training
from unlearning.datasets import Data
from unlearning.experiment.presets import DESK

ROUNDS, STEPS = 5, 20
SIDE = 32 // DESK.pool


def best(work: Callable[[], object], flops: float) -> float:
    """GFLOP/s of the fastest of ROUNDS runs."""
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return flops / min(seconds) / 1e9


def convolution() -> tuple[Callable[[], object], float]:
    """A training step's work on one middle layer, repeated; and its operations."""
    channels, side, batch = 4 * DESK.width, SIDE // 2, DESK.recipe.batch
    layer = torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    layer = layer.to(torch.bfloat16, memory_format=torch.channels_last)
    x = torch.randn(batch, channels, side, side).to(
        torch.bfloat16, memory_format=torch.channels_last
    )
    x.requires_grad_(True)
    up = torch.randn_like(x)

    def work() -> None:
        for _ in range(STEPS):
            layer(x).backward(up)

    return work, 3 * 2.0 * 9 * channels**2 * side**2 * batch * STEPS


def trainer() -> tuple[Callable[[], object], float]:
    """Whole training steps of the preset on made-up images; and their operations."""
    points = STEPS * DESK.recipe.batch
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (points, 3, SIDE, SIDE), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 10, (points,), generator=generator)
    mean = std = torch.full((3,), 128.0)
    data = Data("made up", images, labels, images[:10], labels[:10], mean, std, 10)
    recipe = replace(DESK.recipe, epochs=1)
    forward = networks.forward_flops(networks.resnet9(DESK.width), (3, SIDE, SIDE))

    def work() -> None:
        training.train_one(lambda: networks.resnet9(DESK.width), data, np.arange(points), recipe, 0)

    return work, 3.0 * forward * points


def main() -> None:
    torch.set_num_threads(1)
    (conv, conv_flops), (train, train_flops) = convolution(), trainer()
    conv(), train()  # warm
    machine, own = best(conv, conv_flops), best(train, train_flops)
    print(json.dumps({
        "figure": "trainer of desk, bfloat16, one core", "convolution_gflops": round(machine),
        "trainer_gflops": round(own), "share": round(own / machine, 2),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
