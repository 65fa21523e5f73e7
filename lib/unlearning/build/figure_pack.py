"""`unlearning figures`: the built book's figures for slides, as SVG and PNG with captions and numbers, in one zip.

A figure's panels stand side by side on a white card, because a picture in a slide cannot follow a reader's theme. Of a
slider its first frame is taken. PNG needs a Chromium; without one the zip has SVG only, and the command says so.
"""

import argparse
import io
import math
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from unlearning.build import browser, chapters
from unlearning.build.record import contents, plain
from unlearning.errors import Failed, Refused
from unlearning.files import ROOT, write_whole
from unlearning.page.figures import DATA

GAP = 24.0  # points between panels and around them


def figures_of(name: str, executed: NotebookNode) -> dict[str, tuple[str, str]]:
    """Figure's name -> (SVG document, caption in plain words), in the order of the chapter."""
    glued, found = contents(name, executed)["numbers"], {}
    for cell in executed.cells:
        told = cell.metadata.get("mystnb", {}).get("figure")
        shown = [
            o.data["text/html"] for o in cell.get("outputs", []) if "text/html" in o.get("data", {})
        ]
        panels = [svg for text in shown if 'class="panels' in text for svg in _panels(text)]
        if told and panels:
            found[told.get("name", f"{name}-{len(found) + 1}")] = (
                _card(panels),
                plain(told["caption"], glued),
            )
    return found


def data_of(executed: NotebookNode) -> dict[str, str]:
    """Figure's name -> the numbers that it shows, as CSV (see `page.figure_data`)."""
    return {
        cell.metadata.mystnb.figure.name: output.metadata[DATA]
        for cell in executed.cells
        for output in cell.get("outputs", [])
        if output.get("metadata", {}).get(DATA)
        and cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
    }


def _panels(text: str) -> list[str]:
    """The SVG panels that a page shows before anything is moved."""
    hidden = re.compile(
        r'<div data-label="[^"]*" style="[^"]*display:none">(?:(?!<div data-label).)*', re.S
    )
    return re.findall(r"<svg.*?</svg>", hidden.sub("", text), re.S)


def _card(panels: list[str]) -> str:
    """Panels on white, up to three in a row (four or five two by two), as one document with a size."""
    sides = [
        [float(v) for v in re.search(r'viewBox="\S+ \S+ (\S+) (\S+)"', p).groups()] for p in panels
    ]
    columns = 2 if len(panels) in (4, 5) else min(len(panels), 3)
    rows = math.ceil(len(panels) / columns)
    wide, tall = (max(side[k] for side in sides) + GAP for k in (0, 1))
    parts = []
    for at, (panel, (width, height)) in enumerate(zip(panels, sides, strict=True)):
        sized = panel.replace(
            'style="width:100%;height:auto"', f'width="{width:g}" height="{height:g}"', 1
        )
        x, y = GAP + wide * (at % columns), GAP + tall * (at // columns)
        parts.append(f'<g transform="translate({x:g} {y:g})">{sized}</g>')
    width, height = GAP + wide * columns, GAP + tall * rows
    size = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    body = "".join(parts).replace("var(--pst-color-background, Canvas)", "#fff")
    white = '<rect width="100%" height="100%" fill="#fff"/>'
    return f'<svg {size} {spaces} color="#222">{white}{body}</svg>\n'


def pngs(svgs: dict[str, str]) -> dict[str, bytes]:
    """Name -> PNG at twice the size, drawn by a headless browser (in a thread of its own: it brings an event loop)."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_drawn, svgs).result()


def _drawn(svgs: dict[str, str]) -> dict[str, bytes]:
    made = {}
    with browser.opened() as chromium:
        page = chromium.new_page(device_scale_factor=2)
        for name, svg in svgs.items():
            page.set_content(f'<body style="margin:0">{svg}</body>')
            made[name] = page.locator("svg").first.screenshot()
    return made


def pack(root: Path, draw: bool) -> dict[str, bytes]:
    """File name -> content of the zip, with PNG if `draw`. Failed if the book was not built."""
    files, data, lines = {}, {}, ["# Figures of the book, with captions\n"]
    for name in chapters.in_toc(root):
        path = root / "_build" / "executed" / f"{name}.ipynb"
        if not path.exists():
            raise Failed(
                f"chapter {name} is not built: run `unlearning build` (or make book), then again"
            )
        executed = nbformat.read(path, 4)
        title = re.search(r"^# (.+)", executed.cells[0].source, re.M)[1]
        figures = figures_of(name, executed)
        lines += [f"\n## {title}\n"] * bool(figures)
        lines += [f"**{key}** {caption}\n" for key, (_, caption) in figures.items()]
        files |= {f"svg/{key}.svg": svg.encode() for key, (svg, _) in figures.items()}
        data |= {f"data/{key}.csv": text.encode() for key, text in data_of(executed).items()}
    if draw:
        drawn = pngs({name: data.decode() for name, data in files.items()})
        files |= {name.replace("svg", "png"): data for name, data in drawn.items()}
    return files | data | {"captions.md": "\n".join(lines).encode()}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `unlearning figures`."""
    parser.add_argument("file", nargs="?", default="figures.zip", help="default: figures.zip")


def main(arguments: argparse.Namespace) -> int:
    """Exit status 0; Refused if the file exists."""
    target = Path(arguments.file)
    if target.exists():
        raise Refused(f"{target} exists: choose another name (nothing is overwritten)")
    draw = browser.find() is not None
    files, buffer = pack(ROOT, draw), io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as whole:
        for name, data in files.items():
            whole.writestr(name, data)
    write_whole(target, lambda file: file.write(buffer.getvalue()))
    without = "" if draw else " (no Chromium found: no PNG)"
    print(f"{target}: {sum(name.endswith('.svg') for name in files)} figures{without}")
    return 0
