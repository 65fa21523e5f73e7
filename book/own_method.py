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
# # Your own method
#
# ```{admonition} At a glance
# :class: glance
# **You will see** an unlearning method written in a dozen lines, run on trained models and judged against oracles,
# here on digits and by one command on CIFAR-10; how to read each number of the answer, and how not to fool yourself
# with it.
#
# **In the paper** no counterpart; methods, scores and the map are those of Section 3
# {cite}`mavrothalassitis2025ascent`.
#
# **Runtime** about half a minute on one core, if [the live experiment](live.ipynb) has run before; else a minute more.
#
# **Parameters** [listed below](own_method-parameters): the step size and stopping times of the method, its forget set.
#
# **Rerun** `unlearning run own_method -p rate 0.03 -p kind pc1 --out runs/own`
# ```

# %% [markdown]
# (own_method-parameters)=
# ## Parameters

# %% tags=["parameters"]
rate: float = 0.1  # step size of the method (dimensionless) [0, 1]
epochs: list[int] = [1, 2, 5, 10]  # its stopping times (epochs) [1, 100]
kind: str = "random"  # kind of forget set {random, pc1}
models: int = 100  # models in each ensemble of the live experiment, N [4, 200]
few: int = 40  # of these, models that the method is tried on [4, 200]
seed: int = 0  # seed of the live experiment [0, 1000000]

# %%
import copy
import inspect
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from textwrap import fill

import numpy as np
import torch
from panels import own_method as panels

from unlearning import methods, training
from unlearning.experiment import layout, packing, presets, runner
from unlearning.methods.steps import Config, ready, sgd, step
from unlearning.page import criteria, evidence, figures, hypotheses, trial
from unlearning.page.gluing import glue_numbers
from unlearning.page.source import show_source
from unlearning.training import cross_entropy

show_source(methods.Method, methods.Visits, trial.place)

# %% [markdown]
# An entry of the table of methods, the counter behind a method's cost, and the rule by which it gets its place among
# the others: of every method the run that gets furthest *without breaking the model*.
#
# ## A method is a function
#
# It takes a pretrained model $\theta$, the points of the forget set $F$ and of the retain set $R$, and a
# configuration. It hands out `(epoch, model)` at the epochs that the configuration asks for, and leaves the model
# that it was given as it was. There is nothing else to know. [Gradient ascent](live.ipynb) is such a function, and so
# is this one, which does not ascend at all: give the points of $F$ labels drawn at random, mix them with points of
# $R$ that keep theirs, and take ordinary steps downhill,
#
# $$
# \theta \leftarrow \theta - \eta\,\nabla\Bigl[\sum_{x \in B \subset F} L_\theta(x, \tilde y) + \sum_{x \in B' \subset R} L_\theta(x, y)\Bigr],
# \qquad \tilde y \text{ uniform}, \quad |B'| = 3\,|B| .
# $$ (own_method-eq-labels)
#
# The mixing matters. A batch that is mostly $R$ leaves BatchNorm's statistics mostly where they were, while a batch
# of $F$ alone moves them ([ascent or BatchNorm](batchnorm.ipynb)).

# %%
def random_labels(model, forget, retain, config):
    """Descend on F with random labels, in batches that are mostly R."""
    model = copy.deepcopy(model)
    optimiser = sgd(model, config)
    draw = torch.Generator().manual_seed(0)
    for epoch in range(1, config.epochs[-1] + 1):
        for part in torch.arange(len(forget)).split(16):
            some = torch.randperm(len(retain), generator=draw)[:3 * len(part)]
            wrong = torch.randint(10, (len(part),), generator=draw)
            x = torch.cat([forget.images[part], retain.images[some]])
            y = torch.cat([wrong, retain.labels[some]])
            step(optimiser, cross_entropy(ready(model, config)(x), y))
        if epoch in config.epochs:
            yield epoch, model


# %% [markdown]
# `sgd`, `ready` and `step` are small helpers of the library (an optimiser; train mode; backward and step).
# `cross_entropy` sums over models, because the model may be a *stack* of several that are trained side by side; the
# same lines serve one and many. Any PyTorch will do in their place. What is random draws from a generator of its own,
# so a second run gives the same models.
#
# Saved to a file, with its imports, this is all that the commands below need:

# %%
head = """import copy

import torch

from unlearning.methods.steps import ready, sgd, step
from unlearning.training import cross_entropy


"""
workplace = Path(tempfile.mkdtemp())
file = workplace / "my_method.py"
file.write_text(head + inspect.getsource(random_labels))
print(f"{file.name}: {len(file.read_text().splitlines())} lines")

# %% [markdown]
# ## One command
#
# ```sh
# unlearning try my_method.py:random_labels --forget-set published-5 --lr 0.01 --epochs 1 3 5
# ```
#
# loads the pretrained models of the preset `desk` that come with the repository (all of CIFAR-10 at 16×16, a quarter
# of the paper's width), runs the function on each, scores the results on the points whose oracle margins are packed,
# and prints one line for every stopping time, then the method's place among the recorded ones. No model is trained.
# It needs CIFAR-10 itself, and for the set a pack and recorded runs to compare with; packs of `desk` in this copy:
# {glue:text}`own_method_packs`.
#
# ## The same, live
#
# Here, without any download, the [live models](live.ipynb) stand in: a small network on 256 digits. We take a copy of
# the experiment's folder, put the file into it as one method more, and run what is missing. The first
# {glue:text}`own_method_few` of {glue:text}`own_method_models` models are enough for the protocol's score
# ([oq5, in shares of the gap](protocol.ipynb)).

# %%
context, _ = evidence.live(models=models, seed=seed)
of_kind = dict(zip(("random", "pc1"), context.preset.forget_sets))
name = of_kind[kind]
folder = workplace / "live"
shutil.copytree(context.out, folder,
                ignore=shutil.ignore_patterns("results.jsonl", "lock"))
mine = layout.keep_method(f"{file}:random_labels", folder)
tried = Config(mine, rate, tuple(sorted(set(epochs))))
known = [c for c in context.preset.configs if c.lr == 0.1
         and c.batchnorm == "train" and c.method != "scrub_published"]
preset = replace(context.preset, models=min(few, models), estimates=True,
                 forget_sets=(name,), configs=(*known, tried))
records = runner.run(preset, folder, workers=1, report=None)
frame = criteria.judged(evidence.quintiles(records))

# %% [markdown]
# GA, GDA, SCRUB and fine-tuning are on the disk already, at one step size of the live experiment; only their scores are
# computed again. Now the lines that `unlearning try` prints, for these models:

# %%
own, others = frame[frame.method == mine], frame[frame.method != mine]
lines = trial.told(own, others)
for line in lines[:len(own)]:
    print(fill(line, 88), end="\n\n")

# %% tags=["hide-input"]
packs = [p for p in packing.available() if p.startswith("desk/")]
glue_numbers("own_method", few=preset.models, models=models, set=name,
             packs=", ".join(packs) or "none yet", **panels.told(own, others),
             epoch_cost=1 / presets.DESK.recipe.epochs,
             shipped=trial.starts_of("desk").name)

# %% [markdown]
# ### How to read a line
#
# - **The word.** *Breaks*: retain or validation points are shifted, or accuracy is lost, beyond the limits. *Stays*:
#   intact, more than half of the gap left. *Partial*, *forgets*: intact, and at most half or a tenth of it left.
#   *Open*: an interval crosses one of these limits, and with so few models that is often the honest answer. More
#   models shrink it, another stopping time does not.
# - **Share of the gap left.** The mean score of $F$ above its floor, over the pretrained models': all of it is doing
#   nothing, none the oracles. In brackets the 95% interval over models. It may be negative, by noise, or exceed one:
#   you can go away from the oracles.
# - **Damage.** The worst points of $R$ and of the validation set, in units of the limit. An interval is behind this
#   number, too.
# - **Accuracy lost**, against the oracles, in points. A negative number: better than the oracles there, which a
#   pretrained model may be.
# - **Right on F.** Not lower is better, but *nearer to the oracles*. Below them is over-forgetting.
# - **KLoM P95** on forget, retain and validation points, for comparison with the paper; its floor is high with few
#   models.
# - **Cost.** Points that went forward with gradients, over those of a retraining, counted while your function ran;
#   and seconds.
#
# <details class="predict"><summary><strong>Predict before you scroll.</strong> With the default parameters, which gets nearer to the
# oracles without breaking the model: random labels or gradient ascent? And where will fine-tuning on R alone
# be?</summary> Ascent gets nearer, at one stopping time for which "intact" is open, and breaks the model soon after.
# Random labels in such a mixture stay intact for a while and leave most of the gap; fine-tuning on R alone stays
# where it began. See the map and the table.
# </details>

# %% mystnb={"figure": {"caption": "The new method (crosses, joined in time) among the library's; 256 digits, set {glue:text}`own_method_set`, {glue:text}`own_method_few` models. Left is nearer to the oracles, up is damage; circle: doing nothing; star: perfect; dotted: limits.", "name": "own_method-map"}}
figures.show(*panels.on_map(others, own, f"256 digits, {name}"), alt=(
    "Two maps of damage against the share of the gap left. The path of the "
    "new method starts at the circle of doing nothing, among the markers of "
    "gradient ascent, descent-ascent, SCRUB and fine-tuning."))

# %%
figures.table(panels.places(others, own))

# %% [markdown]
# On {glue:text}`own_method_set` the new method gets furthest with {glue:text}`own_method_own`:
# {glue:text}`own_method_own_left`, outcome {glue:text}`own_method_own_outcome`. Of the library's methods
# {glue:text}`own_method_best` comes first: {glue:text}`own_method_best_left`, outcome
# {glue:text}`own_method_best_outcome`.
#
# ```{admonition} Our comment
# :class: ours
# Each place above is a best of several stopping times, picked and reported on the same models; a method with more of
# them has more chances. So the table ranks nothing. It says where to look next. Look at the last lines of the new
# method, too: it breaks by the scores of $R$ with no retain accuracy lost. Going on with training on a few points moves
# margins away from the oracles' without a wrong answer, which accuracy alone would not show. Digits say nothing about
# CIFAR-10: what they show is that the function runs, and how its answer is read.
# ```
#
# ## How not to fool oneself
#
# - **Choose on some models, report on others.** With `--models 10` choose the step size and the stopping time. Fix
#   them. Then let models and oracles decide that had no part in the choice: the experiment itself takes the same file
#   (command below), and its records hold every block of twenty models apart.
# - **Say how many settings you tried.** [The best of forty equal ones](protocol.ipynb) looks like a success more
#   often than not.
# - **Compare at the same cost.** Fine-tuning on $R$ is the method to beat: it knows nothing of $F$.
# - **Try a random set and one by principal components** (`published-1`, `published-5`). A method that works on one
#   kind only has found something about the kind.
# - **Leave the scored points alone.** A method sees $F$ and $R$, never the validation points or an oracle.
#
# ```sh
# unlearning experiment --preset desk --out runs/desk --models 40 --forget-set published-5 \
#     --method my_method.py:random_labels --lr 0.01 --epochs 3
# ```
#
# The first rule, on the models of this page: each block of twenty chooses a stopping time, and the other one is asked.

# %%
figures.table(panels.halves(hypotheses.halves(records), mine))

# %% [markdown]
# ## Rounded weights
#
# The shipped models ({glue:text}`own_method_shipped`) are rounded to 16-bit floats, which makes the file half as
# large. A trial starts from the rounded models and computes their own scores anew, so "doing nothing" and the method
# have the same start, and the rounding cannot look like unlearning. How far does it move a margin? The live models,
# rounded in the same way, on validation points:

# %%
def rounded(index):
    """Margins of a live model whose weights went through float16."""
    model = layout.load_weights(context, index, context.build())
    model.load_state_dict({k: v.half().float() if v.is_floating_point() else v
                           for k, v in model.state_dict().items()})
    data = context.data
    return training.score(model, data, data.val_images, data.val_labels)[0][0]


last = range(min(10, models))
n = len(context.data.labels)  # in "pretrained", validation points come last
kept = layout.load("pretrained", context)["margins"][0][: len(last), n:]
glue_numbers("own_method", rounded=len(last), **panels.rounded_told(
    kept, np.stack([rounded(i) for i in last])))

# %% [markdown]
# Over {glue:text}`own_method_rounded` models a margin moves by {glue:text}`own_method_round_median:.1e` of its
# standard deviation over models in the median and by {glue:text}`own_method_round_most:.1e` at most;
# {glue:text}`own_method_round_flips` of {glue:text}`own_method_round_margins` predictions change. The same for
# `desk`, where its records and a trial of the shipped models are both there:

# %%
community = evidence.recorded(preset="desk-try")
figures.table(panels.rounding(evidence.recorded(preset="desk"), community))

# %% [markdown]
# ## What it costs, and how to submit
#
# A trial costs what the method costs. A pass over $F$ is next to nothing; each pass over $R$ is
# {glue:text}`own_method_epoch_cost:.1%` of a retraining, for every model. Scoring comes on top, and the command says
# how long it will take.
#
# ```sh
# unlearning try my_method.py:random_labels --forget-set published-5 --submit results/community/NAME.jsonl
# ```
#
# appends the records to that file: open a pull request with it, and add the method's source to its text. Records name
# the models and oracles that they rest on by checksum, and others than the shipped ones are refused. What others have
# tried so far:

# %%
figures.table(panels.community(community))

# %% tags=["hide-input"]
shutil.rmtree(workplace)

# %% [markdown]
# ## Exercises
#
# ```{exercise-start} Without the mixing
# :label: own_method-ex-mixing
# ```
# Leave out the points of $R$. What happens to damage, and is it the labels or the statistics? How would you tell?
# ```{exercise-end}
# ```
#
# ```{solution-start} own_method-ex-mixing
# :class: dropdown
# ```
# Batches of $F$ alone move the statistics as gradient ascent does. Run it once with `batchnorm="frozen"` in the
# configuration: what remains is the labels. A look at one model, without any scoring: by how much do the running
# means move in one step?

# %%
def drift(batch):
    """Relative change of BatchNorm's running means after one batch."""
    model = layout.load_weights(context, 0, context.build())
    before = [b.clone() for k, b in model.named_buffers() if "mean" in k]
    model.train()(context.data.normalised(context.data.images[batch]))
    after = [b for k, b in model.named_buffers() if "mean" in k]
    return [float((a - b).norm() / b.norm())
            for a, b in zip(after, before, strict=True)]


for set_name in context.preset.forget_sets:
    forget = context.forget(set_name)
    rest = np.setdiff1d(np.arange(n), forget)[:3 * len(forget)]
    mixed = np.concatenate([forget, rest])
    print(set_name, *(f"{label} {max(drift(batch)):.3f}" for label, batch
                      in (("alone", forget), ("mixed", mixed))))

# %% [markdown]
# ```{solution-end}
# ```
#
# ```{exercise} Half of the points
# :label: own_method-ex-half
# Write gradient ascent on the half of $F$ with the highest loss, and try it. What does "share of the gap left" say
# about the other half?
# ```
#
# ```{solution} own_method-ex-half
# :class: dropdown
# Compute the loss of each point of $F$ once, keep the indices of the upper half, and ascend on these. The share is a
# mean over *all* of $F$: if the other half does not move with the first one, at least about its part of the gap is
# left, however well the rest goes.
# ```
#
# ```{exercise} A method that cheats
# :label: own_method-ex-cheat
# Which of the rules above does a method break that stops when its accuracy on $F$ reaches the oracles', printed by an
# earlier trial? And one that stops at the pretrained model's validation accuracy?
# ```
#
# ```{solution} own_method-ex-cheat
# :class: dropdown
# The first one uses the oracles, which nobody who needs unlearning has. The second uses what anyone can measure, and
# for random sets [Lemma 1](random_sets.ipynb) is a reason for it; whether it works is a question that [the
# protocol](protocol.ipynb) asks (H4).
# ```

# %% [markdown]
# ## What to take along
#
# - A method is a function; a file and one command bring it to a verdict.
# - Read the word first, then the share left with its interval, then damage and accuracy. One number alone is not an
#   answer.
# - Whoever picks the stopping time on the models that report it has measured luck as well.
