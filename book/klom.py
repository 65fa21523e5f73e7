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
# **You will see** how two sets of models are compared, what the score reads when there is nothing to find, how high it
# can go, and how a single broken model can make it look perfect.
#
# **In the paper** Section 3 and Appendix K {cite}`mavrothalassitis2025ascent`; the metric is from
# {cite}`georgiev2024attribute`.
#
# **Runtime** about 30 s on one core.
#
# **Parameters** [listed below](klom-parameters): the number of models, the bins, the broken model.
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
broken: list[float] = [2.0, 0.0, -5.0, -10.0, -15.0, -25.0, -50.0, -100.0]  # margins of the broken model (nats) [-1000, 100]
tiny: int = 4  # images in the tiny last batch (images) [2, 32]
seed: int = 0  # seed of everything random here [0, 1000000]

# %%
from math import log

import numpy as np
import pandas as pd
import torch
from myst_nb import glue
from torch.nn.functional import batch_norm, cross_entropy

from unlearning import datasets
from unlearning.klom import DIRECTIONS, ceiling, klom, margins, occupancy, robust_klom
from unlearning.page import figures, verdicts
from unlearning.uncertainty import gaussian_floor, model_interval, permutation_floor, summarize


def note(**values):
    """Make computed numbers available to the text, as klom_<name>."""
    for name, value in values.items():
        glue(f"klom_{name}", value if isinstance(value, (int, str)) else float(value), display=False)


def p95(scores):
    """The paper's statistic of a group of points: the 95th percentile of their scores."""
    return float(np.percentile(scores.numpy(), 95))


def draws(n, mean=0.0, sd=1.0, stream=0):
    """Simulated Gaussian margins of n models at every point, (n, points)."""
    generator = torch.Generator().manual_seed(1000 * seed + stream)
    return mean + sd * torch.randn(n, points, generator=generator)


# %% [markdown]
# ## What is to be compared
#
# Training is random. A method has forgotten the set $F$ if the models it leaves behind cannot be told from **oracles**,
# models trained from scratch without $F$ ([the question](question.ipynb)). So there are two *ensembles*: $N$ models that
# went through the unlearning method, each from its own pretrained model, and $N$ oracles, each from its own random start.
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
some_logits = 3 * torch.randn(1000, 10, generator=generator, dtype=torch.float64)
some_labels = torch.arange(1000) % 10
probability = some_logits.softmax(1)[torch.arange(1000), some_labels]
log_odds = torch.log(probability / (1 - probability))
note(margin_error=(margins(some_logits, some_labels) - log_odds).abs().max())

# %% [markdown]
# The two agree to {glue:text}`klom_margin_error:.0e` on random logits.
#
# ## Two real ensembles
#
# Before any theory we want real margins. ResNets come in the next chapters; here a small network will do, because we
# can train hundreds of it in seconds: scikit-learn's 8×8 digits {cite}`pedregosa2011`, one hidden layer of 32 units with
# batch normalisation and ReLU, momentum SGD with the paper's triangular learning rate. All $N$ networks of an ensemble
# run side by side as one batched matrix product; each has its own start and its own order of the data.
#
# The function takes one unusual argument, `last`. If the number of training images is no multiple of the batch size, the
# last batch of an epoch is small. `last` says what to do with it. It becomes important at the end of this chapter; until
# then it is dropped.

# %%
digits = datasets.load("digits")
batch, width = 64, 32  # images per step, hidden units
epochs, peak = 8, 0.4  # passes over the training images, peak learning rate
images, held_out = (
    x[:, 0, 2:10, 2:10].flatten(1) / 120 - 1 for x in (digits.images, digits.val_images)
)
train_points = 8 * batch + tiny  # so that the last batch of an epoch has `tiny` images


def logits(net, x, training, momentum=0.1):
    """(models, batch, 10) from x (models, batch, 64).

    Momentum 0 leaves BatchNorm's running statistics alone.
    """
    hidden = (x @ net["first"]).transpose(0, 1)  # (batch, models, width)
    norm = [net[k] for k in ("mean", "var", "scale", "shift")]
    flat = batch_norm(hidden.flatten(1), *norm, training, momentum).relu()
    return flat.unflatten(1, hidden.shape[1:]).transpose(0, 1) @ net["last"]


def start(n, generator):
    """n untrained networks: weights uniform in ±1/√inputs, as PyTorch does."""
    layers = {"first": (n, 64, width), "last": (n, width, 10)}
    net = {k: torch.rand(*s, generator=generator) for k, s in layers.items()}
    net = {k: (2 * w - 1) / w.shape[1] ** 0.5 for k, w in net.items()}
    net |= {k: torch.ones(n * width) for k in ("scale", "var")}
    net |= {k: torch.zeros(n * width) for k in ("shift", "mean")}
    return net, [net[k].requires_grad_() for k in ("first", "last", "scale", "shift")]


def train(n, stream, last="drop"):
    """Margins (n, held-out images) and mean accuracy of n networks.

    last: what an epoch's small last batch does: "drop" nothing, "statistics" only
    BatchNorm's running statistics, "step" only the gradient step, "both".
    """
    generator = torch.Generator().manual_seed(1000 * seed + stream)
    net, weights = start(n, generator)
    optimiser = torch.optim.SGD(weights, lr=0.0, momentum=0.9, weight_decay=5e-4)
    step, steps = 0, epochs * -(-train_points // batch)
    for _ in range(epochs):
        order = [torch.randperm(train_points, generator=generator) for _ in range(n)]
        for index in torch.stack(order).split(batch, 1):
            small = index.shape[1] < batch
            rate = peak * np.interp(step, [0, steps / 4, steps], [0, 1, 0])
            optimiser.param_groups[0]["lr"] = rate
            step += 1
            if small and last == "drop":
                continue
            with torch.set_grad_enabled(not (small and last == "statistics")):
                momentum = 0.0 if small and last == "step" else 0.1
                z = logits(net, images[index], True, momentum)
            if z.requires_grad:
                optimiser.zero_grad()
                labels = digits.labels[index].flatten()
                loss = cross_entropy(z.flatten(0, 1), labels, reduction="sum")
                (loss / index.shape[1]).backward()  # each model gets its own gradient
                optimiser.step()
    with torch.no_grad():
        z = logits(net, held_out.expand(n, -1, -1), training=False)
    right = (z.argmax(-1) == digits.val_labels).float()
    return margins(z, digits.val_labels), float(right.mean())


ensemble_a, accuracy_a = train(models, 1)
ensemble_b, accuracy_b = train(models, 2)
note(accuracy=(accuracy_a + accuracy_b) / 2, held_out=len(held_out))

# %% [markdown]
# Two ensembles with different random seeds, right on {glue:text}`klom_accuracy:.1%` of {glue:text}`klom_held_out:.0f`
# held-out digits. Nothing was forgotten and nothing was left out: both have the *same* distribution. Keep that in mind.
# Whatever score they get is the score of "no difference". Here are their margins at two of the digits.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Margins of two ensembles with different seeds and nothing else between them. Left: a digit that all are sure about. Right: one that divides them. Right of zero a network gives the true class more than half of the probability.", "name": "klom-margins"}}
centre = ensemble_a.median(0).values
easy, hard = int((centre - centre.quantile(0.8)).abs().argmin()), int(centre.abs().argmin())


def histogram_panel(point, title):
    """Both ensembles' margins at one point, in the bins that KLoM uses."""
    panel, ax = figures.panel()
    both = torch.stack([ensemble_a[:, point], ensemble_b[:, point]])
    edges = np.linspace(float(both.min()), float(both.max()), bins + 1)
    for x, name, color, style in zip(both, ("ensemble A", "ensemble B"), ("oracle", "ascent"), ("-", "--"), strict=True):
        ax.hist(x.numpy(), edges, histtype="step", lw=1.8, ls=style, color=figures.COLORS[color], label=name)
    ax.axvline(0, color=figures.COLORS["neutral"], ls=":")
    ax.set(xlabel="margin (nats)", ylabel="networks", title=title)
    ax.margins(y=0.25)
    ax.legend(loc="upper left", ncols=2)
    return panel


with figures.style():
    panels = histogram_panel(easy, "an easy digit"), histogram_panel(hard, "a hard digit")
figures.show(*panels, alt=(
    "Two histograms of margins. On the left both ensembles form a hill far to the right of zero; on the right both are "
    "spread around zero. In both panels the two ensembles overlap but their bars differ at random."))

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
    unlearned, oracle = np.clip(unlearned, -100, 100), np.clip(oracle, -100, 100)
    low, high = min(unlearned.min(), oracle.min()), max(unlearned.max(), oracle.max())
    edges = np.linspace(low, high, bins + 1)
    p = np.histogram(oracle[oracle < high], edges)[0]
    q = np.histogram(unlearned[unlearned < high], edges)[0]
    p, q = p / p.sum(), q / q.sum()
    q = np.where(p > 0, np.maximum(q, eps), q)
    q = q / q.sum()
    return np.sum(p[p > 0] * np.log(p[p > 0] / q[p > 0]))


a64, b64 = ensemble_a.double(), ensemble_b.double()
one_by_one = [plain_klom(b64[:, i].numpy(), a64[:, i].numpy()) for i in range(len(held_out))]
note(loop_error=np.abs(klom(b64, a64, bins=bins).numpy() - one_by_one).max())

# %% [markdown]
# The book uses `unlearning.klom.klom`, which does all points at once and counts, for every bin edge, the margins
# above it; differences of these counts are the histogram. The largest disagreement between the two on our
# {glue:text}`klom_held_out:.0f` digits is {glue:text}`klom_loop_error:.0e`. It differs on purpose in the cases that the
# plain form leaves undefined. If dropping the maximum would empty a histogram, the last bin is closed instead. A
# margin that is not a number, from a model that overflowed, counts as $-100$ and is reported.
#
# The picture takes the hard digit apart. Nothing separates the two ensembles, and still the sum is not zero.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The score of the hard digit, bin by bin, although both ensembles come from the same distribution. Left: the two histograms. Right: what each bin adds. Bins that A reached and B did not (filled) are charged the price of ε.", "name": "klom-bins"}}
low, high = (float(f(torch.stack([a64[:, hard], b64[:, hard]]))) for f in (torch.min, torch.max))
edges = np.linspace(low, high, bins + 1)
p, q = (np.histogram(x[x < high], edges)[0] for x in (a64[:, hard].numpy(), b64[:, hard].numpy()))
p, q = p / p.sum(), q / q.sum()
safe = np.where(p > 0, np.maximum(q, 1e-5), q)
terms = np.where(p > 0, p * np.log(np.where(p > 0, p, 1) / np.where(p > 0, safe / safe.sum(), 1)), 0)
empty = (p > 0) & (q == 0)
note(hard=terms.sum(), hard_empty=int(empty.sum()))
middle, wide = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
with figures.style():
    left, ax = figures.panel()
    ax.bar(middle - 0.2 * wide, p, 0.4 * wide, color=figures.COLORS["oracle"], label="$P$: ensemble A")
    ax.bar(middle + 0.2 * wide, q, 0.4 * wide, color=figures.COLORS["ascent"], hatch="///", label="$Q$: ensemble B")
    ax.set(xlabel="margin (nats)", ylabel="fraction of networks")
    ax.legend()
    right, ax = figures.panel()
    ax.bar(middle, terms, 0.8 * wide, color=np.where(empty, figures.COLORS["accent"], figures.PAPER), edgecolor=figures.INK)
    ax.axhline(0, color=figures.INK, lw=0.8)
    ax.set(xlabel="margin (nats)", ylabel="contribution to KLoM (nats)")
figures.show(left, right, alt=(
    "Left: the two histograms of the hard digit, of similar shape. Right: each bin's contribution, some above and some "
    "below zero; bins that only ensemble A reached stand out above zero."))

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

# %% tags=["hide-input"]
oracle = draws(models, mean=5, sd=1, stream=10)
half_broken = draws(models, mean=5, stream=14)
half_broken[: models // 2] = draws(models // 2, mean=-20, stream=15)
cases = {
    "same distribution": draws(models, mean=5, stream=11),
    "shifted by one standard deviation": draws(models, mean=6, stream=11),
    "three times as wide": draws(models, mean=5, sd=3, stream=12),
    "a third as wide": draws(models, mean=5, sd=1 / 3, stream=13),
    "half of the models broken (margin about −20)": half_broken,
}
both_ways = pd.DataFrame([
    {"unlearned models": name, **{d: p95(klom(u, oracle, direction=d, bins=bins)) for d in DIRECTIONS}}
    for name, u in cases.items()
])
headings = dict(zip(DIRECTIONS, ("P95 of KL(oracle ‖ unlearned)", "P95 of KL(unlearned ‖ oracle)"), strict=True))
broken_row = both_ways.set_index("unlearned models").iloc[-1]
note(half_paper=broken_row[DIRECTIONS[0]], half_other=broken_row[DIRECTIONS[1]], ln2=log(2))
figures.table(both_ways.rename(columns=headings).map(lambda v: v if isinstance(v, str) else f"{v:.2f}"))

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
# ```{admonition} The paper claims
# :class: paper
# About 100 models per ensemble are needed. With 20 or 50 the metric is large on retain and validation points, where it
# should be low; the margin distributions become stable after about 80 models {cite}`mavrothalassitis2025ascent`.
# ```
#
# Is it the *distributions* that need 80 models to settle? We can find out without training anything. Draw both
# ensembles from one and the same Gaussian. There is nothing to settle and nothing to find. KLoM does not change when all
# margins at a point are shifted or scaled together (inside the clip), so one Gaussian stands for all.
#
# For large $N$ theory predicts the mean. Twice the sample size times the divergence of a histogram from its own source
# is nearly chi-squared with $K - 1$ degrees of freedom. Here both histograms are samples, so the mean is about
# $(K-1)/N$. What the formula misses is the price $\epsilon$: a bin with one oracle and no unlearned model costs
# $\frac1N \ln\frac{1}{N\epsilon}$, no matter how little is behind it.

# %%
def floor_row(n):
    """The score of two equal Gaussian ensembles of n models; the share of empty bins."""
    a, b = draws(n, stream=20), draws(n, stream=21)
    both = torch.cat([a, b])
    low, width = both.amin(0), both.amax(0) - both.amin(0)
    shares = []
    for x in (a, b):
        place = ((x - low) / width * bins).floor().long()  # the maximum: bin K, dropped
        counts = torch.zeros(bins + 1, points).scatter_add_(0, place, torch.ones_like(x))
        shares.append(counts[:bins] / counts[:bins].sum(0))
    p, q = shares
    empty = torch.where((p > 0) & (q == 0), p * (p / 1e-5).log(), 0.0).sum()
    scores = klom(b, a, bins=bins)
    return {
        "N": n, "P95": p95(scores), "mean": float(scores.mean()),
        "empty": float(empty / scores.sum()),
    }  # fmt: skip


stated = (20, 50, 80, 100)  # the ensemble sizes that the paper names
rows = [floor_row(n) for n in sorted({*sizes, *stated})]
floors = pd.DataFrame(rows).set_index("N")
real = {n: klom(ensemble_b[:n], ensemble_a[:n], bins=bins) for n in floors.index if n <= models}
real = pd.Series({n: p95(scores) for n, scores in real.items()})

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Two ensembles of one distribution. Left: their score against the number of models; crosses are the digit networks. The dashed line is the large-N formula. Right: the share of the mean score that comes from bins which one ensemble reached and the other did not.", "name": "klom-floor"}}
with figures.style():
    left, ax = figures.panel()
    ax.loglog(floors.index, floors["P95"], "o-", color=figures.COLORS["accent"], ms=4, label="P95, Gaussian")
    ax.loglog(floors.index, floors["mean"], "s-", color=figures.COLORS["pretrained"], ms=4, label="mean, Gaussian")
    ax.loglog(floors.index, (bins - 1) / floors.index, "--", color=figures.COLORS["neutral"], label="$(K-1)/N$")
    ax.loglog(real.index, real, "x", color=figures.INK, label="P95, digit networks")
    ax.set(xlabel="models per ensemble $N$", ylabel="KLoM of no difference (nats)")
    ticks = [n for n in (5, 10, 20, 50, 100, 200, 500, 1000) if floors.index.min() <= n <= floors.index.max()]
    ax.set_xticks(ticks, [str(n) for n in ticks])
    ax.minorticks_off()
    ax.legend(loc="lower left")
    right, ax = figures.panel()
    ax.semilogx(floors.index, 100 * floors["empty"], "o-", color=figures.COLORS["forget"], ms=4)
    ax.set(xlabel="models per ensemble $N$", ylabel="share from empty bins (%)", ylim=(0, 100))
    ax.set_xticks(ticks, [str(n) for n in ticks])
    ax.minorticks_off()
figures.show(left, right, alt=(
    "Left: on double logarithmic axes the score of two equal ensembles falls steadily with the number of models and "
    "approaches a straight line from above; the digit networks lie on the same curve. Right: the share that comes from "
    "empty bins falls slowly from nearly all of the score."))

# %% tags=["hide-input"]
note(**{f"floor{n}": floors.loc[n, "P95"] for n in stated}, empty50=floors.loc[50, "empty"],
     empty100=floors.loc[100, "empty"], mean100=floors.loc[100, "mean"], formula100=(bins - 1) / 100)
quarter = [int(b) for b in (bins, max(2, bins // 2), max(2, bins // 4))]
note(half_bins=quarter[1], quarter_bins=quarter[2],
     **{f"fewer{i}": p95(klom(draws(50, stream=21), draws(50, stream=20), bins=b)) for i, b in enumerate(quarter)})  # fmt: skip

# %% [markdown]
# Two *identical* distributions score {glue:text}`klom_floor20:.2f` with 20 models, {glue:text}`klom_floor50:.2f` with 50,
# {glue:text}`klom_floor80:.2f` with 80 and {glue:text}`klom_floor100:.2f` with 100. We call this the **floor**. The
# crosses show that real networks sit on the Gaussian's curve. Most of it is the price of $\epsilon$:
# {glue:text}`klom_empty50:.0%` of the mean at $N = 50$ and still {glue:text}`klom_empty100:.0%` at $N = 100$, where the mean is
# {glue:text}`klom_mean100:.2f` and the formula says {glue:text}`klom_formula100:.2f`.
#
# ```{admonition} Our comment
# :class: ours
# So the observation is right and its reading is not. What becomes small near 100 models is the error of the *estimator*,
# a histogram with many bins for few samples. There is no threshold at 80: the curve falls on, at 80 as elsewhere. And more
# models are not the only way down. With fewer bins, $N = 50$ comes from {glue:text}`klom_fewer0:.2f`
# to {glue:text}`klom_fewer1:.2f` ({glue:text}`klom_half_bins:.0f` bins) or {glue:text}`klom_fewer2:.2f`
# ({glue:text}`klom_quarter_bins:.0f` bins).
# ```
#
# Real ensembles need not be Gaussian, so this book prints two floors with every score. The **Gaussian floor** is the
# simulation above at the same $N$. The **permutation floor** pools the margins of both ensembles, divides the models at
# random into two new ensembles, scores those, and repeats: what would we see if nobody had told us which model is which?
# `unlearning.klom.permutation_floor` exchanges whole models, so that the dependence between points stays.

# %% [markdown]
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
# where $H(P)$ is the entropy of the oracles' histogram. No score at this point can be larger. The next picture moves the
# unlearned ensemble away and watches the score climb from its floor to its ceiling.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "P95 against the true distance between the two ensembles' means, for three ensemble sizes. Each curve starts on its own floor (dotted); the smaller the ensemble, the longer a real shift hides there. All flatten towards a ceiling. Drawn is that of 100 models; smaller ensembles fill fewer bins, which raises theirs a little.", "name": "klom-shift"}}
curve = {n: [p95(klom(draws(n, mean=s, stream=31), draws(n, stream=30), bins=bins)) for s in shifts] for n in (20, 50, 100)}
top = [p95(ceiling(draws(100, mean=s, stream=31), draws(100, stream=30), bins=bins)) for s in shifts]
with figures.style():
    panel, ax = figures.panel(width=4.8, height=3.5)
    for (n, values), color, mark in zip(curve.items(), ("forget", "pretrained", "accent"), ("^", "s", "o"), strict=True):
        ax.plot(shifts, values, mark + "-", ms=4, color=figures.COLORS[color], label=f"$N = {n}$")
        level = p95(klom(draws(n, stream=31), draws(n, stream=30), bins=bins))
        ax.axhline(level, xmax=0.35, color=figures.COLORS[color], ls=":", lw=1.2)
    ax.plot(shifts, top, "--", color=figures.COLORS["neutral"], label="ceiling, $N = 100$")
    ax.set(xlabel="shift of the mean (standard deviations)", ylabel="P95 of KLoM (nats)", ylim=(0, None))
    ax.legend(loc="lower right")
figures.show(panel, alt=(
    "Three curves rise from different floors and flatten at nearly the same height. The smaller the ensemble, the higher its "
    "floor and the longer its curve stays flat."))

# %% tags=["hide-input"]
half_shift = p95(klom(draws(100, mean=0.5, stream=31), draws(100, stream=30), bins=bins))
far, farther = (klom(draws(100, mean=s, stream=31), draws(100, stream=30), bins=bins) for s in (12, 24))
far_top = ceiling(draws(100, mean=24, stream=31), draws(100, stream=30), bins=bins)
note(half_shift=half_shift, far=p95(far), farther=p95(farther), reached=((far_top - farther).abs() < 1e-3).float().mean())

# %% [markdown]
# At the bottom the score cannot be compared across sizes: a real shift of half a standard deviation scores
# {glue:text}`klom_half_shift:.2f` with 100 models, no difference at all {glue:text}`klom_floor50:.2f` with 50.
#
# At the top it stops meaning distance. Ensembles 12 standard deviations apart score
# {glue:text}`klom_far:.2f`, 24 apart {glue:text}`klom_farther:.2f`; in {glue:text}`klom_reached:.0%` of the points the ceiling is
# reached. (The ceiling itself rises a little with the distance, because the bins grow and the oracles fill fewer of them.)
# A KLoM of nine or ten says "these never meet" and no more.

# %% [markdown]
# (klom-outlier)=
# ## One broken model flatters the score
#
# The bins span the range of *all* margins. What if a single one of the {glue:text}`klom_models:.0f` unlearned models
# diverges, as can happen when a loss is driven up, and its margin drops to $-100$? Move the slider.

# %%
oracle = draws(models, mean=5, sd=1.5, stream=40)
healthy = draws(models, mean=6.5, sd=1.5, stream=41)


def with_broken(ensemble, margin):
    """The ensemble, its first model broken: the same margin everywhere."""
    return torch.cat([torch.full((1, ensemble.shape[1]), float(margin)), ensemble[1:]])


def scores(ensemble):
    """P95 of KLoM and of its robust form against the oracles of this section."""
    return [p95(f(ensemble, oracle, bins=bins)) for f in (klom, robust_klom)]


curves = np.array([scores(with_broken(healthy, m)) for m in broken])
null_floor = p95(gaussian_floor(models, points=points, seed=seed, bins=bins))
same = draws(models, mean=5, sd=1.5, stream=42)
note(
    models=models, null_floor=null_floor,
    shifted=scores(healthy)[0], flattered=scores(with_broken(healthy, -100))[0],
    same=scores(same)[0], same_flattered=scores(with_broken(same, -100))[0],
)  # fmt: skip

# %% tags=["hide-input"] mystnb={"figure": {"caption": "One of the unlearned models breaks; all others stay where they are, one standard deviation from the oracles. Left: the bins of one point. Right: P95 over all points. KLoM falls below its floor as the bins stretch; the robust form does not follow.", "name": "klom-outlier-slider"}}
def frame(margin):
    """Histogram of one point and the two scores, for one margin of the broken model."""
    u, o = with_broken(healthy, margin)[:, 0].clamp(-100, 100).numpy(), oracle[:, 0].numpy()
    edges = np.linspace(min(u.min(), o.min()), max(u.max(), o.max()), bins + 1)
    left, ax = figures.panel()
    ax.hist(o, edges, histtype="stepfilled", alpha=0.5, color=figures.COLORS["oracle"], label="oracles")
    ax.hist(u, edges, histtype="step", lw=1.8, color=figures.COLORS["ascent"], label="unlearned")
    ax.set(xlabel="margin (nats)", ylabel="models per bin")
    ax.margins(y=0.3)
    ax.legend(loc="upper left", ncols=2)
    right, ax = figures.panel()
    ax.plot(broken, curves[:, 0], "o-", ms=4, color=figures.COLORS["accent"], label="KLoM")
    ax.plot(broken, curves[:, 1], "s--", ms=4, color=figures.COLORS["pretrained"], label="robust form")
    ax.axhline(null_floor, color=figures.COLORS["neutral"], ls=":", label="floor")
    ax.axvline(margin, color=figures.COLORS["ascent"], lw=1)
    ax.set(xlabel="margin of the broken model (nats)", ylabel="P95 (nats)", ylim=(0, 1.35 * curves.max()))
    ax.set_xscale("symlog", linthresh=10)
    ticks = [m for m in (0, -10, -25, -50, -100, -1000) if m >= min(broken)]
    ax.set_xticks(ticks, [str(m) for m in ticks])
    ax.invert_xaxis()
    ax.legend(loc="upper right", ncols=3, columnspacing=1, handlelength=1.5)
    return left, right


with figures.style():
    slides = [frame(margin) for margin in broken]
figures.frames(slides, labels=[f"{m:g}" for m in broken], name="margin of the broken model", start=0, alt=(
    "As the broken model's margin falls from frame to frame, the histogram's bins become wider until all other models, "
    "oracles and unlearned alike, share one or two bins. The score falls with it, to below the floor, while the robust "
    "form stays level."))

# %% [markdown]
# Without the broken model these ensembles score {glue:text}`klom_shifted:.2f`: a clear difference. With one model at
# $-100$ they score {glue:text}`klom_flattered:.2f`, less than the {glue:text}`klom_null_floor:.2f` of two identical
# ensembles. For two ensembles of the same distribution the score falls from {glue:text}`klom_same:.2f` to
# {glue:text}`klom_same_flattered:.2f`. *Breaking one model improves the score.* All others now share one or two bins, and
# inside one bin everything is equal.
#
# Two rules follow. **A score below its floor is a symptom, not a success.** And the collapse must be looked for, since a
# permutation floor cannot show it (the broken model is in the pool, so that floor collapses too). The book reports
# for every group the fraction of points whose range is **collapsed**: where far-out models take up more than half of it.
# *Far out* is meant as in a box plot: more than three interquartile ranges beyond the quartiles of a model's own
# ensemble. `unlearning.klom.occupancy` computes the share of the range that the others occupy.
#
# It also suggests the repair. `unlearning.klom.robust_klom` lays the bins over the range of the models that are
# *not* far out and leaves the outer bins open. The broken model still counts, as one model in the outermost bin. If there is
# no far-out model, nothing changes: same bins, same floor, same ceiling. That is why we prefer it to bins from the
# oracles' quantiles, which are as robust but live on a scale of their own. Up to a quarter of either ensemble may break
# before the range follows.

# %% tags=["hide-input"]
ensembles = {"healthy": healthy, "one broken": with_broken(healthy, -100)}
few = healthy.clone()
few[: models // 5] = -100
ensembles["one in five broken"] = few
robust_table = pd.DataFrame([
    {"unlearned ensemble": name, "P95": f"{p95(klom(u, oracle, bins=bins)):.2f}",
     "robust P95": f"{p95(robust_klom(u, oracle, bins=bins)):.2f}",
     "permutation floor": f"{p95(permutation_floor(u, oracle, splits=3, seed=seed, bins=bins)):.2f}",
     "collapsed points": f"{float((occupancy(u, oracle) < 0.5).float().mean()):.0%}"} for name, u in ensembles.items()
])  # fmt: skip
figures.table(robust_table)

# %% [markdown]
# ## How sure is a P95?
#
# A score has two sources of chance: which models were trained, and which points were asked.
#
# *Points* are easy. The bootstrap interval of a percentile needs no resampling, because the distribution of an order
# statistic under resampling is known {cite}`efron1979`; `unlearning.klom.point_interval` uses it.
#
# *Models* are not. The usual bootstrap draws $N$ models with replacement, so some come twice and others not at all. To a
# histogram such a sample looks like a smaller ensemble: more empty bins, a higher floor. It answers around the wrong
# value. We use the **delete-d jackknife** {cite}`shao1989`: leave out a third of each ensemble at random, without
# replacement, many times, and scale the variance of the results by $(N-d)/d$, where $d$ is the number left out.

# %%
generator = torch.Generator().manual_seed(seed)


def resampled():
    """P95 after drawing both ensembles again with replacement."""
    draw = [torch.randint(models, (models,), generator=generator) for _ in range(2)]
    return p95(klom(ensemble_b[draw[0]], ensemble_a[draw[1]], bins=bins))


naive = np.mean([resampled() for _ in range(40)])
low95, high95 = model_interval(ensemble_b, ensemble_a, bins=bins, seed=seed)
note(real=p95(klom(ensemble_b, ensemble_a, bins=bins)), naive=naive, low95=low95, high95=high95)

# %% [markdown]
# Our two digit ensembles score {glue:text}`klom_real:.2f`. Resampled with replacement they average
# {glue:text}`klom_naive:.2f`. The jackknife gives an interval from {glue:text}`klom_low95:.2f` to
# {glue:text}`klom_high95:.2f`. In simulations (a test of the library repeats one) it tends to be too wide: it covers more
# often than it promises.
#
# (klom-last-batch)=
# ## A warning from a tiny batch
#
# Now the argument `last`. Here is a trap that we fell into ourselves. The digit networks train on
# {glue:text}`klom_train_points:.0f` images in batches of {glue:text}`klom_batch:.0f`, so the last batch of every epoch has
# {glue:text}`klom_tiny:.0f`. So far we dropped it. Retrain with a forget set removed, and the *size* of the last batch changes:
# pretrained models may end on a full batch and oracles on a handful. Then the ensembles differ on all points, for a
# reason that has nothing to do with forgetting.
#
# We expected batch normalisation to be the culprit: its running mean and variance are averages over recent batches, and
# each epoch ends on one with {glue:text}`klom_tiny:.0f` images. So we separate the two things that a batch does. It
# updates the running **statistics**, and it takes a gradient **step**. Each ensemble below is compared with ensemble A,
# whose small batches are dropped. From here on a score stands as in this table: with its interval over models, its two
# floors (permutation, Gaussian) and its ceiling. `unlearning.klom.summarize` computes the row.

# %%
variants = {  # (margins, accuracy)
    "dropped (other seeds)": (ensemble_b, accuracy_b),
    "statistics only": train(models, 3, "statistics"),
    "step only": train(models, 4, "step"),
    "both, as usual": train(models, 5, "both"),
}
summaries = {
    name: summarize(phi, ensemble_a, splits=10, seed=seed, bins=bins)
    for name, (phi, _) in variants.items()
}
lines = []
for name, s in summaries.items():
    lines.append({
        "the tiny batch": name, "accuracy": f"{variants[name][1]:.1%}",
        "P95 [interval]": f"{s.p95:.2f} [{s.low:.2f}, {s.high:.2f}]", "robust": f"{s.robust_p95:.2f}",
        "floors": f"{s.floor:.2f}, {s.gaussian_floor:.2f}", "ceiling": f"{s.ceiling:.1f}",
    })  # fmt: skip
note(train_points=train_points, batch=batch, tiny=tiny)
for key, s in zip(("drop", "statistics", "step", "both"), summaries.values(), strict=True):
    note(**{f"tiny_{key}": s.p95})
figures.table(pd.DataFrame(lines))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "P95 of four ensembles against ensemble A, with intervals over models. Only what the tiny batch does in training differs. The dotted line is the Gaussian floor.", "name": "klom-tiny"}}
with figures.style():
    panel, ax = figures.panel(width=4.8, height=2.7)
    place = np.arange(len(summaries))
    values = np.array([s.p95 for s in summaries.values()])
    ends = np.array([[s.low, s.high] for s in summaries.values()]).T
    reach = np.abs(ends - values)
    ax.barh(place, values, 0.6, color=figures.COLORS["retain"], xerr=reach, error_kw={"ecolor": figures.INK, "capsize": 3})
    ax.axvline(next(iter(summaries.values())).gaussian_floor, color=figures.COLORS["neutral"], ls=":")
    ax.set_yticks(place, summaries)
    ax.invert_yaxis()
    ax.set(xlabel="P95 of KLoM against ensemble A (nats)")
figures.show(panel, alt=(
    "Four horizontal bars. The bars for the dropped batch and for statistics only end at the dotted floor; those for "
    "the step only and for both extend beyond it."))

# %% [markdown]
# {glue:text}`klom_tiny_story` The numbers: {glue:text}`klom_tiny_drop:.2f` if the tiny batch is dropped,
# {glue:text}`klom_tiny_statistics:.2f` with the statistics alone, {glue:text}`klom_tiny_step:.2f` with the step alone,
# {glue:text}`klom_tiny_both:.2f` with both. A step's gradient is a mean over its batch, and the step is as long for
# {glue:text}`klom_tiny:.0f` images as for {glue:text}`klom_batch:.0f`. So a few images, others in each network, pull as
# hard as a full batch.
#
# Whatever the mechanism, the lesson for experiments is the same: compare ensembles whose recipes differ in the data
# alone. The experiments of this book choose their sizes so that no tiny last batch arises.

# %% tags=["hide-input"]
floor_here = summaries["dropped (other seeds)"].gaussian_floor
by_step, by_statistics = (summaries[k].low > floor_here for k in ("step only", "statistics only"))
story = {
    (True, False): "We were wrong. The running statistics alone leave the score at its floor; it is the gradient step that "
    "separates the ensembles.",
    (False, True): "As expected: the running statistics alone separate the ensembles, the gradient step alone does not.",
    (True, True): "Each of the two separates the ensembles by itself.",
    (False, False): "With these parameters neither of the two lifts the score clearly above its floor.",
}[by_step, by_statistics]
note(tiny_story=story)

# %% [markdown]
# ## The verdict
#
# Claim C6 has two halves: scores are too large at 20 and 50 models, and stable from about 80. The words need
# a yardstick, and this is ours. *Too large where it should be low*: no difference at all, measured with so many
# models, scores more than a real shift of half a standard deviation measured with 100. *Low with 100*: no difference
# scores less than that shift. *Stable after 80*: from 80 to 100 models the score of no difference changes by less than a
# tenth.

# %%
change = 1 - floors.loc[100, "P95"] / floors.loc[80, "P95"]
verdicts.decide(
    "C6",
    evidence=(
        f"two ensembles of one distribution score P95 {floors.loc[20, 'P95']:.2f}, {floors.loc[50, 'P95']:.2f}, "
        f"{floors.loc[80, 'P95']:.2f} and {floors.loc[100, 'P95']:.2f} with 20, 50, 80 and 100 models; a real shift of "
        f"half a standard deviation scores {half_shift:.2f} with 100. The cause is the estimator's floor, which still "
        f"falls by {change:.0%} from 80 to 100 models"
    ),
    checks={
        "with 20 models the metric is large where it should be low": bool(floors.loc[20, "P95"] > half_shift),
        "with 50 models the metric is large where it should be low": bool(floors.loc[50, "P95"] > half_shift),
        "with 100 models it is low where it should be low": bool(floors.loc[100, "P95"] < half_shift),
        "from 80 models on it is stable": bool(abs(change) < 0.1),
    },
    scale="simulation",
)

# %% [markdown]
# ## What to take along
#
# - A KLoM is read between its **floor**, which depends on the number of models and bins, and its **ceiling**, where it
#   stops meaning distance. This book never prints one without the other.
# - A score *below* the floor means that something is broken. One diverged model is enough.
# - The **direction** decides whether models that do something new are seen at all. We record both.
# - Two recipes may differ in more than the forget set. The null experiment, same recipe and other seeds, finds out.
