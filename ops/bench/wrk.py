"""The load generator for fast answers: wrk with one thread, over a window of time."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import frozen

from ops.bench.load import Load
from ops.bench.processes import HOST, BenchError

_ASCII = 128
_SCRIPT = """
local requests = {{ {requests} }}
local turn = 0

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\\n{{"requests": %d, "us": %d, "bytes": %d, "failed": %d, "p50": %d, "p99": %d}}\\n',
    summary.requests, summary.duration, summary.bytes,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


@frozen
class Generator:
    """Where wrk runs: the core it is kept on, and a folder for its script."""

    core: int
    folder: Path

    def run(self, port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Load:
        """Send *requests* in turn for so many seconds.

        Raises:
            BenchError: wrk failed or had no answer.
        """
        script = self.folder / "wrk.lua"
        script.write_text(_SCRIPT.format(requests=",".join(map(_lua, requests))))
        whole_s = max(1, round(seconds))
        command = ["taskset", "-c", str(self.core), "wrk", "--threads=1", "--timeout=30s"]
        command += [f"--connections={connections}", f"--duration={whole_s}s"]
        command += [f"--script={script}", f"http://{HOST}:{port}/"]
        done = subprocess.run(  # noqa: S603 - our own command
            command, capture_output=True, timeout=whole_s + 60, check=False
        )
        lines = done.stdout.decode().splitlines()
        if done.returncode or not lines:
            raise BenchError(f"wrk: {done.stderr.decode()}{done.stdout.decode()}")
        return _load(json.loads(lines[-1]))


def _load(found: Mapping[str, int]) -> Load:
    """Return what the script printed as a load; latencies are printed in microseconds."""
    if not found["requests"]:
        raise BenchError("wrk had no answer")
    return Load(
        requests=found["requests"],
        seconds=found["us"] / 1e6,
        p50_ms=found["p50"] / 1000,
        p99_ms=found["p99"] / 1000,
        bytes_read=found["bytes"],
        failed=found["failed"],
    )


def _lua(one: bytes) -> str:
    """Return *one* as a Lua string, every byte escaped but letters and digits."""
    escaped = (chr(byte) if chr(byte).isalnum() and byte < _ASCII else f"\\{byte:03}" for byte in one)
    return f'"{"".join(escaped)}"'
