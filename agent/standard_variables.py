"""Environment variables that other projects define and we read too: OpenTelemetry's and AWS's."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class TracingVariables(BaseSettings):
    """OpenTelemetry's standard variables that decide whether and how traces are exported; its SDK reads these
    and the others itself."""

    model_config = SettingsConfigDict(env_prefix="OTEL_", frozen=True, extra="ignore")

    sdk_disabled: bool = False
    traces_exporter: str = "otlp"
    exporter_otlp_endpoint: str | None = None
    exporter_otlp_traces_endpoint: str | None = None
    exporter_otlp_protocol: str = "http/protobuf"
    exporter_otlp_traces_protocol: str | None = None
    service_name: str | None = None

    @property
    def on(self) -> bool:
        """Whether traces are exported."""
        endpoint = self.exporter_otlp_traces_endpoint or self.exporter_otlp_endpoint
        return bool(endpoint) and not self.sdk_disabled and self.traces_exporter == "otlp"

    @property
    def protocol(self) -> str:
        """How traces are exported: `grpc` or `http/protobuf`."""
        return self.exporter_otlp_traces_protocol or self.exporter_otlp_protocol

    @property
    def traces_url(self) -> str | None:
        """Where traces go, as vLLM takes it; None if nowhere."""
        if not self.on:
            return None
        if self.exporter_otlp_traces_endpoint:
            return self.exporter_otlp_traces_endpoint
        base = (self.exporter_otlp_endpoint or "").rstrip("/")
        return base if self.protocol == "grpc" else f"{base}/v1/traces"


class StorageVariables(BaseSettings):
    """AWS's standard variable with the address of an S3-compatible storage; its libraries read the others."""

    model_config = SettingsConfigDict(env_prefix="AWS_", frozen=True, extra="ignore")

    endpoint_url: str | None = None
