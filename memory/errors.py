"""Storage errors; a caller's mistake is a ValueError instead.

StorageError
+-- StoreUnavailable      a store cannot be opened or reached
+-- CorruptRecord         stored bytes are not what was written
+-- IngestError           a document cannot be read
+-- UnknownAdapter        no adapter of that name is registered
+-- AdapterNotServable    the adapter exists, but must not be served
+-- UnknownRun            no run of that id exists
+-- UnknownGap            no gap of that id exists
+-- UnknownThread         no thread of that id exists
+-- UnknownAssistant      no assistant of that id or name exists
+-- UnknownCheckpoint     the thread has no checkpoint of that id
+-- AlreadyExists         something of that id exists already
+-- ThreadBusy            a thread's active run does not allow what was asked for
+-- RunLost               another process works on the run now
+-- RollbackAsked         the run was asked to undo itself just before it ended
+-- UnknownKey            no API key of that id exists
+-- UnknownCron           no cron of that id exists
+-- WebhookFailed         a webhook could not be told
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


class UnknownThread(StorageError):
    """No thread of that id exists."""


class UnknownAssistant(StorageError):
    """No assistant of that id or name exists."""


class UnknownCheckpoint(StorageError):
    """The thread has no checkpoint of that id."""


class AlreadyExists(StorageError):
    """Something of that id exists already."""


class ThreadBusy(StorageError):
    """A thread's active run does not allow what was asked for."""


class UnknownKey(StorageError):
    """No API key has this id."""


class UnknownCron(StorageError):
    """No cron has this id."""


class WebhookFailed(StorageError):
    """Whoever was to be told of a run's end did not take it."""


class RunLost(StorageError):
    """Another process works on the run now, so this one must stop."""


class RollbackAsked(StorageError):
    """The run was asked to undo itself just before it ended."""
