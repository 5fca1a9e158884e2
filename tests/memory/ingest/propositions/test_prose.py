"""Prose without its Markdown marks, every character of which is found again in the passage."""

import time

import pytest

from memory.ingest.propositions.prose import LONGEST, Prose, prose

MARKED = """# Pumps

The **pump** lifts _forty_ litres (see [the manual](https://example.org/a_b)) and
runs `max_lift --fast` at night.[^1]

- It ![a picture](pump.png)stops <br>early.

| Pump | Lift |
|---|---|
| red | 40 |

```python
pump.start()
```
"""


def texts(text: str) -> list[str]:
    return [each.text.strip() for each in prose(text)]


def test_marks_vanish_and_what_they_mark_stays() -> None:
    assert texts(MARKED)[0] == (
        "The pump lifts forty litres (see the manual) and runs max_lift --fast at night."
    )
    assert texts(MARKED)[1].endswith("It stops early.")


def test_headings_tables_and_code_blocks_are_no_prose() -> None:
    found = " ".join(texts(MARKED))
    assert not any(word in found for word in ("Pumps", "|", "pump.start"))


def characters(text: str, each: Prose) -> list[tuple[str, str]]:
    """Each character with the one at its place in the passage."""
    return [(character, text[each.offset_of(i)]) for i, character in enumerate(each.text)]


@pytest.mark.parametrize(
    "text", [MARKED, "Ünï *cödé* — 日本 **x**\u00a0y.", "a `b` `` c`d `` e", "**", " \n x"]
)
def test_every_character_maps_back_to_itself_and_in_order(text: str) -> None:
    for each in prose(text):
        assert all(a == b or (a == " " and b.isspace()) for a, b in characters(text, each))
        offsets = [each.offset_of(i) for i in range(len(each.text))]
        assert offsets == sorted(set(offsets))


def test_code_spans_are_known_by_their_place() -> None:
    (each,) = prose("Set `max_lift` or ``b`` now.")
    assert [each.text[start:end] for start, end in each.code] == ["max_lift", "b"]


def test_asterisks_and_underscores_inside_words_stay() -> None:
    assert texts("Use snake_case_names, 2 * 3 and a*b.") == ["Use snake_case_names, 2 * 3 and a*b."]


def test_paragraphs_are_apart() -> None:
    assert texts("One pump.\n\nTwo\npumps.") == ["One pump.", "Two pumps."]


HOSTILE = [
    "[",
    "![",
    "`",
    "``",
    "*",
    "_",
    "**a",
    "<a",
    "[a](",
    "[^",
    "](",
    "\n\n",
    "\t",
    "a_",
    "[[[a]",
    "\u0000",
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_input_takes_linear_time(unit: str) -> None:
    text = "Words " + unit * (200_000 // len(unit))
    begun = time.process_time()
    found = list(prose(text))
    assert time.process_time() - begun < 5
    assert all(len(each.text) <= LONGEST for each in found)
