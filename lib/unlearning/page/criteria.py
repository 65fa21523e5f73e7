"""The criteria, in one place: when a run is intact, how much of the gap it closed, and what each claim then asks for.

Every answer is True, False or open (pandas' <NA>, in checks None): open where an interval crosses the limit, or where a
number is not there. Every check of a claim of the paper is a function here, so that it can be put to the authors' own
published numbers (`calibration`): a check that fails on these is not their claim.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from unlearning import uncertainty
from unlearning.experiment.limits import SHIFT, shifted

DAMAGE = ("retain", "val")  # groups of points that unlearning must leave alone


@dataclass(frozen=True)
class Criteria:
    """Limits, each with its reason."""

    shift_sd: float = SHIFT  # uniform shift that counts as damage (oracle sd)
    partial: float = 0.5  # share of the gap that may be left for "partly forgotten"
    forgotten: float = 0.1  # and for "forgotten"
    retain_points: float = 0.02  # accuracy that may be lost on retain points (fraction)
    val_points: float = 0.01  # and on validation points (fraction)


DEFAULT = Criteria()


def limit(models: int, shift_sd: float = DEFAULT.shift_sd, estimator: str = "klom") -> float:
    """P95 above its floor that a uniform shift of `shift_sd` oracle standard deviations scores, in nats; see `shifted`."""
    return float(np.subtract(*shifted(estimator, models, shift_sd=shift_sd)))


def limits(frame: pd.DataFrame, criteria: Criteria = DEFAULT) -> np.ndarray:
    """What counts as damage, above the floor, for each row in the unit of its scores.

    Nats of KLoM; a table with estimator "oq5" (`evidence.quintiles`) has the default limit as its unit.
    """
    counts = [int(n) for n in frame.models]
    if "estimator" not in frame or not frame.estimator.eq("oq5").any():
        return np.array([limit(n, criteria.shift_sd) for n in counts])
    return np.array(
        [limit(n, criteria.shift_sd, estimator="oq5") / limit(n, estimator="oq5") for n in counts]
    )


@cache
def gaussian_floor(models: int) -> float:
    """P95 of KLoM between two equal Gaussian ensembles, in nats."""
    return float(np.percentile(uncertainty.gaussian_floor(models), 95))


def judged(frame: pd.DataFrame, criteria: Criteria = DEFAULT) -> pd.DataFrame:
    """A table of runs with what the criteria say of each row.

    frame: columns forget_set, method, models; for each G of forget, retain, val: G (nats, or the units of
    `evidence.quintiles`), G_floor, and, where known, G_low and G_high (95% interval), G_reverse (the other direction),
    G_accuracy and G_oracle_accuracy (fractions), G_lost_error (standard error of the accuracy lost), G_collapsed and
    G_robust (the score where that is above 0); average (nats) where not all three are known. One row of method
    "nothing" for each (forget set, number of models, preset if there is such a column): the start of the gap.

    Adds q (share of the gap left on F; 1: as before, 0: as the oracles) with q_low and q_high; intact, partial and both
    (the two together), boolean or <NA>; outcome: "breaks", "stays", "partial", "forgets" or "open". Raises ValueError
    for rows without a start.
    """
    frame = frame.reset_index(drop=True).copy()
    case = [c for c in ("preset", "forget_set", "models") if c in frame]
    start = frame.assign(forget=_score(frame, "forget"))
    start = start[start.method == "nothing"].drop_duplicates(case, keep="last").set_index(case)
    before = start[["forget", "forget_floor"]].reindex(pd.MultiIndex.from_frame(frame[case]))
    if (missing := before.forget_floor.isna()).any():
        lost = sorted({str(i) for i in before.index[missing.to_numpy()]})
        raise ValueError(
            f"no row of method 'nothing' for {', '.join(lost)}: the gap starts there, keep it in the table"
        )
    gap = (before.forget - before.forget_floor).to_numpy()
    for end in ("", "_low", "_high"):
        frame[f"q{end}"] = (_score(frame, "forget", end) - frame.forget_floor) / gap
    frame["partial"] = below(frame.q_low, frame.q_high, criteria.partial)
    frame["forgotten"] = below(frame.q_low, frame.q_high, criteria.forgotten)
    frame["intact"] = _all([_unharmed(frame, g, criteria) for g in DAMAGE])
    frame["both"] = _all([frame.partial, frame.intact])
    if "average" in frame:  # of a row of which only the average is published
        most = (
            frame.forget_floor
            + criteria.partial * gap
            + frame.retain_floor
            + frame.val_floor
            + 2 * limits(frame, criteria)
        )
        frame.loc[(frame.average > most / 3) & frame.both.isna(), "both"] = False
    frame["outcome"] = np.select(
        [frame.intact.eq(False).fillna(False), frame.intact.isna() | frame.partial.isna(),
         frame.forgotten.fillna(False), frame.partial.fillna(False)],
        ["breaks", "open", "forgets", "partial"], "stays",
    )  # fmt: skip
    return frame


def below(low: pd.Series, high: pd.Series, bound: float | pd.Series) -> pd.Series:
    """Whether a value with a 95% interval is at most `bound`: True, False, or <NA> where the interval crosses it."""
    answer = pd.Series(pd.NA, index=low.index, dtype="boolean")
    answer[(high <= bound).fillna(False)] = True
    answer[(low > bound).fillna(False)] = False
    return answer


def _known(frame: pd.DataFrame, column: str, otherwise: pd.Series) -> pd.Series:
    """A column where it is there and known, else another one."""
    return frame[column].fillna(otherwise) if column in frame else otherwise


def _score(frame: pd.DataFrame, group: str, end: str = "") -> pd.Series:
    """A group's score, or an end of its interval, as it is judged.

    Where a few far-out models stretch the histogram's range (G_collapsed above 0) the score is flattered: it and its
    interval move to the robust score (G_robust), which has the same floor.
    """
    value = _known(frame, f"{group}{end}", frame[group])
    if f"{group}_collapsed" not in frame:
        return value
    return value.where(
        ~(frame[f"{group}_collapsed"] > 0), value + frame[f"{group}_robust"] - frame[group]
    )


def _unharmed(frame: pd.DataFrame, group: str, criteria: Criteria) -> pd.Series:
    """Whether a group of points is left alone: both directions within the limit, and accuracy within its points."""
    bound = frame[f"{group}_floor"] + limits(frame, criteria)
    low, high = (_score(frame, group, end) for end in ("_low", "_high"))
    parts = [below(low, high, bound)]
    if f"{group}_reverse" in frame:
        parts.append(below(frame[f"{group}_reverse"], frame[f"{group}_reverse"], bound))
    if f"{group}_accuracy" in frame:
        lost = frame[f"{group}_oracle_accuracy"] - frame[f"{group}_accuracy"]
        either = 1.96 * _known(frame, f"{group}_lost_error", 0 * lost)
        parts.append(below(lost - either, lost + either, getattr(criteria, f"{group}_points")))
    return _all(parts)


def harmed(frame: pd.DataFrame, group: str, criteria: Criteria = DEFAULT) -> pd.Series:
    """Whether one group of points, retain or val, calls a run damaged: True, False, or <NA> where it is open."""
    return ~_unharmed(frame, group, criteria)


def _all(parts: list[pd.Series]) -> pd.Series:
    """Kleene's and: False where one is False, else open where one is open."""
    found = parts[0]
    for part in parts[1:]:
        found = found & part
    return found


def answer(values: pd.Series, wanted: bool = True) -> bool | None:
    """One answer for many rows: do they all equal `wanted`? False if one does not, None if some are open or none are there."""
    values = values.astype("boolean")
    if values.eq(not wanted).fillna(False).any():
        return False
    return None if values.isna().any() or values.empty else True


# --- what each claim asks for: a judged table in, named answers out ---------------------------------------------------


def c1(runs: pd.DataFrame) -> dict[str, bool | None]:
    """C1 on sets by PC1: no GA or GDA run keeps the model intact and closes half of the gap. runs: those sets only."""
    tried = runs[runs.method.isin(["ga", "gda"])]
    return {
        "on points of PC1 no GA or GDA run is intact with half of the gap closed": answer(
            tried.both, False
        )
    }


def c2(runs: pd.DataFrame) -> dict[str, bool | None]:
    """C2 on few random points: some GA run is partial and intact, its neighbours in time and step size are not.

    runs: one forget set.
    """
    tried = runs[runs.method == "ga"]
    hits = tried[tried.both.fillna(False)]
    some = True if len(hits) else None if tried.empty or tried.both.isna().any() else False
    name = "some GA run on few random points is intact with half of the gap closed"
    beside = "one stopping time or one step size further on it is not"
    if hits.empty:
        return {name: some, beside: None}
    best = hits.loc[hits.q.idxmin()]
    later = tried[(tried.lr == best.lr) & (tried.epoch > best.epoch)].sort_values("epoch").head(1)
    slower = tried[(tried.lr < best.lr) & (tried.epoch == best.epoch)].sort_values("lr").tail(1)
    return {name: True, beside: answer(pd.concat([later, slower]).both, False)}


def c3(runs: pd.DataFrame) -> dict[str, bool | None]:
    """C3: on PC2 some GDA run forgets without damage, on random points some GA run moves, on PC1 neither gets as far.

    runs: with a column `kind` (random, pc1, pc2). "As far": lowest q of runs that are not broken.
    """
    whole = runs[
        runs.method.isin(["ga", "gda"]) & ~runs.intact.eq(False).fillna(False) & runs.q.notna()
    ]
    lowest = {
        kind: whole[whole.kind == kind].sort_values("q").head(1)
        for kind in ("random", "pc1", "pc2")
    }

    def further(easy: str) -> bool | None:
        one, other = lowest[easy], lowest["pc1"]
        if one.empty or other.empty:
            return None
        one, other = one.iloc[0], other.iloc[0]
        return True if one.q_high < other.q_low else False if other.q_high < one.q_low else None

    gda = runs[(runs.kind == "pc2") & (runs.method == "gda")]
    helped = (
        True
        if gda.both.fillna(False).any()
        else None
        if gda.empty or gda.both.isna().any()
        else False
    )
    return {
        "on points of PC2 some GDA run closes half of the gap and leaves the model intact": helped,
        "no run gets as far on points of PC1 as on random points": further("random"),
        "nor as on points of PC2": further("pc2"),
    }


def c4(runs: pd.DataFrame, share: float = 0.9) -> dict[str, bool | None]:
    """C4: of the runs that retain or validation points call damaged, at least `share` are damaged by both."""
    by = {g: harmed(runs, g) for g in DAMAGE}
    either = (by["retain"] | by["val"]).fillna(False)
    name = f"retain and validation points give the same judgement in {share:.0%} of the runs that either calls damaged"
    unsure = (by["retain"].isna() | by["val"].isna()) & ~either
    if not either.any():
        return {name: None if unsure.any() or runs.empty else True}
    same = (by["retain"] & by["val"])[either]
    agree, against = same.fillna(False).mean(), (~same.fillna(True)).mean()
    return {name: True if agree >= share else False if against > 1 - share else None}


def c5(runs: pd.DataFrame) -> dict[str, bool | None]:
    """C5: SCRUB as published stays where the pretrained models are, on every set."""
    tried = runs[runs.method == "scrub_published"]
    still = (tried.q > 1 - DEFAULT.forgotten).astype("boolean")
    return {
        "SCRUB as published closes no tenth of the gap": answer(still),
        "and leaves the model intact": answer(tried.intact),
    }


def c11(rows: pd.DataFrame, reference_gap: float, share: float = 0.25) -> dict[str, bool | None]:
    """C11: pretrained and oracle differ on F hardly more than elsewhere, measured by what they do on CIFAR-10.

    rows: doing nothing, one row for each data set and fraction, with forget, retain, val and, where known, their
    intervals (nats). reference_gap: forget less the larger of retain and val on CIFAR-10 (nats).
    """
    elsewhere = rows[list(DAMAGE)].max(axis=1)
    low, high = (_known(rows, f"forget_{end}", rows.forget) - elsewhere for end in ("low", "high"))
    name = f"forget points stand out by less than {share:.0%} of what they do on CIFAR-10"
    return {name: answer(below(low, high, share * reference_gap))}


# --- the authors' own numbers put to the same questions --------------------------------------------------------------


def authors(published: pd.DataFrame) -> pd.DataFrame:
    """`evidence.published` as a judged table: N = 100, floors of Gaussian ensembles, kinds of forget sets."""
    frame = published.rename(columns={"set": "number"}).assign(models=100)
    frame["forget_set"] = [f"published-{k}" for k in frame.number]
    frame["kind"] = [("random", "pc1", "pc2")[(k - 1) // 3] for k in frame.number]
    for group in ("forget", *DAMAGE):
        frame[f"{group}_floor"] = gaussian_floor(100)
    for (
        group
    ) in DAMAGE:  # of a run of which forget and the average are known, the mean of the other two is
        rest = (3 * frame.average - frame.forget) / 2
        frame[group] = frame[group].fillna(rest.where(frame[f"{group}_high"].isna()))
    return judged(frame)


def calibration(published: pd.DataFrame, table1: pd.DataFrame) -> pd.DataFrame:
    """Every check of a claim of the paper on the authors' own numbers: columns claim, check, holds (True, False, None)."""
    runs = authors(published)
    nothing = published[published.method == "nothing"]
    gap = float((nothing.forget - nothing[list(DAMAGE)].max(axis=1)).mean())
    found = {
        "C1": c1(runs[runs.kind == "pc1"]),
        "C2": c2(runs[runs.number == 1]),
        "C3": c3(runs),
        "C4": c4(runs[(runs.method != "scrub_published") & runs.retain.notna() & runs.val.notna()]),
        "C5": c5(runs),
        "C11": c11(table1, gap),
    }
    rows = [
        (claim, check, holds) for claim, checks in found.items() for check, holds in checks.items()
    ]
    return pd.DataFrame(rows, columns=["claim", "check", "holds"])
