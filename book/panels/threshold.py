"""Pictures of the chapter "How much harm, and from where on"."""

from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from panels import interactive
from unlearning.page import figures
from unlearning.page.figures import COLORS
from unlearning.theory import one_dimension
from unlearning.theory.one_dimension import OneCoordinate


def threshold(base: OneCoordinate, ridges: list[float]) -> tuple[Figure, Figure]:
    """Distance of DA's end over the start's, against α/α*: exponential loss left, logistic loss right."""
    star = float(one_dimension.harm_threshold(base))
    most = float(base.n_forget / base.r)
    alpha = np.geomspace(star / 20, most, 1200)
    pictures = []
    for solve, title in (
        (one_dimension.stationary, "exponential loss"),
        (one_dimension.stationary_logistic, "logistic loss"),
    ):
        with figures.style():
            picture, ax = figures.panel(4.4, 3.3)
            for lam, color, dash in zip(ridges, figures.CYCLE, ("-", "--", "-.", ":"), strict=False):
                family = replace(base, alpha=alpha, lam=lam)
                d, oracle, da = (solve(family, o) for o in one_dimension.OBJECTIVES)
                with np.errstate(divide="ignore"):
                    ratio = np.abs(da - oracle) / np.abs(d - oracle)
                ax.plot(alpha / star, np.clip(ratio, 0, 300), dash, color=color, label=f"λ = {lam:g}")
            ax.axhline(1, color=figures.INK, lw=1)
            ax.axvline(1, color=COLORS["accent"], lw=1.4)
            ax.text(1.1, 0.03, "α*", color=COLORS["accent"], fontsize=11)
            limits = {"xscale": "log", "yscale": "log", "ylim": (0.02, 300)}
            ax.set(xlabel="α ÷ α*", ylabel="distance after ÷ before", title=title, **limits)
            ax.legend(loc="upper left")
        pictures.append(picture)
    return tuple(pictures)


def stability(base: OneCoordinate, parts: list[float]) -> tuple[Figure, Figure]:
    """Distance to the oracle against the ridge for α = κ|F|/|R|: pretrained model left, DA right."""
    ridges = np.geomspace(1e-12, 10, 300)
    high = float(base.n_forget / base.n_retain)
    with figures.style():
        left, ax = figures.panel()
        right, bx = figures.panel()
        for kappa, color, dash in zip(parts, figures.CYCLE, ["-", "--", "-.", "-"], strict=False):
            family = replace(base, alpha=kappa * high, lam=ridges)
            d, oracle, da = (one_dimension.stationary(family, o) for o in one_dimension.OBJECTIVES)
            bx.plot(ridges, oracle - da, dash, color=color, label=f"κ = {kappa:g}")
            if kappa < 1:
                ax.plot(ridges, np.abs(d - oracle), dash, color=color, label=f"κ = {kappa:g}")
                bound = one_dimension.lemma4_bound(replace(base, alpha=kappa * high))
                ax.axhline(bound, ls=":", color=color, lw=1.2)
                bx.axhline(-np.log1p(-kappa), ls=":", color=color, lw=1.2)
        ax.set(xlabel="ridge λ", ylabel="$|w_R - w_D|$", xscale="log", yscale="log")
        bx.set(xlabel="ridge λ", ylabel="$|w_R - w_{DA}|$", xscale="log")
        ax.invert_xaxis(), bx.invert_xaxis()
        ax.legend(loc="lower right"), bx.legend(loc="upper left")
    return left, right


def pulls(base: OneCoordinate) -> dict:
    """The live picture of the three pulls and the three weights: arguments for `interactive.show`, but for its alt text."""
    relative = 0.5
    problem = replace(base, alpha=relative * base.n_forget / base.n_retain)
    top = max(1.0, float(min(base.n_forget / base.r, 1.3 * one_dimension.last_alpha(base)) * base.n_retain / base.n_forget))
    forces = {o: float(one_dimension.pull(problem, o)) for o in one_dimension.OBJECTIVES}
    weights = {o: float(one_dimension.stationary(problem, o)) for o in one_dimension.OBJECTIVES}
    pull_scale = [-0.8 * forces["R"], 1.4 * forces["R"]]
    weight_scale = [-1.3, 1.6 * max(weights["R"], weights["D"]) + 0.3]

    def place(scale, value):
        return float(np.clip(80 + 340 * (value - scale[0]) / (scale[1] - scale[0]), 70, 430))

    colors = {"D": COLORS["pretrained"], "R": COLORS["oracle"], "DA": COLORS["ascent"]}
    names = {"D": "pretrained", "R": "oracle", "DA": "DA"}
    zero, parts = place(pull_scale, 0), [interactive.text(250, 16, "the pulls A")]
    for row, o in enumerate(one_dimension.OBJECTIVES):
        y = 38 + 22 * row
        parts.append(interactive.text(4, y + 4, names[o], anchor="start"))
        parts.append(interactive.line(zero, y, place(pull_scale, forces[o]), y, colors[o], 9, f"pull-{o}"))
    parts.append(interactive.line(zero, 26, zero, 94, "currentColor", 1))
    parts.append(interactive.text(250, 122, "the weights w"))
    guide = place(weight_scale, weights["R"])
    look = f'stroke="{colors["R"]}" stroke-width="1.5" stroke-dasharray="4 3"'
    parts.append(f'<line data-role="guide" x1="{guide:.2f}" x2="{guide:.2f}" y1="130" y2="196" {look}/>')
    shapes = {
        "D": '<rect x="-6" y="-6" width="12" height="12" fill="{}"/>',
        "R": '<path d="M0 -9 L8 0 L0 9 L-8 0 Z" fill="{}"/>',
        "DA": '<circle r="7" fill="{}"/>',
    }
    for row, o in enumerate(one_dimension.OBJECTIVES):
        x, y = place(weight_scale, weights[o]), 142 + 21 * row
        parts.append(interactive.text(4, y + 4, names[o], anchor="start"))
        shape = shapes[o].format(colors[o])
        parts.append(
            f'<g transform="translate(0 {y})"><g data-role="weight-{o}" '
            f'transform="translate({x:.2f} 0)">{shape}</g></g>'
        )
    parts.append(interactive.line(70, 200, 430, 200, "currentColor", 1))
    for tick in range(int(np.ceil(weight_scale[0])), int(weight_scale[1]) + 1):
        x = place(weight_scale, tick)
        parts += [interactive.line(x, 196, x, 204, "currentColor", 1), interactive.text(x, 220, str(tick))]
    farther = problem.alpha > one_dimension.harm_threshold(problem)
    verdict = f"Regime I: descent-ascent ends {'farther' if farther else 'nearer'}"
    parts.append(interactive.text(250, 244, verdict, "verdict"))
    data = {name: float(getattr(base, name)) for name in ("n_retain", "n_forget", "r", "lam")}
    data |= {"pull_scale": pull_scale, "weight_scale": weight_scale}
    slider = {"name": "α ÷ (|F|/|R|)", "start": relative, "low": 0, "high": round(1.1 * top, 3)}
    return {"script": "threshold", "svg": interactive.picture(450, 252, parts), "data": data,
            "step": 0.01, "said": f"α = {problem.alpha:.4f}"} | slider  # fmt: skip
