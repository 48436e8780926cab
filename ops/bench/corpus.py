"""The corpus: valid wheels, the same bytes in every run.

Random bytes come from a generator seeded by the file name, so that any part can be made alone.
"""

import base64
import hashlib
import io
import random
import zipfile
from collections.abc import Iterator

from attrs import frozen

SUMMARY = "A distribution of the benchmark corpus"
CLASSIFIERS = (
    "Development Status :: 5 - Production/Stable",
    "Intended Audience :: Developers",
    "License :: OSI Approved :: MIT License",
    "Operating System :: OS Independent",
    "Programming Language :: Python :: 3",
)
REQUIRES = ("attrs>=22.2", "packaging>=21", "tomli; python_version < '3.11'")
REQUIRES_PYTHON = ">=3.8"

DEV = "root/dev"  # the index that the reading rows ask
GROWN = "root/grown"  # projects of 10 and of 5,000 files, which uploads are added to
_WHEEL = "Wheel-Version: 1.0\nGenerator: bench 1\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_SMALL_BYTES = 1100  # of incompressible source in a small wheel, which then has about 2.7 kB
_PAYLOAD_LEVEL = 1  # of deflate for the large file: its bytes do not shrink anyway


@frozen
class Plan:
    """How much of everything the corpus has; sizes in bytes."""

    name: str
    small_projects: int
    small_files: int
    medium_files: int
    many_files: int
    large_bytes: int
    ten_projects: int  # projects of 10 files each in GROWN
    grown_files: int  # files of the one large project in GROWN


FULL = Plan("full", 300, 5, 200, 3000, 50_000_000, 100, 5000)
QUICK = Plan("quick", 60, 5, 200, 300, 10_000_000, 20, 500)


@frozen
class Release:
    """One wheel of one version of a project; *payload* is its incompressible content in bytes."""

    index: str
    project: str
    version: str
    payload: int = _SMALL_BYTES

    @property
    def stem(self) -> str:
        """Return ``name-version`` as file names have it (PEP 427 escaping)."""
        return f"{self.project.replace('-', '_')}-{self.version}"

    @property
    def filename(self) -> str:
        """Return the name of the wheel (PEP 427)."""
        return f"{self.stem}-py3-none-any.whl"


def releases(plan: Plan) -> Iterator[Release]:
    """Yield everything that is loaded before the rounds, in a fixed order."""
    for number in range(plan.small_projects):
        yield from of_project(DEV, small(number), plan.small_files)
    yield from of_project(DEV, "medium", plan.medium_files)
    yield from of_project(DEV, "many", plan.many_files)
    yield Release(DEV, "large", "1.0.0", plan.large_bytes)
    for number in range(plan.ten_projects):
        yield from of_project(GROWN, ten(number), 10)
    yield from of_project(GROWN, "grown", plan.grown_files)


def of_project(index: str, project: str, count: int) -> Iterator[Release]:
    """Yield *count* releases of one project, a version each."""
    for number in range(count):
        yield Release(index, project, version(number))


def version(number: int) -> str:
    """Return the version of the file *number* (from 0) of a project."""
    return f"{1 + number // 100}.{number // 10 % 10}.{number % 10}"


def small(number: int) -> str:
    """Return the name of a project of five files."""
    return f"small-{number:03}"


def ten(number: int) -> str:
    """Return the name of a project of ten files."""
    return f"ten-{number:03}"


def wheel(release: Release) -> bytes:
    """Return the bytes of the wheel (PEP 427): its records agree, it has no data descriptors."""
    package = release.project.replace("-", "_")
    dist_info = f"{release.stem}.dist-info"
    seeded = random.Random(release.filename)  # noqa: S311 - the same bytes in each run
    members = {
        f"{package}/__init__.py": f'"""{SUMMARY}."""\n\nVERSION = "{release.version}"\n'.encode(),
        f"{package}/payload.bin": seeded.randbytes(release.payload),
        f"{dist_info}/METADATA": metadata(release).encode(),
        f"{dist_info}/WHEEL": _WHEEL.encode(),
    }
    record = [f"{path},sha256={_digest(content)},{len(content)}" for path, content in members.items()]
    record.append(f"{dist_info}/RECORD,,")
    members[f"{dist_info}/RECORD"] = ("\n".join(record) + "\n").encode()
    level = _PAYLOAD_LEVEL if release.payload > _SMALL_BYTES else None
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as wheel_file:
        for path, content in members.items():
            member = zipfile.ZipInfo(path, date_time=(2020, 1, 1, 0, 0, 0))
            member.external_attr = 0o100644 << 16
            wheel_file.writestr(member, content, zipfile.ZIP_DEFLATED, level)
    return archive.getvalue()


def metadata(release: Release) -> str:
    """Return the METADATA file (core metadata 2.1) of *release*, about 1.2 kB."""
    headers = [
        "Metadata-Version: 2.1",
        f"Name: {release.project}",
        f"Version: {release.version}",
        f"Summary: {SUMMARY}",
        "License: MIT",
        "Keywords: benchmark,index",
        *(f"Classifier: {classifier}" for classifier in CLASSIFIERS),
        f"Requires-Python: {REQUIRES_PYTHON}",
        *(f"Requires-Dist: {requirement}" for requirement in REQUIRES),
        "Description-Content-Type: text/plain",
    ]
    return "\n".join(headers) + "\n\n" + description(release)


def description(release: Release) -> str:
    """Return the long description of *release*, about 600 bytes."""
    line = f"{release.project} {release.version} is part of a generated corpus.\n"
    return line + "It has the size of a usual short description and no meaning.\n" * 9


def _digest(content: bytes) -> str:
    """Return the SHA-256 of *content* as RECORD has it: URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
