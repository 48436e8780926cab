"""The upload form as twine sends it: every field of the metadata, three digests, the file last."""

import hashlib

from attrs import frozen

from ops.bench import corpus

_BOUNDARY = "8ba3f2d0c1e94f0fa5d7b6e2c4a19037"
CONTENT_TYPE = f"multipart/form-data; boundary={_BOUNDARY}"


@frozen
class Upload:
    """One upload, ready to be sent: where to, and the whole body."""

    index: str
    body: bytes
    content_bytes: int  # of the file alone


def upload(release: corpus.Release) -> Upload:
    """Return the form of *release*; about 6 kB for a small wheel."""
    content = corpus.wheel(release)
    parts = [_field(name, value) for name, value in _fields(release, content)]
    head = (
        f"--{_BOUNDARY}\r\n"
        f'Content-Disposition: form-data; name="content"; filename="{release.filename}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    tail = f"\r\n--{_BOUNDARY}--\r\n"
    return Upload(release.index, b"".join([*parts, head.encode(), content, tail.encode()]), len(content))


def _fields(release: corpus.Release, content: bytes) -> list[tuple[str, str]]:
    return [
        (":action", "file_upload"),
        ("protocol_version", "1"),
        ("name", release.project),
        ("version", release.version),
        ("filetype", "bdist_wheel"),
        ("pyversion", "py3"),
        ("metadata_version", "2.1"),
        ("summary", corpus.SUMMARY),
        ("license", "MIT"),
        ("keywords", "benchmark,index"),
        *(("classifiers", classifier) for classifier in corpus.CLASSIFIERS),
        ("requires_python", corpus.REQUIRES_PYTHON),
        *(("requires_dist", requirement) for requirement in corpus.REQUIRES),
        ("description_content_type", "text/plain"),
        ("description", corpus.description(release)),
        ("md5_digest", hashlib.md5(content, usedforsecurity=False).hexdigest()),
        ("sha256_digest", hashlib.sha256(content).hexdigest()),
        ("blake2_256_digest", hashlib.blake2b(content, digest_size=32).hexdigest()),
    ]


def _field(name: str, value: str) -> bytes:
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
    return f"{head}{value}\r\n".encode()
