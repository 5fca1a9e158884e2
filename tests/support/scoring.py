"""Answers with their evidence, for tests of the scorer."""

from typing import Any

from agent.nights.scoring.evidence import ScoringEvidence
from agent.nights.scoring.score import score_turns
from agent.nights.scoring.scorer import Scorer, standard_scorer
from agent.nights.scoring.truth_set import GradedAnswer, TruthCase, TruthItem, truth_item
from memory.embedding.embedder import HashingEmbedder
from memory.records.feedback import Feedback
from memory.records.nights import AnswerScore
from tests.support.interactions import feedback

CASE = TruthCase(
    id="ferry",
    question="When does the last ferry to Ulvarsund leave on Sundays?",
    title="Harbour notices",
    source="Ferries to Ulvarsund run hourly on weekdays. On Sundays the last ferry to Ulvarsund leaves at"
    " 18:40 from pier two. Bicycles travel free.",
    answers=(GradedAnswer(text="At 18:40.", good=True, criterion="correctness"),),
)
RIGHT = "On Sundays the last ferry to Ulvarsund leaves at 18:40."
WRONG = "On Sundays the last ferry to Ulvarsund leaves at 21:15."
SCORER = standard_scorer(HashingEmbedder(), ("i don't know",))


def item(answer: str, *, case: TruthCase = CASE, quote: str | None = None, **fields: Any) -> TruthItem:
    """The answer as a turn, with evidence; `fields` are the turn's."""
    graded = GradedAnswer(text=answer, good=True, criterion="correctness", quote=quote)
    made = truth_item(case, graded, "i1")
    return made.model_copy(update={"turn": made.turn.model_copy(update=fields)})


def score(answer: str, *given: Feedback, scorer: Scorer = SCORER, **fields: Any) -> AnswerScore:
    """The score of an answer to the case's question, with this feedback on it."""
    made = item(answer, **fields)
    evidence = made.evidence.model_copy(update={"feedback": given})
    return score_turns([made.turn], ScoringEvidence(turns={"i1": evidence}), scorer)[0]


def vote(value: float) -> Feedback:
    return feedback("vote", "vote", value=value)
