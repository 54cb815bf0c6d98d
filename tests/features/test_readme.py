"""The page of features/ says what the code does. ``python -m tests.features.test_readme`` prints its catalogue anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from features.catalogue import FeatureSet, FeatureSpec
from features.transaction import COORDINATES, FIELDS, REQUIRED, Reason
from features.windows import window_words

PAGE = Path(__file__).parents[2] / "features" / "README.md"
HEADER = "| feature | unit | missing means | looks back |\n|---|---|---|---|\n"
REASONS = [value for name, value in vars(Reason).items() if name.isupper()]


def catalogue_table() -> str:
    return HEADER + "".join(_row(spec) for spec in FeatureSet().specs)


def _row(spec: FeatureSpec) -> str:
    looks_back = window_words(spec.history_s) if spec.history_s else ""
    return f"| `{spec.name}` | {spec.unit} | {spec.null_meaning} | {looks_back} |\n"


def rows_of_the_contract() -> Iterator[list[str]]:
    section = PAGE.read_text(encoding="utf-8").split("## The transaction")[1].split("\n## ")[0]
    yield from (line.split("|")[1:-1] for line in section.splitlines() if line.startswith("| `"))


def test_the_catalogue_on_the_page_is_the_default_feature_set() -> None:
    assert catalogue_table() in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_has_its_row_in_the_contract_and_says_whether_it_is_required(field: str) -> None:
    (row,) = [row for row in rows_of_the_contract() if f"`{field}`" in row[0]]
    assert ("required" in row[2]) == (field in REQUIRED)


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_is_explained_once(reason: str) -> None:
    assert len([row for row in rows_of_the_contract() if row[0].strip().startswith(f"`{reason}")]) == 1


@pytest.mark.parametrize("field", COORDINATES)
def test_the_limits_of_coordinates_are_on_the_page(field: str) -> None:
    (row,) = [row for row in rows_of_the_contract() if f"`{field}`" in row[0]]
    assert f"{COORDINATES[field]:.0f}" in row[2]


if __name__ == "__main__":
    print(catalogue_table())
