"""A document that takes too long or too much is given up with a reason, and others go on."""

import asyncio
from collections.abc import Iterator

import pytest

from memory.errors import IngestError
from memory.ingest.documents import RawDocument
from memory.ingest.readers import DocumentReaders
from tests.support.reading import read_badly

pytestmark = pytest.mark.slow


@pytest.fixture
def readers() -> Iterator[DocumentReaders]:
    opened = DocumentReaders(seconds=60, most_passages=3)
    yield opened
    opened.close()


@pytest.fixture
def bad_readers(readers: DocumentReaders, monkeypatch: pytest.MonkeyPatch) -> DocumentReaders:
    monkeypatch.setattr(readers, "_read", read_badly)
    monkeypatch.setattr(readers, "_seconds", 1.0)
    return readers


def document(source: str, text: str = "x") -> RawDocument:
    return RawDocument(source=source, data=text.encode(), media_type="text/markdown")


async def test_a_document_is_read_in_another_process(readers: DocumentReaders) -> None:
    lamp = document("lamp.md", "# Lamps\n\nA zorble is a small lamp.\n")
    passages, facts, _ = await readers.read(lamp, "lamps", "ada")
    assert (passages[0].owner, facts[0].subject, facts[0].source) == ("ada", "a zorble", "lamp.md")
    with pytest.raises(IngestError, match="contains only headings"):
        await readers.read(document("head.md", "# Lamps\n"), "lamps", None)
    with pytest.raises(IngestError, match=r"4 passages exceed the limit of 3: .*DOCUMENT_PASSAGES"):
        await readers.read(document("many.md", "# a\nx\n# b\nx\n# c\nx\n# d\nx\n"), "lamps", None)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("hangs.md", "not read within 1 s: .*DOCUMENT_SECONDS"),
        ("eats.md", "more than 2048 MB of memory"),
        ("crashes.md", "ended"),
    ],
)
async def test_a_bad_document_is_given_up_and_others_go_on(
    bad_readers: DocumentReaders, source: str, reason: str
) -> None:
    async def bad() -> None:
        with pytest.raises(IngestError, match=reason):
            await bad_readers.read(document(source), "lamps", None)

    await asyncio.gather(
        bad(), bad(), *(bad_readers.read(document(f"{n}.md"), "lamps", None) for n in range(5))
    )
    assert await bad_readers.read(document("after.md"), "lamps", None) == ((), (), ())


async def test_reading_ends_with_the_client_that_waits_for_it(bad_readers: DocumentReaders) -> None:
    bad_readers._seconds = 600
    waiting = [asyncio.create_task(bad_readers.read(document("hangs.md"), "lamps", None)) for _ in range(2)]
    await asyncio.sleep(2)
    for each in waiting:
        each.cancel()
    assert await asyncio.wait_for(bad_readers.read(document("after.md"), "lamps", None), 60) == ((), (), ())
