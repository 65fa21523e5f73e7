"""Pretrained models carried to another machine: float16 weights, the same predictions, a run that goes on."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from unlearning import files
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
    found = sorted((out / "margins/pretrained").glob("*.npz"))
    return np.concatenate([np.load(f)["margins"][0] for f in found])


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
        (["pack", "--weights", "0", "--out", "{}/x.npz"], "3 pretrained models, 0 asked for"),
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
    before = file.read_bytes()
    words = ["pack", "--from", str(run), "--weights", "1", "--out", str(file)]
    assert main(words) == 2 and file.read_bytes() == before, "never replaced unasked"
    assert "add --replace" in capsys.readouterr().err
    meta, states = starts.read(file)
    assert len(states) == 2 and meta["run"]["name"] == "smoke" and json.dumps(meta)


def told_run(change: dict) -> Callable[[dict], dict]:
    def forge(arrays: dict) -> dict:
        meta = json.loads(str(arrays["meta"]))
        return arrays | {"meta": np.array(json.dumps(meta | {"run": meta["run"] | change}))}

    return forge


def with_meta(**change: object) -> Callable[[dict], dict]:
    return lambda arrays: (
        arrays | {"meta": np.array(json.dumps(json.loads(str(arrays["meta"])) | change))}
    )


@pytest.mark.parametrize(
    "forge",
    [
        with_meta(models=True),
        with_meta(models="2"),
        with_meta(models=10**9),
        with_meta(run={}),
        with_meta(run=[]),
        with_meta(run={"name": "smoke", "recipe": {"epochs": 2, "charm": 3}}),
        told_run({"name": "nobody's"}),
        told_run({"recipe": None}),
        told_run({"width": 16}),
        lambda arrays: arrays | {"meta": np.array("[]")},
        lambda arrays: {k: v for k, v in arrays.items() if not k.endswith("weight")},
        lambda arrays: arrays | {"more": np.zeros((2, 3), np.float16)},
        lambda arrays: arrays | {"0.0.weight": arrays["0.0.weight"] * np.nan},
        lambda arrays: arrays | {"0.0.weight": arrays["0.0.weight"].astype(str)},
        lambda arrays: arrays | {"0.0.weight": arrays["0.0.weight"][:, :1]},
    ],
)
def test_forged_files_of_models_are_refused(
    forge: Callable[[dict], dict], run: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    file, out = tmp_path / "smoke.npz", tmp_path / "new"
    assert main(["pack", "--from", str(run), "--weights", "2", "--out", str(file)]) == 0
    arrays = {k: v for k, v in files.load(file).items() if k != files.SHA}
    files.save(file, **forge(arrays))
    capsys.readouterr()
    assert main(["restore", "--from", str(file), "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("unlearning: ") and error.count("\n") == 1 and len(error) < 400
    assert not list(out.rglob("*.pt")), "nothing of it is kept"
