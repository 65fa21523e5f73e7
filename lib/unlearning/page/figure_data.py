"""The numbers behind a matplotlib figure, read back from what is drawn: one table for every kind of picture.

A row is one point of one drawn thing. Six digits are kept, which is finer than any screen shows, and of a map with more
than SIDE rows or columns every second, third, …: one file stays small enough to open.

| column | |
| --- | --- |
| frame | the slider's label; empty for a still picture |
| panel, title | the panel's number (2.3: third axes of the second), its title |
| kind | line, points, bar, outline, area, segment, contour, mesh, image, arrow, box |
| series, color | the legend's name, empty without one; the colour, which tells lines apart that one legend entry stands for |
| x, y | data coordinates; empty where a thing has none (a horizontal line across the panel has no x) |
| value | what a colour or a contour stands for |
| x_name, y_name | the axes' labels |
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import (
    Collection,
    LineCollection,
    PathCollection,
    PolyCollection,
    QuadMesh,
)
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import AxLine, Line2D
from matplotlib.patches import Patch, Polygon

COLUMNS = "frame panel title kind series color x y value x_name y_name".split()
SIDE = 150  # cells along each side of a map
Rows = tuple[
    str, object, object, np.ndarray, object
]  # kind, label, colour, (n, 2) points, value or values


def table(frames: dict[str, tuple[Figure, ...]]) -> pd.DataFrame:
    """All that is drawn in the panels of each frame, one row a point; the columns are those above.

    frames: slider's label -> panels; a still picture is one frame with the label "". Pictures of colours alone (an
    image or a mesh in RGB) give the colour of each cell, photographs (more than two dimensions in `imshow`) give none.
    """
    parts = []
    for label, figures in frames.items():
        for number, figure in enumerate(figures, 1):
            drawn = [ax for ax in figure.axes if ax.get_label() != "<colorbar>"]
            for at, ax in enumerate(drawn, 1):
                panel = f"{number}.{at}" if len(drawn) > 1 else str(number)
                parts += [_part(ax, rows).assign(frame=label, panel=panel) for rows in _drawn(ax)]
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def csv(frames: dict[str, tuple[Figure, ...]]) -> str:
    """`table` as text; "" when nothing that is drawn has data."""
    found = table(frames)
    return found.to_csv(index=False, float_format="%.6g") if len(found) else ""


def _part(ax: Axes, rows: Rows) -> pd.DataFrame:
    kind, label, color, points, value = rows
    series = "" if str(label).startswith("_") else str(label)
    part = pd.DataFrame(np.asarray(points, float).reshape(-1, 2), columns=["x", "y"])
    title, x, y = (" ".join(t.split()) for t in (ax.get_title(), ax.get_xlabel(), ax.get_ylabel()))
    part = part.assign(kind=kind, series=series, color=color, value=value, title=title,
                       x_name=x, y_name=y)  # fmt: skip
    return part[np.isfinite(part[["x", "y"]]).any(axis=1)]


def _drawn(ax: Axes) -> Iterator[Rows]:
    """What stands on the axes, in the order of its kinds; hidden things and those without any data coordinate left out."""
    held = [one for one in ax.containers if isinstance(one, BarContainer)]
    bars = [(box, one.get_label(), one.orientation == "horizontal") for one in held for box in one]
    for line in ax.lines:
        if line.get_visible():
            yield "line", line.get_label(), _hex(line.get_color()), _of_line(ax, line), np.nan
    for box, label, lying in bars:
        x, y, wide, high = (*box.get_xy(), box.get_width(), box.get_height())
        tip = [x + wide, y + high / 2] if lying else [x + wide / 2, y + high]
        yield "bar", label, _hex(box.get_facecolor()), _inside(ax, box, [tip]), np.nan
    for patch in ax.patches:
        if patch.get_visible() and patch not in (box for box, *_ in bars):
            yield _of_patch(ax, patch)
    for one in ax.collections:
        if one.get_visible():
            yield from _of_collection(ax, one)
    for image in ax.images:
        yield from _of_image(image)
    for note in ax.texts:
        if (
            getattr(note, "arrow_patch", None) is not None
            and note.xycoords == "data"
            and not note.get_text()
        ):
            yield "arrow", "", _hex(note.arrow_patch.get_edgecolor()), [note.xyann, note.xy], np.nan


def _hex(color: object) -> str:
    return "" if isinstance(color, str) and color == "none" else to_hex(color)


def _inside(ax: Axes, artist: object, points: object) -> np.ndarray:
    """The points with NaN for a coordinate that is not in data units (a line across the whole panel)."""
    points = np.array(points, float).reshape(-1, 2)
    for axis, has in enumerate(artist.get_transform().contains_branch_seperately(ax.transData)):
        if not has:
            points[:, axis] = np.nan
    return points


def _of_line(ax: Axes, line: Line2D) -> np.ndarray:
    if isinstance(line, AxLine):  # through a point with a slope: two points of it
        first, slope = np.array(line.get_xy1(), float), line.get_slope()
        second = line.get_xy2() if slope is None else first + (1, slope)
        return np.stack([first, second])
    return _inside(ax, line, line.get_xydata())


def _of_patch(ax: Axes, patch: Patch) -> Rows:
    look = patch.get_facecolor() if patch.get_fill() else patch.get_edgecolor()
    if isinstance(patch, Polygon):
        return "outline", patch.get_label(), _hex(look), _inside(ax, patch, patch.get_xy()), np.nan
    path = patch.get_patch_transform().transform(patch.get_path().vertices)
    ends = np.stack([path.min(axis=0), path.max(axis=0)])  # two corners of a box or a band
    return "box", patch.get_label(), _hex(look), _inside(ax, patch, ends), np.nan


def _of_collection(ax: Axes, one: Collection) -> Iterator[Rows]:
    label, values = one.get_label(), one.get_array()
    if isinstance(one, ContourSet):
        for level, path, color in zip(
            one.levels, one.get_paths(), _colors(one, len(one.levels)), strict=False
        ):
            yield "contour", label, color, path.vertices, level
    elif isinstance(one, QuadMesh):
        corners = one.get_coordinates()
        centres = (corners[:-1, :-1] + corners[1:, :-1] + corners[:-1, 1:] + corners[1:, 1:]) / 4
        yield "mesh", label, *_cells(centres, np.ma.filled(values.astype(float), np.nan))
    elif isinstance(one, PathCollection):
        points = one.get_offsets()
        given = np.ma.filled(values, np.nan) if values is not None else np.nan
        yield "points", label, _colors(one, len(points)), np.ma.filled(points, np.nan), given
    elif isinstance(one, (LineCollection, PolyCollection)):
        kind = "segment" if isinstance(one, LineCollection) else "area"
        for path, color in zip(one.get_paths(), _colors(one, len(one.get_paths())), strict=True):
            yield kind, label, color, _inside(ax, one, path.vertices), np.nan


def _colors(one: Collection, number: int) -> list[str]:
    """The colours of a collection's members: its faces, else its edges; "" where a colour stands for a value."""
    if one.get_array() is not None:
        return [""] * number
    faces, edges = one.get_facecolor(), one.get_edgecolor()
    look = faces if len(faces) and (faces[:, 3] > 0).any() else edges
    return [to_hex(look[i % len(look)]) for i in range(number)] if len(look) else [""] * number


def _cells(points: np.ndarray, values: np.ndarray) -> tuple[object, np.ndarray, object]:
    """(colours, points, values) of a map's cells, at most SIDE each way: numbers, or colours alone."""
    down, right = (slice(None, None, -(-n // SIDE)) for n in values.shape[:2])
    points, values = points[down, right].reshape(-1, 2), values[down, right]
    if values.ndim == 3:
        scale = 255 if values.max() > 1 else 1
        return [to_hex(c) for c in values.reshape(-1, values.shape[2]) / scale], points, np.nan
    return "", points, values.ravel()


def _of_image(image: AxesImage) -> Iterator[Rows]:
    values = np.ma.filled(np.ma.asarray(image.get_array(), float), np.nan)
    if values.ndim == 2 and image.get_visible():
        left, right, bottom, top = image.get_extent()
        first, last = (bottom, top) if image.origin == "lower" else (top, bottom)
        high, wide = values.shape
        x = left + (np.arange(wide) + 0.5) * (right - left) / wide
        y = first + (np.arange(high) + 0.5) * (last - first) / high
        yield "image", image.get_label(), *_cells(np.stack(np.meshgrid(x, y), -1), values)
