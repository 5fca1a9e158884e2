"""The formats that are read: found by declared media type, file extension or content."""

import io
import re
import zipfile
from pathlib import PurePosixPath
from typing import NamedTuple

from memory.errors import IngestError
from memory.ingest.loaders import office
from memory.ingest.loaders.base import Loaded, Loader, Source
from memory.ingest.loaders.code import load_code, load_python
from memory.ingest.loaders.html import load_html
from memory.ingest.loaders.mail import load_mail
from memory.ingest.loaders.pdf.load import load_pdf
from memory.ingest.loaders.rows import load_csv, load_json_lines, load_triples
from memory.ingest.loaders.rst import load_rst
from memory.ingest.loaders.text import load_text


def load_ontology(source: Source) -> Loaded:
    """See `loaders.ontology`; its library takes time to import, and few documents need it."""
    from memory.ingest.loaders import ontology

    return ontology.load_ontology(source)


class Format(NamedTuple):
    """One format."""

    media_type: str
    name: str
    extensions: tuple[str, ...]
    load: Loader
    aliases: tuple[str, ...] = ()
    """Other media types for it."""


TRIPLES = "text/x-triples"
"""CSV or TSV with a triple a row."""
TABLES = ("text/csv", "text/tab-separated-values")
_OPEN_XML = "application/vnd.openxmlformats-officedocument"
_CODE = """
    .c .h .cc .cpp .cxx .hpp .hh .cs .go .java .js .jsx .mjs .ts .tsx .kt .kts .rs .rb .php .swift .scala .lua
    .jl .hs .ml .ex .exs .erl .clj .dart .zig .r .sql .sh .bash .ps1 .pl .proto"""
FORMATS = (
    Format("text/markdown", "Markdown", (".md", ".markdown"), load_text, ("text/x-markdown",)),
    Format("text/plain", "text", (".txt", ".text"), load_text),
    Format("text/html", "HTML", (".html", ".htm", ".xhtml"), load_html, ("application/xhtml+xml",)),
    Format("application/pdf", "PDF", (".pdf",), load_pdf, ("application/x-pdf",)),
    Format(f"{_OPEN_XML}.wordprocessingml.document", "Word", (".docx",), office.load_docx),
    Format(f"{_OPEN_XML}.presentationml.presentation", "PowerPoint", (".pptx",), office.load_pptx),
    Format(f"{_OPEN_XML}.spreadsheetml.sheet", "Excel", (".xlsx",), office.load_xlsx),
    Format("application/vnd.oasis.opendocument.text", "OpenDocument text", (".odt",), office.load_odt),
    Format("application/rtf", "RTF", (".rtf",), office.load_rtf, ("text/rtf",)),
    Format("application/epub+zip", "EPUB", (".epub",), office.load_epub),
    Format(TABLES[0], "CSV", (".csv",), load_csv, ("application/csv",)),
    Format(TRIPLES, "triples", (), load_triples),
    Format("text/turtle", "Turtle", (".ttl", ".nt"), load_ontology, ("application/n-triples",)),
    Format("application/rdf+xml", "RDF/XML", (".rdf", ".owl"), load_ontology),
    Format(TABLES[1], "TSV", (".tsv", ".tab"), load_csv),
    Format(
        "application/x-ndjson", "JSON lines", (".jsonl", ".ndjson"), load_json_lines,
        ("application/jsonl", "application/jsonlines"),
    ),
    Format("text/x-rst", "reStructuredText", (".rst",), load_rst, ("text/prs.fallenstein.rst",)),
    Format("message/rfc822", "e-mail", (".eml",), load_mail),
    Format("text/x-python", "Python", (".py", ".pyi"), load_python, ("text/x-script.python",)),
    Format("text/x-source", "source code", tuple(_CODE.split()), load_code),
)  # fmt: skip
BY_MEDIA_TYPE = {name: each for each in FORMATS for name in (each.media_type, *each.aliases)}
BY_EXTENSION = {extension: each for each in FORMATS for extension in each.extensions}
UNSPECIFIC = frozenset({"", "text/plain", "application/octet-stream", "binary/octet-stream"})
"""Declared where a server or client does not know: the name says more."""
_HTML = re.compile(
    rb"\s*(?:<!--.{0,500}?-->\s*)?<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
_MAIL = re.compile(
    rb"(?:(?:From|To|Subject|Date|Received|Return-Path|MIME-Version|Message-ID): ?[^\n]*\n[ \t]?){2}"
)
_MEMBERS = {
    "word/document.xml": f"{_OPEN_XML}.wordprocessingml.document",
    "ppt/presentation.xml": f"{_OPEN_XML}.presentationml.presentation",
    "xl/workbook.xml": f"{_OPEN_XML}.spreadsheetml.sheet",
}
_TEXT_SAMPLE = 4096


def media_type(name: str, declared: str = "", data: bytes = b"") -> str:
    """The media type of a file or response: as declared, else by extension, else by its first bytes.

    Raises IngestError if it is none that is read.
    """
    declared = declared.partition(";")[0].strip().lower()
    if declared in BY_MEDIA_TYPE and declared not in UNSPECIFIC:
        return BY_MEDIA_TYPE[declared].media_type
    extension = PurePosixPath(name.partition("?")[0]).suffix.lower()
    if declared in UNSPECIFIC and extension in BY_EXTENSION:
        return BY_EXTENSION[extension].media_type
    if declared in UNSPECIFIC and (found := _sniffed(data, extension)):
        return found
    if declared == "text/plain":
        return "text/plain"
    kind = (declared if declared not in UNSPECIFIC else "") or extension or "a file without extension"
    raise IngestError(f"{name}: {kind} is not supported; use {', '.join(each.name for each in FORMATS)}")


def declared_charset(declared: str) -> str:
    """The charset parameter of a Content-Type header; empty if it has none."""
    found = re.search(r";\s{0,9}charset\s{0,9}=\s{0,9}[\"']?([\w.:-]{1,40})", declared, re.IGNORECASE)
    return found[1] if found else ""


def _sniffed(data: bytes, extension: str) -> str:
    """The media type that the first bytes tell; empty if they do not.

    Text is only taken for text if the name has no extension, which would say that it is something else.
    """
    if data[:1024].lstrip().startswith(b"%PDF-"):
        return "application/pdf"
    if data.startswith(b"PK\x03\x04"):
        return _archive_type(data)
    if data.startswith(b"{\\rtf"):
        return "application/rtf"
    if extension or not data:
        return ""
    if _HTML.match(data[:_TEXT_SAMPLE]):
        return "text/html"
    if _MAIL.match(data[:_TEXT_SAMPLE]):
        return "message/rfc822"
    is_binary = b"\x00" in data[:_TEXT_SAMPLE] or data.startswith((b"\x89PNG", b"GIF8", b"\xff\xd8"))
    return "" if is_binary else "text/plain"


def _archive_type(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
            if "mimetype" in names:
                declared = archive.read("mimetype")[:100].decode("ascii", "replace").strip()
                return declared if declared in BY_MEDIA_TYPE else ""
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError, RuntimeError):
        return ""
    return next((kind for member, kind in _MEMBERS.items() if member in names), "")
