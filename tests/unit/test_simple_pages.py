import hashlib
import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urljoin

import pypi_simple
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from changelog.names import FileName, IndexName, ProjectName, Sha256, Version
from changelog.views.page import ListedProject, PageFile, ProjectPage, Status
from server.render.negotiate import Form
from server.render.simple import project_list, project_page

OWN = IndexName("alice/dev")
DIGEST = Sha256(hashlib.sha256(b"wheel").digest())
METADATA = Sha256(hashlib.sha256(b"metadata").digest())
WHEEL = PageFile(
    FileName("demo_pkg-1.0+cpu-py3-none-any.whl"),
    OWN,
    Version("1.0+cpu"),
    DIGEST,
    921,
    1_700_000_000_000_042,
    ">=3.8,<4",
    None,
    METADATA,
)
SDIST = evolve(
    WHEEL,
    filename=FileName("demo_pkg-0.9.tar.gz"),
    version=Version("0.9"),
    requires_python="",
    yanked="",
    core_metadata=None,
)
DEMO = ProjectName("demo-pkg")
PAGE = ProjectPage(OWN, DEMO, [SDIST, WHEEL], [SDIST.version, WHEEL.version], Status.ACTIVE, "", 42)
HTML_FORMS = [Form.HTML, Form.HTML_V1]


class Seen(HTMLParser):
    """What a plain HTML parser finds on a page."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.anchors: list[dict[str, str | None]] = []
        self.meta: dict[str | None, str | None] = {}
        self.comments: list[str] = []
        self.tags: set[str] = set()
        self.declaration = ""
        self.texts: list[str] = []
        self._text: str | None = None
        self.feed(body.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "a":
            assert len(dict(attrs)) == len(attrs)
            self.anchors.append(dict(attrs))
            self._text = ""
        if tag == "meta":
            self.meta[dict(attrs).get("name")] = dict(attrs).get("content")

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            assert self._text is not None
            self.texts.append(self._text)
            self._text = None

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def handle_decl(self, decl: str) -> None:
        self.declaration = decl


def as_json(page: ProjectPage) -> dict[str, Any]:
    page_object: dict[str, Any] = json.loads(project_page(page, Form.JSON))
    return page_object


def json_file(file: PageFile) -> dict[str, Any]:
    files: list[dict[str, Any]] = as_json(evolve(PAGE, files=[file]))["files"]
    assert len(files) == 1
    return files[0]


def anchor(file: PageFile) -> dict[str, str | None]:
    (found,) = Seen(project_page(evolve(PAGE, files=[file]), Form.HTML)).anchors
    return found


def test_json_has_all_fields_of_version_1_4() -> None:
    assert as_json(evolve(PAGE, files=[WHEEL])) == {
        "meta": {"api-version": "1.4", "_last-serial": 42},
        "name": "demo-pkg",
        "project-status": {"status": "active"},
        "versions": ["0.9", "1.0+cpu"],
        "files": [
            {
                "filename": "demo_pkg-1.0+cpu-py3-none-any.whl",
                "url": f"../../+f/{DIGEST.hex()[:3]}/{DIGEST.hex()[3:16]}/demo_pkg-1.0%2Bcpu-py3-none-any.whl",
                "hashes": {"sha256": DIGEST.hex()},
                "requires-python": ">=3.8,<4",
                "size": 921,
                "upload-time": "2023-11-14T22:13:20.000042Z",
                "yanked": False,
                "core-metadata": {"sha256": METADATA.hex()},
            }
        ],
    }


def test_the_order_of_the_page_is_kept_in_both_forms() -> None:
    names = [SDIST.filename, WHEEL.filename]
    assert [file["filename"] for file in as_json(PAGE)["files"]] == names
    assert Seen(project_page(PAGE, Form.HTML)).texts == names


def test_what_is_not_given_has_no_key() -> None:
    item = json_file(evolve(SDIST, size=None, upload_time=None))
    assert set(item) == {"filename", "url", "hashes", "yanked"}


@pytest.mark.parametrize(
    ("yanked", "value", "attribute"),
    [(None, False, "absent"), ("", True, ""), ("broken", "broken", "broken")],
)
def test_yanked_is_a_mark_with_or_without_reason(yanked: str | None, value: object, attribute: str) -> None:
    file = evolve(WHEEL, yanked=yanked)
    assert json_file(file)["yanked"] == value
    assert anchor(file).get("data-yanked", "absent") == attribute


def test_html_names_the_metadata_digest_under_both_attributes() -> None:
    found = anchor(WHEEL)
    expected = f"sha256={METADATA.hex()}"
    assert found["data-core-metadata"] == found["data-dist-info-metadata"] == expected


def test_metadata_that_have_no_digest_are_only_announced() -> None:
    file = evolve(WHEEL, core_metadata=Sha256(b""))
    assert json_file(file)["core-metadata"] is True
    found = anchor(file)
    assert found["data-core-metadata"] == found["data-dist-info-metadata"] == "true"


def test_a_provenance_stands_on_both_forms() -> None:
    file = evolve(WHEEL, provenance='https://index.example/integrity/"<1>')
    assert json_file(file)["provenance"] == file.provenance
    assert anchor(file)["data-provenance"] == file.provenance


def test_other_digests_are_in_json_and_html_has_the_best_one() -> None:
    others = (("md5", "00" * 16), ("sha512", "11" * 64))
    assert json_file(evolve(WHEEL, hashes=others))["hashes"] == {"sha256": DIGEST.hex(), **dict(others)}
    assert (anchor(evolve(WHEEL, hashes=others))["href"] or "").endswith(f"#sha256={DIGEST.hex()}")
    bare = evolve(WHEEL, sha256=Sha256(b""), hashes=others, location="+e/0123456789abcdef/demo.whl")
    assert json_file(bare)["hashes"] == dict(others)
    assert (anchor(bare)["href"] or "").endswith(f"+e/0123456789abcdef/demo.whl#sha512={'11' * 64}")


def test_a_file_without_a_digest_has_none() -> None:
    bare = evolve(WHEEL, sha256=Sha256(b""), location="+e/0123456789abcdef/demo.whl")
    assert json_file(bare)["hashes"] == {}
    assert (anchor(bare)["href"] or "").endswith("/demo.whl")


def test_json_never_has_the_old_metadata_key() -> None:
    assert b"dist-info-metadata" not in project_page(PAGE, Form.JSON)


def test_the_html_url_carries_the_hash() -> None:
    href = anchor(WHEEL)["href"] or ""
    assert href.endswith(f"#sha256={DIGEST.hex()}")


@pytest.mark.parametrize("form", HTML_FORMS)
def test_the_anchor_text_is_the_last_part_of_the_url(form: Form) -> None:
    seen = Seen(project_page(PAGE, form))
    ends = [unquote((found["href"] or "").partition("#")[0].rpartition("/")[2]) for found in seen.anchors]
    assert ends == seen.texts


@pytest.mark.parametrize("form", HTML_FORMS)
def test_html_is_html5_with_version_status_and_serial(form: Form) -> None:
    seen = Seen(project_page(PAGE, form))
    assert seen.declaration == "DOCTYPE html"
    assert seen.meta["pypi:repository-version"] == "1.4"
    assert seen.meta["pypi:project-status"] == "active"
    assert "pypi:project-status-reason" not in seen.meta
    assert seen.comments == ["SERIAL 42"]


@pytest.mark.parametrize("status", Status)
def test_a_status_and_its_reason_stand_on_both_forms(status: Status) -> None:
    page = evolve(PAGE, status=status, reason="see <docs>", files=[])
    meta = Seen(project_page(page, Form.HTML)).meta
    assert as_json(page)["project-status"] == {"status": status.value, "reason": "see <docs>"}
    assert meta["pypi:project-status"] == status.value
    assert meta["pypi:project-status-reason"] == "see <docs>"


def test_an_empty_page_is_valid_in_both_forms() -> None:
    page = evolve(PAGE, files=[], versions=[])
    assert as_json(page)["files"] == as_json(page)["versions"] == []
    assert Seen(project_page(page, Form.HTML)).anchors == []


def test_one_file_of_unknown_size_forbids_a_version_above_1_0() -> None:
    page = evolve(PAGE, files=[WHEEL, evolve(SDIST, size=None)])
    meta = Seen(project_page(page, Form.HTML)).meta
    assert as_json(page)["meta"]["api-version"] == meta["pypi:repository-version"] == "1.0"


@pytest.mark.parametrize("microseconds", [0, 1, 1_700_000_000_000_000, 1_700_000_000_100_000, 253402300799999999])
def test_the_upload_time_is_utc_with_at_most_six_digits(microseconds: int) -> None:
    text = json_file(evolve(WHEEL, upload_time=microseconds))["upload-time"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", text)


INDEXES = ["alice/dev", "bob/base", "jürgen@büro/日本", "a.b/c-d_e"]


@pytest.mark.parametrize("asked", INDEXES)
@pytest.mark.parametrize("stored", INDEXES)
def test_a_relative_url_leads_to_the_file_of_the_index_that_stores_it(asked: str, stored: str) -> None:
    file = evolve(WHEEL, index=IndexName(stored))
    (item,) = as_json(evolve(PAGE, index=IndexName(asked), files=[file]))["files"]
    base = f"https://index.example/root/{asked}/+simple/demo-pkg/"
    assert item["url"].isascii()
    assert unquote(urljoin(base, item["url"])) == f"https://index.example/root/{stored}/{file.path}"


def test_the_page_of_a_past_point_links_to_that_point() -> None:
    (item,) = as_json(evolve(PAGE, files=[WHEEL]))["files"]
    target = urljoin("https://index.example/alice/dev@17/+simple/demo-pkg/", item["url"])
    assert target.startswith("https://index.example/alice/dev@17/+f/")


@pytest.mark.parametrize("name", ["a%2Fb-1.whl", "a#b-1.whl", "a b-1.whl", "a&amp;b'-1.whl", "é-1!2.whl"])
def test_a_file_name_is_percent_encoded(name: str) -> None:
    url = json_file(evolve(WHEEL, filename=FileName(name)))["url"]
    encoded = url.rpartition("/")[2]
    assert re.fullmatch(r"([A-Za-z0-9._~-]|%[0-9A-F]{2})+", encoded)
    assert unquote(encoded) == name


def parsed(page: ProjectPage, form: Form) -> pypi_simple.ProjectPage:
    url = f"https://index.example/{page.index}/+simple/{page.project}/"
    body = project_page(page, form)
    if form is Form.JSON:
        return pypi_simple.ProjectPage.from_json_data(json.loads(body), url)
    return pypi_simple.ProjectPage.from_html(page.project, body, url, "utf-8")


def html_knows(page: pypi_simple.ProjectPage) -> pypi_simple.ProjectPage:
    """Drop what the standards give no place in HTML."""
    page.versions = page.last_serial = None
    for file in page.packages:
        file.size = file.upload_time = None
        file.yanked_reason = file.yanked_reason or None
    return page


@pytest.mark.parametrize("form", HTML_FORMS)
def test_a_client_reads_the_same_from_html_and_json(form: Form) -> None:
    files = [SDIST, WHEEL, evolve(WHEEL, index=IndexName("bob/ö"), yanked="<b> & \"c\" 'd'")]
    page = evolve(PAGE, files=files, status=Status.DEPRECATED, reason="use <other> & go")
    assert html_knows(parsed(page, form)) == html_knows(parsed(page, Form.JSON))


HOSTILE = st.one_of(
    st.text(),
    st.text(alphabet="<>&\"'`=/\\\r\n\t -!;#aé\u2028\x00"),
    st.just('"><script>x</script>'),
)
NAMES = st.text(alphabet="a1<>&\"'\\ %+#?;é\U0001f40d-.", min_size=1)


@given(HOSTILE, HOSTILE, HOSTILE, NAMES)
def test_hostile_text_comes_back_whole_from_json(python: str, yanked: str, reason: str, name: str) -> None:
    file = evolve(WHEEL, requires_python=python, yanked=yanked, filename=FileName(name))
    page = as_json(evolve(PAGE, files=[file], reason=reason, versions=[Version(yanked)]))
    (item,) = page["files"]
    assert item.get("requires-python", "") == python
    assert item["yanked"] == (yanked or True)
    assert item["filename"] == name
    assert page["project-status"].get("reason", "") == reason
    assert page["versions"] == [yanked]


@given(HOSTILE, HOSTILE, HOSTILE, NAMES)
def test_hostile_text_comes_back_whole_from_html(python: str, yanked: str, reason: str, name: str) -> None:
    file = evolve(WHEEL, requires_python=python, yanked=yanked, filename=FileName(name))
    seen = Seen(project_page(evolve(PAGE, files=[file], reason=reason), Form.HTML))
    (found,) = seen.anchors
    assert found.get("data-requires-python", "") == python
    assert found["data-yanked"] == yanked
    assert seen.texts == [name]
    assert seen.meta.get("pypi:project-status-reason", "") == reason
    assert seen.tags == {"html", "head", "meta", "title", "body", "h1", "a", "br"}


def test_html_has_no_bare_carriage_return() -> None:
    body = project_page(evolve(PAGE, reason="one\r\ntwo"), Form.HTML)
    assert b"\r" not in body


@pytest.mark.parametrize("form", Form)
def test_equal_pages_give_equal_bytes(form: Form) -> None:
    assert project_page(evolve(PAGE, files=tuple(PAGE.files)), form) == project_page(PAGE, form)


def test_text_html_and_its_versioned_name_have_the_same_body() -> None:
    assert project_page(PAGE, Form.HTML) == project_page(PAGE, Form.HTML_V1)


PROJECTS: Sequence[ListedProject] = [
    ListedProject(DEMO, 42),
    ListedProject(ProjectName("zebra"), 7),
]


def test_the_json_list_has_names_and_serials() -> None:
    assert json.loads(project_list(OWN, PROJECTS, 99, Form.JSON)) == {
        "meta": {"api-version": "1.4", "_last-serial": 99},
        "projects": [
            {"name": "demo-pkg", "_last-serial": 42},
            {"name": "zebra", "_last-serial": 7},
        ],
    }


@pytest.mark.parametrize("form", HTML_FORMS)
def test_the_html_list_links_each_project_with_a_slash(form: Form) -> None:
    seen = Seen(project_list(OWN, iter(PROJECTS), 99, form))
    assert [found["href"] for found in seen.anchors] == ["demo-pkg/", "zebra/"]
    assert seen.texts == ["demo-pkg", "zebra"]
    assert seen.meta["pypi:repository-version"] == "1.4"
    assert seen.comments == ["SERIAL 99"]


@pytest.mark.parametrize("form", Form)
def test_an_empty_list_is_valid(form: Form) -> None:
    body = project_list(OWN, [], 0, form)
    names = json.loads(body)["projects"] if form is Form.JSON else Seen(body).anchors
    assert names == []


def test_a_client_reads_the_same_list_from_both_forms() -> None:
    as_html = pypi_simple.IndexPage.from_html(project_list(OWN, PROJECTS, 99, Form.HTML))
    from_json = json.loads(project_list(OWN, PROJECTS, 99, Form.JSON))
    as_object = pypi_simple.IndexPage.from_json_data(from_json)
    assert as_html.projects == as_object.projects
    assert as_html.repository_version == as_object.repository_version


@pytest.mark.parametrize("form", Form)
def test_a_page_of_20_000_files_lists_each_once(form: Form) -> None:
    files = [evolve(WHEEL, filename=FileName(f"demo_pkg-{n}.tar.gz")) for n in range(20_000)]
    body = project_page(evolve(PAGE, files=files), form)
    assert len(set(re.findall(rb"/(demo_pkg-[0-9]+\.tar\.gz)[\"#]", body))) == len(files)
