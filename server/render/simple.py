"""The pages of the Simple API in the form that was negotiated (PEP 503, 691)."""

from collections.abc import Iterable, Iterator
from io import BytesIO

from changelog.names import IndexName
from changelog.views.page import ListedProject, ProjectPage
from server.render import simple_html, simple_json
from server.render.negotiate import Form


def project_page(page: ProjectPage, form: Form, base: str = "") -> bytes:
    """Return the body of ``/{user}/{index}/+simple/{project}/``, UTF-8.

    File URLs are relative to that path, or begin with *base*. Equal pages give equal bytes.
    """
    rendered = simple_json.project_page(page, base) if form is Form.JSON else simple_html.project_page(page, base)
    return _body(rendered)


def project_list(index: IndexName, projects: Iterable[ListedProject], last_serial: int, form: Form) -> bytes:
    """Return the body of ``/{user}/{index}/+simple/``, UTF-8, with *projects* in the order given.

    *last_serial* is that of the index; no project's may be above it. URLs are relative to that
    path. Equal lists give equal bytes.
    """
    if form is Form.JSON:
        return _body(simple_json.project_list(projects, last_serial))
    return _body(simple_html.project_list(index, projects, last_serial))


def _body(parts: Iterator[str]) -> bytes:
    body = BytesIO()  # holds a page of 50 MB once, where joining would hold it three times
    body.writelines(part.encode() for part in parts)
    return body.getvalue()
