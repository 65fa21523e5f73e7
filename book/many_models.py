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
# # Many models
#
# ```{admonition} At a glance
# :class: glance
# **You will see** how much models differ that differ in nothing but chance, many models trained as one, what rounding does
# to them, and why the same seeds give other models on another machine.
#
# **In the paper** Section 3 and Appendix K {cite}`mavrothalassitis2025ascent`.
#
# **Runtime** about 40 s on one core, and about 2 minutes for the demo that all experiment chapters share.
#
# **Parameters** [listed below](many_models-parameters): the number of models, the length of the comparison, the nudges.
#
# **Rerun** `unlearning run many_models -p epochs 4 -p seed 1 --out runs/many_models`
# ```

# %% [markdown]
# (many_models-parameters)=
# ## Parameters

# %% tags=["parameters"]
models: int = 24  # models in the demo's ensemble, N (models) [6, 200]
epochs: int = 2  # length of the comparison loop / stack (epochs) [1, 8]
nudges: list[float] = [1e-9, 1e-7, 1e-6, 1e-4]  # relative nudges (dimensionless) [1e-12, 0.1]
seed: int = 0  # seed of everything here, the demo included [0, 1000000]

# %%
import json
import time
from dataclasses import replace

import numpy as np
import torch
from panels import many_models as panels

from unlearning import networks, stack, training
from unlearning.experiment import layout, presets
from unlearning.files import ROOT
from unlearning.page import evidence, figures, rounding
from unlearning.page.gluing import glue_numbers
from unlearning.page.source import show_source

torch.set_num_threads(1)  # sums in one order
show_source(stack.stack, stack.unstack, training.train_stack)

# %% [markdown]
# [One training](training.ipynb) gives one model. This chapter is about hundreds of them, trained side by side by the two
# functions above.
#
# ## What an ensemble is for
#
# [KLoM](klom.ipynb) compares two *distributions* of margins. A distribution needs many models.
# One forget set needs two ensembles of them, trained from scratch by one recipe:
#
# - the **pretrained** models, on the whole training set $D$. Every unlearning method starts from these, and they are
#   shared by all forget sets;
# - the **oracles**, on the retain set $R = D \setminus F$. Every forget set $F$ needs oracles of its own.
#
# The models of one ensemble differ in nothing but chance: their initial weights, and the order in which they see the
# data. All else is fixed, so their spread *is* the randomness of training, and nothing that was done to them.
#
# Chance must be under control, though. A run of hours will be interrupted; somebody will ask for more models later;
# two processes will share the work. Model number $i$ must be the same model each time. So its random
# numbers may not come from one long stream, in which everything depends on what came before. Each model has a
# seed of its own, computed from three things only: the experiment's seed, the model's *role*, and $i$.

# %%
show_source(training.seed_of, training.fresh)

# %%
for role in ("pretrained", "random-10/oracle"):
    for i in (0, 1):
        print(f"{role:16} {i}  {training.seed_of(seed, role, i)}")

# %% [markdown]
# Pretrained model 0 and oracle 0 share nothing. They are not a pair, and KLoM, which compares distributions, needs
# no pairs. The promise "the same model, whatever is trained beside it" is tested below.
#
# ## How much do they differ?
#
# The `demo` preset is run live and shared by the chapters on experiments. It also trains oracles and runs the unlearning
# methods; here we need only the margins of its pretrained models.

# %%
context, _ = evidence.demo(models=models, seed=seed)
demo, digits = context.preset, context.data
points = len(digits.labels)  # |D|
loaded = layout.load("pretrained", context)
margins, hits = loaded["margins"][0], loaded["hits"][0]  # (N, points)
train_phi, val_phi = margins[:, :points], margins[:, points:]
right = {"training": hits[:, :points].mean(1),
         "validation": hits[:, points:].mean(1)}  # fmt: skip
figures.table(panels.accuracies(right))

# %%
spread, hit_rate = val_phi.std(0, ddof=1), hits[:, points:].mean(0)
glue_numbers(
    "many_models", N=models, val_accuracy=right["validation"].mean(),
    val_sd=right["validation"].std(ddof=1), spread=np.median(spread),
    divided=np.mean((hit_rate > 0) & (hit_rate < 1)),
    spread_train=np.median(train_phi.std(0, ddof=1)))  # fmt: skip

# %% [markdown]
# {glue:text}`many_models_N:.0f` models, right on {glue:text}`many_models_val_accuracy:.1%` of the validation digits, with a
# standard deviation of {glue:text}`many_models_val_sd:.1%` between models. Point by point they differ more: on
# {glue:text}`many_models_divided:.0%` of the validation digits some models are right and some wrong. The
# margin of a typical point spreads over models with a standard deviation of {glue:text}`many_models_spread:.2f` nats
# ({glue:text}`many_models_spread_train:.2f` for training points). Three of the digits, chosen by rule: the one with the highest
# mean margin, the one that divides the models most evenly, the one with the lowest mean margin.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Three validation digits and their margins over the models of the ensemble. Right of the dotted line a model gives the true class more than half of the probability. Last panel: mean and spread of the margin for all validation digits, the three marked.", "name": "many_models-points"}}
chosen = panels.three(val_phi, hit_rate)
figures.show(*panels.points(chosen, val_phi, hit_rate, digits.val_images.numpy(), digits.val_labels.numpy()),
             alt="Three digits beside their histograms of margins: far right of zero, across zero, far left. Last, the margins' "
                 "spread against their mean.")

# %% [markdown]
# Each of these histograms is one of the two that KLoM compares at a point. An oracle ensemble would have a histogram of
# its own there, and forgetting means reaching it.
#
# (many_models-stack)=
# ## Many models as one
#
# The plain way to train an ensemble is a loop: one model after the other, `train_one`. It is the reference,
# and the form for a GPU or a large network.
#
# A narrow network leaves most of a CPU's time to overheads: each small convolution costs a call, whatever it
# computes. So on a CPU the models stand side by side as **one** network, `stack`. Convolutions become
# grouped convolutions, in which each group of channels sees only its own model's input; batch normalisation works by
# channel anyway; the linear layer is a batched matrix product. The loss is *summed* over models. As no
# parameter of one model enters the loss of another, each gets exactly the gradient that it would have alone. SGD
# acts on each number separately, so the stack does what the loop does.
#
# That is the argument. Here is the test, which also settles the promise of the beginning: train pretrained model 3
# alone, and train it again in a stack with model 2. We use 64-bit numbers (float64) first. The recipe is the demo's, cut to
# {glue:text}`many_models_epochs:.0f` epochs.

# %%
recipe = replace(demo.recipe, epochs=epochs)
everything = np.arange(points)


def build(dtype=torch.float32):
    """The demo's network, untrained, from the global random numbers."""
    return networks.resnet9(demo.width, 1).to(dtype)


def phi(model, d):
    """Validation margins (models, points)."""
    return training.score(model, d, d.val_images, d.val_labels)[0]


seeds = [training.seed_of(seed, "pretrained", i) for i in (2, 3)]
d64 = replace(digits, mean=digits.mean.double(), std=digits.std.double())
arguments = (lambda: build(torch.float64), d64, everything, recipe)
alone = phi(training.train_one(*arguments, seeds[1]), d64)[0]
company = phi(training.train_stack(*arguments, seeds), d64)
print("allclose:", np.allclose(company[1], alone, rtol=0, atol=1e-9))
glue_numbers("many_models", epochs=epochs,
             same=np.abs(company[1] - alone).max(),
             other=np.abs(company[0] - alone).max())  # fmt: skip

# %% [markdown]
# The largest difference between the two versions of model 3, over all validation images, is
# {glue:text}`many_models_same:.0e` nats; models 2 and 3 differ by up to {glue:text}`many_models_other:.1f`. And what the stack
# brings, as CPU seconds of one epoch per model:

# %%
one = replace(demo.recipe, epochs=1)
start = time.process_time()
for i in range(2):
    number = training.seed_of(seed, "timing", i)
    training.train_one(build, digits, everything, one, number)
middle = time.process_time()
several = [training.seed_of(seed, "timing", i) for i in range(demo.stack)]
training.train_stack(build, digits, everything, one, several)
loop_time = (middle - start) / 2
stack_time = (time.process_time() - middle) / demo.stack
glue_numbers("many_models", loop_time=loop_time, stack_time=stack_time,
             speedup=loop_time / stack_time, stack=demo.stack)  # fmt: skip

# %% [markdown]
# As measured while this page was built (timings vary, and nothing depends on them), {glue:text}`many_models_loop_time:.2f` s
# in the loop and {glue:text}`many_models_stack_time:.2f` s in a stack of {glue:text}`many_models_stack:.0f`, a factor of
# {glue:text}`many_models_speedup:.1f`.
#
# ## What rounding does
#
# Experiments use 32-bit numbers, which carry about seven digits. To see what they do to the comparison, training is
# written out once more as a loop that hands back the margins after *every* step. It takes any number of models. One is the
# plain loop, several are a stack.

# %%
show_source(rounding.walk)

# %%
few = 40  # validation images on which each step is scored


def compare(dtype, d):
    """Margins by step: model 3 alone, and models 2 and 3 as a stack."""
    nets = [training.fresh(lambda: build(dtype), s) for s in seeds]
    alone = rounding.walk(nets[1:], seeds[1:], d, recipe, few)
    return alone, rounding.walk(nets, seeds, d, recipe, few)


loop64, stack64 = compare(torch.float64, d64)
loop32, stack32 = compare(torch.float32, digits)
by_rounding = {
    "float32": np.abs(loop32 - stack32[:, 1:]).max((1, 2)),
    "float64": np.abs(loop64 - stack64[:, 1:]).max((1, 2)),
}

# %% [markdown]
# For a yardstick we also *cause* small errors: copies of model 3, each weight moved by a tiny random fraction of its
# layer's typical size (a **nudge**), trained in float64, where rounding itself plays no part. And we do it twice, the
# second time in a network without corners: a smooth function in place of ReLU, averages in place of maxima.
#
# <details><summary><b>Predict before you scroll:</b> training is a long iteration. Does a nudge grow by a steady factor per
# step, as in a chaotic system, and does a nudge ten times as large end ten times as far?</summary>
# We expected the first. It is not so: small nudges stay in proportion to their size, large ones end far out of all
# proportion and at nearly one height, whatever their size. The smooth network shows proportion throughout.
# </details>

# %%
def response(change):
    """Largest change of a margin (steps, nudges), networks changed first."""
    net = training.fresh(lambda: build(torch.float64), seeds[1])
    copies = [change(rounding.nudged(net, a, seed)) for a in (0.0, *sizes)]
    paths = rounding.walk(copies, [seeds[1]] * len(copies), d64, recipe, few)
    return np.abs(paths[:, 1:] - paths[:, :1]).max(2)


sizes = sorted(set(nudges))
moved, moved_smooth = response(lambda net: net), response(rounding.smooth)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Largest change of any margin. Left: step by step, loop against stack in float32 and float64, and the smallest and largest nudge. Right: at the end, against the size of the nudge; the dotted diagonal continues the smallest nudge in proportion; the dashed line is the float32 curve's end. Dots far above the diagonal have passed a kink; squares are the network without kinks.", "name": "many_models-drift"}}
figures.show(*panels.drift(sizes, moved, moved_smooth, by_rounding),
             alt="Left: change over steps; float64 lowest, the large nudge on top. Right: final change against the nudge; small "
                 "nudges on a diagonal, larger ones above it; the smooth network's squares parallel to it.")

# %%
gain, gain_smooth = (m[-1] / np.array(sizes) for m in (moved, moved_smooth))
single, double = by_rounding["float32"], by_rounding["float64"]
epoch = -(-points // recipe.batch)
between = np.median(np.abs(stack32[-1, 0] - stack32[-1, 1]))
glue_numbers(
    "many_models", between=between, gain_least=gain[0], gain_most=gain.max(),
    smooth_low=gain_smooth.min(), smooth_high=gain_smooth.max(),
    step=single[0], epoch=single[epoch - 1], end=single[-1],
    end64=double[-1])  # fmt: skip

# %% [markdown]
# The largest difference between loop and stack in float32 is {glue:text}`many_models_step:.0e` after the first step,
# {glue:text}`many_models_epoch:.0e` nats after the first epoch and {glue:text}`many_models_end:.0e` at the end; in float64 it is
# {glue:text}`many_models_end64:.0e` at the end. The smallest nudge ends {glue:text}`many_models_gain_least:.1f` times its size
# apart, the worst of all {glue:text}`many_models_gain_most:.0e` times; without kinks all end between
# {glue:text}`many_models_smooth_low:.2f` and {glue:text}`many_models_smooth_high:.2f` times their own size apart.
#
# ```{admonition} Our comment
# :class: ours
# We were wrong to expect chaos. The cause is in the network, which is not smooth: a ReLU has a kink at zero, and max-pooling
# switches from one pixel to another. As long as all of these decisions fall the same way, two trainings stay together, in
# proportion to what separates them. Once a value passes a kink on the other side, one pixel's worth of gradient changes, and
# this has a size of its own. Rounding in float32 is large enough to tip such decisions now and then, rounding in float64
# practically never.
# ```
#
# So *the same model* means: equal to rounding. On the same machine and in the same company it means equal to the last
# bit. In other company, in float32, rounding may tip a decision, and then the drift is no error of the stack: it is
# what any nudge does, and nothing gives it a preferred direction. A yardstick: two models with *different* seeds differ, at
# the end of this comparison, by {glue:text}`many_models_between:.1f` nats at a typical (median) image.
#
# ## bfloat16, and another kind of CPU
#
# The paper trains in half precision, and so can we: with `precision="bfloat16"` convolutions and products keep eight bits of
# each number. What does that bring on this machine? Two shapes are timed: the demo's network, and that of the `desk`
# preset, which trains width 16 on all of CIFAR-10 at 16 × 16 pixels with 250 images in a batch (the images here are random
# bytes; the arithmetic does not care). The yardstick is a large matrix product in bfloat16.

# %%
show_source(panels.rates)

# %%
desk = presets.preset("desk")
shapes = {"demo": (demo, (1, 12, 12)), "desk": (desk, (3, 16, 16))}
speed = {name: panels.rates(p, shape) for name, (p, shape) in shapes.items()}
peak = panels.matrix_rate()
figures.table(panels.speeds(speed, peak))

# %% [markdown]
# (A floating-point rate counts three forward passes for a step. The network's narrow layers, normalisation and the
# optimiser's step keep it below the matrix product's rate. A CPU without bfloat16 units shows no gain at all.)
#
# Eight bits are a large nudge. Does it matter? The ensemble above was trained in stacks, in float32. Train its first
# models again with the plain loop and the full recipe, in float32 and in bfloat16, and compare with what lies on the disk.

# %%
again = []
for i in range(3):
    number = training.seed_of(seed, "pretrained", i)
    changes = []
    for precision in ("float32", "bfloat16"):
        full = replace(demo.recipe, precision=precision)
        net = training.train_one(build, digits, everything, full, number)
        changes.append(np.abs(phi(net, digits)[0] - val_phi[i]))
    sister = np.abs(val_phi[i] - val_phi[(i + 1) % models])
    again.append((*changes, sister))
figures.table(panels.again(again))

# %% [markdown]
# In float32, where the largest change is tiny, no decision tipped; where it is not, one did, on the way. In bfloat16 the
# same seed gives another model. In each case the model is as fair a draw from its recipe's distribution as the one made in the
# stack, and the distribution is all that KLoM sees; both ensembles of a comparison use one precision.
#
# The same happens between *kinds of CPU*: another processor sums in another order. We trained the first models of the
# recorded laptop run once more, from the same seeds and with the same version of PyTorch, on another machine. (The first
# run did not record its processor. `results/cpu_kinds.json` says what else was the same.)

# %%
record = json.loads((ROOT / "results" / "cpu_kinds.json").read_text())
glue_numbers("many_models", cpu_models=record["models"],
             cpu_correlation=record["correlation"],
             cpu_median=record["median_difference"],
             cpu_sisters=record["median_between_seeds"],
             cpu=record["cpu"], torch=record["torch"])  # fmt: skip

# %% [markdown]
# On {glue:text}`many_models_cpu` (torch {glue:text}`many_models_torch`, {glue:text}`many_models_cpu_models:.0f` models) their
# margins, each point's mean taken off, correlate with the recorded ones by {glue:text}`many_models_cpu_correlation:.2f`, and
# differ by {glue:text}`many_models_cpu_median:.2f` nats at the median point; two models with different seeds differ by
# {glue:text}`many_models_cpu_sisters:.2f`.
#
# ```{admonition} Our comment
# :class: ours
# A seed pins a model on *one kind of machine*. Elsewhere the ensemble is a new draw: its distribution is the same, its
# members are not, and neither is anything that hangs on the members, such as
# [forget sets by principal components](forget_sets.ipynb). A recorded experiment therefore carries the indices of its
# forget sets (every pack in `results/margins/` does), and does not ask anybody to find them again.
# ```

# %% [markdown]
# ## Exercises
#
# ```{exercise-start} Which kink?
# :label: many_models-exercise-kinks
# ```
# The smooth network changes ReLU and both poolings at once. Change one at a time: which of them is it? Say what you
# expect first.
# ```{exercise-end}
# ```
#
# ```{solution-start} many_models-exercise-kinks
# :class: dropdown
# ```
# `rounding.WITHOUT` replaces one kind of layer; ask `response` again. Each line: largest change at the end, in nats, for each nudge.

# %% tags=["hide-input"]
for name, change in rounding.WITHOUT.items():
    ends = response(change)[-1]
    print(f"without {name:18}", *(f"{a:.0e} → {x:.0e}" for a, x in zip(sizes, ends, strict=True)))

# %% [markdown]
# ```{solution-end}
# ```
#
# ```{exercise} A stack of one kind
# :label: many_models-exercise-shared
# `stack` accepts one input for all models or one input each. Which of the two does scoring use, which training, and what
# would go wrong if training used the other one?
# ```
#
# ```{solution} many_models-exercise-shared
# :class: dropdown
# Scoring shows the same images to all, so one input is enough and the first convolution is a plain one. In training each
# model has an order of its own. With a shared order the models of a stack would differ in their starts only, and their spread
# would be too small: one of the two sources of chance would be gone.
# ```

# %% [markdown]
# ## What to take along
#
# - An ensemble's models differ by chance alone, and chance is pinned: experiment, role, number.
# - A stack is the loop, to rounding. In float32 rounding can tip a kink, and then single margins move visibly; distributions do not care.
# - Models of equal accuracy differ point by point. That spread is the unit in which forgetting is measured.
# - The same seed is the same model on the same kind of machine only.
