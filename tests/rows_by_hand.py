"""Judged rows of a small experiment, made by hand, for the tests of the chapters' panels."""

import pandas as pd

from unlearning.page import criteria, evidence

FLOOR = 0.7


def row(forget_set: str, method: str, lr: float, epoch: int, forget: float, harm: float = FLOOR, **more) -> dict:  # fmt: skip
    """One row of an `evidence.table`: scores in nats, tight intervals, the same in both directions, no accuracy lost."""
    made = {
        "dataset": "cifar10", "preset": "laptop", "forget_set": forget_set, "method": method, "models": 100, "lr": lr,
        "epoch": epoch, "batchnorm": "train", "momentum": 0.0, "weight_decay": 0.0, "shuffle": -1,
        "ascent_epochs": 0, "forget_batch": 64, "batch": 64, "size": int(forget_set.rpartition("-")[2]),
        "cost_paper": 0.01, "cost_true": 0.02, "seconds": 0.1 * max(epoch, 1), "seconds_retrain": 10.0,
    }  # fmt: skip
    for g, value in (("forget", forget), ("retain", harm), ("val", harm)):
        made |= {g: value, f"{g}_low": value - 0.05, f"{g}_high": value + 0.05, f"{g}_floor": FLOOR}
        made |= {
            f"{g}_reverse": value,
            f"{g}_mean": value / 2,
            f"{g}_robust": value,
            f"{g}_collapsed": 0.0,
        }
        made |= {
            f"{g}_ceiling": 9.5,
            f"{g}_points": 10,
            f"{g}_accuracy": 0.9,
            f"{g}_oracle_accuracy": 0.9,
        }
    made |= more
    return made | {"average": (made["forget"] + made["retain"] + made["val"]) / 3}


ROWS = [
    row("random-10", "nothing", 0.0, 0, 9.7),
    row("random-10", "ga", 0.0, 1, 9.6),
    row("random-10", "ga", 1e-5, 1, 9.6),  # a repeat of step size 0
    row("random-10", "ga", 0.01, 1, 8.0),
    row("random-10", "ga", 0.01, 3, 4.0, forget_accuracy=0.5),  # partial
    row("random-10", "ga", 0.05, 1, 4.0, retain_accuracy=0.8),  # fine on the map, broken by accuracy
    row("random-10", "ga", 0.05, 3, 1.0, 5.0),  # broken
    row("random-10", "ga", 0.01, 1, 8.0, batchnorm="frozen"),
    row("random-10", "finetune", 0.005, 5, 9.7),
    row("pc1-top-50", "nothing", 0.0, 0, 9.7),
    row("pc1-top-50", "ga", 0.01, 1, 9.0, retain=3.0, retain_low=2.9, retain_high=3.1),  # retain only
    row("pc1-top-50", "ga", 0.05, 1, 6.0, 4.0),
    row("pc2-top-50", "nothing", 0.0, 0, 9.7),
    row("pc2-top-50", "gda", 0.005, 5, 8.0, ascent_epochs=5, val_reverse=6.0),  # wide
    row("pc2-top-50", "scrub_published", 0.005, 5, 9.6, ascent_epochs=5),
]  # fmt: skip


def frame(rows: list[dict] = ROWS) -> pd.DataFrame:
    """The rows as `evidence.load` gives them."""
    judged = criteria.judged(pd.DataFrame(rows))
    judged["kind"] = [evidence.kind(name) for name in judged.forget_set]
    judged["repeat"] = (judged.method == "ga") & judged.lr.between(1e-9, evidence.NO_STEP)
    return judged


def none() -> pd.DataFrame:
    """`evidence.load` of a scale without records."""
    judged = criteria.judged(evidence.table([]))
    return judged.assign(kind=pd.Series(dtype=str), repeat=pd.Series(dtype=bool))


def texts(panel) -> list[str]:
    """All texts of a panel's axes."""
    ax = panel.axes[0]
    return [t.get_text() for t in ax.texts] + [ax.get_title()]
