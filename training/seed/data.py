"""Owns the mixture that the base model is trained on, by progress, and its way into padded tensors.

Where facts come from is `facts`; invented contexts are `reading`, and the noise in questions is `material`.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerFast

from agent.engine import NEED_INFO
from training.seed.bank import BankFact
from training.seed.facts import Facts
from training.seed.material import FORMS, Material, code_span, compound, pseudo_word, question
from training.seed.reading import Conversation, Turn, copying, exercise

UNKNOWN_SHARE = 0.14
"""Of the short ones. Less, and the model answers everything; more, and it knows less."""
LONGEST = 320
"""Tokens; what is longer is cut."""
IGNORED = -100
"""Label of a position that is not learned, as everywhere in transformers."""


@dataclass(frozen=True)
class Phase:
    """What one step holds, until `end` of the time has passed; the rest of `short` is known facts."""

    end: float
    copying: float
    """Share of the short conversations that are nothing but copying."""
    statements: int
    """Most statements in a context."""
    exercises: int = 8
    """Contexts in one step."""
    short: int = 40
    """Conversations without a context in one step."""
    language: float = 0.3
    """Weight of the loss on all tokens of the contexts: it teaches what follows what."""


PHASES = (
    Phase(end=0.04, copying=0.30, statements=2),
    Phase(end=0.30, copying=0.03, statements=2),
    Phase(end=0.50, copying=0.30, statements=2),
    Phase(end=0.58, copying=0.30, statements=3),
    Phase(end=0.84, copying=0.05, statements=7, exercises=7),
    Phase(end=1.00, copying=0.02, statements=7, exercises=2, short=88, language=0.1),
)
"""Copying and contexts of one or two statements come first: the circuit that finds and copies forms slowly,
and long contexts teach it nothing before. The last phase is for knowledge."""


@dataclass(frozen=True)
class Batch:
    """Token ids and labels, int64 [rows, length], padded on the right; labels are IGNORED but in answers."""

    ids: torch.Tensor
    labels: torch.Tensor

    @property
    def answer_tokens(self) -> int:
        """How many tokens are to be predicted; the first of a row never is."""
        return int((self.labels[:, 1:] != IGNORED).sum())


@dataclass(frozen=True)
class Step:
    """The batches of one update: two of short conversations of similar length, and one of reading."""

    short: tuple[Batch, Batch]
    reading: Batch
    language: float
    """Weight of the loss on all tokens of `reading`."""


def phase_at(progress: float) -> Phase:
    """The phase at `progress` in [0, 1] of the time."""
    return next((phase for phase in PHASES if progress < phase.end), PHASES[-1])


def epochs(facts: Sequence[BankFact], rng: random.Random) -> Iterator[BankFact]:
    """The facts without end, each as often as any other, in a new order each time."""
    while True:
        order = list(facts)
        rng.shuffle(order)
        while order:
            yield order.pop()


def known(rng: random.Random, material: Material, fact: BankFact) -> Conversation:
    """A fact that is to be known by heart. Half of its yes/no questions ask for another kind."""
    if fact.form == "yes_no":
        kind = fact.object if rng.random() < 0.5 else rng.choice(material.kinds)
        text = question(rng, material, "yes_no", fact.subject, kind)
        return (Turn(text, "yes" if kind == fact.object else "no"),)
    return (Turn(question(rng, material, fact.form, fact.subject, fact.object), fact.answer),)


def unknown(rng: random.Random, material: Material, facts: Sequence[BankFact]) -> Conversation:
    """A question about one of these words, or about an invented one, and the admission of ignorance."""
    draw = rng.random()
    if draw < 0.7:
        fact = rng.choice(facts)
        subject, form, object = fact.subject, fact.form, fact.object
    else:
        if draw < 0.8:
            subject = pseudo_word(rng)
        else:
            subject = code_span(rng, material) if draw < 0.9 else compound(rng, material)
        form, object = rng.choice(FORMS), rng.choice(material.kinds)
    if draw < 0.06:
        form, object = "yes_no", rng.choice(material.kinds)
    if form == "kind_of" and rng.random() < 0.5:
        form = "definition"
    text = question(rng, material, form, subject, object)
    return (Turn(text, f"{NEED_INFO} I do not know about {subject}."),)


def step_at(
    progress: float,
    facts: Facts,
    material: Material,
    tokenizer: PreTrainedTokenizerFast,
    rng: random.Random,
    queue: Iterator[BankFact],
) -> Step:
    """Draws the conversations of one update at `progress` in [0, 1]; known facts come from `queue`."""
    phase = phase_at(progress)
    short: list[Conversation] = []
    for _ in range(phase.short):
        draw = rng.random()
        if draw < phase.copying:
            short.append(copying(rng, material))
        elif draw < phase.copying + UNKNOWN_SHARE:
            short.append(unknown(rng, material, facts.unknown))
        else:
            short.append(known(rng, material, next(queue)))
    short.sort(key=lambda turns: len(turns[0].user) + len(turns[0].model))
    contexts = [exercise(rng, material, phase.statements) for _ in range(phase.exercises)]
    half = len(short) // 2
    return Step(
        short=(collate(tokenizer, short[:half]), collate(tokenizer, short[half:])),
        reading=collate(tokenizer, contexts),
        language=phase.language,
    )


def encode(tokenizer: PreTrainedTokenizerFast, conversation: Conversation) -> tuple[list[int], list[int]]:
    """Token ids of the templated conversation and their labels: answers and their end-of-turn are learned."""
    texts: list[str] = []
    for turn in conversation:
        begin = "" if texts else "<bos>"
        texts += [
            f"{begin}<start_of_turn>user\n{turn.user}<end_of_turn>\n<start_of_turn>model\n",
            f"{turn.model}<end_of_turn>",
            "\n",
        ]
    pieces = tokenizer(texts, add_special_tokens=False)["input_ids"]
    ids: list[int] = []
    labels: list[int] = []
    for index, piece in enumerate(pieces):
        ids += piece
        labels += piece if index % 3 == 1 else [IGNORED] * len(piece)
    return ids[:LONGEST], labels[:LONGEST]


def collate(tokenizer: PreTrainedTokenizerFast, conversations: Sequence[Conversation]) -> Batch:
    """One padded batch whose length is a multiple of eight."""
    rows = [encode(tokenizer, conversation) for conversation in conversations]
    length = -(-max(len(ids) for ids, _ in rows) // 8) * 8
    padded = torch.full((len(rows), length), tokenizer.pad_token_id)
    labels = torch.full((len(rows), length), IGNORED)
    for row, (ids, wanted) in enumerate(rows):
        padded[row, : len(ids)] = torch.tensor(ids)
        labels[row, : len(wanted)] = torch.tensor(wanted)
    return Batch(padded, labels)
