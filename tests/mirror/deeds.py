"""One request for each route and method, such that who may do it is answered as told here; others are not.

A new route needs a row in docs/operating/permissions.md and an entry in DEEDS.
"""

import io
import xmlrpc.client
import zipfile
from collections.abc import Callable
from functools import cache

import requests
from attrs import frozen

from tests.http.accounts import fresh
from tests.http.client import Client, Dist, wheel

SIMPLE = "application/vnd.pypi.simple.v1+json"
JSON = "application/json"
ANY = "*/*"
DONE = (200, 201, 302)
DOCUMENTATION = "/+doc/"


@frozen
class Place:
    """What a request is about."""

    owner: str
    index: str  # has demo 1.0 with documentation and a test result
    target: str  # takes what is pushed, and has the same readers and uploaders
    mirror: str
    mirrored: str  # path of a file below the mirror, whose digest upstream does not say
    result: str  # name of the test result
    token: str = "none"  # id of a token of the owner
    user: str = ""  # who may be deleted


@frozen
class Deed:
    """A request, and how it is answered to who may send it: a status of *done*, with *told* in the body."""

    send: Callable[[Client, Place], requests.Response]
    done: tuple[int, ...] = DONE
    told: str = ""
    spends: str = ""  # what each needs one of its own of: "index", "user", "token"
    hashes: bool = False  # a password, which takes a core a while

    def outcome(self, client: Client, place: Place) -> str:
        """Return "yes", or the status that refuses."""
        answer = self.send(client, place)
        if answer.status_code in self.done and self.told in answer.text:
            return "yes"
        if "<fault>" in answer.text and "no such index" in answer.text:
            return "404"  # as XML-RPC says it
        assert answer.status_code in {401, 403, 404}, (answer.status_code, answer.text)
        assert (answer.status_code == 401) is ("WWW-Authenticate" in answer.headers)
        return str(answer.status_code)


def get(path: str, accept: str = JSON) -> Deed:
    """Return a GET; *path* names the fields of a place."""
    return Deed(lambda client, place: client.get(path.format(place=place), accept))


def ask(method: str, path: str, body: object = None, told: str = "", done: tuple[int, ...] = DONE) -> Deed:
    """Return another request, with JSON if there is a *body*."""
    return Deed(lambda client, place: client.ask(method, path.format(place=place), json=body), done, told)


def spending(what: str, path: str) -> Deed:
    """Return a DELETE, which is good once."""
    return Deed(lambda client, place: client.delete(path.format(place=place)), spends=what, hashes=what == "user")


@cache
def documentation() -> bytes:
    """Return a zip file with one page."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(zipfile.ZipInfo("index.html"), "home")
    return made.getvalue()


def document(client: Client, index: str, dist: Dist) -> requests.Response:
    """Send documentation of a file's project."""
    fields = {":action": "doc_upload", "name": dist.fields["name"], "version": dist.fields["version"]}
    return client.ask("POST", f"{index}/", data=fields, files={"content": ("docs.zip", documentation())})


def push(client: Client, source: str, target: str) -> requests.Response:
    """Push demo 1.0 from one index to another."""
    return client.ask("POST", source, json={"name": "demo", "version": "1.0", "targetindex": target})


def signed(path: str, done: tuple[int, ...]) -> Deed:
    """Return a body that no member signed, which is read once the token is good."""
    return Deed(lambda client, _: client.ask("POST", path, data=b"nobody's"), done)


SEARCH = xmlrpc.client.dumps(({"name": "demo"},), "search").encode()
INDEX, USER = "{place.index}", "{place.owner}"
FILE = f"{INDEX}/{wheel().path}"
VERSION = f"{INDEX}/demo/1.0"
RESULTS = f"{VERSION}/+toxresults/{wheel().filename}"
DEEDS: dict[str, Deed] = {
    "GET /": get(""),
    "GET /+api": get("+api"),
    "GET /{user}/+api": get(f"{USER}/+api"),
    "GET /{user}/{index}/+api": get(f"{INDEX}/+api"),
    "POST /+login": ask("POST", "+login", {"user": "root", "password": "secret"}),
    "GET /+authcheck": get("+authcheck"),
    "GET /+status": get("+status"),
    "GET /+health": get("+health"),
    "GET /+health/{question}": get("+health/primary"),
    "GET /+changelog": Deed(lambda client, _: client.get("+changelog?origin=another&size=0&root="), (400, 409)),
    "GET /+blob/{sha256}": get(f"+blob/{wheel().sha256}", ANY),
    "POST /+blobs": Deed(lambda client, _: client.ask("POST", "+blobs", data=bytes.fromhex(wheel().sha256))),
    "POST /+join": signed("+join", (400,)),
    "POST /+ack": signed("+ack", (400,)),
    "GET /+promise": get("+promise", ANY),
    "POST /+promise": signed("+promise", (400,)),
    "GET /{user}": get(USER),
    "PUT /{user}": Deed(lambda client, _: client.put(fresh(), {"password": "secret"}), hashes=True),
    "PATCH /{user}": ask("PATCH", USER, {"title": "x"}),
    "DELETE /{user}": spending("user", "{place.user}"),
    "GET /{user}/+tokens": get(f"{USER}/+tokens"),
    "POST /{user}/+tokens": ask("POST", f"{USER}/+tokens", {}),
    "GET /{user}/+tokens/{id}": get(f"{USER}/+tokens/{{place.token}}"),
    "DELETE /{user}/+tokens/{id}": spending("token", f"{USER}/+tokens/{{place.token}}"),
    "POST /{user}/+token-create": ask("POST", f"{USER}/+token-create", {}),
    "GET /{user}/{index}": get(INDEX),
    "PUT /{user}/{index}": Deed(lambda client, place: client.put(f"{place.owner}/{fresh()}", {})),
    "PATCH /{user}/{index}": ask("PATCH", INDEX, {"title": "x"}),
    "DELETE /{user}/{index}": spending("index", INDEX),
    "POST /{user}/{index} (upload)": Deed(lambda client, place: client.upload(place.index, wheel())),
    "POST /{user}/{index} (push)": Deed(lambda client, place: push(client, place.index, place.target)),
    "POST /{user}/{index} (search)": Deed(
        lambda client, place: client.ask("POST", f"{place.index}/", data=SEARCH, headers={"Content-Type": "text/xml"}),
        told="demo",
    ),
    "GET /{user}/{index}/+simple": get(f"{INDEX}/+simple/", SIMPLE),
    "GET /{user}/{index}/+simple/{project}": get(f"{INDEX}/+simple/demo/", SIMPLE),
    "POST /{user}/{index}/+simple/{project}/refresh": ask("POST", f"{INDEX}/+simple/demo/refresh"),
    "GET /{user}/{index}/+explain/{project}": get(f"{INDEX}/+explain/demo"),
    "GET /{user}/{index}/+alarms": get(f"{INDEX}/+alarms"),
    "POST /{user}/{index}/+alarms": ask(
        "POST",
        f"{INDEX}/+alarms",
        {"project": "demo", "filename": wheel().filename, "sha256": wheel().sha256},
        "no alarm",
        (404,),
    ),
    "GET /{user}/{index}/+f/{abc}/{def0123456789}/{file}": get(FILE, ANY),
    "POST /{user}/{index}/+f/{abc}/{def0123456789}/{file}": ask("POST", FILE, {"testenvs": {}}),
    "DELETE /{user}/{index}/+f/{abc}/{def0123456789}/{file}": spending("index", FILE),
    "PATCH /{user}/{index}/+f/{abc}/{def0123456789}/{file}": ask("PATCH", FILE, {"yanked": False}),
    "GET /{user}/{index}/+e/{def0123456789}/{file}": get("{place.mirror}/{place.mirrored}", ANY),
    "DELETE /{user}/{index}/+e/{def0123456789}/{file}": ask("DELETE", "{place.mirror}/{place.mirrored}"),
    "GET /{user}/{index}/{project}": get(f"{INDEX}/demo"),
    "DELETE /{user}/{index}/{project}": spending("index", f"{INDEX}/demo"),
    "PATCH /{user}/{index}/{project}": ask("PATCH", f"{INDEX}/demo", {"status": "active"}),
    "GET /{user}/{index}/{project}/{version}": get(VERSION),
    "DELETE /{user}/{index}/{project}/{version}": spending("index", VERSION),
    "PATCH /{user}/{index}/{project}/{version}": ask("PATCH", VERSION, {"yanked": False}),
    "GET /{user}/{index}/{project}/{version}/+doc/…": get(f"{VERSION}/+doc/", ANY),
    "GET /{user}/{index}/{project}/{version}/+d/…": get(f"{VERSION}/+d/", ANY),
    "GET /{user}/{index}/{project}/{version}/+toxresults/{file}": get(RESULTS),
    "GET /{user}/{index}/{project}/{version}/+toxresults/{file}/{result}": get(f"{RESULTS}/{{place.result}}", ANY),
}
