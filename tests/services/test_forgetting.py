"""What is forgotten is nowhere on the disk: marks are found in each store before, and in none after.

The service runs with its real stores; only the model is a script. Records that nights would make are stored
directly.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import lancedb
import psycopg
import pytest
from psycopg import sql

from agent.feedback.pseudonyms import pseudonym
from agent.nights.statements.facts import statement_fact
from agent.settings import Settings
from api.app import create_app
from api.compose import Service
from memory.nights.attacks import Attacks
from memory.outbox.files import publish
from memory.records.curricula import Curriculum
from memory.records.nights import ArchivedAnswer, Topic
from memory.semantic.embedded import prepare, running
from tests.support.adapters import fact, pair
from tests.support.databases import new_postgresql, postgresql, template
from tests.support.nights import WHEN, attack, golden, night, revision, statement
from tests.support.preferences import preference, preference_set
from tests.support.tiny_model import FOLDER as TINY

__all__ = ["postgresql", "template"]
pytestmark = pytest.mark.services

ANN, BOB = "zqannmark", "zqbobmark"
"""Each user's texts hold their own mark; Bob is not forgotten."""
DOCUMENT = (
    "# The {mark} pump\n\nThe {mark} pump is a machine in Bergen. The {mark} pump was built in 1962."
    " It has a red lever.\n"
)


@asynccontextmanager
async def service(
    home: Path, database_url: str | None = None
) -> AsyncIterator[tuple[httpx.AsyncClient, Service]]:
    settings = Settings(
        home=home, model=str(TINY), engine="scripted", api_key=None, database_url=database_url
    )
    prepare(settings.path("graph"))
    async with running(settings.path("graph")):
        app = create_app(settings)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=120) as client,
        ):
            yield client, app.state.service


def places(home: Path, mark: str) -> set[str]:
    """The files and folders of the home in which the mark stands, in any of the usual encodings."""
    needles = {mark.encode(each) for each in ("utf-8", "utf-16-le", "utf-16-be")}
    needles.add(json.dumps(mark)[1:-1].encode())
    found = set()
    for path in (each for each in home.rglob("*") if each.is_file()):
        content = path.read_bytes().lower()
        if any(needle in content for needle in needles):
            found.add(path.relative_to(home).parts[0].removesuffix("-wal").removesuffix("-shm"))
    return found


async def fill(client: httpx.AsyncClient, opened: Service, mark: str, user: str) -> str:
    """Stores the mark wherever a user's or a document's texts get; returns the id of a thread."""
    runtime = opened.runtime
    unit = pseudonym(user, runtime.pseudonym_key)
    body = DOCUMENT.format(mark=mark).encode()
    added = await client.post(
        "/v1/documents",
        params={"source": f"{mark}.md"},
        content=body,
        headers={"content-type": "text/markdown"},
    )
    assert added.raise_for_status().json()["facts"] > 0
    asked = {
        "model": "nightschool",
        "user": user,
        "messages": [{"role": "user", "content": f"What is the secret of the {mark} in the attic?"}],
    }
    turn = (await client.post("/v1/chat/completions", json=asked)).raise_for_status().json()["id"]
    given = {"interaction_id": turn, "correction": f"It is the old {mark} chest."}
    (await client.post("/v1/feedback", json=given)).raise_for_status()
    thread = (await client.post("/threads", json={"metadata": {"user_id": user}})).raise_for_status().json()
    run = {
        "assistant_id": "chat",
        "input": {"messages": [{"role": "user", "content": f"Hello, I am {mark}."}]},
    }
    path = f"/threads/{thread['thread_id']}/runs/wait"
    (await client.post(path, json=run, timeout=120)).raise_for_status()
    item = {"namespace": ["notes", user], "key": "k", "value": {"text": f"the {mark} item"}}
    (await client.put("/store/items", json=item)).raise_for_status()

    turn_id = turn.removeprefix("chatcmpl-")
    text = f"the {mark} of the night"
    said = statement(f"s-{user}", unit=unit, text=text, subject=mark, object="Bern", interaction_id=turn_id)
    await runtime.nights.save_statements([said])
    await runtime.semantic.add([statement_fact(said)])
    await runtime.nights.save_revision(revision(f"r-{user}", interaction_id=turn_id, answer=text))
    await runtime.nights.save_golden([golden(f"g-{user}", source=turn_id, question=f"What is {text}?")])
    question = f"What is the secret of the {mark} in the attic?"
    tried = attack(f"x-{user}", interaction_id=turn_id, question=question, answer=text)
    await Attacks(runtime.database).save(tried)
    report = {"label": f"{mark}, lamp", "question": question}
    await runtime.nights.begin(night(f"n-{user}", domain=f"d-{user}", summary=report))
    questions = (question, "What is a lamp?")
    topic = Topic(
        id=f"t-{user}", night_id=f"n-{user}", domain="rust", label=(mark, "lamp"), questions=questions,
        count=2, units=1, created_at=WHEN,
    )  # fmt: skip
    await runtime.nights.save_topics(f"n-{user}", [topic])
    await runtime.answers.add(
        [
            ArchivedAnswer(
                id=f"a-{user}",
                domain="rust",
                question=text,
                answer=text,
                score=9,
                citations=(),
                source=turn_id,
                created_at=WHEN,
            )
        ]
    )
    outbox = opened.settings.path("outbox")
    taught = pair(fact("lamp"), f"What is {text}?")
    publish(
        outbox, Curriculum(topic="t", domain="rust", facts=(fact("lamp"),), pairs=(taught,), teacher="night")
    )
    publish(outbox, preference_set(count=1, pairs=[preference(text, source=turn_id)], held_out=[]))
    return str(thread["thread_id"])


STORES = {"episodic", "graph", "nightschool.db", "checkpoints.db", "items.db", "answers", "outbox"}


async def test_a_forgotten_user_and_document_are_on_no_byte_of_the_disk(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with service(home) as (client, opened):
        for mark, user in ((ANN, "ann"), (BOB, "bob")):
            await fill(client, opened, mark, user)
        assert places(home, ANN) >= STORES
        erased = (await client.delete("/v1/memory", params={"user": "ann"})).raise_for_status().json()
        assert erased["counts"]["turns"] == 2
        assert erased["counts"]["threads"] == 1
        assert erased["counts"]["lessons and preference sets"] == 2
        (await client.delete("/v1/memory", params={"source": f"{ANN}.md"})).raise_for_status()
        again = (await client.delete("/v1/memory", params={"user": "ann"})).raise_for_status().json()
        assert again == {"counts": {}, "taught": []}
        actions = [row.action for row in await opened.runtime.audit.list()]
        assert actions == ["memory.forget"] * 3
    assert places(home, ANN) == set()
    assert places(home, BOB) >= STORES
    assert not [*(home / "episodic").rglob("_deletions/*")]


TABLES = {
    "interactions", "feedback", "statements", "revisions", "golden_pairs", "attacks", "nights", "topics",
    "message_links", "store",
}  # fmt: skip


def tables_with(url: str, mark: str) -> set[str]:
    """The tables of a PostgreSQL database with a row that holds the mark, as text or as bytes."""
    found = set()
    with psycopg.connect(url) as connection:
        names = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, table in names:
            query = sql.SQL("SELECT 1 FROM {} AS held WHERE held::text ILIKE ANY(%s) LIMIT 1")
            needles = [f"%{mark}%", f"%{mark.encode().hex()}%"]
            if connection.execute(query.format(sql.Identifier(schema, table)), (needles,)).fetchone():
                found.add(table)
    return found


async def test_on_postgresql_no_row_holds_what_was_forgotten(
    tmp_path: Path, postgresql: Any, template: str
) -> None:
    home, url = tmp_path / "home", new_postgresql(postgresql, template)
    async with service(home, url) as (client, opened):
        for mark, user in ((ANN, "ann"), (BOB, "bob")):
            await fill(client, opened, mark, user)
        assert tables_with(url, ANN) >= TABLES
        erased = (await client.delete("/v1/memory", params={"user": "ann"})).raise_for_status().json()
        assert erased["counts"]["turns"] == 2
        assert erased["counts"]["threads"] == 1
        (await client.delete("/v1/memory", params={"source": f"{ANN}.md"})).raise_for_status()
        again = (await client.delete("/v1/memory", params={"user": "ann"})).raise_for_status().json()
        assert again == {"counts": {}, "taught": []}
    assert tables_with(url, ANN) == set()
    assert places(home, ANN) == set()
    assert tables_with(url, BOB) >= TABLES


async def test_few_deleted_passages_of_many_are_rewritten_too(tmp_path: Path) -> None:
    """LanceDB leaves a file in which less than a tenth is deleted, and compresses long columns."""
    home = tmp_path / "home"
    async with service(home) as (client, _):
        for number in range(40):
            await client.post(
                "/v1/documents",
                params={"source": f"doc-{number}.md"},
                content=DOCUMENT.format(mark=ANN if number == 20 else f"pump{number}").encode(),
                headers={"content-type": "text/markdown"},
            )
        (await client.delete("/v1/memory", params={"source": "doc-20.md"})).raise_for_status()
    assert not [*(home / "episodic").rglob("_deletions/*")]
    table = await (await lancedb.connect_async(home / "episodic")).open_table("passages")
    assert len(await table.list_versions()) == 1
    assert places(home, ANN) == set()


@pytest.mark.timeout(1800)  # it starts the service four times
def test_an_erasure_that_was_killed_is_completed_by_the_next_one(tmp_path: Path) -> None:
    home = tmp_path / "home"
    asyncio.run(fill_home(home))
    code = "import asyncio, sys; from tests.services.test_forgetting import forget_and_die; "
    code += "asyncio.run(forget_and_die(sys.argv[1], sys.argv[2]))"
    for step in ("_forget_documents", "_forget_threads"):
        command = [sys.executable, "-c", code, str(home), step]
        with subprocess.Popen(command, start_new_session=True) as process:
            assert process.wait(600) == -signal.SIGKILL
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its graph server
    asyncio.run(forget_all(home))
    assert places(home, ANN) == set()


async def fill_home(home: Path) -> None:
    async with service(home) as (client, opened):
        await fill(client, opened, ANN, "ann")


async def forget_all(home: Path) -> None:
    async with service(home) as (client, _):
        (await client.delete("/v1/memory", params={"user": "ann"})).raise_for_status()
        (await client.delete("/v1/memory", params={"source": f"{ANN}.md"})).raise_for_status()


async def forget_and_die(home: str, step: str) -> None:
    """Forgets ann, and kills this process where the step would begin."""
    from graphs.server.erasure import Erasure

    def die(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(Erasure, step, die)
    async with service(Path(home)) as (client, _):
        await client.delete("/v1/memory", params={"user": "ann"})
