"""ResNet-9 with its width as an argument, ResNet-18, and stacks. Explained in the chapter "Training the ensembles"."""
import torch
from torch import nn

LOGIT_SCALE = 0.2  # factor on the last layer's output (the public code's value)
NAMES = ("resnet9", "resnet18")


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


def block(c_in: int, c_out: int, kernel: int = 3, stride: int = 1, padding: int = 1) -> nn.Sequential:
    """Convolution without bias, batch normalisation, ReLU."""
    conv = nn.Conv2d(c_in, c_out, kernel, stride, padding, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out), nn.ReLU(inplace=True))


def resnet9(width: int = 64, in_channels: int = 3, classes: int = 10) -> nn.Sequential:
    """ResNet-9 with PyTorch's default initialisation. Explained in the chapter "Training the ensembles".

    Input (n, in_channels, h, w) with h, w >= 11; output logits (n, classes). The paper's net is width 64 on
    3 x 32 x 32: 2,274,880 parameters, 0.583 GFLOP per image forward.
    """
    if width < 1 or in_channels < 1 or classes < 2:
        raise ValueError(f"resnet9: width {width}, in_channels {in_channels}, classes {classes}; "
                         "width and in_channels must be >= 1, classes >= 2")
    w = width
    return nn.Sequential(
        block(in_channels, w),                                       # h
        block(w, 2 * w, kernel=5, stride=2, padding=2),              # h / 2
        Residual(nn.Sequential(block(2 * w, 2 * w), block(2 * w, 2 * w))),
        block(2 * w, 4 * w),
        nn.MaxPool2d(2),                                             # h / 4
        Residual(nn.Sequential(block(4 * w, 4 * w), block(4 * w, 4 * w))),
        block(4 * w, 2 * w, padding=0),                              # h / 4 - 2: at least 1
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(2 * w, classes, bias=False),
        Scale(LOGIT_SCALE),
    )


def resnet18(classes: int = 17) -> nn.Module:
    """torchvision's ResNet-18 with a new last layer (Living-17: 17 classes).

    Explained in the chapter "Training the ensembles".
    """
    from torchvision.models import resnet18 as torchvision_resnet18  # optional on a bare GPU machine
    return torchvision_resnet18(num_classes=classes)


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


# --- many models as one: every parameter and buffer of the stack is the models' own, concatenated along dimension 0 ---


class StackedConv(nn.Module):
    """Convolutions of M models side by side: a grouped convolution, or a plain one where all models see one input."""

    def __init__(self, convs: list[nn.Conv2d]):
        super().__init__()
        self.weight = nn.Parameter(torch.cat([c.weight.detach() for c in convs]))
        self.models, self.stride, self.padding = len(convs), convs[0].stride, convs[0].padding

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shared = x.shape[1] == self.weight.shape[1]
        groups = 1 if shared else self.models
        return nn.functional.conv2d(x, self.weight, None, self.stride, self.padding, groups=groups)


class StackedLinear(nn.Module):
    """Linear layers of M models: (n, M * features) -> (M, n, classes)."""

    def __init__(self, layers: list[nn.Linear]):
        super().__init__()
        self.weight = nn.Parameter(torch.cat([layer.weight.detach() for layer in layers]))
        self.models = len(layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inputs = x.reshape(len(x), self.models, -1).transpose(0, 1)
        return torch.bmm(inputs, self.weight.reshape(self.models, -1, inputs.shape[-1]).transpose(1, 2))


def stack(models: list[nn.Module]) -> nn.Module:
    """M models of one architecture as one module, for machines on which one small model leaves most of the time unused.

    Input (n, channels, h, w), the same for all models, or (n, M * channels, h, w), one after the other; output
    (M, n, classes). The models' values are copied; `unstack` copies them back. A loss summed over models gives each
    model exactly its own gradient. Raises TypeError for layers other than those of ResNet-9.
    Explained in the chapter "Training the ensembles".
    """
    first = models[0]
    if isinstance(first, nn.Conv2d) and first.bias is None and first.groups == 1:
        return StackedConv(models)
    if isinstance(first, nn.Linear) and first.bias is None:
        return StackedLinear(models)
    if isinstance(first, nn.BatchNorm2d):
        norm = nn.BatchNorm2d(len(models) * first.num_features, first.eps, first.momentum, dtype=first.weight.dtype)
        norm.load_state_dict(_joined([m.state_dict() for m in models]))
        return norm.train(first.training)
    if isinstance(first, Residual):
        return Residual(stack([m.inner for m in models]))
    if isinstance(first, nn.Sequential):
        return nn.Sequential(*(stack(list(layers)) for layers in zip(*models, strict=True)))
    if any(True for _ in first.parameters()):
        raise TypeError(f"stack: cannot stack {type(first).__name__}; train such models one by one (stack 1)")
    return first  # no state: pooling, ReLU, flatten, scale


def _joined(states: list[dict]) -> dict:
    """State dictionaries of several models as the state dictionary of their stack."""
    return {k: torch.cat([s[k] for s in states]) if states[0][k].dim() else states[0][k] for k in states[0]}


def unstack(stacked: nn.Module, count: int) -> list[dict[str, torch.Tensor]]:
    """The state dictionaries of the `count` models of a stack, as copies."""
    parts = {k: v.detach().chunk(count) if v.dim() else [v.detach()] * count for k, v in stacked.state_dict().items()}
    return [{k: v[i].clone() for k, v in parts.items()} for i in range(count)]
