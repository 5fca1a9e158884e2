"""Webhooks: signed POST requests at the end of a run, to public addresses or allowed hosts only.

The caller decides when to send and how often to retry.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Collection
from datetime import datetime

import httpx

from memory.derived_keys import derived_key
from memory.errors import WebhookFailed
from memory.public_addresses import Resolve, addresses, is_public, request_to

TIMEOUT_SECONDS = 15.0
PREFIX = "whsec_"


class UnknownHost(ValueError):
    """The host name cannot be resolved, at least for now."""


class Webhooks:
    """Sends webhooks to clients' URLs, signed by the Standard Webhooks spec (standardwebhooks.com).

    Each owner's are signed with a secret of their own, so that no receiver can forge another owner's.
    """

    def __init__(
        self,
        secret: str,
        clock: Callable[[], datetime],
        *,
        hosts: Collection[str] = (),
        resolve: Resolve = addresses,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """The owners' secrets are derived from `secret`, which nobody else may know.

        `hosts` are host names, in lower case, that are allowed although their addresses are private.
        """
        self._allowed_hosts = frozenset(hosts)
        self._secret = secret.encode()
        self._clock = clock
        self._resolve = resolve
        self._transport = transport

    def check(self, url: str) -> str:
        """Resolves the URL's host to an address that webhooks may be sent to. Blocks.

        Raises ValueError for an invalid or forbidden URL, UnknownHost if the host cannot be resolved.
        """
        try:
            parts = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise ValueError(f"webhook: {error}") from None
        if parts.scheme not in {"http", "https"} or not parts.host or parts.userinfo:
            raise ValueError("webhook: send an http:// or https:// URL without user name or password")
        addresses = self._resolve(parts.host)
        if not addresses:
            raise UnknownHost(f"webhook: the host {parts.host} cannot be resolved: check its name")
        if parts.host.lower() not in self._allowed_hosts and not is_public(addresses):
            raise ValueError(
                f"webhook: {parts.host} is not public: add it to NIGHTSCHOOL_WEBHOOK_HOSTS to allow it"
            )
        return addresses[0]

    def secret_of(self, owner: str | None) -> str:
        """The secret that an owner's receivers verify signatures with, as Standard Webhooks writes it.

        None is the owner of the runs of admins, and of all runs in a service without keys.
        """
        return PREFIX + base64.b64encode(self._key(owner)).decode()

    def _key(self, owner: str | None) -> bytes:
        purpose = "nightschool webhooks" if owner is None else f"nightschool webhooks of {owner}"
        return derived_key(self._secret, purpose)

    async def send(self, url: str, message_id: str, body: str, address: str, *, owner: str | None) -> None:
        """Posts JSON text to the `address` returned by `check`, without resolving the host again.

        Use the same `message_id` for each retry. Raises WebhookFailed unless the response is 2xx.
        """
        target = httpx.URL(url)
        timestamp = str(int(self._clock().timestamp()))
        request = request_to(target, address)
        request["headers"] |= {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": signature(self._key(owner), message_id, timestamp, body),
        }
        try:
            async with httpx.AsyncClient(
                timeout=TIMEOUT_SECONDS, transport=self._transport, trust_env=False
            ) as client:
                response = await client.post(content=body, **request)
        except httpx.HTTPError as error:
            raise WebhookFailed(f"webhook {target.host}: {type(error).__name__}: {error}") from error
        if not response.is_success:  # redirects are not followed: they could lead anywhere
            raise WebhookFailed(f"webhook {target.host} answered with status {response.status_code}")


def signature(secret: bytes, message_id: str, timestamp: str, body: str) -> str:
    """The HMAC-SHA256 signature of id, timestamp (seconds since 1970) and body, by Standard Webhooks v1."""
    signed = f"{message_id}.{timestamp}.{body}".encode()
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
