"""Defaults and labelled values belong to what they are said of."""

import pytest

from tests.support.statements import said


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ("The `pump.speed` setting defaults to 900 rpm.", ("`pump.speed`", "default", "900 rpm")),
        ("Set the pace with `pump.speed`. It defaults to `900`.", ("`pump.speed`", "default", "900")),
        ("- `max_flow`, most litres an hour. (Defaults 20)", ("`max_flow`", "default", "20")),
        ("- `ratio`: share of steam. Default: 0.25", ("`ratio` in Quorbin handbook", "default", "0.25")),
    ],
)
def test_a_default_belongs_to_the_code_that_it_is_said_of(text: str, statement: tuple[str, str, str]) -> None:
    assert statement in said(text)


def test_a_default_of_one_of_two_settings_is_skipped() -> None:
    assert said("Unlike `pump.speed`, `pump.mode` defaults to 3.") == []
    assert said("The tank defaults to 3.") == []


@pytest.mark.parametrize(
    ("line", "relation", "value"),
    [
        ("**Default value:** `900`", "default", "900"),
        ("Default: none", "default", "none"),
        ("**Allowed values are:**\ntrue or false", "allowed values", "true or false"),
        ("Valid values: a whole number", "allowed values", "a whole number"),
        ("* Type: Number", "type", "Number"),
    ],
)
def test_a_labelled_value_belongs_to_the_heading(line: str, relation: str, value: str) -> None:
    assert said(line, section="Settings > `pump.speed`") == [("`pump.speed`", relation, value)]
    assert said(line, section="Settings > Changing the speed") == []
