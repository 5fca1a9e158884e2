"""Revises with the critique in the prompt: sources, the answer, what is wrong with it; one call."""

from agent.chat.answer_from_sources import AskModel
from agent.nights.revision.task import (
    Calls,
    Draft,
    RevisionTask,
    before_text,
    examples_text,
    in_language,
    sources_text,
)


async def plain_critique(task: RevisionTask, ask: AskModel) -> Draft:
    """One new answer that avoids what the critique names."""
    calls = Calls(ask)
    prompt = PROMPT.format(
        examples=examples_text(task),
        sources=sources_text(task),
        question=task.question,
        before=before_text(task),
        critique=task.critique,
        language=in_language(task),
    )
    return calls.draft(await calls.say(prompt), task)


PROMPT = """\
{examples}Read this:
{sources}

Question: {question}
A bad answer: {before}
What is wrong with it: {critique}

Give a short answer to the question that is right. Use only what you read.{language}"""
