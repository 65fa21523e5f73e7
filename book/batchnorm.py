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
# # Ascent or BatchNorm?
#
# ```{admonition} At a glance
# :class: glance
# **You will see** what is left of the damage when ascent takes steps of length zero, when batch normalisation is frozen, when its
# statistics are estimated again afterwards, and when there is none at all.
#
# **In the paper** control experiments that Section 3 and Appendix L, Figure 6, lack {cite}`mavrothalassitis2025ascent`.
#
# **Runtime** about 40 s on one core, if [the live experiment](live.ipynb) has run before; else a minute more.
#
# **Parameters** [listed below](batchnorm-parameters): the scale of the records, the live experiment.
#
# **Rerun** `unlearning run batchnorm -p rate 0.3 -p resolvable 1 --out runs/batchnorm`
# ```

# %% [markdown]
# (batchnorm-parameters)=
# ## Parameters

# %% tags=["parameters"]
scale: str = "laptop"  # records that are shown {laptop, desk, paper}
resolvable: float = 0.5  # smallest damage worth a ratio (nats) [0.05, 5]
models: int = 100  # models in each ensemble of the live experiment, N [4, 200]
seed: int = 0  # seed of the live experiment [0, 1000000]
steps: int = 20  # batches of F that one live model sees (steps) [1, 100]
rate: float = 0.1  # step size of the live controls [0.001, 1]

# %%
import copy

import torch
from panels import batchnorm as panels
from torch import nn

from unlearning import methods, training
from unlearning.experiment import layout
from unlearning.methods import Config, ascent
from unlearning.methods import steps as method_steps
from unlearning.page import evidence, figures, own_runs
from unlearning.page.gluing import glue_numbers
from unlearning.page.source import show_source

show_source(Config, method_steps.batches, method_steps.sgd, methods.run,
            methods.checked, ascent.do_nothing)

# %% [markdown]
# The switches of every method in this book, how it walks through its points, what it steps with, and how it is called.
#
# ## Two treatments at once
#
# In [Ascent stays or breaks](ascent_fails.ipynb) gradient ascent (GA) did more harm than forgetting. But *what* fails? Two
# things happen at once. The method climbs the loss on the forget set $F$. And while it climbs, the network is in *train mode*,
# where every batch of $F$ also moves the running statistics of **batch normalisation** (BatchNorm). Afterwards the network is
# scored in *evaluation mode*, with those statistics. The second thing would happen even if the step size were zero.
#
# We read this in the code: `ascent_forget` in `unlearning_bench/unlearning.py` (RoyRin/data-unlearning-bench at commit
# afe3959), and the function of the same name in `easydub/unlearning.py` (easydub/EasyDUB-code at commit d05c145), set the
# model to train mode and leave it there. Everyone trains like that, and nothing is wrong with it as a recipe. It is only a
# second treatment, given together with the first. A control switches off one of the two and leaves everything else as it was:
#
# - **step size 0**: train mode, no parameter can change. What happens is BatchNorm alone. If the damage is BatchNorm's, the curves
#   of all small step sizes lie on this one.
# - **frozen**: the true step size, BatchNorm in evaluation mode throughout. What happens is ascent alone. If the damage is
#   ascent's, these runs break as before.
#
# ```{admonition} The paper claims
# :class: paper
# GA and its relatives stay at the pretrained model or break it (Section 3; Appendix L, Figure 6). Step sizes from 1e-5 to 5e-2
# are tried. No run separates the step from the statistics.
# ```
#
# ## The mechanism: a step of length zero
#
# In train mode a BatchNorm layer normalises each channel by the mean and variance of *this batch*. And it moves its running
# statistics a tenth of the way there. Let $m_k$ be a channel's running mean after $k$ batches and $\mu$ the batch's mean:
#
# $$
# m_{k} = 0.9\,m_{k-1} + 0.1\,\mu
# \qquad\text{so}\qquad
# m_k = \mu + 0.9^{k}\,(m_0 - \mu),
# $$ (batchnorm-eq-drift)
#
# and the same for the variance. The formula needs a $\mu$ that stays the same, and with step size 0 it does, in every layer:
# weights do not change, and in train mode a layer's output does not depend on the running statistics. After $k$ batches the
# share of $F$ in the statistics is $1 - 0.9^k$. Only in evaluation mode are they *used*.
#
# We take one pretrained model of [the live experiment](live.ipynb) through GA with step size 0 and watch parameters, running
# statistics, and margins in evaluation mode. The prediction is {eq}`batchnorm-eq-drift`, with $\mu$ measured once.

# %%
context, _ = evidence.live(models=models, seed=seed)
first = layout.load_weights(context, 0, context.build())
still = Config("ga", 0.0, tuple(range(1, steps + 1)))
states, expected, margins = {}, {}, {}
for name in context.preset.forget_sets:
    forget, retain = own_runs.given(context, name)
    with torch.no_grad():
        hidden = first[0][0](forget.images)[:, :, 0, 0]  # into BatchNorm
    mu = torch.cat([hidden.mean(0), hidden.var(0)])
    before = own_runs.state(first)[1]
    expected[name] = [mu + 0.9**k * (before - mu) for k in (0, *still.epochs)]
    runs = methods.run(first, forget, retain, still)
    states[name] = [own_runs.state(first),
                    *(own_runs.state(now) for _, now in runs)]
    margins[name] = [
        own_runs.nothing([first], context, name)["margins"],
        own_runs.unlearn(methods.run, [first], context, name, still)["margins"]]
drift = panels.drifted(states, expected, margins, context)

# %% mystnb={"figure": {"caption": "One live model, step size 0. Left: no parameter moves; the running statistics do, along the predicted curve (dots). Right: how far the margins in evaluation mode go. Solid: points of PC1; dashed: random points.", "name": "batchnorm-mechanism"}}
figures.show(*panels.mechanism(drift), alt=(
    "Left: running statistics rise and flatten, on their predicted dots; the "
    "parameters stay at zero. Right: margins move, farthest for PC1."))

# %% tags=["hide-input"]
glue_numbers("batchnorm", steps=steps, share_steps=panels.share_of_f(steps, 10), **panels.drift_told(drift))

# %% [markdown]
# The largest change of any parameter is {glue:text}`batchnorm_weights`, exactly. The largest relative gap between running
# statistics and prediction is {glue:text}`batchnorm_gap:.0e`. After {glue:text}`batchnorm_steps` steps $F$ makes up
# {glue:text}`batchnorm_share_steps:.0%` of the statistics, and the margins have moved by up to
# {glue:text}`batchnorm_shift_retain:.1f` nats on retain points, which the "method" never saw,
# {glue:text}`batchnorm_shift_forget:.1f` on forget points and {glue:text}`batchnorm_shift_val:.1f` on validation points.
#
# It all grows with the number of *batches*, whatever the step size: hard where $F$ looks unlike the rest, gently where it does not.

# %% [markdown]
# ## The control experiment
#
# Now the recorded ensembles. **Damage** is how far a run lifts the P95 of retain and validation points above where the
# pretrained models were,
#
# $$
# \text{damage} = \tfrac12\,(K_R - K_R^{0}) + \tfrac12\,(K_V - K_V^{0}), \qquad
# \text{share} = \frac{\text{damage of step size 0}}{\text{damage of the run}},
# $$ (batchnorm-eq-damage)
#
# with $K_G$ the score of group $G$ and $K_G^{0}$ that of the pretrained models. The share says what BatchNorm alone would have
# done of a run's damage. It is given for damage of at least {glue:text}`batchnorm_resolvable:.2g` nats; below, it is a ratio of
# two noises. KLoM bends towards its ceiling, so a share is a ratio of scores and not of distances.
#
# <details class="predict"><summary><strong>Predict before you scroll.</strong> Five of the paper's seven step sizes are at most a
# thousandth. How many different curves will they give in train mode?</summary>
# One, for all practical purposes: that of step size 0. The table below the figure has the distances.</details>

# %%
every = evidence.load(scale)  # records of one scale, judged
ga = panels.measured(every)  # gradient ascent with its damage
title = evidence.scale_title(scale)
published = evidence.published()  # the authors' own numbers

# %% mystnb={"figure": {"caption": "Gradient ascent and its controls ({glue:text}`batchnorm_title`), by forget set. Left: as published; right: BatchNorm frozen. Above: damage; below: forget score with the pretrained models' (dotted) and the floor (dashed). Hollow: far-out models stretch the bins, robust score drawn. In train mode the small steps (thin) lie on step size 0 (thick).", "name": "batchnorm-curves"}}
slides, names = panels.curves(ga, title)
figures.frames(slides, names, "forget set", alt=(
    "Damage and forget score against epochs. In train mode small steps lie on "
    "step size 0; frozen, small steps stay flat and large ones shoot up."))

# %% [markdown]
# The distance of each step size from step size 0 in train mode: median and largest, in nats, ± half the interval of the score
# that is farthest.

# %%
figures.table(panels.distances(ga))

# %% [markdown]
# Up to {glue:text}`batchnorm_no_step` no forget score is farther than {glue:text}`batchnorm_near_forget:.2f` nats from that of
# no step at all, no retain or validation score farther than {glue:text}`batchnorm_near_damage:.2f`. They are copies, and the
# other chapters count them once. And how much of the damage is drift?

# %%
figures.table(panels.shares(ga, resolvable))

# %% tags=["hide-input"]
glue_numbers("batchnorm", title=title, resolvable=resolvable,
             **panels.recorded_told(every, ga, published, resolvable))  # fmt: skip

# %% [markdown]
# Each cell: damage ± half its 95% interval, then the share; negative where drift alone *lowered* the scores a little. At a step size of $10^{-3}$ drift explains a median of {glue:text}`batchnorm_small_share:.0%` of the damage
# ({glue:text}`batchnorm_small_runs` runs do any), at larger ones {glue:text}`batchnorm_large_share:.0%`
# ({glue:text}`batchnorm_large_runs` runs). The largest damage of step size 0 is {glue:text}`batchnorm_worst_damage:.1f` nats, on
# {glue:text}`batchnorm_worst_set` after {glue:text}`batchnorm_worst_epoch` epochs.
#
# Drift does not only damage. On {glue:text}`batchnorm_drift_set`, after {glue:text}`batchnorm_drift_epoch` epochs, step size 0
# takes the *forget* score from {glue:text}`batchnorm_drift_from:.1f` to {glue:text}`batchnorm_drift_to:.1f` (floor
# {glue:text}`batchnorm_drift_floor:.2f`). A method that learns nothing and unlearns nothing appears to move towards the oracles.
#
# ```{admonition} Our comment
# :class: ours
# We had suspected that most of the damage is drift. At large steps that was wrong: there drift explains little. At a
# thousandth and below it was right: those curves are BatchNorm's, and say next to nothing about ascent.
# ```

# %% [markdown]
# ## What the authors' curves allow
#
# Step size 0 was not published. But if curves of a small step size are drift, {eq}`batchnorm-eq-drift` orders them: after $E$
# epochs the share of $F$ in the statistics is $1 - 0.9^{E\lceil |F|/64\rceil}$, and a curve must be flat once it is near one.

# %% mystnb={"figure": {"caption": "The authors' scores at a step size of a thousandth (grey, read off their plots): mean of the three P95. Left: against epochs. Right: against the predicted share of F in the statistics. Coloured: our step size 0 ({glue:text}`batchnorm_title`). Against the share, the sets of one kind come together.", "name": "batchnorm-authors"}}
figures.show(*panels.authors(published, ga), alt=(
    "Left: published scores rise with epochs. Right: against the share, sets "
    "by principal components rise towards ten; random sets stay lower."))

# %% [markdown]
# After *one* epoch on the authors' set 9, $F$ makes up {glue:text}`batchnorm_first:.0%` of the statistics; our sets reach
# {glue:text}`batchnorm_ours:.0%` in all. Statistics drift faster there than here. Where the share is all but one, drift has
# ended, and a curve that still climbs does so for another reason ({glue:text}`batchnorm_settled`). Set 3 does climb, so there, at
# this step size, drift is not the whole story. How much of it is, only step size 0 at that scale can say.

# %% [markdown]
# ## The missing control: estimate the statistics again
#
# If drift is a matter of statistics and not of weights, it can be undone. Take the model that GA hands out and let BatchNorm
# count its statistics again, on $R$, in one pass, without touching a weight. What is left is what ascent did to the weights.
# That control is not in the records; live it takes seconds.

# %%
@torch.no_grad()
def recounted(model, images):
    """A copy whose running statistics are those of `images`, nothing else."""
    model = copy.deepcopy(model).train()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0  # keep nothing of what was there before
    model(images)
    return model

def ascend_then_recount(model, forget, retain, config):
    """GA; what is handed out has the statistics of R."""
    for epoch, now in methods.gradient_ascent(model, forget, retain, config):
        yield epoch, recounted(now, retain.images)

# %%
times = context.preset.configs[0].epochs
frozen = Config("ga", rate, times, batchnorm="frozen")
still, moving = Config("ga", 0.0, times), Config("ga", rate, times)
trials = {"as published": (methods.run, moving),
          "statistics re-estimated on R": (ascend_then_recount, moving),
          "BatchNorm frozen": (methods.run, frozen),
          "step size 0": (methods.run, still),
          "step size 0, re-estimated": (ascend_then_recount, still)}
tables = [own_runs.compare(context, name, trials)
          for name in context.preset.forget_sets]

# %% mystnb={"figure": {"caption": "The missing control, live, on 256 digits: GA as published, with statistics re-estimated on R afterwards, with BatchNorm frozen, and step size 0 with and without re-estimation; dashed: floors. Re-estimation takes away most of the retain damage on points of PC1 and a part of it on random points.", "name": "batchnorm-reestimated"}}
figures.show(*panels.reestimated(tables), alt=(
    "Forget and retain scores against epochs. Retain scores re-estimated lie "
    "below those as published; step size 0 re-estimated is a flat line."))

# %% tags=["hide-input"]
glue_numbers("batchnorm", **panels.live_told(tables))

# %% [markdown]
# Step size 0 with re-estimation is flat, as it must be: drift leaves nothing behind. After {glue:text}`batchnorm_epochs` epochs the
# retain score on the random set is {glue:text}`batchnorm_a_pub:.1f` as published, {glue:text}`batchnorm_a_re:.1f` re-estimated,
# {glue:text}`batchnorm_a_zero:.1f` by drift alone and {glue:text}`batchnorm_a_frozen:.1f` frozen (doing nothing:
# {glue:text}`batchnorm_a_start:.1f`); on points of PC1 {glue:text}`batchnorm_b_pub:.1f`, {glue:text}`batchnorm_b_re:.1f`,
# {glue:text}`batchnorm_b_zero:.1f`, {glue:text}`batchnorm_b_frozen:.1f` ({glue:text}`batchnorm_b_start:.1f`). The re-estimated
# models have lost {glue:text}`batchnorm_a_lost:.1f` and {glue:text}`batchnorm_b_lost:.1f` points of retain accuracy. Of all
# {glue:text}`batchnorm_live_runs` rows {glue:text}`batchnorm_live_open` are open and {glue:text}`batchnorm_live_both` intact with
# half of the gap closed: {glue:text}`batchnorm_live_kept` (validation accuracy lost: {glue:text}`batchnorm_live_kept_lost:.2f` points).
#
# ```{admonition} Our comment
# :class: ours
# The two causes do not add up: on random points drift alone raises the retain score as far as the published run does, and half of
# that is still there when the drift has been undone. On points of PC1 the published retain damage is mostly drift, and one
# re-estimated run passes every criterion, by a hair. One row in so many, gone at the next stopping time, is what a search finds
# by chance or by an illusion; another `seed` would tell. Nor is frozen the same as re-estimated: its gradients are those of
# another function, the network with fixed statistics.
# ```

# %% [markdown]
# ## A network without BatchNorm
#
# No statistics at all: the same network, recipe and data, no normalisation, trained with a quarter of the peak step size.

# %%
def plain():
    """One hidden layer; train mode and evaluation mode are the same."""
    side, width = context.data.images.shape[2], context.preset.width
    hidden = nn.Conv2d(1, width, side, bias=False)
    return nn.Sequential(hidden, nn.ReLU(inplace=True), nn.Flatten(),
                         nn.Linear(width, 10, bias=False))

random_set, peak = context.preset.forget_sets[0], context.preset.recipe.peak_lr
starts = own_runs.train(plain, context, peak_lr=peak / 4)
retrained = own_runs.train(plain, context, without=random_set, peak_lr=peak / 4)
rates = [0.0, rate / 10, 3 * rate / 10, rate]
trials = {lr: (methods.run, Config("ga", lr, times)) for lr in rates}
simple = own_runs.compare(context, random_set, trials, starts, retrained)

# %% mystnb={"figure": {"caption": "GA on a network without BatchNorm, live, random set of 256 digits. Left: forget P95 (solid) and retain P95 (dotted), dashed: floors. Right: retain accuracy lost against the oracles; dotted: two points. The dip and the damage are there without BatchNorm; step size 0 does nothing.", "name": "batchnorm-without"}}
figures.show(*panels.without(simple), alt=(
    "Left: forget scores of larger steps dip and rise again, retain scores "
    "rise; step size 0 is flat. Right: lost accuracy grows."))

# %% [markdown]
# ## Ascent alone, and with momentum
#
# Back to the records. The right panel is about the older baselines of the metric's authors: they give GA momentum $\beta = 0.9$
# and weight decay $5\cdot 10^{-4}$, the paper's runs neither. Momentum adds up past gradients; where these agree, a step grows
# from $\eta g$ towards $\eta g/(1-\beta)$, ten times the step size. We expect the same path, travelled faster.

# %% mystnb={"figure": {"caption": "Paths of GA, epoch by epoch ({glue:text}`batchnorm_title`); hollow circle: pretrained, star: the floors, hollow marks: robust scores. Left: train mode (solid) and frozen (dashed): both rise. Right: the path with momentum runs along that of the largest step size.", "name": "batchnorm-paths"}}
slides, names = panels.paths(ga, title)
figures.frames(slides, names, "forget set", alt=(
    "Validation against forget score. Paths go left and up, frozen ones to the "
    "top right corner; with momentum near that of the largest step."))

# %% [markdown]
# At steps above $10^{-3}$, {glue:text}`batchnorm_frozen` of {glue:text}`batchnorm_frozen_of` frozen runs break the model, and
# {glue:text}`batchnorm_large` of {glue:text}`batchnorm_large_of` in train mode; up to $10^{-3}$ it is
# {glue:text}`batchnorm_calm` of {glue:text}`batchnorm_calm_of` frozen and {glue:text}`batchnorm_small` of
# {glue:text}`batchnorm_small_of` in train mode. Of these, {glue:text}`batchnorm_frozen_doubtful`,
# {glue:text}`batchnorm_large_doubtful`, {glue:text}`batchnorm_calm_doubtful` and {glue:text}`batchnorm_small_doubtful` lie on
# {glue:text}`batchnorm_doubtful`, where doing nothing is already called broken ([why](all_forget_sets-sample)). The highest
# average is {glue:text}`batchnorm_top_frozen:.1f` frozen and {glue:text}`batchnorm_top_train:.1f` in train mode.
#
# After one epoch, which is one step here, momentum changes the scores by at most {glue:text}`batchnorm_first_gap:.2f` nats:
# no past gradients yet. Of {glue:text}`batchnorm_heavy_runs` runs {glue:text}`batchnorm_heavy_breaks` break with it
# ({glue:text}`batchnorm_heavy_open` open) and {glue:text}`batchnorm_usual_breaks` without. Its points lie a median of
# {glue:text}`batchnorm_path_largest:.2f` nats from the path of the largest step size, and
# {glue:text}`batchnorm_path_own:.2f` from that of their own.
#
# ```{admonition} Our comment
# :class: ours
# At large steps ascent breaks a model without BatchNorm's help, and frozen it breaks harder; at a thousandth and below what breaks
# is mostly BatchNorm. We suspect, and have not tested, that train mode holds a network together: each pass normalises by its batch.
# ```

# %% [markdown]
# ## What passes on the map
#
# All runs, controls included, that pass if one reads nothing but P95 in the paper's direction: half of the gap closed, little damage.

# %%
figures.table(panels.passed(every))

# %% [markdown]
# {glue:text}`batchnorm_passed` runs pass on the map, {glue:text}`batchnorm_passed_frozen` of them frozen, and
# {glue:text}`batchnorm_kept` by all criteria: they have lost {glue:text}`batchnorm_lost_least:.0f` to
# {glue:text}`batchnorm_lost_most:.0f` points of retain accuracy, and the other direction says so as well.
#
# *Scores below the floor* are a symptom: a far-out model stretches the bins ([one broken model](traps.ipynb)), or the ensemble is
# wider than the oracles'. Of {glue:text}`batchnorm_scores` scores {glue:text}`batchnorm_collapsed` have collapsed points, and the
# plain score flatters them by up to {glue:text}`batchnorm_flattered:.1f` nats. {glue:text}`batchnorm_under` lie below the Gaussian
# floor of {glue:text}`batchnorm_gaussian:.2f`, {glue:text}`batchnorm_under_far` of them collapsed; the others by at most
# {glue:text}`batchnorm_depth:.2f` nats, {glue:text}`batchnorm_clear` with their whole interval. The live figure above has a clear
# case: the last frozen run on points of PC1 has a plain retain score of {glue:text}`batchnorm_trap_plain:.2f`, a robust one of
# {glue:text}`batchnorm_trap_robust:.2f`, and {glue:text}`batchnorm_trap_share:.0%` of its points collapsed.

# %% [markdown]
# ## What is left of C1 to C4
#
# Under each control. The verdicts stand elsewhere: [C1, C3](ascent_fails.ipynb), [C2](illusion.ipynb), [C4](all_forget_sets.ipynb).

# %%
figures.table(panels.claims(ga))

# %% [markdown]
# ```{admonition} Our comment
# :class: ours
# C1: up to $10^{-3}$ in train mode {glue:text}`batchnorm_agree` of {glue:text}`batchnorm_agree_of` runs have the outcome of step
# size 0 on the same set at the same time. There "stays" says that nothing was done and "breaks" that BatchNorm did it, or that
# the start was broken; at larger steps "breaks" is ascent's own. C2: once accuracy counts, no control has a success. C3: frozen
# or not, few random points are moved farther than points of PC1. C4: where ascent does the damage the two rulers agree; where it
# is drift they agree less.
# ```

# %% [markdown]
# ## Exercises
#
# ```{exercise} How fast do statistics drift?
# :label: batchnorm-ex-drift
# After how many epochs does $F$ make up nine tenths of the running statistics, for $|F| = 10$, $100$ and $1000$ at batch size
# 64? Which of the authors' curves must then be flat from there on, if drift were all?
# ```
#
# ```{solution} batchnorm-ex-drift
# :class: dropdown
# $0.9^k \le 0.1$ from $k = \lceil \ln 0.1/\ln 0.9 \rceil = 22$ batches on. An epoch has $\lceil|F|/64\rceil = 1$, $2$ and $16$ of
# them: after 22, 11 and 2 epochs. The curves of sets 3, 6 and 9 should be flat after the first few.
# ```
#
# ```{exercise-start} Ascent with company
# :label: batchnorm-ex-mixed
# ```
# Write a method that ascends on $F$ and descends on $R$ *in one batch*, so that the batch's statistics are mostly those of $R$.
# Does it damage $R$ less than GA at equal forget scores, and how much of the difference is BatchNorm's?
# ```{exercise-end}
# ```
#
# ```{solution-start} batchnorm-ex-mixed
# :class: dropdown
# ```
# The descent on $R$ helps for a reason of its own, so the comparison needs the same method with step size 0, too.

# %%
def with_company(model, forget, retain, config):
    """Ascent on F and descent on R, in one batch; F has tens of points."""
    model, n = copy.deepcopy(model), len(forget)
    optimiser = method_steps.sgd(model, config)
    for epoch in range(1, config.epochs[-1] + 1):
        x = torch.cat([forget.images, retain.images])
        logits = method_steps.ready(model, config)(x)
        loss = training.cross_entropy(logits[..., n:, :], retain.labels)
        loss -= training.cross_entropy(logits[..., :n, :], forget.labels)
        method_steps.step(optimiser, loss)
        if epoch in config.epochs:
            yield epoch, model

trials = {"alone": (methods.run, moving), "company": (with_company, moving),
          "company, step size 0": (with_company, still)}
found = own_runs.compare(context, random_set, trials)
shown = ["method", "epoch", "forget", "retain", "retain_accuracy"]
print(found[found.epoch.isin([3, 10])][shown].round(2).to_string(index=False))

# %% [markdown]
# ```{solution-end}
# ```

# %% [markdown]
# ## What to take along
#
# - A forward pass in train mode changes a network. A control with step size zero costs nothing and belongs beside every
#   unlearning curve.
# - Small-step "ascent" curves are BatchNorm's; damage of large steps is ascent's own. The two do not add up.
# - Statistics can be estimated again. That takes drift away, not what ascent did to the weights.
# - A success is more than a score: look at accuracy, the other direction, the floor, and collapsed points.
