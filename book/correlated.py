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
# # Correlated coordinates
#
# ```{admonition} At a glance
# :class: glance
# **You will see** forget and retain samples that are alike but not the same, where training, retraining and
# descent-ascent end then, and why descent-ascent has at most one place to end.
#
# **In the paper** Section 4, Lemma 6, App. G and J {cite}`mavrothalassitis2025ascent`.
#
# **Runtime** about 30 s on one core.
#
# **Parameters** [listed below](correlated-parameters): sizes of the sets, ridge.
#
# **Rerun** `unlearning run correlated -p lam 0.1 --out runs/correlated`
# ```
#
# ```{admonition} The paper claims
# :class: paper
# Forget and retain samples need not be identical for descent-ascent to fail: correlation is enough. The three models
# are the solutions of three small systems of equations.
# ```

# %% [markdown]
# (correlated-parameters)=
# ## Parameters

# %% tags=["parameters"]
n_train: int = 1000  # |D|, size of the training set (samples) [300, 100000]
r: int = 100  # retain samples on our two coordinates (samples) [1, 100]
lam: float = 0.01  # ridge coefficient λ (dimensionless) [1e-3, 1]
fraction: float = 0.1  # |F|/|D| (dimensionless) [0.01, 0.4]
relative: float = 0.6  # α ÷ (|F|/|R|) in the landscape [0.1, 1.2]
landscape_lam: float = 0.3  # λ of the landscape (dimensionless) [0.1, 1]
merging_lam: float = 0.01  # λ beside the large one in App. J [1e-3, 1]
d: int = 50  # samples in the limit of App. J (samples) [3, 10000]
trials: int = 30  # random problems for the root finder (problems) [10, 300]
seed: int = 0  # seed of the random problems [0, 1000000]

# %% [markdown]
# ## Alike, but not the same
#
# In the [one-dimensional problem](one_dimension.ipynb) forget and retain samples were identical. Now they only resemble
# each other. Two coordinates are in play, with weights $w = (w_1, w_2)$, and two directions,
#
# $$
# v = (1, \varepsilon) \quad\text{for } r \text{ retain samples}, \qquad
# u = (\varepsilon, 1) \quad\text{for } \alpha r \text{ forget samples},
# \qquad 0 \le \varepsilon < 1 .
# $$ (correlated-eq-directions)
#
# All labels are $+1$; all other samples live on other coordinates and do not matter. At $\varepsilon = 0$ the two
# groups have nothing in common; as $\varepsilon \to 1$ they become the same. The model sees them through two
# **margins**,
#
# $$
# x = w\cdot v = w_1 + \varepsilon w_2 \ \text{ (retain)}, \qquad
# y = w\cdot u = \varepsilon w_1 + w_2 \ \text{ (forget)}.
# $$ (correlated-eq-margins)
#
# With the exponential loss and the ridge $\lambda$, the pretrained model minimises $L_D$, the oracle $L_R$, and
# descent-ascent (DA) follows the gradient of $L_{DA}$. Up to a constant,
#
# $$
# \begin{aligned}
# L_D &= \tfrac{r}{|D|}\, e^{-x} + \tfrac{\alpha r}{|D|}\, e^{-y} + \tfrac{\lambda}{2}\|w\|^2,\\
# L_R &= \tfrac{r}{|R|}\, e^{-x} + \tfrac{\lambda}{2}\|w\|^2,\\
# L_{DA} &= \tfrac{r}{|R|}\, e^{-x} - \tfrac{\alpha r}{|F|}\, e^{-y} + \tfrac{\lambda}{2}\|w\|^2 .
# \end{aligned}
# $$ (correlated-eq-losses)
#
# Set the gradients to zero, take the product with $v$ and with $u$, and write $b = \frac{r}{\lambda|D|}$,
# $c = \frac{r}{\lambda|R|}$ and $a = \alpha\frac{|R|}{|F|}$. The three models are the solutions of
#
# $$
# \begin{aligned}
# D:\quad  & x = b\big[(1+\varepsilon^2)e^{-x} + 2\alpha\varepsilon e^{-y}\big], &
#            & y = b\big[2\varepsilon e^{-x} + \alpha(1+\varepsilon^2)e^{-y}\big],\\
# R:\quad  & x = c\,(1+\varepsilon^2)e^{-x}, & & y = 2\varepsilon c\, e^{-x},\\
# DA:\quad & x = c\big[(1+\varepsilon^2)e^{-x} - 2\varepsilon a\, e^{-y}\big], &
#            & y = c\big[2\varepsilon e^{-x} - a(1+\varepsilon^2) e^{-y}\big].
# \end{aligned}
# $$ (correlated-eq-systems)
#
# The number $a$ measures $\alpha$ against $|F|/|R|$, the value at which the one-dimensional problem lost its global
# minimum.
#
# | symbol | meaning |
# | --- | --- |
# | $v$, $u$, $\varepsilon$ | directions of retain and forget samples, their overlap |
# | $s = 1+\varepsilon^2$, $t = 2\varepsilon/s$ | squared length of both directions, cosine of their angle |
# | $\delta = (1-\varepsilon^2)^2/s$ | $s\,(1-t^2)$, what the directions do not share |
# | $x$, $y$ | margins of retain and of forget samples |
# | $r$, $\alpha r$ | retain and forget samples on the two coordinates (samples) |
# | $b$, $c$ | $r/(\lambda\lvert D\rvert)$, $r/(\lambda\lvert R\rvert)$ |
# | $a$ | $\alpha\lvert R\rvert/\lvert F\rvert$ |
# | $P$, $Q$ | weights along $v$ and against $u$ at a stationary point of $L_{DA}$ |

# %%
import numpy as np
import pandas as pd
from myst_nb import glue
from scipy.optimize import root

from panels import correlated as panels
from unlearning.page import figures
from unlearning.page.source import show_source
from unlearning.theory import correlated, flow
from unlearning.theory.correlated import TwoCoordinates
from unlearning.theory.one_dimension import (
    OBJECTIVES,
    OneCoordinate,
    stationary,
)

show_source(TwoCoordinates, correlated.margins)


def problem_at(share, relative, lam, epsilon):
    """Our problem with |F| = share·|D| and α = relative·|F|/|R|."""
    n_forget = share * n_train
    alpha = relative * n_forget / (n_train - n_forget)
    return TwoCoordinates(n_train - n_forget, n_forget, r, alpha, lam, epsilon)


# %% [markdown]
# ## Solving the three systems
#
# The oracle's system is one Lambert equation. The other two look coupled, but each hides a single equation.
#
# ````{prf:lemma} 6 of the paper: the oracle
# :label: correlated-lemma6
# :nonumber:
#
# $\;x_R = W_0\big(c(1+\varepsilon^2)\big)$ and $\;y_R = \frac{2\varepsilon}{1+\varepsilon^2}\, x_R$, with
# [Lambert's $W$](one_dimension.ipynb).
# ````
#
# For DA, call $P = c\,e^{-x}$ and $Q = c\,a\,e^{-y}$; then $w = P v - Q u$. For a given $Q$ the first equation,
# $x + 2\varepsilon Q = c(1+\varepsilon^2)e^{-x}$, has exactly one solution,
#
# $$
# P(Q) = \frac{1}{1+\varepsilon^2}\, W_0\Big(c(1+\varepsilon^2)\,e^{2\varepsilon Q}\Big),
# $$ (correlated-eq-p)
#
# and the second becomes an equation for $Q$ alone:
#
# $$
# G(Q) = \ln(c\,a) - \ln Q + (1+\varepsilon^2)\,Q - 2\varepsilon\, P(Q) = 0 .
# $$ (correlated-eq-g)
#
# For $D$ the same steps give an equation with a plus sign before $Q$, and a left side that only falls: one solution, as
# it must be, because $L_D$ is convex. $L_{DA}$ is not convex, so how many solutions are there? The paper does not say.
#
# ````{prf:theorem} ours: at most one minimum
# :label: correlated-unique
# :nonumber:
#
# Let $\alpha > 0$ and $0 \le \varepsilon < 1$. Then $L_{DA}$ is unbounded below, and it has either one local minimum
# and one saddle, or (in the limiting case) a single degenerate stationary point, or no stationary point at all.
# ````
#
# ````{prf:proof}
# *Unbounded:* hold $x$ fixed and let $y\to-\infty$, which $\varepsilon < 1$ allows; $-e^{-y}$ beats the ridge.
#
# *Kind:* the Hessian at a stationary point is $\lambda\,(M - Q\,uu^{\mathsf T})$ with $M = I + P\,vv^{\mathsf T}$,
# which is positive definite. So the Hessian is, exactly if $Q\,u^{\mathsf T}M^{-1}u < 1$. With
# $v^{\mathsf T}v = u^{\mathsf T}u = s$, $u^{\mathsf T}v = 2\varepsilon$ and $\omega = sP$,
# $u^{\mathsf T}M^{-1}u = s - \frac{4\varepsilon^2 P}{1+\omega}$. On the other side, {eq}`correlated-eq-p` says
# $\omega + \ln\omega = \ln(cs) + 2\varepsilon Q$, so $P'(Q) = \frac{2\varepsilon P}{1+\omega}$ and
# $G'(Q) = -\frac1Q + s - \frac{4\varepsilon^2P}{1+\omega}$: the Hessian is positive definite exactly where $G'(Q) < 0$.
#
# *Number:* $Q\,G'(Q) = -1 + K(Q)$ with $K = \delta Q + \frac{4\varepsilon^2}{s}\,\frac{Q}{1+\omega}$, because
# $s - \frac{4\varepsilon^2}{s}\frac{\omega}{1+\omega} = \delta + \frac{4\varepsilon^2}{s}\frac{1}{1+\omega}$. While
# $\omega < e\,c\,s$, $Q/(1+\omega)$ increases, because $(1+\omega)^2 > 2\varepsilon Q\,\omega$ there; so does $K$. Once
# $\omega \ge e\,c\,s$, $2\varepsilon Q = \omega + \ln\frac{\omega}{cs} \ge 1+\omega$, hence
# $K - 1 \ge \frac{(1-\varepsilon)^2}{s}\big[(1+\varepsilon)^2 Q - 1\big] > 0$, since
# $Q \ge \frac{1}{2\varepsilon} > \frac{1}{(1+\varepsilon)^2}$. So $G$ falls, turns once and rises; and $G\to\infty$ at
# both ends.
# ````
#
# That makes a solver that cannot miss anything: bracket the turning point, look at the sign of $G$ there, and bracket a
# root on either side. As $\varepsilon\to1$ the terms $sQ$ and $2\varepsilon P$ cancel; their difference is
# $\delta Q - \frac{2\varepsilon}{s}\ln\frac{cs}{\omega}$, which does not.

# %%
show_source(correlated.oracle, correlated.pretrained, correlated.da_stationary)

# %% [markdown]
# ### One example by hand
#
# $|R| = 900$, $|F| = 100$, $r = 100$, $\lambda = \tfrac1{10}$, $\varepsilon = \tfrac12$: $s = \tfrac54$,
# $t = \tfrac45$, $b = 1$, $c = \tfrac{10}{9}$. The oracle solves $x\,e^x = cs = \tfrac{25}{18}$. Try
# $x = \tfrac{7}{10}$: $e^{7/10} \approx 2 + \tfrac{1}{73}$, so $x e^x \approx \tfrac{141}{100}$, a little too much; one
# Newton step subtracts
# $(\tfrac{141}{100} - \tfrac{25}{18})/\big((1+x)e^x\big) \approx \tfrac{21}{1000}\cdot\tfrac{1}{34/10} \approx \tfrac{6}{1000}$,
# so $x_R \approx \tfrac{694}{1000}$ and $y_R = t\,x_R \approx \tfrac{555}{1000}$: the oracle, which never saw a forget
# sample, gives it four fifths of a retain sample's margin. That is what correlation means here.

# %%
example = TwoCoordinates(900, 100, 100, 0.05, 0.1, 0.5)
models = {
    "pretrained": correlated.pretrained(example),
    "oracle": correlated.oracle(example),
    "descent-ascent": correlated.da_stationary(example)[0],
}
figures.table(pd.DataFrame([
    (name, *w, *correlated.margins(example, w)) for name, w in models.items()
], columns=["model", "w1", "w2", "x (retain)", "y (forget)"]))  # fmt: skip

# %% [markdown]
# We check it against SciPy's general root finder, started many times at random, which knows nothing of the above.

# %%
show_source(correlated.pulls, correlated.combine, correlated.loss,
            correlated.gradient)  # fmt: skip
rng = np.random.default_rng(seed)


def brute_force(problem, starts=25):
    """Stationary points of L_DA that SciPy's root finder meets."""
    slope = lambda w: correlated.gradient(problem, w, "DA")  # noqa: E731
    found = [root(lambda w: slope(w) / problem.lam, start)
             for start in rng.normal(0, 4, (starts, 2))]
    return [f.x for f in found if f.success and np.abs(f.fun).max() < 1e-9]


agree, most_roots = 0, 0
for _ in range(trials):
    part, ridge, epsilon = rng.uniform([0, -2, 0], [1.2, 0, 0.95])
    one = problem_at(fraction, part, 10**ridge, epsilon)
    ours, found = np.array(correlated.da_stationary(one)), brute_force(one)
    gaps = [np.linalg.norm(ours - w, axis=1) for w in found]
    same = all(np.nanmin(gap, initial=np.inf) < 1e-5 for gap in gaps)
    agree += same and (bool(found) or np.isnan(ours).all())
    distinct = np.unique(np.round(np.reshape(found, (-1, 2)), 4), axis=0)
    most_roots = max(most_roots, len(distinct))
print(f"{agree} of {trials} problems agree; at most {most_roots} points found")

# %% [markdown]
# ## One landscape, and what correlation does to it
#
# <details><summary><b>Predict before you scroll:</b> the two groups have nothing in common at ε = 0. Is descent-ascent
# harmless there?</summary>It sets out well, and then does not stop: its mistake is the end, not the beginning. With
# overlap the beginning is wrong, too.</details>
#
# The slider moves $\varepsilon$ at a fixed amount to forget. The contours are those of $L_{DA}$; the path is DA's
# gradient flow, the limit of small steps, from the pretrained model. Watch two things: the angle at which it sets out,
# and where it ends.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The landscape of descent-ascent in the plane of weights for growing overlap ε (move the slider). Left: the whole picture; right: the neighbourhood of the oracle. Blue square: pretrained; green star: oracle; vermilion: the path of descent-ascent, to its limit (cross) where it has one. Dotted circle: as far from the oracle as the pretrained model. With little overlap the path dips into the circle first; with much overlap it never does.", "name": "correlated-landscape"}}
overlaps = [0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 0.9]
several = [problem_at(fraction, relative, landscape_lam, epsilon) for epsilon in overlaps]
words = ["towards" if flow.first_step(one) > 0 else "away" for one in several]
labels = [f"{e:g}: first step {word}" for e, word in zip(overlaps, words)]
figures.frames([panels.landscape(one) for one in several], labels, name="ε", start=2, alt=(
    "The weight plane for growing overlap. The path of descent-ascent starts at the pretrained model; for small overlap "
    "it first comes closer to the oracle and then leaves; for large overlap it leaves at once."))
glue("correlated_cosine0", float(flow.first_step(several[0])), display=False)
glue("correlated_nearest0", float(flow.closest_approach(several[0])), display=False)

# %% [markdown]
# At $\varepsilon = 0$ the two groups are independent, and DA sets out in roughly the right direction: the cosine of the
# angle between its first step and the way to the oracle is {glue:text}`correlated_cosine0:.2f`. It takes back what $F$
# had contributed to $w_2$, and comes within {glue:text}`correlated_nearest0:.2f` of the initial distance. Its mistake
# is not to stop. With a large overlap even the first step is wrong.

# %% [markdown]
# ## When the two groups become one
#
# Appendix J takes a last limit: one retain sample at $(1,\varepsilon)$, one forget sample at $(\varepsilon, 1)$, the
# other $d-2$ samples on coordinates of their own. So $|D| = d$, $|R| = d-1$, $|F| = 1$, $r = 1$, $\alpha = 1$. As
# $\varepsilon\to1$ both margins tend to $w_1 + w_2$, and each system of {eq}`correlated-eq-systems` collapses to one
# equation $x e^x = z$:
#
# $$
# w_1 + w_2 \;\to\; \begin{cases}
# W_0\big(\frac{4}{\lambda d}\big) & \text{for } D,\\
# W_0\big(\frac{2}{\lambda(d-1)}\big) & \text{for } R,\\
# W_0\big(-\frac{2(d-2)}{\lambda(d-1)}\big) & \text{for } DA.
# \end{cases}
# $$ (correlated-eq-limit)
#
# It is the [one-dimensional problem](one_dimension.ipynb) with half the ridge, far above Lemma 3's range: $\alpha = 1$
# while $|F|/|R| = 1/(d-1)$. From there we know what to expect. The pretrained model stays within
# $\ln\frac{2(d-1)}{d} < \ln 2$ of the oracle. For DA the distance is at least $W_0\big(\frac{2}{\lambda(d-1)}\big)$, if
# a limit exists, and it exists only for $\lambda \ge 2e\,\frac{d-2}{d-1}$, a very large ridge. With any smaller one DA
# has no limit once $\varepsilon$ is close enough to 1.

# %%
show_source(correlated.merging)
needed = 2 * np.e * (d - 2) / (d - 1)
large = 1.2 * needed
towards = 1 - np.geomspace(0.5, 1e-12, 40)
rows = []
for value in (merging_lam, large):
    near, limit = correlated.merging(d, value, towards[-1])
    apart = np.abs(limit - limit[1])
    rows.append({
        "λ": f"{value:.3g}", "D to R": f"{apart[0]:.4f}",
        "DA to R": f"{apart[2]:.4f}" if np.isfinite(near[2]) else "no limit",
        "error of the limits": f"{np.nanmax(np.abs(near - limit)):.0e}",
    })
figures.table(pd.DataFrame(rows))
for name, value in {"needed": needed, "large": large}.items():
    glue(f"correlated_{name}", float(value), display=False)
glue("correlated_d", d, display=False)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "App. J: the sum w₁ + w₂ of each model as the two directions merge (1 − ε to the right on a logarithmic axis), for a ridge large enough that descent-ascent has a limit. Dotted: the limits from the closed forms.", "name": "correlated-appendix-j"}}
sums, limits = correlated.merging(d, large, towards)
figures.show(panels.merging(1 - towards, sums, limits), alt=(
    "Three curves against 1 minus epsilon; pretrained and oracle nearly coincide just above zero, descent-ascent lies far "
    "below zero; each levels off at its dotted limit."))

# %% [markdown]
# With $d =$ {glue:text}`correlated_d` samples a limit of DA needs $\lambda \ge$ {glue:text}`correlated_needed:.2f`; the
# figure shows $\lambda =$ {glue:text}`correlated_large:.2f`.

# %% [markdown]
# ## Exercises
#
# ```{exercise-start}
# :label: correlated-ex-zero
# ```
# At $\varepsilon = 0$ Lemma 9's lower end is infinite. Does descent-ascent then not harm? Solve the case by hand and
# say where each margin goes.
# ```{exercise-end}
# ```
#
# ```{solution-start} correlated-ex-zero
# :label: correlated-ex-zero-solution
# :class: dropdown
# ```
# The coordinates separate. The retain margin solves $x e^x = b$ for $D$ and $c$ for both $R$ and DA: DA *mends* it
# completely. The forget margin is $W_0(b\alpha)$ before, $0$ for the oracle and $W(-ca)$ for DA: right direction, then
# past the target, and on to $-\infty$ without a stationary point if $ca > 1/e$. The end harms; the beginning does not.

# %%
apart = problem_at(fraction, 0.02, lam, 0.0)
for w in (correlated.pretrained(apart), correlated.oracle(apart),
          correlated.da_stationary(apart)[0]):  # fmt: skip
    x, y = correlated.margins(apart, w)
    print("no limit" if np.isnan(x) else f"x = {x:.4f}, y = {y:.4f}")

# %% [markdown]
# ```{solution-end}
# ```
#
# ```{exercise-start}
# :label: correlated-ex-one
# ```
# What do the three systems {eq}`correlated-eq-systems` become as $\varepsilon \to 1$, and which one-dimensional problem
# is that?
# ```{exercise-end}
# ```
#
# ```{solution-start} correlated-ex-one
# :label: correlated-ex-one-solution
# :class: dropdown
# ```
# Both margins tend to $m = w_1 + w_2$. $D$: $m = 2b(1+\alpha)e^{-m}$; $R$: $m = 2c\,e^{-m}$; DA: $m = 2c(1-a)e^{-m}$.
# These are the three pulls of [one dimension](one_dimension.ipynb) with *half* the ridge: two coordinates share the
# work.

# %%
nearly = TwoCoordinates(900, 100, 100, 0.05, 0.1, 1 - 1e-9)
line = OneCoordinate(900, 100, 100, 0.05, 0.1 / 2)
solved = (correlated.pretrained(nearly), correlated.oracle(nearly),
          correlated.da_stationary(nearly)[0])  # fmt: skip
for objective, w in zip(OBJECTIVES, solved):
    print(objective, w.sum(), stationary(line, objective))

# %% [markdown]
# ```{solution-end}
# ```
#
# The paper proves harm without solving these systems, by bounds. They are the subject of the
# [next chapter](bounds.ipynb).
