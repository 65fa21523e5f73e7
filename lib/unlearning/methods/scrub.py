"""SCRUB (Kurmanji et al. 2023), as it was meant and as the public code runs it."""

import copy

import torch
from torch import nn
from torch.nn import functional as F

from unlearning.methods.steps import Checkpoints, Config, Points, batches, ready, sgd, step
from unlearning.training import cross_entropy

TEMPERATURE = 4.0  # SCRUB's softmax temperature T
SCRUB_CE, SCRUB_KL = 0.99, 0.1  # SCRUB's weights on the retain points
SCRUB_DROPS = (3, 5, 9)  # epochs after which SCRUB's rate falls to a tenth


def scrub(model: nn.Module, forget: Points, retain: Points, config: Config) -> Checkpoints:
    """SCRUB with an optimiser on the student: the method as it was meant.

    Ascent on T² KL_T(teacher ‖ student) over F in the first `ascent_epochs` epochs, then descent on
    0.99 CE + 0.1 T² KL_T over R; the rate falls to a tenth after epochs 3, 5 and 9. The teacher is `model`, in
    evaluation mode.
    """
    yield from _scrub(model, forget, retain, config, trained=True)


def scrub_published(
    model: nn.Module, forget: Points, retain: Points, config: Config
) -> Checkpoints:
    """SCRUB as the public code runs it: the optimiser holds the teacher's parameters.

    The loss flows to the student only, so no parameter has a gradient when the optimiser steps, and nothing but the
    student's BatchNorm statistics changes. The unused gradients are not computed here.
    """
    yield from _scrub(model, forget, retain, config, trained=False)


def _scrub(
    model: nn.Module, forget: Points, retain: Points, config: Config, trained: bool
) -> Checkpoints:
    student = copy.deepcopy(model)
    teacher = copy.deepcopy(model).eval().requires_grad_(False)
    optimiser = sgd(student, config) if trained else None
    told_forget, told_retain = (
        _logits(teacher, points, config) if trained else None for points in (forget, retain)
    )
    for epoch in range(1, config.epochs[-1] + 1):
        if optimiser:
            optimiser.param_groups[0]["lr"] = config.lr * 0.1 ** sum(
                epoch > drop for drop in SCRUB_DROPS
            )
        with torch.set_grad_enabled(trained):
            if epoch <= config.ascent_epochs:
                for x, _, at in batches(forget, config.forget_batch, config, epoch):
                    logits = ready(student, config)(x)
                    if optimiser:
                        step(optimiser, -distillation(told_forget[..., at, :], logits))
            for x, y, at in batches(retain, config.batch, config, -epoch):
                logits = ready(student, config)(x)
                if optimiser:
                    loss = SCRUB_CE * cross_entropy(logits, y)
                    loss = loss + SCRUB_KL * distillation(told_retain[..., at, :], logits)
                    step(optimiser, loss)
        if epoch in config.epochs:
            yield epoch, student


def distillation(teacher: torch.Tensor, student: torch.Tensor) -> torch.Tensor:
    """T² KL(softmax(teacher / T) ‖ softmax(student / T)), mean over points, summed over models; (…, n, classes)."""
    p, q = F.log_softmax(teacher / TEMPERATURE, -1), F.log_softmax(student / TEMPERATURE, -1)
    return TEMPERATURE**2 * F.kl_div(q, p, reduction="sum", log_target=True) / student.shape[-2]


@torch.no_grad()
def _logits(model: nn.Module, points: Points, config: Config) -> torch.Tensor:
    """(…, n, classes): the teacher does not change, so one pass serves all epochs."""
    return torch.cat([model(x) for x in points.images.split(config.batch)], dim=-2)
