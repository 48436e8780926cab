"""``/{user}/{index}``."""

import pytest

from tests.http.accounts import fresh, make_index
from tests.http.client import Client, wheel

TEXTS = {"title": "A title", "description": "grüße", "custom_data": {"a": [1, None]}}
NOT_SHOWN_BY_DEFAULT = ("upload_checks", *TEXTS)


def options(client: Client, index: str) -> dict[str, object]:
    shown: dict[str, object] = client.result(index)
    return shown


def test_a_new_index_is_answered_200_with_its_options(owner: Client) -> None:
    answer = owner.put(f"{owner.user}/{fresh()}", {})
    assert answer.status_code == 200
    assert answer.json()["type"] == "indexconfig"
    assert answer.json()["result"] == {
        "acl_read": [":ANONYMOUS:"],
        "acl_toxresult_upload": [":ANONYMOUS:"],
        "acl_upload": [owner.user],
        "bases": [],
        "mirror_whitelist": [],
        "mirror_whitelist_inheritance": "intersection",
        "type": "stage",
        "volatile": True,
    }


def test_all_options_of_a_stage_are_kept(owner: Client, nobody: Client) -> None:
    wanted = {
        "acl_read": ["root", ":ANONYMOUS:"],
        "acl_toxresult_upload": [owner.user],
        "acl_upload": [owner.user, ":ANONYMOUS:"],
        "bases": ["root/dev"],
        "mirror_whitelist": ["demo", "*"],
        "mirror_whitelist_inheritance": "union",
        "upload_checks": "lenient",
        "volatile": False,
        **TEXTS,
    }
    index = make_index(owner, type="stage", **wanted)
    assert options(nobody, index) == {**wanted, "type": "stage", "projects": []}


def test_an_index_shows_its_own_projects_sorted(owner: Client, nobody: Client, index: str) -> None:
    for project in ("zeta", "alpha"):
        owner.upload(index, wheel(project))
    assert options(nobody, index)["projects"] == ["alpha", "zeta"]
    heir = make_index(owner, bases=[index])
    assert options(nobody, heir)["projects"] == []


def test_an_index_can_be_shown_without_projects(nobody: Client, index: str) -> None:
    assert "projects" not in nobody.result(f"{index}?no_projects=")


def test_an_index_that_is_there_is_409(owner: Client, index: str) -> None:
    assert owner.put(index, {}).status_code == 409


def test_an_index_of_a_user_that_is_not_there_is_404(root: Client) -> None:
    assert root.put(f"{fresh()}/dev", {}).status_code == 404


@pytest.mark.parametrize("name", ["a b", "a@b", "x" * 65, "a:b", "%0a"])
def test_a_bad_name_is_400(owner: Client, name: str) -> None:
    assert owner.put(f"{owner.user}/{name}", {}).status_code == 400


@pytest.mark.parametrize(
    "wrong",
    [
        {"colour": "red"},
        {"type": "no-such-type"},
        {"type": ["stage"]},
        {"volatile": "perhaps"},
        {"volatile": 2},
        {"volatile": None},
        {"volatile": []},
        {"bases": "no-slash"},
        {"bases": ["root/no-such-index"]},
        {"bases": ["no-such-user/dev"]},
        {"bases": [1]},
        {"bases": {"root/dev": 1}},
        {"bases": None},
        {"acl_upload": 7},
        {"acl_upload": [None]},
        {"acl_upload": ["a b"]},
        {"acl_upload": [""]},
        {"acl_upload": ["\0"]},
        {"acl_toxresult_upload": {}},
        {"mirror_whitelist": ["not a name"]},
        {"mirror_whitelist_inheritance": "neither"},
        {"mirror_whitelist_inheritance": ["union"]},
        {"upload_checks": "none"},
        {"title": 1},
        {"description": []},
    ],
)
def test_a_bad_option_is_400_on_creation_and_change(owner: Client, index: str, wrong: dict[str, object]) -> None:
    before = owner.serial()
    assert owner.put(f"{owner.user}/{fresh()}", wrong).status_code == 400
    assert owner.patch(index, wrong).status_code == 400
    assert owner.serial() == before


def test_options_too_large_for_the_log_are_refused(owner: Client, index: str) -> None:
    before = owner.serial()
    assert owner.patch(index, {"acl_upload": [f"user{number}" for number in range(20_000)]}).status_code == 413
    assert owner.serial() == before


def test_an_index_can_not_be_its_own_base(owner: Client, index: str) -> None:
    assert owner.patch(index, {"bases": [index]}).status_code == 400
    name = f"{owner.user}/{fresh()}"
    assert owner.put(name, {"bases": [name]}).status_code == 400


@pytest.mark.parametrize(("text", "value"), [("yes", True), ("True", True), ("no", False), ("FALSE", False)])
def test_booleans_may_be_texts(owner: Client, text: str, value: object) -> None:
    index = make_index(owner, volatile=text)
    assert options(owner, index)["volatile"] is value


def test_lists_may_be_texts_with_commas(owner: Client) -> None:
    index = make_index(owner, acl_upload=f"{owner.user}, root", mirror_whitelist="Demo_Project,*", bases="/root/dev")
    shown = options(owner, index)
    assert shown["acl_upload"] == [owner.user, "root"]
    assert shown["mirror_whitelist"] == ["demo-project", "*"]
    assert shown["bases"] == ["root/dev"]


def test_words_of_access_lists_may_be_in_lower_case(owner: Client) -> None:
    index = make_index(owner, acl_upload=":anonymous:,:Authenticated:")
    assert options(owner, index)["acl_upload"] == [":ANONYMOUS:", ":AUTHENTICATED:"]


def test_a_list_names_each_once(owner: Client) -> None:
    index = make_index(owner, acl_upload=["root", owner.user, "root"])
    assert options(owner, index)["acl_upload"] == ["root", owner.user]


def test_a_change_by_an_object_replaces_what_is_given_and_leaves_the_rest(owner: Client) -> None:
    index = make_index(owner, bases=["root/dev"], title="old")
    answer = owner.patch(index, {"title": "new", "volatile": False})
    assert answer.status_code == 200
    assert answer.json()["type"] == "indexconfig"
    shown = options(owner, index)
    assert (shown["title"], shown["volatile"], shown["bases"]) == ("new", False, ["root/dev"])


def test_a_change_may_be_a_whole_document_as_it_was_shown(owner: Client, index: str) -> None:
    document = owner.get(index).json()
    document["result"]["title"] = "from a document"
    assert owner.patch(index, document).status_code == 200
    assert options(owner, index)["title"] == "from a document"


def test_a_change_back_to_the_default_is_shown(owner: Client) -> None:
    index = make_index(owner, volatile=False, acl_upload=["root"])
    owner.patch(index, {"volatile": True, "acl_upload": [owner.user]})
    shown = options(owner, index)
    assert (shown["volatile"], shown["acl_upload"]) == (True, [owner.user])


def test_the_type_can_not_change(owner: Client, index: str) -> None:
    assert owner.patch(index, {"type": "mirror"}).status_code == 400
    assert owner.patch(index, {"type": "stage"}).status_code == 200


def test_a_change_is_answered_without_projects_of_which_there_may_be_many(owner: Client, index: str) -> None:
    owner.upload(index, wheel())
    for change in ({"title": "other"}, ["title=another"]):
        result = owner.patch(index, change).json()["result"]
        assert "projects" not in result
        assert result == owner.result(f"{index}?no_projects=")


def test_projects_in_a_change_are_ignored(owner: Client, index: str) -> None:
    assert owner.patch(index, {"projects": ["a"]}).status_code == 200
    assert options(owner, index)["projects"] == []


@pytest.mark.parametrize(
    ("operations", "key", "value"),
    [
        (["title=new"], "title", "new"),
        (["title=a=b,c"], "title", "a=b,c"),
        (["volatile=no"], "volatile", False),
        (["acl_upload=root,admin"], "acl_upload", ["root", "admin"]),
        (["acl_upload="], "acl_upload", []),
        (["mirror_whitelist=demo", "mirror_whitelist+=other"], "mirror_whitelist", ["demo", "other"]),
        (["mirror_whitelist+=demo", "mirror_whitelist+=demo"], "mirror_whitelist", ["demo"]),
        (["mirror_whitelist=a,b", "mirror_whitelist-=a"], "mirror_whitelist", ["b"]),
        (["bases+=root/dev"], "bases", ["root/dev"]),
    ],
)
def test_a_change_may_be_a_list_of_operations(
    owner: Client, index: str, operations: list[str], key: str, value: object
) -> None:
    assert owner.patch(index, operations).status_code == 200
    assert options(owner, index)[key] == value


def test_an_operation_can_drop_a_key_without_default(owner: Client) -> None:
    index = make_index(owner, **TEXTS)
    assert owner.patch(index, ["title-=", "custom_data-="]).status_code == 200
    assert not {"title", "custom_data"} & options(owner, index).keys()
    assert options(owner, index)["description"] == "grüße"


@pytest.mark.parametrize(
    "operations",
    [
        ["volatile-="],  # a default can not be dropped
        ["bases-="],
        ["title-="],  # is not there
        ["acl_upload-=nobody"],
        ["title+=x"],  # no list
        ["volatile+=yes"],
        ["colour=red"],
        ["colour+=red"],
        ["type=mirror"],
        ["bases+=no/where"],
        ["=x"],
        ["title"],
        [1],
        [None],
        [["title=x"]],
        ["title=ok", "acl_upload-=nobody"],
    ],
)
def test_an_impossible_operation_is_400_and_changes_nothing(
    owner: Client, index: str, operations: list[object]
) -> None:
    before, shown = owner.serial(), options(owner, index)
    assert owner.patch(index, operations).status_code == 400
    assert owner.serial() == before
    assert options(owner, index) == shown


@pytest.mark.parametrize("body", [1, "title=x", None, True, 1.5])
def test_a_change_that_is_neither_object_nor_list_is_400(owner: Client, index: str, body: object) -> None:
    assert owner.patch(index, body).status_code == 400


def test_a_change_that_changes_nothing_is_200_and_not_in_the_log(owner: Client, index: str) -> None:
    before = owner.serial()
    assert owner.patch(index, {"volatile": True}).status_code == 200
    assert owner.patch(index, []).status_code == 200
    assert owner.serial() == before


def test_a_change_that_changes_nothing_can_be_an_error(owner: Client, index: str) -> None:
    assert owner.patch(f"{index}?error_on_noop=", {"volatile": True}).status_code == 400
    assert owner.patch(f"{index}?error_on_noop=", {"volatile": False}).status_code == 200


def test_a_change_of_what_is_not_there_is_404(owner: Client) -> None:
    assert owner.patch(f"{owner.user}/{fresh()}", {"title": "x"}).status_code == 404


def test_a_volatile_index_is_deleted_with_201(owner: Client, nobody: Client, index: str) -> None:
    owner.upload(index, wheel())
    assert owner.delete(index).status_code == 201
    assert nobody.get(index).status_code == 404
    assert nobody.get(f"{index}/demo").status_code == 404
    assert nobody.get(f"{index}/+simple/demo/", "text/html").status_code == 404
    assert nobody.get(f"{index}/{wheel().path}", "*/*").status_code == 404


def test_an_index_that_is_not_volatile_is_deleted_only_once_it_is(owner: Client, fixed: str) -> None:
    assert owner.delete(fixed).status_code == 403
    owner.patch(fixed, {"volatile": True})
    assert owner.delete(fixed).status_code == 201


def test_deleting_what_is_not_there_is_404(owner: Client) -> None:
    assert owner.delete(f"{owner.user}/{fresh()}").status_code == 404


def test_an_index_made_again_under_the_name_inherits_nothing(owner: Client, nobody: Client, index: str) -> None:
    owner.upload(index, wheel())
    owner.patch(index, {"title": "old", "volatile": True})
    owner.delete(index)
    assert owner.put(index, {}).status_code == 200
    shown = options(nobody, index)
    assert shown["projects"] == []
    assert "title" not in shown
    assert nobody.get(f"{index}/{wheel().path}", "*/*").status_code == 404


def test_a_base_that_was_deleted_is_left_out_and_may_stay_named(owner: Client, nobody: Client) -> None:
    base = make_index(owner)
    heir = make_index(owner, bases=[base, "root/dev"])
    owner.upload(base, wheel("inherited"))
    owner.delete(base)
    assert nobody.get(f"{heir}/+simple/inherited/", "text/html").status_code == 404
    assert owner.patch(heir, {"title": "still changeable"}).status_code == 200
    assert options(nobody, heir)["bases"] == [base, "root/dev"]


def test_bases_may_form_a_ring(owner: Client, nobody: Client) -> None:
    first = make_index(owner)
    second = make_index(owner, bases=[first])
    assert owner.patch(first, {"bases": [second]}).status_code == 200
    owner.upload(second, wheel())
    assert nobody.get(f"{first}/+simple/demo/", "text/html").status_code == 200
