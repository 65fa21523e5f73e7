"""Pictures of the chapter "Alternating instead of together"."""

import numpy as np
from matplotlib.figure import Figure

from unlearning.page import figures
from unlearning.page.figures import COLORS

MARKS = ("o", "s", "^", "D", "v", "P", "X")


def _thin(path: np.ndarray, most: int) -> slice:
    """Every k-th point, so that a curve has at most about `most` points."""
    return slice(None, None, max(1, len(path) // most))


def orders(
    paths: dict[float, tuple], distances: dict[float, tuple], oracle: float, floor: float
) -> tuple[Figure, Figure]:
    """Alternating against simultaneous descent-ascent: trajectories left, largest distances against η right.

    paths: η -> (alternating, simultaneous with 2λ, simultaneous with λ), each (steps + 1,); distances: η -> (one step
    with 2λ, path with 2λ, path with λ); floor: the lower edge that the left picture must show.
    """
    etas = sorted(paths)
    with figures.style():
        left, ax = figures.panel()
        ax.axhline(oracle, color=COLORS["oracle"], ls="--", lw=1.4)
        end = max(eta * (len(path[0]) - 1) for eta, path in paths.items())
        ax.text(end, oracle, "oracle", ha="right", va="bottom", fontsize=9.5)
        for eta, color in zip(etas[::-1], figures.CYCLE * 3, strict=False):
            path = paths[eta][0]
            part = _thin(path, 2000)
            look = {"color": color, "lw": 2.2 if eta == etas[-1] else 1.4, "label": f"η = {eta:g}"}
            ax.plot(eta * np.arange(len(path))[part], path[part], **look)
        together = {"color": figures.INK, "ls": (0, (4, 4)), "lw": 1.2, "label": "simultaneous, 2λ"}
        single = {"color": COLORS["neutral"], "lw": 1.4, "label": "simultaneous, λ"}
        for path, look in zip(paths[etas[0]][1:], (together, single), strict=True):
            part = _thin(path, 2000)
            ax.plot(etas[0] * np.arange(len(path))[part], path[part], **look)
        span = oracle - floor
        ax.set(xlabel="time ηk", ylabel="weight $w$", ylim=(floor - 0.15 * span, oracle + 0.85 * span))
        ax.legend(loc="upper center", ncols=2)
        right, ax = figures.panel()
        values = np.array([distances[eta] for eta in etas])
        names = ("one step, 2λ", "path, 2λ", "path, λ")
        colors = (COLORS["pretrained"], COLORS["accent"], COLORS["neutral"])
        for j, (name, color) in enumerate(zip(names, colors, strict=True)):
            ax.plot(etas, values[:, j], marker=MARKS[j], color=color, label=name)
        ax.set(xlabel="step size η", ylabel="largest distance", xscale="log", yscale="log")
        ax.legend(loc="lower right")
    return left, right


def truncations(w: np.ndarray, moves: dict[str, np.ndarray]) -> Figure:
    """What one step does at each weight, exactly and cut after each order; symmetric-log vertical axis."""
    with figures.style():
        only, ax = figures.panel(5.0, 3.4)
        looks = zip(moves.items(), ("-", ":", "--", "-."), figures.CYCLE, strict=False)
        for (name, move), dash, color in looks:
            ax.plot(w, move, dash, color=color, label=name, lw=2.4 if dash == "-" else 1.6)
        ax.axhline(0, color=figures.INK, lw=0.8)
        ax.set(xlabel="weight $w$", ylabel="change in one step")
        ax.set_yscale("symlog", linthresh=0.1)
        ax.legend(loc="upper right")
    return only


def brake(
    together: dict[float, np.ndarray], alternating: dict[float, np.ndarray], oracle: float
) -> Figure:
    """Trajectories beyond the last stationary point, by η: simultaneous (dotted) and alternating (solid)."""
    with figures.style():
        only, ax = figures.panel(4.8, 3.4)
        ax.axhline(oracle, color=COLORS["oracle"], ls="--", lw=1.4)
        lowest = min(path.min() for path in alternating.values())
        highest = max(path[0] for path in alternating.values())
        ends = []
        for (eta, path), color in zip(alternating.items(), figures.CYCLE * 3, strict=False):
            time, part = eta * np.arange(len(path)), _thin(path, 4000)
            fall = np.where(together[eta] > lowest - 3, together[eta], np.nan)
            ax.plot(time[part], path[part], color=color, label=f"η = {eta:g}")
            ax.plot(time[part], fall[part], ":", color=color, lw=1.4)
            ends.append(time[-1])
        ax.text(max(ends), oracle + 0.1, "oracle", ha="right", va="bottom", fontsize=9.5)
        limits = (lowest - 0.8, max(oracle, highest) + 1.2)
        ax.set(xlabel="time ηk", ylabel="weight $w$", ylim=limits)
        ax.legend(loc="center right", bbox_to_anchor=(1.0, 0.7), ncols=2)
    return only


def resting(alpha: np.ndarray, nearest: dict[float, np.ndarray], start: np.ndarray) -> Figure:
    """Distance to the oracle of the nearest resting point, by η, against α; and of the pretrained weight."""
    with figures.style():
        only, ax = figures.panel(4.8, 3.4)
        for (eta, gap), color in zip(nearest.items(), figures.CYCLE[1:] * 3, strict=False):
            ax.plot(alpha, gap, "o-", color=color, ms=3.5, label=f"at rest, η = {eta:g}")
        ax.plot(alpha, start, "--", color=COLORS["pretrained"], label="pretrained")
        limits = (0.3 * start.min(), 30 * max(gap.max() for gap in nearest.values()))
        ax.set(xlabel="α (forget per retain sample)", ylabel="distance to the oracle", yscale="log")
        ax.set_ylim(*limits)
        ax.legend(loc="upper center", ncols=2)
    return only
