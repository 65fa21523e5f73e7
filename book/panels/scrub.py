"""Pictures and tables of the chapter on SCRUB's two forms, and on what the ascent in GDA adds (C5)."""

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from unlearning.page import criteria, figures, maps
from unlearning.page.evidence import GROUPS
from unlearning.page.wording import scored, sci

FORMS = {  # method: (label, colour, marker)
    "nothing": ("pretrained", "pretrained", "o"),
    "scrub_published": ("as published", "neutral", "v"),
    "scrub": ("fixed", "ascent", "^"),
}
WORD = {"forget": "forget", "retain": "retain", "val": "validation"}
TINY = 5e-5  # step sizes up to here move hardly anything but statistics


def left_of_f(forget: float, retain: float, batch: int = 64, rate: float = 0.1) -> float:
    """Share of F in the running statistics after a pass over F and one over R: (1 - (1-rate)^f) (1-rate)^r.

    f and r: batches of F and of R.
    """
    f, r = np.ceil(forget / batch), np.ceil(retain / batch)
    return float((1 - (1 - rate) ** f) * (1 - rate) ** r)


# --- one model -------------------------------------------------------------------------------------------------------

State = tuple[torch.Tensor, torch.Tensor]  # parameters, running statistics


def forms(start: State, ends: dict[tuple[float, str], State], slip: str) -> pd.DataFrame:
    """What each form changed, and how far it is from the form `slip`: one row for each (step size, form)."""
    rows = []
    for (rate, form), (weights, running) in ends.items():
        apart = [float((a - b).abs().max()) for a, b in zip((weights, running), ends[rate, slip], strict=True)]
        rows.append({
            "step size": rate, "form": form, "parameters": float((weights - start[0]).abs().max()),
            "statistics": float((running - start[1]).norm() / start[1].norm()), "apart": max(apart),
        })  # fmt: skip
    return pd.DataFrame(rows)


def forms_table(found: pd.DataFrame) -> pd.DataFrame:
    """`forms` as text."""
    return pd.DataFrame({
        "step size": found["step size"].map("{:g}".format), "form": found.form,
        "largest change of a parameter": found.parameters.map("{:.2g}".format),
        "relative change of the running statistics": found.statistics.map("{:.3f}".format),
        "largest difference from the slip": found.apart.map("{:.2g}".format),
    })  # fmt: skip


def forms_told(found: pd.DataFrame, rate: float) -> dict[str, str | float]:
    """Largest change of a parameter as published and, at the experiment's step size, fixed; the published forms' gap."""
    fixed = found.form.str.contains("fixed")
    return {
        "silent": f"{found[~fixed].parameters.max():g}",
        "alive": found[fixed & (found["step size"] == rate)].parameters.max(),
        "same": f"{found[~fixed].apart.max():g}",
    }


# --- the records -----------------------------------------------------------------------------------------------------


def _last(every: pd.DataFrame) -> pd.DataFrame:
    """The pretrained row and the last stopping time of each form on each set, plain runs only."""
    rows = every[every.method.isin(FORMS) & (every.batchnorm == "train")]
    return rows.sort_values("epoch").groupby(["forget_set", "method"], sort=False).tail(1)


def scores(every: pd.DataFrame, title: str) -> list[Figure]:
    """P95 of the three groups with 95% intervals, pretrained beside both forms of SCRUB, a row for each forget set."""
    last = _last(every)
    ran = last[last.method != "nothing"].forget_set
    names = [name for name in dict.fromkeys(last.forget_set) if name in set(ran)]
    with figures.style():
        if not names:
            return [maps.absent(title)]
        panels = []
        for g in GROUPS:
            panel, ax = figures.panel(width=3.6, height=1.9 + 0.5 * len(names))
            for k, name in enumerate(names):
                here = last[last.forget_set == name].set_index("method")
                for j, (method, (label, color, marker)) in enumerate(FORMS.items()):
                    if method in here.index:
                        r = here.loc[method]
                        bars = [[max(r[g] - r[f"{g}_low"], 0)], [max(r[f"{g}_high"] - r[g], 0)]]
                        ax.errorbar(r[g], k + 0.24 * (j - 1), xerr=bars, fmt=marker, ms=5, lw=1.2, capsize=2,
                                    color=figures.COLORS[color], label=label)  # fmt: skip
                floor = here[f"{g}_floor"].mean()
                ax.plot([floor, floor], [k - 0.42, k + 0.42], ":", color=figures.INK, lw=1.4)
            ax.set_yticks(range(len(names)), names, fontsize=9)
            ax.set(ylim=(len(names) - 0.4, -1.7), xlim=(0, None), xlabel="P95 (nats)")
            ax.set_title(f"{WORD[g]}\n{title.replace(', ', ',' + chr(10))}", size=9)
            handles = dict(zip(*ax.get_legend_handles_labels()[::-1], strict=True))
            ax.legend(handles.values(), handles, loc="upper left", ncols=2, columnspacing=0.8,
                      handletextpad=0.2, fontsize=8.5)  # fmt: skip
            panels.append(panel)
        return panels


def _gaps(every: pd.DataFrame, method: str) -> pd.DataFrame:
    """Rows of one form with the distances of their scores from the pretrained models' (gap_G)."""
    rows = every[(every.method == method) & (every.batchnorm == "train")].copy()
    start = every[every.method == "nothing"].set_index("forget_set").reindex(rows.forget_set)
    for g in GROUPS:
        rows[f"gap_{g}"] = rows[g] - start[g].to_numpy()
    return rows


def distances(every: pd.DataFrame) -> pd.DataFrame:
    """Largest distance of each form from the pretrained models, over sets and stopping times, with the set."""
    rows = []
    for method, (label, *_) in list(FORMS.items())[1:]:
        gaps = _gaps(every, method)
        if gaps.empty:
            rows.append({"SCRUB": label, "runs": "not run"})
            continue
        row = {"SCRUB": label, "runs": str(len(gaps))}
        for g in GROUPS:
            r = gaps.loc[gaps[f"gap_{g}"].abs().idxmax()]
            row[WORD[g]] = f"{r[f'gap_{g}']:+.2f} on {r.forget_set}: {scored(r, g)}"
        lost = 100 * (gaps.retain_oracle_accuracy - gaps.retain_accuracy)
        count = gaps.outcome.value_counts()
        row["retain accuracy lost, most"] = f"{lost.max():.1f} points"
        rows.append(row | {"outcomes": ", ".join(f"{n} {word}" for word, n in count.items())})
    return pd.DataFrame(rows).fillna("–")


def told(every: pd.DataFrame) -> str:
    """The evidence of the verdict in one sentence."""
    runs = _gaps(every, "scrub_published")
    if runs.empty:
        return "no record at this scale"
    far = {g: runs[f"gap_{g}"].abs().max() for g in GROUPS}
    return (
        f"SCRUB as published trains nothing; its {len(runs)} runs end at most {far['forget']:.2f} (forget), "
        f"{far['val']:.2f} (validation) and {far['retain']:.2f} nats (retain) from the pretrained models, with "
        f"{runs.q.min():.0%} to {runs.q.max():.0%} of the gap left; {int(runs.intact.eq(False).fillna(False).sum())} are "
        f"not intact, on {', '.join(dict.fromkeys(runs[runs.intact.eq(False).fillna(False)].forget_set)) or 'no set'}"
    )


def apart(every: pd.DataFrame) -> dict[str, float | int | str]:
    """How far the two forms are from each other at most; how far GDA at a tiny step size is from SCRUB as published."""
    same = ["forget_set", "epoch", "ascent_epochs"]
    silent, fixed = (every[every.method == m] for m in ("scrub_published", "scrub"))
    tiny = every[(every.method == "gda") & (every.lr <= TINY)]
    forms_gap, twin = (
        silent.merge(other, on=same, suffixes=("", "_other")) for other in (fixed, tiny)
    )

    def gap(pairs: pd.DataFrame) -> float:
        return float(np.max([(pairs[g] - pairs[f"{g}_other"]).abs().max() for g in GROUPS]))

    doubtful = every[(every.method == "nothing") & ~every.intact.fillna(False).astype(bool)]
    return {
        "forms_apart": gap(forms_gap), "twins": len(twin), "twin_gap": gap(twin),
        "doubtful": ", ".join(doubtful.forget_set) or "none",
    }  # fmt: skip


def gains(every: pd.DataFrame) -> pd.DataFrame:
    """GDA beside fine-tuning on R with the same step size and stopping time: what the ascent changes, per forget set.

    ± half the 95% interval of the difference if the two were independent; they start from the same models, so it is too
    wide.
    """
    pairs = _gained(every)
    rows = [
        {
            "forget set": r.forget_set, "step size, epoch": f"{sci(r.lr)}, {r.epoch:.0f}",
            "ascents": int(r.ascent_epochs), "pretrained": f"{r.start:.2f}",
            "fine-tuning": f"{r.forget_tuned:.2f}", "GDA": scored(r, "forget"),
            "gain": f"{r.gain:+.2f} ± {r.error:.2f}",
            "retain, validation: fine-tuning": f"{r.retain_tuned:.2f}, {r.val_tuned:.2f}",
            "GDA ": f"{r.retain:.2f}, {r.val:.2f}", "outcome": r.outcome,
        }
        for _, r in pairs.iterrows()
    ]  # fmt: skip
    return pd.DataFrame(rows or [{"forget set": "not run"}])


def _gained(every: pd.DataFrame) -> pd.DataFrame:
    tuned, climbed = (every[every.method == m] for m in ("finetune", "gda"))
    pairs = climbed.merge(tuned, on=["forget_set", "lr", "epoch"], suffixes=("", "_tuned"))
    starts = every[every.method == "nothing"].set_index("forget_set").forget
    half = [(pairs[f"forget_high{end}"] - pairs[f"forget_low{end}"]) / 2 for end in ("", "_tuned")]
    return pairs.assign(
        start=starts.reindex(pairs.forget_set).to_numpy(),
        gain=pairs.forget_tuned - pairs.forget,
        error=np.hypot(*half),
    )


def gained_told(every: pd.DataFrame) -> dict[str, int | str]:
    """On how many of the pairs the gain exceeds its interval, and where."""
    pairs = _gained(every)
    clear = pairs[pairs.gain.abs() > pairs.error]
    return {"pairs": len(pairs), "clear": len(clear),
            "clear_sets": ", ".join(dict.fromkeys(clear.forget_set)) or "none"}  # fmt: skip


# --- live ------------------------------------------------------------------------------------------------------------

LOOKS = {"fine-tuning": ("D", ":"), "GDA": ("s", "-"), "SCRUB, fixed": ("^", "--")}


def adds(frame: pd.DataFrame, rates: list[float]) -> list[Figure]:
    """Methods that train on R, by step size: left forget P95, right lost retain accuracy, against epochs.

    frame: `own_runs.table` whose methods are "GDA 0.1", …; the start is drawn at epoch 0.
    """
    start = frame[frame.method == "nothing"].iloc[0]
    lost = 100 * (frame.retain_oracle_accuracy - frame.retain_accuracy)
    frame, colors = frame.assign(lost=lost), maps.shades(sorted(rates))
    with figures.style():
        panels = []
        for column, label in (("forget", "forget P95 (nats)"), ("lost", "retain accuracy lost (points)")):
            panel, ax = figures.panel(width=5.2, height=3.8)
            before = frame[frame.method == "nothing"].iloc[0][column]
            for rate in sorted(rates):
                for method, (marker, style) in LOOKS.items():
                    path = frame[frame.method == f"{method} {rate:g}"]
                    ax.plot([0, *path.epoch], [before, *path[column]], style, marker=marker, ms=5, lw=1.4,
                            color=colors[rate], mec=figures.INK, mew=0.4, label=f"{method} {rate:g}")  # fmt: skip
            ax.set(xlabel="epochs", ylabel=label)
            panels.append(panel)
        ax = panels[0].axes[0]
        ax.axhline(start.forget_floor, color=figures.COLORS["neutral"], ls="--", lw=1)
        ax.set(ylim=(0, 16))
        ax.set_yticks(range(0, 12, 2))
        ax.legend(loc="upper left", ncols=len(rates), fontsize=8, columnspacing=0.8, handlelength=2)
        limit = 100 * criteria.DEFAULT.retain_points
        panels[1].axes[0].axhline(limit, color=figures.COLORS["accent"], ls=":", lw=1.2)
    return panels


def adds_told(frame: pd.DataFrame, rate: float) -> dict[str, float | int]:
    """Forget score of each method at one step size and the last epoch; how many runs of each kind are intact and half."""
    last = frame[frame.epoch == frame.epoch.max()].set_index("method").forget
    told = {"start": frame[frame.method == "nothing"].forget.iloc[0], "epochs": int(frame.epoch.max()), "live_rate": rate}
    for key, method in zip(("tuned", "gda", "fixed"), LOOKS, strict=True):
        rows = frame[frame.method.str.startswith(method)]
        told |= {key: last[f"{method} {rate:g}"], f"{key}_both": int(rows.both.fillna(False).sum()),
                 f"{key}_of": len(rows), f"{key}_q": rows.q.min()}  # fmt: skip
    return told
