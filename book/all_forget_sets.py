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
# # All forget sets
#
# ```{admonition} At a glance
# :class: glance
# **You will see** every method on every forget set, with the damage measured twice, on validation points and on retain
# points; whether the picture survives the other direction of the divergence; how many points a percentile needs; and how
# much of the paper's grid was run.
#
# **In the paper** Appendix L, Figures 6 and 7 {cite}`mavrothalassitis2025ascent`.
#
# **Runtime** about 20 s on one core, if [the live experiment](live.ipynb) has run before; else a minute more.
#
# **Parameters** [listed below](all_forget_sets-parameters): the scale of the records, what counts as nearly the same.
#
# **Rerun** `unlearning run all_forget_sets -p share 0.8 -p largest 12 --out runs/sets`
# ```

# %% [markdown]
# (all_forget_sets-parameters)=
# ## Parameters

# %% tags=["parameters"]
scale: str = "laptop"  # records that are shown {laptop, desk, paper}
share: float = 0.9  # share of equal judgements that counts as nearly the same picture (fraction) [0.5, 1]
largest: int = 8  # disagreements listed (configurations) [1, 50]
models: int = 100  # models in each ensemble of the live experiment, N [4, 200]
seed: int = 0  # seed of the live experiment [0, 1000000]

# %%
import numpy as np
from panels import all_forget_sets as panels

from unlearning.experiment import layout
from unlearning.page import criteria, evidence, figures, verdicts, wording
from unlearning.page.gluing import glue_numbers
from unlearning.page.source import show_source

show_source(criteria.harmed, criteria.c4)

# %% [markdown]
# ```{admonition} The paper claims
# :class: paper
# Drawing the maps with retain KLoM in place of validation KLoM (Figure 7 in place of Figure 6) gives nearly the same picture.
# ```
#
# ## Two rulers for damage
#
# Damage is judged on two groups of points: validation points, which no model has seen, and $R$, the points that must be kept.
# It is not obvious that they agree. On $R$ the pretrained model and the oracle were both trained, so they are sure and
# agree; on validation points they generalise. A method could keep one and lose the other. GDA and SCRUB train on $R$ while
# they unlearn, which speaks for their $R$ and not for the rest.
#
# "Nearly the same" needs a yardstick, and the function above is ours: of the runs that *either* ruler calls damaged, in what
# share do both? No rank correlation over all runs is asked for. Most runs do no damage, so their two scores are two draws
# around the floor, in no order; were the two rulers identical up to noise, a high rank correlation would still fail.

# %%
every = evidence.load(scale)  # records of one scale, judged
grid = evidence.distinct(every)  # the paper's grid, each trajectory once
runs, starts = grid[grid.method != "nothing"], grid[grid.method == "nothing"]
title = evidence.scale_title(scale)
published = evidence.published()  # the authors' own numbers
marks = evidence.marks(scale)  # the same in this scale's units

# %% [markdown]
# ## Figure 6: validation
#
# {glue:text}`all_forget_sets_provenance`
#
# Three small maps per forget set, one per method. SCRUB is the published one, which trains nothing
# ([why](scrub.ipynb)). Grey diamonds: the authors' published numbers for the nearest of their sets.

# %% mystnb={"figure": {"caption": "The paper's Figure 6 from our records ({glue:text}`all_forget_sets_title`): forget KLoM against validation KLoM, one map per method; colours by cost as on the other maps, grey diamonds: published, dotted: limits. Only GA leaves the neighbourhood of the pretrained models.", "name": "all_forget_sets-val"}}
slides, names = panels.small_multiples(grid, "val", marks, title)
figures.frames(slides, names, "forget set", alt=(
    "Validation against forget KLoM for GA, GDA and SCRUB. GA spreads over "
    "the map; the others sit on the circle of the pretrained models."))

# %% tags=["hide-input"]
told = evidence.provenance(evidence.recorded(preset=scale)) or "No record yet."
glue_numbers("all_forget_sets", title=title, provenance=told)

# %% [markdown]
# ## Figure 7: retain
#
# <details class="predict"><summary><strong>Predict before you scroll.</strong> GDA and SCRUB go on training on R. On which of the two
# rulers will they look worse: on the points they train on, or on fresh ones?</summary>
# Where anything differs, on the points they train on. The oracle never saw F and is unsure of the retain points that
# resemble it; who goes on training on R becomes surer of them. Compare the two figures on the second component.
# </details>

# %% mystnb={"figure": {"caption": "The paper's Figure 7 from our records ({glue:text}`all_forget_sets_title`): the same with retain KLoM upwards. On points of the second principal component descent-ascent and SCRUB rise on this ruler and not on the other.", "name": "all_forget_sets-retain"}}
slides, names = panels.small_multiples(grid, "retain", marks, title)
figures.frames(slides, names, "forget set", alt=(
    "Retain against forget KLoM. Most markers sit where they sat on the "
    "validation maps; on points of PC2 GDA and SCRUB lie higher."))

# %% [markdown]
# ## How nearly the same?

# %% mystnb={"figure": {"caption": "Damage by both rulers, one marker per configuration ({glue:text}`all_forget_sets_title`). On the diagonal they agree; dotted: the limits of the scores at typical floors. Where much is damaged, most markers lie above the diagonal: retain shows more.", "name": "all_forget_sets-rulers"}}
figures.show(panels.rulers(runs, title), alt=(
    "Retain against validation P95. A dense cloud at the floors; from there "
    "markers follow the diagonal or run above it, some far above at low "
    "validation values."))

# %%
figures.table(panels.agreement(runs))

# %% [markdown]
# A ruler calls a run damaged by its scores in both directions and by its accuracy, so a run can be damaged on validation
# only: the limit there is one point of accuracy, on $R$ it is two. The largest differences of the P95:

# %%
figures.table(panels.largest(runs, largest))

# %% [markdown]
# Two kinds make up the list.
#
# *GA that breaks the model.* Both scores are large, retain's is larger. KLoM measures a displacement in units of the
# oracles' spread. On points they were trained on oracles agree with each other, on validation points they differ more; the
# same displacement then counts for more on $R$.
#
# *GDA and SCRUB on the second component.* The *mean* of the retain scores stays low while the P95 is high: a few retain
# points are far from the oracles and the rest are not.
#
# The first explanation can be looked at in the live experiment, where every margin is at hand.

# %%
context, records = evidence.live(models=models, seed=seed)
name = context.preset.forget_sets[0]
points = context.scored(name)
oracle = layout.load(f"{name}/oracle", context)["margins"][0]
pretrained = layout.load("pretrained", context)["margins"][0]
ascended = layout.load(f"{name}/ga,lr=0.3", context)["margins"][-1]
n = len(points["forget"])
columns = {"retain": slice(n, n + len(points["retain"])),
           "val": slice(n + len(points["retain"]), None)}
spread = {g: np.median(oracle[:, points[g]].std(0)) for g in columns}
moved = {g: np.median(np.abs(ascended[:, at].mean(0)
                             - pretrained[:, points[g]].mean(0)))
         for g, at in columns.items()}
width = np.median(ascended[:, :n].std(0) / oracle[:, points["forget"]].std(0))

# %% tags=["hide-input"]
live = {f"spread_{g}": x for g, x in spread.items()} | {f"moved_{g}": x for g, x in moved.items()}
glue_numbers("all_forget_sets", width=width, near=panels.near(scale, "pc2"), **live, **panels.turned(runs))

# %% [markdown]
# Ten epochs of the largest step move the margins by {glue:text}`all_forget_sets_moved_retain:.1f` on $R$ and by
# {glue:text}`all_forget_sets_moved_val:.1f` on validation points (medians), about as far; the oracles spread by
# {glue:text}`all_forget_sets_spread_retain:.2f` and {glue:text}`all_forget_sets_spread_val:.2f`.
#
# For the second, the records of unlearned models hold no margins. The packed margins of pretrained models and oracles
# do, and show that nearness is not the whole answer: over the retain points of the second component's set, the rank correlation
# of doing nothing's score with the correlation to $F$ is {glue:text}`all_forget_sets_near:.2f`. Which points they are, a
# run that keeps its margins must say; [on digits](live.ipynb) we look.
#
# ## The verdict

# %%
verdicts.decide("C4", evidence=panels.told(runs),
                checks=criteria.c4(runs, share), scale=scale)

# %% [markdown]
# ```{admonition} Our comment
# :class: ours
# The pictures agree: who looks at Figures 6 and 7 side by side takes home the same message. The judgements agree less well
# here, and the disagreements have two causes. Some lie at the limits, where a point of accuracy tips a run. Most of the others
# are on the second component, where doing nothing is itself called damaged on the retain points that were scored
# ([below](all_forget_sets-sample)). Neither says anything about the paper's nine sets.
# ```

# %% [markdown]
# ## The other direction
#
# [KLoM can be computed both ways](klom.ipynb). The paper's runs used KL(oracle ‖ unlearned): do unlearned models cover what
# oracles do? The reverse, KL(unlearned ‖ oracle), asks whether unlearned models do anything that oracles do not. Every
# record holds both, and "intact" needs both.

# %% mystnb={"figure": {"caption": "The same configurations scored in both directions ({glue:text}`all_forget_sets_title`). Left: forget points. Right: retain points. On the diagonal both agree; markers above it do things that oracles never do, for which the paper's direction charges less.", "name": "all_forget_sets-directions"}}
figures.show(*panels.directions(runs, title), alt=(
    "Scores in the reverse direction against the paper's. Near the pretrained "
    "models they agree; low forget scores, and most retain scores, lie above "
    "the diagonal."))

# %% [markdown]
# The forget scores of the two directions have a rank correlation of {glue:text}`all_forget_sets_forget_rho:.2f` and differ
# by {glue:text}`all_forget_sets_forget_gap:.2f` nats in the median: for the bulk of the map the direction does not matter. At
# the edge it does. By their scores {glue:text}`all_forget_sets_both_ways` runs are damaged in both directions,
# {glue:text}`all_forget_sets_wide` in the reverse direction only and {glue:text}`all_forget_sets_narrow` in the paper's only.
# An ensemble that ascended is wider than the oracles' (in the live experiment, after the longest ascent with the largest
# steps, {glue:text}`all_forget_sets_width:.0f` times as wide on $F$). It covers what they do, and does other things besides.

# %% [markdown]
# ## Doing nothing
#
# The pretrained models against the oracles, with no method at all: where every map starts.

# %% mystnb={"figure": {"caption": "Doing nothing. Diamonds: the authors' numbers for their nine sets; circles with 95% intervals: ours ({glue:text}`all_forget_sets_title`); dashed: the Gaussian floor at N = 100. Left forget, right retain and validation points. The authors' sets are not felt outside F; our second-component set is.", "name": "all_forget_sets-nothing"}}
figures.show(*panels.nothing(starts, marks, title), alt=(
    "Left: forget scores between seven and ten nats. Right: the authors' "
    "retain and validation scores on the floor; ours near it, but for points "
    "of PC2."))

# %% tags=["hide-input"]
glue_numbers("all_forget_sets", **panels.published_told(published))

# %% [markdown]
# The published retain and validation scores, {glue:text}`all_forget_sets_low:.2f` to {glue:text}`all_forget_sets_high:.2f`, sit
# at the floor of {glue:text}`all_forget_sets_floor:.2f`: leaving out a thousand of 50,000 images or fewer is not felt outside
# $F$. Sets that are a far larger share of a far smaller training set may be.

# %% [markdown]
# (all_forget_sets-sample)=
# ## How many points does a percentile need?
#
# Unlearned models are scored on a fixed sample of retain and validation points. The ensembles themselves were scored on every
# point, so for doing nothing we can compare: all points, the sample in use, and random samples of the same size.

# %% mystnb={"figure": {"caption": "P95 of doing nothing ({glue:text}`all_forget_sets_title`). Star: all points. Circle: the sample in use. Blue bar: 95 of 100 random samples of its size. Grey line: 95% interval over models. Dotted: limit of intact. On the retain points of the second component's set the sample in use is near the worst possible, and on the wrong side.", "name": "all_forget_sets-points"}}
found = panels.samples(scale, starts)
figures.show(panels.points(found, title), alt=(
    "A line for each forget set and group. Stars and circles agree almost "
    "everywhere; for retain points of PC2's set the circle is at the end of a "
    "wide bar, beyond the limit."))

# %% tags=["hide-input"]
glue_numbers("all_forget_sets", **panels.samples_told(found))

# %% [markdown]
# In {glue:text}`all_forget_sets_narrower` of {glue:text}`all_forget_sets_rows` rows the range over samples is narrower than
# the interval over models, and in {glue:text}`all_forget_sets_outside` the sample in use lies outside the range of its like. Sets on
# which sample and all points lie on different sides of the limit: {glue:text}`all_forget_sets_sides`.
#
# ```{admonition} Our comment
# :class: ours
# On the second component's set the choice of 300 points decides whether doing nothing counts as broken, and with it every
# judgement of a method on that set. Few retain points carry that percentile, and a sample has more or fewer of them by chance.
# Where the sets are a small share of the data this does not happen; where they are not, the points near $F$ must be a group of
# their own, as they are in the run on all of CIFAR-10.
# ```
#
# ## Coverage: what was run, of how much
#
# The paper's grid has {glue:text}`all_forget_sets_grid_ga` configurations of GA and {glue:text}`all_forget_sets_grid_da` each
# of GDA and SCRUB per forget set, for nine sets. A cell that was not run is absent on this page; none is filled in.

# %%
scales = ("laptop", "desk", "paper")
figures.table(panels.coverage({p: evidence.recorded(preset=p) for p in scales}))

# %% [markdown]
# What we say about GDA and SCRUB rests on these few cells.
#
# ```{admonition} Our comment
# :class: ours
# The published grid is smaller than it looks, too. Its configuration file asks for two forget batch sizes, 32 and 64
# (RoyRin/data-unlearning-bench, `unlearning_bench/config.py` at commit 5df0b70). Results are stored under a file name that
# `get_checkpoint_name` in `unlearning_bench/unlearning.py` builds from method, step size, epochs, forget set, batch size and
# ascent epochs. The forget batch size is not in it (nor is it at commit eb261f9). So of two configurations that differ only
# there, the one that runs second finds the file of the first and loads it. If both were run on one folder, as the cache is
# meant to be used, {glue:text}`all_forget_sets_distinct` of {glue:text}`all_forget_sets_grid_da` configurations per method and
# set are distinct. On forget sets of at most 32 points this changes nothing, since one batch holds the whole set; on the
# others the two batch sizes were never compared. It is an easy slip. Our records are identified by their whole
# configuration.
# ```
#
# ## Exercises
#
# ```{exercise-start} The mean in place of the percentile
# :label: all_forget_sets-ex-mean
# ```
# Replace the P95 by the mean over points (`retain_mean`, `val_mean`). Do the two rulers agree better or worse, and why?
# ```{exercise-end}
# ```
#
# ```{solution-start} all_forget_sets-ex-mean
# :class: dropdown
# ```
# The median relative difference of the two rulers, over the runs that either calls damaged. The mean does not hang on few
# points, so it agrees better; it also does not see harm that sits on few points.

# %%
either = criteria.harmed(runs, "retain") | criteria.harmed(runs, "val")
hurt = runs[either.fillna(False).to_numpy(bool)]
for end in ("", "_mean"):
    retain, val = hurt[f"retain{end}"], hurt[f"val{end}"]
    gap = 2 * (retain - val).abs() / (retain + val)
    print(f"{'mean' if end else 'P95 '}: {gap.median():.0%}")

# %% [markdown]
# ```{solution-end}
# ```
#
# ```{exercise} Identical rulers
# :label: all_forget_sets-ex-rank
# Suppose retain and validation damage were identical and each score had the error of its interval. What would the rank
# correlation over all runs be, and what would it tell?
# ```
#
# ```{solution} all_forget_sets-ex-rank
# :class: dropdown
# Below one, because the runs at the floor are ordered by noise: the more runs do nothing, the lower it gets. It would tell how
# many runs do nothing. That is why the yardstick counts judgements, and only where something is damaged.
# ```
#
# ```{exercise} The batch that was never compared
# :label: all_forget_sets-ex-batch
# The forget batch of 32 was never compared with 64. Plan the missing cells with `unlearning experiment` for one forget set of
# 50 points, and predict the outcome before you run them.
# ```

# %% [markdown]
# ## Every number
#
# Every row behind this page, controls included.

# %% tags=["hide-cell"]
figures.table(wording.listing(every))

# %% [markdown]
# ## What to take along
#
# - Retain and validation mostly tell one story. Where they differ, retain sees damage on few points that validation does not.
# - A high percentile with a low mean says that few points carry the damage: score them as a group of their own.
# - An ensemble that is too wide looks good in the paper's direction. Report both.
# - A grid's size is what was run, not what the configuration file lists.
