"""The published random sets without their files, and with them where they lie."""

import numpy as np
import pytest

from unlearning import datasets, forget_sets
from unlearning.page import published_sets

FOLDER = datasets.find_root() / "forget_sets" / "cifar10"


@pytest.mark.parametrize(("number", "seed", "size"), [(1, 0, 10), (2, 1, 100), (3, 2, 1000)])
def test_the_first_three_are_drawn(number: int, seed: int, size: int):
    members = published_sets.legacy(seed, size)
    assert published_sets.is_published(number, members)
    assert np.array_equal(members, forget_sets.forget_set(f"published-{number}", 50_000))
    np.random.seed(seed)
    assert np.array_equal(members, np.sort(np.random.choice(50_000, size, replace=False)))


def test_other_draws_are_not():
    assert not published_sets.is_published(3, published_sets.legacy(2, 500))
    assert not published_sets.is_published(1, published_sets.legacy(1, 10))


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the published index files are not here")
def test_the_checksum_is_that_of_the_file():
    members = np.load(FOLDER / "forget_set_5.npy")
    assert published_sets.is_published(5, members) and not published_sets.is_published(4, members)
