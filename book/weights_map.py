# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The same question in weights
#
# ```{admonition} At a glance
# :class: glance
# **You will see** a complete map of where descent-ascent ends nearer to the oracle's weights, farther, or nowhere, of
# where its first step is wrong already, proved box by box; and how much the perfect stopping time would help.
#
# **In the paper** Section 4, Fig. 4 asks it for margins {cite}`mavrothalassitis2025ascent`; the maps in weights are
# ours.
#
# **Runtime** about 50 s on one core.
#
# **Parameters** [listed below](weights_map-parameters): sizes of the sets, ridge, resolution of the maps.
#
# **Rerun** `unlearning run weights_map -p lam 0.1 --out runs/weights_map`
# ```
#
# ```{admonition} The paper claims
# :class: paper
# In a window of $\alpha$ descent-ascent harms, however early it is stopped. The lemmas behind it are about margins;
# nothing is claimed about the distance of the weights.
# ```

# %% [markdown]
# (weights_map-parameters)=
# ## Parameters

# %% tags=["parameters"]
n_train: int = 1000  # |D|, size of the training set (samples) [300, 100000]
r: int = 100  # retain samples on our two coordinates (samples) [1, 100]
lam: float = 0.01  # ridge coefficient λ (dimensionless) [1e-3, 1]
fraction: float = 0.1  # |F|/|D| (dimensionless) [0.01, 0.4]
ridges: list[float] = [1e-3, 1e-2, 3e-2, 0.1, 0.3]  # λ of the slider [1e-3, 1]
resolution: int = 61  # grid points per side of a map (points) [11, 401]
depth: int = 8  # smallest boxes of the certified map: 2^-depth (halvings) [4, 9]
problems: int = 6000  # random problems (problems) [2000, 100000]
seed: int = 0  # seed of the random problems [0, 1000000]

# %% [markdown]
# ## What this chapter calls
#
# Two correlated groups as [before](correlated.ipynb): directions $v = (1,\varepsilon)$ and $u = (\varepsilon,1)$,
# margins $x = w\cdot v$ and $y = w\cdot u$.
#
# | symbol | meaning |
# | --- | --- |
# | $w_D$, $w_R$, $w_{DA}$ | weights of the pretrained model, of the oracle, and where descent-ascent ends |
# | $\varepsilon$, $\alpha$ | overlap, forget samples per retain sample |
# | $f = \lvert F\rvert/\lvert D\rvert$, $a = \alpha\lvert R\rvert/\lvert F\rvert$ | forget fraction, $\alpha$ in natural units |
# | cosine | of the angle between the first step and the way to the oracle |
# | $s$, $t$, $\delta$ | $1+\varepsilon^2$, $2\varepsilon/s$, $(1-\varepsilon^2)^2/s$ |
# | $b$, $c$ | $r/(\lambda\lvert D\rvert)$, $r/(\lambda\lvert R\rvert)$ |

# %%
from fractions import Fraction

import numpy as np
import pandas as pd
from myst_nb import glue

from panels import harm_map as panels
from unlearning.files import ROOT
from unlearning.page import figures
from unlearning.page.source import show_source
from unlearning.theory import certify, correlated, flow, weights, windows
from unlearning.theory.correlated import TwoCoordinates

show_source(flow.first_step)


def problem_at(share, relative, lam, epsilon):
    """Our problem with |F| = share·|D| and α = relative·|F|/|R|."""
    n_forget = share * n_train
    alpha = relative * n_forget / (n_train - n_forget)
    return TwoCoordinates(n_train - n_forget, n_forget, r, alpha, lam, epsilon)


# %% [markdown]
# ### One first step by hand
#
# For a very large ridge all margins are near zero and all exponentials near one. Then the gradients of the mean losses
# are $g_R = -\frac{r}{|R|}v$ and $g_F = -\frac{\alpha r}{|F|}u = -a\frac{r}{|R|}u$, the way to the oracle is along
# $f\,(g_F - g_R)$ and the first step is $(1+f)\,g_F - f\,g_R$. Take $f = \tfrac1{10}$, $a = \tfrac12$,
# $\varepsilon = \tfrac12$: both directions have the squared length $\tfrac54$, their product is $1$. In units of
# $(r/|R|)^2$ the product of step and way is
# $f\big[(1+f)a^2\tfrac54 - (1+2f)a + f\tfrac54\big] = \tfrac1{10}\big[\tfrac{11}{32} - \tfrac{6}{10} + \tfrac18\big]$,
# negative: $\tfrac{11}{32} + \tfrac{4}{32} = \tfrac{15}{32} < \tfrac{6}{10}$. So the first step is wrong. At
# $\varepsilon = \tfrac14$ the squared length is $\tfrac{17}{16}$, the product $\tfrac12$, and the bracket
# $\tfrac{187}{640} - \tfrac{3}{10} + \tfrac{17}{160} > 0$: right.

# %%
for epsilon in (1 / 2, 1 / 4):
    large = TwoCoordinates(900, 100, 100, 0.5 / 9, 1e4, epsilon)
    print("ε =", epsilon, "cosine of the first step", flow.first_step(large))

# %% [markdown]
# <details><summary><b>Predict before you scroll:</b> is the region of a wrong first step in the weights the same as the
# region in which no margin ever comes nearer?</summary>No. They overlap, and neither contains the other.</details>

# %% [markdown]
# ## Three questions
#
# Margins are predictions. In the Euclidean distance of the *weights* the picture is another one. Three questions, at
# each $(\varepsilon, \alpha)$:
#
# - **(a) The limit.** Is DA's limit farther from the oracle than the pretrained model was?
# - **(b) The first step.** Does it point away, $-\nabla L_{DA}(w_D)\cdot(w_R - w_D) < 0$?
# - **(c) The end.** Is there a stationary point at all, or do the iterates run away?

# %%
def look(problem):
    """The three answers at each problem, and whether it lies in our window."""
    start, target = correlated.pretrained(problem), correlated.oracle(problem)
    end, _ = correlated.da_stationary(problem)
    low, high = windows.stopping_window(problem)
    before, after = (np.linalg.norm(w - target, axis=-1) for w in (start, end))
    cosine = flow.first_step(problem)
    window = (problem.alpha >= low) & (problem.alpha <= high)
    return {"none": np.isnan(after), "farther": after > before,
            "away": cosine < 0, "cosine": cosine, "window": window}


# %%
columns, lines = np.meshgrid(np.linspace(0.01, 0.99, resolution),
                             np.linspace(0.01, 1.2, resolution))  # fmt: skip
maps = {value: problem_at(fraction, lines, value, columns)
        for value in sorted({*ridges, lam})}
answers = {value: look(problem) for value, problem in maps.items()}
figures.table(pd.DataFrame([(
    value, *(f"{np.mean(answer[kind]):.1%}"
             for kind in ("none", "farther", "away", "window")),
    f"{np.mean(answer['farther'][~answer['none']]):.1%}",
) for value, answer in answers.items()], columns=[
    "λ", "no limit (c)", "limit farther (a)", "first step away (b)",
    "margins: always harm", "(a), if a limit"]))  # fmt: skip

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The map in weights for growing ridge λ (move the slider). Fill: descent-ascent has no limit (grey), a limit farther from the oracle than the pretrained model (orange), or a nearer one (green). Hatched: already the first step points away from the oracle. Outlined: no stopping time brings either margin nearer.", "name": "weights_map-weights"}}
pictures = [panels.weights(maps[value], answers[value], f"λ = {value:g}") for value in maps]
figures.frames(pictures, [f"{value:g}" for value in maps], name="λ", start=list(maps).index(lam), alt=(
    "Maps over overlap and relative alpha. Most of the area is either without a limit or has a limit farther than the "
    "pretrained model; a strip at small alpha is where descent-ascent helps. The hatched region of a wrong first step "
    "fills the lower right part and overlaps, but does not equal, the outlined window in margins."))

# %% [markdown]
# - **(a)** Where DA has a limit, it is nearly always the worse model. It is better in a strip at the lowest $\alpha$, across the map, under the threshold of
#   [one dimension](threshold.ipynb) that it reaches as $\varepsilon\to1$. There DA *helps*. Less overlap makes the strip thinner, not thicker.
# - **(b)** The first step is already wrong at larger overlaps.
# - **(c)** With a small ridge the largest part of the map has no limit at all, and part of both windows lies there.
#
# So the harm of the *limit* does not come from dependence: at small ridges independence makes it worse. What dependence
# adds is that stopping early stops helping.
#
# ## The map, proved
#
# A sampled map says nothing between its points. In [margins](harm_map.ipynb) the ends of the window were formulas of
# $\varepsilon$, easy to enclose. Here nothing is explicit. Three tools replace the formula, all in ball arithmetic.
#
# *One unknown for each model.* Eliminate as [before](bounds.ipynb): a stationary point with the pulls $k$ along $v$ and
# $m$ along $u$ has
#
# $$
# x = t\,y + W_0\big(k\,\delta\,e^{-t y}\big), \qquad y - 2\varepsilon\,k\,e^{-x} - s\,m\,e^{-y} = 0,
# $$ (weights_map-eq-unknown)
#
# one equation in $y$, with $k = b$, $m = b\alpha$ for $D$ and $k = c$, $m = -ca$ for DA. For $D$ it only increases. For
# DA it is positive at both ends and has two roots, one or none ([theorem](correlated.ipynb)); it increases through the
# larger one, which is the minimum.
#
# *Follow the root over a box.* At the centre a change of sign encloses it. Let $Z$ be a ball around it and $N$ the
# centre's root plus $-F_\varepsilon/F_y$ and $-F_a/F_y$, over the box and $Z$, times the box's half sides. If $F_y > 0$
# and $N$ lies inside $Z$, then on the way from the centre to any point of the box the root can never leave $N$.
#
# *Mean-value form.* A function of it all differs from its value at the centre by no more than its slopes over the box
# times the half sides. That error shrinks like the square of the box, so cutting in four helps.
#
# The signs to decide: the first step is wrong where $f\,X < (1+f)\,a\,e^{x_D-y_D}\,Y$, with $X = x_R - x_D$ and
# $Y = y_R - y_D$ (the [line](first_step.ipynb) $-\nabla L_{DA} = (1+f)\,g_F - f\,g_R$ times the way to the oracle); the
# limit is worse where $\|w_{DA}-w_R\|^2 > \|w_D-w_R\|^2$. And there is none above the largest
# $a = e^{y}\big(2\varepsilon c\,e^{-x}-y\big)/(cs)$ that {eq}`weights_map-eq-unknown` allows.

# %%
show_source(weights.forget_equation, weights.follow, weights.mean_value)
show_source(weights.first_step, weights.farther, weights.last_ratio)
exact = Fraction(str(fraction)) * n_train, Fraction(r), Fraction(str(lam))
sizes = certify.Sizes(n_train - exact[0], *exact)
live_flint = certify.available("flint")
if live_flint:
    proved = weights.prove_map(sizes, depth)
else:
    record = ROOT / "results" / "certificates" / "weights_map.json"
    proved = weights.read_map(record)
print("proved now:" if live_flint else "no python-flint here; recorded:")
print(proved.sizes, proved.made_by)
questions = {"first step": ("towards", "away"),
             "limit": ("nearer", "farther", "none")}  # fmt: skip
figures.table(pd.DataFrame([{
    "question": name, "boxes": sum(len(getattr(proved, k)) for k in kinds),
    "proved": ", ".join(f"{k} {proved.area(k):.1%}" for k in kinds),
    "undecided": f"{1 - proved.area(*kinds):.1%}",
} for name, kinds in questions.items()]))  # fmt: skip

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The certified map in weights. Left: where the first step is proved to point towards the oracle (green) or away from it. Right: where the limit is proved nearer, farther, or missing. White: undecided, a seam along the borders.", "name": "weights_map-proved"}}
figures.show(*panels.proved_weights(proved), alt=(
    "Two maps over overlap and relative alpha. Left: a wedge at large overlap is proved to have wrong first steps. "
    "Right: a thin strip at the bottom is nearer, a band above it farther, and everything above that without a limit."))

# %% [markdown]
# The check shares no code with this. It solves the definition at random points of every decided box: Newton's method for
# $D$ and $R$; for DA $Q \leftarrow c\,a\,e^{-y}$ in $w = Pv - Qu$, which climbs from zero to the minimum, or for ever. (No
# minimum has $y < -1$: at the turn $1 + y = 2\varepsilon c\,e^{-x}(1 - \mathrm dx/\mathrm dy) \ge 0$.)


# %%
def solved(e, a, R, F, r, lam):
    """step·way, |w_DA − w_R|² − |w_D − w_R|² (∞: no limit), last change."""
    s, b, c = 1 + e * e, r / lam / (R + F), r / lam / R
    x, y, p, Q = np.zeros((4, len(e)))
    for _ in range(80):  # D: x = Ps + 2εK, y = 2εP + Ks
        P, K = b * np.exp(-x), b * a * F / R * np.exp(-y)
        u, v = P * s + K * 2 * e - x, P * 2 * e + K * s - y
        det = (1 + P * s) * (1 + K * s) - P * K * 4 * e * e
        x, y = (x + ((1 + K * s) * u - K * 2 * e * v) / det,
                y + ((1 + P * s) * v - P * 2 * e * u) / det)  # fmt: skip
    for k in range(400):  # DA: sP + ln P = ln c + 2εQ, P = e^p; Q = 0 for R
        level = np.log(c) + 2 * e * Q
        p -= (s * np.exp(p) + p - level) / (s * np.exp(p) + 1)
        p = np.minimum(p, np.log(np.maximum(level / s, 1)))  # it is below
        O = np.exp(p) if k < 100 else O  # noqa: E741
        y_da = np.maximum(2 * e * np.exp(p) - s * Q, -1.1)  # a minimum: ≥ −1
        new = c * a * np.exp(-y_da) * (k >= 100)
        change, Q = np.abs(new - Q), new
    X, Y = s * O - x, 2 * e * O - y
    step = (c * np.exp(-x) - P) * X - (c * a * np.exp(-y) + K) * Y
    square = lambda M, N: s * (M * M + N * N) - 4 * e * M * N  # noqa: E731
    worse = square(O - np.exp(p), -Q) - square(O - P, K)
    return step, np.where(y_da > -1.05, worse, np.inf), change


# %%
def contradictions(record):
    """Decided boxes with a random point at which the definition differs."""
    kinds, draw = sum(questions.values(), ()), np.random.default_rng(0)
    wrong, sizes = {}, [float(Fraction(v)) for v in record.sizes.values()]
    for kind in kinds:
        level, i, j = np.reshape(getattr(record, kind), (-1, 3)).T
        at = draw.random((2, len(level)))
        e, a = (i + at[0]) / 2.0**level, (j + at[1]) / 2.0**level
        a = a * float(Fraction(record.top))
        step, worse, change = solved(e, a, *sizes)
        settled, tiny = change < 1e-12, 1e-9
        wrong[kind] = int(sum({
            "away": step > tiny, "towards": step < -tiny,
            "none": np.isfinite(worse) & settled,
            "farther": np.isinf(worse) | ((worse < -tiny) & settled),
            "nearer": np.isinf(worse) | ((worse > tiny) & settled),
        }[kind]))  # fmt: skip
    return wrong


print("contradictions:", contradictions(proved))

# %% [markdown]
# ### One rational problem
#
# That margins and weights may disagree *inside* the window is not a matter of rounding: here is a problem in whole
# numbers. Both margins only move away, and yet the first step starts towards the oracle in the weights. The balls are
# certain to a hundred bits.

# %%
show_source(certify.first_step_product)
alpha, epsilon = certify.WEIGHTS_DIFFER
whole = certify.Sizes(*(Fraction(n) for n in (900, 100, 100)), Fraction(1, 100))
print(f"|R| = 900, |F| = 100, r = 100, λ = 1/100, α = {alpha}, ε = {epsilon}")
if live_flint:
    ends = certify.window_ends(whole, certify._ball(epsilon))
    print("window / (|F|/|R|)", *(end.str(20) for end in ends),
          "α", float(alpha * 9))
    product = certify.first_step_product(whole, alpha, epsilon)
    print("step · way", product.str(20), "positive for certain:", product > 0)
else:
    print("no python-flint here: not repeated")

# %% [markdown]
# ## Can one stop early?
#
# In weights, we follow DA's gradient flow from the pretrained model and note the smallest distance it ever reaches,
# relative to the distance at the start. A value of one means that stopping early cannot help; one half, that the right
# moment would halve the distance.

# %%
coarse, answer = maps[lam], answers[lam]
nearest = flow.closest_approach(coarse)
bad_end = (answer["farther"] | answer["none"]) & ~answer["away"]
show_source(flow.closest_approach)
many = windows.random_problems(np.random.default_rng(seed), problems)
wrong_start = np.flatnonzero(flow.first_step(many) < 0)[:1000]
later = flow.closest_approach(windows.subset(many, wrong_start)) < 1 - 1e-9
turned = np.sum(nearest[answer["away"]] < 1 - 1e-9)
shown = {"turned": turned, "away_points": answer["away"].sum(),
         "turned_random": later.sum(), "some": len(wrong_start)}  # fmt: skip
for name, value in shown.items():
    glue(f"weights_map_{name}", int(value), display=False)
shown = {"bad_end": bad_end.mean(), "median": np.median(nearest[bad_end]),
         "best": nearest[bad_end].min()}  # fmt: skip
for name, value in shown.items():
    glue(f"weights_map_{name}", float(value), display=False)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "How near descent-ascent comes to the oracle in weights at its best moment, relative to where it started. Bright yellow, right of the line: never nearer; the line is where the first step is at a right angle to the way to the oracle. Dark: a perfect stopping time would help a lot.", "name": "weights_map-stopping"}}
figures.show(panels.stopping(coarse, nearest, answer["cosine"]), alt=(
    "Map of the smallest distance to the oracle along the path over the distance at the start: one in the lower right "
    "region of large overlap, below one elsewhere, smallest for little overlap and large alpha."))

# %% [markdown]
# Where the first step points away, the path comes nearer later at {glue:text}`weights_map_turned` of the
# {glue:text}`weights_map_away_points` points of that region of the map, and in {glue:text}`weights_map_turned_random`
# of {glue:text}`weights_map_some` random problems. That is rare, but **not impossible**: a wrong first step in weights
# decides nothing for certain.
#
# On {glue:text}`weights_map_bad_end:.0%` of the map DA ends farther away or nowhere, but starts in the right direction.
# The perfect moment would reduce the distance to {glue:text}`weights_map_median:.2f` of what it was in the median and
# to {glue:text}`weights_map_best:.2f` at best. Nobody who lacks the oracle knows that moment. But it exists, so the
# harm there is *not* independent of early stopping.

# %%
turning = TwoCoordinates(374, 219, 316, 52 / 316, 1.465e-8, 0.90108)
print("cosine of the first step", flow.first_step(turning))
print("smallest ÷ first distance", flow.closest_approach(turning, steps=4000))

# %% [markdown]
# ## What we found
#
# In weights there is a region of harm at large overlap that looks like the one in margins, but no theorem makes it
# exact: first steps can be right inside the window of the margins, and a wrong first step can be mended later. What a
# theorem does not give, arithmetic does: outside of a thin seam every point of the map has its proof.
#
# ## Exercises
#
# ```{exercise-start}
# :label: weights_map-ex-cosine
# ```
# For a very large ridge, show that a wrong first step needs $t > 2\sqrt{f(1+f)}/(1+2f)$,
# $t = 2\varepsilon/(1+\varepsilon^2)$, and find the $a$ at which it happens first.
# ```{exercise-end}
# ```
#
# ```{solution-start} weights_map-ex-cosine
# :label: weights_map-ex-cosine-solution
# :class: dropdown
# ```
# As by hand above, divided by the squared length: $(1+f)a^2 - (1+2f)\,t\,a + f < 0$. This quadratic in $a$ is negative
# somewhere exactly if $(1+2f)^2t^2 > 4f(1+f)$, and lowest at $a = \frac{(1+2f)\,t}{2(1+f)}$.

# %%
f = fraction
border = 2 * np.sqrt(f * (1 + f)) / (1 + 2 * f)  # of t
overlap = (1 - np.sqrt(1 - border**2)) / border  # t = 2ε/(1 + ε²)
best = (1 + 2 * f) * border / (2 * (1 + f))
for step in (-0.01, 0.01):
    print(float(flow.first_step(problem_at(f, best, 1e4, overlap + step))))

# %% [markdown]
# ```{solution-end}
# ```
#
# ```{exercise-start}
# :label: weights_map-ex-margins
# ```
# Show that a step along which both margins fall can shorten the way to the oracle in weights. Which direction in the
# $w$ plane must the way have?
# ```{exercise-end}
# ```
#
# ```{solution-start} weights_map-ex-margins
# :label: weights_map-ex-margins-solution
# :class: dropdown
# ```
# With $n = w_R - w_D$, $n\cdot v \ge 0$ and $n\cdot u \ge 0$, a step $p$ with $p\cdot v \le 0$, $p\cdot u \le 0$ has
# $p\cdot n > 0$ only if $n$ is not in the cone spanned by $v$ and $u$: for $n = \beta v + \gamma u$ with
# $\beta,\gamma \ge 0$ the product would be at most zero. So one of the coefficients is negative: here $\gamma$, because
# the oracle has no weight along $u$ and the pretrained model has.

# %%
alpha, epsilon = (float(value) for value in certify.WEIGHTS_DIFFER)
one = TwoCoordinates(900, 100, 100, alpha, 0.01, epsilon)
way = correlated.oracle(one) - correlated.pretrained(one)
step = -correlated.gradient(one, correlated.pretrained(one), "DA")
directions = np.array([[1, epsilon], [epsilon, 1]])
print("β, γ", np.linalg.solve(directions.T, way),
      "step on v, u", directions @ step)
print("step · way", step @ way)

# %% [markdown]
# ```{solution-end}
# ```
#
# The theory so far had convex training losses with a single minimum. In the [next chapter](toy_minima.ipynb) there are
# several, and a wrong one can be a trap.
