"""Degenerate data: the chapter's rows, pictures and tables on records made by hand, and without any."""

import copy

import numpy as np
import pandas as pd
import pytest

from panels import degenerate as panels
from rows_by_hand import texts
from unlearning.files import ROOT
from unlearning.page import criteria, evidence

TABLE = pd.read_csv(ROOT / "results" / "published_table1.csv")
RECORD = evidence.recorded(preset="mnist-laptop", forget_set="random-254")[-1]


def record(preset: str, forget_set: str, forget: float, elsewhere: float = 0.7, models: int = 100) -> dict:  # fmt: skip
    """A record of doing nothing with these P95 values and intervals of ±0.1, in both directions."""
    made = copy.deepcopy(RECORD)
    made |= {"preset": preset, "dataset": preset.partition("-")[0], "forget_set": forget_set, "models": models}  # fmt: skip
    made["forget_size"] = int(forget_set.rpartition("-")[2])
    for group, value in (("forget", forget), ("retain", elsewhere), ("val", elsewhere - 0.1)):
        for direction in ("oracle_to_unlearned", "unlearned_to_oracle"):
            made["groups"][group][direction] |= {
                "p95": value, "low": value - 0.1, "high": value + 0.1, "floor": 0.6, "mean": value / 2,
            }  # fmt: skip
        made["groups"][group] |= {"accuracy": 1.0, "oracle_accuracy": 0.9 if group == "forget" else 1.0}  # fmt: skip
    return made


HELD = {
    "mnist-laptop": [
        record("mnist-laptop", "random-5", 9.0, models=20),  # an earlier, smaller run
        record("mnist-laptop", "random-5", 1.0),
        record("mnist-laptop", "random-254", 4.7),
    ],
    "fashionmnist-laptop": [],
}
ROWS = panels.planned(HELD)
NONE = panels.planned({"mnist-paper": [], "fashionmnist-paper": []})


def test_one_row_for_every_set_that_was_asked_for():
    assert ROWS.forget_set.tolist() == ["random-1", "random-5", "random-254"] * 2
    five = ROWS.iloc[1]
    assert five.forget == 1.0 and five.models == 100, "the run with the most models"
    assert (five.train, five["size"], five.percent) == (2540, 5, pytest.approx(500 / 2540))
    assert five.out == pytest.approx(0.3) and five.out_high == pytest.approx(0.4)
    assert five.gap == pytest.approx(0.1) and five.floor is True or bool(five.floor)
    assert not bool(ROWS.iloc[2].floor) and pd.isna(ROWS.iloc[0].floor)
    assert ROWS.forget.isna().sum() == 4


def test_the_claims_check_sees_what_was_not_run():
    [(_, holds)] = criteria.c11(ROWS, 8.0).items()
    assert holds is False, "4.7 stands out by 4.0, half of CIFAR-10's 8"
    [(_, holds)] = criteria.c11(ROWS, 30.0).items()
    assert holds is None, "all that ran pass, but not all ran"
    full = panels.planned({
        f"{d}-laptop": [record(f"{d}-laptop", f"random-{n}", 1.0) for n in (1, 5, 254)]
        for d in ("mnist", "fashionmnist")
    })  # fmt: skip
    assert list(criteria.c11(full, 8.0).values()) == [True]
    assert list(criteria.c11(full, float("nan")).values()) == [None], "nothing to compare with"
    assert list(criteria.c11(NONE, 8.0).values()) == [None]


def test_the_reference_is_random_sets_of_cifar():
    starts = evidence.load("laptop")
    random = starts[(starts.method == "nothing") & starts.forget_set.str.startswith("random")]
    by_hand = np.mean([r.forget - max(r.retain, r.val) for r in random.itertuples()])
    assert panels.reference(starts) == pytest.approx(by_hand)
    assert np.isnan(panels.reference(evidence.load("paper").iloc[:0]))


def test_tables_say_what_was_not_run():
    table = panels.scores(ROWS, panels.names_of(ROWS)).set_index("data, forgotten")
    assert table.loc["MNIST, 5 of 2,540 (0.2%)", "forget"].startswith("1.00 [0.90, 1.10] 0.60 / ")
    assert table.loc["FashionMNIST, 1 of 2,540 (0.039%)", "forget"] == "not run"
    judged = panels.judged(ROWS, 8.0, 0.25)
    assert judged.degenerate.tolist() == ["open", "yes", "no", "open", "open", "open"]
    assert judged["of CIFAR-10's"][2] == "50%" and judged["F stands out by"][0] == "not run"
    assert panels.paper(TABLE)["forget"].tolist()[0] == "0.50"
    assert [panels.word(x) for x in (True, False, pd.NA, None)] == ["yes", "no", "open", "open"]


def test_shifts_by_hand():
    oracle = np.array([[0.0, 1.0, 5.0], [2.0, 3.0, 5.5]])
    found = panels.shifts(oracle + 1, oracle, {"forget": np.array([1]), "retain": np.array([0, 1]), "val": np.array([2])})  # fmt: skip
    assert found["forget"][2] == pytest.approx([1 / np.sqrt(2)]) and found["retain"][0].tolist() == [1, 2]  # fmt: skip
    left, right = panels.moved(found, "by hand")
    assert left.axes[0].get_title() == right.axes[0].get_title() == "by hand"
    assert panels.digits_told(found)["shift"] == pytest.approx(1 / np.sqrt(2))
    assert panels.digits_told(found)["chance"] == pytest.approx(1 / np.std([5, 5.5], ddof=1))


def test_pictures_with_records_and_without():
    titles = {"mnist": "by hand", "fashionmnist": "preset fashionmnist-laptop: not run"}
    one, other = panels.table_1(ROWS, TABLE, titles)
    assert "by hand" in one.axes[0].get_title() and texts(other)[0] == titles["fashionmnist"]
    assert [t.get_text() for t in one.axes[0].get_xticklabels()][2] == "254 of\n2,540"
    cifar = panels.measured(evidence.load("laptop").query("method == 'nothing'"))
    left, right = panels.against_gap([ROWS, cifar])
    dots = np.concatenate([c.get_offsets() for c in left.axes[0].collections])
    assert len(dots) == 2 + len(cifar) and [10, 4.0] in np.round(dots, 6).tolist()
    assert len(right.axes[0].get_legend().get_texts()) == 2
    [nothing] = panels.against_gap([NONE, cifar.iloc[:0]])
    assert texts(nothing)[0] == "not run"
    assert all("p: not run" in texts(p)[0] for p in panels.table_1(NONE, TABLE, {"mnist": "p: not run"}))  # fmt: skip


def test_the_twins_stand_beside_cifar():
    twins = panels.planned({"mnist-twin": [record("mnist-twin", "random-50", 8.0)], "fashionmnist-twin": []})  # fmt: skip
    equal = panels.with_cifar(twins, evidence.load("laptop"))
    assert equal.dataset.tolist() == ["mnist", "fashionmnist", "cifar10"] and equal.forget.isna()[1]


def test_numbers_and_evidence():
    told = panels.recorded_told(ROWS, 8.0, 0.25)
    assert (told["rows"], told["asked"], told["limit"], told["open"]) == (2, 6, 2.0, "none")
    assert told["outside"] == pytest.approx(0.1)
    assert panels.recorded_told(ROWS, 1.3, 0.25)["open"] == "MNIST, 5 of 2,540 (0.2%)"
    text = panels.told(ROWS, 8.0)
    assert "on MNIST by not run, 0.30 [0.20, 0.40], 4.00 [3.90, 4.10]" in text and "8.00" in text
    assert panels.told(NONE, float("nan")) == "no record at this scale"
    assert panels.recorded_told(NONE, float("nan"), 0.25)["rows"] == 0


def test_the_question_holds_on_the_authors_own_numbers():
    told = panels.in_theirs(TABLE, evidence.published())
    assert told["their_most"] == pytest.approx(4.13 - 2.76) and told["their_most"] < 0.25 * told["their_gap"]  # fmt: skip
    assert (told["their_floor"], told["their_rows"]) == (5, 6), "the stricter one would fail"
