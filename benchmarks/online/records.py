"""Records of a simulated month, one line a week, so that a month which was broken off goes on."""

from pathlib import Path

from benchmarks.online.chatting import Traffic
from memory.records.base import AdapterName, Digest, Record


class Week(Record):
    """One week: what was done in it, and what it left live."""

    number: int
    poisoned: bool = False
    since: str
    """Start of the week, as the service's clock had it."""
    traffic: Traffic = Traffic()
    rounds: int = 0
    """Rounds of chats."""
    sampled: int = 0
    judged: int = 0
    careless: tuple[str, ...] = ()
    """Annotators whose judgements the service leaves out."""
    pairs: int = 0
    """Pairs to train and to hold out; 0 if no set could be built."""
    origins: dict[str, int] = {}
    """Pairs by origin."""
    recovered: float | None = None
    """Share of the pairs whose chosen answer is worth more by the population's taste; ties left out."""
    digest: Digest | None = None
    candidate: AdapterName | None = None
    rejected: tuple[str, ...] = ()
    """Why the candidate did not pass its gates."""
    experiments: dict[str, str] = {}
    """Status of the week's experiments at its end, by the name that the week of their start gave them."""
    notes: tuple[str, ...] = ()
    """Reasons of the experiments' last decisions, or why there was none."""
    live: AdapterName | None = None
    """Adapter that is live at the week's end; None for the base model."""
    win_rate: float = 0.5
    """Of what is live at the week's end over the base model."""
    win_over_before: float = 0.5
    """Of what is live at the week's end over what was live at its start."""
    candidate_win_rate: float | None = None
    """Of the candidate over what was live, promoted or not."""
    known_before: float | None = None
    known_after: float | None = None
    """Share of the card's known questions that the base model and what is live answer rightly, through the
    api."""
    knowledge_lost: float | None = None
    """Accuracy on general questions that the base model has over what is live, in the worker's evaluation."""
    seconds: dict[str, float] = {}
    """Seconds of the week's parts."""

    @property
    def undecided(self) -> str | None:
        """Name of the experiment that goes on after the week."""
        return next((name for name, status in self.experiments.items() if status == "running"), None)

    @property
    def tried(self) -> str:
        """The week's experiments, in words; empty if there were none."""
        return ", ".join(f"{name} {status}" for name, status in self.experiments.items())

    def noting(self, reason: str) -> "Week":
        """The week with one more note."""
        return self.model_copy(update={"notes": (*self.notes, reason)})

    @property
    def promoted(self) -> bool:
        """Whether the week's candidate is live at its end."""
        return self.candidate is not None and self.live == self.candidate


class Weeks:
    """The finished weeks, in a JSON Lines file; a line that a crash cut off is ignored."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.all: list[Week] = []
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            try:
                self.all.append(Week.model_validate_json(line))
            except ValueError:
                break

    def add(self, week: Week) -> None:
        """Keeps one more finished week."""
        self.all.append(week)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lines = (each.model_dump_json() + "\n" for each in self.all)
        unfinished = self._path.with_suffix(".new")
        unfinished.write_text("".join(lines), encoding="utf-8")
        unfinished.replace(self._path)


class Compared(Record):
    """The figures of one way to learn the first week's pairs."""

    name: str
    win_rate: float | None = None
    """Over the base model, on the held-out prompts."""
    known: float | None = None
    """Share of the known questions that it answers rightly."""
    seconds: float = 0.0
    """Of its training; 0 where it was trained elsewhere."""
    failed: str = ""
