"""A night keeps what one user said about themselves from all others."""

from graphs.state import Runtime
from memory.records.access import EVERYTHING
from memory.records.interactions import LoggedMessage
from memory.records.knowledge import Citation
from tests.support.interactions import feedback, interaction
from tests.support.night_runs import NightRun

SAID = Citation(source="statement:s1", title="you said", start=0, end=18, quote="Ann lives in Bern.")
BORROW = "The borrow checker prevents data races."


async def test_nothing_that_concerns_one_user_is_archived_revised_or_golden(runtime: Runtime) -> None:
    """Ann's answers are liked and disliked; Bob asked nothing of it."""
    asked = {
        "a1": ("Where do I live?", f"You said: \u201c{SAID.quote}\u201d", (SAID,)),
        "a2": ("What does my borrow checker prevent?", "A kind of cheese.", ()),
        "a3": ("When is the deadline of Apollo?", "You said: \u201cThe deadline is Friday.\u201d", (SAID,)),
    }
    for number, (id, (question, answer, citations)) in enumerate(asked.items()):
        await runtime.interactions.save(
            interaction(
                id,
                minutes=20 + number,
                question=question,
                answer=answer,
                citations=citations,
                messages=(LoggedMessage(role="user", content=question),),
                outcome="answered_from_sources" if citations else "answered",
                unit="ann",
            )
        )
    for id in ("a1", "a3"):
        await runtime.feedback.add(feedback(f"f-{id}", "vote", interaction_id=id, value=1))
    night = await NightRun(runtime).whole()
    assert night.status == "done", night.reason
    assert {"a1", "a2", "a3"} <= set(await runtime.nights.scores(list(asked)))
    assert not {each.interaction_id for each in await runtime.nights.revisions()} & set(asked)
    pairs = await runtime.nights.golden()
    assert pairs
    assert not {pair.source for pair in pairs} & set(asked)
    archived = [
        answer
        for answer, _ in await runtime.answers.search(
            "Where do I live?", domain=None, limit=99, access=EVERYTHING
        )
    ]
    assert archived
    assert not any("Ann" in answer.answer or "my" in answer.question.split() for answer in archived)
