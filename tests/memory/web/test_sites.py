"""Who answers for a host."""

import pytest

from memory.web.sites import site_of


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("en.wikipedia.org", "wikipedia.org"),
        ("www.example.co.uk", "example.co.uk"),
        ("EXAMPLE.com.", "example.com"),
        ("one.github.io", "github.io"),
        ("deep.a.example", "a.example"),
        ("localhost", "localhost"),
    ],
)
def test_the_site_is_the_registrable_domain(host: str, site: str) -> None:
    assert site_of(host) == site


def test_names_that_a_site_rents_out_are_not_independent() -> None:
    assert site_of("one.github.io") == site_of("two.github.io")


def test_addresses_without_names_are_not_independent() -> None:
    assert site_of("93.184.216.34") == site_of("[2606:2800:220:1::1]") != site_of("a.example")
