"""Plots and tables of the chapter on the metric."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from unlearning.klom import DIRECTIONS
from unlearning.page import figures

COLORS = figures.COLORS
TICKS = (5, 10, 20, 50, 100, 200, 500, 1000)
HEADINGS = dict(
    zip(DIRECTIONS, ("P95 of KL(oracle ‖ unlearned)", "P95 of KL(unlearned ‖ oracle)"), strict=True)
)


def histograms(pair: np.ndarray, bins: int, title: str) -> Figure:
    """Both ensembles' margins (2, models) at one point, in the bins that KLoM uses."""
    with figures.style():
        panel, ax = figures.panel()
        edges = np.linspace(pair.min(), pair.max(), bins + 1)
        looks = (("ensemble A", "oracle", "-"), ("ensemble B", "ascent", "--"))
        for x, (name, color, dash) in zip(pair, looks, strict=True):
            ax.hist(x, edges, histtype="step", lw=1.8, ls=dash, color=COLORS[color], label=name)
        ax.axvline(0, color=COLORS["neutral"], ls=":")
        ax.set(xlabel="margin (nats)", ylabel="networks", title=title)
        ax.margins(y=0.25)
        ax.legend(loc="upper left", ncols=2)
    return panel


def contributions(
    oracle: np.ndarray, unlearned: np.ndarray, bins: int, eps: float = 1e-5
) -> pd.DataFrame:
    """KLoM at one point taken apart: one row per bin with middle, width, P, Q, its term, and whether only P reached it."""
    both = np.concatenate([oracle, unlearned])
    low, high = both.min(), both.max()
    edges = np.linspace(low, high, bins + 1)
    p, q = (np.histogram(x[x < high], edges)[0] for x in (oracle, unlearned))
    p, q = p / p.sum(), q / q.sum()
    raised = np.where(p > 0, np.maximum(q, eps), q)
    raised = raised / raised.sum()
    term = np.zeros(bins)
    term[p > 0] = p[p > 0] * np.log(p[p > 0] / raised[p > 0])
    middle, empty = (edges[1:] + edges[:-1]) / 2, (p > 0) & (q == 0)
    return pd.DataFrame(
        {"middle": middle, "width": np.diff(edges), "P": p, "Q": q, "term": term, "empty": empty}
    )


def bin_by_bin(terms: pd.DataFrame) -> tuple[Figure, Figure]:
    """The two histograms, and what each bin adds to the score."""
    middle, wide = terms["middle"], terms["width"].iloc[0]
    with figures.style():
        left, ax = figures.panel()
        for name, color, side, hatch in (
            ("P", "oracle", -0.2, None),
            ("Q", "ascent", 0.2, "///"),
        ):
            label = f"${name}$: ensemble {'A' if name == 'P' else 'B'}"
            x = middle + side * wide
            ax.bar(x, terms[name], 0.4 * wide, color=COLORS[color], hatch=hatch, label=label)
        ax.set(xlabel="margin (nats)", ylabel="fraction of networks")
        ax.legend()
        right, ax = figures.panel()
        fill = np.where(terms["empty"], COLORS["accent"], figures.PAPER)
        ax.bar(middle, terms["term"], 0.8 * wide, color=fill, edgecolor=figures.INK)
        ax.axhline(0, color=figures.INK, lw=0.8)
        ax.set(xlabel="margin (nats)", ylabel="contribution to KLoM (nats)")
    return left, right


def directions(both_ways: dict[str, list[float]]) -> pd.DataFrame:
    """Case -> its P95 in the two directions, as a page's table."""
    table = pd.DataFrame.from_dict(both_ways, orient="index", columns=list(HEADINGS.values()))
    return table.map("{:.2f}".format).rename_axis("unlearned models").reset_index()


def floor_curves(floors: pd.DataFrame, real: pd.Series, bins: int) -> tuple[Figure, Figure]:
    """The floor against N with the digit networks' scores, and the share that comes from empty bins."""
    n = floors.index
    ticks = [t for t in TICKS if n.min() <= t <= n.max()]
    with figures.style():
        left, ax = figures.panel()
        ax.loglog(n, floors["P95"], "o-", color=COLORS["accent"], ms=4, label="P95, Gaussian")
        ax.loglog(n, floors["mean"], "s-", color=COLORS["pretrained"], ms=4, label="mean, Gaussian")
        ax.loglog(n, (bins - 1) / n, "--", color=COLORS["neutral"], label="$(K-1)/N$")
        ax.loglog(real.index, real, "x", color=figures.INK, label="P95, digit networks")
        ax.set(xlabel="models per ensemble $N$", ylabel="KLoM of no difference (nats)")
        ax.legend(loc="lower left")
        right, share = figures.panel()
        share.semilogx(n, 100 * floors["empty"], "o-", color=COLORS["forget"], ms=4)
        share.set(
            xlabel="models per ensemble $N$", ylabel="share from empty bins (%)", ylim=(0, 100)
        )
        for axes in (ax, share):
            axes.set_xticks(ticks, [str(t) for t in ticks])
            axes.minorticks_off()
    return left, right


def climb(
    shifts: list[float], curves: dict[int, list[float]], level: dict[int, float], top: list[float]
) -> Figure:
    """P95 against the shift of the mean, one curve per number of models, with floors and the last one's ceiling."""
    looks = (("forget", "^"), ("pretrained", "s"), ("accent", "o"))
    with figures.style():
        panel, ax = figures.panel(width=4.8, height=3.5)
        for (n, values), (color, mark) in zip(curves.items(), looks, strict=True):
            ax.plot(shifts, values, mark + "-", ms=4, color=COLORS[color], label=f"$N = {n}$")
            ax.axhline(level[n], xmax=0.35, color=COLORS[color], ls=":", lw=1.2)
        ax.plot(shifts, top, "--", color=COLORS["neutral"], label=f"ceiling, $N = {max(curves)}$")
        ax.set(
            xlabel="shift of the mean (standard deviations)",
            ylabel="P95 of KLoM (nats)",
            ylim=(0, None),
        )
        ax.legend(loc="lower right")
    return panel
