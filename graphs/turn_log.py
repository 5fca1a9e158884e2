"""What is logged of a chat turn: an interaction without personal data, under the pseudonym of its unit."""

import asyncio
from collections.abc import Sequence

from agent.engines.base import GREEDY
from agent.feedback.logged_messages import logged_messages
from agent.feedback.pseudonyms import pseudonym
from agent.privacy.scrubbing import Scrubber
from graphs.state import ChatState, Runtime
from memory.records.interactions import Interaction, speaker_id


def unit_of(state: ChatState, runtime: Runtime) -> str | None:
    """The pseudonym of the turn's user or conversation; None if the caller named none."""
    unit = state.get("unit")
    return None if unit is None else pseudonym(unit, runtime.pseudonym_key)


def user_of(state: ChatState, runtime: Runtime) -> str | None:
    """The turn's user or conversation among those of all owners; see `Interaction.user`."""
    unit = unit_of(state, runtime)
    return None if unit is None else speaker_id(unit, runtime.owner)


async def interaction_of(state: ChatState, runtime: Runtime) -> Interaction:
    """The finished turn as it is logged."""
    now = runtime.clock()
    messages = logged_messages(state["messages"])
    texts = [text for message in messages for text in (message.content, message.name or "")]
    question, answer, *texts = await scrubbed([state["question"], state["answer"], *texts], runtime.scrubber)
    return Interaction(
        id=state["interaction_id"],
        question=question,
        answer=answer,
        messages=tuple(
            message.model_copy(update={"content": content, "name": name or None})
            for message, content, name in zip(messages, texts[::2], texts[1::2], strict=True)
        ),
        domain=state["route"].domain,
        adapter=state["route"].adapter,
        model=runtime.base_name,
        uncertainty=state["uncertainty"],
        intent=state["intent"],
        outcome=state["outcome"],
        citations=state["citations"],
        sources_disagree=state["reason"] == "sources_disagree",
        unit=unit_of(state, runtime),
        owner=runtime.owner,
        latency_ms=(now - state["started_at"]).total_seconds() * 1000,
        max_tokens=state.get("sampling", GREEDY).max_tokens,
        prompt_tokens=state["prompt_tokens"],
        completion_tokens=state["completion_tokens"],
        gap_id=state["gap_id"],
        assignment=state.get("assignment"),
        created_at=now,
    )


async def scrubbed(texts: Sequence[str], scrubber: Scrubber) -> list[str]:
    """The texts without personal data; those that may hold any are analysed in a thread."""
    if not any(scrubber.suspects(text) for text in texts):
        return list(texts)
    return await asyncio.to_thread(lambda: [scrubber.scrub(text) for text in texts])
