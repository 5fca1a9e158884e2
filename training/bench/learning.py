"""Owns the benchmark of learning: `python -m training.bench.learning`.

Lessons are learned in `sequence` and `prose`, rivals are in `methods`, planted falsehoods in `corruption`;
what is told of them is in `learning_page`.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agent.settings import SHIPPED_MODEL, read_settings
from memory.errors import IngestError
from memory.records import Curriculum
from memory.results import FOLDER, write
from training.bench import corruption
from training.bench.learning_page import plot, told
from training.bench.methods import OURS, RIVALS, Method, side_by_side
from training.bench.prose import learn_prose, read_prose
from training.bench.sequence import Learned, curriculum, forget, learn
from training.bench.topics import DEVELOPMENT, DOMAIN, Topic, topics
from training.jobs import Workshop
from training.questions import Sizes
from training.recipes import Recipe, standard
from training.worker import Reporter, open_workshop

UNLEARNING = "unlearning"
"""A domain of its own: two lessons, of which the second is forgotten again."""


@dataclass(frozen=True)
class Plan:
    """How much one run of the benchmark does; its topics follow one another behind those of development."""

    lessons: int
    facts: int
    """Of each lesson."""
    seeds: int
    """Runs of each method, each on a topic of its own."""
    short: int
    """Facts of the topics that methods are compared on, and of those of unlearning."""
    methods: Sequence[Method]
    sizes: Sizes

    def lots(self) -> tuple[tuple[Topic, ...], tuple[Topic, ...], tuple[Topic, ...]]:
        """Topics of the lessons, of the methods and of unlearning."""
        behind = DEVELOPMENT + self.lessons
        return (
            topics(self.lessons, self.facts, after=DEVELOPMENT),
            topics(self.seeds, self.short, after=behind),
            topics(2, self.short, after=behind + self.seeds),
        )


FULL = Plan(
    lessons=10,
    facts=20,
    seeds=3,
    short=8,
    methods=(OURS, *RIVALS),
    sizes=Sizes(wordings=5, near=6, most=1200, known=520, unknown=300),
)
QUICK = Plan(
    lessons=2,
    facts=4,
    seeds=1,
    short=4,
    methods=(OURS, RIVALS[1]),
    sizes=Sizes(wordings=2, near=3, most=40, known=50, unknown=40),
)


def main() -> int:
    """Measures and writes the results; 2 for a command line that makes no sense."""
    parser = argparse.ArgumentParser(
        prog="python -m training.bench.learning",
        description="Measures what is learned and lost over ten lessons, beside other ways of learning.",
    )
    parser.add_argument("--quick", action="store_true", help="two small lessons and one seed, in 5 minutes")
    parser.add_argument("--data", type=Path, help="folder of rust-book/ and squad/, to learn real prose too")
    parser.add_argument("--out", type=Path, default=FOLDER, help=f"folder of the results (default: {FOLDER})")
    options = parser.parse_args()
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        return measure(QUICK if options.quick else FULL, options.data, options.out)
    except IngestError as error:
        print(f"bench-learning: {error}", file=sys.stderr)
        return 2


def measure(plan: Plan, data: Path | None, out: Path) -> int:
    """Runs the plan and writes its JSON, page and plot to folder `out`. Raises IngestError."""
    started = time.monotonic()
    texts = read_prose(data) if data else ()
    in_turn, compared, forgotten = ([(t, lesson_of(t)) for t in lot] for lot in plan.lots())
    with tempfile.TemporaryDirectory(prefix="nightschool-bench-") as home:
        shop = workshop(Path(home), plan.sizes, standard())
        # What may be refused comes first, before hours are spent on the rest.
        prose = [learn_prose(shop, text) for text in texts]
        unlearned = unlearn(shop, [lesson for _, lesson in forgotten])
        lessons = learn(shop, [lesson for _, lesson in in_turn])
    say("side by side")
    runs = side_by_side(shop.base, compared, plan.methods, shop.recipe, plan.sizes, say)
    false = corruption.measure(topics(corruption.TOPICS))
    quick = plan is QUICK
    name = "learning-quick" if quick else "learning"
    command = "make bench-learning" + (" QUICK=1" if quick else "") + (" DATA=..." if data else "")
    write(told(name, command, time.monotonic() - started, lessons, unlearned, runs, false, prose), out)
    plot(lessons, out / f"{name}.svg")
    print((out / f"{name}.md").read_text(encoding="utf-8"))
    return 0


def unlearn(shop: Workshop, lessons: Sequence[Curriculum]) -> Learned | None:
    """Learns them in a domain of their own and forgets the last: the adapter without it.

    None where one of them did not pass its gates, so that there is nothing to forget or to keep.
    """
    own = [lesson.model_copy(update={"domain": UNLEARNING}) for lesson in lessons]
    if not all(learned.adapter.verdict.passed for learned in learn(shop, own)):
        return None
    return forget(shop, own[-1])


def workshop(home: Path, sizes: Sizes, recipe: Recipe) -> Workshop:
    """The worker's own on the shipped base model, with a home and questions of its own."""
    shop = open_workshop(read_settings(home=home, model=str(SHIPPED_MODEL)))
    return replace(shop, recipe=recipe, sizes=sizes, report=Reporter(home / "outbox", say))


def lesson_of(topic: Topic) -> Curriculum:
    """What the product makes of the topic's document."""
    return curriculum(topic.name, DOMAIN, topic.facts, topic.passages)


def say(line: str) -> None:
    """Progress goes to standard error: what is written to standard output is the page."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
