from __future__ import annotations

import pickle
import re

import pytest

from jobs import errors
from jobs.errors import TidewatchError

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TidewatchError)]
TREE = re.findall(r"^\s*(?:│?\s*[├└]── )?([A-Z]\w+) +(?:(\d)\b)?", errors.__doc__ or "", flags=re.MULTILINE)


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_stands_in_the_drawn_tree(kind: type[TidewatchError]) -> None:
    assert re.search(rf"\b{kind.__name__}\b", errors.__doc__ or "")


def test_exit_codes_are_as_drawn() -> None:
    drawn = {name: int(code) for name, code in TREE if code}
    assert len(drawn) >= 6
    assert {name: vars(errors)[name].exit_code for name in drawn} == drawn


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_says_what_was_wrong_and_what_to_do(kind: type[TidewatchError]) -> None:
    assert str(kind("port 9 is taken", "take port 10")) == "port 9 is taken\n  fix: take port 10"


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_crosses_a_process_border_whole(kind: type[TidewatchError]) -> None:
    copy = pickle.loads(pickle.dumps(kind("port 9 is taken", "take port 10")))
    assert (type(copy), copy.message, copy.fix) == (kind, "port 9 is taken", "take port 10")
