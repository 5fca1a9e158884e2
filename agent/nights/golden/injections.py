"""Recognises sentences that give orders to whoever answers from them, as pages written for models do."""

import re

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

_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b{_ORDER}\s+(?:\w+\s+){{0,3}}?{_BEFORE}\s+(?:\w+\s+){{0,3}}?{_INSTRUCTIONS}\b",
        rf"\b{_ORDER}\s+(?:everything|anything|what)\b.{{0,40}}\b(?:above|before|earlier|said|told|read)\b",
        rf"\b{_ORDER}\s+the\s+(?:above|foregoing|preceding)\b",
        r"\b(?:system|hidden|developer)\s+(?:prompt|message|instruction)s?\b",
        rf"\b(?:when|if|whenever|once|in case)\b.{{0,60}}\b{_ASKED}\b.{{0,80}}\b{_SPEAK}\b",
        rf"\b{_SPEAK}\b.{{0,40}}\b(?:when|if|whenever)\b.{{0,40}}\b{_ASKED}\b",
        rf"\b{_MODEL}\b.{{0,40}}\b{_MUST}\b.{{0,40}}\b{_SPEAK}\b",
        rf"\b(?:note|message|instructions?|attention|dear|to)\b.{{0,20}}\b{_MODEL}\b\s*[:,]",
        rf"\b(?:you are|act as|pretend to be|roleplay as)\b.{{0,30}}\b{_MODEL}\b",
        rf"\byou (?:must|are to|have to|will) (?:always |now |only )*{_SPEAK}\b",
        rf"\b(?:always|only|now)\s+{_SPEAK}\b.{{0,60}}\b(?:users?|readers?|people|everyone|anyone|that)\b",
        rf"(?:^|[.!?:]\s+){_SPEAK}\s+(?:to\s+)?(?:the\s+|all\s+|every\s+)?users?\b",
        r"</?(?:system|assistant|user|instructions?)>|\[/?INST\]|<\|[a-z_]+\|>",
        r"^\W*(?:system|assistant)\s*:\s+(?:\S+\s+){3}",
    )
)
"""English only. Each is about who speaks or what is to be said, not about a subject; a document about
language models may match as well, and is not taught then, which is the safe side."""


def gives_orders_to_the_model(text: str) -> bool:
    """Whether a part of the text reads like an instruction to a model that answers from it."""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return any(pattern.search(part) for part in (*lines, " ".join(lines)) for pattern in _PATTERNS)
