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
    training: float  # FLOP of all units that train from scratch, scoring and the fixed costs of steps included
    methods: float  # the same of the methods' trajectories
    trained: int  # models trained from scratch
    trajectories: int  # methods' runs, one for each model, configuration and forget set

    @property
    def whole(self) -> float:
        """FLOP of the whole plan."""
        return self.training + self.methods

    def only(self, part: str, without: int = 0) -> tuple[int, float]:
        """(models or trajectories, FLOP) of "training" or "methods" alone, less `without` pretrained models."""
        if part == "methods":
            return self.trajectories, self.methods
        return self.trained - without, self.training - without * self.one


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
    trained, taken = (
        [u for u in units if (u.config is None) is scratch] for scratch in (True, False)
    )
    return Cost(
        images=n,
        side=side,
        one=one,
        ensembles=p.models * one * sum(kept) / n,
        training=sum(u.flops for u in trained),
        methods=sum(u.flops for u in taken),
        trained=sum(u.models for u in trained),
        trajectories=sum(u.models for u in taken),
    )


def increments(parts: dict[str, Preset], device: str = "cpu") -> dict[str, tuple[int, int, float]]:
    """Stage -> (models trained, trajectories, FLOP) that it adds to the stages before it.

    What an earlier stage has trained is not trained again: a role of a forget set counts from its last model on.
    """
    done: dict[tuple[str, str], int] = {}
    added = {}
    for stage, p in parts.items():
        trained = trajectories = 0
        flop = 0.0
        for name in p.forget_sets or ("",):
            context = blank(replace(p, forget_sets=(name,) if name else ()), device)
            roles: dict[str, list[plan.Unit]] = {}
            for unit in plan.units(context):
                roles.setdefault(unit.role, []).append(unit)
            for role, units in roles.items():
                key = ("" if role == "pretrained" else name, role)
                new = max(0, p.models - done.get(key, 0))
                done[key] = max(p.models, done.get(key, 0))
                flop += sum(u.flops for u in units) * new / p.models
                trained += new * (units[0].config is None)
                trajectories += new * (units[0].config is not None)
        added[stage] = trained, trajectories, flop
    return added
