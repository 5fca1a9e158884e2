"""`python -m benchmarks.grow --data FOLDER`: teaches one base a few SQuAD passages, and grows onto another.

What was measured or trained is not measured or trained again: a run that was killed goes on.
"""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

from agent.errors import AgentError
from agent.growth.closed_book import Question
from agent.models.store import AddedModel, ModelStore
from agent.settings import SHARED, Settings, read_settings
from api.supervisor.growth import growing_of
from benchmarks.grow.measure import measured
from benchmarks.learning.data import Text, merge_texts, squad
from benchmarks.learning.measure import Bench, domain_of
from benchmarks.learning.parts import Trial, find_part
from memory.adapters.mlflow import MlflowAdapterRegistry
from memory.errors import StorageError
from memory.outbox.dbos import DbosOutbox
from memory.records.adapters import Adapter
from memory.records.runs import Growth
from memory.results import FOLDER, Result, write

HOME = Path(".nightschool/bench-grow")
SOURCE, TARGET = "smollm2-135m", "gemma-3-270m"
PASSAGES = 5
"""Of SQuAD, with all their questions: an hour or so on two cores for both models."""


class Lines:
    """Says on stderr what has ended."""

    def say(self, line: str) -> None:
        """Prints it."""
        print(line, file=sys.stderr, flush=True)

    def progress(self, what: str, done: int, total: int) -> None:
        """Nothing: a benchmark's log needs no bar."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Teaches, grows, measures, and writes docs/results/grow.md and .json."""
    options = _parser().parse_args(arguments)
    settings = read_settings()
    try:
        store = ModelStore(settings.models)
        source, target = (
            AddedModel(name=name, folder=store.path(name), card=store.card(name))
            for name in (options.source, options.target)
        )
        text = merge_texts(f"squad-{PASSAGES}", squad(options.data, PASSAGES))
        home = HOME / f"{source.name}-to-{target.name}"
        taught = settings.model_copy(update={"home": home})
        result = asyncio.run(_run(taught, (source, target), text, _command(options)))
    except (AgentError, StorageError, OSError, ValueError) as error:
        print(f"benchmarks.grow: {error}", file=sys.stderr)
        return 2
    write(result)
    print((FOLDER / f"{result.name}.md").read_text(encoding="utf-8"))
    return 0


async def _run(settings: Settings, models: tuple[AddedModel, AddedModel], text: Text, command: str) -> Result:
    home, (source, target) = settings.home.resolve(), models
    (home / SHARED).mkdir(parents=True, exist_ok=True)
    trial = Trial(part=find_part(f"squad-{PASSAGES}"), variant="product", seed=0)
    domain = domain_of(trial, text)
    registry = MlflowAdapterRegistry(home, base=source.card.digest)
    if registry.live(domain) is None:
        learned = await asyncio.to_thread(Bench(source, home).measure, trial, text)
        if registry.live(domain) is None:
            reason = learned.failed or learned.note
            raise ValueError(f"{source.name} did not learn the passages, so nothing can move: {reason}")
    growth = Growth(source=source.card.digest, onto=target.card.digest)
    questions = [Question(text=each.text, references=each.answers) for each in text.questions if each.answers]
    with closing(DbosOutbox(home / "outbox", settings.training_url, growth=growth)) as outbox:
        growing = growing_of(settings, models, "curriculum", home / "growth", outbox, Lines(), _unaudited)
        return await measured(growing, domain, questions, passages=PASSAGES, command=command)


@asynccontextmanager
async def _unaudited(_: Adapter) -> AsyncIterator[None]:
    """A benchmark's home has no audit log."""
    yield


def _command(options: argparse.Namespace) -> str:
    words = [f"make bench-grow DATA={options.data}"]
    if options.source != SOURCE:
        words.append(f"FROM={options.source}")
    if options.target != TARGET:
        words.append(f"TO={options.target}")
    return " ".join(words)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grow", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with squad/")
    parser.add_argument("--source", default=SOURCE, help="the added model that learns first")
    parser.add_argument("--target", default=TARGET, help="the added model that the domain moves to")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
