"""An MLflow client as a job wants it: silent, without telemetry, and safe to open from several processes at once."""

from __future__ import annotations

import fcntl
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

SQLITE: Final = "sqlite:///"


@contextmanager
def one_at_a_time(uri: str) -> Iterator[None]:
    """Let one process at a time open a sqlite file: MLflow's migrations fail when two run at once."""
    if not uri.startswith(SQLITE):
        yield
        return
    database = Path(uri.removeprefix(SQLITE))
    database.parent.mkdir(parents=True, exist_ok=True)
    with database.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def quiet_client(uri: str) -> Any:
    """An MLflow client that sends no telemetry and keeps its migrations, progress bars and warnings to itself."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


def mlflow_exception() -> type[Exception]:
    from mlflow.exceptions import MlflowException

    return MlflowException  # type: ignore[no-any-return]


def unless_there(create: Callable[[], object]) -> None:
    """Create, unless it exists, be it only since another process created it a moment ago."""
    try:
        create()
    except mlflow_exception() as error:
        if getattr(error, "error_code", "") != "RESOURCE_ALREADY_EXISTS":
            raise
