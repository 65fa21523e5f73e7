"""The networks against published counts, a second implementation, and the stack against its members."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from unlearning import networks, stack


def plain_forward(state: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """ResNet-9 in evaluation mode, written out once more from its description."""
    layers = {}
    for key, value in state.items():
        layer, _, name = key.rpartition(".")
        layers.setdefault(layer, {})[name] = value
    convs = [v for v in layers.values() if v.get("weight") is not None and v["weight"].dim() == 4]
    norms = [v for v in layers.values() if "running_mean" in v]
    linear = next(v["weight"] for v in layers.values() if "weight" in v and v["weight"].dim() == 2)

    def block(i: int, x: torch.Tensor, stride: int = 1, padding: int = 1) -> torch.Tensor:
        x = F.conv2d(x, convs[i]["weight"], stride=stride, padding=padding)
        n = {k: v[:, None, None] for k, v in norms[i].items() if v.dim()}
        x = (x - n["running_mean"]) / (n["running_var"] + 1e-5).sqrt() * n["weight"] + n["bias"]
        return x.clamp(min=0)

    x = block(1, block(0, x), 2, 2)
    x = x + block(3, block(2, x))
    x = F.max_pool2d(block(4, x), 2)
    x = x + block(6, block(5, x))
    return block(7, x, padding=0).amax((2, 3)) @ linear.T * 0.2


def randomised(width: int = 8, channels: int = 3) -> nn.Sequential:
    """A net whose running statistics are not those of a fresh one."""
    model = networks.resnet9(width, channels)
    for _ in range(3):
        model(torch.randn(16, channels, 16, 16) * 3 + 1)
    return model


def test_published_size_and_arithmetic():
    model = networks.resnet9()
    assert networks.parameters(model) == 2_274_880
    assert networks.forward_flops(model, (3, 32, 32)) / 1e9 == pytest.approx(0.583, abs=5e-4)
    assert model.training


@pytest.mark.parametrize("side", [11, 12, 16, 28, 32])
def test_equals_a_second_implementation_on_every_image_size(side: int):
    torch.manual_seed(0)
    model = randomised().double().eval()
    x = torch.randn(5, 3, side, side, dtype=torch.float64)
    assert torch.allclose(model(x), plain_forward(model.state_dict(), x), atol=1e-12)


@pytest.mark.parametrize("training", [True, False])
def test_a_stack_is_its_members_side_by_side(training: bool):
    torch.manual_seed(0)
    members = [randomised().double().train(training) for _ in range(3)]
    stacked = stack.stack(members)
    x = torch.randn(3, 7, 3, 16, 16, dtype=torch.float64)
    own = torch.stack([m(part) for m, part in zip(members, x, strict=True)])
    side_by_side = x.transpose(0, 1).flatten(1, 2)  # (n, models * channels, h, w)
    assert torch.allclose(stacked(side_by_side), own, atol=1e-12)
    for state, member in zip(
        stack.unstack(stacked, 3), members, strict=True
    ):  # running statistics moved alike
        assert all(
            torch.allclose(state[k].double(), v.double(), atol=1e-12)
            for k, v in member.state_dict().items()
        )


def test_a_stack_shares_one_input():
    torch.manual_seed(0)
    members = [randomised().double().eval() for _ in range(3)]
    x = torch.randn(5, 3, 16, 16, dtype=torch.float64)
    assert torch.allclose(stack.stack(members)(x), torch.stack([m(x) for m in members]), atol=1e-12)


def test_summed_loss_gives_each_member_its_own_gradient():
    torch.manual_seed(0)
    members = [randomised().double() for _ in range(2)]
    stacked = stack.stack(members)
    x, y = torch.randn(6, 3, 16, 16, dtype=torch.float64), torch.randint(10, (6,))
    sum(F.cross_entropy(logits, y) for logits in stacked(x)).backward()
    joined = {k: p.grad for k, p in stacked.named_parameters()}
    for i, member in enumerate(members):
        F.cross_entropy(member(x), y).backward()
        for name, p in member.named_parameters():
            assert torch.allclose(joined[name].chunk(2)[i], p.grad, atol=1e-12)


def test_unstack_returns_copies():
    stacked = stack.stack([networks.resnet9(8), networks.resnet9(8)])
    state = stack.unstack(stacked, 2)[0]
    before = next(iter(stacked.state_dict().values())).clone()
    next(iter(state.values())).zero_()
    assert torch.equal(before, next(iter(stacked.state_dict().values())))


def test_layers_that_cannot_be_stacked_are_named():
    with pytest.raises(TypeError, match="GroupNorm"):
        stack.stack([nn.GroupNorm(2, 4), nn.GroupNorm(2, 4)])


def test_bad_sizes():
    with pytest.raises(ValueError, match="width 0"):
        networks.resnet9(0)


def test_resnet18_has_torchvisions_trunk():
    assert networks.parameters(networks.resnet18(17)) == 11_176_512 + 512 * 17 + 17
