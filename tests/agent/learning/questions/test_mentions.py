"""What stands for something named before is told in full, or under its topic."""

from agent.learning.teachers.rules import write_pairs
from tests.support.statements import at


def questions(text: str, title: str = "Harbour notes") -> list[str]:
    return [c.question for c in write_pairs([at(text, title=title)])]


def test_a_bare_definite_noun_is_told_by_what_was_described_before() -> None:
    found = questions("Oskar Hahn drew the swing bridge of Lund. The bridge was opened by Nina Falk in 1931.")
    assert "Who opened the swing bridge of Lund in 1931?" in found


def test_these_things_are_told_by_the_things_described_before() -> None:
    found = questions("The yard built four steam ferries. These ferries carried grain to Bergen in 1901.")
    assert any("steam ferries" in question and "grain" in question for question in found), found


def test_what_nothing_before_explains_is_asked_under_the_title() -> None:
    found = questions("The company moved its office to Bergen in 1931.", title="Falk Press")
    assert found
    assert all(q.startswith("In the context of Falk Press, ") for q in found if "company" in q)


def test_what_is_reported_is_asked_as_its_teller_says() -> None:
    found = questions("Nina Falk claimed that the old mill burned down in 1925.")
    assert "According to Nina Falk, when did the old mill burn down?" in found


def test_a_denied_report_gives_no_fact() -> None:
    found = questions("Nina Falk did not claim that the old mill burned down in 1925.")
    assert not [q for q in found if q.startswith("According to")]
