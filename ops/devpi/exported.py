"""Users, indexes and releases as ``dataindex.json`` has them."""

from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

from attrs import Factory, define, frozen

from changelog import contents, records
from changelog.blobs import Blobs
from changelog.names import FileName, IndexName, ProjectName, UserName, Version, documentation_name
from changelog.tables import Store
from changelog.views import documentation, files, history, projects, results, tokens
from changelog.views.documentation import Documentation
from changelog.views.files import File
from changelog.views.indexes import Index
from changelog.views.page import Status, file_path
from changelog.views.results import Result
from changelog.views.users import User
from ops.devpi.report import Report
from server import old_passwords, options
from server.metadata import versiondata

NO_PLACE = "a dump has no place for it"
_SECOND = 1_000_000


@frozen
class Copied:
    """A file of a dump: where its bytes are here, and how the dump describes it."""

    sha256: bytes
    desc: dict[str, Any]


@define
class ReleaseDump:
    """A release of a dump."""

    metadata: dict[str, Any]
    files: list[Copied] = Factory(list)


def user(store: Store, name: UserName, row: User, report: Report) -> dict[str, Any]:
    """Return a user with the password's hash."""
    times = {"created": _utc(row.created), "modified": _utc(row.modified)}
    for token, _ in tokens.of_user(store, row.incarnation):
        report.left_out(f"user {name}", f"the token {token}: {NO_PLACE}")
    return {**texts_of(store, row.profile), **times, **_password(store, name, row, report), "username": name}


def index(store: Store, name: IndexName, row: Index, report: Report) -> dict[str, Any]:
    """Return the configuration of an index."""
    told = {**options.defaults(row.type, name), **dict(row.options)}
    for key in sorted(dict(row.options).keys() - DEVPI_OPTIONS):
        report.changed(f"index {name}", f"the option {key} does nothing at devpi-server, which keeps it")
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in told.items()}
    return {**plain, **texts_of(store, row.texts), "type": row.type}


def release(
    store: Store, blobs: Blobs, index: tuple[int, IndexName], where: tuple[ProjectName, Version], report: Report
) -> ReleaseDump | None:
    """Return a release with all that it has, None if it was deleted meanwhile."""
    (incarnation, name), (project, version) = index, where
    row = projects.find(store, incarnation, project)
    found = None if row is None else projects.find_release(store, row.incarnation, version)
    if row is None or found is None:
        return None
    document = contents.read(store, blobs, found.metadata) if found.metadata else b""
    dump = ReleaseDump({**versiondata(document), "name": project, "version": version})
    release_files = list(files.of_release(store, found.incarnation))
    for filename, file in release_files:
        dump.files.append(_file(store, name, where, (filename, file)))
        for result_name, result in results.of_file(store, found.incarnation, filename):
            dump.files.append(_result(store, name, where, (filename, file), (result_name, result)))
        if file.yanked is not None:
            report.left_out(f"{name} {filename}", f"the mark that it is yanked: {NO_PLACE}")
    docs = documentation.of_release(store, found.incarnation)
    if docs is not None:
        dump.files.append(_docs(store, name, where, docs))
    _note_requirements(dump, name, release_files, report)
    if row.status is not Status.ACTIVE:
        report.left_out(f"{name} {project}", f"the status {row.status}: {NO_PLACE}")
    return dump


def texts_of(store: Store, commitment: bytes) -> dict[str, Any]:
    """Return the texts in a private record; none where it was erased or never was."""
    stored = store.get("records", commitment) if commitment else None
    return {} if stored is None else options.texts_in(records.from_stored(stored).payload)


def _password(store: Store, name: UserName, row: User, report: Report) -> dict[str, str]:
    stored = store.get("records", row.password) if row.password else None
    if stored is None:
        return {}
    payload = records.from_stored(stored).payload
    if not old_passwords.is_old(payload):
        return {"pwhash": payload.decode()}
    report.changed(f"user {name}", "the password's hash is of the old scheme, which devpi-server 6 checks no longer")
    salt, digest = old_passwords.exported(payload)
    return {"pwsalt": salt, "pwhash": digest}


def _note_requirements(dump: ReleaseDump, name: IndexName, rows: list[tuple[FileName, File]], report: Report) -> None:
    """Let the page of devpi-server, which has one word for a release, require the Python version that ours does."""
    said = {file.requires_python for _, file in rows}
    if said:
        newest = max(rows, key=lambda item: item[1].uploaded)[1].requires_python
        dump.metadata["requires_python"] = newest
    if len(said) > 1:
        what = f"{name} {dump.metadata['name']} {dump.metadata['version']}"
        report.changed(what, f"its files require different Python versions; all require {newest!r} in a dump")


def _file(store: Store, index: IndexName, where: tuple[ProjectName, Version], item: tuple[FileName, File]) -> Copied:
    filename, file = item
    relpath = f"{index}/{where[0]}/{where[1]}/{filename}"
    desc = _desc(store, index, where, ("releasefile", relpath), file)
    desc["entrymapping"]["hashes"]["md5"] = file.md5.hex()
    return Copied(file.sha256, desc)


def _docs(store: Store, index: IndexName, where: tuple[ProjectName, Version], docs: Documentation) -> Copied:
    relpath = f"{index}/{documentation_name(*where)}"
    return Copied(docs.sha256, _desc(store, index, where, ("doczip", relpath), docs))


def _result(
    store: Store,
    index: IndexName,
    where: tuple[ProjectName, Version],
    tested: tuple[FileName, File],
    item: tuple[FileName, Result],
) -> Copied:
    (filename, file), (name, result) = tested, item
    relpath = f"{index}/{where[0]}/sha256={file.sha256.hex()}/{name}"
    desc = _desc(store, index, where, ("toxresult", relpath), result)
    return Copied(result.sha256, {**desc, "for_entrypath": f"{index}/{file_path(file.sha256, filename)}"})


def _desc(
    store: Store,
    index: IndexName,
    where: tuple[ProjectName, Version],
    what: tuple[str, str],
    row: File | Documentation | Result,
) -> dict[str, Any]:
    (project, version), (kind, relpath) = where, what
    digest = row.sha256.hex()
    return {
        "type": kind,
        "projectname": project,
        "version": version,
        "relpath": relpath,
        "entrymapping": {
            "project": project,
            "version": version,
            "last_modified": formatdate(row.upload_time // _SECOND, usegmt=True),
            "hash_spec": f"sha256={digest}",
            "hashes": {"sha256": digest},
        },
        "log": [_action(action) for action in history.of_file(store, index, row)],
    }


def _action(action: Any) -> dict[str, Any]:  # noqa: ANN401 - a FileAction
    moment = datetime.fromtimestamp(action.when // _SECOND, UTC)
    when = [moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second]
    line: dict[str, Any] = {"what": action.what, "who": action.who or None, "when": when}
    line |= {"src": action.src} if action.src else {}
    line |= {"dst": action.dst} if action.dst else {}
    return line | ({"count": action.times} if action.times else {})


def _utc(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds // _SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


DEVPI_OPTIONS = frozenset({
    *("volatile", "bases", "acl_upload", "acl_toxresult_upload", "mirror_whitelist", "mirror_whitelist_inheritance"),
    *("mirror_web_url_fmt", "mirror_cache_expiry", "mirror_use_external_urls", "mirror_no_project_list"),
    *("mirror_ignore_serial_header", "mirror_provides_core_metadata"),
})  # fmt: skip
