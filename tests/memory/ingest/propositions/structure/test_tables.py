"""Each table cell states an attribute of what its row or its column names."""

import pytest

from memory.ingest.passages import passages
from memory.ingest.propositions.structure import structured
from tests.support.statements import DEVICES, read, said


def test_a_table_row_says_each_column_of_what_its_first_cell_names() -> None:
    (home,) = passages(DEVICES, source="table.md", title="table", domain="devices")
    found = structured(home)
    assert [(s.subject, s.relation, s.object) for s in found] == [
        ("Quorbin", "maximum load", "40 kilograms"),
        ("Quorbin", "voltage", "12 volts"),
        ("Plenty", "maximum load", "55 kilograms"),
        ("Plenty", "voltage", "24 volts"),
        ("Marsk", "maximum load", "70 kilograms"),
        ("Marsk", "voltage", "48 volts"),
    ]
    assert all(home.text[slice(*s.answer)] == s.object for s in found)
    assert home.text[found[0].start : found[0].end] == "| Quorbin | 40 kilograms | 12 volts |"


def test_an_answer_points_inside_the_marks_of_its_cell() -> None:
    text = (
        "| Setting | Default |\n|---|---|\n| `pump.speed` | **`900`** |\n| `pump.mode` | [slow](modes.md) |"
    )
    found = read(text)
    assert [(s.subject, s.relation, s.object) for s in found] == [
        ("`pump.speed`", "default", "900"),
        ("`pump.mode`", "default", "slow"),
    ]
    assert [text[slice(*s.answer)] for s in found] == ["900", "slow"]


def test_a_name_that_could_be_anything_is_named_with_its_table() -> None:
    text = "| Column | Type |\n|---|---|\n| `id` | integer |"
    assert said(text, section="Store > Order table") == [
        ("the `id` column in the Order table", "type", "integer")
    ]


def test_a_number_in_the_first_column_is_named_with_its_header() -> None:
    text = "| Code | Meaning |\n|---|---|\n| 17 | The tank is empty |"
    assert said(text) == [("code 17", "description", "The tank is empty")]


@pytest.mark.parametrize("cell", ["", "-", "n/a", "\u2013", "word " * 26, "[fill in]", "what is it?"])
def test_a_cell_that_says_nothing_is_skipped(cell: str) -> None:
    assert said(f"| Device | Weight |\n|---|---|\n| Quorbin | {cell} |") == []


def test_rows_without_a_header_or_with_a_repeated_name_are_skipped() -> None:
    assert said("| Quorbin | 40 kilograms |\n| Plenty | 55 kilograms |") == []
    assert said("| Device | Port |\n|---|---|\n| Quorbin | 5 |\n| Quorbin | 6 |") == []


def test_a_row_with_more_cells_than_the_header_is_skipped() -> None:
    assert said("| Device | Load |\n|---|---|\n| Quorbin | 4 | 5 |") == []


def test_a_unit_in_the_header_belongs_to_the_attribute() -> None:
    assert said("| Device | Weight (kg) |\n|---|---|\n| Quorbin | 40 |") == [
        ("Quorbin", "weight in kg", "40")
    ]


def test_yes_and_no_need_a_header_that_can_be_answered_so() -> None:
    assert said("| Part | Washable |\n|---|---|\n| Lid | yes |") == [("Lid", "washable", "yes")]
    assert said("| Part | Windows |\n|---|---|\n| Lid | yes |") == []


def test_a_table_of_properties_is_about_its_heading() -> None:
    text = "| Property | Value |\n|---|---|\n| Weight | 4 kilograms |\n| Colour | red |"
    assert said(text, section="Pumps > Quorbin") == [
        ("Quorbin", "weight", "4 kilograms"),
        ("Quorbin", "colour", "red"),
    ]


def test_a_comparison_is_read_by_column() -> None:
    text = "| Feature | Quorbin | Plenty |\n|---|---|---|\n| Weight | 4 kilograms | 5 kilograms |"
    assert said(text) == [("Quorbin", "weight", "4 kilograms"), ("Plenty", "weight", "5 kilograms")]


def test_a_row_of_return_values_is_about_the_function() -> None:
    text = "| Argument | Type |\n|---|---|\n| `turns` | int |\n| **RETURNS** | Valve |"
    assert said(text, section="API > `open_valve`") == [
        ("the `turns` argument of `open_valve`", "type", "int"),
        ("`open_valve`", "return type", "Valve"),
    ]


def test_a_default_told_in_a_description_is_read_too() -> None:
    text = "| Option | Description |\n|---|---|\n| `--turns` | How often it turns. Defaults to `3`. |"
    found = read(text)
    assert ("`--turns`", "default", "3") in [(s.subject, s.relation, s.object) for s in found]
    assert "3" in [text[slice(*s.answer)] for s in found]
