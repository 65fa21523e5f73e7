"""The picture of the page on choices: every check under every choice."""

import pandas as pd
from matplotlib.figure import Figure

from unlearning.page import choices, figures

LOOKS = {True: ("oracle", "✓"), False: ("ascent", "✗"), None: ("neutral", "○")}


def index(table: pd.DataFrame) -> Figure:
    """`choices.answers` as marks; framed where a choice turns an answer round, dotted where it opens or closes it."""
    turned = choices.flips(table)
    with figures.style():
        panel, ax = figures.panel(width=5.2, height=0.9 + 0.34 * len(table))
        for row, name in enumerate(table.index):
            ax.text(-0.2, -row, name, ha="right", va="center", fontsize=9.5)
            for column, check in enumerate(table.columns):
                color, mark = LOOKS[table.loc[name, check]]
                edge = {0: "none", 1: figures.INK, 2: figures.INK}[turned.loc[name, check]]
                style = ":" if turned.loc[name, check] == 1 else "-"
                box = figures.plt.Rectangle((column, -row - 0.4), 0.9, 0.8, ls=style, lw=1.6,
                                            fc=figures.COLORS[color] + "55", ec=edge)  # fmt: skip
                ax.add_patch(box)
                ax.text(column + 0.45, -row, mark, ha="center", va="center", fontsize=11)
        for column, check in enumerate(table.columns):
            ax.text(column + 0.45, 0.75, check, ha="center", fontsize=9.5)
        ax.set(xlim=(-5.6, len(table.columns)), ylim=(-len(table) + 0.4, 1.3))
        ax.axis("off")
    return panel


def words(table: pd.DataFrame) -> pd.DataFrame:
    """One row per choice: the checks that it turns round, and those that it opens or closes."""
    turned = choices.flips(table)
    rows = []
    for name in table.index[1:]:
        of = {d: [c for c in table if turned.loc[name, c] == d] for d in (1, 2)}
        rows.append((name, ", ".join(of[2]) or "none", ", ".join(of[1]) or "none"))
    return pd.DataFrame(rows, columns=["choice", "turns round", "opens or closes"])
