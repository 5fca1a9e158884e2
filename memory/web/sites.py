"""Sites: the registrable domain of a host, which tells who answers for what it publishes."""

import ipaddress
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tldextract import TLDExtract

NUMBERED = "an address without a name"
"""The site of all hosts that are given by their address: nobody registered a name for them."""


def site_of(host: str) -> str:
    """The registrable domain of the host, such as `example.co.uk`.

    Hosts below one registrable domain are one site, also where its owner rents out names.
    """
    host = host.strip("[]").rstrip(".").lower()
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return NUMBERED
    found = _extract()(host)
    if found.suffix:
        return found.top_domain_under_public_suffix or host
    return ".".join(host.split(".")[-2:])  # a top-level domain that the list does not know


@cache
def _extract() -> "TLDExtract":
    """With the list that the package ships; nothing is fetched."""
    from tldextract import TLDExtract  # here because it brings `requests` along

    return TLDExtract(suffix_list_urls=(), cache_dir=None)
