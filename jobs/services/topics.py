"""Topics as conf/topics.yaml declares them, on any Kafka: created, kept as declared, and looked at."""
from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

import yaml
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.protocol.consumer import OffsetSpec
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError

from jobs.errors import ConfigError, ServiceError, TopicMismatch
from jobs.services.admin import kafka_admin
from jobs.settings import Settings

RETENTION = "retention.ms"
FOREVER_MS = -1
VISIBLE_TIMEOUT_S = 10


class TopicSpec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    partitions: Annotated[int, Field(gt=0)]
    config: dict[str, StrictInt | StrictStr]

    @property
    def kafka_config(self) -> dict[str, str]:
        return {key: str(value) for key, value in self.config.items()}


@dataclass(frozen=True)
class TopicChange:
    topic: str
    what: str


@dataclass(frozen=True)
class TopicState:
    """A topic that exists. Offsets are by partition number."""

    name: str
    begin_offsets: tuple[int, ...]
    end_offsets: tuple[int, ...]
    cleanup_policy: str
    retention_ms: int

    @property
    def n_messages(self) -> int:
        """Offsets in use: more than the records where a topic is compacted or holds transaction markers."""
        return sum(self.end_offsets) - sum(self.begin_offsets)


def load_topic_specs(settings: Settings) -> dict[str, TopicSpec]:
    """What conf/topics.yaml declares, by topic name. Raises ConfigError unless it declares each role once."""
    file = settings.conf_dir / "topics.yaml"
    names = settings.kafka.topics.model_dump()
    try:
        declared = yaml.safe_load(file.read_text(encoding="utf-8"))
        specs = {role: TopicSpec.model_validate(spec) for role, spec in declared.items()}
    except (OSError, yaml.YAMLError, AttributeError, ValidationError) as error:
        raise ConfigError(f"{file} does not declare topics: {error}", "take the one of the repository as a model"
                          ) from error
    if specs.keys() != names.keys():
        raise ConfigError(f"{file} declares {', '.join(sorted(specs))}; the settings name {', '.join(sorted(names))}",
                          "declare each topic of kafka.topics once, and no other")
    return {names[role]: spec for role, spec in specs.items()}


def ensure_topics(settings: Settings, may_delete_records: bool = False) -> list[TopicChange]:
    """Create what is missing and set what differs from the declaration; returns what was done.

    A retention longer than declared stays, as shortening it deletes records, unless `may_delete_records`.
    Raises TopicMismatch, before anything is changed, when a topic has another number of partitions.
    """
    specs = load_topic_specs(settings)
    with kafka_admin(settings.kafka.client_options()) as admin:
        existing = _n_partitions(admin, specs)
        _check_partitions(specs, existing)
        missing = {name: spec for name, spec in specs.items() if name not in existing}
        changes = _create(admin, missing)
        for name in existing:
            changes += _reconcile(admin, name, specs[name], may_delete_records)
    return changes


def set_retention(settings: Settings, topic: str, retention_ms: int) -> None:
    """Keep a topic's records for so long by the time they carry; `FOREVER_MS` before a history is replayed into it."""
    with kafka_admin(settings.kafka.client_options()) as admin:
        _alter(admin, topic, {RETENTION: str(retention_ms)})


def topic_states(settings: Settings) -> dict[str, TopicState | None]:
    """Every topic of the settings by name; None for one that does not exist."""
    names = list(settings.kafka.topics.model_dump().values())
    with kafka_admin(settings.kafka.client_options()) as admin:
        existing = _n_partitions(admin, names)
        return {name: _state(admin, name, existing[name]) if name in existing else None for name in names}


def _state(admin: KafkaAdminClient, name: str, n_partitions: int) -> TopicState:
    config = _config(admin, name)
    return TopicState(name, _offsets(admin, name, n_partitions, OffsetSpec.EARLIEST),
                      _offsets(admin, name, n_partitions, OffsetSpec.LATEST),
                      config["cleanup.policy"], int(config[RETENTION]))


def _offsets(admin: KafkaAdminClient, name: str, n_partitions: int, which: OffsetSpec) -> tuple[int, ...]:
    partitions = [TopicPartition(name, number) for number in range(n_partitions)]
    found = admin.list_partition_offsets(dict.fromkeys(partitions, which))
    return tuple(found[partition].offset for partition in partitions)


def _n_partitions(admin: KafkaAdminClient, names: Iterable[str]) -> dict[str, int]:
    """Number of partitions of each topic that exists."""
    return {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics(list(names))
            if topic["error_code"] == 0}


def _check_partitions(specs: Mapping[str, TopicSpec], existing: Mapping[str, int]) -> None:
    wrong = [f"{name} has {n} partitions, declared are {specs[name].partitions}"
             for name, n in existing.items() if n != specs[name].partitions]
    if wrong:
        raise TopicMismatch("; ".join(wrong),
                            "a key's place hangs on this number, so it is not changed under live data: declare the "
                            "present one in conf/topics.yaml, or name a new topic under kafka.topics and move over")


def _create(admin: KafkaAdminClient, specs: Mapping[str, TopicSpec]) -> list[TopicChange]:
    if specs:
        admin.create_topics({name: {"num_partitions": spec.partitions, "configs": spec.kafka_config}
                             for name, spec in specs.items()}, wait_for_metadata=True)
    return [TopicChange(name, f"created, partitions {spec.partitions}") for name, spec in specs.items()]


def _reconcile(admin: KafkaAdminClient, name: str, spec: TopicSpec, may_delete_records: bool) -> list[TopicChange]:
    present = _config(admin, name)
    drift = {key: value for key, value in spec.kafka_config.items() if present.get(key) != value}
    deletes = RETENTION in drift and _is_shorter(drift[RETENTION], present[RETENTION])
    kept = drift.pop(RETENTION) if deletes and not may_delete_records else None
    if drift:
        _alter(admin, name, drift)
    changes = [TopicChange(name, f"{key}: {present.get(key)} -> {value}") for key, value in drift.items()]
    if kept:
        changes.append(TopicChange(name, f"{RETENTION}: {present[RETENTION]} kept, though {kept} is declared: "
                                         "shortening it deletes records (`tidewatch up --shorten-retention` does)"))
    return changes


def _is_shorter(retention: str, than: str) -> bool:
    return int(retention) != FOREVER_MS and (int(than) == FOREVER_MS or int(retention) < int(than))


def _config(admin: KafkaAdminClient, name: str) -> dict[str, str]:
    resource = ConfigResource(ConfigResourceType.TOPIC, name)
    described = admin.describe_configs([resource], config_filter="all")["topic"][name]
    return {key: entry["value"] for key, entry in described.items()}


def _alter(admin: KafkaAdminClient, name: str, config: Mapping[str, str]) -> None:
    resource = ConfigResource(ConfigResourceType.TOPIC, name, dict(config))
    answer = admin.alter_configs([resource], raise_on_unknown=False)["topic"][name]
    if answer != "OK":
        raise ServiceError(f"Kafka refused {config} for topic {name}: {answer}",
                           "check that the topic exists and that this account may alter it")
    _wait_until_visible(admin, name, config)


def _wait_until_visible(admin: KafkaAdminClient, name: str, config: Mapping[str, str]) -> None:
    """Kafka accepts a change before the brokers act on it."""
    deadline = time.monotonic() + VISIBLE_TIMEOUT_S
    while not config.items() <= _config(admin, name).items():
        if time.monotonic() > deadline:
            raise ServiceError(f"Kafka accepted {config} for topic {name}, but does not show it "
                               f"after {VISIBLE_TIMEOUT_S} s", "try again; then look into the broker's log")
        time.sleep(0.02)
