"""Routes of base models: the served one's card, added and addable ones; add, study, select, remove.

Adding and studying take minutes: both run in a process of their own, one at a time, and end with the api.
"""

import asyncio
import os
import sys
from pathlib import Path
from uuid import uuid4

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from agent.engines.child_process import die_with_parent
from agent.errors import ModelError, ModelRefused, ModelTaskRunning, UnknownModel
from agent.models.card import ModelCard
from agent.models.catalogue import shipped_catalogue
from agent.models.store import HUB_NAME, NAME, ModelOrigin, ModelStore
from agent.models.task import BUSY, Action, ModelTask, current_task, stop_task
from agent.settings import STUDIES, Settings
from api.auth import CallerDep
from api.compose import Service, ServiceDep
from api.errors import openai_errors
from api.limits import reject_nul
from api.supervisor.components import on_gpu

router = APIRouter(prefix="/v1/base-models", tags=["models"], dependencies=[Depends(reject_nul)])
PROCESS = "agent.models.task"
LOG = "models.log"
START_SECONDS = 60.0
"""How long a process may take to say what it does."""
STOP_SECONDS = 15.0
"""How long a task may take to end that was asked to; see `agent.models.task.STOP_SECONDS`."""
POLL_SECONDS = 0.1
SPARE_GPU = 0.05
"""Share of a GPU's memory that a study leaves free beside the engine."""


class AddedBaseModel(BaseModel):
    """A base model that was added on the api's machine, as `nightschool models list` shows it."""

    name: str
    origin: ModelOrigin | None
    """Where it came from; null if its record is damaged."""
    card: ModelCard | None
    problem: str | None
    """Why it has no usable origin or card, and what to do; null if it has both."""


class CatalogueModel(BaseModel):
    """A base model of the catalogue that was not added yet."""

    name: str
    title: str
    licence: str


class BaseModels(BaseModel):
    """The base models of the api's machine."""

    served: ModelCard
    next: str
    """The one that the next start serves, by its name; a folder, if the setting names one."""
    added: list[AddedBaseModel]
    catalogue: list[CatalogueModel]
    """What else can be added by name."""
    task: ModelTask | None
    """What is being added or studied, or was last."""


class AddRequest(BaseModel):
    """The base model to add."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(min_length=1, max_length=200)
    """A name of the catalogue or a Hugging Face id. A folder of the api's machine needs the command line."""
    name: str | None = Field(None, max_length=64)
    """For the added model; by default from its own."""


@router.get("", responses=openai_errors(503))
async def base_models(service: ServiceDep) -> BaseModels:
    """The served base model's card, all added models with theirs, and what can be added."""
    return await asyncio.to_thread(_read_all, service)


@router.post("", status_code=202, responses=openai_errors(404, 409, 422, 503))
async def add(request: AddRequest, service: ServiceDep, caller: CallerDep) -> ModelTask:
    """Starts adding a model of the catalogue or of a Hugging Face hub, and returns at once."""
    what = request.model
    if what not in shipped_catalogue().models:
        if not HUB_NAME.fullmatch(what) or what.startswith(".") or "/." in what:
            raise UnknownModel(f"{what!r} is neither in the catalogue nor a Hugging Face id (OWNER/NAME)")
        if await asyncio.to_thread(Path(what).exists):
            raise UnknownModel(f"{what!r} is a folder of the api's machine: add it there, by `models add`")
    if request.name is not None and not NAME.fullmatch(request.name):
        raise ModelRefused(f"{request.name!r} is no name for a model: use lower-case letters, digits, - . _")
    more = [] if request.name is None else ["--name", request.name]
    async with service.runtime.audit.acting("model.add", by=caller.name, subject=what):
        return await _start(service.settings, "add", what, more)


@router.post("/{name}/study", status_code=202, responses=openai_errors(404, 409, 422, 503))
async def study(name: str, service: ServiceDep, caller: CallerDep) -> ModelTask:
    """Starts studying an added model, and returns at once; chat is slower meanwhile."""
    settings = service.settings
    await asyncio.to_thread(ModelStore(settings.models).origin, name)
    more = []
    if on_gpu(settings):  # beside the engine, which has its share already
        share = 1 - settings.engine_gpu_share - SPARE_GPU
        if share <= 0:
            raise ModelRefused(
                f"the engine has {settings.engine_gpu_share:.0%} of the GPU's memory: lower"
                " NIGHTSCHOOL_ENGINE_GPU_SHARE, or stop the service and run `nightschool models study`"
            )
        more = ["--gpu-share", f"{share:.2f}"]
    async with service.runtime.audit.acting("model.study", by=caller.name, subject=name):
        return await _start(settings, "study", name, more)


@router.delete("/task", responses=openai_errors(422, 503))
async def stop(service: ServiceDep, caller: CallerDep) -> ModelTask | None:
    """Stops what is being added or studied; a study goes on where it was when it is started again."""
    folder = service.settings.models
    _check_writable(folder)
    async with service.runtime.audit.acting("model.stop", by=caller.name, subject="task"):
        if await asyncio.to_thread(stop_task, folder) is not None:
            await _until_not_running(folder)
    return await asyncio.to_thread(current_task, folder)


@router.post("/{name}/use", responses=openai_errors(404, 409, 422, 503))
async def use(name: str, service: ServiceDep, caller: CallerDep) -> BaseModels:
    """Selects the model to serve and train from the next start on. It needs a card, and no verdict no-go."""
    settings, store = service.settings, ModelStore(service.settings.models)
    if (outside := _set_outside(settings, store)) is not None:
        raise ModelRefused(
            f"NIGHTSCHOOL_MODEL is {outside}, which decides: change it where the service is started"
        )
    await _check_idle(store.folder)
    card = await asyncio.to_thread(store.card, name)
    if card.verdict == "no-go":
        raise ModelRefused(f"{name} is not served (no-go: {'; '.join(card.reasons)})")
    _check_writable(store.folder)
    async with service.runtime.audit.acting("model.use", by=caller.name, subject=name):
        await asyncio.to_thread(store.use, name)
    return await asyncio.to_thread(_read_all, service)


@router.delete("/{name}", responses=openai_errors(404, 409, 422, 503))
async def remove(name: str, service: ServiceDep, caller: CallerDep) -> BaseModels:
    """Removes an added model and its card; not the one that is served, or that the next start serves."""
    store = ModelStore(service.settings.models)
    await asyncio.to_thread(store.origin, name)
    await _check_idle(store.folder)
    if name in (_next(service.settings, store), service.model_folder.name):
        raise ModelRefused(f"{name} is in use: select another model first, and start the service with it")
    _check_writable(store.folder)
    async with service.runtime.audit.acting("model.remove", by=caller.name, subject=name):
        await asyncio.to_thread(store.remove, name)
    return await asyncio.to_thread(_read_all, service)


async def _start(settings: Settings, action: Action, model: str, more: list[str]) -> ModelTask:
    """Starts the process and waits until it says what it does. Raises ModelTaskRunning, ModelRefused."""
    folder, id = settings.models.resolve(), uuid4().hex
    await _check_idle(folder)
    _check_writable(folder)
    command = [sys.executable, "-m", PROCESS, str(folder), str(settings.path(STUDIES).resolve()), action]
    with (settings.home / LOG).open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *command, *more, "--id", id, "--", model, stdout=log, stderr=log, preexec_fn=die_with_parent()
        )
    clock = asyncio.get_running_loop().time
    deadline = clock() + START_SECONDS
    while clock() < deadline and process.returncode is None:
        task = await asyncio.to_thread(current_task, folder)
        if task is not None and task.id == id:
            return task
        await asyncio.sleep(POLL_SECONDS)
    if process.returncode is None:
        process.terminate()
    task = await asyncio.to_thread(current_task, folder)
    if task is not None and task.id == id:  # it ended at once
        return task
    if process.returncode == BUSY:
        raise ModelTaskRunning("another model is being added or studied: wait, or stop it first")
    said = await asyncio.to_thread(_last_line, settings.home / LOG)
    raise ModelRefused(f"the process to {action} {model} did not start ({said}): see {LOG}")


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[-1][:200] if lines else "it said nothing"


def _check_writable(folder: Path) -> None:
    """Raises ModelRefused if the api may not write there, as with separate users or a read-only volume."""
    there = next(each for each in (folder.resolve(), *folder.resolve().parents) if each.exists())
    if not os.access(there, os.W_OK):
        raise ModelRefused(
            f"the api may not write to {folder}: run `nightschool models` as the user whose folder it is"
        )


async def _check_idle(folder: Path) -> None:
    """Raises ModelTaskRunning while a model is being added or studied."""
    task = await asyncio.to_thread(current_task, folder)
    if task is not None and task.status == "running":
        doing = "added" if task.action == "add" else "studied"
        raise ModelTaskRunning(f"{task.model} is being {doing}: wait, or stop it first")


async def _until_not_running(folder: Path) -> None:
    for _ in range(round(STOP_SECONDS / POLL_SECONDS)):
        task = await asyncio.to_thread(current_task, folder)
        if task is None or task.status != "running":
            return
        await asyncio.sleep(POLL_SECONDS)


def _next(settings: Settings, store: ModelStore) -> str:
    setting = _set_outside(settings, store) or store.chosen() or shipped_catalogue().default
    return store.find(setting) or setting


def _set_outside(settings: Settings, store: ModelStore) -> str | None:
    """The model that the operator set; None if the choice of the store decides.

    `nightschool up` sets the folder of that choice for its api, so that a restart of the api alone does not
    serve another card than the engine's.
    """
    if settings.model is None or Path(settings.model).parent == store.folder.resolve():
        return None
    return settings.model


def _read_all(service: Service) -> BaseModels:
    store = ModelStore(service.settings.models)
    names = store.names()
    return BaseModels(
        served=service.runtime.card,
        next=_next(service.settings, store),
        added=[_read(store, name) for name in names],
        catalogue=[
            CatalogueModel(name=name, title=entry.title, licence=entry.licence)
            for name, entry in shipped_catalogue().models.items()
            if name not in names
        ],
        task=current_task(service.settings.models),
    )


def _read(store: ModelStore, name: str) -> AddedBaseModel:
    origin, card, problem = None, None, None
    try:
        origin = store.origin(name)
        card = store.card(name)
    except ModelError as error:
        problem = str(error)
    return AddedBaseModel(name=name, origin=origin, card=card, problem=problem)
