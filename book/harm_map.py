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
# # Harm at every stopping time
#
# ```{admonition} At a glance
# :class: glance
# **You will see** the exact range of forget fractions in which no stopping time of descent-ascent helps, proved by hand
# and by machine; a map of it beside the paper's window.
#
# **In the paper** the question of Section 4, Fig. 4 {cite}`mavrothalassitis2025ascent`. The theorem, the maps and their
# proofs are ours.
#
# **Runtime** about 40 s on one core.
#
# **Parameters** [listed below](harm_map-parameters): sizes of the sets, ridge, fineness of the map.
#
# **Rerun** `unlearning run harm_map -p lam 0.1 --out runs/harm_map`
# ```
#
# ```{admonition} The paper claims
# :class: paper
# In a window of $\alpha$ descent-ascent harms, however early it is stopped. Outside of it nothing is claimed.
# ```

# %% [markdown]
# (harm_map-parameters)=
# ## Parameters

# %% tags=["parameters"]
n_train: int = 1000  # |D|, size of the training set (samples) [300, 100000]
r: int = 100  # retain samples on our two coordinates (samples) [1, 100]
lam: float = 0.01  # ridge coefficient λ (dimensionless) [1e-3, 1]
fraction: float = 0.1  # |F|/|D| (dimensionless) [0.01, 0.4]
fractions: list[float] = [0.05, 0.1, 0.2, 0.3]  # |F|/|D| in the table [0.01, 0.4]
depth: int = 9  # smallest boxes of the certified map: 2^-depth (halvings) [4, 11]
problems: int = 6000  # random problems (problems) [2000, 100000]
seed: int = 0  # seed of the random problems [0, 1000000]

# %% [markdown]
# ## The question, exactly
#
# Two correlated groups as [before](correlated.ipynb): $r$ retain samples at $v = (1,\varepsilon)$, $\alpha r$ forget
# samples at $u = (\varepsilon,1)$, margins $x = w\cdot v$, $y = w\cdot u$. Descent-ascent starts at the pretrained
# $(x_D, y_D)$; the oracle is $(x_R, y_R)$. We follow the gradient flow of $L_{DA}$, the limit of small steps. For which
# $(\varepsilon, \alpha)$ does **neither margin come nearer to the oracle's, at any time**?
#
# | symbol | meaning |
# | --- | --- |
# | $s = 1+\varepsilon^2$ | squared length of both directions |
# | $t = 2\varepsilon/s$ | cosine of their angle |
# | $\delta = (1-\varepsilon^2)^2/s$ | what is not shared; $\delta = s - 2\varepsilon t$ |
# | $b$, $c$ | $r/(\lambda\lvert D\rvert)$ and $r/(\lambda\lvert R\rvert)$ |
# | $A$, $B$ | pulls in $L_{DA}$: $r/\lvert R\rvert$ and $\alpha r/\lvert F\rvert$ |
# | $\tau$ | time of the gradient flow |
# | $h = y - t\,x$ | what the forget margin has beyond its share of $x$ |
# | $\kappa$ | explicit lower end, $\lvert F\rvert^2/\big(t\,\lvert R\rvert(\lvert D\rvert+\lvert F\rvert)\big)$ |

# %%
from fractions import Fraction

import numpy as np
import pandas as pd

from panels import harm_map as panels
from panels import interactive
from unlearning.files import ROOT
from unlearning.page import figures
from unlearning.page.source import show_source
from unlearning.theory import certify, correlated, flow, windows
from unlearning.theory.correlated import TwoCoordinates

show_source(windows.explicit_lower_end, windows.stopping_window)


def problem_at(share, relative, lam, epsilon):
    """Our problem with |F| = share·|D| and α = relative·|F|/|R|."""
    n_forget = share * n_train
    alpha = relative * n_forget / (n_train - n_forget)
    return TwoCoordinates(n_train - n_forget, n_forget, r, alpha, lam, epsilon)


# %% [markdown]
# ## The theorem
#
# ````{prf:theorem} ours: harm at every stopping time
# :label: harm_map-theorem
# :nonumber:
#
# Let $0 < \varepsilon < 1$. The gradient flow of $L_{DA}$ from $w_D$ keeps $x(\tau) \le x_D \le x_R$ and
# $y(\tau) \le y_D \le y_R$ for all $\tau \ge 0$, whether or not it has a limit, **if and only if**
# $\alpha_{\rm low} \le \alpha \le \alpha_{\rm high}$, where
#
# $$
# \begin{aligned}
# \alpha_{\rm low} &= \kappa\,\exp\Big(\!-x\,\frac{(1-\varepsilon)^2(1-\kappa)}{s+2\varepsilon\kappa}\Big), & x &= W_0\big(b\,(s+2\varepsilon\kappa)\big),\\
# \alpha_{\rm high} &= t\,e^{y_R-x_R}\Big(\frac{|F|}{|R|} - \big(e^{x_R-x^*}-1\big)\Big), & x^* &= t\,y_R + W_0\big(b\,\delta\,e^{-t y_R}\big).
# \end{aligned}
# $$ (harm_map-eq-window)
#
# For $\alpha \le 1$, $\alpha \ge \kappa$ is enough for the lower end.
# ````
#
# ````{prf:proof}
# *Step 1, the flow of the margins.* $\dot w = A e^{-x}v - B e^{-y}u - \lambda w$. Multiply by $v$ and by $u$;
# $v\cdot v = u\cdot u = s$, $u\cdot v = 2\varepsilon$:
#
# $$
# x' = A s\,e^{-x} - 2\varepsilon B\,e^{-y} - \lambda x, \qquad y' = 2\varepsilon A\,e^{-x} - B s\,e^{-y} - \lambda y .
# $$ (harm_map-eq-flow)
#
# *Step 2, what is not shared only shrinks.* In $h' = y' - t x'$ the terms with $A$ cancel, because $ts = 2\varepsilon$,
# and $-Bs + 2\varepsilon t B = -B\delta$ remains: $h' = -B\delta\,e^{-y} - \lambda h$. Hence
# $(h\,e^{\lambda\tau})' < 0$ and $h(\tau) \le h(0)\,e^{-\lambda\tau}$. For the pretrained model the same elimination in
# its own equations gives $h(0) = y_D - t\,x_D = b\,\alpha\,\delta\,e^{-y_D} \ge 0$. So $h(\tau) \le h(0)$ at all times.
#
# *Step 3, one inequality decides.* By step 2 $y \le t x + h(0)$, so $x' \le g(x)$ with
# $g(x) = A s\,e^{-x} - 2\varepsilon B\,e^{-t x - h(0)} - \lambda x$, and $g(x_D) = x'(0)$, because
# $t x_D + h(0) = y_D$. If $x'(0) \le 0$, the solution of $z' = g(z)$, $z(0) = x_D$, never exceeds $x_D$, and $x \le z$
# by comparison of the two scalar equations; then also $y \le t x_D + h(0) = y_D$. If $x'(0) > 0$, $x$ rises at once.
#
# *Step 4, the inequality.* Put $\lambda x_D = \frac{r}{|D|}\big[s e^{-x_D} + 2\alpha\varepsilon e^{-y_D}\big]$ into
# $x'(0)$:
#
# $$
# \frac{x'(0)}{r} = s\,e^{-x_D}\Big(\frac{1}{|R|}-\frac{1}{|D|}\Big) - 2\varepsilon\alpha\,e^{-y_D}\Big(\frac{1}{|F|}+\frac{1}{|D|}\Big)
# \;\le\; 0 \iff \alpha\,e^{-y_D} \ge \kappa\,e^{-x_D} .
# $$ (harm_map-eq-decides)
#
# If $\alpha \le 1$, $y_D \le x_D$ (Lemma 12), so that $\alpha \ge \kappa$ suffices.
#
# *Step 5, in terms of $\alpha$.* At equality $\alpha e^{-y_D} = \kappa e^{-x_D}$, and $D$'s equations become explicit:
# $x_D = b\,(s + 2\varepsilon\kappa)\,e^{-x_D}$ and $y_D = b\,(2\varepsilon + s\kappa)\,e^{-x_D}$. So
# $x_D = W_0(b(s+2\varepsilon\kappa))$, $y_D = x_D\frac{2\varepsilon+s\kappa}{s+2\varepsilon\kappa}$ and
# $\alpha = \kappa\,e^{y_D-x_D} = \alpha_{\rm low}$, since
# $s + 2\varepsilon\kappa - 2\varepsilon - s\kappa = (1-\varepsilon)^2(1-\kappa)$. The inequality holds above: let
# $m = 1/(1+b\delta e^{-x_D})$ and $q = b\alpha\delta e^{-y_D}$. Differentiating $x_D = t y_D + b\delta e^{-x_D}$ and
# $y_D = t x_D + q$ gives $\mathrm dx_D = t m\,\mathrm dy_D$ and $\mathrm dy_D\,(1+q-t^2m) = q\,\mathrm d\ln\alpha$, so
# $\mathrm d\,(\ln\alpha + x_D - y_D) = \frac{1-t^2m+tmq}{1+q-t^2m}\,\mathrm d\ln\alpha$, which is positive.
#
# *Step 6, the upper end.* $y_D$ increases with $\alpha$ (step 5). It equals $y_R$ where $x_D = x^*$, the solution of
# $x = t y_R + b\delta e^{-x}$, and $\alpha = (y_R - t x^*)\,e^{y_R}/(b\delta)$. With $y_R = t x_R$,
# $x_R - x^* = \delta\,(c\,e^{-x_R} - b\,e^{-x^*})$ and $c/b = 1 + |F|/|R|$ this is $\alpha_{\rm high}$. Finally
# $y_D \le y_R$ implies $x_D \le x^* < x_R$, because $b < c$. ∎
# ````
#
# So the second condition of Lemma 9 and $\alpha_x$ of Lemma 10 are not needed, a limit need not exist, and the ends are
# exact.
#
# ### One example by hand
#
# $|R| = 900$, $|F| = 100$, $\varepsilon = \tfrac12$: $t = \tfrac45$, $s = \tfrac54$,
# $\kappa = \frac{100^2\cdot 5/4}{900\cdot1100} = \tfrac{5}{396}$: about one forget sample per eighty retain samples.
# The paper's lower end at this overlap is $\tfrac{8}{99}$, six times as much. With $r = 100$, $\lambda = \tfrac1{10}$,
# $b = 1$: $x = W_0(\tfrac54 + \tfrac{5}{396}) \approx \tfrac{65}{100}$ and the exponent is about
# $-\tfrac{65}{100}\cdot\tfrac{1/4}{5/4} = -\tfrac{13}{100}$, so the exact end is about an eighth lower still.

# %%
example = TwoCoordinates(900, 100, 100, 0.0, 0.1, 0.5)
print("κ", windows.explicit_lower_end(example))
print("exact ends", *windows.stopping_window(example))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Both margins on a number line, measured from the oracle's (green), while descent-ascent runs (downwards). Squares: the start. Left, inside the window: both only move away. Right, at a small overlap: the retain margin (blue) first moves towards the oracle.", "name": "harm_map-lines"}}
inside = problem_at(fraction, 0.6, lam, 0.8)
outside = problem_at(fraction, 0.6, lam, 0.15)
figures.show(*panels.number_lines({"ε = 0.8": inside, "ε = 0.15": outside}), alt=(
    "Two panels with the retain and the forget margin against time. Left, both curves start left of the oracle's line "
    "and move further left. Right, the retain margin moves right, to the oracle, before anything else."))

# %% [markdown]
# <details><summary><b>Predict before you scroll:</b> move ε below from zero to one. When does the first step in the
# <i>weights</i> turn from right to wrong, and when do the margins stop coming nearer: at the same ε?</summary>Not at
# the same one. The two distances ask different questions; the next chapter compares them.</details>

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The first step and the margins, recomputed in the page as the overlap moves. Left: from the pretrained weights (square), the way to the oracle (green) and the first step of descent-ascent (vermilion). Right: each margin's start (square), everything it visits (bar) and its end (circle), with the oracle's margin (diamond).", "name": "harm_map-live"}}
n_forget = fraction * n_train
interactive.show(**panels.first_step(n_train - n_forget, n_forget, r, lam, 0.6), alt=(
    "A dial with two arrows, to the oracle and along the first step, and two number lines on which the margins of "
    "descent-ascent run to the left, away from the oracle."))

# %% [markdown]
# ### On random problems
#
# Against the definition (velocities at the start and the order of the margins), and along the flow itself.

# %%
many = windows.random_problems(np.random.default_rng(seed), problems)
start, target = correlated.pretrained(many), correlated.oracle(many)
x_d, y_d = correlated.margins(many, start)
x_r, y_r = correlated.margins(many, target)
step = -correlated.gradient(many, start, "DA")
fall_x, fall_y = correlated.margins(many, step)
defined = (fall_x <= 0) & (fall_y <= 0) & (x_d <= x_r) & (y_d <= y_r)
low, high = windows.stopping_window(many)
window = (many.alpha >= low) & (many.alpha <= high)
limit = np.isfinite(correlated.da_stationary(many)[0][:, 0])
rise = flow.highest_rise(windows.subset(many, window))
below = (many.alpha < low) & (many.alpha <= high)
figures.table(pd.DataFrame([
    ("problems", problems), ("in the window", sum(window)),
    ("the definition disagrees", sum(window != defined)),
    ("in the window, without a limit", sum(window & ~limit)),
    ("highest rise of a margin there", f"{rise.max():.0e}"),
    ("below the window: problems", sum(below)),
    ("… with a margin that rises", sum(
        flow.highest_rise(windows.subset(many, below), 100) > 0)),
], columns=["", "count"]))  # fmt: skip

# %% [markdown]
# ## Proved by machine
#
# Two independent checks of the hand proof. First, its polynomial cores, and those of Lemmas 3 and 9 and of the
# [threshold of harm](threshold.ipynb): the solver z3 looks for real numbers that satisfy the *negation*. If there are
# none ("unsat"), the statement holds for **all** parameters. Given are only that $W_0$ increases, that
# $e^{-x}, e^{-y} > 0$, and Lemma 12.

# %%
show_source(certify.Core, certify.prove_cores, certify.available)
records = ROOT / "results" / "certificates"
live_z3, live_flint = certify.available("z3"), certify.available("flint")
cores = (certify.prove_cores() if live_z3
         else certify.read_cores(records / "cores.json"))
print("proved now:" if live_z3 else "no z3 here; from the record:")
figures.table(pd.DataFrame([(c.name, c.statement, c.result) for c in cores],
                           columns=["core of", "statement", "result"]))

# %% [markdown]
# Second, the map. In **ball arithmetic** (python-flint) a number is an interval that surely contains it; a comparison
# is true only if it holds for all members. Both ends of {eq}`harm_map-eq-window` depend on $\varepsilon$ alone, so we
# enclose them over a column of the map and decide each box: *harm* if it lies between them, *nearer at first* if it
# lies outside, else it is cut in four. What stays undecided is a thin seam.

# %%
show_source(certify.Sizes, certify.window_ends, certify.HarmMap,
            certify.prove_map)  # fmt: skip
exact = Fraction(str(fraction)) * n_train, Fraction(r), Fraction(str(lam))
sizes = certify.Sizes(n_train - exact[0], *exact)
if live_flint:
    proved = certify.prove_map(sizes, depth)
else:
    proved = certify.read_map(records / "harm_map.json")
print("proved now:" if live_flint else "no python-flint here; recorded:")
figures.table(pd.DataFrame([proved.sizes | {
    "boxes": len(proved.harm) + len(proved.spared),
    "harm": f"{proved.area('harm'):.2%}",
    "nearer at first": f"{proved.area('spared'):.2%}",
    "undecided": f"{proved.area('undecided'):.2%}", "by": proved.made_by,
}]))  # fmt: skip

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The certified map. Red: proved that no stopping time brings either margin nearer to the oracle's. Green: proved that some margin comes nearer at first. Grey: undecided. Pink, in the corner at large overlap: the paper's window, even without α_x. Dashed: the explicit lower end κ.", "name": "harm_map-proved"}}
fine = np.linspace(0.002, 0.998, 800)
line = problem_at(fraction, 0.0, lam, fine)
unit = line.n_forget / line.n_retain
ends = {
    "the paper's window": windows.paper_window(line, with_x=False),
    "explicit lower end κ": (windows.explicit_lower_end(line), windows.stopping_window(line)[1]),
}
figures.show(*panels.proved(proved, {name: (fine, low / unit, high / unit) for name, (low, high) in ends.items()}), alt=(
    "Map over overlap and relative alpha. A large wedge that widens to the right is proved harm; the paper's window is a "
    "sliver in its upper right corner."))

# %% [markdown]
# A certificate should be checked by someone else. It is also recorded, so that a reader without the solvers sees it.
# The following lines share no code with the above: they solve the *definition* by Newton's method on $L_D$, at the
# corners and at random points of every decided box.

# %%
show_source(certify.write, certify.read_map, certify.read_cores)


# %%
def contradictions(record, points=6):
    """Points of decided boxes at which the definition says otherwise."""
    R, F, r, lam = (float(Fraction(v)) for v in record.sizes.values())
    level, i, j = np.array(record.harm + record.spared, float).T[..., None]
    sign = np.where(np.arange(len(level)) < len(record.harm), 1, -1)[:, None]
    at = np.random.default_rng(0).random((2, len(level), points))
    at[..., :4] = np.array([[0, 0, 1, 1], [0, 1, 0, 1]])[:, None]  # corners
    e = (i + 1e-9 + at[0] * (1 - 2e-9)) / 2**level  # a hair inside
    a = float(Fraction(record.top)) * (j + 1e-9 + at[1] * (1 - 2e-9)) / 2**level
    s, t, b, c = 1 + e * e, 2 * e, r / lam / (R + F), r / lam / R
    x, y, z = 0 * e, 0 * e, 0 * e
    for _ in range(80):  # x = P s + Q t, y = P t + Q s; the oracle: z = O s
        P, Q, O = b * np.exp(-x), b * a * F / R * np.exp(-y), c * np.exp(-z)
        u, v = P * s + Q * t - x, P * t + Q * s - y
        det = (1 + P * s) * (1 + Q * s) - P * Q * t * t
        x = x + ((1 + Q * s) * u - Q * t * v) / det
        y = y + ((1 + P * s) * v - P * t * u) / det
        z = O * s * (1 + z) / (1 + O * s)
    rise = c * (s * np.exp(-x) - t * a * np.exp(-y)) - x
    spared = np.maximum(rise, y - t / s * z)
    return int(np.sum(~(sign * spared < 1e-9 * (1 + z))))


print(contradictions(proved), "contradictions")

# %% [markdown]
# ### What it adds
#
# Shares of the map $0 < \alpha \le 1.2\,|F|/|R|$ in which each window lies: the paper's as stated, the paper's without
# $\alpha_x$, from $\kappa$ on, and the exact one.

# %%
rows = []
places = (np.arange(300) + 0.5) / 300
e, a = np.meshgrid(places, 1.2 * places)
for share in fractions:
    for value in sorted({lam, 0.3}):
        cell = problem_at(share, a, value, e)
        low, high = windows.stopping_window(cell)
        explicit = windows.explicit_lower_end(cell), np.minimum(high, 1.0)
        stated, wider = (windows.paper_window(cell, flag)
                         for flag in (True, False))
        rows.append((share, value, *(
            f"{np.mean((cell.alpha >= bottom) & (cell.alpha <= top)):.1%}"
            for bottom, top in (stated, wider, explicit, (low, high)))))
figures.table(pd.DataFrame(rows, columns=[
    "|F|/|D|", "λ", "as stated", "without α_x", "from κ: ours", "exact: ours",
]))  # fmt: skip

# %% [markdown]
# ## What we found
#
# In margins, which is what the paper's lemmas order, the harmful range has exact ends in closed form, needs no limit,
# and covers a large part of the map, of which the paper's bounds catch a sliver. How far does this carry over to the
# distance of the *weights*? The [next chapter](weights_map.ipynb) looks.
#
# ## Exercises
#
# ```{exercise-start}
# :label: harm_map-ex-h
# ```
# Derive $h' = -B\delta\,e^{-y} - \lambda h$ from {eq}`harm_map-eq-flow`, and check it numerically by a finite
# difference along the flow.
# ```{exercise-end}
# ```
#
# ```{solution-start} harm_map-ex-h
# :label: harm_map-ex-h-solution
# :class: dropdown
# ```
# $y' - t x' = A e^{-x}(2\varepsilon - ts) + B e^{-y}(2\varepsilon t - s) - \lambda(y - tx)$, and $ts = 2\varepsilon$,
# $s - 2\varepsilon t = \delta$.

# %%
w, step = correlated.pretrained(inside), 1e-6
moved = w - step * correlated.gradient(inside, w, "DA")
(x0, y0), (x1, y1) = (correlated.margins(inside, v) for v in (w, moved))
t, B = inside.share, inside.alpha * r / inside.n_forget
print(((y1 - t * x1) - (y0 - t * x0)) / step,
      -B * inside.delta * np.exp(-y0) - lam * (y0 - t * x0))  # fmt: skip

# %% [markdown]
# ```{solution-end}
# ```
#
# ```{exercise-start}
# :label: harm_map-ex-merge
# ```
# What becomes of both ends of {eq}`harm_map-eq-window` as $\varepsilon \to 1$? And of their exactness: what does the
# flow do outside of them?
# ```{exercise-end}
# ```
#
# ```{solution-start} harm_map-ex-merge
# :label: harm_map-ex-merge-solution
# :class: dropdown
# ```
# $t \to 1$, the exponent vanishes, so $\alpha_{\rm low} \to \kappa \to |F|^2/(|R|(|D|+|F|))$; $\delta \to 0$ gives
# $x^* \to y_R \to x_R$ and $\alpha_{\rm high} \to |F|/|R|$: Lemma 3's range. Outside, one dimension behaves as we know:
# below, descent-ascent goes the right way; above, it passes through the oracle.

# %%
close = problem_at(fraction, 0.0, lam, 1 - 1e-12)
common = close.n_forget**2 / (close.n_retain * (close.n_train + close.n_forget))
print(*windows.stopping_window(close), common, close.n_forget / close.n_retain)

# %% [markdown]
# ```{solution-end}
# ```
