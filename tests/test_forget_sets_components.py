"""Principal components of margins against scikit-learn, and the selection of forget sets against sorting by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from unlearning import forget_sets


@pytest.mark.parametrize("runs, points", [(30, 8), (10, 200), (60, 60)])
def test_components_match_scikit_learn(runs, points):
    rng = np.random.default_rng(runs)
    margins = (
        rng.normal(size=(runs, points)) * np.linspace(3, 1, points) + rng.normal(size=points) * 5
    )
    scores, share = forget_sets.principal_components(margins, k=3)
    reference = PCA(n_components=3, svd_solver="full").fit(margins)
    # the sign is a convention of either side: compare after removing it
    for ours, theirs in zip(scores, reference.components_, strict=True):
        assert ours[np.argmax(np.abs(ours))] > 0
        np.testing.assert_allclose(ours, theirs * np.sign(ours @ theirs), atol=1e-9)
    np.testing.assert_allclose(share, reference.explained_variance_ratio_, rtol=1e-9)


def test_a_planted_direction_is_found():
    rng = np.random.default_rng(0)
    planted = np.zeros(100)
    planted[[3, 50]], planted[70] = (2.0, 1.0), -1.5
    margins = rng.normal(size=(80, 1)) * planted + 0.01 * rng.normal(size=(80, 100)) + 4
    scores, share = forget_sets.principal_components(margins, k=1)
    np.testing.assert_allclose(scores[0], planted / np.linalg.norm(planted), atol=0.01)
    assert share[0] > 0.95
    assert forget_sets.select_points(scores[0], top=2).tolist() == [3, 50]
    assert forget_sets.select_points(scores[0], top=1, bottom=1).tolist() == [3, 70]


def test_components_do_not_depend_on_level_scale_or_order_of_runs():
    margins = np.random.default_rng(1).normal(size=(20, 15))
    scores, share = forget_sets.principal_components(margins)
    changed = 3 * margins[::-1] + np.arange(15)
    np.testing.assert_allclose(forget_sets.principal_components(changed)[0], scores, atol=1e-10)
    np.testing.assert_allclose(forget_sets.principal_components(changed)[1], share)
    np.testing.assert_allclose(scores @ scores.T, np.eye(2), atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(scores=st.lists(st.integers(-5, 5), min_size=1, max_size=30), data=st.data())
def test_selection_equals_sorting_by_hand(scores, data):
    top = data.draw(st.integers(0, len(scores)))
    bottom = data.draw(st.integers(0 if top else 1, len(scores) - top)) if top < len(scores) else 0
    picked = forget_sets.select_points(scores, top, bottom)
    best = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:top]
    worst = sorted(set(range(len(scores))) - set(best), key=lambda i: (scores[i], i))[:bottom]
    assert picked.tolist() == sorted(best + worst)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: forget_sets.principal_components(np.zeros(5)),
        lambda: forget_sets.principal_components(np.zeros((1, 5))),
        lambda: forget_sets.principal_components(np.zeros((5, 0))),
        lambda: forget_sets.principal_components([[1, 2], [np.nan, 3]]),
        lambda: forget_sets.principal_components(np.ones((4, 3)) * [1, 2, 1e6]),
        lambda: forget_sets.principal_components(np.eye(4), k=0),
        lambda: forget_sets.principal_components(np.eye(4), k=4),
        lambda: forget_sets.principal_components(np.eye(4), k=1.5),
        lambda: forget_sets.select_points([[1.0]], top=1),
        lambda: forget_sets.select_points([1.0, np.inf], top=1),
        lambda: forget_sets.select_points([1.0, 2.0]),
        lambda: forget_sets.select_points([1.0, 2.0], top=2, bottom=1),
        lambda: forget_sets.select_points([1.0, 2.0], top=-1, bottom=2),
        lambda: forget_sets.select_points([1.0, 2.0], top=1.5),
    ],
)
def test_hostile_input_is_refused_with_a_sentence(wrong):
    with pytest.raises(ValueError, match="give"):
        wrong()


def test_nearest_points_by_hand():
    """Correlation with the forget points' mean standardised margin, by numpy.corrcoef; constants are uncorrelated."""
    generator = np.random.default_rng(0)
    margins = generator.normal(size=(12, 9)) * generator.uniform(0.5, 3, 9)
    margins[:, 4] = 7.0
    forget = np.array([1, 6])
    standard = (margins - margins.mean(0)) / np.maximum(margins.std(0), 1e-300)
    target = standard[:, forget].mean(1)
    with_target = {
        j: np.corrcoef(margins[:, j], target)[0, 1] for j in range(9) if j not in (1, 4, 6)
    } | {4: 0.0}
    wanted = sorted(sorted(with_target, key=with_target.get, reverse=True)[:3])
    assert forget_sets.nearest(margins, forget, 3).tolist() == wanted
    assert forget_sets.nearest(margins, forget, 7).tolist() == [0, 2, 3, 4, 5, 7, 8]


@pytest.mark.parametrize("count", [0, 8, 2.5, True])
def test_nearest_refuses_impossible_counts(count):
    with pytest.raises(ValueError, match="1 to 7"):
        forget_sets.nearest(np.random.default_rng(0).normal(size=(5, 9)), np.array([1, 6]), count)


def test_nearest_refuses_broken_margins():
    for margins in (np.zeros((2, 5)), np.full((4, 5), np.nan), np.zeros(5)):
        with pytest.raises(ValueError, match="finite matrix"):
            forget_sets.nearest(margins, np.array([1]), 1)
