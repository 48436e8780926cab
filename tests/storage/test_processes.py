"""How the processes of a node start, fail and end: what an operator and the system do to them."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import lmdb
import pytest
import requests

from replica.config import ReplicaConfig
from server import locks
from server.layout import Layout
from server.upstream import state
from tests.following import wait_until
from tests.processes import Node, new_node

SOON_S = 5.0  # far below the grace of a child that does not end
FAILING_CHILD = """
import socket, sys, types
from pathlib import Path
from server.child import Start, fork
from server.config import Config
module = types.ModuleType("failing")
def main(start): raise BrokenPipeError(32, "of the child alone")
module.main = main
sys.modules["failing"] = module
start = Start(Config(Path()), "worker-0", 0, socket.socket(), -1, -1)
try:
    child = fork("failing", start, lambda: None, hears_sigterm=True)
except OSError:
    print("the child took over from its parent")
else:
    child.wait(10)
    print(child.exit)
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node of one worker, which does not run."""
    made = new_node(tmp_path_factory.mktemp("processes"), workers=1)
    yield made
    made.kill()


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_a_node_that_is_stopped_before_it_is_up_ends_at_once(node: Node) -> None:
    layout, backlog = Layout(node.serverdir), ReplicaConfig(node.serverdir).backlog
    layout.run.mkdir(mode=0o700, exist_ok=True)
    backlog.mkdir(parents=True)  # as of a replica that took over: it has a process that fetches files
    with locks.of_writer(layout):  # so that no writer can start, and the others wait for it
        began = time.monotonic()
        with pytest.raises(RuntimeError, match="another writer"):
            node.start()
        assert time.monotonic() < began + SOON_S
    backlog.rmdir()


def test_a_node_survives_that_no_process_can_be_started_for_a_while(node: Node) -> None:
    node.start()
    try:
        supervisor = node.pids()["supervisor"]
        before = descriptors(supervisor)
        limits = resource.prlimit(supervisor, resource.RLIMIT_NOFILE)
        resource.prlimit(supervisor, resource.RLIMIT_NOFILE, (3, limits[1]))
        os.kill(node.pids()["worker-0"], signal.SIGKILL)
        wait_until(lambda: "process not started" in node.log, lambda: node.log)
        assert "readers not freed" in node.log
        resource.prlimit(supervisor, resource.RLIMIT_NOFILE, limits)
        node.whole_pids()
        wait_until(lambda: descriptors(supervisor) == before, lambda: (descriptors(supervisor), before))
        assert requests.get(f"{node.url}/+health", timeout=10).ok
    finally:
        node.stop()  # by a signal that was blocked while a process could not be started


def test_readers_of_local_state_that_died_are_forgotten(node: Node) -> None:
    node.start()
    try:
        local = Layout(node.serverdir).local
        reading = (
            "import os, sys; from pathlib import Path; from server.upstream.state import LocalState\n"
            "with LocalState(Path(sys.argv[1]), readonly=True).read(): os.kill(os.getpid(), 9)"
        )
        subprocess.run([sys.executable, "-c", reading, str(local)], check=False, timeout=30)
        env = lmdb.open(str(local), readonly=True, max_dbs=len(state.TABLES))
        try:
            assert "\n" in env.readers().strip(), "the dead reader is there"
            os.kill(node.pids()["worker-0"], signal.SIGKILL)
            wait_until(lambda: "\n" not in env.readers().strip(), env.readers)
        finally:
            env.close()
    finally:
        node.stop()


def test_an_error_of_a_child_is_logged_there_and_never_reaches_the_code_of_its_parent() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAILING_CHILD], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout.splitlines()[-1] == "1", done
    assert "process failed" in done.stdout + done.stderr
    assert "BrokenPipeError" in done.stdout + done.stderr


@pytest.mark.parametrize("redirected", ["<&- >&-", "<&- >&- 2>&-", ">/dev/full"])
def test_a_node_serves_without_standard_streams(node: Node, redirected: str) -> None:
    command = " ".join(node.command)
    shell = subprocess.Popen(["/bin/sh", "-c", f"exec {command} {redirected}"], start_new_session=True)
    try:
        children = Path(f"/proc/{shell.pid}/task/{shell.pid}/children")
        wait_until(lambda: len(children.read_text().split()) == 2 or shell.poll() is not None, children.read_text)
        for pid in (shell.pid, *map(int, children.read_text().split())):
            targets = [str(Path(f"/proc/{pid}/fd/{number}").readlink()) for number in (0, 1)]
            assert all(not target.startswith(("socket:", str(node.serverdir))) for target in targets), targets
        time.sleep(0.5)  # it says where it answers
        assert shell.poll() is None
    finally:
        shell.terminate()
        assert shell.wait(30) == 0


def test_a_terminal_that_is_closed_ends_the_node_as_its_operator_does(node: Node) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may have been started by nohup
    node.start()
    signal.signal(signal.SIGHUP, before)
    logged = len(node.log)
    os.killpg(node.pids()["supervisor"], signal.SIGHUP)
    wait_until(lambda: not node.pids(), node.pids)
    assert node.exit_code == 0
    assert "process died" not in node.log[logged:]


def test_what_nohup_started_outlives_its_terminal(tmp_path: Path, node: Node) -> None:
    out = tmp_path / "out"
    with out.open("wb") as file:
        process = subprocess.Popen(
            ["/usr/bin/env", "nohup", *node.command], stdout=file, stderr=file, start_new_session=True
        )
    try:
        wait_until(lambda: "ledgerpi serves" in out.read_text(), out.read_text)
        os.killpg(process.pid, signal.SIGHUP)
        time.sleep(0.3)
        assert process.poll() is None
    finally:
        process.terminate()
        assert process.wait(30) == 0
