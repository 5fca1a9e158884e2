"""The route that forgets a user, a document or a record in every store."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from agent.feedback.pseudonyms import pseudonym
from api.auth import CallerDep
from api.compose import ServiceDep
from api.errors import openai_errors
from api.limits import reject_nul
from api.openai.replies import turn_id_of
from graphs.server.erasure import Erased, Erasure
from memory.ingest.sources import normalised_source
from memory.server.erasure import Target

router = APIRouter(prefix="/v1/memory", tags=["memory"], dependencies=[Depends(reject_nul)])
Name = Annotated[str | None, Query(min_length=1, max_length=2000)]


@router.delete("", responses=openai_errors(400, 403, 409, 422, 429, 503))
async def forget(
    service: ServiceDep, caller: CallerDep, user: Name = None, source: Name = None, id: Name = None
) -> Erased:
    """Forgets a user, a document or one turn, thread, gap or statement, and purges the stores' files.

    Takes seconds to minutes. Repeating it completes what was broken off. Keys of other scopes than admin
    forget only what belongs to their owner; documents need the scope learn.
    """
    targets = {kind: name for kind, name in (("user", user), ("source", source), ("id", id)) if name}
    if len(targets) != 1:
        raise ValueError("name one of user, source and id")
    ((kind, name),) = targets.items()
    if kind == "source":
        caller.require("learn")
        name = normalised_source(name)  # not checked: older documents may have names that are refused today
    await service.rate_limits.spend("erasures", caller.owner)
    runtime = service.runtime
    units = (name, pseudonym(name, runtime.pseudonym_key))
    target = Target.model_validate(
        {
            "kind": kind,
            "value": turn_id_of(name) if kind == "id" else name,
            "units": () if kind == "source" else units,
            "owner": caller.owner,
        }
    )
    erasure = Erasure(
        runtime=runtime,
        executor=service.executor,
        items=service.items,
        databases=service.settings.database_urls,
    )
    async with (
        service.document_writer.alone(),
        runtime.audit.acting("memory.forget", by=caller.name, subject=units[1], details={"kind": kind}),
    ):
        return await erasure.forget(target)
