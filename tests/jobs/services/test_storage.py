from __future__ import annotations

from pathlib import Path

import pytest

from jobs.errors import StaleData
from jobs.services.storage import Stamp, prepare_storage, read_properties

JAVA_MUST_NOT_RUN = ["/no/java"]


def formatted(home: Path, stamp: Stamp, cluster_id: str = "a-cluster", node_id: str = "1") -> Path:
    """A data folder as Kafka leaves it, with our stamp beside it."""
    data_dir = home / "data"
    data_dir.mkdir()
    meta = f"#\n#Sat Nov 21\nnode.id={node_id}\nversion=1\ncluster.id={cluster_id}\n"
    (data_dir / "meta.properties").write_text(meta)
    stamp.write(home / "formatted.json")
    return data_dir


def prepare(data_dir: Path, kafka: str = "4.3") -> None:
    properties = data_dir.with_name("server.properties")
    properties.write_text("node.id=1\n")
    prepare_storage(data_dir, properties, JAVA_MUST_NOT_RUN, kafka)


OURS = Stamp("a-cluster", "1", "4.3")


def test_a_folder_of_ours_is_taken_as_it_is(tmp_path: Path) -> None:
    prepare(formatted(tmp_path, OURS))


@pytest.mark.parametrize(("cluster_id", "node_id", "kafka", "said"), [
    ("another", "1", "4.3", "cluster id is another"),
    ("a-cluster", "7", "4.3", "node id is 7, this broker's is 1"),
    ("a-cluster", "1", "4.4", "Kafka version is 4.3, this broker's is 4.4"),
])
def test_a_folder_of_another_broker_is_stale(
    tmp_path: Path, cluster_id: str, node_id: str, kafka: str, said: str,
) -> None:
    data_dir = formatted(tmp_path, OURS, cluster_id, node_id)
    with pytest.raises(StaleData, match=said) as raised:
        prepare(data_dir, kafka)
    assert "tidewatch down --wipe" in raised.value.fix


@pytest.mark.parametrize("lost", ["formatted.json", "data/meta.properties"])
def test_data_whose_origin_cannot_be_read_are_stale(tmp_path: Path, lost: str) -> None:
    data_dir = formatted(tmp_path, OURS)
    (data_dir / "transactions_raw-0").mkdir()
    (tmp_path / lost).unlink()
    with pytest.raises(StaleData, match="not whose they are"):
        prepare(data_dir)


def test_a_cut_off_meta_file_is_stale(tmp_path: Path) -> None:
    data_dir = formatted(tmp_path, OURS)
    (data_dir / "meta.properties").write_text("node.id=1\nclust")
    with pytest.raises(StaleData, match="cluster.id"):
        prepare(data_dir)


def test_properties_skip_comments_and_keep_further_equal_signs() -> None:
    assert read_properties("# note\n! note\n\nnode.id = 1\nlisteners=A://h:1,B=C\n") == {
        "node.id": "1", "listeners": "A://h:1,B=C"}
