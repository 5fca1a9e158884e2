"""Benchmark of answers from sources: `python -m benchmarks.answers --data ../shared/data`.

Asks one question about each of 300 SQuAD passages, with all of them as the library, and 50 questions about
two manuals, with these as the library. Unanswerable questions are 100 of SQuAD's, asked without their
passage, and ten of the manuals'. The weights in `agent.chat.sentence_candidates` were fitted on half of
SQuAD's articles; the two halves are reported separately.
"""

import argparse
import asyncio
import json
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.messages import BaseMessage, HumanMessage

from agent.chat.answer_from_sources import SourcedAnswer, answer_from_sources
from agent.chat.model_calls import with_length_limit
from agent.concurrency import gather_limited
from agent.engines.base import GREEDY, Engine, Reply, Sampling
from agent.engines.local import LocalEngine
from agent.learning.exploration import FIRST_PASSAGES
from agent.models.card import ModelCard
from agent.models.store import AddedModel, resolve_model
from agent.settings import read_settings
from benchmarks.answers.data import Question, documents, manuals, squad
from memory.embedding.embedder import Embedder, SentenceEmbedder
from memory.episodic.base import EpisodicMemory
from memory.episodic.lance import LanceEpisodicMemory
from memory.ingest.pipeline import ingest, read
from memory.records.access import EVERYTHING
from memory.records.base import Record
from memory.records.knowledge import Evidence
from memory.results import FOLDER, Goal, Result, Table, rows, write
from memory.retrieval.hybrid import retrieve
from memory.semantic.base import SemanticMemory
from memory.semantic.volatile import VolatileSemanticMemory

UNANSWERABLE_QUESTIONS = 100
TIMED_QUESTIONS = 40
CONCURRENCY = 32
"""Concurrent questions, except for those that are timed."""
MAX_SPAN_WORDS = 25
"""Maximum length of a span answer, about as much as the baseline's 32 tokens."""
BASELINE_QUESTIONS = 100
BASELINE_TOKENS = 32
GRADES = Path(__file__).parents[1] / "graded" / "answers_support.jsonl"
GRADING_SAMPLE = 60
GOALS = {
    "squad: gold passage in the first five": Goal(at=">=", bound=0.99),
    "manuals: gold passage in the first five": Goal(at=">=", bound=0.93),
    "squad: answer or quote holds the gold answer": Goal(at=">=", bound=0.75),
    "squad: own words hold the gold answer": Goal(at=">=", bound=0.50),
    "unanswerable declined": Goal(at=">=", bound=0.80),
    "supported, by hand": Goal(at=">=", bound=0.98),
    "added ms, p50": Goal(at="<=", bound=60),
}


class QuestionResult(Record):
    """The retrieval rank and the answer for one question."""

    question: Question
    rank: int | None
    """Rank of the first passage with the gold answer, from 1; None if it was not retrieved."""
    answer: SourcedAnswer | None
    """None if it was declined."""

    @property
    def correct(self) -> bool:
        """Whether the answer or its citations contain the gold answer."""
        if self.answer is None:
            return False
        quotes = " ".join(citation.quote for citation in self.answer.citations)
        return self.question.is_answered_by(self.answer.text) or self.question.is_answered_by(quotes)

    @property
    def correct_span(self) -> bool:
        """Whether the model's own words are short and contain the gold answer."""
        return (
            self.answer is not None
            and not self.answer.quoted
            and len(self.answer.text.split()) <= MAX_SPAN_WORDS
            and self.question.is_answered_by(self.answer.text)
        )


class SupportGrade(Record):
    """A human grade: whether the citations support everything that the answer says."""

    question: str
    answer: str
    quotes: tuple[str, ...]
    supported: bool
    note: str = ""


class Bench:
    """A model with its card, and a library to answer from."""

    def __init__(
        self,
        engine: Engine,
        card: ModelCard,
        embedder: Embedder,
        episodic: EpisodicMemory,
        semantic: SemanticMemory,
    ) -> None:
        self._engine, self._card, self._embedder = engine, card, embedder
        self._episodic, self._semantic = episodic, semantic
        self._call_seconds = 0.0
        """Duration of the last model call."""

    async def answer(self, question: Question) -> QuestionResult:
        """Answers like the product, without the passage that the question excludes."""
        excluded = question.without
        retrieved = await retrieve(
            question.text,
            episodic=self._episodic,
            semantic=self._semantic,
            limit=FIRST_PASSAGES + (excluded is not None),
            access=EVERYTHING,
        )
        hits = [hit for hit in retrieved.evidence if hit.passage.source != excluded][:FIRST_PASSAGES]
        answer = await answer_from_sources(
            question.text,
            [HumanMessage(question.text)],
            retrieved.model_copy(update={"evidence": tuple(hits)}),
            ask=self.ask,
            embedder=self._embedder,
            card=self._card,
        )
        return QuestionResult(question=question, rank=_rank(question, hits), answer=answer)

    async def ask(self, messages: Sequence[BaseMessage], sampling: Sampling = GREEDY) -> Reply:
        """Calls the model like the chat graph, and records how long it took."""
        start = time.perf_counter()
        try:
            return await self._engine.chat(messages, sampling=with_length_limit(sampling, self._card))
        finally:
            self._call_seconds = time.perf_counter() - start

    async def baseline(self, question: Question, passage: str) -> str:
        """The model's answer with the gold passage in a simple prompt."""
        prompt = f"{passage}\n\n{question.text}"
        return (await self.ask([HumanMessage(prompt)], Sampling(max_tokens=BASELINE_TOKENS))).text

    async def added_ms(self, questions: Sequence[Question]) -> list[float]:
        """Milliseconds per answer in addition to its model call, measured sequentially."""
        times = []
        for question in questions:
            self._call_seconds = 0.0
            start = time.perf_counter()
            await self.answer(question)
            times.append(1000 * (time.perf_counter() - start - self._call_seconds))
        return times


async def open_bench(
    data: Path, corpus: str, engine: Engine, card: ModelCard, embedder: Embedder, home: Path
) -> Bench:
    """Ingests the corpus like the service; passages that are in `home` already are reused."""
    episodic = await LanceEpisodicMemory.open(home / corpus, embedder)
    semantic = VolatileSemanticMemory()
    texts = documents(data, corpus)
    for document in texts:  # ingest skips stored passages, but the facts are in memory only
        await semantic.add(read(document, corpus)[1])
    await ingest(texts, domain=corpus, episodic=episodic, semantic=semantic)
    return Bench(engine, card, embedder, episodic, semantic)


async def answer_all(bench: Bench, questions: Sequence[Question]) -> list[QuestionResult]:
    """The results in the order of the questions."""
    results: list[QuestionResult] = []
    for first in range(0, len(questions), CONCURRENCY):
        results += await asyncio.gather(*map(bench.answer, questions[first : first + CONCURRENCY]))
        print(f"{len(results)} of {len(questions)} questions", flush=True)
    return results


async def measure(data: Path, model: AddedModel, home: Path, count: int) -> Result:
    """Runs the benchmark with `count` questions about SQuAD."""
    start = time.perf_counter()
    card, embedder = model.card, SentenceEmbedder()
    engine = await asyncio.to_thread(LocalEngine.open, model.folder, card.template)
    squad_bench = await open_bench(data, "squad", engine, card, embedder, home)
    questions = squad(data)[:count]
    on_squad = await answer_all(squad_bench, questions)
    sample = random.Random(5).sample(questions, min(UNANSWERABLE_QUESTIONS, count))
    without_passage = await answer_all(squad_bench, [q.without_passage() for q in sample])
    baseline_questions = questions[:: max(1, count // BASELINE_QUESTIONS)]
    baseline = await gather_limited(
        (partial(squad_bench.baseline, q, q.passage) for q in baseline_questions), CONCURRENCY
    )
    times = await squad_bench.added_ms(random.Random(6).sample(questions, min(TIMED_QUESTIONS, count)))
    manuals_bench = await open_bench(data, "manuals", engine, card, embedder, home)
    on_manuals = await answer_all(manuals_bench, manuals(data))
    _write_lines(home / "answers.jsonl", [*on_squad, *without_passage, *on_manuals])
    figures = _figures(on_squad, without_passage, on_manuals)
    figures["baseline: model alone with the gold passage"] = float(
        np.mean([q.is_answered_by(text) for q, text in zip(baseline_questions, baseline, strict=True)])
    )
    figures["added ms, p50"], figures["added ms, p95"] = map(float, np.percentile(times, [50, 95]))
    to_grade = _grading_sample([*on_squad, *on_manuals])
    _write_lines(home / "to_grade.jsonl", to_grade)
    figures |= _support_figures(to_grade)
    return _result(time.perf_counter() - start, figures, on_squad, without_passage, on_manuals)


def with_grades(last_run: dict[str, Any], home: Path) -> Result:
    """The result of the last run, whose JSON is given, with the grades that were added since."""
    lines = (home / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    results = [QuestionResult.model_validate_json(line) for line in lines]
    all_squad = [result for result in results if result.question.kind == "squad"]
    on_squad = [result for result in all_squad if result.question.without is None]
    without_passage = [result for result in all_squad if result.question.without is not None]
    on_manuals = [result for result in results if result.question.kind != "squad"]
    figures = last_run["figures"] | _support_figures(_grading_sample([*on_squad, *on_manuals]))
    return _result(last_run["seconds"], figures, on_squad, without_passage, on_manuals)


def _result(
    seconds: float,
    figures: dict[str, float],
    on_squad: Sequence[QuestionResult],
    without_passage: Sequence[QuestionResult],
    on_manuals: Sequence[QuestionResult],
) -> Result:
    return Result(
        name="answers",
        title="Answers from sources",
        command="make bench-answers DATA=../shared/data",
        seconds=seconds,
        figures=figures,
        goals=GOALS,
        tables=(_squad_table(on_squad, without_passage), _manuals_table(on_manuals)),
    )


def _figures(
    on_squad: Sequence[QuestionResult],
    without_passage: Sequence[QuestionResult],
    on_manuals: Sequence[QuestionResult],
) -> dict[str, float]:
    answerable = [result for result in on_manuals if result.question.answerable]
    unanswerable = [*without_passage, *(r for r in on_manuals if not r.question.answerable)]
    figures = {"unanswerable declined": _share(result.answer is None for result in unanswerable)}
    for name, results in (("squad", on_squad), ("manuals", answerable)):
        figures |= {
            f"{name}: gold passage in the first five": _share(map(_in_first_five, results)),
            f"{name}: answer or quote holds the gold answer": _share(r.correct for r in results),
            f"{name}: own words hold the gold answer": _share(r.correct_span for r in results),
            f"{name}: declined": _share(r.answer is None for r in results),
            f"{name}: quoted": _share(r.answer is not None and r.answer.quoted for r in results),
        }
    return figures


def _squad_table(on_squad: Sequence[QuestionResult], without_passage: Sequence[QuestionResult]) -> Table:
    lines = []
    for name, fitted in (("fitted on", True), ("held out", False)):
        results = [result for result in on_squad if result.question.fitted == fitted]
        unanswerable = [result for result in without_passage if result.question.fitted == fitted]
        lines.append(
            (
                name,
                len(results),
                _share(result.correct for result in results),
                _share(result.correct_span for result in results),
                len(unanswerable),
                _share(result.answer is None for result in unanswerable),
            )
        )
    return Table(
        title="SQuAD, by half",
        text="The weights of the signals were fitted on one half of the articles only.",
        head=("half", "questions", "correct", "own words", "without passage", "declined"),
        rows=rows(lines),
    )


def _manuals_table(on_manuals: Sequence[QuestionResult]) -> Table:
    kinds: dict[str, list[QuestionResult]] = defaultdict(list)
    for result in on_manuals:
        kinds[result.question.kind].append(result)
    return Table(
        title="Manuals, by kind of question",
        text="Unanswerable questions count as correct if they are declined.",
        head=("kind", "questions", "gold passage in five", "correct"),
        rows=rows(
            [
                (
                    kind,
                    len(results),
                    _share(map(_in_first_five, results)),
                    _share(r.correct if r.question.answerable else r.answer is None for r in results),
                )
                for kind, results in sorted(kinds.items())
            ]
        ),
    )


def _grading_sample(results: Sequence[QuestionResult]) -> list[SupportGrade]:
    """A random sample of the answers in the model's own words, still ungraded; quotations need no grade."""
    answers = [(r.question.text, r.answer) for r in results if r.answer is not None and not r.answer.quoted]
    sample = random.Random(7).sample(answers, min(GRADING_SAMPLE, len(answers)))
    return [
        SupportGrade(
            question=question,
            answer=answer.text,
            quotes=tuple(citation.quote for citation in answer.citations),
            supported=False,
        )
        for question, answer in sample
    ]


def _support_figures(sample: Sequence[SupportGrade]) -> dict[str, float]:
    """The share of supported answers, if there are any and the whole sample has been graded."""
    if not sample or not GRADES.is_file():
        return {}
    lines = GRADES.read_text(encoding="utf-8").splitlines()
    grades = {(g.question, g.answer, g.quotes): g for g in map(SupportGrade.model_validate_json, lines)}
    graded = [grades[key] for g in sample if (key := (g.question, g.answer, g.quotes)) in grades]
    if len(graded) < len(sample):
        return {}
    return {"supported, by hand": _share(g.supported for g in graded), "judged by hand": len(graded)}


def _rank(question: Question, hits: Sequence[Evidence]) -> int | None:
    ranks = (rank for rank, hit in enumerate(hits, 1) if question.is_in(hit.passage))
    return next(ranks, None)


def _in_first_five(result: QuestionResult) -> bool:
    return result.rank is not None and result.rank <= 5


def _share(values: Iterable[bool]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else 0.0


def _write_lines(path: Path, records: Sequence[Record]) -> None:
    lines = (record.model_dump_json() + "\n" for record in records)
    path.write_text("".join(lines), encoding="utf-8")


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with squad/ and manuals/")
    parser.add_argument("--model", help="a model's name or folder; default: the one in use")
    parser.add_argument("--home", type=Path, default=Path(".nightschool/bench-answers"))
    parser.add_argument("--count", type=int, default=300, help="questions about SQuAD")
    parser.add_argument(
        "--graded", action="store_true", help=f"only add the grades in {GRADES.name} to the last result"
    )
    options = parser.parse_args()
    if options.graded:
        if not ((FOLDER / "answers.json").is_file() and (options.home / "answers.jsonl").is_file()):
            parser.error(f"{options.home} has no answers: run `make bench-answers DATA=folder` first")
        last_run = json.loads((FOLDER / "answers.json").read_text(encoding="utf-8"))
        write(with_grades(last_run, options.home), at=last_run["commit"], on=last_run["machine"])
        return
    if options.data is None:
        parser.error("--data is needed: the folder with squad/ and manuals/")
    model = resolve_model(read_settings(**({"model": options.model} if options.model else {})))
    options.home.mkdir(parents=True, exist_ok=True)
    result = asyncio.run(measure(options.data, model, options.home, options.count))
    write(result)


if __name__ == "__main__":
    main()
