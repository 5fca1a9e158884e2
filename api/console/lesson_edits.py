"""The form that drops or edits questions of a curriculum before it is approved: it is then verified again."""

from typing import Any

import gradio as gr

from api.console.drawing import shortened
from api.console.lessons import Lesson, edited
from api.console.markup import block, paragraph, table
from api.console.service import PRIVATE, Service, failure, segment

WHO = "Whoever changes a curriculum cannot approve it: another key's owner decides, where keys are required."


class LessonEdits:
    """The form, and what it does."""

    def __init__(self, service: Service) -> None:
        """Adds the form to the page that is being built."""
        self._service = service
        self.lesson, self.edits = gr.State(None), gr.State({})
        with gr.Accordion("Drop or edit questions", open=False, visible=False) as self.form:
            gr.HTML(block(paragraph(f"The changed curriculum is verified again. {WHO}", "quiet")))
            self.dropped = gr.Dropdown(label="Facts to drop", choices=[], value=[], multiselect=True)
            self.chosen = gr.Dropdown(label="Question to edit", choices=[], value=None)
            self.question = gr.Textbox(
                label="New question", value="", max_lines=3, info="empty: this question is left out"
            )
            self.answer = gr.Textbox(
                label="New answer", value="", max_lines=3, info="its sentence must say it, or it is dropped"
            )
            note = gr.Button("Note this edit")
            self.noted = gr.HTML(elem_id="noted")
            self.button = gr.Button("Verify again with these changes", variant="primary")
        self.inputs = [self.lesson, self.dropped, self.edits]
        self.outputs = [
            self.lesson, self.edits, self.form, self.dropped,
            self.chosen, self.question, self.answer, self.noted,
        ]  # fmt: skip
        self.chosen.input(self._fill, [self.lesson, self.chosen], [self.question, self.answer], **PRIVATE)
        note.click(
            self._note,
            [self.lesson, self.edits, self.chosen, self.question, self.answer],
            [self.edits, self.noted],
            **PRIVATE,
        )

    def shown(self, lesson: Lesson | None) -> dict[Any, Any]:
        """Updates of the form for a lesson; without one it is hidden."""
        facts = lesson.facts if lesson is not None else {}
        candidates = lesson.draft["candidates"] if lesson is not None else []
        drops = [
            (f"{n + 1}. {shortened(answer, 40)} ({count} questions): {shortened(quote, 70)}", n)
            for n, ((answer, quote), count) in enumerate(facts.items())
        ]
        questions = [
            (f"{n + 1}. {shortened(each['question'], 90)} -> {shortened(each['answer'], 40)}", n)
            for n, each in enumerate(candidates)
        ]
        return {
            self.lesson: lesson,
            self.edits: {},
            self.form: gr.update(visible=lesson is not None),
            self.dropped: gr.update(choices=drops, value=[]),
            self.chosen: gr.update(choices=questions, value=None),
            self.question: "",
            self.answer: "",
            self.noted: "",
        }

    def apply(
        self, secret: str, run: str | None, lesson: Lesson | None, dropped: list[int], edits: dict[int, Any]
    ) -> str:
        """Has the run verify the changed draft, and ask again."""
        if lesson is None or not (dropped or edits):
            raise failure("choose a fact to drop, or note an edit first")
        draft = edited(lesson.draft, dropped, {int(number): (q, a) for number, (q, a) in edits.items()})
        if not draft["candidates"]:
            raise failure("nothing would be left to teach: reject the curriculum instead")
        change = {"checkpoint_id": lesson.checkpoint_id, "values": {"draft": draft}, "as_node": "curriculum"}
        with self._service.client(secret) as client:
            client.post(f"/threads/{segment(run or '')}/state", change)
            client.post(f"/v1/learn/{segment(run or '')}/resume")
        return block(paragraph("The changed curriculum is being verified.", "good"))

    @staticmethod
    def _fill(lesson: Lesson, number: int | None) -> tuple[str, str]:
        if number is None:
            return "", ""
        each = lesson.draft["candidates"][number]
        return each["question"], each["answer"]

    @staticmethod
    def _note(
        lesson: Lesson, edits: dict[int, Any], number: int | None, question: str, answer: str
    ) -> tuple[dict[int, Any], str]:
        if number is None:
            raise failure("choose a question to edit first")
        if question.strip() and not answer.strip():
            raise failure("write the answer, or leave the question empty to leave it out")
        noted = {**edits, number: (question.strip(), answer.strip())}
        rows = []
        for n, (new_question, new_answer) in noted.items():
            old = lesson.draft["candidates"][n]
            now = f"{new_question} -> {new_answer}" if new_question else "left out"
            rows.append((n + 1, f"{old['question']} -> {old['answer']}", now))
        return noted, block(table("Edits", ("number", "was", "will be"), rows))
