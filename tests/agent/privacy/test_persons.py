"""Names of persons are replaced if the policy says so; what looks like a name in an address is none."""

import pytest

from agent.privacy.policies import parse_policies
from agent.privacy.scrubbing import Scrubber

SCRUBBER = Scrubber(parse_policies("PERSON=mask"))


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("My name is Vsevolod", "My name is <PERSON>"),
        ("my name is vsevolod", "my name is <PERSON>"),
        ("Please ask Mrs. Rubija", "Please ask Mrs. <PERSON>"),
        ("My wife Éva lives in Pécs.", "My wife <PERSON> lives in Pécs."),
        ("The film was directed by: Johannes Varvio", "The film was directed by: <PERSON>"),
        (
            "We met Michael Eklund, and we liked Eklund.",
            "We met <PERSON>, and we liked <PERSON>.",
        ),
    ],
)
def test_names_are_found_by_the_model_and_by_the_words_around_them(text: str, scrubbed: str) -> None:
    assert SCRUBBER.scrub(text) == scrubbed


def test_streets_are_no_persons() -> None:
    assert (
        SCRUBBER.scrub("The bus station is on Vesterskovvej 79.") == "The bus station is on Vesterskovvej 79."
    )


@pytest.mark.parametrize("text", ["'" * 16_000, "A-" * 8_000, "Ann, " * 3_000])
def test_hostile_texts_take_no_minutes(text: str) -> None:
    assert SCRUBBER.scrub(text)
