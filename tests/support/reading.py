"""How tests read documents in other processes: by the source's name, one hangs, eats memory or crashes."""

import os

from memory.ingest.documents import RawDocument
from memory.ingest.writer import Contents


def read_badly(document: RawDocument, domain: str, owner: str | None) -> Contents:
    """Nothing, and for some sources not even that."""
    match document.source:
        case "hangs.md":
            while True:
                pass
        case "eats.md":
            bytearray(4 * 1024**3)
        case "crashes.md":
            os._exit(3)
    return Contents((), ())
