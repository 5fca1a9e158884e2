"""Conversations as prompts that fit into a model's context: the latest turns, and an extractive summary."""

import math
from collections import Counter
from collections.abc import Sequence

from agent.chat.answer_from_sources import estimated_tokens
from benchmarks.night.locomo_data import Session
from memory.language.content_words import content_words
from memory.language.text import sentences

PROMPT_SHARE = 0.85
"""Share of the context for the conversation; the rest is for the question, the template and the answer."""


def latest_turns(sessions: Sequence[Session], context: int) -> str:
    """The last turns that fit, each session under its date."""
    room, chosen = PROMPT_SHARE * context, list[str]()
    for session in reversed(sessions):
        heading = _heading(session)
        room -= estimated_tokens(heading) + 1
        taken: list[str] = []
        for line in reversed(session.lines):
            text = f"{line.speaker}: {line.text}"
            room -= estimated_tokens(text) + 1
            if room < 0:
                break
            taken.append(text)
        if taken:
            chosen = [heading, *reversed(taken), *chosen]
        if room < 0:
            break
    return "\n".join(chosen)


def extractive_summary(sessions: Sequence[Session], context: int) -> str:
    """The most telling sentences of every session, which shares the room equally with the others.

    A sentence tells as much as its content words are rare: the mean of their inverse session frequencies
    times the square root of their number, so that neither one rare word nor sheer length wins.
    """
    room = PROMPT_SHARE * context / max(len(sessions), 1)
    frequency = Counter(word for s in sessions for word in set(content_words(s.text)))

    def telling(sentence: str) -> float:
        words = content_words(sentence)
        rarity = [math.log((1 + len(sessions)) / (1 + frequency[word])) for word in words]
        return sum(rarity) / math.sqrt(len(rarity)) if rarity else 0.0

    parts: list[str] = []
    for session in sessions:
        said = [
            f"{line.speaker}: {line.text[start:end]}"
            for line in session.lines
            for start, end in sentences(line.text)
        ]
        left, chosen = room - estimated_tokens(_heading(session)) - 1, set[int]()
        for index in sorted(range(len(said)), key=lambda i: (-telling(said[i]), i)):
            cost = estimated_tokens(said[index]) + 1
            if cost <= left and telling(said[index]) > 0:
                chosen.add(index)
                left -= cost
        if chosen:
            parts += [_heading(session), *(said[index] for index in sorted(chosen))]
    return "\n".join(parts)


def _heading(session: Session) -> str:
    return f"{session.date.day} {session.date:%B %Y}:"
