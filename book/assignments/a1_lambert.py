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
# # A1 · The sharp threshold of harm
#
# A model was trained on a data set $D$. Some of its samples, the forget set $F$, must go. The honest way is to train
# again on what is left, the retain set $R = D \setminus F$; the result is called the **oracle**. A quicker way is in
# use: go *down* the loss on $R$ and *up* the loss on $F$ at the same time, **descent-ascent**. Does it end nearer to
# the oracle than the model was to begin with?
#
# In this assignment you answer that question completely, for the smallest model there is: one weight $w$. You will
# find that descent-ascent helps below a certain ratio of forget samples and harms above it, and where exactly the
# border lies.
#
# Write your code where a cell says so, and run the test below each answer: it says nothing if all is well, and
# otherwise what to think about. When you are graded, further tests look at other numbers. You need about 45 minutes,
# paper and a pencil. Read first the chapter
# [One dimension](../one_dimension.py),
# up to its section "Three regimes", without that one.

# %% tags=["assignment"]
minutes = 45
needs = ["scipy"]
chapters = ["one_dimension"]

# %% [markdown]
# ## Your problem
#
# Everyone has numbers of their own, drawn from the seed. Leave this cell as it is.

# %% tags=["seed"]
ASSIGNMENT = "a1"
SEED = 1  # yours

# %% tags=["given"]
import numpy as np
from scipy.special import lambertw

rng = np.random.default_rng(SEED)
n_retain = int(rng.integers(60, 120)) * 10  # |R|
n_forget = int(rng.integers(6, 15)) * 10  # |F|
r = int(rng.integers(30, 50))  # retain samples on our coordinate
lam = 0.05  # λ, the ridge
print(f"|R| = {n_retain}, |F| = {n_forget}, r = {r}, λ = {lam}")

# %% [markdown]
# ## Question 1: three pulls
#
# Every sample has a single non-zero coordinate, and there $y\,x = 1$. So the coordinates do not see each other. On
# ours live $r$ samples of $R$ and $\alpha r$ samples of $F$, so $\alpha$ is the ratio of forget to retain samples
# there; the loss of a sample is $e^{-y x w} = e^{-w}$. With $|D| = |R| + |F|$, our coordinate's share of each
# objective is
#
# $$
# \begin{aligned}
# L_D(w) &= \frac{1}{|D|}\sum_{D} e^{-w} + \frac{\lambda}{2} w^2 && \text{(pretraining)}\\
# L_R(w) &= \frac{1}{|R|}\sum_{R} e^{-w} + \frac{\lambda}{2} w^2 && \text{(the oracle)}\\
# L_{DA}(w) &= \frac{1}{|R|}\sum_{R} e^{-w} - \frac{1}{|F|}\sum_{F} e^{-w} + \frac{\lambda}{2} w^2
# && \text{(descent-ascent)}
# \end{aligned}
# $$
#
# where the sums run over the samples of our coordinate. All three have the form $A\,e^{-w} + \frac{\lambda}{2}w^2$.
# Write the function that returns the three pulls $A_D, A_R, A_{DA}$. *Before you do: which of them can be negative?*

# %% [markdown]
# **My prediction** (write it here; nobody marks it):


# %% tags=["answer"] question="q1"
def pulls(n_retain, n_forget, r, alpha):
    """(A_D, A_R, A_DA), the coefficients of exp(-w)."""
    # BEGIN SOLUTION
    n_train = n_retain + n_forget
    return (1 + alpha) * r / n_train, r / n_retain, r / n_retain - alpha * r / n_forget
    # END SOLUTION


# %% tags=["public-test"]
found = pulls(900, 100, 100, 0.0)
assert np.allclose(found, (100 / 1000, 100 / 900, 100 / 900)), (
    "With α = 0 no forget sample lies on our coordinate: A_D = r/|D| and A_DA = A_R = r/|R|."
)
assert pulls(900, 100, 100, 0.5)[0] > found[0], (
    "Forget samples pull in pretraining as well: A_D grows with α."
)
assert np.isclose(pulls(900, 100, 100, 0.5)[2], 100 / 900 - 50 / 100), (
    "A_DA at α = 0.5: 50 samples of F lie on our coordinate; ascent takes 50/|F| away."
)

# %% [markdown]
# ## Question 2: where an objective comes to rest
#
# The derivative of $A e^{-w} + \frac{\lambda}{2}w^2$ vanishes where $w\,e^{w} = A/\lambda$. The solution of $w\,e^w =
# z$ is **Lambert's W**: $w = W(z)$. For real $z$ it is real only if $z \ge -1/e$; on $-1/e \le z < 0$ there are two
# real branches, and we want the principal one, $W_0$. SciPy's `lambertw(z)` computes it, as a *complex* number, also
# where no real one exists.
#
# Return the stationary point as a real number, or `np.nan` if there is none.


# %% tags=["answer"] question="q2"
def stationary(pull, lam):
    """The w with w exp(w) = pull/lam on the principal branch; nan if no real w exists."""
    # BEGIN SOLUTION
    z = pull / lam
    return float(lambertw(z).real) if z >= -np.exp(-1) else np.nan
    # END SOLUTION


# %% tags=["public-test"]
w = stationary(0.1, 0.05)
assert np.isclose(-0.1 * np.exp(-w) + 0.05 * w, 0), (
    "At a stationary point the derivative −A e^(−w) + λ w is zero."
)
assert -1 < stationary(-0.01, 0.05) < 0, (
    "A slightly negative pull has a stationary point, between −1 and 0: principal branch."
)
assert np.isrealobj(w) and np.isnan(stationary(-0.1, 0.05)), (
    "A real number, please; and nan at A/λ = −2, below −1/e: there is no stationary point."
)

# %% [markdown]
# ## Question 3: three regimes
#
# The second derivative at a stationary point is $\lambda(1+w)$. As $\alpha$ grows, $A_{DA}$ falls, and $L_{DA}$ goes
# through three regimes: it has one **global minimum** while $A_{DA} \ge 0$; then, unbounded below, it keeps a **local
# minimum**, as long as $W_0$ exists; then **no stationary point**, and the weight runs to $-\infty$. Name the regime.
# Derive the two values of $\alpha$ at which it changes; by convention both borders belong to the regime on their left
# (compare $\alpha$ with your formulas there, no pull with 0: rounding decides that).


# %% tags=["answer"] question="q3"
def regime(n_retain, n_forget, r, alpha, lam):
    """ "global minimum", "local minimum" or "no stationary point"."""
    # BEGIN SOLUTION
    if alpha <= n_forget / n_retain:
        return "global minimum"
    last = n_forget / n_retain + lam * n_forget / (np.e * r)
    return "local minimum" if alpha <= last else "no stationary point"
    # END SOLUTION


# %% tags=["public-test"]
names = [regime(900, 100, 100, alpha, 0.1) for alpha in (0.05, 0.13, 0.9)]
assert names == ["global minimum", "local minimum", "no stationary point"], (
    f"At |R| = 900, |F| = 100, r = 100, λ = 0.1 the values α = 0.05, 0.13, 0.9 lie in the three "
    f"regimes, in this order; got {names}. Is A_DA of question 1 right there?"
)

# %% [markdown]
# ## Question 4: does it harm?
#
# Descent-ascent **harms** if it ends *farther* from the oracle than the pretrained weight was: $|w_{DA} - w_R| > |w_D
# - w_R|$. If there is no stationary point, the weight runs away for ever: decide what that means.


# %% tags=["answer"] question="q4"
def harms(n_retain, n_forget, r, alpha, lam):
    """True if descent-ascent ends farther from the oracle than it started, else False."""
    # BEGIN SOLUTION
    w_d, w_r, w_da = (stationary(a, lam) for a in pulls(n_retain, n_forget, r, alpha))
    return bool(np.isnan(w_da) or abs(w_da - w_r) > abs(w_d - w_r))
    # END SOLUTION


# %% tags=["public-test"]
assert not harms(900, 100, 100, 0.0, 0.1), (
    "Without forget samples here, descent-ascent and the oracle agree: no harm."
)
assert harms(900, 100, 100, 0.1, 0.1), (
    "At α = 0.1 the order is w_DA < w_D < w_R: descent-ascent went the wrong way."
)

# %% [markdown]
# ## Question 5: the border
#
# *Predict before you compute:* if you make the ridge $\lambda$ ten times smaller, does the smallest harmful $\alpha$
# fall, stay, or rise? Then find it by bisection for **your** numbers: `harms` is False at $\alpha = 0$ and True at
# $\alpha = |F|/|R|$. A function of $\lambda$ is handy, you need it twice. Store the border in `my_border`, to at least
# ten digits, and in `smaller_ridge` what happened with a smaller ridge (not your prediction): `"falls"`, `"stays"` or
# `"rises"`.

# %% [markdown]
# **My prediction** (write it here; nobody marks it):


# %% tags=["answer"] question="q5"
# BEGIN SOLUTION
def border(lam):
    """The α at which harm begins, by bisection."""
    low, high = 0.0, n_forget / n_retain
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if harms(n_retain, n_forget, r, middle, lam) else (middle, high)
    return high


# END SOLUTION
my_border = border(lam)  # SOLUTION
smaller_ridge = "stays"  # SOLUTION

# %% tags=["public-test"]
assert my_border is not ... and smaller_ridge in ("falls", "stays", "rises"), (
    "q5 is not answered yet, or `smaller_ridge` is none of the three words."
)
assert 0 < my_border < n_forget / n_retain, "The border lies between 0 and |F|/|R|."
assert not harms(n_retain, n_forget, r, 0.999 * my_border, lam), (
    "There is harm already a little below your border: it is too high."
)
assert harms(n_retain, n_forget, r, 1.001 * my_border, lam), (
    "There is no harm yet a little above your border: it is too low."
)

# %% [markdown]
# ## Question 6: the formula
#
# Your border has a closed form. Vary $|R|$, $|F|$, $r$ and $\lambda$ one at a time and see what it depends on. Then
# derive it: for $\alpha < |F|/|R|$ both $A_D$ and $A_{DA}$ are below $A_R$, and $W_0$ increases. So both weights lie
# left of the oracle's, and the border is where the two are equal. (Then the formula is *exact*, for every ridge.)


# %% tags=["answer"] question="q6"
def alpha_star(n_retain, n_forget):
    """The α above which descent-ascent harms."""
    # BEGIN SOLUTION
    return n_forget**2 / (n_retain * (2 * n_forget + n_retain))
    # END SOLUTION


# %% tags=["public-test"]
assert np.isclose(alpha_star(n_retain, n_forget), my_border, rtol=1e-6), (
    f"On your own problem the formula gives {alpha_star(n_retain, n_forget)}, bisection "
    f"{my_border}."
)

# %% [markdown]
# ## What you have shown
#
# The border is far below $|F|/|R|$, the ratio of forget to retain samples that a coordinate has on average. So on an
# ordinary coordinate, descent-ascent ends farther from the oracle than doing nothing. The picture shows it on your
# problem.

# %% tags=["plot"]
import matplotlib.pyplot as plt

alphas = np.linspace(0, 1.8 * n_forget / n_retain, 300)
rest = np.array(
    [[stationary(a, lam) for a in pulls(n_retain, n_forget, r, alpha)] for alpha in alphas]
)
for column, name in enumerate(("pretrained", "oracle", "descent-ascent")):
    plt.plot(alphas, rest[:, column], label=name)
plt.axvline(my_border, ls=":", color="grey", label="your border")
plt.xlabel("α, forget samples per retain sample")
plt.ylabel("w at rest")
plt.legend()
plt.show()

# %% [markdown]
# ## Is it the same as the book's?
#
# A second implementation is the best check there is. This cell compares with the library, if it is installed.

# %% tags=["plot"]
try:
    from unlearning.theory import one_dimension as book
except ImportError:
    print("the book's library is not installed here: nothing to compare with")
else:
    problem = book.OneCoordinate(n_retain, n_forget, r, np.linspace(0, 0.1, 50), lam)
    ours = [stationary(pulls(n_retain, n_forget, r, a)[2], lam) for a in problem.alpha]
    print("largest difference:", np.nanmax(np.abs(ours - book.stationary(problem, "DA"))))

# %% tags=["hidden"]
import numpy as np

from unlearning.build.grading import same

CASES = [(900, 100, 100, 0.03), (640, 80, 37, 0.2), (5000, 40, 12, 0.011), (70, 65, 9, 1.3)]


# %% tags=["hidden-test"] question="q1" points=2
def test_pulls(student, reference, seed):
    """the three pulls, at other numbers"""
    for case in CASES:
        found, expected = np.array(student.pulls(*case)), reference.pulls(*case)
        assert found.shape == (3,), "Return three numbers: A_D, A_R, A_DA."
        n_retain, n_forget, r, alpha = case
        assert not same(found[2], (r - alpha * r) / n_retain), (
            "A_DA: the ascent term is a mean over F, so it is divided by |F|, not by |R|."
        )
        assert not same(found[2], r / n_retain + alpha * r / n_forget), (
            "A_DA: ascent on F has a minus sign."
        )
        assert not same(found[0], r / (n_retain + n_forget)), (
            "A_D: D contains the forget samples, too; r + αr of its samples lie on our coordinate."
        )
        assert same(found, expected), (
            "The pulls are the samples on our coordinate over the size of the set, with their sign."
        )


# %% tags=["hidden-test"] question="q2" points=1
def test_stationary_points(student, reference, seed):
    """stationary points of positive and slightly negative pulls"""
    for pull, lam in [(0.3, 0.1), (0.02, 2.0), (-0.003, 0.01), (-0.3, 1.0)]:
        found = student.stationary(pull, lam)
        assert lam == 1 or not same(found, reference.stationary(pull, 1.0)), (
            "The argument of W is A/λ: the ridge counts."
        )
        assert not (pull < 0 and isinstance(found, float) and found < -1), (
            "That is the other branch: a maximum, not a minimum."
        )
        assert same(found, reference.stationary(pull, lam)), (
            "Not the w with w e^w = A/λ on the principal branch."
        )


# %% tags=["hidden-test"] question="q2" points=1
def test_no_stationary_point(student, reference, seed):
    """nan where no stationary point exists"""
    for pull, lam in [(-0.5, 1.0), (-0.1, 0.01)]:
        found = student.stationary(pull, lam)
        assert not isinstance(found, np.ndarray), "Return a real number or nan, no complex one."
        assert found is not None and np.isnan(found), (
            "Below A/λ = −1/e there is no real solution. lambertw still returns a complex number "
            "there, and its real part is "
            "no stationary point: put it into the derivative and see."
        )


# %% tags=["hidden-test"] question="q3" points=1
def test_three_regimes(student, reference, seed):
    """the regime, at many α"""
    for n_retain, n_forget, r, _ in CASES:
        for alpha in np.linspace(0.1, 3, 40) * n_forget / n_retain:
            found = student.regime(n_retain, n_forget, r, alpha, 0.1)
            expected = reference.regime(n_retain, n_forget, r, alpha, 0.1)
            assert not (found == "global minimum" and expected == "local minimum"), (
                "For A_DA < 0 the objective falls without end as w → −∞: what is left is a local "
                "minimum only."
            )
            assert found == expected, (
                f"|R| = {n_retain}, |F| = {n_forget}, r = {r}, α = {alpha:.4g}, λ = 0.1: "
                f"{expected}, not {found}. "
                "Where does A_DA/λ reach −1/e?"
            )


# %% tags=["hidden-test"] question="q3" points=1
def test_borders_of_the_regimes(student, reference, seed):
    """the borders belong to the left, and the ridge moves the second"""
    assert student.regime(800, 100, 50, 0.125, 0.1) == "global minimum", (
        "At α = |F|/|R| the pull is 0: still a global minimum."
    )
    found = [student.regime(800, 100, 50, 0.2, lam) for lam in (0.05, 1.0)]
    assert found == ["no stationary point", "local minimum"], (
        "A larger ridge keeps the local minimum alive for longer."
    )


# %% tags=["hidden-test"] question="q4" points=2
def test_harm(student, reference, seed):
    """harm or not, over all regimes that have a stationary point"""
    for n_retain, n_forget, r, _ in CASES:
        for alpha in np.linspace(0.02, 1.0, 30) * n_forget / n_retain:
            found = student.harms(n_retain, n_forget, r, alpha, 0.1)
            expected = reference.harms(n_retain, n_forget, r, alpha, 0.1)
            carried = student.probe_harms(n_retain, n_forget, r, alpha, 0.1)
            assert isinstance(found, bool), "Return True or False."
            assert found in (expected, carried), (
                f"|R| = {n_retain}, |F| = {n_forget}, r = {r}, α = {alpha:.4g}, λ = 0.1: "
                f"{expected}. Harm compares two "
                "distances to the oracle w_R: that of w_DA and that of w_D."
            )


# %% tags=["hidden-test"] question="q4" points=1
def test_harm_without_an_end(student, reference, seed):
    """running away is harm"""
    assert student.harms(900, 100, 100, 0.9, 0.01) is True, (
        "Here w_DA does not exist: the weight runs to −∞, farther from the oracle than anything. "
        "Every comparison with nan "
        "is False, so the code has to say this itself."
    )


# %% tags=["hidden-test"] question="q5" points=1
def test_my_border(student, reference, seed):
    """your border"""
    found, highest = student["my_border"], reference["n_forget"] / reference["n_retain"]
    assert isinstance(found, float), "`my_border` is one number."
    assert not same(found, highest, 1e-6), "|F|/|R| is where the pull is 0; harm begins earlier."
    right = same(found, reference["my_border"], 1e-8) or student.probe_border(found)
    assert right, "Not where harm begins on your problem."


# %% tags=["hidden-test"] question="q5" points=1
def test_smaller_ridge(student, reference, seed):
    """the border and the ridge"""
    assert student["smaller_ridge"] == reference["smaller_ridge"], (
        "Run your bisection with λ/10 and look at the border again."
    )


# %% tags=["hidden-test"] question="q6" points=2
def test_alpha_star(student, reference, seed):
    """the closed form of the border"""
    for n_retain, n_forget, _, _ in CASES:
        found = student.alpha_star(n_retain, n_forget)
        assert not same(found, n_forget / n_retain), (
            "|F|/|R| is the upper end of Lemma 3, not where harm begins."
        )
        assert not same(found, n_forget**2 / (n_retain * (n_retain + n_forget))), (
            "Close: your |D| stands where |F| + |D| belongs. Order the pulls: A_D − A_R = A_R − "
            "A_DA."
        )
        assert same(found, reference.alpha_star(n_retain, n_forget)), (
            "Solve A_D − A_R = A_R − A_DA for α; r drops out."
        )


# %% tags=["probe"]
def probe_harms(n_retain, n_forget, r, alpha, lam):
    """What a right `harms` says with the student's own answers: one slip is paid for once."""
    try:
        found = [answers.stationary(a, lam) for a in answers.pulls(n_retain, n_forget, r, alpha)]
    except Exception:
        return None
    w_d, w_r, w_da = found
    return bool(np.isnan(w_da) or abs(w_da - w_r) > abs(w_d - w_r))


def probe_border(found):
    """Whether the student's own `harms` changes there."""
    at = [answers.harms(n_retain, n_forget, r, found * (1 + 1e-7 * side), lam) for side in (-1, 1)]
    return at == [False, True]
