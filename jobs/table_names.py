"""The names of the Delta tables, without Spark, for the command line."""
from __future__ import annotations

from typing import Final

ARCHIVED: Final = ("raw", "scored", "alerts", "dead")  # each is filled from the topic of the same role
MAINTAINED: Final = (*ARCHIVED, "replays", "features")
