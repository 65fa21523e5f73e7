"""The committed protocol of the preset `desk`, decided by its records: gates G1-G4 and hypotheses H1-H8.

Every answer is True (as stated), False (refuted, by the protocol's own words) or None (open: an interval crosses the
limit, or the models are not there yet). The words, limits and the family for Holm's correction are read from
results/protocol-desk.toml; nothing about them is decided here.
"""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.stats import norm

from unlearning import estimators
from unlearning.errors import Refused
from unlearning.experiment import estimates, packing, provenance, results, stopped
from unlearning.files import ROOT, content
from unlearning.page import criteria, evidence, fewer

FILE = ROOT / "results" / "protocol-desk.toml"
FIRST, SECOND = 0, 20  # models of the choosing and of the testing half begin here
GATE = 12  # models in float32 and in bfloat16 (G1)
SPLITS = 20  # random divisions of the pretrained models (G3)


@dataclass(frozen=True)
class Decision:
    """What became of one gate or hypothesis."""

    answer: bool | None  # True: as stated; False: refuted; None: open
    told: str  # the numbers behind it, or what is missing
    p: float | None = (
        None  # one-sided p of the statement, for Holm; None: outside of the family, or not there
    )


def protocol() -> dict:
    """The protocol, as committed."""
    return tomllib.loads(content(FILE).decode())


def records() -> list[dict]:
    """The records of desk; Refused if one of them was made under another protocol than the committed one."""
    found, now = evidence.recorded(preset="desk"), provenance.protocol("desk")
    found = found + evidence.recorded(preset="desk", method=stopped.NAME)
    if other := {r["provenance"].get("protocol") for r in found} - {now}:
        raise Refused(
            f"{FILE.name} has changed since {len(found)} records were made ({', '.join(str(o)[:8] for o in other)}, "
            f"now {now[:8]}): bring the protocol back, or begin a new run with a new preset"
        )
    return found


def halves(found: list[dict]) -> dict[int, pd.DataFrame]:
    """First model of each disjoint block of 20 -> the judged table of these models alone, each against its own oracles.

    Of a cell recorded with several numbers of models the largest is divided; fewer than 20 models are no block.
    """
    most: dict[str, dict] = {}
    for r in (r for r in found if r["models"] >= estimates.BLOCK):
        cell = results.identity(r | {"models": None})
        if cell not in most or r["models"] > most[cell]["models"]:
            most[cell] = r
    blocks: dict[int, list[dict]] = {}
    for r in most.values():
        for block in r["blocks"]:
            groups = {g: told | block[g] for g, told in r["groups"].items()}
            models = block["last"] - block["first"] + 1
            blocks.setdefault(block["first"], []).append(r | {"groups": groups, "models": models})
    return {
        first: criteria.judged(evidence.quintiles(kept)) for first, kept in sorted(blocks.items())
    }


# --- cells -----------------------------------------------------------------------------------------------------------


def ga_cells(frame: pd.DataFrame, forget_set: str) -> pd.DataFrame:
    """The protocol's cells of GA on one set: BatchNorm in train mode, a positive step size."""
    kept = (frame.forget_set == forget_set) & (frame.method == "ga") & (frame.lr > 0)
    return frame[kept & (frame.batchnorm == "train")]


def same_cell(frame: pd.DataFrame, cell: pd.Series, epoch: float | None = None) -> pd.Series | None:
    """A cell in another half's table, at its own epoch or at another one (0: doing nothing); None when it is not there."""
    if epoch == 0:
        return frame[(frame.forget_set == cell.forget_set) & (frame.method == "nothing")].iloc[0]
    found = ga_cells(frame, cell.forget_set)
    found = found[(found.lr == cell.lr) & (found.epoch == (cell.epoch if epoch is None else epoch))]
    return None if found.empty else found.iloc[0]


def margins_left(row: pd.Series, limits: criteria.Criteria) -> dict[str, tuple[float, float]]:
    """Of each condition of "partial and intact": (how far it is inside its limit, standard error)."""

    def error(g: str) -> float:
        return (row[f"{g}_high"] - row[f"{g}_low"]) / (2 * 1.96)

    left = {"partial": (limits.partial - row.q, error("forget"))}
    for g in criteria.DAMAGE:
        worse = max(row[g], row[f"{g}_reverse"])
        left[f"{g} scores"] = 1 - worse, error(g)
        lost = row[f"{g}_oracle_accuracy"] - row[f"{g}_accuracy"]
        left[f"{g} accuracy"] = getattr(limits, f"{g}_points") - lost, row[f"{g}_lost_error"]
    return left


def p_both(row: pd.Series, limits: criteria.Criteria) -> float:
    """One-sided p that a cell is partial and intact: the largest of its conditions' (intersection-union)."""
    return max(_p_positive(*one) for one in margins_left(row, limits).values())


def p_not_both(row: pd.Series, limits: criteria.Criteria) -> float:
    """One-sided p that a cell is not both: the smallest of its conditions', times their number (Bonferroni)."""
    left = margins_left(row, limits)
    return min(1.0, len(left) * min(_p_positive(-value, error) for value, error in left.values()))


def _p_positive(value: float, error: float) -> float:
    """One-sided p of value > 0 with a normal error."""
    if error == 0:
        return 0.0 if value > 0 else 1.0
    return float(norm.sf(value / error))


# --- gates -----------------------------------------------------------------------------------------------------------


def g1(found: list[dict], p: dict) -> Decision:
    """bfloat16 against float32: the distributions of margins that the two trainings give on validation points.

    The 12 bfloat16 models have other seeds than the 12 in float32: GEB takes the two ensembles for independent.
    """
    float32, own = packing.validation("desk-float32"), packing.validation("desk")
    if float32 is None or own is None or min(len(float32), len(own) - GATE) < GATE:
        return Decision(None, f"not run: {GATE} models of desk-float32, and {2 * GATE} of desk")
    pair = (torch.from_numpy(x.copy()) for x in (float32[:GATE], own[GATE : 2 * GATE]))
    mean = float(estimators.geb(*pair).mean())
    return Decision(
        mean < 0.03, f"mean GEB {mean:.3f}, {GATE} models of each, on {own.shape[1]} points"
    )


def g2(found: list[dict], p: dict) -> Decision:
    """Doing nothing on set 1 is not felt on validation points."""
    rows = [r for r in found if r["forget_set"] == "published-1" and r["method"] == "nothing"]
    if not rows:
        return Decision(None, "no record of set 1")
    small = {r["models"]: r["groups"]["val"]["geb_mean"] for r in rows}
    told = ", ".join(f"{value:.3f} at N = {n}" for n, value in small.items())
    holds: list[bool | None] = [value < 0.03 for n, value in small.items() if n in (20, 40)]
    holds += [None] * (len(holds) < 2)
    for r in (r for r in rows if r["models"] == 100):
        p95 = r["groups"]["val"]["oracle_to_unlearned"]["p95"]
        told += f"; KLoM P95 {p95:.2f} at N = 100"
        holds.append(0.55 <= p95 <= 0.75)
    return Decision(_all(holds), f"mean GEB {told}")


def g3(found: list[dict], p: dict) -> Decision:
    """Two halves of the pretrained models score the floor of Gaussian margins."""
    packed = packing.validation("desk")
    if packed is None:
        return Decision(None, "no pack of desk")
    val = torch.from_numpy(packed)
    generator, n = torch.Generator().manual_seed(0), len(val) // 2
    means = []
    for _ in range(SPLITS):
        order = torch.randperm(len(val), generator=generator)
        means.append(float(estimators.oq5(val[order[:n]], val[order[n : 2 * n]]).mean()))
    floor = float(estimators.floor("oq5", n).mean())
    off = float(np.mean(means)) - floor
    return Decision(
        abs(off) < 0.02, f"{np.mean(means):.3f} against {floor:.3f} with {n} models each"
    )


def g4(found: list[dict], p: dict) -> Decision:
    """Accuracy of the pretrained models, and of the oracles of random sets."""
    rows = {r["forget_set"]: r for r in found if r["method"] == "nothing"}
    if not rows:
        return Decision(None, "no record")
    own = [r["groups"]["val"]["accuracy"] for r in rows.values()]
    random = {
        name: r["groups"]["val"]["oracle_accuracy"]
        for name, r in rows.items()
        if evidence.kind(name) == "random"
    }
    base = float(np.mean(own))
    told = f"pretrained {base:.1%}" + "".join(
        f"; oracles of {k} {v:.1%}" for k, v in random.items()
    )
    return Decision(
        0.74 <= base <= 0.78 and all(abs(v - base) <= 0.01 for v in random.values()), told
    )


# --- hypotheses ------------------------------------------------------------------------------------------------------


def h1(found: list[dict], p: dict) -> Decision:
    """On sets by PC1 no cell is intact with half of the gap closed."""
    tables, limits = halves(found), _limits(p)
    answers, told = [], []
    for name in p["H1"]["sets"]:
        cells = {first: ga_cells(t, name) for first, t in tables.items()}
        chosen = {first: c for first, c in cells.items() if len(c)}
        if not chosen:
            answers.append(None)
            told.append(f"{name}: not run")
            continue
        refuted = False
        if FIRST in chosen and SECOND in chosen:
            whole = chosen[FIRST][chosen[FIRST].intact.fillna(False)]
            if len(whole):
                cell = same_cell(tables[SECOND], whole.loc[whole.q.idxmin()])
                high = cell.q + 1.645 * (cell.q_high - cell.q_low) / (2 * 1.96)
                refuted = cell.intact is not pd.NA and bool(cell.intact) and high < limits.partial
                told.append(f"{name}: {cell.q:.2f} left by {cell.lr:g}, epoch {cell.epoch:.0f}")
        hits = [bool(c.both.fillna(False).any()) for c in chosen.values()]
        unsure = any(c.both.isna().any() for c in chosen.values())
        answers.append(
            False if refuted else None if len(chosen) < 2 or unsure or any(hits) else True
        )
        lowest = min(c[~c.intact.eq(False).fillna(False)].q.min() for c in chosen.values())
        told.append(f"{name}: {sum(map(len, chosen.values()))} cells of halves, lowest share left by a cell that is "
                    f"not broken {lowest:.2f}")  # fmt: skip
    gda = evidence.load("desk").query("method == 'gda' and forget_set == 'published-5'")
    answers.append(criteria.answer(gda.both, False))
    told.append(f"GDA on published-5: {len(gda)} cells")
    return Decision(_all(answers), "; ".join(told))


def h2a(found: list[dict], p: dict) -> Decision:
    """A step of 1e-4 is BatchNorm's drift: paired differences within a band, at every epoch."""
    ps, worst, refuted, missing = [], "", False, []
    for name in p["H2a"]["sets"]:
        rows = _paired(found, name, 1e-4, models=40)
        if len(rows) < 10:
            missing.append(name)
        for r in rows:
            for g, key, band in (("forget", "oq5_mean", 0.05), ("retain", "accuracy", 0.005), ("val", "accuracy", 0.005)):  # fmt: skip
                d, error = (r["paired"][g][k] for k in (key, f"{key}_error"))
                refuted |= abs(d) - 1.96 * error > band
                ps.append(_p_positive(band - abs(d), error))
                if ps[-1] == max(ps):
                    worst = f"closest to its band: {g} {key} {d:+.4f} ± {error:.4f} on {name}, epoch {r['epoch']}"
    if missing:
        return Decision(
            False if refuted else None, f"not at 40 models: {', '.join(missing)}. {worst}"
        )
    return Decision(
        False if refuted else True if max(ps) < p["criteria"]["alpha"] else None, worst, max(ps)
    )


def h2b(found: list[dict], p: dict) -> Decision:
    """Drift's share of the retain accuracy lost after ten epochs."""
    ps, told, refuted, missing = [], [], False, []
    for name in p["H2b"]["sets"]:
        starts = [
            r
            for r in found
            if r["forget_set"] == name and r["method"] == "nothing" and r["models"] == 40
        ]
        for rate, bound, side in ((1e-3, 0.8, 1), (1e-2, 0.5, -1)):
            rows = [r for r in _paired(found, name, rate, models=40) if r["epoch"] == 10]
            if not rows or not starts:
                missing.append(f"{name} at {rate:g}")
                continue
            start, now, pair = (
                x["retain"] for x in (starts[0]["groups"], rows[0]["groups"], rows[0]["paired"])
            )
            lost = start["accuracy"] - now["accuracy"]
            if lost < 0.02:
                told.append(f"{name} at {rate:g}: {lost:.1%} lost, too little to divide")
                ps.append(1.0)
                continue
            share = 1 + pair["accuracy"] / lost
            error = np.hypot(pair["accuracy_error"], (1 - share) * np.hypot(start["accuracy_error"], now["accuracy_error"])) / lost  # fmt: skip
            told.append(f"{name} at {rate:g}: {share:.2f} ± {error:.2f}")
            refuted |= bool(side * (share - bound) < -1.96 * error)
            ps.append(_p_positive(side * (share - bound), error))
    told += [f"not at 40 models: {', '.join(missing)}"] * bool(missing)
    if missing:
        return Decision(False if refuted else None, "; ".join(told))
    return Decision(
        False if refuted else True if max(ps) < p["criteria"]["alpha"] else None,
        "; ".join(told),
        max(ps),
    )


def h3(found: list[dict], p: dict) -> Decision:
    """The illusion: a partial and intact cell on ten random points whose neighbour in time is not both."""
    tables, limits, [name] = halves(found), _limits(p), p["H3"]["sets"]
    cells = ga_cells(
        tables.get(FIRST, pd.DataFrame(columns=["forget_set", "method", "lr", "batchnorm"])), name
    )
    if cells.empty:
        return Decision(None, f"{name}: not run")
    good = cells[cells.both.fillna(False)]
    if good.empty:
        open_ = int(cells.both.isna().sum())
        return Decision(
            None if open_ else False,
            f"no partial and intact cell on the choosing models, {open_} open",
        )
    best = good.loc[good.q.idxmin()]
    told = f"chosen: {best.lr:g}, epoch {best.epoch:.0f}, {best.q:.2f} left"
    if SECOND not in tables or same_cell(tables[SECOND], best) is None:
        return Decision(None, f"{told}; the testing models are not there")
    cell = same_cell(tables[SECOND], best)
    beside = [same_cell(tables[SECOND], best, best.epoch + step) for step in (-1, 1)]
    beside = [row for row in beside if row is not None]
    p_value = max(
        p_both(cell, limits), min(1.0, len(beside) * min(p_not_both(row, limits) for row in beside))
    )
    told += (
        f"; tested: {cell.q:.2f} [{cell.q_low:.2f}, {cell.q_high:.2f}], {cell.outcome}; beside it "
        + ", ".join(row.outcome for row in beside)
    )
    refuted = len(beside) == 2 and all(
        p_both(row, limits) < p["criteria"]["alpha"] for row in beside
    )
    return Decision(
        False if refuted else True if p_value < p["criteria"]["alpha"] else None, told, p_value
    )


def h5(found: list[dict], p: dict) -> Decision:
    """The lowest share left on a set by PC1 is not lower than on the random set of its size."""
    tables, lower, apart, told = halves(found), False, False, []
    for pc1, random in p["H5"]["pairs"]:
        ends = [_reached(tables, name) for name in (pc1, random)]
        if any(end is None for end in ends):
            told.append(f"{pc1} and {random}: not on two halves")
            continue
        one, other = ends
        told.append(f"{pc1} {one.q:.2f} [{one.q_low:.2f}, {one.q_high:.2f}], "
                    f"{random} {other.q:.2f} [{other.q_low:.2f}, {other.q_high:.2f}]")  # fmt: skip
        lower |= bool(one.q_high < other.q_low)
        apart |= bool(other.q_high < one.q_low)
    missing = any("not on" in text for text in told)
    return Decision(False if lower else None if missing or not apart else True, "; ".join(told))


def _reached(tables: dict[int, pd.DataFrame], name: str) -> pd.Series | None:
    """The intact cell of lowest q on the choosing models, as the testing models see it; doing nothing where none is."""
    if FIRST not in tables or SECOND not in tables:
        return None
    cells = ga_cells(tables[FIRST], name)
    if cells.empty or ga_cells(tables[SECOND], name).empty:
        return None
    whole = cells[cells.intact.fillna(False)]
    if whole.empty:
        here = tables[SECOND]
        return here[(here.forget_set == name) & (here.method == "nothing")].iloc[0]
    return same_cell(tables[SECOND], whole.loc[whole.q.idxmin()])


def h6(name: str) -> Callable[[list[dict], dict], Decision]:
    """GDA forgets more than fine-tuning on R alone, on one set."""

    def decide(found: list[dict], p: dict) -> Decision:
        rows = [
            r for r in found
            if r["forget_set"] == name and r["method"] == "gda" and r["epoch"] == 10 and r["paired"]
            and r["configuration"]["ascent_epochs"] == 5
        ]  # fmt: skip
        if not rows:
            return Decision(None, f"{name}: not run (stage C)")
        pair = max(rows, key=lambda r: r["models"])["paired"]["forget"]
        more, error = -pair["oq5_mean"], pair["oq5_mean_error"]
        p_value = _p_positive(more, error)
        told = f"{name}: {more:+.3f} ± {error:.3f} nats lower than fine-tuning"
        answer = (
            False if more < -1.96 * error else True if p_value < p["criteria"]["alpha"] else None
        )
        return Decision(answer, told, p_value)

    return decide


def h6_bounded(found: list[dict], p: dict) -> Decision:
    """The same on set 5, where the protocol asks for the interval and for no answer."""
    return Decision(None, f"described only: {h6('published-5')(found, p).told}")


def h7(found: list[dict], p: dict) -> Decision:
    """Retain and validation points judge damage alike."""
    runs = evidence.distinct(evidence.load("desk"))
    runs = runs[(runs.method == "ga") & (runs.models == 40) & runs.forget_set.isin(p["H7"]["sets"])]
    lacking = [name for name in p["H7"]["sets"] if name not in set(runs.forget_set)]
    [answer] = criteria.c4(runs).values()
    either = criteria.harmed(runs, "retain") | criteria.harmed(runs, "val")
    told = f"{len(runs)} cells at 40 models, {int(either.fillna(False).sum())} damaged by either"
    if lacking:
        return Decision(None, f"{told}; not there: {', '.join(lacking)}")
    return Decision(answer, told)


def h4(found: list[dict], p: dict) -> Decision:
    """The rule by Lemma 1: the ensemble of models that stop by themselves is partial and intact on random sets.

    Models that no step size stops stay pretrained: the protocol does not say, and a person would not have moved.
    """
    answers, told = [], []
    for name in p["H4"]["sets"]:
        rows = [r for r in found if r["forget_set"] == name and r["models"] == estimates.BLOCK]
        rows = [r for r in rows if r["method"] in ("nothing", stopped.NAME)]
        frame = criteria.judged(evidence.quintiles(rows))
        one = frame[frame.method == stopped.NAME]
        if one.empty:
            answers.append(None)
            told.append(f"{name}: not run")
            continue
        [row] = one.itertuples()
        stops = next(r["stops"] for r in rows if r["method"] == stopped.NAME)
        broken = row.intact is not pd.NA and not row.intact
        refuted = broken or row.q_low > _limits(p).partial
        answers.append(False if refuted else True if row.both is not pd.NA and row.both else None)
        told.append(f"{name}: {row.q:.2f} left [{row.q_low:.2f}, {row.q_high:.2f}], {row.outcome}; "
                    f"{stops['never']} of {row.models} models never stop")  # fmt: skip
    return Decision(_all(answers), "; ".join(told))


def h8(found: list[dict], p: dict) -> Decision:
    """oq5 with 20 models against KLoM with 100: the sums of the chapter on the number of models."""
    rows = fewer.desk(found)
    if rows.empty:
        return Decision(None, f"not run: {fewer.MODELS} models (stages D100, D-GA)")
    checks = fewer.h8(rows)
    lines = fewer.line("oq5", fewer.BLOCK), fewer.line("klom", fewer.MODELS)
    blocks = fewer.compared(rows, *lines)
    told = ", ".join(f"{name} {value:.2f}" for name, value in blocks.median().items())
    return Decision(_all(list(checks.values())), f"medians of {len(blocks)} ensembles: {told}")


DECIDE = {
    "G1": g1, "G2": g2, "G3": g3, "G4": g4,
    "H1": h1, "H2a": h2a, "H2b": h2b, "H3": h3,
    "H4": h4,
    "H5": h5, "H6-set-1": h6("published-1"), "H6-set-7": h6("published-7"), "H6-set-5": h6_bounded,
    "H7": h7, "H8": h8,
}  # fmt: skip


def decided(found: list[dict] | None = None) -> dict[str, Decision]:
    """Every gate and hypothesis, with Holm's correction in the family: there a True that Holm does not keep is open."""
    p, found = protocol(), records() if found is None else found
    answers = {name: decide(found, p) for name, decide in DECIDE.items()}
    family = {name: answers[name].p for name in p["criteria"]["family"]}
    kept = holm({k: 1.0 if v is None else v for k, v in family.items()}, p["criteria"]["alpha"])
    for name in family:
        one = answers[name]
        if one.answer is True and not kept[name]:
            answers[name] = Decision(None, f"{one.told} (not after Holm's correction)", one.p)
    return answers


def holm(ps: dict[str, float], alpha: float) -> dict[str, bool]:
    """Holm's step-down procedure (1979): which statements hold at level alpha, all together. Missing ones count as p = 1."""
    ranked, holds, going = sorted(ps, key=ps.get), {}, True
    for k, name in enumerate(ranked):
        going = going and ps[name] <= alpha / (len(ranked) - k)
        holds[name] = going
    return holds


def _limits(p: dict) -> criteria.Criteria:
    told = p["criteria"]
    names = ("shift_sd", "partial", "forgotten", "retain_points", "val_points")
    return criteria.Criteria(**{name: told[name] for name in names})


def _paired(found: list[dict], name: str, rate: float, models: int) -> list[dict]:
    """Records of GA at one step size as published, paired with drift, by epoch."""
    rows = [
        r for r in found
        if (r["forget_set"], r["method"], r["models"]) == (name, "ga", models) and r["paired"]
        and r["configuration"]["lr"] == rate and r["configuration"]["batchnorm"] == "train"
    ]  # fmt: skip
    return sorted(rows, key=lambda r: r["epoch"])


def _all(answers: list[bool | None]) -> bool | None:
    """False if one is refuted, else open if one is open, else True."""
    return False if False in answers else None if None in answers else True
