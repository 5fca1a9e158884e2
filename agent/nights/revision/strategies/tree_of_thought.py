"""Revises by a tree of thoughts (Yao et al. 2023, arXiv 2305.10601): a beam search of depth two.

The model proposes what matters, the best proposals are answered from, and the best answer wins. Thoughts are
valued by their words, since small models cannot judge their own.
"""

from collections.abc import Iterable

from agent.chat.answer_from_sources import AskModel
from agent.chat.sentence_candidates import form_match, keyword_roots, word_roots
from agent.nights.revision.task import (
    Calls,
    Draft,
    RevisionTask,
    in_language,
    is_usable,
    sources_text,
)

PROPOSALS = 3
BEAM = 2
TEMPERATURE = 0.7
"""As in the paper's experiments."""


async def tree_of_thought(task: RevisionTask, ask: AskModel) -> Draft:
    """Five calls at most: three proposals, of which the two best are answered from."""
    calls = Calls(ask)
    sources = sources_text(task)
    thoughts = [
        await calls.say(
            PROPOSE.format(sources=sources, question=task.question), temperature=TEMPERATURE, seed=seed
        )
        for seed in range(PROPOSALS)
    ]
    answers = []
    for thought in _best(thoughts, task)[:BEAM]:
        prompt = ANSWER.format(
            sources=sources,
            thought=" ".join(thought.split()),
            question=task.question,
            language=in_language(task),
        )
        answers.append(await calls.say(prompt))
    ranked = _best((text for text in answers if is_usable(text, task)), task)
    return calls.draft(ranked[0] if ranked else "", task)


def _best(texts: Iterable[str], task: RevisionTask) -> list[str]:
    """The different texts, most valuable first; of equal ones the earlier."""
    different = dict.fromkeys(text for text in texts if text)
    return sorted(different, key=lambda text: -_value(text, task))


def _value(text: str, task: RevisionTask) -> float:
    """Share of its words that the sources have, plus of the question's words that it has, plus its form."""
    own, asked = keyword_roots(text), keyword_roots(task.question)
    known = word_roots(" ".join(f"{c.passage.title} {c.reading}" for c in task.sources))
    supported = len(own & known) / len(own) if own else 0.0
    on_topic = len(own & asked) / len(asked) if asked else 0.0
    return 2 * supported + on_topic + form_match(task.question, text)


PROPOSE = """\
Read this:
{sources}

Which one thing in the text answers this question best: {question}"""
ANSWER = """\
Read this:
{sources}

Think of this: {thought}

Give a short answer to this question: {question}{language}"""
