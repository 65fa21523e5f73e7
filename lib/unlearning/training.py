"""Trains many models of one recipe and scores them.

Two forms of one computation: `train_one` is the plain loop, the reference and the GPU's form; `train_stack` trains
several small models side by side on a CPU. Model i of a role has its own seed, so it is the same model whatever else
is trained beside it, before it or after a restart.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from unlearning import stack
from unlearning.datasets import Data
from unlearning.errors import Failed
from unlearning.klom import margins


@dataclass(frozen=True)
class Recipe:
    """How one model is trained (reference: Section 3 and Appendix K)."""

    epochs: int  # passes over the training points (paper: 24)
    batch: int  # points per step (paper: 512; public code: 256); the last, smaller batch is kept
    peak_lr: float = 0.4  # SGD step size at the peak of the triangle
    peak_epoch: float = 5.0  # epoch of the peak
    momentum: float = 0.9  # not Nesterov
    weight_decay: float = 5e-4  # on all parameters, BatchNorm's included
    precision: str = "float32"  # of the arithmetic: float32 or bfloat16 (paper: half precision); weights are float32

    def __post_init__(self) -> None:
        if self.precision not in ("float32", "bfloat16"):
            raise ValueError(f"precision {self.precision!r}: choose float32 or bfloat16")


class Diverged(Failed):
    """A model of an ensemble whose training loss is not finite."""


def seed_of(base: int, role: str, index: int) -> int:
    """A 64-bit seed for model `index` of `role` ("pretrained", "random-10/oracle"): a function of these three only."""
    words = np.frombuffer(hashlib.sha256(role.encode()).digest()[:16], "<u4")
    return int(
        np.random.SeedSequence([base, *words.tolist(), index]).generate_state(1, np.uint64)[0] >> 1
    )


def fresh(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """A model with PyTorch's default initialisation, drawn from `seed`; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def learning_rate(step: int, steps_per_epoch: int, recipe: Recipe) -> float:
    """peak_lr · interp(step, [0, peak_epoch I, epochs I], [0, 1, 0]) with I steps per epoch: the first step has rate 0.

    A recipe with fewer epochs than its peak's only climbs.
    """
    peak, end = (
        recipe.peak_epoch * steps_per_epoch,
        max(recipe.epochs, recipe.peak_epoch) * steps_per_epoch,
    )
    return recipe.peak_lr * (step / peak if step < peak else (end - step) / max(end - peak, 1e-12))


def batches(points: int, recipe: Recipe, seed: int) -> Iterator[tuple[float, torch.Tensor]]:
    """(learning rate, positions (batch,)) of every step: a new shuffle for each epoch, drawn on the CPU from `seed`."""
    generator = torch.Generator().manual_seed(seed)
    steps = -(-points // recipe.batch)
    for epoch in range(recipe.epochs):
        order = torch.randperm(points, generator=generator)
        for k, positions in enumerate(order.split(recipe.batch)):
            yield learning_rate(epoch * steps + k, steps, recipe), positions


def last_batch(points: int, batch: int) -> int:
    """Points in an epoch's last batch. A tiny one raises KLoM (D11; the chapter `klom` measures which part of it)."""
    return points % batch or min(points, batch)


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy over points, summed over models: logits (…, n, classes), labels (…, n) or (n,) -> scalar.

    The sum gives each model of a stack the gradient that it would have alone.
    """
    stacked = logits[..., 0].numel() // logits.shape[-2]
    labels = labels.expand(logits.shape[:-1])
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1)) * stacked


def _sgd(model: nn.Module, recipe: Recipe, **form: bool) -> torch.optim.SGD:
    return torch.optim.SGD(
        model.parameters(),
        lr=0.0,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        **form,
    )


def train_one(
    build: Callable[[], nn.Module], data: Data, points: np.ndarray, recipe: Recipe, seed: int
) -> nn.Module:
    """One model trained from scratch on the training points with indices `points` (n,), on the data's device.

    With recipe.precision "bfloat16" convolutions and products are computed in bfloat16 (`torch.autocast`) with the
    channels last in memory, on a CPU as on a GPU; the weights, the optimiser and the loss stay in float32. Raises
    Diverged for a loss that is not finite.
    """
    device, half = data.images.device, recipe.precision == "bfloat16"
    layout = torch.channels_last if half else torch.contiguous_format
    model = fresh(build, seed).to(device, memory_format=layout).train()
    optimiser = _sgd(model, recipe, fused=half)
    chosen = torch.from_numpy(points).to(device)
    total = torch.zeros((), device=device)
    for rate, positions in batches(len(points), recipe, seed):
        now = chosen[positions.to(device, non_blocking=True)]
        x, y = data.normalised(data.images[now]).contiguous(memory_format=layout), data.labels[now]
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            loss = cross_entropy(model(x), y)
        loss.backward()
        optimiser.step()
        total += loss.detach()
    return _finite(model, total)


def train_stack(
    build: Callable[[], nn.Module], data: Data, points: np.ndarray, recipe: Recipe, seeds: list[int]
) -> nn.Module:
    """`stack.stack` of len(seeds) models trained side by side; each is train_one's model up to rounding.

    Each model has its own initialisation and shuffles.
    """
    device = data.images.device
    stacked = stack.stack([fresh(build, seed) for seed in seeds])
    stacked = stacked.to(device, memory_format=torch.channels_last).train()
    optimiser = _sgd(stacked, recipe, fused=True)
    chosen = torch.from_numpy(points).to(device)
    x_all = data.normalised(data.images[chosen]).permute(0, 2, 3, 1).contiguous()  # (n, h, w, c)
    y_all = data.labels[chosen]
    total = torch.zeros((), device=device)
    for steps in zip(*(batches(len(points), recipe, seed) for seed in seeds), strict=True):
        positions = torch.stack([p for _, p in steps]).to(device)  # (models, batch)
        x = (
            x_all[positions.T].permute(0, 2, 3, 1, 4).flatten(3).permute(0, 3, 1, 2)
        )  # (batch, models * c, h, w)
        for group in optimiser.param_groups:
            group["lr"] = steps[0][0]
        optimiser.zero_grad()
        loss = cross_entropy(stacked(x), y_all[positions])
        loss.backward()
        optimiser.step()
        total += loss.detach()
    return _finite(stacked, total)


def _finite(model: nn.Module, total_loss: torch.Tensor) -> nn.Module:
    if not torch.isfinite(total_loss):
        raise Diverged(
            "the training loss is not finite; lower the recipe's peak_lr or train longer before the peak"
        )
    return model


@torch.no_grad()
def score(
    model: nn.Module, data: Data, images: torch.Tensor, labels: torch.Tensor, batch: int = 1024
) -> tuple[np.ndarray, np.ndarray]:
    """Margins (float32) and whether the prediction is right (bool), both (models, points); (1, points) for one model.

    Evaluation mode, float32, no augmentation. images (points, c, h, w) uint8 on the model's device; batch: images in
    one forward pass, shared by the models of a stack.
    """
    was_training = model.training
    model.eval()
    found = []
    for x, y in zip(images.split(batch), labels.split(batch), strict=True):
        with torch.backends.cudnn.flags(
            enabled=True, allow_tf32=False
        ):  # true float32 on a GPU too
            logits = model(data.normalised(x).contiguous(memory_format=torch.channels_last))
        logits = logits.reshape(-1, len(y), logits.shape[-1])  # (models, batch, classes)
        found.append((margins(logits, y.expand(logits.shape[:-1])), logits.argmax(-1) == y))
    model.train(was_training)
    phi, right = (torch.cat(parts, 1).cpu().numpy() for parts in zip(*found, strict=True))
    return phi, right
