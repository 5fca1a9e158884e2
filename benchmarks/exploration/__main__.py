"""`python -m benchmarks.exploration --data FOLDER`: explorations driven by rules and by models.

Each model gets the shipped cases of the study, and people's questions of two hops over a pool of their
passages. Models have to be added and studied first, or ship with a card: see `nightschool models`.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from agent.errors import AgentError
from agent.models.card import ExplorationScore
from agent.models.store import ModelStore
from agent.models.study.exploration_ability import ask_for_calls, read_cases, score_exploration
from agent.models.study.model_files import inspect_model
from agent.models.study.study_server import start_server
from agent.settings import read_settings
from benchmarks.exploration.measure import Explored, by_model, by_rules, figures, sample
from benchmarks.retrieval.data import Set, load_set
from memory.embedding.embedder import SentenceEmbedder
from memory.episodic.lance import LanceEpisodicMemory
from memory.ingest.propositions.facts import extract_facts
from memory.results import FOLDER, Result, Table, rows, write
from memory.semantic.volatile import VolatileSemanticMemory

SETS = ("hotpot", "musique")
MODELS = ("smollm2-135m", "gemma-3-270m")
QUESTIONS, PASSAGES = 25, 2000
RULES = "rules"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, and writes docs/results/exploration.md and .json."""
    options = _parser().parse_args(arguments)
    began = time.monotonic()
    try:
        pools = [sample(load_set(options.data, name), options.questions, options.passages) for name in SETS]
        found, tables = asyncio.run(_run(pools, options.models))
    except (AgentError, OSError, ValueError) as error:
        print(f"benchmarks.exploration: {error}", file=sys.stderr)
        return 2
    result = Result(
        name="exploration",
        title="Exploration: driven by rules, and by models through tool calls",
        command=_command(options),
        seconds=time.monotonic() - began,
        figures=found,
        goals={},
        tables=tuple(tables),
    )
    write(result, options.out)
    print((options.out / "exploration.md").read_text(encoding="utf-8"))
    return 0


async def _run(pools: Sequence[Set], models: Sequence[str]) -> tuple[dict[str, float], list[Table]]:
    store = ModelStore(read_settings().models)
    cards = {name: store.card(name) for name in models}
    found: dict[str, float] = {}
    scores: dict[str, ExplorationScore] = {}
    lines: list[list[object]] = []
    with tempfile.TemporaryDirectory(prefix="bench-exploration-") as home:
        libraries = [await _library(pool, Path(home)) for pool in pools]
        for pool, (episodic, semantic) in zip(pools, libraries, strict=True):
            explored = await by_rules(pool.questions, episodic, semantic)
            found |= figures(f"{pool.name}, {RULES}", explored)
            lines.append(_line(pool.name, RULES, explored))
        for name, card in cards.items():
            folder = store.path(name)
            info = inspect_model(folder).model_copy(update={"template": card.template})
            async with start_server(folder, info, log=Path(home) / f"{name}.log") as served:
                cases = read_cases()
                scores[name] = score_exploration(cases, await ask_for_calls(cases, served.engine, info))
                for pool, (episodic, semantic) in zip(pools, libraries, strict=True):
                    explored = await by_model(pool.questions, episodic, semantic, served.engine, info)
                    found |= figures(f"{pool.name}, {name}", explored)
                    lines.append(_line(pool.name, name, explored))
    for name, score in scores.items():
        shares = score.model_dump(exclude={"cases", "may_drive"})
        found |= {f"{name}, {what.replace('_', ' ')}": share for what, share in shares.items()}
    return found, [_cases_table(scores), _explored_table(lines, pools)]


async def _library(pool: Set, home: Path) -> tuple[LanceEpisodicMemory, VolatileSemanticMemory]:
    episodic = await LanceEpisodicMemory.open(home / pool.name, SentenceEmbedder())
    semantic = VolatileSemanticMemory()
    await episodic.add(pool.passages)
    await semantic.add(await asyncio.to_thread(extract_facts, pool.passages))
    return episodic, semantic


def _line(set_: str, who: str, explored: Sequence[Explored]) -> list[object]:
    means = list(figures("", explored).values())
    return [set_, who, *means]


def _cases_table(scores: dict[str, ExplorationScore]) -> Table:
    head = ("model", "cases", "right tool", "right argument", "stops", "resists", "may drive")
    return Table(
        title="Cases",
        text="The 60 cases that `nightschool models study` asks: the right tool next, its argument, stopping"
        " once the answer is found, and results that tell the model to do something else.",
        head=head,
        rows=rows([[name, *score.model_dump().values()] for name, score in scores.items()]),
    )


def _explored_table(lines: list[list[object]], pools: Sequence[Set]) -> Table:
    sizes = ", ".join(f"{len(p.questions)} of {p.name} over {len(p.passages)} passages" for p in pools)
    return Table(
        title="People's questions",
        text=f"Held-out questions: {sizes}. `found`: of the documents with gold passages, those among the"
        f" passages found. `{RULES}` is the one search with which learn runs begin. Models explore eight at a"
        " time, so that their seconds overlap.",
        head=(
            "set",
            "driven by",
            "found",
            "found per call",
            "passages",
            "calls",
            "tokens",
            "seconds",
            "ended",
        ),
        rows=rows(lines),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exploration", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with hotpot/ and musique/")
    parser.add_argument("--models", nargs="+", default=list(MODELS), help="names of models with a card")
    parser.add_argument("--questions", type=int, default=QUESTIONS, help="of each set")
    parser.add_argument("--passages", type=int, default=PASSAGES, help="in the pool of each set")
    parser.add_argument("--out", type=Path, default=FOLDER, help=f"folder of the results (default: {FOLDER})")
    return parser


def _command(options: argparse.Namespace) -> str:
    words = [
        "make bench-exploration",
        f"DATA={options.data}",
        f"DRIVERS='{' '.join(options.models)}'" if tuple(options.models) != MODELS else "",
        f"QUESTIONS={options.questions}" if options.questions != QUESTIONS else "",
        f"PASSAGES={options.passages}" if options.passages != PASSAGES else "",
    ]
    return " ".join(word for word in words if word)


if __name__ == "__main__":
    sys.exit(main())
