"""Environments of clients that the development environment has not: installed once, kept outside git."""

import fcntl
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".cache" / "clients"
REQUIREMENTS = HERE / "requirements.txt"
OLDEST = HERE / "oldest.txt"
INSTALL_S = 300.0


def python_with(name: str, *more: str, pins: Path = REQUIREMENTS) -> Path:
    """Return the Python of an environment that has the client *name*, and *more*, as *pins* says.

    The first call installs it, from the index that the machine is configured for.
    """
    stem = name if pins == REQUIREMENTS else f"{name}-{pins.stem}"
    folder = CACHE / f"{stem}-py{sys.version_info.major}.{sys.version_info.minor}"
    python = folder / "bin" / "python"
    installed, wanted = folder / ".installed", pins.read_text()
    with _alone(folder.with_suffix(".lock")):  # tests run side by side
        if not installed.exists() or installed.read_text() != wanted:  # one that was cut short is done again
            venv.create(folder, clear=True)
            pip = (sys.executable, "-m", "pip", "--python", python, "-qq", "install", "--constraint", pins)
            subprocess.run([*pip, name, *more], check=True, timeout=INSTALL_S)
            installed.write_text(wanted)
    return python


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
