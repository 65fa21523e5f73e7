"""The live models of the chapters on the metric: many small networks on scikit-learn's 8 x 8 digits, in seconds.

One hidden layer with batch normalisation and ReLU. All networks of an ensemble run side by side as one batched matrix
product; each has its own start and its own order of the data.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import batch_norm, cross_entropy

from unlearning.datasets import Data
from unlearning.klom import margins

BATCH, WIDTH = 64, 32  # images per step, hidden units
EPOCHS, PEAK = 8, 0.4  # passes over the training images, peak of the triangular learning rate
LAST = ("drop", "statistics", "step", "both")  # what an epoch's small last batch does


def pixels(images: Tensor) -> Tensor:
    """(n, 1, 12, 12) uint8, padded digits -> (n, 64) in -1 … 1."""
    return images[:, 0, 2:10, 2:10].flatten(1) / 120 - 1


def untrained(models: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Weights uniform in ±1/√inputs, as PyTorch draws them, and BatchNorm's parameters and running statistics."""
    layers = {"first": (models, 64, WIDTH), "last": (models, WIDTH, 10)}
    net = {k: torch.rand(*shape, generator=generator) for k, shape in layers.items()}
    net = {k: (2 * w - 1) / w.shape[1] ** 0.5 for k, w in net.items()}
    net |= {k: torch.ones(models * WIDTH) for k in ("scale", "var")}
    net |= {k: torch.zeros(models * WIDTH) for k in ("shift", "mean")}
    for k in ("first", "last", "scale", "shift"):
        net[k].requires_grad_()
    return net


def logits(net: dict[str, Tensor], x: Tensor, training: bool, momentum: float = 0.1) -> Tensor:
    """(models, batch, 10) from x (models, batch, 64). Momentum 0 leaves the running statistics alone."""
    hidden = (x @ net["first"]).transpose(0, 1)  # (batch, models, width)
    norm = [net[k] for k in ("mean", "var", "scale", "shift")]
    flat = batch_norm(hidden.flatten(1), *norm, training, momentum).relu()
    return flat.unflatten(1, hidden.shape[1:]).transpose(0, 1) @ net["last"]


def train(
    digits: Data, points: int, models: int, seed: int, last: str = "drop"
) -> dict[str, Tensor]:
    """`models` networks trained on the first `points` digits by momentum SGD with a triangular learning rate.

    last: what an epoch's small last batch does: "drop" nothing, "statistics" only BatchNorm's running statistics,
    "step" only the gradient step, "both".
    """
    generator = torch.Generator().manual_seed(seed)
    net, images = untrained(models, generator), pixels(digits.images)
    weights = [net[k] for k in ("first", "last", "scale", "shift")]
    optimiser = torch.optim.SGD(weights, lr=0.0, momentum=0.9, weight_decay=5e-4)
    step, steps = 0, EPOCHS * -(-points // BATCH)
    for _ in range(EPOCHS):
        orders = [torch.randperm(points, generator=generator) for _ in range(models)]
        for index in torch.stack(orders).split(BATCH, 1):
            mode = last if index.shape[1] < BATCH else "both"
            optimiser.param_groups[0]["lr"] = PEAK * np.interp(
                step, [0, steps / 4, steps], [0, 1, 0]
            )
            step += 1
            if mode == "drop":
                continue
            with torch.set_grad_enabled(mode != "statistics"):
                z = logits(net, images[index], True, 0.0 if mode == "step" else 0.1)
            if mode != "statistics":
                optimiser.zero_grad()
                labels = digits.labels[index].flatten()
                loss = cross_entropy(z.flatten(0, 1), labels, reduction="sum")
                (loss / index.shape[1]).backward()  # each network gets its own gradient
                optimiser.step()
    return net


@torch.no_grad()
def score(net: dict[str, Tensor], digits: Data) -> tuple[Tensor, float]:
    """Margins (models, validation digits) and the mean accuracy on them."""
    x = pixels(digits.val_images)
    z = logits(net, x.expand(len(net["first"]), -1, -1), training=False)
    right = (z.argmax(-1) == digits.val_labels).float()
    return margins(z, digits.val_labels), float(right.mean())
