"""The chat page: a streamed answer with its gate, its sources, feedback, and "teach me this"."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from api.cli.client import Refused
from api.console import turns
from api.console.document import cited, quoted
from api.console.heat import ALTERNATIVES, heat
from api.console.markup import block, dialogue, fields, paragraph
from api.console.service import FORBIDDEN, PRIVATE, Json, Service, failure
from api.console.words import answerer, citation_label, gate_figures, gate_words, stored_words, tone

STARS = ("1", "2", "3", "4", "5")


def build(service: Service, key: gr.State) -> None:
    """Adds the page as a tab."""
    with gr.Tab("Chat", id="chat"):
        messages, turn = gr.State([]), gr.State(None)
        conversation = gr.HTML(dialogue([]), elem_id="conversation")
        question = gr.Textbox(label="Question", value="", max_lines=6, elem_id="question")
        with gr.Row():
            ask = gr.Button("Ask", variant="primary")
            fresh = gr.Button("New conversation")
        model = gr.Textbox(
            label="Who answers",
            value="auto",
            max_lines=1,
            info="auto, a domain, the full name of an adapter, or the base model",
        )
        with gr.Column(visible=False) as about:
            gate = gr.HTML(elem_id="gate")
            unsure = gr.Button("Show how unsure it was of each token", size="sm")
            tokens = gr.HTML(elem_id="tokens")
            sources = gr.Radio(label="Sources: choose one to open its sentence", choices=[], visible=False)
            document = gr.HTML(elem_id="document")
            with gr.Row():
                up = gr.Button("Thumbs up", size="sm")
                down = gr.Button("Thumbs down", size="sm")
                teach = gr.Button("Teach me this", size="sm", visible=False)
            stars = gr.Radio(STARS, label="Stars", info="1 is worst, 5 is best")
            correction = gr.Textbox(
                label="The right answer",
                value="",
                max_lines=4,
                info="It opens a gap, and is not taught before a source says so.",
            )
            correct = gr.Button("Send the right answer", size="sm")
            said = gr.HTML(elem_id="said")
        service.require("learn", teach)
        turns.build(service, key)

        def answer(secret: str, asked: str, who: str, so_far: list[Json]) -> Iterator[dict[Any, Any]]:
            """Streams the answer into the conversation, and then shows what the gate saw."""
            asked = asked.strip()
            if not asked:
                raise failure("type a question first")
            sent = [*so_far, {"role": "user", "content": asked}]
            yield {conversation: dialogue(sent), question: "", about: gr.update(visible=False)}
            text, figures = "", None
            written: list[Json] = []
            request = {
                "model": who.strip() or "auto",
                "messages": sent,
                "logprobs": True,
                "top_logprobs": ALTERNATIVES,
            }
            with service.client(secret) as client:
                for chunk in client.chat(request):
                    for choice in chunk["choices"]:
                        text += choice["delta"].get("content") or ""
                        written += (choice["logprobs"] or {}).get("content", ())
                    figures = chunk.get("nightschool") or figures
                    yield {conversation: dialogue([*sent, {"role": "assistant", "content": text}])}
            if figures is None:
                raise failure("the answer broke off: ask again")
            shown = [*sent, {"role": "assistant", "content": text}]
            labels = [(citation_label(n, c), n - 1) for n, c in enumerate(figures["citations"], 1)]
            yield {
                conversation: dialogue(shown),
                messages: shown,
                turn: {**figures, "question": asked, "tokens": written},
                about: gr.update(visible=True),
                gate: _about(figures),
                tokens: "",
                sources: gr.update(choices=labels, value=None, visible=bool(labels)),
                document: "",
                stars: None,
                correction: "",
                said: "",
            }

        def forget() -> dict[Any, Any]:
            return {conversation: dialogue([]), messages: [], turn: None, about: gr.update(visible=False)}

        def open_source(secret: str, last: Json, index: int | None) -> str:
            """The chosen citation's sentence in its document."""
            if index is None:
                return ""
            citation = last["citations"][index]
            with service.client(secret) as client:
                try:
                    query = {"source": citation["source"], "domain": citation["domain"]}
                    found = client.get("/v1/documents/contents", **query)
                except Refused as error:
                    if error.status != FORBIDDEN:
                        raise
                    return block(quoted(citation), paragraph(f"The whole document: {error}.", "quiet"))
            return cited(citation, found)

        def rate(secret: str, last: Json, **kinds: Any) -> str:
            with service.client(secret) as client:
                reply = client.post("/v1/feedback", {"interaction_id": last["run_id"], **kinds})
            return block(paragraph(stored_words(reply), "good"))

        def learn(secret: str, last: Json) -> str:
            """Starts a learn run on the turn's gap, or on its question."""
            gap = last["gap_id"]
            with service.client(secret) as client:
                started = client.post("/v1/learn", {"gap_id": gap} if gap else {"question": last["question"]})
            words = f"Run {started['run_id']} was started: follow it under Learn runs."
            return block(paragraph(words, "good"))

        heard = [
            conversation,
            question,
            messages,
            turn,
            about,
            gate,
            tokens,
            sources,
            document,
            stars,
            correction,
            said,
        ]
        gr.on(
            [ask.click, question.submit],
            answer,
            [key, question, model, messages],
            heard,
            **PRIVATE,
        )
        unsure.click(lambda last: heat(last["tokens"]), [turn], tokens, **PRIVATE)
        fresh.click(forget, [], heard, **PRIVATE)
        sources.input(open_source, [key, turn, sources], document, **PRIVATE)
        up.click(lambda k, t: rate(k, t, vote="up"), [key, turn], said, **PRIVATE)
        down.click(lambda k, t: rate(k, t, vote="down"), [key, turn], said, **PRIVATE)
        stars.input(lambda k, t, n: rate(k, t, rating=int(n)), [key, turn, stars], said, **PRIVATE)
        gr.on(
            [correct.click, correction.submit],
            lambda k, t, words: rate(k, t, correction=words),
            [key, turn, correction],
            said,
            **PRIVATE,
        )
        teach.click(learn, [key, turn], said, **PRIVATE)


def _about(figures: Json) -> str:
    reworded = figures["reworded"]
    return block(
        paragraph(gate_words(figures), tone(figures)),
        fields(
            {
                "answered by": answerer(figures),
                "answered as": reworded,
                "its own answer": figures["draft"] if figures["outcome"] != "answered_unsure" else None,
                "figures": gate_figures(figures),
            }
        ),
    )
