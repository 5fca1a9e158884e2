"""Records of learn runs: who let a curriculum through, what the trainer is handed, and how a run ended."""

from typing import Literal

from memory.records import Digest, Domain, Record


class Approval(Record):
    """Who let a curriculum through, or stopped it, and why."""

    approved: bool
    by: str
    reason: str = ""


class Job(Record):
    """One training job, whole: the worker needs nothing else but the folders it was started with."""

    digest: Digest
    domain: Domain
    run_id: str


class Outcome(Record):
    """How a learn run ended."""

    status: Literal[
        "learned", "forgotten", "rejected", "nothing_to_learn", "flagged", "discarded", "declined", "failed",
        "stopped",
    ]  # fmt: skip
    reason: str
    adapter: str | None = None
