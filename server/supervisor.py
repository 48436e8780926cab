"""The supervisor: binds the port, starts one writer and the workers, restarts what dies, and takes them with it.

Workers begin when the writer is ready for the first time: it has made the tables that they open by name, and folded the
views for this version of the program. Their imports, which take longer, run meanwhile.
"""

import gc
import importlib
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from types import FrameType

import lmdb
import structlog
from attrs import define, evolve, field, frozen

from changelog.env import Env
from changelog.errors import LedgerpiError
from server import locks, roles
from server.child import SIGNALS, Process, Start, fork
from server.config import Config
from server.counts import shared_counts
from server.upstream import state
from server.wire import listen

BACKLOG = 1024  # connections that wait to be accepted
READER_CHECK_S = 10.0
RESTART_PAUSE_S = 0.05  # before a process that died is started again; doubled with each death in a row
MAX_PAUSE_S = 5.0
YOUNG_S = 2.0  # a process that dies before this age failed to start
MAX_FAILURES = 4  # of a node that has never been up
GRACE_S = 10.0  # for requests under way at the end
CHANGE_GRACE_S = 2.0  # the same where a primary becomes a replica, or the other way round

logger = structlog.get_logger()


@define
class Child:
    """A process of the node."""

    name: str
    module: str
    number: int = 0  # of a worker
    listening: socket.socket | None = None  # where it listens, None = where the node does
    wanted: bool = True  # it runs, or is to be started again
    process: Process | None = None
    ready: bool = False
    started: float = field(factory=time.monotonic)
    failures: int = 0  # deaths in a row, each soon after a start
    not_before: float = 0.0  # when it may be started again


@frozen
class Programs:
    """The modules that a node's processes run."""

    writer: str = "server.writer_process"
    worker: str = "server.worker"
    upstream: str = "server.upstream_process"
    more: tuple[tuple[str, str], ...] = ()  # names and modules of others, which begin with the workers
    cluster: str = ""  # begins when the writer says that there are other members


Choose = Callable[[Config], Programs]  # what a node runs, as what it is now; may prepare that


def _primary(_: Config) -> Programs:
    return Programs()


class Supervisor:
    """Runs a node until it is told to stop, with other processes when it becomes a primary or a replica."""

    def __init__(self, config: Config, on_ready: Callable[[str], None], choose: Choose = _primary) -> None:
        """Bind the port; *on_ready* is called once with the URL when the node answers. Default: a primary's programs.

        Raises:
            Conflict: the node runs already; a second one would clear the spool under its uploads.
            OSError: the port is taken.
        """
        self._lock = locks.take(config.layout.node_lock, f"a node runs in {config.serverdir} already")
        self._on_ready = on_ready
        self._socket = _listen(config.host, config.port)
        self._config = evolve(config, port=self._socket.getsockname()[1])  # what others are told
        self._choose = choose
        self._asked = listen(config.layout.upstream_socket)
        self._joined = listen(config.layout.cluster_socket)
        self._counts = shared_counts(config.worker_count)
        self._selector = selectors.DefaultSelector()
        self._stopping = False
        self._changing = False  # to be started again with other programs
        self._announced = False
        self.failed = False  # the node could not be started
        self._programs = Programs()
        self._children: list[Child] = []

    @property
    def url(self) -> str:
        """Where the node answers."""
        host, port = self._socket.getsockname()[:2]
        scheme = "https" if self._config.tls_certificate else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    def run(self) -> None:
        """Run until SIGTERM, SIGINT or SIGHUP, or until it is clear that the node can not start (``failed``)."""
        wake = self._wake_on_signals()
        while not self._stopping:
            self._changing = False
            self._run_as_it_is(wake)
        self._close()

    def _close(self) -> None:
        for one in (self._socket, self._asked, self._joined, self._selector):
            one.close()
        signal.set_wakeup_fd(-1)
        for descriptor in (self._counts, *self._wake):
            os.close(descriptor)
        self._lock.close()

    def _run_as_it_is(self, wake: int) -> None:
        """Run the programs of what the node is now, until it is told to stop or becomes something else."""
        self._make_children()
        for page in self._config.layout.pages.glob("*"):
            page.unlink()
        state.prepare(self._config.layout.local)
        if not self._config.offline_mode:
            self._selector.register(self._asked, selectors.EVENT_READ)
        if self._programs.cluster:
            self._selector.register(self._joined, selectors.EVENT_READ)
        self._import()
        for child in self._wanted():
            self._start(child)
        checked = time.monotonic()
        while not self._stopping and not self._changing:
            for key, _ in self._selector.select(timeout=self._pause()):
                if key.fileobj == wake:
                    os.read(wake, 1024)
                elif key.fileobj in (self._asked, self._joined):
                    self._want(key.fileobj)
                else:
                    self._hear(key.data)
            if self._reap() or time.monotonic() > checked + READER_CHECK_S:
                self._free_readers()
                checked = time.monotonic()
        self._stop()

    def _import(self) -> None:
        """Import what the processes run, before they are forked."""
        for child in self._wanted():
            importlib.import_module(child.module)
        gc.collect()
        gc.freeze()  # what is looked at is written to, and no longer shared

    def _free_readers(self) -> None:
        """Free the slots of readers that died: what they were reading is kept for them, and the file grows.

        No child may be forked with an environment open: it opens its own.
        """
        layout = self._config.layout
        try:
            with closing(Env(layout.changelog, (), readonly=True, map_size=self._config.map_size)) as env:
                env.reader_check()  # it reads no views
            state.free_readers(layout.local)
        except (LedgerpiError, lmdb.Error, OSError) as error:  # as for lack of descriptors; it is tried again soon
            logger.warning("readers not freed", reason=str(error))

    def _make_children(self) -> None:
        self._programs = self._choose(self._config)
        self._alive, self._parent = os.pipe()  # children see the end of it when this process dies
        self._tables_made = False
        workers = range(self._config.worker_count)
        self._children = [
            Child("writer", self._programs.writer),
            Child("upstream", self._programs.upstream, listening=self._asked, wanted=False),
            Child("cluster", self._programs.cluster, listening=self._joined, wanted=False),
            *(Child(f"worker-{number}", self._programs.worker, number) for number in workers),
            *(Child(name, module) for name, module in self._programs.more),
        ]

    def _pause(self) -> float:
        """Return how long nothing has to be done, in seconds."""
        waits = [child.not_before - time.monotonic() for child in self._wanted() if child.process is None]
        return max(0.0, min([1.0, *waits]))

    def _wanted(self) -> list[Child]:
        return [child for child in self._children if child.wanted]

    def _want(self, asked: object) -> None:
        """Start a process that not every node needs, now that another one has a question for it."""
        self._selector.unregister(asked)  # type: ignore[arg-type] # a socket
        for child in self._children:
            if child.listening is asked:
                child.wanted = True
                self._start(child)

    def _wake_on_signals(self) -> int:
        wake, write = self._wake = os.pipe()
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write)
        for number in SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # as nohup(1) lets it be
                signal.signal(number, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        self._selector.register(wake, selectors.EVENT_READ)
        return wake

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _start(self, child: Child) -> None:
        start = Start(
            config=self._config,
            name=child.name,
            number=child.number,
            listening=self._socket if child.listening is None else child.listening,
            counts=self._counts,
            parent=self._alive,
        )
        is_worker = child.module == self._programs.worker
        child.started = time.monotonic()
        try:
            child.process = fork(child.module, start, lambda: self._leave(start), hears_sigterm=is_worker)
        except OSError as error:  # others may end, and leave room
            logger.error("process not started", name=child.name, reason=str(error))  # noqa: TRY400 - nothing is wrong here
            self._put_off(child)
            return
        if self._tables_made:
            child.process.let_begin()
        child.ready = False
        self._selector.register(child.process.ready, selectors.EVENT_READ, child)

    def _leave(self, start: Start) -> None:
        """Close, in a process that was just forked, all that the supervisor alone should hold."""
        self._lock.close()
        self._selector.close()
        for descriptor in (self._parent, *self._wake):
            os.close(descriptor)
        for one in (self._socket, self._asked, self._joined):
            if one is not start.listening:
                one.close()
        for process in _running(self._children):
            process.close()

    def _hear(self, child: Child) -> None:
        """Take note of a child that says it is ready, or closes its output by dying."""
        process = child.process
        if process is None:
            return
        said = os.read(process.ready, 1024)
        child.ready = child.ready or bool(said)
        if not said:
            self._selector.unregister(process.ready)
        elif child is self._children[0] and not self._tables_made:
            self._tables_made = True
            for waiting in _running(self._children):
                waiting.let_begin()
        if not self._announced and all(child.ready for child in self._wanted()):
            self._announced = True
            self._on_ready(self.url)

    def _reap(self) -> bool:
        """Start again what died, after a pause that grows while it dies young; return whether something died."""
        died = False
        for child in self._wanted():
            if self._stopping or self._changing:
                break
            if child.process is None and time.monotonic() >= child.not_before:
                self._start(child)
            elif child.process is not None and child.process.has_ended():
                died = True
                self._bury(child, child.process)
        return died

    def _bury(self, child: Child, process: Process) -> None:
        if process.exit == roles.CHANGED:
            logger.warning("node changes its role")
            self._changing = True
        else:
            logger.error("process died", name=child.name, exit=process.exit)
        self._forget(process)
        self._put_off(child)

    def _put_off(self, child: Child) -> None:
        """Start a child again after a pause; give the node up if it was never up."""
        child.process = None
        young = time.monotonic() < child.started + YOUNG_S
        child.failures = child.failures + 1 if young else 0
        child.not_before = time.monotonic() + min(RESTART_PAUSE_S * 2**child.failures, MAX_PAUSE_S)
        if not self._announced and child.failures >= MAX_FAILURES:
            logger.error("node can not start", name=child.name)
            self._stopping = self.failed = True

    def _stop(self) -> None:
        """End the workers, which finish what they have begun, then the writer, which they need for that."""
        if self._stopping:
            self._socket.close()  # else who connects meanwhile waits for the new workers
        deadline = time.monotonic() + (CHANGE_GRACE_S if self._changing else GRACE_S)
        writer, *others = self._children
        workers = [child for child in others if child.module == self._programs.worker]
        for process in _running(workers):
            process.terminate()
        _wait(workers, deadline)
        os.close(self._parent)
        for process in _running(self._children):
            process.end_waiting()  # who waits for the writer looks at nothing else
        _wait([*others, writer], deadline)
        os.close(self._alive)
        for process in _running(self._children):
            self._forget(process)
        for asked in (self._asked, self._joined):
            if asked in self._registered():
                self._selector.unregister(asked)

    def _forget(self, process: Process) -> None:
        """Close what belonged to a child that is no more."""
        if process.ready in self._registered():
            self._selector.unregister(process.ready)
        process.close()

    def _registered(self) -> set[object]:
        return {key.fileobj for key in self._selector.get_map().values()}


def _running(children: Sequence[Child]) -> list[Process]:
    return [child.process for child in children if child.process is not None]


def _wait(children: Sequence[Child], deadline: float) -> None:
    for process in _running(children):
        process.wait(max(0.5, deadline - time.monotonic()))


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    server = socket.socket(family, kind, protocol)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(address)
    server.listen(BACKLOG)
    return server
