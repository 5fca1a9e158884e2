"""Names in a text: runs of capitalised words and years, as keys that ignore case, plural and article.

A cheap stand-in for a named entity recogniser: it needs no model and works in every language that writes
names with capitals. In other scripts it finds nothing.
"""

import re

from memory.language.content_words import CLOSED_CLASS, SHAPE_NOUNS
from memory.language.text import key

_UPPER = f"[{''.join(letter for letter in map(chr, range(0x590)) if letter.isupper())}]"
"""Any capital of the Latin, Greek, Cyrillic and Armenian scripts."""
_WORD = rf"{_UPPER}[\w'\u2019.&-]*"
_LINK = r"(?:of|the|de|la|von|van|and|for|in|du|del|da|di|al|bin|ibn|le|des|der|den|el|y|&)"
_NAME = re.compile(
    rf"(?<!\w)(?:{_WORD}|\d{{3,4}})(?: {_LINK}(?= (?:the )?{_UPPER})| (?:the )?(?:{_WORD}|\d+))*"
)
_JOIN = re.compile(r" (?:and|&|in|for) ")
_BRACKET = re.compile(r"\s*\([^)]*\)")
LONGEST_NAME = 8
"""In words; a longer run of capitalised words is a headline."""


def names_in(text: str) -> tuple[str, ...]:
    """The keys of the names in a sentence, distinct and in order.

    `A and B` counts as a whole and as two names, and so does `A in B`.

    Words that begin a sentence count as names too; what no other text mentions does no harm.
    """
    found: dict[str, None] = {}
    for match in _NAME.finditer(text):
        name = _without_function_words(match[0])
        for part in dict.fromkeys((match[0], name, *_JOIN.split(name))):
            if is_name(each := key(part)):
                found[each] = None
    return tuple(found)


def names_of_title(title: str) -> tuple[str, ...]:
    """The keys by which a title may be mentioned: as it is, without a bracket, and up to its first comma."""
    bare = _BRACKET.sub("", title)
    forms = (key(form) for form in (title, bare, bare.partition(",")[0]))
    return tuple(dict.fromkeys(form for form in forms if is_name(form)))


def is_name(name: str) -> bool:
    """Whether a key can name something: not too long, and more than a function word or a letter or two."""
    if " " in name:
        return len(name.split()) <= LONGEST_NAME
    return len(name) > 2 and name not in CLOSED_CLASS and name not in SHAPE_NOUNS


def _without_function_words(name: str) -> str:
    """The name without the function words, such as `When`, that a sentence begins with."""
    parts = name.strip(" .'\u2019-").split()
    while parts and parts[0].lower() in CLOSED_CLASS:
        del parts[0]
    return " ".join(parts)
