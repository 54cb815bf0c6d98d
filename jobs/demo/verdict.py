"""What the alerts were worth: attacks caught, attacks missed, honest payments disturbed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

Attack = tuple[str, str]  # scheme and victim


@dataclass
class Verdict:
    """Compares alerts with the truth about the live payments. An attack is caught when one of its payments alerts."""

    attack_of: dict[str, Attack] = field(default_factory=dict)
    honest: set[str] = field(default_factory=set)
    alerted: set[str] = field(default_factory=set)

    def note_truth(self, labels: pa.RecordBatch) -> None:
        """Remember what was sent (schema jobs.simulate.render.LABELS)."""
        for row in labels.to_pylist():
            if row["is_fraud"]:
                self.attack_of[row["transaction_id"]] = (row["scheme"], row["user_id"])
            elif row["transaction_id"]:
                self.honest.add(row["transaction_id"])

    def note_alert(self, alert: dict[str, Any]) -> str | None:
        """Count an alert; the answer is the scheme behind it, None for an honest payment."""
        self.alerted.add(alert["transaction_id"])
        attack = self.attack_of.get(alert["transaction_id"])
        return attack[0] if attack else None

    def by_scheme(self) -> dict[str, tuple[int, int]]:
        """For each scheme the attacks caught and the attacks made."""
        attacks = set(self.attack_of.values())
        caught = {self.attack_of[name] for name in self.alerted if name in self.attack_of}
        schemes = sorted({scheme for scheme, _ in attacks})
        return {s: (sum(a[0] == s for a in caught), sum(a[0] == s for a in attacks)) for s in schemes}

    @property
    def n_false(self) -> int:
        """Alerts on honest payments."""
        return len(self.alerted & self.honest)
