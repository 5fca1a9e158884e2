"""Owns when a streamed answer may begin to flow: its first tokens are held until the gate can speak.

Measures nothing beyond single tokens; the whole answer is judged in `entropy`, once it is there.
"""

from collections.abc import Callable, Sequence

from agent.engine import NEED_INFO, Token
from agent.entropy import gate

HELD_TOKENS = 12
"""Of 69 unsure answers of the shipped model (in 400) that did not abstain, 66 showed it in their first 8
tokens and all in their first 12; half of its answers are no longer than 10."""


class Holding:
    """An answer's beginning, kept back: it flows once HELD_TOKENS tokens are there, all of them confident.

    One token among them that is not, or an abstention, keeps back the whole answer until `end`. What has
    begun to flow cannot be taken back, whatever its later tokens show.
    """

    def __init__(self, threshold: float, release: Callable[[Sequence[Token]], None]) -> None:
        """`threshold` is the gate in nats; `release` gets every token once, in order."""
        self.flowing = False
        self._threshold = threshold
        self._release = release
        self._held: list[Token] = []
        self._sure = True

    def hear(self, token: Token) -> None:
        """Takes the next token."""
        if self.flowing:
            self._release((token,))
            return
        self._held.append(token)
        self._sure = self._sure and gate(token.entropy, self._threshold) == "confident"
        abstaining = NEED_INFO in "".join(held.text for held in self._held)
        if self._sure and not abstaining and len(self._held) >= HELD_TOKENS:
            self.flowing = True
            self._release(tuple(self._held))

    def end(self, tokens: Sequence[Token], *, confident: bool) -> None:
        """The answer is complete: all its tokens are released if it is confident and none flowed before."""
        if confident and not self.flowing:
            self._release(tuple(tokens))
