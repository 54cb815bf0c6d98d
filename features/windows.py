"""Windows of time by name: 300 s is ``5m`` in a column's name and ``5 min`` in a sentence."""

from __future__ import annotations

from typing import Final

_DAY_S: Final = 86_400
_UNITS: Final = ((3_600, "h", "h"), (60, "m", "min"), (1, "s", "s"))


def _parts(seconds: int) -> tuple[int, str, str]:
    if seconds % _DAY_S == 0 and seconds > _DAY_S:
        return seconds // _DAY_S, "d", "days"
    return next((seconds // size, name, words) for size, name, words in _UNITS if seconds % size == 0)


def window_name(seconds: int) -> str:
    """The suffix of a column: 60 -> ``1m``, 86400 -> ``24h``, 604800 -> ``7d``."""
    number, name, _ = _parts(seconds)
    return f"{number}{name}"


def window_words(seconds: int) -> str:
    """The same in words: ``1 min``, ``24 h``, ``7 days``."""
    number, _, words = _parts(seconds)
    return f"{number} {words}"
