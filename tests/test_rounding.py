"""Step-by-step training against the library's, and what a nudge and a smooth network are."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from unlearning import datasets, networks, training
from unlearning.files import ROOT
from unlearning.page import rounding
from unlearning.training import Recipe

RECIPE = Recipe(epochs=2, batch=24, peak_lr=0.1, peak_epoch=1.0)


@pytest.fixture(scope="module")
def digits() -> datasets.Data:
    return datasets.load("digits", train=72, val=30)


def build() -> nn.Module:
    return networks.resnet9(4, 1)


def test_the_walk_ends_where_training_ends(digits):
    nets = [training.fresh(build, seed) for seed in (1, 2)]
    before = [p.clone() for net in nets for p in net.parameters()]
    alone = rounding.walk(nets[1:], [2], digits, RECIPE, 30)
    both = rounding.walk(nets, [1, 2], digits, RECIPE, 30)
    assert alone.shape == (6, 1, 30) and both.shape == (6, 2, 30)
    model = training.train_one(build, digits, np.arange(72), RECIPE, 2)
    expected = training.score(model, digits, digits.val_images, digits.val_labels)[0][0]
    np.testing.assert_allclose(alone[-1, 0], expected, atol=1e-3)
    np.testing.assert_allclose(both[-1, 1], expected, atol=0.05)
    after = [p for net in nets for p in net.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_smooth_network_has_no_kinks_left_and_the_same_weights():
    net = build()
    copy = rounding.smooth(net)
    kinds = [type(part) for part in copy.modules()]
    assert not {nn.ReLU, nn.MaxPool2d, nn.AdaptiveMaxPool2d} & set(kinds)
    assert kinds.count(nn.SiLU) == 8 and nn.ReLU in [type(part) for part in net.modules()]
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), copy.parameters(), strict=True))
    with torch.no_grad():
        assert copy.eval()(torch.randn(2, 1, 12, 12)).shape == (2, 10)


def test_a_nudge_has_its_size_and_repeats():
    net = build()
    a, b = rounding.nudged(net, 1e-2, 0), rounding.nudged(net, 1e-2, 0)
    for p, q, r in zip(net.parameters(), a.parameters(), b.parameters(), strict=True):
        assert torch.equal(q, r)
        if p.numel() > 300 and p.detach().abs().sum() > 0:
            assert float(((q - p).std() / p.abs().mean()).detach()) == pytest.approx(1e-2, rel=0.15)
    same = rounding.nudged(net, 0.0, 0)
    assert all(torch.equal(p, q) for p, q in zip(net.parameters(), same.parameters(), strict=True))


def test_one_kind_of_kink_at_a_time():
    counts = {
        "ReLU": nn.SiLU,
        "max-pooling": nn.AvgPool2d,
        "the last maximum": nn.AdaptiveAvgPool2d,
    }
    for name, change in rounding.WITHOUT.items():
        kinds = [type(part) for part in change(build()).modules()]
        assert counts[name] in kinds
        assert sum(kind in kinds for kind in rounding.KINKS) == 2


def test_models_compared_with_themselves_and_with_strangers():
    rng = np.random.default_rng(0)
    mean, a, b = rng.normal(size=400) * 5, *rng.normal(size=(2, 60, 400))
    same = rounding.compared(mean + a, mean + a)
    assert same["correlation"] == pytest.approx(1) and same["median_difference"] == 0
    other = rounding.compared(mean + a, mean + b)
    assert abs(other["correlation"]) < 0.03  # the points' means do not count
    sister = np.sqrt(2) * 0.6745  # the median of |x - y| for standard normals
    assert other["median_difference"] == pytest.approx(sister, rel=0.03)
    assert other["median_between_seeds"] == pytest.approx(sister, rel=0.03)
    assert (other["models"], other["points"]) == (60, 400)


def test_the_record_has_what_the_page_says():
    told = json.loads((ROOT / "results" / "cpu_kinds.json").read_text())
    assert told["models"] == 12 and 0 < told["correlation"] < 1
    assert 0 < told["median_difference"] < told["median_between_seeds"]
    assert told["cpu"] and told["torch"] and told["provenance"]["commit"]
