"""Owns the storage error tree; what a caller did wrong is a ValueError instead.

StorageError
+-- StoreUnavailable      a store cannot be opened or reached
+-- CorruptRecord         stored bytes are not what was written
+-- IngestError           a document cannot be read
+-- UnknownAdapter        no adapter of that name is registered
+-- AdapterNotServable    the adapter exists, but must not be served
+-- UnknownRun            no run of that id exists
+-- UnknownGap            no gap of that id exists
"""


class StorageError(Exception):
    """Something an operator must act on; the message says what to do next."""


class StoreUnavailable(StorageError):
    """A store cannot be opened or reached."""


class CorruptRecord(StorageError):
    """Stored bytes are not what was written: a digest does not match, or a file is truncated."""


class IngestError(StorageError):
    """A document cannot be read: empty, binary, too large, malformed or unreachable."""


class UnknownAdapter(StorageError):
    """No adapter of that name is registered."""


class AdapterNotServable(StorageError):
    """The adapter exists, but its status forbids serving it."""


class UnknownRun(StorageError):
    """No run of that id exists."""


class UnknownGap(StorageError):
    """No gap of that id exists."""
