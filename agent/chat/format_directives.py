"""Detects system prompts that dictate the form of every answer ("Answer only with the word BANANA.").

Such conversations are answered by the model alone: a quotation or an abstention would break the form, and the
gate is fitted on free answers. Instructions about language, tone, length or subject ("Answer in German",
"Answer only questions about lamps") do not count.
"""

import re
from collections.abc import Sequence

from langchain_core.messages import BaseMessage, SystemMessage


def dictates_form(messages: Sequence[BaseMessage]) -> bool:
    """Whether a system message fixes the words or the notation of answers."""
    texts = (message.text for message in messages if isinstance(message, SystemMessage))
    return any(_dictates(sentence) for text in texts for sentence in _SENTENCE.split(text))


def _dictates(sentence: str) -> bool:
    return any(pattern.search(sentence) for pattern in (_ONLY, _ONLY_FIRST, _NOTATION, _NOTHING_ELSE))


_SENTENCE = re.compile(r"(?<=[.!?\u3002])\s+|\n+")
_SAY = (
    r"\b(?:answer|repl(?:y|ies)|respond|output|return|say|write|print|antwort|sag|schreib|répon|dis|dites|écri"
    r"|contest|escrib|di|rispond|scriv|antwoord|schrijf|odpowi|отвеча|ответ)\w*\b"
)
_JUST = (
    r"(?:only|exactly|just|solely|nothing but|nur|genau|ausschließlich|uniquement|seulement|exactement"
    r"|solo|sólo|solamente|únicamente|soltanto|esclusivamente|apenas|somente|alleen|uitsluitend|tylko|wyłącznie"
    r"|только)"
)
_REPLY = r"\b(?:answer|reply|respond|output|return|antworte|réponds|répondez|responde|rispondi|antwoord)\w*\b"
"""Verbs about the whole answer; "write formulas in LaTeX" does not dictate the answer's form."""
_FORMATS = r"\b(?:json|yaml|xml|csv|html|toml|regex|sql|latex|markdown table|base64|morse code)\b"
_COUNT = r"(?:the |a |an |one |two |three |\d+ )?(?:single |exact |following )?"
_WORDS = rf"{_COUNT}(?:words?|phrase|letters?|number|digit|string|emojis?|label|yes|no|true|false)\b"
_SUBJECT = (
    r"(?:\w+\s+)?(?:information|facts?|knowledge|sources?|data|what|things|context|evidence|docs"
    r"|documents?)"
)
_WITH = rf"(?:with|mit|avec|con|com|met|as)\s+(?!{_SUBJECT}\b)"
_FIXED = rf"(?:{_WITH}|[\"\u201c\u201e\u00ab'`]|{_WORDS}|in\s+(?:\w+\s+){{0,2}}?{_FORMATS})"
_FEW = r"(?:\s+\S+){0,4}?\s+"
_ALL = (
    r"(?:\s+(?:your|the|all|every|each|me|it|always|answers?|response|reply|output|results?|everything)){0,8}"
)
_ONLY = re.compile(rf"{_SAY}{_FEW}{_JUST}\s+{_FIXED}", re.IGNORECASE)
_ONLY_FIRST = re.compile(rf"\b{_JUST}\s+{_SAY}\s+{_FIXED}", re.IGNORECASE)
_NOTATION = re.compile(
    rf"{_REPLY}{_ALL}\s+(?:in|as|with|mit|en|als|im)\s+(?:valid |a |an |the |raw |pure )*{_FORMATS}",
    re.IGNORECASE,
)
_NOTHING_ELSE = re.compile(
    r"\b(?:nothing else|no other (?:text|words?|output)|without any other (?:text|words?)|sonst nichts"
    r"|nichts anderes|rien d'autre|nada más|nient'altro|nada mais|niets anders"
    r"|in (?:the following|this|exactly this|exactly the following) format)\b",
    re.IGNORECASE,
)
