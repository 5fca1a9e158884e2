"""Checks: what can be computed about an answer, such as its arithmetic, its code and its citations."""

from collections.abc import Callable

from agent.nights.scoring.answer_context import AnswerContext, CriterionScore
from agent.nights.scoring.arithmetic import equations
from agent.nights.scoring.code_blocks import check_blocks
from agent.nights.scoring.evidence import is_statement, stands
from agent.nights.scoring.plain_text import without_code
from agent.nights.scoring.sandbox import SandboxRun, run_python

FAILED = 0.3
"""Highest value of an answer of which one of several checks fails."""


def checks(context: AnswerContext, run: Callable[[str], SandboxRun] = run_python) -> CriterionScore | None:
    """Whether equations hold, code works, and cited sentences stand; None if there is nothing to check.

    Blocks while code runs.
    """
    answer = context.answer
    problems: list[str] = []
    done = 0
    for equation in equations(without_code(answer)):
        done += 1
        if not equation.right:
            problems.append(f'"{equation.text}" is wrong: it is {equation.value:g}')
    for block in check_blocks(answer, run):
        done += 1
        if not block.works:
            problems.append(block.problem)
    for citation in context.turn.citations:
        if citation.quote and not is_statement(citation):
            done += 1
            if not stands(citation, context.evidence.passages):
                problems.append(f"the library no longer says what it cites: {citation.title[:80]}")
    if not done:
        return None
    if not problems:
        return CriterionScore(value=1.0)
    return CriterionScore(value=FAILED * (done - len(problems)) / done, reason="; ".join(problems)[:400])
