"""A structured statement is asked for in the words that people use."""

import pytest

from agent.learning.questions.structured_questions import structured_questions
from memory.ingest.passages import passages
from memory.ingest.propositions.structure import structured
from tests.support.statements import DEVICES, at


def asked(text: str, *, section: str = "", title: str = "Quorbin handbook") -> list[tuple[str, str, str]]:
    home = at(text, section=section, title=title)
    return [question for statement in structured(home) for question in structured_questions(statement, home)]


def questions(text: str, *, section: str = "", title: str = "Quorbin handbook") -> list[str]:
    return [question for _, question, _ in asked(text, section=section, title=title)]


def test_a_table_cell_is_asked_for_by_row_and_column() -> None:
    (home,) = passages(DEVICES, source="table.md", title="table", domain="devices")
    first = structured(home)[0]
    assert structured_questions(first, home) == (
        ("value", "What is the maximum load of Quorbin?", "40 kilograms"),
        ("value", "What maximum load does Quorbin have?", "40 kilograms"),
        ("value", "Tell me the maximum load of Quorbin.", "40 kilograms"),
        ("value", "Quorbin: maximum load?", "40 kilograms"),
        ("reverse", "Which device has a maximum load of 40 kilograms?", "Quorbin"),
    )


def test_a_row_is_not_asked_for_by_a_value_that_two_rows_have() -> None:
    text = "| Device | Voltage |\n|---|---|\n| Quorbin | 12 volts |\n| Plenty | 12 volts |"
    assert not [q for q in asked(text) if q[0] == "reverse"]


def test_a_name_has_the_article_that_the_text_gives_it() -> None:
    table = "\n\n| Device | Voltage |\n|---|---|\n| Quorbin | 12 volts |"
    assert "What is the voltage of Quorbin?" in questions("It runs." + table)
    assert "What is the voltage of the Quorbin?" in questions("Here is the Quorbin." + table)


def test_a_common_name_has_an_article_and_the_title() -> None:
    text = "| Part | Weight |\n|---|---|\n| drain plug | 2 grams |"
    assert "What is the weight of the drain plug in Quorbin handbook?" in questions(text)


def test_a_default_is_asked_for_in_four_ways() -> None:
    text = "```python\ndef open_valve(name, turns=3):\n    ...\n```"
    assert asked(text) == [
        ("value", "What is the default of the `turns` parameter of `open_valve`?", "3"),
        ("value", "What is the default value of the `turns` parameter of `open_valve`?", "3"),
        ("value", "What does the `turns` parameter of `open_valve` default to?", "3"),
        ("value", "If I do not set the `turns` parameter of `open_valve`, what value is used?", "3"),
    ]


def test_an_option_is_asked_what_it_does_and_which_one_does_it() -> None:
    assert asked("- `--quiet`: prints nothing but errors") == [
        ("definition", "What does the `--quiet` option do?", "prints nothing but errors"),
        ("definition", "What is `--quiet` for?", "prints nothing but errors"),
        ("definition", "What does --quiet mean?", "prints nothing but errors"),
        ("reverse", "Which option prints nothing but errors?", "--quiet"),
    ]
    assert "Which option do I use to set the speed of the pump?" in questions(
        "- `--speed RPM`: Set the speed of the pump."
    )


def test_a_term_is_asked_for_its_meaning() -> None:
    assert asked("- **Sluice**: a gate that holds back the water.", title="Sluice gates") == [
        ("definition", "What is Sluice?", "a gate that holds back the water"),
        ("definition", "What does Sluice mean?", "a gate that holds back the water"),
        ("definition", "Define Sluice.", "a gate that holds back the water"),
    ]


def test_steps_are_asked_for_together_and_one_by_one() -> None:
    found = asked("To reset the device:\n\n1. Hold the button.\n2. Wait for the beep.")
    whole = "Hold the button; Wait for the beep"
    assert found[:5] == [
        ("procedure", "How do I reset the device?", whole),
        ("procedure", "What are the steps to reset the device?", whole),
        ("procedure", "How can I reset the device?", whole),
        ("procedure", "What do I have to do to reset the device?", whole),
        ("procedure", "How can the device be reset?", whole),
    ]
    assert ("procedure", "What is the first step to reset the device?", "Hold the button") in found
    assert ("procedure", "What is the second step to reset the device?", "Wait for the beep") in found


@pytest.mark.parametrize(
    ("purpose", "passive"),
    [
        ("replace the filter", "How can the filter be replaced?"),
        ("clean the water tank", "How can the water tank be cleaned?"),
        ("open a valve", "How can a valve be opened?"),
        ("apply the update", "How can the update be applied?"),
    ],
)
def test_one_plain_object_can_be_asked_for_in_the_passive(purpose: str, passive: str) -> None:
    assert passive in questions(f"To {purpose}:\n\n1. Hold the button.\n2. Wait for the beep.")


@pytest.mark.parametrize(
    "purpose", ["plug the drain", "send the report", "open the valves", "connect to the tank"]
)
def test_the_passive_is_left_out_where_its_form_is_not_sure(purpose: str) -> None:
    found = questions(f"To {purpose}:\n\n1. Hold the button.\n2. Wait for the beep.")
    assert not [question for question in found if " be " in question]


def test_a_short_purpose_is_asked_with_the_title() -> None:
    found = questions("To restart:\n\n1. Hold the button.\n2. Wait for the beep.")
    assert "How do I restart in Quorbin handbook?" in found


@pytest.mark.parametrize(
    ("header", "cell", "question", "answer"),
    [
        ("Washable", "yes", "Is Lid washable?", "Yes"),
        ("Steam support", "\u2717", "Does Lid have steam support?", "No"),
        ("Cleaning required", "No", "Is cleaning required for Lid?", "No"),
    ],
)
def test_yes_and_no_answer_a_yes_no_question(header: str, cell: str, question: str, answer: str) -> None:
    assert ("yes_no", question, answer) in asked(f"| Part | {header} |\n|---|---|\n| Lid | {cell} |")


def test_allowed_values_and_types_are_asked_for() -> None:
    found = questions(
        "**Allowed values are:** slow or fast\n\n**Type:** text", section="Settings > `pump.mode`"
    )
    assert "What can `pump.mode` be set to?" in found
    assert "What is the type of `pump.mode`?" in found


def test_every_statement_has_at_least_three_different_questions() -> None:
    text = (
        f"{DEVICES}\n- `--quiet`: prints nothing\n- **Sluice**: a gate for water\n\nTo reset the device:\n\n"
        "1. Hold the button.\n2. Wait.\n\nThe `pump.speed` setting defaults to 900."
    )
    home = at(text)
    found = [structured_questions(statement, home) for statement in structured(home)]
    assert found
    assert all(len({question for _, question, _ in each}) == len(each) >= 3 for each in found)


def test_the_same_statement_is_always_asked_alike() -> None:
    assert asked(DEVICES) == asked(DEVICES)
