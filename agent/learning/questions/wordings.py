"""Words one question about a clause in several styles: which arguments it repeats, and in which order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from agent.learning.questions.question_items import QuestionItem, Style, Wording
from agent.learning.questions.question_words import QuestionPhrase
from memory.language.clauses import Argument, Clause, Phrase
from memory.language.content_words import content_words
from memory.language.question_verbs import VerbGroup, active, inverted, passive
from memory.language.verb_groups import stated
from memory.records.curricula import Form

MAX_WORDS = 26
"""Longest question, in words."""
MAX_ANSWER_WORDS = 14
MAX_ADJUNCT_WORDS = 14
CENTRAL_ROLES = frozenset({"object", "complement", "adjective", "receiver", "infinitive", "clause"})
_TRAILING = frozenset({"adverb", "adverbial"})
POSSESSIVES = re.compile(r"\b(?:his|her|its|their|himself|herself|itself|themselves)\b", re.IGNORECASE)
"""Pronouns that refer to the subject, which has to precede them."""
REFERS_BACK = re.compile(
    r"(?:(?:the|an?|some|many|two|several|three|both) )?(?:others?|another|similar|such|latter|former|same"
    r"|further|additional|following|previous|remaining|rest|more|even|(?:\w+ )?(?:example|matter|reason|fact"
    r"|way|thing|case|result|point)s?)\b",
    re.IGNORECASE,
)
"""Beginnings of subjects that refer to something named before."""
GENERIC_SUBJECTS = frozenset(["you", "one", "people", "someone", "somebody", "anyone", "everyone", "users"])
"""Generic subjects, which are not asked for."""


def wordings_of(
    argument: Argument, clause: Clause, forms: Sequence[QuestionPhrase], *, in_answer: Argument | None = None
) -> Iterator[tuple[Style, str]]:
    """Wordings of the question about an argument; `in_answer` is the argument as it appears in the answer."""
    subject = clause.subject
    assert subject is not None
    group = inverted(clause)
    around = [a for a in in_question_order(clause.arguments) if a is not argument]
    before = [a.text for a in around if precedes(a, argument)]
    after = [a.text for a in around if not precedes(a, argument)]
    condition = condition_of(clause) if argument is not clause.condition else ""
    forms = _movable(forms, argument, after)
    for question in forms:
        rest = [*before, question.stranded, *after] if question.stranded else [*before, *after]
        yield (
            "plain",
            join_words(question.word, group.front, subject.text, group.rest, *rest, condition) + "?",
        )
    first = forms[0]
    if (
        argument.role == "object"
        and (other := passive(clause)) is not None
        and not POSSESSIVES.search(argument.text)
    ):
        by = [] if subject.text in GENERIC_SUBJECTS else ["by", subject.text]
        many = first.word.startswith("how many")
        singular = (
            other
            if many
            else VerbGroup(
                {"were": "was", "are": "is", "have": "has"}.get(other.front, other.front), other.rest
            )
        )
        yield (
            "passive",
            join_words(first.word, singular.front, singular.rest, *by, *before, *after, condition) + "?",
        )
    if argument.role == "agent" and (verb := active(clause)) is not None:
        yield "passive", join_words(first.word, verb, subject.text, *before, *after, condition) + "?"
    central = [a.text for a in around if a.role in CENTRAL_ROLES][:1]
    if len(around) > len(central):
        yield (
            "short",
            join_words(first.word, group.front, subject.text, group.rest, *central, first.stranded, condition)
            + "?",
        )
    verb = stated(clause)
    stranded = [first.stranded] if first.stranded and first.stranded != "to do" else []
    if first.stranded == "to do":
        yield "embedded", f"Tell me {join_words(first.word, subject.text, verb, 'to do', condition)}."
        return
    yield (
        "embedded",
        f"Tell me {join_words(first.word, subject.text, verb, *before, *stranded, *after, condition)}.",
    )
    marker = argument.marker if first.stranded or not _replaces_marker(first) else ""
    place = f"{marker} {first.word}".strip()
    yield "echo", join_words(subject.text, verb, *before, place, *after, condition) + "?"
    yield (
        "cloze",
        join_words(
            subject.text, verb, *before, f"{(in_answer or argument).marker} ____".strip(), *after, condition
        )
        + ".",
    )


def _movable(
    forms: Sequence[QuestionPhrase], argument: Argument, after: Sequence[str]
) -> Sequence[QuestionPhrase]:
    """The forms without a preposition stranded in the middle of a question, if there are any."""
    if argument.role == "agent" or not after or sum(len(text.split()) for text in after) <= 2:
        return forms
    moved = [f"{f.stranded} {'whom' if f.word == 'who' else f.word}" for f in forms if f.stranded]
    others = [f for f in forms if not f.stranded or f.stranded == "to do"]
    return others or [QuestionPhrase(word, forms[0].form) for word in moved]


def _replaces_marker(question: QuestionPhrase) -> bool:
    return question.word in ("when", "where", "why", "how", "how long", "how often") or " " in question.word


def precedes(one: Argument, other: Argument) -> bool:
    """Whether the argument comes between the verb and the other one."""
    if one.fronted or other.fronted:
        return other.fronted and (not one.fronted or one.phrase.start < other.phrase.start)
    return one.phrase.start < other.phrase.start


def in_question_order(arguments: Sequence[Argument]) -> list[Argument]:
    """The arguments with fronted ones last, and adjuncts only as far as MAX_ADJUNCT_WORDS allow."""
    usable = [a for a in arguments if not (a.role in _TRAILING and (a.fronted or len(a.text.split()) > 9))]
    room = MAX_ADJUNCT_WORDS
    result: list[Argument] = []
    for argument in [a for a in usable if not a.fronted] + [a for a in usable if a.fronted]:
        words = len(argument.text.split())
        if argument.role not in CENTRAL_ROLES and argument.role != "agent":
            if words > room:
                continue
            room -= words
        result.append(argument)
    return result


def argument_texts(arguments: Sequence[Argument]) -> list[str]:
    """The arguments as text."""
    return [a.text for a in arguments]


def condition_of(clause: Clause) -> str:
    """The condition to repeat in a question; "" if there is none, or a long one about a past event."""
    if clause.condition is None or (clause.past and len(clause.condition.text.split()) > 6):
        return ""
    return clause.condition.text


def join_words(*parts: str) -> str:
    """Joins the non-empty parts with spaces and fixes the punctuation."""
    text = " ".join(" ".join(part for part in parts if part).split())
    return re.sub(r"\s+([,.;:?])(?=[\s,.;:?]|$)", r"\1", text).strip(" ,;:")


def make_item(
    form: Form, phrase: Phrase, wordings: Sequence[tuple[Style, str]], *, telling: bool = False
) -> QuestionItem:
    """An item with its usable wordings of at most MAX_WORDS words; none for answers like `their ship`."""
    if POSSESSIVES.match(phrase.text) or REFERS_BACK.match(phrase.text):
        return QuestionItem(form, phrase.text, phrase.start, phrase.end, ())
    return QuestionItem(
        form,
        phrase.text,
        phrase.start,
        phrase.end,
        usable_wordings(wordings, open_=form != "definition" and not telling),
    )


def usable_wordings(
    wordings: Sequence[tuple[Style, str]], *, open_: bool = True, most: int = MAX_WORDS
) -> tuple[Wording, ...]:
    """The distinct wordings that are well formed and, with `open_`, specific enough."""
    usable: dict[str, Wording] = {}
    for style, text in wordings:
        capital = text[:1].upper() + text[1:]
        if len(capital.split()) > most or _BROKEN.search(capital):
            continue
        least = MIN_OPEN if _OPEN.search(capital) and not _GENERAL.match(capital) else LEAST
        if open_ and specificity(capital) < least + (style == "short"):
            continue
        usable.setdefault(capital.lower(), Wording(style, capital))
    return tuple(usable.values())


LEAST, MIN_OPEN = 2.0, 3.0
"""Minimum weight of a specific question, and of an open one (`what`), which more things could answer."""
_OPEN = re.compile(r"\b[Ww]hat(?! (?:kind|year|date|percentage|country|city|state|time)\b)|____")
_GENERAL = re.compile(
    r"What (?:does|do|can|must|should|will)\b|By what\b|(?:What|____|Tell me what) (?!was\b|is\b|has\b)\w+s\b"
    r"|(?:What|____|Tell me what) has"
    r" (?:\d[\d,.]*|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b"
    r"|Tell me what the \w+ \w+s\b|The \w+ (?!was\b|is\b|has\b)\w+s (?:what\?|____\.)|What is \w+ed by"
)
"""Open questions about a general fact: few things could answer them, so that LEAST is enough."""
_BROKEN = re.compile(
    r"\b(of|in|on|at|by|for|to|from|with|the|a|an|is|was|are|were) \1\b"
    r"|\w--\w|\.:\d"
    r"|\b(?:a|an|the) (?:which|what|who|how|whose|of|is|was)\b"
    r"|(?<=\s)['\u2019](?:re|s|ve|ll|m|d)\b|\b(?:himself|herself|itself|themselves) \?$"
    r"|\b(?:and|or|the|a|an|than)[?.]$|\s[)\]]|,[?]|____ ____|[\"\u201c] "
)


def specificity(text: str) -> float:
    """How specific a question is: its content words, with names and numbers counting 1.5."""
    words = content_words(text)
    names = {
        w.lower().strip("?.,'\"`()") for w in text.split()[1:] if re.match(r"[\"`(]*(?:[A-Z]|\S*\d|`)", w)
    }
    return len(words) + 0.5 * sum(1 for word in words if word in names)
