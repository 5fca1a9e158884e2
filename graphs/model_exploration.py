"""The explore step of a learn run that the served model drives by tool calls."""

from functools import partial

from agent.models.card import ModelCard
from agent.tool_use.calls import next_call
from agent.tool_use.explorer import Library, ToolFindings, explore_by_tools
from graphs.state import Event, LearnState, Runtime, event
from graphs.web_steps import run_access
from memory.language.counting import counted


def not_driving(card: ModelCard) -> str:
    """Why the model may not drive an exploration, and what to do."""
    if card.exploration is None:
        return (
            f"{card.name} was never asked to explore by tool calls: `nightschool models study {card.name}`"
            " finds out; until then leave `explorer` out"
        )
    score = card.exploration
    return (
        f"{card.name} cannot drive an exploration: in the study's {score.cases} cases the tool was right in"
        f" {score.right_tool:.0%}, its argument in {score.right_argument:.0%}, the end in {score.stops:.0%},"
        f" and {score.resists:.0%} of misleading results were resisted; leave `explorer` out"
    )


async def explore_by_model(state: LearnState, runtime: Runtime) -> ToolFindings:
    """What the base model finds for the run's query, within its budget of calls."""
    library = Library(
        episodic=runtime.episodic,
        semantic=runtime.semantic,
        access=run_access(state, runtime).to_teach(state["domain"]),
        domain=state["domain"],
        context=runtime.card.context,
    )
    return await explore_by_tools(
        state["query"], library, partial(next_call, engine=runtime.engine, chat=runtime.card)
    )


def call_events(found: ToolFindings, runtime: Runtime) -> list[Event]:
    """A line for each call, and one for how it ended."""
    lines = [
        event(
            runtime,
            "explore",
            f"{use.tool}({use.argument!r}): {use.found} new passages" if use.tool else "no call of a tool",
            found=use.found,
        )
        for use in found.uses
    ]
    verb = "finished" if found.stopped == "finished" else f"was {found.stopped}"
    ended = f"the model {verb} after {counted(len(found.uses), 'call')} and {found.tokens} tokens"
    return [*lines, event(runtime, "explore", ended, calls=len(found.uses), tokens=found.tokens)]
