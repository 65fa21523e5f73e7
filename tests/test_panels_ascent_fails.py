"""Stays or breaks: the chapter's pictures and tables on rows made by hand, and without any."""

import pandas as pd
import pytest

from panels import ascent_fails as panels
from rows_by_hand import frame, none, texts
from unlearning.page import criteria, evidence

FRAME, PUBLISHED = frame(), evidence.published()
GRID = evidence.distinct(FRAME)
RUNS = GRID[GRID.method != "nothing"]
NONE = none()


def test_the_reading_map_names_its_areas():
    assert set(texts(panels.reading(PUBLISHED))) >= {"breaks", "forgets", "partly", "stays"}


def test_every_set_has_both_maps():
    found = panels.figure_1(FRAME, "hand", PUBLISHED)
    assert len(found) == 2 + 1
    slides, names = panels.figure_3(FRAME, "hand", PUBLISHED, "pc2")
    assert names == ["pc2-top-50", "random-10"] and all(len(slide) == 2 for slide in slides)
    assert "hand" in texts(slides[0][0])[-1] and "set 8" in texts(slides[0][0])[-1]


def test_counts_count_each_trajectory_once():
    table = panels.counts(RUNS).set_index(["forget set", "method"])
    assert table.loc[("random-10", "GA")].to_dict() == {
        "configurations": 5, "stays": 2, "partial": 1, "forgets": 0, "breaks": 2, "open": 0}  # fmt: skip
    assert table.loc[("all", "")].configurations == len(RUNS) == 9


def test_the_best_is_not_broken():
    table = panels.best(RUNS).set_index("forget set")
    assert table.loc["random-10", "gets furthest, not broken"] == "GA 1e-2, epoch 3"
    assert table.loc["random-10", "gap left"] == "37% [36%, 37%]"
    assert "pc1-top-50" not in table.index, "every run there is broken"


def test_what_passes_on_the_map_only():
    read = evidence.scores_alone(GRID)
    table = panels.passed(GRID, read).set_index("configuration")
    assert table["by all criteria"].to_dict() == {
        "GA 1e-2, epoch 3": "partial",
        "GA 5e-2, epoch 1": "breaks",
    }
    told = panels.passed_told(GRID, read)
    assert (told["by_map"], told["kept"]) == (2, 1)
    assert told["lost_most"] == pytest.approx(10) and told["harmed"] == "none"


def test_the_limits_are_counted_again_for_each_shift():
    panel = panels.limits(FRAME, [4.0], "hand")
    lines = {line.get_label(): line.get_ydata() for line in panel.axes[0].get_lines()}
    tried = RUNS[RUNS.method.isin(panels.ASCENT)]
    assert sum(lines[o][0] for o in panels.OUTCOMES) == len(tried)
    assert lines["breaks"][0] == (tried.outcome == "breaks").sum()
    assert lines["breaks"][1] < lines["breaks"][0], "a wider limit lets more through"


def test_hard_sets_and_the_authors_marks():
    panel = panels.hard(RUNS, criteria.authors(PUBLISHED), "hand")
    circles = [line for line in panel.axes[0].get_lines() if line.get_marker() == "o"]
    assert [line.get_xdata()[0] for line in circles] == pytest.approx(
        [3.3 / 9, 7.3 / 9][: len(circles)]
    )
    assert any(line.get_marker() == "D" for line in panel.axes[0].get_lines())


def test_evidence_in_words():
    pc1 = RUNS[(RUNS.kind == "pc1") & RUNS.method.isin(panels.ASCENT)]
    assert panels.told(pc1).endswith("every one breaks the model")
    assert "GA 1e-2, epoch 3 on random-10 gets furthest, with 37%" in panels.told(RUNS)
    assert panels.by_kind(RUNS).count("none is unbroken") == 1
    assert panels.gda_told(RUNS)["gda"] == 1


def test_without_records_everything_says_so():
    assert "not run" in texts(panels.figure_1(NONE, "preset paper: not run", PUBLISHED)[0])[0]
    assert panels.figure_3(NONE, "paper", PUBLISHED, "random")[1] == ["not run"]
    for picture in (
        panels.limits(NONE, [1.0], "p: not run"),
        panels.hard(NONE, criteria.authors(PUBLISHED), "p: not run"),
    ):
        assert "not run" in texts(picture)[0]
    assert panels.counts(NONE).configurations.tolist() == [0]
    assert panels.best(NONE).iloc[0, 0] == "not run"
    assert panels.passed(NONE, evidence.scores_alone(NONE)).iloc[0, 0] == "none"
    assert panels.told(NONE) == "no record at this scale"
    assert panels.passed_told(NONE, NONE)["by_map"] == panels.gda_told(NONE)["gda"] == 0
    assert isinstance(panels.by_kind(NONE), str) and isinstance(panels.limits_told(), dict)
    assert pd.isna(panels.gda_told(NONE)["gda_q"])
