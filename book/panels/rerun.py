"""Tables of the page on rerunning the experiments."""

import pandas as pd

from unlearning.experiment.presets import Preset
from unlearning.page.ladder import Cost


def sizes(chosen: dict[str, Preset], costs: dict[str, Cost]) -> pd.DataFrame:
    """One row per preset: what it asks for, and its arithmetic in FLOP."""
    rows = [
        {
            "preset": name,
            "images": f"{costs[name].images:,}",
            "pixels": costs[name].side,
            "width": p.width,
            "epochs": p.recipe.epochs,
            "N": p.models,
            "sets": len(p.forget_sets),
            "one model": f"{costs[name].one:.1e}",
            "ensembles": f"{costs[name].ensembles:.1e}",
            "all": f"{costs[name].whole:.1e}",
        }
        for name, p in chosen.items()
    ]
    return pd.DataFrame(rows)


def recorded(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of `evidence.table` for doing nothing: seconds, accuracies, scored points."""
    return pd.DataFrame(
        {
            "forget set": frame["forget_set"],
            "N": frame["models"],
            "scored F / R / val": [
                f"{f} / {r} / {v}"
                for f, r, v in zip(
                    frame["forget_points"], frame["retain_points"], frame["val_points"], strict=True
                )
            ],
            "s / pretrained": frame["seconds"].map("{:.1f}".format),
            "s / oracle": frame["seconds_retrain"].map("{:.1f}".format),
            "pretrained, val": frame["val_accuracy"].map("{:.1%}".format),
            "oracle, val": frame["val_oracle_accuracy"].map("{:.1%}".format),
            "oracle, on F": frame["forget_oracle_accuracy"].map("{:.1%}".format),
        }
    )


def stages(
    parts: dict[str, Preset], added: dict[str, tuple[int, int, float]], core_rate: float
) -> pd.DataFrame:
    """One row per stage and what it adds (models, trajectories, FLOP), with hours of one core at core_rate GFLOP/s."""
    rows = [
        {
            "stage": name,
            "N": p.models,
            "forget sets": len(p.forget_sets),
            "models trained": f"{added[name][0]:,}",
            "trajectories": f"{added[name][1]:,}",
            "core-hours": f"{added[name][2] / core_rate / 1e9 / 3600:.1f}",
        }
        for name, p in parts.items()
    ]
    return pd.DataFrame(rows)


def steps(parts: dict[str, tuple[int, float]], rates: dict[str, float]) -> pd.DataFrame:
    """Step -> (models or trajectories, FLOP), with the time at each rate (FLOP/s)."""
    rows = [
        {"step": name, "models or trajectories": f"{count:,}", "PFLOP": f"{flop / 1e15:,.0f}"}
        | {title: duration(flop / rate) for title, rate in rates.items()}
        for name, (count, flop) in parts.items()
    ]
    return pd.DataFrame(rows)


def duration(seconds: float) -> str:
    """Whole minutes below two hours, else hours with one decimal."""
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
