"""What happens in random histories: wishes that a small world of names can have, each asked of any node."""

import random
from hashlib import sha256

from attrs import Factory, define

from changelog.blobs import Blobs
from changelog.events.upstream import MirroredFile
from changelog.names import FileName, IndexName, ProjectName, Version
from changelog.reader import Reader
from changelog.views import indexes
from server.commands import OPERATOR, Caller, Request
from server.layout import Layout
from server.upstream_commands import AcceptHash, ChangeMirrorPage, RecordFile, RecordMetadata, ReportHash
from server.wire import ask
from tests.following import ledgerpi, new_token
from tests.http.accounts import PASSWORD, fresh
from tests.http.client import Client, Dist, sdist, wheel
from tests.http.test_documentation import path_of, send, zipped
from tests.processes import Node
from tests.replica.voters import acknowledging, enrolled

PROJECTS = ("demo", "demo-extra", "Other.Name")
VERSIONS = ("1.0", "1.0.1", "2.0rc1")
UPSTREAM = Caller(":upstream", 0)
MAX_INDEXES = 4  # so that wishes meet


@define
class World:
    """What a random history did so far."""

    node: Node  # the primary
    nodes: tuple[Client, ...]  # root at each node: writes go to any of them
    chance: random.Random
    users: list[Client] = Factory(list)
    indexes: list[str] = Factory(list)
    files: list[tuple[str, Dist]] = Factory(list)
    answered: dict[int, int] = Factory(dict)  # how many answers had a status

    @property
    def root(self) -> Client:
        """Somebody who may do everything."""
        return self.chance.choice(self.nodes)

    def index(self) -> str:
        return self.chance.choice(self.indexes)

    def file(self) -> tuple[str, Dist]:
        return self.chance.choice(self.files)

    def release(self) -> str:
        return f"{self.index()}/{self.chance.choice(PROJECTS)}/{self.chance.choice(VERSIONS)}"


def create_user(world: World) -> object:
    name, asked = fresh(), world.root
    world.users.append(Client(asked.url, name, PASSWORD))
    return asked.put(name, {"password": PASSWORD, "email": f"{name}@example.org", "title": "a title"})


def change_user(world: World) -> object:
    user = world.chance.choice(world.users)
    return world.root.patch(user.user, {"description": str(world.chance.random())})


def change_password(world: World) -> object:
    return world.root.patch(world.chance.choice(world.users).user, {"password": PASSWORD + "!"})


def delete_user(world: World) -> object:
    """Delete one who has no index."""
    return world.root.delete(world.users.pop().user) if len(world.users) > 2 else None


def create_index(world: World) -> object:
    if len(world.indexes) > MAX_INDEXES:
        return None
    name = f"{world.chance.choice(world.users).user}/{fresh()}"
    bases = world.chance.sample(world.indexes, min(len(world.indexes), world.chance.randrange(3)))
    world.indexes.append(name)
    options = {"bases": bases, "volatile": world.chance.random() < 0.8, "title": "t", "acl_upload": ["root"]}
    return world.root.put(name, options)


def modify_index(world: World) -> object:
    options = world.chance.choice(
        [{"volatile": True}, {"acl_upload": ["root", "x"]}, {"title": "other"}, {"bases": []}]
    )
    return world.root.patch(world.index(), options)


def delete_index(world: World) -> object:
    if len(world.indexes) < 4:
        return None
    gone = world.index()
    world.indexes.remove(gone)
    return world.root.delete(gone)


def upload(world: World) -> object:
    index, project, version = world.index(), world.chance.choice(PROJECTS), world.chance.choice(VERSIONS)
    note = world.chance.choice(["", "x", "y" * 30_000])
    dist = world.chance.choice([wheel, sdist])(project, version, note=note)
    world.files.append((index, dist))
    return world.root.upload(index, dist)


def upload_again(world: World) -> object:
    return world.root.upload(*world.file())


def register(world: World) -> object:
    text = "é" * world.chance.choice([1, 20_000])
    project, version = world.chance.choice(PROJECTS), world.chance.choice(VERSIONS)
    return world.root.submit(world.index(), project, version, description=text)


def document(world: World) -> object:
    content = zipped({"index.html": world.chance.choice(["x", "y" * 30_000])})
    project, version = world.chance.choice(PROJECTS), world.chance.choice(VERSIONS)
    return send(world.root, world.index(), content, version, project)


def report(world: World) -> object:
    index, dist = world.file()
    return world.root.ask("POST", f"{index}/{dist.path}", data=b'{"testenvs": {}}')


def yank(world: World) -> object:
    index, dist = world.file()
    return world.root.patch(f"{index}/{dist.path}", {"yanked": world.chance.choice([True, False, "broken"])})


def yank_release(world: World) -> object:
    return world.root.patch(world.release(), {"yanked": world.chance.choice([True, False, "badly"])})


def delete_file(world: World) -> object:
    index, dist = world.file()
    return world.root.delete(f"{index}/{dist.path}?force")


def delete_release(world: World) -> object:
    return world.root.delete(f"{world.release()}?force")


def delete_project(world: World) -> object:
    return world.root.delete(f"{world.index()}/{world.chance.choice(PROJECTS)}?force")


def set_status(world: World) -> object:
    body = {"status": world.chance.choice(["active", "archived", "quarantined", "deprecated"]), "reason": "why"}
    return world.root.patch(f"{world.index()}/{world.chance.choice(PROJECTS)}", body)


def push(world: World) -> object:
    """Push a release, which often is not there."""
    what = {"name": world.chance.choice(PROJECTS), "version": world.chance.choice(VERSIONS)}
    return world.root.ask("POST", world.index(), json={**what, "targetindex": world.index()})


def make_token(world: World) -> object:
    kind = world.chance.choice(["+tokens", "+token-create"])
    return world.root.ask("POST", f"root/{kind}", json={"description": "of a test"})


def enrol(world: World) -> object:
    name = fresh()
    new_token(world.node, world.node.serverdir.parent, name)
    return ledgerpi("replica-token", "--serverdir", str(world.node.serverdir), name, "--revoke")


def vote(world: World) -> object:
    """Have copies count, and then no longer."""
    voter, where = enrolled(world.node, fresh()), ("--serverdir", str(world.node.serverdir))
    assert voter.join().ok
    with acknowledging(voter):
        ledgerpi("cluster", "durability", *where, "1")
    with acknowledging(voter):
        ledgerpi("cluster", "durability", *where, "0")
    return ledgerpi("cluster", "remove", *where, voter.name)


def mirror(world: World) -> object:
    """Have the writer write down what an upstream would have said."""
    name = f"root/{fresh()}"
    options = {"type": "mirror", "mirror_url": "http://127.0.0.1:9/simple/", "title": "a mirror"}
    answer = world.root.put(name, options)
    assert answer.status_code == 200, answer.text
    reader = Reader(Layout(world.node.serverdir).changelog)
    with reader.snapshot() as store:
        row = indexes.find(store, IndexName(name))
    reader.close()
    assert row is not None
    raw = f"Metadata-Version: 2.1\nName: mirrored\nSummary: {name}\n".encode()
    digest, other, metadata = sha256(name.encode()).digest(), bytes(32), sha256(raw).digest()
    filename, version = FileName("mirrored-1.0.tar.gz"), Version("1.0")
    file = MirroredFile(filename, version, "files/", digest, (), len(name), None, ">=3", None, metadata, "")
    where = (row.incarnation, ProjectName("mirrored"), filename)
    publish(world.node, name.encode())
    for caller, command in (
        (UPSTREAM, ChangeMirrorPage(*where[:2], 0, "active", "", "../", (((file,), ()),))),
        (UPSTREAM, RecordMetadata(*where, metadata)),
        (UPSTREAM, RecordFile(*where, len(name), digest, metadata, completes=False)),
        (UPSTREAM, ReportHash(*where, digest, other)),
        (Caller(OPERATOR, 0), AcceptHash(IndexName(name), *where[1:], other)),
    ):
        request = Request(caller, command, (), ((metadata, raw),))
        ask(Layout(world.node.serverdir).socket, "commit", request.plain())
    return answer


def publish(node: Node, content: bytes) -> None:
    """Give a primary a blob, as it has one before an entry names it."""
    layout = Layout(node.serverdir)
    spooled = layout.spool / "of-a-test"
    spooled.write_bytes(content)
    Blobs(layout.blobs).publish(spooled, sha256(content).digest())


def tour(world: World) -> object:
    """Do once what chance may leave out."""
    root, index = world.nodes[0], world.indexes[0]
    first, second, user = wheel("tour", "1.0"), wheel("tour", "2.0"), fresh()
    pages = zipped({"index.html": "on tour"})
    answers = [
        root.patch(index, {"title": "on tour", "acl_upload": ["root"], "volatile": True}),
        *(root.upload(index, dist) for dist in (first, second)),
        root.submit(index, "tour", "3.0", description="no file"),
        root.patch(f"{index}/{first.path}", {"yanked": "broken"}),
        root.patch(f"{index}/{first.path}", {"yanked": False}),
        root.patch(f"{index}/tour", {"status": "archived", "reason": "why"}),
        root.patch(f"{index}/tour", {"status": "active", "reason": ""}),
        root.ask("POST", f"{index}/{first.path}", data=b'{"testenvs": {}}'),
        send(root, index, pages, project="tour"),
        root.ask("POST", index, json={"name": "tour", "version": "2.0", "targetindex": world.indexes[1]}),
        root.ask("POST", "root/+token-create", json={}),
        token := root.ask("POST", "root/+tokens", json={"description": "on tour"}),
        root.delete(f"root/+tokens/{token.json()['result']['id']}"),
        root.delete(f"{index}/{first.path}"),
        root.delete(f"{index}/{path_of(pages, project='tour')}"),
        root.delete(f"{index}/tour/2.0"),
        root.upload(index, second),
        root.delete(f"{index}/tour"),
        root.put(user, {"password": PASSWORD}),
        root.put(f"{user}/dev", {"bases": []}),
        root.delete(f"{user}/dev"),
        root.delete(user),
    ]
    assert not [(answer.status_code, answer.text) for answer in answers if answer.status_code >= 300]
    return answers[-1]


OFTEN = (upload, upload, upload, upload, register, create_index)
STEPS_OF = (
    create_user,
    change_user,
    change_password,
    delete_user,
    modify_index,
    delete_index,
    upload_again,
    document,
    report,
    yank,
    yank_release,
    delete_file,
    delete_release,
    delete_project,
    set_status,
    push,
    make_token,
)
RARELY = (enrol, vote, mirror)
