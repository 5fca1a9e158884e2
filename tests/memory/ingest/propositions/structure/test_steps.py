"""Numbered lists state the steps of what the line or heading above says."""

import pytest

from tests.support.statements import read, said


def test_steps_are_said_together_and_one_by_one() -> None:
    text = "To reset the device:\n\n1. Hold the **red** button.\n2. Wait for the beep.\n3. Let go."
    found = read(text)
    assert [(s.subject, s.relation, s.object) for s in found] == [
        ("reset the device", "steps", "Hold the red button; Wait for the beep; Let go"),
        ("reset the device", "step 1", "Hold the red button"),
        ("reset the device", "step 2", "Wait for the beep"),
        ("reset the device", "step 3", "Let go"),
    ]
    assert text[slice(*found[0].answer)].endswith("Let go.")


@pytest.mark.parametrize("heading", ["Resetting the device", "How to reset the device", "Reset the device"])
def test_steps_under_a_heading_are_for_what_it_says(heading: str) -> None:
    found = read("1. Hold the button.\n2. Wait.", section=f"Care > {heading}")
    assert {s.subject for s in found} == {"reset the device"}


@pytest.mark.parametrize(
    "text",
    [
        "This happens at night:\n\n1. The pump stops.\n2. The lid opens.",
        "1. Your pump asks the tank.\n2. The tank answers.",
        "To reset it:\n\n1. Hold the button.\n2. Wait.",
        "To reset the device:\n\n1. Hold the button.",
        "To reset the device:\n\n2. Hold the button.\n3. Wait.",
    ],
)
def test_a_numbered_list_that_is_no_procedure_or_not_whole_is_skipped(text: str) -> None:
    assert said(text, section="Background") == []


def test_steps_that_are_all_numbered_one_are_counted() -> None:
    found = said("To reset the device:\n\n1. Hold the button.\n1. Wait for the beep.")
    assert ("reset the device", "step 2", "Wait for the beep") in found
