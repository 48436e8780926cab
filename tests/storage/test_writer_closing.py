"""The end of the writer while others still send: nothing is answered any more, and nothing fails."""

import asyncio
from pathlib import Path

from changelog.names import FileName, ProjectName
from server.commands import Request
from server.config import Config
from server.connection import Connection
from server.upstream.asking import CALLER
from server.upstream_commands import RecordFile
from server.writer_process import PrimaryService
from tests.processes import new_node


async def test_what_waits_or_comes_when_the_writer_is_closed_is_left(tmp_path: Path) -> None:
    service = PrimaryService(Config(new_node(tmp_path).serverdir))
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    command = RecordFile(1, ProjectName("demo"), FileName("demo-1.0.tar.gz"), 1, bytes(32), b"", completes=False)
    commit, evict = (1, "commit", Request(CALLER, command, (), ()).plain()), (2, "evict", [bytes(32)], 0)
    connection = Connection(service)
    service.take(connection, commit)
    service.take(connection, evict)
    service.close()
    service.take(connection, commit)
    service.take(connection, evict)
    await asyncio.sleep(0.05)
    assert failures == []
