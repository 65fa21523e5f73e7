"""Figures: valid SVG with page-coloured ink and ids of its own, alternative text always, sliders that need no server."""

import re
import xml.etree.ElementTree as ET

import pandas as pd
import pytest

from unlearning.page import figures


def draw(y=(1, 2, 3)):
    with figures.style():
        figure, ax = figures.panel()
        ax.plot(y, color=figures.INK, label="line")
        ax.fill_between(range(len(y)), y, color=figures.PAPER)
        ax.legend()
    return figure


def test_svg_is_valid_and_takes_the_pages_colours():
    text = figures.svg(draw())
    root = ET.fromstring(text)
    assert root.attrib["viewBox"] == "0 0 316.8 237.6"
    assert "currentColor" in text and figures.INK not in text and figures.PAPER not in text
    ids = [e.attrib["id"] for e in root.iter() if "id" in e.attrib]
    assert len(ids) == len(set(ids))
    used = re.findall(r'href="#([^"]+)"', text) + re.findall(r"url\(#([^)]+)\)", text)
    assert used and set(used) <= set(ids)


def test_the_same_figure_is_the_same_text_and_two_figures_share_no_id():
    assert figures.svg(draw()) == figures.svg(draw())
    one, two = (set(re.findall(r'\bid="([^"]+)"', figures.svg(draw(y)))) for y in ((1, 2), (2, 1)))
    assert not one & two


def test_alternative_text_is_required_and_escaped(shown):
    with pytest.raises(ValueError, match="alt is empty"):
        figures.show(draw(), alt=" ")
    with pytest.raises(ValueError, match="no figure"):
        figures.show(alt="x")
    assert (
        'aria-label="a &lt; &quot;b&quot;"'
        in shown(figures.show, draw(), alt='a < "b"')[0].data["text/html"]
    )


def test_frames(shown):
    html = shown(
        figures.frames, [draw(), (draw(), draw((3, 2)))], ["one", "two"], name="k", alt="x", start=1
    )[0].data["text/html"]
    assert html.count("<svg") == 3 and 'max="1"' in html and 'value="1"' in html
    assert html.count("display:none") == 1
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))  # although one panel stands in both frames
    assert "http" not in re.sub(r"http://www.w3.org/\S+", "", html)
    with pytest.raises(ValueError, match="2 frames but 1 labels"):
        figures.frames([draw(), draw()], ["one"], name="k", alt="x")
    with pytest.raises(ValueError, match="start is 5"):
        figures.frames([draw()], ["one"], name="k", alt="x", start=5)


def test_table_escapes_cells_unless_they_are_links(shown):
    frame = pd.DataFrame({"a": [1.23456789], "b": ["<i>"]})
    html = shown(figures.table, frame)[0].data["text/html"]
    assert "1.235" in html and "&lt;i&gt;" in html
    assert "<i>" in shown(figures.table, frame, links=True)[0].data["text/html"]


def test_the_style_leaves_nothing_behind():
    import matplotlib

    before = dict(matplotlib.rcParams)
    draw()
    assert dict(matplotlib.rcParams) == before
