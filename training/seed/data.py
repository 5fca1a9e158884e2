"""Owns the mixture that the base model is trained on, by progress, and its way into padded tensors.

Where facts come from is `facts`; invented contexts are `reading`, and the noise in questions is `material`.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from agent.scoring import admission
from transformers import PreTrainedTokenizerFast

from training.seed.bank import BankFact
from training.seed.facts import Facts
from training.seed.material import FORMS, Material, code_span, compound, pseudo_word, question
from training.seed.pointing import Link, Piece, links
from training.seed.reading import Conversation, Turn, copying, exercise
from training.seed.tokenizer import answer

UNKNOWN_SHARE = 0.18
"""Of the short ones. Less, and the model answers everything; more, and it knows less."""
LONGEST = 320
"""Tokens; what is longer is cut."""
IGNORED = -100
"""Label of a position that is not learned, as everywhere in transformers."""
SHORT_BATCHES, READING_BATCHES = 5, 3
"""Of similar length each, so that little is padding."""


@dataclass(frozen=True)
class Phase:
    """What one step holds, until `end` of the time has passed; the rest of `short` is known facts."""

    end: float
    copying: float
    """Share of the short conversations that are nothing but copying."""
    statements: int
    """Most statements in a context."""
    exercises: int
    """Contexts in one step."""
    short: int
    """Conversations without a context in one step."""
    pointing: float
    """Weight of the loss on where the reading heads look, against 1 for a mean token of an answer."""


PHASES = (
    Phase(end=0.10, copying=0.10, statements=2, exercises=16, short=72, pointing=0.5),
    Phase(end=0.30, copying=0.05, statements=4, exercises=9, short=84, pointing=0.5),
    Phase(end=0.75, copying=0.02, statements=5, exercises=12, short=64, pointing=0.3),
    Phase(end=1.00, copying=0.02, statements=5, exercises=10, short=84, pointing=0.1),
)
"""Reading comes first, in short contexts: what it takes forms early or not at all. The last phases are for
knowledge."""


@dataclass(frozen=True)
class Encoded:
    """One conversation in tokens."""

    ids: list[int]
    labels: list[int]
    """IGNORED but in answers and their end of turn."""
    links: tuple[Link, ...]


@dataclass(frozen=True)
class Batch:
    """Token ids and labels, int64 [rows, length], padded on the right; labels are IGNORED but in answers."""

    ids: torch.Tensor
    labels: torch.Tensor
    links: tuple[tuple[Link, ...], ...]
    """Where the reading heads of each row are to look."""

    @property
    def answer_tokens(self) -> int:
        """How many tokens are to be predicted; the first of a row never is."""
        return int((self.labels[:, 1:] != IGNORED).sum())


@dataclass(frozen=True)
class Step:
    """The batches of one update, each of conversations of similar length: without a context and with one."""

    short: tuple[Batch, ...]
    reading: tuple[Batch, ...]
    pointing: float
    """Weight of the loss on where the reading heads look."""


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
        return (Turn(text, "Yes" if kind == fact.object else "No"),)
    text = question(rng, material, fact.form, fact.subject, fact.object)
    return (Turn(text, fact.answer),)


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
    return (Turn(text, admission(subject)),)


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
    contexts = [exercise(rng, material, phase.statements) for _ in range(phase.exercises)]
    return Step(
        short=_batches(tokenizer, short, SHORT_BATCHES),
        reading=_batches(tokenizer, contexts, READING_BATCHES),
        pointing=phase.pointing,
    )


def encode(tokenizer: PreTrainedTokenizerFast, conversation: Conversation) -> Encoded:
    """The templated conversation in tokens: answers and their end-of-turn are learned."""
    texts: list[str] = []
    for turn in conversation:
        begin = "" if texts else "<bos>"
        texts += [
            f"{begin}<start_of_turn>user\n{turn.user}<end_of_turn>\n<start_of_turn>model\n",
            f"{answer(turn.model)}<end_of_turn>",
            "\n",
        ]
    tokens = tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
    ids: list[int] = []
    labels: list[int] = []
    pieces: list[Piece] = []
    for index, piece in enumerate(tokens["input_ids"]):
        pieces.append(Piece(texts[index], len(ids), tokens["offset_mapping"][index]))
        ids += piece
        labels += piece if index % 3 == 1 else [IGNORED] * len(piece)
    found = links(conversation, list(zip(pieces[::3], pieces[1::3], strict=True)))
    kept = tuple(link for link in found if link.query < LONGEST and max(link.keys) < LONGEST)
    return Encoded(ids[:LONGEST], labels[:LONGEST], kept)


def collate(rows: Sequence[Encoded], pad: int) -> Batch:
    """One padded batch whose length is a multiple of eight."""
    length = -(-max(len(row.ids) for row in rows) // 8) * 8
    padded = torch.full((len(rows), length), pad)
    labels = torch.full((len(rows), length), IGNORED)
    for index, row in enumerate(rows):
        padded[index, : len(row.ids)] = torch.tensor(row.ids)
        labels[index, : len(row.labels)] = torch.tensor(row.labels)
    return Batch(padded, labels, tuple(row.links for row in rows))


def _batches(
    tokenizer: PreTrainedTokenizerFast, conversations: Sequence[Conversation], count: int
) -> tuple[Batch, ...]:
    """All conversations in `count` batches, the shortest ones in the first."""
    rows = sorted((encode(tokenizer, turns) for turns in conversations), key=lambda row: len(row.ids))
    cuts = [round(i * len(rows) / count) for i in range(count + 1)]
    return tuple(collate(rows[start:end], tokenizer.pad_token_id) for start, end in pairwise(cuts))
