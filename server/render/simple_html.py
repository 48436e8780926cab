"""The HTML form of the simple pages (PEP 503, 592, 629, 658, 714, 740, 792)."""

from collections.abc import Iterable, Iterator
from html import escape

from changelog.names import IndexName, Sha256
from changelog.views.page import ListedProject, PageFile, ProjectPage
from server.render.simple_links import API_VERSION, api_version, linked_files, percent_encoded


def project_page(page: ProjectPage, base: str = "") -> Iterator[str]:
    """Yield the project page in pieces."""
    yield _top(f"Links for {page.project}", api_version(page), _status(page))
    for file, url in linked_files(page, base):
        anchor = f'<a href="{url}{_fragment(file)}"{_attributes(file)}>'
        yield f"{anchor}{_escaped(file.filename)}</a><br>\n"
    yield _bottom(page.last_serial)


def project_list(index: IndexName, projects: Iterable[ListedProject], last_serial: int) -> Iterator[str]:
    """Yield the project list in pieces."""
    yield _top(f"Projects of {index}", API_VERSION)
    for listed in projects:
        yield f'<a href="{percent_encoded(listed.project)}/">{_escaped(listed.project)}</a><br>\n'
    yield _bottom(last_serial)


def _top(title: str, version: str, meta: str = "") -> str:
    shown = _escaped(title)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="pypi:repository-version" content="{version}">\n{meta}'
        f"<title>{shown}</title>\n</head>\n<body>\n<h1>{shown}</h1>\n"
    )


def _bottom(last_serial: int) -> str:
    return f"</body>\n</html>\n<!--SERIAL {last_serial}-->\n"


def _status(page: ProjectPage) -> str:
    status = f'<meta name="pypi:project-status" content="{page.status}">\n'
    if not page.reason:
        return status
    return f'{status}<meta name="pypi:project-status-reason" content="{_escaped(page.reason)}">\n'


def _fragment(file: PageFile) -> str:
    """Return the digest behind a URL: SHA-256, another where an upstream says no better, or none."""
    if file.sha256:
        return f"#sha256={file.sha256.hex()}"
    if not file.hashes:
        return ""
    name, text = max(file.hashes, key=lambda named: len(named[1]))  # the longest one
    return f"#{_escaped(name)}={_escaped(text)}"


def _attributes(file: PageFile) -> str:
    """Return the data attributes of an anchor, each with a leading space."""
    python = f' data-requires-python="{_escaped(file.requires_python)}"' if file.requires_python else ""
    yanked = "" if file.yanked is None else f' data-yanked="{_escaped(file.yanked)}"'
    metadata = "" if file.core_metadata is None else _metadata(file.core_metadata)
    provenance = f' data-provenance="{_escaped(file.provenance)}"' if file.provenance else ""
    return python + yanked + metadata + provenance


def _metadata(digest: Sha256) -> str:
    """Return the attribute of PEP 714 and, for older installers, that of PEP 658."""
    text = f"sha256={digest.hex()}" if digest else "true"
    return f' data-core-metadata="{text}" data-dist-info-metadata="{text}"'


def _escaped(text: str) -> str:
    return escape(text).replace("\r", "&#13;")  # browsers read a bare carriage return as a newline
