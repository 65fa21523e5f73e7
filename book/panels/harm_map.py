"""Pictures of the chapter "Harm at every stopping time"."""

import numpy as np
from matplotlib import rc_context
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from panels import interactive
from unlearning.page import figures
from unlearning.page.figures import COLORS
from unlearning.theory import correlated, flow, windows
from unlearning.theory.certify import HarmMap
from unlearning.theory.correlated import TwoCoordinates
from unlearning.theory.weights import WeightsMap

PROOF_FILLS = {"harm": "#c8453b", "spared": COLORS["oracle"], "undecided": COLORS["neutral"]}
WEIGHT_FILLS = {"nearer": COLORS["oracle"], "farther": COLORS["forget"], "none": COLORS["neutral"]}


def margins_along(problem: TwoCoordinates, steps: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Both margins minus the oracle's along DA's gradient flow, start included: (x, y), each (steps + 1,)."""
    w = correlated.pretrained(problem)
    x_r, y_r = correlated.margins(problem, correlated.oracle(problem))
    path = [correlated.margins(problem, w)]
    for _ in range(steps):
        w = flow.flow_step(problem, w, "DA", longest=0.05)
        path.append(correlated.margins(problem, w))
    x, y = np.array(path).T
    return x - x_r, y - y_r


def number_lines(problems: dict[str, TwoCoordinates]) -> tuple[Figure, ...]:
    """Both margins on a number line that moves along the flow, one panel per problem; 0 is the oracle."""
    pictures = []
    for title, problem in problems.items():
        x, y = margins_along(problem)
        with figures.style():
            picture, ax = figures.panel(4.4, 3.4)
            time = np.arange(len(x))
            for margin, color, name in (
                (x, COLORS["retain"], "retain margin x"),
                (y, COLORS["forget"], "forget margin y"),
            ):
                ax.plot(margin, time, color=color, lw=2.4, label=name)
                ax.plot(margin[0], 0, "s", color=COLORS["pretrained"], ms=7)
                ax.axvline(margin[0], color=color, ls=":", lw=1.2)
            ax.axvline(0, color=COLORS["oracle"], lw=2)
            ax.text(0.01, 0.02, "oracle", color=COLORS["oracle"], fontsize=9.5, va="bottom",
                    transform=ax.get_xaxis_transform())  # fmt: skip
            ax.set(xlabel="margin − oracle's margin", ylabel="steps along the flow", title=title)
            ax.set(xlim=(-1.0, 0.25), ylim=(160, -6))
            ax.legend(loc="lower left", bbox_to_anchor=(0.0, 0.1))
        pictures.append(picture)
    return tuple(pictures)


def paint(record: HarmMap | WeightsMap, kinds: tuple[str, ...] = ("harm", "spared")) -> np.ndarray:
    """The boxes on a grid of the finest ones, the number of their kind, or of kinds if undecided; [α, ε]."""
    n = 2**record.depth
    grid = np.full((n, n), len(kinds))
    for kind, name in enumerate(kinds):
        for level, i, j in getattr(record, name):
            size = n >> level
            grid[j * size : (j + 1) * size, i * size : (i + 1) * size] = kind
    return grid


def proved(record: HarmMap, ends: dict[str, tuple]) -> tuple[Figure, Figure]:
    """The certified map in three colours with the paper's window inside, and its key.

    ends: name -> (ε, low, high) in units of |F|/|R|; drawn as lines where low < high.
    """
    top = float(eval_fraction(record.top))
    with figures.style():
        picture, ax = figures.panel(5.2, 4.0)
        side = np.linspace(0, 1, 2**record.depth + 1)
        colors = ListedColormap(list(PROOF_FILLS.values()))
        look = {"cmap": colors, "vmin": -0.5, "vmax": 2.5, "rasterized": True, "alpha": 0.7, "lw": 0}
        ax.pcolormesh(side, top * side, paint(record), **look)
        (name, (epsilon, low, high)), *others = ends.items()
        ax.fill_between(epsilon, low, high, where=low < high, color=COLORS["accent"], lw=1)
        for _, (epsilon, low, high) in others:
            ax.plot(epsilon, np.where((low < high) & (low <= top), low, np.nan), "--", color=figures.INK, lw=1.4)
        ax.grid(False)
        ax.set(xlabel="overlap ε", ylabel="α ÷ (|F|/|R|)", xlim=(0, 1), ylim=(0, top))
        key, ax = figures.panel(5.2, 1.1)
        ax.axis("off")
        words = ("proved: harm at every time", "proved: nearer at first", "undecided")
        marks = [Patch(facecolor=color, alpha=0.7) for color in PROOF_FILLS.values()]
        marks += [Patch(facecolor=COLORS["accent"])]
        (dash,) = ax.plot([], [], "--", color=figures.INK)
        ax.legend([*marks, dash], [*words, name, *list(ends)[1:]], loc="center", ncols=2, handleheight=1.1)
    return picture, key


def proved_weights(record: WeightsMap) -> tuple[Figure, Figure]:
    """The certified map in weights: the first step's direction, and where descent-ascent ends; white is undecided."""
    questions = {
        "the first step": {"towards": ("towards the oracle", COLORS["oracle"]), "away": ("away from it", COLORS["ascent"])},
        "the limit": {
            "nearer": ("nearer than the pretrained model", WEIGHT_FILLS["nearer"]),
            "farther": ("farther", WEIGHT_FILLS["farther"]), "none": ("no limit", WEIGHT_FILLS["none"]),
        },
    }  # fmt: skip
    top, pictures = eval_fraction(record.top), []
    for title, kinds in questions.items():
        with figures.style():
            picture, ax = figures.panel(4.4, 4.4)
            side = np.linspace(0, 1, 2**record.depth + 1)
            fills = [color for _, color in kinds.values()]
            grid = np.ma.masked_equal(paint(record, tuple(kinds)), len(kinds))
            look = {"vmin": -0.5, "vmax": len(kinds) - 0.5, "rasterized": True, "alpha": 0.7, "lw": 0}
            ax.pcolormesh(side, top * side, grid, cmap=ListedColormap(fills), **look)
            ax.grid(False)
            ax.set(xlabel="overlap ε", ylabel="α ÷ (|F|/|R|)", xlim=(0, 1), ylim=(0, top), title=title)
            marks = [Patch(facecolor=color, alpha=0.7) for color in fills]
            words = [words for words, _ in kinds.values()]
            ax.legend(marks, words, loc="lower center", bbox_to_anchor=(0.5, -0.42), ncols=1)
        pictures.append(picture)
    return tuple(pictures)


def eval_fraction(words: str) -> float:
    """A rational number as certificates write it: "6/5"."""
    above, _, below = words.partition("/")
    return int(above) / int(below or 1)


def weights(problem: TwoCoordinates, answer: dict[str, np.ndarray], title: str) -> tuple[Figure, Figure]:
    """The map in weights on an (ε, α) grid: fills for the limit, hatching for the first step; and its key.

    answer: "none", "farther", "away" (bool), "cosine" (float), "window" (bool), each of the grid's shape.
    """
    x, y = problem.epsilon, problem.relative_alpha
    with figures.style():
        picture, ax = figures.panel(4.6, 3.8)
        kind = np.where(answer["none"], 2, np.where(answer["farther"], 1, 0))
        colors = ListedColormap(list(WEIGHT_FILLS.values()))
        look = {"cmap": colors, "vmin": -0.5, "vmax": 2.5, "rasterized": True, "alpha": 0.55, "lw": 0}
        ax.pcolormesh(x, y, kind, **look)
        if answer["away"].any():
            with rc_context({"hatch.color": figures.INK, "hatch.linewidth": 0.6}):
                ax.contourf(x, y, answer["cosine"], levels=[-2, 0], colors="none", hatches=["////"])
            ax.contour(x, y, answer["cosine"], levels=[0], colors=[figures.INK], linewidths=1.6)
        if answer["window"].any():
            edge = {"levels": [0.5], "colors": [COLORS["accent"]], "linewidths": 2.2}
            ax.contour(x, y, answer["window"].astype(float), **edge)
        ax.grid(False)
        ax.set(xlabel="overlap ε", ylabel="α ÷ (|F|/|R|)", title=title)
        key, ax = figures.panel(4.6, 1.15)
        ax.axis("off")
        names = ["limit nearer", "limit farther (a)", "no limit (c)", "first step away (b)", "margins: always harm"]
        marks = [Patch(facecolor=color, alpha=0.55) for color in WEIGHT_FILLS.values()]
        marks += [Patch(facecolor="none", hatch="//////", edgecolor=figures.INK, lw=0.8),
                  Patch(facecolor="none", edgecolor=COLORS["accent"], lw=2.2)]  # fmt: skip
        ax.legend(marks, names, loc="center", ncols=2, handleheight=1.1)
    return picture, key


def stopping(problem: TwoCoordinates, nearest: np.ndarray, cosine: np.ndarray) -> Figure:
    """Smallest distance in weights along the path over the first one, on an (ε, α) grid; the line is cosine = 0."""
    with figures.style():
        only, ax = figures.panel(4.8, 3.5)
        x, y = problem.epsilon, problem.relative_alpha
        look = {"cmap": figures.SEQUENTIAL, "vmin": 0, "vmax": 1, "rasterized": True, "lw": 0}
        mesh = ax.pcolormesh(x, y, nearest, **look)
        if (cosine < 0).any():  # always on the bright end of the map, so dark in either theme
            ax.contour(x, y, cosine, levels=[0], colors=["#222222"], linewidths=1.6)
        only.colorbar(mesh, ax=ax, label="smallest distance ÷ first distance")
        ax.grid(False)
        ax.set(xlabel="overlap ε", ylabel="α ÷ (|F|/|R|)")
    return only


def first_step(n_retain: float, n_forget: float, r: float, lam: float, relative: float) -> dict:
    """The live picture of the first step and both margins: arguments for `interactive.show`, but for its alt text."""
    epsilon = 0.8
    one = TwoCoordinates(n_retain, n_forget, r, relative * n_forget / n_retain, lam, epsilon)
    start, target = correlated.pretrained(one), correlated.oracle(one)
    step, way = -correlated.gradient(one, start, "DA"), target - start
    differences = dict(zip("xy", margins_along(one), strict=True))

    def place(difference):
        return float(np.clip(400 + 150 * difference, 205, 440))

    def arrow(role, direction, color):
        angle = -np.degrees(np.arctan2(direction[1], direction[0]))
        shaft = interactive.line(95, 105, 152, 105, color, 4)
        head = f'<path d="M166 105 L150 98 L150 112 Z" fill="{color}"/>'
        return f'<g data-role="{role}" transform="rotate({angle:.2f} 95 105)">{shaft}{head}</g>'

    parts = [
        interactive.text(95, 16, "in the weights"),
        f'<circle cx="95" cy="105" r="72" fill="none" stroke="{COLORS["neutral"]}"/>',
        arrow("way", way, COLORS["oracle"]),
        arrow("step", step, COLORS["ascent"]),
        f'<rect x="88" y="98" width="14" height="14" fill="{COLORS["pretrained"]}"/>',
        interactive.text(95, 198, f"cos = {flow.first_step(one):.2f}", "cosine"),
        interactive.text(322, 16, "in the margins"),
    ]
    for lane, name, y in (("x", "retain margin", 75), ("y", "forget margin", 145)):
        margin = differences[lane]
        parts += [
            interactive.text(322, y - 22, name),
            interactive.line(205, y, 440, y, "currentColor", 1),
            interactive.line(place(margin.min()), y, place(margin.max()), y, COLORS["ascent"], 6, f"trail-{lane}"),
            f'<path d="M400 {y - 11} L408 {y} L400 {y + 11} L392 {y} Z" fill="{COLORS["oracle"]}"/>',
            f'<g data-role="start-{lane}" transform="translate({place(margin[0]):.2f} 0)">'
            f'<rect x="-6" y="{y - 6}" width="12" height="12" fill="{COLORS["pretrained"]}"/></g>',
            f'<g data-role="end-{lane}" transform="translate({place(margin[-1]):.2f} 0)">'
            f'<circle cx="0" cy="{y}" r="6" fill="{COLORS["ascent"]}"/></g>',
        ]
    low, high = windows.stopping_window(one)
    harm = low <= one.alpha <= high
    words = "No stopping time brings a margin nearer" if harm else "Some margin comes nearer at first"
    parts.append(interactive.text(225, 224, words, "verdict"))
    data = {"n_retain": n_retain, "n_forget": n_forget, "r": r, "lam": lam, "relative": relative}
    return {"script": "harm_map", "svg": interactive.picture(450, 232, parts), "data": data, "name": "overlap ε",
            "start": epsilon, "low": 0, "high": 0.98, "step": 0.01, "said": f"ε = {epsilon:.2f}"}  # fmt: skip
