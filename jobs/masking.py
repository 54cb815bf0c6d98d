"""Secrets, recognised by type or by the look of their name, and kept out of everything that is printed."""
from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, SecretStr

from features.masking import MASK, without_passwords

SECRET_NAME = re.compile(r"pass|secret|token|credential|(access|account|private).?key", re.IGNORECASE)


def masked(name: str, value: Any) -> Any:
    """`value` as it may be printed: passwords, and secrets by the look of their name, replaced."""
    if value is not None and (isinstance(value, SecretStr) or SECRET_NAME.search(name)):
        return MASK
    if isinstance(value, BaseModel):
        return {key: masked(key, getattr(value, key)) for key in type(value).model_fields}
    if isinstance(value, dict):
        return {key: masked(key, inner) for key, inner in value.items()}
    if isinstance(value, str):
        return without_passwords(value)
    return value
