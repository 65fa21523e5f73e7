"""The toy chapter's panels, and its live picture in a browser against the library."""

import json

import numpy as np
import pandas as pd
import pytest

from panels import toy_minima as panels
from unlearning.page import figures
from unlearning.theory import toy_minima

OBJECTIVES = {
    "D": toy_minima.Objective(toy_minima.COPIES),
    "DA": toy_minima.descent_ascent((0, 0, 0, 2)),
}
MINIMA = {name: toy_minima.minima(objective) for name, objective in OBJECTIVES.items()}


def picture(ridge: float = 0.1) -> str:
    with figures.style():
        still, _ = panels.landscape(OBJECTIVES["D"], MINIMA["D"], "α₄ = 4", "#000000", 21)
    return panels.live(ridge, 0.5, still, "a landscape")


def test_tables_say_what_was_found():
    table = panels.minima_table(MINIMA)
    assert table["objective"].tolist() == ["D", "D", "DA"]
    assert table["signs at x₁…x₄"].tolist() == ["−+++", "−+−−", "−+−−"]
    proof = panels.proof_table({n: toy_minima.stationary_points(o) for n, o in OBJECTIVES.items()})
    assert proof["minima"].tolist() == [2, 1] and proof["undecided"].tolist() == [0, 0]
    assert proof["searched"][0] == "|a| ≤ 280, |b| ≤ 820"  # (5 + 4 + 3 + 16) / 0.1, by hand
    assert len(panels.points()) == 4


def test_figures_draw_what_they_are_given():
    with figures.style():
        fig, ax = panels.landscape(OBJECTIVES["D"], MINIMA["D"], "t", "#000000", 21)
        drawn = [line.get_xydata()[0] for line in ax.lines]
        np.testing.assert_allclose(drawn, [m.theta for m in MINIMA["D"]])
        walk = toy_minima.descend(MINIMA["D"][0].theta, OBJECTIVES["DA"], 0.01, 20)
        _, right = panels.path(OBJECTIVES["D"], MINIMA["D"], walk, walk, 21)
        np.testing.assert_allclose(
            right.axes[0].lines[0].get_ydata(), toy_minima.loss(walk, OBJECTIVES["D"])
        )
        table = pd.DataFrame({"weight": [0, 1], "value": [1.0, 2.0], "right": [True, False]})
        assert len(panels.valleys(table, (0.4, 1.0)).axes[0].lines) == 6
        assert panels.boundary(("D",), MINIMA, toy_minima.COPIES, "t").axes[0].get_title() == "t"


def test_the_live_picture_asks_nobody_and_its_still_frame_stands_alone():
    page = picture()
    assert "http" not in page.replace("http://www.w3.org", "") and "<svg" in page
    assert "fetch" not in page and "import(" not in page


@pytest.mark.browser
@pytest.mark.parametrize("ridge", [0.05, 0.1, 0.3])
def test_the_page_finds_the_minima_that_the_library_proves(chromium, ridge):
    page = chromium.new_page(viewport={"width": 390, "height": 800})
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_content(f"<html><body>{picture(ridge)}</body></html>")
    for weight in (4.0, 2.0, 1.0, 0.5, 0.3, 0.0):
        page.eval_on_selector(
            "input",
            "(bar, v) => { bar.value = v; bar.dispatchEvent(new Event('input')) }",
            str(weight),
        )
        found = json.loads(page.get_attribute(".live-picture", "data-minima"))
        proved = toy_minima.minima(toy_minima.Objective((*toy_minima.COPIES[:3], weight), ridge))
        assert len(found) == len(proved), (weight, found)
        for here, there in zip(found, proved, strict=True):
            assert (here["a"], here["b"]) == pytest.approx(tuple(there.theta), abs=1e-6)
            assert here["value"] == pytest.approx(there.value, abs=1e-9)
            assert here["right"] == (there.signs[3] == 1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390 and not asked
    page.close()


def test_rates_that_trap():
    table = panels.rates(0.75, {1: 2, 2: 1}).set_index("copies forgotten k")
    assert table.loc["1", "trapped for ρ above"] == "2.25" and table.loc["2", "α₄ at ρ = 2"] == "-2"
    assert table.loc["1", "minima there"] == "2"  # ρ = 2 < 2.25: both valleys are there
