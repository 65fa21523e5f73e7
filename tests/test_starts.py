"""Pretrained models carried to another machine: float16 weights, the same predictions, a run that goes on."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from unlearning.__main__ import main
from unlearning.experiment import presets, runner, starts
from unlearning.methods import Config

P = replace(
    presets.SMOKE,
    models=3,
    forget_sets=("random-5",),
    retrain_epochs=(),
    configs=(Config("ga", 0.05, (1,)),),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("starts") / "run"
    runner.run(P, out, workers=1, report=None)
    return out


def margins(out: Path) -> np.ndarray:
    files = sorted((out / "margins/pretrained").glob("*.npz"))
    return np.concatenate([np.load(f)["margins"][0] for f in files])


def test_models_come_back_up_to_rounding(run: Path, tmp_path: Path):
    file, again = tmp_path / "smoke.npz", tmp_path / "again"
    assert main(["pack", "--from", str(run), "--weights", "3", "--out", str(file)]) == 0
    assert main(["restore", "--from", str(file), "--out", str(again)]) == 0
    for i in range(3):
        one, other = (
            torch.load(d / "weights" / f"{i:04d}.pt", weights_only=True) for d in (run, again)
        )
        assert all(
            torch.allclose(one[k].float(), other[k].float(), rtol=1e-3, atol=1e-6) for k in one
        )
        assert other["0.0.weight"].dtype == torch.float32
    assert np.abs(margins(run) - margins(again)).max() < 0.05 * margins(run).std()
    records = runner.run(P, again, workers=1, report=None)  # oracles and methods follow
    assert {r["method"] for r in records} == {"nothing", "ga"}
    assert (
        main(["restore", "--from", str(file), "--out", str(again)]) == 0
    )  # nothing is overwritten
    assert len(list((again / "margins/pretrained").glob("*.npz"))) == 3


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["pack", "--weights", "9", "--out", "{}/x.npz"], "3 pretrained models, 9 asked for"),
        (["pack", "--weights", "2", "--out", "{}/x"], "give --out FILE.npz"),
    ],
)
def test_what_cannot_be_packed_is_refused(
    run: Path, tmp_path: Path, words: list[str], told: str, capsys
):
    words = [w.format(tmp_path) for w in words]
    assert main([words[0], "--from", str(run), *words[1:]]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1


def test_other_files_are_refused_or_named(run: Path, tmp_path: Path, capsys):
    file = tmp_path / "smoke.npz"
    assert main(["pack", "--from", str(run), "--weights", "2", "--out", str(file)]) == 0
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(raw)
    other = tmp_path / "other.npz"
    np.savez(other, a=np.zeros(3))
    for path in (damaged, other, tmp_path / "none.npz"):
        assert main(["restore", "--from", str(path), "--out", str(tmp_path / "new")]) in (1, 2)
        error = capsys.readouterr().err
        assert path.name in error and error.count("\n") == 1
    meta, states = starts.read(file)
    assert len(states) == 2 and meta["run"]["name"] == "smoke" and json.dumps(meta)
