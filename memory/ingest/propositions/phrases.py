"""Extracts noun phrases from a parse, and writes tokens as text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from memory.ingest.propositions.parser import is_code
from memory.language.libraries import lemminflect

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span, Token

_NAMES = frozenset(
    {"PERSON", "ORG", "GPE", "NORP", "FAC", "LOC", "WORK_OF_ART", "PRODUCT", "EVENT", "LAW", "LANGUAGE"}
)
_OPEN, _CLOSE = "([{", ")]}"
_OPENING, _CLOSING = frozenset({'"', "\u201c", "``"}), frozenset({'"', "\u201d", "''"})
_DASHES = frozenset({"-", "\u2013", "\u2014"})
_ASIDE, _QUOTED = "in brackets", "in quotes"
"""Keys of a Doc's user data."""
_OPENING_QUOTE, _CLOSING_QUOTE = re.compile(r"(?:(?<=\s)|^)['\u2018](?=\w)"), re.compile(r"['\u2019](?!\w)")
SHORTEST_QUOTATION = 6
"""In tokens; shorter quoted text is a title or a coined word."""


def subtree(token: Token) -> list[Token]:
    """The token and its descendants, in text order."""
    return list(token.subtree)


def in_brackets(sentence: Span) -> frozenset[int]:
    """Indices of the document's tokens in brackets, including the brackets."""
    return _aside(sentence.doc)


def _aside(doc: Doc) -> frozenset[int]:
    if (found := doc.user_data.get(_ASIDE)) is None:
        hidden: set[int] = set()
        depth = 0
        for token in doc:
            if token.is_sent_start:
                depth = 0
            text = token.text
            depth += text in _OPEN
            if depth:
                hidden.add(token.i)
                depth -= text in _CLOSE
        found = doc.user_data[_ASIDE] = frozenset(hidden)
    return cast("frozenset[int]", found)


def is_quoted(token: Token) -> bool:
    """Whether the token is inside a quotation."""
    doc = token.doc
    if (found := doc.user_data.get(_QUOTED)) is None:
        quoted: set[int] = set()
        begin: int | None = None
        for each in doc:
            if begin is not None and each.text in _CLOSING:
                if each.i - begin > SHORTEST_QUOTATION:
                    quoted.update(range(begin, each.i))
                begin = None
            elif each.text in _OPENING:
                begin = each.i
        found = doc.user_data[_QUOTED] = frozenset(quoted)
    return token.i in found


def noun_phrase(noun: Token, *, drop: Token | None = None, core: bool = False) -> list[Token]:
    """The noun with its restrictive modifiers, without appositions, asides, brackets and `drop`.

    With `core`, clauses after the noun are left out too.
    """
    kept: list[Token] = []

    def take(token: Token) -> None:
        kept.append(token)
        for child in token.children:
            after = core and child.dep_ in ("relcl", "acl")
            if child != drop and not after and not _remark(child, token):
                take(child)

    take(noun)
    hidden = _aside(noun.doc)
    tokens = sorted((t for t in kept if t.i not in hidden), key=lambda t: t.i)
    while tokens and (ends_nothing(tokens[-1]) or tokens[-1].dep_ in ("cc", "preconj")):
        tokens.pop()
    if len(tokens) > 2 and tokens[-1].dep_ == "amod" and tokens[-2].text == ",":
        tokens = tokens[:-2]  # `the family, smaller and sounding higher`, without what follows
    tokens = _with_conjunctions(_unbroken(tokens))
    if tokens and tokens[0].dep_ == "preconj":
        tokens = tokens[1:]
    while tokens and tokens[0].is_punct and tokens[0].text not in "\"'\u201c\u2018":
        tokens.pop(0)
    return tokens


def _with_conjunctions(tokens: list[Token]) -> list[Token]:
    """The tokens, with each conjunction that stands alone between two of them."""
    filled: list[Token] = []
    for token in tokens:
        if filled and token.i == filled[-1].i + 2 and token.nbor(-1).tag_ == "CC":
            filled.append(token.nbor(-1))
        filled.append(token)
    return filled


def is_cut(tokens: Sequence[Token]) -> bool:
    """Whether the phrase ends or begins within a word, as the parser does at a dash (`sleep\u2013wake`)."""
    doc, first, last = tokens[0].doc, tokens[0], tokens[-1]
    begins = first.i > 0 and not first.nbor(-1).whitespace_ and first.nbor(-1).text in _DASHES
    ends = last.i + 1 < len(doc) and not last.whitespace_ and last.nbor().text in _DASHES
    return begins or (ends and not last.nbor().whitespace_)


def ends_nothing(token: Token) -> bool:
    """Whether the token is punctuation that a phrase does not end with; a per cent sign is a unit."""
    return token.is_punct and token.text != "%" and not is_code(token)


def _unbroken(tokens: list[Token]) -> list[Token]:
    """The tokens, extended by the rest of a hyphenated word at either end (`al-Nimeiry`)."""
    if not tokens:
        return tokens
    doc, first, last = tokens[0].doc, tokens[0].i, tokens[-1].i
    while (
        last + 2 < len(doc)
        and doc[last + 1].text == "-"
        and not (doc[last].whitespace_ or doc[last + 1].whitespace_)
    ):
        last += 2
    while (
        first > 1
        and doc[first - 1].text == "-"
        and not (doc[first - 1].whitespace_ or doc[first - 2].whitespace_)
    ):
        first -= 2
    if first and len(doc[first - 1]) > 1 and doc[first - 1].text.endswith("-"):
        first -= 1  # `London- based`
    return [*doc[first : tokens[0].i], *tokens, *doc[tokens[-1].i + 1 : last + 1]]


def _remark(child: Token, parent: Token) -> bool:
    """Whether the child is an aside that can be left out without changing what the phrase names."""
    if child.dep_ == "appos" and any(c.dep_ == "conj" and c.i > child.i for c in parent.children):
        return False  # one of a list, or so close to one that the list is quoted as it stands
    if child.dep_ == "appos" and child.pos_ == "PROPN" and _is_bare(parent):
        return False  # `by American band, The Lamps`: only the name says which
    if child.dep_ == "appos":  # but for `the physicist Marie Curie`
        return child.i < parent.i or _separates(child.doc[child.left_edge.i - 1])
    if child.dep_ in ("advcl", "mark", "intj", "parataxis", "ccomp"):
        return True
    if child.dep_ == "prep" and child.i > parent.i and child.nbor(-1).text == ",":
        return True
    if child.dep_ in ("relcl", "acl"):
        return child.left_edge.i > 0 and _separates(child.doc[child.left_edge.i - 1])
    if child.dep_ == "conj":
        return child.pos_ in ("VERB", "AUX") and parent.pos_ not in ("VERB", "AUX")
    if child.dep_ == "cc":
        return not any(c.dep_ == "conj" and c.i > child.i and not _remark(c, parent) for c in parent.children)
    if child.dep_ == "advmod":
        return child.left_edge.i > parent.i and child.lower_ in ("also", "however", "too", "therefore")
    return False


def _is_bare(noun: Token) -> bool:
    """Whether it is a single thing without anything that says which."""
    return noun.tag_ == "NN" and not any(c.dep_ in ("det", "poss", "nummod", "predet") for c in noun.children)


def _separates(token: Token) -> bool:
    """Whether the token is a comma or other punctuation, or a dash between words."""
    if token.text in ("\u2014", "\u2013", "-"):
        return bool(token.whitespace_)
    return token.is_punct


def written(tokens: Sequence[Token]) -> str:
    """The tokens as text, with one space where tokens were left out."""
    pieces: list[str] = []
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        pieces.append(token.text)
        if token.whitespace_ or (following is not None and following.i != token.i + 1):
            pieces.append(" ")
    text = " ".join("".join(pieces).split())
    text = re.sub(r"\s+([,.;:)%\u2019])(?=[\s,.;:)]|$)", r"\1", text)
    text = re.sub(r",(?:\s*,)+", ",", text).strip(" ,;:")
    if text.count("(") > text.count(")"):
        text = text[: text.rindex("(")]
    for mark in ('"', "\u201c\u201d"):
        if sum(text.count(c) for c in mark) % 2:
            text = "".join(c for c in text if c not in mark)
    if len(_OPENING_QUOTE.findall(text)) > len(_CLOSING_QUOTE.findall(text)):
        text = _OPENING_QUOTE.sub("", text)
    return text.strip()


def lowered(text: str, first: Token, names: frozenset[str] = frozenset()) -> str:
    """The text without the capital of a sentence start; words in `names` keep their capital."""
    word = first.text
    if not first.is_sent_start or word == "I" or word in names:
        return text
    if word in ("A", "An", "The"):
        return word.lower() + text[len(word) :]
    if word[1:] != word[1:].lower() or not word[1:] or first.ent_type_ in _NAMES:
        return text
    if first.tag_ in ("NN", "NNP") and not lemminflect().getAllLemmas(word.lower()):
        return text  # in no dictionary: a name
    if first.pos_ == "PROPN":
        following = first.nbor() if first.i + 1 < len(first.doc) else None
        if following is None or following.i > first.head.i or not following.text.islower():
            return text
    return text[:1].lower() + text[1:]
