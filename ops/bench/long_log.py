"""Uploads by the writer in this process, many in one transaction: how a long log is made in bearable time."""

from collections.abc import Iterable
from hashlib import blake2b, md5, sha256
from itertools import islice

from attrs import frozen

from changelog.blobs import Blobs
from changelog.env import DEFAULT_MAP_SIZE, Env
from changelog.errors import LedgerpiError
from changelog.events.files import FileUploaded
from changelog.fold import VIEW_TABLES
from changelog.names import FileName, ProjectName, UserName, Version, index_name
from changelog.tables import Store
from changelog.views import cluster, indexes
from changelog.writer import Proposal, Writer
from ops.bench import corpus
from ops.bench.processes import BenchError
from server import keys
from server.layout import Layout
from server.writer_process import now

_AT_ONCE = 5_000  # uploads in one transaction


@frozen
class _Wheel:
    """The file that every upload names; their core metadata differ."""

    size: int
    sha256: bytes
    blake2b_256: bytes
    md5: bytes

    def upload(self, release: corpus.Release, incarnation: int) -> Proposal:
        """Return the upload of *release* as the writer takes it."""
        metadata = corpus.metadata(release).encode()
        digest = sha256(metadata).digest()
        event = FileUploaded(
            index=incarnation,
            project=ProjectName(release.project),
            version=Version(release.version),
            filename=FileName(release.filename),
            size=self.size,
            sha256=self.sha256,
            blake2b_256=self.blake2b_256,
            md5=self.md5,
            metadata=digest,
            requires_python=corpus.REQUIRES_PYTHON,
            filetype="bdist_wheel",
            pyversion="py3",
            upload_time=now(),
            uploader=UserName("root"),
        )
        return Proposal(lambda _: [event], "root", contents=((digest, metadata),))


def append(layout: Layout, index: str, releases: Iterable[corpus.Release]) -> None:
    """Append an upload into *index* for each of *releases*; no other writer may live.

    Raises:
        BenchError: one was refused, or there is no such index.
    """
    blobs = Blobs(layout.blobs)
    env = Env(layout.changelog, VIEW_TABLES, readonly=False, map_size=DEFAULT_MAP_SIZE)
    try:
        with env.read() as store:
            incarnation = _incarnation(store, index)
            signing = keys.signing(layout.keys, cluster.origin(store).log_key)
        writer = Writer(env, blobs, signing, now)
        wheel, remaining = _published(layout, blobs), iter(releases)
        while batch := [wheel.upload(release, incarnation) for release in islice(remaining, _AT_ONCE)]:
            refused = [outcome for outcome in writer.commit(batch) if isinstance(outcome, LedgerpiError)]
            if refused:
                raise BenchError(f"the writer refused {len(refused)} uploads: {refused[0]}")
    finally:
        env.close()


def _incarnation(store: Store, index: str) -> int:
    there = indexes.find(store, index_name(index))
    if there is None:
        raise BenchError(f"there is no index {index}")
    return there.incarnation


def _published(layout: Layout, blobs: Blobs) -> _Wheel:
    content = corpus.wheel(corpus.Release(corpus.DEV, "shared", "1.0.0"))
    digest = sha256(content).digest()
    spooled = layout.spool / "shared"
    spooled.write_bytes(content)
    blobs.publish(spooled, digest)
    blake2b_256 = blake2b(content, digest_size=32).digest()
    return _Wheel(len(content), digest, blake2b_256, md5(content, usedforsecurity=False).digest())
