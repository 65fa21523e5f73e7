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
# **You will see** how much each training example moves each prediction, measured by really leaving it out; what the main
# directions of that table are; and why a forget set taken from them is harder than a random one.
#
# **In the paper** the intuition of Appendix B {cite}`mavrothalassitis2025ascent`.
#
# **Runtime** about 15 s on one core.
#
# **Parameters** [listed below](principal_components-parameters): shape of the data, ridge, size of the forget set.
#
# **Rerun** `unlearning run principal_components -p ridge 0.01 --out runs/principal_components`
# ```

# %% [markdown]
# (principal_components-parameters)=
# ## Parameters

# %% tags=["parameters"]
points: int = 150  # training points, and as many test points (count) [40, 600]
ratio: float = 2.0  # long over short axis of the inputs (dimensionless) [1, 10]
angle: float = 0.0  # direction of the long axis (degrees) [-90, 90]
ridge: float = 1.0  # ridge coefficient λ of the student (dimensionless) [1e-3, 10]
ridges: list[float] = [0.01, 0.1, 1.0, 10.0]  # λ in the sweep (dimensionless) [1e-3, 10]
ratios: list[float] = [1.0, 1.5, 3.0]  # axis ratios in the sweep (dimensionless) [1, 10]
seeds: int = 20  # independent data sets (count) [3, 100]
ensemble: int = 100  # students in the ensemble (count) [10, 1000]
forget: int = 15  # size of a forget set (count) [2, 20]
steps: int = 20  # descent-ascent steps (count) [1, 100]
rate: float = 0.2  # their step size (dimensionless) [1e-3, 0.5]
seed: int = 0  # seed of the first data set [0, 1000000]

# %% [markdown]
# Some forget sets are harder than others. The hardest in the paper are not random: they are the top points of the first
# **principal component** of the *influence matrix*, the table of how much each training example matters for each
# prediction {cite}`georgiev2024attribute,ilyas2022datamodels`. Why should those be hard? Appendix B offers a picture in two dimensions. Here we
# execute it.

# %% [markdown]
# ## Teacher and student
#
# Inputs $x \in \R^2$ are normally distributed, stretched along one axis. A **teacher** $T = (1, -1)$ labels them,
# $y = \operatorname{sign}(T \cdot x) = \pm 1$. A linear **student** $S$ with score $f(x) = S \cdot x$ learns the labels by ridge-penalised logistic regression
# on $n$ training points:
#
# $$
# \begin{aligned}
# L(S) &= \frac1n \sum_{i=1}^n \ell_i(S) + \frac{\lambda}{2} \|S\|^2, \\
# \ell_i(S) &= \log\big(1 + e^{-y_i S \cdot x_i}\big).
# \end{aligned}
# $$ (principal_components-eq-loss)
#
# A heavy ridge keeps the student near the origin. Then every $|f(x_i)|$ is small and each example pulls with the same force, which is where the
# picture lives.
#
# We need to train many students: one for each left-out point, one for each member of an ensemble. They differ only in the weight that each
# example gets. Newton's method in two dimensions trains all of them at once.

# %%
import numpy as np
import pandas as pd
from myst_nb import glue
from scipy import stats
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from unlearning import forget_sets
from unlearning.page import figures

TEACHER = np.array([1.0, -1.0])


def sample(n: int, axes: float, rng) -> tuple[np.ndarray, np.ndarray]:
    """n inputs (n, 2) of total variance 2, and the teacher's labels."""
    turn = np.deg2rad(angle)
    along = np.array([[np.cos(turn), np.sin(turn)],
                      [-np.sin(turn), np.cos(turn)]])  # fmt: skip
    x = rng.normal(size=(n, 2)) * [axes, 1] @ along
    x *= np.sqrt(2 / (axes**2 + 1))
    return x, np.where(x @ TEACHER > 0, 1.0, -1.0)


def fit(z: np.ndarray, weights: np.ndarray, lam: float) -> np.ndarray:
    """Students (k, 2), one for each row of weights (k, n); z = y x."""
    n, s = len(z), np.zeros((len(weights), 2))
    for _ in range(100):
        pull = expit(-s @ z.T)  # the size of the loss's slope
        gradient = -(weights * pull) @ z / n + lam * s
        curvature = weights * pull * (1 - pull) / n
        hessian = np.einsum("kn,ni,nj->kij", curvature, z, z) + lam * np.eye(2)
        change = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        s = s - change
        if np.abs(change).max() < 1e-12:
            return s
    raise RuntimeError("Newton's method did not converge: use a larger ridge")


# %% tags=["hide-input"]
x, y = sample(points, ratio, np.random.default_rng(seed))
z = x * y[:, None]
student = fit(z, np.ones((1, points)), ridge)[0]
reference = LogisticRegression(C=1 / (ridge * points), fit_intercept=False, tol=1e-10, max_iter=1000).fit(x, y).coef_[0]
towards = student @ TEACHER / np.linalg.norm(student) / np.linalg.norm(TEACHER)
for name, value in {
    "against_sklearn": np.abs(student - reference).max(), "cosine_teacher": towards, "norm": np.linalg.norm(student),
    "score": np.abs(x @ student).max(), "ridge": ridge,
}.items():  # fmt: skip
    glue(f"principal_components_{name}", float(value), display=False)

# %% [markdown]
# The student for $\lambda =$ {glue:text}`principal_components_ridge:g` has norm {glue:text}`principal_components_norm:.2f`,
# its largest score $|f(x_i)|$ is {glue:text}`principal_components_score:.2f`, and the cosine of its angle to the teacher is
# {glue:text}`principal_components_cosine_teacher:.3f`. (scikit-learn's solver {cite}`pedregosa2011` finds the same student; largest difference
# {glue:text}`principal_components_against_sklearn:.0e`.)

# %% [markdown]
# ## Influence, by formula and by retraining
#
# The **influence** of training point $i$ on test point $j$ is what happens to the loss at $j$ when $i$ is left out:
#
# $$
# I_{ij} = \ell_j(S_{-i}) - \ell_j(S) .
# $$ (principal_components-eq-influence)
#
# Positive means: $i$ was helpful to $j$. To first order there is a formula. Leaving out $i$ removes the force
# $\frac1n \nabla \ell_i$ from a sum that was balanced, and the student yields by $S_{-i} - S \approx \frac1n H^{-1} \nabla \ell_i$,
# where $H$ is the Hessian of $L$. With $\nabla \ell = \frac{\partial \ell}{\partial f}\, x$,
#
# $$
# \begin{aligned}
# I_{ij} &\approx \frac1n\, \nabla\ell_j^\top H^{-1} \nabla\ell_i \\
# &= \frac1n \frac{\partial \ell_i}{\partial f} \frac{\partial \ell_j}{\partial f}\; x_j^\top H^{-1} x_i .
# \end{aligned}
# $$ (principal_components-eq-first)
#
# Near the origin two things simplify. The slopes are $\frac{\partial \ell_i}{\partial f} \approx -\frac{y_i}{2}$, and
# $H \approx \frac14 \mathrm{Cov}(x) + \lambda I$, which a heavy ridge makes proportional to the identity. What remains is
#
# $$
# I_{ij} \;\approx\; \text{const} \cdot (y_i y_j)\; x_i \cdot x_j .
# $$ (principal_components-eq-simple)
#
# The formula is an approximation, so compare it with the real thing: leave out each point in turn and train again.


# %%
def leave_one_out(z: np.ndarray, lam: float) -> np.ndarray:
    """Row 0: the student of all points; row i + 1: without point i."""
    weights = np.ones((len(z) + 1, len(z)))
    weights[1:][np.diag_indices(len(z))] = 0
    return fit(z, weights, lam)


def influences(z, z_test, lam) -> np.ndarray:
    """The matrix I (training points, test points), by retraining."""
    losses = np.logaddexp(0, -leave_one_out(z, lam) @ z_test.T)
    return losses[1:] - losses[0]


# %% tags=["hide-input"] mystnb={"figure": {"caption": "Influence of training points on test points (change of the loss, in thousandths): by leaving the point out and retraining (horizontal), by formula (vertical). Left: first order with the full Hessian. Middle: Hessian replaced by a multiple of the identity. Right: slopes replaced by ±½ as well, which leaves the label-signed inner product. Dots on the diagonal agree.", "name": "principal_components-loo"}}
x_test, y_test = sample(points, ratio, np.random.default_rng([seed, 1]))
z_test = x_test * y_test[:, None]
true = influences(z, z_test, ridge)
pull, pull_test = expit(-z @ student)[:, None] * z, expit(-z_test @ student)[:, None] * z_test
slopes = expit(z @ student) * expit(-z @ student)
hessian = (z * slopes[:, None]).T @ z / points + ridge * np.eye(2)
first_order = pull @ np.linalg.inv(hessian) @ pull_test.T / points
formulas = {"full Hessian": first_order, "Hessian ∝ I": pull @ pull_test.T, "slopes ±½ too": z @ z_test.T}
for key, values in zip(("first", "identity", "simple"), formulas.values()):
    if key != "first":  # the constant in front is not part of the claim: fit it
        values *= np.sum(true * values) / np.sum(values**2)
    glue(f"principal_components_r_{key}", float(np.corrcoef(true.ravel(), values.ravel())[0, 1]), display=False)
shown = np.random.default_rng(seed).choice(true.size, min(1500, true.size), replace=False)  # enough dots to see
limit = 1050 * np.abs(true).max()
with figures.style():
    drawn = []
    for title, values in formulas.items():
        fig, ax = figures.panel(2.6, 2.7)
        ax.plot([-limit, limit], [-limit, limit], color=figures.COLORS["neutral"], lw=1)
        ax.scatter(1000 * true.ravel()[shown], 1000 * values.ravel()[shown], s=5, color=figures.COLORS["pretrained"], alpha=0.5,
                   rasterized=True, lw=0)  # fmt: skip
        ax.set(xlabel="retrained", ylabel="formula", title=title, xlim=(-limit, limit), ylim=(-limit, limit))
        ax.locator_params(nbins=3)
        drawn.append(fig)
figures.show(*drawn, alt=(
    "Three scatter plots of predicted against retrained influence. With the full Hessian the dots lie on the diagonal, "
    "with the identity almost; with equal slopes they bend away from it."))

# %% [markdown]
# Correlation with the retrained influence: {glue:text}`principal_components_r_first:.4f` for the first-order formula
# {eq}`principal_components-eq-first`, {glue:text}`principal_components_r_identity:.3f` if the Hessian is replaced by a
# multiple of the identity, {glue:text}`principal_components_r_simple:.3f` if the slopes are taken as equal too, which is the inner product
# {eq}`principal_components-eq-simple`. At this ridge the simplified picture is a good one, and the slopes are its weaker part.

# %% [markdown]
# ## The top directions
#
# Write $I = U \Sigma V^\top$ for the singular value decomposition. The column $u_1$ of $U$ gives each training point a
# score: the first principal component of the matrix, on the side of the training points. If
# {eq}`principal_components-eq-simple` were exact, $I$ would be $Z Z_{\text{test}}^\top$ with rows $z_i = y_i x_i$, a matrix of rank two. On a large test set
# its $u_1$ is $z_i \cdot v$, where $v$ is the direction in which the inputs vary most. So:
#
# ```{admonition} The paper claims
# :class: paper
# For a student close to the origin the top principal components of the influence matrix line up with the top directions of the
# inner products $x \cdot x_{\text{test}}$: they pick out examples that lie far out along the main axes of the data.
# ```
#
# We measure the alignment by the cosine between $u_1$ and $y_i g_{1i}$, where $g_1$ is the first left singular vector of the
# matrix of inner products $X X_{\text{test}}^\top$. A cosine of 1 means the same scores up to scale, and 0 no relation.


# %%
def alignment(matrix, x, x_test, y) -> float:
    """|cosine| of the first components of I and of y x·x_test."""
    scores = np.linalg.svd(matrix, full_matrices=False)[0][:, 0]
    inner = np.linalg.svd(x @ x_test.T, full_matrices=False)[0][:, 0]
    return abs(float(scores @ (y * inner)))


# %% tags=["hide-input"] mystnb={"figure": {"caption": "Training points; the area of a marker is the size of its score in the first component of the influence matrix, its colour the sign; circles and squares are the two labels. Dashed: the student's decision boundary. Arrow: the direction of largest variance of the inputs. Left, ridge of this page: the largest scores lie at the far ends of the arrow's direction. Right, the smallest ridge of the sweep: they lie near the boundary.", "name": "principal_components-scores"}}
def score_panel(lam, title):
    """Training points with their first-component scores at ridge lam; returns the figure and the alignment."""
    matrix = influences(z, z_test, lam)
    scores = np.linalg.svd(matrix, full_matrices=False)[0][:, 0]
    scores *= np.sign(scores.sum())
    s, axis = fit(z, np.ones((1, points)), lam)[0], np.linalg.eigh(x.T @ x)[1][:, -1]
    fig, ax = figures.panel(3.4, 2.6)
    for label, marker in ((1, "o"), (-1, "s")):
        mine = y == label
        colors = np.where(scores[mine] > 0, figures.COLORS["forget"], figures.COLORS["pretrained"])
        ax.scatter(*x[mine].T, s=6 + 120 * np.abs(scores[mine]) / np.abs(scores).max(), marker=marker, c=colors,
                   alpha=0.75, lw=0)  # fmt: skip
    reach = 1.05 * np.abs(x).max()
    across = np.array([-s[1], s[0]]) / np.linalg.norm(s)
    ax.plot(*(np.outer([-2, 2], across) * reach).T, color=figures.COLORS["neutral"], ls="--")
    ax.annotate("", xy=axis * reach * 0.9, xytext=-axis * reach * 0.9,
                arrowprops={"arrowstyle": "<->", "color": figures.INK, "lw": 1.2})  # fmt: skip
    ax.set(xlim=(-reach, reach), ylim=1.2 * np.abs(x[:, 1]).max() * np.array([-1, 1]), xlabel="x₁", ylabel="x₂",
           title=title, aspect="equal")  # fmt: skip
    return fig, alignment(matrix, x, x_test, y)


with figures.style():
    left, near = score_panel(ridge, f"λ = {ridge:g}")
    right, far = score_panel(min(ridges), f"λ = {min(ridges):g}")
glue("principal_components_near", near, display=False)
glue("principal_components_far", far, display=False)
glue("principal_components_lightest", min(ridges), display=False)
figures.show(left, right, alt=(
    "Two scatter plots of the training points with marker areas by score. Left: large markers at both far ends of the "
    "data's long axis. Right: large markers close to the dashed decision boundary, small ones elsewhere."))

# %% [markdown]
# On this data set the cosine is {glue:text}`principal_components_near:.3f` at
# $\lambda =$ {glue:text}`principal_components_ridge:g` and {glue:text}`principal_components_far:.3f` at
# $\lambda =$ {glue:text}`principal_components_lightest:g`. One data set proves little. Now several, for students from nearly untrained to well trained,
# and for inputs from round (ratio 1) to long.

# %%
rows = []
for number in range(seeds):
    for axes in ratios:
        rng = np.random.default_rng([seed, 2, number])
        (xs, ys), (xt, yt) = sample(points, axes, rng), sample(points, axes, rng)
        zs, zt = xs * ys[:, None], xt * yt[:, None]
        for lam in ridges:
            matrix = influences(zs, zt, lam)
            s = fit(zs, np.ones((1, points)), lam)[0]
            slopes = np.outer(expit(-zs @ s), expit(-zt @ s))
            plain, identity = (
                np.corrcoef(matrix.ravel(), formula.ravel())[0, 1]
                for formula in (zs @ zt.T, slopes * (zs @ zt.T))
            )
            cosine = alignment(matrix, xs, xt, ys)
            rows.append((axes, lam, cosine, plain, identity))
sweep = pd.DataFrame(rows, columns=["long", "lam", "cosine", "plain", "identity"])


# %% tags=["hide-input"] mystnb={"figure": {"caption": "Left: cosine between the first component of the influence matrix and that of the signed inner products. Right: correlation of the retrained influence with the signed inner product (solid) and with the formula that keeps the slopes (dotted). Both against the ridge λ, for several shapes of the inputs; means over data sets with 95% bootstrap intervals. At heavy ridge the student is near the origin and the picture holds; at light ridge it is trained, the slopes differ, and the picture fades.", "name": "principal_components-sweep"}}
def interval(values) -> tuple[float, float, float]:
    """Mean and 95% bootstrap interval of the mean."""
    values = np.asarray(values, dtype=float)
    draws = np.random.default_rng(seed).choice(values, (4000, len(values))).mean(axis=1)
    return values.mean(), *np.quantile(draws, [0.025, 0.975])


def curve(ax, axes, column, color, marker, line="-", label=None):
    """Mean and interval of a column of the sweep against the ridge."""
    part, lams = sweep[sweep.long == axes].groupby("lam")[column], sorted(set(ridges))
    center, low, high = np.array([interval(part.get_group(lam)) for lam in lams]).T
    ax.errorbar(lams, center, [center - low, high - center], color=color, marker=marker, ms=5, capsize=2, ls=line,
                label=label)  # fmt: skip


with figures.style():
    left, ax_left = figures.panel(3.5, 3.3)
    right, ax_right = figures.panel(3.5, 3.3)
    for axes, color, marker in zip(ratios, figures.CYCLE * len(ratios), "osD^v<>" * len(ratios)):
        curve(ax_left, axes, "cosine", color, marker)
        curve(ax_right, axes, "plain", color, marker, label=f"axis ratio {axes:g}")
        curve(ax_right, axes, "identity", color, marker, ":")
    ax_left.set_ylabel("cosine of the first components")
    ax_right.set_ylabel("correlation with retraining")
    for ax in (ax_left, ax_right):
        ax.set(xlabel="ridge λ", xscale="log", ylim=(min(-0.05, sweep[["cosine", "plain"]].min().min() - 0.05), 1.05))
    ax_right.legend(loc="lower right")
drawn = (left, right)
figures.show(*drawn, alt=(
    "Two line plots against the ridge on a logarithmic axis. Both the cosine of the first components and the correlation "
    "with the inner product rise towards 1 as the ridge grows; the cosine of round inputs has wide intervals."))

# %% tags=["hide-input"]
heavy, light = sweep[sweep.lam == max(ridges)], sweep[sweep.lam == min(ridges)]
long = max(ratios)
for name, values in {
    "heavy": heavy[heavy.long == long].cosine, "light": light[light.long == long].cosine,
    "round": sweep[(sweep.long == min(ratios)) & (sweep.lam == sorted(ridges)[len(ridges) // 2])].cosine,
}.items():  # fmt: skip
    center, low, high = interval(values)
    glue(f"principal_components_{name}", f"{center:.3f} [{low:.3f}, {high:.3f}]", display=False)
glue("principal_components_heaviest", max(ridges), display=False)
glue("principal_components_long", long, display=False)
glue("principal_components_middle", sorted(ridges)[len(ridges) // 2], display=False)
glue("principal_components_seeds", seeds, display=False)
glue("principal_components_shortest", min(ratios), display=False)

# %% [markdown]
# Over {glue:text}`principal_components_seeds` data sets with axis ratio {glue:text}`principal_components_long:g` the cosine is
# {glue:text}`principal_components_heavy` at $\lambda =$ {glue:text}`principal_components_heaviest:g` (mean and 95% interval) and
# {glue:text}`principal_components_light` at $\lambda =$ {glue:text}`principal_components_lightest:g`. For round inputs (ratio
# {glue:text}`principal_components_shortest:g`) it is {glue:text}`principal_components_round` at
# $\lambda =$ {glue:text}`principal_components_middle:g`: two directions compete, and which one comes out on top is decided by
# small deviations.
#
# So the appendix is right about the place it speaks of, and the place is small. Once the student is trained, the slopes
# $\frac{\partial \ell_i}{\partial f}$ are no longer alike: points that are safely right hardly pull at all, points near the boundary do. The
# top component then picks the points near the boundary, as the right panel of {numref}`principal_components-scores` shows. It is
# the slopes that fail, not the Hessian: with the slopes kept, the dotted lines of {numref}`principal_components-sweep` stay close to 1.

# %% [markdown]
# ## From an ensemble instead
#
# Nobody can leave out every example of CIFAR-10 in turn. What is at hand is an ensemble: many models, each trained on a
# random part of the data, each with a margin at every training point. Let $M$ be that matrix (models × points). Leaving
# out a set moves the student by about the sum of what its members would do, so a row of $M$ is, up to a constant row, a random
# combination of the rows of the *margin influence* $J_{ij}$ = margin of $j$ without $i$, minus the margin with it. With the column means of
# $M$ removed, its right singular vectors are those of $J$, with the column means of $J$ removed as well when all parts are of the
# same size. In this book the forget sets of an ensemble come from here:
#
# - `forget_sets.principal_components(margins, k)` takes off the column means and returns the first $k$ right singular
#   vectors, one score per training point, and the share of the variance of each. The sign of a singular vector is arbitrary; the entry of largest size is made positive.
# - `forget_sets.select_points(scores, top, bottom)` returns the indices of the highest and lowest scores.


# %%
def ensemble_margins(z, lam, rng) -> np.ndarray:
    """Margins y f(x) of students trained on random halves."""
    halves = np.zeros((ensemble, len(z)))
    for row in halves:
        row[rng.permutation(len(z))[: len(z) // 2]] = len(z) / (len(z) // 2)
    return fit(z, halves, lam) @ z.T


margins = ensemble_margins(z, ridge, np.random.default_rng([seed, 3]))
scores, share = forget_sets.principal_components(margins, k=2)

# %% tags=["hide-input"]
students = leave_one_out(z, ridge)
shift = (students[1:] - students[0]) @ z.T  # margin influence J
direct = np.linalg.svd(shift - shift.mean(axis=0), full_matrices=False)[2][:2]
for i in (0, 1):
    glue(f"principal_components_match_{i + 1}", float(abs(scores[i] @ direct[i])), display=False)
    glue(f"principal_components_share_{i + 1}", float(share[i]), display=False)
glue("principal_components_ensemble", ensemble, display=False)

# %% [markdown]
# With {glue:text}`principal_components_ensemble` students the ensemble's first component has cosine
# {glue:text}`principal_components_match_1:.4f` with that of $J$ computed by leaving out one point at a time, the second
# {glue:text}`principal_components_match_2:.4f`. They carry {glue:text}`principal_components_share_1:.0%` and
# {glue:text}`principal_components_share_2:.0%` of the variance (in two dimensions there is no third). The shortcut is sound here.

# %% [markdown]
# ## What it means for forget sets
#
# Now forget the top {glue:text}`principal_components_forget` points of PC1, or of PC2, or as many random points. The oracle is
# trained on the rest. Descent-ascent starts from the student of all points and alternates a step up the loss on $F$ with a step down the loss on
# $R$; the ridge shrinks the weights in both. Distance to the oracle is the mean $|{\rm margin} - {\rm margin\ of\ the\ oracle}|$ over the retain points.
#
# Beside it we note how strongly $F$ and $R$ depend on each other: the spectral norm of the block of the influence matrix between $F$ and $R$. Appendix A of the
# paper conjectures, without a test, that this number predicts the damage.


# %%
def forget_sets(z, lam, rng) -> dict[str, np.ndarray]:
    """The three forget sets, as indices."""
    first, second = forget_sets.principal_components(ensemble_margins(z, lam, rng))[0]
    return {"top of PC1": forget_sets.select_points(first, top=forget),
            "top of PC2": forget_sets.select_points(second, top=forget),
            "random": rng.choice(len(z), forget, replace=False)}  # fmt: skip


def descent_ascent(s, z, gone, kept, lam) -> np.ndarray:
    """Alternating steps, up on F and down on R, the ridge shrinking in both."""
    for _ in range(steps):
        for rows, sign in ((gone, -1), (kept, 1)):
            pull = expit(-z[rows] @ s) @ z[rows] / len(rows)
            s = s + rate * (sign * pull - lam * s)
    return s


# %% tags=["hide-input"] mystnb={"figure": {"caption": "One marker for each data set and forget set. Across: how strongly forget and retain set influence each other. Up: how much farther from the oracle descent-ascent ended than it began; above the line at 0 it moved away.", "name": "principal_components-harm"}}
outcomes = []
for number in range(seeds):
    rng = np.random.default_rng([seed, 4, number])
    xs, ys = sample(points, ratio, rng)
    zs = xs * ys[:, None]
    start = fit(zs, np.ones((1, points)), ridge)[0]
    matrix = influences(zs, zs, ridge)
    for name, gone in forget_sets(zs, ridge, rng).items():
        kept = np.setdiff1d(np.arange(points), gone)
        weights = np.zeros((1, points))
        weights[0, kept] = points / len(kept)
        oracle = fit(zs, weights, ridge)[0]
        end = descent_ascent(start, zs, gone, kept, ridge)
        distance = [np.abs(zs[kept] @ (s - oracle)).mean() for s in (start, end)]
        gaps = np.linalg.norm(xs[gone][:, None] - xs[kept][None], axis=2)
        pulls = [expit(-zs[rows] @ start) @ zs[rows] / len(rows) for rows in (gone, kept)]
        outcomes.append((name, np.linalg.norm(matrix[np.ix_(gone, kept)], 2), *distance, gaps.min(axis=1).mean(),
                         np.linalg.norm(pulls[0]), np.dot(*pulls) / np.prod(np.linalg.norm(pulls, axis=1))))  # fmt: skip
outcomes = pd.DataFrame(outcomes, columns=["set", "coupling", "before", "after", "nearest", "force", "cosine"])
outcomes["growth"] = outcomes.after - outcomes.before
outcomes["factor"] = outcomes.after / outcomes.before
outcomes["along"] = outcomes.force * outcomes.cosine
looks = {"top of PC1": ("ascent", "o"), "top of PC2": ("accent", "s"), "random": ("neutral", "^")}
with figures.style():
    fig, ax = figures.panel(4.6, 3.4)
    ax.axhline(0, color=figures.COLORS["oracle"], lw=1, ls=":")
    for name, (color, marker) in looks.items():
        part = outcomes[outcomes.set == name]
        ax.plot(part.coupling, part.growth, marker, ls="", ms=6, color=figures.COLORS[color], label=name)
    ax.set(xlabel="spectral norm of I between F and R (loss)", ylabel="distance after − before (margin)")
    ax.locator_params(axis="x", nbins=5)
    ax.legend(loc="best")
figures.show(fig, alt=(
    "Scatter plot of the growth of the distance to the oracle against the coupling of forget and retain set. Sets from "
    "the first component lie at the upper right, random sets lower."))

# %% tags=["hide-input"]
def cell(values, digits=2) -> str:
    """Mean and the larger arm of its interval, as text."""
    center, low, high = interval(values)
    return f"{center:.{digits}f} ± {max(center - low, high - center):.{digits}f}"


groups = {name: outcomes[outcomes.set == name] for name in looks}
figures.table(pd.DataFrame([
    {"forget set": name, "before": cell(part.before, 3), "after": cell(part.after), "force": cell(part.force),
     "along R": cell(part.along), "norm of I": cell(part.coupling, 3), "nearest": cell(part.nearest)}
    for name, part in groups.items()
]))  # fmt: skip
first, second, chance = groups.values()
glue("principal_components_forget", forget, display=False)
for name, value in {
    "wins": np.sum(first.after.to_numpy() > chance.after.to_numpy()),
    "stronger": np.sum(second.coupling.to_numpy() > chance.coupling.to_numpy()),
    "worse": np.sum(second.growth.to_numpy() > chance.growth.to_numpy()),
    "smallest": outcomes.factor.min(),
    "order_coupling": stats.spearmanr(outcomes.coupling, outcomes.growth).statistic,
    "order_along": stats.spearmanr(outcomes.along, outcomes.growth).statistic,
    "order_factor": stats.spearmanr(outcomes.coupling, outcomes.factor).statistic,
}.items():  # fmt: skip
    glue(f"principal_components_{name}", float(value), display=False)

# %% [markdown]
# Means over the data sets with 95% intervals. *Before* and *after*: distance to the oracle. *Force*: length of the mean
# pull $-\nabla \ell$ of $F$ on the student. *Along R*: the part of that force in the direction of the mean pull of $R$.
# *Norm of I*: the spectral norm. *Nearest*: mean distance from a point of $F$ to the nearest point of $R$.
#
# Descent-ascent moved away from the oracle on every set: the distance grew {glue:text}`principal_components_smallest:.0f`-fold
# or more. On the top of PC1 it ended farther away than on the random set in {glue:text}`principal_components_wins:.0f` of
# {glue:text}`principal_components_seeds` data sets. The reason stands in the column "along R". The points of PC1 pull the
# student the way that $R$ pulls it, and harder than other points. Climbing on them takes back what $R$ needs.
#
# Two things came out differently from what we expected.
#
# - *Near neighbours.* We expected the PC points to have close neighbours in $R$. Measured by distance (last column) they
#   do not: they lie far out, where points are rare. What they share with the rest is a direction, through the inner
#   product. "Dependent" does not mean "near".
# - *The conjecture.* Over all sets the rank correlation between the norm and the damage (after − before) is
#   {glue:text}`principal_components_order_coupling:.2f`; with the force along $R$ it is
#   {glue:text}`principal_components_order_along:.2f`. The norm does set PC1 apart. It does not tell PC2 from random: PC2 is damaged
#   more in {glue:text}`principal_components_worse:.0f` of {glue:text}`principal_components_seeds` data sets and has the larger norm in
#   {glue:text}`principal_components_stronger:.0f`. And it depends on what one calls damage: with after / before, the
#   correlation is {glue:text}`principal_components_order_factor:.2f`, because a random set begins much closer to its oracle.
#
# ```{admonition} Our comment
# :class: ours
# Where does the intuition stop? (1) The points of PC1 are also the longest inputs, and a long input gives a strong pull. How much is length and
# how much is direction, this experiment does not separate. (2) Two weights leave only two directions; in a deep
# network influence has many, and the first component may be a class, a style, or a handful of odd images. (3) The alignment with the inner product
# belongs to a student near the origin. A trained one is governed by its boundary. The appendix offers a picture, not a theorem, and as a picture it is
# useful: it says which property to look for. The later experiments look for it in real networks.
# ```
