"""Threads that work while a block runs, each with its own chance."""

import random
import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

END_S = 60.0  # for the last operations


class Working(ABC):
    """Runs :meth:`work` in some threads until the block ends."""

    def __init__(self, chance: random.Random, count: int) -> None:
        """Have *count* threads, seeded by *chance*."""
        self.end = threading.Event()
        seeds = [chance.getrandbits(32) for _ in range(count)]
        self._threads = [threading.Thread(target=self.work, args=(random.Random(s),)) for s in seeds]  # noqa: S311

    @abstractmethod
    def work(self, chance: random.Random) -> None:
        """Work until :attr:`end` is set."""

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end.set()
        for thread in self._threads:
            thread.join(END_S)
            assert not thread.is_alive(), "an operation neither ends nor fails"
