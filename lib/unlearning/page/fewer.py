"""Do few models rank and judge runs as KLoM does with many? The sums behind hypothesis H8 of results/protocol-desk.toml.

A block is a small ensemble, disjoint from the other blocks. Tables of this room have one row for each (cell, group,
direction, block): `small` is the P95 over the group's points of an estimator on the block's models, `large` that of
KLoM on all models, both in nats. A cell is one method, setting and stopping time on one forget set.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr
from torch import Tensor

from unlearning.experiment import layout, measure
from unlearning.experiment.limits import shifted
from unlearning.klom import DIRECTIONS
from unlearning.page.criteria import DAMAGE, DEFAULT

COLUMNS = ("cell", "group", "direction", "block", "small", "large")
SETS = ("published-1", "published-5")  # H8's
MODELS, BLOCK = 100, 20  # H8's
RHO, SAME = 0.9, 0.95  # H8's limits: rank correlation, share of equal judgements


def line(name: str, models: int, shift_sd: float = DEFAULT.shift_sd) -> float:
    """P95 of an estimator for a uniform shift of `shift_sd` oracle standard deviations: damage begins there."""
    return shifted(name, models, shift_sd=shift_sd)[0]


@dataclass(frozen=True)
class Gathered:
    """Margins of many cells side by side, so that one call of an estimator scores them all."""

    unlearned: Tensor  # (models, points of all cells); NaN already counted as -100
    oracle: Tensor  # (models, the same points)
    parts: dict[tuple[str, str], slice]  # (cell, group) -> its columns


def gather(context: layout.Context, epochs: Sequence[int]) -> Gathered:
    """Every method's cells at these stopping times, and doing nothing, of an experiment's folder."""
    unlearned, oracles, parts, start = [], [], {}, 0
    for forget_set, role, config, _ in measure.stages(context):
        groups = context.scored(forget_set)
        at = np.concatenate(list(groups.values()))
        oracle = layout.load(f"{forget_set}/oracle", context)["margins"][0][:, at]
        margins = layout.load(role, context)["margins"]
        if role == "pretrained":
            margins, times = margins[..., at], (0,)
        else:
            times = config.epochs
        for time, one in zip(times, margins, strict=True):
            if time not in (0, *epochs):
                continue
            name = role.removeprefix(f"{forget_set}/")
            for group, points in groups.items():
                parts[f"{forget_set}, {name}, {time}", group] = slice(start, start + len(points))
                start += len(points)
            unlearned.append(np.nan_to_num(one, nan=-100.0))
            oracles.append(oracle)
    joined = (torch.from_numpy(np.concatenate(x, axis=1)) for x in (unlearned, oracles))
    return Gathered(*joined, parts)


def blocks(models: int, size: int, most: int = 5) -> list[slice]:
    """The first disjoint blocks of `size` of so many models: at least one, `most` at most."""
    return [slice(i * size, (i + 1) * size) for i in range(max(1, min(most, models // size)))]


def scored(
    cells: Gathered, score: Callable[..., Tensor], models: slice = slice(None), **options: object
) -> pd.DataFrame:
    """Mean and P95 of each cell and group by these models: index (cell, group), columns mean, p95."""
    scores = score(cells.unlearned[models], cells.oracle[models], **options).numpy()
    rows = {
        key: (scores[at].mean(), np.percentile(scores[at], 95)) for key, at in cells.parts.items()
    }
    index = pd.MultiIndex.from_tuples(rows, names=["cell", "group"])
    return pd.DataFrame(list(rows.values()), index=index, columns=["mean", "p95"])


def table(
    cells: Gathered, score: Callable[..., Tensor], size: int, large: dict[str, pd.DataFrame]
) -> pd.DataFrame:
    """`score` by every block of `size` models against `large`: `scored` of KLoM with all models, by direction."""
    found = []
    for block, models in enumerate(blocks(len(cells.oracle), size)):
        for direction in DIRECTIONS:
            small = scored(cells, score, models, direction=direction).p95.rename("small")
            both = pd.concat([small, large[direction].p95.rename("large")], axis=1).reset_index()
            found.append(both.assign(direction=direction, block=block))
    every = pd.concat(found)
    return every[every.group.isin(DAMAGE)].reset_index(drop=True)[list(COLUMNS)]


def desk(records: list[dict], name: str = "oq5") -> pd.DataFrame:
    """The same table from records of the preset `desk`: H8's forget sets, N and GA cells; empty where not run.

    name: "oq5", or "klom", which blocks hold in the paper's direction only.
    """
    fields = {"oq5": ("oq5_p95", "reverse_oq5_p95"), "klom": ("klom_p95",)}[name]
    rows = []
    for r in records:
        told = r["configuration"]
        if r["method"] != "ga" or told["batchnorm"] != "train" or r["models"] != MODELS:
            continue
        if r["forget_set"] not in SETS:
            continue
        cell = f"{r['forget_set']}, ga {told['lr']:g}, {r['epoch']}"
        for block in r["blocks"]:
            if block["last"] - block["first"] + 1 != BLOCK:
                continue
            for group in DAMAGE:
                for direction, field in zip(DIRECTIONS, fields, strict=False):
                    small, large = block[group][field], r["groups"][group][direction]["p95"]
                    rows.append((cell, group, direction, block["first"] // BLOCK, small, large))
    return pd.DataFrame(rows, columns=COLUMNS)


def compared(rows: pd.DataFrame, small_line: float, large_line: float) -> pd.DataFrame:
    """What each block makes of the cells, one row per block.

    retain, val: Spearman's rank correlation of the two P95 over cells, in the paper's direction (NaN where one of them
    is constant). same: share of cells that both call damaged, or neither: damaged is a cell whose P95 passes the line
    on either group in either direction.
    """
    found = {}
    for block, mine in rows.groupby("block"):
        found[block] = {}
        for group in DAMAGE:
            pair = mine[(mine.group == group) & (mine.direction == DIRECTIONS[0])]
            constant = min(pair.small.nunique(), pair.large.nunique()) < 2
            rho = np.nan if constant else spearmanr(pair.small, pair.large).statistic
            found[block][group] = float(rho)
        passed = pd.DataFrame(
            {"small": mine.small > small_line, "large": mine.large > large_line, "cell": mine.cell}
        )
        damaged = passed.groupby("cell").any()
        found[block]["same"] = float((damaged.small == damaged.large).mean())
    return pd.DataFrame.from_dict(found, orient="index", columns=[*DAMAGE, "same"])


def h8(rows: pd.DataFrame, blocks: int = MODELS // BLOCK) -> dict[str, bool | None]:
    """H8, median over the blocks: None where not run, or with fewer blocks than the protocol asks for."""
    names = {g: f"Spearman's ρ on {g} points at least {RHO:g}" for g in DAMAGE}
    names["same"] = f"the same judgement of damage in at least {SAME:.0%} of the cells"
    if rows.empty or rows.block.nunique() < blocks:
        return dict.fromkeys(names.values())
    middle = compared(rows, line("oq5", BLOCK), line("klom", MODELS)).median()
    limits = dict.fromkeys(DAMAGE, RHO) | {"same": SAME}
    return {
        name: None if np.isnan(middle[key]) else bool(middle[key] >= limits[key])
        for key, name in names.items()
    }
