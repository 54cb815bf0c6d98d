"""``python -m jobs.demo [--keep]``, which is what ``make demo`` runs."""

from __future__ import annotations

import argparse
import sys

from jobs.demo.story import run
from jobs.errors import TidewatchError
from jobs.settings import load_settings


def main() -> int:
    """Run the demo; the exit code is that of the error, if there is one."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the broker and both streaming jobs running")
    try:
        run(load_settings(), keep=parser.parse_args().keep)
    except TidewatchError as error:
        sys.stderr.write(f"error: {error.message}\n  fix: {error.fix}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
