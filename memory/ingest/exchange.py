"""Export and import of the library: one document a line, as JSON, with its passages and facts."""

from collections.abc import AsyncIterator, Iterable, Iterator

from pydantic import Field, ValidationError

from memory.episodic.base import EpisodicMemory
from memory.ingest.writer import Contents, Place
from memory.records.access import EVERYTHING
from memory.records.base import Domain, Record, digest_of
from memory.records.knowledge import Fact, Passage
from memory.semantic.base import SemanticMemory


class ExportedDocument(Record):
    """One line of an export."""

    source: str = Field(min_length=1)
    domain: Domain
    owner: str | None = None
    passages: tuple[Passage, ...] = Field(min_length=1)
    facts: tuple[Fact, ...] = ()

    @property
    def place(self) -> Place:
        """Where it is stored."""
        return Place(self.source, self.domain, self.owner)

    @property
    def contents(self) -> Contents:
        """What is stored of it."""
        return Contents(self.passages, self.facts)


async def contents(place: Place, *, episodic: EpisodicMemory, semantic: SemanticMemory) -> ExportedDocument:
    """What is stored of a document. Raises StoreUnavailable."""
    source, domain, owner = place
    return ExportedDocument.model_construct(  # a document may be removed while it is read: then it has none
        source=source,
        domain=domain,
        owner=owner,
        passages=await episodic.passages(source, domain=domain, owner=owner),
        facts=await semantic.facts(source, domain=domain, owner=owner),
    )


async def export(
    *, episodic: EpisodicMemory, semantic: SemanticMemory, domain: str | None = None
) -> AsyncIterator[str]:
    """All documents of a domain or of all, one a line. Raises StoreUnavailable."""
    for each in await episodic.documents(access=EVERYTHING, domain=domain):
        place = Place(each.source, each.domain, each.owner)
        document = await contents(place, episodic=episodic, semantic=semantic)
        if document.passages:
            yield document.model_dump_json(exclude_defaults=True) + "\n"


def parse(line: str | bytes) -> ExportedDocument:
    """The document of one line. Raises ValueError, which says what is wrong with it."""
    try:
        document = ExportedDocument.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"{where}: {first['msg']}" if where else first["msg"]) from None
    ids = {passage.id for passage in document.passages}
    parts: tuple[Passage | Fact, ...] = (*document.passages, *document.facts)
    for part in parts:
        if Place(part.source, part.domain, part.owner) != document.place:
            raise ValueError(f"{part.id} belongs to another document: {part.source}")
    for passage in document.passages:
        if passage.digest != digest_of(passage.text):
            raise ValueError(f"the text of passage {passage.id} does not match its digest")
    for fact in document.facts:
        if fact.passage_id not in ids or fact.said_by is not None:
            raise ValueError(f"fact {fact.id} is from none of the document's passages")
    return document


def checked_lines(lines: Iterable[str]) -> Iterator[tuple[str, ExportedDocument]]:
    """The lines that are not blank, with their documents. Raises ValueError naming a bad line by number."""
    lines_of: dict[Place, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            document = parse(line)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
        earlier = lines_of.setdefault(document.place, number)
        if earlier != number:
            raise ValueError(f"line {number}: the document of line {earlier} again: {document.source}")
        yield line, document
