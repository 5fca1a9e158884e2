"""Finds spans inside a phrase to ask for (names, numbers, dates, nouns), each with its question word.

`the capital of France` gives `the capital of which country`, which a question then moves to its front.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from agent.grading import normalise
from agent.learning.questions.noun_kinds import is_human, kind_of_noun, words_of_description
from memory.ingest.propositions.coreference import points_elsewhere
from memory.ingest.propositions.phrases import in_brackets, noun_phrase, written
from memory.language.clauses import Phrase
from memory.records.curricula import Form

if TYPE_CHECKING:
    from spacy.tokens import Token

MAX_SPAN_WORDS = 8
YEAR = re.compile(r"\b(?:1\d{3}|20\d\d)\b")
_AMOUNTS = {"PERCENT": "what percentage", "MONEY": "how much", "QUANTITY": "how much"}
_KIND_ENDINGS = re.compile(r"(?:al|ic|an|ar|ary|ese|ish|ist|ian|based|oriented|like|fold|scale)$")
_WEIGHED = frozenset(
    [
        "real",
        "main",
        "local",
        "general",
        "total",
        "final",
        "special",
        "typical",
        "usual",
        "particular",
        "several",
        "critical",
        "essential",
        "crucial",
        "substantial",
        "central",
        "actual",
        "additional",
        "original",
        "principal",
        "similar",
        "popular",
        "necessary",
        "various",
        "previous",
        "official",
        "initial",
        "overall",
        "traditional",
        "primary",
        "certain",
        "human",
        "big",
        "huge",
        "large",
        "small",
        "great",
        "important",
        "critical",
        "radical",
        "own",
        "dramatic",
        "drastic",
        "fantastic",
        "significant",
        "equal",
        "crucial",
        "integral",
        "normal",
        "basic",
        "specific",
        "unusual",
        "individual",
        "annual",
        "partial",
        "temporary",
        "regular",
        "potential",
        "eventual",
        "gradual",
    ]
)
"""Adjectives that evaluate a thing rather than state its kind."""


class AskableSpan(NamedTuple):
    """A span of a phrase, with the phrase's text around it and with a blank in its place."""

    answer: str
    start: int
    end: int
    form: Form
    word: str
    """The question word."""
    before: str
    after: str
    """The phrase's text before and after the span."""
    with_blank: str
    """The phrase with a blank in the span's place."""
    direct: bool
    """Whether it depends on the phrase's head noun, so that the phrase can move with it."""

    @property
    def as_question(self) -> str:
        """The phrase with the question word in the span's place."""
        return " ".join(part for part in (self.before, self.word, self.after) if part)


def askable_spans(phrase: Phrase) -> Iterator[AskableSpan]:
    """The distinct spans inside a phrase, in order, without the phrase itself."""
    seen = {normalise(phrase.text)}
    hidden = in_brackets(phrase.head.sent)
    for token in phrase.head.subtree:
        if token.i in hidden or not phrase.start <= token.idx < phrase.end:
            continue
        for span in _spans_at(token, phrase):
            key = normalise(span.answer)
            if key and key not in seen and len(span.answer.split()) <= MAX_SPAN_WORDS:
                seen.add(key)
                yield span


def _spans_at(token: Token, phrase: Phrase) -> Iterator[AskableSpan]:
    if token.dep_ == "nummod" and token.i < token.head.i and token.ent_type_ != "DATE":
        yield from _number_span(token, phrase)
    elif token.dep_ == "poss" and token.pos_ in ("PROPN", "NOUN"):
        yield from _owner_span(token, phrase)
    elif (
        token.dep_ in ("pobj", "dobj", "attr")
        and token != phrase.head
        and token.pos_ in ("NOUN", "PROPN", "NUM", "SYM")
    ):
        yield from _noun_span(token, phrase)
    elif token.dep_ in ("amod", "compound") and token.i == token.head.i - 1:
        yield from _kind_span(token, phrase)
    if token == phrase.head or token.dep_ in ("pobj", "dobj"):
        yield from _amount_span(token, phrase)
        yield from _described_span(token, phrase)


def _number_span(token: Token, phrase: Phrase) -> Iterator[AskableSpan]:
    head = token.head
    if head.ent_type_ in ("DATE", "TIME", "PERCENT", "MONEY") or not token.like_num or head.tag_ == "CD":
        return
    numeral = written(sorted(token.subtree, key=lambda t: t.i))
    yield from _unique_span(numeral, numeral, "how many", "how_many", token, phrase, articles=True)


def _owner_span(token: Token, phrase: Phrase) -> Iterator[AskableSpan]:
    tokens = noun_phrase(token)
    if not any(t.dep_ != "case" for t in tokens) or (token.pos_ == "NOUN" and not is_human(token)):
        return
    text = re.sub(r"['\u2019]s?$", "", written([t for t in tokens if t.dep_ != "case"]))
    mark = next((c.text for c in token.children if c.dep_ == "case"), "")
    if mark and not any(points_elsewhere(t) for t in tokens):
        yield from _unique_span(text, text + mark, "whose", "who", token, phrase)


def _noun_span(token: Token, phrase: Phrase) -> Iterator[AskableSpan]:
    if token.dep_ == "pobj" and token.head.lower_ in ("than", "like", "including", "as", "per", "such"):
        return
    name = next((e for e in token.doc.ents if e.start <= token.i < e.end), None)
    if name is not None and name.root != token and name.label_ not in ("DATE", "TIME"):
        return  # part of a longer name: the Bank of Lower Saxony
    described = any(c.dep_ in ("det", "poss", "compound", "amod", "nummod") for c in token.children)
    if not described and token.tag_ == "NN" and not token.ent_type_:
        return  # `by default`, `on loan`
    for tokens in (noun_phrase(token), noun_phrase(token, core=True)):
        text = written(tokens) if tokens else ""
        if not text or any(points_elsewhere(t) for t in tokens) or len(text.split()) > MAX_SPAN_WORDS:
            continue
        if word_and_form := word_in_place(token):
            yield from _unique_span(text, text, *word_and_form, token, phrase)
        return


def _kind_span(token: Token, phrase: Phrase) -> Iterator[AskableSpan]:
    """`Romanesque` in `Romanesque arches`, asked for by `what kind of arches`."""
    head = token.head
    if head.pos_ != "NOUN" or head.ent_type_ or head.dep_ == "compound" or not tells_kind(token):
        return
    if any(c.dep_ == "advmod" for c in token.children):
        return
    if head.dep_ == "conj" or any(c.dep_ == "conj" for c in [*head.children, *token.children]):
        return
    first = next((t for t in head.subtree if t.dep_ in ("det", "poss", "nummod", "amod", "compound")), token)
    if first not in (token, token.left_edge) and not (
        first.dep_ == "det" and first.i == token.left_edge.i - 1
    ):
        return
    text = written(list(head.doc[token.left_edge.i : head.i + 1]))
    whole = written(list(head.doc[first.i : head.i + 1]))
    yield from _unique_span(text, whole, f"what kind of {head.text}", "which", token, phrase)


def tells_kind(token: Token) -> bool:
    """Whether a modifier states the kind of a thing, not its quality or size."""
    word = token.lower_
    if word in _WEIGHED or token.ent_type_ in ("DATE", "CARDINAL", "ORDINAL", "TIME", "PERCENT", "MONEY"):
        return False
    if token.tag_ in ("JJR", "JJS", "VBN", "VBG") or word.endswith("ed"):
        return False
    if token.dep_ == "compound":
        return token.pos_ == "NOUN" and token.text.islower() and len(word) > 2
    return bool(_KIND_ENDINGS.search(word)) or token.ent_type_ == "NORP"


def _amount_span(token: Token, phrase: Phrase) -> Iterator[AskableSpan]:
    """`75%` in `75% of the seats`, asked for by `what percentage of the seats`."""
    entity = next((e for e in token.doc.ents if e.start <= token.i < e.end), None)
    if entity is None or entity.label_ not in _AMOUNTS:
        return
    text = re.sub(r"^(?:the|The|an?) ", "", entity.text)
    word = _AMOUNTS[entity.label_]
    following = token.nbor() if token.i + 1 < len(token.doc) else None
    if entity.label_ == "QUANTITY" or (
        entity.label_ == "MONEY" and following is not None and following.lower_ == "of"
    ):
        return
    yield from _unique_span(text, entity.text, word, "how_much", token, phrase)


def _described_span(token: Token, phrase: Phrase) -> Iterator[AskableSpan]:
    """`Orrin` in `the animation company Orrin`, asked for by `which animation company`."""
    name, word = kind_and_name(token)
    if name:
        yield from _unique_span(name, f"{word} {name}", f"which {word}", "which", token, phrase)


def kind_and_name(head: Token) -> tuple[str, str]:
    """The name and the description in front of it; both empty if there is no description."""
    before = words_of_description(head)
    if not before or any(c.dep_ == "conj" for c in head.children):
        return "", ""
    name = written(list(head.doc[before[-1].i + 1 : head.i + 1]))
    return name, written(before)


def word_in_place(head: Token) -> tuple[str, Form] | None:
    """Question word and form for a noun within its sentence."""
    several = any(c.dep_ == "conj" for c in head.children)
    label = head.ent_type_
    if label in ("DATE", "TIME"):
        return time_word(head)
    if label in ("PERCENT", "MONEY"):
        return _AMOUNTS[label], "how_much"
    if label in ("CARDINAL", "QUANTITY", "ORDINAL"):
        return None
    if several and label != "PERSON":
        return ("whom", "who") if is_human(head) else ("what", "what")
    kind = kind_of_noun(head)
    if is_human(head):
        return ("which person", "who") if label == "PERSON" or head.pos_ == "PROPN" else ("whom", "who")
    if kind:
        return f"which {kind}", "where" if label in ("GPE", "LOC", "FAC") else "which"
    return "what", "what"


def time_word(head: Token) -> tuple[str, Form] | None:
    """Question word and form for a date or time, such as `what year`; None if too general."""
    entity = next((e for e in head.doc.ents if e.start <= head.i < e.end), None)
    text = (entity.text if entity is not None else head.text).lower()
    if re.fullmatch(r"(?:1\d{3}|20\d\d)", text):
        return "what year", "when"
    if "centur" in text:
        return "which century", "when"
    if re.search(r"\b\d{2,4}s\b", text):
        return "which decade", "when"
    if re.search(r"\b(?:spring|summer|autumn|winter)\b", text):
        return "which season", "when"
    if (
        re.search(r"\b\d{1,2}\b", text)
        and YEAR.search(text)
        and re.search(r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)", text)
    ):
        return "what date", "when"
    return None


def _unique_span(
    answer: str,
    replaced: str,
    word: str,
    form: Form,
    token: Token,
    phrase: Phrase,
    *,
    articles: bool = False,
) -> Iterator[AskableSpan]:
    """The span, if it occurs in the phrase's text exactly once as whole words."""
    places = [m.start() for m in re.finditer(rf"(?<![\w-]){re.escape(replaced)}(?![\w-])", phrase.text)]
    if not answer or len(places) != 1 or answer == phrase.text:
        return
    before, after = phrase.text[: places[0]].rstrip(), phrase.text[places[0] + len(replaced) :].strip()
    if articles or word.startswith(("what kind", "which", "what")):
        before = re.sub(r"(?:^|(?<=\s))(?:the|an?)$", "", before, flags=re.IGNORECASE).rstrip()
    if word in ("what", "whom") and after.startswith(("of ", "who ", "that ", "which ")):
        return
    if re.match(r"(?:no|his|her|its|their|my|our)\b", answer):
        return
    if re.search(r"\.:\d|--", answer):
        return
    if after.startswith(("-", "'", "\u2019", ")")) or before.endswith(("-", "(", "$")):
        return
    at = phrase.head.doc.text.find(answer, max(phrase.start, token.left_edge.idx), phrase.end + 1)
    start = at if at >= 0 else token.idx
    gap = replaced.replace(answer, "____", 1)
    with_blank = f"{phrase.text[: places[0]]}{gap}{phrase.text[places[0] + len(replaced) :]}"
    after_of = token.dep_ == "pobj" and token.head.lower_ == "of" and token.head.head == phrase.head
    direct = token.head == phrase.head or token == phrase.head or after_of
    yield AskableSpan(answer, start, start + len(answer), form, word, before, after, with_blank, direct)
