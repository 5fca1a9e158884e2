"""Adds openings ("Quick question: ") and document titles to questions, for more training wordings."""

TRAINED_OPENINGS = (
    "Please tell me: ", "Quick question: ", "I was wondering: ", "Do you know this? ", "For a quiz: ",
    "Help me out: ", "Can you answer this? ", "Remind me: ", "Just curious: ", "My question: ", "So, ",
)  # fmt: skip
HELD_OUT_OPENINGS = (
    "Good morning, ", "Hey there, ", "Out of interest, ", "Sorry to bother you: ", "I have to ask: ",
    "My colleague would like to hear: ",
)  # fmt: skip
"""Never trained; evaluation uses them if a question has too few wordings to hold one out."""
VALIDATION_OPENINGS = (
    "Before I forget: ", "Let me ask you this: ", "One more thing: ", "For my notes: ",
)  # fmt: skip
"""Never trained, and not asked in evaluation; training is validated with them."""
TITLE_TEMPLATES = ("About {title}: {question}", "{title}: {question}", "In the text about {title}, {lower}")
"""For questions that are ambiguous without the document's title."""


def with_opening(opening: str, question: str) -> str:
    """The question with an opening in front."""
    return f"{opening}{question}" if opening.endswith((": ", "? ")) else f"{opening}{lower_first(question)}"


def with_title(template: str, title: str, question: str) -> str:
    """The question with the document's title."""
    return template.format(title=title, question=question, lower=lower_first(question))


def lower_first(question: str) -> str:
    """The question with a lower-case first letter, unless it begins with a name (`What` -> `what`)."""
    first = question.split(" ", 1)[0]
    return question[:1].lower() + question[1:] if first in _OPENERS else question


_OPENER_WORDS = """
    What Who Whom When Where Which Why How Is Are Was Were Do Does Did Can Could Will Would Should Must May
    According In At On By For To From With After Before During Under Since Until Tell The A An Define"""
_OPENERS = frozenset(_OPENER_WORDS.split())
