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
# # Toy minima
#
# ```{admonition} At a glance
# :class: glance
# **You will see** the smallest network in which descent-ascent walks into the wrong valley, a proof by machine that no valley was overlooked, and
# why training on the retain set afterwards does not bring the model back. One printed formula turns out to be a slip.
#
# **In the paper** Section 5.2, Figure 5, and a remark in Appendix B {cite}`mavrothalassitis2025ascent`.
#
# **Runtime** about 20 s on one core.
#
# **Parameters** [listed below](toy_minima-parameters): how many copies are forgotten, how hard the ascent pushes.
#
# **Rerun** `unlearning run toy_minima -p forgotten 1 -p rate 3 --out runs/toy_minima`
# ```

# %% [markdown]
# (toy_minima-parameters)=
# ## Parameters

# %% tags=["parameters"]
forgotten: int = 2  # copies of the fourth point to forget (count) [1, 4]
rate: float = 1.0  # ascent rate over descent rate ρ (dimensionless) [0.1, 5]
ridge: float = 0.1  # ridge coefficient λ (dimensionless) [0.05, 0.3]
step: float = 0.01  # gradient-descent step size (dimensionless) [0.001, 0.02]
steps: int = 5000  # gradient-descent steps (count) [500, 50000]
grid: int = 161  # points along each side of a drawn landscape (count) [41, 401]
seed: int = 0  # seed of the fresh starts [0, 1000000]

# %% [markdown]
# The chapters before this one had convex losses: one minimum, and the question was only how far away it is. Deep networks
# are not like that. Their losses have many valleys, and a method can fail in a new way: it can end in a valley that training
# on the retain set would never have chosen. The paper shows this with a network of two parameters. Two is few enough to draw everything, and to *prove* everything.

# %%
import numpy as np
import pandas as pd
from IPython.display import display
from myst_nb import glue
from scipy.optimize import brentq

from panels import toy_minima as panels
from unlearning.page import figures, verdicts
from unlearning.page.gluing import glue_numbers
from unlearning.page.source import show_source
from unlearning.theory import intervals, toy_minima

show_source(toy_minima.Activation, toy_minima.Objective,
            toy_minima.descent_ascent, toy_minima.predict, toy_minima.signs,
            toy_minima.loss, toy_minima.gradient, toy_minima.hessian,
            toy_minima.descend)

# %% [markdown]
# ## Four points and two weights
#
# The data are four numbers $x_i$ with labels $y_i = \pm 1$. Each is shown to the network as the pair $(x, x^2)$, and
# each occurs $\alpha_i$ times in the training set $D$:

# %%
figures.table(panels.points())

# %% [markdown]
# The network has weights $\theta = (a, b)$ and the output
#
# $$
# \begin{aligned}
# h_i &= \sigma(a x_i + b x_i^2), \\
# \sigma(z) &= \tanh\frac{1+z}{2} = \frac{2}{1 + e^{-(1+z)}} - 1 .
# \end{aligned}
# $$ (toy_minima-eq-network)
#
# It predicts the sign of $h_i$. This $\sigma$ is not the one that the paper prints; [below](toy_minima-sigma) we try
# that one and see why it cannot be meant. Training minimises squared errors plus a ridge with coefficient $\lambda$:
#
# $$
# L_\alpha(\theta) = \sum_{i=1}^{4} \alpha_i\, (h_i - y_i)^2 + \lambda \|\theta\|^2 .
# $$ (toy_minima-eq-loss)
#
# Now $k$ of the four copies of point 4 must be forgotten. Everything differs only in the multiplicity $\alpha_4$.
#
# | symbol | meaning |
# | --- | --- |
# | $x_i$, $y_i$, $h_i$ | point, its label, the network's output; $\theta = (a, b)$ its weights, $\lambda$ the ridge |
# | $\alpha_4$ | 4 in **training** (D); $4 - k$ in **retraining** (R); $(4 - k) - \rho k$ in **descent-ascent** (DA) |
# | $\rho$ | DA descends on the kept copies and ascends on the forgotten ones $\rho$ times as fast |
#
# The paper has $k = 2$ and $\rho = 1$. Then DA has $\alpha_4 = 2 - 2 = 0$: kept and forgotten copies cancel, and
# DA does not see point 4 at all, although half of its copies should stay.

# %%
gone = (0, 0, 0, forgotten)
objectives = {
    "D": toy_minima.Objective(toy_minima.COPIES, ridge=ridge),
    "R": toy_minima.descent_ascent(gone, rate=0, ridge=ridge),
    "DA": toy_minima.descent_ascent(gone, rate=rate, ridge=ridge),
}
{name: objective.copies for name, objective in objectives.items()}

# %% [markdown]
# ## All minima, proved
#
# A search from many starts can miss a valley, and "the only minimum" would be a hope. So the whole plane is searched. The proof in short: beyond
# a rectangle there is no stationary point, and inside it interval arithmetic drops every box without one and counts one in each that is left.
#
# ````{admonition} Proof
# :class: dropdown
# *By hand*, how much of the plane is needed? At a stationary point $2\lambda a = -\sum_i 2\alpha_i (h_i - y_i)\,\sigma'(z_i)\, x_i$. Since $|h - y| \le 2$ and $\sigma' \le \frac12$, for D
#
# $$
# |a| \le \frac{1}{\lambda} \sum_i \alpha_i |x_i| = \frac{5 + 4 + 3 + 16}{\lambda},
# \qquad |b| \le \frac{1}{\lambda} \sum_i \alpha_i x_i^2 = \frac{5 + 4 + 9 + 64}{\lambda} .
# $$
#
# That rectangle is cut in halves, again and again. On each box the gradient is computed with **intervals** instead of numbers, every operation rounded outwards, so that the
# result contains the true value for *every* point of the box. If it does not contain 0, the box holds no stationary point and is dropped. Small boxes that survive are
# given to Krawczyk's operator {cite}`krawczyk1969`, an interval form of Newton's method: with $c$ the middle of the box $X$ and $Y \approx H(c)^{-1}$,
#
# $$
# K(X) = c - Y \nabla L(c) + \big(1 - Y H(X)\big)(X - c) .
# $$ (toy_minima-eq-krawczyk)
#
# Every stationary point in $X$ lies in $K(X)$. (If $\nabla L(\theta) = 0$ then, by the mean value theorem, $\theta = c - Y\nabla L(c) + (1 - Y \bar H)(\theta - c)$ with $\bar H \in H(X)$.)
# And if $K(X)$ lies inside $X$, Brouwer's theorem gives a stationary point and the contraction makes it the only one. The sign of $\det H$ on the box tells a minimum from a saddle.
# ````

# %%
show_source(intervals.Interval, toy_minima.stationary_points,
            toy_minima.minima, toy_minima.fold)

# %%
proofs = {n: toy_minima.stationary_points(o) for n, o in objectives.items()}
figures.table(panels.proof_table(proofs))

# %%
minima = {n: toy_minima.minima(o) for n, o in objectives.items()}
figures.table(panels.minima_table(minima))

# %% [markdown]
# With no box undecided the lists are complete: there is no other minimum anywhere in the plane. The true labels are −+−+. No minimum gets all four right. The better minimum of D and R gives up point 3, which
# occurs once. The worse one gives up point 4, which occurs four times in D. And DA? Here are the three landscapes.

# %% mystnb={"figure": {"caption": "The loss over the weights (a, b) for training, retraining and descent-ascent. Colour: height above the lowest point drawn, on a logarithmic scale of 1 + height; lines: rings around each minimum. Star: global minimum; circle: local minimum. D and R have two valleys each, an upper and a lower one. In the landscape of descent-ascent the upper one is gone.", "name": "toy_minima-landscapes"}}
with figures.style():
    drawn = panels.landscapes(objectives, minima, grid)
figures.show(*drawn, alt=(
    "Three heat maps of the loss over weights a and b. D and R show two "
    "valleys with a star in the upper one and a circle in the lower one. The "
    "map of descent-ascent has only the lower valley, with a star in it."))

# %%
counts = {}
for name, fit, on in [("D", "D", "D"), ("R", "R", "R"),
                      ("DA_seen", "DA", "DA"), ("DA", "DA", "R")]:
    right = np.array(minima[fit][0].signs) == toy_minima.LABELS
    copies = np.array(objectives[on].copies)
    counts[name] = (copies @ right, copies.sum())
{name: f"{right:g} of {total:g}" for name, (right, total) in counts.items()}

# %% tags=["hide-input"]
for name, (right, total) in counts.items():
    glue(f"toy_minima_right_{name}", float(right), display=False)
    glue(f"toy_minima_total_{name}", float(total), display=False)

# %% [markdown]
# Counted with the copies of the set it sees, DA's minimum scores {glue:text}`toy_minima_right_DA_seen:.0f` of {glue:text}`toy_minima_total_DA_seen:.0f`: at the default parameters,
# perfect. On the retain set, where the kept copies of point 4 still count, it is {glue:text}`toy_minima_right_DA:.0f` of {glue:text}`toy_minima_total_DA:.0f`; the oracle has
# {glue:text}`toy_minima_right_R:.0f` of {glue:text}`toy_minima_total_R:.0f`, the pretrained network {glue:text}`toy_minima_right_D:.0f` of {glue:text}`toy_minima_total_D:.0f`.

# %% mystnb={"figure": {"caption": "The four points in the plane of x and x²; the area of a marker grows with its copies in R, + and − are the labels. Lines: decision boundaries 1 + ax + bx² = 0 of the global minima. Shaded: where the label + is predicted. Left: training and retraining sacrifice the one copy of point 3. Right: descent-ascent turns the line and sacrifices point 4, although kept copies of it remain.", "name": "toy_minima-boundaries"}}
copies = np.array(objectives["R"].copies)
with figures.style():
    both = "training and retraining"
    left = panels.boundary(("D", "R"), minima, copies, both)
    right = panels.boundary(("DA",), minima, copies, "descent-ascent")
figures.show(left, right, alt=(
    "Two scatter plots of the points. Left: the boundaries of training and "
    "retraining separate point 1 from the others. Right: the boundary of "
    "descent-ascent leaves points 3 and 4 both on the negative side."))

# %% [markdown]
# ```{raw} html
# <details class="predict"><summary><strong>Predict before you scroll.</strong> After descent-ascent we train on R with small steps, as long as
# you like. Does the network find back to the oracle?</summary>No. It stands in a valley of R's own landscape, a local minimum. Descent does not climb.</details>
# ```
#
# ## Can fine-tuning repair it?
#
# A common hope: run DA, then train a little on R to mend the damage. We follow both phases with plain gradient descent,
# starting where a user would start, at the best minimum of D.

# %%
pretrained, oracle = minima["D"][0].theta, minima["R"][0]
unlearn = toy_minima.descend(pretrained, objectives["DA"], step, steps)
repair = toy_minima.descend(unlearn[-1], objectives["R"], step, steps)
places = np.array([unlearn[-1], repair[-1]])
after, stuck = toy_minima.loss(places, objectives["R"])

# %% mystnb={"figure": {"caption": "Left: a part of the retain set's landscape. The path (vermilion) starts at the minimum of training (diamond), next to the oracle (star); descent-ascent carries it into the other valley (cross). Fine-tuning on R (orange) hardly moves from there. Right: the loss on R in both phases. Fine-tuning stays at the local minimum, far above the oracle.", "name": "toy_minima-path"}}
with figures.style():
    drawn = panels.path(objectives["R"], minima["R"], unlearn, repair, grid)
figures.show(*drawn, alt=(
    "Left: a heat map of the retain loss with a path from the upper valley to "
    "the lower one. Right: the retain loss rises to a plateau within the first "
    "hundred steps and fine-tuning stays there, far above the oracle."))

# %%
def ending(path) -> str:
    """Where a path on R's landscape ends."""
    last = toy_minima.loss(path[-100:], objectives["R"])
    if last.max() - last.min() > 1e-3:
        return "does not settle"
    near = np.linalg.norm(path[-1] - oracle.theta) < 0.05
    return "oracle's minimum" if near else "other minimum"


ladder = {}
for size in (0.001, 0.01, 0.03, 0.1, 0.3, 0.6, 1.0):
    path = toy_minima.descend(unlearn[-1], objectives["R"], size, 2000)
    ladder[f"{size:g}"] = ending(path)
figures.table(pd.DataFrame([ladder]))

# %% [markdown]
# After DA the loss on R is {glue:text}`toy_minima_after:.2f`, and after {glue:text}`toy_minima_steps` further steps on R {glue:text}`toy_minima_stuck:.2f`; the oracle has
# {glue:text}`toy_minima_oracle:.2f`. The table tries other step sizes for the second phase. Wherever descent settles, it settles in the wrong place; large steps do not settle.
#
# Part of this is plain stability. Gradient descent can only come to rest in a minimum if its step is below two over the largest second derivative there:
# {glue:text}`toy_minima_limit_here:.2f` in the wrong valley, {glue:text}`toy_minima_limit_there:.3f` at the oracle, the sharper of the two. So we add a control. Let step
# size 1 run for $1, 2, \dots, 40$ steps, then finish with small ones; and, beside it, start the small ones from random weights, which is training anew.

# %%
tries = 40
wild = toy_minima.descend(unlearn[-1], objectives["R"], 1.0, tries)[1:]
anew = np.random.default_rng(seed).uniform(-5, 5, (tries, 2))
calmed, fresh = (
    sum(ending(toy_minima.descend(start, objectives["R"], 0.02, 500))
        == "oracle's minimum" for start in starts)
    for starts in (wild, anew))

# %% tags=["hide-input"]
glue_numbers("toy_minima", oracle=oracle.value, stuck=stuck, after=after, steps=steps, calmed=calmed, fresh=fresh,
             tries=tries)  # fmt: skip
for name, weights in (("here", repair[-1]), ("there", oracle.theta)):
    sharpest = np.linalg.eigvalsh(toy_minima.hessian(weights, objectives["R"]))[-1]
    glue(f"toy_minima_limit_{name}", float(2 / sharpest), display=False)

# %% [markdown]
# ```{admonition} Our comment
# :class: ours
# The wild run, calmed down, ends at the oracle {glue:text}`toy_minima_calmed` times out of {glue:text}`toy_minima_tries`; training anew does so
# {glue:text}`toy_minima_fresh` times. So the valley is a trap for *gentle* fine-tuning, the kind one does to repair a model. A violent learning rate that is then lowered can get out, because it first destroys the model, much as retraining from random weights would. The paper does not make this distinction.
# ```
#
# ## When does the good valley vanish?
#
# DA differs from retraining only in $\alpha_4$, so turn that one dial slowly. The good valley ends where its minimum meets the saddle: there $\nabla L = 0$ and
# $\det H = 0$. These are three equations for $a$, $b$ and $\alpha_4$, and `toy_minima.fold` solves them. Before that, the two minima are equally low once.

# %%
base = objectives["D"]
meeting, vanishing = toy_minima.fold(base, 3, (2.16, -0.61), 0.43)


def weighted(weight: float) -> toy_minima.Objective:
    """The objective with α₄ = weight."""
    return toy_minima.Objective((*toy_minima.COPIES[:3], weight), ridge=ridge)


rows = [
    {"weight": w, "value": m.value,
     "right": bool(m.theta[1] > meeting[1] - 0.15)}
    for w in [*np.linspace(0, 4, 21), *(vanishing + np.array([-1e-3, 1e-3]))]
    for m in toy_minima.minima(weighted(w))
]
valleys = pd.DataFrame(rows).sort_values("weight")

# %%
lead = lambda w: np.subtract(*[m.value for m in sorted(  # noqa: E731
    toy_minima.minima(weighted(w)), key=lambda m: m.theta[1])])  # fmt: skip
equal = brentq(lead, vanishing + 0.01, 4.0, xtol=1e-6)
print(f"the minima tie at α₄ = {equal:.4f}; the fold is at {vanishing:.4f}")

# %% mystnb={"figure": {"caption": "Height of the minima against the weight of point 4. From right to left: training, retraining, descent-ascent. The valley that reads point 4 wrong (vermilion) sinks with the weight and becomes the deeper one; the good valley (green) ends at the dot, before descent-ascent is reached.", "name": "toy_minima-valleys"}}
with figures.style():
    top = toy_minima.loss(meeting, weighted(vanishing))
    fig = panels.valleys(valleys, (vanishing, float(top)))
figures.show(fig, alt=(
    "Two lines over the weight of point 4. One falls steeply towards zero; the "
    "other stays nearly level and ends at a dot between descent-ascent and "
    "retraining. They cross once."))

# %% mystnb={"figure": {"caption": "The landscape of a weight of your choice, recomputed in this page. Large dot: global minimum, small dot: local; green reads point 4 right, vermilion wrong. At 0.5 both valleys are there and the good one is the higher; below the fold it is gone.", "name": "toy_minima-live"}}
start = 0.5
with figures.style():
    still, _ = panels.landscape(
        weighted(start), toy_minima.minima(weighted(start)), f"α₄ = {start:g}",
        figures.COLORS["forget"], grid, 4.0, 3.0, bar=False
    )  # fmt: skip
picture = panels.live(ridge, start, still, (
    "Heat map of the loss over a and b with a slider for the weight of point "
    "4; the upper valley disappears when the weight falls below the fold."))
display({"text/html": picture, "text/plain": "[live picture]"}, raw=True)

# %% tags=["hide-input"]
glue_numbers("toy_minima", equal=equal, vanishing=vanishing)

# %% [markdown]
# The wrong valley is the deeper one below $\alpha_4 =$ {glue:text}`toy_minima_equal:.3f`, and the good one ceases to exist at $\alpha^* =$ {glue:text}`toy_minima_vanishing:.4f`. So it takes no
# exact cancellation: every $\alpha_4$ below $\alpha^*$ sets the same trap. (The sign with which the valley reads point 4 flips a little earlier, inside the still existing valley: it is the fold that counts.)
#
# ```{admonition} The paper claims
# :class: paper
# Appendix B adds that equal rates are not essential. With unequal rates for ascent and descent the same trap appears for
# other forget sets; its example doubles the forget rate and forgets one copy instead of two.
# ```
#
# With $k$ copies forgotten, DA has $\alpha_4 = (4 - k) - \rho k$. It is trapped when that is below $\alpha^*$, for $\rho > (4 - k - \alpha^*)/k$:

# %%
at_two = {k: len(toy_minima.minima(weighted(4 - 3 * k))) for k in (1, 2, 3)}
figures.table(panels.rates(vanishing, at_two))

# %% [markdown]
# ```{admonition} Our comment
# :class: ours
# The remark is right in spirit. Doubling the rate is not enough for $k = 1$ if $\rho$ multiplies the forgotten copies and the descent runs over the kept ones, as in Section 5.2: then
# $\alpha_4 = 3 - 2 = 1$, both valleys exist, and a run from D's minimum stays in the good one. There is a second way to keep the books: descend on all of D and ascend $s$ times on the forgotten copies, $\alpha_4 = 4 - s k$.
# Section 5.2 is then $s = 2$, $k = 2$, and doubling $s$ with $k = 1$ gives $\alpha_4 = 0$ again. With that reading the example is exact.
# ```
#
# (toy_minima-sigma)=
# ## The printed activation
#
# The paper prints $\sigma(z) = 1 / (1 + e^{-(1+z)/2})$. Its values lie between 0 and 1. With labels $\pm 1$ and a prediction by sign,
# such a network says + to everything. Two things must change together, the *range* and the *slope*. We search with the printed form; with its range moved to
# $(-1, 1)$ and the slope left alone, which is $\tanh\frac{1+z}{4}$; and with the range left alone, the slope doubled and labels 0 and 1. The last needs no new code: $\frac{1}{1 + e^{-(1+z)}} = \frac{1 + h}{2}$
# with our $h$, so its loss is a quarter of {eq}`toy_minima-eq-loss` at the ridge $4\lambda$.

# %% tags=["hide-output"] mystnb={"code_prompt_show": "Show the table of their minima", "code_prompt_hide": "Hide the table of their minima"}
variants = {
    "printed": {"activation": "printed"},
    "range only": {"activation": "rescaled"},
    "slope only, labels 0/1": {"ridge": 4 * ridge},
}
repairs = {}
for name, change in variants.items():
    for key, o in objectives.items():
        changed = toy_minima.Objective(o.copies, **{"ridge": ridge} | change)
        repairs[f"{name}: {key}"] = toy_minima.minima(changed)
figures.table(panels.minima_table(repairs))

# %% [markdown]
# The printed rows all read ++++: no decision boundary, so Figure 5 of the paper cannot have been drawn with it. Moving the range alone leaves D with a single minimum and no trap to fall into. The slope together with *matching labels* brings the
# whole story back, as our form does. So the repair is not unique, but two changes are needed: values and labels must span the same range, and the factor ½ in the exponent must go.

# %% tags=["hide-input"]
printed = {k: v for k, v in repairs.items() if k.startswith("printed")}
verdicts.erratum(
    "toy-sigma",
    where="Section 5.2",
    printed="σ(z) = 1/(1 + e^{-(1+z)/2}), values in (0, 1), with labels ±1",
    ours="σ(z) = tanh((1+z)/2) = 2/(1 + e^{-(1+z)}) - 1, values in (-1, 1); 1/(1 + e^{-(1+z)}) with labels 0 and 1 works as well",
    shown_by=f"All {sum(map(len, printed.values()))} minima of the printed form, proved complete, call all four points positive; "
    f"moving its range alone leaves training with {len(repairs['range only: D'])} minimum.",
    checks={
        "with the printed form every minimum calls every point positive":
            all(m.signs == (1, 1, 1, 1) for ms in printed.values() for m in ms),
        "with the range moved alone training has no second minimum": len(repairs["range only: D"]) == 1,
        "with the symmetric form the minima of D and R read at least three points right":
            all(int((np.array(minima[n][0].signs) == toy_minima.LABELS).sum()) >= 3 for n in ("D", "R")),
    },
)

# %% [markdown]
# ## Exercises
#
# ````{exercise} Counting
# :label: toy_minima-exercise-count
#
# By counting alone: at which $\alpha_4$ are giving up point 3 and giving up point 4 equally bad? Compare with the exact tie above and explain the sign of the difference.
# ````
#
# ````{solution} toy_minima-exercise-count
# :class: dropdown
#
# Point 3 has one copy, so counting ties at $\alpha_4 = 1$. The exact tie is a little below: reading point 4 right costs a sharp boundary between $x = 3$ and $x = 4$, hence
# the squared error of a compromise and other weights under the ridge; the counts know nothing of either.
# ````
#
# ````{exercise} Minima minus saddles
# :label: toy_minima-exercise-morse
#
# The loss grows without bound in every direction. Then minima − saddles + maxima $= 1$ whenever no Hessian is singular (Morse). Check it for the three objectives, and say what must happen to the saddle at the fold.
# ````
#
# ````{solution-start} toy_minima-exercise-morse
# :class: dropdown
# ````

# %%
for name, proof in proofs.items():
    kinds = [point.kind for point in proof.points]
    minima_and_maxima = kinds.count("minimum") + kinds.count("maximum")
    print(name, minima_and_maxima - kinds.count("saddle"))

# %% [markdown]
# With two minima there must be a saddle between them; with one there is none. So where a minimum disappears it takes the saddle with it: they meet and cancel. That is why the fold is found as
# gradient $= 0$ and $\det H = 0$.
# ````{solution-end}
# ````
#
# ```{admonition} Our comment
# :class: ours
# The example was built to show that this can happen; it says nothing about how often it does. The trap needs forgotten and kept copies of the *same* point, the strongest dependence there is. What does carry over is the logic: the minimum of a difference of losses need not lie in the oracle's basin, and a recipe that relies on
# repair afterwards has to show that it does.
# ```

# %% tags=["hide-input"]
held = [m for m in minima["R"][1:] if np.linalg.norm(m.theta - repair[-1]) < 0.05]
complete = all(p.undecided == 0 for p in proofs.values())
(seen, all_seen), (kept, all_kept) = counts["DA_seen"], counts["DA"]
verdicts.decide(
    "C10",
    evidence=f"retain loss {stuck:.2f} after descent-ascent and {steps} steps of fine-tuning, oracle {oracle.value:.2f}; "
    f"retain points right {kept:.0f} of {all_kept:.0f} against {counts['R'][0]:.0f}; all stationary points proved in "
    f"{sum(p.boxes for p in proofs.values()):,} interval boxes",
    checks={
        "training and retraining have a global and a worse local minimum, and no other (proved)":
            complete and len(minima["D"]) == len(minima["R"]) == 2,
        "descent-ascent has a single minimum (proved)": complete and len(minima["DA"]) == 1,
        "it reads fewer retain points right than the oracle": bool(kept < counts["R"][0]),
        "yet it reads all it sees right": bool(seen == all_seen),
        "gradient descent on R started there ends in R's worse local minimum": bool(held),
        "so it does at every step size tried at which descent settles": "oracle's minimum" not in ladder.values(),
    },
    scale="exact",
)  # fmt: skip
