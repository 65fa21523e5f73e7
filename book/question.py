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
# | symbol | meaning |
# | --- | --- |
# | $D$, $F$, $R$ | training, forget and retain set, $R = D \setminus F$ |
# | $\mathcal{A}$, $\mathcal{U}$ | training, unlearning: random maps to models |
# | $\theta$, $\ell(\theta; z)$, $L_S$ | weights, loss at an example, mean loss over a set $S$ |
# | $\eta$, $\lambda$ | step size, ridge coefficient |
# | margin | log-odds of the true class |
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
import torch
from myst_nb import glue
from scipy.special import softmax
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from panels import question as panels
from unlearning.klom import margins
from unlearning.page import figures


# %%
def train(x, y):
    """θ (65, 10) of the smallest penalised loss; x ends with a constant 1."""
    model = LogisticRegression(C=1 / (ridge * len(x)), tol=1e-8, max_iter=5000)
    model.fit(x[:, :-1], y)
    return np.vstack([model.coef_.T, model.intercept_])


def gradient(theta, x, y):
    """Gradient of the mean cross-entropy on (x, y), shape (65, 10)."""
    return x.T @ (softmax(x @ theta, axis=1) - np.eye(10)[y]) / len(x)


# %% [markdown]
# For each of several random splits we train the pretrained model on $D$ and the oracle on $R$, then let GA and GDA loose
# on the pretrained model. At every step we note the accuracy on $F$, on $R$ and on test images, and how far the
# *margins* on the test images (log-odds of the true class) have moved from the oracle's.
#
# ```{raw} html
# <details class="predict"><summary><strong>Predict before you scroll.</strong> The oracle has never seen F. How many of F's images does it
# read correctly: none, a tenth, most?</summary>Most: about as many as of any other images it has not seen.</details>
# ```

# %%
digits, labels = load_digits(return_X_y=True)
constant = np.ones((len(digits), 1))  # for the bias
pixels = np.hstack([digits / 16, constant])


def one_split(split_seed):
    """One random forget set: D's and the test's images and labels."""
    return train_test_split(
        pixels, labels, test_size=500, random_state=split_seed, stratify=labels
    )


def walk(method, theta, x, y):
    """The models of one method, the pretrained one first."""
    for _ in range(steps + 1):
        yield theta
        theta = theta + rate * gradient(theta, x[:forget], y[:forget])
        if method == "GDA":
            theta = theta - rate * gradient(theta, x[forget:], y[forget:])


# %% [markdown]
# *One ascent step by hand.* Start from a model that knows nothing, $\theta = 0$: every class has probability
# $\tfrac1{10}$, every margin is $\ln\frac{1/10}{9/10} = -\ln 9$. Forget a single image $x$ of a class. The gradient of
# its loss is $(p - e_y)\,x^\top$, so a step of ascent lowers the class's logit at another image $x'$ by
# $\tfrac9{10}\,\eta\,x\cdot x'$ and raises the nine others by $\tfrac1{10}\,\eta\,x\cdot x'$. If $x'$ is of the same
# class, its margin falls by exactly $\eta\,x\cdot x'$. The step does not single out $x$: it pushes each image of the class
# by its inner product with $x$. For the image itself, for the one of its class that falls most, and on average:

# %%
same = pixels[labels == labels[0]]  # its first row is the image that goes
one_step = rate * gradient(np.zeros((65, 10)), same[:1], labels[:1])
knocked = margins(torch.from_numpy(same @ one_step),
                  torch.full((len(same),), int(labels[0]))).numpy()  # fmt: skip
fall = -np.log(9) - knocked
print("by hand", *(rate * same @ same[0])[:3], "computed", *fall[:3])
print("itself", fall[0], "most", fall[1:].max(), "mean", fall[1:].mean())

# %%
rows = []
for split in range(seed, seed + splits):
    x, x_test, y, y_test = one_split(split)
    pretrained, oracle = train(x, y), train(x[forget:], y[forget:])
    models = {"pretrained": [pretrained], "oracle": [oracle]}
    models |= {k: walk(k, pretrained, x, y) for k in ("GA", "GDA")}
    truth = torch.from_numpy(y_test)
    target = margins(torch.from_numpy(x_test @ oracle), truth)
    for method, thetas in models.items():
        for step, theta in enumerate(thetas):
            right = (x @ theta).argmax(1) == y
            z = x_test @ theta
            apart = (margins(torch.from_numpy(z), truth) - target).abs()
            rows.append({
                "method": method, "step": step, "split": split,
                "forget": right[:forget].mean(),
                "retain": right[forget:].mean(),
                "test": (z.argmax(1) == y_test).mean(),
                "gap": float(apart.mean()),
            })  # fmt: skip
runs = pd.DataFrame(rows)
measured = ["forget", "retain", "test", "gap"]
means = runs.groupby(["method", "step"])[measured].mean()

# %% tags=["hide-input"]
pretrained, oracle = means.loc[("pretrained", 0)], means.loc[("oracle", 0)]
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

# %% mystnb={"figure": {"caption": "Left: accuracy on forgotten images (dashed) and on test images (solid) as the method proceeds; the green line is the oracle's accuracy on the forgotten images, the level to stop at. GA (vermilion) goes below it on the forgotten images, and the test accuracy falls along. Right: how far the margins on test images are from the oracle's; the pretrained model is the dotted line. Lines: means over the forget sets; bands: from their 10% to their 90% quantile.", "name": "question-first"}}
with figures.style():
    drawn = panels.first(runs)
figures.show(*drawn, alt=(
    "Left: under gradient ascent the accuracy on forgotten images falls "
    "towards zero and the test accuracy falls with it; the oracle's level is "
    "a line near the top. Right: the distance of test margins to the oracle "
    "rises."))

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
#
# ## Exercises
#
# ````{exercise} Stop in time
# :label: question-exercise-stop
#
# GA is closest to the oracle after a few steps. Could one find that step without the oracle, by stopping when the forget accuracy equals the *test* accuracy of the pretrained model?
# ````

# %% [markdown]
# ````{solution-start} question-exercise-stop
# :class: dropdown
# ````

# %%
path = means.loc["GA"]
stop = int((path.forget <= pretrained.test).idxmax())
print(f"stopping rule: step {stop}, distance {path.gap[stop]:.2f}")
print(f"best step {int(path.gap.idxmin())}, distance {path.gap.min():.2f}; "
      f"start {path.gap[0]:.2f}")

# %% [markdown]
# The rule finds a moment when the accuracies agree, and the distance in margins can be worse than at the start: equal accuracy is necessary for an oracle and not sufficient.
# ````{solution-end}
# ````
#
# ````{exercise} Fine-tuning alone
# :label: question-exercise-finetune
#
# Here the loss is convex. Where does training on $R$ alone end, started from the pretrained model? What does that say about the ascent steps?
# ````
#
# ````{solution} question-exercise-finetune
# :class: dropdown
#
# At the oracle: $L_R$ with its ridge has one minimum (up to the constant in $v$), and descent finds it from any start. So in convex problems the ascent is the only thing that keeps GDA from its target.
# ````
