"""What of a passage can answer: sentences, and lists, tables and code with what introduces them."""

import pytest

from agent.chat.sentence_candidates import LONGEST_INTRODUCED, SentenceCandidate, knows_names, shortlist
from memory.records.knowledge import Evidence, Findings
from tests.support.facts import passage

UPGRADE = """Go to the folder of the compose file and run these commands:

```sh
lamp pull
lamp up
```

They take a minute. Two systems are supported:

- Plimdor OS
- Quorbin Linux

Other systems may work.
"""
LIMITS = """These are the limits:

| device | maximum load |
|---|---|
| Quorbin | 40 kg |
| Plenty | 55 kg |

## Lamps

The lamps burn oil.
"""


def candidates(question: str, *texts: str, score: float = 0.8) -> tuple[SentenceCandidate, ...]:
    """The shortlist over passages of these texts."""
    found = (
        Evidence(passage=passage(text, source=f"{n}.md"), score=score, found_by=("text",))
        for n, text in enumerate(texts)
    )
    return shortlist(question, Findings(query=question, evidence=tuple(found)))


@pytest.mark.parametrize(
    ("question", "reading"),
    [
        (
            "Which commands do I run in the folder of the compose file?",
            "Go to the folder of the compose file and run these commands: ```sh lamp pull lamp up ```",
        ),
        ("Which systems are supported?", "Two systems are supported: Plimdor OS; Quorbin Linux"),
        ("How long does it take, a minute?", "They take a minute."),
    ],
)
def test_a_sentence_that_ends_in_a_colon_takes_its_block_with_it(question: str, reading: str) -> None:
    best = candidates(question, UPGRADE)[0]
    assert best.reading == reading
    assert best.citation.quote == UPGRADE[best.start : best.end]


def test_the_rows_of_an_introduced_table_keep_their_column_names_and_end_before_the_next_heading() -> None:
    best = candidates("What are the limits?", LIMITS)[0]
    assert best.reading == (
        "These are the limits: device: Quorbin; maximum load: 40 kg; device: Plenty; maximum load: 55 kg"
    )


def test_a_sentence_in_parentheses_belongs_to_the_one_before_it() -> None:
    text = "- `oil`, litres of oil in a lamp. (Default 4)\n- `wicks`, number of wicks. (Default 2)\n"
    assert candidates("How many wicks are there by default?", text)[0].reading.endswith("wicks. (Default 2)")
    assert "Default 2" not in candidates("How many litres of oil are in a lamp?", text)[0].reading


def test_a_heading_is_not_introduced_by_a_colon() -> None:
    assert candidates("Which notes?", "Notes:\n\n## Lamps\n\nThey burn.")[0].reading == "Notes:"


def test_of_a_list_and_its_items_only_the_better_is_a_candidate() -> None:
    found = candidates("Is Quorbin Linux supported?", UPGRADE)
    assert not any(one.overlaps(other) for n, one in enumerate(found) for other in found[n + 1 :])


def test_a_list_with_blank_lines_between_its_items_is_whole() -> None:
    text = "These are allowed:\n\n- Alpha\n\n- Beta\n\nOthers are not."
    assert candidates("What is allowed?", text)[0].reading == "These are allowed: Alpha; Beta"


def test_nothing_is_read_over_code_that_is_too_long_to_quote() -> None:
    text = f"Run this:\n\n```\n{'lamp up ' * 80}\n```\n\nThen wait a minute."
    best = candidates("What do I run?", text)[0]
    assert best.reading == "Run this: ..."
    assert best.citation.quote == "Run this:"


def test_documents_of_the_same_name_and_different_owners_are_different() -> None:
    texts = ("The maximum load of the crane is 40 kg.", "The maximum load of the crane is 55 kg.")
    found = tuple(
        Evidence(
            passage=passage(text, source="a.md").model_copy(update={"owner": owner}), score=0.8, found_by=()
        )
        for text, owner in zip(texts, ("ann", None), strict=True)
    )
    question = "What is the maximum load of the crane?"
    assert len(shortlist(question, Findings(query=question, evidence=found))) == 2


def test_a_long_list_is_cut_between_its_items() -> None:
    items = [f"the lamp number {n} of the harbour" for n in range(100)]
    text = "These lamps are lit:\n\n" + "".join(f"- {item}\n" for item in items)
    best = candidates("Which lamps are lit?", text)[0]
    assert best.end - best.start <= LONGEST_INTRODUCED
    assert best.reading.removesuffix(" ...").rpartition("; ")[2] in items
    assert best.reading.endswith(" ...")


@pytest.mark.parametrize(
    ("question", "known"),
    [
        ("Who built the lighthouse of Lerwick?", True),
        ("Who built the lighthouse of Vixmortan?", False),
        ("Who built the lighthouse of Lervick?", True),
        ("Which harbour is on the Mainland of Shetland?", False),
        ("I live in Aberdeen and have a Mac. Who built the lighthouse of Lerwick?", True),
        ("I live in Lerwick. Who built the lighthouse of Aberdeen?", False),
        ("Tell me about the lighthouse of Aberdeen.", False),
        ("How many GB of light has the lighthouse in 2024?", True),
        ("who built the lighthouse of aberdeen?", True),
        ("I hear that I've missed it: Is the lighthouse lit on Sundays in May, or on a Monday?", True),
        ("Does `Foghorn` light the harbour?", False),
        ("How Do I Find The Harbour With My Yacht?", True),
        ("When did Operation Vixmortan open?", False),
        ("What did Queen Vixmortan of Lerwick Harbour open?", False),
        ("What is Vixmortan", False),
        ("Wer hat den Leuchtturm von Vixmortan und die Brücke gebaut?", True),
    ],
)
def test_names_that_are_asked_about_are_looked_for_in_what_was_found(question: str, known: bool) -> None:
    text = "The lighthouse of Lerwick was built by Mara Tolland in 1858. It lights the harbour."
    assert knows_names(question, [passage(text)]) is known
