"""ledgerpi beneath supervisor, with the files that gen-config writes."""

import subprocess
import sys
from pathlib import Path

import requests

from tests.following import ledgerpi, wait_until
from tests.fronts import free_port
from tests.processes import new_node

SUPERVISOR = Path(sys.executable).parent


def test_supervisor_runs_the_node_and_ends_it(tmp_path: Path) -> None:
    node = new_node(tmp_path)
    port, out = free_port(), tmp_path / "out"
    words = ("--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--output", str(out))
    ledgerpi("gen-config", "--serverdir", str(node.serverdir), *words)
    daemon = subprocess.Popen([SUPERVISOR / "supervisord", "-n", "-c", out / "supervisord.conf"], cwd=tmp_path)

    def control(*words: str) -> str:
        command = [str(SUPERVISOR / "supervisorctl"), "-c", str(out / "supervisord.conf"), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=90).stdout

    def answers() -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{port}/+health", timeout=5).ok
        except requests.RequestException:
            return False

    try:
        wait_until(answers, lambda: control("tail", "ledgerpi"))
        wait_until(lambda: "RUNNING" in control("status"), lambda: control("status"))
        assert "stopped" in control("stop", "ledgerpi")
        assert not answers()
        assert "STOPPED" in control("status")
    finally:
        daemon.terminate()
        daemon.wait(60)
    assert "Traceback" not in "".join(path.read_text() for path in out.glob("ledgerpi-stdout*"))
