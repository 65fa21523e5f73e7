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
# # Can the damage be predicted?
#
# ```{admonition} At a glance
# :class: glance
# **You will see** the first-step theorem and the paper's untested conjecture put to the same test: forget sets of eight kinds,
# three models, every oracle really trained.
#
# **In the paper** the conjecture at the end of Appendix A {cite}`mavrothalassitis2025ascent`.
#
# **Runtime** about 35 s on one core.
#
# **Parameters** [listed below](predicting_damage-parameters): sizes of the forget sets, ridges, length of the runs.
#
# **Rerun** `unlearning run predicting_damage -p ridges "[0.1]" -p seed 1 --out runs/predicting_damage`
# ```

# %% [markdown]
# (predicting_damage-parameters)=
# ## Parameters

# %% tags=["parameters"]
images: int = 320  # training images (images) [200, 1000]
sizes: list[int] = [8, 16, 32, 64]  # sizes of the forget sets |F| (images) [2, 100]
ridges: list[float] = [0.01, 2.0]  # ridge λ of the softmax regressions (dimensionless) [0.003, 10]
ridge: float = 0.01  # ridge λ of the network (dimensionless) [0.001, 0.1]
width: int = 12  # hidden units of the network (count) [2, 64]
steps: int = 60  # steps of descent-ascent (count) [2, 200]
rate: float = 0.05  # their step size η (dimensionless) [1e-4, 0.2]
seed: int = 0  # seed of the images' order, the sets and the network's start [0, 1000000]

# %% [markdown]
# Somebody asks to be forgotten. Before descent-ascent is let loose: can one tell how badly it will go, from the trained model and the two sets alone?
#
# ```{admonition} The paper claims
# :class: paper
# Appendix A conjectures, without a test, that the spectral norm of the cross-influence matrix between forget and retain
# set tells how badly descent-ascent will degrade the model.
# ```
#
# The [first-step theorem](first_step.ipynb) suggests other numbers. With the symbols of that chapter:
#
# | number | meaning | whose |
# | --- | --- | --- |
# | $\lVert I(F, R) \rVert_2$ | largest singular value of the block $\frac1n \nabla\ell_i^\top H^{-1} \nabla\ell_j$, $i \in F$, $j \in R$ | the paper's conjecture |
# | $I_{FR}$ | $g_F^\top H^{-1} g_R$: $n$ times the mean entry of that block. It keeps the sign, which a norm loses | ours |
# | $I_{FF}$ | $g_F^\top H^{-1} g_F$: how hard $F$ itself pulls | ours |
# | rate | $(1 + 2f) I_{FR} - (1 + f) I_{FF} - f I_{RR}$: above 0 if and only if the first step leaves the oracle | ours, a theorem |

# %%
import numpy as np
import pandas as pd
import torch
from myst_nb import glue
from sklearn.datasets import load_digits
from torch.nn.functional import cross_entropy

from panels import predicting_damage as panels
from unlearning import forget_sets, influence
from unlearning.klom import margins
from unlearning.page import figures, verdicts
from unlearning.page.source import show_source
from unlearning.theory import first_step

# %% [markdown]
# *By hand.* One weight, $H = h$, so $I_{ab} = g_a g_b / h$. Let $f = \frac1{10}$, $g_R = 1$, and take two forget sets with $g_F = 3$ and $g_F = -3$ (in units of
# $\sqrt h$). The norm cannot tell them apart. $I_{FR} = \pm 3$ can, and $I_{FF} = 9$ for both. The rate is $\frac{12}{10}(\pm 3) - \frac{11}{10} 9 - \frac1{10}$,
# that is $-\frac{64}{10}$ or $-\frac{136}{10}$: both first steps are right. The way to the oracle is $f(g_F - g_R)$ and the step $(1+f)g_F - f g_R$ (both over $h$):
# $\frac{2}{10}$ against $\frac{32}{10}$, and $-\frac{4}{10}$ against $-\frac{34}{10}$. A step of size one goes many times too far.

# %%
for pull in (3.0, -3.0):
    way, step = 0.1 * (pull - 1), first_step.step(pull, 1.0, 0.1)
    print(first_step.away(pull**2, pull, 1.0, 0.1), step / way)

# %% [markdown]
# ```{raw} html
# <details class="predict"><summary><strong>Predict before you scroll.</strong> Real digits, forget sets of many kinds: for about
# how many of ten sets will the first step be wrong?</summary>Almost none. F would have to pull <em>less</em>
# than R, in the same direction. A small set's mean pull is the larger of the two nearly always, because little in it averages out. The first step is
# right, and far too long.</details>
# ```
#
# ## Three models
#
# Three models on scikit-learn's digits {cite}`pedregosa2011`: softmax regression with a light and a heavy ridge, for which the
# theorem is exact up to the averaged Hessian, and a network with one hidden layer, for which it is an approximation.
# Gradients come from automatic differentiation. $H^{-1}$ never exists as a matrix: conjugate gradients need only products
# $Hv$, and those are a forward and a backward pass. For the network $H$ is replaced by its Gauss-Newton part
# {cite}`martens2020`, which has no negative directions.

# %%
show_source(
    influence.set_gradients,
    influence.loss_changes,
    influence.gauss_newton,
    influence.conjugate_gradients,
    influence.newton,
    influence.influence,
    influence.measured_rate,
    influence.rank_correlation,
)

# %%
rng = np.random.default_rng(seed)
pixels, classes = load_digits(return_X_y=True)
order = rng.permutation(len(pixels))
x = np.hstack([pixels / 16, np.ones((len(pixels), 1))])[order]
x, y = torch.tensor(x), torch.tensor(classes[order])
train_x, train_y = x[:images], y[:images]
test_x, test_y = x[images:], y[images:]

# %%
def linear(theta, x=train_x):
    """Softmax regression: logits (n, 10) from 65 · 10 weights."""
    return x @ theta.view(65, 10)


def network(theta, x=train_x):
    """One hidden layer of tanh units, every layer with a bias."""
    first, last = theta.split([65 * width, (width + 1) * 10])
    last = last.view(width + 1, 10)
    return torch.tanh(x @ first.view(65, width)) @ last[:-1] + last[-1]


def train_network(weights):
    """Networks (k, p), all from one start; full batches, no chance."""
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(65 * width + (width + 1) * 10, generator=generator) / 6
    theta = start.double().expand(len(weights), -1).clone()
    speed = torch.zeros_like(theta)
    for k in range(200):
        gradient = influence.set_gradients(network, theta, train_y, weights)
        speed = 0.9 * speed + gradient + ridge * theta
        theta = theta - 0.3 * min(1.0, (200 - k) / 80) * speed
    return theta


# %% [markdown]
# The forget sets should differ in kind and in size. Besides random ones: images of one class; an image with its nearest
# neighbours; the top of the first two principal components of an ensemble's margins, as in the paper; the images with the smallest and with the
# largest loss. And one kind that the theorem suggests: *aligned* sets, collected one image at a time so that the mean gradient
# comes as close as possible to *half* of the mean gradient of $D$, inside the horn if that can be done.


# %%
def choose(model, theta, components):
    """Forget sets as (kind, indices), at every size."""
    losses = cross_entropy(model(theta), train_y, reduction="none").numpy()
    each = influence.set_gradients(
        model, theta, train_y, torch.eye(images, dtype=torch.float64)
    )
    found, total, aligned = [], 0.0, []
    for count in range(1, max(sizes) + 1):
        miss = ((total + each) / count - each.mean(0) / 2).norm(dim=1)
        miss[aligned] = torch.inf
        aligned.append(int(miss.argmin()))
        total = total + each[aligned[-1]]
    for size in sizes:
        found += [("random", rng.permutation(images)[:size]) for _ in range(3)]
        for label in rng.permutation(10)[:2]:
            same = np.flatnonzero(train_y.numpy() == label)
            found.append(("class", same[:size]))
        for centre in rng.permutation(images)[:2]:
            near = (train_x - train_x[centre]).norm(dim=1).numpy()
            found.append(("near", near.argsort()[:size]))
        ranked = {"PC1": -components[0], "PC2": -components[1],
                  "easy": losses, "hard": -losses}  # fmt: skip
        found += [(kind, by.argsort()[:size]) for kind, by in ranked.items()]
        found.append(("aligned", np.array(aligned[:size])))
    return found


# %% [markdown]
# Then descent-ascent runs from the trained model. After every step we measure the distance to the set's own oracle: the mean
# $|{\rm margin} - {\rm oracle's\ margin}|$ over the images held out. *Damage* is how much that has grown at the end. *Best* is the change
# at the best moment, which nobody can know.


# %%
def follow(model, theta, oracles, forget, retain, lam):
    """Distances (steps + 1, k) of descent-ascent to the oracles."""
    labels = test_y.expand(len(oracles), -1)
    logits = torch.func.vmap(lambda t: model(t, test_x))
    target, path = margins(logits(oracles), labels), []
    now = theta.expand_as(oracles)
    for _ in range(steps + 1):
        path.append((margins(logits(now), labels) - target).abs().mean(1))
        gradient = influence.set_gradients(model, now, train_y, retain - forget)
        now = now - rate * (gradient + lam * now)
    return torch.stack(path).numpy()


# %%
whole = torch.full((1, images), 1 / images, dtype=torch.float64)
halves = torch.zeros(40, images, dtype=torch.float64)
for row in halves:
    half = rng.permutation(images)[: images // 2]
    row[torch.from_numpy(half)] = 1 / len(half)
nothing = torch.zeros(650, dtype=torch.float64)
studies = {
    f"softmax, λ = {lam:g}": (
        linear, lam,
        lambda w, lam=lam: influence.newton(linear, train_y, w, lam, nothing)
    )
    for lam in ridges
} | {"network": (network, ridge, train_network)}  # fmt: skip
ensemble = influence.newton(linear, train_y, halves, ridges[0], nothing)
z = torch.func.vmap(linear)(ensemble)
ensemble_margins = margins(z, train_y.expand(z.shape[:-1])).numpy()
components, _ = forget_sets.principal_components(ensemble_margins, 2)

# %%
trained = {}
for name, (model, lam, train) in studies.items():
    theta = train(whole)[0]
    sets = choose(model, theta, components)
    inside = torch.zeros(len(sets), images, dtype=torch.bool)
    for row, (_, indices) in zip(inside, sets):
        row[torch.from_numpy(indices.copy())] = True
    forget, retain = inside.double(), (~inside).double()
    forget /= forget.sum(1, keepdim=True)
    retain /= retain.sum(1, keepdim=True)
    trained[name] = theta, sets, inside, forget, retain, train(retain)

# %%
tables = []
for name, (theta, sets, inside, forget, retain, oracles) in trained.items():
    model, lam, _ = studies[name]
    path = follow(model, theta, oracles, forget, retain, lam)
    i = influence.influence(model, theta, train_y, inside, lam, tolerance=1e-4)
    i_ff, i_fr, i_rr = (v.numpy() for v in (i.forget, i.cross, i.retain))
    measured = influence.measured_rate(
        model, theta, train_y, inside, oracles, lam
    )
    f = inside.double().mean(1).numpy()
    tables.append(pd.DataFrame({
        "model": name, "kind": [kind for kind, _ in sets], "size": f * images,
        "i_ff": i_ff, "i_fr": i_fr, "norm": i.norm.numpy(),
        "cosine": i_fr / np.sqrt(i_ff * i_rr), "ratio": np.sqrt(i_ff / i_rr),
        "rate": first_step.away(i_ff, i_fr, i_rr, f), "start": path[0],
        "measured": measured.numpy(), "best": path.min(0) - path[0],
        "end": path[-1] - path[0],
    }))  # fmt: skip
results = pd.concat(tables, ignore_index=True)

# %% tags=["hide-input"]
figures.table(panels.kinds(results))
signs = (results.rate > 0) == (results.measured > 0)
convex = results.model != "network"
for name, value in {
    "convex_agree": int(signs[convex].sum()), "convex_cases": int(convex.sum()),
    "network_agree": int(signs[~convex].sum()), "network_cases": int((~convex).sum()),
    "away": int((results.measured > 0).sum()), "cases": len(results), "steps": steps,
    "others_away": int(((results.measured > 0) & (results.kind != "aligned") & convex).sum()),
}.items():  # fmt: skip
    glue(f"predicting_damage_{name}", value, display=False)

# %% [markdown]
# Means over the sets of a kind. *Cosine* and *ratio* are $c$ and $u$; *away* counts measured first steps that leave the oracle (in the weights);
# *start*, *best*, *end* are distances to the oracle in margins: before, at the best moment, and after
# {glue:text}`predicting_damage_steps` steps.
#
# ## Does it predict the direction?

# %% mystnb={"figure": {"caption": "The rate at which the squared distance to the oracle grows in the first step: by the theorem with the Hessian at the trained weights (across), measured with retrained oracles (up). One panel for each model, one marker for each forget set; above 0 the step leaves the oracle. Agreement in sign means no marker in the upper left or lower right.", "name": "predicting_damage-rates"}}
with figures.style():
    drawn = panels.rates(results)
figures.show(*drawn, alt=(
    "Three scatter plots of the measured rate against the theorem's. The "
    "markers lie along the diagonal, nearly all of them at negative rates; "
    "only aligned sets come near or above zero."))

# %% [markdown]
# The sign is right for {glue:text}`predicting_damage_convex_agree` of {glue:text}`predicting_damage_convex_cases` sets in the convex models and for
# {glue:text}`predicting_damage_network_agree` of {glue:text}`predicting_damage_network_cases` in the network. Wrong first steps are rare:
# {glue:text}`predicting_damage_away` of {glue:text}`predicting_damage_cases` in all, and {glue:text}`predicting_damage_others_away` in the convex models apart from the aligned sets.
#
# ## Does it predict the damage?
#
# A norm grows with the number of rows, so we compare sets as if they had the same size: rank correlations with $|F|$ partialled out, and
# intervals by bootstrap over the sets. The criterion, fixed for the verdict below: the interval of the norm's correlation with the damage at
# the end lies above 0.

# %%
predictors = {"spectral norm": "norm", "signed I_FR": "i_fr",
              "pull I_FF": "i_ff", "rate (T3)": "rate"}  # fmt: skip
outcomes = {"first step": "measured", "best moment": "best", "end": "end"}
found = {}
for name, part in results.groupby("model", sort=False):
    for outcome, column in outcomes.items():
        found[name, outcome] = {
            k: influence.rank_correlation(part[p], part[column], part["size"])
            for k, p in predictors.items()
        }
figures.table(panels.correlations(found))

# %% mystnb={"figure": {"caption": "Damage at the end against three predictors, for the first model of the table. Left: the conjecture's spectral norm. Middle: the signed mean influence. Right: how hard the forget set itself pulls. The last orders the damage best.", "name": "predicting_damage-damage"}}
with figures.style():
    shown = {"norm": "spectral norm", "i_fr": "signed $I_{FR}$",
             "i_ff": "pull $I_{FF}$"}  # fmt: skip
    drawn = panels.damage(results, shown, next(iter(studies)))
figures.show(*drawn, alt=(
    "Three scatter plots of the damage. Against the spectral norm and the pull "
    "it rises, against the signed influence it falls with wide scatter."))

# %% tags=["hide-input"]
for key, name in (("linear", next(iter(studies))), ("network", "network")):
    for short, label in (("norm", "spectral norm"), ("signed", "signed I_FR"), ("pull", "pull I_FF")):
        value, low, high = found[name, "end"][label]
        glue(f"predicting_damage_{key}_{short}", f"{value:.2f} [{low:.2f}, {high:.2f}]", display=False)

# %% [markdown]
# ```{admonition} Our comment
# :class: ours
# What is the paper's and what is ours? The conjecture is the paper's, and in these models it holds in a weak form: sets of equal size with a larger norm
# are damaged more, {glue:text}`predicting_damage_linear_norm` in the first model and {glue:text}`predicting_damage_network_norm` in the network. The theorem is ours, and it
# predicts what it speaks of, the first step. We had hoped that its signed $I_{FR}$ would also predict the final damage, as it does in
# [two dimensions](principal_components.ipynb). It does not: {glue:text}`predicting_damage_linear_signed` and
# {glue:text}`predicting_damage_network_signed`, the wrong sign. The best predictor is the plainest, how hard $F$ pulls
# ({glue:text}`predicting_damage_linear_pull`, {glue:text}`predicting_damage_network_pull`). That is consequence 4: the first step is right, and it overshoots in proportion to
# $g_F$. So on these models descent-ascent fails by its *length*, not by its first direction; whoever wants a warning before unlearning can
# compute $I_{FF}$. These are small models on small images, and the spectral norm was taken with the Gauss-Newton matrix.
# ```
#
# ## Exercises
#
# ````{exercise} What does "partialled out" change?
# :label: predicting_damage-exercise-partial
#
# Compute the rank correlation of the spectral norm with the damage without taking $|F|$ out, for each model. Why does it differ, and in which direction would a reader be misled?
# ````

# %% [markdown]
# ````{solution-start} predicting_damage-exercise-partial
# :class: dropdown
# ````

# %%
for name, part in results.groupby("model", sort=False):
    plain = influence.rank_correlation(part["norm"], part["end"])[0]
    by_size = influence.rank_correlation(part["size"], part["end"])[0]
    print(f"{name}: norm {plain:+.2f}, |F| alone {by_size:+.2f}")

# %% [markdown]
# Larger sets have larger norms, and here larger sets are damaged *less*: their mean gradient averages out. The raw correlation mixes the two and hides
# most of what the norm knows. Had larger sets been damaged more, it would have made the norm look better than it is.
# ````{solution-end}
# ````
#
# ````{exercise} A cheaper warning
# :label: predicting_damage-exercise-cheap
#
# $I_{FF}$ needs conjugate gradients. Show that $\lVert g_F \rVert^2 / \Lambda \le I_{FF} \le \lVert g_F \rVert^2 / \lambda$, with $\Lambda$ the largest eigenvalue of $H$. For which ridges is the plain
# length of $g_F$ as good a warning?
# ````
#
# ````{solution} predicting_damage-exercise-cheap
# :class: dropdown
#
# The eigenvalues of $H^{-1}$ lie between $1/\Lambda$ and $1/\lambda$, because $H$ is at least $\lambda$ times the identity. When the ridge dominates the curvature of the loss, $\Lambda \approx \lambda$, the two
# bounds meet and $I_{FF} \approx \lVert g_F\rVert^2/\lambda$: the length orders the sets in the same way.
# ````

# %% tags=["hide-input"]
ends = {name: found[name, "end"]["spectral norm"] for name in studies}
verdicts.decide(
    "C13",
    evidence=f"rank correlation of the cross-influence norm with the damage after {steps} steps, |F| partialled out, over "
    f"{len(sets)} forget sets: " + "; ".join(f"{v:+.2f} [{low:+.2f}, {high:+.2f}] ({n})" for n, (v, low, high) in ends.items()),
    checks={
        f"the conjecture: a larger norm, more damage (rank correlation, 95% interval; {name})":
            True if low > 0 else False if high < 0 else None for name, (_, low, high) in ends.items()
    },
    scale="digits",
)  # fmt: skip
