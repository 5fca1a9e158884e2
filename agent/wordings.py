"""Owns the grammar of questions: how a fact may be asked, shared by pre-training, curriculum and evaluation.

Held-out wordings use sentence cores, openings and closings that no taught wording uses. What the answer is, and
whether the question deserves one, is decided elsewhere.
"""

import random
from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import Literal, get_args

from memory.records import Form

Split = Literal["taught", "held_out"]

FORMS: tuple[Form, ...] = get_args(Form)
OBJECT_FORMS: frozenset[Form] = frozenset({"example_of", "term_for", "yes_no"})
"""Forms whose question names the fact's object."""


@cache
def templates(form: Form, split: Split) -> tuple[str, ...]:
    """All wordings of `form`, with the placeholders `{subject}` and `{object}`, in a fixed order.

    Every template is one opening, one core and one closing of the same split.
    """
    openings, closings = _OPENINGS[split], _CLOSINGS[split]
    cores = _CORES[form][0 if split == "taught" else 1]
    return tuple(dict.fromkeys(_compose(o, core, c) for core, o, c in product(cores, openings, closings)))


def ask(form: Form, split: Split, rng: random.Random, *, subject: str = "", object: str = "") -> str:
    """One wording, drawn by `rng`, with the article, quotes, case and punctuation that people vary.

    Half of the draws use a bare core, as most people do. Raises ValueError when a name that the form needs is
    empty.
    """
    cores = _CORES[form][0 if split == "taught" else 1]
    core = rng.choice(cores)
    opening = rng.choice(_OPENINGS[split]) if rng.random() < 0.5 else ""
    closing = rng.choice(_CLOSINGS[split]) if rng.random() < 0.4 else ""
    text = _fill(_compose(opening, core, closing), subject, object, rng)
    if rng.random() < 0.15:
        text = text.rstrip("?.")
    if rng.random() < 0.15:
        text = text[:1].lower() + text[1:]
    return text


def wordings(
    form: Form, split: Split, count: int, seed: int, *, subject: str = "", object: str = ""
) -> tuple[str, ...]:
    """`count` different wordings of one question; the same seed gives the same ones.

    Raises ValueError when the grammar cannot make that many.
    """
    rng = random.Random(f"{seed}|{form}|{split}|{subject}|{object}")
    found: dict[str, None] = {}
    for _ in range(50 * count):
        found.setdefault(ask(form, split, rng, subject=subject, object=object))
        if len(found) == count:
            return tuple(found)
    raise ValueError(f"the grammar has fewer than {count} {split} wordings of {form!r}")


def with_context(question: str, passages: Sequence[str]) -> str:
    """The user turn that asks `question` over numbered passages: the only way a source enters a prompt."""
    numbered = "\n".join(f"[{number}] {' '.join(text.split())}" for number, text in enumerate(passages, 1))
    return f"Context:\n{numbered}\n\nQuestion: {question}"


def _compose(opening: str, core: str, closing: str) -> str:
    """`core` ends in its own punctuation; openings end in a space, closings begin with one or a comma."""
    body, mark = core[:-1], core[-1]
    text = f"{opening}{body}{closing}{mark}"
    return text if text.startswith("{") else text[:1].upper() + text[1:]


def _fill(template: str, subject: str, object: str, rng: random.Random) -> str:
    for name, value in (("{subject}", subject), ("{object}", object)):
        if name in template and not value.strip():
            raise ValueError(f"this wording needs {name[1:-1]}: {template!r}")
    named = subject
    if "{subject}" in template and "`" not in subject:
        draw = rng.random()
        if draw < 0.3 and subject[:1].islower():
            named = ("an " if subject[:1] in "aeiou" else "a ") + subject
        elif draw < 0.4:
            named = f"the {subject}"
        elif draw < 0.5:
            named = f'"{subject}"'
    text = template.replace("{subject}", named).replace("{object}", object)
    return text[:1].upper() + text[1:] if template.startswith("{") and "`" not in subject[:1] else text


_OPENINGS: dict[Split, tuple[str, ...]] = {
    "taught": (
        "", "please tell me, ", "tell me: ", "hi, ", "hello! ", "quick question: ", "I wonder, ", "so, ",
        "a friend asked me, ", "question: ", "for my homework: ", "I forgot, ", "help me out: ", "well, ",
        "in short, ", "just curious, ", "excuse me, ", "ok, next one: ", "one more thing, ", "to be clear, ",
        "I was reading and wondered, ", "let us see, ", "remind me, ", "for the record, ",
    ),
    "held_out": (
        "", "good morning, ", "hey there, ", "my colleague would like to hear: ", "out of interest, ",
        "I have to ask: ", "before I go on, ", "sorry to bother you, ",
    ),
}  # fmt: skip
_CLOSINGS: dict[Split, tuple[str, ...]] = {
    "taught": (
        "", ", please", " in one sentence", " in a few words", ", in short", " again", ", thanks",
        " exactly", " in general", ", briefly", " to a beginner", ", do you know", " then", " in simple terms",
    ),
    "held_out": ("", " in plain words", ", if you can say", ", roughly", " for a newcomer", ", as far as you know"),
}  # fmt: skip

_CORES: dict[Form, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "definition": (
        (
            "what is {subject}?", "what's {subject}?", "what is {subject}?", "what does {subject} mean?",
            "define {subject}.", "give the definition of {subject}.", "explain {subject}.",
            "what is meant by {subject}?", "what is the meaning of {subject}?", "describe {subject}.",
            "how would you define {subject}?", "tell me what {subject} is.", "can you explain what {subject} is?",
            "what does the term {subject} mean?", "what does the word {subject} stand for?",
            "do you know what {subject} is?", "{subject}: what is it?", "{subject} means what?",
            "I want to know what {subject} is.", "say what {subject} is.", "what exactly is {subject}?",
            "could you define {subject}?", "what do people mean by {subject}?", "give me a definition for {subject}.",
            "how is {subject} defined?", "what would you say {subject} is?", "explain the term {subject}.",
            "what do you know about {subject}?", "write down what {subject} means.", "who can tell me what {subject} is?",
            "what do we call {subject}, and what is it?", "state the meaning of {subject}.",
            "is there a definition of {subject}?", "what kind of concept is {subject}, and what does it mean?",
            "what is the definition of {subject}?", "what should I know about {subject}?",
            "I never understood {subject}.", "teach me about {subject}.", "look up {subject}.",
            "what, in your view, is {subject}?", "how do you explain {subject}?", "{subject}?",
        ),
        (
            "what might {subject} be?", "what should one understand by {subject}?",
            "clarify the notion of {subject}.", "any idea what {subject} could be?",
            "enlighten me about {subject}.", "spell out what {subject} refers to.",
            "what is the sense of the expression {subject}?", "how does one characterise {subject}?",
            "I keep hearing about {subject}, what is that?", "what does it mean when someone says {subject}?",
            "summarise {subject}.", "give an account of {subject}.",
        ),
    ),
    "kind_of": (
        (
            "what kind of thing is {subject}?", "what is {subject} a kind of?", "what type of thing is {subject}?",
            "which class does {subject} belong to?", "what sort of thing is {subject}?",
            "which category is {subject} in?", "{subject} is a kind of what?", "name the kind of thing {subject} is.",
            "to which group does {subject} belong?", "what is the broader term for {subject}?",
            "of what is {subject} a type?", "classify {subject}.",
            "what class of things is {subject} in?", "into which category does {subject} fall?", "{subject} falls into what group?",
            "what would you classify {subject} as?", "what general thing is {subject}?", "what is the general term for {subject}?",
            "what is the category of {subject}?", "give the class of {subject}.", "as what do we class {subject}?",
            "what is {subject} an example of?", "what category would you put {subject} in?", "{subject}: what kind of thing?",
            "what species of thing is {subject}?", "what does {subject} count among?", "among which things is {subject} counted?",
            "name a more general word for {subject}.", "what is the class above {subject}?", "{subject} is one of which things?",
            "which more general idea covers {subject}?", "what group of things is {subject} in?",
            "what are things like {subject} called?", "what, in general, is {subject}?", "what is {subject}, broadly speaking?",
            "say what sort {subject} is of.", "with what is {subject} grouped?", "which family has {subject} as a member?",
            "find the superclass of {subject}.", "if you had to sort {subject}, where would it go?", "what is {subject} a variety of?",
            "{subject} counts as what?", "what do we take {subject} to be a kind of?", "in what class do you put {subject}?",
        ),
        (
            "under which heading would you file {subject}?", "what is {subject} an instance of?",
            "what family of things does {subject} come from?", "say which more general thing covers {subject}.",
            "what larger class includes {subject}?",
        ),
    ),
    "part_of": (
        (
            "what is {subject} part of?", "what is {subject} a part of?", "of what is {subject} a part?",
            "what does {subject} belong to as a part?", "{subject} is part of what?",
            "which whole has {subject} as a part?", "name the thing that {subject} is part of.",
            "to what larger thing does {subject} belong?", "where does {subject} belong as a part?",
            "what has {subject} as a part?", "which thing is made up of {subject} and more?", "{subject} makes up what?",
            "in what whole does one find {subject}?", "what is the whole of which {subject} is one part?", "what has {subject} in it?",
            "say the whole that {subject} is in.", "which larger thing holds {subject}?", "what would lack a part without {subject}?",
        ),
        (
            "inside which bigger thing is {subject} found as a component?", "what whole is {subject} a piece of?",
            "say what {subject} forms a portion of.", "which thing includes {subject} as one of its pieces?",
        ),
    ),
    "used_for": (
        (
            "what is {subject} used for?", "what is {subject} for?", "what do people use {subject} for?",
            "what is the purpose of {subject}?", "why do people use {subject}?", "what can {subject} be used for?",
            "for what is {subject} used?", "what use has {subject}?", "name the use of {subject}.",
            "what does one do with {subject}?",
            "what do you do with {subject}?", "what purpose has {subject}?", "what does {subject} help to do?", "{subject} is used to do what?",
            "what task is {subject} for?", "to do what do we use {subject}?", "how is {subject} used?", "when would I use {subject}?",
            "what is {subject} there for?", "give the purpose of {subject}.", "tell me the use of {subject}.", "{subject} helps with what?",
        ),
        (
            "what job does {subject} do?", "to what end would someone take {subject}?",
            "what is {subject} good for?", "say what {subject} serves for.",
        ),
    ),
    "requires": (
        (
            "what does {subject} require?", "what does {subject} need?", "what is required by {subject}?",
            "what must there be for {subject}?", "name what {subject} requires.", "what is needed for {subject}?",
            "{subject} requires what?", "which thing does {subject} depend on?",
            "what is necessary for {subject}?", "without what is there no {subject}?", "what does {subject} take?", "{subject} needs what?",
            "what do you need for {subject}?", "what must {subject} have?", "say what has to be given for {subject}.",
        ),
        (
            "what can {subject} not do without?", "what has to be there before {subject} works?",
            "say what {subject} calls for.", "on what does {subject} rely?",
        ),
    ),
    "prevents": (
        (
            "what does {subject} prevent?", "what is prevented by {subject}?", "what does {subject} stop?",
            "{subject} prevents what?", "name what {subject} prevents.", "what can {subject} prevent?",
            "against what does {subject} protect?", "which problem does {subject} prevent?",
            "what does {subject} avoid?", "what will not happen thanks to {subject}?", "{subject} stops what?", "what is avoided with {subject}?",
            "from what does {subject} keep us?", "what bad thing does {subject} hold off?", "say what {subject} makes impossible.",
        ),
        (
            "what does {subject} keep from happening?", "what does {subject} help to avoid?",
            "say what {subject} guards against.", "what trouble does {subject} rule out?",
        ),
    ),
    "returns": (
        (
            "what does {subject} return?", "what is returned by {subject}?", "{subject} returns what?",
            "what do you get back from {subject}?", "name what {subject} returns.", "which value does {subject} return?",
            "what does calling {subject} return?",
            "what does {subject} give?", "what is the output of {subject}?", "{subject} gives what?", "what do I get from {subject}?",
            "what value comes from {subject}?", "say the value of calling {subject}.", "what does {subject} produce?",
        ),
        (
            "what does {subject} hand back?", "what comes out of {subject}?", "say what {subject} gives you.",
            "what is the result of {subject}?",
        ),
    ),
    "causes": (
        (
            "what does {subject} cause?", "what is caused by {subject}?", "{subject} causes what?",
            "what happens because of {subject}?", "name what {subject} causes.", "what is the effect of {subject}?",
            "what can {subject} cause?", "what does {subject} lead to?",
            "what does {subject} do to us?", "what comes of {subject}?", "{subject} leads to what?", "what is the consequence of {subject}?",
            "what will {subject} bring?", "what happens after {subject}?", "say the effect that {subject} has.",
        ),
        (
            "what comes about through {subject}?", "what follows from {subject}?", "say what {subject} brings about.",
            "what does {subject} result in?",
        ),
    ),
    "contains": (
        (
            "what does {subject} contain?", "what is contained in {subject}?", "{subject} contains what?",
            "what is inside {subject}?", "name what {subject} contains.", "what is in {subject}?",
            "what can be found in {subject}?", "what does {subject} hold?",
            "what is there in {subject}?", "{subject} holds what?", "what makes up the contents of {subject}?", "what would I find in {subject}?",
            "with what is {subject} filled?", "what is {subject} full of?", "say the contents of {subject}.",
        ),
        (
            "what does {subject} carry within it?", "what does {subject} have in it?",
            "say what {subject} includes.", "what sits inside {subject}?",
        ),
    ),
    "made_of": (
        (
            "what is {subject} made of?", "what is {subject} made from?", "of what is {subject} made?",
            "{subject} is made of what?", "name what {subject} is made of.", "which material is {subject} made of?",
            "what do people make {subject} from?", "what material is used for {subject}?",
            "what goes into {subject}?", "what is the material of {subject}?", "what is {subject} built from?", "{subject} is made from what?",
            "from what does one make {subject}?", "of which substance is {subject}?", "say the material of {subject}.",
        ),
        (
            "what does {subject} consist of?", "out of what is {subject} built?",
            "say what {subject} is composed of.", "from which stuff is {subject} formed?",
        ),
    ),
    "located_in": (
        (
            "where is {subject}?", "where is {subject} located?", "where can {subject} be found?",
            "in what place is {subject}?", "{subject} is located where?", "where does one find {subject}?",
            "name the place where {subject} is.", "where does {subject} lie?",
            "in which place is {subject}?", "where would I look for {subject}?", "{subject} is where?", "what place has {subject}?",
            "at what place is {subject}?", "where in the world is {subject}?", "say the place of {subject}.",
        ),
        (
            "in which spot would I come across {subject}?", "what is the location of {subject}?",
            "say where {subject} is situated.", "whereabouts is {subject}?",
        ),
    ),
    "example_of": (
        (
            "what is an example of {object}?", "give an example of {object}.", "name an example of {object}.",
            "name one {object}.", "which thing is a kind of {object}?", "can you name one kind of {object}?",
            "tell me an example of {object}.",
        ),
        (
            "cite an instance of {object}.", "what would count as {object}?", "mention something that is {object}.",
        ),
    ),
    "term_for": (
        (
            "which term means {object}?", "what is the word for {object}?", "what do you call {object}?",
            "name the term for {object}.", "what is {object} called?", "which word means {object}?",
            "what is the name for {object}?", "give the term for {object}.", "how do people call {object}?",
            "what term describes {object}?",
            "what word describes {object}?", "{object}: what is the word?", "{object} is called what?", "find the word for {object}.",
            "I mean {object}; what is the word?", "how is {object} called?", "what is meant by the words {object}?", "what stands for {object}?",
            "what thing is {object}?", "tell me the name of {object}.", "which thing is described as {object}?",
        ),
        (
            "what would you name {object}?", "which expression stands for {object}?",
            "say the word that describes {object}.", "by what name is {object} known?",
        ),
    ),
    "yes_no": (
        (
            "is {subject} a kind of {object}?", "is it true that {subject} is a kind of {object}?",
            "does {subject} belong to the class of {object}?", "would you call {subject} a kind of {object}?",
            "can {subject} be called a type of {object}?", "is {subject} a type of {object}?",
            "yes or no: is {subject} a kind of {object}?",
            "is {subject} a {object}?", "is {subject} {object}?", "would {subject} be {object}?", "could {subject} be {object}?",
            "can one say that {subject} is {object}?", "do you agree that {subject} is {object}?", "{subject} is {object}, right?",
            "true or false: {subject} is {object}.", "may {subject} be regarded as {object}?", "is it right to call {subject} {object}?",
            "does {subject} fall under {object}?", "do people think of {subject} as {object}?", "{subject} is a {object}, correct?",
            "is {subject} one of the things called {object}?", "could {subject} pass for {object}?", "must {subject} be {object}?",
            "do we class {subject} as {object}?", "does {object} include {subject}?",
            "is {object} the right word for {subject}?", "shall I call {subject} {object}?", "are we to take {subject} for {object}?",
            "would it be true to call {subject} {object}?", "I think {subject} is {object}, is it so?", "does {object} describe {subject}?",
            "can {subject} be counted among {object}?", "is {subject} an example of {object}?", "was {subject} ever {object}?",
            "should I file {subject} with {object}?", "might {subject} be a sort of {object}?", "so {subject} is {object}?",
        ),
        (
            "does {subject} count as {object}?", "am I right that {subject} is a sort of {object}?",
            "should {subject} be seen as a form of {object}?",
        ),
    ),
    "who": (
        (
            "who is {subject}?", "who was {subject}?", "tell me who {subject} was.", "who exactly was {subject}?",
            "what was {subject} known as?", "which person was {subject}?", "do you know who {subject} was?",
            "say who {subject} was.", "who is the person called {subject}?",
        ),
        ("what sort of person was {subject}?", "introduce {subject}.", "what did {subject} do in life?"),
    ),
    "when": (
        (
            "when did {subject} live?", "in which years did {subject} live?", "what are the dates of {subject}?",
            "when was {subject} born and when did {subject} die?", "tell me when {subject} lived.",
            "name the years of {subject}.", "when was the life of {subject}?",
        ),
        ("what is the lifespan of {subject}?", "during which years was {subject} alive?", "date {subject}."),
    ),
}  # fmt: skip
