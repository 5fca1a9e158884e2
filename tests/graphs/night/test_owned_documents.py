"""A night teaches and archives from shared documents and its own domain alone."""

from dataclasses import replace

import pytest

from agent.nights.collect import NOT_SHARED, collect
from graphs.state import Runtime
from memory.records.access import EVERYTHING, Access
from memory.records.interactions import Interaction
from memory.records.knowledge import Citation
from tests.support.documents import passage
from tests.support.interactions import feedback, interaction
from tests.support.night_runs import NightRun

SECRET = "The Quillfeather valve closes at nine bar."
QUESTION = "When does the Quillfeather valve close?"
CLOSED = Access(everything=True, closed=frozenset({"valves"}))


def turn(id: str, *, owner: str | None, domain: str) -> Interaction:
    """A liked answer that quotes a document of that owner and domain."""
    quote = Citation(
        source="v.md", title="T", start=0, end=len(SECRET), quote=SECRET, owner=owner, domain=domain
    )
    fields = {"question": QUESTION, "answer": SECRET, "citations": (quote,), "messages": ()}
    return interaction(id, minutes=20, owner=owner, **fields)


@pytest.mark.parametrize(("owner", "domain"), [("ann", "rust"), (None, "valves")])
async def test_a_turn_that_quotes_a_private_document_or_another_closed_domain_is_left_out(
    runtime: Runtime, owner: str | None, domain: str
) -> None:
    given = replace(runtime, access=CLOSED)
    await given.episodic.add([passage(SECRET, source="v.md", owner=owner, domain=domain)])
    await given.interactions.save(turn("secret", owner=owner, domain=domain))
    await given.feedback.add(feedback("liked", "vote", interaction_id="secret", value=1))
    night = await NightRun(given).whole()
    assert night.status == "done", night.reason
    found = await collect(given.interactions, given.feedback, night, CLOSED.shared("rust"))
    assert found.left_out[NOT_SHARED] == 1
    assert not await given.nights.scores(["secret"])
    pairs, revisions = await given.nights.golden(), await given.nights.revisions()
    archived = await given.answers.search(QUESTION, domain=None, limit=99, access=EVERYTHING)
    texts = [each.answer for each in (*pairs, *revisions)] + [each.answer for each, _ in archived]
    assert texts
    assert not any("Quillfeather" in text for text in texts)


async def test_a_bad_answer_is_not_revised_from_a_private_document(runtime: Runtime) -> None:
    given = replace(runtime, access=CLOSED)
    await given.episodic.add([passage(SECRET, source="v.md", owner="ann")])
    await given.interactions.save(
        interaction("bad", minutes=20, question=QUESTION, answer="At midnight.", citations=(), messages=())
    )
    await given.feedback.add(feedback("disliked", "vote", interaction_id="bad", value=-1))
    await NightRun(given).whole()
    assert not any("nine bar" in each.answer for each in await given.nights.revisions())


async def test_a_night_of_a_closed_domain_needs_a_grant_to_write_it(runtime: Runtime) -> None:
    reader = Access(owner="ann", closed=frozenset({"rust"}), readable=frozenset({"rust"}))
    night = await NightRun(replace(runtime, access=reader)).whole()
    assert (night.status, "nightschool grants add ann rust --write" in night.reason) == ("failed", True)
