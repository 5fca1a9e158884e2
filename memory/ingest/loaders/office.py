"""Loads DOCX, PPTX, XLSX, ODT, RTF and EPUB with Kreuzberg, which parses them in Rust and fetches nothing."""

import io
import re
import zipfile
from pathlib import PurePosixPath
from zlib import error as zlib_error

from memory.errors import IngestError
from memory.ingest.loaders.base import MAX_CHARS, Loaded, Source
from memory.ingest.loaders.document_dates import first_date

MAX_UNPACKED = 200_000_000
"""Bytes that the files in the archive unpack to."""
MAX_MEMBERS = 10_000
"""Files in the archive."""
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".emf", ".wmf", ".svg", ".webp")
_MEDIA = re.compile(r"(?:^|/)(?:media|Pictures|images)/", re.IGNORECASE)
_MIDNIGHT = re.compile(r"(?<=\| )(\d{4}-\d\d-\d\d) 00:00:00(?= \|)")
"""How Kreuzberg writes a cell that is a date."""
_IMAGE = re.compile(r"!\[[^\]\n]{0,300}\]\([^)\n]{0,500}\)")


def load_docx(source: Source) -> Loaded:
    """The body of a Word document, without headers and footers. Raises IngestError."""
    return _load_archive(source, "application/vnd.openxmlformats-officedocument.wordprocessingml.document")


def load_pptx(source: Source) -> Loaded:
    """The slides of a presentation, each below its title. Raises IngestError."""
    return _load_archive(source, "application/vnd.openxmlformats-officedocument.presentationml.presentation")


def load_xlsx(source: Source) -> Loaded:
    """The sheets of a workbook as tables, with the values of formulas. Raises IngestError."""
    return _load_archive(source, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")


def load_odt(source: Source) -> Loaded:
    """The body of an OpenDocument text. Raises IngestError."""
    return _load_archive(source, "application/vnd.oasis.opendocument.text")


def load_epub(source: Source) -> Loaded:
    """The chapters of a book in reading order. Raises IngestError."""
    return _load_archive(source, "application/epub+zip")


def load_rtf(source: Source) -> Loaded:
    """The text of an RTF document. Raises IngestError."""
    return markdown_of(source, "application/rtf")


def _load_archive(source: Source, media_type: str) -> Loaded:
    names = _checked_members(source)
    pictures = [
        name for name in names if _MEDIA.search(name) and PurePosixPath(name).suffix.lower() in _PICTURES
    ]
    loaded = markdown_of(source, media_type)
    loaded = loaded.model_copy(update={"text": _MIDNIGHT.sub(r"\1", loaded.text)})
    unread = (f"{len(pictures)} pictures: their text is not read",) if pictures else ()
    return loaded.model_copy(update={"unread": unread})


def _checked_members(source: Source) -> list[str]:
    """Names of the files in the archive. Raises IngestError if it is none, or a bomb, or encrypted."""
    if source.data.startswith(b"\xd0\xcf\x11\xe0"):  # OLE: how Office encrypts, and its formats until 2003
        raise IngestError(
            f"{source.name}: the file is encrypted or in the format of before 2007: save it without a"
            " password, as .docx, .pptx or .xlsx"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(source.data)) as archive:
            members = archive.infolist()
            unpacked = sum(each.file_size for each in members)
            if len(members) > MAX_MEMBERS or unpacked > MAX_UNPACKED:
                raise IngestError(
                    f"{source.name}: the archive unpacks to {len(members)} files of {unpacked} bytes (limits"
                    f" {MAX_MEMBERS} and {MAX_UNPACKED}): split it"
                )
            # The directory may lie about sizes: unpacked for real, each up to what it says.
            for each in members:
                with archive.open(each) as member:
                    rest = each.file_size
                    while chunk := member.read(1 << 20):
                        rest -= len(chunk)
                        if rest < 0:
                            raise IngestError(f"{source.name}: the archive unpacks to more than it says")
    except (
        zipfile.BadZipFile, zlib_error, ValueError, OSError, EOFError, NotImplementedError, RuntimeError,
    ) as error:  # fmt: skip
        raise IngestError(f"{source.name}: the file is malformed ({error})") from error
    return [each.filename for each in members]


def markdown_of(source: Source, media_type: str) -> Loaded:
    """What Kreuzberg reads of a document of this media type. Raises IngestError."""
    from kreuzberg import (  # 0.1 s, for these formats only
        ExtractionConfig,
        KreuzbergError,
        extract_bytes_sync,
    )

    config = ExtractionConfig(output_format="markdown", use_cache=False)
    try:
        result = extract_bytes_sync(source.data, media_type, config)
    except (KreuzbergError, ValueError, OSError, RuntimeError) as error:
        raise IngestError(f"{source.name}: the file is malformed ({error})") from error
    if len(result.content) > MAX_CHARS:
        raise IngestError(f"{source.name}: the document unpacks to more than {MAX_CHARS} characters")
    language = str(result.metadata.get("language") or "")[:2].lower()
    return Loaded(
        text=_IMAGE.sub("", result.content),
        title=str(result.metadata.get("title") or "").strip()[:500],
        language=language if re.fullmatch(r"[a-z]{2}", language) else "",
        dated=first_date(result.metadata.get(name) for name in ("modified_at", "created_at")),
    )
