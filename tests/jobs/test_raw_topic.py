from __future__ import annotations

import pytest

from jobs.raw_topic import partition_of


@pytest.mark.parametrize(("key", "java_hash"), [(b"21", -973932308), (b"foobar", -790332482), (b"abc", 479470107)])
@pytest.mark.parametrize("n_partitions", [1, 3, 4, 7])
def test_a_key_lies_where_the_java_client_puts_it(key: bytes, java_hash: int, n_partitions: int) -> None:
    assert partition_of(key, n_partitions) == (java_hash % 2**31) % n_partitions
