"""Ingest stores a document whole or not at all, and the same document once."""

import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from memory.embedding.embedder import HashingEmbedder
from memory.episodic.base import StoredDocument, fingerprint
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.errors import IngestError, StoreUnavailable
from memory.ingest.documents import RawDocument
from memory.ingest.folders import Failure, read_target
from memory.ingest.passages import MAX_CHARS
from memory.ingest.passages import passages as cut
from memory.ingest.pipeline import ingest, read
from memory.ingest.writer import IngestReport
from memory.records.access import EVERYTHING, SHARED
from memory.records.knowledge import Fact, Passage
from memory.semantic.volatile import VolatileSemanticMemory
from tests.support.documents import pdf

TEXT = "# Moves\n\nA move is a transfer of a value.\n\n## Locks\n\nA mutex requires memory.\n"


class Stores:
    """Both memories, and ingest into them."""

    def __init__(self) -> None:
        self.episodic = VolatileEpisodicMemory(HashingEmbedder())
        self.semantic = VolatileSemanticMemory()

    async def ingest(
        self, *documents: RawDocument | Failure, domain: str = "rust", owner: str | None = None
    ) -> IngestReport:
        return await ingest(
            documents, domain=domain, owner=owner, episodic=self.episodic, semantic=self.semantic
        )

    async def documents(self) -> tuple[StoredDocument, ...]:
        return await self.episodic.documents(access=EVERYTHING)


@pytest.fixture
def stores() -> Stores:
    return Stores()


def document(text: str = TEXT, source: str = "moves.md") -> RawDocument:
    return RawDocument(source=source, data=text.encode(), media_type="text/markdown")


async def test_a_document_becomes_passages_and_facts(stores: Stores) -> None:
    report = await stores.ingest(document())
    assert report == IngestReport(documents=1, passages=2, facts=3)
    (fact,) = await stores.semantic.about(["mutex"], access=EVERYTHING)
    (home,) = await stores.episodic.get([fact.passage_id], access=EVERYTHING)
    assert home.text[fact.start - home.start : fact.end - home.start] == fact.sentence


async def test_ingesting_again_changes_nothing(stores: Stores) -> None:
    await stores.ingest(document())
    assert await stores.ingest(document()) == IngestReport(unchanged=1)


async def test_a_changed_document_replaces_what_it_said_before(stores: Stores) -> None:
    await stores.ingest(document())
    report = await stores.ingest(document("# Moves\n\nA move is a change of owner.\n"))
    assert (report.documents, report.unchanged) == (1, 0)
    assert {f.object for f in await stores.semantic.about(["move"], access=EVERYTHING)} == {
        "a change of owner"
    }
    assert await stores.semantic.about(["mutex"], access=EVERYTHING) == ()
    assert await stores.episodic.search("mutex", by="text", limit=5, access=EVERYTHING) == ()


async def test_a_document_that_only_lost_its_end_is_changed_too(stores: Stores) -> None:
    await stores.ingest(document())
    await stores.ingest(document(TEXT.partition("## Locks")[0]))
    assert await stores.semantic.about(["mutex"], access=EVERYTHING) == ()


@pytest.mark.parametrize("other", [{"domain": "basics"}, {"owner": "ann"}])
async def test_documents_of_one_name_in_two_domains_or_of_two_owners_leave_each_other_alone(
    stores: Stores, other: dict[str, str]
) -> None:
    await stores.ingest(document())
    await stores.ingest(document("# Moves\n\nA move is a change of owner.\n"), **other)  # type: ignore[arg-type]
    assert len(await stores.documents()) == 2
    assert await stores.ingest(document()) == IngestReport(unchanged=1)
    facts = await stores.semantic.about(["move"], access=EVERYTHING)
    assert {"a transfer of a value", "a change of owner"} == {f.object for f in facts}
    mine = await stores.episodic.search("transfer", by="text", limit=5, access=SHARED, domain="rust")
    assert [hit.passage.domain for hit in mine] == ["rust"]


async def test_one_bad_document_does_not_stop_the_others(stores: Stores) -> None:
    report = await stores.ingest(
        document("", "empty.md"),
        Failure("gone.md", "it is gone"),
        document(),
        document("# Only\n", "heads.md"),
    )
    assert report.documents == 1
    assert [f.source for f in report.failed] == ["empty.md", "gone.md", "heads.md"]
    assert [each.source for each in await stores.documents()] == ["moves.md"]


class FragileEpisodicMemory(VolatileEpisodicMemory):
    """Fails in the method that `fails` names."""

    fails = ""

    async def add(self, passages: Sequence[Passage]) -> int:
        if self.fails == "add":
            raise StoreUnavailable("no space left")
        return await super().add(passages)

    async def remove(
        self, source: str, *, domain: str, owner: str | None = None, keep: Collection[str] = ()
    ) -> int:
        if self.fails == "remove":
            raise StoreUnavailable("no space left")
        return await super().remove(source, domain=domain, owner=owner, keep=keep)


class FragileSemanticMemory(VolatileSemanticMemory):
    """Fails in the method that `fails` names."""

    fails = ""

    async def add(self, facts: Sequence[Fact]) -> int:
        if self.fails == "add":
            raise StoreUnavailable("the graph is away")
        return await super().add(facts)

    async def remove(
        self, source: str, *, domain: str, owner: str | None = None, keep: Collection[str] = ()
    ) -> int:
        if self.fails == "remove":
            raise StoreUnavailable("the graph is away")
        return await super().remove(source, domain=domain, owner=owner, keep=keep)


OTHERS = {
    "another": "# Moves\n\nA move is a change of owner.\n",
    "shorter": TEXT.partition("## Locks")[0],
    "longer": TEXT + "\n## Tags\n\nA tag is a name.\n",
}


@pytest.mark.parametrize("step", ["semantic add", "episodic add", "episodic remove", "semantic remove"])
@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("again", ["the new one", "the old one"])
async def test_a_step_that_fails_loses_nothing_and_is_repaired_by_ingesting_again(
    step: str, text: str, again: str
) -> None:
    stores = Stores()
    stores.episodic = episodic = FragileEpisodicMemory(HashingEmbedder())
    stores.semantic = semantic = FragileSemanticMemory()
    await stores.ingest(document())
    store, method = step.split()
    broken = episodic if store == "episodic" else semantic
    broken.fails = method
    with pytest.raises(StoreUnavailable):
        await stores.ingest(document(text))
    assert await stores.episodic.search("move", by="text", limit=5, access=EVERYTHING)
    assert await stores.semantic.about(["move"], access=EVERYTHING)
    broken.fails = ""

    wanted = text if again == "the new one" else TEXT
    await stores.ingest(document(wanted))
    passages, facts, _ = read(document(wanted), "rust")
    (stored,) = await stores.documents()
    assert (stored.source, stored.fingerprint) == ("moves.md", fingerprint(p.id for p in passages))
    assert await stores.semantic.remove("moves.md", domain="rust", keep={f.id for f in facts}) == 0
    assert await stores.semantic.remove("moves.md", domain="rust") == len(facts)


async def test_a_fact_that_stays_points_at_the_passage_that_replaced_its_own(stores: Stores) -> None:
    await stores.ingest(document("A move is a transfer. Values move.\n"))
    await stores.ingest(document("A move is a transfer. Owners change.\n"))
    (fact,) = await stores.semantic.about(["move"], access=EVERYTHING)
    assert await stores.episodic.get([fact.passage_id], access=EVERYTHING)


def test_a_folder_is_read_with_all_its_folders_but_not_what_is_hidden(tmp_path: Path) -> None:
    for name in ("a.md", "b/c.txt", "b/d/e.PDF", ".git/f.md", ".g.md", "h.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pdf("Hello") if name.endswith("PDF") else b"Hello.")
    found = [d for d in read_target(str(tmp_path)) if isinstance(d, RawDocument)]
    assert [d.source for d in found] == [
        f"{tmp_path.name}/{name}" for name in ("a.md", "b/c.txt", "b/d/e.PDF")
    ]
    assert [d.media_type for d in found] == ["text/markdown", "text/plain", "application/pdf"]


def test_the_same_file_is_the_same_source_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "manuals"
    folder.mkdir()
    (folder / "a.md").write_text("Hello.")
    sources = {d.source for d in read_target(str(folder))}
    for working, targets in {
        folder: ("a.md", ".", "../manuals"),
        tmp_path: ("manuals", "manuals/a.md"),
    }.items():
        monkeypatch.chdir(working)
        sources |= {d.source for target in targets for d in read_target(target)}
    assert sources == {"manuals/a.md"}


def test_a_file_that_cannot_be_opened_is_a_failure_and_no_end(tmp_path: Path) -> None:
    (tmp_path / "a.md").symlink_to(tmp_path / "nowhere")
    (tmp_path / "b.md").write_text("Hello.")
    first, second = read_target(str(tmp_path))
    assert isinstance(first, Failure)
    assert "cannot be read" in first.reason
    assert isinstance(second, RawDocument)


def test_targets_that_do_not_exist_or_hold_nothing_are_refused(tmp_path: Path) -> None:
    for target, reason in ((tmp_path / "no.md", "no such file"), (tmp_path, "no document")):
        with pytest.raises(IngestError, match=reason):
            list(read_target(str(target)))


def test_a_file_is_read_up_to_the_limit_that_is_given(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("Hello.")
    (fits,) = read_target(str(tmp_path), max_bytes=6)
    assert isinstance(fits, RawDocument)
    (found,) = read_target(str(tmp_path), max_bytes=5)
    assert isinstance(found, Failure)
    assert "limit of 5 bytes" in found.reason


def test_a_kind_that_is_not_read_is_a_failure_when_named_itself(tmp_path: Path) -> None:
    (tmp_path / "a.exe").write_bytes(b"MZ")
    (found,) = read_target(str(tmp_path / "a.exe"))
    assert isinstance(found, Failure)
    assert "not supported" in found.reason


HOSTILE = ["a. ", "`", '" "A']


@pytest.mark.parametrize("unit", HOSTILE)
def test_two_megabytes_of_anything_are_cut_in_seconds(unit: str) -> None:
    """Sentence breaks that are none, as in `a. a. a.`, once took 22 s: quadratic time."""
    begun = time.process_time()
    passages = cut("Words. " + unit * (2_000_000 // len(unit)), source="a.md", title="a", domain="rust")
    assert time.process_time() - begun < 10
    assert all(len(p.text) <= MAX_CHARS for p in passages)


@pytest.mark.slow
@pytest.mark.parametrize("unit", HOSTILE)
def test_a_page_of_anything_is_read_in_seconds(unit: str) -> None:
    begun = time.process_time()
    _, facts, _ = read(document("Words. " + unit * (20_000 // len(unit))), "rust")
    assert time.process_time() - begun < 10
    assert facts == ()


@pytest.mark.parametrize("target", ["", " "])
def test_an_empty_path_is_not_the_folder_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    (tmp_path / "notes.md").write_text("A lamp burns oil.")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(IngestError, match="the path is empty"):
        list(read_target(target))


async def test_facts_are_dated_by_their_sentence_or_else_by_their_document(stores: Stores) -> None:
    text = "---\ndate: 2024-03-04\n---\n\nThe mast is 9 m high (as of May 2019). The hull is 40 m long.\n"
    await stores.ingest(document(text))
    dates = {fact.subject: fact.dated for fact in await stores.semantic.all(access=EVERYTHING)}
    assert dates == {
        "the mast": datetime(2019, 5, 1, tzinfo=UTC),
        "the hull": datetime(2024, 3, 4, tzinfo=UTC),
    }
