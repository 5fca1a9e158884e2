"""Golden pairs are written as JSON lines in the three forms that training tools read."""

import json

import pytest

from agent.nights.golden.files import dumps
from memory.records.nights import GoldenForm, GoldenPair
from tests.support.golden import citation, known


def pair(form: GoldenForm) -> GoldenPair:
    return known("What is é?", "a letter\nwith an accent", form=form, citations=(citation("oil"),))


FIELDS: dict[GoldenForm, dict[str, str]] = {
    "qa": {"question": "What is é?", "answer": "a letter\nwith an accent"},
    "instruction": {"instruction": "What is é?", "input": "", "output": "a letter\nwith an accent"},
    "completion": {"prompt": "What is é?", "completion": "a letter\nwith an accent"},
}


@pytest.mark.parametrize("form", FIELDS)
def test_a_pair_is_one_line_in_its_own_form(form: GoldenForm) -> None:
    (line,) = dumps([pair(form)]).splitlines()
    row = json.loads(line)
    assert FIELDS[form].items() <= row.items()
    assert row["citations"][0]["quote"] == citation("oil").quote


@pytest.mark.parametrize("form", FIELDS)
def test_all_pairs_can_be_written_in_one_form(form: GoldenForm) -> None:
    rows = [json.loads(line) for line in dumps(map(pair, FIELDS), form).splitlines()]
    assert len(rows) == 3
    assert all(FIELDS[form].items() <= row.items() for row in rows)


def test_no_pairs_are_no_lines() -> None:
    assert dumps([]) == ""
