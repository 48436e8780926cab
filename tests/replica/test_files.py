"""The files of a replica: all, some, or each when it is asked for; whole, or not at all."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from replica.fetch_process import keep_to_budget
from server.line import Line
from server.upstream import cache, state
from tests.crowd import crowd
from tests.following import Replica, new_replica
from tests.http.client import Client, Dist
from tests.mirror.asking import large as large_sdist
from tests.mirror.site import fresh, until
from tests.mirrors import MIRROR, PRIVATE, file_path, page
from tests.processes import new_node
from tests.replica.copied import (
    ANY,
    OTHER,
    STAGE,
    Copied,
    asked,
    beside,
    blob,
    is_here,
    large,
    metadata_of,
    reason,
    small,
    standing,
    verify,
    wait_until_here,
    with_large_metadata,
)
from tests.replica.faulty import Fault, faulty
from tests.upstream.server import Upstream, upstream

SIZES = pytest.mark.parametrize("make", [small, large])


@pytest.fixture(scope="module")
def up() -> Iterator[Upstream]:
    with upstream() as made:
        yield made


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory, up: Upstream) -> Iterator[Copied]:
    folder = tmp_path_factory.mktemp("primary")
    args = (*PRIVATE, "--login-attempts", "1000000")
    node = new_node(folder, stages=(STAGE, OTHER), workers=1, args=args, mirror_url=up.simple).start()
    with faulty(node.url) as proxy, faulty(node.url) as other:
        try:
            yield Copied(node, proxy, other)
        finally:
            node.kill()


@pytest.fixture(scope="module")
def eager(tmp_path_factory: pytest.TempPathFactory, copied: Copied) -> Iterator[Replica]:
    """A replica with all files; at the end it has them, and nothing is wrong with it."""
    folder = tmp_path_factory.mktemp("eager")
    replica = new_replica(copied.primary, folder, via=copied.other.url, workers=1, name="eager")
    try:
        replica.start()
        yield replica
        found = copied.wait_for(replica)
        assert found["here"] == found["wanted"] - found["absent"] > 0
        replica.stop()
        verify(replica)
        assert "Traceback" not in replica.log
    finally:
        replica.kill()


@pytest.fixture(scope="module")
def lazy(tmp_path_factory: pytest.TempPathFactory, copied: Copied) -> Iterator[Replica]:
    """A replica that fetches what it is asked for."""
    folder = tmp_path_factory.mktemp("lazy")
    replica = new_replica(copied.primary, folder, ("--files", "lazy"), via=copied.proxy.url, workers=1, name="lazy")
    try:
        replica.start()
        yield replica
        replica.stop()
        assert "Traceback" not in replica.log
    finally:
        replica.kill()


@pytest.fixture(scope="module")
def deleted_before(copied: Copied, eager: Replica) -> tuple[Dist, Dist]:
    """A file that was deleted and is there again, and one that the primary has no longer."""
    again, deleted = small(), small()
    for dist in (again, deleted):
        copied.upload(dist, OTHER)
        wait_until_here(eager, dist.content)
        copied.delete(dist, OTHER)
    copied.upload(again, OTHER)
    blob(copied.primary, deleted.content).unlink()
    return again, deleted


@pytest.fixture(scope="module")
def late(
    tmp_path_factory: pytest.TempPathFactory, copied: Copied, deleted_before: tuple[Dist, Dist]
) -> Iterator[Replica]:
    """A replica with the files of one index, whose first start is after those; it may ask the primary itself too."""
    del deleted_before
    replica = new_replica(copied.primary, tmp_path_factory.mktemp("late"), ("--files", OTHER), workers=1)
    replica.primaries = (copied.proxy.url, copied.primary.url)
    try:
        replica.start()
        yield replica
    finally:
        replica.kill()


def test_all_files_come_without_being_asked_for(copied: Copied, eager: Replica) -> None:
    dists = [copied.upload(dist) for dist in (small(), large())]
    document = with_large_metadata()
    copied.upload(document, OTHER)
    name = document.fields["name"]
    wait_until_here(eager, *(dist.content for dist in dists), document.content, metadata_of(name))
    copied.wait_for(eager)
    assert [copied.other.count(dist.sha256) for dist in dists] == [1, 1]
    assert [copied.get(eager, dist).content for dist in dists] == [dist.content for dist in dists]


def test_files_that_were_uploaded_through_a_replica_need_not_come_back(copied: Copied, eager: Replica) -> None:
    dists = [make() for make in (small, large) for _ in range(5)]
    root = Client(eager.url, "root", "secret")
    assert [root.upload(STAGE, dist).status_code for dist in dists] == [200] * len(dists)
    copied.wait_for(eager)
    assert [copied.other.count(dist.sha256) for dist in dists] == [0] * len(dists)
    root.close()


def test_files_that_a_mirror_fetched_come_too_and_may_be_absent(copied: Copied, eager: Replica, up: Upstream) -> None:
    there, gone = (large_sdist(fresh("mirrored")) for _ in range(2))
    up.put(there, gone)
    nobody = Client(copied.primary.url)
    for dist in (there, gone):
        page(copied.primary, dist.owner)
    assert nobody.get(file_path(there, MIRROR).lstrip("/"), ANY).content == there.content
    wait_until_here(eager, there.content)
    copied.other.refuses = True
    assert nobody.get(file_path(gone, MIRROR).lstrip("/"), ANY).content == gone.content
    until(lambda: reason(eager, gone.sha256))
    blob(copied.primary, gone.content).unlink()
    copied.other.refuses = False
    assert copied.wait_for(eager)["absent"] == 1
    until(lambda: not reason(eager, gone.sha256))
    nobody.close()


def test_a_lazy_replica_fetches_once_and_only_what_it_is_asked_for(copied: Copied, lazy: Replica) -> None:
    wanted, other = copied.upload(small()), copied.upload(large())
    for _ in range(2):
        assert copied.get(lazy, wanted).content == wanted.content
    wait_until_here(lazy, wanted.content)
    assert copied.proxy.count(wanted.sha256) == 1
    assert copied.proxy.count(other.sha256) == 0
    assert standing(lazy)["wanted"] == 0


@SIZES
def test_a_lazy_file_has_a_head_and_ranges(copied: Copied, lazy: Replica, make: Callable[[], Dist]) -> None:
    dist = copied.upload(make())
    path, position = f"{STAGE}/{dist.path}", copied.position
    head = asked(lazy, "HEAD", path, X_Ledgerpi_Min_Position=position)
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(dist.content)))
    assert head.headers["ETag"] == f'"{dist.sha256}"'
    assert asked(lazy, "GET", path, If_None_Match=head.headers["ETag"]).status_code == 304
    assert copied.proxy.count(dist.sha256) == 0
    part = asked(lazy, "GET", path, Range="bytes=100-299")
    assert (part.status_code, part.content) == (206, dist.content[100:300])
    assert part.headers["Content-Range"] == f"bytes 100-299/{len(dist.content)}"
    wait_until_here(lazy, dist.content)
    assert copied.proxy.count(dist.sha256) == 1


def test_many_clients_share_one_fetch(copied: Copied, lazy: Replica) -> None:
    dist = copied.upload(large())
    copied.proxy.faults[dist.sha256] = Fault(hold_at=100_000)
    asked(lazy, "HEAD", f"{STAGE}/{dist.path}", X_Ledgerpi_Min_Position=copied.position)
    url = f"{lazy.url}/{STAGE}/{dist.path}"
    with ThreadPoolExecutor(1) as thread:
        answers = thread.submit(lambda: asyncio.run(crowd([[url]] * 20)))
        until(lambda: copied.proxy.count(dist.sha256) == 1)
        assert not is_here(lazy, dist.content)
        del copied.proxy.faults[dist.sha256]
        assert [got.body for got in answers.result()] == [dist.content] * 20
    assert copied.proxy.count(dist.sha256) == 1


def test_what_is_cut_is_gone_on_with(copied: Copied, lazy: Replica) -> None:
    dist = copied.upload(large())
    copied.proxy.faults[dist.sha256] = Fault(cut_at=len(dist.content) // 4, times=3)
    assert copied.get(lazy, dist).content == dist.content
    ranges = [begin for digest, begin in copied.proxy.asked if digest == dist.sha256]
    starts = [int(begin.removeprefix("bytes=").removesuffix("-") or 0) for begin in ranges]
    assert len(starts) == 4
    assert starts == sorted(starts)
    assert starts[-1] > len(dist.content) // 4


@SIZES
def test_other_bytes_are_neither_served_whole_nor_kept(copied: Copied, lazy: Replica, make: Callable[[], Dist]) -> None:
    dist = copied.upload(make())
    copied.proxy.faults[dist.sha256] = Fault(flip_at=300)
    asked(lazy, "HEAD", f"{STAGE}/{dist.path}", X_Ledgerpi_Min_Position=copied.position)
    for header in ("", "bytes=200-299"):
        (got,) = asyncio.run(crowd([[f"{lazy.url}/{STAGE}/{dist.path}"]], range_=header))
        assert got.is_cut or got.status == 502
    assert not blob(lazy, dist.content).exists()
    until(lambda: "other bytes" in reason(lazy, dist.sha256))
    assert list((lazy.serverdir / "spool" / "fetch").iterdir()) == []
    del copied.proxy.faults[dist.sha256]
    assert copied.get(lazy, dist).content == dist.content
    until(lambda: not reason(lazy, dist.sha256))


def test_only_what_an_index_names_comes_and_who_sends_other_bytes_is_asked_last(copied: Copied, late: Replica) -> None:
    elsewhere, here, bad = small(), small(), large()
    copied.proxy.faults[bad.sha256] = Fault(flip_at=10)
    copied.upload(elsewhere)
    copied.upload(bad, OTHER)
    copied.upload(here, OTHER)
    wait_until_here(late, here.content, bad.content)
    assert copied.proxy.count(bad.sha256) == 1
    assert copied.proxy.count(elsewhere.sha256) == 0
    assert copied.get(late, elsewhere).content == elsewhere.content
    del copied.proxy.faults[bad.sha256]


def test_a_file_that_can_not_be_had_is_listed_and_holds_up_no_other(copied: Copied, eager: Replica) -> None:
    bad, lost = large(), small()
    copied.other.faults[bad.sha256] = Fault(flip_at=10)
    copied.other.faults[lost.sha256] = Fault(cut_at=0)
    copied.upload(bad)
    copied.upload(lost)
    others = [copied.upload(make()) for make in (small, large, small)]
    wait_until_here(eager, *(dist.content for dist in others))
    until(lambda: reason(eager, bad.sha256) and reason(eager, lost.sha256))
    assert "other bytes" in reason(eager, bad.sha256)
    until(lambda: standing(eager)["missing"] == 2)
    answer = copied.get(eager, lost)
    assert answer.status_code == 502
    assert copied.other.url in answer.text
    copied.other.faults.clear()
    wait_until_here(eager, bad.content, lost.content)
    assert copied.wait_for(eager)["missing"] == 0
    until(lambda: not reason(eager, bad.sha256))


def test_what_neither_node_has_is_a_502_with_the_reason(copied: Copied, lazy: Replica) -> None:
    dist = copied.upload(small())
    kept = blob(copied.primary, dist.content)
    kept.unlink()
    answer = copied.get(lazy, dist)
    assert answer.status_code == 502
    assert "does not have the file" in answer.text
    kept.write_bytes(dist.content)
    assert copied.get(lazy, dist).content == dist.content


def test_without_a_primary_a_lazy_file_is_a_502(copied: Copied, lazy: Replica) -> None:
    here, missing = copied.upload(small()), copied.upload(large())
    assert copied.get(lazy, here).content == here.content
    wait_until_here(lazy, here.content)
    copied.proxy.refuses = True
    assert asked(lazy, "GET", f"{STAGE}/{missing.path}").status_code == 502
    assert asked(lazy, "GET", f"{STAGE}/{here.path}").content == here.content
    copied.proxy.refuses = False
    until(lambda: asked(lazy, "GET", f"{STAGE}/{missing.path}").content == missing.content)


@pytest.mark.parametrize("damage", ["other bytes", "cut"])
@SIZES
def test_a_damaged_file_heals(copied: Copied, lazy: Replica, make: Callable[[], Dist], damage: str) -> None:
    dist = copied.upload(make())
    everything = {"Range": "bytes=0-"}  # no such answer is kept in memory
    assert copied.get(lazy, dist, **everything).content == dist.content
    wait_until_here(lazy, dist.content)
    content = bytearray(dist.content)
    content[500] ^= 1
    blob(lazy, dist.content).write_bytes(content if damage == "other bytes" else content[:-1])
    assert copied.get(lazy, dist, **everything).content == dist.content
    wait_until_here(lazy, dist.content)
    assert copied.proxy.count(dist.sha256) == 2


def test_large_metadata_are_fetched_for_their_own_url_and_for_the_json_of_a_release(
    copied: Copied, lazy: Replica
) -> None:
    first, second = copied.upload(with_large_metadata()), copied.upload(with_large_metadata())
    name, other = first.fields["name"], second.fields["name"]
    path = f"{STAGE}/{first.path}.metadata"
    assert asked(lazy, "GET", path, X_Ledgerpi_Min_Position=copied.position).content == metadata_of(name)
    assert not is_here(lazy, first.content)
    assert not is_here(lazy, metadata_of(other))
    nobody = Client(lazy.url)
    assert nobody.result(f"{STAGE}/{other}")["1.0"]["summary"] == "what it is"
    assert is_here(lazy, metadata_of(other))
    nobody.close()


def test_a_killed_fetch_process_is_started_again(copied: Copied, eager: Replica, lazy: Replica) -> None:
    dist = large()
    copied.proxy.faults[dist.sha256] = copied.other.faults[dist.sha256] = Fault(hold_at=100_000)
    copied.upload(dist)
    asked(lazy, "HEAD", f"{STAGE}/{dist.path}", X_Ledgerpi_Min_Position=copied.position)
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(lambda: asyncio.run(crowd([[f"{lazy.url}/{STAGE}/{dist.path}"]])))
        until(lambda: copied.proxy.count(dist.sha256) == copied.other.count(dist.sha256) == 1)
        for replica in (eager, lazy):
            os.kill(replica.pids()["fetch"], signal.SIGKILL)
        (got,) = answer.result()
        assert got.is_cut or got.status == 503
    del copied.proxy.faults[dist.sha256], copied.other.faults[dist.sha256]
    wait_until_here(eager, dist.content)
    until(lambda: copied.get(lazy, dist).content == dist.content)


def test_a_start_looks_only_at_what_is_new(copied: Copied, eager: Replica) -> None:
    known = copied.upload(large())
    wait_until_here(eager, known.content)
    copied.wait_for(eager)
    eager.stop()
    blob(eager, known.content).unlink()
    new = copied.upload(small())
    eager.start()
    wait_until_here(eager, new.content)
    copied.wait_for(eager)
    assert not blob(eager, known.content).exists()
    assert copied.get(eager, known).content == known.content
    wait_until_here(eager, known.content)


def test_what_was_deleted_need_not_come_and_what_is_there_again_does(
    copied: Copied, deleted_before: tuple[Dist, Dist], late: Replica
) -> None:
    again, deleted = deleted_before
    found = copied.wait_for(late)
    assert found["absent"] == 1
    assert deleted.sha256 not in {row["sha256"] for row in found["reasons"]}
    assert is_here(late, again.content)
    assert not blob(late, deleted.content).exists()


async def test_files_of_mirrors_are_kept_to_the_budget(
    copied: Copied, eager: Replica, up: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "SETTLED_S", 0)
    dist, uploaded = large_sdist(fresh("mirrored")), copied.upload(large())
    up.put(dist)
    await asyncio.to_thread(page, copied.primary, dist.owner)
    answer = await asyncio.to_thread(asked, copied.primary, "GET", file_path(dist, MIRROR).lstrip("/"))
    assert answer.content == dist.content
    await asyncio.to_thread(wait_until_here, eager, dist.content, uploaded.content)
    with beside(eager, tmp_path, 1) as parts:
        tested = cache.Cache(parts)
        for content in (dist.content, uploaded.content):
            keep_to_budget(parts, tested, [(sha256(content).digest(), len(content))])
        await asyncio.to_thread(until, lambda: not blob(eager, dist.content).exists())
        tested.close()
    assert is_here(eager, uploaded.content)
    again = await asyncio.to_thread(asked, eager, "GET", file_path(dist, MIRROR).lstrip("/"))
    assert again.content == dist.content
    await asyncio.to_thread(wait_until_here, eager, dist.content)


async def test_the_use_of_files_is_noted_where_they_are_fetched(eager: Replica, tmp_path: Path) -> None:
    with beside(eager, tmp_path, 1) as parts:
        line = Line(parts.config.fetch_socket, "process")
        await line.ask("used", [(bytes(32), 5)])
        line.close()
        local = state.LocalState(parts.config.layout.local, readonly=True)
        with local.read() as store:
            assert state.USES.get(store, bytes(32)) is not None
        local.close()
