"""Processes of a node, forked from the supervisor: what they all import is imported, and held in memory, once."""

import asyncio
import importlib
import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import structlog
from attrs import define, evolve, frozen

from changelog.errors import LedgerpiError
from server.config import Config
from server.counts import Counts

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # which end a node
_NAME_BYTES = 15  # of a process (proc(5))
_LOOK_S = 0.01  # between looks at a process that is to end
_CLOSED = -1

logger = structlog.get_logger()


@frozen
class Start:
    """What a process gets from the supervisor."""

    config: Config
    name: str  # as ``writer``, ``worker-0``
    number: int  # of a worker
    listening: socket.socket
    counts: int  # descriptor of the memory that workers share
    parent: int  # a pipe whose other end is closed by the supervisor, or by its death
    begin: int = -1  # a pipe that says that the writer has made all tables
    ready: int = -1  # a pipe to tell that this process answers

    @property
    def own_counts(self) -> Counts:
        """Where this worker counts its connections."""
        return Counts(self.counts, self.number)

    def may_begin(self) -> bool:
        """Wait until the writer has made all tables and return True; False if the supervisor ended instead."""
        return bool(os.read(self.begin, 1))

    def tell_ready(self) -> None:
        """Tell the supervisor that this process answers."""
        with suppress(BrokenPipeError):  # it died; the other pipe tells so too
            os.write(self.ready, b"r")

    async def death_of_parent(self) -> None:
        """Return when the supervisor closes its end of the pipe, or dies."""
        loop = asyncio.get_running_loop()
        closed: asyncio.Future[None] = loop.create_future()

        def on_end() -> None:
            loop.remove_reader(self.parent)
            closed.set_result(None)

        loop.add_reader(self.parent, on_end)
        await closed


@define
class Process:
    """A child, as the supervisor sees it."""

    pid: int
    ready: int  # a pipe: a byte when it answers, the end when it dies
    begin: int
    exit: int | None = None  # its code, or minus the signal that ended it

    def let_begin(self) -> None:
        """Tell it that the writer has made all tables."""
        with suppress(BrokenPipeError):  # it died; the next one will be let begin at once
            os.write(self.begin, b"b")
        self.end_waiting()

    def end_waiting(self) -> None:
        """Close the pipe that it may still wait at to begin; without the byte, it ends."""
        if self.begin != _CLOSED:
            os.close(self.begin)
            self.begin = _CLOSED

    def has_ended(self) -> bool:
        """Return whether it is no more; ``exit`` is set then."""
        if self.exit is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.exit = os.waitstatus_to_exitcode(status)
        return self.exit is not None

    def terminate(self) -> None:
        """Ask it to end."""
        self._signal(signal.SIGTERM)

    def wait(self, seconds: float) -> None:
        """Wait for its end, and make one after *seconds*."""
        deadline = time.monotonic() + seconds
        while not self.has_ended():
            if time.monotonic() > deadline:
                self._signal(signal.SIGKILL)
            time.sleep(_LOOK_S)

    def close(self) -> None:
        """Close the pipes."""
        os.close(self.ready)
        self.end_waiting()

    def _signal(self, number: int) -> None:
        if not self.has_ended():
            os.kill(self.pid, number)


def fork(module: str, start: Start, leave: Callable[[], None], *, hears_sigterm: bool) -> Process:
    """Start the ``main`` of *module* with *start* in a child, which first calls *leave* to close what is its parent's.

    It ends on SIGTERM, or only when the supervisor does or closes its pipe.

    In the child this does not return: it raises SystemExit and nothing else, so that the interpreter ends as it always
    does, and no handler of the parent takes the child's errors for its own.

    Raises:
        OSError: there is no child, for lack of descriptors, processes or memory.
    """
    pipes: list[int] = []
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # none may reach the child while it has our handlers
    try:
        pipes += os.pipe()
        pipes += os.pipe()
        pid = os.fork()
    except OSError:
        for descriptor in pipes:
            os.close(descriptor)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        raise
    begin, let_begin, said, ready = pipes
    if pid:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(begin)
        os.close(ready)
        return Process(pid, said, let_begin)
    try:
        os.close(let_begin)
        os.close(said)
        leave()
        _take_signals(hears_sigterm=hears_sigterm)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        _run(module, evolve(start, begin=begin, ready=ready))
    except LedgerpiError as error:
        logger.error("process can not go on", name=start.name, reason=str(error))  # noqa: TRY400 - it says it all
    except Exception:
        logger.exception("process failed", name=start.name)
    raise SystemExit(1)


def _run(module: str, start: Start) -> NoReturn:
    _be_named(start.name)
    importlib.import_module(module).main(start)
    start.listening.close()
    raise SystemExit(0)


def _take_signals(*, hears_sigterm: bool) -> None:
    """Undo what the supervisor does on signals; who runs the node may send them to all of its processes at once."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL if hears_sigterm else signal.SIG_IGN)


def _be_named(name: str) -> None:
    """Be *name* in lists of processes, where the system has a way."""
    with suppress(OSError), open("/proc/self/comm", "wb") as file:  # noqa: PTH123 - of the system
        file.write(name.encode()[:_NAME_BYTES])
