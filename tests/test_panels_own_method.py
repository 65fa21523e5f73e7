"""The chapter on a method of one's own: place, halves, rounding and what others tried, on records made by hand."""

import numpy as np
import pytest

from panels import own_method as panels
from test_hypotheses import NOTHING, cell
from unlearning.methods import Config
from unlearning.page import criteria, evidence, hypotheses

MINE = "mine@0123abcd"


def records(models: int = 40) -> list[dict]:
    """Gradient ascent, and a method of one's own that is further at its second stopping time and broken at its third."""
    ga, mine = Config("ga", 0.1, (1, 2)), Config(MINE, 0.1, (1, 2, 3))
    found = [cell(NOTHING, 0, 1.0, models=models)]
    found += [cell(ga, e, q, models=models) for e, q in ((1, 0.9), (2, 0.7))]
    found += [cell(mine, e, q, harm=h, models=models) for e, q, h in ((1, 0.8, 0), (2, 0.4, 0), (3, 0.1, 3))]  # fmt: skip
    for r in found:
        r["provenance"] |= {"recorded": "2026-12-24T18:00:00+00:00"}
    return found


def split(found: list[dict]) -> tuple:
    frame = criteria.judged(evidence.quintiles(found))
    return frame[frame.method != MINE], frame[frame.method == MINE]


def test_places_are_in_order_and_the_broken_ones_last():
    table = panels.places(*split(records()))
    assert list(table.run) == ["mine 0.1, epoch 2 (yours)", "GA 0.1, epoch 2", "pretrained"]
    assert table["left on F"][0].startswith("40% of the gap left [")
    told = panels.told(*reversed(split(records())))
    assert told["own"] == "mine 0.1, epoch 2" and told["own_outcome"] == "partial"
    assert told["best"] == "GA 0.1, epoch 2" and told["best_left"].startswith("70%")


def test_the_map_shows_the_path_of_ones_own():
    drawn = panels.on_map(*split(records()), "hand")
    assert len(drawn) == 3
    for panel in drawn[:2]:
        [line] = [x for x in panel.axes[0].get_lines() if x.get_marker() == "X"]
        assert list(line.get_xdata()) == pytest.approx([0.8, 0.4, 0.1])
        assert max(line.get_ydata()) == pytest.approx(3.0)


def test_each_half_chooses_and_the_other_answers():
    found = records()
    for r in found:  # on the second half the second stopping time is worth nothing
        if r["method"] == MINE and r["epoch"] == 2:
            r["blocks"][1]["forget"]["oq5_mean"] += 0.8 * 0.55
    table = panels.halves(hypotheses.halves(found), MINE).set_index("chosen on models")
    assert list(table.index) == ["0-19", "20-39"]
    assert list(table["stopping time"]) == ["epoch 2", "epoch 1"]
    assert table.there["0-19"].startswith("40%")
    assert table["on the others"]["0-19"].startswith("95%"), "what the choice was worth"
    assert panels.halves(hypotheses.halves(records(20)), MINE)["on the others"][0] == "no others"
    assert "nothing to divide" in panels.halves({}, MINE).iloc[0, 0]


def test_the_community_is_empty_or_listed():
    assert panels.community([]).iloc[0, 0] == "none yet"
    table = panels.community([r for r in records() if r["method"] in (MINE, "nothing")])
    assert len(table) == 1 and table.iloc[0].recorded == "2026-12-24"
    assert table.iloc[0].method == "mine 0.1, epoch 2"


def test_rounding_is_shown_where_both_are_there():
    found = records(20)
    assert panels.rounding(found, []).iloc[0, 0] == "not run"
    assert panels.rounding([], found).iloc[0, 0] == "not run"
    assert panels.rounding(records(40), found).iloc[0, 0] == "not run", "another number of models"
    table = panels.rounding(found, [r | {"preset": "desk-try"} for r in found])
    assert list(table.points) == list(evidence.GROUPS)
    assert (table["accuracy, recorded"] == table["shipped "]).all()


def test_rounded_margins_are_told_in_standard_deviations():
    kept = np.array([[1.0, -1.0], [3.0, 0.01]])  # standard deviations 1 and 0.505
    told = panels.rounded_told(kept, kept + np.array([[0.0, 0.0], [0.1, -0.02]]))
    assert told["round_most"] == pytest.approx(0.1) and told["round_flips"] == 1
    assert told["round_margins"] == 4
