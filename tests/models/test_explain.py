from __future__ import annotations

import numpy as np

from models.explain import reasons
from tests.models.traffic import FEATURES

COUNT, SUM, GAP = (FEATURES.names.index(name) for name in ("count_1m", "sum_amount_1m", "gap_s"))


def blank() -> np.ndarray:
    return np.zeros((1, len(FEATURES.names)))


def test_a_reason_says_the_value_in_the_words_of_the_catalogue() -> None:
    values, row = blank(), blank()
    values[0, COUNT], row[0, COUNT] = 0.25, 12.0
    assert reasons(values, row, FEATURES, max_reasons=5) == [[{
        "code": "COUNT_1M", "feature": "count_1m", "value": 12.0, "contribution": 0.25, "text": "12 payments in 1 min",
    }]]


def test_reasons_come_largest_first() -> None:
    values = blank()
    values[0, [GAP, SUM, COUNT]] = 0.1, 0.2, 0.3
    (found,) = reasons(values, blank(), FEATURES, max_reasons=5)
    assert [reason["feature"] for reason in found] == ["count_1m", "sum_amount_1m", "gap_s"]


def test_features_that_weigh_the_same_come_in_catalogue_order() -> None:
    values = blank() + 0.1
    values[:, 1::2] = 0.2
    (found,) = reasons(values, blank(), FEATURES, max_reasons=len(FEATURES.names))
    assert [reason["feature"] for reason in found] == [*FEATURES.names[1::2], *FEATURES.names[::2]]


def test_features_that_lowered_the_score_are_no_reasons() -> None:
    values = blank()
    values[0, [GAP, SUM]] = -0.4, 0.01
    (found,) = reasons(values, blank(), FEATURES, max_reasons=len(FEATURES.names))
    assert [reason["feature"] for reason in found] == ["sum_amount_1m"]


def test_only_the_largest_few_are_given() -> None:
    (found,) = reasons(blank() + np.arange(len(FEATURES.names)), blank(), FEATURES, max_reasons=3)
    assert [reason["contribution"] for reason in found] == [float(len(FEATURES.names) - k) for k in (1, 2, 3)]


def test_a_missing_value_is_none_and_said_as_what_its_absence_means() -> None:
    values, row = blank(), blank()
    values[0, GAP], row[0, GAP] = 0.2, np.nan
    ((reason,),) = reasons(values, row, FEATURES, max_reasons=5)
    assert reason["value"] is None
    assert reason["text"] == FEATURES.spec("gap_s").null_meaning


def test_many_rows_are_explained_at_once_each_by_its_own_values() -> None:
    values, rows = np.vstack([blank(), blank()]), np.vstack([blank(), blank()])
    values[0, COUNT], values[1, SUM], rows[1, SUM] = 0.5, 0.5, 99.0
    first, second = reasons(values, rows, FEATURES, max_reasons=5)
    assert [reason["code"] for reason in first + second] == ["COUNT_1M", "SUM_AMOUNT_1M"]
    assert second[0]["value"] == 99.0
