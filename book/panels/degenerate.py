"""Pictures and tables of the chapter on degenerate data: doing nothing on easy pictures."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from unlearning.experiment import presets
from unlearning.page import criteria, evidence, figures, ladder, maps
from unlearning.page.evidence import GROUPS

TITLES = {"mnist": "MNIST", "fashionmnist": "FashionMNIST", "cifar10": "CIFAR-10"}
LOOK = {"forget": ("forget", "o"), "retain": ("retain", "s"), "val": ("pretrained", "^")}
MARK = {"mnist": ("pretrained", "o"), "fashionmnist": ("forget", "s"), "cifar10": ("accent", "D")}
SHIFTED = ("forget", "retain", "val")  # strips of the picture of shifts, from below


def measured(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of doing nothing with what this chapter asks of them.

    Adds gap (accuracy on F, pretrained less oracles; a fraction), out (forget P95 less the larger of retain's and
    validation's) with out_low and out_high, nats, and floor (True, False, <NA>: F is within the limit of its own floor).
    """
    frame = frame.copy()
    frame["gap"] = frame.forget_accuracy - frame.forget_oracle_accuracy
    elsewhere = frame[list(criteria.DAMAGE)].max(axis=1)
    for end in ("", "_low", "_high"):
        frame[f"out{end}"] = frame[f"forget{end}"] - elsewhere
    bound = [criteria.limit(int(n)) if n > 0 else np.nan for n in frame.models]
    frame["floor"] = criteria.below(
        frame.forget_low, frame.forget_high, frame.forget_floor + bound
    )
    return frame


def planned(held: dict[str, list[dict]]) -> pd.DataFrame:
    """One row for each forget set that presets ask for, smallest first; held: preset -> its records of doing nothing.

    Columns of `criteria.judged` and `measured`, train (images |D|) and percent (|F| of |D|); scores are NaN where
    nothing was recorded. Of a set recorded with several numbers of models the row with the most.
    """
    parts = []
    for name, records in held.items():
        p = presets.PRESETS[name]
        found = criteria.judged(evidence.table(records)).sort_values("models")
        found = found.drop_duplicates("forget_set", keep="last")
        wanted = pd.DataFrame({"dataset": p.dataset, "preset": name, "forget_set": p.forget_sets})
        wanted["train"] = p.train_images or ladder.FULL[p.dataset][0]
        found = found.drop(columns=["dataset", "preset"])
        parts.append(wanted.merge(found, on="forget_set", how="left").infer_objects())
    rows = _joined(parts)
    rows["size"] = [int(name.rpartition("-")[2]) for name in rows.forget_set]
    return measured(rows.assign(percent=100 * rows["size"] / rows.train))


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """The parts' rows with all their columns; a column without a value in one part does not decide its type."""
    every = list(dict.fromkeys(c for part in parts for c in part.columns))
    known = [part.dropna(axis=1, how="all") for part in parts]
    return pd.concat(known, ignore_index=True).reindex(columns=every)


def reference(starts: pd.DataFrame) -> float:
    """How far random forget points stand out on CIFAR-10, mean over the sets, nats; NaN without one.

    starts: `evidence.load` of the same scale.
    """
    rows = starts[(starts.method == "nothing") & (starts.kind == "random")]
    return float(measured(rows).out.mean())


def with_cifar(twins: pd.DataFrame, laptop: pd.DataFrame) -> pd.DataFrame:
    """The twins, and beside them the CIFAR-10 run whose twins they are: `evidence.load("laptop")`."""
    rows = measured(laptop[(laptop.method == "nothing") & (laptop.forget_set == "random-50")])
    return _joined([twins, rows])


# --- tables ----------------------------------------------------------------------------------------------------------


def cell(row: pd.Series, group: str) -> str:
    """P95 [95% interval over models] floor / ceiling of one group of points."""
    if pd.isna(row[group]):
        return "not run"
    return (
        f"{row[group]:.2f} [{row[f'{group}_low']:.2f}, {row[f'{group}_high']:.2f}] "
        f"{row[f'{group}_floor']:.2f} / {row[f'{group}_ceiling']:.1f}"
    )


def word(holds: bool | None) -> str:
    """yes, no, or open for an answer that may be <NA>."""
    return "open" if pd.isna(holds) else "yes" if holds else "no"


def paper(table1: pd.DataFrame) -> pd.DataFrame:
    """The paper's Table 1."""
    columns = {"data": table1.dataset.map(TITLES), "forgotten": table1.percent.map("{:g} %".format)}
    return pd.DataFrame(columns | {maps.LABELS[g]: table1[g].map("{:.2f}".format) for g in GROUPS})


def scores(rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Accuracy gap and scores of doing nothing, one named row for each row of `measured`."""
    return pd.DataFrame(
        {"data, forgotten": name, "gap in accuracy": "–" if pd.isna(r.gap) else f"{r.gap:.1%}"}
        | {maps.LABELS[g]: cell(r, g) for g in GROUPS}
        | {"forget, mean": "–" if pd.isna(r.forget_mean) else f"{r.forget_mean:.2f}"}
        for name, (_, r) in zip(names, rows.iterrows(), strict=True)
    )


def names_of(rows: pd.DataFrame) -> list[str]:
    """MNIST, 254 of 2,540 (10%)."""
    return [
        f"{TITLES[r.dataset]}, {r['size']:,} of {r.train:,} ({r.percent:.2g}%)"
        for _, r in rows.iterrows()
    ]


def judged(rows: pd.DataFrame, gap: float, share: float) -> pd.DataFrame:
    """`scores` and what the criteria say of each row; gap: `reference`, share: of it that F may stand out by."""
    small = criteria.below(rows.out_low, rows.out_high, share * gap)
    told = pd.DataFrame(
        {
            "F stands out by": "not run"
            if pd.isna(r.out)
            else f"{r.out:.2f} [{r.out_low:.2f}, {r.out_high:.2f}]",
            "of CIFAR-10's": "–" if pd.isna(r.out / gap) else f"{r.out / gap:.0%}",
            "degenerate": word(few),
            "readable; F at its floor": f"{word(r.intact)}; {word(r.floor)}",
        }
        for few, (_, r) in zip(small, rows.iterrows(), strict=True)
    )
    return scores(rows, names_of(rows)).drop(columns="forget, mean").join(told)


# --- pictures --------------------------------------------------------------------------------------------------------


def shifts(
    pretrained: np.ndarray, oracle: np.ndarray, points: dict[str, np.ndarray]
) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Group -> (oracles' mean margin, pretrained mean margin, shift in oracle standard deviations) at its points.

    pretrained, oracle: margins (models, points); points: group -> indices.
    """
    found = {}
    for group, at in points.items():
        a, b = oracle[:, at], pretrained[:, at]
        found[group] = a.mean(0), b.mean(0), (b.mean(0) - a.mean(0)) / a.std(0, ddof=1)
    return found


def moved(found: dict[str, tuple], title: str) -> list[Figure]:
    """`shifts`: mean margins against each other (left), and the shifts, a strip for each group (right)."""
    rng = np.random.default_rng(0)
    with figures.style():
        left, ax = figures.panel()
        for g in reversed(SHIFTED):
            x, y, _ = found[g]
            ax.scatter(x, y, **_dots(g), label=maps.LABELS[g])
        ax.axline((0, 0), slope=1, color=figures.COLORS["neutral"], ls="--", lw=1)
        ax.set(xlabel="mean margin, oracles (nats)", ylabel="mean margin, pretrained (nats)")
        ax.set_title(title, size=9.5)
        ax.legend(loc="upper left")
        right, ax = figures.panel()
        for place, g in enumerate(SHIFTED):
            s = found[g][2]
            ax.scatter(s, place + rng.uniform(-0.25, 0.25, len(s)), **_dots(g))
            ax.plot([s.mean()] * 2, [place - 0.4, place + 0.4], color=figures.INK, lw=1.5)
        ax.axvline(0, color=figures.COLORS["neutral"], ls="--", lw=1)
        ax.set_yticks(range(len(SHIFTED)), [maps.LABELS[g] for g in SHIFTED])
        ax.set(xlabel="shift $s$ (oracle standard deviations)")
        ax.set_title(title, size=9.5)
    return [left, right]


def _dots(group: str) -> dict:
    color, marker = LOOK[group]
    few = group == "forget"
    return {"s": 40 if few else 12, "marker": marker, "color": figures.COLORS[color], "edgecolors": "none",
            "alpha": 1 if few else 0.5, "zorder": 4 if few else 3}  # fmt: skip


def table_1(rows: pd.DataFrame, table1: pd.DataFrame, titles: dict[str, str]) -> list[Figure]:
    """Doing nothing by forget set and group, one panel for each data set: ours with intervals and floors, theirs grey.

    titles: data set -> what its records are.
    """
    panels = []
    with figures.style():
        for dataset, title in titles.items():
            ours, theirs = (x[x.dataset == dataset].reset_index() for x in (rows, table1))
            if ours.forget.isna().all():
                panels.append(maps.absent(title))
                continue
            panel, ax = figures.panel(height=3.7)
            for j, g in enumerate(GROUPS):
                color, marker = LOOK[g]
                at = np.arange(len(theirs)) + 0.24 * (j - 1)
                grey = {"facecolors": "none", "edgecolors": figures.COLORS["neutral"]}
                ax.scatter(at + 0.09, theirs[g], s=36, marker=marker, zorder=2, **grey)
                reach = np.abs(np.array([ours[f"{g}_low"], ours[f"{g}_high"]], float) - ours[g].to_numpy(float))
                ax.errorbar(at, ours[g], yerr=reach, fmt=marker, ms=6, lw=1.2, capsize=2, zorder=3,
                            color=figures.COLORS[color], label=maps.LABELS[g])  # fmt: skip
                ax.scatter(at, ours[f"{g}_floor"], marker="_", s=120, color=figures.INK, zorder=4)
            ticks = [f"{n:,} of\n{t:,}" for n, t in zip(ours["size"], ours.train, strict=True)]
            ax.set_xticks(range(len(ours)), ticks)
            ax.set(xlabel="forget set (images)", ylabel="KLoM, P95 (nats)", ylim=(0, 11))
            ax.set_title(f"{TITLES[dataset]}\n{title}", size=9.5)
            ax.legend(loc="upper left", ncols=3, columnspacing=0.8, handletextpad=0.2)
            panels.append(panel)
    return panels


def against_gap(parts: list[pd.DataFrame]) -> list[Figure]:
    """Score on F against the accuracy gap: P95 less that of other points (left), mean over F (right).

    parts: tables of `measured` rows. Hollow: the twins of equal size and recipe.
    """
    drawn = _joined(parts)
    drawn = drawn[drawn.forget.notna()]
    with figures.style():
        if drawn.empty:
            return [maps.absent("not run")]
        panels = []
        for column, label in (("out", "F stands out by (P95, nats)"), ("forget_mean", "forget KLoM, mean (nats)")):  # fmt: skip
            panel, ax = figures.panel()
            for _, r in drawn.iterrows():
                color, marker = MARK[r.dataset]
                twin = r.forget_set == "random-50"
                ax.scatter(100 * r.gap, r[column], s=50, marker=marker, linewidths=1.6,
                           color="none" if twin else figures.COLORS[color],
                           edgecolors=figures.COLORS[color], zorder=3)  # fmt: skip
            ax.set(xlabel="gap in accuracy (percentage points)", ylabel=label)
            panels.append(panel)
        for dataset in dict.fromkeys(drawn.dataset):
            color, marker = MARK[dataset]
            ax.scatter([], [], marker=marker, color=figures.COLORS[color], label=TITLES[dataset])
        ax.legend(loc="lower right")
    return panels


# --- numbers of the text ---------------------------------------------------------------------------------------------


def digits_told(found: dict[str, tuple]) -> dict[str, float]:
    """Mean shift of the forget points; mean size of the shift at validation points, which is chance."""
    return {"shift": found["forget"][2].mean(), "chance": np.abs(found["val"][2]).mean()}


def recorded_told(rows: pd.DataFrame, gap: float, share: float) -> dict[str, float | int | str]:
    """The reference gap, the limit, how many rows are recorded, which are open, and the worst point outside F."""
    ran = rows[rows.forget.notna()]
    small = criteria.below(ran.out_low, ran.out_high, share * gap)
    above = [ran[g] - ran[f"{g}_floor"] for g in criteria.DAMAGE]
    names = np.array(names_of(ran), dtype=object)
    return {
        "reference": gap, "limit": share * gap, "rows": len(ran), "asked": len(rows),
        "open": "; ".join(names[small.isna().to_numpy(bool)]) or "none",
        "outside": float(np.max(above)) if len(ran) else float("nan"),
    }  # fmt: skip


def told(rows: pd.DataFrame, gap: float) -> str:
    """The evidence of the verdict in one sentence."""
    if rows.forget.isna().all():
        return "no record at this scale"
    parts = []
    for dataset, part in rows.groupby("dataset", sort=False):
        each = [
            "not run" if pd.isna(r.out) else f"{r.out:.2f} [{r.out_low:.2f}, {r.out_high:.2f}]"
            for _, r in part.iterrows()
        ]
        parts.append(f"on {TITLES[dataset]} by {', '.join(each)}")
    against = "not run" if pd.isna(gap) else f"{gap:.2f}"
    return (
        "by rising size of F, doing nothing scores higher on F than elsewhere "
        f"{'; '.join(parts)} nats (P95); on CIFAR-10 at this scale: {against}"
    )


def in_theirs(table1: pd.DataFrame, published: pd.DataFrame) -> dict[str, float | int]:
    """The same question put to the authors' own numbers: most that F stands out in Table 1, and on their CIFAR-10."""
    out = table1.forget - table1[list(criteria.DAMAGE)].max(axis=1)
    start = published[published.method == "nothing"]
    theirs = (start.forget - start[list(criteria.DAMAGE)].max(axis=1)).mean()
    floor = criteria.gaussian_floor(100) + criteria.limit(100)
    return {"their_most": out.max(), "their_gap": theirs, "their_rows": len(table1),
            "their_floor": int((table1.forget > floor).sum())}  # fmt: skip
