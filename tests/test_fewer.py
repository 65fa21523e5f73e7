"""Small ensembles against the full one: cells gathered side by side, ranks and judgements by hand, H8."""

import numpy as np
import pandas as pd
import pytest
import torch

from unlearning.estimators import oq5
from unlearning.klom import DIRECTIONS, klom
from unlearning.page import criteria, fewer

PAPER = DIRECTIONS[0]


def test_a_line_is_the_limit_above_the_floor():
    """For KLoM it is what the criteria use; others rise with the shift and with fewer models."""
    here = criteria.gaussian_floor(100) + criteria.limit(100)
    assert fewer.line("klom", 100) == pytest.approx(here, abs=0.05)
    assert fewer.line("oq5", 20, 0.3) < fewer.line("oq5", 20) < fewer.line("oq5", 20, 2.0)


def test_blocks_are_disjoint_and_whole():
    found = [range(40)[b] for b in fewer.blocks(40, 12)]
    assert [len(b) for b in found] == [12, 12, 12] and not set(found[0]) & set(found[1])
    assert len(fewer.blocks(100, 10)) == 5 and fewer.blocks(10, 12) == [slice(0, 12)]


def hand_made() -> fewer.Gathered:
    generator = torch.Generator().manual_seed(0)
    u, o = (torch.randn(24, 90, generator=generator) for _ in range(2))
    for k in range(
        5
    ):  # cell k is shifted by k standard deviations on its retain and validation points
        u[:, 18 * k + 4 : 18 * (k + 1)] += k
    parts, start = {}, 0
    for k in range(5):
        for group, count in (("forget", 4), ("retain", 8), ("val", 6)):
            parts[f"cell {k}", group] = slice(start, start + count)
            start += count
    return fewer.Gathered(u, o, parts)


def test_scores_are_those_of_each_group_alone():
    cells = hand_made()
    found = fewer.scored(cells, oq5, slice(0, 20))
    for key, at in cells.parts.items():
        alone = oq5(cells.unlearned[:20, at], cells.oracle[:20, at]).numpy()
        assert found.p95[key] == pytest.approx(np.percentile(alone, 95))
        assert found["mean"][key] == pytest.approx(alone.mean())


def test_shifts_are_ranked_alike_by_every_block():
    cells = hand_made()
    large = {d: fewer.scored(cells, klom, direction=d) for d in DIRECTIONS}
    rows = fewer.table(cells, oq5, 12, large)
    assert set(rows.group) == {"retain", "val"} and rows.block.nunique() == 2
    assert len(rows) == 2 * 2 * 2 * 5 and list(rows.columns) == list(fewer.COLUMNS)
    told = fewer.compared(rows, fewer.line("oq5", 12), fewer.line("klom", 24))
    assert list(told.index) == [0, 1] and (told.retain > 0.85).all() and (told.same >= 0.6).all()


def rows(small: list[float], large: list[float], blocks: int = 5) -> pd.DataFrame:
    return pd.DataFrame(
        [
            (f"c{i}", group, PAPER, b, s, big)
            for b in range(blocks)
            for group in ("retain", "val")
            for i, (s, big) in enumerate(zip(small, large, strict=True))
        ],
        columns=fewer.COLUMNS,
    )


def test_ranks_and_judgements_by_hand():
    told = fewer.compared(rows([1, 2, 3, 4], [10, 30, 20, 40], 1), 2.5, 15)
    assert told.retain[0] == pytest.approx(0.8)  # 1 - 6 * 2 / (4 * 15)
    assert told.same[0] == 0.75  # the second cell: not damaged against damaged
    assert np.isnan(fewer.compared(rows([1, 1], [1, 2], 1), 0, 0).retain[0])
    one = rows([1, 1], [1, 1], 1)
    one.loc[one.group == "val", "small"] = 3  # one group is enough
    assert fewer.compared(one, 2, 2).same[0] == 0
    assert fewer.compared(one[:0], 1, 1).empty


def test_h8_is_open_until_all_blocks_are_there():
    small, large = fewer.line("oq5", 20), fewer.line("klom", 100)
    good = [0.5, 0.8, 1.2, 1.5]
    held = rows([small * x for x in good], [large * x for x in good])
    assert list(fewer.h8(held).values()) == [True, True, True]
    assert list(fewer.h8(held[held.block < 4]).values()) == [None] * 3
    assert list(fewer.h8(held[:0]).values()) == [None] * 3
    turned = rows([small * x for x in good], [large * x for x in good[::-1]])
    assert list(fewer.h8(turned).values()) == [False] * 3
    constant = rows([small / 2] * 4, [large * x for x in (0.1, 0.2, 0.3, 0.4)])
    assert list(fewer.h8(constant).values()) == [None, None, True]


def record(**changed) -> dict:
    groups = {
        g: {d: {"p95": 2.0 + k} for k, d in enumerate(DIRECTIONS)}
        for g in ("forget", "retain", "val")
    }
    block = {g: {"oq5_p95": 0.5, "reverse_oq5_p95": 0.6, "klom_p95": 5.0} for g in groups}
    return {
        "method": "ga", "forget_set": "published-1", "epoch": 3, "models": 100, "groups": groups,
        "configuration": {"lr": 0.01, "batchnorm": "train"},
        "blocks": [block | {"first": f, "last": f + 19} for f in range(0, 100, 20)],
    } | changed  # fmt: skip


def test_desk_records_give_the_same_table():
    found = fewer.desk([record()])
    assert list(found.columns) == list(fewer.COLUMNS) and len(found) == 5 * 2 * 2
    reverse = found[found.direction == DIRECTIONS[1]]
    assert set(reverse.small) == {0.6} and set(reverse.large) == {3.0}
    assert set(found.block) == set(range(5))
    assert set(fewer.desk([record()], "klom").direction) == {PAPER}
    others = [
        record(models=40), record(method="gda"), record(forget_set="published-7"),
        record(configuration={"lr": 0.01, "batchnorm": "frozen"}),
        record(blocks=[record()["blocks"][0] | {"last": 9}]),
    ]  # fmt: skip
    assert fewer.desk(others).empty and fewer.desk([]).empty
