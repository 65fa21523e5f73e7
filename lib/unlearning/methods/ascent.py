"""Gradient ascent (GA) and descent-ascent (GDA), and doing nothing."""

import copy

from torch import nn

from unlearning.methods.steps import Checkpoints, Config, Points, batches, ready, sgd, step
from unlearning.training import cross_entropy


def do_nothing(model: nn.Module, forget: Points, retain: Points, config: Config) -> Checkpoints:
    """The pretrained model itself."""
    yield 0, model


def gradient_ascent(
    model: nn.Module, forget: Points, retain: Points, config: Config
) -> Checkpoints:
    """GA: θ ← θ + lr ∇L(θ; batch of F), epoch after epoch."""
    model = copy.deepcopy(model)
    optimiser = sgd(model, config)
    for epoch in range(1, config.epochs[-1] + 1):
        for x, y, _ in batches(forget, config.batch, config, epoch):
            step(optimiser, -cross_entropy(ready(model, config)(x), y))
        if epoch in config.epochs:
            yield epoch, model


def descent_ascent(model: nn.Module, forget: Points, retain: Points, config: Config) -> Checkpoints:
    """GDA: in the first `ascent_epochs` epochs one ascent pass over F; in every epoch then one descent pass over R.

    With ascent_epochs = 0 this is fine-tuning on R.
    """
    model = copy.deepcopy(model)
    optimiser = sgd(model, config)
    for epoch in range(1, config.epochs[-1] + 1):
        if epoch <= config.ascent_epochs:
            for x, y, _ in batches(forget, config.forget_batch, config, epoch):
                step(optimiser, -cross_entropy(ready(model, config)(x), y))
        for x, y, _ in batches(retain, config.batch, config, -epoch):
            step(optimiser, cross_entropy(ready(model, config)(x), y))
        if epoch in config.epochs:
            yield epoch, model
