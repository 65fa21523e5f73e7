"""KLoM once more, by hand: the one reference that every test of a score is held against.

Point by point, with numpy's histogram and scipy's entropy in float64; nothing of the library is used.
"""

import numpy as np
from scipy.stats import entropy


def klom(
    unlearned, oracle, direction="oracle_to_unlearned", bins=20, eps=1e-5, clip=100.0, drop_max=True
) -> np.ndarray:
    """Score of each point, (points,) nats, from margins (models, points): arrays or tensors of any float type.

    The definition of the paper's experiments: clip, K equal bins over the joint range, a half-open last bin, Q raised
    to eps where P > 0. A NaN counts as -clip; where the half-open bin would empty a histogram it is closed for both.
    """
    scores = []
    pairs = (np.asarray(x, np.float64).T for x in (unlearned, oracle))
    for u, o in zip(*pairs, strict=True):
        p, q = (np.clip(np.where(np.isnan(x), -clip, x), -clip, clip) for x in (o, u))
        if direction == "unlearned_to_oracle":
            p, q = q, p
        low, high = min(p.min(), q.min()), max(p.max(), q.max())
        edges = np.linspace(low, high if low < high else low + 1, bins + 1)
        if drop_max and (p < edges[-1]).any() and (q < edges[-1]).any():
            p, q = p[p < edges[-1]], q[q < edges[-1]]
        p, q = (np.histogram(x, edges)[0] / len(x) for x in (p, q))
        scores.append(entropy(p, np.where(p > 0, np.maximum(q, eps), q)))  # scipy normalises both
    return np.array(scores)
