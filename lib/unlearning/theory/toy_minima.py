"""The network with two parameters of Section 5.2: losses, gradients, minima, descent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize
from scipy.special import expit

INPUTS = np.array([-1.0, 1.0, 3.0, 4.0])  # x_1..x_4 (dimensionless), Section 5.2
LABELS = np.array([-1.0, 1.0, -1.0, 1.0])  # y_1..y_4, Section 5.2
FEATURES = np.stack([INPUTS, INPUTS**2], axis=1)  # rows (x, x²): shape (4, 2)
COPIES = (
    5.0,
    4.0,
    1.0,
    4.0,
)  # how often each point occurs in the training set D (count), Section 5.2

# Each activation is a pair: value h = σ(z) and slope dh/dz.
ACTIVATIONS: dict[str, tuple[Callable, Callable]] = {
    # 2/(1 + e^{-(1+z)}) - 1, which is tanh((1+z)/2): values in (-1, 1), as labels ±1 need
    "symmetric": (lambda z: np.tanh((1 + z) / 2), lambda z: (1 - np.tanh((1 + z) / 2) ** 2) / 2),
    # 1/(1 + e^{-(1+z)/2}), as printed: values in (0, 1), so it never says "-1"
    "printed": (
        lambda z: expit((1 + z) / 2),
        lambda z: expit((1 + z) / 2) * expit(-(1 + z) / 2) / 2,
    ),
}


@dataclass(frozen=True)
class Objective:
    """What is minimised: Σ_i α_i (h_i - y_i)² + λ‖θ‖² with h_i = σ(a x_i + b x_i²), θ = (a, b) (Section 5.2).

    Raises ValueError when there are not four finite copies, when ridge ≤ 0 (then a minimum need not exist),
    or when the activation is unknown.
    """

    copies: tuple[
        float, ...
    ]  # signed multiplicities α_1..α_4 (count): times kept minus rate x times forgotten
    ridge: float = 0.1  # λ (dimensionless), Section 5.2
    activation: str = "symmetric"  # a key of ACTIVATIONS

    def __post_init__(self) -> None:
        if len(self.copies) != len(INPUTS) or not np.all(np.isfinite(self.copies)):
            raise ValueError(
                f"copies = {self.copies!r}: give {len(INPUTS)} finite numbers, one for each point"
            )
        if not (np.isfinite(self.ridge) and self.ridge > 0):
            raise ValueError(
                f"ridge = {self.ridge!r}: give a finite number above 0, or no minimum need exist"
            )
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"activation = {self.activation!r}: allowed are {', '.join(ACTIVATIONS)}"
            )


@dataclass(frozen=True)
class Minimum:
    """A local minimum of an objective."""

    theta: np.ndarray  # (a, b), shape (2,)
    value: float  # the objective there
    signs: tuple[int, ...]  # predicted labels of x_1..x_4, each -1 or +1


def descent_ascent(forgotten: Sequence[float], rate: float = 1.0, **kwargs) -> Objective:
    """Descent on what is kept, ascent on what is forgotten: α = (COPIES - forgotten) - rate · forgotten.

    forgotten: copies to forget of each point (count, 0 ≤ forgotten ≤ COPIES); rate: ascent over descent rate (≥ 0);
    rate = 0 is retraining on R, rate = 1 is Section 5.2, other values App. B. Further arguments go to `Objective`.
    Raises ValueError when more copies are to be forgotten than there are, or for a negative rate.
    """
    gone = np.asarray(forgotten, dtype=float)
    if gone.shape != (len(COPIES),) or not np.all((gone >= 0) & (gone <= COPIES)):
        raise ValueError(
            f"forgotten = {forgotten!r}: give {len(COPIES)} counts, between 0 and {COPIES}"
        )
    if not (np.isfinite(rate) and rate >= 0):
        raise ValueError(f"rate = {rate!r}: give a finite number, 0 or above")
    return Objective(tuple((np.asarray(COPIES) - gone - rate * gone).tolist()), **kwargs)


def _checked(theta) -> np.ndarray:
    theta = np.asarray(theta, dtype=float)
    if theta.shape[-1:] != (2,) or not np.all(np.isfinite(theta)):
        raise ValueError(
            f"theta has shape {theta.shape}: give finite pairs (a, b) in the last axis"
        )
    return theta


def predict(theta, objective: Objective) -> np.ndarray:
    """Outputs h_i = σ(a x_i + b x_i²) at the four points; theta (..., 2) gives (..., 4). The label is the sign of h."""
    return ACTIVATIONS[objective.activation][0](_checked(theta) @ FEATURES.T)


def signs(theta, objective: Objective) -> np.ndarray:
    """Predicted labels, +1 where h > 0 and -1 elsewhere; theta (..., 2) gives (..., 4)."""
    return np.where(predict(theta, objective) > 0, 1, -1)


def loss(theta, objective: Objective) -> np.ndarray:
    """The objective Σ_i α_i (h_i - y_i)² + λ‖θ‖²; theta (..., 2) gives (...)."""
    theta = _checked(theta)
    return (predict(theta, objective) - LABELS) ** 2 @ objective.copies + objective.ridge * np.sum(
        theta**2, axis=-1
    )


def _gradient(theta: np.ndarray, objective: Objective) -> np.ndarray:
    activation, slope = ACTIVATIONS[objective.activation]
    z = theta @ FEATURES.T
    pull = 2 * np.asarray(objective.copies) * (activation(z) - LABELS) * slope(z)
    return pull @ FEATURES + 2 * objective.ridge * theta


def gradient(theta, objective: Objective) -> np.ndarray:
    """Its gradient Σ_i 2 α_i (h_i - y_i) σ'(z_i) (x_i, x_i²) + 2λθ; theta (..., 2) gives (..., 2)."""
    return _gradient(_checked(theta), objective)


def hessian(theta, objective: Objective) -> np.ndarray:
    """Second derivatives at one theta (2,), shape (2, 2): central differences (step 1e-5) of `gradient`, symmetrised."""
    shift = 1e-5 * np.eye(2)
    columns = gradient(_checked(theta) + shift, objective) - gradient(
        _checked(theta) - shift, objective
    )
    return (columns + columns.T) / (4 * 1e-5)


def minima(
    objective: Objective,
    rng: np.random.Generator,
    starts: int = 60,
    box: float = 5.0,
    tolerance: float = 1e-3,
) -> list[Minimum]:
    """Local minima found by BFGS from `starts` random points of the square |a|, |b| ≤ box, lowest value first.

    Two solutions closer than `tolerance` are one. A solution counts only if its gradient vanishes (below 1e-5) and its
    Hessian is positive definite, so saddles and unfinished runs drop out. Multi-start can miss a minimum; the tests
    compare with a grid. Raises ValueError for starts < 1, box ≤ 0 or tolerance ≤ 0.
    """
    if starts < 1 or not box > 0 or not tolerance > 0:
        raise ValueError(
            f"starts = {starts}, box = {box}, tolerance = {tolerance}: all must be above 0"
        )
    found: list[Minimum] = []
    for start in rng.uniform(-box, box, (starts, 2)):
        end = optimize.minimize(
            loss, start, args=(objective,), jac=gradient, method="BFGS", options={"gtol": 1e-7}
        ).x
        if (
            np.linalg.norm(gradient(end, objective)) > 1e-5
            or np.linalg.eigvalsh(hessian(end, objective))[0] <= 0
        ):
            continue
        if all(np.linalg.norm(end - other.theta) > tolerance for other in found):
            labels = tuple(signs(end, objective).tolist())
            found.append(Minimum(end, float(loss(end, objective)), labels))
    return sorted(found, key=lambda m: m.value)


def descend(theta, objective: Objective, step: float, steps: int) -> np.ndarray:
    """Gradient descent θ ← θ - step · ∇ from theta (2,); returns the path, shape (steps + 1, 2), start included.

    Raises ValueError for step ≤ 0, steps < 1, or when the step is so large that the path leaves the finite numbers.
    """
    if not (np.isfinite(step) and step > 0) or steps < 1:
        raise ValueError(f"step = {step}, steps = {steps}: both must be above 0")
    path = np.empty((steps + 1, 2))
    path[0] = _checked(theta)
    with np.errstate(over="ignore", invalid="ignore"):  # divergence is reported below, once
        for k in range(steps):
            path[k + 1] = path[k] - step * _gradient(path[k], objective)
    lost = ~np.isfinite(path).all(axis=1)
    if lost.any():
        raise ValueError(
            f"step = {step} makes descent diverge at step {np.argmax(lost)}: give a smaller one"
        )
    return path
