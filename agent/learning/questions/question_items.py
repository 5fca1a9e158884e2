"""The records of question generation: an answer with the wordings of its question."""

from typing import Literal, NamedTuple

from memory.records.curricula import Form

Style = Literal["plain", "passive", "short", "embedded", "echo", "cloze"]
"""`plain`: question word first. `passive`: in the other voice. `short`: without adjuncts.
`embedded`: `Tell me when ...`. `echo`: the question word in the answer's place. `cloze`: a blank there."""


class Wording(NamedTuple):
    """One wording of a question."""

    style: Style
    text: str


class QuestionItem(NamedTuple):
    """A question with its answer, and the answer's position in the parsed text."""

    form: Form
    answer: str
    start: int
    end: int
    wordings: tuple[Wording, ...]
    """The plainest first."""
