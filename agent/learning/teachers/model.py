"""A teacher that asks a remote model (OpenAI-compatible URL) for question and answer pairs with quotes.

Passages and replies are untrusted: a passage is sent as delimited data, and only pairs whose quote is in the
passage are used.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial

import httpx
from pydantic import SecretStr

from agent.concurrency import gather_limited
from agent.errors import TeacherError
from agent.learning.candidate_pairs import CandidatePair, WrittenPairs
from agent.learning.teachers.base import PassageProgress
from agent.learning.teachers.chat_client import CHECK_URL, ChatClient, ServerState
from agent.learning.teachers.failures import BadReply, PassageFailure
from agent.learning.teachers.reply import read_reply
from agent.learning.teachers.request import retry_messages, teacher_prompt
from memory.records.knowledge import Passage


class ModelTeacher:
    """A teacher using the model `name` at `url`, which includes `/v1`; `timeout` is in seconds per reply."""

    def __init__(
        self,
        url: str,
        name: str,
        *,
        key: SecretStr,
        timeout: float,
        client: httpx.AsyncClient,
        concurrency: int = 4,
    ) -> None:
        if concurrency < 1:
            raise ValueError(f"concurrency has to be at least 1, not {concurrency}")
        self.name = name
        self._client = ChatClient(url, name, key=key, timeout=timeout, client=client)
        self._concurrency = concurrency

    async def write(
        self,
        passages: Sequence[Passage],
        *,
        question: str | None = None,
        on_progress: PassageProgress | None = None,
    ) -> WrittenPairs:
        """Writes pairs with one request per passage. Raises TeacherError if all of them fail."""
        server = ServerState()
        done = 0

        async def write_one(passage: Passage) -> tuple[CandidatePair, ...] | PassageFailure:
            nonlocal done
            outcome: tuple[CandidatePair, ...] | PassageFailure
            if server.fatal is not None:
                raise server.fatal
            try:
                outcome = await self._pairs(passage, question, server)
            except PassageFailure as failure:
                outcome = failure
            done += 1
            if on_progress is not None:
                on_progress(done, len(passages))
            return outcome

        outcomes = await gather_limited(
            [partial(write_one, passage) for passage in passages], self._concurrency
        )
        failures = [outcome for outcome in outcomes if isinstance(outcome, PassageFailure)]
        if failures and len(failures) == len(passages):
            raise self._no_usable_pairs(failures)
        return WrittenPairs(
            candidates=tuple(c for outcome in outcomes if isinstance(outcome, tuple) for c in outcome),
            failed=dict(Counter(failure.reason for failure in failures)),
        )

    async def _pairs(
        self, passage: Passage, question: str | None, server: ServerState
    ) -> tuple[CandidatePair, ...]:
        """The pairs about a passage, with a second try after a bad reply.

        Raises PassageFailure or TeacherError.
        """
        messages = teacher_prompt(passage, question)
        reply = ""
        try:
            reply, finish = await self._client.complete(messages, server)
            return read_reply(reply, finish, passage)
        except BadReply as bad:
            messages += retry_messages(reply, bad.detail)
        return read_reply(*await self._client.complete(messages, server), passage)

    def _no_usable_pairs(self, failures: Sequence[PassageFailure]) -> TeacherError:
        counts = Counter(failure.reason for failure in failures)
        reasons = ", ".join(f"{reason} ({count})" for reason, count in counts.most_common())
        last = failures[-1]
        if all(isinstance(failure, BadReply) for failure in failures):
            advice = "use a larger model, or unset NIGHTSCHOOL_TEACHER_URL to be taught by rules"
        elif set(counts) == {"timed out"}:
            advice = "raise NIGHTSCHOOL_TEACHER_TIMEOUT, or use a faster model"
        else:
            advice = f"{CHECK_URL}, or unset it to be taught by rules"
        return TeacherError(
            f"the teacher {self.name} wrote no usable pair about any of {len(failures)} passages; "
            f"it {reasons}; last: {last.detail}; {advice}"
        )
