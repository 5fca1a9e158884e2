"""What takes the place of personal data follows the policy of its type; only encryption can be undone."""

import pytest

from agent.privacy.policies import PLACEHOLDER, TYPES, parse_policies, reveal
from agent.privacy.scrubbing import Scrubber
from agent.settings import read_settings

KEY = b"a key of the operator's"
TEXT = "From ada@example.com: call 415-555-0132, or write to ada@example.com"


def test_by_default_all_is_masked_but_names() -> None:
    assert parse_policies("") == {type: "keep" if type == "PERSON" else "mask" for type in TYPES}
    assert Scrubber().scrub("Ada Quist, ada@example.com") == "Ada Quist, <EMAIL_ADDRESS>"


def test_kept_types_stay() -> None:
    scrubber = Scrubber(parse_policies("PHONE_NUMBER=keep"))
    assert scrubber.scrub("Call 415-555-0132 or ada@example.com") == "Call 415-555-0132 or <EMAIL_ADDRESS>"


def test_hashes_are_equal_for_equal_values_and_differ_by_key_and_type() -> None:
    policies = parse_policies("EMAIL_ADDRESS=hash, PHONE_NUMBER=hash")
    scrubbed = Scrubber(policies, KEY).scrub(TEXT)
    first, phone, second = PLACEHOLDER.finditer(scrubbed)
    assert first[0] == second[0]
    assert phone[1] == "PHONE_NUMBER"
    assert Scrubber(policies, KEY).scrub(TEXT) == scrubbed
    assert Scrubber(policies, b"another key").scrub(TEXT) != scrubbed
    assert Scrubber(policies, KEY).scrub("ADA@example.com") == first[0]


def test_encrypted_values_are_revealed_with_the_key_and_not_with_another() -> None:
    scrubbed = Scrubber(parse_policies("EMAIL_ADDRESS=encrypt"), KEY).scrub(TEXT)
    assert "ada@example.com" not in scrubbed
    assert reveal(scrubbed, KEY) == TEXT.replace("415-555-0132", "<PHONE_NUMBER>")
    with pytest.raises(ValueError, match="NIGHTSCHOOL_PRIVACY_KEY"):
        reveal(scrubbed, b"another key")


@pytest.mark.parametrize("policy", ["mask", "hash", "encrypt"])
def test_scrubbing_a_scrubbed_text_changes_nothing(policy: str) -> None:
    scrubber = Scrubber(parse_policies(",".join(f"{type}={policy}" for type in TYPES)), KEY)
    once = scrubber.scrub(f"My name is Ada Quist. {TEXT} Card 4111 1111 1111 1111, 10.0.0.1.")
    assert "Quist" not in once
    assert scrubber.scrub(once) == once


@pytest.mark.parametrize("text", ["EMAIL=mask", "PERSON", "PERSON=drop", "PERSON mask"])
def test_what_is_no_policy_is_refused_with_what_would_be_one(text: str) -> None:
    with pytest.raises(ValueError, match="TYPE=POLICY"):
        parse_policies(text)


def test_the_settings_refuse_encryption_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NIGHTSCHOOL_PRIVACY_KEY", raising=False)
    with pytest.raises(ValueError, match="NIGHTSCHOOL_PRIVACY_KEY"):
        read_settings(privacy="PERSON=encrypt")
    assert (
        read_settings(privacy="PERSON=encrypt", privacy_key="k" * 16).privacy_policies["PERSON"] == "encrypt"
    )
