"""Failures of a teacher on a single passage: `PassageFailure` with `BadReply` and `NoReply`.

They cost one passage; a `TeacherError` ends the whole run.
"""


class PassageFailure(Exception):
    """A passage without pairs: `reason` is counted in statistics, `detail` explains it."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class BadReply(PassageFailure):
    """A reply without a usable pair; `detail` is sent back to the model for a second try."""


class NoReply(PassageFailure):
    """The server did not answer. `advice` says what to check if no other request can succeed."""

    def __init__(self, reason: str, detail: str, advice: str = "") -> None:
        super().__init__(reason, detail)
        self.advice = advice
