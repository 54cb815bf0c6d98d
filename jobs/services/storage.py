"""The broker's data folder: formatted once, recognised ever after.

Kafka writes `meta.properties` into it, and we a stamp beside it. A folder where the two disagree with each other or
with this broker was copied, restored or made by something else; a broker started on it would fail late or, worse, not.
"""
from __future__ import annotations

import base64
import json
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from jobs.errors import ServiceError, StaleData
from jobs.services.processes import last_words

FORMAT_TIMEOUT_S = 60
WIPE = "move it away to keep it, or remove it with `tidewatch down --wipe`; then `tidewatch up` makes empty topics"


@dataclass(frozen=True)
class Stamp:
    """Who formatted a data folder. `kafka` is major.minor: patch releases of Kafka write the same format."""

    cluster_id: str
    node_id: str
    kafka: str

    @classmethod
    def read(cls, path: Path) -> Stamp:
        return cls(**json.loads(path.read_text()))

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))


def prepare_storage(data_dir: Path, properties: Path, java: Sequence[str], kafka: str) -> None:
    """Format `data_dir` if it is new, check it if it is not. `java` is the command up to the main class.

    Raises StaleData for a folder that this broker must not be started on.
    """
    node_id = read_properties(properties.read_text())["node.id"]
    if data_dir.is_dir() and any(data_dir.iterdir()):
        _check(data_dir, node_id, kafka)
        return
    stamp = Stamp(_new_cluster_id(), node_id, kafka)
    stamp.write(_stamp_file(data_dir))  # before the data: a format that is interrupted here is simply done again
    _format(stamp.cluster_id, properties, java)


def read_properties(text: str) -> dict[str, str]:
    """Java properties without escapes or continued lines, as Kafka writes them and we do."""
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith(("#", "!")))
    return {key.strip(): value.strip() for key, _, value in pairs}


def _stamp_file(data_dir: Path) -> Path:
    return data_dir.with_name("formatted.json")


def _check(data_dir: Path, node_id: str, kafka: str) -> None:
    try:
        stamp = Stamp.read(_stamp_file(data_dir))
        meta = read_properties((data_dir / "meta.properties").read_text())
        found = {"cluster id": meta["cluster.id"], "node id": meta["node.id"], "Kafka version": stamp.kafka}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StaleData(f"{data_dir} holds data, but not whose they are: {error!r}", WIPE) from error
    expected = {"cluster id": stamp.cluster_id, "node id": node_id, "Kafka version": kafka}
    wrong = [f"{what} is {found[what]}, this broker's is {expected[what]}" for what in expected
             if found[what] != expected[what]]
    if wrong:
        raise StaleData(f"{data_dir} was written by another broker: {'; '.join(wrong)}", WIPE)


def _new_cluster_id() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def _format(cluster_id: str, properties: Path, java: Sequence[str]) -> None:
    command = [*java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", f"--config={properties}"]
    said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=FORMAT_TIMEOUT_S, check=False)
    if said.returncode:
        raise ServiceError(f"the broker's data folder could not be formatted:\n{last_words(said.stdout)}",
                           "take conf/broker/server.properties from the repository again, or report this")
