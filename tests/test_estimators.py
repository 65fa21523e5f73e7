"""Estimators against numpy and scipy loops, closed forms, cases by hand, simulations, bad input."""

import inspect
import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.special import erf, polygamma
from scipy.stats import energy_distance, norm

from unlearning import estimators as module
from unlearning import klom as klom_module
from unlearning.estimators import (
    ESTIMATORS,
    detectable_shift,
    energy,
    estimator,
    floor,
    geb,
    jackknife,
    knn_kl,
    oq5,
    ulira,
)
from unlearning.klom import DIRECTIONS, klom

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]
NAMES = list(ESTIMATORS)
HOSTILE = st.floats(width=64) | st.sampled_from([0.0, 1.0, 100.0, -100.0, 1e-320])  # NaN, inf, too
NAN_IS_FINE = pytest.mark.filterwarnings("ignore:.*are NaN:RuntimeWarning")


def normals(*shape, seed=0, mean=0.0, sd=1.0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=dtype) * sd + mean


def p95(scores):
    return float(np.percentile(scores.cpu().numpy(), 95))


def tensor(*rows):
    return torch.tensor(rows, dtype=torch.float64).T  # one row per point


def gaussian_kl(mean_p, sd_p, mean_q, sd_q):
    return np.log(sd_q / sd_p) + (sd_p**2 + (mean_p - mean_q) ** 2) / (2 * sd_q**2) - 0.5


def ensembles(dtype=torch.float64):
    """Pairs of unequal numbers of models: normal margins, then grids with many ties."""
    generator = torch.Generator().manual_seed(1)
    yield normals(23, 40, dtype=dtype), normals(30, 40, seed=1, mean=1, dtype=dtype)
    for models, values in ((20, 30), (11, 4), (9, 2)):
        sizes = ((n, 40) for n in (models, models + 7))
        yield tuple(torch.randint(values, s, generator=generator).to(dtype) / 8 for s in sizes)


# --- oq5 ---


def share_above(x, low, high):
    """How much of a sample counts as above the quantile [low, high]."""
    if x >= high and x > low:
        return 1.0
    return 0.5 if x > low or x >= high else 0.0


def quantile_loop(p, q, cells):
    """The definition, sample by sample."""
    scores = []
    for a, b in zip(p.numpy().T, q.numpy().T, strict=True):
        counts = np.zeros((2, cells + 1))
        counts[:, 0] = len(a), len(b)
        for k in range(1, cells):
            low = min(x for x in a if np.sum(a <= x) * cells >= k * len(a))
            high = max(x for x in a if np.sum(a < x) * cells <= k * len(a))
            for row, samples in enumerate((a, b)):
                counts[row, k] = sum(share_above(x, low, high) for x in samples)
        shares = [(-np.diff(row) + 0.5) / (row[0] + cells / 2) for row in counts]
        scores.append(np.sum(shares[0] * np.log(shares[0] / shares[1])))
    return np.array(scores)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("cells", [2, 5])
def test_oq5_equals_the_loop_with_ties(device, dtype, cells):
    for u, o in ensembles(dtype):
        for direction, pair in zip(DIRECTIONS, ((o, u), (u, o)), strict=True):
            found = oq5(u.to(device), o.to(device), direction=direction, cells=cells)
            assert found.dtype == torch.float64
            expected = quantile_loop(*pair, cells)
            np.testing.assert_allclose(found.cpu().numpy(), expected, rtol=0, atol=1e-12)


def test_oq5_by_hand():
    oracle, unlearned = tensor([1.0, 2.0, 3.0, 4.0, 5.0]), tensor([1.5, 3.0, 3.0, 9.0])
    # one oracle a cell; 1.5 lies between the two that the first quintile divides: half a count each
    counts = np.array([0.5, 0.5, 2.0, 0.0, 1.0])
    expected = np.mean(np.log(0.2 / ((counts + 0.5) / 6.5)))
    assert oq5(unlearned, oracle).item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_no_monotone_map_changes_oq5(direction):
    """Falling maps neither: every cell's mirror image is a cell."""
    u, o = normals(20, 200, mean=0.5), normals(30, 200, seed=1)
    scores = oq5(u, o, direction=direction)
    for change in (torch.exp, torch.neg, lambda x: x**3 - 7, lambda x: 50 * torch.atan(-x)):
        found = oq5(change(u), change(o), direction=direction)
        torch.testing.assert_close(found, scores, rtol=0, atol=1e-12)


@NAN_IS_FINE
@pytest.mark.parametrize("models", [10, 20, 100])
def test_broken_models_cannot_exceed_the_maximum_of_oq5(models):
    u, o = normals(models, 200), normals(20, 200, seed=1)
    most = 0.8 * math.log(0.4 * models + 1)
    most += 0.2 * math.log((2 * models + 5) / (5 * (2 * models + 1)))
    for value in (-math.inf, 1e9, math.nan):
        for broken in range(0, models + 1, models // 10):
            u[:broken] = value
            scores = oq5(u, o)
            assert (scores <= most + 1e-12).all()
        np.testing.assert_allclose(scores, most, atol=1e-12)
        u = normals(models, 200)


def interpolated_oq5(u, o):
    """The variant of the N = 20 study: quintiles interpolated between order statistics."""
    u, o = u.numpy(), o.numpy()
    edges = np.quantile(o, [0.2, 0.4, 0.6, 0.8], axis=0)
    p, q = (
        [(np.sum((x > edges).sum(1) == k, axis=0) + 0.5) / (len(x) + 2.5) for k in range(5)]
        for x in (o[:, None], u[:, None])
    )
    return torch.from_numpy(sum(a * np.log(a / b) for a, b in zip(p, q, strict=True)))


@pytest.mark.parametrize(
    ("models", "percentile", "mean", "study_percentile", "study_mean"),
    [
        (10, 0.45, 0.20, 0.53, 0.27),
        (20, 0.39, 0.157, 0.44, 0.18),
        (40, 0.23, 0.092, None, None),
        (100, 0.094, 0.039, 0.10, 0.04),
    ],
)
def test_the_floor_of_oq5_and_of_the_study_it_improves_on(
    models, percentile, mean, study_percentile, study_mean
):
    scores = floor("oq5", models, points=8000)
    assert p95(scores) == pytest.approx(percentile, rel=0.05)
    assert scores.mean().item() == pytest.approx(mean, rel=0.04)
    u, o = normals(models, 8000), normals(models, 8000, seed=1)
    null, shifted = interpolated_oq5(u, o), interpolated_oq5(u + 0.5, o)
    if study_mean:
        assert p95(null) == pytest.approx(study_percentile, abs=0.02)
        assert null.mean().item() == pytest.approx(study_mean, abs=0.01)
    ours, ours_shifted = oq5(u, o), oq5(u + 0.5, o)
    assert ours.mean() < null.mean()  # half counts: a lower floor, and a shift that stands out more
    distinct = [(b.mean() - a.mean()) / a.std() for a, b in ((null, shifted), (ours, ours_shifted))]
    assert distinct[1] > 1.01 * distinct[0]


# --- geb ---


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("mean", "sd"), [(0.7, 1.3), (2.0, 1.0), (0.0, 0.6)])
def test_geb_is_the_gaussian_divergence_of_many_models(device, mean, sd):
    o = normals(20_000, 3, mean=5, sd=2).to(device)
    u = normals(10_000, 3, seed=1, mean=5 + 2 * mean, sd=2 * sd).to(device)
    truths = gaussian_kl(0, 1, mean, sd), gaussian_kl(mean, sd, 0, 1)
    for direction, truth in zip(DIRECTIONS, truths, strict=True):
        for points in (3, 1):
            scores = geb(u[:, :points], o[:, :points], direction=direction)
            np.testing.assert_allclose(scores.cpu().numpy(), truth, rtol=0.06)


@pytest.mark.parametrize(
    ("shift", "truth"), [(0, 0.0), (0.25, 0.031), (0.5, 0.125), (1, 0.5), (2, 2.0)]
)
def test_the_mean_of_geb_is_nearly_unbiased_at_20_models(shift, truth):
    pairs = [(normals(20, 300, seed=i), normals(20, 300, seed=100 + i)) for i in range(20)]
    means = [geb(u + shift, o).mean() for u, o in pairs]
    assert np.mean(means) == pytest.approx(truth, rel=0.03, abs=0.004)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_geb_also_where_points_differ_in_spread(direction, shift):
    """Without the correction for shrinking, no shift would score half of its truth."""
    found, truth = [], []
    for i in range(20):
        sd, ratio = (normals(300, seed=i + j, sd=s).exp() for j, s in ((100, 0.5), (200, 0.25)))
        u, o = normals(20, 300, seed=i) * ratio + shift, normals(20, 300, seed=300 + i)
        found.append(geb(u * sd, o * sd, direction=direction).mean())
        ends = (0, 1), (shift, ratio.numpy())
        p, q = ends if direction == DIRECTIONS[0] else ends[::-1]
        truth.append(gaussian_kl(*p, *q).mean())
    assert np.mean(found) == pytest.approx(np.mean(truth), rel=0.1)


def test_few_models_do_not_count_as_less_spread_out():
    """E ln s − ln σ² is -0.21 for 6 Gaussian models and -0.005 for 200."""
    few, many = normals(6, 4000), normals(200, 4000, seed=1)
    for pair in ((few, many), (many, few)):
        assert abs(module._log_variance_ratio(*pair)[0].mean()) < 0.05


def test_the_trigamma_function_is_inverted():
    for y in 10.0 ** np.arange(-9, 10):
        assert polygamma(1, module._trigamma_inverse(y)) == pytest.approx(y, rel=1e-6)


def test_geb_shrinks_variances_to_what_the_points_share():
    """Equal variances come out nearly equal; with d_0 = 4 the weights are Smyth's."""
    equal, _ = module._shrunk_variance(normals(20, 3000))
    assert equal.std() < 0.03 and equal.mean().item() == pytest.approx(1, abs=0.02)
    generator = np.random.default_rng(0)
    variances = 4 / generator.chisquare(4, size=20_000)
    x = torch.from_numpy(generator.normal(size=(20, 20_000)) * np.sqrt(variances))
    shrunk, unbias = module._shrunk_variance(x)
    np.testing.assert_allclose(shrunk, (4 + 19 * x.var(0)) / 23, rtol=0.05)
    assert unbias == pytest.approx(np.mean(variances / shrunk.numpy()) ** -1, rel=0.01)


def test_geb_with_constant_margins_is_finite_and_keeps_its_sense():
    o, u = normals(20, 50), normals(20, 50, seed=1)
    o[:, 0], u[:, 0], o[:, 1] = 3.0, 3.0, 3.0
    scores = geb(u, o)
    assert torch.isfinite(scores).all() and scores[1] > scores[2:].max()  # all oracles are at 3
    assert geb(o[:, :1], o[:, :1]).abs().item() < 0.1  # the correction for noise that is not there
    assert torch.isfinite(geb(u[:, 1:2], o[:, 1:2])).all()
    far = [geb(u[:, 2:] + shift, o[:, 2:]).mean().item() for shift in (4, 7, 20, 90)]
    assert far == sorted(far) and far[-1] < 1.2 * module.REACH**2 / 2  # means are cut at REACH, too


def test_a_majority_of_equal_margins_does_not_hide_the_others_from_geb():
    tied = normals(20, 1)
    tied[:12] = 0.0  # no interquartile range
    assert geb(3 * tied, tied).item() == pytest.approx(gaussian_kl(0, 1, 0, 3), abs=0.1)


def test_diverged_models_do_not_hide_a_shift_from_geb():
    o, u = normals(20, 300), normals(20, 300, seed=1, mean=2)
    before = geb(u, o).mean().item()
    u[0] = -100
    assert before / 4 < geb(u, o).mean().item() < before  # klom falls below its floor
    assert klom(u, o).mean() < floor("klom", 20).mean() / 3
    u[1:10] = -100
    assert all(geb(u, o, direction=d).mean() > 1 for d in DIRECTIONS)
    u[:] = -100
    assert all(30 < geb(u, o, direction=d).mean() < 2200 for d in DIRECTIONS)


# --- knn_kl ---


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("k", [1, 5])
def test_knn_equals_the_loop_with_ties(device, k):
    for u, o in ensembles():
        expected = []
        for x, y in zip(o.numpy().T, u.numpy().T, strict=True):
            own, other = (np.abs(x[:, None] - z[None]) for z in (x, y))
            own[np.diag_indices(len(x))] = np.inf
            own, other = (np.sort(d, axis=1)[:, k - 1] for d in (own, other))
            rho, nu = (np.maximum(d, module.RESOLUTION) for d in (own, other))
            expected.append(np.mean(np.log(nu / rho)) + np.log(len(y) / (len(x) - 1)))
        found = knn_kl(u.to(device), o.to(device), k=k).cpu().numpy()
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
        assert torch.equal(knn_kl(u, o, k=k, direction=DIRECTIONS[1]), knn_kl(o, u, k=k))


def test_knn_is_the_gaussian_divergence_of_many_models():
    u, o = normals(10_000, 4, mean=0.5, sd=1.2), normals(20_000, 4, seed=1)
    truths = gaussian_kl(0, 1, 0.5, 1.2), gaussian_kl(0.5, 1.2, 0, 1)
    for direction, truth in zip(DIRECTIONS, truths, strict=True):
        assert knn_kl(u, o, direction=direction).mean().item() == pytest.approx(truth, abs=0.03)


# --- energy ---


@pytest.mark.parametrize("device", DEVICES)
def test_energy_is_scipys_without_its_bias(device):
    """scipy takes the root, and its means over pairs include each model with itself, at distance 0:

    scipy² = 2 E|U − O| − (1 − 1/n) E|U − U'| − (1 − 1/m) E|O − O'|, which is too large by
    E|U − U'|/n + E|O − O'|/m.
    """
    for u, o in ensembles():
        expected = []
        for x, y in zip(u.numpy().T, o.numpy().T, strict=True):
            bias = sum(np.abs(z[:, None] - z).sum() / (len(z) ** 2 * (len(z) - 1)) for z in (x, y))
            expected.append((energy_distance(x, y) ** 2 - bias) / np.std(y, ddof=1))
        found = energy(u.to(device), o.to(device)).cpu()
        np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-6)
        torch.testing.assert_close(energy(o, u) * u.std(0), found * o.std(0), rtol=0, atol=1e-9)


@pytest.mark.parametrize("shift", [0.5, 3.0])
def test_energy_of_a_shift_has_its_closed_form(shift):
    """E|N(d, 2)| = 2/√π exp(−d²/4) + d erf(d/2), once with d = the shift and once with 0."""
    expected = 4 / math.sqrt(math.pi) * (math.exp(-(shift**2) / 4) - 1) + 2 * shift * erf(shift / 2)
    u, o = normals(2000, 40, mean=7 + 3 * shift, sd=3), normals(2000, 40, seed=1, mean=7, sd=3)
    scores = energy(u, o)
    assert scores.mean().item() == pytest.approx(expected, rel=0.02)


# --- all estimators ---


@pytest.mark.parametrize("name", ["geb", "knn", "energy"])
def test_no_difference_scores_zero_on_average(name):
    scores = floor(name, 20, points=20_000)
    assert abs(scores.mean().item()) < 0.006 < scores.std().item()
    assert (scores < 0).any()


@pytest.mark.parametrize("name", NAMES)
def test_the_table_of_estimators_says_what_they_do(name):
    entry, (u, o) = estimator(name), (normals(100, 1000), normals(100, 1000, seed=1))
    wider = entry.function(1.5 * u, o).mean() > entry.function(u, o).mean()
    assert bool(wider) is entry.increases_with_spread
    assert entry.function(u + 0.5, o).mean() > entry.function(u, o).mean()
    assert ("direction" in inspect.signature(entry.function).parameters) is entry.directed
    alone, together = entry.function(u[:, :50], o[:, :50]), entry.function(u, o)[:50]
    assert torch.allclose(alone, together, rtol=0, atol=1e-9) is not entry.grouped
    assert entry.title and entry.unit in ("nats", "oracle sd") and entry.source


@pytest.mark.parametrize("device", DEVICES)
@NAN_IS_FINE
@settings(max_examples=60, deadline=None)
@given(
    u=arrays.arrays(np.float64, st.tuples(st.integers(6, 9), st.just(3)), elements=HOSTILE),
    o=arrays.arrays(np.float64, st.tuples(st.integers(6, 9), st.just(3)), elements=HOSTILE),
    direction=st.sampled_from(DIRECTIONS),
)
def test_any_input_has_a_finite_score(device, u, o, direction):
    unlearned, oracle = torch.tensor(u, device=device), torch.tensor(o, device=device)
    for entry in ESTIMATORS.values():
        options = {"direction": direction} if entry.directed else {}
        scores = entry.function(unlearned, oracle, **options)
        assert scores.shape == (3,) and scores.dtype == torch.float64
        assert torch.isfinite(scores).all()
    attack = ulira(unlearned, oracle)
    for before, after in ((u, unlearned), (o, oracle)):
        np.testing.assert_array_equal(before, after.cpu().numpy())
    assert ((attack.accuracy >= 0) & (attack.accuracy <= 1)).all() and 0 <= attack.tpr <= 1


@pytest.mark.parametrize("name", NAMES)
def test_units_chunks_and_types_do_not_change_the_scores(name, monkeypatch):
    u, o = normals(12, 97, mean=0.5, dtype=torch.float32), normals(15, 97, seed=1)
    score = estimator(name).function
    whole = score(u, o)
    for a, b in ((u * 4 - 8, o * 4 - 8), (u.flip(0), o.flip(0)), (u.clone().requires_grad_(), o)):
        torch.testing.assert_close(score(a, b), whole, rtol=0, atol=1e-6)
    monkeypatch.setitem(klom_module.CHUNK, "cpu", 100)
    torch.testing.assert_close(score(u.double(), o), whole, rtol=0, atol=1e-12)
    assert score(u[:, :0], o[:, :0]).shape == (0,)


@pytest.mark.parametrize("function", [oq5, geb, knn_kl, energy, ulira])
def test_nan_is_reported_where_the_function_was_called(function):
    bad, o = normals(10, 3), normals(10, 3, seed=1)
    bad[0, 0], clean = math.nan, bad.clone()
    clean[0, 0] = -100.0
    with pytest.warns(RuntimeWarning, match="1 of 60 margins are NaN") as caught:
        scores = function(bad, o)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = function(clean, o)
    assert torch.equal(*(x.accuracy if function is ulira else x for x in (scores, again)))


@pytest.mark.parametrize(
    "function", [oq5, geb, knn_kl, energy, ulira, lambda *pair: jackknife(None, *pair)]
)
@pytest.mark.parametrize(
    ("u", "o", "words"),
    [
        (torch.zeros(9, 3), torch.zeros(9, 4), "same points"),
        (torch.zeros(3), torch.zeros(3), "models, points"),
        (torch.zeros(0, 3), torch.zeros(9, 3), "at least one model"),
        (torch.zeros(9, 3, dtype=torch.int64), torch.zeros(9, 3), "floats"),
    ],
)
def test_ensembles_that_cannot_be_scored_are_refused(function, u, o, words):
    with pytest.raises(ValueError, match=words):
        function(u, o)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda u, o: oq5(u, o, direction="both"), "'both'; choose one of oracle_to_unlearned, un"),
        (lambda u, o: oq5(u, o, cells=1), "cells must be a whole number of at least 2, got 1"),
        (lambda u, o: oq5(u, o, cells=2.5), "cells must be a whole number"),
        (lambda u, o: oq5(u, o, clip=math.inf), "clip must be positive and finite"),
        (lambda u, o: geb(u, o, direction="both"), "unknown direction"),
        (lambda u, o: geb(u[:3], o), "geb needs at least 4 models .* got 3 unlearned and 9 oracle"),
        (lambda u, o: knn_kl(u, o[:5]), "k = 5 needs at least 6 models .* got 9 unlearned and 5"),
        (lambda u, o: knn_kl(u, o, k=0), "k must be a whole number of at least 1, got 0"),
        (lambda u, o: energy(u[:1], o), "energy needs at least 2 models"),
        (lambda u, o: ulira(u[:2], o), "ulira needs at least 3 models"),
        (lambda u, o: ulira(u[:, :0], o[:, :0]), "at least one point"),
        (lambda u, o: ulira(u, o, fpr=1.0), "fpr must be at least 0 and less than 1, got 1.0"),
        (lambda u, o: jackknife(None, u[:1], o), "jackknife needs at least 2 models"),
        (lambda u, o: jackknife(None, u, o, splits=0), "splits must be a whole number .* got 0"),
        (lambda u, o: estimator("fid"), "unknown estimator 'fid'; choose one of klom, oq5, geb"),
        (lambda u, o: floor("fid", 20), "unknown estimator"),
        (lambda u, o: floor("oq5", 20, 0), "at least one model"),
        (lambda u, o: detectable_shift("fid", 20, 10), "unknown estimator"),
        (lambda u, o: detectable_shift("oq5", 20, 10, statistic="max"), "'max'.* one of mean, p95"),
        (lambda u, o: detectable_shift("oq5", 20, 10, power=1), "power must lie .* 0 and 1, got 1"),
        (lambda u, o: detectable_shift("oq5", 20, 10, correlation=-0.1), "correlation must lie"),
        (lambda u, o: detectable_shift("oq5", 20, 0), "points must be a whole number .* got 0"),
    ],
)
def test_bad_options_are_refused_by_name(call, words):
    with pytest.raises(ValueError, match=words):
        call(torch.zeros(9, 3), torch.zeros(9, 3))


# --- floor, jackknife, detectable_shift ---


@pytest.mark.parametrize(
    ("models", "percentile", "mean"), [(10, 8.4, 5.6), (20, 5.0, 3.0), (100, 0.67, 0.34)]
)
def test_the_floor_of_klom_is_the_known_one(models, percentile, mean):
    scores = floor("klom", models)
    assert p95(scores) == pytest.approx(percentile, rel=0.05)
    assert scores.mean().item() == pytest.approx(mean, rel=0.04)


def test_a_floor_depends_on_its_seed_sizes_and_options():
    scores = floor("oq5", 20, points=50)
    assert scores.shape == (50,) and torch.equal(scores, floor("oq5", 20, 20, points=50))
    for other in ({"seed": 1}, {"oracles": 30}, {"cells": 4}, {"direction": DIRECTIONS[1]}):
        assert not torch.equal(scores, floor("oq5", 20, points=50, **other))


def mean_oq5(u, o):
    return float(oq5(u, o).mean())


def test_the_jackknife_of_a_mean_is_its_standard_error():
    u, o = normals(12, 5, sd=3), normals(31, 5, seed=1)
    value, error = jackknife(lambda a, b: a.mean() - b.mean(), u, o, splits=300)
    assert value == pytest.approx(float(u.mean() - o.mean()))
    expected = math.sqrt(float(u.mean(1).var() / 12 + o.mean(1).var() / 31))
    assert error == pytest.approx(expected, rel=0.05)
    assert jackknife(lambda a, b: a.mean() - b.mean(), u[:2], o[:2], splits=3)[1] > 0


@pytest.mark.parametrize(
    ("shift", "low", "high"), [(0.0, 1.2, 2.0), (0.5, 0.8, 1.25), (1.0, 0.8, 1.25)]
)
def test_the_jackknife_error_is_the_spread_over_new_models(shift, low, high):
    """Mean of oq5 over 50 points; too wide where nothing differs, as the docstring says."""
    generator, values, errors = torch.Generator().manual_seed(0), [], []
    for repeat in range(300):
        u, o = (module._gaussian(generator, 20, 50, correlation=0.1) for _ in range(2))
        values.append(mean_oq5(u + shift, o))
        if repeat < 20:
            errors.append(jackknife(mean_oq5, u + shift, o, splits=8, seed=repeat)[1])
    assert low < np.sqrt(np.mean(np.square(errors))) / np.std(values) < high


@pytest.mark.parametrize(("name", "statistic"), [("oq5", "mean"), ("energy", "p95")])
def test_a_detectable_shift_is_detected_in_four_of_five_new_simulations(name, statistic):
    shift = detectable_shift(name, 20, 30, statistic=statistic, correlation=0.05)
    summary = {"mean": lambda scores: float(scores.mean()), "p95": p95}[statistic]
    score, generator = estimator(name).function, torch.Generator().manual_seed(1)
    pairs = [[module._gaussian(generator, 20, 30, 0.05) for _ in range(2)] for _ in range(150)]
    null, shifted = ([summary(score(u + by, o)) for u, o in pairs] for by in (0.0, shift))
    assert 0.65 < np.mean(np.array(shifted) > np.percentile(null, 97.5)) < 0.92


def test_more_models_detect_less_and_dependence_costs():
    def limit(name="oq5", models=20, points=50, **options):
        return detectable_shift(name, models, points, **{"repeats": 20, **options})

    usual = limit()
    assert 0.3 < usual < 0.5
    assert limit(models=40) < usual < limit(points=10)
    assert limit(oracles=40) < usual < limit(correlation=0.3)
    assert limit(power=0.5) < usual < limit(level=0.001)
    assert limit(statistic="p95") > usual and limit("klom") > usual
    assert limit("klom", repeats=3, bins=1) == math.inf  # one bin sees nothing


# --- ulira ---


def ulira_loop(u, o, fpr):
    """The attack, model by model, with scipy's densities."""
    scores = [np.zeros(u.shape), np.zeros(o.shape)]
    for x, out in zip((u, o), scores, strict=True):
        for i in range(len(x)):
            for point in range(x.shape[1]):
                logs = []
                for ensemble in (u, o):
                    rest = np.delete(ensemble[:, point], i % len(ensemble))
                    sd = max(rest.std(ddof=1), module.RESOLUTION)
                    logs.append(norm.logpdf(x[i, point], rest.mean(), sd))
                out[i, point] = logs[0] - logs[1]
    told = np.mean(scores[0] > 0, axis=0), np.mean(scores[1] <= 0, axis=0)
    allowed = [t for t in scores[1].ravel() if np.mean(scores[1] > t) <= fpr]
    return np.mean(told, axis=0), max(np.mean(scores[0] > t) for t in allowed)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("fpr", [0.01, 0.2])
def test_ulira_equals_the_loop(device, fpr):
    alike = normals(7, 11, mean=0.7), normals(7, 11, seed=1)
    for u, o in (alike, (normals(5, 8), normals(9, 8, seed=1, sd=2))):
        u[:, 0], o[:, 0], o[0, 1] = 3.0, 3.0, -100.0  # a constant point, a diverged oracle
        attack = ulira(u.to(device), o.to(device), fpr=fpr)
        accuracy, tpr = ulira_loop(u.numpy(), o.numpy(), fpr)
        np.testing.assert_allclose(attack.accuracy.cpu().numpy(), accuracy, rtol=0, atol=1e-12)
        assert attack.mean == pytest.approx(accuracy.mean())
        assert attack.accuracy[0] == 0.5
        assert (attack.tpr, attack.fpr) == (pytest.approx(tpr), fpr)


def test_ulira_is_a_coin_where_nothing_differs_and_certain_where_all_does():
    attack = ulira(normals(20, 10_000), normals(20, 10_000, seed=1))
    assert attack.mean == pytest.approx(0.5, abs=0.004)
    assert attack.tpr == pytest.approx(0.01, abs=0.002)
    apart = ulira(normals(20, 50, mean=20), normals(20, 50, seed=1))
    assert (apart.accuracy == 1).all() and apart.tpr == 1


@pytest.mark.parametrize("shift", [1.0, 2.0])
def test_ulira_approaches_the_best_attack(shift):
    """With many models the border lies half way: Φ(shift/2) of either ensemble on its own side."""
    attack = ulira(normals(1000, 50, mean=shift), normals(1000, 50, seed=1))
    assert attack.mean == pytest.approx(norm.cdf(shift / 2), abs=0.005)
    assert attack.tpr == pytest.approx(norm.sf(norm.ppf(0.99) - shift), abs=0.02)
