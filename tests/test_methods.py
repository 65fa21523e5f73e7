"""Unlearning methods against hand-written loops on autograd, and every switch against what it must leave alone."""

import copy
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from unlearning import methods, networks, stack
from unlearning.errors import Refused
from unlearning.methods import Config, Points


@pytest.fixture(scope="module")
def setting() -> tuple[nn.Module, Points, Points]:
    """A net whose running statistics are not fresh, 10 forget and 30 retain points; float64."""
    torch.manual_seed(0)
    model = networks.resnet9(8, 1).double()
    for _ in range(3):
        model(torch.randn(32, 1, 12, 12, dtype=torch.float64) * 2 + 1)
    x, y = torch.randn(40, 1, 12, 12, dtype=torch.float64), torch.randint(10, (40,))
    return model, Points(x[:10], y[:10]), Points(x[10:], y[10:])


def copies(
    model: nn.Module, forget: Points, retain: Points, config: Config
) -> dict[int, nn.Module]:
    return {epoch: copy.deepcopy(now) for epoch, now in methods.run(model, forget, retain, config)}


def same(a: nn.Module, b: nn.Module, atol: float = 1e-10) -> bool:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.allclose(x.double(), y.double(), atol=atol) for x, y in pairs)


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def statistics(model: nn.Module) -> torch.Tensor:
    return torch.cat([b.flatten().double() for k, b in model.named_buffers() if "running" in k])


def kl(teacher: torch.Tensor, student: torch.Tensor) -> torch.Tensor:
    """16 KL(p ‖ q), mean over points, from its definition."""
    p, q = (teacher / 4).softmax(-1), (student / 4).softmax(-1)
    return 16 * (p * (p / q).log()).sum(-1).mean()


def by_hand(model: nn.Module, passes: list, lr: float) -> nn.Module:
    """θ ← θ - lr ∇loss for each (points, batch, loss of (net, x, y)) in turn."""
    model = copy.deepcopy(model).train()
    for points, batch, loss, factor in passes:
        for x, y in zip(points.images.split(batch), points.labels.split(batch), strict=True):
            gradients = torch.autograd.grad(loss(model, x, y), list(model.parameters()))
            with torch.no_grad():
                for p, g in zip(model.parameters(), gradients, strict=True):
                    p -= lr * factor * g
    return model


def ce(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(model(x), y)


def test_gradient_ascent(setting):
    model, forget, retain = setting
    found = copies(*setting, Config("ga", 0.02, (1, 3), batch=4))
    up = (forget, 4, lambda m, x, y: -ce(m, x, y), 1)
    assert same(found[1], by_hand(model, [up], 0.02)) and same(
        found[3], by_hand(model, [up] * 3, 0.02)
    )
    with torch.no_grad():
        before, after = (
            ce(copy.deepcopy(m).train(), forget.images, forget.labels) for m in (model, found[3])
        )
    assert after > before


def test_descent_ascent_goes_up_first_and_only_in_its_ascent_epochs(setting):
    model, forget, retain = setting
    found = copies(*setting, Config("gda", 0.02, (1, 2), batch=8, forget_batch=5, ascent_epochs=1))
    up, down = (forget, 5, lambda m, x, y: -ce(m, x, y), 1), (retain, 8, ce, 1)
    assert same(found[1], by_hand(model, [up, down], 0.02)) and same(
        found[2], by_hand(model, [up, down, down], 0.02)
    )


def test_fine_tuning_never_sees_the_forget_set(setting):
    model, forget, retain = setting
    spoiled = Points(forget.images * float("nan"), forget.labels)
    found = copies(model, spoiled, retain, Config("finetune", 0.02, (2,), batch=8))
    assert same(found[2], by_hand(model, [(retain, 8, ce, 1)] * 2, 0.02))


def test_scrub_with_its_rate_drops(setting):
    model, forget, retain = setting
    teacher = copy.deepcopy(model).eval()
    up = lambda m, x, y: -kl(teacher(x).detach(), m(x))

    def down(m: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        z = m(x)
        return 0.99 * F.cross_entropy(z, y) + 0.1 * kl(teacher(x).detach(), z)

    passes = [(forget, 5, up, 1), (retain, 15, down, 1)] * 2 + [
        (retain, 15, down, 1),
        (retain, 15, down, 0.1),
    ]
    found = copies(
        *setting, Config("scrub", 0.05, (1, 4), batch=15, forget_batch=5, ascent_epochs=2)
    )
    assert same(found[1], by_hand(model, passes[:2], 0.05)) and same(
        found[4], by_hand(model, passes, 0.05)
    )


def test_published_scrub_is_a_literal_run_of_an_optimiser_on_the_teacher(setting):
    """The published arrangement with all its useless gradients computed: only the student's statistics move."""
    model, forget, retain = setting
    student, teacher = copy.deepcopy(model), copy.deepcopy(model).eval()
    optimiser = torch.optim.SGD(teacher.parameters(), lr=1.0)
    student.train()
    for epoch in (1, 2):
        for points, batch, sign in ((forget, 5, -1), (retain, 15, 1))[epoch > 1 :]:
            for x in points.images.split(batch):
                optimiser.zero_grad()
                with torch.no_grad():
                    told = teacher(x)
                (sign * kl(told, student(x))).backward()
                optimiser.step()
    found = copies(
        *setting, Config("scrub_published", 1.0, (2,), batch=15, forget_batch=5, ascent_epochs=1)
    )[2]
    assert same(found, student)
    assert torch.equal(weights(found), weights(model)) and not torch.allclose(
        statistics(found), statistics(model)
    )


def test_rate_zero_in_train_mode_moves_statistics_only(setting):
    found = copies(*setting, Config("ga", 0.0, (1,)))[1]
    assert torch.equal(weights(found), weights(setting[0]))
    assert not torch.allclose(statistics(found), statistics(setting[0]))


@pytest.mark.parametrize("method", ["ga", "gda", "scrub", "scrub_published"])
def test_frozen_batchnorm_keeps_its_statistics_even_when_scored_in_between(setting, method: str):
    model = setting[0]
    config = Config(
        method, 0.01, (1, 2), batch=8, forget_batch=8, ascent_epochs=2, batchnorm="frozen"
    )
    for _, now in methods.run(*setting, config):
        assert torch.equal(statistics(now), statistics(model))
        now.eval(), now.train()  # what scoring does
    assert torch.equal(weights(now), weights(model)) == (method == "scrub_published")


def test_momentum_and_weight_decay_are_torchs(setting):
    model, forget, _ = setting
    found = copies(*setting, Config("ga", 0.01, (2,), momentum=0.9, weight_decay=5e-4))[2]
    expected = copy.deepcopy(model).train()
    velocity = [torch.zeros_like(p) for p in expected.parameters()]
    for _ in range(2):
        gradients = torch.autograd.grad(
            -ce(expected, forget.images, forget.labels), list(expected.parameters())
        )
        with torch.no_grad():
            for v, p, g in zip(velocity, expected.parameters(), gradients, strict=True):
                v.mul_(0.9).add_(g + 5e-4 * p)
                p -= 0.01 * v
    assert same(found, expected)


def test_shuffling_changes_the_order_and_nothing_else(setting):
    kept, shuffled, again = (
        copies(*setting, Config("ga", 0.02, (1,), batch=4, shuffle=s))[1] for s in (-1, 0, 0)
    )
    assert same(shuffled, again, 0) and not same(kept, shuffled)
    one_batch = [
        copies(*setting, Config("ga", 0.02, (1,), batch=10, shuffle=s))[1] for s in (-1, 0)
    ]
    assert same(*one_batch)  # one batch has no order


@pytest.mark.parametrize("method", ["nothing", "ga", "gda", "finetune", "scrub", "scrub_published"])
def test_a_stack_is_treated_like_its_members_and_the_model_given_is_untouched(setting, method: str):
    model, forget, retain = setting
    torch.manual_seed(5)
    other = networks.resnet9(8, 1).double()
    config = Config(
        method,
        0.02,
        (0,) if method == "nothing" else (1, 2),
        batch=8,
        forget_batch=8,
        ascent_epochs=1,
    )
    stacked = stack.stack([model, other])
    before = copy.deepcopy(stacked)
    states = [stack.unstack(now, 2) for _, now in methods.run(stacked, forget, retain, config)]
    assert same(stacked, before, 0) and len(states) == len(config.epochs)
    for i, member in enumerate((model, other)):
        for checkpoint, alone in zip(
            states, copies(member, forget, retain, config).values(), strict=True
        ):
            assert all(
                torch.allclose(checkpoint[i][k], v, atol=1e-9)
                for k, v in alone.state_dict().items()
                if v.dim()
            )


@given(st.integers(1, 500), st.integers(600, 50_000), st.integers(1, 10), st.integers(0, 10))
def test_cost_counts_points_visited(forget: int, retain: int, epoch: int, ascent: int):
    gda = methods.cost(Config("gda", ascent_epochs=ascent), epoch, forget, retain, 10_000, 24)
    visited = sum(forget * (e <= ascent) + retain for e in range(1, epoch + 1))
    assert gda["paper"] == pytest.approx(visited / ((forget + retain + 10_000) * 24))
    assert gda["true"] == pytest.approx(visited / ((forget + retain) * 24))
    ga = methods.cost(Config("ga"), epoch, forget, retain, 10_000, 24)
    assert ga["true"] == pytest.approx(epoch * forget / ((forget + retain) * 24))
    assert methods.cost(Config("nothing"), 0, forget, retain, 10_000, 24)["true"] == 0


def test_the_papers_cost_understates_by_a_sixth_on_cifar():
    found = methods.cost(Config("gda"), 10, 100, 49_900, 10_000, 24)
    assert found["paper"] / found["true"] == pytest.approx(5 / 6)


@pytest.mark.parametrize(
    "change, told",
    [
        (
            {"method": "gradient-ascent"},
            "unknown method 'gradient-ascent'; choose from nothing, ga",
        ),
        ({"epochs": ()}, "ascending"),
        ({"epochs": (0, 1)}, "ascending"),
        ({"epochs": (3, 1)}, "ascending"),
        ({"batchnorm": "off"}, "choose train or frozen"),
        ({"lr": -1.0}, "must be >= 0"),
        ({"batch": 0}, "batches >= 1"),
    ],
)
def test_bad_configurations(setting, change: dict, told: str):
    with pytest.raises(Refused, match=told):
        methods.run(*setting, replace(Config("ga", 0.1, (1,)), **change))


def test_labels_tell_trajectories_apart_but_not_their_epochs():
    assert Config("ga", 1e-3, (1, 3)).label() == Config("ga", 1e-3, (5,)).label() == "ga,lr=0.001"
    grid = ((lr, a, b) for lr in (1e-3, 5e-3) for a in (3, 5) for b in (32, 64))
    every = [Config("gda", lr, (5,), ascent_epochs=a, forget_batch=b) for lr, a, b in grid]
    assert len({c.label() for c in every}) == 8


def test_a_new_method_is_one_function(setting, monkeypatch: pytest.MonkeyPatch):
    def shrink(
        model: nn.Module, forget: Points, retain: Points, config: Config
    ) -> methods.Checkpoints:
        model = copy.deepcopy(model)
        for epoch in range(1, config.epochs[-1] + 1):
            with torch.no_grad():
                for p in model.parameters():
                    p.mul_(1 - config.lr)
            if epoch in config.epochs:
                yield epoch, model

    monkeypatch.setitem(
        methods.METHODS,
        "shrink",
        methods.Method(shrink, "shrinking", "x", lambda config, epoch: (0, 0)),
    )
    found = copies(*setting, Config("shrink", 0.5, (2,)))[2]
    assert torch.allclose(weights(found), 0.25 * weights(setting[0]))
