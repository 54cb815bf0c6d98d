from __future__ import annotations

from tests.jobs.services.conftest import on_shared_broker

__all__ = ["on_shared_broker"]
