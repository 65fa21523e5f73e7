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
# # A2 · Measuring forgetting, from scratch
#
# When has a model forgotten? If it cannot be told from an **oracle**, a model trained from scratch without the forget
# set. Training is random, so "cannot be told" is a statement about two *distributions*: that of unlearned models and
# that of oracles. This assignment builds the number that compares them, **KLoM**, the Kullback-Leibler divergence of
# margins, and then tries to fool it. At the end you know three things that a table of KLoM scores does not tell you:
# which way round it was computed, what "no difference at all" scores, and what a single broken model does to it.
#
# Write your code where a cell says so, and run the test below each answer: it says nothing if all is well, and
# otherwise what to think about. When you are graded, further tests look at other numbers. You need about 60 minutes;
# NumPy is enough. Read first the chapter
# [Measuring forgetting](../klom.py),
# as far as its section "Which way round?".

# %% tags=["assignment"]
minutes = 60
needs = []
chapters = ["klom"]

# %% [markdown]
# ## Your data
#
# Everyone has numbers of their own, drawn from the seed: margins of 100 unlearned models and of 100 oracles at 200
# points. Half of your unlearned models are fine, the other half is badly damaged. Leave this cell as it is.

# %% tags=["seed"]
ASSIGNMENT = "a2"
SEED = 1  # yours

# %% tags=["given"]
import numpy as np

rng = np.random.default_rng(SEED)
my_oracle = rng.normal(5.0, 1.5, size=(100, 200))  # (models, points)
my_unlearned = rng.normal(5.0, 1.5, size=(100, 200))
my_unlearned[:50] = rng.normal(-20.0, 1.5, size=(50, 200))  # the damaged half

# %% [markdown]
# ## Question 1: the margin
#
# Let $z_1, \dots, z_C$ be a model's raw outputs (logits) for an example whose true class is $y$. Its **margin** is
#
# $$
# \varphi = z_y - \log \sum_{j \neq y} e^{z_j},
# $$
#
# the log-odds of the true class: zero at one half, large when the model is sure and right. Note the sum: it leaves
# out $y$. Logits of 1,000 occur, and $e^{1000}$ is not a number that a computer has: take the largest *of the summed*
# $z_j$ out of the sum first, $\log \sum e^{z_j} = m + \log \sum e^{z_j - m}$.


# %% tags=["answer"] question="q1"
def margins(logits, labels):
    """Margins of many models at many points.

    logits: (models, points, classes); labels: (points,) whole numbers. Returns (models, points).
    """
    # BEGIN SOLUTION
    points = np.arange(len(labels))
    others = np.array(logits, dtype=float)
    true = others[:, points, labels].copy()
    others[:, points, labels] = -np.inf
    top = others.max(axis=-1, keepdims=True)
    return true - top[..., 0] - np.log(np.exp(others - top).sum(axis=-1))
    # END SOLUTION


# %% tags=["public-test"]
found = margins(np.array([[[2.0, 0.0, 0.0]]]), np.array([0]))
assert found.shape == (1, 1), (
    f"One model and one point have margins of shape (1, 1), yours have {found.shape}."
)
assert np.allclose(found, 2 - np.log(2)), (
    f"Logits 2, 0, 0 with true class 0: 2 − log(1 + 1) = 1.307, not {found[0, 0]:.3f}."
)
two_models = np.array([[[2.0, 0, 0], [0, 2.0, 0]], [[3.0, 0, 0], [0, 3.0, 0]]])
found = margins(two_models, np.array([0, 1]))
assert found.shape == (2, 2) and np.allclose(found.T, [2, 3] - np.log(2)), (
    f"Two models, both right at both points, with 2 in the first model and 3 in the second: rows "
    f"1.307, 1.307 and 2.307, 2.307, not {found.tolist()}. labels[k] belongs to point k."
)
found = margins(np.array([[[1000.0, 0, 0], [1000.0, 0, 0]]]), np.array([0, 1]))
assert np.allclose(found, [[1000 - np.log(2), -1000]]), (
    f"Logits 1000, 0, 0 have the margin 999.3 if class 0 is true and −1000 if class 1 is, not "
    f"{found[0].tolist()}. exp(1000) overflows; and the largest of *all* logits, taken out of a "
    f"sum that lacks it, may leave nothing of the sum."
)

# %% [markdown]
# ## Question 2: two histograms, one set of bins
#
# Take one point: the margins of $N$ unlearned models and of $N$ oracles there. To compare the two lists we count them
# in the **same** $K$ equal bins, from the smallest to the largest of *all* margins. Before that, both are clipped to
# $[-100, 100]$, and a margin that is not a number (a model that overflowed) counts as $-100$; infinite ones are
# clipped like any other. If all margins are equal, the bins divide a range of length one that begins there. Return
# the *fractions*.
#
# (The published code does not count the one sample that equals the maximum. We do: the last bin includes its upper
# end.)


# %% tags=["answer"] question="q2"
def histograms(unlearned, oracle, bins=20):
    """Fractions of unlearned models and of oracles in common bins: two arrays of shape (bins,)."""
    # BEGIN SOLUTION
    both = [np.clip(np.nan_to_num(x, nan=-100.0), -100, 100) for x in (unlearned, oracle)]
    low, high = min(x.min() for x in both), max(x.max() for x in both)
    edges = np.linspace(low, high if high > low else low + 1, bins + 1)
    return tuple(np.histogram(x, edges)[0] / len(x) for x in both)
    # END SOLUTION


# %% tags=["public-test"]
q, p = histograms(np.array([0.0, 2.0]), np.array([2.0, 4.0, 4.0, 4.0]), bins=2)
assert np.allclose(q, [0.5, 0.5]), (
    f"Common bins are [0, 2) and [2, 4]: unlearned 0 and 2 give fractions 0.5, 0.5, not {q}."
)
assert np.allclose(p, [0, 1]), f"All four oracles lie in the upper bin: fractions 0, 1, not {p}."
q, p = histograms(np.array([np.nan, -np.inf]), np.array([np.inf, 4000.0]), bins=4)
assert np.allclose([q, p], [[1, 0, 0, 0], [0, 0, 0, 1]]), (
    f"nan and −∞ count as −100, ∞ and 4000 as 100: first and last bin, not {q} and {p}."
)
q, p = histograms(np.full(3, 2.5), np.full(3, 2.5), bins=4)
assert np.allclose([q, p], [[1, 0, 0, 0], [1, 0, 0, 0]]), (
    f"All margins 2.5: the bins divide the range from 2.5 to 3.5, so all lie in the first; {q}."
)

# %% [markdown]
# ## Question 3: the score of one point
#
# Let $P_k$ be the fraction of **oracles** in bin $k$ and $Q_k$ that of **unlearned** models. Then
#
# $$
# \mathrm{KLoM} = \sum_{k:\,P_k>0} P_k \ln\frac{P_k}{Q'_k}, \qquad
# Q'_k \propto \begin{cases}\max(Q_k, \epsilon) & \text{where } P_k > 0\\ Q_k & \text{elsewhere}\end{cases}
# $$
#
# with $\epsilon = 10^{-5}$; $\propto$ means that $Q'$ is divided by its sum. Without $\epsilon$ a single oracle in a
# bin that no unlearned model reached would make the score infinite. *Predict: what is the score if all oracles lie in
# one bin, and no unlearned model does?*

# %% [markdown]
# **My prediction** (write it here; nobody marks it):


# %% tags=["answer"] question="q3"
def klom(unlearned, oracle, bins=20, eps=1e-5):
    """KLoM of one point in nats; unlearned, oracle: (models,) margins."""
    # BEGIN SOLUTION
    q, p = histograms(unlearned, oracle, bins)
    q = np.where(p > 0, np.maximum(q, eps), q)
    q = q / q.sum()
    used = p > 0
    return float(np.sum(p[used] * np.log(p[used] / q[used])))
    # END SOLUTION


# %% tags=["public-test"]
same_twice = klom(my_oracle[:, 0], my_oracle[:, 0])
assert abs(same_twice) < 1e-9, f"An ensemble compared with itself scores 0, yours {same_twice}."
apart = klom(np.full(10, -50.0), np.full(10, 50.0))
assert 11 < apart < 12, (
    f"All oracles in one bin that no unlearned model reaches: the score is about ln(1/ε) = 11.5, "
    f"not {apart}."
)

# %% [markdown]
# ## Question 4: which way round?
#
# The divergence is not symmetric. From oracle to unlearned, KL(oracle ‖ unlearned), as above, it asks: *do the
# unlearned models cover what oracles do?* From unlearned to oracle, KL(unlearned ‖ oracle), with the two in exchanged
# roles, it asks: *do they do anything that oracles never do?* The public codes of this field go both ways.
#
# A group of points gets the **95th percentile** of its points' scores (`np.percentile(…, 95)`). Write that function,
# then score your half-damaged models both ways. Which direction notices the damage more: `"oracle to unlearned"` or
# `"unlearned to oracle"`? *Predict first.*

# %% [markdown]
# **My prediction** (write it here; nobody marks it):


# %% tags=["answer"] question="q4"
def p95(unlearned, oracle):
    """95th percentile over points of KLoM; unlearned, oracle: (models, points)."""
    # BEGIN SOLUTION
    return float(np.percentile([klom(u, o) for u, o in zip(unlearned.T, oracle.T)], 95))
    # END SOLUTION


oracle_to_unlearned = p95(my_unlearned, my_oracle)  # SOLUTION
unlearned_to_oracle = p95(my_oracle, my_unlearned)  # SOLUTION
notices = "unlearned to oracle"  # SOLUTION

# %% tags=["public-test"]
score = klom(my_unlearned[:, 0], my_oracle[:, 0])
found = p95(np.stack([my_unlearned[:, 0], my_oracle[:, 1]], 1), my_oracle[:, :2])
assert np.isclose(found, 0.95 * score), (
    f"Two points, one with score 0 and one with {score:.3f}: the 95th percentile over the points "
    f"is 0.95 · {score:.3f} = {0.95 * score:.3f}, not {found:.3f}. Points are columns."
)
assert isinstance(oracle_to_unlearned, float) and isinstance(unlearned_to_oracle, float), (
    "Two numbers, one for each direction."
)
assert abs(oracle_to_unlearned - unlearned_to_oracle) > 1, (
    "On these models the two directions differ by more than one nat."
)
assert notices in ("oracle to unlearned", "unlearned to oracle"), (
    "Name the direction as the text does."
)

# %% [markdown]
# ## Question 5: the floor
#
# Two ensembles of the *same* distribution do not score 0: with 100 models, 20 bins are never filled alike by chance.
# What "no difference" scores is called the **floor**. Estimate it: draw margins of `models` unlearned models and of
# `models` oracles at 400 points, all from one normal distribution, and return the 95th percentile. (Which normal
# distribution does not matter, as long as nothing is clipped: the bins move and stretch with the margins.)


# %% tags=["answer"] question="q5"
def floor(models, rng):
    """P95 of two simulated ensembles without any difference; rng: a numpy Generator."""
    # BEGIN SOLUTION
    return p95(rng.normal(size=(models, 400)), rng.normal(size=(models, 400)))
    # END SOLUTION


# %% tags=["public-test"]
at_20, at_100 = floor(20, np.random.default_rng(0)), floor(100, np.random.default_rng(0))
assert at_100 > 0.5, (
    f"With 100 models chance alone scores more than a half, yours {at_100:.2f}. Are the two "
    f"ensembles drawn separately, with 100 rows and 400 columns each, and scored by `p95`?"
)
assert at_20 > 2 * at_100, (
    f"With fewer models the floor is higher, by far; yours is {at_20:.2f} with 20 and "
    f"{at_100:.2f} with 100."
)

# %% [markdown]
# ## Question 6: one broken model
#
# Now let all unlearned models be worse than the oracles, but only by one standard deviation: `shifted` below. Then
# break one of them completely: its margin is $-100$ everywhere. Surely the score gets worse?
#
# Write `with_one_broken`, and score `shifted` against `my_oracle` with `p95`, without and with the broken model. What
# did the broken model do: `"raised the score"`, `"lowered the score"` or `"left the score as it was"`? The picture
# below shows why. Then write the check that would have warned you, with True or False: a score *below the floor* is a
# symptom, not a success.

# %% tags=["given"]
shifted = np.random.default_rng(SEED + 1).normal(3.5, 1.5, size=(100, 200))


# %% tags=["answer"] question="q6"
def with_one_broken(unlearned):
    """A copy of the ensemble in which the first model's margins are all −100."""
    # BEGIN SOLUTION
    broken = unlearned.copy()
    broken[0] = -100.0
    return broken
    # END SOLUTION


def suspicious(score, floor_of_n):
    """Whether a score should not be trusted."""
    # BEGIN SOLUTION
    return bool(score < floor_of_n)
    # END SOLUTION


without_broken = p95(shifted, my_oracle)  # SOLUTION
with_broken = p95(with_one_broken(shifted), my_oracle)  # SOLUTION
the_broken_model = "lowered the score"  # SOLUTION

# %% tags=["public-test"]
healthy = np.ones((3, 2))
after = with_one_broken(healthy)
assert (healthy == 1).all(), (
    "`with_one_broken` changed the ensemble it was given: work on a copy, and run the cell that "
    "makes `shifted` again, for yours is broken now."
)
assert (after[0] == -100).all() and (after[1:] == 1).all(), (
    "Only the first model breaks: row 0 is −100, the other rows are as they were."
)
assert isinstance(suspicious(1.0, 0.5), bool | np.bool_), "`suspicious` answers True or False."
assert isinstance(without_broken, float) and isinstance(with_broken, float), (
    "`without_broken` and `with_broken` are two scores, from `p95`."
)
assert the_broken_model in (
    "raised the score",
    "lowered the score",
    "left the score as it was",
), "`the_broken_model`: choose one of the three."

# %% [markdown]
# ## What you have found
#
# The bins span the joint range. One margin of $-100$ stretches them so far that all other models, unlearned and
# oracle, fall into the same one or two bins and look alike. A method that destroys a model now and then is
# *rewarded*. This is why the book never prints a KLoM score without its floor, and why it has a robust form of it.

# %% tags=["plot"]
import matplotlib.pyplot as plt

for title, ensemble in {
    "without": shifted,
    "with one broken model": with_one_broken(shifted),
}.items():
    q, p = histograms(ensemble[:, 0], my_oracle[:, 0])
    plt.figure(figsize=(5, 2))
    plt.bar(np.arange(20) - 0.2, p, 0.4, label="oracles")
    plt.bar(np.arange(20) + 0.2, q, 0.4, label="unlearned")
    plt.title(f"{title}: KLoM {klom(ensemble[:, 0], my_oracle[:, 0]):.2f}")
    plt.legend()
plt.show()

# %% [markdown]
# ## Is it the same as the book's?
#
# A second implementation is the best check there is. This cell compares with the library, if it is installed.

# %% tags=["plot"]
try:
    import torch
    from unlearning.klom import klom as book_klom
except ImportError:
    print("the book's library is not installed here: nothing to compare with")
else:
    theirs = book_klom(torch.tensor(shifted), torch.tensor(my_oracle), drop_max=False).numpy()
    ours = np.array([klom(u, o) for u, o in zip(shifted.T, my_oracle.T)])
    print("largest difference:", np.abs(theirs - ours).max())

# %% tags=["hidden"]
import numpy as np

from unlearning.build.grading import same


def draws(seed, *shapes, mean=0.0, sd=1.0):
    rng = np.random.default_rng([seed, 7])
    return [rng.normal(mean, sd, size=shape) for shape in shapes]


# %% tags=["hidden-test"] question="q1" points=2
def test_margins(student, reference, seed):
    """margins of several models at several points"""
    (logits,) = draws(seed, (3, 5, 4), sd=2.0)
    labels = np.array([0, 3, 1, 1, 2])
    found = student.margins(logits, labels)
    true = logits[:, np.arange(5), labels]
    others = np.where(np.arange(4) == labels[:, None], -np.inf, logits)
    assert not same(found, true - np.log(np.exp(logits).sum(-1))), (
        "Your sum runs over all classes, the true one included: that is log p_y, which never "
        "exceeds 0, and not the margin."
    )
    assert not same(found, true - others.max(-1)), (
        "That is the distance to the runner-up, z_y − max z_j; the margin has log Σ exp z_j over "
        "all other classes."
    )
    assert np.shape(found) == (3, 5), (
        f"Three models at five points: shape (3, 5), not {np.shape(found)}."
    )
    assert same(found, reference.margins(logits, labels)), "Not z_y − log Σ_{j≠y} exp z_j."


# %% tags=["hidden-test"] question="q1" points=1
def test_large_logits(student, reference, seed):
    """logits of 1,000"""
    logits, labels = np.array([[[1000.0, 0.0, -1000.0], [0.0, 1000.0, 999.0]]]), np.array([0, 0])
    found = student.margins(logits, labels)
    assert np.isfinite(found).all(), (
        "exp(1000) overflows: subtract the largest of the other logits before exp, add it after "
        "log."
    )
    assert same(found, reference.margins(logits, labels)), "Wrong for large logits."


# %% tags=["hidden-test"] question="q2" points=2
def test_common_bins(student, reference, seed):
    """common bins of two different ensembles"""
    unlearned, oracle = draws(seed, 60, 90)
    unlearned = 2 * unlearned - 3
    q, p = (np.asarray(x) for x in student.histograms(unlearned, oracle, 20))
    expected = reference.histograms(unlearned, oracle, 20)
    assert same(q.sum(), 1.0, 1e-6) and same(p.sum(), 1.0, 1e-6), (
        "Fractions sum to 1: divide the counts by the number of models."
    )
    own = [np.histogram(x, 20)[0] / len(x) for x in (unlearned, oracle)]
    assert not same(p, own[1]), (
        "Each ensemble has bins of its own: they must share them, from the joint minimum to the "
        "joint maximum."
    )
    assert not (same(q, expected[1]) and same(p, expected[0])), (
        "First the unlearned models', then the oracles'."
    )
    assert same(q, expected[0]) and same(p, expected[1]), (
        "Not the fractions in 20 equal bins over the joint range."
    )


# %% tags=["hidden-test"] question="q2" points=1
def test_broken_margins(student, reference, seed):
    """margins that are infinite or no number"""
    unlearned, oracle = np.array([np.nan, -np.inf, 3.0, 4000.0]), np.array([-2.0, 1.0, 2.0, np.inf])
    found = student.histograms(unlearned, oracle, 10)
    assert same(found, reference.histograms(unlearned, oracle, 10)), (
        "Clip to [−100, 100] first; a margin that is no number is −100."
    )
    found = student.histograms(np.full(4, 2.5), np.full(5, 2.5), 20)
    assert same(found, reference.histograms(np.full(4, 2.5), np.full(5, 2.5), 20)), (
        "All margins equal: all of them lie in the first bin."
    )


# %% tags=["hidden-test"] question="q3" points=3
def test_klom(student, reference, seed):
    """the score of two different ensembles"""
    unlearned, oracle = draws(seed, 100, 100)
    unlearned = unlearned + 1.0
    found, expected = student.klom(unlearned, oracle), reference.klom(unlearned, oracle)
    if same(found, student.probe_klom(unlearned, oracle, 20, 1e-5)):
        return  # right, with the student's own histograms
    q, p = (np.asarray(x) for x in reference.histograms(unlearned, oracle, 20))
    assert isinstance(found, float), "Return one number."
    assert not same(found, reference.klom(oracle, unlearned)), (
        "That is KL(unlearned ‖ oracle). P, the distribution that weights the logarithms, is the "
        "oracles'."
    )
    assert not same(found, expected / np.log(2), 1e-6), "Nats: the natural logarithm."
    raised = np.maximum(q, 1e-5)
    raised = raised / raised.sum()
    floor_everywhere = float(np.sum(p[p > 0] * np.log(p[p > 0] / raised[p > 0])))
    assert not same(found, floor_everywhere, 1e-12) or same(found, expected, 1e-12), (
        "Raise Q to ε only where P > 0."
    )
    added = float(np.sum((p + 1e-5) * np.log((p + 1e-5) / (q + 1e-5))))
    assert not same(found, added, 1e-9), (
        "ε is a lower limit for Q where P > 0, not something to add to both."
    )
    assert same(found, expected, 1e-9) or not same(found, expected, 1e-3), (
        "Off by less than a thousandth: after raising Q to ε, divide by its sum again, so that Q' "
        "is a distribution."
    )
    assert same(found, expected, 1e-9), "Not Σ P ln(P/Q') over the bins with P > 0."


# %% tags=["hidden-test"] question="q3" points=1
def test_price_of_eps(student, reference, seed):
    """ε and the number of bins are arguments"""
    apart = np.full(9, -50.0), np.full(9, 50.0)
    found, carried = student.klom(*apart, 10, 1e-3), student.probe_klom(*apart, 10, 1e-3)
    nats = [found, found * np.log(2)]  # bits were paid for in the test before
    assert any(same(x, right, 0.01) for x in nats for right in (np.log(1001), carried)), (
        f"With eps = 0.001 two ensembles that share no bin score ln(1001) = 6.9, not {found:.2f}."
    )
    (unlearned,) = draws(seed, 40)
    found = student.klom(unlearned, unlearned + 1.0, 1)
    carried = student.probe_klom(unlearned, unlearned + 1.0, 1, 1e-5)
    assert same(found, 0.0) or same(found, carried), (
        f"With bins = 1 everything lies in the same bin: 0, not {found:.2f}."
    )


# %% tags=["hidden-test"] question="q4" points=1
def test_both_directions(student, reference, seed):
    """your half-damaged models, scored both ways"""
    found = student["oracle_to_unlearned"], student["unlearned_to_oracle"]
    expected = reference["oracle_to_unlearned"], reference["unlearned_to_oracle"]
    carried = student.probe_both_ways()
    right = same(found, expected, 1e-6) or same(found, carried, 1e-6)
    swapped = same(found, expected[::-1], 1e-6) or same(found, carried[::-1], 1e-6)
    assert right or not swapped, (
        "The two numbers are swapped: `klom` takes the unlearned models first."
    )
    assert right, "Not the 95th percentiles of your two ensembles."


# %% tags=["hidden-test"] question="q4" points=1
def test_which_notices(student, reference, seed):
    """the direction that notices the damage"""
    assert student["notices"] == reference["notices"], (
        "Look at your two numbers. The healthy half still covers all that oracles do, so one "
        "direction pays only ln 2 for each "
        "oracle, plus chance."
    )


# %% tags=["hidden-test"] question="q5" points=2
def test_floor(student, reference, seed):
    """the floor at 10 and at 100 models"""
    for models, around in ((10, 8.4), (100, 0.67)):
        found = student.probe_floor(models, seed)
        mean, carried = (
            reference.probe_scores(models, seed)[0],
            student.probe_scores(models, seed)[1],
        )
        assert isinstance(found, float) and found > 0.1, (
            "No difference does not score 0: draw the two ensembles separately."
        )
        assert abs(found - mean) > 0.15 * mean, (
            "That is about the mean over the points; a group gets its 95th percentile."
        )
        right = abs(found - around) < 0.25 * around or abs(found - carried) < 0.25 * carried
        assert right, f"With {models} models the floor is about {around}, not {found:.2f}."


# %% tags=["hidden-test"] question="q6" points=1
def test_one_broken(student, reference, seed):
    """a copy with one broken model"""
    (ensemble,) = draws(seed, (6, 4))
    assert student.probe_keeps(ensemble), (
        "The ensemble that was handed in is changed afterwards: copy it first."
    )
    assert same(student.with_one_broken(ensemble), reference.with_one_broken(ensemble)), (
        "The first model's margins are −100, all others stay."
    )


# %% tags=["hidden-test"] question="q6" points=2
def test_lowered(student, reference, seed):
    """what one broken model does to the score"""
    found, expected = [[of["without_broken"], of["with_broken"]] for of in (student, reference)]
    right = same(found, expected, 1e-6) or same(found, student.probe_broken(), 1e-6)
    assert right, "Not the two scores of `shifted`."
    assert student["the_broken_model"] == reference["the_broken_model"], (
        "Look at the two numbers once more."
    )


# %% tags=["hidden-test"] question="q6" points=1
def test_suspicious(student, reference, seed):
    """a score below its floor"""
    assert student.suspicious(0.05, 0.67) is True, (
        "Nothing that is measured honestly scores below what no difference scores."
    )
    assert student.suspicious(2.06, 0.67) is False, (
        "Above the floor there is no reason for suspicion."
    )


# %% tags=["probe"]
def probe_floor(models, seed):
    return answers.floor(models, np.random.default_rng([seed, 5]))


def probe_klom(unlearned, oracle, bins, eps):
    """What a right `klom` says with the student's own histograms: one slip is paid for once."""
    q, p = (np.asarray(x, float) for x in answers.histograms(unlearned, oracle, bins))
    q = np.where(p > 0, np.maximum(q, eps), q)
    q = q / q.sum()
    return float(np.sum(p[p > 0] * np.log(p[p > 0] / q[p > 0])))


def probe_scores(models, seed):
    """Mean and P95 of the student's own scores of no difference: one slip is paid for once."""
    pairs = np.random.default_rng([seed, 6]).normal(size=(2, 400, models))
    scores = [answers.klom(u, o) for u, o in zip(*pairs)]
    return float(np.mean(scores)), float(np.percentile(scores, 95))


def probe_both_ways():
    pairs = (my_unlearned, my_oracle), (my_oracle, my_unlearned)
    return [
        float(np.percentile([answers.klom(u, o) for u, o in zip(a.T, b.T)], 95)) for a, b in pairs
    ]


def probe_broken():
    broken = shifted.copy()
    broken[0] = -100.0
    return [answers.p95(shifted, my_oracle), answers.p95(broken, my_oracle)]


def probe_keeps(ensemble):
    before = ensemble.copy()
    answers.with_one_broken(ensemble)
    return bool(np.array_equal(before, ensemble))
