"""Pictures and tables of the live experiment on 256 digits."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from scipy.stats import spearmanr

from unlearning.experiment.layout import Context
from unlearning.page import criteria, evidence, figures, maps
from unlearning.page.wording import sci

STAGES = ("pretrained", "oracle")  # colours of their own; everything between is ascent


def four_maps(runs: pd.DataFrame) -> list[Figure]:
    """Validation and retain damage against forgetting, one row for each forget set, and the key."""
    with figures.style():
        panels = []
        for name, rows in runs[runs.batchnorm == "train"].groupby("forget_set", sort=False):
            start = rows[rows.method == "nothing"].iloc[-1]
            for y in ("val", "retain"):
                panel, ax = figures.panel()
                maps.draw(ax, rows, y=y)
                maps.limits(ax, start, y=y)
                ax.set_title(f"256 digits, {name}")
                panels.append(panel)
        panels.append(maps.key(list(runs.method.unique()), width=4.6))
    return panels


def illusion(ga: pd.DataFrame, start: pd.Series) -> list[Figure]:
    """Left: average of the three P95 against time. Right: accuracy lost against the oracles, in points."""
    lost = ga.assign(points=100 * (ga.retain_oracle_accuracy - ga.retain_accuracy))
    with figures.style():
        left, ax = figures.panel()
        floor = np.mean([start[f"{g}_floor"] for g in evidence.GROUPS])
        ax.axhline(floor, color=figures.COLORS["neutral"], ls="--", lw=1)
        maps.lines(ax, ga, "average", start=start)
        ax.set(xlabel="epochs of ascent", ylabel="average P95 (nats)", ylim=(0, 11.5))
        ax.legend(title="step size", loc="upper left", ncols=2)
        right, ax = figures.panel()
        maps.lines(ax, lost, "points")
        ax.axhline(2, color=figures.COLORS["accent"], ls=":", lw=1.2)
        ax.set(xlabel="epochs of ascent", ylabel="retain accuracy lost (points)", ylim=(-1, 40))
    return [left, right]


def controls(runs: pd.DataFrame, rate: float) -> list[Figure]:
    """Forget and retain P95 against time for a step size, for step size 0, and with BatchNorm frozen; by forget set."""
    looks = {
        f"step size {rate:g}": ("train", rate, "ascent", "o-"),
        "step size 0": ("train", 0.0, "neutral", "s--"),
        f"step size {rate:g}, BatchNorm frozen": ("frozen", rate, "oracle", "^:"),
    }
    with figures.style():
        panels = []
        for name, rows in runs[runs.method == "ga"].groupby("forget_set", sort=False):
            start = runs[(runs.forget_set == name) & (runs.method == "nothing")].iloc[-1]
            for g in ("forget", "retain"):
                panel, ax = figures.panel()
                for label, (mode, lr, color, style) in looks.items():
                    path = rows[(rows.batchnorm == mode) & (rows.lr == lr)].sort_values("epoch")
                    ax.plot([0, *path.epoch], [start[g], *path[g]], style, ms=5,
                            color=figures.COLORS[color], label=label)  # fmt: skip
                ax.axhline(start[f"{g}_floor"], color=figures.COLORS["neutral"], ls="--", lw=1)
                ax.set(xlabel="epochs of ascent", ylabel=f"{g} P95 (nats)", ylim=(0, 11.8))
                ax.set_title(name)
                panels.append(panel)
        panels[0].axes[0].legend(loc="upper left", fontsize=8.5)
    return panels


def images(pictures: np.ndarray, labels: np.ndarray, stages: dict[str, np.ndarray]) -> Figure:
    """Margins of single images, a row for each: mean and one standard deviation over the models of each stage.

    pictures (points, h, w); labels (points,); stages: name -> margins (models, points), in the order of time.
    """
    between = [name for name in stages if name not in STAGES]
    tints = maps.shades(list(range(len(between))))
    colors = {name: figures.COLORS[name] for name in STAGES}
    colors |= {name: tints[k] for k, name in enumerate(between)}
    with figures.style():
        panel, ax = figures.panel(width=5.4, height=6.2)
        for k, (name, margins) in enumerate(stages.items()):
            y = np.arange(len(labels)) + 0.12 * (k - (len(stages) - 1) / 2)
            ax.errorbar(margins.mean(0), y, xerr=margins.std(0), fmt="osD^vP*"[k % 7], ms=4.5, lw=1,
                        color=colors[name], mec=figures.INK, mew=0.3, label=name)  # fmt: skip
        for k, picture in enumerate(pictures):
            shown = OffsetImage(picture, zoom=2.1, cmap="gray_r")
            at = AnnotationBbox(shown, (-0.11, k), xycoords=ax.get_yaxis_transform(), frameon=False)
            ax.add_artist(at)
        ax.axvline(0, color=figures.COLORS["neutral"], lw=1)
        ax.set(yticks=range(len(labels)), yticklabels=[], ylim=(len(labels) - 0.5, -0.5))
        ax.set_xlabel("margin of the true class (nats); below 0: wrong")
        ax.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.45, 1), columnspacing=1)
    return panel


def carriers(nearness: np.ndarray, scores: np.ndarray, same: np.ndarray) -> Figure:
    """KLoM of every retain point against its nearness to F; same: has a label that occurs in F. All (points,)."""
    top = np.percentile(scores, 95)
    with figures.style():
        panel, ax = figures.panel()
        for mark, where, label in (("o", same, "label occurs in F"), ("x", ~same, "label does not")):
            ax.plot(nearness[where], scores[where], mark, ms=4.5, ls="", label=label,
                    color=figures.COLORS["ascent" if mark == "o" else "retain"])  # fmt: skip
        ax.axhline(top, color=figures.COLORS["accent"], ls=":", lw=1.2)
        ax.text(nearness.max(), top, "P95", ha="right", va="bottom")
        ax.set(xlabel="correlation with the margins of F", ylabel="KLoM of one retain point (nats)")
        ax.legend(loc="upper left")
    return panel


def times(path: pd.DataFrame, read: pd.Series) -> pd.DataFrame:
    """One row for each stopping time: scores, accuracies, both judgements; read: the outcome as one reads a map."""
    return pd.DataFrame(
        {
            "epoch": r.epoch,
            "forget, retain, validation P95": f"{r.forget:.2f}, {r.retain:.2f}, {r.val:.2f}",
            "gap left on F": f"{r.q:.0%}",
            "right on R (oracles)": f"{r.retain_accuracy:.1%} ({r.retain_oracle_accuracy:.1%})",
            "on validation (oracles)": f"{r.val_accuracy:.1%} ({r.val_oracle_accuracy:.1%})",
            "read off the map": read[r.name],
            "by all criteria": r.outcome,
        }
        for _, r in path.sort_values("epoch").iterrows()
    )


def others(runs: pd.DataFrame) -> pd.DataFrame:
    """Methods that also train on R, and fine-tuning: their last stopping time on each forget set."""
    rows = runs[runs.method.isin(["finetune", "gda", "scrub", "scrub_published"])]
    last = rows[rows.epoch == rows.epoch.max()]
    return pd.DataFrame(
        {
            "forget set": r.forget_set,
            "method": f"{evidence.NAMES[r.method]}, {sci(r.lr)}",
            "forget P95": f"{r.forget:.2f} [{r.forget_low:.2f}, {r.forget_high:.2f}]",
            "retain, validation": f"{r.retain:.2f}, {r.val:.2f}",
            "right on R, validation": f"{r.retain_accuracy:.1%}, {r.val_accuracy:.1%}",
            "passes over data, of a retraining": f"{r.cost_true:.1%}",
            "outcome": r.outcome,
        }
        for _, r in last.iterrows()
    )


# --- numbers of the text ---------------------------------------------------------------------------------------------


def opening(context: Context, start: pd.Series) -> dict[str, float]:
    """The experiment's sizes, the start on the random set, and the limits of the criteria."""
    limits = criteria.DEFAULT
    return {
        "train": len(context.data.labels), "noise": context.preset.label_noise, "size": int(start["size"]),
        "floor": criteria.gaussian_floor(int(start.models)), "start_forget": start.forget,
        "start_accuracy": start.forget_accuracy, "oracle_accuracy": start.forget_oracle_accuracy,
        "fresh": start.val_oracle_accuracy, "shift": limits.shift_sd, "retain_points": limits.retain_points,
        "val_points": limits.val_points,
    }  # fmt: skip


def dip(path: pd.DataFrame, read: pd.DataFrame, runs: pd.DataFrame) -> dict[str, float]:
    """The stopping time of lowest q among those that pass on the map (of all, if none does), and what passes."""
    passed = path[read.both.loc[path.index].fillna(False).to_numpy(bool)]
    r = path.loc[(passed if len(passed) else path).q.idxmin()]
    ga = runs[runs.method == "ga"]
    return {
        "passed": len(passed), "dip_epoch": int(r.epoch), "dip_forget": r.forget, "dip_retain": r.retain,
        "dip_val": r.val, "dip_accuracy": r.retain_accuracy, "dip_oracles": r.retain_oracle_accuracy,
        "dip_reverse": r.retain_reverse, "all_ga": len(ga), "all_kept": int(ga.both.fillna(False).sum()),
    }  # fmt: skip


def drift(runs: pd.DataFrame, random_set: str, pc_set: str) -> dict[str, float]:
    """What step size 0 does: retain score at the end on one set, forget score after four epochs on the other."""
    still = runs[(runs.method == "ga") & (runs.lr == 0)].set_index(["forget_set", "epoch"])
    last = int(runs[runs.method == "ga"].epoch.max())
    four, start = still.loc[(pc_set, 4)], runs[(runs.forget_set == pc_set) & (runs.method == "nothing")]
    return {
        "drift_last": last, "drift_random": still.loc[(random_set, last)].retain, "drift_pc": four.forget,
        "drift_pc_start": start.forget.iloc[0], "drift_pc_accuracy": four.retain_accuracy,
    }  # fmt: skip


def spread(stages: dict[str, np.ndarray]) -> dict[str, float]:
    """How far the oracles are, image by image, and where the last stage of ascent lies, in their standard deviations."""
    oracle, before = stages["oracle"], stages["pretrained"]
    last = [name for name in stages if name not in STAGES][-1]
    lacking = (before.mean(0) - oracle.mean(0)) / oracle.std(0)
    end = (stages[last].mean(0) - oracle.mean(0)) / oracle.std(0)
    return {
        "least": lacking.min(), "most": lacking.max(), "below": int((end < -1).sum()),
        "above": int((end > 1).sum()), "spread": np.median(stages[last].std(0) / oracle.std(0)),
    }  # fmt: skip


def carried(nearness: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Rank correlation of score and nearness, and the points above the P95 beside all; both (points,)."""
    top = scores > np.percentile(scores, 95)
    return {
        "near_rho": spearmanr(nearness, scores)[0], "carriers": int(top.sum()),
        "carrier_near": nearness[top].mean(), "all_near": nearness.mean(), "hit_mean": scores.mean(),
    }  # fmt: skip
