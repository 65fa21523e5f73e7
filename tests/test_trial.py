"""`unlearning try` on a small preset: its records are those of the experiment itself, apart from the rounded start."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from unlearning import datasets
from unlearning.__main__ import main
from unlearning.errors import Failed, Refused
from unlearning.estimators import oq5
from unlearning.experiment import layout, packing, presets, runner, starts
from unlearning.files import ROOT
from unlearning.methods import Config
from unlearning.page import criteria, evidence, trial

BASE = replace(presets.SMOKE, models=4, forget_sets=("random-5",), retrain_epochs=(), estimates=True, scored_near=7,
               configs=(Config("ga", 0.05, (1, 2)),))  # fmt: skip
MINE = '''
"""Gradient ascent, written by somebody else."""
import copy, torch

def climb(model, forget, retain, config):
    model = copy.deepcopy(model).train()
    for epoch in range(1, config.epochs[-1] + 1):
        for images, labels in zip(forget.images.split(64), forget.labels.split(64)):
            loss = torch.nn.functional.cross_entropy(model(images).flatten(0, -2), labels.repeat(model(images).numel() // len(labels) // 10))
            for p, g in zip(model.parameters(), torch.autograd.grad(-loss, list(model.parameters()))):
                p.data.sub_(config.lr * g)
        if epoch in config.epochs:
            yield epoch, model
'''


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict]]:
    """A finished experiment that starts from the models of a file, and its pack."""
    first, out = (tmp_path_factory.mktemp("trial") / name for name in ("first", "run"))
    runner.run(replace(BASE, configs=()), first, workers=1, report=None)
    starts.write(layout.open_context(BASE, first, None, "cpu"), first / "models.npz", 4)
    out.mkdir()
    shutil.copy(first / "models.npz", out)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(presets.PRESETS, "smoke", BASE)
        starts.restore(out / "models.npz", out)
        records = runner.run(BASE, out, workers=1, report=None)
        packing.pack(out, out / "packs")
    return out, records


def tried(run: tuple[Path, list[dict]], method: str, out: Path, **more) -> list[dict]:
    settings = {"lr": (0.05,), "epochs": (1, 2), "models": 4, "report": lambda line: None} | more
    return trial.trial(BASE, method, "random-5", out, start=run[0] / "models.npz",
                       pack=str(run[0] / "packs" / "smoke" / "random-5.npz"), **settings)  # fmt: skip


def test_a_trial_scores_as_the_experiment_does(run, tmp_path: Path):
    """The same models from the same start; only the packed oracles are rounded, so the scores are computed here anew."""
    found = tried(run, "ga", tmp_path / "try")
    assert [(r["method"], r["epoch"]) for r in found] == [("nothing", 0), ("ga", 1), ("ga", 2)]
    files = sorted((run[0] / "margins" / "random-5" / "ga,lr=0.05").glob("*.npz"))
    margins = np.concatenate([np.load(f)["margins"] for f in files], 1)
    pack = np.load(run[0] / "packs" / "smoke" / "random-5.npz")
    u, o = (
        torch.from_numpy(np.ascontiguousarray(x[:, :5], np.float32))
        for x in (margins[1], pack["oracle"])
    )
    assert found[2]["groups"]["forget"]["oq5_mean"] == pytest.approx(float(oq5(u, o).mean()))
    own = {(r["method"], r["epoch"]): r for r in run[1]}
    for r in found:
        want = own[r["method"], r["epoch"]]
        assert (
            r["preset"] == "smoke-try"
            and r["seed"] == 0
            and r["cost"] == pytest.approx(want["cost"])
        )
        for g in ("forget", "retain", "near", "val"):
            for key in ("accuracy", "oracle_accuracy", "accuracy_error"):
                assert r["groups"][g][key] == want["groups"][g][key], (g, key)
    again = tried(run, "ga", tmp_path / "try", report=pytest.fail)  # nothing is done twice
    assert [r["groups"] for r in again] == [r["groups"] for r in found]


def test_the_start_is_the_file_and_nothing_else(run, tmp_path: Path):
    tried(run, "ga", tmp_path / "try")
    context = layout.open_context(replace(BASE, name="smoke-try"), tmp_path / "try", None, "cpu")
    _, states = starts.read(run[0] / "models.npz")
    model = layout.load_weights(context, 2, context.build())
    for key, value in model.state_dict().items():
        assert np.array_equal(value.numpy(), states[2][key].numpy()), key


def test_a_method_of_ones_own_stands_among_the_recorded_ones(run, tmp_path: Path):
    (tmp_path / "mine.py").write_text(MINE)
    found = tried(run, f"{tmp_path}/mine.py:climb", tmp_path / "try", epochs=(2,))
    frame = criteria.judged(evidence.quintiles(found))
    recorded = criteria.judged(evidence.quintiles(run[1]))
    lines = trial.told(frame, recorded)
    assert lines[0].startswith("climb 5e-2, epoch 2: ") and "gap" in lines[0]
    assert sum("<- yours" in line for line in lines) == 1 and any(" GA " in line for line in lines)
    unbroken = recorded.assign(q=[1.0, 0.4, 0.7], intact=[True, True, False], q_low=0.0, q_high=1.0)
    rows = trial.told(frame, unbroken)[-3:]  # doing nothing, GA's unbroken run, ours
    assert sum("GA" in row and "40% of the gap" in row for row in rows) == 1


@pytest.mark.parametrize(
    "method, more, told",
    [
        ("gradient", {}, "unknown method 'gradient'"),
        ("ga", {"models": 9}, "give 4 to 4"),
        ("ga", {"epochs": (0, 1)}, "ascending whole numbers"),
        ("ga", {"lr": (-1.0,)}, "must be >= 0"),
        ("ga", {"lr": (float("nan"),)}, "lr nan; give a finite number"),
        ("ga", {"lr": (float("inf"),)}, "lr inf; give a finite number"),
        ("nothing", {}, "unknown method 'nothing'"),
        ("nowhere.py:f", {}, "nowhere.py"),
    ],
)
def test_a_request_that_cannot_be_served_is_refused(
    run, tmp_path: Path, method: str, more: dict, told: str
):
    with pytest.raises(Refused, match=told):
        tried(run, method, tmp_path / "try", **more)


def test_a_folder_of_something_else_is_refused(run, tmp_path: Path):
    with pytest.raises(Refused, match="holds results of another experiment"):
        tried(run, "ga", run[0])
    assert (run[0] / "results.jsonl").exists()


def test_the_command_names_the_sets_it_has(capsys: pytest.CaptureFixture):
    assert main(["try", "ga", "--forget-set", "published-99"]) == 2
    told = capsys.readouterr().err
    assert "published-99" in told and "Traceback" not in told and len(told.splitlines()) == 1


def test_a_foreign_record_cannot_be_submitted(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    record = tried(run, "ga", tmp_path / "try")[1]
    packed = packing.read(str(run[0] / "packs" / "smoke" / "random-5.npz"))
    monkeypatch.setattr(packing, "read", lambda name: packed)
    monkeypatch.setattr(trial, "starts_of", lambda preset: run[0] / "models.npz")
    assert trial.checked(record) is record
    for wrong in ({"sources": {"models": "0", "oracles": "0"}}, {"preset": "smoke"}):
        with pytest.raises(Refused, match="try it again"):
            trial.checked(record | wrong)


def test_submitting_twice_adds_nothing_and_other_records_are_left_alone(
    run, tmp_path: Path, monkeypatch
):
    found = [r | {"seconds_retrain": 1.0} for r in tried(run, "ga", tmp_path / "try")]
    packed = packing.read(str(run[0] / "packs" / "smoke" / "random-5.npz"))
    monkeypatch.setattr(packing, "read", lambda name: packed)
    monkeypatch.setattr(trial, "starts_of", lambda preset: run[0] / "models.npz")
    file = tmp_path / "community" / "me.jsonl"
    with pytest.raises(Refused, match="try it again"):
        trial.submit([*found, found[0] | {"preset": "smoke", "models": 3}], file)
    with pytest.raises(Refused, match="numbers that are not finite"):
        trial.submit([*found[:2], found[2] | {"seconds": float("nan")}], file)
    assert not file.exists(), "all or none"
    assert trial.submit(found, file) == 3 and trial.submit(found, file) == 0
    assert len(file.read_text().splitlines()) == 3
    own = shutil.copy(run[0] / "results.jsonl", tmp_path / "mine.jsonl")
    before = Path(own).read_bytes()
    with pytest.raises(Refused, match="holds records of smoke; give a file of trials"):
        trial.submit(found, Path(own))
    assert main(["try", "ga", "--submit", str(own)]) == 2, "before anything runs"
    assert Path(own).read_bytes() == before


def test_a_trial_never_scores_other_models_than_its_record_names(run, tmp_path: Path):
    out = tmp_path / "try"
    first = tried(run, "ga", out, epochs=(1,))
    context = layout.open_context(replace(BASE, name="smoke-try"), out, None, "cpu")
    model = layout.load_weights(context, 1, context.build())
    state = {k: v + 1 if v.is_floating_point() else v for k, v in model.state_dict().items()}
    layout.save_weights(context, 1, state)
    with pytest.raises(Refused, match="its model 1 is not that of .*choose a new --out folder"):
        tried(run, "ga", out, epochs=(2,))
    (out / "weights" / "0001.pt").unlink()
    margins = next((out / "margins").rglob("ga*/*.npz"))
    margins.write_bytes(margins.read_bytes()[:-100])
    lines: list[str] = []
    again = tried(run, "ga", out, epochs=(1,), report=lines.append)
    assert [r["groups"] for r in again] == [r["groups"] for r in first]
    assert "set aside" in lines[0] and margins.with_name(f"{margins.name}.damaged").exists()


ODD = """
import os, sys
def boom(model, forget, retain, config):
    raise RuntimeError("line one\\nline two")
    yield 1, model
def silent(model, forget, retain, config):
    return iter(())
def other(model, forget, retain, config):
    yield 7, model
def nothing_at_all(model, forget, retain, config):
    return None
def words(model, forget, retain, config):
    yield "one", "model"
def bye(model, forget, retain, config):
    sys.exit(0)
    yield 1, model
def late(model, forget, retain, config):
    for epoch in (*config.epochs, 9):
        yield epoch, model
"""


@pytest.mark.parametrize(
    "name", ["boom", "silent", "other", "nothing_at_all", "words", "bye", "late"]
)
def test_a_method_that_does_something_else_fails_on_one_line(run, tmp_path: Path, name: str):
    (tmp_path / "odd.py").write_text(ODD)
    with pytest.raises(Failed) as failed:
        tried(run, f"{tmp_path}/odd.py:{name}", tmp_path / "try", epochs=(1,))
    assert name in str(failed.value) and len(str(failed.value).splitlines()) == 1
    assert not list((tmp_path / "try" / "margins").rglob(f"*{name}*/*.npz"))


@pytest.mark.slow
@pytest.mark.parametrize("forget_set", ["published-1", "published-5"])
def test_rounding_the_weights_moves_no_score_by_more_than_its_error(
    forget_set: str, tmp_path: Path
):
    """The shipped models are float16; the records started from the same models in float32. Needs CIFAR-10."""
    if not (datasets.find_root() / "cifar-10-batches-py").is_dir():
        pytest.skip("needs CIFAR-10: set UNLEARNING_DATA")
    found = trial.trial(
        presets.DESK, "ga", forget_set, tmp_path / "try", epochs=(1,), workers=2, report=str
    )
    for r in found:
        same = {"forget_set": forget_set, "method": r["method"], "epoch": r["epoch"], "models": 20}
        [want] = [
            x for x in evidence.recorded(preset="desk", configuration=r["configuration"], **same)
        ]
        for g in ("forget", "retain", "near", "val"):
            here, there = r["groups"][g], want["groups"][g]
            for key in ("oq5_mean", "oq5_p95"):
                assert abs(here[key] - there[key]) <= there[f"{key}_error"], (r["method"], g, key)
            assert abs(here["accuracy"] - there["accuracy"]) <= max(
                0.002, there["accuracy_error"]
            ), g


def test_what_others_submitted_fits_what_is_shipped():
    for path in (ROOT / "results" / "community").glob("*.jsonl"):
        for line in path.read_text().splitlines():
            trial.checked(json.loads(line))
