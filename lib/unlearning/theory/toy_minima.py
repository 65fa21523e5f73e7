"""The network with two parameters of Section 5.2: losses, gradients, minima, descent."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize
from scipy.special import expit

from unlearning.theory.intervals import Interval

INPUTS = np.array([-1.0, 1.0, 3.0, 4.0])  # x_1..x_4 (dimensionless), Section 5.2
LABELS = np.array([-1.0, 1.0, -1.0, 1.0])  # y_1..y_4, Section 5.2
FEATURES = np.stack([INPUTS, INPUTS**2], axis=1)  # rows (x, x²): shape (4, 2)
COPIES = (
    5.0,
    4.0,
    1.0,
    4.0,
)  # how often each point occurs in the training set D (count), Section 5.2


@dataclass(frozen=True)
class Activation:
    """σ(z) = level + scale · tanh((1 + z) · steepness / 2), with its derivatives as polynomials in h = σ(z)."""

    level: float  # middle of the range of values
    scale: float  # half of the range
    steepness: float  # factor on 1 + z

    def value(self, z: np.ndarray) -> np.ndarray:
        """h = σ(z)."""
        # by the logistic function, which does not cancel where the printed form comes near its lower end 0
        return (self.level - self.scale) + 2 * self.scale * expit(self.steepness * (1 + z))

    def slope(self, h: np.ndarray) -> np.ndarray:
        """dσ/dz as a function of h: (steepness / 2) (scale² − (h − level)²) / scale."""
        return self.steepness / 2 * (self.scale**2 - (h - self.level) ** 2) / self.scale

    def curvature(self, h: np.ndarray) -> np.ndarray:
        """d²σ/dz² as a function of h: −(steepness / scale) (h − level) dσ/dz."""
        return -self.steepness / self.scale * (h - self.level) * self.slope(h)


ACTIVATIONS = {
    # 2/(1 + e^{-(1+z)}) - 1 = tanh((1+z)/2): values in (-1, 1), as labels ±1 need
    "symmetric": Activation(0.0, 1.0, 1.0),
    # 1/(1 + e^{-(1+z)/2}), as printed: values in (0, 1), so it never says "-1"
    "printed": Activation(0.5, 0.5, 0.5),
    # the printed form moved to (-1, 1), its slope left as it is: tanh((1+z)/4)
    "rescaled": Activation(0.0, 1.0, 0.5),
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
    return ACTIVATIONS[objective.activation].value(_checked(theta) @ FEATURES.T)


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
    activation = ACTIVATIONS[objective.activation]
    h = activation.value(theta @ FEATURES.T)
    pull = 2 * np.asarray(objective.copies) * (h - LABELS) * activation.slope(h)
    return pull @ FEATURES + 2 * objective.ridge * theta


def gradient(theta, objective: Objective) -> np.ndarray:
    """Its gradient Σ_i 2 α_i (h_i - y_i) σ'(z_i) (x_i, x_i²) + 2λθ; theta (..., 2) gives (..., 2)."""
    return _gradient(_checked(theta), objective)


def hessian(theta, objective: Objective) -> np.ndarray:
    """Second derivatives Σ_i 2 α_i (σ'² + (h_i - y_i) σ'') φ_i φ_iᵀ + 2λ, φ = (x, x²); theta (..., 2) gives (..., 2, 2)."""
    activation = ACTIVATIONS[objective.activation]
    h = activation.value(_checked(theta) @ FEATURES.T)
    bend = activation.slope(h) ** 2 + (h - LABELS) * activation.curvature(h)
    outer = FEATURES[:, :, None] * FEATURES[:, None, :]
    return np.tensordot(
        2 * np.asarray(objective.copies) * bend, outer, 1
    ) + 2 * objective.ridge * np.eye(2)


@dataclass(frozen=True)
class Stationary:
    """A stationary point, proved to exist and to be the only one in its box."""

    theta: np.ndarray  # (a, b) in the middle of the box, shape (2,)
    low: np.ndarray  # lower corner of the box, shape (2,)
    high: np.ndarray  # upper corner
    kind: str  # "minimum", "saddle" or "maximum", by the sign of the Hessian's determinant and trace on the box


@dataclass(frozen=True)
class Certificate:
    """All stationary points of an objective, with what the proof took."""

    points: tuple[Stationary, ...]  # lowest loss first
    reach: np.ndarray  # every stationary point has |a| ≤ reach[0], |b| ≤ reach[1]
    boxes: int  # boxes looked at
    undecided: int  # clusters of boxes that could not be decided; 0 = the list of points is complete and proved


def _ranges(box: Interval, objective: Objective) -> tuple[Interval, list[Interval]]:
    """Enclosures of the gradient (n, 2) and of the Hessian's entries aa, ab, bb (n,) over boxes (n, 2)."""
    act = ACTIVATIONS[objective.activation]
    shrink = (box * (2 * objective.ridge), 2 * objective.ridge)
    gradient = [shrink[0][:, 0], shrink[0][:, 1]]
    curvature = [Interval.of(np.full(len(box.low), c)) for c in (shrink[1], 0.0, shrink[1])]
    for (x, xx), label, copies in zip(FEATURES, LABELS, objective.copies, strict=True):
        t = ((box[:, 0] * x + box[:, 1] * xx + 1.0) * (act.steepness / 2)).tanh()
        # h = level + scale t: slope = c (1 − t²), curvature = −2 c² (t − t³) / scale, c = scale steepness / 2
        c, away = act.scale * act.steepness / 2, t * act.scale + (act.level - label)
        slope = t.polynomial((c, 0.0, -c))
        pull = away * slope * (2 * copies)
        bends = t.polynomial((0.0, -act.steepness * c, 0.0, act.steepness * c))
        bend = (slope * slope + away * bends) * (2 * copies)
        gradient = [g + pull * v for g, v in zip(gradient, (x, xx), strict=True)]
        curvature = [g + bend * v for g, v in zip(curvature, (x * x, x * xx, xx * xx), strict=True)]
    return Interval(
        *(np.stack([getattr(g, e) for g in gradient], -1) for e in ("low", "high"))
    ), curvature


def _newton(box: Interval, objective: Objective) -> Interval:
    """Krawczyk's operator K(X) = c − Y g(c) + (1 − Y H(X)) (X − c) on boxes (n, 2), Y near H(c)⁻¹.

    Every stationary point of X lies in K(X); K(X) inside X proves that there is exactly one (Krawczyk 1969).
    """
    centre = box.middle
    approximate = hessian(centre, objective)
    flat = np.abs(np.linalg.det(approximate)) < 1e-9
    inverse = np.linalg.inv(np.where(flat[:, None, None], np.eye(2), approximate))
    at_centre, (_, (aa, ab, bb)) = (
        _ranges(Interval.of(centre), objective)[0],
        _ranges(box, objective),
    )
    spread, rows = box - centre, ((aa, ab), (ab, bb))
    found = []
    for i in (0, 1):
        value = Interval.of(centre[:, i])
        for j in (0, 1):
            value = value - at_centre[:, j] * inverse[:, i, j]
            product = rows[0][j] * inverse[:, i, 0] + rows[1][j] * inverse[:, i, 1]
            value = value + (float(i == j) - product) * spread[:, j]
        found.append(value)
    return Interval(np.stack([v.low for v in found], -1), np.stack([v.high for v in found], -1))


def _kind(box: Interval, objective: Objective) -> str | None:
    aa, ab, bb = _ranges(box, objective)[1]
    determinant = aa * bb - ab * ab
    if determinant.high[0] < 0:
        return "saddle"
    if determinant.low[0] > 0:
        return "minimum" if aa.low[0] > 0 else "maximum" if aa.high[0] < 0 else None
    return None


def stationary_points(
    objective: Objective, width: float = 1e-5, most: int = 400_000
) -> Certificate:
    """Every stationary point in the whole plane, by branch and bound with outward rounding; no start is chosen.

    A stationary point has λ|a| ≤ Σ|α_i||x_i| and λ|b| ≤ Σ|α_i|x_i², because |h - y| σ' ≤ 1. That rectangle is halved
    again and again. A box goes when the gradient's enclosure does not contain 0 or when Krawczyk's operator misses it;
    what is left at `width` is gathered into clusters, and in a slightly larger box around each Krawczyk's operator proves
    exactly one point. Where two stationary points meet (a fold) no such proof exists: `undecided` counts those clusters.
    Raises ValueError for width ≤ 0, and RuntimeError when more than `most` boxes would be needed.
    """
    if not (np.isfinite(width) and width > 0):
        raise ValueError(f"width = {width}: give a finite number above 0")
    reach = np.abs(objective.copies) @ np.abs(FEATURES) / objective.ridge * (1 + 1e-9) + width
    boxes, small, seen = Interval(-reach[None], reach[None]), [], 0
    while len(boxes.low):
        seen += len(boxes.low)
        if seen > most:
            raise RuntimeError(f"more than {most} boxes: raise `most`, or give a larger width")
        slope = _ranges(boxes, objective)[0]
        keep = np.all((slope.low <= 0) & (slope.high >= 0), axis=1)
        boxes = boxes[keep]
        reached = _newton(boxes, objective)
        low, high = np.maximum(boxes.low, reached.low), np.minimum(boxes.high, reached.high)
        boxes = Interval(low, high)[np.all(low <= high, axis=1)]
        sides = boxes.high - boxes.low
        done = sides.max(axis=1) <= width
        small += list(zip(boxes.low[done], boxes.high[done], strict=True))
        boxes, sides = boxes[~done], sides[~done]
        rows, axis = np.arange(len(sides)), sides.argmax(axis=1)
        left, right = boxes.high.copy(), boxes.low.copy()
        left[rows, axis] = right[rows, axis] = boxes.middle[rows, axis]
        boxes = Interval(np.concatenate([boxes.low, right]), np.concatenate([left, boxes.high]))
    points, undecided = [], 0
    margin = (
        10 * width
    )  # so that a box beside a stationary point is taken together with the point's own
    for low, high in _clusters(small, 2 * margin):
        around = Interval((low - margin)[None], (high + margin)[None])
        inside, kind = _newton(around, objective), _kind(around, objective)
        if kind and np.all((inside.low > around.low) & (inside.high < around.high)):
            points.append(Stationary(inside.middle[0], around.low[0], around.high[0], kind))
        else:
            undecided += 1
    points.sort(key=lambda p: float(loss(p.theta, objective)))
    return Certificate(tuple(points), reach, seen, undecided)


def _clusters(boxes: list, gap: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Hulls (low, high) of boxes that lie within `gap` of each other."""
    hulls: list[tuple[np.ndarray, np.ndarray]] = []
    for low, high in boxes:
        while near := [
            k for k, (a, b) in enumerate(hulls) if np.all((a - gap <= high) & (low <= b + gap))
        ]:
            a, b = hulls.pop(near[0])
            low, high = np.minimum(low, a), np.maximum(high, b)
        hulls.append((low, high))
    return hulls


def minima(objective: Objective) -> list[Minimum]:
    """All local minima, lowest value first: those of `stationary_points`, polished by Newton's method.

    Raises RuntimeError when a stationary point could not be decided (two of them meet, or nearly so).
    """
    certificate = stationary_points(objective)
    if certificate.undecided:
        raise RuntimeError(
            f"{certificate.undecided} stationary points could not be told apart for copies = {objective.copies}: "
            "two of them meet there; change a multiplicity a little"
        )
    found = []
    for point in (p for p in certificate.points if p.kind == "minimum"):
        theta = point.theta
        for _ in range(3):
            theta = theta - np.linalg.solve(hessian(theta, objective), gradient(theta, objective))
        labels = tuple(signs(theta, objective).tolist())
        found.append(Minimum(theta, float(loss(theta, objective)), labels))
    return found


def fold(
    objective: Objective, point: int, start: Sequence[float], weight: float
) -> tuple[np.ndarray, float]:
    """Where the valley at `start` ends as the multiplicity of `point` (0-3) changes: (theta, multiplicity).

    There gradient = 0 and det H = 0: minimum and saddle meet. Solved with MINPACK from (start, weight). Raises
    RuntimeError when no such place is found.
    """

    def equations(unknown: np.ndarray) -> np.ndarray:
        now = replace(
            objective,
            copies=(*objective.copies[:point], unknown[2], *objective.copies[point + 1 :]),
        )
        return np.append(gradient(unknown[:2], now), np.linalg.det(hessian(unknown[:2], now)))

    solved = optimize.root(equations, [*start, weight], tol=1e-12)
    if not solved.success or np.abs(equations(solved.x)).max() > 1e-8:
        raise RuntimeError(f"no fold found from {start}, multiplicity {weight}: {solved.message}")
    return solved.x[:2], float(solved.x[2])


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
