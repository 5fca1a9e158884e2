"""Corrections by users: the gap that one opens, and the unverified answer that it adds to it."""

import asyncio
from datetime import datetime

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from agent.chat.followup import make_standalone
from agent.learning import gaps
from memory.database.database import Database
from memory.errors import UnknownGap
from memory.records.access import EVERYTHING
from memory.records.feedback import Feedback
from memory.records.interactions import Correction, Gap, Interaction

MESSAGE_TYPES: dict[str, type[BaseMessage]] = {
    "system": SystemMessage,
    "user": HumanMessage,
    "assistant": AIMessage,
}


async def open_corrected_gap(
    interaction: Interaction, feedback: Feedback, *, database: Database, id: str, now: datetime
) -> Gap:
    """Adds the correction to the gap of its question, which is opened under `id` if there is none.

    Nothing is trained on a correction: whoever learns the gap has to find a source for it. A gap that was
    dismissed keeps the correction and stays dismissed, which its status says. Safe to repeat.
    Raises StoreUnavailable.
    """
    assert feedback.text is not None, "a correction has a text"
    correction = Correction(
        interaction_id=interaction.id,
        feedback_id=feedback.id,
        text=feedback.text,
        created_at=feedback.created_at,
    )
    if interaction.gap_id is not None:
        try:
            found = await database.gap(interaction.gap_id, access=EVERYTHING)
            if found.status != "closed":
                return await database.add_correction(found.merged_into or found.id, correction)
        except UnknownGap:
            pass  # it was deleted since, so another one is opened
    question = await asyncio.to_thread(_question, interaction)
    gap = gaps.open_gap(
        question,
        domain=interaction.domain,
        keywords=gaps.gap_keywords(question, None),
        uncertainty=interaction.uncertainty,
        owner=interaction.owner,
        id=id,
        now=now,
    )
    return await database.add_correction((await database.open_gap(gap)).id, correction)


def _question(interaction: Interaction) -> str:
    """The question without references to earlier messages."""
    messages = [MESSAGE_TYPES[message.role](message.content) for message in interaction.messages]
    return make_standalone(messages).text if messages else interaction.question
