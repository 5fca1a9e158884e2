"""Loads e-mail (.eml): headers, the text, and the names of attachments, which are not read."""

import email
import email.policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

from memory.errors import IngestError
from memory.ingest.loaders.base import Loaded, Source
from memory.ingest.loaders.charset import decode
from memory.ingest.loaders.document_dates import parsed
from memory.ingest.loaders.html import load_html

HEADERS = ("From", "To", "Cc", "Date")


def load_mail(source: Source) -> Loaded:
    """The message below its subject, and the attachments as unread. Raises IngestError."""
    try:
        message = email.message_from_bytes(source.data, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        body = message.get_body(preferencelist=("plain", "html"))
        attachments = [part.get_filename() or part.get_content_type() for part in message.iter_attachments()]
        subject = _line(message, "Subject")
        headers = [(name, _line(message, name)) for name in HEADERS]
        sent = parsed(_clean(str(message.get("Date", ""))))
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError) as error:
        # The header parser raises these on malformed addresses and parameters.
        raise IngestError(f"{source.name}: the e-mail is malformed ({error})") from error
    if not any(value for _, value in headers) and not subject:
        raise IngestError(f"{source.name}: the file has no headers of an e-mail")
    text = _body(source, body) if isinstance(body, EmailMessage) else Loaded(text="")
    listed = "\n".join(f"- {name}: {value}" for name, value in headers if value)
    return Loaded(
        text=f"# {subject or 'E-mail'}\n\n{listed}\n\n{text.text}",
        title=subject,
        charset=text.charset,
        dated=sent,
        unread=tuple(f"attachment {_clean(str(name))}: save it as a file" for name in attachments[:20]),
    )


def _body(source: Source, part: EmailMessage) -> Loaded:
    payload = part.get_payload(decode=True)
    content = Source(
        source.name, payload if isinstance(payload, bytes) else b"", part.get_content_charset() or ""
    )
    if not content.data.strip():
        return Loaded(text="")
    if part.get_content_subtype() == "html":
        return load_html(content)
    text, charset = decode(content)
    kept = [line for line in text.replace("\r\n", "\n").split("\n") if not line.startswith(">")]
    return Loaded(text="\n".join(kept).partition("\n-- \n")[0], charset=charset)


def _line(message: EmailMessage, name: str) -> str:
    value = _clean(str(message.get(name, "")))
    if name != "Date":
        return value
    try:
        return parsedate_to_datetime(value).strftime("%Y-%m-%d %H:%M") if value else ""
    except ValueError:
        return value


def _clean(value: str) -> str:
    return " ".join(value.split())[:500]
