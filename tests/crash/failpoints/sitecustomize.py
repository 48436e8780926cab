"""Faults for a node under test: Python imports this at the start of a program that has the folder in PYTHONPATH.

A node's processes are forked; each is patched when it takes up the module that it runs.

``LEDGERPI_TEST_FAILPOINT`` names a file that is not there. Who writes the name of a step into it has the next process
that comes to this step end by SIGKILL, once: the file is removed just before. ``LEDGERPI_TEST_NO_CAPABILITIES=1`` gives
up root's right to read every file. The node itself knows nothing of either.
"""

import asyncio
import ctypes
import importlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import lmdb
import uvloop

WRITER, WORKER, UPSTREAM = "server.writer_process", "server.worker", "server.upstream_process"


class Failpoint:
    """Ends the process at the step whose name is in the file *armed*."""

    def __init__(self, armed: str) -> None:
        self._armed = armed

    def reach(self, step: str) -> bool:
        """Return whether the process is to end at *step*, on which it has come. Only one process hears so."""
        try:
            with open(self._armed) as file:  # noqa: PTH123 - light at start-up
                if file.read() != step:
                    return False
            os.unlink(self._armed)  # noqa: PTH108 - the same
        except FileNotFoundError:  # nothing is armed, or another process or thread was faster
            return False
        return True

    def at(self, step: str) -> None:
        """End the process here if *step* is the one."""
        if self.reach(step):
            self.end()

    def end(self) -> None:
        """End the process, as ``kill -9`` does."""
        os.kill(os.getpid(), signal.SIGKILL)

    def around(self, step: str, act: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever it returns
        """Do *act* between the two failpoints of *step*, "" = none."""
        if not step:
            return act()
        self.at(f"before-{step}")
        result = act()
        self.at(f"after-{step}")
        return result


def folder_of(descriptor: int) -> str:
    """Return ``spool``, ``blobs`` or "": where an open file lies in a data folder."""
    path = os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115 - light at start-up
    return next((name for name in ("spool", "blobs") if f"/{name}/" in path), "")


def patch_files(point: Failpoint) -> None:
    """Find the steps of a process that makes a blob durable."""
    fsync, replace, write = os.fsync, os.replace, os.write
    steps = {"spool": "spool-fsync", "blobs": "folder-fsync"}

    def traced_fsync(fd: Any) -> None:  # noqa: ANN401 - as os.fsync
        step = steps.get(folder_of(fd), "")
        point.around(step, lambda: fsync(fd))

    def traced_replace(source: Any, target: Any, **rest: Any) -> None:  # noqa: ANN401 - as os.replace
        step = "rename" if "/blobs/" in str(target) else ""
        point.around(step, lambda: replace(source, target, **rest))

    def traced_write(descriptor: int, content: Any) -> int:  # noqa: ANN401 - as os.write
        spooled = folder_of(descriptor) == "spool"
        if spooled and point.reach("amid-spool-write"):
            write(descriptor, bytes(content)[: len(content) // 2])
            point.end()
        return write(descriptor, content)

    os.fsync, os.write = traced_fsync, traced_write
    setattr(os, "replace", traced_replace)  # noqa: B010 - with fewer types than the real one's


def patch_sockets(point: Failpoint) -> None:
    """Find the steps between the durable blob and the answer."""
    send, receive = socket.socket.send, socket.socket.recv
    submitted = threading.Event()

    def traced_send(self: socket.socket, content: Any, *rest: int) -> int:  # noqa: ANN401 - as socket.send
        if self.family == socket.AF_UNIX and b"commit" in bytes(content):
            submitted.set()
            return int(point.around("submit", lambda: send(self, content, *rest)))
        if submitted.is_set() and bytes(content).startswith(b"HTTP/1.1 200"):
            return int(point.around("answer", lambda: send(self, content, *rest)))
        return send(self, content, *rest)

    def traced_receive(self: socket.socket, *rest: int) -> bytes:
        content = receive(self, *rest)
        if b"committed" in content:
            point.at("outcome-received")
        return content

    setattr(socket.socket, "send", traced_send)  # noqa: B010 - a method, which mypy does not let one assign
    setattr(socket.socket, "recv", traced_receive)  # noqa: B010 - the same


def patch_commits(point: Failpoint, step: str) -> None:
    """Find the commits of the process, which are called *step*."""
    opened = lmdb.open
    setattr(lmdb, "open", lambda *rest, **options: TracedEnvironment(opened(*rest, **options), point, step))  # noqa: B010


def patch_outcomes(point: Failpoint) -> None:
    """Find what the writer answers."""
    send = socket.socket.send

    def traced_send(self: socket.socket, content: Any, *rest: int) -> int:  # noqa: ANN401 - as socket.send
        step = "outcome" if b"committed" in bytes(content) else ""
        return int(point.around(step, lambda: send(self, content, *rest)))

    setattr(socket.socket, "send", traced_send)  # noqa: B010 - as above


class TracedEnvironment:
    """An LMDB environment whose write transactions end between two failpoints."""

    def __init__(self, env: lmdb.Environment, point: Failpoint, step: str) -> None:
        self._env = env
        self._point = point
        self._step = step

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the environment has
        return getattr(self._env, name)

    def begin(self, *rest: Any, **options: Any) -> Any:  # noqa: ANN401 - as Environment.begin
        """Return a transaction."""
        txn = self._env.begin(*rest, **options)
        return TracedTransaction(txn, self._point, self._step) if options.get("write") else txn


class TracedTransaction:
    """The block of a write transaction."""

    def __init__(self, txn: lmdb.Transaction, point: Failpoint, step: str) -> None:
        self._txn = txn
        self._point = point
        self._step = step

    def __enter__(self) -> lmdb.Transaction:
        return self._txn.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if self._point.reach(f"amid-{self._step}"):
            threading.Thread(target=self._end_soon).start()
        result: bool | None = self._point.around(self._step, lambda: self._txn.__exit__(kind, error, trace))
        return result

    def _end_soon(self) -> None:
        time.sleep(0.0005)  # the commit runs without the interpreter lock, some milliseconds long
        self._point.end()


def give_up_capabilities() -> None:
    """Make root a user like any other (capset(2), version 3)."""
    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, none):
        raise OSError(ctypes.get_errno(), "capset")


def run_on_asyncio() -> None:
    """Have the loop send and receive by Python's sockets, where steps can be found; uvloop's are its own."""
    setattr(uvloop, "run", asyncio.run)  # noqa: B010 - another signature


def patch(point: Failpoint, module: str) -> None:
    """Patch this process, which runs *module*."""
    run_on_asyncio()
    if module == WORKER:
        patch_files(point)
        patch_sockets(point)
    elif module == UPSTREAM:
        patch_files(point)
        patch_sockets(point)
        patch_commits(point, "local-commit")
    elif module == WRITER:
        patch_commits(point, "commit")
        patch_outcomes(point)


def install() -> None:
    """Give up rights, and have processes that are forked from this one patched."""
    if os.environ.get("LEDGERPI_TEST_NO_CAPABILITIES"):
        give_up_capabilities()
    armed = os.environ.get("LEDGERPI_TEST_FAILPOINT", "")
    if not armed:
        return
    supervisor, import_module = os.getpid(), importlib.import_module

    def traced_import(name: str, package: str | None = None) -> Any:  # noqa: ANN401 - a module
        if os.getpid() != supervisor and name in {WRITER, WORKER, UPSTREAM}:
            patch(Failpoint(armed), name)
        return import_module(name, package)

    setattr(importlib, "import_module", traced_import)  # noqa: B010 - a function, which mypy does not let one assign


install()
