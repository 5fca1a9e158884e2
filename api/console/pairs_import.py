"""Import of judged pairs on the page of preferences, from a file as this page or another tool saves it."""

import json
from collections.abc import Sequence

import gradio as gr

from api.console.markup import block, heading, status
from api.console.service import PRIVATE, failure
from api.console.transfer import file_form
from memory.language.counting import counted

FORM = "pairs-file"
SEND = f"""async (batch, format, domain, gold) => {{
    const query = {{batch: batch.trim(), format, domain: domain.trim(), gold: gold ? "true" : ""}};
    return [batch, format, domain, gold, await nightschool.send("{FORM}", "/v1/annotation/import", query)];
}}"""


def build(formats: Sequence[str]) -> None:
    """Adds the part to the page."""
    gr.HTML(block(heading("Import judged pairs")))
    gr.HTML(file_form(FORM, {"File of pairs": ""}))
    with gr.Row():
        format = gr.Radio(formats, value=formats[0], label="Its format")
        batch = gr.Textbox(label="Into the batch", value="", max_lines=1, info="such as: bought")
        domain = gr.Textbox(
            label="Domain of pairs that name none", value="", max_lines=1, info="empty: general"
        )
    gold = gr.Checkbox(label="As gold items, which show who annotates carelessly", value=False)
    send = gr.Button("Import the file")
    sent, said = gr.Textbox(visible="hidden", label="What was imported"), gr.HTML(elem_id="imported")

    def report(into: str, kind: str, where: str, as_gold: bool, results: str) -> str:
        return imported(results)

    send.click(report, [batch, format, domain, gold, sent], said, js=SEND, **PRIVATE)


def imported(sent: str) -> str:
    """What was imported. Raises gr.Error for a file that was not: none of it is, if a line is wrong."""
    results = json.loads(sent).get("results")
    if not results:
        raise failure("choose a file first, or wait until it is imported")
    [result] = results
    if "problem" in result:
        raise failure(result["problem"])
    found = result["report"]
    return block(
        status(
            f"{counted(found['records'], 'record')} read into {found['batch']}:"
            f" {counted(found['items'], 'new item')}, {counted(found['judgements'], 'judgement')}."
        )
    )
