"""Introduces vague questions with their topic or source: "In the context of the Black Death, ..."."""

import re

from agent.learning.questions.question_items import QuestionItem, Wording
from memory.language.clauses import Clause
from memory.records.knowledge import Passage

MAX_TITLE_WORDS = 6
_UNTITLED = re.compile(r"(?i)index|readme|overview|introduction|documentation|home|main|untitled|changelog")


def lead_in(passage: Passage) -> str:
    """`in the context of the Black Death`, from the passage's title; "" if the title is generic."""
    title = re.sub(r"\{[^{}]*\}", "", passage.title).strip("`*#. ")
    if not title or len(title.split()) > MAX_TITLE_WORDS or _UNTITLED.fullmatch(title) or "?" in title:
        return ""
    article = re.search(rf"\b(the) {re.escape(title)}\b", passage.text, re.IGNORECASE)
    return f"in the context of {'the ' if article else ''}{title}"


def with_lead_in(item: QuestionItem, opening: str, clause: Clause) -> QuestionItem:
    """The item with the opening before each wording, without `embedded` wordings ("Tell me ...")."""
    capital = opening[:1].upper() + opening[1:]
    parts = [clause.subject.text if clause.subject else "", *(a.phrase.text for a in clause.arguments)]
    names = {part.split()[0] for part in parts if part[:1].isupper()}
    wordings = tuple(
        Wording(
            w.style, f"{capital}, {w.text if w.text.split()[0] in names else w.text[:1].lower() + w.text[1:]}"
        )
        for w in item.wordings
        if w.style != "embedded"
    )
    return item._replace(wordings=wordings)
