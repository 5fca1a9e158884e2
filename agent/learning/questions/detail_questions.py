"""Questions about details of a clause: counts, kinds, conditions, existence, instructions, yes or no."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.learning.questions import question_words
from agent.learning.questions.askable_spans import tells_kind
from agent.learning.questions.question_items import QuestionItem
from agent.learning.questions.question_words import QuestionPhrase
from agent.learning.questions.wordings import (
    CENTRAL_ROLES,
    MAX_ANSWER_WORDS,
    argument_texts,
    condition_of,
    in_question_order,
    join_words,
    make_item,
    wordings_of,
)
from memory.language.clauses import Argument, Clause, Phrase
from memory.language.question_verbs import inverted
from memory.language.verb_groups import base_form, stated

if TYPE_CHECKING:
    pass


MAX_CHOICE_WORDS = 16
"""Longest yes-or-no question, in words."""


def count_questions(phrase: Phrase, clause: Clause, argument: Argument | None) -> Iterator[QuestionItem]:
    """How many of the phrase's noun there are."""
    counted = question_words.count_of(phrase.head)
    if counted is None or clause.subject is None:
        return
    numeral, _ = counted
    if not re.match(rf"(?:the |its |their |his |her )?{re.escape(numeral)}\b", phrase.text):
        return
    if phrase.text.lower().startswith("the ") and any(c.tag_ in ("JJS", "RBS") for c in phrase.head.children):
        return  # `the five oldest ships`: the number only identifies them
    things = phrase.text[phrase.text.index(numeral) + len(numeral) :].strip()
    much = "how many"
    start = phrase.start + max(0, clause.sentence.doc.text[phrase.start : phrase.end].find(numeral))
    span = Phrase(numeral, phrase.head, start, start + len(numeral))
    if not things or "$" in numeral or "%" in things[:2]:
        return
    if argument is None:
        tail = [*argument_texts(in_question_order(clause.arguments)), condition_of(clause)]
        yield make_item("how_many", span, [
            ("plain", join_words(much, things, stated(clause), *tail) + "?"),
            ("embedded", f"Tell me {join_words(much, things, stated(clause), *tail)}."),
            ("cloze", join_words("____", things, stated(clause), *tail) + "."),
        ])  # fmt: skip
        return
    question_phrase = QuestionPhrase(f"{argument.marker} {much} {things}".strip(), "how_many")
    wordings = [
        w
        for w in wordings_of(argument, clause, (question_phrase,))
        if w[0] in ("plain", "short", "embedded", "passive")
    ]
    subject, verb = clause.subject.text, stated(clause)
    around = [
        a.text for a in in_question_order(clause.arguments) if a is not argument and a.role in CENTRAL_ROLES
    ]
    wordings.append(("echo", join_words(subject, verb, *around, f"{argument.marker} {much} {things}") + "?"))
    wordings.append(("cloze", join_words(subject, verb, *around, f"{argument.marker} ____ {things}") + "."))
    yield make_item("how_many", span, wordings)


def kind_questions(argument: Argument, clause: Clause) -> Iterator[QuestionItem]:
    """What kind of thing: `blue ribbons` answers what kind of ribbons."""
    head = argument.phrase.head
    modifiers = [c for c in head.children if c.dep_ in ("amod", "compound") and c.i == head.i - 1]
    if argument.role not in ("object", "prepositional", "complement") or not modifiers or head.pos_ != "NOUN":
        return
    if argument.phrase.text.split()[0].lower() in ("the", "this", "its", "his", "her", "their"):
        return
    if not tells_kind(modifiers[0]):
        return
    if modifiers[0].ent_type_ in ("DATE", "CARDINAL", "ORDINAL") or any(
        c.dep_ == "conj" for c in head.children
    ):
        return
    if len(argument.phrase.text.split()) > 6:
        return
    question_phrase = QuestionPhrase(f"{argument.marker} what kind of {head.text}".strip(), "which")
    plain = [w for w in wordings_of(argument, clause, (question_phrase,)) if w[0] in ("plain", "embedded")]
    if plain:
        yield make_item(
            question_words.for_argument(argument)[0].form
            if question_words.for_argument(argument)
            else "which",
            argument.phrase,
            plain,
        )


def condition_questions(clause: Clause) -> Iterator[QuestionItem]:
    """When something happens, and what happens then, for `If the tank is empty, the pump stops.`"""
    if clause.condition is None or clause.subject is None or clause.past:
        return
    subject, group, condition = clause.subject.text, inverted(clause), clause.condition
    others = argument_texts(in_question_order(clause.arguments))
    main_clause = join_words(subject, stated(clause), *others)
    when = Phrase(condition.text, condition.phrase.head, condition.phrase.start, condition.phrase.end)
    if len(condition.text.split()) <= MAX_ANSWER_WORDS:
        yield make_item("when", when, [
            ("plain", join_words("when", group.front, subject, group.rest, *others) + "?"),
            ("plain", join_words("under what condition", group.front, subject, group.rest, *others) + "?"),
            ("embedded", f"Tell me when {main_clause}."),
        ])  # fmt: skip
    if len(main_clause.split()) <= MAX_ANSWER_WORDS and condition.marker in (
        "if",
        "when",
        "whenever",
        "once",
    ):
        start, end = clause.subject.start, clause.verb.idx + len(clause.verb)
        ends = [a.phrase.end for a in clause.arguments if not a.fronted]
        then = Phrase(main_clause, clause.verb, start, max([end, *ends]))
        yield make_item("what", then, [
            ("plain", f"What happens {condition.text}?"),
            ("plain", f"What will happen {condition.text}?"),
            ("embedded", f"Tell me what happens {condition.text}."),
        ])  # fmt: skip


def existence_questions(clause: Clause) -> Iterator[QuestionItem]:
    """How many there are, for `There are two bridges in Lund.`"""
    subject = clause.subject
    assert subject is not None
    counted = question_words.count_of(subject.head)
    if counted is None:
        return
    numeral, _ = counted
    if numeral not in subject.text:
        return
    things = subject.text[subject.text.index(numeral) + len(numeral) :].strip()
    group = inverted(clause)
    rest = argument_texts(clause.arguments)
    start = subject.start + max(0, clause.sentence.doc.text[subject.start : subject.end].find(numeral))
    yield make_item("how_many", Phrase(numeral, subject.head, start, start + len(numeral)), [
        ("plain", join_words("how many", things, group.front, "there", group.rest, *rest) + "?"),
        ("embedded", f"Tell me {join_words('how many', things, 'there', stated(clause), *rest)}."),
        ("echo", join_words("there", stated(clause), "how many", things, *rest) + "?"),
        ("cloze", join_words("there", stated(clause), "____", things, *rest) + "."),
    ])  # fmt: skip


def instruction_questions(clause: Clause) -> Iterator[QuestionItem]:
    """What to do and how, for instructions such as `To do X, use Y.`"""
    target = clause.first("object")
    purpose = next((a for a in clause.arguments if a.role == "adverbial" and a.marker == "to"), None)
    goal = purpose.text if purpose else condition_of(clause)
    if target is None or not goal or clause.negated:
        return
    others = [a.text for a in in_question_order(clause.arguments) if a not in (target, purpose)]
    verb = join_words(base_form(clause.verb), clause.particle)
    if len(target.phrase.text.split()) <= MAX_ANSWER_WORDS:
        yield make_item("what", target.phrase, [
            ("plain", join_words("what should you", verb, *others, goal) + "?"),
            ("plain", join_words("what do you", verb, *others, goal) + "?"),
            ("embedded", f"Tell me {join_words('what to', verb, *others, goal)}."),
            ("cloze", join_words(verb, "____", *others, goal) + "."),
        ])  # fmt: skip
    instruction = join_words(verb, target.phrase.text, *others)
    if purpose is not None and len(instruction.split()) <= MAX_ANSWER_WORDS + 4:
        purpose_text = purpose.phrase.text
        whole = Phrase(instruction, clause.verb, min(clause.verb.idx, target.phrase.start), target.phrase.end)
        yield make_item("how", whole, [
            ("plain", f"How do you {purpose_text}?"),
            ("plain", f"How can I {purpose_text}?"),
            ("embedded", f"Tell me how to {purpose_text}."),
            ("echo", f"What should you do to {purpose_text}?"),
        ])  # fmt: skip


def yes_no_questions(clause: Clause) -> Iterator[QuestionItem]:
    """A yes-or-no question; the answer is no if the clause is negated."""
    subject = clause.subject
    assert subject is not None
    if not any(
        a.role in ("object", "complement", "adjective", "prepositional", "infinitive")
        for a in clause.arguments
    ):
        return
    affirmed = inverted(_affirmed(clause)) if clause.negated else inverted(clause)
    tail = [*argument_texts(in_question_order(clause.arguments)), condition_of(clause)]
    text = join_words(affirmed.front, subject.text, affirmed.rest, *tail)
    if len(text.split()) > MAX_CHOICE_WORDS or "," in text:
        return
    answer = "No" if clause.negated else "Yes"
    start, end = clause.sentence.start_char, clause.sentence.end_char
    yield make_item("yes_no", Phrase(answer, clause.verb, start, end), [("plain", text + "?")])


def _affirmed(clause: Clause) -> Clause:
    auxiliaries = clause.auxiliaries
    if clause.negated and auxiliaries[:1] in (("do",), ("does",), ("did",)):
        auxiliaries = auxiliaries[1:]
        return replace(clause, negation="", auxiliaries=auxiliaries, past=clause.auxiliaries[0] == "did")
    return replace(clause, negation="")
