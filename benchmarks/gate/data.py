"""Questions of the gate benchmark, and the model's graded answers."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.chat.calibration import Label
from agent.chat.gate import answer_form, answer_signals
from agent.grading import admits_ignorance, is_correct, normalise
from agent.models.bank.records import load_invented, load_questions
from agent.models.study.answer_log import AnswerLog, LoggedAnswer, ask_all, question_prompt
from agent.models.study.model_files import inspect_model
from agent.models.study.run import QUESTION_TOKENS
from agent.models.study.study_questions import evenly_by_domain
from agent.models.study.study_server import start_server
from benchmarks.answers.data import documents
from memory.ingest.pipeline import read

NQ_QUESTIONS, BANK_QUESTIONS, INVENTED_QUESTIONS = 1000, 1200, 320
BATCH_SIZE = 128
"""Questions per progress message."""


@dataclass(frozen=True)
class Question:
    """A question; without reference answers, any answer is wrong."""

    id: str
    part: str
    """The set it belongs to: `nq`, `manuals`, `invented` or a domain of the bank."""
    text: str
    answers: tuple[str, ...]


def load_all_questions(data: Path, seed: int = 0) -> list[Question]:
    """The questions of all sets. Raises FileNotFoundError if one is missing from `data`."""
    nq = [json.loads(line) for line in (data / "nq-open/questions.jsonl").read_text("utf-8").splitlines()]
    random.Random(seed).shuffle(nq)
    nq = [q for q in nq if any(normalise(answer) for answer in q["answer"])]
    manuals = [
        json.loads(line) for line in (data / "manuals/questions.jsonl").read_text("utf-8").splitlines()
    ]
    return [
        *(
            Question(f"nq-{i}", "nq", q["question"], tuple(q["answer"]))
            for i, q in enumerate(nq[:NQ_QUESTIONS])
        ),
        *(
            Question(q.id, q.domain, q.wordings[0], q.answers)
            for q in evenly_by_domain(load_questions(), BANK_QUESTIONS, seed)
        ),
        *(
            Question(q.id, "invented", q.wordings[0], ())
            for q in evenly_by_domain(load_invented(), INVENTED_QUESTIONS, seed)
        ),
        *(Question(q["id"], "manuals", q["question"], ()) for q in manuals if not q["answerable"]),
    ]


def labels_of(
    questions: Sequence[Question], answers: Sequence[LoggedAnswer], declines: Sequence[str]
) -> list[Label | None]:
    """The graded answers; None for empty ones and those that decline, which never pass the gate."""
    labels: list[Label | None] = []
    for question, answer in zip(questions, answers, strict=True):
        if admits_ignorance(answer.text, declines) or not answer.text.strip():
            labels.append(None)
            continue
        seen = answer_signals(answer.tokens)
        right = bool(question.answers) and is_correct(answer.text, question.answers)
        labels.append(Label(group=question.id, form=answer_form(seen), seen=seen, right=right))
    return labels


async def collect_answers(folder: Path, questions: Sequence[Question], work: Path) -> list[LoggedAnswer]:
    """The answers of the model in `folder`; starts a server for those that are not in the log yet."""
    log = AnswerLog(work / "answers.jsonl")
    prompts = [question_prompt(question.text, QUESTION_TOKENS) for question in questions]
    missing = [prompt for prompt in prompts if log.get(prompt) is None]
    if missing:
        async with start_server(folder, inspect_model(folder), log=work / "engine.log") as served:
            for start in range(0, len(missing), BATCH_SIZE):
                await ask_all(served.engine, missing[start : start + BATCH_SIZE], log)
                print(f"asked {min(start + BATCH_SIZE, len(missing))} of {len(missing)}", flush=True)
    answers = [log.get(prompt) for prompt in prompts]
    return [answer for answer in answers if answer is not None]


def library_passages(data: Path) -> list[str]:
    """The passages of SQuAD and the manuals. Raises OSError if one is missing from `data`, and
    IngestError."""
    return [
        passage.text
        for corpus in ("squad", "manuals")
        for document in documents(data, corpus)
        for passage in read(document, "bench")[0]
    ]
