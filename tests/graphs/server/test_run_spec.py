"""Run specs: what a graph lacks is refused, and a request becomes LangGraph's input and config."""

from datetime import UTC, datetime
from typing import Any

import pytest
from langgraph.types import Command, PregelTask, Send, StateSnapshot

from graphs.server.run_spec import CommandSpec, Goto, RunRequest, check, graph_config, graph_input
from memory.server.runs import ThreadRun
from tests.support.run_server import TaskSpec

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RUN = ThreadRun(
    run_id="r",
    thread_id="t",
    assistant_id="a",
    graph_id="task",
    metadata={"k": "v", "run_id": "another"},
    created_at=NOW,
    updated_at=NOW,
    starts_at=NOW,
)
FIRST, SECOND = "0123456789abcdef" * 2, "fedcba9876543210" * 2
"""Ids of interrupts."""
GRAPH = TaskSpec()


def standing(values: dict[str, Any], *next_nodes: str) -> StateSnapshot:
    """A thread's state before those nodes."""
    tasks = tuple(PregelTask(name, name, ()) for name in next_nodes)
    return StateSnapshot(values, next_nodes, {"configurable": {}}, None, None, None, tasks, ())


@pytest.mark.parametrize(
    "request_",
    [
        RunRequest(interrupt_before=("do", "nowhere")),
        RunRequest(interrupt_after=("nowhere",)),
        RunRequest(command=CommandSpec(goto=("nowhere",))),
        RunRequest(command=CommandSpec(goto=("do", Goto(node="nowhere")))),
    ],
    ids=["interrupt_before", "interrupt_after", "goto", "goto with input"],
)
def test_a_node_that_the_graph_lacks_is_refused_and_those_it_has_are_listed(request_: RunRequest) -> None:
    with pytest.raises(ValueError, match="task has no node 'nowhere': it has do, read"):
        check(request_, GRAPH, "ada")


def test_langgraphs_own_first_node_is_not_for_clients() -> None:
    with pytest.raises(ValueError, match="__start__"):
        check(RunRequest(command=CommandSpec(goto=("__start__",))), GRAPH, "ada")


@pytest.mark.parametrize(
    "request_",
    [
        RunRequest(),
        RunRequest(input={"task": "sing"}, interrupt_before="*", interrupt_after=("read",)),
        RunRequest(
            command=CommandSpec(
                update={"task": "sing"}, goto=("read", Goto(node="read", input={"task": "move"}))
            )
        ),
        RunRequest(command=CommandSpec(resume=3)),
    ],
    ids=["empty", "input", "command", "answer that is not set"],
)
def test_what_the_graph_has_is_accepted_unchanged(request_: RunRequest) -> None:
    assert check(request_, GRAPH, "ada") == request_


def test_an_update_of_what_the_state_lacks_is_refused() -> None:
    sent = Goto(node="read", input={"colour": "red"})  # a node takes it in place of the state
    for command in (CommandSpec(update={"colour": "red"}), CommandSpec(goto=(sent,))):
        with pytest.raises(ValueError, match="no 'colour'"):
            check(RunRequest(command=command), GRAPH, "ada")


@pytest.mark.parametrize("jump", ["do", Goto(node="do", input={"task": "sing"})])
def test_a_node_that_acts_is_not_entered_by_a_client(jump: str | Goto) -> None:
    with pytest.raises(ValueError, match="no client may jump to 'do': those of task are read"):
        check(RunRequest(command=CommandSpec(goto=("read", jump))), GRAPH, "ada")


def test_a_jump_brings_keys_of_the_state_and_nothing_else() -> None:
    with pytest.raises(ValueError, match="must be an object"):
        check(RunRequest(command=CommandSpec(goto=(Goto(node="read", input=1),))), GRAPH, "ada")


@pytest.mark.parametrize("more", [{"update": {"task": "sing"}}, {"goto": ("read",)}])
def test_an_answer_is_to_what_was_asked(more: dict[str, Any]) -> None:
    command = CommandSpec(answers=True, resume="yes", **more)
    with pytest.raises(ValueError, match="not both"):
        check(RunRequest(command=command), GRAPH, "ada")


@pytest.mark.parametrize(
    ("resume", "validated"),
    [(" yes ", "yes"), ({FIRST: " yes ", SECOND: "no"}, {FIRST: "yes", SECOND: "no"})],
    ids=["one", "by interrupt"],
)
def test_answers_are_validated_one_by_one(resume: Any, validated: Any) -> None:
    checked = check(RunRequest(command=CommandSpec(answers=True, resume=resume)), GRAPH, "ada")
    assert checked.command is not None
    assert checked.command.resume == validated


@pytest.mark.parametrize(
    "resume", [None, 3, {}, {"task": "sing"}, {FIRST: "yes", "else": "no"}, {FIRST: 3}, {FIRST.upper(): "a"}]
)
def test_an_answer_that_the_graph_does_not_take_is_refused(resume: Any) -> None:
    with pytest.raises(ValueError, match="has to be a text"):
        check(RunRequest(command=CommandSpec(answers=True, resume=resume)), GRAPH, "ada")


@pytest.mark.parametrize("mode", ["messages", "messages-tuple"])
async def test_an_input_becomes_the_state_to_begin_with(mode: str) -> None:
    request = RunRequest(input={"task": "sing"})
    assert await graph_input(request, RUN, GRAPH, standing({})) == {"task": "sing"}
    streamed = request.model_copy(update={"modes": ("values", mode)})
    assert await graph_input(streamed, RUN, GRAPH, standing({})) == {"task": "sing", "done": ["streamed"]}


async def test_a_run_without_input_continues_with_the_changes_that_resuming_needs() -> None:
    assert await graph_input(RunRequest(), RUN, GRAPH, standing({"task": "sing"}, "do")) is None
    assert await graph_input(RunRequest(), RUN, GRAPH, standing({"task": "move"})) is None
    changed = await graph_input(RunRequest(), RUN, GRAPH, standing({"task": "move"}, "do"))
    assert changed == Command(update={"done": ["resumed on t"]})


async def test_a_command_becomes_langgraphs() -> None:
    command = CommandSpec(
        answers=True,
        resume="yes",
        update={"task": "sing"},
        goto=("do", Goto(node="read", input={"task": "x"})),
    )
    request = RunRequest(command=command)
    assert await graph_input(request, RUN, GRAPH, standing({"task": "move"}, "do")) == Command(
        resume="yes",
        update={"task": "sing", "done": ["resumed on t"]},
        goto=["do", Send("read", {"task": "x"})],
    )
    bare = RunRequest(command=CommandSpec(resume="not set", goto=("do",)))
    assert await graph_input(bare, RUN, GRAPH, standing({})) == Command(goto=["do"])


def test_the_config_marks_checkpoints_with_the_run_whatever_its_metadata_says() -> None:
    config = graph_config(RunRequest(tags=("x",)), RUN, GRAPH)
    ids = {"run_id": "r", "thread_id": "t", "graph_id": "task", "assistant_id": "a"}
    assert config["metadata"] == {"k": "v", **ids}
    assert config["configurable"] == {"thread_id": "t"}
    assert (config["tags"], config["recursion_limit"]) == (["x"], GRAPH.recursion_limit)
    assert graph_config(RunRequest(recursion_limit=3), RUN, GRAPH)["recursion_limit"] == 3
