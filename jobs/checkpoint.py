"""The score job's checkpoint: where a micro-batch began, which versions decide it, and whether it can be continued.

offsets/<batch>      Spark's write-ahead log: the end offsets of each micro-batch, written before it runs
versions/<batch>     ours: the versions that score it, written before its first output, so a retry scores alike
state-layout         ours: what the state in here was made with
"""

from __future__ import annotations

import json
from typing import Any, Final

from pyspark.sql import SparkSession

from features.event import MAX_PARTITIONS
from jobs.errors import CheckpointError
from jobs.files import Files

_KEPT_VERSIONS: Final = 100  # as many batches as Spark keeps by default
START_AFRESH: Final = (
    "move the folder away and start afresh: the raw topic is read again, and alerts of payments read twice come twice, "
    "with the same alert_id"
)


class Checkpoint:
    """One query's checkpoint folder."""

    def __init__(self, spark: SparkSession, folder: str) -> None:
        self.folder = folder
        self._files = Files(spark, folder)

    def claim(self, layout: dict[str, Any]) -> None:
        """Take the checkpoint for a state layout; raises CheckpointError when its state was made with another."""
        has_state = bool(self._files.names("offsets"))
        stored = self._files.read("state-layout") if has_state else None
        if stored is None:
            self._files.write("state-layout", json.dumps(layout))
            return
        changed = {
            key: (json.loads(stored).get(key), value)
            for key, value in layout.items()
            if json.loads(stored).get(key) != value
        }
        if changed:
            said = ", ".join(f"{key} was {was} and is now {now}" for key, (was, now) in changed.items())
            raise CheckpointError(
                f"the state in {self.folder} does not fit these settings: {said}",
                "set them back, or give stream.checkpoint_dir a new folder and let the job read the raw topic again",
            )

    def query_id(self) -> str:
        """Spark's id of the query, the same for the life of the checkpoint; there once the query has started."""
        return str(json.loads(self._files.read("metadata") or "{}")["id"])

    def start_offsets(self, batch_id: int, topic: str) -> tuple[int, ...]:
        """First offset of each partition that belongs to the batch, which is where the batch before ended."""
        if batch_id == 0:
            return ()
        text = self._files.read(f"offsets/{batch_id - 1}")
        try:
            ends = json.loads((text or "").splitlines()[-1])[topic]
            starts = [0] * (max(map(int, ends)) + 1)
            for partition, offset in ends.items():
                starts[int(partition)] = offset
        except (IndexError, KeyError, ValueError) as error:
            raise CheckpointError(
                f"cannot read {self.folder}/offsets/{batch_id - 1}: {text!r}", START_AFRESH
            ) from error
        if len(starts) > MAX_PARTITIONS:
            raise CheckpointError(f"topic {topic} has {len(starts)} partitions", f"use at most {MAX_PARTITIONS}")
        return tuple(starts)

    def pinned(self, batch_id: int) -> dict[str, Any] | None:
        """The versions an earlier attempt at this batch wrote down."""
        text = self._files.read(f"versions/{batch_id}")
        return json.loads(text) if text else None

    def pin(self, batch_id: int, versions: dict[str, Any]) -> None:
        """Write down, durably, what this batch is scored with; old ones are dropped."""
        self._files.write(f"versions/{batch_id}", json.dumps(versions))
        if batch_id % _KEPT_VERSIONS == 0:
            for name in self._files.names("versions"):
                if name.isdigit() and int(name) < batch_id - _KEPT_VERSIONS:
                    self._files.delete(f"versions/{name}")
