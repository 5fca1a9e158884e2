"""The declared charset wins, then the document's own, then detection."""

import pytest

from memory.errors import IngestError
from memory.ingest.loaders.base import Source
from memory.ingest.loaders.charset import decode
from memory.ingest.loaders.html import load_html

WESTERN = "A drimbel is a caf\xe9 lamp. The owner\u2019s lamp is \u201cred\u201d."
PAGE = """<html><head>{meta}<title>Fr\xf6bel</title></head><body><article><h1>Fr\xf6bel</h1>
<p>A gr\xfcmbel is a lamp that burns oil in the caf\xe9s of Z\xfcrich.
It was built for the long winter nights.</p></article></body></html>"""
LAMP = "\u043b\u0430\u043c\u043f\u0430"
"""Russian for lamp."""


@pytest.mark.parametrize(
    ("text", "encoding", "declared"),
    [
        (WESTERN, "cp1252", "windows-1252"),
        (WESTERN, "cp1252", "ISO-8859-1"),  # which browsers read as windows-1252
        ("Zur\xfcck", "latin-1", "'iso-8859-1'"),
        ("\u043b\u0430\u043c\u043f\u0430", "koi8-r", "koi8-r"),
        ("\u706f\u5177", "gbk", "gb2312"),
        (WESTERN, "utf-8", "utf-8"),
        (WESTERN, "utf-8", "nonsense"),
        (WESTERN, "utf-8", "ascii-but-wrong"),
        (WESTERN, "utf-16", "iso-8859-1"),  # a byte order mark beats the header
    ],
)
def test_the_declared_charset_is_used(text: str, encoding: str, declared: str) -> None:
    assert decode(Source("a", text.encode(encoding), declared)).text == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("caf\xe9 au lait", "cp1252"),
        (WESTERN, "cp1252"),
        ("Ein gr\xf6\xdferer K\xe4fer l\xe4uft \xfcber die Stra\xdfe.", "latin-1"),
        (
            f"{LAMP} \u0433\u043e\u0440\u0438\u0442 \u0440\u044b\u0431\u044c\u0438\u043c "
            "\u0436\u0438\u0440\u043e\u043c.",
            "cp1251",
        ),
        ("\u4f50\u5e03\u5c14\u706f\u662f\u4e00\u79cd\u71c3\u70e7\u9c7c\u6cb9\u7684\u706f\u3002", "gb18030"),
        (WESTERN, "utf-8"),
    ],
)
def test_a_charset_that_is_not_declared_is_detected(text: str, encoding: str) -> None:
    assert decode(Source("a", text.encode(encoding))).text == text


def test_a_page_without_meta_is_read_by_the_header() -> None:
    data = PAGE.format(meta="").encode("latin-1")
    assert "gr\xfcmbel" in load_html(Source("a", data, "iso-8859-1")).text
    assert "gr\xfcmbel" in load_html(Source("a", data)).text


def test_the_header_beats_the_meta_and_the_meta_beats_detection() -> None:
    page = "<html><head><meta charset='koi8-r'></head><body><article><p>{}</p></article></body></html>"
    text = page.format(f"{LAMP} " * 30)
    assert LAMP in load_html(Source("a", text.encode("koi8-r"))).text
    assert LAMP in load_html(Source("a", text.encode("cp1251"), "windows-1251")).text


@pytest.mark.parametrize(
    "declared", ["", "utf-8", "base64", "rot13", "idna", "\0", "x" * 500, "unicode_escape"]
)
def test_binary_files_are_refused_whatever_is_declared(declared: str) -> None:
    with pytest.raises(IngestError, match="binary"):
        decode(Source("a", b"\x7fELF\x02\x01\x00\x00\xff\xfe" + bytes(range(200)), declared))
