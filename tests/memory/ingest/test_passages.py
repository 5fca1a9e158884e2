"""Passages are exact stretches of their document, under its headings."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from memory.ingest.passages import MAX_CHARS, MAX_WORDS, passages
from memory.records.knowledge import Passage

DOCUMENT = st.lists(
    st.sampled_from(
        [
            "# One",
            "## Two",
            "### Three",
            "",
            "A word or two.",
            "- an item",
            "```",
            "    code",
            "x" * 50,
            "é 💥 \u2028 z",
        ]
    )
    | st.text(max_size=40),
    max_size=40,
).map("\n".join)


@settings(deadline=None)
@given(DOCUMENT)
def test_each_passage_is_the_text_at_its_offsets(text: str) -> None:
    found = cut(text)
    assert all(text[p.start : p.end] == p.text and p.text.strip() for p in found)
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert len({p.id for p in found}) == len(found)


@settings(deadline=None)
@given(DOCUMENT)
def test_no_word_outside_headings_is_lost(text: str) -> None:
    kept = set("".join(p.text for p in cut(text)).split())
    body = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    assert all(word in kept or "#" in text for line in body for word in line.split())


def test_a_passage_carries_the_headings_above_it() -> None:
    found = cut("# A\n\none\n\n## B\n\ntwo\n\n#### D\n\nthree\n\n## C\n\nfour")
    assert [p.section for p in found] == ["A", "A > B", "A > B > D", "A > C"]
    assert {p.title for p in found} == {"A"}


def test_short_paragraphs_share_a_passage_and_long_ones_are_cut_at_sentences() -> None:
    short = "One two three four five.\n\n" * 6
    assert len(cut(short)) == 1
    long = "This sentence has exactly seven words here. " * 100
    pieces = cut(long)
    assert len(pieces) > 4
    assert all(p.text.endswith(".") and len(p.text.split()) <= MAX_WORDS for p in pieces)


def test_text_without_any_sentence_is_cut_all_the_same() -> None:
    for text in ("x" * 20_000, "```\n" + "let a = 1;\n" * 2000 + "```"):
        assert all(len(p.text) <= MAX_CHARS for p in cut(text))


def test_a_heading_in_a_code_block_is_no_heading() -> None:
    (found,) = cut("# A\n\n```\n# not a heading\n```\n")
    assert found.section == "A"
    assert "# not a heading" in found.text


def test_a_document_without_heading_is_called_by_the_title_given() -> None:
    (found,) = passages("Only text.", source="s", title="notes", domain="general")
    assert (found.title, found.section) == ("notes", "")


def test_the_same_text_has_another_id_in_another_domain_or_source() -> None:
    ids = {
        passages("Text.", source=source, title="t", domain=domain)[0].id
        for source in ("a", "b")
        for domain in ("x", "y")
    }
    assert len(ids) == 4


def cut(text: str) -> tuple[Passage, ...]:
    return passages(text, source="s", title="t", domain="general")


def test_a_long_table_is_cut_between_rows_and_keeps_its_header() -> None:
    rows = [f"| device {n} | {n} kilograms of load at most |" for n in range(60)]
    text = "\n".join(["| Device | Load |", "|---|---|", *rows])
    cut = passages(text, source="s", title="t", domain="d")
    assert len(cut) > 1
    assert cut[0].text.startswith("| Device | Load |")
    assert all(p.text.endswith("|") and len(p.text.split()) <= MAX_WORDS for p in cut)
    assert [line for p in cut for line in p.text.splitlines()] == text.splitlines()
