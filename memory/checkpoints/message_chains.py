"""Message chains: stores each message of a checkpointed conversation only once.

LangGraph's savers store the whole conversation in every checkpoint. Here each message is a link of a hash
chain, named by the digest of the message and of the previous link, and a checkpoint stores only the digest of
its last link. Conversations that branch share the links they have in common.
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
"""The state channel whose messages are stored as a chain."""
MARK = "chain:"
"""In a checkpoint, this prefix and a digest stand in for the messages."""
TABLE = "message_links"
COLUMNS = "digest, parent, type, message"

Statement = tuple[str, tuple[Any, ...]]


class Link(NamedTuple):
    """One message with its digest and the digest of the previous link (None for the first)."""

    digest: str
    parent: str | None
    type: str
    message: bytes


class ChainedSaver(BaseCheckpointSaver[str]):
    """Mixin for a LangGraph saver that stores each message once; SQL placeholders are `?`."""

    @abstractmethod
    async def _run(self, *statements: Statement) -> None:
        """Executes the statements in one transaction."""

    @abstractmethod
    async def _rows(self, query: str, parameters: tuple[Any, ...]) -> Sequence[tuple[Any, ...]]:
        """The rows of a query."""

    @abstractmethod
    def _thread_lock(self, thread_id: str) -> AbstractAsyncContextManager[None]:
        """Excludes other writers from adding or deleting links of the thread."""

    async def create_links_table(self, blob: str) -> None:
        """Creates the table of links if missing; `blob` is the database's type for bytes."""
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
            # Under the lock, because links without a checkpoint count as unreferenced and may be deleted.
            async with self._thread_lock(thread_id):
                await self._add(thread_id, chain)
                return await super().aput(config, checkpoint, metadata, new_versions)
        return await super().aput(config, checkpoint, metadata, new_versions)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """See the base class."""
        checkpoint = await super().aget_tuple(config)
        return None if checkpoint is None else (await self._with_messages([checkpoint]))[0]

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """See the base class."""
        history = super().alist(config, filter=filter, before=before, limit=limit)
        for checkpoint in await self._with_messages([checkpoint async for checkpoint in history]):
            yield checkpoint

    async def adelete_thread(self, thread_id: str) -> None:
        """See the base class."""
        await super().adelete_thread(thread_id)
        await self._run((f"DELETE FROM {TABLE} WHERE thread_id = ?", (thread_id,)))

    async def drop_unreferenced_links(self, thread_id: str) -> None:
        """Deletes the messages that no checkpoint of the thread refers to any more."""
        async with self._thread_lock(thread_id):
            await self._drop_unreferenced_links(thread_id)

    async def _drop_unreferenced_links(self, thread_id: str) -> None:
        history = super().alist({"configurable": {"thread_id": thread_id}})
        last_links = [last async for checkpoint in history if (last := _last_link(checkpoint)) is not None]
        links = f"SELECT digest, parent FROM {TABLE} WHERE thread_id = ?"
        parents = {str(digest): parent for digest, parent in await self._rows(links, (thread_id,))}
        reachable: set[str | None] = {None}
        for last in last_links:
            reachable.update(_walk_back(last, parents, reachable))
        delete = f"DELETE FROM {TABLE} WHERE thread_id = ? AND digest = ?"
        await self._run(*((delete, (thread_id, digest)) for digest in parents.keys() - reachable))

    async def _add(self, thread_id: str, chain: Sequence[Link]) -> None:
        """Stores the links that are new; if one is already stored, so are all links before it."""
        exists = f"SELECT 1 FROM {TABLE} WHERE thread_id = ? AND digest = ?"
        new: list[Link] = []
        for link in reversed(chain):
            if await self._rows(exists, (thread_id, link.digest)):
                break
            new.append(link)
        insert = f"INSERT INTO {TABLE} (thread_id, {COLUMNS}) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        await self._run(*((insert, (thread_id, *link)) for link in new))

    async def _with_messages(self, checkpoints: Sequence[CheckpointTuple]) -> list[CheckpointTuple]:
        """The checkpoints with their messages restored."""
        loaded: dict[str, Link] = {}
        parents: dict[str, str | None] = {}
        restored = []
        for checkpoint in checkpoints:
            if (last := _last_link(checkpoint)) is not None:
                if last not in loaded:
                    links = await self._load_chain(checkpoint.config["configurable"]["thread_id"], last)
                    loaded |= links
                    parents |= {digest: link.parent for digest, link in links.items()}
                chain = [loaded[digest] for digest in _walk_back(last, parents, {None})]
                messages = [self.serde.loads_typed((link.type, link.message)) for link in reversed(chain)]
                values = checkpoint.checkpoint["channel_values"] | {CHANNEL: messages}
                checkpoint = checkpoint._replace(
                    checkpoint={**checkpoint.checkpoint, "channel_values": values}
                )
            restored.append(checkpoint)
        return restored

    async def _load_chain(self, thread_id: str, last: str) -> dict[str, Link]:
        """A link and all links before it, by digest. Raises ValueError if one is missing."""
        query = (
            f"WITH RECURSIVE chain AS (SELECT {COLUMNS} FROM {TABLE} WHERE thread_id = ? AND digest = ?"
            f" UNION ALL SELECT link.digest, link.parent, link.type, link.message FROM {TABLE} AS link"
            f" JOIN chain ON link.digest = chain.parent WHERE link.thread_id = ?) SELECT {COLUMNS} FROM chain"
        )
        links = [Link(*row) for row in await self._rows(query, (thread_id, last, thread_id))]
        if not links or links[-1].parent is not None:
            raise ValueError(f"thread {thread_id}: messages of its checkpoints are missing from the store")
        return {link.digest: link for link in links}


def _is_conversation(messages: Any) -> TypeGuard[list[BaseMessage]]:
    """Whether the value is a non-empty list of messages."""
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


def _last_link(checkpoint: CheckpointTuple) -> str | None:
    """The digest of the checkpoint's last message; None if its messages are not stored as a chain."""
    value = checkpoint.checkpoint["channel_values"].get(CHANNEL)
    return value.removeprefix(MARK) if isinstance(value, str) and value.startswith(MARK) else None


def _walk_back(last: str, parents: Mapping[str, str | None], until: set[str | None]) -> Iterable[str]:
    """The digests from the last link backwards, stopping before any digest in `until`."""
    digest: str | None = last
    digests = []
    while digest is not None and digest not in until:
        digests.append(digest)
        digest = parents[digest]
    return digests
