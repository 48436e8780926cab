"""What the peers need: programs, an environment for devpi-server, and its loaded folder."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ops.bench import corpus, devpi_dump
from ops.bench.processes import BenchError

DEVPI = "devpi-server==6.20.3"
PROXPI = "proxpi==1.3.1"
ROOT_PASSWORD = "bench"  # noqa: S105 - of servers that live for one run on loopback
_PROGRAMS = {"nginx": "nginx-light", "wrk": "wrk", "taskset": "util-linux", "setpriv": "util-linux"}
_INSTALL_TIMEOUT_S = 600
_IMPORT_TIMEOUT_S = 3600  # the project of 5,000 files alone takes devpi-import many minutes


def programs() -> None:
    """Install the Debian packages of the programs that are missing.

    Raises:
        BenchError: one is missing and this is not root's run.
    """
    os.environ["PATH"] += ":/usr/sbin"  # nginx, for users whose PATH leaves it out
    missing = sorted({package for program, package in _PROGRAMS.items() if not shutil.which(program)})
    if not missing:
        return
    if os.geteuid() != 0:
        raise BenchError(f"install these Debian packages first: {' '.join(missing)}")
    _run(["apt-get", "update", "--quiet"])
    _run(["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *missing])


def devpi_environment(cache: Path) -> Path:
    """Return the folder of devpi-server's programs; made below *cache* if it is not there."""
    folder = cache / "devpi"
    if not (folder / "bin" / "devpi-server").exists():
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        # Pyramid 2 imports pkg_resources, which setuptools 81 dropped.
        _run([str(folder / "bin" / "pip"), "install", "--quiet", DEVPI, "setuptools<81"])
    return folder / "bin"


def proxpi_environment(cache: Path) -> Path:
    """Return the folder of proxpi's programs, and of gunicorn's that runs it; made below *cache* if it is not there."""
    folder = cache / "proxpi"
    if not (folder / "bin" / "gunicorn").exists():
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        _run([str(folder / "bin" / "pip"), "install", "--quiet", PROXPI, "gunicorn"])
    return folder / "bin"


def devpi_loaded(plan: corpus.Plan, cache: Path) -> Path:
    """Return devpi's server folder with the corpus of *plan*; loaded once, kept below *cache*."""
    loaded = cache / f"devpi-{plan.name}"
    if loaded.exists():
        return loaded
    dump, fresh = cache / f"dump-{plan.name}", cache / f"devpi-{plan.name}.new"
    for folder in (dump, fresh):
        shutil.rmtree(folder, ignore_errors=True)
    dump.mkdir()
    devpi_dump.write(plan, dump)
    options = ["--no-root-pypi", "--root-passwd", ROOT_PASSWORD]
    importer = str(devpi_environment(cache) / "devpi-import")
    _run([importer, "--serverdir", str(fresh), *options, str(dump)], _IMPORT_TIMEOUT_S)
    shutil.rmtree(dump)
    return fresh.rename(loaded)  # last: a load that was stopped half way is not taken for a whole one


def _run(command: Sequence[str], timeout_s: int = _INSTALL_TIMEOUT_S) -> None:
    done = subprocess.run(  # noqa: S603 - the commands are those of this file
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
        timeout=timeout_s,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"{command[0]} failed:\n{done.stdout.decode(errors='replace')[-2000:]}")
