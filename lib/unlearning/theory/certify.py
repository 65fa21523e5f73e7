"""Proofs by machine: polynomial cores for all parameters (z3), maps and examples in ball arithmetic (python-flint).

Both packages are optional (the extra `proof`) and imported where they are used; `available` says which are there. What
they proved is also recorded under results/certificates, so that a page without them can show the record.
"""

import json
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cache
from importlib.util import find_spec
from pathlib import Path

BITS = 100  # precision of the ball arithmetic


def available(package: str) -> bool:
    """Whether "z3" or "flint" can be imported here."""
    return find_spec(package) is not None


# Polynomial cores: for all parameters ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Core:
    """One statement about polynomials, proved by refuting its negation."""

    name: str  # which lemma or theorem it is the core of
    statement: str  # in words, with the paper's symbols
    negation: str  # its negation as SMT-LIB text, which any solver can read
    result: str  # "proved" (the negation is unsatisfiable), "refuted" or "open"


def prove_cores() -> list[Core]:
    """The polynomial parts of Lemmas 3 and 9, of the threshold of harm and of the stopping window, by z3.

    What is taken as given: W0 increases (so that comparing arguments is enough), y_D <= x_D (Lemma 12), and e^{-x},
    e^{-y} are positive numbers. Sizes are positive reals, so whole numbers are covered. Raises ImportError without z3.
    """
    import z3

    R, F, a, rho, e, X, Y, k = z3.Reals("R F alpha rho epsilon X Y kappa")
    D, s = R + F, 1 + e * e
    t, delta = 2 * e / s, (1 - e * e) * (1 - e * e) / s
    sizes, overlap = [R > 0, F > 0, a >= 0], [e > 0, e < 1]
    pull_d, pull_r = (1 + a) / D, 1 / R  # without the common factor r
    pull_da, weighted = 1 / R - a / F, 1 / R - rho * a / F
    star = F * F / (R * (F + rho * D))
    kappa = F * F / (t * R * (D + F))
    slope = s * X * (1 / R - 1 / D) - 2 * e * a * Y * (1 / F + 1 / D)  # x'(0)/r, from the text
    table = [
        ("Lemma 3", "in its range A_DA ≤ A_D ≤ A_R", sizes,
         z3.Implies(z3.And(a * R * (F + D) >= F * F, a * R <= F), z3.And(pull_da <= pull_d, pull_d <= pull_r))),
        ("Lemma 9, x", "from its first bound on: c(s − 2εα|R|/|F|) ≤ b(s + 2αε)", sizes + overlap,
         z3.Implies(a >= s * F * F / (2 * e * R * (D + F)), (s - 2 * e * a * R / F) / R <= (s + 2 * a * e) / D)),
        ("Lemma 9, y", "from its second bound on: c(2ε − sα|R|/|F|) ≤ bαs", sizes + overlap,
         z3.Implies(a >= t * F * D / (R * (D + F)), (2 * e - s * a * R / F) / R <= a * s / D)),
        ("Threshold, order", "A_DA < A_D exactly if α > α*", [*sizes, rho >= 1],
         (weighted < pull_d) == (a > star)),
        ("Threshold, above", "A_D + A_DA < 2 A_R for α > |F|/|R|", [*sizes, rho >= 1],
         z3.Implies(a * R > F, pull_d + weighted < 2 * pull_r)),
        ("Threshold, place", "α* < |F|/|R|", [*sizes, rho >= 1], star < F / R),
        ("Window, h′", "−s + 2εt = −δ", overlap, -s + 2 * e * t == -delta),
        ("Window, x′(0)", "x′(0) ≤ 0 exactly if α e^{−y} ≥ κ e^{−x}", [*sizes, *overlap, X > 0, Y > 0],
         (slope <= 0) == (a * Y >= kappa * X)),
        ("Window, explicit", "α ≥ κ and y_D ≤ x_D give x′(0) ≤ 0", [*sizes, *overlap, X > 0, Y >= X],
         z3.Implies(a >= kappa, slope <= 0)),
        ("Window, exponent", "1 − (2ε + sκ)/(s + 2εκ) = (1−ε)²(1−κ)/(s + 2εκ)", [*overlap, k > 0],
         1 - (2 * e + s * k) / (s + 2 * e * k) == (1 - e) * (1 - e) * (1 - k) / (s + 2 * e * k)),
    ]  # fmt: skip
    words = {"unsat": "proved", "sat": "refuted", "unknown": "open"}
    cores = []
    for name, statement, given, holds in table:
        solver = z3.Solver()
        solver.set("timeout", 10_000)  # ms; each takes a few
        solver.add(*given, z3.Not(holds))
        cores.append(Core(name, statement, solver.to_smt2(), words[str(solver.check())]))
    return cores


# Two coordinates in ball arithmetic -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sizes:
    """A two-coordinate problem in rational numbers, without α and ε."""

    n_retain: Fraction  # |R| (samples)
    n_forget: Fraction  # |F| (samples)
    r: Fraction  # retain samples at (1, ε) (samples)
    lam: Fraction  # λ (dimensionless)


def _ball(value):
    """A rational number as the smallest ball around it."""
    from flint import arb, fmpq

    value = Fraction(value)
    return arb(fmpq(value.numerator, value.denominator))


def _hull(low: Fraction, high: Fraction):
    """A ball that contains the interval [low, high]."""
    return _ball(low).union(_ball(high))


def _lengths(sizes: Sizes, e):
    """(b, c, s, t, δ, |F|/|R|) of a problem as balls, for a ball or number ε."""
    n_train = sizes.n_retain + sizes.n_forget
    s = 1 + e * e
    b, c = _ball(sizes.r / (sizes.lam * n_train)), _ball(sizes.r / (sizes.lam * sizes.n_retain))
    return b, c, s, 2 * e / s, ((1 - e) * (1 + e)) ** 2 / s, _ball(sizes.n_forget / sizes.n_retain)


def window_ends(sizes: Sizes, e) -> tuple:
    """Balls that contain the two ends of `windows.stopping_window`, in units of |F|/|R|, for every ε in the ball e."""
    import flint

    flint.ctx.prec = max(flint.ctx.prec, BITS)
    b, c, s, t, delta, ratio = _lengths(sizes, e)
    n_train = sizes.n_retain + sizes.n_forget
    kappa = _ball(sizes.n_forget**2 / (sizes.n_retain * (n_train + sizes.n_forget))) / t
    weight = s + 2 * e * kappa
    x = (b * weight).lambertw()
    low = kappa * (-x * (1 - e) ** 2 * (1 - kappa) / weight).exp()
    x_r = (c * s).lambertw()
    y_r = t * x_r
    gap = x_r - t * y_r - (b * delta * (-t * y_r).exp()).lambertw()  # x_R − x*
    high = t * (y_r - x_r).exp() * (ratio - (gap.exp() - 1))
    return low / ratio, high / ratio


@dataclass(frozen=True)
class HarmMap:
    """Boxes of the (ε, α|R|/|F|) plane on which a verdict is proved for every point of the box."""

    sizes: dict[str, str]  # the problem's rational numbers, as texts
    top: str  # the map is 0 < ε < 1, 0 < α|R|/|F| < top
    depth: int  # the smallest boxes are 2^-depth of the map wide and high
    harm: list[list[int]]  # [level, i, j]: no stopping time brings either margin nearer
    spared: list[list[int]]  # [level, i, j]: some margin comes nearer at first
    made_by: str  # program and precision

    def area(self, kind: str) -> float:
        """Share of the map that is proved "harm", proved "spared", or "undecided"."""
        share = {k: sum(4.0 ** -box[0] for box in getattr(self, k)) for k in ("harm", "spared")}
        return 1 - sum(share.values()) if kind == "undecided" else share[kind]


def prove_map(sizes: Sizes, depth: int = 9, top: Fraction = Fraction(6, 5)) -> HarmMap:
    """Prove, box by box, where descent-ascent harms both margins at every stopping time; bisect what is not decided.

    A comparison of balls is true only if it holds for all their members; a ball without meaning (NaN) decides nothing.
    Raises ImportError without python-flint.
    """
    import flint

    flint.ctx.prec = BITS

    @cache
    def ends(level: int, i: int):
        """Balls around both ends over a column: from slices of the finest columns, where balls are tight."""
        if level == depth + 5:
            return window_ends(sizes, _hull(Fraction(i, 2**level), Fraction(i + 1, 2**level)))
        left, right = ends(level + 1, 2 * i), ends(level + 1, 2 * i + 1)
        return left[0].union(right[0]), left[1].union(right[1])

    found: dict[str, list[list[int]]] = {"harm": [], "spared": []}
    todo = [(0, 0, 0)]
    while todo:
        level, i, j = todo.pop()
        low, high = ends(level, i)
        bottom, upper = _ball(top * j / 2**level), _ball(top * (j + 1) / 2**level)
        if bottom >= low and upper <= high:
            found["harm"].append([level, i, j])
        elif upper < low or bottom > high:
            found["spared"].append([level, i, j])
        elif level < depth:
            todo += [(level + 1, 2 * i + m, 2 * j + n) for m in (0, 1) for n in (0, 1)]
    words = {name: str(value) for name, value in asdict(sizes).items()}
    by = f"python-flint {flint.__version__}, {BITS} bits"
    return HarmMap(words, str(top), depth, sorted(found["harm"]), sorted(found["spared"]), by)


# (α, ε) with |R| = 900, |F| = 100, r = 100, λ = 1/100: in the window, so that both margins move away from the oracle's
# at every time; and yet the first step starts towards the oracle in the weights.
WEIGHTS_DIFFER = (Fraction(1, 100), Fraction(19, 50))


def first_step_product(sizes: Sizes, alpha: Fraction, epsilon: Fraction):
    """A ball around −∇L_DA(w_D)·(w_R − w_D): a positive one proves that the first step starts towards the oracle.

    y_D is enclosed by a proved change of sign of y − t·x(y) − bαδe^{-y}, which increases with y, where
    x(y) = ty + W0(bδe^{-ty}). Raises ImportError without python-flint, ArithmeticError if the enclosure fails.
    """
    import flint

    flint.ctx.prec = BITS + 60
    e, a = _ball(epsilon), _ball(alpha)
    b, c, s, t, delta, ratio = _lengths(sizes, e)

    def x_of(y):
        return t * y + (b * delta * (-t * y).exp()).lambertw()

    def change(y):
        return y - t * x_of(y) - b * a * delta * (-y).exp()

    low, high = Fraction(0), Fraction(1)
    while not change(_ball(high)) > 0:
        high *= 2
    for _ in range(BITS + 20):
        middle = (low + high) / 2
        low, high = (middle, high) if change(_ball(middle)) < 0 else (low, middle)
    if not (change(_ball(low)) < 0 < change(_ball(high + Fraction(1, 2**BITS)))):
        raise ArithmeticError("the pretrained margins could not be enclosed: raise the precision")
    y = _hull(low, high + Fraction(1, 2**BITS))
    x = x_of(y)
    x_r = (c * s).lambertw()
    step_v, step_u = c * (-x).exp(), -c * a / ratio * (-y).exp()  # along (1, ε) and (ε, 1), over λ
    # (w_R − w_D)·v = x_R − x_D, ·u = y_R − y_D; the ridge adds |w_D|² − w_R·w_D, w_R = x_R/s · v
    w1, w2 = (x - e * y) / (1 - e * e), (y - e * x) / (1 - e * e)
    return step_v * (x_r - x) + step_u * (t * x_r - y) + w1 * w1 + w2 * w2 - x_r / s * x


# The record -----------------------------------------------------------------------------------------------------------


def write(path: Path, result) -> None:
    """Record a proved map (`HarmMap`, `weights.WeightsMap`) or a list of cores as JSON, whole or not at all."""
    data = [asdict(core) for core in result] if isinstance(result, list) else asdict(result)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(data, ensure_ascii=False, indent=None) + "\n")
    part.replace(path)


def read_map(path: Path) -> HarmMap:
    """A recorded map. Raises FileNotFoundError when there is none."""
    return HarmMap(**json.loads(path.read_text()))


def read_cores(path: Path) -> list[Core]:
    """Recorded cores. Raises FileNotFoundError when there are none."""
    return [Core(**core) for core in json.loads(path.read_text())]
