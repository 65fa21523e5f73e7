"""The certified map in weights: re-checked by code of its own, its parts against mpmath and floating point."""

import json
from dataclasses import asdict
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from unlearning.files import ROOT
from unlearning.theory import certify, correlated, flow, weights
from unlearning.theory.certify import Sizes
from unlearning.theory.correlated import TwoCoordinates

SIZES = Sizes(Fraction(900), Fraction(100), Fraction(100), Fraction(1, 100))
OTHERS = Sizes(Fraction(70), Fraction(30), Fraction(3), Fraction(1, 2))
RECORD = ROOT / "results" / "certificates" / "weights_map.json"
KINDS = ("away", "towards", "none", "farther", "nearer")
needs_flint = pytest.mark.skipif(
    not certify.available("flint"), reason="the extra `proof` is missing"
)


def definition(sizes, e, a):
    """(−∇L_DA(w_D)·(w_R − w_D), |w_DA − w_R|² − |w_D − w_R|², last change of the solver), by numpy alone.

    w_D: Newton's method on L_D in the plane. w_DA = Pv − Qu: Q grows from 0 by Q ← c a e^{-y}, y = 2εP − sQ and P from
    its own equation, which ends at the smallest solution or grows without end (difference infinite).
    """
    R, F, r, lam = (float(Fraction(v)) for v in sizes.values())
    v, u = np.stack([np.ones_like(e), e], -1), np.stack([e, np.ones_like(e)], -1)
    dot = lambda p, q: (p * q).sum(-1)  # noqa: E731
    b, c, w = r / lam / (R + F), r / lam / R, np.zeros_like(v)
    for _ in range(60):
        P, K = b * np.exp(-dot(w, v)), b * a * F / R * np.exp(-dot(w, u))
        bend = [p[:, None, None] * d[:, :, None] * d[:, None] for p, d in ((P, v), (K, u))]
        push = P[:, None] * v + K[:, None] * u - w
        w = w + np.linalg.solve(np.eye(2) + bend[0] + bend[1], push[..., None])[..., 0]
    step = (c * np.exp(-dot(w, v)))[:, None] * v - (c * a * np.exp(-dot(w, u)))[:, None] * u - w
    s, Q = 1 + e**2, 0 * a

    def along(Q):  # sP + ln P = ln c + 2εQ, by Newton in ln P
        t = np.zeros_like(Q)
        for _ in range(60):
            t = t - (s * np.exp(t) + t - np.log(c) - 2 * e * Q) / (s * np.exp(t) + 1)
        return np.exp(t)

    target = along(0 * a)[:, None] * v
    change = np.inf + 0 * a
    for _ in range(400):
        y = np.maximum(2 * e * along(Q) - s * Q, -1.1)  # a minimum has y >= -1
        new = c * a * np.exp(-y)
        change, Q = np.abs(new - Q), new
    after = along(Q)[:, None] * v - Q[:, None] * u - target
    worse = np.where(y > -1.05, dot(after, after) - dot(w - target, w - target), np.inf)
    return dot(step, target - w), worse, change


def violations(record, points=5, most=1500):
    """How many points of the decided boxes contradict their verdict; the solver's undecided ones do not count."""
    rng = np.random.default_rng(0)
    wrong = dict.fromkeys(KINDS, 0)
    for kind in KINDS:
        boxes = np.array(record[kind], dtype=float).reshape(-1, 3)
        if len(boxes) > most:
            boxes = boxes[rng.permutation(len(boxes))[:most]]
        level, i, j = np.repeat(boxes, points, axis=0).T
        place = rng.random((2, len(level)))
        place = np.where(
            rng.random(place.shape) < 0.5, np.rint(place), place
        )  # sides and corners too
        place = 1e-9 + place * (1 - 2e-9)
        e, a = (i + place[0]) / 2**level, float(Fraction(record["top"])) * (j + place[1]) / 2**level
        first, worse, change = definition(record["sizes"], e, a)
        wrong[kind] = int(np.sum({
            "away": first > 1e-9, "towards": first < -1e-9,
            "none": np.isfinite(worse) & (change < 1e-12),
            "farther": np.isinf(worse) | ((worse < -1e-9) & (change < 1e-12)),
            "nearer": np.isinf(worse) | ((worse > 1e-9) & (change < 1e-12)),
        }[kind]))  # fmt: skip
    return wrong


def test_the_recorded_map_agrees_with_the_definition():
    record = json.loads(RECORD.read_text())
    assert violations(record, points=2) == dict.fromkeys(KINDS, 0)
    flipped = record | {
        "away": record["towards"][:60], "towards": record["away"][:60], "nearer": record["none"][:60],
        "none": record["farther"][:60], "farther": record["nearer"][:60],
    }  # fmt: skip
    assert min(violations(flipped).values()) > 60, "the check can fail"


def test_the_record_decides_nearly_all_and_no_point_twice():
    record = weights.read_map(RECORD)
    n = 2**record.depth
    for kinds, least in ((("away", "towards"), 0.98), (("none", "farther", "nearer"), 0.95)):
        painted = np.zeros((n, n), dtype=int)
        for level, i, j in (box for kind in kinds for box in getattr(record, kind)):
            size = n >> level
            painted[i * size : (i + 1) * size, j * size : (j + 1) * size] += 1
        assert painted.max() == 1 and painted.mean() == pytest.approx(record.area(*kinds))
        assert least < record.area(*kinds) < 1


@needs_flint
def test_a_coarse_map_is_proved_again_and_agrees_with_the_record():
    record, fresh = weights.read_map(RECORD), weights.prove_map(SIZES, 5)
    for kind in (
        "away",
        "towards",
    ):  # the same boxes; those of the limit depend on the slices of the border
        assert getattr(fresh, kind) == [box for box in getattr(record, kind) if box[0] <= 5]
    assert fresh.area("none") <= record.area("none")


@needs_flint
def test_a_map_of_other_sizes_agrees_with_the_definition():
    result = asdict(weights.prove_map(OTHERS, 5))
    assert violations(result, points=4) == dict.fromkeys(KINDS, 0)
    assert weights.WeightsMap(**result).area("towards") > 0.3


@needs_flint
@pytest.mark.slow
def test_the_record_is_what_the_program_proves_today():
    record = weights.read_map(RECORD)
    fresh = weights.prove_map(SIZES, record.depth)
    assert [getattr(fresh, k) for k in KINDS] == [getattr(record, k) for k in KINDS]


@needs_flint
def test_a_jet_is_a_value_with_its_derivatives():
    import flint

    flint.ctx.prec = 100
    one = lambda p, q: ((p * q - 2) / (1 + p * p)).exp() + 3 * (-q / 7).lambertw()  # noqa: E731
    jets = weights.Jet(flint.arb("0.3"), (1, 0)), weights.Jet(flint.arb("-0.7"), (0, 1))
    found = one(*jets)

    def plain(p, q):
        return mpmath.exp((p * q - 2) / (1 + p * p)) + 3 * mpmath.lambertw(-q / 7).real

    with mpmath.workdps(30):
        p, q = mpmath.mpf("0.3"), mpmath.mpf("-0.7")
        expected = [
            plain(p, q),
            mpmath.diff(plain, (p, q), (1, 0)),
            mpmath.diff(plain, (p, q), (0, 1)),
        ]
        for ball, value in zip((found.value, *found.slopes), expected, strict=True):
            assert abs(mpmath.mpf(ball.mid().str(25, radius=False)) - value) < 1e-12


@needs_flint
def test_balls_contain_what_floating_point_sees():
    """At random points of a small box: both quantities, against the library's own weights."""
    rng, plane = np.random.default_rng(0), weights.Plane.of(SIZES)
    for e0, a0 in ((Fraction(9, 10), Fraction(2, 5)), (Fraction(2, 5), Fraction(1, 20))):
        side = Fraction(1, 400)
        box = [certify._hull(v - side, v + side) for v in (e0, a0)]
        centre = [certify._ball(v) for v in (e0, a0)]
        at = np.array([[0, -1, -1, 1, 1], [0, -1, 1, -1, 1]]) * float(side)
        seen = weights.guesses(SIZES, float(e0) + at[0], float(a0) + at[1])
        balls = [weights.proved(plane, limit, centre, box, seen) for limit in (False, True)]
        e, a = (float(v) + rng.uniform(-1, 1, 50) * float(side) for v in (e0, a0))
        one = TwoCoordinates(900, 100, 100, a / 9, 0.01, e)
        start, target, end = (
            correlated.pretrained(one),
            correlated.oracle(one),
            correlated.da_stationary(one)[0],
        )
        x, y = correlated.margins(one, start)
        x_r, y_r = correlated.margins(one, target)
        first = 0.1 * (x_r - x) - 1.1 * a * np.exp(x - y) * (y_r - y)
        assert np.array_equal(np.sign(first), np.sign(flow.first_step(one)))
        worse = ((end - target) ** 2).sum(-1) - ((start - target) ** 2).sum(-1)
        for ball, values in zip(balls, (first, worse), strict=True):
            low, high = float(ball.lower()), float(ball.upper())
            assert (
                np.all((low <= values) & (values <= high))
                and high - low < 20 * np.ptp(values) + 1e-6
            )


@needs_flint
@pytest.mark.parametrize("epsilon", [0.0, 0.3, 0.9, 0.999])
def test_the_last_alpha_is_where_stationary_points_end(epsilon):
    plane = weights.Plane.of(SIZES)
    e = certify._ball(Fraction(epsilon))
    ball = weights.last_ratio(plane, e, weights.turn(float(plane.c.mid()), epsilon))
    at = float(ball.mid())
    below, above = (
        correlated.da_stationary(TwoCoordinates(900, 100, 100, k * at / 9, 0.01, epsilon))[0]
        for k in (1 - 1e-6, 1 + 1e-6)
    )
    assert np.isfinite(below).all() and np.isnan(above).all() and float(ball.rad()) < 1e-6


@needs_flint
def test_a_root_that_is_not_there_is_not_followed():
    """Beyond the last α, and from a guess that is wrong, nothing is claimed."""
    plane = weights.Plane.of(SIZES)
    box = [
        certify._hull(Fraction(1, 2), Fraction(51, 100)),
        certify._hull(Fraction(1), Fraction(11, 10)),
    ]
    centre = [certify._ball(Fraction(101, 200)), certify._ball(Fraction(21, 20))]
    seen = weights.guesses(SIZES, np.full(5, 0.505), np.full(5, 1.05))
    assert np.isnan(seen[1]).all() and weights.proved(plane, True, centre, box, seen) is None
    assert weights.proved(plane, False, centre, box, seen + 0.5) is None


def test_records_travel_whole(tmp_path):
    record = weights.read_map(RECORD)
    certify.write(tmp_path / "map.json", record)
    assert weights.read_map(tmp_path / "map.json") == record
    with pytest.raises(FileNotFoundError):
        weights.read_map(tmp_path / "none.json")
