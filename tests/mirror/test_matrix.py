"""Who may do what: every route and method by everybody, as docs/operating/permissions.md says."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, frozen

from server.routes import ROUTES
from tests.http.accounts import PASSWORD, fresh
from tests.http.client import Client, basic, wheel
from tests.mirror.deeds import DEEDS, SIMPLE, Deed, Place, document
from tests.mirror.site import Site, until
from tests.upstream import files
from tests.upstream.server import upstream

PAGE = Path(__file__).parents[2] / "docs" / "operating" / "permissions.md"
TABLES = ("private", "public")
OF_INDEX = "/{user}/{index}"
SCOPES = ("read", "upload", "test", "delete", "admin")
Table = dict[str, dict[str, str]]  # column to cell, by row


def tables() -> dict[str, Table]:
    """Return the tables of the page: what stands below ``## A private index`` and ``## A public index``."""
    found = {}
    for name in TABLES:
        section = re.search(rf"^## A {name} index\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
        assert section is not None
        head, _, *rows = [
            [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
            for line in section[1].splitlines()
            if line.startswith("|")
        ]
        found[name] = {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}
    return found


def routes() -> set[str]:
    """Return every method and shape of path that is served."""
    return {f"{method} /{shape}" for shape, methods in ROUTES.items() for method in methods}


def shape_of(row: str) -> str:
    """Return a row as :func:`routes` has it."""
    method, path, *_ = row.split(" ")
    return f"{method} {re.sub(r'{[^}]*}', '*', path.removesuffix('/…'))}"  # whatever is behind it in brackets


@frozen
class World:
    """Indexes, and everybody as a client by the column's name; several are the same person in other ways."""

    site: Site
    people: dict[str, list[Client]]
    places: dict[str, Place]

    @property
    def owner(self) -> Client:
        return self.people["owner"][0]

    def place(self, table: str, deed: Deed) -> Place:
        """Return what a deed is done to: its own, if it spends it."""
        place = self.places[table]
        if deed.spends == "index":
            index = made_index(self.owner, **acls(table, self.people))
            assert self.owner.upload(index, wheel()).status_code == 200
            return evolve(place, index=index)
        if deed.spends == "token":
            return evolve(place, token=self.token()["id"])
        return place

    def token(self, **limits: object) -> dict[str, Any]:
        """Make a token of the owner."""
        answer = self.owner.ask("POST", f"{self.owner.user}/+tokens", json=limits)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["result"]
        return found


def made_index(owner: Client, **options: object) -> str:
    """Make an index of *owner*."""
    name = f"{owner.user}/{fresh()}"
    assert owner.put(name, options).status_code == 200
    return name


def acls(table: str, people: dict[str, list[Client]]) -> dict[str, object]:
    """Return the lists of an index whose readers and uploaders are those people."""
    writers = [people[name][0].user for name in ("owner", "uploader")]
    read = [people["reader"][0].user] if table == "private" else [":ANONYMOUS:"]
    return {"acl_read": read, "acl_upload": writers}


@pytest.fixture(scope="module")
def world(site: Site) -> Iterator[World]:
    """Everybody, a private and a public index, and a mirror of each kind."""
    people: dict[str, list[Client]] = {"anonymous": [site.nobody], "root": [site.root]}
    for name in ("reader", "uploader", "owner", "other"):
        user = fresh()
        assert site.nobody.put(user, {"password": PASSWORD}).status_code == 201
        people[name] = [Client(site.node.url, user, PASSWORD)]
    for name in ("reader", "uploader", "owner", "other", "root"):
        people[name].append(logged_in(site, people[name][0]))
    dist = files.wheel(fresh())
    with upstream(dist, hashes=(), metadata=False) as other:
        made = World(site, people, {})
        for table in TABLES:
            made.places[table] = a_place(people, table, other.simple)
        made.places["public"] = evolve(made.places["public"], token=made.token()["id"])
        made.places["private"] = evolve(made.places["private"], token=made.token()["id"])
        people["member"] = [bearer(site, site.ledgerpi("replica-token", "matrix").strip())]
        expired = add_tokens(made)
        until(lambda: time.time() > expired + 1)
        yield made
    for clients in people.values():
        for client in clients:
            if client not in {site.nobody, site.root}:
                client.close()


def logged_in(site: Site, client: Client) -> Client:
    """Return the same user by a login."""
    answer = site.nobody.ask("POST", "+login", json={"user": client.user, "password": client.password})
    return Client(site.node.url, client.user, answer.json()["result"]["password"])


def bearer(site: Site, token: str) -> Client:
    """Return who comes with a bearer's token."""
    client = Client(site.node.url)
    client.session.headers["Authorization"] = f"Bearer {token}"
    return client


def add_tokens(world: World) -> float:
    """Add who comes with tokens of the owner; return when one of them expires."""
    for scope in SCOPES:
        text = world.token(verbs=[scope])["token"]
        world.people[scope] = [Client(world.site.node.url, "__token__", text), bearer(world.site, text)]
    elsewhere = world.token(indexes=["root/dev"])["token"]
    world.people["elsewhere"] = [bearer(world.site, elsewhere)]
    revoked = world.token()
    assert world.owner.delete(f"{world.owner.user}/+tokens/{revoked['id']}").status_code == 200
    world.people["revoked"] = [bearer(world.site, revoked["token"])]
    expires = int(time.time()) + 2
    world.people["expired"] = [bearer(world.site, world.token(expires=expires)["token"])]
    return float(expires)


def a_place(people: dict[str, list[Client]], table: str, upstream_url: str) -> Place:
    """Make a stage with all that can be in one, and a mirror with a file that was fetched."""
    (owner, *_), lists = people["owner"], acls(table, people)
    index = made_index(owner, **lists)
    assert owner.upload(index, wheel()).status_code == 200
    assert document(owner, index, wheel()).status_code == 200
    sent = owner.ask("POST", f"{index}/{wheel().path}", json={"testenvs": {}})
    assert sent.status_code == 200, sent.text
    mirror = made_index(owner, type="mirror", mirror_url=upstream_url, acl_read=lists["acl_read"])
    (project,) = owner.result(mirror)["projects"]
    (file,) = owner.get(f"{mirror}/+simple/{project}/", SIMPLE).json()["files"]
    path = file["url"].removeprefix("../../")
    assert owner.get(f"{mirror}/{path}", "*/*").status_code == 200
    target = made_index(owner, **lists)
    return Place(owner.user, index, target, mirror, path, sent.json()["result"].rpartition("/")[2])


def test_every_route_and_method_has_a_row_and_a_request() -> None:
    private, public = tables().values()
    assert {shape_of(row) for row in private} == routes()
    assert set(private) == set(DEEDS)
    assert set(public) == {row for row in DEEDS if OF_INDEX in row}


def test_every_row_says_something_of_everybody(world: World) -> None:
    for table in tables().values():
        assert all(set(row) == set(world.people) for row in table.values())


@pytest.mark.parametrize(
    ("table", "row"), [(table, row) for table in TABLES for row in DEEDS if table == "private" or OF_INDEX in row]
)
def test_everybody_may_what_the_page_says(world: World, table: str, row: str) -> None:
    deed, said = DEEDS[row], tables()[table][row]
    found = outcomes(world, table, deed)
    assert found == said


def outcomes(world: World, table: str, deed: Deed) -> dict[str, str]:
    """Return what everybody is answered, which is the same for a password, a login and other ways of one person."""
    found = {}
    for name, clients in world.people.items():
        answers = set()
        for client in clients[:1] if deed.hashes else clients:
            place = world.place(table, deed)
            if deed.spends == "user":
                victim = fresh()
                assert world.site.nobody.put(victim, {"password": PASSWORD}).status_code == 201
                place = evolve(place, user=victim)
            answers.add(deed.outcome(client, place))
        assert len(answers) == 1, (name, answers)
        found[name] = answers.pop()
    return found


def test_a_wrong_password_is_good_for_nothing(world: World) -> None:
    wrong = Client(world.site.node.url)
    wrong.session.headers["Authorization"] = basic(world.owner.user, "wrong")
    for row, cells in tables()["private"].items():
        if row.startswith("GET") and cells["anonymous"] != "yes":
            assert DEEDS[row].outcome(wrong, world.places["private"]) == "401", row
    wrong.close()
