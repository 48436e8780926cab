"""Indexes that not everybody may read: what each is told of them, and that no cache gives it to another."""

import xmlrpc.client
from collections.abc import Iterator

import pytest
import requests

from tests.http.accounts import fresh, make_index, make_user
from tests.http.client import Client, basic, sdist, wheel

ANY = "*/*"
SIMPLE = "application/vnd.pypi.simple.v1+json"
READS = {  # paths below an index, and what is asked for
    "the index": ("", "application/json"),
    "its project list by the short URL": ("", SIMPLE),
    "its API": ("/+api", "application/json"),
    "the list of projects": ("/+simple/", SIMPLE),
    "a page": ("/+simple/demo/", SIMPLE),
    "a page as HTML": ("/+simple/demo/", "text/html"),
    "a page without its slash": ("/+simple/demo", SIMPLE),
    "a page by the short URL": ("/demo", SIMPLE),
    "a project": ("/demo", "application/json"),
    "a version": ("/demo/1.0", "application/json"),
    "an explanation": ("/+explain/demo", "application/json"),
    "alarms": ("/+alarms", "application/json"),
    "a file": (f"/{wheel().path}", ANY),
    "what is known of a file": (f"/{wheel().path}", "application/json"),
    "core metadata": (f"/{wheel().path}.metadata", ANY),
    "a file of a mirror": ("/+e/0123456789abcdef/demo-1.0.tar.gz", ANY),
}
CHANGES = {
    "upload": lambda client, index: client.upload(index, wheel("another")),
    "submit": lambda client, index: client.submit(index, "submitted", "1.0"),
    "modify": lambda client, index: client.patch(index, {"title": "x"}),
    "accept": lambda client, index: client.ask("POST", f"{index}/+alarms", json={}),
    "refresh": lambda client, index: client.ask("POST", f"{index}/+simple/demo/refresh"),
    "delete a file": lambda client, index: client.delete(f"{index}/{wheel().path}"),
    "delete a version": lambda client, index: client.delete(f"{index}/demo/1.0"),
    "delete a project": lambda client, index: client.delete(f"{index}/demo"),
    "yank a file": lambda client, index: client.patch(f"{index}/{wheel().path}", {"yanked": True}),
    "yank nothing": lambda client, index: client.patch(f"{index}/{wheel().path}", {"nonsense": True}),
    "set a status": lambda client, index: client.patch(f"{index}/demo", {"status": "archived"}),
}
OWNERS = {
    "create": lambda client, index: client.put(index, {}),
    "delete": lambda client, index: client.delete(index),
}
HOT = 3  # times a request is sent, so that ready answers are given


@pytest.fixture(scope="module")
def reader(nobody: Client) -> Iterator[Client]:
    """A user whom ``acl_read`` names."""
    client = make_user(nobody)
    yield client
    client.close()


@pytest.fixture(scope="module")
def private(owner: Client, reader: Client) -> str:
    """An index with demo 1.0 that its *owner* and *reader* may read; no test changes it."""
    name = make_index(owner, acl_read=[reader.user])
    assert owner.upload(name, wheel()).status_code == 200
    return name


def same(answer: requests.Response, other: requests.Response) -> bool:
    """Return whether two answers tell the same, but for the index that they are about."""
    kept = ("Cache-Control", "WWW-Authenticate", "Vary", "ETag", "Content-Type", "Location")
    headers = [{name: one.headers.get(name) for name in kept} for one in (answer, other)]
    texts = [one.text.replace(_index_of(one), "INDEX") for one in (answer, other)]
    return answer.status_code == other.status_code and headers[0] == headers[1] and texts[0] == texts[1]


def _index_of(answer: requests.Response) -> str:
    return "/".join(str(answer.request.path_url).split("/")[1:3])


@pytest.mark.parametrize("what", READS)
def test_nobody_is_asked_who_it_is(nobody: Client, private: str, what: str) -> None:
    path, accept = READS[what]
    for answer in (nobody.get(private + path, accept), nobody.head(private + path, accept)):
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="pypi"'
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("what", ["the index", "a page", "a file"])
def test_wrong_credentials_are_401(owner: Client, private: str, what: str) -> None:
    path, accept = READS[what]
    wrong = Client(owner.url, owner.user, "wrong")
    assert wrong.get(private + path, accept).status_code == 401
    wrong.close()


@pytest.mark.parametrize("what", READS)
def test_others_are_told_the_same_as_of_what_is_not_there(
    nobody: Client, stranger: Client, private: str, what: str
) -> None:
    path, accept = READS[what]
    missing = private + "x"
    for client, status in ((stranger, 404), (nobody, 401)):
        answer = client.get(private + path, accept)
        assert answer.status_code == status
        assert same(answer, client.get(missing + path, accept))


@pytest.mark.parametrize("what", CHANGES)
def test_who_may_not_read_learns_nothing_by_changing(nobody: Client, stranger: Client, private: str, what: str) -> None:
    before = stranger.serial()
    for client, status in ((stranger, 404), (nobody, 401)):
        answer = CHANGES[what](client, private)
        assert answer.status_code == status
        assert same(answer, CHANGES[what](client, private + "x"))
    assert stranger.serial() == before


@pytest.mark.parametrize("what", OWNERS)
def test_only_its_owner_learns_whether_an_index_is_there(
    nobody: Client, stranger: Client, private: str, what: str
) -> None:
    for client, status in ((stranger, 403), (nobody, 401)):
        answer = OWNERS[what](client, private)
        assert answer.status_code == status
        assert same(answer, OWNERS[what](client, private + "x"))


def test_an_owner_without_private_indexes_has_unknown_names_404(nobody: Client, user: Client) -> None:
    make_index(user)
    assert nobody.get(f"{user.user}/{fresh()}").status_code == 404


@pytest.mark.parametrize("what", READS)
def test_those_who_may_read_do_so_privately(
    owner: Client, reader: Client, root: Client, private: str, what: str
) -> None:
    path, accept = READS[what]
    expected = 404 if what == "a file of a mirror" else 302 if "without" in what or what.endswith("short URL") else 200
    expected = 200 if what == "its project list by the short URL" else expected
    for client in (owner, reader, root):
        answer = client.get(private + path, accept)
        assert answer.status_code == expected, what
        words = answer.headers["Cache-Control"].split(", ")
        assert "public" not in words
        assert {"private", "no-store"} & set(words)
        if answer.status_code == 200:
            assert {"Authorization", "X-Devpi-Auth"} <= set(answer.headers["Vary"].split(", "))


def test_who_is_named_in_acl_upload_may_read(stranger: Client, owner: Client) -> None:
    index = make_index(owner, acl_read=[owner.user], acl_upload=[stranger.user])
    assert stranger.upload(index, wheel()).status_code == 200
    assert stranger.get(f"{index}/+simple/demo/", SIMPLE).status_code == 200


@pytest.mark.parametrize("word", [":AUTHENTICATED:", ":ANONYMOUS:"])
def test_who_may_upload_as_anybody_may_only_if_reading_is_allowed(stranger: Client, owner: Client, word: str) -> None:
    index = make_index(owner, acl_read=[owner.user], acl_upload=[word])
    assert stranger.get(f"{index}/+simple/", SIMPLE).status_code == 404
    assert stranger.upload(index, wheel()).status_code == 404


def test_authenticated_means_every_user(nobody: Client, stranger: Client, owner: Client) -> None:
    index = make_index(owner, acl_read=":authenticated:")
    assert nobody.get(f"{index}/+simple/", SIMPLE).status_code == 401
    assert stranger.get(f"{index}/+simple/", SIMPLE).status_code == 200


def test_an_empty_list_leaves_owner_and_root(stranger: Client, owner: Client, root: Client) -> None:
    index = make_index(owner, acl_read=[])
    assert [client.get(index).status_code for client in (stranger, owner, root)] == [404, 200, 200]


def test_a_login_and_devpis_header_are_as_good_as_the_password(owner: Client, nobody: Client, private: str) -> None:
    path = f"{private}/+simple/demo/"
    login = nobody.ask("POST", "+login", json={"user": owner.user, "password": owner.password}).json()["result"]
    for header in ("Authorization", "X-Devpi-Auth"):
        value = basic(owner.user, login["password"])
        value = value if header == "Authorization" else value.split()[1]
        assert nobody.ask("GET", path, headers={header: value, "Accept": SIMPLE}).status_code == 200


def test_an_index_that_one_may_not_read_is_in_no_list(
    nobody: Client, stranger: Client, reader: Client, owner: Client, root: Client, private: str
) -> None:
    short = private.split("/")[1]
    for client, seen in ((nobody, False), (stranger, False), (reader, True), (owner, True), (root, True)):
        answer = client.get(owner.user)
        assert (short in answer.json()["result"]["indexes"]) is seen
        assert "private" in answer.headers["Cache-Control"]
        assert (short in client.result("")[owner.user]["indexes"]) is seen


def test_a_base_that_one_may_not_read_is_left_out(
    nobody: Client, stranger: Client, reader: Client, owner: Client
) -> None:
    private = make_index(owner, acl_read=[reader.user])
    index = make_index(owner, bases=[private])
    owner.upload(index, sdist())
    for name in ("demo", "hidden"):
        owner.upload(private, wheel(name))
    own, both = {sdist().filename}, {sdist().filename, wheel().filename}
    for client, files in ((nobody, own), (reader, both), (stranger, own), (owner, both), (nobody, own)):
        page = client.get(f"{index}/+simple/demo/", SIMPLE)
        assert {file["filename"] for file in page.json()["files"]} == files
        assert "public" not in page.headers["Cache-Control"]
        listed = client.get(f"{index}/+simple/", SIMPLE).json()["projects"]
        assert ("hidden" in [one["name"] for one in listed]) is (files == both)
        assert client.get(f"{index}/+simple/hidden/", SIMPLE).status_code == (200 if files == both else 404)
        assert client.get(f"{index}/hidden/1.0").status_code == (200 if files == both else 404)
        links = client.result(f"{index}/demo")["1.0"]["+links"]
        assert len(links) == 1
        assert ("+shadowing" in client.result(f"{index}/demo")["1.0"]) is (files == both)
        explained = client.get(f"{index}/+explain/demo").text
        assert (private in explained) is (files == both)
        assert (client.result(index)["bases"] == [private]) is (files == both)


def test_wrong_credentials_are_401_where_a_base_is_private(owner: Client, private: str) -> None:
    wrong = Client(owner.url, owner.user, "wrong")
    assert wrong.get(f"{make_index(owner, bases=[private])}/+simple/", SIMPLE).status_code == 401
    wrong.close()


def test_a_base_that_one_may_not_read_does_not_exist(stranger: Client, reader: Client, private: str) -> None:
    other = f"{private}x"
    refused = stranger.put(f"{stranger.user}/{fresh()}", {"bases": [private]})
    assert refused.status_code == 400
    unknown = stranger.put(f"{stranger.user}/{fresh()}", {"bases": [other]})
    assert refused.text.replace(private, other) == unknown.text
    assert make_index(reader, bases=[private])


def test_a_base_that_became_private_can_be_kept(nobody: Client, stranger: Client, owner: Client) -> None:
    base = make_index(owner)
    heir = make_index(stranger, bases=[base])
    owner.patch(base, {"acl_read": [owner.user]})
    assert stranger.result(heir)["bases"] == [base]
    assert nobody.result(heir)["bases"] == []
    assert stranger.patch(heir, {"title": "x"}).json()["result"]["bases"] == [base]
    assert stranger.patch(heir, ["bases+=root/dev"]).json()["result"]["bases"] == [base, "root/dev"]


def test_no_ready_answer_is_given_to_another(
    connections: list[tuple[Client, Client]], stranger: Client, private: str
) -> None:
    for path in (f"{private}/+simple/demo/", f"{private}/{wheel().path}", f"{private}/{wheel().path}.metadata"):
        accept = SIMPLE if "simple" in path else ANY
        for nobody, reader in connections:  # of whom two, at the least, are on one worker
            for client, status in ((nobody, 401), (reader, 200), (nobody, 401), (stranger, 404), (reader, 200)):
                for _ in range(HOT):
                    assert client.get(path, accept).status_code == status


def test_who_knows_a_validator_learns_nothing(nobody: Client, stranger: Client, reader: Client, private: str) -> None:
    for path in (f"{private}/+simple/demo/", f"{private}/{wheel().path}"):
        accept = SIMPLE if "simple" in path else ANY
        etag = reader.get(path, accept).headers["ETag"]
        assert reader.get(path, accept, If_None_Match=etag).status_code == 304
        for known in (etag, "*"):
            assert nobody.get(path, accept, If_None_Match=known).status_code == 401
            assert stranger.get(path, accept, If_None_Match=known).status_code == 404


def test_ranges_and_codings_are_asked_for_in_vain(nobody: Client, reader: Client, private: str) -> None:
    for headers in ({"Range": "bytes=0-3"}, {"Accept-Encoding": "gzip"}, {"Accept-Encoding": "identity"}):
        for path in (f"{private}/+simple/demo/", f"{private}/{wheel().path}"):
            accept = SIMPLE if "simple" in path else ANY
            assert reader.get(path, accept, **headers).ok
            assert nobody.get(path, accept, **headers).status_code == 401
    assert reader.get(f"{private}/{wheel().path}", ANY, Range="bytes=0-3").status_code == 206


@pytest.fixture
def connections(nobody: Client, reader: Client) -> Iterator[list[tuple[Client, Client]]]:
    """Pairs of clients, nobody and *reader*, on connections of their own, so that all workers are asked."""
    made = [(Client(nobody.url), Client(nobody.url, reader.user, reader.password)) for _ in range(6)]
    yield made
    for pair in made:
        for client in pair:
            client.close()


def test_a_change_of_acl_read_is_seen_at_once_by_all_workers(
    connections: list[tuple[Client, Client]], owner: Client, reader: Client
) -> None:
    index = make_index(owner)
    owner.upload(index, wheel())
    paths = (
        (f"{index}/+simple/demo/", SIMPLE),
        (f"{index}/{wheel().path}", ANY),
        (f"{index}/demo", "application/json"),
    )
    for acl, expected in (
        ([":ANONYMOUS:"], (200, 200)),
        ([reader.user], (401, 200)),
        ([], (401, 404)),
        ([":AUTHENTICATED:"], (401, 200)),
        ([":ANONYMOUS:"], (200, 200)),
        ([reader.user], (401, 200)),
    ):
        assert owner.patch(index, {"acl_read": acl}).status_code == 200
        for pair in connections * 2:
            for path, accept in paths:
                assert tuple(client.get(path, accept).status_code for client in pair) == expected


def test_a_user_that_is_deleted_reads_no_longer(nobody: Client, owner: Client) -> None:
    gone = make_user(nobody)
    index = make_index(owner, acl_read=[gone.user])
    assert gone.get(index).status_code == 200
    assert gone.delete(gone.user).status_code == 200
    assert gone.get(index).status_code == 401
    gone.close()


def test_a_list_can_be_changed_by_operations(owner: Client, stranger: Client) -> None:
    private = make_index(owner, acl_read=[owner.user])
    assert owner.patch(private, [f"acl_read+={stranger.user}"]).status_code == 200
    assert stranger.get(private).status_code == 200
    assert owner.patch(private, [f"acl_read-={stranger.user}"]).status_code == 200
    assert stranger.get(private).status_code == 404
    assert owner.patch(private, {"acl_read": ["no/name"]}).status_code == 400


def test_a_public_index_with_a_public_base_is_for_all_caches(nobody: Client, owner: Client, index: str) -> None:
    owner.upload(index, wheel())
    heir = make_index(owner, bases=[index])
    for path in (f"{heir}/+simple/demo/", f"{index}/{wheel().path}"):
        answer = nobody.get(path, ANY)
        assert "public" in answer.headers["Cache-Control"]
        assert "Authorization" not in answer.headers.get("Vary", "")


def push(client: Client, source: str, target: str) -> requests.Response:
    return client.ask("POST", source, json={"name": "demo", "version": "1.0", "targetindex": target})


def test_a_push_tells_nothing_of_a_target_that_is_private(nobody: Client, stranger: Client, private: str) -> None:
    source = make_index(stranger)
    assert stranger.upload(source, wheel()).status_code == 200
    for client, status in ((stranger, 404), (nobody, 401)):
        answer = push(client, source, private)
        assert answer.status_code == status
        assert answer.text.replace(private, f"{private}x") == push(client, source, f"{private}x").text


def test_what_is_pushed_out_of_a_private_index_does_not_name_it(
    nobody: Client, owner: Client, private: str, index: str
) -> None:
    assert push(owner, private, index).status_code == 200
    answer = nobody.get(f"{index}/demo/1.0")
    assert private not in answer.text
    assert "(private)" in answer.text


def test_a_search_finds_what_its_reader_may_read(
    nobody: Client, reader: Client, stranger: Client, owner: Client, private: str
) -> None:
    heir = make_index(owner, bases=[private])
    body = xmlrpc.client.dumps(({"name": "demo"},), "search").encode()

    def found(client: Client, index: str) -> requests.Response:
        return client.ask("POST", index, data=body, headers={"Content-Type": "text/xml"})

    assert found(nobody, private).status_code == 401
    assert found(stranger, private).text.replace(private, f"{private}x") == found(stranger, f"{private}x").text
    assert "demo" in found(reader, private).text
    assert ["demo" in found(client, heir).text for client in (nobody, stranger, reader)] == [False, False, True]


def test_a_search_by_a_token_of_projects_finds_these_where_not_all_may_read(owner: Client) -> None:
    base = make_index(owner, acl_read=[owner.user])
    index = make_index(owner, bases=[base])
    owner.upload(base, wheel())
    owner.upload(base, wheel("hidden"))
    owner.upload(index, wheel("open"))
    body = xmlrpc.client.dumps(({"summary": "what"},), "search").encode()
    made = owner.ask("POST", f"{owner.user}/+tokens", json={"projects": ["demo"]})
    limited = Client(owner.url, "__token__", made.json()["result"]["token"])
    found = []
    for client in (owner, limited):
        answer = client.ask("POST", index, data=body, headers={"Content-Type": "text/xml"})
        found.append([name for name in ("demo", "hidden", "open") if f">{name}<" in answer.text])
    assert found == [["demo", "hidden", "open"], ["demo", "open"]]
    limited.close()


def test_the_name_of_a_private_index_is_not_told_once_it_is_deleted(nobody: Client, owner: Client, index: str) -> None:
    private = make_index(owner, acl_read=[owner.user])
    heir = make_index(owner, bases=[private])
    assert owner.upload(private, wheel()).status_code == 200
    assert push(owner, private, index).status_code == 200
    for _ in range(2):
        assert private not in nobody.get(f"{index}/demo/1.0").text
        assert nobody.result(heir)["bases"] == []
        owner.delete(private)
    assert owner.get(private).status_code == 404
