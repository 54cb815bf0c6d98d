"""The sections of the settings: the type and allowed range of every key. Values and reasons are in conf/base.yaml."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from jobs.masking import masked

Positive = Annotated[int, Field(gt=0)]
NotNegative = Annotated[int, Field(ge=0)]
Port = Annotated[int, Field(ge=1, le=65535)]
Share = Annotated[float, Field(gt=0, lt=1)]
Text = Annotated[str, StringConstraints(min_length=1)]
CurrencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
TopicName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,249}$")]


def contradiction(rule: str, *keys: str) -> PydanticCustomError:
    """An error about several keys at once; `keys` are dotted from the root."""
    return PydanticCustomError("contradiction", "{rule}", {"rule": rule, "keys": keys})


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        return [(name, masked(name or "", value)) for name, value in super().__repr_args__()]


class Topics(Section):
    raw: TopicName
    scored: TopicName
    alerts: TopicName
    dead: TopicName
    alert_batches: TopicName


class KafkaSettings(Section):
    bootstrap_servers: Annotated[str, StringConstraints(pattern=r"^[^\s,:]+:\d+(,[^\s,:]+:\d+)*$")]
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None
    sasl_username: str | None
    sasl_password: SecretStr | None
    ssl_cafile: Path | None
    topics: Topics

    @property
    def uses_sasl(self) -> bool:
        return self.security_protocol.startswith("SASL_")

    @model_validator(mode="after")
    def _sasl_is_complete(self) -> KafkaSettings:
        missing = [key for key in ("sasl_mechanism", "sasl_username", "sasl_password") if getattr(self, key) is None]
        if self.uses_sasl and missing:
            raise contradiction(f"{self.security_protocol} needs {', '.join(missing)}",
                                "kafka.security_protocol", *(f"kafka.{key}" for key in missing))
        return self

    def client_options(self) -> dict[str, Any]:
        """Keyword arguments for any kafka-python client."""
        options: dict[str, Any] = {"bootstrap_servers": self.bootstrap_servers.split(","),
                                   "security_protocol": self.security_protocol}
        if self.ssl_cafile:
            options["ssl_cafile"] = str(self.ssl_cafile)
        if self.uses_sasl and self.sasl_password:
            options |= {"sasl_mechanism": self.sasl_mechanism, "sasl_plain_username": self.sasl_username,
                        "sasl_plain_password": self.sasl_password.get_secret_value()}
        return options

    def spark_options(self) -> dict[str, str]:
        """Options for Spark's Kafka source and sink."""
        options = {"kafka.bootstrap.servers": self.bootstrap_servers,
                   "kafka.security.protocol": self.security_protocol}
        if self.ssl_cafile:
            options |= {"kafka.ssl.truststore.type": "PEM", "kafka.ssl.truststore.location": str(self.ssl_cafile)}
        if self.uses_sasl:
            options |= {"kafka.sasl.mechanism": str(self.sasl_mechanism), "kafka.sasl.jaas.config": self._jaas()}
        return options

    def _jaas(self) -> str:
        module = "plain.PlainLoginModule" if self.sasl_mechanism == "PLAIN" else "scram.ScramLoginModule"
        password = self.sasl_password.get_secret_value() if self.sasl_password else ""
        return (f"org.apache.kafka.common.security.{module} required"
                f" username={_jaas_quoted(self.sasl_username or '')} password={_jaas_quoted(password)};")


def _jaas_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class ContractSettings(Section):
    default_currency: CurrencyCode
    base_currency: CurrencyCode
    max_lateness_s: NotNegative
    max_skew_s: NotNegative
    max_message_bytes: Positive
    max_user_payments_per_hour: Annotated[int, Field(ge=1, le=100_000)]
    rates_file: Path


class FeatureSettings(Section):
    horizon_s: Positive
    windows_s: Annotated[tuple[Positive, ...], Field(min_length=1)]
    distinct_windows_s: Annotated[tuple[Positive, ...], Field(min_length=1)]
    profile_s: Positive

    @model_validator(mode="after")
    def _windows_fit(self) -> FeatureSettings:
        for key in ("windows_s", "distinct_windows_s"):
            windows = getattr(self, key)
            if list(windows) != sorted(set(windows)):
                raise contradiction("the windows must rise, each one once", f"features.{key}")
            if windows[-1] > self.horizon_s:
                raise contradiction(f"the horizon must reach back as far as the largest window, {windows[-1]} s",
                                    "features.horizon_s", f"features.{key}")
        if self.profile_s > self.horizon_s:
            raise contradiction("the horizon must reach back as far as the profile",
                                "features.horizon_s", "features.profile_s")
        return self


class ModelSettings(Section):
    name: Text
    registry_uri: Text
    artifact_dir: Text
    n_estimators: Positive
    max_samples: Annotated[int, Field(ge=2)]
    contamination: Annotated[float, Field(gt=0, le=0.5)]
    seed: NotNegative
    max_training_rows: Positive
    poll_interval_s: Positive

    @model_validator(mode="after")
    def _rows_fill_a_tree(self) -> ModelSettings:
        if self.max_training_rows < self.max_samples:
            raise contradiction("a tree cannot sample more rows than are trained on",
                                "model.max_training_rows", "model.max_samples")
        return self


class PolicySettings(Section):
    medium: Share
    high: Share
    critical: Share
    alert_threshold: Share

    @model_validator(mode="after")
    def _thresholds_rise(self) -> PolicySettings:
        if not self.medium < self.high < self.critical:
            raise contradiction("the thresholds must rise: medium < high < critical",
                                "policy.medium", "policy.high", "policy.critical")
        return self


class StreamSettings(Section):
    trigger_interval_s: NotNegative
    max_offsets_per_trigger: Positive
    starting_offsets: Literal["earliest", "latest"]
    max_partition_drift_s: NotNegative
    n_shuffle_partitions: Positive
    checkpoint_dir: Text
    max_reasons: Positive


class ArchiveSettings(Section):
    trigger_interval_s: NotNegative
    max_offsets_per_trigger: Positive
    table_dir: Text


class SparkSettings(Section):
    master: Text | None
    driver_memory: Annotated[str, StringConstraints(pattern=r"^[1-9]\d*[mg]$")]
    arrow_max_records_per_batch: Positive
    extra: dict[str, str]


class BrokerSettings(Section):
    host: Text
    port: Port
    controller_port: Port
    heap_mb: Annotated[int, Field(ge=128)]

    @model_validator(mode="after")
    def _ports_differ(self) -> BrokerSettings:
        if self.port == self.controller_port:
            raise contradiction("broker and controller cannot share one port", "broker.port", "broker.controller_port")
        return self
