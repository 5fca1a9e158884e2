"""Payment cards: numbers with Luhn's check digit that have an issuer's prefix and length, or a label."""

import re
from collections.abc import Iterator

from stdnum import luhn

from agent.privacy.finds import Find
from agent.privacy.labels import has_label

NUMBER = re.compile(r"(?<![\w.+-])\d(?:[ -]?\d){11,18}(?![\w-]|\.\d)")
"""12 digits are the fewest of a card (Maestro), 19 the most."""
_ISSUERS = re.compile(
    r"""
    4(?:\d{12}|\d{15}|\d{18})                                              # Visa
    | (?:5[1-5]\d{14} | 2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}) # Mastercard
    | 3[47]\d{13}                                                          # American Express
    | 3(?:0[0-59]|[689]\d)\d{11}                                           # Diners Club
    | (?:6011|64[4-9]\d|65\d\d)\d{12,15}                                   # Discover
    | (?:(?:2131|1800)\d{11} | 35(?:2[89]|[3-8]\d)\d{12,15})               # JCB
    | 62\d{14,17}                                                          # UnionPay
    | (?:50|5[6-9]|6[0-9])\d{14,17}                                        # Maestro, RuPay
    | 220[0-4]\d{12,15}                                                    # Mir
    """,
    re.VERBOSE,
)
_LABEL = re.compile(
    r"card|credit|debit|visa|master|amex|american express|maestro|diners|discover|jcb|cvv|\bpan\b|karte|carte"
    r"|tarjeta|carta\b|cart[aã]o|kaart",
    re.IGNORECASE,
)


def cards(text: str) -> Iterator[Find]:
    """Card numbers in the text."""
    for match in NUMBER.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if len(set(digits)) > 1 and luhn.is_valid(digits):
            if _ISSUERS.fullmatch(digits):
                yield Find(*match.span(), 1.0, "CREDIT_CARD")
            elif has_label(text, match.span(), _LABEL):
                yield Find(*match.span(), 0.9, "CREDIT_CARD")
