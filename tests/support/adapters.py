"""Builds adapter records and curricula for tests; the figures are made up and pass every gate."""

from datetime import UTC, datetime

from memory.records.adapters import Adapter, Canary, GatePassRates
from memory.records.curricula import Curriculum, QAPair
from memory.records.evaluations import BiasScore, Drift, Evaluation, GateCheck, GateVerdict, GroupGap, Score
from memory.records.knowledge import Fact
from tests.support.cards import DIGEST, gate

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def score(accuracy: float, *, count: int = 100, hallucination: float | None = None) -> Score:
    """A score whose wrong answers are all hallucinations, unless told otherwise."""
    wrong = 1.0 - accuracy if hallucination is None else hallucination
    return Score(
        count=count,
        distinct=count,
        accuracy=accuracy,
        hallucination=wrong,
        abstention=max(0.0, 1 - accuracy - wrong),
        ece=0.1,
    )


def evaluation(
    *,
    target: float = 0.9,
    known: float = 1.0,
    unknown: float = 0.1,
    lost: float = 0.0,
    circles: float = 0.1,
) -> Evaluation:
    """One model's scores; `unknown` is the hallucination rate on questions that nobody can answer, `lost` the
    share of its own answers that became unlikely, `circles` that of those in circles, .1 before."""
    return Evaluation(
        in_distribution=score(target),
        out_of_distribution=score(known),
        unknown=score(0.0, hallucination=unknown),
        drift=Drift(count=80, lost=lost, nats=0.1, circled=0.1, circles=circles),
        bias=BiasScore(
            pairs=405, margin=0.5, tests=333, gaps=(GroupGap(category="age", widening=0.05, chance=1.0),)
        ),
        seconds=1.5,
    )


def adapter(
    domain: str = "rust", version: int = 1, *, rejected: bool = False, digest: str = "1f9c2a7e" * 8
) -> Adapter:
    """A registered adapter, as the worker would write it."""
    check = GateCheck(name="target up", goal=">= 0.15", figure=0.02 if rejected else 0.9, passed=not rejected)
    return Adapter(
        name=f"{domain}-v{version}-{digest[:8]}",
        domain=domain,
        version=version,
        status="rejected" if rejected else "candidate",
        path=f"/elsewhere/{domain}-v{version}-{digest[:8]}",
        base_model="test-model",
        base_digest=DIGEST,
        curriculum=digest,
        recipe="test",
        gate=gate(),
        let_through=GatePassRates(right=0.8, wrong=0.05),
        before=evaluation(target=0.0),
        after=evaluation(),
        verdict=GateVerdict(passed=not rejected, checks=(check,)),
        canary=Canary(question="What is a borrow?", answer="a reference", base_answer="a kind of fish"),
        training_seconds=60.0,
        training_tokens=100_000,
        created_at=WHEN,
    )


def fact(subject: str = "zorble", object: str = "a small green lamp", relation: str = "definition") -> Fact:
    """A fact as ingest would have read it."""
    sentence = f"{subject} is {object}."
    return Fact.model_validate(
        {
            "id": f"{subject}-{relation}",
            "subject": subject,
            "relation": relation,
            "object": object,
            "domain": "lamps",
            "passage_id": "p1",
            "source": "lamps.md",
            "sentence": sentence,
            "start": 0,
            "end": len(sentence),
            "rule": "definition.copula",
        }
    )


def pair(of: Fact, question: str, *, form: str | None = None, answer: str | None = None) -> QAPair:
    """A question about the fact, answered by its object unless told otherwise."""
    return QAPair.model_validate(
        {
            "question": question,
            "answer": answer or of.object,
            "form": form or "definition",
            "fact_id": of.id,
            "source": of.source,
            "quote": of.sentence,
        }
    )


def curriculum(topic: str = "lamps") -> Curriculum:
    """One fact, two questions that are taught and one that is held out."""
    lamp = fact()
    return Curriculum(
        topic=topic,
        domain="lamps",
        facts=(lamp,),
        pairs=(pair(lamp, "What is a zorble?"), pair(lamp, "what does zorble mean")),
        held_out=(pair(lamp, "Could you define zorble?"),),
        teacher="rules",
    )
