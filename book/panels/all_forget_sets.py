"""Pictures and tables of all forget sets: two rulers, two directions, points in a percentile, coverage of the grid."""

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from unlearning.experiment import packing, presets
from unlearning.klom import klom
from unlearning.methods import Config
from unlearning.page import criteria, evidence, figures, maps
from unlearning.page.wording import scored, short

METHODS = ("ga", "gda", "scrub_published")  # of the paper's grid
PAPER_GRID = {  # configurations of the paper's grid for one forget set
    "ga": len(presets.GA_RATES) * len(presets.GA_EPOCHS),
    "gda": len(presets.DA_RATES) * len(presets.DA_EPOCHS) * 2 * 2,
    "scrub_published": len(presets.DA_RATES) * len(presets.DA_EPOCHS) * 2 * 2,
}


def small_multiples(
    grid: pd.DataFrame, y: str, published: pd.DataFrame, title: str
) -> tuple[list[tuple[Figure, ...]], list[str]]:
    """(frames, labels): one frame for each forget set, one small map for each method, group y upwards."""
    slides, names = [], list(dict.fromkeys(grid[grid.method == "nothing"].forget_set))
    with figures.style():
        for name in names:
            rows = grid[grid.forget_set == name]
            start = rows[rows.method == "nothing"]
            twin = evidence.relative(name, int(start["size"].iloc[0]))
            panels = []
            for method in METHODS:
                panel, ax = figures.panel(width=2.9, height=2.9)
                known = published[(published.set == twin) & published.method.isin(["nothing", method])]
                part = rows[rows.method == method]
                maps.reference(ax, known, y=y)
                maps.draw(ax, pd.concat([start, part]), y=y)
                maps.limits(ax, start.iloc[-1], y=y)
                word = evidence.NAMES[method].split(",")[0]
                told = title.replace(", ", ",\n")  # the panels are narrow
                ax.set_title(f"{word}, {name}: {len(part)} runs\n{told}", size=8.5)
                panels.append(panel)
            slides.append(tuple(panels))
        return (slides, names) if names else ([(maps.absent(title),)], ["not run"])


def _look(k: int) -> dict:
    return {"marker": "osD^vP*Xd"[k % 9], "color": figures.CYCLE[k % 7], "edgecolors": figures.INK,
            "linewidths": 0.3, "zorder": 3, "s": 24}  # fmt: skip


def rulers(runs: pd.DataFrame, title: str) -> Figure:
    """Retain against validation P95, one marker for each configuration of all forget sets."""
    with figures.style():
        if runs.empty:
            return maps.absent(title)
        panel, ax = figures.panel(width=5.2, height=4.4)
        ax.axline((0, 0), slope=1, color=figures.COLORS["neutral"], lw=1)
        for k, (name, rows) in enumerate(runs.groupby("forget_set")):
            ax.scatter(rows.val, rows.retain, label=name, **_look(k))
        bound, unit = criteria.limits(runs)[0], maps.units(runs)
        look = {"color": figures.COLORS["accent"], "ls": ":", "lw": 1.2}
        ax.axhline(runs.retain_floor.median() + bound, **look)
        ax.axvline(runs.val_floor.median() + bound, **look)
        ends = (-0.027 * unit.top, unit.top)
        ax.set(xlim=ends, ylim=ends, xlabel=unit.other.format("validation"), ylabel=unit.other.format("retain"))
        ax.set_title(title, size=9.5)
        ax.legend(loc="lower right")
    return panel


def _rate(values: pd.Series) -> str:
    return f"{values.mean():.0%}" if len(values) else "–"


def agreement(runs: pd.DataFrame) -> pd.DataFrame:
    """How the two rulers judge, by forget set and in all: counts, and the share of equal judgements where one sees harm."""
    if runs.empty:
        return pd.DataFrame([{"forget set": "not run"}])
    by = {g: criteria.harmed(runs, g) for g in criteria.DAMAGE}
    rows = []
    for name in [*dict.fromkeys(runs.forget_set), "all"]:
        here = runs.forget_set.eq(name) | (name == "all")
        retain, val = by["retain"][here], by["val"][here]
        either = (retain | val).fillna(False)
        hurt = runs[here][either.to_numpy(bool)]
        rho = spearmanr(hurt.val, hurt.retain)[0] if len(hurt) > 2 else np.nan
        rows.append({
            "forget set": name,
            "runs": int(here.sum()),
            "damaged by both": int((retain & val).fillna(False).sum()),
            "by retain only": int((retain & ~val).fillna(False).sum()),
            "by validation only": int((~retain & val).fillna(False).sum()),
            "open": int((retain.isna() | val.isna()).sum()),
            "same judgement of the damaged": _rate((retain & val)[either].dropna().astype(float)),
            "their rank correlation": f"{rho:.2f}" if np.isfinite(rho) else "–",
            "difference of P95, median": f"{(hurt.retain - hurt.val).median():.2f}" if len(hurt) else "–",
        })  # fmt: skip
    return pd.DataFrame(rows)


def largest(runs: pd.DataFrame, count: int) -> pd.DataFrame:
    """The configurations on which the two rulers differ most."""
    order = (runs.retain - runs.val).abs().sort_values(ascending=False).index[:count]
    rows = [
        {
            "forget set": r.forget_set,
            "configuration": short(r),
            "difference": f"{r.retain - r.val:+.2f}",
            "retain P95, mean": f"{scored(r, 'retain')}, {r.retain_mean:.2f}",
            "validation P95, mean": f"{scored(r, 'val')}, {r.val_mean:.2f}",
            "right on R, validation (oracles)": f"{r.retain_accuracy:.0%}, {r.val_accuracy:.0%} "
            f"({r.retain_oracle_accuracy:.0%}, {r.val_oracle_accuracy:.0%})",
        }
        for _, r in runs.loc[order].iterrows()
    ]
    return pd.DataFrame(rows or [{"configuration": "not run"}])


def directions(runs: pd.DataFrame, title: str) -> list[Figure]:
    """P95 in the reverse direction against the paper's, forget (left) and retain points (right)."""
    with figures.style():
        if runs.empty:
            return [maps.absent(title)]
        panels = []
        for g in ("forget", "retain"):
            panel, ax = figures.panel(height=3.6)
            ax.axline((0, 0), slope=1, color=figures.COLORS["neutral"], lw=1)
            for k, (name, rows) in enumerate(runs.groupby("forget_set")):
                ax.scatter(rows[g], rows[f"{g}_reverse"], label=name, **_look(k))
            top = maps.units(runs).forget_top if g == "forget" else maps.units(runs).top
            ax.set(xlim=(-0.027 * top, top), ylim=(-0.027 * top, top), ylabel="unlearned ‖ oracle",
                   xlabel=f"{g}, oracle ‖ unlearned")  # fmt: skip
            ax.set_title(title, size=9.5)
            panels.append(panel)
        panels[0].axes[0].legend(loc="lower right", fontsize=8.5)
    return panels


def turned(runs: pd.DataFrame) -> dict[str, float]:
    """What the direction changes: rank correlation, median difference, runs whose damage only the reverse one sees."""
    if runs.empty:
        return {"forget_rho": np.nan, "forget_gap": np.nan, "wide": 0, "narrow": 0, "both_ways": 0}
    bound = criteria.limits(runs)[0]
    one, other = (
        np.any([runs[f"{g}{end}"] > runs[f"{g}_floor"] + bound for g in criteria.DAMAGE], axis=0)
        for end in ("", "_reverse")
    )
    return {
        "forget_rho": spearmanr(runs.forget, runs.forget_reverse)[0],
        "forget_gap": float((runs.forget - runs.forget_reverse).abs().median()),
        "wide": int((other & ~one).sum()),
        "narrow": int((one & ~other).sum()),
        "both_ways": int((one & other).sum()),
    }


def nothing(starts: pd.DataFrame, published: pd.DataFrame, title: str) -> list[Figure]:
    """Doing nothing: P95 of the three groups for the authors' nine sets and ours, with intervals and the floor."""
    theirs = published[published.method == "nothing"]
    names = [f"set {r['set']}: {r['size']} points" for _, r in theirs.iterrows()]
    names += [f"{r.forget_set}, ours" for _, r in starts.iterrows()]
    with figures.style():
        panels = []
        for groups in (("forget",), criteria.DAMAGE):
            panel, ax = figures.panel(width=4.8, height=1.3 + 0.3 * len(names))
            for g in groups:
                color = figures.COLORS[{"forget": "forget", "retain": "retain", "val": "neutral"}[g]]
                known = np.arange(len(theirs))
                ax.plot(theirs[g], known, "D", mfc="none", color=color, label=f"{maps.LABELS[g]}, published")
                for k, (_, r) in enumerate(starts.iterrows(), len(theirs)):
                    at = k + (0.12 if g == "val" else 0)
                    ax.plot([r[f"{g}_low"], r[f"{g}_high"]], [at, at], color=color, lw=1.4)
                    ax.plot(r[g], at, "o", color=color, mec=figures.INK, mew=0.4)
            unit = maps.units(starts)
            floor = 0.0 if unit.lines != "P95 (nats)" else criteria.gaussian_floor(100)
            ax.axvline(floor, color=figures.COLORS["neutral"], ls="--", lw=1)
            ax.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5),
                   xlabel=unit.lines)  # fmt: skip
            ax.set_title(f"circles: {title}", size=9, loc="right")
            ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1.07), ncols=2, fontsize=8.5)
            panels.append(panel)
    return panels


def samples(scale: str, starts: pd.DataFrame) -> pd.DataFrame:
    """Doing nothing on all points, on the sample in use and on random samples of its size; one row for each group.

    From the packs of a scale: columns forget_set, group, points, packed, all, used, low, high (of 95 in 100 random
    samples), model_low, model_high (interval over models), bound (limit of "intact"), all in nats but the counts.
    """
    rows = []
    for name in packing.available():
        preset, forget_set = name.split("/")
        start = starts[starts.forget_set == forget_set]
        if preset != scale or start.empty:
            continue
        r = start.iloc[-1]
        for g, told in packing.read(name).meta["subsample"].items():
            [drawn] = [d for d in told["drawn"] if d["points"] == told["packed"]]
            rows.append({
                "forget_set": forget_set, "group": g, "points": told["points"], "packed": told["packed"],
                "all": told["p95"], "used": told["packed_p95"], "low": drawn["low"], "high": drawn["high"],
                "model_low": r.get(f"{g}_klom_low", r[f"{g}_low"]),
                "model_high": r.get(f"{g}_klom_high", r[f"{g}_high"]),
                "bound": r.get(f"{g}_klom_floor", r[f"{g}_floor"]) + criteria.limit(int(r.models)),
            })  # fmt: skip
    columns = ["forget_set", "group", "points", "packed", "all", "used", "low", "high", "model_low", "model_high", "bound"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def points(found: pd.DataFrame, title: str) -> Figure:
    """The rows of `samples`: thick bar random samples, thin bar models, star all points, circle the sample in use."""
    with figures.style():
        if found.empty:
            return maps.absent(title)
        panel, ax = figures.panel(width=5.4, height=1.3 + 0.42 * len(found))
        for k, (_, r) in enumerate(found.iterrows()):
            ax.plot([r.model_low, r.model_high], [k, k], color=figures.COLORS["neutral"], lw=1)
            ax.plot([r.low, r.high], [k, k], color=figures.COLORS["retain"], lw=6, alpha=0.6)
            ax.plot(r["all"], k, "*", ms=11, color=figures.COLORS["oracle"], mec=figures.INK, mew=0.4)
            ax.plot(r.used, k, "o", color=figures.COLORS["ascent"], mec=figures.INK, mew=0.4)
            ax.plot([r.bound] * 2, [k - 0.4, k + 0.4], color=figures.COLORS["accent"], ls=":", lw=1.4)
        labels = [f"{r.forget_set}, {maps.LABELS[r.group]} ({r.packed} of {r.points})" for _, r in found.iterrows()]
        ax.set(yticks=range(len(found)), yticklabels=labels, ylim=(len(found) - 0.5, -0.5),
               xlabel="P95 of doing nothing (nats)")  # fmt: skip
        ax.set_title(title, size=9.5, loc="right")
    return panel


def samples_told(found: pd.DataFrame) -> dict[str, float | str]:
    """Counts of the rows of `samples`: narrower than the models' interval, outside their like, across the limit."""
    narrower = found.high - found.low < found.model_high - found.model_low
    outside = (found.used < found.low) | (found.used > found.high)
    sides = (found["all"] > found.bound) != (found.used > found.bound)
    return {
        "rows": len(found), "narrower": int(narrower.sum()), "outside": int(outside.sum()),
        "sides": ", ".join(found[sides].forget_set) or "none", "grid_ga": PAPER_GRID["ga"],
        "grid_da": PAPER_GRID["gda"], "distinct": PAPER_GRID["gda"] // 2,
    }  # fmt: skip


def published_told(published: pd.DataFrame) -> dict[str, float]:
    """The range of the authors' retain and validation scores of doing nothing, and the Gaussian floor, nats."""
    base = published[published.method == "nothing"]
    both = base[list(criteria.DAMAGE)]
    return {"low": both.min().min(), "high": both.max().max(), "floor": criteria.gaussian_floor(100)}


def near(scale: str, kind: str) -> float:
    """Rank correlation, over the retain points of a pack, of doing nothing's KLoM with nearness to F; NaN without one.

    Nearness: correlation of a point's margin with the mean standardised margin of F over the pretrained models.
    """
    names = [n for n in packing.available() if n.startswith(f"{scale}/") and evidence.kind(n.split("/")[1]) == kind]
    if not names:
        return float("nan")
    pack = packing.read(names[0])
    forget, retain = pack.groups()["forget"], pack.groups()["retain"]
    before = (pack.pretrained - pack.pretrained.mean(0)) / pack.pretrained.std(0)
    nearness = before[:, forget].mean(1) @ before[:, retain]
    models = min(len(pack.pretrained), len(pack.oracle))
    pair = (torch.from_numpy(x[:models, retain]) for x in (pack.pretrained, pack.oracle))
    return float(spearmanr(nearness, klom(*pair).numpy())[0])


def in_grid(config: Config, epoch: int) -> bool:
    """Whether one configuration and stopping time is a cell of the paper's grid, as the public code runs it."""
    plain = (config.batchnorm, config.momentum, config.weight_decay, config.shuffle) == ("train", 0, 0, -1)
    if config.method == "ga":
        return plain and config.lr in presets.GA_RATES and epoch in presets.GA_EPOCHS
    asked = config.lr in presets.DA_RATES and epoch in presets.DA_EPOCHS
    return plain and config.method in METHODS and asked


def coverage(records: dict[str, list[dict]]) -> pd.DataFrame:
    """What was run of the paper's grid and of a preset's own plan; records: preset -> its records."""
    rows = []
    for name, found in records.items():
        planned, made = {}, set()  # (forget set, label, epoch) -> method, or "controls"
        for p in presets.staged(presets.PRESETS[name]).values():
            for c in p.configs:
                for key in ((s, c.label(), e) for s in p.forget_sets for e in c.epochs):
                    planned[key] = c.method if in_grid(c, key[-1]) else "controls"
        for r in found:
            if r["method"] not in ("nothing", "retrain"):
                c = Config(r["method"], **r["configuration"])
                made.add((r["forget_set"], c.label(), r["epoch"]))
        sets = len({key[0] for key in planned})
        for method in (*METHODS, "controls"):
            wanted = {key for key, m in planned.items() if m == method}
            total = sets * PAPER_GRID.get(method, 0)
            rows.append({
                "preset": f"{name}, {sets} sets",
                "method": evidence.NAMES.get(method, "controls (ours)"),
                "cells of the paper's grid": total or "none",
                "planned": len(wanted),
                "recorded": len(wanted & made),
                "of the paper's grid": f"{len(wanted & made) / total:.0%}" if total else "–",
            })  # fmt: skip
    return pd.DataFrame(rows)


def told(runs: pd.DataFrame) -> str:
    """The evidence of the verdict in one sentence."""
    if runs.empty:
        return "no record at this scale"
    by = {g: criteria.harmed(runs, g) for g in criteria.DAMAGE}
    both = (by["retain"] & by["val"]).fillna(False).sum()
    either = (by["retain"] | by["val"]).fillna(False).sum()
    return (
        f"of {len(runs)} distinct configurations on {runs.forget_set.nunique()} forget sets {either} are damaged by either "
        f"ruler and {both} by both; {(by['retain'] & ~by['val']).fillna(False).sum()} on retain only, "
        f"{(~by['retain'] & by['val']).fillna(False).sum()} on validation only"
    )
