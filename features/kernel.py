"""The kernel: every feature of every new payment of many users, in one pass of numpy.

Stream, backfill, API and notebooks call ``compute``; there is no second definition of a feature anywhere. The features
of an event are a function of what it may see (features/visible.py) and of nothing else: not of where micro-batches end,
not of who else is in the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features import calendar
from features.catalogue import CITY_WINDOW_S, NOVEL, PLURAL, FeatureSet, distinct_spec
from features.event import HASHED, HEAD, Heads
from features.geo import haversine_km
from features.hidden import Hidden, hidden_from
from features.limit import HOUR_MS, NO_LIMIT, admit
from features.money import EXPONENT
from features.timeline import Floats, Ints, SquareSums, Timeline, running_sum
from features.transaction import IDENTITIES
from features.visible import Duplicates, find_duplicates, number_ids, sees_less
from features.windows import window_name

TINY_AMOUNT: Final = 2.0  # base currency; card testers try a card with less
MIN_SPREAD: Final = 0.01  # of the mean: a user who always pays the same is not infinitely surprised by a cent
_SECOND_MS: Final = 1_000
_NUMBERS: Final = tuple(name for name in HEAD.names or () if name not in HASHED)

Columns = Mapping[str, Floats]
Events = Heads | Mapping[str, NDArray[Any]]  # the numbers of events by name


class Features(NamedTuple):
    """``rows`` (m,) and ``matrix`` (m, n_features) of the new payments; the other new events are refused.

    ``duplicates`` are the rows that are repeats, ``too_active`` those over the limit. ``last_admitted`` are the rows,
    new or not, that reached the limit in an hour of which something is new. Rows are positions in the arrays given to
    ``compute``; NaN in the matrix is missing.
    """

    rows: Ints
    matrix: Floats
    duplicates: Ints
    too_active: Ints
    last_admitted: Ints


def compute(
    user: Ints,
    heads: Heads,
    new: NDArray[np.bool_],
    chosen: FeatureSet,
    lookahead_ms: int = 0,
    max_per_hour: int = NO_LIMIT,
) -> Features:
    """Features of the ``new`` events among ``heads``, each with the events of its user that it may see.

    ``user`` numbers the history each event belongs to. Order of rows does not matter. ``lookahead_ms`` is how far an
    earlier arrival can lie ahead in event time (``max_lateness + max_skew``); it only serves to find duplicates.
    Hours that a new event can look into must be whole, for ``max_per_hour`` (see features/limit.py).
    """
    horizon_ms = chosen.horizon_s * _SECOND_MS
    order = np.lexsort((heads["arrival"], heads["event_ms"], user))
    order = order[_useful(user[order], heads["event_ms"][order], new[order], horizon_ms, lookahead_ms)]
    user, heads, new = user[order], heads[order], new[order]
    over, last = admit(user, heads, new, max_per_hour)
    too_active, last_admitted = order[new & over], order[last]
    if over.any():
        order, user, heads, new = order[~over], user[~over], heads[~over], new[~over]
    repeated = find_duplicates(user, heads, horizon_ms, lookahead_ms)
    duplicates = order[new & repeated.dead]
    order, user, heads, wanted, reused = _without_redundant(order, user, heads, new, repeated)
    rows = np.flatnonzero(wanted)
    timeline = Timeline.of(user, heads["event_ms"], horizon_ms)
    apart = sees_less(timeline, heads["arrival"], reused, horizon_ms, rows)
    matrix = np.empty((len(rows), len(chosen.names)))
    calm = rows[~apart]
    matrix[~apart] = _matrix(timeline, heads, calm, Hidden.nothing(calm, len(user)), chosen)
    if apart.any():
        among = np.isin(user, user[rows[apart]])
        own_rows = (np.cumsum(among) - 1)[rows[apart]]
        matrix[apart] = _matrix_apart(user[among], heads[among], own_rows, reused[among], chosen)
    return Features(order[rows], matrix, duplicates, too_active, last_admitted)


def _useful(
    user: Ints, event_ms: Ints, new: NDArray[np.bool_], horizon_ms: int, lookahead_ms: int
) -> NDArray[np.bool_]:
    """Whole hours with events that some new event can see or be a duplicate of; the rest is not looked at."""
    first, last = np.full(user.max(initial=-1) + 1, 2**62), np.full(user.max(initial=-1) + 1, -(2**62))
    np.minimum.at(first, user[new], event_ms[new])
    np.maximum.at(last, user[new], event_ms[new])
    first, last = (first - horizon_ms) // HOUR_MS * HOUR_MS, (last + lookahead_ms) // HOUR_MS * HOUR_MS + HOUR_MS
    return (event_ms >= first[user]) & (event_ms < last[user])


def _without_redundant(
    order: Ints, user: Ints, heads: Heads, new: NDArray[np.bool_], repeated: Duplicates
) -> tuple[Ints, Ints, Heads, NDArray[np.bool_], NDArray[np.bool_]]:
    keep = ~repeated.redundant
    return order[keep], user[keep], heads[keep], (new & ~repeated.dead)[keep], repeated.reused[keep]


def _matrix(timeline: Timeline, heads: Events, rows: Ints, hidden: Hidden, chosen: FeatureSet) -> Floats:
    """One column a feature, in the order of the catalogue."""
    columns: dict[str, Floats] = {}
    for family in (_amounts, _velocity, _habits, _identities, _movement, _calendar):
        columns |= family(timeline, heads, rows, hidden, chosen)
    return np.column_stack([columns[name] for name in chosen.names])


def _matrix_apart(user: Ints, heads: Heads, rows: Ints, reused: NDArray[np.bool_], chosen: FeatureSet) -> Floats:
    """The same for rows that see less than all events before them."""
    horizon_ms, columns = chosen.horizon_s * _SECOND_MS, _ranked(heads)
    timeline = Timeline.of(user, heads["event_ms"], horizon_ms)
    same_id = number_ids(user, heads["transaction_id"], reused)
    matrix = np.empty((len(rows), len(chosen.names)))
    for part, hidden in hidden_from(rows, timeline.window_start(horizon_ms, rows), columns["arrival"], same_id):
        matrix[part] = _matrix(timeline, columns, rows[part], hidden, chosen)
    return matrix


def _ranked(heads: Heads) -> dict[str, NDArray[Any]]:
    """Columns of the heads, hashes as their ranks: only equality counts, and small numbers sort faster. 0 stays 0."""
    ranks = {name: np.unique(np.append(heads[name], np.uint64(0)), return_inverse=True)[1][:-1] for name in IDENTITIES}
    return {name: np.ascontiguousarray(heads[name]) for name in _NUMBERS} | ranks


def _amounts(timeline: Timeline, heads: Events, rows: Ints, hidden: Hidden, chosen: FeatureSet) -> Columns:
    amount = heads["amount_base_minor"][rows] / _base_unit(chosen)
    ten = 10 ** np.maximum(heads["exponent"][rows].astype(np.int64) + 1, 3)
    minor = heads["amount_minor"][rows]
    return {
        "amount_base": amount,
        "log_amount": np.log1p(amount),
        "is_round_amount": ((minor > 0) & (minor % ten == 0)).astype(np.float64),
        "is_tiny_amount": (amount < TINY_AMOUNT).astype(np.float64),
    }


def _velocity(timeline: Timeline, heads: Events, rows: Ints, hidden: Hidden, chosen: FeatureSet) -> Columns:
    unit, minor = _base_unit(chosen), heads["amount_base_minor"]
    sums = running_sum(minor)
    columns: dict[str, Floats] = {}
    for window in chosen.windows_s:
        start, name = timeline.window_start(window * _SECOND_MS, rows), window_name(window)
        count = rows + 1 - start - hidden.count(start)
        total = (sums[rows + 1] - sums[start] - hidden.sum(minor, start)) / unit
        columns |= {f"count_{name}": count * 1.0, f"sum_amount_{name}": total, f"mean_amount_{name}": total / count}
    return columns


def _habits(timeline: Timeline, heads: Events, rows: Ints, hidden: Hidden, chosen: FeatureSet) -> Columns:
    """The amount against the user's earlier ones, and what repeats among them."""
    name, window_ms, minor = window_name(chosen.profile_s), chosen.profile_s * _SECOND_MS, heads["amount_base_minor"]
    start, sums = timeline.window_start(window_ms, rows), running_sum(minor)
    n, total = rows - start - hidden.count(start), sums[rows] - sums[start] - hidden.sum(minor, start)
    squares = SquareSums(minor).between(start, rows, lambda values: hidden.sum(values, start))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / n
        variance = np.maximum(squares - total * mean, 0.0) / (n - 1)
        spread = np.maximum(np.sqrt(variance), np.maximum(MIN_SPREAD * mean, 1.0))
        ratio, zscore = minor[rows] / mean, (minor[rows] - mean) / spread
    categories, ones = heads["merchant_category"], np.ones(len(minor), np.int64)
    category = timeline.repeats(categories)
    low, high = timeline.among_repeats(category, window_ms, rows)
    spent = running_sum(minor[category.order])
    in_category = (spent[high] - spent[low] - hidden.sum_alike(categories, minor, rows, start)) / _base_unit(chosen)
    low, high = timeline.among_repeats(timeline.repeats(minor.astype(np.uint64)), window_ms, rows)
    n_same = high - low - 1 - hidden.sum_alike(minor, ones, rows, start)
    return {
        f"amount_ratio_{name}": np.where(total > 0, ratio, np.nan),
        f"amount_zscore_{name}": np.where(n > 1, zscore, np.nan),
        f"sum_amount_same_category_{name}": np.where(categories[rows] > 0, in_category, np.nan),
        f"count_same_amount_{name}": n_same * 1.0,
    }


def _identities(timeline: Timeline, heads: Events, rows: Ints, hidden: Hidden, chosen: FeatureSet) -> Columns:
    """Distinct values per window, and values never seen within the horizon."""
    seen_from = timeline.window_start(chosen.horizon_s * _SECOND_MS, rows)
    wanted = {CITY_WINDOW_S, *chosen.distinct_windows_s}
    ends = {window: timeline.window_end(window * _SECOND_MS) for window in wanted}
    starts = {window: timeline.window_start(window * _SECOND_MS, rows) for window in wanted if hidden.any}
    columns: dict[str, Floats] = {}
    for attribute in PLURAL:
        values = heads[attribute]
        repeats = timeline.repeats(values)
        windows = ends if attribute == "city" else chosen.distinct_windows_s
        for window in windows:
            count = timeline.distinct(values > 0, repeats.following, ends[window])[rows]
            if hidden.any:
                count -= hidden.vanished(values > 0, repeats, rows, starts[window])
            columns[distinct_spec(attribute, window).name] = count * 1.0
        if attribute in NOVEL:
            novel = (hidden.skip(repeats.previous[rows], repeats.previous) < seen_from) * 1.0
            columns[NOVEL[attribute]] = np.where(values[rows] > 0, novel, np.nan)
    return columns


def _movement(timeline: Timeline, heads: Events, rows: Ints, hidden: Hidden, chosen: FeatureSet) -> Columns:
    """Time and way since the events before, as far as the horizon reaches."""
    seen_from = timeline.window_start(chosen.horizon_s * _SECOND_MS, rows)
    at_ms, latitude, longitude = timeline.at_ms, heads["latitude"], heads["longitude"]
    located = np.where(np.isnan(latitude) | np.isnan(longitude), -1, np.arange(len(at_ms)))
    before_each = np.concatenate([[-1], np.maximum.accumulate(located)])[:-1]
    before = hidden.skip(before_each[rows], before_each)
    each = np.arange(len(at_ms))
    last, first = hidden.skip(rows - 1, each - 1), hidden.skip(seen_from, each + 1)
    known = (before >= seen_from) & (located[rows] >= 0)
    distance = haversine_km(latitude[before], longitude[before], latitude[rows], longitude[rows])
    hours = np.maximum((at_ms[rows] - at_ms[before]) / _SECOND_MS, 1.0) / 3600.0
    return {
        "gap_s": np.where(last >= seen_from, (at_ms[rows] - at_ms[last]) / _SECOND_MS, np.nan),
        "distance_km": np.where(known, distance, np.nan),
        "speed_kmh": np.where(known, distance / hours, np.nan),
        "history_s": (at_ms[rows] - at_ms[first]) / _SECOND_MS,
    }


def _calendar(timeline: Timeline, heads: Events, rows: Ints, hidden: Hidden, chosen: FeatureSet) -> Columns:
    return calendar.columns(heads["event_ms"][rows], heads["utc_offset_min"][rows])


def _base_unit(chosen: FeatureSet) -> float:
    return float(10 ** EXPONENT[chosen.base_currency])
