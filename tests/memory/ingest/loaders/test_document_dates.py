"""Each format's own date is read; marks of no date, nonsense and the dates of other things are not."""

import io
import zipfile
from datetime import UTC, datetime

import pytest
from pypdf import PdfWriter

from memory.ingest.documents import RawDocument, load
from memory.ingest.loaders.document_dates import parsed
from memory.ingest.loaders.formats import BY_EXTENSION
from tests.support.document_files import docx, epub, paged_pdf, pptx, word_paragraph, xlsx

DAY = datetime(2021, 3, 4, tzinfo=UTC)
TEXT = "The maximum load of the Quorbin is 40 kilograms, as its makers say, and it has a red lamp."
PROPERTIES = (
    '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"'
    ' xmlns:dcterms="http://purl.org/dc/terms/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
    '<dcterms:created xsi:type="dcterms:W3CDTF">2019-01-02T00:00:00Z</dcterms:created>'
    '<dcterms:modified xsi:type="dcterms:W3CDTF">2021-03-04T00:00:00Z</dcterms:modified></cp:coreProperties>'
)


def dated(data: bytes, extension: str) -> datetime | None:
    media_type = BY_EXTENSION[extension].media_type
    return load(RawDocument(source=f"a{extension}", data=data, media_type=media_type)).dated


def with_properties(data: bytes) -> bytes:
    out = io.BytesIO(data)
    with zipfile.ZipFile(out, "a") as file:
        file.writestr("docProps/core.xml", PROPERTIES)
    return out.getvalue()


def with_book_date(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as file, zipfile.ZipFile(out, "w") as copy:
        for name in file.namelist():
            date = b"</dc:language><dc:date>2021-03-04</dc:date>"
            copy.writestr(name, file.read(name).replace(b"</dc:language>", date))
    return out.getvalue()


def with_info(pdf: bytes, **info: str) -> bytes:
    writer = PdfWriter(io.BytesIO(pdf))
    writer.add_metadata({f"/{name}": value for name, value in info.items()})
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def page(head: str, body: str = "") -> bytes:
    article = f"<article><h1>Quorbin</h1><p>{TEXT} {TEXT}</p>{body}</article>"
    return f"<html><head><title>Q</title>{head}</head><body>{article}</body></html>".encode()


PDF = paged_pdf([[(72, 700, TEXT)]])


@pytest.mark.parametrize(
    ("data", "extension"),
    [
        (f"---\ntitle: Q\ndate: 2019-01-02\nlastmod: 2021-03-04\n---\n\n{TEXT}\n".encode(), ".md"),
        (f"+++\ndate = 2021-03-04T00:00:00Z\n+++\n{TEXT}\n".encode(), ".md"),
        (f"---\r\ndate: 'March 4, 2021'  # of the second edition\r\n---\r\n{TEXT}\r\n".encode(), ".md"),
        (page('<meta property="article:modified_time" content="2021-03-04T02:00:00+02:00">'), ".html"),
        (page('<meta name="DC.Date" content="2021-03-04"><meta name="date" content="soon">'), ".html"),
        (
            page(
                '<script type="application/ld+json">{"@graph": [{"@type": "WebSite"}, {"@type": "Article",'
                ' "datePublished": "2019-01-02", "dateModified": "2021-03-04"}]}</script>'
            ),
            ".html",
        ),
        (with_info(PDF, CreationDate="D:20210304010000+01'00'", ModDate="D:20230101000000Z"), ".pdf"),
        (with_properties(docx(word_paragraph(TEXT))), ".docx"),
        (with_properties(pptx([("Quorbin", [TEXT])])), ".pptx"),
        (with_properties(xlsx({"Limits": [["Device", "Load"], ["Quorbin", "40"]]})), ".xlsx"),
        (with_book_date(epub("Q", "en", [f"<h1>Q</h1><p>{TEXT}</p>"])), ".epub"),
        (f"From: a@b.c\nSubject: Q\nDate: Thu, 04 Mar 2021 01:00:00 +0100\n\n{TEXT}\n".encode(), ".eml"),
    ],
)
def test_a_document_is_dated_as_its_file_says(data: bytes, extension: str) -> None:
    assert dated(data, extension) == DAY


@pytest.mark.parametrize(
    ("data", "extension"),
    [
        (f"# Q\n\ndate: 2021-03-04\n\n{TEXT}\n".encode(), ".md"),
        (f"---\nother:\n  date: 2021-03-04\n---\n{TEXT}\n".encode(), ".md"),
        (f"---\ndate: 2021-03-04\n\n{TEXT}\n".encode(), ".md"),
        (
            page(
                '<script type="application/ld+json">{"@type": "Article", "comment": [{"datePublished":'
                ' "2021-03-04"}]}</script>'
            ),
            ".html",
        ),
        (page('<script type="application/ld+json">{"dateModified": ' + "[" * 50_000 + "</script>"), ".html"),
        (
            page('<script type="application/ld+json">{"dateModified": 20210304, "@graph": 3}</script>'),
            ".html",
        ),
        (page("", "<p>Comment of 4 March 2021: it is a good lamp.</p>"), ".html"),
        (PDF, ".pdf"),
        (docx(word_paragraph(TEXT)), ".docx"),
        (f"From: a@b.c\nSubject: Q\n\n{TEXT}\n".encode(), ".eml"),
    ],
)
def test_what_gives_no_date_of_its_own_has_none(data: bytes, extension: str) -> None:
    assert dated(data, extension) is None


@pytest.mark.parametrize(
    ("written", "date"),
    [
        ("2021-03-04", DAY),
        ("20210304", DAY),
        ("2021-03-04T05:06:07.5+05:00", datetime(2021, 3, 4, 0, 6, 7, 500_000, tzinfo=UTC)),
        ("2021-03-04 01:00:00 +0100", DAY),
        ("March 4, 2021 10:30", DAY.replace(hour=10, minute=30)),
        ("D:20210304", DAY),
        ("Thu, 04 Mar 2021 00:00:00 GMT", DAY),
        ("4 March 2021", DAY),
        ("March 2021", datetime(2021, 3, 1, tzinfo=UTC)),
        ("2021", datetime(2021, 1, 1, tzinfo=UTC)),
        ("1813-01-28", datetime(1813, 1, 28, tzinfo=UTC)),
        ("03/04/2021", None),
        ("from 2019 to 2021", None),
        ("2021-02-30", None),
        ("31 February 2021", None),
        ("1970-01-01T00:00:00Z", None),
        ("0101-01-01T00:00:00+00:00", None),
        ("2013-12-23T23:15:00Z", None),
        ("9999-12-31T23:59:59-12:00", None),
        ("Thu, 99 Mar 2021 99:00:00 GMT", None),
        ("2021-03-04" * 100, None),
        ("soon", None),
        ("", None),
    ],
)
def test_dates_are_read_as_programs_and_people_write_them(written: str, date: datetime | None) -> None:
    assert parsed(written) == date
