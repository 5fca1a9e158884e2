"""The word lists of `words.toml`."""

import tomllib
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def _lists() -> dict[str, frozenset[str]]:
    text = Path(__file__).with_name("words.toml").read_text(encoding="utf-8")
    return {name: frozenset(words.split()) for name, words in tomllib.loads(text).items()}


def words_of(name: str) -> frozenset[str]:
    """A list by its name. Raises KeyError for any other."""
    return _lists()[name]


OWN_PEOPLE = words_of("household") | words_of("colleagues")
"""People and animals that with `the` are the speaker's own."""
