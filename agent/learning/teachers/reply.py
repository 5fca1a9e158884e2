"""Parses a teacher model's reply into pairs, keeping those whose quote is in the passage."""

import json
import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from agent.learning.candidate_pairs import CandidatePair
from agent.learning.teachers.failures import BadReply
from agent.learning.teachers.request import FORMS
from memory.records.knowledge import Passage

MAX_PAIRS = 40
"""Most pairs read from one reply, because a looping model writes hundreds."""
LONGEST_REPLY = 200_000
"""Characters; longer replies are rejected unparsed."""
NO_JSON = "replied with no valid JSON"

_Text = Annotated[
    str, StringConstraints(strict=True, strip_whitespace=True, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")
]
_MARKS = "\"'`´‘’‚“”„«»‹›"  # noqa: RUF001  # quotation marks to treat alike
_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2212"
_LOOSE = {mark: f"[{re.escape(alike)}]" for alike in (_MARKS, _DASHES) for mark in alike}
_PAIRS = re.compile(r'\{\s*"pairs"\s*:')


class _Pair(BaseModel):
    model_config = ConfigDict(extra="ignore")

    question: _Text = Field(min_length=3, max_length=500)
    answer: _Text = Field(min_length=1, max_length=300)
    form: _Text = Field("what", max_length=100)
    quote: _Text = Field(min_length=1, max_length=2000)


def read_reply(reply: str, finish: str, passage: Passage) -> tuple[CandidatePair, ...]:
    """The pairs of a reply whose quotes are in the passage. Raises BadReply if there are none."""
    faults: list[BadReply] = []
    candidates: list[CandidatePair] = []
    for item in _items(reply, finish):
        try:
            candidates.append(_candidate(_Pair.model_validate(item), passage))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(map(str, first["loc"])) or "pair"
            faults.append(BadReply(NO_JSON, f"No pair is of the right shape: {field}: {first['msg']}."))
        except BadReply as fault:
            faults.append(fault)
    if not candidates:
        raise faults[0] if faults else BadReply("wrote no pair", "Your reply contains no pair.")
    return tuple(candidates)


def _items(reply: str, finish: str) -> list[Any]:
    """The list of pairs in the reply, which may be wrapped in thinking text, prose or a code fence."""
    if len(reply) > LONGEST_REPLY:
        raise too_long_reply()
    _, closed, answer = reply.partition("</think>")
    text = answer if closed and _PAIRS.search(answer) else reply
    match = _PAIRS.search(text)
    start = match.start() if match else text.find("{")
    try:
        if start < 0:
            raise ValueError("there is no JSON object")
        value, _ = json.JSONDecoder(strict=False).raw_decode(text, start)
        if not isinstance(value, dict) or not isinstance(value.get("pairs"), list):
            raise ValueError('"pairs" is not a list')
    except (ValueError, RecursionError) as error:
        fault = "It was cut off: write at most 5 pairs." if finish == "length" else f"{error}."
        raise BadReply(NO_JSON, f"Your reply is not valid JSON of the right shape: {fault}") from error
    return list(value["pairs"][:MAX_PAIRS])


def _candidate(pair: _Pair, passage: Passage) -> CandidatePair:
    quote = _verbatim(pair.quote, passage.text)
    if quote is None:
        raise BadReply(
            "quoted what the passage does not say",
            f"No quote stands in the text, for example {pair.quote[:200]!r}. "
            "Copy whole sentences character by character, leaving nothing out.",
        )
    form = re.sub(r"[\s-]+", "_", pair.form.lower())
    return CandidatePair(
        question=" ".join(pair.question.split()),
        answer=pair.answer,
        form=form if form in FORMS else "what",
        quote=quote,
        passage_id=passage.id,
    )


def _verbatim(quote: str, text: str) -> str | None:
    """The part of the text that the quote copies, ignoring white space and styles of quotes and dashes."""
    for wording in (quote, quote.strip(f" .…{_MARKS}")):
        words = ("".join(_LOOSE.get(c, re.escape(c)) for c in word) for word in wording.split())
        pattern = r"\s+".join(words)
        match = re.search(pattern, text) if pattern else None
        if match and len(match[0]) <= 2000:
            return match[0]
    return None


def too_long_reply() -> BadReply:
    """The failure for a reply that exceeds the size limit."""
    return BadReply("replied at too great length", "Your reply was far too long: write at most 12 pairs.")
