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
# # Principal components
#
# ```{admonition} At a glance
# :class: glance
# **You will see** how much each training example moves each prediction, measured by really leaving it out; that the answer hangs on a convention
# nobody mentions; and what "a harder forget set" can mean.
#
# **In the paper** the picture of Appendix B and the conjecture of Appendix A {cite}`mavrothalassitis2025ascent`.
#
# **Runtime** about 15 s on one core.
#
# **Parameters** [listed below](principal_components-parameters): shape of the data, ridge, size of the forget set, step sizes.
#
# **Rerun** `unlearning run principal_components -p ridge 0.1 --out runs/principal_components`
# ```

# %% [markdown]
# (principal_components-parameters)=
# ## Parameters

# %% tags=["parameters"]
points: int = 150  # training points, and as many test points (count) [40, 600]
ratio: float = 2.0  # long over short axis of the inputs (dimensionless) [1, 10]
ridge: float = 1.0  # ridge coefficient λ of the student (dimensionless) [1e-3, 10]
ridges: list[float] = [0.01, 0.1, 1.0, 10.0]  # λ in the sweep (dimensionless) [1e-3, 10]
ratios: list[float] = [1.5, 3.0]  # axis ratios in the sweep (dimensionless) [1, 10]
seeds: int = 20  # independent data sets (count) [4, 100]
ensemble: int = 100  # students in an ensemble (count) [10, 1000]
forget: int = 15  # size of a forget set (count) [2, 20]
steps: int = 60  # descent-ascent steps (count) [2, 200]
rates: list[float] = [0.001, 0.01, 0.2]  # their step sizes (dimensionless) [1e-4, 0.5]
near: float = 0.9  # cosine from which on two components "line up" (dimensionless) [0.5, 1]
seed: int = 0  # seed of the first data set [0, 1000000]

# %% [markdown]
# Some forget sets are harder than others. The hardest in the paper are the top points of the first
# **principal component** of the *influence matrix*, the table of how much each training example matters for each
# prediction {cite}`georgiev2024attribute,ilyas2022datamodels`. Why should those be hard? Appendix B offers a picture in two dimensions.
#
# ```{admonition} The paper claims
# :class: paper
# For a student close to the origin the top principal components of the influence matrix line up with the top directions of the
# inner products $x \cdot x_{\text{test}}$: they pick out examples that lie far out along the main axes of the data (Appendix B). And the
# spectral norm of the influence between $F$ and $R$ should predict how badly descent-ascent degrades (Appendix A, a conjecture).
# ```
#
# ```{admonition} Our comment
# :class: ours
# An earlier version of this page found both confirmed. It was wrong twice: it kept dividing by $n$ after leaving a point out, which is
# a choice that decides the result, and it ran descent-ascent with a step so large that it jumped over the oracle at once. This page shows the choices side by side.
# ```

# %%
import numpy as np
import pandas as pd
from myst_nb import glue
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from panels import principal_components as panels
from unlearning import forget_sets
from unlearning.influence import rank_correlation
from unlearning.page import figures, verdicts
from unlearning.page.source import show_source

show_source(forget_sets.principal_components, forget_sets.select_points)

# %% [markdown]
# ## Teacher and student
#
# Inputs $x \in \R^2$ are normally distributed, stretched along the first axis. A **teacher** $T = (1, -1)$ labels them,
# $y = \operatorname{sign}(T \cdot x) = \pm 1$. A linear **student** $S$ with score $f(x) = S \cdot x$ learns the labels by ridge-penalised logistic regression,
#
# $$
# \begin{aligned}
# L(S) &= \sum_{i=1}^n \omega_i\, \ell_i(S) + \frac{\lambda}{2} \|S\|^2, \\
# \ell_i(S) &= \log\big(1 + e^{-y_i S \cdot x_i}\big) .
# \end{aligned}
# $$ (principal_components-eq-loss)
#
# | symbol | meaning |
# | --- | --- |
# | $T$, $S$ | teacher, student: two weights each |
# | $z_i = y_i x_i$, $\omega_i$ | a training point with its label's sign, its weight in the mean |
# | $\ell_i$, $\overline{\nabla\ell}$, $H$ | loss at $i$, mean gradient, Hessian of $L$; $\lambda$ the ridge |
# | $S_{-i}$, $I_{ij}$ | student without $i$, change of the loss at test point $j$ |
#
# The full student has $\omega_i = \frac1n$. We need many students that differ in the weights $\omega$ only: one without each point, one for each
# member of an ensemble. With $z_i = y_i x_i$, Newton's method in two dimensions trains all of them at once.

# %%
TEACHER = np.array([1.0, -1.0])


def sample(axes, rng):
    """z = y x (points, 2) of inputs with total variance 2."""
    x = rng.normal(size=(points, 2)) * [axes, 1] * np.sqrt(2 / (axes**2 + 1))
    return x * np.where(x @ TEACHER > 0, 1.0, -1.0)[:, None]


def fit(z, omega, lam):
    """Students (k, 2), one for each row of weights omega (k, n)."""
    s = np.zeros((len(omega), 2))
    for _ in range(100):
        pull = expit(-s @ z.T)  # the size of the loss's slope
        gradient = -(omega * pull) @ z + lam * s
        bend = omega * pull * (1 - pull)
        hessian = np.einsum("kn,ni,nj->kij", bend, z, z) + lam * np.eye(2)
        change = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        s = s - change
        if np.abs(change).max() < 1e-12:
            return s
    raise RuntimeError("Newton's method did not converge: use a larger ridge")


# %%
z = sample(ratio, np.random.default_rng(seed))
student = fit(z, np.full((1, points), 1 / points), ridge)[0]
sklearn = LogisticRegression(
    C=1 / (ridge * points), fit_intercept=False, tol=1e-10, max_iter=1000
)
side = np.where(z @ TEACHER > 0, 1, -1) * np.sign(z[:, 0])  # any labels will do
sklearn.fit(z * side[:, None], side)
error = np.abs(sklearn.coef_[0] - student).max()
print(f"largest difference to scikit-learn: {error:.0e}")

# %% [markdown]
# ## Leaving one out: two conventions
#
# The **influence** of training point $i$ on test point $j$ is what happens to the loss at $j$ when $i$ is left out,
# $I_{ij} = \ell_j(S_{-i}) - \ell_j(S)$. But what is $S_{-i}$? Two answers are in use.
#
# - **fixed**: only $\omega_i$ becomes 0; the others keep $\frac1n$. Influence functions do this {cite}`koh2017`. With a ridge it is training at the larger ridge
#   $\lambda \frac{n}{n-1}$.
# - **rest**: the mean runs over what is left, $\omega_j = \frac{1}{n-1}$. Retraining does this, and so do the paper's oracles.
#
# For $n = 150$ the weights differ by less than a hundredth. To first order, with $H$ the Hessian of $L$:
#
# $$
# \begin{aligned}
# \text{fixed:}\quad S_{-i} - S &\approx \tfrac{1}{n} H^{-1}\, \nabla\ell_i, \\
# \text{rest:}\quad S_{-i} - S &\approx \tfrac{1}{n-1} H^{-1} \big(\nabla\ell_i - \overline{\nabla\ell}\big) .
# \end{aligned}
# $$ (principal_components-eq-two)
#
# *Proof of the second.* The gradient of the new objective at $S$ is $\frac{1}{n-1}\sum_{j\ne i} \nabla\ell_j + \lambda S$. At $S$ the old one vanishes, $\sum_j \nabla\ell_j = n \overline{\nabla\ell}$
# with $\overline{\nabla\ell} = -\lambda S$; so it is $\frac{1}{n-1}(n\overline{\nabla\ell} - \nabla\ell_i) - \overline{\nabla\ell} = -\frac{1}{n-1}(\nabla\ell_i - \overline{\nabla\ell})$. One Newton step from there gives the formula. $\square$
#
# So "rest" is "fixed" with the *mean gradient taken off*: the ridge makes that mean large. A component that only says "every point pulls towards
# the teacher" is there in the one matrix and gone in the other.


# %%
def influences(z, z_test, lam, rest):
    """I (training points, test points) by retraining, either convention."""
    n = len(z)
    omega = np.full((n + 1, n), 1 / (n - 1) if rest else 1 / n)
    omega[0] = 1 / n
    omega[1:][np.diag_indices(n)] = 0
    losses = np.logaddexp(0, -fit(z, omega, lam) @ z_test.T)
    return losses[1:] - losses[0]


# %% [markdown]
# *By hand:* a ridge so heavy that $S \approx 0$: then $\nabla\ell_i = -\frac12 z_i$, $H \approx \lambda$. Three points $z_i = (2,0), (1,0), (0,0)$, one test point $(1,0)$.
# "Fixed" gives $\frac{1}{4\lambda n}\,(2, 1, 0)$, all of one sign. "Rest" takes the mean $(1,0)$ off: $\frac{1}{4\lambda(n-1)}\,(1, 0, -1)$.

# %%
three, heavy = np.array([[2.0, 0], [1, 0], [0, 0]]), 1e4
for rest in (False, True):
    found = influences(three, np.array([[1.0, 0]]), heavy, rest)
    print(4 * heavy * (3 - rest) * found.ravel())

# %%
z_test = sample(ratio, np.random.default_rng([seed, 1]))
pull = expit(-z @ student)[:, None] * z  # −∇ℓ_i
pull_test = expit(-z_test @ student)[:, None] * z_test
bend = expit(z @ student) * expit(-z @ student) / points
inverse = np.linalg.inv((z.T * bend) @ z + ridge * np.eye(2))
formulas = {
    "fixed": pull @ inverse @ pull_test.T / points,
    "rest": (pull - pull.mean(0)) @ inverse @ pull_test.T / (points - 1),
}
true = {k: influences(z, z_test, ridge, k == "rest") for k in formulas}

# %% mystnb={"figure": {"caption": "Influence of training points on test points (change of the loss, in thousandths), by retraining (across) and by formula (up), for the two conventions. Dots on the diagonal agree: both formulas are right. Left: nearly all influences have one sign. Right: the mean is gone.", "name": "principal_components-loo"}}
with figures.style():
    drawn = [panels.agreement(true[k], formulas[k], k) for k in formulas]
figures.show(*drawn, alt=(
    "Two scatter plots of predicted against retrained influence, both on the "
    "diagonal. On the left nearly all values are positive, on the right they "
    "are spread around zero."))

# %% [markdown]
# ## Which component lines up?
#
# Near the origin all slopes are $\frac12$ and a heavy ridge makes $H$ a multiple of the identity. Then $I_{ij} \propto z_i \cdot z_j$ under the "fixed" convention, which is the
# paper's picture with the labels' signs. Write $I = U \Sigma V^\top$; the first column of $U$ gives each training point a score. We compare it with the first left singular
# vector of $Z Z_{\text{test}}^\top$, by the cosine: 1 means the same scores up to scale, 0 no relation.
#
# A third matrix is the one that forget sets are really made of. Nobody can leave out every image of CIFAR-10 in turn. What is at hand is an ensemble: students of random halves, each with a margin
# $y f(x)$ at every training point. `forget_sets.principal_components` takes the column means off that table (models × points) and returns its first right singular vectors.


# %%
def component(z, lam, rng):
    """Scores (2, n) of an ensemble of students of random halves."""
    omega = np.zeros((ensemble, len(z)))
    for row in omega:
        row[rng.permutation(len(z))[: len(z) // 2]] = 1 / (len(z) // 2)
    return forget_sets.principal_components(fit(z, omega, lam) @ z.T, 2)[0]


# %%
rows = []
for number in range(seeds):
    for axes in ratios:
        rng = np.random.default_rng([seed, 2, number])
        zs, zt = sample(axes, rng), sample(axes, rng)
        inner = np.linalg.svd(zs @ zt.T, full_matrices=False)[0][:, 0]
        for lam in ridges:
            matrices = {k: influences(zs, zt, lam, k == "rest") for k in true}
            scores = {k: np.linalg.svd(m, full_matrices=False)[0][:, 0]
                      for k, m in matrices.items()}  # fmt: skip
            scores["ensemble"] = component(zs, lam, rng)[0]
            cosines = {k: abs(v @ inner) for k, v in scores.items()}
            rows += [
                {"long": axes, "lam": lam, "matrix": k, "cosine": c}
                for k, c in cosines.items()
            ]
sweep = pd.DataFrame(rows)

# %% mystnb={"figure": {"caption": "Cosine between the first component of three matrices and the first direction of the inner products, against the ridge; one panel for each axis ratio; means over data sets with 95% bootstrap intervals. At heavy ridge the fixed convention lines up completely, as the paper's picture has it. With the mean over the rest it does not. The ensemble's margins come close at long axes.", "name": "principal_components-sweep"}}
with figures.style():
    drawn = [panels.sweep(part, axes) for axes, part in sweep.groupby("long")]
figures.show(*drawn, alt=(
    "Two line plots against the ridge. The line of the fixed convention rises "
    "to one, that of the mean over the rest stays clearly below, that of the "
    "ensemble lies between or near one."))

# %% tags=["hide-input"]
heavy = sweep[(sweep.lam == max(ridges)) & (sweep.long == max(ratios))]
lined = {k: panels.interval(part.cosine) for k, part in heavy.groupby("matrix")}
for name, value in lined.items():
    glue(f"principal_components_{name}", panels.text(value), display=False)
glue("principal_components_heaviest", max(ridges), display=False)
glue("principal_components_longest", max(ratios), display=False)

# %% [markdown]
# At $\lambda =$ {glue:text}`principal_components_heaviest:g` and axis ratio {glue:text}`principal_components_longest:g` the cosine is
# {glue:text}`principal_components_fixed` (fixed), {glue:text}`principal_components_rest` (rest) and {glue:text}`principal_components_ensemble` (ensemble): means and 95% intervals.
# So the appendix is right about influence functions and about the forget sets that are really used, and wrong about retraining.
#
# ```{raw} html
# <details class="predict"><summary><strong>Predict before you scroll.</strong> The top points of PC1 lie far out and pull hard. Will
# descent-ascent end farther from the oracle on them than on random points?</summary>It depends on when one looks. With small steps, at first,
# <em>nearer</em>: a strong pull also means a distant oracle, and the first steps go its way. Later, farther.</details>
# ```
#
# ## Harder: at which moment?
#
# Forget the top {glue:text}`principal_components_forget` points of PC1, or of PC2, or as many random points. The oracle is the student of the rest. Descent-ascent starts from the full student
# and alternates a step up the loss on $F$ with a step down the loss on $R$; the ridge shrinks the weights in both. The distance is the mean $|{\rm margin} - {\rm margin\ of\ the\ oracle}|$ over
# $R$. Three definitions of damage: *end* (last distance − first), *relative* (last / first), and *best* (lowest / first: what perfect early stopping would reach).
# They are taken at every step size of the list.


# %%
def follow(z, gone, kept, lam, rate):
    """Distances (steps + 1,) to the oracle along descent-ascent."""
    oracle = fit(z[kept], np.full((1, len(kept)), 1 / len(kept)), lam)[0]
    s = fit(z, np.full((1, len(z)), 1 / len(z)), lam)[0]
    path = [np.abs(z[kept] @ (s - oracle)).mean()]
    for _ in range(steps):
        for rows, sign in ((gone, -1), (kept, 1)):
            pull = expit(-z[rows] @ s) @ z[rows] / len(rows)
            s = s + rate * (sign * pull - lam * s)
        path.append(np.abs(z[kept] @ (s - oracle)).mean())
    return np.array(path)


# %%
worlds = []
for number in range(seeds):
    rng = np.random.default_rng([seed, 4, number])
    zs = sample(ratio, rng)
    s = fit(zs, np.full((1, points), 1 / points), ridge)[0]
    pull = -expit(-zs @ s)[:, None] * zs  # ∇ℓ_i
    bend = expit(zs @ s) * expit(-zs @ s) / points
    inverse = np.linalg.inv((zs.T * bend) @ zs + ridge * np.eye(2))
    tables = {k: influences(zs, zs, ridge, k == "rest") for k in true}
    one, two = component(zs, ridge, rng)
    sets = {"PC1": forget_sets.select_points(one, top=forget),
            "PC2": forget_sets.select_points(two, top=forget),
            "random": rng.permutation(points)[:forget]}  # fmt: skip
    worlds.append((zs, pull, inverse, tables, sets))

# %%
outcomes = []
for number, (zs, pull, inverse, tables, sets) in enumerate(worlds):
    for kind, gone in sets.items():
        kept = np.setdiff1d(np.arange(points), gone)
        g_f, g_r = pull[gone].mean(0), pull[kept].mean(0)
        facts = {"data": number, "set": kind, "pull": g_f @ inverse @ g_f,
                 "signed": g_f @ inverse @ g_r}  # fmt: skip
        for k, table in tables.items():
            facts[k] = np.linalg.norm(table[np.ix_(gone, kept)], 2)
        for rate in rates:
            path = follow(zs, gone, kept, ridge, rate)
            damage = {"end": path[-1] - path[0], "best": path.min() / path[0],
                      "relative": path[-1] / path[0]}  # fmt: skip
            outcomes.append(facts | {"rate": rate} | damage)
outcomes = pd.DataFrame(outcomes)

# %% mystnb={"figure": {"caption": "Damage against the step size of descent-ascent, for forget sets from PC1, PC2 and at random; means over data sets with 95% intervals. Left: growth of the distance at the end. Right: the lowest distance on the way over the first. The order of the sets at the end turns over with the step size; with small steps PC1 comes closest to its oracle.", "name": "principal_components-harm"}}
with figures.style():
    drawn = panels.harm(outcomes)
figures.show(*drawn, alt=(
    "Two line plots against the step size. Left: the growth of the distance, "
    "highest for PC1 at large steps and lowest for PC1 at the smallest. Right: "
    "the best distance over the first, lowest for PC1 at small steps."))

# %%
figures.table(panels.harder(outcomes))

# %% tags=["hide-input"]
glue("principal_components_forget", forget, display=False)
glue("principal_components_seeds", seeds, display=False)

# %% [markdown]
# In how many of the {glue:text}`principal_components_seeds` data sets each set fares worse than the random one, by each definition. With the largest step the first move
# already jumps over the oracle: *best* is the start, and PC1, which pulls hardest, is thrown farthest. With the smallest step the run has not passed the oracle yet.
#
# ## The conjecture, here
#
# Over all data sets and forget sets (all of one size), rank correlations of the damage at the end:

# %%
predictors = {"norm, fixed": "fixed", "norm, rest": "rest",
              "signed I_FR": "signed", "pull I_FF": "pull"}  # fmt: skip
found = {
    rate: {label: rank_correlation(part[p], part["end"])
           for label, p in predictors.items()}
    for rate, part in outcomes.groupby("rate")
}  # fmt: skip
figures.table(panels.correlations(found))

# %% [markdown]
# ```{admonition} Our comment
# :class: ours
# Each number in this table depends on two choices that the conjecture does not make: which influence matrix, and for how long descent-ascent runs. At large steps the
# norm of the "fixed" matrix orders the damage and that of the "rest" matrix hardly does; before the oracle is passed, both have the *opposite* sign. A signed
# number, $I_{FR}$, does best here after the overshoot. It does not carry over to [real images](predicting_damage.ipynb). Two weights leave only two directions, so $F$ and $R$
# almost always pull alike; in more dimensions a hard-pulling set need not pull the way of $R$. (Cases within a data set are not independent; the intervals are a little too narrow.)
# ```
#
# ## Exercises
#
# ````{exercise} The direction of the ensemble's PC1
# :label: principal_components-exercise-direction
#
# The ensemble's first component is $z_i \cdot d$ for some direction $d$. Is $d$ nearer to the long axis or to the teacher? Compute both cosines.
# ````

# %% [markdown]
# ````{solution-start} principal_components-exercise-direction
# :class: dropdown
# ````
# Students are points $S_m$ in the plane; the margins are $z_i \cdot S_m$, so after centring every component has this form. Least squares recovers $d$:

# %%
scores = component(z, ridge, np.random.default_rng([seed, 3]))[0]
d = np.linalg.lstsq(z, scores, rcond=None)[0]
d /= np.linalg.norm(d)
print(f"long axis {abs(d[0]):.2f}, teacher {abs(d @ TEACHER) / np.sqrt(2):.2f}")

# %% [markdown]
# Nearer to the long axis: the ensemble varies where the data vary, and centring has removed what all students share, which is the teacher.
# ````{solution-end}
# ````
#
# ````{exercise} When do the conventions agree?
# :label: principal_components-exercise-agree
#
# Use {eq}`principal_components-eq-two` to say for which ridge the two matrices have the same first component, and why the sweep's curves meet at small $\lambda$.
# ````
#
# ````{solution} principal_components-exercise-agree
# :class: dropdown
#
# They differ by $\overline{\nabla\ell} = -\lambda S$. As $\lambda \to 0$ on data that no line separates perfectly, or with few steps of training, $\lambda S$ becomes small against the single $\nabla\ell_i$: the mean gradient of a
# trained model vanishes, and so does the difference. At large $\lambda$ the student stays near the origin, where $\lambda S \approx \frac12 \bar z$ is as large as the single gradients.
# ````

# %% tags=["hide-input"]
checks = {
    f"Appendix B: the first component of the {what} lines up with the inner products (cosine above {near:g}, heaviest ridge)":
        panels.above(*lined[k][1:], near)
    for k, what in (("fixed", "influence functions"), ("ensemble", "ensemble's margins"))
}  # fmt: skip
for rate, part in outcomes.groupby("rate"):  # the conjecture speaks of degradation: it is open where there is none
    degraded = bool((part["end"] > 0).mean() >= 0.95)
    for label in ("norm, fixed", "norm, rest"):
        name = f"Appendix A's conjecture here ({label}; step size {rate:g}): rank correlation with the damage above 0"
        checks[name] = panels.above(*found[rate][label][1:], 0) if degraded else None
verdicts.decide(
    "C13",
    evidence="cosine of the first component with that of the inner products: "
    + ", ".join(f"{v:.2f} ({k})" for k, (v, _, _) in lined.items())
    + "; rank correlation of the norm with the damage at the end: "
    + ", ".join(f"{v['norm, fixed'][0]:+.2f} (fixed) and {v['norm, rest'][0]:+.2f} (rest) at step size {r:g}" for r, v in found.items()),
    checks=checks,
    scale="simulation",
)
