"""KLoM at full scale (2 ensembles of 100 models, 60,000 points, float32) against a per-point scipy loop doing the same.

Prints one JSON line. Both sides run in this process, in turn; the loop scores a sample of the points and its time is
scaled up; each time is the best of several. `ratio` is loop seconds over ours (goal: at least 100): the better of one
thread (`seconds_one_thread`) and torch's default (`threads`, `seconds`), because on cores that are busy with other work
several threads wait for each other. `peak_mb` is the process's peak resident memory after the scoring, imports and input
included (goal: under 1,500).
"""

import json
import resource
import time

import numpy as np
import torch
from scipy.stats import entropy

from unlearning.klom import klom

MODELS, POINTS, LOOP_POINTS, REPEATS = 100, 60_000, 500, 5


def loop(
    unlearned: np.ndarray, oracle: np.ndarray, bins: int = 20, eps: float = 1e-5, clip: float = 100
) -> np.ndarray:
    """KL(oracle || unlearned) per point as in `unlearning.klom.klom`, with numpy's histogram and scipy's entropy."""
    scores = []
    for q, p in zip(unlearned.T, oracle.T, strict=True):
        p, q = np.clip(p, -clip, clip), np.clip(q, -clip, clip)
        low, high = float(min(p.min(), q.min())), float(max(p.max(), q.max()))
        edges = np.linspace(low, high if low < high else low + 1, bins + 1)
        if (p < edges[-1]).any() and (q < edges[-1]).any():
            p, q = p[p < edges[-1]], q[q < edges[-1]]
        p, q = np.histogram(p, edges)[0] / len(p), np.histogram(q, edges)[0] / len(q)
        scores.append(entropy(p, np.where(p > 0, np.maximum(q, eps), q)))
    return np.array(scores)


def seconds(function, *args) -> float:
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


def largest_difference() -> float:
    """Between klom and the loop on float64 margins, half of them on a coarse grid so that they tie with bin edges."""
    generator = torch.Generator().manual_seed(1)
    u, o = (
        torch.randn(MODELS, LOOP_POINTS, generator=generator, dtype=torch.float64) for _ in range(2)
    )
    for x in (u, o):
        x[:, ::2] = (x[:, ::2] * 4).round() / 10
    return float(np.abs(klom(u, o).numpy() - loop(u.numpy(), o.numpy())).max())


def main() -> None:
    generator = torch.Generator().manual_seed(0)
    unlearned, oracle = (torch.randn(MODELS, POINTS, generator=generator) for _ in range(2))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    klom(unlearned, oracle)  # warm up
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    threads, ours, ours_one, theirs = torch.get_num_threads(), [], [], []
    sample = (unlearned[:, :LOOP_POINTS].numpy(), oracle[:, :LOOP_POINTS].numpy())
    for _ in range(REPEATS):
        ours.append(seconds(klom, unlearned, oracle))
        torch.set_num_threads(1)
        ours_one.append(seconds(klom, unlearned, oracle))
        torch.set_num_threads(threads)
        theirs.append(seconds(loop, *sample) * POINTS / LOOP_POINTS)
    print(
        json.dumps(
            {
                "bench": "klom",
                "ratio": round(min(theirs) / min(ours + ours_one), 1),
                "goal": 100,
                "threads": threads,
                "seconds": round(min(ours), 3),
                "seconds_one_thread": round(min(ours_one), 3),
                "loop_seconds": round(min(theirs), 2),
                "largest_difference_float64": largest_difference(),
                "peak_mb": round(peak),
                "before_mb": round(before),
                "torch": torch.__version__,
                "numpy": np.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()
