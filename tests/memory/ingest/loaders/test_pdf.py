"""The text of a PDF comes in reading order, with its tables, and without what repeats on every page."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from memory.errors import IngestError
from memory.ingest.documents import RawDocument
from memory.ingest.loaders.base import Source
from memory.ingest.loaders.pdf import pages as page_reader
from memory.ingest.loaders.pdf.load import load_pdf
from memory.ingest.pipeline import read
from tests.support.document_files import Text, paged_pdf


def text_of(*pages: Sequence[Text], size: int = 10) -> str:
    return load_pdf(Source("a.pdf", paged_pdf(pages, size))).text


def column(left: float, top: float, *lines: str) -> list[Text]:
    return [(left, top - 14 * n, line) for n, line in enumerate(lines)]


LAMP = ("A dworkel is a lamp that", "burns fish oil. It hangs", "above the door of the", "house all winter.")
BOAT = (
    "A fentack is a boat that",
    "carries salt. It sails in",
    "the summer only, when the",
    "wind is from the west.",
)


def test_columns_that_are_drawn_row_by_row_are_read_one_after_the_other() -> None:
    rows = [
        part for pair in zip(column(72, 720, *LAMP), column(322, 720, *BOAT), strict=True) for part in pair
    ]
    assert text_of(rows).split() == " ".join((*LAMP, *BOAT)).split()


def test_no_fact_joins_two_columns() -> None:
    lamp, boat = (
        ("A dworkel is a lamp that", "burns fish oil."),
        ("A fentack is a boat that", "carries salt."),
    )
    rows = [
        part for pair in zip(column(72, 720, *lamp), column(322, 720, *boat), strict=True) for part in pair
    ]
    document = RawDocument(source="columns.pdf", data=paged_pdf([rows]), media_type="application/pdf")
    facts = {(fact.subject, fact.relation, fact.object) for fact in read(document, "general").facts}
    assert ("a dworkel", "burns", "fish oil") in facts
    assert ("a fentack", "carries", "salt") in facts
    assert {subject for subject, _, _ in facts} == {"a dworkel", "a fentack"}


def test_two_lines_are_enough_for_two_columns() -> None:
    rows = [*column(72, 720, *LAMP[:2]), *column(322, 720, *BOAT[:2])]
    assert text_of(rows).split() == " ".join((*LAMP[:2], *BOAT[:2])).split()


def test_lines_of_columns_need_not_stand_at_the_same_height() -> None:
    rows = [*column(322, 715, *BOAT), *column(72, 720, *LAMP)]
    assert text_of(rows).split() == " ".join((*LAMP, *BOAT)).split()


def test_a_line_across_both_columns_comes_before_or_after_them() -> None:
    across = (
        72.0,
        750.0,
        "All that is known of lamps and boats in this part of the country, on one page only",
    )
    below = (
        72.0,
        640.0,
        "This line is as wide as the page and says what the two columns have in common, no more",
    )
    rows = [*column(72, 720, *LAMP), *column(322, 720, *BOAT), below, across]
    assert text_of(rows).split() == " ".join((across[2], *LAMP, *BOAT, below[2])).split()


def test_three_columns_are_read_in_order() -> None:
    left = column(50, 720, "One of them and", "two of them and", "three of them and")
    middle = column(220, 720, "four of those and", "five of those and", "six of those and")
    right = column(400, 720, "seven of it", "and eight of it,", "and nine.")
    words = text_of([*right, *left, *middle]).split()
    numbers = ["One", "two", "three", "four", "five", "six", "seven", "eight", "nine."]
    assert [word for word in words if word in numbers] == numbers


def test_aligned_short_cells_are_a_table_between_its_paragraphs() -> None:
    table = [
        *column(72, 680, "Device", "Quorbin", "Plenty"),
        *column(200, 680, "Maximum load", "40 kilograms", "55 kilograms"),
        *column(330, 680, "Voltage", "12 volts", "24 volts"),
    ]
    above = (72, 720, "The limits of all devices that are sold in this shop are below.")
    text = text_of([above, *table, (72, 620, "The end.")])
    assert (
        "| Device | Maximum load | Voltage |\n| --- | --- | --- |\n| Quorbin | 40 kilograms | 12 volts |"
        in text
    )
    assert text.index("limits") < text.index("Quorbin") < text.index("The end.")
    assert "| The end." not in text


def pages_with_edges() -> list[list[Text]]:
    return [
        [
            (72, 760, "Annual report of the lamp office"),
            *column(72, 700, f"Lamp {n} of them is a lamp that", f"burns {n} litres of oil."),
            (300, 30, f"Page {n} of 4"),
        ]
        for n in range(1, 5)
    ]


def test_running_headers_footers_and_page_numbers_are_left_out() -> None:
    text = text_of(*pages_with_edges())
    assert "Annual report" not in text
    assert "Page" not in text
    assert [f"burns {n} litres" in text for n in range(1, 5)] == [True] * 4


def test_a_title_that_stands_on_one_page_only_is_kept() -> None:
    assert "Annual report" in text_of(
        [(72, 760, "Annual report of the lamp office"), (72, 700, "A lamp burns.")]
    )


def test_a_word_hyphenated_at_the_end_of_a_line_is_one_word() -> None:
    assert "a confibulator burns" in text_of(column(72, 700, "The light of a confibu-", "lator burns."))


def test_a_paragraph_that_goes_on_over_the_page_is_one() -> None:
    text = text_of(column(72, 700, "A lamp is a thing that"), column(72, 700, "burns oil."))
    assert text == "A lamp is a thing that burns oil."


def test_larger_lines_are_headings() -> None:
    data = paged_pdf([[(72, 720, "Lamps"), *column(72, 690, *LAMP)]])
    large = data.replace(b"/F1 10 Tf 72 720", b"/F1 20 Tf 72 720")
    assert load_pdf(Source("a.pdf", large)).text.startswith("# Lamps\n\nA dworkel")


def test_a_page_without_text_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    loaded = load_pdf(Source("a.pdf", paged_pdf([[(72, 700, "A lamp burns oil.")], []])))
    (unread,) = loaded.unread
    assert unread.startswith("page 2: no text: install tesseract")
    with pytest.raises(IngestError, match=r"no text layer .page 1: no text: install tesseract"):
        load_pdf(Source("a.pdf", paged_pdf([[], []])))


def test_a_page_that_is_cut_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_reader, "MAX_CHARACTERS", 16)
    short, long = [(72, 700, "A lamp burns oil.")], [(72, 700, "A fentack burns fish oil.")]
    loaded = load_pdf(Source("a.pdf", paged_pdf([[(72, 700, "A lamp burns.")], short, long])))
    assert [each.partition(":")[0] for each in loaded.unread] == ["page 2", "page 3"]
    assert all("all after its first" in each for each in loaded.unread)
    assert "A lamp burns." in loaded.text


def test_a_scan_is_read_by_tesseract(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    command = tmp_path / "tesseract"
    command.write_text("#!/bin/sh\nhead -c 4 >/dev/null; cat >/dev/null; echo 'A lamp burns oil.'\n")
    command.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _: str(command))
    loaded = load_pdf(Source("a.pdf", paged_pdf([[]])))
    assert (loaded.text, loaded.unread) == ("A lamp burns oil.", ())


def test_a_scan_with_a_page_number_and_a_stamp_is_read_without_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def scan(number: int) -> list[Text]:
        return [(72, 760, f"Received 2024, no. {number}"), (300, 30, f"{number}")]

    monkeypatch.setattr(shutil, "which", lambda _: None)
    unread = load_pdf(Source("a.pdf", paged_pdf([scan(1), scan(2), column(72, 400, *LAMP)]))).unread
    assert [each.partition(":")[0] for each in unread] == ["page 1", "page 2"]
    command = tmp_path / "tesseract"
    command.write_text(
        "#!/bin/sh\ncat >/dev/null; printf 'Received 2024, no. 1\\nA lamp burns oil.\\n1\\n'\n"
    )
    command.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _: str(command))
    loaded = load_pdf(Source("a.pdf", paged_pdf([scan(1), scan(2)])))
    assert (loaded.text, loaded.unread) == ("A lamp burns oil.\n\nA lamp burns oil.", ())


def test_ocr_that_fails_names_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/bin/false")
    with pytest.raises(IngestError, match="OCR failed"):
        load_pdf(Source("a.pdf", paged_pdf([[]])))
