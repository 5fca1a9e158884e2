"""Only servers on the internet are public, however an address is written."""

import pytest

from memory.public_addresses import is_public

INSIDE = {
    "this host": "0.0.0.0",
    "loopback": "127.0.0.1",
    "private": "10.0.0.1",
    "private, 172": "172.16.0.1",
    "private, 192": "192.168.1.1",
    "carrier-grade NAT": "100.64.0.1",
    "link-local, with a cloud's metadata": "169.254.169.254",
    "documentation": "192.0.2.1",
    "benchmarks": "198.18.0.1",
    "6to4 relays": "192.88.99.1",
    "multicast": "224.0.0.1",
    "multicast, global": "233.252.0.1",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "unspecified, v6": "::",
    "loopback, v6": "::1",
    "mapped loopback": "::ffff:127.0.0.1",
    "mapped multicast": "::ffff:224.0.0.1",
    "compatible loopback": "::7f00:1",
    "NAT64 of a private address": "64:ff9b::a00:1",
    "NAT64 of loopback": "64:ff9b::127.0.0.1",
    "local NAT64": "64:ff9b:1::1",
    "6to4 of a private address": "2002:a00:1::1",
    "6to4 of a public address": "2002:5db8:d822::1",
    "Teredo": "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "ORCHID": "2001:20::1",
    "documentation, v6": "2001:db8::1",
    "documentation, v6, new": "3fff::1",
    "unique local": "fd00::1",
    "link-local, v6": "fe80::1",
    "link-local with a zone": "fe80::1%eth0",
    "site-local": "fec0::1",
    "multicast, v6": "ff0e::1",
    "discard": "100::1",
    "segment routing": "5f00::1",
}
PUBLIC = {
    "v4": "93.184.216.34",
    "v6": "2606:2800:220:1:248:1893:25c8:1946",
    "mapped": "::ffff:93.184.216.34",
    "NAT64": "64:ff9b::93.184.216.34",
}


@pytest.mark.parametrize("address", INSIDE.values(), ids=INSIDE.keys())
def test_an_address_inside_is_not_public(address: str) -> None:
    assert not is_public([address])


@pytest.mark.parametrize("address", PUBLIC.values(), ids=PUBLIC.keys())
def test_a_server_on_the_internet_is_public(address: str) -> None:
    assert is_public([address])


def test_one_address_inside_spoils_them_all() -> None:
    assert not is_public(["93.184.216.34", "10.0.0.7"])
