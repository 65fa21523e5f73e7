"""KLoM against the independent one, closed forms, hand-made cases, simulations and hostile input."""

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import entropy

import independent
from unlearning import klom as module
from unlearning.klom import DIRECTIONS, ceiling, klom, margins, occupancy, robust_klom
from unlearning.uncertainty import (
    gaussian_floor,
    model_interval,
    permutation_floor,
    point_interval,
    summarize,
)

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]
HOSTILE = st.floats(allow_nan=True, allow_infinity=True, width=64) | st.sampled_from(
    [0.0, 1.0, 100.0, -100.0, 1e-320]
)
NAN_IS_FINE = pytest.mark.filterwarnings("ignore:.*are NaN:RuntimeWarning")


def normals(*shape, seed=0, mean=0.0, sd=1.0, dtype=torch.float64):
    return (
        torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype) * sd + mean
    )


def p95(scores):
    return float(np.percentile(scores.cpu().numpy(), 95))


def tensor(*rows):
    return torch.tensor(rows, dtype=torch.float64).T  # one row per point


# --- margins ---


@pytest.mark.parametrize("device", DEVICES)
def test_a_margin_is_the_log_odds_of_the_true_class(device):
    logits = normals(3, 5, 7, sd=4).to(device)
    labels = torch.arange(5, device=device)
    p = logits.softmax(-1)[:, torch.arange(5), labels]
    torch.testing.assert_close(margins(logits, labels), (p / (1 - p)).log(), rtol=1e-9, atol=1e-9)


def test_margins_accept_any_leading_dimensions():
    logits = normals(2, 3, 4)
    labels = torch.tensor([[0, 1, 2], [3, 0, 1]])
    each = [[margins(logits[i, j], labels[i, j]) for j in range(3)] for i in range(2)]
    assert torch.equal(margins(logits, labels), torch.stack([torch.stack(row) for row in each]))


def test_margins_with_two_classes_are_a_difference_even_when_large():
    logits = torch.tensor([[1e4, -1e4], [3.0, 5.0]])
    assert margins(logits, torch.tensor([0, 0])).tolist() == [2e4, -2.0]


def test_margins_widen_half_precision():
    logits = normals(4, 10).half()
    assert torch.equal(margins(logits, torch.arange(4)), margins(logits.float(), torch.arange(4)))


@pytest.mark.parametrize(
    ("logits", "labels", "words"),
    [
        (torch.zeros(3, 1), torch.zeros(3, dtype=torch.int64), "at least 2 classes"),
        (torch.zeros(3, 4), torch.zeros(3), "integers"),
        (torch.zeros(3, 4), torch.tensor([0, 1, 4]), "0..3"),
        (torch.zeros(3, 4), torch.tensor([0, -1, 2]), "0..3"),
        (torch.zeros(3, 4), torch.tensor([0, 1]), "broadcast"),
    ],
)
def test_margins_refuse_what_cannot_be_scored(logits, labels, words):
    with pytest.raises(ValueError, match=words):
        margins(logits, labels)


# --- klom: equal to the loop ---


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("drop_max", [True, False])
def test_equals_the_loop_with_ties_on_bin_edges(device, dtype, direction, drop_max):
    generator = torch.Generator().manual_seed(1)
    options = {"direction": direction, "drop_max": drop_max}
    cases = [(normals(30, 150, dtype=dtype), normals(41, 150, seed=1, mean=1, dtype=dtype))]
    grids = ((25, 21, 0.1, 0.0), (4, 4, 0.1, -7.3), (40, 41, 1e-15, 1.0), (3, 2, 1 / 3, 0.0))
    for models, values, unit, shift in grids:
        draws = [
            torch.randint(values, (models, 150), generator=generator).to(dtype) * unit + shift
            for _ in range(2)
        ]
        cases.append(tuple(draws))
    for u, o in cases:
        found = klom(u.to(device), o.to(device), **options)
        np.testing.assert_allclose(
            found.cpu().numpy(), independent.klom(u, o, **options), atol=1e-9, rtol=0
        )


@pytest.mark.parametrize("device", DEVICES)
@NAN_IS_FINE
@settings(max_examples=150, deadline=None)
@given(
    u=arrays.arrays(np.float64, st.tuples(st.integers(1, 6), st.just(3)), elements=HOSTILE),
    o=arrays.arrays(np.float64, st.tuples(st.integers(1, 6), st.just(3)), elements=HOSTILE),
    direction=st.sampled_from(DIRECTIONS),
    bins=st.integers(1, 25),
    drop_max=st.booleans(),
)
def test_any_input_is_finite_bounded_and_equal_to_the_loop(device, u, o, direction, bins, drop_max):
    options = {"direction": direction, "bins": bins, "drop_max": drop_max}
    unlearned, oracle = torch.from_numpy(u).to(device), torch.from_numpy(o).to(device)
    scores = klom(unlearned, oracle, **options)
    assert torch.isfinite(scores).all() and (scores >= 0).all()
    assert (scores <= ceiling(unlearned, oracle, **options) + 1e-12).all()
    np.testing.assert_allclose(
        scores.cpu().numpy(), independent.klom(u, o, **options), atol=1e-9, rtol=0
    )
    assert torch.isfinite(robust_klom(unlearned, oracle, direction=direction, bins=bins)).all()
    shares = occupancy(unlearned, oracle)
    assert ((shares >= 0) & (shares <= 1)).all()


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    models=st.integers(2, 30),
    shift=st.integers(-20, 20),
    power=st.integers(-3, 3),
)
def test_depends_on_neither_order_nor_units(seed, models, shift, power):
    u, o = normals(models, 20, seed=seed), normals(models, 20, seed=seed + 1, mean=0.5)
    scores = klom(u, o)
    shuffled = klom(u[torch.randperm(models)], o[torch.randperm(models)])
    assert torch.equal(scores, shuffled)
    moved = klom(u * 2**power + shift, o * 2**power + shift)
    np.testing.assert_allclose(moved, scores, atol=1e-9)
    np.testing.assert_allclose(klom(u, u), 0, atol=1e-12)
    np.testing.assert_allclose(klom(u, u[torch.randperm(models)]), 0, atol=1e-12)


def test_direction_swaps_the_ensembles():
    u, o = normals(20, 50), normals(30, 50, seed=1, mean=1)
    assert torch.equal(klom(u, o, direction="unlearned_to_oracle"), klom(o, u))
    assert not torch.equal(klom(u, o), klom(o, u))


def test_chunks_and_types_do_not_change_the_result(monkeypatch):
    u, o = normals(20, 97, dtype=torch.float32), normals(30, 97, seed=1, dtype=torch.float32)
    whole = [f(u, o) for f in (klom, robust_klom, ceiling, occupancy)]
    monkeypatch.setitem(module.CHUNK, "cpu", 100)
    for f, before in zip((klom, robust_klom, ceiling, occupancy), whole, strict=True):
        torch.testing.assert_close(f(u, o), before, rtol=0, atol=1e-12)
        torch.testing.assert_close(f(u.double(), o), before, rtol=0, atol=1e-12)
    assert klom(u[:, :0], o[:, :0]).shape == (0,)


def test_inputs_stay_as_they_were():
    u = torch.tensor([[math.inf, 1.0], [math.nan, 2.0]])
    before = u.clone()
    with warnings.catch_warnings(record=True):
        klom(u, u)
        summarize(u, u, splits=1, subsets=2)
    assert torch.equal(u.nan_to_num(nan=-5), before.nan_to_num(nan=-5))


# --- klom: by hand ---


def test_the_last_bin_is_half_open():
    oracle, unlearned = tensor([0.0, 0.1, 1.0, 2.0]), tensor([0.0, 2.0, 2.0, 2.0])
    # two bins, [0, 1) and [1, 2]. Half-open: P = (2, 1)/3 and Q = (1, 0). Closed: P = (1, 1)/2 and Q = (1, 3)/4.
    eps, mass = 1e-5, 1 + 1e-5
    half_open = 2 / 3 * math.log(2 / 3 * mass) + 1 / 3 * math.log(1 / 3 / eps * mass)
    assert klom(unlearned, oracle, bins=2).item() == pytest.approx(half_open, abs=1e-12)
    closed = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    assert klom(unlearned, oracle, bins=2, drop_max=False).item() == pytest.approx(
        closed, abs=1e-12
    )


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_an_ensemble_at_the_joint_maximum_is_kept(direction):
    broken, spread = tensor([3.0, 3.0, 3.0, 3.0]), tensor([0.0, 1.0, 2.0, 3.0])
    for u, o in ((broken, spread), (spread, broken)):
        expected = independent.klom(u, o, direction, drop_max=False)[0]
        assert klom(u, o, direction=direction).item() == pytest.approx(expected, abs=1e-12)


def test_equal_margins_everywhere_score_zero():
    same = tensor([5.0, 5.0], [100.0, 100.0], [-100.0, -100.0], [1e30, 1e30])
    assert klom(same, same).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("device", DEVICES)
def test_infinite_margins_are_clipped_and_nan_is_reported(device):
    o = normals(10, 3).to(device)
    bad, clean = o.clone(), o.clone()
    bad[0], clean[0] = (
        torch.tensor([math.nan, math.inf, -math.inf]),
        torch.tensor([-100.0, 100.0, -100.0]),
    )
    with pytest.warns(RuntimeWarning, match="1 of 60 margins are NaN") as caught:
        scores = klom(bad, o)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(scores, klom(clean, o))
        assert summarize(bad, o, splits=2, subsets=2).nan == 1


@pytest.mark.parametrize(
    ("u", "o", "options", "words"),
    [
        (torch.zeros(2, 3), torch.zeros(2, 4), {}, "same points"),
        (torch.zeros(3), torch.zeros(3), {}, "models, points"),
        (torch.zeros(0, 3), torch.zeros(2, 3), {}, "at least one model"),
        (torch.zeros(2, 3, dtype=torch.int64), torch.zeros(2, 3), {}, "floats"),
        (
            torch.zeros(2, 3),
            torch.zeros(2, 3),
            {"direction": "both"},
            "oracle_to_unlearned, unlearned_to_oracle",
        ),
        (torch.zeros(2, 3), torch.zeros(2, 3), {"bins": 0}, "bins"),
        (torch.zeros(2, 3), torch.zeros(2, 3), {"bins": 2.5}, "bins"),
        (torch.zeros(2, 3), torch.zeros(2, 3), {"eps": 0.0}, "eps"),
        (torch.zeros(2, 3), torch.zeros(2, 3), {"clip": math.inf}, "clip"),
    ],
)
def test_bad_input_is_refused_by_name(u, o, options, words):
    for function in (klom, ceiling, robust_klom, permutation_floor, model_interval, summarize):
        with pytest.raises(ValueError, match=words):
            function(u, o, **options)


# --- ceiling ---


def test_the_ceiling_is_reached_by_ensembles_that_never_meet():
    u, o = normals(50, 20, mean=-40), normals(50, 20, seed=1)
    torch.testing.assert_close(klom(u, o), ceiling(u, o), rtol=0, atol=1e-12)
    p = np.histogram(o[:, 0], np.linspace(u[:, 0].min().item(), o[:, 0].max().item(), 21))[0]
    p[-1] -= 1  # the maximum
    assert ceiling(u, o)[0].item() == pytest.approx(math.log(1e5) - entropy(p), abs=20e-5)


# --- floors: the reference values come from independent simulations by others, given to two digits ---


@pytest.mark.parametrize(
    ("models", "percentile", "mean"),
    [
        (10, 8.4, 5.6),
        (20, 5.0, 3.0),
        (32, 3.1, 1.7),
        (50, 1.66, 0.87),
        (64, 1.21, 0.62),
        (80, 0.92, 0.46),
        (100, 0.67, 0.34),
        (128, 0.48, 0.25),
        (200, 0.28, 0.145),
    ],
)
def test_the_gaussian_floor_has_the_reference_values(models, percentile, mean):
    scores = gaussian_floor(models, points=4000)
    assert p95(scores) == pytest.approx(percentile, rel=0.05)
    assert scores.mean().item() == pytest.approx(mean, rel=0.04)


def test_fewer_bins_lower_the_floor():
    assert p95(gaussian_floor(50, bins=10)) == pytest.approx(0.88, rel=0.05)
    assert p95(gaussian_floor(50, bins=5)) == pytest.approx(0.37, rel=0.08)


@pytest.mark.parametrize(("shift", "mean"), [(0.5, 0.56), (1, 1.23), (2, 3.6), (3, 6.5), (5, 9.3)])
def test_a_shifted_mean_scores_the_reference_values(shift, mean):
    scores = klom(normals(100, 4000, mean=shift), normals(100, 4000, seed=1))
    assert scores.mean().item() == pytest.approx(mean, rel=0.04)


@pytest.mark.parametrize("device", DEVICES)
def test_the_permutation_floor_agrees_with_the_gaussian_one(device):
    u, o = (
        normals(50, 1000, mean=3, sd=2).to(device),
        normals(50, 1000, seed=1, mean=3, sd=2).to(device),
    )
    scores = permutation_floor(u, o, splits=6)
    assert scores.shape == (6, 1000)
    assert np.mean([p95(row) for row in scores]) == pytest.approx(p95(gaussian_floor(50)), rel=0.06)
    assert torch.equal(scores, permutation_floor(u, o, splits=6))
    assert not torch.equal(scores, permutation_floor(u, o, splits=6, seed=1))
    torch.testing.assert_close(scores.cpu(), permutation_floor(u.cpu(), o.cpu(), splits=6))


def test_the_permutation_floor_keeps_the_sizes_and_whole_models():
    u, o = (
        torch.zeros(3, 2),
        torch.ones(5, 2),
    )  # a model is constant over points, so both points must always agree
    scores = permutation_floor(u, o, splits=30, drop_max=False)
    assert torch.equal(scores[:, 0], scores[:, 1])
    possible = {0.0}
    for zeros in range(
        4
    ):  # zeros among the 3 "unlearned" models of a split; the other 5 models get the rest
        u_split, o_split = (
            tensor([0.0] * zeros + [1.0] * (3 - zeros)),
            tensor([0.0] * (3 - zeros) + [1.0] * (2 + zeros)),
        )
        possible.add(klom(u_split, o_split, drop_max=False).item())
    assert {round(x, 9) for x in scores[:, 0].tolist()} <= {round(x, 9) for x in possible}


# --- one broken model (D10) ---


@pytest.mark.parametrize(("shift", "before", "after"), [(0, 0.69, 0.05), (1, 2.06, 0.47)])
def test_one_diverged_model_flatters_klom_but_not_the_robust_form(shift, before, after):
    o, u = (
        normals(100, 4000, mean=5, sd=1.5),
        normals(100, 4000, seed=1, mean=5 + 1.5 * shift, sd=1.5),
    )
    broken = u.clone()
    broken[0] = -100.0
    assert p95(klom(u, o)) == pytest.approx(before, rel=0.06)
    assert p95(klom(broken, o)) == pytest.approx(
        after, rel=0.3
    )  # a few samples near one edge: wide sampling error
    assert p95(robust_klom(u, o)) == pytest.approx(before, rel=0.06)
    assert p95(robust_klom(broken, o)) == pytest.approx(before, rel=0.10)
    assert (occupancy(broken, o) < 0.5).all() and (occupancy(u, o) > 0.5).all()
    summary = summarize(broken[:, :500], o[:, :500], splits=3, subsets=5)
    assert (
        summary.collapsed == 1 and summary.p95 < summary.gaussian_floor < summary.robust_p95 + 0.1
    )
    assert summary.floor < 0.2  # the pool holds the broken model, so this floor collapses too


def test_without_far_out_samples_the_robust_form_is_klom():
    u, o = torch.rand(60, 300, dtype=torch.float64), torch.rand(40, 300, dtype=torch.float64) + 0.3
    torch.testing.assert_close(robust_klom(u, o), klom(u, o, drop_max=False), rtol=0, atol=1e-12)
    assert (occupancy(u, o) == 1).all()


def test_the_whiskers_are_those_of_a_box_plot():
    u, o = normals(31, 50, sd=3) ** 3, normals(44, 50, seed=1)
    expected = []
    for x in (u.numpy(), o.numpy()):
        first, third = np.percentile(x, [25, 75], axis=0)
        inside = (x >= first - 3 * (third - first)) & (x <= third + 3 * (third - first))
        expected.append((np.where(inside, x, np.inf).min(0), np.where(inside, x, -np.inf).max(0)))
    low, high = (
        np.minimum(expected[0][0], expected[1][0]),
        np.maximum(expected[0][1], expected[1][1]),
    )
    width = np.concatenate([u, o]).max(0) - np.concatenate([u, o]).min(0)
    np.testing.assert_allclose(occupancy(u, o, clip=1e9), (high - low) / width, rtol=1e-12)
    assert ((high - low) / width < 0.9).any()


def test_a_fifth_of_diverged_models_does_not_hide_a_shift():
    o, u = normals(100, 500), normals(100, 500, seed=1, mean=2)
    healthy = robust_klom(u, o).mean()
    u[:20] = -100
    assert robust_klom(u, o).mean() > 0.9 * healthy
    assert klom(u, o).mean() < 0.6 * healthy


# --- intervals ---


@pytest.mark.parametrize("n", [10, 57, 2000])
def test_the_point_interval_is_the_bootstrap_without_simulation(n):
    scores = np.random.default_rng(0).gamma(2.0, size=n)
    low, high = point_interval(torch.from_numpy(scores))
    draws = np.random.default_rng(1).choice(scores, (20_000, n))
    ends = np.percentile(np.percentile(draws, 95, axis=1), [2.5, 97.5])
    ranked, gap = np.sort(scores), max(1, n // 200)
    for exact, simulated in zip((low, high), ends, strict=True):
        place = np.searchsorted(ranked, simulated)
        assert ranked[max(place - 1 - gap, 0)] <= exact <= ranked[min(place + gap, n - 1)]


@pytest.mark.slow
def test_the_model_interval_covers_and_the_ordinary_bootstrap_does_not():
    generator = torch.Generator().manual_seed(0)
    centres, intervals, resampled = [], [], []
    for seed in range(60):
        factor = torch.randn(
            80, 1, generator=generator
        )  # shared by all points of a model: points are dependent
        u, o = (0.5 * factor + torch.randn(80, 200, generator=generator)).split(40)
        centres.append(p95(klom(u + 0.7, o)))
        intervals.append(model_interval(u + 0.7, o, seed=seed))
        again = (torch.randint(40, (40,), generator=generator) for _ in range(2))
        resampled.append(p95(klom((u + 0.7)[next(again)], o[next(again)])))
    truth = np.mean(centres)
    assert np.mean([low <= truth <= high for low, high in intervals]) >= 0.9
    width = np.mean([high - low for low, high in intervals]) / (2 * 1.96 * np.std(centres))
    assert 1 < width < 1.6  # against the true spread: a little wide, never narrow
    assert np.mean(resampled) > truth + 2 * np.std(centres)


def test_the_model_interval_needs_two_models_and_holds_its_score():
    with pytest.raises(ValueError, match="at least 2 models"):
        model_interval(torch.zeros(1, 3), torch.zeros(2, 3))
    u, o = normals(12, 40), normals(9, 40, seed=1)
    low, high = model_interval(u, o, subsets=5)
    assert 0 <= low <= p95(klom(u, o)) <= high


def test_a_summary_repeats_its_parts():
    u, o = normals(30, 200, mean=1), normals(25, 200, seed=1)
    options = {"direction": "unlearned_to_oracle", "bins": 10}
    s = summarize(u, o, splits=4, subsets=6, seed=3, **options)
    scores = klom(u, o, **options)
    assert (s.p95, s.mean) == (p95(scores), float(scores.mean()))
    assert (s.low, s.high) == model_interval(u, o, subsets=6, seed=3, **options)
    assert (s.points_low, s.points_high) == point_interval(scores)
    assert s.robust_p95 == p95(robust_klom(u, o, **options))
    assert s.floor == pytest.approx(
        np.mean([p95(x) for x in permutation_floor(u, o, splits=4, seed=3, **options)])
    )
    assert s.gaussian_floor == p95(gaussian_floor(30, 25, seed=3, **options))
    assert s.ceiling == p95(ceiling(u, o, **options)) >= s.p95
    assert (s.collapsed, s.nan, s.models, s.oracles, s.points) == (0, 0, 30, 25, 200)
    assert all(isinstance(value, (float, int)) for value in vars(s).values())
    with pytest.raises(ValueError, match="at least one point"):
        summarize(u[:, :0], o[:, :0])
    with pytest.raises(TypeError, match="bin_count"):
        summarize(u, o, bin_count=5)
