"""Routes of models: the names that chats may request; see `agent.chat.routing` for their meaning."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel

from agent.chat.routing import AUTO, resolve_route
from api.auth import CallerDep
from api.compose import ServiceDep
from api.errors import openai_errors

router = APIRouter(tags=["chat"])


class Model(BaseModel):
    """A model name that chats may request."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: Literal["nightschool"] = "nightschool"


class Models(BaseModel):
    """The model names that chats may request."""

    object: Literal["list"] = "list"
    data: list[Model]


@router.get("/v1/models")
async def models(service: ServiceDep, caller: CallerDep) -> Models:
    """`auto`, the base model, and one name per domain that has a live adapter and is open to the caller."""
    runtime = await service.runtime.for_owner(caller.owner)
    names = [AUTO, runtime.base_name, *runtime.routes.usable(runtime.access)]
    return Models(data=[Model(id=name) for name in names])


@router.get("/v1/models/{model}", responses=openai_errors(404, 409, 422))
async def model(model: Annotated[str, Path(max_length=200)], service: ServiceDep, caller: CallerDep) -> Model:
    """One model name. Full names of adapters work too, although they are not listed."""
    runtime = await service.runtime.for_owner(caller.owner)
    await resolve_route(
        "",
        model,
        routes=runtime.routes,
        base=runtime.base,
        base_name=runtime.base_name,
        access=runtime.access,
    )
    return Model(id=model)
