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
# # How much harm, and from where on
#
# ```{admonition} At a glance
# :class: glance
# **You will see** the exact number of forget samples above which descent-ascent ends farther from its target than it
# began, for every convex loss; and how far it can go, while training itself stays put.
#
# **In the paper** Section 4, Lemmas 3-5, Corollary 1 {cite}`mavrothalassitis2025ascent`. The threshold is ours.
#
# **Runtime** about 20 s on one core.
#
# **Parameters** [listed below](threshold-parameters): the sizes of the sets, the ridge.
#
# **Rerun** `unlearning run threshold -p lam 0.02 --out runs/threshold`
# ```
#
# ```{admonition} The paper claims
# :class: paper
# Training is stable: whatever the ridge, the pretrained model stays close to the oracle. Descent-ascent is not: it can
# end arbitrarily far away, on the other side, for $|F|^2/(|R|(|F|+|D|)) \le \alpha \le |F|/|R|$.
# ```

# %% [markdown]
# (threshold-parameters)=
# ## Parameters

# %% tags=["parameters"]
n_retain: int = 900  # |R|, size of the retain set (samples) [200, 2000]
n_forget: int = 100  # |F|, size of the forget set (samples) [1, 100]
r: int = 100  # retain samples on our coordinate (samples) [1, 100]
lam: float = 0.1  # ridge coefficient λ (dimensionless) [0.01, 1]
problems: int = 20000  # random problems per lemma (problems) [2000, 200000]
seed: int = 0  # seed of the random problems [0, 1000000]

# %% [markdown]
# ## What this chapter calls
#
# The setting is that of [the previous chapter](one_dimension.ipynb): one coordinate with $r$ retain and $\alpha r$
# forget samples, three pulls $A_D$, $A_R$, $A_{DA}$, and weights that solve $w = (A/\lambda)\,e^{-w}$.
#
# | symbol | meaning |
# | --- | --- |
# | $A$, $z = A/\lambda$ | pull of an objective, argument of Lambert's $W$ |
# | $w_D$, $w_R$, $w_{DA}$ | pretrained weight, oracle, end of descent-ascent |
# | $\rho$ | weight of the ascent beside the descent; 1 in the paper |
# | $\alpha^\star$ | threshold of harm (ours) |
# | $\varphi$, $\psi = -\varphi'$ | loss of a sample as a function of its margin, and its force |
# | $\kappa = \alpha\lvert R\rvert/\lvert F\rvert$ | $\alpha$ in units of the border of regime I |

# %%
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.optimize import newton

from panels import interactive
from panels import threshold as panels
from unlearning.page import figures, verdicts
from unlearning.page.gluing import glue_numbers
from unlearning.page.source import show_source
from unlearning.theory import alternating, one_dimension
from unlearning.theory.one_dimension import (OBJECTIVES, OneCoordinate,
                                             stationary)

base = OneCoordinate(n_retain, n_forget, r, alpha=0.0, lam=lam)
high = n_forget / n_retain  # end of regime I and of Lemma 3's range
show_source(one_dimension.harm_threshold, one_dimension.stationary_logistic)

# %% [markdown]
# ## The threshold of harm
#
# Lemma 3 guarantees $w_{DA} \le w_D \le w_R$ for $\alpha$ between $|F|^2/(|R|(|F|+|D|))$ and $|F|/|R|$. Its lower end
# turns out to be more than the end of a guarantee. It is the exact border of harm, on both sides of $|F|/|R|$.
#
# <details><summary><b>Predict before you scroll:</b> with how many forget samples does descent-ascent start to harm:
# does that depend on the ridge, on the size of the group, on the loss?</summary>On none of them: only on the sizes of
# the two sets, and on how hard one ascends.</details>
#
# ````{prf:theorem} ours: the threshold of harm
# :label: threshold-theorem
# :nonumber:
#
# Let the loss of a sample be $\varphi(w)$, convex and strictly decreasing, and let the ascent have weight $\rho \ge 1$,
# so that $A_{DA} = \big(\tfrac{1}{|R|} - \tfrac{\rho\,\alpha}{|F|}\big) r$. Descent-ascent ends (at a stationary point,
# or at $-\infty$ where there is none) farther from the oracle than the pretrained weight **if and only if**
#
# $$
# \alpha \;>\; \alpha^\star = \frac{|F|^2}{|R|\,\big(|F| + \rho\,|D|\big)} ,
# $$ (threshold-eq-threshold)
#
# and strictly nearer for $0 < \alpha < \alpha^\star$: for every $\lambda > 0$ and every $r$.
# ````
#
# ````{prf:proof}
# Let $\psi = -\varphi' > 0$; it does not increase. A stationary point satisfies $w = z\,\psi(w)$ with $z = A/\lambda$.
#
# *Step 1, order.* For $z \ge 0$ the left side minus the right side increases with $w$, so there is one solution; it
# grows with $z$. For $z < 0$ every solution is negative.
#
# *Step 2, where $\alpha \le |F|/|R|$.* $A_{DA} \le A_R$ and $A_D \le A_R$: both ends lie on the left of the oracle, and
# farther means smaller. By step 1, $w_{DA} < w_D$ exactly if $A_{DA} < A_D$ (if $A_{DA} < 0$, both hold). That is
# $\frac{1}{|R|} - \frac{\rho\alpha}{|F|} < \frac{1+\alpha}{|D|}$, or
# $\alpha\big(\frac{1}{|D|} + \frac{\rho}{|F|}\big) > \frac{1}{|R|} - \frac{1}{|D|} = \frac{|F|}{|R||D|}$: multiply by
# $|D||F|/(|F|+\rho|D|)$.
#
# *Step 3, where $\alpha > |F|/|R|$.* This is above $\alpha^\star$, so DA must end farther. Now
# $z_{DA} < 0 < z_R < z_D$, hence $w_{DA} < 0 < w_R < w_D$. Since $\psi$ does not increase,
# $\psi(w_D) \le \psi(w_R) \le \psi(w_{DA})$, and therefore
#
# $$
# w_D = z_D\,\psi(w_D) \le z_D\,\psi(w_R), \qquad w_{DA} = z_{DA}\,\psi(w_{DA}) \le z_{DA}\,\psi(w_R).
# $$
#
# Subtract $w_R = z_R\,\psi(w_R)$ from the first and the second from it: $w_D - w_R \le (z_D - z_R)\,\psi(w_R)$ and
# $w_R - w_{DA} \ge (z_R - z_{DA})\,\psi(w_R)$. It remains to see that $z_D - z_R < z_R - z_{DA}$, that is
# $A_D + A_{DA} < 2 A_R$. Divide by $r$ and sort:
# $\alpha\big(\frac{1}{|D|} - \frac{\rho}{|F|}\big) < \frac{1}{|R|} - \frac{1}{|D|}$. The left side is negative, because
# $|F| < |D|$ and $\rho \ge 1$; the right side is positive. Where no stationary point exists the distance is infinite.
# ````
#
# So the paper's lower end is sharp for the *end* of descent-ascent, its upper end limits only "by every step". The
# polynomial parts of the proof are also proved by machine, for all parameters, in the chapter on
# [the map of harm](harm_map.ipynb).
#
# ```{admonition} Our comment: regimes II and III belong to the exponential loss
# :class: ours
# With the **logistic loss** $\ln(1+e^{-w})$, $\psi(w) = 1/(1+e^w)$, stationarity reads $w\,(1+e^w) = z$. The left side
# has the slope $1 + (1+w)\,e^w \ge 1 - e^{-2} > 0$: one solution for *every* $z$, positive or negative. There is no
# local minimum without a floor and no run to $-\infty$: the ascent on a sample never pulls with more than a unit force.
# Regimes II and III vanish, and the threshold stays where it is.
# ```

# %% [markdown]
# ### One example by hand
#
# $|R| = 900$, $|F| = 100$, $r = 100$: $\alpha^\star = \frac{100^2}{900\,(100 + 1000)} = \frac{1}{99}$. So one forget
# sample on the coordinate ($\alpha = \frac{1}{100}$) is below the threshold and descent-ascent helps, by a little; two
# ($\alpha = \frac{2}{100}$) are above and it harms. With ascent twice as strong, $\rho = 2$,
# $\alpha^\star = \frac{10}{900\cdot 21/10} = \frac{1}{189}$, and already one harms.

# %%
count = np.array([1, 1, 2])
rho = np.array([1.0, 2.0, 1.0])
example = OneCoordinate(900, 100, 100, alpha=count / 100, lam=1 / 10)
before = stationary(example, "D") - stationary(example, "R")
after = stationary(example, "DA", weight=rho) - stationary(example, "R")
figures.table(pd.DataFrame({
    "forget samples": count, "ρ": rho,
    "distance before": np.abs(before), "distance after": np.abs(after),
}))  # fmt: skip

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Where descent-ascent ends against where it began, as a ratio of distances to the oracle, for α in units of the threshold α* (vertical line) and several ridges. Left: exponential loss; right: logistic loss. Every curve crosses one exactly at the threshold. The peaks are at α = |F|/|R|, where the pretrained model is the oracle.", "name": "threshold-figure"}}
figures.show(*panels.threshold(base, [0.01, 0.1, 1.0]), alt=(
    "Ratios of distances against alpha over its threshold. All curves, for three ridges and two losses, pass through one "
    "at the threshold, lie below one to its left and above one to its right."))

# %% [markdown]
# Move $\alpha$ yourself. Descent-ascent (circle) starts on the oracle (diamond), runs to the left, passes the
# pretrained weight (square) at the threshold, and never turns back.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The three pulls and the three weights, recomputed in the page as α moves. Bars: the pulls A of pretraining (blue), oracle (green) and descent-ascent (vermilion). Below: the weights they lead to. In the still frame the pretrained weight stands between the oracle and the end of descent-ascent.", "name": "threshold-live"}}
interactive.show(**panels.pulls(base), alt=(
    "Three horizontal bars, the pulls, and a number line with the three weights: descent-ascent on the left, the "
    "pretrained weight close to the oracle on the right."))

# %% [markdown]
# ### On random problems
#
# Set sizes over four decades, ridges over nine, whole numbers of samples, $\alpha$ below and above the threshold.

# %%
many = one_dimension.random_problems(np.random.default_rng(seed), problems)
ends = one_dimension.lemma3_range(many)
star = one_dimension.harm_threshold(many)
d, retrained, da = (stationary(many, o) for o in OBJECTIVES)
da = np.where(np.isnan(da), -np.inf, da)  # without a stationary point: −∞
room = 1e-9 * (1 + retrained)  # rounding
a = many.alpha
in_range = (a >= ends[0]) & (a <= ends[1])
ordered = (da <= d + room) & (d <= retrained + room)
wrong3 = int(sum(in_range & ~ordered))

# %%
def ends_farther(start, oracle, end):
    """Farther (+1), nearer (−1), or too close to call (0)."""
    gain = np.abs(end - oracle) - np.abs(start - oracle)
    return np.sign(np.where(np.abs(gain) < room, 0, gain))


exponential = ends_farther(d, retrained, da)
logistic = ends_farther(*(one_dimension.stationary_logistic(many, o)
                          for o in OBJECTIVES))
side = np.sign(a - star)
against = [int(np.sum(seen * side < 0)) for seen in (exponential, logistic)]
places = {"below α*": a < star, "α* to |F|/|R|": in_range, "above": a > ends[1]}
figures.table(pd.DataFrame({
    "α": list(places),
    "problems": [sum(chosen) for chosen in places.values()],
} | {
    name: [f"{np.mean(far[chosen] > 0):.1%}" for chosen in places.values()]
    for name, far in zip(("ends farther", "logistic loss"),
                         (exponential, logistic), strict=True)
}))
glue_numbers("threshold", against=sum(against))

# %% [markdown]
# A missing stationary point counts as $w_{DA} = -\infty$. The last two columns compare where descent-ascent ends with
# where it began. Problems that contradict {eq}`threshold-eq-threshold`, for both losses together:
# {glue:text}`threshold_against`.
#
# ## Stable and unstable
#
# How *large* is the harm? The pretrained model and the oracle are close, whatever the ridge.
#
# ````{prf:lemma} 4 of the paper: training is stable
# :label: threshold-lemma4
# :nonumber:
#
# For all $\lambda > 0$ and $\alpha > 0$
#
# $$
# |w_D - w_R| \;\le\; \Big|\ln\frac{(1+\alpha)|R|}{|D|}\Big| .
# $$ (threshold-eq-lemma4)
# ````
#
# ````{prf:proof}
# Take logarithms of $w e^w = z$: $\ln w + w = \ln z$, so $\mathrm{d}w/\mathrm{d}\ln z = w/(1+w) < 1$. The logarithms of
# the two arguments differ by the right-hand side, in which $\lambda$ has cancelled.
# ````
#
# Descent-ascent enjoys no such protection.
#
# ````{prf:lemma} 5 of the paper: descent-ascent is not
# :label: threshold-lemma5
# :nonumber:
#
# For $\alpha \ge |F|/|R|$, as long as a stationary $w_{DA}$ exists, $|w_R - w_{DA}| \ge W_0\big(r/(\lambda|R|)\big)$,
# with equality at $\alpha = |F|/|R|$.
# ````
#
# ````{prf:proof}
# Then $w_{DA} \le 0 < w_R$, so the distance is at least $w_R$ itself; at $\alpha = |F|/|R|$ the pull vanishes and
# $w_{DA} = 0$.
# ````
#
# ````{prf:corollary} 1 of the paper
# :label: threshold-corollary1
# :nonumber:
#
# As $\lambda \to 0$ and $\alpha \to |F|/|R|$: $\;|w_R - w_D| \to 0$, while $|w_R - w_{DA}| \to \infty$.
# ````

# %%
show_source(one_dimension.lemma4_bound, one_dimension.lemma5_bound)
bound4 = one_dimension.lemma4_bound(many) * (1 + 1e-9) + 1e-12  # rounding
wrong4 = int(sum(np.abs(d - retrained) > bound4))
applies5 = (a >= ends[1]) & np.isfinite(da)
bound5 = one_dimension.lemma5_bound(many) - 1e-12
short = [retrained - end < bound5 for end in (da, stationary(many, "DA", -1))]
wrong5 = int(sum(applies5 & (short[0] | short[1])))  # on both branches
edge = replace(many, alpha=np.minimum(ends[1], many.n_forget / many.r))
equal5 = bool(np.all(stationary(edge, "DA") == 0))  # so that the bound is met
print(f"Lemma 4: {wrong4} violations in {problems} problems")
print(f"Lemma 5: {wrong5} violations in {sum(applies5)} problems it applies to")
print(f"         w_DA = 0 at α = |F|/|R| in all problems: {equal5}")

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Distance to the oracle as the ridge λ goes to zero, for α at several fractions κ of |F|/|R|. Left: the pretrained model stays within Lemma 4's bound (dotted). Right: descent-ascent. At κ = 1 the distance is Lemma 5's bound and grows like ln(1/λ); for every smaller κ it levels off at ln(1/(1−κ)) (dotted).", "name": "threshold-stability"}}
figures.show(*panels.stability(base, [0.5, 0.9, 0.99, 1.0]), alt=(
    "Left: distance between pretrained model and oracle against the ridge, each curve flat below its dotted bound. "
    "Right: distance between descent-ascent and oracle; the curve at alpha = |F|/|R| grows without limit as the ridge "
    "goes to zero, the others level off."))

# %% [markdown]
# The corollary is a **double limit**: it must hold however $(\lambda, \kappa)$, $\kappa = \alpha|R|/|F|$, goes to the
# corner $(0, 1)$. It is enough that the distance of descent-ascent grows in $1/\lambda$ and in $\kappa$ *separately*,
# and is unbounded: then beyond any point of a path it is at least what it is there. We look at a grid.

# %%
ridge, kappa = np.meshgrid(10.0 ** -np.arange(0, 13.0),
                           1 - 10.0 ** -np.arange(0.5, 12), indexing="ij")
corner = replace(base, alpha=kappa * high, lam=ridge)
gap_da = stationary(corner, "R") - stationary(corner, "DA")
gap_d = np.abs(stationary(corner, "R") - stationary(corner, "D"))
separately = all(np.all(np.diff(gap_da, axis=k) > 0) for k in (0, 1))
grows = bool(separately and gap_da[-1, -1] > 3 * gap_da[0, 0])
vanishes = bool(gap_d[-1, -1] < 1e-10)
glue_numbers("threshold", cor_d=gap_d[-1, -1], cor_da=gap_da[-1, -1],
             level=-np.log1p(-0.99))

# %% [markdown]
# In the last cell of the grid the pretrained model is {glue:text}`threshold_cor_d:.0e` from the oracle and
# descent-ascent {glue:text}`threshold_cor_da:.1f`.
#
# ````{admonition} Our comment
# :class: ours
# The corollary needs **both** limits. For fixed $\kappa < 1$ the proof of {prf:ref}`Lemma 4 <threshold-lemma4>` applies
# to descent-ascent as well, with arguments that differ by the factor $1-\kappa$: the distance never exceeds
# $\ln\frac{1}{1-\kappa}$, for $\kappa = 0.99$ that is {glue:text}`threshold_level:.1f`. And the growth at $\kappa = 1$
# is logarithmic: a thousandfold smaller ridge adds about $\ln 1000 \approx 7$. The instability is real, but it is sharp
# in $\alpha$ and slow in $\lambda$.
# ````
#
# ## What we found
#
# Lemmas 3, 4 and 5 hold without exception, with whole numbers of samples and on their borders. What the statement
# "every step harms" needs is the range; what "the end harms" needs is only $\alpha > \alpha^\star$.

# %%
def by_newton(problem, objective):
    """Minimiser by Newton's method from w = 0.5."""
    return newton(
        lambda v: one_dimension.gradient(problem, v, objective), 0.5,
        fprime=lambda v: one_dimension.curvature(problem, v, objective),
        tol=1e-14, maxiter=200,
    )  # fmt: skip


alphas = high * np.array([0.05, 0.5, 1.0])
tried = [replace(base, alpha=float(alpha)) for alpha in alphas]
furthest = max(abs(by_newton(problem, o) - stationary(problem, o))
               for problem in tried for o in OBJECTIVES)  # fmt: skip

# %%
verdicts.decide(
    "C8",
    evidence=f"{problems} random problems: {wrong3} violations of Lemma 3 in "
    f"its range ({sum(in_range)} problems), {wrong4} of Lemma 4, {wrong5} of "
    f"Lemma 5 ({sum(applies5)} problems); Newton's method agrees with the "
    f"closed forms to {furthest:.0e}",
    checks={
        "Lemma 2: the closed forms agree with Newton's method to 1e-8":
            bool(furthest < 1e-8),
        "Lemma 3: w_DA ≤ w_D ≤ w_R in its whole range": wrong3 == 0,
        "Lemma 4 bounds the pretrained model's distance": wrong4 == 0,
        "Lemma 5 bounds descent-ascent's from below, with equality at |F|/|R|":
            wrong5 == 0 and equal5 and bool(applies5.any()),
        "Corollary 1: one distance vanishes, the other grows":
            vanishes and grows,
    },
    scale="exact",
)  # fmt: skip

# %% [markdown]
# ## Exercises
#
# ```{exercise-start}
# :label: threshold-ex-order
# ```
# Derive $\alpha^\star$ for $\rho = 1$ by ordering two pulls. How does it move if the method ascends twice as hard
# ($\rho = 2$)? With $|R| = 900$ and $|F| = 100$, how many of $r = 100$ retain samples' forget partners, $\alpha r$, may
# there be before descent-ascent harms?
# ```{exercise-end}
# ```
#
# ```{solution-start} threshold-ex-order
# :label: threshold-ex-order-solution
# :class: dropdown
# ```
# DA ends nearer as long as $A_{DA} \ge A_D$: $\frac{1}{|R|} - \frac{\rho\alpha}{|F|} \ge \frac{1+\alpha}{|D|}$, which
# gives {eq}`threshold-eq-threshold`. A larger $\rho$ lowers the threshold, nearly in proportion. The counts
# $\alpha^\star r$:

# %%
sizes = OneCoordinate(900, 100, 100, 0.0, 0.1)
for rho in (1, 2):
    print("ρ =", rho, "α*r =", 100 * one_dimension.harm_threshold(sizes, rho))

# %% [markdown]
# ```{solution-end}
# ```
#
# ```{exercise-start}
# :label: threshold-ex-finetune
# ```
# Fine-tune the pretrained weight on $R$ alone, without any ascent. Where does gradient descent on $L_R$ end? Check it
# on the random problems. Does that depend on the loss?
# ```{exercise-end}
# ```
#
# ```{solution-start} threshold-ex-finetune
# :label: threshold-ex-finetune-solution
# :class: dropdown
# ```
# $L_R$ is strictly convex, so descent ends at its only minimum, which is the oracle, from any start and for any convex
# loss. In convex problems the ascent is the only error. (In a network it is not: see
# [the toy network](toy_minima.ipynb).)

# %%
some = OneCoordinate(*(
    getattr(many, name)[:500]
    for name in ("n_retain", "n_forget", "r", "alpha", "lam")))  # fmt: skip
some = replace(some, lam=np.maximum(some.lam, 1e-3))
eta = 1 / (one_dimension.pull(some, "R") + some.lam)
tuned = alternating.iterate(
    lambda v: v - eta * one_dimension.gradient(some, v, "R"),
    stationary(some, "D"), 20000,
)[-1]  # fmt: skip
apart = np.abs(tuned - stationary(some, "R")).max()
print(f"farthest from the oracle: {apart:.0e}")

# %% [markdown]
# ```{solution-end}
# ```
#
# ```{exercise-start}
# :label: threshold-ex-exact
# ```
# Suppose you may not touch $R$ separately, but you may *descend on all of $D$* and ascend on $F$ with a weight $\rho$
# of your choice: $L_D - \rho\,\ell_F$, $\ell_F$ the mean loss on $F$. Which $\rho$ has the oracle's loss terms exactly,
# up to a factor?
# ```{exercise-end}
# ```
#
# ```{solution-start} threshold-ex-exact
# :label: threshold-ex-exact-solution
# :class: dropdown
# ```
# The mean over $D$ is $(1-f)$ times the mean over $R$ plus $f$ times the mean over $F$, $f = |F|/|D|$. So $\rho = f$
# cancels $F$ and leaves $1-f$ times the mean over $R$: the oracle's loss with the ridge $\lambda/(1-f)$ in place of
# $\lambda$. Scale the ridge by $1-f$ and it is the oracle. That is the line that opens [this part](one_dimension.ipynb)
# again: the right ascent weight is $f$, not $1+f$.

# %%
f = n_forget / (n_retain + n_forget)
middle = replace(base, alpha=high / 2)
forget = middle.alpha * r / n_forget  # pull of the mean loss on F
left = one_dimension.pull(middle, "D") - f * forget
print(left / (1 - f) - one_dimension.pull(middle, "R"))

# %% [markdown]
# ```{solution-end}
# ```
#
# Nobody computes the gradient of $L_{DA}$: practical methods *alternate*. That is the
# [next chapter](alternating.ipynb). In the one after it, forget and retain samples are no longer identical to the
# model, but merely [correlated](correlated.ipynb).
