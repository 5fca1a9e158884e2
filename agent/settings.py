"""All settings, with name, type, default and meaning; the only module that reads the environment.

Built by entry points and handed on; no library code of ours asks the environment for anything else.
"""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from memory.records.base import Domain
from memory.records.interactions import UnsurePolicy

PREFIX = "NIGHTSCHOOL_"


LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names of this machine to itself."""


class Settings(BaseSettings):
    """All settings of all processes; each is read from `NIGHTSCHOOL_` plus its name in capitals."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    home: Path = Field(Path(".nightschool"), description="Folder that holds all state.")
    model: str | None = Field(
        None,
        min_length=1,
        description="Base model: a name in `models list`, what it was added from, or a folder with a card;"
        " default: what is in use.",
    )
    models: Path = Field(Path(".nightschool/models"), description="Folder of the adopted models.")
    model_name: str = Field(
        "nightschool", min_length=1, description="Name under which the engine serves the base model."
    )
    engine: Literal["vllm", "local", "scripted"] = Field(
        "vllm",
        description="`vllm` asks a vLLM server over HTTP, `local` runs transformers in the api's process, and"
        " `scripted` is a fake without a model that knows no answer, for trying everything else.",
    )
    engine_url: str | None = Field(
        None, description="Base URL of a running vLLM server; default: the one that `nightschool up` starts."
    )
    engine_port: int = Field(8100, ge=1, le=65535, description="Port of the vLLM server that we start.")
    engine_gpu_share: float = Field(
        0.7, gt=0, lt=1, description="Share of the GPU's memory for the engine; the trainer needs the rest."
    )
    engine_gpu: bool | None = Field(
        None, description="Start the engine on a GPU (true), on the CPU (false), or find out (unset)."
    )
    api_host: str = Field("127.0.0.1", min_length=1, description="Address that the api listens on.")
    api_port: int = Field(8000, ge=1, le=65535, description="Port that the api listens on.")
    graph_url: str | None = Field(
        None, description="`redis://` URL of a FalkorDB server; default: an embedded one in the home folder."
    )
    database_url: str | None = Field(
        None, description="PostgreSQL URL of all tables, runs and checkpoints; default: SQLite files at home."
    )
    webhook_secret: SecretStr | None = Field(
        None,
        description="Signs webhooks (Standard Webhooks); without it, runs that name a webhook are refused.",
    )
    webhook_hosts: str = Field(
        "", description="Hosts with private addresses that webhooks may reach, separated by commas."
    )
    api_key: str | None = Field(
        None, description="Key that our own commands send to a service that asks for one."
    )
    allowed_origins: str = Field(
        "", description="Web pages of other sites that may use the api: origins, separated by commas."
    )
    trusted_hosts: str = Field(
        "",
        description="Names by which the api may be asked besides its address, separated by commas.",
    )
    approval: Literal["auto", "human"] = Field(
        "auto", description="Who lets a verified curriculum through: policy (`auto`) or a person (`human`)."
    )
    unsure: UnsurePolicy = Field(
        "abstain",
        description="Unsure, and no source helps: `abstain`, `warn` before the draft, or `answer` with it.",
    )
    teacher: Literal["rules", "model", "both"] = Field(
        "rules",
        description="Who writes curricula: rules over a parse, the model at teacher_url, or both.",
    )
    teacher_url: str | None = Field(
        None, description="OpenAI-compatible base URL of a model that writes curricula and judges findings."
    )
    teacher_model: str = Field("", description="Model name that the teacher URL serves.")
    teacher_key: SecretStr = Field(SecretStr("none"), description="API key that the teacher URL asks for.")
    teacher_timeout: float = Field(60.0, gt=0, description="Seconds to wait for one reply of the teacher.")
    domain: Domain | None = Field(
        None, description="Domain of a question that names none and matches none; default: `general`."
    )
    facts_per_lesson: int = Field(
        240, ge=1, le=2000, description="Most facts of one lesson; a larger topic is taught as several."
    )
    lessons_per_run: int = Field(
        8,
        ge=1,
        le=50,
        description="Most lessons of one learn run; more facts are left to another run.",
    )
    max_refinements: int = Field(3, ge=0, le=10, description="Times that a weak search is refined.")
    recursion_limit: int = Field(
        40,
        ge=15,
        le=1000,
        description="Most graph steps in a learn run of one lesson; each further lesson may take 7 more.",
    )
    step_attempts: int = Field(
        3, ge=1, le=10, description="Times that a step is tried while a store or the engine is away."
    )
    run_minutes: float = Field(
        60.0, gt=0, description="Minutes of work after which the circuit breaker ends a learn run."
    )
    training_minutes: float = Field(
        30.0,
        gt=0,
        description="Minutes that a learn run waits for the training of each lesson.",
    )
    max_document_bytes: int = Field(5_000_000, ge=1000, description="Largest document that ingest accepts.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log lines that are shown."
    )

    @model_validator(mode="after")
    def _teacher_is_named(self) -> Self:
        if self.teacher_url and not self.teacher_model:
            raise ValueError(f"{PREFIX}TEACHER_URL needs {PREFIX}TEACHER_MODEL: name the model it serves")
        if self.teacher != "rules" and not self.teacher_url:
            raise ValueError(
                f"{PREFIX}TEACHER={self.teacher} needs {PREFIX}TEACHER_URL: say where it is served"
            )
        return self

    def path(self, name: str) -> Path:
        """Absolute path of `name` in the home folder."""
        return self.home.resolve() / name

    @property
    def api_url(self) -> str:
        """Where the api listens."""
        return f"http://{self.api_host}:{self.api_port}"

    @property
    def on_loopback(self) -> bool:
        """Whether the api listens to this machine only."""
        return self.api_host.lower() in LOOPBACK

    @property
    def origins(self) -> frozenset[str]:
        """The origins whose pages may use the api besides its own."""
        return _names(self.allowed_origins)

    @property
    def hosts(self) -> frozenset[str]:
        """The names by which the api may be asked besides its own."""
        return _names(self.trusted_hosts)

    @property
    def private_webhooks(self) -> frozenset[str]:
        """The hosts that webhooks may reach at private addresses."""
        return _names(self.webhook_hosts)

    @property
    def served_by(self) -> str:
        """Base URL of the vLLM server in use."""
        return self.engine_url or f"http://127.0.0.1:{self.engine_port}"

    @property
    def relational(self) -> str:
        """SQLAlchemy URL of the relational store."""
        return self.database_url or f"sqlite:///{self.path('nightschool.db')}"

    @property
    def checkpoints(self) -> str:
        """SQLAlchemy URL of the graphs' checkpoints: a SQLite file of their own, or the one PostgreSQL."""
        return self._beside("checkpoints.db")

    @property
    def items(self) -> str:
        """SQLAlchemy URL of what clients keep in the store: a SQLite file, or the one PostgreSQL."""
        return self._beside("items.db")

    @property
    def durable(self) -> str:
        """SQLAlchemy URL of what DBOS knows of runs: a SQLite file of their own, or the one PostgreSQL."""
        return self._beside("runs.db")

    def _beside(self, name: str) -> str:
        return f"sqlite:///{self.path(name)}" if self.relational.startswith("sqlite") else self.relational


def _names(text: str) -> frozenset[str]:
    return frozenset(part.strip().lower() for part in text.split(",") if part.strip())


def read_settings(**overrides: object) -> Settings:
    """Reads the environment, `overrides` first; raises ValueError that names each bad setting."""
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
