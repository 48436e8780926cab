"""Options of mirrors: what is taken, what is refused, and that nobody sees what is secret in them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.http.client import Client, wheel
from tests.mirror.site import ANY, HTML, JSON, STALE, Site, fresh, running
from tests.upstream import faults, files
from tests.upstream.pages import LOCALHOST, OTHER_PORT
from tests.upstream.server import Upstream, upstream

PASSWORD = "pass/word%20of-nobody"  # as it stands in the URL: a raw slash too
SENT = "pass/word of-nobody"
TOKEN = "a-token-in-the-path"
OPTIONS: dict[str, tuple[object, object]] = {  # as it is sent, as it is shown
    "volatile": ("no", False),
    "mirror_cache_expiry": ("60", 60),
    "mirror_use_external_urls": (True, True),
    "mirror_no_project_list": ("yes", True),
    "mirror_ignore_serial_header": ("true", True),
    "mirror_provides_core_metadata": ("false", False),
    "mirror_web_url_fmt": ("https://index.example/project/{name}/", "https://index.example/project/{name}/"),
    "title": ("A mirror", "A mirror"),
    "description": ("of <another> index", "of <another> index"),
    "custom_data": ({"any": ["thing"]}, {"any": ["thing"]}),
}
BAD: list[tuple[str, object, str]] = [  # and what the message names
    ("volatile", "maybe", "maybe"),
    ("mirror_cache_expiry", -1, "-1"),
    ("mirror_cache_expiry", "soon", "soon"),
    ("mirror_cache_expiry", True, "True"),
    ("mirror_cache_expiry", 1 << 62, str(1 << 62)),
    ("mirror_use_external_urls", [], "[]"),
    ("mirror_web_url_fmt", "https://index.example/", "https://index.example/"),
    ("mirror_web_url_fmt", "index/{name}", "mirror_web_url_fmt"),
    ("title", 3, "3"),
    ("bases", ["root/pypi"], "bases"),
    ("mirror_whitelist", "*", "mirror_whitelist"),
    ("acl_upload", ["owner"], "acl_upload"),
    ("mirror_url", "ftp://index.example/", "ftp://index.example/"),
    ("mirror_url", "index.example", "index.example"),
    ("mirror_url", "https://", "https://"),
    ("mirror_url", "https://index.example/?token=1", "https://index.example/"),
    ("mirror_url", "https://index.example/ /", "https://index.example/ /"),
    ("mirror_url", ["https://index.example/"], "mirror_url"),
    ("mirror_url", "", "mirror_url"),
    ("mirror_url", None, "mirror_url"),
]


@pytest.fixture
def locked() -> Iterator[Upstream]:
    """An upstream that wants a password."""
    with upstream(files.wheel("locked"), files.sdist("locked"), auth=("user", SENT)) as made:
        yield made


def with_password(up: Upstream) -> str:
    return up.simple.replace("//", f"//user:{PASSWORD.replace('/', '%2F')}@")


def shown(site: Site, index: str, who: Client | None = None) -> dict[str, Any]:
    found = (who or site.owner).result(f"{index}?no_projects")
    assert isinstance(found, dict)
    return found


def created(site: Site, sent: dict[str, object]) -> str:
    return site.index(type="mirror", **sent)


def patched(site: Site, sent: dict[str, object]) -> str:
    index = site.mirror()
    answer = site.owner.patch(index, sent)
    assert answer.status_code == 200, answer.text
    return index


def operated(site: Site, sent: dict[str, object]) -> str:
    index = site.mirror()
    texts = [f"{key}={value}" for key, value in sent.items() if key != "custom_data"]
    answer = site.owner.patch(index, texts)
    assert answer.status_code == 200, answer.text
    site.owner.patch(index, {"custom_data": sent["custom_data"]})
    return index


@pytest.mark.parametrize("make", [created, patched, operated])
def test_every_option_is_taken_and_shown(site: Site, make: Callable[[Site, dict[str, object]], str]) -> None:
    index = make(site, {"mirror_url": site.up.simple, **{key: sent for key, (sent, _) in OPTIONS.items()}})
    found = shown(site, index)
    assert found == {
        "type": "mirror",
        "acl_read": [":ANONYMOUS:"],
        "mirror_url": site.up.simple,
        **{key: text for key, (_, text) in OPTIONS.items()},
    }
    assert site.owner.patch(index, found).status_code == 200
    assert site.owner.patch(f"{index}?error_on_noop", {"type": "indexconfig", "result": found}).status_code == 400
    assert shown(site, index) == found


def test_an_option_can_be_dropped(site: Site) -> None:
    index = site.mirror(title="A mirror")
    assert site.owner.patch(index, ["mirror_cache_expiry-=", "title="]).status_code == 200
    assert not {"mirror_cache_expiry", "title"} & shown(site, index).keys()
    assert site.owner.patch(index, ["mirror_url-="]).status_code == 400
    assert "mirror_url" in shown(site, index)


@pytest.mark.parametrize("case", BAD, ids=lambda case: f"{case[0]} {case[1]!r}")
def test_a_bad_value_is_named(site: Site, case: tuple[str, object, str]) -> None:
    key, value, named = case
    index = site.mirror()
    before = shown(site, index)
    created_with = {"type": "mirror", "mirror_url": site.up.simple, key: value}
    for answer in (
        site.owner.patch(index, {key: value}),
        site.owner.put(f"owner/{fresh('bad')}", created_with),
    ):
        assert answer.status_code == 400
        assert named in answer.json()["message"]
    assert shown(site, index) == before


@pytest.mark.parametrize(
    "url",
    [
        "ftp://user:{0}@index.example/",
        "https:/user:{0}@index.example/",
        "https//user:{0}@index.example/",
        "user:{0}@index.example",
        "https://user:{0}@index.example/ /",
        "https://user:{0}@index.example/?x=y",
        "https://user:{0}@",
        "https://user:{0}@index.example:99999/",
        "https://index.example/?token={0}",
        "https://index.example/#{0}",
    ],
)
@pytest.mark.parametrize("secret", [PASSWORD, "simple-secret"])
def test_no_message_repeats_a_password(site: Site, url: str, secret: str) -> None:
    index = site.mirror()
    bad = url.format(secret)
    answers = [
        site.owner.put(f"owner/{fresh('bad')}", {"type": "mirror", "mirror_url": bad}),
        site.owner.patch(index, {"mirror_url": bad}),
        site.owner.patch(index, [f"mirror_url={bad}"]),
        site.owner.patch(index, [f"mirror_url+={bad}"]),
        site.owner.patch(index, [f"mirror_url-={bad}"]),
        site.owner.patch(index, [f"mirror-url={bad}"]),
        site.owner.patch(index, [f"mirror_url {bad}"]),
        site.owner.patch(index, [[f"mirror_url={bad}"]]),
        site.owner.ask("PATCH", index, json=f"mirror_url={bad}"),
        site.owner.put(f"owner/{fresh('bad')}", {"type": "stage", "mirror_url": bad}),
        site.owner.put(f"owner/{fresh('bad')}", {"mirror_url": bad}),
    ]
    for answer in answers:
        assert answer.status_code == 400
        assert secret not in answer.text


def test_where_files_come_from_is_for_the_owner_and_root_alone(site: Site, locked: Upstream) -> None:
    index = site.index(type="mirror", mirror_url=with_password(locked), title="Ours")
    assert shown(site, index)["mirror_url"] == locked.simple.replace("//", "//***@")
    assert "mirror_url" in shown(site, index, site.root)
    stranger = Client(site.node.url, "stranger", "secret")
    site.nobody.put("stranger", {"password": "secret"})
    for who in (site.nobody, stranger):
        assert "mirror_url" not in shown(site, index, who)
        assert shown(site, index, who)["title"] == "Ours"
        assert "mirror_url" not in who.get("owner").text
        assert locked.simple not in who.get("").text
    stranger.close()


def test_echoing_what_was_shown_changes_nothing(site: Site, locked: Upstream) -> None:
    index = site.index(type="mirror", mirror_url=with_password(locked))
    found = shown(site, index)
    serial = site.serial()
    for sent in (found, {"type": "indexconfig", "result": found}, [f"mirror_url={found['mirror_url']}"]):
        assert site.owner.patch(index, sent).status_code == 200
    assert site.serial() == serial
    assert len(site.files(index, "locked")) == 2
    assert locked.asked[-1].credentials == ("user", SENT)
    assert site.owner.patch(index, {"title": "Other"}).status_code == 200
    assert site.refresh(index, "locked").status_code == 302
    assert locked.asked[-1].credentials == ("user", SENT)


def test_wrong_credentials_are_told_and_can_be_changed(site: Site, locked: Upstream) -> None:
    index = site.index(type="mirror", mirror_url=locked.simple.replace("//", "//user:wrong-one@"))
    answer = site.page(index, "locked")
    assert answer.status_code == 502
    assert "401" in answer.text
    assert site.owner.patch(index, {"mirror_url": with_password(locked)}).status_code == 200
    assert len(site.files(index, "locked")) == 2


@pytest.mark.parametrize("origin", [OTHER_PORT, LOCALHOST])
def test_credentials_go_to_their_own_origin_only(site: Site, origin: str) -> None:
    dist = files.wheel(fresh("origins"))
    with upstream(dist, auth=("user", SENT), origin=origin) as other:
        index = site.index(type="mirror", mirror_url=with_password(other))
        assert site.nobody.get(site.path(index, dist.owner, dist.filename), ANY).content == dist.content
        assert {asked.credentials for asked in other.pages()} == {("user", SENT)}
        assert [asked.credentials for asked in other.files()] == [None]


def test_credentials_do_not_follow_a_redirect(site: Site, locked: Upstream) -> None:
    name = fresh("elsewhere")
    locked.fail(f"/simple/{name}/", faults.redirect(f"{site.up.simple}{name}/"))
    site.up.put(files.wheel(name))
    index = site.index(type="mirror", mirror_url=with_password(locked))
    assert len(site.files(index, name)) == 1
    assert [asked.credentials for asked in site.up.pages(name)] == [None]


def test_no_secret_leaves_its_private_record(tmp_path: Path) -> None:
    name = fresh("secrets")
    dist = files.wheel(name)
    with upstream(dist, auth=("user", SENT), signed=True) as up, running(tmp_path, up) as site:
        tokened = with_password(up).replace("/simple/", f"/{TOKEN}/simple/")
        indexes = [site.index(type="mirror", mirror_url=url) for url in (with_password(up), tokened)]
        up.fail(f"/{TOKEN}/simple/{name}/", faults.redirect(f"{up.simple}{name}/"))
        answers = [site.page(index, name, accept) for index in indexes for accept in (JSON, HTML)]
        assert {answer.status_code for answer in answers} == {200}
        for path in [site.path(index, name, dist.filename) for index in indexes]:
            answers += [site.nobody.get(path, ANY), site.nobody.get(f"{path}.metadata", ANY), site.nobody.get(path)]
        site.wait_for_fetched(dist.filename)
        assert {answer.status_code for answer in answers} == {200}
        failures = [faults.redirect_loop(), faults.redirect("ftp://127.0.0.1/a"), faults.redirect("http://127.0.0.2/a")]
        for fault in (*failures, faults.html_as_json(), faults.status(403), faults.status(500)):
            up.heal()
            up.fail("*", fault)
            for index in indexes:
                answers += [site.page(index, fresh("unseen")), site.refresh(index, name), site.page(index, name)]
                answers += [
                    site.nobody.get(f"{index}/{page}") for page in (name, f"+explain/{name}", "+alarms", "+api")
                ]
        up.die()
        answers += [site.page(index, fresh("unseen")) for index in indexes]
        answers += [site.nobody.get(path) for path in ("", "owner", "+status", *indexes)]
        texts = [f"{answer.headers}{answer.text}" for answer in answers]
        printed = [site.ledgerpi("log", "--format", form) for form in ("jsonl", "table", "csv")]
        everywhere = "".join((*texts, *printed, site.node.log)).encode("utf-8", "replace") + b"".join(site.entries())
    for secret in (PASSWORD, PASSWORD.replace("/", "%2F"), SENT, TOKEN):
        assert secret.encode() not in everywhere


def test_another_mirror_url_begins_anew(site: Site, up: Upstream) -> None:
    name = fresh("moved")
    old, new = files.wheel(name), files.sdist(name)
    up.put(old)
    with upstream(new, serial=1) as other:
        up.change(serial=1_000)
        index = site.index(type="mirror", mirror_url=up.simple, mirror_cache_expiry=1800)
        assert list(site.files(index, name)) == [old.filename]
        assert site.owner.patch(index, {"mirror_url": other.simple}).status_code == 200
        answer = site.page(index, name)
        assert [file["filename"] for file in answer.json()["files"]] == [new.filename]
        assert STALE not in answer.headers
        assert "if-none-match" not in other.pages()[0].headers
        assert site.nobody.get(site.path(index, name, new.filename), ANY).content == new.content
    up.change(serial=None)


def test_an_option_counts_from_the_next_request_on(site: Site, up: Upstream) -> None:
    name = fresh("expiry")
    up.put(files.wheel(name))
    index = site.mirror(mirror_cache_expiry=1800)
    site.files(index, name)
    site.files(index, name)
    assert len(up.pages(name)) == 1
    assert site.owner.patch(index, {"mirror_cache_expiry": 0}).status_code == 200
    site.files(index, name)
    assert len(up.pages(name)) == 2


def test_nobody_else_may_change_a_mirror(site: Site) -> None:
    index = site.mirror()
    assert site.nobody.patch(index, {"title": "Mine"}).status_code == 401
    site.nobody.put("stranger", {"password": "secret"})
    stranger = Client(site.node.url, "stranger", "secret")
    assert stranger.patch(index, {"title": "Mine"}).status_code == 403
    assert stranger.put(f"owner/{fresh('new')}", {"type": "mirror", "mirror_url": site.up.simple}).status_code == 403
    assert site.owner.patch(index, {"type": "stage"}).status_code == 400
    stranger.close()


def test_a_deleted_mirror_and_a_new_one_of_its_name_have_nothing_in_common(site: Site, up: Upstream) -> None:
    name = fresh("again")
    dist = files.wheel(name)
    up.put(dist)
    index = site.mirror(mirror_cache_expiry=1800)
    path = site.path(index, name, dist.filename)
    assert site.nobody.get(path, ANY).content == dist.content
    site.wait_for_fetched(dist.filename)
    assert site.owner.delete(index).status_code == 201
    assert site.nobody.get(path, ANY).status_code == 404
    assert site.page(index, name).status_code == 404
    assert site.owner.put(index, {"type": "mirror", "mirror_url": up.simple}).status_code == 200
    assert len(site.files(index, name)) == 1
    assert len(up.pages(name)) == 2


def test_uploads_to_a_mirror_are_refused(site: Site) -> None:
    index = site.mirror()
    dist = wheel(fresh("upload"))
    assert site.owner.upload(index, dist).status_code == 404
    assert site.owner.submit(index, "demo", "1.0").status_code == 404
    assert "pypisubmit" not in site.nobody.result(f"{index}/+api")


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_what_upstream_says_is_not_changed_here(site: Site, up: Upstream, method: str) -> None:
    dist = files.wheel(fresh("fixed"))
    up.put(dist)
    index = site.mirror(volatile=False)
    path = site.path(index, dist.owner, dist.filename)
    for where in (path, f"{index}/{dist.owner}", f"{index}/{dist.owner}/1.0"):
        body = {"status": "archived"} if where == f"{index}/{dist.owner}" else {"yanked": True}
        answer = site.owner.ask(method, where, json=body if method == "PATCH" else None)
        assert answer.status_code in {403, 404, 405}, (where, answer.text)
    assert site.files(index, dist.owner)[dist.filename]["yanked"] is False


def test_private_addresses_are_refused_unless_they_are_allowed(tmp_path: Path) -> None:
    with (
        upstream(files.wheel("inner")) as up,
        running(tmp_path, up, networks="192.0.2.0/24") as site,
    ):
        for url in (up.simple, up.simple.replace("127.0.0.1", "localhost"), "http://169.254.169.254/latest/"):
            index = site.index(type="mirror", mirror_url=url)
            answer = site.page(index, "inner")
            assert answer.status_code == 502
            assert "not allowed" in answer.text
        assert "127.0.0.1" in site.node.log
        assert "169.254.169.254" in site.node.log
        assert up.asked == []
