"""The stream gate: buffers a streamed answer's first tokens until the gate can judge them."""

from collections.abc import Callable, Sequence

from agent.chat.gate import measure_uncertainty
from agent.engines.base import Token
from agent.grading import admits_ignorance
from memory.records.interactions import AnswerGate

HELD_TOKENS = 12
"""Buffer size: the length of a short answer, which covers most answers to factual questions."""


class StreamGate:
    """Releases an answer's tokens once its first HELD_TOKENS are confident together.

    Otherwise everything is held back until `end`. Released tokens cannot be taken back.
    """

    def __init__(
        self, gate: AnswerGate, declines: Sequence[str], release: Callable[[Sequence[Token]], None]
    ) -> None:
        """`declines` are phrases that admit ignorance; `release` gets every token once, in order."""
        self.flowing = False
        self._gate = gate
        self._declines = declines
        self._release = release
        self._buffer: list[Token] = []

    def add(self, token: Token) -> None:
        """Receives the next token."""
        if self.flowing:
            self._release((token,))
            return
        self._buffer.append(token)
        if len(self._buffer) == HELD_TOKENS and self._is_confident():
            self.flowing = True
            self._release(tuple(self._buffer))

    def end(self, tokens: Sequence[Token], *, release: bool) -> None:
        """Ends the answer; with `release`, releases it if it was held back."""
        if release and not self.flowing:
            self._release(tuple(tokens))

    def _is_confident(self) -> bool:
        text = "".join(token.text for token in self._buffer)
        uncertainty = measure_uncertainty(
            self._buffer, self._gate, abstained=admits_ignorance(text, self._declines)
        )
        return uncertainty.decision == "confident"
