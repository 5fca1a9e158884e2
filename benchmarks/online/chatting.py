"""The users' part of a week: they chat over HTTP, and click by what the answers are worth to them."""

from collections.abc import Sequence
from functools import partial

from agent.concurrency import gather_limited
from benchmarks.online.client import Answer, Client, user_message
from benchmarks.online.openers import FOLLOW_UPS
from benchmarks.online.population import Clicks, User, clicks, drawn
from memory.records.base import Record

TOGETHER = 24
"""Users who wait for an answer at once."""
TEMPERATURE = 0.9
"""Of an answer that is asked for again; the first one is greedy."""
MAX_TOKENS = 96
"""What the users' application asks for at most: some 70 words, so that brevity still tells answers apart and
five weeks fit into two hours of two cores."""


class Traffic(Record):
    """What the users did."""

    turns: int = 0
    regenerated: int = 0
    continued: int = 0
    feedback: int = 0
    """Requests that sent feedback."""
    utility: float = 0.0
    """Mean worth of the answers, by each user's own taste."""

    def plus(self, other: "Traffic") -> "Traffic":
        """Both together."""
        turns = self.turns + other.turns
        total = self.turns * self.utility + other.turns * other.utility
        return Traffic(
            turns=turns,
            regenerated=self.regenerated + other.regenerated,
            continued=self.continued + other.continued,
            feedback=self.feedback + other.feedback,
            utility=total / turns if turns else 0.0,
        )


async def chat_round(
    client: Client, users: Sequence[User], prompts: Sequence[str], *, label: str, inverted: float = 0.0
) -> Traffic:
    """Each user asks one prompt, and perhaps asks again or goes on.

    `label` names the round, and seeds its draws. `inverted` is the share of feedback that says the opposite.
    """
    visits = (
        partial(_visit, client, user, prompt, label, inverted)
        for user, prompt in zip(users, prompts, strict=True)
    )
    total = Traffic()
    for each in await gather_limited(visits, TOGETHER):
        total = total.plus(each)
    return total


async def _visit(client: Client, user: User, prompt: str, label: str, inverted: float) -> Traffic:
    draw = drawn(label, user.name)
    messages = [user_message(prompt)]
    answer = await client.chat(messages, user=user.name, max_tokens=MAX_TOKENS)
    done = clicks(user, _worth(user, answer), draw, inverted=inverted)
    seen = await _send(client, user, answer, done)
    if done.regenerates:
        answer = await client.chat(
            messages,
            user=user.name,
            temperature=TEMPERATURE,
            seed=draw.randrange(2**31),
            max_tokens=MAX_TOKENS,
        )
    elif done.continues:
        messages += [{"role": "assistant", "content": answer.text}, user_message(draw.choice(FOLLOW_UPS))]
        answer = await client.chat(messages, user=user.name, max_tokens=MAX_TOKENS)
    else:
        return seen
    last = clicks(user, _worth(user, answer), draw, inverted=inverted)
    ended = last.model_copy(update={"regenerates": False, "continues": False})
    return seen.plus(await _send(client, user, answer, ended))


async def _send(client: Client, user: User, answer: Answer, done: Clicks) -> Traffic:
    fields = dict(done.feedback)
    if done.regenerates:
        fields["regenerated"] = True
    if done.continues:
        fields["continued"] = True
    if fields:
        await client.feedback(answer.id, fields)
    return Traffic(
        turns=1,
        regenerated=done.regenerates,
        continued=done.continues,
        feedback=bool(fields),
        utility=_worth(user, answer),
    )


def _worth(user: User, answer: Answer) -> float:
    return user.taste.utility(answer.text, answer.citations)
