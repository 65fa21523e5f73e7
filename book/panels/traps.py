"""Plots and tables of the chapter on what misleads the metric."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from unlearning.page import figures
from unlearning.uncertainty import Summary

COLORS = figures.COLORS


def outlier(
    oracle: np.ndarray,
    unlearned: np.ndarray,
    bins: int,
    broken: list[float],
    curves: np.ndarray,
    floor: float,
    now: float,
) -> tuple[Figure, Figure]:
    """One frame: the bins of one point, and P95 (broken, [KLoM, robust]) with the broken model's margin `now` marked."""
    o, u = oracle.clip(-100, 100), unlearned.clip(-100, 100)
    edges = np.linspace(min(u.min(), o.min()), max(u.max(), o.max()), bins + 1)
    fill = {"histtype": "stepfilled", "alpha": 0.5}
    with figures.style():
        left, ax = figures.panel()
        ax.hist(o, edges, **fill, color=COLORS["oracle"], label="oracles")
        ax.hist(u, edges, histtype="step", lw=1.8, color=COLORS["ascent"], label="unlearned")
        ax.set(xlabel="margin (nats)", ylabel="models per bin")
        ax.margins(y=0.3)
        ax.legend(loc="upper left", ncols=2)
        right, ax = figures.panel()
        ax.plot(broken, curves[:, 0], "o-", ms=4, color=COLORS["accent"], label="KLoM")
        ax.plot(broken, curves[:, 1], "s--", ms=4, color=COLORS["pretrained"], label="robust form")
        ax.axhline(floor, color=COLORS["neutral"], ls=":", label="floor")
        ax.axvline(now, color=COLORS["ascent"], lw=1)
        ax.set(xlabel="margin of the broken model (nats)", ylabel="P95 (nats)")
        ax.set_ylim(0, 1.35 * curves.max())
        ax.set_xscale("symlog", linthresh=10)
        ticks = [m for m in (0, -10, -25, -50, -100, -1000) if m >= min(broken)]
        ax.set_xticks(ticks, [str(m) for m in ticks])
        ax.invert_xaxis()
        ax.legend(loc="upper right", ncols=3, columnspacing=1, handlelength=1.5)
    return left, right


def symptoms(told: dict[str, dict[str, float]]) -> pd.DataFrame:
    """Ensemble -> its scores (nats) and its share of collapsed points, as a page's table."""
    frame = pd.DataFrame.from_dict(told, orient="index")
    shares = frame.pop("collapsed").map("{:.0%}".format)
    table = frame.map("{:.2f}".format).assign(**{"collapsed points": shares})
    return table.rename_axis("unlearned ensemble").reset_index()


def coverage(runs: dict[tuple[int, float], np.ndarray]) -> pd.DataFrame:
    """(N, shift) -> (repeats, [P95, low, high]): how often an interval holds the mean P95, and its width over ±1.96 sd."""
    rows = []
    for (n, shift), found in runs.items():
        score, low, high = found.T
        held = np.mean((low <= score.mean()) & (score.mean() <= high))
        width = (high - low).mean() / (2 * 1.96 * score.std(ddof=1))
        rows.append(
            {
                "N": n,
                "shift (sd)": shift,
                "mean P95": f"{score.mean():.2f}",
                "intervals that hold it": f"{held:.0%}",
                "width / ideal width": f"{width:.1f}",
            }
        )
    return pd.DataFrame(rows)


def last_batches(summaries: dict[str, Summary], accuracy: Iterable[float]) -> pd.DataFrame:
    """One row per ensemble: its score with interval, robust form, both floors and ceiling."""
    rows = [
        {
            "the tiny batch": name,
            "accuracy": f"{a:.1%}",
            "P95 [interval]": f"{s.p95:.2f} [{s.low:.2f}, {s.high:.2f}]",
            "robust": f"{s.robust_p95:.2f}",
            "floors": f"{s.floor:.2f}, {s.gaussian_floor:.2f}",
            "ceiling": f"{s.ceiling:.1f}",
        }
        for (name, s), a in zip(summaries.items(), accuracy, strict=True)
    ]
    return pd.DataFrame(rows)


def bars(summaries: dict[str, Summary]) -> Figure:
    """P95 with intervals over models, one bar per ensemble; dotted: the Gaussian floor."""
    values = np.array([s.p95 for s in summaries.values()])
    reach = np.abs(np.array([[s.low, s.high] for s in summaries.values()]).T - values)
    place, whiskers = np.arange(len(values)), {"ecolor": figures.INK, "capsize": 3}
    with figures.style():
        panel, ax = figures.panel(width=4.8, height=2.7)
        ax.barh(place, values, 0.6, color=COLORS["retain"], xerr=reach, error_kw=whiskers)
        floor = next(iter(summaries.values())).gaussian_floor
        ax.axvline(floor, color=COLORS["neutral"], ls=":")
        ax.set_yticks(place, summaries)
        ax.invert_yaxis()
        ax.set(xlabel="P95 of KLoM against ensemble A (nats)")
    return panel


def sizes(null: dict[int, float], shift: dict[int, float], printed: float) -> Figure:
    """P95 of no difference and of a shift against N; dotted: the shift with 100 models; cross: the authors' largest."""
    with figures.style():
        panel, ax = figures.panel(width=4.8, height=3.3)
        for values, look, color, label in (
            (null, "o-", "accent", "no difference"),
            (shift, "s--", "pretrained", "shifted by half a deviation"),
        ):
            ax.loglog(list(values), list(values.values()), look, ms=4, color=COLORS[color], label=label)
        ax.axhline(shift[100], color=COLORS["neutral"], ls=":")
        ax.plot([100], [printed], "x", ms=8, mew=2, color=figures.INK, label="authors, at most")
        ax.set(xlabel="models per ensemble $N$", ylabel="P95 of KLoM (nats)")
        ax.set_xticks(list(null), [str(n) for n in null])
        ax.set_yticks([0.3, 1, 3, 10], ["0.3", "1", "3", "10"])
        ax.minorticks_off()
        ax.legend(loc="upper right")
    return panel


def question(checks: dict[str, bool]) -> pd.DataFrame:
    """The two readings and what the simulation says of each."""
    return pd.DataFrame(
        {"reading": list(checks), "here": ["holds" if ok else "fails" for ok in checks.values()]}
    )
