"""Environments with other versions of the libraries, and other Pythons where the machine has them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from attrs import frozen

CACHE = Path(__file__).parents[2] / ".cache" / "compat"
INSTALL_S = 300.0
OLD_LIBRARIES = ("attrs==23.2.0", "msgpack==1.0.8", "lmdb==1.6.2", "cryptography==42.0.8")
OTHER_PYTHONS = ("python3.12", "python3.13", "python3.14")


@frozen
class Environment:
    """A Python and what is to be installed for it."""

    interpreter: str
    libraries: tuple[str, ...]

    def python(self) -> Path:
        """Return the Python of the environment, made if it is not there yet."""
        name = "-".join((Path(self.interpreter).name, *self.libraries)).replace("=", "")
        folder = CACHE / name
        python, whole = folder / "bin" / "python", folder / ".installed"
        if not whole.exists():
            subprocess.run([self.interpreter, "-m", "venv", "--clear", str(folder)], check=True, timeout=INSTALL_S)
            install = [str(python), "-m", "pip", "install", "--quiet", *self.libraries]
            subprocess.run(install, check=True, timeout=INSTALL_S)
            whole.touch()
        return python


def all_environments() -> list[Environment]:
    """Return this Python with old libraries, and each other Python that works with the newest ones."""
    newest = tuple(requirement.partition("==")[0] for requirement in OLD_LIBRARIES)
    others = [Environment(path, newest) for name in OTHER_PYTHONS if (path := _working(name))]
    return [Environment(sys.executable, OLD_LIBRARIES), *others]


def _working(name: str) -> str:
    """Return the path of a Python that starts and has what a virtual environment needs, or ""."""
    for folder in (*os.environ["PATH"].split(os.pathsep), *_pyenv()):
        path = shutil.which(name, path=folder)
        if path and subprocess.run([path, "-c", "import ensurepip"], check=False, capture_output=True).returncode == 0:
            return path
    return ""


def _pyenv() -> list[str]:
    root = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    return [str(path) for path in sorted(root.glob("versions/*/bin"))]
