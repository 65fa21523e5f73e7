"""The experiment end to end at smoke size: killed, resumed, extended, refused; its records recomputed by hand."""

import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import independent
from unlearning import datasets, errors, files, training
from unlearning.__main__ import main
from unlearning.experiment import presets, provenance, results, runner
from unlearning.methods import Config

SMALL = replace(
    presets.SMOKE,
    forget_sets=("random-5", "pc1-top-5"),
    retrain_epochs=(1,),
    configs=(Config("ga", 0.05, (1, 2)), Config("gda", 5e-3, (1,), ascent_epochs=1)),
)
SIZES = ("--forget-set", "random-5", "pc1-top-5", "--method", "ga")


def numbers(records: list[dict]) -> dict[str, dict]:
    """What must not depend on when and how a record was made."""
    times = ("seconds", "seconds_retrain", "wall_seconds", "provenance")
    return {results.identity(r): {k: v for k, v in r.items() if k not in times} for r in records}


def margins_of(folder: Path) -> dict[str, bytes]:
    found = {}
    for path in sorted((folder / "margins").rglob("*.npz")):
        with np.load(path) as arrays:
            found[str(path.relative_to(folder))] = (
                arrays["margins"].tobytes() + arrays["hits"].tobytes()
            )
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict], list[str]]:
    """One undisturbed run of SMALL: its folder, records and lines."""
    out, lines = tmp_path_factory.mktemp("experiment") / "run", []
    return out, runner.run(SMALL, out, workers=1, report=lines.append), lines


def test_there_is_one_record_for_each_set_configuration_and_epoch(finished):
    _, records, lines = finished
    found = {(r["forget_set"], r["method"], r["epoch"]) for r in records}
    per_set = {("nothing", 0), ("ga", 1), ("ga", 2), ("gda", 1), ("retrain", 1)}
    assert (
        found == {(name, *rest) for name in SMALL.forget_sets for rest in per_set}
        and len(records) == 10
    )
    assert len(lines) == 18 and lines[-1].startswith("[18/18]") and "min left" in lines[-1]


def test_a_record_is_what_its_arrays_say(finished):
    """KLoM's percentile, accuracies and costs once more, from the stored arrays, with NumPy alone."""
    out, records, _ = finished
    record = next(
        r
        for r in records
        if r["method"] == "ga" and r["epoch"] == 2 and r["forget_set"] == "random-5"
    )
    parts = [np.load(p) for p in sorted((out / "margins/random-5/ga,lr=0.05").glob("*.npz"))]
    unlearned = np.concatenate([p["margins"][1] for p in parts])
    hits = np.concatenate([p["hits"][1] for p in parts])
    oracle = np.concatenate(
        [np.load(p)["margins"][0] for p in sorted((out / "margins/random-5/oracle").glob("*.npz"))]
    )
    forget = np.random.RandomState(5).choice(96, 5, replace=False)
    scores = independent.klom(unlearned[:, :5], oracle[:, np.sort(forget)])
    group = record["groups"]["forget"]
    assert group["oracle_to_unlearned"]["p95"] == pytest.approx(np.percentile(scores, 95), abs=1e-9)
    assert group["accuracy"] == pytest.approx(hits[:, :5].mean())
    assert record["cost"] == {"paper": 10 / ((96 + 60) * 2), "true": 10 / (96 * 2)}
    assert (record["models"], record["forget_size"], record["retain_size"], record["val_size"]) == (
        4,
        5,
        91,
        60,
    )
    assert record["last_batch"] == {"pretrained": 32, "oracle": 27}


def test_pc_sets_are_the_ensembles_own(finished):
    out, _, _ = finished
    files = sorted((out / "margins/pretrained").glob("*.npz"))
    margins = np.concatenate([np.load(file)["margins"][0][:, :96] for file in files])
    centred = margins.astype(float) - margins.mean(0, dtype=float)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    direction = vectors[:, -1] * np.sign(vectors[np.abs(vectors[:, -1]).argmax(), -1])
    found = json.loads((out / "forget_sets/pc1-top-5.json").read_text())
    assert (
        sorted(found["indices"]) == sorted(np.argsort(-direction)[:5].tolist())
        and found["models"] == 4
    )


def test_a_finished_run_does_nothing_more(finished):
    out, records, _ = finished
    before = (out / "results.jsonl").read_bytes()
    lines = []
    again = runner.run(SMALL, out, workers=1, report=lines.append)
    assert lines == [] and again == records and (out / "results.jsonl").read_bytes() == before


def test_killed_at_any_moment_it_finishes_with_the_same_numbers(finished, tmp_path: Path):
    """kill -9 of a run with two workers, twice; then one worker finishes. Bytes equal those of the undisturbed run."""
    out = tmp_path / "run"
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_plan; from unlearning.experiment import runner\n"
        "if __name__ == '__main__': runner.run(test_plan.SMALL, sys.argv[2], workers=2, "
        "report=lambda line: print(line, flush=True))"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    command = [sys.executable, str(script), str(Path(__file__).parent), str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for _ in range(5):  # pretrained models and some oracles are there
        assert process.stdout.readline().startswith("[")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + 60
    while any(alive(int(child)) for child in children):
        assert time.monotonic() < deadline, "workers outlived their run"
        time.sleep(0.1)
    with open(
        out / "results.jsonl", "ab"
    ) as file:  # as if it had been killed while writing a record, too
        file.write(b'{"dataset": "digits", "pre')
    lines: list[str] = []
    records = runner.run(SMALL, out, workers=1, report=lines.append)
    assert 0 < len(lines) <= 18 - 5  # what was done was not done again
    assert numbers(records) == numbers(finished[1]) and margins_of(out) == margins_of(finished[0])


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_more_models_later_keep_the_earlier_ones(finished, tmp_path: Path):
    small = replace(
        SMALL, models=2, forget_sets=("random-5",), configs=SMALL.configs[:1], retrain_epochs=()
    )
    first = runner.run(small, tmp_path, workers=1, report=None)
    kept = margins_of(tmp_path)
    second = runner.run(replace(small, models=4), tmp_path, workers=1, report=None)
    now, whole = margins_of(tmp_path), margins_of(finished[0])
    assert kept.items() <= now.items() and now.items() <= whole.items()
    assert {r["models"] for r in first} == {2} and {r["models"] for r in second} == {4}
    assert len(results.read(tmp_path / "results.jsonl")) == len(first) + len(second)


def test_other_scoring_code_scores_again_without_training(
    finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    import shutil

    shutil.copytree(finished[0], tmp_path / "copy")
    genuine = provenance.code_hash
    monkeypatch.setattr(
        provenance, "code_hash", lambda m: "other" if m == provenance.SCORING_CODE else genuine(m)
    )
    provenance.provenance.cache_clear()
    lines: list[str] = []
    records = runner.run(SMALL, tmp_path / "copy", workers=1, report=lines.append)
    provenance.provenance.cache_clear()
    assert lines == [] and {r["provenance"]["scoring_code"] for r in records} == {"other"}
    assert numbers(records) == numbers(finished[1])
    assert len(results.read(tmp_path / "copy/results.jsonl")) == 2 * len(records)


def test_a_time_budget_ends_it_cleanly_and_it_goes_on_later(tmp_path: Path):
    lines: list[str] = []
    assert runner.run(SMALL, tmp_path, workers=1, time_budget=0, report=lines.append) == []
    assert len(lines) == 1 and lines[0].startswith("time budget: 2 units")


def test_a_dry_run_prints_the_work_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture
):
    assert (
        main(
            [
                "experiment",
                "--preset",
                "smoke",
                "--dry-run",
                "--out",
                str(tmp_path / "none"),
                *SIZES,
            ]
        )
        == 0
    )
    told = capsys.readouterr().out
    assert (
        "pc1-top-5/ga,lr=0.05" in told
        and "TFLOP" in told
        and "units missing" in told
        and "gda" not in told
    )
    assert not (tmp_path / "none").exists()


@pytest.mark.skipif(
    not (datasets.find_root() / "forget_sets/cifar10").is_dir(), reason="no published forget sets"
)
def test_the_paper_preset_reads_published_sets_from_the_given_folder(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    root = str(datasets.find_root())
    monkeypatch.setenv(datasets.ROOT_VARIABLE, "/nonexistent")
    words = (
        "--preset",
        "paper",
        "--data",
        root,
        "--out",
        "/nonexistent",
        "--dry-run",
        "--method",
        "ga",
    )
    assert main(["experiment", *words, "--forget-set", "published-5", "published-6"]) == 0
    told = capsys.readouterr().out
    pflop = (
        100 * (3 * 24 * 50_000 + 60_000) * 0.583e9 / 1e12
    )  # N trainings of 24 epochs and one scoring
    found = float(
        next(line for line in told.splitlines() if line.startswith("pretrained")).split()[3]
    )
    assert found == pytest.approx(pflop, rel=0.01) and "published-6/ga" in told


@pytest.mark.parametrize(
    "words, told",
    [
        (["--preset", "big"], "unknown preset 'big'; choose from smoke, demo, live, laptop, desk"),
        (["--preset", "smoke", "--method", "GA"], "unknown method 'GA'; choose from nothing, ga"),
        (
            ["--preset", "smoke", "--forget-set", "worst"],
            "unknown forget set 'worst'; choose random-K",
        ),
        (["--preset", "smoke", "--forget-set", "random-96"], "96 of 96 training points"),
        (["--preset", "smoke", "--forget-set", "pc1-top-95"], "95 of 96 training points"),
        (["--preset", "smoke", "--forget-set", "random-1"], "a last batch of one image"),
        (
            ["--preset", "smoke", "--models", "1"],
            "1 models: a distribution of margins needs at least 2",
        ),
        (["--preset", "smoke", "--device", "tpu"], "unknown device 'tpu'"),
        (["--preset", "smoke", "--device", "cpu:x"], "unknown device 'cpu:x'"),
        (["--preset", "smoke", "--workers", "0"], "0 workers: give 1 to 1024"),
        (["--preset", "laptop", "--data", "/nonexistent"], "data_batch_1: No such file"),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_line(
    words: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture
):
    assert main(["experiment", *words, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1 and error.startswith("unlearning: ")


@pytest.mark.skipif(__import__("torch").cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture):
    assert (
        main(["experiment", "--preset", "smoke", "--device", "cuda", "--out", str(tmp_path)]) == 2
    )
    assert "no usable GPU here; use --device cpu" in capsys.readouterr().err


def test_a_folder_in_use_and_a_folder_of_other_code(
    finished, tmp_path: Path, capsys: pytest.CaptureFixture
):
    import shutil

    out = tmp_path / "copy"
    shutil.copytree(finished[0], out)
    words = ("--preset", "smoke", "--out", str(out), *SIZES)
    with files.only_one(out):
        assert main(["experiment", *words]) == 2
    assert "another run is writing there" in capsys.readouterr().err
    run = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps(run | {"training_code": "000000000000"}))
    before = margins_of(out)
    assert main(["experiment", *words]) == 2
    assert (
        "other code (training_code '000000000000', now" in capsys.readouterr().err
        and margins_of(out) == before
    )


def test_a_full_disk_and_a_diverging_training_keep_what_was_there(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    words = ("--preset", "smoke", "--workers", "1", "--out", str(tmp_path), *SIZES)
    save, calls = files.save, []

    def full(path: Path, **arrays: np.ndarray) -> None:
        calls.append(path)
        if len(calls) > 1:
            raise OSError(28, "No space left on device", str(path))
        save(path, **arrays)

    with monkeypatch.context() as patch:
        patch.setattr(files, "save", full)
        assert main(["experiment", *words]) == 1
    error = capsys.readouterr().err
    assert "No space left on device" in error and error.count("\n") == 1
    kept = margins_of(tmp_path)
    assert len(kept) == 1
    with monkeypatch.context() as patch:

        def diverge(*_: object) -> None:
            raise training.Diverged("the training loss is not finite; lower the recipe's peak_lr")

        patch.setattr(training, "train_stack", diverge)
        assert main(["experiment", *words]) == 1
    assert "not finite" in capsys.readouterr().err and margins_of(tmp_path) == kept


def test_oracles_are_trained_only_where_a_score_needs_them(tmp_path: Path, capsys):
    """--method nothing: the pretrained models alone; with --forget-set what doing nothing scores, in the same folder."""
    words = "experiment", "--preset", "smoke", "--workers", "1", "--models", "3", "--out"

    def roles(out: Path) -> set[str]:
        margins = out / "margins"
        return {p.parent.relative_to(margins).as_posix() for p in margins.rglob("*.npz")}

    out, nothing = tmp_path / "run", ("--method", "nothing")
    assert main([*words, str(out), *nothing, "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "pretrained" in told and "/oracle" not in told and "--forget-set adds them" in told
    assert main([*words, str(out), *nothing]) == 0
    assert roles(out) == {"pretrained"} and len(list((out / "weights").iterdir())) == 3
    assert "records in" not in capsys.readouterr().out and not (out / "results.jsonl").exists()
    before = margins_of(out)
    assert main([*words, str(out), *nothing, "--forget-set", "random-5"]) == 0
    assert roles(out) == {"pretrained", "random-5/oracle"}
    assert before.items() <= margins_of(out).items(), "the same pretrained models"
    assert [r["method"] for r in results.read(out / "results.jsonl")] == ["nothing"]
    assert main([*words, str(tmp_path / "ga"), "--method", "nothing", "ga", "--dry-run"]) == 0
    assert "random-5/oracle" in capsys.readouterr().out, "a score of ga needs them"


def test_a_second_run_can_wait_for_the_first(tmp_path: Path):
    """wait=True: nothing is trained before the folder is free, then everything is."""
    tiny = replace(
        presets.SMOKE, models=2, forget_sets=("random-5",), configs=(), retrain_epochs=()
    )
    with ThreadPoolExecutor(1) as pool:
        with files.only_one(tmp_path):
            second = pool.submit(runner.run, tiny, tmp_path, report=None, workers=1, wait=True)
            time.sleep(1)
            assert not second.done() and not (tmp_path / "margins").exists()
        assert [r["method"] for r in second.result(60)] == ["nothing"]


def test_lost_weights_are_named(tmp_path: Path):
    """Margins without the models that methods start from: one line that says so, and what was recorded stays."""
    tiny = replace(
        presets.SMOKE, models=2, forget_sets=("random-5",), configs=(), retrain_epochs=()
    )
    before = runner.run(tiny, tmp_path, report=None, workers=1)
    for path in (tmp_path / "weights").iterdir():
        path.unlink()
    with pytest.raises(
        errors.Refused, match="0000.pt is missing: methods start from the pretrained models"
    ):
        runner.run(
            replace(tiny, configs=(Config("ga", 0.05, (1,)),)), tmp_path, report=None, workers=1
        )
    assert runner.run(tiny, tmp_path, report=None, workers=1) == before


def test_stages_make_what_one_request_makes(finished, tmp_path: Path):
    """Stages in turn, stopped after the first: margins equal those of the request in one piece; near points are scored."""
    first = presets.Stage("few", 2, SMALL.forget_sets[:1], SMALL.configs[:1])
    rest = presets.Stage("all", 4, SMALL.forget_sets, SMALL.configs, SMALL.retrain_epochs)
    steps = replace(SMALL, stages=(first, rest))
    few = runner.run(replace(steps, stages=(first,)), tmp_path, workers=1, report=None)
    assert {r["models"] for r in few} == {2} and {r["forget_set"] for r in few} == {"random-5"}
    records = runner.run(steps, tmp_path, workers=1, report=None)
    assert [r for r in records if r["models"] == 2] == few
    random = [r for r in records if r["models"] == 4 and r["forget_set"] == "random-5"]
    assert numbers(random) == numbers([r for r in finished[1] if r["forget_set"] == "random-5"])


def test_near_points_are_a_group_of_their_own(tmp_path: Path):
    near = replace(
        SMALL,
        models=3,
        scored_near=7,
        forget_sets=("random-5",),
        configs=SMALL.configs[:1],
        retrain_epochs=(),
    )
    records = runner.run(near, tmp_path, workers=1, report=None)
    told = json.loads((tmp_path / "forget_sets/random-5.json").read_text())
    assert (
        len(told["near"]) == 7
        and told["models"] == 3
        and not set(told["near"]) & set(told["indices"])
    )
    for r in records:
        assert list(r["groups"]) == ["forget", "retain", "near", "val"]
        assert r["groups"]["near"]["oracle_to_unlearned"]["points"] == 7
    hits = np.concatenate(
        [np.load(p)["hits"][0] for p in sorted((tmp_path / "margins/pretrained").glob("*.npz"))]
    )
    nothing = next(r for r in records if r["method"] == "nothing")
    assert nothing["groups"]["near"]["accuracy"] == pytest.approx(hits[:, told["near"]].mean())
    ga = next(r for r in records if r["method"] == "ga")
    assert ga["provenance"]["method_code"] == provenance.code_hash(provenance.METHOD_CODE)


def test_a_short_retraining_has_the_whole_schedule(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    seen = []
    genuine = training.learning_rate
    monkeypatch.setattr(
        training, "learning_rate", lambda *a: seen.append((a[2].epochs, genuine(*a))) or genuine(*a)
    )
    short = replace(
        SMALL, models=2, stack=1, forget_sets=("random-5",), configs=(), retrain_epochs=(1,)
    )
    runner.run(short, tmp_path, workers=1, report=None)
    rates = [rate for epochs, rate in seen if epochs == 1][:3]
    assert rates == pytest.approx(
        [0.0, 0.4 / 1.5, 0.4 / 1.5]
    )  # up and down again: the peak is at half of the 3 steps


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--preset", "desk", "--stage", "Z"], "unknown stage 'Z': desk has P, A-1-5"),
        (["--preset", "smoke", "--stage", "A"], "smoke has none"),
        (["--preset", "desk", "--stage", "P", "--models", "3"], "leave out --models"),
    ],
)
def test_stages_that_do_not_exist_are_refused(
    words, told, tmp_path: Path, capsys: pytest.CaptureFixture
):
    assert main(["experiment", *words, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1
