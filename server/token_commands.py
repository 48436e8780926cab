"""Wishes about API tokens; :mod:`server.commands` has all others."""

from attrs import frozen

from changelog.names import IndexName, ProjectName, UserName


@frozen
class CreateToken:
    """Make an API token; the fields are those of TokenCreated."""

    token: str
    user: UserName
    secret: bytes
    verbs: tuple[str, ...]
    indexes: tuple[IndexName, ...]
    projects: tuple[ProjectName, ...]
    not_before: int
    expires: int
    description: bytes


@frozen
class RevokeToken:
    """Revoke an API token."""

    token: str


@frozen
class SetTokenKey:
    """Set the key of macaroons if there is none yet, or (*renew*) in the place of the one before."""

    key: bytes  # commitment
    renew: bool
