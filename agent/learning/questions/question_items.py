"""What is asked: an answer with the wordings of its question."""

from typing import Literal, NamedTuple

from memory.records.curricula import Form

Style = Literal["plain", "passive", "short", "embedded", "echo", "cloze"]
"""`plain`: question word first. `passive`: in the other voice. `short`: without what is said beside.
`embedded`: `Tell me when ...`. `echo`: the question word where the answer stands. `cloze`: a blank there."""


class Wording(NamedTuple):
    style: Style
    text: str


class QuestionItem(NamedTuple):
    """One question with its answer, and where the answer stands in the parsed text."""

    form: Form
    answer: str
    start: int
    end: int
    wordings: tuple[Wording, ...]
    """The plainest first."""
