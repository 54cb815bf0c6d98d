"""Names of the people money is sent to."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jobs.simulate.payment import NONE

_NAMES = """\
Amina Anna Carlos Chen Daniel Elena Fatima Grace Hana Ibrahim Ingrid Ivan James Jin Jorge Kofi Lars Laura Leila Li Lucia
Maria Mei Miguel Mohamed Ngozi Nora Omar Pedro Priya Ravi Rosa Samuel Sara Sofia Thomas Yuki Yusuf Zanele Zoe

Adeyemi Andersen Bauer Becker Costa Dimitriou Dubois Fernandez Garcia Hassan Hernandez Ito Jansen Johnson Kamau Khan Kim
Kowalski Lee Lopez Martin Mbeki Mehta Moreau Nakamura Novak Okafor Oliveira Park Patel Petrov Reyes Rossi Sato Schmidt
Silva Singh Smith Tanaka Wang Williams Yilmaz
"""
_FIRST, _LAST = (np.array(names.split(), object) for names in _NAMES.split("\n\n"))


def full_names(numbers: NDArray[np.int64]) -> NDArray[np.object_]:
    """A name for each number, the same one every time; None for NONE."""
    names = _FIRST[numbers * 31 % len(_FIRST)] + " " + _LAST[numbers * 17 % len(_LAST)]
    return np.where(numbers == NONE, None, names)
