"""The operator's list of domains."""

from pathlib import Path

import pytest

from memory.errors import IngestError
from memory.web.domain_list import DEFAULT_TRUST, DomainList, read_domain_list


def test_a_domain_stands_for_the_hosts_below_it_and_the_longest_one_counts() -> None:
    listed = DomainList(
        trusted=("docs.a.example",), blocked=("b.example",), weights={"a.example": 0.2, "bücher.example": 0.9}
    )
    assert listed.trust("a.example") == listed.trust("www.A.example.") == 0.2
    assert listed.trust("docs.a.example") == listed.trust("old.docs.a.example") == 1.0
    assert listed.trust("xn--bcher-kva.example") == 0.9
    assert listed.trust("nota.example") == DEFAULT_TRUST
    with pytest.raises(IngestError, match="blocked"):
        listed.require("www.b.example")


def test_a_domain_that_is_both_trusted_and_blocked_is_blocked() -> None:
    assert DomainList(trusted=("a.example",), blocked=("a.example",)).trust("a.example") == 0.0


def test_it_is_read_from_toml(tmp_path: Path) -> None:
    file = tmp_path / "domains.toml"
    file.write_text(
        'trusted = ["a.example"]\nblocked = ["b.example"]\ndefault = 0.4\n[weights]\n"c.example" = 0.7\n'
    )
    listed = read_domain_list(file)
    assert [listed.trust(f"{name}.example") for name in "abcd"] == [1.0, 0.0, 0.7, 0.4]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("trusted = 3", "trusted"),
        ("[weights]\n'a.example' = 7", "weights"),
        ("thrusted = []", "thrusted"),
        ("trusted = ['https://a.example/x']", "trusted"),
        ("= ", "not TOML"),
    ],
)
def test_a_mistake_in_it_is_named(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "domains.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=f"NIGHTSCHOOL_SEARCH_DOMAINS.*{reason}"):
        read_domain_list(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        read_domain_list(tmp_path / "none.toml")
