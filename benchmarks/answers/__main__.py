"""Answers from sources, measured: `python -m benchmarks.answers --data ../shared/data`.

One question about each of SQuAD's 300 passages, over all of them, and the manuals' 50 questions over the
manuals. Unanswerable are 100 of the SQuAD questions without their passage, and ten of the manuals' questions.
Half of SQuAD's articles fitted the weights in `agent.chat.sentence_candidates`; the other half is reported
separately.
"""

import argparse
import asyncio
import json
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.messages import BaseMessage, HumanMessage

from agent.chat.answer_from_sources import SourcedAnswer, answer_from_sources
from agent.chat.model_calls import with_length_limit
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
from memory.records.base import Record
from memory.records.knowledge import Evidence
from memory.results import FOLDER, Goal, Result, Table, rows, write
from memory.retrieval.hybrid import retrieve
from memory.semantic.base import SemanticMemory
from memory.semantic.volatile import VolatileSemanticMemory

UNANSWERABLE = 100
TIMED = 40
AT_ONCE = 32
"""Questions answered together, where nothing is timed."""
SPAN_WORDS = 25
"""Most words of an answer that counts as a span, about what the naive baseline's 32 tokens hold."""
BASELINE = 100
"""Questions for the naive baseline."""
BASELINE_TOKENS = 32
GRADED = Path(__file__).parents[1] / "graded" / "answers_support.jsonl"
SAMPLE = 60
GOALS = {
    "squad: gold passage in the first five": Goal(at=">=", bound=0.99),
    "manuals: gold passage in the first five": Goal(at=">=", bound=0.93),
    "squad: answer or quote holds the gold answer": Goal(at=">=", bound=0.75),
    "squad: own words hold the gold answer": Goal(at=">=", bound=0.50),
    "unanswerable declined": Goal(at=">=", bound=0.80),
    "supported, by hand": Goal(at=">=", bound=0.98),
    "added ms, p50": Goal(at="<=", bound=60),
}


class Answered(Record):
    """What came of one question."""

    question: Question
    rank: int | None
    """Place of the first gold passage among those found, from 1."""
    answer: SourcedAnswer | None

    @property
    def right(self) -> bool:
        """Whether the answer, or a sentence cited for it, holds the gold answer."""
        return self.answer is not None and any(map(self.question.holds, self._texts(self.answer)))

    @property
    def own_words(self) -> bool:
        """Whether the model's own words, and few of them, hold it."""
        return (
            self.answer is not None
            and not self.answer.quoted
            and len(self.answer.text.split()) <= SPAN_WORDS
            and self.question.holds(self.answer.text)
        )

    @staticmethod
    def _texts(answer: SourcedAnswer) -> list[str]:
        return [answer.text, " ".join(c.quote for c in answer.citations)]


class Verdict(Record):
    """Somebody's judgement of one answer: does what is cited say all that it says?"""

    question: str
    answer: str
    quotes: tuple[str, ...]
    supported: bool
    note: str = ""


class Bench:
    """A model, its card, and a corpus in memory."""

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
        self.asking = 0.0
        """Seconds of the last model call."""

    async def answer(self, question: Question) -> Answered:
        """The product's answer. A question that is to be unanswerable is asked without its passage."""
        left_out = question.without
        found = await retrieve(
            question.text,
            episodic=self._episodic,
            semantic=self._semantic,
            limit=FIRST_PASSAGES + (left_out is not None),
        )
        kept = [hit for hit in found.evidence if hit.passage.source != left_out][:FIRST_PASSAGES]
        found = found.model_copy(update={"evidence": tuple(kept)})
        answer = await answer_from_sources(
            question.text,
            [HumanMessage(question.text)],
            found,
            ask=self.ask,
            embedder=self._embedder,
            card=self._card,
        )
        return Answered(question=question, rank=_rank(question, kept), answer=answer)

    async def ask(self, messages: Sequence[BaseMessage], sampling: Sampling = GREEDY) -> Reply:
        """As the chat graph asks."""
        start = time.perf_counter()
        try:
            return await self._engine.chat(messages, sampling=with_length_limit(sampling, self._card))
        finally:
            self.asking = time.perf_counter() - start

    async def baseline(self, question: Question, passage: str) -> str:
        """The model alone with the gold passage and a naive prompt."""
        prompt = f"{passage}\n\n{question.text}"
        return (await self.ask([HumanMessage(prompt)], Sampling(max_tokens=BASELINE_TOKENS))).text

    async def added_ms(self, questions: Sequence[Question]) -> list[float]:
        """Milliseconds that each answer takes beyond its one model call, asked one by one."""
        times = []
        for question in questions:
            self.asking = 0.0
            start = time.perf_counter()
            await self.answer(question)
            times.append(1000 * (time.perf_counter() - start - self.asking))
        return times


async def open_bench(
    data: Path, corpus: str, engine: Engine, card: ModelCard, embedder: Embedder, home: Path
) -> Bench:
    """Takes the corpus in as the service does; what `home` holds already is not read again."""
    episodic = await LanceEpisodicMemory.open(home / corpus, embedder)
    semantic = VolatileSemanticMemory()
    texts = documents(data, corpus)
    for document in texts:  # ingest leaves out what is stored already, and facts are not
        await semantic.add(read(document, corpus)[1])
    await ingest(texts, domain=corpus, episodic=episodic, semantic=semantic)
    return Bench(engine, card, embedder, episodic, semantic)


async def all_answers(bench: Bench, questions: Sequence[Question]) -> list[Answered]:
    """Answers in the order of the questions."""
    found: list[Answered] = []
    for first in range(0, len(questions), AT_ONCE):
        found += await asyncio.gather(*map(bench.answer, questions[first : first + AT_ONCE]))
        print(f"{len(found)} of {len(questions)} questions", flush=True)
    return found


async def measure(data: Path, model: AddedModel, home: Path, count: int) -> Result:
    """The whole benchmark; `count` questions about SQuAD."""
    start = time.perf_counter()
    card, embedder = model.card, SentenceEmbedder()
    engine = await asyncio.to_thread(LocalEngine.open, model.folder, card.template)
    on_squad = await open_bench(data, "squad", engine, card, embedder, home)
    asked = squad(data)[:count]
    answered = await all_answers(on_squad, asked)
    gone = [q.without_passage() for q in random.Random(5).sample(asked, min(UNANSWERABLE, count))]
    declined = await all_answers(on_squad, gone)
    read = asked[:: max(1, count // BASELINE)]
    alone = await asyncio.gather(*(on_squad.baseline(q, q.passage) for q in read))
    times = await on_squad.added_ms(random.Random(6).sample(asked, min(TIMED, count)))
    on_manuals = await open_bench(data, "manuals", engine, card, embedder, home)
    by_hand = await all_answers(on_manuals, manuals(data))
    (home / "answers.jsonl").write_text(
        "".join(a.model_dump_json() + "\n" for a in [*answered, *declined, *by_hand]), encoding="utf-8"
    )
    figures = _figures(answered, declined, by_hand)
    figures["baseline: model alone with the gold passage"] = float(
        np.mean([q.holds(text) for q, text in zip(read, alone, strict=True)])
    )
    figures["added ms, p50"], figures["added ms, p95"] = map(float, np.percentile(times, [50, 95]))
    sample = _sample([*answered, *by_hand])
    _offer(sample, home / "to_grade.jsonl")
    return _result(time.perf_counter() - start, figures | _graded(sample), answered, declined, by_hand)


def graded(told: dict[str, Any], home: Path) -> Result:
    """The run that `told` is the JSON of, with the judgements made since."""
    lines = (home / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    found = [Answered.model_validate_json(line) for line in lines]
    on_squad = [a for a in found if a.question.kind == "squad"]
    answered = [a for a in on_squad if a.question.without is None]
    declined = [a for a in on_squad if a.question.without is not None]
    by_hand = [a for a in found if a.question.kind != "squad"]
    figures = told["figures"] | _graded(_sample([*answered, *by_hand]))
    return _result(told["seconds"], figures, answered, declined, by_hand)


def _result(
    seconds: float,
    figures: dict[str, float],
    answered: Sequence[Answered],
    declined: Sequence[Answered],
    by_hand: Sequence[Answered],
) -> Result:
    return Result(
        name="answers",
        title="Answers from sources",
        command="make bench-answers DATA=../shared/data",
        seconds=seconds,
        figures=figures,
        goals=GOALS,
        tables=(_halves(answered, declined), _kinds(by_hand)),
    )


def _figures(
    answered: Sequence[Answered], declined: Sequence[Answered], by_hand: Sequence[Answered]
) -> dict[str, float]:
    told = [a for a in by_hand if a.question.answerable]
    silent = [*declined, *(a for a in by_hand if not a.question.answerable)]
    figures = {"unanswerable declined": _share(a.answer is None for a in silent)}
    for name, group in (("squad", answered), ("manuals", told)):
        figures |= {
            f"{name}: gold passage in the first five": _share(
                a.rank is not None and a.rank <= 5 for a in group
            ),
            f"{name}: answer or quote holds the gold answer": _share(a.right for a in group),
            f"{name}: own words hold the gold answer": _share(a.own_words for a in group),
            f"{name}: declined": _share(a.answer is None for a in group),
            f"{name}: quoted": _share(a.answer is not None and a.answer.quoted for a in group),
        }
    return figures


def _halves(answered: Sequence[Answered], declined: Sequence[Answered]) -> Table:
    lines = []
    for name, fitted in (("fitted on", True), ("held back", False)):
        group = [a for a in answered if a.question.fitted == fitted]
        silent = [a for a in declined if a.question.fitted == fitted]
        lines.append(
            (
                name,
                len(group),
                _share(a.right for a in group),
                _share(a.own_words for a in group),
                len(silent),
                _share(a.answer is None for a in silent),
            )
        )
    return Table(
        title="SQuAD, by half",
        text="The signals' weights were fitted on one half of the articles; nothing was fitted on the other.",
        head=("half", "questions", "right", "own words", "without passage", "declined"),
        rows=rows(lines),
    )


def _kinds(by_hand: Sequence[Answered]) -> Table:
    kinds: dict[str, list[Answered]] = defaultdict(list)
    for answer in by_hand:
        kinds[answer.question.kind].append(answer)
    return Table(
        title="The manuals, by kind of question",
        text="For unanswerable questions, right means declined.",
        head=("kind", "questions", "gold passage in five", "right"),
        rows=rows(
            [
                (
                    kind,
                    len(group),
                    _share(a.rank is not None and a.rank <= 5 for a in group),
                    _share(a.right if a.question.answerable else a.answer is None for a in group),
                )
                for kind, group in sorted(kinds.items())
            ]
        ),
    )


def _sample(answered: Sequence[Answered]) -> list[Verdict]:
    """Answers in the model's own words, drawn by seed, not judged yet: quotations need no judge."""
    said = [(a.question.text, a.answer) for a in answered if a.answer is not None and not a.answer.quoted]
    drawn = random.Random(7).sample(said, min(SAMPLE, len(said)))
    return [
        Verdict(question=q, answer=a.text, quotes=tuple(c.quote for c in a.citations), supported=False)
        for q, a in drawn
    ]


def _offer(sample: Sequence[Verdict], path: Path) -> None:
    path.write_text("".join(v.model_dump_json() + "\n" for v in sample), encoding="utf-8")


def _graded(sample: Sequence[Verdict]) -> dict[str, float]:
    """The share of supported ones, once somebody judged the whole sample; nothing before."""
    if not GRADED.is_file():
        return {}
    lines = GRADED.read_text(encoding="utf-8").splitlines()
    known = {(v.question, v.answer, v.quotes): v for v in map(Verdict.model_validate_json, lines)}
    judged = [known[key] for v in sample if (key := (v.question, v.answer, v.quotes)) in known]
    if len(judged) < len(sample):
        return {}
    return {"supported, by hand": _share(v.supported for v in judged), "judged by hand": len(judged)}


def _rank(question: Question, hits: Sequence[Evidence]) -> int | None:
    places = (place for place, hit in enumerate(hits, 1) if question.stands_in(hit.passage))
    return next(places, None)


def _share(values: Iterable[bool]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else 0.0


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with squad/ and manuals/")
    parser.add_argument("--model", help="a model's name or folder; default: the one in use")
    parser.add_argument("--home", type=Path, default=Path(".nightschool/bench-answers"))
    parser.add_argument("--count", type=int, default=300, help="questions about SQuAD")
    parser.add_argument(
        "--graded", action="store_true", help=f"ask nothing: add what {GRADED.name} says of the last run"
    )
    options = parser.parse_args()
    if options.graded:
        if not ((FOLDER / "answers.json").is_file() and (options.home / "answers.jsonl").is_file()):
            parser.error(f"no run is kept in {options.home}: run `make bench-answers DATA=folder` first")
        told = json.loads((FOLDER / "answers.json").read_text(encoding="utf-8"))
        write(graded(told, options.home), at=told["commit"], on=told["machine"])
        return
    if options.data is None:
        parser.error("--data is needed: the folder with squad/ and manuals/")
    model = resolve_model(read_settings(**({"model": options.model} if options.model else {})))
    options.home.mkdir(parents=True, exist_ok=True)
    result = asyncio.run(measure(options.data, model, options.home, options.count))
    write(result)


if __name__ == "__main__":
    main()
