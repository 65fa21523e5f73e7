"""The threshold's pictures, and the live picture of three pulls: script against library, in a browser."""

import numpy as np
import pytest

from panels import interactive
from panels import threshold as panels
from unlearning.theory import one_dimension
from unlearning.theory.one_dimension import OneCoordinate

BASE = OneCoordinate(900, 100, 100, 0.0, 0.1)


def test_every_curve_crosses_one_at_the_threshold():
    for picture in panels.threshold(BASE, [0.01, 0.1, 1.0]):
        lines = [line for line in picture.axes[0].lines if line.get_label().startswith("λ")]
        assert len(lines) == 3
        for line in lines:
            x, ratio = line.get_xydata().T
            below, above = x < 1, (x > 1) & np.isfinite(ratio)
            assert np.all(ratio[below] < 1) and np.all(ratio[above] > 1)


def test_stability_stays_below_lemma_4_and_levels_off():
    left, right = panels.stability(BASE, [0.5, 1.0])
    curve = left.axes[0].lines[0].get_ydata()
    assert np.all(curve <= left.axes[0].lines[1].get_ydata()[0] * (1 + 1e-9))
    fixed, growing = (right.axes[0].lines[k].get_ydata() for k in (0, 2))
    assert np.ptp(fixed[:100]) < 0.05 and np.all(np.diff(growing) < 0)


@pytest.mark.parametrize("sizes", [(200, 1, 100, 1.0), (2000, 100, 1, 0.01), (200, 100, 100, 0.01)])
def test_pictures_at_the_corners(sizes):
    base = OneCoordinate(*sizes[:3], 0.0, sizes[3])
    panels.threshold(base, [0.01, 1.0])
    assert "nan" not in panels.pulls(base)["svg"]


def test_the_still_frame_shows_the_order_and_says_the_verdict():
    svg = panels.pulls(BASE)["svg"]
    assert "descent-ascent ends farther" in svg
    place = {
        o: float(svg.split(f'weight-{o}" transform="translate(')[1].split()[0])
        for o in ("D", "R", "DA")
    }
    assert place["DA"] < place["D"] < place["R"]


def test_a_live_picture_needs_an_alternative_text():
    with pytest.raises(ValueError, match="alt is empty"):
        interactive.show(**panels.pulls(BASE), alt=" ")


@pytest.mark.browser
@pytest.mark.parametrize("lam", [0.01, 0.1, 1.0])
def test_the_script_computes_what_the_library_does(chromium, shown, lam):
    base = OneCoordinate(900, 100, 100, 0.0, lam)
    [output] = shown(interactive.show, **panels.pulls(base), alt="three pulls")
    page = chromium.new_page()
    requests, complaints = [], []
    page.on("request", lambda r: requests.append(r.url))
    page.on("pageerror", lambda e: complaints.append(str(e)))
    page.set_content(f"<!doctype html><body>{output.data['text/html']}")
    still = page.inner_html("svg")
    last = float(one_dimension.last_alpha(base) * 9)
    for relative in (0.0, 0.09, 0.0910, 0.5, 1.0, 1 + (last - 1) / 2, 1.01 * last, 5.0):
        problem = OneCoordinate(900, 100, 100, relative / 9, lam)
        got = page.evaluate("a => document.querySelector('.live').compute(a)", relative)
        for o in one_dimension.OBJECTIVES:
            assert got["pulls"][o] == pytest.approx(one_dimension.pull(problem, o), abs=1e-15)
            exact = one_dimension.stationary(problem, o)
            if np.isfinite(exact):
                assert got["weights"][o] == pytest.approx(exact, rel=1e-12, abs=1e-12)
        kind = ("I", "II", "III")[one_dimension.regime(problem)]
        assert got["regime"] == kind
        assert got["farther"] == bool(problem.alpha > one_dimension.harm_threshold(problem))
    page.focus("input")
    page.keyboard.press("End")
    assert page.inner_html("svg") != still and "Regime III" in page.text_content("svg")
    page.evaluate(
        "b => { b.value = 0.5; b.dispatchEvent(new Event('input')) }", page.query_selector("input")
    )
    texts = page.evaluate(
        "[...document.querySelectorAll('svg [data-role=verdict]')].map(t => t.textContent)"
    )
    assert texts == ["Regime I: descent-ascent ends farther"], "back at the still frame's words"
    assert not requests and not complaints
    page.close()
