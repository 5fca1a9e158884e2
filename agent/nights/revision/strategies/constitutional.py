"""Revises by principles (Bai et al. 2022, arXiv 2212.08073): names the broken one, then rewrites.

The principles are those of `agent.principles`.
"""

from agent.chat.answer_from_sources import AskModel
from agent.nights.revision.task import (
    THOUGHT_TOKENS,
    Calls,
    Draft,
    RevisionTask,
    before_text,
    in_language,
    sources_text,
)
from agent.principles.constitution import principles

LONGEST_CRITIQUE = 400
"""Characters of the model's own critique."""


async def constitutional(task: RevisionTask, ask: AskModel) -> Draft:
    """Two calls: a critique of the answer by the principles, then the answer rewritten."""
    calls = Calls(ask)
    rules, sources = "\n".join(f"- {each.sentence}" for each in principles()), sources_text(task)
    critique = await calls.say(
        CRITICISE.format(sources=sources, principles=rules, question=task.question, before=before_text(task)),
        max_tokens=THOUGHT_TOKENS,
    )
    prompt = REWRITE.format(
        sources=sources,
        principles=rules,
        question=task.question,
        before=before_text(task),
        critique=" ".join(f"{task.critique} {critique}".split())[:LONGEST_CRITIQUE],
        language=in_language(task),
    )
    return calls.draft(await calls.say(prompt), task)


CRITICISE = """\
Principles:
{principles}

Read this:
{sources}

Question: {question}
Answer: {before}

Which principle does the answer break, and how? Reply with one sentence."""
REWRITE = """\
Principles:
{principles}

Read this:
{sources}

Question: {question}
A bad answer: {before}
What is wrong with it: {critique}

Give a short answer to the question that keeps the principles.{language}"""
