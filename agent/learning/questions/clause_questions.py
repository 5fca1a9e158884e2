"""Generates all questions that one clause answers: about subject, arguments, counts, and yes or no."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from agent.learning.questions import question_words
from agent.learning.questions.detail_questions import (
    condition_questions,
    count_questions,
    existence_questions,
    instruction_questions,
    kind_questions,
    yes_no_questions,
)
from agent.learning.questions.nested_questions import clause_span_questions
from agent.learning.questions.question_items import QuestionItem, Style
from agent.learning.questions.wordings import (
    CENTRAL_ROLES,
    GENERIC_SUBJECTS,
    MAX_ANSWER_WORDS,
    POSSESSIVES,
    REFERS_BACK,
    argument_texts,
    condition_of,
    in_question_order,
    join_words,
    make_item,
    wordings_of,
)
from memory.language.clauses import Apposition, Argument, Clause, Phrase
from memory.language.question_verbs import active, inverted, of_whom, passive
from memory.language.verb_groups import base_form, stated
from memory.records.curricula import Form


def clause_questions(clause: Clause) -> Iterator[QuestionItem]:
    """All questions of the clause, the most informative first."""
    if clause.subject is None:
        yield from instruction_questions(clause)
        return
    if clause.existential:
        yield from existence_questions(clause)
        return
    if not is_self_contained(clause):
        return
    yield from _subject_questions(clause)
    yield from condition_questions(clause)
    for argument in clause.arguments:
        yield from _argument_questions(argument, clause)
    yield from clause_span_questions(clause)
    yield from yes_no_questions(clause)


def apposition_questions(apposition: Apposition) -> Iterator[QuestionItem]:
    """Who or what the named thing is, and the reverse, for `Pedanius Dioscorides, a Greek physician`."""
    name, description = apposition.name, apposition.description
    if re.fullmatch(r"the (?:[\w-]+ ){0,3}[\w-]+", description.text) or REFERS_BACK.match(description.text):
        return  # `the saint, Monica` identifies, but does not describe
    word = "who" if question_words.is_human(description) or question_words.is_human(name) else "what"
    be = "are" if name.head.tag_ in ("NNS", "NNPS") else "is"
    yield make_item("definition", description, [
        ("plain", f"{word} {be} {name.text}?"),
        ("embedded", f"Tell me {word} {name.text} {be}."),
        ("echo", f"{name.text} {be} {word}?"),
        ("cloze", f"{name.text} {be} ____."),
    ])  # fmt: skip
    if description.text.lower().startswith(("the ", "its ", "his ", "her ")) or "'s " in description.text:
        yield make_item("reverse", name, [
            ("plain", f"{word} {be} {description.text}?"),
            ("embedded", f"Tell me {word} {description.text} {be}."),
            ("echo", f"{description.text} {be} {word}?"),
        ])  # fmt: skip


def predicate_text(clause: Clause) -> str:
    """The clause without its subject."""
    verb = stated(clause) if clause.subject else base_form(clause.verb)
    return join_words(
        verb, *argument_texts(clause.arguments), clause.condition.text if clause.condition else ""
    )


def is_self_contained(clause: Clause) -> bool:
    """Whether the subject is complete and can be understood without the preceding text."""
    subject = clause.subject
    assert subject is not None
    if REFERS_BACK.match(subject.text) or _is_misparsed(clause):
        return False
    several = subject.head.tag_ in ("NNS", "NNPS", "CD", "PRP", "JJ", "DT") or re.search(
        r"\b(?:and|or|number|majority|variety|range|team|staff|police|people|family|pair|group|half|percent|cent"
        r"|you|we|they|%)\b",
        subject.text,
    )
    plural = clause.auxiliaries[:1] in (("are",), ("were",), ("have",)) or (
        clause.copula and not clause.auxiliaries and clause.verb.lower_ in ("are", "were")
    )
    return bool(several) or not plural or subject.head.pos_ == "PRON"


_ONCE = frozenset({"to", "of", "with", "by", "from", "as", "for", "into"})


def _is_misparsed(clause: Clause) -> bool:
    """Whether a measure precedes an object or a preposition occurs twice, which indicates a wrong parse."""
    first, second = clause.first("measure"), clause.first("object")
    markers = [a.marker for a in clause.arguments if a.role == "prepositional" and a.marker in _ONCE]
    if len(markers) > len(set(markers)):
        return True
    return (
        first is not None
        and second is not None
        and not first.fronted
        and first.phrase.start < second.phrase.start
    )


def _subject_questions(clause: Clause) -> Iterator[QuestionItem]:
    subject = clause.subject
    assert subject is not None
    others = argument_texts(in_question_order(clause.arguments))
    if not others or len(subject.text.split()) > MAX_ANSWER_WORDS or subject.text.lower() in GENERIC_SUBJECTS:
        return
    if clause.copula and clause.first("infinitive"):
        return
    if subject.head.pos_ == "PRON":
        return
    forms = question_words.for_subject(subject, acts=not clause.passive and not clause.copula)
    word, form = forms[0].word, forms[0].form
    condition = condition_of(clause)
    statement = join_words(of_whom(clause), *others, condition)
    wordings: list[tuple[Style, str]] = [("plain", f"{question.word} {statement}?") for question in forms]
    wordings += [("passive", text) for text in _other_voice_questions(word, clause)]
    named = next((question.word[6:] for question in forms if question.word.startswith("which ")), "")
    if named and named != "person" and not clause.copula:
        wordings.append(("plain", f"What is the name of the {named} that {statement}?"))
    central = argument_texts([a for a in clause.arguments if a.role in CENTRAL_ROLES][:1])
    if central and len(others) > 1:
        wordings.append(("short", join_words(word, of_whom(clause), *central, condition) + "?"))
    wordings.append(("embedded", f"Tell me {word} {statement}."))
    wordings.append(("cloze", f"____ {join_words(stated(clause), *others, condition)}."))
    yield make_item("reverse" if clause.copula and clause.first("complement") else form, subject, wordings)
    yield from count_questions(subject, clause, None)


def _other_voice_questions(word: str, clause: Clause) -> Iterator[str]:
    """The subject question in the other voice: `Who built X?` -> `By whom was X built?`, and the reverse."""
    if (group := passive(clause)) is not None and not POSSESSIVES.search(
        " ".join(argument_texts(clause.arguments))
    ):
        target = clause.first("object")
        assert target is not None, "only a clause with an object has a passive"
        others = [a for a in in_question_order(clause.arguments) if a is not target]
        rest = argument_texts(others)
        if word == "who":
            yield join_words("by whom", group.front, target.phrase.text, group.rest, *rest) + "?"
        if not any(a.marker == "by" for a in others):
            yield join_words(word, group.front, target.phrase.text, group.rest, "by", *rest) + "?"
    agent = clause.first("agent")
    if agent is not None and active(clause) is not None and not _starts_with_possessive(agent):
        rest = argument_texts([a for a in in_question_order(clause.arguments) if a is not agent])
        do = "did" if clause.past else "do" if _is_plural_phrase(agent.phrase) else "does"
        yield join_words(word, do, agent.phrase.text, clause.adverbs, base_form(clause.verb), *rest) + "?"


def _argument_questions(argument: Argument, clause: Clause) -> Iterator[QuestionItem]:
    """About one argument; a long one is answered without the clauses that follow its noun."""
    if (
        argument.role in ("clause", "infinitive", "adverbial")
        and argument.fronted
        and argument.role != "adverbial"
    ):
        return
    if _is_ambiguous_purpose(argument, clause) or _is_trivial(argument, clause):
        return
    if len(argument.phrase.text.split()) > MAX_ANSWER_WORDS and argument.phrase.core:
        argument = replace(argument, phrase=replace(argument.phrase, text=argument.phrase.core))
    if len(argument.phrase.text.split()) <= MAX_ANSWER_WORDS:
        forms = question_words.for_argument(argument)
        if (clause.copula and argument.role == "complement" and len(clause.arguments) == 1) or (
            clause.copula and argument.role == "infinitive"
        ):
            yield from _definition_questions(argument, clause)
        elif argument.role == "clause" and (enabled := _enabled(argument)) is not None:
            yield from _enabling_questions(*enabled, clause)
        elif forms:
            whole = _with_marker(argument, forms[0].form, clause)
            wordings = list(wordings_of(argument, clause, forms, in_answer=whole))
            counted_now = not clause.past and question_words.count_of(argument.phrase.head) is not None
            yield make_item(forms[0].form, whole.phrase, wordings, telling=counted_now)
    yield from count_questions(argument.phrase, clause, argument)
    yield from kind_questions(argument, clause)


def _with_marker(argument: Argument, form: Form, clause: Clause) -> Argument:
    """The argument with a meaningful preposition moved into the answer: `before 1912`, `by spraying`."""
    doc, begin = clause.sentence.doc.text, argument.phrase.start - len(argument.marker) - 1
    if (
        form not in ("when", "where", "how")
        or argument.marker in _UNSAID
        or doc[max(0, begin) : argument.phrase.start].lower() != f"{argument.marker} "
    ):
        return argument
    phrase = replace(argument.phrase, text=argument.text, start=begin)
    return replace(argument, phrase=phrase, marker="")


_UNSAID = frozenset({"", "in", "on", "at", "to", "for", "of", "from", "if", "when", "through", "into"})
"""Markers that the question word already expresses."""


def _is_ambiguous_purpose(argument: Argument, clause: Clause) -> bool:
    """Whether `to ...` may modify the preceding noun rather than state a purpose."""
    if argument.role != "adverbial" or argument.marker != "to" or argument.fronted:
        return False
    subject = clause.subject
    return not (clause.passive or clause.past or (subject is not None and question_words.is_human(subject)))


def _is_trivial(argument: Argument, clause: Clause) -> bool:
    """Whether the question would have no specific context (`What can you upload?`)."""
    if clause.subject is None or clause.subject.text not in GENERIC_SUBJECTS:
        return False
    others = [a for a in clause.arguments if a is not argument and a.role != "adverb"]
    return (clause.condition is None and not others) or clause.verb.lemma_ == "want"


def _enabled(argument: Argument) -> tuple[str, Phrase] | None:
    """The enabled person and action in `allow you to specify ...`."""
    verb = argument.phrase.head
    subject = next((c for c in verb.children if c.dep_ == "nsubj"), None)
    to = next((c for c in verb.children if c.dep_ == "aux" and c.lower_ == "to"), None)
    who, separator, action = argument.phrase.text.partition(" to ")
    if subject is None or to is None or not separator or verb.text not in action.split()[:2]:
        return None
    return who, Phrase(action, verb, to.idx + 3, argument.phrase.end)


def _enabling_questions(who: str, action: Phrase, clause: Clause) -> Iterator[QuestionItem]:
    subject, group = clause.subject, inverted(clause)
    assert subject is not None
    yield make_item("what", action, [
        ("plain", join_words("what", group.front, subject.text, group.rest, who, "to do") + "?"),
        ("embedded", f"Tell me {join_words('what', subject.text, stated(clause), who, 'to do')}."),
        ("echo", join_words(subject.text, stated(clause), who, "to do what") + "?"),
        ("cloze", join_words(subject.text, stated(clause), who, "to ____") + "."),
    ])  # fmt: skip


def _definition_questions(argument: Argument, clause: Clause) -> Iterator[QuestionItem]:
    subject = clause.subject
    assert subject is not None
    group = inverted(clause)
    human = question_words.is_human(argument.phrase) or question_words.is_human(subject)
    word = "who" if human and subject.head.pos_ == "PROPN" else "what"
    wordings: list[tuple[Style, str]] = [
        ("plain", join_words(word, group.front, subject.text, group.rest, condition_of(clause)) + "?")
    ]
    generic = clause.verb.tag_ in ("VBZ", "VBP") and not clause.negated and subject.head.pos_ == "NOUN"
    if generic and not clause.auxiliaries and len(subject.text.split()) <= 4:
        bare = re.sub(r"^(?:an?|the) ", "", subject.text)
        wordings.append(("plain", f"What is meant by {bare}?"))
        wordings.append(("short", f"Define {bare}."))
    wordings.append(
        ("embedded", f"Tell me {join_words(word, subject.text, stated(clause), condition_of(clause))}.")
    )
    wordings.append(("echo", join_words(subject.text, stated(clause), word) + "?"))
    wordings.append(("cloze", join_words(subject.text, stated(clause), "____", condition_of(clause)) + "."))
    yield make_item("definition" if not clause.past else "what", argument.phrase, wordings)


def _starts_with_possessive(argument: Argument) -> bool:
    return argument.phrase.text.split()[0].lower() in ("his", "her", "its", "their")


def _is_plural_phrase(phrase: Phrase) -> bool:
    return phrase.head.tag_ in ("NNS", "NNPS") or any(c.dep_ == "conj" for c in phrase.head.children)
