"""What rounding does to training: margins after every step, networks without kinks, and nudges in rounding's place."""

import copy

import numpy as np
import torch
from torch import nn

from unlearning import stack, training
from unlearning.datasets import Data
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


def smooth(net: nn.Module) -> nn.Module:
    """A copy without kinks: SiLU for ReLU, averages for maxima."""

    def without_kink(part: nn.Module) -> nn.Module:
        if isinstance(part, nn.ReLU):
            return nn.SiLU()
        if isinstance(part, nn.MaxPool2d):
            return nn.AvgPool2d(part.kernel_size)
        if isinstance(part, nn.AdaptiveMaxPool2d):
            return nn.AdaptiveAvgPool2d(part.output_size)
        for name, child in part.named_children():
            setattr(part, name, without_kink(child))
        return part

    return without_kink(copy.deepcopy(net))


def nudged(net: nn.Module, amount: float, seed: int) -> nn.Module:
    """A copy whose weights are each moved by `amount` times a standard normal times their layer's mean size."""
    net, generator = copy.deepcopy(net), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p += amount * p.abs().mean() * torch.randn(p.shape, generator=generator, dtype=p.dtype)
    return net
