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
# # What was asked beforehand
#
# ```{admonition} At a glance
# :class: glance
# **You will see** why an experiment with a grid of settings needs its questions in writing, the questions that were committed
# before any method had run on all of CIFAR-10, and what the records answer today.
#
# **In the paper** no counterpart; the questions are about Section 3 and Appendix L {cite}`mavrothalassitis2025ascent`.
#
# **Runtime** about 15 s on one core.
#
# **Parameters** [listed below](protocol-parameters): an invented grid, invented p-values. The protocol itself has none.
#
# **Rerun** `unlearning run protocol -p cells 10 -p error 0.05 --out runs/protocol`
# ```

# %% [markdown]
# (protocol-parameters)=
# ## Parameters
#
# They belong to two examples. No parameter touches the protocol, its limits or its answers.

# %% tags=["parameters"]
cells: int = 40  # cells of the invented grid (count) [2, 1000]
left: float = 0.7  # share of the gap that every one of them leaves (fraction) [0, 2]
error: float = 0.1  # standard error of a measured share (fraction) [0.001, 1]
worlds: int = 4000  # repetitions of the invented experiment (count) [100, 20000]
seed: int = 0  # of the invention [0, 1000000]
p_values: list[float] = [0.004, 0.011, 0.012, 0.03, 0.2]  # of invented statements (probability) [0, 1]

# %%
from textwrap import shorten

import numpy as np
from panels import protocol as panels

from unlearning import estimators, files
from unlearning.experiment import provenance
from unlearning.page import criteria, figures, hypotheses
from unlearning.page.gluing import glue_numbers
from unlearning.page.source import show_source

show_source(hypotheses.halves, hypotheses.h3)

# %% [markdown]
# Two functions, and in them the whole idea: one half of the models chooses, the other half is asked. The second decides a
# hypothesis by words that were in a file before there was anything to decide. This page says why, shows the file, and then
# the answers.
#
# ```{admonition} The paper claims
# :class: paper
# No step size and stopping time of ascent forgets without damage on points of the first principal component; on few random
# points some setting seems to. These are statements about the *best* of a large grid.
# ```
#
# ## Why in writing
#
# **The best of many is not what it looks like.** A grid of step sizes and epochs has dozens of cells. Each gets a number with
# an error; the lowest number is the lowest of dozens of errors, too. Suppose that *every* cell truly leaves the share
# {glue:text}`protocol_left:g` of the gap, measured with a standard error of {glue:text}`protocol_error:g`, and that nothing at
# all distinguishes the {glue:text}`protocol_cells` cells.
#
# <details class="predict"><summary><strong>Predict before you scroll.</strong> In how many experiments out of a hundred does the
# best cell seem to close half of the gap, although none does?</summary>
# About sixty with the default parameters. A single cell would in two or three of a hundred.
# </details>

# %%
rng = np.random.default_rng(seed)
choosing, testing = rng.normal(left, error, (2, worlds, cells))
best = choosing.argmin(axis=1)  # what a search over the grid returns
reported = choosing[np.arange(worlds), best]  # on the models that chose it
tested = testing[np.arange(worlds), best]  # the same cell on other models
half = criteria.DEFAULT.partial
glue_numbers("protocol", left=left, error=error, cells=cells,
             fooled=np.mean(reported <= half), honest=np.mean(tested <= half),
             reported=reported.mean(), tested=tested.mean())

# %% mystnb={"figure": {"caption": "The share left by the best cell of an invented grid in which all cells are equal (black line). Vermilion: read off the models that chose it, too low in every world. Blue: the same cell on models that had no part in the choice. Dotted: half of the gap.", "name": "protocol-best-of"}}
figures.show(panels.best_of(reported, tested, left), alt=(
    "Two histograms: the best cell as it looks where it was chosen lies far "
    "to the left of the truth, on other models around it."))

# %% [markdown]
# The search reports {glue:text}`protocol_reported:.2f` on average and finds a success in {glue:text}`protocol_fooled:.0%` of the
# worlds; on other models the same cells leave {glue:text}`protocol_tested:.2f`, with a success in
# {glue:text}`protocol_honest:.1%`.
#
# **The path that was not taken.** Worse than a grid of settings is a grid of *judgements*: which score, which percentile,
# which limit, which forget set, which runs to leave out. Every choice is reasonable, and made with the data in view some
# combination nearly always says something. Gelman and Loken call it a garden of forking paths. It needs no bad faith.
#
# ```{admonition} Our comment
# :class: ours
# It happened in this book. An earlier form judged damage by one limit on one percentile in one direction, and called it the
# criteria, stated before the results. The laptop's records were complete by then, two runs passed that no one would call
# intact ([stays or breaks](ascent_fails.ipynb)), and several checks failed on the authors' own numbers. The criteria were
# mended; but mended criteria are fitted to what they had missed. Only new data can test them.
# ```
#
# ## What was written, and when
#
# The new data are the preset `desk`: all of CIFAR-10 at 16×16 pixels, a quarter of the paper's width, the published forget sets. Before
# any method ran on it, gates, hypotheses, limits and what refutes them were committed as `results/protocol-desk.toml`. Commits
# have dates; so have records. The file's history:

# %%
for commit, date, subject in provenance.history(hypotheses.FILE):
    print(commit, date[:16].replace("T", " "), shorten(subject, 56))
found = hypotheses.records()  # refused if made under another protocol
protocol = hypotheses.protocol()
print(f"SHA-256 {provenance.protocol('desk')[:12]}…, records: {len(found)}")

# %% tags=["hide-input"]
decided = hypotheses.decided(found)
tables = hypotheses.halves(found)
glue_numbers("protocol", **panels.numbers(found, decided, tables))

# %% [markdown]
# Dates are UTC. The later commits change how the error of a score is computed and the number of models in one stage. The first
# record of the run: {glue:text}`protocol_first`. Every record carries the SHA-256 of the file, and when the two differ the
# answers below are refused. (Pilot models had been seen, and the file says which: two pretrained ones and three oracles, none
# of them in the run.)
#
# ### Its words

# %%
figures.table(panels.words(protocol))

# %% [markdown]
# ### Its limits

# %%
figures.table(panels.limits(files.content(hypotheses.FILE).decode()))

# %% [markdown]
# ## Scores that mean the same for any number of models
#
# With 20 models [KLoM](klom.ipynb)'s twenty bins are nearly empty. The protocol uses *oq5* instead: five cells between the
# quintiles of the oracles' margins. Let $n_k$ of $N$ oracles and $m_k$ of $N$ unlearned models lie in cell $k$. Then for one point
#
# $$
# \text{oq5} = \sum_{k=1}^{5} P_k \ln\frac{P_k}{Q_k},
# \qquad P_k = \frac{n_k + 1/2}{N + 5/2}, \quad Q_k = \frac{m_k + 1/2}{N + 5/2} .
# $$ (protocol-eq-oq5)
#
# Two ensembles that do not differ score more than zero, and the fewer models the more. So a raw score says
# little, and neither does a limit in nats:

# %%
for n in (20, 40, 100):
    floor = estimators.floor("oq5", n)  # of equal Gaussian ensembles, per point
    limit = criteria.limit(n, estimator="oq5")
    print(f"N = {n:3}: floor, mean {floor.mean():.3f}, P95 "
          f"{np.percentile(floor, 95):.3f}; P95 of the limit's shift "
          f"{limit:.3f} above it")

# %% [markdown]
# Therefore two units without $N$. On the forget set the *share of the gap left*, and elsewhere the *damage in limits*:
#
# $$
# \begin{aligned}
# q &= \frac{\overline{\text{oq5}}(F) - \text{floor}_N}{\overline{\text{oq5}}_{\text{pretrained}}(F) - \text{floor}_N}, \\[1ex]
# \text{damage} &= \frac{P_{95}(\text{oq5}) - \text{floor}_N}{P_{95}(\text{oq5 of the shift}) - \text{floor}_N} .
# \end{aligned}
# $$ (protocol-eq-units)
#
# $q$ is a mean, since a 95th percentile over ten points is a maximum in disguise. It is one for doing nothing and zero for
# the oracles; below zero it is noise. Damage is taken on retain and validation points, in both directions, and at one the
# scores say "as if every margin had moved by the protocol's `shift_sd`". Accuracy is judged besides.
#
# ## Choosing half, testing half
#
# What the invented grid needed, the run has: two groups of models that share nothing but the forget set.

# %% mystnb={"figure": {"caption": "Twenty models choose a cell, twenty others test it, each group against oracles of its own. Nothing is reported on the models that chose. The neighbours in time are tested with the cell.", "name": "protocol-halves"}}
figures.show(panels.drawn(), alt=(
    "Two columns, models 0 to 19 and models 20 to 39. In each, unlearned "
    "models are compared with oracles; an arrow takes one cell from the left "
    "column to the right one."))

# %% [markdown]
# ## Many questions, one level
#
# Five of the hypotheses form a family: each can be "shown" by chance, and five have five chances. Holm's procedure keeps the
# probability that *any* of them is shown wrongly below $\alpha$: take the p-values in order; compare the smallest with
# $\alpha/m$, the next with $\alpha/(m-1)$, and so on; stop at the first that fails.

# %%
show_source(hypotheses.holm)

# %%
alpha = protocol["criteria"]["alpha"]
invented = {f"S{k}": p for k, p in enumerate(p_values, 1)}
kept = hypotheses.holm(invented, alpha)
alone = [name for name, p in invented.items() if p <= alpha]
bonferroni = [n for n, p in invented.items() if p <= alpha / len(invented)]
together = [name for name, told in kept.items() if told]
glue_numbers("protocol", alpha=alpha, together=len(together),
             alone=len(alone), bonferroni=len(bonferroni))

# %% mystnb={"figure": {"caption": "Holm's steps on invented p-values: in order, each against the limit of its step (dotted). The first one above its limit ends the procedure, and whatever comes later falls with it.", "name": "protocol-holm"}}
figures.show(panels.steps(invented, alpha), alt=(
    "P-values in ascending order against a staircase of limits: the smallest "
    "lie below it and hold, the later ones lie above."))

# %% [markdown]
# One by one {glue:text}`protocol_alone` would pass at {glue:text}`protocol_alpha:g`, and {glue:text}`protocol_together` by
# Holm's steps. Bonferroni's rule, all against the smallest limit, would keep {glue:text}`protocol_bonferroni`.
#
# A hypothesis of several parts has one p-value: "partial *and* intact" is shown when each condition is, so its p is the
# largest of theirs. A statement that is not in the records counts with p = 1, and so costs the others nothing.
#
# ## The answers
#
# First the gates, which ask whether the run is what it should be. Then the hypotheses. *Holds* and *refuted* are the
# protocol's own words; *open* means that an interval crosses a limit, or that there are too few models yet. Below each answer:
# how many models it rests on, and the date of the latest record. A claim's verdict stands in its own chapter.

# %%
figures.table(panels.answers(found, protocol, decided), links=True)

# %% [markdown]
# Of {glue:text}`protocol_gates` gates {glue:text}`protocol_gates_hold` hold and {glue:text}`protocol_gates_fail` fail. Of
# {glue:text}`protocol_asked` answers {glue:text}`protocol_hold` are "holds", {glue:text}`protocol_refuted` "refuted" and
# {glue:text}`protocol_open` "open", from {glue:text}`protocol_records` records. The median standard error of $q$ over the cells
# of a half: {glue:text}`protocol_measured` (the invented grid had {glue:text}`protocol_error:g`).

# %% mystnb={"figure": {"caption": "GA on the published sets 1 (random) and 5 (PC1), choosing half and testing half: share of the gap left against the worst damage, one line per step size. Circle: doing nothing; star: perfect. Dotted: the limits. Full marks are intact, crosses break, hollow ones are open. Ringed: the intact cell of lowest share on the choosing models, there and on the testing models.", "name": "protocol-paths"}}
figures.show(*[panel for name in ("published-1", "published-5")
               for panel in panels.paths(tables, name, protocol)], alt=(
    "Paths of gradient ascent from doing nothing, on two forget sets, for "
    "both halves of the models; a half without records says not run."))

# %% [markdown]
# ## What is not yet run
#
# The run has stages, the most valuable first. Each is recorded before the next begins.

# %%
figures.table(panels.stages(found))

# %% [markdown]
# The pretrained models of the first stage come with the repository, and the rest goes on from there (CIFAR-10 in `DATA`;
# a stop at any moment loses one unit at most):
#
# ```sh
# unlearning restore --from results/models/desk.npz --out runs/desk
# unlearning experiment --preset desk --data DATA --out runs/desk
# unlearning experiment --preset desk-float32 --data DATA --out runs/desk-float32
# unlearning pack --from runs/desk-float32 --out results/margins   # G1
# cp runs/desk/results.jsonl results/desk.jsonl   # then this page: unlearning run protocol
# ```
#
# ## Exercises
#
# ```{exercise-start} Neighbours resemble each other
# :label: protocol-ex-correlated
# ```
# Cells of one path are not independent: the same models, one epoch on. Let half of the variance of the error be common to all
# cells of a world. Is the best cell less of a surprise?
# ```{exercise-end}
# ```
#
# ```{solution-start} protocol-ex-correlated
# :class: dropdown
# ```
# Less, and still one. What is common shifts the whole grid, and does not help to pick; only the other half is searched for its
# minimum.

# %%
common, own = rng.normal(0, error * 0.5**0.5, (2, worlds, cells))
lowest = (left + common[:, :1] + own).min(axis=1)
print(f"independent: {reported.mean():.2f}, success in "
      f"{np.mean(reported <= half):.0%}; correlated: {lowest.mean():.2f}, "
      f"{np.mean(lowest <= half):.0%}")

# %% [markdown]
# ```{solution-end}
# ```
#
# ```{exercise} Holm against Bonferroni
# :label: protocol-ex-holm
# Show that whatever Bonferroni's rule keeps, Holm's keeps. Why does nobody lose by it?
# ```
#
# ```{solution} protocol-ex-holm
# :class: dropdown
# A p-value of at most $\alpha/m$ is below the limit of every step, $\alpha/m \le \alpha/(m-k)$, and so is every smaller one before
# it; the procedure cannot have stopped. The error stays controlled: let $m_0$ statements be untrue. At the first step that keeps
# one of them at least $m_0$ statements are left, so its limit is at most $\alpha/m_0$, and by the union bound the chance
# that any of $m_0$ untrue ones falls below that is at most $\alpha$.
# ```
#
# ```{exercise} A statement that cannot lose
# :label: protocol-ex-refutable
# Choose one of the hypotheses above and cover what refutes it. Write your own refutation, then compare. Can you find one of ours that
# an unlucky experiment would leave open whatever the truth is?
# ```
#
# ```{solution} protocol-ex-refutable
# :class: dropdown
# H5 is one: it needs a pair whose intervals do not overlap. If ascent gets nowhere on a random set that is large enough, the
# two sets tie, and ties decide nothing. The protocol says so itself, because it was first written in a form that fails on the
# authors' own numbers. A statement that can only be left open is weak, but it is not wrong; one that cannot be refuted would be.
# ```

# %% [markdown]
# ## What to take along
#
# - The best of a grid is reported on models that did not choose it, or it is not reported.
# - A limit is worth something if its date is earlier than that of the data.
# - "Open" is an answer. So is "refuted", and a protocol is the only way to be able to say it to oneself.
