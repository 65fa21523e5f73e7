"""The figure of the chapter `question`: runs in, panels out."""

import pandas as pd
from matplotlib.figure import Figure

from unlearning.page import figures

LOOKS = {"GA": figures.COLORS["ascent"], "GDA": figures.COLORS["accent"]}


def first(runs: pd.DataFrame) -> tuple[Figure, Figure]:
    """Accuracies (left) and distance to the oracle (right) against the step: means, and bands from 10% to 90%.

    runs: columns method ("GA", "GDA", "pretrained", "oracle"), step, forget, test, gap; one row for each model looked at.
    """
    grouped = runs.groupby(["method", "step"])[["forget", "test", "gap"]]
    means, low, high = grouped.mean(), grouped.quantile(0.1), grouped.quantile(0.9)
    left, ax = figures.panel()
    ax.axhline(means.loc[("oracle", 0)].forget, color=figures.COLORS["oracle"], lw=1.2)
    for method, color in LOOKS.items():
        for column, line in (("test", "-"), ("forget", "--")):
            mean = means.loc[method][column]
            ax.plot(mean.index, mean, line, color=color, label=f"{method}, {column}")
            ax.fill_between(mean.index, low.loc[method][column], high.loc[method][column], color=color, alpha=0.12, lw=0)
    ax.set(xlabel="step", ylabel="accuracy", ylim=(-0.02, 1.05))
    ax.legend(loc="lower left")
    right, ax = figures.panel()
    ax.axhline(means.loc[("pretrained", 0)].gap, color=figures.COLORS["pretrained"], ls=":", label="pretrained")
    for method, color in LOOKS.items():
        mean = means.loc[method].gap
        ax.plot(mean.index, mean, color=color, label=method)
        ax.fill_between(mean.index, low.loc[method].gap, high.loc[method].gap, color=color, alpha=0.12, lw=0)
    ax.set(xlabel="step", ylabel="margin distance to the oracle", yscale="log")
    ax.legend(loc="upper left")
    return left, right
