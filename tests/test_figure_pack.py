"""The figure pack: every figure once, readable by itself, with its caption in plain words."""

import re
import xml.dom.minidom

import nbformat
import pytest

from unlearning.__main__ import main
from unlearning.build import browser, figure_pack
from unlearning.page import figures


def panels(n: int, title: str) -> list:
    made = []
    with figures.style():
        for at in range(n):
            figure, ax = figures.panel()
            ax.plot([0, 1], [0, 1], color=figures.INK)
            ax.set_title(f"{title} {at}")
            made.append(figure)
    return made


@pytest.fixture
def executed(shown) -> nbformat.NotebookNode:
    """A chapter with a figure of two panels, a slider over three frames, and a glued number."""
    two = shown(figures.show, *panels(2, "p"), alt="two lines")
    slider = shown(figures.frames, panels(3, "f"), ["a", "b", "c"], "which", "frames", start=1)
    cells = []
    for name, outputs in (("x-two", two), ("x-slider", slider)):
        caption = "A {glue:text}`x_rate:.1e` rate, see {ref}`there <x-there>`."
        meta = {"mystnb": {"figure": {"name": name, "caption": caption}}}
        told = [
            nbformat.v4.new_output("display_data", data=o.data, metadata=o.metadata)
            for o in outputs
        ]
        cells.append(nbformat.v4.new_code_cell("draw()", metadata=meta, outputs=told))
    glued = nbformat.v4.new_output(
        "display_data",
        data={"application/papermill.record/text/plain": "0.00123"},
        metadata={"scrapbook": {"name": "x_rate"}},
    )
    cells.append(nbformat.v4.new_code_cell("glue()", outputs=[glued]))
    return nbformat.v4.new_notebook(cells=cells)


def test_figures_stand_by_themselves(executed):
    found = figure_pack.figures_of("x", executed)
    assert list(found) == ["x-two", "x-slider"]
    for svg, caption in found.values():
        root = xml.dom.minidom.parseString(svg).documentElement
        assert (
            float(root.getAttribute("width")) > 300
            and "var(" not in svg
            and "width:100%" not in svg
        )
        assert caption == "A 1.2e-03 rate, see there."
    assert len(re.findall('<g transform="translate', found["x-two"][0].split("<path")[0])) >= 1
    assert found["x-two"][0].count("<svg") == 3 and found["x-slider"][0].count("<svg") == 2


def test_of_a_slider_the_frame_that_is_shown_first(executed, shown):
    (only,) = (
        o.data["text/html"] for o in shown(figures.show, *panels(3, "f")[1:2], alt="the middle")
    )
    paths = re.findall(r' d="[^"]+"', only)
    svg = figure_pack.figures_of("x", executed)["x-slider"][0]
    assert re.findall(r' d="[^"]+"', svg) == paths


def test_figures_come_with_their_numbers(executed):
    found = figure_pack.data_of(executed)
    assert list(found) == ["x-two", "x-slider"]
    assert found["x-two"].count(",line,") == 4 and found["x-slider"].count(",line,") == 6


def test_a_book_that_is_not_built_is_refused(tmp_path, monkeypatch, capsys):
    (tmp_path / "book").mkdir()
    (tmp_path / "_toc.yml").write_text("root: book/x\n")
    monkeypatch.setattr(figure_pack, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["figures"]) == 1
    assert "unlearning build" in capsys.readouterr().err
    (tmp_path / "figures.zip").write_text("mine")
    assert main(["figures"]) == 2
    assert (tmp_path / "figures.zip").read_text() == "mine"


@pytest.mark.browser
def test_png(executed):
    if not browser.find():
        pytest.skip("no Chromium")
    svgs = {name: svg for name, (svg, _) in figure_pack.figures_of("x", executed).items()}
    for data in figure_pack.pngs(svgs).values():
        assert data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) > 5000
