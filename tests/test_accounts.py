"""Expected numbers that a stranger can check, the ledger of compute and the configurations behind every number."""

import json
import re
import shlex
import subprocess
import sys

import nbformat
import pandas as pd
import pytest

from unlearning.build import chapters
from unlearning.build.record import contents
from unlearning.files import ROOT
from unlearning.page import accounts, evidence, ledger
from unlearning.page.claims import CLAIMS
from unlearning.page.verdicts import HERE

EXPECTED = accounts.expected()
RECORDS = evidence.recorded()
CHEAP = EXPECTED[EXPECTED.minutes <= 0.2]


def test_every_claim_that_was_run_has_one_row():
    assert EXPECTED.claim.tolist() == [c.id for c in CLAIMS if c.id != "C14"]
    assert set(EXPECTED.verdict) <= set(HERE)
    assert (EXPECTED.number.isna() == EXPECTED.expected.isna()).all()
    assert (EXPECTED.tolerance.dropna() <= 0.02 * EXPECTED.expected.dropna().abs()).all()
    said = (ROOT / "README.md").read_text()
    for row in EXPECTED.itertuples():
        line = re.search(rf"^\| {row.claim} \|.*$", said, re.M)[0]
        assert line.split("|")[4].strip() == row.verdict, "README and table say the same"


@pytest.mark.parametrize("row", list(EXPECTED.itertuples()), ids=lambda r: r.claim)
def test_commands_can_be_typed_and_numbers_exist(row):
    words = shlex.split(row.command)
    assert words[:2] == ["unlearning", "run"] and len(words) == 3
    source = chapters.path_of(words[2]).read_text()
    if isinstance(row.number, str):
        assert row.number.startswith(words[2]) and f"{{glue:text}}`{row.number}" in source


@pytest.mark.slow
@pytest.mark.parametrize("claim", CHEAP.claim)
def test_the_cheap_rows_hold(claim, tmp_path):
    row = EXPECTED.set_index("claim", drop=False).loc[claim]
    words = shlex.split(row.command)[1:]
    ran = subprocess.run([sys.executable, "-m", "unlearning", *words, "--out", str(tmp_path / "out")],
                         capture_output=True, text=True, cwd=ROOT)  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    record = json.loads((tmp_path / "out" / "results.json").read_text())
    assert accounts.mismatches(row, record) == []


def test_every_row_holds_for_what_is_glued_in_the_book(book):
    """The dear rows as well: the build ran their commands with the default parameters."""
    for row in EXPECTED.itertuples():
        chapter = shlex.split(row.command)[2]
        executed = nbformat.read(ledger.EXECUTED / f"{chapter}.ipynb", 4)
        assert accounts.mismatches(row, contents(chapter, executed)) == []


def test_a_number_or_verdict_that_is_off_is_named():
    row = EXPECTED.set_index("claim", drop=False).loc["C12"]
    good = {"numbers": {row.number: 2.0005}, "verdicts": [{"id": "C12", "verdict": "agrees"}]}
    assert accounts.mismatches(row, good) == []
    for value in (2.1, float("nan"), None):
        bad = accounts.mismatches(row, good | {"numbers": {row.number: value}})
        assert len(bad) == 1 and "expected 2 ± 0.001" in bad[0]
    assert "expected agrees" in accounts.mismatches(row, good | {"verdicts": []})[0]


def test_every_record_is_a_row_of_the_configurations():
    frame = accounts.configurations(RECORDS)
    assert len(frame) == len(RECORDS) >= 292
    assert (
        frame[["commit", "training_code", "scoring_code", "seed", "device"]].notna().all(axis=None)
    )
    one = RECORDS[17]
    row = frame.iloc[17]
    assert row.forget == one["groups"]["forget"]["oracle_to_unlearned"]["p95"]
    assert row.training_code == one["provenance"]["training_code"]


def test_the_ledger_counts_each_trajectory_once():
    """By hand, record by record."""
    oracles, pretrained, longest = 0.0, 0.0, {}
    for r in evidence.recorded(preset="laptop"):
        if r["method"] == "nothing":
            oracles += r["models"] * r["seconds_retrain"]
            pretrained = max(pretrained, r["models"] * r["seconds"])
            continue
        key = json.dumps([r["forget_set"], r["method"], r["configuration"], r["models"]])
        longest[key] = max(longest.get(key, (0, 0.0)), (r["epoch"], r["models"] * r["seconds"]))
    row = accounts.ledger(evidence.table(RECORDS)).set_index("preset").loc["laptop"]
    assert row.pretrained == pytest.approx(pretrained / 3600)
    assert row.oracles == pytest.approx(oracles / 3600)
    assert row.methods == pytest.approx(sum(cost for _, cost in longest.values()) / 3600)
    assert row.configurations == 292 and 0 < row.broken < 292


def test_effects_of_deviations_are_computed():
    frame = evidence.load("laptop")
    found = accounts.deviations(frame).set_index("no.")
    still = frame[frame.method == "scrub_published"].q.min()
    assert f"left: {still:.2f};" in found.loc["1"].effect
    worse = accounts.deviations(frame.assign(retain=frame.retain + 1)).set_index("no.")
    assert worse.loc["2"].effect != found.loc["2"].effect
    numbers = [float(v) for v in re.findall(r"P95 (\S+) becomes (\S+)", found.loc["4"].effect)[0]]
    assert numbers[1] < 0.2 < 0.5 < numbers[0], "a broken model flatters"
    none = accounts.deviations(evidence.load("paper"))
    assert none.effect.str.contains("no record").sum() == 4 and len(none) == len(found)
    assert found.loc["5"]["the public code does"] == "1,000 points"
    assert isinstance(found, pd.DataFrame) and found.notna().all(axis=None)
