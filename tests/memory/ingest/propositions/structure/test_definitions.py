"""Options, terms and headings are defined by what stands beside or below them."""

import pytest

from tests.support.statements import read, said


def test_a_list_of_options_says_what_each_does_and_its_default() -> None:
    text = "- `--speed RPM`: sets the speed of the pump (default: 900)\n- `--quiet`: prints nothing"
    found = read(text)
    assert [(s.subject, s.relation, s.object, s.rule) for s in found] == [
        ("`--speed RPM`", "description", "sets the speed of the pump", "option"),
        ("`--speed RPM`", "default", "900", "default"),
        ("`--quiet`", "description", "prints nothing", "option"),
    ]
    assert [text[slice(*s.answer)] for s in found] == [s.object for s in found]


def test_a_term_in_bold_is_defined_by_what_says_what_it_is() -> None:
    assert said("- **Sluice**: a gate that holds back the water.") == [
        ("Sluice", "is", "a gate that holds back the water")
    ]
    assert said("**Sluice.** The gate at the foot of the tank.") == [
        ("Sluice", "is", "The gate at the foot of the tank")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "**Note**: the tank is hot.",
        "- **Keep it clean**: the tank is hot.",
        "- **Cost**: Quorbin is cheap to run.",
        "- **Cleaning**: use a soft cloth.",
        "- [Setting up](setup.md)\n- [Cleaning](cleaning.md)",
        "- https://quorbin.example/manual",
        "![A pump](pump.png)",
        "> **Warning**: the tank is hot.",
        "!!! warning\n    The pump defaults to 900.",
        "Quorbin is a pump. It runs all day.",
    ],
)
def test_what_defines_nothing_gives_no_statement(text: str) -> None:
    assert said(text) == []


@pytest.mark.parametrize("between", ["\n:   ", " :   ", "\n    ", "     "])
def test_a_definition_list_defines_its_terms(between: str) -> None:
    text = f"Sluice{between}A gate that holds back the water."
    (found,) = read(text)
    assert (found.subject, found.relation, found.rule) == ("Sluice", "is", "definition_list")
    assert text[slice(*found.answer)] == found.object == "A gate that holds back the water"


def test_a_first_sentence_that_defines_the_heading_is_read() -> None:
    (found,) = read(
        "A sluice is a gate that holds back the water. It opens by hand.", section="Parts > Sluice"
    )
    assert (found.subject, found.relation, found.rule) == ("Sluice", "is", "heading")
    assert found.object == "a gate that holds back the water"
    assert said("A pump is a thing that moves water.", section="Parts > Sluice") == []
    assert said("Controls how fast the pump turns.", section="Settings > `pump.speed`") == [
        ("`pump.speed`", "description", "Controls how fast the pump turns")
    ]
