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
# # A3 · Three methods that ascend
#
# Gradient ascent, descent-ascent and SCRUB are the methods that this book examines. Each is a dozen lines of PyTorch,
# and in these dozen lines sit slips that no error message reports: the code runs, the numbers look plausible, and a
# paper's conclusion may rest on them. You will write all three, on a small network where every step can be checked
# exactly.
#
# Write your code where a cell says so, and run the test below each answer: it says nothing if all is well, and
# otherwise what to think about. When you are graded, further tests look at other cases. You need about 60 minutes, and
# PyTorch; no GPU. Read first the chapter
# [The question](../question.py),
# as far as its section "Why ascent looks reasonable", which introduces the three.

# %% tags=["assignment"]
minutes = 60
needs = ["torch"]
chapters = ["question"]

# %% tags=["seed"]
ASSIGNMENT = "a3"
SEED = 1  # yours

# %% [markdown]
# ## What you are given
#
# Points are a pair `(x, y)`. The network is small, has no batch normalisation (that is assignment A4's topic) and
# computes in double precision, so that two correct programs agree to the last digits. `weights` puts all parameters
# into one vector.

# %% tags=["given"]
import copy

import torch
from torch import nn
from torch.nn import functional as F


def points(n, seed):
    """n points in four dimensions, of three classes, as (x, y)."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % 3
    x = torch.randn(n, 4, generator=generator, dtype=torch.float64)
    x[torch.arange(n), y] += 2.0
    return x, y


def network(seed):
    """A small network, trained for a few steps."""
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(0.5 * torch.randn(p.shape, generator=generator, dtype=torch.float64))
    optimiser = torch.optim.SGD(model.parameters(), lr=0.5)
    x, y = points(60, seed)
    for _ in range(20):
        optimiser.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimiser.step()
    return model


def weights(model):
    """All parameters as one vector."""
    return torch.cat([p.detach().flatten() for p in model.parameters()]).clone()


forget, retain = points(12, SEED + 1), points(48, SEED + 2)
pretrained = network(SEED)

# %% [markdown]
# ## Question 1: gradient ascent
#
# **GA** climbs the mean cross-entropy on the forget set, batch after batch in the order of the data:
#
# $$
# \theta \;\leftarrow\; \theta + \eta\,\nabla_\theta\, \frac{1}{|B|}\sum_{(x,y)\in B} \ell(\theta; x, y)
# \qquad\text{for each batch } B \subset F .
# $$
#
# One epoch visits every batch once; `x.split(batch)` makes them, and the last one may be smaller. Plain gradient steps:
# no momentum, no weight decay. The model that you are given must stay as it is: someone else wants to compare with it.
# Return the new one. *Before you run it: does the loss on* $F$ *have an upper limit?*

# %% [markdown]
# **My prediction** (write it here; nobody marks it):


# %% tags=["answer"] question="q1"
def gradient_ascent(model, forget, lr, epochs, batch):
    """GA: a new model after `epochs` passes over `forget` = (x, y)."""
    # BEGIN SOLUTION
    model = copy.deepcopy(model)
    optimiser = torch.optim.SGD(model.parameters(), lr)
    for _ in range(epochs):
        for x, y in zip(forget[0].split(batch), forget[1].split(batch)):
            optimiser.zero_grad()
            (-F.cross_entropy(model(x), y)).backward()
            optimiser.step()
    return model
    # END SOLUTION


# %% tags=["public-test"]
given = copy.deepcopy(pretrained)
climbed = gradient_ascent(given, forget, lr=0.1, epochs=2, batch=4)
assert isinstance(climbed, nn.Module), "Return the new model."
assert torch.equal(weights(given), weights(pretrained)), (
    "Your function changed the model that it was given: copy that first (copy.deepcopy)."
)
before, after = (F.cross_entropy(m(forget[0]), forget[1]).item() for m in (pretrained, climbed))
assert after > before, (
    f"The loss on F went from {before:.3f} to {after:.3f}: ascent should raise it."
)
slope = torch.autograd.grad(F.cross_entropy(given(forget[0]), forget[1]), given.parameters())
one_step = weights(gradient_ascent(given, forget, lr=0.1, epochs=1, batch=12))
assert torch.allclose(
    one_step, weights(given) + 0.1 * torch.cat([g.flatten() for g in slope])
), "One epoch of one batch is one step: θ + lr · gradient of the *mean* loss."
assert not torch.allclose(
    one_step, weights(gradient_ascent(given, forget, lr=0.1, epochs=1, batch=4))
), "Three batches of 4 are three steps, each with a gradient of its own."
once = gradient_ascent(given, forget, lr=0.1, epochs=1, batch=4)
twice = gradient_ascent(once, forget, lr=0.1, epochs=1, batch=4)
assert torch.allclose(weights(twice), weights(climbed)), (
    "Two epochs are not one epoch twice: are all epochs run, and does something carry over from "
    "step to step, such as a gradient that was not cleared?"
)

# %% [markdown]
# ## Question 2: descent-ascent
#
# **GDA** tries to keep the rest of the model alive. Each epoch ends with an ordinary training pass over the retain
# set ($\theta \leftarrow \theta - \eta\nabla L$, batch after batch), and in the first `ascent_epochs` epochs an
# ascent pass over the forget set comes *before* it. With `ascent_epochs=0` this is fine-tuning on $R$.


# %% tags=["answer"] question="q2"
def descent_ascent(model, forget, retain, lr, epochs, ascent_epochs, batch):
    """GDA: a new model; up on `forget` in epochs 1 … ascent_epochs, then down on `retain`."""
    # BEGIN SOLUTION
    model = copy.deepcopy(model)
    optimiser = torch.optim.SGD(model.parameters(), lr)
    for epoch in range(1, epochs + 1):
        passes = [(-1, forget)] * (epoch <= ascent_epochs) + [(1, retain)]
        for sign, (xs, ys) in passes:
            for x, y in zip(xs.split(batch), ys.split(batch)):
                optimiser.zero_grad()
                (sign * F.cross_entropy(model(x), y)).backward()
                optimiser.step()
    return model
    # END SOLUTION


# %% tags=["public-test"]
given = copy.deepcopy(pretrained)
tuned = descent_ascent(given, forget, retain, lr=0.1, epochs=2, ascent_epochs=0, batch=16)
assert torch.equal(weights(given), weights(pretrained)), (
    "Your function changed the model that it was given: copy that first (copy.deepcopy)."
)
before, after = (F.cross_entropy(m(retain[0]), retain[1]).item() for m in (pretrained, tuned))
assert after < before, (
    f"Without ascent this is training on R: its loss should fall, it went from {before:.3f} to "
    f"{after:.3f}."
)
ascended = descent_ascent(pretrained, forget, retain, lr=0.1, epochs=2, ascent_epochs=1, batch=16)
assert not torch.allclose(weights(ascended), weights(tuned)), (
    "With ascent_epochs=1 the forget set must play a part."
)
after_ga = gradient_ascent(pretrained, forget, lr=0.1, epochs=1, batch=16)
one, other = (
    descent_ascent(model, forget, retain, lr=0.1, epochs=1, ascent_epochs=passes, batch=16)
    for model, passes in ((pretrained, 1), (after_ga, 0))
)
assert torch.allclose(weights(one), weights(other)), (
    "One epoch with ascent is your `gradient_ascent` on F, then an epoch without. Which pass "
    "comes first, and is there no ascent at all with ascent_epochs=0? (Is question 1's test silent?)"
)

# %% [markdown]
# ## Question 3: what a student learns from a teacher
#
# **SCRUB** replaces the labels by a teacher: the pretrained model itself. Its loss compares the two models'
# predictions, softened by a temperature $T$, with the divergence from the teacher's to the student's:
#
# $$
# d(t, s) = T^2\;\frac{1}{n}\sum_{i=1}^{n} \sum_{c} p_{ic} \ln\frac{p_{ic}}{q_{ic}}, \qquad
# p_i = \mathrm{softmax}(t_i/T), \quad q_i = \mathrm{softmax}(s_i/T),
# $$
#
# where $t_i, s_i$ are the logits of teacher and student at point $i$. If you use `F.kl_div`, read twice what its first
# argument is, and how it averages.
#
# Then: what is the norm of the gradient of $d$ with respect to the student's weights on your forget set, while the
# student is still an exact copy of the teacher? *Predict it*, compute it, and store what you computed in
# `gradient_at_start`, as a Python float.

# %% [markdown]
# **My prediction** (write it here; nobody marks it):


# %% tags=["answer"] question="q3"
def distillation(teacher, student, temperature=4.0):
    """d(t, s) from logits of shape (n, classes), as a tensor with one number."""
    # BEGIN SOLUTION
    p, q = F.log_softmax(teacher / temperature, -1), F.log_softmax(student / temperature, -1)
    return temperature**2 * (p.exp() * (p - q)).sum(-1).mean()
    # END SOLUTION


# BEGIN SOLUTION
twin = copy.deepcopy(pretrained)
distillation(pretrained(forget[0]).detach(), twin(forget[0])).backward()
# END SOLUTION
gradient_at_start = float(sum(p.grad.square().sum() for p in twin.parameters()).sqrt())  # SOLUTION

# %% tags=["public-test"]
t, s = torch.tensor([[4.0, 0.0], [0.0, 0.0]]), torch.zeros(2, 2)
found = float(distillation(t, s, 4.0))
assert abs(found - 0.8878) < 1e-3, (
    f"Teacher logits (4, 0) at one point and (0, 0) at another, student logits (0, 0) at both, "
    f"T = 4: d = 16 · (0.111 + 0)/2 = 0.888, not {found:.4f}. Sum over classes, mean over points; "
    f"and who is the weight in the sum?"
)
assert abs(float(distillation(t, t))) < 1e-9, (
    "A student that agrees with its teacher is at distance 0."
)
assert isinstance(gradient_at_start, float) and gradient_at_start >= 0, (
    "Store the norm that you computed as a Python float (.item()); a norm is not negative."
)

# %% [markdown]
# ## Question 4: SCRUB
#
# The student starts as a copy of the pretrained model; the teacher is the pretrained model and **never changes**. In
# each epoch, as in GDA: in the first `ascent_epochs` epochs a pass over $F$ in which the student *climbs*
# $d(\text{teacher}, \text{student})$; then a pass over $R$ in which it descends $0.99\,\ell_{CE} +
# 0.1\,d(\text{teacher}, \text{student})$, where $\ell_{CE}$ is the mean cross-entropy with the labels. Everywhere $T =
# 4$. (The original also lowers the rate after some epochs; we leave that out.)
#
# Three things decide whether this is SCRUB or something that looks like it: which model's parameters the optimiser
# holds, whose predictions are differentiated, and who is a copy of whom.


# %% tags=["answer"] question="q4"
def scrub(model, forget, retain, lr, epochs, ascent_epochs, batch):
    """SCRUB: the student after `epochs` epochs."""
    # BEGIN SOLUTION
    teacher, student = copy.deepcopy(model).eval(), copy.deepcopy(model)
    optimiser = torch.optim.SGD(student.parameters(), lr)

    def step(loss):
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    for epoch in range(1, epochs + 1):
        if epoch <= ascent_epochs:
            for x in forget[0].split(batch):
                step(-distillation(teacher(x).detach(), student(x)))
        for x, y in zip(retain[0].split(batch), retain[1].split(batch)):
            z = student(x)
            step(0.99 * F.cross_entropy(z, y) + 0.1 * distillation(teacher(x).detach(), z))
    return student
    # END SOLUTION


# %% tags=["public-test"]
given = copy.deepcopy(pretrained)
scrubbed = scrub(given, forget, retain, lr=0.05, epochs=3, ascent_epochs=2, batch=8)
assert torch.equal(weights(given), weights(pretrained)), (
    "The pretrained model changed. It is the teacher, and must not learn from its student."
)
assert not torch.allclose(weights(scrubbed), weights(pretrained)), (
    "The student's weights did not move at all. Whose parameters does your optimiser hold? (The "
    "public code of the paper "
    "gives it the teacher's, so its SCRUB trains nothing; the book tests what follows from that.)"
)
without = scrub(given, forget, retain, lr=0.05, epochs=3, ascent_epochs=0, batch=8)
near, far = (
    float(distillation(given(forget[0]).detach(), m(forget[0]).detach()))
    for m in (without, scrubbed)
)
assert far > near, (
    f"On F the student must climb d, away from its teacher; with ascent it ends at d = {far:.5f}, "
    f"without at {near:.5f}."
)

# %% [markdown]
# ## Question 5: the pass that does nothing
#
# Put your answers together. Let SCRUB run its *first* ascent pass, over all batches of $F$, from the very start. How
# far does the student get from the pretrained model? `"nowhere"`, `"a step per batch"`, or `"it depends on the rate"`
# (`lr`)? Try it: your `scrub` with `epochs=1` and an empty retain set, `(retain[0][:0], retain[1][:0])`, runs the
# ascent pass alone. (Should the weights become nan, PyTorch made one empty batch of it: skip a batch without points.)
# Rounding leaves a distance of $10^{-16}$ or so. Why does the loss's shape at its minimum explain this?

# %% tags=["answer"] question="q5"
first_ascent_pass = "nowhere"  # SOLUTION

# %% tags=["public-test"]
assert first_ascent_pass in ("nowhere", "a step per batch", "it depends on the rate"), (
    "Choose one of the three."
)

# %% [markdown]
# ## What you have built
#
# You can now read any of these methods' code and know where to look. The book's chapters run them on image networks,
# next to controls; the next assignment asks what such a control must look like.

# %% [markdown]
# ## Is it the same as the book's?
#
# A second implementation is the best check there is. This cell compares with the library, if it is installed.

# %% tags=["plot"]
try:
    from unlearning import methods as book
except ImportError:
    print("the book's library is not installed here: nothing to compare with")
else:
    config = book.Config("gda", lr=0.1, epochs=(3,), batch=16, forget_batch=16, ascent_epochs=2)
    ((_, theirs),) = book.run(pretrained, book.Points(*forget), book.Points(*retain), config)
    ours = descent_ascent(pretrained, forget, retain, 0.1, 3, 2, 16)
    print("largest difference:", float((weights(theirs) - weights(ours)).abs().max()))

# %% tags=["hidden"]
import numpy as np

from unlearning.build.grading import same

TIGHT = 1e-8  # everything is in double precision


# %% tags=["hidden-test"] question="q1" points=1
def test_ga_one_step(student, reference, seed):
    """one step of gradient ascent"""
    found, expected = student.run_ga(seed, 6, 0.1, 1, 6), reference.run_ga(seed, 6, 0.1, 1, 6)
    moved, wanted = found["end"] - found["start"], expected["end"] - expected["start"]
    assert not same(moved, -wanted, TIGHT), (
        "That is descent: the loss on F falls. Ascent goes with the gradient."
    )
    assert not same(moved, 6 * wanted, TIGHT), "The loss is the mean over the batch, not the sum."
    assert not same(moved, 0 * wanted, TIGHT), "The model that you return has not moved at all."
    assert same(moved, wanted, TIGHT), (
        "Not θ + lr · gradient: plain SGD, no momentum, no weight decay, one step a batch."
    )


# %% tags=["hidden-test"] question="q1" points=2
def test_ga_batches(student, reference, seed):
    """gradient ascent over several batches and epochs"""
    found, expected = student.run_ga(seed, 14, 0.1, 3, 4), reference.run_ga(seed, 14, 0.1, 3, 4)
    whole = reference.run_ga(seed, 14, 0.1, 3, 14)
    assert not same(found["end"], whole["end"], TIGHT), (
        "One step per epoch on all of F: take a step for each batch."
    )
    assert not same(found["end"], reference.run_ga(seed, 14, 0.1, 1, 4)["end"], TIGHT), (
        "Only one epoch was run."
    )
    assert same(found["end"], expected["end"], TIGHT), (
        "Wrong after several steps. Do you clear the gradient before each one (zero_grad), keep "
        "the order of the data, and use "
        "the smaller last batch as well?"
    )


# %% tags=["hidden-test"] question="q1" points=1
def test_ga_leaves_the_model(student, reference, seed):
    """the given model after gradient ascent"""
    found = student.run_ga(seed, 6, 0.1, 1, 6)
    assert same(found["given"], found["start"], TIGHT), (
        "The model that was handed in has changed: copy it first (copy.deepcopy)."
    )
    assert not same(found["end"], found["start"], TIGHT), "The model that you return has not moved."


# %% tags=["hidden-test"] question="q2" points=1
def test_finetuning(student, reference, seed):
    """descent-ascent without ascent"""
    found, expected = student.run_gda(seed, 2, 0), reference.run_gda(seed, 2, 0)
    for ascended in (1, 2):
        assert not same(found["end"], reference.run_gda(seed, 2, ascended)["end"], TIGHT), (
            "ascent_epochs=0 means no ascent at all."
        )
    assert same(found["end"], expected["end"], TIGHT), (
        "With ascent_epochs=0: ordinary training on R, batch after batch."
    )


# %% tags=["hidden-test"] question="q2" points=1
def test_gda_order(student, reference, seed):
    """the order of the two passes"""
    found, expected = student.run_gda(seed, 1, 1), reference.run_gda(seed, 1, 1)
    assert not same(found["end"], reference.run_descent_first(seed), TIGHT), (
        "You descend first. In each epoch the ascent on F comes before."
    )
    assert same(found["end"], expected["end"], TIGHT), (
        "One epoch: a whole pass up on F, then a whole pass down on R, same rate."
    )


# %% tags=["hidden-test"] question="q2" points=1
def test_gda_ascent_epochs(student, reference, seed):
    """ascent in the first epochs only"""
    found, expected = student.run_gda(seed, 4, 2), reference.run_gda(seed, 4, 2)
    assert not same(found["end"], reference.run_gda(seed, 4, 4)["end"], TIGHT), (
        "You ascend in every epoch. After the first ascent_epochs epochs only R is left, to repair "
        "what the ascent broke."
    )
    for ascended in (1, 3):
        assert not same(found["end"], reference.run_gda(seed, 4, ascended)["end"], TIGHT), (
            f"Epochs 1 … ascent_epochs ascend, so two here; yours ascends in {ascended}."
        )
    assert same(found["end"], expected["end"], TIGHT), (
        "Wrong after four epochs, two of them with ascent."
    )
    assert same(found["given"], found["start"], TIGHT), (
        "The model that was handed in has changed: copy it first."
    )


# %% tags=["hidden-test"] question="q3" points=2
def test_distillation(student, reference, seed):
    """the distillation loss"""
    rng = np.random.default_rng(seed)
    t, s = 3 * rng.normal(size=(5, 3)), 3 * rng.normal(size=(5, 3))
    found, expected = student.run_distillation(t, s, 2.0), reference.run_distillation(t, s, 2.0)
    assert not same(found, reference.run_distillation(s, t, 2.0), TIGHT), (
        "That is KL(student ‖ teacher). The teacher's probabilities weight the logarithms; "
        "F.kl_div(input, target) takes the "
        "student's log-probabilities first and the teacher as target."
    )
    assert not same(found, expected / 4, TIGHT), (
        "The factor T² is missing: without it the gradient fades as T grows."
    )
    assert not same(found, expected / 3, TIGHT), (
        "You average over classes as well: sum over classes, mean over points ('batchmean')."
    )
    assert not same(found, 5 * expected, TIGHT), "Mean over the points, not their sum."
    assert same(found, expected, TIGHT), "Not T² times the mean of Σ p ln(p/q)."


# %% tags=["hidden-test"] question="q3" points=1
def test_gradient_at_start(student, reference, seed):
    """the gradient at the start"""
    found = student["gradient_at_start"]
    assert isinstance(found, float) and 0 <= found < 1e-9, (
        "A divergence is smallest, 0, where both distributions agree, and at a minimum the "
        "gradient vanishes. If yours does not: "
        "is the student really an exact copy of the teacher, at the same points?"
    )


# %% tags=["hidden-test"] question="q4" points=2
def test_teacher_stays(student, reference, seed):
    """the teacher stays, the student learns"""
    found = student.run_scrub(seed, 3, 2)
    assert same(found["given"], found["start"], TIGHT), (
        "The model that was handed in has changed: your optimiser, or a missing copy, let the "
        "teacher learn. SCRUB measures how "
        "far the student has moved *from the pretrained model*; a teacher that moves measures "
        "nothing."
    )
    assert not same(found["end"], found["start"], TIGHT), (
        "The student is exactly the pretrained model: nothing was trained. This happens when the "
        "optimiser holds the teacher's "
        "parameters while the loss flows to the student, or when the student's prediction is "
        "detached. No error tells you; the "
        "public code of the paper does it, and its SCRUB therefore 'stays close to the pretrained "
        "model'."
    )


# %% tags=["hidden-test"] question="q4" points=2
def test_scrub(student, reference, seed):
    """SCRUB over three epochs, two of them with ascent"""
    found, expected = student.run_scrub(seed, 3, 2), reference.run_scrub(seed, 3, 2)
    assert not same(found["end"], found["start"], TIGHT), (
        "The student did not move (see the test before)."
    )
    assert not same(found["end"], reference.run_without_teacher(seed, 3), 1e-7), (
        "Your teacher is the student itself: the divergence is always 0, and only the "
        "cross-entropy is left. The teacher is a "
        "frozen copy of the pretrained model."
    )
    assert not same(found["end"], reference.run_scrub(seed, 3, 0)["end"], TIGHT), (
        "The ascent passes over F are missing."
    )
    for carried in (
        reference.run_scrub_signed(seed, 3, 2, 1),
        student.run_scrub_signed(seed, 3, 2, 1),
    ):
        assert not same(found["end"], carried, TIGHT), (
            "On F the student must climb the divergence, not descend it."
        )
    right = same(found["end"], expected["end"], TIGHT) or same(
        found["end"], student.run_scrub_signed(seed, 3, 2, -1), TIGHT
    )
    assert right, (
        "Wrong after three epochs: ascent on d over F, then 0.99 CE + 0.1 d over R, T = 4; d takes "
        "the teacher's logits first."
    )


# %% tags=["hidden-test"] question="q5" points=1
def test_first_ascent_pass(student, reference, seed):
    """what SCRUB's first ascent pass does"""
    assert student["first_ascent_pass"] == reference["first_ascent_pass"], (
        "The gradient at the start is 0 (question 3). So the first batch does not move the "
        "student, so the second one meets the "
        "same student, and so on: whatever the rate."
    )


# %% tags=["probe"]
def a_model(found):
    if not isinstance(found, nn.Module):
        raise TypeError(f"return the new model, not a {type(found).__name__}")
    return weights(found)


def run_ga(seed, n, lr, epochs, batch):
    model = network(seed + 10)
    start = weights(model)
    end = a_model(answers.gradient_ascent(model, points(n, seed + 11), lr, epochs, batch))
    return {"start": start, "end": end, "given": weights(model)}


def run_gda(seed, epochs, ascent_epochs):
    model = network(seed + 10)
    start = weights(model)
    found = answers.descent_ascent(
        model, points(9, seed + 11), points(20, seed + 12), 0.1, epochs, ascent_epochs, 6
    )
    return {"start": start, "end": a_model(found), "given": weights(model)}


def run_descent_first(seed):
    model, forget, retain = network(seed + 10), points(9, seed + 11), points(20, seed + 12)
    model = answers.descent_ascent(model, forget, retain, 0.1, 1, 0, 6)
    return weights(answers.gradient_ascent(model, forget, 0.1, 1, 6))


def run_distillation(t, s, temperature):
    return answers.distillation(torch.tensor(t), torch.tensor(s), temperature)


def run_scrub(seed, epochs, ascent_epochs):
    model = network(seed + 10)
    start = weights(model)
    found = answers.scrub(
        model, points(9, seed + 11), points(20, seed + 12), 0.1, epochs, ascent_epochs, 6
    )
    return {"start": start, "end": a_model(found), "given": weights(model)}


def run_without_teacher(seed, epochs):
    model, (xs, ys) = network(seed + 10), points(20, seed + 12)
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(epochs):
        for x, y in zip(xs.split(6), ys.split(6)):
            optimiser.zero_grad()
            (0.99 * F.cross_entropy(model(x), y)).backward()
            optimiser.step()
    return weights(model)


def run_scrub_signed(seed, epochs, ascent_epochs, sign):
    """SCRUB with the student's own distillation (one slip is paid for once); on F this sign."""
    model, (fx, _), (xs, ys) = network(seed + 10), points(9, seed + 11), points(20, seed + 12)
    student = copy.deepcopy(model)
    optimiser = torch.optim.SGD(student.parameters(), 0.1)
    for epoch in range(1, epochs + 1):
        batches = [(x, None) for x in fx.split(6)] * (epoch <= ascent_epochs)
        for x, y in [*batches, *zip(xs.split(6), ys.split(6))]:
            optimiser.zero_grad()
            d = answers.distillation(model(x).detach(), student(x))
            (sign * d if y is None else 0.99 * F.cross_entropy(student(x), y) + 0.1 * d).backward()
            optimiser.step()
    return weights(student)
