"""Which IP addresses are public, and requests to the very address that was checked.

A name that is resolved twice can lead to two addresses (DNS rebinding), so a host is resolved once, and the
request then goes to that address.
"""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import Any

import httpx

Resolve = Callable[[str], Sequence[str]]
"""Resolves a host to IP addresses; none if the name is unknown on this machine (a proxy may still know
it)."""

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""RFC 6052: an IPv4 address as seen from a network that has IPv6 alone."""
_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that is assigned to networks; what lies outside is local, multicast, or a translation."""
_UNFIT = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "2001::/23",  # protocols, with Teredo, which wraps an IPv4 address
        "2002::/16",  # 6to4, which wraps an IPv4 address
        "3fff::/20",  # documentation, RFC 9637
    )
)
"""Networks where no server is, but which `ipaddress` counts as global, or did in older Pythons."""


def addresses(host: str) -> Sequence[str]:
    """The IP addresses that this machine resolves the host to; none if it is unknown."""
    try:
        return [str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        return ()


def is_public(addresses: Sequence[str]) -> bool:
    """Whether all IP addresses are public: servers on the internet, and no way back into this network."""
    return all(_is_public(address) for address in addresses)


def request_to(url: httpx.URL, address: str) -> dict[str, Any]:
    """Arguments of httpx's request methods for a request to `address` in place of the URL's host.

    The server still sees the host's name, and its certificate is still checked against it. The client must
    not keep connections open: it would take two hosts at one address for one.
    """
    return {
        "url": url.copy_with(host=address),
        "headers": {"Host": url.netloc.decode("ascii")},
        "extensions": {"sni_hostname": url.host},
    }


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        wrapped = ip.ipv4_mapped
        if wrapped is None and ip in _NAT64:
            wrapped = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        if wrapped is not None:
            return _is_public(str(wrapped))
        if ip not in _UNICAST:
            return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _UNFIT)
