"""Core metadata (METADATA of a wheel, PKG-INFO of an sdist): read, judged, as devpi stores it."""

import email
import re
from collections import Counter
from functools import lru_cache

from attrs import frozen
from packaging.metadata import InvalidMetadata, Metadata
from packaging.version import InvalidVersion
from packaging.version import Version as Pep440

from changelog import names
from changelog.errors import InvalidArchive, InvalidForm, InvalidName
from server.filenames import Distribution, same_version

# Header of the core metadata specification -> (key of the upload form, may repeat, added in).
_FIELDS: dict[str, tuple[str, bool, str]] = {
    "metadata-version": ("metadata_version", False, "1.0"),
    "name": ("name", False, "1.0"),
    "version": ("version", False, "1.0"),
    "platform": ("platform", True, "1.0"),
    "summary": ("summary", False, "1.0"),
    "description": ("description", False, "1.0"),
    "keywords": ("keywords", False, "1.0"),
    "home-page": ("home_page", False, "1.0"),
    "author": ("author", False, "1.0"),
    "author-email": ("author_email", False, "1.0"),
    "license": ("license", False, "1.0"),
    "supported-platform": ("supported_platform", True, "1.1"),
    "download-url": ("download_url", False, "1.1"),
    "classifier": ("classifiers", True, "1.1"),
    "requires": ("requires", True, "1.1"),
    "provides": ("provides", True, "1.1"),
    "obsoletes": ("obsoletes", True, "1.1"),
    "maintainer": ("maintainer", False, "1.2"),
    "maintainer-email": ("maintainer_email", False, "1.2"),
    "requires-dist": ("requires_dist", True, "1.2"),
    "provides-dist": ("provides_dist", True, "1.2"),
    "obsoletes-dist": ("obsoletes_dist", True, "1.2"),
    "requires-python": ("requires_python", False, "1.2"),
    "requires-external": ("requires_external", True, "1.2"),
    "project-url": ("project_urls", True, "1.2"),
    "description-content-type": ("description_content_type", False, "2.1"),
    "provides-extra": ("provides_extras", True, "2.1"),
    "dynamic": ("dynamic", True, "2.2"),  # PEP 643
    "license-expression": ("license_expression", False, "2.4"),  # PEP 639
    "license-file": ("license_file", True, "1.0"),  # 2.4, but setuptools wrote it long before
    "import-name": ("import_name", True, "2.5"),  # PEP 794
    "import-namespace": ("import_namespace", True, "2.5"),
}
VERSIONS = ("1.0", "1.1", "1.2", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6")
_KEYS = {header: key for header, (key, _, _) in _FIELDS.items()}
_REPEATED = frozenset(key for key, many, _ in _FIELDS.values() if many)
_AGE = {key: VERSIONS.index(added) for key, _, added in _FIELDS.values()}
# devpi 6 knows no import names.
_NOT_STORED = frozenset({"import_name", "import_namespace"})
# Key of the form -> attribute of packaging.metadata.Metadata that judges it.
_JUDGED = {
    "requires_python": "requires_python",
    "requires_dist": "requires_dist",
    "provides_extras": "provides_extra",
    "license_expression": "license_expression",
    "description_content_type": "description_content_type",
    "dynamic": "dynamic",
    "summary": "summary",
    "import_name": "import_names",
    "import_namespace": "import_namespaces",
}
_MEMORABLE = 256  # characters; longer values are judged each time, so that the memory stays small
_FOLD = re.compile(r"\n(?:        |       \|)")  # how setuptools and PEP 345 fold a description

Fields = list[tuple[str, str]]  # (key of the form, value), in the order of the file


@frozen
class CoreMetadata:
    """What the checks of an upload need; ``""`` stands for an absent field."""

    name: str
    version: str
    metadata_version: str
    requires_python: str
    license_expression: str
    license_files: tuple[str, ...]  # PEP 639: relative, "/" between parts


def parse_core(raw: bytes, *, strict: bool = True) -> CoreMetadata:
    """Return the core metadata of *raw*.

    *strict* judges what PyPI judges: a known metadata version, name and version, fields of this
    version only, no single field twice, and the values of the fields with a grammar. Otherwise
    nothing is judged or raised.

    Raises:
        InvalidArchive: *strict*, and a field is missing or wrong.
    """
    fields, _ = _read(raw, strict=strict)
    first = dict(reversed(fields))
    core = CoreMetadata(
        name=first.get("name", ""),
        version=first.get("version", ""),
        metadata_version=first.get("metadata_version", ""),
        requires_python=first.get("requires_python", ""),
        license_expression=first.get("license_expression", ""),
        license_files=tuple(value for key, value in fields if key == "license_file"),
    )
    if strict:
        _judge_identity(core)
        _judge_fields(core, fields)
    return core


def versiondata(raw: bytes) -> dict[str, str | list[str]]:
    """Return the fields of *raw* under the keys that devpi stores, those of the upload form.

    Repeated fields are lists; the body is ``description``; ``UNKNOWN`` becomes ``""``. Absent
    fields have no key. Never raises: bytes that are no UTF-8 become U+FFFD.
    """
    fields, body = _read(raw, strict=False)
    found: dict[str, str | list[str]] = {}
    for key, text in fields:
        value = "" if text == "UNKNOWN" else text
        if key in _REPEATED:
            many = found.setdefault(key, [])
            if value and isinstance(many, list):
                many.append(value)
        else:
            found.setdefault(key, _FOLD.sub("\n", value) if key == "description" else value)
    if body.strip():
        found["description"] = body
    return {key: value for key, value in found.items() if key not in _NOT_STORED}


def has_license_files(core: CoreMetadata) -> bool:
    """Tell whether the License-File fields of *core* promise members of the archive (PEP 639)."""
    return core.metadata_version in VERSIONS[VERSIONS.index("2.4") :]


def check_agreement(distribution: Distribution, core: CoreMetadata | None, form_name: str, form_version: str) -> None:
    """Check that file name, archive and form mean one project and one version.

    Names are compared normalized (PEP 503), versions by PEP 440. *core* None, or an empty field of
    it, says nothing.

    Raises:
        InvalidForm: the form differs from the file name.
        InvalidArchive: the metadata in the archive differs from the file name.
    """
    filename = distribution.filename
    if names.normalize(form_name) != distribution.project:
        raise InvalidForm(f"name {form_name!r} of the form is not that of filename {filename!r}")
    if not same_version(form_version, distribution.version):
        raise InvalidForm(f"version {form_version!r} of the form is not in filename {filename!r}")
    if core is None:
        return
    if core.name and names.normalize(core.name) != distribution.project:
        raise InvalidArchive(f"name {core.name!r} in the metadata is not that of {filename!r}")
    if core.version and not same_version(core.version, distribution.version):
        raise InvalidArchive(f"version {core.version!r} in the metadata is not in {filename!r}")


def _read(raw: bytes, *, strict: bool) -> tuple[Fields, str]:
    """Return the known fields and the body of *raw*."""
    try:
        text = raw.decode("utf-8", "strict" if strict else "replace")
    except UnicodeDecodeError as error:
        raise InvalidArchive(f"the metadata is not UTF-8: {error}") from error
    head, _, body = text.partition("\n\n")
    fields = _plain_fields(head)
    return _any_fields(text, strict=strict) if fields is None else (fields, body)


def _plain_fields(head: str) -> Fields | None:
    """Return the fields of *head*, or None where only the email parser should tell.

    Nearly all metadata is plain: known headers, unix line ends, no stray line. The email parser
    needs five times as long for it; a test holds this reading against it.
    """
    if "\r" in head:
        return None
    found: list[list[str]] = []
    for line in head.removesuffix("\n").split("\n"):
        if line[:1] in {" ", "\t"} and found:
            found[-1].append(line)
            continue
        header, colon, value = line.partition(":")
        key = _KEYS.get(header.lower())
        if not colon or key is None:
            return None
        found.append([key, value])
    return [(key, "\n".join(lines).lstrip(" \t\n")) for key, *lines in found]


def _any_fields(text: str, *, strict: bool) -> tuple[Fields, str]:
    message = email.message_from_string(text)
    payload = message.get_payload()
    if strict and (message.defects or message.get_unixfrom() or not isinstance(payload, str)):
        why = message.defects[0] if message.defects else "an envelope or a multipart body"
        raise InvalidArchive(f"the metadata can be read in two ways: {why!r}")
    fields = [
        (_KEYS[header.lower()], str(value).lstrip(" \t\r\n"))
        for header, value in message.items()
        if header.lower() in _KEYS
    ]
    return fields, payload if isinstance(payload, str) else ""


def _judge_identity(core: CoreMetadata) -> None:
    if core.metadata_version not in VERSIONS:
        raise InvalidArchive(f"Metadata-Version is {core.metadata_version!r}: not a known one")
    try:
        names.project_name(core.name)
        Pep440(core.version)
    except InvalidName as error:
        raise InvalidArchive(f"Name in the metadata: {error}") from error
    except InvalidVersion as error:
        raise InvalidArchive(f"Version in the metadata: {core.version!r} (PEP 440)") from error


def _judge_fields(core: CoreMetadata, fields: Fields) -> None:
    age = VERSIONS.index(core.metadata_version)
    counts = Counter(key for key, _ in fields)
    for key, count in counts.items():
        if count > 1 and key not in _REPEATED:
            raise InvalidArchive(f"{key!r} stands {count} times in the metadata")
        if _AGE[key] > age:
            late = VERSIONS[_AGE[key]]
            raise InvalidArchive(f"{key!r} needs Metadata-Version {late}, not {VERSIONS[age]}")
    if "license" in counts and "license_expression" in counts:
        raise InvalidArchive("License and License-Expression stand together (PEP 639)")
    for key, value in fields:
        if key in _JUDGED:
            _judge_value(key, value)
    if has_license_files(core):
        for path in core.license_files:
            _judge_value("license_files", path)


def _judge_value(key: str, value: str) -> None:
    judge = _complaint if len(value) <= _MEMORABLE else _complaint.__wrapped__
    if complaint := judge(_JUDGED.get(key, key), key in _REPEATED or key == "license_files", value):
        raise InvalidArchive(complaint)


@lru_cache(maxsize=4096)
def _complaint(attribute: str, many: bool, value: str) -> str:  # noqa: FBT001 - a key of the cache
    """Return what packaging has against *value*, or ``""``."""
    if attribute == "import_names" and not value:
        return ""  # PEP 794: an empty one says that there are none
    judged: object = [value] if many else value
    try:
        getattr(Metadata.from_raw({attribute: judged}, validate=False), attribute)  # type: ignore[misc]  # key is dynamic
    except InvalidMetadata as error:
        return f"{error.field} in the metadata: {error}"
    return ""
