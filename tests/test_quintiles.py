"""Desk's table: oq5 in units that do not hang on the number of models, against the protocol's words done by hand."""

import numpy as np
import pandas as pd
import pytest
import torch

from desk_by_hand import GA, NOTHING, group, record
from unlearning.estimators import oq5
from unlearning.page import criteria, evidence, maps


@pytest.fixture(scope="module")
def floors() -> tuple[float, float, float]:
    """(mean, P95 of the floor; P95 of the limiting shift above it) at 20 models, from simulation with another seed."""
    generator = torch.Generator().manual_seed(5)
    u, o = (torch.randn(20, 20_000, generator=generator) for _ in range(2))
    same, shifted = oq5(u, o).numpy(), oq5(u + 0.84, o).numpy()
    p95 = np.percentile(same, 95)
    return float(same.mean()), float(p95), float(np.percentile(shifted, 95) - p95)


def test_shares_and_limits_are_the_protocols(floors):
    mean, p95, unit = floors
    calm = group(mean, p95 + 0.5 * unit, 0.75, 0.75)
    frame = criteria.judged(evidence.quintiles([
        record(NOTHING, 0, group(mean + 0.8, 1.0, 0.9, 0.2), calm, calm),
        record(GA, 1, group(mean + 0.2, 1.0, 0.3, 0.2), calm, calm),
        record(GA, 2, group(mean + 0.2, 1.0, 0.3, 0.2), calm, group(mean, p95 + 2 * unit, 0.75, 0.75)),
    ]))  # fmt: skip
    assert frame.q.to_numpy() == pytest.approx([1, 0.25, 0.25], abs=0.02)
    assert frame.retain.to_numpy() == pytest.approx([0.5] * 3, abs=0.05)
    assert (frame.q_high - frame.q).to_numpy() == pytest.approx([1.96 * 0.01 / 0.8] * 3, rel=0.01)
    assert frame.outcome.tolist() == ["stays", "partial", "breaks"]
    assert (frame.forget_klom == 7).all() and (frame.retain_klom_floor == 5).all()
    assert criteria.limits(frame).tolist() == [1, 1, 1]
    wider = criteria.judged(frame, criteria.Criteria(shift_sd=5.0))  # then two limits are none
    assert wider.outcome.tolist() == ["stays", "partial", "partial"]


def test_an_accuracy_within_its_error_of_the_limit_is_open(floors):
    mean, p95, _ = floors
    start = record(NOTHING, 0, group(mean + 0.8, 1, 0.9, 0.2), *[group(mean, p95, 0.75, 0.75)] * 2)
    ga = record(GA, 1, group(mean + 0.1, 1, 0.3, 0.2), group(mean, p95, 0.98, 0.995), group(mean, p95, 0.75, 0.75))  # fmt: skip
    frame = criteria.judged(evidence.quintiles([start, ga]))
    assert frame.retain_lost_error.to_numpy() == pytest.approx([0.005] * 2)  # 3-4-5
    assert (
        pd.isna(frame.intact[1]) and frame.outcome[1] == "open"
    )  # 1.5 points lost, 1 point of error


def test_records_without_oq5_are_refused():
    bare = record(NOTHING, 0, *(group(1, 1, 1, 1) for _ in range(3)))
    del bare["groups"]["val"]["oq5_p95"]
    with pytest.raises(KeyError, match="without oq5 on val"):
        evidence.quintiles([bare])


def test_without_records_there_are_columns_and_no_row():
    frame = evidence.quintiles([])
    assert len(frame) == 0 and {"forget", "near", "estimator", "val_klom"} <= set(frame)


def test_the_axes_say_what_the_scores_are(floors):
    mean, p95, _ = floors
    frame = evidence.quintiles([record(NOTHING, 0, *[group(mean + 0.8, p95, 0.9, 0.9)] * 3)])
    assert "share" in maps.units(frame).forget and "share" in maps.units(frame.iloc[0]).forget
    assert "nats" in maps.units(evidence.table([])).forget


def test_the_authors_marks_in_these_units():
    """By hand: set 5's start is 1 on F; the floor is 0 and one limit above it 1 elsewhere."""
    told, nats = evidence.marks("desk"), evidence.published()
    at = nats.index[(nats.set == 5) & (nats.method == "nothing")][0]
    assert told.forget[at] == pytest.approx(1)
    wanted = (nats.retain[at] - criteria.gaussian_floor(100)) / criteria.limit(100)
    assert told.retain[at] == pytest.approx(wanted)
    pd.testing.assert_frame_equal(evidence.marks("laptop"), nats)
