"""Environments of clients that the development environment has not: installed once, kept outside git."""

import re
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".cache" / "clients"
PINS = re.compile(r"(?m)^(?P<name>[a-z]+)==(?P<version>[0-9.]+)")
INSTALL_S = 300.0


def python_with(name: str) -> Path:
    """Return the Python of an environment that has the client *name* as ``requirements.txt`` pins it.

    The first call installs it, from the index that the machine is configured for.
    """
    pins = dict(PINS.findall((HERE / "requirements.txt").read_text()))
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = CACHE / f"{name}-{pins[name]}-py{version}"
    python = folder / "bin" / "python"
    whole = folder / ".installed"  # an install that was cut short is done again
    if not whole.exists():
        venv.create(folder, clear=True)
        command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", f"{name}=={pins[name]}"]
        subprocess.run(command, check=True, timeout=INSTALL_S)
        whole.touch()
    return python
