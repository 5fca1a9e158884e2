"""Writes the software bill of materials of a lock as CycloneDX JSON: `make sbom`.

Usage: sbom.py cpu|gpu FILE. Each package has the hashes of the lock, and its licence if it is installed here.
"""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path
from typing import NamedTuple

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

ROOT = Path(__file__).resolve().parents[1]
VERSION = SchemaVersion.V1_6
LOCKS = {"cpu": ("cpu.txt", "torch-cpu.txt"), "gpu": ("gpu.txt",)}
"""The files that each kind of machine installs."""
MAX_LICENCE_NAME = 120
"""Longer texts in the fields of the licence are whole licences."""


class LockedPackage(NamedTuple):
    """An entry of a lock."""

    name: str
    version: str
    hashes: tuple[str, ...]
    """SHA-256 of each file that may be installed."""


def locked_packages(kind: str) -> Iterator[LockedPackage]:
    """The packages of a kind of machine."""
    for file in LOCKS[kind]:
        text = (ROOT / "requirements" / file).read_text(encoding="utf-8").replace("\\\n", " ")
        for name, version, rest in re.findall(r"^([\w.-]+)==(\S+)(.*)$", text, flags=re.MULTILINE):
            yield LockedPackage(name, version, tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", rest)))


def bill_of_materials(kind: str) -> str:
    """The CycloneDX document. Raises ValueError if it is not valid, which is a bug."""
    bom = Bom(components=[_component(package) for package in locked_packages(kind)])
    bom.metadata.component = Component(name="nightschool", type=ComponentType.APPLICATION)
    bom.register_dependency(bom.metadata.component, bom.components)
    document = make_outputter(bom, OutputFormat.JSON, VERSION).output_as_string(indent=2)
    if (problem := JsonStrictValidator(VERSION).validate_str(document)) is not None:
        raise ValueError(f"the document does not follow CycloneDX {VERSION.to_version()}: {problem}")
    return document


def _component(package: LockedPackage) -> Component:
    purl = PackageURL("pypi", name=package.name, version=package.version)
    licence = _licence(package)
    return Component(
        name=package.name,
        version=package.version,
        bom_ref=purl.to_string(),
        purl=purl,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in package.hashes],
        licenses=[licence] if licence is not None else [],
    )


def _licence(package: LockedPackage) -> License | None:
    """The licence that the installed package names; None if it names none, or is not installed."""
    try:
        fields = metadata(package.name)
    except PackageNotFoundError:
        return None
    name = _licence_name(fields) if fields["Version"] == package.version else None
    return LicenseFactory().make_from_string(name) if name else None


def _licence_name(fields: PackageMetadata) -> str | None:
    for name in (*_values(fields, "License-Expression"), *_values(fields, "License")):
        if name and len(name) <= MAX_LICENCE_NAME and name != "UNKNOWN":
            return name
    classifiers = [
        classifier.rpartition(" :: ")[2]
        for classifier in _values(fields, "Classifier")
        if classifier.startswith("License :: ")
    ]
    return ", ".join(classifiers) or None


def _values(fields: PackageMetadata, name: str) -> list[str]:
    return [str(value).strip() for value in fields.get_all(name) or ()]


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(bill_of_materials(sys.argv[1]) + "\n", encoding="utf-8")
