"""The cost of a preset, counted without its data, against its real context and against the layers by hand."""

from dataclasses import replace
from pathlib import Path

import pytest

from unlearning import datasets
from unlearning.experiment import layout, plan, presets
from unlearning.page import ladder


def test_blank_shapes_are_those_of_the_data(tmp_path: Path):
    for name in ("smoke", "demo"):
        p = presets.preset(name)
        real = layout.open_context(p, tmp_path / name, None, "cpu")
        blank = ladder.blank(p)
        assert blank.data.images.shape == real.data.images.shape
        assert blank.data.val_images.shape == real.data.val_images.shape
        expected = sum(unit.flops for unit in plan.units(real))
        assert ladder.cost(p).whole == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", ["cifar10", "mnist", "fashionmnist"])
def test_full_sizes(name: str):
    if not (datasets.find_root() / "cifar-10-batches-py").is_dir():
        pytest.skip("no data files here")
    data = datasets.load(name)
    n, v, channels, side = ladder.FULL[name]
    assert data.images.shape == (n, channels, side, side) and len(data.val_labels) == v


def test_the_papers_arithmetic():
    """2.10 PFLOP for one training (reference: the layers by hand), 100 pretrained models and 100 oracles of nine sets."""
    found = ladder.cost(presets.preset("paper"))
    assert found.one == pytest.approx(2.10e15, rel=0.005) and (found.images, found.side) == (
        50_000,
        32,
    )
    kept = 10 - (10 + 100 + 1000 + 10 + 100 + 500 + 10 + 100 + 500) / 50_000
    assert found.ensembles == pytest.approx(100 * found.one * kept)
    assert found.ensembles < found.training < found.whole


def test_models_and_trajectories_are_counted():
    p = presets.preset("smoke", models=4)  # pretrained, two oracles, two short retrainings
    found = ladder.cost(p)
    assert found.trained == 4 * (1 + 2 + 2) and found.trajectories == 4 * 2 * len(p.configs)


def test_a_stage_adds_what_the_ones_before_it_lack():
    p = presets.preset("smoke")
    whole = ladder.cost(p)
    half = replace(p, models=2, configs=())
    added = ladder.increments({"half": half, "all": p, "again": p})
    assert added["again"] == (0, 0, 0.0)
    assert added["half"] == (2 * 5, 0, pytest.approx(ladder.cost(half).whole))
    assert added["all"][:2] == (2 * 5, whole.trajectories)
    assert added["half"][2] + added["all"][2] == pytest.approx(whole.whole)


def test_sets_of_one_size_are_not_confused():
    desk = presets.preset("desk")
    p = replace(
        desk, stages=(), models=3, configs=(), retrain_epochs=(), forget_sets=("published-1",)
    )
    other = replace(p, forget_sets=("published-7",))  # ten points, too
    added = ladder.increments({"1": p, "7": other})
    assert added["1"][0] == 6 and added["7"][0] == 3


def test_only_a_part():
    found = ladder.cost(presets.preset("smoke"))
    assert found.only("methods") == (found.trajectories, found.methods)
    count, flop = found.only("training", 4)
    assert count == found.trained - 4 and flop == found.training - 4 * found.one
