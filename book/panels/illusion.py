"""Pictures and tables of the illusion of forgetting (C2), and of the rules that might have seen through it."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from unlearning.experiment import packing
from unlearning.experiment.packing import Pack
from unlearning.experiment.stopped import NAME as STOPPED
from unlearning.experiment.stopped import first_reached
from unlearning.page import criteria, evidence, figures, maps, rules
from unlearning.page.wording import sci, short

GREY = {1e-3: "o", 1e-2: "s", 5e-2: "^"}  # the published step sizes and their marks
TICKS = (1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1)  # seconds over a retraining's


def fewest(grid: pd.DataFrame) -> str:
    """The smallest random forget set of the records; "" without one."""
    random = grid[(grid.kind == "random") & (grid.method == "nothing")]
    return "" if random.empty else random.sort_values("size").forget_set.iloc[0]


def _of(grid: pd.DataFrame, name: str) -> tuple[pd.DataFrame, pd.Series]:
    """(GA rows, pretrained row) of one forget set."""
    here = grid[grid.forget_set == name]
    return here[here.method == "ga"], here[here.method == "nothing"].iloc[-1]


def _averages(
    grid: pd.DataFrame, name: str, published: pd.DataFrame, title: str
) -> tuple[Figure, Figure]:
    """The paper's Figure 2, right, for one set: against epochs, with the published lines, and against seconds."""
    ga, start = _of(grid, name)
    twin = evidence.relative(name, int(start["size"]), "ga")
    known = published[(published.set == twin) & (published.method == "ga") & published.average.notna()]
    ga = ga.assign(share=ga.seconds / ga.seconds_retrain)
    floor = np.mean([start[f"{g}_floor"] for g in evidence.GROUPS])
    panels = []
    for x in ("epoch", "share"):
        panel, ax = figures.panel(height=3.6)
        ax.axhline(floor, color=figures.COLORS["neutral"], ls="--", lw=1)
        for rate, marker in GREY.items() if x == "epoch" else ():
            line = known[known.lr == rate]
            ax.plot(line.epoch, line.average, ls=":", lw=1, marker=marker, ms=5, mfc="none",
                    color=figures.COLORS["neutral"])  # fmt: skip
        maps.lines(ax, ga, "average", x=x, start=start if x == "epoch" else None)
        unit = maps.units(ga)
        ax.set(ylim=(0, min(1.02 * unit.top, 1.3 * ga.average.max())), ylabel=f"average {unit.lines}", xlabel="epochs of ascent")
        beside = "" if known.empty else f" (grey: set {twin})"
        ax.set_title(f"{name}{beside}\n{title}", size=9.5)
        if x == "share":
            ticks = [t for t in TICKS if ga.share.min() / 1.2 <= t <= ga.share.max() * 1.2]
            ax.set(xscale="log", xlabel="seconds, in % of a retraining")
            ax.set_xticks(ticks, [f"{t:.1%}" for t in ticks])
            ax.set_xticks([], minor=True)
        else:
            ax.legend(title="step size", ncols=2, loc="upper left", fontsize=8.5)
        panels.append(panel)
    return tuple(panels)


def figure_2(
    grid: pd.DataFrame, published: pd.DataFrame, title: str
) -> tuple[list[tuple[Figure, ...]], list[str]]:
    """(frames, labels) of the slider: the smallest random set first, then the others."""
    names = sorted(grid.forget_set.unique(), key=lambda name: (name != fewest(grid), name))
    with figures.style():
        if not names:
            return [(maps.absent(title),)], ["not run"]
        return [_averages(grid, name, published, title) for name in names], names


def accuracies(grid: pd.DataFrame, name: str, title: str) -> list[Figure]:
    """Accuracy on F, and what retain accuracy has lost against the oracles, along the same lines."""
    with figures.style():
        if not name:
            return [maps.absent(title)]
        ga, start = _of(grid, name)
        ga = ga.assign(lost=100 * (ga.retain_oracle_accuracy - ga.retain_accuracy))
        left, ax = figures.panel()
        for level, color, word in (
            (start.forget_oracle_accuracy, "oracle", "oracles on F"),
            (start.val_accuracy, "pretrained", "pretrained on validation"),
        ):
            ax.axhline(level, color=figures.COLORS[color], ls="--", lw=1.2, label=word)
        maps.lines(ax, ga, "forget_accuracy", start=start)
        ax.set(xlabel="epochs of ascent", ylabel="accuracy on F", ylim=(-0.02, 1.5))
        ax.set_yticks(np.linspace(0, 1, 6))
        ax.set_title(f"{name}\n{title}", size=9.5)
        ax.legend(ncols=2, loc="upper left", fontsize=8.5)
        right, ax = figures.panel()
        maps.lines(ax, ga, "lost")
        ax.axhline(2, color=figures.COLORS["accent"], ls=":", lw=1.2)
        ax.set(xlabel="epochs of ascent", ylabel="retain accuracy lost (points)")
        ax.set_title(f"{name}\n{title}", size=9.5)
    return [left, right]


def window(grid: pd.DataFrame, name: str) -> pd.DataFrame:
    """GA's whole grid on one set: share of the gap left and outcome of every cell."""
    if not name:
        return pd.DataFrame([{"step size": "not run"}])
    ga, _ = _of(grid, name)
    text = [f"{r.q:.0%} {r.outcome}" for r in ga.itertuples()]
    table = ga.assign(text=text).pivot(index="lr", columns="epoch", values="text")
    table = table.fillna("not run").rename(index=sci, columns="epoch {}".format)
    return table.rename_axis(columns=None).rename_axis("step size").reset_index()


def lowest(grid: pd.DataFrame, name: str) -> pd.Series | None:
    """The GA cell of lowest average on one set: the bottom of the paper's figure."""
    if not name:
        return None
    ga, _ = _of(grid, name)
    return ga.loc[ga.average.idxmin()]


def beside(grid: pd.DataFrame, name: str) -> pd.DataFrame:
    """The lowest cell, and one grid step beside it in step size and in time."""
    best = lowest(grid, name)
    if best is None:
        return pd.DataFrame([{"": "not run"}])
    ga, _ = _of(grid, name)
    rates, times = sorted(ga.lr.unique()), sorted(ga.epoch.unique())
    i, j = rates.index(best.lr), times.index(best.epoch)
    steps = {"the lowest average": (i, j), "a smaller step": (i - 1, j), "a larger step": (i + 1, j),
             "an earlier stop": (i, j - 1), "a later stop": (i, j + 1)}  # fmt: skip
    rows = []
    for word, (a, b) in steps.items():
        inside = 0 <= a < len(rates) and 0 <= b < len(times)
        found = ga[(ga.lr == rates[a]) & (ga.epoch == times[b])] if inside else ga[:0]
        rows += [
            {
                "": word,
                "configuration": short(r),
                "average": f"{r.average:.2f} ({r.average - best.average:+.2f})",
                "gap left": f"{r.q:.0%} [{r.q_low:.0%}, {r.q_high:.0%}]",
                "right on R (oracles)": f"{r.retain_accuracy:.1%} ({r.retain_oracle_accuracy:.1%})",
                "outcome": r.outcome,
            }
            for _, r in found.iterrows()
        ] or [{"": word, "configuration": "outside of the grid"}]
    return pd.DataFrame(rows).fillna("–")


def _stopped(row: pd.Series | None) -> str:
    if row is None:
        return "does not stop"
    return f"epoch {row.epoch:.0f}: {row.q:.0%} left, {row.outcome}"


def ruled(grid: pd.DataFrame, few: str, budget: float) -> pd.DataFrame:
    """Where each rule stops each step size on the smallest random set, and its choice on every set."""
    rows, choices = [], []
    for name in sorted(grid.forget_set.unique(), key=lambda name: (name != few, name)):
        ga, start = _of(grid, name)
        found = {rule: rules.choose(ga, start, rule, budget) for rule in rules.RULES}
        if name == few:
            rates = sorted(ga.lr.unique())
            rows = [
                {"on": f"{name}, step size {sci(rate)}"}
                | {rule: _stopped(stops[rate]) for rule, (stops, _) in found.items()}
                for rate in rates
            ]
        choices.append(
            {"on": f"{name}: the rule's choice"}
            | {
                rule: "none" if row is None else f"{sci(row.lr)}, {_stopped(row)}"
                for rule, (_, row) in found.items()
            }
        )
    absent = [{"on": "not run"} | dict.fromkeys(rules.RULES, "")]
    return pd.DataFrame([*rows, *choices] or absent)


def single(on_f: np.ndarray, level: float, times: tuple[int, ...]) -> pd.DataFrame:
    """Where single models would stop by the rule of Lemma 1: on_f (times, models) accuracy on F."""
    stops = first_reached(on_f, level)
    names = [*(f"epoch {t}" for t in times), "later"]
    return pd.DataFrame(
        {"stop": name, "single models": f"{np.mean(stops == k):.0%}"}
        for k, name in enumerate(names)
    )


def numbers(grid: pd.DataFrame, few: str) -> dict[str, float | int | str]:
    """What the text says of the lowest cell; NaN and zeros where nothing was run."""
    best = lowest(grid, few)
    if best is None:
        return {"few": "not run", "best": "not run"} | dict.fromkeys(
            ("average", "before", "lost", "noise"), float("nan")
        ) | dict.fromkeys(("cells", "read", "whole", "size", "models"), 0)
    ga, start = _of(grid, few)
    read = evidence.scores_alone(pd.concat([ga, start.to_frame().T.astype(ga.dtypes)]))
    right = best.forget_accuracy
    return {
        "few": few, "best": short(best), "average": best.average,
        "before": start.average, "cells": len(ga), "models": int(start.models),
        "lost": 100 * (best.retain_oracle_accuracy - best.retain_accuracy),
        "read": int(read.both.fillna(False).sum()), "whole": int(ga.both.fillna(False).sum()),
        "size": int(best["size"]), "noise": float(np.sqrt(right * (1 - right) / best["size"])),
    }  # fmt: skip


CLASSES = ("plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")  # CIFAR-10's, in order


def single_points(pack: Pack | None, rate: float) -> list[Figure]:
    """Margins of single forgotten images along one path: from pretrained, over ascent's epochs, beside the oracles'.

    Lines: medians over models; bands: 5th to 95th percentile. Two figures of five images; one that says so without paths.
    """
    with figures.style():
        if pack is None or pack.paths is None or rate not in pack.meta["ga"]["rates"]:
            return [maps.absent("margins of single images: not packed")]
        told = pack.meta["ga"]
        ascent = pack.paths[told["rates"].index(rate)]
        start = pack.pretrained[None, : ascent.shape[1], : ascent.shape[2]]
        along, epochs = np.concatenate([start, ascent]), [0, *told["epochs"]]
        shown = []
        for half in np.array_split(np.arange(ascent.shape[2]), 2):
            panel, axes = figures.panel(4.4, 1.3 * len(half), nrows=len(half), sharex=True)
            for ax, i in zip(np.atleast_1d(axes), half, strict=True):
                low, middle, high = np.percentile(along[:, :, i], [5, 50, 95], axis=1)
                o_low, o_middle, o_high = np.percentile(pack.oracle[:, i], [5, 50, 95])
                ax.axhspan(o_low, o_high, color=figures.COLORS["oracle"], alpha=0.18, lw=0)
                ax.axhline(o_middle, color=figures.COLORS["oracle"], lw=1.2, label="oracles")
                ax.fill_between(epochs, low, high, color=figures.COLORS["ascent"], alpha=0.22, lw=0)
                ax.plot(epochs, middle, color=figures.COLORS["ascent"], lw=1.6, label=f"GA {sci(rate)}")
                ax.axhline(0, color=figures.COLORS["neutral"], lw=0.8, ls=":")
                ax.plot(0, middle[0], "o", ms=6, color=figures.COLORS["pretrained"], label="pretrained")
                ax.set_ylabel(f"{CLASSES[told['labels'][i]]} {pack.source[i]}", size=8.5)
                ax.set_ylim(-10, 14)
            np.atleast_1d(axes)[0].legend(ncols=3, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1))
            np.atleast_1d(axes)[-1].set_xlabel("epochs of ascent")
            shown.append(panel)
    return shown


def pack_of(scale: str, name: str) -> Pack | None:
    """The packed margins of one set of a scale; None without."""
    return packing.read(f"{scale}/{name}") if f"{scale}/{name}" in packing.available() else None


def moments(pack: Pack | None, rate: float) -> dict[str, int]:
    """When the median of each forgotten image along one path first lies below its oracles' median.

    images: how many there are; first, last: the earliest and the latest of these epochs; untouched: images that do not
    get there. fall, drop: Spearman's rank correlation over images of the margin before with what ascent has taken off
    after its second stop, and with what the oracles lack; spread: the 5-95% range over models at the end over the
    oracles', median of the images. Zeros without paths.
    """
    if pack is None or pack.paths is None or rate not in pack.meta["ga"]["rates"]:
        return dict.fromkeys(("images", "first", "last", "untouched", "fall", "drop", "spread"), 0)
    told = pack.meta["ga"]
    medians = np.median(pack.paths[told["rates"].index(rate)], axis=1)  # (epochs, images)
    reached = medians <= np.median(pack.oracle[:, : medians.shape[1]], axis=0)
    at = np.array(told["epochs"])[reached.argmax(0)][reached.any(0)]
    first, last = (int(at.min()), int(at.max())) if len(at) else (0, 0)
    before, oracles = (np.median(x[:, : medians.shape[1]], axis=0) for x in (pack.pretrained, pack.oracle))
    widths = [np.subtract(*np.percentile(x, [95, 5], axis=0)) for x in
              (pack.paths[told["rates"].index(rate)][-1], pack.oracle[:, : medians.shape[1]])]  # fmt: skip
    return {
        "images": len(reached.T), "first": first, "last": last, "untouched": int((~reached.any(0)).sum()),
        "fall": float(spearmanr(before, before - medians[1]).statistic),
        "drop": float(spearmanr(before, before - oracles).statistic),
        "spread": float(np.median(widths[0] / widths[1])),
    }  # fmt: skip


def stopping(found: list[dict]) -> pd.DataFrame:
    """What became of models that stopped by themselves: one row for each set and number of models.

    found: records of doing nothing and of `stopped`, of one preset with oq5.
    """
    stops = [r["stops"] for r in found if r["method"] == STOPPED]
    if not stops:
        return pd.DataFrame([{"forget set": "not run"}])
    frame = criteria.judged(evidence.quintiles(found))
    return pd.DataFrame(
        {"forget set": r.forget_set, "models": int(r.models)}
        | {f"stop at {sci(float(rate))}": n for rate, n in stop.items() if rate not in ("never", "epoch")}
        | {"never": stop["never"], "mean epoch": "–" if stop["epoch"] is None else f"{stop['epoch']:.1f}"}
        | {"gap left": f"{r.q:.0%} [{r.q_low:.0%}, {r.q_high:.0%}]", "outcome": r.outcome}
        for (_, r), stop in zip(frame[frame.method == STOPPED].iterrows(), stops, strict=True)
    )


def theirs(published: pd.DataFrame) -> float:
    """The authors' lowest average of GA on ten random points, in the table's units."""
    return float(published[(published.set == 1) & (published.method == "ga")].average.min())


def stopped(on_f: np.ndarray, level: float) -> dict[str, float]:
    """Shares of single models that stop within the first three times, and that never stop."""
    at = first_reached(on_f, level)
    return {"level": level, "early": np.mean(at < 3), "never": np.mean(at == len(on_f))}


def walks(every: pd.DataFrame, few: str, title: str) -> list[Figure]:
    """Path length on the smallest random set: plain SGD, both modes of BatchNorm, each trajectory once."""
    here = every[(every.forget_set == few) & (every.momentum == 0) & ~every.repeat.astype(bool)]
    with figures.style():
        if here.empty:
            return [maps.absent(title)]
    return maps.path_length(here[here.method == "ga"], here[here.method == "nothing"].iloc[-1], title)


def told(grid: pd.DataFrame, few: str) -> str:
    """The evidence of the verdict in one sentence."""
    best = lowest(grid, few)
    if best is None:
        return "no record at this scale"
    ga, start = _of(grid, few)
    return (
        f"on {few}, {int(ga.both.fillna(False).sum())} of {len(ga)} distinct GA cells are intact with half of the gap "
        f"closed and {int(ga.both.isna().sum())} open; the lowest average is {best.average:.2f} by {short(best)} "
        f"(doing nothing {start.average:.2f}), with {best.q:.0%} of the gap left [{best.q_low:.0%}, {best.q_high:.0%}] "
        f"and {100 * (best.retain_oracle_accuracy - best.retain_accuracy):.0f} points of retain accuracy lost"
    )
