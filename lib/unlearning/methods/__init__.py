"""Unlearning methods: gradient ascent, descent-ascent, SCRUB, and their controls.

A method is one function (model, forget, retain, config) -> iterator of (epoch, model) at the epochs in config.epochs.
The model handed in is not changed; the model handed out is the live one, so score or copy it before asking for the
next. Losses are summed over the models of a stack (`stack.stack`), so one function serves one model and many.
To add a method, write such a function and one entry of METHODS. The switches of `Config` are the controls that the
published runs lack.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from unlearning.errors import Refused
from unlearning.methods.ascent import descent_ascent, do_nothing, gradient_ascent
from unlearning.methods.scrub import distillation, scrub, scrub_published
from unlearning.methods.steps import Checkpoints, Config, Points

__all__ = [
    "METHODS",
    "Checkpoints",
    "Config",
    "Method",
    "Points",
    "Visits",
    "checked",
    "cost",
    "descent_ascent",
    "distillation",
    "do_nothing",
    "gradient_ascent",
    "run",
    "scrub",
    "scrub_published",
]


@dataclass(frozen=True)
class Method:
    """One unlearning method: everything that the experiment and the book need to know of it."""

    function: Callable[[nn.Module, Points, Points, Config], Checkpoints]
    title: str  # its name on a page
    marker: str  # its matplotlib marker on a map
    # (configuration, epoch) -> passes over F, over R so far; None: counted while it runs (`Visits`)
    passes: Callable[[Config, int], tuple[int, int]] | None
    backward: bool = (
        True  # whether a step computes gradients (three times a forward pass's arithmetic)
    )


def _ascent_then_descent(config: Config, epoch: int) -> tuple[int, int]:
    return min(epoch, config.ascent_epochs), epoch


METHODS: dict[str, Method] = {
    "nothing": Method(do_nothing, "pretrained", "o", lambda config, epoch: (0, 0), backward=False),
    "ga": Method(gradient_ascent, "GA", "o", lambda config, epoch: (epoch, 0)),
    "gda": Method(descent_ascent, "GDA", "s", _ascent_then_descent),
    "finetune": Method(descent_ascent, "fine-tuning on R", "D", _ascent_then_descent),
    "scrub": Method(scrub, "SCRUB, fixed", "^", _ascent_then_descent),
    "scrub_published": Method(
        scrub_published, "SCRUB, as published", "v", _ascent_then_descent, backward=False
    ),
}


def run(model: nn.Module, forget: Points, retain: Points, config: Config) -> Checkpoints:
    """The checkpoints of the configured method; Refused for a configuration that does not make sense."""
    return METHODS[checked(config).method].function(model, forget, retain, config)


def checked(config: Config) -> Config:
    """The configuration itself, or Refused."""
    if config.method not in METHODS:
        raise Refused(f"unknown method {config.method!r}; choose from {', '.join(METHODS)}")
    ascending = list(config.epochs) == sorted(set(config.epochs)) and len(config.epochs) > 0
    if not ascending or (config.epochs[0] < 1 and config.method != "nothing"):
        raise Refused(
            f"{config.method}: epochs {config.epochs}; give ascending whole numbers from 1"
        )
    if config.batchnorm not in ("train", "frozen"):
        raise Refused(f"{config.method}: batchnorm {config.batchnorm!r}; choose train or frozen")
    if config.lr < 0 or config.batch < 1 or config.forget_batch < 1 or config.ascent_epochs < 0:
        raise Refused(f"{config.label()}: lr and ascent_epochs must be >= 0, batches >= 1")
    return config


class Visits:
    """Counts the points in a method's forward passes with gradients; copies of the model go on counting here."""

    def __init__(self, model: nn.Module):
        self.points = 0  # seen by each model of a stack
        model.register_forward_pre_hook(self._count)

    def _count(self, module: nn.Module, inputs: tuple) -> None:
        if torch.is_grad_enabled():
            self.points += len(inputs[0])

    def __deepcopy__(self, memo: dict) -> "Visits":
        return self


def cost(
    config: Config,
    epoch: int,
    forget: int,
    retain: int,
    validation: int,
    full_epochs: int,
    visited: int | None = None,
) -> dict[str, float]:
    """Points visited, relative to retraining on D for full_epochs epochs: {"paper": …, "true": …}.

    paper = (|F| E_ascent + |R| E) / ((|D| + |validation|) full_epochs), the authors' convention, whose denominator
    counts validation points that no training visits; true = the same over |D| full_epochs. visited: points that were
    counted while the method ran (`Visits`), where its passes are not known beforehand.
    """
    if visited is None:
        ascent, descent = METHODS[config.method].passes(config, epoch)
        visited = forget * ascent + retain * descent
    return {
        "paper": visited / ((forget + retain + validation) * full_epochs),
        "true": visited / ((forget + retain) * full_epochs),
    }
