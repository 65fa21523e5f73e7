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
# # One dimension
#
# ```{admonition} At a glance
# :class: glance
# **You will see** a problem so small that every solution is a formula: where training, retraining and descent-ascent
# end, when descent-ascent ends on the wrong side, and when it has no place to end at all.
#
# **In the paper** Section 4, Lemmas 2-3, App. F {cite}`mavrothalassitis2025ascent`.
#
# **Runtime** about 20 s on one core.
#
# **Parameters** [listed below](one_dimension-parameters): the sizes of the sets, the ridge.
#
# **Rerun** `unlearning run one_dimension -p lam 0.02 --out runs/one_dimension`
# ```
#
# ```{admonition} The paper claims
# :class: paper
# On one coordinate the pretrained model stands *between* the oracle and the place where descent-ascent ends. Every step
# towards that place is then a step away from the oracle, whenever one stops. Doing nothing would be better.
# ```

# %% [markdown]
# (one_dimension-parameters)=
# ## Parameters

# %% tags=["parameters"]
n_retain: int = 900  # |R|, size of the retain set (samples) [200, 2000]
n_forget: int = 100  # |F|, size of the forget set (samples) [1, 100]
r: int = 100  # retain samples on our coordinate (samples) [1, 100]
lam: float = 0.1  # ridge coefficient λ (dimensionless) [0.01, 1]
problems: int = 20000  # random problems (problems) [2000, 200000]
seed: int = 0  # seed of the random problems [0, 1000000]

# %%
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.optimize import minimize, newton

from panels import one_dimension as panels
from unlearning.page import figures, verdicts
from unlearning.page.gluing import glue_numbers
from unlearning.page.source import show_source
from unlearning.theory import alternating, one_dimension
from unlearning.theory.one_dimension import OneCoordinate, stationary

OBJECTIVES = one_dimension.OBJECTIVES
show_source(one_dimension.pull, one_dimension.stationary)

# %% [markdown]
# ## The smallest problem that can go wrong
#
# Take binary classification with labels $y = \pm 1$, a linear score $w\cdot x$, and the exponential loss. It asks for a
# large **margin** $y\,w\cdot x$, and it grows without limit when the margin is negative. With a **ridge**
# $\frac{\lambda}{2}\|w\|^2$, $\lambda > 0$, the three objectives of this book are
#
# $$
# \begin{aligned}
# L_D(w) &= \tfrac{1}{|D|}\textstyle\sum_{D} e^{-y\,w\cdot x} + \tfrac{\lambda}{2}\|w\|^2,\\
# L_R(w) &= \tfrac{1}{|R|}\textstyle\sum_{R} e^{-y\,w\cdot x} + \tfrac{\lambda}{2}\|w\|^2,\\
# L_{DA}(w) &= \tfrac{1}{|R|}\textstyle\sum_{R} e^{-y\,w\cdot x} - \tfrac{1}{|F|}\sum_{F} e^{-y\,w\cdot x}
#   + \tfrac{\lambda}{2}\|w\|^2.
# \end{aligned}
# $$ (one_dimension-eq-losses)
#
# $L_D$ is **pretraining**, on the training set $D$ of $|D|$ samples. $L_R$ is **retraining**, on the retain set
# $R = D\setminus F$. $L_{DA}$ is **descent-ascent** (DA): down on $R$, up on the forget set $F$. We write $w_D$, $w_R$,
# $w_{DA}$ for the points where their derivatives vanish. $w_D$ is the pretrained model, and $w_R$ is the **oracle**,
# the model that never saw $F$.
#
# Now let the data be **block-orthogonal**: every sample has a single non-zero coordinate $j$, and there $y\,x_j = 1$.
# Then the loss falls apart into one problem per coordinate. Think of a coordinate as a group of people who look alike
# to the model: some of them stay, some ask to be forgotten. On our coordinate there are $r$ retain samples and
# $\alpha r$ forget samples; $\alpha$ is the number of forget samples **per** retain sample. All three objectives take
# the form
#
# $$
# L(w) = A\, e^{-w} + \tfrac{\lambda}{2} w^2 + \text{constant}
# $$ (one_dimension-eq-form)
#
# and differ only in the **pull** $A$:
#
# $$
# A_D = \tfrac{(1+\alpha)\, r}{|D|}, \;\;
# A_R = \tfrac{r}{|R|}, \;\;
# A_{DA} = \big(1 - \alpha\tfrac{|R|}{|F|}\big)\tfrac{r}{|R|}.
# $$ (one_dimension-eq-pulls)
#
# Pretraining and retraining always pull to the right. Descent-ascent pulls to the right for $\alpha < |F|/|R|$ and to
# the left beyond: then our coordinate holds more than its fair share of the forget set.
#
# The data sets themselves are gone now; five numbers are left.
#
# | symbol | meaning |
# | --- | --- |
# | $D$, $R$, $F$ | training, retain and forget set; $\lvert D\rvert = \lvert R\rvert + \lvert F\rvert$ (samples) |
# | $r$, $\alpha r$ | retain and forget samples on our coordinate (samples) |
# | $\lambda$ | ridge coefficient |
# | $A_D$, $A_R$, $A_{DA}$ | pulls {eq}`one_dimension-eq-pulls` |
# | $z = A/\lambda$ | argument of Lambert's $W$ |
# | $w_D$, $w_R$, $w_{DA}$ | pretrained weight, oracle, end of descent-ascent |

# %%
base = OneCoordinate(n_retain, n_forget, r, alpha=0.0, lam=lam)
low, high = one_dimension.lemma3_range(base)  # the two ends of Lemma 3
last = one_dimension.last_alpha(base)  # the largest α with a stationary point
most = min(last, n_forget / r)  # beyond n_forget / r there is no more of F
show_source(OneCoordinate, one_dimension.validate, one_dimension.require)

# %% [markdown]
# ```{admonition} Our comment: the line that unites this part
# :class: ours
# Let $f = |F|/|D|$ and let $g_R$, $g_F$ be the gradients of the two mean losses at *any* trained model with
# $\nabla L_D = 0$, so that $(1-f)\,g_R + f\,g_F + \lambda w_D = 0$. Put this into the two other gradients:
#
# $$
# -\nabla L_R(w_D) = f\,(g_F - g_R), \qquad -\nabla L_{DA}(w_D) = (1+f)\, g_F - f\, g_R .
# $$ (one_dimension-eq-line)
#
# The step that would undo $F$ gives the forget gradient the weight $f$. Descent-ascent gives it $1+f$. It is the same
# step with $(1+f)/f$ times too much ascent; the whole theory of this part is about what that factor does.
# ```
#
# ## Lambert's W
#
# Set the derivative of {eq}`one_dimension-eq-form` to zero: $\lambda w = A e^{-w}$. Bring the exponential to the other
# side,
#
# $$
# w\,e^{w} = z, \qquad z = \frac{A}{\lambda}.
# $$ (one_dimension-eq-wew)
#
# No elementary function solves this for $w$. Its solution has a name, as the solution of $e^w = z$ has one: it is
# called **Lambert's W** {cite}`corless1996lambert`, so $w = W(z)$. The left picture below shows all there is to know.
# The function $w e^w$ falls until $w = -1$, where it reaches its lowest value $-1/e$, and then rises forever. So a
# level $z$ is met
#
# - once, if $z \ge 0$: by the **principal branch** $W_0$, at $w \ge 0$;
# - twice, if $-1/e < z < 0$: by $W_0$ at some $w\in(-1, 0)$ and by the **lower branch** $W_{-1}$ at some $w < -1$;
# - once again, if $z = -1/e$ exactly: at $w = -1$, where the two branches meet;
# - never, if $z < -1/e$.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Left: the curve $w e^w$ and three levels z. A positive level (dotted) is met once, a slightly negative one twice, one below −1/e never. Right: the same curve read from the other axis is Lambert's W, with its principal branch (solid) and its lower branch (dashed).", "name": "one_dimension-lambert"}}
figures.show(*panels.lambert(), alt=(
    "Left: the curve w times e to the w, with a single lowest point at w = -1, cut once, twice or never by horizontal "
    "levels. Right: the two real branches of Lambert's W, which meet at z = -1/e, W = -1."))

# %% [markdown]
# So the three models are one function at three arguments.
#
# ````{prf:lemma} Closed forms, Section 4 of the paper
# :label: one_dimension-closed
# :nonumber:
#
# $$
# \begin{aligned}
# w_D &= W_0\Big(\frac{(1+\alpha)\,r}{\lambda|D|}\Big),\\
# w_R &= W_0\Big(\frac{r}{\lambda|R|}\Big),\\
# w_{DA} &= W\Big(\Big(1-\alpha\frac{|R|}{|F|}\Big)\frac{r}{\lambda|R|}\Big).
# \end{aligned}
# $$ (one_dimension-eq-closed)
# ````
#
# One trap lies in `stationary` above: as $\lambda\to 0$ the argument $A/\lambda$ overflows although $W_0$ of it is a
# modest number. For $A > 0$ it computes $W_0(e^s)$ with $s = \ln A - \ln\lambda$ directly; SciPy calls this Wright's
# $\omega(s)$.
#
# ### One example by hand
#
# Take $|R| = 900$, $|F| = 100$, $r = 100$, $\lambda = \tfrac1{10}$ and $\alpha = \tfrac1{20}$: five forget samples. The
# pulls are $A_D = \tfrac{105}{1000}$, $A_R = \tfrac{100}{900} = \tfrac19$ and
# $A_{DA} = (1 - \tfrac1{20}\cdot 9)\cdot\tfrac19 = \tfrac{11}{180}$, so $z_D = \tfrac{21}{20}$, $z_R = \tfrac{10}{9}$,
# $z_{DA} = \tfrac{11}{18}$. All lie near 1, where $W_0(1) = \Omega$ with $\Omega e^\Omega = 1$,
# $\Omega \approx \tfrac{567}{1000}$. From $\mathrm dW/\mathrm d\ln z = W/(1+W)$, about $\tfrac{36}{100}$ there, one
# step of a Taylor series gives $w_D \approx \Omega + \tfrac{36}{100}\ln\tfrac{21}{20}$, and so on. The order is clear
# before any number is: $z_{DA} < z_D < z_R$. The pretrained weight is a hair below the oracle, and descent-ascent goes
# far the other way.

# %%
example = OneCoordinate(900, 100, 100, alpha=1 / 20, lam=1 / 10)
omega = stationary(replace(example, alpha=0.0, lam=1 / 9), "R")  # W0(1)
z = np.array([one_dimension.pull(example, o) for o in OBJECTIVES]) * 10
figures.table(pd.DataFrame({
    "model": ["pretrained", "oracle", "descent-ascent"],
    "z": z,
    "one Taylor step": omega + omega / (1 + omega) * np.log(z),
    "exact": [stationary(example, o) for o in OBJECTIVES],
}))

# %% [markdown]
# ### Two independent minimisers
#
# A formula is only as good as its check. We minimise each objective twice without any formula: by SciPy's Newton
# method, and by plain gradient descent, with $\alpha$ below, in and above Lemma 3's range.

# %%
show_source(one_dimension.loss, one_dimension.gradient, one_dimension.curvature)


def by_newton(problem, objective):
    """Minimiser by Newton's method from w = 0.5."""
    return newton(
        lambda v: one_dimension.gradient(problem, v, objective), 0.5,
        fprime=lambda v: one_dimension.curvature(problem, v, objective),
        tol=1e-14, maxiter=200)


def by_descent(problem, objective):
    """Minimiser by gradient descent, with a step safe for every objective."""
    pulls = [one_dimension.pull(problem, o) for o in ("D", "R")]
    eta = 1 / (sum(pulls) + problem.lam)
    return alternating.iterate(
        lambda v: v - eta * one_dimension.gradient(problem, v, objective),
        np.zeros_like(eta), 8000)[-1]


# %%
stops = np.array([low / 2, (low + high) / 2, high, (high + most) / 2])
tried, rows = replace(base, alpha=stops), []
for objective in OBJECTIVES:
    one_by_one = [replace(base, alpha=a) for a in tried.alpha]
    exact = stationary(tried, objective) + 0 * stops
    rows.append(pd.DataFrame({
        "objective": objective,
        "α": [f"{a:.4f}" for a in tried.alpha],
        "closed form": [f"{w:.10f}" for w in exact],
        "Newton": [by_newton(p, objective) for p in one_by_one] - exact,
        "descent": by_descent(tried, objective) - exact,
    }))
check = pd.concat(rows)
furthest = check[["Newton", "descent"]].abs().to_numpy().max()
glue_numbers("one_dimension", furthest=furthest)
figures.table(panels.minimisers(check))

# %% [markdown]
# The largest disagreement is {glue:text}`one_dimension_furthest:.0e`. The formulas stand.
#
# ## Three regimes
#
# The second derivative tells what kind of point we found. At a stationary point $A e^{-w} = \lambda w$, so
#
# $$
# L''(w) = A e^{-w} + \lambda = \lambda\,(1 + w).
# $$ (one_dimension-eq-curvature)
#
# It is positive on the principal branch ($w > -1$) and negative on the lower branch ($w < -1$). As $\alpha$ grows,
# $L_{DA}$ passes through three regimes.
#
# 1. $\alpha \le |F|/|R|$. The argument is not negative; $W_0$ gives the one and **global minimum**.
# 2. $|F|/|R| < \alpha \le |F|/|R| + \lambda|F|/(e\,r)$. The pull is to the left, and $-e^{-w}$ beats the ridge for very
#    negative $w$: $L_{DA}$ is **unbounded below**. What is left is a *local* minimum at $W_0 \in (-1,0)$, guarded by a
#    local maximum at $W_{-1} < -1$. At the upper border the two meet in a single flat point at $w = -1$, no minimum.
# 3. Beyond, **no stationary point exists**. Nothing stops the weight on its way to $-\infty$.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Left: the three solutions against α. I: one global minimum; II: a local minimum (solid) and a local maximum (thin dashed), which meet at w = −1; III: nothing. The bar at the bottom is the range of Lemma 3. Right: distance to the oracle, both axes logarithmic. Left of the bar descent-ascent ends nearer to the oracle than it started; along the bar, and to the right of it, farther. Where α = |F|/|R| the pretrained model equals the oracle.", "name": "one_dimension-regimes"}}
figures.show(*panels.regimes(base), alt=(
    "Left: the pretrained weight rises slowly with alpha and crosses the constant oracle weight at |F|/|R|; the "
    "descent-ascent weight falls, is zero at |F|/|R|, meets the maximum at w = -1 and disappears. Right: the pretrained "
    "model's distance to the oracle is small everywhere; descent-ascent's crosses it where Lemma 3's range begins."))
glue_numbers("one_dimension", low=low, high=high, last=last)

# %% [markdown]
# With the numbers of this page, regime I ends at $\alpha =$ {glue:text}`one_dimension_high:.4f` and regime II at
# {glue:text}`one_dimension_last:.4f`. The slider below shows what happens to the landscape on the way: the minimum
# moves to the left through zero, the floor opens on the far left, minimum and maximum approach each other, meet, and
# are gone.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The landscape $L_{DA}$ as α grows (move the slider), measured from its value at w = 0 in units of λ. Circle: the minimum; cross: the maximum; vertical lines: where training started (pretrained, solid) and the oracle (dashed).", "name": "one_dimension-landscape"}}
pictures, labels = panels.landscapes(base)
figures.frames(pictures, labels, name="α", start=2, alt=(
    "The descent-ascent landscape for growing alpha: a bowl with its minimum moving left, then a bowl with a barrier on "
    "its left, then a slope without any stationary point."))

# %% [markdown]
# ````{admonition} Our comment
# :class: ours
# Appendix F of the paper names the two branches the other way round. {eq}`one_dimension-eq-curvature` settles it; at
# the end of this page the slip is recorded with its computation. It matters for practice: gradient methods that start
# at the pretrained weight, which is positive, run into $W_0$ and never see $W_{-1}$.
# ````
#
# ## The wrong side
#
# Since $W_0$ increases, the order of the three weights is the order of the three pulls. Comparing $A_{DA}$ with $A_D$,
# and $A_D$ with $A_R$, gives the paper's central lemma in two lines of algebra.
#
# ````{prf:lemma} 3 of the paper: the wrong side
# :label: one_dimension-lemma3
# :nonumber:
#
# $w_{DA} \le w_D \le w_R$ for
#
# $$
# \frac{|F|^2}{|R|\,(|F|+|D|)} \;\le\; \alpha \;\le\; \frac{|F|}{|R|}.
# $$ (one_dimension-eq-lemma3)
# ````
#
# ````{prf:proof}
# $A_D \le A_R$ says $(1+\alpha)/|D| \le 1/|R|$, that is $\alpha \le |F|/|R|$. And $A_{DA} \le A_D$ says
# $1/|R| - \alpha/|F| \le (1+\alpha)/|D|$, that is $\alpha\,(1/|D| + 1/|F|) \ge 1/|R| - 1/|D| = |F|/(|R||D|)$; multiply
# by $|D||F|/(|D|+|F|)$.
# ````
#
# *Every small step:* on the whole way from $w_D$ down to $w_{DA}$ the derivative $L_{DA}'$ is positive, because it
# vanishes at $w_{DA}$ only and $L_{DA}$ is convex there. So each small step points left, away from $w_R$.
#
# <details><summary><b>Predict before you scroll:</b> above the range, for α > |F|/|R|, the pretrained weight is
# larger than the oracle's and descent-ascent starts in the right direction. Does it end nearer to the oracle, or
# farther?</summary>It passes <i>through</i> the oracle and ends farther away, always. The next chapter proves
# it.</details>
#
# Both ends of the range are exact in the paper's sense, and the two sides beyond are different.
#
# **Below it** ($\alpha <$ {glue:text}`one_dimension_low:.4f` here) the first comparison turns round:
# $w_D < w_{DA} < w_R$. With so few forget samples descent-ascent goes the right way and does not even overshoot: it
# *helps*.
#
# **Above it** ($\alpha >$ {glue:text}`one_dimension_high:.4f` here) the second comparison turns round: $w_D > w_R$.
# Descent-ascent lowers a weight that is too large, passes *through* the oracle, and goes on to the far side of zero or
# to $-\infty$. Stopping at the right moment would be perfect. One would only have to know the moment.
#
# We try the order on random problems: set sizes over four decades, ridges over nine, whole numbers of samples, $\alpha$
# in and out of the range.

# %%
show_source(one_dimension.lemma3_range, one_dimension.last_alpha,
            one_dimension.regime, one_dimension.random_problems)
many = one_dimension.random_problems(np.random.default_rng(seed), problems)
ends, a = one_dimension.lemma3_range(many), many.alpha
d, retrained, da = (stationary(many, o) for o in OBJECTIVES)
da = np.where(np.isnan(da), -np.inf, da)  # without a stationary point: −∞
room = 1e-9 * (1 + retrained)  # rounding
where = np.select([a < ends[0], a <= ends[1]], ["below", "inside"], "above")
order = {
    "below": ("w_D ≤ w_DA ≤ w_R", (d <= da + room) & (da <= retrained + room)),
    "inside": ("w_DA ≤ w_D ≤ w_R", (da <= d + room) & (d <= retrained + room)),
    "above": ("w_DA ≤ 0 < w_R ≤ w_D", (d >= retrained - room) & (da <= room)),
}
figures.table(panels.orders(order, where))

# %% [markdown]
# ## Two slips in the printed text
#
# Each with the computation that shows it. First, the loss: with $e^{+y h}$, as printed, a *larger* margin costs more.
# We minimise that form as it stands. Second, the branches of regime II: we put random problems on both and look at the
# sign of the second derivative, and at where gradient descent ends.

# %%
pull = one_dimension.pull(base, "R")
printed = minimize(
    lambda v: pull * np.exp(v[0]) + lam / 2 * v[0] ** 2, [0.0], tol=1e-10
).x[0]
chosen = one_dimension.regime(many) == 1
names = ("n_retain", "n_forget", "r", "alpha", "lam")
both = OneCoordinate(*(getattr(many, name)[chosen] for name in names))
w0, w1 = (stationary(both, "DA", branch) for branch in (0, -1))
clear = w0 - w1 > 0.2  # where the branches meet the second derivative vanishes
path = alternating.iterate(
    lambda v: alternating.simultaneous_step(both, v, 1 / both.lam),
    d[chosen], 1000,
)
settled = float(np.abs(path[-1] - w0)[clear].max())
bends = [one_dimension.curvature(both, w, "DA")[clear] for w in (w0, w1)]

# %%
verdicts.erratum(
    "loss-sign",
    where="Section 4, definition of the loss",
    printed="e^{y h}", ours="e^{-y h}",
    shown_by=f"With the printed sign retraining ends at w = {printed:.3f}: a "
    "negative margin, so that every training sample on the coordinate is "
    "misclassified. With the minus sign it ends at "
    f"{stationary(base, 'R'):.3f}, the paper's own closed form.",
    checks={
        "with the printed sign training misclassifies its samples":
            bool(printed < 0),
        "with the minus sign the closed forms hold": bool(furthest < 1e-8),
    },
)

# %%
verdicts.erratum(
    "lambert-branches",
    where="App. F, the regime with two stationary points",
    printed="W₋₁ gives the local minimum and W₀ the local maximum",
    ours="W₀ ∈ (−1, 0) gives the local minimum and W₋₁ < −1 the local maximum",
    shown_by=f"On {int(chosen.sum())} random problems of this regime the "
    "second derivative is positive at W₀ and negative at W₋₁; gradient descent "
    f"from the pretrained weight ends at W₀ to within {settled:.0e}.",
    checks={
        "the second derivative is positive at W₀": bool(np.all(bends[0] > 0)),
        "the second derivative is negative at W₋₁": bool(np.all(bends[1] < 0)),
        "gradient descent on L_DA ends at W₀": bool(settled < 1e-6),
    },
)  # fmt: skip

# %% [markdown]
# ## Exercises
#
# ```{exercise}
# :label: one_dimension-ex-slope
# From $w\,e^w = z$ derive $\mathrm dw/\mathrm d\ln z = w/(1+w)$ on the principal branch. What does it say about a pull
# that grows by one percent, for a tiny and for a huge ridge?
# ```
#
# ```{solution} one_dimension-ex-slope
# :class: dropdown
# Take logarithms, $\ln w + w = \ln z$, and differentiate: $\mathrm dw\,(1/w + 1) = \mathrm d\ln z$. For a tiny ridge
# $w$ is large and the weight grows by nearly a hundredth, whatever the ridge; for a huge one $w \approx z$ is small and
# so is the change. The next chapter turns this into Lemma 4.
# ```
#
# ```{exercise}
# :label: one_dimension-ex-third
# At most $\alpha = |F|/r$ forget samples fit on the coordinate. Show that regime III is empty when
# $r/|R| + \lambda/e \ge 1$. Why does a large group ($r$ close to $|R|$) never reach it?
# ```
#
# ```{solution-start} one_dimension-ex-third
# :class: dropdown
# ```
# The last $\alpha$ is $\frac{|F|}{|R|} + \frac{\lambda|F|}{e\,r}$; it reaches $|F|/r$ exactly if, times $r/|F|$,
# $\frac{r}{|R|} + \frac{\lambda}{e} \ge 1$. With $r = |R|$ even all of $F$ on the coordinate only cancels the pull of
# $R$: $A_{DA} = 0$.

# %%
whole = OneCoordinate(900, 100, 900, alpha=100 / 900, lam=lam)
print(one_dimension.pull(whole, "DA"), one_dimension.regime(whole))

# %% [markdown]
# ```{solution-end}
# ```
#
# How *far* is the wrong side, and from which $\alpha$ on does descent-ascent harm at all? The
# [next chapter](threshold.ipynb) answers both, and decides the paper's claim.
