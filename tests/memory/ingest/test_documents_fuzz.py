"""Whatever is done to the bytes of a real document, they become text or an IngestError.

Hypothesis mutates a file of each format; `make fuzz` runs it for longer.
"""

import io
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from pypdf import PdfWriter

from memory.errors import IngestError
from memory.ingest.documents import RawDocument, text_of
from memory.ingest.loaders.formats import BY_EXTENSION
from tests.contracts.test_imports import ROOT
from tests.memory.ingest.loaders.test_markup import MAIL, RST
from tests.support.document_files import docx, epub, paged_pdf, pptx, stored, word_paragraph, word_table, xlsx
from tests.support.documents import pdf

DOCX, PPTX, XLSX, EPUB = (BY_EXTENSION[each].media_type for each in (".docx", ".pptx", ".xlsx", ".epub"))
ZIPPED = (
    b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"\xff\xff\xff\xff", b"\x00\x00", b"<", b"/>", b"&x;",
    b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]>", b"]]>",
)  # fmt: skip
SCRAPS: dict[str, tuple[bytes, ...]] = {
    "text/markdown": (
        b"#", b"```", b"~~~", b"|", b"|---|", b"\r", b"\n", b"\t", b"- ", b"1) ", b"    ", b"\x00",
        b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", "\u2028".encode(), "\U0010ffff".encode(),
        "\u202e".encode(),
    ),
    "text/html": (
        b"<", b">", b"</", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<script>", b"<table><tr>", b"<p>",
        b"</p>", b"<svg>", b"<math>", b"<template>", b"<li>", b"<td>", b"&#0;", b"&#xD800;", b"&#1114112;",
        b"&lt", b"\x00", b"<?xml version='1.0' encoding='utf-16'?>", b"<meta charset=utf-7>",
        b"<meta charset='nonsense'>", b"<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]>",
        b"<a href='javascript:'>", b"=\"'", b"\xff\xfe",
    ),
    "application/pdf": (
        b"obj", b"endobj", b"stream", b"endstream", b"xref", b"trailer", b"startxref", b"<<", b">>", b"[",
        b"]", b"/Kids", b"/Parent 2 0 R", b"/Filter /FlateDecode", b"/Filter [/LZWDecode /ASCII85Decode]",
        b"/Length -1", b"/Prev 0", b"/Encrypt 1 0 R", b"1 0 R", b"99999999999", b"-1", b"(", b")", b"Tj",
        b"/F1 1e309 Tf", b"BT", b"/ToUnicode 4 0 R", b"beginbfrange <00> <ff> <0000>",
        b"/Count 2147483648", b"\x00", b"%%EOF",
    ),
    "text/csv": (b",", b";", b"\t", b'"', b'""', b"\n", b"\r", b"|", b"\\", b"\x00", b"\xff"),
    "application/x-ndjson": (
        b"{", b"}", b"[", b"]", b'"', b":", b"null", b"NaN", b"1e999", b"\n", b'"\\ud800"', b"-0", b"\x00",
    ),
    "text/x-rst": (
        b"..", b"::", b"===", b"+--+", b"|", b"`", b"``", b":ref:`x`", b".. include:: /etc/passwd\n",
        b".. raw:: html\n", b".. list-table::\n", b".. |a| replace:: |a|\n", b"__", b"[#]_", b"\n\n", b"\x00",
    ),
    "text/x-python": (b"def f(", b'"""', b":", b"\n", b"\t", b"(" * 300, b"async ", b"class ", b"\\", b"\x00"),  # noqa: E501
    "text/x-source": (b"//", b"/*", b"*/", b"#", b'"', b"'", b"\n", b"{", b"}", b"\x00", b"/**"),
    "message/rfc822": (
        b"\n\n", b": ", b"Content-Type: multipart/mixed; boundary=B\n", b"--B\n", b"--B--", b"charset=nonsense",  # noqa: E501
        b"Content-Transfer-Encoding: base64\n", b"=?utf-8?q?=FF?=", b"=?x?b?!?=", b"Subject:", b"\xff", b"\x00",  # noqa: E501
        b"From: <", b'To: "a@b', b"Date: 99999",
    ),
    "text/turtle": (
        b"@prefix", b"<", b">", b"<http://[x>", b'"', b'"""', b"'''", b"\\u", b"\\", b"^^", b"@en",
        b"[", b"]", b"(", b")", b"_:", b":", b";", b".", b"=>", b"{", b"}", b"1e", b"\x00", b"\xff",
    ),
    "application/rdf+xml": (
        b"<", b"/>", b"</rdf:RDF>", b"<rdf:Description>", b'rdf:about="http://[x"', b'rdf:ID="1"',
        b'rdf:nodeID="a b"', b'rdf:parseType="Collection"', b'rdf:parseType="Literal"', b"<rdf:li>",
        b'rdf:datatype=""', b"&a;", b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]>", b"]]>", b"\x00", b"\xff",
    ),
    DOCX: ZIPPED, PPTX: ZIPPED, XLSX: ZIPPED, EPUB: ZIPPED,
    "application/rtf": (b"{", b"}", b"\\par", b"\\'ff", b"\\u-1?", b"\\bin99999 ", b"\\pict", b"\x00"),
}  # fmt: skip
"""What parsers look for, to be put where it does not belong."""
PAGE = b"""<!doctype html><html><head><meta charset="utf-8"><title>Pumps</title></head><body><nav>Menu</nav>
<main><h1>Pumps</h1><p>A pump moves water from the well to the tank, and it stops when the tank is full.</p>
<table><tr><th>Part</th><th>Weight</th></tr><tr><td>Valve</td><td>2 kg</td></tr></table>
<ul><li>Open the valve.<li>Start the pump.</ul><pre><code>pump --start</code></pre>
<p>The pump was built in Bern by <b>Ann</b>.</p>
</main></body></html>"""
TURTLE = b"""@prefix zoo: <http://a.org/zoo#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
zoo:Lemur rdfs:label "lemur"@en ; rdfs:subClassOf [ owl:onProperty zoo:livesIn ; owl:hasValue zoo:Tree ] ;
    zoo:eats ( zoo:Leaf zoo:Fig ), _:other ; zoo:weighs 2.5 ; rdfs:comment '''A
primate.''' .
_:other zoo:isPartOf zoo:Tree .
"""
BROKEN_TURTLE = (b'<http://a#a> <http://a#b> """x', b'<http://[x> <http://a#b> "c" .')
RDF_XML = b"""<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:zoo="http://a.org/zoo#">
<rdf:Description rdf:about="http://a.org/zoo#Lemur"><zoo:livesIn rdf:resource="http://a.org/zoo#Tree"/>
<zoo:eats rdf:parseType="Collection"><rdf:Description rdf:about="http://a.org/zoo#Fig"/></zoo:eats>
<zoo:weighs rdf:datatype="http://www.w3.org/2001/XMLSchema#decimal">2.5</zoo:weighs></rdf:Description>
</rdf:RDF>
"""

Mutation = Callable[[bytes], bytes]


@lru_cache(maxsize=1)
def seeds() -> dict[str, tuple[bytes, ...]]:
    """Real documents to begin with."""
    notes = tuple(path.read_bytes()[:4000] for path in sorted((ROOT / "examples/library").rglob("*.md"))[:4])
    plain = pdf("A pump moves water from the well to the tank.")
    return {
        "text/markdown": notes,
        "text/html": (PAGE,),
        "application/pdf": (plain, _written(plain), _written(plain, "x"), _written(plain, ""), _columns()),
        "text/csv": (b'name,oil\nzorble,"fish, cod"\nfentack;none\n',),
        "application/x-ndjson": (
            b'{"title": "Lamps", "text": "A lamp.", "by": {"name": ["Ann"]}}\n{"id": 1}\n',
        ),
        "text/x-rst": (RST.encode(),),
        "text/x-python": (
            Path(__file__).read_bytes()[:3000],
            b'def burn(oil: str) -> bool:\n    """Burns."""\n',
        ),
        "text/x-source": (b"/** Burns the oil of a lamp. */\nfn burn(oil: &str) {}\n",),
        "message/rfc822": (MAIL,),
        "text/turtle": (TURTLE, *BROKEN_TURTLE),
        "application/rdf+xml": (RDF_XML,),
        DOCX: (
            word := docx(word_paragraph("A lamp burns oil.", "Heading1") + word_table(CELLS)),
            stored(word),
        ),
        PPTX: (slides := pptx([("Lamps", ["A lamp burns oil."])]), stored(slides)),
        XLSX: (sheets := xlsx({"Lamps": CELLS}), stored(sheets)),
        EPUB: (book := epub("Lamps", "en", ["<h1>One</h1><p>A lamp burns oil.</p>"]), stored(book)),
        "application/rtf": (rb"{\rtf1\ansi{\fonttbl{\f0 Arial;}}\f0 A lamp \b burns\b0 oil.\par}",),
    }


CELLS = [["Device", "Load"], ["Quorbin", "40 kg"]]


def _columns() -> bytes:
    lines = [
        (x, 720.0 - 14 * n, f"A lamp of kind {n} is a thing that") for n in range(4) for x in (72.0, 320.0)
    ]
    return paged_pdf([lines, lines])


def _written(document: bytes, password: str | None = None) -> bytes:
    """The PDF as pypdf writes it: compressed, and encrypted where there is a password."""
    writer = PdfWriter(clone_from=io.BytesIO(document))
    for page in writer.pages:
        page.compress_content_streams()
    if password is not None:
        writer.encrypt(password, algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


@st.composite
def mutations(draw: st.DrawFn, scraps: tuple[bytes, ...]) -> Mutation:
    """One change somewhere in the document, as a share of its length."""
    at = draw(st.floats(0, 1))
    length = draw(st.integers(1, 200))
    scrap = draw(st.sampled_from(scraps) | st.binary(max_size=6))
    times = draw(st.sampled_from([1, 1, 2, 50]))
    kind = draw(st.sampled_from(["insert", "replace", "delete", "repeat", "cut", "flip"]))

    def apply(data: bytes) -> bytes:
        here = int(at * len(data))
        part, rest = data[here : here + length], data[here + length :]
        match kind:
            case "insert":
                return data[:here] + scrap * times + data[here:]
            case "replace":
                return data[:here] + scrap + rest
            case "delete":
                return data[:here] + rest
            case "repeat":
                return data[:here] + part * (times + 1) + rest
            case "cut":
                return data[:here]
            case _:
                return data[:here] + bytes(byte ^ 0x20 for byte in part) + rest

    return apply


@st.composite
def documents(draw: st.DrawFn, kind: str) -> bytes:
    data = draw(st.sampled_from(seeds()[kind]))
    for mutate in draw(st.lists(mutations(SCRAPS[kind]), min_size=1, max_size=6)):
        data = mutate(data)
    return data


@pytest.mark.parametrize("kind", list(SCRAPS))
def test_a_mutated_document_gives_text_or_a_reason(kind: str) -> None:
    @settings(deadline=None, suppress_health_check=list(HealthCheck))
    @given(documents(kind))
    def read(data: bytes) -> None:
        try:
            text = text_of(RawDocument(source="doc.rs", data=data, media_type=kind))
        except IngestError as error:
            event(f"refused: {str(error)[:40]}")
            return
        assert any(character.isalnum() for character in text)
        assert text.encode().decode() == text

    read()
