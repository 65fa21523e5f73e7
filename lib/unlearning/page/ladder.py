"""What a preset asks for, counted without its data: arithmetic of one model, of the ensembles, of everything."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from unlearning import networks
from unlearning.datasets import Data
from unlearning.experiment import layout, plan
from unlearning.experiment.layout import Context
from unlearning.experiment.presets import Preset
from unlearning.page.evidence import PUBLISHED_SETS

# data set -> training images, validation images, channels, side
FULL = {
    "digits": (1280, 517, 1, 12),
    "cifar10": (50_000, 10_000, 3, 32),
    "mnist": (60_000, 10_000, 1, 28),
    "fashionmnist": (60_000, 10_000, 1, 28),
}
_SIZES = {number: size for sets in PUBLISHED_SETS.values() for number, size in sets.items()}


@dataclass(frozen=True)
class Cost:
    """What one preset asks for; FLOP, a multiplication and an addition counting as two."""

    images: int  # training points |D|
    side: int  # pixels in a row
    one: float  # FLOP of one training: 3 forward passes for each point and epoch
    ensembles: float  # FLOP of all pretrained models and all oracles
    whole: float  # FLOP of the whole plan, the fixed costs of steps included
    trained: int  # models trained from scratch
    trajectories: int  # methods' runs, one for each model, configuration and forget set


def blank(p: Preset, device: str = "cpu") -> Context:
    """A context with the preset's shapes, without images and without a folder: for counting only.

    A published set is replaced by a random one of its size: for the cost only the size counts.
    """
    n, v, channels, side = FULL[p.dataset]
    n, v, side = p.train_images or n, p.val_images or v, side // p.pool
    pixel = torch.zeros(1, dtype=torch.uint8)
    images, val_images = (pixel.expand(count, channels, side, side) for count in (n, v))
    labels, val_labels = (torch.zeros(count, dtype=torch.int64) for count in (n, v))
    scale = torch.zeros(channels), torch.ones(channels)
    data = Data(p.dataset, images, labels, val_images, val_labels, *scale, classes=10)
    names = tuple(
        f"random-{_SIZES[int(s.rpartition('-')[2])]}" if s.startswith("published") else s
        for s in p.forget_sets
    )
    nowhere = Path("there is no such folder")
    return Context(replace(p, forget_sets=names), nowhere, data, device, None)


def cost(p: Preset, device: str = "cpu") -> Cost:
    """The cost of a preset's work as its fields models, forget_sets and configs state it (of a stage: `staged`)."""
    context = blank(p, device)
    n, side = len(context.data.labels), context.data.images.shape[-1]
    one = 3 * networks.forward_flops(context.build(), tuple(context.data.images.shape[1:]))
    one *= n * p.recipe.epochs
    kept = [n, *(n - layout.size_of(s, context) for s in context.preset.forget_sets)]
    units = plan.units(context)
    trained = sum(u.models for u in units if u.config is None)
    trajectories = sum(u.models for u in units if u.config is not None)
    ensembles = p.models * one * sum(kept) / n
    return Cost(n, side, one, ensembles, sum(u.flops for u in units), trained, trajectories)
