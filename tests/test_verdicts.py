"""Verdicts follow from checks alone, travel inside notebooks, and are collected again without loss."""

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlearning.page import ledger, verdicts
from unlearning.page.claims import CLAIMS


@given(st.dictionaries(st.text(), st.sampled_from([True, False, None]), min_size=1))
def test_verdict_follows_from_the_checks(checks):
    kinds = set(checks.values())
    expected = "disagrees" if False in kinds else "cannot decide" if None in kinds else "agrees"
    assert verdicts.judge(checks) == expected


def test_only_the_papers_own_scale_reproduces_or_contradicts():
    for name, scale in verdicts.SCALES.items():
        found = {v: verdicts.papers(v, name) for v in verdicts.HERE}
        if scale.papers:
            assert found == {
                "agrees": "reproduced",
                "cannot decide": "cannot decide",
                "disagrees": "contradicted",
            }
        else:
            assert set(found.values()) == {"not run"}


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
        checks={"a <b>": True, "c": False, "d": None},
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
    assert ledger.verdict_of("C8", facts) == ledger.Verdict("contradicted", "disagrees", "exact")
    assert ledger.verdict_of("C8", facts[2:]) == ledger.Verdict(
        "not run", "cannot decide", "digits"
    )
    assert ledger.verdict_of("C1", facts) == ledger.Verdict("not run", "not run", "")
    assert (
        "○ d (open)" in one[0].data["text/html"]
        and "at the paper's scale" in one[0].data["text/html"]
    )
    assert "&lt;b&gt;" in one[0].data["text/html"], "texts must be escaped"
    assert ledger.collect(tmp_path / "nowhere") == []


def test_every_claim_is_listed_once():
    assert [claim.id for claim in CLAIMS] == [f"C{i}" for i in range(1, 15)]
