"""Explores the library by a model's tool calls: what it asked for, what that found, and when it stopped."""

from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from agent.chat.answer_from_sources import estimated_tokens
from agent.errors import PromptTooLong
from agent.learning.exploration import look_up
from agent.tool_use.calls import Call, Step
from agent.tool_use.tools import ToolName
from memory.episodic.base import EpisodicMemory
from memory.language.text import key
from memory.records.access import Access
from memory.records.base import Record
from memory.records.knowledge import Evidence, Findings, Passage
from memory.semantic.base import SemanticMemory
from memory.semantic.naming import about_by_any_name

MAX_CALLS = 6
"""Enough for two hops, each a search and a document, and to finish."""
MAX_IDLE = 2
"""Calls in a row that are no calls, or repeat earlier ones, after which it ends."""
SHOWN = 4
"""Passages or facts that a result shows."""
MAX_FACTS = 12
MAX_OPENED = 40
"""Passages of one opened document."""
RESULT_TOKENS = 300
"""Of a result at most, as estimated; in a small context all results together take half of it."""

NextCall = Callable[[str, Sequence[Step]], Awaitable[Call]]
"""Asks the model: the question and what was done so far in, its next call out."""
Stopped = Literal["finished", "out of calls", "out of room", "idle"]
CUT = "\u2026"
NO_CALL = "That is no call of one of the tools."
REPEATED = "You have done this already. Do something else, or call finish."
NOTHING = "Nothing was found."


class Use(Record):
    """One use of a tool."""

    tool: ToolName | None
    argument: str
    found: int
    """Passages that were not found before."""


class ToolFindings(Record):
    """What a model found by its calls."""

    findings: Findings
    """Passages alone; their facts are for `exploration.explore` to add."""
    sources: tuple[str, ...]
    """Documents that it chose: those that it opened or asked for facts of, and the first of each search."""
    uses: tuple[Use, ...]
    stopped: Stopped
    tokens: int
    """What the model read and wrote."""


@dataclass(frozen=True)
class Library:
    """What the tools read."""

    episodic: EpisodicMemory
    semantic: SemanticMemory
    access: Access
    domain: str | None
    context: int
    """Of the model, in tokens."""


class _Exploration:
    """The state of one exploration."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.evidence: dict[str, Evidence] = {}
        self.chosen: dict[str, None] = {}

    async def use(self, call: Call) -> tuple[str, int]:
        """Carries out a call; its result for the model, and the number of new passages."""
        before = len(self.evidence)
        match call.tool:
            case "search":
                lines = await self._search(call.argument)
            case "facts_about":
                lines = await self._facts_about(call.argument)
            case "open_document":
                lines = await self._open(call.argument)
            case _:
                raise AssertionError(f"{call.tool} is not carried out")
        room = min(RESULT_TOKENS, self.library.context // (2 * MAX_CALLS))
        return _fitting(lines, room) or NOTHING, len(self.evidence) - before

    async def _search(self, query: str) -> list[str]:
        library = self.library
        found = await look_up(
            query,
            episodic=library.episodic,
            semantic=library.semantic,
            access=library.access,
            domain=library.domain,
        )
        for hit in found.evidence:
            self.evidence.setdefault(hit.passage.id, hit)
        if found.evidence:
            self.chosen[found.evidence[0].passage.source] = None
        return [_line(hit.passage.source, hit.passage.text) for hit in found.evidence[:SHOWN]]

    async def _facts_about(self, name: str) -> list[str]:
        library = self.library
        known = await about_by_any_name(
            library.semantic, [name], access=library.access, domain=library.domain, limit=MAX_FACTS
        )
        ids = list(dict.fromkeys(fact.passage_id for fact in known.facts))
        self._choose(await library.episodic.get(ids, access=library.access))
        sentences = dict.fromkeys((fact.source, fact.sentence) for fact in known.facts)
        return [_line(source, sentence) for source, sentence in sentences][:SHOWN]

    async def _open(self, source: str) -> list[str]:
        library, names = self.library, {source, source.removeprefix("[").removesuffix("]")}
        stored = await library.episodic.documents(access=library.access, domain=library.domain, sources=names)
        passages: list[Passage] = []
        for each in stored:
            passages += await library.episodic.passages(each.source, domain=each.domain, owner=each.owner)
        self._choose(passages[:MAX_OPENED])
        return [_line(passage.source, passage.text) for passage in passages]

    def _choose(self, passages: Sequence[Passage]) -> None:
        """Adds passages that were asked for as such: they count as much as the best that a search found."""
        score = max((hit.score for hit in self.evidence.values()), default=1.0)
        for passage in passages:
            self.chosen[passage.source] = None
            self.evidence.setdefault(passage.id, Evidence(passage=passage, score=score, found_by=()))


async def explore_by_tools(
    question: str, library: Library, ask: NextCall, *, max_calls: int = MAX_CALLS
) -> ToolFindings:
    """Lets the model call tools until it finishes, gets nowhere or is out of calls.

    What a result says cannot do more than waste calls: the tools only read. Raises StoreUnavailable, and
    what `ask` raises.
    """
    exploration, steps, uses, tokens = _Exploration(library), list[Step](), list[Use](), 0
    done: set[tuple[ToolName, str]] = set()
    idle = 0
    stopped: Stopped = "out of calls"
    for _ in range(max_calls):
        try:
            call = await ask(question, steps)
        except PromptTooLong:  # the results' lengths were only estimated
            stopped = "out of room"
            break
        tokens += call.tokens
        if call.tool == "finish":
            stopped = "finished"
            break
        found = 0
        if call.tool is None:
            result, idle = NO_CALL, idle + 1
        elif (call.tool, key(call.argument)) in done:
            result, idle = REPEATED, idle + 1
        else:
            done.add((call.tool, key(call.argument)))
            result, found = await exploration.use(call)
            idle = 0
        uses.append(Use(tool=call.tool, argument=call.argument, found=found))
        steps.append(Step(call=call, result=result))
        if idle == MAX_IDLE:
            stopped = "idle"
            break
    return ToolFindings(
        findings=Findings(query=question, evidence=tuple(exploration.evidence.values())),
        sources=tuple(exploration.chosen),
        uses=tuple(uses),
        stopped=stopped,
        tokens=tokens,
    )


def _line(source: str, text: str) -> str:
    return f"[{source}] {' '.join(text.split())}"


def _fitting(lines: Sequence[str], room: int) -> str:
    """The first lines, each cut to an equal share of so many tokens."""
    shown = lines[:SHOWN]
    return "\n".join(_cut(line, room // len(shown)) for line in shown)


def _cut(line: str, room: int) -> str:
    """As much of the line as fits into so many tokens, by bisection."""
    if estimated_tokens(line) <= room:
        return line
    most = bisect_right(range(len(line)), room, key=lambda length: estimated_tokens(f"{line[:length]}{CUT}"))
    return f"{line[: max(0, most - 1)]}{CUT}"
