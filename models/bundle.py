"""A trained ensemble with everything that must go with it, as a folder of plain files.

    manifest.json       what it is, and the sha256 of every other file; its own sha256 is the bundle's version
    golden.npz          a few training rows and their risk, scored again whenever the bundle is loaded
    calibration.json    of the blend, when there are two members or more
    members/<name>/*    the detector's own files, and its calibration.json

Numbers and text only: nothing is unpickled, and no file is read that the manifest does not vouch for.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self
from zipfile import BadZipFile

import numpy as np

from models.calibration import Calibration
from models.detector import Contributions, Matrix, Vector, detector_class
from models.ensemble import Ensemble, Member, ScoredBlock
from models.errors import BundleRefused
from models.verify import (
    FETCH_AGAIN,
    FORMAT,
    MANIFEST,
    TRAIN_AGAIN,
    check_features,
    check_libraries,
    sha256,
    verified_manifest,
)

GOLDEN: Final = "golden.npz"
CALIBRATION: Final = "calibration.json"
GOLDEN_WITHIN: Final = 1e-9


@dataclass(frozen=True)
class Facts:
    """What a bundle says about itself. Times are RFC 3339 UTC, the window is in event time."""

    feature_names: tuple[str, ...]
    feature_hash: str
    trained_from: str
    trained_to: str
    n_rows: int
    contamination: float
    seed: int
    created_at: str
    libraries: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Golden:
    """Training rows and the risk they had when the bundle was made."""

    rows: Matrix
    risk: Vector

    def to_bytes(self) -> bytes:
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, rows=self.rows, risk=self.risk)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return cls(arrays["rows"], arrays["risk"])


@dataclass(frozen=True, eq=False)
class Bundle:
    """Scores feature matrices whose columns are ``facts.feature_names``. ``sha256`` is that of its manifest."""

    ensemble: Ensemble
    facts: Facts
    golden: Golden
    sha256: str

    @classmethod
    def sealed(cls, ensemble: Ensemble, facts: Facts, golden: Golden) -> Self:
        """A new bundle, named after the files it will be saved as."""
        return cls(ensemble, facts, golden, sha256(_files(ensemble, facts, golden)[MANIFEST]))

    def score(self, matrix: Matrix) -> ScoredBlock:
        return self.ensemble.score(self._checked(matrix))

    def explain(self, matrix: Matrix) -> Contributions:
        """Contributions in units of risk: base and row sum give the risk score, within 1e-4."""
        return self.ensemble.explain(self._checked(matrix))

    @property
    def version(self) -> str:
        """Twelve hex digits that stand for this bundle in every decision it makes."""
        return self.sha256[:12]

    def _checked(self, matrix: Matrix) -> Matrix:
        if matrix.ndim != 2 or matrix.shape[1] != len(self.facts.feature_names):
            raise BundleRefused(
                f"a matrix of shape {matrix.shape} does not have the bundle's {len(self.facts.feature_names)} features",
                TRAIN_AGAIN,
            )
        return np.ascontiguousarray(matrix, np.float64)


def save_bundle(bundle: Bundle, folder: Path) -> None:
    """Write the bundle into a new or empty folder."""
    for path, content in _files(bundle.ensemble, bundle.facts, bundle.golden).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _files(ensemble: Ensemble, facts: Facts, golden: Golden) -> dict[str, bytes]:
    """All files by path inside the folder; the same bundle gives the same bytes."""
    files = {GOLDEN: golden.to_bytes()}
    if ensemble.calibration:
        files[CALIBRATION] = ensemble.calibration.to_json()
    for member in ensemble.members:
        own = member.detector.to_files() | {CALIBRATION: member.calibration.to_json()}
        files |= {f"members/{member.name}/{path}": content for path, content in own.items()}
    manifest = {
        "format": FORMAT,
        "facts": asdict(facts),
        "members": [{"name": m.name, "kind": m.detector.kind, "weight": m.weight} for m in ensemble.members],
        "files": {path: sha256(content) for path, content in files.items()},
    }
    return files | {MANIFEST: json.dumps(manifest, indent=1, sort_keys=True).encode()}


def read_files(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder`` by its path in there; none when there is no such folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def load_bundle(folder: Path, expected_feature_hash: str) -> Bundle:
    """The bundle in ``folder``; raises BundleRefused unless it is complete, unaltered and made for these features.

    Raises NotAdditive when it scores its golden rows but cannot explain them.
    """
    found = read_files(folder)
    try:
        manifest = verified_manifest(found, folder)
        check_features(manifest["facts"]["feature_hash"], expected_feature_hash)
        check_libraries(manifest["facts"]["libraries"])
        bundle = _restored(manifest, found)
    except (KeyError, TypeError, ValueError, BadZipFile) as error:
        raise BundleRefused(f"{folder} is not a readable bundle: {error!r}", FETCH_AGAIN) from error
    _check_golden(bundle)
    return bundle


def _restored(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> Bundle:
    facts = manifest["facts"] | {"feature_names": tuple(manifest["facts"]["feature_names"])}
    members = tuple(_member(stored, files) for stored in manifest["members"])
    blend = Calibration.from_json(files[CALIBRATION]) if CALIBRATION in files else None
    return Bundle(Ensemble(members, blend), Facts(**facts), Golden.from_bytes(files[GOLDEN]), sha256(files[MANIFEST]))


def _member(stored: Mapping[str, Any], files: Mapping[str, bytes]) -> Member:
    prefix = f"members/{stored['name']}/"
    own = {path.removeprefix(prefix): content for path, content in files.items() if path.startswith(prefix)}
    calibration = Calibration.from_json(own.pop(CALIBRATION))
    return Member(stored["name"], stored["weight"], detector_class(stored["kind"]).from_files(own), calibration)


def _check_golden(bundle: Bundle) -> None:
    """Score and explain the golden rows: a library that computes something else must not go unnoticed.

    It also compiles what is needed later, before the first payment waits for it.
    """
    gap = np.abs(bundle.score(bundle.golden.rows).risk - bundle.golden.risk).max(initial=0.0)
    if not gap <= GOLDEN_WITHIN:
        raise BundleRefused(
            f"the bundle's golden rows score {gap:.3g} away from where they did in training",
            f"install the libraries it was trained with: {dict(bundle.facts.libraries)}",
        )
    bundle.explain(bundle.golden.rows)
