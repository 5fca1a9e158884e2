"""The page of time travel: a thread's checkpoints, the state of one, replay, and forks from a form."""

import json
import time
from collections.abc import Iterator
from typing import Any

import gradio as gr

from api.cli.client import Client
from api.cli.travel import differences, without_run_keys
from api.console.markup import block, moment, paragraph
from api.console.service import FOLLOWING, PRIVATE, Json, Service, failure, segment
from api.console.timeline import compared, in_order, label, origin_of, state_details, timeline

THREADS, CHECKPOINTS = 100, 300
"""The latest ones, which are listed."""
FIELDS = ["checkpoint_id", "parent_checkpoint_id", "next", "created_at", "metadata"]
ABOUT = ["thread_id", "metadata", "status", "updated_at", "values.subject", "values.question"]
WAIT_SECONDS = 300.0
"""How long the page waits for a branch; the branch goes on without it."""
POLL_SECONDS = 1.0


def build(service: Service, key: gr.State) -> None:
    """Adds the page as a tab."""
    with gr.Tab("Time travel", id="time_travel") as tab:
        thread = gr.Dropdown(
            label="Run or thread",
            choices=[],
            value=None,
            info="the latest 100; a learn run's id is its thread's",
        )
        refresh = gr.Button("Refresh")
        drawn = gr.HTML(elem_id="timeline")
        past = gr.State([])
        checkpoint = gr.Dropdown(label="Checkpoint", choices=[], value=None)
        state = gr.HTML(elem_id="state")
        with gr.Column(visible=False) as acts:
            replay = gr.Button("Replay from here", variant="primary")
            keys = gr.Dropdown(
                label="Values to change",
                choices=[],
                value=[],
                multiselect=True,
                info="what clients may write in this graph; all of it is checked again afterwards",
            )
            values = gr.Textbox(label="The new values, as JSON", value="{}", lines=6, max_lines=20)
            as_node = gr.Dropdown(
                label="Write as if by the step",
                choices=[],
                value=None,
                info="the graph then goes on with what follows it; empty: with what is next anyway",
            )
            fork = gr.Button("Fork with these values")
        said = gr.HTML(elem_id="travelled")

    def list_threads(secret: str, current: str | None) -> Any:
        with service.client(secret) as client:
            found = _threads(client)
        choices = [(_thread_label(each), each["thread_id"]) for each in found]
        return gr.update(choices=choices, value=current if current in [id for _, id in choices] else None)

    def show_thread(secret: str, id: str | None) -> dict[Any, Any]:
        hidden = {state: "", acts: gr.update(visible=False), said: ""}
        if not id:
            return {**hidden, drawn: "", past: [], checkpoint: gr.update(choices=[], value=None)}
        with service.client(secret) as client:
            page, states = _timeline(client, id)
        choices = [(label(each), each["checkpoint_id"]) for each in states]
        return {**hidden, drawn: page, past: states, checkpoint: gr.update(choices=choices, value=None)}

    def show_state(secret: str, id: str | None, states: list[Json], at: str | None) -> dict[Any, Any]:
        """The state, what its step changed, and what may be changed in it."""
        known = next((each for each in states if each["checkpoint_id"] == at), None)
        if known is None:
            return {state: "", acts: gr.update(visible=False)}
        path = f"/threads/{segment(id or '')}"
        with service.client(secret) as client:
            now = client.get(f"{path}/state/{segment(at or '')}")
            parent = known["parent_checkpoint_id"]
            before = client.get(f"{path}/state/{segment(parent)}") if parent else None
            graph = client.get(path)["metadata"]["graph_id"]
            rights = client.get(f"/assistants/{segment(graph)}/rights")
        return {
            state: state_details(now, before),
            acts: gr.update(visible="__start__" not in known["next"]),
            keys: gr.update(choices=rights["keys"], value=[]),
            as_node: gr.update(choices=["", *rights["as_node"]], value=""),
            values: "{}",
            said: "",
        }

    def fill(secret: str, id: str | None, at: str | None, chosen: list[str] | None, written: str) -> str:
        """The chosen values as they are in the state; those that were edited stay as they were edited."""
        with service.client(secret) as client:
            found = client.get(f"/threads/{segment(id or '')}/state/{segment(at or '')}")["values"]
        edited = _parsed(written)
        return json.dumps(
            {k: edited.get(k, found.get(k)) for k in chosen or ()}, ensure_ascii=False, indent=2
        )

    def branch(secret: str, id: str | None, at: str | None, changes: Json) -> Iterator[dict[Any, Any]]:
        """Makes the branch, runs it, and compares its end with the thread's own."""
        with service.client(secret) as client:
            path = f"/threads/{segment(id or '')}"
            made = client.post(f"{path}/fork", {"checkpoint_id": at, **changes})
            twin = str(made["thread_id"])
            client.post(f"/threads/{segment(twin)}/runs", {"assistant_id": made["metadata"]["graph_id"]})
            yield {said: block(paragraph(f"Branch {twin} works from that checkpoint.", "quiet"))}
            status = _ended(client, twin)
            page, _ = _timeline(client, id or "")
            listed = [(_thread_label(each), each["thread_id"]) for each in _threads(client)]
            ends = [client.get(f"/threads/{segment(each)}/state")["values"] for each in (id or "", twin)]
        words, tone = ENDINGS.get(status, (f"is {status}", "doubt"))
        differing = differences(*[without_run_keys(each) for each in ends])
        yield {
            said: block(
                paragraph(
                    f"Branch {twin} {words}. Choose it under Run or thread to see its own steps.", tone
                ),
                "" if status == "busy" else compared(differing, id or "", twin),
            ),
            drawn: page,
            thread: gr.update(choices=listed),
        }

    def replayed(secret: str, id: str | None, at: str | None) -> Iterator[dict[Any, Any]]:
        yield from branch(secret, id, at, {})

    def forked(
        secret: str, id: str | None, at: str | None, written: str, step: str | None
    ) -> Iterator[dict[Any, Any]]:
        changes: dict[str, Any] = {"values": _parsed(written)}
        if not changes["values"] and not step:
            raise failure("choose a value to change first, or replay without a change")
        yield from branch(secret, id, at, changes | ({"as_node": step} if step else {}))

    shown = [drawn, past, checkpoint, state, acts, said]
    tab.select(list_threads, [key, thread], thread, **PRIVATE)  # what was chosen stays as it is
    refresh.click(list_threads, [key, thread], thread, **PRIVATE).success(
        show_thread, [key, thread], shown, **PRIVATE
    )
    thread.input(show_thread, [key, thread], shown, **PRIVATE)
    checkpoint.input(
        show_state, [key, thread, past, checkpoint], [state, acts, keys, as_node, values, said], **PRIVATE
    )
    keys.input(fill, [key, thread, checkpoint, keys, values], values, **PRIVATE)
    ended = [said, drawn, thread]
    replay.click(replayed, [key, thread, checkpoint], ended, **FOLLOWING)
    fork.click(forked, [key, thread, checkpoint, values, as_node], ended, **FOLLOWING)


ENDINGS: dict[str, tuple[str, Any]] = {
    "idle": ("has ended", "good"),
    "interrupted": ("waits for approval, or was stopped: see Learn runs", "doubt"),
    "error": ("failed: see its run", "bad"),
    "busy": ("still works: look again later", "doubt"),
}
"""What is said of a branch in this status."""


def _threads(client: Client) -> list[Json]:
    found: list[Json] = client.post("/threads/search", {"limit": THREADS, "select": ABOUT})
    return found


def _timeline(client: Client, id: str) -> tuple[str, list[Json]]:
    """The page of a thread's checkpoints, and these, oldest first."""
    path = f"/threads/{segment(id)}"
    found = client.get(path)
    states = in_order(client.post(f"{path}/history", {"limit": CHECKPOINTS, "select": FIELDS}))
    branches = [each for each in _threads(client) if (origin := origin_of(each)) and origin[0] == id]
    return timeline(states, branches, found), states


def _ended(client: Client, id: str) -> str:
    """The thread's status once nothing runs on it, or after a while."""
    until = time.monotonic() + WAIT_SECONDS
    while True:
        status = str(client.get(f"/threads/{segment(id)}")["status"])
        if status != "busy" or time.monotonic() > until:
            return status
        time.sleep(POLL_SECONDS)


def _thread_label(thread: Json) -> str:
    values = thread.get("values") or {}
    about = values.get("subject") or values.get("question") or "no question yet"
    graph = thread["metadata"].get("graph_id", "no graph")
    branch = ", a branch" if origin_of(thread) else ""
    return f"{graph}: {about} ({thread['thread_id']}{branch}, {moment(thread['updated_at'])})"


def _parsed(written: str) -> Json:
    """The object that the JSON says. Raises gr.Error."""
    try:
        values = json.loads(written or "{}")
    except ValueError as error:
        raise failure(f"the new values are no JSON: {error}") from error
    if not isinstance(values, dict):
        raise failure('write an object, such as {"refinements": 2}')
    return values
