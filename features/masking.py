"""Passwords in addresses, kept out of everything that is printed."""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "**********"
# To the last @ before a space: a password may itself hold / and @.
URI_PASSWORD: Final = re.compile(r"(?<=://)([^/:\s]*):\S+(?=@)")


def without_passwords(text: str) -> str:
    """The text with the password of every ``scheme://user:password@host`` in it replaced."""
    return URI_PASSWORD.sub(rf"\1:{MASK}", text)
