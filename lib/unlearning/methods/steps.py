"""What every method is made of: its configuration, the points it may use, batches, one optimiser step."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields

import torch
from torch import nn


@dataclass(frozen=True)
class Config:
    """One configuration of one method (reference: Appendix K; the constants of the public code)."""

    method: str  # key of METHODS
    lr: float = 0.0  # SGD step size
    epochs: tuple[int, ...] = (0,)  # epochs to hand out, ascending
    batch: int = 64  # points per step on R (and on F for gradient ascent)
    forget_batch: int = 64  # points per ascent step (GDA, SCRUB)
    ascent_epochs: int = 0  # epochs 1 … ascent_epochs begin with an ascent pass (GDA, SCRUB)
    batchnorm: str = (
        "train"  # "train": every batch moves BatchNorm's statistics; "frozen": none does
    )
    momentum: float = 0.0  # of SGD (published: 0)
    weight_decay: float = 0.0  # of SGD (published: 0)
    shuffle: int = -1  # seed of the point order; -1: the order of the data, as published

    def label(self) -> str:
        """Name of the trajectory: everything that differs from the defaults but not the epochs handed out."""
        parts = [self.method]
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in ("method", "epochs") and value != field.default:
                parts.append(
                    f"{field.name}={value:g}"
                    if isinstance(value, float)
                    else f"{field.name}={value}"
                )
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


def sgd(model: nn.Module, config: Config) -> torch.optim.SGD:
    return torch.optim.SGD(
        model.parameters(), lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay
    )


def ready(model: nn.Module, config: Config) -> nn.Module:
    """Train mode, with BatchNorm in evaluation mode when frozen. Set before every step: scoring may have changed it."""
    model.train()
    if config.batchnorm == "frozen":
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
    return model


def batches(
    points: Points, batch: int, config: Config, epoch: int
) -> Iterator[tuple[torch.Tensor, ...]]:
    """(images, labels, positions) in the data's order, or in one drawn from (config.shuffle, epoch)."""
    order = torch.arange(len(points))
    if config.shuffle >= 0:
        order = torch.randperm(
            len(points),
            generator=torch.Generator().manual_seed(config.shuffle * 1000 + epoch + 500),
        )
    for positions in order.to(points.labels.device).split(batch):
        yield points.images[positions], points.labels[positions], positions


def step(optimiser: torch.optim.SGD, loss: torch.Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
