"""What the web says is taught only if independent sites agree on it in words of their own."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from agent.learning.agreement import Agreement, agreed, is_copy
from agent.learning.candidate_pairs import CandidatePair
from memory.ingest.loaders.base import Source
from memory.ingest.loaders.html import load_html
from memory.ingest.passages import passages
from memory.records.knowledge import Passage, WebOrigin
from tests.support.web import COPY, HISTORY, INJECTION, TRAVEL, page

ALONE = "only one independent source on the web says so"
DOUBTED = "the sources on the web are not trusted enough"


def read(url: str, body: str, *, web: bool = True) -> tuple[Passage, ...]:
    text = load_html(Source(url, page(body).encode())).text
    origin = WebOrigin(url=url, fetched_at=datetime(2026, 1, 1, tzinfo=UTC), trust=0.5) if web else None
    return passages(text, source=url, title="", domain="general", owner="web", language="en", web=origin)


def pair(passage: Passage, year: str = "1874") -> CandidatePair:
    sentence = next(s for s in passage.text.split(". ") if f"built in {year}" in " ".join(s.split()))
    return CandidatePair(
        question="When was the Quorbin lighthouse built?",
        answer=year,
        form="when",
        quote=sentence if sentence.endswith(".") else f"{sentence}.",
        passage_id=passage.id,
    )


async def judged(*found: Sequence[Passage], trust: float = 0.5) -> Agreement:
    """Whether the first page's claim is taught, next to the others."""
    near = [passage for each in found for passage in each]
    return await agreed([pair(found[0][0])], {p.id: p for p in near}, near, lambda passage: trust)


FIRST = read("https://a.example/lighthouse", HISTORY)
OTHER = read("https://www.b.example/visit", TRAVEL)


async def test_one_source_alone_is_not_taught() -> None:
    agreement = await judged(FIRST)
    assert agreement.kept == ()
    assert agreement.dropped == {ALONE: 1}


async def test_two_independent_sources_are_taught() -> None:
    agreement = await judged(FIRST, OTHER)
    assert len(agreement.kept) == 1
    assert agreement.sites == {"a.example", "b.example"}


@pytest.mark.parametrize(
    "other",
    [
        read("https://b.example/copy", HISTORY),
        read("https://b.example/reworded", COPY),
        read(
            "https://b.example/longer",
            f"{TRAVEL}{COPY}".replace("The Quorbin lighthouse was built in 1874, as", "As"),
        ),
        read("https://old.a.example/visit", TRAVEL),
        read("https://b.example/other", TRAVEL.replace("1874", "1901")),
        read("https://b.example/silent", TRAVEL.replace("was built in 1874", "is high")),
        read("https://b.example/bridge", TRAVEL.replace("Quorbin lighthouse", "Quorbin bridge")),
        read("https://b.example/denial", TRAVEL.replace("was built", "was not built")),
    ],
    ids=lambda found: str(found[0].source).rpartition("/")[2],
)
async def test_copies_pages_of_the_same_site_and_other_claims_do_not_count(other: Sequence[Passage]) -> None:
    assert (await judged(FIRST, other)).kept == ()


async def test_a_copy_does_not_spoil_the_agreement_of_others() -> None:
    copied = read("https://c.example/copy", COPY)
    assert len((await judged(FIRST, copied, OTHER)).kept) == 1
    assert len((await judged(copied, FIRST, OTHER)).kept) == 1


async def test_sources_of_little_trust_have_to_be_more() -> None:
    agreement = await judged(FIRST, OTHER, trust=0.3)
    assert agreement.dropped == {DOUBTED: 1}
    assert (await judged(FIRST, OTHER, trust=0.0)).kept == ()


async def test_what_people_put_into_the_library_needs_no_agreement() -> None:
    own = read("https://a.example/lighthouse", HISTORY, web=False)
    assert len((await judged(own)).kept) == 1


async def test_a_page_that_gives_orders_is_one_source_like_any_other() -> None:
    ordered = read("https://c.example/x", f"{TRAVEL}{INJECTION}".replace("1874", "1999"))
    agreement = await agreed(
        [pair(ordered[0], "1999")],
        {p.id: p for p in (*ordered, *FIRST, *OTHER)},
        [*ordered, *FIRST, *OTHER],
        lambda p: 0.5,
    )
    assert agreement.kept == ()


def test_a_copy_is_known_although_words_changed_and_text_was_added() -> None:
    assert is_copy(HISTORY, COPY)
    assert is_copy(HISTORY, f"{TRAVEL} {COPY}")
    assert not is_copy(HISTORY, TRAVEL)
    assert not is_copy("", HISTORY)
