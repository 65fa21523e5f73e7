"""One entry each: a data set, a network, a method (in the library or in a file of one's own), an estimator, a backend."""

import json
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from unlearning import datasets, methods, networks
from unlearning.__main__ import main
from unlearning.experiment import presets, runner
from unlearning.experiment.work import perform
from unlearning.methods import Config

TINY = replace(
    presets.SMOKE,
    models=2,
    forget_sets=("random-5",),
    retrain_epochs=(),
    configs=(Config("ga", 0.05, (1,)),),
)
OWN = """
import copy
import torch

def shrink(model, forget, retain, config):
    model = copy.deepcopy(model)
    for epoch in range(1, config.epochs[-1] + 1):
        model.train()(forget.images[:3])
        with torch.no_grad():
            for p in model.parameters():
                p.mul_(1 - config.lr)
        if epoch in config.epochs:
            yield epoch, model
"""


def test_a_data_set_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def squares(folder: Path) -> datasets.Arrays:
        images = np.random.default_rng(0).integers(0, 255, (130, 2, 12, 12), dtype=np.uint8)
        labels = np.arange(130, dtype=np.int64) % 10
        return images[:100], labels[:100], images[100:], labels[100:]

    monkeypatch.setitem(datasets.DATASETS, "squares", datasets.Dataset(squares, "", "", None))
    p = replace(TINY, dataset="squares", train_images=None, val_images=None)
    records = runner.run(p, tmp_path, workers=1, report=None)
    assert {(r["dataset"], r["train_size"], r["val_size"]) for r in records} == {
        ("squares", 100, 30)
    }


def test_a_network_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def linear(width: int, channels: int, classes: int, side: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(channels * side * side, classes, bias=False))

    monkeypatch.setitem(networks.NETWORKS, "linear", linear)
    records = runner.run(replace(TINY, network="linear", stack=1), tmp_path, workers=1, report=None)
    assert {r["network"]["name"] for r in records} == {"linear"}
    weights = torch.load(tmp_path / "weights" / "0000.pt", weights_only=True)
    assert {k: tuple(v.shape) for k, v in weights.items()} == {"1.weight": (10, 144)}


def test_a_method_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def flip(model, forget, retain, config):
        yield 1, model

    entry = methods.Method(flip, "flipping", "x", lambda config, epoch: (epoch, 0), backward=False)
    monkeypatch.setitem(methods.METHODS, "flip", entry)
    records = runner.run(
        replace(TINY, configs=(Config("flip", 0.0, (1,)),)), tmp_path, workers=1, report=None
    )
    flipped = next(r for r in records if r["method"] == "flip")
    nothing = next(r for r in records if r["method"] == "nothing")
    assert flipped["groups"] == nothing["groups"] and flipped["cost"]["true"] == pytest.approx(
        5 / (96 * 2)
    )


def test_a_backend_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    done = []

    class Here:
        """Units at once, in this process."""

        def __init__(self, context, count):
            self.context, self.count = context, 1

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def submit(self, unit):
            done.append(unit.role)
            future = Future()
            future.set_result(perform(unit, self.context))
            return future

        def result(self, future):
            return future.result()

    monkeypatch.setitem(runner.BACKENDS, "here", Here)
    found = runner.run(TINY, tmp_path / "here", report=None, on="here")
    usual = runner.run(TINY, tmp_path / "usual", workers=1, report=None)
    assert done == ["pretrained", "random-5/oracle", "random-5/ga,lr=0.05"]
    assert [r["groups"] for r in found] == [r["groups"] for r in usual]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    return file


def words(own: Path, out: Path, *more: str) -> list[str]:
    common = [
        "experiment",
        "--preset",
        "smoke",
        "--models",
        "2",
        "--forget-set",
        "random-5",
        "--out",
        str(out),
    ]
    return [
        *common,
        "--workers",
        "1",
        "--method",
        "nothing",
        f"{own}:shrink",
        "--lr",
        "0.5",
        "--epochs",
        "1",
        "2",
        *more,
    ]


def test_a_method_in_a_file_of_ones_own(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Weights shrink by a quarter; points are counted; the file is kept; another version is another method."""
    monkeypatch.setattr(methods, "METHODS", methods.METHODS)
    out = tmp_path / "run"
    assert main(words(own, out)) == 0
    records = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    mine = {r["epoch"]: r for r in records if r["method"].startswith("shrink@")}
    assert set(mine) == {1, 2}
    assert mine[2]["cost"]["true"] == pytest.approx(
        2 * 3 / (96 * 2)
    )  # three points a pass, two passes
    digest = mine[1]["method"].partition("@")[2]
    assert mine[1]["provenance"]["method_code"] == digest
    assert (out / "methods" / f"shrink@{digest}.py").read_text() == OWN
    own.write_text(OWN.replace("1 - config.lr", "1 - 2 * config.lr"))
    assert main(words(own, out)) == 0
    names = {
        json.loads(line)["method"] for line in (out / "results.jsonl").read_text().splitlines()
    }
    assert len(names) == 3  # nothing, and both versions
    for name in names - {"nothing"}:
        del methods.METHODS[name]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("{}:other", "has no function 'other'; it has shrink"),
        ("{}", "unknown method"),
        ("nowhere.py:f", "cannot be read as Python"),
        ("{}:1x", "give path/to/file.py:function"),
    ],
)
def test_a_method_that_is_not_there_is_refused(
    own: Path, tmp_path: Path, spec: str, told: str, capsys
):
    line = [
        "experiment",
        "--preset",
        "smoke",
        "--out",
        str(tmp_path / "run"),
        "--method",
        spec.format(own),
    ]
    assert main(line) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1


def test_a_method_that_does_not_run_is_refused(own: Path, tmp_path: Path, capsys):
    own.write_text("import nowhere_at_all\n" + OWN)
    assert main(words(own, tmp_path / "run")) == 2
    error = capsys.readouterr().err
    assert "does not run (ModuleNotFoundError" in error and error.count("\n") == 1


def test_a_kept_method_that_was_changed_is_refused(own: Path, tmp_path: Path, capsys):
    out = tmp_path / "run"
    assert main(words(own, out)) == 0
    [kept] = (out / "methods").glob("*.py")
    kept.write_text(OWN + "# changed\n")
    assert main(words(own, out)) == 2
    assert "changed since the run began" in capsys.readouterr().err
    del methods.METHODS[kept.stem]


def test_settings_of_an_own_method_need_one(tmp_path: Path, capsys):
    assert main(["experiment", "--preset", "smoke", "--lr", "0.1", "--out", str(tmp_path)]) == 2
    assert "for a method of your own" in capsys.readouterr().err
