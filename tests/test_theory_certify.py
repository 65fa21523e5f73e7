"""Certificates: cores proved for all parameters, maps re-checked by code of its own, examples in high precision."""

import json
from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from unlearning.files import ROOT
from unlearning.theory import certify, windows
from unlearning.theory.certify import Sizes
from unlearning.theory.correlated import TwoCoordinates

SIZES = Sizes(Fraction(900), Fraction(100), Fraction(100), Fraction(1, 100))
RECORDS = ROOT / "results" / "certificates"
needs_z3 = pytest.mark.skipif(not certify.available("z3"), reason="the extra `proof` is missing")
needs_flint = pytest.mark.skipif(
    not certify.available("flint"), reason="the extra `proof` is missing"
)


def violations(record, points=5, seed=0):
    """How many points of the decided boxes contradict their verdict, by the definition: Newton's method on L_D.

    It shares no code with the library: numpy only. Four points of each box are its corners, moved inwards by a hair.
    """
    R, F, r, lam = (
        float(Fraction(record["sizes"][k])) for k in ("n_retain", "n_forget", "r", "lam")
    )
    harm = np.repeat([True, False], [len(record["harm"]), len(record["spared"])])[:, None]
    level, i, j = np.array(record["harm"] + record["spared"], dtype=float).T[..., None]
    place = np.random.default_rng(seed).random((2, len(harm), points))
    place[..., :4] = np.array([[0, 0, 1, 1], [0, 1, 0, 1]])[:, None] * (1 - 2e-9) + 1e-9
    e = (i + place[0]) / 2**level
    alpha = float(Fraction(record["top"])) * (j + place[1]) / 2**level * F / R
    v, u = np.stack([np.ones_like(e), e], -1), np.stack([e, np.ones_like(e)], -1)
    outer = [d[..., :, None] * d[..., None, :] for d in (v, u)]
    x = y = np.zeros_like(e)
    for _ in range(80):
        P, Q = r / lam / (R + F) * np.exp(-x), alpha * r / lam / (R + F) * np.exp(-y)
        hessian = np.eye(2) + P[..., None, None] * outer[0] + Q[..., None, None] * outer[1]
        goal = P[..., None] * (1 + x[..., None]) * v + Q[..., None] * (1 + y[..., None]) * u
        w = np.linalg.solve(hessian, goal[..., None])[..., 0]
        x, y = (w * v).sum(-1), (w * u).sum(-1)
    retain, forget = r / R * np.exp(-x) / lam, -alpha * r / F * np.exp(-y) / lam
    push = retain[..., None] * v + forget[..., None] * u - w
    x_r = x.copy()
    for _ in range(80):  # the oracle: x = s r/(λ|R|) e^{-x}
        pull = r / lam / R * (1 + e**2) * np.exp(-x_r)
        x_r = pull * (1 + x_r) / (1 + pull)
    y_r, slack = 2 * e / (1 + e**2) * x_r, 1e-9 * (1 + x_r)
    rise, above = (push * v).sum(-1), y - y_r
    return int(
        np.where(harm, (rise > slack) | (above > slack), (rise < -slack) & (above < -slack)).sum()
    )


@needs_z3
def test_every_core_is_proved_and_its_negation_can_be_read():
    cores = certify.prove_cores()
    assert len(cores) == 10 and {core.result for core in cores} == {"proved"}
    import z3

    for core in cores:
        solver = z3.Solver()
        solver.from_string(core.negation)
        assert solver.check() == z3.unsat


@needs_z3
def test_a_false_statement_is_not_proved():
    """The negation of a core that is wrong by a factor is satisfiable: the method can fail."""
    import z3

    [core] = [c for c in certify.prove_cores() if c.name == "Threshold, place"]
    solver = z3.Solver()
    wrong = core.negation.replace("(* F F)", "(* 3.0 F R)")
    assert wrong != core.negation
    solver.from_string(wrong)
    assert solver.check() == z3.sat


def test_the_recorded_map_agrees_with_the_definition():
    record = json.loads((RECORDS / "harm_map.json").read_text())
    assert violations(record) == 0
    flipped = record | {"harm": record["spared"][:40], "spared": record["harm"][:40]}
    assert violations(flipped) > 100, "the check can fail"


def test_the_boxes_of_the_record_do_not_overlap_and_cover_most_of_the_map():
    """Painted on a grid of the finest boxes: no cell twice, and the areas are those of the record."""
    record = certify.read_map(RECORDS / "harm_map.json")
    n = 2**record.depth
    painted = np.zeros((n, n), dtype=int)
    for level, i, j in record.harm + record.spared:
        size = n >> level
        painted[i * size : (i + 1) * size, j * size : (j + 1) * size] += 1
    assert painted.max() == 1
    assert painted.mean() == pytest.approx(1 - record.area("undecided"))
    assert record.area("undecided") < 0.02 and 0.27 < record.area("harm") < 0.3


@needs_flint
def test_the_record_is_what_the_program_proves_today():
    record = certify.read_map(RECORDS / "harm_map.json")
    fresh = certify.prove_map(SIZES, record.depth)
    assert (fresh.harm, fresh.spared) == (record.harm, record.spared)


@needs_flint
def test_a_map_of_other_sizes_agrees_with_the_definition():
    sizes = Sizes(Fraction(70), Fraction(30), Fraction(3), Fraction(1, 2))
    result = certify.prove_map(sizes, depth=6)
    record = json.loads(json.dumps(result.__dict__))
    assert violations(record, points=8) == 0 and result.area("harm") > 0.1


@needs_flint
def test_ends_contain_the_floating_point_ends():
    import flint

    flint.ctx.prec = 100
    for epsilon in (0.25, 0.5, 0.75, 0.96875):
        low, high = windows.stopping_window(TwoCoordinates(900, 100, 100, 0.0, 0.01, epsilon))
        balls = certify.window_ends(SIZES, flint.arb(epsilon))
        for ball, value in zip(balls, (low * 9, high * 9), strict=True):
            assert float(ball.mid()) == pytest.approx(value, rel=1e-12) and ball.rad() < 1e-20


@needs_flint
@pytest.mark.parametrize(
    ("alpha", "epsilon"), [("1/20", "1/2"), ("1/10", "19/20"), ("1/50", "1/10")]
)
def test_the_first_step_in_ball_arithmetic(alpha, epsilon):
    """Against mpmath: the two equations of w_D solved with 40 digits, the product from the gradient's definition."""
    ball = certify.first_step_product(SIZES, Fraction(alpha), Fraction(epsilon))
    with mpmath.workdps(40):
        a, e = (
            mpmath.mpf(Fraction(v).numerator) / Fraction(v).denominator for v in (alpha, epsilon)
        )
        lam, v, u = mpmath.mpf(1) / 100, mpmath.matrix([1, e]), mpmath.matrix([e, 1])
        dot = lambda p, q: p[0] * q[0] + p[1] * q[1]  # noqa: E731

        def force(w, retain, forget):
            return (
                retain * mpmath.exp(-dot(w, v)) * v + forget * mpmath.exp(-dot(w, u)) * u - lam * w
            )

        d = mpmath.findroot(
            lambda p, q: list(force(mpmath.matrix([p, q]), mpmath.mpf(1) / 10, a / 10)), (1, 1)
        )
        x = mpmath.lambertw(mpmath.mpf(100) / 9 * (1 + e * e)).real
        way = x / (1 + e * e) * v - d
        product = dot(force(d, mpmath.mpf(1) / 9, -a), way) / lam
        assert abs(mpmath.mpf(ball.mid().str(35, radius=False)) - product) < mpmath.mpf(10) ** -20


@needs_flint
def test_a_rational_problem_of_the_window_whose_first_step_in_weights_is_right():
    """Both margins move away and yet the weights come nearer at first: proved, so the two distances do differ."""
    product = certify.first_step_product(SIZES, *certify.WEIGHTS_DIFFER)
    alpha, epsilon = certify.WEIGHTS_DIFFER
    low, high = certify.window_ends(SIZES, certify._ball(epsilon))
    assert product > 0 and low < certify._ball(alpha * 9) < high


def test_records_travel_whole(tmp_path):
    record = certify.read_map(RECORDS / "harm_map.json")
    certify.write(tmp_path / "map.json", record)
    assert certify.read_map(tmp_path / "map.json") == record
    cores = certify.read_cores(RECORDS / "cores.json")
    certify.write(tmp_path / "cores.json", [replace(cores[0], result="open")])
    assert certify.read_cores(tmp_path / "cores.json")[0].result == "open"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cores.json", "map.json"]
    with pytest.raises(FileNotFoundError):
        certify.read_map(tmp_path / "none.json")
