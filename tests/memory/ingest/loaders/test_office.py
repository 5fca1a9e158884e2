"""Office documents and books keep their headings and tables; bombs and encrypted files are refused."""

import io
import struct
import zipfile

import pytest

from memory.errors import IngestError
from memory.ingest.loaders import office
from memory.ingest.loaders.base import Source
from tests.support.document_files import (
    archive,
    docx,
    epub,
    pptx,
    word_paragraph,
    word_table,
    xlsx,
)

LIMITS = [["Device", "Maximum load"], ["Quorbin", "40 kilograms"], ["Plenty", "55 | 60 kilograms"]]
MARKDOWN_ROWS = ["| Device | Maximum load |", "| Quorbin | 40 kilograms |"]


def source(data: bytes) -> Source:
    return Source("doc", data)


def test_a_word_document_keeps_headings_paragraphs_and_tables_in_order() -> None:
    body = (
        word_paragraph("Device limits", "Heading1")
        + word_paragraph("A zorble is a lamp that burns fish oil.")
        + word_table(LIMITS)
        + word_paragraph("The end.")
    )
    text = office.load_docx(source(docx(body))).text
    assert "# Device limits" in text
    assert all(row in text for row in MARKDOWN_ROWS)
    assert "55 \\| 60 kilograms" in text
    assert text.index("zorble") < text.index("Quorbin") < text.index("The end.")


def test_pictures_of_a_document_are_named_as_unread() -> None:
    loaded = office.load_docx(source(docx(word_paragraph("A lamp."), **{"word__media__a.png": b"x"})))
    assert loaded.unread == ("1 pictures: their text is not read",)


def test_slides_are_sections() -> None:
    text = office.load_pptx(
        source(pptx([("Lamps", ["A zorble is a lamp."]), ("Boats", ["It floats."])]))
    ).text
    lines = [line for line in text.splitlines() if line]
    assert [line.lstrip("# ") for line in lines] == ["Lamps", "A zorble is a lamp.", "Boats", "It floats."]
    assert lines[0].startswith("#")


def test_sheets_are_sections_with_a_table() -> None:
    loaded = office.load_xlsx(
        source(xlsx({"Limits": LIMITS, "Weights": [["Device", "Weight"], ["Quorbin", 2.5]]}))
    )
    assert "## Limits" in loaded.text
    assert all(row in loaded.text for row in MARKDOWN_ROWS)
    assert "| Quorbin | 2.5 |" in loaded.text.partition("## Weights")[2]


def test_a_book_is_read_chapter_by_chapter_with_its_title_and_language() -> None:
    chapters = ["<h1>One</h1><p>A zorble is a lamp.</p>", "<h1>Two</h1><p>A fentack is a boat.</p>"]
    loaded = office.load_epub(source(epub("The book of lamps", "en", chapters)))
    assert (loaded.title, loaded.language) == ("The book of lamps", "en")
    lines = [line for line in loaded.text.splitlines() if line]
    assert lines == ["# One", "A zorble is a lamp.", "# Two", "A fentack is a boat."]


def test_rich_text_is_read() -> None:
    assert "burns oil" in office.load_rtf(source(rb"{\rtf1\ansi A zorble burns oil.\par}")).text


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"not a zip", "malformed"),
        (b"", "malformed"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "without a password"),
        (archive({"a.txt": "nothing"}), "malformed"),
        (archive({f"{n}.xml": "" for n in range(office.MAX_MEMBERS + 1)}), "archive unpacks to 10001 files"),
    ],
)
def test_what_is_no_document_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(IngestError, match=reason):
        office.load_docx(source(data))


def test_an_archive_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = docx(word_paragraph("a" * 2_000_000))
    assert len(bomb) < 20_000
    monkeypatch.setattr(office, "MAX_UNPACKED", 1_000_000)
    with pytest.raises(IngestError, match=r"unpacks to 3 files of 2\d{6} bytes"):
        office.load_docx(source(bomb))


def test_an_archive_that_lies_about_its_size_is_refused() -> None:
    bomb = bytearray(docx(word_paragraph("a" * 2_000_000)))
    with zipfile.ZipFile(io.BytesIO(bomb)) as file:
        size = file.getinfo("word/document.xml").file_size
    for begin in (n for n in range(len(bomb) - 4) if bomb[n : n + 4] == struct.pack("<I", size)):
        bomb[begin : begin + 4] = struct.pack("<I", 100)
    with pytest.raises(IngestError, match=r"malformed|more than it says"):
        office.load_docx(source(bytes(bomb)))


def test_entities_of_xml_are_not_expanded() -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 9))
    laughs = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "ha">{entities}]>'
    document = docx("")
    with zipfile.ZipFile(io.BytesIO(document)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    body = members["word/document.xml"].decode()
    body = body.replace("<w:body>", "<w:body>" + word_paragraph("A lamp. X").replace("X", "&e8;"))
    members["word/document.xml"] = (laughs + body).encode()
    try:
        assert len(office.load_docx(source(archive(members))).text) < 1000
    except IngestError:
        return
