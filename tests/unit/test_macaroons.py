"""Macaroons: read and made as pypitoken does, narrowed by everybody, widened by nobody."""

import base64
from math import inf

import pymacaroons
import pypitoken
import pytest
from hypothesis import given
from hypothesis import strategies as st

from changelog.errors import InvalidInput, Unauthenticated
from server import caveats, macaroons
from server.caveats import PERMISSIONS, Narrowing
from server.limits import DELETE, READ, UPLOAD, VERBS, Limits

KEY = b"k" * 32
IDENTIFIER = b"alice-kT3vN0q8ZxB1"
CAVEATS = st.lists(st.binary(max_size=300), max_size=5)


def raw(encoded: str) -> bytes:
    return base64.urlsafe_b64decode(encoded + "==")


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


@given(st.binary(min_size=1, max_size=300), CAVEATS)
def test_a_macaroon_is_read_as_it_was_made(identifier: bytes, said: list[bytes]) -> None:
    macaroon = macaroons.new(identifier, KEY)
    for caveat in said:
        macaroon = macaroon.narrowed(caveat)
    assert macaroons.read(macaroon.text) == macaroon
    assert macaroon.is_signed(KEY)
    assert not macaroon.is_signed(b"x" * 32)


@given(st.lists(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1), max_size=4))
def test_another_library_makes_and_reads_the_same(said: list[str]) -> None:
    theirs = pymacaroons.Macaroon(identifier=IDENTIFIER, key=KEY, version=pymacaroons.MACAROON_V2)
    ours = macaroons.new(IDENTIFIER, KEY)
    for caveat in said:
        theirs.add_first_party_caveat(caveat)
        ours = ours.narrowed(caveat.encode())
    assert macaroons.read(theirs.serialize()) == ours  # theirs has an empty location
    assert pymacaroons.Macaroon.deserialize(ours.text).signature == theirs.signature


def test_a_location_is_passed_over() -> None:
    theirs = pypitoken.Token.create(domain="index.example", identifier=IDENTIFIER.decode(), key=KEY, prefix="devpi")
    assert macaroons.read(theirs.dump().removeprefix("devpi-")) == macaroons.new(IDENTIFIER, KEY)


def test_what_pypitoken_narrows_is_verified_and_understood() -> None:
    token = pypitoken.Token.load(f"devpi-{macaroons.new(IDENTIFIER, KEY).text}")
    token.restrict(project_names=["Demo"], not_before=100, not_after=200)
    narrow = macaroons.read(token.dump().removeprefix("devpi-"))
    assert narrow.is_signed(KEY)
    assert caveats.read(narrow.caveats) == Narrowing(Limits(projects=("demo",)), 100.0, 200.0)


def test_what_pypitoken_narrowed_in_its_old_form_is_understood() -> None:
    token = pypitoken.Token.load(f"devpi-{macaroons.new(IDENTIFIER, KEY).text}")
    token.restrict(legacy_noop=True, legacy_project_names=["Demo"], legacy_not_before=100, legacy_not_after=200)
    narrow = macaroons.read(token.dump().removeprefix("devpi-"))
    assert caveats.read(narrow.caveats) == Narrowing(Limits(projects=("demo",)), 100.0, 200.0)


def test_what_is_made_here_passes_pypitoken() -> None:
    narrow = macaroons.new(IDENTIFIER, KEY).narrowed(b'[1, ["demo"]]')
    token = pypitoken.Token.load(f"devpi-{narrow.text}")
    token.check(key=KEY, project_name="demo")
    with pytest.raises(pypitoken.ValidationError):
        token.check(key=KEY, project_name="other")


@given(CAVEATS.filter(bool), st.data())
def test_without_one_of_its_caveats_it_is_not_signed(said: list[bytes], data: st.DataObject) -> None:
    macaroon = macaroons.new(IDENTIFIER, KEY)
    for caveat in said:
        macaroon = macaroon.narrowed(caveat)
    place = data.draw(st.integers(0, len(said) - 1))
    less = (*said[:place], *said[place + 1 :])
    assert not macaroons.Macaroon(IDENTIFIER, tuple(less), macaroon.signature).is_signed(KEY)


@given(st.data(), CAVEATS)
def test_a_changed_byte_makes_it_unreadable_or_worthless(data: st.DataObject, said: list[bytes]) -> None:
    macaroon = macaroons.new(IDENTIFIER, KEY)
    for caveat in said:
        macaroon = macaroon.narrowed(caveat)
    whole = bytearray(raw(macaroon.text))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        changed = macaroons.read(encoded(bytes(whole)))
    except InvalidInput:
        return
    assert not changed.is_signed(KEY) or changed == macaroon  # a location instead of nothing changes nothing


@given(st.binary() | st.binary().map(lambda rest: b"\x02" + rest))
def test_other_bytes_are_refused(content: bytes) -> None:
    try:
        macaroon = macaroons.read(encoded(content))
    except InvalidInput:
        return
    assert not macaroon.is_signed(KEY)


@given(st.text())
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        macaroons.read(text)


def test_a_caveat_of_a_third_party_is_refused() -> None:
    theirs = pymacaroons.Macaroon(identifier=IDENTIFIER, key=KEY, version=pymacaroons.MACAROON_V2)
    theirs.add_third_party_caveat("elsewhere", "k" * 32, "who")
    with pytest.raises(InvalidInput):
        macaroons.read(theirs.serialize())


def test_a_macaroon_with_very_many_caveats_is_refused() -> None:
    macaroon = macaroons.new(IDENTIFIER, KEY)
    for _ in range(macaroons.MAX_CAVEATS + 1):
        macaroon = macaroon.narrowed(b"x")
    with pytest.raises(InvalidInput):
        macaroons.read(macaroon.text)


@pytest.mark.parametrize(
    ("caveat", "left"),
    [
        (b"allowed=upload,pkg_read", Narrowing(Limits(verbs=(READ, UPLOAD)))),
        (b"allowed=del_entry", Narrowing(Limits(verbs=()))),
        (b"allowed=del_entry,del_project,del_verdata", Narrowing(Limits(verbs=(DELETE,)))),
        (b"allowed=user_modify", Narrowing(Limits(verbs=()))),
        (b"allowed=", Narrowing(Limits(verbs=()))),
        (b"indexes=alice/dev, bob/dev", Narrowing(Limits(indexes=("alice/dev", "bob/dev")))),
        (b"projects=Demo_Extra,other", Narrowing(Limits(projects=("demo-extra", "other")))),
        (b"projects=", Narrowing(Limits(projects=("",)))),
        (b"expires=never", Narrowing()),
        (b"expires=100", Narrowing(expires=100.0)),
        (b"not_before=100", Narrowing(not_before=100.0)),
        (b"[0, 200, 100]", Narrowing(Limits(), 100.0, 200.0)),
        (b'[1, ["Demo"]]', Narrowing(Limits(projects=("demo",)))),
        (b'{"nbf": 100, "exp": 200}', Narrowing(Limits(), 100.0, 200.0)),
        (b'{"version": 1, "permissions": "user"}', Narrowing()),
        (b'{"version": 1, "permissions": {"projects": ["Demo"]}}', Narrowing(Limits(projects=("demo",)))),
    ],
)
def test_a_caveat_leaves(caveat: bytes, left: Narrowing) -> None:
    assert caveats.read([caveat]) == left


@pytest.mark.parametrize(
    "caveat",
    [
        b"",
        b"project=demo",
        b"Allowed=upload",
        b"expires=",
        b"expires=soon",
        b"expires=1e400",
        b"expires=" + b"9" * 400,
        b"not_before=never",
        b"[0, 100]",
        b"[0, 200.5, 100]",
        b"[0, true, 100]",
        b"[0, " + b"9" * 400 + b", 100]",
        b'[1, "demo"]',
        b"[1, [1]]",
        b'[1, ["demo"], 2]',
        b'[2, ["id"]]',
        b'[3, "user"]',
        b'{"version": 2, "permissions": "user"}',
        b'{"version": 1, "permissions": "user", "more": 1}',
        b'{"version": 1, "permissions": {"projects": ["demo"], "more": 1}}',
        b'{"nbf": 100}',
        b"null",
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_a_caveat_that_is_not_understood_forbids_all(caveat: bytes) -> None:
    with pytest.raises(Unauthenticated):
        caveats.read([caveat])


@given(st.binary() | st.text().map(str.encode))
def test_any_caveat_narrows_or_forbids_all(caveat: bytes) -> None:
    try:
        left = caveats.read([b"allowed=upload", caveat])
    except Unauthenticated:
        return
    assert left.limits.verbs in ((UPLOAD,), ())


def test_caveats_add_up() -> None:
    left = caveats.read([b"projects=a,b", b"projects=b,c", b"expires=200", b"expires=100", b"not_before=5"])
    assert left == Narrowing(Limits(projects=("b",)), 5.0, 100.0)


def test_every_permission_of_devpi_about_indexes_belongs_to_one_verb() -> None:
    assert PERMISSIONS.keys() == set(VERBS)
    names = [name for names in PERMISSIONS.values() for name in names]
    assert len(names) == len(set(names)) == 9
    assert caveats.verbs_of(names) == VERBS
    assert Narrowing().expires == inf
