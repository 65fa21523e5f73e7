"""Data sets and forget sets against torchvision, scikit-learn, the published recipe, and damaged files."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unlearning import datasets, forget_sets
from unlearning.errors import Refused

ROOT = datasets.find_root()
needs_cifar = pytest.mark.skipif(
    not (ROOT / "cifar-10-batches-py").is_dir(), reason="no CIFAR-10 in the data folder"
)


@pytest.fixture(scope="module")
def cifar() -> datasets.Data:
    return datasets.load("cifar10", ROOT)


def test_digits_are_scikit_learns_padded_with_zeros():
    from sklearn.datasets import load_digits

    found = datasets.load("digits")
    assert found.images.shape == (1280, 1, 12, 12) and found.val_images.shape == (517, 1, 12, 12)
    images = torch.cat([found.images, found.val_images])[:, 0].numpy()
    assert (
        images[:, :2].max()
        == images[:, -2:].max()
        == images[:, :, :2].max()
        == images[:, :, -2:].max()
        == 0
    )
    ours = sorted(
        (tuple((image[2:10, 2:10] // 15).ravel()), int(label))
        for image, label in zip(images, torch.cat([found.labels, found.val_labels]), strict=True)
    )
    theirs = load_digits()
    pairs = zip(theirs.images, theirs.target, strict=True)
    assert ours == sorted((tuple(map(int, image.ravel())), int(label)) for image, label in pairs)


def test_normalised_digits_have_mean_0_and_deviation_1():
    found = datasets.load("digits")
    x = found.normalised(found.images)
    assert abs(float(x.mean())) < 1e-5 and abs(float(x.std()) - 1) < 1e-5


@needs_cifar
def test_cifar_is_torchvisions(cifar: datasets.Data):
    from torchvision.datasets import CIFAR10

    found = cifar
    for train, images, labels in (
        (True, found.images, found.labels),
        (False, found.val_images, found.val_labels),
    ):
        theirs = CIFAR10(str(ROOT), train=train, download=False)
        assert np.array_equal(images.permute(0, 2, 3, 1).numpy(), theirs.data)
        assert labels.tolist() == theirs.targets
    mean = found.images.double().mean(
        (0, 2, 3)
    )  # the data folder's own note: 125.3069, 122.9504, 113.8654
    assert np.allclose(found.mean, mean, atol=0.1)


@needs_cifar
def test_a_cut_keeps_images_of_the_whole_and_pools_by_the_mean(cifar: datasets.Data):
    cut = datasets.load("cifar10", ROOT, train=7, val=5, pool=2)
    corner = (
        cifar.images[:, 0, :4, :4].numpy().reshape(50_000, 2, 2, 2, 2).mean((2, 4))
    )  # of the first channel
    for image, label in zip(cut.images.numpy(), cut.labels, strict=True):
        near = np.flatnonzero(np.abs(corner - image[0, :2, :2]).max((1, 2)) <= 0.5)
        pooled = cifar.images[near].numpy().reshape(-1, 3, 16, 2, 16, 2).mean((3, 5))
        distance = np.abs(pooled - image).max((1, 2, 3))
        assert distance.min() <= 0.5 and cifar.labels[near[distance.argmin()]] == label
    again = datasets.load("cifar10", ROOT, train=7, val=5, pool=2)
    assert torch.equal(again.images, cut.images) and cut.val_images.shape == (5, 3, 16, 16)


@pytest.mark.skipif(not (ROOT / "MNIST").is_dir(), reason="no MNIST in the data folder")
def test_mnist_is_torchvisions():
    from torchvision.datasets import MNIST

    found, theirs = datasets.load("mnist", ROOT), MNIST(str(ROOT), train=False, download=False)
    assert torch.equal(found.val_images[:, 0], theirs.data) and torch.equal(
        found.val_labels, theirs.targets
    )
    assert found.images.shape == (60_000, 1, 28, 28)


def test_missing_and_damaged_files_are_one_line_that_names_the_file(tmp_path: Path):
    with pytest.raises(Refused, match="data_batch_1: No such file.*UNLEARNING_DATA"):
        datasets.load("cifar10", tmp_path)
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "data_batch_1").write_bytes(
        b"\x80\x02c__main__\nx\n."
    )  # would run code if it were unpickled
    with pytest.raises(Refused, match="data_batch_1: damaged .*download it again") as caught:
        datasets.load("cifar10", tmp_path)
    assert "\n" not in str(caught.value)


def test_unknown_names_and_impossible_counts():
    with pytest.raises(Refused, match="unknown data set 'cifar'; choose from digits, cifar10"):
        datasets.load("cifar")
    for count in (0, 1, 1281):
        with pytest.raises(Refused, match="choose 2 to 1280"):
            datasets.load("digits", train=count)


def test_the_root_is_the_argument_then_the_environment_then_data(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(datasets.ROOT_VARIABLE, "elsewhere")
    assert datasets.find_root("here") == Path("here") and datasets.find_root() == Path("elsewhere")
    monkeypatch.delenv(datasets.ROOT_VARIABLE)
    assert datasets.find_root() == Path("data")


@pytest.mark.parametrize("k, size", [(1, 10), (2, 100), (3, 1000)])
def test_random_sets_are_the_published_ones(k: int, size: int):
    np.random.seed(k - 1)  # the published recipe, literally
    expected = np.sort(np.random.choice(50_000, size, replace=False))
    assert np.array_equal(forget_sets.forget_set(f"random-{size}", 50_000), expected)
    assert np.array_equal(forget_sets.forget_set(f"published-{k}", 50_000), expected)
    import hashlib
    import io

    buffer = io.BytesIO()
    np.save(buffer, expected.astype(np.int64))
    assert hashlib.md5(buffer.getvalue()).hexdigest() == forget_sets._PUBLISHED_MD5[k - 1]


def test_a_published_file_is_read_and_a_changed_one_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "forget_sets" / "cifar10"
    folder.mkdir(parents=True)
    np.save(folder / "forget_set_5.npy", np.arange(100))
    with pytest.raises(Refused, match="forget_set_5.npy: damaged"):
        forget_sets.forget_set("published-5", 50_000, root=tmp_path)
    import hashlib

    md5 = hashlib.md5((folder / "forget_set_5.npy").read_bytes()).hexdigest()
    monkeypatch.setattr(
        forget_sets,
        "_PUBLISHED_MD5",
        (*forget_sets._PUBLISHED_MD5[:4], md5, *forget_sets._PUBLISHED_MD5[5:]),
    )
    assert np.array_equal(
        forget_sets.forget_set("published-5", 50_000, root=tmp_path), np.arange(100)
    )


def test_a_published_file_that_cannot_be_had_says_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(Refused, match="put forget_set_5.npy there .*royrin/KLOM-models") as caught:
        forget_sets.forget_set("published-5", 50_000, root=tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_principal_component_sets_pick_the_planted_points():
    generator = np.random.default_rng(0)
    margins = generator.normal(size=(40, 200)) * 0.01
    margins[:, [3, 50, 7]] += np.outer(generator.normal(size=40), [5, 4, 3])  # first component
    margins[:, [9, 120]] += np.outer(generator.normal(size=40), [2, -2.1])  # second: two ends
    assert forget_sets.forget_set("pc1-top-3", 200, margins).tolist() == [3, 7, 50]
    assert forget_sets.forget_set("pc2-ends-2", 200, margins).tolist() == [9, 120]


@pytest.mark.parametrize(
    "name",
    ["random", "random-0", "random--3", "pc3-top-5", "published-11", "../x-3", "random-5\n", ""],
)
def test_unknown_forget_sets(name: str):
    with pytest.raises(Refused, match="unknown forget set|published"):
        forget_sets.forget_set(name, 100)


def test_impossible_forget_sets():
    with pytest.raises(Refused, match="99 of 100 training points"):
        forget_sets.forget_set("random-99", 100)
    with pytest.raises(Refused, match="needs the margins"):
        forget_sets.forget_set("pc1-top-5", 100)
    with pytest.raises(Refused, match="index all of CIFAR-10's 50,000"):
        forget_sets.forget_set("published-1", 690)


@given(st.lists(st.integers(-3, 12), max_size=12))
@settings(max_examples=200, deadline=None)
def test_checked_indices_accepts_exactly_proper_subsets(indices: list[int]):
    good = 0 < len(indices) == len(set(indices)) <= 8 and all(0 <= i < 10 for i in indices)
    if good:
        assert forget_sets.checked_indices(np.array(indices), 10).tolist() == sorted(indices)
    else:
        with pytest.raises(Refused):
            forget_sets.checked_indices(np.array(indices, dtype=int), 10)


def test_scored_points_are_disjoint_fixed_and_spare_the_forget_set():
    found = datasets.load("digits")
    forget = forget_sets.forget_set("random-20", 1280)
    groups = forget_sets.scored_points(found, forget, 100, 50, seed=0)
    assert set(groups["forget"]) & set(groups["retain"]) == set()
    assert groups["val"].min() >= 1280 and groups["val"].max() < 1280 + 517
    assert [len(groups[g]) for g in ("forget", "retain", "val")] == [20, 100, 50]
    other = forget_sets.scored_points(
        found, forget_sets.forget_set("random-10", 1280), 100, 50, seed=0
    )
    assert (
        np.array_equal(other["val"], groups["val"])
        and len(set(other["retain"]) & set(groups["retain"])) > 90
    )
    everything = forget_sets.scored_points(found, forget, None, None, seed=0)
    assert len(everything["retain"]) == 1260 and len(everything["val"]) == 517
