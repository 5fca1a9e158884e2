"""The grammar of questions: how a fact may be asked, in pre-training, curricula and evaluation.

Held-out wordings use cores, openings and closings that no taught wording uses (they are in `cores`). What the
answer is, and whether the question deserves one, is decided elsewhere.
"""

import random
from collections.abc import Sequence
from typing import get_args

from agent.cores import CLOSINGS, CORES, OPENINGS, Split
from memory.records import Form

FORMS: tuple[Form, ...] = get_args(Form)
OBJECT_FORMS: frozenset[Form] = frozenset({"example_of", "term_for", "yes_no"})
"""Forms whose question names the fact's object."""


def ask(form: Form, split: Split, rng: random.Random, *, subject: str = "", object: str = "") -> str:
    """One wording, drawn by `rng`, with the article, quotes, case and punctuation that people vary.

    Half of the draws use a bare core, as most people do. Raises ValueError when a name that the form needs is
    empty.
    """
    core = rng.choice(CORES[form][split])
    opening = rng.choice(OPENINGS[split]) if rng.random() < 0.5 else ""
    closing = rng.choice(CLOSINGS[split]) if rng.random() < 0.4 else ""
    text = _fill(_compose(opening, core, closing), subject, object, rng)
    if rng.random() < 0.15:
        text = text.rstrip("?.")
    if rng.random() < 0.15:
        text = text[:1].lower() + text[1:]
    return text


def wordings(
    form: Form, split: Split, count: int, seed: int, *, subject: str = "", object: str = ""
) -> tuple[str, ...]:
    """`count` different wordings of one question; the same seed gives the same ones.

    Raises ValueError when the grammar cannot make that many.
    """
    rng = random.Random(f"{seed}|{form}|{split}|{subject}|{object}")
    found: dict[str, None] = {}
    for _ in range(50 * count):
        found.setdefault(ask(form, split, rng, subject=subject, object=object))
        if len(found) == count:
            return tuple(found)
    raise ValueError(f"the grammar has fewer than {count} {split} wordings of {form!r}")


def with_context(question: str, passages: Sequence[str]) -> str:
    """The user turn that asks `question` over numbered passages: the only way a source enters a prompt."""
    numbered = "\n".join(f"[{number}] {' '.join(text.split())}" for number, text in enumerate(passages, 1))
    return f"Context:\n{numbered}\n\nQuestion: {question}"


def _compose(opening: str, core: str, closing: str) -> str:
    """`core` ends in its own punctuation; openings end in a space, closings begin with one or a comma."""
    body, mark = core[:-1], core[-1]
    text = f"{opening}{body}{closing}{mark}"
    return text if text.startswith("{") else text[:1].upper() + text[1:]


def _fill(template: str, subject: str, object: str, rng: random.Random) -> str:
    for name, value in (("{subject}", subject), ("{object}", object)):
        if name in template and not value.strip():
            raise ValueError(f"this wording needs {name[1:-1]}: {template!r}")
    named = subject
    if "{subject}" in template and "`" not in subject:
        draw = rng.random()
        if draw < 0.3 and subject[:1].islower():
            named = ("an " if subject[:1] in "aeiou" else "a ") + subject
        elif draw < 0.4:
            named = f"the {subject}"
        elif draw < 0.5:
            named = f'"{subject}"'
    text = template.replace("{subject}", named).replace("{object}", object)
    return text[:1].upper() + text[1:] if template.startswith("{") and "`" not in subject[:1] else text
