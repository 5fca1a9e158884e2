"""Bytes become text, or a reason why not."""

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.errors import IngestError
from memory.ingest.documents import RawDocument, text_of, unwrap_lines
from memory.ingest.loaders.formats import media_type
from memory.ingest.loaders.html import MAX_DEPTH
from tests.support.documents import pdf

PAGE = (
    "<html><head><title>Site</title></head><body><nav>Menu</nav><article><h1>Moves</h1>"
    "<p>A move is a transfer of a value to a new owner, and there is a bit more text to read here.</p>"
    "<h2>Code</h2><p>The <code>Copy</code> trait is a marker for types that are duplicated, not moved.</p>"
    "</article></body></html>"
)


def raw(data: bytes, kind: str = "text/markdown") -> RawDocument:
    return RawDocument(source="doc", data=data, media_type=kind)


def test_html_becomes_markdown_with_its_headings_and_code() -> None:
    text = text_of(raw(PAGE.encode(), "text/html"))
    assert "# Moves" in text
    assert "`Copy` trait is a marker" in text
    assert "Menu" not in text


def test_a_pdf_gives_its_text() -> None:
    text = text_of(raw(pdf("A move is a transfer of a value."), "application/pdf"))
    assert text.strip() == "A move is a transfer of a value."


def test_line_ends_and_byte_order_marks_do_not_matter() -> None:
    assert text_of(raw("\ufeff# A\r\n\r\nb\rc".encode())) == "# A\n\nb c"
    assert text_of(raw("# Ä\n".encode("utf-16"))) == "# Ä\n"


@pytest.mark.parametrize(
    ("data", "kind", "reason"),
    [
        (b"", "text/plain", "empty"),
        (b" \n\t ", "text/plain", "empty"),
        (b"...---...", "text/plain", "no text"),
        (b"\x7fELF\x02\x01\x00\x00\xff\xfe", "text/plain", "binary"),
        (b"\x00\x01\x02 abc" * 10, "text/plain", "binary"),
        (b"%PDF-1.4\nrubbish", "application/pdf", "malformed"),
        (b"not a pdf", "application/pdf", "malformed"),
        (b"<p></p>", "text/html", "no main text"),
        (b"<div>" * (MAX_DEPTH + 1) + b"text", "text/html", "nested"),
        (b"<i>a</i>" * 110_000, "text/html", "elements"),
        (b"<p>\x00\x01\x02</p>", "text/html", "binary"),
    ],
)
def test_what_cannot_be_read_says_why(data: bytes, kind: str, reason: str) -> None:
    with pytest.raises(IngestError, match=reason):
        text_of(raw(data, kind))


def test_a_pdf_without_text_asks_for_ocr() -> None:
    with pytest.raises(IngestError, match="OCR"):
        text_of(raw(pdf(""), "application/pdf"))


def test_a_pdf_cut_short_is_refused_or_read_but_never_breaks() -> None:
    whole = pdf("A move is a transfer.")
    for end in range(0, len(whole), 7):
        try:
            text_of(raw(whole[:end], "application/pdf"))
        except IngestError:
            continue


def test_a_pdf_that_unpacks_to_far_more_than_it_weighs_is_refused() -> None:
    stream = zlib.compress(b"BT (" + b"a" * 200_000_000 + b") Tj ET", 9)
    whole = pdf("X").replace(b"BT /F1 12 Tf 72 720 Td (X) Tj ET", stream)
    bomb = whole.replace(b"<< /Length 32 >>", b"<< /Length %d /Filter /FlateDecode >>" % len(stream))
    assert bomb != whole
    with pytest.raises(IngestError, match="unpacks"):
        text_of(raw(bomb, "application/pdf"))


def test_a_table_without_outer_pipes_keeps_its_lines() -> None:
    text = "Some\nnumbers:\n\nID | Status\n--- | ---\n0 | Unknown\n1 | Blocked\n\nThe\nend.\n"
    assert unwrap_lines(text) == text.replace("Some\n", "Some ").replace("The\n", "The ")


def test_wrapped_lines_are_joined_and_blocks_are_not() -> None:
    text = "# A\nb\nc\n\n- d\n  e\n- f\n\n```\ng\nh\n```\n\n    i\n    j\n| k\n| l\n"
    assert unwrap_lines(text) == "# A\nb c\n\n- d   e\n- f\n\n```\ng\nh\n```\n\n    i\n    j\n| k\n| l\n"


@settings(deadline=None)
@given(st.text(alphabet="ab#-`| \n.1)", max_size=200))
def test_joining_lines_changes_nothing_but_white_space(text: str) -> None:
    joined = unwrap_lines(text)
    assert len(joined) == len(text)
    assert all(a == b or (a, b) == ("\n", " ") for a, b in zip(text, joined, strict=True))


@settings(deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["text/plain", "text/html", "application/pdf"]))
def test_any_bytes_give_text_or_a_reason(data: bytes, kind: str) -> None:
    try:
        assert text_of(raw(data, kind)).strip()
    except IngestError:
        return


@pytest.mark.parametrize(
    ("name", "declared", "expected"),
    [
        ("a.md", "", "text/markdown"),
        ("a.MD?raw=1", "text/plain; charset=utf-8", "text/markdown"),
        ("a", "text/html; charset=utf-8", "text/html"),
        ("a", "application/xhtml+xml", "text/html"),
        ("a.txt", "", "text/plain"),
        ("a.pdf", "application/octet-stream", "application/pdf"),
        ("a", "text/plain", "text/plain"),
    ],
)
def test_the_kind_follows_the_declared_type_then_the_ending(name: str, declared: str, expected: str) -> None:
    assert media_type(name, declared) == expected


@pytest.mark.parametrize(
    ("name", "declared"), [("a.exe", ""), ("a", ""), ("a.md", "image/png"), ("a.zip", "")]
)
def test_other_kinds_are_refused(name: str, declared: str) -> None:
    with pytest.raises(IngestError, match="not supported"):
        media_type(name, declared)
