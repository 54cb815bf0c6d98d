from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models import verify
from models.bundle import Bundle, load_bundle, save_bundle
from models.detector import Contributions
from models.errors import BundleRefused, NotAdditive, NotTrainable
from models.training import Recipe, TrainingSet, fit_bundle
from models.verify import sha256
from tests.models.conftest import AUGUST, JULY, JUNE, train
from tests.models.toy import Distance
from tests.models.traffic import FEATURES, ordinary, planted

ROWS = np.vstack([ordinary(200, seed=9), planted(20)])


def rewrite(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Change the manifest, as someone would who can also mend the hashes in it."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_bytes())
    change(manifest)
    path.write_text(json.dumps(manifest))


def test_a_loaded_bundle_scores_and_explains_equal_to_the_bit(bundle: Bundle, folder: Path) -> None:
    loaded = load_bundle(folder, FEATURES.hash)
    np.testing.assert_array_equal(loaded.score(ROWS).risk, bundle.score(ROWS).risk)
    np.testing.assert_array_equal(loaded.explain(ROWS[-5:]).values, bundle.explain(ROWS[-5:]).values)
    assert (loaded.facts, loaded.version) == (bundle.facts, bundle.version)


def test_an_ensemble_survives_the_disk(toy: str, tmp_path: Path) -> None:
    pair = train(Recipe("near", Distance.fit), Recipe("far", Distance.fit, weight=2.0))
    save_bundle(pair, tmp_path)
    np.testing.assert_array_equal(load_bundle(tmp_path, FEATURES.hash).score(ROWS).risk, pair.score(ROWS).risk)
    assert toy in (tmp_path / "manifest.json").read_text()


def test_the_version_hashes_the_manifest_and_comes_back_with_the_same_training(bundle: Bundle, folder: Path) -> None:
    assert bundle.version == sha256((folder / "manifest.json").read_bytes())[:12]
    assert train(Recipe("d", Distance.fit)).version == train(Recipe("d", Distance.fit)).version
    assert train(Recipe("d", Distance.fit)).version != train(Recipe("d", Distance.fit), n_rows=2_100).version


def test_a_loaded_bundle_keeps_its_version_whatever_this_machine_would_write(folder: Path) -> None:
    rewrite(folder, lambda manifest: None)  # other white space, as another release might write it
    assert load_bundle(folder, FEATURES.hash).version == sha256((folder / "manifest.json").read_bytes())[:12]


def test_a_bundle_says_what_it_was_trained_on(bundle: Bundle) -> None:
    assert bundle.facts.feature_names == FEATURES.names
    assert bundle.facts.trained_from == "2026-06-01T00:00:00.000Z"
    assert bundle.facts.trained_to == "2026-07-01T00:00:00.000Z"
    assert (bundle.facts.n_rows, bundle.facts.created_at) == (2_000, "2026-08-01T00:00:00.000Z")
    assert {"numpy", "numba"} <= set(bundle.facts.libraries)


def test_an_altered_file_is_refused_by_name(folder: Path) -> None:
    path = folder / "members" / "forest" / "calibration.json"
    path.write_bytes(path.read_bytes().replace(b"0", b"1", 1))
    with pytest.raises(BundleRefused, match="calibration.json was altered"):
        load_bundle(folder, FEATURES.hash)


def test_a_file_the_manifest_does_not_name_is_refused(folder: Path) -> None:
    (folder / "members" / "forest" / "model.pkl").write_bytes(b"")
    with pytest.raises(BundleRefused, match=r"model\.pkl"):
        load_bundle(folder, FEATURES.hash)


def test_a_missing_file_is_refused_by_name(folder: Path) -> None:
    (folder / "golden.npz").unlink()
    with pytest.raises(BundleRefused, match=r"lacks 'golden\.npz'"):
        load_bundle(folder, FEATURES.hash)


def test_a_bundle_for_other_features_is_refused(folder: Path) -> None:
    with pytest.raises(BundleRefused, match="this job computes 0123456789ab") as refusal:
        load_bundle(folder, "0123456789ab")
    assert "tidewatch train" in refusal.value.fix


def test_another_major_version_of_a_library_that_scores_is_refused(folder: Path) -> None:
    rewrite(folder, lambda manifest: manifest["facts"]["libraries"].update(numpy="1.26.0"))
    with pytest.raises(BundleRefused, match=r"trained with numpy 1\.26\.0"):
        load_bundle(folder, FEATURES.hash)


def test_another_minor_version_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "version", {"numpy": "2.9.1"}.__getitem__)
    verify.check_libraries({"numpy": "2.4.6"})


def test_a_library_that_is_not_installed_is_refused() -> None:
    with pytest.raises(BundleRefused, match="installed is none"):
        verify.check_libraries({"no-such-library": "1.0"})


@pytest.mark.parametrize(("change", "says"), [
    (lambda manifest: manifest.update(format=99), "format 99"),
    (lambda manifest: manifest["members"][0].update(kind="os"), "no detector of kind 'os'"),
    (lambda manifest: manifest["members"][0].update(name="../forest"), "not a readable bundle"),
    (lambda manifest: manifest["facts"].pop("n_rows"), "not a readable bundle"),
    (lambda manifest: manifest.pop("members"), "not a readable bundle"),
])
def test_a_manifest_that_makes_no_sense_is_refused(
    folder: Path, change: Callable[[dict[str, object]], object], says: str
) -> None:
    rewrite(folder, change)
    with pytest.raises(BundleRefused, match=says):
        load_bundle(folder, FEATURES.hash)


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match=r"no manifest\.json"):
        load_bundle(tmp_path, FEATURES.hash)


def test_golden_rows_that_score_otherwise_than_in_training_are_refused(bundle: Bundle, tmp_path: Path) -> None:
    drifted = replace(bundle, golden=replace(bundle.golden, risk=bundle.golden.risk + 1e-6))
    save_bundle(drifted, tmp_path)
    with pytest.raises(BundleRefused, match="golden rows score 1e-06 away"):
        load_bundle(tmp_path, FEATURES.hash)


def test_a_bundle_that_cannot_explain_its_golden_rows_is_not_loaded(
    toy: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    save_bundle(train(Recipe(toy, Distance.fit)), tmp_path)
    monkeypatch.setattr(Distance, "contributions", lambda self, rows: Contributions(0.0, np.zeros(rows.shape)))
    with pytest.raises(NotAdditive):
        load_bundle(tmp_path, FEATURES.hash)


def test_golden_rows_reach_from_ordinary_to_suspicious(bundle: Bundle) -> None:
    assert bundle.golden.risk.min() < 0.05
    assert bundle.golden.risk.max() > 0.7


def test_a_matrix_of_other_features_is_not_scored(bundle: Bundle) -> None:
    with pytest.raises(BundleRefused, match=r"\(5, 3\)"):
        bundle.score(np.zeros((5, 3)))


def test_a_matrix_of_other_features_is_not_trained_on() -> None:
    rows = TrainingSet(np.zeros((2_000, 3)), FEATURES, JUNE, JULY)
    with pytest.raises(NotTrainable, match=r"\(2000, 3\)"):
        fit_bundle(rows, [Recipe("d", Distance.fit)], contamination=0.01, seed=7, created_at=AUGUST)
