"""The experiment's sizes: what each of them must respect, whatever it is for."""

from dataclasses import fields

import pytest

from unlearning import forget_sets, methods
from unlearning.experiment.presets import PRESETS, preset

IMAGES = {
    "digits": 1280,
    "cifar10": 50_000,
    "mnist": 60_000,
    "fashionmnist": 60_000,
}  # training images
SIZE = {
    1: 10,
    2: 100,
    3: 1000,
    4: 10,
    5: 100,
    6: 500,
    7: 10,
    8: 100,
    9: 500,
    10: 100,
}  # of the published sets


def sizes(name: str) -> tuple[int, list[int]]:
    """(|D|, |F| of each forget set) of a preset, from its names alone."""
    p = PRESETS[name]
    ends = [(s, int(s.rpartition("-")[2])) for s in p.forget_sets]
    return p.train_images or IMAGES[p.dataset], [
        SIZE[k] if s.startswith("published") else k for s, k in ends
    ]


@pytest.mark.parametrize("name", PRESETS)
def test_no_training_ends_on_a_tiny_batch(name: str):
    """D11: the last batch of an epoch holds at least a third of a batch, with and without any forget set."""
    p, (n, forget) = PRESETS[name], sizes(name)
    for points in (n, *(n - size for size in forget)):
        left = points
        while left > p.recipe.batch:
            left -= p.recipe.batch
        assert 3 * left >= p.recipe.batch, (points, left)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_asks_for_things_that_exist(name: str):
    p, (n, forget) = PRESETS[name], sizes(name)
    assert preset(name) is not None and p.name == name
    assert n <= IMAGES[p.dataset] and max(forget) < n / 2
    assert p.recipe.peak_epoch < p.recipe.epochs
    assert p.models % p.stack == 0
    assert len({methods.checked(c).label() for c in p.configs}) == len(p.configs)


@pytest.mark.parametrize("dataset", ["mnist", "fashionmnist"])
def test_table_1_at_its_own_scale_forgets_the_papers_fractions(dataset: str):
    n, forget = sizes(f"{dataset}-paper")
    assert [100 * size / n for size in forget] == [0.02, 0.2, 10.0]
    n, forget = sizes(f"{dataset}-laptop")
    assert forget[0] == 1  # no smaller fraction exists
    assert [100 * size / n for size in forget[1:]] == pytest.approx([0.2, 10.0], rel=0.02)


@pytest.mark.parametrize("dataset", ["mnist", "fashionmnist"])
def test_the_twin_differs_from_laptop_in_nothing_but_the_data(dataset: str):
    twin, laptop = PRESETS[f"{dataset}-twin"], PRESETS["laptop"]
    free = {"name", "dataset", "stack", "forget_sets", "configs", "retrain_epochs"}
    for field in fields(twin):
        if field.name not in free:
            assert getattr(twin, field.name) == getattr(laptop, field.name), field.name
    assert set(twin.forget_sets) <= set(laptop.forget_sets)


def test_both_data_sets_of_table_1_get_the_same_treatment():
    for name in ("mnist-laptop", "mnist-twin", "mnist-paper"):
        a, b = PRESETS[name], PRESETS[f"fashion{name}"]
        assert [f.name for f in fields(a) if getattr(a, f.name) != getattr(b, f.name)] == [
            "name",
            "dataset",
        ]


def test_the_forget_sets_can_be_drawn():
    for name in PRESETS:
        n, forget = sizes(name)
        for label, size in zip(PRESETS[name].forget_sets, forget, strict=True):
            if label.startswith("random"):
                assert len(forget_sets.forget_set(label, n)) == size
