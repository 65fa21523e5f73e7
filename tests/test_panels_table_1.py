"""The puzzle in Table 1: readings, suspects and their traces on numbers of which the answer is known."""

import numpy as np
import pandas as pd
import pytest
import torch

from panels import table_1 as panels
from unlearning.files import ROOT
from unlearning.klom import klom

TABLE = pd.read_csv(ROOT / "results" / "published_table1.csv")
EQUAL = {n: 67.0 / n for n in range(5, 141)}  # a floor of 0.67 at 100 models
ORACLES = {n: 6.7 / np.sqrt(n) for n in range(2, 141)}
PLACES = {"retain": np.arange(40), "val": np.arange(40, 100)}


def margins(models, seed, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(models, 100, generator=generator) + shift


@pytest.fixture(scope="module")
def found():
    lifted = margins(60, 1)
    lifted[:, PLACES["val"]] += 2  # validation points only
    return panels.scored(
        {
            "the same": (margins(60, 1), margins(60, 2)),
            "a shift": (margins(60, 1, 1.5), margins(60, 2)),
            "validation": (lifted, margins(60, 2)),
        },
        PLACES,
        seed=0,
    )


def test_excess_is_above_the_floor():
    table = panels.excess(TABLE, 0.67)
    assert table.retain[0] == "0.70 (+0.03)" and table["validation − retain"].tolist()[3] == "+0.89"


def test_readings_invert_the_curve():
    table = panels.readings(TABLE, {"N": (EQUAL, ".0f"), "steep": ({0: 3.0, 1: 4.0}, ".1f")})
    wanted = [" / ".join(f"{67 / v:.0f}" for v in row) for row in TABLE[["forget", "retain", "val"]].to_numpy()]  # fmt: skip
    assert [x.split(" / ")[1:] for x in table.N] == [x.split(" / ")[1:] for x in wanted]
    assert table.steep[0] == "– / – / –" and table.steep[5].startswith("– / – / 0.")


def test_marks_stand_on_the_curve():
    lines = {
        line.get_label(): line for line in panels.curves(EQUAL, ORACLES, TABLE).axes[0].get_lines()
    }
    mark = lines["FashionMNIST, validation"]
    assert mark.get_xdata() == pytest.approx(67.0 / np.array(mark.get_ydata()), rel=1e-3)
    assert {"N and N models", "100 pretrained, N oracles", "MNIST, retain"} <= set(lines)


def test_scores_are_klom_with_its_interval(found):
    u, o = margins(60, 1, 1.5)[:, :40], margins(60, 2)[:, :40]
    row = found.loc["a shift"]
    assert row.retain == pytest.approx(np.percentile(klom(u, o).numpy(), 95))
    assert row.retain_low < row.retain < row.retain_high <= row.retain_ceiling + 2
    assert row.above == pytest.approx(row.val - row.retain)


def test_traces_of_known_causes(found):
    stated = float(found.loc["the same", "retain_floor"])
    trace = panels.traces(found, stated, 1.0)
    assert trace["a shift"] == "alike" and trace["the same"] == "not both raised"
    raised = found.loc[["a shift"]].assign(above=-0.7)
    assert panels.traces(raised, stated, 0.6).tolist() == ["retain more"]
    assert panels.traces(raised.assign(above=0.7), stated, 0.6).tolist() == ["validation more"]
    low = found.loc[["the same"]].assign(retain=0.1, val=0.1)
    assert panels.traces(low, 0.67, 0.6).tolist() == ["both lowered"]
    assert panels.traces(low.assign(val=0.5), 0.67, 0.6).tolist() == ["not both raised"]
    assert set(trace) <= set(panels.TRACES)


def test_every_suspect_has_a_number_in_table_and_picture(found):
    table = panels.suspects(found, panels.traces(found, 1.3, 0.6))
    assert table[""].tolist() == [1, 2, 3] and table.suspect.tolist() == list(found.index)
    left, right = panels.hunt(found, 1.3, TABLE)
    assert [t.get_text()[-1] for t in left.axes[0].get_yticklabels()] == ["1", "2", "3"]
    limit = 1.1 * TABLE[["retain", "val"]].max().max()
    inside = found[(found.retain <= limit) & (found.val <= limit)]
    assert len([t for t in right.axes[0].texts if t.get_text().isdigit()]) == len(inside)


def test_numbers_of_the_text():
    told = panels.arithmetic(TABLE, EQUAL, ORACLES)
    assert told["flat_low"] == pytest.approx(67 / 2.90, rel=1e-3) and told["flat_high"] == pytest.approx(67 / 1.65, rel=1e-3)  # fmt: skip
    assert told["mnist_most"] == pytest.approx(0.06) and told["fashion_most"] == pytest.approx(1.31)
    assert (
        told["few_low"] == pytest.approx((6.7 / 3.31) ** 2, rel=0.1) and told["score_low"] == 1.65
    )
    over = panels.forget_column(TABLE)
    assert (over["over_none"], over["over_close"], over["over_rows"]) == (3, 5, 6)
    assert over["over_most"] == pytest.approx(1.37)
