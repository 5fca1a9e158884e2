"""HTML of the pages: whatever is put into it comes out as text."""

import pytest

pytest.importorskip("gradio", reason="the extra `console` is not installed")

from hypothesis import given
from hypothesis import strategies as st

from api.console.document import AROUND, cited
from api.console.markup import block, fields, heading, items, marked, paragraph, table

ATTACK = "<img src=x onerror=alert(1)>\"'&\u202e"


def test_nothing_that_is_shown_is_read_as_html() -> None:
    parts = (
        paragraph(ATTACK), heading(ATTACK), items([ATTACK]), fields({ATTACK: ATTACK}),
        table(ATTACK, [ATTACK], [[ATTACK]]), marked(ATTACK, 2, 9),
    )  # fmt: skip
    page = block(*parts)
    assert "<img" not in page
    assert "\u202e" not in page
    assert page.count("&lt;img") == 10 - 1  # the marked one is cut in its middle


@given(st.text(max_size=40), st.integers(0, 50), st.integers(0, 50))
def test_a_marked_text_stays_whole(text: str, start: int, end: int) -> None:
    start, end = sorted((start, end))
    assert marked(text, start, end).count("<mark>") == 1


def test_an_empty_table_says_so() -> None:
    assert "Gaps: none yet." in table("Gaps", ["gap"], [])


def passage(number: int, text: str = "Ten chars.") -> dict[str, object]:
    return {"text": text, "start": number * 10, "end": number * 10 + 10, "section": "", "source": "a.md"}


CITATION = {"source": "a.md", "title": "A", "start": 101, "end": 104, "quote": "en ", "owner": None}


def test_a_citation_opens_the_passages_around_its_sentence() -> None:
    passages = [passage(number) for number in reversed(range(20))]
    page = cited(CITATION, [{"owner": None, "passages": passages}])
    assert page.count("Ten chars.") == 2 * AROUND
    assert "T<mark>en </mark>chars." in page
    assert "5 of 20 passages" in page


def test_a_citation_whose_document_is_gone_shows_its_quotation() -> None:
    page = cited(CITATION, [])
    assert "no longer has this sentence" in page
    assert "en " in page
