"""Why a streaming query ended, in words a user can act on."""
from __future__ import annotations

import re
from typing import Final

import jobs.errors
import models.errors
from jobs.errors import CheckpointError, ServiceError, TidewatchError

# Ours, thrown in a worker or a micro-batch: Spark hands on its text only.
OWN: Final = re.compile(r"\b(jobs|models)\.errors\.(\w+): (.+)\n  fix: (.+)")
KNOWN: Final = {"jobs": jobs.errors, "models": models.errors}
SQLSTATE: Final = re.compile(r" SQLSTATE: \w+$")

LOST: Final = "Some data may have been lost"  # Spark's words when offsets of its checkpoint are not in the topic
NO_TOPIC: Final = "UnknownTopicOrPartitionException"
NO_ANSWER: Final = "org.apache.kafka.common.errors.TimeoutException"
STARTING: Final = "Current State: INITIALIZING"  # nothing has been read yet but the checkpoint


def own_error_text(error: TidewatchError) -> str:
    """How an error is to be put into a Spark expression so that `explained` finds it again."""
    return f"{type(error).__module__}.{type(error).__name__}: {error}"


def explained(query: str, failure: Exception) -> Exception:
    """The error to raise for a failed query; `failure` itself when nothing is known about it."""
    text = str(failure)
    own = OWN.search(text)
    if own:
        return _own_error(*own.groups())
    reason = _reason(text)
    if LOST in text:
        return CheckpointError(
            f"{query} cannot go on from its checkpoint ({query} in stream.checkpoint_dir): {reason}",
            "if the topic was made anew or its retention is over, what was not read is gone: move the checkpoint away, "
            "with what was written from it if that must not hold records twice, and start again")
    if NO_TOPIC in text:
        return ServiceError(f"{query} reads a topic that does not exist: {reason}", "create the topics: tidewatch up")
    if NO_ANSWER in text:
        return ServiceError(
            f"{query} gets no answer from Kafka: {reason}",
            "start it (tidewatch up), or correct kafka.bootstrap_servers; nothing is lost, start again")
    if STARTING in text:
        return CheckpointError(
            f"{query} cannot read its checkpoint ({query} in stream.checkpoint_dir): {reason}",
            "bring it back from a copy; without one, move it away, with what was written from it if that must not hold "
            "records twice, and start again")
    return failure


def _own_error(package: str, kind: str, message: str, fix: str) -> TidewatchError:
    known: type[TidewatchError] = getattr(KNOWN[package], kind, TidewatchError)
    return known(message, SQLSTATE.sub("", fix))


def _reason(text: str) -> str:
    """Spark's own reason in one line: what follows the last `Reason:`, or else its first line."""
    said = text.split("=== Streaming Query ===")[0].rsplit("Reason:", 1)[-1].strip()
    return said.splitlines()[0] if said else text.strip()
