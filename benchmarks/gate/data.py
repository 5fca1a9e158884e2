"""What `make bench-gate` asks, and the model's graded answers."""

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

NQ, BANK, INVENTED = 1000, 1200, 320


@dataclass(frozen=True)
class Asked:
    """A question of one of the sets; without answers nothing that is said is right."""

    id: str
    part: str
    text: str
    answers: tuple[str, ...]


def material(data: Path, seed: int = 0) -> list[Asked]:
    """All questions. Raises FileNotFoundError where `data` lacks a set."""
    nq = [json.loads(line) for line in (data / "nq-open/questions.jsonl").read_text("utf-8").splitlines()]
    random.Random(seed).shuffle(nq)
    nq = [q for q in nq if any(normalise(answer) for answer in q["answer"])]
    manuals = [
        json.loads(line) for line in (data / "manuals/questions.jsonl").read_text("utf-8").splitlines()
    ]
    return [
        *(Asked(f"nq-{i}", "nq", q["question"], tuple(q["answer"])) for i, q in enumerate(nq[:NQ])),
        *(
            Asked(q.id, q.domain, q.wordings[0], q.answers)
            for q in evenly_by_domain(load_questions(), BANK, seed)
        ),
        *(
            Asked(q.id, "invented", q.wordings[0], ())
            for q in evenly_by_domain(load_invented(), INVENTED, seed)
        ),
        *(Asked(q["id"], "manuals", q["question"], ()) for q in manuals if not q["answerable"]),
    ]


def labels_of(
    asked: Sequence[Asked], answers: Sequence[LoggedAnswer], declines: Sequence[str]
) -> list[Label | None]:
    """Graded answers; None for those that decline or say nothing, which no gate lets through."""
    labels: list[Label | None] = []
    for item, answer in zip(asked, answers, strict=True):
        if admits_ignorance(answer.text, declines) or not answer.text.strip():
            labels.append(None)
            continue
        seen = answer_signals(answer.tokens)
        right = bool(item.answers) and is_correct(answer.text, item.answers)
        labels.append(Label(group=item.id, form=answer_form(seen), seen=seen, right=right))
    return labels


async def collect(folder: Path, asked: Sequence[Asked], work: Path) -> list[LoggedAnswer]:
    """Answers of the model in `folder`, from the log or from a server."""
    log = AnswerLog(work / "answers.jsonl")
    prompts = [question_prompt(item.text, QUESTION_TOKENS) for item in asked]
    missing = [prompt for prompt in prompts if log.get(prompt) is None]
    if missing:
        inspected = inspect_model(folder)
        async with start_server(folder, inspected, log=work / "engine.log") as served:
            for start in range(0, len(missing), 128):
                await ask_all(served.engine, missing[start : start + 128], log)
                print(f"asked {start + 128} of {len(missing)}", flush=True)
    found = [log.get(prompt) for prompt in prompts]
    return [answer for answer in found if answer is not None]


def library(data: Path) -> list[str]:
    """The passages of SQuAD and the manuals. Raises OSError where `data` lacks one, and IngestError."""
    return [
        passage.text
        for corpus in ("squad", "manuals")
        for document in documents(data, corpus)
        for passage in read(document, "bench")[0]
    ]
