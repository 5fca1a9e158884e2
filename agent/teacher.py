"""A larger model as teacher and judge, over any OpenAI-compatible URL.

Its output is untrusted: what is not valid JSON of the right shape is refused here, what is false in `verify`.
"""

import json
from collections.abc import Sequence
from typing import TypeVar

import httpx
from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from agent.errors import TeacherError
from memory.records import Fact, Findings, Form, QAPair

Shape = TypeVar("Shape", bound=BaseModel)

FACTS_PER_CALL = 8
"""Few enough that a small teacher still answers for each of them."""
PAIRS_PER_CALL = 96
"""A longer reply takes a small teacher longer than it may, or ends unfinished."""
PASSAGES_PER_CALL = 8
FACTS_PER_JUDGEMENT = 40
LONGEST_REPLY = 200_000
"""Characters; a longer reply is nonsense, and parsing it would cost memory."""


class _Written(BaseModel):
    model_config = ConfigDict(extra="ignore")

    fact: int = Field(ge=1)
    form: Form
    question: str = Field(min_length=3, max_length=500)
    answer: str = Field(min_length=1, max_length=300)


class _Pairs(BaseModel):
    pairs: list[_Written] = Field(max_length=2000)


class _Opinion(BaseModel):
    faithfulness: float = Field(ge=0, le=1)
    reason: str = Field(max_length=1000)


class Teacher:
    """A remote model; `name` is recorded as the author of its curricula."""

    def __init__(
        self, url: str, name: str, *, key: SecretStr, timeout: float, client: httpx.AsyncClient
    ) -> None:
        from langchain_openai import ChatOpenAI  # a second to import, which those without a teacher save

        self.name = name
        self._model = ChatOpenAI(
            base_url=url,
            model=name,
            api_key=key,
            timeout=timeout,
            max_retries=2,
            temperature=0.0,
            http_async_client=client,
        )

    async def write(self, facts: Sequence[Fact], *, per_fact: int) -> tuple[QAPair, ...]:
        """Pairs about the facts, still to be verified. Raises TeacherError."""
        pairs: list[QAPair] = []
        size = min(FACTS_PER_CALL, max(1, PAIRS_PER_CALL // per_fact))
        for start in range(0, len(facts), size):
            group = facts[start : start + size]
            listing = "\n".join(
                f"{i}. [{f.relation}] subject: {f.subject} | object: {f.object} | source: {f.sentence}"
                for i, f in enumerate(group, start=1)
            )
            text = await self._ask(WRITE.format(per_fact=per_fact), listing)
            pairs += [_pair(written, group) for written in _parse(text, _Pairs).pairs]
        return tuple(pairs)

    async def judge(self, question: str, findings: Findings) -> tuple[float, str]:
        """How faithful the facts are to their passages, in [0, 1], with the reason. Raises TeacherError.

        Only the first passages are shown, and only what is said to stand in them is judged.
        """
        shown = [hit.passage for hit in findings.evidence[:PASSAGES_PER_CALL]]
        ids = {passage.id for passage in shown}
        stated = [f for f in findings.facts if f.passage_id in ids][:FACTS_PER_JUDGEMENT]
        if not stated:
            return 1.0, "no fact stands in the passages that it was to see"
        passages = "\n".join(f"- {passage.text}" for passage in shown)
        facts = "\n".join(f"- {f.subject} | {f.relation} | {f.object}" for f in stated)
        text = await self._ask(JUDGE, f"Question: {question}\nPassages:\n{passages}\nFacts:\n{facts}")
        opinion = _parse(text, _Opinion)
        return opinion.faithfulness, opinion.reason

    async def _ask(self, instruction: str, text: str) -> str:
        from openai import OpenAIError

        try:
            reply = await self._model.ainvoke([SystemMessage(instruction), HumanMessage(text)])
        except (OpenAIError, httpx.HTTPError, ValueError) as error:
            raise TeacherError(
                f"the teacher {self.name} failed: {error}; check NIGHTSCHOOL_TEACHER_URL, or unset it"
            ) from error
        return str(reply.text)


def _pair(written: _Written, facts: Sequence[Fact]) -> QAPair:
    if written.fact > len(facts):
        raise TeacherError(f"the teacher wrote about fact {written.fact} of {len(facts)}")
    fact = facts[written.fact - 1]
    return QAPair(
        question=written.question,
        answer=written.answer,
        form=written.form,
        fact_id=fact.id,
        source=fact.source,
        quote=fact.sentence,
    )


def _parse(text: str, shape: type[Shape]) -> Shape:
    """The JSON object in the reply, which models like to wrap in prose or a code fence."""
    start, end = text.find("{"), text.rfind("}")
    if len(text) > LONGEST_REPLY or start < 0 or end < start:
        raise TeacherError(f"the teacher did not answer in JSON: {text[:200]!r}")
    try:
        return shape.model_validate(json.loads(text[start : end + 1]))
    except (ValidationError, ValueError, RecursionError) as error:
        raise TeacherError(f"the teacher's JSON is not what was asked for: {error}") from error


WRITE = """\
You write questions for a closed-book exam. For each numbered fact write {per_fact} questions in clearly
different wordings. Use only the source sentence. Each question must name the subject exactly as given and be
answerable without seeing the source; the answer must be the object exactly as given, word for word. For
definitions also write questions of the form "term_for" that quote the object and ask for the subject.
Answer with JSON only:
{{"pairs": [{{"fact": 1, "form": "definition", "question": "...", "answer": "..."}}]}}
`form` is the relation in brackets, or "term_for".
"""

JUDGE = """\
You check whether facts are faithful to passages. Answer with JSON only:
{"faithfulness": 0.0 to 1.0, "reason": "one sentence"}
1.0 means that every fact is stated by a passage and none contradicts another; 0.0 that none is.
"""
