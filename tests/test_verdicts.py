"""Verdicts follow from checks alone, travel inside notebooks, and are collected again without loss."""

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlearning.page import ledger, verdicts
from unlearning.page.claims import CLAIMS


@given(st.dictionaries(st.text(), st.booleans(), min_size=1))
def test_verdict_follows_from_the_checks(checks):
    held = sum(checks.values())
    expected = "reproduced" if held == len(checks) else "differs" if held else "not reproduced"
    assert verdicts.judge(checks) == expected


def test_checks_must_be_computed_booleans():
    with pytest.raises(TypeError, match="give a bool"):
        verdicts.judge({"error is small": 1e-9})
    with pytest.raises(ValueError, match="at least one"):
        verdicts.judge({})


def test_unknown_names_are_refused():
    good = {"evidence": "e", "checks": {"a": True}, "scale": "exact"}
    with pytest.raises(ValueError, match="unknown claim 'C99'"):
        verdicts.decide("C99", **good)
    with pytest.raises(ValueError, match="unknown scale"):
        verdicts.decide("C1", **good | {"scale": "huge"})
    with pytest.raises(ValueError, match="no evidence"):
        verdicts.decide("C1", **good | {"evidence": " "})


def as_notebook(outputs, path):
    """What a kernel would have written: the captured outputs in one cell."""
    cell = nbformat.v4.new_code_cell("")
    cell.outputs = [
        nbformat.v4.new_output("display_data", o.data, metadata=o.metadata or {}) for o in outputs
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)


def test_facts_survive_the_notebook(tmp_path, shown):
    one = shown(
        verdicts.decide,
        "C8",
        evidence="gap < 1e-8",
        checks={"a <b>": True, "c": False},
        scale="exact",
    )
    slip = {"printed": "+", "ours": "-", "shown_by": "3 of 3", "checks": {"fails": True}}
    one += shown(verdicts.erratum, "sign", where="eq. 1", **slip)
    two = shown(verdicts.decide, "C8", evidence="more", checks={"c": True}, scale="digits")
    as_notebook(one, tmp_path / "one.ipynb")
    as_notebook(two, tmp_path / "two.ipynb")
    facts = ledger.collect(tmp_path)
    assert [(f["chapter"], f["kind"]) for f in facts] == [
        ("one", "claim"),
        ("one", "erratum"),
        ("two", "claim"),
    ]
    assert facts[1]["verdict"] == "shown"
    assert ledger.verdict_of("C8", facts) == "differs"
    assert ledger.verdict_of("C1", facts) == "not yet run"
    assert "&lt;b&gt;" in one[0].data["text/html"], "texts must be escaped"
    assert ledger.collect(tmp_path / "nowhere") == []


def test_every_claim_is_listed_once():
    assert [claim.id for claim in CLAIMS] == [f"C{i}" for i in range(1, 15)]
