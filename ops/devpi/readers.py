"""The processes that read files of a dump, begun early: they import what they need while the index is read."""

import os
import threading
import time
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import ops.devpi.taking  # noqa: F401 - so that the processes have it before the first call
from server.garbage import look_seldom

PARENT_S = 1.0  # seconds between looks whether the command is still there


def begun(processes: int) -> Executor:
    """Return *processes* that run :func:`ops.devpi.taking.take`; 1 = a thread of this one."""
    if processes == 1:
        return ThreadPoolExecutor(1, thread_name_prefix="take")
    context = get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=(os.getpid(),))
    pool.submit(os.getpid)  # what lets it start them all
    return pool


def _begin(parent: int) -> None:
    look_seldom()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """Let this process end with the command, however that ends."""
    while os.getppid() == parent:
        time.sleep(PARENT_S)
    os._exit(1)
