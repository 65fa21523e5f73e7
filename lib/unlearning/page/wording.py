"""How tables of the experiment chapters put a row of an `evidence.table` into words."""

import pandas as pd

from unlearning.page.evidence import GROUPS, NAMES


def sci(rate: float) -> str:
    """A step size: 5e-2, 0.1, 0."""
    return f"{rate:.0e}".replace("e-0", "e-") if 0 < rate < 0.095 else f"{rate:g}"


def short(row: pd.Series) -> str:
    """One configuration and stopping time: "GA 5e-2, epoch 3", with the switches that the published runs lack."""
    name = NAMES.get(row.method, row.method.partition("@")[0])  # of a method of somebody's own
    if row.method == "nothing":
        return name
    if row.method == "retrain":
        return f"{name}, {row.epoch:.0f} epochs"
    switches = [
        *(["BatchNorm frozen"] if row.batchnorm == "frozen" else []),
        *(["momentum"] if row.momentum else []),
        *(["shuffled"] if row["shuffle"] >= 0 else []),
        *([f"{row.ascent_epochs:.0f} ascents"] if row.ascent_epochs else []),
    ]
    return ", ".join([f"{name} {sci(row.lr)}", f"epoch {row.epoch:.0f}", *switches])


def scored(row: pd.Series, group: str) -> str:
    """P95 with its 95% interval over models; the robust score beside it where broken models collapse the range."""
    robust = f" (robust {row[f'{group}_robust']:.2f})" if row[f"{group}_collapsed"] > 0 else ""
    return f"{row[group]:.2f} [{row[f'{group}_low']:.2f}, {row[f'{group}_high']:.2f}]{robust}"


def listing(frame: pd.DataFrame) -> pd.DataFrame:
    """Every row of a judged table as text: both directions, floors, ceilings, accuracies, outcome."""
    rows = [
        {"set": r.forget_set, "N": r.models, "configuration": short(r)}
        | {
            f"{g}: P95 [interval], reverse; floor, ceiling": f"{scored(r, g)}, {r[f'{g}_reverse']:.2f}; "
            f"{r[f'{g}_floor']:.2f}, {r[f'{g}_ceiling']:.1f}"
            for g in GROUPS
        }
        | {
            "right on F, R, validation (oracles)": ", ".join(
                f"{r[f'{g}_accuracy']:.0%} ({r[f'{g}_oracle_accuracy']:.0%})" for g in GROUPS
            ),
            "q": f"{r.q:.2f}",
            "outcome": r.outcome,
        }
        for _, r in frame.iterrows()
    ]
    return pd.DataFrame(rows or [{"set": "not run"}])
