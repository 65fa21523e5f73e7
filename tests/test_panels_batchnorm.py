"""The chapter on BatchNorm: its pictures and tables on rows made by hand, on records, and without any."""

import numpy as np
import pandas as pd
import pytest
import torch

from panels import batchnorm as panels
from rows_by_hand import frame, none, row, texts
from unlearning.page import evidence

PUBLISHED = evidence.published()
ROWS = [
    row("random-10", "nothing", 0.0, 0, 9.0),
    row("random-10", "ga", 0.0, 1, 8.8, 0.9),
    row("random-10", "ga", 0.0, 3, 8.0, 1.7),
    row("random-10", "ga", 1e-5, 1, 8.8, 0.95),
    row("random-10", "ga", 1e-3, 3, 7.8, 2.0),
    row("random-10", "ga", 0.05, 3, 3.0, 4.7),
    row("random-10", "ga", 0.01, 1, 8.5, 0.7, batchnorm="frozen"),
    row("random-10", "ga", 0.01, 3, 2.0, 0.5, batchnorm="frozen", retain_collapsed=0.5,
        retain_robust=2.7, retain_accuracy=0.5),
    row("random-10", "ga", 0.01, 1, 8.0, 0.8),
    row("random-10", "ga", 0.01, 3, 6.0, 0.9),
    row("random-10", "ga", 0.01, 1, 8.0, 0.8, momentum=0.9, weight_decay=5e-4),
    row("random-10", "ga", 0.01, 3, 3.0, 4.7, momentum=0.9, weight_decay=5e-4),
    row("pc2-top-50", "nothing", 0.0, 0, 9.0, retain_accuracy=0.8),
    row("pc2-top-50", "ga", 0.0, 1, 9.0, 0.7, retain_accuracy=0.8),
]  # fmt: skip
EVERY = frame(ROWS)
GA = panels.measured(EVERY)


def lines(panel) -> list[list[float]]:
    return [list(line.get_ydata()) for line in panel.axes[0].get_lines()]


def test_the_share_of_f_is_an_exponential_average_done_by_hand():
    share = 0.0
    for _ in range(3 * 2):  # three passes over 100 points in batches of 64
        share = 0.9 * share + 0.1
    assert panels.share_of_f(3, 100) == pytest.approx(share)


def test_damage_is_the_mean_rise_of_retain_and_validation():
    r = GA[(GA.lr == 0.05)].iloc[0]
    assert r.damage == pytest.approx(4.0)  # both rise from 0.7 to 4.7
    # mean of two differences, all four with half a width of 0.05
    assert r.error == pytest.approx(0.05)
    frozen = GA[(GA.batchnorm == "frozen") & (GA.epoch == 3)].iloc[0]
    assert frozen.seen_retain == 2.7 and frozen.far, "the robust score where the range is collapsed"
    assert frozen.damage == pytest.approx(((2.7 - 0.7) + (0.5 - 0.7)) / 2)


def test_shares_are_those_of_step_size_0_at_the_same_time():
    (r,) = panels.shares(GA, 0.5).to_dict("records")
    assert r["step size 0"] == "1.0 ± 0.1" or r["step size 0"] == "1.0 ± 0.0"
    assert r["5e-2"].endswith(": 25%") and r["1e-3"].endswith(": 77%")
    told = panels.shares_told(GA, 0.5)
    assert told["large_share"] == pytest.approx(0.25) and told["large_runs"] == 1
    assert (told["drift_set"], told["drift_to"]) == ("random-10", 8.0)
    assert told["near_damage"] == pytest.approx(0.05) and told["near_forget"] == 0
    assert panels.shares(GA, 5.0).iloc[0, 0].endswith("no damage")


def test_distances_have_a_row_for_each_step_size():
    table = panels.distances(GA).set_index("step size")
    assert list(table.index) == ["1e-5", "1e-3", "1e-2", "5e-2"]
    assert table.loc["5e-2", "forget"].startswith("5.00, 5.00")


def test_the_curves_are_drawn_by_mode_and_far_points_are_hollow():
    slides, names = panels.curves(GA, "hand")
    assert names[0] == "random-10", "the set that drift damages most"
    damage_train, damage_frozen, *_ = slides[0]
    assert any(y == pytest.approx([0.2, 1.0]) for y in lines(damage_train) if len(y) == 2)
    assert [GA[GA.far].damage.iloc[0]] in lines(damage_frozen)
    labels = [t.get_text() for t in damage_train.axes[0].get_legend().get_texts()]
    assert labels == ["up to 1e-3", "1e-2", "5e-2", "0"]


def test_paths_begin_at_the_pretrained_models():
    (left, right), _ = panels.paths(GA, "hand")[0]
    assert [0.7, 0.7, 0.5] in lines(left) and [0.7, 0.8, 4.7] in lines(right)
    no_momentum = panels.measured(frame([r for r in ROWS if not r["momentum"]]))
    assert "not run" in texts(panels.paths(no_momentum, "hand")[0][0][1])[0]


def test_momentum_is_held_against_its_own_step_and_the_largest_path():
    told = panels.momentum_told(GA)
    assert told["first_gap"] == 0 and told["heavy_runs"] == 2
    # (8, 0.8) and (3, 4.7) against the line from (9, 0.7) to (3, 4.7)
    direction = np.array([-6.0, 4.0]) / np.hypot(6, 4)
    off = abs(direction[0] * 0.1 + direction[1] * 1.0)  # of the cross product with (-1, 0.1)
    assert told["path_largest"] == pytest.approx(off / 2, abs=1e-2)  # the median of it and zero
    assert told["path_own"] > told["path_largest"]


def test_controls_divide_all_runs_and_claims_name_them():
    parts = panels.controls(GA)
    assert sum(map(len, parts.values())) == len(GA)
    table = panels.claims(GA).set_index("gradient ascent")
    assert table.loc["frozen, up to 1e-3", "C1: outcomes"] == "not run"
    assert table.loc["train mode, larger", "C1: outcomes"] == "2 stays, 1 breaks"
    told = panels.breaks_told(GA)
    assert (told["large"], told["large_of"], told["doubtful"]) == (1, 3, "pc2-top-50")


def test_what_passes_on_the_map_is_told_with_its_accuracy():
    (r,) = panels.passed(EVERY).to_dict("records")
    assert r["configuration"] == "GA 1e-2, epoch 3, BatchNorm frozen"
    assert r["points collapsed"] == "50%" and r["by all criteria"] == "breaks"
    told = panels.passed_told(EVERY)
    assert (
        told["passed_frozen"] == 1 and told["kept"] == 0 and told["lost_most"] == pytest.approx(40)
    )
    below = panels.below_told(EVERY)
    assert below["collapsed"] == 1 and below["flattered"] == pytest.approx(2.2)


def test_the_published_curves_are_ordered_by_their_share():
    left, right = panels.authors(PUBLISHED, GA)
    theirs = PUBLISHED[(PUBLISHED.set == 5) & (PUBLISHED.lr == 1e-3)]
    drawn = [
        line for line in right.axes[0].get_lines() if list(line.get_ydata()) == list(theirs.average)
    ]
    np.testing.assert_allclose(drawn[0].get_xdata(), 1 - 0.9 ** (2 * theirs.epoch))  # 100 points
    assert len(left.axes[0].get_lines()) == len(right.axes[0].get_lines())
    assert "set 3" in panels.authors_told(PUBLISHED, GA)["settled"]


class Sets:
    """Stands in for a context: two points of F, one each of R and of validation."""

    def scored(self, name: str) -> dict[str, np.ndarray]:
        return {"forget": np.arange(2), "retain": np.arange(1), "val": np.arange(1)}


def test_the_mechanism_is_measured_against_the_start():
    zero, one = torch.zeros(2), torch.ones(2)
    states = {"a": [(zero, one), (zero, 2 * one), (zero, 3 * one)]}
    margins = np.array([[[1.0, 1.0, 2.0, 0.0]], [[3.0, 1.0, 4.0, 0.0]]])  # (steps, 1, points)
    drift = panels.drifted(
        states, {"a": [one, 2 * one, 2 * one]}, {"a": [0 * margins[:1], margins]}, Sets()
    )
    assert drift.statistics.tolist() == [1.0, 2.0] and drift.predicted.tolist() == [1.0, 1.0]
    np.testing.assert_allclose(drift.gap, [0, 1 / 3])
    np.testing.assert_allclose(drift.forget, [1, np.sqrt(5)])
    assert panels.drift_told(drift) == pytest.approx(
        {
            "weights": "0",
            "gap": 1 / 3,
            "shift_forget": np.sqrt(5),
            "shift_retain": 4,
            "shift_val": 0,
        }
    )
    left, _ = panels.mechanism(drift)
    assert [1.0, 2.0] in lines(left)


def live(name: str) -> pd.DataFrame:
    rows = [row(name, "nothing", 0.0, 0, 9.0)]
    for k, run in enumerate(panels.LIVE):
        rows += [row(name, run, 0.1, t, 9.0 - t, 0.7 + k * t / 10) for t in (1, 3)]
    rows[-7] |= {"retain_collapsed": 1.0, "retain_robust": 5.0}
    return frame(rows)


def test_the_missing_control_draws_every_run_and_robust_scores():
    tables = [live("random-10"), live("pc1-top-10")]
    drawn = panels.reestimated(tables)
    assert len(drawn) == 4
    every = [[round(float(v), 9) for v in y] for y in lines(drawn[1])]
    assert [0.7, 0.7, 0.7] in every and [0.7, 0.9, 1.3] in every
    assert [0.7, 0.8, 5.0] in every, "the robust score where the range is collapsed"
    told = panels.live_told(tables)
    assert (
        told["live_runs"] == 20 and told["a_start"] == 0.7 and told["b_zero"] == pytest.approx(1.6)
    )


def test_a_network_without_batchnorm_is_drawn_by_step_size():
    rows = [row("random-10", "nothing", 0.0, 0, 9.0)]
    rows += [row("random-10", lr, 0.0, t, 9 - 10 * lr * t, retain_accuracy=0.9 - lr) for lr in (0.0, 0.1) for t in (1, 3)]  # fmt: skip
    left, right = panels.without(frame(rows))
    assert [9.0, 8.0, 6.0] in lines(left)
    assert any(y == pytest.approx([10, 10]) for y in lines(right) if len(y) == 2)


def test_without_records_everything_says_so():
    nobody = none()
    ga = panels.measured(nobody)
    assert panels.curves(ga, "t")[1] == panels.paths(ga, "t")[1] == ["not run"]
    assert panels.distances(ga).iloc[0, 0] == "not run"
    assert set(panels.claims(ga)["C1: outcomes"]) == {"not run"}
    told = panels.recorded_told(nobody, ga, PUBLISHED, 0.5)
    assert set(told) == set(panels.recorded_told(EVERY, GA, PUBLISHED, 0.5))


def test_step_sizes_that_count_once_are_copies_in_the_records():
    """evidence.NO_STEP: up to there a run has the scores of step size 0."""
    told = panels.shares_told(panels.measured(evidence.load("laptop")), 0.5)
    assert told["near_forget"] < 0.1 and told["near_damage"] < 0.25
