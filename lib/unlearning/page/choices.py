"""The claims' checks asked again with other criteria: which answers are the data's, and which are our choice's."""

from collections.abc import Callable
from dataclasses import replace

import pandas as pd

from unlearning.page import criteria, evidence

OURS = "as in this book"


def without(frame: pd.DataFrame, *endings: str) -> pd.DataFrame:
    """The table without the columns of every group that end so: what it lacks is not asked."""
    return frame.drop(
        columns=[f"{g}{e}" for g in evidence.GROUPS for e in endings], errors="ignore"
    )


def instead(frame: pd.DataFrame, ending: str) -> pd.DataFrame:
    """The table with another score of every group in place of its P95; intervals belong to the P95 and go."""
    other = {g: frame[f"{g}{ending}"] for g in evidence.GROUPS}
    return without(frame.assign(**other), "_low", "_high", "_reverse")


def variants(shifts: list[float]) -> dict[str, Callable[[pd.DataFrame], pd.DataFrame]]:
    """Choice's name -> function from a table of runs to the judged table under that choice alone; ours comes first.

    shifts: other limits for damage, in oracle standard deviations.
    """
    limits = criteria.DEFAULT
    other = {f"damage from {s:g} sd": replace(limits, shift_sd=s) for s in shifts}
    other |= {f"a gap of {p:.0%} may be left": replace(limits, partial=p) for p in (0.25, 0.75)}
    other["twice the accuracy may be lost"] = replace(
        limits, retain_points=2 * limits.retain_points, val_points=2 * limits.val_points)  # fmt: skip
    found = {OURS: criteria.judged}
    found |= {name: (lambda f, c=c: criteria.judged(f, c)) for name, c in other.items()}
    return found | {
        "accuracy is not asked": lambda f: criteria.judged(
            without(f, "_accuracy", "_oracle_accuracy")),
        "one direction of KLoM": lambda f: criteria.judged(without(f, "_reverse")),
        "the other direction": lambda f: criteria.judged(instead(f, "_reverse")),
        "no intervals": lambda f: criteria.judged(without(f, "_low", "_high")),
        "the robust score": lambda f: criteria.judged(instead(f, "_robust")),
        "scores alone, as on a map": evidence.scores_alone,
    }  # fmt: skip


def checks(judged: pd.DataFrame, few: str) -> dict[str, bool | None]:
    """The checks of C1 to C4 on one judged table of the paper's grid, by short names. few: the smallest random set."""
    found = {
        "C1": criteria.c1(judged[judged.kind == "pc1"]),
        "C2": criteria.c2(judged[judged.forget_set == few]),
        "C3": criteria.c3(judged),
        "C4": criteria.c4(judged[judged.method != "nothing"]),
    }
    return {f"{claim}{' abc'[at] if len(asked) > 1 else ''}": holds
            for claim, asked in found.items() for at, holds in enumerate(asked.values(), 1)}  # fmt: skip


def answers(runs: pd.DataFrame, few: str, shifts: list[float]) -> pd.DataFrame:
    """One row per choice, one column per check: True, False or None (open). runs: the paper's grid, with `kind`."""
    asked = {name: checks(judge(runs), few) for name, judge in variants(shifts).items()}
    return (
        pd.DataFrame.from_dict(asked, orient="index")
        .astype(object)
        .where(lambda f: f.notna(), None)
    )


def flips(table: pd.DataFrame) -> pd.DataFrame:
    """Whether each answer differs from ours, and whether it turns round (yes to no or no to yes): two booleans' sum.

    0: the same; 1: it becomes open or stops being open; 2: it turns round.
    """
    ours = table.loc[OURS]

    def distance(one: object, other: object) -> int:
        return 0 if one is other else 1 if None in (one, other) else 2

    return pd.DataFrame({c: [distance(v, ours[c]) for v in table[c]] for c in table}, index=table.index)  # fmt: skip
