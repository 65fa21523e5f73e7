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
# # Verdicts
#
# ```{admonition} At a glance
# :class: glance
# **You will see** every claim of the paper, decided by what the other chapters computed; the same questions put to the
# authors' own numbers; and the slips in the paper's text that we met on the way.
#
# **In the paper** all of it {cite}`mavrothalassitis2025ascent`.
#
# **Runtime** a second: this chapter computes nothing itself.
#
# **Parameters** [listed below](verdicts-parameters).
#
# **Rerun** `unlearning run verdicts -p show open --out runs/verdicts`
# ```

# %% [markdown]
# (verdicts-parameters)=
# ## Parameters

# %% tags=["parameters"]
show: str = "all"  # which claims the table lists {all, decided, open}

# %% [markdown]
# ## How a claim is decided
#
# Each chapter ends with a list of *checks*: short statements of what the paper claims, each answered by the chapter's
# computation with yes, no, or **open** where an interval crosses the criterion or the data are not there. A check may
# only say no where the data *exclude* the claim. From the checks the verdict follows:

# %%
import pandas as pd
from myst_nb import glue

from panels import verdicts as panels
from unlearning.build.chapters import in_toc
from unlearning.files import ROOT
from unlearning.page import criteria, evidence, figures, ledger, verdicts
from unlearning.page.source import show_source

show_source(verdicts.judge)

# %% [markdown]
# It has two fields and never one word. **Here** is what was found on the largest scale on which this book could test the
# claim, and the scale is named: *agrees*, *disagrees* or *cannot decide*. **At the paper's scale** is what was found
# where the paper's own experiment or theorem was run: *reproduced*, *contradicted*, *cannot decide*, or *not run*. A
# claim about deep networks is not settled by a digit classifier.
#
# Nobody types a verdict. The checks travel inside the executed chapters, and this page collects them.

# %%
facts = ledger.collect()
each = {c.id: ledger.verdict_of(c.id, facts) for c in panels.CLAIMS}
found = pd.DataFrame({c: vars(verdict) for c, verdict in each.items()}).T
for field, words in (("here", verdicts.HERE), ("paper", ("reproduced",))):
    for word in words:
        key = f"verdicts_{field}_{word.replace(' ', '_')}"
        glue(key, int((found[field] == word).sum()), display=False)
claims = [f for f in facts if f["kind"] == "claim"]
checks = [holds for fact in claims for holds in fact["checks"].values()]
glue("verdicts_claims", len(found), display=False)
glue("verdicts_checks", len(checks), display=False)
glue("verdicts_open", checks.count(None), display=False)

# %% [markdown]
# ## The claims
#
# Of {glue:text}`verdicts_claims` claims, the evidence here agrees with {glue:text}`verdicts_here_agrees`, disagrees with
# {glue:text}`verdicts_here_disagrees` and cannot decide {glue:text}`verdicts_here_cannot_decide`.
# {glue:text}`verdicts_paper_reproduced` are reproduced at the paper's own scale. {glue:text}`verdicts_checks` checks stand
# behind this, {glue:text}`verdicts_open` of them open. "Where" is the place in the paper; ✗ and ○ mark the checks that
# failed or are open.

# %%
known = in_toc()
figures.table(panels.claims(facts, known, show), links=True)

# %% [markdown]
# (verdicts-calibration)=
# ## The same questions, put to the authors' own numbers
#
# A check that formalises a claim must hold on the numbers from which the paper made it; otherwise it is our question and
# not their claim. So every check about the experiments is one function, and it runs here on what the authors printed in
# their notebooks and on what we read off their plots, with the floors of Gaussian ensembles of their size. No training
# is needed for that.

# %%
table_1 = pd.read_csv(ROOT / "results" / "published_table1.csv")
calibrated = criteria.calibration(evidence.published(), table_1)
held = sum(holds is True for holds in calibrated.holds)
glue("verdicts_calibrated", held, display=False)
glue("verdicts_asked", len(calibrated), display=False)
figures.table(panels.calibration(calibrated))

# %% [markdown]
# {glue:text}`verdicts_calibrated` of {glue:text}`verdicts_asked` hold. Where only the average of the three scores is
# published, a run is ruled out when no partial and intact run could have so high an average.
#
# ## Errata
#
# Reproducing a paper means checking its formulas as they are printed. Where one cannot be meant as it stands, the
# chapter that uses it says what we use instead and computes what goes wrong with the printed form. None of these slips
# changes the paper's argument; they are listed so that the next reader does not stumble.

# %%
errata = panels.errata(facts, known)
glue("verdicts_errata", len(errata), display=False)
figures.table(errata, links=True)

# %% [markdown]
# There are {glue:text}`verdicts_errata` errata so far. If you find another, or disagree with a verdict, the chapter it
# came from is one `unlearning run` away.
