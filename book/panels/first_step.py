"""Plots and tables of the chapter `first_step`: data in, figure or table out."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from unlearning.page import figures
from unlearning.theory import first_step


def arrows(forget: np.ndarray, retain: np.ndarray, fraction: float, ascent: float) -> Figure:
    """−g_F and −g_R, the first step (ρ + f) g_F − f g_R, and the oracle's direction for H = 1; all of 2 coordinates."""
    fig, ax = figures.panel(2.5, 2.7)
    step, oracle = first_step.step(forget, retain, fraction, ascent), fraction * (forget - retain)
    wrong = first_step.away(forget @ forget, forget @ retain, retain @ retain, fraction, ascent) > 0
    step = step * min(1.0, 1.1 / np.linalg.norm(step))  # a long step is drawn shorter: only its direction counts
    drawn = {
        "pull of R": (-retain, "retain"),
        "pull of F": (-forget, "forget"),
        "first step": (step, "ascent"),
        "oracle": (oracle / np.linalg.norm(oracle) * 0.7, "oracle"),
    }
    for name, (tip, color) in drawn.items():
        ax.annotate("", xy=tip, xytext=(0, 0),
                    arrowprops={"arrowstyle": "-|>", "color": figures.COLORS[color], "lw": 2.2, "shrinkA": 0, "shrinkB": 0})  # fmt: skip
        ax.plot([], [], color=figures.COLORS[color], label=name)
    across = np.array([-oracle[1], oracle[0]]) / np.linalg.norm(oracle)
    ax.plot(*np.outer(across, [-1.2, 1.2]), "--", color=figures.COLORS["neutral"], lw=1)
    ax.set(xlim=(-1.25, 1.25), ylim=(-1.25, 1.25), aspect="equal", xticks=[], yticks=[])
    ax.set_title("wrong" if wrong else "right")
    ax.legend(loc="upper left", fontsize=7.5, handlelength=1)
    return fig


def threshold(fractions: Sequence[float], ascent: float) -> tuple[Figure, Figure]:
    """Left: the cosine threshold against f, dashed for ρ = 3. Right: the ratios between which the first step is wrong."""
    left, ax = figures.panel(3.5, 3.0)
    f = np.linspace(0.001, 0.999, 300)
    for weight, line in ((ascent, "-"), (3.0, "--")):
        ax.plot(f, first_step.cosine_threshold(f, weight), line, color=figures.COLORS["ascent"], label=f"ρ = {weight:g}")
    ax.set(xlabel="fraction forgotten f", ylabel="cosine threshold", ylim=(0, 1.02))
    ax.legend(loc="lower right")
    right, ax = figures.panel(3.5, 3.0)
    for fraction, color in zip(fractions, figures.CYCLE * len(fractions), strict=False):
        start = float(first_step.cosine_threshold(fraction, ascent))
        cosines = 1 - (1 - start) * np.linspace(1, 0, 200) ** 2
        ends = np.array([first_step.wrong_ratios(min(c, 1.0), fraction, ascent) for c in cosines])
        ax.fill_between(cosines, *ends.T, color=color, alpha=0.25, lw=0)
        ax.plot(cosines, ends, color=color, lw=1.3)
        ax.plot([], [], color=color, label=f"f = {fraction:g}")
    ax.set(xlabel="cosine of $g_F$ and $g_R$", ylabel=r"ratio $\sqrt{I_{FF}/I_{RR}}$", xlim=(0, 1), ylim=(0, 1.05))
    ax.legend(loc="upper left")
    return left, right


def signs(predicted: np.ndarray, measured: np.ndarray) -> Figure:
    """Measured rate (up) against the predicted one (across), with the axes through 0."""
    fig, ax = figures.panel(3.8, 3.4)
    ax.axhline(0, color=figures.COLORS["neutral"], lw=0.8)
    ax.axvline(0, color=figures.COLORS["neutral"], lw=0.8)
    wrong = measured > 0
    for part, color, label in ((wrong, "ascent", "leaves the oracle"), (~wrong, "pretrained", "approaches it")):
        ax.plot(predicted[part], measured[part], "o", ms=5, alpha=0.7, color=figures.COLORS[color], label=label)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(4))
    ax.set(xlabel="rate by the theorem", ylabel="measured rate")
    ax.legend(loc="upper left")
    return fig
