"""Packs: the run's own margins in a few small files, within their limits; what is no pack is refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import hypergeom

import independent
from unlearning import datasets
from unlearning.__main__ import main
from unlearning.errors import Refused
from unlearning.experiment import packing, presets, runner
from unlearning.methods import Config

SMALL = replace(presets.SMOKE, retrain_epochs=(), configs=(Config("ga", 0.05, (1, 2)),))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a small experiment: 4 pretrained models, 4 oracles of each of 2 sets."""
    out = tmp_path_factory.mktemp("experiment") / "run"
    runner.run(SMALL, out, workers=1, report=None)
    return out


@pytest.fixture(scope="module")
def packs(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("packs")
    packing.pack(run, out)
    return out


def margins_of(run: Path, role: str) -> np.ndarray:
    files = sorted((run / "margins" / role).glob("*.npz"))
    return np.concatenate([np.load(file)["margins"][0] for file in files])


@pytest.mark.parametrize("name", SMALL.forget_sets)
def test_a_pack_holds_the_runs_margins_of_both_ensembles(run: Path, packs: Path, name: str):
    """Read with NumPy alone, as anyone can."""
    own, shared = (
        np.load(packs / f"smoke/{file}.npz", allow_pickle=False) for file in (name, "pretrained")
    )
    meta, points = json.loads(str(own["meta"])), own["points"]
    forget = json.loads((run / f"forget_sets/{name}.json").read_text())["indices"]
    assert (
        meta["groups"] == {"forget": 5, "retain": 30, "val": 30} and points[:5].tolist() == forget
    )
    assert (
        not set(points[5:35].tolist()) & set(forget)
        and points[5:35].max() < 96 <= points[35:].min()
    )
    assert len(set(points.tolist())) == 65 and points.max() < 96 + 60
    at = [shared["points"].tolist().index(p) for p in points]
    for packed, role in (
        (own["oracle"], f"{name}/oracle"),
        (shared["pretrained"][:, at], "pretrained"),
    ):
        genuine = margins_of(run, role)[:, points]
        assert packed.dtype == np.float16 and np.abs(genuine).max() < 16
        assert np.abs(packed - genuine).max() <= 1 / 256
    read = packing.read(str(packs / f"smoke/{name}.npz"))
    assert (read.oracle == own["oracle"]).all() and (
        read.pretrained == shared["pretrained"][:, at]
    ).all()
    assert read.groups() == {"forget": slice(0, 5), "retain": slice(5, 35), "val": slice(35, 65)}


def test_the_points_are_those_on_which_the_run_scored_its_methods(run: Path, packs: Path):
    scored = np.load(run / "margins/random-5/ga,lr=0.05/0000-0001.npz")["margins"]
    assert scored.shape[2] == len(packing.read("smoke/random-5", packs).points)


def test_source_leads_back_to_the_images_of_the_whole_data_set(packs: Path):
    pack, whole = packing.read("smoke/random-5", packs), datasets.load("digits")
    cut = datasets.load("digits", train=96, val=60, seed=SMALL.seed)
    for group, columns in pack.groups().items():
        points, source = pack.points[columns].astype(int), pack.source[columns].astype(int)
        if group == "val":
            assert (whole.val_images[source] == cut.val_images[points - 96]).all()
            assert (whole.val_labels[source] == cut.val_labels[points - 96]).all()
        else:
            assert (whole.images[source] == cut.images[points]).all()
            assert (whole.labels[source] == cut.labels[points]).all()


def test_a_pack_says_where_it_comes_from(run: Path, packs: Path):
    import hashlib

    meta = packing.read("smoke/random-5", packs).meta
    assert meta["run"] == json.loads((run / "run.json").read_text()) and meta["models"] == 4
    assert (
        meta["sha256"] == hashlib.sha256(margins_of(run, "random-5/oracle").tobytes()).hexdigest()
    )
    for told in (meta["trained"], meta["packed_by"]):
        assert {"commit", "training_code", "scoring_code", "torch", "device"} <= set(told)


def test_packing_again_gives_the_same_bytes(run: Path, packs: Path, tmp_path: Path):
    packing.pack(run, tmp_path)
    for path in packs.rglob("*.npz"):
        assert (tmp_path / path.relative_to(packs)).read_bytes() == path.read_bytes()


def test_margins_are_clipped_to_what_float16_and_klom_hold():
    found = packing.rounded(np.array([1e30, -np.inf, np.nan, -70000, 0.1], np.float32))
    assert found[:2].tolist() == [100, -100] and np.isnan(found[2]) and found[3] == -100
    assert found[4] == pytest.approx(0.1, rel=2**-11)


@pytest.mark.parametrize(
    "mean, sd", [(-0.2, 2.0), (5.0, 1.5)]
)  # a trial's points as they are; confident models
def test_nine_sets_of_a_hundred_models_stay_within_the_limits(
    mean: float, sd: float, tmp_path: Path
):
    """The paper's nine sets at N = 100, 2,000 + 2,000 fixed points: 1 MB a set, 10 MB in all."""
    generator = np.random.default_rng(0)

    def ensemble(points: int) -> np.ndarray:
        centres, spreads = generator.normal(mean, sd, points), generator.uniform(0.5, 2, points)
        return packing.rounded(
            (centres + spreads * generator.normal(size=(100, points))).astype(np.float32)
        )

    files, meta = {}, np.array(json.dumps({"models": 100}))
    for k, size in enumerate((10, 100, 1000, 10, 100, 500, 10, 100, 500), 1):
        points = np.sort(generator.choice(60_000, size + 4000, replace=False)).astype(np.int32)
        files[f"published-{k}.npz"] = {
            "oracle": ensemble(len(points)),
            "points": points,
            "source": points,
            "meta": meta,
        }
    points = np.sort(generator.choice(60_000, 6300, replace=False)).astype(np.int32)
    files["pretrained.npz"] = {"pretrained": ensemble(len(points)), "points": points, "meta": meta}
    packing._write(tmp_path, "paper", files)
    sizes = {path.stem: path.stat().st_size for path in tmp_path.rglob("*.npz")}
    assert len(sizes) == 10 and max(v for k, v in sizes.items() if k != "pretrained") <= 1_000_000
    assert sum(sizes.values()) <= 9_500_000  # and room for the laptop's


def test_a_large_forget_set_is_represented_by_some_of_it(
    run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(packing, "FORGET", 3)
    packing.pack(run, tmp_path)
    pack = packing.read("smoke/random-5", tmp_path)
    forget = json.loads((run / "forget_sets/random-5.json").read_text())["indices"]
    assert pack.meta["groups"]["forget"] == 3 and pack.meta["forget_size"] == 5
    assert set(pack.points[:3].tolist()) < set(forget) and not set(pack.points[3:].tolist()) & set(
        forget
    )


def test_what_does_not_fit_is_refused_before_anything_is_written(
    run: Path, packs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copytree(packs, tmp_path, dirs_exist_ok=True)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.npz")}
    for limit, told in (
        ("SET_LIMIT", "pc1-top-5.npz: "),
        ("TOTAL_LIMIT", "bytes with these packs, allowed 100"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(packing, limit, 100)
            with pytest.raises(Refused, match=told):
                packing.pack(run, tmp_path)
    (tmp_path / "smoke/random-7.npz").write_bytes(b"of another run")
    with pytest.raises(Refused, match="random-7.npz belong to no set of this run"):
        packing.pack(run, tmp_path)
    assert {path: path.read_bytes() for path in before} == before


def test_an_unfinished_run_is_packed_as_far_as_it_has_models_without_a_gap(
    run: Path, tmp_path: Path
):
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run/margins/random-5/oracle/0002-0003.npz").unlink()
    (tmp_path / "run/margins/pc1-top-5/oracle/0000-0001.npz").unlink()
    written = packing.pack(tmp_path / "run", tmp_path / "out")
    assert [path.name for path, _ in written] == ["random-5.npz", "pretrained.npz"]
    pack = packing.read("smoke/random-5", tmp_path / "out")
    assert (
        pack.oracle.shape == (2, 65)
        and pack.meta["models"] == 2
        and pack.pretrained.shape == (4, 65)
    )
    shutil.rmtree(tmp_path / "run/margins/random-5")
    shutil.rmtree(tmp_path / "run/margins/pretrained")
    with pytest.raises(Refused, match="0 pretrained models; a pack needs at least 2"):
        packing.pack(tmp_path / "run", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_pretrained_models_alone_are_packed_on_the_points_that_all_sets_share(
    run: Path, packs: Path, tmp_path: Path
):
    shutil.copytree(run, tmp_path / "run")
    for name in ("random-5", "pc1-top-5"):
        shutil.rmtree(tmp_path / "run/margins" / name)
    out = tmp_path / "out"
    [(path, meta)] = packing.pack(tmp_path / "run", out)
    assert path.name == "pretrained.npz" and meta["models"] == 4
    assert packing.available(out) == [] and packing.validation("nothing", out) is None
    margins, whole = packing.validation("smoke", out), packing.validation("smoke", packs)
    pack = packing.read("smoke/random-5", packs)
    assert margins.shape == (4, 30) and np.array_equal(margins, whole)
    assert np.array_equal(margins, pack.pretrained[:, pack.groups()["val"]])
    np.savez(path, pretrained=np.zeros((2, 3)))
    with pytest.raises(Refused, match="no packed models; pack the run again"):
        packing.validation("smoke", out)


def test_a_small_set_carries_the_paths_of_its_points(
    run: Path, packs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Gradient ascent on F, as the run's files have it; too few models or too many points: no paths."""
    monkeypatch.setattr(packing, "PATH_MODELS", 4)
    packing.pack(run, tmp_path)
    pack = packing.read("smoke/random-5", tmp_path)
    assert packing.read("smoke/random-5", packs).paths is None
    told = pack.meta["ga"]
    configs = [c for c in SMALL.configs if c.method == "ga" and c.lr > 0 and c.batchnorm == "train"]
    assert told["rates"] == [c.lr for c in configs] and told["epochs"] == list(configs[0].epochs)
    for k, config in enumerate(configs):
        parts = sorted((run / "margins/random-5" / config.label()).glob("*.npz"))
        raw = np.concatenate([np.load(part)["margins"] for part in parts], 1)[..., :5]
        assert np.array_equal(pack.paths[k], packing.rounded(raw).astype(np.float32))
    monkeypatch.setattr(packing, "PATH_POINTS", 4)
    packing.pack(run, tmp_path / "larger")
    assert packing.read("smoke/random-5", tmp_path / "larger").paths is None
    arrays = dict(np.load(tmp_path / "smoke/random-5.npz"))
    np.savez(tmp_path / "smoke/random-5.npz", **{k: v for k, v in arrays.items() if k not in ("ga", "sha256")})  # fmt: skip
    with pytest.raises(Refused, match="are no pack"):
        packing.read("smoke/random-5", tmp_path)


def test_the_table_of_subsamples_is_that_of_the_runs_scores(run: Path, packs: Path):
    """The P95 of doing nothing on all points and on the packed ones, recomputed with NumPy."""
    pretrained, oracle = (
        margins_of(run, "pretrained").astype(float),
        margins_of(run, "random-5/oracle").astype(float),
    )
    scores, pack = independent.klom(pretrained, oracle), packing.read("smoke/random-5", packs)
    for group, members in (
        ("retain", np.setdiff1d(np.arange(96), pack.points[:5])),
        ("val", np.arange(96, 156)),
    ):
        table = pack.meta["subsample"][group]
        assert table["points"] == len(members) and table["packed"] == 30
        assert table["p95"] == pytest.approx(np.percentile(scores[members], 95), abs=1e-9)
        packed = pack.points[pack.groups()[group]]
        assert table["packed_p95"] == pytest.approx(np.percentile(scores[packed], 95), abs=1e-9)
        assert [row["points"] for row in table["drawn"]] == [50]


@pytest.mark.parametrize(
    "size", [21, 101, 201]
)  # 95% of size - 1 is whole: the percentile is one of the scores
def test_subsamples_follow_the_exact_distribution_of_an_order_statistic(size: int):
    """Of `size` scores drawn without replacement from n, the k-th smallest is at most the j-th of all when at least k
    of the j smallest are drawn: a hypergeometric probability."""
    n, k = 680, round(0.95 * (size - 1)) + 1
    scores = np.sort(np.random.default_rng(1).gamma(3, 0.1, n))
    below = hypergeom(n, np.arange(1, n + 1), size).sf(k - 1)
    weights = np.diff(below, prepend=0)
    row = packing.subsample(scores, (size,), draws=4000)[0]
    sd = np.sqrt(weights @ scores**2 - (weights @ scores) ** 2)
    assert row["mean"] == pytest.approx(weights @ scores, abs=5 * sd / np.sqrt(4000))
    for end, share in (("low", 0.025), ("high", 0.975)):
        nearby = [
            scores[np.searchsorted(below, share + d)] for d in (-0.013, 0.013)
        ]  # 5 standard errors of a share
        assert nearby[0] <= row[end] <= nearby[1]
    assert packing.subsample(scores, (680, 1000)) == []


# --- what is no pack -------------------------------------------------------------------------------------------------


def test_what_is_no_pack_is_refused(packs: Path, tmp_path: Path):
    with pytest.raises(
        Refused, match="unknown pack 'smoke/random-6'; choose from smoke/pc1-top-5, smoke/random-5"
    ):
        packing.read("smoke/random-6", packs)
    with pytest.raises(Refused, match="none.npz: No such file"):
        packing.read(str(packs / "none.npz"))
    folder = tmp_path / "smoke"
    shutil.copytree(packs / "smoke", folder)
    genuine = (folder / "random-5.npz").read_bytes()
    arrays = dict(np.load(folder / "random-5.npz"))

    def refused(told: str) -> None:
        with pytest.raises(Refused, match=told):
            packing.read(str(folder / "random-5.npz"))

    for length in (0, 10, len(genuine) // 2, len(genuine) - 30):
        (folder / "random-5.npz").write_bytes(genuine[:length])
        refused("not a .npz file of plain arrays")
    np.savez(folder / "random-5.npz", oracle=np.array([object()]))
    refused("Python objects, which are never loaded")
    np.savez(folder / "random-5.npz", **(arrays | {"points": arrays["points"] + 1}))
    refused("random-5.npz: damaged: its checksum is another")
    del arrays["sha256"]  # a pack of an older version has none
    for change in (
        {"points": arrays["points"] + 1000},
        {"oracle": arrays["oracle"][:1]},
        {"meta": np.array("[1]")},
        {"oracle": arrays["oracle"][:, 1:]},
        {"source": arrays["source"][1:]},
        {"meta": np.array("{")},
    ):
        np.savez(folder / "random-5.npz", **(arrays | change))
        refused("are no pack; pack the run again")
    np.savez(folder / "random-5.npz", margins=np.zeros((2, 2)))
    refused("are no pack")
    (folder / "random-5.npz").write_bytes(genuine)
    (folder / "pretrained.npz").unlink()
    refused("pretrained.npz: No such file")


def test_the_command(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    assert main(["pack", "--from", str(run), "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert (
        "random-5.npz" in told
        and "4 models on 5 forget, 30 retain, 30 val" in told
        and told.count("\n") == 3
    )
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "run.json").write_text('{"name": "smoke", "recipe": {"epochs": 1}}')
    for words, told in (
        (["--from", str(tmp_path)], "no run of `unlearning experiment`"),
        (["--from", str(bad)], "no run of `unlearning experiment`"),
    ):
        assert main(["pack", *words, "--out", str(tmp_path)]) == 2
        error = capsys.readouterr().err
        assert told in error and error.count("\n") == 1 and error.startswith("unlearning: ")
