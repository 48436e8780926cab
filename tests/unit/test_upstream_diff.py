"""What is written down of upstreams' pages is read again as it was, in entries of bounded size."""

from collections.abc import Sequence
from hashlib import sha256
from urllib.parse import urljoin

from attrs import evolve, field, frozen
from hypothesis import example, given
from hypothesis import strategies as st

from changelog.codec import MAX_ENTRY_BYTES, Stamp, encode
from changelog.events.upstream import MirrorFileFetched, MirrorHashAccepted, MirrorHashChanged, MirrorPageChanged
from changelog.fold import fold
from changelog.names import FileName, ProjectName, Version
from changelog.tables import MemoryStore, serial_key
from changelog.views import fetched, upstream
from server.upstream.diff import Claim, Difference, Known, compare
from server.upstream.links import MAX_URL, Base
from server.upstream.page import UpstreamFile

INDEX = 7
DEMO = ProjectName("demo")
PAGE = "https://index.example/root/a-token-that-is-long/simple/demo/"
BEGIN = 1_700_000_000_000_000
LONGEST_ACTOR = ":upstream"


@frozen
class Log:
    """Entries in memory, and the views of them; private URLs as the node keeps them."""

    page_url: str = PAGE
    store: MemoryStore = field(factory=MemoryStore)
    entries: list[bytes] = field(factory=list)
    urls: dict[FileName, str] = field(factory=dict)

    def add(self, event: object) -> None:
        """Append an entry and fold it."""
        serial = len(self.entries) + 1
        stamp = Stamp(serial, 1 << 40, BEGIN + serial, LONGEST_ACTOR, 1_000_000)
        self.entries.append(encode(event, stamp))
        self.store.put("entries", serial_key(serial), self.entries[-1])
        fold(self.store, event, stamp)

    def known(self) -> Known:
        """Return what is known of the page."""
        where = (self.store, INDEX, DEMO)
        return Known(upstream.files(*where), fetched.of_project(*where), fetched.alarms_of(*where))

    def take(self, files: Sequence[UpstreamFile], reason: str = "") -> Difference:
        """Write down how *files* differ from what is known, as the process that asks upstreams does."""
        found = compare(self.known(), files, self.page_url)
        self.urls.update(found.urls)
        for changed, removed in found.parts:
            self.add(MirrorPageChanged(INDEX, DEMO, "active", reason, found.base, changed, removed))
        return found

    def files(self) -> dict[FileName, UpstreamFile]:
        """Return the page as it is read, with whole URLs."""
        return {
            name: UpstreamFile(
                name,
                file.version,
                urljoin(self.page_url, file.url) if file.url else self.urls[name],
                file.sha256,
                file.hashes,
                file.size,
                file.upload_time,
                file.requires_python,
                file.yanked,
                file.core_metadata,
                file.provenance,
            )
            for name, file in upstream.files(self.store, INDEX, DEMO).items()
        }


FILENAMES = (*(FileName(f"demo-{number}.0.tar.gz") for number in range(6)), FileName("demo-1.0+local:1 %41.zip"))
SEGMENTS = st.sampled_from(
    ["", ".", "..", "simple", "demo", "root", "a-token-that-is-long", "files", "a;b", "a:b", "%2e%2e", "é", "f.zip"]
)
PATHS = st.lists(SEGMENTS, max_size=6).map("/".join)
ORIGINS = st.sampled_from(
    ["https://index.example", "https://files.example", "http://index.example", "HTTPS://INDEX.example"]
)
SUFFIXES = st.sampled_from(["", "", "", "/", "?signature=1", "?"])
ABSOLUTE = st.builds(lambda origin, path, end: f"{origin}/{path}{end}", ORIGINS, PATHS, SUFFIXES)
RELATIVE = st.builds(lambda path, end: f"../../{path}{end}", PATHS, SUFFIXES)
NAMED = st.builds(lambda path, name: f"https://files.example/{path}/{name}", PATHS, st.sampled_from(FILENAMES[:6]))
USERINFO = st.just("https://user:password@files.example/demo.zip")
BARE = st.sampled_from(["https://index.example", PAGE, "https://files.example/"])
URLS = st.one_of(ABSOLUTE, RELATIVE, NAMED, USERINFO, BARE).map(lambda text: Base(PAGE).absolute(text))


def digest(number: int) -> bytes:
    return sha256(bytes([number])).digest()


def a_file(filename: FileName = FILENAMES[0], url: str = "https://files.example/demo.zip") -> UpstreamFile:
    return UpstreamFile(filename, Version("1.0"), url, digest(1), (), 3, BEGIN, ">=3", None, None, "")


@st.composite
def a_page(draw: st.DrawFn) -> list[UpstreamFile]:
    """Return a page; a file name has one digest on all of them, or none."""
    names = draw(st.lists(st.sampled_from(FILENAMES), unique=True))
    return [
        UpstreamFile(
            filename=name,
            version=Version(f"{FILENAMES.index(name)}.0"),
            url=draw(URLS),
            sha256=digest(FILENAMES.index(name)),
            hashes=draw(st.sampled_from([(), (("md5", "00" * 16),)])),
            size=draw(st.none() | st.integers(0, (1 << 63) - 1)),
            upload_time=draw(st.none() | st.integers(0, BEGIN)),
            requires_python=draw(st.sampled_from(["", ">=3.9"])),
            yanked=draw(st.sampled_from([None, "", "broken"])),
            core_metadata=draw(st.sampled_from([None, b"", digest(9)])),
            provenance=draw(st.sampled_from(["", "https://index.example/integrity"])),
        )
        for name in names
    ]


@given(st.lists(a_page(), min_size=1, max_size=4))
def test_what_was_written_down_is_upstreams_page_again(pages: list[list[UpstreamFile]]) -> None:
    log = Log()
    for page in pages:
        log.take(page)
        assert log.files() == {file.filename: file for file in page}
        before = len(log.entries)
        assert log.take(page).parts == ()
        assert len(log.entries) == before


@example("https://index.example/inner//files/f.zip")
@example("https://index.example/inner/../files/f.zip")
@example("https://index.example//files.example/f.zip")
@example("https://files.example/demo/")
@example(PAGE)
@given(URLS)
def test_the_stored_reference_means_the_url(url: str) -> None:
    log = Log()
    found = log.take([a_file(url=url)])
    stored = upstream.files(log.store, INDEX, DEMO)[FILENAMES[0]].url
    assert urljoin(PAGE, stored) == url if stored else found.urls == ((FILENAMES[0], url),)


@given(URLS)
def test_no_entry_has_what_may_be_secret(url: str) -> None:
    log = Log()
    log.take([evolve(a_file(url=url), provenance=url)])
    whole = b"".join(log.entries)
    assert b"a-token-that-is-long" not in whole
    assert b"password" not in whole
    assert b"signature" not in whole


def test_a_file_beside_the_page_needs_no_whole_url() -> None:
    log = Log()
    log.take([a_file(url="https://index.example/root/a-token-that-is-long/files/demo-0.0.tar.gz")])
    assert upstream.files(log.store, INDEX, DEMO)[FILENAMES[0]].url == "../../files/demo-0.0.tar.gz"


def numbered(count: int) -> list[UpstreamFile]:
    """Return files as the public index has them."""
    names = [FileName(f"demo-{number}.0-py3-none-any.whl") for number in range(count)]
    return [
        evolve(
            a_file(name, f"https://files.example/packages/{digest(number % 256).hex()[:60]}/{number}/{name}"),
            sha256=sha256(str(number).encode()).digest(),
            core_metadata=digest(2),
        )
        for number, name in enumerate(names)
    ]


def test_a_large_page_is_several_entries_and_one_new_file_a_small_one() -> None:
    log, page = Log(), numbered(3_001)
    found = log.take(page[:-1])
    assert sum(len(files) for files, _ in found.parts) == 3_000
    assert all(len(files) <= 500 for files, _ in found.parts)
    count = len(log.entries)
    log.take(page)
    assert len(log.entries) == count + 1
    assert len(log.entries[-1]) < 400
    assert list(log.files().values()) == page


def test_all_files_may_go_at_once() -> None:
    log, page = Log(), numbered(3_000)
    log.take(page)
    log.take([])
    assert log.files() == {}


@example(letter="\U0001f40d", length=1, shared=True)
@example(letter="\U0001f40d", length=900, shared=False)
@given(letter=st.sampled_from(["x", "é", "\U0001f40d"]), length=st.integers(0, 900), shared=st.booleans())
def test_no_entry_is_longer_than_entries_may_be(letter: str, length: int, shared: bool) -> None:  # noqa: FBT001 - drawn
    folder = f"https://files.example/{letter * (MAX_URL - 100)}/"
    page = [
        evolve(
            a_file(FileName(f"demo-{number}.tar.gz"), f"{folder if shared else f'https://e{number}.example'}/demo.gz"),
            hashes=tuple((f"algorithm{n}", "00" * 64) for n in range(12)) if length > 100 else (),
            requires_python=letter * length,
            yanked=letter * length,
        )
        for number in range(600 if length < 100 else 60)
    ]
    log = Log()
    log.take(page, reason=letter * 1_000)
    assert log.files() == {file.filename: file for file in page}
    log.take([], reason=letter * 1_000)
    assert log.files() == {}
    assert max(map(len, log.entries)) <= MAX_ENTRY_BYTES


def test_another_digest_is_a_claim_and_changes_nothing() -> None:
    log = Log()
    log.take([a_file()])
    other = evolve(a_file(), sha256=digest(2), yanked="changed too")
    found = log.take([other])
    assert found.claims == (Claim(FILENAMES[0], digest(1), digest(2)),)
    assert log.files()[FILENAMES[0]] == a_file()


def test_an_accepted_digest_is_taken_and_another_one_is_not() -> None:
    log = Log()
    log.take([a_file()])
    log.add(MirrorHashChanged(INDEX, DEMO, FILENAMES[0], digest(1), digest(2)))
    log.add(MirrorHashAccepted(INDEX, DEMO, FILENAMES[0], digest(2)))
    assert log.take([evolve(a_file(), sha256=digest(3))]).claims
    assert not log.take([evolve(a_file(), sha256=digest(2))]).claims
    assert log.files()[FILENAMES[0]].sha256 == digest(2)
    assert log.take([a_file()]).claims == (Claim(FILENAMES[0], digest(2), digest(1)),)  # back again is no less odd


def test_a_digest_that_is_no_longer_said_still_counts() -> None:
    log = Log()
    log.take([a_file()])
    assert log.take([evolve(a_file(), sha256=b"")]).parts == ()
    log.take([evolve(a_file(), sha256=b"", yanked="")])
    assert log.files()[FILENAMES[0]] == evolve(a_file(), yanked="")


def test_a_digest_that_was_only_measured_counts_too() -> None:
    log = Log()
    log.take([evolve(a_file(), sha256=b"")])
    log.add(MirrorFileFetched(INDEX, DEMO, FILENAMES[0], 3, digest(1), b"", completes=True))
    assert log.take([evolve(a_file(), sha256=digest(2))]).claims
    log.take([a_file()])
    assert log.files()[FILENAMES[0]].sha256 == digest(1)


def test_a_fetched_file_that_comes_back_has_the_digest_it_had() -> None:
    log = Log()
    log.take([a_file()])
    log.add(MirrorFileFetched(INDEX, DEMO, FILENAMES[0], 3, digest(1), b"", completes=False))
    log.take([])
    assert log.take([evolve(a_file(), sha256=digest(2))]).claims
