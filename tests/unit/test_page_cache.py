"""The cache of rendered pages: its memory is bounded, whatever is asked."""

import asyncio
import threading
from pathlib import Path

from server.page_cache import LARGE, OVERHEAD, Key, PageCache, State

KEY = Key("root/dev", "demo", "json")
SIZE = 4 * OVERHEAD


async def slow(cache: PageCache, state: State, body: bytes, *, forgotten: bool) -> object:
    """Return the body of a page that is rendered, and perhaps forgotten meanwhile."""
    page = cache.page(KEY, state)
    asked = asyncio.ensure_future(cache.body(KEY, page, "", lambda: (state, body)))
    await asyncio.sleep(0)
    if forgotten:
        cache.forget(KEY)
    return await asked


def kept(cache: PageCache, project: str) -> bool:
    """Return whether a small page stays in memory."""

    async def ask() -> bool:
        key = Key("root/dev", project, "json")
        await cache.body(key, cache.page(key, (1,)), "", lambda: ((1,), b"page"))
        await asyncio.sleep(0)
        return bool(cache.page(key, (1,)).bodies)

    return asyncio.run(ask())


def test_pages_forgotten_while_they_are_rendered_use_up_no_room(tmp_path: Path) -> None:
    cache = PageCache(tmp_path, SIZE)
    for number in range(20):
        assert asyncio.run(slow(cache, (number,), b"page", forgotten=True)) == b"page"
    assert kept(cache, "first")
    assert kept(cache, "second")
    assert cache.page(Key("root/dev", "first", "json"), (1,)).bodies


def test_a_large_page_forgotten_while_it_is_rendered_leaves_no_file(tmp_path: Path) -> None:
    cache = PageCache(tmp_path, SIZE)
    body = b"x" * (LARGE + 1)
    assert asyncio.run(slow(cache, (1,), body, forgotten=True)) == body
    assert not list(tmp_path.iterdir())


def test_a_large_page_is_a_file(tmp_path: Path) -> None:
    cache = PageCache(tmp_path, SIZE)
    body = b"x" * (LARGE + 1)
    path = asyncio.run(slow(cache, (1,), body, forgotten=False))
    assert isinstance(path, Path)
    assert path.read_bytes() == body


def test_pages_of_which_only_the_validator_was_asked_for_are_forgotten_too(tmp_path: Path) -> None:
    cache = PageCache(tmp_path, SIZE)
    first = cache.page(Key("root/dev", "0", "json"), (1,))
    for number in range(1, 10):
        cache.page(Key("root/dev", str(number), "json"), (1,))
    assert cache.page(Key("root/dev", "0", "json"), (1,)) is not first


def test_a_small_page_is_rendered_where_it_is_asked_for(tmp_path: Path) -> None:
    cache = PageCache(tmp_path, SIZE)
    threads = []

    def render() -> tuple[State, bytes]:
        threads.append(threading.get_ident())
        return (2,), b"page"

    page = cache.page(KEY, (1,))
    assert asyncio.run(cache.body(KEY, page, "", render, lambda: True)) == b"page"
    assert (threads, page.state) == ([threading.get_ident()], (2,))
