"""A sentence supports what it says in other words, and nothing with another number, name, unit or sign."""

import pytest

from agent.chat.support import contradicts, quantities, supports
from memory.language.content_words import is_foreign

ROW = "Device: Quorbin; Maximum load: 40 kilograms; Voltage: 12 volts"
LOAD = "What is the maximum load of the Quorbin?"


@pytest.mark.parametrize(
    ("sentence", "claim", "question"),
    [
        (ROW, "The maximum load of the Quorbin is 40 kilograms.", LOAD),
        (ROW, "40 kilograms", LOAD),
        ("The default is to give up after 5 seconds.", "It gives up after five seconds.", ""),
        ("A lemur does not eat meat, but it eats fruit.", "Lemurs eat fruit.", ""),
        ("The workshop burned down in 1895.", "In 1895, the workshop burned.", ""),
        ("Not all plimdors burn oil.", "Plimdors do not all burn oil.", ""),
    ],
)
def test_a_paraphrase_is_supported(sentence: str, claim: str, question: str) -> None:
    assert supports(sentence, claim, question=question)


@pytest.mark.parametrize(
    ("sentence", "claim", "question"),
    [
        (ROW, "The maximum load of the Quorbin is 55 kilograms.", LOAD),
        (ROW, "40 volts", LOAD),
        (ROW, "The maximum load of the Plenty is 40 kilograms.", LOAD),
        (ROW, "The maximum load of the Quorbin.", LOAD),
        ("Lemurs do not eat meat.", "Lemurs eat meat.", ""),
        ("The switch is needed.", "The switch is not needed.", ""),
        ("The cap increases load.", "The cap decreases load.", ""),
        ("Inequality goes with weak unions.", "Inequality goes with strong unions.", ""),
        ("The workshop burned down in 1895.", "The workshop burned down in 1896.", ""),
        ("The workshop burned down in 1895.", "A lemur is a small primate.", ""),
        ("The sluice was built by Anna Brandt.", "The sluice was built by Olga Brandt.", ""),
        ("Set `retries` to 3.", "Set `attempts` to 3.", ""),
    ],
)
def test_another_number_unit_name_sign_or_subject_is_not_supported(
    sentence: str, claim: str, question: str
) -> None:
    assert not supports(sentence, claim, question=question, likeness=lambda a, b: 1.0)


def test_what_the_claim_is_about_may_be_named_before_the_sentence() -> None:
    sentence, claim, question = (
        "It hangs on the door.",
        "The plimdor hangs on the door.",
        "Where is the plimdor?",
    )
    assert supports(sentence, claim, question=question, nearby="A plimdor is a lamp.")


def test_other_words_are_a_paraphrase_only_where_the_embeddings_agree() -> None:
    sentence, claim = "The lamp is fuelled by fish oil.", "The lamp runs on fish oil."
    assert supports(sentence, claim, likeness=lambda a, b: 0.9)
    assert not supports("The lamp hides under stones by night.", claim, likeness=lambda a, b: 0.9)


def test_one_word_of_two_that_the_source_does_not_hold_is_not_made_up_for_by_likeness() -> None:
    sentence = "Torque is the rotation equivalent of force, as angle is that of position."
    question = "What is the force equivalent of torque?"
    claim = "The force equivalent of torque is rotational inertia."
    assert not supports(sentence, claim, question=question, likeness=lambda a, b: 0.9)


def test_a_translation_is_held_to_what_both_languages_share() -> None:
    german = "Die maximale Traglast ist genau 40 Kilogramm."
    assert is_foreign(german)
    assert supports(ROW, german, question=LOAD, translated=True)
    assert not supports(ROW, german.replace("40", "55"), question=LOAD, translated=True)
    assert not supports(ROW, german, question=LOAD)
    assert not supports(ROW, german.replace("ist genau", "ist nicht genau"), question=LOAD, translated=True)
    assert not supports(
        ROW, "Die Traglast ist leider überhaupt nirgends angegeben.", question=LOAD, translated=True
    )


@pytest.mark.parametrize(
    ("claim", "proved"),
    [
        ("El puente de piedra fue construido por Antonelli.", True),
        ("El puente de piedra fue construido por Brunelleschi.", False),
        ("El puente de piedra nunca fue construido por Antonelli.", False),
    ],
)
def test_a_name_anchors_a_translation(claim: str, proved: bool) -> None:
    sentence = "The stone bridge was built by Antonelli."
    asked = "¿Quién construyó el puente de piedra?"
    assert supports(sentence, claim, question=asked, translated=True) is proved


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Query history is kept for 91 days.", "Query history is stored for 365 days."),
        ("The bridge opened in 1931.", "The bridge opened in 1932."),
        ("Changing the level needs a restart.", "Changing the level does not need a restart."),
    ],
)
def test_other_numbers_and_denials_of_one_thing_are_a_contradiction(first: str, second: str) -> None:
    assert contradicts(first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("A box is a pointer.", "A box is an owned value on the heap."),
        ("The lamp weighs 4 kg.", "The lamp weighs four kilograms."),
        ("The Quorbin carries 40 kilograms.", "The Plenty carries 55 kilograms."),
        ("The bridge opened in 1931.", "The bridge weighs 40 tonnes."),
        ("The history is kept for 91 days.", "The history is kept for 91 days or 3 months."),
    ],
)
def test_definitions_units_and_other_things_are_no_contradiction(first: str, second: str) -> None:
    assert not contradicts(first, second)


def test_quantities_have_digits_and_one_name_for_a_unit() -> None:
    assert quantities("five kg, 1,200 seconds and -3") == {("5", "kilogram"), ("1200", "second"), ("-3", "")}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3,5 kg", "3.5"),
        ("3.5 kg", "3.5"),
        ("0,500 kg", "0.500"),
        ("3,500 kg", "3500"),
        ("1,234,567 kg", "1234567"),
        ("1.234.567 kg", "1234567"),
        ("1,234.5 kg", "1234.5"),
        ("1.234,5 kg", "1234.5"),
        ("3 500 kg", "3500"),
        ("3\u202f500 kg", "3500"),
        ("12 345,75 kg", "12345.75"),
        ("-3,5 kg", "-3.5"),
        ("3.500 kg", "3.500"),
        ("Die Lampe wiegt 3.500 kg", "3500"),
        ("La lámpara pesa 3,5 kg", "3.5"),
    ],
)
def test_separators_of_thousands_are_left_out_and_a_decimal_comma_is_a_point(text: str, value: str) -> None:
    assert quantities(text) == {(value, "kilogram")}


@pytest.mark.parametrize("text", ["version 1.2.3", "on 24.12.2020", "in 1895"])
def test_dates_versions_and_years_are_one_number(text: str) -> None:
    assert {value for value, _ in quantities(text)} == {text.split()[-1]}


def test_numbers_that_only_stand_beside_each_other_are_not_joined() -> None:
    assert {value for value, _ in quantities("1895 200 people")} == {"1895", "200"}
    assert {value for value, _ in quantities("40 200 300 50")} == {"40", "200", "300", "50"}


def test_a_decimal_comma_is_no_other_number() -> None:
    sentence = "The lamp weighs 3.5 kilograms."
    assert supports(sentence, "The lamp weighs 3,5 kilograms.", question="How heavy is the lamp?")
    assert not supports(sentence, "The lamp weighs 35 kilograms.", question="How heavy is the lamp?")
    assert supports("The lamp weighs 3,500 grams.", "The lamp weighs 3500 grams.")
    assert contradicts("The lamp weighs 3,5 kilograms.", "The lamp weighs 35 kilograms.")


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text", ["1 " * 50_000, "1,1" * 50_000, "1 000 " * 30_000, "9" * 100_000, "1," * 50_000]
)
def test_a_huge_run_of_numbers_is_read_in_time(text: str) -> None:
    assert quantities(text)
