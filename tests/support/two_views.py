"""Two documents that see the same differently, written for tests: a botanist's and a cook's."""

from memory.ingest.passages import passages
from memory.ingest.propositions.facts import extract_facts
from memory.records.knowledge import Fact, Passage
from memory.records.perspectives import Viewpoints

BOTANY = """# The tomato in botany

A tomato is a fruit. A tomato grows from the ovary of a flower. The tomato seed is dispersed by animals.
A rhubarb stalk is a petiole. The first tomato was grown in Europe in 1540.
"""
COOKING = """# The tomato in cooking

A tomato is a vegetable. A tomato is served with salt and basil. The tomato sauce is cooked for two hours.
A rhubarb stalk is a dessert ingredient. The pan is greased with olive oil.
"""
DOMAIN = "rust"
"""The domain that the tests' graphs serve."""
PLACES = {"botany.md": "botany", "cooking.md": "cookery"}


def document(source: str, text: str) -> tuple[Passage, ...]:
    title = text.split("\n", 1)[0].removeprefix("# ")
    return passages(text, source=source, title=title, domain=DOMAIN, owner=None, language="en")


def both() -> tuple[tuple[Passage, ...], tuple[Fact, ...]]:
    """The passages of both documents, and their facts."""
    found = (*document("botany.md", BOTANY), *document("cooking.md", COOKING))
    return found, extract_facts(found)


def viewpoints(**weights: float) -> Viewpoints:
    """Each document speaks from its own perspective; weights are 1 if not given."""
    return Viewpoints(
        names={(source, DOMAIN, None): name for source, name in PLACES.items()},
        weights={(DOMAIN, name): weights.get(name, 1.0) for name in PLACES.values()},
    )
