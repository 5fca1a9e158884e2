"""Documents are found by their plain spelling, in any script, and cited as they are written."""

import pytest

from memory.embedding.embedder import HashingEmbedder
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.ingest.documents import RawDocument
from memory.ingest.pipeline import ingest, read
from memory.records.access import EVERYTHING
from memory.retrieval.hybrid import retrieve
from memory.semantic.volatile import VolatileSemanticMemory

LIGATURES = "# Tools\n\nA con\ufb01bulator is a machine that sorts \ufb02oating corks. It stands in Osaka.\n"
HYPHENS = "# Lamps\n\nA glim\xadbel\xadton is a lamp that burns fish oil. It hangs above the door.\n"
ACCENTS = "# Boats\n\nThe cafe\u0301\u200bboat is a boat that carries salt. It sails in summer.\n"
CHINESE = (
    "# \u706f\u5177\n\n\u4f50\u5e03\u5c14\u706f\u662f\u4e00\u79cd\u71c3\u70e7\u9c7c\u6cb9\u7684\u706f\u3002"
    "\u4f50\u5e03\u5c14\u706f\u6302\u5728\u95e8\u4e0a\u3002\n"
)


@pytest.mark.parametrize(
    ("text", "question", "original"),
    [
        (LIGATURES, "What is a confibulator?", "con\ufb01bulator"),
        (LIGATURES, "What sorts floating corks?", "\ufb02oating"),
        (HYPHENS, "What is a glimbelton?", "glim\xadbel\xadton"),
        (ACCENTS, "What is the caf\xe9boat?", "cafe\u0301\u200bboat"),
        (CHINESE, "\u4f50\u5e03\u5c14\u706f\u662f\u4ec0\u4e48\uff1f", "\u4f50\u5e03\u5c14\u706f"),
    ],
)
async def test_a_document_is_found_by_its_plain_spelling_and_keeps_its_own(
    text: str, question: str, original: str
) -> None:
    episodic, semantic = VolatileEpisodicMemory(HashingEmbedder()), VolatileSemanticMemory()
    documents = {"a.md": text, "b.md": "# Pumps\n\nA pump moves water from the well to the tank.\n"}
    await ingest(
        [RawDocument(source=s, data=t.encode(), media_type="text/markdown") for s, t in documents.items()],
        domain="tools", episodic=episodic, semantic=semantic,
    )  # fmt: skip
    (best, *_) = await episodic.search(question, by="text", limit=2, access=EVERYTHING)
    assert original in best.passage.text
    assert text[best.passage.start : best.passage.end] == best.passage.text
    found = await retrieve(question, episodic=episodic, semantic=semantic, access=EVERYTHING, limit=1)
    assert found.evidence[0].passage.source == "a.md"


@pytest.mark.parametrize(
    ("text", "subject"), [(LIGATURES, "confibulator"), (HYPHENS, "glimbelton"), (ACCENTS, "caf\xe9boat")]
)
def test_facts_name_things_plainly_and_cite_the_original_sentence(text: str, subject: str) -> None:
    document = RawDocument(source="a.md", data=text.encode(), media_type="text/markdown")
    (fact, *_) = (f for f in read(document, "tools").facts if subject in f.subject)
    assert text[fact.start : fact.end] == fact.sentence


def test_a_document_in_another_language_is_read_and_says_that_it_is_not_taught() -> None:
    document = RawDocument(source="zh.md", data=CHINESE.encode(), media_type="text/markdown")
    passages, facts, notes = read(document, "lamps")
    assert [p.language for p in passages] == ["zh"]
    assert facts == ()
    assert notes == ("in another language (zh): read and searchable; lessons need English",)
