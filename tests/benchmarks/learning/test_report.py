"""The figures, tables and goals of the learning benchmark."""

import pytest

from benchmarks.learning.report import ablations, confidence_error, page, section_lift
from memory.results import met
from memory.results import page as printed
from tests.support.learning_measurements import measurement, response, result


def test_stated_chances_are_compared_with_what_is_right() -> None:
    sure = [
        result(text).model_copy(update={"responses": {"adapter": response(text, chance=chance)}})
        for text, chance in (("Mara Ellwood", 1.0), ("nobody", 0.0))
    ]
    assert confidence_error([measurement(results=tuple(sure))]) == 0.0


def test_section_lift_is_what_the_own_text_gains_over_another() -> None:
    own, other = result("Mara Ellwood"), result("somebody", kind="other")
    assert section_lift([measurement("squad-1", results=(own, other))]) == 100.0


def test_a_goal_that_was_missed_or_not_measured_stays_in_the_report() -> None:
    made = page([measurement()], name="learning", command="make bench-learning DATA=x")
    assert (
        not met(made, "squad, 10 passages: closed-book")
        or made.figures["squad, 10 passages: closed-book"] == 0.5
    )
    text = printed(made, "abc", "a machine")
    assert "| manual-httpx: closed-book | >= 0.3 | not measured | **no** |" in text
    assert "| held-out wordings | >= 0.95 | 0.9 | **no** |" in text
    assert "| squad, 10 passages: closed-book | >= 0.45 | 0.5 | yes |" in text


def test_each_figure_has_its_interval_and_its_command() -> None:
    command = "make bench-learning DATA=x PARTS=squad-10,squad-1"
    made = page([measurement()], name="learning", command=command)
    every = next(table for table in made.tables if table.title == "All figures")
    row = next(row for row in every.rows if row[0] == "squad, 10 passages: closed-book")
    assert row == (
        "squad, 10 passages: closed-book",
        "0.500",
        "0.09 to 0.91",
        "2",
        "`make bench-learning DATA=x PARTS=squad-10`",
    )


def test_seeds_are_counted_together_and_variants_apart() -> None:
    every = [measurement(), measurement(seed=1), measurement(variant="without-replay")]
    figures = page(every, name="learning", command="make").figures
    assert figures["squad, 10 passages: closed-book"] == 0.5
    assert figures["squad, 10 passages (without-replay): closed-book"] == 0.5
    assert figures["seconds per passage"] == 30.0
    assert figures["overhead over a bare PyTorch loop"] == pytest.approx(0.2)
    assert figures["general known lost, points"] == pytest.approx(2.0)


def test_what_could_not_be_measured_is_printed_with_its_reason() -> None:
    failed = measurement(variant="document-language-model", lesson=None, results=(), failed="no | network")
    made = page([measurement(), failed], name="learning", command="make")
    table = next(table for table in made.tables if table.title == "Failed")
    assert table.rows == (("squad-10", "squad-10", "document-language-model", "no / network"),)
    assert not any("document-language-model" in name for name in made.figures)


def test_after_a_sequence_the_earlier_lessons_are_asked_again() -> None:
    first = measurement("sequence-2", text="sequence-2-01", results=(result("Mara Ellwood"),))
    second = measurement("sequence-2", text="sequence-2-02", results=(result("nobody", kind="earlier"),))
    figures = page([first, second], name="learning", command="make").figures
    assert figures["earlier lessons' questions when learned, of 1"] == 1.0
    assert figures["the same after 2 lessons"] == 0.0
    assert "held-out wordings" not in figures


def test_ablations_have_a_page_of_their_own_with_the_controls() -> None:
    null = measurement("squad-5", variant="null-adapter", results=(result("nobody"),))
    every = [measurement("squad-5", results=(result("Mara Ellwood"),)), null, measurement()]
    made = ablations(every, name="learning-ablations", command="make bench-ablations DATA=x")
    assert made.figures["product over a random adapter of the same norm, points"] == 100.0
    assert not any("10 passages" in name for name in made.figures)
    assert not any("null-adapter" in name for name in page(every, name="learning", command="make").figures)
