"""General questions that the base model knows: whether it still answers them after its lessons."""

from functools import partial

from langchain_core.messages import HumanMessage

from agent.concurrency import gather_limited
from agent.engines.base import Sampling
from agent.grading import is_correct
from agent.models.card import GeneralQuestion
from benchmarks.night.bench import Bench
from memory.records.adapters import Adapter

ANSWER_TOKENS = 48
AT_ONCE = 8
"""Questions that are answered together."""


async def known_rights(
    bench: Bench, adapter: Adapter | None, most: int
) -> tuple[tuple[bool, ...], tuple[bool, ...]]:
    """For each known question that no training uses, whether the base model and the adapter are right.

    Empty without a model folder; the same twice without an adapter.
    """
    if bench.model_folder is None:
        return (), ()
    from training.base_model import evaluation_split, open_base_model  # imports torch
    from training.recipes import standard

    base = open_base_model(bench.model_folder)
    asked = evaluation_split(base.questions, standard(base.card).asked)
    known = [question for question in asked if question.known][:most]

    async def rights(name: str | None) -> tuple[bool, ...]:
        sampling, progress = Sampling(max_tokens=ANSWER_TOKENS), bench.progress("known questions", len(known))

        async def right(question: GeneralQuestion) -> bool:
            prompt = [HumanMessage(question.wordings[0])]
            reply = await bench.engine.chat(prompt, adapter=name, sampling=sampling)
            progress.step()
            return is_correct(reply.text, question.answers)

        return tuple(await gather_limited((partial(right, question) for question in known), AT_ONCE))

    before = await rights(None)
    return before, before if adapter is None else await rights(adapter.name)
