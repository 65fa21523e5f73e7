"""`unlearning pdf`: the built book as one PDF, for paper and for readers without a network.

The built pages' articles are put one after the other in one page, folded parts open, sliders as they start, and printed
by a headless Chromium with an outline. Links between chapters stay links. The file lies in the built book and the first
page links it; the next build that renders pages takes both away, because the PDF would no longer be of these pages.
"""

import argparse
import html
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from unlearning.build import book, browser, chapters
from unlearning.build.pdf_compact import compact
from unlearning.build.render import configuration
from unlearning.errors import Failed, Refused
from unlearning.files import ROOT, Damaged, load_json, only_one, save_json, write_whole

NAME = "book.pdf"  # in _build/html
LIMIT = 15_000_000  # bytes
WAIT = 600_000  # milliseconds for typesetting all formulas, and for printing

_STYLE = """
@page { size: A4; margin: 17mm 16mm 18mm; }
:is(*, #over-the-theme) { box-shadow: none !important; text-shadow: none !important; } /* each would be a picture */
html { font-size: 9.5pt; scroll-padding-top: 0; }
body { background: #fff; color: #222; }
article.bd-article { break-before: page; padding: 0; max-width: none; }
.cover { min-height: 60vh; padding-top: 25vh; } .cover h1 { font-size: 2.4rem; }
.contents p { margin: .8rem 0 .2rem; font-weight: 600; } .contents ul { list-style: none; margin: 0; padding-left: 1rem; }
article.bd-article h1 { display: block !important; }
h1, h2, h3 { break-after: avoid; }
pre { break-inside: auto; orphans: 4; widows: 4; } .cell_input { break-inside: avoid; }
figure, tr, .cell_output svg, .verdict, mjx-container[display="true"] { break-inside: avoid; }
figure.source { break-inside: auto; }
figcaption { break-before: avoid; } figure.source figcaption { break-before: auto; break-after: avoid; }
pre, figure.source pre { white-space: pre-wrap; max-height: none; font-size: 7pt; line-height: 1.35; overflow: visible; }
.rows, .output_scroll { overflow: visible; max-height: none; } .rows table { font-size: 7.4pt; }
.rows td, .rows th { padding: .15rem .35rem; }
div.panels { max-width: 100%; } .panels svg { max-height: 95mm; }
.headerlink, .figure-data, .copybtn, .toggle-button, .frames input, .live input, summary .collapsed { display: none; }
.admonition.dropdown > *, details > * { display: revert; }
a { text-decoration: none; }
"""
_OPENING = '<article class="bd-article"'
# wide tables shrink to the page's width
_SHRINK = """() => document.querySelectorAll('.rows').forEach(box => { const table = box.querySelector('table');
  if (table && table.scrollWidth > box.clientWidth) table.style.zoom = box.clientWidth / table.scrollWidth })"""
_PAGE = {"width": 673, "height": 980}  # CSS pixels: A4 without its margins
_FOOT = '<div style="font-size:7pt;width:100%;text-align:center;color:#555"><span class="pageNumber"></span></div>'


def pages(root: Path) -> list[tuple[str, list[str]]]:
    """(part's caption, page names) in the reader's order; the first part, without a caption, holds the first page."""
    toc = chapters.settings(root / "_toc.yml")
    parts = [
        (p.get("caption", ""), [Path(c["file"]).name for c in p["chapters"]])
        for p in toc.get("parts", [])
    ]
    return [("", [Path(toc["root"]).name]), *parts]


def whole(
    html_pages: dict[str, str], parts: list[tuple[str, list[str]]], title: str, author: str
) -> str:
    """One HTML page of all pages' articles, with a cover and contents. html_pages: name -> the built page's text.

    Every id gets its page's name in front, and links between pages become links inside. Scripts of the articles go: what
    they move stands still on paper. Raises ValueError for a page without an article.
    """
    names = [name for _, part in parts for name in part]
    heads = {name: _title(html_pages[name]) for name in names}
    lines = ""
    for caption, part in parts:
        rows = "".join(f'<li><a href="#{name}--top">{heads[name]}</a></li>' for name in part)
        lines += (f"<p>{html.escape(caption)}</p>" if caption else "") + f"<ul>{rows}</ul>"
    cover = f'<div class="cover"><h1>{html.escape(title)}</h1><p>{html.escape(author)}</p></div>'
    body = "".join(_article(name, html_pages[name], names) for name in names)
    head = _head(html_pages[names[0]])
    return (
        f'<!DOCTYPE html><html lang="en" data-theme="light" data-mode="light"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title>{head}<style>{_STYLE}</style></head><body>{cover}"
        f'<div class="contents" style="break-before:page"><h2>Contents</h2>{lines}</div>'
        f'<main class="bd-main"><div class="bd-content"><div class="bd-article-container">{body}</div></div></main>'
        "</body></html>"
    )


def _title(page: str) -> str:
    """The heading of a page's article, without the mark that links to it."""
    found = re.search(r"<h1>(.*?)</h1>", page[max(page.find(_OPENING), 0) :], re.S)
    return re.sub(r"<a class=\"headerlink\".*?</a>", "", found[1]).strip() if found else "untitled"


def _head(page: str) -> str:
    """The page's styles and its MathJax, nothing that folds or searches."""
    styles = re.findall(
        r'<link [^>]*rel="stylesheet"[^>]*>|<link href="[^"]*" rel="stylesheet" />', page
    )
    scripts = re.findall(
        r"<script>window\.MathJax.*?</script>|<script[^>]*mathjax[^>]*></script>", page, re.S
    )
    return "".join(dict.fromkeys(styles + scripts))


def _article(name: str, page: str, names: list[str]) -> str:
    start, end = page.find(_OPENING), page.rfind("</article>")
    if start < 0 or end < 0:
        raise ValueError(f"{name}: no article in the page")
    text = page[page.index(">", start) + 1 : end]
    text = re.sub(r"<script\b.*?</script>", "", text, flags=re.S)
    text = re.sub(r'<a class="headerlink".*?</a>', "", text, flags=re.S)
    text = re.sub(r"<details(?![^>]*\bopen\b)", "<details open", text)
    text = re.sub(r'(\sid=")(?=[^"]+")', rf"\g<1>{name}--", text)
    text = re.sub(r'(\s(?:xlink:)?href=")#', rf"\g<1>#{name}--", text)
    text = re.sub(r"url\(#", f"url(#{name}--", text)

    def inside(link: re.Match) -> str:
        return f' href="#{link[1]}--{link[2] or "top"}"' if link[1] in names else link[0]

    text = re.sub(r'\shref="([^"/#:]+)\.html(?:#([^"]*))?"', inside, text)
    return f'<article class="bd-article" id="{name}--top">{text}</article>'


def print_pdf(page: Path, target: Path) -> None:
    """Print an HTML file to `target` (in a thread of its own: the browser brings an event loop). Raises Refused, Failed."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(_print, page, target).result()


def _print(page: Path, target: Path) -> None:
    with browser.opened() as chromium:
        opened = chromium.new_page(color_scheme="light", viewport=_PAGE)
        opened.emulate_media(media="print")
        opened.set_default_timeout(WAIT)
        opened.goto(page.as_uri(), wait_until="load", timeout=WAIT)
        opened.wait_for_function(
            "!window.MathJax || !MathJax.startup || MathJax.startup.promise.then(() => true)",
            timeout=WAIT,
        )
        opened.evaluate(_SHRINK)
        opened.pdf(
            path=target, outline=True, tagged=True, prefer_css_page_size=True, print_background=True,
            display_header_footer=True, header_template="<span></span>", footer_template=_FOOT,
        )  # fmt: skip


def make(root: Path = ROOT) -> Path:
    """Print the built book to _build/html/book.pdf and link it on the first page; return its path.

    Raises Refused without a browser or a built book, or while a build runs; Failed for a file above 15 MB.
    """
    home, built = root / "_build", root / "_build" / "html"
    told = "a build of this folder is running: wait for it, then print"
    with only_one(home, told=told):
        parts = pages(root)
        names = [name for _, part in parts for name in part]
        try:
            texts = {name: (built / "book" / f"{name}.html").read_text() for name in names}
            stamp = load_json(built / book.STAMP)
        except (FileNotFoundError, Damaged):
            raise Refused(
                "the book is not built: run `unlearning build` (or make book), then again"
            ) from None
        config = configuration(root)
        with tempfile.TemporaryDirectory(dir=home, prefix="print-") as scratch:
            (Path(scratch) / "book").mkdir()
            for shared in ("_static", "_images"):
                (Path(scratch) / shared).symlink_to(built / shared)
            page, target = Path(scratch) / "book" / "whole.html", Path(scratch) / NAME
            page.write_text(whole(texts, parts, str(config["title"]), str(config["author"])))
            print_pdf(page, target)
            data = compact(target.read_bytes())
        if len(data) > LIMIT:
            raise Failed(
                f"the PDF has {len(data) / 1e6:.0f} MB, more than {LIMIT / 1e6:.0f}: draw lighter figures"
            )
        write_whole(built / NAME, lambda file: file.write(data))
        first = built / "book" / f"{names[0]}.html"
        linked = with_link(texts[names[0]], len(data))
        write_whole(first, lambda file: file.write(linked.encode()))
        save_json(built / book.STAMP, {"key": stamp["key"], "files": book.sums(built)})
    return built / NAME


def with_link(page: str, size: int) -> str:
    """The first page with a link to the PDF below its title (one, however often it is printed). size: bytes."""
    page = re.sub(r'\n?<p class="pdf">.*?</p>', "", page)
    link = f'\n<p class="pdf"><a href="../{NAME}">The whole book as one PDF</a> ({size / 1e6:.1f} MB)</p>'
    return re.sub(r"</h1>", lambda found: found[0] + link, page, count=1)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options."""


def main(arguments: argparse.Namespace) -> int:
    """Exit status 0; refusals and failures are raised."""
    made = make()
    print(f"{made}: {made.stat().st_size / 1e6:.1f} MB, linked from the book's first page")
    return 0
