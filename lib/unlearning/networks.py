"""ResNet-9 with its width as an argument, ResNet-18. To add a network, write a function and one entry of NETWORKS."""

from collections.abc import Callable

import torch
from torch import nn

from unlearning.errors import Refused

LOGIT_SCALE = 0.2  # factor on the last layer's output (the public code's value)


class Residual(nn.Module):
    """x + f(x); no ReLU after the sum."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.inner(x)


class Scale(nn.Module):
    """x times a constant."""

    def __init__(self, factor: float):
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor


def block(
    c_in: int, c_out: int, kernel: int = 3, stride: int = 1, padding: int = 1
) -> nn.Sequential:
    """Convolution without bias, batch normalisation, ReLU."""
    conv = nn.Conv2d(c_in, c_out, kernel, stride, padding, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out), nn.ReLU(inplace=True))


def resnet9(width: int = 64, in_channels: int = 3, classes: int = 10) -> nn.Sequential:
    """ResNet-9 with PyTorch's default initialisation.

    Input (n, in_channels, h, w) with h, w >= 11; output logits (n, classes). The paper's net is width 64 on
    3 x 32 x 32: 2,274,880 parameters, 0.583 GFLOP per image forward.
    """
    if width < 1 or in_channels < 1 or classes < 2:
        raise ValueError(
            f"resnet9: width {width}, in_channels {in_channels}, classes {classes}; "
            "width and in_channels must be >= 1, classes >= 2"
        )
    w = width
    return nn.Sequential(
        block(in_channels, w),  # h
        block(w, 2 * w, kernel=5, stride=2, padding=2),  # h / 2
        Residual(nn.Sequential(block(2 * w, 2 * w), block(2 * w, 2 * w))),
        block(2 * w, 4 * w),
        nn.MaxPool2d(2),  # h / 4
        Residual(nn.Sequential(block(4 * w, 4 * w), block(4 * w, 4 * w))),
        block(4 * w, 2 * w, padding=0),  # h / 4 - 2: at least 1
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(2 * w, classes, bias=False),
        Scale(LOGIT_SCALE),
    )


def mlp(width: int, in_channels: int, classes: int, side: int) -> nn.Sequential:
    """One hidden layer of `width` units with batch normalisation and ReLU on side x side images.

    The hidden layer is written as a convolution over the whole image, so that `stack.stack` takes it.
    """
    hidden = block(in_channels, width, kernel=side, padding=0)
    return nn.Sequential(hidden, nn.Flatten(), nn.Linear(width, classes, bias=False))


def resnet18(classes: int = 17) -> nn.Module:
    """torchvision's ResNet-18 with a new last layer (Living-17: 17 classes)."""
    from torchvision import models  # optional on a bare GPU machine

    return models.resnet18(num_classes=classes)


# name -> a function of (width, channels, classes, side of the image in pixels)
NETWORKS: dict[str, Callable[[int, int, int, int], nn.Module]] = {
    "resnet9": lambda width, channels, classes, side: resnet9(width, channels, classes),
    "mlp": mlp,
    "resnet18": lambda width, channels, classes, side: resnet18(classes),
}


def build(name: str, width: int, channels: int, classes: int, side: int) -> nn.Module:
    """A network by name with PyTorch's default initialisation; Refused for an unknown one."""
    if name not in NETWORKS:
        raise Refused(f"unknown network {name!r}; choose from {', '.join(NETWORKS)}")
    return NETWORKS[name](width, channels, classes, side)


def parameters(model: nn.Module) -> int:
    """Number of trainable scalars."""
    return sum(p.numel() for p in model.parameters())


def forward_flops(model: nn.Module, image_shape: tuple[int, int, int]) -> int:
    """Floating-point operations of one image's forward pass: 2 per multiply-add of convolutions and linear layers."""
    total = 0

    def count(module: nn.Module, _inputs: tuple, output: torch.Tensor) -> None:
        nonlocal total
        total += 2 * module.weight[0].numel() * output[0].numel()

    layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    was_training = model.training
    device = next(model.parameters()).device
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, *image_shape, device=device))
    finally:
        for hook in hooks:
            hook.remove()
        model.train(was_training)
    return total
