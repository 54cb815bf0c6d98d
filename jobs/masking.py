"""Secrets, recognised by type or by the look of their name, and kept out of everything that is printed."""
from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, SecretStr

MASK = "**********"
SECRET_NAME = re.compile(r"pass|secret|token|credential|access.?key", re.IGNORECASE)
URI_PASSWORD = re.compile(r"(?<=://)([^/@:\s]*):[^/@\s]+(?=@)")


def masked(name: str, value: Any) -> Any:
    """`value` as it may be printed: passwords, and secrets by the look of their name, replaced."""
    if value is not None and (isinstance(value, SecretStr) or SECRET_NAME.search(name)):
        return MASK
    if isinstance(value, BaseModel):
        return {key: masked(key, getattr(value, key)) for key in type(value).model_fields}
    if isinstance(value, dict):
        return {key: masked(key, inner) for key, inner in value.items()}
    if isinstance(value, str):
        return URI_PASSWORD.sub(rf"\1:{MASK}", value)
    return value
