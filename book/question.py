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
# # The question
#
# ```{admonition} At a glance
# :class: glance
# **You will see** what a model that has forgotten should look like, why gradient *ascent* seems to get there, and a
# first experiment on real data in which it does not.
#
# **In the paper** Sections 1-3 {cite}`mavrothalassitis2025ascent`.
#
# **Runtime** about 20 s on one core.
#
# **Parameters** [listed below](question-parameters): which random set is forgotten, how hard the methods push.
#
# **Rerun** `unlearning run question -p forget 50 -p rate 0.2 --out runs/question`
# ```

# %% [markdown]
# (question-parameters)=
# ## Parameters

# %% tags=["parameters"]
forget: int = 100  # size of the random forget set |F| (images) [5, 600]
splits: int = 10  # independent random forget sets; the figures show their mean and spread (runs) [2, 50]
steps: int = 60  # steps of each unlearning method (steps) [5, 500]
rate: float = 0.1  # step size η of ascent and descent (dimensionless) [1e-4, 20]
ridge: float = 1e-3  # ridge coefficient λ on the weights (dimensionless) [1e-6, 1]
seed: int = 0  # seed of the splits into train, test and forget [0, 1000000]

# %% [markdown]
# ## What should forgetting mean?
#
# A model was trained on a **training set** $D$. Now a part of it, the **forget set** $F \subset D$, must go: the owner
# of those images withdrew consent, say, or their labels turned out wrong. What is left is the **retain set**
# $R = D \setminus F$.
#
# One answer is beyond dispute. Throw the model away and train a new one on $R$ with the same recipe. That model has
# never seen $F$; we call it the **oracle**. Training is random (initial weights, order of the data), so the oracle is
# not one model but a distribution. Write $\mathcal{A}(S)$ for the random result of training on a set $S$, and
# $\mathcal{U}$ for a method that starts from the pretrained model. Then
#
# $$
# \mathcal{U}\big(\mathcal{A}(D),\, F,\, R\big) \;\approx\; \mathcal{A}(R)
# \quad\text{in distribution}
# $$ (question-eq-goal)
#
# is what successful unlearning means. Retraining is expensive, so $\mathcal{U}$ should be much cheaper. The target itself is not negotiable: a method that
# ends somewhere else has not forgotten $F$, it has merely changed the model. Note what {eq}`question-eq-goal` does *not*
# ask for: it does not ask that the model be *bad* on $F$. An oracle can be perfectly good at images it has never seen.
# That is what generalisation means.

# %% [markdown]
# ## Why ascent looks reasonable
#
# Training made the loss small on $F$. So undo it: make the loss on $F$ large again. With weights $\theta$, loss
# $\ell(\theta; z)$ at the example $z$, and $L_S(\theta) = \frac{1}{|S|}\sum_{z \in S} \ell(\theta; z)$ for the mean over a set
# $S$, three methods of this kind are in use. We call them all **descent-ascent**.
#
# **Gradient ascent** (GA) climbs the loss on $F$ with step size $\eta$:
#
# $$
# \theta \;\leftarrow\; \theta + \eta\, \nabla L_F(\theta).
# $$ (question-eq-ga)
#
# **Gradient descent-ascent** (GDA) alternates that step with an ordinary training step on $R$, so that the rest of the
# model is kept alive:
#
# $$
# \theta \;\leftarrow\; \theta + \eta\, \nabla L_F(\theta), \qquad
# \theta \;\leftarrow\; \theta - \eta\, \nabla L_R(\theta).
# $$ (question-eq-gda)
#
# **SCRUB** {cite}`kurmanji2023scrub` does the same with the pretrained model as a teacher. Let $p_\theta(z)$ be the
# predicted class probabilities, $p_0$ the teacher's. The student is driven away from the teacher on $F$ and kept close
# to it on $R$:
#
# $$
# \max_\theta\; \frac{1}{|F|}\sum_{z\in F} \mathrm{KL}\big(p_0(z) \,\|\, p_\theta(z)\big)
# \quad\text{in turn with}\quad
# \min_\theta\; a\, L_R(\theta) + \frac{b}{|R|}\sum_{z\in R}\mathrm{KL}\big(p_0(z)\,\|\,p_\theta(z)\big),
# $$ (question-eq-scrub)
#
# with two weights $a, b > 0$.
#
# ```{admonition} The paper claims
# :class: paper
# All three share one hidden assumption: that one can move the model on $F$ and leave it alone elsewhere. Forget and
# retain examples come from the same world, so they depend on each other, and then ascending on $F$ damages what was
# learned from $R$. Descent-ascent fails *because* of that dependence {cite}`mavrothalassitis2025ascent`.
# ```
#
# The theory chapters make this precise. First, let us watch it happen.

# %% [markdown]
# ## A first experiment
#
# The data are the 1,797 handwritten digits that come with scikit-learn {cite}`pedregosa2011`: real 8×8 images, ten
# classes. The model is as plain as can be: softmax regression with a small ridge. It has one great advantage here. Its
# training loss
#
# $$
# L_S(\theta) + \tfrac{\lambda}{2}\|W\|^2, \qquad
# \ell(\theta; x, y) = -\log \mathrm{softmax}(W x + v)_y,
# $$ (question-eq-softmax)
#
# with $\theta = (W, v)$, is convex. Training fixes $W$, and $v$ up to a common constant (adding one number to all ten biases changes no probability); the
# solver returns the $v$ that sums to zero. So the oracle is a single model, and "how far from the oracle" is a plain distance, in margins, which the constant leaves alone.

# %%
import numpy as np
import pandas as pd
from myst_nb import glue
from scipy.special import log_softmax, softmax
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from unlearning.page import figures


# %%
def with_bias(x: np.ndarray) -> np.ndarray:
    """Images with a constant 1 appended, shape (n, 65)."""
    return np.hstack([x, np.ones((len(x), 1))])


def train(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The minimiser of the ridge-penalised loss as θ of shape (65, 10)."""
    model = LogisticRegression(C=1 / (ridge * len(x)), tol=1e-8, max_iter=5000)
    model.fit(x, y)
    return np.vstack([model.coef_.T, model.intercept_])


def gradient(theta: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Gradient of the mean cross-entropy on (x, y), shape (65, 10)."""
    errors = softmax(with_bias(x) @ theta, axis=1) - np.eye(10)[y]
    return with_bias(x).T @ errors / len(x)


def margins(theta: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Log-odds of the true class against all others, shape (n,).

    Large means confident and right, negative means wrong.
    """
    log_p = log_softmax(with_bias(x) @ theta, axis=1)[np.arange(len(x)), y]
    return log_p - np.log(-np.expm1(np.minimum(log_p, -1e-12)))


def accuracy(theta: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    """Share of examples whose largest score is the true class."""
    return float(np.mean(np.argmax(with_bias(x) @ theta, axis=1) == y))


# %% [markdown]
# For each of several random splits we train the pretrained model on $D$ and the oracle on $R$, then let GA and GDA loose
# on the pretrained model. At every step we note the accuracy on $F$, on $R$ and on test images, and how far the
# margins on the test images have moved from the oracle's.

# %%
images = load_digits()
pixels, labels = images.data / 16.0, images.target


def one_split(split_seed: int) -> pd.DataFrame:
    """One random forget set: one row per model looked at."""
    x, x_test, y, y_test = train_test_split(
        pixels, labels, test_size=500, random_state=split_seed, stratify=labels
    )
    x_f, y_f, x_r, y_r = x[:forget], y[:forget], x[forget:], y[forget:]
    pretrained, oracle = train(x, y), train(x_r, y_r)
    target = margins(oracle, x_test, y_test)

    def look(method: str, step: int, theta: np.ndarray) -> dict:
        return {
            "method": method, "step": step, "split": split_seed,
            "forget": accuracy(theta, x_f, y_f),
            "retain": accuracy(theta, x_r, y_r),
            "test": accuracy(theta, x_test, y_test),
            "gap": np.mean(np.abs(margins(theta, x_test, y_test) - target)),
        }  # fmt: skip

    rows = [look("pretrained", 0, pretrained), look("oracle", 0, oracle)]
    for method in ("GA", "GDA"):
        theta = pretrained.copy()
        for step in range(steps + 1):
            rows.append(look(method, step, theta))
            theta = theta + rate * gradient(theta, x_f, y_f)
            if method == "GDA":
                theta = theta - rate * gradient(theta, x_r, y_r)
    return pd.DataFrame(rows)


runs = pd.concat([one_split(seed + i) for i in range(splits)])
means = runs.groupby(["method", "step"])[["forget", "retain", "test", "gap"]].mean()
pretrained, oracle = means.loc[("pretrained", 0)], means.loc[("oracle", 0)]

# %% tags=["hide-input"]
last = means.loc["GA"].iloc[-1]
for name, value in {
    "oracle_forget": oracle.forget, "oracle_test": oracle.test, "pretrained_forget": pretrained.forget,
    "pretrained_test": pretrained.test, "ga_forget": last.forget, "ga_test": last.test, "ga_gap": last.gap,
    "pretrained_gap": pretrained.gap, "best_gap": means.loc["GA"].gap.min(),
    "best_step": float(means.loc["GA"].gap.idxmin()), "gda_test": means.loc["GDA"].iloc[-1].test,
    "gda_gap": means.loc["GDA"].iloc[-1].gap, "gda_forget": means.loc["GDA"].iloc[-1].forget,
}.items():  # fmt: skip
    glue(f"question_{name}", float(value), display=False)
glue("question_steps", steps, display=False)

# %% [markdown]
# Look at the two reference models first. The pretrained model classifies {glue:text}`question_pretrained_forget:.1%` of
# $F$ correctly: it has seen those images. The oracle never has, and still gets {glue:text}`question_oracle_forget:.1%` of
# them right, about as many as of the fresh test images ({glue:text}`question_oracle_test:.1%`). *That* is the target.
# There is almost nothing to unlearn.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Left: accuracy on forgotten images (dashed) and on test images (solid) as the method proceeds; the green line is the oracle's accuracy on the forgotten images, the level to stop at. GA (vermilion) goes below it on the forgotten images, and the test accuracy falls along. Right: how far the margins on test images are from the oracle's; the pretrained model is the dotted line. Lines: means over the forget sets; bands: from their 10% to their 90% quantile.", "name": "question-first"}}
low, high = (runs.groupby(["method", "step"])[["forget", "test", "gap"]].quantile(q) for q in (0.1, 0.9))
looks = {"GA": figures.COLORS["ascent"], "GDA": figures.COLORS["accent"]}
with figures.style():
    left, ax = figures.panel()
    ax.axhline(oracle.forget, color=figures.COLORS["oracle"], lw=1.2)
    for method, color in looks.items():
        for column, line in (("test", "-"), ("forget", "--")):
            mean = means.loc[method][column]
            ax.plot(mean.index, mean, line, color=color, label=f"{method}, {column}")
            ax.fill_between(mean.index, low.loc[method][column], high.loc[method][column], color=color, alpha=0.12, lw=0)
    ax.set(xlabel="step", ylabel="accuracy", ylim=(-0.02, 1.05))
    ax.legend(loc="lower left")
    right, ax = figures.panel()
    ax.axhline(pretrained.gap, color=figures.COLORS["pretrained"], ls=":", label="pretrained")
    for method, color in looks.items():
        mean = means.loc[method].gap
        ax.plot(mean.index, mean, color=color, label=method)
        ax.fill_between(mean.index, low.loc[method].gap, high.loc[method].gap, color=color, alpha=0.12, lw=0)
    ax.set(xlabel="step", ylabel="margin distance to the oracle", yscale="log")
    ax.legend(loc="upper left")
figures.show(left, right, alt=(
    "Left: accuracy against unlearning step. Under gradient ascent the accuracy on forgotten images falls towards zero "
    "and the test accuracy falls with it; the oracle's forget accuracy stays near its test accuracy. Right: distance of "
    "test margins to the oracle on a log scale, rising with every step of gradient ascent."))

# %% [markdown]
# GA does what it says: after {glue:text}`question_steps` steps only {glue:text}`question_ga_forget:.1%` of the forget set
# is classified correctly. The price is in the same picture. Test accuracy went from
# {glue:text}`question_pretrained_test:.1%` to {glue:text}`question_ga_test:.1%`, because a four in $F$ and a four in the
# test set look alike: what un-teaches one un-teaches the other.
#
# The right panel asks the question that matters, distance to the oracle. The pretrained model starts at
# {glue:text}`question_pretrained_gap:.2f`. The closest that GA ever comes is {glue:text}`question_best_gap:.2f`, at step
# {glue:text}`question_best_step:.0f`; at the end it stands at {glue:text}`question_ga_gap:.2f`. GDA repairs part of the
# damage on test images (accuracy {glue:text}`question_gda_test:.1%`, distance {glue:text}`question_gda_gap:.2f`), and its
# accuracy on $F$, {glue:text}`question_gda_forget:.1%`, shows what the two opposing forces agreed on.
#
# ```{admonition} Our comment
# :class: ours
# This is a convex model on small images, where the target is one point and everything can be checked. It shows the
# mechanism and nothing more. Whether it carries over to deep networks is a question of measurement: that needs a metric
# between *distributions* of models and a fair set of controls, which later chapters bring.
# ```
#
# Why "about as many as of the test images"? That is the paper's first lemma, and it holds for any model at all:
# [random forget sets](random_sets.ipynb).
