"""Loads Markdown and plain text, which stay as they are."""

from memory.ingest.loaders.base import Loaded, Source
from memory.ingest.loaders.charset import decode
from memory.ingest.loaders.document_dates import front_matter_date


def load_text(source: Source) -> Loaded:
    """The decoded text. Raises IngestError."""
    text, charset = decode(source)
    return Loaded(text=text, charset=charset, dated=front_matter_date(text))
