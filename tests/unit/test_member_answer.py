"""Large members of zip files on their way to a client."""

import zipfile
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from server.archives.documentation import Directory, read_directory
from server.member_answer import SMALL, MemberAnswer, small

LARGE = bytes(range(256)) * (3 * SMALL // 256)


def written(folder: Path, *, damaged: bool) -> Path:
    path = folder / "docs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("large", LARGE)
        archive.writestr("small", b"few")
    if damaged:
        content = bytearray(path.read_bytes())
        content[2 * SMALL] ^= 1
        path.write_bytes(content)
    return path


def directory_of(path: Path) -> Directory:
    with path.open("rb") as file:
        return read_directory(file, path.stat().st_size)


async def asked(path: Path) -> bytes:
    """Return what a client gets of the large member."""
    directory = directory_of(path)

    async def handler(_: web.BaseRequest) -> web.StreamResponse:
        return MemberAnswer(path, directory.end, directory.files["large"], {})

    async with (
        RawTestServer(handler) as server,
        aiohttp.ClientSession() as session,
        session.get(server.make_url("/")) as answer,
    ):
        return await answer.read()


async def test_a_large_member_comes_whole(tmp_path: Path) -> None:
    assert await asked(written(tmp_path, damaged=False)) == LARGE


async def test_an_answer_ends_early_where_the_member_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(aiohttp.ClientPayloadError):
        await asked(written(tmp_path, damaged=True))


def test_only_small_members_are_read_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, damaged=False)
    directory = directory_of(path)
    assert small(path, directory.end, directory.files["small"]) == b"few"
    assert small(path, directory.end, directory.files["large"]) is None
