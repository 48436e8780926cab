"""A line to another process: many who ask share one connection, and one wait for it."""

import asyncio
import time
from pathlib import Path

import pytest

from changelog.errors import OutcomeUnknown
from server import line
from server.line import Line


async def test_those_who_wait_for_a_process_that_stays_away_wait_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "PATIENCE_S", 0.3)
    asking = Line(tmp_path / "nobody.sock", "process")
    began = time.monotonic()
    answers = await asyncio.gather(*(asking.ask("anything") for _ in range(20)), return_exceptions=True)
    assert all(isinstance(answer, OutcomeUnknown) for answer in answers)
    assert time.monotonic() - began < 3  # 20 waits, one behind the other, take 6 s
    asking.close()
