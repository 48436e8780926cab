"""Threads for work that would hold up the loop."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 8  # fsyncs wait in parallel; hashing and archives release the interpreter lock little

_reads = ThreadPoolExecutor(2, thread_name_prefix="reads")
_costly = ThreadPoolExecutor(1, thread_name_prefix="costly")
_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="work")


def _begin_anew() -> None:
    """Forget the threads of the process that this one was forked from: they are not here."""
    global _reads, _costly, _pool  # noqa: PLW0603 - once in a process
    _reads = ThreadPoolExecutor(2, thread_name_prefix="reads")
    _costly = ThreadPoolExecutor(1, thread_name_prefix="costly")
    _pool = ThreadPoolExecutor(THREADS, thread_name_prefix="work")


os.register_at_fork(after_in_child=_begin_anew)


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what *work* returns, run in a thread."""
    return await begin_in_thread(work, *args, **kwargs)


def begin_in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
    """As :func:`in_thread`, begun at once; the caller has to await what is returned."""
    return asyncio.get_running_loop().run_in_executor(_pool, lambda: work(*args, **kwargs))


async def for_reading(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """As :func:`in_thread`, for large answers, which must not hold up the fsyncs of uploads."""
    return await asyncio.get_running_loop().run_in_executor(_reads, lambda: work(*args, **kwargs))


async def alone(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """As :func:`in_thread`, for work of which only one at a time may run, as argon2, which takes 64 MiB."""
    return await asyncio.get_running_loop().run_in_executor(_costly, lambda: work(*args, **kwargs))
