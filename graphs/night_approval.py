"""Who approves what a night trains: the policy, or the people who approved each of its golden pairs."""

from graphs.night_step import StepContext
from graphs.state import Runtime
from memory.records.approvals import ApprovalRecord
from memory.records.curricula import Curriculum
from memory.records.feedback import PreferenceSet
from memory.records.nights import GoldenPair, Night

NIGHT = "night"
"""Who asks for what a night trains, and for the learn runs that it starts."""
BY_ADMINS = (
    "a person approves what is trained here: an admin can train preference sets (`nightschool preferences`)"
)


async def teachable_pairs(work: StepContext) -> tuple[GoldenPair, ...]:
    """The domain's golden pairs; where people approve what is trained, only those that they approved."""
    pairs = await work.runtime.nights.golden(domain=work.night.domain)
    if work.runtime.approval == "auto":
        return tuple(pairs)
    return tuple(pair for pair in pairs if pair.decided_by is not None)


async def approve(record: Curriculum | PreferenceSet, night: Night, context: Runtime) -> None:
    """Records who approved what this night has just made of verified answers; safe to repeat."""
    by = "policy"
    if context.approval == "human":
        pairs = await context.nights.golden(domain=night.domain, status="approved")
        by = ", ".join(sorted({pair.decided_by for pair in pairs if pair.decided_by is not None}))
    await context.approvals.verified(record.digest, run_id=night.id)
    await context.approvals.record(
        ApprovalRecord(
            digest=record.digest,
            run_id=night.id,
            asked_by=NIGHT,
            approved_by=by,
            policy=context.approval,
            reason=f"made by night {night.id}",
            approved_at=context.clock(),
        )
    )
