from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from jobs.errors import ConfigError
from jobs.settings import REPOSITORY, Settings, changed_settings, load_settings

CANARY = "c4n4ry-in-a-coal-mine"
SASL = {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "sasl_username": "teller"}
ConfWriter = Callable[..., Path]


@pytest.fixture
def conf(tmp_path: Path) -> ConfWriter:
    """Write a conf folder: the real base.yaml, and what is given as local.yaml."""
    def write(**local: object) -> Path:
        (tmp_path / "base.yaml").write_text((REPOSITORY / "conf" / "base.yaml").read_text())
        (tmp_path / "local.yaml").write_text(yaml.safe_dump(local))
        return tmp_path
    return write


def refusal(**overrides: object) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(**overrides)
    return str(caught.value)


def test_each_layer_goes_before_the_one_below(conf: ConfWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = conf(model={"n_estimators": 11, "max_samples": 12, "seed": 13})
    monkeypatch.setenv("TIDEWATCH_MODEL__MAX_SAMPLES", "22")
    monkeypatch.setenv("TIDEWATCH_MODEL__SEED", "23")
    model = load_settings(conf_dir=folder, model={"seed": 33}).model
    assert (model.contamination, model.n_estimators, model.max_samples, model.seed) == (0.01, 11, 22, 33)


def test_lists_and_mappings_come_from_the_environment_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEWATCH_FEATURES__WINDOWS_S", "[60, 3600]")
    monkeypatch.setenv("TIDEWATCH_SPARK__EXTRA", '{"spark.ui.enabled": "true"}')
    settings = load_settings()
    assert settings.features.windows_s == (60, 3600)
    assert settings.spark.extra == {"spark.ui.enabled": "true"}


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEWATCH_BROKER__PORT", "")
    assert load_settings().broker.port == 19092


def test_a_derived_setting_follows_the_one_it_is_built_from(tmp_path: Path) -> None:
    settings = load_settings(var_dir=tmp_path, broker={"port": 29092})
    assert settings.kafka.bootstrap_servers == "127.0.0.1:29092"
    assert settings.model.registry_uri == f"sqlite:///{tmp_path}/mlflow/mlflow.db"
    assert settings.stream.checkpoint_dir == f"{tmp_path}/checkpoints"


def test_folders_start_at_the_repository_and_files_at_the_conf_folder(conf: ConfWriter) -> None:
    folder = conf()
    settings = load_settings(conf_dir=folder)
    assert settings.var_dir == REPOSITORY / "var"
    assert settings.contract.rates_file == folder / "rates.csv"


def test_settings_cannot_be_changed() -> None:
    settings = load_settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.broker.port = 1  # type: ignore[misc]


@pytest.mark.parametrize("env", ["local", "docker"])
def test_every_environment_that_needs_no_account_loads(env: str) -> None:
    assert load_settings(env).env == env


def test_production_asks_for_its_account() -> None:
    assert "TIDEWATCH_KAFKA__SASL_PASSWORD" in refusal(env="prod")


@pytest.mark.parametrize(("overrides", "said"), [
    ({"broker": {"prot": 1}}, ["broker.prot", "no such setting", "did you mean port?", "controller_port"]),
    ({"brokers": {}}, ["brokers", "no such setting", "did you mean broker?"]),
    ({"broker": {"port": "high"}}, ["broker.port = 'high'", "keyword argument", "integer", "at most 65535"]),
    ({"broker": {"port": 0}}, ["broker.port = 0", "at least 1"]),
    ({"broker": 5}, ["broker = 5"]),
    ({"kafka": {"security_protocol": "SSH"}}, ["kafka.security_protocol = 'SSH'", "SASL_SSL"]),
    ({"kafka": {"bootstrap_servers": "nowhere"}}, ["kafka.bootstrap_servers = 'nowhere'", "matching"]),
    ({"contract": {"base_currency": "dollar"}}, ["contract.base_currency = 'dollar'"]),
    ({"spark": {"driver_memory": "much"}}, ["spark.driver_memory = 'much'"]),
    ({"model": {"contamination": 0.6}}, ["model.contamination = 0.6", "over 0", "at most 0.5"]),
    ({"features": {"windows_s": [60, 0]}}, ["features.windows_s = [60, 0]", "greater than 0"]),
    ({"features": {"windows_s": []}}, ["features.windows_s = []", "at least 1 item"]),
    ({"archive": {"table_dir": "${nowhere.at_all}"}}, ["${nowhere.at_all}", "names no setting"]),
])
def test_a_wrong_setting_is_refused_by_name_value_and_range(overrides: dict[str, object], said: list[str]) -> None:
    message = refusal(**overrides)
    assert [part for part in said if part not in message] == []


@pytest.mark.parametrize(("overrides", "keys"), [
    ({"policy": {"medium": 0.8}}, ["policy.medium = 0.8", "policy.high = 0.7", "medium < high < critical"]),
    ({"policy": {"critical": 0.7}}, ["policy.high = 0.7", "policy.critical = 0.7"]),
    ({"features": {"horizon_s": 3600}}, ["features.horizon_s = 3600", "86400", "largest window"]),
    ({"features": {"windows_s": [300, 60]}}, ["features.windows_s = [300, 60]", "must rise"]),
    ({"features": {"windows_s": [60, 60]}}, ["features.windows_s = [60, 60]", "each one once"]),
    ({"features": {"distinct_windows_s": [86400, 86401]}}, ["features.horizon_s = 86400", "[86400, 86401]"]),
    ({"features": {"profile_s": 100000}}, ["features.horizon_s = 86400", "features.profile_s = 100000"]),
    ({"model": {"max_samples": 300, "max_training_rows": 200}}, ["model.max_samples = 300", "model.max_training_rows"]),
    ({"broker": {"controller_port": 19092}}, ["broker.port = 19092", "broker.controller_port = 19092"]),
    ({"kafka": SASL}, ["kafka.security_protocol = 'SASL_SSL'", "needs sasl_password"]),
])
def test_a_contradiction_names_every_key_in_it(overrides: dict[str, object], keys: list[str]) -> None:
    message = refusal(**overrides)
    assert [key for key in keys if key not in message] == []


def test_an_error_says_which_file_or_variable_set_the_value(conf: ConfWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = conf(policy={"medium": 0.8})
    monkeypatch.setenv("TIDEWATCH_POLICY__HIGH", "0.6")
    message = refusal(conf_dir=folder)
    assert f"policy.medium = 0.8 (from {folder}/local.yaml)" in message
    assert "(from environment variable TIDEWATCH_POLICY__HIGH)" in message
    assert f"policy.critical = 0.9 (from {folder}/base.yaml)" in message


def test_all_wrong_settings_are_told_at_once() -> None:
    message = refusal(broker={"port": -1}, model={"seed": -1})
    assert "broker.port = -1" in message
    assert "model.seed = -1" in message


@pytest.mark.parametrize(("text", "said"), [("a: [", "is not YAML"), ("- a", "holds a list")])
def test_a_file_that_holds_no_settings_is_named(conf: ConfWriter, text: str, said: str) -> None:
    folder = conf()
    (folder / "local.yaml").write_text(text)
    message = refusal(conf_dir=folder)
    assert "local.yaml" in message
    assert said in message


def test_an_unknown_environment_is_answered_with_the_known_ones() -> None:
    assert "docker, local, prod" in refusal(env="staging")


def test_a_conf_folder_without_base_yaml_is_named(tmp_path: Path) -> None:
    (tmp_path / "local.yaml").touch()
    assert f"{tmp_path}/base.yaml" in refusal(conf_dir=tmp_path)


def test_a_variable_that_is_not_json_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEWATCH_FEATURES__WINDOWS_S", "[60,")
    assert "TIDEWATCH_FEATURES__WINDOWS_S is not JSON" in refusal()


@pytest.mark.parametrize("section", [
    {"kafka": {"sasl_password": CANARY}},
    {"model": {"registry_uri": f"postgresql://tide:{CANARY}@db/mlflow"}},
    {"spark": {"extra": {"spark.hadoop.fs.s3a.secret.key": CANARY}}},
])
def test_a_secret_in_a_file_is_refused_and_not_repeated(conf: ConfWriter, section: dict[str, object]) -> None:
    message = refusal(conf_dir=conf(**section))
    assert "holds a secret" in message
    assert CANARY not in message


@pytest.fixture
def with_secrets(monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in {"KAFKA__SASL_PASSWORD": CANARY, "MODEL__REGISTRY_URI": f"postgresql://tide:{CANARY}@db/mlflow",
                        "SPARK__EXTRA": f'{{"spark.hadoop.fs.s3a.secret.key": "{CANARY}"}}'}.items():
        monkeypatch.setenv(f"TIDEWATCH_{name}", value)
    return load_settings(kafka=SASL)


def test_secrets_are_masked_however_settings_are_printed(with_secrets: Settings) -> None:
    printed = "".join(f"{part!r} {part}" for part in (with_secrets, with_secrets.kafka, with_secrets.model,
                                                      with_secrets.spark))
    assert CANARY not in printed
    assert "postgresql://tide:*****" in printed


def test_clients_get_the_real_secret(with_secrets: Settings) -> None:
    assert with_secrets.kafka.client_options()["sasl_plain_password"] == CANARY
    assert f'password="{CANARY}"' in with_secrets.kafka.spark_options()["kafka.sasl.jaas.config"]
    assert CANARY in with_secrets.model.registry_uri


@pytest.mark.parametrize("name", ["KAFKA__SASL_PASWORD", "KAFKA__SASL_PASSWORD__X", "KAFKA_SASL_PASSWORD"])
def test_a_misspelt_variable_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"TIDEWATCH_{name}", CANARY)
    message = refusal()
    assert "kafka" in message
    assert CANARY not in message


def test_a_wrong_setting_beside_a_secret_does_not_print_the_secret(with_secrets: Settings) -> None:
    assert CANARY not in refusal(kafka={"topics": 5}, spark={"driver_memory": "much"}, model={"seed": "x"})


def test_a_quote_in_a_password_does_not_end_it_early() -> None:
    kafka = load_settings(kafka={**SASL, "sasl_password": 'a"b\\c'}).kafka
    assert kafka.spark_options()["kafka.sasl.jaas.config"].endswith(r'password="a\"b\\c";')


def test_without_sasl_no_account_is_sent() -> None:
    kafka = load_settings(kafka={"sasl_username": "teller", "ssl_cafile": "/ca.pem", "security_protocol": "SSL"}).kafka
    assert kafka.client_options() == {"bootstrap_servers": ["127.0.0.1:19092"], "security_protocol": "SSL",
                                      "ssl_cafile": "/ca.pem"}
    assert kafka.spark_options() == {"kafka.bootstrap.servers": "127.0.0.1:19092", "kafka.security.protocol": "SSL",
                                     "kafka.ssl.truststore.type": "PEM", "kafka.ssl.truststore.location": "/ca.pem"}


def test_changed_settings_are_told_with_their_origin(conf: ConfWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = conf(model={"seed": 8})
    monkeypatch.setenv("TIDEWATCH_BROKER__PORT", "29092")
    assert changed_settings(conf_dir=folder) == {
        "model.seed": f"{folder}/local.yaml",
        "broker.port": "environment variable TIDEWATCH_BROKER__PORT",
    }
