"""All settings: name, type, default and meaning. The only module that reads the environment, with
`standard_variables`.

Entry points build the settings and pass them on.
"""

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from agent import settings_file
from agent.engines.vllm.address import unix_url
from agent.logs import LogFormat
from agent.privacy.policies import Policy, parse_policies
from memory import unix_sockets
from memory.records.approvals import ApprovalPolicy
from memory.records.base import Domain
from memory.records.interactions import UnsurePolicy
from memory.web.search.configured import parse_search_apis

PREFIX = "NIGHTSCHOOL_"
SHARED = "shared"
"""Folder in the home folder with the databases that the api and the worker both write."""
STUDIES = "study"
"""Folder in the home folder for the answers of unfinished studies."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Host names of the loopback interface."""


class Settings(BaseSettings):
    """Settings of all processes; each is read from the variable `NIGHTSCHOOL_` + its name in capitals."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    settings_file: str = Field(
        settings_file.NAME,
        description="File with settings, as `nightschool init` writes it; the environment wins over it. Empty"
        " for none.",
    )
    home: Path = Field(Path(".nightschool"), description="Folder that holds all state.")
    model: str | None = Field(
        None,
        min_length=1,
        description="Base model: a name from `models list`, the folder or Hugging Face id it was added"
        " from, or a folder with a card; default: the one chosen with `models use`.",
    )
    models: Path = Field(Path(".nightschool/models"), description="Folder of the added models.")
    model_name: str = Field(
        "nightschool", min_length=1, description="Name under which the engine serves the base model."
    )
    engine: Literal["vllm", "local", "scripted"] = Field(
        "vllm",
        description="`vllm` asks a vLLM server over HTTP, `local` runs transformers in the api's process, and"
        " `scripted` is a fake without a model that knows no answer, for trying everything else.",
    )
    engine_url: str | None = Field(
        None,
        description="Base URL of a running vLLM server, or `unix:` and the path of its socket; default:"
        " `nightschool up` starts one on a socket in the home folder.",
    )
    engine_key: SecretStr = Field(
        SecretStr("none"), description="API key of the vLLM server at engine_url (its VLLM_API_KEY)."
    )
    engine_timeout: float = Field(
        300.0,
        gt=0,
        description="Seconds to wait for an answer of the vLLM server, or for each piece of a streamed one.",
    )
    engine_gpu_share: float = Field(
        0.7, gt=0, lt=1, description="Share of the GPU's memory for the engine; the trainer needs the rest."
    )
    engine_gpu: bool | None = Field(
        None, description="Start the engine on a GPU (true) or the CPU (false); unset: detect."
    )
    api_host: str = Field("127.0.0.1", min_length=1, description="Address that the api listens on.")
    api_port: int = Field(8000, ge=1, le=65535, description="Port that the api listens on.")
    graph_url: str | None = Field(
        None,
        description="URL of a FalkorDB server, such as `redis://USER:PASSWORD@HOST:6379`, or with TLS"
        " `rediss://USER:PASSWORD@HOST:6379?ssl_ca_certs=FILE`; default: embedded, in the home folder.",
    )
    library_url: str | None = Field(
        None,
        pattern="^s3://[^/]+",
        description="`s3://BUCKET/FOLDER` of an S3-compatible storage for passages and archived answers, with"
        " the usual AWS_ variables for its address and credentials; default: in the home folder.",
    )
    database_url: str | None = Field(
        None,
        description="PostgreSQL URL for tables, runs, checkpoints and training jobs; default: SQLite in the"
        " home folder.",
    )
    registry_url: str | None = Field(
        None,
        description="PostgreSQL URL of a database of its own for the adapter registry; default: SQLite in the"
        " home folder.",
    )
    adapters_url: str | None = Field(
        None,
        pattern="^s3://[^/]+",
        description="`s3://BUCKET/FOLDER` of an S3-compatible storage for adapters' files, with the AWS_"
        " variables of library_url; default: only in the home folder, which then all processes share.",
    )
    approver_database_url: str | None = Field(
        None,
        description="The same database, as the role that may write approvals (deploy/roles.sql); default:"
        " database_url.",
    )
    webhook_secret: SecretStr | None = Field(
        None,
        description="Secret that each owner's webhook secret is derived from (Standard Webhooks); without it,"
        " runs with a webhook are refused.",
    )
    webhook_hosts: str = Field(
        "", description="Hosts with private addresses that webhooks may call, separated by commas."
    )
    api_key: str | None = Field(
        None, description="API key that `nightschool` commands send when the service requires one."
    )
    allowed_origins: str = Field(
        "", description="CORS: origins of other web pages that may use the api, separated by commas."
    )
    trusted_hosts: str = Field(
        "",
        description="Host names, besides its address, under which the api may be reached, separated by"
        " commas.",
    )
    approval: ApprovalPolicy = Field(
        "auto", description="Who approves a verified curriculum: the policy (`auto`) or a person (`human`)."
    )
    unsure: UnsurePolicy = Field(
        "abstain",
        description="When the model is unsure and no source answers: `abstain`, `warn` before the draft, or"
        " `answer` with the draft.",
    )
    night_excluded_owners: str = Field(
        "",
        description="Owners of API keys whose turns no night uses, separated by commas; a request can only"
        " add more.",
    )
    second_attempts: int = Field(
        0,
        ge=0,
        description="How many bad answers a minute, such as those that repeat themselves, chat tries again"
        " from the sources before it sends them; streamed answers are not.",
    )
    teacher: Literal["rules", "model", "both"] = Field(
        "rules",
        description="Who writes curricula: grammar rules, the model at teacher_url, or both.",
    )
    teacher_url: str | None = Field(
        None, description="OpenAI-compatible base URL of a model that writes curricula and judges findings."
    )
    teacher_model: str = Field("", description="Name of the model at teacher_url.")
    teacher_key: SecretStr = Field(SecretStr("none"), description="API key for teacher_url.")
    teacher_timeout: float = Field(60.0, gt=0, description="Seconds to wait for one reply of the teacher.")
    search_apis: str = Field(
        "",
        description="Search APIs that learn runs may use if they are told to, as `searxng=URL` or"
        " `mediawiki=URL` (its api.php) separated by commas; default: none, and no run uses the web.",
    )
    search_domains: Path | None = Field(
        None,
        description="TOML file with the `trusted` and `blocked` domains of the web and the `weights` of"
        " others; default: all count the same.",
    )
    search_pages: int = Field(
        8, ge=2, le=50, description="Most pages that one learn run fetches from the web."
    )
    domain: Domain | None = Field(
        None, description="Domain of questions that match no taught domain; default: `general`."
    )
    facts_per_lesson: int = Field(
        240, ge=1, le=2000, description="Most facts per lesson; a larger topic becomes several lessons."
    )
    lessons_per_run: int = Field(
        8,
        ge=1,
        le=50,
        description="Most lessons per learn run; remaining facts are left to the next run.",
    )
    max_refinements: int = Field(3, ge=0, le=10, description="How often a weak search is refined.")
    recursion_limit: int = Field(
        40,
        ge=15,
        le=1000,
        description="Most graph steps of a learn run with one lesson; each further lesson adds 7.",
    )
    step_attempts: int = Field(
        3, ge=1, le=10, description="Attempts per step while a store or the engine is unavailable."
    )
    run_minutes: float = Field(
        60.0, gt=0, description="Minutes after which the circuit breaker ends a learn run."
    )
    training_minutes: float = Field(
        30.0,
        gt=0,
        description="Minutes without progress in a lesson's training after which a learn run stops waiting.",
    )
    interactions_days: int = Field(
        90, ge=1, le=3650, description="Days that chat turns and their feedback are kept."
    )
    privacy: str = Field(
        "",
        description="What takes the place of personal data in what is logged and learned, as `TYPE=POLICY`"
        " separated by commas; policies are `mask`, `hash`, `encrypt` and `keep`. The default is `mask`, and"
        " `keep` for PERSON.",
    )
    privacy_key: SecretStr | None = Field(
        None,
        min_length=16,
        description="Key that hashes or encrypts personal data; default: for hashes, one that the service"
        " makes and keeps in its database.",
    )
    max_document_bytes: int = Field(5_000_000, ge=1000, description="Largest document that ingest accepts.")
    document_seconds: float = Field(300.0, gt=0, description="Seconds until ingest gives up a document.")
    document_passages: int = Field(
        10_000, ge=1, description="Most passages of a document; 5 MB of prose have about 7,000."
    )
    api_connections: int = Field(
        800,
        ge=0,
        description="Most open connections to the api; further ones are closed at once. 0: no limit.",
    )
    rate_concurrent: int = Field(
        200, ge=0, description="Most requests in progress of one owner of API keys. 0: no limit."
    )
    rate_requests: int = Field(
        6_000, ge=0, description="Most requests a minute of one owner of API keys. 0: no limit."
    )
    rate_tokens: int = Field(
        10_000_000,
        ge=0,
        description="Most tokens a minute, of prompts and answers, of one owner of API keys. 0: no limit.",
    )
    rate_learn_runs: int = Field(
        1_000, ge=0, description="Most learn runs a day of one owner of API keys. 0: no limit."
    )
    rate_ingest_bytes: int = Field(
        1_000_000_000,
        ge=0,
        description="Most bytes of documents and store items a day of one owner of API keys. 0: no limit.",
    )
    rate_erasures: int = Field(
        100,
        ge=0,
        description="Most erasures a day of one owner of API keys; each rewrites the stores. 0: no limit.",
    )
    store_bytes: int = Field(
        100_000_000, ge=0, description="Most bytes of store items of one owner of API keys. 0: no limit."
    )
    ray: str | None = Field(
        None,
        min_length=1,
        description="Address of a Ray cluster, or `local`, for `make bench-night PARTS=scale`. Nights do not"
        " use it yet: they work in the api's process.",
    )
    log_format: LogFormat = Field(
        "text",
        description="How api and worker log: `text`, or `json`, one object a line with the ids of request and"
        " run.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lowest level of log messages shown."
    )

    @model_validator(mode="after")
    def _teacher_is_named(self) -> Self:
        if self.teacher_url and not self.teacher_model:
            raise ValueError(
                f"{PREFIX}TEACHER_URL is set without {PREFIX}TEACHER_MODEL: name the model it serves"
            )
        if self.teacher != "rules" and not self.teacher_url:
            raise ValueError(
                f"{PREFIX}TEACHER={self.teacher} needs {PREFIX}TEACHER_URL: set the teacher model's URL"
            )
        return self

    @model_validator(mode="after")
    def _registry_has_its_own_database(self) -> Self:
        url = self.registry_url
        if url is not None and (url == self.database_url or not url.startswith("postgresql://")):
            raise ValueError(f"{PREFIX}REGISTRY_URL has to be a postgresql:// URL, and no DATABASE_URL")
        return self

    @model_validator(mode="after")
    def _search_apis_are_known(self) -> Self:
        try:
            parse_search_apis(self.search_apis)
        except ValueError as error:
            raise ValueError(f"{PREFIX}SEARCH_APIS: {error}") from None
        return self

    @model_validator(mode="after")
    def _privacy_is_possible(self) -> Self:
        if "encrypt" in self.privacy_policies.values() and self.privacy_key is None:
            raise ValueError(f"{PREFIX}PRIVACY has `encrypt` without {PREFIX}PRIVACY_KEY: set a secret key")
        return self

    @property
    def privacy_policies(self) -> Mapping[str, Policy]:
        """`privacy` by type. Raises ValueError."""
        return parse_policies(self.privacy)

    @property
    def interactions_kept(self) -> timedelta:
        """How long chat turns and their feedback are kept."""
        return timedelta(days=self.interactions_days)

    def path(self, name: str) -> Path:
        """Absolute path of `name` in the home folder."""
        return self.home.resolve() / name

    @property
    def api_url(self) -> str:
        """Base URL of the api."""
        return f"http://{self.api_host}:{self.api_port}"

    @property
    def on_loopback(self) -> bool:
        """Whether the api listens on the loopback interface only."""
        return self.api_host.lower() in LOOPBACK

    @property
    def origins(self) -> frozenset[str]:
        """`allowed_origins` as a set."""
        return _comma_separated(self.allowed_origins)

    @property
    def hosts(self) -> frozenset[str]:
        """`trusted_hosts` as a set."""
        return _comma_separated(self.trusted_hosts)

    @property
    def excluded_owners(self) -> frozenset[str]:
        """`night_excluded_owners` as a set; owners are compared as they are written."""
        return frozenset(name.strip() for name in self.night_excluded_owners.split(",") if name.strip())

    @property
    def private_webhooks(self) -> frozenset[str]:
        """`webhook_hosts` as a set."""
        return _comma_separated(self.webhook_hosts)

    @property
    def vllm_url(self) -> str:
        """Base URL of the vLLM server in use; `unix:` and a path for the one that `nightschool up` starts."""
        return self.engine_url or unix_url(self.engine_socket)

    @property
    def engine_socket(self) -> Path:
        """Unix socket of the vLLM server that `nightschool up` starts."""
        return unix_sockets.socket_path(self.path("engine"), "engine.sock")

    def library_folder(self, name: str) -> str:
        """URL or folder of a LanceDB database: `episodic` or `answers`."""
        return f"{self.library_url.rstrip('/')}/{name}" if self.library_url else str(self.path(name))

    @property
    def relational_url(self) -> str:
        """SQLAlchemy URL of our own tables: a SQLite file, or the PostgreSQL database."""
        return self.database_url or f"sqlite:///{self.path('nightschool.db')}"

    @property
    def checkpoints_url(self) -> str:
        """SQLAlchemy URL of the graph checkpoints: a SQLite file, or the PostgreSQL database."""
        return self._sqlite_or_postgres("checkpoints.db")

    @property
    def store_url(self) -> str:
        """SQLAlchemy URL of the client-facing store: a SQLite file, or the PostgreSQL database."""
        return self._sqlite_or_postgres("items.db")

    @property
    def runs_url(self) -> str:
        """SQLAlchemy URL of DBOS's system tables: a SQLite file, or the PostgreSQL database."""
        return self._sqlite_or_postgres("runs.db")

    @property
    def training_url(self) -> str:
        """SQLAlchemy URL of the training queue: a SQLite file, or the PostgreSQL database."""
        return self._sqlite_or_postgres(f"{SHARED}/training.db")

    @property
    def database_urls(self) -> tuple[str, ...]:
        """SQLAlchemy URLs of all databases; on PostgreSQL they are one."""
        return (self.relational_url, self.checkpoints_url, self.store_url, self.runs_url, self.training_url)

    def _sqlite_or_postgres(self, file: str) -> str:
        return (
            f"sqlite:///{self.path(file)}"
            if self.relational_url.startswith("sqlite")
            else self.relational_url
        )


def _comma_separated(text: str) -> frozenset[str]:
    return frozenset(part.strip().lower() for part in text.split(",") if part.strip())


def read_settings(**overrides: object) -> Settings:
    """Reads the settings from the environment and the settings file.

    `overrides` win over the environment, and that over the file. Raises ValueError naming each bad one.
    """
    settings_file.load(os.environ, (f"{PREFIX}{name.upper()}" for name in Settings.model_fields))
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks the values
    except ValidationError as error:
        lines = [
            f"{PREFIX}{'_'.join(map(str, e['loc'])).upper()}: {e['msg']} (got {e['input']!r})"
            if e["loc"]
            else str(e["msg"])
            for e in error.errors(include_url=False)
        ]
        raise ValueError("bad setting: " + "; ".join(lines)) from None
