"""Owns a small lesson about lamps, and a bank of words beside it, for tests of what is trained and asked."""

from agent.curriculum import compose, write
from memory.records import Curriculum, Fact
from tests.adapters import fact
from training.dataset import Bank
from training.seed.bank import BankFact

OBJECTS = ("a small green lamp for ships", "a tool that cuts bread", "a river of the far north")
BANK = Bank(
    known=(
        *(BankFact(f"familiar{i}", "definition", f"a thing of sort {i}") for i in range(80)),
        *(BankFact(f"portionword{i}", "definition", f"a part of thing {i}") for i in range(20)),
    ),
    unknown=tuple(BankFact(f"unknownword{i}", "definition", f"another thing {i}") for i in range(60)),
    reserved=tuple(BankFact(f"reservedword{i}", "definition", f"a third thing {i}") for i in range(40)),
)


def lesson(*names: str) -> Curriculum:
    facts: list[Fact] = [fact(name, thing) for name, thing in zip(names, OBJECTS, strict=False)]
    draft = write(facts, per_form=4)
    made = compose("lamps", "lamps", draft, draft.pairs, teacher="rules")
    assert made is not None
    return made


LESSON = lesson("zorble", "quix", "marn")
