"""The page of `make bench-online`: goals, weeks, baselines, statistics and overhead."""

from collections.abc import Mapping, Sequence

from benchmarks.online.month import WEEKS
from benchmarks.online.records import Compared, Week
from benchmarks.parts import PartResult, parts_table
from memory.results import Goal, Result, Table, rows

NAME = "online"
PARTS = ("month", "baselines", "statistics", "overhead")
POINT = 1.0
"""Most points, of 100, that knowledge may lose."""
WON = Goal(at=">=", bound=0.65)
"""Of the win rate after the clean weeks."""
GOALS = {
    "knowledge lost, points": Goal(at="<=", bound=POINT),
    "known questions lost, points": Goal(at="<=", bound=POINT),
    "poisoned week, win rate over the week before": Goal(at=">=", bound=0.5),
    "false promotions at 40 peeks": Goal(at="<=", bound=0.05),
    "sample ratio mismatches found": Goal(at=">=", bound=0.95),
}
WEEKS_TEXT = """`win rate`: of what is live at the week's end over the base model, by the honest users' \
hidden tastes on held-out prompts; a tie counts half. `candidate`: of the week's adapter over what was live. \
`recovered`: share of the week's pairs whose chosen answer is worth more by the population's taste; ties \
are left out. `known`: of the model's known questions, those answered rightly by the base model and by what \
is live, asked through the api. `experiment`: an undecided one goes on in the next week, which trains \
nothing before it is decided."""
POISONED_TEXT = """ Week {week} is poisoned: a fifth of its feedback says the opposite, and one of its three \
annotators chooses at random."""


def month_figures(weeks: Sequence[Week]) -> dict[str, float]:
    """Figures of the finished weeks; those of a week that is not there are left out."""
    figures: dict[str, float] = {}
    for week in weeks:
        figures[f"win rate, week {week.number}"] = week.win_rate
        if week.recovered is not None:
            figures[f"agreement recovered, week {week.number}"] = week.recovered
        figures[f"minutes, week {week.number}"] = sum(week.seconds.values()) / 60
    clean = [week for week in weeks if not week.poisoned]
    if clean:
        figures[win_rate_after(len(clean))] = clean[-1].win_rate
    if weeks:
        last = weeks[-1]  # the poisoned one too: what is live at the end is what users have
        if last.known_before is not None and last.known_after is not None:
            figures["known questions lost, points"] = 100 * (last.known_before - last.known_after)
        if last.knowledge_lost is not None:
            figures["knowledge lost, points"] = 100 * last.knowledge_lost
    for week in weeks:
        if week.poisoned:
            figures["poisoned week, win rate over the week before"] = week.win_over_before
            figures["poisoned week, promotions"] = float(week.promoted)
    return figures


def win_rate_after(weeks: int) -> str:
    """The figure's name; fewer weeks than the goal's four are named, and have to reach it all the same."""
    return f"win rate after {weeks} week{'s' if weeks > 1 else ''}"


def weeks_table(weeks: Sequence[Week]) -> Table:
    """One line a week."""
    poisoned = "".join(POISONED_TEXT.format(week=week.number) for week in weeks if week.poisoned)
    head = (
        "week", "turns", "feedback", "judged", "pairs", "recovered", "candidate", "gates", "experiment",
        "win rate", "known", "minutes",
    )  # fmt: skip
    return Table(
        title="Weeks",
        text=WEEKS_TEXT + poisoned,
        head=head,
        rows=tuple(
            (
                str(week.number),
                str(week.traffic.turns),
                str(week.traffic.feedback),
                str(week.judged),
                str(week.pairs),
                _share(week.recovered),
                _share(week.candidate_win_rate),
                _gates(week),
                week.tried or "none",
                _share(week.win_rate),
                f"{_share(week.known_before)} > {_share(week.known_after)}",
                f"{sum(week.seconds.values()) / 60:.1f}",
            )
            for week in weeks
        ),
    )


def minutes_table(weeks: Sequence[Week]) -> Table:
    """Where each week's time went."""
    parts = list(dict.fromkeys(part for week in weeks for part in week.seconds))
    return Table(
        title="Minutes",
        text="By part of the week; `train` holds the gates' measurements, `measure` those of this page.",
        head=("week", *parts),
        rows=tuple(
            (str(week.number), *(f"{week.seconds.get(part, 0.0) / 60:.1f}" for part in parts))
            for week in weeks
        ),
    )


def decisions_table(weeks: Sequence[Week]) -> Table:
    """Why each week ended as it did."""
    return Table(
        title="Decisions",
        text="Reasons of the gates and of the experiments, as the service gives them.",
        head=("week", "live at its end", "reason"),
        rows=tuple(
            (
                str(week.number),
                week.live or "the base model",
                "; ".join((*week.rejected, *week.notes)),
            )
            for week in weeks
        ),
    )


def baselines_table(compared: Sequence[Compared]) -> Table:
    """One line a model."""
    return Table(
        title="Baselines",
        text="All learned the first week's pairs from the base model, and answer the same held-out "
        "prompts in one process, without gate and sources. `known`: of the known questions, "
        "those answered rightly.",
        head=("model", "win rate", "known", "training, s", "note"),
        rows=tuple(
            (row.name, _share(row.win_rate), _share(row.known), f"{row.seconds:.0f}", row.failed)
            for row in compared
        ),
    )


def unavailable_table(reasons: Mapping[str, str]) -> Table:
    """What this machine lacks."""
    return Table(
        title="Not measured",
        text="What could not be installed or started on this machine.",
        head=("part", "reason"),
        rows=tuple((part, " ".join(reason.split())) for part, reason in reasons.items()),
    )


def month_tables(weeks: Sequence[Week]) -> list[Table]:
    """What happened in the weeks, and why they ended as they did."""
    return [weeks_table(weeks), decisions_table(weeks), minutes_table(weeks)] if weeks else []


def result(found: Mapping[str, PartResult], *, quick: bool, command: str, model: str) -> Result:
    """The page of all parts that have run; a quick one has only the goals whose figures were measured."""
    figures = {name: value for part in found.values() for name, value in part.figures.items()}
    reached = [name for name in map(win_rate_after, range(WEEKS, 0, -1)) if name in figures]
    goals = dict.fromkeys((win_rate_after(WEEKS), *reached[:1]), WON) | GOALS
    everything = Table(
        title="All figures",
        text=f"Everything that was measured. The model is {model}.",
        head=("figure", "measured"),
        rows=rows(list(figures.items())),
    )
    return Result(
        name=f"{NAME}-quick" if quick else NAME,
        title="The online loop: feedback, preferences, experiments",
        command=command,
        seconds=sum(part.seconds for part in found.values()),
        figures=figures,
        goals={key: goal for key, goal in goals.items() if key in figures} if quick else goals,
        tables=(
            parts_table(found, PARTS),
            *(table for part in found.values() for table in part.tables),
            everything,
        ),
    )


def _gates(week: Week) -> str:
    if week.candidate is None:
        return "no adapter"
    return "failed" if week.rejected else "passed"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
