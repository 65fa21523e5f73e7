"""Shards of an experiment and their merge: the same bytes as the undivided run; what does not belong together is refused."""

import json
import os
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from test_plan import margins_of, numbers
from unlearning import errors, files
from unlearning.__main__ import main
from unlearning.experiment import merge, packing, presets, results, runner, shards
from unlearning.methods import Config

RANDOM = replace(
    presets.SMOKE,
    models=5,  # stacks of 2, 2 and 1
    forget_sets=("random-5",),
    configs=(Config("ga", 0.05, (1,)),),
    retrain_epochs=(1,),
)


def run(p: presets.Preset, out: Path, shard: tuple[int, int] | None = None) -> list[str]:
    lines: list[str] = []
    found = runner.run(p, out, workers=1, report=lines.append, shard=shard)
    assert not (shard and (found or (out / "results.jsonl").exists())), "a shard makes no records"
    return lines


def divided(p: presets.Preset, folder: Path, count: int) -> list[Path]:
    """The folders of all shards, each run once."""
    for i in range(1, count + 1):
        run(p, folder / f"shard{i}", (i, count))
    return [folder / f"shard{i}" for i in range(1, count + 1)]


def content(out: Path) -> tuple:
    """What must be the same: margins byte by byte, forget sets, weights, records in their order."""
    sets = {p.name: p.read_bytes() for p in sorted((out / "forget_sets").iterdir())}
    weights = sorted(p.name for p in (out / "weights").iterdir())
    records = results.read(out / "results.jsonl")
    return (
        margins_of(out),
        sets,
        weights,
        list(numbers(records).items()),
        (out / "run.json").read_bytes(),
    )


@pytest.fixture(scope="module")
def random(tmp_path_factory) -> list[Path]:
    """Three finished shards of RANDOM."""
    return divided(RANDOM, tmp_path_factory.mktemp("random"), 3)


@pytest.fixture
def copies(random, tmp_path) -> list[Path]:
    """The same in folders that a test may spoil."""
    for folder in random:
        shutil.copytree(folder, tmp_path / folder.name)
    return [tmp_path / folder.name for folder in random]


@pytest.mark.parametrize("stack", [1, 2, 5])
@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_every_model_has_one_owner_and_stacks_stay_whole(stack, count):
    owners = [shards.owner(i, stack, count) for i in range(40 * stack)]
    assert set(owners) == set(range(1, count + 1))
    for start in range(0, len(owners), stack):
        assert len(set(owners[start : start + stack])) == 1
    for models in range(stack, len(owners) + 1, stack):  # however many models a stage has
        sizes = Counter(owners[:models])
        assert max(sizes.values()) - min(sizes[i] for i in range(1, count + 1)) <= stack


@pytest.mark.slow
def test_the_smoke_preset_in_two_shards_is_the_undivided_one(tmp_path, capsys):
    """Two passes: its second forget set is chosen by all pretrained models."""
    whole = tmp_path / "whole"
    run(presets.SMOKE, whole)
    count = len((whole / "results.jsonl").read_text().splitlines())
    folders, out = divided(presets.SMOKE, tmp_path, 2), tmp_path / "merged"
    for folder in folders:
        assert [p.name for p in (folder / "margins").iterdir()] == ["pretrained"]
        assert not (folder / "forget_sets").exists()
    lines = run(presets.SMOKE, folders[0], (1, 2))
    assert len(lines) == 1 and "pc1-top-5 can only be chosen by those of all shards" in lines[0]

    words = ["merge", "--from", *map(str, folders), "--out", str(out)]
    assert main(words) == 0
    assert capsys.readouterr().out == (
        "chosen by all pretrained models and written to every shard: pc1-top-5. Run the shards again with the same "
        "options, then merge again\n"
    )
    assert divided(presets.SMOKE, tmp_path, 2) == folders
    assert {p.name for f in folders for p in (f / "weights").iterdir()} == {
        f"{i:04d}.pt" for i in range(4)
    }
    assert main(words) == 0
    assert capsys.readouterr().out == f"{count} records in {out}/results.jsonl\n"
    assert content(out) == content(whole)
    assert main(words) == 0 and content(out) == content(whole), "again: nothing changes"


@pytest.mark.slow
def test_a_merged_folder_is_an_ordinary_one(random, tmp_path):
    """Shards of different sizes; then more work on one machine, and a pack."""
    out, whole = tmp_path / "merged", tmp_path / "whole"
    records, chosen = merge.merge(random, out)
    assert chosen == [] and len(records) == 3
    run(RANDOM, whole)
    assert content(out) == content(whole)
    assert run(RANDOM, out) == [], "nothing is left to do"
    more = replace(RANDOM, models=6, configs=(*RANDOM.configs, Config("ga", 0.01, (1,))))
    run(more, out)
    run(more, whole)
    assert content(out)[0] == content(whole)[0]
    assert numbers(results.read(out / "results.jsonl")) == numbers(
        results.read(whole / "results.jsonl")
    )
    assert packing.pack(out, tmp_path / "packs")


@pytest.mark.slow
def test_stages_and_near_points(tmp_path):
    """Later stages have more models and sets of their own: each set is chosen by the models that an undivided run had."""
    first = presets.Stage("A", 4, ("random-5",), (Config("ga", 0.05, (1,)),))
    more = presets.Stage("B", 6, ("random-5",), (), (1,))
    last = presets.Stage("C", 3, ("pc2-top-5",))
    p = replace(presets.SMOKE, scored_near=4, stages=(first, more, last))
    whole, out = tmp_path / "whole", tmp_path / "merged"
    run(p, whole)
    passes = []
    while not passes or passes[-1]:
        folders = divided(p, tmp_path, 3)
        passes.append(merge.merge(folders, out)[1])
        assert len(passes) < 5
    assert passes == [["random-5"], ["pc2-top-5"], []]
    chosen = {p.stem: json.loads(p.read_text())["models"] for p in (out / "forget_sets").iterdir()}
    assert chosen == {"random-5": 4, "pc2-top-5": 6}
    assert content(out) == content(whole)


@pytest.mark.slow
def test_a_shard_does_its_own_models_only(random):
    for i, folder in enumerate(random, 1):
        own = {k for k in range(5) if shards.owner(k, 2, 3) == i}
        assert {int(p.stem) for p in (folder / "weights").iterdir()} == own
        for role in ("pretrained", "random-5/oracle", "random-5/ga,lr=0.05", "random-5/retrain-1"):
            spans = [p.stem.split("-") for p in (folder / "margins" / role).glob("*.npz")]
            assert {k for a, b in spans for k in range(int(a), int(b) + 1)} == own


@pytest.mark.slow
def test_without_links_files_are_copied(random, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    merge.merge(random, tmp_path / "merged")
    assert margins_of(tmp_path / "merged").keys() == {k for f in random for k in margins_of(f)}
    assert all(p.stat().st_nlink == 1 for p in (tmp_path / "merged").rglob("*.npz"))


# --- what does not belong together -----------------------------------------------------------------------------------


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def other_work(path: Path) -> None:
    preset = json.loads(path.read_text())["preset"]
    edit(path, preset=preset | {"models": 4})


def swap_set(folder: Path) -> None:
    edit(folder / "forget_sets" / "random-5.json", indices=[1, 2, 3, 4, 5])


SPOILED = [
    (lambda a, b, c: shutil.rmtree(c), "shard3 is no shard of an experiment"),
    (lambda a, b, c: (c / "shard.json").unlink(), "shard3 is no shard of an experiment"),
    (lambda a, b, c: (c / "shard.json").write_text("{"), "shard.json cannot be read"),
    (lambda a, b, c: edit(c / "shard.json", preset={"name": "x"}), "asked for different work"),
    (lambda a, b, c: [edit(f / "shard.json", preset={"name": "x"}) for f in (a, b, c)], "written by other code"),
    (lambda a, b, c: (c / "run.json").write_text("[]"), "run.json cannot be read"),
    (lambda a, b, c: edit(c / "run.json", seed=1), "hold different experiments: seed differ"),
    (lambda a, b, c: edit(c / "run.json", training_code="0"), "hold different experiments: training_code"),
    (lambda a, b, c: other_work(c / "shard.json"), "asked for different work: models differ"),
    (lambda a, b, c: edit(c / "shard.json", of=4), "merge shards of one division"),
    (lambda a, b, c: edit(c / "shard.json", shard=2), "two folders of one shard"),
    (lambda a, b, c: [edit(f / "shard.json", of=4) for f in (a, b, c)], "shards 4/4 are missing"),
    (lambda a, b, c: (b / "margins/random-5/oracle/0002-0003.npz").unlink(),
     "shard2 (shard 2/3) is not complete: 2 margins are missing, the first is model 2 of random-5/oracle; run that"),
    (lambda a, b, c: shutil.rmtree(c / "margins/pretrained"), "the first is model 4 of pretrained"),
    (lambda a, b, c: shutil.copy(a / "margins/pretrained/0000-0001.npz", b / "margins/pretrained"),
     "holds model 0 of pretrained, which belongs to"),
    (lambda a, b, c: swap_set(b), "did not forget the same points"),
    (lambda a, b, c: (c / "margins/pretrained/0004-0004.npz").write_bytes(b"PK"), "is cut short"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("spoil", "said"), SPOILED)
def test_what_does_not_belong_together(spoil, said, copies, tmp_path, capsys):
    spoil(*copies)
    before = {p: p.read_bytes() for f in copies for p in f.rglob("*.json")}
    assert main(["merge", "--from", *map(str, copies), "--out", str(tmp_path / "merged")]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and error.startswith("unlearning: ")
    assert not (tmp_path / "merged").exists()
    assert {p: p.read_bytes() for f in copies for p in f.rglob("*.json")} == before


@pytest.mark.slow
def test_folders_named_wrongly(random, tmp_path, capsys):
    a, b, c = map(str, random)
    out = str(tmp_path / "merged")
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / "run.json").write_text("{}")
    for folders, target, said in (
        ([a, b], out, "shards 3/3 are missing"),
        ([a, b, c, a], out, "names a folder twice"),
        ([a, b, f"{c}/../shard2"], out, "names a folder twice"),
        ([a, b, str(whole)], out, "whole is no shard"),
        ([a, b, str(tmp_path / "nowhere")], out, "nowhere is no shard"),
        ([a, b, c], a, "is a shard itself"),
        ([a, b, c], f"{b}/../shard2", "is a shard itself"),
    ):
        assert main(["merge", "--from", *folders, "--out", target]) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1
    assert not Path(out).exists() and not (tmp_path / "nowhere").exists()
    with files.only_one(random[1]):
        assert main(["merge", "--from", a, b, c, "--out", out]) == 2
    assert "another run is writing there" in capsys.readouterr().err


@pytest.mark.slow
def test_a_merge_of_something_else_stays_as_it_is(copies, tmp_path):
    merge.merge(copies, tmp_path / "merged")
    before = content(tmp_path / "merged")
    path = copies[0] / "margins/random-5/oracle/0000-0001.npz"
    with np.load(path) as arrays:
        changed = {k: arrays[k] for k in arrays.files}
    changed["margins"] = changed["margins"] + 1
    files.save(path, **changed)
    with pytest.raises(errors.Refused, match="differ: merge into a new --out folder"):
        merge.merge(copies, tmp_path / "merged")
    assert content(tmp_path / "merged") == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1", "give i/n"),
        ("0/2", "give i/n"),
        ("3/2", "give i/n"),
        ("1/0", "give i/n"),
        ("-1/2", "give i/n"),
        ("a/b", "give i/n"),
        ("1/2/3", "give i/n"),
        ("1.0/2", "give i/n"),
        (" 1/2", "give i/n"),
        ("1/" + "9" * 5000, "--shard 1/999"),
        ("1/3", "4 models, trained 2 at a time, make 2 pieces; use at most 2 shards"),
    ],
)
def test_shards_that_are_refused(text, said, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["experiment", "--preset", "smoke", f"--shard={text}", "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and not out.exists()


def test_a_folder_stays_what_it_is(tmp_path, monkeypatch, capsys):
    """A shard's folder takes no other shard and no undivided run, and a run's folder takes no shard."""
    monkeypatch.setattr(runner, "_run_all", lambda *_: True)
    small = ["experiment", "--preset", "smoke", "--forget-set", "random-5"]
    out = ["--out", str(tmp_path / "a")]
    assert main([*small, *out, "--shard", "1/2"]) == 0
    for words, said in (
        ([], "holds shard 1/2: give --shard 1/2, or another --out"),
        (["--shard", "2/2"], "holds shard 1/2"),
        (["--shard", "1/1"], "holds shard 1/2"),
    ):
        assert main([*small, *out, *words]) == 2
        assert said in capsys.readouterr().err
    assert main([*small, "--out", str(tmp_path / "b")]) == 0
    assert main([*small, "--out", str(tmp_path / "b"), "--shard", "1/2"]) == 2
    assert "holds an undivided experiment" in capsys.readouterr().err
    noted = json.loads((tmp_path / "a" / "shard.json").read_text())
    assert noted["preset"]["forget_sets"] == ["random-5"] and noted["of"] == 2


def test_a_dry_run_shows_a_shards_part(capsys):
    """The parts of all shards add up to the whole."""

    def planned(*words: str) -> tuple[int, float]:
        assert (
            main(["experiment", "--preset", "smoke", "--out", "/nonexistent", "--dry-run", *words])
            == 0
        )
        last = capsys.readouterr().out.splitlines()[-1].split()
        return int(last[0]), float(last[3])

    whole, parts = planned(), [planned("--shard", f"{i}/2") for i in (1, 2)]
    assert sum(units for units, _ in parts) == whole[0]
    assert sum(flops for _, flops in parts) == pytest.approx(whole[1], abs=0.02)


def test_a_preset_survives_its_note(tmp_path):
    for p in presets.PRESETS.values():
        shards.note(p, tmp_path, (1, 2))
        assert merge.preset_of(shards.read(tmp_path)["preset"]) == p
