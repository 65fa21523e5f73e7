"""What rounding does to training: margins after every step, networks without kinks, and nudges in rounding's place."""

import copy
from pathlib import Path

import numpy as np
import torch
from torch import nn

from unlearning import stack, training
from unlearning.datasets import Data
from unlearning.experiment import layout, packing, presets
from unlearning.training import Recipe


def walk(
    nets: list[nn.Module], shuffles: list[int], data: Data, recipe: Recipe, images: int
) -> np.ndarray:
    """Margins after every step of training, (steps, models, images), on the first `images` validation images.

    One network is trained as by `training.train_one`, several as a stack. shuffles: a seed for each network's order of
    the data. The networks handed in stay as they are.
    """
    net = stack.stack(nets) if len(nets) > 1 else copy.deepcopy(nets[0])
    sgd = torch.optim.SGD(
        net.train().parameters(), lr=0.0, momentum=recipe.momentum, weight_decay=recipe.weight_decay
    )
    orders = [training.batches(len(data.labels), recipe, seed) for seed in shuffles]
    found = []
    for steps in zip(*orders, strict=True):
        batches = [now for _, now in steps]
        x = torch.cat([data.normalised(data.images[now]) for now in batches], 1)
        y = data.labels[torch.stack(batches)].squeeze(0)
        sgd.param_groups[0]["lr"] = steps[0][0]
        sgd.zero_grad()
        training.cross_entropy(net(x), y).backward()
        sgd.step()
        found.append(
            training.score(net, data, data.val_images[:images], data.val_labels[:images])[0]
        )
    return np.stack(found)


def _replaced(part: nn.Module, kinds: tuple[type, ...]) -> nn.Module:
    """The module in place, or what stands for it if it is of one of the kinds."""
    if isinstance(part, kinds):
        if isinstance(part, nn.ReLU):
            return nn.SiLU()
        if isinstance(part, nn.MaxPool2d):
            return nn.AvgPool2d(part.kernel_size)
        return nn.AdaptiveAvgPool2d(part.output_size)
    for name, child in part.named_children():
        setattr(part, name, _replaced(child, kinds))
    return part


def smooth(net: nn.Module) -> nn.Module:
    """A copy without kinks: SiLU for ReLU, averages for maxima."""
    return _replaced(copy.deepcopy(net), KINKS)


KINKS = (nn.ReLU, nn.MaxPool2d, nn.AdaptiveMaxPool2d)
# what was replaced -> a copy without that kind of kink
WITHOUT = {
    name: lambda net, kind=kind: _replaced(copy.deepcopy(net), (kind,))
    for name, kind in zip(("ReLU", "max-pooling", "the last maximum"), KINKS, strict=True)
}


def nudged(net: nn.Module, amount: float, seed: int) -> nn.Module:
    """A copy whose weights are each moved by `amount` times a standard normal times their layer's mean size."""
    net, generator = copy.deepcopy(net), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p += amount * p.abs().mean() * torch.randn(p.shape, generator=generator, dtype=p.dtype)
    return net


def on_this_machine(
    name: str, models: int, root: str | None = None
) -> dict[str, float | int | str]:
    """The first `models` pretrained models of a recorded run ("laptop"), trained again here from the same seeds.

    Compares their margins with the packed ones (`unlearning pack`) at all packed points. correlation: over models and
    points, each point's mean over models taken off on both sides. median_difference: median |difference| between a
    model and its recorded twin, nats; median_between_seeds: between a recorded model and the next. Needs the run's data
    set; results/cpu_kinds.json keeps one answer.
    """
    p = presets.preset(name)
    context = layout.open_context(p, Path("nowhere"), root, "cpu")
    pack = packing.read(next(s for s in packing.available() if s.startswith(f"{name}/")))
    n = len(context.data.labels)
    parts = []
    for first in range(0, models, p.stack):
        seeds = [
            training.seed_of(p.seed, "pretrained", i)
            for i in range(first, min(first + p.stack, models))
        ]
        net = training.train_stack(context.build, context.data, np.arange(n), p.recipe, seeds)
        images = torch.cat([context.data.images, context.data.val_images])
        labels = torch.cat([context.data.labels, context.data.val_labels])
        parts.append(training.score(net, context.data, images, labels)[0])
    return compared(
        np.concatenate(parts)[:, pack.points], pack.pretrained[:models].astype(np.float32)
    )


def compared(ours: np.ndarray, theirs: np.ndarray) -> dict[str, float | int]:
    """What `on_this_machine` says of two arrays of margins (models, points), model by model from the same seeds."""
    a, b = ours - ours.mean(0), theirs - theirs.mean(0)
    return {
        "models": len(ours),
        "points": ours.shape[1],
        "correlation": float((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum())),
        "median_difference": float(np.median(np.abs(ours - theirs))),
        "median_between_seeds": float(np.median(np.abs(theirs[1:] - theirs[:-1]))),
    }
