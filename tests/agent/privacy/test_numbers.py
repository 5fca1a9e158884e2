"""Numbers are recognised by check digits, formats and the words before them; other numbers stay."""

import pytest

from agent.privacy.scrubbing import Scrubber

SCRUBBER = Scrubber()


@pytest.mark.parametrize(
    "card",
    [
        "4111 1111 1111 1111",  # Visa
        "5555-5555-5555-4444",  # Mastercard
        "2223003122003222",  # Mastercard's second range
        "378282246310005",  # American Express
        "30569309025904",  # Diners Club
        "6011111111111117",  # Discover
        "3530111333300000",  # JCB
        "6759649826438453",  # Maestro
        "2200770239097761",  # Mir
    ],
)
def test_cards_of_each_issuer_are_found_without_a_label(card: str) -> None:
    assert SCRUBBER.scrub(f"It is {card}.") == "It is <CREDIT_CARD>."


def test_a_card_with_another_prefix_needs_a_label_and_every_card_its_check_digit() -> None:
    assert (
        SCRUBBER.scrub("my credit card number is 180500000005?") == "my credit card number is <CREDIT_CARD>?"
    )
    assert SCRUBBER.scrub("Item 180500000005 is sold") == "Item 180500000005 is sold"
    assert SCRUBBER.scrub("Card 4111 1111 1111 1112") == "Card 4111 1111 1111 1112"


@pytest.mark.parametrize(
    "iban",
    [
        "DE89370400440532013000",
        "de89 3704 0044 0532 0130 00",
        "GB29-NWBK-6016-1331-9268-19",
        "NO93 8601 1117 947",
    ],
)
def test_ibans_are_found_in_any_grouping_and_case(iban: str) -> None:
    assert SCRUBBER.scrub(f"Pay to {iban} please") == "Pay to <IBAN_CODE> please"


def test_a_mistyped_iban_is_found_by_its_label_only() -> None:
    assert SCRUBBER.scrub("My IBAN: DE89 3704 0044 0532 0130 01") == "My IBAN: <IBAN_CODE>"
    assert SCRUBBER.scrub("Part DE89 3704 0044 0532 0130 01") == "Part DE89 3704 0044 0532 0130 01"


@pytest.mark.parametrize(
    "text",
    [
        "CPF 390.533.447-05",  # Brazil
        "DNI 54362315K",  # Spain
        "codice fiscale RCCMNL83S18D969H",  # Italy
        "2 95 10 99 126 111 93",  # France
        "PESEL 44051401359",  # Poland
        "personnummer 880320-0016",  # Sweden
        "131052-308T",  # Finland
        "BSN 111222333",  # the Netherlands
        "NHS number 943 476 5919",  # the United Kingdom
        "NI number AB 12 34 56 C",
        "Steuer-ID 36 574 261 809",  # Germany
        "aadhaar 2341 2341 2346",  # India
        "360426199101010071",  # China
        "SIN 123-456-782",  # Canada
    ],
)
def test_national_ids_are_found_by_their_check_digits(text: str) -> None:
    assert SCRUBBER.scrub(f"{text}.").endswith("<NATIONAL_ID>.")


def test_plain_digits_are_no_id_without_a_label_nor_with_a_wrong_check_digit() -> None:
    for text in ("The sum is 44051401359 grains.", "PESEL 44051401358 is mistyped"):
        assert SCRUBBER.scrub(text) == text


def test_nine_digits_are_a_social_security_number_if_they_are_called_so() -> None:
    assert SCRUBBER.scrub("my SSN is 536904399") == "my SSN is <US_SSN>"


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("Phone: 780 6326", "Phone: <PHONE_NUMBER>"),
        ("They do not answer my call to 99 668472", "They do not answer my call to <PHONE_NUMBER>"),
        ("28-64-66-98 office", "<PHONE_NUMBER> office"),
        ("Fax +46 (0)179 459 33", "Fax <PHONE_NUMBER>"),
        ("Call about order 7806326", "Call about order 7806326"),
        ("Call me on 2024-01-15", "Call me on 2024-01-15"),
        ("The phone costs 1689", "The phone costs 1689"),
    ],
)
def test_a_local_number_is_a_phone_number_by_its_nearest_label(text: str, scrubbed: str) -> None:
    assert SCRUBBER.scrub(text) == scrubbed
