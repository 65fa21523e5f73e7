"""Scoring a user's models against a pack: numbers against NumPy, against records, and everything that is refused."""

import io
import json
import os
import pickle
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import independent
from unlearning import estimators, klom
from unlearning.__main__ import main
from unlearning.experiment import packing, presets, results, runner, score
from unlearning.files import ROOT

GROUPS = {"forget": 5, "retain": 40, "val": 60}
POINTS = sum(GROUPS.values())
PACKED = packing.available()  # the packs that come with the repository


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch):
    """Floors and intervals from a few re-divisions: percentiles do not depend on them, seconds do."""
    monkeypatch.setattr(
        score.compare, "__kwdefaults__", score.compare.__kwdefaults__ | {"splits": 5, "subsets": 12}
    )


def margins(stream: int, models: int = 20, shift: float = 0.0) -> np.ndarray:
    """Gaussian margins (models, POINTS) around each point's own mean; `shift` moves the forget points' ones."""
    centres = np.random.default_rng(0).normal(2, 2, POINTS)
    found = centres + np.random.default_rng(stream).normal(size=(models, POINTS))
    found[:, : GROUPS["forget"]] += shift
    return found.astype(np.float32)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack written by hand in the documented form: 20 oracles; pretrained models lie 3 sd away on the forget set."""
    folder = tmp_path_factory.mktemp("packs") / "toy"
    folder.mkdir()
    points = np.arange(POINTS)[::-1].astype(np.int32)  # descending: their order is the pack's own
    run = {"train_images": 96, "val_images": 60, "pool": 1, "width": 8, "seed": 0}
    meta = {
        "dataset": "digits",
        "preset": "toy",
        "forget_set": "five",
        "models": 20,
        "forget_size": 5,
        "groups": GROUPS,
        "train_size": 96,
        "val_size": 60,
        "run": run,
        "sha256": "0" * 64,
        "trained": None,
    }
    np.savez(
        folder / "five.npz",
        oracle=margins(1).astype(np.float16),
        points=points,
        source=points,
        meta=np.array(json.dumps(meta)),
    )
    np.savez(
        folder / "pretrained.npz",
        pretrained=margins(2, shift=3.0).astype(np.float16)[:, ::-1],
        points=points[::-1],
        meta=np.array("{}"),
    )
    return folder / "five.npz"


def told(capsys: pytest.CaptureFixture, *words: object) -> dict:
    assert main(["score", *map(str, words), "--json"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    return json.loads(out, parse_constant=pytest.fail)  # NaN and Infinity are no JSON


@pytest.mark.parametrize("form", ["npy", "npz", "npz, named", "float64"])
def test_the_percentiles_are_those_of_the_definition(
    form: str, pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    mine, oracle = margins(3, 24, shift=1.0), margins(1).astype(np.float16)
    path = tmp_path / f"mine.{'npz' if 'npz' in form else 'npy'}"
    if form == "npy":
        np.save(path, mine)
    elif form == "npz":
        np.savez(path, anything=mine)
    elif form == "float64":
        np.save(path, mine.astype(np.float64))
    else:
        np.savez(path, other=np.zeros(3), margins=mine)
    record = told(capsys, pack, path, "--method", "mine")
    start = 0
    for group, count in GROUPS.items():
        part, start = slice(start, start + count), start + count
        for direction in klom.DIRECTIONS:
            scores = independent.klom(mine[:, part], oracle[:, part], direction)
            found = record["groups"][group][direction]
            assert found["p95"] == pytest.approx(np.percentile(scores, 95), abs=1e-6)
            assert found["mean"] == pytest.approx(scores.mean(), abs=1e-6)
            assert (found["models"], found["oracles"], found["points"]) == (24, 20, count)
            assert (
                found["low"] <= found["p95"] <= found["high"] and found["floor"] < found["ceiling"]
            )
    assert (record["method"], record["models"], record["forget_set"]) == ("mine", 24, "five")
    assert {"commit", "scoring_code", "torch"} <= set(record["provenance"])


def test_the_marks_enclose_what_a_method_can_reach(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    """Pretrained models handed in score as doing nothing does; fresh oracles score as the split does: at the floor."""
    mine = tmp_path / "mine.npy"
    np.save(mine, margins(2, shift=3.0).astype(np.float16).astype(np.float32))
    record = told(capsys, pack, mine)
    assert record["groups"] == record["nothing"]
    assert record["nothing"]["forget"]["oracle_to_unlearned"]["p95"] > 8
    split = record["oracle_split"]["forget"]["oracle_to_unlearned"]
    assert (split["models"], split["oracles"]) == (10, 10) and abs(
        split["p95"] - split["floor"]
    ) < 2
    np.save(mine, margins(4, 6))
    record = told(capsys, pack, mine)
    for group in GROUPS:
        found = record["groups"][group]["oracle_to_unlearned"]
        assert found["low"] < found["floor"] < found["high"] + 0.5
        assert (
            record["nothing"][group]["oracle_to_unlearned"]["models"] == 6
        )  # as many as the method has
        assert record["oracle_split"][group]["oracle_to_unlearned"]["oracles"] == 14
    assert told(capsys, pack)["nothing"]["val"] and "groups" not in told(capsys, pack)


def test_the_table_names_the_points_and_reads_as_the_record(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    np.save(tmp_path / "mine.npy", margins(3))
    record = told(capsys, pack, tmp_path / "mine.npy")
    assert main(["score", str(pack), str(tmp_path / "mine.npy")]) == 0
    out = capsys.readouterr().out
    assert "toy/five: digits, 96 training images\n|F| = 5, 20 oracles" in out
    assert "in this order: 5 forget, 40 retain, 60 val" in out
    assert str(pack) in out and "Beware" not in out and max(map(len, out.splitlines())) <= 120
    for row, label in (
        ("groups", "yours"),
        ("nothing", "doing nothing"),
        ("oracle_split", "oracles, split"),
    ):
        lines = [
            line.partition(label)[2].split()
            for line in out.splitlines()
            if label in line and " | " in line
        ]
        wanted = [record[row][g][d] for d in klom.DIRECTIONS for g in GROUPS]
        assert [float(line[3]) for line in lines] == pytest.approx(
            [s["p95"] for s in wanted], abs=1e-3
        )
        assert [float(line[4]) for line in lines] == pytest.approx(
            [s["low"] for s in wanted], abs=1e-2
        )


def test_broken_and_disordered_margins_are_pointed_out(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    mine, path = margins(3), tmp_path / "mine.npy"

    def warned(changed: np.ndarray) -> str:
        np.save(path, changed)
        assert main(["score", str(pack), str(path)]) == 0
        return capsys.readouterr().out

    assert "Are the points in the pack's order?" in warned(
        mine[:, np.random.default_rng(5).permutation(POINTS)]
    )
    one_broken = mine.copy()
    one_broken[0] = -1e38
    assert "stretch the bins" in warned(one_broken)
    one_broken[0] = np.nan
    assert f"Beware: {POINTS} margins are NaN and count as -100" in warned(one_broken)
    assert told(capsys, pack, path)["groups"]["val"]["oracle_to_unlearned"]["nan"] == GROUPS["val"]
    one_broken[0] = -np.inf
    assert "NaN" not in warned(one_broken)
    assert "none. Are the points" in warned(np.zeros_like(mine))


def test_oq5_and_geb_stand_beside_klom(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    mine, oracle = margins(3, 24, shift=1.0), margins(1).astype(np.float16).astype(np.float32)
    np.save(tmp_path / "mine.npy", mine)
    found = told(capsys, pack, tmp_path / "mine.npy")["estimates"]
    start = 0
    for group, count in GROUPS.items():
        part, start = slice(start, start + count), start + count
        pair = [torch.from_numpy(np.ascontiguousarray(x[:, part])) for x in (mine, oracle)]
        e = found["groups"][group]
        assert e["oq5_mean"] == pytest.approx(float(estimators.oq5(*pair).mean()))
        assert e["geb_mean"] == pytest.approx(float(estimators.geb(*pair).mean()))
        back = estimators.oq5(*pair, direction=klom.DIRECTIONS[1])
        assert e["reverse_oq5_p95"] == pytest.approx(np.percentile(back.numpy(), 95))
        assert e["floor_mean"] < e["floor_p95"] < e["limit"] < 1.2
    assert found["groups"]["forget"]["oq5_mean"] > 2 * found["groups"]["val"]["oq5_mean"]


def sentence(record: dict) -> str:
    assert record["meaning"].count("\n") == 0 and record["meaning"].endswith(".")
    return record["meaning"]


def test_one_sentence_says_what_the_numbers_mean(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    """Fresh oracles close the gap, a shift half way closes half, further away is worse, damage has a name."""
    path = tmp_path / "mine.npy"

    def meant(mine: np.ndarray) -> str:
        np.save(path, mine)
        return sentence(told(capsys, pack, path, "--method", "m"))

    fresh = meant(margins(4))
    share = int(re.search(r"m closes (-?\d+)% of the gap", fresh)[1])
    assert 80 < share < 120 and "leaves the other points within the limit" in fresh
    harmed = margins(4)
    harmed[:, -GROUPS["val"] :] -= 3
    assert re.search(r"damages val \(\d\.\d\d, limit 0\.\d\d\)\.$", meant(harmed))
    assert main(["score", str(pack), str(path), "--method", "m"]) == 0
    assert "In one sentence: by oq5, m closes" in capsys.readouterr().out.replace("\n", " ")


def estimate(mean: float, error: float = 0.01) -> dict:
    return {"oq5_mean": mean, "oq5_mean_error": error, "floor_mean": 0.2, "oq5_p95": 0.5,
            "limit": 0.8, "reverse_oq5_p95": 0.5, "reverse_limit": 0.8}  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (1.2, 0.7, "closes 50% of the gap"),
        (1.2, 1.7, "is worse than doing nothing: on the forget set it is 1.5 times as far"),
        (0.21, 0.2, "cannot be judged on the forget set"),
    ],
)
def test_the_sentence_by_hand(before: float, after: float, says: str):
    made = {"nothing": {"forget": estimate(before)}, "groups": {"forget": estimate(after)}}
    assert says in score.meaning({"method": "m", "estimates": made})
    wide = {
        "nothing": {"forget": estimate(1.2)},
        "groups": {"forget": estimate(0.7), "val": estimate(0.2)},
    }
    wide["groups"]["val"]["reverse_oq5_p95"] = 0.9  # the other direction alone is damage, too
    assert score.meaning({"method": "m", "estimates": wide}).endswith(
        "damages val (0.90, limit 0.80)."
    )


def test_copies_and_few_models_are_pointed_out(pack: Path):
    read = packing.read(str(pack))
    own = margins(3, 20)
    assert score._copies(own, read) == []
    assert score._copies(np.repeat(own[:1], 8, 0), read) == [
        "Beware: 8 of 8 models have equal margins: copies of one model are no ensemble."
    ]
    [pretrained] = score._copies(np.concatenate([read.pretrained[:3], own]), read)
    assert "3 of 23" in pretrained and "pretrained models: was anything unlearned?" in pretrained
    [oracles] = score._copies(read.oracle, read)
    assert "20 of 20" in oracles and "oracles" in oracles


def test_a_small_ensemble_is_called_small(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    np.save(tmp_path / "mine.npy", margins(3, 8))
    found = told(capsys, pack, tmp_path / "mine.npy")["warnings"]
    assert any(line.startswith("Beware: N = 8 is small") for line in found)
    np.save(tmp_path / "mine.npy", margins(3, 20))
    assert told(capsys, pack, tmp_path / "mine.npy")["warnings"] == []
    assert main(["score", str(pack), str(tmp_path / "mine.npy")]) == 0
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 9 and err[0] == "scoring yours on forget points, 1 of 9"


def kl(p95: float) -> dict:
    return {d: {"p95": p95, "floor": 1.0, "models": 100, "oracles": 100} for d in klom.DIRECTIONS}


def run(method: str, forget: float, val: float, epoch: int = 1) -> dict:
    groups = {"forget": kl(forget), "val": kl(val)}
    told = {"lr": 0.1, "batchnorm": "train"}
    return {
        "method": method,
        "groups": groups,
        "configuration": told,
        "epoch": epoch,
        "models": 100,
    }


def test_the_place_among_recorded_runs_by_hand():
    """Within the limit damage does not count; beyond it only runs with no more of it are compared."""
    records = [
        run("nothing", 9.0, 1.0), run("ga", 8.0, 1.0), run("ga", 3.0, 1.5, 2), run("ga", 2.0, 6.0, 3),
        run("gda", 5.0, 7.0), run("finetune", 9.5, 1.0),
    ]  # fmt: skip
    mine = {"nothing": {"forget": kl(9.0)}, "groups": {"forget": kl(5.0), "val": kl(1.2)}}
    found = score.placed(mine, records)
    assert found["left"] == 0.5 and found["runs"] == 5 and found["better"] == 1
    assert found["methods"]["ga"]["left"] == 0.25 and found["methods"]["ga"]["epoch"] == 2
    assert found["methods"]["gda"] is None and found["methods"]["finetune"]["left"] > 1
    mine["groups"]["val"] = kl(6.5)
    assert score.placed(mine, records)["methods"]["ga"]["epoch"] == 3
    assert score.placed(mine, records)["better"] == 2
    assert score.placed(mine, records[:1]) is None and score.placed(mine, []) is None


def test_recorded_runs_of_the_same_code_are_found():
    found = score.recorded(packing.read("laptop/random-10"), 24)
    assert found[0]["method"] == "nothing" and [r["method"] for r in found].count("nothing") == 1
    assert {"ga", "gda", "scrub", "finetune", "retrain"} <= {r["method"] for r in found}
    assert {(r["preset"], r["forget_set"], r["models"]) for r in found} == {
        ("laptop", "random-10", 100)
    }


def test_without_records_it_says_so(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    np.save(tmp_path / "mine.npy", margins(3))
    assert told(capsys, pack, tmp_path / "mine.npy")["recorded"] is None
    assert main(["score", str(pack), str(tmp_path / "mine.npy")]) == 0
    assert "No unlearning runs on toy/five are recorded" in capsys.readouterr().out


# --- against the experiment's own records ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", PACKED)
def test_doing_nothing_scores_what_the_record_says(name: str):
    """Float16 against float32: percentiles of the committed packs and of the committed records of the same run."""
    found = packing.read(name)
    record = next(
        r
        for r in reversed(
            results.collect(ROOT / "results", preset=found.meta["preset"], method="nothing")
        )
        if r["forget_set"] == found.meta["forget_set"] and r["models"] == len(found.oracle)
    )
    assert record["provenance"]["training_code"] == found.meta["run"]["training_code"]
    for group, columns in found.groups().items():
        pair = [
            torch.from_numpy(np.ascontiguousarray(x[:, columns]))
            for x in (found.pretrained, found.oracle)
        ]
        for direction in klom.DIRECTIONS:
            p95 = np.percentile(klom.klom(*pair, direction=direction).numpy(), 95)
            assert p95 == pytest.approx(record["groups"][group][direction]["p95"], abs=0.1)


def test_the_committed_packs_are_within_their_limits():
    sizes = {path: path.stat().st_size for path in packing.FOLDER.rglob("*.npz")}
    assert PACKED and sum(sizes.values()) <= packing.TOTAL_LIMIT
    assert all(
        size <= packing.SET_LIMIT for path, size in sizes.items() if path.stem != "pretrained"
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 4 pretrained models and 4 oracles, with its pack beside it."""
    out = tmp_path_factory.mktemp("run")
    small = replace(presets.SMOKE, forget_sets=("random-5",), configs=(), retrain_epochs=())
    runner.run(small, out / "run", workers=1, report=None)
    packing.pack(out / "run", out / "packs")
    return out


def test_checkpoints_are_scored_on_the_packs_points(trained: Path, capsys: pytest.CaptureFixture):
    """The run's own pretrained models, read from their files, score as their packed margins do."""
    pack, files = (
        trained / "packs/smoke/random-5.npz",
        sorted((trained / "run/weights").glob("*.pt")),
    )
    found = score.read([trained / "run/weights"], packing.read(str(pack)))
    assert np.abs(found - packing.read(str(pack)).pretrained).max() < 1 / 256 + 1e-4
    assert (score.read(files[1:3], packing.read(str(pack))) == found[1:3]).all()
    assert told(capsys, pack, *files)["models"] == 4


def test_checkpoints_that_are_none_are_refused(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    pack, weights = trained / "packs/smoke/random-5.npz", trained / "run/weights"
    good, bad = weights / "0000.pt", tmp_path / "bad.pt"

    def refused(told: str, *files: Path) -> None:
        assert main(["score", str(pack), *map(str, files)]) == 2
        captured = capsys.readouterr()
        assert told in captured.err and captured.err.count("\n") == 1 and captured.out == ""

    for content in (b"", b"PK\3\4 no archive", good.read_bytes()[:2000]):
        bad.write_bytes(content)
        refused("bad.pt: no state dict of ResNet-9 of width 8", good, bad)
    for value in (
        {},
        [1, 2],
        {"model": torch.load(good, weights_only=True)},
        torch.zeros(3),
        {"0.0.weight": 1},
    ):
        torch.save(value, bad)
        refused("bad.pt: no state dict of ResNet-9 of width 8", good, bad)
    torch.save(torch.load(good, weights_only=True) | {"9.weight": torch.zeros(10, 99)}, bad)
    refused("no state dict", good, bad)
    torch.save(
        {
            k: torch.full_like(v, torch.nan) if v.is_floating_point() else v
            for k, v in torch.load(good, weights_only=True).items()
        },
        bad,
    )
    refused("2 checkpoints: every margin is NaN", bad, bad)
    refused("1 checkpoints", good)
    refused("missing.pt: No such file", good, tmp_path / "missing.pt")
    (tmp_path / "empty").mkdir()
    refused("0 checkpoints", tmp_path / "empty")
    refused(
        "give one .npy or .npz file of margins, a folder of checkpoints, or .pt files",
        good,
        tmp_path / "a.npy",
    )


# --- what is refused -------------------------------------------------------------------------------------------------


class Evil:
    """Unpickled, it makes a folder."""

    def __reduce__(self):
        return os.mkdir, (os.environ["EVIL_FOLDER"],)


def test_no_pickle_is_ever_loaded(
    pack: Path,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
):
    monkeypatch.setenv("EVIL_FOLDER", str(tmp_path / "pwned"))
    evil = np.array([[Evil()]], object)
    np.save(tmp_path / "mine.npy", evil, allow_pickle=True)
    np.savez(tmp_path / "mine.npz", margins=evil)
    np.savez(tmp_path / "five.npz", oracle=evil)
    (tmp_path / "plain.npy").write_bytes(pickle.dumps(Evil()))
    (tmp_path / "a.pt").write_bytes(pickle.dumps(Evil()))
    torch.save(Evil(), tmp_path / "b.pt")
    real = trained / "packs/smoke/random-5.npz"
    for words in (
        [pack, "mine.npy"],
        [pack, "mine.npz"],
        [pack, "plain.npy"],
        [tmp_path / "five.npz"],
        [real, "a.pt", "b.pt"],
        [real, "b.pt", "a.pt"],
    ):
        assert main(["score", str(words[0]), *(str(tmp_path / word) for word in words[1:])]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "pwned").exists()
    pickle.loads((tmp_path / "a.pt").read_bytes())  # the trap itself works
    assert (tmp_path / "pwned").exists()


def npz_without_margins() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, a=margins(3), b=margins(3))
    return buffer.getvalue()


def empty_archive() -> bytes:
    buffer = io.BytesIO()
    zipfile.ZipFile(buffer, "w").close()
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content, told",
    [
        (margins(3)[0], f"shape ({POINTS},), type float32; give floats of shape (N, {POINTS})"),
        (margins(3)[None], f"shape (1, 20, {POINTS}), type float32"),
        (margins(3).astype(int), "type int64; give floats"),
        (margins(3).astype(complex), "type complex128; give floats"),
        (
            margins(3)[:, 1:],
            f"{POINTS - 1} points, the pack toy/five has {POINTS} (5 forget + 40 retain + 60 val, in ",
        ),
        (margins(3).T, "20 points, the pack toy/five has"),
        (margins(3)[:0], "0 models; a distribution of margins needs at least 2"),
        (margins(3)[:1], "1 models; a distribution of margins needs at least 2"),
        (np.full((3, POINTS), np.nan), "every margin is NaN"),
        (b"", "cannot be read as a .npy file of numbers"),
        (b"\x93NUMPY\x01\x00", "cannot be read as a .npy file of numbers"),
        (b"1, 2, 3", "cannot be read as a .npy file of numbers"),
        (npz_without_margins, "arrays a, b; give one array, or name it margins"),
        (empty_archive, "arrays none; give one array"),
        (None, "No such file"),
    ],
)
def test_what_are_no_margins_is_refused_in_one_line(
    content: object, told: str, pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    path = tmp_path / ("mine.npz" if callable(content) else "mine.npy")
    if isinstance(content, np.ndarray):
        np.save(path, content)
    elif content is not None:
        path.write_bytes(content() if callable(content) else content)
    assert main(["score", str(pack), str(path)]) == 2
    captured = capsys.readouterr()
    assert told in captured.err and captured.out == ""
    assert captured.err.count("\n") == 1 and captured.err.startswith("unlearning: ")


@pytest.mark.parametrize(
    "words, told",
    [
        (["laptop/random-11"], "unknown pack 'laptop/random-11'; choose from"),
        (["../results/margins/laptop/random-10"], "unknown pack"),
        (["/nonexistent/five.npz"], "five.npz: No such file"),
        (["laptop/random-10", "/nonexistent/mine.npy"], "No such file"),
        (["laptop/random-10", "/nonexistent"], "give one .npy or .npz file of margins"),
        (
            [
                "laptop/random-10",
                "/nonexistent/a.pt",
                "/nonexistent/b.pt",
                "--data",
                "/nonexistent",
            ],
            "data_batch_1",
        ),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_line(
    words: list[str], told: str, capsys: pytest.CaptureFixture
):
    assert main(["score", *words]) == 2
    captured = capsys.readouterr()
    assert told in captured.err and captured.err.count("\n") == 1 and captured.out == ""


def test_without_arguments_it_lists_the_packs(capsys: pytest.CaptureFixture):
    assert main(["score"]) == 0
    assert capsys.readouterr().out.split() == PACKED


def test_it_needs_only_torch_numpy_and_scipy(pack: Path, tmp_path: Path):
    """A machine without the book's dependencies: every import of them fails."""
    np.save(tmp_path / "mine.npy", margins(3))
    absent = (
        "pandas",
        "sklearn",
        "matplotlib",
        "jupytext",
        "yaml",
        "nbformat",
        "myst_nb",
        "seaborn",
        "torchvision",
    )
    code = (
        f"import runpy, sys; sys.modules.update(dict.fromkeys({absent!r})); "
        "runpy.run_module('unlearning', run_name='__main__')"
    )
    for words, status in (([str(pack), str(tmp_path / "mine.npy")], 0), (["nowhere/none"], 2)):
        done = subprocess.run(
            [sys.executable, "-c", code, "score", *words],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT / "lib")},
        )
        assert done.returncode == status, done.stderr
        assert ("KLoM in nats" in done.stdout) == (status == 0)
