"""Answers whose body is a member of a zip file, unpacked as the client takes it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from changelog.errors import InvalidArchive
from server.archives.bounds import CHUNK
from server.archives.documentation import contents
from server.archives.zip_directory import End, Member
from server.executors import for_reading

SMALL = 256 << 10  # bytes of a member that is unpacked at once


def small(path: Path, end: End, member: Member) -> bytes | None:
    """Return the bytes of a small member of the zip file at *path*, None of a large one; blocking."""
    return b"".join(_pieces(path, end, member)) if member.unpacked <= SMALL else None


class MemberAnswer(web.StreamResponse):
    """A large member, of which never more than a piece is in memory."""

    def __init__(self, path: Path, end: End, member: Member, headers: Mapping[str, str]) -> None:
        """Send *member* of the zip file at *path*."""
        super().__init__(headers=headers)
        self.content_length = member.unpacked
        self._all = _pieces(path, end, member)

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send headers and bytes.

        Raises:
            ConnectionResetError: the client left, or the member is not what was announced.
        """
        writer = await super().prepare(request)
        if writer is None or request.method == "HEAD":
            return writer
        try:
            while piece := await for_reading(next, self._all, b""):
                await self.write(piece)
        except InvalidArchive as error:
            if request.transport is not None:
                request.transport.abort()  # what follows on this connection would be taken for the rest
            raise ConnectionResetError(f"the documentation is damaged: {error}") from error
        return writer


def _pieces(path: Path, end: End, member: Member) -> Iterator[bytes]:
    """Yield the bytes of *member*, the last piece only once all of them are what was announced."""
    held = b""
    with path.open("rb", buffering=CHUNK) as file:
        for piece in filter(None, contents(file, member, end)):
            if held:
                yield held
            held = piece
    yield held
