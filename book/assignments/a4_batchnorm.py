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
# # A4 · Is it ascent, or is it BatchNorm?
#
# Gradient ascent on a forget set $F$ damages a network on the retain set $R$. Everybody sees it. But two things
# happen at once: the method climbs the loss on $F$, and while it climbs, the network is in *train mode*, where every
# batch of $F$ also moves the running statistics of batch normalisation. Which of the two does the damage? A score
# cannot tell. A **control** can: a run in which one of the two is switched off and everything else stays as it was.
#
# You will build the controls, say beforehand what each must show, run them, and defend a conclusion. Write your code
# where a cell says so, and run the test below each answer: it says nothing if all is well, and otherwise what to think
# about. When you are graded, further tests look at other cases, and a person reads your words. You need about 60
# minutes, and PyTorch; no GPU. Read first the chapter
# [Ascent or BatchNorm?](../batchnorm.py),
# its first section, "Two treatments at once".

# %% tags=["assignment"]
minutes = 60
needs = ["torch"]
chapters = ["batchnorm"]

# %% tags=["seed"]
ASSIGNMENT = "a4"
SEED = 1  # yours

# %% [markdown]
# ## What you are given
#
# Three classes in eight dimensions; all points of the forget set belong to *one* class. The network has one BatchNorm
# layer, is trained on $R \cup F$, and computes in double precision, so that two correct programs agree. Leave this
# cell as it is.

# %% tags=["given"]
import copy

import torch
from torch import nn
from torch.nn import functional as F


def points(n, seed, classes=3):
    """n points in eight dimensions as (x, y), of three classes; with classes=1, all of class 0."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % classes
    x = torch.randn(n, 8, generator=generator, dtype=torch.float64)
    x[torch.arange(n), y] += 3.0
    return x, y


def network(seed, retain, forget):
    """A network with BatchNorm, trained on both sets; in evaluation mode."""
    model = nn.Sequential(
        nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 3)
    ).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in (model[0], model[3]):
            draw = torch.randn(layer.weight.shape, generator=generator, dtype=torch.float64)
            layer.weight.copy_(draw / layer.weight.shape[1] ** 0.5)
            layer.bias.zero_()
    x, y = torch.cat([retain[0], forget[0]]), torch.cat([retain[1], forget[1]])
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(20):
        for batch in torch.randperm(300, generator=generator).split(60):
            optimiser.zero_grad()
            F.cross_entropy(model(x[batch]), y[batch]).backward()
            optimiser.step()
    return model.eval()


def weights(model):
    """All parameters as one vector."""
    return torch.cat([p.detach().flatten() for p in model.parameters()]).clone()


def statistics(model):
    """BatchNorm's running mean and variance as one vector."""
    return torch.cat([b.flatten() for k, b in model.named_buffers() if "running" in k]).clone()


retain, forget = points(282, SEED), points(18, SEED + 1000, classes=1)
pretrained = network(SEED, retain, forget)
small, large, steps = 0.001, 0.02, 20  # two step sizes; steps of every run

# %% [markdown]
# ## Question 1: a step of length zero
#
# In train mode BatchNorm moves its running mean a tenth of the way to the mean $\mu$ of each batch: $m_k =
# 0.9\,m_{k-1} + 0.1\,\mu$. Even with step size zero! Write $m_k$ after $k$ batches that all have the same mean $\mu$,
# in closed form. Then the smallest number of batches of $F$ after which $\mu$ enters the running mean with at least a
# given share, that is, with at least this weight.


# %% tags=["answer"] question="q1"
def drift(m_0, mu, k):
    """The running mean after k batches with mean mu, from m_0."""
    # BEGIN SOLUTION
    return mu + 0.9**k * (m_0 - mu)
    # END SOLUTION


def batches_until(share):
    """The smallest k for which at least this share (0 ≤ share < 1) of the running mean is new."""
    # BEGIN SOLUTION
    k = 0
    while 1 - 0.9**k < share:
        k += 1
    return k
    # END SOLUTION


# %% tags=["public-test"]
assert abs(drift(1.0, 3.0, 1) - 1.2) < 1e-12, "One batch: 0.9 · 1 + 0.1 · 3 = 1.2."
assert abs(drift(1.0, 3.0, 200) - 3.0) < 1e-6, (
    "After many batches the running mean is the batches' mean."
)
assert batches_until(0.5) == 7, (
    f"After 7 batches more than half is new (1 − 0.9^7 = 0.52), after 6 less; not "
    f"{batches_until(0.5)}."
)

# %% [markdown]
# ## Question 2: ascent with a switch
#
# Gradient ascent, each step on all of $F$: $\theta \leftarrow \theta + \eta\,\nabla \text{(mean cross-entropy on }
# F)$, with $\eta$ = `lr` and no momentum. With `frozen=False` the whole network is in train mode. With `frozen=True` its
# BatchNorm layers are in *evaluation mode*: they normalise with their running statistics and leave them alone, while
# all parameters, also theirs, still learn. Return a new model, in evaluation mode; the given one stays as it is.


# %% tags=["answer"] question="q2"
def ascend(model, forget, lr, steps, frozen):
    """Gradient ascent on forget = (x, y); frozen: BatchNorm in evaluation mode."""
    # BEGIN SOLUTION
    model = copy.deepcopy(model).train()
    for module in model.modules():
        if frozen and isinstance(module, nn.BatchNorm1d):
            module.eval()
    optimiser = torch.optim.SGD(model.parameters(), lr)
    for _ in range(steps):
        optimiser.zero_grad()
        (-F.cross_entropy(model(forget[0]), forget[1])).backward()
        optimiser.step()
    return model.eval()
    # END SOLUTION


# %% tags=["public-test"]
given = copy.deepcopy(pretrained)
standing = ascend(given, forget, lr=0.0, steps=3, frozen=False)
climbed = ascend(given, forget, lr=0.02, steps=3, frozen=True)
assert torch.equal(weights(pretrained), weights(given)) and torch.equal(
    statistics(pretrained), statistics(given)
), "The model that was handed in has changed: copy it first (copy.deepcopy)."
assert torch.equal(statistics(pretrained), statistics(climbed)), (
    "Frozen: the running statistics must not move. Which call comes last, train() or eval()?"
)
assert not torch.equal(statistics(pretrained), statistics(standing)), (
    "In train mode the running statistics move, even with step size 0."
)
assert not standing.training and not climbed.training, "Return the model in evaluation mode."
before, after = (F.cross_entropy(m(forget[0]), forget[1]).item() for m in (pretrained, climbed))
assert after > before, (
    f"With BatchNorm frozen the loss on F went from {before:.3f} to {after:.3f}: ascent raises it."
)

# %% [markdown]
# ## Question 3: damage
#
# The damage is by how much the mean cross-entropy on the **retain** set rises from `before` to `after`. Models are
# used in evaluation mode, so they are scored in evaluation mode, whatever mode they arrive in; scoring must not
# change them.


# %% tags=["answer"] question="q3"
def damage(before, after, retain):
    """Rise of the mean cross-entropy on retain = (x, y), a float."""
    # BEGIN SOLUTION
    losses = []
    for model in (before, after):
        model = copy.deepcopy(model).eval()
        with torch.no_grad():
            losses.append(float(F.cross_entropy(model(retain[0]), retain[1])))
    return losses[1] - losses[0]
    # END SOLUTION


# %% tags=["public-test"]
assert damage(pretrained, pretrained, retain) == 0, "A model does no damage compared with itself."
given = copy.deepcopy(pretrained).train()
assert damage(given, pretrained, retain) == 0 and given.training, (
    "A model that arrives in train mode is scored in evaluation mode, and goes back as it came: "
    "score a copy."
)
assert torch.equal(statistics(given), statistics(pretrained)), (
    "Scoring changed the running statistics: score in evaluation mode."
)
drifted = ascend(pretrained, forget, lr=0.0, steps=20, frozen=False)
assert damage(pretrained, drifted, retain) > 0, (
    "Twenty batches of F through BatchNorm raise the loss on R: the damage is positive. Is it "
    "after minus before?"
)

# %% [markdown]
# ## Question 4: the design, and the prediction
#
# Two causes, each on or off: four runs, named `"both"`, `"BatchNorm alone"`, `"ascent alone"` and `"neither"`. Give each
# run its switches, as a dictionary with `lr` and `frozen`. Then, **before you run anything**, predict for each run
# whether the weights move and whether the running statistics move: two dictionaries, from the name of a run to `True`
# or `False`.


# %% tags=["answer"] question="q4"
def design(lr):
    """The four runs of a study of ascent with step size lr: name -> {"lr": …, "frozen": …}."""
    # BEGIN SOLUTION
    return {
        "both": {"lr": lr, "frozen": False},
        "BatchNorm alone": {"lr": 0.0, "frozen": False},
        "ascent alone": {"lr": lr, "frozen": True},
        "neither": {"lr": 0.0, "frozen": True},
    }
    # END SOLUTION


weights_move = {
    "both": True,
    "BatchNorm alone": False,
    "ascent alone": True,
    "neither": False,
}  # SOLUTION
statistics_move = {
    "both": True,
    "BatchNorm alone": True,
    "ascent alone": False,
    "neither": False,
}  # SOLUTION

# %% tags=["public-test"]
four = {"both", "BatchNorm alone", "ascent alone", "neither"}
assert set(design(0.02)) == four, f"Four runs, named {', '.join(sorted(four))}."
assert all(set(run) == {"lr", "frozen"} for run in design(0.02).values()), (
    "Each run is a dictionary with lr and frozen."
)
for predicted in (weights_move, statistics_move):
    assert isinstance(predicted, dict) and set(predicted) == four, (
        "`weights_move` and `statistics_move` are dictionaries with all four runs' names as keys."
    )
    assert set(predicted.values()) <= {True, False}, "Predict True (it moves) or False (it stays)."

# %% [markdown]
# ## Question 5: run it
#
# For both step sizes, `small` and `large`: take `pretrained` through the four runs (`steps` steps each) and store the
# damage of each, as a dictionary from its name. `share` says which share of the damage of `"both"` one cause alone
# does. It is a ratio: where the damage of both is below `noise`, it is a ratio of two noises, and the honest answer is
# `float("nan")`.
#
# Then say what does the damage, at each step size: `"BatchNorm"` or `"ascent"` if that one alone has a share of at
# least four fifths, `"neither alone"` otherwise.


# %% tags=["answer"] question="q5"
def share(alone, both, noise=0.01):
    """alone / both, nan where both < noise."""
    # BEGIN SOLUTION
    return alone / both if both >= noise else float("nan")
    # END SOLUTION


# BEGIN SOLUTION
def study(lr):
    """Name -> damage of each run of the design."""
    runs = {
        name: ascend(pretrained, forget, steps=steps, **switches)
        for name, switches in design(lr).items()
    }
    return {name: damage(pretrained, model, retain) for name, model in runs.items()}


# END SOLUTION
damage_small = study(small)  # SOLUTION
damage_large = study(large)  # SOLUTION
at_small = "BatchNorm"  # SOLUTION
at_large = "neither alone"  # SOLUTION

# %% tags=["public-test"]
for found in (damage_small, damage_large):
    assert isinstance(found, dict) and set(found) == four, (
        "`damage_small` and `damage_large` are dictionaries, one damage for each of the four runs."
    )
    assert found["both"] > 0.05, (
        f"Ascent in train mode does damage: more than 0.05 nats here, yours {found['both']:.3f}. "
        f"Does each run start from `pretrained`, ascend on F, and is it scored on R?"
    )
assert damage_small["neither"] == damage_large["neither"] == 0, (
    "With both causes off nothing may change. If something does, a third thing is at work: find it "
    "before you go on."
)
assert {at_small, at_large} <= {"BatchNorm", "ascent", "neither alone"}, (
    "`at_small`, `at_large`: choose one of the three."
)

# %% tags=["plot"]
import matplotlib.pyplot as plt

for at, (name, found) in enumerate({"small": damage_small, "large": damage_large}.items()):
    plt.bar([at + 0.2 * k for k in range(4)], found.values(), 0.18, color=["C0", "C1", "C2", "C3"])
    for k, label in enumerate(found):
        plt.text(at + 0.2 * k, 0.01, label, rotation=90, ha="center", va="bottom")
plt.xticks([0.3, 1.3], ["small step size", "large step size"])
plt.ylabel("damage on R (nats)")
plt.show()

# %% [markdown]
# ## Question 6: defend it
#
# A reader of your study says: "Fine, so it was only BatchNorm. Then ascent does no harm, and one can use it with
# frozen statistics, to forget." Answer in 150 to 250 words, with your numbers: what do they support at the small step
# size, what at the large one, and what do they not show at all? Then name one other explanation that your controls do
# not exclude, and the run that would decide. A person marks this, one point for each of these four.

# %% [markdown] tags=["written"] question="q6" points=4
# **Your answer to question 6.**
#
# At the small step size BatchNorm alone does nine tenths of the damage or more (0.53 of 0.57 nats with seed 1), and
# ascent with frozen statistics none that can be measured (0.0001): the score there says nothing about ascent. At the
# large step size that is no longer so. Both together do several times the damage of the two alone, added (1.86, alone
# 0.53 and 0.02): the causes interact, and "which share is BatchNorm's" has no single answer. So "it was only
# BatchNorm" holds at one step size and not in general. Nor does little damage on R mean that F was forgotten: all eight
# numbers are losses on R, no run was compared with an oracle, and this is one small network and one F.
#
# Not excluded: in train mode the layer normalises with the batch of F while the weights climb, so the gradient itself
# is another one than in the frozen run. A run in train mode whose running statistics are put back after every step
# (or counted again on R at the end) climbs with the gradient of "both" without its drift: is the damage still there?

# %% [markdown] tags=["rubric"]
# **Rubric for question 6, one point each.**
#
# 1. *Small step size.* Says that the damage is BatchNorm's, and quotes both, BatchNorm alone and ascent alone. No point
#    without numbers.
# 2. *Large step size.* Sees the interaction: both exceeds the sum of the two alone, several times. Half a point for
#    "neither alone does four fifths" without the sum. No point for giving the rest to ascent ("29% BatchNorm, so 71%
#    ascent"): alone it did next to nothing.
# 3. *Not shown.* Says at least one thing that the numbers are silent about, and that the reader's advice needs: whether
#    F is forgotten (all eight are losses on R, and no oracle was run), other networks, data, seeds, an F of many
#    classes. No point if the answer itself says that ascent is harmless, or that it forgets.
# 4. *Another explanation and its run.* A cause that the four runs leave open, and a run whose outcome would differ if it
#    were true; say half a point for a cause without a run. Examples: the gradient is another one when the layer
#    normalises with the batch of F (statistics put back after each step, or counted again on R); F is all of one class
#    (a random F); chance (other seeds). No point for a run that repeats one of the four.
#
# Count no words: 140 or 270 cost nothing. Style and English cost nothing.

# %% tags=["hidden"]
import math

import numpy as np

from unlearning.build.grading import same


def follows(damages):
    """The conclusion that a student's own numbers allow: one slip is paid for once."""
    for cause in ("BatchNorm", "ascent"):
        if damages[f"{cause} alone"] >= 0.8 * damages["both"]:
            return cause
    return "neither alone"


# %% tags=["hidden-test"] question="q1" points=1
def test_drift(student, reference, seed):
    """the running mean after k batches"""
    for m_0, mu, k in [(0.0, 1.0, 0), (2.0, -1.0, 5), (0.3, 0.7, 40)]:
        found = student.drift(m_0, mu, k)
        assert not same(found, m_0 + 0.9**k * (mu - m_0)) or same(mu, m_0), (
            "0.9^k is the share of the old mean that is left, not of the new."
        )
        assert same(found, reference.drift(m_0, mu, k)), (
            f"m_0 = {m_0}, μ = {mu}, k = {k}: {reference.drift(m_0, mu, k):.4f}, not {found}."
        )


# %% tags=["hidden-test"] question="q1" points=1
def test_batches_until(student, reference, seed):
    """the number of batches"""
    for share in (0.0, 0.05, 0.25, 0.9, 0.99):  # none of them 1 - 0.9^k, where rounding decides
        found = student.batches_until(share)
        assert same(found, reference.batches_until(share)), (
            f"At least {share:g} needs {reference.batches_until(share)} batches, not {found}: the "
            f"smallest k with 1 − 0.9^k ≥ share."
        )


# %% tags=["hidden-test"] question="q2" points=1
def test_train_mode(student, reference, seed):
    """ascent in train mode"""
    found, expected = (
        student.run_ascend(seed, 0.02, 5, False),
        reference.run_ascend(seed, 0.02, 5, False),
    )
    down = 2 * expected["weights_before"] - reference.run_ascend(seed, 0.02, 1, False)["weights"]
    assert not same(student.run_ascend(seed, 0.02, 1, False)["weights"], down, 1e-8), (
        "That is descent: the loss on F falls."
    )
    assert same(found["weights"], expected["weights"], 1e-8), (
        "Not `steps` steps of θ + lr · gradient of the mean loss on F, in train mode."
    )
    assert same(found["statistics"], expected["statistics"], 1e-8), (
        "In train mode each step moves the running statistics once."
    )


# %% tags=["hidden-test"] question="q2" points=2
def test_frozen(student, reference, seed):
    """ascent with BatchNorm frozen"""
    found, expected = (
        student.run_ascend(seed, 0.02, 5, True),
        reference.run_ascend(seed, 0.02, 5, True),
    )
    assert same(found["statistics"], found["statistics_before"], 1e-8), (
        "The running statistics moved. Is there a model.train() after the layers were frozen? It "
        "wakes them up again."
    )
    assert not same(found["weights"], found["weights_before"], 1e-8), (
        "The weights stayed as well. Freezing BatchNorm's *statistics* is not freezing parameters: "
        "requires_grad stays True."
    )
    assert not same(found["weights"], reference.run_held(seed, 0.02, 5), 1e-8), (
        "The statistics stand still, but the layer still normalises with the batch of F "
        "(momentum=0, or statistics put back "
        "afterwards). That is a third kind of run: put the BatchNorm layers into evaluation mode."
    )
    affine = found["affine_moved"]
    assert affine, (
        "BatchNorm's own weight and bias must still learn; only its statistics are frozen."
    )
    assert same(found["weights"], expected["weights"], 1e-8), (
        "Not `steps` steps of ascent with BatchNorm in evaluation mode."
    )


# %% tags=["hidden-test"] question="q3" points=1
def test_damage(student, reference, seed):
    """the damage of one run"""
    found, expected = student.run_damage(seed, False), reference.run_damage(seed, False)
    assert not same(found["damage"], -expected["damage"], 1e-8), (
        "The sign: a rise of the loss is positive damage."
    )
    assert same(found["damage"], expected["damage"], 1e-8), (
        "Mean cross-entropy on R in evaluation mode, after minus before."
    )


# %% tags=["hidden-test"] question="q3" points=1
def test_damage_in_any_mode(student, reference, seed):
    """scoring models that arrive in train mode"""
    found, expected = student.run_damage(seed, True), reference.run_damage(seed, True)
    assert not found["changed"], (
        "Scoring in train mode moves the running statistics: your measurement changes what it "
        "measures."
    )
    assert same(found["damage"], expected["damage"], 1e-8), (
        "In train mode a network normalises with the statistics of the batch that it sees, so the "
        "drift is invisible. Score in "
        "evaluation mode: that is how the model will be used."
    )


# %% tags=["hidden-test"] question="q4" points=2
def test_design(student, reference, seed):
    """the switches of the four runs"""
    found, expected = student.design(0.05), reference.design(0.05)
    swapped = found.get("BatchNorm alone") == expected["ascent alone"]
    assert not swapped, (
        "'BatchNorm alone' switches *ascent* off (step size 0), 'ascent alone' freezes BatchNorm. "
        "You have them the other way round."
    )
    for name, switches in expected.items():
        assert found.get(name) == switches, (
            f"{name!r}: which of the two causes is on? It needs {switches}, not {found.get(name)}."
        )


# %% tags=["hidden-test"] question="q4" points=2
def test_prediction(student, reference, seed):
    """what moves in each run"""
    truth = reference.run_moves(seed)
    for name in ("weights", "statistics"):
        found = student[f"{name}_move"]
        for run, moves in truth[name].items():
            assert found.get(run) is moves, (
                f"{run}: the {name} {'move' if moves else 'stay'}. (A wrong prediction is worth "
                f"more than none, if you now know why.)"
            )


# %% tags=["hidden-test"] question="q5" points=1
def test_share(student, reference, seed):
    """the share, and where it means nothing"""
    assert same(student.share(0.3, 0.4), 0.75), "The share is alone / both."
    found = student.share(0.004, 0.005)
    assert isinstance(found, float) and math.isnan(found), (
        "A damage below the noise cannot be shared out: nan."
    )
    assert same(student.share(0.3, 0.6, 0.6), 0.5), "Exactly at the noise the share still counts."
    assert math.isnan(student.share(0.3, 0.4, 0.5)), "Use the argument noise."


# %% tags=["hidden-test"] question="q5" points=2
def test_study(student, reference, seed):
    """your eight damages"""
    for name, lr in (("damage_small", "small"), ("damage_large", "large")):
        found, expected = student[name], reference[name]
        carried = student.run_study(reference[lr])
        for run, value in expected.items():
            right = same(found.get(run), value, 1e-6) or same(
                found.get(run), carried.get(run), 1e-6
            )
            assert right, f"{name}, {run!r}: not the damage of this run on your data."


# %% tags=["hidden-test"] question="q5" points=2
def test_conclusion(student, reference, seed):
    """what does the damage"""
    right = reference["at_small"], follows(student["damage_small"])
    assert student["at_small"] in right, (
        "At the small step size look at 'BatchNorm alone' beside 'both'."
    )
    right = reference["at_large"], follows(student["damage_large"])
    assert student["at_large"] in right, (
        "At the large step size add the damage of the two alone, and compare the sum with 'both'. "
        "Causes need not add up."
    )


# %% tags=["probe"]
made = {}  # training once is enough


def setting(seed):
    retain, forget = points(282, seed + 3), points(18, seed + 1003, classes=1)
    if seed not in made:
        made[seed] = network(seed + 3, retain, forget)
    return copy.deepcopy(made[seed]), retain, forget


def checked(model):
    if not isinstance(model, nn.Module):
        raise TypeError(f"return the new model, not a {type(model).__name__}")
    return model


def run_ascend(seed, lr, steps, frozen):
    model, _, forget = setting(seed)
    found = checked(answers.ascend(copy.deepcopy(model), forget, lr, steps, frozen))
    return {
        "weights": weights(found), "statistics": statistics(found),
        "weights_before": weights(model), "statistics_before": statistics(model),
        "affine_moved": not torch.equal(found[1].weight, model[1].weight),
    }  # fmt: skip


def run_held(seed, lr, steps):
    model, _, forget = setting(seed)
    model.train()
    model[1].momentum = 0.0
    optimiser = torch.optim.SGD(model.parameters(), lr)
    for _ in range(steps):
        optimiser.zero_grad()
        (-F.cross_entropy(model(forget[0]), forget[1])).backward()
        optimiser.step()
    return weights(model)


def run_damage(seed, in_train_mode):
    before, retain, forget = setting(seed)
    after = copy.deepcopy(before).train()
    for _ in range(10):
        after(forget[0])
    for model in (before, after):
        model.train(in_train_mode)
    kept = torch.cat([statistics(before), statistics(after)])
    found = answers.damage(before, after, retain)
    return {
        "damage": found,
        "changed": not torch.equal(kept, torch.cat([statistics(before), statistics(after)])),
    }


def run_moves(seed):
    model, _, forget = setting(seed)
    told = {"weights": {}, "statistics": {}}
    for name, switches in answers.design(0.02).items():
        after = answers.ascend(model, forget, steps=3, **switches)
        told["weights"][name] = not torch.equal(weights(model), weights(after))
        told["statistics"][name] = not torch.equal(statistics(model), statistics(after))
    return told


def run_study(lr):
    """The damages that the student's own functions give."""
    told = {}
    for name, switches in answers.design(lr).items():
        after = answers.ascend(pretrained, forget, steps=steps, **switches)
        told[name] = answers.damage(pretrained, after, retain)
    return told
