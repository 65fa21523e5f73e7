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
# # How many models does one need?
#
# ```{admonition} At a glance
# :class: glance
# **You will see** why KLoM needs a hundred models, an estimator that sees as much with a fifth of them, and what both say of
# the same unlearned networks.
#
# **In the paper** Appendix K and the limitations {cite}`mavrothalassitis2025ascent`.
#
# **Runtime** about 30 s on one core, if [the live experiment](live.ipynb) has run before; else a minute more.
#
# **Parameters** [listed below](how_many-parameters): the small number of models, the size of the simulations, the records.
#
# **Rerun** `unlearning run how_many -p few 12 -p shift 1.0 --out runs/how_many`
# ```
#
# ```{admonition} The paper claims
# :class: paper
# Evaluating a method with KLoM needs about 100 pretrained models and, for every forget set, 100 oracles. The authors name
# this cost as a limit of their study {cite}`mavrothalassitis2025ascent`.
# ```

# %% [markdown]
# (how_many-parameters)=
# ## Parameters

# %% tags=["parameters"]
few: int = 20  # models in a small ensemble; also tried: half and twice as many [12, 50]
shift: float = 0.5  # simulated shift of every mean (oracle sd) [0.1, 3.0]
points: int = 100  # simulated points in a group (points) [10, 1000]
repeats: int = 24  # simulated experiments behind one number (runs) [5, 200]
scale: str = "live"  # runs that are ranked {live, desk}
models: int = 100  # models in each ensemble of the live experiment, N [24, 200]
seed: int = 0  # seed of the live experiment and the simulations [0, 1000000]

# %%
import time

import numpy as np
import pandas as pd
import torch
from panels import how_many as panels

from unlearning import estimators
from unlearning.estimators import ESTIMATORS, oq5
from unlearning.klom import DIRECTIONS, klom
from unlearning.page import evidence, fewer, figures
from unlearning.page.floors import p95
from unlearning.page.gluing import glue_numbers
from unlearning.page.source import show_source

torch.set_num_threads(1)
few = min(few, models // 2)
sizes = sorted({few // 2, few, min(2 * few, models // 2)})
show_source(estimators.oq5, estimators.floor)

# %% [markdown]
# The first is the estimator that this chapter is about; the second says what an estimator scores if nothing differs.
#
# ## Where KLoM's models go
#
# [KLoM](klom.ipynb) lays equal bins over the joint range of both ensembles. An oracle in a bin that no unlearned model
# reached costs $\ln\frac{1}{N\epsilon}$, divided by $N$. Few models leave many such bins. Two ensembles that differ in
# nothing pay this price at every point: it is the [floor](klom.ipynb), and [a hundred models](traps.ipynb) are what it
# takes to push it below the effects of interest.
#
# The idea of **oq5** is to spend no model on bins that are empty by design. The $K = 5$ cells are the *fifths of the
# oracles*: each holds a fifth of them, whatever their distribution looks like. With $n_k$ of the $N$ oracles and $m_k$ of the
# $M$ unlearned models in cell $k$,
#
# $$
# D \;=\; \sum_{k=1}^{K} P_k \ln\frac{P_k}{Q_k}, \qquad
# P_k = \frac{n_k + \frac12}{N + \frac K2}, \quad Q_k = \frac{m_k + \frac12}{M + \frac K2} .
# $$ (how_many-eq-oq5)
#
# Three choices are in it:
#
# - *Quantiles of the oracles*, not equal bins. Only ranks count, so one floor serves every distribution, and a model that
#   diverges is one model in the outermost cell, however far it goes.
# - *Half a count* added to each cell {cite}`krichevsky1981`, instead of $\epsilon$. An empty cell costs about
#   $\ln(2M/K)$ at most: a price that is in proportion to what so few models can know.
# - *Five* cells. Fewer see no change of spread, more have fewer oracles each. With a multiple of five models all cells
#   hold equally many.

# %%
def draws(n, mean=0.0, sd=1.0, stream=0):
    """Simulated Gaussian margins of n models at every point, (n, 4000)."""
    generator = torch.Generator().manual_seed(1000 * seed + stream)
    return mean + sd * torch.randn(n, 4000, generator=generator)


oracle, moved = draws(few, stream=1), draws(few, mean=1, stream=2)
score = oq5(moved, oracle)
typical = int((score - score.mean()).abs().argmin())

# %% mystnb={"figure": {"caption": "One simulated point whose unlearned margins lie one standard deviation too high. Left: the oracles' quantiles cut the line into fifths. Right: the oracles fill these equally by construction; where the unlearned models went is all there is to see.", "name": "how_many-fifths"}}
pair = (x[:, typical].numpy() for x in (oracle, moved))
figures.show(*panels.fifths(*pair), alt=(
    "Left: two rows of dots, cut by four lines. Right: green bars of equal "
    "height, hatched red bars that grow towards the highest fifth."))

# %% [markdown]
# ## Floors
#
# `floor` simulates two ensembles of equal Gaussian margins. Besides KLoM and oq5 there are three more estimators, kept in
# one table so that they can be compared (`estimator` looks one up).

# %%
show_source(estimators.estimator)

# %%
grid = sorted({*sizes, 50, 100})
p95s = pd.DataFrame([{name: p95(estimators.floor(name, n, seed=seed))
                      for name in ESTIMATORS} for n in grid], grid)  # fmt: skip

# %% mystnb={"figure": {"caption": "P95 of two ensembles that do not differ, against the number of models; nats, for the energy distance oracle standard deviations. KLoM's floor falls from far above every effect of interest to below one nat at 100 models; the others start there.", "name": "how_many-floors"}}
figures.show(panels.floors(p95s), alt=(
    "Falling lines on two logarithmic axes. KLoM's is far above the others "
    "for few models and comes near them at a hundred."))

# %% tags=["hide-input"]
glue_numbers("how_many", few=few, klom_floor=p95s.klom[few],
             oq5_floor=p95s.oq5[few], klom_floor100=p95s.klom[100])  # fmt: skip

# %% [markdown]
# With {glue:text}`how_many_few` models KLoM's floor is {glue:text}`how_many_klom_floor:.2f` nats, that of oq5
# {glue:text}`how_many_oq5_floor:.2f`; with 100 models KLoM's is {glue:text}`how_many_klom_floor100:.2f`. A low floor alone
# proves nothing, since the scale of oq5 is shorter, too. What counts is whether an effect rises above the floor's *noise*.
#
# ## What a few models can see
#
# <details class="predict"><summary><strong>Predict before you scroll.</strong> We repeat an experiment many times, once with nothing to
# see and once with all means shifted by half an oracle standard deviation. Each time the group's score is noted: P95 of KLoM,
# mean of oq5. For which of them do the two histograms come apart, and how far?</summary>
# With few models, KLoM's overlap: the shift adds less than the floor varies by chance. Those of oq5 hardly touch. The same
# models and the same margins went into both.
# </details>

# %%
def experiment(shift, stream, correlation=0.1):
    """Few models of each kind on some points; margins of a model correlate."""
    g = torch.Generator().manual_seed(10_000 * seed + stream)
    u, o = (correlation**0.5 * torch.randn(few, 1, generator=g)
            + (1 - correlation)**0.5 * torch.randn(few, points, generator=g)
            for _ in range(2))  # fmt: skip
    return p95(klom(u + shift, o)), float(oq5(u + shift, o).mean())


told = np.array([[experiment(s, i) for i in range(4 * repeats)]
                 for s in (0.0, shift)])  # fmt: skip
titles = "P95 of KLoM", "mean of oq5"
found = {t: tuple(told[:, :, k]) for k, t in enumerate(titles)}

# %% mystnb={"figure": {"caption": "Simulated experiments with few models in each ensemble: nothing differs (grey) and every mean shifted (line). KLoM's two histograms overlap, those of oq5 hardly do.", "name": "how_many-blind"}}
figures.show(*panels.blind(found, shift), alt=(
    "Two panels of two histograms. For KLoM the two overlap; for oq5 they "
    "lie apart."))

# %% [markdown]
# The distance between two such histograms is the estimator's **power**. The smallest shift that is seen in four of five
# experiments, at a level of one in twenty, is found by a root search:

# %%
show_source(estimators.detectable_shift)

# %%
wanted = (("klom", "p95"), ("oq5", "mean"), ("geb", "mean"),
          ("energy", "mean"))  # fmt: skip
seen = {(name, statistic): [
    estimators.detectable_shift(
        name, n, points, statistic=statistic, correlation=0.1,
        repeats=repeats, seed=seed) for n in grid]
    for name, statistic in wanted}  # fmt: skip
detectable = pd.DataFrame(seen, index=grid)

# %% mystnb={"figure": {"caption": "Smallest uniform shift that a group of simulated points shows, in oracle standard deviations, against the number of models. Dotted: what KLoM's P95 sees with 100 models. The other three reach that line with about a fifth of the models.", "name": "how_many-power"}}
figures.show(panels.power(detectable), alt=(
    "Four falling lines. KLoM's lies highest; the other three lie together "
    "and cross its level at a hundred models near twenty."))

# %% tags=["hide-input"]
glue_numbers("how_many", klom_few=detectable["klom", "p95"][few],
             oq5_few=detectable["oq5", "mean"][few],
             klom100=detectable["klom", "p95"][100])  # fmt: skip

# %% [markdown]
# With {glue:text}`how_many_few` models KLoM's P95 sees {glue:text}`how_many_klom_few:.2f` standard deviations, the mean of oq5
# {glue:text}`how_many_oq5_few:.2f`. With 100 models KLoM sees {glue:text}`how_many_klom100:.2f`.
#
# ## Three more, and what misleads whom
#
# *GEB* takes margins as Gaussian and lets the points of a group lend each other their variances {cite}`smyth2004`: its mean is
# an effect size in true nats. *Nearest neighbours* {cite}`wang2009` assume no shape. The *energy distance*
# {cite}`szekely2013` compares distances within ensembles with distances between them.

# %%
show_source(estimators.geb, estimators.knn_kl, estimators.energy)

# %% [markdown]
# Six cases, {glue:text}`how_many_few` models each. One model breaks, with a margin of $-100$; or only the spread is wrong.

# %%
def broken(ensemble):
    """The ensemble with its first model far away at every point."""
    return torch.cat([torch.full_like(ensemble[:1], -100), ensemble[1:]])


same, off = draws(few, stream=3), draws(few, mean=1, stream=4)
cases = {
    "nothing differs": (same, oracle),
    "one unlearned broken": (broken(same), oracle),
    "shifted by 1 sd": (off, oracle),
    "shifted, one unlearned broken": (broken(off), oracle),
    "shifted, one oracle broken": (off, broken(oracle)),
    "half as wide again": (1.5 * same, oracle),
}
figures.table(panels.symptoms({
    name: {case: p95(one.function(*pair)) for case, pair in cases.items()}
    for name, one in ESTIMATORS.items()}))  # fmt: skip

# %% [markdown]
# ```{admonition} Our comment
# :class: ours
# Read along the rows. One broken model, of either kind, takes KLoM *down*, below its floor: its bins stretch until they hold
# everybody. The energy distance loses its unit if an oracle breaks, and GEB trembles both ways, though it pulls the broken one
# in. oq5 and the nearest neighbours move little. That is robust, and it also means that they do not report a broken model:
# accuracies do. In the last column KLoM stands still for an ensemble that is too wide; all others rise.
# ```
#
# ## Real networks
#
# Simulated shifts are uniform; unlearning is not. So we take every method of the [live experiment](live.ipynb) on both forget
# sets at epochs 1, 3 and 5: do small ensembles rank these cells as KLoM does with all models, and call the same ones
# damaged? A cell is *damaged* if P95 of retain or validation points, in either direction, passes what a uniform shift of
# {glue:text}`how_many_limit:.2f` standard deviations scores with that estimator and so many models (simulated, not fitted).

# %%
context, records = evidence.live(models=models, seed=seed)
cells = fewer.gather(context, epochs=(1, 3, 5))
large = {d: fewer.scored(cells, klom, direction=d) for d in DIRECTIONS}
tried = {"klom": klom, "oq5": oq5}
live = {(name, n): fewer.table(cells, score, n, large)
        for n in sizes for name, score in tried.items()}  # fmt: skip
recorded = evidence.recorded(preset="desk", models=fewer.MODELS)
desk = {(name, fewer.BLOCK): fewer.desk(recorded, name) for name in tried}

# %%
choice = {"live": (live, few, models, "256 digits, live"),
          "desk": (desk, fewer.BLOCK, fewer.MODELS, "preset desk")}  # fmt: skip
tables, small, all_models, title = choice[scale]
limit = fewer.line("klom", all_models)
found = {key: fewer.compared(rows, fewer.line(*key), limit)
         for key, rows in tables.items()}  # fmt: skip
shown = {name: tables[name, small] for name in tried}
lines = {name: (fewer.line(name, small), limit) for name in tried}
glue_numbers("how_many", limit=fewer.DEFAULT.shift_sd,
             cells=len(cells.parts) // 3)  # fmt: skip

# %% mystnb={"figure": {"caption": "Cells of the live experiment: P95 by one small ensemble across, by KLoM with all models up; dotted: where damage begins on either scale. Left KLoM itself with few models, right oq5 with the same ones. A straight, rising, thin cloud is a good ranking; points in the upper left or lower right quarter are judged otherwise.", "name": "how_many-ranking"}}
figures.show(*panels.ranking(shown, lines, title), alt=(
    "Two clouds of points that rise to the right. For KLoM with few models "
    "the lower part is a vertical smear; for oq5 the cloud is thinner."))

# %%
figures.table(panels.ranked(found))

# %% [markdown]
# {glue:text}`how_many_cells` cells; in each entry the median over *disjoint* small ensembles and, in brackets, the lowest and the
# highest: what training other models would change. All small ensembles are part of the large one, which helps KLoM and oq5
# alike.
#
# ```{admonition} Our comment
# :class: ours
# oq5 with 20 models orders these cells about as well as KLoM does with 40. In its judgements it does not reach nineteen of
# twenty, the mark that H8 sets for another experiment: with 20 models it agrees with the full KLoM a little more often than
# KLoM with 20 does, and passes the mark with 40, where KLoM still misses it. Many cells lie close to the limit. The points
# stacked on the right edge have reached the most that oq5 can say with so few models.
# ```
#
# One ensemble has no disjoint ones beside it. The error over models then comes from leaving models out:

# %%
show_source(estimators.jackknife)

# %%
first = next(iter(cells.parts))  # doing nothing on the random set, its F
mine = [x[:, cells.parts[first]] for x in (cells.unlearned, cells.oracle)]


def on_f(u, o):
    """The statistic of the forget set: mean of oq5."""
    return oq5(u, o).mean()


apart = fewer.blocks(models, few)
each = [estimators.jackknife(on_f, *(x[b] for x in mine), seed=seed)
        for b in apart]  # fmt: skip
values, errors = np.array(each).T
glue_numbers("how_many", error=errors.mean(), spread=values.std(ddof=1),
             apart=len(apart), value=values.mean())  # fmt: skip

# %% [markdown]
# Doing nothing scores {glue:text}`how_many_value:.2f` nats on the random forget set, on average over
# {glue:text}`how_many_apart` disjoint ensembles of {glue:text}`how_many_few`. The jackknife gives each a standard error of {glue:text}`how_many_error:.3f`; they really
# differ with a standard deviation of {glue:text}`how_many_spread:.3f`.
#
# ## A second opinion
#
# A divergence says that two ensembles differ, in nats that nobody has a feeling for. **U-LiRA** {cite}`hayes2024` asks a plainer
# question: given *one* model's margin at one point, can an attacker tell whether the model was unlearned or never saw
# the point? Our form needs no shadow models. Each model is judged by Gaussians fitted to all others.

# %%
show_source(estimators.ulira)

# %%
some = slice(0, few)
attack = estimators.ulira(cells.unlearned[some], cells.oracle[some])
told = fewer.scored(cells, oq5, some)
right = pd.Series({key: float(attack.accuracy[at].mean())
                   for key, at in cells.parts.items()})  # fmt: skip
group = pd.Series([g for _, g in cells.parts], index=right.index)
agreement = told["mean"].corr(right, method="spearman")
glue_numbers("how_many", agreement=agreement, attack=right[first])

# %% mystnb={"figure": {"caption": "Every cell and group of the live experiment, few models: how often an attacker tells an unlearned model from an oracle by one margin, against the mean of oq5. Dashed: guessing. The two orders are nearly one.", "name": "how_many-attack"}}
figures.show(panels.attack(told["mean"], right, group), alt=(
    "Points of three groups on one rising curve, from a half at no difference "
    "to nearly one."))

# %% [markdown]
# Guessing is right half of the time. Where nothing was unlearned the attacker is right in
# {glue:text}`how_many_attack:.1%` of cases on the random forget set. Over all cells and groups the attack's accuracy and oq5
# have a rank correlation of {glue:text}`how_many_agreement:.2f`: two rulers that were made differently agree.
#
# ## On all of CIFAR-10
#
# The protocol of the [desk](rerun.ipynb) run, committed before any method had run there, has this question as its hypothesis
# H8: five disjoint ensembles of 20 against all 100, GA cells of two published forget sets. It is *our* question. The
# verdict on the paper's claim that 100 models are needed [stands elsewhere](traps.ipynb), and nothing here enters it.

# %%
figures.table(panels.hypothesis(fewer.h8(desk["oq5", fewer.BLOCK])))

# %% [markdown]
# ## What it costs
#
# Scoring is cheap with every estimator. Training is what one pays for: $N$ pretrained models, shared by all forget sets,
# and $N$ oracles for each.

# %%
used = {"live": records} | {name: evidence.recorded(preset=name)
                            for name in ("laptop", "desk")}  # fmt: skip
one_model = {name: np.mean([r["seconds_retrain"] for r in rows])
             for name, rows in used.items() if rows}  # fmt: skip
figures.table(panels.costs(detectable, found, one_model))
begun = time.process_time()
fewer.scored(cells, oq5, some)
glue_numbers("how_many", scoring=time.process_time() - begun,
             scored=cells.oracle.shape[1])  # fmt: skip

# %% [markdown]
# (CPU time of trainings as recorded.) oq5 scored {glue:text}`how_many_scored:,` points in {glue:text}`how_many_scoring:.2f` s.
#
# ```{admonition} Our comment: which one to use
# :class: ours
# With 20 models take **oq5**: its mean on $F$, its P95 on retain and validation points, in both directions, and accuracies beside
# them. Add the mean of **GEB** where an effect in true nats is wanted, and **U-LiRA** where the question is privacy. Keep **KLoM**
# with 100 models where your numbers stand beside the paper's: its scale is the published one. No estimator makes ten models
# enough: one cell in five is then judged otherwise.
# ```

# %% [markdown]
# ## Exercises
#
# ```{exercise-start} The most that oq5 can say
# :label: how_many-ex-most
# ```
# All $M$ unlearned models lie above all oracles. What does {eq}`how_many-eq-oq5` give if $N = M$ is a multiple of five? Compare 20
# models with 100, and with KLoM's ceiling. Why is it right that the score knows less with fewer models?
# ```{exercise-end}
# ```
#
# ```{solution-start} how_many-ex-most
# :class: dropdown
# ```
# $P_k = 1/5$; four cells have $Q_k = \frac{1/2}{M + 5/2}$, the last one $\frac{M + 1/2}{M + 5/2}$. So
# $D = \frac45 \ln\frac{2M + 5}{5} + \frac15 \ln\frac{2M + 5}{5(2M + 1)}$. That $M$ models were not seen in a cell bounds
# its probability by about $1/M$ and no better. KLoM's $\epsilon$ pretends to know more.

# %%
for m in (20, 100):
    far, near = draws(m, mean=50, stream=5), draws(m, stream=6)
    formula = (0.8 * np.log((2 * m + 5) / 5)
               + 0.2 * np.log((2 * m + 5) / 5 / (2 * m + 1)))  # fmt: skip
    print(f"{m} models: oq5 {oq5(far, near).max():.4f}, formula "
          f"{formula:.4f}, KLoM {klom(far, near).mean():.2f}")  # fmt: skip

# %% [markdown]
# ```{solution-end}
# ```
#
# ```{exercise-start} More oracles than unlearned models
# :label: how_many-ex-unequal
# ```
# Oracles are trained once and serve every method. Suppose all of them are at hand, but only half of `few` unlearned models. Does
# oq5 then see smaller shifts than with equally few oracles? Predict, then compute it.
# ```{exercise-end}
# ```
#
# ```{solution-start} how_many-ex-unequal
# :class: dropdown
# ```
# Yes: both counts carry noise, and the oracles' part becomes small. What the few unlearned models contribute stays.

# %%
for oracles in (few // 2, models):
    least = estimators.detectable_shift(
        "oq5", few // 2, points, oracles=oracles, correlation=0.1,
        repeats=repeats, seed=seed)  # fmt: skip
    print(f"{few // 2} against {oracles:3} oracles: {least:.2f} sd")

# %% [markdown]
# ```{solution-end}
# ```
#
# ```{exercise} Ten cells
# :label: how_many-ex-cells
# Repeat the table of the six cases with `oq5(..., cells=10)`. Which entries move most?
# ```

# %% [markdown]
# ## What to take along
#
# - A hundred models is the price of equal bins, not of the question.
# - Cells at the oracles' quantiles with half a count in each see with 20 models what KLoM's P95 sees with 100.
# - Every score stands beside its own floor, its number of models, and accuracies.
