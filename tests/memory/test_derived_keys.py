"""Derived keys: the same for the same secret and purpose, and another for any other."""

from memory.derived_keys import derived_key


def test_each_secret_and_purpose_has_a_key_of_its_own() -> None:
    keys = [derived_key(secret, purpose) for secret in (b"one", b"two") for purpose in ("sign", "seal")]
    assert len({*keys}) == 4
    assert derived_key(b"one", "sign") == keys[0]
    assert [len(derived_key(b"one", "seal", length=64)), len(keys[0])] == [64, 32]
