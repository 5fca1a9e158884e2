"""Deletes the weights of adapters that learned what is forgotten, as soon as no domain is served by them.

The worker does it, because in every deployment it is the one that may write adapters.
"""

import logging
import time
from collections.abc import Callable

from memory.adapters.mlflow import MlflowAdapterRegistry
from memory.errors import StorageError

log = logging.getLogger(__name__)

SECONDS = 60.0
"""Between two looks. A look reads the records of all adapters whose weights are still there."""


class ForgottenWeights:
    """Looks for them now and then; what fails is tried again at the next look."""

    def __init__(
        self,
        registry: MlflowAdapterRegistry,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._say = say
        self._clock = clock
        self._looked_at = float("-inf")

    def erase_if_due(self) -> None:
        """Erases what there is, unless the last look was too recently."""
        if self._clock() - self._looked_at < SECONDS:
            return
        self._looked_at = self._clock()
        try:
            for name in self._registry.erase_forgotten():
                self._say(f"{name} learned what is forgotten, so its weights are deleted")
        except (StorageError, OSError) as error:
            log.warning("forgotten weights could not be deleted yet: %s", error)
