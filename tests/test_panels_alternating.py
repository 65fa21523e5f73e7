"""Pictures of the alternating method: what they draw is what they are given."""

import numpy as np

from panels import alternating as panels


def test_orders_draw_every_path_and_every_distance():
    etas = (0.1, 0.2)
    paths = {eta: tuple(np.linspace(1, 0, int(5 / eta) + 1) for _ in range(3)) for eta in etas}
    distances = {eta: (eta**2, eta, 0.5) for eta in etas}
    left, right = panels.orders(paths, distances, oracle=1.2, floor=0.0)
    labels = [line.get_label() for line in left.axes[0].lines]
    assert {"η = 0.1", "η = 0.2", "simultaneous, 2λ", "simultaneous, λ"} <= set(labels)
    np.testing.assert_allclose(right.axes[0].lines[0].get_ydata(), [0.01, 0.04])


def test_truncations_keep_signs():
    w = np.linspace(-3, 0, 20)
    only = panels.truncations(w, {"exact": w**2, "order η": -(w**2)})
    exact, first = (line.get_ydata() for line in only.axes[0].lines[:2])
    assert np.all(exact >= 0) and np.all(first <= 0)


def test_a_fall_leaves_the_picture_and_the_brake_stays():
    fall = np.array([0.5, -1.0, -50.0, -np.inf])
    caught = np.array([0.5, -1.0, -2.0, -2.0])
    only = panels.brake({0.5: fall}, {0.5: caught}, oracle=0.7)
    solid, dotted = (line.get_ydata() for line in only.axes[0].lines[1:3])
    np.testing.assert_array_equal(solid, caught)
    np.testing.assert_array_equal(np.isnan(dotted), [False, False, True, True])


def test_resting_points_lie_above_the_start():
    alpha = np.array([0.2, 0.3])
    only = panels.resting(alpha, {0.1: np.array([2.0, 3.0])}, start=np.array([0.1, 0.2]))
    gap, start = (line.get_ydata() for line in only.axes[0].lines)
    assert np.all(gap > start) and only.axes[0].get_yscale() == "log"
