"""Pictures of the first page: one forgotten image's margins, the path of gradient ascent, the verdicts at a glance."""

import numpy as np
from matplotlib.figure import Figure

from unlearning.page import figures
from unlearning.page.ledger import Verdict

LOOKS = {  # of a verdict's word: colour and mark
    "reproduced": ("oracle", "✓"),
    "agrees": ("oracle", "✓"),
    "contradicted": ("ascent", "✗"),
    "disagrees": ("ascent", "✗"),
    "cannot decide": ("forget", "○"),
    "not run": ("neutral", ""),
}


def histograms(on_f: dict[str, np.ndarray], point: int) -> Figure:
    """Margins of one image over the models of each kind; on_f: kind -> (models, images)."""
    with figures.style():
        panel, ax = figures.panel()
        both = np.concatenate([values[:, point] for values in on_f.values()])
        bins = np.linspace(both.min(), both.max(), 22)
        for kind, values in on_f.items():
            color = figures.COLORS[kind]
            ax.hist(values[:, point], bins, color=color, alpha=0.25, lw=0)
            ax.hist(values[:, point], bins, histtype="step", color=color, lw=1.8, label=kind)
        ax.set(xlabel="margin of one forgotten image", ylabel="models")
        ax.legend(loc="upper left")
    return panel


def path(distances: np.ndarray, marked: int) -> Figure:
    """Distance to the oracles on forgotten and on test images, (steps, 2), with one step marked."""
    with figures.style():
        panel, ax = figures.panel()
        ax.axvline(marked, color=figures.COLORS["ascent"], ls=":", lw=1.2)
        ax.plot(distances[:, 0], color=figures.COLORS["forget"], label="forgotten images")
        ax.plot(distances[:, 1], "--", color=figures.COLORS["neutral"], label="test images")
        ax.set(xlabel="steps of gradient ascent", ylabel="distance to the oracles", ylim=(0, None))
        ax.legend(loc="upper left")
    return panel


def verdict_strip(found: dict[str, Verdict]) -> Figure:
    """Two rows of marks, one column for each claim: at the paper's own scale, and here."""
    with figures.style():
        strip, ax = figures.panel(width=6.6, height=2.0)
        for i, (claim, verdict) in enumerate(found.items()):
            ax.text(i + 0.45, 1.15, claim, ha="center", fontsize=9.5)
            for row, word in ((0, verdict.paper), (-1, verdict.here)):
                color, mark = LOOKS[word]
                box = figures.plt.Rectangle((i, row), 0.9, 0.86, color=figures.COLORS[color], lw=0)
                box.set_alpha(0.9 if mark else 0.25)
                ax.add_patch(box)
                ax.text(i + 0.45, row + 0.43, mark, ha="center", va="center", fontsize=12)
        ax.text(-0.15, 0.43, "paper's scale", ha="right", va="center", fontsize=9.5)
        ax.text(-0.15, -0.57, "here", ha="right", va="center", fontsize=9.5)
        key = (
            "✓ reproduced, agrees    ○ cannot decide    ✗ contradicted, disagrees    empty: not run"
        )
        ax.text(len(found) / 2 - 1, -1.7, key, ha="center", fontsize=9.5)
        ax.set(xlim=(-2.7, len(found)), ylim=(-1.9, 1.5))
        ax.axis("off")
    return strip
