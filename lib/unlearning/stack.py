"""Many models of one architecture as one module, for machines on which one small model leaves most of the time unused.

Every parameter and buffer of a stack is the models' own, concatenated along dimension 0."""

import torch
from torch import nn

from unlearning.networks import Residual

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
        return torch.bmm(
            inputs, self.weight.reshape(self.models, -1, inputs.shape[-1]).transpose(1, 2)
        )


def stack(models: list[nn.Module]) -> nn.Module:
    """M models of one architecture as one module, for machines on which one small model leaves most of the time unused.

    Input (n, channels, h, w), the same for all models, or (n, M * channels, h, w), one after the other; output
    (M, n, classes). The models' values are copied; `unstack` copies them back. A loss summed over models gives each
    model exactly its own gradient. Raises TypeError for layers other than those of ResNet-9.
    """
    first = models[0]
    if isinstance(first, nn.Conv2d) and first.bias is None and first.groups == 1:
        return StackedConv(models)
    if isinstance(first, nn.Linear) and first.bias is None:
        return StackedLinear(models)
    if isinstance(first, nn.BatchNorm2d):
        norm = nn.BatchNorm2d(
            len(models) * first.num_features, first.eps, first.momentum, dtype=first.weight.dtype
        )
        norm.load_state_dict(_joined([m.state_dict() for m in models]))
        return norm.train(first.training)
    if isinstance(first, Residual):
        return Residual(stack([m.inner for m in models]))
    if isinstance(first, nn.Sequential):
        return nn.Sequential(*(stack(list(layers)) for layers in zip(*models, strict=True)))
    if any(True for _ in first.parameters()):
        raise TypeError(
            f"stack: cannot stack {type(first).__name__}; train such models one by one (stack 1)"
        )
    return first  # no state: pooling, ReLU, flatten, scale


def _joined(states: list[dict]) -> dict:
    """State dictionaries of several models as the state dictionary of their stack."""
    return {
        k: torch.cat([s[k] for s in states]) if states[0][k].dim() else states[0][k]
        for k in states[0]
    }


def unstack(stacked: nn.Module, count: int) -> list[dict[str, torch.Tensor]]:
    """The state dictionaries of the `count` models of a stack, as copies."""
    parts = {
        k: v.detach().chunk(count) if v.dim() else [v.detach()] * count
        for k, v in stacked.state_dict().items()
    }
    return [{k: v[i].clone() for k, v in parts.items()} for i in range(count)]
