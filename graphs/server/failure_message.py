"""What a run says of the failure that ended it."""

from agent.errors import AdapterNotLoaded, EngineUnavailable, TeacherError
from memory.errors import StorageError

PARTS: dict[type[Exception], str] = {
    EngineUnavailable: "the engine",
    AdapterNotLoaded: "the adapter",
    TeacherError: "the teacher",
    StorageError: "a store",
}
"""The part of the service that fails with an error."""


def failure_message(error: Exception, owner: str | None) -> str:
    """The message of an error for the owner of the run; None for admins, and for a service without keys.

    Messages of the service's own failures name paths and addresses: others are told which part failed.
    """
    part = next((part for kind, part in PARTS.items() if isinstance(error, kind)), None)
    if owner is None or part is None:
        return str(error)
    failed = getattr(error, "part", part)
    return f"{failed} is not available: try again later; the service's log says more"


def bug_message(error: Exception, owner: str | None) -> str:
    """The message for an unexpected error."""
    details = f": {error}" if owner is None else ""
    return f"a bug in Nightschool, {type(error).__name__}{details}; please report it"
