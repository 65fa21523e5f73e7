"""Pictures of the chapter "One dimension"."""

from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from unlearning.page import figures
from unlearning.page.figures import COLORS
from unlearning.theory import one_dimension
from unlearning.theory.one_dimension import OneCoordinate

REGIME_COLORS = (COLORS["retain"], COLORS["forget"], COLORS["ascent"])


def lambert() -> tuple[Figure, Figure]:
    """The curve w·e^w with three levels, and the same curve read from the other axis: the two branches of W."""
    w = np.linspace(-4.5, 1.05, 500)
    lower, principal = w <= -1, w >= -1
    levels = [(0.8, "z = 0.8: one solution"), (-0.2, "z = −0.2: two"), (-0.6, "z = −0.6: none")]
    with figures.style():
        left, ax = figures.panel()
        ax.plot(w[principal], (w * np.exp(w))[principal], color=COLORS["pretrained"])
        ax.plot(w[lower], (w * np.exp(w))[lower], "--", color=COLORS["ascent"])
        for z, words in levels:
            ax.axhline(z, ls=":", color=COLORS["neutral"], lw=1.4)
            ax.text(-4.5, z - 0.04, words, fontsize=9.5, va="top")
        ax.plot(-1, -np.exp(-1), "o", color=figures.INK, ms=5)
        arrow = {"arrowstyle": "-", "color": figures.INK, "lw": 0.8}
        place = {"fontsize": 9.5, "va": "center", "arrowprops": arrow}
        ax.annotate("lowest point\n$(-1, -1/e)$", (-1, -np.exp(-1)), (-2.2, -0.95), **place)
        ax.set(xlabel="$w$", ylabel="$w\\,e^w$", ylim=(-1.2, 1.5))
        right, ax = figures.panel()
        names = {"color": COLORS["pretrained"], "label": "$W_0$"}
        ax.plot((w * np.exp(w))[principal], w[principal], **names)
        names = {"color": COLORS["ascent"], "label": "$W_{-1}$"}
        ax.plot((w * np.exp(w))[lower], w[lower], "--", **names)
        ax.axvline(-np.exp(-1), ls=":", color=COLORS["neutral"])
        ax.text(-np.exp(-1) + 0.03, 0.9, "$z = -1/e$", fontsize=9.5, va="top")
        ax.set(xlabel="$z$", ylabel="$W(z)$", xlim=(-0.6, 1.5))
        ax.legend(loc="lower right")
    return left, right


def _ends(base: OneCoordinate) -> list[float]:
    """Borders of the three regimes within what fits: |F|/|R|, the last α, and the right end of the pictures."""
    last, most = float(one_dimension.last_alpha(base)), float(base.n_forget / base.r)
    high = float(base.n_forget / base.n_retain)
    right = max(min(most, 1.3 * last), high)
    return [high, min(last, right), right]


def _shade(ax, start: float, base: OneCoordinate) -> None:
    """Shade the regimes from α = start on, number them, and mark Lemma 3's range by a bar at the bottom."""
    edges = [start, *_ends(base)]
    across = ax.get_xaxis_transform()
    log = ax.get_xscale() == "log"
    for low, high, color, name in zip(edges, edges[1:], REGIME_COLORS, ("I", "II", "III"), strict=False):
        if high <= low:
            continue  # a regime that no number of forget samples reaches
        ax.axvspan(low, high, color=color, alpha=0.13, lw=0)
        middle = np.sqrt(low * high) if log else (low + high) / 2
        ax.text(middle, 0.97, name, transform=across, ha="center", va="top", fontsize=10)
    low, high = (float(end) for end in one_dimension.lemma3_range(base))
    ax.plot([low, high], [0.04] * 2, color=figures.INK, lw=4, solid_capstyle="butt", transform=across)
    middle = np.sqrt(low * high) if log else (low + high) / 2
    ax.text(middle, 0.07, "Lemma 3", transform=across, ha="center", va="bottom", fontsize=9.5)


def regimes(base: OneCoordinate) -> tuple[Figure, Figure]:
    """The three solutions against α, and the distances of pretrained model and DA from the oracle (log-log)."""
    right_end, low = _ends(base)[-1], float(one_dimension.lemma3_range(base)[0])
    curve = replace(base, alpha=np.linspace(0, right_end, 801))
    some = replace(base, alpha=np.geomspace(low / 10, right_end, 1601))
    w_r = one_dimension.stationary(base, "R")
    with figures.style():
        left, ax = figures.panel()
        _shade(ax, 0, base)
        ax.axhline(w_r, color=COLORS["oracle"], ls="--", label="oracle $w_R$")
        w_d = one_dimension.stationary(curve, "D")
        ax.plot(curve.alpha, w_d, color=COLORS["pretrained"], label="pretrained $w_D$")
        looks = {"color": COLORS["ascent"], "lw": 2.4, "label": "DA $w_{DA}=W_0$"}
        ax.plot(curve.alpha, one_dimension.stationary(curve, "DA"), **looks)
        looks = {"color": COLORS["ascent"], "lw": 1.1, "label": "maximum $W_{-1}$"}
        ax.plot(curve.alpha, one_dimension.stationary(curve, "DA", -1), "--", **looks)
        limits = {"xlim": (0, right_end), "ylim": (-3.4, max(w_d.max(), w_r) + 1.0)}
        ax.set(xlabel="α (forget per retain sample)", ylabel="weight $w$", **limits)
        ax.legend(loc="center left", bbox_to_anchor=(0.0, 0.45))
        right, ax = figures.panel()
        ax.set(xscale="log", yscale="log")
        _shade(ax, low / 10, base)
        gaps = [np.abs(one_dimension.stationary(some, o) - w_r) for o in ("D", "DA")]
        ax.plot(some.alpha, gaps[0], color=COLORS["pretrained"], label="pretrained")
        ax.plot(some.alpha, gaps[1], color=COLORS["ascent"], lw=2.4, label="DA")
        limits = {"xlim": (low / 10, right_end), "ylim": (gaps[0][0] / 30, np.nanmax(gaps[1]) * 3)}
        ax.set(xlabel="α (forget per retain sample)", ylabel="distance to the oracle", **limits)
        ax.legend(loc="upper left", bbox_to_anchor=(0.0, 0.92))
    return left, right


def landscapes(base: OneCoordinate) -> tuple[list[Figure], list[str]]:
    """L_DA for growing α, one picture per stop, and a label for each: α and its regime."""
    high, last, right_end = _ends(base)
    stops = np.concatenate([
        np.array([0.0, 0.25, 0.5, 0.75, 1.0]) * high,
        high + np.array([0.25, 0.5, 0.75, 1.0]) * (last - high),
        last + np.array([0.5, 1.0]) * (right_end - last),
    ])  # fmt: skip
    problems = [replace(base, alpha=float(alpha)) for alpha in np.unique(stops)]
    w_r = one_dimension.stationary(base, "R")
    top = max(w_r, max(one_dimension.stationary(p, "D") for p in problems))
    w = np.linspace(-3.2, top + 0.8, 400)

    def height(problem, x):
        return (one_dimension.loss(problem, x, "DA") - one_dimension.loss(problem, 0.0, "DA")) / base.lam

    seen = [height(problem, w) for problem in problems]
    depth = max(1.0, -min(values[w > -1].min() for values in seen))
    pictures = []
    for problem, values in zip(problems, seen, strict=False):
        with figures.style():
            picture, ax = figures.panel(5.2, 3.3)
            ax.plot(w, np.where(np.abs(values) < 4 * depth, values, np.nan), color=COLORS["ascent"])
            start = one_dimension.stationary(problem, "D")
            ax.axvline(start, color=COLORS["pretrained"], label="pretrained")
            ax.axvline(w_r, color=COLORS["oracle"], ls="--", label="oracle")
            for branch, marker, name in ((0, "o", "minimum"), (-1, "X", "maximum")):
                x = one_dimension.stationary(problem, "DA", branch)
                look = {"color": figures.INK, "ms": 7, "ls": "none", "label": name}
                ax.plot(x, height(problem, x), marker, **look)
            names = {"xlabel": "$w$", "ylabel": "$(L_{DA}(w)-L_{DA}(0))/\\lambda$"}
            ax.set(**names, ylim=(-1.5 * depth, 2 * depth), xlim=(w[0], w[-1]))
            above = {"bbox_to_anchor": (0.45, 1.0), "ncols": 4, "handlelength": 1.5}
            ax.legend(loc="lower center", columnspacing=1.2, **above)
        pictures.append(picture)
    kinds = [one_dimension.REGIMES[one_dimension.regime(problem)] for problem in problems]
    return pictures, [f"{p.alpha:.4f}: {kind}" for p, kind in zip(problems, kinds, strict=False)]


def minimisers(check: pd.DataFrame) -> pd.DataFrame:
    """The closed forms, and how far two independent minimisers end from them."""
    told = check.assign(**{c: check[c].map("{:.0e}".format) for c in ("Newton", "descent")})
    return told.rename(columns={"Newton": "Newton minus it", "descent": "descent minus it"})


def orders(order: dict[str, tuple[str, np.ndarray]], where: np.ndarray) -> pd.DataFrame:
    """For each place of α (a key of order, a value of where): the order it should give, problems there, violations."""
    return pd.DataFrame(
        [
            (f"{place} the range", text, int(sum(where == place)), int(sum(~holds[where == place])))
            for place, (text, holds) in order.items()
        ],
        columns=["α", "order", "problems", "violations"],
    )
