"""Revises by chain of thought (Wei et al. 2022, arXiv 2201.11903): reasons step by step, then answers."""

import re

from agent.chat.answer_from_sources import AskModel
from agent.nights.revision.task import (
    ANSWER_TOKENS,
    THOUGHT_TOKENS,
    Calls,
    Draft,
    RevisionTask,
    in_language,
    sources_text,
)

_ANSWER = re.compile(r"^\W*(?:final\s+)?answer\W*:\W*", re.IGNORECASE | re.MULTILINE)


async def chain_of_thought(task: RevisionTask, ask: AskModel) -> Draft:
    """One call; a reply without a line `Answer:` costs a second one, which asks for the answer alone.

    The reasoning itself is never part of the draft.
    """
    calls = Calls(ask)
    sources = sources_text(task)
    prompt = PROMPT.format(
        sources=sources, question=task.question, critique=task.critique, language=in_language(task)
    )
    thoughts = await calls.say(prompt, max_tokens=THOUGHT_TOKENS + ANSWER_TOKENS)
    answer = final_answer(thoughts)
    if not answer and thoughts:
        conclusion = CONCLUDE.format(
            sources=sources,
            thoughts=" ".join(thoughts.split()),
            question=task.question,
            language=in_language(task),
        )
        reply = await calls.say(conclusion)
        answer = final_answer(reply) or reply
    return calls.draft(answer, task)


def final_answer(text: str) -> str:
    """The paragraph after the last `Answer:` at the beginning of a line; empty if there is none."""
    *_, last = (None, *_ANSWER.finditer(text))
    return text[last.end() :].strip().split("\n\n")[0].strip() if last else ""


PROMPT = """\
Read this:
{sources}

Question: {question}
Mind this: {critique}

Think step by step about what the text says. Then write a new line that begins with "Answer:" and gives a \
short answer.{language}"""
CONCLUDE = """\
Read this:
{sources}

Thoughts: {thoughts}

Give a short answer to this question: {question}{language}"""
