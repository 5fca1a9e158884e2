"""Schedules on the page of nights: start a domain's nights every day; change, pause and end a schedule."""

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from api.console.markup import block, heading, moment, status, table
from api.console.service import PRIVATE, Json, Service, failure, segment

PATH = "/v1/nights/schedule"


def build(service: Service, key: gr.State, tab: gr.Tab) -> None:
    """Adds the part to the page, which lists the schedules when its tab is opened."""
    gr.HTML(block(heading("Schedules")))
    listed = gr.HTML(elem_id="schedules")
    chosen = gr.Dropdown(
        label="Schedule", choices=[], value=None, info="choose one to change, pause or end it"
    )
    with gr.Row():
        pause = gr.Button("Pause it")
        resume = gr.Button("Resume it")
        end = gr.Button("End it")
    with gr.Row():
        domain = gr.Textbox(label="Nights of the domain", value="general", max_lines=1)
        at = gr.Textbox(label="Time of day", value="02:00", max_lines=1, info="such as 02:00 or 23:30")
        timezone = gr.Textbox(label="Time zone", value="UTC", max_lines=1, info="such as Europe/Berlin")
    train = gr.Checkbox(label="These nights train and deploy", value=True)
    save = gr.Button("Save the schedule")
    said = gr.HTML(elem_id="schedule-said")

    def show(secret: str, current: str | None) -> tuple[Any, str]:
        with service.client(secret) as client:
            found = client.get(PATH)
        names = [each["domain"] for each in found]
        return gr.update(choices=names, value=current if current in names else None), schedules(found)

    def fill(secret: str, which: str | None) -> list[Any]:
        """Puts the chosen schedule into the fields."""
        with service.client(secret) as client:
            found = next((each for each in client.get(PATH) if each["domain"] == which), None)
        if found is None:
            return [gr.update()] * 4
        return [found["domain"], found["at"], found["timezone"], found["options"]["train"]]

    def store(secret: str, where: str, time: str, zone: str, trains: bool) -> tuple[Any, ...]:
        where = (where or "").strip()
        if not where:
            raise failure("name a domain first")
        with service.client(secret) as client:
            before = next((each["options"] for each in client.get(PATH) if each["domain"] == where), None)
            body = {
                "domain": where,
                "at": (time or "").strip(),
                "timezone": (zone or "").strip(),
                "options": options(before, trains=trains),
            }
            stored = client.put(PATH, body)
        words = (
            f"Nights of {where} start at {stored['at']} {stored['timezone']}, next on"
            f" {moment(stored['next_start'])}."
        )
        return block(status(words)), *show(secret, where)

    def switch(secret: str, which: str | None, *, enabled: bool) -> tuple[Any, ...]:
        with service.client(secret) as client:
            found = next((each for each in client.get(PATH) if each["domain"] == which), None)
            if found is None:
                raise failure("choose a schedule first")
            client.patch(f"/runs/crons/{segment(found['cron_id'])}", {"enabled": enabled})
        words = f"Nights of {which} {'start again as scheduled' if enabled else 'are paused'}."
        return block(status(words)), *show(secret, which)

    def take_away(secret: str, which: str | None) -> tuple[Any, ...]:
        if which is None:
            raise failure("choose a schedule first")
        with service.client(secret) as client:
            client.delete(PATH, domain=which)
        words = f"Nights of {which} are no longer scheduled; one that runs goes on."
        return block(status(words)), *show(secret, None)

    outputs = [said, chosen, listed]
    tab.select(show, [key, chosen], [chosen, listed], **PRIVATE)
    chosen.input(fill, [key, chosen], [domain, at, timezone, train], **PRIVATE)
    save.click(store, [key, domain, at, timezone, train], outputs, **PRIVATE)
    pause.click(lambda secret, which: switch(secret, which, enabled=False), [key, chosen], outputs, **PRIVATE)
    resume.click(lambda secret, which: switch(secret, which, enabled=True), [key, chosen], outputs, **PRIVATE)
    end.click(take_away, [key, chosen], outputs, **PRIVATE)


def options(before: Json | None, *, trains: bool) -> Mapping[str, Any]:
    """The options of a schedule that is saved: those it had, which may have been set elsewhere."""
    return {**(before or {}), "train": trains}


def schedules(found: Sequence[Json]) -> str:
    """All schedules with their next start, or why there is none."""
    rows = [
        (
            each["domain"],
            f"{each['at']} {each['timezone']}",
            moment(each["next_start"]) or ": ".join(filter(None, ("paused", each["disabled_reason"]))),
            "trains" if each["options"]["train"] else "does not train",
        )
        for each in found
    ]
    return block(table("Scheduled nights", ("domain", "every day at", "next start", ""), rows))
