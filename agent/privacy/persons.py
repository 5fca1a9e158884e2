"""Names of persons, found by spaCy's small English model and by the words around them.

Loading the model takes seconds, and analysing a text takes milliseconds: call it in a thread.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

from agent.privacy.finds import Find
from memory.language.libraries import load_english

if TYPE_CHECKING:
    from spacy.language import Language

_LOCK = Lock()
"""spaCy's pipeline has state while it runs."""
WINDOW, OVERLAP = 20_000, 200
"""Characters that the model analyses at once, and those that two windows share."""
_LONG = re.compile(r"\S{60,}")
"""No word: the tokenizer takes minutes over thousands of punctuation marks in a row."""
_CAPITAL = "[A-Z\u00c0-\u00d6\u00d8-\u00de\u0100-\u017f\u0370-\u03ff\u0400-\u042f]"
_WORD = rf"{_CAPITAL}[^\W\d_]*(?:['\u2019-]{_CAPITAL}[^\W\d_]+|-[^\W\d_]+)*"
_NAME = rf"{_WORD}(?:[ ]{_CAPITAL}\.|[ ]{_WORD}){{0,2}}(?:[ ]{_WORD})?"
_LOWER = r"[^\W\d_]{2,}(?: [^\W\d_]{2,})?"
_TITLE = r"\b(?:mrs?|ms|miss|dr|prof|professor|sir|lady|madam|mister|doctor|captain|president)\.?"
_KIN = (
    "wife|husband|spouse|partner|son|daughter|child|mother|father|mom|mum|dad|brother|sister|uncle|aunt|cousin"
    "|grand(?:mother|father|son|daughter)|girlfriend|boyfriend|friend|boss|colleague|neighbou?r|fianc[eé]e?"
)
_HUMAN = (
    r"lives?|lived|said|says|asked|asks|told|wrote|writes|shouted|replied|answered|whispered"
    r"|thinks|thought|works|worked|studied|married|was born|grew up|founded"
)
_BEFORE = (
    rf"{_TITLE}[ ]+",
    r"\b(?:first |last |maiden |middle |full |sur|partner's )?names?(?:[ ](?:is|was|to)|[ ]*[:?])[ ]*",
    r"\b(?:my|his|her|their|your) (?:\w+ )?name (?:is|was)[ ]+",
    r"\b(?:call me|people call me|named|was called|is called|i am|i'm|this is)[ ]+",
    rf"\b(?:my|his|her|their|our|your) (?:{_KIN})[ ]+",
    r"\b(?:directed|written|composed|sung|performed|signed|painted|produced|sent) by:?[ ]+",
    r"\b(?:starring|dear|sincerely,?|regards,?|attn:?|c/o)[ ]*\n?[ ]*",
    r"\b(?:address|holder|contact|customer|author|owner)[ ]*:[ ]*",
)
_AFTER = (rf"[ ](?:{_HUMAN})\b", r"['\u2019]s (?:address|house|wife|husband)\b")
_CONTEXTS = (
    *(re.compile(rf"(?i:{before})(?P<name>{_NAME})") for before in _BEFORE),
    *(re.compile(rf"(?<![\w'\u2019-])(?P<name>{_NAME})(?={after})") for after in _AFTER),
    re.compile(rf"(?i:\bmy (?:\w+ )?name is|\bcall me|\b{_TITLE})[ ]+(?P<name>{_LOWER})"),
    re.compile(rf"\A[\W]*(?P<name>{_WORD}(?:[ ]{_CAPITAL}\.?)?[ ]{_WORD})[ ]*\n"),
)
_LIST = re.compile(rf"(?<![\w'\u2019-]){_NAME}(?:, {_NAME}){{0,9}},? and {_NAME}")
_COMPANY = re.compile(
    r"\b(?:inc|ltd|llc|plc|corp|gmbh|ag|co|company|group|bank|systems?|services?|solutions?|software|labs?|media"
    r"|technolog\w*|university|college|institute|association|press|times|church|council|party|club|team|box|apt"
    r"|suite|unit|street|str|st|road|rd|avenue|ave|lane|drive)\b",
    re.IGNORECASE,
)
_STREET = re.compile(r"[ ,]{0,2}(?:\d|(?:street|str|st|road|rd|ave|avenue|lane|suite|apt)\b)", re.IGNORECASE)
_NOT_NAME_LIST = """
    i he she it we they you this that there who what where when how why the a an my his her their our
    your user bot customer agent phone name address email mobile fax office dear not so very in on at to
    of for and or but from with as by monday tuesday wednesday thursday friday saturday sunday january
    february march april may june july august september october november december sorry glad happy sure
    afraid going looking trying
"""
_NOT_NAMES = frozenset(_NOT_NAME_LIST.split())


def persons(text: str) -> Iterator[Find]:
    """Names of persons in the text, of which some only may be names."""
    names = [*_by_model(text), *_by_context(text)]
    yield from names
    known = {text[find.start : find.end] for find in names}
    yield from _repeated(text, known)
    yield from _listed(text, known)


def warm() -> None:
    """Loads the model."""
    _model()


def _by_model(text: str) -> Iterator[Find]:
    cased = text if re.search(_CAPITAL, text) else re.sub(r"\b[^\W\d_]", lambda first: first[0].upper(), text)
    for start, end, label in _entities(cased):
        for match in re.finditer(_NAME, cased[start:end]):
            find = Find(start + match.start(), start + match.end(), 0.85, "PERSON")
            if _is_address(text, find) or not _may_be_name(match[0]):
                continue
            if label == "PERSON" or (
                label in ("ORG", "FAC", "NORP") and " " in match[0] and match.end() == end - start
            ):
                yield find


def _entities(text: str) -> Iterator[tuple[int, int, str]]:
    text = _LONG.sub(lambda word: "x" * len(word[0]), text)
    for offset in range(0, max(1, len(text) - OVERLAP), WINDOW - OVERLAP):
        with _LOCK:
            entities = _model()(text[offset : offset + WINDOW]).ents
        yield from ((offset + e.start_char, offset + e.end_char, e.label_) for e in entities)


def _by_context(text: str) -> Iterator[Find]:
    for context in _CONTEXTS:
        for match in context.finditer(text):
            find = Find(*match.span("name"), 0.7, "PERSON")
            if _may_be_name(match["name"]) and not _is_address(text, find):
                yield find


def _repeated(text: str, known: Collection[str]) -> Iterator[Find]:
    """Other places of the names, and of the surnames among them."""
    parts = {name for name in known if len(name) > 2}
    parts |= {name.split()[-1] for name in known if " " in name and len(name.split()[-1]) > 3}
    for part in parts:
        for match in re.finditer(rf"(?<!\w){re.escape(part)}(?!\w)", text):
            yield Find(*match.span(), 0.6, "PERSON")


def _listed(text: str, known: Collection[str]) -> Iterator[Find]:
    """All members of a list such as `Ann, Bob and Cleo` of which one is a name."""
    for match in _LIST.finditer(text):
        members = [*re.finditer(_NAME, match[0])]
        if any(member[0] in known for member in members):
            for member in members:
                if _may_be_name(member[0]):
                    yield Find(match.start() + member.start(), match.start() + member.end(), 0.6, "PERSON")


def _may_be_name(name: str) -> bool:
    words = name.casefold().split()
    return (
        len(name) > 1
        and words[0] not in _NOT_NAMES
        and words[-1] not in _NOT_NAMES
        and not _COMPANY.search(name)
    )


def _is_address(text: str, find: Find) -> bool:
    """Whether numbers stand beside it, as beside a street or a town."""
    return bool(
        _STREET.match(text, find.end)
        or re.search(r"\d[ ,]{0,2}\Z", text[max(0, find.start - 4) : find.start])
    )


@lru_cache(maxsize=1)
def _model() -> Language:
    return load_english(exclude=["tagger", "parser", "attribute_ruler", "lemmatizer"])
