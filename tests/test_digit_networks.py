"""The metric chapters' small networks against one plain torch module, and what a small last batch may touch."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from unlearning import datasets
from unlearning.page import digit_networks

POINTS = 3 * digit_networks.BATCH + 5  # a last batch of five


@pytest.fixture(scope="module")
def digits() -> datasets.Data:
    return datasets.load("digits")


def module(net: dict[str, torch.Tensor], at: int) -> nn.Sequential:
    """Network `at` of an ensemble as torch's own layers."""
    width = digit_networks.WIDTH
    plain = nn.Sequential(
        nn.Linear(64, width, bias=False),
        nn.BatchNorm1d(width),
        nn.ReLU(),
        nn.Linear(width, 10, bias=False),
    )
    part = slice(at * width, (at + 1) * width)
    with torch.no_grad():
        plain[0].weight.copy_(net["first"][at].T)
        plain[3].weight.copy_(net["last"][at].T)
        for name, key in (
            ("weight", "scale"),
            ("bias", "shift"),
            ("running_mean", "mean"),
            ("running_var", "var"),
        ):
            getattr(plain[1], name).copy_(net[key][part])
    return plain


def test_an_ensemble_is_its_networks_trained_one_by_one(digits, monkeypatch):
    monkeypatch.setattr(digit_networks, "EPOCHS", 1)
    found = digit_networks.train(digits, POINTS, 2, seed=3, last="both")
    generator = torch.Generator().manual_seed(3)
    start = digit_networks.untrained(2, generator)
    orders = [torch.randperm(POINTS, generator=generator) for _ in range(2)]
    x, steps = (digits.images[:, 0, 2:10, 2:10] / 120 - 1).flatten(1), 4
    for at, order in enumerate(orders):
        plain = module(start, at)
        sgd = torch.optim.SGD(plain.parameters(), lr=0.0, momentum=0.9, weight_decay=5e-4)
        for step, now in enumerate(order.split(digit_networks.BATCH)):
            peak = steps / 4
            rate = step / peak if step < peak else (steps - step) / (steps - peak)
            sgd.param_groups[0]["lr"] = digit_networks.PEAK * rate
            sgd.zero_grad()
            cross_entropy(plain(x[now]), digits.labels[now]).backward()
            sgd.step()
        expected = module(found, at)
        for a, b in zip(plain.state_dict().values(), expected.state_dict().values(), strict=True):
            if a.is_floating_point():
                torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
        plain.eval()
        z = plain((digits.val_images[:, 0, 2:10, 2:10] / 120 - 1).flatten(1))
        right = z.softmax(1)[torch.arange(len(z)), digits.val_labels].double()
        phi = digit_networks.score(found, digits)[0][at].double()
        torch.testing.assert_close(phi, (right / (1 - right)).log(), rtol=1e-2, atol=1e-2)


def test_a_small_last_batch_touches_only_what_it_is_told_to(digits, monkeypatch):
    monkeypatch.setattr(digit_networks, "EPOCHS", 1)
    drop, statistics, step, both = (
        digit_networks.train(digits, POINTS, 2, seed=1, last=last) for last in digit_networks.LAST
    )
    weights, running = ("first", "last", "scale", "shift"), ("mean", "var")
    same = lambda a, b, keys: all(torch.equal(a[k], b[k]) for k in keys)  # noqa: E731
    assert same(drop, statistics, weights) and not same(drop, statistics, running)
    assert same(drop, step, running) and not same(drop, step, weights)
    assert same(both, step, weights) and same(both, statistics, running)


def test_without_a_small_batch_the_four_are_one(digits, monkeypatch):
    monkeypatch.setattr(digit_networks, "EPOCHS", 1)
    every = [
        digit_networks.train(digits, 128, 2, seed=1, last=last) for last in digit_networks.LAST
    ]
    assert all(torch.equal(net["first"], every[0]["first"]) for net in every)


def test_trained_networks_read_digits(digits):
    phi, accuracy = digit_networks.score(digit_networks.train(digits, 512, 3, seed=0), digits)
    assert phi.shape == (3, 517) and accuracy > 0.9
    assert accuracy == pytest.approx(float((phi > 0).float().mean()), abs=0.03)
