"""One dump into devpi-server and into ledgerpi, one after the other in the same run."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from attrs import frozen

from ops.bench import corpus, cost, devpi_dump, prepare
from ops.bench.bars import Bar
from ops.bench.figures import Figures, Key
from ops.bench.processes import BenchError
from ops.bench.rounds import Say

PER_PROJECT = 10  # files, a version each
_LOOK_S = 0.2  # between looks at the memory
_MB = 1e6
_OURS, _DEVPI = "ledgerpi", "devpi"


@frozen
class Plan:
    """How many files the dump has."""

    files: int


FULL, QUICK = Plan(100_000), Plan(1_000)


def bars() -> Iterator[Bar]:
    """Yield the bars of these rows."""
    for row in ("import", "import-hard-links"):
        top, bottom = Key(row, _OURS, "files_per_s"), Key(row, _DEVPI, "files_per_s")
        yield Bar(f"{row}: rate over devpi-import's", top, 20, bottom, at_least=True)


def run(cache: Path, plan: Plan, say: Say) -> Figures:
    """Make a dump and import it, copied and by hard links.

    Raises:
        BenchError: a program is missing or failed.
    """
    figures = Figures()
    programs = prepare.devpi_environment(cache)
    ledgerpi = Path(sys.executable).with_name("ledgerpi")
    with tempfile.TemporaryDirectory(prefix="import-", dir=cache) as name:
        folder = Path(name)
        say(f"making a dump of {plan.files} files")
        devpi_dump.write_releases(_releases(plan), folder / "dump")
        for row, links in (("import", ()), ("import-hard-links", ("--hard-links",))):
            for peer, imported in ((_OURS, _ours(ledgerpi, folder)), (_DEVPI, _devpi(programs, folder))):
                say(f"{row} {peer}")
                figures.add(row, peer, **_measured(imported((*links, str(folder / "dump"))), plan.files))
                shutil.rmtree(folder / peer)
    return figures


def _releases(plan: Plan) -> Iterator[corpus.Release]:
    for number in range(plan.files // PER_PROJECT):
        yield from corpus.of_project(corpus.DEV, f"project-{number:05}", PER_PROJECT)


Imported = Callable[[Sequence[str]], list[str]]


def _ours(program: Path, folder: Path) -> Imported:
    def command(rest: Sequence[str]) -> list[str]:
        serverdir = ["--serverdir", str(folder / _OURS)]
        subprocess.run(  # noqa: S603 - our own program
            [program, "init", *serverdir, "--no-root-pypi", "--root-password", prepare.ROOT_PASSWORD],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return [str(program), "import-devpi", *serverdir, *rest]

    return command


def _devpi(programs: Path, folder: Path) -> Imported:
    options = ["--no-root-pypi", "--no-events", "--root-passwd", prepare.ROOT_PASSWORD]

    def command(rest: Sequence[str]) -> list[str]:
        return [str(programs / "devpi-import"), "--serverdir", str(folder / _DEVPI), *options, *rest]

    return command


def _measured(command: Sequence[str], files: int) -> dict[str, float]:
    """Run *command* and return its rate, CPU time and largest memory, which is no page of a file."""
    before = os.times()
    began, largest = time.perf_counter(), 0
    with tempfile.TemporaryFile() as output:
        running = subprocess.Popen(command, stdout=output, stderr=output)  # noqa: S603 - the programs of this file
        while running.poll() is None:
            largest = max(largest, sum(cost.process_memory(pid).private for pid in cost.tree(running.pid)))
            time.sleep(_LOOK_S)
        output.seek(0)
        if running.returncode:
            raise BenchError(f"{command[0]} failed:\n{output.read().decode(errors='replace')[-2000:]}")
    seconds, after = time.perf_counter() - began, os.times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return {
        "files_per_s": files / seconds,
        "seconds": seconds,
        "cpu_us": cpu_s / files * 1e6,
        "largest_mb": largest / _MB,
    }
