"""Where no source answers, the service says whether one is about the question, and what comes nearest."""

import pytest

from agent.chat.no_answer import no_answer
from memory.embedding.embedder import HashingEmbedder
from memory.records.knowledge import Evidence, Findings
from tests.support.facts import passage

PAGE = "The ferry of Lerwick has a crew of nine. The Quorbin is a crane in its harbour."


@pytest.mark.parametrize(
    ("question", "score", "reason", "closest"),
    [
        ("Which crew paints the cranes at night?", 0.6, "sources_silent", True),
        ("Is the crew of the ferry Kroblemar from Lerwick?", 0.0, "sources_silent", False),
        ("What is the boiling point of radon?", 0.1, "no_sources", False),
    ],
)
def test_what_comes_near_is_quoted(question: str, score: float, reason: str, closest: bool) -> None:
    found = Evidence(passage=passage(PAGE, title="Lerwick"), score=score, found_by=("vector",))
    told, quoted = no_answer(question, Findings(query=question, evidence=(found,)), HashingEmbedder(), "en")
    assert told == reason
    assert (quoted is not None) is closest
    assert quoted is None or (quoted.text.endswith("(Lerwick)") and quoted.citation.quote in PAGE)


def test_nothing_found_is_no_source() -> None:
    assert no_answer("What burns?", Findings(query="What burns?"), HashingEmbedder(), "en") == (
        "no_sources",
        None,
    )
