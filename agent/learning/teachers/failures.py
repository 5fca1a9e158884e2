"""Why a passage gives no pairs: `BadReply` and `NoReply` are the two kinds of `PassageFailure`.

Each costs one passage. What ends a whole run is a `TeacherError`.
"""


class PassageFailure(Exception):
    """A passage that gives nothing: `reason` is counted, `detail` says what happened."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class BadReply(PassageFailure):
    """A reply without a usable pair; `detail` is for its author, who gets a second chance."""


class NoReply(PassageFailure):
    """The server did not answer. `advice` says what to check where no other request will fare better."""

    def __init__(self, reason: str, detail: str, advice: str = "") -> None:
        super().__init__(reason, detail)
        self.advice = advice
