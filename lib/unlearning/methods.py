"""Unlearning methods: gradient ascent, descent-ascent, SCRUB, and their controls.

Explained in the chapter "Ascent or BatchNorm?".

A method is one function (model, forget, retain, config) -> iterator of (epoch, model) at the epochs in config.epochs.
The model handed in is not changed; the model handed out is the live one, so score or copy it before asking for the
next. Losses are summed over the models of a stack (`models.stack`), so one function serves one model and many.
To add a method, write such a function and put it into METHODS. The switches of `Config` are the controls that the
published runs lack.
"""
import copy
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields

import torch
from torch import nn
from torch.nn import functional as F

from unlearning.data import BadInput
from unlearning.ensemble import cross_entropy

TEMPERATURE = 4.0  # SCRUB's softmax temperature T
SCRUB_CE, SCRUB_KL = 0.99, 0.1  # SCRUB's weights on the retain points
SCRUB_DROPS = (3, 5, 9)  # epochs after which SCRUB's rate falls to a tenth


@dataclass(frozen=True)
class Config:
    """One configuration of one method (reference: Appendix K; the constants of the public code)."""

    method: str  # key of METHODS
    lr: float = 0.0  # SGD step size
    epochs: tuple[int, ...] = (0,)  # epochs to hand out, ascending
    batch: int = 64  # points per step on R (and on F for gradient ascent)
    forget_batch: int = 64  # points per ascent step (GDA, SCRUB)
    ascent_epochs: int = 0  # epochs 1 … ascent_epochs begin with an ascent pass (GDA, SCRUB)
    batchnorm: str = "train"  # "train": every batch moves BatchNorm's statistics; "frozen": none does
    momentum: float = 0.0  # of SGD (published: 0)
    weight_decay: float = 0.0  # of SGD (published: 0)
    shuffle: int = -1  # seed of the point order; -1: the order of the data, as published

    def label(self) -> str:
        """Name of the trajectory: everything that differs from the defaults but not the epochs handed out."""
        parts = [self.method]
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in ("method", "epochs") and value != field.default:
                parts.append(f"{field.name}={value:g}" if isinstance(value, float) else f"{field.name}={value}")
        return ",".join(parts)

    def parameters(self) -> dict:
        """All settings but the epochs, for a record."""
        return {k: v for k, v in asdict(self).items() if k != "epochs"}


@dataclass(frozen=True)
class Points:
    """Points that a method may use."""

    images: torch.Tensor  # (n, channels, h, w), normalised
    labels: torch.Tensor  # (n,) int64

    def __len__(self) -> int:
        return len(self.labels)


Checkpoints = Iterator[tuple[int, nn.Module]]


def do_nothing(model: nn.Module, forget: Points, retain: Points, config: Config) -> Checkpoints:
    """The pretrained model itself."""
    yield 0, model


def gradient_ascent(model: nn.Module, forget: Points, retain: Points, config: Config) -> Checkpoints:
    """GA: θ ← θ + lr ∇L(θ; batch of F), epoch after epoch."""
    model = copy.deepcopy(model)
    optimiser = _sgd(model, config)
    for epoch in range(1, config.epochs[-1] + 1):
        for x, y, _ in _batches(forget, config.batch, config, epoch):
            _step(optimiser, -cross_entropy(_ready(model, config)(x), y))
        if epoch in config.epochs:
            yield epoch, model


def descent_ascent(model: nn.Module, forget: Points, retain: Points, config: Config) -> Checkpoints:
    """GDA: in the first `ascent_epochs` epochs one ascent pass over F; in every epoch then one descent pass over R.

    With ascent_epochs = 0 this is fine-tuning on R.
    """
    model = copy.deepcopy(model)
    optimiser = _sgd(model, config)
    for epoch in range(1, config.epochs[-1] + 1):
        if epoch <= config.ascent_epochs:
            for x, y, _ in _batches(forget, config.forget_batch, config, epoch):
                _step(optimiser, -cross_entropy(_ready(model, config)(x), y))
        for x, y, _ in _batches(retain, config.batch, config, -epoch):
            _step(optimiser, cross_entropy(_ready(model, config)(x), y))
        if epoch in config.epochs:
            yield epoch, model


def scrub(model: nn.Module, forget: Points, retain: Points, config: Config) -> Checkpoints:
    """SCRUB with an optimiser on the student: the method as it was meant.

    Ascent on T² KL_T(teacher ‖ student) over F in the first `ascent_epochs` epochs, then descent on
    0.99 CE + 0.1 T² KL_T over R; the rate falls to a tenth after epochs 3, 5 and 9. The teacher is `model`, in
    evaluation mode.
    """
    yield from _scrub(model, forget, retain, config, trained=True)


def scrub_published(model: nn.Module, forget: Points, retain: Points, config: Config) -> Checkpoints:
    """SCRUB as the public code runs it: the optimiser holds the teacher's parameters.

    The loss flows to the student only, so no parameter has a gradient when the optimiser steps, and nothing but the
    student's BatchNorm statistics changes. The unused gradients are not computed here.
    """
    yield from _scrub(model, forget, retain, config, trained=False)


def _scrub(model: nn.Module, forget: Points, retain: Points, config: Config, trained: bool) -> Checkpoints:
    student = copy.deepcopy(model)
    teacher = copy.deepcopy(model).eval().requires_grad_(False)
    optimiser = _sgd(student, config) if trained else None
    told_forget, told_retain = (_logits(teacher, points, config) if trained else None for points in (forget, retain))
    for epoch in range(1, config.epochs[-1] + 1):
        if optimiser:
            optimiser.param_groups[0]["lr"] = config.lr * 0.1 ** sum(epoch > drop for drop in SCRUB_DROPS)
        with torch.set_grad_enabled(trained):
            if epoch <= config.ascent_epochs:
                for x, _, at in _batches(forget, config.forget_batch, config, epoch):
                    logits = _ready(student, config)(x)
                    if optimiser:
                        _step(optimiser, -distillation(told_forget[..., at, :], logits))
            for x, y, at in _batches(retain, config.batch, config, -epoch):
                logits = _ready(student, config)(x)
                if optimiser:
                    loss = SCRUB_CE * cross_entropy(logits, y)
                    loss = loss + SCRUB_KL * distillation(told_retain[..., at, :], logits)
                    _step(optimiser, loss)
        if epoch in config.epochs:
            yield epoch, student


def distillation(teacher: torch.Tensor, student: torch.Tensor) -> torch.Tensor:
    """T² KL(softmax(teacher / T) ‖ softmax(student / T)), mean over points, summed over models; (…, n, classes)."""
    p, q = F.log_softmax(teacher / TEMPERATURE, -1), F.log_softmax(student / TEMPERATURE, -1)
    return TEMPERATURE**2 * F.kl_div(q, p, reduction="sum", log_target=True) / student.shape[-2]


METHODS: dict[str, Callable[[nn.Module, Points, Points, Config], Checkpoints]] = {
    "nothing": do_nothing,
    "ga": gradient_ascent,
    "gda": descent_ascent,
    "finetune": descent_ascent,
    "scrub": scrub,
    "scrub_published": scrub_published,
}


def run(model: nn.Module, forget: Points, retain: Points, config: Config) -> Checkpoints:
    """The checkpoints of the configured method; BadInput for a configuration that does not make sense."""
    return METHODS[checked(config).method](model, forget, retain, config)


def checked(config: Config) -> Config:
    """The configuration itself, or BadInput."""
    if config.method not in METHODS:
        raise BadInput(f"unknown method {config.method!r}; choose from {', '.join(METHODS)}")
    ascending = list(config.epochs) == sorted(set(config.epochs)) and len(config.epochs) > 0
    if not ascending or (config.epochs[0] < 1 and config.method != "nothing"):
        raise BadInput(f"{config.method}: epochs {config.epochs}; give ascending whole numbers from 1")
    if config.batchnorm not in ("train", "frozen"):
        raise BadInput(f"{config.method}: batchnorm {config.batchnorm!r}; choose train or frozen")
    if config.lr < 0 or config.batch < 1 or config.forget_batch < 1 or config.ascent_epochs < 0:
        raise BadInput(f"{config.label()}: lr and ascent_epochs must be >= 0, batches >= 1")
    return config


def cost(config: Config, epoch: int, forget: int, retain: int, validation: int, full_epochs: int) -> dict[str, float]:
    """Points visited, relative to retraining on D for full_epochs epochs: {"paper": …, "true": …}.

    paper = (|F| E_ascent + |R| E) / ((|D| + |validation|) full_epochs), the authors' convention, whose denominator
    counts validation points that no training visits; true = the same over |D| full_epochs.
    """
    ascent = epoch if config.method == "ga" else min(epoch, config.ascent_epochs)
    descent = 0 if config.method in ("ga", "nothing") else epoch
    visited = forget * ascent + retain * descent
    return {"paper": visited / ((forget + retain + validation) * full_epochs),
            "true": visited / ((forget + retain) * full_epochs)}  # fmt: skip


def _sgd(model: nn.Module, config: Config) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay)


def _ready(model: nn.Module, config: Config) -> nn.Module:
    """Train mode, with BatchNorm in evaluation mode when frozen. Set before every step: scoring may have changed it."""
    model.train()
    if config.batchnorm == "frozen":
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
    return model


def _batches(points: Points, batch: int, config: Config, epoch: int) -> Iterator[tuple[torch.Tensor, ...]]:
    """(images, labels, positions) in the data's order, or in one drawn from (config.shuffle, epoch)."""
    order = torch.arange(len(points))
    if config.shuffle >= 0:
        order = torch.randperm(
            len(points), generator=torch.Generator().manual_seed(config.shuffle * 1000 + epoch + 500))  # fmt: skip
    for positions in order.to(points.labels.device).split(batch):
        yield points.images[positions], points.labels[positions], positions


@torch.no_grad()
def _logits(model: nn.Module, points: Points, config: Config) -> torch.Tensor:
    """(…, n, classes): the teacher does not change, so one pass serves all epochs."""
    return torch.cat([model(x) for x in points.images.split(config.batch)], dim=-2)


def _step(optimiser: torch.optim.SGD, loss: torch.Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
