"""`nightschool calibrate` and its route: labels in, a threshold or a reason out, and never a traceback."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent.chat.calibration import MIN_OWN_QUESTIONS
from agent.engines.scripted import Line, ScriptedEngine
from graphs.state import Runtime
from tests.api.conftest import Listen, Serve, asking
from tests.graphs.conftest import eventually
from tests.support.commands import run, stub

pytestmark = pytest.mark.slow

LABELLED = [
    {"question": f"What is a zorble{i}?", "answers": [f"thing {i}"]} for i in range(MIN_OWN_QUESTIONS)
]
OUTCOME = {
    "domain": "general",
    "adapter": None,
    "asked": 150,
    "labels": 140,
    "right": 70,
    "declined": 10,
    "auroc": 0.875,
    "error": 0.04,
    "refitted": True,
    "threshold": 0.8125,
    "risk": 0.2,
    "delta": 0.1,
    "confident": 0.3,
    "reasons": [],
}


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in LABELLED))
    return path


def calibrate(path: Path, port: int = 9) -> tuple[int, str, list[str]]:
    said = run("calibrate", "--domain", "general", "--questions", str(path), port=port)
    return said.returncode, said.stdout, said.stderr.splitlines()


async def test_the_running_service_judges_by_the_new_threshold_at_once(
    serve: Serve, runtime: Runtime
) -> None:
    """The answers are right though the gate of the card lets none of them through."""
    lines = {each["question"]: Line(text=each["answers"][0], entropy=2.0) for each in LABELLED}
    async with serve(replace(runtime, engine=ScriptedEngine(lines))) as client:
        before = (await client.post("/v1/chat/completions", json=asking("What is a zorble7?"))).json()
        reply = await client.post("/v1/calibrations", json={"domain": "general", "questions": LABELLED})
        after = (await client.post("/v1/chat/completions", json=asking("What is a zorble7?"))).json()
    assert (reply.status_code, reply.json()["refitted"], reply.json()["confident"]) == (200, True, 1.0)
    assert [each["nightschool"]["outcome"] for each in (before, after)] == ["abstained", "answered"]


async def test_bad_requests_and_an_engine_that_is_away_have_a_status_each(
    serve: Serve, runtime: Runtime
) -> None:
    engine = ScriptedEngine()
    async with serve(replace(runtime, engine=engine)) as client:

        async def status(domain: str, questions: list[dict[str, object]]) -> int:
            body = {"domain": domain, "questions": questions}
            return (await client.post("/v1/calibrations", json=body)).status_code

        assert await status("cooking", LABELLED[:1]) == 404
        assert await status("general", []) == 422
        assert await status("general", [{"question": " ", "answers": []}]) == 422
        assert await status("general", LABELLED[:1]) == 200
        engine.available = False
        assert await status("general", LABELLED[:1]) == 503


async def test_a_client_that_leaves_ends_the_questions_and_the_gate_stays(
    listen: Listen, runtime: Runtime
) -> None:
    slow = ScriptedEngine(default=Line(text="no", pause=60.0))

    async def under_way(some: bool) -> bool:
        return (slow.answering > 0) == some

    body = {"domain": "general", "questions": LABELLED}
    async with (
        listen(replace(runtime, engine=slow)) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        asked = asyncio.create_task(client.post("/v1/calibrations", json=body))
        await eventually(lambda: under_way(True))
        asked.cancel()
        await eventually(lambda: under_way(False))
    assert runtime.routes.calibrated(runtime.base) == runtime.base


def test_what_was_found_is_shown(questions: Path) -> None:
    asked: list[object] = []

    async def answer(request: Request) -> Response:
        asked.append(await request.json())
        return JSONResponse(OUTCOME)

    with stub([Route("/v1/calibrations", answer, methods=["POST"])]) as port:
        code, shown, errors = calibrate(questions, port)
    assert (code, errors) == (0, [])
    assert asked == [{"domain": "general", "questions": LABELLED}]
    for figure in ("140 of 150", "10 declined", "70, 50%", "0.88", "0.04", "0.81", "at most 20%", "30%"):
        assert figure in shown, shown


def test_too_few_labels_end_with_1_and_say_how_many_are_needed(questions: Path) -> None:
    few = OUTCOME | {
        "refitted": False,
        "risk": None,
        "threshold": None,
        "reasons": ["at least 100 are needed"],
    }
    with stub([Route("/v1/calibrations", lambda r: JSONResponse(few), methods=["POST"])]) as port:
        code, shown, errors = calibrate(questions, port)
    assert (code, len(errors)) == (1, 1)
    assert "at least 100 are needed" in errors[0]
    assert "as it was" in shown


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "cannot be read"),
        ("", "holds no questions"),
        ('{"question": "What?", "answers": []}\nWhat is this?\n', "line 2"),
        ('{"question": "What?"}\n', "answers"),
        ('{"question": "What?", "answers": "one"}\n', "answers"),
    ],
)
def test_a_file_that_is_no_list_of_questions_is_one_line_and_exit_code_2(
    tmp_path: Path, text: str | None, reason: str
) -> None:
    path = tmp_path / "bad.jsonl"
    if text is not None:
        path.write_text(text)
    code, _, errors = calibrate(path)
    assert (code, len(errors)) == (2, 1)
    assert reason in errors[0]


@pytest.mark.parametrize(("status", "code"), [(404, 2), (422, 2), (500, 1), (503, 1)])
def test_bad_input_is_one_line_and_exit_code_2_and_an_engine_that_is_away_1(
    questions: Path, status: int, code: int
) -> None:
    def refuse(request: Request) -> Response:
        return JSONResponse({"error": {"message": "no"}}, status_code=status)

    with stub([Route("/v1/calibrations", refuse, methods=["POST"])]) as port:
        assert calibrate(questions, port) == (code, "", ["nightschool: no"])


def test_without_a_service_it_is_one_line_and_exit_code_1(questions: Path) -> None:
    code, _, errors = calibrate(questions)
    assert (code, len(errors)) == (1, 1)
    assert "nightschool up" in errors[0]


async def test_a_key_that_is_not_an_operators_may_not_move_a_threshold(
    serve: Serve, runtime: Runtime
) -> None:
    from memory.server.keys import ApiKeys

    _, text = await ApiKeys(runtime.database).create("ada", "learn")
    async with serve() as client:
        reply: httpx.Response = await client.post(
            "/v1/calibrations",
            json={"domain": "general", "questions": LABELLED[:1]},
            headers={"Authorization": f"Bearer {text}"},
        )
    assert reply.status_code == 403
