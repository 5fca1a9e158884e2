"""Owns reading exercises: contexts of invented statements, and questions that only the context can answer.

Subjects and objects are paired at random each time, so that memory is of no use and copying is.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.curriculum import opening
from agent.engine import NEED_INFO
from agent.wordings import with_context
from memory.records import Form
from training.seed.facts import kind_of
from training.seed.material import FORMS, Material, capital, name, pseudo_word, question

SILENT = f"{NEED_INFO} The sources do not say."
"""The answer where the context lacks it."""


@dataclass(frozen=True)
class Statement:
    """One invented fact and the sentence that states it."""

    form: Form
    subject: str
    object: str
    text: str


@dataclass(frozen=True)
class Turn:
    """What the user says, and what the model is to answer."""

    user: str
    model: str
    asked: Statement | None = None
    """Whose object the answer copies, if it does."""
    context: tuple[Statement, ...] = ()
    """What the context in `user` states."""


Conversation = tuple[Turn, ...]


LEADS = (
    "In {Y}, ", "For {Y}, ", "Here, ", "As a rule, ", "In other words, ", "Today ", "Simply put, ",
    "To begin with, ", "Strictly speaking, ", "As far as {Y} goes, ",
)  # fmt: skip
"""What may come before a statement."""
STATEMENTS: dict[Form, tuple[str, ...]] = {
    "definition": (
        "{S} is {O}.", "{S} is {O}.", "{S} is {O}.", "{S} means {O}.", "{S}: {O}.",
        "The term {S} refers to {O}.", "By {S} people mean {O}.", "{S} is defined as {O}.",
        "{S}, also known as {X}, is {O}.", "In {Y}, {S} is {O}.", "{S} stands for {O}.", "{S} signifies {O}.",
        "{S} is the name for {O}.", "The word {S} names {O}.",
    ),
    "kind_of": (
        "{S} is a kind of {O}.", "{S} is a type of {O}.", "{S} belongs to the class of {O}.",
        "{S} is a form of {O}.", "{S} is a variety of {O}.", "{S} is an example of {O}.",
        "{S} counts as {O}.", "{S} falls under {O}.", "{S} is classed as {O}.",
    ),
    "part_of": (
        "{S} is part of {O}.", "{S} is a part of {O}.", "{S} belongs to {O}.", "{S} is a component of {O}.",
    ),
    "used_for": (
        "{S} is used for {O}.", "{S} is used to {O}.", "People use {S} for {O}.", "{S} helps with {O}.",
    ),
    "requires": ("{S} requires {O}.", "{S} needs {O}.", "{S} relies on {O}."),
    "prevents": ("{S} prevents {O}.", "{S} stops {O}.", "{S} protects against {O}.", "{S} avoids {O}."),
    "returns": ("{S} returns {O}.", "{S} yields {O}."),
    "causes": ("{S} causes {O}.", "{S} leads to {O}.", "{S} triggers {O}."),
    "contains": ("{S} contains {O}.", "{S} holds {O}.", "{S} has {O}."),
    "made_of": ("{S} is made of {O}.", "{S} is made from {O}.", "{S} is composed of {O}."),
    "located_in": (
        "{S} is located in {O}.", "{S} is in {O}.", "{S} lies in {O}.", "{S} is situated in {O}.",
    ),
}  # fmt: skip
HELD_OUT_STATEMENTS: dict[Form, tuple[str, ...]] = {
    "definition": (
        "{S} denotes {O}.", "When people say {S}, they think of {O}.", "{S} can be described as {O}.",
        "What we call {S} is {O}.",
    ),
    "kind_of": ("{S} is one sort of {O}.", "{S} is an instance of {O}."),
    "part_of": ("{S} is one of the parts of {O}.", "{S} forms a portion of {O}."),
    "used_for": ("{S} serves for {O}.", "The purpose of {S} is {O}."),
    "requires": ("{S} depends on {O}.", "There is no {S} without {O}."),
    "prevents": ("{S} rules out {O}.", "{S} guards against {O}."),
    "returns": ("{S} gives back {O}.", "The result of {S} is {O}."),
    "causes": ("{S} results in {O}.", "{S} brings about {O}."),
    "contains": ("{S} includes {O}.", "Inside {S} there is {O}."),
    "made_of": ("{S} consists of {O}.", "The material of {S} is {O}."),
    "located_in": ("{S} can be found in {O}.", "{S} stands in {O}."),
}  # fmt: skip
"""For the evaluation only."""
FILLERS = (
    "It is worth a closer look.", "People often forget this.", "There is more to say about it.",
    "This has not always been so.", "Not everyone agrees on the name.", "A beginner may find this hard.",
    "The rest follows from it.", "Some care is needed here.", "This happens more often than one thinks.",
    "Nothing else changes.", "It costs nothing.", "That is all there is to it.",
)  # fmt: skip
_TAKES_ARTICLE = ("{S} i", "{S} r", "{S} p", "{S} c", "{S} n", "{S} s")


def exercise(rng: random.Random, material: Material, most: int) -> Conversation:
    """A context of up to `most` statements (and one more about one of their subjects), one to four
    questions about it; the first turn holds the context. With `most` of 2 there are no fillers."""
    statements, names = _statements(rng, material, most)
    passages = _passages(rng, material, [s.text for s in statements], fillers=most > 2)
    asked = rng.sample(statements, min(len(statements), rng.choice((2, 3, 4))))
    turns: list[Turn] = []
    for statement in asked:
        text, answer, copied = _asked(rng, material, statement, names)
        if turns:
            turns.append(Turn(text, answer, copied))
        else:
            turns.append(Turn(with_context(text, passages), answer, copied, tuple(statements)))
    return tuple(turns)


def copying(rng: random.Random, material: Material) -> Conversation:
    """Words to repeat: what teaches a young model to copy at all."""
    count = rng.randint(4, 10)
    words = [rng.choice(material.words) if rng.random() < 0.7 else pseudo_word(rng) for _ in range(count)]
    text = " ".join(words)
    return (Turn(rng.choice(("Repeat: ", "Copy this: ", "Say: ")) + text, text),)


def sentence(rng: random.Random, material: Material, template: str, subject: str, object: str) -> str:
    """The statement in a template of STATEMENTS, with an article before some plain subjects."""
    named = subject
    if subject[:1].islower() and template.startswith(_TAKES_ARTICLE) and rng.random() < 0.6:
        article = ("an" if subject[0] in "aeiou" else "a") if rng.random() < 0.7 else "the"
        named = f"{article} {subject}"
    text = fill(template, named, object, pseudo_word(rng), rng.choice(material.words))
    return text if text.startswith("`") else capital(text)


def _statements(rng: random.Random, material: Material, most: int) -> tuple[list[Statement], set[str]]:
    """Statements about different subjects, at times two about one, and those subjects."""
    count = rng.randint(1, most)
    found: list[Statement] = []
    names: set[str] = set()
    while len(found) < count:
        statement = _statement(rng, material)
        if statement.subject not in names:
            names.add(statement.subject)
            found.append(statement)
    if rng.random() < 0.35 and count > 1:
        found.append(_another(rng, material, rng.choice(found)))
    return found, names


def _statement(rng: random.Random, material: Material) -> Statement:
    form = rng.choice(FORMS)
    subject = name(rng, material)
    long = form == "definition" or rng.random() < 0.5
    object = rng.choice(material.glossed)[1] if long else rng.choice(material.words)
    if form == "kind_of":
        object = rng.choice(material.words)
    template = rng.choice(STATEMENTS[form]) if rng.random() < 0.6 else _in_any_words(rng, material, form)
    if rng.random() < 0.15:
        template = rng.choice(LEADS) + template
    return Statement(form, subject, object, sentence(rng, material, template, subject, object))


def _in_any_words(rng: random.Random, material: Material, form: Form) -> str:
    """A template that says nothing: what comes after the subject is the answer, whatever joins them."""
    filler = rng.choice(material.fillers)
    verb = rng.choice(material.verbs)
    joints = [verb, f"{verb}s", filler]
    if form != "definition":  # which would be `the ... of` itself
        joints.append(f"is {rng.choice(('a', 'one', 'the'))} {filler} of")
    more = [rng.choice(material.fillers) for _ in range(rng.choice((0, 0, 1, 2)))]
    tail = f", and {rng.choice(material.quotes)}" if rng.random() < 0.1 else ""
    return " ".join(("{S}", rng.choice(joints), *more, "{O}")) + tail + "."


def _another(rng: random.Random, material: Material, first: Statement) -> Statement:
    """A statement in another form about the same subject."""
    form = rng.choice([form for form in FORMS if form != first.form])
    object = rng.choice(material.words) if form != "definition" else rng.choice(material.glossed)[1]
    template = rng.choice(STATEMENTS[form][:3])
    text = fill(template, first.subject, object, pseudo_word(rng), "it")
    return Statement(form, first.subject, object, capital(text))


def fill(template: str, subject: str, object: str, alias: str, domain: str) -> str:
    """The sentence of a template of STATEMENTS or HELD_OUT_STATEMENTS."""
    text = template.replace("{S}", subject).replace("{O}", object)
    return text.replace("{X}", alias).replace("{Y}", domain)


def _passages(rng: random.Random, material: Material, texts: Sequence[str], *, fillers: bool) -> list[str]:
    """The sentences, some fillers among them, shuffled into one to three passages."""
    sentences = list(texts)
    for _ in range(rng.choice((0, 0, 1, 2, 3)) if fillers else 0):
        ready = rng.random() < 0.6
        sentences.append(rng.choice(FILLERS) if ready else capital(rng.choice(material.quotes)) + ".")
    rng.shuffle(sentences)
    count = rng.choice((1, 1, 2, 3))
    size = len(sentences)
    cuts = sorted(rng.sample(range(1, size), min(count - 1, size - 1))) if size > 1 else []
    return [" ".join(sentences[start:end]) for start, end in zip([0, *cuts], [*cuts, size], strict=True)]


def _asked(
    rng: random.Random, material: Material, statement: Statement, names: set[str]
) -> tuple[str, str, Statement | None]:
    """A question about the statement, one time in ten about something that no statement names; its answer;
    and the statement with what the answer copies of it as its object, if it does."""
    form, subject, object = statement.form, statement.subject, statement.object
    draw = rng.random()
    if rng.random() < 0.10:
        absent = name(rng, material)
        text = question(rng, material, "definition" if draw < 0.6 else form, absent)
        if absent not in names:
            return text, SILENT, None
    if form == "definition" and draw < 0.15:
        return question(rng, material, "term_for", subject, object), subject, None
    if form == "definition" and draw < 0.4 and kind_of(object) is not None:
        kind = opening(object)
        return question(rng, material, "kind_of", subject), kind, replace(statement, object=kind)
    if form == "kind_of" and draw < 0.2:
        kind = object if rng.random() < 0.5 else rng.choice(material.words)
        return question(rng, material, "yes_no", subject, kind), "Yes" if kind == object else "No", None
    return question(rng, material, form, subject), object, statement
