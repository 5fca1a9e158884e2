"""Reads the message and the code of an error reply, in OpenAI's or LangGraph's format."""

import httpx


def error_message(response: httpx.Response) -> str:
    """The message; of a reply that is not the service's, its status and the beginning of its text."""
    try:
        body = response.json()
        return str(body["detail"] if "detail" in body else body["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"{response.url} answered with status {response.status_code}: {response.text[:200]}"


def error_code(response: httpx.Response) -> str:
    """The code; empty for a reply that has none."""
    try:
        return str(response.json()["error"]["code"] or "")
    except (ValueError, KeyError, TypeError):
        return ""
