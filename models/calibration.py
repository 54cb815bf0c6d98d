"""From a detector's own scale to risk: how rare a score is in the traffic the detector was trained on.

Let p be the share of training traffic that scores at least as high, and c the contamination, the share expected to be
worth a look:

    p     1 ...... c ........ c/9 ....... 0          risk = 0.7 ln(p) / ln(c)        for p >= c
    risk  0 ...... 0.7 ...... 0.9 ....... 1          risk = 1 - 0.3 sqrt(p / c)      for p <  c

So 0.7 means "one payment in 1/c" whichever model says it, and survives retraining. Outlier scores were first unified by
what they say about rarity in Kriegel et al., "Interpreting and Unifying Outlier Scores", SDM 2011,
doi:10.1137/1.9781611972818.2. Here the measured distribution takes the place of a fitted one, except in the tail, where
there is too little to measure: excesses over a high threshold are taken as exponential (peaks over threshold, as in
Siffer et al., "Anomaly Detection in Streams with Extreme Value Theory", KDD 2017, doi:10.1145/3097983.3098144, with
shape 0).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final, Self, cast

import numpy as np

from models.detector import Contributions, Vector
from models.errors import BundleRefused, NotTrainable

RISK_AT_CONTAMINATION: Final = 0.7
MIN_ROWS_ABOVE: Final = 10  # rows above 0.7 in training, for its place to be more than chance
N_KNOTS: Final = 512


@dataclass(frozen=True, eq=False)
class Calibration:
    """Maps scores to risk, strictly increasing until 1 - risk is less than a float64 can tell.

    ``knots`` are scores in rising order, ``log_shares`` the falling logarithm of the share of training traffic at or
    above each; beyond the last knot that share falls by a factor e per ``scale``.
    """

    contamination: float
    knots: Vector
    log_shares: Vector
    scale: float

    @classmethod
    def fit(cls, scores: Vector, contamination: float) -> Self:
        """Learn from the scores of the training traffic; needs ten of them in the share ``contamination``."""
        n = len(scores)
        if n * contamination < MIN_ROWS_ABOVE:
            needed = int(np.ceil(MIN_ROWS_ABOVE / contamination))
            raise NotTrainable(f"{n} rows are too few to place a share of {contamination}", f"train on {needed} rows")
        rising = np.sort(scores)
        n_tail = max(MIN_ROWS_ABOVE, int(n * contamination / 20))
        ranks = np.unique(np.geomspace(n_tail, n, N_KNOTS).astype(np.int64))
        knots = np.unique(rising[n - ranks])
        n_at_or_above = n - np.searchsorted(rising, knots, side="left")
        return cls(contamination, knots, np.log(n_at_or_above / (n + 1)), _tail_scale(rising, rising[n - n_tail]))

    def risk(self, scores: Vector) -> Vector:
        log_p, log_c = self._log_share(scores), np.log(self.contamination)
        common = RISK_AT_CONTAMINATION * log_p / log_c
        rare = 1.0 - (1.0 - RISK_AT_CONTAMINATION) * np.exp((np.minimum(log_p, log_c) - log_c) / 2.0)
        return cast(Vector, np.where(log_p >= log_c, common, rare))

    def _log_share(self, scores: Vector) -> Vector:
        first, last = self.knots[0], self.knots[-1]
        inside = np.interp(scores, self.knots, self.log_shares)
        above = self.log_shares[-1] - (scores - last) / self.scale
        below = np.log1p(np.expm1(self.log_shares[0]) * np.exp((np.minimum(scores, first) - first) / self.scale))
        return np.where(scores > last, above, np.where(scores < first, below, inside))

    def explain(self, parts: Contributions) -> Contributions:
        """Contributions to the score as contributions to its risk, by the rescale rule.

        Each is multiplied by (risk - base risk) / (score - base score), as DeepLIFT carries contributions through a
        nonlinearity (Shrikumar et al. 2017, arXiv:1704.02685, section 3.5.1): signs and ranks stay, and they add up.
        """
        base_risk = float(self.risk(np.array([parts.base]))[0])
        rise = parts.values.sum(axis=1)
        factor = np.divide(self.risk(parts.totals()) - base_risk, rise, out=np.zeros_like(rise), where=rise != 0)
        return Contributions(base_risk, parts.values * factor[:, np.newaxis])

    def to_json(self) -> bytes:
        arrays = {"knots": self.knots.tolist(), "log_shares": self.log_shares.tolist()}
        return json.dumps(asdict(self) | arrays, indent=0).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        stored = json.loads(content)
        knots, log_shares = np.array(stored["knots"]), np.array(stored["log_shares"])
        scale, contamination = float(stored["scale"]), float(stored["contamination"])
        rises = len(knots) == len(log_shares) > 0 and np.all(np.diff(knots) > 0) and np.all(np.diff(log_shares) < 0)
        if not (rises and scale > 0 and 0 < contamination < 1 and -np.inf < log_shares[0] < 0):
            raise BundleRefused("the calibration does not rise from knot to knot", "train again")
        return cls(contamination, knots, log_shares, scale)


def _tail_scale(rising: Vector, threshold: float) -> float:
    """The mean excess over the threshold, which is the maximum-likelihood scale of an exponential tail.

    Where nothing exceeds it, the spread of all scores stands in, or 1 if they are all equal: any slope keeps the order.
    """
    excesses = rising[rising > threshold] - threshold
    if len(excesses):
        return float(excesses.mean())
    return float(rising[-1] - rising[0]) or 1.0
