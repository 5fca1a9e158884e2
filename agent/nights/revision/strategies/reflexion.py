"""Revises by Reflexion (Shinn et al. 2023, arXiv 2303.11366): puts the lesson of a failure into words first.

Lessons are kept for later answers; see `agent.nights.revision.lessons`.
"""

from agent.chat.answer_from_sources import AskModel
from agent.nights.revision.task import (
    LONGEST_LESSON,
    MAX_LESSONS,
    THOUGHT_TOKENS,
    Calls,
    Draft,
    RevisionTask,
    before_text,
    in_language,
    sources_text,
)
from memory.language.text import sentences


async def reflexion(task: RevisionTask, ask: AskModel) -> Draft:
    """Two calls: the lesson of the bad answer, then a new answer with this lesson and earlier ones."""
    calls = Calls(ask)
    reflection = await calls.say(
        REFLECT.format(question=task.question, before=before_text(task), critique=task.critique),
        max_tokens=THOUGHT_TOKENS,
    )
    lesson = _first_sentence(reflection)
    lessons = [*task.lessons, *([lesson] if lesson else [])][-MAX_LESSONS:]
    prompt = ANSWER.format(
        sources=sources_text(task),
        lessons="\n".join(f"- {text[:LONGEST_LESSON]}" for text in lessons) or "- Use only what you read.",
        question=task.question,
        language=in_language(task),
    )
    return calls.draft(await calls.say(prompt), task, lessons=(lesson,) if lesson else ())


def _first_sentence(text: str) -> str:
    start, end = next(iter(sentences(text)), (0, 0))
    return " ".join(text[start:end].split())[:LONGEST_LESSON]


REFLECT = """\
Question: {question}
A bad answer: {before}
What is wrong with it: {critique}

In one sentence: what should be done differently next time?"""
ANSWER = """\
Read this:
{sources}

Remember:
{lessons}

Give a short answer to this question: {question}{language}"""
