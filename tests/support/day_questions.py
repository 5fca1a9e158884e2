"""A day's questions about two subjects and nothing in common, for tests of topics."""

from collections.abc import Sequence
from datetime import timedelta

from agent.nights.topics.find import DayTopics, examine_day
from memory.embedding.embedder import HashingEmbedder
from memory.records.interactions import Gap, Interaction, LoggedMessage
from memory.records.nights import AnswerScore, Night
from tests.support.interactions import NOON, interaction

EMBEDDER = HashingEmbedder()
NIGHT = Night(
    id="night-2",
    domain="rust",
    status="running",
    since=NOON,
    until=NOON + timedelta(days=1),
    began_at=NOON + timedelta(days=1),
)
PUMPS = (
    "How do I stop the water pump?",
    "How do I clean the water pump?",
    "How do I start the water pump?",
    "How do I mount the water pump?",
    "When do I oil the water pump?",
)
LAMPS = (
    "Which colour has the signal lamp?",
    "Which voltage has the signal lamp?",
    "Which fuse has the signal lamp?",
    "Which socket has the signal lamp?",
)
OTHERS = (
    "Who wrote Middlemarch?",
    "Where do lemurs live?",
    "What does granite consist of?",
    "Why is glass brittle?",
    "When did Rome fall?",
    "Is Pluto round?",
    "Can owls swim?",
)


def turn(
    id: str, question: str, *, unit: str | None = None, minutes: float = 0, **more: object
) -> Interaction:
    messages = more.pop("messages", (LoggedMessage(role="user", content=question),))
    return interaction(
        id, minutes=minutes, question=question, unit=unit or f"unit {id}", messages=messages, **more
    )


def asked(*questions: str) -> list[Interaction]:
    return [turn(f"i{number:03}", text, minutes=number) for number, text in enumerate(questions)]


def gap(id: str, question: str, **more: object) -> Gap:
    fields = {"domain": "rust", "keywords": (), "uncertainty": None, "opened_at": NOON} | more
    return Gap.model_validate({"id": id, "question": question, **fields})


def score(id: str, value: float) -> AnswerScore:
    return AnswerScore(interaction_id=id, value=value, criteria={}, scorer="test", created_at=NOON)


def examine(turns: Sequence[Interaction], **more: object) -> DayTopics:
    terms: dict[str, object] = {"scores": {}, "open_gaps": (), "earlier": ()} | more
    return examine_day(turns, embedder=EMBEDDER, night=NIGHT, now=NIGHT.until, **terms)  # type: ignore[arg-type]


DAY = asked(*PUMPS, *LAMPS, *OTHERS)
