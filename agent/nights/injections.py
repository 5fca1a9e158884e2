"""Recognises text in pages and messages that gives orders to a language model instead of stating something.

A first line of defence, in English only: what a revision says is verified against sources in any case.
"""

import re

_ORDER = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b[^.!?\n]{0,60}"
    r"\b(?:above|previous|prior|earlier|preceding|before this|instructions?|prompts?|rules|context|sources?"
    r"|guidelines|everything (?:else|you))\b"
    r"|\byou(?: are|'re|\u2019re| must act as| will act as)\b[^.!?\n]{0,40}"
    r"\b(?:assistant|language model|chat ?bot|ai)\b"
    r"|\b(?:your|the) system prompt\b"
    r"|\b(?:the|any|every|an?) (?:ai(?: assistants?)?|language models?|chat ?bots?|llms?)\b[^.!?\n]{0,30}"
    r"\b(?:must|should|shall|has to|have to|will)\b"
    r"|<\|\w+\|>|\[/?INST\]|^\s*(?:system|assistant)\s*:",
    re.IGNORECASE | re.MULTILINE,
)
_SPEECH = re.compile(
    r"(?:^|[.!?;:,]\s+|\b(?:please|and|then|must|should|always|only|instead|now)\s+)"
    r"(?:(?:always|only|instead|please|just)\s+)*"
    r"(?:answer|respond|reply|say|output|repeat)\b"
    r"(?:\s+(?:only|instead|exactly|always|with|that|as follows|the following|to (?:this|every|all|any))\b"
    r"|\s*[:\"\u201c'])"
    r"|\b(?:when|whenever|if)\b[^.!?\n]{0,20}\b(?:asked|asks?|questioned)\b[^.!?\n]{0,60}"
    r"[,:]?\s*(?:always |only |please )?(?:answer|respond|reply|say|state|claim|tell)\b",
    re.IGNORECASE | re.MULTILINE,
)


def orders_a_model(text: str) -> bool:
    """Whether the text addresses a language model, or tells the reader to forget what it was told."""
    return _ORDER.search(text) is not None


def dictates_an_answer(sentence: str) -> bool:
    """Whether the sentence orders a model, or tells the reader what to say."""
    return orders_a_model(sentence) or _SPEECH.search(sentence) is not None
