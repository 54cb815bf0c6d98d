"""Whether the files of a bundle may be used at all: unaltered, complete, for these features and these libraries."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, cast

from models.errors import BundleRefused

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
TRAIN_AGAIN: Final = "train and register a model for this set of features: tidewatch train"
FETCH_AGAIN: Final = "fetch the bundle from the registry again; do not edit its files"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def verified_manifest(files: Mapping[str, bytes], folder: Path) -> dict[str, Any]:
    """The manifest, once every file it names is there with its hash, and no other is."""
    if MANIFEST not in files:
        raise BundleRefused(f"{folder} has no {MANIFEST}", "give the folder of a bundle")
    manifest = cast("dict[str, Any]", json.loads(files[MANIFEST]))
    if manifest["format"] != FORMAT:
        raise BundleRefused(f"{folder} has format {manifest['format']!r}, not {FORMAT}", TRAIN_AGAIN)
    hashes = manifest["files"]
    if unknown := sorted(set(files) - set(hashes) - {MANIFEST}):
        raise BundleRefused(f"{folder} holds {unknown[0]!r}, which its manifest does not name", FETCH_AGAIN)
    if missing := sorted(set(hashes) - set(files)):
        raise BundleRefused(f"{folder} lacks {missing[0]!r}, which its manifest names", FETCH_AGAIN)
    for path, expected in hashes.items():
        if sha256(files[path]) != expected:
            raise BundleRefused(f"{folder / path} was altered: its sha256 is not {expected[:12]}...", FETCH_AGAIN)
    return manifest


def check_features(found: str, expected: str) -> None:
    if found != expected:
        raise BundleRefused(f"the bundle was trained on feature set {found}, this job computes {expected}", TRAIN_AGAIN)


def check_libraries(trained_with: Mapping[str, str]) -> None:
    """Refuse another major version of a library that scores."""
    for name, then in trained_with.items():
        now = _installed(name)
        if now is None or now.split(".")[0] != then.split(".")[0]:
            raise BundleRefused(
                f"the bundle was trained with {name} {then}; installed is {now or 'none'}",
                f"pip install '{name}=={then}', or train again with the libraries installed here",
            )


def installed_versions(names: Iterable[str]) -> dict[str, str]:
    """The version of each library that is installed, by name in order."""
    found = {name: _installed(name) for name in sorted(set(names))}
    return {name: number for name, number in found.items() if number is not None}


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
