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
# # The paper's window
#
# ```{admonition} At a glance
# :class: glance
# **You will see** how the paper bounds the margins of two correlated groups, the range of forget fractions in which its
# bounds prove harm, and what that range is worth.
#
# **In the paper** Section 4, Lemmas 7-10 and 12, Fig. 4, App. G-J {cite}`mavrothalassitis2025ascent`.
#
# **Runtime** about 20 s on one core.
#
# **Parameters** [listed below](bounds-parameters): sizes of the sets, ridge.
#
# **Rerun** `unlearning run bounds -p lam 0.1 --out runs/bounds`
# ```
#
# ```{admonition} The paper claims
# :class: paper
# There is a range of $\alpha$ in which the pretrained margins lie between the oracle's and those of descent-ascent, so
# that descent-ascent harms, however early it is stopped: the window of the paper's Figure 4.
# ```

# %% [markdown]
# (bounds-parameters)=
# ## Parameters

# %% tags=["parameters"]
n_train: int = 1000  # |D|, size of the training set (samples) [300, 100000]
r: int = 100  # retain samples on our two coordinates (samples) [1, 100]
lam: float = 0.01  # ridge coefficient λ (dimensionless) [1e-3, 1]
fractions: list[float] = [0.05, 0.1, 0.2, 0.3]  # |F|/|D| in Fig. 4 [0.01, 0.4]
problems: int = 8000  # random problems per lemma (problems) [2000, 100000]
d: int = 50  # samples in the limit of App. J (samples) [3, 10000]
seed: int = 0  # seed of the random problems [0, 1000000]

# %% [markdown]
# ## Bounds instead of solutions
#
# The setting is that of [the previous chapter](correlated.ipynb): $r$ retain samples at $v = (1,\varepsilon)$,
# $\alpha r$ forget samples at $u = (\varepsilon, 1)$, margins $x = w\cdot v$ and $y = w\cdot u$, and the three systems
#
# $$
# \begin{aligned}
# D:\quad  & x = b\big[s\,e^{-x} + 2\alpha\varepsilon e^{-y}\big], &
#            & y = b\big[2\varepsilon e^{-x} + \alpha s\,e^{-y}\big],\\
# R:\quad  & x = c\,s\,e^{-x}, & & y = 2\varepsilon c\, e^{-x},\\
# DA:\quad & x = c\big[s\,e^{-x} - 2\varepsilon a\, e^{-y}\big], &
#            & y = c\big[2\varepsilon e^{-x} - a\,s\, e^{-y}\big].
# \end{aligned}
# $$ (bounds-eq-systems)
#
# | symbol | meaning |
# | --- | --- |
# | $\varepsilon$ | overlap of the two directions |
# | $s$, $t$, $\delta$ | $1+\varepsilon^2$, $2\varepsilon/s$ and $(1-\varepsilon^2)^2/s$ |
# | $b$, $c$ | $r/(\lambda\lvert D\rvert)$ and $r/(\lambda\lvert R\rvert)$ |
# | $a$ | $\alpha\lvert R\rvert/\lvert F\rvert$ |
# | $x_D$, $y_D$, … | margins of a retain and of a forget sample in the three models |
# | $\alpha_x$, $\alpha_y$ | largest $\alpha$ up to which Lemma 7's bounds stay below the oracle's margins |

# %%
import numpy as np
import pandas as pd
from myst_nb import glue

from panels import correlated as panels
from unlearning.page import figures, verdicts
from unlearning.page.source import show_source
from unlearning.theory import correlated, flow, windows
from unlearning.theory.correlated import TwoCoordinates

show_source(windows.lemma7_bounds, windows.lemma8_bounds, windows.lemma9_alpha,
            windows.lemma10_alphas, windows.paper_window)  # fmt: skip

# %% [markdown]
# ## Five lemmas
#
# All come from one observation: subtract the two equations of a system in {eq}`bounds-eq-systems` and use
# $s - 2\varepsilon = (1-\varepsilon)^2$.
#
# ````{prf:lemma} 12 of the paper: which margin is larger
# :label: bounds-lemma12
# :nonumber:
#
# $y_D \le x_D$ for $\alpha \le 1$, and $y_{DA} \le x_{DA}$ at every stationary point.
# ````
#
# ````{prf:proof}
# $x_D - y_D = b(1-\varepsilon)^2\,(e^{-x_D} - \alpha e^{-y_D})$. If $y_D$ were larger, the right-hand side would be
# positive. And $x_{DA} - y_{DA} = c(1-\varepsilon)^2(e^{-x}+a e^{-y}) \ge 0$.
# ````
#
# ````{prf:lemma} 7 of the paper: the pretrained model, $\alpha \le 1$
# :label: bounds-lemma7
# :nonumber:
#
# $$
# \begin{gathered}
# x_D \ge W_0\big(b(s+2\alpha\varepsilon)\big), \qquad W_0\big(b\alpha s\big) \le y_D \le W_0\big(b(2\varepsilon+\alpha s)\big),\\
# x_D \le K + W_0\big(b s\, e^{-K}\big), \qquad K = t\,W_0(b\alpha s) .
# \end{gathered}
# $$ (bounds-eq-lemma7)
# ````
#
# ````{prf:proof}
# By Lemma 12 $e^{-y_D} \ge e^{-x_D}$. In the $x$-equation this gives $x_D \ge b(s+2\alpha\varepsilon)\,e^{-x_D}$; in the $y$-equation $y_D \le b(2\varepsilon+\alpha s)\,e^{-y_D}$; dropping its first term, $y_D \ge b\alpha s\,e^{-y_D}$. Multiply by $e^{x}$ or $e^{y}$: $W_0$ increases. For the upper bound put $y_{\rm low} = W_0(b\alpha s)$ into the $x$-equation: $2\alpha\varepsilon b\,e^{-y_D} \le 2\alpha\varepsilon b\,e^{-y_{\rm low}} = t\,y_{\rm low} = K$, so $(x_D - K)\,e^{x_D-K} \le b s\,e^{-K}$.
# ````
#
# ````{prf:lemma} 8 of the paper: every stationary point of descent-ascent
# :label: bounds-lemma8
# :nonumber:
#
# $$
# x_{DA} \le W_0\big(c\,(s-2\varepsilon a)\big), \qquad y_{DA} \le W_0\big(c\,(2\varepsilon-s\,a)\big).
# $$ (bounds-eq-lemma8)
#
# Where an argument is below $-1/e$ there is no such point.
# ````
#
# ````{prf:proof}
# $e^{-y} \ge e^{-x}$ in the two equations: $x\,e^{x} \le c(s-2\varepsilon a)$ and $y\,e^{y} \le c(2\varepsilon - s a)$.
# The function $w e^w$ exceeds every level $z \ge -1/e$ to the right of $W_0(z)$, and is never below $-1/e$.
# ````
#
# ````{prf:lemma} 9 of the paper: descent-ascent below the pretrained model
# :label: bounds-lemma9
# :nonumber:
#
# $x_{DA} \le x_D$ and $y_{DA} \le y_D$ for every stationary point, if $\alpha \le 1$ and
#
# $$
# \frac{\alpha}{|F|} \;\ge\;
# \frac{\max\big\{|F|/t,\; |D|\,t\big\}}{|R|\,(|D|+|F|)} .
# $$ (bounds-eq-lemma9)
# ````
#
# ````{prf:proof}
# Compare the arguments in Lemmas 8 and 7. $c(s - 2\varepsilon a) \le b(s+2\alpha\varepsilon)$ reads, times $\lambda/r$, $s\big(\frac{1}{|R|}-\frac{1}{|D|}\big) \le 2\varepsilon\alpha\big(\frac1{|F|}+\frac1{|D|}\big)$, the first bound. And $c(2\varepsilon - sa) \le b\alpha s$ reads $\frac{2\varepsilon}{|R|} \le s\alpha\big(\frac1{|F|}+\frac1{|D|}\big)$, the second.
# ````
#
# ````{prf:lemma} 10 of the paper: the pretrained model below the oracle
# :label: bounds-lemma10
# :nonumber:
#
# $x_D \le x_R$ and $y_D \le y_R$ for $\alpha \le \min(\alpha_x, \alpha_y, 1)$, where
#
# $$
# \alpha_y = \frac{y_R\,e^{y_R}/b - 2\varepsilon}{s}, \qquad
# \alpha_x = \frac{y\,e^{y}}{b\,s} \ \text{ with } \ y = \frac{x_R}{t}\,\frac{|F|}{|D|} .
# $$ (bounds-eq-lemma10)
# ````
#
# ````{prf:proof}
# $W_0(b(2\varepsilon+\alpha s)) \le y_R$ exactly if $b(2\varepsilon+\alpha s) \le y_R e^{y_R}$. The upper bound of $x_D$ in {eq}`bounds-eq-lemma7` increases with $K$ and reaches $x_R$ where $(x_R-K)\,e^{x_R} = b s = \frac{|R|}{|D|}\,c s = \frac{|R|}{|D|}\,x_R e^{x_R}$: at $K = x_R|F|/|D|$.
# ````
#
# ### One example by hand
#
# $|R| = 900$, $|F| = 100$, $\varepsilon = \tfrac12$: $s = \tfrac54$, $t = \tfrac45$. In Lemma 9, $|F|/t = 125$ and $|D|\,t = 800$, so the second bound decides: $\alpha \ge \frac{100\cdot 800}{900\cdot 1100} = \frac{8}{99}$, that is $a \ge \tfrac{8}{11}$. The first one alone would have been $\frac{100\cdot125}{990\,000} = \frac{5}{396}$. Remember these two numbers: the [next chapter](harm_map.ipynb) shows that the second bound is not needed.

# %%
example = TwoCoordinates(900, 100, 100, 0.0, 0.1, 0.5)
print(windows.lemma9_alpha(example) - 8 / 99)
print(windows.explicit_lower_end(example) - 5 / 396)

# %% [markdown]
# All five on one number line of $\alpha$, for this example and for a larger overlap and ridge. Lemmas 12 and 7 only need $\alpha \le 1$; Lemma 8 says where descent-ascent has no limit; 9 and 10 give the ends of the paper's window. Lowest, for comparison, is the exact range of harm at every stopping time, which the [next chapter](harm_map.ipynb) proves.

# %% mystnb={"figure": {"caption": "The five lemmas as ranges of α, in units of |F|/|R|, one line each; bars that reach the right edge go on. Green: where Lemmas 9 and 10 both hold, the paper's window. Lowest: the exact range of harm at every stopping time. Left, the example: no window, though harm has a range. Right: a window, inside a wider exact range.", "name": "bounds-lemmas"}}
wide = TwoCoordinates(900, 100, 100, 0.0, 3.0, 0.8)
figures.show(*panels.lemmas_in_a_row({
    "ε = 0.5, λ = 0.1": example, "ε = 0.8, λ = 3": wide}), alt=(
    "Two panels of seven horizontal number lines: Lemmas 12, 7, 8, 9 and 10, "
    "their common range, and the exact range of harm."))

# %% [markdown]
# ### All of them on random problems
#
# Set sizes over four decades, ridges over nine, $\varepsilon$ uniform or close to 1, whole numbers of samples, a third
# of them moved into the window where there is one. "Slack" is by how much an inequality holds; a violation is a slack
# below zero by more than rounding ($10^{-9}$ relative).

# %%
show_source(windows.random_problems)
many = windows.random_problems(np.random.default_rng(seed), problems)
w_d, w_r = correlated.pretrained(many), correlated.oracle(many)
w_da, w_saddle = correlated.da_stationary(many)
x_d, y_d = correlated.margins(many, w_d)
x_r, y_r = correlated.margins(many, w_r)
x_a, y_a = correlated.margins(many, w_da)
x_s, y_s = correlated.margins(many, w_saddle)
bound7, (x_8, y_8) = windows.lemma7_bounds(many), windows.lemma8_bounds(many)
lower, printed = windows.paper_window(many)
_, wider = windows.paper_window(many, with_x=False)
small, has_limit = many.alpha <= 1, np.isfinite(x_a)
residual = np.abs(correlated.gradient(many, w_r, "R")).max(axis=-1) / many.lam

# %%
tried = {  # lemma: (where it applies, differences that it says are >= 0)
    "6: the oracle": (many.r > 0, [1e-9 - residual / (1 + x_r)]),
    "12: y ≤ x": (small, [x_d - y_d]),
    "7: pretrained model": (small, [
        x_d - bound7["x_low"], bound7["x_high"] - x_d,
        y_d - bound7["y_low"], bound7["y_high"] - y_d]),
    "8: descent-ascent": (has_limit, [
        x_8 - x_a, y_8 - y_a, x_8 - x_s, y_8 - y_s]),
    "8: none exists": (np.isnan(x_8 + y_8), [np.where(has_limit, -1.0, 1.0)]),
    "9: DA below D": (has_limit & small & (many.alpha >= lower), [
        x_d - x_a, y_d - y_a, x_d - x_s, y_d - y_s]),
    "10: D below R": (many.alpha <= printed, [x_r - x_d, y_r - y_d]),
    "10 without α_x (ours)": (many.alpha <= wider, [x_r - x_d, y_r - y_d]),
}  # fmt: skip
rows, violations = [], {}
for name, (applies, differences) in tried.items():
    slack = np.min(differences, axis=0)
    wrong = applies & ~(slack >= -1e-9 * (1 + np.abs(x_d)))  # NaN is wrong
    violations[name] = int(wrong.sum())
    rows.append((name, sum(applies), sum(wrong), f"{slack[applies].min():.0e}"))
figures.table(pd.DataFrame(rows, columns=[
    "lemma", "applies to", "violations", "smallest slack"]))  # fmt: skip
exact = sum(violations.values())

# %% [markdown]
# ## The window of Figure 4
#
# For each $\varepsilon$ the window runs from {eq}`bounds-eq-lemma9` to $\min(\alpha_x,\alpha_y,1)$. The upper end needs
# a word.
#
# ````{admonition} Our comment: $\alpha_x$ is not needed, and closes the window
# :class: ours
# With $\delta = (1-\varepsilon^2)^2/s$ the systems {eq}`bounds-eq-systems` say (multiply the $y$-equation by $t$ and
# subtract)
#
# $$
# x_D = t\, y_D + b\,\delta\, e^{-x_D}, \qquad x_R = t\, y_R + c\,\delta\, e^{-x_R},
# $$ (bounds-eq-sharp)
#
# and $b < c$. So $y_D \le y_R$ alone implies $x_D \le x_R$, and the window may end at $\min(\alpha_y, 1)$. With
# $\alpha_x$, as Lemma 10 is stated, it is **empty** for every fraction drawn here at this page's ridge; it opens only
# for a much larger ridge. Both are drawn.
# ````

# %%
epsilons = np.linspace(0.005, 0.995, 991)


def family(share, ridge):
    """Our problem with |F| = share·|D| for every overlap."""
    sizes = n_train * (1 - share), n_train * share
    return TwoCoordinates(*sizes, r, 0.0, ridge, epsilons)


def opening(share, ridge, with_x):
    """The smallest ε at which the window is open; ∞ where it never is."""
    low, high = windows.paper_window(family(share, ridge), with_x)
    return np.min(np.where(low < high, epsilons, np.inf))


# %%
shares = sorted(fractions)
for ridge in lam * 10 ** np.arange(0, 7, 0.25):  # until every window is open
    if all(np.isfinite(opening(share, ridge, True)) for share in shares):
        break
opened = {share: opening(share, ridge, True) for share in shares}
table = pd.DataFrame({
    "|F|/|D|": shares,
    "without α_x, this page's λ": [opening(share, lam, False)
                                   for share in shares],
    "as stated, this page's λ": [opening(share, lam, True) for share in shares],
    f"as stated, λ = {ridge:.3g}": list(opened.values()),
})
figures.table(table.map(lambda v: f"{v:.3g}".replace("inf", "never")))
empty = np.isinf(table.iloc[:, 2])
glue("bounds_ridge", float(ridge), display=False)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The paper's Figure 4, twice: the window of α, in units of |F|/|R|, between the lower end from Lemma 9 (solid) and the upper end from Lemma 10 (dashed), for several forget fractions |F|/|D| (the numbers at the bands). Pale: without α_x; dark: with it, as the lemma is stated. Left: at this page's ridge, where no dark band is left; right: at a ridge at which every one is open.", "name": "bounds-window"}}
both = [panels.figure4({share: family(share, value) for share in shares}, f"λ = {value:.3g}") for value in (lam, ridge)]
figures.show(*both, alt=(
    "Bands of alpha against the overlap epsilon, one for each forget fraction, at a small and at a large ridge. At the small one only "
    "the pale bands without alpha_x exist, at overlaps near one; at the large one dark bands lie within them."))

# %% [markdown]
# As in the paper there is a window for every forget fraction, and as $\varepsilon\to1$ it ends at $\alpha = |F|/|R|$.
# As stated it needs a ridge of about {glue:text}`bounds_ridge:.2g` for these fractions; without $\alpha_x$ it is open
# at this page's, but narrow.
#
# ## At any stopping time?
#
# "However early it is stopped" is more than an order of end points. We follow DA's gradient flow from the pretrained
# model on every random problem in the window and note the highest that either **margin** ever rises above its start.
# The oracle's margins are larger, so a rise would be a step towards it.
#
# <details><summary><b>Predict before you scroll:</b> the lemmas compare with a stationary point. In some windows
# descent-ascent has none. Do the margins misbehave there?</summary>No. They fall all the way, limit or not. Why is the
# theorem of the next chapter.</details>

# %%
show_source(flow.flow_step, flow.highest_rise, windows.subset)
rises, rows = {}, []
for name, end in {"as stated": printed, "without α_x": wider}.items():
    inside = (many.alpha >= lower) & (many.alpha <= end)
    chosen = windows.subset(many, inside)
    rises[name] = flow.highest_rise(chosen)
    ended = has_limit[inside]
    gap_da, gap_d = (np.linalg.norm((w - w_r)[inside], axis=-1)
                     for w in (w_da, w_d))
    away = np.mean(flow.first_step(chosen) < 0)
    rows.append({
        "window": name, "problems": sum(inside),
        "highest rise of a margin": f"{rises[name].max():.0e}",
        "DA has a limit": f"{ended.mean():.1%}",
        "weights: limit farther": f"{np.mean((gap_da > gap_d)[ended]):.1%}",
        "weights: first step away": f"{away:.1%}",
    })
figures.table(pd.DataFrame(rows))

# %% [markdown]
# ````{admonition} Our comment: margins, not weights
# :class: ours
# The lemmas order the *margins*, the predictions. In margins the claim holds on every problem, at every time. The last
# two columns are about the Euclidean distance of the *weights*, which the paper's argument does not mention: lowering
# the second margin as well can shorten the way in $w$, so in weights not every first step points away.
# ````

# %% [markdown]
# ## When the two groups become one
#
# The paper's last limit, $\varepsilon\to1$ with one sample each way (App. J), is worked out in
# [the chapter before](correlated.ipynb). Here it is only checked: for a ridge so large that descent-ascent has a limit,
# and for this page's.

# %%
large = 1.2 * 2 * np.e * (d - 2) / (d - 1)
near, ends = correlated.merging(d, large, 1 - 1e-12)
here, _ = correlated.merging(d, lam, 1 - 1e-12)
app_j = bool(
    np.abs(near - ends).max() < 1e-4
    and abs(ends[2] - ends[1]) > abs(ends[0] - ends[1])
    and (np.isnan(here[2]) or abs(here[2] - here[1]) > abs(here[0] - here[1]))
)
print("w1 + w2 of pretrained, oracle, descent-ascent:")
for value, sums in ((large, near), (lam, here)):
    words = [f"{v:.4f}".replace("nan", "no limit") for v in sums]
    print(f"λ = {value:.3g}:", *words)

# %% [markdown]
# ## What we found
#
# No lemma is violated. In the window every margin moves away from the oracle at every time. Two things qualify the
# claim: the window as stated needs a large ridge, and it says nothing about the weights. On the other hand the harmful
# range is far wider than the window: see the [next chapter](harm_map.ipynb).

# %%
core = sum(violations[name] for name in violations if name[0] not in "91")
core += violations["12: y ≤ x"]
tried = len(rises["as stated"])
highest = max(v.max() for v in rises.values()) if tried else np.inf
verdicts.decide(
    "C9",
    evidence=f"{exact} violations of Lemmas 6-10 and 12 on {problems} random "
    f"problems; in the window as stated ({tried} of them) and "
    f"without α_x ({len(rises['without α_x'])}) no margin ever rises along the "
    f"flow; as stated the window is empty for {sum(empty)} of {len(shares)} "
    f"fractions at λ = {lam:g} and open for all at λ = {ridge:.2g}",
    checks={
        "Lemmas 6, 7, 8 and 12 (solutions, bounds) are never violated":
            core == 0,
        "Lemmas 9 and 10 (order of the margins) are never violated":
            exact == core,
        "Fig. 4: for a large enough ridge every fraction drawn has a window":
            bool(np.isfinite(list(opened.values())).all()),
        "in the window no stopping time brings either margin nearer":
            bool(highest < 0),
        "App. J: as ε → 1 descent-ascent is farther, or has no limit": app_j,
    },
    scale="exact",
)  # fmt: skip

# %% [markdown]
# ## Exercises
#
# ```{exercise-start}
# :label: bounds-ex-sharp
# ```
# Derive {eq}`bounds-eq-sharp`, and the companion $y_D = t\,x_D + b\,\alpha\,\delta\,e^{-y_D}$. Check both on the random
# problems.
# ```{exercise-end}
# ```
#
# ```{solution-start} bounds-ex-sharp
# :label: bounds-ex-sharp-solution
# :class: dropdown
# ```
# $x_D - t y_D = b\big[(s - 2\varepsilon t)e^{-x} + (2\alpha\varepsilon - t\alpha s)e^{-y}\big]$. Since
# $t s = 2\varepsilon$ the second bracket vanishes, and
# $s - 2\varepsilon t = (s^2 - 4\varepsilon^2)/s = (1-\varepsilon^2)^2/s = \delta$. The companion is the same with the
# roles exchanged.

# %%
scale = many.b * many.delta
first = x_d - many.share * y_d - scale * np.exp(-x_d)
second = y_d - many.share * x_d - scale * many.alpha * np.exp(-y_d)
print(np.abs(first / (1 + x_d)).max(), np.abs(second / (1 + x_d)).max())

# %% [markdown]
# ```{solution-end}
# ```
#
# ```{exercise-start}
# :label: bounds-ex-large
# ```
# Why does Lemma 10 as stated ask for a large ridge? Compare $\alpha_x$ and $\alpha_y$ when all margins are small, and
# when they are large.
# ```{exercise-end}
# ```
#
# ```{solution-start} bounds-ex-large
# :label: bounds-ex-large-solution
# :class: dropdown
# ```
# For small margins ($c \ll 1$) $x_R \approx cs$, $y_R \approx 2\varepsilon c$, so
# $\alpha_y \approx \frac{2\varepsilon}{s}\big(\frac{c}{b}-1\big) = t\,\frac{|F|}{|R|}$ and
# $\alpha_x \approx \frac{x_R f}{t\,b s} = \frac{1}{t}\frac{|F|}{|R|}$: $\alpha_x$ does not matter. For large margins
# $e^{y}$ with $y = x_R f/t$, a fraction of $x_R$, is far below $e^{x_R} = cs/x_R$: $\alpha_x$ is tiny. Inserting the
# lower bound of $y_D$ throws away nearly all of what holds the forget margin up.

# %%
for ridge_here in (lam, 1e3):
    one = TwoCoordinates(900, 100, 100, 0.0, ridge_here, 0.8)
    print(ridge_here, [float(end) * 9 for end in windows.lemma10_alphas(one)])

# %% [markdown]
# ```{solution-end}
# ```
