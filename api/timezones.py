"""Time zones by their IANA name."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def known_timezone(name: str) -> str:
    """The name. Raises ValueError if there is no such time zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"unknown time zone {name!r}: send an IANA name such as Europe/Berlin") from None
    return name
