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
# # One model: network and recipe
#
# ```{admonition} At a glance
# :class: glance
# **You will see** the network and the recipe line by line, what one training costs, and what a trained model has learned
# of images that it saw and of images that it did not.
#
# **In the paper** Section 3 and Appendix K {cite}`mavrothalassitis2025ascent`.
#
# **Runtime** about 15 s on one core.
#
# **Parameters** [listed below](training-parameters): the network's width, the recipe's length, an accelerator's rate.
#
# **Rerun** `unlearning run training -p width 16 -p seed 1 --out runs/training`
# ```
#
# ```{admonition} The paper claims
# :class: paper
# ResNet-9 is trained for 24 epochs with batches of 512, momentum 0.9, weight decay 5e-4 and a triangular learning
# rate that peaks at 0.4 in epoch 5 {cite}`mavrothalassitis2025ascent`.
# ```

# %% [markdown]
# (training-parameters)=
# ## Parameters

# %% tags=["parameters"]
width: int = 8  # channels after the first layer of the network trained here, w (channels) [2, 64]
epochs: int = 8  # passes of the training run here (epochs) [3, 60]
gpu_rate: float = 790.0  # bf16 rate for the arithmetic floor (TFLOP/s) [0.1, 100000]
seed: int = 0  # seed of the cut of the data and of the model [0, 1000000]

# %%
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from panels import training as panels

from unlearning import datasets, networks, training
from unlearning.experiment import presets
from unlearning.page import evidence, figures
from unlearning.page.gluing import glue_numbers
from unlearning.page.source import show_source

torch.set_num_threads(1)  # sums in one order
show_source(networks.resnet9, training.train_one)

# %% [markdown]
# This is the subject of the chapter: the whole network, and the whole training loop. Both are read line by line below.
#
# ## The data, and what is cut from it
#
# `datasets.load` returns a whole data set as tensors of bytes: training images and labels, validation images
# and labels, and the mean and standard deviation of each colour channel. They stay on one device, the GPU if
# there is one, and are normalised there, batch by batch. So no time goes into loading, and no augmentation comes between
# an image and its margin. The paper trains without augmentation too.

# %%
show_source(datasets.load, datasets.find_root, datasets.checked_file)

# %% [markdown]
# This page uses scikit-learn's digits {cite}`pedregosa2011`: real images, eight pixels wide, that come with a Python
# package. Each gets a dark frame of two pixels, because the network needs an input of at least eleven. CIFAR-10
# {cite}`krizhevsky2009`, MNIST and FashionMNIST are read in torchvision's layout and each file's checksum is
# compared; a missing or damaged file ends in one line that names the file and what to do.
#
# A run can ask for less: `train` and `val` keep so many images, drawn without replacement by the seed, and `pool`
# averages over squares of pixels. That is how CIFAR-10 fits a laptop. Here is the cut that the book's live demo uses.

# %%
demo = presets.preset("demo", width=width, seed=seed)
digits = datasets.load("digits", train=demo.train_images,
                       val=demo.val_images, seed=seed)  # fmt: skip
print("training  ", tuple(digits.images.shape), digits.images.dtype)
print("validation", tuple(digits.val_images.shape))
print("images of each class:", torch.bincount(digits.labels).tolist())

# %% [markdown]
# ## ResNet-9, line by line
#
# The paper's network is a small residual network; `w` is the width, 64 in the paper. Its unit is the block:

# %%
show_source(networks.block, networks.Residual)

# %% [markdown]
# Read `resnet9` from the top. `h` in its comments is the height of the image at that point.
#
# - **`block`** is the unit of which everything is made: a convolution, batch normalisation, ReLU. The convolution has no
#   bias, since normalisation would subtract it at once.
# - The **first** block looks at 3×3 pixels and turns the colour channels into `w` channels.
# - The **second** looks at 5×5 pixels, moves two pixels at a time and so halves the image.
# - **`Residual`** adds its input to what two blocks make of it. There is no ReLU after the sum, which leaves
#   a straight path for the signal.
# - A block doubles the channels, **max-pooling** halves the image, and a second **residual** follows.
# - The last block has **no padding** and loses a pixel on each side. This is why small images do not fit: at least
#   one pixel must be left.
# - **Adaptive max-pooling** keeps, of each channel, the largest value anywhere in the image: *is it there?*, no matter
#   where.
# - A **linear** layer without bias gives the logits, and the constant **scale** shrinks them. It acts as a temperature
#   that keeps an untrained network unsure.
#
# Initial weights are PyTorch's defaults. The library also has a ResNet-18, which is torchvision's with a
# new last layer; no result of this chapter uses it.
#
# How large is it, and where does the work go? For a convolution with kernel $k \times k$ from $c$ to $c'$ channels and
# $h' \times h'$ output pixels,
#
# $$
# \text{weights} = k^2 c\, c', \qquad \text{FLOP} = 2\, k^2 c\, c'\, h'^2 ,
# $$ (training-eq-flops)
#
# counting a multiplication and an addition as two operations. Batch normalisation adds $2c'$ parameters. We
# write the layers down once more, by hand, and count with {eq}`training-eq-flops`; the library counts by running an image
# through the network.

# %%
def layers(w, c, h):
    """(name, kernel, channels in, out, output height) of each layer."""
    half, quarter = (h + 1) // 2, (h + 1) // 4
    return [
        ("first", 3, c, w, h),
        ("second, stride 2", 5, w, 2 * w, half),
        ("residual 1a", 3, 2 * w, 2 * w, half),
        ("residual 1b", 3, 2 * w, 2 * w, half),
        ("third", 3, 2 * w, 4 * w, half),
        ("residual 2a", 3, 4 * w, 4 * w, quarter),
        ("residual 2b", 3, 4 * w, 4 * w, quarter),
        ("last, no padding", 3, 4 * w, 2 * w, quarter - 2),
        ("linear", 1, 2 * w, 10, 1),
    ]


def size(w, c, h):
    """Table of parameters and forward FLOP per image."""
    return pd.DataFrame([
        {"layer": name, "output": f"{b} × {side} × {side}",
         "parameters": k * k * a * b + (0 if name == "linear" else 2 * b),
         "flop": 2 * k * k * a * b * side**2}
        for name, k, a, b, side in layers(w, c, h)])  # fmt: skip


full, small = size(64, 3, 32), size(width, 1, 12)
figures.table(panels.layers(full))

# %%
show_source(networks.parameters, networks.forward_flops)

# %% [markdown]
# Two more networks serve other pages: a small one where models are trained live, and ResNet-18 for Living-17. A preset
# names its network, and `build` looks the name up.

# %%
show_source(networks.mlp, networks.resnet18, networks.build)

# %%
counts = {}
for shape, table in (((64, 3, 32), full), ((width, 1, 12), small)):
    w, c, h = shape
    net = networks.resnet9(w, c)
    ahead = networks.forward_flops(net, (c, h, h))
    counts[shape] = networks.parameters(net), ahead
    by_hand = int(table["parameters"].sum()), int(table["flop"].sum())
    print(f"width {w:2}: counted {counts[shape]}, by hand {by_hand}")
(paper_size, forward), (demo_size, demo_forward) = counts.values()
heavy = full["flop"].nlargest(3).sum() / full["flop"].sum()
glue_numbers("training", parameters=f"{paper_size:,}", forward=forward / 1e9,
             demo_size=f"{demo_size:,}", demo_forward=demo_forward / 1e6,
             heavy=heavy, width=width,
             narrower=forward / demo_forward)  # fmt: skip

# %% [markdown]
# {glue:text}`training_parameters` parameters and
# {glue:text}`training_forward:.3f` GFLOP for one image at the paper's size, and the three heaviest layers do
# {glue:text}`training_heavy:.0%` of the arithmetic. The network trained on this page is the same with width
# {glue:text}`training_width:.0f` and one colour: {glue:text}`training_demo_size` parameters and
# {glue:text}`training_demo_forward:.2f` MFLOP, a factor of {glue:text}`training_narrower:.0f` less.
#
# ## The recipe
#
# Write $\theta$ for all parameters and $L_B$ for the mean cross-entropy on a batch $B$. Training is stochastic gradient
# descent with momentum $\mu$ and weight decay $\lambda$. From step $t$ to $t+1$:
#
# $$
# \begin{aligned}
# v_{t+1} &= \mu\, v_t + \nabla L_B(\theta_t) + \lambda\, \theta_t, \\
# \theta_{t+1} &= \theta_t - \eta_t\, v_{t+1}, \qquad v_0 = 0 .
# \end{aligned}
# $$ (training-eq-sgd)
#
# The decay acts on *all* parameters, those of batch normalisation included. The learning rate is a triangle: with $I$
# steps per epoch, peak $\eta^*$ after $E^*$ of $E$ epochs,
#
# $$
# \eta_t = \eta^* \cdot
# \begin{cases}
# t / (E^* I), & t < E^* I, \\
# (E - t/I) / (E - E^*), & \text{else.}
# \end{cases}
# $$ (training-eq-rate)

# %%
show_source(training.Recipe, training.learning_rate, training.batches)

# %%
names = "demo", "laptop", "desk", "paper"
chosen = {name: presets.preset(name) for name in names}
paper = chosen["paper"].recipe
figures.table(panels.recipes(list(chosen.values())))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The learning rate over training, paper and demo. It starts at exactly zero, so the first step moves no weight.", "name": "training-triangle"}}
figures.show(panels.triangle([chosen["paper"], chosen["demo"]]),
             alt="Two triangles: the paper's learning rate peaks at epoch five and ends at zero; the demo's does so in fewer epochs.")

# %% [markdown]
# Four details matter later.

# %%
code_steps = -(-50_000 // 256) / -(-50_000 // 512)
tail = training.last_batch
glue_numbers("training", first_rate=training.learning_rate(0, 98, paper),
             last512=tail(50_000, 512), code_steps=code_steps)  # fmt: skip

# %% [markdown]
# *The first step has rate* {glue:text}`training_first_rate:.0f`. It moves no weight. It does update batch normalisation's
# running mean and variance, and the momentum. That a step of size zero can change a model will become a theme in
# [Ascent or BatchNorm?](batchnorm.ipynb)
#
# *The batch is not certain.* The paper says 512, the public code (RoyRin/data-unlearning-bench) trains with 256. At the
# same learning rates that makes {glue:text}`training_code_steps:.0f` times as many steps, on noisier gradients. It is
# a parameter here, and its default is the paper's.
#
# *The arithmetic may be rounded.* `precision` is float32 or bfloat16, as on the paper's GPUs; weights, optimiser and loss are
# float32 in both cases. [What rounding does](many_models.ipynb) is a story of its own.
#
# *The last, smaller batch of an epoch is kept.* At 50,000 images and a batch of 512 it holds
# {glue:text}`training_last512:.0f` of them, which is harmless. A tiny one is not: [it separates ensembles that should be
# equal](traps.ipynb). All sizes in this book are chosen with an eye on that. The `desk` preset trains on all of CIFAR-10
# with batches of 250, not of 256. The table says why: oracles of the nine published forget sets end their epochs on these
# batches.

# %%
show_source(training.last_batch)

# %%
kinds = evidence.PUBLISHED_SETS.values()
sizes = {"nothing": 0}
sizes |= {f"{n} points": n
          for n in sorted({n for kind in kinds for n in kind.values()})}
figures.table(pd.DataFrame([
    {"trained without": name, "images": f"{50_000 - n:,}"}
    | {f"last batch at {b}": tail(50_000 - n, b) for b in (250, 256, 512)}
    for name, n in sizes.items()]))  # fmt: skip

# %% [markdown]
# Now the price. The backward pass costs about two forward passes, so one training takes
# $3 \cdot \text{forward} \cdot |D| \cdot E$ operations.

# %%
flop = 3 * forward * 50_000 * paper.epochs
glue_numbers("training", pflop=flop / 1e15, hundred=100 * flop / 1e15,
             floor=flop / gpu_rate / 1e12, gpu_rate=gpu_rate)  # fmt: skip

# %% [markdown]
# That is {glue:text}`training_pflop:.2f` PFLOP at the paper's scale. A GPU that did nothing but multiply, at
# {glue:text}`training_gpu_rate:.0f` TFLOP/s (a parameter of this page), would need
# {glue:text}`training_floor:.2f` s. This is a floor from arithmetic, not a measurement. One hundred models are
# {glue:text}`training_hundred:.0f` PFLOP, and every forget set adds another hundred. ([What all of it costs](rerun.ipynb).)
#
# ## One model, trained
#
# Now train one. `train_one` printed above is the reference: the plain loop, one model, on a CPU or a GPU. What it minimises
# and how its result is scored:

# %%
show_source(training.cross_entropy, training.score)

# %% [markdown]
# <details><summary><b>Predict before you scroll:</b> all training images will be classified correctly. Is the model then as
# sure about images that it has not seen?</summary>
# No. Training goes on after the last mistake and pushes the margins of its own images outwards, the more so the harder
# they are. The distance between the two curves below is what there is to forget: an oracle treats a forgotten image as
# one of those that it has not seen. On digits, which are easy, it is small; on CIFAR-10 it is not.
# </details>

# %%
recipe = replace(demo.recipe, epochs=epochs)
everything = np.arange(len(digits.labels))


def build():
    """The network of this page, untrained, from the global random numbers."""
    return networks.resnet9(width, 1)


number = training.seed_of(seed, "pretrained", 0)
groups = {
    "untrained, training images": (training.fresh(build, number), "train"),
    "trained, training images": (
        training.train_one(build, digits, everything, recipe, number), "train"),
}  # fmt: skip
model, _ = groups["trained, training images"]
groups["trained, validation images"] = model, "val"
pictures = {"train": (digits.images, digits.labels),
            "val": (digits.val_images, digits.val_labels)}  # fmt: skip
scores = {name: training.score(model, digits, *pictures[part])
          for name, (model, part) in groups.items()}  # fmt: skip

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Margins of one model before and after training: the fraction of images whose margin is at most x. Above zero the true class has more than half of the probability. The tail on the left, hard images, is where the trained model is surer of what it was trained on.", "name": "training-margins"}}
figures.show(panels.margins({name: phi[0] for name, (phi, _) in scores.items()}),
             alt="Three cumulative curves: untrained at one margin below zero; trained on training images entirely above zero; "
                 "trained on validation images beside it, with a tail below zero.")

# %%
accuracy = {name: hits.mean() for name, (_, hits) in scores.items()}
median = {name: np.median(phi) for name, (phi, _) in scores.items()}
figures.table(panels.one_model(accuracy, median))

[laptop] = evidence.recorded(preset="laptop", method="nothing",
                             forget_set="random-50")  # fmt: skip
on_f = laptop["groups"]["forget"]
glue_numbers("training", saw=on_f["accuracy"], not_saw=on_f["oracle_accuracy"])

# %% [markdown]
# On small images of CIFAR-10 there is more to forget: on the fifty random points of the recorded laptop run the pretrained
# models, which saw them, are right {glue:text}`training_saw:.0%` of the time, the oracles, which did not,
# {glue:text}`training_not_saw:.0%`.

# %% [markdown]
# ## Exercises
#
# ```{exercise-start} Twice as wide
# :label: training-exercise-width
# ```
# Compute the table of layers for width 128. Which of parameters and FLOP grow by a factor of four exactly, which do not,
# and why?
# ```{exercise-end}
# ```
#
# ```{solution-start} training-exercise-width
# :class: dropdown
# ```
# Where both channel numbers grow with $w$, weights and FLOP grow by exactly four {eq}`training-eq-flops`. The first layer's
# input has three colours and the linear layer's output ten classes whatever $w$ is: these double. Batch normalisation's
# parameters double everywhere, so no layer's parameters but the linear one's follow either factor exactly.

# %% tags=["hide-input"]
wide = size(128, 3, 32)[["parameters", "flop"]] / full[["parameters", "flop"]]
print(wide.round(3).assign(layer=full["layer"]).to_string(index=False))

# %% [markdown]
# ```{solution-end}
# ```
#
# ```{exercise} Longer
# :label: training-exercise-longer
# Rerun the page with `epochs` = 30. How do the two histograms move, and what of the validation accuracy? What does that
# say about how long an ensemble should be trained if one wants something to forget?
# ```
#
# ```{exercise} A batch that fits
# :label: training-exercise-batch
# You forget 700 points of CIFAR-10 and train in batches of 200. What is in the last batch of the pretrained models and of
# the oracles? Find the batch size nearest to 256 for which the smaller of the two is as large as possible.
# ```
#
# ```{solution} training-exercise-batch
# :class: dropdown
# A full batch of 200, and 100: 200 divides 50,000, and 49,300 leaves half a batch. For the second part let `last_batch` tell:
# `max(range(240, 273), key=lambda b: min(last_batch(50_000, b), last_batch(49_300, b)))`.
# ```

# %% [markdown]
# ## What to take along
#
# - The network and the recipe are some forty lines. Everything that can be chosen stands in `Recipe`, with its source.
# - A training's price is known before it runs: three forward passes per image and epoch.
# - A trained model is surer about what it saw. That surplus is what forgetting has to undo.
