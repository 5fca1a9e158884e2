"""The command line says what is wrong, and its exit code tells whose fault it is."""

import fcntl
import socket
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.cards import model_folder
from tests.support.commands import run, run_process, stub


def test_a_key_is_made_shown_once_listed_and_revoked(tmp_path: Path) -> None:
    home = {"NIGHTSCHOOL_HOME": str(tmp_path)}
    made = run("keys", "create", "--scope", "chat", "--owner", "ada", **home)
    assert made.stdout.startswith("nsk_")
    listed = run("keys", "list", **home).stdout
    assert "ada" in listed
    assert made.stdout.strip() not in listed
    key = made.stderr.split()[1]
    assert run("keys", "revoke", key, **home).returncode == 0
    assert run("keys", "revoke", "nobody", **home).returncode == 2
    assert run("keys", "create", "--scope", "everything", **home).returncode == 2


@pytest.mark.slow
def test_help_lists_every_command() -> None:
    said = run_process("--help")
    assert said.returncode == 0
    for command in (
        "up",
        "api",
        "worker",
        "ingest",
        "chat",
        "learn",
        "approve",
        "reject",
        "gaps",
        "report",
        "adapters",
    ):
        assert f" {command} " in said.stdout


@pytest.mark.slow
def test_a_shell_can_complete_commands() -> None:
    assert "--install-completion" in run("--help").stdout
    completed = run_process(
        _NIGHTSCHOOL_COMPLETE="complete_bash", COMP_WORDS="nightschool adapters ro", COMP_CWORD="2"
    )
    assert completed.stdout.split() == ["rollback"]


@pytest.mark.parametrize("command", [("chat", "What?"), ("gaps",), ("adapters", "list"), ("learn", "Rust")])
def test_a_service_that_does_not_answer_is_said_to_be_down(command: tuple[str, ...]) -> None:
    said = run(*command)
    assert said.returncode == 1
    assert "the service does not answer at http://127.0.0.1:9: start it with `nightschool up`" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_bad_setting_is_named() -> None:
    said = run("gaps", NIGHTSCHOOL_API_PORT="many")
    assert said.returncode == 2
    assert "NIGHTSCHOOL_API_PORT" in said.stderr


def test_a_refusal_of_the_service_is_shown_with_exit_code_2() -> None:
    def refuse(request: Request) -> Response:
        error = {"message": "no model 'x': ask for auto", "type": "invalid_request_error", "code": "m"}
        return JSONResponse({"error": error}, status_code=404)

    with stub([Route("/v1/chat/completions", refuse, methods=["POST"])]) as port:
        said = run("chat", "What?", "--model", "x", port=port)
    assert (said.returncode, said.stderr) == (2, "nightschool: no model 'x': ask for auto\n")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("interactions", "show", ""), "'' is not an id"),
        (("interactions", "show", "export"), "is something else: check the id"),
        (("interactions", "show", "../gaps"), "Not Found"),
        (("gaps", "delete", ".."), "'..' is not an id"),
        (("ab", "status", "../gaps"), "Not Found"),
        (("preferences", "train", "a?b#c"), "Not Found"),
        (("annotate", "judge", "\udcff", "--choice", "a"), "Not Found"),
    ],
)
def test_what_is_no_id_reaches_no_other_route(command: tuple[str, ...], said: str) -> None:
    async def lines(request: Request) -> Response:
        return Response("{}\n{}\n", media_type="application/x-ndjson")

    with stub([Route("/v1/interactions/export", lines), Route("/v1/gaps", lines)]) as port:
        refused = run(*command, port=port)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert said in refused.stderr


def test_numbers_and_texts_that_are_no_json_reach_the_service_which_refuses_them() -> None:
    received: list[bytes] = []

    async def refuse(request: Request) -> Response:
        received.append(await request.body())
        return JSONResponse({"detail": "refused"}, 400)

    routes = [
        Route(path, refuse, methods=["POST"]) for path in ("/v1/experiments/e/coverage", "/v1/feedback")
    ]
    with stub(routes) as port:
        for command in (("ab", "coverage", "e", "nan"), ("feedback", "i", "--comment", "\udcff")):
            refused = run(*command, port=port)
            assert (refused.returncode, refused.stderr) == (2, "nightschool: refused\n")
    assert received == [
        b'{"coverage": NaN}',
        b'{"interaction_id": "i", "comment": "\\udcff"}',
    ]


def test_a_file_that_is_not_there_ends_ingest_with_exit_code_2(tmp_path: Path) -> None:
    said = run("ingest", str(tmp_path / "nothing.md"))
    assert said.returncode == 2
    assert "no such file or folder" in said.stdout


def test_runs_tells_one_that_waits_for_a_person_from_one_that_works() -> None:
    def listed(id: str, outcome: dict[str, str] | None) -> dict[str, object]:
        return {"id": id, "subject": "Rust", "outcome": outcome, "started_at": "2026-01-02T03:04:05Z"}

    runs = [listed("one", None), listed("two", {"status": "learned"})]
    routes = [
        Route("/v1/learn", lambda r: JSONResponse(runs)),
        Route("/v1/learn/one", lambda r: JSONResponse({"status": "waiting"})),
    ]
    with stub(routes) as port:
        said = run("runs", port=port)
    states = [line.split()[2] for line in said.stdout.splitlines()[1:]]
    assert (said.returncode, states) == (0, ["waiting", "learned"])


def test_a_command_without_a_key_says_how_to_send_one() -> None:
    refused = {"error": {"message": "no key: send one"}}
    with stub([Route("/v1/learn", lambda r: JSONResponse(refused, status_code=401))]) as port:
        said = run("runs", port=port)
    assert said.returncode == 2
    assert "NIGHTSCHOOL_API_KEY" in said.stderr


def test_learn_wants_exactly_one_subject() -> None:
    assert run("learn").returncode == 2
    assert run("learn", "Rust", "--question", "What is a borrow?").returncode == 2


@pytest.mark.slow
def test_up_says_which_port_is_taken(tmp_path: Path) -> None:
    model = str(model_folder(tmp_path / "model"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
        said = run_process("up", port=port, NIGHTSCHOOL_HOME=str(tmp_path), NIGHTSCHOOL_MODEL=model)
    assert said.returncode == 2
    assert f"port {port} on 127.0.0.1 cannot be used" in said.stderr
    assert "NIGHTSCHOOL_API_PORT" in said.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "value", "status", "reason"),
    [
        ("NIGHTSCHOOL_DATABASE_URL", "mysql://nowhere/x", 2, "mysql is not supported"),
        ("NIGHTSCHOOL_DATABASE_URL", "sqlite:////nowhere/x.db", 1, "check its folder"),
        ("NIGHTSCHOOL_MODEL", "{tmp}", 2, "has no card"),
        ("NIGHTSCHOOL_MODEL", "/nowhere", 2, "`nightschool models add`"),
        ("NIGHTSCHOOL_API_HOST", "0.0.0.0", 2, "nightschool keys create"),
    ],
)
def test_what_keeps_the_api_from_starting_is_one_line_and_an_exit_code(
    tmp_path: Path, setting: str, value: str, status: int, reason: str
) -> None:
    (tmp_path / "config.json").write_text("{}")
    model = {"NIGHTSCHOOL_MODEL": str(model_folder(tmp_path / "model"))}
    given = model | {setting: value.format(tmp=tmp_path)}
    said = run_process("api", NIGHTSCHOOL_HOME=str(tmp_path / "home"), **given)
    assert said.returncode == status
    assert reason in said.stderr.splitlines()[-1]
    assert "Traceback" not in said.stderr


@pytest.mark.slow
def test_a_second_api_on_the_files_of_another_does_not_start(tmp_path: Path) -> None:
    with (tmp_path / "api.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        model = str(model_folder(tmp_path / "model"))
        said = run_process("api", NIGHTSCHOOL_HOME=str(tmp_path), NIGHTSCHOOL_MODEL=model)
    assert said.returncode == 1
    assert "another api uses" in said.stderr.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["up", "graph"])
def test_a_home_that_cannot_be_used_is_named(tmp_path: Path, command: str) -> None:
    (tmp_path / "file").write_text("")
    model = str(model_folder(tmp_path / "model"))
    said = run_process(command, NIGHTSCHOOL_HOME=str(tmp_path / "file"), NIGHTSCHOOL_MODEL=model)
    assert said.returncode == 1
    assert str(tmp_path / "file") in said.stderr
    assert "Traceback" not in said.stderr


def test_a_run_is_followed_across_a_broken_stream(tmp_path: Path) -> None:
    event = (
        'event: progress\r\nid: {n}\r\ndata: {{"at": "2026-01-01T00:00:00Z", "step": "{step}", '
        '"message": "m", "figures": {{}}}}\r\n\r\n'
    )
    end = 'event: end\r\ndata: {"run_id": "r", "outcome": {"status": "discarded", "reason": "poor"}}\r\n\r\n'
    asked: list[str | None] = []

    def stream(request: Request) -> Response:
        last = request.headers.get("last-event-id")
        asked.append(last)
        text = event.format(n=1, step="attempt") if last is None else event.format(n=2, step="critique") + end
        return Response(text, media_type="text/event-stream")

    routes = [
        Route("/v1/learn", lambda r: JSONResponse({"run_id": "r"}, status_code=202), methods=["POST"]),
        Route("/v1/learn/r/events", stream),
        Route("/v1/learn/r", lambda r: JSONResponse({"report": {}})),
    ]
    with stub(routes) as port:
        said = run("learn", "Rust", port=port)
    assert asked == [None, "1"]
    assert said.stdout.index("attempt") < said.stdout.index("critique")
    assert (said.returncode, "discarded: poor" in said.stderr) == (1, True)


@pytest.mark.parametrize(("status", "code"), [("forgotten", 0), ("rejected", 1)])
def test_forgetting_is_followed_to_its_report_and_ends_with_1_unless_it_is_done(
    status: str, code: int
) -> None:
    scores = {"in_distribution", "out_of_distribution", "unknown", "rehearsed"}
    one = {"count": 100, "accuracy": 0.9, "hallucination": 0.1, "abstention": 0.0, "ece": 0.1}
    measured = dict.fromkeys(scores, one)
    before = measured | {"forgotten": one | {"accuracy": 0.01}, "forgotten_live": one | {"accuracy": 0.83}}
    after = measured | {"forgotten": one | {"accuracy": 0.02}}
    end = (
        f'event: end\r\ndata: {{"run_id": "r", "outcome": {{"status": "{status}", "reason": "why"}}}}\r\n\r\n'
    )
    asked: list[object] = []

    async def begin(request: Request) -> Response:
        asked.append(await request.json())
        return JSONResponse({"run_id": "r"}, status_code=202)

    report = {"report": {"evaluation": {"before": before, "after": after}}}
    routes = [
        Route("/v1/adapters/forget", begin, methods=["POST"]),
        Route("/v1/learn/r/events", lambda r: Response(end, media_type="text/event-stream")),
        Route("/v1/learn/r", lambda r: JSONResponse(report)),
    ]
    with stub(routes) as port:
        said = run("adapters", "forget", "lamps", "1f9c2a7e", "--reason", "wrong", port=port)
    assert asked == [{"domain": "lamps", "curriculum": "1f9c2a7e", "reason": "wrong"}]
    (line,) = [line for line in said.stdout.splitlines() if "forgotten facts" in line]
    assert ("83.0%" in line, " 2.0%" in line) == (True, True)
    assert (said.returncode, f"{status}: why" in said.stderr) == (code, bool(code))


@pytest.mark.parametrize(
    ("options", "web"), [((), None), (("--web",), "fallback"), (("--web-always",), "always")]
)
def test_a_run_is_told_whether_it_may_use_the_web(options: tuple[str, ...], web: str | None) -> None:
    bodies: list[dict[str, object]] = []

    async def start(request: Request) -> Response:
        bodies.append(await request.json())
        return JSONResponse({"error": {"message": "no search API"}}, status_code=400)

    with stub([Route("/v1/learn", start, methods=["POST"])]) as port:
        said = run("learn", "--question", "What is a move?", *options, port=port)
    assert bodies[0].get("web") == web
    assert (said.returncode, "no search API" in said.stderr) == (2, True)
