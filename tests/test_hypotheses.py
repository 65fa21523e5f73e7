"""The protocol's answers on records made by hand: worlds in which each hypothesis holds, is refuted, or is open."""

import numpy as np
import pytest
from scipy.stats import norm

from desk_by_hand import group, record
from unlearning.errors import Refused
from unlearning.methods import Config
from unlearning.page import criteria, evidence, hypotheses

P = hypotheses.protocol()
FLOOR = {n: evidence._small_floor(n, "mean") for n in (20, 40, 100)}
P95 = {n: evidence._small_floor(n, "p95") for n in (20, 40, 100)}


def cell(config: Config, epoch: int, q: float, *, name: str = "published-1", harm: float = 0.0, lost: float = 0.0,
         models: int = 40, paired: dict | None = None, error: float = 0.01) -> dict:  # fmt: skip
    """A record with a given share of the gap left (gap 0.8 nats), damage in limits, and accuracy lost on retain points."""

    def groups(n: int) -> dict:
        unit = criteria.limit(n, estimator="oq5")
        calm = group(FLOOR[n], P95[n] + harm * unit, 0.99 - lost, 0.99, error)
        return {
            "forget": group(FLOOR[n] + 0.8 * q, 1.0, 0.5, 0.2, error), "retain": calm, "near": calm,
            "val": group(FLOOR[n], P95[n] + harm * unit, 0.75, 0.75, error),
        }  # fmt: skip

    one = record(config, epoch, **{g: v for g, v in groups(models).items() if g != "near"})
    blocks = [{"first": k, "last": k + 19} | groups(20) for k in range(0, models, 20)]
    return one | {"forget_set": name, "models": models, "blocks": blocks, "paired": paired or {},
                  "provenance": {"protocol": None}}  # fmt: skip


NOTHING = Config("nothing")


def path(qs: list[float], name: str = "published-1", lr: float = 0.01, **more) -> list[dict]:
    ga = Config("ga", lr, tuple(range(1, len(qs) + 1)))
    return [cell(NOTHING, 0, 1.0, name=name, models=more.get("models", 40))] + [
        cell(ga, k, q, name=name, **more) for k, q in enumerate(qs, 1)
    ]


@pytest.mark.parametrize(
    "qs, answer",
    [
        ([0.9, 0.3, 0.9], True),  # a narrow window
        ([0.9, 0.3, 0.29, 0.3, 0.9], False),  # no illusion: both neighbours are as good
        ([0.3, 0.9], True),  # beside the first epoch stands doing nothing
        ([0.9, 0.9, 0.9], False),  # nothing to be had
        ([0.9, 0.49, 0.9], None),  # within its error of the limit
    ],
)
def test_h3(qs: list[float], answer: bool | None):
    found = hypotheses.h3(path(qs), P)
    assert found.answer is answer, found.told


def test_h3_waits_for_the_testing_models():
    found = hypotheses.h3(path([0.9, 0.3, 0.9], models=20), P)
    assert found.answer is None and "testing models" in found.told


def test_h1(monkeypatch: pytest.MonkeyPatch):
    def of(found: list[dict]) -> hypotheses.Decision:
        monkeypatch.setattr(evidence, "recorded", lambda **wanted: found)
        return hypotheses.h1(found, P)

    gda = cell(Config("gda", 0.005, (10,), ascent_epochs=5), 10, 0.9, name="published-5")
    stays = [one for k in (4, 5, 6) for one in path([0.9, 0.9], f"published-{k}")]
    assert of([*stays, gda]).answer is True
    forgets = [one for k in (4, 6) for one in path([0.9, 0.9], f"published-{k}")]
    assert of([*forgets, *path([0.9, 0.2], "published-5"), gda]).answer is False
    broken = [
        *forgets,
        *path([0.9, 0.2], "published-5", harm=2.0),
        gda,
    ]  # the start is broken, too, here
    assert of(broken).answer is True
    assert of(path([0.9, 0.9], "published-5")).answer is None  # sets 4 and 6 are not there


def pair(value: float, error: float = 0.001) -> dict:
    one = {"oq5_mean": value, "oq5_mean_error": error, "accuracy": value, "accuracy_error": error}
    return dict.fromkeys(("forget", "retain", "near", "val"), one) | {"baseline": "ga"}


@pytest.mark.parametrize("value, answer", [(0.001, True), (0.004, None), (0.02, False)])
def test_h2a(value: float, answer: bool | None):
    ga = Config("ga", 1e-4, tuple(range(1, 11)))
    found = [
        cell(ga, e, 0.9, name=name, paired=pair(value))
        for name in P["H2a"]["sets"]
        for e in ga.epochs
    ]
    told = hypotheses.h2a(found, P)
    assert told.answer is answer, told
    assert hypotheses.h2a(found[:-1], P).answer in (None, False)  # an epoch is missing


@pytest.mark.parametrize(
    "share, answer", [((0.95, 0.1), True), ((0.5, 0.1), False), ((0.8, 0.1), None)]
)
def test_h2b(share: tuple[float, float], answer: bool | None):
    """Four points of accuracy are lost; the difference to drift is what drift does not explain."""
    found = []
    for name in P["H2b"]["sets"]:
        found.append(cell(NOTHING, 0, 1.0, name=name))
        for rate, part in zip((1e-3, 1e-2), share, strict=True):
            ga = Config("ga", rate, (10,))
            found.append(cell(ga, 10, 0.9, name=name, lost=0.04, paired=pair(-0.04 * (1 - part))))
    told = hypotheses.h2b(found, P)
    assert told.answer is answer, told


@pytest.mark.parametrize("more, answer", [(0.1, True), (-0.1, False), (0.0, None)])
def test_h6(more: float, answer: bool | None):
    gda = Config("gda", 0.005, (5, 10), ascent_epochs=5)
    found = [cell(gda, e, 0.9, paired=pair(-more, 0.01)) for e in (5, 10)]
    told = hypotheses.h6("published-1")(found, P)
    assert told.answer is answer and told.p == pytest.approx(norm.sf(more / 0.01))
    assert hypotheses.h6("published-7")(found, P).answer is None


@pytest.mark.parametrize(
    "q, lost, answer",
    [(0.3, 0.0, True), (0.9, 0.0, False), (0.3, 0.2, False), (0.5, 0.0, None)],
)
def test_h4(q: float, lost: float, answer: bool | None):
    """Half of the gap closed and intact; too little; broken; within its error of the half."""
    found = []
    for name in P["H4"]["sets"]:
        one = cell(Config("ga", 0.01, (10,)), 10, q, name=name, models=20, lost=lost)
        one |= {"method": hypotheses.stopped.NAME, "stops": {"0.01": 18, "never": 2}}
        found += [cell(NOTHING, 0, 1.0, name=name, models=20), one]
    told = hypotheses.h4(found, P)
    assert told.answer is answer and "2 of 20 models never stop" in told.told, told
    assert hypotheses.h4(found[:-1], P).answer in (None, False)


def test_h5():
    def world(pc1: float, random: float) -> list[dict]:
        return [
            r for a, b in P["H5"]["pairs"] for r in path([0.95, pc1], a) + path([0.95, random], b)
        ]

    assert hypotheses.h5(world(0.9, 0.3), P).answer is True
    assert hypotheses.h5(world(0.3, 0.9), P).answer is False
    assert hypotheses.h5(world(0.9, 0.9), P).answer is None  # ties decide nothing
    assert hypotheses.h5(world(0.9, 0.3)[:-3], P).answer is None


@pytest.mark.parametrize("turned, answer", [(False, True), (True, False)])
def test_h8_takes_the_sums_of_the_chapter_on_the_number_of_models(turned: bool, answer: bool):
    """Four cells whose damage rises by both scores, or by one while it falls by the other."""
    harms, found = [0.4, 0.8, 1.3, 1.8], []
    for epoch, (few, many) in enumerate(
        zip(harms, harms[::-1] if turned else harms, strict=True), 1
    ):
        r = cell(Config("ga", 0.01, (1, 2, 3, 4)), epoch, 0.5, harm=few, models=100)
        for g in ("retain", "val"):
            p95 = hypotheses.fewer.line("klom", 100) * many
            r["groups"][g] |= {
                d: {"p95": p95} for d in ("oracle_to_unlearned", "unlearned_to_oracle")
            }
        found.append(r)
    told = hypotheses.h8(found, P)
    assert told.answer is answer and told.told.startswith("medians of 5 ensembles"), told
    assert hypotheses.h8(path([0.9]), P).answer is None


def test_gates():
    found = [cell(NOTHING, 0, 1.0, models=n) for n in (20, 40)]
    for r in found:
        r["groups"]["val"]["geb_mean"] = 0.01
    assert hypotheses.g2(found, P).answer is True and hypotheses.g2(found[:1], P).answer is None
    found[1]["groups"]["val"]["geb_mean"] = 0.05
    assert hypotheses.g2(found, P).answer is False
    assert hypotheses.g4(found, P).answer is True
    found[0]["groups"]["val"]["accuracy"] = found[1]["groups"]["val"]["accuracy"] = 0.5
    assert hypotheses.g4(found, P).answer is False


def test_g1_compares_models_of_other_seeds(monkeypatch: pytest.MonkeyPatch):
    def world(shift: float, models: int = 24) -> hypotheses.Decision:
        draws = np.random.default_rng(0).normal(size=(36, 2000)).astype(np.float32)
        draws[:12] += shift
        own = np.concatenate([draws[:12] + 9, draws[24:]])[
            :models
        ]  # the first 12 share their seeds: not compared
        packs = {"desk-float32": draws[:12], "desk": own}
        monkeypatch.setattr(hypotheses.packing, "validation", packs.get)
        return hypotheses.g1([], P)

    assert world(0.0).answer is True
    assert world(0.5).answer is False  # a shift of half a standard deviation is 0.125 nats
    assert world(0.0, models=23).answer is None and "not run" in world(0.0, models=23).told


def test_holm_against_its_definition():
    rng = np.random.default_rng(0)
    for _ in range(200):
        ps = dict(zip("abcde", rng.uniform(0, 0.06, 5), strict=True))
        order = sorted(ps.values())
        stop = next((k for k, x in enumerate(order) if x > 0.05 / (5 - k)), 5)
        assert hypotheses.holm(ps, 0.05) == {k: x in order[:stop] for k, x in ps.items()}


def test_without_records_everything_is_open_and_says_why():
    answers = hypotheses.decided([])
    packed = ("G1", "G3")  # read from packs
    assert {name: a.answer for name, a in answers.items() if name not in packed} == dict.fromkeys(
        (k for k in answers if k not in packed), None
    )
    assert all(a.told for a in answers.values())
    named = {k.split("-")[0] for k in answers}
    assert named == {k for k in {**P, **P["gates"]} if k[0] in "GH" and k[1:2].isdigit()}


def test_a_protocol_changed_after_its_data_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(evidence, "recorded", lambda **wanted: [cell(NOTHING, 0, 1.0)])
    with pytest.raises(Refused, match="has changed since"):
        hypotheses.records()


def test_a_cell_that_is_not_yet_at_the_larger_number_keeps_its_smaller_one():
    """Doing nothing has 40 models, the path still 20, and another method 10: two halves, the second without the path."""
    small = Config("gda", 0.005, (5,), ascent_epochs=3)
    found = [
        *path([0.9, 0.3, 0.9], models=20),
        cell(NOTHING, 0, 1.0, models=40),
        {**cell(small, 5, 0.5, models=20), "models": 10},
    ]
    tables = hypotheses.halves(found)
    assert sorted(tables) == [0, 20]
    assert list(tables[0].method) == ["nothing", "ga", "ga", "ga"]
    assert list(tables[20].method) == ["nothing"]
    assert "testing models are not there" in hypotheses.h3(found, P).told
