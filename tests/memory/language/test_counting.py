"""Counts agree with their nouns."""

from memory.language.counting import counted


def test_one_is_singular_and_everything_else_plural() -> None:
    assert [counted(n, "fact") for n in (0, 1, 2, 12345)] == ["0 facts", "1 fact", "2 facts", "12,345 facts"]
    assert [counted(n, "minute") for n in (1.0, 0.5)] == ["1 minute", "0.5 minutes"]
    assert counted(2, "user or conversation", "users or conversations") == "2 users or conversations"
