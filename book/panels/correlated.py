"""Pictures of the chapter "Correlated coordinates"."""

import numpy as np
from matplotlib.figure import Figure

from unlearning.page import figures
from unlearning.page.figures import COLORS
from unlearning.theory import correlated, flow, windows
from unlearning.theory.correlated import TwoCoordinates


def _plane(problem: TwoCoordinates, center: np.ndarray, half: float, path: np.ndarray):
    """Contours of L_DA on a square around `center`, the three models and DA's path, as one panel and its axes."""
    start, target = correlated.pretrained(problem), correlated.oracle(problem)
    limit, _ = correlated.da_stationary(problem)
    side = np.linspace(-half, half, 101)
    w = np.stack(np.meshgrid(side, side), axis=-1) + center
    picture, ax = figures.panel(4.2, 3.9)
    height = correlated.loss(problem, w, "DA") / problem.lam
    lines = {"levels": 16, "cmap": figures.SEQUENTIAL, "linewidths": 0.8, "alpha": 0.7}
    ax.contour(w[..., 0], w[..., 1], height, **lines)
    ax.plot(*path.T, color=COLORS["ascent"], lw=2.2, label="descent-ascent")
    for point, mark, color, size, name in (
        (start, "s", "pretrained", 7, "pretrained"),
        (target, "*", "oracle", 13, "oracle"),
        (limit, "X", "ascent", 9, "its limit"),
    ):
        ax.plot(*point, mark, color=COLORS[color], ms=size, ls="none", label=name)
    angle = np.linspace(0, 2 * np.pi, 200)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    around = target + np.linalg.norm(start - target) * circle
    ax.plot(*around.T, ":", color=COLORS["neutral"], lw=1.6)
    box = np.array([-half, half])
    ax.set(xlabel="$w_1$", ylabel="$w_2$", aspect="equal", xlim=center[0] + box, ylim=center[1] + box)
    return picture, ax


def landscape(problem: TwoCoordinates) -> tuple[Figure, Figure]:
    """The plane of weights, whole and around the oracle, with DA's gradient flow from the pretrained model."""
    start, target = correlated.pretrained(problem), correlated.oracle(problem)
    first = np.linalg.norm(start - target)
    end = np.linalg.norm(correlated.da_stationary(problem)[0] - target)
    path = [start]
    for _ in range(800):
        longest = 0.002 + 0.05 * np.linalg.norm(path[-1] - start)
        path.append(flow.flow_step(problem, path[-1], "DA", longest=longest))
    reach = max(2 * first, 1.4 * np.nan_to_num(end, nan=1.0))
    with figures.style():
        whole, ax = _plane(problem, target, reach, np.array(path))
        ax.legend(loc="upper left", bbox_to_anchor=(0.0, 1.0), labelspacing=0.3)
        close, _ = _plane(problem, target, 2.2 * first, np.array(path))
    return whole, close


def figure4(families: dict[float, TwoCoordinates], title: str) -> Figure:
    """The paper's Fig. 4 for one ridge: α in units of |F|/|R| against ε, a band per forget fraction.

    Dark: with α_x, as Lemma 10 is stated; pale: without it.
    """
    with figures.style():
        picture, ax = figures.panel(4.4, 3.5)
        first = 1.0
        for (share, family), color in zip(families.items(), figures.CYCLE * 3, strict=False):
            unit, epsilon = family.n_forget / family.n_retain, family.epsilon
            for with_x, look in ((False, {"alpha": 0.22}), (True, {"alpha": 0.6})):
                low, high = (end / unit for end in windows.paper_window(family, with_x))
                is_open = low < high
                ax.fill_between(epsilon, low, high, where=is_open, color=color, lw=0, **look)
                if not with_x and is_open.any():
                    for end, dash in ((low, "-"), (high, "--")):
                        ax.plot(epsilon, np.where(is_open, end, np.nan), dash, color=color, lw=1.4)
                    at = np.flatnonzero(is_open)[0]
                    first = min(first, epsilon[at])
                    ax.text(epsilon[at] - 0.01, low[at], f"{share:g}", ha="right", va="center", fontsize=10)
        limits = {"xlim": (max(0, min(first, 0.9) - 0.12), 1), "ylim": (None, 1.02)}
        ax.set(xlabel="overlap ε", ylabel="α ÷ (|F|/|R|)", title=title, **limits)
    return picture


def lemma_ranges(problem: TwoCoordinates) -> dict[str, tuple[float, float]]:
    """What each lemma allows at the problem's ε and λ: name -> (low, high) of α, empty where low >= high.

    Lemmas 7 and 12: α <= 1. Lemma 8: the α at which one of its arguments is below −1/e, so that L_DA has no stationary
    point. Lemma 9: from its lower end to 1. Lemma 10: up to min(α_x, α_y, 1). "exact": `windows.stopping_window`.
    """
    p = problem
    room = np.exp(-1) / p.c
    least = min((p.square + room) / (2 * p.epsilon), (2 * p.epsilon + room) / p.square)
    low, high = windows.paper_window(p)
    return {
        "12: y ≤ x": (0.0, 1.0),
        "7: bounds on D": (0.0, 1.0),
        "8: no limit": (float(least * p.n_forget / p.n_retain), np.inf),
        "9: DA below D": (float(low), 1.0),
        "10: D below R": (0.0, float(high)),
        "9 and 10": (float(low), float(high)),
        "exact (ours)": tuple(float(end) for end in windows.stopping_window(p)),
    }


def lemmas_in_a_row(problems: dict[str, TwoCoordinates]) -> tuple[Figure, ...]:
    """One panel per problem: a number line of α ÷ (|F|/|R|) for each of `lemma_ranges`, the exact range lowest."""
    pictures = []
    for title, problem in problems.items():
        ranges, unit = lemma_ranges(problem), problem.n_forget / problem.n_retain
        with figures.style():
            picture, ax = figures.panel(4.4, 3.4)
            for place, (name, ends) in enumerate(ranges.items()):
                ours = name.startswith("exact")
                color = COLORS["forget" if ours else "oracle" if name == "9 and 10" else "retain"]
                ax.axhline(place, color=COLORS["neutral"], lw=0.8)
                low, high = (end / unit for end in ends)
                if low < min(high, 1.5):
                    shown = [low, min(high, 1.5)]
                    ax.plot(shown, [place, place], color=color, lw=7, solid_capstyle="butt")
                elif low < high:
                    ax.text(1.47, place - 0.12, f"from {low:.2g} →", color=color, fontsize=10, ha="right")
                else:
                    ax.text(0.03, place - 0.12, "empty", color=color, fontsize=10)
            ax.set(xlabel="α ÷ (|F|/|R|)", title=title, xlim=(0, 1.5), ylim=(len(ranges) - 0.5, -0.5))
            ax.set_yticks(range(len(ranges)), list(ranges))
        pictures.append(picture)
    return tuple(pictures)


def merging(gap: np.ndarray, sums: np.ndarray, limits: np.ndarray) -> Figure:
    """App. J: w1 + w2 of the three models (3, n) against 1 − ε, and their limits (3,)."""
    with figures.style():
        only, ax = figures.panel(5.2, 3.4)
        looks = (("pretrained", "-"), ("oracle", "--"), ("ascent", "-."))
        names = ("pretrained", "oracle", "descent-ascent")
        for value, limit, (color, dash), name in zip(sums, limits, looks, names, strict=True):
            ax.plot(gap, value, dash, color=COLORS[color], label=name, lw=2.2)
            ax.axhline(limit, ls=":", color=COLORS[color], lw=1.3)
        ax.set(xlabel="1 − ε", ylabel="$w_1 + w_2$", xscale="log")
        ax.invert_xaxis()
        ax.legend(loc="center right")
    return only
