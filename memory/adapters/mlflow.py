"""The adapter registry on MLflow: registered versions, which one is live, promotion and rollback.

Promotion here only moves an alias; loading and checking the adapter in an engine is the caller's part.

A registered model is a domain, and has an alias for each base model: it alone decides which version is live
on that base. The statuses candidate, live and retired are derived from it and from a tag of each version that
was ever promoted, so a crash cannot leave two versions live.
"""

import hashlib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from memory.adapters.base import promotion_blocker, quarantine_key, quarantine_reason
from memory.adapters.metrics import log_run
from memory.adapters.mlflow_client import connect, create_database, registry_errors
from memory.adapters.store import AdapterStore, FolderStore
from memory.errors import AdapterNotServable, BadSignature, CorruptRecord, UnknownAdapter
from memory.file_locks import file_lock
from memory.outbox.files import write_atomically
from memory.records.adapters import Adapter, AdapterStatus
from memory.records.base import ADAPTER_PATTERN, Digest, Domain
from memory.signatures import FOLDER as KEYS
from memory.signatures import SigningKeys

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

log = logging.getLogger(__name__)

DATABASE = "shared/mlflow.db"
ADAPTERS = "adapters"
"""Folder in the home folder with the adapters, or with those that were fetched from an object storage."""
RECORD = "adapter.json"
SIGNATURE = "adapter.sig"
"""The worker's signature over the record, which names the digest of the weights."""
SIGNED = "adapter"
LIVE = "live-"
"""Alias of the version that is live on a base model; the first characters of the base's digest follow."""
HISTORY = "promotions-"
"""Tag of a registered model, named alike: promotions on a base model, which a rollback goes back through."""
UNBOUND = ("live", "promotions")
"""The alias and the tag of earlier versions of Nightschool, which did not tell base models apart."""
PROMOTED = "promoted"
"""Tag of a version that was live at some time, also if a rollback has left it behind."""
QUARANTINE = "quarantine"
ERASED = "erased"
"""Tag of a version whose weights were deleted."""
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
BINDING = "shared/mlflow.lock"
_SHOWN = 16
"""Characters of a base model's digest in aliases and tags."""
_TAG_LIMIT = 4000
"""Characters of a tag that MLflow's SQL store accepts, with a margin (the column holds 5,000)."""


class MlflowAdapterRegistry:
    """Adapters in a folder, with versions, metrics and aliases in MLflow. Blocking: call it from a thread.

    Every method raises StoreUnavailable if MLflow cannot be used.
    """

    def __init__(
        self,
        home: Path,
        url: str | None = None,
        *,
        base: Digest | None = None,
        store: AdapterStore | None = None,
    ) -> None:
        """Opens the registry in `home`; the first time creates its tables (about 3 s).

        `url` is that of another database, and `store` has the files if they are not in the home folder; for
        `base` see AdapterRegistry. Raises StoreUnavailable.
        """
        self.base = base
        self._url = url
        self._home = home.resolve()
        self._store = store if store is not None else FolderStore(self._home / ADAPTERS)
        database = self._home / DATABASE
        database.parent.mkdir(parents=True, exist_ok=True)
        if url is None and not database.exists():
            create_database(database)
        self._client = connect(url or f"sqlite:///{database}")
        self._keys = SigningKeys(self._home / KEYS)
        self._names: dict[tuple[Domain, str], str] = {}
        self._reported_corrupt: set[str] = set()
        """Adapters that `list` has logged as unreadable; it is called every few seconds."""
        self._bind_to_bases()

    def on_base(self, base: Digest) -> "MlflowAdapterRegistry":
        """The same registry for another base model. Raises StoreUnavailable."""
        return MlflowAdapterRegistry(self._home, self._url, base=base, store=self._store)

    def fetch(self, name: str) -> Path:
        """See AdapterRegistry.fetch."""
        return self._store.fetch(name, ADAPTER_FILES)

    @registry_errors()
    def register(self, adapter: Adapter) -> None:
        """Stores the adapter's record, signed by the worker, with metrics and lineage.

        Its files are published first, so that whoever finds it in the registry has them. A rejected one is
        never served, so its weights stay where they are.
        Registering a name again changes nothing. Raises ValueError unless the status is `candidate` or
        `rejected`.
        """
        if adapter.status not in ("candidate", "rejected"):
            raise ValueError(f"{adapter.name} can only be registered as candidate or rejected")
        if self._find(adapter.name) is not None:
            return
        record, folder = adapter.model_dump_json(indent=1), self._store.folder(adapter.name)
        write_atomically(folder / RECORD, record)
        signature = self._keys.sign("worker", SIGNED, record.encode())
        write_atomically(folder / SIGNATURE, signature)
        weights = () if adapter.status == "rejected" else ADAPTER_FILES
        self._store.publish(adapter.name, (*weights, RECORD, SIGNATURE))
        if not self._client.search_registered_models(f"name = '{adapter.domain}'"):
            self._client.create_registered_model(adapter.domain)
        self._client.create_model_version(
            adapter.domain,
            source=str(folder),
            run_id=self._run_of(adapter),
            tags={
                "adapter": adapter.name,
                "version": str(adapter.version),
                "status": adapter.status,
                "curriculum": adapter.curriculum or "",
                "preferences": ",".join(adapter.preferences)[-_TAG_LIMIT:],
                "record": hashlib.sha256(record.encode()).hexdigest(),
                "reasons": "; ".join(adapter.verdict.reasons)[:_TAG_LIMIT],
            },
        )

    @registry_errors()
    def get(self, name: str) -> Adapter:
        """The adapter with its current status. Raises UnknownAdapter, CorruptRecord, BadSignature."""
        return self._adapter(self._version(name))

    @registry_errors()
    def list(self, domain: Domain | None = None) -> tuple[Adapter, ...]:
        """All adapters, or those of one domain, ordered by domain and version.

        An adapter whose record is missing, altered or not signed is logged and left out, so that the others
        still work.
        """
        adapters: list[Adapter] = []
        for version in self._search(f"name = '{domain}'" if domain else None):
            try:
                adapters.append(self._adapter(version))
            except CorruptRecord as error:
                if version.tags["adapter"] not in self._reported_corrupt:
                    log.error("an adapter is left out: %s", error)
                self._reported_corrupt.add(version.tags["adapter"])
        return tuple(sorted(adapters, key=lambda adapter: (adapter.domain, adapter.version)))

    @registry_errors()
    def live(self, domain: Domain) -> Adapter | None:
        """The adapter that serves the domain on `base`; None if the base model does. See AdapterRegistry."""
        version = self._live_version(domain)
        return self._adapter(version) if version else None

    @registry_errors()
    def live_names(self) -> Mapping[Domain, str]:
        """The live adapter's name for each domain that has one; a query and no file."""
        return {
            model.name: self._name_of(model.name, number)
            for model in self._models()
            if (number := self._live_number(model)) is not None
        }

    @registry_errors()
    def promote(self, name: str) -> None:
        """Moves the alias of the domain and the adapter's base to it; the previous one becomes retired.

        Raises UnknownAdapter, or AdapterNotServable if the adapter was rejected, lacks files, or
        `promotion_blocker` has a reason.
        """
        version = self._version(name)
        adapter = self._adapter(version)
        if adapter.status == "rejected":
            reasons = "; ".join(adapter.verdict.reasons) or "no reason was recorded"
            raise AdapterNotServable(f"{name} was rejected and cannot be served: {reasons}")
        folder = self.fetch(name)
        if missing := [file for file in ADAPTER_FILES if not (folder / file).is_file()]:
            raise AdapterNotServable(f"{name} lacks {', '.join(missing)} in {folder}: learn the topic again")
        if (blocker := promotion_blocker(adapter, self)) is not None:
            raise AdapterNotServable(blocker)
        self._make_live(version.name, adapter.base_digest, str(version.version))

    @registry_errors()
    def previous(self, domain: Domain) -> Adapter | None:
        """The adapter that a rollback would make live; None if it is the base model. Raises CorruptRecord.

        Earlier adapters that must not go live are skipped and logged.
        """
        live = self._live_version(domain)
        return None if live is None else self._previous(live)

    @registry_errors()
    def rollback(self, domain: Domain) -> Adapter | None:
        """Makes the previous adapter live again and returns it; None if it is the base model."""
        live = self._live_version(domain)
        previous = None if live is None else self._previous(live)
        if previous is None:
            self.retire(domain)
            return None
        number = str(self._version(previous.name).version)
        self._client.set_registered_model_alias(domain, _alias(previous.base_digest), number)
        return self.get(previous.name)

    @registry_errors()
    def retire(self, domain: Domain) -> None:
        """Makes the base model serve the domain; its adapters stay registered."""
        live = self._live_version(domain)
        if live is not None:
            self._client.delete_registered_model_alias(domain, self._alias_of(live))

    @registry_errors()
    def next_version(self, domain: Domain) -> int:
        """The version number of the domain's next adapter, starting at 1."""
        return 1 + max((int(v.tags["version"]) for v in self._search(f"name = '{domain}'")), default=0)

    @registry_errors()
    def quarantine(self, digest: Digest, reason: str, *, base: Digest | None = None) -> None:
        """Puts a curriculum in quarantine, for all base models or only for `base`."""
        experiment, key = self._experiment(QUARANTINE), quarantine_key(digest, base)
        self._client.set_experiment_tag(experiment, key, reason[:_TAG_LIMIT] or "no reason given")

    @registry_errors()
    def quarantined(self, digest: Digest) -> str | None:
        """Why the curriculum is in quarantine for the base model being served; None if it is not."""
        experiment = self._client.get_experiment_by_name(QUARANTINE)
        return quarantine_reason(experiment.tags, digest, self.base) if experiment else None

    @registry_errors()
    def erase_forgotten(self) -> tuple[str, ...]:
        """Deletes the weights of adapters that can never be served again, and returns their names.

        Something that they learned is in quarantine for all base models, and they are live on none: one that
        still is goes once another replaces it. Their records stay, as history. Copies that other machines
        fetched are not reached.
        """
        experiment = self._client.get_experiment_by_name(QUARANTINE)
        if experiment is None:
            return ()
        erased: list[str] = []
        for version in self._search(None):
            name = version.tags["adapter"]
            if ERASED not in version.tags and self._is_forgotten(version, experiment.tags):
                self._store.delete(name, ADAPTER_FILES)
                self._client.set_model_version_tag(version.name, str(version.version), ERASED, "yes")
                erased.append(name)
        return tuple(erased)

    def _is_forgotten(self, version: "ModelVersion", quarantine: Mapping[str, str]) -> bool:
        try:
            adapter = self._adapter(version)
        except CorruptRecord:
            return False  # `list` reports it
        if not any(digest in quarantine for digest in (*adapter.learned, *adapter.preferences)):
            return False
        model = self._client.get_registered_model(version.name)
        return str(version.version) not in [str(model.aliases[alias]) for alias in _live_aliases(model)]

    def _run_of(self, adapter: Adapter) -> str:
        place = str(self._home / "mlruns")
        return log_run(self._client, self._experiment(adapter.domain, artifact_location=place), adapter)

    def _search(self, query: str | None) -> "Iterator[ModelVersion]":
        token: str | None = None
        while True:
            page = self._client.search_model_versions(query, max_results=1000, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _find(self, name: str) -> "ModelVersion | None":
        if not re.fullmatch(ADAPTER_PATTERN, name):
            return None  # keeps invalid names out of the query
        return next(self._search(f"tag.adapter = '{name}'"), None)

    def _version(self, name: str) -> "ModelVersion":
        version = self._find(name)
        if version is None:
            raise UnknownAdapter(f"no adapter {name!r} is registered: `nightschool adapters list` shows all")
        return version

    def _models(self) -> "Iterator[RegisteredModel]":
        token: str | None = None
        while True:
            page = self._client.search_registered_models(max_results=1000, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _live_version(self, domain: Domain) -> "ModelVersion | None":
        for model in self._client.search_registered_models(f"name = '{domain}'"):
            if (number := self._live_number(model)) is not None:
                return self._client.get_model_version(domain, number)
        return None

    def _live_number(self, model: "RegisteredModel") -> str | None:
        """MLflow's number of the live version: on `base`, or the newest of all bases if that is unknown."""
        if self.base is not None:
            number = model.aliases.get(_alias(self.base))
            return None if number is None else str(number)
        return max((str(model.aliases[name]) for name in _live_aliases(model)), key=int, default=None)

    def _alias_of(self, live: "ModelVersion") -> str:
        """The alias by which this version is live."""
        model = self._client.get_registered_model(live.name)
        return next(a for a in _live_aliases(model) if str(model.aliases[a]) == str(live.version))

    def _make_live(self, domain: Domain, base: Digest, number: str) -> None:
        model = self._client.get_registered_model(domain)
        live = model.aliases.get(_alias(base))
        if str(live) == number:
            return
        history = [] if live is None else self._history(domain, _alias(base), upto=str(live))
        tag = HISTORY + base[:_SHOWN]
        self._client.set_registered_model_tag(domain, tag, ",".join([*history, number][-100:]))
        self._client.set_model_version_tag(domain, number, PROMOTED, "yes")
        self._client.set_registered_model_alias(domain, _alias(base), number)

    def _previous(self, live: "ModelVersion") -> Adapter | None:
        domain = live.name
        for number in reversed(self._history(domain, self._alias_of(live), upto=str(live.version))[:-1]):
            adapter = self._adapter(self._client.get_model_version(domain, number))
            if (blocker := promotion_blocker(adapter, self)) is None:
                return adapter
            log.warning("rollback skips an adapter that must not go live: %s", blocker)
        return None

    @registry_errors()
    def _bind_to_bases(self) -> None:
        """Turns an alias of an earlier version of Nightschool into one of the live adapter's base model, with
        the promotions on that base. An adapter whose record cannot be read stays out of service."""
        alias, tag = UNBOUND
        if not any(alias in model.aliases for model in self._models()):
            return
        with file_lock(self._home / BINDING):
            for model in [model for model in self._models() if alias in model.aliases]:
                numbers = [*model.tags.get(tag, "").split(","), str(model.aliases[alias])]
                bases = {number: self._base_of(model.name, number) for number in numbers if number}
                base = bases[numbers[-1]]
                if base is None:
                    continue
                for number in numbers:
                    if bases.get(number) == base:
                        self._make_live(model.name, base, number)
                self._client.delete_registered_model_alias(model.name, alias)

    def _base_of(self, domain: Domain, number: str) -> Digest | None:
        try:
            return self._adapter(self._client.get_model_version(domain, number)).base_digest
        except CorruptRecord as error:
            log.error("an adapter is left out: %s", error)
            return None

    def _name_of(self, domain: Domain, version: str) -> str:
        """The adapter's name for an MLflow version; it never changes, so it is read once."""
        if (domain, version) not in self._names:
            found = self._client.get_model_version(domain, version)
            self._names[domain, version] = found.tags["adapter"]
        return self._names[domain, version]

    def _history(self, domain: Domain, alias: str, *, upto: str) -> Sequence[str]:
        """MLflow version numbers in the order of their last promotion, up to and including the live one.

        Each is in it once: else rollbacks after the promotions 1, 2, 1 would alternate between 2 and 1.
        """
        tag = HISTORY + alias.removeprefix(LIVE)
        text = self._client.get_registered_model(domain).tags.get(tag, "")
        numbers = tuple(reversed(dict.fromkeys(reversed(text.split(","))))) if text else ()
        return numbers[: numbers.index(upto) + 1] if upto in numbers else (upto,)

    def _adapter(self, version: "ModelVersion") -> Adapter:
        name = version.tags["adapter"]
        folder = self._store.fetch(name, (RECORD, SIGNATURE))
        path = folder / RECORD
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            raise CorruptRecord(f"{path} is gone: restore it from a copy of the home folder") from None
        if hashlib.sha256(text).hexdigest() != version.tags["record"]:
            raise CorruptRecord(f"{path} was altered after registration: restore it from a copy")
        try:
            adapter = Adapter.model_validate_json(text)
        except ValidationError as error:
            raise CorruptRecord(
                f"{path} was not written by this version of Nightschool: learn the topic again ({error})"
            ) from error
        self._check_signature(name, folder / SIGNATURE, text)
        if adapter.name != name:
            raise BadSignature(f"{path} is the record of {adapter.name}: restore that of {name} from a copy")
        status = "rejected" if adapter.status == "rejected" else self._status(version)
        return adapter.model_copy(update={"status": status, "path": str(folder)})

    def _check_signature(self, name: str, path: Path, record: bytes) -> None:
        try:
            self._keys.check("worker", SIGNED, record, path.read_text(encoding="ascii"))
        except (FileNotFoundError, UnicodeDecodeError):
            raise BadSignature(f"{path} is gone, so nothing shows who trained {name}: learn again") from None
        except BadSignature as error:
            raise BadSignature(f"{name}: {error}; restore its folder, or learn again") from error

    def _status(self, version: "ModelVersion") -> AdapterStatus:
        model = self._client.get_registered_model(version.name)
        aliases = _live_aliases(model) if self.base is None else (_alias(self.base),)
        if str(version.version) in [str(model.aliases.get(alias)) for alias in aliases]:
            return "live"
        return "retired" if PROMOTED in version.tags else "candidate"

    def _experiment(self, name: str, *, artifact_location: str | None = None) -> str:
        """The id of the experiment with this name; creates it, even if another process does so at once."""
        from mlflow.exceptions import MlflowException

        experiment = self._client.get_experiment_by_name(name)
        if experiment is None:
            try:
                return str(self._client.create_experiment(name, artifact_location=artifact_location))
            except MlflowException:
                experiment = self._client.get_experiment_by_name(name)
                if experiment is None:
                    raise
        return str(experiment.experiment_id)


def _alias(base: Digest) -> str:
    return LIVE + base[:_SHOWN]


def _live_aliases(model: "RegisteredModel") -> tuple[str, ...]:
    return tuple(alias for alias in model.aliases if alias.startswith(LIVE))
