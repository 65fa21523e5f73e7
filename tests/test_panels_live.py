"""The live chapter's pictures and tables, on margins and rows made by hand."""

import numpy as np
import pandas as pd

from panels import live as panels
from unlearning.page import criteria, evidence, figures, maps


def row(method: str, lr: float, epoch: int, forget: float, retain: float, **more) -> dict:
    made = {
        "forget_set": "random-10", "method": method, "models": 100, "lr": lr, "epoch": epoch, "batchnorm": "train",
        "momentum": 0.0, "shuffle": -1, "ascent_epochs": 0, "size": 10, "cost_paper": 0.01, "cost_true": 0.02,
    }  # fmt: skip
    for g, value in (("forget", forget), ("retain", retain), ("val", retain)):
        made |= {g: value, f"{g}_low": value - 0.1, f"{g}_high": value + 0.1, f"{g}_floor": 0.7}
        made |= {f"{g}_reverse": value, f"{g}_accuracy": 0.9, f"{g}_oracle_accuracy": 0.9}
    return made | {"average": (forget + 2 * retain) / 3} | more


ROWS = [
    row("nothing", 0.0, 0, 9.0, 0.7),
    *(row("ga", lr, t, 9.0 - lr * 10 * t, 0.7 + lr * t) for lr in (0.0, 0.1, 0.3) for t in (1, 3)),
    *(row("ga", 0.1, t, 8.0 - t, 0.8, batchnorm="frozen") for t in (1, 3)),
    row("ga", 0.3, 5, 1.0, 0.8, retain_accuracy=0.8),
    row("gda", 0.1, 5, 6.0, 0.9),
    row("finetune", 0.1, 5, 9.0, 0.9),
]
RUNS = criteria.judged(pd.DataFrame(ROWS))
GA = RUNS[(RUNS.method == "ga") & (RUNS.batchnorm == "train")]


def data(panel) -> list[tuple[list, list]]:
    return [tuple(map(list, line.get_data())) for line in panel.axes[0].get_lines()]


def test_one_map_for_each_group_and_a_key():
    assert len(panels.four_maps(RUNS)) == 2 + 1


def test_the_illusion_shows_scores_and_lost_points():
    left, right = panels.illusion(GA, RUNS.iloc[0])
    assert ([0, 1, 3], [RUNS.iloc[0].average, *GA[GA.lr == 0.1].average]) in data(left)
    lost = next(y for x, y in data(right) if x == [1, 3, 5])
    np.testing.assert_allclose(lost, [0, 0, 10])


def test_the_controls_are_three_lines_from_the_start():
    forget, retain = panels.controls(RUNS, 0.1)
    drawn = data(forget)
    assert ([0, 1, 3], [9.0, 8.0, 6.0]) in drawn and ([0, 1, 3], [9.0, 7.0, 5.0]) in drawn
    assert ([0, 1, 3], [9.0, 9.0, 9.0]) in drawn


def test_path_length_is_step_size_times_epochs():
    left, right = maps.path_length(RUNS[RUNS.method == "ga"], RUNS.iloc[0], "hand")
    x, y = next(d for d in data(right) if len(d[0]) == 2 and d[0][0] == 0.1)
    np.testing.assert_allclose(x, [0.1, 0.3])
    assert y == [7.0, 5.0]
    assert any(np.allclose(x, [0.3, 0.9, 1.5]) for x, _ in data(left) if len(x) == 3)


def test_the_table_has_both_judgements():
    read = evidence.scores_alone(RUNS).outcome
    table = panels.times(GA[GA.lr == 0.3], read)
    assert table.iloc[-1][["read off the map", "by all criteria"]].tolist() == ["forgets", "breaks"]
    assert table.epoch.tolist() == [1, 3, 5]


def test_other_methods_at_their_last_time():
    table = panels.others(RUNS)
    assert table.method.tolist() == ["GDA, 0.1", "fine-tuning on R, 0.1"]


def test_images_and_carriers_draw_every_point():
    rng = np.random.default_rng(0)
    stages = {k: rng.normal(m, 1, (20, 3)) for k, m in (("pretrained", 5), ("ascent", 1), ("oracle", 2))}  # fmt: skip
    panel = panels.images(rng.random((3, 8, 8)), np.arange(3), stages)
    means = [line.get_xdata() for line in panel.axes[0].get_lines()]
    assert any(np.allclose(m, stages["oracle"].mean(0)) for m in means if len(m) == 3)
    near, scores = rng.random(40), rng.random(40)
    panel = panels.carriers(near, scores, near > 0.5)
    assert sum(len(x) for x, _ in data(panel) if len(x) not in (2,)) == 40
    with figures.style():
        assert panel.axes[0].texts[0].get_text() == "P95"
