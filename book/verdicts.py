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
# **You will see** every claim of the paper, decided by what the other chapters computed, and the slips in the paper's
# text that we met on the way.
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
# Each chapter ends with a list of *checks*: short statements of what the paper claims, each with a yes or a no that the
# chapter computed. From these the verdict follows mechanically:
#
# - **reproduced**: every check holds;
# - **differs**: some hold and some do not;
# - **not reproduced**: none holds;
# - **not yet run**: no chapter of this book has tested the claim.
#
# Nobody types a verdict. The checks travel inside the executed chapters, and this page collects them.

# %% tags=["hide-input"]
import html
from collections import Counter

import pandas as pd
from myst_nb import glue

from unlearning.build.chapters import in_toc
from unlearning.page import figures, ledger, verdicts
from unlearning.page.claims import CLAIMS

facts = ledger.collect()
verdict_of = {claim.id: ledger.verdict_of(claim.id, facts) for claim in CLAIMS}
tally = Counter(verdict_of.values())
for verdict in ("reproduced", "differs", "not reproduced", "not yet run"):
    glue(f"verdicts_{verdict.replace(' ', '_')}", tally[verdict], display=False)
glue("verdicts_claims", len(CLAIMS), display=False)
glue("verdicts_checks", sum(len(f["checks"]) for f in facts if f["kind"] == "claim"), display=False)

# %% [markdown]
# ## The claims
#
# Of {glue:text}`verdicts_claims` claims, {glue:text}`verdicts_reproduced` are reproduced,
# {glue:text}`verdicts_differs` differ, {glue:text}`verdicts_not_reproduced` are not reproduced and
# {glue:text}`verdicts_not_yet_run` are not yet run; {glue:text}`verdicts_checks` checks stand behind them. "Where" is the
# place in the paper. The evidence names what it was computed on, because a claim about deep networks is not settled by
# a digit classifier.

# %% tags=["hide-input"]
chapters = in_toc()


def link(chapter: str) -> str:
    """The chapter's name as a link if the book has it, else as plain text."""
    title = chapter.replace("_", " ")
    return f'<a href="{chapter}.html">{title}</a>' if chapter in chapters else f"({title})"


def evidence(claim: str) -> str:
    """All evidence on a claim, with its scale, and the checks that failed."""
    lines = []
    for fact in facts:
        if fact["kind"] == "claim" and fact["id"] == claim:
            failed = [name for name, holds in fact["checks"].items() if not holds]
            lines.append(html.escape(f"{fact['evidence']} ({verdicts.SCALES[fact['scale']]})"))
            lines += [f"✗ {html.escape(name)}" for name in failed]
    return "<br>".join(lines) or "–"


wanted = {"all": list(verdict_of), "open": [c for c, v in verdict_of.items() if v == "not yet run"],
          "decided": [c for c, v in verdict_of.items() if v != "not yet run"]}[show]  # fmt: skip
rows = []
for claim in CLAIMS:
    if claim.id in wanted:
        verdict = verdict_of[claim.id]
        badge = f'<span class="badge-verdict {verdict.replace(" ", "-")}">{verdict}</span>'
        by = sorted({f["chapter"] for f in facts if f.get("id") == claim.id}) or [claim.chapter]
        text = f"<strong>{claim.id}</strong> {html.escape(claim.text)}<br><em>{html.escape(claim.where)}</em>"
        rows.append([text, f"{badge}<br>{'<br>'.join(map(link, by))}", evidence(claim.id)])
figures.table(pd.DataFrame(rows, columns=["Claim, and where", "Verdict", "Evidence"]), links=True)

# %% [markdown]
# ## Errata
#
# Reproducing a paper means checking its formulas as they are printed. Where one cannot be meant as it stands, the
# chapter that uses it says what we use instead and computes what goes wrong with the printed form. None of these slips
# changes the paper's argument; they are listed so that the next reader does not stumble.

# %% tags=["hide-input"]
errata = [f for f in facts if f["kind"] == "erratum"]
rows = [[f"{html.escape(f['where'])}<br>{link(f['chapter'])}", html.escape(f["printed"]), html.escape(f["ours"]),
         f"{html.escape(f['shown_by'])} ({f['verdict']})"] for f in errata]  # fmt: skip
glue("verdicts_errata", len(errata), display=False)
if rows:
    figures.table(pd.DataFrame(rows, columns=["Where", "Printed", "We use", "Shown by"]), links=True)
else:
    print("No chapter with an erratum has been executed.")

# %% [markdown]
# There are {glue:text}`verdicts_errata` errata so far. If you find another, or disagree with a verdict, the chapter it
# came from is one `unlearning run` away.
