"""A remote model that judges whether facts are faithful to their passages (OpenAI-compatible URL).

Its output is untrusted and has to be valid JSON of the expected shape.
"""

import json

import httpx
from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, Field, SecretStr, ValidationError

from agent.errors import TeacherError
from memory.records.knowledge import Findings

PASSAGES_PER_CALL = 8
FACTS_PER_JUDGEMENT = 40
LONGEST_REPLY = 200_000
"""Characters; longer replies are rejected unparsed."""


class _Opinion(BaseModel):
    faithfulness: float = Field(ge=0, le=1)
    reason: str = Field(max_length=1000)


class ModelJudge:
    """A remote model that scores how faithful facts are to their passages."""

    def __init__(
        self, url: str, name: str, *, key: SecretStr, timeout: float, client: httpx.AsyncClient
    ) -> None:
        from langchain_openai import ChatOpenAI  # takes a second to import

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

    async def judge(self, question: str, findings: Findings) -> tuple[float, str]:
        """Faithfulness of the facts in [0, 1], with a reason. Raises TeacherError.

        Judges only the facts of the first PASSAGES_PER_CALL passages.
        """
        shown = [hit.passage for hit in findings.evidence[:PASSAGES_PER_CALL]]
        ids = {passage.id for passage in shown}
        stated = [f for f in findings.facts if f.passage_id in ids][:FACTS_PER_JUDGEMENT]
        if not stated:
            return 1.0, "there are no facts in the judged passages"
        passages = "\n".join(f"- {passage.text}" for passage in shown)
        facts = "\n".join(f"- {f.subject} | {f.relation} | {f.object}" for f in stated)
        text = await self._ask(JUDGE, f"Question: {question}\nPassages:\n{passages}\nFacts:\n{facts}")
        opinion = _parse(text)
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


def _parse(text: str) -> _Opinion:
    """Parses the JSON object in the reply, which may be wrapped in prose or a code fence."""
    start, end = text.find("{"), text.rfind("}")
    if len(text) > LONGEST_REPLY or start < 0 or end < start:
        raise TeacherError(f"the teacher did not answer in JSON: {text[:200]!r}")
    try:
        return _Opinion.model_validate(json.loads(text[start : end + 1]))
    except (ValidationError, ValueError, RecursionError) as error:
        raise TeacherError(f"the teacher's JSON has the wrong shape: {error}") from error


JUDGE = """\
You check whether facts are faithful to passages. Answer with JSON only:
{"faithfulness": 0.0 to 1.0, "reason": "one sentence"}
1.0 means that every fact is stated by a passage and none contradicts another; 0.0 that none is.
"""
