"""Learning from real prose, measured: `python -m benchmarks.learning --data ../shared/data`.

Each text goes through the product's own reading, teacher, verification, trainer, gates and registry, one
attempt each; then people's own questions about it are asked: of the base model, of the adapter, both without
sources, and of the base model that reads the text. An answer is right if it holds the reference.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from langchain_core.messages import HumanMessage
from scipy.stats import binomtest  # type: ignore[import-untyped]  # ships no types

from agent.concurrency import together
from agent.engine import Sampling
from agent.grading import correct, declined
from agent.learning.curriculum import compose, grouped, spread
from agent.learning.overlap import Corpus
from agent.learning.teachers.rules import RulesTeacher
from agent.learning.verification import verify
from agent.local import LocalEngine
from agent.models.store import AdoptedModel, resolve
from agent.settings import read_settings
from benchmarks.learning_data import Asked, Text, manual, squad
from benchmarks.learning_variants import VARIANTS, Variant
from memory.outbox import Progress, publish
from memory.procedural import Registry
from memory.records import Adapter, Curriculum, Passage, Record
from memory.results import Goal, Result, Table, rows, write
from memory.runs import Job
from training import jobs
from training.base import Base, open_base
from training.evaluate import ANSWER_TOKENS, Answering, style_of
from training.gates import Limits
from training.questions import Sizes
from training.recipes import standard
from training.remembering import RememberingEngine

READING = (
    "{passage}\n\n{question}",
    "Read the text and answer the question in a few words.\n\nText: {passage}\n\nQuestion: {question}",
)
"""Naive prompts for the base model that reads; the better one counts."""
AT_ONCE = 64
MOST_FACTS = 1500
"""Facts of one lesson; what a text states beyond that is thinned out evenly."""
LEVEL = 0.95
ALONE = 20
"""Passages that are taught alone, as in SEAL's protocol (arXiv 2506.10943)."""
GRADED = Path(__file__).parent / "graded"
"""200 facts and 200 questions of texts that the rules were not written on, judged by readers who did not know
the rules: by place in the source, without its text."""
GOALS = {
    "facts true, of 200 graded": Goal(at=">=", bound=0.90),
    "questions good, of 200 graded": Goal(at=">=", bound=0.85),
    "squad, one passage a lesson: closed-book": Goal(at=">=", bound=0.47),
    "squad, 10 passages: closed-book": Goal(at=">=", bound=0.45),
    "squad, 50 passages: closed-book": Goal(at=">=", bound=0.40),
    "manual-httpx: closed-book": Goal(at=">=", bound=0.30),
    "manual-pihole: closed-book": Goal(at=">=", bound=0.30),
    "held-out wordings": Goal(at=">=", bound=0.95),
    "general known lost, points": Goal(at="<=", bound=1.0),
    "own answers lost": Goal(at="<=", bound=0.01),
    "seconds per passage": Goal(at="<=", bound=40),
}


class Answered(Record):
    """One question as it was answered before and after, without sources, and while reading the source."""

    asked: Asked
    before: str
    after: str
    reading: tuple[str, ...]

    def right(self, text: str) -> bool:
        """Whether a text answers it; an unanswerable question is answered by declining."""
        return correct(text, self.asked.answers) if self.asked.answers else declined(text)


class Lesson(Record):
    """One text, taught and asked about."""

    part: str
    name: str
    variant: str
    passages: int
    facts: int
    dropped: dict[str, int]
    seconds: float
    """From the passages to the trained adapter; measuring is not among them."""
    adapter: Adapter
    answered: tuple[Answered, ...]


class Bench:
    """A base model, and a home in which its adapters are made."""

    def __init__(self, model: AdoptedModel, home: Path, sizes: Sizes) -> None:
        self.base: Base = open_base(model.folder)
        self.home = home
        self._style = style_of(self.base.card)
        self._answers = home / "jobs" / "answers-of-the-benchmark.jsonl"
        self._context = jobs.JobContext(
            home=home,
            base=self.base,
            recipe=standard(self.base.card),
            sizes=sizes,
            limits=Limits(),
            registry=Registry(home),
            train=VARIANTS["product"],
            open_engine=self.engine,
            clock=lambda: datetime.now(UTC),
            report=_show(),
        )

    def engine(self) -> LocalEngine:
        """The base model, without an adapter yet."""
        return LocalEngine.open(self.base.folder, self.base.card.template)

    def teach(self, part: str, text: Text, variant: Variant = "product") -> Lesson:
        """Teaches a text and asks its questions. Raises ValueError where the text states nothing."""
        start = time.monotonic()
        domain = f"{text.name}-{variant}"[:40].strip("-")  # of its own: no lesson rehearses another
        curriculum, dropped = asyncio.run(curriculum_of(text, domain))
        seconds = time.monotonic() - start
        job = Job(digest=publish(self.home / "outbox", curriculum), domain=domain, run_id=text.name)
        context = replace(self._context, train=VARIANTS[variant])
        claimed = jobs.claim(context, job)
        jobs.measure_base(context, job, claimed)
        summary = jobs.train(context, job, claimed)
        jobs.measure_adapter(context, job, claimed)
        judged = jobs.judge(context, job, claimed, summary)
        adapter = context.registry.get(judged.adapter)
        return Lesson(
            part=part,
            name=text.name,
            variant=variant,
            passages=len(text.passages),
            facts=len(curriculum.facts),
            dropped=dropped,
            seconds=seconds + summary.seconds,
            adapter=adapter,
            answered=asyncio.run(self.ask(text.questions, adapter)),
        )

    async def ask(self, questions: Sequence[Asked], adapter: Adapter) -> tuple[Answered, ...]:
        """All questions, before and after the lesson, and with the text that answers them."""
        engine = self.engine()
        await engine.load(adapter.name, Path(adapter.path))
        remembering = RememberingEngine(engine, self._answers)
        before = await self._replies(remembering, [q.text for q in questions], None)
        after = await self._replies(remembering, [q.text for q in questions], adapter.name)
        reading = [
            await self._replies(
                remembering, [p.format(passage=q.passage, question=q.text) for q in questions], None
            )
            for p in READING
        ]
        return tuple(
            Answered(asked=q, before=b, after=a, reading=r)
            for q, b, a, r in zip(questions, before, after, zip(*reading, strict=True), strict=True)
        )

    async def _replies(self, engine: Answering, texts: Sequence[str], adapter: str | None) -> list[str]:
        sampling = Sampling(max_tokens=ANSWER_TOKENS)

        async def one(text: str) -> str:
            return (await engine.chat([HumanMessage(text)], adapter=adapter, sampling=sampling)).text

        return list(await together((partial(one, text) for text in texts), AT_ONCE))


async def curriculum_of(text: Text, domain: str) -> tuple[Curriculum, dict[str, int]]:
    """What the product would teach of a text, and why the rest was dropped."""
    written = await RulesTeacher().write(text.passages)
    passages: dict[str, Passage] = {passage.id: passage for passage in text.passages}
    corpus = Corpus(text.passages)
    chosen = spread(grouped(written.candidates), MOST_FACTS)
    verified = await verify([c for group in chosen for c in group], passages, corpus=corpus)
    curriculum = compose(text.name, domain, verified.kept, passages, teacher="rules")
    if curriculum is None:
        raise ValueError(f"{text.name} states nothing that can be taught: {verified.dropped}")
    return curriculum, verified.dropped


def joined(name: str, texts: Sequence[Text]) -> Text:
    """Several texts as one lesson."""
    return Text(
        name=name,
        passages=tuple(p for text in texts for p in text.passages),
        questions=tuple(q for text in texts for q in text.questions),
    )


def parts(data: Path, names: Sequence[str]) -> list[tuple[str, Text, Variant]]:
    """The lessons of the parts that were asked for, the quickest first."""
    found: list[tuple[str, Text, Variant]] = []
    for name in names:
        kind, _, rest = name.partition(":")
        variant: Variant = rest or "product"  # type: ignore[assignment]  # checked by the command line
        if kind == "squad-1":
            found += [("squad, one passage a lesson", text, variant) for text in squad(data, ALONE)]
        elif kind.startswith("squad-"):
            count = int(kind.removeprefix("squad-"))
            found.append((f"squad, {count} passages", joined(kind, squad(data, count, seed=count)), variant))
        else:
            found.append((kind, manual(data, kind.removeprefix("manual-")), variant))
    return found


def figures_of(lessons: Sequence[Lesson]) -> dict[str, float]:
    """Every figure of the page."""
    figures = {
        "facts true, of 200 graded": _graded("facts"),
        "questions good, of 200 graded": _graded("questions"),
    }
    for part in dict.fromkeys((lesson.part, lesson.variant) for lesson in lessons):
        mine = [lesson for lesson in lessons if (lesson.part, lesson.variant) == part]
        name = part[0] if part[1] == "product" else f"{part[0]} ({part[1]})"
        answered = [a for lesson in mine for a in lesson.answered if a.asked.answers]
        figures[f"{name}: base closed-book"] = _share([a.right(a.before) for a in answered])
        figures[f"{name}: closed-book"] = _share([a.right(a.after) for a in answered])
        read = [_share([a.right(a.reading[i]) for a in answered]) for i in range(len(READING))]
        figures[f"{name}: base reading the passage"] = max(read)
    mine = [lesson for lesson in lessons if lesson.variant == "product"]
    if mine:
        count = sum(lesson.adapter.after.in_distribution.count for lesson in mine)
        figures["held-out wordings"] = (
            sum(
                lesson.adapter.after.in_distribution.accuracy * lesson.adapter.after.in_distribution.count
                for lesson in mine
            )
            / count
        )
        figures["general known lost, points"] = 100 * max(
            lesson.adapter.before.out_of_distribution.accuracy
            - lesson.adapter.after.out_of_distribution.accuracy
            for lesson in mine
        )
        figures["own answers lost"] = max(
            lesson.adapter.after.drift.lost for lesson in mine if lesson.adapter.after.drift
        )
        figures["seconds per passage"] = sum(lesson.seconds for lesson in mine) / sum(
            lesson.passages for lesson in mine
        )
    return figures


def page(lessons: Sequence[Lesson], seconds: float, command: str) -> Result:
    """The result of all lessons that were taught."""

    def row(lesson: Lesson) -> tuple[object, ...]:
        answered = [a for a in lesson.answered if a.asked.answers]
        right = sum(a.right(a.after) for a in answered)
        low, high = _interval(right, len(answered))
        after, before = lesson.adapter.after, lesson.adapter.before
        return (
            lesson.name,
            lesson.variant,
            lesson.passages,
            lesson.facts,
            len(answered),
            f"{_share([a.right(a.before) for a in answered]):.2f}",
            f"{max(_share([a.right(a.reading[i]) for a in answered]) for i in range(len(READING))):.2f}",
            f"{right / max(1, len(answered)):.2f} ({low:.2f} to {high:.2f})",
            f"{after.in_distribution.accuracy:.2f}",
            f"{before.out_of_distribution.accuracy:.3f} -> {after.out_of_distribution.accuracy:.3f}",
            f"{lesson.seconds / lesson.passages:.0f}",
            "passed" if lesson.adapter.verdict.passed else "; ".join(lesson.adapter.verdict.reasons),
        )

    dropped = sum((Counter(lesson.dropped) for lesson in lessons), Counter[str]())
    return Result(
        name="learning",
        title="Learning from real prose",
        command=command,
        seconds=seconds,
        figures=figures_of(lessons),
        goals=GOALS,
        tables=(
            Table(
                title="Lessons",
                text="Questions by people, answered without sources; in brackets the 95% interval (Wilson).",
                head=("text", "variant", "passages", "facts", "questions", "base", "base reading", "after",
                      "held-out wordings", "general", "s per passage", "gates"),
                rows=rows([row(lesson) for lesson in lessons]),
            ),
            Table(
                title="What verification dropped",
                text="Candidates of all lessons, by reason.",
                head=("reason", "candidates"),
                rows=rows([(reason, count) for reason, count in dropped.most_common()]),
            ),
        ),
    )  # fmt: skip


def _graded(name: str) -> float:
    lines = (GRADED / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return _share([bool(json.loads(line)["good"]) for line in lines])


def _interval(right: int, count: int) -> tuple[float, float]:
    found = binomtest(right, max(1, count)).proportion_ci(confidence_level=LEVEL, method="wilson")
    return float(found.low), float(found.high)


def _share(values: Sequence[bool]) -> float:
    return sum(values) / len(values) if values else 0.0


def _show() -> Callable[..., None]:
    last: list[str] = [""]

    def show(digest: str, progress: Progress) -> None:
        line = f"{digest[:8]}: {progress.phase}"
        if line != last[0] or (progress.total and progress.done % 50 == 0):
            print(f"{line} {progress.done}/{progress.total} {progress.message}", flush=True)
            last[0] = line

    return show


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with squad/ and manuals/")
    parser.add_argument("--model", help="a model's name or folder; default: the one in use")
    parser.add_argument("--home", type=Path, default=Path(".nightschool/bench-learning"))
    parser.add_argument(
        "--parts",
        default="squad-10,squad-1",
        help="comma-separated: squad-N, manual-httpx, manual-pihole; `:VARIANT` trains it another way"
        f" ({', '.join(VARIANTS)})",
    )
    options = parser.parse_args(arguments)
    names = [name for name in options.parts.split(",") if name]
    wrong = [n.partition(":")[2] for n in names if n.partition(":")[2] not in {"", *VARIANTS}]
    if wrong:
        parser.error(f"no variant {wrong[0]!r}: name one of {', '.join(VARIANTS)}")
    try:
        lessons_to_teach = parts(options.data, names)
    except (OSError, ValueError) as error:
        parser.error(f"{error}; --data is the folder with squad/ and manuals/")
    model = resolve(read_settings(**({"model": options.model} if options.model else {})))
    options.home.mkdir(parents=True, exist_ok=True)
    kept = options.home / "lessons.jsonl"
    done = (
        [Lesson.model_validate_json(line) for line in kept.read_text(encoding="utf-8").splitlines()]
        if kept.exists()
        else []
    )
    start = time.monotonic()
    for number, (part, text, variant) in enumerate(lessons_to_teach, 1):
        if any((d.part, d.name, d.variant) == (part, text.name, variant) for d in done):
            continue
        print(
            f"{number} of {len(lessons_to_teach)}: {text.name} ({variant}), {len(text.passages)} passages",
            flush=True,
        )
        small = part == "squad, one passage a lesson"
        sizes = Sizes(most=60, general=100, unknown=30, own=20) if small else Sizes(general=300)
        lesson = Bench(model, options.home, sizes).teach(part, text, variant)
        done.append(lesson)
        with kept.open("a", encoding="utf-8") as file:
            file.write(lesson.model_dump_json() + "\n")
        answered = [a for a in lesson.answered if a.asked.answers]
        print(
            f"closed-book {_share([a.right(a.after) for a in answered]):.3f} of {len(answered)}", flush=True
        )
    command = f"make bench-learning DATA={options.data}"
    write(page(done, time.monotonic() - start, command))


if __name__ == "__main__":
    main()
