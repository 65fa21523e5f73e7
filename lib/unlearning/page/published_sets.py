"""Whether a draw of our own is one of the benchmark's published index files, without the file: by its checksum."""

import hashlib
import io

import numpy as np

from unlearning import forget_sets


def legacy(seed: int, size: int, points: int = 50_000) -> np.ndarray:
    """How the benchmark drew its random sets: NumPy's old generator, `size` of `points` indices, sorted."""
    return np.sort(np.random.RandomState(seed).choice(points, size, replace=False))


def published_md5(number: int) -> str:
    """MD5 of forget_set_NUMBER.npy (1 to 10), which the library checks when it reads the file."""
    return forget_sets._PUBLISHED_MD5[number - 1]


def is_published(number: int, members: np.ndarray) -> bool:
    """Whether an .npy file with these indices is, byte for byte, the published set `number`."""
    file = io.BytesIO()
    np.save(file, members)
    return hashlib.md5(file.getvalue()).hexdigest() == published_md5(number)
