"""Runs of a chapter's own: they are those of the experiment, done by another way."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from unlearning import methods
from unlearning.experiment import layout, presets, runner
from unlearning.page import evidence, own_runs

GA = presets.ga((0.05,), (1, 2))[0]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory):
    out: Path = tmp_path_factory.mktemp("run")
    p = presets.preset("smoke", forget_sets=("random-5",), configs=(GA,), retrain_epochs=())
    records = runner.run(p, out, workers=1, report=None)
    return layout.open_context(p, out, None, "cpu"), records


def test_a_method_does_here_what_it_does_in_the_experiment(ran):
    context, _ = ran
    found = own_runs.unlearn(methods.run, own_runs.pretrained(context), context, "random-5", GA)
    kept = layout.load(f"random-5/{GA.label()}", context)
    np.testing.assert_allclose(found["margins"], kept["margins"], atol=1e-3)
    assert (
        found["hits"].shape == kept["hits"].shape and (found["hits"] == kept["hits"]).mean() > 0.99
    )


def test_the_table_has_the_scores_of_the_records(ran):
    context, records = ran
    found = own_runs.compare(context, "random-5", {"mine": (methods.gradient_ascent, GA)})
    kept = evidence.table(records)
    assert found.method.tolist() == ["nothing", "mine", "mine"] and found.epoch.tolist() == [
        0,
        1,
        2,
    ]
    for g in evidence.GROUPS:
        for end in (
            "",
            "_low",
            "_high",
            "_floor",
            "_reverse",
            "_robust",
            "_collapsed",
            "_accuracy",
            "_oracle_accuracy",
        ):
            np.testing.assert_allclose(found[f"{g}{end}"], kept[f"{g}{end}"], atol=0.02, err_msg=f"{g}{end}")  # fmt: skip
    np.testing.assert_allclose(found.average, kept.average, atol=0.02)


def test_f_and_r_are_all_training_points(ran):
    context, _ = ran
    forget, retain = own_runs.given(context, "random-5")
    assert (len(forget), len(retain)) == (5, len(context.data.labels) - 5)
    every = torch.cat([forget.images, retain.images]).flatten(1).sum(1).sort().values
    all_of_them = context.data.normalised(context.data.images).flatten(1).sum(1).sort().values
    torch.testing.assert_close(every, all_of_them)


def plain() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 12, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(4, 10, bias=False))  # fmt: skip


def test_another_network_is_trained_by_the_recipe_without_the_forget_set(ran):
    context, _ = ran
    every = own_runs.train(plain, context, peak_lr=0.1)
    again = own_runs.train(plain, context, peak_lr=0.1)
    without = own_runs.train(plain, context, without="random-5", peak_lr=0.1)
    scored = [own_runs.nothing(x, context, "random-5")["margins"] for x in (every, again, without)]
    points = sum(map(len, context.scored("random-5").values()))
    assert all(s.shape == (1, context.preset.models, points) for s in scored)
    np.testing.assert_array_equal(scored[0], scored[1])
    assert not np.allclose(scored[0], scored[2])
    table = own_runs.compare(context, "random-5", {"GA": (methods.run, GA)}, every, without)
    assert (
        table.forget[0]
        != own_runs.compare(context, "random-5", {"GA": (methods.run, GA)}).forget[0]
    )


def test_a_broken_model_counts_as_the_lowest_margin_and_warns_of_nothing(ran, recwarn):
    context, _ = ran
    start = own_runs.nothing(own_runs.pretrained(context), context, "random-5")
    broken = {k: v.copy() for k, v in start.items()}
    broken["margins"][:, 0] = np.nan
    lowest = {k: v.copy() for k, v in broken.items()}
    lowest["margins"][:, 0] = -100.0
    oracle = own_runs.oracles(context, "random-5")
    one, other = (own_runs.table(context, "random-5", start, oracle, {"x": x}, (1,)) for x in (broken, lowest))  # fmt: skip
    assert one.forget_reverse.tolist() == other.forget_reverse.tolist()
    assert one.forget.tolist() == other.forget.tolist() and not recwarn.list


def test_a_models_state_is_its_parameters_and_its_running_statistics():
    model = nn.Sequential(nn.Conv2d(1, 2, 2, bias=False), nn.BatchNorm2d(2))
    weights, running = own_runs.state(model)
    assert len(weights) == 2 * 4 + 4 and running.tolist() == [0, 0, 1, 1]
    model[1].running_mean += 1  # a copy: what was seen before does not change
    assert running.tolist() == [0, 0, 1, 1] and own_runs.state(model)[1].tolist() == [1, 1, 1, 1]
    assert len(own_runs.state(nn.Linear(1, 1))[1]) == 0
