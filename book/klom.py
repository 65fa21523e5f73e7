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
# # Measuring forgetting: KLoM
#
# ```{admonition} At a glance
# :class: glance
# **You will see** how two sets of models are compared, why the direction matters, what the score reads when there is
# nothing to find, and how high it can go.
#
# **In the paper** Section 3 and Appendix K {cite}`mavrothalassitis2025ascent`; the metric is from
# {cite}`georgiev2024attribute`.
#
# **Runtime** about 20 s on one core.
#
# **Parameters** [listed below](klom-parameters): the number of models, the bins, the shifts.
#
# **Rerun** `unlearning run klom -p models 50 -p bins 10 --out runs/klom`
# ```

# %% [markdown]
# (klom-parameters)=
# ## Parameters

# %% tags=["parameters"]
models: int = 100  # models in each ensemble, N [10, 300]
points: int = 2000  # simulated data points per experiment (points) [200, 20000]
bins: int = 20  # histogram bins (bins) [2, 100]
sizes: list[int] = [10, 14, 20, 32, 50, 64, 80, 100, 128, 200]  # ensemble sizes of the floor's curve (models) [2, 1000]
shifts: list[float] = [0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0]  # mean shifts (standard deviations) [0, 30]
seed: int = 0  # seed of everything random here [0, 1000000]

# %%
from math import log

import numpy as np
import pandas as pd
import torch
from panels import klom as panels

from unlearning import datasets, uncertainty
from unlearning import klom as metric
from unlearning.klom import DIRECTIONS, ceiling, klom, margins
from unlearning.page import digit_networks, figures
from unlearning.page.floors import STATED, from_empty_bins, p95
from unlearning.page.gluing import glue_numbers
from unlearning.page.source import show_source

# %% [markdown]
# The chapter explains two functions, and here they are in full. Everything else on this page is there to say what their
# result means.

# %%
show_source(metric.margins, metric.klom, metric.check_ensembles)

# %% [markdown]
# ## What is to be compared
#
# Training is random. A method has forgotten the set $F$ if the models it leaves behind cannot be told from **oracles**,
# models trained from scratch without $F$ ([the question](question.ipynb)). So there are two *ensembles*: $N$ models that
# went through the unlearning method, each from its own pretrained model, and $N$ {term}`oracles <oracle>`, each from its own random start.
# We need one number that says how different they are, at every data point.
#
# Two models can agree on a label and still differ a lot. So we look at how *sure* they are. Let $z_1, \dots, z_C$ be a
# model's raw outputs (logits) for an image $x$ with $C$ classes, and $y$ its true class. The **margin** is
#
# $$
# \varphi(x, y) \;=\; z_y - \log \sum_{j \ne y} e^{z_j} \;=\; \log\frac{p_y}{1 - p_y},
# $$ (klom-eq-margin)
#
# where $p_y$ is the softmax probability of the true class. It is the log-odds of being right: zero at one half,
# positive if the true class has more than half of the probability. Unlike $p_y$ it does not crowd at one when the model
# is sure, so differences between confident models stay visible. The second form needs no trust:

# %%
generator = torch.Generator().manual_seed(seed)
z = 3 * torch.randn(1000, 10, generator=generator, dtype=torch.float64)
y = torch.arange(1000) % 10
p = z.softmax(1)[torch.arange(1000), y]
worst = (margins(z, y) - torch.log(p / (1 - p))).abs().max()
glue_numbers("klom", margin_error=worst)

# %% [markdown]
# The two agree to {glue:text}`klom_margin_error:.0e` on random logits.
#
# ## Two real ensembles
#
# Before any theory we want real margins. ResNets come [later](training.ipynb); here a small network will do, because we
# can train hundreds of it in seconds: scikit-learn's 8×8 digits {cite}`pedregosa2011`, one hidden layer of 32 units with
# batch normalisation and ReLU, momentum SGD with the paper's triangular learning rate. All $N$ networks of an ensemble
# run side by side as one batched matrix product; each has its own start and its own order of the data.

# %%
digits = datasets.load("digits")


def train(stream):
    """Margins (N, held-out digits) and mean accuracy of one ensemble."""
    net = digit_networks.train(digits, 516, models, 1000 * seed + stream)
    return digit_networks.score(net, digits)


(ensemble_a, accuracy_a), (ensemble_b, accuracy_b) = train(1), train(2)
glue_numbers("klom", accuracy=(accuracy_a + accuracy_b) / 2,
             held_out=ensemble_a.shape[1])  # fmt: skip

# %% [markdown]
# Two ensembles with different random seeds, right on {glue:text}`klom_accuracy:.1%` of {glue:text}`klom_held_out:.0f`
# held-out digits. Nothing was forgotten and nothing was left out: both have the *same* distribution. Keep that in mind.
# Whatever score they get is the score of "no difference". Here are their margins at two of the digits.

# %%
centre = ensemble_a.median(0).values
easy = int((centre - centre.quantile(0.8)).abs().argmin())
hard = int(centre.abs().argmin())

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Margins of two ensembles with different seeds and nothing else between them. Left: a digit that all are sure about. Right: one that divides them. Right of zero a network gives the true class more than half of the probability.", "name": "klom-margins"}}
both = torch.stack([ensemble_a, ensemble_b]).numpy()
figures.show(
    panels.histograms(both[:, :, easy], bins, "an easy digit"),
    panels.histograms(both[:, :, hard], bins, "a hard digit"),
    alt="Two histograms of margins: far right of zero on the left, around zero on the right. The ensembles overlap.")

# %% [markdown]
# ## From two histograms to one number
#
# **KLoM** stands for *Kullback-Leibler divergence of margins*. At one point, take the $N$ margins of the oracles and the
# $N$ of the unlearned models, clip them to $[-100, 100]$, and cut the range from the smallest to the largest of *all*
# of them into $K$ equal bins (the paper: 20). Let $P_k$ be the fraction of oracles in bin $k$ and $Q_k$ the fraction of
# unlearned models. Then
#
# $$
# \mathrm{KLoM} \;=\; \sum_{k:\,P_k>0} P_k \,\ln\frac{P_k}{Q'_k}, \qquad
# Q'_k \propto \max(Q_k, \epsilon) \ \text{where } P_k > 0, \quad Q'_k \propto Q_k \ \text{elsewhere},
# $$ (klom-eq-klom)
#
# in nats, with $\epsilon = 10^{-5}$. The $\epsilon$ is needed: one oracle in a bin that no unlearned model reached would
# otherwise make the score infinite. It is also a *price*, and we will meet it again. One detail of the published code
# belongs to the definition: its last bin is half-open, so the one sample that equals the maximum is not counted.
#
# A group of points (the forget set, the retain set, the validation set) gets the **95th percentile** of its points'
# scores, which we write P95. Here is the definition, as plainly as it can be said:

# %%
def plain_klom(unlearned, oracle, eps=1e-5):
    """KLoM at one point, from two arrays of margins."""
    u, o = np.clip(unlearned, -100, 100), np.clip(oracle, -100, 100)
    low, high = min(u.min(), o.min()), max(u.max(), o.max())
    edges = np.linspace(low, high, bins + 1)
    p = np.histogram(o[o < high], edges)[0]
    q = np.histogram(u[u < high], edges)[0]
    p, q = p / p.sum(), q / q.sum()
    q = np.where(p > 0, np.maximum(q, eps), q)
    q = q / q.sum()
    return np.sum(p[p > 0] * np.log(p[p > 0] / q[p > 0]))


a64, b64 = ensemble_a.double(), ensemble_b.double()
pairs = zip(b64.T.numpy(), a64.T.numpy(), strict=True)
one_by_one = [plain_klom(u, o) for u, o in pairs]
gap = np.abs(klom(b64, a64, bins=bins).numpy() - one_by_one).max()
glue_numbers("klom", loop_error=gap)

# %% [markdown]
# `klom` does all points at once and counts, for every bin edge, the margins above it; differences of these counts are the
# histogram. The largest disagreement between the two on our {glue:text}`klom_held_out:.0f` digits is
# {glue:text}`klom_loop_error:.0e`. It differs on purpose in the cases that the plain form leaves undefined. If dropping the
# maximum would empty a histogram, the last bin is closed instead ([why that matters](traps.ipynb)). A margin that is not
# a number, from a model that overflowed, counts as $-100$ and is reported.
#
# The two ensembles of the hard digit come from *one* distribution.
#
# <details><summary><b>Predict before you scroll:</b> what does such a pair score, and which bins make most of the score?</summary>
# Not zero. Two samples of one distribution never have the same histogram, and a divergence cannot be negative, so chance
# only adds. Bins that ensemble A reached and B did not dominate, because each of them is charged the price of ε: the
# filled bars of the next picture.
# </details>

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The score of the hard digit, bin by bin, although both ensembles come from the same distribution. Left: the two histograms. Right: what each bin adds. Bins that A reached and B did not (filled) are charged the price of ε.", "name": "klom-bins"}}
terms = panels.contributions(a64[:, hard].numpy(), b64[:, hard].numpy(), bins)
glue_numbers("klom", hard=terms["term"].sum(), hard_empty=int(terms["empty"].sum()))
figures.show(*panels.bin_by_bin(terms),
             alt="Left: two histograms of similar shape. Right: each bin's contribution; bins that only A reached stand out.")

# %% [markdown]
# This digit scores {glue:text}`klom_hard:.2f` nats; {glue:text}`klom_hard_empty:.0f` of its bins were reached by A only.
#
# ## Which way round?
#
# The Kullback-Leibler divergence is not symmetric, and the public code goes both ways. Its scoring function takes the
# unlearned margins first and the oracles' second, and computes KL(unlearned ‖ oracle). The script that ran the grid
# (RoyRin/data-unlearning-bench, `unlearning_bench/run.py` at commit 5df0b70) passes the oracles first, so the paper's
# runs computed KL(oracle ‖ unlearned), as above. A related project, EasyDUB (`easydub/eval.py` at commit 238868e),
# computes KL(unlearned ‖ oracle). The first direction asks: *do unlearned models cover what oracles do?* The second: *do
# they do anything that oracles never do?* The table shows when it matters. Standard deviations are the oracles'.

# %%
def draws(n, mean=0.0, sd=1.0, stream=0):
    """Simulated Gaussian margins of n models at every point, (n, points)."""
    generator = torch.Generator().manual_seed(1000 * seed + stream)
    return mean + sd * torch.randn(n, points, generator=generator)


half_broken = draws(models, mean=5, stream=14)
half_broken[: models // 2] = draws(models // 2, mean=-20, stream=15)
cases = {
    "same distribution": draws(models, mean=5, stream=11),
    "shifted by one standard deviation": draws(models, mean=6, stream=11),
    "three times as wide": draws(models, mean=5, sd=3, stream=12),
    "a third as wide": draws(models, mean=5, sd=1 / 3, stream=13),
    "half of the models broken (margin about −20)": half_broken,
}
oracle = draws(models, mean=5, sd=1, stream=10)
both_ways = {
    name: [p95(klom(u, oracle, direction=d, bins=bins)) for d in DIRECTIONS]
    for name, u in cases.items()
}
figures.table(panels.directions(both_ways))

# %%
half_paper, half_other = list(both_ways.values())[-1]
glue_numbers("klom", half_paper=half_paper, half_other=half_other, ln2=log(2))

# %% [markdown]
# ```{admonition} Our comment
# :class: ours
# Look at the last row. In the paper's direction, an unlearning method that wrecks half of its models scores
# {glue:text}`klom_half_paper:.2f`: the healthy half covers what the oracles do, and each oracle bin merely holds half as
# many models, worth $\ln 2 \approx$ {glue:text}`klom_ln2:.2f` (the rest is chance). The other direction gives {glue:text}`klom_half_other:.2f`. We
# keep the paper's direction as the default, so that our numbers can be set beside theirs, and record both.
# ```
#
# ## The floor: what no difference scores
#
# The two digit ensembles differ in nothing and score something. How much of that is the digits, and how much the
# ruler? We can find out without training anything. Draw both ensembles from one and the same Gaussian. KLoM does not
# change when all margins at a point are shifted or scaled together (inside the clip), so one Gaussian stands for all.
#
# For large $N$ theory predicts the mean. Twice the sample size times the divergence of a histogram from its own source
# is nearly chi-squared with $K - 1$ degrees of freedom. Here both histograms are samples, so the mean is about
# $(K-1)/N$. What the formula misses is the price $\epsilon$: a bin with one oracle and no unlearned model costs
# $\frac1N \ln\frac{1}{N\epsilon}$, no matter how little is behind it.

# %%
rows = []
for n in sorted({*sizes, *STATED}):
    a, b = draws(n, stream=20), draws(n, stream=21)
    scores = klom(b, a, bins=bins)
    rows.append({"N": n, "P95": p95(scores), "mean": float(scores.mean()),
                 "empty": from_empty_bins(b, a, bins)})  # fmt: skip
floors = pd.DataFrame(rows).set_index("N")
real = pd.Series({n: p95(klom(ensemble_b[:n], ensemble_a[:n], bins=bins))
                  for n in floors.index if n <= models})  # fmt: skip

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Two ensembles of one distribution. Left: their score against the number of models; crosses are the digit networks. The dashed line is the large-N formula. Right: the share of the mean score that comes from bins which one ensemble reached and the other did not.", "name": "klom-floor"}}
figures.show(*panels.floor_curves(floors, real, bins),
             alt="Left: the score of no difference falls with the number of models; digits lie on the Gaussian's curve. "
                 "Right: the share from empty bins falls slowly.")

# %%
glue_numbers("klom", **{f"floor{n}": floors["P95"][n] for n in STATED},
             empty50=floors["empty"][50], empty100=floors["empty"][100],
             mean100=floors["mean"][100],
             formula100=(bins - 1) / 100)  # fmt: skip

# %% [markdown]
# Two *identical* distributions score {glue:text}`klom_floor20:.2f` with 20 models, {glue:text}`klom_floor50:.2f` with 50,
# {glue:text}`klom_floor80:.2f` with 80 and {glue:text}`klom_floor100:.2f` with 100. We call this the **floor**. The
# crosses show that real networks sit on the Gaussian's curve. Most of it is the price of $\epsilon$:
# {glue:text}`klom_empty50:.0%` of the mean at $N = 50$ and still {glue:text}`klom_empty100:.0%` at $N = 100$, where the mean is
# {glue:text}`klom_mean100:.2f` and the formula says {glue:text}`klom_formula100:.2f`. What that means for the number of models one
# needs is a question of [its own](traps.ipynb).
#
# Real ensembles need not be Gaussian, so this book prints two floors with every score. The **Gaussian floor** is the
# simulation above at the same $N$. The **permutation floor** pools the margins of both ensembles, divides the models at
# random into two new ensembles, scores those, and repeats: what would we see if nobody had told us which model is which?
# Whole models change sides, so that the dependence between points stays.

# %%
show_source(uncertainty.permutation_floor, uncertainty.gaussian_floor)

# %% [markdown]
# On the two digit ensembles, which differ in nothing, the score and both floors should agree:

# %%
pooled = uncertainty.permutation_floor(ensemble_b, ensemble_a, splits=10,
                                       seed=seed, bins=bins)  # fmt: skip
gaussian = uncertainty.gaussian_floor(models, seed=seed, bins=bins)
glue_numbers("klom", real=p95(klom(ensemble_b, ensemble_a, bins=bins)),
             pooled=np.mean([p95(row) for row in pooled]),
             gaussian=p95(gaussian))  # fmt: skip

# %% [markdown]
# P95 is {glue:text}`klom_real:.2f`, the permutation floor {glue:text}`klom_pooled:.2f`, the Gaussian floor
# {glue:text}`klom_gaussian:.2f`.
#
# ## The ceiling: how high it can go
#
# When no unlearned model falls into any oracle bin, every $Q'_k$ in {eq}`klom-eq-klom` is $\epsilon$ (up to
# normalisation), and the sum becomes
#
# $$
# \sum_k P_k \ln \frac{P_k}{\epsilon} \;=\; \ln\frac1\epsilon - H(P),
# \qquad H(P) = -\sum_k P_k \ln P_k ,
# $$ (klom-eq-ceiling)
#
# where $H(P)$ is the entropy of the oracles' histogram. No score at this point can be larger.

# %%
show_source(metric.ceiling)

# %% [markdown]
# The next picture moves the unlearned ensemble away and watches the score climb from its floor to its ceiling.

# %%
def shifted(n, shift, score=klom):
    """The score at every point when n unlearned models are shifted."""
    unlearned = draws(n, mean=shift, stream=31)
    return score(unlearned, draws(n, stream=30), bins=bins)


climb = {n: [p95(shifted(n, s)) for s in shifts] for n in (20, 50, 100)}
top = [p95(shifted(100, s, ceiling)) for s in shifts]
level = {n: p95(shifted(n, 0.0)) for n in climb}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "P95 against the true distance between the two ensembles' means, for three ensemble sizes. Each curve starts on its own floor (dotted); the smaller the ensemble, the longer a real shift hides there. All flatten towards a ceiling. Drawn is that of 100 models; smaller ensembles fill fewer bins, which raises theirs a little.", "name": "klom-shift"}}
figures.show(panels.climb(shifts, climb, level, top),
             alt="Three curves rise from different floors and flatten at nearly one height. The smaller the ensemble, the "
                 "higher its floor and the longer its curve stays flat.")

# %%
far, farther = shifted(100, 12), shifted(100, 24)
reached = (shifted(100, 24, ceiling) - farther).abs() < 1e-3
glue_numbers("klom", half_shift=p95(shifted(100, 0.5)), far=p95(far),
             farther=p95(farther), reached=reached.float().mean())  # fmt: skip

# %% [markdown]
# At the bottom the score cannot be compared across sizes: a real shift of half a standard deviation scores
# {glue:text}`klom_half_shift:.2f` with 100 models, no difference at all {glue:text}`klom_floor50:.2f` with 50.
#
# At the top it stops meaning distance. Ensembles 12 standard deviations apart score
# {glue:text}`klom_far:.2f`, 24 apart {glue:text}`klom_farther:.2f`; in {glue:text}`klom_reached:.0%` of the points the ceiling is
# reached. (The ceiling itself rises a little with the distance, because the bins grow and the oracles fill fewer of them.)
# A KLoM of nine or ten says "these never meet" and no more.

# %% [markdown]
# ## Exercises
#
# ```{exercise-start} The price of ε
# :label: klom-exercise-price
# ```
# One of $N = 100$ oracles is in a bin that no unlearned model reached. What does it add to the score, for
# $\epsilon = 10^{-5}$ and for $\epsilon = 10^{-3}$? Would a larger $\epsilon$ lower the floor, the ceiling, or both?
# ```{exercise-end}
# ```
#
# ```{solution-start} klom-exercise-price
# :class: dropdown
# ```
# $\frac1N \ln \frac1{N\epsilon}$ from {eq}`klom-eq-klom`, up to normalisation. A larger $\epsilon$ lowers both: the floor,
# because it is mostly made of such bins, and the ceiling {eq}`klom-eq-ceiling`, because $\ln(1/\epsilon)$ is its first
# term.

# %% tags=["hide-input"]
for eps in (1e-5, 1e-3):
    null, apart = (klom(draws(100, mean=m, stream=21), draws(100, stream=20), bins=bins, eps=eps)
                   for m in (0, 24))  # fmt: skip
    print(f"ε = {eps:.0e}: one oracle costs {log(1 / 100 / eps) / 100:.3f}, "
          f"floor {p95(null):.2f}, far apart {p95(apart):.2f}")  # fmt: skip

# %% [markdown]
# ```{solution-end}
# ```
#
# ```{exercise-start} Half of the models, exactly
# :label: klom-exercise-half
# ```
# In the direction KL(oracle ‖ unlearned), with infinitely many models: what does an unlearned ensemble score of which a
# fraction $f$ is broken and far away, while the others are distributed as the oracles? When is this less than the floor
# at $N = 100$?
# ```{exercise-end}
# ```
#
# ```{solution-start} klom-exercise-half
# :class: dropdown
# ```
# $Q_k = (1-f) P_k$ in every oracle bin, so the sum is $-\ln(1-f)$ whatever $P$ is. Below the floor's mean for
# small enough $f$; the reverse direction charges $f \ln(1/\epsilon)$ for the same models.

# %% tags=["hide-input"]
print(f"−ln(1 − f) reaches the floor's mean at f = {1 - np.exp(-floors['mean'][100]):.0%}")

# %% [markdown]
# ```{solution-end}
# ```
#
# ```{exercise} Bins and models
# :label: klom-exercise-bins
# Rerun the page with a quarter of the bins. Which of floor, ceiling and the climb between them change, and by how much?
# Is a shift of one standard deviation easier or harder to tell from no difference?
# ```

# %% [markdown]
# ## What to take along
#
# - A KLoM is read between its **floor**, which depends on the number of models and bins, and its **ceiling**, where it
#   stops meaning distance. This book never prints one without the other.
# - The **direction** decides whether models that do something new are seen at all. We record both.
# - What no difference scores has nothing to do with the data: simulated Gaussians and real networks share one curve.
