"""Plots and tables of the chapter on forget sets."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import rv_discrete

from unlearning.page import figures

COLORS = figures.COLORS


def spectrum(
    share: np.ndarray, noise: np.ndarray, along: np.ndarray, level: np.ndarray
) -> tuple[Figure, Figure]:
    """Shares of variance beside shuffled ones (shuffles, components); mean margin against the coordinate on PC1."""
    number = 1 + np.arange(len(share))
    with figures.style():
        left, ax = figures.panel()
        low, high = 100 * noise.min(0), 100 * noise.max(0)
        grey = {"color": COLORS["neutral"], "alpha": 0.5, "lw": 0, "label": "shuffled"}
        ax.fill_between(number, low, high, **grey)
        ax.plot(number, 100 * share, "o-", color=COLORS["accent"], label="ensemble")
        ax.set(xlabel="component", ylabel="share of variance (%)", ylim=(0, None))
        ax.set_xticks(number)
        ax.legend()
        right, ax = figures.panel()
        ax.plot(along, level, "o", color=COLORS["pretrained"])
        ax.set(xlabel="coordinate on PC1 (nats)", ylabel="mean training margin (nats)")
    return left, right


def gallery(ends: dict[str, np.ndarray], images: np.ndarray, labels: np.ndarray) -> list[Figure]:
    """A panel for each set: up to ten digits, without their frames, with their labels."""
    found = []
    with figures.style():
        for title, members in ends.items():
            panel, axes = figures.panel(4.4, 2.4, nrows=2, ncols=5)
            for ax in axes.flat:
                ax.axis("off")
            for ax, i in zip(axes.flat, members, strict=False):
                ax.imshow(images[i, 0, 2:10, 2:10], cmap="gray_r", vmin=0, vmax=240)
                ax.set_title(int(labels[i]), pad=2)
            panel.suptitle(title, fontsize=11)
            found.append(panel)
    return found


def ends(sets: dict[str, np.ndarray], phi: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Set -> its classes, its points' mean margin and spread over models; last, all training points."""
    mean, spread, rows = phi.mean(0), phi.std(0, ddof=1), []
    for title, members in sets.items():
        kinds = pd.Series(labels[members]).value_counts()
        told = ", ".join(f"{k}: {100 * v / len(members):.0f}%" for k, v in kinds.items())
        rows.append((title, told, mean[members].mean(), spread[members].mean()))
    rows.append(("all training points", "ten", mean.mean(), spread.mean()))
    table = pd.DataFrame(rows, columns=["set", "classes", "mean margin", "spread"])
    return table.assign(**{k: table[k].map("{:.2f}".format) for k in ("mean margin", "spread")})


def halves(found: np.ndarray, chance: rv_discrete, top: int) -> pd.DataFrame:
    """(splits, component, [shared, cosine]) -> one row per component: points shared by two halves, and against chance."""
    rows = []
    for c, (shared, cosine) in enumerate(found.transpose(1, 2, 0)):
        rows.append(
            {
                "component": f"PC{c + 1}",
                "shared, mean": f"{shared.mean():.1f} of {top}",
                "by chance": f"{chance.mean():.2f}",
                "beyond chance": f"{np.mean(shared > chance.ppf(0.99)):.0%}",
                "|cosine| of scores": f"{np.abs(cosine).mean():.2f}",
                "ends swapped": f"{np.mean(cosine < 0):.0%}",
            }
        )
    return pd.DataFrame(rows)


def near_and_far(
    scored: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]], floor: float
) -> pd.DataFrame:
    """Pack -> (scores, near points, others): P95 and mean of both groups, nats, beside the floor of a P95."""
    rows = []
    for name, (score, near, others) in scored.items():
        row = {"forget set": name.rpartition("/")[2]}
        for title, part in (("near", near), ("others", others)):
            row[f"{title}, P95"] = f"{np.percentile(score[part], 95):.2f}"
            row[f"{title}, mean"] = f"{score[part].mean():.2f}"
        rows.append(row | {"floor of a P95": f"{floor:.2f}"})
    return pd.DataFrame(rows)


def mixture(portions: np.ndarray, mixed: dict[str, np.ndarray], floor: float) -> Figure:
    """P95 (share of near points, samples) against that share: median and the middle nine of ten samples."""
    looks = (("pretrained", "s-"), ("forget", "^-"), ("accent", "o-"))
    with figures.style():
        panel, ax = figures.panel(width=5.2, height=3.4)
        for (name, found), (color, look) in zip(mixed.items(), looks, strict=True):
            low, middle, high = np.percentile(found, [5, 50, 95], axis=1)
            label = name.rpartition("/")[2]
            ax.fill_between(100 * portions, low, high, color=COLORS[color], alpha=0.2, lw=0)
            ax.plot(100 * portions, middle, look, ms=4, color=COLORS[color], label=label)
        ax.axhline(floor, color=COLORS["neutral"], ls=":")
        ax.set(xlabel="near points in the sample (%)", ylabel="P95 over retain points (nats)")
        ax.set_ylim(0, None)
        ax.legend(loc="upper left")
    return panel
