"""Tables of records against the records themselves; the criteria against plain definitions; the published numbers."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from unlearning import klom
from unlearning.experiment import presets, results
from unlearning.methods import Config
from unlearning.page import criteria, evidence, figures, maps


def summary(p95: float) -> dict:
    """A uncertainty.Summary as a record holds it; every field differs, so a mix-up shows."""
    return {
        "p95": p95,
        "low": p95 - 0.25,
        "high": p95 + 0.5,
        "points_low": 0.01,
        "points_high": 9.99,
        "mean": p95 / 2,
        "robust_p95": p95 + 0.125,
        "floor": 0.5,
        "gaussian_floor": 0.67,
        "ceiling": 9.5,
        "collapsed": 0.0,
        "nan": 0,
        "models": 100,
        "oracles": 100,
        "points": 7,
    }


def record(
    config: Config,
    epoch: int,
    forget: float,
    retain: float,
    val: float,
    forget_set: str = "random-10",
    **changes: float,
) -> dict:
    """One record by hand, with the scores of the paper's direction; the reverse ones are larger by 1.

    changes: fields of the validation group's summary.
    """
    told = config.parameters()
    scores = {}
    for k, (name, p95) in enumerate({"forget": forget, "retain": retain, "val": val}.items()):
        paper = summary(p95) | (changes if name == "val" else {})
        scores[name] = {
            "oracle_to_unlearned": paper,
            "unlearned_to_oracle": summary(p95 + 1),
            "accuracy": 0.5 + 0.1 * k,
            "oracle_accuracy": 0.25 + 0.1 * k,
        }
    return {
        "dataset": "cifar10",
        "preset": "laptop",
        "forget_set": forget_set,
        "method": told.pop("method"),
        "configuration": told,
        "epoch": epoch,
        "models": 100,
        "groups": scores,
        "cost": {"paper": 0.01, "true": 0.02},
        "seconds": 0.5,
        "seconds_retrain": 4.0,
        "forget_size": 10,
        "train_size": 690,
        "seed": 0,
        "network": {"name": "resnet9", "width": 8},
        "provenance": {
            "commit": "0123456789abcdef",
            "modified": True,
            "device": "cpu",
            "torch": "2",
        },
    }


NOTHING = record(Config("nothing"), 0, 8.0, 0.7, 0.6)
GA = Config("ga", 0.05, (1, 3))
RUNS = [
    NOTHING,
    record(GA, 1, 5.0, 0.8, 0.9),
    record(GA, 3, 1.0, 0.9, 1.0),
    record(GA, 5, 3.0, 2.5, 0.9),
    record(Config("ga", 1e-5, (1,)), 1, 7.5, 0.7, 0.6),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A repository root whose results/ holds RUNS in one file and an older version of the last one in another."""
    monkeypatch.setattr(evidence, "ROOT", tmp_path)
    stale = RUNS[-1] | {"seconds": 99.0}
    for name, lines in {"a.jsonl": [stale], "b.jsonl": RUNS}.items():
        for line in lines:
            results.append(tmp_path / "results" / name, line)
    return tmp_path


def test_recorded_reads_the_files_and_the_later_record_wins(folder):
    found = evidence.recorded(preset="laptop")
    assert sorted(map(json.dumps, found)) == sorted(map(json.dumps, RUNS))
    assert evidence.recorded(preset="paper") == []
    assert [r["epoch"] for r in evidence.recorded(forget_set="random-10", epoch=3)] == [3]


def test_table_holds_what_the_records_hold(folder):
    frame = evidence.table(evidence.recorded(preset="laptop")).sort_values(
        ["lr", "epoch"], ignore_index=True
    )
    by_hand = sorted(RUNS, key=lambda r: (r["configuration"]["lr"], r["epoch"]))
    assert len(frame) == len(by_hand)
    for (_, row), r in zip(frame.iterrows(), by_hand, strict=True):
        assert (row.forget_set, row.method, row.lr, row.epoch) == (
            "random-10",
            r["method"],
            r["configuration"]["lr"],
            r["epoch"],
        )
        for g in ("forget", "retain", "val"):
            s = r["groups"][g]["oracle_to_unlearned"]
            assert (row[g], row[f"{g}_robust"]) == (s["p95"], s["robust_p95"])
            for k in ("low", "high", "floor", "ceiling", "mean", "collapsed", "points"):
                assert row[f"{g}_{k}"] == s[k]
            assert row[f"{g}_accuracy"] == r["groups"][g]["accuracy"]
            assert row[f"{g}_oracle_accuracy"] == r["groups"][g]["oracle_accuracy"]
        assert row.average == pytest.approx(np.mean([row.forget, row.retain, row.val]))
        assert (row.cost_paper, row.cost_true, row.seconds, row.seconds_retrain) == (
            0.01,
            0.02,
            0.5,
            4.0,
        )


def test_the_other_direction_is_the_other_summary():
    a, b = (evidence.table(RUNS, direction=d) for d in klom.DIRECTIONS)
    for g in evidence.GROUPS:
        assert np.allclose(b[g] - a[g], 1)
        assert (a[f"{g}_accuracy"] == b[f"{g}_accuracy"]).all()
    with pytest.raises(KeyError):
        evidence.table(RUNS, direction="sideways")


def test_no_records_make_an_empty_table_with_the_same_columns():
    empty, full = evidence.table([]), evidence.table(RUNS)
    assert len(empty) == 0
    assert list(empty.columns) == list(full.columns)
    assert len(criteria.judged(evidence.paper_grid(empty))) == 0


def test_a_record_without_settings_has_empty_cells():
    """Short retraining is no method: its record has no configuration."""
    retrain = NOTHING | {"method": "retrain", "configuration": {}, "epoch": 3}
    frame = evidence.table([NOTHING, retrain])
    assert frame.lr.isna().tolist() == [False, True]
    assert evidence.paper_grid(frame).method.tolist() == ["nothing"]


def test_the_papers_grid_leaves_out_every_control():
    switches = [{"batchnorm": "frozen"}, {"momentum": 0.9}, {"weight_decay": 5e-4}, {"shuffle": 0}]
    controls = [
        Config("ga", 0.0, (1,)),
        Config("scrub", 0.005, (5,)),
        Config("finetune", 0.005, (5,)),
        *(Config("ga", 0.01, (1,), **switch) for switch in switches),
    ]
    kept = [
        Config("nothing"),
        Config("ga", 0.01, (1,)),
        Config("gda", 5e-3, (5,), ascent_epochs=3, forget_batch=32),
        Config("scrub_published", 5e-3, (5,), ascent_epochs=3),
    ]
    frame = evidence.paper_grid(
        evidence.table([record(c, c.epochs[0], 5, 1, 1) for c in controls + kept])
    )
    assert frame.method.tolist() == [c.method for c in kept]


def test_the_papers_grid_of_the_paper_preset_has_the_papers_size():
    paper = presets.PRESETS["paper"]
    rows = [record(c, e, 5, 1, 1) for c in paper.configs for e in c.epochs]
    counts = evidence.paper_grid(evidence.table(rows)).method.value_counts()
    assert counts["ga"] == 7 * 5
    assert counts["gda"] == 4 * 3 * 2 * 2


def test_a_collapsed_range_is_judged_by_the_robust_score():
    """One broken model pulls the plain score below its floor: that must not pass for intact, nor for forgotten."""
    for collapsed, intact in ((0.4, False), (0.0, True)):
        row = record(GA, 9, 0.6, 0.2, 0.2, collapsed=collapsed, robust_p95=6.0)
        for g in ("forget", "retain", "val"):
            row["groups"][g]["oracle_accuracy"] = row["groups"][g]["accuracy"]
            row["groups"][g]["unlearned_to_oracle"] = summary(0.3)
        judged = criteria.judged(evidence.table([NOTHING, row]))
        assert bool(judged.intact[1]) is intact
    row["groups"]["forget"]["oracle_to_unlearned"] |= {"collapsed": 0.4, "robust_p95": 6.0}
    judged = criteria.judged(evidence.table([NOTHING, row]))
    gap = NOTHING["groups"]["forget"]["oracle_to_unlearned"]["p95"] - 0.5
    assert judged.q[1] == pytest.approx((6.0 - 0.5) / gap)
    assert judged.q_high[1] - judged.q[1] == pytest.approx(0.5 / gap)  # the interval moves along


def test_judging_changes_nothing_in_the_table_it_gets():
    frame = evidence.table(RUNS)
    before = frame.copy()
    criteria.judged(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_provenance_names_what_differs_and_nothing_twice():
    text = evidence.provenance(RUNS)
    start = f"{len(RUNS)} records of preset laptop: cifar10, 690 training images, ResNet-9 of width 8, N = 100"
    assert text.startswith(start)
    assert text.count("cifar10") == 1 and text.endswith("commit 0123456 (modified).")
    clean = RUNS[0] | {
        "models": 24,
        "provenance": RUNS[0]["provenance"] | {"commit": "fedcba9876", "modified": False},
    }
    mixed = evidence.provenance([*RUNS, clean])
    assert "N = 100 and 24" in mixed and mixed.endswith("commit 0123456 (modified) and fedcba9.")
    assert evidence.provenance([]) == ""


def test_each_trajectory_counts_once():
    """Step sizes whose ascent does nothing are one trajectory, and step size 0 stands for them."""
    small = [Config("ga", lr, (1,)) for lr in (0.0, 1e-5, 5e-5, 1e-4, 5e-4)]
    frozen = Config("ga", 0.0, (1,), batchnorm="frozen")
    runs = [NOTHING, *(record(c, 1, 5, 1, 1) for c in (*small, frozen, Config("gda", 5e-5, (1,))))]
    frame = evidence.table(runs)
    frame["repeat"] = (frame.method == "ga") & frame.lr.between(1e-6, evidence.NO_STEP)
    kept = evidence.distinct(frame)
    assert list(zip(kept.method, kept.lr, strict=True)) == [
        ("nothing", 0.0), ("ga", 0.0), ("ga", 5e-4), ("gda", 5e-5)]  # fmt: skip


def test_of_several_numbers_of_models_the_most_count(folder):
    for r in (NOTHING, RUNS[1]):
        results.append(folder / "results" / "c.jsonl", r | {"models": 20})
    results.append(folder / "results" / "c.jsonl", record(GA, 7, 4.0, 1, 1) | {"models": 20})
    frame = evidence.load("laptop")
    assert len(frame) == len(RUNS) + 1
    assert frame[frame.epoch == 7].models.tolist() == [20]
    assert set(frame[frame.epoch != 7].models) == {100}


def test_a_map_shows_no_accuracy():
    """A run that lost half of its retain accuracy is broken, and looks fine to who reads scores alone."""
    lost = record(GA, 3, 1.0, 0.6, 0.6)
    lost["groups"]["retain"]["accuracy"] = 0.1
    for g in evidence.GROUPS:
        lost["groups"][g]["unlearned_to_oracle"]["p95"] = 0.6
    judged = criteria.judged(evidence.table([NOTHING, lost]))
    assert judged.outcome.tolist()[1] == "breaks"
    assert evidence.scores_alone(judged).outcome.tolist()[1] == "forgets"


def test_a_scale_without_records_breaks_nothing(folder):
    frame = evidence.load("paper")
    assert frame.empty and evidence.distinct(frame).empty
    assert {"kind", "repeat", "q", "q_low", "intact", "partial", "both", "outcome"} <= set(frame)
    for check in (criteria.c1, criteria.c2, criteria.c3, criteria.c4):
        assert set(check(frame).values()) == {None}
    assert evidence.scale_title("paper") == "preset paper: not run"


def test_a_scales_title_comes_from_its_records(folder):
    results.append(folder / "results" / "b.jsonl", NOTHING | {"pool": 2})
    assert evidence.scale_title("laptop") == "690 images at 16×16, 70% validation accuracy"


# --- the authors' numbers -----------------------------------------------------------------------------------------


def test_published_averages_are_means_of_the_three_groups():
    frame = evidence.published()
    whole = frame.dropna(subset=["forget", "retain", "val", "average"])
    assert len(whole) >= 9
    gap = (whole[["forget", "retain", "val"]].mean(axis=1) - whole.average).abs()
    assert (
        gap <= np.where(whole.source == "notebook", 0.001, 0.1)
    ).all()  # three decimals; plots are read to a tenth


def test_published_rows_are_whole_and_plausible():
    frame = evidence.published()
    assert set(frame.source) == {"notebook", "plot"}
    assert set(frame.method) <= {"nothing", "ga", "gda", "scrub_published"}
    assert frame[frame.method == "nothing"].set.tolist() == list(range(1, 10))
    sizes = {number: n for sets in evidence.PUBLISHED_SETS.values() for number, n in sets.items()}
    assert all(
        sizes[r.set] == r.size_ for r in frame.rename(columns={"size": "size_"}).itertuples()
    )
    scores = frame[["forget", "retain", "val", "average"]]
    assert scores.notna().any(axis=1).all()
    # an average of three scores, each at most ln(1e5 + 20)
    given = scores.to_numpy()[scores.notna().to_numpy()]
    assert given.min() > 0 and given.max() < np.log(1e5 + 20)
    settings = frame[frame.method == "ga"]
    assert not settings.duplicated(["set", "lr", "epoch"]).any()
    assert settings.lr.isin(presets.GA_RATES).all() and settings.epoch.isin(presets.GA_EPOCHS).all()


@pytest.mark.parametrize(
    ("name", "size", "method", "number"),
    [
        ("random-10", 10, "ga", 1),
        ("random-50", 50, "ga", 2),
        ("pc1-top-50", 50, "nothing", 5),
        ("pc1-top-10", 10, "nothing", 4),
        ("pc2-top-50", 50, "nothing", 8),
        ("pc2-top-50", 50, "ga", 7),
        ("published-6", 500, "ga", 6),
    ],
)
def test_the_nearest_published_set(name, size, method, number):
    assert evidence.relative(name, size, method) == number


def test_kinds_of_forget_sets():
    names = ["random-10", "pc1-top-50", "pc2-top-5", "published-3", "published-4", "published-9"]
    assert [evidence.kind(n) for n in names] == ["random", "pc1", "pc2", "random", "pc1", "pc2"]
    with pytest.raises(ValueError, match="unknown forget set 'easiest-5'"):
        evidence.kind("easiest-5")


# --- maps ----------------------------------------------------------------------------------------------------------


def drawn(frame: pd.DataFrame, **options) -> plt.Axes:
    with figures.style():
        _, ax = figures.panel()
        maps.draw(ax, frame, **options)
    return ax


def offsets(ax: plt.Axes) -> list[list[float]]:
    return [
        point
        for collection in ax.collections
        for point in np.asarray(collection.get_offsets()).tolist()
    ]


@pytest.mark.parametrize("y", ["val", "retain"])
def test_a_map_has_a_marker_per_row_at_its_scores(y):
    frame = evidence.table(RUNS)
    found = offsets(drawn(frame, y=y))
    for _, row in frame.iterrows():
        assert [row.forget, row[y]] in found
    assert [0.5, 0.5] in found, "the star lies at the floors"
    assert len(found) == len(frame) + 1


def test_a_map_refuses_what_it_cannot_show():
    frame = evidence.table(RUNS)
    two = evidence.table([*RUNS, record(GA, 1, 5.0, 0.6, 0.6, "pc1-top-50")])
    with pytest.raises(ValueError, match="one forget set, got .*pc1-top-50.*random-10"):
        drawn(two)
    with pytest.raises(ValueError, match="no row of method 'nothing'"):
        drawn(frame[frame.method != "nothing"])
    with pytest.raises(ValueError, match="choose retain or val"):
        drawn(frame, y="forget")


def test_the_limits_on_a_map_are_the_criteria():
    """Marks just inside and just outside of the lines are judged as the lines say."""
    frame = evidence.table(RUNS)
    start = frame.iloc[0]
    with figures.style():
        _, ax = figures.panel()
        forgotten, partial, intact = maps.limits(ax, start)
    assert forgotten == pytest.approx(0.5 + 0.1 * 7.5) and partial == pytest.approx(0.5 + 0.5 * 7.5)
    ends = [f"{g}_{end}" for g in evidence.GROUPS for end in ("low", "high", "reverse")]
    scores = [(forgotten, 0.6), (partial, 0.6), (7.0, 0.6), (forgotten, intact)]
    for inside, words in (
        (-0.01, "forgets partial stays forgets"),
        (0.01, "partial stays stays breaks"),
    ):
        rows = [start.copy().replace("nothing", "ga") for _ in scores]
        for row, (forget, val) in zip(rows, scores, strict=True):
            row["forget"], row["val"] = forget + inside, val + inside * (val == intact)
        table = pd.DataFrame([start, *rows]).drop(columns=ends)
        assert criteria.judged(table).outcome.tolist()[1:] == words.split()


def test_lines_begin_at_the_start_and_follow_time():
    frame = evidence.table(RUNS)
    with figures.style():
        _, ax = figures.panel()
        maps.lines(ax, frame[frame.method == "ga"], "forget", start=frame.iloc[0])
    drawn_lines = [list(zip(*line.get_data(), strict=True)) for line in ax.get_lines()]
    assert drawn_lines == [[(0, 8.0), (1, 7.5)], [(0, 8.0), (1, 5.0), (3, 1.0), (5, 3.0)]]


def test_what_was_not_run_says_so():
    with figures.style():
        figure = maps.absent("GDA: not run")
    assert figure.axes[0].texts[0].get_text() == "GDA: not run"


def test_reference_marks_need_both_coordinates():
    frame = evidence.published()
    with figures.style():
        _, ax = figures.panel()
        maps.reference(ax, frame[frame.set == 7])
    assert sorted(offsets(ax)) == [[2.72, 1.80], [9.748, 0.674]]


def test_the_key_names_every_method_once():
    with figures.style():
        figure = maps.key(["ga", "gda"], published=True)
    texts = [t.get_text() for t in figure.axes[0].get_legend().get_texts()]
    assert texts[:2] == ["GA", "GDA"] and len(set(texts)) == len(texts) == 5
    assert set(evidence.NAMES) - {"nothing"} == set(maps.MARKERS)
