"""Tells somebody else's server of the end of a run: signed, and to public addresses or allowed hosts only.

When to tell, and how often to try, is the caller's business.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Collection
from datetime import datetime

import httpx

from memory.errors import WebhookFailed
from memory.ingest.web import Resolve, addresses, is_public

TIMEOUT_SECONDS = 15.0


class UnknownHost(ValueError):
    """A name that has no address, for now at least."""


class Webhooks:
    """Tells servers that clients name, signing as Standard Webhooks has it (standardwebhooks.com)."""

    def __init__(
        self,
        secret: str,
        clock: Callable[[], datetime],
        *,
        hosts: Collection[str] = (),
        resolve: Resolve = addresses,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`secret` is shared with the receivers, who check the signature with it.

        `hosts` are names, in lower case, that may be told although their addresses are private.
        """
        self._hosts = frozenset(hosts)
        self._secret = secret.encode()
        self._clock = clock
        self._resolve = resolve
        self._transport = transport

    def check(self, url: str) -> str:
        """An address of the URL's host that may be told. Blocks. Raises ValueError."""
        try:
            parts = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise ValueError(f"webhook: {error}") from None
        if parts.scheme not in {"http", "https"} or not parts.host or parts.userinfo:
            raise ValueError("webhook: send an http:// or https:// URL without a name or password in it")
        found = self._resolve(parts.host)
        if not found:
            raise UnknownHost(f"webhook: {parts.host} is not known here: send a name that has an address")
        if parts.host.lower() not in self._hosts and not is_public(found):
            raise ValueError(
                f"webhook: {parts.host} is not public: add it to NIGHTSCHOOL_WEBHOOK_HOSTS to allow it"
            )
        return found[0]

    async def send(self, url: str, message_id: str, body: str, address: str) -> None:
        """Posts the JSON text to the address that was checked, whatever the host's name means by now.

        The id is the same each time that it is tried. Raises WebhookFailed unless the answer is a 2xx.
        """
        target = httpx.URL(url)
        moment = str(int(self._clock().timestamp()))
        headers = {
            "Host": target.netloc.decode(),
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": moment,
            "webhook-signature": signature(self._secret, message_id, moment, body),
        }
        extensions = {"sni_hostname": target.host}
        try:
            async with httpx.AsyncClient(
                timeout=TIMEOUT_SECONDS, transport=self._transport, trust_env=False
            ) as client:
                reply = await client.post(
                    target.copy_with(host=address), content=body, headers=headers, extensions=extensions
                )
        except httpx.HTTPError as error:
            raise WebhookFailed(f"webhook {target.host}: {type(error).__name__}: {error}") from error
        if not reply.is_success:  # a redirect is none of it: it could lead anywhere
            raise WebhookFailed(f"webhook {target.host} answered with status {reply.status_code}")


def signature(secret: bytes, message_id: str, moment: str, body: str) -> str:
    """Of id, time (seconds since 1970) and body, by HMAC-SHA256; version 1 of Standard Webhooks."""
    said = f"{message_id}.{moment}.{body}".encode()
    return "v1," + base64.b64encode(hmac.new(secret, said, hashlib.sha256).digest()).decode()
