"""The section of skew: its table and alarms, with names as text."""

import pytest

pytest.importorskip("gradio", reason="the extra `console` is not installed")

from api.console.skew import skew
from tests.api.cli.test_skew import SOURCES

REPORT = {"domain": "pumps", "aspects": [SOURCES]}


def test_alarms_are_listed_and_names_are_text() -> None:
    named = {"name": "<img src=x>", "learned": 0.9, "asked": 0.0}
    page = skew({**REPORT, "aspects": [{**SOURCES, "categories": [named]}]})
    assert "&lt;img src=x&gt; 90% of 0%" in page
    assert "<img" not in page
    assert "<li>sources: pumps.md gives 90% of what was learned: ingest more</li>" in page


def test_without_alarms_it_says_that_nothing_is_out_of_bounds() -> None:
    page = skew({**REPORT, "aspects": [{**SOURCES, "alarms": []}]})
    assert "Nothing is out of bounds." in page
    assert "<li>" not in page
