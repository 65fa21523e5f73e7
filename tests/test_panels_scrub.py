"""The chapter on SCRUB and GDA: its pictures and tables on rows made by hand, and without any."""

import numpy as np
import pytest
import torch

from panels import scrub as panels
from rows_by_hand import frame, none, row, texts
from unlearning.page import evidence

ROWS = [
    row("random-10", "nothing", 0.0, 0, 9.0),
    row("random-10", "scrub_published", 0.005, 5, 9.1, ascent_epochs=5),
    row("random-10", "scrub_published", 0.005, 10, 9.2, ascent_epochs=5),
    row("random-10", "scrub", 0.005, 10, 8.7, retain=1.1, ascent_epochs=5),
    row("random-10", "finetune", 0.005, 5, 8.9),
    row("random-10", "gda", 0.005, 5, 7.9, ascent_epochs=3),
    row("random-10", "gda", 5e-5, 5, 9.05, ascent_epochs=5),
    row("pc2-top-50", "nothing", 0.0, 0, 9.0, retain_accuracy=0.8),
    row("pc2-top-50", "scrub_published", 0.005, 10, 8.6, retain=3.0, retain_low=2.9, ascent_epochs=5),
]  # fmt: skip
EVERY = frame(ROWS)


def test_what_is_left_of_f_is_an_exponential_average_done_by_hand():
    share = 0.0
    for of_f in [1, 1, 0, 0, 0]:  # 70 points of F, then 150 of R, in batches of 64
        share = 0.9 * share + 0.1 * of_f
    assert panels.left_of_f(70, 150) == pytest.approx(share)


def test_forms_are_compared_with_the_start_and_with_the_slip():
    zero, one = torch.zeros(3), torch.ones(3)
    ends = {(1.0, "slip"): (zero, one), (1.0, "scrub (fixed)"): (2 * one, one)}
    found = panels.forms((zero, 2 * one), ends, "slip")
    assert found.parameters.tolist() == [0.0, 2.0] and found.apart.tolist() == [0.0, 2.0]
    np.testing.assert_allclose(found.statistics, 0.5)
    assert panels.forms_told(found, 1.0) == {"silent": "0", "alive": 2.0, "same": "0"}
    assert panels.forms_table(found)["largest change of a parameter"].tolist() == ["0", "2"]


def test_the_last_stopping_time_is_drawn_with_its_interval():
    forget, retain, _ = panels.scores(EVERY, "hand")
    drawn = [
        container.lines[0].get_xdata()[0]
        for container in forget.axes[0].containers
        if hasattr(container, "lines")
    ]
    assert sorted(drawn) == [8.6, 8.7, 9.0, 9.0, 9.2]
    labels = [t.get_text() for t in retain.axes[0].get_legend().get_texts()]
    assert sorted(labels) == ["as published", "fixed", "pretrained"], "each form once"


def test_distances_are_the_largest_from_the_start_with_their_sign():
    table = panels.distances(EVERY).set_index("SCRUB")
    assert table.loc["as published", "forget"].startswith("-0.40 on pc2-top-50: 8.60")
    assert table.loc["as published", "retain"].startswith("+2.30 on pc2-top-50")
    assert table.loc["fixed", "forget"].startswith("-0.30 on random-10")
    assert "3 runs end at most 0.40 (forget)" in panels.told(EVERY)
    assert panels.told(EVERY).endswith("1 are not intact, on pc2-top-50")


def test_forms_and_twins_are_paired_by_set_and_time():
    told = panels.apart(EVERY)
    assert told["forms_apart"] == pytest.approx(0.5)  # 9.2 and 8.7 after ten epochs
    assert told["twins"] == 1 and told["twin_gap"] == pytest.approx(0.05)
    assert told["doubtful"] == "pc2-top-50"


def test_the_gain_is_fine_tuning_less_gda_at_the_same_step_size():
    (r,) = panels.gains(EVERY).to_dict("records")
    assert r["gain"] == "+1.00 ± 0.07" and r["ascents"] == 3  # hypot of 0.05 and 0.05
    assert panels.gained_told(EVERY) == {"pairs": 1, "clear": 1, "clear_sets": "random-10"}


def live():
    kinds = {"fine-tuning 0.1": 8.8, "GDA 0.1": 4.0, "SCRUB, fixed 0.1": 9.5}
    rows = [row("random-10", "nothing", 0.0, 0, 9.0)]
    rows += [
        row("random-10", name, 0.1, t, forget, retain_accuracy=0.9 - t / 100)
        for name, forget in kinds.items()
        for t in (1, 3)
    ]
    return frame(rows)


def test_the_live_lines_start_at_the_pretrained_models():
    left, right = panels.adds(live(), [0.1])
    lines = [list(line.get_ydata()) for line in left.axes[0].get_lines()]
    assert [9.0, 4.0, 4.0] in lines and [9.0, 8.8, 8.8] in lines
    lost = [list(line.get_ydata()) for line in right.axes[0].get_lines()]
    assert any(values == pytest.approx([0, 1, 3]) for values in lost if len(values) == 3)
    told = panels.adds_told(live(), 0.1)
    assert (told["gda"], told["gda_both"], told["gda_of"], told["epochs"]) == (4.0, 1, 2, 3)
    assert told["tuned_both"] == 0 and told["gda_q"] == pytest.approx((4 - 0.7) / (9 - 0.7))


def test_without_records_everything_says_so():
    nobody = none()
    assert "not run" in texts(panels.scores(nobody, "paper: not run")[0])[0]
    assert set(panels.distances(nobody).runs) == {"not run"}
    assert panels.gains(nobody).iloc[0, 0] == "not run"
    assert panels.told(nobody) == "no record at this scale"
    assert set(panels.apart(nobody)) == set(panels.apart(EVERY))
    assert panels.gained_told(nobody)["pairs"] == 0


def test_the_chapters_own_records_tell_the_same_story():
    """At any scale with records SCRUB as published and GDA at a tiny step size are one thing."""
    told = panels.apart(evidence.load("laptop"))
    assert told["twins"] == 4 and told["twin_gap"] < 0.05
