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
# # Random forget sets
#
# ```{admonition} At a glance
# :class: glance
# **You will see** why an oracle's accuracy on a random forget set is its test accuracy, up to an error that can be written
# down, and how tight that statement is on hundreds of models that were really retrained.
#
# **In the paper** Lemma 1 {cite}`mavrothalassitis2025ascent`.
#
# **Runtime** about 20 s on one core.
#
# **Parameters** [listed below](random_sets-parameters): sizes of the forget sets, number of retrained models.
#
# **Rerun** `unlearning run random_sets -p sizes "[20, 200]" -p repeats 1000 --out runs/random_sets`
# ```

# %% [markdown]
# (random_sets-parameters)=
# ## Parameters

# %% tags=["parameters"]
sizes: list[int] = [10, 100, 1000]  # sizes of the forget sets |F| (images) [2, 1300]
train_size: int = 1400  # images in D, of 1,797; the rest are for testing [1350, 1700]
repeats: int = 200  # retrained models per size and setting (count) [20, 5000]
delta: float = 0.05  # probability of missing a margin (fraction) [0.001, 0.5]
ridge: float = 1.0  # ridge coefficient of the models (dimensionless) [1e-3, 1e3]
ascent_sets: int = 8  # random forget sets in the last section (count) [2, 40]
ascent_size: int = 100  # images in each of them (images) [20, 1000]
ascent_steps: int = 100  # steps of ascent in the last section (count) [5, 500]
ascent_rate: float = 1.0  # step size of ascent and descent there [1e-3, 10]
seed: int = 0  # seed of all draws [0, 1000000]

# %% [markdown]
# Can one know what an oracle does without training it? For one kind of forget set, yes. If $F$ is drawn at random,
# then to a model trained on the rest, the images of $F$ are simply images it has never seen. So is a test set. The
# oracle cannot tell one from the other, and its accuracies on the two must agree up to chance. This chapter makes "up to
# chance" precise, and then checks it.

# %% [markdown]
# ## The lemma
#
# Images and labels are independent draws from one distribution, the *population*. The training set $D$ is a sample of
# it, $F \subset D$ is chosen uniformly at random, and $R = D \setminus F$. An oracle $\theta$ is trained on $R$. Write
#
# - $|F|$ for the number of images in $F$,
# - $\mathrm{Acc}_F$ for the fraction of $F$ that $\theta$ classifies correctly,
# - $\mathrm{Acc}_T$ for the probability that $\theta$ classifies a fresh draw from the population correctly.
#
# ````{prf:lemma} Lemma 1 of the paper
# :label: random_sets-lemma1
#
# For every $t \ge 0$,
#
# $$
# \begin{aligned}
# & \Pr\big(|\mathrm{Acc}_F - \mathrm{Acc}_T| \ge t\big) \\
# & \qquad \le\; 2\, e^{-2 |F| t^2}.
# \end{aligned}
# $$ (random_sets-eq-bound)
# ````
#
# ````{prf:proof}
# *What is random.* Hold $R$ and the training's randomness fixed. Then $\theta$ is fixed, and so is $\mathrm{Acc}_T$. Because $D$ is a sample of
# independent draws and $F$ was picked without looking at them, the images of $F$ are still independent draws from the population, whatever
# $R$ turned out to be. Let $Z_i$ be 1 if the $i$-th image of $F$ is classified correctly and 0 if not. The $Z_i$ are
# independent with mean $p = \mathrm{Acc}_T$, and $\mathrm{Acc}_F = \frac{1}{n}\sum_i Z_i$ with $n = |F|$.
#
# *One variable.* For $s > 0$ let $\psi(s) = \log \E\, e^{s(Z_i - p)}$. Then $\psi(0) = \psi'(0) = 0$, and
# $\psi''(s)$ is the variance of $Z_i$ under the distribution reweighted by $e^{sZ_i}$. That is again a variable with values 0 and 1, so its variance is at
# most $\frac14$. Taylor's formula gives $\psi(s) \le s^2/8$. This is Hoeffding's lemma.
#
# *All of them.* By Markov's inequality and independence,
#
# $$
# \begin{aligned}
# \Pr(\mathrm{Acc}_F - p \ge t)
# &= \Pr\Big(e^{s \sum_i (Z_i - p)} \ge e^{s n t}\Big) \\
# &\le e^{-snt}\, e^{n \psi(s)} \le e^{-snt + n s^2/8} .
# \end{aligned}
# $$
#
# The right side is smallest at $s = 4t$, where it is $e^{-2nt^2}$. The same holds for $p - \mathrm{Acc}_F$; adding the two
# gives {eq}`random_sets-eq-bound`. It then holds on average over $R$ and the training too. $\square$
# ````
#
# This is Hoeffding's inequality {cite}`hoeffding1963`; all that is special to unlearning is the first paragraph. Three
# things in it deserve a second look.
#
# - It needs $F$ to be *random*. For images picked because they are hard, or alike, the $Z_i$ are not draws from the population.
# - It needs the model not to have seen $F$. For the pretrained model the lemma says nothing.
# - It speaks about $\mathrm{Acc}_T$ on the whole population. What one has is a finite test set, with an error of its own.

# %% [markdown]
# ## How loose is the bound?
#
# Hoeffding's bound uses nothing about the accuracy $p$. Since $n\,\mathrm{Acc}_F$ follows a binomial distribution, the
# probability can also be computed exactly. At $p = \frac12$ the two are close; a good classifier has $p$ near 1 and a
# variance $p(1-p)$ far below $\frac14$.

# %%
import numpy as np
import pandas as pd
from myst_nb import glue
from scipy.special import softmax
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, Ridge

from unlearning.page import figures, verdicts
from unlearning.theory import random_sets

rng = np.random.default_rng(seed)
images = load_digits()
x, y = images.data / 16, images.target
targets = 2 * np.eye(10)[y] - 1  # +1 for the image's class, -1 elsewhere


def correct(rows: np.ndarray) -> np.ndarray:
    """Train on the images `rows`; for each of all images: is it read right?"""
    model = Ridge(alpha=ridge, solver="cholesky").fit(x[rows], targets[rows])
    return model.predict(x).argmax(axis=1) == y


# %% [markdown]
# The images are scikit-learn's 1,797 handwritten digits {cite}`pedregosa2011`. The model is linear: least squares with a small ridge
# on targets ±1, one per class; the largest output wins. It is chosen for one reason: it trains in milliseconds, and we need hundreds. To know what $p$ is like, train one on a random half and
# ask for its accuracy on the other half.

# %%
half = rng.permutation(len(x))
typical = float(correct(half[::2])[half[1::2]].mean())

# %% tags=["hide-input"]
glue("random_sets_typical", typical, display=False)
loose = pd.DataFrame([
    {"n": n, "hoeffding": random_sets.hoeffding_margin(n, delta), "exact": random_sets.binomial_margin(n, typical, delta)}
    for n in sizes
])  # fmt: skip
glue("random_sets_delta", delta, display=False)
ratio = float((loose.hoeffding / loose.exact).iloc[-1])
glue("random_sets_ratio", ratio, display=False)
glue("random_sets_ratio_squared", ratio**2, display=False)
glue("random_sets_last", sizes[-1], display=False)
glue("random_sets_left", train_size - sizes[-1], display=False)
glue("random_sets_confidence", 1 - delta, display=False)
figures.table(pd.DataFrame({
    "|F|": [f"{n:,}" for n in loose.n],
    "Hoeffding's margin": [f"{t:.3f}" for t in loose.hoeffding],
    "exact margin": [f"{t:.3f}" for t in loose.exact],
    "ratio": [f"{a:.1f}" for a in loose.hoeffding / loose.exact],
}))  # fmt: skip

# %% [markdown]
# The table takes $p =$ {glue:text}`random_sets_typical:.3f` from that model. A margin is the $t$ that
# $|\mathrm{Acc}_F - \mathrm{Acc}_T|$ stays within with probability {glue:text}`random_sets_confidence:.0%`: by
# {eq}`random_sets-eq-bound` on the one side, by the binomial distribution on the other. The bound is safe and wide.
# For the last row it is {glue:text}`random_sets_ratio:.1f` times as wide as necessary. Margins shrink like $1/\sqrt{|F|}$, so
# the exact margin says with $|F|$ images what the bound would need {glue:text}`random_sets_ratio_squared:.1f` times as many for.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The probability that the accuracy on a random forget set misses the population accuracy by t or more: Hoeffding's bound (dashed) and the exact binomial value (solid), for each size of F. The bound does not know that the model is good; the distance between the lines is what it pays for that.", "name": "random_sets-loose"}}
with figures.style():
    fig, ax = figures.panel(4.6, 3.6)
    for n, color in zip(sizes, figures.CYCLE * len(sizes)):
        t = np.linspace(0, 2.2 * random_sets.hoeffding_margin(n, 0.05), 400)
        ax.plot(t, random_sets.hoeffding_bound(n, t), "--", color=color)
        ax.plot(t, random_sets.binomial_tail(n, typical, t), "-", color=color, label=f"|F| = {n:,}")
    ax.plot([], [], "--", color=figures.COLORS["neutral"], label="Hoeffding's bound")
    ax.plot([], [], "-", color=figures.COLORS["neutral"], label="exact")
    ax.set(xlabel="distance t (fraction)", ylabel="probability of ≥ t", yscale="log", ylim=(1e-4, 1.5))
    ax.set(xscale="log", xlim=(0.003, 1))
    ax.legend(loc="lower left", fontsize=8.5)
figures.show(fig, alt=(
    "Probability against distance on logarithmic axes. For each forget-set size the exact curve lies below and left of "
    "Hoeffding's dashed curve; larger sets have both curves further left."))

# %% [markdown]
# ## Hundreds of oracles
#
# Now with trained models. To test the lemma itself we need to know the population accuracy exactly, and for that we
# need to know the population. So we make one: **the 1,797 digits are the population**, and
# $D$ consists of independent draws from them (with replacement, as the lemma has it). Each repeat draws a new $D$ of
# {glue:text}`random_sets_train_size` images, puts $|F|$ of them aside, trains an oracle on the rest, and notes
# $\mathrm{Acc}_F - \mathrm{Acc}_T$. Here $\mathrm{Acc}_T$ is no estimate: it is the oracle's accuracy on all 1,797 images.


# %%
def known_population(n: int) -> tuple[float, float]:
    """One repeat: (Acc_F - Acc_T, Acc_T), population = all digits."""
    rows = rng.integers(0, len(x), train_size)
    forget, retain = rows[:n], rows[n:]
    right = correct(retain)
    return right[forget].mean() - right.mean(), right.mean()


known = {n: np.array([known_population(n) for _ in range(repeats)]) for n in sizes}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Trained oracles whose population is known. Dots: how often the forget accuracy misses the population accuracy by t or more, with 99% intervals. Solid: the exact binomial probability, averaged over the oracles. Dashed: Lemma 1's bound. The dots follow the exact line; the bound lies above both.", "name": "random_sets-known"}}
def exceedance_panel(n, deviations, exact, bounds):
    """Observed, exact and bounding probabilities of a deviation of t or more, for one |F|."""
    fig, ax = figures.panel(2.6, 2.9)
    reach = max(1.15 * np.abs(deviations).max(), random_sets.hoeffding_margin(n, 0.4))
    t = np.linspace(0, reach, 120)
    for bound, line in bounds:
        ax.plot(t, bound(t), line, color=figures.COLORS["neutral"])
    ax.plot(t, exact(t), color=figures.COLORS["oracle"])
    at = np.linspace(0, reach, 9)[1:-1]
    seen = np.array([random_sets.exceedance(deviations, d) for d in at])
    bars = [seen[:, 0] - seen[:, 1], seen[:, 2] - seen[:, 0]]
    ax.errorbar(at, seen[:, 0], bars, fmt="o", ms=4.5, color=figures.COLORS["forget"])
    ax.set(xlabel="distance t", ylabel="probability of ≥ t", title=f"|F| = {n:,}", ylim=(-0.03, 1.05))
    ax.locator_params(axis="x", nbins=3)
    ax.xaxis.set_major_formatter("{x:g}")
    return fig


def averaged_binomial(n, accuracies):
    """The exact tail, averaged over the oracles' own accuracies."""
    values, counts = np.unique(accuracies, return_counts=True)
    return lambda t: np.average([random_sets.binomial_tail(n, p, t) for p in values], axis=0, weights=counts)


with figures.style():
    panels = []
    for n in sizes:
        bounds = [(lambda t, n=n: random_sets.hoeffding_bound(n, t), "--")]
        panel = exceedance_panel(n, known[n][:, 0], averaged_binomial(n, known[n][:, 1]), bounds)
        panels.append(panel)
figures.show(*panels, alt=(
    "One panel for each forget-set size: probability of a deviation of t or more. Observed dots lie on the exact curve, "
    "which falls much faster than the dashed bound of Lemma 1."))

# %% tags=["hide-input"]
checks = []
for n in sizes:
    deviations, accuracies = known[n].T
    t = random_sets.hoeffding_margin(n, delta)
    ladder = np.linspace(0.25, 2, 8) * t
    observed = [random_sets.exceedance(deviations, d, level=0.999) for d in ladder]
    exact = averaged_binomial(n, accuracies)(ladder)
    checks.append({
        "n": n, "accuracy": accuracies.mean(), "mean": deviations.mean(),
        "error": deviations.std(ddof=1) / np.sqrt(repeats), "missed": random_sets.exceedance(deviations, t)[0],
        "bounded": all(low <= b for (_, low, _), b in zip(observed, random_sets.hoeffding_bound(n, ladder))),
        "binomial": all(low <= e <= high for (_, low, high), e in zip(observed, exact)),
    })  # fmt: skip
checks = pd.DataFrame(checks)
glue("random_sets_train_size", train_size, display=False)
glue("random_sets_missed", float(checks.missed.max()), display=False)
glue("random_sets_models", repeats * len(sizes), display=False)
figures.table(pd.DataFrame({
    "|F|": [f"{n:,}" for n in checks.n],
    "left in R": [f"{train_size - n:,}" for n in checks.n],
    "accuracy": [f"{a:.1%}" for a in checks.accuracy],
    "mean deviation": [f"{m:+.3f} ± {e:.3f}" for m, e in zip(checks["mean"], checks.error)],
    "outside the margin": [f"{m:.1%}" for m in checks.missed],
}))  # fmt: skip

# %% [markdown]
# Over {glue:text}`random_sets_models` trained models the deviation averages out to zero (± one standard error; *accuracy* is the oracles' mean
# accuracy on the population), and at
# most {glue:text}`random_sets_missed:.1%` of them leave the margin that the lemma allows {glue:text}`random_sets_delta:.0%`
# to leave. The exact binomial line is not an approximation that happens to fit: given the oracle, it *is* the distribution.
#
# The price of a large forget set shows elsewhere in the table. With $|F| =$ {glue:text}`random_sets_last` only
# {glue:text}`random_sets_left` of {glue:text}`random_sets_train_size` images are left to learn from, and the oracles are
# different models. The lemma does not mind: it compares an oracle with itself.

# %% [markdown]
# ## When the test accuracy is an estimate
#
# In practice nobody knows the population. There is a test set of $m$ images and its accuracy $\widehat{\mathrm{Acc}}_T$, which is a mean of
# $m$ independent draws itself. Hoeffding's inequality covers the difference of two such means
# {cite}`hoeffding1963`: $\frac{1}{|F|}$ becomes $\frac{1}{|F|} + \frac{1}{m}$,
#
# $$
# \begin{aligned}
# & \Pr\big(|\mathrm{Acc}_F - \widehat{\mathrm{Acc}}_T| \ge t\big) \\
# & \qquad \le\; 2 \exp\Big({-\frac{2 t^2}{1/|F| + 1/m}}\Big).
# \end{aligned}
# $$ (random_sets-eq-two)
#
# So a forget set much larger than the test set gains nothing: the error of the test accuracy stays.
#
# Now the practical setting. Each repeat splits the 1,797 digits at random into $D$, with a random $F$ in it, and a test set of
# $m =$ {glue:text}`random_sets_test_size` images; no image is used twice. This too has an exact answer. Given $R$ and the
# oracle, $F$ and the test set are a random split of the images not in $R$; if $c$ of those are classified
# correctly, the number of correct ones that fall into $F$ is hypergeometric.


# %%
def finite_test(n: int) -> tuple[float, float, int]:
    """One repeat: (Acc_F - estimated Acc_T, estimated Acc_T, c)."""
    order = rng.permutation(len(x))
    test, forget = order[train_size:], order[:n]
    right = correct(order[n:train_size])
    gap = right[forget].mean() - right[test].mean()
    return gap, right[test].mean(), right[forget].sum() + right[test].sum()


m = len(x) - train_size
split = {n: np.array([finite_test(n) for _ in range(repeats)]) for n in sizes}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The same with a test set of limited size. Dashed: Lemma 1 as if the test accuracy were exact; dotted: the bound that includes the test set's error. Solid: the exact probability of a random split, averaged over the oracles. For the largest forget set the observed deviations are far wider than those of the figure before: what is left is the test set's own error.", "name": "random_sets-split"}}
glue("random_sets_test_size", m, display=False)


def averaged_split(n, totals):
    """The exact tail of a random split, averaged over the oracles' counts c."""
    values, counts = np.unique(totals.astype(int), return_counts=True)
    return lambda t: np.average([random_sets.split_tail(n, m, c, t) for c in values], axis=0, weights=counts)


with figures.style():
    panels = []
    for n in sizes:
        bounds = [(lambda t, n=n: random_sets.hoeffding_bound(n, t), "--"),
                  (lambda t, n=n: random_sets.hoeffding_bound(n, t, m), ":")]  # fmt: skip
        panel = exceedance_panel(n, split[n][:, 0], averaged_split(n, split[n][:, 2]), bounds)
        panels.append(panel)
figures.show(*panels, alt=(
    "One panel for each forget-set size, as before but with a finite test set. For small sets little changes; for the "
    "largest set the bound with the test error is clearly wider than Lemma 1's, and the observed dots lie on the exact "
    "curve of a random split."))

# %% tags=["hide-input"]
spread = []
for n in sizes:
    gaps, estimates, counts = split[n].T
    pooled = (counts / (n + m)).mean()
    binomial = np.array([random_sets.binomial_margin(n, p, delta) for p in estimates])
    t = random_sets.hoeffding_margin(n, delta, m)
    ladder = np.linspace(0.25, 2, 8) * t
    observed = [random_sets.exceedance(gaps, d, level=0.999) for d in ladder]
    spread.append({
        "n": n, "forget": np.sqrt(pooled * (1 - pooled) / n), "test": np.sqrt(pooled * (1 - pooled) / m),
        "observed": gaps.std(ddof=1), "naive": np.mean(np.abs(gaps) <= binomial + 1e-12),
        "lemma": np.mean(np.abs(gaps) < random_sets.hoeffding_margin(n, delta)),
        "mean": gaps.mean(), "error": gaps.std(ddof=1) / np.sqrt(repeats),
        "bounded": all(low <= b for (_, low, _), b in zip(observed, random_sets.hoeffding_bound(n, ladder, m))),
    })  # fmt: skip
spread = pd.DataFrame(spread)
glue("random_sets_naive", float(spread.naive.iloc[-1]), display=False)
glue("random_sets_forgiving", float(spread.lemma.min()), display=False)
glue("random_sets_naive_first", float(spread.naive.iloc[0]), display=False)
figures.table(pd.DataFrame({
    "|F|": [f"{n:,}" for n in spread.n],
    "part from F": [f"{v:.4f}" for v in spread.forget],
    "part from the test set": [f"{v:.4f}" for v in spread.test],
    "both": [f"{v:.4f}" for v in np.hypot(spread.forget, spread.test)],
    "observed": [f"{v:.4f}" for v in spread.observed],
    "inside": [f"{v:.1%}" for v in spread.naive],
}))  # fmt: skip

# %% [markdown]
# The first columns are standard deviations of $\mathrm{Acc}_F - \widehat{\mathrm{Acc}}_T$: what $F$ contributes,
# $\sqrt{p(1-p)/|F|}$; what the test set contributes, $\sqrt{p(1-p)/m}$; the two together; and what we observed. The last column (inside) asks what happens to a reader who takes
# the exact binomial margin around the test accuracy and forgets that it is an estimate. It should hold with probability {glue:text}`random_sets_confidence:.0%` at
# least. For the smallest $F$ it holds in {glue:text}`random_sets_naive_first:.1%` of the repeats, for the largest in only
# {glue:text}`random_sets_naive:.1%`. Lemma 1's own margin is so wide that it forgives the same mistake here: at every size
# {glue:text}`random_sets_forgiving:.1%` or more stay inside. That is luck, not a reason.

# %% [markdown]
# ## The consequence
#
# Turn the lemma around. Plot a model as a point, test accuracy to the right and forget accuracy upwards. Oracles lie in a
# band around the diagonal. A method that lowers the accuracy on a random $F$ can do one of two things. It leaves the band
# downwards; then it is something that retraining would not have produced. Or it stays in the band; then the test
# accuracy falls with it. Neither is a step towards the oracle.
#
# To see which of the two happens we train softmax regression on $D$ (the pretrained models), and on $R$ (the oracles), for several
# random forget sets. Then two methods start from the pretrained models: gradient ascent (GA) climbs the mean loss on $F$;
# gradient descent-ascent (GDA) does the same and after each step descends on $R$.


# %%
inputs = np.hstack([x, np.ones((len(x), 1))])  # a constant 1 for the bias


def softmax_model(rows: np.ndarray) -> np.ndarray:
    """Weights (65, 10) of softmax regression, bias in the last row."""
    model = LogisticRegression(C=10.0, max_iter=500).fit(x[rows], y[rows])
    return np.vstack([model.coef_.T, model.intercept_])


def gradient(weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Gradient of the mean cross-entropy over the images `rows`."""
    errors = softmax(inputs[rows] @ weights, axis=1) - np.eye(10)[y[rows]]
    return inputs[rows].T @ errors / len(rows)


def place(weights: np.ndarray, test, forget) -> tuple[float, float]:
    """The model's point: (test accuracy, forget accuracy)."""
    right = (inputs @ weights).argmax(axis=1) == y
    return right[test].mean(), right[forget].mean()


points = {"pretrained": [], "oracle": [], "GA": [], "GDA": []}
for _ in range(ascent_sets):
    order = rng.permutation(len(x))
    forget, retain = order[:ascent_size], order[ascent_size:train_size]
    test = order[train_size:]
    start = softmax_model(order[:train_size])
    points["pretrained"].append(place(start, test, forget))
    points["oracle"].append(place(softmax_model(retain), test, forget))
    for method in ("GA", "GDA"):
        weights, path = start, [place(start, test, forget)]
        for _ in range(ascent_steps):
            weights = weights + ascent_rate * gradient(weights, forget)
            if method == "GDA":
                weights = weights - ascent_rate * gradient(weights, retain)
            path.append(place(weights, test, forget))
        points[method].append(path)
points = {name: np.array(values) for name, values in points.items()}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Models as points: test accuracy against accuracy on a random forget set. Band: where an oracle lies with the chosen probability (Hoeffding, test error included). Left: gradient ascent slides down the diagonal, taking the test accuracy along. Right: descent-ascent bends below the diagonal. Both begin next to the oracles and leave them.", "name": "random_sets-plane"}}
margin = random_sets.hoeffding_margin(ascent_size, delta, m)


def plane(method, color):
    """Pretrained models, oracles and the paths of a method."""
    fig, ax = figures.panel(3.5, 3.4)
    ax.fill_between([0, 1], [-margin, 1 - margin], [margin, 1 + margin], color=figures.COLORS["neutral"], alpha=0.2, lw=0)
    for path in points[method]:
        ax.plot(*path.T, color=color, lw=1, alpha=0.6, label=method if path is points[method][0] else None)
    ax.plot(*points[method][:, -1].T, "X", ms=7, color=color, label=f"{method}, last step")
    ax.plot(*points["pretrained"].T, "o", ms=6, color=figures.COLORS["pretrained"], label="pretrained")
    ax.plot(*points["oracle"].T, "*", ms=9, color=figures.COLORS["oracle"], label="oracle")
    low = max(0, min(0.85, points[method].min() - 0.05))
    ax.set(xlabel="test accuracy", ylabel="forget accuracy", xlim=(low, 1.01), ylim=(low, 1.02), title=method)
    ax.legend(loc="upper left", fontsize=8.5)
    return fig


with figures.style():
    left = plane("GA", figures.COLORS["ascent"])
    right = plane("GDA", figures.COLORS["accent"])
figures.show(left, right, alt=(
    "Two scatter plots of forget accuracy against test accuracy. Oracles and pretrained models cluster at the top right. "
    "The paths of gradient ascent run down the diagonal to the lower left corner; those of descent-ascent run down a "
    "little below the diagonal."))

# %% tags=["hide-input"]
rows = []
for name, values in {
    "pretrained": points["pretrained"], "oracle": points["oracle"],
    "GA, last step": points["GA"][:, -1], "GDA, last step": points["GDA"][:, -1],
}.items():  # fmt: skip
    gaps = values[:, 1] - values[:, 0]
    rows.append({
        "model": name, "forget accuracy": f"{values[:, 1].mean():.1%}", "test accuracy": f"{values[:, 0].mean():.1%}",
        "difference": f"{gaps.mean():+.3f} ± {gaps.std(ddof=1) / np.sqrt(ascent_sets):.3f}",
        "below the band": f"{int((gaps < -margin).sum())} of {ascent_sets}",
    })  # fmt: skip
oracle = points["oracle"].mean(axis=0)
for name, value in {
    "margin": margin, "oracle_forget": oracle[1],
    "before": np.abs(points["pretrained"][:, 1] - points["oracle"][:, 1]).mean(),
    "ga_after": np.abs(points["GA"][:, -1, 1] - points["oracle"][:, 1]).mean(),
    "gda_after": np.abs(points["GDA"][:, -1, 1] - points["oracle"][:, 1]).mean(),
}.items():  # fmt: skip
    glue(f"random_sets_{name}", float(value), display=False)
figures.table(pd.DataFrame(rows))

# %% [markdown]
# The table averages over the forget sets (± one standard error); the band's half-width is
# {glue:text}`random_sets_margin:.3f`. The oracles read {glue:text}`random_sets_oracle_forget:.1%` of the images they were never shown.
# The pretrained models differ from that by {glue:text}`random_sets_before:.3f` on average. GA ends {glue:text}`random_sets_ga_after:.3f` away, GDA
# {glue:text}`random_sets_gda_after:.3f`.
#
# We had expected the ascent to drop out of the band. For GA that did not happen: it brought down both accuracies
# together, as if $F$ were a test set of its own. To this model it is. GDA, whose descent holds on to $R$, gets
# below the diagonal (difference in the table) and only now and then below the band. So a forget accuracy below the band is a
# strong sign of trouble, but its absence proves nothing: look at the test accuracy as well.
#
# ```{admonition} Our comment
# :class: ours
# The lemma speaks of accuracy only. A model in the band can still differ from every oracle, in the confidence of its answers, say. That is why
# later chapters compare distributions of margins, not accuracies. And the argument is silent about forget sets that are not
# random; those built from [principal components](principal_components.ipynb) are the opposite extreme.
# ```

# %% tags=["hide-input"]
verdicts.decide(
    "C7",
    evidence=f"{repeats * len(sizes)} retrained models with a known population: at most {checks.missed.max():.1%} "
    f"leave the {1 - delta:.0%} margin of Lemma 1; mean deviation "
    + ", ".join(f"{a:+.4f} ± {e:.4f} (|F| = {n})" for n, a, e in zip(checks.n, checks["mean"], checks.error)),
    checks={
        "the mean deviation is zero within 3.3 standard errors at each size": bool(
            (checks["mean"].abs() <= 3.3 * checks.error + 1e-12).all()
        ),
        "no frequency lies significantly (99.9%) above Lemma 1's bound": bool(checks.bounded.all()),
        "all frequencies agree with the exact binomial (99.9% intervals)": bool(checks.binomial.all()),
        "with an estimated test accuracy: mean zero within 3.3 standard errors": bool(
            (spread["mean"].abs() <= 3.3 * spread.error + 1e-12).all()
        ),
        "with an estimated test accuracy: no frequency above the bound with both errors": bool(spread.bounded.all()),
    },
    scale="digits",
)
