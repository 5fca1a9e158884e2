"""Loads Markdown and plain text, which stay as they are but for front matter."""

from memory.ingest.loaders.base import Loaded, Source
from memory.ingest.loaders.charset import decode
from memory.ingest.loaders.front_matter import blanked, read_front_matter


def load_text(source: Source) -> Loaded:
    """The decoded text. Raises IngestError."""
    text, charset = decode(source)
    front_matter = read_front_matter(text)
    if front_matter is None:
        return Loaded(text=text, charset=charset)
    return Loaded(
        text=blanked(text, front_matter.end),
        title=front_matter.title,
        charset=charset,
        dated=front_matter.dated,
    )
