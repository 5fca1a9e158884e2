"""Personal data with a form of its own is replaced, other text is left as it is, and nothing is fetched."""

import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.privacy.presidio import RECOGNIZERS, load_recognizers
from agent.privacy.scrubbing import MIN_SCORE, OVERLAP, PHONE, SUSPICIOUS, WINDOW, Scrubber

SCRUBBER = Scrubber()
PIECES = (
    "ada@example.com",
    "415-555-0132",
    "+44 20 7946 0018",
    "4111 1111 1111 1111",
    "DE89 3704 0044 0532 0130 00",
    "536-90-4399",
    "10.0.0.1",
    "fe80::1",
    "1:2:3:4:5:6:7:8",
    "1BoatSLRHtKNngkdXEeobR76b53LETtpyT",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    "LC14BOSL123456789012345678901234",
)
SOUP = st.lists(
    st.sampled_from(PIECES)
    | st.text(alphabet="0123456789abcdefABCDEF:.-+@() x/\n", max_size=20)
    | st.text(max_size=10),
    max_size=6,
).map("".join)


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("Write to ada.quist@example.co.uk!", "Write to <EMAIL_ADDRESS>!"),
        ("Call (415) 555-0132.", "Call <PHONE_NUMBER>."),
        ("Call +44 20 7946 0018 now", "Call <PHONE_NUMBER> now"),
        ("Card 4111 1111 1111 1111", "Card <CREDIT_CARD>"),
        ("Pay to DE89 3704 0044 0532 0130 00.", "Pay to <IBAN_CODE>."),
        ("From 10.0.0.1 and fe80::1", "From <IP_ADDRESS> and <IP_ADDRESS>"),
        ("SSN 536-90-4399", "SSN <US_SSN>"),
        ("To 1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "To <CRYPTO>"),
    ],
)
def test_what_has_a_form_is_replaced_by_its_kind(text: str, scrubbed: str) -> None:
    assert SCRUBBER.scrub(text) == scrubbed


@pytest.mark.parametrize(
    "text",
    [
        "What is a borrow in Rust?",
        "What happened in 1689, between 1914 and 1918, and at 12:30:45?",
        "Python 3.11.7 has std::vec, pi is 3.14159 and a card ends in 4111 1111 1111 1112.",
        "Ada Quist of Telmark, 12 Harbour Road",
        "@ada wrote a@b",
        "",
    ],
)
def test_ordinary_text_is_left_as_it_is(text: str) -> None:
    assert SCRUBBER.scrub(text) == text


@given(SOUP)
@settings(deadline=None)
def test_the_quick_look_hides_nothing_that_a_recogniser_would_find(text: str) -> None:
    found = {
        name
        for name, recognizer in load().items()
        for result in recognizer.analyze(text, recognizer.supported_entities, nlp_artifacts=None)
        if result.score >= MIN_SCORE
        and (name != "PhoneRecognizer" or PHONE.search(text[result.start : result.end]))
    }
    assert found <= {name for name, pattern in SUSPICIOUS.items() if pattern.search(text)}
    assert SCRUBBER.suspects(text) or SCRUBBER.scrub(text) == text


_loaded: dict[str, Any] = {}


def load() -> dict[str, Any]:
    """Recognisers without the quick look."""
    if not _loaded:
        _loaded.update(load_recognizers())
    return _loaded


@given(SOUP)
@settings(deadline=None)
def test_text_around_personal_data_stays(text: str) -> None:
    before, after = "What is a lemur? ", " Thank you."
    scrubbed = SCRUBBER.scrub(f"{before}{text}{after}")
    assert scrubbed.startswith("What is a lemur?")
    assert scrubbed.endswith("Thank you.")


@given(st.integers(0, 2 * WINDOW), st.sampled_from(PIECES))
@settings(deadline=None, max_examples=40)
def test_data_is_found_wherever_it_stands_in_a_long_text(position: int, piece: str) -> None:
    filler = "word " * (position // 5)
    scrubbed = SCRUBBER.scrub(f"{filler}{piece} {'word ' * WINDOW}")
    assert piece not in scrubbed
    assert scrubbed.startswith(f"{filler}<")
    assert len(piece) < OVERLAP


def test_many_threads_that_start_at_once_load_it_once() -> None:
    scrubber = Scrubber()
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(scrubber.scrub, ["ada@example.com"] * 16)) == {"<EMAIL_ADDRESS>"}


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network is asked")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert (
        Scrubber().scrub("ada@example.com or ada@nowhere.invalidtld")
        == "<EMAIL_ADDRESS> or ada@nowhere.invalidtld"
    )


def test_loading_brings_neither_spacy_nor_torch_and_leaves_no_empty_package_behind() -> None:
    code = (
        "import sys; from agent.privacy.scrubbing import Scrubber; Scrubber().warm();"
        "print(*sorted(name for name in sys.modules if name.startswith(('presidio', 'spacy', 'torch'))))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert said.stdout.split() == []
    assert set(RECOGNIZERS) == set(SUSPICIOUS)
