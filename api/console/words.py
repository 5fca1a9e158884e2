"""What the pages say about an answer and a run, in words."""

from api.cli.display import DIRECT, gate_line
from api.console.markup import Tone
from api.console.service import Json

TONES: dict[str, Tone] = {"confident": "good", "undecided": "doubt", "unsure": "bad"}


def gate_words(figures: Json) -> str:
    """The gate's decision on an answer, and what came of it."""
    seen, outcome = figures["uncertainty"], figures["outcome"]
    if seen is None:
        return "This is conversation, not a question that asks for knowledge: the gate did not judge it."
    decided = {
        "confident": "The model was confident of its own answer",
        "undecided": "The figures did not show whether the model knows this",
        "unsure": "The model was unsure of its own answer",
    }[seen["decision"]]
    if seen["confidence"] is not None and seen["threshold"] is not None and outcome in DIRECT:
        decided += f": {seen['confidence']:.0%} likely right, where the gate asks for {seen['threshold']:.0%}"
    came = {
        "answered": "it was sent as it is",
        "answered_unsure": "it was sent all the same, so check it",
        "answered_from_sources": "the answer comes from the sources below",
        "abstained": "no source answers it, so the service declined",
    }[outcome]
    noted = f" It is noted as gap {figures['gap_id']}." if figures["gap_id"] else ""
    return f"{decided}; {came}.{noted}"


def tone(figures: Json) -> Tone:
    """The colour of the gate's decision."""
    if figures["uncertainty"] is None:
        return "quiet"
    return (
        "good" if figures["outcome"] == "answered_from_sources" else TONES[figures["uncertainty"]["decision"]]
    )


def answerer(figures: Json) -> str:
    """Which adapter answered."""
    return str(figures["adapter"] or "the base model")


def gate_figures(figures: Json) -> str:
    """The gate's figures in one line, as `nightschool chat` prints them."""
    return gate_line(figures).plain.strip()


def citation_label(number: int, citation: Json) -> str:
    """A citation as a choice of a list."""
    quote = " ".join(citation["quote"].split())
    shortened = quote if len(quote) <= 90 else f"{quote[:89]}…"
    return f"{number}. “{shortened}” ({citation['title'] or citation['source']})"


def stored_words(reply: Json) -> str:
    """What became of feedback."""
    kinds = ", ".join(each["kind"] for each in reply["feedback"])
    dismissed = ", which was dismissed and stays so" if reply["gap_status"] == "dismissed" else ""
    gap = reply["gap_id"]
    kept = f" The correction is kept with gap {gap}{dismissed}." if gap is not None else ""
    return f"Stored: {kinds}.{kept}"
