"""Plots and tables of the chapter `random_sets`: data in, figure or table out."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from unlearning.page import figures
from unlearning.theory import random_sets


def margins_table(sizes: list[int], accuracy: float, delta: float) -> pd.DataFrame:
    """Hoeffding's and the exact binomial margin for each size of F."""
    rows = [(n, random_sets.hoeffding_margin(n, delta), random_sets.binomial_margin(n, accuracy, delta)) for n in sizes]
    return pd.DataFrame({
        "|F|": [f"{n:,}" for n, _, _ in rows], "Hoeffding's margin": [f"{h:.3f}" for _, h, _ in rows],
        "exact margin": [f"{e:.3f}" for _, _, e in rows], "ratio": [f"{h / e:.1f}" if e else "–" for _, h, e in rows],
    })  # fmt: skip


def tails(sizes: list[int], accuracy: float) -> Figure:
    """Bound (dashed) and exact probability (solid) of a distance of t or more."""
    fig, ax = figures.panel(4.6, 3.6)
    for n, color in zip(sizes, figures.CYCLE * len(sizes), strict=False):
        t = np.linspace(0, 2.2 * random_sets.hoeffding_margin(n, 0.05), 400)
        ax.plot(t, random_sets.hoeffding_bound(n, t), "--", color=color)
        ax.plot(t, random_sets.binomial_tail(n, accuracy, t), "-", color=color, label=f"|F| = {n:,}")
    ax.plot([], [], "--", color=figures.COLORS["neutral"], label="Hoeffding's bound")
    ax.plot([], [], "-", color=figures.COLORS["neutral"], label="exact")
    ax.set(xlabel="distance t (fraction)", ylabel="probability of ≥ t", yscale="log", ylim=(1e-4, 1.5))
    ax.set(xscale="log", xlim=(0.003, 1))
    ax.legend(loc="lower left", fontsize=8.5)
    return fig


def averaged_binomial(n: int, accuracies: np.ndarray) -> Callable:
    """The exact tail, averaged over the models' own accuracies."""
    values, counts = np.unique(accuracies, return_counts=True)
    return lambda t: np.average([random_sets.binomial_tail(n, p, t) for p in values], axis=0, weights=counts)


def averaged_split(n: int, m: int, totals: np.ndarray) -> Callable:
    """The exact tail of a random split, averaged over the models' counts of correct points."""
    values, counts = np.unique(totals.astype(int), return_counts=True)
    return lambda t: np.average([random_sets.split_tail(n, m, c, t) for c in values], axis=0, weights=counts)


def exceedance(n: int, deviations: np.ndarray, exact: Callable, bounds: list[tuple[Callable, str]]) -> Figure:
    """Observed (dots), exact (solid) and bounding (dashed) probabilities of a deviation of t or more."""
    fig, ax = figures.panel(2.6, 2.9)
    reach = max(1.15 * np.abs(deviations).max(), random_sets.hoeffding_margin(n, 0.4))
    t = np.linspace(0, reach, 120)
    for bound, line in bounds:
        ax.plot(t, bound(t), line, color=figures.COLORS["neutral"])
    ax.plot(t, exact(t), color=figures.COLORS["oracle"])
    at = np.linspace(0, reach, 9)[1:-1]
    seen = np.array([random_sets.exceedance(deviations, d) for d in at])
    bars = [seen[:, 0] - seen[:, 1], seen[:, 2] - seen[:, 0]]
    ax.errorbar(at, seen[:, 0], bars, fmt="o", ms=4.5, color=figures.COLORS["forget"])
    ax.set(xlabel="distance t", ylabel="probability of ≥ t", title=f"|F| = {n:,}", ylim=(-0.03, 1.05))
    ax.locator_params(axis="x", nbins=3)
    ax.xaxis.set_major_formatter("{x:g}")
    return fig


def _bounded(n: int, gaps: np.ndarray, delta: float, m: int | None = None) -> bool:
    """Whether at no distance the observed frequency lies significantly (99.9%) above Hoeffding's bound."""
    ladder = np.linspace(0.25, 2, 8) * random_sets.hoeffding_margin(n, delta, m)
    seen = [random_sets.exceedance(gaps, d, level=0.999) for d in ladder]
    bounds = random_sets.hoeffding_bound(n, ladder, m)
    return all(low <= b for (_, low, _), b in zip(seen, bounds, strict=True))


def known_table(known: dict[int, np.ndarray], delta: float) -> pd.DataFrame:
    """Repeats with a known population, one row for each size of F; columns of the arrays: deviation, accuracy, overlap."""
    rows = []
    for n, repeats in known.items():
        gaps, accuracies, shared = repeats.T
        rows.append({
            "|F|": n, "in R too": shared.mean(), "accuracy": accuracies.mean(), "mean": gaps.mean(),
            "error": gaps.std(ddof=1) / len(gaps) ** 0.5,
            "outside": np.mean(np.abs(gaps) >= random_sets.hoeffding_margin(n, delta)),
            "bounded": _bounded(n, gaps, delta),
        })  # fmt: skip
    return pd.DataFrame(rows)


def split_table(halves: dict[int, np.ndarray], m: int, delta: float) -> pd.DataFrame:
    """Repeats with m test images, one row for each size of F; columns of the arrays: deviation, test accuracy, count."""
    rows = []
    for n, repeats in halves.items():
        gaps, estimates, _ = repeats.T
        naive = np.array([random_sets.binomial_margin(n, p, delta) for p in estimates])
        rows.append({
            "|F|": n, "mean": gaps.mean(), "error": gaps.std(ddof=1) / len(gaps) ** 0.5,
            "inside the naive margin": np.mean(np.abs(gaps) <= naive + 1e-12),
            "bounded": _bounded(n, gaps, delta, m),
        })  # fmt: skip
    return pd.DataFrame(rows)


def plane(method: str, paths: np.ndarray, pretrained: np.ndarray, oracles: np.ndarray, margin: float) -> Figure:
    """Test accuracy (across) against forget accuracy (up): paths (sets, steps, 2) and reference models (sets, 2)."""
    fig, ax = figures.panel(3.5, 3.4)
    color = figures.COLORS["ascent" if method == "GA" else "accent"]
    ax.fill_between([0, 1], [-margin, 1 - margin], [margin, 1 + margin], color=figures.COLORS["neutral"], alpha=0.2, lw=0)
    for path in paths:
        ax.plot(*path.T, color=color, lw=1, alpha=0.6)
    ax.plot(*paths[:, -1].T, "X", ms=7, color=color, label=f"{method}, last step")
    ax.plot(*pretrained.T, "o", ms=6, color=figures.COLORS["pretrained"], label="pretrained")
    ax.plot(*oracles.T, "*", ms=9, color=figures.COLORS["oracle"], label="oracle")
    low = max(0, min(0.85, paths.min() - 0.05))
    ax.set(xlabel="test accuracy", ylabel="forget accuracy", xlim=(low, 1.01), ylim=(low, 1.02), title=method)
    ax.legend(loc="upper left", fontsize=8.5)
    return fig


def places_table(points: dict[str, np.ndarray], margin: float) -> pd.DataFrame:
    """Means over the forget sets of (test, forget) accuracies (sets, 2), and how many lie below the band."""
    rows = []
    for name, values in points.items():
        gaps = values[:, 1] - values[:, 0]
        rows.append({
            "model": name, "forget accuracy": f"{values[:, 1].mean():.1%}", "test accuracy": f"{values[:, 0].mean():.1%}",
            "difference": f"{gaps.mean():+.3f} ± {gaps.std(ddof=1) / np.sqrt(len(gaps)):.3f}",
            "below the band": f"{int((gaps < -margin).sum())} of {len(gaps)}",
        })  # fmt: skip
    return pd.DataFrame(rows)
