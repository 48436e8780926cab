"""A node as its operator runs it: ``ledgerpi init`` and ``ledgerpi serve`` in processes of their own."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

LEDGERPI = Path(sys.executable).with_name("ledgerpi")
START_S = 60.0  # a busy machine is no failure
STOP_S = 30.0
_LOOK_S = 0.02  # between looks at processes that end
NOWHERE = "http://127.0.0.1:1"  # nobody listens there


class Node:
    """A node in a data folder; it runs between :meth:`start` and :meth:`stop` or :meth:`kill`, any number of times.

    What it logs is appended to the file ``{serverdir}.log``, beside the folder.
    """

    def __init__(self, serverdir: Path, *, workers: int = 2, args: Sequence[str] = ()) -> None:
        """Take the node in *serverdir*; *args* go to ``ledgerpi serve`` behind ours and win over them."""
        self.serverdir = serverdir
        self.url = ""  # without a slash at the end; another one after each start
        self._workers = workers
        self.args = args
        self._process: subprocess.Popen[bytes] | None = None
        self._paused = False

    @property
    def command(self) -> list[str]:
        """What runs the node."""
        listen = ("--host", "127.0.0.1", "--port", "0", "--workers", str(self._workers))
        told = ("--member-url", self.told)
        return [str(LEDGERPI), *self.program, "--serverdir", str(self.serverdir), *listen, *told, *self.args]

    @property
    def told(self) -> str:
        """Where other members are told to look for the node: nowhere, so that it is followed only as a test says."""
        return NOWHERE

    @property
    def program(self) -> Sequence[str]:
        """The command of ``ledgerpi``, with the options that another kind of node needs."""
        return ("serve",)

    @property
    def log(self) -> str:
        """What the node logged so far."""
        path = self._log_path
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def _log_path(self) -> Path:
        return self.serverdir.with_name(f"{self.serverdir.name}.log")

    def start(self) -> Self:
        """Start the node and return it when it answers.

        Raises:
            RuntimeError: it ended, or did not answer in 60 s.
        """
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # a group of its own, which kill() ends at one stroke
            )
        try:
            self.url = _announced_url(self._process)
        except RuntimeError as error:
            self.kill()
            raise RuntimeError(f"{error}: {self.log[-2_000:]}") from error
        return self

    def stop(self) -> None:
        """End the node as its operator does, by SIGTERM; nothing if it does not run.

        Raises:
            subprocess.TimeoutExpired: it did not end in 30 s.
        """
        if self._process is None:
            return
        members = self.pids()
        self._process.terminate()
        self._process.wait(STOP_S)
        self._gone(members)

    def kill(self) -> None:
        """End all processes of the node by SIGKILL at once, as a loss of power does; nothing if it does not run."""
        if self._process is None:
            return
        members = self.pids()
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        for pid in members.values():  # those that outlived their supervisor
            if _is_alive(pid):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(STOP_S)
        self._gone(members)

    def pause(self) -> None:
        """Stop all processes as they are: connections stay open, and nothing comes."""
        for pid in self.pids().values():
            os.kill(pid, signal.SIGSTOP)
        self._paused = True

    def resume(self) -> None:
        """Let them go on."""
        for pid in self.pids().values():
            os.kill(pid, signal.SIGCONT)
        self._paused = False

    @property
    def runs(self) -> bool:
        """Whether its processes are there and not paused."""
        return self._process is not None and not self._paused

    @property
    def exit_code(self) -> int | None:
        """The exit code of a node that ended by itself; None if it runs, or was stopped."""
        return None if self._process is None else self._process.poll()

    def pids(self) -> dict[str, int]:
        """Return the living processes: ``supervisor``, ``writer``, ``worker-0`` and so on; none if it does not run."""
        if self._process is None:
            return {}
        found = {} if self._process.poll() is not None else {"supervisor": self._process.pid}
        for folder in Path("/proc").glob("[0-9]*"):
            pid = int(folder.name)
            if pid != self._process.pid and _is_alive(pid) and _group(pid) == self._process.pid:
                found[_name(folder)] = pid
        return found

    def whole_pids(self) -> dict[str, int]:
        """Return :meth:`pids` once writer and workers are all there: who died is started again after a pause."""
        wanted = {"supervisor", "writer", *(f"worker-{number}" for number in range(self._workers))}
        deadline = time.monotonic() + START_S
        while not wanted <= (found := self.pids()).keys():
            if time.monotonic() > deadline:
                raise RuntimeError(f"processes of the node are missing: {wanted - found.keys()}")
            time.sleep(_LOOK_S)
        return found

    def _gone(self, members: dict[str, int]) -> None:
        """Wait until none of *members* is left, and forget the process."""
        deadline = time.monotonic() + STOP_S
        while any(map(_is_alive, members.values())):
            if time.monotonic() > deadline:
                raise RuntimeError(f"processes of the node do not end: {members}")
            time.sleep(_LOOK_S)
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()
        self._process, self._paused = None, False


def new_node(
    tmp_path: Path,
    password: str = "secret",  # noqa: S107 - of a node that lives for one test
    stages: Sequence[str] = ("root/dev",),
    *,
    workers: int = 2,
    args: Sequence[str] = (),
    mirror_url: str = "",
) -> Node:
    """Make a data folder ``node`` in *tmp_path* and return its node, which does not run yet.

    The index root/pypi is there if it has a *mirror_url*, which is on loopback.
    """
    serverdir = tmp_path / "node"
    indexes = [word for stage in stages for word in ("--stage", stage)]
    mirror = ("--mirror-url", mirror_url) if mirror_url else ("--no-root-pypi",)
    subprocess.run(
        [LEDGERPI, "init", "--serverdir", serverdir, "--root-password", password, *mirror, *indexes],
        check=True,
        capture_output=True,
        timeout=START_S,
    )
    return Node(serverdir, workers=workers, args=args)


def _announced_url(process: "subprocess.Popen[bytes]") -> str:
    """Return the URL that the node prints when it answers, or raise RuntimeError."""
    if process.stdout is None:
        raise RuntimeError("the output of the node is not read")
    deadline = time.monotonic() + START_S
    said = b""
    while b"\n" not in said:
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        piece = os.read(process.stdout.fileno(), 4_096) if ready else b""
        if not piece:
            raise RuntimeError("the node ended or did not answer in time")
        said += piece
    return said.split(b"\n")[0].split()[-1].decode()


def _is_alive(pid: int) -> bool:
    """Return whether a process is there and is no zombie."""
    return _stat(pid)[:1] not in ([], ["Z"], ["X"])


def _group(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[2]) if fields else 0


def _stat(pid: int) -> list[str]:
    """Return state, parent, group and so on (proc(5)); nothing if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _name(folder: Path) -> str:
    """Return the name that a child took."""
    try:
        return (folder / "comm").read_text().rstrip("\n")
    except (FileNotFoundError, ProcessLookupError):
        return str(folder.name)
