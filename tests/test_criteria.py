"""The criteria, and every check of a claim: it holds on the authors' own numbers, and it can fail."""

import numpy as np
import pandas as pd
import pytest

from unlearning.files import ROOT
from unlearning.page import criteria, evidence

TABLE_1 = pd.read_csv(ROOT / "results" / "published_table1.csv")


def table(*rows: dict) -> pd.DataFrame:
    """Rows of one forget set with N = 100 and floors of 0.7, and the start from 9.7 nats."""
    common = {"forget_set": "F", "models": 100, "lr": 0.01, "epoch": 1, "retain": 0.7, "val": 0.7}
    common |= {f"{g}_floor": 0.7 for g in ("forget", "retain", "val")}
    start = {"method": "nothing", "forget": 9.7, "lr": 0.0, "epoch": 0}
    return pd.DataFrame([common | start, *(common | {"method": "ga"} | row for row in rows)])


def judged(*rows: dict) -> pd.DataFrame:
    return criteria.judged(table(*rows)).iloc[1:]


def test_every_check_holds_on_the_authors_own_numbers():
    found = criteria.calibration(evidence.published(), TABLE_1)
    failing = found[~found.holds.map(lambda holds: holds is True)]
    assert failing.empty, failing.to_string()
    assert set(found.claim) == {"C1", "C2", "C3", "C4", "C5", "C11"}


def test_one_nat_is_a_shift_of_84_percent_of_a_standard_deviation():
    """criteria.limit against its own reason: at N = 100 the P95 rises by one nat, give or take the simulation."""
    assert criteria.limit(100) == pytest.approx(1.0, abs=0.1)
    assert criteria.limit(100, 0.0) == 0 and criteria.limit(100, 2.0) > 2


@pytest.mark.parametrize(
    ("row", "outcome"),
    [
        ({"forget": 9.7}, "stays"),
        ({"forget": 5.1}, "partial"),
        ({"forget": 1.5}, "forgets"),
        ({"forget": 1.5, "retain": 3.0}, "breaks"),
        ({"forget": 9.7, "val": 3.0}, "breaks"),
        ({"forget": 1.5, "retain_accuracy": 0.80, "retain_oracle_accuracy": 0.83}, "breaks"),
        ({"forget": 1.5, "retain_accuracy": 0.82, "retain_oracle_accuracy": 0.83}, "forgets"),
        ({"forget": 1.5, "val_accuracy": 0.70, "val_oracle_accuracy": 0.72}, "breaks"),
        (
            {"forget": 1.5, "retain_reverse": 3.0},
            "breaks",
        ),  # wider margins show in one direction only
        ({"forget": 5.1, "forget_low": 4.0, "forget_high": 6.0}, "open"),
        ({"forget": 9.7, "retain": 1.6, "retain_low": 1.2, "retain_high": 2.4}, "open"),
        ({"forget": 9.7, "retain": 3.0, "retain_low": 2.0, "retain_high": 4.0}, "breaks"),
        ({"forget": 9.7, "retain": np.nan}, "open"),
        ({"forget": np.nan}, "open"),
    ],
)
def test_outcomes(row: dict, outcome: str):
    assert judged(row).outcome.item() == outcome


def test_the_share_of_the_gap():
    one = judged({"forget": 5.2, "forget_low": 2.95, "forget_high": 7.45}).iloc[0]
    assert (one.q, one.q_low, one.q_high) == pytest.approx((0.5, 0.25, 0.75))


def test_an_average_alone_can_rule_a_run_out():
    missing = {"forget": np.nan, "retain": np.nan, "val": np.nan}
    high, low = judged(missing | {"average": 9.0}, missing | {"average": 1.0}).both
    assert high is np.False_ or not high
    assert low is pd.NA


def test_a_table_without_its_start_is_refused():
    with pytest.raises(ValueError, match="no row of method 'nothing' for .*'F'"):
        criteria.judged(table({"forget": 1.0}).iloc[1:])


def test_answers_for_many_rows():
    assert criteria.answer(pd.Series([True, True])) is True
    assert criteria.answer(pd.Series([True, None], dtype="boolean")) is None
    assert criteria.answer(pd.Series([False, None], dtype="boolean")) is False
    assert criteria.answer(pd.Series([], dtype="boolean")) is None
    assert criteria.answer(pd.Series([False, False]), wanted=False) is True


HIT = {"forget": 3.0}


def values(checks: dict) -> list:
    return list(checks.values())


def test_c1_can_fail_and_be_open():
    assert values(criteria.c1(judged(HIT))) == [False]
    assert values(criteria.c1(judged({"forget": np.nan}))) == [None]
    assert values(criteria.c1(judged({"forget": 9.0}, HIT | {"retain": 5.0}))) == [True]


def test_c2_can_fail_and_be_open():
    broken = {"forget": 9.9, "retain": 9.0, "val": 9.0}
    assert values(criteria.c2(judged(HIT, broken | {"epoch": 3}))) == [True, True]
    assert values(criteria.c2(judged(HIT, HIT | {"epoch": 3, "forget": 3.1}))) == [True, False]
    assert values(criteria.c2(judged(HIT, HIT | {"lr": 0.001, "forget": 3.1}))) == [True, False]
    assert values(criteria.c2(judged(broken))) == [False, None]
    assert values(criteria.c2(judged({"forget": np.nan}))) == [None, None]


def test_c3_can_fail_and_be_open():
    def kinds(random: float, pc1: float, pc2: float) -> list:
        frames = [
            judged({"forget": random}),
            judged({"forget": pc1}),
            judged({"forget": pc2, "method": "gda"}),
        ]
        named = [
            f.assign(kind=kind) for f, kind in zip(frames, ("random", "pc1", "pc2"), strict=True)
        ]
        return values(criteria.c3(pd.concat(named)))

    assert kinds(3.0, 9.0, 4.0) == [True, True, True]
    assert kinds(9.5, 3.0, 9.0) == [False, False, False]
    assert kinds(9.0, 9.0, 4.0) == [True, None, True]
    assert values(criteria.c3(judged().assign(kind="pc1"))) == [None, None, None]


def test_c4_can_fail_and_be_open():
    same, other = {"forget": 9.0, "retain": 5.0, "val": 5.0}, {"forget": 9.0, "retain": 5.0}
    assert values(criteria.c4(judged(same, same))) == [True]
    assert values(criteria.c4(judged(same, other))) == [False]
    assert values(
        criteria.c4(judged(*[same] * 8, same | {"val": np.nan}, same | {"val": np.nan}))
    ) == [None]
    assert values(criteria.c4(judged({"forget": 9.0}))) == [True]


def test_c5_can_fail():
    scrub = {"method": "scrub_published"}
    assert values(criteria.c5(judged(scrub | {"forget": 9.6}))) == [True, True]
    assert values(criteria.c5(judged(scrub | {"forget": 5.0, "val": 4.0}))) == [False, False]
    assert values(criteria.c5(judged())) == [None, None]


def test_c11_can_fail_and_be_open():
    rows = pd.DataFrame([{"forget": 9.0, "retain": 0.7, "val": 0.7}])
    assert values(criteria.c11(rows, 8.4)) == [False]
    assert values(criteria.c11(rows.assign(forget=1.0), 8.4)) == [True]
    crossing = rows.assign(forget=2.5, forget_low=1.0, forget_high=4.0)
    assert values(criteria.c11(crossing, 8.4)) == [None]
