"""Questions about spans inside phrases: names, numbers, dates and nouns that are not arguments of a verb.

The phrase moves to the front with the question word in the span's place (`In the north of which country`), or
strands its preposition (`Which country is Oslo the capital of?`). A span outside every parsed clause is asked
for in the sentence's own words, with a question word or a blank in its place.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from agent.grading import normalise
from agent.learning.questions.askable_spans import (
    MAX_SPAN_WORDS,
    AskableSpan,
    askable_spans,
    time_word,
    word_in_place,
)
from agent.learning.questions.noun_kinds import is_human, kind_of_noun
from agent.learning.questions.question_items import QuestionItem, Style
from agent.learning.questions.wordings import (
    CENTRAL_ROLES,
    REFERS_BACK,
    argument_texts,
    condition_of,
    in_question_order,
    join_words,
    precedes,
    usable_wordings,
)
from memory.ingest.propositions.coreference import CoreferenceResolver
from memory.ingest.propositions.phrases import in_brackets, written
from memory.ingest.propositions.predicates import is_impersonal
from memory.language.clauses import Argument, Clause
from memory.language.question_verbs import inverted
from memory.language.verb_groups import stated
from memory.records.curricula import Form

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

MAX_FRONT_WORDS = 9
"""Longest phrase, in words, that moves to the front of a question."""
MIN_CONTEXT, MAX_CONTEXT = 6, 36
"""Fewest and most words of the clause around the span."""
_STRANDED = frozenset(
    [
        "of",
        "in",
        "on",
        "at",
        "from",
        "for",
        "with",
        "to",
        "by",
        "about",
        "into",
        "through",
        "between",
        "against",
        "over",
        "under",
        "after",
        "as",
    ]
)
"""Prepositions that a question can end with."""


def clause_span_questions(clause: Clause) -> Iterator[QuestionItem]:
    """Questions about spans inside a clause's subject and arguments."""
    if clause.subject is None or clause.existential:
        return
    for inner in askable_spans(clause.subject):
        yield _in_subject(inner, clause)
    for argument in clause.arguments:
        if argument.role in ("adverb", "measure") and argument.phrase.head.pos_ not in ("NOUN", "PROPN"):
            continue
        for inner in askable_spans(argument.phrase):
            yield _in_argument(inner, argument, clause)


def _in_subject(inner: AskableSpan, clause: Clause) -> QuestionItem:
    tail = [stated(clause), *argument_texts(in_question_order(clause.arguments)), condition_of(clause)]
    short = [
        stated(clause),
        *argument_texts([a for a in in_question_order(clause.arguments) if a.role in CENTRAL_ROLES][:1]),
    ]
    wordings: list[tuple[Style, str]] = [("plain", join_words(inner.as_question, *tail) + "?")]
    if len(short) > 1 and len(tail) > len(short) + 1:
        wordings.append(("short", join_words(inner.as_question, *short, condition_of(clause)) + "?"))
    wordings.append(("cloze", join_words(inner.with_blank, *tail) + "."))
    return _item(inner, wordings)


def _in_argument(inner: AskableSpan, argument: Argument, clause: Clause) -> QuestionItem:
    subject, verb, group = clause.subject, stated(clause), inverted(clause)
    assert subject is not None
    around = [a for a in in_question_order(clause.arguments) if a is not argument]
    before = [a.text for a in around if precedes(a, argument)]
    after = [a.text for a in around if not precedes(a, argument)]
    condition = condition_of(clause)
    wordings: list[tuple[Style, str]] = []
    stem = f"{argument.marker} {inner.before}".strip()
    left = stem.split()[-1].lower() if stem else ""
    strands = not inner.after and (
        left in _STRANDED or (argument.role == "infinitive" and bool(inner.before))
    )
    if strands and argument.role in ("object", "complement", "infinitive") and not after:
        wordings.append(
            (
                "plain",
                join_words(inner.word, group.front, subject.text, group.rest, *before, stem, condition) + "?",
            )
        )
        wordings.append(("embedded", f"Tell me {join_words(inner.word, subject.text, verb, *before, stem)}."))
    front = f"{argument.marker} {inner.as_question}".strip()
    movable = argument.role in ("prepositional", "object", "complement", "agent") and not clause.copula
    opens = inner.as_question.split()[0].lower()
    heavy = argument.role == "object" and inner.before
    if (
        inner.direct
        and (movable or (clause.copula and argument.role == "prepositional"))
        and (len(front.split()) <= (5 if heavy else MAX_FRONT_WORDS) and opens not in ("a", "an"))
    ):
        rest = [*before, *after, condition]
        wordings.append(("plain", join_words(front, group.front, subject.text, group.rest, *rest) + "?"))
        central = [a.text for a in around if a.role in CENTRAL_ROLES][:1]
        if len(around) > len(central):
            wordings.append(
                ("short", join_words(front, group.front, subject.text, group.rest, *central, condition) + "?")
            )
    with_blank = f"{argument.marker} {inner.with_blank}".strip()
    wordings.append(("echo", join_words(subject.text, verb, *before, front, *after, condition) + "?"))
    wordings.append(("cloze", join_words(subject.text, verb, *before, with_blank, *after, condition) + "."))
    return _item(inner, wordings)


def _item(inner: AskableSpan, wordings: list[tuple[Style, str]]) -> QuestionItem:
    return QuestionItem(inner.form, inner.answer, inner.start, inner.end, usable_wordings(wordings))


def sentence_span_questions(
    sentence: Span, covered_answers: Collection[str], referents: CoreferenceResolver
) -> Iterator[QuestionItem]:
    """Questions about the sentence's spans whose normalised text is in none of the `covered_answers`."""
    if sentence.text.rstrip().endswith((":", "?")):
        return
    covered = {f" {answer} " for answer in covered_answers if len(answer.split()) <= MAX_SPAN_WORDS}
    for span, word, form in _spans(sentence):
        answer = written(list(span))
        key = normalise(answer)
        if not key or any(f" {key} " in known for known in covered) or len(answer.split()) > MAX_SPAN_WORDS:
            continue
        context = next(
            (
                text
                for verb in _verbs_above(span)
                for text in _contexts(verb, span, referents)
                if len(re.findall(rf"(?<![\w'\u2019-]){re.escape(answer)}(?![\w'\u2019-])", text)) == 1
            ),
            None,
        )
        if context is None:
            continue
        match = re.search(rf"(?<![\w'\u2019-]){re.escape(answer)}(?![\w'\u2019-])", context)
        assert match is not None
        before, after = context[: match.start()], context[match.end() :]
        stem = before.rstrip()
        if stem.lower().endswith((" a", " an", " the")) or stem.lower() in ("a", "an", "the"):
            stem = stem.rpartition(" ")[0]
        if after.startswith((" of ", " who ", " that ", " which ", "-")) and word in ("what", "who"):
            continue
        if word == "what" and "," in after and "," not in before:
            continue  # the span precedes the subject
        styles: list[tuple[Style, str]] = [("echo", f"{stem} {word}{after}?".strip())]
        wordings = usable_wordings([*styles, ("cloze", f"{before}____{after}.")], most=MAX_CONTEXT)
        if wordings:
            covered.add(f" {key} ")
            yield QuestionItem(form, answer, span.start_char, span.end_char, wordings)


def _verbs_above(span: Span) -> Iterator[Token]:
    """The main verbs above the span in the parse, nearest first, up to the root."""
    node = span.root
    while True:
        if node.pos_ in ("VERB", "AUX") and node.i not in range(span.start, span.end):
            subject = next((c for c in node.children if c.dep_ in ("nsubj", "nsubjpass")), None)
            main = node.dep_ == "ROOT" or (
                node.dep_ == "conj" and node.head.dep_ == "ROOT" and subject is not None
            )
            named = any(t.pos_ in ("NOUN", "PROPN") for t in node.sent if t.i < node.i)
            named = named or any(c.dep_ == "expl" and c.lower_ == "there" for c in node.children)
            if main and named and (subject is None or not is_impersonal(subject, node)):
                yield node
        if node.head == node:
            return
        node = node.head


def _contexts(verb: Token, span: Span, referents: CoreferenceResolver) -> Iterator[str]:
    """The text of the verb's clause: whole, then without asides that do not contain the span."""
    hidden = in_brackets(verb.sent)
    whole = [t for t in verb.subtree if t.i not in hidden]
    asides = [t for t in whole if t != verb and _is_aside(t) and not _contains_span(t, span)]
    dropped = {t.i for aside in asides for t in aside.subtree}
    for tokens in (whole, [t for t in whole if t.i not in dropped]):
        tokens = _trimmed(tokens)
        subject = next((c for c in verb.children if c.dep_ in ("nsubj", "nsubjpass")), None)
        owned = [t for t in tokens if t.dep_ == "poss" and t.pos_ == "PRON"]
        after = subject is not None and subject.pos_ != "PRON" and all(t.i > subject.i for t in owned)
        text = referents.resolved(tokens, subject=not (owned and after)) if tokens else None
        if text is None:
            continue
        if REFERS_BACK.match(text) or re.search(r"\bas with\b|[;\u2013\u2014:]| - ", text):
            continue
        text = re.sub(r"\s*,(?:\s*,)+", ",", text).strip(" ,;:")
        relative = any(t.tag_ in ("WDT", "WP") and t.head == verb for t in tokens)
        if MIN_CONTEXT <= len(text.split()) <= MAX_CONTEXT and not relative:
            yield text


def _is_aside(token: Token) -> bool:
    """Whether the clause is complete without the token's subtree."""
    if token.dep_ in ("advcl", "parataxis", "appos"):
        return True
    comma = token.left_edge.i > token.sent.start and token.doc[token.left_edge.i - 1].text in (
        ",",
        ";",
        "\u2014",
    )
    if token.dep_ == "conj":
        return token.pos_ in ("VERB", "AUX") and token.head.pos_ in ("VERB", "AUX")
    return token.dep_ in ("relcl", "acl", "prep") and comma and token.i > token.head.i


def _contains_span(token: Token, span: Span) -> bool:
    return any(t.i in range(span.start, span.end) for t in token.subtree)


def _trimmed(tokens: list[Token]) -> list[Token]:
    while tokens and (tokens[-1].is_punct or tokens[-1].dep_ == "cc"):
        tokens.pop()
    while tokens and (tokens[0].is_punct or tokens[0].dep_ in ("cc", "mark") or tokens[0].tag_ == "WRB"):
        tokens.pop(0)
    return [t for i, t in enumerate(tokens) if not (t.dep_ == "cc" and _lost_conjunct(tokens, i))]


def _lost_conjunct(tokens: list[Token], index: int) -> bool:
    """Whether nothing follows a conjunction that it could join."""
    next_token = tokens[index + 1] if index + 1 < len(tokens) else None
    return next_token is None or next_token.is_punct


def _spans(sentence: Span) -> Iterator[tuple[Span, str, Form]]:
    """Names, numbers, dates and noun phrases, each with its question word and form."""
    doc = sentence.doc
    for token in sentence:
        if token.dep_ == "nummod" and token.head.i > token.i and token.like_num and token.ent_type_ != "DATE":
            yield doc[token.left_edge.i : token.i + 1], "how many", "how_many"
    for entity in sentence.ents:
        if entity.label_ in ("DATE", "TIME") and (time := time_word(entity.root)):
            yield entity, time[0], "when"
        elif entity.label_ in ("PERCENT", "MONEY"):
            yield entity, "what percentage" if entity.label_ == "PERCENT" else "how much money", "how_much"
    for chunk in sentence.noun_chunks:
        root = chunk.root
        listed = root.dep_ == "conj" or any(c.dep_ == "conj" for c in root.children)
        if listed and root.dep_ != "conj" and (whole := _list(root)) is not None:
            if is_human(root):
                yield whole, "who", "who"
            else:
                yield whole, "what", "what"
        if root.pos_ == "PRON" or (listed and root.pos_ != "PROPN"):
            continue
        first = chunk.start
        while first < chunk.end - 1 and doc[first].dep_ in ("det", "poss", "case", "punct"):
            first += 1
        telling = chunk.end - first > 1 or root.pos_ == "PROPN" or root.ent_type_ or root.dep_ == "pobj"
        plain: tuple[str, Form] = ("what", "what")
        word = plain if listed and not is_human(root) and not kind_of_noun(root) else word_in_place(root)
        if telling and word:
            yield doc[first : chunk.end], "who" if word[0] == "whom" else word[0], word[1]


def _list(root: Token) -> Span | None:
    """The span of nouns coordinated with the first one: `Bergen, Lund and Oslo`."""
    last = root
    while following := [c for c in last.children if c.dep_ == "conj" and c.pos_ in ("NOUN", "PROPN")]:
        last = following[-1]
    first = root.left_edge
    while first.dep_ in ("det", "punct", "preconj") and first.i < root.i:
        first = first.nbor()
    inner = root.doc[first.i : last.i + 1]
    plain = all(t.pos_ in ("NOUN", "PROPN", "ADJ", "CCONJ", "PUNCT", "DET", "NUM") for t in inner)
    return inner if last != root and plain else None
