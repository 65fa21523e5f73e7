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
# # The first step
#
# ```{admonition} At a glance
# :class: glance
# **You will see** one line of algebra that unites the theory, the exact condition under which the first step of
# descent-ascent points away from the oracle, and what real models say about it and about the paper's conjecture.
#
# **In the paper** Section 4 (what the theorem extends) and the conjecture at the end of Appendix A
# {cite}`mavrothalassitis2025ascent`. The theorem itself is ours.
#
# **Runtime** about 40 s on one core.
#
# **Parameters** [listed below](first_step-parameters): sizes of the forget sets, ridges, length of the runs.
#
# **Rerun** `unlearning run first_step -p ridges "[0.1]" -p seed 1 --out runs/first_step`
# ```

# %% [markdown]
# (first_step-parameters)=
# ## Parameters

# %% tags=["parameters"]
images: int = 400  # training images of the real models (images) [200, 1000]
sizes: list[int] = [8, 16, 32, 64]  # sizes of the forget sets |F| (images) [2, 100]
ridges: list[float] = [0.01, 1.0]  # ridge λ of the softmax regressions (dimensionless) [0.003, 10]
ridge: float = 0.01  # ridge λ of the network (dimensionless) [0.001, 0.1]
width: int = 16  # hidden units of the network (count) [2, 64]
steps: int = 60  # steps of descent-ascent (count) [2, 200]
rate: float = 0.05  # their step size η (dimensionless) [1e-4, 0.2]
seed: int = 0  # seed of the images' order, the sets and the network's start [0, 1000000]

# %% [markdown]
# The chapters before this one solved two small systems. Both say that descent-ascent goes the wrong way, and both used
# formulas that exist for nothing else. What is behind them? One line, which holds for every smooth loss and any number
# of weights. It tells when the very first step is wrong. Then we ask real models.
#
# | symbol | meaning |
# | --- | --- |
# | $f$ | the fraction forgotten, $\lvert F\rvert / \lvert D\rvert$ |
# | $L_S$ | mean loss over a set $S$, with the ridge $\frac\lambda2\lVert w\rVert^2$ |
# | $w_D, w_R$ | weights trained to the end on $D$, and on $R$ (the oracle) |
# | $g_F, g_R$ | gradients of the mean losses over $F$ and $R$, *without* the ridge, at $w_D$ |
# | $H$ | second derivatives of $L_R$, ridge included |
# | $I_{ab}$ | $g_a^\top H^{-1} g_b$ for $a, b \in \{F, R\}$: the mean influence between two sets |
# | $\rho$ | ascent weight: $L_{DA} = L_R - \rho\,(\text{mean loss over } F)$; the paper has $\rho = 1$ |

# %%
import numpy as np
import torch
from myst_nb import glue
from sklearn.datasets import load_digits
from torch.nn.functional import cross_entropy

from panels import first_step as panels
from unlearning import forget_sets, influence
from unlearning.klom import margins
from unlearning.page import figures, verdicts
from unlearning.page.source import show_source
from unlearning.theory import first_step

show_source(
    first_step.step,
    first_step.away,
    first_step.cosine_threshold,
    first_step.wrong_ratios,
)

# %% [markdown]
# ## The line that unites the theory
#
# At $w_D$ training has come to rest. The mean over $D$ is a mixture of the means over $R$ and $F$, so
#
# $$
# (1 - f)\, g_R + f\, g_F + \lambda w_D = 0 .
# $$ (first_step-eq-rest)
#
# Put $\lambda w_D$ from there into the two gradients that matter, $\nabla L_R = g_R + \lambda w$ and
# $\nabla L_{DA} = g_R - \rho\, g_F + \lambda w$:
#
# $$
# \begin{aligned}
# -\nabla L_R(w_D) &= f\,(g_F - g_R), \\
# -\nabla L_{DA}(w_D) &= (\rho + f)\, g_F - f\, g_R .
# \end{aligned}
# $$ (first_step-eq-line)
#
# The first is what *should* happen: training on $R$ alone pushes with $f (g_F - g_R)$. The second is what descent-ascent does.
# The part along $g_R$ is the same. The step that undoes $F$ has weight $f$; descent-ascent takes $\rho + f$. With
# $\rho = 1$ that is $(1 + f)/f$ times too much.
#
# ## The theorem
#
# ````{prf:theorem} The first step (ours)
# :label: first_step-theorem
#
# Let every loss be convex and twice differentiable, $\lambda > 0$, and $\rho > 0$. Let $H$ be the Hessian of $L_R$, averaged along the
# segment from $w_D$ to $w_R$. The first step of descent-ascent makes an obtuse angle with the direction of the oracle,
# that is $(w_R - w_D)^\top \big({-\nabla L_{DA}(w_D)}\big) < 0$, if and only if
#
# $$
# (\rho + 2f)\, I_{FR} \;>\; (\rho + f)\, I_{FF} + f\, I_{RR} .
# $$ (first_step-eq-theorem)
#
# With the Hessian at $w_D$ instead of the average the same holds to first order in $f$: this is the influence approximation.
# ````
#
# ````{prf:proof}
# *Where the oracle lies.* By the fundamental theorem of calculus, with $d = w_R - w_D$,
#
# $$
# \nabla L_R(w_R) - \nabla L_R(w_D) = \int_0^1 \nabla^2 L_R(w_D + t d)\, d \; \mathrm{d}t = H d .
# $$
#
# The oracle is a minimum, so $\nabla L_R(w_R) = 0$, and the other gradient stands in {eq}`first_step-eq-line`. Hence
# $d = f\, H^{-1} (g_F - g_R)$. ($H$ is invertible: it is at least $\lambda$ times the identity.)
#
# *The angle.* Multiply by the second line of {eq}`first_step-eq-line`; $H$ is symmetric, so $I_{FR} = I_{RF}$:
#
# $$
# \begin{aligned}
# d^\top (-\nabla L_{DA})
# &= f\, (g_F - g_R)^\top H^{-1} \big((\rho + f) g_F - f g_R\big) \\
# &= f \big[(\rho + f) I_{FF} - (\rho + f) I_{FR} - f I_{FR} + f I_{RR}\big] .
# \end{aligned}
# $$
#
# The bracket is negative exactly when {eq}`first_step-eq-theorem` holds. $\square$
# ````
#
# The difference of the two sides of {eq}`first_step-eq-theorem`, times $f$, is also the speed at which $\frac12\lVert w - w_R\rVert^2$ grows. We call it the
# *rate* (over $f$): `first_step.away`.
#
# ````{prf:corollary} How alike must F and R be? (ours)
# :label: first_step-threshold
#
# Let $c = I_{FR}/\sqrt{I_{FF} I_{RR}}$ be the cosine of $g_F$ and $g_R$ in the inner product of $H^{-1}$, and $u = \sqrt{I_{FF}/I_{RR}}$ the ratio of
# their lengths. The first step is never wrong while
#
# $$
# c \;\le\; \frac{2\sqrt{f(\rho + f)}}{\rho + 2f} .
# $$ (first_step-eq-threshold)
#
# Above that it is wrong exactly for $u$ between the two roots of $(\rho + f) u^2 - (\rho + 2f) c\, u + f = 0$. For $c = 1$ these are
# $\frac{f}{\rho + f}$ and $1$.
# ````
#
# ````{prf:proof}
# Divide {eq}`first_step-eq-theorem` by $I_{RR}$: it reads $(\rho + 2f) c u > (\rho + f) u^2 + f$. The right side is a parabola in $u$ that is below
# the line on the left between two roots, if there are any. By the inequality of the means $(\rho + f) u^2 + f \ge 2 u \sqrt{f (\rho + f)}$, with
# equality at $u^2 = f/(\rho + f)$, so there are none unless $c$ exceeds {eq}`first_step-eq-threshold`. For $c = 1$ the quadratic is
# $(u - 1)\big((\rho + f) u - f\big)$. $\square$
# ````
#
# ```{prf:remark} Four consequences
# :label: first_step-consequences
#
# 1. *One coordinate.* There $c = 1$ and $u = \alpha |R|/|F|$. The range $\frac{f}{1+f} < u < 1$ is Lemma 3's range of $\alpha$, in any dimension.
# 2. *Pure ascent.* Let $\rho \to \infty$: the first step of gradient ascent is wrong if and only if $I_{FR} > I_{FF}$.
# 3. *No ridge.* With $\lambda = 0$ and training finished, {eq}`first_step-eq-rest` makes $g_R$ antiparallel to $g_F$: $I_{FR} < 0$, and the first step
#    is right. A wrong *first* step needs a ridge or unfinished training.
# 4. *Right at first is not right for long.* The step is $(\rho + f)/f$ times too long along $g_F$. It overshoots.
# ```

# %% [markdown]
# ## A picture and an example by hand
#
# Two weights and $H = 1$. All that matters is the angle between the pulls $-g_F$ and $-g_R$, and their lengths.

# %% mystnb={"figure": {"caption": "The pulls of F and R on the trained weights, the first step of descent-ascent, and the oracle's direction; f = 0.1. Dashed: the border between approaching and leaving the oracle. Left: unrelated pulls, the step is right. Middle: similar pulls, F the shorter: the step crosses the border. Right: the same directions with F the longer: right again.", "name": "first_step-arrows"}}
turn = np.deg2rad([90, 25, 25])
cases = zip(turn, (0.5, 0.45, 1.15), ("right", "wrong", "right, too long"))
pull_r = -np.array([0.85, 0.0])
with figures.style():
    drawn = [
        panels.arrows(
            -0.85 * u * np.array([np.cos(t), np.sin(t)]), pull_r, 0.1, title
        )
        for t, u, title in cases
    ]
figures.show(*drawn, alt=(
    "Three vector diagrams. With unrelated pulls the first step lies on the oracle's side of the dashed border. With "
    "similar pulls of which F's is shorter it lies on the other side. With F's longer it is on the oracle's side."))

# %% [markdown]
# *By hand.* Take the one-dimensional problem of the [first theory chapter](one_dimension.ipynb): $|R| = 900$, $|F| = 100$, and of $R$'s points
# $r = 100$ lie on our coordinate, of $F$'s points $\alpha r$. Both gradients have the same sign, $g_R = -\frac{r}{|R|} e^{-w}$ and
# $g_F = -\frac{\alpha r}{|F|} e^{-w}$. So $c = 1$ and $u = \frac{g_F}{g_R} = 9 \alpha$. With $f = \frac{1}{10}$ the first step is wrong for
# $\frac{1}{11} < 9\alpha < 1$, that is $\frac{1}{99} < \alpha < \frac19$. Lemma 3 has $\frac{|F|^2}{|R|(|F| + |D|)} = \frac{10000}{900 \cdot 1100}
# = \frac{1}{99}$ and $\frac{|F|}{|R|} = \frac19$. By function:

# %%
low, high = first_step.wrong_ratios(1.0, fraction=0.1)
(round(9 / low, 9), round(9 / high, 9))  # 1/α at the two ends

# %% mystnb={"figure": {"caption": "Left: the cosine that the gradients of F and R must exceed before any first step can be wrong; dashed with a three times larger ascent weight. Right: above the threshold the first step is wrong only inside the coloured horn. Small forget sets have the widest horn: little similarity suffices, if F pulls less than R.", "name": "first_step-threshold-map"}}
with figures.style():
    drawn = panels.threshold((0.01, 0.05, 0.2))
figures.show(*drawn, alt=(
    "Left: the threshold rises steeply from zero and flattens below one. Right: three nested horns that widen towards "
    "cosine one, the one of the smallest fraction the largest; all lie below ratio one."))

# %% [markdown]
# ```{raw} html
# <details class="predict"><summary><strong>Predict before you scroll.</strong> Real digits, forget sets of many kinds: for about
# how many of ten sets will the first step be wrong?</summary>Almost none. The horn lies below ratio 1: F must pull <em>less</em>
# than R. A small set's mean pull is the larger of the two nearly always, because little in it averages out. The first step is
# right, and far too long.</details>
# ```
#
# ## Real models
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
    influence.rank_correlation,
)

# %%
rng = np.random.default_rng(seed)
pixels, classes = load_digits(return_X_y=True)
order = rng.permutation(len(pixels))
x = np.hstack([pixels / 16, np.ones((len(pixels), 1))])[order]
x, y = torch.tensor(x, dtype=torch.float64), torch.tensor(classes[order])
train_x, train_y, test_x, test_y = x[:images], y[:images], x[images:], y[images:]


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
        for label in rng.permutation(10)[:3]:
            found.append(("class", np.flatnonzero(train_y.numpy() == label)[:size]))
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

    def held_out(thetas):
        z = torch.func.vmap(lambda t: model(t, test_x))(thetas)
        return margins(z, test_y.expand(z.shape[:-1]))

    target, now = held_out(oracles), theta.expand(len(oracles), -1)
    path = [(held_out(now) - target).abs().mean(1)]
    for _ in range(steps):
        gradient = influence.set_gradients(model, now, train_y, retain - forget)
        now = now - rate * (gradient + lam * now)
        path.append((held_out(now) - target).abs().mean(1))
    return torch.stack(path).numpy()


# %%
whole = torch.full((1, images), 1 / images, dtype=torch.float64)
halves = torch.zeros(40, images, dtype=torch.float64)
for row in halves:
    row[torch.from_numpy(rng.permutation(images)[: images // 2])] = 1 / (images // 2)
nothing = torch.zeros(650, dtype=torch.float64)
studies = {
    f"softmax, λ = {lam:g}": (
        linear, lam, lambda w, lam=lam: influence.newton(linear, train_y, w, lam, nothing)
    )
    for lam in ridges
} | {"network": (network, ridge, train_network)}  # fmt: skip
ensemble = influence.newton(linear, train_y, halves, ridges[0], nothing)
z = torch.func.vmap(linear)(ensemble)
ensemble_margins = margins(z, train_y.expand(z.shape[:-1])).numpy()
components, _ = forget_sets.principal_components(ensemble_margins, 2)

# %%
rows = []
for name, (model, lam, train) in studies.items():
    theta = train(whole)[0]
    sets = choose(model, theta, components)
    inside = torch.zeros(len(sets), images, dtype=torch.bool)
    for row, (_, indices) in zip(inside, sets):
        row[torch.from_numpy(indices.copy())] = True
    forget = inside.double() / inside.sum(1, keepdim=True)
    retain = (~inside).double() / (~inside).sum(1, keepdim=True)
    oracles = train(retain)
    found = influence.influence(model, theta, train_y, inside, lam, tolerance=1e-4)
    now = theta.expand(len(sets), -1)
    downhill = influence.set_gradients(model, now, train_y, forget - retain)
    inner = ((downhill - lam * now) * (oracles - theta)).sum(1).numpy()
    path = follow(model, theta, oracles, forget, retain, lam)
    i_ff, i_fr, i_rr = (v.numpy() for v in (found.forget, found.cross, found.retain))
    f = inside.double().mean(1).numpy()
    columns = {"size": inside.sum(1).numpy(), "i_ff": i_ff, "i_fr": i_fr,
               "norm": found.norm.numpy(), "cosine": i_fr / np.sqrt(i_ff * i_rr),
               "ratio": np.sqrt(i_ff / i_rr), "measured": -inner / f,
               "rate": first_step.away(i_ff, i_fr, i_rr, f), "start": path[0],
               "best": path.min(0) - path[0], "end": path[-1] - path[0]}  # fmt: skip
    for k, (kind, _) in enumerate(sets):
        rows.append({"model": name, "kind": kind} | {c: v[k] for c, v in columns.items()})
results = panels.pd.DataFrame(rows)

# %% tags=["hide-input"]
figures.table(panels.kinds(results))
signs = (results.rate > 0) == (results.measured > 0)
convex = results.model != "network"
for name, value in {
    "sets": len(sets), "convex_agree": int(signs[convex].sum()), "convex_cases": int(convex.sum()),
    "network_agree": int(signs[~convex].sum()), "network_cases": int((~convex).sum()),
    "away": int((results.measured > 0).sum()), "cases": len(results), "steps": steps,
    "others_away": int(((results.measured > 0) & (results.kind != "aligned") & convex).sum()),
}.items():  # fmt: skip
    glue(f"first_step_{name}", value, display=False)

# %% [markdown]
# Means over the sets of a kind. *Cosine* and *ratio* are $c$ and $u$; *away* counts measured first steps that leave the oracle (in the weights);
# *start*, *best*, *end* are distances to the oracle in margins: before, at the best moment, and after
# {glue:text}`first_step_steps` steps.
#
# ### Does it predict the direction?

# %% mystnb={"figure": {"caption": "The rate at which the squared distance to the oracle grows in the first step: by the theorem with the Hessian at the trained weights (across), measured with retrained oracles (up). One panel for each model, one marker for each forget set; above 0 the step leaves the oracle. Agreement in sign means no marker in the upper left or lower right.", "name": "first_step-rates"}}
with figures.style():
    drawn = panels.rates(results)
figures.show(*drawn, alt=(
    "Three scatter plots of the measured rate against the theorem's. The markers lie along the diagonal, nearly all of "
    "them at negative rates; only aligned sets come near or above zero."))

# %% [markdown]
# The sign is right for {glue:text}`first_step_convex_agree` of {glue:text}`first_step_convex_cases` sets in the convex models and for
# {glue:text}`first_step_network_agree` of {glue:text}`first_step_network_cases` in the network. Wrong first steps are rare:
# {glue:text}`first_step_away` of {glue:text}`first_step_cases` in all, and {glue:text}`first_step_others_away` in the convex models apart from the aligned sets.
#
# ### Does it predict the damage?
#
# ```{admonition} The paper claims
# :class: paper
# Appendix A conjectures, without a test, that the spectral norm of the cross-influence matrix between forget and retain
# set tells how badly descent-ascent will degrade the model.
# ```
#
# The matrix holds $\frac1n \nabla\ell_i^\top H^{-1} \nabla\ell_j$ for $i \in F$, $j \in R$. Its spectral norm grows with the number of rows, so we
# compare sets as if they had the same size: rank correlations with $|F|$ partialled out, and intervals by bootstrap over the sets. Beside it the signed $I_{FR}$, which is
# the matrix's mean entry (times $n$): it keeps the sign that a norm loses. Then $I_{FF}$, how hard $F$ itself pulls.

# %%
predictors = {"spectral norm": "norm", "signed I_FR": "i_fr",
              "pull I_FF": "i_ff", "rate (T3)": "rate"}  # fmt: skip
outcomes = {"first step": "measured", "best moment": "best", "end": "end"}
found = {}
for name, part in results.groupby("model", sort=False):
    for outcome, column in outcomes.items():
        found[name, outcome] = {
            label: influence.rank_correlation(part[p], part[column], part["size"])
            for label, p in predictors.items()
        }
figures.table(panels.correlations(found))

# %% mystnb={"figure": {"caption": "Damage at the end against three predictors, for the first model of the table. Left: the conjecture's spectral norm. Middle: the signed mean influence. Right: how hard the forget set itself pulls. The last orders the damage best.", "name": "first_step-damage"}}
with figures.style():
    shown = {"norm": "spectral norm", "i_fr": "signed $I_{FR}$", "i_ff": "pull $I_{FF}$"}
    drawn = panels.damage(results, shown, next(iter(studies)))
figures.show(*drawn, alt=(
    "Three scatter plots of the damage. Against the spectral norm and the pull it rises, against the signed influence "
    "it falls with wide scatter."))

# %% tags=["hide-input"]
for key, name in (("linear", next(iter(studies))), ("network", "network")):
    for short, label in (("norm", "spectral norm"), ("signed", "signed I_FR"), ("pull", "pull I_FF")):
        value, low, high = found[name, "end"][label]
        glue(f"first_step_{key}_{short}", f"{value:.2f} [{low:.2f}, {high:.2f}]", display=False)

# %% [markdown]
# ```{admonition} Our comment
# :class: ours
# What is the paper's and what is ours? The conjecture is the paper's, and in these models it holds in a weak form: sets of equal size with a larger norm
# are damaged more, {glue:text}`first_step_linear_norm` in the first model and {glue:text}`first_step_network_norm` in the network. The theorem is ours, and it
# predicts what it speaks of, the first step. We had hoped that its signed $I_{FR}$ would also predict the final damage, as it does in
# [two dimensions](principal_components.ipynb). It does not: {glue:text}`first_step_linear_signed` and
# {glue:text}`first_step_network_signed`, the wrong sign. The best predictor is the plainest, how hard $F$ pulls
# ({glue:text}`first_step_linear_pull`, {glue:text}`first_step_network_pull`). That is consequence 4: the first step is right, and it overshoots in proportion to
# $g_F$. So on these models descent-ascent fails by its *length*, not by its first direction; whoever wants a warning before unlearning can
# compute $I_{FF}$ from $F$ alone. These are small models on small images, and the spectral norm was taken with the Gauss-Newton matrix.
# ```
#
# ## Exercises
#
# ````{exercise} Which ascent weight is exact?
# :label: first_step-exercise-exact
#
# Descend on *all* of $D$ and ascend with weight $s$ on $F$: minimise $L_D - s \cdot (\text{mean loss over } F)$. For which $s$ is its minimum the oracle, with the ridge
# adjusted? What is the same number for descent on $R$?
# ````
#
# ````{solution} first_step-exercise-exact
# :class: dropdown
#
# The mean over $D$ is $(1 - f)\,\text{mean}_R + f\,\text{mean}_F$. With $s = f$ the forget points cancel and $(1 - f)\,\text{mean}_R + \frac\lambda2\lVert w\rVert^2$ is left:
# $L_R$'s loss terms, scaled. With the ridge $(1 - f)\lambda$ it is $(1 - f) L_R$ exactly. For descent on $R$ the number is $\rho = 0$: fine-tuning on $R$ alone ends at the oracle of a
# convex problem, so ascent is the only error.
# ````
#
# ````{exercise} When is the first step wrong?
# :label: first_step-exercise-ratio
#
# A company forgets one percent of its data, and finds $c = 0.9$, $u = 0.5$. Is the first step wrong? How large may the ascent weight $\rho$ be, or must
# it be, for the first step to be right?
# ````

# %% [markdown]
# ````{solution-start} first_step-exercise-ratio
# :class: dropdown
# ````
# The condition is $(\rho + 2f) c u > (\rho + f) u^2 + f$, linear in $\rho$. Collect: $\rho\, u (c - u) > f (u^2 - 2cu + 1)$. With $c > u$ the left side grows with
# $\rho$, so the step is right exactly for small $\rho$:

# %%
f_, c_, u_ = 0.01, 0.9, 0.5
largest = f_ * (u_**2 - 2 * c_ * u_ + 1) / (u_ * (c_ - u_))
print(f"wrong at ρ = 1: {first_step.away(u_**2, c_ * u_, 1.0, f_) > 0}")
print(f"right for ρ up to {largest:.4f}")

# %% [markdown]
# ````{solution-end}
# ````
#
# ````{exercise} Large ridge, two coordinates
# :label: first_step-exercise-epsilon
#
# Retain samples $(1, \epsilon)$, forget samples $(\epsilon, 1)$, $H \approx \lambda \cdot 1$, and weights near 0, so that all slopes are 1. $F$ has $\alpha r$ of its $|F|$ points here, $R$ has $r$ of
# $|R|$. For which $\epsilon$ can the first step be wrong at some $\alpha$?
# ````
#
# ````{solution} first_step-exercise-epsilon
# :class: dropdown
#
# The gradients are multiples of $(\epsilon, 1)$ and $(1, \epsilon)$, so $c = \frac{2\epsilon}{1 + \epsilon^2}$. By {eq}`first_step-eq-threshold` it must exceed
# $\frac{2\sqrt{f(1+f)}}{1 + 2f}$. Write $\epsilon = \tan\theta$ and $\sqrt{f/(1+f)} = \tan\phi$ (both at most 1): the two sides are $\sin 2\theta$ and $\sin 2\phi$, so the condition is
# $\epsilon > \sqrt{\frac{f}{1 + f}} = \sqrt{\frac{|F|}{|F| + |D|}}$.
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
