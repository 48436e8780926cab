"""How many connections each worker has, in memory that the workers share."""

import mmap
import os
import struct

COUNT = struct.Struct("=q")


def shared_counts(workers: int) -> int:
    """Return the descriptor of memory for the numbers of open connections of *workers* processes."""
    descriptor = os.memfd_create("connections")
    os.ftruncate(descriptor, max(workers, 1) * COUNT.size)
    return descriptor


class Counts:
    """How many connections each worker has; a process writes only its own number."""

    def __init__(self, descriptor: int, own: int) -> None:
        """Use the memory of *descriptor*; this is worker number *own*."""
        self._memory = mmap.mmap(descriptor, 0)
        self._own = own
        self._set(0)

    def add(self, change: int) -> None:
        """Change the own number."""
        self._set(self._of(self._own) + change)

    def is_most(self) -> bool:
        """Return whether another worker has fewer connections."""
        mine = self._of(self._own)
        return any(self._of(worker) < mine for worker in range(len(self._memory) // COUNT.size))

    def _of(self, worker: int) -> int:
        (number,) = COUNT.unpack_from(self._memory, worker * COUNT.size)
        return int(number)

    def _set(self, number: int) -> None:
        COUNT.pack_into(self._memory, self._own * COUNT.size, number)
