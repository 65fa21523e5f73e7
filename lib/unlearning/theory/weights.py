"""Two coordinates in weights, box by box, in ball arithmetic: wrong first steps, and where descent-ascent ends.

Both unknown models are found from their forget margin alone: y of the pretrained model and u of the minimiser of L_DA
are roots of one equation, which increases through them (`forget_equation`). A proved change of sign encloses the root at
the centre of a box of (ε, a), a = α|R|/|F|; the mean value theorem carries it over the box, and bounds functions of it.
Needs python-flint (the extra `proof`), imported where it is used.
"""

import json
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import wrightomega

from unlearning.theory import correlated
from unlearning.theory.certify import BITS, Sizes, _ball, _hull
from unlearning.theory.correlated import TwoCoordinates


@dataclass(frozen=True)
class Jet:
    """A ball with its partial derivatives, which are balls: the rules of differentiation, one by one."""

    value: object  # arb
    slopes: tuple  # derivative by each variable (arb)

    def through(self, value, slope):
        """g(self), given the value of g and of its derivative."""
        return Jet(value, tuple(slope * one for one in self.slopes))

    def __add__(self, other):
        if not isinstance(other, Jet):
            return Jet(self.value + other, self.slopes)
        both = zip(self.slopes, other.slopes, strict=True)
        return Jet(self.value + other.value, tuple(p + q for p, q in both))

    def __mul__(self, other):
        if not isinstance(other, Jet):
            return self.through(self.value * other, other)
        both = zip(self.slopes, other.slopes, strict=True)
        slopes = tuple(p * other.value + q * self.value for p, q in both)
        return Jet(self.value * other.value, slopes)

    def __truediv__(self, other):
        if not isinstance(other, Jet):
            return self.through(self.value / other, 1 / other)
        inverse = 1 / other.value
        return self * other.through(inverse, -inverse * inverse)

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + -other

    def __rsub__(self, other):
        return -self + other

    __radd__, __rmul__ = __add__, __mul__

    def exp(self):
        value = self.value.exp()
        return self.through(value, value)

    def lambertw(self):
        value = self.value.lambertw()
        return self.through(value, (-value).exp() / (1 + value))


@dataclass(frozen=True)
class Plane:
    """The problem's constants as balls."""

    b: object  # r/(λ|D|)
    c: object  # r/(λ|R|)
    ratio: object  # |F|/|R|
    f: object  # |F|/|D|

    @classmethod
    def of(cls, sizes: Sizes):
        """From rational sizes, at the precision of the certificates."""
        import flint

        flint.ctx.prec = BITS
        n_train = sizes.n_retain + sizes.n_forget
        b, c = sizes.r / (sizes.lam * n_train), sizes.r / (sizes.lam * sizes.n_retain)
        return cls(
            _ball(b),
            _ball(c),
            _ball(sizes.n_forget / sizes.n_retain),
            _ball(sizes.n_forget / n_train),
        )


def overlap(e):
    """(s, t, δ) of an overlap ε: 1 + ε², 2ε/s, (1−ε²)²/s."""
    s, gap = 1 + e * e, 1 - e * e
    return s, 2 * e / s, gap * gap / s


def x_of(pull, e, y):
    """x = ty + W0(pull·δ e^{-ty}): the retain margin of a stationary point, given its forget margin."""
    _, t, delta = overlap(e)
    return t * y + (pull * delta * (-(t * y)).exp()).lambertw()


def forget_equation(retain, forget, e, y):
    """y − 2ε·retain·e^{-x(y)} − s·forget·e^{-y}: zero where the forget margin is y.

    L_D has the pulls retain = b and forget = bα, and one root; L_DA has c and −ca. Then there are two roots, one or none
    (theorem in the chapter `correlated`), and it increases through the minimiser's, the larger one, only.
    """
    s, _, _ = overlap(e)
    shared = 2 * e * (-x_of(retain, e, y)).exp() * retain
    return y - shared - s * forget * (-y).exp()


def first_step(plane: Plane, e, a, y):
    """fX − (1+f) a e^{x−y} Y for X = x_R − x_D, Y = y_R − y_D: negative where the first step points away.

    −∇L_DA(w_D)/λ = c[f e^{-x} v − (1+f) a e^{-y} u] (the line that unites the theory), times w_R − w_D, over c e^{-x}.
    """
    s, t, _ = overlap(e)
    x, x_r = x_of(plane.b, e, y), (plane.c * s).lambertw()
    return plane.f * (x_r - x) - (1 + plane.f) * a * (x - y).exp() * (t * x_r - y)


def farther(plane: Plane, e, a, y, u):
    """|w_DA − w_R|² − |w_D − w_R|²: the limit is the worse model where it is positive.

    With w = Pv + Ku and w_R = Ov the way between them has the squared length (O − P)X − KY, X and Y as above.
    """
    s, t, _ = overlap(e)
    x, x_r, x_a = x_of(plane.b, e, y), (plane.c * s).lambertw(), x_of(plane.c, e, u)
    y_r, oracle = t * x_r, x_r / s
    after = (oracle - plane.c * (-x_a).exp()) * (x_r - x_a) + plane.c * a * (-u).exp() * (y_r - u)
    forget = plane.b * plane.ratio * a * (-y).exp()
    return after - (oracle - plane.b * (-x).exp()) * (x_r - x) + forget * (y_r - y)


def between(equation, low: float, high: float, pads) -> object | None:
    """A ball around the root of an increasing equation: the first padded [low, high] with a proved change of sign."""
    for pad in pads:
        ends = Fraction(low - pad), Fraction(high + pad)
        if equation(_ball(ends[0])) < 0 and equation(_ball(ends[1])) > 0:
            return _hull(*ends)
    return None


def last_ratio(plane: Plane, e, guess: float):
    """A ball around the largest a with a stationary point of L_DA, for every ε in e; None where it is not found.

    By `forget_equation` a stationary point with the forget margin u has a(u) = e^u (2εc e^{-x(u)} − u)/(cs). It turns
    once, where 1 + u − 2εc e^{-x}(1 − x′) = 0, x′ = t/(1+W0); a′ is minus that times e^u/(cs). guess: about where.
    """
    s, t, delta = overlap(e)

    def excess(u):
        branch = (plane.c * delta * (-(t * u)).exp()).lambertw()
        shared = 2 * e * plane.c * (-(t * u) - branch).exp()
        return 1 + u - shared * (1 - t / (1 + branch))

    top = between(excess, guess, guess, [10.0**k for k in (-4, -3, -2, -1)])
    if top is None:
        return None
    middle, pull = _ball(Fraction(guess)), plane.c * s
    height = middle.exp() * (2 * e * plane.c * (-x_of(plane.c, e, middle)).exp() - middle)
    return (height - excess(top) * top.exp() * (top - middle)) / pull


def follow(equation, centre, box, seen: NDArray) -> tuple | None:
    """An equation's root at a box's centre (ball) and over the whole box (Jet by ε and a); None if not proved.

    seen: where floating point sees it at the centre and at the corners. Let Z be a ball, N = root − Σ F_k/F_z (box −
    centre) with the derivatives over box and Z. If F_z > 0 there and N lies inside Z, the root moves continuously from
    the centre to any point of the box and cannot leave N (mean-value theorem along the way).
    """
    if not np.all(np.isfinite(seen)):
        return None
    pads = [10.0**k * (1 + abs(seen[0])) for k in (-12, -9, -6)]
    root = between(lambda z: equation(*centre, z), seen[0], seen[0], pads)
    if root is None:
        return None
    pad = 0.3 * np.ptp(seen) + 1e-9
    allowed = _hull(Fraction(seen.min() - pad), Fraction(seen.max() + pad))
    for _ in range(2):
        one, nothing = 1 + 0 * root, 0 * root
        seeds = (one, nothing, nothing), (nothing, one, nothing), (nothing, nothing, one)
        *partial, rise = equation(*map(Jet, [*box, allowed], seeds)).slopes
        if not rise > 0:
            return None
        slopes = tuple(-slope / rise for slope in partial)
        found = root + sum(p * (v - m) for p, v, m in zip(slopes, box, centre, strict=True))
        if allowed.contains_interior(found):
            return root, Jet(found, slopes)
        allowed = found + (found - root) / 4  # a little wider, once
    return None


def mean_value(plane: Plane, function, centre, box, roots):
    """A ball around function(ε, a, *roots) over a box by the mean-value form; roots as `follow` gives them."""
    one, nothing = 1 + 0 * centre[0], 0 * centre[0]
    seeds = Jet(box[0], (one, nothing)), Jet(box[1], (nothing, one))
    slopes = function(plane, *seeds, *(jet for _, jet in roots)).slopes
    change = sum(p * (v - m) for p, v, m in zip(slopes, box, centre, strict=True))
    return function(plane, *centre, *(ball for ball, _ in roots)) + change


@dataclass(frozen=True)
class WeightsMap:
    """Boxes [level, i, j] of the (ε, α|R|/|F|) plane on which a verdict in weights is proved for every point."""

    sizes: dict[str, str]  # the problem's rational numbers, as texts
    top: str  # the map is 0 < ε < 1, 0 < α|R|/|F| < top
    depth: int  # the smallest boxes are 2^-depth of the map wide and high
    away: list[list[int]]  # the first step points away from the oracle
    towards: list[list[int]]  # the first step points towards it
    none: list[list[int]]  # L_DA has no stationary point
    farther: list[list[int]]  # its minimiser is farther from the oracle than the pretrained model
    nearer: list[list[int]]  # its minimiser is nearer
    made_by: str  # program and precision

    def area(self, *kinds: str) -> float:
        """Share of the map that is proved to be of one of the kinds."""
        return sum(4.0 ** -box[0] for kind in kinds for box in getattr(self, kind))


def guesses(sizes: Sizes, e: NDArray, a: NDArray) -> NDArray:
    """Floating-point forget margins (2, ...) of w_D and of w_DA (NaN without one); nothing is proved by them."""
    n_retain, n_forget, r, lam = (float(v) for v in asdict(sizes).values())
    alpha = np.minimum(a * n_forget / n_retain, n_forget / r)
    one = TwoCoordinates(n_retain, n_forget, r, alpha, lam, np.minimum(e, 1 - 1e-9))
    models = correlated.pretrained(one), correlated.da_stationary(one)[0]
    return np.stack([correlated.margins(one, w)[1] for w in models])


def turn(c: float, e: float) -> float:
    """Floating-point u at which a(u) of `last_ratio` turns: between −1 and the oracle's forget margin."""
    s, t, delta = overlap(e)

    def excess(u):
        branch = wrightomega(np.log(c * delta) - t * u)
        return 1 + u - 2 * e * c * np.exp(-t * u - branch) * (1 - t / (1 + branch))

    return brentq(excess, -1.0, t * wrightomega(np.log(c * s)) + 1e-9)


def columns(plane: Plane, depth: int):
    """(level, i) -> a ball around the largest a with a limit over that column of the map, None where not found.

    Columns are put together from slices, four of them in a finest column: balls are tight over thin slices only.
    """

    @cache
    def last(level: int, i: int):
        if level < depth + 2:
            halves = [last(level + 1, 2 * i), last(level + 1, 2 * i + 1)]
            return None if None in halves else halves[0].union(halves[1])
        slice_ = _hull(Fraction(i, 2**level), Fraction(i + 1, 2**level))
        return last_ratio(plane, slice_, turn(float(plane.c.mid()), (i + 0.5) / 2**level))

    return last


def proved(plane: Plane, limit: bool, centre, box, seen: NDArray):
    """A ball around `first_step`, or `farther` if limit, over a box; None where a root is not proved to exist.

    seen: the margins y and u by floating point at the box's centre and its corners, (2, 5).
    """
    equations = (
        lambda e, a, y: forget_equation(plane.b, plane.b * plane.ratio * a, e, y),
        lambda e, a, u: forget_equation(plane.c, plane.c * a * -1, e, u),
    )
    roots = []
    for equation, margin in zip(equations[: 1 + limit], seen, strict=False):
        roots.append(follow(equation, centre, box, margin))
        if roots[-1] is None:
            return None
    return mean_value(plane, farther if limit else first_step, centre, box, roots)


def prove_map(sizes: Sizes, depth: int = 8, top: Fraction = Fraction(6, 5)) -> WeightsMap:
    """Prove, box by box, the first step's direction and the limit's place in weights; bisect what is not decided.

    A comparison of balls is true only if it holds for all their members. Raises ImportError without python-flint.
    """
    import flint

    plane = Plane.of(sizes)
    last = columns(plane, depth)
    found: dict[str, list] = {k: [] for k in ("away", "towards", "none", "farther", "nearer")}
    corner = np.array([[0.5, 0, 0, 1, 1], [0.5, 0, 1, 0, 1]])
    for limit, negative, positive in ((False, "away", "towards"), (True, "nearer", "farther")):
        level, todo = min(4, depth), list(np.ndindex(2 ** min(4, depth), 2 ** min(4, depth)))
        while todo:
            at = (np.array(todo)[:, :, None] + corner) / 2**level
            seen = guesses(sizes, at[:, 0], float(top) * at[:, 1])
            left = []
            for k, (i, j) in enumerate(todo):
                ends = [[scale * (n + m) / 2**level for m in (0, Fraction(1, 2), 1)]
                        for n, scale in ((Fraction(i), 1), (j, top))]  # fmt: skip
                box, centre = [_hull(e[0], e[2]) for e in ends], [_ball(e[1]) for e in ends]
                border = last(level, i) if limit else None
                if border is not None and _ball(ends[1][0]) > border:
                    found["none"].append([level, i, j])
                    continue
                value = proved(plane, limit, centre, box, seen[:, k])
                if value is not None and (value < 0 or value > 0):
                    found[negative if value < 0 else positive].append([level, i, j])
                elif level < depth:
                    left += [(2 * i + m, 2 * j + n) for m in (0, 1) for n in (0, 1)]
            level, todo = level + 1, left
    words = {name: str(value) for name, value in asdict(sizes).items()}
    by = f"python-flint {flint.__version__}, {BITS} bits"
    kinds = {kind: sorted(boxes) for kind, boxes in found.items()}
    return WeightsMap(words, str(top), depth, **kinds, made_by=by)


def read_map(path: Path) -> WeightsMap:
    """A recorded map, as `certify.write` leaves it. Raises FileNotFoundError when there is none."""
    return WeightsMap(**json.loads(path.read_text()))
