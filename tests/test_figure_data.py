"""The CSV under a figure: its numbers are those that are drawn, checked against the drawing and against the input."""

import io
import re

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest

from unlearning.build import figure_files
from unlearning.page import figure_data, figures


def read(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), keep_default_na=False, na_values=[""])


@pytest.fixture
def axes():
    with figures.style():
        figure, ax = figures.panel()
        yield figure, ax


def of(figure, kind: str) -> pd.DataFrame:
    found = read(figure_data.csv({"": (figure,)}))
    return found[found.kind == kind]


def test_the_numbers_are_where_the_drawing_has_them(axes):
    """An independent way back: the path in the SVG, in points of the page, through the axes' scales."""
    figure, ax = axes
    x, y = np.array([0.01, 0.1, 1.0, 7.0]), np.array([3.0, -2.0, 0.5, 11.25])
    ax.plot(x, y, color="#d55e00", label="GA")
    ax.set(xscale="log", xlabel="step size", ylabel="nats", title="random-10")
    drawn = re.search(r'<path d="([^"]+)"[^>]*stroke: #d55e00', figures.svg(figure))[1]
    at = np.array(re.findall(r"[ML] (\S+) (\S+)", drawn), float)
    rows = of(figure, "line")
    there = ax.transData.transform(rows[["x", "y"]].to_numpy()) * 72 / figure.dpi
    there[:, 1] = 72 * figure.get_size_inches()[1] - there[:, 1]
    np.testing.assert_allclose(there, at, atol=2e-3)
    np.testing.assert_allclose(rows[["x", "y"]], np.stack([x, y], 1))
    one = rows.iloc[0]
    assert (one.series, one.color, one.title) == ("GA", "#d55e00", "random-10")
    assert (one.x_name, one.y_name, one.panel) == ("step size", "nats", 1)


def test_a_line_across_the_panel_has_one_coordinate(axes):
    figure, ax = axes
    ax.axhline(0.25, label="floor")
    ax.axvline(3)
    ax.axline((1, 2), slope=0.5)
    rows = of(figure, "line")
    assert rows.x.isna().tolist() == [True, True, False, False, False, False]
    assert rows.y[:2].tolist() == [0.25, 0.25] and rows.x[2:4].tolist() == [3, 3]
    assert rows.iloc[4:][["x", "y"]].to_numpy().tolist() == [[1, 2], [2, 2.5]]


def test_points_and_what_their_colour_stands_for(axes):
    figure, ax = axes
    ax.scatter([1, 2, 3], [4, 5, 6], c=[0.1, 0.2, 0.3], label="sets")
    ax.scatter([7], [8], color="#029e73", label="oracle")
    rows = of(figure, "points")
    assert rows.value[:3].tolist() == [0.1, 0.2, 0.3] and rows.x.tolist() == [1, 2, 3, 7]
    assert rows.series.tolist() == ["sets"] * 3 + ["oracle"] and rows.color.iloc[3] == "#029e73"


def test_bars_and_histograms_give_heights_at_their_places(axes):
    figure, ax = axes
    ax.bar([1, 2], [0.5, 0.75], 0.4, label="terms")
    ax.barh([5], [3.5], left=1)
    rows = of(figure, "bar")
    assert rows[["x", "y"]].to_numpy().tolist() == [[1, 0.5], [2, 0.75], [4.5, 5]]
    values = np.random.default_rng(0).normal(size=200)
    figure, ax = figures.panel()
    ax.hist(values, 9)
    counts, edges = np.histogram(values, 9)
    rows = of(figure, "bar")
    np.testing.assert_allclose(rows.y, counts)
    np.testing.assert_allclose(rows.x, (edges[1:] + edges[:-1]) / 2, rtol=1e-5)
    figure, ax = figures.panel()
    ax.hist(values, 9, histtype="step", label="seen")
    assert set(counts) <= set(of(figure, "outline").y)


def test_intervals_areas_and_bands(axes):
    figure, ax = axes
    ax.errorbar([1, 2], [10, 20], yerr=[[1, 2], [3, 4]], fmt="o")
    ends = of(figure, "segment")
    assert ends[["x", "y"]].to_numpy().tolist() == [[1, 9], [1, 13], [2, 18], [2, 24]]
    ax.fill_between([0, 1], [2, 3], [4, 5], label="95%")
    area = of(figure, "area")
    assert {(0, 2), (1, 3), (0, 4), (1, 5)} == set(map(tuple, area[["x", "y"]].to_numpy()))
    ax.axvspan(6, 7)
    band = of(figure, "box")
    assert band.x.tolist() == [6, 7] and band.y.isna().all()


def test_maps_give_a_value_at_the_middle_of_each_cell(axes):
    figure, ax = axes
    z = np.arange(6.0).reshape(2, 3)
    ax.pcolormesh([0, 1, 2, 3], [0, 10, 20], z)
    mesh = of(figure, "mesh")
    assert mesh[["x", "y", "value"]].to_numpy().tolist() == [
        [0.5, 5, 0], [1.5, 5, 1], [2.5, 5, 2], [0.5, 15, 3], [1.5, 15, 4], [2.5, 15, 5]]  # fmt: skip
    ax.imshow(z, extent=(0, 3, 0, 20), origin="lower", aspect="auto")
    image = of(figure, "image")
    assert (
        image[["x", "y", "value"]].to_numpy().tolist()
        == mesh[["x", "y", "value"]].to_numpy().tolist()
    )
    figure, ax = figures.panel()
    ax.imshow(z, extent=(0, 3, 0, 20), aspect="auto")  # first row on top
    assert of(figure, "image").groupby("y").value.min().to_dict() == {5.0: 3, 15.0: 0}
    figure, ax = figures.panel()
    ax.pcolormesh([0, 1, 2], [0, 1], [[[1.0, 0, 0], [0, 0, 1.0]]])
    assert of(figure, "mesh").color.tolist() == ["#ff0000", "#0000ff"]


def test_a_large_map_is_thinned_evenly(axes):
    figure, ax = axes
    z = np.arange(400 * 500.0).reshape(400, 500)
    ax.pcolormesh(np.arange(501), np.arange(401), z)
    mesh = of(figure, "mesh")
    assert len(mesh) == 134 * 125, "every third row, every fourth column"
    kept = z[(mesh.y - 0.5).astype(int), (mesh.x - 0.5).astype(int)]
    np.testing.assert_allclose(mesh.value, kept, rtol=1e-5)


def test_contours_carry_their_level(axes):
    figure, ax = axes
    x, y = np.meshgrid(np.linspace(-2, 2, 81), np.linspace(-2, 2, 81))
    ax.contour(x, y, x**2 + y**2, levels=[1.0, 2.0])
    rows = of(figure, "contour")
    assert set(rows.value) == {1, 2}
    np.testing.assert_allclose(rows.x**2 + rows.y**2, rows.value, rtol=2e-3)


def test_an_arrow_has_a_tail_and_a_tip(axes):
    figure, ax = axes
    ax.annotate("", xy=(1, 2), xytext=(0, 0), arrowprops={"arrowstyle": "->"})
    ax.annotate("a word", (5, 5), (6, 6), arrowprops={"arrowstyle": "-"})  # a label, no data
    assert of(figure, "arrow")[["x", "y"]].to_numpy().tolist() == [[0, 0], [1, 2]]


def test_hidden_things_empty_legends_and_photographs_have_no_rows(axes):
    figure, ax = axes
    ax.plot([], [], label="only in the legend")
    ax.scatter([], [], label="too")
    ax.plot([1, np.nan, 3], [1, np.nan, 9], visible=False)
    ax.imshow(np.zeros((2, 2, 3)))
    assert figure_data.csv({"": (figure,)}) == ""
    ax.plot([1, np.nan, 3], [1, np.nan, 9])
    assert of(figure, "line").x.tolist() == [1, 3], "a gap is no point"


def test_frames_panels_and_names_that_need_quoting(axes):
    figure, ax = axes
    ax.plot([1], [2], label='a "quoted", name\nin two lines')
    second, (left, right) = plt.subplots(1, 2)
    plt.close(second)
    left.plot([3], [4])
    right.plot([5], [6])
    second.colorbar(right.imshow([[1.0]]))
    rows = read(figure_data.csv({"η = 0.1": (figure, second), "η = 1": (figure,)}))
    assert rows.series.iloc[0] == 'a "quoted", name\nin two lines'
    assert rows.frame.tolist() == ["η = 0.1"] * 4 + ["η = 1"]
    assert rows.panel.tolist() == [1, 2.1, 2.2, 2.2, 1]


def test_a_shown_figure_carries_its_numbers(shown, axes):
    figure, ax = axes
    ax.plot([1, 2], [3, 4])
    still = shown(figures.show, figure, alt="x")[0]
    assert read(still.metadata[figures.DATA]).y.tolist() == [3, 4]
    marks = pd.DataFrame({"C1": [True, None]}, index=["ours", "other"])
    drawn = shown(figures.show, figure, alt="x", data=marks)[0]
    assert drawn.metadata[figures.DATA] == ",C1\nours,True\nother,\n", "what the panel stands for"
    moved = shown(figures.frames, [figure, (figure,)], ["a", "b"], name="k", alt="x")[0]
    assert read(moved.metadata[figures.DATA]).frame.tolist() == ["a", "a", "b", "b"]


def test_the_build_puts_the_numbers_beside_the_page(shown, axes, tmp_path):
    figure, ax = axes
    ax.plot([1, 2], [3, 4])
    (still,) = shown(figures.show, figure, alt="x")
    (empty,) = shown(figures.show, figures.panel()[0], alt="x")
    outputs = [
        nbformat.v4.new_output("display_data", data=o.data, metadata=o.metadata)
        for o in (still, empty)
    ]
    named = {"mystnb": {"figure": {"name": "first-line", "caption": "c"}}}
    cells = [
        nbformat.v4.new_code_cell("a", metadata=meta, outputs=[output])
        for meta, output in ((named, outputs[0]), ({}, outputs[0]), (named, outputs[1]))
    ]
    executed = nbformat.v4.new_notebook(cells=cells)
    before = nbformat.writes(executed)
    made = figure_files.with_data("first", executed, tmp_path)
    assert nbformat.writes(executed) == before, "the executed notebook keeps its own"
    assert not any(o.metadata for c in made.cells for o in c.outputs)
    links = re.findall(r"(figure_data/[^\\\"]+)", nbformat.writes(made))
    assert links == ["figure_data/first-line.csv", "figure_data/first-2.csv"]
    for link in links:
        assert read((tmp_path / link).read_text()).y.tolist() == [3, 4]
