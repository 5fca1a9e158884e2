"""Recognises text in pages and messages that gives orders to a language model instead of stating something.

A first line of defence, in English only: what is said is verified against sources in any case.
"""

import re
from collections.abc import Iterable

_ORDER = r"(?:ignor|disregard|forget|overrid|bypass|overlook|drop|discard)\w*"
_INSTRUCTIONS = (
    r"(?:instruction|prompt|direction|guideline|rule|command|context|message|source|text|passage)s?"
)
_BEFORE = r"(?:previous|prior|above|earlier|preceding|foregoing|other|existing|original|all|any|your|these)"
_SPEAK = (
    r"(?:say|answer|reply|respond|tell|state|claim|repeat|output|write|print|insist|confirm|mention"
    r"|recommend)"
)
_ASKED = r"(?:asked|asks?|questioned|quer(?:y|ied)|prompted)"
_MODEL = r"(?:assistants?|AIs?|(?:language |AI )?models?|LLMs?|chat ?bots?|bots?)"
_MUST = r"(?:must|should|shall|has to|have to|is to|are to|will|always|only|never|please|now)"


def _compiled(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.IGNORECASE | re.MULTILINE) for pattern in patterns)


_ORDERS = _compiled(
    r"\b(?:ignore|disregard|forget|override|bypass)\b[^.!?\n]{0,60}"
    r"\b(?:above|previous|prior|earlier|preceding|before this|instructions?|prompts?|rules|context|sources?"
    r"|guidelines|everything (?:else|you))\b",
    rf"\b{_ORDER}\s+(?:\w+\s+){{0,3}}?{_BEFORE}\s+(?:\w+\s+){{0,3}}?{_INSTRUCTIONS}\b",
    rf"\b{_ORDER}\s+(?:everything|anything|what)\b.{{0,40}}\b(?:above|before|earlier|said|told|read)\b",
    rf"\b{_ORDER}\s+the\s+(?:above|foregoing|preceding)\b",
    r"\byou(?: are|'re|\u2019re| must act as| will act as)\b[^.!?\n]{0,40}"
    r"\b(?:assistant|language model|chat ?bot|ai)\b",
    rf"\b(?:you are|act as|pretend to be|roleplay as)\b.{{0,30}}\b{_MODEL}\b",
    r"\b(?:your|the) system prompt\b",
    r"\b(?:system|hidden|developer)\s+(?:prompt|message|instruction)s?\b",
    r"\b(?:the|any|every|an?) (?:ai(?: assistants?)?|language models?|chat ?bots?|llms?)\b[^.!?\n]{0,30}"
    r"\b(?:must|should|shall|has to|have to|will)\b",
    rf"\b{_MODEL}\b.{{0,40}}\b{_MUST}\b.{{0,40}}\b{_SPEAK}\b",
    rf"\b(?:note|message|instructions?|attention|dear|to)\b.{{0,20}}\b{_MODEL}\b\s*[:,]",
    rf"\b(?:when|if|whenever|once|in case)\b.{{0,60}}\b{_ASKED}\b.{{0,80}}\b{_SPEAK}\b",
    rf"\b{_SPEAK}\b.{{0,40}}\b(?:when|if|whenever)\b.{{0,40}}\b{_ASKED}\b",
    rf"\byou (?:must|are to|have to|will) (?:always |now |only )*{_SPEAK}\b",
    rf"\b(?:always|only|now)\s+{_SPEAK}\b.{{0,60}}\b(?:users?|readers?|people|everyone|anyone|that)\b",
    rf"(?:^|[.!?:]\s+){_SPEAK}\s+(?:to\s+)?(?:the\s+|all\s+|every\s+)?users?\b",
    r"</?(?:system|assistant|user|instructions?)>|\[/?INST\]|<\|\w+\|>",
    r"^\W*(?:system|assistant)\s*:\s+(?:\S+\s+){3}",
)
"""Each is about who speaks or what is to be said, not about a subject. A document about language models may
match as well, and is not used then, which is the safe side."""
_SPEECH = _compiled(
    r"(?:^|[.!?;:,]\s+|\b(?:please|and|then|must|should|always|only|instead|now)\s+)"
    r"(?:(?:always|only|instead|please|just)\s+)*"
    r"(?:answer|respond|reply|say|output|repeat)\b"
    r"(?:\s+(?:only|instead|exactly|always|with|that|as follows|the following|to (?:this|every|all|any))\b"
    r"|\s*[:\"\u201c'])",
    r"\b(?:when|whenever|if)\b[^.!?\n]{0,20}\b(?:asked|asks?|questioned)\b[^.!?\n]{0,60}"
    r"[,:]?\s*(?:always |only |please )?(?:answer|respond|reply|say|state|claim|tell)\b",
)


def orders_a_model(text: str) -> bool:
    """Whether a part of the text addresses a language model, tells the reader to forget what it was told, or
    what to say when asked."""
    return _matches(_ORDERS, text)


def dictates_an_answer(sentence: str) -> bool:
    """Whether the sentence orders a model, or tells the reader what to say.

    Too strict for whole passages: `The server must respond with 404` counts as well.
    """
    return orders_a_model(sentence) or _matches(_SPEECH, sentence)


def _matches(patterns: Iterable[re.Pattern[str]], text: str) -> bool:
    """Whether one of the patterns is in a line of the text, or goes over several lines."""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    parts = list(dict.fromkeys((*lines, " ".join(lines))))
    return any(pattern.search(part) for pattern in patterns for part in parts)
