"""The protocol of counting what the graphs do, for the operator's metrics; and one that counts nothing."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from graphs.state import ChatState


class Meter(Protocol):
    """Counts what the graphs do. Every method is called on a path where a client waits."""

    def turn(self, state: "ChatState", seconds: float) -> None:
        """Counts a finished chat turn."""
        ...

    def second_attempt(self) -> None:
        """Counts a bad answer that is tried again from the sources."""
        ...

    def run_ended(self, graph: str, status: str) -> None:
        """Counts a run that was worked on to its end."""
        ...


class NoMeter:
    """Counts nothing."""

    def turn(self, state: "ChatState", seconds: float) -> None:
        """Counts nothing."""

    def second_attempt(self) -> None:
        """Counts nothing."""

    def run_ended(self, graph: str, status: str) -> None:
        """Counts nothing."""
