"""Extracts terms with their descriptions: options, definition lists, and headings defined below them."""

import re
from collections.abc import Iterator

from memory.ingest.propositions.structure.blocks import Block
from memory.ingest.propositions.structure.defaults import LABELS
from memory.ingest.propositions.structure.markdown import plain, trimmed
from memory.ingest.propositions.structure.names import DECORATION, lowered, qualified
from memory.ingest.propositions.structure.statements import LONGEST_TEXT, Statement
from memory.language.imperatives import VERBS, third_person
from memory.language.text import key, sentences, singular, words

_TERM = r"(?:`[^`\n]{1,80}`|\*\*[^*\n]{1,80}\*\*|__[^_\n]{1,80}__|\[[^\[\]\n]{1,80}\]\([^()\n]{0,300}\))"
_LEAD = re.compile(
    rf"(?P<term>{_TERM})(?P<more>(?:(?:, ?| ?/ ?| or ){_TERM}){{0,3}})(?P<aside> ?\([^()\n]{{1,60}}\))?"
    r"(?P<mark>\s*:\s|\s+[-\u2013\u2014]+\s+|,\s+(?=[a-z])|\s{2,}(?=[A-Z])|\s*\n\s*(?=[A-Z])|\s+(?=\S))"
)
_DEFINED = re.compile(
    r"(?P<term>[^\s:.!?|=>#][^\n:.!?|]{0,60}?)(?:\n {0,3}| ):[ \t]{1,8}(?=\S)"
    r"|(?P<name>[^\s:.!?|=>#(][^\n:.!?|;,]{0,60}?)(?:\n| ) {4}\s{0,8}(?=[A-Za-z])"
)
_NOT_TERMS = frozenset(
    words(
        "note warning tip important caution info example attention hint danger result task remember update"
        " benefit drawback answer question summary step reason problem solution result output recommended"
        " optional pro con reserved todo yes no resolution description similar workaround symptom cause error"
        " advantage disadvantage requirement prerequisite default allowed valid usage see goal"
        " critical rule purpose motivation why"
    )
)
_TYPES = frozenset(
    words("int str bool float bytes list dict string integer boolean number object array any none")
)
_NO_DESCRIPTION = re.compile(
    r"(?:we|you|it|its|they|these|those|i|see|this(?! (?:usually )?(?:means|indicates))|if|please|note)\b",
    re.IGNORECASE,
)
_NO_TERM = re.compile(
    r"(?:if|when|why|how|what|do|don't|never|always|not|no|only|for|on|in|at|with|to|after|before)\b", re.I
)
_DEFINES = re.compile(r"(?:an?|the|any|one)\b|[a-z][\w-]* (?:[\w-]+ )?(?:of|between|that|which|used|for)\b")
_MODAL = re.compile(r" (?:must|should|can|may|will|is|are|has|have|per|enabled|required)\b")
_AUXILIARIES = frozenset(
    words("is are was were will would can could should must may do does has have be keeps makes")
)


def _defines(term: str, text: str) -> bool:
    """Whether the text after a bold term defines it, rather than giving an instruction or a reason."""
    first, second = (*text.lower().split()[:2], "")[:2]
    last = term.split()[-1]
    if len(term.split()) > 4 or (first in ("a", "an") and singular(last) != last):
        return False
    if third_person(first):
        return " " not in term  # of a longer term it says what the product does
    commands = first in VERBS and second != "of"
    return not commands and bool(_DEFINES.match(lowered(text))) and not _says_more(text)


def _says_more(text: str) -> bool:
    """Whether the text is a full clause: a verb comes before any `that`, `which` or comma."""
    phrase = re.split(r"[,;:(]| (?:that|which|who|where|when|used) ", text)[0].lower().split()
    followed = zip(phrase, [*phrase[1:], ""], strict=True)
    return any(
        w in _AUXILIARIES or (third_person(w) and n in ("the", "a", "an", "your")) for w, n in followed
    )


def _is_term(term: str) -> bool:
    parts = key(term.replace("`", "")).split()
    return bool(
        0 < len(term.split()) <= 6
        and any(c.isalpha() for c in term)
        and parts
        and parts[0] not in _NOT_TERMS
        and ("`" in term or not (_NO_TERM.match(term) or _MODAL.search(term) or parts[0] in VERBS))
        and not re.search(r"://|[?!]$|\b(?:are|is)$", term)
        and " ".join(parts) not in LABELS
    )


def _described(text: str, begin: int, end: int) -> tuple[str, tuple[int, int]] | None:
    """The first sentence of a term's description, without a note on the default."""
    span = next(sentences(text[begin:end]), None)
    if span is None:
        return None
    first, last = begin + span[0], begin + span[1]
    aside = re.compile(r"\s*[(\[]\s*[Dd]efaults?\b[^()\[\]]{0,60}[)\]]\.?").search(text, first, last)
    if aside and not text[aside.end() : last].strip(" ."):
        last = aside.start()
    value, answer = trimmed(*plain(text, first, last))
    if value.endswith((":", "?")) or not 2 <= len(value.split()) <= LONGEST_TEXT or not value[0].isalpha():
        return None
    return None if _NO_DESCRIPTION.match(value) else (value, answer)


def leading_term(text: str, block: Block, contexts: list[str]) -> tuple[str, int, str] | None:
    """The term at the beginning of a block, the start of its description, and the rule; None if none."""
    if found := _LEAD.match(text, block.body, block.end):
        raw = found["term"]
        term = plain(text, *found.span("term"), code=True)[0]
        code, mark = "`" in term, found["mark"]
        closed = term.endswith((":", ".")) and not code
        term = DECORATION.sub("", term.rstrip(":. ") if closed else term)
        separated = bool(mark.strip()) or "\n" in mark or len(mark) > 1
        if mark.strip() == "," and not (code and block.kind == "item" and not found["more"]):
            return None
        if mark.startswith("  ") and not code:
            return None
        if not (separated or closed) or (raw.startswith("[") and block.kind != "item") or not _is_term(term):
            return None
        term = re.sub(r"^`(?:async )?def ", "`", term)
        subject = qualified(term, "", contexts)
        return (subject, found.end(), "option" if code else "definition_list") if subject else None
    if block.kind == "prose" and (found := _DEFINED.match(text, block.body, block.end)):
        group = "term" if found["term"] else "name"
        if group == "term" and "\n" not in found[0] and not found[0].endswith("  "):
            return None
        term = plain(text, *found.span(group), code=True)[0]
        subject = qualified(term, "", contexts) if _is_term(term) else ""
        return (subject, found.end(), "definition_list") if subject else None
    return None


def read_item(text: str, block: Block, contexts: list[str]) -> Iterator[Statement]:
    """The statement about a block's leading term: its description, meaning or type."""
    lead = leading_term(text, block, contexts)
    if lead is None:
        return
    subject, begin, rule = lead
    rest = text[begin : block.end].strip()
    bare, answer = plain(text, begin, block.end)
    if rule == "option" and rest[:1] in "*`[" and len(bare.split()) == 1:
        member = re.match(r"(?:the )?`\.[^`]*`", subject)
        if bare.lower() in _TYPES or (member and re.fullmatch(r"[A-Z]\w+(\[.*\])?", bare)):
            relation = "return type" if member and member[0].endswith(")`") else "type"
            yield Statement(subject, relation, bare, block.start, block.end, answer, rule)
        return
    if described := _described(text, begin, block.end):
        bold = rule == "definition_list" and text[block.body] in "*_["
        if bold and not _defines(subject, described[0]):
            return
        relation = "description" if rule == "option" else "is"
        yield Statement(subject, relation, described[0], block.start, block.end, described[1], rule)


_COPULA = re.compile(r"(?P<name>[^\n.,:;]{1,80}?)\s+(?:is|are)\s+(?=(?:an?|the|one)\s)")


def read_first_sentence(text: str, block: Block, heading: str, about: str) -> Iterator[Statement]:
    """The statement about `about`, named by the heading, in the first sentence of a section."""
    span = next(sentences(text[block.start : block.end]), None)
    if span is None or not about:
        return
    start, end = block.start + span[0], block.start + span[1]
    copula = _COPULA.match(text, start, end)
    if copula and key(copula["name"]) == key(heading):
        relation, (value, answer) = "is", plain(text, copula.end(), end)
    elif "`" in about and third_person(text[start:end].split()[0]):
        relation, (value, answer) = "description", plain(text, start, end)
    else:
        return
    if value.endswith(".") and 3 <= len(value.split()) <= LONGEST_TEXT:
        yield Statement(about, relation, value[:-1], start, end, (answer[0], answer[1] - 1), "heading")
