"""Pictures and tables of the chapter on the protocol of the run `desk`: what was asked beforehand, and what was answered."""

import html
import re
from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from unlearning.experiment import presets, results
from unlearning.experiment.presets import Preset
from unlearning.methods import Config
from unlearning.page import criteria, figures, hypotheses, maps
from unlearning.page.hypotheses import Decision

ANSWERS = {True: "holds", False: "refuted", None: "open"}
LOOKED_AT = {  # methods of the records behind an answer; GA where nothing is said
    "G2": ("nothing",), "G4": ("nothing",), "H1": ("ga", "gda"),
    "H6-set-1": ("gda",), "H6-set-7": ("gda",), "H6-set-5": ("gda",),
}  # fmt: skip
ELSEWHERE = {"G1": "from a run of its own", "G3": "from packed margins"}  # no records of desk
HALVES = {hypotheses.FIRST: "choosing", hypotheses.SECOND: "testing"}
DAMAGE = [f"{g}{end}" for g in criteria.DAMAGE for end in ("", "_reverse")]


# --- what was asked --------------------------------------------------------------------------------------------------


def words(p: dict) -> pd.DataFrame:
    """The protocol's words, as they stand there."""
    return pd.DataFrame(
        {"word": word, "meaning": " ".join(told.split())} for word, told in p["words"].items()
    )


def limits(text: str) -> pd.DataFrame:
    """The numbers of the section [criteria] with their comments. text: the protocol's file."""
    section = re.search(r"^\[criteria\]\n(.*?)(?=^\[)", text, re.M | re.S)[1]
    rows = re.findall(r"^(\w+) = ([^#\n]+?)(?: *# (.*))?$", section, re.M)
    return pd.DataFrame(rows, columns=["limit", "value", "what it limits"])


def drawn() -> Figure:
    """Who is compared with whom: the choosing half, the testing half, each with oracles of its own."""
    with figures.style():
        panel, ax = figures.panel(width=5.4, height=3)
        for x, name in ((0, "models 0-19"), (4.6, "models 20-39")):
            for y, label, color in ((2.3, "unlearned", "ascent"), (0, "oracles", "oracle")):
                box = Rectangle((x, y), 3, 1, fc=figures.COLORS[color], alpha=0.25, ec=figures.INK)
                ax.add_patch(box)
                ax.text(x + 1.5, y + 0.5, f"{label}\n{name}", ha="center", va="center", size=10)
            ax.add_patch(_arrow((x + 1.5, 1.05), (x + 1.5, 2.25), "<->"))
            ax.text(x + 1.65, 1.65, "oq5", va="center", size=10)
        ax.add_patch(_arrow((3.1, 2.8), (4.5, 2.8), "->"))
        ax.text(3.8, 2.95, "one cell", ha="center", va="bottom", size=10)
        for x, told in ((1.5, "every cell is tried:\nthe best is chosen"),
                        (6.1, "this cell and its neighbours\nare reported")):  # fmt: skip
            ax.text(x, 3.5, told, ha="center", va="bottom", size=10)
        ax.set(xlim=(-0.2, 8.0), ylim=(-0.2, 4.5))
        ax.axis("off")
    return panel


def _arrow(start: tuple[float, float], end: tuple[float, float], style: str) -> FancyArrowPatch:
    return FancyArrowPatch(start, end, arrowstyle=style, mutation_scale=14, color=figures.INK)


def best_of(reported: np.ndarray, tested: np.ndarray, left: float) -> Figure:
    """The share left by the best of a grid, on the models that chose it and on others; both (worlds,). left: the truth."""
    bins = np.linspace(min(reported.min(), left), max(tested.max(), left), 50)
    with figures.style():
        panel, ax = figures.panel(width=5)
        for values, label, color in ((reported, "on the models that chose it", "ascent"),
                                     (tested, "on other models", "pretrained")):  # fmt: skip
            ax.hist(values, bins, color=figures.COLORS[color], alpha=0.6, lw=0, label=label)
        ax.axvline(left, color=figures.INK, lw=1.2)
        ax.axvline(criteria.DEFAULT.partial, color=figures.COLORS["accent"], ls=":", lw=1.5)
        ax.set(xlabel="share of the gap left by the best cell", ylabel="worlds", yticks=[])
        ax.set_ylim(0, 1.3 * ax.get_ylim()[1])
        ax.legend(loc="upper left")
    return panel


def steps(ps: dict[str, float], alpha: float) -> Figure:
    """Holm's steps: p-values in order, the limit that each of them meets, and which statements are kept."""
    kept, ranked = hypotheses.holm(ps, alpha), sorted(ps, key=ps.get)
    bounds = [alpha / (len(ranked) - k) for k in range(len(ranked))]
    with figures.style():
        panel, ax = figures.panel(width=5)
        at = np.arange(len(ranked))
        ax.step([-0.5, *(at + 0.5)], [bounds[0], *bounds], color=figures.COLORS["accent"],
                ls=":", label="limit of this step")  # fmt: skip
        for told, mark, color in ((True, "o", "oracle"), (False, "X", "ascent")):
            here = [k for k, name in enumerate(ranked) if kept[name] is told]
            ax.plot(here, [ps[ranked[k]] for k in here], mark, ms=9, ls="", mec=figures.INK, mew=0.5,
                    color=figures.COLORS[color], label="holds" if told else "not shown")  # fmt: skip
        ax.set(yscale="log", xticks=at, xticklabels=ranked, ylabel="p")
        ax.set_ylim(min(*ps.values(), bounds[0]) / 3, 3 * max(*ps.values(), alpha))
        ax.legend(loc="upper left", fontsize=9)
    return panel


# --- what was answered -----------------------------------------------------------------------------------------------


def asked(name: str, p: dict) -> tuple[str, str]:
    """(statement, what refutes it) of a gate or hypothesis, by its name in `hypotheses.DECIDE`."""
    if name in p["gates"]:
        return p["gates"][name], ""
    entry = p[_entry(name)]
    return entry["statement"], entry.get("refuted_by", "")


def _entry(name: str) -> str:
    """Name of an entry of the protocol: H6 for H6-set-1."""
    return name.partition("-")[0]


def used(name: str, found: list[dict], p: dict) -> list[dict]:
    """The records on a question's forget sets with a method that it asks about."""
    entry = p.get(_entry(name), {})
    sets = [*entry.get("sets", []), *(s for pair in entry.get("pairs", []) for s in pair)]
    if name.startswith("H6-"):
        sets = [f"published-{name.rpartition('-')[2]}"]
    if name == "G2":
        sets = ["published-1"]
    methods = LOOKED_AT.get(name, ("ga",))
    return [
        r for r in found if r["method"] in methods and (r["forget_set"] in sets or name == "G4")
    ]


def behind(records: list[dict]) -> str:
    """How many models stand behind an answer, and the day of the latest record."""
    most: dict[str, int] = {}
    for r in records:
        most[r["forget_set"]] = max(most.get(r["forget_set"], 0), r["models"])
    if not most:
        return "no record"
    by = [
        f"{n} models (set {', '.join(s.rpartition('-')[2] for s in sorted(most) if most[s] == n)})"
        for n in sorted(set(most.values()), reverse=True)
    ]
    return f"{', '.join(by)}; data of {latest(records)}"


def latest(records: list[dict]) -> str:
    """Date and time (UTC) of the newest record, to the minute."""
    days = [r["provenance"]["recorded"] for r in records if "recorded" in r["provenance"]]
    return max(days)[:16].replace("T", " ") if days else "unknown date"


def answers(found: list[dict], p: dict, decided: dict[str, Decision]) -> pd.DataFrame:
    """One row for each gate and hypothesis, cells in HTML: what is asked, the answer, what is behind it."""
    rows = []
    for name, one in decided.items():
        statement, against = (html.escape(" ".join(text.split())) for text in asked(name, p))
        against = f"<br><em>Refuted by:</em> {against}" if against else ""
        data = ELSEWHERE.get(name) or behind(used(name, found, p))
        p_value = f"; one-sided p {one.p:.2g}" if one.p is not None else ""
        title = f"<strong>{name.replace('-set-', ', set ')}.</strong>"
        rows.append(
            {
                f"asked on {p['written']}": f"{title} {statement}{against}",
                "answer": f"<strong>{ANSWERS[one.answer]}</strong><br>{html.escape(one.told)}{p_value}<br>"
                f"<em>{data}</em>",
            }
        )
    return pd.DataFrame(rows)


def paths(tables: dict[int, pd.DataFrame], name: str, p: dict) -> list[Figure]:
    """GA's paths on one forget set, a panel for each half that is there: share of the gap left, worst damage in limits.

    tables: `hypotheses.halves`. Full marks are intact, crosses break, hollow ones are open; circled: the cell chosen.
    """
    with figures.style():
        panels = []
        best = None
        for first, half in HALVES.items():
            cells = hypotheses.ga_cells(tables[first], name) if first in tables else pd.DataFrame()
            title = f"{name}, {half} models"
            if cells.empty:
                panels.append(maps.absent(f"{title}: not run", height=0.9))
                continue
            if first == hypotheses.FIRST:
                whole = cells[cells.intact.fillna(False)]
                best = whole.loc[whole.q.idxmin()] if len(whole) else None
            table = tables[first]
            start = table[(table.forget_set == name) & (table.method == "nothing")].iloc[0]
            panel, ax = figures.panel(height=3.9)
            _walk(ax, cells, start)
            if best is not None and (cell := hypotheses.same_cell(table, best)) is not None:
                ax.plot(cell.q, cell[DAMAGE].max(), "o", ms=15, mfc="none", mec=figures.INK, mew=1.3)
            ax.axvline(p["criteria"]["partial"], color=figures.COLORS["accent"], ls=":", lw=1.2)
            ax.axhline(1, color=figures.COLORS["accent"], ls=":", lw=1.2)
            ax.set(xlabel=maps.UNITS["oq5"].forget, ylabel="worst damage (1: the limit)", title=title)
            panels.append(panel)
    return panels


def _walk(ax, cells: pd.DataFrame, start: pd.Series) -> None:
    """One line for each step size from doing nothing on, its epochs marked by what they did to the model."""
    for rate, color in maps.shades(sorted(cells.lr.unique())).items():
        path = cells[cells.lr == rate].sort_values("epoch")
        x, y = [start.q, *path.q], [start[DAMAGE].max(), *path[DAMAGE].max(axis=1)]
        ax.plot(x, y, lw=1.2, color=color, label=f"{rate:g}")
        broken, whole = path.intact.eq(False).fillna(False), path.intact.fillna(False)
        for mark, rows, face in (("o", path[whole], color), ("X", path[broken], color),
                                 ("o", path[~broken & ~whole], "none")):  # fmt: skip
            ax.plot(rows.q, rows[DAMAGE].max(axis=1), mark, ms=6, ls="", mfc=face, mec=color, mew=1)
    ax.plot(start.q, start[DAMAGE].max(), "o", ms=10, mfc="none", mec=figures.COLORS["pretrained"], mew=1.8)  # fmt: skip
    ax.plot(0, 0, "*", ms=14, color=figures.COLORS["oracle"], mec=figures.INK, mew=0.4)
    ax.legend(title="step size", fontsize=8.5, title_fontsize=9)


def numbers(found: list[dict], decided: dict[str, Decision], tables: dict) -> dict[str, int | str]:
    """For the text: how many answers of each kind, how many records, their dates, errors of q."""
    hs = [one.answer for name, one in decided.items() if name[0] == "H"]
    gs = [one.answer for name, one in decided.items() if name[0] == "G"]
    times = sorted(r["provenance"].get("recorded", "") for r in found)
    cells = [t[(t.method == "ga") & (t.lr > 0)] for t in tables.values()]
    errors = pd.concat([(c.q_high - c.q_low) / (2 * 1.96) for c in cells]) if cells else []
    return {
        "records": len(found), "gates": len(gs), "gates_hold": gs.count(True), "gates_fail": gs.count(False),
        "asked": len(hs), "hold": hs.count(True), "refuted": hs.count(False), "open": hs.count(None),
        "first": times[0][:16].replace("T", " ") + " UTC" if times else "no record yet",
        "measured": f"{np.median(errors):.3f}" if len(errors) else "not run",
    }  # fmt: skip


# --- what is not yet run ---------------------------------------------------------------------------------------------


def expected(p: Preset) -> Iterator[str]:
    """`results.identity` of every record that a preset, or one stage of it, ends with."""
    head = {"dataset": p.dataset, "preset": p.name, "models": p.models}
    for name in p.forget_sets:
        for config in (Config("nothing"), *p.configs):
            told = config.parameters()
            for epoch in config.epochs:
                yield results.identity(head | {"forget_set": name, "method": told["method"], "epoch": epoch,
                                               "configuration": {k: v for k, v in told.items() if k != "method"}})  # fmt: skip
        for epoch in p.retrain_epochs:
            yield results.identity(
                head
                | {"forget_set": name, "method": "retrain", "configuration": {}, "epoch": epoch}
            )


def stages(found: list[dict], whole: Preset = presets.DESK) -> pd.DataFrame:
    """One row for each stage of the run that makes records: which are there."""
    known = {results.identity(r) for r in found}
    rows = []
    for name, p in presets.staged(whole).items():
        wanted = set(expected(p))
        if wanted:
            rows.append(
                {
                    "stage": name,
                    "sets": ", ".join(s.rpartition("-")[2] for s in p.forget_sets),
                    "methods": ", ".join(dict.fromkeys(c.method for c in p.configs))
                    or ("short retraining" if p.retrain_epochs else "doing nothing"),
                    "models": p.models,
                    "records": f"{len(wanted & known)} of {len(wanted)}",
                }
            )
    return pd.DataFrame(rows)
