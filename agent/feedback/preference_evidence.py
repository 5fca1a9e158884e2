"""Reads what a preference set is built from: turns, feedback, annotation, and the evaluations' questions."""

import asyncio
import logging
from datetime import datetime
from pathlib import Path

from agent.feedback.pair_sources import Evidence
from agent.feedback.paired_prompts import paired_prompts
from agent.feedback.pairs import evaluation_prompts
from agent.feedback.safety import safety_prompts
from agent.models.card import read_questions, read_replay, read_unknown
from agent.nights.privacy import private_turns, without_private
from agent.nights.reported import read_reported
from memory.adapters.base import AdapterRegistry
from memory.errors import CorruptRecord, UnknownRun
from memory.feedback.annotations import Annotations
from memory.feedback.feedback import FeedbackStore
from memory.feedback.interactions import InteractionLog
from memory.outbox.base import Outbox
from memory.records.access import Access
from memory.records.base import Domain
from memory.records.interactions import Interaction

log = logging.getLogger(__name__)


async def read_evidence(
    domain: Domain,
    since: datetime | None,
    until: datetime | None,
    *,
    interactions: InteractionLog,
    feedback: FeedbackStore,
    annotations: Annotations,
    access: Access,
) -> Evidence:
    """The period's evidence of one domain, with older turns that its feedback is about.

    Turns that quote documents which `access` may not read are left out, and private ones with the items made
    of them; so are corrections in which users speak of themselves.

    Judgements and their items are read whole: by all of them it is known who is careless. Raises
    StoreUnavailable.
    """
    turns: dict[str, Interaction] = {}
    async for page in interactions.stream(since, until, domain=domain):
        turns |= {turn.id: turn for turn in page if access.may_quote(turn.citations)}
    given = await feedback.list(since, until)
    commented = [each.interaction_id for each in given if each.interaction_id not in turns]
    older = await interactions.of(commented)
    turns |= {turn.id: turn for turn in older if turn.domain == domain and access.may_quote(turn.citations)}
    judgements = await annotations.judgements()
    items = await annotations.of({judgement.item_id for judgement in judgements})
    annotated = [
        item.interaction_id
        for item in items
        if item.domain == domain and item.interaction_id is not None and item.interaction_id not in turns
    ]
    looked_at = [*turns.values(), *await interactions.of(annotated)]
    reported = await read_reported(interactions, feedback)
    private = await asyncio.to_thread(private_turns, looked_at, reported)
    return without_private(Evidence(tuple(turns.values()), given, items, judgements), private)


async def evaluated_prompts(
    domain: Domain, model: Path, *, registry: AdapterRegistry, outbox: Outbox
) -> frozenset[str]:
    """The normalised questions of all evaluations that an adapter of the domain goes through.

    These are the card's in the folder `model`, those of its replay too (by the answers to some of them drift
    is measured), the safety prompts, the bias gate's, and the held-out wordings and attacks of the domain's
    lessons; a lesson that cannot be read is logged. Raises BadModelCard.
    """
    general = await asyncio.to_thread(read_questions, model)
    unknown = await asyncio.to_thread(read_unknown, model)
    texts = [wording for question in general for wording in question.wordings]
    texts += [wording for invented in unknown for wording in invented.wordings]
    replay = await asyncio.to_thread(read_replay, model)
    texts += [answer.messages[-1].content for answer in replay if answer.messages]
    texts += [prompt.text for prompt in safety_prompts()]
    texts += paired_prompts().texts
    adapters = await asyncio.to_thread(registry.list, domain)
    for digest in dict.fromkeys(digest for adapter in adapters for digest in adapter.learned):
        try:
            lesson = await outbox.curriculum(digest)
        except (UnknownRun, CorruptRecord) as error:
            log.warning("the held-out questions of %s cannot be read: %s", digest[:12], error)
        else:
            texts += [pair.question for pair in (*lesson.held_out, *lesson.attacked)]
    return evaluation_prompts(texts)
