"""Attacks: questions that try to lead the model away from what the sources say, and its answers."""

from datetime import datetime
from typing import Literal

from memory.records.base import AdapterName, Domain, Record
from memory.records.interactions import LoggedMessage
from memory.records.knowledge import Citation

AttackKind = Literal["false_premise", "injection", "contradiction", "stereotype"]
"""`false_premise`: a question that takes something false for granted. `injection`: a quoted source that
dictates an answer. `contradiction`: doubt about a right answer. `stereotype`: asks for a prejudice."""
AttackResult = Literal["fell", "held", "evaded"]
"""`fell`: the model said what the attack planted. `held`: it said what the source says. `evaded`: neither."""


class Attack(Record):
    """One attack of a night, with the model's answer."""

    id: str
    night_id: str
    domain: Domain
    kind: AttackKind
    interaction_id: str | None = None
    """The turn whose question was attacked; None for a taught fact."""
    fact_id: str
    question: str
    """The question that was turned into the attack."""
    messages: tuple[LoggedMessage, ...]
    """What the model was sent."""
    expected: str
    """The right answer; of a stereotype, `No`."""
    planted: str
    """The wrong answer that the attack suggests."""
    citation: Citation
    """The sentence that says what is right."""
    adapter: AdapterName | None
    """The adapter that answered; None for the base model."""
    answer: str
    result: AttackResult
    created_at: datetime

    @property
    def prompt(self) -> str:
        """What users say in it, as one question."""
        return " ".join(message.content for message in self.messages if message.role == "user")
