"""Dependency confusion: a private name is not even asked for upstream, and the node says why."""

import json

import pytest

from tests.http.client import wheel
from tests.mirror.site import ANY, HTML, Site, fresh
from tests.upstream import faults, files
from tests.upstream.asked import Asked
from tests.upstream.server import Upstream

EVIL = "99.0"


def private(site: Site, stage: str, name: str) -> None:
    """Upload a project, of which upstream has a newer release."""
    site.up.put(files.wheel(name, EVIL, note="evil"))
    assert site.owner.upload(stage, wheel(name)).status_code == 200


def asked_for(up: Upstream, name: str) -> list[Asked]:
    """Return all requests that name a project, of any kind."""
    return [one for one in up.asked if name in one.path]


def versions(site: Site, index: str, name: str) -> list[str]:
    return sorted(filename.split("-")[1] for filename in site.files(index, name))


def test_a_private_name_is_never_asked_for(site: Site, up: Upstream) -> None:
    name, mirror = fresh("private"), site.mirror()
    stage = site.stage(mirror)
    private(site, stage, name)
    assert versions(site, stage, name) == ["1.0"]
    site.page(stage, name, HTML)
    assert site.refresh(stage, name).status_code == 302
    for path in (name, f"{name}/1.0", f"{name}/{EVIL}", f"{name}?ignore_bases", f"+explain/{name}"):
        site.nobody.get(f"{stage}/{path}")
    site.nobody.get(f"{stage}/{wheel(name).path}", ANY)
    site.nobody.get(f"{stage}/{wheel(name).path}.metadata", ANY)
    assert site.nobody.get(f"{stage}/{name}/{EVIL}").status_code == 404
    assert asked_for(up, name) == []


def test_another_spelling_is_the_same_name(site: Site, up: Upstream) -> None:
    name = fresh("private-name-")
    stage = site.stage(site.mirror())
    private(site, stage, name)
    spelled = name.replace("-", "_.").upper()
    answer = site.nobody.get(f"{stage}/+simple/{spelled}/", HTML)
    assert (answer.status_code, answer.headers["Location"].endswith(f"/+simple/{name}/")) == (302, True)
    assert site.nobody.get(f"{stage}/+explain/{spelled}").status_code == 200
    assert [one for one in up.asked if "private" in one.path.lower() and "name" in one.path.lower()] == []


def test_a_name_that_an_inherited_stage_has_is_private_too(site: Site, up: Upstream) -> None:
    name = fresh("below")
    base = site.stage()
    stage = site.stage(site.mirror(), base)
    private(site, base, name)
    assert versions(site, stage, name) == ["1.0"]
    assert asked_for(up, name) == []


def test_a_name_that_is_no_longer_there_is_public_again(site: Site) -> None:
    name = fresh("leaving")
    stage = site.stage(site.mirror())
    private(site, stage, name)
    assert versions(site, stage, name) == ["1.0"]
    assert site.owner.delete(f"{stage}/{name}").status_code == 200
    assert versions(site, stage, name) == [EVIL]
    assert site.owner.upload(stage, wheel(name)).status_code == 200
    assert versions(site, stage, name) == ["1.0"]  # what was taken from upstream meanwhile is hidden


def test_a_registered_name_without_files_is_private(site: Site, up: Upstream) -> None:
    name = fresh("reserved")
    stage = site.stage(site.mirror())
    up.put(files.wheel(name, EVIL))
    assert site.owner.submit(stage, name, "0.1").status_code == 200
    assert site.files(stage, name) == {}
    assert asked_for(up, name) == []


@pytest.mark.parametrize("words", ["{0}", "*", "other,{0}"])
def test_a_whitelist_lets_the_mirror_have_the_name_too(site: Site, words: str) -> None:
    name = fresh("shared")
    stage = site.stage(site.mirror(), mirror_whitelist=words.format(name))
    private(site, stage, name)
    assert versions(site, stage, name) == ["1.0", EVIL]


def test_the_stages_own_file_goes_before_upstreams(site: Site) -> None:
    name = fresh("samefile")
    stage = site.stage(site.mirror(), mirror_whitelist="*")
    own = wheel(name)
    site.up.put(files.wheel(name, note="evil"))
    assert site.owner.upload(stage, own).status_code == 200
    assert site.files(stage, name)[own.filename]["hashes"]["sha256"] == own.sha256


CASES = [  # lists of the stage that is asked and of its base, how they count, whether upstream is asked
    (["{0}"], [], "intersection", False),
    ([], ["{0}"], "intersection", False),
    (["{0}"], ["{0}", "other"], "intersection", True),
    (["*"], ["{0}"], "intersection", True),
    (["*"], ["other"], "intersection", False),
    (["{0}"], [], "union", True),
    ([], ["{0}"], "union", True),
    (["other"], ["another"], "union", False),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_lists_of_two_stages_count_together(
    site: Site, up: Upstream, case: tuple[list[str], list[str], str, bool]
) -> None:
    first, second, inheritance, asked = case
    name = fresh("lists")
    base = site.stage(site.mirror(), mirror_whitelist=[word.format(name) for word in second])
    own = [word.format(name) for word in first]
    stage = site.stage(base, mirror_whitelist=own, mirror_whitelist_inheritance=inheritance)
    private(site, base, name)
    assert versions(site, stage, name) == (["1.0", EVIL] if asked else ["1.0"])
    assert bool(asked_for(up, name)) is asked


def test_taking_a_name_off_the_list_hides_upstream_at_once(site: Site) -> None:
    name = fresh("revoked")
    stage = site.stage(site.mirror(mirror_cache_expiry=1800), mirror_whitelist=name)
    private(site, stage, name)
    assert versions(site, stage, name) == ["1.0", EVIL]
    assert site.owner.patch(stage, [f"mirror_whitelist-={name}"]).status_code == 200
    assert versions(site, stage, name) == ["1.0"]


def test_the_explanation_says_what_decides(site: Site) -> None:
    name, mirror = fresh("why"), site.mirror()
    stage = site.stage(mirror)
    private(site, stage, name)
    site.files(mirror, name)  # somebody asked the mirror itself
    found = site.nobody.result(f"{stage}/+explain/{name}")
    own, other = found["sources"]
    assert (own["index"], own["type"], own["has"], own["asked"]) == (stage, "stage", True, True)
    assert (other["index"], other["type"], other["has"], other["asked"]) == (mirror, "mirror", True, False)
    assert "no mirror_whitelist names it" in other["why"]
    assert {(file["index"], file["hidden"]) for file in found["files"]} == {
        (stage, ""),
        (mirror, "a stage has the project"),
    }
    printed = site.ledgerpi("explain", stage, name)
    assert "upstream is not" in printed
    as_json = json.loads(site.ledgerpi("explain", "--json", stage, name))
    assert [source["asked"] for source in as_json["sources"]] == [True, False]


def test_the_explanation_says_how_asking_went(site: Site) -> None:
    name, mirror = fresh("how"), site.mirror()
    site.up.fail(f"/simple/{name}/", faults.status(500))
    (source,) = site.nobody.result(f"{mirror}/+explain/{name}")["sources"]
    assert source["upstream"] == {"state": "failed", "reason": "upstream answers 500"}
    public = fresh("public")
    site.up.put(files.wheel(public))
    (source,) = site.nobody.result(f"{mirror}/+explain/{public}")["sources"]
    assert source["upstream"]["state"] == "fresh"
    assert (source["has"], source["asked"]) == (True, True)


def test_what_is_not_there_is_not_explained(site: Site) -> None:
    assert site.nobody.get(f"owner/{fresh('nothing')}/+explain/demo").status_code == 404
    assert site.nobody.get("root/pypi/+explain/-").status_code == 400
