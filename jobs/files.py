"""Small text files beside a checkpoint, wherever that is: local disk, HDFS or an object store."""

from __future__ import annotations

from typing import Any

from pyspark.sql import SparkSession


class Files:
    """Reads and writes whole text files under one folder."""

    def __init__(self, spark: SparkSession, folder: str) -> None:
        self._jvm: Any = spark.sparkContext._jvm  # noqa: SLF001 - PySpark has no public door to Hadoop's file systems
        self._folder = self._jvm.org.apache.hadoop.fs.Path(folder)
        self._fs = self._folder.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration())  # noqa: SLF001

    def read(self, name: str) -> str | None:
        """The text of a file; None when there is none."""
        path = self._path(name)
        if not self._fs.exists(path):
            return None
        stream = self._fs.open(path)
        try:
            return str(self._jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8"))
        finally:
            stream.close()

    def write(self, name: str, text: str) -> None:
        """Write durably, all or nothing: under a temporary name, flushed to disk, then renamed."""
        target, draft = self._path(name), self._path(f"{name}.tmp")
        stream = self._fs.create(draft, True)
        stream.write(bytearray(text.encode()))
        stream.hsync()
        stream.close()
        self._fs.delete(target, False)  # only local disks rename onto a file that is there
        if not self._fs.rename(draft, target):
            raise OSError(f"cannot rename {draft} to {target}")

    def names(self, folder: str) -> list[str]:
        """Names of the files directly in a sub-folder; none when it does not exist."""
        path = self._path(folder)
        return [status.getPath().getName() for status in self._fs.listStatus(path)] if self._fs.exists(path) else []

    def delete(self, name: str) -> None:
        """Remove a file if it is there."""
        self._fs.delete(self._path(name), False)

    def _path(self, name: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(self._folder, name)
