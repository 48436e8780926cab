"""What a server costs: CPU time and memory of its whole process tree, from ``/proc`` (proc(5))."""

import os
import time
from pathlib import Path

from attrs import frozen

_PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# Fields of /proc/PID/stat after the command name, counted from 0.
_PPID = 1
_ENDED_CHILDREN = slice(13, 15)  # cutime and cstime, of those that were waited for


@frozen
class Memory:
    """Proportional set sizes in bytes."""

    pss: int
    private: int  # of that, what is no page of a file: the part that is not page cache


def tree(root: int) -> list[int]:
    """Return *root* and all its descendants that live."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdecimal() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[_PPID]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, []))
    return found


def cpu_s(root: int) -> float:
    """Return the CPU seconds, user and system, that the tree of *root* has used.

    Living processes are read to the nanosecond, ended ones in steps of 10 ms.
    """
    total_s = 0.0
    for pid in tree(root):
        if fields := _stat(pid):
            total_s += sum(int(field) for field in fields[_ENDED_CHILDREN]) / _TICKS_PER_S
            total_s += _clock_s(pid)
    return total_s


def memory(root: int) -> Memory:
    """Return the memory of the tree of *root*; pages shared by processes count once in all."""
    processes = [process_memory(pid) for pid in tree(root)]
    return Memory(
        pss=sum(memory.pss for memory in processes),
        private=sum(memory.private for memory in processes),
    )


def process_memory(pid: int) -> Memory:
    """Return the memory of one process; none if it has ended."""
    sizes = _rollup(pid)
    private = sizes.get("Pss_Anon", 0) + sizes.get("Pss_Shmem", 0)
    return Memory(sizes.get("Pss", 0), private)


def _clock_s(pid: int) -> float:
    """Return the CPU seconds of one process with all its threads, 0 if it has ended."""
    clock = (~pid << 3) | 2  # what clock_getcpuclockid(3) returns on Linux, which Python lacks
    try:
        return time.clock_gettime(clock)
    except OSError:
        return 0.0


def _stat(pid: int) -> list[str]:
    """Return the fields after the command name, or none if the process has ended."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _rollup(pid: int) -> dict[str, int]:
    """Return the sizes of ``smaps_rollup`` in bytes, or none if the process has ended."""
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
