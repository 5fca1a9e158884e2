"""Abbreviations: found where a bracket defines one, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.ingest.propositions.abbreviations import abbreviations
from memory.ingest.propositions.facts import extract_facts
from tests.support.statements import at


@pytest.mark.parametrize(
    ("sentence", "short", "long"),
    [
        ("The Deep Harbour Survey (DHS) was founded.", "DHS", "Deep Harbour Survey"),
        ("The NTA (National Tidal Authority) is in Leeds.", "NTA", "National Tidal Authority"),
        ("In 1954 the World Wide Fund for Nature (WWF) came.", "WWF", "World Wide Fund for Nature"),
        ("We saw heat shock protein 70 (HSP70) rise.", "HSP70", "heat shock protein 70"),
        ("Call the application programming interface (API).", "API", "application programming interface"),
        ("The European Union (EU; French: UE) grew.", "EU", "European Union"),
        ("It is deoxyribonucleic acid (DNA).", "DNA", "deoxyribonucleic acid"),
    ],
)
def test_a_bracket_defines_an_abbreviation(sentence: str, short: str, long: str) -> None:
    assert list(abbreviations(sentence)) == [(short, long)]


@pytest.mark.parametrize(
    "sentence",
    [
        "Kraków (Cracow) was the capital.",
        "Ada Quist (4 May 1947 - 11 June 2016) was a botanist.",
        "A study (USA) of birds began.",
        "A bag of one kilogram (kg) fell.",
        "See the Act (see Section 2).",
        "Its third album (CD) sold well.",
        "(DHS) is short.",
        "The DHS () and ) and ( are there.",
    ],
)
def test_other_brackets_define_none(sentence: str) -> None:
    assert list(abbreviations(sentence)) == []


@given(st.text("aAbB1 (),-", max_size=80))
def test_any_sentence_is_read_and_what_is_found_is_in_it(sentence: str) -> None:
    for short, long in abbreviations(sentence):
        assert short in sentence
        assert long in sentence
        assert len(long) > len(short)


def test_an_abbreviation_is_a_fact_with_its_sentence() -> None:
    (found,) = [
        fact
        for fact in extract_facts([at("The Deep Harbour Survey (DHS) was founded in 1931.")])
        if fact.rule == "abbreviation"
    ]
    assert (found.subject, found.relation, found.object) == ("DHS", "stands for", "Deep Harbour Survey")
    assert found.sentence == "The Deep Harbour Survey (DHS) was founded in 1931."
