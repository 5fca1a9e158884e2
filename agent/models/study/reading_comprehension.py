"""Whether a model answers from a passage in front of it: passages of ours about things that do not exist."""

import random
from collections.abc import Sequence

from memory.records.base import Record

COUNT = 48
_COLOURS = ("red", "green", "yellow", "blue", "white", "black", "purple", "brown")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_GOODS = ("cheese", "copper", "wool", "honey", "glass", "salt", "paper", "rope")
_PEOPLE = ("Mara Tolland", "Piet Harrow", "Ines Quill", "Tobias Fenn", "Ruth Abara", "Jon Vesely")
_FACTS: tuple[tuple[str, str, str], ...] = (
    ("The flag of {name} is {colour}.", "What colour is the flag of {name}?", "colour"),
    ("The market of {name} is held every {day}.", "On which day is the market of {name} held?", "day"),
    ("{name} lives mostly from selling {goods}.", "What does {name} mostly sell?", "goods"),
    ("Its first mayor was {person}, a teacher.", "Who was the first mayor of {name}?", "person"),
    ("The bridge of {name} was finished in {year}.", "When was the bridge of {name} finished?", "year"),
    ("About {people} people live there.", "How many people live in {name}?", "people"),
)  # fmt: skip
PROMPT = "Read the passage and answer the question.\n\nPassage: {passage}\n\nQuestion: {question}"


class ReadingQuestion(Record):
    """A passage with a question whose answer it states."""

    prompt: str
    answer: str


def reading_questions(names: Sequence[str], seed: int = 0, count: int = COUNT) -> tuple[ReadingQuestion, ...]:
    """Questions about places with these invented names; the same seed gives the same."""
    draw = random.Random(seed)
    questions = []
    for number in range(count):
        said = {
            "name": names[number % len(names)],
            "colour": draw.choice(_COLOURS),
            "day": draw.choice(_DAYS),
            "goods": draw.choice(_GOODS),
            "person": draw.choice(_PEOPLE),
            "year": str(draw.randint(1650, 1990)),
            "people": str(draw.randint(300, 990)),
        }
        chosen = draw.sample(_FACTS, 4)
        _, question, kind = chosen[draw.randrange(4)]
        opening = f"{said['name']} is a small town by a river."
        passage = " ".join([opening, *(sentence.format(**said) for sentence, _, _ in chosen)])
        prompt = PROMPT.format(passage=passage, question=question.format(**said))
        questions.append(ReadingQuestion(prompt=prompt, answer=said[kind]))
    return tuple(questions)
