"""Data sets as uint8 tensors on one device.

Roots, in order: an explicit argument, the environment variable UNLEARNING_DATA, ./data (downloaded there by torchvision
when missing). Files lie as torchvision lays them out. To add a data set, write a function that reads it and one entry
of DATASETS."""

import gzip
import hashlib
import io
import os
import pickle
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from unlearning.errors import Refused
from unlearning.files import Damaged, content

LARGEST = 1 << 28  # bytes of one data file at most; MNIST's images have 47 MB
ROOT_VARIABLE = "UNLEARNING_DATA"
Arrays = tuple[
    np.ndarray, ...
]  # (images, labels, validation images, labels): uint8 (n, c, h, w), int64 (n,)
# file name -> md5 (CIFAR-10: the values that torchvision checks)
_CIFAR10 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
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


@dataclass(frozen=True)
class Dataset:
    """How one data set is read: an entry of DATASETS."""

    read: Callable[[Path], Arrays]  # its folder -> arrays; Refused for missing or damaged files
    folder: str  # below the root, as torchvision lays it out; "" needs no file
    torchvision: str  # class that downloads it; "" needs none
    mean_std: (
        tuple[tuple[float, ...], tuple[float, ...]] | None
    )  # per channel, scale 0..1; None: computed


@dataclass(frozen=True)
class Data:
    """One data set, resident on one device."""

    name: str  # key of DATASETS
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


def load(
    name: str,
    root: str | Path | None = None,
    *,
    train: int | None = None,
    val: int | None = None,
    pool: int = 1,
    label_noise: float = 0.0,
    seed: int = 0,
) -> Data:
    """A data set, optionally cut down.

    name: key of DATASETS. root: folder of the files (digits needs none). train, val: how many images to keep, drawn
    without replacement by `seed` (None = all). pool: average over pool x pool pixels, rounded back to uint8.
    label_noise: fraction of the training labels that are drawn again, uniformly, by `seed` (for tests and small data
    sets: it leaves something to memorise).
    Raises Refused for an unknown name, impossible counts, and for missing or damaged files.
    """
    if name not in DATASETS:
        raise Refused(f"unknown data set {name!r}; choose from {', '.join(DATASETS)}")
    if not 0 <= label_noise <= 1:
        raise Refused(f"label_noise {label_noise}: give a fraction from 0 to 1")
    one = DATASETS[name]
    images, labels, val_images, val_labels = map(torch.from_numpy, one.read(_folder(name, root)))
    keep, val_keep = (
        _subset(len(labels), train, seed, "training"),
        _subset(len(val_labels), val, seed + 1, "validation"),
    )
    images, labels, val_images, val_labels = (
        images[keep],
        labels[keep],
        val_images[val_keep],
        val_labels[val_keep],
    )
    if pool > 1:
        images, val_images = _pooled(images, pool), _pooled(val_images, pool)
    if label_noise:
        labels = _redrawn(labels, label_noise, seed)
    if one.mean_std:
        mean, std = (255 * torch.tensor(m) for m in one.mean_std)
    else:
        std, mean = torch.std_mean(images.float(), dim=(0, 2, 3))
    return Data(name, images, labels, val_images, val_labels, mean, std, classes=10)


def _subset(n: int, keep: int | None, seed: int, what: str) -> torch.Tensor:
    """Sorted indices of the kept images."""
    if keep is None:
        return torch.arange(n)
    if not 2 <= keep <= n:
        raise Refused(f"{keep} {what} images asked for; choose 2 to {n}")
    return torch.from_numpy(
        np.sort(np.random.default_rng([seed, n]).choice(n, keep, replace=False))
    )


def _redrawn(labels: torch.Tensor, fraction: float, seed: int) -> torch.Tensor:
    """Labels of which a fraction is drawn again, uniformly over the classes (a tenth of those stay as they were)."""
    generator = np.random.default_rng([seed, len(labels), 1])
    chosen = generator.choice(len(labels), round(fraction * len(labels)), replace=False)
    drawn = labels.clone()
    drawn[torch.from_numpy(chosen)] = torch.from_numpy(generator.integers(0, 10, len(chosen)))
    return drawn


def _pooled(images: torch.Tensor, pool: int) -> torch.Tensor:
    return F.avg_pool2d(images.float(), pool).round().to(torch.uint8)


def _cifar10(folder: Path) -> Arrays:
    batches = [_cifar_batch(folder / file, md5) for file, md5 in _CIFAR10.items()]
    images, labels = zip(*batches, strict=True)
    return np.concatenate(images[:5]), np.concatenate(labels[:5]), images[5], labels[5]


def _mnist(name: str) -> Callable[[Path], Arrays]:
    def read(folder: Path) -> Arrays:
        images, labels, val_images, val_labels = (
            _idx(folder / file, md5) for file, md5 in _MNIST[name].items()
        )
        return (
            images[:, None],
            labels.astype(np.int64),
            val_images[:, None],
            val_labels.astype(np.int64),
        )

    return read


def _digits(folder: Path) -> Arrays:
    """scikit-learn's 1,797 handwritten digits, 8 x 8 padded with zeros to 12 x 12; the split is a fixed permutation."""
    try:
        from sklearn.datasets import load_digits  # not needed on a GPU machine
    except ImportError:
        raise Refused(
            "digits: they come with scikit-learn, which is not installed; install it, or choose a preset with "
            "other data"
        ) from None

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


def _folder(name: str, root: str | Path | None) -> Path:
    """Where a data set's files lie, after a download into ./data where no root was named and they are missing."""
    one, found = DATASETS[name], find_root(root)
    if (
        not one.torchvision
        or root
        or os.environ.get(ROOT_VARIABLE)
        or (found / one.folder).is_dir()
    ):
        return found / one.folder
    try:
        from torchvision import datasets as torchvision
    except ImportError:
        raise Refused(
            f"{name}: {found / one.folder} is missing and torchvision, which would download it, is not "
            f"installed; set {ROOT_VARIABLE} to a folder that holds it"
        ) from None
    try:
        getattr(torchvision, one.torchvision)(str(found), download=True)
    except (OSError, RuntimeError) as error:
        raise Refused(
            f"{name}: cannot be downloaded to {found} ({error}); set {ROOT_VARIABLE} to a folder that holds it"
        ) from None
    return found / one.folder


def checked_file(path: Path, md5: str, unzip: bool = False) -> bytes:
    """A file's bytes, or one line that says what is wrong and what to do. unzip: PATH.gz will do instead of PATH."""
    try:
        if unzip and not path.exists():
            path = path.with_name(path.name + ".gz")
        found = content(path, LARGEST)
        if path.suffix == ".gz":
            found = gzip.GzipFile(fileobj=io.BytesIO(found)).read(LARGEST)
    except (Damaged, OSError, EOFError, zlib.error) as error:  # gzip's own error is an OSError
        raise Refused(
            f"{path}: {getattr(error, 'reason', None) or error}; download the data set or set "
            f"{ROOT_VARIABLE} to its folder"
        ) from None
    if hashlib.md5(found).hexdigest() != md5:
        raise Refused(
            f"{path}: damaged (md5 {hashlib.md5(found).hexdigest()}, expected {md5}); delete it and "
            "download it again"
        )
    return found


def _cifar_batch(path: Path, md5: str) -> tuple[np.ndarray, np.ndarray]:
    batch = pickle.loads(
        checked_file(path, md5), encoding="bytes"
    )  # the checksum is right, so the pickle is the known one
    return batch[b"data"].reshape(-1, 3, 32, 32), np.array(batch[b"labels"], np.int64)


def _idx(path: Path, md5: str) -> np.ndarray:
    """MNIST's format: 0 0 8 rank, then big-endian sizes, then bytes."""
    raw = checked_file(path, md5, unzip=True)
    shape = np.frombuffer(raw, ">u4", raw[3], 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape).copy()


# mean and standard deviation per channel on the scale 0..1: the usual constants; digits: of its own training images
DATASETS = {
    "digits": Dataset(_digits, "", "", None),
    "cifar10": Dataset(
        _cifar10,
        "cifar-10-batches-py",
        "CIFAR10",
        ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    ),
    "mnist": Dataset(_mnist("mnist"), "MNIST/raw", "MNIST", ((0.1307,), (0.3081,))),
    "fashionmnist": Dataset(
        _mnist("fashionmnist"), "FashionMNIST/raw", "FashionMNIST", ((0.2860,), (0.3530,))
    ),
}
