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
# # Every numbered statement
#
# ```{admonition} At a glance
# :class: glance
# **You will see** each lemma, corollary and appendix of the paper in one line of our words, where it is proved, and a check by code
# that shares nothing with the library.
#
# **In the paper** Lemmas 1-12, Corollary 1, Appendices B-J {cite}`mavrothalassitis2025ascent`.
#
# **Runtime** about 10 s on one core.
#
# **Parameters** [listed below](lemmas-parameters): how many random problems each check uses.
#
# **Rerun** `unlearning run lemmas -p problems 100 --out runs/lemmas`
# ```

# %% [markdown]
# (lemmas-parameters)=
# ## Parameters

# %% tags=["parameters"]
problems: int = 400  # random problems for each check (count) [20, 5000]
seed: int = 0  # seed of the problems [0, 1000000]

# %% [markdown]
# The theory chapters prove the paper's statements one by one and check them with the library. This page is the referee's: it takes every
# number in the paper's list and asks again, with a few lines of SciPy that import nothing of ours but Lemma 1's two tails. A *violation* is a random problem in which a
# statement fails by more than rounding.
#
# | symbol | meaning |
# | --- | --- |
# | $r$, $\alpha r$ | points of $R$ and of $F$ on the coordinate |
# | $b = \frac{r}{\lambda \lvert D\rvert}$, $c = \frac{r}{\lambda \lvert R\rvert}$, $a = \alpha \frac{\lvert R\rvert}{\lvert F\rvert}$ | pulls over the ridge; the forget points' relative pull |
# | $s = 1 + \epsilon^2$, $t = \frac{2\epsilon}{s}$ | of the correlation $\epsilon$ of the two coordinates |
# | $W_0, W_{-1}$ | the two branches of Lambert's function, $W e^W = z$ |
#
# ```{raw} html
# <details class="predict"><summary><strong>Predict before you scroll.</strong> How many of the numbered statements fail on some random
# problem?</summary>None of the lemmas. They are inequalities with short proofs. What differs from the paper is around them: names of branches, and what a window covers.</details>
# ```
#
# ## One coordinate

# %%
import numpy as np
from scipy.optimize import brentq, root
from scipy.special import lambertw

from panels import lemmas as panels
from unlearning.build.chapters import in_toc
from unlearning.page import figures
from unlearning.theory import random_sets

rng = np.random.default_rng(seed)
n_f = rng.integers(1, 400, problems)
n_r = n_f + rng.integers(1, 4000, problems)
n_d, r = n_f + n_r, rng.integers(1, n_r + 1)
lam = 10.0 ** rng.uniform(-3, 1, problems)
b, c = r / (lam * n_d), r / (lam * n_r)
low, high = n_f**2 / (n_r * (n_f + n_d)), n_f / n_r
w0 = lambda z: lambertw(z).real  # noqa: E731
results = {}

# %% [markdown]
# Lemma 2's closed forms are put into the gradients. For Lemma 3, $\alpha$ is drawn inside its range; besides the order we ask for the sign of $L_{DA}'$
# between $w_{DA}$ and $w_D$, because that is what "every step moves away" means for small steps. Our own threshold (T1) is checked at any $\alpha$.

# %%
alpha = low + rng.random(problems) * (high - low)
a = alpha * n_r / n_f
w_d, w_r, w_da = w0((1 + alpha) * b), w0(c), w0((1 - a) * c)
slopes = [w_d - (1 + alpha) * b * np.exp(-w_d), w_r - c * np.exp(-w_r),
          w_da - (1 - a) * c * np.exp(-w_da)]  # fmt: skip
small = 1e-9 * (1 + np.abs(w_r))
results["2"] = int(np.sum(np.abs(slopes).max(0) > small)), problems
wrong = (w_da > w_d + small) | (w_d > w_r + small)
between = w_da + np.linspace(0.01, 1, 50)[:, None] * (w_d - w_da)
uphill = between - (1 - a) * c * np.exp(-between) < -small
results["3"] = int(np.sum(wrong | uphill.any(0))), problems
any_alpha = 10.0 ** rng.uniform(-4, 1, problems)
start = w0((1 + any_alpha) * b)
gap = np.abs(start - w_r)
bound = np.abs(np.log((1 + any_alpha) * n_r / n_d))
results["4"] = int(np.sum(gap > bound + small)), problems
end = (1 - any_alpha * n_r / n_f) * c  # the argument of W for w_DA
end = np.where(end < -1 / np.e, -np.inf, w0(np.maximum(end, -1 / np.e)))
more = np.abs(w_r - end) - gap
more = np.where(np.abs(more) <= small, 0, np.sign(more))
results["T1"] = int(np.sum(more * (any_alpha - low) < 0)), problems

# %% [markdown]
# Lemma 5 on both branches, up to the last $\alpha$ with a stationary point, and its equality; Corollary 1 along $\lambda \to 0$ with $\alpha = |F|/|R|$; the two branches' curvature.

# %%
last = high + lam * n_f / (np.e * r)
beyond = high + rng.random(problems) * 0.999 * (last - high)
pull = (1 - beyond * n_r / n_f) * c
both = [w0(pull), lambertw(pull, -1).real]
short = [w_r - w < w_r - small for w in both]
equal = np.abs(w0((1 - high * n_r / n_f) * c)) > small
results["5"] = int(np.sum(short[0] | short[1] | equal)), problems
fades = 10.0 ** -np.arange(0, 300, 30.0)[:, None]
far = w0(r / (fades * n_r))  # = |w_R − w_DA| at α = |F|/|R|
near = np.abs(w0((1 + high) * r / (fades * n_d)) - far)
stands = (np.diff(far, axis=0) <= 0).any(0)  # it must run away
results["C1"] = int(np.sum(stands | (near > 1e-9 * (1 + far)).any(0))), problems
results["F"] = int(np.sum((1 + both[0] <= 0) | (1 + both[1] >= 0))), problems

# %% [markdown]
# ## Two coordinates
#
# The three systems in the margins $x$, $y$ are solved by MINPACK from several starts.


# %%
def solve(p, q, u, v, start):
    """x = p e^-x + q e^-y, y = u e^-x + v e^-y, or None."""
    def miss(m):
        ex, ey = np.exp(-np.clip(m, -300, 300))
        return m[0] - p * ex - q * ey, m[1] - u * ex - v * ey

    found = root(miss, start, tol=1e-12)
    return found.x if np.abs(miss(found.x)).max() < 1e-8 else None


eps, share = rng.uniform(0.02, 0.98, problems), rng.uniform(0.001, 1, problems)
s, t, a = 1 + eps**2, 2 * eps / (1 + eps**2), share * n_r / n_f
counted = dict.fromkeys(("6", "7", "8", "9", "10", "12"), (0, 0))

# %% [markdown]
# What the lemmas allow, for all problems at once: the oracle of Lemma 6, both sides of Lemma 7, Lemma 8's upper bounds, and the
# ends of the ranges of Lemmas 9 and 10.

# %%
x_r, y_low = w0(c * s), w0(b * share * s)
y_r, rest = t * x_r, t * y_low
x_low, y_high = w0(b * (s + 2 * share * eps)), w0(b * (2 * eps + share * s))
x_high = rest + w0(b * s * np.exp(-rest))
tops = [np.where(z >= -1 / np.e, w0(z), -np.inf)
        for z in (c * (s - 2 * eps * a), c * (2 * eps - s * a))]
alphas9 = np.maximum(n_f**2 / t, n_d * t * n_f) / (n_r * (n_d + n_f))
y10 = x_r / t * n_f / n_d
alpha_x = y10 * np.exp(np.minimum(y10, 500)) / (b * s)
alpha_y = (y_r * np.exp(y_r) / b - 2 * eps) / s


def solved(i):
    """Problem i: trained margins x, y, the oracle's, descent-ascent's."""
    B, C, e, S, A, al = b[i], c[i], eps[i], s[i], a[i], share[i]
    starts = ([w0(B * S), y_low[i]], [0.1, 0.1], [1.0, 0.5],
              [x_r[i], y_r[i]], [x_r[i] + 1, y_r[i] + 1])
    trained = (solve(B * S, 2 * al * e * B, 2 * e * B, al * S * B, start)
               for start in starts)
    x, y = next(m for m in trained if m is not None)
    retrained = solve(C * S, 0, 2 * e * C, 0, [x_r[i] / 2, y_r[i] / 2])
    starts = [x, y], [0.1, -0.1], [-0.5, -0.8], [x_r[i], -2.0]
    ends = [solve(C * S, -2 * e * A * C, 2 * e * C, -S * A * C, start)
            for start in starts]
    return x, y, retrained, [m for m in ends if m is not None]


# %% [markdown]
# Then problem by problem: which statements do the solutions violate?

# %%
for i in range(problems):
    x, y, retrained, ends = solved(i)
    tiny = 1e-7 * (1 + x_r[i])
    tests = {
        "6": np.abs(retrained - [x_r[i], y_r[i]]).max() > tiny,
        "7": x < x_low[i] - tiny or x > x_high[i] + tiny
        or y < y_low[i] - tiny or y > y_high[i] + tiny,
        "8": any(m[0] > tops[0][i] + tiny or m[1] > tops[1][i] + tiny
                 for m in ends),
        "12": y > x + tiny or any(m[1] > m[0] + tiny for m in ends),
    }
    if share[i] >= alphas9[i]:
        tests["9"] = any(m[0] > x + tiny or m[1] > y + tiny for m in ends)
    if share[i] <= min(alpha_x[i], alpha_y[i]):
        tests["10"] = x > x_r[i] + tiny or y > y_r[i] + tiny
    for key, bad in tests.items():
        counted[key] = counted[key][0] + bool(bad), counted[key][1] + 1
results |= counted

# %% [markdown]
# Lemma 8 also says that there is *no* stationary point where an argument is below $-1/e$: the bound is then $-\infty$, so any solution that MINPACK finds there counts as a violation. In Lemma 10 the window is taken with *both* ends, $\min(\alpha_x, \alpha_y)$.
#
# ## Lemmas 1 and 11, whole vectors, alternating steps
#
# Lemma 11 is Hoeffding's inequality, the tool of Lemma 1's proof {cite}`hoeffding1963`: for independent $Z_i \in [a_i, b_i]$ with the sum $S_n$, $\Pr(\lvert S_n - \mathrm{E} S_n\rvert \ge t) \le 2 \exp\left(-\frac{2 t^2}{\sum_i (b_i - a_i)^2}\right)$.
# We take eight variables, each at either end of its own interval, and count all 256 outcomes: the tail is exact, for each $t$ at which it jumps.
#
# Lemma 1 on a grid of sizes and accuracies: the exact tail against the bound. *Whole vectors*: the paper's data have many coordinates, each point on one; then the gradient of the full loss must be the gradients of the one-coordinate losses side by side.
# And Appendix D.3: two half-steps against one simultaneous step with twice the ridge. Their difference must shrink like $\eta^2$.

# %%
grid_t = np.linspace(0, 1, 101)
tails = [random_sets.binomial_tail(n, p, grid_t)
         > random_sets.hoeffding_bound(n, grid_t) + 1e-12
         for n in (1, 2, 5, 10, 50, 100, 1000) for p in np.linspace(0, 1, 21)]
results["1"] = int(np.sum(tails)), np.size(tails)
at_top = (np.arange(256)[:, None] >> np.arange(8)) % 2  # all outcomes
widths = 10.0 ** rng.uniform(-1, 1, (problems, 8))
chance = rng.random((problems, 8))
off = np.abs((at_top - chance[:, None]) @ widths[..., None])[..., 0]
mass = np.where(at_top, chance[:, None], 1 - chance[:, None]).prod(-1)
place = np.argsort(-off, axis=1)
off, mass = (np.take_along_axis(v, place, 1) for v in (off, mass))
hoeffding = 2 * np.exp(-2 * off**2 / np.sum(widths**2, 1)[:, None])
passed = np.cumsum(mass, axis=1) <= hoeffding + 1e-12
results["11"] = int(np.sum(~passed.all(1))), problems

# %% [markdown]
# Appendices D.1 and D.2 write the three losses over all points and derive one equation per coordinate: the coordinates of Lemma 2 must make the whole gradient vanish, taken point by point.
# Appendix E solves that equation by Lambert's function: a bracketing root finder, which knows no $W$, must find the same weight.

# %%
def whole_gradient(w, lam, *parts):
    """Of the mean losses of parts (weight, places of points) and a ridge."""
    total = lam * w
    for weight, places in parts:
        for place in places:
            total[place] -= weight * np.exp(-w[place]) / len(places)
    return total


# %% [markdown]
# The points are placed at random; a coordinate on which descent-ascent has no stationary weight is left out.

# %%
missed = other = 0
for i in range(problems):
    lam_i = lam[i]
    R, F = rng.integers(0, 5, 60), rng.integers(0, 5, 20)
    D = np.concatenate([R, F])
    in_r, in_f, in_d = (np.bincount(v, minlength=5) / len(v) for v in (R, F, D))
    z = {"D": in_d, "R": in_r, "DA": in_r - in_f}
    points = {"D": [(1, D)], "R": [(1, R)], "DA": [(1, R), (-1, F)]}
    for name, parts in points.items():
        pull = z[name] / lam_i
        pull = np.where(pull < -1 / np.e, np.nan, pull)
        w = w0(pull)
        gap = whole_gradient(w.copy(), lam_i, *parts)
        missed += bool(np.nanmax(np.abs(np.append(gap, 0))) > 1e-9)
    top = 1 + np.log1p(c[i])  # c e^-top < top
    found = brentq(lambda w, k=c[i]: w - k * np.exp(-w), 0, top, xtol=1e-13)
    other += bool(abs(found - w0(c[i])) > 1e-9)
results["D.1"], results["E"] = (missed, 3 * problems), (other, problems)

# %%
places = rng.integers(0, 5, (problems, 30))  # each of 30 points' coordinate
weights = rng.normal(size=(problems, 5))
full = np.zeros((problems, 5))
for k, place in enumerate(places):
    points = np.eye(5)[place]  # y x, one coordinate each
    full[k] = -(np.exp(-points @ weights[k]) @ points) / 30
count = np.array([np.bincount(p, minlength=5) for p in places])
alone = -count / 30 * np.exp(-weights)
results["vectors"] = int(np.sum(np.abs(full - alone).max(1) > 1e-12)), problems
eta, w = np.array([1e-3, 1e-4])[:, None], rng.uniform(-1, 2, problems)
p, q = r / n_r, share * r / n_f  # pulls of R and F at w = 0
first = w + eta * (p * np.exp(-w) - lam * w)
second = first - eta * q * np.exp(-first) - eta * lam * first
together = w + eta * ((p - q) * np.exp(-w) - 2 * lam * w)
order = np.abs(second - together) / eta**2
room = 0.2 * (1 + order[1] + q**2 + p**2 + lam**2)
results["D.3"] = int(np.sum(np.abs(order[1] - order[0]) > room)), problems

# %% tags=["hide-input"]
COLUMNS = ("statement", "words", "proof", "chapter", "check", "verdict")
rows = [dict(zip(COLUMNS, row)) for row in [
    ("Lemma 1", "A random forget set's accuracy under an oracle is within t of the population's, up to probability 2 exp(−2|F|t²).", "in full", "random_sets", "1"),
    ("Lemma 1, consequence", "Below the diagonal of forget and test accuracy no step leads to an oracle.", "argument and experiment", "random_sets", "", "see chapter"),
    ("Lemma 2", "With orthogonal coordinates, D, R and descent-ascent have stationary weights W of (1+α)r/(λ|D|), r/(λ|R|), (1−α|R|/|F|)r/(λ|R|).", "in full", "one_dimension", "2"),
    ("Lemma 3", "For |F|²/(|R|(|F|+|D|)) ≤ α ≤ |F|/|R|: w_DA ≤ w_D ≤ w_R, and descent-ascent leaves the oracle all the way.", "in full; any dimension for the first step", "one_dimension", "3"),
    ("Lemma 4", "|w_D − w_R| ≤ |ln((1+α)|R|/|D|)|, whatever the ridge.", "in full", "threshold", "4"),
    ("Lemma 5", "For α ≥ |F|/|R|, both branches: |w_R − w_DA| ≥ W₀(r/(λ|R|)), with equality at the border.", "in full", "threshold", "5"),
    ("Corollary 1", "As λ → 0 at α = |F|/|R| the pretrained weight meets the oracle's, and descent-ascent's runs away from it.", "in full", "threshold", "C1"),
    ("Lemma 6", "Two coordinates: the oracle's margins are W₀(cs) and t W₀(cs).", "in full", "correlated", "6"),
    ("Lemma 7", "Bounds from both sides for the pretrained margins, α ≤ 1.", "in full", "bounds", "7"),
    ("Lemma 8", "Upper bounds for descent-ascent's margins; no stationary point where an argument is below −1/e.", "in full", "bounds", "8"),
    ("Lemma 9", "Above max of two α: both margins of descent-ascent are below the pretrained ones.", "in full; core by machine", "bounds", "9"),
    ("Lemma 10", "Below min(α_x, α_y): both pretrained margins are below the oracle's.", "in full", "bounds", "10"),
    ("Lemma 11", "Hoeffding's inequality: a sum of independent Z_i in [a_i, b_i] is t or more from its mean with probability at most 2 exp(−2t²/Σ(b_i−a_i)²). The paper quotes it to prove Lemma 1.", "classical; cited", "random_sets", "11"),
    ("Lemma 12", "y ≤ x at the pretrained model (α ≤ 1) and at every stationary point of descent-ascent.", "in full", "bounds", "12"),
    ("Figure 4", "The range between Lemmas 9 and 10 against ε. Drawn with both ends of Lemma 10 it is empty unless the ridge is large.", "computed", "bounds", "", "see chapter"),
    ("App. A", "Conjecture: the norm of the cross-influence predicts the damage.", "none; measured", "predicting_damage", "", "see chapter"),
    ("App. B", "Near the origin the components of the influence matrix line up with those of the inner products.", "to first order", "principal_components", "", "see chapter"),
    ("App. B, rates", "With unequal rates the toy's trap appears for other forget sets.", "proved by intervals", "toy_minima", "", "see chapter"),
    ("App. D, vectors", "Orthogonal coordinates decouple: the vector problem is many scalar ones.", "one line", "one_dimension", "vectors"),
    ("App. D.1, D.2", "The three losses with their ridge, and one stationarity equation per coordinate for each.", "one line", "one_dimension", "D.1"),
    ("App. D.3", "Two half-steps are one simultaneous step with twice the ridge, up to η².", "in full", "alternating", "D.3"),
    ("App. E", "Proof of Lemma 2: the stationarity equation of a coordinate is w e^w = z, solved by Lambert's W, whose principal branch increases.", "in full", "one_dimension", "E"),
    ("App. F", "Between |F|/|R| and the last α there are two stationary weights. We find W₀ the minimum and W₋₁ the maximum; the paper names them the other way round.", "in full", "one_dimension", "F"),
    ("App. G-I", "Proofs of Lemma 4 (G), of Lemma 5 (H), and of Lemmas 6-10 and 12 (I).", "in full", "bounds", "", "see lemmas"),
    ("App. J", "Limits as the two directions merge.", "limits computed", "bounds", "", "see chapter"),
    ("Section 5.2, Fig. 5", "A two-parameter network whose descent-ascent has one minimum, the wrong one.", "proved by intervals", "toy_minima", "", "see chapter"),
    ("Ours: threshold", "One coordinate, any convex loss: descent-ascent ends farther from the oracle than the pretrained weight iff α > |F|²/(|R|(|F|+ρ|D|)).", "in full; core by machine", "threshold", "T1"),
    ("Ours: harm at every time", "Two coordinates: the exact range of α in which neither margin ever comes nearer to the oracle's.", "in full; core and map by machine", "harm_map", "", "see chapter"),
    ("Ours: the map in weights", "Where the first step and the limit are wrong in weights, box by box.", "by machine", "weights_map", "", "see chapter"),
    ("Ours: first step", "The first step is wrong iff (ρ+2f) I_FR > (ρ+f) I_FF + f I_RR.", "in full", "first_step", "", "see chapter"),
]]  # fmt: skip

# %% [markdown]
# ## The table
#
# *Proof* says how much of the proof stands in this book. *Verdict*: "holds" when no random problem violates the statement. A lemma may hold and still cover less than its reader thinks: that is said in the chapters.

# %%
figures.table(panels.table(rows, results, in_toc()), links=True)

# %% [markdown]
# ```{admonition} Our comment
# :class: ours
# No row is open. Appendix H argues that descent-ascent runs to minus infinity for every α > |F|/|R|. That skips the range of
# Appendix F, where it can settle at W₀; Lemma 5's bound holds there too, and its row checks both branches.
# Random problems can refute and never prove; the proofs are in the chapters.
# ```
#
# ## Exercises
#
# ````{exercise} How little a check proves
# :label: lemmas-exercise-rule
#
# A statement fails on a fraction $q$ of all problems. What is the probability that none of $n$ random ones shows it? Which $q$ can $n = 400$ exclude with 95% confidence?
# ````
#
# ````{solution} lemmas-exercise-rule
# :class: dropdown
#
# $(1 - q)^n$. It is below $\frac{1}{20}$ for $q > 1 - 20^{-1/n} \approx \frac{3}{n}$, so under one in a hundred for $n = 400$: the "rule of three". Exceptions rarer than that are for the proofs.
# ````
#
# ````{exercise} Stationary or minimal?
# :label: lemmas-exercise-branch
#
# Show that $L_{DA}'' = \lambda (1 + w)$ at every stationary point in one dimension, and settle which branch is the minimum.
# ````
#
# ````{solution} lemmas-exercise-branch
# :class: dropdown
#
# $L' = \lambda w - A e^{-w}$ and $L'' = \lambda + A e^{-w}$. At a stationary point $A e^{-w} = \lambda w$, so $L'' = \lambda(1 + w)$. $W_0 > -1$ gives a minimum, $W_{-1} < -1$ a maximum.
# ````
