"""Models that stop by themselves: against the rule of the page, model by model, and a record against the files it is of."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unlearning.estimators import oq5
from unlearning.experiment import presets, results, runner, stopped
from unlearning.methods import Config
from unlearning.page import evidence, rules

GRID = (Config("ga", 0.01, (1, 2)), Config("ga", 0.2, (1, 2)))
PRESET = replace(
    presets.SMOKE, estimates=True, forget_sets=("random-5",), retrain_epochs=(),
    configs=(*GRID, Config("ga", 0.0, (1, 2)), Config("ga", 0.2, (1, 2), batchnorm="frozen")),
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=6))
def test_first_reached_against_a_plain_loop(values: list[list[float]]):
    found = stopped.first_reached(np.array(values), 0.4)
    for model in range(3):
        expected = len(values)
        for time, row in enumerate(values):
            if row[model] <= 0.4:
                expected = time
                break
        assert found[model] == expected


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000))
def test_each_model_chooses_as_the_rule_of_the_page_does(seed: int):
    rng, rates = np.random.default_rng(seed), (0.001, 0.01, 0.1)
    forget, val = (rng.integers(0, 11, (3, 4, 5)) / 10 for _ in range(2))
    start = rng.integers(0, 6, 5) / 10
    rate, time = stopped.choose(forget, val, start)
    for m in range(5):
        path = pd.DataFrame([
            {"lr": lr, "epoch": t, "forget_accuracy": forget[k, t, m], "val_accuracy": val[k, t, m]}
            for k, lr in enumerate(rates) for t in range(4)
        ])  # fmt: skip
        _, row = rules.choose(path, pd.Series({"val_accuracy": start[m]}), "Lemma 1", 0.01)
        assert (time[m] == -1) if row is None else (rates[rate[m]], time[m]) == (row.lr, row.epoch)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("stopped") / "run"
    runner.run(PRESET, out, workers=1, report=None)
    return out


def arrays(out: Path, role: str, kind: str) -> np.ndarray:
    files = sorted((out / "margins" / role).glob("*.npz"))
    return np.concatenate([np.load(file)[kind] for file in files], 1)


def test_a_record_is_of_the_models_that_stopped(run: Path):
    """Model by model from the files: 5 points of F, 30 of R, 30 of validation; only GA as published is chosen from."""
    [record] = [r for r in results.read(run / "results.jsonl") if r["method"] == stopped.NAME]
    assert record["configuration"]["rates"] == [0.01, 0.2] and record["epoch"] == 2
    forget = np.sort(np.random.RandomState(5).choice(96, 5, replace=False))
    hits = [arrays(run, f"random-5/{c.label()}", "hits") for c in GRID]
    margins = [arrays(run, f"random-5/{c.label()}", "margins") for c in GRID]
    columns = columns_of(run)
    ensemble, counts = [], {"0.01": 0, "0.2": 0, "never": 0}
    for m in range(PRESET.models):
        level = arrays(run, "pretrained", "hits")[0][m, columns[-30:]].mean()
        best, taken = -1.0, None
        for k in range(2):
            for t in range(2):
                if hits[k][t, m, :5].mean() <= level:
                    if (here := hits[k][t, m, -30:].mean()) > best:
                        best, taken = here, (k, t)
                    break
        counts["never" if taken is None else f"{GRID[taken[0]].lr:g}"] += 1
        ensemble.append(
            arrays(run, "pretrained", "margins")[0][m, columns] if taken is None
            else margins[taken[0]][taken[1], m]
        )  # fmt: skip
    assert {k: record["stops"][k] for k in counts} == counts
    u = torch.from_numpy(np.stack(ensemble)[:, :5].copy())
    o = torch.from_numpy(arrays(run, "random-5/oracle", "margins")[0][:, forget].copy())
    assert record["groups"]["forget"]["oq5_mean"] == pytest.approx(float(oq5(u, o).mean()))
    # every path is read to its end: two step sizes, two epochs, 5 of 96 points, over 96 points and the whole training
    true = 2 * 2 * 5 / (96 * PRESET.recipe.epochs)
    assert record["cost"]["true"] == pytest.approx(true)


def columns_of(run: Path) -> np.ndarray:
    """Positions of the scored points, found by their margins: doing nothing scores the same points of every model."""
    nothing = arrays(run, "random-5/ga,lr=0.01", "margins")  # only its width is used
    order = np.random.default_rng([PRESET.seed, 96, 60])
    train, val = order.permutation(96), order.permutation(60)
    forget = np.sort(np.random.RandomState(5).choice(96, 5, replace=False))
    kept = train[~np.isin(train, forget)][:30]
    found = np.concatenate([forget, np.sort(kept), 96 + np.sort(val[:30])])
    assert nothing.shape[2] == len(found)
    return found


def test_it_is_recorded_once_and_no_cell_of_a_grid(run: Path, monkeypatch: pytest.MonkeyPatch):
    before = results.read(run / "results.jsonl")
    again = runner.run(PRESET, run, workers=1, report=None)
    assert results.read(run / "results.jsonl") == before
    assert stopped.NAME not in {r["method"] for r in again}
    monkeypatch.setattr(evidence, "ROOT", run.parent)
    (run.parent / "results").mkdir(exist_ok=True)
    (run.parent / "results/smoke.jsonl").write_bytes((run / "results.jsonl").read_bytes())
    assert stopped.NAME not in {r["method"] for r in evidence.recorded(preset="smoke")}
    assert len(evidence.recorded(preset="smoke", method=stopped.NAME)) == 1
