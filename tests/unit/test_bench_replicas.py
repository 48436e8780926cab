"""What the benchmark of replicas says of itself: its bars, its corpus, and the link that stands for a long way."""

import asyncio
import time

from ops.bench import corpus, replica_bars, replica_corpus
from ops.bench.figures import Figures
from ops.bench.mirror_clock import Clock
from ops.bench.slow_link import serve
from tests.raw_servers import listening


def test_a_project_has_ten_files_and_no_name_comes_twice() -> None:
    releases = list(replica_corpus.series("some", 25))
    assert len({release.filename for release in releases}) == 25
    assert [release.project for release in releases[9:11]] == ["some-0000", "some-0001"]


def test_a_copied_file_has_the_path_that_both_servers_give_it() -> None:
    found = replica_corpus.copied(corpus.Release("root/dev", "demo", "1.0.0"))
    name = found.sha256.hex()
    assert found.path == f"/root/dev/+f/{name[:3]}/{name[3:16]}/demo-1.0.0-py3-none-any.whl"


def test_a_replica_is_judged_against_devpis_of_the_same_run() -> None:
    figures = Figures()
    for row, devpi, ours in (("catch-up-files", 100, 1_000), ("catch-up-metadata", 300, 9_000)):
        figures.add(row, "devpi", entries_per_s=devpi)
        figures.add(row, "ledgerpi", entries_per_s=ours)
    files, metadata, metadata_alone, *_ = replica_bars.bars()
    assert [bar.value(figures) for bar in (files, metadata, metadata_alone)] == [10, 90, 30]
    assert not files.reached(10)
    assert files.reached(15)
    assert metadata.reached(100)


async def test_on_a_slow_link_each_way_takes_its_time_however_much_is_sent() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            writer.write(b"x" * 300_000)

    async with listening(answer) as target:
        link = await serve(0, target, 0.05)
        port = link.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        times = []
        for _ in range(2):
            began = time.perf_counter()
            writer.write(b"\n")
            await reader.readexactly(300_000)
            times.append(time.perf_counter() - began)
        writer.close()
        link.close()
    assert 0.2 <= times[0] < 2, "to and fro, once more for the handshake"
    assert 0.1 <= times[1] < 2


async def test_the_clock_keeps_a_body_where_it_is_asked_to() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
        for piece in (b"abc", b"def"):
            await asyncio.sleep(0.01)
            writer.write(piece)

    async with listening(answer) as port:
        clock = Clock(port)
        timed = await asyncio.to_thread(lambda: clock.ask(b"GET / HTTP/1.1\r\n\r\n", keep=True))
        clock.close()
    assert (timed.status, timed.size, timed.body) == (200, 6, b"abcdef")
