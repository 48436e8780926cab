"""What can go wrong with an upstream index; each is switched on with ``Upstream.fail``."""

import itertools
import json
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from html import escape
from urllib.parse import quote

from attrs import evolve, frozen

from tests.upstream.asked import Asked
from tests.upstream.pages import HTML, JSON, Entry
from tests.upstream.reply import FOREVER_S, Reply, Wait

BOMB_BYTES = 2 << 30
MANY = 1_000_000
LINKS_A_PIECE = 500
LOGIN = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><form method=post></form></body></html>"

# Names that no distribution file may have; what is left of the project's own stays valid.
HOSTILE_NAMES = (
    "../../evil-1.0-py3-none-any.whl",
    "..\\..\\evil-1.0-py3-none-any.whl",
    "/etc/evil-1.0.tar.gz",
    "..",
    ".",
    "",
    "%2e%2e%2fevil-1.0.tar.gz",
    "evil-1.0.tar.gz\x00.whl",
    "evil-1.0.tar.gz\r\nX-Evil: 1",
    "<script>alert(1)</script>-1.0.tar.gz",
    "evil-1.0-py3-none-any.whl?query",
    "e" * 300 + "-1.0.tar.gz",
    "\u202egnp.lhw",
    "no-version.whl",
    "demo-1.0.exe",
)
# URLs that no mirror may follow or hand on as they are; none leaves loopback.
HOSTILE_URLS = (
    "file:///etc/passwd",
    "ftp://index.example/demo-1.0.tar.gz",
    "javascript:alert(1)",
    "http://user:password@127.0.0.1:9/demo-1.0.tar.gz",
    "http://[::1/demo-1.0.tar.gz",
    "http://127.0.0.1:99999/demo-1.0.tar.gz",
    "../../../../../../etc/passwd",
    "/files/..%2f..%2fetc%2fpasswd",
    "//127.0.0.1:9/demo-1.0.tar.gz",
    "http://127.0.0.1:9/\r\nX-Evil: 1",
    "",
)

_TYPE = "Content-Type"


@frozen
class Fault:
    """What it does to the files a page lists, and to the answer."""

    reply: Callable[[Reply], Reply] = lambda reply: reply
    entries: Callable[[list[Entry]], list[Entry]] = lambda entries: entries


@frozen(eq=False)
class Rule:
    """Faults of the requests that fit, for all of them or a number."""

    where: str
    faults: tuple[Fault, ...]
    turns: Iterator[int] | None  # one is taken for each request

    def taken_by(self, asked: Asked) -> bool:
        """Return whether the request has these faults; one less has them then."""
        return asked.fits(self.where) and (self.turns is None or next(self.turns, None) is not None)


class Rules:
    """All rules, changed by a test while the index asks for them in its own thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []

    def add(self, where: str, faults: tuple[Fault, ...], times: int | None) -> None:
        """Let the next *times* requests of *where* have *faults*; None: all."""
        with self._lock:
            self._rules.append(Rule(where, faults, None if times is None else iter(range(times))))

    def drop(self, where: str | None) -> None:
        """Forget the rules of *where*; None: all."""
        with self._lock:
            self._rules = [rule for rule in self._rules if where not in {None, rule.where}]

    def of(self, asked: Asked) -> list[Fault]:
        """Return what befalls the request, in the order it was switched on."""
        with self._lock:
            return [fault for rule in self._rules if rule.taken_by(asked) for fault in rule.faults]


def slow(wait: Wait) -> Fault:
    """Answer after *wait*: seconds, or a ``Gate`` that the test opens."""
    return Fault(lambda reply: evolve(reply, wait=wait))


def stalls(at: int, wait: Wait) -> Fault:
    """Send *at* bytes of the body, and the rest after *wait*, as in :func:`slow`."""
    return Fault(lambda reply: evolve(reply, pause_at=at, pause=wait))


def drips(piece: int, every_s: float) -> Fault:
    """Send *piece* bytes of the body at a time, with *every_s* seconds between them."""
    return Fault(lambda reply: evolve(reply, piece=piece, every_s=every_s))


def silent() -> Fault:
    """Accept the connection, read the request and say nothing."""
    return slow(FOREVER_S)


def hangs_up() -> Fault:
    """Reset the connection in place of an answer."""
    return Fault(lambda reply: evolve(reply, status=0))


def status(code: int, retry_after: str = "") -> Fault:
    """Answer with the status *code*; *retry_after* is the header of that name."""
    headers = {_TYPE: "text/plain"} | ({"Retry-After": retry_after} if retry_after else {})
    return Fault(lambda reply: Reply(reply.target, code, headers, f"{code}, as wanted\n".encode(), wait=reply.wait))


def redirect(to: str, code: int = 302) -> Fault:
    """Redirect to a URL."""
    return Fault(lambda reply: Reply(reply.target, code, {"Location": to}))


def redirect_loop() -> Fault:
    """Redirect to where the request was sent."""
    return Fault(lambda reply: Reply(reply.target, 302, {"Location": reply.target}))


def truncated(at: int | None = None) -> Fault:
    """Announce the whole length, send *at* bytes (half by default) and close the connection."""
    return Fault(lambda reply: evolve(_invalid(reply), cut_at=len(reply.body) // 2 if at is None else at))


def changed_bytes() -> Fault:
    """Change a bit in the middle of the body; the length stays."""

    def changed(reply: Reply) -> Reply:
        middle = len(reply.body) // 2
        other = bytes([reply.body[middle] ^ 1])
        return reply.saying(reply.body[:middle] + other + reply.body[middle + 1 :])

    return Fault(changed)


def longer(by: int = 1) -> Fault:
    """Send *by* bytes more, and announce them."""
    return Fault(lambda reply: reply.saying(reply.body + bytes(by)))


def shorter(by: int = 1) -> Fault:
    """Send *by* bytes less, and announce no more."""
    return Fault(lambda reply: reply.saying(reply.body[:-by]))


def wrong_size(by: int = 1) -> Fault:
    """List all files with a size that is *by* bytes too large."""
    return Fault(entries=lambda entries: [entry | {"size": entry.get("size", 0) + by} for entry in entries])


def wrong_sha256(digest: str = "0" * 64) -> Fault:
    """List all files with another digest."""
    return Fault(entries=lambda entries: [entry | {"hashes": {"sha256": digest}} for entry in entries])


def wrong_metadata_sha256(digest: str = "0" * 64) -> Fault:
    """List all files as having core metadata of another digest."""
    return Fault(entries=lambda entries: [entry | {"core-metadata": {"sha256": digest}} for entry in entries])


def no_files() -> Fault:
    """List no file, as an index does that is being restored."""
    return Fault(entries=lambda _: [])


def hostile_names() -> Fault:
    """List, behind the project's own files, copies of the first under names that none may have."""
    return Fault(
        entries=lambda entries: [*entries, *(_named(entry, name) for entry in entries[:1] for name in HOSTILE_NAMES)]
    )


def hostile_urls() -> Fault:
    """List, behind the project's own files, more builds of the first wheel at URLs that none may ask for."""

    def added(entries: list[Entry]) -> list[Entry]:
        wheels = [entry for entry in entries if entry["filename"].endswith("-py3-none-any.whl")][:1]
        stems = [(entry, entry["filename"].removesuffix("-py3-none-any.whl")) for entry in wheels]
        more = [
            entry | {"filename": f"{stem}-{number}-py3-none-any.whl", "url": url}
            for entry, stem in stems
            for number, url in enumerate(HOSTILE_URLS, 1)
        ]
        return [*entries, *more]

    return Fault(entries=added)


def login_page() -> Fault:
    """Answer 200 with an HTML page that is no simple page, as captive portals do."""
    return Fault(lambda reply: reply.saying(LOGIN, **{_TYPE: f"{HTML}; charset=utf-8"}))


def html_as_json() -> Fault:
    """Answer with HTML that is said to be JSON."""
    return Fault(lambda reply: reply.saying(LOGIN, **{_TYPE: JSON}))


def invalid_json() -> Fault:
    """Answer with the first half of the page, as if that were all."""
    return Fault(lambda reply: reply.saying(reply.body[: len(reply.body) // 2]))


def empty() -> Fault:
    """Answer 200 with nothing."""
    return Fault(lambda reply: reply.saying(b""))


def gzip_bomb(size: int = BOMB_BYTES) -> Fault:
    """Answer with the page and *size* bytes of white space in it, which are a thousandth on the wire."""
    return Fault(lambda reply: evolve(_invalid(reply).but(Content_Encoding="gzip"), stream=_bomb(reply.body, size)))


def many_links(count: int | None = MANY) -> Fault:
    """Answer with a page of *count* files (a list of so many projects), made while it is sent; None: it never ends."""
    return Fault(lambda reply: evolve(_invalid(reply), stream=_links(reply, count)))


def endless_page() -> Fault:
    """Answer with a page that never ends; each part of it is as it should be."""
    return many_links(None)


def endless_file() -> Fault:
    """Send the file, and zeros behind it for ever, without a length."""
    return Fault(
        lambda reply: evolve(
            _invalid(reply), stream=lambda: itertools.chain([reply.body], itertools.repeat(bytes(reply.piece)))
        )
    )


def _invalid(reply: Reply) -> Reply:
    """Return the reply so that no client's copy answers for it."""
    return reply.but("ETag", "Last-Modified")


def _named(entry: Entry, name: str) -> Entry:
    return entry | {"filename": name, "url": f"{entry['url'].rpartition('/')[0]}/{quote(name, safe='')}"}


def _bomb(page: bytes, size: int) -> Callable[[], Iterator[bytes]]:
    """Return what makes a gzip stream (RFC 1952) of the page with blanks before its last byte."""
    block = b" " * (1 << 20)
    many = _deflated(block)  # once: compressing all of it would take the index longer than its clients
    last = b" " * (size % len(block)) + page[-1:]

    def made() -> Iterator[bytes]:
        yield b"\x1f\x8b\x08" + bytes(6) + b"\xff" + _deflated(page[:-1])
        check = zlib.crc32(page[:-1])
        for _ in range(size // len(block)):
            yield many
            check = zlib.crc32(block, check)
        yield _deflated(last, zlib.Z_FINISH)
        yield struct.pack("<2L", zlib.crc32(last, check), (len(page) + size) % (1 << 32))

    return made


def _deflated(content: bytes, end: int = zlib.Z_FULL_FLUSH) -> bytes:
    """Return a part of a deflate stream (RFC 1951) that any other part may follow."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return squeeze.compress(content) + squeeze.flush(end)


def _links(reply: Reply, count: int | None) -> Callable[[], Iterator[bytes]]:
    """Return what makes the page's head, links and end."""
    form = reply.headers.get(_TYPE, "").partition(";")[0]
    project = reply.target.partition("?")[0].removeprefix("/simple/").strip("/")
    head, end = _around(form, project)
    one = _json_link if form == JSON else _html_link

    def made() -> Iterator[bytes]:
        numbers = itertools.count() if count is None else iter(range(count))
        yield head.encode()
        separator = ""
        while some := list(itertools.islice(numbers, LINKS_A_PIECE)):
            joint = "," if form == JSON else "\n"
            yield (separator + joint.join(one(project, number) for number in some)).encode()
            separator = joint
        yield end.encode()

    return made


def _around(form: str, project: str) -> tuple[str, str]:
    """Return what stands before and behind the links of a page, or of the list where there is no project."""
    if form != JSON:
        return "<!DOCTYPE html><html><body>\n", "\n</body></html>\n"
    if not project:
        return '{"meta": {"api-version": "1.1"}, "projects": [', "]}"
    return f'{{"meta": {{"api-version": "1.1"}}, "name": {json.dumps(project)}, "versions": [], "files": [', "]}"


def _json_link(project: str, number: int) -> str:
    if not project:
        return f'{{"name": "many-{number}"}}'
    filename = _filename(project, number)
    digests = f'{{"sha256": "{number:064x}"}}'
    return f'{{"filename": "{filename}", "url": "/files/{filename}", "size": 1, "hashes": {digests}}}'


def _html_link(project: str, number: int) -> str:
    if not project:
        return f'<a href="/simple/many-{number}/">many-{number}</a>'
    filename = escape(_filename(project, number))
    return f'<a href="/files/{filename}#sha256={number:064x}">{filename}</a>'


def _filename(project: str, number: int) -> str:
    return f"{project.replace('-', '_')}-0.{number}-py3-none-any.whl"
