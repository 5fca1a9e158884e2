"""An answer that tells views is supported if each is said by a source of its own perspective."""

from langchain_core.messages import HumanMessage

from graphs.checked_views import check_answer
from graphs.state import Runtime
from memory.ingest.writer import Place
from memory.records.access import EVERYTHING
from memory.records.knowledge import Evidence, Findings
from memory.server.perspectives import Perspectives
from tests.support.two_views import DOMAIN, PLACES, both

QUESTION = "What is a tomato?"


async def supporting(runtime: Runtime, answer: str) -> set[str]:
    """The sentences that support the answer."""
    for source, name in PLACES.items():
        await Perspectives(runtime.database).declare([Place(source, DOMAIN, None)], name, access=EVERYTHING)
    passages, facts = both()
    evidence = tuple(Evidence(passage=each, score=0.8, found_by=("vector",)) for each in passages)
    findings = Findings(query=QUESTION, evidence=evidence, facts=facts)
    checked = await check_answer(QUESTION, answer, [HumanMessage(QUESTION)], findings, runtime)
    return {citation.quote for citation in checked.citations}


async def test_both_views_are_cited(runtime: Runtime) -> None:
    told = "botany holds: a fruit; cookery holds: a vegetable"
    assert await supporting(runtime, told) == {"A tomato is a fruit.", "A tomato is a vegetable."}


async def test_a_view_of_the_wrong_holder_supports_nothing(runtime: Runtime) -> None:
    assert await supporting(runtime, "botany holds: a vegetable; cookery holds: a fruit") == set()
    assert await supporting(runtime, "astronomy holds: a fruit; cookery holds: a vegetable") == set()
