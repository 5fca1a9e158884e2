"""The route of base models: the card of the one that is served, and the models that are added."""

import asyncio

from fastapi import APIRouter
from pydantic import BaseModel

from agent.errors import ModelError
from agent.models.card import ModelCard
from agent.models.store import ModelOrigin, ModelStore
from api.compose import ServiceDep
from api.errors import openai_errors

router = APIRouter(tags=["models"])


class AddedBaseModel(BaseModel):
    """A base model that was added on the api's machine, as `nightschool models list` shows it."""

    name: str
    origin: ModelOrigin | None
    """Where it came from; null if its record is damaged."""
    card: ModelCard | None
    problem: str | None
    """Why it has no usable origin or card, and what to do; null if it has both."""


class BaseModels(BaseModel):
    """The base models of the api's machine."""

    served: ModelCard
    added: list[AddedBaseModel]


@router.get("/v1/base-models", responses=openai_errors(503))
async def base_models(service: ServiceDep) -> BaseModels:
    """The served base model's card, and all added models with theirs."""
    added = await asyncio.to_thread(_added, ModelStore(service.settings.models))
    return BaseModels(served=service.runtime.card, added=added)


def _added(store: ModelStore) -> list[AddedBaseModel]:
    return [_read(store, name) for name in store.names()]


def _read(store: ModelStore, name: str) -> AddedBaseModel:
    origin, card, problem = None, None, None
    try:
        origin = store.origin(name)
        card = store.card(name)
    except ModelError as error:
        problem = str(error)
    return AddedBaseModel(name=name, origin=origin, card=card, problem=problem)
