"""Approvals of what is trained or forgotten: who asked for it, who approved it, and how."""

from datetime import datetime
from typing import Literal

from memory.records.base import Digest, Record

ApprovalPolicy = Literal["auto", "human"]
"""Who approves a verified curriculum: the policy itself, or a person."""
Act = Literal["teach", "forget"]


class ApprovalRecord(Record):
    """One approval. It holds for the content with this digest, whichever run hands it over."""

    digest: Digest
    """Of a curriculum or a preference set."""
    act: Act = "teach"
    run_id: str
    """The learn run, night or request that it was approved in."""
    asked_by: str
    """Owner of the key that asked for the run."""
    approved_by: str
    """Owner of the key that approved it; `policy` where the policy is `auto`."""
    policy: Literal["auto", "human", "admin"]
    """`admin`: an admin asked for it directly, as for forgetting a lesson."""
    reason: str = ""
    approved_at: datetime

    @property
    def by_person(self) -> bool:
        """Whether a person approved it."""
        return self.policy != "auto"
