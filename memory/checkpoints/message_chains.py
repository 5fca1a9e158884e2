"""Message chains: each message of a checkpointed conversation is kept once, however long the talk.

LangGraph's savers keep a conversation whole in every checkpoint. Here a message is a link, named by the
digest of itself and of the link before it (a hash chain), and a checkpoint names its last link. States that
went different ways share what they have in common.
"""

import hashlib
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple, TypeGuard

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

CHANNEL = "messages"
"""The channel whose messages are kept so."""
MARK = "chain:"
"""A checkpoint holds this and a digest in place of the messages."""
TABLE = "message_links"
COLUMNS = "digest, parent, type, message"

Statement = tuple[str, tuple[Any, ...]]


class Link(NamedTuple):
    """One message, and what came before it."""

    digest: str
    parent: str | None
    type: str
    message: bytes


class ChainedSaver(BaseCheckpointSaver[str]):
    """What is put before a saver so that it keeps each message once; SQL is written with `?`."""

    @abstractmethod
    async def _run(self, *statements: Statement) -> None:
        """Executes in one transaction."""

    @abstractmethod
    async def _rows(self, query: str, parameters: tuple[Any, ...]) -> Sequence[tuple[Any, ...]]:
        """What a query finds."""

    @abstractmethod
    def _alone(self, thread_id: str) -> AbstractAsyncContextManager[None]:
        """Keeps others from adding or dropping links of the thread."""

    async def create_links_table(self, blob: str) -> None:
        """Makes the table, unless it is there; `blob` is the database's type for bytes."""
        await self._run(
            (
                f"CREATE TABLE IF NOT EXISTS {TABLE} (thread_id TEXT NOT NULL, digest TEXT NOT NULL,"
                f" parent TEXT, type TEXT NOT NULL, message {blob} NOT NULL,"
                " PRIMARY KEY (thread_id, digest))",
                (),
            )
        )

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """See the base class."""
        messages = checkpoint["channel_values"].get(CHANNEL)
        if _is_conversation(messages):
            thread_id = config["configurable"]["thread_id"]
            chain = _links(messages, self.serde)
            values = checkpoint["channel_values"] | {CHANNEL: MARK + chain[-1].digest}
            checkpoint = {**checkpoint, "channel_values": values}
            async with self._alone(thread_id):  # until a checkpoint names them, the links are loose
                await self._add(thread_id, chain)
                return await super().aput(config, checkpoint, metadata, new_versions)
        return await super().aput(config, checkpoint, metadata, new_versions)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """See the base class."""
        found = await super().aget_tuple(config)
        return None if found is None else (await self._joined([found]))[0]

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """See the base class."""
        past = super().alist(config, filter=filter, before=before, limit=limit)
        for found in await self._joined([found async for found in past]):
            yield found

    async def adelete_thread(self, thread_id: str) -> None:
        """See the base class."""
        await super().adelete_thread(thread_id)
        await self._run((f"DELETE FROM {TABLE} WHERE thread_id = ?", (thread_id,)))

    async def drop_unreferenced_links(self, thread_id: str) -> None:
        """Deletes the messages that none of the thread's checkpoints holds any more."""
        async with self._alone(thread_id):
            await self._drop_loose_links(thread_id)

    async def _drop_loose_links(self, thread_id: str) -> None:
        past = super().alist({"configurable": {"thread_id": thread_id}})
        tips = [tip async for found in past if (tip := _tip(found)) is not None]
        links = f"SELECT digest, parent FROM {TABLE} WHERE thread_id = ?"
        parents = {str(digest): parent for digest, parent in await self._rows(links, (thread_id,))}
        held: set[str | None] = {None}
        for tip in tips:
            held.update(_walk(tip, parents, held))
        delete = f"DELETE FROM {TABLE} WHERE thread_id = ? AND digest = ?"
        await self._run(*((delete, (thread_id, digest)) for digest in parents.keys() - held))

    async def _add(self, thread_id: str, chain: Sequence[Link]) -> None:
        """Keeps the links that are new: where one is there, so are those before it."""
        there = f"SELECT 1 FROM {TABLE} WHERE thread_id = ? AND digest = ?"
        new: list[Link] = []
        for link in reversed(chain):
            if await self._rows(there, (thread_id, link.digest)):
                break
            new.append(link)
        insert = f"INSERT INTO {TABLE} (thread_id, {COLUMNS}) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        await self._run(*((insert, (thread_id, *link)) for link in new))

    async def _joined(self, past: Sequence[CheckpointTuple]) -> list[CheckpointTuple]:
        """The checkpoints with their messages in place."""
        known: dict[str, Link] = {}
        parents: dict[str, str | None] = {}
        joined = []
        for found in past:
            if (tip := _tip(found)) is not None:
                if tip not in known:
                    new = await self._chain(found.config["configurable"]["thread_id"], tip)
                    known |= new
                    parents |= {digest: link.parent for digest, link in new.items()}
                chain = [known[digest] for digest in _walk(tip, parents, {None})]
                messages = [self.serde.loads_typed((link.type, link.message)) for link in reversed(chain)]
                values = found.checkpoint["channel_values"] | {CHANNEL: messages}
                found = found._replace(checkpoint={**found.checkpoint, "channel_values": values})
            joined.append(found)
        return joined

    async def _chain(self, thread_id: str, tip: str) -> dict[str, Link]:
        """The link and all before it. Raises ValueError where one is missing."""
        query = (
            f"WITH RECURSIVE chain AS (SELECT {COLUMNS} FROM {TABLE} WHERE thread_id = ? AND digest = ?"
            f" UNION ALL SELECT link.digest, link.parent, link.type, link.message FROM {TABLE} AS link"
            f" JOIN chain ON link.digest = chain.parent WHERE link.thread_id = ?) SELECT {COLUMNS} FROM chain"
        )
        links = [Link(*row) for row in await self._rows(query, (thread_id, tip, thread_id))]
        if not links or links[-1].parent is not None:
            raise ValueError(f"thread {thread_id}: messages of its checkpoints are missing from the store")
        return {link.digest: link for link in links}


def _is_conversation(messages: Any) -> TypeGuard[list[BaseMessage]]:
    """Whether it is messages and nothing else, and at least one."""
    return (
        isinstance(messages, list)
        and bool(messages)
        and all(isinstance(message, BaseMessage) for message in messages)
    )


def _links(messages: Iterable[BaseMessage], serde: SerializerProtocol) -> list[Link]:
    chain: list[Link] = []
    for message in messages:
        parent = chain[-1].digest if chain else None
        kind, data = serde.dumps_typed(message)
        digest = hashlib.sha256(f"{parent}:{kind}:".encode() + data).hexdigest()
        chain.append(Link(digest, parent, kind, data))
    return chain


def _tip(found: CheckpointTuple) -> str | None:
    value = found.checkpoint["channel_values"].get(CHANNEL)
    return value.removeprefix(MARK) if isinstance(value, str) and value.startswith(MARK) else None


def _walk(tip: str, parents: Mapping[str, str | None], until: set[str | None]) -> Iterable[str]:
    """The digests from the tip back, up to one of `until`."""
    at: str | None = tip
    walked = []
    while at is not None and at not in until:
        walked.append(at)
        at = parents[at]
    return walked
