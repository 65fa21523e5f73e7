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
# # Ascent stays or breaks
#
# ```{admonition} At a glance
# :class: glance
# **You will see** what gradient ascent and descent-ascent do to recorded ensembles on CIFAR-10, on one map per forget set:
# whether they stay where they started, break the model, or get where an oracle is; and which forget sets are hard.
#
# **In the paper** Section 3, Figures 1 and 3, Appendix K {cite}`mavrothalassitis2025ascent`.
#
# **Runtime** about 20 s on one core.
#
# **Parameters** [listed below](ascent_fails-parameters): the scale of the records, other limits for damage.
#
# **Rerun** `unlearning run ascent_fails -p shown pc2 -p shifts 0.5,2 --out runs/ascent`
# ```

# %% [markdown]
# (ascent_fails-parameters)=
# ## Parameters

# %% tags=["parameters"]
scale: str = "laptop"  # records that are shown {laptop, desk, paper}
shifts: list[float] = [0.25, 0.5, 1.0, 1.5, 2.0]  # other limits for damage (oracle standard deviations) [0.1, 5]
shown: str = "random"  # kind of forget set that the slider shows first {random, pc2}

# %%
from panels import ascent_fails as panels

from unlearning import methods
from unlearning.page import criteria, evidence, figures, verdicts, wording
from unlearning.page.gluing import glue_numbers
from unlearning.page.source import show_source

show_source(methods.descent_ascent, methods.cost, criteria.Criteria)

# %% [markdown]
# ```{admonition} The paper claims
# :class: paper
# On CIFAR-10 with ResNet-9, GA and GDA either barely move from the pretrained model or break it (Figure 1, for the top points
# of the first principal component). Difficulty depends on the forget set (Figure 3): on those points no run succeeds; on
# random points some GA runs lower the forget KLoM but damage the model; on the second component some GDA runs lower it
# without damage, at about 25% of the cost of retraining.
# ```
#
# ## What was done
#
# Three methods start from a pretrained model and should end where an oracle is; [the question](question.ipynb) has their
# formulas. **GA** goes up the loss on the forget set $F$ ([its code](live.ipynb)). **GDA**, printed above, begins some of its
# epochs with such a pass over $F$ and goes once through the retain set $R$, downhill, in every epoch. **SCRUB** does the same
# with a teacher. On this page it runs as in the public code, where
# [its optimiser holds the wrong parameters](scrub.ipynb). All use plain SGD and take the points in a fixed
# order.
#
# A *configuration* is one setting at one stopping time. It is applied to all $N$ pretrained models, and the $N$ results are
# compared with $N$ oracles by [KLoM](klom.ipynb), point by point; each group of points (forget, retain, validation) gets its
# 95th percentile, the P95.
#
# ### What it costs
#
# Unlearning must be cheaper than retraining. The cost of a configuration is the number of points that it visits over the
# number that a retraining visits,
#
# $$
# \text{cost} \;=\; \frac{|F|\,E_{\text{ascent}} + |R|\,E}{|D|\;E_{\text{full}}},
# $$ (ascent_fails-eq-cost)
#
# with $E$ epochs of descent over $R$ (none for GA), $E_{\text{ascent}}$ of ascent over $F$, and $E_{\text{full}}$ epochs in
# a retraining. The public code divides by $(|D| + |V|)\,E_{\text{full}}$ instead, with $|V|$ validation points that no
# training visits; on CIFAR-10 that understates every cost by $|V|/(|D| + |V|) = 1/6$. Tables show both, and the measured
# share in seconds. Colours on the maps use the authors' convention.
#
# ### The criteria
#
# A P95 is read against its {term}`floor`, the score of two ensembles that do not differ. Let $q$ be the share of the gap that is
# left on $F$: one as before, zero at the floor. A configuration
#
# - is {term}`intact` if retain and validation points are shifted by less than {glue:text}`ascent_fails_shift:.2f` oracle standard
#   deviations (their P95, in both directions of the divergence, against what such a shift scores) *and* at most
#   {glue:text}`ascent_fails_retain_points:.0%` of retain and {glue:text}`ascent_fails_val_points:.0%` of validation accuracy
#   are lost against the oracles; otherwise it **breaks**;
# - **forgets** if it is intact and $q \le$ {glue:text}`ascent_fails_forgotten:.1f`, forgets **partly** if
#   $q \le$ {glue:text}`ascent_fails_partial:.1f`, and else **stays**;
# - is **open** where an interval over models crosses a limit.
#
# All of them stand in `page/criteria.py`, with the reason for each limit, and
# [every check of a claim holds on the authors' own numbers](verdicts.ipynb). They were written when the laptop's records
# already existed. For the run on all of CIFAR-10 a protocol was committed before any method had run on it
# (`results/protocol-desk.toml`).

# %%
every = evidence.load(scale)  # records of one scale, judged
grid = evidence.distinct(every)  # the paper's grid, each trajectory once
runs = grid[grid.method != "nothing"]
starts = grid[grid.method == "nothing"]
title = evidence.scale_title(scale)
published = evidence.published()  # the authors' own numbers
marks = evidence.marks(scale)  # the same in this scale's units

# %% mystnb={"figure": {"caption": "How to read a map, drawn around the authors' own start on set 5. To the right: still far from the oracles on F. Up: damage elsewhere. Hollow circle: doing nothing; star: perfect, at the floors (dashed). A marker below the dotted line may still be broken: retain has a map of its own, and accuracies have none.", "name": "ascent_fails-reading"}}
figures.show(panels.reading(published), alt=(
    "An empty map with its areas: breaks above; along the bottom, from left "
    "to right, forgets around the star, partly, and stays around the circle "
    "of the pretrained models."))

# %% tags=["hide-input"]
told = evidence.provenance(evidence.recorded(preset=scale)) or "No record yet."
glue_numbers("ascent_fails", title=title, provenance=told, **panels.limits_told())

# %% [markdown]
# ## Figure 1: points of the first principal component
#
# {glue:text}`ascent_fails_provenance` Not the paper's images, network or amount of training, and $F$ is a larger part of $D$:
# compare shapes, not values. Fine-tuning on $R$ and retraining for few epochs stand on every map, because the cost axis
# asks for them. Grey diamonds are the authors' own numbers for the nearest of their sets.
#
# <details class="predict"><summary><strong>Predict before you scroll.</strong> Follow one step size of GA from the hollow circle.
# Does it first go left, towards the star, or first go up?</summary>
# On points of the first component it goes up first, on either map. On random points (the next figure) it goes left first,
# along the bottom, and turns up later.
# </details>

# %% mystnb={"figure": {"caption": "The paper's Figure 1 from our records ({glue:text}`ascent_fails_title`): one marker per configuration; thin lines join the stopping times of one step size of GA; grey diamonds: published. Markers stay near the circle or go up.", "name": "ascent_fails-pc1"}}
figures.show(*panels.figure_1(every, title, marks), alt=(
    "Validation and retain damage against forgetting, points of PC1. Paths of "
    "gradient ascent rise before they come near the star; the others stay at "
    "the circle."))

# %% [markdown]
# ## Figure 3: random points, and the second component

# %% mystnb={"figure": {"caption": "The paper's Figure 3 from our records ({glue:text}`ascent_fails_title`); move the slider to change the forget set. On few random points the path goes left along the bottom before it rises.", "name": "ascent_fails-others"}}
slides, names = panels.figure_3(every, title, marks, shown)
figures.frames(slides, names, "forget set", alt=(
    "Validation and retain damage against forgetting. On random points "
    "gradient ascent runs along the bottom and then rises; on points of PC2 "
    "it rises."))

# %% [markdown]
# ## Every configuration, counted
#
# The published rates of GA up to {glue:text}`ascent_fails_no_step` do what step size 0 does, BatchNorm's drift and nothing
# else ([the control](batchnorm.ipynb)); they are one trajectory and counted once, as step size 0.

# %%
figures.table(panels.counts(runs))

# %% [markdown]
# Forget sets on which doing nothing is already not intact: {glue:text}`ascent_fails_harmed`. There "breaks" may only mean "no
# better than before", and it hangs on which points are scored ([how many points](all_forget_sets.ipynb)). Next, how far each
# method gets without breaking the model (floors and ceilings stand in the last table of the page).

# %%
figures.table(panels.best(runs))

# %% [markdown]
# ## What the map does not show
#
# Some configurations pass when one reads nothing but the map: P95 values in the paper's direction. Four questions decide
# whether to believe them. *Is the range of the histogram collapsed?* Then the score would be flattered. *Does it survive the
# other direction?* *What do the accuracies say?* And: *does it hang on the limit?*

# %%
read = evidence.scores_alone(grid)  # as one reads a map
figures.table(panels.passed(grid, read))

# %% mystnb={"figure": {"caption": "Outcomes of GA and GDA when another shift counts as damage ({glue:text}`ascent_fails_title`); dotted: the limit of this page. The accuracies decide: a wider limit for the scores lets hardly any run through.", "name": "ascent_fails-limits"}}
figures.show(panels.limits(every, shifts, title), alt=(
    "Counts of five outcomes against the limit for damage: broken runs fall "
    "at first and then stay level; forgetting ones stay at or near zero."))

# %% tags=["hide-input"]
glue_numbers("ascent_fails", **panels.passed_told(grid, read))

# %% [markdown]
# {glue:text}`ascent_fails_by_map` configurations pass on the map, {glue:text}`ascent_fails_kept` by all criteria. Their models
# are right on {glue:text}`ascent_fails_lost_least:.0f` to {glue:text}`ascent_fails_lost_most:.0f` points less of $R$ than
# oracles. Collapsed ranges play no part ({glue:text}`ascent_fails_collapsed` rows have any collapsed point), and of
# {glue:text}`ascent_fails_rows` rows {glue:text}`ascent_fails_under` have a P95 whose whole interval lies below its floor,
# which would be a symptom.
#
# ```{admonition} Our comment
# :class: ours
# An earlier form of this page had a generous limit on P95 alone and counted two of these as successes against the headline.
# They were none: a limit of one nat sounds strict, and a uniform shift of most of a standard deviation passes it. So did
# models that had lost many points of accuracy. With accuracy and both directions in the criterion the exceptions are gone.
# ```
#
# ## C1: stays or breaks

# %%
show_source(criteria.c1)

# %%
pc1 = runs[(runs.kind == "pc1") & runs.method.isin(panels.ASCENT)]
verdicts.decide("C1", evidence=f"on points of PC1, {panels.told(pc1)}",
                checks=criteria.c1(pc1), scale=scale)

# %% [markdown]
# ## C3: which forget sets are hard?
#
# For every set, the share of the gap that is left by the unbroken GA or GDA run that gets furthest. A best of a grid is
# picked by its own score, so these values lean to the low side; the intervals do not know that.

# %% mystnb={"figure": {"caption": "How far GA and GDA get without breaking the model ({glue:text}`ascent_fails_title`): share of the gap left, with its 95% interval. Diamonds: the authors' own runs on their nearest set; grey dots: the lowest share at any price; dotted: partly and wholly forgotten. A set without a circle has no unbroken run.", "name": "ascent_fails-hard"}}
authors = criteria.authors(published)
figures.show(panels.hard(runs, authors, title), alt=(
    "A line for each forget set: the share of the gap left is lowest on few "
    "random points, near one on points of PC1; on points of PC2 no run is "
    "unbroken."))

# %% tags=["hide-input"]
glue_numbers("ascent_fails", **panels.gda_told(runs))

# %% [markdown]
# On the second component {glue:text}`ascent_fails_gda` GDA configurations were run, of {glue:text}`ascent_fails_gda_paper` in
# the paper's grid for a set. {glue:text}`ascent_fails_gda_both` of them are intact with half of the gap closed,
# {glue:text}`ascent_fails_gda_open` are open; the lowest share of the gap left is {glue:text}`ascent_fails_gda_q:.0%`, at a
# true cost of up to {glue:text}`ascent_fails_gda_cost:.0%` of a retraining.

# %%
show_source(criteria.c3)

# %%
tried = runs[runs.method.isin(panels.ASCENT)]
verdicts.decide("C3", evidence=panels.by_kind(tried),
                checks=criteria.c3(runs), scale=scale)

# %% [markdown]
# ```{admonition} Our comment
# :class: ours
# The order of the kinds is the paper's: few random points are easier than points of principal components. That is all this
# scale can say. One set of each kind has no replication, the sets are a far larger part of the data than the paper's, and on the
# second component even doing nothing is called broken. Only nine sets on all of CIFAR-10 can order PC1 and PC2.
# ```
#
# ## Exercises
#
# ```{exercise-start} What makes a run break?
# :label: ascent_fails-ex-why
# ```
# Of the GA configurations that break, how many have lost too much accuracy, and how many would break by their scores alone?
# Guess the overlap first.
# ```{exercise-end}
# ```
#
# ```{solution-start} ascent_fails-ex-why
# :class: dropdown
# ```
# Accuracy finds damage earlier than the P95 does, so most runs that break by scores break by accuracy, too.

# %%
broken = runs[(runs.method == "ga") & (runs.outcome == "breaks")]
scores = read.intact.loc[broken.index].eq(False).fillna(False)
limits = criteria.DEFAULT
lost = {g: broken[f"{g}_oracle_accuracy"] - broken[f"{g}_accuracy"]
        for g in criteria.DAMAGE}
right = lost["retain"] > limits.retain_points
right |= lost["val"] > limits.val_points
print(f"{len(broken)} break: {right.sum()} by accuracy, {scores.sum()} by "
      f"scores read off the map, {(right & scores).sum()} by both")

# %% [markdown]
# ```{solution-end}
# ```
#
# ```{exercise} A cost in epochs
# :label: ascent_fails-ex-cost
# GA visits $F$ once per epoch. How many epochs of GA on 10 points of 50,000 cost as much as one epoch of GDA? What does that
# say about colours on the map?
# ```
#
# ```{solution} ascent_fails-ex-cost
# :class: dropdown
# One epoch of GDA with ascent visits $|F| + |R| = 50{,}000$ points, so 5,000 epochs of GA. On the map GA is always among the
# cheapest; its colour never tells two GA runs apart, and what separates GDA from fine-tuning is not its cost.
# ```
#
# ```{exercise} Other limits
# :label: ascent_fails-ex-limits
# Rerun with `-p shifts 0.1,5`. Which outcomes can a limit for the scores never produce, and which condition is responsible?
# ```

# %% [markdown]
# ## Every number
#
# All rows behind this page, controls included, in both directions.

# %% tags=["hide-cell"]
figures.table(wording.listing(every))

# %% [markdown]
# ## What to take along
#
# - Nearly all of the grid does what the paper says: it stays at the pretrained model or breaks it.
# - A claim of the form "never" is tested by its exceptions, and the exceptions by accuracy.
# - A map is read with its floor, its limits and its number of models, or not at all.
# - Could one have known where to stop? [The illusion](illusion.ipynb). Is the damage due to ascent?
#   [Ascent or BatchNorm](batchnorm.ipynb).
