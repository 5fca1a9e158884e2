"""What people say around a question, and how they name the document that it is about."""

TRAINED_OPENINGS = (
    "Please tell me: ", "Quick question: ", "I was wondering: ", "Do you know this? ", "For a quiz: ",
    "Help me out: ", "Can you answer this? ", "Remind me: ", "Just curious: ", "My question: ", "So, ",
)  # fmt: skip
HELD_OUT_OPENINGS = (
    "Good morning, ", "Hey there, ", "Out of interest, ", "Sorry to bother you: ", "I have to ask: ",
    "My colleague would like to hear: ",
)  # fmt: skip
"""Never trained: evaluation asks with them where a question has too few wordings to hold one back."""
TITLE_TEMPLATES = ("About {title}: {question}", "{title}: {question}", "In the text about {title}, {lower}")
"""For questions that are ambiguous without the document's name."""


def with_opening(opening: str, question: str) -> str:
    """The question after an opening."""
    return f"{opening}{question}" if opening.endswith((": ", "? ")) else f"{opening}{lower_first(question)}"


def with_title(template: str, title: str, question: str) -> str:
    """The question with the document's title."""
    return template.format(title=title, question=question, lower=lower_first(question))


def lower_first(question: str) -> str:
    """With a small first letter, but for names and acronyms (`What` -> `what`)."""
    first = question.split(" ", 1)[0]
    return question[:1].lower() + question[1:] if first in _OPENERS else question


_OPENER_WORDS = """
    What Who Whom When Where Which Why How Is Are Was Were Do Does Did Can Could Will Would Should Must May
    In At On By For To From With After Before During Under Since Until Tell The A An Define"""
_OPENERS = frozenset(_OPENER_WORDS.split())
