"""Real projects, wheels and sdists, made on the fly; what is built from an sdist needs nothing but Python."""

import io
import random
import tarfile
import zipfile
from pathlib import Path

from attrs import field, frozen

from tests.archives import WHEEL, record_of

MTIME = 1_700_000_000  # seconds; the same project gives the same bytes

PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "{0.name}"
version = "{0.version}"
requires-python = "{0.requires_python}"
dependencies = {1}
"""

# A whole build backend (PEP 517) for the one layout made here: PKG-INFO becomes METADATA.
BACKEND = """\
import glob, os, zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    text = open("PKG-INFO").read()
    name, version = [line.split(": ")[1] for line in text.splitlines()[1:3]]
    stem = name.replace("-", "_") + "-" + version
    files = {path: open(path).read() for path in glob.glob(name.replace("-", "_") + "/*.py")}
    files[stem + ".dist-info/METADATA"] = text
    files[stem + ".dist-info/WHEEL"] = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    files[stem + ".dist-info/RECORD"] = "".join(path + ",,\\n" for path in files)
    wheel = stem + "-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, wheel), "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel
"""


@frozen
class Project:
    """One release of a project that can be imported by its name and knows its version."""

    name: str
    version: str
    requires: tuple[str, ...] = ()  # PEP 508
    requires_python: str = ">=3.8"
    payload: int = 0  # bytes of a file in the wheel that does not compress
    note: str = field(default="")  # another one makes other bytes

    @property
    def stem(self) -> str:
        """Name and version as file names begin."""
        return f"{self.package}-{self.version}"

    @property
    def package(self) -> str:
        """The name to import."""
        return self.name.replace("-", "_")

    @property
    def metadata(self) -> str:
        """Core metadata."""
        lines = ["Metadata-Version: 2.1", f"Name: {self.name}", f"Version: {self.version}"]
        lines += ["Summary: what it is", f"Requires-Python: {self.requires_python}"]
        lines += [f"Requires-Dist: {line}" for line in self.requires]
        return "\n".join([*lines, "", "All about it.", ""])

    @property
    def sources(self) -> dict[str, str]:
        """The files of its source tree."""
        return {
            "PKG-INFO": self.metadata,
            "pyproject.toml": PYPROJECT.format(self, list(self.requires)),
            "backend.py": BACKEND,
            f"{self.package}/__init__.py": self._module,
        }

    @property
    def _module(self) -> str:
        return f'"""What it is."""\n\n__version__ = "{self.version}"\nNOTE = "{self.note}"\n'

    def wheel(self, folder: Path) -> Path:
        """Write the wheel into *folder* and return its path."""
        info = f"{self.stem}.dist-info"
        module = f"{self.package}/__init__.py"
        files = {module: self.sources[module].encode()}
        if self.payload:
            files[f"{self.package}/payload"] = random.Random(self.stem).randbytes(self.payload)  # noqa: S311 - no secret
        files |= {f"{info}/METADATA": self.metadata.encode(), f"{info}/WHEEL": WHEEL}
        files[f"{info}/RECORD"] = record_of(files, f"{info}/RECORD")
        path = folder / f"{self.stem}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(zipfile.ZipInfo(name), content)
        return path

    def sdist(self, folder: Path) -> Path:
        """Write the sdist into *folder* and return its path."""
        path = folder / f"{self.stem}.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for name, text in self.sources.items():
                info = tarfile.TarInfo(f"{self.stem}/{name}")
                info.size, info.mtime = len(text.encode()), MTIME
                archive.addfile(info, io.BytesIO(text.encode()))
        return path

    def both(self, folder: Path) -> list[Path]:
        """Write wheel and sdist into *folder*, which is made, and return their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        return [self.wheel(folder), self.sdist(folder)]

    def tree(self, folder: Path) -> Path:
        """Write the source tree into the new *folder* and return it."""
        for name, text in self.sources.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return folder
