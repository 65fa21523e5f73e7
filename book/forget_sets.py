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
# # Forget sets
#
# ```{admonition} At a glance
# :class: glance
# **You will see** how forget sets are named and drawn, how the hard ones come from the ensemble's own differences, how far
# they depend on it, and on which points a method is scored.
#
# **In the paper** Section 3 and Appendix K {cite}`mavrothalassitis2025ascent`; the principal components follow
# {cite}`georgiev2024attribute,ilyas2022datamodels`.
#
# **Runtime** about 15 s on one core, and about 2 minutes for the demo that all experiment chapters share.
#
# **Parameters** [listed below](forget_sets-parameters): the number of models, the sets' size, the halvings.
#
# **Rerun** `unlearning run forget_sets -p top 20 -p seed 1 --out runs/forget_sets`
# ```

# %% [markdown]
# (forget_sets-parameters)=
# ## Parameters

# %% tags=["parameters"]
models: int = 24  # models in the demo's ensemble, N (models) [6, 200]
top: int = 10  # size K of the sets by principal component (points) [2, 60]
splits: int = 30  # random halvings of the ensemble (count) [2, 300]
shuffles: int = 20  # shuffled matrices behind the spectrum (count) [2, 200]
near: int = 60  # retain points nearest to a forget set (points) [5, 150]
seed: int = 0  # seed of everything here, the demo included [0, 1000000]

# %%
import numpy as np
import torch
from panels import forget_sets as panels
from scipy import stats

from unlearning import forget_sets
from unlearning.experiment import layout, packing
from unlearning.klom import klom
from unlearning.page import evidence, figures, published_sets, verdicts
from unlearning.page.gluing import glue_numbers
from unlearning.page.source import show_source
from unlearning.uncertainty import gaussian_floor

torch.set_num_threads(1)  # sums in one order
show_source(forget_sets.forget_set, forget_sets.checked_indices)

# %% [markdown]
# ## Forget sets by name
#
# A forget set is asked for by name, and the function above turns the name into sorted indices:
#
# | name | points |
# | --- | --- |
# | `random-K` | K at random |
# | `pc1-top-K`, `pc2-top-K` | the K highest scores on that component of the ensemble at hand |
# | `pc1-ends-K`, `pc2-ends-K` | K/2 highest and K/2 lowest |
# | `published-1` … `published-10` | the benchmark's index files, for the whole of CIFAR-10 only |
#
# The published sets 4 to 9 are the paper's sets by principal component. They are index files on the Hugging Face hub, fetched
# when asked for, and compared with their checksums. Sets 1, 2 and 3 need no file. They come from NumPy's old global
# generator:

# %%
drawn = {1: (0, 10), 2: (1, 100), 3: (2, 1000)}  # set: (seed, size)
drawn = {k: published_sets.legacy(*how) for k, how in drawn.items()}
for k, members in drawn.items():
    ours = forget_sets.forget_set(f"published-{k}", 50_000)
    named = forget_sets.forget_set(f"random-{len(members)}", 50_000)
    same = np.array_equal(ours, members) and np.array_equal(named, members)
    print(f"published-{k}: {len(ours):4} points, equal: {same}")

# %% [markdown]
# How do we know that these are the published ones, with no published file at hand? The library holds the MD5 checksum of
# each. A checksum fixes a file's content, so we write our draw as a file, in memory, and compare. This settles a small
# contradiction as well. The paper gives the third set 500 points:

# %%
show_source(published_sets.legacy, published_sets.is_published)

# %%
is_published = published_sets.is_published
old = published_sets.legacy
print({k: is_published(k, members) for k, members in drawn.items()})
verdicts.erratum(
    "set-3-size",
    where="the list of CIFAR-10 forget sets",
    printed="forget set 3 has 500 random points",
    ours=f"{len(drawn[3]):,} random points, as in the published file",
    shown_by=(
        "The checksum of the published index file "
        f"({published_sets.published_md5(3)}) is that of {len(drawn[3]):,} "
        "points drawn with seed 2; 500 points drawn with that seed give "
        "another. Sets 1 and 2 match in the same way. The file itself is not "
        "needed for this, and was not read here."
    ),
    checks={
        "1,000 points, seed 2: the published file, byte for byte":
            is_published(3, drawn[3]),
        "500 points, seed 2: another file":
            not is_published(3, old(2, 500)),
        "the library's published-3 is the set of 1,000": bool(np.array_equal(
            forget_sets.forget_set("published-3", 50_000), drawn[3])),
    },
)  # fmt: skip

# %% [markdown]
# (forget_sets-pc)=
# ## The ensemble's own principal components
#
# The hardest forget sets of the paper are not random. They come from the first **principal component** of the *influence
# matrix*, the table of how much each training point matters for each prediction ([why these are hard, in two
# dimensions](principal_components.ipynb)). That table takes a very large number of trainings to estimate. There is a cheaper
# relative, for which [the ensemble](many_models.ipynb) is enough.
#
# Let $M_{ri}$ be the margin of model $r$ at training point $i$. Take off each column's mean: what is left says where a model
# is surer than its sisters. Its singular value decomposition
#
# $$
# M - \bar M = U \Sigma V^\top, \qquad s_i = V_{i1},
# $$ (forget_sets-eq-pc)
#
# gives each training point a score $s_i$ on the first component (PC1), and so on for the next. Points with large scores
# of one sign rise and fall *together* from model to model. For few models these are the components that correlation-based datamodels
# find on the side of the predictions {cite}`ilyas2022datamodels`. The sign of a component is free; it is turned
# so that the entry of largest size is positive, so "top" is that end of the axis.
#
# The two functions, `principal_components` and `select_points`, are printed in
# [principal components](principal_components.ipynb), the chapter about their theory.
#
# An SVD always finds a first component, in pure noise too. To see which ones are real, shuffle each column of $M$
# over the models: every point keeps its margins, all togetherness is gone.

# %%
context, _ = evidence.demo(models=models, seed=seed)
digits = context.data
points = len(digits.labels)  # |D|
pretrained = layout.load("pretrained", context)["margins"][0]  # (N, all points)
phi = pretrained[:, :points]

rng = np.random.default_rng(seed)
count = min(10, models - 1)
scores, share = forget_sets.principal_components(phi, count)
noise = np.array([
    forget_sets.principal_components(rng.permuted(phi, axis=0), count)[1]
    for _ in range(shuffles)])  # fmt: skip
real = int(np.argmin(np.append(share > noise.max(0), False)))
along, level = (phi - phi.mean(0)) @ scores[0], phi.mean(1)
glue_numbers("forget_sets", real=real, share1=share[0], share2=share[1],
             noise1=noise[:, 0].max(), shuffles=shuffles,
             relation=np.corrcoef(along, level)[0, 1])  # fmt: skip

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Left: share of the variance along each principal component, and the same after shuffling (band: smallest to largest). Right: each model's coordinate along PC1 against its mean margin on the training set.", "name": "forget_sets-spectrum"}}
figures.show(*panels.spectrum(share, noise, along, level),
             alt="Left: shares fall steeply; the first lie above the band of shuffled matrices. Right: one dot per model, mean "
                 "margin against coordinate on PC1.")

# %% [markdown]
# PC1 carries {glue:text}`forget_sets_share1:.0%` of the variance, PC2 {glue:text}`forget_sets_share2:.0%`; the first component of
# a shuffled matrix carries at most {glue:text}`forget_sets_noise1:.0%` (of {glue:text}`forget_sets_shuffles:.0f`). The
# first {glue:text}`forget_sets_real:.0f` components stand above all shuffled ones of their number. A model's coordinate on PC1
# correlates with its mean margin by {glue:text}`forget_sets_relation:.2f`.
#
# <details><summary><b>Predict before you scroll:</b> which digits stand at an end of PC1: ten unreadable ones, or ten of a
# kind?</summary>
# Ten of a kind. A component collects points that rise and fall together, and images of one class depend on each other most.
# </details>

# %%
ends = {}
for c in (0, 1):
    order = np.argsort(-scores[c], kind="stable")
    ends[f"top of PC{c + 1}"] = order[:top]
    ends[f"bottom of PC{c + 1}"] = order[::-1][:top]

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Training digits at both ends of the first two components, the most extreme first; at most ten of each are drawn. Above each, its label.", "name": "forget_sets-gallery"}}
labels = digits.labels.numpy()
told = (f"{title}: {', '.join(str(labels[i]) for i in members[:10])}" for title, members in ends.items())
figures.show(*panels.gallery(ends, digits.images.numpy(), labels), alt="Four groups of digits with these labels. " + "; ".join(told))

# %%
profile = panels.ends(ends, phi, labels)
figures.table(profile)

# %%
pure = np.bincount(labels[ends["top of PC1"]]).max() / top
spread = phi.std(0, ddof=1)
glue_numbers("forget_sets", top=top, purity=pure,
             sd_ratio=spread[ends["top of PC1"]].mean()
             / spread.mean())  # fmt: skip

# %% [markdown]
# A component is close to a *class*: of the top {glue:text}`forget_sets_top:.0f` of PC1, {glue:text}`forget_sets_purity:.0%` have one
# label. Their margins spread {glue:text}`forget_sets_sd_ratio:.1f` times as much as the average point's, and do so
# together: some trainings learn this kind of digit well, some badly, and then they do so for all of its examples. This also says why such
# a set should be hard to forget. Points that support each other leave a large hole when they go together, while
# a random set of the same size leaves most of each point's supporters in place.
#
# ## How far do they depend on the ensemble?
#
# Split the ensemble in two at random, take the top points of each half, and count what they share. By chance two sets of $K$
# out of $n$ points share $K^2/n$ of them. A halving is *beyond chance* if its sets share more than 99 of 100 random pairs
# would.

# %%
def halving():
    """(shared top points, cosine) of PC1 and PC2 of two halves."""
    order = rng.permutation(models)
    halves = order[: models // 2], order[models // 2 :]
    a, b = (forget_sets.principal_components(phi[h], 2)[0] for h in halves)
    found = []
    for c in (0, 1):
        picked = [forget_sets.select_points(x[c], top) for x in (a, b)]
        found.append((len(np.intersect1d(*picked)), float(a[c] @ b[c])))
    return found


halves = np.array([halving() for _ in range(splits)])  # (splits, PC, 2)
chance = stats.hypergeom(points, top, top)  # of the number shared
figures.table(panels.halves(halves, chance, top))

# %%
shared, swapped = halves[:, :, 0].mean(0), (halves[:, :, 1] < 0).mean(0)
glue_numbers("forget_sets", shared1=shared[0], shared2=shared[1],
             swapped1=swapped[0], swapped2=swapped[1],
             chance=chance.mean(), half=models // 2)  # fmt: skip

# %% [markdown]
# Two halves of {glue:text}`forget_sets_half:.0f` models share {glue:text}`forget_sets_shared1:.1f` of the top
# {glue:text}`forget_sets_top:.0f` of PC1 on average, {glue:text}`forget_sets_shared2:.1f` of PC2; chance would give
# {glue:text}`forget_sets_chance:.2f`. The last column counts how often the two halves disagree about which end is the top, because the sign
# follows a single extreme point: {glue:text}`forget_sets_swapped1:.0%` and {glue:text}`forget_sets_swapped2:.0%` of the halvings.
#
# ```{admonition} Our comment
# :class: ours
# A set by principal component is a property of *this ensemble*, and with so few models a noisy one. That does no harm to
# an experiment: the set is fixed before any oracle is trained, and both ensembles face the same one. But a finding
# about "the PC2 set" is about the set at hand; another ensemble would have made another one, and
# [another kind of CPU makes another ensemble](many_models.ipynb) from the same seeds. The experiment
# writes its indices down (`forget_sets/` in every output folder) together with the number of models behind them, and a pack
# of recorded margins carries them:
# ```

# %%
for name in ("laptop/pc1-top-50", "laptop/pc2-top-50"):
    pack = packing.read(name)
    members = pack.source[pack.groups()["forget"]]
    print(f"{name}: {len(members)} images, {members[:7].tolist()} …")

# %% [markdown]
# (forget_sets-scored)=
# ## Which points are scored
#
# Unlearned models are scored on all points of $F$, and on fixed points of $R$ and of the validation set, drawn by
# the seed alone. So every method on every forget set is judged on the same points, apart
# from those that the forget set takes away. Where a preset asks for it, there is one more group: the retain points **nearest**
# to $F$, those whose margins go most with the forget set's.

# %%
show_source(forget_sets.scored_points, forget_sets.nearest)

# %% [markdown]
# Why a group of its own? Harm to the retain set is not spread evenly: it hits the relatives of $F$. The recorded laptop run
# shows it before any method has run. Compare pretrained models with oracles, which differ in $F$ alone, on the retain points
# that are packed for it: the nearest ones, and all others.

# %%
def near_and_far(name):
    """(KLoM at every packed point, the nearest retain points, the others)."""
    pack = packing.read(name)
    groups = pack.groups()
    pair = (torch.from_numpy(x) for x in (pack.pretrained, pack.oracle))
    train = pack.pretrained[:, : groups["retain"].stop]  # F, then R
    kin = forget_sets.nearest(train, np.arange(groups["forget"].stop), near)
    retain = np.arange(groups["retain"].start, groups["retain"].stop)
    return klom(*pair).numpy(), kin, np.setdiff1d(retain, kin)


names = [f"laptop/{s}" for s in ("random-50", "pc1-top-50", "pc2-top-50")]
scored = {name: near_and_far(name) for name in names}
floor = np.percentile(gaussian_floor(100, seed=seed).numpy(), 95)
figures.table(panels.near_and_far(scored, floor))

# %% [markdown]
# For random points the nearest are no different from the others. For sets by principal component they carry
# the difference, and the other retain points stay close to the floor. So a percentile over a sample that mixes the two
# kinds says mostly how many relatives are in it:

# %%
def mixture(name, share, size=100):
    """P95 of samples of `size` retain points with a share of near ones."""
    score, kin, others = scored[name]
    found = []
    for _ in range(splits):
        few = round(share * size)
        sample = np.concatenate(
            [rng.choice(kin, few), rng.choice(others, size - few)])
        found.append(np.percentile(score[sample], 95))
    return found


portions = np.arange(0, 0.51, 0.05)
mixed = {name: np.array([mixture(name, share) for share in portions])
         for name in names}  # fmt: skip

# %% tags=["hide-input"] mystnb={"figure": {"caption": "P95 over retain points of doing nothing, against the share of points near the forget set in the sample; bands hold nine of ten samples. Dotted: the floor. For random points nothing happens; for the second component's set the score climbs from the floor with the share of relatives, and its bands are wide.", "name": "forget_sets-mixture"}}
figures.show(panels.mixture(portions, mixed, floor),
             alt="Three curves against the share of near points. Random stays at the floor, PC1 rises a little, PC2 rises to several "
                 "times the floor within a wide band.")

# %%
score, kin, others = scored[names[2]]
low, high = np.percentile(mixed[names[2]][4], [5, 95])  # a fifth
drawn_by = packing.read(names[2]).meta["subsample"]["retain"]
glue_numbers("forget_sets", near=near, kin=np.percentile(score[kin], 95),
             far=np.percentile(score[others], 95), lowest=low, highest=high,
             every=drawn_by["p95"], points=drawn_by["points"],
             ours=drawn_by["packed_p95"])  # fmt: skip

# %% [markdown]
# On the second component's set the {glue:text}`forget_sets_near:.0f` nearest points score {glue:text}`forget_sets_kin:.2f`, the
# others {glue:text}`forget_sets_far:.2f`. Samples of which a fifth are relatives lie between
# {glue:text}`forget_sets_lowest:.2f` and {glue:text}`forget_sets_highest:.2f`, nine times of ten. This is no thought experiment: on
# the sample that the recorded run happened to draw, doing nothing scores {glue:text}`forget_sets_ours:.2f`, on all
# {glue:text}`forget_sets_points:.0f` retain points {glue:text}`forget_sets_every:.2f`.
#
# ```{admonition} Our comment
# :class: ours
# Two groups say more than one mixture: a *uniform* one for what becomes of the retain set as a whole, and a *near* one for
# where the harm is. The `desk` preset scores both, apart. A verdict should never hang on a percentile that a handful of
# points decides.
# ```

# %% [markdown]
# ## Exercises
#
# ```{exercise-start} Chance
# :label: forget_sets-exercise-chance
# ```
# How many points do two random sets of $K$ out of $n$ share, on average and in 99 of 100 cases, as $K$ grows? At which $K$
# would the halvings above no longer be beyond chance if they shared half of their points?
# ```{exercise-end}
# ```
#
# ```{solution-start} forget_sets-exercise-chance
# :class: dropdown
# ```
# The number shared is hypergeometric with mean $K^2/n$, so half of $K$ is expected by chance when $K = n/2$.

# %% tags=["hide-input"]
for k in (10, 50, points // 4, points // 2):
    pairs = stats.hypergeom(points, k, k)
    print(f"K = {k:3}: mean {pairs.mean():.1f}, 99 of 100 at most {pairs.ppf(0.99):.0f}")

# %% [markdown]
# ```{solution-end}
# ```
#
# ```{exercise} Is PC2 ever as stable as PC1?
# :label: forget_sets-exercise-tops
# Change `top` and `models`. How does the number of shared points compare with chance as $K$ grows? Is PC2 ever as stable
# as PC1? What would you have to know before calling a PC2 set "easy"?
# ```
#
# ```{exercise} Other relatives
# :label: forget_sets-exercise-relatives
# `nearest` goes by margins. Take points of the forget set's most frequent classes instead, in `near_and_far`. Is the harm on
# them larger or smaller than on the nearest? (The packs hold no labels; `datasets.load("cifar10")` and `pack.source` do.)
# ```

# %% [markdown]
# ## What to take along
#
# - A forget set has a name, and the name has one meaning: indices that are written down.
# - The first principal component is a kind of image that some trainings learn well and others badly. As a forget set it depends on
#   the models that it came from.
# - Harm sits near the forget set. Score the near points apart from the uniform sample.
