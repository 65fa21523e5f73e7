"""Data sets as uint8 tensors, and forget sets as index arrays. Explained in the chapter "Training the ensembles".

Roots, in order: an explicit argument, the environment variable UNLEARNING_DATA, ./data (downloaded there by torchvision
when missing). Files lie as torchvision lays them out; published forget sets in ROOT/forget_sets/cifar10/.
"""
import gzip
import hashlib
import os
import pickle
import re
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from unlearning import influence

ROOT_VARIABLE = "UNLEARNING_DATA"
NAMES = ("digits", "cifar10", "mnist", "fashionmnist")
FORGET_SETS = ("random-K, pc1-top-K, pc2-top-K, pc1-ends-K, pc2-ends-K, "
               "or (full CIFAR-10 only) published-1 … published-10")  # fmt: skip

# file name -> md5 (CIFAR-10: the values that torchvision checks)
_CIFAR10 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f", "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751", "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb", "test_batch": "40351d587109b95175f43aff81a1287e",
}
_MNIST = {  # of the files after gunzip, so that either form can be checked
    "mnist": {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    "fashionmnist": {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
}
_FOLDER = {"cifar10": "cifar-10-batches-py", "mnist": "MNIST/raw", "fashionmnist": "FashionMNIST/raw"}
# per channel, on the scale 0..1 (digits: computed from its own training images)
_MEAN_STD = {"cifar10": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
             "mnist": ((0.1307,), (0.3081,)), "fashionmnist": ((0.2860,), (0.3530,))}  # fmt: skip
# the benchmark's index files: md5 of forget_set_1.npy … forget_set_10.npy
_PUBLISHED_MD5 = (
    "1d3ba7ff45bf384f0f2071017b2e98e6", "55e3088577f27033ebac4021c56264d1", "3836708d34f8202010453191fe729fd1",
    "58203402959fdd344a0f6675d375dcde", "bb985b1d36d7072d9c1d48e1cc3ec9fc", "836f3a3df3443b10ad4130049b30b8fb",
    "e8d72563773423fbacb9833b735aa574", "851efc9a7934601c693ecb5cd7ce7802", "14c501cd6c982092a29ecc0cb8793b11",
    "f95d745ab5498778e5615872ddbf0358",
)  # fmt: skip


class BadInput(ValueError):
    """A request that cannot be served: the message says what was given, what is allowed and what to do."""


@dataclass(frozen=True)
class Data:
    """One data set, resident on one device."""

    name: str  # one of NAMES
    images: torch.Tensor  # (n, channels, h, w) uint8: the training set D
    labels: torch.Tensor  # (n,) int64
    val_images: torch.Tensor  # (v, channels, h, w) uint8: validation points, never trained on
    val_labels: torch.Tensor  # (v,) int64
    mean: torch.Tensor  # (channels,) float32, scale 0..255
    std: torch.Tensor  # (channels,) float32, scale 0..255
    classes: int  # number of classes

    def to(self, device: torch.device | str) -> "Data":
        """The same data on another device."""
        moved = {k: v.to(device) for k, v in vars(self).items() if isinstance(v, torch.Tensor)}
        return replace(self, **moved)

    def normalised(self, images: torch.Tensor) -> torch.Tensor:
        """(…, channels, h, w) uint8 -> (x - mean) / std, in the type of `mean`."""
        return (images.to(self.mean.dtype) - self.mean[:, None, None]) / self.std[:, None, None]


def load(name: str, root: str | Path | None = None, *, train: int | None = None, val: int | None = None,
         pool: int = 1, seed: int = 0) -> Data:  # fmt: skip
    """A data set, optionally cut down. Explained in the chapter "Training the ensembles".

    name: one of NAMES. root: folder of the files (digits needs none). train, val: how many images to keep, drawn
    without replacement by `seed` (None = all). pool: average over pool x pool pixels, rounded back to uint8.
    Raises BadInput for an unknown name, impossible counts, and for missing or damaged files.
    """
    if name not in NAMES:
        raise BadInput(f"unknown data set {name!r}; choose from {', '.join(NAMES)}")
    images, labels, val_images, val_labels = (torch.from_numpy(a) for a in _arrays(name, root))
    keep, val_keep = (_subset(len(labels), train, seed, "training"),
                      _subset(len(val_labels), val, seed + 1, "validation"))  # fmt: skip
    images, labels, val_images, val_labels = images[keep], labels[keep], val_images[val_keep], val_labels[val_keep]
    if pool > 1:
        images, val_images = _pooled(images, pool), _pooled(val_images, pool)
    if name in _MEAN_STD:
        mean, std = (255 * torch.tensor(m) for m in _MEAN_STD[name])
    else:
        std, mean = torch.std_mean(images.float(), dim=(0, 2, 3))
    return Data(name, images, labels, val_images, val_labels, mean, std, classes=10)


def _subset(n: int, keep: int | None, seed: int, what: str) -> torch.Tensor:
    """Sorted indices of the kept images."""
    if keep is None:
        return torch.arange(n)
    if not 2 <= keep <= n:
        raise BadInput(f"{keep} {what} images asked for; choose 2 to {n}")
    return torch.from_numpy(np.sort(np.random.default_rng([seed, n]).choice(n, keep, replace=False)))


def _pooled(images: torch.Tensor, pool: int) -> torch.Tensor:
    return F.avg_pool2d(images.float(), pool).round().to(torch.uint8)


def _arrays(name: str, root: str | Path | None) -> tuple[np.ndarray, ...]:
    """(images, labels, validation images, validation labels): uint8 (n, c, h, w) and int64 (n,)."""
    if name == "digits":
        return _digits()
    folder = _root(name, root) / _FOLDER[name]
    if name == "cifar10":
        batches = [_cifar_batch(folder / file, md5) for file, md5 in _CIFAR10.items()]
        images, labels = zip(*batches)
        return np.concatenate(images[:5]), np.concatenate(labels[:5]), images[5], labels[5]
    parts = [_idx(folder / file, md5) for file, md5 in _MNIST[name].items()]
    return parts[0][:, None], parts[1].astype(np.int64), parts[2][:, None], parts[3].astype(np.int64)


def _digits() -> tuple[np.ndarray, ...]:
    """scikit-learn's 1,797 handwritten digits, 8 x 8 padded with zeros to 12 x 12; the split is a fixed permutation."""
    from sklearn.datasets import load_digits  # not needed on a GPU machine

    found = load_digits()
    images = np.zeros((len(found.target), 1, 12, 12), np.uint8)
    images[:, 0, 2:10, 2:10] = found.images * 15  # 0..16 -> 0..240
    order = np.random.default_rng(0).permutation(len(images))
    train, val = order[:1280], order[1280:]
    labels = found.target.astype(np.int64)
    return images[train], labels[train], images[val], labels[val]


def find_root(root: str | Path | None = None) -> Path:
    """The folder that holds the data files: the argument, else $UNLEARNING_DATA, else ./data."""
    return Path(root or os.environ.get(ROOT_VARIABLE) or "data")


def _root(name: str, root: str | Path | None) -> Path:
    """find_root, after a download into ./data where no root was named and the files are missing."""
    found = find_root(root)
    if root or os.environ.get(ROOT_VARIABLE) or (found / _FOLDER[name]).is_dir():
        return found
    try:
        import torchvision.datasets as sets
    except ImportError:
        raise BadInput(f"{name}: {found / _FOLDER[name]} is missing and torchvision, which would download it, is not "
                       f"installed; set {ROOT_VARIABLE} to a folder that holds it") from None
    kind = {"cifar10": sets.CIFAR10, "mnist": sets.MNIST, "fashionmnist": sets.FashionMNIST}[name]
    try:
        kind(str(found), download=True)
    except (OSError, RuntimeError) as error:
        raise BadInput(f"{name}: cannot be downloaded to {found} ({error}); set {ROOT_VARIABLE} to a folder "
                       "that holds it") from None
    return found


def _checked(path: Path, md5: str, unzip: bool = False) -> bytes:
    """A file's bytes, or one line that says what is wrong and what to do. unzip: PATH.gz will do instead of PATH."""
    try:
        if unzip and not path.exists():
            path = path.with_name(path.name + ".gz")
        found = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:  # gzip's own error is an OSError
        raise BadInput(f"{path}: {getattr(error, 'strerror', None) or error}; download the data set or set "
                       f"{ROOT_VARIABLE} to its folder") from None
    if hashlib.md5(found).hexdigest() != md5:
        raise BadInput(f"{path}: damaged (md5 {hashlib.md5(found).hexdigest()}, expected {md5}); delete it and "
                       "download it again")
    return found


def _cifar_batch(path: Path, md5: str) -> tuple[np.ndarray, np.ndarray]:
    batch = pickle.loads(_checked(path, md5), encoding="bytes")  # the checksum is right, so the pickle is the known one
    return batch[b"data"].reshape(-1, 3, 32, 32), np.array(batch[b"labels"], np.int64)


def _idx(path: Path, md5: str) -> np.ndarray:
    """MNIST's format: 0 0 8 rank, then big-endian sizes, then bytes."""
    raw = _checked(path, md5, unzip=True)
    shape = np.frombuffer(raw, ">u4", raw[3], 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape).copy()


def checked_indices(indices: np.ndarray, points: int, name: str = "forget set") -> np.ndarray:
    """A forget set as sorted int64 indices into `points` training points.

    Raises BadInput when it is empty, not whole numbers, out of range, has duplicates or is the whole training set.
    """
    indices = np.asarray(indices)
    if indices.ndim != 1 or indices.size == 0 or not np.issubdtype(indices.dtype, np.integer):
        raise BadInput(f"{name}: shape {indices.shape}, type {indices.dtype}; give a vector of at least one "
                       "whole number")
    if indices.min() < 0 or indices.max() >= points:
        raise BadInput(f"{name}: indices {indices.min()} to {indices.max()}; the training set has 0 to {points - 1}")
    found = np.unique(indices).astype(np.int64)
    if found.size < indices.size:
        raise BadInput(f"{name}: {indices.size - found.size} duplicate indices; name each point once")
    if found.size > points - 2:
        raise BadInput(f"{name}: {found.size} of {points} training points; at least two must be retained")
    return found


def forget_set(name: str, points: int, margins: np.ndarray | None = None, root: str | Path | None = None) -> np.ndarray:
    """Indices of a forget set, ascending int64. Explained in the chapter "Training the ensembles".

    random-K: K points by NumPy's legacy generator, with seed 0, 1, 2 for K = 10, 100, 1000, which gives exactly the
    published sets 1-3 on 50,000 points, and seed K otherwise. pc1-top-K: the K points with the highest score on the
    first principal component of the ensemble's margin matrix `margins` (models, points); pc1-ends-K: K/2 highest and
    K/2 lowest. published-K: the benchmark's index files for CIFAR-10. Raises BadInput for anything else.
    """
    if match := re.fullmatch(r"published-([1-9]|10)", name):
        if points != 50_000:
            raise BadInput(f"{name}: the published sets index all of CIFAR-10's 50,000 images, this run has {points}")
        return checked_indices(_published(int(match[1]), root), points, name)
    match = re.fullmatch(r"(random|pc1-top|pc2-top|pc1-ends|pc2-ends)-([1-9]\d*)", name)
    if not match:
        raise BadInput(f"unknown forget set {name!r}; choose {FORGET_SETS}")
    kind, size = match[1], int(match[2])
    if size > points - 2:
        raise BadInput(f"{name}: {size} of {points} training points; at least two must be retained")
    if kind == "random":
        return checked_indices(_random(size, points), points, name)
    if margins is None:
        raise BadInput(f"{name}: needs the margins of a trained ensemble")
    scores = influence.principal_components(margins, 2)[0][0 if kind.startswith("pc1") else 1]
    top, bottom = (size, 0) if kind.endswith("top") else (size - size // 2, size // 2)
    return checked_indices(influence.select_points(scores, top, bottom), points, name)


def _random(size: int, points: int) -> np.ndarray:
    seed = {10: 0, 100: 1, 1000: 2}.get(size, size)  # the first three are the benchmark's
    return np.sort(np.random.RandomState(seed).choice(points, size, replace=False))


def _published(k: int, root: str | Path | None) -> np.ndarray:
    if k <= 3:
        return _random(10**k, 50_000)
    path = find_root(root) / "forget_sets" / "cifar10" / f"forget_set_{k}.npy"
    if not path.exists():
        try:
            from huggingface_hub import hf_hub_download  # only a connected machine has it

            path = Path(hf_hub_download("royrin/KLOM-models", f"forget_set_indices/CIFAR10/forget_set_{k}.npy",
                                        repo_type="dataset"))
        except Exception as error:  # the hub raises many kinds; all mean that the file cannot be had
            raise BadInput(f"published-{k}: {path} is missing and the hub cannot serve it ({type(error).__name__}); "
                           f"put forget_set_{k}.npy there, or use a random or pc set") from None
    _checked(path, _PUBLISHED_MD5[k - 1])
    return np.load(path)


def scored_points(data: Data, forget: np.ndarray, retain: int | None, val: int | None, seed: int,
                  near: np.ndarray | None = None) -> dict[str, np.ndarray]:  # fmt: skip
    """Which points are scored: {"forget", "retain", "near", "val"}, positions in training then validation points.

    The retain and validation points are drawn by `seed` alone (the same for every forget set, apart from points that
    the set takes away); None = all of them. near: the retain points that resemble the forget set (`influence.nearest`),
    a group of its own because a percentile over a mixture hangs on the mixture's shares; None = no such group.
    """
    n, v = len(data.labels), len(data.val_labels)
    generator = np.random.default_rng([seed, n, v])
    order, val_order = generator.permutation(n), generator.permutation(v)
    kept = order[~np.isin(order, forget)]
    groups = {"forget": forget, "retain": np.sort(kept[:retain])} | ({} if near is None else {"near": near})
    return groups | {"val": n + np.sort(val_order[:val])}
