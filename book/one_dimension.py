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
# end, when descent-ascent walks away from its target, and when it has no place to end at all.
#
# **In the paper** Section 4, Lemmas 2-5, Corollary 1, App. D.3 and F {cite}`mavrothalassitis2025ascent`.
#
# **Runtime** about 20 s on one core.
#
# **Parameters** [listed below](one_dimension-parameters): the sizes of the sets, the ridge, the step sizes.
#
# **Rerun** `unlearning run one_dimension -p lam 0.02 --out runs/one_dimension`
# ```

# %% [markdown]
# (one_dimension-parameters)=
# ## Parameters

# %% tags=["parameters"]
n_retain: int = 900  # |R|, size of the retain set (samples) [200, 2000]
n_forget: int = 100  # |F|, size of the forget set (samples) [1, 100]
r: int = 100  # retain samples on our coordinate (samples) [1, 100]
lam: float = 0.1  # ridge coefficient λ (dimensionless) [0.01, 1]
etas: list[float] = [0.001, 0.01, 0.1, 0.5]  # step sizes η (dimensionless) [1e-3, 0.5]
horizon: float = 20.0  # time ηk for which k steps are followed (dimensionless) [5, 100]
problems: int = 20000  # random problems per lemma (problems) [2000, 200000]
seed: int = 0  # seed of the random problems [0, 1000000]

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
# $w_{DA}$ for the points where their derivatives vanish. $w_D$ is the pretrained model, and $w_R$ is the **oracle**, the
# model that never saw $F$.
#
# Now let the data be **block-orthogonal**: every sample has a single non-zero coordinate $j$, and there $y\,x_j = 1$. Then
# the loss falls apart into one problem per coordinate. Think of a coordinate as a group of people who look alike to
# the model: some of them stay, some ask to be forgotten. On our coordinate there are $r$ retain samples and $\alpha r$
# forget samples; $\alpha$ is the number of forget samples **per** retain sample. All three objectives take the form
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
# Pretraining and retraining always pull to the right. Descent-ascent pulls to the
# right for $\alpha < |F|/|R|$ and to the left beyond: then our coordinate holds more than its fair share of the forget
# set.
#
# The data sets themselves are gone now; five numbers are left.

# %%
from dataclasses import replace

import numpy as np
import pandas as pd
from myst_nb import glue
from scipy.optimize import brentq, minimize, newton

from unlearning.page import figures, verdicts
from unlearning.theory import one_dimension


def note(**values):
    """Make computed numbers available to the text, as one_dimension_<name>."""
    for name, value in values.items():
        value = value if isinstance(value, int) else float(value)
        glue(f"one_dimension_{name}", value, display=False)


base = one_dimension.OneCoordinate(n_retain, n_forget, r, alpha=0.0, lam=lam)
low, high = one_dimension.lemma3_range(base)  # the two ends of Lemma 3, see below
last = one_dimension.last_alpha(base)  # the largest α with a stationary point, see below
most = n_forget / r  # the largest α there is: all of F on our coordinate


def at(alpha, **changes):
    """Our problem with another α (a number or an array) and possibly another λ."""
    return replace(base, alpha=alpha, **changes)


# %% [markdown]
# ## Lambert's W
#
# Set the derivative of {eq}`one_dimension-eq-form` to zero: $\lambda w = A e^{-w}$. Bring the exponential to the other
# side,
#
# $$
# w\,e^{w} = z, \qquad z = \frac{A}{\lambda}.
# $$ (one_dimension-eq-wew)
#
# No elementary function solves this for $w$. Its solution has a name, as the solution of $e^w = z$ has one: it is called
# **Lambert's W** {cite}`corless1996lambert`, so $w = W(z)$. The left picture below shows all there is to know. The
# function $w e^w$ falls until $w = -1$, where it reaches its lowest value $-1/e$, and then rises forever. So a level $z$
# is met
#
# - once, if $z \ge 0$: by the **principal branch** $W_0$, at $w \ge 0$;
# - twice, if $-1/e < z < 0$: by $W_0$ at some $w\in(-1, 0)$ and by the **lower branch** $W_{-1}$ at some $w < -1$;
# - never, if $z < -1/e$.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Left: the curve $w e^w$ and three levels z. A positive level (dotted) is met once, a slightly negative one twice, one below −1/e never. Right: the same curve read from the other axis is Lambert's W, with its principal branch (solid) and its lower branch (dashed).", "name": "one_dimension-lambert"}}
w = np.linspace(-4.5, 1.05, 500)
lower, principal = w <= -1, w >= -1
levels = [(0.8, "z = 0.8: one solution"), (-0.2, "z = −0.2: two"), (-0.6, "z = −0.6: none")]
with figures.style():
    left, ax = figures.panel()
    ax.plot(w[principal], (w * np.exp(w))[principal], color=figures.COLORS["pretrained"])
    ax.plot(w[lower], (w * np.exp(w))[lower], "--", color=figures.COLORS["ascent"])
    for z, text in levels:
        ax.axhline(z, ls=":", color=figures.COLORS["neutral"], lw=1.4)
        ax.text(-4.5, z - 0.04, text, fontsize=9.5, va="top")
    ax.plot(-1, -np.exp(-1), "o", color=figures.INK, ms=5)
    ax.annotate("lowest point\n$(-1, -1/e)$", (-1, -np.exp(-1)), (-2.2, -0.95), fontsize=9.5, va="center",
                arrowprops={"arrowstyle": "-", "color": figures.INK, "lw": 0.8})  # fmt: skip
    ax.set(xlabel="$w$", ylabel="$w\\,e^w$", ylim=(-1.2, 1.5))
    right, ax = figures.panel()
    ax.plot((w * np.exp(w))[principal], w[principal], color=figures.COLORS["pretrained"], label="$W_0$")
    ax.plot((w * np.exp(w))[lower], w[lower], "--", color=figures.COLORS["ascent"], label="$W_{-1}$")
    ax.axvline(-np.exp(-1), ls=":", color=figures.COLORS["neutral"])
    ax.text(-np.exp(-1) + 0.03, 0.9, "$z = -1/e$", fontsize=9.5, va="top")
    ax.set(xlabel="$z$", ylabel="$W(z)$", xlim=(-0.6, 1.5))
    ax.legend(loc="lower right")
figures.show(left, right, alt=(
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
# The library evaluates them in `unlearning.theory.one_dimension.stationary`. One trap lies there: as $\lambda\to 0$ the
# argument $A/\lambda$ overflows although $W_0$ of it is a modest number. For $A > 0$ we therefore compute
# $W_0(e^s)$ with $s = \ln A - \ln\lambda$ directly; SciPy calls this function Wright's $\omega(s)$.
#
# A formula is only as good as its check. We minimise each objective twice without any formula: by SciPy's
# Newton method, and by plain gradient descent.

# %%
def by_newton(problem, objective):
    """Minimiser by Newton's method from w = 0.5."""
    return newton(
        lambda v: one_dimension.gradient(problem, v, objective),
        0.5,
        fprime=lambda v: one_dimension.curvature(problem, v, objective),
        tol=1e-14,
        maxiter=200,
    )


def by_descent(problem, objective):
    """Minimiser by gradient descent from w = 0, with a step safe for every objective."""
    eta = 1 / (one_dimension.pull(problem, "D") + one_dimension.pull(problem, "R") + problem.lam)

    def step(v):
        return v - eta * one_dimension.gradient(problem, v, objective)

    return one_dimension.iterate(step, np.zeros_like(eta), 8000)[-1]


tried = at(np.array([low / 2, (low + high) / 2, high, (high + min(last, most)) / 2]))
check = pd.concat(
    pd.DataFrame({
        "objective": objective,
        "α": tried.alpha,
        "closed form": one_dimension.stationary(tried, objective),
        "Newton": [by_newton(at(a), objective) for a in tried.alpha],
        "gradient descent": by_descent(tried, objective),
    })
    for objective in one_dimension.OBJECTIVES
)
difference = check[["Newton", "gradient descent"]].sub(check["closed form"], axis=0)
furthest = difference.abs().to_numpy().max()
note(furthest=furthest)
shown = check[["objective"]].assign(**{
    "α": check["α"].map("{:.4f}".format),
    "closed form": check["closed form"].map("{:.10f}".format),
    "Newton minus it": difference["Newton"].map("{:.0e}".format),
    "descent minus it": difference["gradient descent"].map("{:.0e}".format),
})
figures.table(shown)

# %% [markdown]
# The largest disagreement is {glue:text}`one_dimension_furthest:.0e`. The formulas stand.

# %% [markdown]
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
#    local maximum at $W_{-1} < -1$.
# 3. Beyond, **no stationary point exists**. Nothing stops the weight on its way to $-\infty$.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Left: the three solutions against α. I: one global minimum; II: a local minimum (solid) and a local maximum (thin dashed), which meet at w = −1; III: nothing. The bar at the bottom is the range of Lemma 3. Right: distance to the oracle, both axes logarithmic. Left of the bar descent-ascent ends nearer to the oracle than it started; along the bar, and to the right of it, farther. Where α = |F|/|R| the pretrained model equals the oracle.", "name": "one_dimension-regimes"}}
pale = [figures.COLORS["retain"], figures.COLORS["forget"], figures.COLORS["ascent"]]
right_end = min(most, 1.3 * last)
w_r = one_dimension.stationary(base, "R")


def shade(ax, start):
    """Shade the three regimes from α = start on, and number them I, II, III."""
    edges = [start, high, last, right_end]
    for i in range(3):
        ax.axvspan(edges[i], edges[i + 1], color=pale[i], alpha=0.13, lw=0)
        ends = np.array(edges[i : i + 2])
        middle = np.sqrt(ends.prod()) if ax.get_xscale() == "log" else ends.mean()
        ax.text(middle, 0.97, ("I", "II", "III")[i], transform=ax.get_xaxis_transform(), ha="center", va="top", fontsize=10)


def bar(ax, height):
    """Mark the range of Lemma 3 by a bar at a height in axes units."""
    ax.plot([low, high], [height] * 2, color=figures.INK, lw=4, solid_capstyle="butt", transform=ax.get_xaxis_transform())
    middle = np.sqrt(low * high) if ax.get_xscale() == "log" else (low + high) / 2
    ax.text(middle, height + 0.03, "Lemma 3", transform=ax.get_xaxis_transform(), ha="center", va="bottom", fontsize=9.5)


alphas = np.linspace(0, right_end, 801)
curve = at(alphas)
w_d, w_da = one_dimension.stationary(curve, "D"), one_dimension.stationary(curve, "DA")
logs = np.geomspace(low / 10, right_end, 1601)
with figures.style():
    left, ax = figures.panel()
    shade(ax, 0)
    bar(ax, 0.04)
    ax.axhline(w_r, color=figures.COLORS["oracle"], ls="--", label="oracle $w_R$")
    ax.plot(alphas, w_d, color=figures.COLORS["pretrained"], label="pretrained $w_D$")
    ax.plot(alphas, w_da, color=figures.COLORS["ascent"], lw=2.4, label="DA $w_{DA}=W_0$")
    ax.plot(alphas, one_dimension.stationary(curve, "DA", branch=-1), "--", color=figures.COLORS["ascent"], lw=1.1,
            label="maximum $W_{-1}$")  # fmt: skip
    ax.set(xlabel="α (forget per retain sample)", ylabel="weight $w$", xlim=(0, right_end),
           ylim=(-3.4, max(w_d.max(), w_r) + 1.0))  # fmt: skip
    ax.legend(loc="center left", bbox_to_anchor=(0.0, 0.45))
    right, ax = figures.panel()
    ax.set(xscale="log", yscale="log")
    shade(ax, logs[0])
    bar(ax, 0.04)
    some = at(logs)
    gap_d, gap_da = (np.abs(one_dimension.stationary(some, o) - w_r) for o in ("D", "DA"))
    ax.plot(logs, gap_d, color=figures.COLORS["pretrained"], label="pretrained")
    ax.plot(logs, gap_da, color=figures.COLORS["ascent"], lw=2.4, label="DA")
    ax.set(xlabel="α (forget per retain sample)", ylabel="distance to the oracle", xlim=(logs[0], right_end),
           ylim=(gap_d[0] / 30, np.nanmax(gap_da) * 3))  # fmt: skip
    ax.legend(loc="upper left", bbox_to_anchor=(0.0, 0.92))
figures.show(left, right, alt=(
    "Left: the pretrained weight rises slowly with alpha and crosses the constant oracle weight at |F|/|R|; the "
    "descent-ascent weight falls, is zero at |F|/|R|, meets the maximum at w = -1 and disappears. Right: the pretrained "
    "model's distance to the oracle is small everywhere; descent-ascent's crosses it where Lemma 3's range begins."))
note(low=low, high=high, last=last, problems=problems)

# %% [markdown]
# With the numbers of this page, regime I ends at $\alpha =$ {glue:text}`one_dimension_high:.4f` and regime II at
# {glue:text}`one_dimension_last:.4f`. The slider below shows what happens to the landscape on the way: the minimum moves
# to the left through zero, the floor opens on the far left, minimum and maximum approach each other, meet, and are gone.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The landscape $L_{DA}$ as α grows (move the slider), measured from its value at w = 0 in units of λ. Circle: the minimum; cross: the maximum; vertical lines: where training started (pretrained, solid) and the oracle (dashed).", "name": "one_dimension-landscape"}}
stops = np.concatenate([
    np.array([0.0, 0.25, 0.5, 0.75, 1.0]) * high,
    high + np.array([0.25, 0.5, 0.75, 1.0]) * (min(last, most) - high),
    last + np.array([0.5, 1.0]) * (right_end - last),
])  # fmt: skip
w = np.linspace(-3.2, max(w_d.max(), w_r) + 0.8, 400)
seen = [(one_dimension.loss(at(a), w, "DA") - one_dimension.loss(at(a), 0.0, "DA")) / lam for a in stops]
depth = max(1.0, -min(values[w > -1].min() for values in seen))
pictures = []
for alpha, values in zip(stops, seen):
    problem = at(alpha)
    with figures.style():
        picture, ax = figures.panel(5.2, 3.3)
        ax.plot(w, np.where(np.abs(values) < 4 * depth, values, np.nan), color=figures.COLORS["ascent"])
        ax.axvline(one_dimension.stationary(problem, "D"), color=figures.COLORS["pretrained"], label="pretrained")
        ax.axvline(w_r, color=figures.COLORS["oracle"], ls="--", label="oracle")
        for branch, marker, text in ((0, "o", "minimum"), (-1, "X", "maximum")):
            x = one_dimension.stationary(problem, "DA", branch)
            height = (one_dimension.loss(problem, x, "DA") - one_dimension.loss(problem, 0.0, "DA")) / lam
            ax.plot(x, height, marker, color=figures.INK, ms=7, ls="none", label=text)
        ax.set(xlabel="$w$", ylabel="$(L_{DA}(w)-L_{DA}(0))/\\lambda$", ylim=(-1.5 * depth, 2 * depth),
               xlim=(w[0], w[-1]))  # fmt: skip
        ax.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=4, handlelength=1.5, columnspacing=1.2)
        pictures.append(picture)
labels = [f"{a:.4f}: {one_dimension.REGIMES[one_dimension.regime(at(a))]}" for a in stops]
figures.frames(pictures, labels, name="α", start=2, alt=(
    "The descent-ascent landscape for growing alpha: a bowl with its minimum moving left, then a bowl with a barrier on "
    "its left, then a slope without any stationary point."))

# %% [markdown]
# ````{admonition} Our comment
# :class: ours
# Appendix F of the paper names the two branches the other way round. {eq}`one_dimension-eq-curvature` settles it; at the
# end of this page the slip is recorded with its computation. It matters for practice: gradient methods that start at the
# pretrained weight, which is positive, run into $W_0$ and never see $W_{-1}$.
#
# A side remark: regime III needs forget samples to exist. At most $\alpha = |F|/r$ of them fit on one coordinate, so
# the third regime is empty when $r/|R| + \lambda/e \ge 1$.
# ````

# %% [markdown]
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
# $1/|R| - \alpha/|F| \le (1+\alpha)/|D|$, that is $\alpha\,(1/|D| + 1/|F|) \ge 1/|R| - 1/|D| = |F|/(|R||D|)$; multiply by
# $|D||F|/(|D|+|F|)$.
# ````
#
# ```{admonition} The paper claims
# :class: paper
# The pretrained model stands *between* the oracle and the place where descent-ascent ends. Every step towards that
# place is then a step away from the oracle, whenever one stops. Doing nothing would be better.
# ```
#
# ### Where the guarantee ends
#
# Both ends of the range are exact, and both sides beyond are different.
#
# **Below it** ($\alpha <$ {glue:text}`one_dimension_low:.4f` here) the first comparison turns round:
# $w_D < w_{DA} < w_R$. With so few forget samples descent-ascent goes the right way and does not even overshoot: it
# *helps*.
#
# **Above it** ($\alpha >$ {glue:text}`one_dimension_high:.4f` here) the second comparison turns round: $w_D > w_R$.
# The pretrained weight is now too large, and descent-ascent, which lowers it, starts in the right direction, passes
# *through* the oracle, and goes on to the far side of zero or to $-\infty$. Here, stopping at the right moment would
# be perfect, and not stopping is worse than doing nothing. One would only have to know the moment.
#
# We try the order on random problems: set sizes over four decades, ridges over nine, $\alpha$ in and out of the range.

# %%
rng = np.random.default_rng(seed)
many = one_dimension.random_problems(rng, problems)
d, retrained, da = (one_dimension.stationary(many, o) for o in one_dimension.OBJECTIVES)
da = np.where(np.isnan(da), -np.inf, da)  # without a stationary point DA runs to −∞
ends = one_dimension.lemma3_range(many)
a = many.alpha
where = np.select([a < ends[0], a <= ends[1]], ["below", "inside"], "above")
room = 1e-9 * (1 + retrained)  # rounding
order = {
    "below": ("w_D ≤ w_DA ≤ w_R", (d <= da + room) & (da <= retrained + room)),
    "inside": ("w_DA ≤ w_D ≤ w_R", (da <= d + room) & (d <= retrained + room)),
    "above": ("w_DA ≤ 0 < w_R ≤ w_D", (d >= retrained - room) & (da <= room)),
}
farther = np.abs(da - retrained) > np.abs(d - retrained) + room
rows = [
    (f"{place} the range", text, sum(where == place), sum(~holds[where == place]),
     f"{farther[where == place].mean():.1%}")
    for place, (text, holds) in order.items()
]  # fmt: skip
columns = ["α", "order", "problems", "violations", "DA ends farther away"]
figures.table(pd.DataFrame(rows, columns=columns))
wrong3 = int(sum(~order["inside"][1][where == "inside"]))
note(above_farther=farther[where == "above"].mean())

# %% [markdown]
# A missing stationary point counts as $w_{DA} = -\infty$. The last column compares where descent-ascent ends with where
# it began. Above the range it still ends farther away in {glue:text}`one_dimension_above_farther:.1%` of the problems, but
# its way leads through the oracle.

# %% [markdown]
# ## Stable and unstable
#
# How *large* is the harm? The pretrained model and the oracle are close, whatever the ridge.
#
# ````{prf:lemma} 4 of the paper: training is stable
# :label: one_dimension-lemma4
# :nonumber:
#
# For all $\lambda > 0$ and $\alpha > 0$
#
# $$
# |w_D - w_R| \;\le\; \Big|\ln\frac{(1+\alpha)|R|}{|D|}\Big| .
# $$ (one_dimension-eq-lemma4)
# ````
#
# ````{prf:proof}
# Take logarithms of $w e^w = z$: $\ln w + w = \ln z$, so $\mathrm{d}w/\mathrm{d}\ln z = w/(1+w) < 1$. The logarithms of the
# two arguments differ by the right-hand side, in which $\lambda$ has cancelled.
# ````
#
# Descent-ascent enjoys no such protection.
#
# ````{prf:lemma} 5 of the paper: descent-ascent is not
# :label: one_dimension-lemma5
# :nonumber:
#
# For $\alpha \ge |F|/|R|$, as long as a stationary $w_{DA}$ exists,
# $|w_R - w_{DA}| \ge W_0\big(r/(\lambda|R|)\big)$, with equality at $\alpha = |F|/|R|$.
# ````
#
# ````{prf:proof}
# Then $w_{DA} \le 0 < w_R$, so the distance is at least $w_R$ itself; at $\alpha = |F|/|R|$ the pull vanishes and
# $w_{DA} = 0$.
# ````
#
# ````{prf:corollary} 1 of the paper
# :label: one_dimension-corollary1
# :nonumber:
#
# As $\lambda \to 0$ and $\alpha \to |F|/|R|$: $\;|w_R - w_D| \to 0$, while $|w_R - w_{DA}| \to \infty$.
# ````

# %%
bound4 = one_dimension.lemma4_bound(many) * (1 + 1e-9) + 1e-12  # with room for rounding
wrong4 = int(sum(np.abs(d - retrained) > bound4))
applies5 = (many.alpha >= ends[1]) & np.isfinite(da)
wrong5 = int(sum((retrained - da < one_dimension.lemma5_bound(many) - 1e-12)[applies5]))
note(wrong=wrong3 + wrong4 + wrong5)
print(f"Lemma 4: {wrong4} violations in {problems} problems")
print(f"Lemma 5: {wrong5} violations in {sum(applies5)} problems to which it applies")

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Distance to the oracle as the ridge λ goes to zero, for α at several fractions κ of |F|/|R|. Left: the pretrained model stays within Lemma 4's bound (dotted). Right: descent-ascent. At κ = 1 the distance is Lemma 5's bound and grows like ln(1/λ); for every smaller κ it levels off at ln(1/(1−κ)) (dotted).", "name": "one_dimension-stability"}}
ridges = np.geomspace(1e-12, 10, 300)
fractions = [0.5, 0.9, 0.99, 1.0]
with figures.style():
    left, ax = figures.panel()
    right, bx = figures.panel()
    for kappa, color, line in zip(fractions, figures.CYCLE, ["-", "--", "-.", "-"]):
        family = at(kappa * high, lam=ridges)
        gap_d = np.abs(one_dimension.stationary(family, "D") - one_dimension.stationary(family, "R"))
        gap_da = one_dimension.stationary(family, "R") - one_dimension.stationary(family, "DA")
        bx.plot(ridges, gap_da, line, color=color, label=f"κ = {kappa:g}")
        if kappa < 1:
            ax.plot(ridges, gap_d, line, color=color, label=f"κ = {kappa:g}")
            ax.axhline(one_dimension.lemma4_bound(at(kappa * high)), ls=":", color=color, lw=1.2)
            bx.axhline(-np.log1p(-kappa), ls=":", color=color, lw=1.2)
    ax.set(xlabel="ridge λ", ylabel="$|w_R - w_D|$", xscale="log", yscale="log")
    bx.set(xlabel="ridge λ", ylabel="$|w_R - w_{DA}|$", xscale="log")
    ax.invert_xaxis(), bx.invert_xaxis()
    ax.legend(loc="lower right"), bx.legend(loc="upper left")
figures.show(left, right, alt=(
    "Left: distance between pretrained model and oracle against the ridge, each curve flat below its dotted bound. "
    "Right: distance between descent-ascent and oracle; the curve at alpha = |F|/|R| grows without limit as the ridge "
    "goes to zero, the others level off."))

# %%
small = ridges[ridges < 1e-2]  # ascending
corner = at(high * (1 - small), lam=small)  # λ → 0 and α → |F|/|R| together
gap_d = np.abs(one_dimension.stationary(corner, "R") - one_dimension.stationary(corner, "D"))
gap_da = one_dimension.stationary(corner, "R") - one_dimension.stationary(corner, "DA")
vanishes = np.all(np.diff(gap_d) > -1e-13) and gap_d[0] < 1e-10
grows = np.all(np.diff(gap_da) < 0) and gap_da[0] > 3 * gap_da[-1]
note(cor_lam=small[0], cor_d=gap_d[0], cor_da=gap_da[0], level=-np.log1p(-0.99))

# %% [markdown]
# Going to the corner together, with $\alpha = (1-\lambda)\,|F|/|R|$, at $\lambda =$
# {glue:text}`one_dimension_cor_lam:.0e` the pretrained model is {glue:text}`one_dimension_cor_d:.0e` from the oracle and
# descent-ascent {glue:text}`one_dimension_cor_da:.1f`.
#
# ````{admonition} Our comment
# :class: ours
# The corollary needs **both** limits. For fixed $\alpha = \kappa|F|/|R|$ with $\kappa < 1$ the proof of
# {prf:ref}`Lemma 4 <one_dimension-lemma4>` applies to descent-ascent as well, with arguments that differ by the factor $1-\kappa$:
# the distance never exceeds $\ln\frac{1}{1-\kappa}$, for $\kappa = 0.99$ that is {glue:text}`one_dimension_level:.1f`.
# And the growth at $\kappa = 1$ is logarithmic: a thousandfold smaller ridge adds about $\ln 1000 \approx 7$. The
# instability is real, but it is sharp in $\alpha$ and slow in $\lambda$.
# ````

# %% [markdown]
# ## Alternating instead of together
#
# Nobody computes the gradient of $L_{DA}$. Practical methods alternate: a descent step on $R$, then an ascent step on
# $F$ *from where the first one ended*, each with weight decay. With step size $\eta$ and the mean loss
# $\ell_F(w) = \frac{\alpha r}{|F|} e^{-w}$ of our coordinate on $F$,
#
# $$
# \begin{aligned}
# w' &= w - \eta\, L_R'(w),\\
# w'' &= w' + \eta\, \ell_F'(w') - \eta\lambda\, w'.
# \end{aligned}
# $$ (one_dimension-eq-alternating)
#
# Write $p = r/|R|$ and $q = \alpha r/|F|$, so that $L_R'(w) = \lambda w - p e^{-w}$ and the second half-step is
# $w'' = w' - \eta\,(\lambda w' + q e^{-w'})$. A Taylor expansion in $\eta$ around $w$ gives
#
# $$
# \begin{aligned}
# w'' = w &- \eta\,\big[(q-p)\,e^{-w} + 2\lambda w\big]\\
#   &+ \eta^2 \big(\lambda - q e^{-w}\big)\big(\lambda w - p e^{-w}\big) + O(\eta^3).
# \end{aligned}
# $$ (one_dimension-eq-expansion)
#
# The bracket is $L_{DA}'$ with the ridge **doubled**: each half-step paid it once.
#
# ```{admonition} The paper claims
# :class: paper
# To leading order, iterating descent and ascent is the simultaneous method with $2\lambda$ in place of $\lambda$. The
# second-order term keeps the iterates from diverging, but it does not turn them towards the oracle.
# ```
#
# First the leading order, in the middle of Lemma 3's range. We follow both methods from the pretrained model for the same
# time $\eta k$, $k$ the number of steps.

# %%
steady = at((low + high) / 2)
doubled = replace(steady, lam=2 * lam)
w_start = one_dimension.stationary(steady, "D")


def follow(problem, step, eta, start, time=horizon):
    """Trajectory of `step` with step size η over a time ηk."""
    steps = int(np.ceil(time / eta))
    return one_dimension.iterate(lambda v: step(problem, v, eta), start, steps)


def three_paths(eta):
    """Alternating; simultaneous with ridge 2λ; simultaneous with ridge λ."""
    return (
        follow(steady, one_dimension.alternating_step, eta, w_start),
        follow(doubled, one_dimension.simultaneous_step, eta, w_start),
        follow(steady, one_dimension.simultaneous_step, eta, w_start),
    )


def distances(alternating, twice, once):
    """For 2λ after one step and at most along the path; for λ at most along the path."""
    apart = np.abs(alternating - twice)
    return apart[1], apart.max(), np.abs(alternating - once).max()


finest = min(etas)
steady_paths = {eta: three_paths(eta) for eta in sorted({*etas, 2 * finest})}
measured = {eta: distances(*paths) for eta, paths in steady_paths.items()}
# if a distance is proportional to η^order, halving η divides it by 2^order
orders = np.log2(np.divide(measured[2 * finest], measured[finest]))
note(finest=finest, order_step=orders[0], order_path=orders[1])
note(single=measured[finest][2])

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Left: alternating descent-ascent (colours: step size η) against simultaneous descent-ascent with ridge 2λ (thin dashes) and with ridge λ (grey). The oracle lies on the other side of the start. Right: the largest distance between the methods against η. With the ridge doubled it vanishes, per step like η² and along the path like η; with the single ridge it does not.", "name": "one_dimension-alternating"}}
marks = ["o", "s", "^", "D", "v", "P", "X"]
with figures.style():
    left, ax = figures.panel()
    ax.axhline(w_r, color=figures.COLORS["oracle"], ls="--", lw=1.4)
    ax.text(horizon, w_r, "oracle", ha="right", va="bottom", fontsize=9.5)
    for (eta, color) in zip(sorted(etas)[::-1], figures.CYCLE * 3):
        path = steady_paths[eta][0]
        ax.plot(eta * np.arange(len(path)), path, color=color, label=f"η = {eta:g}", lw=2.2 if eta == max(etas) else 1.4)
    together = {"color": figures.INK, "ls": (0, (4, 4)), "lw": 1.2, "label": "simultaneous, 2λ"}
    single = {"color": figures.COLORS["neutral"], "lw": 1.4, "label": "simultaneous, λ"}
    for path, look in zip(steady_paths[finest][1:], (together, single)):
        thin = max(1, len(path) // 2000)
        ax.plot(finest * np.arange(len(path))[::thin], path[::thin], **look)
    floor = min(one_dimension.stationary(doubled, "DA"), w_start)
    ax.set(xlabel="time ηk", ylabel="weight $w$", ylim=(floor - 0.15 * (w_r - floor), w_r + 0.75 * (w_r - floor)))
    ax.legend(loc="upper center", ncols=2)
    right, ax = figures.panel()
    shown_etas = sorted(measured)
    values = np.array([measured[eta] for eta in shown_etas])
    names = ["one step, 2λ", "path, 2λ", "path, λ"]
    for j, (name, color) in enumerate(zip(names, [figures.COLORS["pretrained"], figures.COLORS["accent"],
                                                  figures.COLORS["neutral"]])):  # fmt: skip
        ax.plot(shown_etas, values[:, j], marker=marks[j], color=color, label=name)
    ax.set(xlabel="step size η", ylabel="largest distance", xscale="log", yscale="log")
    ax.legend(loc="lower right")
figures.show(left, right, alt=(
    "Left: alternating trajectories fall away from the oracle and, for small steps, lie on the dashed curve of the "
    "simultaneous method with doubled ridge, below the one with single ridge. Right: log-log plot; one line of slope "
    "two, one of slope one, one nearly flat."))

# %% [markdown]
# Halving $\eta$ to {glue:text}`one_dimension_finest:g` divides the distance of one step by 2 to the power
# {glue:text}`one_dimension_order_step:.3f`, and the distance along the path by 2 to the power
# {glue:text}`one_dimension_order_path:.3f`: second order per step, first order over a fixed time, as
# {eq}`one_dimension-eq-expansion` says. Against the simultaneous method with the single ridge a distance of
# {glue:text}`one_dimension_single:.3f` remains.

# %% [markdown]
# ### The brake
#
# Now the second-order term. For very negative $w$ its largest part is $+\eta^2 p q\, e^{-2w}$: it points to the right and
# outgrows everything else. That is the brake. We can say exactly where it stops the iterates.
#
# ````{prf:theorem} ours: a floor for the alternating method
# :label: one_dimension-floor
# :nonumber:
#
# Let $k = 1-\eta\lambda > 0$ and $m = k\,\big(1 + \ln\frac{\eta p}{k}\big)$. From any start, after the first step no iterate of
# {eq}`one_dimension-eq-alternating` is below
#
# $$
# k\,m - \eta\, q\, e^{-m} .
# $$ (one_dimension-eq-floor)
# ````
#
# ````{prf:proof}
# The first half-step ends at $w' = k w + \eta p e^{-w}$, a convex function of $w$ with its minimum where
# $e^{-w} = k/(\eta p)$; the minimum is $m$. The second ends at $w'' = k w' - \eta q e^{-w'}$, which increases with $w'$.
# ````
#
# For small $\eta$ the floor is close to $\ln(\eta p) + 1 - q/(e p)$: it sinks only logarithmically as $\eta \to 0$. Let us
# watch it in regime III, where the simultaneous method has no place to stop.

# %%
beyond = at(last + 0.25 * (most - last))
start_beyond = one_dimension.stationary(beyond, "D")
p, q = r / n_retain, beyond.alpha * r / n_forget
# without the ridge the simultaneous flow is gone at time e^w/(q − p)
enough = 4 * np.exp(start_beyond) / (q - p)


def beyond_with(step, eta):
    """Trajectory in regime III from the pretrained weight."""
    return follow(beyond, step, eta, start_beyond, enough)


falls = {eta: beyond_with(one_dimension.simultaneous_step, eta) for eta in sorted(etas)}
paths = {eta: beyond_with(one_dimension.alternating_step, eta) for eta in sorted(etas)}
gone = {eta: np.flatnonzero(np.isneginf(path)) for eta, path in falls.items()}
brake = pd.DataFrame({
    "η": sorted(etas),
    "simultaneous: gone at": [eta * min(k, default=np.nan) for eta, k in gone.items()],
    "alternating: lowest": [path.min() for path in paths.values()],
    "floor": [one_dimension.alternating_floor(beyond, eta) for eta in paths],
    "distance at the end": [abs(path[-1] - w_r) for path in paths.values()],
})
figures.table(brake)
note(alpha3=beyond.alpha, gap3=abs(start_beyond - w_r))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Regime III. The simultaneous method (dotted) falls off the picture for every step size; the alternating one (solid) is caught by the brake, on the far side of the oracle (green). The smaller η, the deeper it is caught.", "name": "one_dimension-brake"}}
with figures.style():
    only, ax = figures.panel(4.8, 3.4)
    ax.axhline(w_r, color=figures.COLORS["oracle"], ls="--", lw=1.4)
    ax.text(enough, w_r + 0.1, "oracle", ha="right", va="bottom", fontsize=9.5)
    lowest = min(path.min() for path in paths.values())
    for (eta, path), color in zip(paths.items(), figures.CYCLE * 3):
        time = eta * np.arange(len(path))
        thin = max(1, len(path) // 4000)  # every step where there are few
        together = np.where(falls[eta] > lowest - 3, falls[eta], np.nan)
        ax.plot(time[::thin], path[::thin], color=color, label=f"η = {eta:g}")
        ax.plot(time[::thin], together[::thin], ":", color=color, lw=1.4)
    ax.set(xlabel="time ηk", ylabel="weight $w$", ylim=(lowest - 0.8, max(w_r, start_beyond) + 1.2))
    ax.legend(loc="center right", bbox_to_anchor=(1.0, 0.75), ncols=2)
figures.show(only, alt=(
    "Weight against time beyond the last stationary point: dotted curves of the simultaneous method plunge; solid curves "
    "of the alternating method flatten out at a level that is lower for smaller steps, all far below the oracle."))

# %% [markdown]
# At $\alpha =$ {glue:text}`one_dimension_alpha3:.3f` the simultaneous method is gone (its weight passes $-700$, where $e^{-w}$
# leaves double precision) while the alternating one never falls below its floor. But look at the last column of the
# table: the pretrained model was {glue:text}`one_dimension_gap3:.2f` from the oracle. The brake keeps the iterates in the
# picture. It does not bring them home.
#
# ### The direction
#
# Does the brake at least turn the direction? In Lemma 3's range it cannot.
#
# ````{prf:theorem} ours: the alternating step starts in the wrong direction too
# :label: one_dimension-direction
# :nonumber:
#
# Let $|F| \le |R|$, $\eta \le 1$ and $\alpha$ in the range of Lemma 3. Then one alternating step from $w_D$ ends below
# $w_D$, away from the oracle.
# ````
#
# ````{prf:proof}
# Let $g(w) = \lambda w - p e^{-w}$ and $h(w) = \lambda w + q e^{-w}$, so that the step is $-\eta\,[g + h(w_D - \eta g)]$ with
# $g = g(w_D) \le 0$. Since $h$ is convex, $h(w_D - \eta g) \ge h(w_D) - \eta\, g\, h'(w_D)$ and
# $-g\,h'(w_D) \ge -|g|\, q e^{-w_D}$. With $\lambda w_D = A_D e^{-w_D}$ the bracket is at least
# $e^{-w_D}\big[(q - p + 2A_D) - \eta\, q\, e^{-w_D} (p - A_D)\big]$. In the range $q - p + A_D \ge 0$ and $q \le p \le 1$, and
# $w_D > 0$, so the inner bracket is at least $A_D - p\,(p - A_D)$. Finally $A_D > p|R|/|D|$ and $p - A_D < p|F|/|D|$,
# which makes it positive.
# ````
#
# We take that step on every random problem in the range, and test the floor on every random problem of regime III.

# %%
def subset(problem, chosen):
    """The problems of an array of problems for which `chosen` is true."""
    names = ("n_retain", "n_forget", "r", "alpha", "lam")
    return one_dimension.OneCoordinate(*(getattr(problem, name)[chosen] for name in names))


inside, third = where == "inside", one_dimension.regime(many) == 2
in_range, lost = subset(many, inside), subset(many, third)
lost = replace(lost, lam=np.minimum(lost.lam, 1.9))  # ηλ < 1 for every allowed η
away, below_floor = [], 0
for eta in etas:
    after = one_dimension.alternating_step(in_range, d[inside], eta)
    away.append(np.mean(after < d[inside]))
    path = one_dimension.iterate(
        lambda v: one_dimension.alternating_step(lost, v, eta), d[third], 200
    )
    bottom = one_dimension.alternating_floor(lost, eta)
    room = 1e-9 * (1 + np.abs(bottom))
    below_floor += int(np.any(path[1:] < bottom - room, axis=0).sum())
note(inside=sum(inside), third=sum(third), away=min(away), below_floor=below_floor)

# %% [markdown]
# The first alternating step points away from the oracle in {glue:text}`one_dimension_away:.1%` of
# {glue:text}`one_dimension_inside:.0f` random problems in Lemma 3's range (for the step size where it does least). The
# number of problems that ever fell below the floor, of {glue:text}`one_dimension_third:.0f` in regime III followed for 200
# steps: {glue:text}`one_dimension_below_floor`. Finally, where do the alternating iterates end in the
# middle of Lemma 3's range? A fixed point lies between the floor and $w_D$; we look for it by bracketing.

# %%
def fixed_point(problem, eta):
    """Where an alternating step returns to itself, between its floor and w_D."""
    bottom = one_dimension.alternating_floor(problem, eta) - 1e-9
    top = one_dimension.stationary(problem, "D")
    return brentq(
        lambda v: one_dimension.alternating_step(problem, v, eta) - v, bottom, top
    )


ends_at = pd.DataFrame({
    "η": sorted(etas),
    "alternating ends at": [fixed_point(steady, eta) for eta in sorted(etas)],
    "simultaneous, 2λ": one_dimension.stationary(doubled, "DA"),
    "pretrained": w_start,
    "oracle": w_r,
})
figures.table(ends_at)

# %% [markdown]
# ````{admonition} Our comment
# :class: ours
# The doubled ridge is not a detail. It makes the target $w_{DA}$ smaller still, so the alternating method that people
# use is worse here than the simultaneous one that people analyse. Even without any forget sample on our coordinate
# ($\alpha = 0$) it no longer ends at the oracle.
# ````

# %% [markdown]
# ## What we found
#
# Exceptions to Lemmas 3, 4 and 5 on {glue:text}`one_dimension_problems` random problems:
# {glue:text}`one_dimension_wrong`. What the statement "every step harms" needs is the range: below it descent-ascent helps, above
# it the path leads through the oracle first.

# %% tags=["hide-input"]
verdicts.decide(
    "C8",
    evidence=f"{problems} random problems: {wrong3} violations of Lemma 3 in its range "
    f"({sum(inside)} problems), {wrong4} of Lemma 4, {wrong5} of Lemma 5 "
    f"({sum(applies5)} problems); closed forms agree with minimisation and gradient descent to {furthest:.0e}",
    checks={
        "the closed forms agree with two independent minimisers to 1e-8": bool(furthest < 1e-8),
        "Lemma 3: w_DA ≤ w_D ≤ w_R in its whole range": wrong3 == 0,
        "Lemma 4 bounds the distance of the pretrained model": wrong4 == 0,
        "Lemma 5 bounds the distance of descent-ascent from below": wrong5 == 0 and bool(applies5.any()),
        "Corollary 1: one distance vanishes, the other grows without limit": bool(vanishes and grows),
    },
    scale="exact",
)

# %% tags=["hide-input"]
end_gap = brake["distance at the end"].min()
verdicts.decide(
    "C12",
    evidence=f"order in η: {orders[0]:.3f} per step and {orders[1]:.3f} along the path with the ridge doubled; "
    f"{below_floor} of {sum(third)} problems beyond the last stationary point fell below the floor; first step away from "
    f"the oracle in {min(away):.1%} of {sum(inside)} problems in Lemma 3's range",
    checks={
        "one alternating step equals the simultaneous step with 2λ up to O(η²)": bool(abs(orders[0] - 2) < 0.1),
        "over a fixed time the two paths differ by O(η)": bool(abs(orders[1] - 1) < 0.1),
        "with the single ridge they differ however small η is": bool(measured[finest][2] > 10 * measured[finest][1]),
        "the brake keeps the alternating iterates bounded where the simultaneous ones escape": below_floor == 0
        and bool(brake["simultaneous: gone at"].notna().all()),
        "the direction stays wrong in Lemma 3's range": bool(min(away) == 1.0 and np.all(ends_at.iloc[:, 1] < w_start)),
        "where the brake catches them they end farther from the oracle than they began": bool(
            end_gap > abs(start_beyond - w_r)
        ),
    },
    scale="exact",
)

# %% [markdown]
# Two slips in the printed text, with the computation that shows each. First, the loss: with $e^{+y h}$, as printed, a
# *larger* margin costs more. We minimise that form as it stands. Second, the branches of regime II: we put random
# problems on both and look at the sign of the second derivative, and at where gradient descent ends.

# %%
pull = one_dimension.pull(base, "R")
printed = minimize(lambda v: pull * np.exp(v[0]) + lam / 2 * v[0] ** 2, [0.0], tol=1e-10).x[0]

two = one_dimension.regime(many) == 1
both = subset(many, two)
w0, w1 = (one_dimension.stationary(both, "DA", branch) for branch in (0, -1))
clear = w0 - w1 > 0.2  # where the branches meet the second derivative vanishes
h = 1e-3 * np.minimum(1, w0 - w1)


def bend(x):
    """Second difference of L_DA at x; its sign is that of the second derivative."""
    left, middle, right = (one_dimension.loss(both, v, "DA") for v in (x - h, x, x + h))
    return left - 2 * middle + right


descent = one_dimension.iterate(
    lambda v: one_dimension.simultaneous_step(both, v, 1 / both.lam), d[two], 1000
)[-1]
settled = float(np.abs(descent - w0)[clear].max())

# %% tags=["hide-input"]
verdicts.erratum(
    "loss-sign",
    where="Section 4, definition of the loss",
    printed="e^{y h}",
    ours="e^{-y h}",
    shown_by=f"With the printed sign retraining ends at w = {printed:.3f}: a negative margin, so that every training "
    f"sample on the coordinate is misclassified. With the minus sign it ends at {w_r:.3f}, the paper's own closed form.",
    checks={
        "with the printed sign training misclassifies its own samples": bool(printed < 0),
        "with the minus sign the closed forms hold": bool(furthest < 1e-8),
    },
)
verdicts.erratum(
    "lambert-branches",
    where="App. F, the regime with two stationary points",
    printed="W₋₁ gives the local minimum and W₀ the local maximum",
    ours="W₀ ∈ (−1, 0) gives the local minimum and W₋₁ < −1 the local maximum",
    shown_by=f"On {int(two.sum())} random problems of this regime the second derivative at W₀ is positive and at W₋₁ "
    f"negative; gradient descent from the pretrained weight ends at W₀ to within {settled:.0e}.",
    checks={
        "the second derivative is positive at W₀": bool(np.all(bend(w0)[clear] > 0)),
        "the second derivative is negative at W₋₁": bool(np.all(bend(w1)[clear] < 0)),
        "gradient descent on L_DA ends at W₀": bool(settled < 1e-6),
    },
)

# %% [markdown]
# One coordinate has a weakness as an argument: forget and retain samples on it are *identical* to the model. In the
# [next chapter](correlated.ipynb) they are merely correlated.
