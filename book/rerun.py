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
# # Rerun it
#
# ```{admonition} At a glance
# :class: glance
# **You will see** the one command behind all recorded experiments, the sizes at which it runs, what survives a power cut,
# and the exact commands for the paper's own scale with what they would cost.
#
# **In the paper** Section 3 and Appendix K {cite}`mavrothalassitis2025ascent`.
#
# **Runtime** about 10 s on one core.
#
# **Parameters** [listed below](rerun-parameters): the rates behind the estimates.
#
# **Rerun** `unlearning run rerun -p gpu_rate 300 -p share 0.3 --out runs/rerun`
# ```

# %% [markdown]
# (rerun-parameters)=
# ## Parameters

# %% tags=["parameters"]
gpu_rate: float = 790.0  # an accelerator's bf16 matrix rate (TFLOP/s) [0.1, 100000]
share: float = 0.45  # fraction of it that training reaches (dimensionless) [0.001, 1]
slow_rate: float = 200.0  # a cautious rate to set beside it (TFLOP/s) [0.1, 100000]
core_rate: float = 120.0  # bf16 rate of training on one CPU core (GFLOP/s) [1, 100000]

# %%
import tempfile
from dataclasses import replace
from pathlib import Path

from panels import rerun as panels

from unlearning import files
from unlearning.experiment import layout, plan, presets
from unlearning.page import evidence, figures, ladder
from unlearning.page.gluing import glue_numbers
from unlearning.page.source import show_source

show_source(plan.Unit, plan.missing, files.write_whole)

# %% [markdown]
# An experiment is a list of units of work. A unit is one stack of models; what it found is on the disk, whole, before the
# next one starts. These three pieces of the library are all that makes it so.
#
# ## One command
#
# ```sh
# unlearning experiment --preset laptop --data DIR --out runs/laptop
# ```
#
# trains the models, runs the methods, scores and records. It needs torch, numpy and scipy alone
# (`PYTHONPATH=lib python3 -m unlearning experiment …`). `DIR` holds CIFAR-10 as torchvision lays it out; without
# `--data` the environment variable `UNLEARNING_DATA` is asked, then `./data`, to which it is downloaded. A page of this book
# is rerun by `unlearning run CHAPTER -p NAME VALUE`; its first box names an example. Oracles are trained where a score needs
# them, so the pretrained models alone, for methods of your own, are
#
# ```sh
# unlearning experiment --preset laptop --method nothing --out runs/pretrained     # with --forget-set: oracles, too
# ```
#
# `--dry-run` prints the work, its arithmetic and an estimate, and does nothing. For the demo in an empty folder it says (its
# first lines and its last):

# %%
with tempfile.TemporaryDirectory() as folder:
    demo = presets.preset("demo")
    context = layout.open_context(demo, Path(folder), None, "cpu")
    planned = plan.describe(context, workers=2).splitlines()
print(*(line[:24] + line[60:] for line in planned[:5]), "...",
      planned[-1].replace(", about", ",\nabout"), sep="\n")  # fmt: skip

# %% [markdown]
# ## From a laptop to the paper
#
# One code path serves all sizes; a **preset** is nothing but the numbers. The table is computed from them. Its last
# columns are floating-point operations: of training one model, of all pretrained models and oracles, and of
# everything, with the methods and with what the plan sets aside for the fixed cost of every step.

# %%
names = "smoke", "demo", "laptop", "desk", "paper"
chosen = {name: presets.preset(name) for name in names}
whole = {name: replace(p, stages=()) for name, p in chosen.items()}
costs = {name: ladder.cost(p, "cuda" if name == "paper" else "cpu")
         for name, p in whole.items()}  # fmt: skip
figures.table(panels.sizes(chosen, costs))

# %%
paper, laptop = costs["paper"], costs["laptop"]
assumed = plan.ASSUMED_RATE["cuda"]  # FLOP/s, before anything was measured
glue_numbers("rerun", apart=paper.one / laptop.one, assumed=assumed / 1e12,
             floor_minutes=paper.ensembles / gpu_rate / 1e12 / 60,
             guess_days=paper.whole / assumed / 86400, gpu_rate=gpu_rate,
             at_paper=len(evidence.recorded(preset="paper")))  # fmt: skip

# %% [markdown]
# `smoke` tests the machinery, `demo` is what this book runs live, `laptop` is CIFAR-10 made small, `desk` is all of CIFAR-10 in
# small images on two CPU cores, `paper` is the experiment itself: one of its models takes as much arithmetic as
# {glue:text}`rerun_apart:,.0f` of the laptop's. Its ensembles are
# {glue:text}`rerun_floor_minutes:.0f` minutes of a GPU that always works at {glue:text}`rerun_gpu_rate:.0f` TFLOP/s, a
# floor that no real run reaches. For the whole preset the dry run guesses {glue:text}`rerun_guess_days:.0f` days of
# one GPU, at a cautious {glue:text}`rerun_assumed:.0f` TFLOP/s that it corrects once it has measured. (More presets serve the chapter on [degenerate data](degenerate.ipynb).)
#
# The laptop's run is recorded. Its models are weak by any standard, which is the price of a small cut. The ensembles
# are as large as the paper's, so a point's KLoM has the paper's floor and noise; but its percentiles are over the few hundred
# points of the table below, not over all sixty thousand, and are the less certain for it ([why](traps.ipynb)).

# %%
recorded = evidence.recorded(preset="laptop", method="nothing")
figures.table(panels.recorded(evidence.table(recorded)))
glue_numbers("rerun", recorded=evidence.provenance(recorded))

# %% [markdown]
# Seconds are CPU seconds of one model's training, accuracies are means over the ensemble. {glue:text}`rerun_recorded`
# At the paper's own scale there are {glue:text}`rerun_at_paper:.0f` records in this repository.
#
# ## What survives
#
# The order is: all pretrained models, all oracles, then each configuration on every forget set. A record is one appended line.
# So a run may be killed at any moment, by `kill -9` or a power cut, and the same command goes on: it asks the folder what
# is there and does the rest.
#
# <details><summary><b>Predict before you scroll:</b> of 24 models in stacks of 8, the first and the last stack are on the
# disk. What is left to do?</summary>
# The middle one, in the same company of eight. A unit is whole or absent, so nothing has to be checked or repaired.
# </details>

# %%
with tempfile.TemporaryDirectory() as folder:
    for first in (0, 16):
        (Path(folder) / f"{first:04d}-{first + 7:04d}.npz").touch()
    print("to do:", list(plan.missing(Path(folder), 24, stack=8)))

# %% [markdown]
# A lost unit is trained again from its seeds, in the same company, and so to the same bits *on that CPU*. (A test kills runs
# and compares.) [On another kind of CPU](many_models.ipynb) the same seeds give other models, so a run's models and its forget
# sets belong together: the folder keeps the indices, and so do packs. `--time-budget SECONDS` starts no unit that would not
# end in time. `--models N` on a used folder adds models to those that are there. A folder remembers which preset and which
# training code made it, and refuses to mix; one process at a time holds its lock.

# %%
show_source(files.only_one)

# %% [markdown]
# ## On a desk
#
# The `desk` preset runs in stages, the most valuable first; each is recorded and useful before the next begins.
#
# ```sh
# unlearning experiment --preset desk --stage P A-1-5 --out runs/desk     # only these stages; without --stage all
# unlearning experiment --preset desk-float32 --out runs/desk-float32     # the control: does bfloat16 move a margin?
# ```

# %%
parts = presets.staged(chosen["desk"])
added = ladder.increments(parts)
figures.table(panels.stages(parts, added, core_rate))
glue_numbers("rerun", core_rate=core_rate,
             desk_hours=sum(flop for *_, flop in added.values())
             / core_rate / 1e9 / 3600)  # fmt: skip

# %% [markdown]
# Each row counts what its stage adds to those above it, in hours of one core at {glue:text}`rerun_core_rate:.0f` GFLOP/s (a
# parameter): {glue:text}`rerun_desk_hours:.0f` in all. [Measured rates](many_models.ipynb) depend on the machine and on who
# else is using it, and methods with small batches run at lower ones than training does.
#
# ## At the paper's scale
#
# The preset `paper` (CIFAR-10, ResNet-9 of width 64, N = 100, the nine published forget sets) needs an accelerator; its code
# path has been tested on a CPU, cut to two narrow models. The index files of the forget sets lie in
# `forget_sets/cifar10/` of the data folder, or are fetched from the hub.
#
# ```sh
# export PYTHONPATH=lib UNLEARNING_DATA=/path/to/data
# run="python3 -m unlearning experiment --preset paper --device cuda --out runs/paper"
# sets="published-9 published-2 published-4 published-7 published-6 published-8 published-3"
#
# # 1. the machine's rates, seconds per model in six forms, each predicted before it is measured; then 10 models
# python3 bench/device.py --device cuda | tee runs/device.jsonl
# $run --models 10 --forget-set published-1 --method nothing
# python3 -c "import glob, numpy as np; a = np.concatenate([np.load(f)['hits'][0][:, 50000:].mean(1) for f in
# sorted(glob.glob('runs/paper/margins/pretrained/*.npz'))]); print(len(a), a.mean(), a.std(ddof=1))"
# # 2. 100 pretrained models and the oracles of sets 1 and 5: what doing nothing scores
# $run --forget-set published-1 published-5 --method nothing
# # 3. gradient ascent with its controls; then descent-ascent and SCRUB, as far as the time goes
# $run --forget-set published-1 published-5 --method ga
# $run --forget-set published-1 published-5 --method gda scrub scrub_published --models 20 --time-budget 36000
# # 4. the other sets
# $run --forget-set $sets --method ga
# $run --forget-set $sets --method gda scrub scrub_published --models 20 --time-budget 36000
# # 5. Table 1 on MNIST and FashionMNIST (ResNet-9 of width 16: the paper does not state its network)
# for p in mnist-paper fashionmnist-paper; do
#   python3 -m unlearning experiment --preset $p --device cuda --out runs/$p; done
# # 6. principal components of our own margins against the published sets: rank of the sets' points by |score| (AUC)
# python3 - <<'END'
# import glob, numpy as np
# from scipy.stats import rankdata
# from unlearning.forget_sets import forget_set, principal_components
# files = sorted(glob.glob("runs/paper/margins/pretrained/*.npz"))
# scores = principal_components(np.concatenate([np.load(f)["margins"][0][:, :50000] for f in files]), 2)[0]
# for k, c in ((5, 0), (6, 0), (8, 1), (9, 1)):
#     inside = np.isin(np.arange(50000), forget_set(f"published-{k}", 50000))
#     n, ranks = inside.sum(), rankdata(np.abs(scores[c]))
#     print(f"set {k}, |PC{c + 1}|: AUC {(ranks[inside].sum() - n * (n + 1) / 2) / (n * (50000 - n)):.3f}")
# END
# # what is kept: records, and margins for `unlearning score`
# cp runs/paper/results.jsonl results/paper.jsonl
# python3 -m unlearning pack --from runs/paper --out results/margins
# ```
#
# Keep `runs/paper/weights`: methods start from these models. What the arithmetic alone asks for, counted from the layers, at a
# share of an accelerator's rate and at a cautious one:

# %%
first, two = ("published-1",), ("published-1", "published-5")
rest = tuple(s for s in chosen["paper"].forget_sets if s not in two)


def part(models, sets, *methods):
    """The paper's preset cut to a step: what it trains, and its methods."""
    configs = tuple(c for c in chosen["paper"].configs if c.method in methods)
    return ladder.cost(replace(chosen["paper"], models=models, forget_sets=sets,
                               configs=configs, retrain_epochs=()))


mixed = "gda", "scrub", "scrub_published"
steps = {
    "1: ten pretrained models, ten oracles": part(10, first).only("training"),
    "2: 100 pretrained models, sets 1 and 5": part(100, two).only("training"),
    "3: GA and controls, sets 1 and 5": part(100, two, "ga").only("methods"),
    "3: GDA and SCRUB, the same, N = 20": part(20, two, *mixed).only("methods"),
    "4: the other seven sets: oracles": part(100, rest).only("training", 100),
    "4: GA and controls": part(100, rest, "ga").only("methods"),
    "4: GDA and SCRUB, N = 20": part(20, rest, *mixed).only("methods"),
    "5: MNIST (FashionMNIST: the same again)":
        ladder.cost(presets.preset("mnist-paper")).only("training"),
}  # fmt: skip
rates = {f"at {share * gpu_rate:.0f} TFLOP/s": share * gpu_rate * 1e12,
         f"at {slow_rate:.0f} TFLOP/s": slow_rate * 1e12}  # fmt: skip
figures.table(panels.steps(steps, rates))

# %% [markdown]
# ```{admonition} Our comment
# :class: ours
# These are estimates, not measurements. Unlearning runs at batch 64 and in float32 or TF32 and is scored in true float32, so it
# stays far below these rates: gradient ascent is bound by scoring, GDA and SCRUB (thousands of small steps a trajectory) by
# the start of kernels. That is why their steps carry a time budget.
# ```
#
# ## On many machines
#
# Units share nothing but folders, so they may run anywhere that sees these. With Ray (`pip install 'unlearning[ray]'` on every
# node), `--on ray` of `experiment` and `sweep` gives each unit one CPU or one GPU. A unit whose worker dies is done again, one
# that raises is listed while the others go on. On one kind of machine the numbers are the local run's, bit for bit.
#
# ```sh
# # a workstation: all of its CPUs, or all of its GPUs, without a cluster
# unlearning experiment --preset paper --device cuda --on ray --out runs/paper
# # Slurm, inside `sbatch --nodes=4`: Ray starts on all nodes, the command on the first
# srun ray symmetric-run --address $HOST:6379 --min-nodes 4 -- \
#   unlearning experiment --preset paper --device cuda --on ray=$HOST:6379 --out runs/paper
# # Kubernetes: the entrypoint of a KubeRay RayJob, with a volume that all pods mount
# unlearning experiment --preset paper --device cuda --on ray=auto --out /shared/paper
# # any scheduler, without Ray: a job array, merged afterwards
# unlearning experiment --preset paper --device cuda --shard $SLURM_ARRAY_TASK_ID/8 --out runs/part$SLURM_ARRAY_TASK_ID
# unlearning merge --from runs/part* --out runs/paper
# ```
#
# Tests run an experiment and a sweep on two Ray nodes of one machine, with a worker killed in the middle. Slurm, Kubernetes
# and GPUs have not been tried.
#
# ## Your own method against recorded oracles
#
# Packs hold the margins of recorded oracles, so a method can be scored without training one ([how](own_method.ipynb)):
#
# ```sh
# unlearning try my_method.py:my_function --forget-set published-5   # on the models that come with the repository
# unlearning score                                 # which packs there are
# unlearning score laptop/random-10                # which points; what doing nothing scores
# unlearning score laptop/random-10 margins.npy    # your N models' margins, (N, points)
# ```

# %% [markdown]
# ## Exercises
#
# ```{exercise-start} A cheaper paper
# :label: rerun-exercise-cheaper
# ```
# Which of these saves most of the paper preset's ensembles: half of the models, half of the width, images of half the side?
# ```{exercise-end}
# ```
#
# ```{solution-start} rerun-exercise-cheaper
# :class: dropdown
# ```
# The price is proportional to $N$, and nearly to the square of the width and of the side.

# %% tags=["hide-input"]
for change in ({"models": 50}, {"width": 32}, {"pool": 2}):
    cheaper = ladder.cost(replace(chosen["paper"], **change)).ensembles
    print(change, f"{cheaper / paper.ensembles:.2f}")

# %% [markdown]
# ```{solution-end}
# ```
#
# ```{exercise} Interrupted
# :label: rerun-exercise-killed
# Start `unlearning experiment --preset smoke --out runs/try`, kill it with `kill -9` in the middle, and start it again. Compare
# `results.jsonl` with that of an undisturbed run in another folder. Which fields differ, and why do the scores not?
# ```
#
# ```{solution} rerun-exercise-killed
# :class: dropdown
# The seconds. Every unit is trained from seeds of its own in the same stack, so on one machine its margins are the same to the
# last bit, and the scores are functions of the margins.
# ```

# %% [markdown]
# ## What to take along
#
# - Look at `--dry-run` first: the arithmetic of a plan is known before it runs.
# - Kill it whenever you like. A unit of work is on the disk, whole, or it is not there.
# - Seeds pin a run on one kind of machine; indices and margins pin it everywhere.
