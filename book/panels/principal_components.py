"""Plots and tables of the chapter `principal_components`: data in, figure or table out."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from unlearning.page import figures

LOOKS = {"PC1": ("ascent", "o"), "PC2": ("accent", "s"), "random": ("neutral", "^")}
MATRICES = {"fixed": ("pretrained", "o", "-"), "rest": ("oracle", "s", "--"), "ensemble": ("forget", "D", ":")}


def interval(values) -> tuple[float, float, float]:
    """Mean and 95% percentile-bootstrap interval of the mean."""
    values = np.asarray(values, dtype=float)
    draws = np.random.default_rng(0).choice(values, (4000, len(values))).mean(axis=1)
    return float(values.mean()), *map(float, np.quantile(draws, [0.025, 0.975]))


def above(low: float, high: float, criterion: float) -> bool | None:
    """Whether an interval lies above the criterion (True) or below (False); None where it holds the criterion."""
    return True if low > criterion else False if high < criterion else None


def text(value: tuple[float, float, float]) -> str:
    """A mean with its interval, as text."""
    return f"{value[0]:.2f} [{value[1]:.2f}, {value[2]:.2f}]"


def agreement(true: np.ndarray, formula: np.ndarray, title: str) -> Figure:
    """Influence by formula (up) against retraining (across), in thousandths; at most 1,500 dots."""
    fig, ax = figures.panel(3.3, 3.0)
    shown = np.random.default_rng(0).choice(true.size, min(1500, true.size), replace=False)
    limit = 1050 * np.abs(true).max()
    ax.plot([-limit, limit], [-limit, limit], color=figures.COLORS["neutral"], lw=1)
    ax.scatter(1000 * true.ravel()[shown], 1000 * formula.ravel()[shown], s=5, color=figures.COLORS["pretrained"],
               alpha=0.5, rasterized=True, lw=0)  # fmt: skip
    ax.set(xlabel="retrained", ylabel="formula", title=title, xlim=(-limit, limit), ylim=(-limit, limit))
    ax.locator_params(nbins=4)
    return fig


def _curve(ax, groups, color: str, marker: str, line: str, label: str) -> None:
    """Means with intervals of grouped values, against the group's key."""
    keys = sorted(groups)
    center, low, high = np.array([interval(groups[k]) for k in keys]).T
    ax.errorbar(keys, center, [center - low, high - center], color=figures.COLORS[color], marker=marker, ms=5,
                capsize=2, ls=line, label=label)  # fmt: skip


def sweep(part: pd.DataFrame, axes: float) -> Figure:
    """Alignment of three matrices against the ridge, for one axis ratio."""
    fig, ax = figures.panel(3.5, 3.2)
    for matrix, (color, marker, line) in MATRICES.items():
        mine = part[part.matrix == matrix]
        _curve(ax, {k: v.cosine for k, v in mine.groupby("lam")}, color, marker, line, matrix)
    ax.set(xlabel="ridge λ", ylabel="cosine", xscale="log", ylim=(0, 1.05), title=f"axis ratio {axes:g}")
    ax.legend(loc="lower right")
    return fig


def harm(outcomes: pd.DataFrame) -> tuple[Figure, Figure]:
    """Growth of the distance at the end, and lowest over first distance, against the step size."""
    drawn = []
    for column, label in (("end", "growth at the end"), ("best", "lowest / first distance")):
        fig, ax = figures.panel(3.5, 3.2)
        for kind, (color, marker) in LOOKS.items():
            mine = outcomes[outcomes.set == kind]
            _curve(ax, {k: v[column] for k, v in mine.groupby("rate")}, color, marker, "-", kind)
        ax.axhline(0 if column == "end" else 1, color=figures.COLORS["neutral"], lw=1, ls=":")
        ax.set(xlabel="step size", ylabel=label, xscale="log")
        if column == "end":
            ax.set_yscale("symlog", linthresh=0.01)
        else:
            ax.set_ylim(0, 1.1)
            ax.legend(loc="lower right")
        drawn.append(fig)
    return tuple(drawn)


def harder(outcomes: pd.DataFrame) -> pd.DataFrame:
    """In how many data sets PC1 and PC2 fare worse than random, by step size and definition."""
    rows = []
    for rate, part in outcomes.groupby("rate"):
        row = {"step size": f"{rate:g}"}
        for column in ("end", "relative", "best"):
            wide = part.pivot(index="data", columns="set", values=column)
            row |= {f"{kind}, {column}": str(int((wide[kind] > wide["random"]).sum())) for kind in ("PC1", "PC2")}
        rows.append(row)
    return pd.DataFrame(rows)


def correlations(found: dict[float, dict[str, tuple[float, float, float]]]) -> pd.DataFrame:
    """Rows = step sizes, columns = predictors; each cell a rank correlation with its interval."""
    return pd.DataFrame([
        {"step size": f"{rate:g}"} | {name: f"{v:+.2f} [{low:+.2f}, {high:+.2f}]" for name, (v, low, high) in row.items()}
        for rate, row in found.items()
    ])  # fmt: skip
