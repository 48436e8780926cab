"""What devpi-client says, and what is there then, at a primary and at its replica: users, indexes, lists and JSON."""

import json
from pathlib import Path

from tests.e2e.devpi import Devpi, both
from tests.http.accounts import PASSWORD, fresh, make_index


def test_use_names_the_index_its_urls_and_all_others(devpi: Devpi) -> None:
    name = make_index(devpi.user)
    own = f"{devpi.url}/{name}"
    assert f"current devpi index: {own} (logged in as {devpi.user.user})" in devpi.run("use", name)
    said = devpi.run("use", "--urls")
    for url in (f"simpleindex: {own}/+simple/", f"pypisubmit: {own}/", f"login: {devpi.url}/+login"):
        assert url in said
    assert "push-no-docs, push-only-docs, push-register-project, server-keyvalue-parsing" in said
    listed = devpi.run("use", "-l")
    assert f"{name} bases= volatile=True" in listed
    assert "root/dev bases= volatile=True" in listed
    own_only = devpi.run("use", "-l", "--user", devpi.user.user)
    assert name in own_only
    assert "root/dev" not in own_only
    assert "404 Not Found: no such index: root/none" in devpi.refused("use", f"{devpi.url}/root/none")


def test_use_configures_pip_once_or_each_time(devpi: Devpi, tmp_path: Path) -> None:
    conf = tmp_path / "pip.conf"
    first, second = make_index(devpi.user), make_index(devpi.user)
    said = devpi.run("use", "--set-cfg", first, PIP_CONFIG_FILE=str(conf))
    assert f"{conf}: {devpi.url}/{first}/+simple/" in said.replace("pip.conf :", "pip.conf:")
    assert f"index-url = {devpi.url}/{first}/+simple/" in conf.read_text().replace("index_url", "index-url")
    devpi.run("use", second, PIP_CONFIG_FILE=str(conf))
    assert f"/{second}/" not in conf.read_text()
    assert "always-set-cfg: yes" in devpi.run("use", "--always-set-cfg=yes", first, PIP_CONFIG_FILE=str(conf))
    devpi.run("use", second, PIP_CONFIG_FILE=str(conf))
    assert f"{devpi.url}/{second}/+simple/" in conf.read_text()
    assert "always-set-cfg: no" in devpi.run("use", "--always-set-cfg=no", second, PIP_CONFIG_FILE=str(conf))


def test_login_lasts_until_logoff(devpi: Devpi, tmp_path: Path) -> None:
    other, name = devpi.another(tmp_path / "home"), devpi.user.user
    assert "(not logged in)" in other.run("use", devpi.url)
    assert "401" in other.refused("login", name, "--password=guessed")
    said = other.run("login", name, typed=f"{PASSWORD}\n")
    assert f"logged in '{name}', credentials valid for 10.00 hours" in said
    assert f"logged in as {name}" in other.run("use")
    assert "login information deleted" in other.run("logoff")
    assert "(not logged in)" in other.run("use")
    assert "not logged in" in other.attempt("logout").text
    assert "403" in other.refused("user", "-m", name, "title=x") or "401" in other.refused(
        "user", "-m", name, "title=x"
    )


def test_a_user_is_made_listed_shown_changed_and_deleted(devpi: Devpi, tmp_path: Path) -> None:
    other, name = devpi.another(tmp_path / "home"), fresh()
    other.run("use", devpi.url)
    assert f"user created: {name}" in other.run("user", "-c", name, "password=long enough", "email=x@y.example")
    assert f"409 Conflict: user already exists: {name}" in other.refused("user", "-c", name, "password=again")
    assert "400" in other.refused("user", "-c", "a!b", "password=x")
    assert {name, "root"} <= set(other.run("user", "-l").split())
    other.run("login", name, "--password=long enough")
    assert f"user modified: {name}" in other.run("user", "-m", name, "title=Somebody", "email=")
    found = devpi.user.result(name)
    assert (found["title"], found.get("email")) == ("Somebody", None)
    shown = other.run("user")
    assert f"{devpi.url}/{name}:" in shown
    assert "title=Somebody" in shown
    assert "password" not in shown
    assert f"user deleted: {name}" in other.run("user", "-y", "--delete", name)
    assert devpi.user.get(name).status_code == 404
    assert "404" in other.refused("user", name)


def test_a_password_is_changed_by_who_knows_it(devpi: Devpi, tmp_path: Path) -> None:
    other, name = devpi.another(tmp_path / "home"), fresh()
    other.run("use", devpi.url)
    other.run("user", "-c", name, typed="first secret\nfirst secret\n")
    other.run("login", name, "--password=first secret")
    said = other.run("passwd", typed="second secret\nsecond secret\n")
    assert f"user modified: {name}" in said
    assert "second" not in said
    assert "401" in other.refused("login", name, "--password=first secret")
    other.run("login", name, "--password=second secret")


def test_an_index_is_made_shown_listed_and_deleted(devpi: Devpi) -> None:
    base, name = make_index(devpi.user), fresh()
    full = f"{devpi.user.user}/{name}"
    said = devpi.run("index", "-c", name, f"bases={base}", "volatile=False", "title=Of mine")
    assert (
        f"{devpi.url}/{full}?no_projects=: type=stage bases={base} volatile=False acl_upload={devpi.user.user}" in said
    )
    assert "title=Of mine" in said
    found = devpi.user.result(full)
    assert (found["bases"], found["volatile"], found["title"]) == ([base], False, "Of mine")
    assert f"409 Conflict: index already exists: {full}" in devpi.refused("index", "-c", name)
    assert f"bases={base}" in devpi.run("index", full)
    assert full in devpi.run("index", "-l").split()
    assert "403" in devpi.refused("index", "-y", "--delete", full)  # it is not volatile
    devpi.run("index", full, "volatile=True")
    assert f"index deleted: {devpi.url}/{full}" in devpi.run("index", "-y", "--delete", full)
    assert devpi.user.get(full).status_code == 404
    assert devpi.refused("index", full) in {"", f"GET {devpi.url}/{full} 404 Not Found: no such index: {full}"}


def test_settings_of_an_index_are_set_added_and_taken_away(devpi: Devpi) -> None:
    name, user = make_index(devpi.user), devpi.user.user
    assert f"acl_upload={user},root" in devpi.run("index", name, "title=New", f"acl_upload={user},root")
    assert f"acl_upload={user},root,:ANONYMOUS:" in devpi.run("index", name, "acl_upload+=:ANONYMOUS:")
    said = devpi.run("index", name, "acl_upload-=root", "title-=")
    assert f"/{name} acl_upload-=root" in said
    assert f"acl_upload={user},:ANONYMOUS:" in said
    found = devpi.user.result(name)
    assert (found["acl_upload"], found.get("title")) == ([user, ":ANONYMOUS:"], None)
    assert "400 Bad Request: unknown option of a stage: 'nonsense'" in devpi.refused("index", name, "nonsense=1")
    assert "volatile must be true or false, not 'perhaps'" in devpi.refused("index", name, "volatile=perhaps")
    assert "404" in devpi.refused("index", f"{user}/none", "title=x")
    assert devpi.user.result(name)["acl_upload"] == found["acl_upload"]


def test_list_names_projects_versions_and_files(devpi: Devpi, tmp_path: Path) -> None:
    base = devpi.index()
    devpi.uploaded(base, tmp_path / "dist", *(f"{major}.0" for major in range(1, 6)), name="alpha-beta")
    above = devpi.index(bases=[base])
    devpi.uploaded(above, tmp_path / "dist", "1.0", name="gamma")
    assert devpi.run("list") == "gamma"
    assert devpi.run("list", "--index", base) == "alpha-beta"
    devpi.run("use", base)
    assert devpi.run("list", "-v").replace("==", "-") == "alpha-beta-5.0"
    every = devpi.run("list", "-v", "--all").replace("==", "-").split()
    assert every == [f"alpha-beta-{major}.0" for major in range(1, 6)]
    few = devpi.run("list", "alpha-beta")
    assert "older versions not shown, use --all to see" in few
    assert "-1.0" not in few
    said = [word for word in devpi.run("list", "--all", "Alpha_Beta").split() if "/+f/" in word]
    assert all(url.startswith(f"{devpi.url}/{base}/+f/") for url in said)
    names = {url.rpartition("/")[2] for url in said}
    assert names == {name for major in range(1, 6) for name in both(f"{major}.0", "alpha-beta")}
    assert "-2.0" not in devpi.run("list", "alpha-beta<2")
    assert f"/{base}/+f/" in devpi.run("list", "--index", above, "alpha-beta==1.0")
    assert devpi.run("list", "--index", above, "--ignore-bases", "alpha-beta") == ""
    assert "404" in devpi.refused("list", "missing")


def test_json_is_shown_and_patched(devpi: Devpi, tmp_path: Path) -> None:
    name = devpi.index()
    shown = json.loads(devpi.run("getjson", f"/{name}"))
    assert (shown["type"], shown["result"]["type"]) == ("indexconfig", "stage")
    assert devpi.user.user in json.loads(devpi.run("getjson", "/"))["result"]
    patch = tmp_path / "patch.json"
    patch.write_text('{"title": "patched"}')
    said = devpi.run("patchjson", f"/{name}", patch)
    assert f"PATCH REQUEST sent to {devpi.url}/{name}" in said
    patch.write_text('["acl_upload+=root"]')
    devpi.run("patchjson", f"/{name}", patch)
    assert devpi.user.result(name)["acl_upload"] == [devpi.user.user, "root"]
    assert "404 Not Found" in devpi.refused("getjson", "/none")
