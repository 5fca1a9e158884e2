"""Reading-comprehension questions: generated passages about invented towns, each with a question."""

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
    """A prompt with a passage and a question, and the answer stated in the passage."""

    prompt: str
    answer: str


def reading_questions(names: Sequence[str], seed: int = 0, count: int = COUNT) -> tuple[ReadingQuestion, ...]:
    """Questions about towns with these invented names; deterministic for a seed."""
    draw = random.Random(seed)
    questions = []
    for number in range(count):
        values = {
            "name": names[number % len(names)],
            "colour": draw.choice(_COLOURS),
            "day": draw.choice(_DAYS),
            "goods": draw.choice(_GOODS),
            "person": draw.choice(_PEOPLE),
            "year": str(draw.randint(1650, 1990)),
            "people": str(draw.randint(300, 990)),
        }
        facts = draw.sample(_FACTS, 4)
        _, question, kind = facts[draw.randrange(4)]
        opening = f"{values['name']} is a small town by a river."
        passage = " ".join([opening, *(sentence.format(**values) for sentence, _, _ in facts)])
        prompt = PROMPT.format(passage=passage, question=question.format(**values))
        questions.append(ReadingQuestion(prompt=prompt, answer=values[kind]))
    return tuple(questions)
