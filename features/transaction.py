"""The transaction: the fields a producer may send, and the reasons for which a record is refused.

A raw record is one JSON object per Kafka message. Required are ``transaction_id``, ``user_id``, ``amount`` and
``timestamp``; everything else is optional, and missing stays missing.
"""

from __future__ import annotations

from typing import Final

MAX_ID_CHARS: Final = 128
MAX_TEXT_CHARS: Final = 256
MAX_AMOUNT_MINOR: Final = 2**45  # leaves room for exact sums of squares, see timeline.SquareSums

REQUIRED: Final = ("transaction_id", "user_id", "amount", "timestamp")
IDS: Final = ("transaction_id", "user_id", "card_id", "merchant_id", "device_id")
COORDINATES: Final = {"latitude": 90.0, "longitude": 180.0}

# Kept as text beside the packed numbers of an event, in this order; user_id is the key of the history and not repeated.
TEXTS: Final = (
    "transaction_id",
    "currency",
    "card_id",
    "merchant_id",
    "merchant_name",
    "merchant_category",
    "city",
    "country",
    "device_id",
    "ip",
    "channel",
    "counterparty_name",
    "counterparty_country",
)

# Compared for equality within a user's history (same merchant, new device, distinct cities), so kept as hashes too.
IDENTITIES: Final = ("merchant_id", "merchant_category", "city", "country", "device_id", "card_id")

FIELDS: Final = ("user_id", "amount", "timestamp", *COORDINATES, *TEXTS)


class Reason:
    """Why a record is a dead letter. A reason about one field is ``reason:field``."""

    NOT_JSON: Final = "not_json"
    NOT_AN_OBJECT: Final = "not_an_object"
    TOO_LARGE: Final = "too_large"
    MISSING_FIELD: Final = "missing_field"
    WRONG_TYPE: Final = "wrong_type"
    TOO_LONG: Final = "too_long"
    AMOUNT_NEGATIVE: Final = "amount_negative"
    AMOUNT_NOT_FINITE: Final = "amount_not_finite"
    AMOUNT_OUT_OF_RANGE: Final = "amount_out_of_range"
    UNKNOWN_CURRENCY: Final = "unknown_currency"
    NO_RATE: Final = "no_rate"
    COORDINATE_OUT_OF_RANGE: Final = "coordinate_out_of_range"
    BAD_TIMESTAMP: Final = "bad_timestamp"
    TOO_LATE: Final = "too_late"
    IN_THE_FUTURE: Final = "in_the_future"
    DUPLICATE: Final = "duplicate"
    USER_TOO_ACTIVE: Final = "user_too_active"
