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
# # Check it yourself
#
# ```{admonition} At a glance
# :class: glance
# **You will see** one command for each claim with the number it should print; where the paper, its public code and this book
# differ and what that does; what the recorded experiments cost; every configuration behind every number.
#
# **In the paper** all of it {cite}`mavrothalassitis2025ascent`.
#
# **Runtime** about 5 s on one core.
#
# **Parameters** [listed below](claims-parameters): the scale whose records show the deviations' effects.
#
# **Rerun** `unlearning run claims -p scale desk --out runs/claims`
# ```

# %% [markdown]
# (claims-parameters)=
# ## Parameters

# %% tags=["parameters"]
scale: str = "laptop"  # records that show the effects {laptop, desk, paper}

# %%
from panels import claims as panels

from unlearning.page import accounts, evidence, figures
from unlearning.page.gluing import glue_numbers
from unlearning.page.source import show_source

show_source(accounts.mismatches, accounts.ledger)

# %% [markdown]
# The first function compares a run's `results.json` with a row of the table below; a test executes the cheap rows with it. The
# second adds up what the records say they cost.
#
# ## One command per claim
#
# Every command stands for itself: it needs this repository, no GPU and no data set, and writes the page and `results.json` to
# a folder under `runs/`. "Expected" is the number of that name in the file; the minutes are those of two idle cores, after
# `make book` has trained the live models.

# %%
figures.table(panels.commands(accounts.expected()))

# %% [markdown]
# <details class="predict"><summary><strong>Predict before you scroll.</strong> Which rows may change on another kind of
# processor?</summary>
# Those that train models in the run itself. What reads records or solves equations gives the same digits everywhere, up to
# rounding in the last ones.
# </details>
#
# C14 has no row: nothing of it was run. "Cannot decide" is a result like any other, and not the same as a contradiction: at
# that scale the claim was not tested.
#
# ## Where we differ
#
# Numbered, with the effect that our own records or one computation show.

# %%
records = evidence.recorded()
figures.table(accounts.deviations(evidence.load(scale)))

# %% [markdown]
# ```{admonition} Our comment
# :class: ours
# The first two change a conclusion. SCRUB as published trains nothing, so that it stays near the pretrained model says nothing
# about SCRUB; and part of what looks like damage by ascent at small step sizes is BatchNorm's drift. The fourth can flatter any
# method. The rest moves numbers within their noise, or nobody has measured it.
# ```
#
# ## What it cost
#
# Hours of one CPU core on the records' own clock. Runs that diverged are in it and stay in the records: "broken" counts
# configurations in which models left the range of all others. What is not in it: scoring, and work that was lost when a
# run was stopped.

# %%
books = accounts.ledger(evidence.table(records))
figures.table(panels.costs(books))
hours = books[["pretrained", "oracles", "methods"]].to_numpy().sum()
glue_numbers("claims", hours=hours, configurations=len(records))

# %% [markdown]
# Together {glue:text}`claims_hours:.1f` hours for {glue:text}`claims_configurations:,.0f` configurations.
#
# ## Every configuration behind every number
#
# One row per record: what was run, what it scored with interval and floor, and which code on which machine made it.

# %%
figures.download(accounts.configurations(records), "All records")

# %% [markdown]
# ## What was easy, what was difficult
#
# *Easy.* The metric is one screen of code and agrees with the authors' own prints. The theory is solved by Lambert's function
# and can be checked to the last bit. Small networks show the defects of the large experiment.
#
# *Difficult.* The paper's network for MNIST and its forget-set sizes are not all stated. Its public code ignores a setting in
# a cache and trains the wrong model in one method. A score has a floor that depends on the number of models, so that small
# ensembles look bad for no reason. And a hundred models twice for each forget set is what makes the experiment expensive.
#
# ## Exercises
#
# ```{exercise} Another machine
# :label: claims-ex-machine
# Run the commands of C6, C9 and C12 on your machine. Which digits differ, and are the differences within the tolerance?
# ```
#
# ```{solution} claims-ex-machine
# :class: dropdown
# C9 and C12 solve equations in double precision: they agree to rounding. C6 draws from seeded generators: it agrees as long
# as the versions of numpy and torch do, which is why they are pinned.
# ```
#
# ```{exercise} A deviation of your own
# :label: claims-ex-own
# Choose a row without a measured effect and write the two configurations that would measure it.
# ```
#
# ## What to take along
#
# - A claim is checked by a command, a number and a tolerance; a sentence is not enough.
# - Deviations are listed before somebody finds them, with what they do.
