"""`nightschool week` says what is due, and the command for it."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from agent.feedback.annotation_files import FileFormat, export_file
from api.cli.client import Client
from api.cli.week import MAX_TURNS, Standing, Step, standing, steps_of
from memory.records.feedback import AnnotationItem, Judgement
from tests.support.preferences import prompt

NOW = datetime(2026, 3, 4, tzinfo=UTC)
ADAPTER = "general-v2-1f9c2a7e"
NOTHING = Standing(
    domain="general",
    since=None,
    turns=0,
    open_items=0,
    judged=0,
    untrained=(),
    training=(),
    candidates=(),
    rejected=None,
    experiments=(),
    live=None,
)


def due(**changes: object) -> list[str]:
    return [step.step for step in steps_of(NOTHING._replace(**changes), NOW) if step.due]


def step(name: str, **changes: object) -> Step:
    return next(each for each in steps_of(NOTHING._replace(**changes), NOW) if each.step == name)


def experiment(status: str, adapter: str = ADAPTER) -> dict[str, object]:
    return {
        "id": "e1",
        "name": "candidate",
        "status": status,
        "variants": [{"name": "control", "adapter": None}, {"name": "candidate", "adapter": adapter}],
        "log": [{"reason": "the planned 1000 units were reached"}],
    }


OF_LATER_WEEK = experiment("promoted", "general-v3-00000000")


def test_nothing_is_due_on_a_new_service_and_all_steps_are_shown_in_order() -> None:
    assert due() == []
    names = [each.step for each in steps_of(NOTHING, NOW)]
    assert names == ["export", "sample", "annotate", "build", "train", "evaluate", "ab", "deploy"]


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({"turns": 5}, ["export", "sample"]),
        ({"turns": 5, "open_items": 2}, ["export", "annotate"]),
        ({"turns": 5, "judged": 2}, ["export", "build"]),
        ({"untrained": ("d1",)}, ["train"]),
        ({"untrained": ("d1",), "training": ("d2",)}, []),
        ({"rejected": ADAPTER}, ["evaluate"]),
        ({"candidates": (ADAPTER,)}, ["ab"]),
        ({"candidates": (ADAPTER,), "experiments": [experiment("running")]}, ["ab"]),
        ({"candidates": (ADAPTER,), "experiments": [experiment("rolled_back")]}, []),
        ({"candidates": (ADAPTER,), "experiments": [experiment("stopped")]}, ["deploy"]),
        ({"live": ADAPTER, "experiments": [experiment("promoted")]}, []),
        ({"candidates": ("general-v3-00000000",), "experiments": [experiment("promoted")]}, ["ab"]),
        ({"candidates": (ADAPTER,), "experiments": [OF_LATER_WEEK, experiment("rolled_back")]}, []),
        ({"candidates": (ADAPTER,), "experiments": [OF_LATER_WEEK, experiment("stopped")]}, []),
    ],
)
def test_a_step_is_due_when_there_is_something_to_do(changes: dict[str, object], steps: list[str]) -> None:
    assert due(**changes) == steps


def test_commands_name_what_they_are_about() -> None:
    assert step("train", untrained=("d1", "d0")).command == "nightschool preferences train d1 --follow"
    assert (
        step("ab", candidates=(ADAPTER,)).command
        == f"nightschool ab start general --variant candidate={ADAPTER}"
    )
    assert step("ab", experiments=[experiment("running")]).command == "nightschool ab status e1"
    tried = step("deploy", candidates=(ADAPTER,), experiments=[experiment("stopped")])
    assert tried.command == f"nightschool adapters promote {ADAPTER}"
    assert "the planned 1000 units were reached" in tried.state


def test_the_period_begins_where_the_last_set_ended() -> None:
    sampled = step("sample", turns=3, since="2026-03-01T10:00:00Z")
    assert sampled.command == (
        "nightschool annotate sample --batch week-2026-10 --count 50 --domain general"
        " --since 2026-03-01T10:00:00Z"
    )
    assert sampled.state == "3 turns since 2026-03-01 10:00"


def test_very_many_turns_are_not_counted_to_the_end() -> None:
    assert step("export", turns=MAX_TURNS).state == f"{MAX_TURNS}+ turns"


class Annotated:
    """A service with items drawn and judged at times, and nothing else."""

    def __init__(self, *items: tuple[datetime, datetime], since: datetime | None) -> None:
        self.items = [
            AnnotationItem(
                id=f"a{number}",
                batch="b",
                interaction_id=None,
                domain="general",
                messages=prompt("What is A?"),
                a="a value",
                b="a name",
                a_source="served",
                b_source="sampled",
                status="done",
                created_at=drawn,
            )
            for number, (drawn, _) in enumerate(items)
        ]
        self.judgements = [
            Judgement(item_id=item.id, annotator="ada", choice="a", created_at=judged)
            for item, (_, judged) in zip(self.items, items, strict=True)
        ]
        self.since = since

    def entries(self, path: str, id: str, **query: str | int | None) -> Any:
        return self.get(path, **query)

    def get(self, path: str, **query: str | int | None) -> Any:
        if path == "/v1/preferences" and self.since is not None:
            return [{"domain": "general", "until": self.since.isoformat(), "training": None, "digest": "d1"}]
        if path == "/v1/annotation/items":
            found = self.items if query["status"] == "done" else []
            return {"items": [item.model_dump(mode="json") for item in found]}
        return []

    def download(self, path: str, *, format: FileFormat, domain: str, since: str) -> bytes:
        begin = datetime.fromisoformat(since).replace(tzinfo=UTC)
        judged = [each for each in self.judgements if each.created_at >= begin]
        ids = {each.item_id for each in judged}
        text, _ = export_file(format, [item for item in self.items if item.id in ids], judged, reveal=False)
        return text.encode()


@pytest.mark.parametrize(("since", "judged"), [(None, 3), (NOW, 2)])
def test_what_was_judged_since_the_last_set_counts_whenever_it_was_drawn(
    since: datetime | None, judged: int
) -> None:
    day = timedelta(days=1)
    service = Annotated((NOW - 2 * day, NOW - day), (NOW - day, NOW + day), (NOW, NOW + day), since=since)
    assert standing(cast(Client, service), "general").judged == judged
