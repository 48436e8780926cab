"""``/{user}/{index}/{project}`` and ``/{version}``: JSON for devpi's clients, deletion, yanking, status."""

import pytest

from tests.http.accounts import make_index
from tests.http.client import Client, sdist, wheel

ANY = "*/*"
SIMPLE = "application/vnd.pypi.simple.v1+json"
ONE, TWO = wheel("demo", "1.0"), wheel("demo", "2.0")


@pytest.fixture
def filled(owner: Client, index: str) -> str:
    """A volatile index with demo 1.0 and 2.0."""
    for dist in (ONE, TWO):
        assert owner.upload(index, dist).status_code == 200
    return index


@pytest.fixture
def fixed_filled(owner: Client, fixed: str) -> str:
    """The same, not volatile."""
    for dist in (ONE, TWO):
        assert owner.upload(fixed, dist).status_code == 200
    return fixed


def listed(client: Client, index: str) -> dict[str, dict[str, object]]:
    files = client.get(f"{index}/+simple/demo/", SIMPLE).json()["files"]
    return {file["filename"]: file for file in files}


def test_a_project_shows_all_its_versions(nobody: Client, filled: str) -> None:
    answer = nobody.get(f"{filled}/demo")
    assert answer.json()["type"] == "projectconfig"
    result = answer.json()["result"]
    assert sorted(result) == ["1.0", "2.0"]
    assert result["1.0"] == nobody.result(f"{filled}/demo/1.0")


def test_a_version_shows_metadata_and_links(nobody: Client, owner: Client, filled: str, url: str) -> None:
    owner.upload(filled, sdist())
    answer = nobody.get(f"{filled}/demo/1.0")
    assert answer.json()["type"] == "versiondata"
    result = answer.json()["result"]
    assert (result["name"], result["version"], result["summary"]) == ("demo", "1.0", "what it is")
    links = {link["href"]: link for link in result["+links"]}
    assert links.keys() == {f"{url}/{filled}/{dist.path}" for dist in (ONE, sdist())}
    link = links[f"{url}/{filled}/{ONE.path}"]
    assert link["rel"] == "releasefile"
    assert link["hash_spec"] == f"sha256={ONE.sha256}"
    assert link["hashes"]["sha256"] == ONE.sha256
    (entry,) = link["log"]
    assert (entry["what"], entry["who"], entry["dst"]) == ("upload", owner.user, filled)
    assert len(entry["when"]) == 6


def test_every_link_leads_to_its_file(nobody: Client, filled: str, url: str) -> None:
    for data in nobody.result(f"{filled}/demo").values():
        for link in data["+links"]:
            assert nobody.get(link["href"][len(url) + 1 :], ANY).status_code == 200


def test_a_link_has_the_url_of_the_front_server(nobody: Client, filled: str) -> None:
    answer = nobody.get(f"{filled}/demo/1.0", X_Outside_Url="https://index.example/x")
    (link,) = answer.json()["result"]["+links"]
    assert link["href"] == f"https://index.example/x/{filled}/{ONE.path}"


@pytest.mark.parametrize("path", ["other", "demo/3.0", "other/1.0", "demo/1"])
def test_what_is_not_there_is_404(nobody: Client, filled: str, path: str) -> None:
    assert nobody.get(f"{filled}/{path}").status_code == 404


def test_versions_of_bases_are_shown_unless_not_wanted(owner: Client, nobody: Client, filled: str) -> None:
    heir = make_index(owner, bases=[filled])
    owner.upload(heir, wheel("demo", "3.0"))
    assert sorted(nobody.result(f"{heir}/demo")) == ["1.0", "2.0", "3.0"]
    assert sorted(nobody.result(f"{heir}/demo?ignore_bases=")) == ["3.0"]
    assert nobody.get(f"{heir}/demo/1.0").status_code == 200
    assert nobody.get(f"{heir}/demo/1.0?ignore_bases=").status_code == 404


def test_a_project_that_only_bases_have_has_no_own_version(owner: Client, nobody: Client, filled: str) -> None:
    heir = make_index(owner, bases=[filled])
    assert nobody.result(f"{heir}/demo?ignore_bases=") == {}
    assert nobody.get(f"{heir}/other?ignore_bases=").status_code == 404


def test_the_same_version_of_a_base_is_shadowed(owner: Client, nobody: Client, filled: str, url: str) -> None:
    heir = make_index(owner, bases=[filled])
    own = wheel("demo", "1.0", note="own")
    owner.upload(heir, own)
    result = nobody.result(f"{heir}/demo/1.0")
    assert [link["href"] for link in result["+links"]] == [f"{url}/{heir}/{own.path}"]
    (shadowed,) = result["+shadowing"]
    assert [link["href"] for link in shadowed["+links"]] == [f"{url}/{filled}/{ONE.path}"]


def test_a_version_that_is_nowhere_else_shadows_nothing(nobody: Client, filled: str) -> None:
    assert "+shadowing" not in nobody.result(f"{filled}/demo/1.0")


@pytest.mark.parametrize("path", [f"{ONE.path}", "demo/1.0", "demo"])
def test_a_deletion_is_200_with_a_message_and_one_entry(owner: Client, filled: str, path: str) -> None:
    before = owner.serial()
    answer = owner.delete(f"{filled}/{path}")
    assert answer.status_code == 200
    assert answer.json()["message"]
    assert owner.serial() == before + 1


def test_a_deleted_version_is_gone_with_its_files(owner: Client, nobody: Client, filled: str) -> None:
    owner.delete(f"{filled}/demo/1.0")
    assert list(nobody.result(f"{filled}/demo")) == ["2.0"]
    assert list(listed(nobody, filled)) == [TWO.filename]
    assert nobody.get(f"{filled}/{ONE.path}", ANY).status_code == 410


def test_a_deleted_project_is_gone_with_its_files(owner: Client, nobody: Client, filled: str) -> None:
    owner.delete(f"{filled}/demo")
    assert nobody.get(f"{filled}/demo").status_code == 404
    assert nobody.get(f"{filled}/+simple/demo/", SIMPLE).status_code == 404
    assert nobody.result(filled)["projects"] == []
    assert nobody.get(f"{filled}/{ONE.path}", ANY).status_code == 410


def test_the_last_file_takes_its_version_along_and_the_last_version_its_project(
    owner: Client, nobody: Client, filled: str
) -> None:
    owner.delete(f"{filled}/{ONE.path}")
    assert list(nobody.result(f"{filled}/demo")) == ["2.0"]
    owner.delete(f"{filled}/{TWO.path}")
    assert nobody.get(f"{filled}/demo").status_code == 404
    assert nobody.result(filled)["projects"] == []


def test_the_last_version_takes_its_project_along(owner: Client, nobody: Client, filled: str) -> None:
    owner.delete(f"{filled}/demo/1.0")
    owner.delete(f"{filled}/demo/2.0")
    assert nobody.result(filled)["projects"] == []


def test_a_project_uploaded_again_has_nothing_of_the_old_one(owner: Client, nobody: Client, filled: str) -> None:
    owner.patch(f"{filled}/demo", {"status": "deprecated", "reason": "old"})
    owner.delete(f"{filled}/demo")
    owner.upload(filled, ONE)
    page = nobody.get(f"{filled}/+simple/demo/", SIMPLE).json()
    assert page["versions"] == ["1.0"]
    assert page["project-status"] == {"status": "active"}
    assert nobody.get(f"{filled}/{TWO.path}", ANY).status_code == 410


@pytest.mark.parametrize("path", [f"{ONE.path}", "demo/1.0", "demo"])
def test_nothing_is_deleted_where_nothing_is_volatile_unless_forced(
    owner: Client, nobody: Client, fixed_filled: str, path: str
) -> None:
    before = owner.serial()
    assert owner.delete(f"{fixed_filled}/{path}").status_code == 403
    assert owner.serial() == before
    assert nobody.get(f"{fixed_filled}/{ONE.path}", ANY).status_code == 200
    assert owner.delete(f"{fixed_filled}/{path}?force").status_code == 200
    assert nobody.get(f"{fixed_filled}/{ONE.path}", ANY).status_code == 410


@pytest.mark.parametrize("path", ["other", "demo/3.0", "other/1.0", "+f/012/0123456789abc/demo-1.0.tar.gz"])
def test_deleting_what_never_was_is_404_and_not_in_the_log(owner: Client, filled: str, path: str) -> None:
    before = owner.serial()
    assert owner.delete(f"{filled}/{path}").status_code == 404
    assert owner.serial() == before


@pytest.mark.parametrize(("path", "status"), [(ONE.path, 410), ("demo", 410), ("demo/1.0", 410)])
def test_deleting_what_is_gone_is_410_and_not_in_the_log(owner: Client, filled: str, path: str, status: int) -> None:
    owner.delete(f"{filled}/demo")
    before = owner.serial()
    assert owner.delete(f"{filled}/{path}").status_code == status
    assert owner.serial() == before


def test_what_a_base_has_is_not_deleted_through_an_heir(owner: Client, nobody: Client, filled: str) -> None:
    heir = make_index(owner, bases=[filled])
    assert owner.delete(f"{heir}/demo").status_code == 404
    assert owner.delete(f"{heir}/{ONE.path}").status_code == 404
    assert nobody.get(f"{filled}/{ONE.path}", ANY).status_code == 200


@pytest.mark.parametrize(("wish", "shown"), [(True, True), ("broken", "broken"), ("", True)])
def test_a_yanked_file_stays_listed_with_its_reason_and_can_be_fetched(
    owner: Client, nobody: Client, filled: str, wish: object, shown: object
) -> None:
    assert owner.patch(f"{filled}/{ONE.path}", {"yanked": wish}).status_code == 200
    assert listed(nobody, filled)[ONE.filename]["yanked"] == shown
    assert listed(nobody, filled)[TWO.filename]["yanked"] is False
    html = nobody.get(f"{filled}/+simple/demo/", "text/html").text
    assert f'data-yanked="{shown if isinstance(shown, str) else ""}"' in html
    assert nobody.get(f"{filled}/{ONE.path}", ANY).status_code == 200


def test_a_mark_can_be_removed(owner: Client, nobody: Client, filled: str) -> None:
    owner.patch(f"{filled}/{ONE.path}", {"yanked": "broken"})
    owner.patch(f"{filled}/{ONE.path}", {"yanked": False})
    assert listed(nobody, filled)[ONE.filename]["yanked"] is False
    assert "data-yanked" not in nobody.get(f"{filled}/+simple/demo/", "text/html").text


def test_a_version_is_yanked_with_all_its_files(owner: Client, nobody: Client, filled: str) -> None:
    owner.upload(filled, sdist())
    owner.patch(f"{filled}/demo/1.0", {"yanked": "broken"})
    yanked = {name: file["yanked"] for name, file in listed(nobody, filled).items()}
    assert yanked == {ONE.filename: "broken", sdist().filename: "broken", TWO.filename: False}


def test_a_mark_that_is_there_is_not_written_again(owner: Client, filled: str) -> None:
    owner.patch(f"{filled}/{ONE.path}", {"yanked": "broken"})
    before = owner.serial()
    assert owner.patch(f"{filled}/{ONE.path}", {"yanked": "broken"}).status_code == 200
    assert owner.serial() == before


def test_a_file_can_be_yanked_where_nothing_is_volatile(owner: Client, nobody: Client, fixed_filled: str) -> None:
    assert owner.patch(f"{fixed_filled}/{ONE.path}", {"yanked": True}).status_code == 200
    assert listed(nobody, fixed_filled)[ONE.filename]["yanked"] is True


@pytest.mark.parametrize("body", [{}, {"yanked": 1}, {"yanked": None}, {"yanked": []}, {"yanked": True, "x": 1}, []])
def test_a_yank_that_says_something_else_is_400(owner: Client, filled: str, body: object) -> None:
    before = owner.serial()
    assert owner.patch(f"{filled}/{ONE.path}", body).status_code == 400
    assert owner.patch(f"{filled}/demo/1.0", body).status_code == 400
    assert owner.serial() == before


def test_yanking_what_is_not_there_is_404(owner: Client, filled: str) -> None:
    for path in ("demo/3.0", "other/1.0", "+f/012/0123456789abc/demo-1.0.tar.gz"):
        assert owner.patch(f"{filled}/{path}", {"yanked": True}).status_code == 404


@pytest.mark.parametrize("status", ["archived", "deprecated", "quarantined", "active"])
def test_a_status_is_shown_in_both_forms(owner: Client, nobody: Client, filled: str, status: str) -> None:
    assert owner.patch(f"{filled}/demo", {"status": status, "reason": 'it "is" so'}).status_code == 200
    page = nobody.get(f"{filled}/+simple/demo/", SIMPLE).json()
    assert page["project-status"] == {"status": status, "reason": 'it "is" so'}
    html = nobody.get(f"{filled}/+simple/demo/", "text/html").text
    assert f'<meta name="pypi:project-status" content="{status}">' in html
    assert 'content="it &quot;is&quot; so"' in html


@pytest.mark.parametrize("status", ["archived", "quarantined"])
def test_a_closed_project_takes_no_uploads(owner: Client, filled: str, status: str) -> None:
    owner.patch(f"{filled}/demo", {"status": status})
    before = owner.serial()
    answer = owner.upload(filled, wheel("demo", "3.0"))
    assert answer.status_code == 403
    assert status in answer.reason
    assert owner.submit(filled, "demo", "3.0").status_code == 403
    assert owner.serial() == before
    owner.patch(f"{filled}/demo", {"status": "active"})
    assert owner.upload(filled, wheel("demo", "3.0")).status_code == 200


def test_a_deprecated_project_is_used_as_before(owner: Client, nobody: Client, filled: str) -> None:
    owner.patch(f"{filled}/demo", {"status": "deprecated"})
    assert owner.upload(filled, wheel("demo", "3.0")).status_code == 200
    assert len(listed(nobody, filled)) == 3


def test_an_archived_project_offers_its_files(owner: Client, nobody: Client, filled: str) -> None:
    owner.patch(f"{filled}/demo", {"status": "archived"})
    assert listed(nobody, filled).keys() == {ONE.filename, TWO.filename}
    assert nobody.get(f"{filled}/{ONE.path}", ANY).status_code == 200


def test_a_quarantined_project_offers_no_files_on_any_way(owner: Client, nobody: Client, filled: str) -> None:
    for _ in range(4):
        nobody.get(f"{filled}/{ONE.path}", ANY)
    owner.patch(f"{filled}/demo", {"status": "quarantined", "reason": "malware"})
    assert listed(nobody, filled) == {}
    for _ in range(4):
        assert nobody.get(f"{filled}/{ONE.path}", ANY).status_code == 403
        assert nobody.get(f"{filled}/{ONE.path}.metadata", ANY).status_code == 403
    assert nobody.get(f"{filled}/{ONE.path}").status_code == 403
    assert nobody.result(f"{filled}/demo/1.0")["+links"] == []
    heir = make_index(owner, bases=[filled])
    assert listed(nobody, heir) == {}


def test_a_quarantine_can_be_lifted(owner: Client, nobody: Client, filled: str) -> None:
    owner.patch(f"{filled}/demo", {"status": "quarantined"})
    owner.patch(f"{filled}/demo", {"status": "active"})
    assert nobody.get(f"{filled}/{ONE.path}", ANY).status_code == 200


def test_a_quarantined_file_can_be_deleted(owner: Client, filled: str) -> None:
    owner.patch(f"{filled}/demo", {"status": "quarantined"})
    assert owner.delete(f"{filled}/demo/1.0").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"status": "odd"},
        {"status": None},
        {"status": ["active"]},
        {"status": "active", "x": 1},
        {"status": "active", "reason": 1},
    ],
)
def test_a_status_that_is_none_is_400(owner: Client, filled: str, body: object) -> None:
    before = owner.serial()
    assert owner.patch(f"{filled}/demo", body).status_code == 400
    assert owner.serial() == before


def test_a_status_of_what_is_not_there_is_404(owner: Client, filled: str) -> None:
    assert owner.patch(f"{filled}/other", {"status": "archived"}).status_code == 404
