"""The paper's picture of an unlearning method: KLoM on the forget set against damage elsewhere, coloured by cost.

One marker is one configuration at one stopping time.
"""

from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm

from unlearning.methods import METHODS
from unlearning.page import criteria as judging
from unlearning.page import evidence, figures
from unlearning.page.criteria import DEFAULT, Criteria

MARKERS = {name: method.marker for name, method in METHODS.items() if name != "nothing"} | {
    "retrain": "P"
}
COST = LogNorm(1e-4, 1.0, clip=True)  # colour scale: cost of unlearning over cost of retraining
LABELS = {"forget": "forget", "retain": "retain", "val": "validation"}


@dataclass(frozen=True)
class Units:
    """How the scores of a table are drawn."""

    forget: str  # name of the axis of F
    other: str  # of the axis of another group, with its name in the place of {}
    lines: str  # of an axis that several groups share
    top: float  # end of the axes; they begin a little below 0
    ticks: tuple[float, ...]
    forget_top: float  # end of the axis of F


UNITS = {
    "klom": Units(
        "forget KLoM, P95 (nats)",
        "{} KLoM, P95 (nats)",
        "P95 (nats)",
        11.3,
        tuple(range(0, 11, 2)),
        11.3,
    ),
    "oq5": Units(
        "share of the gap left on F",
        "{} damage (1: the limit)",
        "share left; damage",
        5.3,
        tuple(range(6)),
        1.6,
    ),
}


def units(frame: pd.DataFrame | pd.Series) -> Units:
    """The units of a table or of one of its rows, by its column estimator (none: KLoM)."""
    named = frame.get("estimator", "klom")
    return UNITS[named if isinstance(named, str) else next(iter(named), "klom")]


def draw(ax: plt.Axes, frame: pd.DataFrame, y: str = "val", size: float = 30) -> None:
    """Draws the rows of an `evidence.table` of one forget set: the score of F on x, of group y on y, in its `units`.

    Filled markers by method, coloured by cost (the authors' convention); hollow circle: pretrained; star: the oracles'
    own floor, where a perfect method would land; dashed lines: that floor. Raises ValueError for a frame with another
    number of forget sets than one, or without a pretrained row, or for a group without a map.
    """
    if y not in ("retain", "val"):
        raise ValueError(f"y is {y!r}: choose retain or val")
    if frame.forget_set.nunique() != 1:
        raise ValueError(
            f"one map shows one forget set, got {sorted(frame.forget_set.unique())}: filter the table"
        )
    start = frame[frame.method == "nothing"]
    if start.empty:
        raise ValueError(
            "the table has no row of method 'nothing': the map needs the pretrained models"
        )
    start = start.iloc[-1]
    for method, rows in frame[frame.method != "nothing"].groupby("method", sort=False):
        ax.scatter(
            rows.forget,
            rows[y],
            s=size,
            marker=MARKERS[method],
            c=rows.cost_paper,
            cmap=figures.SEQUENTIAL,
            norm=COST,
            edgecolors=figures.INK,
            linewidths=0.4,
            zorder=3,
        )
    ax.axvline(start.forget_floor, color=figures.COLORS["neutral"], linestyle="--", linewidth=1)
    ax.axhline(start[f"{y}_floor"], color=figures.COLORS["neutral"], linestyle="--", linewidth=1)
    ax.scatter(
        start.forget,
        start[y],
        s=3 * size,
        facecolors="none",
        edgecolors=figures.COLORS["pretrained"],
        linewidths=1.8,
        zorder=4,
    )
    ax.scatter(
        start.forget_floor,
        start[f"{y}_floor"],
        s=5 * size,
        marker="*",
        color=figures.COLORS["oracle"],
        edgecolors=figures.INK,
        linewidths=0.4,
        zorder=4,
    )
    unit = units(frame)
    ax.set(xlim=(-0.027 * unit.forget_top, unit.forget_top), ylim=(-0.027 * unit.top, unit.top), yticks=unit.ticks,
           xlabel=unit.forget, ylabel=unit.other.format(LABELS[y]))  # fmt: skip
    if unit.forget_top == unit.top:
        ax.set_xticks(unit.ticks)


def limits(
    ax: plt.Axes, start: pd.Series, y: str = "val", criteria: Criteria = DEFAULT
) -> tuple[float, float, float]:
    """Draws what `criteria.judged` asks of the scores as dotted lines: (forgotten to x, partly to x, intact to y), nats.

    start: the pretrained row of the table. A map shows one of the two groups that must be intact, in one direction, and
    no accuracy: a marker below the line may still be broken.
    """
    gap = start.forget - start.forget_floor
    forgotten, partial = (
        start.forget_floor + share * gap for share in (criteria.forgotten, criteria.partial)
    )
    intact = start[f"{y}_floor"] + judging.limits(start.to_frame().T, criteria)[0]
    look = {"color": figures.COLORS["accent"], "linestyle": ":", "linewidth": 1.2, "zorder": 1}
    for x in (forgotten, partial):
        ax.plot([x, x], [-0.027 * units(start).top, intact], **look)
    ax.axhline(intact, **look)
    return forgotten, partial, intact


def absent(text: str, width: float = 4.4, height: float = 3.3) -> plt.Figure:
    """An empty panel that says in `text` what was not run. Call it inside `figures.style()`."""
    figure, ax = figures.panel(width=width, height=height)
    ax.set(xticks=[], yticks=[])
    ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes)
    return figure


def shades(rates: list[float]) -> dict[float, tuple]:
    """A colour for each step size, dark to light."""
    colors = plt.get_cmap(figures.SEQUENTIAL)(np.linspace(0.2, 0.95, len(rates)))
    return dict(zip(rates, colors, strict=True))


def lines(
    ax: plt.Axes,
    runs: pd.DataFrame,
    y: str,
    x: str = "epoch",
    start: pd.Series | None = None,
    style: str = "-",
    rates: list[float] | None = None,
) -> None:
    """One line for each step size in `runs`, column y against column x; from `start` at x = 0 where it is given.

    rates: step sizes that have a look, so that two panels agree; None: those of `runs`.
    """
    for k, (rate, color) in enumerate(shades(rates or sorted(runs.lr.unique())).items()):
        path = runs[runs.lr == rate].sort_values(x)
        if path.empty:
            continue
        at, value = list(path[x]), list(path[y])
        if start is not None:
            at, value = [0, *at], [start[y], *value]
        marker = "osD^vP*"[k % 7]
        ax.plot(at, value, style, marker=marker, ms=5, lw=1.5, color=color, mec=figures.INK, mew=0.4,
                label="0 (drift)" if rate == 0 else f"{rate:g}")  # fmt: skip


def path_length(ga: pd.DataFrame, start: pd.Series, title: str) -> list[plt.Figure]:
    """Forget and retain P95 against step size × epochs, BatchNorm in train mode (left) and frozen (right).

    ga: gradient ascent on one forget set, both modes; start: the pretrained row. Thin blue: where it starts.
    """
    moved = ga[ga.lr > 0].assign(path=ga.lr * ga.epoch)
    rates = sorted(moved.lr.unique())
    with figures.style():
        panels = []
        for mode, told in (("train", "as published"), ("frozen", "BatchNorm frozen")):
            rows = moved[moved.batchnorm == mode]
            panel, ax = figures.panel()
            for g, style in (("forget", "-"), ("retain", ":")):
                lines(ax, rows, g, x="path", style=style, rates=rates)
                ax.axhline(start[g], color=figures.COLORS["pretrained"], lw=0.8, ls=style)
            handles, names = ax.get_legend_handles_labels()
            half = len(names) // 2  # each step size has two lines
            ax.legend(handles[:half], names[:half], ncols=3, loc="upper left", fontsize=8.5)
            ax.set(
                xscale="log",
                xlabel="step size × epochs",
                ylabel=units(start).lines,
                ylim=(0, 1.37 * units(start).top),
            )
            ax.set_yticks(units(start).ticks)
            ax.set_title(f"{told}\n{title}", size=9.5)
            panels.append(panel)
    return panels


def reference(ax: plt.Axes, rows: pd.DataFrame, y: str = "val", size: float = 30) -> None:
    """Draws the authors' published numbers (rows of `evidence.published`) as hollow grey diamonds; larger: pretrained.

    Rows of which only one coordinate is published are left out.
    """
    rows = rows.dropna(subset=["forget", y])
    sizes = [2.2 * size if method == "nothing" else size for method in rows.method]
    ax.scatter(
        rows.forget,
        rows[y],
        s=sizes,
        marker="D",
        facecolors="none",
        edgecolors=figures.COLORS["neutral"],
        linewidths=1.4,
        zorder=2,
    )


def key(methods: list[str], width: float = 4.4, published: bool = False) -> plt.Figure:
    """A panel with the legend of the maps: markers of `methods`, pretrained, floor, and the colour bar of the cost.

    published: the legend also names the grey marks of `reference`.
    """
    figure, ax = figures.panel(width=width, height=1.75)
    ax.axis("off")
    entries = [
        ax.scatter(
            [], [], marker=MARKERS[m], color="none", edgecolors=figures.INK, label=evidence.NAMES[m]
        )
        for m in MARKERS
        if m in methods
    ]
    entries.append(
        ax.scatter(
            [],
            [],
            s=80,
            facecolors="none",
            edgecolors=figures.COLORS["pretrained"],
            linewidths=1.8,
            label="pretrained (do nothing)",
        )
    )
    entries.append(
        ax.scatter(
            [], [], s=120, marker="*", color=figures.COLORS["oracle"], label="perfect: at the floor"
        )
    )
    if published:
        entries.append(
            ax.scatter(
                [],
                [],
                s=50,
                marker="D",
                facecolors="none",
                edgecolors=figures.COLORS["neutral"],
                linewidths=1.4,
                label="published (CIFAR-10)",
            )
        )
    ax.legend(handles=entries, ncols=2, loc="upper center", handletextpad=0.3, columnspacing=1.2)
    bar = figure.colorbar(
        plt.cm.ScalarMappable(COST, figures.SEQUENTIAL),
        ax=ax,
        orientation="horizontal",
        aspect=40,
        pad=0.02,
    )
    bar.set_label("cost relative to retraining (points visited)")
    return figure
