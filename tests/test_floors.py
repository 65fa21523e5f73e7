"""What no difference scores: the share of empty bins, and the checks of claim C6 on numbers that must pass or fail."""

import numpy as np
import pytest
import torch

from unlearning.klom import klom
from unlearning.page import floors
from unlearning.page.claims import BY_ID

# reference values of others, to two digits: P95 of two equal Gaussian ensembles, and of a shift of half a deviation
NULL = {20: 5.0, 32: 3.1, 50: 1.66, 80: 0.92, 100: 0.67, 128: 0.48, 200: 0.28}


def test_p95_is_numpys():
    scores = torch.rand(101, generator=torch.Generator().manual_seed(0))
    assert floors.p95(scores) == pytest.approx(float(np.percentile(scores.numpy(), 95)))


def test_the_share_of_empty_bins_by_a_loop():
    generator = torch.Generator().manual_seed(0)
    u, o = (torch.randn(20, 30, generator=generator) for _ in range(2))
    price, whole = 0.0, float(klom(u.double(), o.double()).sum())
    for a, b in zip(u.double().numpy().T, o.double().numpy().T, strict=True):
        edges = np.linspace(min(a.min(), b.min()), max(a.max(), b.max()), 21)
        q, p = (np.histogram(x[x < edges[-1]], edges)[0] for x in (a, b))
        p = p / p.sum()
        price += sum(x * np.log(x / 1e-5) for x in p[(p > 0) & (q == 0)])
    assert floors.from_empty_bins(u, o) == pytest.approx(price / whole, rel=1e-4)


def test_equal_histograms_have_no_empty_bins():
    u = torch.linspace(0, 1, 50)[:, None]
    assert floors.from_empty_bins(u + torch.tensor([[0.001]]), u, bins=3) < 1e-6


def test_c6_holds_on_the_papers_own_numbers():
    checks = floors.observed(NULL, shifted=1.1, printed=0.742)
    assert BY_ID["C6"].chapter == "traps" and all(checks.values()) and len(checks) == 4


@pytest.mark.parametrize(("null", "fails"), [
    ({**NULL, 20: 0.5}, "20 models"), ({**NULL, 50: 0.5}, "50 models"), ({**NULL, 100: 1.5}, "100 models no"),
])  # fmt: skip
def test_c6_fails_where_it_should(null, fails):
    checks = floors.observed(null, shifted=1.1, printed=0.7)
    assert [name for name, ok in checks.items() if not ok] == [n for n in checks if fails in n]
    assert not floors.observed(NULL, shifted=1.1, printed=1.2)[list(checks)[3]]


def test_exponents_of_power_laws():
    assert floors.exponents({n: n**-1.5 for n in (80, 20, 40)}) == {
        (20, 40): pytest.approx(-1.5), (40, 80): pytest.approx(-1.5),
    }  # fmt: skip


def test_a_plateau_and_an_estimators_error_are_told_apart():
    plateau = {20: 5.0, 50: 1.7, 80: 0.7, 100: 0.69, 200: 0.68}
    assert list(floors.settled(plateau).values()) == [True, False]
    assert list(floors.settled(NULL).values()) == [False, True]
    between = {80: 1.0, 100: (80 / 100) ** 0.7}  # neither: slower than 1/N, faster than 1/√N
    assert list(floors.settled(between).values()) == [False, False]


def test_implied_inverts_a_power_law_and_stops_at_its_ends():
    falling = {n: 67.0 / n for n in range(20, 141)}
    assert floors.implied(67.0 / 33.5, falling) == pytest.approx(33.5, rel=1e-3)
    assert floors.implied(falling[20], falling) == 20 and np.isnan(floors.implied(4.0, falling))
    rising = {0.0: 0.5, 1.0: 2.0}
    assert floors.implied(1.0, rising) == pytest.approx(0.5) and np.isnan(floors.implied(0.4, rising))  # fmt: skip
