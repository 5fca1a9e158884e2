"""The console's one page: the key at the top, and a tab for each part of the product."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from api.cli.client import Refused, Unreachable
from api.console import (
    access,
    adapters,
    annotation,
    chat,
    experiments,
    gaps,
    health,
    memory,
    models,
    nights,
    preferences,
    runs,
    time_travel,
)
from api.console.key_store import DROP_REFUSED, FORGET, KEEP, RESTORE
from api.console.markup import Tone, block, paragraph
from api.console.service import PRIVATE, UNAUTHORIZED, Service


def page(api_url: Callable[[], str]) -> gr.Blocks:
    """The page, for the api at the URL that `api_url` gives."""
    service = Service(api_url)
    blocks: gr.Blocks = gr.Blocks(title="Nightschool", analytics_enabled=False)
    with blocks:
        gr.Markdown("# Nightschool")
        key = gr.State("")
        with gr.Group(visible=False) as asks_for_key:
            entered = gr.Textbox(label="API key", value="", type="password", max_lines=1, autofocus=False)
            use = gr.Button("Use this key", variant="primary")
        forget = gr.Button("Forget this key", size="sm", visible=False)
        refused = gr.Checkbox(label="The key was refused", value=False, visible="hidden")
        caller = gr.HTML()
        with gr.Tabs(visible=False, overflow_behavior="wrap") as tabs:
            chat.build(service, key)
            runs.build(service, key)
            time_travel.build(service, key)
            memory.build(service, key)
            gaps.build(service, key)
            adapters.build(service, key)
            annotation.build(service, key)
            preferences.build(service, key)
            experiments.build(service, key)
            models.build(service, key)
            nights.build(service, key)
            access.build(service, key)
            health.build(service, key)

        def sign_in(secret: str) -> list[Any]:
            """Finds out who the key belongs to, and shows what it may see."""
            secret = (secret or "").strip()
            try:
                with service.connected(secret) as client:
                    found = client.get("/v1/caller")
            except (Refused, Unreachable) as error:
                needs_key = isinstance(error, Refused) and error.status == UNAUTHORIZED
                said = str(error) if secret or not needs_key else "This service asks for an API key."
                tone: Tone = "bad" if secret or not needs_key else "quiet"
                return [
                    "",
                    block(paragraph(said, tone)),
                    gr.update(visible=needs_key),
                    gr.update(visible=False),
                    gr.update(visible=False),
                    gr.update(),
                    needs_key,
                    *service.visibility(()),
                ]
            words = f"You are {found['owner']}. You may: {', '.join(found['scopes'])}."
            return [
                secret,
                block(paragraph(words, "quiet")),
                gr.update(visible=bool(secret)),
                gr.update(visible=bool(secret)),
                gr.update(visible=True),
                "",
                False,
                *service.visibility(found["scopes"]),
            ]

        shown = [key, caller, asks_for_key, forget, tabs, entered, refused]
        shown += [component for component, _ in service.needs]
        blocks.load(sign_in, [entered], shown, js=RESTORE, **PRIVATE).then(
            None, [refused], None, js=DROP_REFUSED, **PRIVATE
        )
        gr.on([use.click, entered.submit], sign_in, [entered], shown, js=KEEP, **PRIVATE).then(
            None, [refused], None, js=DROP_REFUSED, **PRIVATE
        )
        forget.click(None, None, None, js=FORGET, **PRIVATE)
    return blocks
