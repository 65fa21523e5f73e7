"""The book as one PDF: what is put together, that packing loses nothing, and where the file is and is not linked."""

import re
import shutil
import struct
import zlib

import pytest

from test_build import small, write  # noqa: F401
from unlearning.__main__ import main
from unlearning.build import browser, pdf
from unlearning.build.book import build
from unlearning.build.pdf_compact import compact
from unlearning.errors import Refused


def page(title: str, body: str) -> str:
    return (
        '<html><head><link href="../_static/a.css" rel="stylesheet" />\n<script>window.MathJax = {"a": 1}</script>'
        '<script defer src="../_static/mathjax/tex.js"></script><script src="../_static/toggle.js"></script></head>'
        f'<h1>for print</h1><h2>Contents</h2><article class="bd-article"><section id="s"><h1>{title}'
        f'<a class="headerlink" href="#s">#</a></h1>{body}</section></article></html>'
    )


PARTS = [("", ["first"]), ("Rest & more", ["last"])]
PAGES = {
    "first": page(
        "Aim", '<a class="x" href="last.html#s">there</a> <a href="last.html">all</a> <a href="#s">up</a>'
    ),
    "last": page(
        "<em>End</em>",
        '<details class="hide"><summary>s</summary>in</details><script>move()</script>'
        '<svg><path id="p"/><use xlink:href="#p" clip-path="url(#p)"/></svg><a href="https://x.org/last.html">o</a>',
    ),
}  # fmt: skip


def test_pages_are_put_together_with_links_inside():
    text = pdf.whole(PAGES, PARTS, "A <title>", "Somebody")
    ids = re.findall(r'\sid="([^"]+)"', text)
    assert len(ids) == len(set(ids)), "both pages had an s"
    links = re.findall(r'href="#([^"]+)"', text) + re.findall(r"url\(#([^)]+)\)", text)
    assert links and set(links) <= set(ids)
    assert [*re.findall(r'<a(?: class="x")? href="#(\S+)">(?:there|all|up)<', text)] == [
        "last--s", "last--top", "first--s"]  # fmt: skip
    assert "https://x.org/last.html" in text, "another host's page of that name stays where it is"
    assert "move()" not in text and "toggle.js" not in text and "mathjax/tex.js" in text
    assert "<details open" in text and 'headerlink" href' not in text
    contents = text[text.index("Contents") : text.index("<main")]
    assert re.findall(r"<p>(.*?)</p>|<li><a[^>]*>(.*?)</a></li>", contents) == [
        ("", "Aim"), ("Rest &amp; more", ""), ("", "<em>End</em>")]  # fmt: skip


def test_a_page_without_an_article_is_a_defect():
    with pytest.raises(ValueError, match="last: no article"):
        pdf.whole(PAGES | {"last": "<html></html>"}, PARTS, "t", "a")


def test_one_link_however_often_it_is_printed():
    once = pdf.with_link(PAGES["first"], 1_500_000)
    assert once.count('class="pdf"') == 1 and "(1.5 MB)" in once
    assert pdf.with_link(once, 1_500_000) == once


def plain(objects: list[bytes]) -> bytes:
    """A PDF as Chromium lays it out: objects, one table, a trailer. The first object is the catalogue."""
    out, at = bytearray(b"%PDF-1.4\n%\xd3\xeb\xe9\xe1\n"), []
    for number, body in enumerate(objects, 1):
        at.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    rows = b"".join(b"%010d 00000 n \n" % a for a in at)
    size, start = len(objects) + 1, len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n%b" % (size, rows)
    out += b"trailer\n<</Size %d\n/Root 1 0 R\n/ID [<00><01>]>>\nstartxref\n%d\n%%%%EOF\n" % (
        size,
        start,
    )
    return bytes(out)


def read_back(data: bytes) -> tuple[dict[int, bytes], bytes]:
    """(objects by number, the cross-reference's dictionary), by following the cross-reference stream."""

    def at(offset: int) -> tuple[bytes, bytes]:
        head = re.compile(rb"\d+ 0 obj\s*").match(data, offset)
        body = data[head.end() : data.index(b"endobj", offset)]
        told, _, rest = body.partition(b"stream\n")
        return told, rest[: int(re.search(rb"/Length (\d+)", told)[1])] if rest else body

    told, packed = at(int(re.search(rb"startxref\s+(\d+)", data)[1]))
    rows = zlib.decompress(packed)
    entries = [struct.unpack(">BIH", rows[i : i + 7]) for i in range(0, len(rows), 7)]
    found = {}
    for number, (kind, where, index) in enumerate(entries):
        if kind == 1:
            found[number] = data[where : data.index(b"endobj", where)].split(b"obj", 1)[1].strip()
        elif kind == 2:
            head, inner = at(entries[where][1])
            text = zlib.decompress(inner)
            first = int(re.search(rb"/First (\d+)", head)[1])
            numbers = list(map(int, text[:first].split()))
            assert numbers[2 * index] == number
            starts = [*numbers[1::2], len(text) - first]
            found[number] = text[first:][starts[index] : starts[index + 1]].strip()
    return found, told


def test_packing_loses_nothing():
    stream = zlib.compress(b"BT (a text) Tj ET")
    objects = [
        b"<</Type /Catalog /Pages 2 0 R>>",
        b"<</Type /Pages /Kids [4 0 R] /Count 1>>",
        b"<</Length %d /Filter /FlateDecode>>\nstream\n%b\nendstream" % (len(stream), stream),
        b"<</Type /Page /Parent 2 0 R /Contents 3 0 R /Note (endobj is \\(only\\) a word)>>",
        *(b"<</S /Span /P %d 0 R>>" % n for n in range(1200)),
    ]
    whole = plain(objects)
    packed = compact(whole)
    found, told = read_back(packed)
    assert [found[n] for n in range(1, len(objects) + 1)] == objects
    assert b"/Root 1 0 R" in told and b"/ID [<00><01>]" in told
    assert len(packed) < len(whole) / 4


def test_a_heading_that_the_browser_said_twice_is_said_once():
    twice = "".join(f"{ord(c):04X}" for c in "Lemma’s").encode()
    outline = [
        b"<</Title (AimAim) /Parent 1 0 R>>",
        b"<</Title <FEFF%b%b> /Parent 1 0 R>>" % (twice, twice),
        b"<</Title (Aim) /Parent 1 0 R>>",
    ]
    found, _ = read_back(compact(plain([b"<<>>", *outline])))
    assert found[2] == outline[2] and found[3] == b"<</Title <FEFF%b> /Parent 1 0 R>>" % twice
    assert found[4] == outline[2]


@pytest.mark.parametrize("data", [b"", b"%PDF-1.4\n", plain([b"<<>>"])[:-20], b"\x00" * 500])
def test_what_is_no_such_pdf_is_not_packed(data):
    with pytest.raises(ValueError):
        compact(data)


def test_without_a_book_or_a_browser_nothing_is_printed(small, monkeypatch, capsys):  # noqa: F811
    with pytest.raises(Refused, match="make book"):
        pdf.make(small)
    monkeypatch.setattr(browser, "find", lambda: None)
    with pytest.raises(Refused, match="apt-get install chromium"):
        pdf.print_pdf(small / "x.html", small / "x.pdf")
    monkeypatch.setattr(pdf, "ROOT", small)
    monkeypatch.setattr(pdf.make, "__defaults__", (small,))
    assert main(["pdf"]) == 2 and "not built" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.browser
def test_a_small_book_on_paper(small, chromium):  # noqa: F811
    cell = 'print("folded away")'
    write(small, "first", cell, prose="See [the end](last.ipynb).\n#\n# ## A section\n#\n# Text.")
    first = build(small)
    made = pdf.make(small)
    data = made.read_bytes()
    assert data.startswith(b"%PDF-1.5") and len(data) < pdf.LIMIT
    objects, _ = read_back(data)
    text = b"\n".join(body for body in objects.values() if not body.endswith(b"endstream"))
    assert [t.decode() for t in re.findall(rb"/Title \(([^)]*)\)", text)].count("A section") == 1
    assert len(re.findall(rb"/Type /Page\b", text)) >= 4, "cover, contents, two chapters"
    assert b"/URI" not in text or b"file:" not in text, "links lead inside, not to this machine"
    assert first.read_text().count('href="../book.pdf"') == 1
    assert not list((small / "_build").glob("print-*"))

    before = made.stat().st_mtime_ns
    build(small)
    assert made.stat().st_mtime_ns == before, "an unchanged book keeps its PDF and its link"
    write(small, "first", cell, prose="Another text.")
    build(small)
    assert not made.exists() and "book.pdf" not in first.read_text(), "it would be of other pages"


def test_the_makefile_has_it():
    if shutil.which("make") is None:
        pytest.skip("no make")
    import subprocess

    from unlearning.files import ROOT

    said = subprocess.run(["make", "-n", "pdf"], cwd=ROOT, capture_output=True, text=True)
    assert said.returncode == 0 and "unlearning pdf" in said.stdout
