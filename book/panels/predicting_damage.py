"""Plots and tables of the chapter `predicting_damage`: data in, figure or table out."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from unlearning.page import figures

MARKERS = "osD^v<>P"  # one for each kind of forget set


def rates(results: pd.DataFrame) -> list[Figure]:
    """One panel for each model: T3's rate (across) against the measured one (up), on symmetric logarithmic axes."""
    drawn = []
    for name, part in results.groupby("model", sort=False):
        fig, ax = figures.panel(2.6, 2.9)
        small = max(np.abs(part[["rate", "measured"]]).quantile(0.1).min(), 1e-9)
        ax.axhline(0, color=figures.COLORS["neutral"], lw=0.8)
        ax.axvline(0, color=figures.COLORS["neutral"], lw=0.8)
        for (kind, some), marker in zip(part.groupby("kind", sort=False), MARKERS, strict=False):
            ax.plot(some.rate, some.measured, marker, ms=5, label=kind, alpha=0.8)
        ax.set_xscale("symlog", linthresh=small)
        ax.set_yscale("symlog", linthresh=small)
        # few ticks: the ends and zero are enough to read a sign
        lowest, highest = part[["rate", "measured"]].min().min(), part[["rate", "measured"]].max().max()
        ends = [10.0 ** np.floor(np.log10(v)) for v in (-lowest, highest) if v > small]
        ticks = [-ends[0]] * bool(lowest < -small) + [0] + [ends[-1]] * bool(highest > small)
        ax.set(xlabel="rate by T3", ylabel="measured rate", title=name, xticks=ticks, yticks=ticks)
        ax.minorticks_off()
        drawn.append(fig)
    drawn[-1].axes[0].legend(loc="upper left", fontsize=7.5, handletextpad=0.1)
    return drawn


def damage(results: pd.DataFrame, columns: dict[str, str], model: str) -> list[Figure]:
    """One panel for each column: it (across) against the damage at the end (up), for one model."""
    part, drawn = results[results.model == model], []
    for column, title in columns.items():
        fig, ax = figures.panel(2.6, 2.9)
        for (kind, some), marker in zip(part.groupby("kind", sort=False), MARKERS, strict=False):
            ax.plot(some[column], some.end, marker, ms=5, label=kind, alpha=0.8)
        ax.set(xlabel=title, ylabel="growth of the distance")
        ax.locator_params(nbins=4)
        drawn.append(fig)
    drawn[-1].axes[0].legend(loc="lower right", fontsize=7.5, handletextpad=0.1)
    return drawn


def kinds(results: pd.DataFrame) -> pd.DataFrame:
    """Means over the sets of each kind and model, and how often the first step points away."""
    rows = []
    for (model, kind), some in results.groupby(["model", "kind"], sort=False):
        rows.append({
            "model": model, "kind of set": kind, "cosine": f"{some.cosine.mean():.2f}", "ratio": f"{some.ratio.mean():.2f}",
            "away": f"{int((some.measured > 0).sum())} of {len(some)}", "start": f"{some.start.mean():.3f}",
            "best": f"{(some.start + some.best).mean():.3f}", "end": f"{(some.start + some.end).mean():.2f}",
        })  # fmt: skip
    return pd.DataFrame(rows)


def correlations(found: dict[tuple[str, str], dict[str, tuple[float, float, float]]]) -> pd.DataFrame:
    """Rows = (model, outcome), columns = predictors; each cell a rank correlation with its interval."""
    return pd.DataFrame([
        {"model": model, "outcome": outcome} | {
            n: f"{v:+.2f} [{low:+.2f}, {high:+.2f}]" if v == v else "none: constant" for n, (v, low, high) in row.items()
        }
        for (model, outcome), row in found.items()
    ])  # fmt: skip
