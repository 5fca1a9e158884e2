"""Times that no store can hold are refused, wherever one may be sent."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, get_args

import httpx
import pytest
from fastapi.dependencies.utils import get_flat_dependant
from fastapi.routing import APIRoute
from pydantic import AwareDatetime, TypeAdapter, ValidationError

from graphs.server.night_spec import NightInput
from tests.api.test_finite_numbers import APP, body_types, models_in

EXTREME = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1899-12-31T00:00:00Z")


def is_time(kind: Any) -> bool:
    return kind in (datetime, AwareDatetime) or any(is_time(argument) for argument in get_args(kind))


def times() -> Iterator[tuple[str, Any]]:
    """The fields of bodies and the parameters that are times, each with its type."""
    fields = [
        (f"{model.__name__}.{name}", field)
        for kind in (*body_types(), NightInput)
        for model in models_in(kind)
        for name, field in model.model_fields.items()
    ]
    for route in APP.routes:
        if isinstance(route, APIRoute):
            parameters = get_flat_dependant(route.dependant).query_params
            fields += [(f"{route.path}?{each.name}", each.field_info) for each in parameters]
    for name, field in fields:
        if is_time(field.annotation):
            yield name, Annotated[(field.annotation, *(field.metadata or [None]))]


TIMES = dict(times())


def test_there_are_times_in_bodies_and_in_parameters() -> None:
    assert {"SearchRequest.as_of", "NightInput.since", "CronBody.end_time", "/v1/audit?since"} <= set(TIMES)


@pytest.mark.parametrize("name", sorted(TIMES))
def test_a_year_that_no_store_can_hold_is_refused(name: str) -> None:
    kind: TypeAdapter[Any] = TypeAdapter(TIMES[name])
    for time in EXTREME:
        with pytest.raises(ValidationError, match="year"):
            kind.validate_python(time)
    for time in ("1900-01-01T00:00:00+14:00", "2999-12-31T23:59:59-14:00"):
        assert kind.validate_python(time).tzinfo is not None


async def test_a_search_as_of_the_first_year_is_the_callers_mistake(learning: httpx.AsyncClient) -> None:
    body = {"query": "x", "as_of": EXTREME[0]}
    reply = await learning.post("/v1/search", json=body)
    assert (reply.status_code, reply.json()["error"]["param"]) == (422, "as_of")
