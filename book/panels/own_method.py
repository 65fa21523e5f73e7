"""Pictures and tables of the chapter on a method of one's own: its place on the map, halves, rounding, what others tried."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from unlearning.methods import METHODS
from unlearning.page import criteria, evidence, figures, maps, trial
from unlearning.page.wording import short


def on_map(recorded: pd.DataFrame, own: pd.DataFrame, title: str) -> list[Figure]:
    """Validation and retain maps of one forget set: the library's methods, and `own` on top, joined in time; the key."""
    start = recorded[recorded.method == "nothing"].iloc[-1]
    path = own.sort_values("epoch")
    with figures.style():
        panels = []
        for y in ("val", "retain"):
            panel, ax = figures.panel(height=3.7)
            maps.draw(ax, recorded, y=y)
            maps.limits(ax, start, y=y)
            ax.plot([start.forget, *path.forget], [start[y], *path[y]], "-", lw=1.2,
                    color=figures.COLORS["accent"], zorder=5)  # fmt: skip
            ax.plot(path.forget, path[y], "X", ms=9, color=figures.COLORS["accent"],
                    mec=figures.INK, mew=0.6, zorder=6, label="yours")  # fmt: skip
            last = path.iloc[-1]
            ax.annotate(f"epoch {last.epoch:.0f}", (last.forget, last[y]), (6, 6),
                        textcoords="offset points", size=9)  # fmt: skip
            ax.legend(loc="upper right")
            ax.set_title(title, size=10)
            panels.append(panel)
        known = [m for m in dict.fromkeys(recorded.method) if m in METHODS and m != "nothing"]
        panels.append(maps.key(known, width=4.6))
    return panels


def places(recorded: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """Of each method its unbroken run that gets furthest (else its broken one of lowest q), best first; yours marked."""
    kept = [trial.place(own).assign(yours=True), trial.place(recorded).assign(yours=False)]
    ranked = pd.concat(kept).sort_values(["broken", "q"])
    return pd.DataFrame(
        {
            "run": f"{short(r)}{' (yours)' * r.yours}",
            "left on F": trial.left(r),
            "damage on R, validation": f"{r.retain:.2f}, {r.val:.2f}",
            "cost": f"{r.cost_true:.1%}",
            "outcome": r.outcome,
        }
        for _, r in ranked.iterrows()
    )


def halves(tables: dict[int, pd.DataFrame], method: str) -> pd.DataFrame:
    """For each block of models: the stopping time that it would choose, what it says of it, and what the others say.

    tables: `hypotheses.halves`. Chosen: the unbroken row of lowest q; of broken ones only, the lowest.
    """
    rows = []
    for first, table in tables.items():
        cells = table[table.method == method]
        best = trial.place(cells).iloc[0]
        same = [t[(t.method == method) & (t.lr == best.lr) & (t.epoch == best.epoch)].iloc[0]
                for other, t in tables.items() if other != first]  # fmt: skip
        rows.append(
            {
                "chosen on models": f"{first}-{first + int(best.models) - 1}",
                "stopping time": f"epoch {best.epoch:.0f}",
                "there": f"{trial.left(best)}, {best.outcome}",
                "on the others": "; ".join(f"{trial.left(r)}, {r.outcome}" for r in same)
                or "no others",
            }
        )
    return pd.DataFrame(rows or [{"chosen on models": "fewer than a block: nothing to divide"}])


def community(records: list[dict]) -> pd.DataFrame:
    """Trials that others submitted: of each method and forget set the run that gets furthest, with its date."""
    if not records:
        return pd.DataFrame([{"method": "none yet"}])
    days = pd.DataFrame({"recorded": [r["provenance"].get("recorded", "")[:10] for r in records]})
    frame = pd.concat([criteria.judged(evidence.quintiles(records)), days], axis=1)
    rows = []
    for name, here in frame[frame.method != "nothing"].groupby("forget_set"):
        rows += [
            {
                "method": short(r),
                "forget set": name,
                "models": r.models,
                "left on F": trial.left(r),
                "outcome": r.outcome,
                "cost": f"{r.cost_true:.1%}",
                "recorded": r.recorded,
            }
            for _, r in trial.place(here).sort_values(["broken", "q"]).iterrows()
        ]
    return pd.DataFrame(rows or [{"method": "none yet"}])


def rounding(recorded: list[dict], tried: list[dict]) -> pd.DataFrame:
    """Doing nothing twice: as the run recorded it, and as a trial scores the shipped models of the same number."""
    starts = {(r["forget_set"], r["models"]): r for r in recorded if r["method"] == "nothing"}
    rows = []
    for r in (r for r in tried if r["method"] == "nothing"):
        if (own := starts.get((r["forget_set"], r["models"]))) is None:
            continue
        for g in evidence.GROUPS:
            a, b = own["groups"][g], r["groups"][g]
            rows.append(
                {
                    "forget set": r["forget_set"],
                    "models": r["models"],
                    "points": g,
                    "mean oq5, recorded": f"{a['oq5_mean']:.4f} ± {a['oq5_mean_error']:.4f}",
                    "shipped": f"{b['oq5_mean']:.4f}",
                    "accuracy, recorded": f"{a['accuracy']:.2%}",
                    "shipped ": f"{b['accuracy']:.2%}",
                }
            )
    return pd.DataFrame(rows or [{"forget set": "not run"}])


def rounded_told(kept: np.ndarray, rounded: np.ndarray) -> dict[str, float]:
    """What rounding does to margins, both (models, points): in standard deviations over models, and to predictions."""
    moved = np.abs(rounded - kept) / kept.std(0)
    return {
        "round_median": float(np.median(moved)), "round_most": float(moved.max()),
        "round_flips": int(((kept > 0) != (rounded > 0)).sum()), "round_margins": int(kept.size),
    }  # fmt: skip


def told(own: pd.DataFrame, recorded: pd.DataFrame) -> dict[str, float | str]:
    """For the text: the run of `own` that gets furthest, and the best of the library's that are not broken."""
    mine, ranked = trial.place(own).iloc[0], trial.place(recorded[recorded.method != "nothing"])
    best = ranked.sort_values(["broken", "q"]).iloc[0]
    return {
        "own": short(mine), "own_left": trial.left(mine), "own_outcome": mine.outcome,
        "best": short(best), "best_left": trial.left(best), "best_outcome": best.outcome,
    }  # fmt: skip
