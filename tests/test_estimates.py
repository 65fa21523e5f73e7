"""What records hold beside KLoM: recomputed by numpy from the margins on disk; blocks are disjoint; pairs share models."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from unlearning.estimators import geb, oq5
from unlearning.experiment import estimates, presets, provenance, runner
from unlearning.files import ROOT
from unlearning.methods import Config

PRESET = replace(
    presets.SMOKE,
    models=6,
    stack=3,
    estimates=True,
    forget_sets=("random-5",),
    retrain_epochs=(),
    configs=(
        Config("ga", 0.0, (1, 2)),
        Config("ga", 0.05, (1, 2)),
        Config("finetune", 5e-3, (1,)),
        Config("gda", 5e-3, (1,), ascent_epochs=1),
    ),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict]]:
    out = tmp_path_factory.mktemp("estimates") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(estimates, "BLOCK", 3)
        return out, runner.run(PRESET, out, workers=1, report=None)


def arrays(out: Path, role: str) -> dict[str, np.ndarray]:
    parts = [np.load(path) for path in sorted((out / "margins" / role).glob("*.npz"))]
    return {k: np.concatenate([p[k] for p in parts], 1) for k in ("margins", "hits")}


def find(records: list[dict], method: str, lr: float, epoch: int) -> dict:
    return next(
        r
        for r in records
        if (r["method"], r["configuration"]["lr"], r["epoch"]) == (method, lr, epoch)
    )


def test_a_groups_numbers_are_those_of_its_margins(run):
    out, records = run
    record = find(records, "ga", 0.05, 2)
    ga, oracle = arrays(out, "random-5/ga,lr=0.05"), arrays(out, "random-5/oracle")
    forget = np.sort(np.random.RandomState(5).choice(96, 5, replace=False))
    u, o = (
        torch.from_numpy(np.ascontiguousarray(x))
        for x in (ga["margins"][1][:, :5], oracle["margins"][0][:, forget])
    )
    group = record["groups"]["forget"]
    assert group["oq5_mean"] == pytest.approx(float(oq5(u, o).mean()))
    assert group["reverse_oq5_p95"] == pytest.approx(np.percentile(oq5(o, u).numpy(), 95))
    assert group["geb_mean"] == pytest.approx(float(geb(u, o).mean()))
    assert group["klom_p95"] == group["oracle_to_unlearned"]["p95"]
    each = ga["hits"][1][:, :5].mean(1)
    assert group["accuracy_error"] == pytest.approx(np.std(each, ddof=1) / np.sqrt(6))


def test_blocks_are_disjoint_and_each_has_oracles_of_its_own(run):
    out, records = run
    record = find(records, "ga", 0.05, 1)
    assert [(b["first"], b["last"]) for b in record["blocks"]] == [(0, 2), (3, 5)]
    ga, oracle = arrays(out, "random-5/ga,lr=0.05"), arrays(out, "random-5/oracle")
    forget = np.sort(np.random.RandomState(5).choice(96, 5, replace=False))
    for block in record["blocks"]:
        rows = slice(block["first"], block["last"] + 1)
        u, o = (
            torch.from_numpy(x.copy())
            for x in (ga["margins"][0][rows, :5], oracle["margins"][0][rows][:, forget])
        )
        assert block["forget"]["oq5_mean"] == pytest.approx(float(oq5(u, o).mean()))
        assert block["forget"]["accuracy"] == pytest.approx(ga["hits"][0][rows, :5].mean())


def test_ga_is_paired_with_drift_and_gda_with_fine_tuning(run):
    out, records = run
    ga, gda = find(records, "ga", 0.05, 2), find(records, "gda", 5e-3, 1)
    assert ga["paired"]["baseline"] == "ga" and gda["paired"]["baseline"] == "finetune,lr=0.005"
    assert find(records, "ga", 0.0, 2)["paired"] == {}
    drift = find(records, "ga", 0.0, 2)
    found = ga["paired"]["retain"]
    wanted = ga["groups"]["retain"]["oq5_mean"] - drift["groups"]["retain"]["oq5_mean"]
    assert found["oq5_mean"] == pytest.approx(wanted) and found["oq5_mean_error"] > 0
    a, b = (
        arrays(out, f"random-5/{role}")["hits"][1][:, 5:35].mean(1) for role in ("ga,lr=0.05", "ga")
    )
    assert found["accuracy"] == pytest.approx((a - b).mean())
    assert found["accuracy_error"] == pytest.approx(np.std(a - b, ddof=1) / np.sqrt(6))


def test_a_paired_error_is_smaller_where_the_models_are_the_same():
    """Two methods that do nearly the same: the difference is known far better than either score."""
    generator = torch.Generator().manual_seed(0)
    o, u = (torch.randn(20, 40, generator=generator) for _ in range(2))
    nearly = u + 0.01 * torch.randn(20, 40, generator=generator)
    hits = np.ones((20, 40), bool)
    found = estimates.paired(u, nearly, o, hits, hits)
    single = estimates.group(u, o)
    assert (
        found["oq5_mean_error"] < 0.5 * single["oq5_mean_error"] and abs(found["oq5_mean"]) < 0.05
    )
    assert found["accuracy"] == found["accuracy_error"] == 0


def test_a_record_names_its_date_and_its_protocol(run):
    _, records = run
    for record in records:
        assert record["provenance"]["protocol"] is None  # the smoke preset has none
        assert (
            record["provenance"]["recorded"].startswith("20")
            and "+00:00" in record["provenance"]["recorded"]
        )
        json.dumps(record, allow_nan=False)
    assert (
        len(provenance.protocol("desk")) == 64
        and (ROOT / "results" / "protocol-desk.toml").exists()
    )
