"""What the experiment chapters draw: the demo, run live; recorded results; the authors' published numbers.

Demo and records come as tables with the same columns, one row per record (`table`); `paper_grid` keeps what the paper
ran, `load` judges it by the book's criteria.
"""

import hashlib
import json
from dataclasses import fields, replace
from functools import cache
from math import log

import numpy as np
import pandas as pd
import torch

from unlearning import estimators
from unlearning.experiment import layout, presets, results, runner, stopped
from unlearning.files import BUILD, ROOT
from unlearning.klom import DIRECTIONS
from unlearning.methods import METHODS, Config
from unlearning.page import criteria

GROUPS = ("forget", "retain", "val")  # the three groups of points, in the paper's order
NAMES = {name: method.title for name, method in METHODS.items()} | {"retrain": "short retraining"}
NO_STEP = (
    1e-4  # step sizes up to here do what step size 0 does (a check of the chapter on BatchNorm)
)
IN_PAPER = (
    "nothing",
    "ga",
    "gda",
    "scrub_published",
)  # the methods of the paper's grid, as its public code runs them
PUBLISHED_SETS = {
    "random": {1: 10, 2: 100, 3: 1000},
    "pc1": {4: 10, 5: 100, 6: 500},
    "pc2": {7: 10, 8: 100, 9: 500},
}
_SCORES = {
    "": "p95",
    "_low": "low",
    "_high": "high",
    "_robust": "robust_p95",
    "_floor": "floor",
    "_ceiling": "ceiling",
    "_mean": "mean",
    "_collapsed": "collapsed",
    "_points": "points",
}  # column's ending: field of klom.Summary


def demo(models: int = 24, seed: int = 0) -> tuple[layout.Context, list[dict]]:
    """The preset `demo` (small ResNet-9s) on this machine: see `live`."""
    return live("demo", models, seed)


def live(
    name: str = "live", models: int = 100, seed: int = 0, **changes: object
) -> tuple[layout.Context, list[dict]]:
    """A preset small enough for a page, run on this machine: (its folder as a context, its records).

    What a chapter has already trained here with the same seed, N and training code is not trained again: the folder
    lies below _build/NAME. (Another N has another folder, because forget sets are chosen by the ensemble's own
    margins.) name: key of PRESETS; models: N, at least 2; changes: other fields of the preset. Raises as `runner.run`.
    """
    p = presets.preset(name, models=models, seed=seed, **changes)
    context = layout.open_context(p, ROOT, None, "cpu")
    told = json.dumps([layout.identity(context), models], sort_keys=True)
    folder = BUILD / name / hashlib.sha256(told.encode()).hexdigest()[:12]
    records = runner.run(p, folder, report=None, wait=True)
    return replace(context, out=folder), records


def recorded(**wanted: object) -> list[dict]:
    """The latest records of results/ whose fields equal `wanted` (preset="laptop", forget_set="random-10", …).

    Those of seed 0, the presets' own, unless `wanted` asks for another: two seeds are two experiments. Models that
    stopped by themselves (`stopped`) only if their method is asked for: they are no cell of a grid.
    """
    found = results.collect(ROOT / "results", **({"seed": 0} | wanted))
    return found if "method" in wanted else [r for r in found if r["method"] != stopped.NAME]


def table(records: list[dict], direction: str = "oracle_to_unlearned") -> pd.DataFrame:
    """One row per record; nats unless stated otherwise.

    Identity: dataset, preset, forget_set, method, every switch of `methods.Config` (lr, batchnorm, …), epoch, models.
    For each group G of GROUPS: G (95th percentile of KLoM), G_low and G_high (its 95% interval over models), G_floor,
    G_ceiling, G_reverse (P95 in the other direction), G_robust, G_mean, G_collapsed (a fraction), G_points, G_accuracy and G_oracle_accuracy (fractions).
    KLoM in `direction`, one of klom.DIRECTIONS. average: mean of the three 95th percentiles. cost_paper, cost_true:
    relative to one retraining. seconds: of one model's unlearning; seconds_retrain: of one oracle's training. size:
    |F|. Without records: the columns, no row.
    """
    columns = [
        "dataset",
        "preset",
        "forget_set",
        "method",
        *(f.name for f in fields(Config) if f.name not in ("method", "epochs")),
        "epoch",
        "models",
        "size",
    ]
    columns += [f"{g}{end}" for g in GROUPS for end in (*_SCORES, "_accuracy", "_oracle_accuracy")]
    columns += [f"{g}_reverse" for g in GROUPS]
    columns += ["average", "cost_paper", "cost_true", "seconds", "seconds_retrain"]
    other = next(d for d in DIRECTIONS if d != direction)
    rows = []
    for r in records:
        row = {k: r[k] for k in ("dataset", "preset", "forget_set", "method")} | r["configuration"]
        row |= {"epoch": r["epoch"], "models": r["models"], "size": r["forget_size"]}
        for g in GROUPS:
            summary = r["groups"][g][direction]
            row |= {f"{g}{end}": summary[field] for end, field in _SCORES.items()}
            row |= {f"{g}_{k}": r["groups"][g][k] for k in ("accuracy", "oracle_accuracy")}
            row[f"{g}_reverse"] = r["groups"][g][other]["p95"]
        row["average"] = sum(row[g] for g in GROUPS) / len(GROUPS)
        row |= {"cost_paper": r["cost"]["paper"], "cost_true": r["cost"]["true"]}
        rows.append(row | {"seconds": r["seconds"], "seconds_retrain": r["seconds_retrain"]})
    return pd.DataFrame(rows, columns=columns)


def quintiles(records: list[dict]) -> pd.DataFrame:
    """`table` with oq5 in the place of KLoM, in units that mean the same at every number of models.

    forget: mean over F above its floor, over the pretrained models' (q of the protocol: 1 nothing happened, 0 like the
    oracles; NaN where these are at the floor, too). retain, val: P95 above its floor, over what the shift of `criteria.DEFAULT` scores (1: the limit of
    "intact"). Floors are 0; intervals are 1.96 errors over models to either side; G_klom, G_klom_low, G_klom_high
    and G_klom_floor are KLoM's P95, its interval and floor, nats. Further columns: estimator ("oq5"); near: as retain, on the retain points nearest to F (no
    criterion asks for them); G_lost_error: standard error of the accuracy lost. Raises KeyError for records without oq5.
    """
    frame = table(records).assign(estimator="oq5")
    case = ["preset", "forget_set", "models"]
    for end in ("", "_low", "_high", "_floor"):
        frame[[f"{g}_klom{end}" for g in GROUPS]] = frame[[f"{g}{end}" for g in GROUPS]]
    for g in (*GROUPS, "near"):
        kept = "mean" if g == "forget" else "p95"
        held = [r["groups"].get(g, {}) for r in records]
        floor = [_small_floor(n, kept) for n in frame.models]
        value, error, back = (
            np.array([h.get(key, np.nan) for h in held], float)
            for key in (f"oq5_{kept}", f"oq5_{kept}_error", f"reverse_oq5_{kept}")
        )
        if np.isnan(value).any() and g != "near":
            raise KeyError(f"records of {frame.preset.iloc[0]} without oq5 on {g} points")
        start = pd.Series(value - floor)[frame.method == "nothing"].groupby(
            [frame[c] for c in case]
        )
        if g == "forget":
            gap = start.last().reindex(pd.MultiIndex.from_frame(frame[case])).to_numpy(float)
            gap = np.where(gap > 0, gap, np.nan)  # no gap, no share of it
        unit = gap if g == "forget" else [criteria.limit(n, estimator="oq5") for n in frame.models]
        frame[g], frame[f"{g}_reverse"] = (value - floor) / unit, (back - floor) / unit
        frame[f"{g}_low"], frame[f"{g}_high"] = (
            (value + side * error - floor) / unit for side in (-1.96, 1.96)
        )
        frame[f"{g}_floor"], frame[f"{g}_robust"], frame[f"{g}_collapsed"] = 0.0, frame[g], 0.0
        frame[f"{g}_ceiling"] = ([_small_ceiling(n) for n in frame.models] - np.array(floor)) / unit
        frame[f"{g}_lost_error"] = [
            np.hypot(h.get("accuracy_error", np.nan), h.get("oracle_accuracy_error", np.nan))
            for h in held
        ]
    return frame.assign(average=frame[list(GROUPS)].mean(axis=1))


@cache
def _small_floor(models: int, kept: str) -> float:
    """Mean or P95 of oq5 between two equal Gaussian ensembles, nats."""
    scores = estimators.floor("oq5", models)
    return float(scores.mean() if kept == "mean" else np.percentile(scores, 95))


@cache
def _small_ceiling(models: int) -> float:
    """oq5 of two ensembles that share no value, nats."""
    apart = torch.linspace(0, 1, models)[:, None]
    return float(estimators.oq5(apart + 9, apart))


def load(scale: str) -> pd.DataFrame:
    """The records of one scale as a judged table: one row per configuration and stopping time. Empty without records.

    Where one was recorded with several numbers of models, the row with the most. scale: "laptop", "desk" or "paper"
    (the preset of that name); desk's scores are those of `quintiles`, as its protocol wants, the others' KLoM's.
    Columns of `table` and `criteria.judged`, and: kind
    ("random", "pc1", "pc2") and repeat (True where the step size is so small that the trajectory is that of step size 0,
    BatchNorm's drift alone: it must not be counted again).
    """
    if scale not in ("laptop", "desk", "paper"):
        raise ValueError(f"unknown scale {scale!r}: choose laptop, desk or paper")
    rows = quintiles if scale == "desk" else table
    return _named(_most_models(criteria.judged(rows(recorded(preset=scale)))))


def _most_models(frame: pd.DataFrame) -> pd.DataFrame:
    """Of the same configuration recorded with several numbers of models, the row with the most (each judged at its own N)."""
    if frame.empty:
        return frame
    settings = [f.name for f in fields(Config) if f.name not in ("method", "epochs")]
    same = frame.groupby(["forget_set", "method", *settings, "epoch"], dropna=False, sort=False)
    return frame.loc[sorted(same.models.idxmax())].reset_index(drop=True)


def live_table(records: list[dict]) -> pd.DataFrame:
    """The records of `live` as a judged table like that of `load`; nothing counts as a repeat."""
    return _named(criteria.judged(table(records))).assign(repeat=False)


def scores_alone(frame: pd.DataFrame) -> pd.DataFrame:
    """A judged table judged again as one reads a map: by the P95 values in the paper's direction and nothing else.

    Without intervals, the other direction, accuracies and the look at collapsed ranges. Beside `criteria.judged` it shows what these are for.
    """
    ends = ("_low", "_high", "_reverse", "_accuracy", "_oracle_accuracy", "_collapsed")
    extra = [f"{g}{end}" for g in GROUPS for end in ends]
    return criteria.judged(frame.drop(columns=[*extra, "average"], errors="ignore"))


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    frame["kind"] = [kind(name) for name in frame.forget_set]
    frame["repeat"] = (frame.method == "ga") & (frame.lr > 0) & (frame.lr <= NO_STEP)
    return frame


def distinct(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of the paper's grid, each trajectory once, and the pretrained models.

    As `paper_grid`, but the step sizes up to NO_STEP, which repeat BatchNorm's drift, are represented by step size 0.
    """
    own_statistics = (frame.method == "ga") & (frame.batchnorm == "train")
    once = own_statistics & (frame.lr == 0)
    told = frame.assign(lr=frame.lr.where(~once, NO_STEP))  # step size 0 passes for the smallest
    kept = paper_grid(told[~frame.repeat])
    drift = (kept.method == "ga") & (kept.lr == NO_STEP)
    return kept.assign(lr=kept.lr.where(~drift, 0.0))


def scale_title(scale: str) -> str:
    """What the records of a scale (a preset's name) are, for a figure's title; or that it was not run."""
    found = recorded(preset=scale, method="nothing")
    if not found:
        return f"preset {scale}: not run"
    one = found[-1]
    pixels = (32 if one["dataset"] == "cifar10" else 28) // one["pool"]  # MNIST's are 28 wide
    right = np.mean([r["groups"]["val"]["accuracy"] for r in found])
    return f"{one['train_size']:,} images at {pixels}×{pixels}, {right:.0%} validation accuracy"


def paper_grid(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of a `table` that belong to the paper's grid, and the pretrained models.

    GA, GDA and SCRUB as the public code runs them: BatchNorm in train mode, plain SGD with a positive step size, data
    in its own order. SCRUB is the published one, whose optimiser holds the wrong parameters.
    """
    plain = (
        (frame.batchnorm == "train")
        & (frame.momentum == 0)
        & (frame.weight_decay == 0)
        & (frame.shuffle == -1)
    )
    ran = (frame.lr > 0) | (frame.method == "nothing")
    return frame[plain & ran & frame.method.isin(IN_PAPER)].reset_index(drop=True)


def kind(forget_set: str) -> str:
    """ "random", "pc1" or "pc2" for any name of a forget set, the published ones' numbers included; or ValueError."""
    if forget_set.startswith("published-"):
        number = int(forget_set.rpartition("-")[2])
        return next(k for k, sets in PUBLISHED_SETS.items() if number in sets)
    for name in PUBLISHED_SETS:
        if forget_set.startswith(f"{name}-"):
            return name
    raise ValueError(
        f"unknown forget set {forget_set!r}: names begin with random-, pc1-, pc2- or published-"
    )


def relative(forget_set: str, size: int, method: str = "nothing") -> int:
    """The published set (1 to 9) to set beside ours: same kind, nearest in log size, with numbers for `method`."""
    if forget_set.startswith("published-"):
        return int(forget_set.rpartition("-")[2])
    frame = published()
    told = set(frame[frame.method == method].set)
    sizes = {number: n for number, n in PUBLISHED_SETS[kind(forget_set)].items() if number in told}
    return min(sizes, key=lambda number: abs(log(sizes[number] / size)))


def published() -> pd.DataFrame:
    """The authors' own numbers, for reference marks: results/published.csv.

    Columns: set (1 to 9), size |F|, method, lr, ascent_epochs, epoch, forget, retain, val, average (95th percentiles of
    KLoM, nats; empty where not published), source: "notebook" (printed by the authors) or "plot" (read off a figure,
    about ±0.1). CIFAR-10, ResNet-9, N = 100.
    """
    return pd.read_csv(ROOT / "results" / "published.csv")


def marks(scale: str) -> pd.DataFrame:
    """`published` in the units of `load(scale)`; NaN where the authors' numbers do not say it (most averages, at desk)."""
    frame = published()
    if scale != "desk":
        return frame
    judged = criteria.authors(frame)
    floor, unit = criteria.gaussian_floor(100), criteria.limit(100)
    harm = {g: (judged[g] - floor) / unit for g in criteria.DAMAGE}
    known = {g: harm[g].to_numpy() for g in harm} | {"forget": judged.q.to_numpy(float)}
    return frame.assign(**known, average=sum(known.values()) / len(GROUPS))


def provenance(records: list[dict]) -> str:
    """One sentence for under a figure: data, network, N, seed, device, torch, commits. "" without records.

    "(modified)" marks commits whose library had uncommitted changes; the hashes of the code that decides the numbers
    are in every record.
    """
    if not records:
        return ""

    def every(*path: str) -> str:
        values = []
        for r in records:
            for step in path:
                r = r[step]
            values.append(str(r))
        return " and ".join(dict.fromkeys(values))

    commits = " and ".join(
        dict.fromkeys(
            r["provenance"]["commit"][:7] + " (modified)" * r["provenance"]["modified"]
            for r in records
        )
    )
    return (
        f"{len(records)} record{'s' * (len(records) > 1)} of preset {every('preset')}: {every('dataset')}, {every('train_size')} training "
        f"images, ResNet-9 of width {every('network', 'width')}, N = {every('models')}, seed {every('seed')}, "
        f"{every('provenance', 'device')}, torch {every('provenance', 'torch')}, commit {commits}."
    )
