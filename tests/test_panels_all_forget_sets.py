"""All forget sets: the chapter's pictures and tables on rows made by hand, on the packs, and without any."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from panels import all_forget_sets as panels
from rows_by_hand import frame, none, texts
from unlearning.experiment import packing, presets
from unlearning.klom import klom
from unlearning.methods import Config
from unlearning.page import criteria, evidence

GRID, PUBLISHED = evidence.distinct(frame()), evidence.published()
RUNS, STARTS = GRID[GRID.method != "nothing"], GRID[GRID.method == "nothing"]
NONE = none()


def test_one_small_map_for_each_method():
    slides, names = panels.small_multiples(GRID, "retain", PUBLISHED, "one, two")
    assert names == ["random-10", "pc1-top-50", "pc2-top-50"]
    assert [len(slide) for slide in slides] == [3, 3, 3]
    assert "GA, random-10: 5 runs" in texts(slides[0][0])[-1]


def test_agreement_counts_who_sees_the_damage():
    table = panels.agreement(RUNS).set_index("forget set")
    got = table[["damaged by both", "by retain only", "by validation only"]]
    assert got.loc["random-10"].tolist() == [1, 1, 0]
    assert got.loc["pc1-top-50"].tolist() == [1, 1, 0]
    assert got.loc["pc2-top-50"].tolist() == [0, 0, 1]
    assert got.loc["all"].tolist() == [2, 2, 1]
    assert table.loc["all", "same judgement of the damaged"] == "40%"
    assert (
        criteria.c4(RUNS, 0.4).popitem()[1] is True and criteria.c4(RUNS, 0.5).popitem()[1] is False
    )
    assert "5 are damaged by either ruler and 2 by both" in panels.told(RUNS)


def test_the_largest_difference_comes_first():
    table = panels.largest(RUNS, 2)
    assert len(table) == 2 and table.difference[0] == "+2.30"


def test_directions():
    told = panels.turned(RUNS)
    assert (told["both_ways"], told["wide"], told["narrow"]) == (2, 1, 1)
    left, right = panels.directions(RUNS, "hand")
    assert sum(len(c.get_offsets()) for c in right.axes[0].collections) == len(RUNS)


def test_rulers_draw_every_run():
    panel = panels.rulers(RUNS, "hand")
    assert sum(len(c.get_offsets()) for c in panel.axes[0].collections) == len(RUNS)


def test_doing_nothing_has_the_nine_published_sets_and_ours():
    forget, rest = panels.nothing(STARTS, PUBLISHED, "hand")
    labels = [t.get_text() for t in forget.axes[0].get_yticklabels()]
    assert len(labels) == 9 + 3 and labels[0] == "set 1: 10 points"
    low, high, floor = panels.published_told(PUBLISHED).values()
    assert 0.6 < low < floor < high < 0.8


def test_samples_are_those_of_the_packs():
    """The packs' own metadata: the circle lies in or out of the bar as the counts say."""
    found = panels.samples("laptop", evidence.load("laptop").query("method == 'nothing'"))
    assert len(found) == 8 and (found.packed < found.points).all()
    told = panels.samples_told(found)
    by_hand = sum((r["all"] > r.bound) != (r.used > r.bound) for _, r in found.iterrows())
    assert len(told["sides"].split(", ")) == by_hand == 1
    assert len(panels.points(found, "hand").axes[0].get_lines()) == 5 * len(found)


def test_nearness_of_a_pack_against_a_plain_loop():
    pack = packing.read("laptop/pc2-top-50")
    forget, retain = pack.groups()["forget"], pack.groups()["retain"]
    standard = (pack.pretrained - pack.pretrained.mean(0)) / pack.pretrained.std(0)
    mean = standard[:, forget].mean(1)
    near = [
        np.corrcoef(mean, pack.pretrained[:, i])[0, 1] for i in range(retain.start, retain.stop)
    ]
    scores = klom(*(torch.from_numpy(x[:, retain]) for x in (pack.pretrained, pack.oracle)))
    assert panels.near("laptop", "pc2") == pytest.approx(spearmanr(near, scores)[0], abs=1e-3)
    assert np.isnan(panels.near("paper", "pc2"))


@pytest.mark.parametrize(
    ("config", "epoch", "inside"),
    [
        (Config("ga", 0.05), 3, True), (Config("ga", 0.05), 4, False), (Config("ga", 0.0), 3, False),
        (Config("ga", 0.05, batchnorm="frozen"), 3, False), (Config("gda", 5e-3), 7, True),
        (Config("finetune", 5e-3), 7, False), (Config("gda", 0.1), 7, False),
    ],
)  # fmt: skip
def test_cells_of_the_papers_grid(config: Config, epoch: int, inside: bool):
    assert panels.in_grid(config, epoch) is inside


def test_coverage_of_the_paper_preset_is_its_grid():
    table = panels.coverage({"paper": [], "laptop": evidence.recorded(preset="laptop")})
    ga = table[(table.method == "GA") & table.preset.str.startswith("paper")].iloc[0]
    assert ga["cells of the paper's grid"] == ga.planned == 9 * 35 and ga.recorded == 0
    laptop = table[(table.method == "GA") & table.preset.str.startswith("laptop")].iloc[0]
    assert laptop.recorded == len(presets.LAPTOP.forget_sets) * 35
    assert table[table.method == "controls (ours)"]["of the paper's grid"].tolist() == ["–", "–"]


def test_without_records_everything_says_so():
    assert panels.small_multiples(NONE, "val", PUBLISHED, "p: not run")[1] == ["not run"]
    for picture in (panels.rulers(NONE, "p: not run"), panels.directions(NONE, "p: not run")[0]):
        assert "not run" in texts(picture)[0]
    assert panels.agreement(NONE).iloc[0, 0] == panels.largest(NONE, 3).iloc[0, 0] == "not run"
    assert panels.told(NONE) == "no record at this scale"
    found = panels.samples("paper", NONE)
    assert found.empty and panels.samples_told(found)["rows"] == 0
    assert "not run" in texts(panels.points(found, "p: not run"))[0]
    assert set(panels.turned(NONE)) == set(panels.turned(RUNS))
    assert len(panels.nothing(NONE, PUBLISHED, "p: not run")) == 2
