"""Errors of the stores; a caller's mistake raises ValueError instead.

StorageError
+-- StoreUnavailable      a store cannot be opened or reached
+-- CorruptRecord         stored bytes are not what was written
|   +-- BadSignature      something has no signature of who had to sign it
+-- IngestError           a document cannot be read
|   +-- NothingToRead     it can, but holds nothing that is read of its kind
+-- UnknownAdapter        no adapter with this name is registered
+-- AdapterNotServable    the adapter exists, but must not be served
+-- UnknownRun            no run with this id exists
+-- UnknownGap            no gap with this id exists
+-- UnknownInteraction    no interaction with this id exists, or not any more
+-- UnknownExperiment     no experiment with this id exists
+-- UnknownAnnotationItem no annotation item with this id exists
+-- AnnotationItemTaken   the annotation item wants no further judgement
+-- UnknownThread         no thread with this id exists
+-- UnknownAssistant      no assistant with this id or name exists
+-- UnknownCheckpoint     the thread has no checkpoint with this id
+-- AlreadyExists         something with this id already exists
+-- ThreadBusy            the thread's active run blocks the request
+-- RunLost               another process has taken over the run
+-- RollbackAsked         a rollback was requested just before the run ended
+-- UnknownKey            no API key with this id exists
+-- UnknownGrant          the owner has no grant on this domain
+-- UnknownDocument       no document of this name belongs to the caller
+-- PerspectiveTaken      documents of others speak from it
+-- UnknownPerspective    no document of the domain speaks from it
+-- UnknownSentence       no document holds this sentence, or it was not withdrawn
+-- DomainClosed          the caller has no grant to write a closed domain
+-- AdminsOnly            only an admin may ask for this
+-- UnknownCron           no cron with this id exists
+-- QuotaReached          the owner has as many of these as one owner may have
+-- UnknownNight          no night with this id exists
+-- UnknownRevision       no revision with this id exists, or not any more
+-- UnknownGolden         no golden pair with this id exists
+-- NotApproved           nothing outside the run says that this was verified and approved
|   +-- OwnApproval       whoever asked for a run cannot approve it
+-- WebhookFailed         a webhook could not be delivered
+-- SearchFailed          a search API did not answer as it should
"""


class StorageError(Exception):
    """A storage problem that an operator must act on; the message says what to do next."""


class StoreUnavailable(StorageError):
    """A store cannot be opened or reached.

    The message may name paths and addresses; `part` says to anybody which store it is.
    """

    def __init__(self, message: str, part: str = "a store") -> None:
        super().__init__(message)
        self.part = part


class CorruptRecord(StorageError):
    """Stored bytes are not what was written: a digest does not match, or a file is truncated."""


class BadSignature(CorruptRecord):
    """Something is not signed by who had to sign it, or was altered afterwards."""


class IngestError(StorageError):
    """A document cannot be read: empty, binary, too large, malformed or unreachable."""


class NothingToRead(IngestError):
    """A document is sound, but holds nothing that is read of its kind, such as code without comments."""


class UnknownAdapter(StorageError):
    """No adapter with this name is registered."""


class AdapterNotServable(StorageError):
    """The adapter exists, but its status forbids serving it."""


class UnknownRun(StorageError):
    """No run with this id exists."""


class UnknownGap(StorageError):
    """No gap with this id exists."""


class UnknownInteraction(StorageError):
    """No interaction with this id exists, or not any more."""


class UnknownExperiment(StorageError):
    """No experiment with this id exists."""


class UnknownAnnotationItem(StorageError):
    """No annotation item with this id exists."""


class AnnotationItemTaken(StorageError):
    """The annotation item wants no further judgement: it is closed, or others hold its leases."""


class UnknownThread(StorageError):
    """No thread with this id exists."""


class UnknownAssistant(StorageError):
    """No assistant with this id or name exists."""


class UnknownCheckpoint(StorageError):
    """The thread has no checkpoint with this id."""


class AlreadyExists(StorageError):
    """Something with this id already exists."""


class ThreadBusy(StorageError):
    """The thread's active run blocks the request."""


class UnknownKey(StorageError):
    """No API key with this id exists."""


class UnknownSentence(StorageError):
    """No document that the caller may change holds this sentence, or it was not withdrawn."""


class UnknownDocument(StorageError):
    """No document of this name belongs to the caller."""


class PerspectiveTaken(StorageError):
    """Documents of others speak from the perspective of this name."""


class UnknownPerspective(StorageError):
    """No document of the domain speaks from this perspective."""


class UnknownGrant(StorageError):
    """The owner has no grant on this domain."""


class NotApproved(StorageError):
    """No record outside the run says that this was verified and approved."""


class DomainClosed(StorageError):
    """The caller has no grant to write a closed domain."""


class AdminsOnly(StorageError):
    """Only an admin may ask for this."""


class OwnApproval(NotApproved):
    """Whoever asked for a run cannot approve it."""


class UnknownCron(StorageError):
    """No cron with this id exists."""


class QuotaReached(StorageError):
    """The owner has as many of these as one owner may have."""


class UnknownNight(StorageError):
    """No night with this id exists."""


class UnknownRevision(StorageError):
    """No revision with this id exists, or not any more."""


class UnknownGolden(StorageError):
    """No golden pair with this id exists."""


class WebhookFailed(StorageError):
    """A webhook could not be delivered: the receiver was unreachable or did not answer with 2xx."""


class RunLost(StorageError):
    """Another process has taken over the run, so this one must stop."""


class RollbackAsked(StorageError):
    """A rollback was requested just before the run ended."""


class SearchFailed(StorageError):
    """A search API cannot be reached, or did not answer as it should."""
