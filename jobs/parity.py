"""Parity: what the stream served against what backfill computes from the same raw bytes, cell by cell."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Final

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from features.catalogue import FeatureSet
from jobs.days import Days
from jobs.errors import ContractError
from jobs.files import Files
from jobs.rebuild import PLACE, Recipe, read_raw_table
from jobs.settings import Settings
from jobs.tables import table_path

N_EXAMPLES: Final = 5


@dataclass(frozen=True)
class ParityReport:
    """``n_payments`` were served and recomputed. ``differing`` counts cells by feature; ``examples`` are rows of them.

    ``not_served`` were computed but never served though later ones of their partition were; ``not_computed`` the other
    way round; ``not_yet_served`` lie behind the last offset that was served.
    """

    n_payments: int
    differing: dict[str, int]
    not_served: int
    not_computed: int
    not_yet_served: int
    examples: list[str]

    @property
    def holds(self) -> bool:
        """Whether both sides are the same."""
        return not (self.differing or self.not_served or self.not_computed)

    def lines(self) -> list[str]:
        """The report as people read it."""
        cells = [f"  {name}: {count:,} rows differ" for name, count in self.differing.items()]
        return [
            f"{self.n_payments:,} payments compared, {sum(self.differing.values()):,} cells differ",
            f"{self.not_served:,} computed but not served, {self.not_computed:,} served but not computed, "
            f"{self.not_yet_served:,} not yet served",
            *cells,
            *(f"  e.g. {example}" for example in self.examples),
        ]


def parity(spark: SparkSession, settings: Settings, days: Days) -> ParityReport:
    """Compare the scored table with a fresh computation for these event days; raises ContractError without tables.

    Served rows of another feature set (before a change of settings) are left out on both sides.
    """
    recipe = Recipe.of(settings)
    computed = recipe.features_on(read_raw_table(spark, settings), days).where("refused IS NULL")
    computed = computed.select(*PLACE, F.struct("transaction_id", "features").alias("computed"))
    table = _read_scored(spark, settings)
    on_days = table.where(F.col("date").between(F.lit(days.first), F.lit(days.last)))
    is_ours = F.col("versions.features") == recipe.features.hash
    computed = computed.join(on_days.where(~is_ours).select(*PLACE), list(PLACE), "left_anti")
    served = on_days.where(is_ours).select(*PLACE, F.struct("transaction_id", "features").alias("served"))
    last = table.groupBy("raw_partition").agg(F.max("raw_offset").alias("last_offset"))
    both = computed.join(served, list(PLACE), "full").join(F.broadcast(last), "raw_partition", "left").persist()
    try:
        return _report(both, recipe.features)
    finally:
        both.unpersist()


def _read_scored(spark: SparkSession, settings: Settings) -> DataFrame:
    path = table_path(settings.archive.table_dir, "scored")
    if not Files(spark, path).names("_delta_log"):
        raise ContractError(f"there is no scored table at {path}", "fill it from Kafka: tidewatch archive")
    return spark.read.format("delta").load(path)


def _report(both: DataFrame, chosen: FeatureSet) -> ParityReport:
    paired = F.col("served").isNotNull() & F.col("computed").isNotNull()
    reached = F.col("raw_offset") <= F.coalesce(F.col("last_offset"), F.lit(-1))
    counts = {
        "n_payments": paired,
        "not_served": F.col("served").isNull() & reached,
        "not_computed": F.col("computed").isNull(),
        "not_yet_served": F.col("served").isNull() & ~reached,
    }
    cells = {name: paired & _differs(f"features.{name}") for name in chosen.names}
    cells["transaction_id"] = paired & _differs("transaction_id")
    row = both.agg(*[F.count_if(rule).alias(name) for name, rule in (counts | cells).items()]).first()
    found = row.asDict() if row else dict.fromkeys([*counts, *cells], 0)
    differing = {name: found[name] for name in cells if found[name]}
    examples = _examples(both, [name for name in differing if name != "transaction_id"], cells) if differing else []
    return ParityReport(**{name: found[name] for name in counts}, differing=differing, examples=examples)


def _differs(path: str) -> Column:
    """Not the same bits: null equals null, and 0.0 does not equal -0.0."""
    served, computed = (F.col(f"{side}.{path}") for side in ("served", "computed"))
    return ~served.cast("string").eqNullSafe(computed.cast("string"))


def _examples(both: DataFrame, names: list[str], cells: dict[str, Column]) -> list[str]:
    wrong = reduce(Column.__or__, [cells[name] for name in (*names, "transaction_id")])
    shown = [
        F.col(f"{side}.features.{name}").alias(f"{name} {side}")
        for name in names[:3]
        for side in ("served", "computed")
    ]
    rows = both.where(wrong).select("computed.transaction_id", *PLACE, *shown).limit(N_EXAMPLES).collect()
    return [", ".join(f"{name}={value}" for name, value in row.asDict().items()) for row in rows]
