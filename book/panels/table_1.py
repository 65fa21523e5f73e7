"""Pictures and tables of the puzzle in the paper's Table 1: what its numbers imply, and suspects that could make them."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor

from unlearning import uncertainty
from unlearning.page import figures, maps
from unlearning.page.criteria import DAMAGE
from unlearning.page.evidence import GROUPS
from unlearning.page.floors import implied

TITLES = {"mnist": "MNIST", "fashionmnist": "FashionMNIST"}
LOOK = {"forget": ("forget", "o"), "retain": ("retain", "s"), "val": ("pretrained", "^")}
TRACES = ("alike", "validation more", "retain more", "not both raised", "both lowered")
Curve = Mapping[float, float]  # x: P95 in nats


def row_names(table1: pd.DataFrame) -> list[str]:
    """MNIST, 0.02 %."""
    return [f"{TITLES[r.dataset]}, {r.percent:g} %" for r in table1.itertuples()]


def excess(table1: pd.DataFrame, floor: float) -> pd.DataFrame:
    """Table 1 with what each number has above the floor, and validation less retain."""
    columns = {maps.LABELS[g]: [f"{v:.2f} ({v - floor:+.2f})" for v in table1[g]] for g in GROUPS}
    columns["validation − retain"] = (table1.val - table1.retain).map("{:+.2f}".format)
    return pd.DataFrame({"data, forgotten": row_names(table1)} | columns)


def readings(table1: pd.DataFrame, curves: dict[str, tuple[Curve, str]]) -> pd.DataFrame:
    """Each number read as one thing: forget / retain / validation; curves: reading -> (curve, format of its x)."""
    columns = {
        name: [" / ".join(_shown(implied(r[g], curve), form) for g in GROUPS) for _, r in table1.iterrows()]
        for name, (curve, form) in curves.items()
    }
    return pd.DataFrame({"data, forgotten": row_names(table1)} | columns)


def _shown(x: float, form: str) -> str:
    return "–" if np.isnan(x) else format(x, form)


def curves(equal: Curve, oracles: Curve, table1: pd.DataFrame) -> Figure:
    """The floor against the number of models, equal ensembles and few oracles; Table 1's numbers on the first."""
    with figures.style():
        panel, ax = figures.panel(width=5.4, height=3.9)
        looks = (("N and N models", equal, "-"), ("100 pretrained, N oracles", oracles, "--"))
        for label, curve, dash in looks:
            x, y = zip(*sorted(curve.items()), strict=True)
            ax.plot(x, y, dash, color=figures.COLORS["neutral"], lw=1.4, label=label)
        for dataset, fill in (("mnist", True), ("fashionmnist", False)):
            for g in DAMAGE:
                color, marker = LOOK[g]
                y = table1[table1.dataset == dataset][g]
                color = figures.COLORS[color]
                ax.plot([implied(v, equal) for v in y], y, marker, ms=7, color=color, mew=1.5,
                        mfc=color if fill else figures.PAPER, label=f"{TITLES[dataset]}, {maps.LABELS[g]}")  # fmt: skip
        ax.axvline(100, color=figures.COLORS["accent"], ls=":", lw=1.2)
        ax.set(xscale="log", yscale="log", xlabel="models N", ylabel="P95 of no difference (nats)")
        for axis, ticks in ((ax.xaxis, (5, 10, 20, 35, 50, 100)), (ax.yaxis, (0.5, 1, 2, 4, 8))):
            axis.set_ticks(ticks, [f"{t:g}" for t in ticks])
            axis.set_ticks([], minor=True)
        ax.legend(loc="lower left", fontsize=8.5)
    return panel


def scored(
    pairs: dict[str, tuple[Tensor, Tensor]], places: dict[str, np.ndarray], seed: int
) -> pd.DataFrame:
    """P95 of each pair of ensembles on each group: G, G_low, G_high, G_floor, G_ceiling (nats), and above (val − retain).

    pairs: suspect -> margins (models, points) of pretrained models and oracles; places: group -> indices of points.
    """
    rows = {}
    for name, pair in pairs.items():
        rows[name] = {}
        for g, at in places.items():
            u, o = (x[:, at].clamp(-100, 100) for x in pair)
            s = uncertainty.summarize(u, o, splits=2, subsets=8, seed=seed)
            rows[name] |= {g: s.p95, f"{g}_low": s.low, f"{g}_high": s.high}
            rows[name] |= {f"{g}_floor": s.floor, f"{g}_ceiling": s.ceiling}
    found = pd.DataFrame(rows).T
    return found.assign(above=found.val - found.retain)


def traces(found: pd.DataFrame, stated: float, margin: float) -> pd.Series:
    """The trace that each suspect leaves, one of TRACES.

    found: `scored`; stated: floor of the stated number of models (nats). Raised: both intervals above it. Alike: the two
    groups differ by less than `margin` nats. Lowered: both below half of the floor.
    """
    raised = (found.retain_low > stated) & (found.val_low > stated)
    lowered = (found.retain < stated / 2) & (found.val < stated / 2)
    kinds = [raised & (found.above.abs() < margin), raised & (found.above > 0), raised, ~lowered]
    return pd.Series(np.select(kinds, TRACES[:4], TRACES[4]), index=found.index)


def suspects(found: pd.DataFrame, trace: pd.Series) -> pd.DataFrame:
    """The suspects with number, scores, difference of the groups, and trace."""
    return pd.DataFrame(
        {"": k, "suspect": name}
        | {
            maps.LABELS[g]: f"{r[g]:.2f} [{r[f'{g}_low']:.2f}, {r[f'{g}_high']:.2f}] "
            f"{r[f'{g}_floor']:.2f} / {r[f'{g}_ceiling']:.1f}"
            for g in DAMAGE
        }
        | {"validation − retain": f"{r.above:+.2f}", "trace": trace[name]}
        for k, (name, r) in enumerate(found.iterrows(), 1)
    )


def hunt(found: pd.DataFrame, stated: float, table1: pd.DataFrame) -> list[Figure]:
    """Suspects: both groups' scores, a line for each (left); validation against retain beside Table 1 (right)."""
    grey = figures.COLORS["neutral"]
    with figures.style():
        left, ax = figures.panel(width=4.8, height=4.6)
        place = np.arange(len(found))
        ends = found[list(DAMAGE)]
        ax.hlines(place, ends.min(axis=1), ends.max(axis=1), color=grey, lw=1)
        for g in DAMAGE:
            color, marker = LOOK[g]
            ax.scatter(found[g], place, s=34, marker=marker, color=figures.COLORS[color],
                       label=maps.LABELS[g], zorder=3)  # fmt: skip
        ax.axvline(stated, color=grey, ls=":")
        ax.set_yticks(place, [f"{name}  {k}" for k, name in enumerate(found.index, 1)], fontsize=9)
        ax.invert_yaxis()
        ax.set_xlabel("KLoM, P95 (nats)")
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
        right, ax = figures.panel(height=4.6)
        limit = 1.1 * table1[list(DAMAGE)].max().max()
        ax.plot([0, limit], [0, limit], color=grey, ls="--", lw=1)
        for dataset, marker in (("mnist", "o"), ("fashionmnist", "s")):
            theirs = table1[table1.dataset == dataset]
            ax.scatter(theirs.retain, theirs.val, s=110, marker=marker, facecolors="none", edgecolors=grey,
                       linewidths=1.8, label=f"{TITLES[dataset]}, Table 1")  # fmt: skip
        for k, (_, r) in enumerate(found.iterrows(), 1):
            if max(r.retain, r.val) <= limit:
                ax.scatter(r.retain, r.val, s=12, color=figures.COLORS["ascent"], zorder=3)
                ax.annotate(str(k), (r.retain, r.val), xytext=(4, 3 if k % 2 else -9),
                            textcoords="offset points", fontsize=8.5)  # fmt: skip
        ax.set(xlabel="retain KLoM, P95 (nats)", ylabel="validation KLoM, P95 (nats)")
        ax.set(xlim=(0, limit), ylim=(0, limit))
        ax.legend(loc="lower right")
    return [left, right]


# --- numbers of the text ---------------------------------------------------------------------------------------------


def arithmetic(table1: pd.DataFrame, equal: Curve, oracles: Curve) -> dict[str, float]:
    """What the text says of the rows above the floor: ranges of implied N, of differences, oracles that it would take."""
    high = table1[table1.retain > 1.5 * equal[100]]
    n = high[list(DAMAGE)].map(lambda v: implied(v, equal))
    flat = n[high.dataset == next(iter(TITLES))]
    few = high[list(DAMAGE)].map(lambda v: implied(v, oracles))
    differ = table1.val - table1.retain
    mnist, fashion = (differ[table1.dataset == d] for d in TITLES)
    return {
        "floor": equal[100], "flat_low": flat.min().min(), "flat_high": flat.max().max(),
        "few_low": few.min().min(), "few_high": few.max().max(), "mnist_most": mnist.abs().max(), "fashion_least": fashion.min(),
        "fashion_most": fashion.max(), "score_low": high[list(DAMAGE)].min().min(),
        "score_high": high[list(DAMAGE)].max().max(),
    }  # fmt: skip


def forget_column(table1: pd.DataFrame, tolerance: float = 1.0) -> dict[str, float | int]:
    """Rows in which F exceeds neither group, or by `tolerance` nats at most; the most by which it does."""
    over = table1.forget - table1[list(DAMAGE)].max(axis=1)
    return {"over_none": int((over <= 0).sum()), "over_rows": len(over),
            "over_close": int((over <= tolerance).sum()), "over_most": over.max()}  # fmt: skip
