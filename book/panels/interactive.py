"""Live pictures: an SVG that stands by itself, and a script beside it that moves its parts without any request."""

import hashlib
import html
import json
from pathlib import Path

from IPython.display import display

from unlearning.page import figures

TEXT = 'font-size="13" fill="currentColor" font-family="inherit"'  # of an SVG text that follows the page


def text(x: float, y: float, words: str, role: str = "", anchor: str = "middle") -> str:
    """An SVG text; `role` names it for the script."""
    named = f' data-role="{role}"' if role else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {TEXT}{named}>{html.escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, color: str, width: float, role: str = "") -> str:
    """An SVG line; `role` names it for the script."""
    named = f' data-role="{role}"' if role else ""
    place = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {place} stroke="{color}" stroke-width="{width}"{named}/>'


def picture(width: int, height: int, parts: list[str]) -> str:
    """The parts as one SVG that takes the page's ink and never overflows."""
    body = "".join(parts)
    size = 'style="width:100%;height:auto" aria-hidden="true" xmlns="http://www.w3.org/2000/svg"'
    return f'<svg viewBox="0 0 {width} {height}" {size}>{body}</svg>'


def show(script: str, svg: str, data: dict, *, name: str, start: float, low: float, high: float,
         step: float, said: str, alt: str) -> None:  # fmt: skip
    """Display a live picture: the SVG, a slider from `low` to `high`, and book/panels/`script`.js that moves the parts.

    data: numbers for the script (JSON); start: the slider's value in the still frame; said: the text beside it there.
    The script is one function of (box, data); it sets box.compute, the computation that its tests call.
    Raises ValueError without alternative text.
    """
    if not alt.strip():
        raise ValueError("alt is empty: say what the picture shows, for a reader who cannot see it")
    code = (Path(__file__).parent / f"{script}.js").read_text()
    key = "l" + hashlib.sha256((svg + json.dumps(data)).encode()).hexdigest()[:8]
    row = "display:flex;gap:.75rem;align-items:center;justify-content:center;flex-wrap:wrap"
    body = (
        f'<div class="panels live" id="{key}"><div role="img" aria-label="{html.escape(alt)}" '
        f'style="max-width:36rem;margin:auto">{svg}</div><label style="{row}"><span>{html.escape(name)}</span>'
        f'<input type="range" min="{low}" max="{high}" step="{step}" value="{start}" style="flex:0 1 18rem" '
        f'aria-label="{html.escape(name)}"><output style="min-width:9em">{html.escape(said)}</output></label>'
        f"<script>{code}(document.getElementById('{key}'),{json.dumps(data)});</script></div>"
    )
    display({"text/html": body, "text/plain": f"[live picture over {name}] {alt}"}, raw=True)


COLORS = figures.COLORS
