"""The traps chapter's panels."""

import numpy as np
import pytest
import torch

from panels import traps as panels
from unlearning.uncertainty import summarize


def summaries() -> dict:
    generator = torch.Generator().manual_seed(0)
    u, o = (torch.randn(12, 40, generator=generator) for _ in range(2))
    return {
        "same": summarize(u, o, splits=2, subsets=3),
        "far": summarize(u + 4, o, splits=2, subsets=3),
    }


def test_the_slider_stretches_its_bins():
    rng = np.random.default_rng(0)
    oracle, healthy = rng.normal(5, 1.5, size=(2, 100))
    sick = np.concatenate([[-1000.0], healthy[1:]])
    curves = np.array([[2.0, 2.0], [0.5, 1.9]])
    whole = panels.outlier(oracle, healthy, 20, [0.0, -100.0], curves, 0.7, 0.0)[0].axes[0]
    flat = panels.outlier(oracle, sick, 20, [0.0, -100.0], curves, 0.7, -100.0)[0].axes[0]
    assert whole.get_xlim()[0] > -5 and -110 < flat.get_xlim()[0] < -100  # clipped at -100
    right = panels.outlier(oracle, sick, 20, [0.0, -100.0], curves, 0.7, -100.0)[1].axes[0]
    drawn = {line.get_label(): line for line in right.lines}
    assert list(drawn["KLoM"].get_ydata()) == [2.0, 0.5]
    assert list(drawn["robust form"].get_ydata()) == [2.0, 1.9]
    assert [tick.get_text() for tick in right.get_xticklabels()] == [
        "0",
        "-10",
        "-25",
        "-50",
        "-100",
    ]


def test_symptoms_as_text():
    table = panels.symptoms({"one broken": {"P95": 0.561, "collapsed": 1.0}})
    assert table.to_dict("records") == [
        {"unlearned ensemble": "one broken", "P95": "0.56", "collapsed points": "100%"}
    ]


def test_coverage_by_hand():
    """Five scores 0…4 with mean 2; intervals of width 2 around each hold it three times."""
    found = np.array([[s, s - 1, s + 1] for s in range(5)], float)
    [row] = panels.coverage({(100, 0.5): found}).to_dict("records")
    assert row["intervals that hold it"] == "60%" and row["mean P95"] == "2.00"
    assert float(row["width / ideal width"]) == pytest.approx(2 / (3.92 * np.sqrt(2.5)), abs=0.05)


def test_last_batches_and_bars_repeat_the_summaries():
    told = summaries()
    table = panels.last_batches(told, [0.9, 0.8])
    assert list(table["accuracy"]) == ["90.0%", "80.0%"]
    assert table["P95 [interval]"][1].startswith(f"{told['far'].p95:.2f} [")
    bars = panels.bars(told).axes[0].patches
    assert [bar.get_width() for bar in bars] == pytest.approx([s.p95 for s in told.values()])


def test_sizes_and_the_question():
    null, shift = {20: 5.0, 100: 0.6}, {20: 5.4, 100: 1.1}
    ax = panels.sizes(null, shift, 0.74).axes[0]
    drawn = {line.get_label(): line for line in ax.lines}
    assert list(drawn["no difference"].get_ydata()) == [5.0, 0.6]
    assert list(drawn["authors, at most"].get_ydata()) == [0.74]
    assert any(list(line.get_ydata()) == [1.1, 1.1] for line in ax.lines)  # the yardstick
    assert list(panels.question({"a": True, "b": False})["here"]) == ["holds", "fails"]
