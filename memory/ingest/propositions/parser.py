"""The English parser: spaCy's small model, loaded on first use because importing and loading take seconds."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from memory.language.libraries import load_english

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Token

    from memory.ingest.propositions.prose import Prose

T = TypeVar("T")

BATCH = 64
"""Texts per batch of the parser."""
CODE = "code"
"""Key of a Doc's user data with the character offsets where code spans begin."""
_PARSE_LOCK = threading.Lock()
"""spaCy's pipeline has state while it runs, so only one thread may parse at a time."""


def parse(texts: Iterable[tuple[Prose, T]]) -> Iterator[tuple[Doc, Prose, T]]:
    """The parse of each text, with the text and its context; each code span becomes one token."""
    remaining = iter(texts)
    while batch := list(islice(remaining, BATCH)):
        with _PARSE_LOCK:
            nlp = _model()
            docs = list(nlp.pipe([_tokens(nlp, text) for text, _ in batch], batch_size=BATCH))
        for doc, (text, context) in zip(docs, batch, strict=True):
            yield doc, text, context


def _tokens(nlp: Language, text: Prose) -> Doc:
    doc = nlp.make_doc(text.text)
    doc.user_data[CODE] = {start for start, _ in text.code}
    with doc.retokenize() as retokenizer:
        for start, end in text.code:
            span = doc.char_span(start, end, alignment_mode="expand")
            if span is not None and len(span) > 1:
                retokenizer.merge(span)
    return doc


def is_code(token: Token) -> bool:
    """Whether the token is a code span."""
    return token.idx in token.doc.user_data.get(CODE, ())


@lru_cache(maxsize=1)
def _model() -> Language:
    return load_english()
