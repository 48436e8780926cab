"""The tests of a node's HTTP, unchanged, against a replica: what is asked of it goes to its primary where it has to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HTTP = Path(__file__).parents[1] / "http"
WITHIN_S = 1_800.0


@pytest.mark.long
def test_all_that_is_true_of_a_node_is_true_of_a_replica() -> None:
    command = [sys.executable, "-m", "pytest", "--quiet", "--maxfail=20", "-p", "no:cacheprovider", str(HTTP)]
    environment = {**os.environ, "LEDGERPI_TEST_AGAINST": "replica"}
    root = HTTP.parents[1]
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, timeout=WITHIN_S, check=False
    )
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-2_000:]
