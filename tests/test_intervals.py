"""Outward rounding against exact rational arithmetic and 50 digits."""

from fractions import Fraction

import mpmath
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unlearning.theory.intervals import Interval

NUMBER = st.floats(-1e6, 1e6, allow_subnormal=False)


def holds(interval: Interval, exact: Fraction) -> bool:
    return Fraction(float(interval.low)) <= exact <= Fraction(float(interval.high))


@given(a=NUMBER, b=NUMBER, c=NUMBER)
def test_sums_and_products_contain_the_exact_value(a, b, c):
    one, two = Interval.of(a), Interval.of(b)
    x, y, z = map(Fraction, (a, b, c))
    assert holds(one + two, x + y) and holds(one - two, x - y) and holds(one * two, x * y)
    assert holds(c * one + two, z * x + y) and holds(c - one, z - x)
    assert holds(one.polynomial((1.0, c, b)), 1 + z * x + y * x * x)


@given(st.lists(NUMBER, min_size=4, max_size=4), st.lists(st.floats(0, 1), min_size=2, max_size=2))
def test_every_member_is_contained(ends, weights):
    ends = sorted(ends[:2]), sorted(ends[2:])
    inside = [
        Fraction(lo) + Fraction(w) * (Fraction(hi) - Fraction(lo))
        for (lo, hi), w in zip(ends, weights, strict=True)
    ]
    one, two = (Interval(np.array(lo), np.array(hi)) for lo, hi in ends)
    assert holds(one * two, inside[0] * inside[1])
    assert holds(one - two, inside[0] - inside[1])


def test_rounding_is_outward_and_not_merely_equal():
    tenth = Interval.of(0.1)
    total = tenth + 0.2
    assert total.low < 0.1 + 0.2 < total.high and total.high - total.low < 1e-15


@given(st.floats(-30, 30))
def test_tanh_contains_fifty_digits(x):
    with mpmath.workdps(50):
        exact = mpmath.tanh(mpmath.mpf(x))
        found = Interval.of(x).tanh()
        assert mpmath.mpf(float(found.low)) <= exact <= mpmath.mpf(float(found.high))
    assert -1 <= found.low and found.high <= 1


def test_arrays_members_and_numpy_on_the_left():
    box = Interval(np.array([0.0, -1.0]), np.array([1.0, 2.0]))
    product = np.array([2.0, -1.0]) * box
    assert [0.0, 1.0] in product and [2.5, 0.0] not in product
    assert box.middle.tolist() == [0.5, 0.5] and box[1].high == 2
