"""Plots and tables of the chapter on the number of models."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from unlearning.page import figures

COLORS = figures.COLORS
LOOKS = {  # estimator: colour, marker, line
    "klom": (COLORS["accent"], "o", "-"),
    "oq5": (COLORS["pretrained"], "s", "-"),
    "geb": (COLORS["oracle"], "^", "--"),
    "knn": (COLORS["neutral"], "v", "--"),
    "energy": (COLORS["forget"], "D", ":"),
}
NAMES = {"klom": "KLoM", "oq5": "oq5", "geb": "GEB", "knn": "nearest neighbours", "energy": "energy"}
GROUPS = {"retain": "retain", "val": "validation"}
HEADS = ("ρ, retain points", "ρ, validation points", "same judgement")


def _ticks(ax, x: Sequence[int]) -> None:
    ax.set_xticks(list(x), [str(n) for n in x])
    ax.minorticks_off()


def fifths(oracle: np.ndarray, unlearned: np.ndarray, cells: int = 5) -> tuple[Figure, Figure]:
    """One point: both ensembles' margins with the oracles' quantiles, and the shares of each cell (smoothed)."""
    inner = np.quantile(oracle, np.arange(1, cells) / cells)
    shares = [
        (np.histogram(x, [-np.inf, *inner, np.inf])[0] + 0.5) / (len(x) + cells / 2)
        for x in (oracle, unlearned)
    ]
    with figures.style():
        left, ax = figures.panel()
        for y, x, name, mark in ((1, oracle, "oracle", "o"), (0, unlearned, "ascent", "x")):
            ax.plot(x, np.full(len(x), y), mark, color=COLORS[name], ms=6, ls="")
        for edge in inner:
            ax.axvline(edge, color=COLORS["neutral"], lw=1)
        ax.set_yticks([0, 1], ["unlearned", "oracles"])
        ax.set(xlabel="margin (nats)", ylim=(-0.6, 1.6))
        right, ax = figures.panel()
        place = np.arange(cells)
        for share, name, side in zip(shares, ("oracle", "ascent"), (-0.2, 0.2), strict=True):
            label = "$P$: oracles" if name == "oracle" else "$Q$: unlearned"
            hatch = None if name == "oracle" else "///"
            ax.bar(place + side, share, 0.4, color=COLORS[name], hatch=hatch, label=label)
        ax.set_xticks(place, [f"{k + 1}" for k in place])
        ax.set(xlabel="fifth of the oracles" if cells == 5 else "cell", ylabel="smoothed share")
        ax.margins(y=0.25)
        ax.legend(loc="upper left")
    return left, right


def floors(p95: pd.DataFrame) -> Figure:
    """P95 of no difference: index N, a column for each estimator."""
    with figures.style():
        panel, ax = figures.panel(width=4.8, height=3.4)
        for name in p95:
            color, mark, dash = LOOKS[name]
            ax.loglog(p95.index, p95[name], dash, marker=mark, ms=4, color=color, label=NAMES[name])
        ax.set(xlabel="models per ensemble $N$", ylabel="P95 of no difference")
        ax.set_yticks([0.03, 0.1, 0.3, 1, 3, 10], ["0.03", "0.1", "0.3", "1", "3", "10"])
        _ticks(ax, p95.index)
        ax.legend(loc="upper right", ncols=2, columnspacing=1)
        ax.set_ylim(top=3 * p95.max().max())
    return panel


def blind(found: dict[str, tuple[np.ndarray, np.ndarray]], shift: float) -> list[Figure]:
    """For each estimator, its statistic over repeated experiments: nothing differs, and shifted by `shift` sd."""
    panels = []
    with figures.style():
        for title, (null, moved) in found.items():
            panel, ax = figures.panel()
            edges = np.linspace(min(null.min(), moved.min()), max(null.max(), moved.max()), 15)
            ax.hist(null, edges, color=COLORS["neutral"], alpha=0.6, label="nothing differs")
            ax.hist(moved, edges, histtype="step", lw=1.8, color=COLORS["ascent"],
                    label=f"shifted by {shift:g} sd")  # fmt: skip
            ax.set(xlabel=f"{title} (nats)", ylabel="experiments")
            ax.margins(y=0.35)
            ax.legend(loc="upper left", ncols=2, columnspacing=1, handlelength=1.2)
            panels.append(panel)
    return panels


def power(detectable: pd.DataFrame) -> Figure:
    """Smallest detectable shift: index N, columns (estimator, statistic)."""
    with figures.style():
        panel, ax = figures.panel(width=4.8, height=3.4)
        for name, statistic in detectable:
            color, mark, dash = LOOKS[name]
            what = "P95" if statistic == "p95" else "mean"
            ax.loglog(detectable.index, detectable[name, statistic], dash, marker=mark, ms=4,
                      color=color, label=f"{what} of {NAMES[name]}")  # fmt: skip
        ax.axhline(detectable["klom", "p95"].iloc[-1], color=COLORS["neutral"], ls=":")
        ax.set(xlabel="models per ensemble $N$", ylabel="smallest shift seen (sd)")
        ax.set_yticks([0.1, 0.2, 0.5, 1, 2], ["0.1", "0.2", "0.5", "1", "2"])
        _ticks(ax, detectable.index)
        ax.legend(loc="upper right")
    return panel


def ranking(
    tables: dict[str, pd.DataFrame], lines: dict[str, tuple[float, float]], title: str
) -> list[Figure]:
    """P95 by few models (first block) against KLoM's by all; dotted: where damage begins. "not run" without rows."""
    panels = []
    with figures.style():
        for name, rows in tables.items():
            panel, ax = figures.panel()
            ax.set(xlabel=f"P95 of {NAMES[name]}, few models", ylabel="P95 of KLoM, all models")
            ax.set_title(title)
            panels.append(panel)
            if rows.empty:
                ax.text(0.5, 0.5, "not run", transform=ax.transAxes, ha="center")
                continue
            first = rows[(rows.block == rows.block.min()) & (rows.direction == rows.direction.iloc[0])]
            for group, mark in (("retain", "o"), ("val", "x")):
                mine = first[first.group == group]
                ax.plot(mine.small, mine.large, mark, ls="", ms=5, mfc="none", label=GROUPS[group],
                        color=COLORS["retain" if group == "retain" else "accent"])  # fmt: skip
            small, large = lines[name]
            ax.axvline(small, color=COLORS["neutral"], ls=":")
            ax.axhline(large, color=COLORS["neutral"], ls=":")
            ax.legend(loc="upper left")
    return panels


def attack(mean: pd.Series, accuracy: pd.Series, groups: pd.Series) -> Figure:
    """U-LiRA's accuracy against the mean of oq5, one marker for each cell and group."""
    looks = {"forget": ("^", "forget"), "retain": ("o", "retain"), "val": ("x", "accent")}
    with figures.style():
        panel, ax = figures.panel(width=4.8, height=3.4)
        for group, (mark, color) in looks.items():
            at = (groups == group).to_numpy()
            ax.plot(mean[at], accuracy[at], mark, ls="", ms=5, mfc="none", color=COLORS[color],
                    label=GROUPS.get(group, group))  # fmt: skip
        ax.axhline(0.5, color=COLORS["neutral"], ls="--", lw=1)
        ax.set(xlabel="mean of oq5 (nats)", ylabel="attack's accuracy")
        ax.legend(loc="upper left")
    return panel


# --- tables ----------------------------------------------------------------------------------------------------------


def symptoms(told: dict[str, dict[str, float]]) -> pd.DataFrame:
    """Estimator -> case -> P95, as a page's table."""
    frame = pd.DataFrame.from_dict(told, orient="index").map("{:.2f}".format)
    return frame.rename(index=NAMES).rename_axis("P95 of").reset_index()


def ranked(found: dict[tuple[str, int], pd.DataFrame]) -> pd.DataFrame:
    """(estimator, N) -> `fewer.compared`: medians over the disjoint ensembles with the lowest and the highest."""
    rows = []
    for (name, n), one in found.items():
        row = {"estimator": NAMES[name], "N": n, "ensembles": len(one)}
        for column, head in zip(one, HEADS, strict=True):
            if one.empty:
                row[head] = "not run"
                continue
            form = "{:.0%}" if column == "same" else "{:.2f}"
            low, middle, high = (form.format(one[column].quantile(q)) for q in (0, 0.5, 1))
            row[head] = f"{middle} [{low}, {high}]"
        rows.append(row)
    return pd.DataFrame(rows)


def hypothesis(checks: dict[str, bool | None]) -> pd.DataFrame:
    """H8's questions and what the desk records say."""
    words = {True: "holds", False: "fails", None: "open: not run"}
    return pd.DataFrame({"question": list(checks), "desk": [words[ok] for ok in checks.values()]})


def costs(
    detectable: pd.DataFrame, found: dict[tuple[str, int], pd.DataFrame], seconds: dict[str, float]
) -> pd.DataFrame:
    """What N models cost and show. seconds: preset -> CPU seconds of one training."""
    rows = []
    for n in detectable.index:
        row = {"N": n, "trainings": 2 * n}
        row |= {f"minutes, {name}": f"{2 * n * s / 60:.2f}" for name, s in seconds.items()}
        for name, statistic in (("klom", "p95"), ("oq5", "mean")):
            row[f"seen by {NAMES[name]} (sd)"] = f"{detectable[name, statistic][n]:.2f}"
        for name in ("klom", "oq5"):
            one = found.get((name, n))
            known = one is not None and len(one)
            row[f"{NAMES[name]} judges alike"] = f"{one.same.median():.0%}" if known else ""
        rows.append(row)
    return pd.DataFrame(rows)
