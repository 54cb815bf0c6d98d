from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import ContractError
from jobs.history_files import read_history, read_keyed_history

NOON_MS = 1_767_268_800_000  # 2026-01-01T12:00:00Z
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def line(timestamp: object = "2026-01-01T12:00:00Z", user: object = "u1") -> bytes:
    return json.dumps({"transaction_id": "t", "user_id": user, "amount": 1, "timestamp": timestamp}).encode()


def lines_file(folder: Path, *lines: bytes, name: str = "history.jsonl") -> Path:
    file = folder / name
    file.write_bytes(b"\n".join(lines) + b"\n")
    return file


def parquet_file(folder: Path, name: str = "history.parquet", **columns: object) -> Path:
    n = max([len(values) for values in columns.values()], default=1)  # type: ignore[arg-type]
    base = {"transaction_id": ["t"] * n, "user_id": ["u1"] * n, "amount": [1.5] * n, "timestamp": [NOON] * n}
    file = folder / name
    pq.write_table(pa.table({**base, **columns}), file)
    return file


def column(path: Path, name: str, batch_rows: int = 65_536) -> list[object]:
    return [value for rows in read_keyed_history(path, batch_rows) for value in rows.column(name).to_pylist()]


def only_row(path: Path) -> dict[str, object]:
    (value,) = column(path, "value")
    return json.loads(value, parse_float=Decimal)  # type: ignore[arg-type]


def test_a_json_line_keeps_its_bytes(tmp_path: Path) -> None:
    odd = b'{ "user_id" : "u1",\t"timestamp":17 , "amount":1.10 }'
    assert column(lines_file(tmp_path, odd), "value") == [odd]


def test_blank_lines_and_carriage_returns_are_no_part_of_a_record(tmp_path: Path) -> None:
    assert column(lines_file(tmp_path, line() + b"\r", b"", b"  ", line()), "value") == [line(), line()]


def test_the_public_rows_have_value_offset_and_event_time(tmp_path: Path) -> None:
    (rows,) = read_history(lines_file(tmp_path, line()))
    assert rows.to_pylist() == [{"value": line(), "offset": 0, "event_ms": NOON_MS}]


@pytest.mark.parametrize(
    ("timestamp", "expected_ms"),
    [
        ("2026-01-01T12:00:00Z", NOON_MS),
        ("2026-01-01T14:00:00.250+02:00", NOON_MS + 250),
        (NOON_MS + 7, NOON_MS + 7),
    ],
)
def test_the_event_time_is_read_from_text_with_zone_or_epoch_milliseconds(
    tmp_path: Path, timestamp: object, expected_ms: int
) -> None:
    assert column(lines_file(tmp_path, line(timestamp)), "event_ms") == [expected_ms]


@pytest.mark.parametrize("unreadable", [b"{", b"[]", b"\xff\xfe", line("2026-01-01T12:00:00"), line(None), line(-1)])
def test_a_row_without_readable_time_takes_the_time_of_the_row_before(tmp_path: Path, unreadable: bytes) -> None:
    file = lines_file(tmp_path, line(NOON_MS), unreadable, line(NOON_MS - 5), unreadable)
    assert column(file, "event_ms") == [NOON_MS, NOON_MS, NOON_MS - 5, NOON_MS - 5]


def test_the_time_of_the_row_before_reaches_over_batches_and_files(tmp_path: Path) -> None:
    lines_file(tmp_path, line(NOON_MS), name="a.jsonl")
    lines_file(tmp_path, b"{", b"{", name="b.jsonl")
    assert column(tmp_path, "event_ms", batch_rows=1) == [NOON_MS] * 3


def test_at_the_start_of_a_history_the_time_comes_from_the_row_after(tmp_path: Path) -> None:
    assert column(lines_file(tmp_path, b"{", line(NOON_MS)), "event_ms") == [NOON_MS, NOON_MS]


def test_a_folder_is_read_in_name_order_and_numbered_through(tmp_path: Path) -> None:
    lines_file(tmp_path, b'"third"', name="c.ndjson")
    lines_file(tmp_path, b'"first"', b'"second"', name="a.jsonl")
    lines_file(tmp_path, b"not a history", name="b.txt")
    assert column(tmp_path, "value") == [b'"first"', b'"second"', b'"third"']
    assert column(tmp_path, "offset", batch_rows=1) == [0, 1, 2]


def test_the_key_is_the_user_or_null_where_that_is_no_text(tmp_path: Path) -> None:
    file = lines_file(tmp_path, line(user="zoë"), line(user=7), line(user=None), b"{")
    assert column(file, "key") == ["zoë".encode(), None, None, None]


def test_a_parquet_row_becomes_json_without_its_nulls(tmp_path: Path) -> None:
    file = parquet_file(tmp_path, city=pa.array([None], pa.string()), latitude=[52.5], is_test=[True])
    assert column(file, "value") == [
        b'{"transaction_id":"t","user_id":"u1","amount":1.5,"timestamp":"2026-01-01T12:00:00.000Z",'
        b'"latitude":52.5,"is_test":true}'
    ]


@pytest.mark.parametrize("amount", [Decimal("0.10"), Decimal("12345678901234.56"), Decimal("0.00")])
def test_a_decimal_amount_is_exact(tmp_path: Path, amount: Decimal) -> None:
    file = parquet_file(tmp_path, amount=pa.array([amount], pa.decimal128(20, 2)))
    assert only_row(file)["amount"] == amount


@pytest.mark.parametrize(
    ("amount", "written"), [(57.16, Decimal("57.16")), (1e-7, Decimal("1e-7")), (float("nan"), "nan")]
)
def test_a_float_amount_is_its_shortest_decimal_and_stays_legal_json(
    tmp_path: Path, amount: float, written: object
) -> None:
    assert only_row(parquet_file(tmp_path, amount=[amount]))["amount"] == written


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_any_text_survives_the_way_through_parquet(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    file = parquet_file(tmp_path_factory.mktemp("text"), merchant_name=texts)
    assert [json.loads(value)["merchant_name"] for value in column(file, "value")] == texts  # type: ignore[arg-type]


def test_integer_ids_become_the_texts_the_contract_asks_for(tmp_path: Path) -> None:
    file = parquet_file(tmp_path, user_id=[596], merchant_category=[5411])
    assert (only_row(file)["user_id"], only_row(file)["merchant_category"]) == ("596", "5411")
    assert column(file, "key") == [b"596"]


@pytest.mark.parametrize(
    "kind", [pa.timestamp("us", "UTC"), pa.timestamp("ns", "America/New_York"), pa.timestamp("ms")], ids=str
)
def test_a_parquet_timestamp_of_any_unit_and_zone_is_the_same_instant(tmp_path: Path, kind: pa.DataType) -> None:
    file = parquet_file(tmp_path, timestamp=pa.array([NOON_MS], pa.timestamp("ms")).cast(kind))
    assert only_row(file)["timestamp"] == "2026-01-01T12:00:00.000Z"
    assert column(file, "event_ms") == [NOON_MS]


@pytest.mark.parametrize("timestamp", ["2026-01-01T14:00:00+02:00", NOON_MS])
def test_a_parquet_timestamp_that_is_text_or_number_is_sent_as_it_stands(tmp_path: Path, timestamp: object) -> None:
    file = parquet_file(tmp_path, timestamp=[timestamp])
    assert only_row(file)["timestamp"] == timestamp
    assert column(file, "event_ms") == [NOON_MS]


def test_dictionary_and_nested_columns_are_written_as_their_values(tmp_path: Path) -> None:
    file = parquet_file(tmp_path, channel=pa.array(["pos"]).dictionary_encode(), tags=[["a", "b"]])
    row = only_row(file)
    assert (row["channel"], row["tags"]) == ("pos", ["a", "b"])


@given(st.lists(st.binary().filter(lambda content: b"\n" not in content), max_size=5))
def test_no_bytes_in_a_line_raise(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    file = lines_file(tmp_path_factory.mktemp("bytes"), *lines)
    assert column(file, "value") == [content.rstrip(b"\r") for content in lines if content and not content.isspace()]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="no file or folder .*missing.parquet"):
        read_history(tmp_path / "missing.parquet")


def test_an_unknown_kind_of_file_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "history.csv").touch()
    with pytest.raises(ContractError, match=r"history\.csv is not a known kind(.|\n)*\.parquet, \.jsonl"):
        read_history(tmp_path / "history.csv")


def test_a_folder_without_a_history_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="holds no history"):
        read_history(tmp_path)


def test_a_missing_column_is_named_before_the_first_row(tmp_path: Path) -> None:
    file = tmp_path / "history.parquet"
    pq.write_table(pa.table({"id": ["t"], "user_id": ["u"], "amount": [1.0]}), file)
    with pytest.raises(ContractError, match="no column transaction_id, timestamp; it has id, user_id, amount"):
        read_history(file)


def test_a_file_that_only_claims_to_be_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "history.parquet").write_bytes(b"transaction_id,user_id\n")
    with pytest.raises(ContractError, match="is not Parquet"):
        read_history(tmp_path / "history.parquet")


def test_a_json_array_is_refused_with_the_command_that_converts_it(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"jq -c '\.\[\]'"):
        read_history(lines_file(tmp_path, b"[" + line() + b"]", name="history.json"))


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    (tmp_path / "history.jsonl").touch()
    assert column(tmp_path, "value") == []
