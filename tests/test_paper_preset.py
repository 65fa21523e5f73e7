"""The `paper` preset on a CPU: real CIFAR-10 images, cut to 2 narrow models, one epoch and 5,000 of them.

The same units, seeds, records, packs and scores as at full size; only the numbers mean nothing.
"""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from unlearning import datasets, networks, training
from unlearning.__main__ import main
from unlearning.experiment import packing, presets, results, runner
from unlearning.methods import Config
from unlearning.training import Recipe

needs_data = pytest.mark.skipif(
    not (datasets.find_root() / "cifar-10-batches-py").is_dir(),
    reason=f"no CIFAR-10 in {datasets.find_root()}: set {datasets.ROOT_VARIABLE} to a folder that has it",
)
CUT = presets.preset(
    "paper",
    models=2,
    pool=2,
    width=1,
    train_images=5000,
    val_images=1000,
    recipe=Recipe(1, 512),
    retrain_epochs=(),
    resamples=(2, 3),
    forget_sets=("random-100",),
    scored_retain=200,
    scored_val=200,
    configs=(
        Config("ga", 1e-3, (1, 3)),
        Config("gda", 5e-3, (1,), ascent_epochs=1),
        Config("scrub", 5e-3, (1,), ascent_epochs=1),
    ),
)
RUN = """
import sys
sys.path.insert(0, sys.argv[1])
import test_paper_preset
from unlearning.experiment import runner
runner.run(test_paper_preset.CUT, sys.argv[2], workers=1, report=lambda line: print(line, flush=True))
"""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that is killed with its second model in training, goes on without time, and then to its end."""
    folder = tmp_path_factory.mktemp("paper") / "run"
    command = [sys.executable, "-c", RUN, str(Path(__file__).parent), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith("[1/10] pretrained models 0-0")
        process.send_signal(signal.SIGKILL)
    lines: list[str] = []
    assert runner.run(CUT, folder, workers=1, time_budget=0, report=lines.append) == []
    assert len(lines) == 1 and lines[0].startswith("time budget: 1 units of this stage are left")
    runner.run(CUT, folder, workers=1, report=lines.append)
    assert lines[1].startswith("[1/9] pretrained models 1-1") and len(lines) == 10
    return folder


@needs_data
@pytest.mark.slow
def test_killed_and_resumed_it_trains_the_model_that_it_would_have_trained(out: Path):
    """The model that was in training at the kill has the bytes of the same model trained here, without the plan."""
    torch.set_num_threads(1)
    loaded = datasets.load("cifar10", train=CUT.train_images, val=CUT.val_images, pool=2)
    images = torch.cat([loaded.images, loaded.val_images])
    labels = torch.cat([loaded.labels, loaded.val_labels])
    alone = training.train_one(
        lambda: networks.resnet9(1),
        loaded,
        np.arange(5000),
        CUT.recipe,
        training.seed_of(0, "pretrained", 1),
    )
    margins, hits = training.score(alone, loaded, images, labels)
    with np.load(out / "margins/pretrained/0001-0001.npz") as found:
        assert (
            found["margins"].tobytes() == margins.tobytes()
            and found["hits"].tobytes() == hits.tobytes()
        )


@needs_data
@pytest.mark.slow
def test_its_records_are_complete(out: Path):
    records = results.read(out / "results.jsonl")
    assert [(r["method"], r["epoch"]) for r in records] == [
        ("nothing", 0),
        ("ga", 1),
        ("ga", 3),
        ("gda", 1),
        ("scrub", 1),
    ]
    for r in records:
        assert (r["forget_set"], r["forget_size"], r["retain_size"]) == ("random-100", 100, 4900)
        assert [s["oracle_to_unlearned"]["points"] for s in r["groups"].values()] == [100, 200, 200]
        assert (
            r["preset"] == "paper"
            and r["network"] == {"name": "resnet9", "width": 1}
            and r["models"] == 2
        )
        assert r["last_batch"]["pretrained"] == 5000 - 9 * 512


@needs_data
@pytest.mark.slow
def test_its_result_is_packed_and_scored(out: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    assert main(["pack", "--from", str(out), "--out", str(tmp_path)]) == 0
    assert "2 models on 100 forget, 200 retain, 200 val" in capsys.readouterr().out
    pack = packing.read("paper/random-100", tmp_path)
    whole, cut = (
        datasets.load("cifar10", pool=2),
        datasets.load("cifar10", train=CUT.train_images, val=CUT.val_images, pool=2),
    )
    assert (
        len(set(pack.points[:300].tolist())) == 300
        and pack.points[:300].max() < 5000 <= pack.points[300:].min()
    )
    assert torch.equal(
        cut.images[pack.points[:300]], whole.images[pack.source[:300]]
    )  # each image's index in CIFAR-10
    assert torch.equal(
        cut.val_images[pack.points[300:] - 5000], whole.val_images[pack.source[300:]]
    )
    with (
        np.load(out / "margins/random-100/ga,lr=0.001/0000-0000.npz") as first,
        np.load(out / "margins/random-100/ga,lr=0.001/0001-0001.npz") as second,
    ):
        np.save(tmp_path / "mine.npy", np.concatenate([first["margins"][1], second["margins"][1]]))
    assert (
        main(
            ["score", str(tmp_path / "paper/random-100.npz"), str(tmp_path / "mine.npy"), "--json"]
        )
        == 0
    )
    record = json.loads(capsys.readouterr().out)
    assert {"groups", "nothing"} < set(record) and record["groups"]["forget"][
        "oracle_to_unlearned"
    ]["points"] == 100


@needs_data
@pytest.mark.slow
@pytest.mark.skipif(
    not (datasets.find_root() / "forget_sets/cifar10").is_dir(), reason="no published forget sets"
)
def test_a_published_set_on_all_of_cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """All 50,000 images and the authors' set 5: records and pack are about its points. Only the training is left out."""

    def untrained(build, *_, **__):
        torch.manual_seed(0)
        return build().eval()

    monkeypatch.setattr(training, "train_one", untrained)
    every = replace(
        CUT,
        train_images=None,
        val_images=None,
        forget_sets=("published-5",),
        configs=CUT.configs[:1],
    )
    for record in runner.run(every, tmp_path / "run", workers=1, report=None):
        assert (record["forget_size"], record["retain_size"]) == (100, 49_900)
        assert record["last_batch"] == {"pretrained": 50_000 % 512, "oracle": 49_900 % 512}
    assert main(["pack", "--from", str(tmp_path / "run"), "--out", str(tmp_path)]) == 0
    pack = packing.read("paper/published-5", tmp_path)
    forget = np.load(datasets.find_root() / "forget_sets/cifar10/forget_set_5.npy")
    assert pack.points[:100].tolist() == pack.source[:100].tolist() == sorted(forget.tolist())
    assert (
        pack.source[300:] == pack.points[300:] - 50_000
    ).all()  # nothing was left out: a test image's own index
