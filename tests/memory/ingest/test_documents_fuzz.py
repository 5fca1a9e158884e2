"""Whatever is done to the bytes of a real document, they become text or an IngestError.

Hypothesis mutates Markdown, HTML and PDF files; `make fuzz` runs it for longer.
"""

import io
from collections.abc import Callable
from functools import lru_cache

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from pypdf import PdfWriter

from memory.errors import IngestError
from memory.ingest.documents import RawDocument, text_of
from tests.contracts.test_imports import ROOT
from tests.support.documents import pdf

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
}  # fmt: skip
"""What parsers look for, to be put where it does not belong."""
PAGE = b"""<!doctype html><html><head><meta charset="utf-8"><title>Pumps</title></head><body><nav>Menu</nav>
<main><h1>Pumps</h1><p>A pump moves water from the well to the tank, and it stops when the tank is full.</p>
<table><tr><th>Part</th><th>Weight</th></tr><tr><td>Valve</td><td>2 kg</td></tr></table>
<ul><li>Open the valve.<li>Start the pump.</ul><pre><code>pump --start</code></pre>
<p>The pump was built in Bern by <b>Ann</b>.</p>
</main></body></html>"""

Mutation = Callable[[bytes], bytes]


@lru_cache(maxsize=1)
def seeds() -> dict[str, tuple[bytes, ...]]:
    """Real documents to begin with."""
    notes = tuple(path.read_bytes()[:4000] for path in sorted((ROOT / "examples/library").rglob("*.md"))[:4])
    plain = pdf("A pump moves water from the well to the tank.")
    return {
        "text/markdown": notes,
        "text/html": (PAGE,),
        "application/pdf": (plain, _written(plain), _written(plain, "x"), _written(plain, "")),
    }


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
            text = text_of(RawDocument(source="doc", data=data, media_type=kind))
        except IngestError as error:
            event(f"refused: {str(error)[:40]}")
            return
        assert any(character.isalnum() for character in text)
        assert text.encode().decode() == text

    read()
