"""Gates that were refitted on people's own questions: a file for each gate that was refitted.

An adapter's record is sealed and a card is the model's, so that neither holds them.
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

SHOWN = 12
"""Digits of a digest in a file's name."""


class Calibration(Record):
    """The gate of one domain, refitted on questions that people labelled, for what served the domain then."""

    domain: Domain
    adapter: AdapterName | None
    """None: the base model."""
    base: Digest | None
    """Digest of the base model; None where the registry knew none."""
    replaces: Digest
    """Digest of the gate in the adapter's record or the model's card: where that has another gate by now, as
    after a new study, this calibration is not used."""
    gate: AnswerGate
    created_at: datetime

    @property
    def key(self) -> str:
        """A later calibration of the same key takes its place."""
        base = self.base[:SHOWN] if self.base is not None else "any"
        return f"{self.adapter or self.domain}.{base}.{self.replaces[:SHOWN]}"


class CalibrationStore(Protocol):
    """The latest calibration of each gate, be it an adapter's or a base model's. Blocking."""

    def list(self) -> tuple[Calibration, ...]:
        """All of them, those for other base models too."""
        ...

    def save(self, calibration: Calibration) -> None:
        """Takes the place of the one before."""
        ...


class FolderCalibrationStore:
    """CalibrationStore as JSON files in a folder, which need not be there yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def list(self) -> tuple[Calibration, ...]:
        """See CalibrationStore.list; a file that cannot be read is logged and left out."""
        found = []
        for path in sorted(self._folder.glob("[!.]*.json")):
            try:
                found.append(Calibration.model_validate_json(path.read_bytes()))
            except (OSError, ValidationError) as error:
                log.error("%s is left out: run `nightschool calibrate` again (%s)", path, error)
        return tuple(found)

    def save(self, calibration: Calibration) -> None:
        """See CalibrationStore.save."""
        write_atomically(
            self._folder / f"{calibration.key}.json", calibration.model_dump_json(indent=1) + "\n"
        )


class VolatileCalibrationStore:
    """The fake that ships: calibrations in this object."""

    def __init__(self) -> None:
        self._saved: dict[str, Calibration] = {}

    def list(self) -> tuple[Calibration, ...]:
        return tuple(self._saved.values())

    def save(self, calibration: Calibration) -> None:
        self._saved[calibration.key] = calibration


def digest_of_gate(gate: AnswerGate) -> Digest:
    """SHA-256 of the gate's canonical JSON form."""
    return digest_of(gate.model_dump(mode="json"))
