"""Makes names understandable alone, by adding what they belong to from the headings around them."""

import re

from memory.ingest.propositions.structure.markdown import plain
from memory.language.text import key, words
from memory.records.knowledge import Passage

KINDS = frozenset(
    words(
        "option key field parameter variable setting argument property attribute column flag command method"
        " function switch header keyword directive"
    )
)
"""Words for kinds of settings and code."""
GENERIC = KINDS | frozenset(
    words(
        "overview introduction usage example note reference configuration index readme description detail"
        " value general summary basic advanced default result background prerequisite requirement limit table"
        " optional recommended available supported common list other additional and"
    )
)
"""Words that name nothing specific."""
AMBIGUOUS = re.compile(r"`?[a-z]{1,14}`?|`\..*")
"""A name that is ambiguous without the thing it belongs to."""
_LOCAL = re.compile(r"`[A-Za-z]\w*`")
_SHOUTED = re.compile(r"`[A-Z][A-Z\d_]+`")
LITERAL = re.compile(r"`(?:\"[^\"`]*\"|'[^'`]*'|-?\d[\d.]*|0x[\da-f]+|true|false|none|null)`", re.IGNORECASE)
"""A literal value in code, which is not a name."""
QUESTION_WORD = re.compile(
    r"(?:how|what|why|when|where|which|can|do|does|is|if|an?|step|part)\b", re.IGNORECASE
)
"""Beginnings of headings that ask or count instead of naming something."""
_NO_NAME = re.compile(rf"{QUESTION_WORD.pattern}|\w+ing\b|.*\?$", re.IGNORECASE)
_THING = re.compile(
    r"^(?!the ).* (?:table|file|menu|command|dialog|class|database|api|tool|panel|tab|page)(?: \(.*\))?$",
    re.I,
)
DECORATION = re.compile("^[\u2190-\u2bff\ufe0f\U0001f000-\U0001faff]+\\s*")
"""Arrows, symbols and emoji before a name."""


def _is_name(heading: str) -> bool:
    """Whether a heading names a thing: not `Overview`, `Setting the limits` or `What is it?`."""
    generic = "`" not in heading and set(key(heading).split()) <= GENERIC
    return bool(heading) and not generic and not _NO_NAME.match(heading)


def cleaned(heading: str) -> str:
    """The heading without Markdown marks, number and decoration."""
    name = plain(heading, 0, len(heading), code=True)[0].rstrip(":# ")
    return re.sub(r"^\d{1,3}(?:\.\d{1,3}){0,3}[.)]?\s+", "", DECORATION.sub("", name))


_LABELLED = re.compile(
    r"^(?:[A-Z][a-z ]+: |(?i:function|method|class|property|command|parameter) )(?=`[^`]+`$)"
)
"""The label of a heading before a name in code: `Parameter: `, `method `."""


def lowered(name: str) -> str:
    """The name as inside a sentence: without the capital of the first word."""
    first, rest = name[:1], name[1:]
    word = re.match(r"[\w'-]*", rest)
    return first.lower() + rest if word and word[0].islower() and first.isalpha() else name


def contexts_of(passage: Passage, heading: str) -> list[str]:
    """The headings that name something, from the innermost to the title."""
    above = passage.section.split(" > ") if passage.section else []
    names = [cleaned(h) for h in (heading, *reversed(above), passage.title) if h]
    names = [_LABELLED.sub("", n) for n in names]
    names = [n for n in names if "`" in n or (len(n.split()) <= 6 and "," not in n)]
    return [lowered(n) if n.startswith(("The ", "Your ")) else n for n in dict.fromkeys(names) if _is_name(n)]


def qualified(name: str, kind: str, contexts: list[str]) -> str:
    """`name` with what it belongs to, so that it can be understood alone; '' if that is impossible."""
    around = [c for c in contexts if key(c) != key(name) and not ("`" in name and name in c)]
    within = around[0] if around else ""
    if LITERAL.fullmatch(name):
        known = "`" in within and "<" not in name
        return f"the value {name} of {qualified(within, '', around)}" if known else ""
    local = _LOCAL.fullmatch(name) and not _SHOUTED.fullmatch(name) and "`" in within
    if not (AMBIGUOUS.fullmatch(name) or local):
        return name
    if not around:
        return ""
    link = "of" if re.fullmatch(r"`\w[\w.]*`", within) else "in the" if _THING.search(within) else "in"
    if kind or link == "of":
        return " ".join(f"the {name} {kind} {link} {within}".split())
    return f"{name} {link} {within}"


def heading_name(heading: str, contexts: list[str]) -> str:
    """What a section is about, if its heading is a name; else ''."""
    name = cleaned(heading)
    spans = re.findall(r"`[^`]+`", name)
    if len(spans) == 1 and len(name.split()) < 8:
        return qualified(spans[0], "", contexts)
    if spans or len(name.split()) > 5 or not _is_name(name):
        return ""
    return qualified(name, "", contexts)
