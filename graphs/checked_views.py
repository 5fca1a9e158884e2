"""Checks an adapter's answer against the sources, also one that tells what several perspectives hold."""

import asyncio
from collections.abc import Sequence
from functools import partial

from langchain_core.messages import BaseMessage

from agent.chat.answer_from_sources import SourceCheck, check_against_sources
from agent.learning.perspectives import told_views
from graphs.state import Runtime
from memory.records.knowledge import Findings
from memory.server.perspectives import Perspectives


async def check_answer(
    question: str, answer: str, messages: Sequence[BaseMessage], findings: Findings, context: Runtime
) -> SourceCheck:
    """Which sentences support the answer; each view that it tells needs a source of its own perspective."""
    check = partial(check_against_sources, embedder=context.embedder, card=context.card)
    views = told_views(answer)
    if views:
        viewpoints = await Perspectives(context.database).viewpoints(context.access)
        checks = []
        for holder, held in views:
            hits = tuple(hit for hit in findings.evidence if viewpoints.of(hit.passage) == holder)
            own = findings.model_copy(update={"evidence": hits})
            checks.append(await asyncio.to_thread(check, question, held, messages, own))
        if all(each.citations for each in checks):
            citations = tuple(citation for each in checks for citation in each.citations)
            return SourceCheck(citations=citations, answers=True)
    return await asyncio.to_thread(check, question, answer, messages, findings)
