"""Pictures and tables of the chapter that asks: is it ascent, or BatchNorm?"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from unlearning.experiment.layout import Context
from unlearning.page import criteria, evidence, figures, maps
from unlearning.page.evidence import GROUPS
from unlearning.page.wording import sci, short

BATCH = 64  # points of F in a step of gradient ascent
SMALL = 1e-3  # step sizes up to here are drawn as small ones
WORD = {"forget": "forget", "retain": "retain", "val": "validation"}
COLOR = {"forget": "forget", "retain": "retain", "val": "neutral"}
MODE = {"train": "train mode", "frozen": "BatchNorm frozen"}


def share_of_f(passes: float, size: float, rate: float = 0.1) -> float:
    """Share of F in the running statistics after so many passes over its `size` points: 1 - (1 - rate)^batches."""
    return 1 - (1 - rate) ** (passes * np.ceil(size / BATCH))


# --- the mechanism ---------------------------------------------------------------------------------------------------


def drifted(
    states: dict[str, list], expected: dict[str, list], margins: dict[str, list], context: Context
) -> pd.DataFrame:
    """What one model's steps change, a row for each forget set and step (the start is step 0, and left out).

    states: (parameters, running statistics) after 0, 1, … steps; expected: predicted running statistics; margins: those
    before (1, 1, points) and after each step (steps, 1, points), F first. Columns set, step, weights (largest change),
    statistics and predicted (change relative to the start's norm), gap (largest relative error of the prediction), and
    for each group the root mean square of its margins' change (nats).
    """
    rows = []
    for name, path in states.items():
        (weights, start), (before, after) = path[0], margins[name]
        ends = np.cumsum([len(members) for members in context.scored(name).values()])
        change = np.split((after[:, 0] - before[0]) ** 2, ends[:-1], axis=1)
        for k, (now, running) in enumerate(path[1:], start=1):
            told = expected[name][k]
            rows.append({
                "set": name, "step": k, "weights": float((now - weights).abs().max()),
                "statistics": float((running - start).norm() / start.norm()),
                "predicted": float((told - start).norm() / start.norm()),
                "gap": float(((running - told).abs() / (1 + told.abs())).max()),
            } | {g: float(np.sqrt(part[k - 1].mean())) for g, part in zip(GROUPS, change, strict=True)})  # fmt: skip
    return pd.DataFrame(rows)


def drift_told(drift: pd.DataFrame) -> dict[str, float | str]:
    """Largest change of a parameter, largest error of the prediction, and how far margins have gone in the end."""
    last = drift[drift.step == drift.step.max()]
    return {"weights": f"{drift.weights.max():g}", "gap": drift.gap.max()} | {
        f"shift_{g}": last[g].max() for g in GROUPS
    }


def mechanism(drift: pd.DataFrame) -> list[Figure]:
    """Left: parameters and running statistics against steps, dots: predicted. Right: margins in evaluation mode.

    drift: `drifted`.
    """
    names = list(dict.fromkeys(drift.set))
    with figures.style():
        left, ax = figures.panel(height=2.8)
        for name, color, style in zip(names, ("pretrained", "accent"), ("--", "-"), strict=False):
            rows = drift[drift.set == name]
            ax.plot(rows.step, rows.statistics, style, color=figures.COLORS[color], label=name)
            ax.plot(rows.step, rows.predicted, ".", color=figures.INK, ms=4)
        still = drift.groupby("step").weights.max()
        ax.plot(still.index, still, color=figures.COLORS["neutral"], label="parameters")
        ax.set(xlabel="batches of F seen", ylabel="relative change (norm)")
        ax.margins(y=0.32)
        ax.legend(loc="upper left", title="running statistics, parameters", ncols=2, alignment="left")
        right, ax = figures.panel(height=2.8)
        for name, style in zip(names, ("--", "-"), strict=False):
            rows = drift[drift.set == name]
            for g, marker in zip(GROUPS, "os^", strict=True):
                ax.plot(rows.step, rows[g], style, marker=marker, ms=3.5, lw=1.3, color=figures.COLORS[COLOR[g]],
                        label=WORD[g] if name == names[-1] else None)  # fmt: skip
        ax.set(xlabel="batches of F seen", ylabel="change of margins, RMS (nats)")
        ax.margins(y=0.25)
        ax.legend(loc="upper left", ncols=3, columnspacing=1, handlelength=1.5)
    return [left, right]


# --- the control experiment ------------------------------------------------------------------------------------------


def seen(frame: pd.DataFrame) -> pd.DataFrame:
    """Adds seen_G, P95 of each group, the robust one where far-out models collapse the range; far: whether any does."""
    frame = frame.copy()
    for g in GROUPS:
        frame[f"seen_{g}"] = frame[g].where(frame[f"{g}_collapsed"] == 0, frame[f"{g}_robust"])
    frame["far"] = frame[[f"{g}_collapsed" for g in GROUPS]].max(axis=1) > 0
    return frame


def measured(every: pd.DataFrame) -> pd.DataFrame:
    """Gradient ascent from the records with its damage: mean rise of retain and validation P95 from the start (nats).

    Adds the columns of `seen`, damage, error (half of its 95% interval, taking the four scores as independent), and
    start, start_val, start_intact (of the pretrained models). every: `evidence.load`.
    """
    ga, starts = seen(every[every.method == "ga"]), every[every.method == "nothing"]
    start = starts.set_index("forget_set").reindex(ga.forget_set)
    damage, variance = 0.0, 0.0
    for g in criteria.DAMAGE:
        damage = damage + (ga[f"seen_{g}"] - start[g].to_numpy()) / 2
        for frame in (ga, start):
            variance = variance + (((frame[f"{g}_high"] - frame[f"{g}_low"]) / 4) ** 2).to_numpy()
    ga["damage"], ga["error"] = damage, np.sqrt(variance)
    ga["start"], ga["start_val"] = start.forget.to_numpy(), start.val.to_numpy()
    ga["start_intact"] = start.intact.to_numpy()
    return ga


def plain(ga: pd.DataFrame) -> pd.DataFrame:
    """Runs without momentum, weight decay or shuffling."""
    return ga[(ga.momentum == 0) & (ga.weight_decay == 0) & (ga["shuffle"] == -1)]


def _look(rate: float, rates: list[float]) -> dict:
    """Line of a step size: thick ink for 0, thin for the small ones, colours for the others."""
    if rate == 0:
        return {"color": figures.INK, "marker": "o", "lw": 3, "ls": "-", "label": "0"}
    if rate <= SMALL:
        label = f"up to {sci(SMALL)}"
        return {"color": figures.COLORS["accent"], "marker": ".", "lw": 1.1, "ls": "--", "label": label}
    k = [r for r in rates if r > SMALL].index(rate)
    color = figures.COLORS[("ascent", "forget", "pretrained")[k % 3]]
    return {"color": color, "marker": "s^D"[k % 3], "lw": 1.8, "ls": "--", "label": sci(rate)}


def _curves(rows: pd.DataFrame, column: str, mode: str, rates: list[float], title: str) -> Figure:
    """Damage or forget score against epochs, a line for each step size of one mode."""
    panel, ax = figures.panel(height=2.3)
    told = set()
    for rate in [r for r in rates if r > 0] + [0.0]:
        line = rows[(rows.batchnorm == mode) & (rows.lr == rate)].sort_values("epoch")
        look = _look(rate, rates)
        if look["label"] in told or line.empty:
            look["label"] = None
        told.add(look["label"])
        ax.plot(line.epoch, line[column], ms=4, **look)
        far = line[line.far]
        ax.plot(far.epoch, far[column], look["marker"], ms=6, color=look["color"], mfc=figures.PAPER)
    ax.set_title(f"{MODE[mode]}, {title}", size=9.5)
    if column == "damage":
        ax.axhline(0, color=figures.COLORS["neutral"], ls=":")
        if told - {None}:
            ax.legend(loc="upper left", ncols=4, columnspacing=0.8, handlelength=1.6, fontsize=8.5, title="step size",
                  alignment="left")  # fmt: skip
        ax.set(xlabel="epochs", ylabel="damage (nats)", ylim=(-1.5, 15))
    else:
        ax.axhline(rows.start.iloc[0], color=figures.COLORS["neutral"], ls=":")
        ax.axhline(rows.forget_floor.median(), color=figures.COLORS["neutral"], ls="--")
        ax.set(xlabel="epochs", ylabel="forget P95 (nats)", ylim=(-0.4, 12.4))
    ax.set_yticks(range(0, 13, 3))
    return panel


def curves(ga: pd.DataFrame, title: str) -> tuple[list[tuple[Figure, ...]], list[str]]:
    """(frames, labels) of the slider over forget sets: damage and forget score, in train mode and frozen.

    ga: `measured`. The set on which step size 0 does most damage comes first.
    """
    ga = plain(ga)
    still = ga[(ga.batchnorm == "train") & (ga.lr == 0)]
    with figures.style():
        if ga.empty:
            return [(maps.absent(title),)], ["not run"]
        worst = still.groupby("forget_set").damage.max()
        names = sorted(ga.forget_set.unique(), key=lambda name: -worst.get(name, 0.0))
        slides = []
        for name in names:
            rows, rates = ga[ga.forget_set == name], sorted(ga.lr.unique())
            slides.append(tuple(_curves(rows, column, mode, rates, name)
                                for column in ("damage", "seen_forget") for mode in MODE))  # fmt: skip
        return slides, names


def _beside_zero(ga: pd.DataFrame) -> pd.DataFrame:
    """Plain runs in train mode, each with the run of step size 0 on the same set and epoch as columns …_zero."""
    rows = plain(ga)[lambda r: r.batchnorm == "train"]
    return rows.merge(rows[rows.lr == 0], on=["forget_set", "epoch"], suffixes=("", "_zero"))


def distances(ga: pd.DataFrame) -> pd.DataFrame:
    """How far the scores of a step size are from those of step size 0, over all forget sets and epochs."""
    pairs = _beside_zero(ga)[lambda r: r.lr > 0]
    rows = []
    for rate, part in pairs.groupby("lr"):
        row = {"step size": sci(rate), "runs": len(part)}
        for g in GROUPS:
            gap = (part[f"seen_{g}"] - part[f"seen_{g}_zero"]).abs()
            half = (part[f"{g}_high"] - part[f"{g}_low"])[gap.idxmax()] / 2
            row[WORD[g]] = f"{gap.median():.2f}, {gap.max():.2f}\u00a0(±\u00a0{half:.2f})"
        lost = (part.retain_accuracy - part.retain_accuracy_zero).abs().max()
        same = (part.outcome == part.outcome_zero).mean()
        rows.append(row | {"retain accuracy, points": f"{100 * lost:.1f}", "same outcome": f"{same:.0%}"})
    return pd.DataFrame(rows or [{"step size": "not run"}])


def shares(ga: pd.DataFrame, resolvable: float) -> pd.DataFrame:
    """Damage of step size 0 and of larger ones in train mode, and the share that step size 0 alone would have done.

    Only sets and epochs with damage of at least `resolvable` nats in some run of SMALL or more.
    """
    pairs = _beside_zero(ga)[lambda r: r.lr >= SMALL]
    rows = []
    for (name, epoch), part in pairs.groupby(["forget_set", "epoch"], sort=False):
        if part.damage.max() < resolvable:
            continue
        one = part.iloc[0]
        row = {"forget set": name, "epoch": int(epoch), "step size 0": f"{one.damage_zero:.1f} ± {one.error_zero:.1f}"}
        for _, r in part.sort_values("lr").iterrows():
            told = f": {r.damage_zero / r.damage:.0%}" if r.damage >= resolvable else ""
            row[sci(r.lr)] = f"{r.damage:.1f} ± {r.error:.1f}{told}"
        rows.append(row)
    return pd.DataFrame(rows or [{"forget set": "not run, or no damage"}]).fillna("not run")


def shares_told(ga: pd.DataFrame, resolvable: float) -> dict[str, float | int | str]:
    """Numbers of the text on the control: distances of the smallest steps, shares, and where drift looks like forgetting."""
    pairs = _beside_zero(ga)
    tiny = pairs[(pairs.lr > 0) & (pairs.lr <= evidence.NO_STEP)]
    gap = {g: (tiny[f"seen_{g}"] - tiny[f"seen_{g}_zero"]).abs().max() for g in GROUPS}
    hurt = pairs[(pairs.damage >= resolvable) & (pairs.lr > 0)]
    share = hurt.damage_zero / hurt.damage
    small, large = share[hurt.lr == SMALL], share[hurt.lr > SMALL]
    still = pairs[pairs.lr == 0]
    told = {
        "no_step": sci(evidence.NO_STEP), "near_forget": gap["forget"], "near_damage": max(gap["retain"], gap["val"]),
        "small_share": small.median(), "small_runs": len(small), "large_share": large.median(), "large_runs": len(large),
    }  # fmt: skip
    if still.empty:
        nothing = dict.fromkeys(("worst_damage", "drift_from", "drift_to", "drift_floor"), float("nan"))
        return told | nothing | {"worst_set": "not run", "drift_set": "not run", "worst_epoch": 0, "drift_epoch": 0}
    worst = still.loc[still.damage.idxmax()]
    down = still.loc[(still.start - still.seen_forget).idxmax()]
    return told | {
        "worst_damage": worst.damage, "worst_set": worst.forget_set, "worst_epoch": int(worst.epoch),
        "drift_set": down.forget_set, "drift_epoch": int(down.epoch), "drift_from": down.start,
        "drift_to": down.seen_forget, "drift_floor": down.forget_floor,
    }  # fmt: skip


def authors(published: pd.DataFrame, ga: pd.DataFrame) -> list[Figure]:
    """The authors' average scores at a small step size against epochs, and against the share of F in the statistics.

    Coloured: our own step size 0. published: `evidence.published`; ga: `measured`.
    """
    theirs = published[(published.method == "ga") & np.isclose(published.lr, SMALL)]
    ours = plain(ga)[lambda r: (r.batchnorm == "train") & (r.lr == 0)]
    with figures.style():
        panels = []
        for x, label in (("epoch", "epochs"), ("share", "share of F in the statistics")):
            panel, ax = figures.panel(height=3.2)
            for k, (number, rows) in enumerate(theirs.groupby("set")):
                rows = rows.assign(share=share_of_f(rows.epoch, rows["size"]))
                ax.plot(rows[x], rows.average, marker="osD^vP*"[k % 7], ms=5, lw=1, mfc=figures.PAPER,
                        color=figures.COLORS["neutral"], label=f"set {number}, {rows['size'].iloc[0]}")  # fmt: skip
            for (name, rows), color in zip(ours.groupby("forget_set"), figures.CYCLE, strict=False):
                rows = rows.assign(share=share_of_f(rows.epoch, rows["size"])).sort_values("epoch")
                ax.plot(rows[x], rows.average, ".-", color=color, lw=1.4, label=name)
            ax.set(xlabel=label, ylabel="average P95 (nats)", ylim=(2, 16))
            ax.set_yticks(range(2, 12, 2))
            ax.legend(loc="upper left", ncols=3, columnspacing=0.8, handlelength=1.4, fontsize=8.5)
            panels.append(panel)
    return panels


def authors_told(published: pd.DataFrame, ga: pd.DataFrame) -> dict[str, float | str]:
    """Shares of F after one epoch there and at the end here, and how scores rise where the share is all but one."""
    theirs = published[(published.method == "ga") & np.isclose(published.lr, SMALL)]
    settled = theirs[share_of_f(theirs.epoch, theirs["size"]) > 0.98].sort_values("epoch")
    rise = {n: rows for n, rows in settled.groupby("set") if len(rows) > 1}
    text = (f"set {n}: {rows.average.iloc[0]:.1f} after {rows.epoch.iloc[0]:.0f} epochs, "
            f"{rows.average.iloc[-1]:.1f} after {rows.epoch.iloc[-1]:.0f}" for n, rows in rise.items())  # fmt: skip
    largest = theirs[theirs.set == 9]["size"].iloc[0]
    ours = share_of_f(ga.epoch, ga["size"]).max() if len(ga) else float("nan")
    return {"first": share_of_f(1, largest), "ours": ours, "settled": "; ".join(text)}


# --- paths -----------------------------------------------------------------------------------------------------------


def _paths(rows: pd.DataFrame, lines: list[tuple], title: str) -> Figure:
    """Validation against forget P95 along runs, from the pretrained models; lines: (label, colour, style, marker, rows)."""
    if all(line.empty for *_, line in lines):
        return maps.absent(f"{title}: not run")
    start = rows.iloc[0]
    panel, ax = figures.panel(height=3.2)
    for label, color, style, marker, line in lines:
        line = line.sort_values("epoch")
        if line.empty:
            continue
        ax.plot([start.start, *line.seen_forget], [start.start_val, *line.seen_val], style, marker=marker, ms=4.5,
                lw=1.4, color=color, label=label)  # fmt: skip
        far = line[line.far]
        ax.plot(far.seen_forget, far.seen_val, marker, ms=6, color=color, mfc=figures.PAPER)
    ax.plot(start.start, start.start_val, "o", ms=11, mfc="none", mew=1.8, color=figures.COLORS["pretrained"])
    floors = rows.forget_floor.median(), rows.val_floor.median()
    ax.plot(*floors, "*", ms=14, color=figures.COLORS["oracle"], mec=figures.INK, mew=0.4)
    ax.set(xlim=(-0.4, 12.2), ylim=(-0.4, 15.5), xlabel="forget P95 (nats)", ylabel="validation P95 (nats)")
    ax.set_yticks(range(0, 13, 3))
    ax.set_title(title, size=9.5)
    ax.legend(loc="upper left", ncols=2, columnspacing=1, fontsize=8.5)
    return panel


def paths(ga: pd.DataFrame, title: str) -> tuple[list[tuple[Figure, ...]], list[str]]:
    """(frames, labels) of the slider over forget sets. Left: train mode and frozen. Right: with and without momentum.

    ga: `measured`. The two largest step sizes that were run in both modes, or the two largest.
    """
    with figures.style():
        if ga.empty:
            return [(maps.absent(title),)], ["not run"]
        slides, names = [], list(dict.fromkeys(ga.forget_set))
        for name in names:
            rows = ga[ga.forget_set == name]
            usual = plain(rows)
            both = set(usual[usual.batchnorm == "frozen"].lr) & set(usual[usual.batchnorm == "train"].lr)
            left = []
            for rate, color, marker in zip(sorted(both)[-2:], ("ascent", "forget"), "s^", strict=False):
                here = usual[usual.lr == rate]
                left += [
                    (f"{sci(rate)}{told}", figures.COLORS[color], style, marker, here[here.batchnorm == mode])
                    for mode, told, style in (("train", "", "-"), ("frozen", ", frozen", "--"))
                ]
            heavy = rows[rows.momentum > 0]
            right = [] if heavy.empty else _momentum_lines(usual, heavy)
            slides.append((_paths(rows, left, f"{name}: frozen or not"), _paths(rows, right, f"{name}: momentum")))
        return slides, names


def _momentum_lines(usual: pd.DataFrame, heavy: pd.DataFrame) -> list[tuple]:
    """The runs with momentum, those of their step size without, and those of the largest step size."""
    rate, train = heavy.lr.max(), usual[usual.batchnorm == "train"]
    return [
        (sci(rate), figures.COLORS["ascent"], "-", "s", train[train.lr == rate]),
        (sci(train.lr.max()), figures.COLORS["forget"], "-", "^", train[train.lr == train.lr.max()]),
        (f"{sci(rate)}, momentum", figures.COLORS["accent"], "--", "D", heavy[heavy.lr == rate]),
    ]


def momentum_told(ga: pd.DataFrame) -> dict[str, float | int]:
    """With momentum beside without: the first epoch's gap, outcomes, and the distance to the path of the largest step."""
    heavy, usual = ga[ga.momentum > 0], plain(ga)[lambda r: r.batchnorm == "train"]
    pairs = heavy.merge(usual, on=["forget_set", "epoch", "lr"], suffixes=("", "_plain"))
    first = pairs[pairs.epoch == 1]
    gaps = [abs(first[f"seen_{g}"] - first[f"seen_{g}_plain"]).max() for g in GROUPS]
    apart = {"own": [], "largest": []}
    for name, rows in heavy.groupby("forget_set"):
        here = usual[usual.forget_set == name]
        for key, rate in (("own", heavy.lr.max()), ("largest", usual.lr.max())):
            apart[key] += _apart(rows, here[here.lr == rate])
    return {
        "first_gap": max(gaps), "heavy_runs": len(pairs), "heavy_breaks": int((pairs.outcome == "breaks").sum()),
        "usual_breaks": int((pairs.outcome_plain == "breaks").sum()), "heavy_open": int((pairs.outcome == "open").sum()),
        "path_largest": float(np.median(apart["largest"] or [np.nan])),
        "path_own": float(np.median(apart["own"] or [np.nan])),
    }  # fmt: skip


def _apart(points: pd.DataFrame, path: pd.DataFrame) -> list[float]:
    """Distances of points from a path in the plane of forget and validation P95 (nats)."""
    path, first = path.sort_values("epoch"), points.iloc[0]
    at = np.linspace(0, len(path), 400)
    x, y = (
        np.interp(at, range(len(path) + 1), [first[start], *path[column]])
        for start, column in (("start", "seen_forget"), ("start_val", "seen_val"))
    )
    return [float(np.hypot(x - r.seen_forget, y - r.seen_val).min()) for r in points.itertuples()]


# --- what is left of the claims --------------------------------------------------------------------------------------


def controls(ga: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of gradient ascent by control; ga: `measured`."""
    usual = plain(ga)
    train, frozen = usual[usual.batchnorm == "train"], usual[usual.batchnorm == "frozen"]
    return {
        "train mode, step 0": train[train.lr == 0],
        f"train mode, up to {sci(SMALL)}": train[(train.lr > 0) & (train.lr <= SMALL)],
        "train mode, larger": train[train.lr > SMALL],
        f"frozen, up to {sci(SMALL)}": frozen[(frozen.lr > 0) & (frozen.lr <= SMALL)],
        "frozen, larger": frozen[frozen.lr > SMALL],
        "train mode, momentum": ga[ga.momentum > 0],
    }


def claims(ga: pd.DataFrame) -> pd.DataFrame:
    """One row for each control: its outcomes (C1), C2 on the smallest random set, C3's order, C4's agreement."""
    random = ga[ga.kind == "random"]
    few = random.sort_values("size").forget_set.iloc[0] if len(random) else "few random points"
    rows = []
    for name, part in controls(ga).items():
        if part.empty:
            rows.append({"gradient ascent": name, "C1: outcomes": "not run"})
            continue
        here, whole = part[part.forget_set == few], part[~part.intact.eq(False).fillna(False)]
        lowest = whole.groupby("kind").q.min().reindex(["random", "pc1", "pc2"]).dropna()
        count = part.outcome.value_counts()
        same, of = _same(part)
        rows.append({
            "gradient ascent": name,
            "C1: outcomes": ", ".join(f"{n} {word}" for word, n in count.items()),
            f"C2: intact, half forgotten on {few}": f"{int(here.both.fillna(False).sum())} of {len(here)}",
            "C3: least left of the gap, not broken": ", ".join(f"{k} {q:.0%}" for k, q in lowest.items()) or "all broken",
            "C4: retain and validation agree on damage": f"{same} of {of}",
            "rank correlation": f"{spearmanr(part.seen_retain, part.seen_val).statistic:.2f}" if len(part) > 2 else "–",
        })  # fmt: skip
    return pd.DataFrame(rows).fillna("")


def _same(part: pd.DataFrame) -> tuple[int, int]:
    """(both call it damaged, either does)."""
    by = [criteria.harmed(part, g) for g in criteria.DAMAGE]
    return int((by[0] & by[1]).fillna(False).sum()), int((by[0] | by[1]).fillna(False).sum())


def breaks_told(ga: pd.DataFrame) -> dict[str, int | float]:
    """How many runs break: frozen and in train mode, small and larger steps; where doing nothing is called broken."""
    found = controls(ga)
    told = {}
    for key, name in zip(("small", "large", "calm", "frozen"), list(found)[1:5], strict=True):
        part = found[name]
        told |= {key: int((part.outcome == "breaks").sum()), f"{key}_of": len(part)}
        at = part[part.forget_set.isin(_doubtful(ga))]
        told[f"{key}_doubtful"] = int((at.outcome == "breaks").sum())
    pairs = _beside_zero(ga)[lambda r: (r.lr > 0) & (r.lr <= SMALL)]
    top = {key: found[name].average.max() for key, name in (("top_train", "train mode, larger"), ("top_frozen", "frozen, larger"))}  # fmt: skip
    return told | top | {
        "agree": int((pairs.outcome == pairs.outcome_zero).sum()), "agree_of": len(pairs),
        "doubtful": ", ".join(_doubtful(ga)) or "none",
    }  # fmt: skip


def recorded_told(every: pd.DataFrame, ga: pd.DataFrame, published: pd.DataFrame, resolvable: float) -> dict:
    """All numbers that the text has from the records; ga: `measured`."""
    return (
        shares_told(ga, resolvable) | authors_told(published, ga) | breaks_told(ga) | momentum_told(ga)
        | passed_told(every) | below_told(every)
    )  # fmt: skip


def _doubtful(ga: pd.DataFrame) -> list[str]:
    """Forget sets on which doing nothing is not called intact."""
    return list(dict.fromkeys(ga[~ga.start_intact.fillna(False).astype(bool)].forget_set))


# --- exceptions and scores below the floor ---------------------------------------------------------------------------


def passed(every: pd.DataFrame) -> pd.DataFrame:
    """Gradient ascent, controls included, that passes when only the map is read; and what the rest says of it."""
    rows = []
    read = evidence.scores_alone(every)
    for _, r in every[read.both.fillna(False).to_numpy(bool) & (every.method == "ga").to_numpy()].iterrows():
        rows.append({
            "forget set": r.forget_set, "configuration": short(r),
            "forget, retain, validation P95": ", ".join(f"{r[g]:.2f}" for g in GROUPS),
            "other direction": ", ".join(f"{r[f'{g}_reverse']:.2f}" for g in GROUPS),
            "points collapsed": f"{max(r[f'{g}_collapsed'] for g in GROUPS):.0%}",
            "right on R, validation (oracles)": f"{r.retain_accuracy:.0%}, {r.val_accuracy:.0%} "
            f"({r.retain_oracle_accuracy:.0%}, {r.val_oracle_accuracy:.0%})",
            "by all criteria": r.outcome,
        })  # fmt: skip
    return pd.DataFrame(rows or [{"configuration": "none"}])


def passed_told(every: pd.DataFrame) -> dict[str, int | float]:
    """How many runs of gradient ascent pass on the map, by all criteria; and the most retain accuracy that they lost."""
    read = evidence.scores_alone(every)
    rows = every[read.both.fillna(False).to_numpy(bool) & (every.method == "ga").to_numpy()]
    lost = 100 * (rows.retain_oracle_accuracy - rows.retain_accuracy)
    return {"passed": len(rows), "passed_frozen": int((rows.batchnorm == "frozen").sum()),
            "kept": int(rows.both.fillna(False).sum()), "lost_least": lost.min(), "lost_most": lost.max()}  # fmt: skip


def below_told(every: pd.DataFrame) -> dict[str, int | float]:
    """Scores below the Gaussian floor: how many, with and without collapsed points, and how far."""
    floors = np.array([criteria.gaussian_floor(int(n)) for n in every.models])
    rows = [
        (floors[k] - r[g], r[f"{g}_high"] < floors[k], r[f"{g}_collapsed"] > 0, r[f"{g}_robust"] - r[g])
        for k, (_, r) in enumerate(every.iterrows()) for g in GROUPS
    ]  # fmt: skip
    found = pd.DataFrame(rows, columns=["depth", "clear", "far", "flattered"])
    under = found[found.depth > 0]
    sound = under[~under.far.astype(bool)]
    return {
        "scores": len(found), "under": len(under), "under_far": int(under.far.sum()), "depth": sound.depth.max(),
        "clear": int(sound.clear.sum()), "collapsed": int(found.far.sum()),
        "flattered": found[found.far.astype(bool)].flattered.max(), "gaussian": floors.max() if len(floors) else float("nan"),
    }  # fmt: skip


# --- live: the missing control, and a network without BatchNorm ------------------------------------------------------

LIVE = {  # name of a run: colour, style, marker
    "as published": ("ascent", "-", "o"),
    "statistics re-estimated on R": ("pretrained", "-", "D"),
    "BatchNorm frozen": ("oracle", ":", "^"),
    "step size 0": ("neutral", "--", "s"),
    "step size 0, re-estimated": ("accent", "-", ""),
}


def reestimated(tables: list[pd.DataFrame]) -> list[Figure]:
    """Forget and retain P95 against epochs for every run of LIVE, a row for each forget set; tables: `own_runs.table`."""
    with figures.style():
        panels = []
        for frame in map(seen, tables):
            start = frame[frame.method == "nothing"].iloc[0]
            for g in ("forget", "retain"):
                panel, ax = figures.panel(height=2.3)
                for name, (color, style, marker) in LIVE.items():
                    path = frame[frame.method == name].sort_values("epoch")
                    color = figures.COLORS[color]
                    ax.plot([0, *path.epoch], [start[g], *path[f"seen_{g}"]], style, marker=marker, ms=5, lw=1.5,
                            color=color, label=name)  # fmt: skip
                    far = path[path.far]
                    ax.plot(far.epoch, far[f"seen_{g}"], marker or ".", ms=5, ls="", color=color, mfc=figures.PAPER)
                ax.axhline(start[f"{g}_floor"], color=figures.COLORS["neutral"], ls="--", lw=1)
                ax.set(xlabel="epochs of ascent", ylabel=f"{g} P95 (nats)", ylim=(0, 17))
                ax.set_yticks(range(0, 13, 3))
                ax.set_title(f"256 digits, {start.forget_set}", size=9.5)
                panels.append(panel)
        panels[0].axes[0].legend(loc="upper left", fontsize=8.5)
    return panels


def without(frame: pd.DataFrame) -> list[Figure]:
    """A network without BatchNorm: forget and retain P95, and lost retain accuracy, against epochs; by step size."""
    start, runs = frame[frame.method == "nothing"].iloc[0], frame[frame.method != "nothing"]
    runs = runs.assign(lr=[float(name) for name in runs.method])
    runs = runs.assign(lost=100 * (runs.retain_oracle_accuracy - runs.retain_accuracy))
    with figures.style():
        left, ax = figures.panel(height=2.8)
        for g, style in (("forget", "-"), ("retain", ":")):
            maps.lines(ax, runs, g, start=start, style=style)
            ax.axhline(start[f"{g}_floor"], color=figures.COLORS["neutral"], ls="--", lw=0.8)
        handles, names = ax.get_legend_handles_labels()
        half = len(names) // 2  # each step size has two lines
        ax.legend(handles[:half], ["0" if n == "0 (drift)" else n for n in names[:half]], ncols=2, loc="upper left",
                  title="step size", fontsize=8.5, alignment="left")  # fmt: skip
        ax.set(xlabel="epochs of ascent", ylabel="P95 (nats); dotted: retain", ylim=(0, 14))
        right, ax = figures.panel(height=2.8)
        maps.lines(ax, runs, "lost")
        ax.axhline(100 * criteria.DEFAULT.retain_points, color=figures.COLORS["accent"], ls=":", lw=1.2)
        ax.set(xlabel="epochs of ascent", ylabel="retain accuracy lost (points)")
    return [left, right]


def live_told(tables: list[pd.DataFrame]) -> dict[str, float | int]:
    """What re-estimation takes away at the last epoch, on each set, and what it does to models that were left alone."""
    told = {}
    for key, frame in zip(("a", "b"), map(seen, tables), strict=True):
        last = frame[frame.epoch == frame.epoch.max()].set_index("method")
        start = frame[frame.method == "nothing"].iloc[0]
        for short_name, name in (("pub", "as published"), ("re", "statistics re-estimated on R"),
                                 ("frozen", "BatchNorm frozen"), ("zero", "step size 0")):  # fmt: skip
            told[f"{key}_{short_name}"] = last.loc[name].seen_retain
        told[f"{key}_lost"] = 100 * (start.retain_oracle_accuracy - last.loc["statistics re-estimated on R"].retain_accuracy)
        told[f"{key}_start"] = start.retain
    trap = last.loc["BatchNorm frozen"]  # on the second set
    told |= {"trap_plain": trap.retain, "trap_robust": trap.retain_robust, "trap_share": trap.retain_collapsed}
    runs = pd.concat(tables)
    kept = runs[runs.both.fillna(False).astype(bool) & (runs.epoch > 0)]
    told["live_kept"] = "; ".join(f"{r.method}, epoch {r.epoch}, {r.forget_set}" for r in kept.itertuples()) or "none"
    lost = 100 * (kept.val_oracle_accuracy - kept.val_accuracy)
    told["live_kept_lost"] = lost.max()
    return told | {"epochs": int(tables[0].epoch.max()), "live_runs": int((runs.epoch > 0).sum()),
                   "live_both": int(runs.both.fillna(False).sum()), "live_open": int(runs.both.isna().sum())}  # fmt: skip
