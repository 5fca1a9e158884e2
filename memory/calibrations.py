"""Gates that were refitted on people's own questions: a file for each adapter or base model's domain.

An adapter's record is sealed and a card is the model's, so that neither holds them.
"""

import logging
from datetime import datetime
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from memory.outbox import write_atomically
from memory.records import AdapterName, AnswerGate, Digest, Domain, Record

log = logging.getLogger(__name__)


class Calibration(Record):
    """The gate of one domain, refitted on questions that people labelled, for what served the domain then."""

    domain: Domain
    adapter: AdapterName | None
    """None: the base model."""
    base: Digest | None
    """Digest of the base model; None where the registry knew none."""
    gate: AnswerGate
    created_at: datetime


class Calibrations(Protocol):
    """The latest calibration of each adapter, and of the base model in its domain. Blocking."""

    def list(self) -> tuple[Calibration, ...]:
        """All of them, those for other base models too."""
        ...

    def save(self, calibration: Calibration) -> None:
        """Takes the place of the one before."""
        ...


class FolderCalibrations:
    """Calibrations as JSON files in a folder, which need not be there yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def list(self) -> tuple[Calibration, ...]:
        """See Calibrations.list; a file that cannot be read is logged and left out."""
        found = []
        for path in sorted(self._folder.glob("[!.]*.json")):
            try:
                found.append(Calibration.model_validate_json(path.read_bytes()))
            except (OSError, ValidationError) as error:
                log.error("%s is left out: run `nightschool calibrate` again (%s)", path, error)
        return tuple(found)

    def save(self, calibration: Calibration) -> None:
        """See Calibrations.save."""
        name = calibration.adapter or calibration.domain
        write_atomically(self._folder / f"{name}.json", calibration.model_dump_json(indent=1) + "\n")


class VolatileCalibrations:
    """The fake that ships: calibrations in this object."""

    def __init__(self) -> None:
        self._saved: dict[str, Calibration] = {}

    def list(self) -> tuple[Calibration, ...]:
        return tuple(self._saved.values())

    def save(self, calibration: Calibration) -> None:
        self._saved[calibration.adapter or calibration.domain] = calibration
