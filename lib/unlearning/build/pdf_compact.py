"""A browser's PDF made smaller without loss: its many small objects packed into compressed streams (PDF 1.5).

Chromium writes a tag for every piece of text, which an outline needs, each as plain text: two thirds of the file.
Object streams and a cross-reference stream (ISO 32000-1, 7.5.7 and 7.5.8) hold the same objects, deflated.
"""

import re
import struct
import zlib

PER_STREAM = 500  # objects


def compact(data: bytes) -> bytes:
    """The same document with every object that is no stream inside a compressed one; streams stay as they are.

    Raises ValueError for a file that is not laid out as Chromium's: one cross-reference table at its end.
    """
    offsets, trailer = _table(data)
    bodies = {number: _body(data, at, end) for number, at, end in offsets}
    loose = [number for number, body in bodies.items() if not body.endswith(b"endstream")]
    out, entries, size = (
        bytearray(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n"),
        {0: (0, 0, 65535)},
        max(bodies) + 1,
    )
    for number in sorted(bodies.keys() - set(loose)):
        entries[number] = (1, len(out), 0)
        out += b"%d 0 obj\n%b\nendobj\n" % (number, bodies[number])
    for start in range(0, len(loose), PER_STREAM):
        held = loose[start : start + PER_STREAM]
        heads, body = [], bytearray()
        for index, number in enumerate(held):
            heads.append(b"%d %d" % (number, len(body)))
            body += bodies[number] + b"\n"
            entries[number] = (2, size, index)
        head = b" ".join(heads) + b"\n"
        entries[size] = (1, len(out), 0)
        told = b"/Type /ObjStm /N %d /First %d" % (len(held), len(head))
        out += _stream(size, told, head + bytes(body))
        size += 1
    entries[size] = (1, len(out), 0)
    rows = b"".join(struct.pack(">BIH", *entries.get(n, (0, 0, 65535))) for n in range(size + 1))
    start = len(out)
    out += _stream(size, b"/Type /XRef /Size %d /W [1 4 2] %b" % (size + 1, trailer), rows)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def _stream(number: int, told: bytes, content: bytes) -> bytes:
    packed = zlib.compress(content, 9)
    head = b"%d 0 obj\n<<%b /Filter /FlateDecode /Length %d>>\n" % (number, told, len(packed))
    return head + b"stream\n" + packed + b"\nendstream\nendobj\n"


def _table(data: bytes) -> tuple[list[tuple[int, int, int]], bytes]:
    """((number, start, end) of every object in use; the trailer's entries but Size and Prev)."""
    last = re.search(rb"startxref\s+(\d+)\s+%%EOF\s*$", data)
    head = last and re.compile(rb"xref\s+0 (\d+)\s+").match(data, int(last[1]))
    trailer = last and re.search(rb"trailer\s*<<(.*)>>\s*startxref", data[int(last[1]) :], re.S)
    if not head or not trailer or b"/Prev" in trailer[1]:
        raise ValueError("no PDF with one plain cross-reference table")
    rows = [data[head.end() + 20 * n : head.end() + 20 * n + 20] for n in range(int(head[1]))]
    used = sorted((int(row[:10]), n) for n, row in enumerate(rows) if row[17:18] == b"n")
    ends = [at for at, _ in used[1:]] + [int(last[1])]
    kept = re.sub(rb"/Size\s+\d+", b"", trailer[1]).strip()
    return [(n, at, end) for (at, n), end in zip(used, ends, strict=True)], kept


def _body(data: bytes, at: int, end: int) -> bytes:
    """An object between `obj` and `endobj`, its outline title said once."""
    start, stop = data.find(b" 0 obj", at, end), data.rfind(b"endobj", at, end)
    if start < 0 or stop < 0:
        raise ValueError(f"no PDF object at byte {at}")
    body = data[start + 6 : stop].strip()
    if not body.endswith(b"endstream") and b"/Title" in body and b"/Parent" in body:
        # Chromium 150 writes the heading twice, "AimAim", where it moved one to the next page
        body = re.sub(rb"/Title \((.{3,})\1\)", rb"/Title (\1)", body)
        body = re.sub(rb"/Title <(FEFF)((?:.{4}){3,})\2>", rb"/Title <\1\2>", body)
    return body
