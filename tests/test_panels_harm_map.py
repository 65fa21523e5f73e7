"""Pictures of the map of harm, and the live picture of the first step: script against library, in a browser."""

import numpy as np
import pytest

from panels import harm_map as panels
from panels import interactive
from unlearning.files import ROOT
from unlearning.theory import certify, correlated, flow, weights, windows
from unlearning.theory.correlated import TwoCoordinates

SIZES = {"n_retain": 900.0, "n_forget": 100.0, "r": 100.0}


def test_the_painted_map_is_the_windows_map():
    """Where the certificate decides, the painting equals the closed forms at the cells' centres."""
    record = certify.read_map(ROOT / "results" / "certificates" / "harm_map.json")
    grid = panels.paint(record)
    n = len(grid)
    middle = (np.arange(n) + 0.5) / n
    epsilon, relative = np.meshgrid(middle, 1.2 * middle)
    one = TwoCoordinates(900, 100, 100, relative / 9, 0.01, epsilon)
    low, high = windows.stopping_window(one)
    inside = (one.alpha >= low) & (one.alpha <= high)
    assert np.all(inside[grid == 0]) and not np.any(inside[grid == 1])
    assert np.mean(grid == 2) == pytest.approx(record.area("undecided"))
    panels.proved(
        record, {"the paper's window": (middle, middle, middle), "κ": (middle, middle, 2 * middle)}
    )


def test_the_painted_map_in_weights_is_the_librarys():
    """At the cells' centres, where the certificate decides: the first step's cosine and both distances."""
    record = weights.read_map(ROOT / "results" / "certificates" / "weights_map.json")
    step = panels.paint(record, ("towards", "away"))[::8, ::8]
    limit = panels.paint(record, ("nearer", "farther", "none"))[::8, ::8]
    middle = (np.arange(2**record.depth)[::8] + 0.5) / 2**record.depth
    epsilon, relative = np.meshgrid(middle, 1.2 * middle)
    one = TwoCoordinates(900, 100, 100, relative / 9, 0.01, epsilon)
    start, target = correlated.pretrained(one), correlated.oracle(one)
    end = correlated.da_stationary(one)[0]
    before, after = (np.linalg.norm(w - target, axis=-1) for w in (start, end))
    assert np.array_equal((flow.first_step(one) < 0)[step < 2], (step == 1)[step < 2])
    kind = np.where(np.isnan(after), 2, after > before)
    assert np.array_equal(kind[limit < 3], limit[limit < 3])
    assert len(panels.proved_weights(record)) == 2


def test_margins_along_start_at_the_pretrained_model():
    one = TwoCoordinates(900, 100, 100, 0.6 / 9, 0.01, 0.8)
    x, y = panels.margins_along(one, 20)
    start, target = correlated.pretrained(one), correlated.oracle(one)
    for margin, k in ((x, 0), (y, 1)):
        gap = correlated.margins(one, start)[k] - correlated.margins(one, target)[k]
        assert margin[0] == pytest.approx(gap) and np.all(np.diff(margin) < 0)
    assert len(panels.number_lines({"one": one, "two": one})) == 2


def test_weights_and_stopping_maps_with_and_without_a_wrong_first_step():
    epsilon, relative = np.meshgrid(np.linspace(0.01, 0.99, 11), np.linspace(0.01, 1.2, 11))
    one = TwoCoordinates(900, 100, 100, relative / 9, 0.1, epsilon)
    cosine = flow.first_step(one)
    for sign in (1, -1):
        flags = {"none": epsilon > 2, "farther": epsilon > 0.5, "window": sign * cosine < 0}
        answer = flags | {"cosine": np.abs(cosine) * sign, "away": np.abs(cosine) * sign < 0}
        assert len(panels.weights(one, answer, "title")) == 2
        panels.stopping(one, np.ones_like(cosine), answer["cosine"])


@pytest.mark.browser
@pytest.mark.parametrize("lam", [0.01, 0.3])
def test_the_script_computes_what_the_library_does(chromium, shown, lam):
    given = {"lam": lam, "relative": 0.6} | SIZES
    [output] = shown(interactive.show, **panels.first_step(**given), alt="first step")
    page = chromium.new_page()
    requests, complaints = [], []
    page.on("request", lambda r: requests.append(r.url))
    page.on("pageerror", lambda e: complaints.append(str(e)))
    page.set_content(f"<!doctype html><body>{output.data['text/html']}")
    still = page.inner_html("svg")
    for epsilon in (0.0, 0.1, 0.3, 0.5, 0.8, 0.98):
        one = TwoCoordinates(900, 100, 100, 0.6 / 9, lam, epsilon)
        got = page.evaluate("e => document.querySelector('.live').compute(e)", epsilon)
        start, target = correlated.pretrained(one), correlated.oracle(one)
        x, y = correlated.margins(one, start)
        x_r, y_r = correlated.margins(one, target)
        for value, exact in ((got["x"], x), (got["y"], y), (got["xR"], x_r), (got["yR"], y_r)):
            assert value == pytest.approx(float(exact), rel=1e-10, abs=1e-10)
        assert got["cosine"] == pytest.approx(float(flow.first_step(one)), abs=1e-8)
        step = -correlated.gradient(one, start, "DA") / lam
        np.testing.assert_allclose(got["step"], step, rtol=1e-7, atol=1e-9)
        low, high = windows.stopping_window(one)
        assert got["harm"] == bool(low <= one.alpha <= high)
        if got["harm"]:
            assert got["most"][0] <= got["x"] and got["most"][1] <= got["y"]
    page.focus("input")
    page.keyboard.press("Home")
    assert page.inner_html("svg") != still and "nearer at first" in page.text_content("svg")
    page.keyboard.press("End")
    assert "No stopping time" in page.text_content("svg") and not requests and not complaints
    page.close()
