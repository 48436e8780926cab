"""Questions of a replica's worker to its primary: one at a time for each project."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from changelog.names import IndexName, ProjectName
from changelog.reader import Reader
from replica import follow
from replica.config import ReplicaConfig
from replica.credentials import Credentials
from replica.follow import FOLLOWING, Following
from replica.mirrors import ReplicaMirrors
from replica.primary import Primary
from server.mirrors import Look, State
from server.news import News
from server.submit import Submit
from server.upstream import state
from server.upstream.settings import Settings
from tests import nodes

MIRROR = Settings(
    name=IndexName("root/pypi"),
    incarnation=5,
    url="http://127.0.0.1:9/",
    credentials=None,
    identity=b"12345678",
    expiry_s=1_800,
    external=False,
    lists=True,
    ignore_serial=False,
    core_metadata=True,
)
CLIENTS = 20


@asynccontextmanager
async def asking(folder: Path, asked: Counter[str]) -> AsyncIterator[ReplicaMirrors]:
    """Yield mirrors whose primary, a small server, counts what it is *asked* and has nothing."""

    async def answer(request: web.BaseRequest) -> web.Response:
        asked[f"{request.method} {request.path}"] += 1
        await asyncio.sleep(0.05)
        return web.Response(status=404)

    with nodes.node(folder):
        pass
    server = await asyncio.get_running_loop().create_server(web.Server(answer), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    given: dict[str, Any] = {"serverdir": folder, "primary": [url], "request_timeout_s": 0.01}
    config = ReplicaConfig(**given)
    for made in (config.layout.run, config.layout.local):
        made.mkdir(exist_ok=True)
    state.prepare(config.layout.local)
    follow.write(config.following_file, Following(FOLLOWING, url))
    reader, primary = Reader(config.layout.changelog, nodes.SMALL_MAP), Primary(config, SHOWN)
    mirrors = ReplicaMirrors(config, primary, reader, News(reader, Submit(config.layout.socket)))
    try:
        yield mirrors
    finally:
        mirrors.close()
        await primary.close()
        reader.close()
        server.close()


SHOWN = Credentials("eu-1", nodes.ORIGIN, nodes.PUBLIC, None, 2, "", (), nodes.LOG_KEY)


def look(*, known: bool) -> Look:
    return Look((MIRROR.name, MIRROR.incarnation), MIRROR, State.ASK, 0.0, known=known)


async def test_many_who_want_a_page_are_one_question(tmp_path: Path) -> None:
    asked: Counter[str] = Counter()
    async with asking(tmp_path, asked) as mirrors:
        found = await asyncio.gather(
            *(mirrors.ask([look(known=False)], ProjectName("demo")) for _ in range(CLIENTS)),
            mirrors.ask([look(known=False)], ProjectName("other")),
        )
    assert [looks[0].state for looks in found] == [State.MISSING] * (CLIENTS + 1)
    assert asked == {"HEAD /root/pypi/+simple/demo/": 1, "HEAD /root/pypi/+simple/other/": 1}


async def test_who_has_a_page_does_not_wait_for_the_answer(tmp_path: Path) -> None:
    asked: Counter[str] = Counter()
    async with asking(tmp_path, asked) as mirrors:
        (found,) = await mirrors.ask([look(known=True)], ProjectName("demo"))
        (later,) = await mirrors.ask([look(known=False)], ProjectName("demo"))
    assert (found.state, found.reason) == (State.STALE, "the primary has not answered yet")
    assert later.state is State.MISSING
    assert asked.total() == 1
