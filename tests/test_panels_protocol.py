"""The chapter on the protocol: its tables and pictures without a record, with 20 models and with 40."""

import tomllib

import numpy as np
import pytest

from panels import protocol as panels
from rows_by_hand import texts
from test_hypotheses import NOTHING, cell
from unlearning.experiment import presets, results
from unlearning.files import content
from unlearning.methods import Config
from unlearning.page import hypotheses
from unlearning.page.hypotheses import Decision

P = hypotheses.protocol()


def dated(models: int, day: str = "2026-11-26T10:11:12+00:00") -> list[dict]:
    """A narrow window on set 1: only epoch 2 is partial, epoch 3 breaks the model."""
    ga = Config("ga", 0.01, (1, 2, 3))
    found = [cell(NOTHING, 0, 1.0, models=models)]
    for epoch, (q, harm) in enumerate(((0.9, 0.0), (0.3, 0.2), (0.2, 2.0)), 1):
        found.append(cell(ga, epoch, q, harm=harm, models=models))
    for r in found:
        r["provenance"] |= {"recorded": day}
    return found


def test_words_and_limits_are_the_files_own():
    assert dict(panels.words(P).values)["partial"] == P["words"]["partial"]
    table = panels.limits(content(hypotheses.FILE).decode())
    assert {r.limit: tomllib.loads(f"x = {r.value}")["x"] for r in table.itertuples()} == P["criteria"]  # fmt: skip
    assert "retain points" in table.set_index("limit").loc["retain_points", "what it limits"]


def test_every_question_has_a_statement_and_its_records():
    for name in hypotheses.DECIDE:
        statement, against = panels.asked(name, P)
        assert statement and (against or name[0] == "G")
    found = [*dated(40), cell(Config("gda", 0.005, (10,)), 10, 0.5, name="published-7")]
    assert len(panels.used("H3", found, P)) == 3 and panels.used("G2", found, P) == found[:1]
    assert panels.used("H6-set-7", found, P) == found[-1:] and not panels.used("H5", found[-1:], P)
    assert panels.used("H5", found, P) == found[1:4], "set 1 is one of a pair"


def test_answers_say_what_stands_behind_them():
    found = dated(20)
    decided = {"H3": Decision(False, "2 < 3 & more", 0.2), "G1": Decision(None, "not run")}
    table = panels.answers(found, P, decided)
    asked, answer = table.iloc[0]
    assert table.columns[0] == f"asked on {P['written']}" and "<strong>H3.</strong>" in asked
    assert answer.startswith("<strong>refuted</strong>") and "2 &lt; 3 &amp; more" in answer
    assert "p 0.2" in answer and "20 models (set 1); data of 2026-11-26 10:11" in answer
    assert "<em>from a run of its own</em>" in table.iloc[1].answer
    assert "no record" in panels.answers([], P, decided).iloc[0].answer


def test_models_are_told_set_by_set():
    found = [*dated(40), *(r | {"forget_set": "published-5", "models": 20} for r in dated(20))]
    assert panels.behind(found).startswith("40 models (set 1), 20 models (set 5)")
    later = dated(20, "2026-12-01T00:00:00+00:00")
    assert panels.latest([*found, *later]) == "2026-12-01 00:00"


@pytest.mark.parametrize("models, run", [(0, 0), (20, 1), (40, 2)])
def test_paths_of_the_halves_that_are_there(models: int, run: int):
    tables = hypotheses.halves(dated(models) if models else [])
    drawn = panels.paths(tables, "published-1", P)
    told = [" ".join(texts(panel)) for panel in drawn]
    assert len(drawn) == 2 and sum("not run" in text for text in told) == 2 - run
    for panel in drawn[:run]:
        rings = [line for line in panel.axes[0].get_lines() if line.get_markersize() == 15]
        assert [float(r.get_xdata()[0]) for r in rings] == pytest.approx([0.3]), "the chosen cell"
        crosses = [line for line in panel.axes[0].get_lines() if line.get_marker() == "X"]
        assert np.concatenate([c.get_xdata() for c in crosses]) == pytest.approx([0.2])


def test_numbers_count_answers():
    decided = {"G1": Decision(True, ""), "H1": Decision(False, ""), "H2a": Decision(None, "")}
    found = dated(20)
    told = panels.numbers(found, decided, hypotheses.halves(found))
    assert (told["gates_hold"], told["hold"], told["refuted"], told["open"]) == (1, 0, 1, 1)
    assert told["measured"] == f"{0.01 / 0.8:.3f}", "error of 0.01 nats over a gap of 0.8"
    assert panels.numbers([], decided, {})["measured"] == "not run"


def test_stages_expect_what_a_run_records():
    """Against records of the form that `cell` has, and a count by hand."""
    assert not panels.stages([]).records.str.match("[1-9]").any()
    table = panels.stages(dated(20)).set_index("stage")
    assert table.records["A-1-5"] == "1 of 2" and table.records["A40-1-5"] == "0 of 2"
    per_set = 1 + 10 * 8  # doing nothing; eight step sizes and modes, ten epochs each
    assert table.records["B-1-5"] == f"4 of {2 * per_set}"
    smoke = list(panels.expected(presets.preset("smoke")))
    assert len(set(smoke)) == len(smoke)


def test_stages_match_the_laptops_records():
    """A finished run holds exactly what is expected of it."""
    whole = presets.preset("laptop")
    kept = results.collect(hypotheses.FILE.parent, preset="laptop", models=whole.models)
    assert set(panels.expected(whole)) == {results.identity(r) for r in kept}


def test_holms_steps_and_the_best_of_a_grid():
    ps = {"a": 0.001, "b": 0.2, "c": 0.02}
    [ax] = panels.steps(ps, 0.05).axes
    points = {line.get_label(): list(line.get_ydata()) for line in ax.get_lines()[1:]}
    assert points == {"holds": [0.001, 0.02], "not shown": [0.2]}
    rng = np.random.default_rng(0)
    low, other = rng.normal(0.5, 0.05, 99), rng.normal(0.7, 0.1, 99)
    bars = panels.best_of(low, other, 0.7).axes[0].containers
    assert [sum(b.get_height() for b in group) for group in bars] == [99, 99], "nobody is cut off"
    assert "oracles\nmodels 20-39" in texts(panels.drawn())
