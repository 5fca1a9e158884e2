"""A cited sentence in its document: the passages around it, with the sentence marked."""

from collections.abc import Sequence

from api.console.markup import block, fields, heading, marked, paragraph, prose
from api.console.service import Json

AROUND = 2
"""Passages that are shown before the sentence's own, and after it."""


def cited(citation: Json, documents: Sequence[Json]) -> str:
    """The document with the citation's sentence marked; the quotation alone where the document is gone."""
    named = [each for each in documents if each["owner"] == citation["owner"]] or list(documents)
    for document in named:
        passages = sorted(document["passages"], key=lambda passage: int(passage["start"]))
        found = [n for n, passage in enumerate(passages) if _overlaps(passage, citation)]
        if found:
            first, last = max(found[0] - AROUND, 0), found[-1] + AROUND + 1
            return _page(citation, passages[first:last], len(passages))
    gone = "The document no longer has this sentence; the answer quoted it so:"
    return block(paragraph(gone, "doubt"), quoted(citation))


def quoted(citation: Json) -> str:
    """What the answer itself has of the source."""
    place = f"{citation['source']}, characters {citation['start']} to {citation['end']}"
    return marked(citation["quote"], 0, len(citation["quote"])) + fields({"source": place})


def _page(citation: Json, passages: Sequence[Json], total: int) -> str:
    shown = f"{len(passages)} of {total} passages" if len(passages) < total else None
    parts = [fields({"document": citation["title"], "source": citation["source"], "shown": shown})]
    section = None
    for passage in passages:
        if passage["section"] != section:
            section = passage["section"]
            parts.append(heading(section) if section else "")
        start, end = (
            min(max(place - passage["start"], 0), len(passage["text"]))
            for place in (citation["start"], citation["end"])
        )
        parts.append(marked(passage["text"], start, end) if start < end else prose(passage["text"]))
    return block(*parts)


def _overlaps(passage: Json, citation: Json) -> bool:
    return bool(passage["start"] < citation["end"] and citation["start"] < passage["end"])
