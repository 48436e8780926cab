"""Users and indexes of a dump as events."""

from collections.abc import Callable
from typing import Any

from attrs import define

from changelog import records
from changelog.codec import Event
from changelog.errors import InvalidInput
from changelog.events.indexes import IndexCreated, IndexDeleted, IndexModified, IndexTextsChanged
from changelog.events.users import PasswordSet, ProfileChanged, UserCreated
from changelog.names import IndexName, UserName, index_name, user_name
from changelog.records import NONE, Record, new_record
from changelog.tables import Store
from changelog.views import indexes, users
from changelog.views.indexes import MIRROR, STAGE
from ops.devpi.report import Report
from server import old_passwords, options
from server.permissions import owner_of

_HIDDEN = ("pwhash", "pwsalt", "password")
_MIRRORS_STRAY = ("bases", "acl_upload", "acl_toxresult_upload", "mirror_whitelist", "mirror_whitelist_inheritance")
NO_PLACE = "there is no such option here"
TIMES = "the time of its creation is that of the import"


@define
class Wish:
    """Events that depend on what is there already, with private records."""

    what: str
    decide: Callable[[Store], list[Event]]
    records: tuple[Record, ...]


def user(name: str, config: Any, report: Report) -> Wish | None:  # noqa: ANN401 - any JSON
    """Return what makes the user *name*, None if that can not be."""
    try:
        parsed = user_name(name)
    except InvalidInput as error:
        report.left_out(f"user {name}", str(error))
        return None
    config = config if isinstance(config, dict) else {}
    unknown = sorted(config.keys() - {*options.PROFILE, *options.PROFILE_IGNORED, *_HIDDEN})
    for key in unknown:
        report.changed(f"user {name}", f"{key} left out: {NO_PLACE}")
    if config.get("created"):
        report.changed(f"user {name} {config['created']}", TIMES)
    profile = _record(_texts(f"user {name}", config, options.PROFILE, report))
    password = _record(_password(name, config, report))
    return Wish(name, _user_events(parsed, profile, password), _known(profile, password))


def index(name: str, config: dict[str, Any], report: Report) -> Wish | None:
    """Return what makes the index *name*, None if that can not be."""
    try:
        parsed = index_name(name)
    except InvalidInput as error:
        report.left_out(f"index {name}", str(error))
        return None
    kind = str(config.get("type"))
    config = migrated(kind, config)
    values = {key: value for key, value in config.items() if key not in (*options.private_keys(kind), *options.IGNORED)}
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= _option(parsed, kind, (key, value), report)
    texts = _record(_texts(f"index {name}", config, options.private_keys(kind), report))
    return Wish(name, _index_events(parsed, kind, found, texts), _known(texts))


def migrated(kind: str, config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration as the newest devpi-server would have it."""
    config = dict(config)
    if not config.get("uploadtrigger_jenkins", True):
        del config["uploadtrigger_jenkins"]
    if "pypi_whitelist" in config:  # its name before 3.0
        config.setdefault("mirror_whitelist", config.pop("pypi_whitelist"))
        config.pop("pypi_whitelist", None)
    if kind == MIRROR:
        return {key: value for key, value in config.items() if key not in _MIRRORS_STRAY}
    if kind == STAGE:
        config.setdefault("mirror_whitelist_inheritance", "union")  # as it was before there was the option
    return config


def _option(name: IndexName, kind: str, item: tuple[str, Any], report: Report) -> dict[str, Any]:
    key, value = item
    if value is None:
        return {}
    try:
        return options.parse(kind, name, {key: value})
    except InvalidInput as error:
        if isinstance(value, list) and len(value) > 1:  # a base or principal that can not be named: the others can
            return _without_bad(name, kind, (key, value), report)
        reason = f"{key} left out: {error}"
        report.changed(f"index {name}", f"{reason}; it restricted what others may do" if "acl" in key else reason)
        return {}


def _without_bad(name: IndexName, kind: str, item: tuple[str, list[Any]], report: Report) -> dict[str, Any]:
    key, value = item
    good = []
    for one in value:
        try:
            options.parse(kind, name, {key: [one]})
        except InvalidInput as error:
            report.changed(f"index {name}", f"an item of {key} left out: {error}")
        else:
            good.append(one)
    return options.parse(kind, name, {key: good}) if good else {}


def _texts(what: str, config: dict[str, Any], keys: tuple[str, ...], report: Report) -> bytes:
    texts: dict[str, Any] = {}
    for key in keys:
        try:
            texts |= options.parse_texts({key: config[key]} if config.get(key) else {}, keys)
        except InvalidInput as error:
            report.changed(what, f"{key} left out: {error}")
    return options.merged_texts({}, texts)


def _password(name: str, config: dict[str, Any], report: Report) -> bytes:
    if not config.get("pwhash"):
        return b""
    try:
        return old_passwords.imported(config["pwhash"], config.get("pwsalt"))
    except InvalidInput as error:
        report.changed(f"user {name}", f"no password is good any more: {error}")
        return b""


def _user_events(name: UserName, profile: Record | None, password: Record | None) -> Callable[[Store], list[Event]]:
    def decide(store: Store) -> list[Event]:
        row = users.find(store, name)
        events: list[Event] = []
        if row is None:
            events.append(UserCreated(name, _commitment(profile)))
        elif not _is_same(store, row.profile, profile):
            events.append(ProfileChanged(name, _commitment(profile)))
        if password is not None and (row is None or not _is_same(store, row.password, password)):
            events.append(PasswordSet(name, password.commitment))
        return events

    return decide


def _index_events(
    name: IndexName, kind: str, values: dict[str, Any], texts: Record | None
) -> Callable[[Store], list[Event]]:
    def decide(store: Store) -> list[Event]:
        row = indexes.find(store, name)
        if users.find(store, UserName(owner_of(name))) is None:
            raise InvalidInput(f"the dump has no user {owner_of(name)}")
        packed = options.packed(values)
        if row is None or row.type != kind:
            gone = [] if row is None else [IndexDeleted(name)]
            return [*gone, IndexCreated(name, kind, packed, _commitment(texts))]
        events: list[Event] = []
        new = tuple(option for option in packed if option not in row.options)
        dropped = tuple(sorted(dict(row.options).keys() - values.keys()))
        if new or dropped:
            events.append(IndexModified(name, new, dropped))
        if not _is_same(store, row.texts, texts):
            events.append(IndexTextsChanged(name, _commitment(texts)))
        return events

    return decide


def _is_same(store: Store, commitment: bytes, record: Record | None) -> bool:
    stored = store.get("records", commitment) if commitment else None
    before = b"" if stored is None else records.from_stored(stored).payload
    return before == (b"" if record is None else record.payload)


def _record(payload: bytes) -> Record | None:
    return new_record(payload) if payload else None


def _commitment(record: Record | None) -> bytes:
    return NONE if record is None else record.commitment


def _known(*found: Record | None) -> tuple[Record, ...]:
    return tuple(record for record in found if record is not None)
