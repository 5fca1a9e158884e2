"""Calibrations: answer gates refitted on a user's own labelled questions, one file per gate.

They have files of their own, because an adapter's record is immutable and a model card belongs to the model.
"""

import logging
from datetime import datetime
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from memory.outbox.files import write_atomically
from memory.records.base import AdapterName, Digest, Domain, Record, digest_of
from memory.records.interactions import AnswerGate

log = logging.getLogger(__name__)

DIGEST_PREFIX = 12
"""Digits of a digest in a file name."""


class Calibration(Record):
    """A gate refitted on labelled questions, for the adapter or base model that served the domain then."""

    domain: Domain
    adapter: AdapterName | None
    """None for the base model."""
    base: Digest | None
    """Digest of the base model; None if the registry knew none."""
    replaces: Digest
    """Digest of the replaced gate, from the adapter's record or the model card. If that gate has
    changed since, for example after a new study, the calibration is not used."""
    gate: AnswerGate
    created_at: datetime

    @property
    def key(self) -> str:
        """Identifies the calibrated gate; a later calibration with the same key replaces this one."""
        base = self.base[:DIGEST_PREFIX] if self.base is not None else "any"
        return f"{self.adapter or self.domain}.{base}.{self.replaces[:DIGEST_PREFIX]}"


class CalibrationStore(Protocol):
    """The latest calibration of each gate. Blocking: call it from a thread."""

    def list(self) -> tuple[Calibration, ...]:
        """All calibrations, including those for other base models."""
        ...

    def save(self, calibration: Calibration) -> None:
        """Saves a calibration, replacing an earlier one with the same key."""
        ...


class FolderCalibrationStore:
    """Calibrations as JSON files in a folder, which is created by the first `save`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def list(self) -> tuple[Calibration, ...]:
        """See CalibrationStore.list; an unreadable file is logged and left out."""
        calibrations = []
        for path in sorted(self._folder.glob("[!.]*.json")):
            try:
                calibrations.append(Calibration.model_validate_json(path.read_bytes()))
            except (OSError, ValidationError) as error:
                log.error("%s cannot be read, run `nightschool calibrate` again: %s", path, error)
        return tuple(calibrations)

    def save(self, calibration: Calibration) -> None:
        """See CalibrationStore.save."""
        write_atomically(
            self._folder / f"{calibration.key}.json", calibration.model_dump_json(indent=1) + "\n"
        )


class VolatileCalibrationStore:
    """Calibrations in RAM, for tests."""

    def __init__(self) -> None:
        self._saved: dict[str, Calibration] = {}

    def list(self) -> tuple[Calibration, ...]:
        return tuple(self._saved.values())

    def save(self, calibration: Calibration) -> None:
        self._saved[calibration.key] = calibration


def digest_of_gate(gate: AnswerGate) -> Digest:
    """SHA-256 of the gate's canonical JSON form."""
    return digest_of(gate.model_dump(mode="json"))
