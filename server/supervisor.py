"""The supervisor: binds the port, starts one writer and the workers, restarts what dies, and takes them with it."""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from types import FrameType

import structlog
from attrs import define, field

from changelog.env import Env
from changelog.fold import VIEW_TABLES
from server.config import Config

BACKLOG = 1024  # connections that wait to be accepted
READER_CHECK_S = 10.0
RESTART_PAUSE_S = 0.2  # before a process that died is started again
GRACE_S = 10.0  # for requests under way at the end

logger = structlog.get_logger()


@define
class Child:
    """A process of the node."""

    name: str
    module: str
    process: "subprocess.Popen[bytes] | None" = None
    ready: bool = False
    started: float = field(factory=time.monotonic)


class Supervisor:
    """Runs a node until it is told to stop."""

    def __init__(self, config: Config, on_ready: Callable[[str], None]) -> None:
        """Bind the port; *on_ready* is called once with the URL when the node answers.

        Raises:
            OSError: the port is taken.
        """
        self._config = config
        self._on_ready = on_ready
        self._socket = _listen(config.host, config.port)
        self._alive, self._parent = os.pipe()  # children see the end of it when this process dies
        self._children = [Child("writer", "server.writer_process")]
        self._children += [Child(f"worker-{number}", "server.worker") for number in range(config.worker_count)]
        self._selector = selectors.DefaultSelector()
        self._stopping = False
        self._announced = False

    @property
    def url(self) -> str:
        """Where the node answers."""
        host, port = self._socket.getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def run(self) -> None:
        """Run until SIGTERM or SIGINT."""
        for page in self._config.layout.pages.glob("*"):
            page.unlink()
        env = Env(self._config.layout.changelog, VIEW_TABLES, readonly=True, map_size=self._config.map_size)
        wake = self._wake_on_signals()
        for child in self._children:
            self._start(child)
        checked = time.monotonic()
        while not self._stopping:
            for key, _ in self._selector.select(timeout=1.0):
                if key.fileobj == wake:
                    os.read(wake, 1024)
                else:
                    self._hear(key.data)
            if self._reap() or time.monotonic() > checked + READER_CHECK_S:
                env.reader_check()
                checked = time.monotonic()
        self._stop()
        env.close()

    def _wake_on_signals(self) -> int:
        wake, write = os.pipe()
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        self._selector.register(wake, selectors.EVENT_READ)
        return wake

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _start(self, child: Child) -> None:
        config = json.dumps(self._config.plain())
        descriptors = (self._alive, self._socket.fileno())
        command = [sys.executable, "-m", child.module, config, *map(str, descriptors), child.name]
        child.process = subprocess.Popen(  # noqa: S603 - our own modules
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, pass_fds=descriptors
        )
        child.ready = False
        child.started = time.monotonic()
        if child.process.stdout is not None:
            self._selector.register(child.process.stdout, selectors.EVENT_READ, child)

    def _hear(self, child: Child) -> None:
        """Take note of a child that says it is ready, or closes its output by dying."""
        process = child.process
        if process is None or process.stdout is None:
            return
        said = os.read(process.stdout.fileno(), 1024)
        child.ready = child.ready or bool(said)
        if not said:
            self._selector.unregister(process.stdout)
        if not self._announced and all(child.ready for child in self._children):
            self._announced = True
            self._on_ready(self.url)

    def _reap(self) -> bool:
        """Start again what died and return whether something did."""
        died = False
        for child in self._children:
            process = child.process
            if self._stopping or process is None or process.poll() is None:
                continue
            died = True
            logger.error("process died", name=child.name, exit=process.returncode)
            if process.stdout is not None:
                if process.stdout in {key.fileobj for key in self._selector.get_map().values()}:
                    self._selector.unregister(process.stdout)
                process.stdout.close()
            if time.monotonic() < child.started + RESTART_PAUSE_S:
                time.sleep(RESTART_PAUSE_S)
            self._start(child)
        return died

    def _stop(self) -> None:
        """End the workers, which finish what they have begun, then the writer, which they need for that."""
        self._socket.close()
        deadline = time.monotonic() + GRACE_S
        writer, *workers = [child.process for child in self._children if child.process is not None]
        for process in workers:
            process.terminate()
        for process in workers:
            _wait(process, deadline)
        os.close(self._parent)
        _wait(writer, deadline)


def _wait(process: "subprocess.Popen[bytes]", deadline: float) -> None:
    """Wait for the end of *process*; after *deadline* end it."""
    try:
        process.wait(max(0.5, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    server = socket.socket(family, kind, protocol)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(address)
    server.listen(BACKLOG)
    return server
