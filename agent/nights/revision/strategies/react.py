"""Revises by ReAct (Yao et al. 2022, arXiv 2210.03629): the model may search the library before it answers.

Actions are lines of text, because not every model can call tools.
"""

import re

from agent.chat.answer_from_sources import AskModel
from agent.chat.sentence_candidates import SentenceCandidate
from agent.nights.revision.task import (
    SOURCES_SHARE,
    Calls,
    Draft,
    RevisionTask,
    fitting,
    in_language,
    source_line,
    sources_text,
)

MAX_STEPS = 3
"""Searches and the answer together."""
MAX_QUERY = 200
"""Characters of a search."""
_SEARCH = re.compile(r"^\W*search\W*:\W*(?P<query>.+)$", re.IGNORECASE | re.MULTILINE)
_ANSWER = re.compile(r"^\W*answer\W*:\W*(?P<answer>.+)", re.IGNORECASE | re.MULTILINE)


async def react(task: RevisionTask, ask: AskModel) -> Draft:
    """At most three calls; a reply that is neither a search nor an answer counts as the answer.

    What was found is part of the draft, so that it can be verified against it.
    """
    calls = Calls(ask)
    found: dict[tuple[str, int], SentenceCandidate] = {}
    queries: set[str] = set()
    for step in range(MAX_STEPS):
        may_search = task.search is not None and step < MAX_STEPS - 1
        lines = fitting(map(source_line, found.values()), task.context * SOURCES_SHARE)
        prompt = PROMPT.format(
            sources="\n".join([sources_text(task), *(f"- {line}" for line in lines)]),
            question=task.question,
            critique=task.critique,
            actions=SEARCH_OR_ANSWER if may_search else ONLY_ANSWER,
            language=in_language(task),
        )
        reply = await calls.say(prompt)
        answered, search = _ANSWER.search(reply), _SEARCH.search(reply)
        if answered is not None or search is None or not may_search:
            answer = answered["answer"] if answered else "" if search else reply
            return calls.draft(answer.strip(), task, found=tuple(found.values()))
        query = " ".join(search["query"].split())[:MAX_QUERY]
        if query not in queries and task.search is not None:
            queries.add(query)
            new = await task.search(query)
            found |= {(candidate.passage.id, candidate.start): candidate for candidate in new}
    return calls.draft("", task)


PROMPT = """\
Read this:
{sources}

Question: {question}
Mind this: {critique}

{actions}{language}"""
SEARCH_OR_ANSWER = """\
If the text does not say it, reply with one line "Search:" and the words to look for. If it does, reply with \
one line "Answer:" and a short answer."""
ONLY_ANSWER = 'Reply with one line "Answer:" and a short answer.'
