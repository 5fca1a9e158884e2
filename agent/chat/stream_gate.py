"""The stream gate: holds an answer's first tokens back until the gate can judge them."""

from collections.abc import Callable, Sequence

from agent.chat.gate import measure
from agent.engines.base import Token
from agent.grading import admits_ignorance
from memory.records.interactions import AnswerGate

HELD_TOKENS = 12
"""As many as a short answer has: what most answers to questions of fact say, they have said by then."""


class StreamGate:
    """Releases an answer's tokens once its first HELD_TOKENS are confident together.

    Otherwise everything is held until `end`. What has been released cannot be taken back, whatever comes.
    """

    def __init__(
        self, gate: AnswerGate, declines: Sequence[str], release: Callable[[Sequence[Token]], None]
    ) -> None:
        """`declines` are phrases of ignorance; `release` gets every token once, in order."""
        self.flowing = False
        self._gate = gate
        self._declines = declines
        self._release = release
        self._held: list[Token] = []

    def hear(self, token: Token) -> None:
        """Takes the next token."""
        if self.flowing:
            self._release((token,))
            return
        self._held.append(token)
        if len(self._held) == HELD_TOKENS and self._confident():
            self.flowing = True
            self._release(tuple(self._held))

    def end(self, tokens: Sequence[Token], *, release: bool) -> None:
        """The answer is complete; `release` lets it out if it was held."""
        if release and not self.flowing:
            self._release(tuple(tokens))

    def _confident(self) -> bool:
        text = "".join(token.text for token in self._held)
        seen = measure(self._held, self._gate, abstained=admits_ignorance(text, self._declines))
        return seen.decision == "confident"
