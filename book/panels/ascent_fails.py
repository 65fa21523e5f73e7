"""Pictures and tables of the chapter that asks whether ascent stays or breaks (C1, C3)."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from unlearning.experiment import presets
from unlearning.page import criteria, evidence, figures, maps
from unlearning.page.wording import sci, scored, short

OUTCOMES = ("stays", "partial", "forgets", "breaks", "open")
ASCENT = ("ga", "gda")  # the methods of C1 and C3
PAPER_GDA = len(presets.DA_RATES) * len(presets.DA_EPOCHS) * 2 * 2  # of the paper's grid for one set
KINDS = {"random": "oracle", "pc1": "ascent", "pc2": "forget"}  # colours


def reading(published: pd.DataFrame) -> Figure:
    """How to read a map: its areas, drawn around the authors' own start on set 5."""
    runs = criteria.authors(published)
    start = runs[(runs.number == 5) & (runs.method == "nothing")]
    with figures.style():
        panel, ax = figures.panel(width=5, height=3.7)
        maps.draw(ax, start)
        ends = [-0.3, *maps.limits(ax, start.iloc[0])[:2], 11.3]
        top = maps.limits(ax, start.iloc[0])[2]
        ax.axhspan(top, 11.3, color=figures.COLORS["ascent"], alpha=0.10, lw=0)
        ax.text(5.5, (top + 11.3) / 2, "breaks", ha="center", size=13)
        for word, a, b, color in zip(
            ("forgets", "partly", "stays"),
            ends[:-1],
            ends[1:],
            ("oracle", "forget", "pretrained"),
            strict=True,
        ):
            ax.axvspan(a, b, ymax=(top + 0.3) / 11.6, color=figures.COLORS[color], alpha=0.2, lw=0)
            x = (a + b) / 2
            ax.annotate(word, (x, top), (x, top + 1.2), ha="center", size=11,
                        arrowprops={"arrowstyle": "-", "color": figures.INK, "lw": 0.7})  # fmt: skip
    return panel


def pair(frame: pd.DataFrame, name: str, title: str, published: pd.DataFrame) -> tuple[Figure, ...]:
    """Validation and retain maps of one forget set: the grid, fine-tuning, short retraining, published marks.

    frame: `evidence.load`. Thin lines join the stopping times of one step size of GA.
    """
    here = frame[frame.forget_set == name]
    baselines = here[here.method.isin(["finetune", "retrain"])]
    rows = pd.concat([evidence.distinct(here), baselines])
    start = rows[rows.method == "nothing"].iloc[-1]
    twin = evidence.relative(name, int(start["size"]))
    panels = []
    with figures.style():
        for y in ("val", "retain"):
            panel, ax = figures.panel()
            maps.reference(ax, published[published.set == twin], y=y)
            for _, path in rows[rows.method == "ga"].sort_values("epoch").groupby("lr"):
                ax.plot([start.forget, *path.forget], [start[y], *path[y]], lw=0.8,
                        color=figures.COLORS["neutral"], zorder=2)  # fmt: skip
            maps.draw(ax, rows, y=y, size=40)
            maps.limits(ax, start, y=y)
            ax.set_title(f"{name} (grey: set {twin})\n{title}", size=9.5)
            panels.append(panel)
    return tuple(panels)


def of_kind(frame: pd.DataFrame, kind: str) -> list[str]:
    """The forget sets of one kind, smallest first."""
    starts = frame[(frame.method == "nothing") & (frame.kind == kind)]
    return list(dict.fromkeys(starts.sort_values("size").forget_set))


def figure_1(frame: pd.DataFrame, title: str, published: pd.DataFrame) -> list[Figure]:
    """The maps of all PC1 sets, and the key."""
    found = [p for name in of_kind(frame, "pc1") for p in pair(frame, name, title, published)]
    with figures.style():
        key = maps.key([*evidence.IN_PAPER[1:], "finetune", "retrain"], 4.6, published=True)
        return [*(found or [maps.absent(title)]), key]


def figure_3(
    frame: pd.DataFrame, title: str, published: pd.DataFrame, first: str
) -> tuple[list[tuple[Figure, ...]], list[str]]:
    """(frames, labels) of the slider over the other forget sets, sets of kind `first` first."""
    kinds = sorted(("random", "pc2"), key=lambda kind: kind != first)
    names = [name for kind in kinds for name in of_kind(frame, kind)]
    if not names:
        with figures.style():
            return [(maps.absent(title),)], ["not run"]
    return [pair(frame, name, title, published) for name in names], names


def counts(runs: pd.DataFrame) -> pd.DataFrame:
    """Outcomes by forget set and method; each trajectory once, each stopping time a configuration."""
    rows = [
        {"forget set": name, "method": evidence.NAMES[method], "configurations": len(part)}
        | {outcome: int((part.outcome == outcome).sum()) for outcome in OUTCOMES}
        for (name, method), part in runs.groupby(["forget_set", "method"], sort=False)
    ]
    total = {"forget set": "all", "method": "", "configurations": len(runs)}
    total |= {outcome: int((runs.outcome == outcome).sum()) for outcome in OUTCOMES}
    return pd.DataFrame([*rows, total])


def furthest(runs: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """For each group the row of lowest q among those that are not broken; groups without one are left out."""
    whole = runs[~runs.intact.eq(False).fillna(False) & runs.q.notna()]
    return whole.loc[whole.groupby(by, sort=False).q.idxmin()] if len(whole) else whole


def best(runs: pd.DataFrame) -> pd.DataFrame:
    """The unbroken configuration of lowest q for each forget set and method, with scores, intervals and cost."""
    rows = [
        {
            "forget set": r.forget_set,
            "gets furthest, not broken": short(r),
            "gap left": f"{r.q:.0%} [{r.q_low:.0%}, {r.q_high:.0%}]",
            "forget P95": scored(r, "forget"),
            "retain": scored(r, "retain"),
            "validation": scored(r, "val"),
            "cost: paper's, true, seconds": f"{r.cost_paper:.1%}, {r.cost_true:.1%}, "
            f"{r.seconds / r.seconds_retrain:.1%}",
            "outcome": r.outcome,
        }
        for _, r in furthest(runs, ["forget_set", "method"]).iterrows()
    ]
    return pd.DataFrame(rows or [{"forget set": "not run"}])


def passed(runs: pd.DataFrame, read: pd.DataFrame) -> pd.DataFrame:
    """Configurations that pass when only the map is read: what the other direction and the accuracies say of them.

    read: `evidence.scores_alone` of the same rows, in the same order.
    """
    rows = [
        {
            "forget set": r.forget_set,
            "configuration": short(r),
            "forget, retain, validation P95": f"{r.forget:.2f}, {r.retain:.2f}, {r.val:.2f}",
            "collapsed points": f"{max(r[f'{g}_collapsed'] for g in evidence.GROUPS):.1%}",
            "other direction": f"{r.forget_reverse:.2f}, {r.retain_reverse:.2f}, {r.val_reverse:.2f}",
            "right on F, R, validation (oracles)": ", ".join(
                f"{r[f'{g}_accuracy']:.0%} ({r[f'{g}_oracle_accuracy']:.0%})"
                for g in evidence.GROUPS
            ),
            "by all criteria": r.outcome,
        }
        for _, r in runs[read.both.fillna(False).to_numpy(bool)].iterrows()
    ]
    return pd.DataFrame(rows or [{"configuration": "none"}])


def limits(frame: pd.DataFrame, shifts: list[float], title: str) -> Figure:
    """How many GA and GDA configurations have each outcome, against the shift that counts as damage."""
    if frame.empty:
        with figures.style():
            return maps.absent(title)
    shifts = sorted({*shifts, criteria.DEFAULT.shift_sd})
    found = []
    for shift in shifts:
        again = evidence.distinct(criteria.judged(frame, criteria.Criteria(shift_sd=shift)))
        found.append(again[again.method.isin(ASCENT)].outcome.value_counts())
    with figures.style():
        panel, ax = figures.panel()
        for k, outcome in enumerate(OUTCOMES):
            ax.plot(shifts, [int(c.get(outcome, 0)) for c in found], marker="osD^v"[k], ms=5,
                    color=figures.CYCLE[k], label=outcome)  # fmt: skip
        ax.axvline(criteria.DEFAULT.shift_sd, color=figures.COLORS["accent"], ls=":", lw=1.2)
        ax.set(xlabel="shift that counts as damage (oracle sd)", ylabel="GA and GDA configurations")
        ax.set_title(title, size=9.5)
        ax.set_ylim(0, 1.4 * max(int(c.max()) for c in found))
        ax.legend(loc="upper right", ncols=2)
    return panel


def hard(runs: pd.DataFrame, authors: pd.DataFrame, title: str) -> Figure:
    """Share of the gap left by the unbroken GA or GDA run that gets furthest, by forget set, with its interval.

    Hollow diamonds: the authors' own published runs; small points: the lowest share at any price.
    """
    ours = runs[runs.method.isin(ASCENT)]
    if ours.empty:
        with figures.style():
            return maps.absent(title)
    names = [name for kind in KINDS for name in dict.fromkeys(ours[ours.kind == kind].forget_set)]
    reached = furthest(ours, ["forget_set"]).set_index("forget_set")
    theirs = furthest(authors[authors.method.isin(ASCENT)], ["number"]).set_index("number")
    with figures.style():
        panel, ax = figures.panel(width=5, height=1.4 + 0.45 * len(names))
        for k, name in enumerate(names):
            here = ours[ours.forget_set == name]
            color = figures.COLORS[KINDS[evidence.kind(name)]]
            ax.plot(here.q.min(), k, ".", ms=7, color=figures.COLORS["neutral"])
            if name in reached.index:
                r = reached.loc[name]
                ax.plot([r.q_low, r.q_high], [k, k], color=color)
                ax.plot(r.q, k, "o", color=color, mec=figures.INK, mew=0.5)
            twin = evidence.relative(name, int(here["size"].iloc[0]), "ga")
            if twin in theirs.index:
                ax.plot(theirs.loc[twin].q, k, "D", mfc="none", ms=8, color=figures.COLORS["neutral"])
        for share in (criteria.DEFAULT.partial, criteria.DEFAULT.forgotten):
            ax.axvline(share, color=figures.COLORS["accent"], ls=":", lw=1.2)
        ax.axvline(1, color=figures.COLORS["neutral"], ls="--", lw=1)
        ax.set(yticks=range(len(names)), yticklabels=names, xlim=(-0.05, 1.45),
               ylim=(len(names) - 0.5, -0.5), xlabel="share of the gap left on F (1: as before)")  # fmt: skip
        ax.set_title(title, size=9.5)
    return panel


def told(runs: pd.DataFrame) -> str:
    """The evidence of a verdict in one sentence: counts and the unbroken run that gets furthest."""
    if runs.empty:
        return "no record at this scale"
    reached = furthest(runs, ["preset"])
    text = (
        f"of {len(runs)} distinct configurations {int(runs.both.fillna(False).sum())} are intact with half of the gap "
        f"closed, {int(runs.both.isna().sum())} are open"
    )
    if reached.empty:
        return f"{text}; every one breaks the model"
    r = reached.iloc[0]
    return (
        f"{text}; of those that are not broken {short(r)} on {r.forget_set} gets furthest, with {r.q:.0%} of the gap "
        f"left [{r.q_low:.0%}, {r.q_high:.0%}]"
    )


def by_kind(runs: pd.DataFrame) -> str:
    """The same for each kind of forget set, shorter."""
    parts = []
    for kind in KINDS:
        here = furthest(runs[runs.kind == kind], ["kind"])
        parts += [
            f"{kind} {r.q:.0%} [{r.q_low:.0%}, {r.q_high:.0%}] ({evidence.NAMES[r.method]} {sci(r.lr)})"
            for _, r in here.iterrows()
        ] or [f"{kind}: none is unbroken"]
    return "share of the gap left by the unbroken run that gets furthest: " + ", ".join(parts)


# --- numbers of the text ---------------------------------------------------------------------------------------------


def limits_told() -> dict[str, float]:
    """The limits of the criteria, and the step size below which ascent does nothing."""
    d = criteria.DEFAULT
    return {"shift": d.shift_sd, "retain_points": d.retain_points, "val_points": d.val_points,
            "forgotten": d.forgotten, "partial": d.partial, "no_step": sci(evidence.NO_STEP)}  # fmt: skip


def passed_told(grid: pd.DataFrame, read: pd.DataFrame) -> dict[str, float | str]:
    """What passes on the map and by all criteria, and signs of trouble; read: `evidence.scores_alone` of grid."""
    by_map = grid[read.both.fillna(False).to_numpy(bool)]
    lost = 100 * (by_map.retain_oracle_accuracy - by_map.retain_accuracy)
    collapsed = grid[[f"{g}_collapsed" for g in evidence.GROUPS]].max(axis=1) > 0
    under = [grid[f"{g}_high"] < grid[f"{g}_floor"] for g in evidence.GROUPS]
    start = grid[grid.method == "nothing"]
    doubtful = start[~start.intact.fillna(False).to_numpy(bool)].forget_set
    return {
        "harmed": ", ".join(doubtful) or "none", "by_map": len(by_map),
        "kept": int(by_map.both.fillna(False).sum()), "lost_least": lost.min(), "lost_most": lost.max(),
        "under": int(np.any(under, axis=0).sum()), "rows": len(grid), "collapsed": int(collapsed.sum()),
    }  # fmt: skip


def gda_told(runs: pd.DataFrame) -> dict[str, float]:
    """GDA on points of PC2: how many were run, how many are intact with half of the gap closed, the lowest share left."""
    gda = runs[(runs.kind == "pc2") & (runs.method == "gda")]
    return {
        "gda": len(gda), "gda_both": int(gda.both.fillna(False).sum()), "gda_open": int(gda.both.isna().sum()),
        "gda_q": gda.q.min(), "gda_cost": gda.cost_true.max(), "gda_paper": PAPER_GDA,
    }  # fmt: skip
