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
# # The first step
#
# ```{admonition} At a glance
# :class: glance
# **You will see** one line of algebra that unites the theory, and the exact condition under which the first step of
# descent-ascent points away from the oracle, in any number of dimensions.
#
# **In the paper** Section 4 is what the theorem extends {cite}`mavrothalassitis2025ascent`. The theorem itself is ours.
#
# **Runtime** about 10 s on one core.
#
# **Parameters** [listed below](first_step-parameters): the fraction forgotten, the ascent weight, the ridge of the check.
#
# **Rerun** `unlearning run first_step -p ascent 3 -p seed 1 --out runs/first_step`
# ```

# %% [markdown]
# (first_step-parameters)=
# ## Parameters

# %% tags=["parameters"]
fraction: float = 0.1  # fraction forgotten f in the pictures and the example (dimensionless) [0.001, 0.9]
ascent: float = 1.0  # ascent weight ρ (dimensionless) [0.1, 10]
ridge: float = 0.3  # ridge λ of the problems that check the theorem (dimensionless) [0.01, 10]
cases: int = 80  # forget sets in that check (count) [10, 500]
seed: int = 0  # seed of their data [0, 1000000]

# %% [markdown]
# The chapters before this one solved two small systems. Both say that descent-ascent goes the wrong way, and both used
# formulas that exist for nothing else. What is behind them? One line, which holds for every smooth loss and any number
# of weights. It tells when the very first step is wrong.
#
# | symbol | meaning |
# | --- | --- |
# | $f$ | the fraction forgotten, $\lvert F\rvert / \lvert D\rvert$ |
# | $L_S$ | mean loss over a set $S$, with the ridge $\frac\lambda2\lVert w\rVert^2$ |
# | $w_D, w_R$ | weights trained to the end on $D$, and on $R$ (the oracle) |
# | $g_F, g_R$ | gradients of the mean losses over $F$ and $R$, *without* the ridge, at $w_D$ |
# | $H$ | second derivatives of $L_R$, ridge included |
# | $I_{ab}$ | $g_a^\top H^{-1} g_b$ for $a, b \in \{F, R\}$: the mean influence between two sets |
# | $\rho$ | ascent weight: $L_{DA} = L_R - \rho\,(\text{mean loss over } F)$; the paper has $\rho = 1$ |

# %%
import numpy as np
import torch
from myst_nb import glue

from panels import first_step as panels
from unlearning import influence
from unlearning.page import figures
from unlearning.page.source import show_source
from unlearning.theory import first_step

show_source(
    first_step.step,
    first_step.away,
    first_step.cosine_threshold,
    first_step.wrong_ratios,
)

# %% [markdown]
# ## The line that unites the theory
#
# At $w_D$ training has come to rest. The mean over $D$ is a mixture of the means over $R$ and $F$, so
#
# $$
# (1 - f)\, g_R + f\, g_F + \lambda w_D = 0 .
# $$ (first_step-eq-rest)
#
# Put $\lambda w_D$ from there into the two gradients that matter, $\nabla L_R = g_R + \lambda w$ and
# $\nabla L_{DA} = g_R - \rho\, g_F + \lambda w$:
#
# $$
# \begin{aligned}
# -\nabla L_R(w_D) &= f\,(g_F - g_R), \\
# -\nabla L_{DA}(w_D) &= (\rho + f)\, g_F - f\, g_R .
# \end{aligned}
# $$ (first_step-eq-line)
#
# The first is what *should* happen: training on $R$ alone pushes with $f (g_F - g_R)$. The second is what descent-ascent does.
# The part along $g_R$ is the same. The step that undoes $F$ has weight $f$; descent-ascent takes $\rho + f$. With
# $\rho = 1$ that is $(1 + f)/f$ times too much.
#
# ## The theorem
#
# ````{prf:theorem} The first step (ours)
# :label: first_step-theorem
#
# Let every loss be convex and twice differentiable, $\lambda > 0$, and $\rho > 0$. Let $H$ be the Hessian of $L_R$, averaged along the
# segment from $w_D$ to $w_R$. The first step of descent-ascent makes an obtuse angle with the direction of the oracle,
# that is $(w_R - w_D)^\top \big({-\nabla L_{DA}(w_D)}\big) < 0$, if and only if
#
# $$
# (\rho + 2f)\, I_{FR} \;>\; (\rho + f)\, I_{FF} + f\, I_{RR} .
# $$ (first_step-eq-theorem)
#
# With the Hessian at $w_D$ instead of the average the same holds to first order in $f$: this is the influence approximation.
# ````
#
# ````{prf:proof}
# *Where the oracle lies.* By the fundamental theorem of calculus, with $d = w_R - w_D$,
#
# $$
# \nabla L_R(w_R) - \nabla L_R(w_D) = \int_0^1 \nabla^2 L_R(w_D + t d)\, d \; \mathrm{d}t = H d .
# $$
#
# The oracle is a minimum, so $\nabla L_R(w_R) = 0$, and the other gradient stands in {eq}`first_step-eq-line`. Hence
# $d = f\, H^{-1} (g_F - g_R)$. ($H$ is invertible: it is at least $\lambda$ times the identity.)
#
# *The angle.* Multiply by the second line of {eq}`first_step-eq-line`; $H$ is symmetric, so $I_{FR} = I_{RF}$:
#
# $$
# \begin{aligned}
# d^\top (-\nabla L_{DA})
# &= f\, (g_F - g_R)^\top H^{-1} \big((\rho + f) g_F - f g_R\big) \\
# &= f \big[(\rho + f) I_{FF} - (\rho + f) I_{FR} - f I_{FR} + f I_{RR}\big] .
# \end{aligned}
# $$
#
# The bracket is negative exactly when {eq}`first_step-eq-theorem` holds. $\square$
# ````
#
# The difference of the two sides of {eq}`first_step-eq-theorem`, times $f$, is also the speed at which $\frac12\lVert w - w_R\rVert^2$ grows. We call it the
# *rate* (over $f$): `first_step.away`.
#
# ````{prf:corollary} How alike must F and R be? (ours)
# :label: first_step-threshold
#
# Let $c = I_{FR}/\sqrt{I_{FF} I_{RR}}$ be the cosine of $g_F$ and $g_R$ in the inner product of $H^{-1}$, and $u = \sqrt{I_{FF}/I_{RR}}$ the ratio of
# their lengths. The first step is never wrong while
#
# $$
# c \;\le\; \frac{2\sqrt{f(\rho + f)}}{\rho + 2f} .
# $$ (first_step-eq-threshold)
#
# Above that it is wrong exactly for $u$ between the two roots of $(\rho + f) u^2 - (\rho + 2f) c\, u + f = 0$. For $c = 1$ these are
# $\frac{f}{\rho + f}$ and $1$.
# ````
#
# ````{prf:proof}
# Divide {eq}`first_step-eq-theorem` by $I_{RR}$: it reads $(\rho + 2f) c u > (\rho + f) u^2 + f$. The right side is a parabola in $u$ that is below
# the line on the left between two roots, if there are any. By the inequality of the means $(\rho + f) u^2 + f \ge 2 u \sqrt{f (\rho + f)}$, with
# equality at $u^2 = f/(\rho + f)$, so there are none unless $c$ exceeds {eq}`first_step-eq-threshold`. For $c = 1$ the quadratic is
# $(u - 1)\big((\rho + f) u - f\big)$. $\square$
# ````
#
# ```{prf:remark} Four consequences
# :label: first_step-consequences
#
# 1. *One coordinate.* There $c = 1$ and $u = \alpha |R|/|F|$. The range $\frac{f}{1+f} < u < 1$ is Lemma 3's range of $\alpha$, in any dimension.
# 2. *Pure ascent.* Let $\rho \to \infty$: the first step of gradient ascent is wrong if and only if $I_{FR} > I_{FF}$.
# 3. *No ridge.* With $\lambda = 0$ and training finished, {eq}`first_step-eq-rest` makes $g_R$ antiparallel to $g_F$: $I_{FR} < 0$, and the first step
#    is right. A wrong *first* step needs a ridge or unfinished training.
# 4. *Right at first is not right for long.* The step is $(\rho + f)/f$ times too long along $g_F$. It overshoots.
# ```

# %% [markdown]
# ```{raw} html
# <details class="predict"><summary><strong>Predict before you scroll.</strong> The pulls of F and R on the weights stand at a right
# angle: the two sets have nothing to do with each other. Can the first step of descent-ascent be wrong?</summary>No. The threshold is
# above zero for every f. Unrelated sets make the first step right, whatever their lengths, and too long.</details>
# ```
#
# ## A picture and an example by hand
#
# Two weights and $H = 1$. All that matters is the angle between the pulls $-g_F$ and $-g_R$, and their lengths.

# %% mystnb={"figure": {"caption": "The pulls of F and R on the trained weights, the first step of descent-ascent, and the oracle's direction. Dashed: the border between approaching and leaving the oracle. Left: unrelated pulls, the step is right. Middle: similar pulls, F the shorter: the step crosses the border. Right: the same directions with F the longer: right again.", "name": "first_step-arrows"}}
turn, ratios = np.deg2rad([90, 25, 25]), (0.5, 0.45, 1.15)
pull = -np.array([0.85, 0.0])  # the gradient of R
with figures.style():
    drawn = []
    for t, u in zip(turn, ratios):
        other = u * pull[0] * np.array([np.cos(t), np.sin(t)])
        drawn.append(panels.arrows(other, pull, fraction, ascent))
figures.show(*drawn, alt=(
    "Three vector diagrams. With unrelated pulls the first step lies on the "
    "oracle's side of the dashed border. With similar pulls of which F's is "
    "shorter it lies on the other side, with F's longer on the oracle's."))

# %% [markdown]
# *By hand.* Take the one-dimensional problem of the [first theory chapter](one_dimension.ipynb): $|R| = 900$, $|F| = 100$, and of $R$'s points
# $r = 100$ lie on our coordinate, of $F$'s points $\alpha r$. Both gradients have the same sign, $g_R = -\frac{r}{|R|} e^{-w}$ and
# $g_F = -\frac{\alpha r}{|F|} e^{-w}$. So $c = 1$ and $u = \frac{g_F}{g_R} = 9 \alpha$. With $f = \frac{1}{10}$ and $\rho = 1$ the first step is wrong for
# $\frac{1}{11} < 9\alpha < 1$, that is $\frac{1}{99} < \alpha < \frac19$. Lemma 3 has $\frac{|F|^2}{|R|(|F| + |D|)} = \frac{10000}{900 \cdot 1100}
# = \frac{1}{99}$ and $\frac{|F|}{|R|} = \frac19$. By function:

# %%
low, high = first_step.wrong_ratios(1.0, fraction=0.1)
print(f"1/α = {9 / low:.6f} and {9 / high:.6f}")

# %% mystnb={"figure": {"caption": "Left: the cosine that the gradients of F and R must exceed before any first step can be wrong; dashed with an ascent weight of 3. Right: above the threshold the first step is wrong only inside the coloured horn. Small forget sets have the widest horn: little similarity suffices, if F pulls less than R.", "name": "first_step-threshold-map"}}
with figures.style():
    drawn = panels.threshold((0.01, 0.05, 0.2), ascent)
figures.show(*drawn, alt=(
    "Left: the threshold rises steeply from zero and flattens below one. "
    "Right: three nested horns that widen towards cosine one, the one of the "
    "smallest fraction the largest; all lie below ratio one."))

# %% [markdown]
# ## A check by retraining
#
# The proof uses nothing but calculus. The test suite compares it with an independent solver; here is a case that the reader can watch.
# It should have many wrong first steps, so: four features that are nearly alike, points of very different length, one class as in
# the paper's model, and forget sets that are runs of neighbours in length.

# %%
draw = np.random.default_rng(seed)
lengths = np.sort(draw.uniform(0.1, 2, 60))[:, None]
x = torch.tensor(lengths * (1 + 0.4 * draw.normal(size=(60, 4))))
y = torch.zeros(60, dtype=torch.long)
gone = torch.zeros(cases, 60, dtype=torch.bool)
for row, start in zip(gone, draw.integers(0, 50, cases)):
    row[start : start + draw.integers(2, 11)] = True


def model(theta):
    """Logits (60, 2) of softmax regression without a bias."""
    return x @ theta.view(4, 2)


# %% [markdown]
# Train on $D$ and on every $R$ with Newton's method; measure the rate with the retrained weights; predict it with the Hessian at $w_D$:

# %%
means = torch.cat([torch.ones(1, 60), (~gone).float()]).double()
means /= means.sum(1, keepdim=True)
nothing = torch.zeros(8, dtype=torch.float64)
trained, *oracles = influence.newton(model, y, means, ridge, nothing)
measured = influence.measured_rate(
    model, trained, y, gone, torch.stack(oracles), ridge, ascent
).numpy()
i = influence.influence(model, trained, y, gone, ridge)
parts = [v.numpy() for v in (i.forget, i.cross, i.retain)]
predicted = first_step.away(*parts, gone.double().mean(1).numpy(), ascent)

# %% mystnb={"figure": {"caption": "One marker for each forget set: the rate predicted by the theorem (across) and measured by retraining (up). Above 0 the first step leaves the oracle. Every marker lies in the lower left or upper right: the sign is right.", "name": "first_step-check"}}
with figures.style():
    drawn = panels.signs(predicted, measured)
figures.show(drawn, alt=(
    "Scatter plot of measured against predicted rates. The markers lie along "
    "the diagonal, some of them above zero."))

# %% tags=["hide-input"]
glue("first_step_wrong", int((measured > 0).sum()), display=False)
glue("first_step_agree", int(((measured > 0) == (predicted > 0)).sum()), display=False)
glue("first_step_cases", cases, display=False)

# %% [markdown]
# Of {glue:text}`first_step_cases` first steps {glue:text}`first_step_wrong` are wrong, and the condition has the right sign in
# {glue:text}`first_step_agree`. Which forget sets have wrong first steps, then? Those that pull the way $R$ pulls and less than $R$: here the runs of
# short points.
#
# ```{admonition} Our comment
# :class: ours
# The paper proves its ordering for one coordinate and bounds for two. The theorem explains both and replaces "dependence" by a number: the
# cosine of the two gradients in $H^{-1}$. It also says what is *not* needed. Descent-ascent's *limit* is wrong without any dependence; what dependence adds is that
# no early stopping helps. And it speaks of one step: whether real forget sets have wrong first steps, and whether any of this
# predicts the damage that is done later, is a question of measurement, [for the next chapter](predicting_damage.ipynb).
# ```
#
# ## Exercises
#
# ````{exercise} Which ascent weight is exact?
# :label: first_step-exercise-exact
#
# Descend on *all* of $D$ and ascend with weight $s$ on $F$: minimise $L_D - s \cdot (\text{mean loss over } F)$. For which $s$ is its minimum the oracle, with the ridge
# adjusted? What is the same number for descent on $R$?
# ````
#
# ````{solution} first_step-exercise-exact
# :class: dropdown
#
# The mean over $D$ is $(1 - f)\,\text{mean}_R + f\,\text{mean}_F$. With $s = f$ the forget points cancel and $(1 - f)\,\text{mean}_R + \frac\lambda2\lVert w\rVert^2$ is left:
# $L_R$'s loss terms, scaled. With the ridge $(1 - f)\lambda$ it is $(1 - f) L_R$ exactly. For descent on $R$ the number is $\rho = 0$: fine-tuning on $R$ alone ends at the oracle of a
# convex problem, so ascent is the only error.
# ````
#
# ````{exercise} When is the first step wrong?
# :label: first_step-exercise-ratio
#
# A company forgets one percent of its data, and finds $c = 0.9$, $u = 0.5$. Is the first step wrong? How large may the ascent weight $\rho$ be, or must
# it be, for the first step to be right?
# ````

# %% [markdown]
# ````{solution-start} first_step-exercise-ratio
# :class: dropdown
# ````
# The condition is $(\rho + 2f) c u > (\rho + f) u^2 + f$, linear in $\rho$. Collect: $\rho\, u (c - u) > f (u^2 - 2cu + 1)$. With $c > u$ the left side grows with
# $\rho$, so the step is right exactly for small $\rho$:

# %%
f_, c_, u_ = 0.01, 0.9, 0.5
largest = f_ * (u_**2 - 2 * c_ * u_ + 1) / (u_ * (c_ - u_))
print(f"wrong at ρ = 1: {first_step.away(u_**2, c_ * u_, 1.0, f_) > 0}")
print(f"right for ρ up to {largest:.4f}")

# %% [markdown]
# ````{solution-end}
# ````
#
# ````{exercise} Large ridge, two coordinates
# :label: first_step-exercise-epsilon
#
# Retain samples $(1, \epsilon)$, forget samples $(\epsilon, 1)$, $H \approx \lambda \cdot 1$, and weights near 0, so that all slopes are 1. $F$ has $\alpha r$ of its $|F|$ points here, $R$ has $r$ of
# $|R|$. For which $\epsilon$ can the first step be wrong at some $\alpha$?
# ````
#
# ````{solution} first_step-exercise-epsilon
# :class: dropdown
#
# The gradients are multiples of $(\epsilon, 1)$ and $(1, \epsilon)$, so $c = \frac{2\epsilon}{1 + \epsilon^2}$. By {eq}`first_step-eq-threshold` it must exceed
# $\frac{2\sqrt{f(1+f)}}{1 + 2f}$. Write $\epsilon = \tan\theta$ and $\sqrt{f/(1+f)} = \tan\phi$ (both at most 1): the two sides are $\sin 2\theta$ and $\sin 2\phi$, so the condition is
# $\epsilon > \sqrt{\frac{f}{1 + f}} = \sqrt{\frac{|F|}{|F| + |D|}}$.
# ````
