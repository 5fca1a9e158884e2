"""The word lists name each word once."""

import tomllib
from collections import Counter
from pathlib import Path

from agent.nights.statements import words


def test_no_list_has_a_word_twice() -> None:
    text = Path(words.__file__).with_name("words.toml").read_text(encoding="utf-8")
    lists = {name: Counter(value.split()) for name, value in tomllib.loads(text).items()}
    assert {name: w for name, counts in lists.items() for w, n in counts.items() if n > 1} == {}
