"""A token as its owner sees it: never its secret."""

from typing import Any

from changelog import records
from changelog.tables import Store
from changelog.views.tokens import Token
from server.limits import VERBS
from server.token_checks import shown_time

MICROSECONDS = 1_000_000


def shown(store: Store, row: Token, used: int | None) -> dict[str, Any]:
    """Return what JSON says of a token that was last used on this node at *used*, seconds since 1970.

    ``restrictions`` is what devpi-tokens' client prints.
    """
    return {
        "user": row.user,
        "kind": "secret" if row.secret else "macaroon",
        "verbs": list(row.verbs or VERBS),
        "indexes": list(row.indexes) or None,
        "projects": list(row.projects) or None,
        "created": shown_time(row.created // MICROSECONDS),
        "not_before": shown_time(row.not_before) if row.not_before else None,
        "expires": shown_time(row.expires) if row.expires else None,
        "last_used": None if used is None else shown_time(used),
        "description": description(store, row),
        "restrictions": restrictions(row),
    }


def restrictions(row: Token) -> list[str]:
    """Return the limits of a token as text, by name."""
    lists = {"allowed": row.verbs, "indexes": row.indexes, "projects": row.projects}
    said = {key: ",".join(values) for key, values in lists.items() if values}
    said["expires"] = str(row.expires or "never")
    if row.not_before:
        said["not_before"] = str(row.not_before)
    return [f"{key}={said[key]}" for key in sorted(said)]


def description(store: Store, row: Token) -> str:
    """Return what the user calls the token."""
    stored = store.get("records", row.description) if row.description else None
    return "" if stored is None else records.from_stored(stored).payload.decode()
