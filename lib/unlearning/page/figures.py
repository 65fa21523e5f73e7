"""How figures and tables of the book look: one style, panels that stack on a phone, colours for light and dark pages.

A figure of the book is one or more small matplotlib figures ("panels") shown together as inline SVG. Inline, because
then the page's own text colour reaches the axes and labels: everything drawn in `INK` becomes `currentColor`, and
everything filled with `PAPER` takes the page's background.
"""

import hashlib
import html
import io
import re
from contextlib import contextmanager

import matplotlib
import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from IPython.display import display
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from unlearning.page import figure_data

DATA = "figure_data"  # of the output metadata: the numbers that are drawn, as CSV; the build puts them beside the page
INK = "#0b0c0e"  # text, axes and anything black: recoloured to the page's text colour
PAPER = "#fefdfb"  # fills that should vanish into the page: recoloured to the page's background
_PALETTE = sns.color_palette("colorblind").as_hex()
COLORS = {
    "pretrained": _PALETTE[0],  # blue: trained on D
    "oracle": _PALETTE[2],  # green: retrained on R
    "ascent": _PALETTE[3],  # vermilion: any descent-ascent method
    "retain": "#56a0d3",  # light blue: points of R
    "forget": _PALETTE[1],  # orange: points of F
    "neutral": "#8a8d91",  # grey: references, bounds, floors
    "accent": _PALETTE[4],  # pink-purple: what the text points at
}
CYCLE = [
    COLORS[k] for k in ("pretrained", "forget", "oracle", "ascent", "accent", "retain", "neutral")
]
SEQUENTIAL = "cividis"  # perceptually even and safe for colour-blind readers

_RC = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.labelcolor": INK,
    "grid.color": "#8a8d91",
    "grid.alpha": 0.25,
    "axes.prop_cycle": matplotlib.cycler(color=CYCLE),
    "lines.color": INK,
    "patch.edgecolor": INK,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.labelsize": 11,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.8,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
    "image.cmap": SEQUENTIAL,
    "savefig.dpi": 200,
    "svg.fonttype": "path",
    "svg.hashsalt": "unlearning",
    "figure.max_open_warning": 0,
}


@contextmanager
def style():
    """The book's matplotlib style, inside a `with` block; nothing outside it changes."""
    with sns.axes_style("ticks"), sns.plotting_context("notebook"), plt.rc_context(_RC):
        yield


def panel(width: float = 4.4, height: float = 3.3, **subplots) -> tuple[Figure, plt.Axes]:
    """One panel: a matplotlib figure of width × height inches and its axes. Call it inside `style()`.

    4.4 inches at 11 pt stay legible when a phone shrinks the panel to its width; wider pictures should be two panels.
    """
    figure, axes = plt.subplots(figsize=(width, height), **subplots)
    plt.close(figure)  # pyplot must not show it a second time
    return figure, axes


def svg(figure: Figure, place: str = "") -> str:
    """The figure as an SVG element: page-coloured ink, ids of its own, no date, no size that could overflow a phone.

    place: tells apart the ids of one picture that stands on a page more than once.
    """
    buffer = io.StringIO()
    with plt.rc_context(_RC | {"figure.constrained_layout.use": False}):
        FigureCanvasSVG(figure)  # so that the layout measures text as it will be drawn
        if (
            engine := figure.get_layout_engine()
        ):  # here, once; savefig would draw the whole figure twice for it
            engine.execute(figure)
            figure.set_layout_engine(None)
        figure.savefig(
            buffer,
            format="svg",
            metadata={"Date": None, "Creator": None, "Type": None, "Format": None},
        )
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = text.replace(INK, "currentColor").replace(PAPER, "var(--pst-color-background, Canvas)")
    key = "f" + hashlib.sha256((place + text).encode()).hexdigest()[:8]
    text = re.sub(r'\bid="([^"]+)"', rf'id="{key}-\1"', text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{key}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{key}-\1)", text)
    width, height = (72 * float(side) for side in figure.get_size_inches())
    opening = (
        f'<svg viewBox="0 0 {width:g} {height:g}" style="width:100%;height:auto" aria-hidden="true" '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1">'
    )
    return opening + text[text.index(">", text.index("<svg")) + 1 :].strip()


def _panels(figures: tuple[Figure, ...], frame: int = 0) -> str:
    """The panels' SVGs in boxes: two of standard width share a page's row, on a phone each has a row of its own."""
    widths = (figure.get_size_inches()[0] for figure in figures)
    boxes = (
        f'<div style="flex:1 1 {max(4.2 * width, 11.5):.3g}rem;max-width:{max(width, 3.2):g}in;min-width:0">'
        for width in widths
    )
    return "".join(
        f"{box}{svg(figure, f'{frame}.{i}.')}</div>"
        for i, (box, figure) in enumerate(zip(boxes, figures, strict=True))
    )


_ROW = "display:flex;flex-wrap:wrap;gap:1rem;justify-content:center"


def _check(figures: tuple[Figure, ...], alt: str) -> None:
    if not figures:
        raise ValueError("no figure was given: pass at least one matplotlib figure")
    if not alt.strip():
        raise ValueError("alt is empty: say what the picture shows, for a reader who cannot see it")


def show(*figures: Figure, alt: str, data: pd.DataFrame | None = None) -> None:
    """Display panels side by side (stacked on a phone) as one figure with the alternative text `alt`.

    data: what the figure's CSV holds (with the index) where marks and words are drawn; otherwise what is drawn itself.

    Raises ValueError without a figure or without alternative text.
    """
    _check(figures, alt)
    body = f'<div class="panels" role="img" aria-label="{html.escape(alt)}" style="{_ROW}">{_panels(figures)}</div>'
    told = {DATA: figure_data.csv({"": figures}) if data is None else data.to_csv()}
    display({"text/html": body, "text/plain": f"[figure] {alt}"}, raw=True, metadata=told)


def frames(
    figures: list[Figure | tuple[Figure, ...]],
    labels: list[str],
    name: str,
    alt: str,
    start: int = 0,
) -> None:
    """Display a slider over frames, all of them in the page: it works without a server and without another host.

    Each frame is a figure or a tuple of panels; `labels[i]` names frame i, `name` is what the slider varies, `start`
    the frame shown first (and the only one where scripts do not run). Raises ValueError when the lengths differ, when
    there is nothing to show, or without alternative text.
    """
    _check(tuple(figures), alt)
    if len(figures) != len(labels):
        raise ValueError(
            f"{len(figures)} frames but {len(labels)} labels: give one label per frame"
        )
    if not 0 <= start < len(figures):
        raise ValueError(f"start is {start}: choose a frame from 0 to {len(figures) - 1}")
    each = [frame if isinstance(frame, tuple) else (frame,) for frame in figures]
    rows = [_panels(frame, i) for i, frame in enumerate(each)]
    key = "s" + hashlib.sha256("".join(rows).encode()).hexdigest()[:8]
    shown = [
        f'<div data-label="{html.escape(label)}" style="{_ROW}{"" if i == start else ";display:none"}">{row}</div>'
        for i, (row, label) in enumerate(zip(rows, labels, strict=True))
    ]
    script = (
        f"(function(){{var box=document.getElementById('{key}'),bar=box.querySelector('input'),"
        "out=box.querySelector('output'),rows=box.querySelectorAll('[data-label]');"
        "bar.addEventListener('input',function(){rows.forEach(function(r,i){"
        "r.style.display=i==bar.value?'flex':'none'});"
        "out.textContent=rows[bar.value].dataset.label;"
        "bar.setAttribute('aria-valuetext',rows[bar.value].dataset.label)})})()"
    )
    body = (
        f'<div class="panels frames" id="{key}"><div role="img" aria-label="{html.escape(alt)}">{"".join(shown)}</div>'
        f'<label style="display:flex;gap:.75rem;align-items:center;justify-content:center;flex-wrap:wrap">'
        f"<span>{html.escape(name)}</span>"
        f'<input type="range" min="0" max="{len(rows) - 1}" value="{start}" style="flex:0 1 18rem" '
        f'aria-label="{html.escape(name)}" aria-valuetext="{html.escape(labels[start])}">'
        f'<output style="min-width:7em">{html.escape(labels[start])}</output></label><script>{script}</script></div>'
    )
    told = {DATA: figure_data.csv(dict(zip(labels, each, strict=True)))}
    plain = f"[figure with a slider over {name}] {alt}"
    display({"text/html": body, "text/plain": plain}, raw=True, metadata=told)


def table(frame: pd.DataFrame, index: bool = False, links: bool = False) -> None:
    """Display a data frame as a plain table; `index` keeps the row names, `links` lets cells hold HTML.

    Floats are printed with four significant digits: format cells yourself where another precision is meant.
    """
    body = frame.to_html(
        index=index, border=0, escape=not links, float_format=lambda v: f"{v:.4g}", classes="table"
    )
    body = re.sub(
        r"<td>(\w+(?:-\w+)+)</td>", r'<td class="name">\1</td>', body
    )  # random-10 stays on one line
    display(
        {
            "text/html": f'<div class="rows">{body}</div>',
            "text/plain": frame.to_string(index=index),
        },
        raw=True,
    )


def download(frame: pd.DataFrame, what: str) -> None:
    """Display one sentence on a table that is too long for a page; the build puts its CSV under it."""
    told = f"{what}: {len(frame):,} rows of {len(frame.columns)} columns."
    data = {"text/html": f"<p>{html.escape(told)}</p>", "text/plain": told}
    display(data, raw=True, metadata={DATA: frame.to_csv(index=False)})
