"""The built book in a browser: every page, wide and on a phone, light and dark, and no word to any other host."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest

from unlearning.build.chapters import in_toc

CHAPTERS = in_toc()
SCREENS, SCREEN = 15, {"width": 1400, "height": 900}  # what one sitting reads; a desktop
UNRENDERED = re.compile(
    r"\$\$|\\(?:frac|label|begin)\b|\{(?:ref|eq|cite|numref|glue|prf:\w+|doc)[^}]*\}|:::|```|\[\[|nan%|\bNone%"
)

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def opened(book, chromium):
    """A function that opens a page and returns it with the requests and the complaints it made."""
    context = chromium.new_context()

    def go(name: str, width: int = 390, theme: str = "light"):
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme)
        requests, complaints = [], []
        page.on("request", lambda r: requests.append(r.url))
        page.on("requestfailed", lambda r: complaints.append(f"failed: {r.url}"))
        page.on(
            "console",
            lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda e: complaints.append(str(e)))
        page.goto((book / f"{name}.html").as_uri(), wait_until="load")
        page.wait_for_function(
            "!window.MathJax || !MathJax.startup || MathJax.startup.promise.then(() => true)"
        )
        return page, requests, complaints

    yield go
    context.close()


@pytest.mark.parametrize("name", [*CHAPTERS, "glossary", "references", "teaching", "hand_in"])
def test_page(opened, book, name):
    page, requests, complaints = opened(name)
    assert page.locator("mjx-merror, .merror, .problematic, .system-message").count() == 0
    text = page.evaluate(
        """() => { const copy = document.querySelector('article').cloneNode(true);
        copy.querySelectorAll('pre, code, .highlight, mjx-container, script').forEach(e => e.remove());
        return copy.textContent }"""
    )
    assert not UNRENDERED.findall(text)
    unnamed = page.locator(
        "article img:not([alt]), article img[alt=''], .panels:not(:has([aria-label])):not([aria-label])"
    )
    assert unnamed.count() == 0, "every picture has alternative text"
    loose = page.locator("article .panels:not(figure .panels)")
    assert loose.count() == 0, "every figure stands in a numbered figure with a caption"
    if name in CHAPTERS:
        href = page.locator("a.btn-download-source-button").first.get_attribute("href")
        notebook = nbformat.read((book / unquote(href)).resolve(), 4)
        assert all(
            c.execution_count
            for c in notebook.cells
            if c.cell_type == "code" and c.source.strip() and c.id not in ("setup", "ranges")
        ), "executed"
    fits_a_phone(page)
    page.set_viewport_size({"width": 1280, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    page.set_viewport_size(SCREEN)
    screens = page.evaluate("document.documentElement.scrollHeight") / SCREEN["height"]
    assert screens <= SCREENS, f"{screens:.1f} screens: at most {SCREENS}"
    move_sliders(page)
    foreign = [url for url in requests if not url.startswith(("file:", "data:", "blob:"))]
    assert not foreign and not complaints
    page.close()


def fits_a_phone(page):
    """At 390 px nothing scrolls sideways and panels stack; in both themes figures take the page's ink."""
    narrow = page.evaluate(
        """() => [...document.querySelectorAll('.panels svg')].map(e => e.getBoundingClientRect())
        .filter(r => r.width && (r.width < 280 || r.right > 391)).length"""
    )
    assert narrow == 0, "panels stack on a phone instead of shrinking beside each other"
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        page.wait_for_function(
            "theme => document.documentElement.dataset.theme === theme", arg=theme
        )
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        colours = page.evaluate(
            """() => { const svg = [...document.querySelectorAll('.panels svg')].find(e => e.getBoundingClientRect().width);
            return svg ? [getComputedStyle(svg).color, getComputedStyle(document.body).color] : null }"""
        )
        assert colours is None or colours[0] == colours[1], f"figures take the page's ink ({theme})"


def move_sliders(page):
    """Each slider of a page shows another frame when a key moves it."""
    for box in page.locator(".frames").all():
        bar, out = box.locator("input[type=range]"), box.locator("output")
        before = out.text_content()
        bar.focus()
        page.keyboard.press("End" if bar.input_value() != bar.get_attribute("max") else "Home")
        assert out.text_content() != before
        assert box.locator("[data-label]:visible").count() == 1


TOUCHED = (
    "article summary, article button, article select, article input[type=range], .bd-header-article button, "
    ".bd-header-article a, .prev-next-footer a"
)


KINDS = ("home", "toy_minima", "verdicts")  # a question, sliders, tables


@pytest.mark.parametrize("name", KINDS)
def test_a_finger_hits_what_it_aims_at_and_sees_where_a_table_goes_on(book, chromium, name):
    context = chromium.new_context(
        viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True
    )
    page = context.new_page()
    page.goto((book / f"{name}.html").as_uri(), wait_until="load")
    sides = page.evaluate(
        """selector => [...document.querySelectorAll(selector)].map(e => e.getBoundingClientRect())
        .filter(r => r.width).map(r => Math.min(r.width, r.height))""",
        TOUCHED,
    )
    assert len(sides) >= 6 and min(sides) >= 43.5, f"smallest: {min(sides)} px"
    hidden = page.evaluate(
        """() => [...document.querySelectorAll('.rows')].filter(e => e.scrollWidth > e.clientWidth + 1).map(e =>
        [getComputedStyle(e).backgroundAttachment, ...[...e.querySelectorAll('table, tr:first-child, td')].map(
        c => getComputedStyle(c).backgroundColor)])"""
    )
    assert hidden or name != "verdicts", "a wide table"
    for attachment, *colours in hidden:
        assert "local" in attachment and "scroll" in attachment
        assert not [c for c in colours if c.startswith("rgb(")], "an opaque cell hides the shadow"
    context.close()


def test_every_page_tells_its_licence_its_paper_and_its_edition(book):
    for path in book.glob("*.html"):
        text = path.read_text()
        for told in ("CC BY 4.0", "https://arxiv.org/abs/2509.26427", 'class="edition">Version '):
            assert told in text, f"{told} on {path.name}"
    references = (book / "references.html").read_text()
    assert "https://doi.org/10.48550/arXiv.2509.26427" in references


def test_some_pages_have_sliders(book):
    assert sum('class="panels frames"' in page.read_text() for page in book.glob("*.html")) >= 3


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in KINDS else [pytest.mark.long]) for name in CHAPTERS],
)
def test_page_opened_wide_and_dark(opened, name):
    page, requests, complaints = opened(name, width=1280, theme="dark")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert all(url.startswith(("file:", "data:", "blob:")) for url in requests) and not complaints
    page.close()


def test_links(book):
    """Every internal link leads to a page that exists and, with an anchor, to an element on it."""
    anchors = {
        path: set(re.findall(r'\bid="([^"]+)"', path.read_text())) for path in book.rglob("*.html")
    }
    broken = []
    for path, text in ((path, path.read_text()) for path in anchors):
        for href in re.findall(r'<a[^>]*\shref="([^"]*)"', text):
            url = urlsplit(href)
            if url.scheme or url.netloc:
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            if not target.exists() or (
                url.fragment and url.fragment not in anchors.get(target, set())
            ):
                broken.append(f"{path.name}: {href}")
    assert not broken


def test_search(opened, book):
    page, requests, complaints = opened("../search")
    page.goto((book.parent / "search.html").as_uri() + "?q=oracle")
    page.wait_for_selector("#search-results li", timeout=20_000)
    assert page.locator("#search-results li").count() >= 3
    assert all(url.startswith(("file:", "data:", "blob:")) for url in requests)
    page.close()


def test_first_page_is_found_from_the_root(book):
    root = (book.parent / "index.html").read_text()
    assert f"book/{CHAPTERS[0]}.html" in root and Path(book / f"{CHAPTERS[0]}.html").exists()
