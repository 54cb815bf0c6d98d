"""Where bundles are published: MLflow, by version number and by alias.

A version's tags carry the sha256 of its manifest, and the manifest that of every file, so what is downloaded is what
was registered. MLflow keeps files and numbers here; it never runs or unpickles a model.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from features.masking import without_passwords
from models.bundle import read_files
from models.errors import BundleRefused, ModelError, RegistryProblem
from models.mlflow_client import SQLITE, mlflow_exception, one_at_a_time, quiet_client, unless_there
from models.verify import MANIFEST, sha256, verified_manifest

CHAMPION: Final = "champion"
SHA256_TAG: Final = "manifest_sha256"
ARTIFACT: Final = "bundle"


class Registry:
    """The versions of one model.

    ``uri`` is a sqlite file, which several processes may use at once, or a server. New bundles are kept in
    ``artifact_dir``, a folder or a URI, unless the server has its own place; downloads are kept in that folder too.
    """

    def __init__(self, uri: str, name: str, artifact_dir: str | Path) -> None:
        self._uri, self._name = uri, name
        is_remote = "://" in str(artifact_dir)
        self._artifacts = str(artifact_dir) if is_remote else str(Path(artifact_dir).absolute())
        self._downloads = Path(tempfile.gettempdir() if is_remote else self._artifacts) / "downloads"
        with self._told("open the registry"), one_at_a_time(uri):
            self._client = quiet_client(uri)

    def register(
        self, bundle_dir: Path, metrics: Mapping[str, float], params: Mapping[str, object], alias: str | None = None
    ) -> int:
        """Publish the bundle in ``bundle_dir`` as the next version and point ``alias`` at it; returns the version."""
        files = read_files(bundle_dir)
        facts = verified_manifest(files, bundle_dir)["facts"]
        tags = {SHA256_TAG: sha256(files[MANIFEST]), "feature_hash": facts["feature_hash"]}
        with self._told("register a version"):
            run_id, source = self._log_run(bundle_dir, metrics, params)
            unless_there(lambda: self._client.create_registered_model(self._name))
            created = self._client.create_model_version(self._name, source=source, run_id=run_id, tags=tags)
        version = int(created.version)
        if alias:
            self.set_alias(alias, version)
        return version

    def set_alias(self, alias: str, version: int) -> None:
        with self._told(f"point @{alias} at version {version}"):
            self._client.set_registered_model_alias(self._name, alias, str(version))

    def version_of(self, alias: str) -> int | None:
        """The version the alias points at, None when there is none; cheap enough to ask before every micro-batch."""
        with self._told(f"look up @{alias}"):
            try:
                return int(self._client.get_model_version_by_alias(self._name, alias).version)
            except mlflow_exception() as error:
                if "not found" in str(error):
                    return None
                raise

    def champion(self) -> tuple[int, Path]:
        """The version that scores, and its folder; raises RegistryProblem when none was trained yet."""
        version = self.version_of(CHAMPION)
        if version is None:
            raise RegistryProblem(without_passwords(f"{self._uri} has no @{CHAMPION} of {self._name!r}"),
                                  "train one: tidewatch train")
        return version, self.download(version)

    def download(self, version: int) -> Path:
        """The folder of that version's bundle, fetched once and verified every time."""
        with self._told(f"read version {version}"):
            found = self._client.get_model_version(self._name, str(version))
            expected = found.tags.get(SHA256_TAG, "unrecorded")
            folder: Path = self._downloads / expected
            if not _is_intact(folder, expected):
                self._fetch(found.source, folder)
        if not _is_intact(folder, expected):
            raise BundleRefused(f"version {version} is not what was registered: the sha256 of its manifest should be "
                                f"{expected}", "register it again, or point the alias at another version")
        return folder

    def _log_run(
        self, bundle_dir: Path, metrics: Mapping[str, float], params: Mapping[str, object]
    ) -> tuple[str, str]:
        """The id of a finished run that holds the bundle, and the bundle's address."""
        run = self._client.create_run(self._experiment_id())
        run_id = run.info.run_id
        for key, value in params.items():
            self._client.log_param(run_id, key, value)
        for key, value in metrics.items():
            self._client.log_metric(run_id, key, value)
        self._client.log_artifacts(run_id, str(bundle_dir), ARTIFACT)
        self._client.set_terminated(run_id)
        return run_id, f"{run.info.artifact_uri}/{ARTIFACT}"

    def _experiment_id(self) -> str:
        location = self._artifacts if self._uri.startswith(SQLITE) else None
        unless_there(lambda: self._client.create_experiment(self._name, artifact_location=location))
        return str(self._client.get_experiment_by_name(self._name).experiment_id)

    def _fetch(self, source: str, folder: Path) -> None:
        from mlflow.artifacts import download_artifacts

        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            fetched = download_artifacts(artifact_uri=source, dst_path=scratch, tracking_uri=self._uri)
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):  # another process was faster; what it left is verified like our own
                Path(fetched).rename(folder)

    @contextmanager
    def _told(self, action: str) -> Iterator[None]:
        """Whatever goes wrong inside is a RegistryProblem that names the registry and what was tried."""
        try:
            yield
        except ModelError:
            raise
        except Exception as error:
            message = f"cannot {action}: {error} (model {self._name!r}, registry {self._uri})"
            raise RegistryProblem(without_passwords(message),
                                  "check model.registry_uri and model.artifact_dir") from error


def _is_intact(folder: Path, expected: str) -> bool:
    try:
        files = read_files(folder)
        verified_manifest(files, folder)
    except (ModelError, KeyError, ValueError):
        return False
    return sha256(files[MANIFEST]) == expected
