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
# # Ascent fails to forget, reproduced
#
# ```{admonition} At a glance
# :class: glance
# **You will see** the question of the paper in ten lines and one figure, what this book found, and how to use it.
#
# **In the paper** Sections 1 and 2 of *Ascent Fails to Forget* (NeurIPS 2025) {cite}`mavrothalassitis2025ascent`.
#
# **Runtime** about 20 s on one core. **Parameters** [listed below](home-parameters). **Rerun**
# `unlearning run home -p ascent_steps 30 --out runs/home`
# ```
#
# ## Ten lines
#
# 1. A model was trained on data $D$; a part $F$ of it, the {term}`forget set`, has to go. The rest is the {term}`retain set` $R$.
# 2. **Machine unlearning** changes the trained model so that it behaves as if $F$ had never been there.
# 3. The target is therefore known: the {term}`oracle`, a model trained from scratch on $R$ alone.
# 4. Retraining costs a full training, so people look for short cuts.
# 5. The popular short cut is {term}`descent-ascent`: raise the loss on $F$, usually while lowering it on $R$.
# 6. GA, GDA and SCRUB are three methods of this kind.
# 7. To compare with the oracle, take a data point's {term}`margin`: how much more the model believes in the right class than
#    in all others.
# 8. Training is random, so a point's margin has a *distribution*, over many pretrained, unlearned or retrained models.
# 9. {term}`KLoM` is the KL divergence between the margins' distributions of unlearned models and of oracles: 0 is perfect.
# 10. The paper's finding is that descent-ascent does not reach the oracle, because points of $F$ and $R$ depend on each
#     other: ascending on one damages the other.
#
# **In a hurry?** See {ref}`the figure <home-figure>` and {ref}`what this book found <home-found>`; between here and there stand
# the few cells that draw it.

# %% [markdown]
# (home-parameters)=
# ## Parameters

# %% tags=["parameters"]
models: int = 100  # models of each kind, N (models) [10, 400]
forget: int = 20  # size of the random forget set |F| (images) [5, 200]
ascent_steps: int = 10  # steps of gradient ascent (steps) [1, 200]
seed: int = 0  # seed of forget set, weights and data order (integer) [0, 1000000]

# %% [markdown]
# ## One figure
#
# We trained {glue:text}`home_models` softmax regressions on real handwritten digits {cite}`pedregosa2011`, a random
# {glue:text}`home_forget` of them being the forget set $F$, and {glue:text}`home_models` oracles without those. They
# differ in initial weights and in the order of the data. Then every pretrained model took
# {glue:text}`home_ascent_steps` small steps of gradient ascent on $F$.
#
# The left panel looks at one image of $F$, the one on which pretrained models and oracles differ most. Unlearning should
# turn the blue distribution into the green one, and at this moment ascent has moved a good way: mean margins
# {glue:text}`home_pretrained_margin:.2f` (pretrained), {glue:text}`home_oracle_margin:.2f` (oracle) and
# {glue:text}`home_ascent_margin:.2f` (ascent). The right panel follows all images for a while longer.

# %%
import numpy as np
from myst_nb import glue
from scipy.special import log_softmax, softmax
from sklearn.datasets import load_digits

from panels import home as panels
from unlearning.page import figures, ledger
from unlearning.page.claims import CLAIMS

images = load_digits()
order = np.random.default_rng(seed).permutation(len(images.target))
x = np.hstack([images.data / 16.0, np.ones((len(order), 1))])[order]
y = images.target[order]
x_d, y_d = x[:1297], y[:1297]  # the training set D
x_test, y_test = x[1297:], y[1297:]
f = np.arange(forget)  # the forget set F: the first rows of D

# %% [markdown]
# All models of a kind are trained side by side. One step of stochastic gradient descent on the softmax loss moves every
# model on a batch of its own:

# %%
def step(theta, x, y, rate):
    """θ (N, 65, 10), x (N, b, 65), y (N, b): one step down the loss."""
    errors = softmax(x @ theta, axis=-1) - np.eye(10)[y]
    return theta - rate * x.swapaxes(1, 2) @ errors / x.shape[1]


def train(members, rng):
    """N models by SGD on these rows of D, with their own starts and orders."""
    theta = rng.normal(0, 0.1, (models, 65, 10))
    for _ in range(1500):
        batch = members[rng.integers(len(members), size=(models, 32))]
        theta = step(theta, x_d[batch], y_d[batch], rate=0.5)
    return theta


rng = np.random.default_rng([seed, 1])
theta = {
    "pretrained": train(np.arange(len(x_d)), rng),
    "oracle": train(np.arange(forget, len(x_d)), rng),  # never saw F
}

# %% [markdown]
# The margin of an image is the log-odds of its true class.

# %%
def margins(theta, x, y):
    """Log-odds of the true class for each image, shape (N, images)."""
    log_p = log_softmax(x @ theta, axis=-1)[:, np.arange(len(y)), y]
    return log_p - np.log(-np.expm1(np.minimum(log_p, -1e-12)))


def distance(on, oracle):
    """Root-mean-square distance of the images' mean margins."""
    return float(np.sqrt(np.mean((on.mean(0) - oracle.mean(0)) ** 2)))


on_f = {kind: margins(t, x_d[f], y_d[f]) for kind, t in theta.items()}
on_test = {kind: margins(t, x_test, y_test) for kind, t in theta.items()}

# %% [markdown]
# Gradient ascent is the same step with the sign turned round, on all of $F$:

# %%
everyone = np.broadcast_to(f, (models, forget))
unlearned, path = theta["pretrained"], []
for number in range(4 * ascent_steps + 1):
    now_f = margins(unlearned, x_d[f], y_d[f])
    now_test = margins(unlearned, x_test, y_test)
    path.append([distance(now_f, on_f["oracle"]),
                 distance(now_test, on_test["oracle"])])
    if number == ascent_steps:
        on_f["ascent"] = now_f
    unlearned = step(unlearned, x_d[everyone], y_d[everyone], rate=-0.1)
path = np.array(path)  # step by (forget, test)

# %% tags=["hide-input"]
gap = on_f["pretrained"].mean(0) - on_f["oracle"].mean(0)
point = int(np.argmax(np.abs(gap)))
for kind, values in on_f.items():
    glue(f"home_{kind}_margin", float(values[:, point].mean()), display=False)
best = int(path[:, 0].argmin())
for column, name in enumerate(("forget", "test")):
    glue(f"home_{name}_nothing", path[0, column].item(), display=False)
    glue(f"home_{name}_last", path[-1, column].item(), display=False)
glue("home_forget_best", path[best, 0].item(), display=False)
glue("home_forget_best_step", best, display=False)
glue("home_test_at_forget_best", path[best, 1].item(), display=False)
glue("home_last_step", len(path) - 1, display=False)
glue("home_models", models, display=False)
glue("home_forget", forget, display=False)
glue("home_ascent_steps", ascent_steps, display=False)

# %% mystnb={"figure": {"caption": "Left: one forgotten image's margins over many models; ascent (vermilion) is on its way from the pretrained models (blue) to the oracles (green). Right: distance of all images' mean margins to the oracles', step by step. On forgotten images it falls, touches a low point and rises for good; on test images it soon moves away. Dotted: the moment of the left panel.", "name": "home-figure"}}
figures.show(
    panels.histograms(on_f, point), panels.path(path, ascent_steps),
    alt="Left: three histograms of one image's margin; ascent lies between the "
    "pretrained models and the oracles. Right: the distance to the oracles "
    "dips and rises for forgotten images and rises for test images.")

# %% [markdown]
# On the forgotten images the distance falls from {glue:text}`home_forget_nothing:.3f` (doing nothing) to
# {glue:text}`home_forget_best:.3f` at step {glue:text}`home_forget_best_step`, then climbs to
# {glue:text}`home_forget_last:.3f` at step {glue:text}`home_last_step`. On test images it is
# {glue:text}`home_test_nothing:.3f` before, {glue:text}`home_test_at_forget_best:.3f` at the forget set's best moment and
# {glue:text}`home_test_last:.3f` at the end. So there *is* a moment at which ascent looks like forgetting, but only
# someone who already owns the oracles can see it, and the damage elsewhere has begun by then. That is the paper's
# illusion of forgetting in miniature.

# %% [markdown]
# (home-found)=
# ## What this book found
#
# Every claim of the paper gets a verdict, computed by the chapter that tests it and collected on
# [the verdict page](verdicts.ipynb) together with the evidence and the errata.

# %% mystnb={"figure": {"caption": "The paper's claims C1 to C14 in this build of the book: what was found at the paper's own scale, and on the largest scale on which it could be tested here. The verdict page has the claims in words, the scale, the evidence and the checks.", "name": "home-verdicts"}}
facts = ledger.collect()
found = {claim.id: ledger.verdict_of(claim.id, facts) for claim in CLAIMS}
words = "; ".join(f"{c} {v.paper} at the paper's scale, {v.here} here"
                  for c, v in found.items())
figures.show(panels.verdict_strip(found), alt=f"Verdicts: {words}.")

# %% [markdown]
# ## How to use it
#
# **Read.** The chapters build on each other but each opens with a block like the one above: what you will see, where it
# stands in the paper, how long it runs. What the *paper* says and what *we* say never mix:
#
# ```{admonition} The paper claims
# :class: paper
# marks a statement of the paper, in our words.
# ```
#
# ```{admonition} Our comment
# :class: ours
# marks what we add, qualify or found to be different.
# ```
#
# **Rerun.** Every number in the text comes from a cell that ran when this book was built, or from a record of an
# experiment that says how it was made. Every chapter is a program with a parameters cell; change a value and run it again:
#
# ```
# unlearning params one_dimension            # names, units, ranges
# unlearning run one_dimension -p lam 0.02   # into a new folder
# ```
#
# A value that makes no sense is refused before anything runs. The pages' download buttons give the executed notebooks, and
# `make notebooks` writes empty ones for Jupyter and papermill; both refuse the same values.
#
# **Teach.** A chapter is plain Python with prose between the cells, so it can be cut, extended and assigned. Parameters
# make good exercises: *for which α does the oracle lie left of the pretrained weight?* has an answer in one rerun.
# The experiment chapters end with exercises.
#
# **Try a method.** [Your own method](own_method.ipynb) is a dozen lines; `unlearning try my_method.py:my_function` judges it
# on trained models that come with the repository, and `unlearning score` compares margins of yours with recorded oracles.
