"""What all tests share: how many examples hypothesis tries."""

import asyncio
import os
from collections.abc import Callable

import uvloop
from hypothesis import settings

FULL = os.environ.get("LEDGERPI_TEST_FULL") == "1"

# The profile that pyproject.toml loads: seeded, without a deadline; a tenth of the examples unless all are asked for.
settings.register_profile("ci", settings.get_profile("ci"), max_examples=100 if FULL else 10)


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run what is tested in this process on the loop that the node's processes have."""
    return {"uvloop": uvloop.new_event_loop}
